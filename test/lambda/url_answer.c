/* The answer of a Function URL in RESPONSE_STREAM mode. */
#include "client.h"

#include "cors.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
#define PRELUDE_NULS 8u

/* API Gateway's rule. What a Function URL takes is not documented. */
#define PRELUDE_BYTES_MAX (16u * 1024u)

static struct client *of(struct caller *caller)
{
    return CONTAINER(caller, struct client, caller);
}

static void begin(struct caller *caller, struct slice content_type)
{
    struct client *c = of(caller);
    const unsigned char *end = memchr(content_type.data, ';',
                                      content_type.size);
    struct slice type = content_type;

    type.size = end == NULL ? type.size : (size_t)(end - type.data);
    c->has_prelude = slice_is_nocase(slice_trim(type), PRELUDE_TYPE);
    c->content_type = slice_copy(content_type);
    c->status = 200;
}

static void send_head(struct client *c)
{
    struct conn *conn = &c->conn;
    struct head *h = &conn->reader.head;
    struct buf *out = &conn->out;
    bool empty = c->status == 204 || c->status == 304;

    buf_format(out, "HTTP/1.1 %d %s\r\n", c->status, status_reason(c->status));
    if (!fields_contain(&c->fields, "date:")) {
        add_date(out);
    }
    if (!empty && !fields_contain(&c->fields, "content-type:")) {
        bool given = !c->has_prelude && c->content_type[0] != '\0';

        buf_format(out, "Content-Type: %s\r\n",
                   given ? c->content_type : "application/octet-stream");
    }
    cors_filter(&c->fields, c->settings);
    buf_add_slice(out, buf_slice(&c->fields));
    cors_add(out, c->settings, h);
    buf_format(out, "x-amzn-RequestId: %s\r\nX-Amzn-Trace-Id: %s\r\n", c->id,
               c->trace);
    c->bodyless = empty || slice_is(h->method, "HEAD");
    if (h->minor == 0) {
        h->close = h->close || !c->bodyless;
    } else if (!c->bodyless) {
        buf_text(out, "Transfer-Encoding: chunked\r\n");
    }
    if (h->close) {
        buf_text(out, "Connection: close\r\n");
    }
    buf_text(out, "\r\n");
    c->answered = true;
}

static void send_body(struct client *c, struct slice data)
{
    if (!c->answered) {
        send_head(c);
    }
    if (c->conn.broken) {
        buf_clear(&c->conn.out);
        return;
    }
    if (!c->bodyless && data.size > 0) {
        if (c->conn.reader.head.minor == 0) {
            buf_add_slice(&c->conn.out, data);
        } else {
            add_chunk(&c->conn.out, data);
        }
    }
}

void client_fail(struct client *c)
{
    static const struct {
        int status;
        const char *type, *body;
    } answers[] = {
        [PAYLOAD_URL] = {502, "text/plain", "Internal Server Error"},
        [PAYLOAD_REST] = {502, "application/json",
                          "{\"message\": \"Internal server error\"}"},
        [PAYLOAD_HTTP] = {500, "application/json",
                          "{\"message\":\"Internal Server Error\"}"},
    };
    enum payload p = c->settings->payload;
    struct buf fields = {0};

    buf_format(&fields, "Content-Type: %s\r\nx-amzn-RequestId: %s\r\n%c",
               answers[p].type, c->id, 0);
    client_reply(c, answers[p].status, (char *)fields.data,
                 slice_of(answers[p].body));
    buf_free(&fields);
    c->bodyless = true;
}

static void refuse_prelude(struct client *c, const char *fault)
{
    log_line(LOG_ERROR, "ERROR RequestId: %s malformed prelude: %s", c->id,
             fault);
    client_fail(c);
}

/* Takes bytes of the prelude out of data: a JSON object, then exactly eight
 * NULs; a ninth one belongs to the body. */
static void take_prelude(struct client *c, struct slice *data)
{
    struct slice text;
    const unsigned char *nul;
    const char *fault;
    size_t before = buf_size(&c->answer), size;

    buf_add_slice(&c->answer, *data);
    text = buf_slice(&c->answer);
    nul = memchr(text.data, 0, text.size);
    size = nul == NULL ? text.size : (size_t)(nul - text.data);
    if (size > PRELUDE_BYTES_MAX) {
        refuse_prelude(c, "more than 16 KiB before the eight NULs");
        return;
    }
    for (size_t i = size; i < text.size && i < size + PRELUDE_NULS; i++) {
        if (text.data[i] != 0) {
            refuse_prelude(c, "fewer than eight NULs after the JSON text");
            return;
        }
    }
    if (text.size < size + PRELUDE_NULS) {
        data->size = 0;
        return;
    }
    data->data += size + PRELUDE_NULS - before;
    data->size -= size + PRELUDE_NULS - before;
    fault = read_prelude(c, (struct slice){text.data, size});
    if (fault != NULL) {
        refuse_prelude(c, fault);
        return;
    }
    c->prelude_read = true;
    buf_clear(&c->answer);
}

static void on_data(struct caller *caller, struct slice data)
{
    struct client *c = of(caller);

    if (c->has_prelude && !c->prelude_read && !c->answered) {
        take_prelude(c, &data);
        if (c->answered) {
            return;
        }
    }
    /* The head waits for the first byte of the body: that Lambda holds it back
     * until then is what clients of an empty body suffer from. */
    if (data.size > 0 && (!c->has_prelude || c->prelude_read)) {
        send_body(c, data);
    }
}

/* A stream of no bytes at all is what AWS's runtime for Node.js makes of one
 * that is ended at once; Lambda has been seen to answer it like this. */
static bool is_nothing(const struct client *c, const struct failure *failure)
{
    if (failure != NULL || !c->has_prelude || c->prelude_read ||
        buf_size(&c->answer) > 0) {
        return false;
    }
    log_line(LOG_NOTE,
             "RequestId: %s ended its stream before the prelude: its status "
             "and headers are lost, in Lambda as well",
             c->id);
    return true;
}

static void on_end(struct caller *caller, const struct failure *failure)
{
    struct client *c = of(caller);
    bool cut = failure != NULL && !failure->in_trailers;
    bool chunked = false;

    if (!c->answered && is_nothing(c, failure)) {
        c->has_prelude = false;
        c->content_type[0] = '\0';
    }

    if (!c->answered && c->content_type == NULL) {
        client_fail(c);
    } else if (!c->answered && (cut || (c->has_prelude && !c->prelude_read))) {
        if (failure == NULL) {
            refuse_prelude(c, "no eight NULs");
        } else {
            client_fail(c);
        }
    } else {
        send_body(c, slice_of(""));
        chunked = !c->bodyless && c->conn.reader.head.minor == 1;
        if (cut) {
            client_done(c, c->bodyless);
            return;
        }
    }
    if (chunked && !c->conn.broken) {
        buf_text(&c->conn.out, "0\r\n\r\n");
    }
    client_done(c, true);
}

static size_t on_room(struct caller *caller)
{
    return client_room(of(caller));
}

static void on_flush(struct caller *caller)
{
    conn_flush(&of(caller)->conn);
}

const struct caller_ops url_ops = {.streams = true,
                                   .begin = begin,
                                   .data = on_data,
                                   .end = on_end,
                                   .room = on_room,
                                   .flush = on_flush};
