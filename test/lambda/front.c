#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include "cors.h"
#include "event.h"
#include "host.h"
#include "log.h"
#include "pool.h"
#include "service.h"
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
#define ASYNC_EVENT_BYTES_MAX (1024u * 1024u)

/* How long a connection may take for its next head, idle or not, and then for
 * the body. */
#define HEAD_NS (60 * NS_PER_S)
#define BODY_NS (120 * NS_PER_S)

static const struct settings *settings;

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
    if (c->route == ROUTE_URL) {
        cors_add(out, settings, h);
    }
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
    free(c->trace);
    c->content_type = c->trace = NULL;
    uuid_make(c->id);
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

void client_refuse(struct client *c, int status, const char *fields,
                   const char *text)
{
    struct buf all = {0};

    c->conn.reader.head.close = true;
    buf_format(&all, "%sx-amzn-RequestId: %s\r\n%c", fields, c->id, 0);
    client_reply(c, status, (char *)all.data, slice_of(text));
    buf_free(&all);
    client_done(c, false);
}

static void refuse_size(struct client *c)
{
    if (c->route != ROUTE_URL) {
        service_refuse_size(c, c->body_max);
        return;
    }
    client_refuse(c, 413, "Content-Type: application/json\r\n",
                  "{\"Message\":\"Request Entity Too Large\"}");
}

static bool is_async(const struct client *c)
{
    struct slice type;

    return c->route == ROUTE_INVOKE &&
           fields_get(&c->conn.reader.head.fields, "x-amz-invocation-type",
                      &type) &&
           slice_is(type, "Event");
}

/* False: it has been refused. */
static bool check_host(struct client *c)
{
    struct slice host = slice_of("");
    struct buf text = {0};

    (void)fields_get(&c->conn.reader.head.fields, "host", &host);
    if (host_is_allowed(host, &settings->allowed_hosts)) {
        return true;
    }
    host = host_name(host);
    log_line(LOG_NOTE,
             "refused: a request for the host \"%.*s\"; --allow-host allows it",
             (int)host.size, (const char *)host.data);
    buf_format(&text,
               "This host is not known here. If you meant it: lambda "
               "--allow-host %.*s%c",
               (int)host.size, (const char *)host.data, 0);
    client_refuse(c, 421, "Content-Type: text/plain; charset=utf-8\r\n",
                  (char *)text.data);
    buf_free(&text);
    return false;
}

static void on_head(struct conn *conn)
{
    struct client *c = of(conn);
    const struct head *h = &conn->reader.head;

    conn->watch.due = now_ns() + BODY_NS;
    c->route = ROUTE_URL;
    c->name_fault = NULL;
    if (!service_route(c)) {
        const char *name = settings->function_name;

        (void)name_read(&c->function,
                        slice_of(name == NULL ? "function" : name),
                        slice_of(""));
    }
    c->body_max = is_async(c) ? ASYNC_EVENT_BYTES_MAX : EVENT_BYTES_MAX;
    if (slice_is(h->method, "CONNECT")) {
        client_refuse(c, 405, "Content-Type: application/json\r\n",
                      "{\"Message\":\"Method Not Allowed\"}");
    } else if (!check_host(c) || !service_check(c)) {
        return;
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

static void refuse_rate(struct client *c)
{
    if (c->route != ROUTE_URL) {
        service_refuse(c, "TooManyRequestsException", "Rate Exceeded.");
        return;
    }
    client_refuse(c, 429, "Content-Type: application/json\r\n",
                  "{\"Reason\":\"ConcurrentInvocationLimitExceeded\","
                  "\"Message\":\"Rate Exceeded.\"}");
}

bool client_submit(struct client *c, struct invocation *i)
{
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

struct invocation *client_invocation(struct client *c, bool waits)
{
    struct slice trace = slice_of("");
    struct invocation *i;

    (void)fields_get(&c->conn.reader.head.fields, "x-amzn-trace-id", &trace);
    i = invocation_new(waits ? &c->caller : NULL, c->function.arn, trace);
    memcpy(i->id, c->id, sizeof i->id);
    free(c->trace);
    c->trace = slice_copy(slice_of(i->trace_id));
    memcpy(i->version, name_version(&c->function),
           strlen(name_version(&c->function)) + 1);
    return i;
}

static void start_url(struct client *c)
{
    struct invocation *i;

    if (cors_is_preflight(settings, &c->conn.reader.head)) {
        client_reply(c, 200, "", slice_of(""));
        client_done(c, true);
        return;
    }

    c->caller.ops = settings->buffered ? &buffered_ops : &url_ops;
    i = client_invocation(c, true);
    if (settings->payload == PAYLOAD_REST) {
        rest_event(&i->event, c, i->id);
    } else {
        url_event(&i->event, c, i->id);
    }
    buf_clear(&c->body);
    (void)client_submit(c, i);
}

static void on_end(struct conn *conn)
{
    struct client *c = of(conn);

    conn->hold = true;
    conn->watch.due = 0;
    if (c->route == ROUTE_URL) {
        start_url(c);
    } else {
        service_start(c);
    }
}

static void on_bad(struct conn *conn)
{
    struct buf text = {0};

    buf_text(&text, "{\"Message\":");
    json_quote(&text, slice_of(conn->reader.fault));
    buf_format(&text, "}%c", 0);
    client_refuse(of(conn), conn->reader.status,
                  "Content-Type: application/json\r\n", (char *)text.data);
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

/* Nobody would see the answer of one that has not begun. */
static void on_left(struct conn *conn)
{
    struct client *c = of(conn);
    struct invocation *i = c->caller.invocation;

    if (i != NULL && pool_withdraw(i)) {
        log_line(LOG_NOTE,
                 "RequestId: %s does not run: its client left while it waited",
                 i->id);
        invocation_discard(i);
        client_done(c, false);
    }
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
    free(c->content_type);
    free(c->trace);
    c->content_type = c->trace = NULL;
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
                                    .left = on_left,
                                    .closed = on_closed};

static void on_due(struct watch *w)
{
    struct conn *conn = CONTAINER(w, struct conn, watch);

    if (conn->reader.state == READING_HEAD && buf_size(&conn->in) == 0) {
        conn_close(conn);
    } else {
        client_refuse(of(conn), 408, "", "");
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
        c->settings = settings;
        uuid_make(c->id);
        conn_open(&c->conn, fd, &ops, HEAD_BYTES_MAX);
        c->conn.watch.on_due = on_due;
        c->conn.watch.due = now_ns() + HEAD_NS;
    }
}

static void on_pause_over(struct watch *w)
{
    w->events = POLLIN;
}

static bool open_listener(struct watch *w, const char *host, uint16_t port,
                          uint16_t *bound)
{
    w->fd = listen_on(host, port, bound);
    if (w->fd < 0) {
        return false;
    }
    w->events = POLLIN;
    w->on_io = on_connection;
    w->on_due = on_pause_over;
    loop_add(w);
    return true;
}

/* Browsers and curl try both addresses of localhost. */
bool front_open(const struct settings *chosen, uint16_t *port)
{
    static struct watch first, second;
    uint16_t same;

    settings = chosen;
    if (!open_listener(&first,
                       settings->bind == NULL ? "127.0.0.1" : settings->bind,
                       settings->port, port)) {
        return false;
    }
    if (settings->bind == NULL &&
        !open_listener(&second, "::1", *port, &same) && errno == EADDRINUSE) {
        log_line(LOG_NOTE, "another program has port %u of [::1]",
                 (unsigned)*port);
    }
    return true;
}
