/* The answers of Invoke and of InvokeWithResponseStream. */
#include "client.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The operations with a tail answer when the log is complete: when the runtime
 * has asked for the next event. */

static struct client *of(struct caller *caller)
{
    return CONTAINER(caller, struct client, caller);
}

static void put32(struct buf *out, uint32_t n)
{
    unsigned char bytes[4] = {
        (unsigned char)(n >> 24), (unsigned char)(n >> 16 & 255),
        (unsigned char)(n >> 8 & 255), (unsigned char)(n & 255)};

    buf_add(out, bytes, sizeof bytes);
}

/* A header of application/vnd.amazon.eventstream; 7 is its type of strings. */
static void put_header(struct buf *out, const char *name, const char *value)
{
    size_t size = strlen(value);

    buf_byte(out, (unsigned char)strlen(name));
    buf_text(out, name);
    buf_byte(out, 7);
    buf_byte(out, (unsigned char)(size >> 8));
    buf_byte(out, (unsigned char)(size & 255));
    buf_text(out, value);
}

/* total length, headers length, CRC of these two; headers; payload; CRC of
 * all that. One message leaves as one chunk. */
static void send_event(struct client *c, const char *event, const char *type,
                       struct slice payload)
{
    struct buf message = {0}, headers = {0};

    put_header(&headers, ":message-type", "event");
    put_header(&headers, ":event-type", event);
    put_header(&headers, ":content-type", type);
    put32(&message, (uint32_t)(16 + buf_size(&headers) + payload.size));
    put32(&message, (uint32_t)buf_size(&headers));
    put32(&message, crc32(0, buf_slice(&message)));
    buf_add_slice(&message, buf_slice(&headers));
    buf_add_slice(&message, payload);
    put32(&message, crc32(0, buf_slice(&message)));
    if (c->conn.reader.head.minor == 0) {
        buf_add_slice(&c->conn.out, buf_slice(&message));
    } else {
        add_chunk(&c->conn.out, buf_slice(&message));
    }
    buf_free(&headers);
    buf_free(&message);
}

static void stream_head(struct client *c)
{
    struct head *h = &c->conn.reader.head;
    struct buf *out = &c->conn.out;

    buf_text(out, "HTTP/1.1 200 OK\r\n");
    add_date(out);
    buf_format(out,
               "Content-Type: application/vnd.amazon.eventstream\r\n"
               "x-amzn-RequestId: %s\r\nX-Amz-Executed-Version: %s\r\n",
               c->id, name_version(&c->function));
    h->close = h->close || h->minor == 0;
    if (h->minor == 1) {
        buf_text(out, "Transfer-Encoding: chunked\r\n");
    }
    buf_text(out, h->close ? "Connection: close\r\n\r\n" : "\r\n");
    c->answered = true;
}

static void stream_begin(struct caller *caller, struct slice content_type)
{
    (void)caller;
    (void)content_type;
}

static void stream_data(struct caller *caller, struct slice data)
{
    struct client *c = of(caller);

    if (c->conn.broken) {
        return;
    }
    if (!c->answered) {
        stream_head(c);
    }
    send_event(c, "PayloadChunk", "application/octet-stream", data);
}

static void stream_flush(struct caller *caller)
{
    conn_flush(&of(caller)->conn);
}

/* What InvokeComplete says is kept until it leaves. */
static void stream_note(struct client *c, const struct failure *failure)
{
    if (failure != NULL) {
        buf_text(&c->fields, "\"ErrorCode\":");
        json_quote(&c->fields, slice_of(failure->type));
        buf_text(&c->fields, ",\"ErrorDetails\":");
        json_quote(&c->fields, failure->body);
    }
}

static void stream_complete(struct client *c)
{
    struct buf complete = {0};

    if (!c->answered) {
        stream_head(c);
    }
    buf_byte(&complete, '{');
    buf_add_slice(&complete, buf_slice(&c->fields));
    buf_byte(&complete, '}');
    send_event(c, "InvokeComplete", "application/json", buf_slice(&complete));
    buf_free(&complete);
    if (c->conn.reader.head.minor == 1) {
        buf_text(&c->conn.out, "0\r\n\r\n");
    }
    client_done(c, true);
}

static void stream_end(struct caller *caller, const struct failure *failure)
{
    stream_note(of(caller), failure);
    stream_complete(of(caller));
}

static void stream_tail_end(struct caller *caller,
                            const struct failure *failure)
{
    stream_note(of(caller), failure);
}

static void stream_tail(struct caller *caller, bool failed, struct slice tail)
{
    struct client *c = of(caller);

    (void)failed;
    buf_text(&c->fields, buf_size(&c->fields) > 0 ? ",\"LogResult\":\""
                                                  : "\"LogResult\":\"");
    base64_encode(&c->fields, tail);
    buf_byte(&c->fields, '"');
    stream_complete(c);
}

static void invoke_data(struct caller *caller, struct slice data)
{
    buf_add_slice(&of(caller)->answer, data);
}

/* Trailers count as success for Lambda; a caller of Invoke that got half a
 * result and no sign of the error would be misled, so the error is the
 * payload. */
static void invoke_note(struct client *c, const struct failure *failure)
{
    if (failure != NULL) {
        buf_clear(&c->answer);
        buf_add_slice(&c->answer, failure->body);
        buf_text(&c->fields, "X-Amz-Function-Error: Unhandled\r\n");
    }
}

static void invoke_complete(struct client *c)
{
    struct buf fields = {0};

    buf_text(&fields, "Content-Type: application/json\r\n");
    buf_add_slice(&fields, buf_slice(&c->fields));
    buf_format(&fields,
               "x-amzn-RequestId: %s\r\nX-Amz-Executed-Version: %s\r\n%c",
               c->id, name_version(&c->function), 0);
    client_reply(c, 200, (char *)fields.data, buf_slice(&c->answer));
    buf_free(&fields);
    client_done(c, true);
}

static void invoke_end(struct caller *caller, const struct failure *failure)
{
    invoke_note(of(caller), failure);
    invoke_complete(of(caller));
}

static void invoke_tail_end(struct caller *caller,
                            const struct failure *failure)
{
    invoke_note(of(caller), failure);
}

static void invoke_tail(struct caller *caller, bool failed, struct slice tail)
{
    struct client *c = of(caller);

    (void)failed;
    buf_text(&c->fields, "X-Amz-Log-Result: ");
    base64_encode(&c->fields, tail);
    buf_text(&c->fields, "\r\n");
    invoke_complete(c);
}

static size_t on_room(struct caller *caller)
{
    return client_room(of(caller));
}

const struct caller_ops stream_ops = {.streams = true,
                                      .begin = stream_begin,
                                      .data = stream_data,
                                      .end = stream_end,
                                      .room = on_room,
                                      .flush = stream_flush};

const struct caller_ops invoke_ops = {
    .begin = stream_begin, .data = invoke_data, .end = invoke_end};

const struct caller_ops stream_tail_ops = {.streams = true,
                                           .begin = stream_begin,
                                           .data = stream_data,
                                           .end = stream_tail_end,
                                           .room = on_room,
                                           .finished = stream_tail};

const struct caller_ops invoke_tail_ops = {.begin = stream_begin,
                                           .data = invoke_data,
                                           .end = invoke_tail_end,
                                           .finished = invoke_tail};
