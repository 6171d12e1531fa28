#define _POSIX_C_SOURCE 200809L
#include "runtime_api.h"

#include "conn.h"
#include "extension.h"
#include "host.h"
#include "log.h"
#include "text.h"
#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX (64u * 1024u)
/* An event above this size goes out chunked, as Lambda's does. */
#define CHUNKED_ABOVE_BYTES 2048u
/* What is read of a request that has been answered already, before the
 * connection is closed instead. */
#define DISCARD_BYTES_MAX (256u * 1024u)
#define ERROR_TYPE        "Lambda-Runtime-Function-Error-Type"
#define ERROR_BODY        "Lambda-Runtime-Function-Error-Body"
#define OK_BODY           "{\"status\":\"OK\"}\n"

enum job {
    JOB_NONE,
    JOB_PING,
    JOB_NEXT,
    JOB_RESPONSE,
    JOB_ERROR,
    JOB_INIT_ERROR,
    JOB_EXTENSION,
    JOB_DISCARD /* answered before its body was read */
};

struct api_conn {
    struct conn conn;
    struct sandbox *box;
    struct api_conn *next, **link;
    enum job job;
    struct invocation *invocation; /* whose response it sends */
    bool waiting;                  /* for an event */
    uint64_t since;                /* a count: who waits longest */
    bool streaming;
    bool announced_type, announced_body;
    struct buf body;
    uint64_t discarded;
};

/* Each event is for one connection, and is over when it is answered. */
static bool several(const struct sandbox *box)
{
    return box->settings->max_concurrency > 0;
}

/* The states of RAPID, whose names appear in its replies. */
static const char *state_name(const struct sandbox *box,
                              const struct invocation *i)
{
    static const char *const states[] = {"Off", "Started", "InitError",
                                         "Ready"};
    static const char *const phases[] = {
        "Ready", "Running", "InvocationResponse", "InvocationErrorResponse",
        "ResponseSent"};

    i = i != NULL || several(box) ? i : box->invocations;
    return box->state == RUNTIME_READY && i != NULL ? phases[i->phase]
                                                    : states[box->state];
}

static struct api_conn *of(struct conn *c)
{
    return CONTAINER(c, struct api_conn, conn);
}

/* Sends a reply with further fields, complete lines. If the body of the request
 * has not been read, the rest of it is discarded; if that would be much, so is
 * the connection. */
static void reply_with(struct api_conn *a, int status, const char *fields,
                       struct slice body)
{
    struct conn *c = &a->conn;
    bool ended = c->reader.state == READING_DONE;
    bool last = c->reader.head.close ||
                (!ended && c->reader.left > DISCARD_BYTES_MAX);

    buf_format(&c->out, "HTTP/1.1 %d %s\r\n%s", status, status_reason(status),
               fields);
    add_date(&c->out);
    buf_format(&c->out, "Content-Length: %zu\r\n%s\r\n", body.size,
               last ? "Connection: close\r\n" : "");
    buf_add_slice(&c->out, body);
    if (last) {
        conn_finish(c);
        return;
    }
    a->job = JOB_DISCARD;
    a->discarded = 0;
    if (ended) {
        a->job = JOB_NONE;
        conn_next_request(c);
    }
    conn_flush(c);
}

static void reply(struct api_conn *a, int status, const char *type,
                  struct slice body)
{
    struct buf fields = {0};

    buf_format(&fields, type[0] != '\0' ? "Content-Type: %s\r\n%c" : "%s%c",
               type, 0);
    reply_with(a, status, (char *)fields.data, body);
    buf_free(&fields);
}

void api_answer(struct api_conn *a, int status, const char *fields,
                struct slice body)
{
    a->conn.hold = false;
    reply_with(a, status, fields, body);
    conn_pump(&a->conn);
}

static void reply_json(struct api_conn *a, int status, const char *body)
{
    reply(a, status, "application/json", slice_of(body));
}

static void reply_error(struct api_conn *a, int status, const char *type,
                        const char *message)
{
    struct buf body = {0};

    buf_format(&body, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n",
               message, type);
    log_line(LOG_NOTE, "Runtime API: %d %s: %s", status, type, message);
    reply(a, status, "application/json", buf_slice(&body));
    buf_free(&body);
}

static void reply_forbidden(struct api_conn *a, const struct invocation *i,
                            const char *wanted)
{
    struct buf message = {0};

    buf_format(&message,
               "State transition from %s to %s failed for runtime. Error: "
               "State transition is not allowed%c",
               state_name(a->box, i), wanted, 0);
    reply_error(a, 403, "InvalidStateTransition", (char *)message.data);
    buf_free(&message);
}

static void go_on(struct api_conn *a)
{
    if (a->conn.reader.head.expects_continue) {
        buf_text(&a->conn.out, "HTTP/1.1 100 Continue\r\n\r\n");
        conn_flush(&a->conn);
    }
}

/* RAPID's rule for error types, fatalerror.go: what does not look like
 * (Runtime|Function).Name is replaced. */
static const char *valid_type(const char *type)
{
    for (const char *p = type; *p != '\0'; p++) {
        size_t n = strncmp(p, "Runtime.", 8) == 0    ? 8
                   : strncmp(p, "Function.", 9) == 0 ? 9
                                                     : 0;

        if (n > 0 && p[n] >= 'A' && p[n] <= 'Z' &&
            ((p[n + 1] | 0x20) >= 'a' && (p[n + 1] | 0x20) <= 'z')) {
            return type;
        }
    }
    return strncmp(type, "Function.", 9) == 0 ? "Function.Unknown"
                                              : "Runtime.Unknown";
}

static void reply_late(struct api_conn *a)
{
    reply_error(a, 410, "InvokeTimeout", "Invoke timeout");
}

/* The checks of every POST about an invocation, before the state machine.
 * NULL: it has been refused. */
static struct invocation *find(struct api_conn *a, struct slice id)
{
    struct invocation *i = sandbox_find(a->box, id);
    struct slice nonce;

    if (i == NULL && sandbox_was_late(a->box, id)) {
        reply_late(a);
        return NULL;
    }
    if (i == NULL) {
        reply_error(a, 400, "InvalidRequestID", "Invalid request ID");
        return NULL;
    }
    if (fields_get(&a->conn.reader.head.fields, "lambda-runtime-invocation-id",
                   &nonce) &&
        nonce.size > 0 && !slice_is(nonce, i->nonce)) {
        reply_late(a);
        return NULL;
    }
    return i;
}

/* On demand, the state machine is then stuck until the process ends. */
static void refuse_mode(struct api_conn *a, struct invocation *i)
{
    struct failure failure = {.type = "Runtime.InvalidResponseModeHeader",
                              .body = slice_of("")};

    if (several(a->box)) {
        sandbox_answered(i, &failure);
    } else {
        invocation_answer(i, &failure);
    }
    reply_error(a, 400, "InvalidFunctionResponseMode",
                "Invalid function response mode");
}

static void on_response(struct api_conn *a, struct slice id)
{
    const struct fields *fields = &a->conn.reader.head.fields;
    struct slice mode = slice_of(""), type = slice_of("");
    struct invocation *i = find(a, id);

    if (i == NULL) {
        return;
    }
    if (i->phase != PHASE_RUNNING) {
        reply_forbidden(a, i, "InvocationResponse");
        return;
    }
    i->phase = PHASE_RESPONDING;
    (void)fields_get(fields, "lambda-runtime-function-response-mode", &mode);
    if (mode.size > 0 && !slice_is(mode, "streaming")) {
        refuse_mode(a, i);
        return;
    }
    a->job = JOB_RESPONSE;
    a->streaming = mode.size > 0;
    a->announced_type = fields_has(fields, "trailer",
                                   "lambda-runtime-function-error-type");
    a->announced_body = fields_has(fields, "trailer",
                                   "lambda-runtime-function-error-body");
    a->invocation = i;
    i->upload = a;
    (void)fields_get(fields, "content-type", &type);
    invocation_begin(i, type);
    go_on(a);
}

static void on_error(struct api_conn *a, struct slice id)
{
    struct invocation *i = find(a, id);

    if (i == NULL) {
        return;
    }
    if (i->phase != PHASE_RUNNING) {
        reply_forbidden(a, i, "InvocationErrorResponse");
        return;
    }
    i->phase = PHASE_RESPONDING_ERROR;
    i->upload = a;
    a->invocation = i;
    a->job = JOB_ERROR;
    go_on(a);
}

/* Takes prefix and suffix off; what is left must be one path segment. */
static bool between(struct slice path, const char *prefix, const char *suffix,
                    struct slice *middle)
{
    size_t before = strlen(prefix), after = strlen(suffix);

    if (path.size < before + after || memcmp(path.data, prefix, before) != 0 ||
        memcmp(path.data + path.size - after, suffix, after) != 0) {
        return false;
    }
    *middle = (struct slice){path.data + before, path.size - before - after};
    return middle->size == 0 || memchr(middle->data, '/', middle->size) == NULL;
}

/* What a request is for. JOB_NONE: its path is known, its method is not the
 * right one; JOB_DISCARD: its path is unknown. */
static enum job find_job(const struct head *h, struct slice *id)
{
    struct slice path = h->path;
    bool get = slice_is(h->method, "GET"), post = slice_is(h->method, "POST");
    bool dated = path.size > 11 && memcmp(path.data, "/2018-06-01", 11) == 0;

    if (extension_path(path)) {
        return JOB_EXTENSION;
    }
    path.data += dated ? 11 : 0;
    path.size -= dated ? 11 : 0;
    if (slice_is(path, "/ping")) {
        return get ? JOB_PING : JOB_NONE;
    }
    if (dated && slice_is(path, "/runtime/invocation/next")) {
        return get ? JOB_NEXT : JOB_NONE;
    }
    if (dated && slice_is(path, "/runtime/init/error")) {
        return post ? JOB_INIT_ERROR : JOB_NONE;
    }
    if (dated && between(path, "/runtime/invocation/", "/response", id)) {
        return post ? JOB_RESPONSE : JOB_NONE;
    }
    if (dated && between(path, "/runtime/invocation/", "/error", id)) {
        return post ? JOB_ERROR : JOB_NONE;
    }
    return JOB_DISCARD;
}

/* A page that made a name of its own point here must not take events. */
static bool check_host(struct api_conn *a)
{
    struct slice host = slice_of("");

    (void)fields_get(&a->conn.reader.head.fields, "host", &host);
    if (host_is_allowed(host, &a->box->settings->allowed_hosts)) {
        return true;
    }
    log_line(LOG_NOTE,
             "Runtime API: refused the host \"%.*s\"; --allow-host allows it",
             (int)host.size, (const char *)host.data);
    reply(a, 421, "text/plain; charset=utf-8",
          slice_of("this host is not known here\n"));
    return false;
}

static void on_head(struct conn *c)
{
    struct api_conn *a = of(c);
    struct head *h = &c->reader.head;
    struct slice id = {0};
    enum job job = find_job(h, &id);

    a->job = JOB_NONE;
    buf_clear(&a->body);
    if (!check_host(a)) {
        return;
    }
    switch (job) {
    case JOB_NONE:
        reply(a, 405, "", slice_of(""));
        break;
    case JOB_RESPONSE:
        on_response(a, id);
        break;
    case JOB_ERROR:
        on_error(a, id);
        break;
    case JOB_DISCARD:
        log_line(LOG_NOTE, "Runtime API: 404 for %.*s", (int)h->target.size,
                 (const char *)h->target.data);
        reply(a, 404, "text/plain; charset=utf-8",
              slice_of("404 page not found\n"));
        break;
    default:
        if (job == JOB_INIT_ERROR && a->box->state != RUNTIME_STARTED) {
            reply_forbidden(a, NULL, "InitError");
            break;
        }
        a->job = job;
        go_on(a);
    }
}

/* The response is over; what failed is told with the state that allows the
 * runtime to go on. */
static void end_upload(struct api_conn *a, const struct failure *failure)
{
    struct invocation *i = a->invocation;

    a->invocation = NULL;
    i->upload = NULL;
    sandbox_answered(i, failure);
}

static void too_large(struct api_conn *a)
{
    struct buf text = {0}, body = {0};
    unsigned long long limit = invocation_limit(a->invocation);

    buf_format(&body,
               "{\"errorMessage\":\"Response payload size exceeded maximum "
               "allowed payload size (%llu bytes).\",\"errorType\":"
               "\"Function.ResponseSizeTooLarge\"}",
               limit);
    end_upload(a, &(struct failure){.type = "Function.ResponseSizeTooLarge",
                                    .body = buf_slice(&body)});
    buf_format(&text, "Exceeded maximum allowed payload size (%llu bytes).%c",
               limit, 0);
    reply_error(a, 413, "RequestEntityTooLarge", (char *)text.data);
    buf_free(&text);
    buf_free(&body);
}

static void on_data(struct conn *c, struct slice data)
{
    struct api_conn *a = of(c);

    switch (a->job) {
    case JOB_RESPONSE:
        a->invocation->chunks = c->reader.chunks;
        if (!invocation_data(a->invocation, data)) {
            too_large(a);
        }
        break;
    case JOB_ERROR:
    case JOB_INIT_ERROR:
    case JOB_EXTENSION:
        /* What an error report has above the limit of any payload is lost. */
        if (data.size <= PAYLOAD_BYTES_MAX - buf_size(&a->body)) {
            buf_add_slice(&a->body, data);
        }
        break;
    case JOB_DISCARD:
        a->discarded += data.size;
        if (a->discarded > DISCARD_BYTES_MAX) {
            conn_finish(c);
        }
        break;
    default:
        break;
    }
}

/* RFC 9110, section 6.6.2: Lambda knows only the trailers that the Trailer
 * field has announced; and a caller that does not stream gets them only of a
 * response that says it does. What is lost is worth a line. */
static bool trailer(const struct api_conn *a, const char *name, bool announced,
                    struct slice *value)
{
    const struct caller *caller = a->invocation->caller;

    if (!fields_get(&a->conn.reader.trailers, name, value)) {
        return false;
    }
    if (!announced) {
        log_line(LOG_NOTE,
                 "trailer lost: %s was not announced in a Trailer "
                 "field",
                 name);
        return false;
    }
    if (!a->streaming && (caller == NULL || !caller->ops->streams)) {
        log_line(LOG_NOTE,
                 "trailer lost: %s of a response that does not say "
                 "it is streaming",
                 name);
        return false;
    }
    return true;
}

static void end_response(struct api_conn *a)
{
    struct failure failure = {.in_trailers = true};
    struct slice type = slice_of(""), text = slice_of("");
    struct buf body = {0};
    char *copy;

    if (!trailer(a, ERROR_TYPE, a->announced_type, &type)) {
        type = slice_of("");
    }
    if (trailer(a, ERROR_BODY, a->announced_body, &text) &&
        !base64_decode(&body, text)) {
        log_line(LOG_NOTE, "%s is not base64; it is passed on as it is",
                 ERROR_BODY);
        buf_add_slice(&body, text);
    }
    copy = slice_copy(type.size > 0 ? type : slice_of("Runtime.Unknown"));
    failure.type = copy;
    failure.body = buf_slice(&body);
    end_upload(a, type.size > 0 || failure.body.size > 0 ? &failure : NULL);
    free(copy);
    buf_free(&body);
    reply_json(a, 202, OK_BODY);
}

static void end_error(struct api_conn *a)
{
    struct slice value = slice_of("");
    struct failure failure = {.body = buf_slice(&a->body)};
    char *type;

    (void)fields_get(&a->conn.reader.head.fields, ERROR_TYPE, &value);
    type = slice_copy(value);
    failure.type = valid_type(type);

    if (a->job == JOB_ERROR) {
        end_upload(a, &failure);
    } else {
        sandbox_init_error(a->box, &failure);
    }
    free(type);
    buf_clear(&a->body);
    reply_json(a, 202, OK_BODY);
}

static bool may_ask(const struct sandbox *box)
{
    const struct invocation *i = box->invocations;

    return (box->state == RUNTIME_STARTED || box->state == RUNTIME_READY) &&
           (several(box) || i == NULL ||
            (i->phase != PHASE_RESPONDING &&
             i->phase != PHASE_RESPONDING_ERROR));
}

static void on_next(struct api_conn *a)
{
    static uint64_t count;
    struct invocation *i = a->box->invocations;

    /* A response that was broken off on another connection may not have been
     * noticed yet. */
    if (!several(a->box) && i != NULL && i->upload != NULL) {
        conn_drain(&i->upload->conn);
    }
    if (!may_ask(a->box)) {
        reply_forbidden(a, NULL, "Ready");
        return;
    }
    a->waiting = true;
    a->since = count++;
    a->conn.hold = true;
    sandbox_next(a->box);
}

static void end_extension(struct api_conn *a)
{
    struct extension_reply r = {0};

    /* It may wait; and its event may already be there. */
    a->conn.hold = true;
    extension_request(a->box, a, &a->conn.reader.head, buf_slice(&a->body), &r);
    if (!r.waits) {
        a->conn.hold = false;
        buf_text(&r.fields, "Content-Type: application/json\r\n");
        buf_byte(&r.fields, 0);
        reply_with(a, r.status, (char *)r.fields.data, buf_slice(&r.body));
    }
    buf_free(&r.fields);
    buf_free(&r.body);
}

static void on_end(struct conn *c)
{
    struct api_conn *a = of(c);

    switch (a->job) {
    case JOB_PING:
        reply(a, 200, "", slice_of("pong"));
        break;
    case JOB_NEXT:
        on_next(a);
        break;
    case JOB_RESPONSE:
        end_response(a);
        break;
    case JOB_ERROR:
    case JOB_INIT_ERROR:
        end_error(a);
        break;
    case JOB_EXTENSION:
        end_extension(a);
        break;
    default:
        a->job = JOB_NONE;
        conn_next_request(c);
        break;
    }
}

/* A response that ends before its last chunk. */
static void truncate_upload(struct api_conn *a)
{
    static const char body[] =
        "{\"errorType\":\"Runtime.TruncatedResponse\",\"errorMessage\":"
        "\"The runtime's connection ended before its response did\"}";

    if (a->invocation != NULL) {
        end_upload(a, &(struct failure){.type = "Runtime.TruncatedResponse",
                                        .body = slice_of(body)});
    }
}

static void reply_truncated(struct api_conn *a)
{
    reply_error(a, 400, "TruncatedHTTPRequest",
                "HTTP request detected as truncated");
}

static void on_bad(struct conn *c)
{
    struct api_conn *a = of(c);
    struct buf body = {0};

    log_line(LOG_NOTE, "Runtime API: malformed request: %s", c->reader.fault);
    c->reader.head.close = true;
    if (a->invocation != NULL) {
        truncate_upload(a);
        reply_truncated(a);
        return;
    }
    buf_format(&body, "%d %s: %s\n", c->reader.status,
               status_reason(c->reader.status), c->reader.fault);
    if (a->job == JOB_DISCARD) {
        conn_finish(c);
    } else {
        reply(a, c->reader.status, "text/plain; charset=utf-8",
              buf_slice(&body));
    }
    buf_free(&body);
}

static void on_eof(struct conn *c)
{
    struct api_conn *a = of(c);

    c->reader.head.close = true;
    if (a->invocation != NULL) {
        truncate_upload(a);
        reply_truncated(a);
        return;
    }
    if (c->reader.state != READING_HEAD || buf_size(&c->in) > 0) {
        log_line(LOG_NOTE, "Runtime API: the connection ended in the middle "
                           "of a request");
    }
    conn_close(c);
}

static size_t on_room(struct conn *c)
{
    struct api_conn *a = of(c);

    if (a->job == JOB_RESPONSE && a->invocation != NULL) {
        return invocation_room(a->invocation);
    }
    return SIZE_MAX;
}

static void on_pumped(struct conn *c)
{
    struct api_conn *a = of(c);

    if (a->job == JOB_RESPONSE && a->invocation != NULL) {
        invocation_flush(a->invocation);
    }
}

/* While it waits for an event nothing is parsed; a connection that is gone
 * must not stay for that reason. */
static void on_lost(struct conn *c)
{
    if (of(c)->waiting || of(c)->job == JOB_EXTENSION) {
        conn_close(c);
    }
}

static void on_closed(struct conn *c)
{
    struct api_conn *a = of(c);

    truncate_upload(a);
    extension_lost(a->box, a);
    *a->link = a->next;
    if (a->next != NULL) {
        a->next->link = a->link;
    }
    buf_free(&c->in);
    reader_free(&c->reader);
    buf_free(&a->body);
    loop_free(a);
}

static const struct conn_ops ops = {.head = on_head,
                                    .data = on_data,
                                    .end = on_end,
                                    .pumped = on_pumped,
                                    .bad = on_bad,
                                    .room = on_room,
                                    .eof = on_eof,
                                    .lost = on_lost,
                                    .closed = on_closed};

void api_accept(struct sandbox *box)
{
    for (;;) {
        int fd = fd_prepare(accept(box->listener.fd, NULL, NULL));
        struct api_conn *a;

        if (fd < 0) {
            accept_pause(&box->listener);
            return;
        }
        a = allocate(sizeof *a);
        a->box = box;
        a->next = box->conns;
        a->link = &box->conns;
        if (a->next != NULL) {
            a->next->link = &a->next;
        }
        box->conns = a;
        conn_open(&a->conn, fd, &ops, HEAD_BYTES_MAX);
        a->conn.wire = wire_open(box->number, ++box->conn_count, &box->epoch);
    }
}

bool api_is_polled(const struct sandbox *box)
{
    for (const struct api_conn *a = box->conns; a != NULL; a = a->next) {
        if (a->waiting) {
            return true;
        }
    }
    return false;
}

static void add_field(struct buf *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        buf_format(out, "%s: %s\r\n", name, value);
    }
}

static void add_event_head(struct buf *out, const struct invocation *i)
{
    buf_text(out, "HTTP/1.1 200 OK\r\n");
    add_field(out, "Content-Type", "application/json");
    add_field(out, "Lambda-Runtime-Aws-Request-Id", i->id);
    add_field(out, "Lambda-Runtime-Client-Context", i->client_context);
    buf_format(out, "Lambda-Runtime-Deadline-Ms: %lld\r\n",
               (long long)i->deadline_ms);
    add_field(out, "Lambda-Runtime-Invocation-Id", i->nonce);
    add_field(out, "Lambda-Runtime-Invoked-Function-Arn", i->arn);
    add_field(out, "Lambda-Runtime-Aws-Tenant-Id", i->tenant_id);
    add_field(out, "Lambda-Runtime-Trace-Id", i->trace_id);
    add_date(out);
}

static void add_event(struct buf *out, const struct invocation *i, int minor)
{
    struct slice event = buf_slice(&i->event);
    size_t size = CHUNKED_ABOVE_BYTES / 2;

    add_event_head(out, i);
    if (event.size <= CHUNKED_ABOVE_BYTES || minor == 0) {
        buf_format(out, "Content-Length: %zu\r\n\r\n", event.size);
        buf_add_slice(out, event);
        return;
    }
    buf_text(out, "Transfer-Encoding: chunked\r\n\r\n");
    /* Lambda promises nothing about the sizes; growing ones find more of what
     * a runtime may have taken for granted than equal ones. */
    while (event.size > 0) {
        size = size < event.size ? size : event.size;
        add_chunk(out, (struct slice){event.data, size});
        event.data += size;
        event.size -= size;
        size = size < 65536 ? size * 2 - 1 : size;
    }
    buf_text(out, "0\r\n\r\n");
}

static void deliver_to(struct api_conn *a, struct invocation *i)
{
    bool last = a->conn.reader.head.close;

    a->waiting = false;
    a->job = JOB_NONE;
    add_event(&a->conn.out, i, a->conn.reader.head.minor);
    if (last) {
        conn_finish(&a->conn);
        return;
    }
    conn_next_request(&a->conn);
    conn_flush(&a->conn);
    conn_pump(&a->conn);
}

void api_deliver(struct invocation *i)
{
    struct sandbox *box = i->sandbox;
    struct api_conn *first = NULL;

    for (struct api_conn *a = box->conns, *next; a != NULL; a = next) {
        next = a->next;
        if (!a->waiting) {
            continue;
        }
        if (!several(box)) {
            deliver_to(a, i);
        } else if (first == NULL || a->since < first->since) {
            first = a;
        }
    }
    if (first != NULL) {
        deliver_to(first, i);
    }
}

void api_resume(struct invocation *i)
{
    if (i->upload != NULL) {
        conn_pump(&i->upload->conn);
    }
}

void api_abandon(struct invocation *i)
{
    struct api_conn *a = i->upload;

    if (a != NULL) {
        i->upload = NULL;
        a->invocation = NULL;
        reply_late(a);
        conn_pump(&a->conn);
    }
}

void api_drain(struct sandbox *box)
{
    api_accept(box);
    for (struct api_conn *a = box->conns, *next; a != NULL; a = next) {
        next = a->next;
        conn_drain(&a->conn);
    }
}

void api_close(struct sandbox *box, bool all)
{
    if (box->listener.fd >= 0 && all) {
        api_accept(box);
    }
    for (struct api_conn *a = box->conns, *next; a != NULL; a = next) {
        bool of_runtime = a->waiting || a->invocation != NULL;

        next = a->next;
        if (a->invocation != NULL) {
            a->invocation->upload = NULL;
            a->invocation = NULL;
        }
        if (all || of_runtime) {
            conn_close(&a->conn);
        }
    }
}
