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

/* AWS's own services want strings here, and have been seen to fail with what is
 * taken all the same. */
static void warn(struct slice name, const char *what)
{
    log_line(LOG_NOTE,
             "prelude: the value of \"%.*s\" is %s; it may fail on AWS",
             (int)name.size, (const char *)name.data, what);
}

static const char *add_line(struct buf *out, struct slice name,
                            struct slice value)
{
    if (!is_token(name)) {
        return "a header name that is no token";
    }
    if (!is_field_value(value)) {
        return "a control character in a header value";
    }
    if (!is_dropped(name)) {
        buf_add_slice(out, name);
        buf_text(out, ": ");
        buf_add_slice(out, slice_trim(value));
        buf_text(out, "\r\n");
    }
    return NULL;
}

/* One value; null stands for none. */
static const char *read_value(const struct json *j, enum json_token token,
                              struct buf *out, struct slice name)
{
    struct buf value = {0};
    const char *fault = NULL;

    if (token == JSON_STRING) {
        json_decode(&value, j->token);
        fault = add_line(out, name, buf_slice(&value));
    } else if (token == JSON_LITERAL && slice_is(j->token, "null")) {
        warn(name, "null");
    } else if (token == JSON_NUMBER || token == JSON_LITERAL) {
        warn(name, token == JSON_NUMBER ? "a number" : "a boolean");
        fault = add_line(out, name, j->token);
    } else {
        fault = "a header value that is neither a string nor a list of strings";
    }
    buf_free(&value);
    return fault;
}

/* A value, or an array of them: what is documented for multiValueHeaders,
 * and what the Rust runtime sends for a header that it repeats. */
static const char *read_values(struct json *j, struct buf *out,
                               struct slice name)
{
    enum json_token token = json_next(j);
    const char *fault = NULL;

    if (token != JSON_ARRAY) {
        return read_value(j, token, out, name);
    }
    while (fault == NULL && (token = json_next(j)) != JSON_ARRAY_END) {
        fault = read_value(j, token, out, name);
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
    enum json_token token = json_next(j);
    struct slice s = j->token;

    if (token == JSON_STRING) {
        warn(slice_of("statusCode"), "a string");
        s.data++;
        s.size -= 2;
    }
    if ((token != JSON_NUMBER && token != JSON_STRING) || s.size != 3 ||
        s.data[0] < '2' || s.data[0] > '5' || s.data[1] < '0' ||
        s.data[1] > '9' || s.data[2] < '0' || s.data[2] > '9') {
        return "a statusCode that is no integer from 200 to 599";
    }
    *status = (s.data[0] - '0') * 100 + (s.data[1] - '0') * 10 +
              (s.data[2] - '0');
    return NULL;
}

/* What the whole of an answer has beside a prelude's members. */
struct whole {
    struct buf *body;
    bool *base64;
};

/* What is no string is passed on as it stands. */
static const char *read_body(struct json *j, struct buf *body)
{
    enum json_token token = json_next(j);
    const unsigned char *start = j->token.data;

    if (token == JSON_STRING) {
        json_decode(body, j->token);
        return NULL;
    }
    if (token == JSON_LITERAL && slice_is(j->token, "null")) {
        return NULL;
    }
    warn(slice_of("body"), "no string");
    if (token == JSON_OBJECT || token == JSON_ARRAY) {
        start = j->text.data - 1;
    }
    if (!json_skip(j, token)) {
        return "not JSON";
    }
    buf_add(body, start, (size_t)(j->text.data - start));
    return NULL;
}

static const char *read_flag(struct json *j, bool *flag)
{
    if (json_next(j) != JSON_LITERAL) {
        return "isBase64Encoded that is no boolean";
    }
    *flag = slice_is(j->token, "true");
    return NULL;
}

static const char *read_member(struct json *j, struct client *c,
                               const struct whole *whole)
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
    } else if (whole != NULL && slice_is(s, "body")) {
        fault = read_body(j, whole->body);
    } else if (whole != NULL && slice_is(s, "isBase64Encoded")) {
        fault = read_flag(j, whole->base64);
    } else {
        log_line(LOG_NOTE, "%s has no member \"%.*s\"; it is ignored",
                 whole == NULL ? "a prelude" : "an answer", (int)s.size,
                 (const char *)s.data);
        fault = json_skip(j, json_next(j)) ? NULL : "not JSON";
    }
    buf_free(&name);
    return fault;
}

static const char *read_object(struct client *c, struct slice text,
                               const struct whole *whole)
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
        fault = read_member(&j, c, whole);
    }
    json_close(&j);
    return fault;
}

const char *read_prelude(struct client *c, struct slice text)
{
    return read_object(c, text, NULL);
}

const char *read_answer(struct client *c, struct slice text, struct buf *body,
                        bool *base64)
{
    struct whole whole = {body, base64};

    return read_object(c, text, &whole);
}

bool answer_has_status(struct slice text)
{
    bool found = false;
    struct json j;

    json_open(&j, text);
    if (json_next(&j) == JSON_OBJECT) {
        while (!found && json_next(&j) == JSON_NAME) {
            struct buf name = {0};

            json_decode(&name, j.token);
            found = slice_is(buf_slice(&name), "statusCode");
            buf_free(&name);
            found = found || !json_skip(&j, json_next(&j));
        }
    }
    json_close(&j);
    return found;
}

bool fields_contain(const struct buf *lines, const char *start)
{
    struct slice s = buf_slice(lines);

    while (s.size > 0) {
        if (slice_starts_nocase(slice_cut(&s, '\n'), start)) {
            return true;
        }
    }
    return false;
}
