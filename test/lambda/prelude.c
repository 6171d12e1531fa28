#include "client.h"

#include "json.h"
#include "log.h"
#include "text.h"

#include <string.h>

/* The front end speaks to its client by itself: these say how, and are not
 * the function's to choose (RFC 9110, section 7.6.1). Content-Length is among
 * them because the answer goes out chunked. */
static bool is_dropped(struct slice name)
{
    static const char *const names[] = {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_is_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

static const char *add_line(struct buf *out, struct slice name,
                            struct slice token)
{
    struct buf value = {0};
    const char *fault = NULL;

    json_decode(&value, token);
    if (!is_token(name)) {
        fault = "a header name that is no token";
    } else if (!is_field_value(buf_slice(&value))) {
        fault = "a control character in a header value";
    } else if (!is_dropped(name)) {
        buf_add_slice(out, name);
        buf_text(out, ": ");
        buf_add_slice(out, slice_trim(buf_slice(&value)));
        buf_text(out, "\r\n");
    }
    buf_free(&value);
    return fault;
}

/* A string, or an array of them: what is documented for multiValueHeaders,
 * and what the Rust runtime sends for a header that it repeats. */
static const char *read_values(struct json *j, struct buf *out,
                               struct slice name)
{
    enum json_token token = json_next(j);
    const char *fault = NULL;

    if (token == JSON_STRING) {
        return add_line(out, name, j->token);
    }
    if (token != JSON_ARRAY) {
        return "a header value that is no string";
    }
    while (fault == NULL && (token = json_next(j)) != JSON_ARRAY_END) {
        fault = token == JSON_STRING ? add_line(out, name, j->token)
                                     : "a list member that is no string";
    }
    return fault;
}

static const char *read_headers(struct json *j, struct buf *out)
{
    struct buf name = {0};
    const char *fault = NULL;
    enum json_token token = json_next(j);

    if (token == JSON_LITERAL && slice_is(j->token, "null")) {
        return NULL;
    }
    if (token != JSON_OBJECT) {
        return "headers that are no object";
    }
    while (fault == NULL && (token = json_next(j)) == JSON_NAME) {
        buf_clear(&name);
        json_decode(&name, j->token);
        fault = read_values(j, out, buf_slice(&name));
    }
    buf_free(&name);
    return fault != NULL || token == JSON_OBJECT_END ? fault : "not JSON";
}

static const char *read_status(struct json *j, int *status)
{
    if (json_next(j) != JSON_NUMBER || j->token.size != 3 ||
        j->token.data[0] < '2' || j->token.data[0] > '5' ||
        j->token.data[1] > '9' || j->token.data[2] > '9' ||
        j->token.data[1] < '0' || j->token.data[2] < '0') {
        return "a statusCode that is no integer from 200 to 599";
    }
    *status = (j->token.data[0] - '0') * 100 + (j->token.data[1] - '0') * 10 +
              (j->token.data[2] - '0');
    return NULL;
}

static const char *read_member(struct json *j, struct client *c)
{
    struct buf name = {0};
    struct slice s;
    const char *fault = NULL;

    json_decode(&name, j->token);
    s = buf_slice(&name);
    if (slice_is(s, "statusCode")) {
        fault = read_status(j, &c->status);
    } else if (slice_is(s, "headers") || slice_is(s, "multiValueHeaders")) {
        fault = read_headers(j, &c->fields);
    } else if (slice_is(s, "cookies")) {
        fault = read_values(j, &c->fields, slice_of("Set-Cookie"));
    } else {
        log_line(LOG_NOTE, "a prelude has no member \"%.*s\"; it is ignored",
                 (int)s.size, (const char *)s.data);
        fault = json_skip(j, json_next(j)) ? NULL : "not JSON";
    }
    buf_free(&name);
    return fault;
}

const char *read_prelude(struct client *c, struct slice text)
{
    const char *fault = NULL;
    struct json j;

    if (json_fault(text) >= 0) {
        return "not JSON";
    }
    c->status = 200;
    json_open(&j, text);
    if (json_next(&j) != JSON_OBJECT) {
        fault = "no JSON object";
    }
    while (fault == NULL && json_next(&j) == JSON_NAME) {
        fault = read_member(&j, c);
    }
    json_close(&j);
    return fault;
}
