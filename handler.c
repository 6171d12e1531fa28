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
#define FAR_MS    INT64_C(1000000000000) /* 31 years */

enum { JSON, TEXT, SSE, FORMATS };

static const char names[FORMATS][8] = {"json", "text", "sse"};
static const char media_types[FORMATS][40] = {
    "application/x-ndjson", "text/plain; charset=utf-8",
    "text/event-stream; charset=utf-8"};

struct job {
    struct http_stream *out;
    struct http_text *text; /* of the response */
    int http;               /* the event is an HTTP request */
    int format;
    struct json_token rest; /* of the sentence */
    long word_count;
    long sent;        /* words, those of an earlier connection too */
    int64_t delay_ns; /* between words */
    int64_t now_ns;   /* the monotonic clock when it was last read */
    int64_t wall_ns;  /* added to that, it is the wall clock */
    int64_t due_ns;   /* when the next word leaves */
    int64_t limit_ns; /* no word leaves after it */
};

/* Parameters */

const char *handler_usage(void)
{
    return "Options of this handler; they override the event:\n"
           "  --delay S       seconds between words, 0 to 900\n"
           "  --format F      json, text or sse\n"
           "  --sentence S    the words\n";
}

static struct json_token options; /* an object of strings */

static int format_of(const struct json_token *name)
{
    int format = 0;

    while (format < FORMATS && !json_equal(name, names[format]))
        format++;
    return format;
}

/* Sets what a JSON text gives, over what was set before. `type` is that of a
 * delay: JSON_STRING where every value is a string, or JSON_NUMBER. NULL, or
 * what is wrong. */
static const char *set(struct job *j, char *text, size_t length, int type)
{
    static char bytes[80];
    struct http_text reason = http_text_in(bytes, sizeof bytes);
    struct json_token delay = {0}, format = {0};
    const struct json_want wants[] = {
        {"delay", &delay}, {"format", &format}, {"sentence", &j->rest}};
    size_t at;
    int rc = json_pick(text, length, 0, wants, 3, &at);

    if (rc < 0) { /* as only a body can be: the rest has been read before */
        lambda_json_reason(&reason, "body", rc, at);
        return bytes;
    }
    if (delay.type != 0 &&
        (delay.type != type || json_decimal(&delay, 9, &j->delay_ns) < 0 ||
         j->delay_ns < 0 || j->delay_ns > DELAY_MAX_NS))
        return "delay must be a number from 0 to 900";
    if (format.type != 0)
        j->format = format_of(&format);
    if (j->format == FORMATS)
        return "format must be \"json\", \"text\" or \"sse\"";
    return j->rest.type == JSON_STRING ? NULL : "sentence must be a string";
}

static const char *set_options(struct job *j)
{
    return set(j, options.text, options.length, JSON_STRING);
}

/* Sets what a request gives in its query and, over that, in its body. */
static const char *set_request(struct job *j, const struct lambda_request *r)
{
    const char *wrong = set(j, r->query.text, r->query.length, JSON_STRING);

    if (!wrong)
        wrong = r->wrong;
    if (!wrong && r->body_length > 0)
        wrong = set(j, r->body, r->body_length, JSON_NUMBER);
    return wrong;
}

/* Words */

/* White space as Python's str.split() sees it. */
static int is_space(uint32_t c)
{
    if (c < 0x80)
        return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
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

/* Reads the clocks: the next word is due now. */
static void start_clock(struct job *j)
{
    j->now_ns = j->due_ns = lambda_clock_ns(CLOCK_MONOTONIC);
    j->wall_ns = lambda_clock_ns(CLOCK_REALTIME) - j->now_ns;
}

/* Waits until the next word is due. 0; 1 when it would leave too late; < 0
 * when nobody waits for it any more. The word after it is due a delay later,
 * whatever this one cost, so that delays do not add up to a drift. */
static int wait_turn(struct job *j)
{
    int64_t early;
    int slept = 0;

    j->now_ns = lambda_clock_ns(CLOCK_MONOTONIC);
    if (j->due_ns > j->limit_ns || j->now_ns > j->limit_ns)
        return 1;
    for (; (early = j->due_ns - j->now_ns) > 0; slept = 1) {
        struct timespec t = {early / SECOND_NS, early % SECOND_NS};

        (void)nanosleep(&t, NULL);
        j->now_ns = lambda_clock_ns(CLOCK_MONOTONIC);
    }
    if (-early > j->delay_ns && -early > MARGIN_NS)
        start_clock(j); /* the process was frozen */
    j->due_ns += j->delay_ns;
    return slept ? http_look(j->out) : 0;
}

/* Lines, each a chunk: a JSON object that ends with its time */

static void begin_line(struct job *j, const char *name, const char *event)
{
    if (j->format == SSE)
        http_format(j->text, "event: %s\ndata: ", event);
    http_format(j->text, "{\"%s\":\"%s\"", name, event);
}

static void end_line(struct job *j)
{
    long long hundredths = (j->now_ns + j->wall_ns) / (SECOND_NS / 100);

    http_format(j->text, ",\"timestamp\":%lld.%02lld}\n", hundredths / 100,
                hundredths % 100);
    if (j->format == SSE)
        http_format(j->text, "id: %ld\n\n", j->sent);
}

static int send_start(struct job *j, const char *request_id)
{
    if (j->format == TEXT || j->sent > 0) /* resumed */
        return 0;
    begin_line(j, "status", "start");
    http_format(j->text, ",\"request_id\":\"%s\",\"word_count\":%ld",
                request_id, j->word_count);
    end_line(j);
    return http_flush(j->out);
}

static int send_word(struct job *j, const char *word, size_t length)
{
    j->sent++;
    if (j->format == TEXT) {
        http_format(j->text, j->sent > 1 ? " " : "");
        http_append(j->text, word, length);
    } else {
        begin_line(j, "type", "word");
        http_format(j->text, ",\"data\":");
        lambda_quote(j->text, word, length);
        http_format(j->text, ",\"sequence\":%ld,\"total\":%ld", j->sent,
                    j->word_count);
        end_line(j);
    }
    return http_flush(j->out);
}

/* The last line is not flushed: it leaves with the end of the response. */
static int finish(struct job *j, int late)
{
    static const char why[] = "the deadline came before the last word";

    if (j->format == TEXT) {
        http_format(j->text, "\n");
    } else {
        begin_line(j, "status", late ? "error" : "complete");
        if (late)
            http_format(j->text, ",\"error\":\"%s\"", why);
        http_format(j->text, ",\"word_count\":%ld", j->sent);
        end_line(j);
    }
    return late ? lambda_fail(j->out, "Function.DeadlineExceeded", why) : 0;
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
    char text[16] = "";
    const char *end, *word;
    int64_t id;

    (void)lambda_header(request, "last-event-id", text, sizeof text);
    end = http_decimal(text, INT32_MAX, &id);
    if (!end || *end != '\0')
        return 1; /* it comes for the first time, or is something else */
    while (j->sent < id && next_word(&j->rest, &word) > 0)
        j->sent++;
    return j->sent < j->word_count;
}

static int stream_words(struct job *j, const struct invocation *in)
{
    int64_t left_ms = lambda_time_left_ms(in);
    const char *word;
    size_t length;
    int rc;

    start_clock(j);
    /* A deadline that is past on arrival is none, nor is one so far off that
     * nanoseconds could not hold it. */
    j->limit_ns = INT64_MAX;
    if (left_ms > 0 && left_ms < FAR_MS)
        j->limit_ns = j->now_ns + left_ms * (SECOND_NS / 1000) - MARGIN_NS;
    rc = send_start(j, in->request_id);
    while (rc == 0 && (length = next_word(&j->rest, &word)) > 0) {
        rc = wait_turn(j);
        if (rc == 0)
            rc = send_word(j, word, length);
    }
    return rc < 0 ? rc : finish(j, rc);
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

int handler_init(struct http_stream *out, const struct json_token *given)
{
    struct job j = begin(out);
    const char *wrong;

    options = *given;
    wrong = set_options(&j);
    return wrong ? lambda_fail(out, "Function.InvalidOption", wrong) : 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct job j = begin(out);
    struct lambda_request request;
    struct json_token sentence;
    const char *wrong, *word;

    j.http = lambda_read_request(&request, in, out);
    if (j.http < 0)
        return j.http;
    wrong = j.http ? set_request(&j, &request)
                   : set(&j, in->event, in->event_length, JSON_NUMBER);
    if (!wrong)
        wrong = set_options(&j);
    if (wrong)
        return refuse(&j, wrong);
    /* In place, which ends an option's life as JSON: a run by hand has only
     * this event, and in Lambda there are no options. */
    j.rest.length = json_decode(&j.rest, j.rest.text);
    sentence = j.rest;
    while (next_word(&sentence, &word) > 0)
        j.word_count++;
    if (j.http && j.format == SSE && !resume(&j, &request))
        return http_status(out, 204);
    put_head(&j, 200);
    if (j.http && json_equal(&request.method, "HEAD"))
        return 0; /* all of the answer: nobody waits for words */
    return stream_words(&j, in);
}
