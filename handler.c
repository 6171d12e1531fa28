/*
 * handler.c - the word streamer: a sentence, a word at a time
 *
 * Read it from the end: handler_invoke() is the whole story. A handler of your
 * own is a file with the same functions and text, built with
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

/* The members that count, of an event, of its query or of its body. */
enum { DELAY, FORMAT, SENTENCE, CONTEXT, QUERY, BODY, BASE64, MEMBERS };

static const char member_names[] =
    "delay\0format\0sentence\0"
    "requestContext\0queryStringParameters\0body\0isBase64Encoded\0";

const char handler_options[] =
    "Options of this handler; they count over the event:\n"
    "  --delay S       seconds between words, 0 to 900\n"
    "  --format F      json, text or sse\n"
    "  --sentence S    the words\n";

/* What the options give. The type of what they do not is 0. */
static struct json_token given[MEMBERS];

/* Without escapes: decoding in place leaves it as it is. */
static char defaults[] =
    "{\"delay\":0.5,\"format\":\"json\","
    "\"sentence\":\"Hello this is a streaming Lambda function response\"}";

struct job {
    struct http_text *text; /* of the response */
    int http;               /* the event is an HTTP request */
    int format;
    long word_count;
    int64_t start_ns; /* word n is due at start + n * delay */
    int64_t delay_ns;
    int64_t limit_ns; /* no word leaves after it */
    long at; /* where an object that was looked through ends, or fails */
    struct json_token found[MEMBERS];
};

/* Parameters */

/* Decodes a string where it stands. */
static void decode(struct json_token *string)
{
    string->length = json_decode(string, string->text);
}

/* Which of the names, each with a NUL behind it, a decoded string is; their
 * number when it is none of them. */
static int which(const struct json_token *string, const char *names)
{
    size_t n;
    int i = 0;

    for (; (n = strlen(names)) > 0; names += n + 1, i++)
        if (n == string->length && memcmp(names, string->text, n) == 0)
            break;
    return i;
}

/* Finds those members in a JSON object that no option gives. Of one that is
 * there twice the last counts, and over what was found before. Strings are
 * decoded where they stand, which the reader has passed; an object inside is
 * left as it is. 0, or an error. */
static int find(struct job *j, char *text, size_t length)
{
    struct json_token name, value;
    struct json_reader r;
    int rc = json_object(&r, text, length), i;

    while (rc == 0 && (rc = json_member(&r, &name, &value)) > 0) {
        decode(&name);
        i = which(&name, member_names);
        if (i < MEMBERS && given[i].type == 0) {
            if (value.type == JSON_STRING)
                decode(&value);
            j->found[i] = value;
        }
        rc = 0;
    }
    j->at = r.at - text;
    return rc;
}

static void find_defaults(struct job *j)
{
    (void)find(j, defaults, sizeof defaults - 1);
}

static int absent(const struct json_token *value)
{
    return value->type == JSON_NULL || value->type == 0;
}

/* The parameters of an HTTP request: those of its query, in which each value
 * is a string, and over them those of its body. NULL, or what was wrong. */
static const char *find_in_request(struct job *j)
{
    struct json_token query = j->found[QUERY], body = j->found[BODY];
    int base64 = j->found[BASE64].type == JSON_TRUE;
    int *delay = &j->found[DELAY].type;
    int64_t n;

    find_defaults(j);
    *delay = JSON_STRING; /* as in a query, where a number is a string */
    if (query.type == JSON_OBJECT)
        (void)find(j, query.text, query.length);
    else if (!absent(&query))
        return "queryStringParameters must be an object";
    *delay = *delay == JSON_STRING ? JSON_NUMBER : JSON_NULL;
    if (absent(&body))
        return NULL;
    if (body.type != JSON_STRING)
        return "body must be a string";
    if (base64) {
        n = http_base64_decode(body.text, body.text, body.length);
        if (n < 0)
            return "body must be valid base64";
        body.length = (size_t)n;
    }
    if (body.length > 0 && find(j, body.text, body.length) < 0)
        return "body must be a JSON object";
    return NULL;
}

/* Checks the parameters. NULL, or what was wrong. */
static const char *accept(struct job *j)
{
    const struct json_token *found = j->found;

    if (found[DELAY].type != JSON_NUMBER ||
        json_decimal(&found[DELAY], 9, &j->delay_ns) < 0 || j->delay_ns < 0 ||
        j->delay_ns > DELAY_MAX_NS)
        return "delay must be a number from 0 to 900";
    /* Nothing but a string is spelled so. */
    j->format = which(&found[FORMAT], "json\0text\0sse\0");
    if (j->format > SSE)
        return "format must be \"json\", \"text\" or \"sse\"";
    if (found[SENTENCE].type != JSON_STRING)
        return "sentence must be a string";
    return NULL;
}

/* Words */

/* White space as Python's str.split() sees it. */
static int is_space(uint32_t c)
{
    static const uint16_t ranges[][2] = {
        {0x09, 0x0d},     {0x1c, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
        {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
        {0x205f, 0x205f}, {0x3000, 0x3000}};

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return 1;
    return 0;
}

/* Cuts the next word off the rest of the sentence; its length, 0 at the end. */
static size_t next_word(struct json_token *rest, const char **word)
{
    size_t n, length = 0;
    uint32_t c;

    while (rest->length > 0) {
        n = json_utf8(rest->text, rest->length, &c);
        if (!is_space(c))
            length += n;
        else if (length > 0)
            break;
        rest->text += n;
        rest->length -= n;
    }
    *word = rest->text - length;
    return length;
}

/* Time */

static int64_t now_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void start_clock(struct job *j, const struct invocation *in)
{
    int64_t left_ms = http_time_left_ms(in);

    j->start_ns = now_ns();
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
    int64_t due = j->start_ns + n * j->delay_ns, now = now_ns(), late;
    int slept = 0;

    if (due > j->limit_ns || now > j->limit_ns)
        return 1;
    for (; now < due; slept = 1) {
        struct timespec t = {(due - now) / SECOND_NS, (due - now) % SECOND_NS};

        (void)nanosleep(&t, NULL);
        now = now_ns();
    }
    late = now - due;
    if (late > j->delay_ns && late > MARGIN_NS)
        j->start_ns += late;
    return slept ? http_look(j->text->stream) : 0;
}

/* Lines, each a chunk */

/* A line begins with {"kind":"name" and ends with its time. */
static void begin_line(struct job *j, const char *kind, const char *name)
{
    if (j->format == SSE)
        http_format(j->text, "event: %s\ndata: ", name);
    http_format(j->text, "{\"%s\":\"%s\"", kind, name);
}

static void put_member(struct job *j, const char *name, const char *text,
                       size_t length)
{
    char escaped[512];
    size_t n, taken;

    http_format(j->text, ",\"%s\":\"", name);
    for (; length > 0; text += taken, length -= taken) {
        n = json_escape(escaped, sizeof escaped, text, length, &taken);
        http_append(j->text, escaped, n);
    }
    http_append(j->text, "\"", 1);
}

static void end_line(struct job *j)
{
    struct timespec t = {0, 0};
    long hundredths;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    hundredths = t.tv_nsec / (long)(SECOND_NS / 100);
    http_format(j->text, ",\"timestamp\":%ld.%ld%ld}\n%s", (long)t.tv_sec,
                hundredths / 10, hundredths % 10, j->format == SSE ? "\n" : "");
}

static void put_word(struct job *j, long n, const char *word, size_t length)
{
    if (j->format == TEXT) {
        http_append(j->text, " ", n > 0);
        http_append(j->text, word, length);
        return;
    }
    begin_line(j, "type", "word");
    put_member(j, "data", word, length);
    http_format(j->text, ",\"sequence\":%ld,\"total\":%ld", n + 1,
                j->word_count);
    end_line(j);
}

/* The last line. It is not flushed: it leaves with the end of the response. */
static void put_end(struct job *j, long sent, const char *error)
{
    if (j->format == TEXT) {
        http_append(j->text, "\n", 1);
        return;
    }
    begin_line(j, "status", error ? "error" : "complete");
    if (error)
        put_member(j, "error", error, strlen(error));
    http_format(j->text, ",\"word_count\":%ld", sent);
    end_line(j);
}

static int stream_words(struct job *j, const struct invocation *in)
{
    static const char late[] = "the deadline came before the last word";
    struct http_stream *out = j->text->stream;
    struct json_token rest = j->found[SENTENCE];
    const char *word = NULL;
    size_t length;
    int rc = 0;

    start_clock(j, in);
    while (next_word(&rest, &word) > 0)
        j->word_count++;
    if (j->format != TEXT) {
        begin_line(j, "status", "start");
        http_format(j->text, ",\"request_id\":\"%s\",\"word_count\":%ld",
                    in->request_id, j->word_count);
        end_line(j);
        rc = http_flush(out);
    }
    for (long n = 0; (length = next_word(&j->found[SENTENCE], &word)) > 0;
         n++) {
        if (rc == 0)
            rc = wait_turn(j, n);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            put_end(j, n, late);
            return http_fail(out, "Function.DeadlineExceeded", late);
        }
        put_word(j, n, word, length);
        rc = http_flush(out);
    }
    put_end(j, j->word_count, NULL);
    return rc;
}

/* Answering */

static void put_head(struct job *j, int status)
{
    struct http_stream *out = j->text->stream;

    if (j->http)
        (void)http_status(out, status);
    (void)http_header(out, "Content-Type",
                      j->format == TEXT  ? "text/plain; charset=utf-8"
                      : j->format == SSE ? "text/event-stream"
                                         : "application/x-ndjson");
    if (j->http)
        (void)http_header(out, "X-Content-Type-Options", "nosniff");
    if (j->http && j->format == SSE)
        (void)http_header(out, "Cache-Control", "no-cache");
}

static int refuse(struct job *j, const char *error)
{
    if (!j->http)
        return http_fail(j->text->stream, "Function.InvalidEvent", error);
    j->format = JSON;
    put_head(j, 400);
    begin_line(j, "status", "error");
    put_member(j, "error", error, strlen(error));
    http_append(j->text, "}\n", 2);
    return 0;
}

static int refuse_event(struct job *j, int rc)
{
    char bytes[64];
    struct http_text t = {.bytes = bytes, .size = sizeof bytes};

    if (rc == JSON_TYPE)
        http_format(&t, "event must be a JSON object");
    else
        http_format(&t, "event is %s at byte %ld",
                    rc == JSON_DEPTH ? "nested too deep" : "not valid JSON",
                    j->at);
    return refuse(j, bytes);
}

static void begin(struct job *j, struct http_stream *out)
{
    memset(j, 0, sizeof *j);
    memcpy(j->found, given, sizeof given);
    j->text = &out->text;
    find_defaults(j);
}

/* Takes the value of an option, which may be none. What is not UTF-8, which the
 * reader of JSON refuses, becomes a question mark for each byte: it fits in. */
static void give(int member, int type, char *value)
{
    struct json_token rest = {type, value, value ? strlen(value) : 0};
    uint32_t c;
    size_t n;

    if (value)
        given[member] = rest;
    for (; rest.length > 0; rest.text += n, rest.length -= n) {
        n = json_utf8(rest.text, rest.length, &c);
        if (n > 0)
            continue;
        *rest.text = '?';
        n = 1;
    }
}

int handler_init(struct http_stream *out, char **options)
{
    const char *wrong;
    struct job j;

    if (!options) /* nothing that can be wrong, and a start is to be short */
        return 0;
    give(DELAY, JSON_NUMBER, http_option(options, "delay"));
    give(FORMAT, JSON_STRING, http_option(options, "format"));
    give(SENTENCE, JSON_STRING, http_option(options, "sentence"));
    begin(&j, out);
    wrong = accept(&j);
    return wrong ? http_fail(out, "Function.InvalidOption", wrong) : 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    const char *wrong = NULL;
    struct job j;
    int rc;

    begin(&j, out);
    rc = find(&j, in->event, in->event_length);
    if (rc < 0)
        return refuse_event(&j, rc);
    j.http = j.found[CONTEXT].type == JSON_OBJECT;
    if (j.http)
        wrong = find_in_request(&j);
    if (!wrong)
        wrong = accept(&j);
    if (wrong)
        return refuse(&j, wrong);
    put_head(&j, 200);
    return stream_words(&j, in);
}
