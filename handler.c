/*
 * handler.c - the word streamer: a sentence, a word at a time
 *
 * Read it from the end: handler_invoke() is the whole story. A handler of your
 * own is a file with the same two functions, built with
 * `make HANDLER=path/to/mine.c`; the contract is the last section of http.h.
 */
#include "http.h"
#include "json.h"

#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
/* The longest that Lambda lets a function run. */
#define DELAY_MAX_NS (900 * SECOND_NS)
/* What must be left for the last lines when the words have to stop, and what
 * a wake-up may be late before the schedule starts again from it. */
#define MARGIN_NS (SECOND_NS / 10)

enum format { JSON, TEXT, SSE };

struct parameters {
    struct json_token delay;
    struct json_token format;
    struct json_token sentence;
};

struct job {
    struct http_stream *out;
    int format;
    int64_t word_count;
    int64_t start_ns; /* word n is due at start + n * delay */
    int64_t delay_ns;
    int64_t limit_ns; /* no word leaves after it */
};

/* Reading the parameters */

/* Takes what it knows from the members of a JSON object; of the same parameter
 * given twice the last counts. In a query each value is a string. */
static int take_members(struct parameters *p, char *text, size_t length,
                        int query)
{
    struct json_token name, value;
    struct json_reader r;
    int rc = json_object(&r, text, length);

    if (rc < 0)
        return rc;
    while ((rc = json_member(&r, &name, &value)) > 0) {
        if (json_equal(&name, "format"))
            p->format = value;
        if (json_equal(&name, "sentence"))
            p->sentence = value;
        if (json_equal(&name, "delay")) {
            p->delay = value;
            if (query) {
                p->delay.type = value.type == JSON_STRING ? JSON_NUMBER : 0;
                p->delay.length = json_decode(&value, value.text);
            }
        }
    }
    return rc;
}

/* Reads the parameters of an HTTP request: those in its query, and over them
 * those in its body. The body is decoded where it stands, in the event. NULL,
 * or what was wrong. */
static const char *read_request(struct parameters *p, struct json_token *query,
                                struct json_token *body, int base64)
{
    int64_t n = 0;

    if (query->type == JSON_OBJECT)
        (void)take_members(p, query->text, query->length, 1);
    else if (query->type != JSON_NULL)
        return "queryStringParameters must be an object";
    if (body->type == JSON_STRING)
        n = (int64_t)json_decode(body, body->text);
    else if (body->type != JSON_NULL)
        return "body must be a string";
    if (base64)
        n = http_base64_decode(body->text, body->text, (size_t)n);
    if (n < 0)
        return "body must be valid base64";
    if (n > 0 && take_members(p, body->text, (size_t)n, 0) < 0)
        return "body must be a JSON object";
    return NULL;
}

/* Checks the parameters and turns them into a job, whose sentence is decoded
 * in place. NULL, or what was wrong. */
static const char *accept(struct job *j, struct parameters *p)
{
    if (p->delay.type != JSON_NUMBER ||
        json_decimal(&p->delay, 9, &j->delay_ns) < 0 || j->delay_ns < 0 ||
        j->delay_ns > DELAY_MAX_NS)
        return "delay must be a number from 0 to 900";
    if (p->format.type == JSON_STRING && json_equal(&p->format, "json"))
        j->format = JSON;
    else if (p->format.type == JSON_STRING && json_equal(&p->format, "text"))
        j->format = TEXT;
    else if (p->format.type == JSON_STRING && json_equal(&p->format, "sse"))
        j->format = SSE;
    else
        return "format must be \"json\", \"text\" or \"sse\"";
    if (p->sentence.type != JSON_STRING)
        return "sentence must be a string";
    p->sentence.length = json_decode(&p->sentence, p->sentence.text);
    return NULL;
}

/* Words */

/* White space as Python's str.split() sees it. */
static int is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 ||
           c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

/* Cuts the next word off the rest of the sentence; its length, 0 at the end. */
static size_t next_word(struct json_token *rest, const char **word)
{
    size_t n, length = 0;
    uint32_t c;

    while (rest->length > 0) {
        n = json_utf8(rest->text, rest->length, &c);
        if (is_space(c) && length > 0)
            break;
        if (!is_space(c) && length == 0)
            *word = rest->text;
        if (!is_space(c))
            length += n;
        rest->text += n;
        rest->length -= n;
    }
    return length;
}

/* Time */

static int64_t now_ns(clockid_t clock)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void start_clock(struct job *j, const struct invocation *in)
{
    int64_t left_ms = http_time_left_ms(in);

    j->start_ns = now_ns(CLOCK_MONOTONIC);
    j->limit_ns = INT64_MAX;
    /* A deadline that is past on arrival, or further off than 30 years, is
     * none. */
    if (left_ms > 0 && left_ms < 1000 * SECOND_NS)
        j->limit_ns = j->start_ns + left_ms * (SECOND_NS / 1000) - MARGIN_NS;
}

/* Waits until word n is due. 0; 1 when it would leave too late; < 0 when
 * nobody waits for it any more. */
static int wait_turn(struct job *j, int64_t n)
{
    int64_t due = j->start_ns + n * j->delay_ns;
    int64_t now = now_ns(CLOCK_MONOTONIC), late;
    int rc = 0;

    if (due > j->limit_ns || now > j->limit_ns)
        return 1;
    if (now < due) {
        while (now < due) {
            struct timespec t = {(due - now) / SECOND_NS,
                                 (due - now) % SECOND_NS};

            (void)nanosleep(&t, NULL);
            now = now_ns(CLOCK_MONOTONIC);
        }
        rc = http_look(j->out);
    }
    late = now - due;
    if (late > j->delay_ns && late > MARGIN_NS)
        j->start_ns += late;
    return rc;
}

/* Lines, each a chunk: its beginning, perhaps a string, its end */

static void put_string(struct job *j, const char *text, size_t length)
{
    char escaped[512];
    size_t n, taken;

    for (; length > 0; text += taken, length -= taken) {
        n = json_escape(escaped, sizeof escaped, text, length, &taken);
        (void)http_put(j->out, escaped, n);
    }
}

static void begin_line(struct job *j, const char *event, const char *members)
{
    if (j->format == SSE)
        (void)http_print(j->out, "event: %s\ndata: ", event);
    (void)http_print(j->out, "{%s", members);
}

static void end_line(struct job *j)
{
    long centiseconds = (long)(now_ns(CLOCK_REALTIME) / (SECOND_NS / 100));

    (void)http_print(j->out, ",\"timestamp\":%ld.%ld%ld}\n%s",
                     centiseconds / 100, centiseconds / 10 % 10,
                     centiseconds % 10, j->format == SSE ? "\n" : "");
}

static void put_start(struct job *j, const char *request_id)
{
    if (j->format == TEXT)
        return;
    begin_line(j, "start", "\"status\":\"start\"");
    (void)http_print(j->out, ",\"request_id\":\"%s\",\"word_count\":%ld",
                     request_id, (long)j->word_count);
    end_line(j);
}

static void put_word(struct job *j, int64_t n, const char *word, size_t length)
{
    if (j->format == TEXT) {
        (void)http_print(j->out, "%s%.*s", n > 0 ? " " : "", (int)length, word);
        return;
    }
    begin_line(j, "word", "\"type\":\"word\",\"data\":\"");
    put_string(j, word, length);
    (void)http_print(j->out, "\",\"sequence\":%ld,\"total\":%ld", (long)n + 1,
                     (long)j->word_count);
    end_line(j);
}

/* The last line. It is not flushed: it leaves with the end of the response. */
static void put_end(struct job *j, int64_t sent, const char *error)
{
    if (j->format == TEXT) {
        (void)http_put(j->out, "\n", 1);
        return;
    }
    begin_line(j, error ? "error" : "complete",
               error ? "\"status\":\"error\"" : "\"status\":\"complete\"");
    if (error)
        (void)http_print(j->out, ",\"error\":\"%s\"", error);
    (void)http_print(j->out, ",\"word_count\":%ld", (long)sent);
    end_line(j);
}

static int stream_words(struct job *j, const struct invocation *in,
                        struct json_token sentence)
{
    const char *late = "the deadline came before the last word", *word = NULL;
    struct json_token rest = sentence;
    size_t length;
    int rc;

    start_clock(j, in);
    while (next_word(&rest, &word) > 0)
        j->word_count++;
    put_start(j, in->request_id);
    rc = http_flush(j->out);
    for (int64_t n = 0; (length = next_word(&sentence, &word)) > 0; n++) {
        if (rc == 0)
            rc = wait_turn(j, n);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            put_end(j, n, late);
            return http_fail(j->out, "Function.DeadlineExceeded", late);
        }
        put_word(j, n, word, length);
        rc = http_flush(j->out);
    }
    put_end(j, j->word_count, NULL);
    return 0;
}

/* Answering */

static void put_head(struct job *j, int http, int status)
{
    const char *type = j->format == TEXT  ? "text/plain; charset=utf-8"
                       : j->format == SSE ? "text/event-stream"
                                          : "application/x-ndjson";

    if (http)
        (void)http_status(j->out, status);
    (void)http_header(j->out, "Content-Type", type);
    if (http)
        (void)http_header(j->out, "X-Content-Type-Options", "nosniff");
    if (http && j->format == SSE)
        (void)http_header(j->out, "Cache-Control", "no-cache");
}

static int refuse(struct job *j, int http, const char *error)
{
    if (!http)
        return http_fail(j->out, "Function.InvalidEvent", error);
    j->format = JSON;
    put_head(j, http, 400);
    (void)http_print(j->out, "{\"status\":\"error\",\"error\":\"");
    put_string(j, error, strlen(error));
    return http_print(j->out, "\"}\n");
}

static int refuse_text(struct http_stream *out, int rc, size_t at)
{
    char bytes[64];
    struct http_text t = {.bytes = bytes, .size = sizeof bytes};

    if (rc == JSON_TYPE)
        http_format(&t, "event must be a JSON object");
    else
        http_format(&t, "event is %s at byte %ld",
                    rc == JSON_DEPTH ? "nested too deep" : "not valid JSON",
                    (long)at);
    return http_fail(out, "Function.InvalidEvent", bytes);
}

int handler_init(struct http_stream *out)
{
    (void)out; /* nothing to prepare, nothing that can fail */
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    char delay[] = "0.5", format[] = "json";
    char words[] = "Hello this is a streaming Lambda function response";
    struct parameters p = {{JSON_NUMBER, delay, strlen(delay)},
                           {JSON_STRING, format, strlen(format)},
                           {JSON_STRING, words, strlen(words)}};
    struct job j = {.out = out};
    struct json_token name, value;
    struct json_token query = {.type = JSON_NULL}, body = {.type = JSON_NULL};
    struct json_reader r;
    const char *wrong = NULL;
    int http = 0, base64 = 0;
    int rc = json_object(&r, in->event, in->event_length);

    while (rc == 0 && (rc = json_member(&r, &name, &value)) > 0) {
        if (json_equal(&name, "requestContext"))
            http = value.type == JSON_OBJECT;
        if (json_equal(&name, "queryStringParameters"))
            query = value;
        if (json_equal(&name, "body"))
            body = value;
        if (json_equal(&name, "isBase64Encoded"))
            base64 = value.type == JSON_TRUE;
        rc = 0;
    }
    if (rc < 0)
        return refuse_text(out, rc, r.at);
    if (http)
        wrong = read_request(&p, &query, &body, base64);
    else
        (void)take_members(&p, in->event, in->event_length, 0);
    if (!wrong)
        wrong = accept(&j, &p);
    if (wrong)
        return refuse(&j, http, wrong);
    put_head(&j, http, 200);
    return stream_words(&j, in, p.sentence);
}
