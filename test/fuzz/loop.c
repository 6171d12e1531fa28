/*
 * The whole runtime, bootstrap.c to handler.c, on the simulated kernel of
 * test/fault/, whose peer is this one. It is given three events. The first and
 * the last are good; the input makes what comes between them:
 *
 *     byte 0 % 3 is 0    the answer to GET /next, whole
 *                   1    the event of a good answer
 *                   2    the answer to the POST for a good event
 *     byte 0 has 4       reads give a byte at a time
 *                8       writes take 7 bytes at a time
 *                16      every third system call is interrupted
 *                32      the answer to the POST comes early
 *
 * Each request must be well formed, to the reference reader; each event is
 * answered at most once, and good ones are; each body is what its type says.
 */
#include "http.h"
#include "test/fault/kernel.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/base64_reference.h"
#include "test/unit/http_reference.h"
#include "test/unit/json_reference.h"

#include <stdarg.h>
#include <string.h>

#define SENT_BYTES_MAX 4000000

enum { NEXT, EVENT, POST, KINDS };
enum { DRIBBLE = 4, SHORT_WRITES = 8, INTERRUPT = 16, EARLY = 32 };

/* What the runtime is to do with the event between. */
enum { REFUSE, EXIT, PLAY };

static struct {
    struct connection *connection; /* NULL: there is none */
    char *sent;                    /* by the runtime */
    size_t sent_length;
    size_t judged; /* how much of it was looked at */

    /* The input */
    int mode;
    const char *bytes;
    size_t length;

    /* The run */
    struct result result;
    int events; /* asked for */
    int expected;
    char id[200]; /* of the event that is out, "" when there is none */
    char invocation_id[200];
    int answered[4];
} peer;

static const char first_event[] =
    "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: first\r\n"
    "Content-Length: 33\r\n\r\n{\"sentence\":\"a \\u00e9\",\"delay\":9}";
static const char last_event[] =
    "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: last\r\n"
    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
static const char accepted[] =
    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
static const char no_more[] = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";

static int is_json(const char *text, size_t length)
{
    return length > 0 && text[0] == '{' &&
           json_reference(text, length, 100).verdict == REFERENCE_ACCEPT;
}

static int begins(const char *text, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Bodies */

static const char *find(const char *text, size_t length, const char *what)
{
    for (size_t i = 0; i + strlen(what) <= length; i++)
        if (memcmp(text + i, what, strlen(what)) == 0)
            return text + i;
    return NULL;
}

/* How many words an EventSource has had, when `line` is the first of what is
 * left for it: that says which word it is, of how many. */
static long resumed(const char *line, size_t length, long *total)
{
    const char *word = find(line, length, ",\"sequence\":");
    long n;

    EXPECT(word &&
           sscanf(word, ",\"sequence\":%ld,\"total\":%ld,", &n, total) == 2);
    return n;
}

/* A line of a stream: the n-th, from 0, of a stream of `total` words. Gives
 * whether it is the last. */
static int check_line(const char *line, size_t length, long n, long *total)
{
    char want[400];
    const char *count = find(line, length, "\"word_count\":");

    EXPECT(is_json(line, length));
    if (begins(line, length, "{\"status\":\"error\","))
        return 1;
    if (n == 0) {
        EXPECT(count);
        *total = strtol(count + 13, NULL, 10);
        snprintf(
            want, sizeof want,
            "{\"status\":\"start\",\"request_id\":\"%s\",\"word_count\":%ld,",
            peer.id, *total);
        EXPECT(begins(line, length, want));
        return 0;
    }
    if (n > *total) {
        snprintf(want, sizeof want,
                 "{\"status\":\"complete\",\"word_count\":%ld,", *total);
        EXPECT(begins(line, length, want));
        return 1;
    }
    EXPECT(begins(line, length, "{\"type\":\"word\",\"data\":\""));
    snprintf(want, sizeof want, "\",\"sequence\":%ld,\"total\":%ld,", n,
             *total);
    EXPECT(find(line, length, want));
    return 0;
}

/* Lines of JSON, or events of which those are the data. `whole`: the last one
 * must be there. */
static void check_stream(const char *body, size_t length, int sse, int whole)
{
    const char *end = body + length, *line_end;
    long total = 0;
    int last = 0;

    for (long n = 0; body < end; n++) {
        EXPECT(!last);
        if (sse) {
            EXPECT(begins(body, (size_t)(end - body), "event: "));
            body = find(body, (size_t)(end - body), "\ndata: ");
            EXPECT(body);
            body += 7;
        }
        line_end = memchr(body, '\n', (size_t)(end - body));
        EXPECT(line_end);
        if (sse && n == 0 && begins(body, length, "{\"type\":"))
            n = resumed(body, (size_t)(line_end - body), &total);
        last = check_line(body, (size_t)(line_end - body), n, &total);
        body = line_end + 1;
        if (sse) {
            EXPECT(begins(body, (size_t)(end - body), "id: "));
            body += 4 + strspn(body + 4, "0123456789");
            EXPECT(end - body >= 2 && body[0] == '\n' && body[1] == '\n');
            body += 2;
        }
    }
    EXPECT(last || !whole);
}

static void check_body(const struct http_reference *r, const char *body)
{
    const struct http_reference_slice *type = http_reference_field(
        r, "Content-Type");
    size_t length = r->body_length, prelude;
    struct http_reference_slice t = *type;

    for (size_t at = 0, n; at < length; at += n)
        EXPECT((n = json_reference_utf8(body + at, length - at)) > 0);
    if (http_reference_is(t, "application/vnd.awslambda."
                             "http-integration-response")) {
        prelude = strnlen(body, length);
        EXPECT(length >= prelude + 8);
        EXPECT(is_json(body, prelude));
        EXPECT(begins(body, prelude, "{\"statusCode\":"));
        EXPECT(memcmp(body + prelude, "\0\0\0\0\0\0\0\0", 8) == 0);
        if (begins(body, prelude, "{\"statusCode\":204,")) {
            EXPECT(length == prelude + 8);
            return;
        }
        t.bytes = find(body, prelude, "\"Content-Type\":\"");
        EXPECT(t.bytes);
        t.bytes += 16;
        t.length = (size_t)((char *)memchr(t.bytes, '"', prelude) - t.bytes);
        body += prelude + 8;
        length -= prelude + 8;
        EXPECT(length > 0);
    }
    EXPECT(!memchr(body, '\0', length));
    EXPECT(peer.events != 1 ||
           (find(body, length, "\"data\":\"a\",\"sequence\":1,\"total\":2") &&
            find(body, length, "\"data\":\"\xc3\xa9\",\"sequence\":2,")));
    if (http_reference_is(t, "application/x-ndjson")) {
        check_stream(body, length, 0, 1);
    } else if (http_reference_is(t, "text/event-stream; charset=utf-8")) {
        check_stream(body, length, 1, 1);
    } else {
        EXPECT(http_reference_is(t, "text/plain; charset=utf-8"));
        EXPECT(length > 0 && body[length - 1] == '\n');
    }
}

/* None, or the two with the error. */
static void check_trailers(const struct http_reference *r)
{
    const struct http_reference_slice *declared = http_reference_field(
        r, "Trailer");
    const struct http_reference_field *f = r->fields + r->field_count;
    char json[HTTP_TRAILER_BYTES_SENT_MAX];
    long n;

    EXPECT(declared &&
           http_reference_is(*declared, "Lambda-Runtime-Function-Error-Type, "
                                        "Lambda-Runtime-Function-Error-Body"));
    if (r->trailer_count == 0)
        return;
    EXPECT(r->trailer_count == 2);
    EXPECT(http_reference_is(f[0].name, "Lambda-Runtime-Function-Error-Type"));
    EXPECT(http_reference_is(f[1].name, "Lambda-Runtime-Function-Error-Body"));
    EXPECT(f[1].value.length < sizeof json);
    n = base64_reference_decode(json, f[1].value.bytes, f[1].value.length);
    EXPECT(n > 0 && is_json(json, (size_t)n));
}

/* Requests */

static void answer(const char *bytes, size_t length, enum then then)
{
    struct connection *c = peer.connection;

    c->answer = (struct answer){.bytes = bytes,
                                .length = length,
                                .piece = peer.mode & DRIBBLE ? 1 : 0,
                                .then = then};
    c->sent = 0;
    c->pending = 1;
}

/* Some of an answer has not been read. */
static int is_answering(void)
{
    const struct connection *c = peer.connection;

    return c->pending && c->sent < c->answer.length;
}

static void answer_text(const char *text)
{
    answer(text, strlen(text), KEEP);
}

static void event_out(const char *id, const char *invocation_id)
{
    snprintf(peer.id, sizeof peer.id, "%s", id);
    snprintf(peer.invocation_id, sizeof peer.invocation_id, "%s",
             invocation_id);
}

/* The value of the fields of that name in the answer: "" unless they are all
 * the same, of 1 to 128 characters, each printable or of letters, digits and
 * hyphens. */
static void id_of(char *to, const struct http_reference *r, const char *name,
                  int strict)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    const struct http_reference_slice *first = NULL, *v;

    *to = '\0';
    for (unsigned i = 0; i < r->field_count; i++) {
        if (!http_reference_is(r->fields[i].name, name))
            continue;
        v = &r->fields[i].value;
        first = first ? first : v;
        if (v->length > 128 || v->length != first->length ||
            memcmp(v->bytes, first->bytes, v->length) != 0)
            return;
    }
    for (size_t i = 0; first && i < first->length; i++) {
        char c = first->bytes[i];

        if (strict ? !strchr(letters, c) : c <= ' ' || c > '~')
            return;
    }
    if (first) {
        memcpy(to, first->bytes, first->length);
        to[first->length] = '\0';
    }
}

/* What is to follow bytes that are read as an answer: 500 ends the runtime. */
static int outcome(struct http_reference *r, const char *bytes, size_t length)
{
    char *body = fuzz_memory(length);

    http_reference_response(r, bytes, length, body);
    free(body);
    return r->rc > 0 && r->status == 500 ? EXIT : REFUSE;
}

/* What the reference reader makes of the input as an answer to GET /next. */
static void judge_input(void)
{
    static struct http_reference r;
    size_t end;

    peer.expected = outcome(&r, peer.bytes, peer.length);
    event_out("", "");
    if (r.rc <= 0 || r.status != 200)
        return;
    id_of(peer.id, &r, "Lambda-Runtime-Aws-Request-Id", 1);
    id_of(peer.invocation_id, &r, "Lambda-Runtime-Invocation-Id", 0);
    if (*peer.id == '\0')
        return;
    peer.expected = PLAY;
    /* Bytes behind it can be taken for an early answer to the POST. */
    end = r.at;
    if (end < peer.length)
        peer.expected = outcome(&r, peer.bytes + end, peer.length - end);
}

/* The good answer that has the input as its event, or "{}". */
static size_t make_event(char *to, size_t size)
{
    static struct http_reference r;
    int given = peer.mode % KINDS == EVENT;
    const char *event = given ? peer.bytes : "{}";
    size_t length = given ? peer.length : 2;
    int n = snprintf(to, size,
                     "HTTP/1.1 200 OK\r\n"
                     "lambda-runtime-aws-request-id: between\r\n"
                     "LAMBDA-RUNTIME-INVOCATION-ID: !~\r\n"
                     "Lambda-Runtime-Deadline-Ms: %lld\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     BEGIN_MS + 1000000LL, length);

    EXPECT(length < size - (size_t)n);
    memcpy(to + n, event, length);
    peer.expected = given ? PLAY : outcome(&r, peer.bytes, peer.length);
    return (size_t)n + length;
}

static void answer_next(void)
{
    static char event[1000000];

    switch (peer.events++) {
    case 0:
        event_out("first", "");
        answer_text(first_event);
        break;
    case 1:
        EXPECT(peer.answered[0] == 1 && peer.result.lines == 0);
        if (peer.mode % KINDS == NEXT) {
            judge_input();
            answer(peer.bytes, peer.length, KEEP);
            break;
        }
        event_out("between", "!~");
        answer(event, make_event(event, sizeof event), KEEP);
        break;
    case 2:
        EXPECT(peer.expected != PLAY || peer.answered[1] == 1);
        event_out("last", "");
        answer_text(last_event);
        break;
    default:
        EXPECT(peer.answered[2] == 1);
        answer_text(no_more);
    }
}

static void answer_post(void)
{
    if (peer.events == 2 && peer.mode % KINDS == POST)
        answer(peer.bytes, peer.length, FIN);
    else
        answer_text(accepted);
}

static void check_post(const struct http_reference *r, const char *body)
{
    const struct http_reference_slice *echo = http_reference_field(
        r, "Lambda-Runtime-Invocation-Id");
    char want[300];

    EXPECT(peer.events > 0 && peer.events < 4 && *peer.id);
    EXPECT(++peer.answered[peer.events - 1] == 1);
    EXPECT((echo != NULL) == (*peer.invocation_id != '\0'));
    EXPECT(!echo || http_reference_is(*echo, peer.invocation_id));
    snprintf(want, sizeof want,
             "POST /2018-06-01/runtime/invocation/%s/error HTTP/1.1", peer.id);
    if (http_reference_is(r->start, want)) {
        EXPECT(!r->chunked && is_json(body, r->body_length));
        EXPECT(http_reference_field(r, "Lambda-Runtime-Function-Error-Type"));
        return;
    }
    snprintf(want, sizeof want,
             "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1",
             peer.id);
    EXPECT(http_reference_is(r->start, want));
    EXPECT(r->chunked && http_reference_field(r, "Content-Type"));
    EXPECT(http_reference_is(
        *http_reference_field(r, "Lambda-Runtime-Function-Response-Mode"),
        "streaming"));
    check_trailers(r);
    check_body(r, body);
}

/* Looks at what the runtime has sent since the last request. */
static void judge_sent(void)
{
    static struct http_reference r;
    size_t length = peer.sent_length - peer.judged;
    char *body;

    if (length == 0)
        return;
    body = fuzz_memory(length);
    http_reference_request(&r, peer.sent + peer.judged, length, body);
    EXPECT(r.rc >= 0);
    if (r.rc > 0) {
        EXPECT(r.at == length);
        EXPECT(http_reference_is(*http_reference_field(&r, "Host"),
                                 "127.0.0.1:9001"));
        peer.judged += r.at;
        if (http_reference_is(
                r.start, "GET /2018-06-01/runtime/invocation/next HTTP/1.1")) {
            EXPECT(r.at == length && !r.chunked && r.body_length == 0);
            answer_next();
        } else {
            check_post(&r, body);
            if (!is_answering())
                answer_post();
        }
    }
    free(body);
}

/* The peer of the kernel: peer.h */

void peer_start(struct peer *p, const struct plan *plan, unsigned port)
{
    memset(p, 0, sizeof *p);
    p->plan = plan;
    p->port = port;
}

int peer_open(struct peer *p)
{
    EXPECT(!peer.connection && p->count < CONNECTIONS_MAX);
    peer.connection = &p->connection[p->count];
    peer.sent_length = peer.judged = 0;
    return p->count++;
}

static int ends(const char *with)
{
    size_t length = strlen(with);

    return peer.sent_length >= length &&
           memcmp(peer.sent + peer.sent_length - length, with, length) == 0;
}

void peer_take(struct peer *p, int connection, const char *bytes, size_t length)
{
    EXPECT(&p->connection[connection] == peer.connection);
    EXPECT(length <= SENT_BYTES_MAX - peer.sent_length);
    memcpy(peer.sent + peer.sent_length, bytes, length);
    peer.sent_length += length;
    if ((peer.mode & EARLY) && peer.events == 2 && peer.mode % KINDS == POST &&
        !is_answering())
        answer_post();
    /* A request ends so, or with the error's JSON. */
    if (ends("\r\n\r\n") || ends("}"))
        judge_sent();
}

void peer_close(struct peer *p, int connection)
{
    EXPECT(&p->connection[connection] == peer.connection);
    judge_sent();
    peer.connection = NULL;
}

void peer_sent(struct peer *p, int connection, size_t length)
{
    p->connection[connection].sent += length;
}

void peer_wrong(struct peer *p, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(p->wrong, sizeof p->wrong, format, list);
    va_end(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan plan = {.endless = 1};
    static char *sent;

    if (size == 0)
        return 0;
    if (!sent)
        sent = fuzz_memory(SENT_BYTES_MAX);
    memset(&peer, 0, sizeof peer);
    peer.sent = sent;
    peer.mode = data[0];
    peer.bytes = (const char *)data + 1;
    peer.length = size - 1;
    plan.write_piece = peer.mode & SHORT_WRITES ? 7 : 0;
    plan.interrupt_every = peer.mode & INTERRUPT ? 3 : 0;
    run_here(&plan, &peer.result);
    if (*peer.result.why)
        printf("%s\n", peer.result.why);
    EXPECT(peer.result.outcome == EXITED && peer.result.status == 1);
    EXPECT(peer.answered[0] == 1);
    EXPECT(peer.answered[2] == 1 || peer.expected == EXIT);
    return 0;
}
