#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include "json.h"
#include "sandbox.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The limits of Function URLs and of Invoke. An asynchronous event may have
 * 1 MB. */
#define HEAD_BYTES_MAX        (1024u * 1024u)
#define EVENT_BYTES_MAX       (6u * 1024u * 1024u)
#define ASYNC_EVENT_BYTES_MAX (1024u * 1024u)

/* How long a connection may take for its next head, idle or not, and then for
 * the body. */
#define HEAD_NS (60 * NS_PER_S)
#define BODY_NS (120 * NS_PER_S)

static const struct settings *settings;
static struct watch listener;

static struct client *of(struct conn *c)
{
    return CONTAINER(c, struct client, conn);
}

void client_reply(struct client *c, int status, const char *fields,
                  struct slice body)
{
    struct buf *out = &c->conn.out;
    const struct head *h = &c->conn.reader.head;

    buf_format(out, "HTTP/1.1 %d %s\r\n", status, status_reason(status));
    add_date(out);
    buf_text(out, fields);
    if (status != 204) {
        buf_format(out, "Content-Length: %zu\r\n", body.size);
    }
    if (h->close) {
        buf_text(out, "Connection: close\r\n");
    } else if (h->minor == 0) {
        buf_text(out, "Connection: keep-alive\r\n");
    }
    buf_text(out, "\r\n");
    if (!slice_is(h->method, "HEAD")) {
        buf_add_slice(out, body);
    }
    c->answered = true;
    conn_flush(&c->conn);
}

void client_done(struct client *c, bool complete)
{
    struct conn *conn = &c->conn;

    buf_clear(&c->answer);
    buf_clear(&c->fields);
    buf_clear(&c->body);
    free(c->content_type);
    free(c->name);
    c->content_type = c->name = NULL;
    c->has_prelude = c->prelude_read = c->answered = c->bodyless = false;
    if (!complete || conn->reader.head.close || conn->broken) {
        conn_finish(conn);
        return;
    }
    conn_next_request(conn);
    conn->watch.due = now_ns() + HEAD_NS;
    conn_flush(conn);
    conn_pump(conn);
}

size_t client_room(const struct client *c)
{
    size_t waiting = buf_size(&c->conn.out);

    /* A client that has left does not stop the function. */
    if (c->conn.fd < 0 || c->conn.broken || c->bodyless) {
        return SIZE_MAX;
    }
    return waiting < OUT_HIGH_BYTES ? OUT_HIGH_BYTES - waiting : 0;
}

/* Refuses a request whose body has not been read. */
static void refuse(struct client *c, int status, const char *fields,
                   const char *text)
{
    c->conn.reader.head.close = true;
    client_reply(c, status, fields, slice_of(text));
    client_done(c, false);
}

static void refuse_as_service(struct client *c, int status, const char *type,
                              const char *message)
{
    struct buf fields = {0}, body = {0};

    buf_format(&fields,
               "Content-Type: application/json\r\nx-amzn-ErrorType: %s\r\n%c",
               type, 0);
    buf_text(&body, "{\"Type\":\"User\",\"Message\":");
    json_quote(&body, slice_of(message));
    buf_format(&body, "}%c", 0);
    refuse(c, status, (char *)fields.data, (char *)body.data);
    buf_free(&fields);
    buf_free(&body);
}

static void refuse_size(struct client *c)
{
    struct buf text = {0};

    if (c->route == ROUTE_URL) {
        refuse(c, 413, "Content-Type: application/json\r\n",
               "{\"Message\":\"Request Entity Too Large\"}");
        return;
    }
    buf_format(&text,
               "Request must be smaller than %llu bytes for the "
               "InvokeFunction operation%c",
               (unsigned long long)c->body_max, 0);
    refuse_as_service(c, 413, "RequestTooLargeException", (char *)text.data);
    buf_free(&text);
}

/* /<date>/functions/NAME/<what> */
static bool names_function(struct client *c, const char *before,
                           const char *after)
{
    struct slice path = c->conn.reader.head.path;
    size_t head = strlen(before), tail = strlen(after);
    struct buf name = {0};

    if (path.size <= head + tail || memcmp(path.data, before, head) != 0 ||
        memcmp(path.data + path.size - tail, after, tail) != 0) {
        return false;
    }
    path.data += head;
    path.size -= head + tail;
    if (memchr(path.data, '/', path.size) != NULL) {
        return false;
    }
    percent_decode(&name, path, false);
    c->name = slice_copy(buf_slice(&name));
    buf_free(&name);
    return true;
}

static enum route find_route(struct client *c)
{
    if (!slice_is(c->conn.reader.head.method, "POST")) {
        return ROUTE_URL;
    }
    if (names_function(c, "/2021-11-15/functions/",
                       "/response-streaming-invocations")) {
        return ROUTE_STREAM;
    }
    return names_function(c, "/2015-03-31/functions/", "/invocations")
               ? ROUTE_INVOKE
               : ROUTE_URL;
}

static bool asks(const struct client *c, const char *name, const char *value)
{
    struct slice s;

    return fields_get(&c->conn.reader.head.fields, name, &s) &&
           slice_is(s, value);
}

static void on_head(struct conn *conn)
{
    struct client *c = of(conn);
    const struct head *h = &conn->reader.head;

    conn->watch.due = now_ns() + BODY_NS;
    c->route = find_route(c);
    c->body_max = EVENT_BYTES_MAX;
    if (c->route == ROUTE_INVOKE && asks(c, "x-amz-invocation-type", "Event")) {
        c->body_max = ASYNC_EVENT_BYTES_MAX;
    }
    if (slice_is(h->method, "CONNECT")) {
        refuse(c, 405, "Content-Type: application/json\r\n",
               "{\"Message\":\"Method Not Allowed\"}");
    } else if (h->length > c->body_max) {
        refuse_size(c);
    } else if (h->expects_continue) {
        buf_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
        conn_flush(conn);
    }
}

static void on_data(struct conn *conn, struct slice data)
{
    struct client *c = of(conn);

    if (buf_size(&c->body) + data.size > c->body_max) {
        refuse_size(c);
        return;
    }
    buf_add_slice(&c->body, data);
}

static char *arn_of(const struct client *c)
{
    const char *name = c->name == NULL ? "function" : c->name;
    struct slice query = c->conn.reader.head.query;
    struct buf arn = {0};
    char *text;

    if (strncmp(name, "arn:", 4) == 0) {
        buf_text(&arn, name);
    } else {
        /* A partial ARN has the account and the word in front already. */
        const char *last = strstr(name, ":function:");

        buf_format(&arn, "arn:aws:lambda:us-east-1:123456789012:function:%s",
                   last == NULL ? name : last + strlen(":function:"));
    }
    while (query.size > 0) {
        struct slice value = slice_cut(&query, '&');

        if (slice_is(slice_cut(&value, '='), "Qualifier") && value.size > 0) {
            buf_byte(&arn, ':');
            percent_decode(&arn, value, true);
        }
    }
    /* It becomes a field value of /next. */
    for (size_t i = arn.start; i < arn.end; i++) {
        if (arn.data[i] < 0x20 || arn.data[i] == 0x7f) {
            arn.data[i] = '?';
        }
    }
    text = slice_copy(buf_slice(&arn));
    buf_free(&arn);
    return text;
}

static char *field_copy(const struct client *c, const char *name)
{
    struct slice value;

    return fields_get(&c->conn.reader.head.fields, name, &value) &&
                   value.size > 0
               ? slice_copy(value)
               : NULL;
}

/* The header is base64 for the sake of its own way through HTTP; what the
 * runtime gets is the JSON text in it, on one line. */
static bool add_client_context(struct client *c, struct invocation *i)
{
    struct buf text = {0};
    struct slice value;
    bool good = true;

    if (fields_get(&c->conn.reader.head.fields, "x-amz-client-context",
                   &value) &&
        value.size > 0) {
        good = base64_decode(&text, value) && json_fault(buf_slice(&text)) < 0;
        for (size_t k = text.start; k < text.end; k++) {
            text.data[k] = text.data[k] < 0x20 ? ' ' : text.data[k];
        }
        if (good) {
            i->client_context = slice_copy(buf_slice(&text));
        }
    }
    buf_free(&text);
    return good;
}

static void refuse_rate(struct client *c)
{
    if (c->route == ROUTE_URL) {
        refuse(c, 429, "Content-Type: application/json\r\n",
               "{\"Reason\":\"ConcurrentInvocationLimitExceeded\","
               "\"Message\":\"Rate Exceeded.\"}");
    } else {
        refuse_as_service(c, 429, "TooManyRequestsException", "Rate Exceeded.");
    }
}

/* Submits, or says to the client why not. */
static bool submit(struct client *c, struct invocation *i)
{
    memcpy(c->id, i->id, sizeof c->id);
    if (buf_size(&i->event) > PAYLOAD_BYTES_MAX) {
        /* A body within its limit, but not any more in base64. */
        invocation_discard(i);
        refuse_size(c);
        return false;
    }
    if (!pool_submit(i)) {
        invocation_discard(i);
        refuse_rate(c);
        return false;
    }
    return true;
}

static struct invocation *new_invocation(struct client *c, bool waits)
{
    char *arn = arn_of(c), *trace = field_copy(c, "x-amzn-trace-id");
    struct invocation *i = invocation_new(waits ? &c->caller : NULL, arn);

    free(arn);
    if (trace != NULL) {
        free(i->trace_id);
        i->trace_id = trace;
    }
    return i;
}

static void start_url(struct client *c)
{
    struct invocation *i;

    c->caller.ops = &url_ops;
    i = new_invocation(c, true);
    url_event(&i->event, c, i->id);
    buf_clear(&c->body);
    (void)submit(c, i);
}

static void answer_at_once(struct client *c, int status)
{
    struct buf fields = {0};

    buf_format(&fields, "x-amzn-RequestId: %s\r\n%c", c->id, 0);
    client_reply(c, status, (char *)fields.data, slice_of(""));
    buf_free(&fields);
    client_done(c, true);
}

static void start_invoke(struct client *c)
{
    bool async = c->route == ROUTE_INVOKE &&
                 asks(c, "x-amz-invocation-type", "Event");
    struct invocation *i;
    long fault;

    if (buf_size(&c->body) == 0) {
        buf_text(&c->body, "{}");
    }
    fault = json_fault(buf_slice(&c->body));
    if (fault >= 0) {
        char text[96];

        (void)snprintf(text, sizeof text,
                       "Could not parse request body into json: not JSON at "
                       "byte %ld",
                       fault);
        refuse_as_service(c, 400, "InvalidRequestContentException", text);
        return;
    }
    c->caller.ops = c->route == ROUTE_STREAM ? &stream_ops : &invoke_ops;
    i = new_invocation(c, !async);
    i->tenant_id = field_copy(c, "x-amz-tenant-id");
    if (!add_client_context(c, i)) {
        invocation_discard(i);
        refuse_as_service(c, 400, "InvalidRequestContentException",
                          "Client context must be a valid Base64-encoded JSON "
                          "object.");
        return;
    }
    if (asks(c, "x-amz-invocation-type", "DryRun")) {
        memcpy(c->id, i->id, sizeof c->id);
        invocation_discard(i);
        answer_at_once(c, 204);
        return;
    }
    i->event = c->body;
    c->body = (struct buf){0};
    if (submit(c, i) && async) {
        answer_at_once(c, 202);
    }
}

static void on_end(struct conn *conn)
{
    struct client *c = of(conn);

    conn->hold = true;
    conn->watch.due = 0;
    if (c->route == ROUTE_URL) {
        start_url(c);
    } else {
        start_invoke(c);
    }
}

static void on_bad(struct conn *conn)
{
    struct buf text = {0};

    buf_text(&text, "{\"Message\":");
    json_quote(&text, slice_of(conn->reader.fault));
    buf_format(&text, "}%c", 0);
    refuse(of(conn), conn->reader.status, "Content-Type: application/json\r\n",
           (char *)text.data);
    buf_free(&text);
}

static size_t on_room(struct conn *conn)
{
    (void)conn;
    return SIZE_MAX;
}

static void on_eof(struct conn *conn)
{
    conn_finish(conn);
}

static void on_drained(struct conn *conn)
{
    invocation_resume(of(conn)->caller.invocation);
}

static void on_closed(struct conn *conn)
{
    struct client *c = of(conn);

    buf_free(&conn->in);
    reader_free(&conn->reader);
    buf_free(&c->body);
    buf_free(&c->answer);
    buf_free(&c->fields);
    free(c->name);
    free(c->content_type);
    c->name = c->content_type = NULL;
    loop_free(c);
}

static const struct conn_ops ops = {.head = on_head,
                                    .data = on_data,
                                    .end = on_end,
                                    .bad = on_bad,
                                    .room = on_room,
                                    .eof = on_eof,
                                    .drained = on_drained,
                                    .lost = on_drained,
                                    .closed = on_closed};

static void on_due(struct watch *w)
{
    struct conn *conn = CONTAINER(w, struct conn, watch);

    if (conn->reader.state == READING_HEAD && buf_size(&conn->in) == 0) {
        conn_close(conn);
    } else {
        refuse(of(conn), 408, "", "");
    }
}

static void on_connection(struct watch *w, short revents)
{
    (void)revents;
    for (;;) {
        int fd = fd_prepare(accept(w->fd, NULL, NULL));
        struct client *c;

        if (fd < 0) {
            accept_pause(w);
            return;
        }
        c = allocate(sizeof *c);
        conn_open(&c->conn, fd, &ops, HEAD_BYTES_MAX);
        c->conn.watch.on_due = on_due;
        c->conn.watch.due = now_ns() + HEAD_NS;
    }
}

static void on_pause_over(struct watch *w)
{
    w->events = POLLIN;
}

bool front_open(const struct settings *chosen, uint16_t *port)
{
    settings = chosen;
    listener.fd = listen_on("127.0.0.1", settings->port, port);
    if (listener.fd < 0) {
        return false;
    }
    listener.events = POLLIN;
    listener.on_io = on_connection;
    listener.on_due = on_pause_over;
    loop_add(&listener);
    return true;
}
