/* Tests of the local Lambda: lambda_test PATH-OF-LAMBDA
 *
 * The runtimes that it starts are this program again, which then speaks the
 * Runtime API in raw bytes and does what the event tells it to: what stands
 * in "do", or in the path of a Function URL request. A runtime that makes
 * mistakes puts the replies to them into its response, so that they can be
 * compared here. Each case that fails prints one line. */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Nothing here takes longer unless something is broken. */
#define PATIENCE_MS 10000

#define API     "/2018-06-01/runtime"
#define PRELUDE "application/vnd.awslambda.http-integration-response"
#define MODE    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define TYPE_T  "Lambda-Runtime-Function-Error-Type"
#define BODY_T  "Lambda-Runtime-Function-Error-Body"
#define STREAM  "/2021-11-15/functions/f/response-streaming-invocations"
#define INVOKE  "/2015-03-31/functions/f/invocations"
#define NULS    "\0\0\0\0\0\0\0\0"
#define LIMIT   6291556u
#define TEXT(s) (s), sizeof(s) - 1
#define END     ((const char *)NULL)

static const char *self, *lambda_path;
static unsigned passed, failed, skipped;

struct bytes {
    char *data; /* always with a NUL behind */
    size_t size, capacity;
};

static void append(struct bytes *b, const void *data, size_t size)
{
    if (b->data == NULL || b->capacity - b->size <= size) {
        b->capacity = (b->size + size + 1) * 2;
        b->data = realloc(b->data, b->capacity);
        if (b->data == NULL) {
            abort();
        }
    }
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
    }
    b->size += size;
    b->data[b->size] = '\0';
}

static void append_format(struct bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append_format(struct bytes *b, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    append(b, text, strlen(text));
}

static bool contains(const struct bytes *b, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i + size <= b->size; i++) {
        if (memcmp(b->data + i, text, size) == 0) {
            return true;
        }
    }
    return false;
}

static void drop_front(struct bytes *b, size_t size)
{
    memmove(b->data, b->data + size, b->size - size + 1);
    b->size -= size;
}

static void release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

/* Sockets and messages serve both sides: the client's and the runtime's. */

struct stream {
    int fd;
    struct bytes in;
};

static void stream_open(struct stream *s, const char *host, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    int on = 1;

    *s = (struct stream){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
        connect(s->fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(s->fd);
        s->fd = -1;
    } else {
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

static void stream_close(struct stream *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
    release(&s->in);
}

static bool stream_send(struct stream *s, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t n = send(s->fd, p, size, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        p += n;
        size -= (size_t)n;
    }
    return true;
}

/* False: the end, an error, or patience is over. */
static bool stream_more(struct stream *s, int patience_ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    static char piece[65536];
    ssize_t n;

    if (poll(&p, 1, patience_ms) != 1) {
        return false;
    }
    n = recv(s->fd, piece, sizeof piece, 0);
    if (n > 0) {
        append(&s->in, piece, (size_t)n);
    }
    return n > 0;
}

struct message {
    int status;
    struct bytes head, body;
    bool complete;
};

static void message_free(struct message *m)
{
    release(&m->head);
    release(&m->body);
    *m = (struct message){0};
}

static const char *field(const struct message *m, const char *name)
{
    static char value[8192];
    size_t size = strlen(name);
    const char *line = strstr(m->head.data == NULL ? "" : m->head.data, "\r\n");

    while (line != NULL && line[2] != '\0') {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            (void)snprintf(value, sizeof value, "%.*s",
                           (int)strcspn(line + size + 2, "\r"),
                           line + size + 2);
            return value;
        }
        line = strstr(line, "\r\n");
    }
    return NULL;
}

static bool need(struct stream *s, size_t size, int patience_ms)
{
    while (s->in.size < size) {
        if (!stream_more(s, patience_ms)) {
            return false;
        }
    }
    return true;
}

static bool read_chunks(struct stream *s, struct message *m, int patience_ms)
{
    for (;;) {
        size_t line, size;
        const char *end;

        while (s->in.size == 0 || (end = strstr(s->in.data, "\r\n")) == NULL) {
            if (!stream_more(s, patience_ms)) {
                return false;
            }
        }
        line = (size_t)(end - s->in.data) + 2;
        size = strtoul(s->in.data, NULL, 16);
        if (!need(s, line + size + 2, patience_ms)) {
            return false;
        }
        append(&m->body, s->in.data + line, size);
        drop_front(&s->in, line + size + 2);
        if (size == 0) {
            return true;
        }
    }
}

/* A message with its body, framed in any way; patience below 0: for ever. */
static bool read_message(struct stream *s, struct message *m, bool no_body,
                         int patience_ms)
{
    const char *end, *length;
    size_t size;

    *m = (struct message){0};
    while (s->in.size == 0 || (end = strstr(s->in.data, "\r\n\r\n")) == NULL) {
        if (!stream_more(s, patience_ms)) {
            return false;
        }
    }
    size = (size_t)(end - s->in.data) + 4;
    append(&m->head, s->in.data, size);
    append(&m->body, "", 0);
    drop_front(&s->in, size);
    m->status = size > 12 ? atoi(m->head.data + 9) : 0;
    m->complete = true;
    if (no_body || m->status == 204 || m->status == 304 || m->status < 200) {
        return true;
    }
    length = field(m, "content-length");
    if (length != NULL) {
        size = strtoul(length, NULL, 10);
        m->complete = need(s, size, patience_ms);
        size = size < s->in.size ? size : s->in.size;
        append(&m->body, s->in.data, size);
        if (size > 0) {
            drop_front(&s->in, size);
        }
    } else if (field(m, "transfer-encoding") != NULL) {
        m->complete = read_chunks(s, m, patience_ms);
    } else {
        while (stream_more(s, patience_ms)) {
        }
        append(&m->body, s->in.data, s->in.size);
    }
    return true;
}

/* From here to be_runtime(): what runs in the process that lambda starts. */

struct runtime {
    struct stream api;
    char host[64];
    unsigned port;
    struct message next; /* the reply that brought the event */
    char id[128];
    bool reconnects;
};

static void say(struct runtime *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct runtime *r, const char *format, ...)
{
    char text[16384];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)stream_send(&r->api, text, strlen(text));
}

static void say_chunk(struct runtime *r, const void *data, size_t size)
{
    struct bytes b = {0};

    append_format(&b, "%zx\r\n", size);
    append(&b, data, size);
    append(&b, "\r\n", 2);
    (void)stream_send(&r->api, b.data, b.size);
    release(&b);
}

static void start_response(struct runtime *r, const char *fields)
{
    say(r,
        "POST " API "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n" CHUNKED
        "%s\r\n",
        r->id, fields);
}

/* The reply without its Date, as text of the response. */
static void hear(struct runtime *r, struct bytes *out)
{
    struct message m;
    char *date;

    if (!read_message(&r->api, &m, false, PATIENCE_MS)) {
        append_format(out, "(no reply)\n");
        return;
    }
    date = strstr(m.head.data, "Date: ");
    if (date != NULL) {
        char *rest = strchr(date, '\n') + 1;

        memmove(date, rest, strlen(rest) + 1);
    }
    append_format(out, "%s", m.head.data);
    append(out, m.body.data, m.body.size);
    message_free(&m);
}

static void end_response(struct runtime *r)
{
    struct message m;

    say(r, "0\r\n\r\n");
    if (!read_message(&r->api, &m, false, PATIENCE_MS) || m.status != 202) {
        (void)fprintf(stderr, "fake runtime: no 202 but %d\n", m.status);
        _exit(99);
    }
    message_free(&m);
}

static void respond(struct runtime *r, const void *data, size_t size)
{
    start_response(r, MODE "Content-Type: text/x-plain\r\n");
    if (size > 0) {
        say_chunk(r, data, size);
    }
    end_response(r);
}

static void do_echo(struct runtime *r)
{
    respond(r, r->next.body.data, r->next.body.size);
}

static void do_head(struct runtime *r)
{
    respond(r, r->next.head.data, r->next.head.size);
}

static void do_pid(struct runtime *r)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%ld", (long)getpid());
    respond(r, text, strlen(text));
}

static void do_environment(struct runtime *r)
{
    extern char **environ;
    struct bytes b = {0};

    for (char **e = environ; *e != NULL; e++) {
        append_format(&b, "%s\n", *e);
    }
    respond(r, b.data, b.size);
    release(&b);
}

static void do_words(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("one "));
    say_chunk(r, TEXT("two "));
    say_chunk(r, TEXT("three"));
    end_response(r);
}

static void await_gate(void)
{
    const char *gate = getenv("GATE");

    for (int i = 0;
         gate != NULL && i < PATIENCE_MS / 10 && access(gate, F_OK) != 0; i++) {
        pause_ms(10);
    }
}

static void do_gate(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("first"));
    await_gate();
    say_chunk(r, TEXT("second"));
    end_response(r);
}

static void do_empty(struct runtime *r)
{
    respond(r, "", 0);
}

#define WITH_PRELUDE(name, text)     \
    {                                \
        name, text, sizeof(text) - 1 \
    }

static const struct {
    const char *name, *text;
    size_t size;
} preludes[] = {
    WITH_PRELUDE("prelude-good",
                 "{\"statusCode\":201,\"headers\":{\"content-type\":\"text/x\","
                 "\"Connection\":\"close\",\"Transfer-Encoding\":\"gzip\","
                 "\"Content-Length\":\"3\",\"X-A\":\"\\u0041\"},"
                 "\"cookies\":[\"a=1\",\"b=2\"],"
                 "\"multiValueHeaders\":{\"X-B\":[\"1\",\"2\"]}}" NULS "body"),
    WITH_PRELUDE("prelude-alone", "{\"headers\":{\"x-only\":\"1\"}}" NULS),
    WITH_PRELUDE("prelude-204", "{\"statusCode\":204}" NULS),
    WITH_PRELUDE("prelude-control",
                 "{\"headers\":{\"X\":\"\\n\"}}" NULS "body"),
    WITH_PRELUDE("prelude-short", "{\"statusCode\":200}\0\0\0body body"),
    WITH_PRELUDE("prelude-no-json", "{\"statusCode\":200,}" NULS "body"),
    WITH_PRELUDE("prelude-status", "{\"statusCode\":\"200\"}" NULS "body"),
    WITH_PRELUDE("prelude-none", "{\"statusCode\":200}"),
};

static bool run_prelude(struct runtime *r, const char *name)
{
    for (size_t i = 0; i < sizeof preludes / sizeof preludes[0]; i++) {
        size_t size = strlen(preludes[i].name);

        if (strncmp(name, preludes[i].name, size) == 0) {
            start_response(r, MODE "Content-Type: " PRELUDE "\r\n");
            say_chunk(r, preludes[i].text, preludes[i].size);
            end_response(r);
            return true;
        }
    }
    return false;
}

static void do_prelude_bytes(struct runtime *r)
{
    static const char text[] = "{\"statusCode\":418}" NULS "\0x";

    start_response(r, MODE "Content-Type: " PRELUDE "\r\n");
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        say_chunk(r, text + i, 1);
    }
    end_response(r);
}

static void do_prelude_large(struct runtime *r)
{
    static char space[20000];

    memset(space, ' ', sizeof space);
    start_response(r, MODE "Content-Type: " PRELUDE "\r\n");
    say_chunk(r, space, sizeof space);
    end_response(r);
}

static void end_with_trailers(struct runtime *r, const char *announce,
                              const char *trailers)
{
    struct bytes replies = {0};

    start_response(r, announce);
    say_chunk(r, TEXT("part"));
    say(r, "0\r\n%s\r\n", trailers);
    hear(r, &replies);
    release(&replies);
}

/* {"a":1} */
#define TRAILERS TYPE_T ": Function.Oh\r\n" BODY_T ": eyJhIjoxfQ==\r\n"

static void do_trailers(struct runtime *r)
{
    end_with_trailers(r, MODE "Trailer: " TYPE_T ", " BODY_T "\r\n", TRAILERS);
}

static void do_no_mode(struct runtime *r)
{
    end_with_trailers(r, "Trailer: " TYPE_T ", " BODY_T "\r\n", TRAILERS);
}

static void do_undeclared(struct runtime *r)
{
    end_with_trailers(r, MODE, TRAILERS);
}

static void do_oversized(struct runtime *r)
{
    static char trailers[6000] = TRAILERS "X-Filler: ";
    size_t size = strlen(trailers);

    memset(trailers + size, 'x', 4200);
    memcpy(trailers + size + 4200, "\r\n", 3);
    end_with_trailers(r, MODE "Trailer: " TYPE_T ", " BODY_T "\r\n", trailers);
}

static void reconnect(struct runtime *r)
{
    stream_close(&r->api);
    stream_open(&r->api, r->host, r->port);
}

static void do_truncated(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("part"));
    say(r, "ff\r\nnot all");
    reconnect(r);
}

static void do_malformed(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("part"));
    say(r, "zz\r\n");
    reconnect(r);
}

static void do_exit7(struct runtime *r)
{
    (void)r;
    _exit(7);
}

static void do_exit0(struct runtime *r)
{
    (void)r;
    _exit(0);
}

static void do_killed(struct runtime *r)
{
    (void)r;
    (void)raise(SIGKILL);
}

static void do_exit_after(struct runtime *r)
{
    respond(r, TEXT("done"));
    _exit(3);
}

static void do_hang(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("part"));
    pause_ms(60000);
}

static void do_hang_silent(struct runtime *r)
{
    (void)r;
    pause_ms(60000);
}

static void do_error(struct runtime *r)
{
    static const char body[] = "{\"errorType\":\"E\",\"errorMessage\":\"m\"}";
    struct bytes reply = {0};

    say(r,
        "POST " API "/invocation/%s/error HTTP/1.1\r\nHost: x\r\n" TYPE_T
        ": Function.Bad\r\nContent-Length: %zu\r\n\r\n%s",
        r->id, sizeof body - 1, body);
    hear(r, &reply);
    release(&reply);
}

/* The state machine, request by request, on one connection. */
static void do_replies(struct runtime *r)
{
    struct message again;
    struct bytes b = {0};
    static const char *const wrong[] = {
        "GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
        "DELETE " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST " API "/invocation/nobody/response HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 2\r\n\r\nab",
        "POST " API "/invocation/nobody/error HTTP/1.1\r\nHost: x\r\n" CHUNKED
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST " API "/init/error HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        say(r, "%s", wrong[i]);
        hear(r, &b);
    }
    say(r,
        "POST " API "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
        "Lambda-Runtime-Invocation-Id: stale\r\nContent-Length: 0\r\n\r\n",
        r->id);
    hear(r, &b);
    say(r, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)read_message(&r->api, &again, false, PATIENCE_MS);
    append_format(&b, "again: %s\n",
                  strcmp(again.head.data, r->next.head.data) == 0 &&
                          strcmp(again.body.data, r->next.body.data) == 0
                      ? "the same"
                      : "another");
    message_free(&again);
    respond(r, b.data, b.size);
    release(&b);
}

/* What is wrong while a response is being sent, and after it. */
static void do_during(struct runtime *r)
{
    struct runtime other = *r;
    struct bytes b = {0};

    start_response(r, MODE);
    say_chunk(r, TEXT("begun\n"));
    other.api = (struct stream){0};
    reconnect(&other);
    /* The head of the response is on its way before this connection is even
     * opened, so it is read first. */
    say(&other, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(&other, &b);
    say(&other,
        "POST " API "/invocation/%s/error HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 2\r\n\r\n{}",
        r->id);
    hear(&other, &b);
    stream_close(&other.api);
    say_chunk(r, b.data, b.size);
    end_response(r);
    release(&b);
}

/* Its reply goes into the response to the next event, as this one's response
 * is over. */
static void do_twice(struct runtime *r)
{
    struct bytes b = {0};

    respond(r, TEXT("once"));
    start_response(r, MODE);
    say_chunk(r, TEXT("twice"));
    say(r, "0\r\n\r\n");
    hear(r, &b);
    (void)fprintf(stderr, "second response: %s\n",
                  b.size > 0 && strstr(b.data, "403 Forbidden") != NULL &&
                          strstr(b.data, "from ResponseSent to "
                                         "InvocationResponse failed") != NULL
                      ? "forbidden"
                      : "allowed");
    release(&b);
}

static void do_mode(struct runtime *r)
{
    struct bytes b = {0};

    start_response(r, "Lambda-Runtime-Function-Response-Mode: Streaming\r\n");
    say(r, "0\r\n\r\n");
    hear(r, &b);
    say(r, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(r, &b);
    for (char *p = b.data; *p != '\0'; p++) {
        *p = *p == '\r' || *p == '\n' ? '|' : *p;
    }
    (void)fprintf(stderr, "replies: %s\n", b.data);
    release(&b);
    _exit(1);
}

static void do_buffered(struct runtime *r)
{
    struct bytes b = {0};

    say(r,
        "POST " API "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
        "Expect: 100-continue\r\nContent-Length: 8\r\n\r\n",
        r->id);
    hear(r, &b);
    say(r, "buffered");
    hear(r, &b);
    release(&b);
}

/* Streams that many bytes of x, and tells on stderr what it got for it. */
static void stream_size(struct runtime *r, uint64_t size)
{
    static char piece[65536];
    struct bytes b = {0};

    memset(piece, 'x', sizeof piece);
    start_response(r, MODE);
    while (size > 0) {
        size_t n = size < sizeof piece ? (size_t)size : sizeof piece;

        say_chunk(r, piece, n);
        size -= n;
    }
    say(r, "0\r\n\r\n");
    hear(r, &b);
    (void)fprintf(stderr, "sent, and got %.3s\n",
                  b.size > 9 ? b.data + 9 : "nothing");
    release(&b);
    reconnect(r);
}

static void do_limit(struct runtime *r)
{
    stream_size(r, LIMIT);
}

static void do_over_limit(struct runtime *r)
{
    stream_size(r, LIMIT + 1);
}

static void do_huge(struct runtime *r)
{
    stream_size(r, 209715201u);
}

static void do_seven(struct runtime *r)
{
    stream_size(r, 7u << 20);
}

static const struct {
    const char *name;
    void (*run)(struct runtime *);
} deeds[] = {
    {"echo", do_echo},
    {"head", do_head},
    {"pid", do_pid},
    {"environment", do_environment},
    {"words", do_words},
    {"gate", do_gate},
    {"empty", do_empty},
    {"prelude-bytes", do_prelude_bytes},
    {"prelude-large", do_prelude_large},
    {"trailers", do_trailers},
    {"undeclared", do_undeclared},
    {"no-mode", do_no_mode},
    {"oversized", do_oversized},
    {"truncated", do_truncated},
    {"malformed", do_malformed},
    {"exit7", do_exit7},
    {"exit0", do_exit0},
    {"killed", do_killed},
    {"exit-after", do_exit_after},
    {"hang", do_hang},
    {"hang-silent", do_hang_silent},
    {"error", do_error},
    {"replies", do_replies},
    {"during", do_during},
    {"twice", do_twice},
    {"mode", do_mode},
    {"buffered", do_buffered},
    {"limit", do_limit},
    {"over-limit", do_over_limit},
    {"huge", do_huge},
    {"seven", do_seven},
};

static void run_event(struct runtime *r)
{
    const char *event = r->next.body.data;
    const char *name = strstr(event, "\"do\":\"");

    name = name != NULL ? name + 6 : strstr(event, "\"rawPath\":\"/");
    name = name != NULL && name[0] == '"' ? name + 12 : name;
    for (size_t i = 0; name != NULL && i < sizeof deeds / sizeof deeds[0];
         i++) {
        size_t size = strlen(deeds[i].name);

        if (strncmp(name, deeds[i].name, size) == 0 &&
            strchr("\"/?", name[size]) != NULL) {
            deeds[i].run(r);
            return;
        }
    }
    if (name == NULL || !run_prelude(r, name)) {
        do_echo(r);
    }
}

static void start_badly(struct runtime *r, const char *how)
{
    static const char body[] = "{\"errorType\":\"I\",\"errorMessage\":\"i\"}";
    struct bytes b = {0};

    if (strcmp(how, "exit") == 0) {
        _exit(4);
    }
    if (strcmp(how, "init-error") == 0) {
        say(r,
            "POST " API "/init/error HTTP/1.1\r\nHost: x\r\n" TYPE_T
            ": Function.Init\r\nContent-Length: %zu\r\n\r\n%s",
            sizeof body - 1, body);
        hear(r, &b);
        say(r, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
        hear(r, &b);
        (void)fprintf(stderr, "after init/error: %s\n",
                      strstr(b.data, "from InitError to Ready failed") != NULL
                          ? "forbidden"
                          : "allowed");
        _exit(1);
    }
}

static int be_runtime(const char *how)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    struct runtime r = {.reconnects = strcmp(how, "reconnect") == 0};

    if (address == NULL ||
        sscanf(address, "%63[^:]:%u", r.host, &r.port) != 2) {
        return 98;
    }
    stream_open(&r.api, r.host, r.port);
    start_badly(&r, how);
    for (;;) {
        say(&r, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n%s\r\n",
            r.reconnects ? "Connection: close\r\n" : "");
        message_free(&r.next);
        if (!read_message(&r.api, &r.next, false, -1) || r.next.status != 200) {
            message_free(&r.next);
            return 97;
        }
        (void)snprintf(r.id, sizeof r.id, "%s",
                       field(&r.next, "lambda-runtime-aws-request-id"));
        if (r.reconnects) {
            reconnect(&r);
        }
        run_event(&r);
        if (r.reconnects) {
            reconnect(&r);
        }
    }
}

/* From here on: the tests, and first what starts and asks lambda. */

struct lambda {
    pid_t pid;
    unsigned port, api_port;
    struct bytes log;
    int log_fd, out_fd;
};

static void check(const char *name, bool good, const char *got)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    (void)printf("failed: %s: ", name);
    for (size_t i = 0; got != NULL && got[i] != '\0' && i < 1500; i++) {
        if (got[i] == '\r') {
            (void)printf("\\r");
        } else if (got[i] == '\n') {
            (void)printf("\\n");
        } else {
            (void)putchar(got[i]);
        }
    }
    (void)printf("\n");
}

/* Whether the text is the pattern, in which ~ stands for any bytes. */
static bool is_like(const char *text, const char *pattern)
{
    if (text == NULL) {
        return false;
    }
    while (*pattern != '\0') {
        if (*pattern == '~') {
            pattern++;
            while (!is_like(text, pattern)) {
                if (*text++ == '\0') {
                    return false;
                }
            }
            return true;
        }
        if (*text++ != *pattern++) {
            return false;
        }
    }
    return *text == '\0';
}

static bool read_log(struct lambda *l, int patience_ms)
{
    struct pollfd p = {.fd = l->log_fd, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    if (poll(&p, 1, patience_ms) != 1) {
        return false;
    }
    n = read(l->log_fd, piece, sizeof piece);
    if (n > 0) {
        append(&l->log, piece, (size_t)n);
    }
    return n > 0;
}

/* Waits until the log contains it. */
static bool logs(struct lambda *l, const char *text)
{
    while (l->log.data == NULL || strstr(l->log.data, text) == NULL) {
        if (!read_log(l, PATIENCE_MS)) {
            return false;
        }
    }
    return true;
}

static void launch(struct lambda *l, char *const *arguments)
{
    int log[2], out[2];

    *l = (struct lambda){.log_fd = -1};
    append(&l->log, "", 0);
    if (pipe(log) != 0 || pipe(out) != 0) {
        abort();
    }
    l->pid = fork();
    if (l->pid == 0) {
        (void)dup2(log[1], STDERR_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        for (int fd = 3; fd < 100; fd++) {
            close(fd);
        }
        (void)execv(arguments[0], arguments);
        _exit(126);
    }
    close(log[1]);
    close(out[1]);
    l->log_fd = log[0];
    l->out_fd = out[0];
    (void)fcntl(l->log_fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(l->out_fd, F_SETFD, FD_CLOEXEC);
}

/* Options end with NULL; then comes the way in which the runtime starts. */
static void start(struct lambda *l, const char *how, ...)
{
    char *arguments[32];
    size_t n = 0;
    va_list args;
    const char *text;

    arguments[n++] = strdup(lambda_path);
    va_start(args, how);
    while ((text = va_arg(args, const char *)) != NULL) {
        arguments[n++] = strdup(text);
    }
    va_end(args);
    arguments[n++] = strdup("--");
    arguments[n++] = strdup(self);
    arguments[n++] = strdup("--runtime");
    arguments[n++] = strdup(how);
    arguments[n] = NULL;
    launch(l, arguments);
    while (n > 0) {
        free(arguments[--n]);
    }
}

#define PORTS "--port", "0", "--runtime-api", "127.0.0.1:0"

static bool is_up(struct lambda *l)
{
    const char *line;

    if (!logs(l, "invocations\n")) {
        check("it starts", false, l->log.data);
        return false;
    }
    line = strstr(l->log.data, "listening on http://127.0.0.1:");
    return line != NULL &&
           sscanf(line,
                  "listening on http://127.0.0.1:%u, Runtime API on "
                  "127.0.0.1:%u",
                  &l->port, &l->api_port) == 2;
}

static int await_end(struct lambda *l)
{
    int status = 0;

    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end;) {
        while (read_log(l, 0)) {
        }
        if (waitpid(l->pid, &status, WNOHANG) == l->pid) {
            while (read_log(l, 0)) {
            }
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        pause_ms(2);
    }
    (void)kill(l->pid, SIGKILL);
    (void)waitpid(l->pid, &status, 0);
    return -1;
}

static void discard_lambda(struct lambda *l)
{
    close(l->log_fd);
    close(l->out_fd);
    release(&l->log);
}

static void stop(struct lambda *l)
{
    int status;

    (void)kill(l->pid, SIGTERM);
    status = await_end(l);
    check("SIGTERM: exit status 143", status == 143, l->log.data);
    /* Built with a sanitizer, it would have said so here. */
    check("no sanitizer report",
          strstr(l->log.data, "runtime error:") == NULL &&
              strstr(l->log.data, "AddressSanitizer") == NULL,
          l->log.data);
    discard_lambda(l);
}

/* One request on a connection of its own. */
static void ask(struct lambda *l, struct message *m, const char *request,
                size_t size)
{
    struct stream s;

    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, request, size);
    if (!read_message(&s, m, strncmp(request, "HEAD", 4) == 0, PATIENCE_MS)) {
        m->complete = false;
        append(&m->head, s.in.data == NULL ? "" : s.in.data, s.in.size);
        append(&m->body, "", 0);
    }
    stream_close(&s);
}

static void get(struct lambda *l, struct message *m, const char *path)
{
    struct bytes b = {0};

    append_format(&b, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    ask(l, m, b.data, b.size);
    release(&b);
}

static void post(struct lambda *l, struct message *m, const char *path,
                 const char *fields, const char *body, size_t size)
{
    struct bytes b = {0};

    append_format(&b,
                  "POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n"
                  "\r\n",
                  path, fields, size);
    append(&b, body, size);
    ask(l, m, b.data, b.size);
    release(&b);
}

static void expect(struct lambda *l, const char *name, const char *path,
                   int status, const char *head, const char *body)
{
    struct message m;

    get(l, &m, path);
    check(name, m.status == status && m.complete, m.head.data);
    check(name, is_like(m.head.data, head), m.head.data);
    check(name, is_like(m.body.data, body), m.body.data);
    message_free(&m);
}

static const char event_pattern[] =
    "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":\"/echo/"
    "a%20b\","
    "\"rawQueryString\":\"x=1&y=a+b%26c&x=2&z&=e\",\"cookies\":[\"c=1\","
    "\"d=2\",\"e=3\"],\"headers\":{\"content-length\":\"11\","
    "\"content-type\":\"application/json; charset=utf-8\",\"host\":\"h:1\","
    "\"user-agent\":\"test \xef\xbf\xbd\\\"\",\"x-amzn-trace-id\":\"Root=~\","
    "\"x-forwarded-for\":\"127.0.0.1\",\"x-forwarded-port\":\"~\","
    "\"x-forwarded-proto\":\"http\",\"x-multi\":\"one,two\"},"
    "\"queryStringParameters\":{\"\":\"e\",\"x\":\"1,2\",\"y\":\"a b&c\","
    "\"z\":\"\"},\"requestContext\":{\"accountId\":\"anonymous\","
    "\"apiId\":\"local\",\"authentication\":null,\"authorizer\":null,"
    "\"domainName\":\"h\",\"domainPrefix\":\"local\",\"http\":{"
    "\"method\":\"POST\",\"path\":\"/echo/a%20b\",\"protocol\":\"HTTP/1.1\","
    "\"sourceIp\":\"127.0.0.1\",\"userAgent\":\"test \xef\xbf\xbd\\\"\"},"
    "\"requestId\":\"~\",\"routeKey\":\"$default\",\"stage\":\"$default\","
    "\"time\":\"~/~/~:~:~:~ +0000\",\"timeEpoch\":~},"
    "\"body\":\"{\\\"a\\\":\\\"\xc3\xa9\\\"\\n}\",\"pathParameters\":null,"
    "\"isBase64Encoded\":false,\"stageVariables\":null}";

static void test_events(struct lambda *l)
{
    static const char full[] =
        "POST /echo/a%20b?x=1&y=a+b%26c&x=2&z&=e HTTP/1.1\r\nHost: h:1\r\n"
        "Cookie: c=1; d=2\r\nX-Multi: one\r\nUser-Agent: test \xff\"\r\n"
        "x-multi:two\r\ncookie: e=3\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        "Content-Length: 11\r\n\r\n{\"a\":\"\xc3\xa9\"\n}";
    static const struct {
        const char *type, *body, *pattern;
    } bodies[] = {
        {"Content-Type: text/csv\r\n", "a", "~\"body\":\"a\",~:false,~"},
        {"Content-Type: Application/XML\r\n", "a", "~\"body\":\"a\",~"},
        {"Content-Type: application/javascript;x\r\n", "a",
         "~\"body\":\"a\",~"},
        {"Content-Type: application/octet-stream\r\n", "a",
         "~\"body\":\"YQ==\",~:true,~"},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "ab",
         "~\"body\":\"YWI=\",~:true,~"},
        {"", "abc", "~\"body\":\"YWJj\",~:true,~"},
        {"Content-Type: text/plain\r\n", "\xff\xfe", "~\"//4=\",~:true,~"},
        {"Content-Type: text/plain\r\n", "\x01\x7f", "~\"\\u0001\\u007f\",~"},
    };
    static const char chunked[] =
        "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n" CHUNKED
        "\r\n2;x=y\r\nab\r\n0003\r\ncde\r\n0\r\nX-T: 1\r\n\r\n";
    struct message m;

    ask(l, &m, full, sizeof full - 1);
    check("the whole event", is_like(m.body.data, event_pattern), m.body.data);
    message_free(&m);
    get(l, &m, "/echo");
    check("an event without query, cookies, body",
          strstr(m.body.data, "\"cookies\"") == NULL &&
              strstr(m.body.data, "\"queryString") == NULL &&
              strstr(m.body.data, "\"body\"") == NULL,
          m.body.data);
    message_free(&m);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        post(l, &m, "/echo", bodies[i].type, bodies[i].body,
             strlen(bodies[i].body));
        check("the body in the event", is_like(m.body.data, bodies[i].pattern),
              m.body.data);
        message_free(&m);
    }
    ask(l, &m, chunked, sizeof chunked - 1);
    check("a chunked request", is_like(m.body.data, "~\"body\":\"abcde\",~"),
          m.body.data);
    message_free(&m);
}

static void test_answers(struct lambda *l)
{
    static const char head_request[] =
        "HEAD /prelude-good HTTP/1.1\r\nHost: h\r\n\r\n"
        "OPTIONS /words HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char old[] = "GET /words HTTP/1.0\r\n\r\n";
    struct message m;
    struct stream s;

    expect(l, "no prelude", "/words", 200,
           "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: "
           "application/octet-stream\r\nx-amzn-RequestId: "
           "~-~-4~-~-~\r\nTransfer-Encoding: chunked\r\n\r\n",
           "one two three");
    expect(l, "the type of the POST", "/echo", 200,
           "~Content-Type: text/x-plain\r\n~", "{~}");
    expect(l, "an empty body", "/empty", 200, "~", "");
    expect(l, "a prelude", "/prelude-good", 201,
           "HTTP/1.1 201 Created\r\nDate: ~\r\ncontent-type: text/x\r\n"
           "X-A: A\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-B: 1\r\n"
           "X-B: 2\r\nx-amzn-RequestId: ~\r\nTransfer-Encoding: chunked\r\n"
           "\r\n",
           "body");
    get(l, &m, "/prelude-bytes");
    check("a prelude byte by byte, nine NULs",
          m.status == 418 && m.body.size == 2 &&
              memcmp(m.body.data, "\0x", 2) == 0,
          m.head.data);
    message_free(&m);
    expect(l, "a prelude without body", "/prelude-alone", 200,
           "~\r\nx-only: 1\r\n~", "");
    expect(l, "204", "/prelude-204", 204, "HTTP/1.1 204 No Content\r\n~", "");
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT(head_request));
    (void)read_message(&s, &m, true, PATIENCE_MS);
    check("HEAD", m.status == 201, m.head.data);
    message_free(&m);
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("OPTIONS behind it on the same connection",
          m.status == 200 && strcmp(m.body.data, "one two three") == 0,
          m.head.data);
    message_free(&m);
    stream_close(&s);
    ask(l, &m, old, sizeof old - 1);
    check("HTTP/1.0",
          is_like(m.head.data, "~Connection: close\r\n\r\n") &&
              strcmp(m.body.data, "one two three") == 0,
          m.head.data);
    message_free(&m);
}

static void test_failures(struct lambda *l)
{
    static const char *const paths[] = {
        "/prelude-control", "/prelude-short", "/prelude-no-json",
        "/prelude-status",  "/prelude-none",  "/prelude-large",
        "/error",           "/exit7",         "/exit0",
        "/killed",
    };
    struct message m;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect(l, paths[i], paths[i], 502, "HTTP/1.1 502 Bad Gateway\r\n~",
               "Internal Server Error");
    }
    get(l, &m, "/truncated");
    check("truncated: the client can see it",
          m.status == 200 && !m.complete &&
              strcmp(m.body.data, "partnot all") == 0,
          m.body.data);
    message_free(&m);
    get(l, &m, "/trailers");
    check("error trailers: an ordinary end",
          m.status == 200 && m.complete && strcmp(m.body.data, "part") == 0,
          m.body.data);
    message_free(&m);
    check("and a line in the log", logs(l, " Function.Oh: {\"a\":1}\n"),
          l->log.data);
    check("exit status in the log",
          logs(l, "Error: Runtime exited with error: exit status 7"),
          l->log.data);
    check("exit status 0 in the log",
          logs(l, "Error: Runtime exited without providing a reason"),
          l->log.data);
    check("signal in the log",
          logs(l, "Error: Runtime exited with error: signal: killed"),
          l->log.data);
}

static void test_bad_requests(struct lambda *l)
{
    static const struct {
        const char *request;
        int status;
    } bad[] = {
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTQ/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"GET / HTTP/1.1\rHost: h\r\r", 400},
        {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nNo colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nSpace : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
         "Content-Length: 2\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n" CHUNKED "\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\nxyz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\n1\r\nab\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\nffffffffffffffffff\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6291457\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\n600001\r\n", 413},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    };
    struct message m;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes request = {0};

        append(&request, bad[i].request, strlen(bad[i].request));
        if (bad[i].status == 413 && i > 20) {
            while (request.size < 6300000) {
                append(&request, "xxxxxxxxxxxxxxxx", 16);
            }
        }
        ask(l, &m, request.data, request.size);
        check(bad[i].request, m.status == bad[i].status, m.head.data);
        message_free(&m);
        release(&request);
    }
    expect(l, "nothing was harmed", "/words", 200, "~", "one two three");
}

static void test_connections(struct lambda *l)
{
    static const char two[] = "GET /words HTTP/1.1\r\nHost: h\r\n\r\n"
                              "\r\nGET /pid HTTP/1.1\r\nHost: h\r\n\r\n";
    struct message m;
    struct stream s;

    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT(two));
    for (int i = 0; i < 2; i++) {
        (void)read_message(&s, &m, false, PATIENCE_MS);
        check("two requests at once", m.status == 200 && m.complete,
              m.head.data);
        message_free(&m);
    }
    for (size_t i = 0; i < 37; i++) {
        (void)stream_send(&s, two + i, 1);
        pause_ms(1);
    }
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("a request byte by byte", m.status == 200, m.head.data);
    message_free(&m);
    (void)stream_send(&s, TEXT("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: "
                               "100-continue\r\nContent-Length: 2\r\n\r\n"));
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("100 Continue", m.status == 100, m.head.data);
    message_free(&m);
    (void)stream_send(&s, TEXT("ok"));
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("and then the answer",
          m.status == 200 && strstr(m.body.data, "\"b2s=\"") != NULL,
          m.body.data);
    message_free(&m);
    stream_close(&s);
}

/* Bit by bit, unlike the table of the program under test. */
static uint32_t crc_of(const unsigned char *p, size_t size)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < size * 8; i++) {
        uint32_t bit = (uint32_t)(p[i / 8] >> i % 8 & 1) ^ (crc & 1);

        crc = crc >> 1 ^ (bit != 0 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* "PayloadChunk:one |PayloadChunk:two |InvokeComplete:{}|", or what is wrong
 * with the stream. */
static void decode_events(const struct message *m, struct bytes *out)
{
    const unsigned char *p = (const unsigned char *)m->body.data;
    size_t left = m->body.size;

    append(out, "", 0);
    while (left > 0) {
        uint32_t total = left >= 16 ? get32(p) : 0;
        uint32_t headers = left >= 16 ? get32(p + 4) : 0;
        size_t at = 12;

        if (total < 16 || total > left || headers > total - 16 ||
            get32(p + 8) != crc_of(p, 8) ||
            get32(p + total - 4) != crc_of(p, total - 4)) {
            append_format(out, "bad message");
            return;
        }
        while (at < 12 + headers) {
            size_t name = p[at], value = 0;

            value = (size_t)p[at + name + 2] << 8 | p[at + name + 3];
            if (name == 11 && memcmp(p + at + 1, ":event-type", 11) == 0) {
                append(out, p + at + name + 4, value);
            }
            at += name + 4 + value;
        }
        append(out, ":", 1);
        append(out, p + 12 + headers, total - headers - 16);
        append(out, "|", 1);
        p += total;
        left -= total;
    }
}

static void test_stream_route(struct lambda *l)
{
    static const struct {
        const char *deed, *pattern;
    } cases[] = {
        {"words", "PayloadChunk:one |PayloadChunk:two |PayloadChunk:three|"
                  "InvokeComplete:{}|"},
        {"empty", "InvokeComplete:{}|"},
        {"trailers", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                     "\"Function.Oh\",\"ErrorDetails\":\"{\\\"a\\\":1}\"}|"},
        {"no-mode", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                    "\"Function.Oh\",~}|"},
        {"undeclared", "PayloadChunk:part|InvokeComplete:{}|"},
        {"oversized", "PayloadChunk:part|InvokeComplete:{}|"},
        {"truncated", "PayloadChunk:part|PayloadChunk:not all|InvokeComplete:"
                      "{\"ErrorCode\":\"Runtime.TruncatedResponse\",~}|"},
        {"malformed", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                      "\"Runtime.TruncatedResponse\",~}|"},
        {"error", "InvokeComplete:{\"ErrorCode\":\"Function.Bad\","
                  "\"ErrorDetails\":\"{\\\"errorType\\\":\\\"E\\\",~}|"},
        {"exit7", "InvokeComplete:{\"ErrorCode\":\"Runtime.ExitError\","
                  "\"ErrorDetails\":\"~exit status 7\\\"}\"}|"},
        {"exit-after", "PayloadChunk:done|InvokeComplete:{}|"},
        {"buffered", "PayloadChunk:buffered|InvokeComplete:{}|"},
        {"words", "PayloadChunk:one ~InvokeComplete:{}|"},
    };
    struct message m;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes body = {0}, events = {0};

        append_format(&body, "{\"do\":\"%s\"}", cases[i].deed);
        post(l, &m, STREAM, "", body.data, body.size);
        check("the stream route's head",
              is_like(m.head.data,
                      "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: "
                      "application/vnd.amazon.eventstream\r\n"
                      "x-amzn-RequestId: ~\r\nX-Amz-Executed-Version: "
                      "$LATEST\r\nTransfer-Encoding: chunked\r\n\r\n"),
              m.head.data);
        decode_events(&m, &events);
        check(cases[i].deed, is_like(events.data, cases[i].pattern),
              events.data);
        message_free(&m);
        release(&events);
        release(&body);
    }
    check("undeclared trailers are mentioned",
          logs(l, "was not announced in a Trailer field"), l->log.data);
    check("and oversized ones", logs(l, "trailer section of 43"), l->log.data);
}

static void test_invoke_route(struct lambda *l)
{
    static const struct {
        const char *deed, *error, *pattern;
    } cases[] = {
        {"words", NULL, "one two three"},
        {"buffered", NULL, "buffered"},
        {"trailers", "Unhandled", "{\"a\":1}"},
        {"no-mode", NULL, "part"},
        {"error", "Unhandled", "{\"errorType\":\"E\",\"errorMessage\":\"m\"}"},
        {"truncated", "Unhandled",
         "{\"errorType\":\"Runtime.TruncatedResponse\",~}"},
        {"exit7", "Unhandled",
         "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: "
         "~ Error: Runtime exited with error: exit status 7\"}"},
        {"over-limit", "Unhandled",
         "{\"errorMessage\":\"Response payload size exceeded maximum allowed "
         "payload size (6291556 bytes).\",\"errorType\":"
         "\"Function.ResponseSizeTooLarge\"}"},
    };
    struct message m;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes body = {0};
        const char *error;

        append_format(&body, "{\"do\":\"%s\"}", cases[i].deed);
        post(l, &m, INVOKE, "", body.data, body.size);
        error = field(&m, "X-Amz-Function-Error");
        check(cases[i].deed,
              m.status == 200 && (error == NULL) == (cases[i].error == NULL) &&
                  (error == NULL || strcmp(error, cases[i].error) == 0),
              m.head.data);
        check(cases[i].deed, is_like(m.body.data, cases[i].pattern),
              m.body.data);
        message_free(&m);
        release(&body);
    }
    check("the runtime gets 413", logs(l, "sent, and got 413"), l->log.data);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"limit\"}"));
    check("a response of the largest size",
          m.status == 200 && m.body.size == LIMIT &&
              field(&m, "X-Amz-Function-Error") == NULL,
          m.head.data);
    message_free(&m);
}

static void test_invoke_requests(struct lambda *l)
{
    struct message m;
    char *large = calloc(1, 7000000);

    post(l, &m, INVOKE, "X-Amz-Invocation-Type: Event\r\n",
         TEXT("{\"do\":\"words\"}"));
    check("an asynchronous event", m.status == 202 && m.body.size == 0,
          m.head.data);
    message_free(&m);
    post(l, &m, INVOKE, "X-Amz-Invocation-Type: DryRun\r\n", TEXT("{}"));
    check("a dry run", m.status == 204, m.head.data);
    message_free(&m);
    post(l, &m, INVOKE, "", "", 0);
    check("no payload is {}", strcmp(m.body.data, "{}") == 0, m.body.data);
    message_free(&m);
    post(l, &m, STREAM, "", TEXT("{\"a\":[1,,2]}"));
    check("a payload that is not JSON",
          m.status == 400 &&
              is_like(m.head.data, "~x-amzn-ErrorType: "
                                   "InvalidRequestContentException\r\n~") &&
              is_like(m.body.data, "{\"Type\":\"User\",\"Message\":\"~\"}"),
          m.head.data);
    message_free(&m);
    memset(large, '1', 7000000);
    post(l, &m, INVOKE, "", large, 6291457);
    check("a payload that is too large",
          m.status == 413 &&
              is_like(m.head.data,
                      "~x-amzn-ErrorType: RequestTooLargeException\r\n~"),
          m.head.data);
    message_free(&m);
    large[0] = large[6291455] = '"';
    post(l, &m, INVOKE, "", large, 6291456);
    check("and the largest one",
          m.status == 200 && m.body.size == 6291456 &&
              memcmp(m.body.data, large, 6291456) == 0,
          m.head.data);
    message_free(&m);
    free(large);
    post(l, &m,
         "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3A"
         "function%3Ag/invocations?Qualifier=live",
         "X-Amz-Client-Context: eyJhIjoxfQ==\r\nX-Amz-Tenant-Id: t1\r\n"
         "X-Amzn-Trace-Id: Root=1-2-3\r\n",
         TEXT("{\"do\":\"head\"}"));
    check("headers of the event",
          is_like(m.body.data,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  "Lambda-Runtime-Aws-Request-Id: ~\r\n"
                  "Lambda-Runtime-Client-Context: {\"a\":1}\r\n"
                  "Lambda-Runtime-Deadline-Ms: ~\r\n"
                  "Lambda-Runtime-Invocation-Id: ~\r\n"
                  "Lambda-Runtime-Invoked-Function-Arn: "
                  "arn:aws:lambda:eu-west-1:1:function:g:live\r\n"
                  "Lambda-Runtime-Aws-Tenant-Id: t1\r\n"
                  "Lambda-Runtime-Trace-Id: Root=1-2-3\r\nDate: ~ GMT\r\n"
                  "Content-Length: 13\r\n\r\n"),
          m.body.data);
    message_free(&m);
}

static void test_event_framing(struct lambda *l)
{
    struct bytes body = {0};
    struct message m;

    append_format(&body, "{\"do\":\"head\",\"x\":\"");
    while (body.size < 2046) {
        append(&body, "x", 1);
    }
    append(&body, "\"}", 2);
    post(l, &m, INVOKE, "", body.data, body.size);
    check("2,048 bytes: Content-Length",
          strstr(m.body.data, "Content-Length: 2048\r\n") != NULL, m.body.data);
    message_free(&m);
    append(&body, " ", 1);
    post(l, &m, INVOKE, "", body.data, body.size);
    check("2,049 bytes: chunked",
          strstr(m.body.data, "Transfer-Encoding: chunked\r\n") != NULL &&
              strstr(m.body.data, "Content-Length") == NULL,
          m.body.data);
    message_free(&m);
    release(&body);
}

#define JSON_REPLY "Content-Type: application/json\r\nContent-Length: "
#define INVALID_ID                                            \
    "HTTP/1.1 400 Bad Request\r\n" JSON_REPLY "69\r\n\r\n"    \
    "{\"errorMessage\":\"Invalid request ID\",\"errorType\":" \
    "\"InvalidRequestID\"}\n"

static const char replies_pattern[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong"
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 19\r\n\r\n404 page not found\n"
    "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n" INVALID_ID
        INVALID_ID "HTTP/1.1 403 Forbidden\r\n" JSON_REPLY "158\r\n\r\n"
    "{\"errorMessage\":\"State transition from Running to InitError failed for "
    "runtime. Error: State transition is not allowed\",\"errorType\":"
    "\"InvalidStateTransition\"}\n"
    "HTTP/1.1 410 Gone\r\n" JSON_REPLY "62\r\n\r\n"
    "{\"errorMessage\":\"Invoke timeout\",\"errorType\":\"InvokeTimeout\"}\n"
    "again: the same\n";

static void test_runtime_api(struct lambda *l)
{
    struct message m;

    post(l, &m, INVOKE, "", TEXT("{\"do\":\"replies\"}"));
    check("replies of the state machine", is_like(m.body.data, replies_pattern),
          m.body.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"during\"}"));
    check("replies during a response",
          is_like(m.body.data,
                  "begun\nHTTP/1.1 403 Forbidden\r\n~State transition from "
                  "InvocationResponse to Ready failed for runtime. Error: "
                  "State transition is not allowed~HTTP/1.1 403 "
                  "Forbidden\r\n~from InvocationResponse to "
                  "InvocationErrorResponse failed~"),
          m.body.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"twice\"}"));
    check("the first of two responses", strcmp(m.body.data, "once") == 0,
          m.body.data);
    check("the second one", logs(l, "second response: forbidden"), l->log.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"mode\"}"));
    check("a wrong response mode",
          logs(l, "replies: HTTP/1.1 400 Bad Request||Content-Type: "
                  "application/json||Content-Length: 92||||{\"errorMessage\":"
                  "\"Invalid function response mode\",\"errorType\":"
                  "\"InvalidFunctionResponseMode\"}|HTTP/1.1 403 "
                  "Forbidden||"),
          l->log.data);
    check("is an error", field(&m, "X-Amz-Function-Error") != NULL,
          m.head.data);
    message_free(&m);
}

static void test_environment(struct lambda *l)
{
    static const char *const lines[] = {
        "\n_HANDLER=",
        "\nAWS_REGION=us-east-1\n",
        "\nAWS_LAMBDA_FUNCTION_NAME=function\n",
        "\nAWS_LAMBDA_FUNCTION_VERSION=$LATEST\n",
        "\nAWS_LAMBDA_FUNCTION_MEMORY_SIZE=",
        "\nAWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n",
        "\nLAMBDA_TASK_ROOT=/",
        "\nTZ=:LOCAL\n",
        "\nADDED=a=b\n",
        "\nPATH=",
    };
    struct message m;

    get(l, &m, "/environment");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        check(lines[i] + 1, strstr(m.body.data, lines[i]) != NULL, m.body.data);
    }
    check("ours is not inherited",
          strstr(m.body.data, "\nNOT_FOR_CHILDREN=") == NULL &&
              strstr(m.body.data, "\nTZ=:UTC\n") == NULL,
          m.body.data);
    message_free(&m);
}

static char gate[64];

static void open_gate(void)
{
    close(open(gate, O_CREAT | O_WRONLY, 0600));
}

/* The runtime goes on only when the client has its first chunk. */
static void test_forwarding(struct lambda *l, const char *path,
                            const char *first, const char *last)
{
    struct bytes request = {0};
    struct stream s;

    (void)unlink(gate);
    append_format(&request,
                  "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n"
                  "{\"do\":\"gate\"}",
                  path);
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, request.data, request.size);
    while (!contains(&s.in, first) && stream_more(&s, PATIENCE_MS)) {
    }
    check("the first chunk comes before the second",
          contains(&s.in, first) && !contains(&s.in, "second"), s.in.data);
    open_gate();
    while (!contains(&s.in, last) && stream_more(&s, PATIENCE_MS)) {
    }
    check("then the rest", contains(&s.in, last), s.in.data);
    stream_close(&s);
    release(&request);
}

static void test_client_leaves(struct lambda *l)
{
    struct stream s;

    (void)unlink(gate);
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n"));
    while (!contains(&s.in, "first") && stream_more(&s, PATIENCE_MS)) {
    }
    stream_close(&s);
    while (read_log(l, 0)) {
    }
    release(&l->log);
    open_gate();
    check("a client that leaves does not stop the function",
          logs(l, " Bytes: 11 Chunks: 2 ") && logs(l, "MB\n"), l->log.data);
    check("nor is it an error", !contains(&l->log, "Status:"), l->log.data);
    /* More than any buffer holds, to a client that has gone. */
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT("GET /seven HTTP/1.1\r\nHost: h\r\n\r\n"));
    (void)stream_more(&s, PATIENCE_MS);
    stream_close(&s);
    check("seven MiB to nobody", logs(l, "sent, and got 202"), l->log.data);
}

static int count_descriptors(pid_t pid)
{
    char path[64];
    int count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    directory = opendir(path);
    if (directory == NULL) {
        return -1;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void test_serving(void)
{
    struct lambda l;
    int before, after = -2;

    (void)setenv("NOT_FOR_CHILDREN", "1", 1);
    start(&l, "good", PORTS, "--env", "TZ=:LOCAL", "--env=ADDED=a=b", "--env",
          "GATE", END);
    if (!is_up(&l)) {
        discard_lambda(&l);
        return;
    }
    expect(&l, "warm up", "/words", 200, "~", "one two three");
    pause_ms(200); /* until the connection above is closed on both sides */
    before = count_descriptors(l.pid);
    test_events(&l);
    test_answers(&l);
    test_failures(&l);
    test_bad_requests(&l);
    test_connections(&l);
    test_stream_route(&l);
    test_invoke_route(&l);
    test_invoke_requests(&l);
    test_event_framing(&l);
    test_runtime_api(&l);
    test_environment(&l);
    test_forwarding(&l, "/gate", "\r\nfirst\r\n", "\r\n0\r\n\r\n");
    test_forwarding(&l, STREAM, "first", "InvokeComplete");
    test_client_leaves(&l);
    expect(&l, "and at last", "/words", 200, "~", "one two three");
    /* Connections that are being closed may take a moment. */
    for (int i = 0; i < 300 && after != before; i++) {
        pause_ms(10);
        after = count_descriptors(l.pid);
    }
    if (before < 0) {
        skipped++;
    } else {
        check("no descriptor is left", after == before, "");
    }
    stop(&l);
}

static void test_timeouts(void)
{
    struct lambda l;
    struct message m;
    struct bytes events = {0};

    start(&l, "good", PORTS, "--timeout", "1", END);
    if (is_up(&l)) {
        int64_t began = now_ms();

        post(&l, &m, INVOKE, "", TEXT("{\"do\":\"hang-silent\"}"));
        check("a time-out of Invoke",
              is_like(m.body.data,
                      "{\"errorType\":\"Sandbox.Timeout\",\"errorMessage\":"
                      "\"RequestId: ~ Error: Task timed out after 1.00 "
                      "seconds\"}"),
              m.body.data);
        check("not before its time", now_ms() - began >= 1000, "");
        message_free(&m);
        post(&l, &m, STREAM, "", TEXT("{\"do\":\"hang\"}"));
        decode_events(&m, &events);
        check("a time-out in mid-stream",
              is_like(events.data, "PayloadChunk:part|InvokeComplete:"
                                   "{\"ErrorCode\":\"Sandbox.Timeout\",~}|"),
              events.data);
        message_free(&m);
        expect(&l, "a new process afterwards", "/words", 200, "~",
               "one two three");
        check("the log says so", logs(&l, "Status: timeout"), l.log.data);
        stop(&l);
    }
    release(&events);
}

static void test_bad_starts(void)
{
    struct lambda l;
    struct message m;

    start(&l, "init-error", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 2; i++) {
            post(&l, &m, INVOKE, "", TEXT("{}"));
            check("an error of the initialisation",
                  strcmp(m.body.data,
                         "{\"errorType\":\"I\",\"errorMessage\":\"i\"}") == 0,
                  m.body.data);
            message_free(&m);
        }
        check("no event after it", logs(&l, "after init/error: forbidden"),
              l.log.data);
        stop(&l);
    }
    start(&l, "exit", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 2; i++) {
            post(&l, &m, INVOKE, "", TEXT("{}"));
            check("an exit before the first event",
                  is_like(m.body.data, "{\"errorType\":\"Runtime.ExitError\"~"
                                       "exit status 4\"}"),
                  m.body.data);
            message_free(&m);
        }
        stop(&l);
    }
    start(&l, "reconnect", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 3; i++) {
            expect(&l, "a connection for each request", "/words", 200, "~",
                   "one two three");
        }
        stop(&l);
    }
}

static void test_concurrency(void)
{
    struct stream clients[6];
    struct lambda l;
    struct message m;
    unsigned begun = 0, complete = 0;

    (void)unlink(gate);
    start(&l, "good", PORTS, "--concurrency", "4", "--env", "GATE", END);
    if (!is_up(&l)) {
        return;
    }
    for (int i = 0; i < 6; i++) {
        stream_open(&clients[i], "127.0.0.1", l.port);
        (void)stream_send(&clients[i],
                          TEXT("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    /* Four run at once, and all of them are waiting at the gate. */
    for (int64_t end = now_ms() + PATIENCE_MS; begun < 4 && now_ms() < end;) {
        begun = 0;
        for (int i = 0; i < 6; i++) {
            (void)stream_more(&clients[i], 5);
            begun += clients[i].in.size > 0;
        }
    }
    check("four at once", begun == 4, "");
    open_gate();
    for (int i = 0; i < 6; i++) {
        complete += read_message(&clients[i], &m, false, PATIENCE_MS) &&
                    m.complete && strcmp(m.body.data, "firstsecond") == 0;
        message_free(&m);
        stream_close(&clients[i]);
    }
    check("six in all", complete == 6, "");
    stop(&l);
}

static void test_limits(void)
{
    struct lambda l;
    struct message m;
    int64_t began;

    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        get(&l, &m, "/huge");
        check("a stream ends at 200 MiB",
              m.status == 200 && !m.complete && m.body.size == 209715200,
              m.head.data);
        message_free(&m);
        check("with its error",
              logs(&l, "Function.ResponseSizeTooLarge") &&
                  logs(&l, "sent, and got 413"),
              l.log.data);
        stop(&l);
    }
    start(&l, "good", PORTS, "--throttle", END);
    if (is_up(&l)) {
        began = now_ms();
        get(&l, &m, "/seven");
        check("six MiB at once, then two a second",
              m.body.size == 7u << 20 && now_ms() - began >= 300, "");
        message_free(&m);
        stop(&l);
    }
}

static bool is_gone(long pid)
{
    for (int i = 0; i < 200; i++) {
        if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            return true;
        }
        pause_ms(10);
    }
    return false;
}

static void test_signals(void)
{
    static const struct {
        int number, status;
    } cases[] = {{SIGTERM, 143}, {SIGINT, 130}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lambda l;
        struct message m;
        struct stream s;
        int64_t began;
        long pid;

        start(&l, "good", PORTS, END);
        if (!is_up(&l)) {
            continue;
        }
        get(&l, &m, "/pid");
        pid = strtol(m.body.data, NULL, 10);
        message_free(&m);
        stream_open(&s, "127.0.0.1", l.port);
        (void)stream_send(&s, TEXT("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n"));
        (void)stream_more(&s, PATIENCE_MS);
        began = now_ms();
        (void)kill(l.pid, cases[i].number);
        check("a signal ends it", await_end(&l) == cases[i].status, l.log.data);
        check("within a second", now_ms() - began < 1000, "");
        check("and its runtime", pid > 0 && is_gone(pid), "");
        stream_close(&s);
        discard_lambda(&l);
    }
}

static void read_output(struct lambda *l, struct bytes *out)
{
    char piece[4096];
    ssize_t n;

    append(out, "", 0);
    while ((n = read(l->out_fd, piece, sizeof piece)) > 0) {
        append(out, piece, (size_t)n);
    }
}

static void test_direct(void)
{
    static const struct {
        const char *event, *output, *log;
        int status;
    } cases[] = {
        {"{\"do\":\"words\"}", "one two three", "REPORT RequestId: ", 0},
        {"{\"do\":\"trailers\"}", "part", "Function.Oh: {\"a\":1}", 1},
        {"{\"do\":\"error\"}", "", "Function.Bad: {\"errorType\":\"E\"", 1},
        {"{\"do\":\"exit7\"}", "", "exit status 7", 1},
        {"@/dev/null", "", "is not JSON", 2},
        {"{\"do\"", "", "EVENT is not JSON", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes out = {0};
        struct lambda l;

        start(&l, "good", "--invoke", cases[i].event, END);
        read_output(&l, &out);
        check(cases[i].event, await_end(&l) == cases[i].status, l.log.data);
        check(cases[i].event, strcmp(out.data, cases[i].output) == 0, out.data);
        check(cases[i].event, strstr(l.log.data, cases[i].log) != NULL,
              l.log.data);
        release(&out);
        discard_lambda(&l);
    }
}

static void test_direct_forwarding(void)
{
    struct bytes out = {0};
    struct lambda l;
    char piece[16];
    ssize_t n;

    (void)unlink(gate);
    start(&l, "good", "--env", "GATE", "--invoke", "{\"do\":\"gate\"}", END);
    n = read(l.out_fd, piece, sizeof piece);
    check("--invoke: each chunk at once",
          n == 5 && memcmp(piece, "first", 5) == 0, "");
    open_gate();
    read_output(&l, &out);
    check("--invoke: and the rest", strcmp(out.data, "second") == 0, out.data);
    check("--invoke: exit status", await_end(&l) == 0, l.log.data);
    release(&out);
    discard_lambda(&l);
}

static void expect_usage(const char *name, const char *option,
                         const char *value, int status, const char *log)
{
    struct bytes out = {0};
    struct lambda l;

    start(&l, "good", option, value, END);
    read_output(&l, &out);
    check(name, await_end(&l) == status, l.log.data);
    check(name, is_like(status == 0 ? out.data : l.log.data, log),
          status == 0 ? out.data : l.log.data);
    release(&out);
    discard_lambda(&l);
}

static void test_command_line(void)
{
    struct lambda l, second;
    char port[32];

    expect_usage("--help", "--help", NULL, 0, "usage: ~--wire~");
    expect_usage("--version", "--version", NULL, 0, "lambda ~.~.~\n");
    expect_usage("a wrong port", "--port", "70000", 2,
                 "lambda: --port must be ~\"70000\"\nusage: ~");
    expect_usage("a wrong time limit", "--timeout=0", NULL, 2,
                 "lambda: --timeout must be ~\nusage: ~");
    expect_usage("an unknown option", "--what", NULL, 2,
                 "lambda: there is no option \"--what\"\nusage: ~");
    expect_usage("a missing value", "--env", NULL, 2, "lambda: ~\nusage: ~");
    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        (void)snprintf(port, sizeof port, "%u", l.port);
        start(&second, "good", "--port", port, "--runtime-api=127.0.0.1:0",
              END);
        check("a busy port", await_end(&second) == 1, second.log.data);
        check("a busy port: one line",
              is_like(second.log.data, "lambda: cannot listen on ~: ~\n") &&
                  strchr(second.log.data, '\n')[1] == '\0',
              second.log.data);
        discard_lambda(&second);
        (void)snprintf(port, sizeof port, "127.0.0.1:%u", l.api_port);
        start(&second, "good", "--port", "0", "--runtime-api", port, END);
        check("a busy port for the Runtime API", await_end(&second) == 1,
              second.log.data);
        discard_lambda(&second);
        stop(&l);
    }
}

static void test_wire(void)
{
    static const char *const rows[] = {
        (" > GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n ~"
         " request line, RFC 9112 §3\n"),
        " < HTTP/1.1 200 OK\\r\\n ~ status line, RFC 9112 §4\n",
        " < {\"do\":\"trailers\"} ~ message body, RFC 9112 §6\n",
        " > Transfer-Encoding: chunked\\r\\n ~ RFC 9112 §6.1\n",
        " > 4\\r\\n ~ chunk size: 4, RFC 9112 §7.1\n",
        " > part ~ chunk data, RFC 9112 §7.1\n",
        " > \\r\\n ~ end of the chunk\n",
        " > 0\\r\\n ~ last chunk, RFC 9112 §7.1\n",
        (" > " TYPE_T ": Function.Oh\\r\\n ~ trailer; Lambda: ~\n"),
        " > \\r\\n ~ end of the chunked body, RFC 9112 §7.1\n",
        " < HTTP/1.1 202 Accepted\\r\\n ~",
        " < {\"status\":\"OK\"}\\n ~",
    };
    struct bytes out = {0};
    struct lambda l;
    const char *at;

    start(&l, "good", "--wire", "--invoke", "{\"do\":\"trailers\"}", END);
    read_output(&l, &out);
    (void)await_end(&l);
    at = l.log.data;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char pattern[256];
        bool found = false;

        while (!found && at != NULL && *at != '\0') {
            const char *end = strchr(at, '\n');
            size_t size = end == NULL ? strlen(at) : (size_t)(end - at) + 1;
            char *line = strndup(at, size);

            (void)snprintf(pattern, sizeof pattern, "~%s", rows[i]);
            found = is_like(line, pattern);
            free(line);
            at += size;
        }
        check(rows[i], found, l.log.data);
    }
    check("no colour where there is no terminal",
          strchr(l.log.data, '\033') == NULL, "");
    release(&out);
    discard_lambda(&l);
}

int main(int argc, char **argv)
{
    char path[4096];

    if (argc == 3 && strcmp(argv[1], "--runtime") == 0) {
        return be_runtime(argv[2]);
    }
    if (argc != 2) {
        (void)fprintf(stderr, "usage: lambda_test PATH-OF-LAMBDA\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    self = realpath(argv[0], path);
    lambda_path = argv[1];
    (void)snprintf(gate, sizeof gate, "/tmp/lambda-test-gate-%ld",
                   (long)getpid());
    (void)setenv("GATE", gate, 1);
    test_command_line();
    test_serving();
    test_timeouts();
    test_bad_starts();
    test_concurrency();
    test_limits();
    test_signals();
    test_direct();
    test_direct_forwarding();
    test_wire();
    (void)unlink(gate);
    (void)printf("%u passed, %u failed", passed, failed);
    if (skipped > 0) {
        (void)printf(", %u skipped", skipped);
    }
    (void)printf("\n");
    return failed == 0 ? 0 : 1;
}
