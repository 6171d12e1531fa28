/* The answer of a Function URL whose invoke mode is BUFFERED: the response is
 * one JSON text, which says what the answer is. */
#include "client.h"

#include "cors.h"
#include "json.h"
#include "log.h"
#include "text.h"

#include <stdlib.h>

static struct client *of(struct caller *caller)
{
    return CONTAINER(caller, struct client, caller);
}

static void begin(struct caller *caller, struct slice content_type)
{
    struct client *c = of(caller);

    c->content_type = slice_copy(content_type);
    c->status = 200;
}

static void on_data(struct caller *caller, struct slice data)
{
    buf_add_slice(&of(caller)->answer, data);
}

static void reply(struct client *c, const char *type, struct slice body)
{
    struct buf fields = {0};

    if (!fields_contain(&c->fields, "content-type:")) {
        buf_format(&fields, "Content-Type: %s\r\n", type);
    }
    cors_filter(&c->fields, c->settings);
    buf_add_slice(&fields, buf_slice(&c->fields));
    buf_format(&fields, "x-amzn-RequestId: %s\r\nX-Amzn-Trace-Id: %s\r\n%c",
               c->id, c->trace, 0);
    client_reply(c, c->status, (char *)fields.data, body);
    buf_free(&fields);
}

/* Not JSON: Lambda passes it on as it is. It is what becomes of a prelude. */
static void reply_as_it_is(struct client *c)
{
    bool typed = c->content_type != NULL && c->content_type[0] != '\0';

    log_line(LOG_NOTE,
             "RequestId: %s answered in no JSON, which is passed on as it is: "
             "the invoke mode is buffered",
             c->id);
    reply(c, typed ? c->content_type : "application/octet-stream",
          buf_slice(&c->answer));
}

static void reply_whole(struct client *c)
{
    struct buf body = {0}, decoded = {0};
    bool base64 = false;
    const char *fault = read_answer(c, buf_slice(&c->answer), &body, &base64);

    if (fault == NULL && base64 && !base64_decode(&decoded, buf_slice(&body))) {
        fault = "a body that is not base64";
    }
    if (fault != NULL) {
        log_line(LOG_ERROR, "ERROR RequestId: %s malformed response: %s", c->id,
                 fault);
        client_fail(c);
    } else {
        reply(c, "application/json", buf_slice(base64 ? &decoded : &body));
    }
    buf_free(&body);
    buf_free(&decoded);
}

static void on_end(struct caller *caller, const struct failure *failure)
{
    struct client *c = of(caller);
    struct slice text = buf_slice(&c->answer);

    if (failure != NULL) {
        client_fail(c);
    } else if (c->settings->payload == PAYLOAD_REST &&
               (json_fault(text) >= 0 || !answer_has_status(text))) {
        log_line(LOG_ERROR,
                 "ERROR RequestId: %s malformed response: a REST API wants an "
                 "object with a statusCode",
                 c->id);
        client_fail(c);
    } else if (json_fault(text) >= 0) {
        reply_as_it_is(c);
    } else if (!answer_has_status(text)) {
        reply(c, "application/json", text);
    } else {
        reply_whole(c);
    }
    client_done(c, true);
}

const struct caller_ops buffered_ops = {
    .begin = begin, .data = on_data, .end = on_end};
