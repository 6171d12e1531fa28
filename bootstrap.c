/*
 * bootstrap.c - what happens between the kernel and the handler
 *
 * In Lambda (AWS_LAMBDA_RUNTIME_API is set): ask for an event, call the
 * handler, report, and again. By hand: call the handler once.
 *
 *   Time
 *   The event           what came with it, and the deadline
 *   The HTTP request    an event taken apart
 *   Text and errors     JSON strings, the error of an invocation
 *   Logging             a line for each fault
 *   Answering           how an invocation ends
 *   Signals
 *   In Lambda           the loop
 *   Workers             several of it, on Lambda Managed Instances
 *   By hand             options, usage
 *   Start               main()
 *   Without a C library entry, system calls, memory
 */
#include "http.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Faults in a row after which the process ends: Lambda then starts another. */
#define FAULTS_MAX 5
/* Doubled with each fault in a row: 20, 40, 80, 160 ms. */
#define BACK_OFF_MS 20
/* What an early answer may take: the peer has begun to give it. */
#define EARLY_ANSWER_MS 1000

/* The year 33658: what says more is no deadline. */
#define DEADLINE_MS_MAX 1000000000000000
/* The longest that Lambda lets a function run. */
#define TIMEOUT_S_MAX 900

/* All that the process keeps: there is one. In this order a start touches the
 * fewest pages. */
struct runtime {
    int faults;    /* in a row */
    int to_parent; /* in a worker: a pipe's descriptor; else 0 */
    struct http_connection connection;
    struct http_message message;
    struct http_stream stream;
    char input[HTTP_MESSAGE_BYTES_MAX];
};

/* Time */

int64_t lambda_clock_ns(int clock)
{
    struct timespec t = {0, 0};

    (void)clock_gettime((clockid_t)clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t wall_clock_ms(void)
{
    return lambda_clock_ns(CLOCK_REALTIME) / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = ms * 1000000};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

/* The event */

/* The invocation that a message brings. */
static struct invocation describe(const struct http_message *m, const char *id)
{
    return (struct invocation){.request_id = id,
                               .event = m->buffer + m->body,
                               .event_length = m->body_length,
                               .message = m};
}

const char *lambda_field(const struct invocation *in, const char *name)
{
    int count;
    const char *value = http_field_value(in->message, name, &count);

    return value ? value : "";
}

int64_t lambda_time_left_ms(const struct invocation *in)
{
    int64_t ms;
    const char *end = http_decimal(
        lambda_field(in, "Lambda-Runtime-Deadline-Ms"), DEADLINE_MS_MAX, &ms);

    if (!end || *end != '\0' || ms == 0)
        return INT64_MAX;
    return ms - wall_clock_ms();
}

/* The HTTP request */

static char empty_object[] = "{}";

static void make_empty(struct json_token *object)
{
    object->type = JSON_OBJECT;
    object->text = empty_object;
    object->length = sizeof empty_object - 1;
}

/* AWS gives some members the value null when there is nothing to say. */
static int absent(const struct json_token *value)
{
    return value->type == 0 || value->type == JSON_NULL;
}

static void check_object(struct lambda_request *r, struct json_token *value,
                         const char *wrong)
{
    if (!absent(value) && value->type != JSON_OBJECT)
        r->wrong = wrong;
    if (value->type != JSON_OBJECT)
        make_empty(value);
}

/* RFC 3986, section 2.1: "%" HEXDIG HEXDIG. What is not that stays. */
static size_t percent_decode(char *text, size_t length)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *high, *low;
    size_t written = 0;

    for (size_t i = 0; i < length; i++) {
        text[written] = text[i];
        if (text[i] == '%' && length - i > 2) {
            high = memchr(digits, text[i + 1], sizeof digits - 1);
            low = memchr(digits, text[i + 2], sizeof digits - 1);
            if (high && low) {
                text[written] = (char)((high - digits) % 16 * 16 +
                                       (low - digits) % 16);
                i += 2;
            }
        }
        written++;
    }
    return written;
}

/* The path is decoded here and nowhere else. A Function URL and API Gateway
 * REST give it percent-encoded. (HTTP APIs are reported to decode it already,
 * but they cannot stream.) */
char *lambda_path(const struct lambda_request *r, char *out, size_t size)
{
    size_t length;

    if (!json_string(&r->path, out, size))
        return NULL;
    length = percent_decode(out, strlen(out));
    out[length] = '\0';
    return strlen(out) == length ? out : NULL;
}

static void take_body(struct lambda_request *r, const struct json_token *body,
                      int base64)
{
    static char empty[1];
    int64_t length;

    r->body = empty;
    if (absent(body))
        return;
    if (body->type != JSON_STRING) {
        r->wrong = "body must be a string";
        return;
    }
    length = (int64_t)json_decode(body, body->text);
    if (base64)
        length = http_base64_decode(body->text, body->text, (size_t)length);
    if (length < 0) {
        r->wrong = "body must be valid base64";
        return;
    }
    r->body = body->text;
    r->body_length = (size_t)length;
}

/* Method and path have other names in payload 1.0 than in 2.0. */
int lambda_read_request(struct lambda_request *r, const struct invocation *in,
                        struct http_stream *out)
{
    struct json_token body = {0}, base64 = {0};
    const struct json_want wants[] = {
        {"requestContext", &r->context},
        {"httpMethod", &r->method},
        {"requestContext.http.method", &r->method},
        {"path", &r->path},
        {"rawPath", &r->path},
        {"queryStringParameters", &r->query},
        {"headers", &r->headers},
        {"cookies", &r->cookies},
        {"body", &body},
        {"isBase64Encoded", &base64}};
    char bytes[80];
    struct http_text reason = http_text_in(bytes, sizeof bytes);
    size_t at;
    int rc;

    memset(r, 0, sizeof *r);
    rc = json_pick(in->event, in->event_length, 0, wants,
                   sizeof wants / sizeof *wants, &at);
    if (rc < 0) {
        lambda_json_reason(&reason, "event", rc, at);
        return lambda_fail(out, "Function.InvalidEvent", bytes);
    }
    if (r->context.type != JSON_OBJECT)
        return 0;
    out->no_body = json_equal(&r->method, "HEAD");
    /* A later check replaces what an earlier one found: of several things that
     * are wrong, the query's is told, then the headers', then the body's. */
    take_body(r, &body, base64.type == JSON_TRUE);
    check_object(r, &r->headers, "headers must be an object");
    check_object(r, &r->query, "queryStringParameters must be an object");
    return 1;
}

/* Values by their names */

static int decode_value(const struct json_token *value, char *out, size_t size)
{
    if (absent(value))
        return 0;
    if (json_string(value, out, size))
        return 1;
    return value->type == JSON_STRING ? JSON_RANGE : JSON_TYPE;
}

static int get(const struct json_token *object, int flags, const char *name,
               char *out, size_t size)
{
    struct json_token value = {0};
    const struct json_want want = {name, &value};
    size_t at;

    (void)json_pick(object->text, object->length, flags, &want, 1, &at);
    return decode_value(&value, out, size);
}

int lambda_query(const struct lambda_request *r, const char *name, char *out,
                 size_t size)
{
    return get(&r->query, JSON_ONE_NAME, name, out, size);
}

int lambda_header(const struct lambda_request *r, const char *name, char *out,
                  size_t size)
{
    return get(&r->headers, JSON_ONE_NAME | JSON_ANY_CASE, name, out, size);
}

int lambda_option(const struct json_token *options, const char *name, char *out,
                  size_t size)
{
    return get(options, JSON_ONE_NAME, name, out, size);
}

int lambda_body(const struct lambda_request *r, const char *name, char *out,
                size_t size)
{
    struct json_token value = {0};
    const struct json_want want = {name, &value};
    size_t at;
    int rc = json_pick(r->body, r->body_length, 0, &want, 1, &at);

    if (rc == 0)
        return decode_value(&value, out, size);
    *out = '\0';
    return rc;
}

/* RFC 6265, section 4.2.1: cookie-pair *( ";" SP cookie-pair ). */
static int get_cookie(char *list, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    char *end;

    for (; *(list += http_span(list, "", "; ")) != '\0'; list = end) {
        for (end = list; *end != '\0' && *end != ';'; end++)
            continue;
        if ((size_t)(end - list) <= length || list[length] != '=' ||
            memcmp(list, name, length) != 0)
            continue;
        list += length + 1;
        length = (size_t)(end - list);
        *out = '\0';
        if (length >= size)
            return JSON_RANGE;
        memcpy(out, list, length);
        out[length] = '\0';
        return 1;
    }
    return 0;
}

int lambda_cookie(const struct lambda_request *r, const char *name, char *out,
                  size_t size)
{
    static char list[HTTP_HEADERS_BYTES_MAX + 1];
    struct json_reader reader;
    struct json_token cookies;
    int rc, unread = 0;

    if (r->cookies.type != JSON_ARRAY) {
        rc = lambda_header(r, "cookie", list, sizeof list);
        if (rc > 0)
            return get_cookie(list, name, out, size);
        if (rc < 0)
            *out = '\0';
        return rc;
    }
    rc = json_array(&reader, r->cookies.text, r->cookies.length);
    while (rc == 0 && json_element(&reader, &cookies) > 0) /* payload 2.0 */
        if (json_string(&cookies, list, sizeof list))
            rc = get_cookie(list, name, out, size);
        else if (cookies.type == JSON_STRING)
            unread = JSON_RANGE; /* it could be this one */
    if (rc != 0 || unread == 0)
        return rc;
    *out = '\0';
    return unread;
}

/* Text and errors */

void lambda_quote(struct http_text *t, const char *text, size_t length)
{
    char escaped[512];
    size_t n, taken;

    http_append(t, "\"", 1);
    for (; length > 0; text += taken, length -= taken) {
        n = json_escape(escaped, sizeof escaped, text, length, &taken);
        http_append(t, escaped, n);
    }
    http_append(t, "\"", 1);
}

void lambda_json_reason(struct http_text *t, const char *what, int error,
                        size_t at)
{
    if (error == JSON_TYPE)
        http_format(t, "%s must be a JSON object", what);
    else
        http_format(t, "%s is %s at byte %zu", what,
                    error == JSON_DEPTH ? "nested too deep" : "not valid JSON",
                    at);
}

/* What stands around message and type in the JSON of an error: 50 bytes, and a
 * NUL. */
#define ERROR_FIXED_BYTES 64

/* The error is kept as it is reported: JSON of at most HTTP_ERROR_BYTES_MAX
 * bytes, in which the message gives way. */
int lambda_fail(struct http_stream *s, const char *type, const char *message)
{
    struct http_text t = http_text_in(s->error_json, sizeof s->error_json);
    size_t length = http_span(type, "azAZ09", "."), taken;

    if (length == 0 || length > HTTP_ERROR_TYPE_BYTES_MAX ||
        type[length] != '\0') {
        type = "Function.Unknown";
        length = strlen(type);
    }
    memcpy(s->error_type, type, length + 1);
    http_format(&t, "{\"errorMessage\":\"");
    t.length += json_escape(t.bytes + t.length,
                            t.size - length - ERROR_FIXED_BYTES, message,
                            strlen(message), &taken);
    http_format(&t, "\",\"errorType\":\"%s\",\"stackTrace\":[]}", type);
    if (s->error == 0)
        s->error = HTTP_FAILED;
    return s->error;
}

/* Logging: a line, and a system call, for each fault */

/* What a pipe takes in one piece (PIPE_BUF on Linux): lines of several
 * processes do not mix. */
#define LOG_BYTES_MAX    4096
#define TENANT_BYTES_MAX 256

/* How Lambda wants its logs, and whose invocation this is. */
static struct {
    int json;  /* a JSON object a line */
    int least; /* level, where it is JSON */
    const char *id;
    char tenant[TENANT_BYTES_MAX + 1];
} logs = {0}; /* with gcc's flag in the Makefile in .data: a page fewer */

static const char level_names[][6] = {"TRACE", "DEBUG", "INFO",
                                      "WARN",  "ERROR", "FATAL"};

static int print(int fd, const char *text)
{
    return write(fd, text, strlen(text)) < 0 ? HTTP_SYSTEM : 0;
}

/* AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL, which counts with JSON. */
static void read_log_settings(void)
{
    const char *format = getenv("AWS_LAMBDA_LOG_FORMAT");
    const char *level = getenv("AWS_LAMBDA_LOG_LEVEL");

    logs.json = format &&
                (strcmp(format, "JSON") == 0 || strcmp(format, "json") == 0);
    logs.id = "";
    logs.least = LAMBDA_INFO;
    for (int i = LAMBDA_TRACE; level && i <= LAMBDA_FATAL; i++)
        if (strcmp(level, level_names[i]) == 0)
            logs.least = i;
}

/* RFC 3339, section 5.6: date-time, in UTC and with milliseconds. */
static void append_time(struct http_text *t, int64_t ms)
{
    static const char month_days[] = {31, 28, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31};
    int64_t since = ms > 0 ? ms : 0, days = since / 86400000;
    int seconds = (int)(since / 1000 % 86400);
    int year = 1970, month = 0, leap = 0, length = 365;

    while (days >= length) {
        days -= length;
        year++;
        leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        length = 365 + leap;
    }
    while (days >= month_days[month] + (month == 1 && leap)) {
        days -= month_days[month] + (month == 1 && leap);
        month++;
    }
    http_format(t, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month + 1,
                (int)days + 1, seconds / 3600, seconds / 60 % 60, seconds % 60,
                (int)(since % 1000));
}

/* Adds a text in UTF-8, cut at a character's end where the line would be too
 * long. */
static void append_text(struct http_text *t, const char *text)
{
    size_t length = strlen(text), n;
    uint32_t code;

    for (; length > 0 && t->length + 6 < t->size; text += n, length -= n) {
        n = json_utf8(text, length, &code);
        http_append(t, n > 0 ? text : "\xef\xbf\xbd", n > 0 ? n : 3);
        n += n == 0;
    }
}

static void append_member(struct http_text *t, const char *name,
                          const char *value)
{
    if (*value == '\0')
        return;
    http_format(t, ",\"%s\":", name);
    lambda_quote(t, value, strlen(value));
}

/* `source` is where a line of text comes from, `type` that of an error. */
static void write_line(int level, const char *source, const char *type,
                       const char *message)
{
    char bytes[LOG_BYTES_MAX + 1];
    struct http_text t = http_text_in(bytes, sizeof bytes);
    size_t taken;

    if (!logs.json) {
        http_format(&t, "%s", source);
        append_text(&t, message);
        http_format(&t, "\n");
    } else if (level >= logs.least) {
        http_format(&t, "{\"timestamp\":\"");
        append_time(&t, wall_clock_ms());
        http_format(&t, "\",\"level\":\"%s\"", level_names[level]);
        append_member(&t, "requestId", logs.id);
        append_member(&t, "tenantId", logs.tenant);
        append_member(&t, "errorType", type);
        http_format(&t, ",\"message\":\"");
        t.length += json_escape(t.bytes + t.length, t.size - t.length - 4,
                                message, strlen(message), &taken);
        http_format(&t, "\"}\n");
    }
    if (t.length > 0)
        (void)print(2, bytes); /* or nobody is there to be told */
}

void lambda_log(const struct invocation *in, enum lambda_level level,
                const char *message)
{
    char source[HTTP_ID_BYTES_MAX + 16];
    struct http_text t = http_text_in(source, sizeof source);

    if (level > LAMBDA_FATAL)
        level = LAMBDA_FATAL;
    http_format(&t, "%s %s ", level_names[level], in ? in->request_id : "init");
    write_line((int)level, source, "", message);
}

/* A line of the runtime's own. */
static void log_line(int level, const char *what, const char *which,
                     const char *why)
{
    char message[LOG_BYTES_MAX];
    struct http_text t = http_text_in(message, sizeof message);

    append_text(&t, what);
    append_text(&t, which);
    append_text(&t, ": ");
    append_text(&t, why);
    write_line(level, "rawstream: ", "", message);
}

static const char *system_reason(int error)
{
    if (error == ECONNREFUSED)
        return "connection refused";
    if (error == ECONNRESET)
        return "connection reset";
    if (error == EPIPE)
        return "closed by its reader";
    if (error == EMFILE || error == ENFILE)
        return "too many open files";
    return "system call failed";
}

/* Drops the connection, says why, and waits before the next try; ends the
 * process where this was the last. */
static void fault(struct runtime *r, const char *what, const char *id,
                  const char *why, int last)
{
    char bytes[160];
    struct http_text t = http_text_in(bytes, sizeof bytes);

    if (++r->faults >= FAULTS_MAX)
        last = 1;
    http_format(&t, "%s%s", why, last ? ": giving up" : "");
    log_line(last ? LAMBDA_FATAL : LAMBDA_ERROR, what, id, bytes);
    if (last)
        _exit(1);
    http_close(&r->connection);
    pause_ms(BACK_OFF_MS << (r->faults - 1));
}

/* A fault with an enum http_error, or a status that was not the one hoped
 * for. */
static void fault_of(struct runtime *r, const char *what, const char *id,
                     int rc)
{
    char why[128];
    struct http_text t = http_text_in(why, sizeof why);

    if (rc > 0)
        http_format(&t, "status %d", rc);
    else if (rc == HTTP_SYSTEM)
        http_format(&t, "%s, errno %d", system_reason(errno), errno);
    else if (rc <= HTTP_TRUNCATED && rc >= HTTP_INTERIM) /* what was read */
        http_format(&t, "%s at byte %zu", http_reason(rc),
                    r->message.taken + r->message.at);
    else
        http_format(&t, "%s", http_reason(rc));
    /* Status 500 is AWS's "container error": the runtime should exit. */
    fault(r, what, id, why, rc == 500);
}

/* Answering */

/* While the handler initialises itself there is no response. */
static int transmit_nothing(struct http_stream *s, const void *bytes,
                            size_t length, const char *end)
{
    (void)bytes, (void)length, (void)end;
    return lambda_fail(s, "Function.InvalidResponse",
                       "handler_init() has no response to write to");
}

static int is_handlers_own(int error)
{
    return error <= HTTP_HEADER; /* HTTP_FORMAT, HTTP_FAILED are below */
}

/* Whether the handler failed, by its own word (rc) or by what it did with the
 * stream; a failure without a name is given one. */
static int failed(struct http_stream *s, int rc)
{
    if (rc >= 0 && s->error == 0)
        return 0;
    if (s->error_json[0] != '\0') /* by lambda_fail() */
        return 1;
    if (s->error == HTTP_HEADER || s->error == HTTP_FORMAT)
        (void)lambda_fail(s, "Function.InvalidResponse", s->detail);
    else if (s->error == 0)
        (void)lambda_fail(s, "Function.Unknown", http_reason(HTTP_FAILED));
    return 1;
}

/* Sends what concludes an invocation; rc is what the handler gave.
 *
 *   the handler         | nothing has left yet | the head has left
 *   --------------------+----------------------+---------------------
 *   succeeded           | head, last chunk     | last chunk
 *   failed              | /error               | last chunk, trailers
 *   lost its connection | nothing              | nothing
 *
 * 0 when all is sent, or an error. */
static int conclude(struct http_stream *s, int rc)
{
    char bytes[HTTP_ID_BYTES_MAX + 16];
    struct http_text source = http_text_in(bytes, sizeof bytes);

    if (!failed(s, rc))
        return http_end(s);
    if (!is_handlers_own(s->error)) {
        errno = s->system_error;
        return s->error;
    }
    http_format(&source, "rawstream: %s: ", *s->id != '\0' ? s->id : "init");
    write_line(*s->id != '\0' ? LAMBDA_ERROR : LAMBDA_FATAL, bytes,
               s->error_type, s->error_json);
    return s->begun ? http_end(s) : http_post_error(s);
}

/* Signals */

/* Process 1 of a container has no default action for signals. */
static void stop(int signal)
{
    _exit(128 + signal);
}

static void on_signal(int signal, void (*action)(int))
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = action;
    (void)sigaction(signal, &a, NULL);
}

/* A worker is asked to end: it answers the event that it has, and asks for no
 * other. One that is just arriving is lost: the environment ends. */
static volatile sig_atomic_t busy = 0, ending = 0;

static void end_when_idle(int signal)
{
    if (!busy)
        _exit(128 + signal);
    ending = 1;
}

/* In Lambda */

/* The value of a field that is sent back: "" when there is none, NULL when it
 * is given twice with a difference, is too long, or has a byte other than
 * visible ASCII. */
static const char *id_field(const struct http_message *m, const char *name)
{
    int count;
    const char *value = http_field_value(m, name, &count);
    size_t length;

    if (!value)
        return "";
    length = http_span(value, "!~", "");
    if (count < 0 || value[length] != '\0' || length > HTTP_ID_BYTES_MAX)
        return NULL;
    return value;
}

#if __STDC_HOSTED__
/* For what else in the process takes part in X-Ray. */
static void set_trace_id(const struct invocation *in)
{
    const char *id = lambda_field(in, "Lambda-Runtime-Trace-Id");

    if (*id != '\0')
        (void)setenv("_X_AMZN_TRACE_ID", id, 1);
    else
        (void)unsetenv("_X_AMZN_TRACE_ID");
}
#else
static void set_trace_id(const struct invocation *in)
{
    (void)in;
}
#endif

/* Reads what the Runtime API answers to a request; `sent` tells whether that
 * left whole. Gives the answer's status, or an error. */
static int read_reply(struct runtime *r, int sent)
{
    int rc = sent, saved = errno;

    http_message_start(&r->message, r->input);
    if (r->connection.fd >= 0)
        rc = http_receive(&r->connection, &r->message,
                          sent < 0 ? EARLY_ANSWER_MS : -1);
    if (rc == 0)
        return r->message.status;
    if (sent < 0) {
        errno = saved;
        return sent;
    }
    return rc;
}

/* Ends an invocation, or the initialisation: sends what concludes it, reads
 * Lambda's reply, and counts a fault when either fails. `rc` is what the
 * handler gave. */
static void answer(struct runtime *r, int rc, const char *what, const char *id)
{
    int sent = conclude(&r->stream, rc);

    rc = read_reply(r, sent);
    if (sent < 0 || rc / 100 != 2)
        fault_of(r, what, id, rc);
}

/* Whose invocation the lines of the log are from now on. */
static void begin_log(const struct invocation *in)
{
    struct http_text t = http_text_in(logs.tenant, sizeof logs.tenant);

    logs.id = in->request_id;
    http_format(&t, "%s", lambda_field(in, "Lambda-Runtime-Aws-Tenant-Id"));
}

/* A worker tells its parent, in a byte, that it has initialised itself, and of
 * each event; CHILD is the parent's own, from on_child(). A pipe that is full
 * has said so already. */
enum { READY = 'r', EVENT = 'e', CHILD = 'c' };

static void send_byte(int fd, char byte)
{
    ssize_t n = fd > 0 ? write(fd, &byte, 1) : 0;

    (void)n;
}

static void invoke(struct runtime *r)
{
    const char *request_id = id_field(&r->message,
                                      "Lambda-Runtime-Aws-Request-Id");
    const char *invocation_id = id_field(&r->message,
                                         "Lambda-Runtime-Invocation-Id");
    char id[HTTP_ID_BYTES_MAX + 1]; /* outlives the message, for the log */
    size_t length = request_id ? http_span(request_id, "azAZ09", "-") : 0;
    struct invocation in = describe(&r->message, id);

    if (length == 0 || request_id[length] != '\0') {
        fault(r, "GET /next", "", "request id missing or malformed", 0);
        return;
    }
    r->faults = 0;
    send_byte(r->to_parent, EVENT);
    memcpy(id, request_id, length + 1);
    begin_log(&in);
    if (!invocation_id) {
        log_line(LAMBDA_WARN, "Lambda-Runtime-Invocation-Id of ", id,
                 "malformed, not echoed");
        invocation_id = "";
    }
    set_trace_id(&in);
    http_start(&r->stream, &r->connection, id, invocation_id);
    answer(r, handler_invoke(&in, &r->stream), "response to ", id);
    logs.id = ""; /* lines from now on belong to no invocation */
    logs.tenant[0] = '\0';
}

/* Gives the exit status. */
static int serve(struct runtime *r, const char *api)
{
    struct json_token no_options;
    struct http_stream *s = &r->stream;
    int rc = http_endpoint_parse(&r->connection.endpoint, api);

    http_message_start(&r->message, r->input);
    r->connection.fd = -1;
    http_start(s, &r->connection, "", "");
    if (rc < 0) {
        log_line(LAMBDA_FATAL, "AWS_LAMBDA_RUNTIME_API", "", http_reason(rc));
        return 1;
    }
    s->transmit = transmit_nothing;
    make_empty(&no_options);
    rc = handler_init(s, &no_options);
    if (rc < 0 || s->error < 0) {
        r->faults = FAULTS_MAX - 1; /* there is no second try */
        answer(r, rc, "init", "");
        return 1;
    }
    send_byte(r->to_parent, READY);
    for (;;) {
        rc = http_next(&r->connection, &r->message);
        if (rc == 0)
            rc = r->message.status;
        if (rc != 200) {
            fault_of(r, "GET /next", "", rc);
            continue;
        }
        busy = 1;
        invoke(r);
        busy = 0;
        if (ending)
            return 0;
    }
}

/* Workers: on Lambda Managed Instances one environment has up to
 * AWS_LAMBDA_MAX_CONCURRENCY invocations at once. A worker is a process that
 * runs the loop above: it has its own memory, handler, and connection. This
 * process starts them, waits, and runs no handler. */

#define WORKERS_MAX 1600 /* AWS's own limit */
/* What streams may take to end once the runtime gives up. */
#define LAST_STREAMS_MS 2000

struct workers {
    struct runtime *runtime;
    const char *api;
    int parent;                  /* this process's id */
    int to_parent, from_workers; /* the ends of a pipe */
    int deaths; /* by signals, in a row, without an event between them */
    int count;
    pid_t pids[WORKERS_MAX]; /* 0 where there is none */
};

static struct workers workers;

/* A pipe that a child's child does not inherit, and that is above the standard
 * descriptors. 0, or -1. */
static int open_pipe(struct workers *w)
{
    int ends[2];

    if (pipe(ends) < 0)
        return -1;
    w->from_workers = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
    w->to_parent = fcntl(ends[1], F_DUPFD_CLOEXEC, 3);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return w->from_workers < 0 ? -1 : fcntl(w->to_parent, F_SETFL, O_NONBLOCK);
}

/* Wakes wait_for_first(), which reads the other end. */
static void on_child(int signal)
{
    (void)signal;
    send_byte(workers.to_parent, CHILD);
}

/* Waits until the first worker has initialised itself. 0, or -1: it has ended
 * before, and has said why, unless a signal ended it. */
static int wait_for_first(const struct workers *w)
{
    int status = 0;
    char byte = 0;

    while (byte != READY) {
        /* Process 1 gets others' children, and a child may only be stopped. */
        if (byte == CHILD && waitpid(w->pids[0], &status, WNOHANG) > 0) {
            if (WIFSIGNALED(status))
                log_line(LAMBDA_FATAL, "worker", "",
                         "ended by a signal in its start");
            return -1;
        }
        if (read(w->from_workers, &byte, 1) < 0)
            byte = 0; /* interrupted */
    }
    return 0;
}

_Noreturn static void work(const struct workers *w)
{
    on_signal(SIGCHLD, SIG_DFL);
    on_signal(SIGTERM, end_when_idle);
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
        log_line(LAMBDA_FATAL, "worker", "", "would outlive its parent");
        _exit(1);
    }
#endif
    if (getppid() != w->parent) /* it has ended meanwhile */
        _exit(1);
    (void)close(w->from_workers);
    w->runtime->to_parent = w->to_parent;
    _exit(serve(w->runtime, w->api));
}

/* 0, or -1 where the system refuses it. */
static int start_worker(struct workers *w, int i)
{
    pid_t pid = fork();

    if (pid == 0)
        work(w);
    w->pids[i] = pid > 0 ? pid : 0;
    if (pid < 0)
        log_line(LAMBDA_WARN, "worker", "",
                 "no further process: going on with those that there are");
    return pid < 0 ? -1 : 0;
}

/* Starts another worker in the place of one that a signal has ended. 0, or -1
 * where that was the last of too many. */
static int replace_worker(struct workers *w, int i)
{
    char bytes[64];
    ssize_t n;

    while ((n = read(w->from_workers, bytes, sizeof bytes)) > 0)
        if (memchr(bytes, EVENT, (size_t)n))
            w->deaths = 0;
    if (++w->deaths == FAULTS_MAX) {
        log_line(LAMBDA_FATAL, "worker", "",
                 "ended by signals again and again: giving up");
        return -1;
    }
    log_line(LAMBDA_WARN, "worker", "", "ended by a signal: starting another");
    pause_ms(BACK_OFF_MS << (w->deaths - 1));
    (void)start_worker(w, i);
    return 0;
}

/* Until the runtime gives up: because a worker has, because workers die again
 * and again, or because there is none left. */
static void watch_workers(struct workers *w)
{
    int i, status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, 0)) > 0) {
        for (i = 0; i < w->count && w->pids[i] != pid; i++)
            continue;
        if (i == w->count)
            continue; /* process 1 gets others' children, too */
        w->pids[i] = 0;
        if (!WIFSIGNALED(status) || replace_worker(w, i) < 0)
            return;
    }
}

/* Gives the exit status. */
static int serve_with_workers(struct runtime *r, const char *api, int count)
{
    struct workers *w = &workers;
    pid_t pid;
    int i;

    w->runtime = r;
    w->api = api;
    w->parent = getpid();
    w->count = count;
    on_signal(SIGCHLD, on_child);
    if (open_pipe(w) < 0 || start_worker(w, 0) < 0) {
        log_line(LAMBDA_FATAL, "worker", "", "cannot be started");
        return 1;
    }
    if (wait_for_first(w) < 0)
        return 1;
    on_signal(SIGCHLD, SIG_DFL);
    (void)fcntl(w->from_workers, F_SETFL, O_NONBLOCK);
    for (i = 1; i < count && start_worker(w, i) == 0; i++)
        continue;
    watch_workers(w);
    for (i = 0; i < count; i++)
        if (w->pids[i] > 0)
            (void)kill(w->pids[i], SIGTERM);
    for (i = 0; i < LAST_STREAMS_MS; i += 20) {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid < 0)
            break; /* no worker is left */
        pause_ms(20);
    }
    return 1; /* which ends those that are left */
}

/* Gives the exit status. */
static int run_in_lambda(struct runtime *r, const char *api)
{
    const char *concurrency = getenv("AWS_LAMBDA_MAX_CONCURRENCY"), *end;
    int64_t count;

    read_log_settings();
    if (!concurrency)
        return serve(r, api);
    end = http_decimal(concurrency, WORKERS_MAX, &count);
    if (end && *end == '\0' && count > 0)
        return serve_with_workers(r, api, (int)count);
    log_line(LAMBDA_FATAL, "AWS_LAMBDA_MAX_CONCURRENCY", "",
             "must be a whole number from 1 to 1600");
    return 1;
}

/* By hand */

#ifdef __GNUC__
#define UNLESS_DEFINED __attribute__((weak))

/* For a handler that has neither of its own. */
UNLESS_DEFINED const char *handler_usage(void)
{
    return "";
}

UNLESS_DEFINED int handler_init(struct http_stream *out,
                                const struct json_token *options)
{
    (void)out, (void)options;
    return 0;
}
#endif

static const char usage[] =
    "usage: bootstrap [OPTION VALUE]...\n"
    "Calls the handler once, as Lambda would, and prints its response.\n"
    "  --event FILE    the event, a JSON object; - is standard input\n"
    "  --timeout S     the deadline, in seconds from now; without it, none\n"
    "  -h, --help, --version\n";

static int print_usage(int fd)
{
    int rc = print(fd, usage);

    return rc < 0 ? rc : print(fd, handler_usage());
}

_Noreturn static void usage_error(const char *what, const char *wrong)
{
    log_line(LAMBDA_FATAL, what, "", wrong);
    (void)print_usage(2);
    _exit(2);
}

/* The rest of `text` behind the first `length` bytes of `prefix`; NULL when it
 * does not begin with them. */
static char *after(const char *text, const char *prefix, size_t length)
{
    for (; length > 0; length--)
        if (*text++ != *prefix++)
            return NULL;
    return (char *)(uintptr_t)text;
}

/* Whether a usage text has a line for an option: two spaces, "--name", and
 * another space. */
static int has_line(const char *usage_text, const char *option, size_t length)
{
    const char *rest;

    for (; *usage_text != '\0'; usage_text++) {
        if (usage_text[0] != ' ' || usage_text[1] != ' ')
            continue;
        rest = after(usage_text + 2, option, length);
        if (rest && *rest == ' ')
            return 1;
    }
    return 0;
}

static int is_option(const char *text, size_t length)
{
    return text[0] == '-' && text[1] == '-' &&
           (text[length] == '=' || text[length] == '\0') &&
           (has_line(usage, text, length) ||
            has_line(handler_usage(), text, length));
}

static int is_named(const char *option, size_t length, const char *name)
{
    return after(option, name, strlen(name)) == option + length;
}

struct options {
    const char *event, *timeout; /* or NULL */
    struct http_text json;       /* the others, an object of strings */
};

static void add_option(struct options *o, const char *name, size_t length,
                       const char *value)
{
    if (is_named(name, length, "--event")) {
        o->event = value;
    } else if (is_named(name, length, "--timeout")) {
        o->timeout = value;
    } else {
        http_format(&o->json, o->json.length > 1 ? ",\"" : "\"");
        http_append(&o->json, name + 2, length - 2);
        http_format(&o->json, "\":");
        lambda_quote(&o->json, value, strlen(value));
    }
}

/* Options are "--name=value" or "--name value". Ends the process where one is
 * wrong, or asks for no run. */
static void read_options(struct options *o, char **options)
{
    char *option, *value;
    size_t length;

    http_format(&o->json, "{");
    for (; (option = *options) != NULL; options++) {
        if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
            _exit(print_usage(1) < 0 ? 1 : 0);
        if (strcmp(option, "--version") == 0)
            _exit(print(1, "rawstream " RAWSTREAM_VERSION "\n") < 0 ? 1 : 0);
        length = http_span(option, "azAZ09", "-_");
        if (!is_option(option, length))
            usage_error(option, "no such option");
        value = option[length] == '=' ? option + length + 1 : *++options;
        if (!value)
            usage_error(option, "needs a value");
        add_option(o, option, length, value);
    }
    http_format(&o->json, "}");
    if (o->json.full)
        usage_error("options", "longer than 64 KiB");
}

/* Reads the event; gives its length. */
static size_t read_event(char *to, const char *file)
{
    int fd = strcmp(file, "-") == 0 ? 0 : openat(AT_FDCWD, file, O_RDONLY);
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, to + length, HTTP_BODY_BYTES_MAX + 1 - length)) != 0) {
        if (n < 0)
            usage_error("--event", "cannot be read");
        length += (size_t)n;
        if (length > HTTP_BODY_BYTES_MAX)
            usage_error("--event", http_reason(HTTP_BODY));
    }
    return length;
}

/* Gives the message the deadline of a run by hand, as Lambda would. */
static void set_deadline(struct http_message *m, const char *seconds)
{
    static char name[] = "Lambda-Runtime-Deadline-Ms", value[24];
    struct http_text t = http_text_in(value, sizeof value);
    int64_t timeout;
    const char *end = http_decimal(seconds, TIMEOUT_S_MAX, &timeout);

    if (!end || *end != '\0' || timeout == 0)
        usage_error("--timeout", "must be a whole number from 1 to 900");
    timeout = wall_clock_ms() + timeout * 1000;
    http_format(&t, "%lld", (long long)timeout);
    m->fields[m->field_count++] = (struct http_field){name, value};
}

/* There is no framing: the body goes to standard output, and status and headers
 * of an HTTP answer, as a line of JSON, to standard error. */
static int transmit_by_hand(struct http_stream *s, const void *bytes,
                            size_t length, const char *end)
{
    char line[HTTP_PRELUDE_BYTES_MAX];
    struct http_text t = http_text_in(line, sizeof line);

    (void)end; /* chunks have no end here */
    if (!s->begun && s->status > 0) {
        http_prelude(&t, s);
        http_append(&t, "\n", 1);
        (void)http_print(2, t.bytes, t.length);
    }
    s->begun = 1;
    s->error = http_print(1, s->text.bytes, s->text.length);
    s->text.length = 0;
    if (s->error == 0)
        s->error = http_print(1, bytes, length);
    s->system_error = errno;
    return s->error;
}

/* The event is what --event names, or an empty object. */
static int invoke_by_hand(struct runtime *r, const struct options *o)
{
    struct http_message *m = &r->message;
    struct invocation in;

    m->body = o->json.size;
    memcpy(m->buffer + m->body, empty_object, 2);
    m->body_length = o->event ? read_event(m->buffer + m->body, o->event) : 2;
    if (o->timeout)
        set_deadline(m, o->timeout);
    in = describe(m, r->stream.id);
    return handler_invoke(&in, &r->stream);
}

/* Tells the error of the handler, if there was one. Gives the exit status. */
static int tell(const struct http_stream *s)
{
    if (s->error_json[0] != '\0') {
        (void)print(2, s->error_json);
        (void)print(2, "\n");
    }
    return s->error < 0 || s->error_json[0] != '\0';
}

/* Gives the exit status. */
static int run_by_hand(struct runtime *r, char **argv)
{
    struct http_stream *s = &r->stream;
    struct options o = {.json = http_text_in(r->input, HTTP_HEAD_BYTES_MAX)};
    struct json_token options;
    int rc;

    read_options(&o, argv);
    options = (struct json_token){JSON_OBJECT, o.json.bytes, o.json.length};
    http_message_start(&r->message, r->input);
    r->connection.fd = -1;
    http_start(s, &r->connection, "by-hand", "");
    s->transmit = transmit_nothing;
    if (failed(s, handler_init(s, &options))) {
        (void)tell(s);
        (void)print_usage(2);
        return 2;
    }
    http_start(s, &r->connection, "by-hand", "");
    s->transmit = transmit_by_hand;
    rc = invoke_by_hand(r, &o);
    if (!failed(s, rc) || (s->begun && is_handlers_own(s->error)))
        (void)http_end(s);
    if (s->error == HTTP_SYSTEM)
        log_line(LAMBDA_ERROR, "standard output", "",
                 system_reason(s->system_error));
    return tell(s);
}

/* Start */

int main(int argc, char **argv)
{
    static struct runtime runtime;
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");

    on_signal(SIGPIPE, SIG_IGN);
    on_signal(SIGTERM, stop);
    on_signal(SIGINT, stop);
    if (api)
        return run_in_lambda(&runtime, api);
    return run_by_hand(&runtime, argv + (argc > 0));
}

#if !__STDC_HOSTED__

/*
 * Without a C library: the process's entry, the system calls, and the few
 * functions of C that the code above and a handler use. Linux on x86_64 and
 * arm64; the numbers come from the kernel's headers, the prototypes from the
 * C library's, of which not a byte is linked.
 */
#include <elf.h>
#include <poll.h>
#include <sys/syscall.h>

/* Initialised so that they land in .data: one page fewer at start. */
static char **environment = NULL;
static int last_error = 0;

/* What `errno` stands for in glibc's and musl's <errno.h>. */
int *__errno_location(void);

int *__errno_location(void)
{
    return &last_error;
}

#define NUMBER(number)      NUMBER_TEXT(number)
#define NUMBER_TEXT(number) #number

/* A system call takes its arguments in the registers of a function call (but
 * for the fourth on x86_64), so that each is a number and a jump. */
#if defined __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call kernel_start\n"
        "kernel_enter:\n" /* the number in eax, arguments as for a function */
        "    mov %rcx, %r10\n"
        "    syscall\n"
        "    mov %rax, %rdi\n"
        "    jmp kernel_result\n"
        ".globl kernel_return\n"
        "kernel_return:\n" /* from a signal's handler */
        "    mov $" NUMBER(__NR_rt_sigreturn) ", %eax\n"
                                              "    syscall\n");
#define LOAD_AND_ENTER(number)            \
    "    mov $" NUMBER(number) ", %eax\n" \
                               "    jmp kernel_enter\n"
#elif defined __aarch64__
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x29, xzr\n"
        "    mov x30, xzr\n"
        "    mov x0, sp\n"
        "    b kernel_start\n"
        "kernel_enter:\n" /* the number in x8, arguments as for a function */
        "    svc 0\n"
        "    b kernel_result\n"
        ".globl kernel_return\n"
        "kernel_return:\n" /* from a signal's handler */
        "    mov x8, #" NUMBER(__NR_rt_sigreturn) "\n"
                                                  "    svc 0\n");
#define LOAD_AND_ENTER(number)          \
    "    mov x8, #" NUMBER(number) "\n" \
                                   "    b kernel_enter\n"
#else
#error "no system calls for this processor: make HOSTED=1"
#endif
/* Each has a section of its own, so that one that nobody calls is left out. */
#define SYSTEM_CALL(name, number)                               \
    __asm__(".pushsection .text." #name ", \"ax\", %progbits\n" \
            ".globl " #name "\n" #name                          \
            ":\n" LOAD_AND_ENTER(number) ".popsection\n")

SYSTEM_CALL(_exit, __NR_exit_group);
SYSTEM_CALL(clock_gettime, __NR_clock_gettime);
SYSTEM_CALL(close, __NR_close);
SYSTEM_CALL(connect, __NR_connect);
SYSTEM_CALL(fcntl, __NR_fcntl);
SYSTEM_CALL(getsockopt, __NR_getsockopt);
SYSTEM_CALL(nanosleep, __NR_nanosleep);
SYSTEM_CALL(openat, __NR_openat);
SYSTEM_CALL(read, __NR_read);
SYSTEM_CALL(setsockopt, __NR_setsockopt);
SYSTEM_CALL(socket, __NR_socket);
SYSTEM_CALL(write, __NR_write);
SYSTEM_CALL(writev, __NR_writev);
SYSTEM_CALL(kernel_sigaction, __NR_rt_sigaction);

/* For workers. */
SYSTEM_CALL(getpid, __NR_getpid);
SYSTEM_CALL(getppid, __NR_getppid);
SYSTEM_CALL(kill, __NR_kill);
SYSTEM_CALL(kernel_clone, __NR_clone);
SYSTEM_CALL(kernel_pipe2, __NR_pipe2);
SYSTEM_CALL(kernel_wait4, __NR_wait4);
SYSTEM_CALL(prctl, __NR_prctl);

/* For handlers. */
SYSTEM_CALL(fstat, __NR_fstat);
SYSTEM_CALL(getrandom, __NR_getrandom);
SYSTEM_CALL(pread, __NR_pread64);

/* POSIX's convention: -1, and in errno what the kernel gives as -errno. */
long kernel_result(long value);

__attribute__((used)) long kernel_result(long value)
{
    if (value >= 0 || value < -4095)
        return value;
    errno = (int)-value;
    return -1;
}

/* Named by the linker: where the kernel has put the program, and tables in it.
 * Hidden names are reached without a relocation. */
#define LINKER_NAMES __attribute__((visibility("hidden")))
LINKER_NAMES extern const char __ehdr_start[];
LINKER_NAMES extern const Elf64_Dyn _DYNAMIC[];
LINKER_NAMES extern void (*const __init_array_start[])(void);
LINKER_NAMES extern void (*const __init_array_end[])(void);

/* The program may lie at any address. A pointer in static data, as in a
 * handler's table of names, is an offset until that address is added. The
 * build refuses relocations of any other kind. */
static void relocate(void)
{
    const uintptr_t base = (uintptr_t)__ehdr_start;
    const Elf64_Rela *r;
    uintptr_t table = 0;
    size_t size = 0;

    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            table = base + d->d_un.d_ptr;
        if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
    }
    r = (const Elf64_Rela *)table;
    for (; size > 0; size -= sizeof *r, r++)
        *(uintptr_t *)(base + r->r_offset) = base + (uintptr_t)r->r_addend;
}

void kernel_start(long *stack);

/* The kernel leaves on the stack: argc, argv, NULL, the environment, NULL. */
__attribute__((used)) void kernel_start(long *stack)
{
    char **argv = (char **)(stack + 1);
    size_t constructors = ((uintptr_t)__init_array_end -
                           (uintptr_t)__init_array_start) /
                          sizeof *__init_array_start;

    relocate();
    environment = argv + *stack + 1;
    for (size_t i = 0; i < constructors; i++)
        __init_array_start[i](); /* of C++ */
    _exit(main((int)*stack, argv));
}

__attribute__((visibility("hidden"))) void kernel_return(void);
int kernel_sigaction(int signal, const void *action, void *old, size_t size);

#ifdef __NR_poll /* arm64 has none */
SYSTEM_CALL(poll, __NR_poll);
#else
SYSTEM_CALL(kernel_ppoll, __NR_ppoll);
int kernel_ppoll(struct pollfd *fds, nfds_t count, struct timespec *timeout,
                 const void *signals, size_t size);

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

    return kernel_ppoll(fds, count, timeout_ms < 0 ? NULL : &t, NULL, 0);
}
#endif

long kernel_clone(unsigned long flags, void *stack, void *a, void *b, void *c);
int kernel_pipe2(int *ends, int flags);
int kernel_wait4(int pid, int *status, int options, void *usage);

pid_t fork(void)
{
    return (pid_t)kernel_clone(SIGCHLD, NULL, NULL, NULL, NULL);
}

int pipe(int ends[2])
{
    return kernel_pipe2(ends, 0);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return kernel_wait4(pid, status, options, NULL);
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } a = {action->sa_handler, 0x04000000 /* SA_RESTORER */, kernel_return, 0};

    return kernel_sigaction(signal, &a, old, sizeof a.mask);
}

char *getenv(const char *name)
{
    char *value;

    for (char **e = environment; *e; e++)
        if ((value = after(*e, name, strlen(name))) != NULL && *value == '=')
            return value + 1;
    return NULL;
}

/* The compiler has ideas of its own about functions of these names: it must not
 * look into them. */
#ifdef __clang__
#define OPAQUE __attribute__((noinline))
#else
#define OPAQUE __attribute__((noipa))
#endif

/* An empty asm in a loop keeps the compiler from finding out that the loop is
 * memcpy, or strlen, and calling itself. */
#define KEEP_LOOP __asm__ volatile("")

/* From the first byte to the last; `to` may be below `from` in the same
 * memory. */
static void copy_upward(char *to, const char *from, size_t length)
{
#ifdef __x86_64__
    __asm__ volatile("rep movsb"
                     : "+D"(to), "+S"(from), "+c"(length)
                     :
                     : "memory");
#else
    struct __attribute__((packed, may_alias)) word {
        uint64_t bytes;
    };

    for (; length >= sizeof(struct word); length -= sizeof(struct word)) {
        ((struct word *)to)->bytes = ((const struct word *)from)->bytes;
        to += sizeof(struct word);
        from += sizeof(struct word);
        KEEP_LOOP;
    }
    for (; length > 0; length--) {
        *to++ = *from++;
        KEEP_LOOP;
    }
#endif
}

OPAQUE void *memmove(void *to, const void *from, size_t length)
{
    char *t = to;
    const char *f = from;

    if (t < f)
        copy_upward(t, f, length);
    else if (t > f)
        while (length-- > 0) {
            t[length] = f[length];
            KEEP_LOOP;
        }
    return to;
}

/* Not by way of memmove(): the compiler would call memcpy() for it, for ever.
 */
OPAQUE void *memcpy(void *to, const void *from, size_t length)
{
    copy_upward(to, from, length);
    return to;
}

OPAQUE void *memset(void *to, int byte, size_t length)
{
    for (char *t = to; length > 0; length--) {
        *t++ = (char)byte;
        KEEP_LOOP;
    }
    return to;
}

OPAQUE int memcmp(const void *a, const void *b, size_t length)
{
    const unsigned char *p = a, *q = b;

    for (; length > 0; length--, p++, q++) {
        if (*p != *q)
            return *p - *q;
        KEEP_LOOP;
    }
    return 0;
}

OPAQUE void *memchr(const void *bytes, int byte, size_t length)
{
    const unsigned char *p = bytes;

    for (; length > 0; length--, p++) {
        if (*p == (unsigned char)byte)
            return (void *)(uintptr_t)p;
        KEEP_LOOP;
    }
    return NULL;
}

OPAQUE size_t strlen(const char *text)
{
    size_t n = 0;

    while (text[n] != '\0') {
        n++;
        KEEP_LOOP;
    }
    return n;
}

OPAQUE int strcmp(const char *a, const char *b)
{
    for (; *a == *b && *a != '\0'; a++, b++)
        KEEP_LOOP;
    return (unsigned char)*a - (unsigned char)*b;
}

/* What a handler in C++ refers to. Static objects are not destroyed: the
 * process ends when nobody needs them any more. */
int __cxa_atexit(void (*destroy)(void *), void *object, const void *program);
void __cxa_pure_virtual(void);
extern const char __dso_handle;

const char __dso_handle = 0;

int __cxa_atexit(void (*destroy)(void *), void *object, const void *program)
{
    (void)destroy, (void)object, (void)program;
    return 0;
}

/* A function that no class has defined. */
void __cxa_pure_virtual(void)
{
    _exit(1);
}

#endif
