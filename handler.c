/*
 * handler.c - the word streamer: a sentence, a word at a time
 *
 * Read it from the end: handler_invoke() is the whole story. test/hello.c and
 * test/greet.c are shorter ones to begin with; http.h is the contract.
 *
 *   Parameters, Words, Time, Lines, Answering
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

enum { JSON, TEXT, SSE, FORMATS };

static const char names[FORMATS][8] = {"json", "text", "sse"};
static const char media_types[FORMATS][40] = {
    "application/x-ndjson", "text/plain; charset=utf-8",
    "text/event-stream; charset=utf-8"};

struct job {
    struct http_stream *out;
    struct http_text *text; /* of the response */
    int http;               /* the event is an HTTP request */
    int format;             /* FORMATS for one that there is not */
    struct json_token rest; /* of the sentence */
    long word_count;
    long sent;        /* words, those of an earlier connection too */
    int64_t delay_ns; /* between words; -1 for one that is no number */
    int64_t now_ns;   /* the monotonic clock when it was last read */
    int64_t wall_ns;  /* added to that, it is the wall clock */
    int64_t due_ns;   /* when the next word leaves */
    int64_t limit_ns; /* no word leaves after it */
};

/* Parameters */

/* Those of one source. The type of what it does not give is 0. */
struct parameters {
    struct json_token delay, format, sentence;
};

const char handler_options[] =
    "Options of this handler; they override the event:\n"
    "  --delay S       seconds between words, 0 to 900\n"
    "  --format F      json, text or sse\n"
    "  --sentence S    the words\n";

static struct parameters options;

/* Sets what a source gives, over what was set before. */
static void set(struct job *j, const struct parameters *p)
{
    if (p->delay.type != 0 && (p->delay.type != JSON_NUMBER ||
                               json_decimal(&p->delay, 9, &j->delay_ns) < 0))
        j->delay_ns = -1;
    if (p->format.type != 0)
        for (j->format = 0; j->format < FORMATS; j->format++)
            if (json_equal(&p->format, names[j->format]))
                break;
    if (p->sentence.type != 0)
        j->rest = p->sentence;
}

/* Sets what a JSON object gives, in which a number is a token of `number_type`.
 * 0, or an error of json_pick(). */
static int set_from(struct job *j, char *object, size_t length, int number_type,
                    size_t *at)
{
    struct parameters p = {0};
    const struct json_want wants[] = {
        {"delay", &p.delay}, {"format", &p.format}, {"sentence", &p.sentence}};
    int rc = json_pick(object, length, 0, wants, 3, at);

    if (p.delay.type != 0)
        p.delay.type = p.delay.type == number_type ? JSON_NUMBER : JSON_NULL;
    if (p.sentence.type == JSON_STRING)
        p.sentence.length = json_decode(&p.sentence, p.sentence.text);
    set(j, &p);
    return rc;
}

/* Sets what an HTTP request gives: by its query, where each value is a string,
 * and over that by its body. NULL, or what was wrong. */
static const char *set_from_request(struct job *j, struct http_text *reason,
                                    const struct lambda_request *request)
{
    size_t at;
    int rc = 0;

    (void)set_from(j, request->query.text, request->query.length, JSON_STRING,
                   &at);
    if (request->body_length > 0)
        rc = set_from(j, request->body, request->body_length, JSON_NUMBER, &at);
    if (rc == 0)
        return request->wrong;
    lambda_json_reason(reason, "body", rc, at);
    return reason->bytes;
}

static const char *check(const struct job *j)
{
    if (j->delay_ns < 0 || j->delay_ns > DELAY_MAX_NS)
        return "delay must be a number from 0 to 900";
    if (j->format == FORMATS)
        return "format must be \"json\", \"text\" or \"sse\"";
    if (j->rest.type != JSON_STRING)
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
        if (c <= ranges[i][1])
            return c >= ranges[i][0];
    return 0;
}

/* Cuts the next word off the rest of a sentence, which is valid UTF-8; its
 * length, 0 at the end. */
static size_t next_word(struct json_token *rest, const char **word)
{
    size_t n, length = 0;
    uint32_t c;

    for (; rest->length > 0; rest->text += n, rest->length -= n) {
        n = json_utf8(rest->text, rest->length, &c);
        if (!is_space(c))
            length += n;
        else if (length > 0)
            break;
    }
    *word = rest->text - length;
    return length;
}

/* Time */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Reads the clocks: the next word is due now. */
static void start_clock(struct job *j)
{
    j->now_ns = j->due_ns = clock_ns(CLOCK_MONOTONIC);
    j->wall_ns = clock_ns(CLOCK_REALTIME) - j->now_ns;
}

/* Waits until the next word is due. 0; 1 when it would leave too late; < 0
 * when nobody waits for it any more. The word after it is due a delay later,
 * whatever this one cost, so that delays do not add up to a drift. */
static int wait_turn(struct job *j)
{
    int64_t early;
    int slept = 0;

    j->now_ns = clock_ns(CLOCK_MONOTONIC);
    if (j->due_ns > j->limit_ns || j->now_ns > j->limit_ns)
        return 1;
    for (; (early = j->due_ns - j->now_ns) > 0; slept = 1) {
        struct timespec t = {early / SECOND_NS, early % SECOND_NS};

        (void)nanosleep(&t, NULL);
        j->now_ns = clock_ns(CLOCK_MONOTONIC);
    }
    if (-early > j->delay_ns && -early > MARGIN_NS)
        start_clock(j); /* the process was frozen */
    j->due_ns += j->delay_ns;
    return slept ? http_look(j->out) : 0;
}

/* Lines, each a chunk: a JSON object that ends with its time */

static void begin_line(struct job *j, const char *event)
{
    if (j->format == SSE)
        http_format(j->text, "event: %s\ndata: ", event);
}

static void end_line(struct job *j)
{
    long long hundredths = (j->now_ns + j->wall_ns) / (SECOND_NS / 100);

    http_format(j->text, ",\"timestamp\":%lld.%02lld}\n", hundredths / 100,
                hundredths % 100);
    if (j->format == SSE)
        http_format(j->text, "id: %ld\n\n", j->sent);
}

static void put_word(struct job *j, const char *word, size_t length)
{
    j->sent++;
    if (j->format == TEXT) {
        http_format(j->text, j->sent > 1 ? " " : "");
        http_append(j->text, word, length);
        return;
    }
    begin_line(j, "word");
    http_format(j->text, "{\"type\":\"word\",\"data\":");
    lambda_quote(j->text, word, length);
    http_format(j->text, ",\"sequence\":%ld,\"total\":%ld", j->sent,
                j->word_count);
    end_line(j);
}

/* The first line and the last: how the stream stands, what is to be said of
 * that as a member with a comma, and a count of words. */
static void put_status(struct job *j, const char *status, const char *name,
                       const char *value, long word_count)
{
    if (j->format == TEXT)
        return;
    begin_line(j, status);
    http_format(j->text, "{\"status\":\"%s\"", status);
    if (name)
        http_format(j->text, ",\"%s\":\"%s\"", name, value);
    http_format(j->text, ",\"word_count\":%ld", word_count);
    end_line(j);
}

/* Answering */

static void put_head(struct job *j, int status)
{
    if (j->http)
        (void)http_status(j->out, status);
    (void)http_header(j->out, "Content-Type", media_types[j->format]);
    if (j->http)
        (void)http_header(j->out, "X-Content-Type-Options", "nosniff");
    if (j->http && j->format == SSE)
        (void)http_header(j->out, "Cache-Control", "no-cache");
}

static int refuse(struct job *j, const char *why)
{
    if (!j->http)
        return lambda_fail(j->out, "Function.InvalidEvent", why);
    j->format = JSON;
    put_head(j, 400);
    http_format(j->text, "{\"status\":\"error\",\"error\":");
    lambda_quote(j->text, why, strlen(why));
    http_format(j->text, "}\n");
    return 0;
}

/* An EventSource that connects again says which event it saw last: passes over
 * the words up to it. 0 when none is left, and status 204 is to tell it not to
 * come again. */
static int resume(struct job *j, const struct lambda_request *request)
{
    const char *end = NULL, *word;
    char text[16];
    int64_t id;

    if (lambda_header(request, "last-event-id", text, sizeof text) > 0)
        end = http_decimal(text, INT32_MAX, &id);
    if (!end || *end != '\0')
        return 1; /* it comes for the first time, or is something else */
    while (j->sent < id && next_word(&j->rest, &word) > 0)
        j->sent++;
    return j->sent < j->word_count;
}

static int stream_words(struct job *j, const struct invocation *in)
{
    static const char late[] = "the deadline came before the last word";
    int64_t left_ms = lambda_time_left_ms(in);
    const char *word;
    size_t length;
    int rc = 0;

    start_clock(j);
    /* A deadline that is past on arrival, or further off than 30 years, is
     * none. */
    j->limit_ns = INT64_MAX;
    if (left_ms > 0 && left_ms < 1000 * SECOND_NS)
        j->limit_ns = j->now_ns + left_ms * (SECOND_NS / 1000) - MARGIN_NS;
    if (j->sent == 0 && j->format != TEXT) {
        put_status(j, "start", "request_id", in->request_id, j->word_count);
        rc = http_flush(j->out);
    }
    while (rc == 0 && (length = next_word(&j->rest, &word)) > 0) {
        rc = wait_turn(j);
        if (rc == 0) {
            put_word(j, word, length);
            rc = http_flush(j->out);
        }
    }
    if (rc == 0)
        put_status(j, "complete", NULL, NULL, j->sent);
    if (rc > 0)
        put_status(j, "error", "error", late, j->sent);
    if (j->format == TEXT)
        http_format(j->text, "\n");
    /* The last line is not flushed: it leaves with the end of the response. */
    return rc > 0 ? lambda_fail(j->out, "Function.DeadlineExceeded", late) : rc;
}

static struct job begin(struct http_stream *out)
{
    static char sentence[] =
        "Hello this is a streaming Lambda function response";

    return (struct job){.out = out,
                        .text = &out->text,
                        .delay_ns = SECOND_NS / 2,
                        .rest = {JSON_STRING, sentence, sizeof sentence - 1}};
}

static void take_option(struct json_token *token, int type, char *value)
{
    if (value)
        *token = (struct json_token){type, value, strlen(value)};
}

int handler_init(struct http_stream *out, char **given)
{
    struct job j = begin(out);
    const char *wrong;

    take_option(&options.delay, JSON_NUMBER, lambda_option(given, "delay"));
    take_option(&options.format, JSON_STRING, lambda_option(given, "format"));
    take_option(&options.sentence, JSON_STRING,
                lambda_option(given, "sentence"));
    set(&j, &options);
    wrong = check(&j);
    return wrong ? lambda_fail(out, "Function.InvalidOption", wrong) : 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct job j = begin(out);
    struct lambda_request request;
    struct json_token sentence;
    char bytes[80];
    struct http_text reason = http_text_in(bytes, sizeof bytes);
    const char *wrong = NULL, *word;
    size_t at;

    j.http = lambda_read_request(&request, in, out);
    if (j.http < 0)
        return j.http;
    if (j.http)
        wrong = set_from_request(&j, &reason, &request);
    else
        (void)set_from(&j, in->event, in->event_length, JSON_NUMBER, &at);
    set(&j, &options);
    if (!wrong)
        wrong = check(&j);
    if (wrong)
        return refuse(&j, wrong);
    sentence = j.rest;
    while (next_word(&sentence, &word) > 0)
        j.word_count++;
    if (j.http && j.format == SSE && !resume(&j, &request))
        return http_status(out, 204);
    put_head(&j, 200);
    return stream_words(&j, in);
}
