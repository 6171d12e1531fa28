/* The runtimes that the tests start: each speaks the Runtime API in raw bytes
 * and does what the event tells it to. That stands in "do", or in the path of a
 * Function URL request. A runtime that makes mistakes puts the replies to them
 * into its response, so that the test can compare them. */
#define _DEFAULT_SOURCE
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

    append(&b, "\n", 1);
    for (char **e = environ; *e != NULL; e++) {
        append_format(&b, "%s\n", *e);
    }
    respond(r, b.data, b.size);
    release(&b);
}

static void do_mutter(struct runtime *r)
{
    (void)fprintf(stderr, "without an end");
    do_pid(r);
}

static void do_paint(struct runtime *r)
{
    (void)fprintf(stderr, "a\rb\r\n\033[31mred\033[0m \033]0;title\007 "
                          "\xc2\x9b\x9b\xc3\xa9\n");
    do_pid(r);
}

/* More than any pipe between here and the test has room for. */
static void do_shout(struct runtime *r)
{
    for (int i = 0; i < 20000; i++) {
        (void)fprintf(stderr,
                      "%05d says that nobody listens to what it says, "
                      "and says it again and again\n",
                      i);
    }
    do_pid(r);
}

static void do_odd_path(struct runtime *r)
{
    struct bytes b = {0};

    say(r, "GET /\x9b\xc2\x9b\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(r, &b);
    release(&b);
    do_pid(r);
}

static void do_folder(struct runtime *r)
{
    char folder[4096], text[9000];
    const char *root = getenv("LAMBDA_TASK_ROOT");

    (void)snprintf(text, sizeof text, "%s is %s",
                   getcwd(folder, sizeof folder) == NULL ? "?" : folder, root);
    respond(r, text, strlen(text));
}

static void do_words(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("one "));
    say_chunk(r, TEXT("two "));
    say_chunk(r, TEXT("three"));
    end_response(r);
}

/* The test has a limit on how long it waits for what comes behind. */
static void await_gate(void)
{
    const char *path = getenv("GATE");

    while (path != NULL && access(path, F_OK) != 0) {
        pause_ms(5);
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
    WITH_PRELUDE("prelude-status", "{\"statusCode\":600}" NULS "body"),
    WITH_PRELUDE("prelude-cors",
                 "{\"headers\":{\"Access-Control-Allow-Origin\":\"*\","
                 "\"X-A\":\"a\",\"access-control-max-age\":\"1\"}}" NULS
                 "body"),
    WITH_PRELUDE("prelude-none", "{\"statusCode\":200}"),
    WITH_PRELUDE("prelude-loose",
                 "{\"statusCode\":\"451\",\"headers\":{\"X-N\":-1.5e3,"
                 "\"X-B\":true,\"X-Null\":null,\"X-L\":[1,\"2\",null]},"
                 "\"multiValueHeaders\":{\"X-M\":[false]},"
                 "\"cookies\":[\"a=1\"]}" NULS "body"),
    WITH_PRELUDE("prelude-299", "{\"statusCode\":299}" NULS "body"),
    WITH_PRELUDE("prelude-object", "{\"headers\":{\"X\":{}}}" NULS "body"),
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

static void reconnect(struct runtime *r)
{
    stream_close(&r->api);
    stream_open(&r->api, r->host, r->port);
}

/* Ends a response with a trailer section of that many bytes, its empty line
 * among them, and tells on stderr what it got for it. */
static void end_with_filler(struct runtime *r, size_t size, bool lines)
{
    static const char field[] = "X-Filler: ";
    struct bytes trailers = {0}, reply = {0};

    append_format(&trailers, "%s%s", TRAILERS, field);
    while (trailers.size < size - 4) {
        if (lines && trailers.size % 1000 == 0 && trailers.size < size - 50) {
            append_format(&trailers, "\r\n%s", field);
        }
        append(&trailers, "x", 1);
    }
    append(&trailers, "\r\n\r\n", 4);
    start_response(r, MODE "Trailer: " TYPE_T ", " BODY_T "\r\n");
    say_chunk(r, TEXT("part"));
    say(r, "0\r\n");
    (void)stream_send(&r->api, trailers.data, trailers.size);
    hear(r, &reply);
    (void)fprintf(stderr, "%zu bytes of trailers: %.3s %s\n", size,
                  reply.size > 9 ? reply.data + 9 : "no",
                  strstr(reply.data, "TruncatedHTTPRequest") != NULL
                      ? "truncated"
                      : "taken");
    release(&trailers);
    release(&reply);
    reconnect(r);
}

static void do_trailers_4096(struct runtime *r)
{
    end_with_filler(r, 4096, false);
}

static void do_trailers_4097(struct runtime *r)
{
    end_with_filler(r, 4097, false);
}

static void do_trailer_line(struct runtime *r)
{
    end_with_filler(r, 100000, false);
}

static void do_trailer_lines(struct runtime *r)
{
    end_with_filler(r, 100000, true);
}

/* What AWS's runtime for Node.js sends for a stream that is ended at once. */
static void do_nothing(struct runtime *r)
{
    start_response(r, MODE "Content-Type: " PRELUDE "\r\n");
    end_response(r);
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

/* A child that has left the process group and lives on. */
static void do_setsid(struct runtime *r)
{
    char text[32];
    long survivor = 0;
    int ends[2];

    if (pipe(ends) == 0 && fork() == 0) {
        (void)setsid();
        survivor = fork();
        if (survivor != 0) {
            (void)!write(ends[1], &survivor, sizeof survivor);
            _exit(0);
        }
        /* The end of its output must not be its own. */
        (void)signal(SIGPIPE, SIG_IGN);
        for (;;) {
            (void)fprintf(stderr, "still here\n");
            pause_ms(1);
        }
    }
    (void)!read(ends[0], &survivor, sizeof survivor);
    (void)snprintf(text, sizeof text, "%ld", survivor);
    respond(r, text, strlen(text));
}

static void hang(void)
{
    for (;;) {
        (void)pause();
    }
}

static void do_die(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("part"));
    (void)raise(SIGKILL);
}

static void do_kill_parent(struct runtime *r)
{
    (void)r;
    (void)kill(getppid(), SIGKILL);
    hang();
}

static void tell_reply(struct runtime *r, const char *what)
{
    struct bytes reply = {0};

    hear(r, &reply);
    (void)fprintf(stderr, "%s: %.3s\n", what,
                  reply.size > 9 ? reply.data + 9 : "no");
    release(&reply);
    reconnect(r);
}

static void do_late(struct runtime *r)
{
    await_gate();
    start_response(r, MODE);
    say_chunk(r, TEXT("late"));
    say(r, "0\r\n\r\n");
    tell_reply(r, "late response");
}

static void do_late_stream(struct runtime *r)
{
    start_response(r, MODE);
    say_chunk(r, TEXT("in time"));
    await_gate();
    say_chunk(r, TEXT("late"));
    say(r, "0\r\n\r\n");
    tell_reply(r, "late rest");
}

/* Asks for a second event while it has the first, and answers both. */
static void do_second(struct runtime *r)
{
    struct runtime other = *r;
    const char *id;

    other.api = (struct stream){0};
    reconnect(&other);
    say(&other, "GET " API "/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)fprintf(stderr, "asks again\n");
    (void)read_message(&other.api, &other.next, false, -1);
    id = field(&other.next, "lambda-runtime-aws-request-id");
    (void)snprintf(other.id, sizeof other.id, "%s", id == NULL ? "" : id);
    respond(&other, TEXT("the second one"));
    stream_close(&other.api);
    message_free(&other.next);
    if (strcmp(other.id, r->id) != 0) {
        respond(r, TEXT("another"));
    } else {
        respond(r, TEXT("the same"));
    }
}

/* Takes 400 MB, a little at a time; half of it a child. */
static void do_hoard(struct runtime *r)
{
    enum { PIECE = 1 << 20 };
    static char *volatile kept; /* or the compiler sees that nobody reads it */

    (void)r;
    (void)!fork();
    for (int i = 0; i < 200; i++) {
        kept = malloc(PIECE);
        if (kept != NULL) {
            memset(kept, i + 1, PIECE);
        }
        pause_ms(2);
    }
    hang();
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
    hang();
}

static void do_hang_silent(struct runtime *r)
{
    (void)r;
    hang();
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
        "GET " API "/invocation/next HTTP/1.1\r\nHost: rebound.example\r\n\r\n",
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

/* Answers, in one piece, with what the query string of the URL says. */
static void do_answer(struct runtime *r)
{
    const char *p = strstr(r->next.body.data, "\"rawQueryString\":\"");
    struct bytes text = {0}, reply = {0};

    for (p = p == NULL ? "" : p + 18; *p != '\0' && *p != '"'; p++) {
        char hex[3] = {p[0] == '%' ? p[1] : '\0', p[0] == '%' ? p[2] : '\0'};
        char c = hex[0] == '\0' ? *p : (char)strtol(hex, NULL, 16);

        append(&text, &c, 1);
        p += hex[0] == '\0' ? 0 : 2;
    }
    say(r,
        "POST " API "/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        r->id, text.size);
    (void)stream_send(&r->api, text.data, text.size);
    hear(r, &reply);
    release(&text);
    release(&reply);
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

/* More lines than a page shows of a body. */
static void do_many(struct runtime *r)
{
    start_response(r, MODE);
    for (int i = 0; i < 1100; i++) {
        say_chunk(r, TEXT("x"));
    }
    end_response(r);
}

/* Bytes that a page or a terminal must not take for its own, in each place. */
static void do_hostile(struct runtime *r)
{
    struct runtime other = *r;
    struct bytes b = {0};

    other.api = (struct stream){0};
    reconnect(&other);
    say(&other, "GET /\"><script>alert(1)</script> HTTP/1.1\r\n"
                "X<svg>: '&amp;</summary>\r\n\r\n");
    hear(&other, &b);
    stream_close(&other.api);
    release(&b);
    respond(r, TEXT("<!--<iframe>\0\xff\xc2\x9b"
                    "31m\xe2\x80\xae</pre>"));
}

static const struct {
    const char *name;
    void (*run)(struct runtime *);
} deeds[] = {
    {"many", do_many},
    {"hostile", do_hostile},
    {"echo", do_echo},
    {"head", do_head},
    {"pid", do_pid},
    {"environment", do_environment},
    {"mutter", do_mutter},
    {"paint", do_paint},
    {"shout", do_shout},
    {"odd-path", do_odd_path},
    {"words", do_words},
    {"gate", do_gate},
    {"empty", do_empty},
    {"prelude-bytes", do_prelude_bytes},
    {"prelude-large", do_prelude_large},
    {"trailers", do_trailers},
    {"undeclared", do_undeclared},
    {"no-mode", do_no_mode},
    {"trailers-4096", do_trailers_4096},
    {"trailers-4097", do_trailers_4097},
    {"trailer-line", do_trailer_line},
    {"trailer-lines", do_trailer_lines},
    {"nothing", do_nothing},
    {"truncated", do_truncated},
    {"malformed", do_malformed},
    {"setsid", do_setsid},
    {"folder", do_folder},
    {"die", do_die},
    {"kill-parent", do_kill_parent},
    {"late", do_late},
    {"late-stream", do_late_stream},
    {"second", do_second},
    {"hoard", do_hoard},
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
    {"answer", do_answer},
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
    if (name == NULL && strstr(event, "\",\"path\":\"/") != NULL) {
        name = strstr(event, "\",\"path\":\"/") + 11;
    }
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
    const char *first = getenv("GATE"); /* a file, made by the first */
    struct bytes b = {0};

    if (strcmp(how, "exit") == 0) {
        _exit(4);
    }
    if (strcmp(how, "hang") == 0 ||
        (strcmp(how, "hang-once") == 0 && first && access(first, F_OK) != 0)) {
        if (first) {
            close(open(first, O_CREAT | O_WRONLY, 0600));
        }
        hang();
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

/* As many of us as there may be invocations; the first one only waits. */
static void become_workers(void)
{
    const char *count = getenv("AWS_LAMBDA_MAX_CONCURRENCY");

    for (int n = count == NULL ? 1 : atoi(count); n > 0; n--) {
        if (fork() == 0) {
            return;
        }
    }
    hang();
}

static void on_sigterm(int number)
{
    static const char text[] = "runtime: SIGTERM\n";

    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(0);
}

#define EXTENSION "/2020-01-01/extension"
#define NAMED     "Lambda-Extension-Name: mine\r\n"

/* Registers an extension of the runtime's own, after what is wrong; a child
 * waits for its event. */
static void register_internal(struct runtime *r)
{
    static const struct {
        const char *request, *fields, *body;
    } calls[] = {
        {"GET " EXTENSION "/event/next", "", ""},
        {"POST " EXTENSION "/register", "", "{}"},
        {"POST " EXTENSION "/register", NAMED, "{\"events\":[\"SHUTDOWN\"]}"},
        {"POST " EXTENSION "/register", NAMED, "{\"events\":[\"INVOKE\"]}"},
        {"POST " EXTENSION "/register", NAMED, "{\"events\":[\"INVOKE\"]}"},
        {"GET " EXTENSION "/event/next",
         "Lambda-Extension-Identifier: nobody\r\n", ""},
        {"GET " EXTENSION "/elsewhere", "%s", ""},
    };
    struct bytes replies = {0};
    char id[128] = "";
    struct message m;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        say(r, "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
            calls[i].request,
            strcmp(calls[i].fields, "%s") == 0 ? id : calls[i].fields,
            strlen(calls[i].body), calls[i].body);
        (void)read_message(&r->api, &m, false, -1);
        append_format(&replies, "%d ", m.status);
        if (m.status == 200) {
            (void)snprintf(id, sizeof id, "Lambda-Extension-Identifier: %s\r\n",
                           field(&m, "lambda-extension-identifier"));
        }
        message_free(&m);
    }
    (void)fprintf(stderr, "replies: %s\n", replies.data);
    release(&replies);
    if (fork() != 0) {
        return;
    }
    for (;;) {
        reconnect(r);
        say(r, "GET " EXTENSION "/event/next HTTP/1.1\r\nHost: x\r\n%s\r\n",
            id);
        if (!read_message(&r->api, &m, false, -1)) {
            _exit(0);
        }
        (void)fprintf(stderr, "internal event: %s\n",
                      strstr(m.body.data, "INVOKE") != NULL ? "INVOKE" : "?");
        message_free(&m);
    }
}

int be_runtime(const char *how)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    struct runtime r = {.reconnects = strcmp(how, "reconnect") == 0};

    if (address == NULL ||
        sscanf(address, "%63[^:]:%u", r.host, &r.port) != 2) {
        return 98;
    }
    if (strcmp(how, "workers") == 0) {
        become_workers();
    }
    if (strcmp(how, "idle") == 0) {
        hang();
    }
    if (strcmp(how, "polite") == 0 || strcmp(how, "internal") == 0) {
        (void)signal(SIGTERM, on_sigterm);
    }
    stream_open(&r.api, r.host, r.port);
    if (strcmp(how, "internal") == 0) {
        register_internal(&r);
        reconnect(&r);
    }
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
