#include "test/unit/http_reference.h"

#include "http.h"

#include <string.h>
#include <strings.h>

/* The limits of behaviour, in numbers of their own. */
enum {
    HEAD_MOST = 65536,
    FIELDS_MOST = 128,
    INTERIM_MOST = 16,
    BODY_MOST = 6291556,
    CHUNK_LINE_MOST = 256,
    TRAILER_MOST = 8192
};

struct reader {
    struct http_reference *r;
    const char *bytes;
    size_t length;
    size_t at;
    size_t limit; /* where the head, line or trailer section is too long */
    char *body;
};

/* The functions that read give 1, or 0 with the verdict in r->rc. */

static int stop(struct reader *t, int rc, size_t at)
{
    t->r->rc = rc;
    t->r->at = at;
    return 0;
}

static int in(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

#define DIGITS     "0123456789"
#define HEX_DIGITS DIGITS "abcdef" DIGITS "ABCDEF"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* RFC 9110, section 5.6.2 */
#define TOKEN "!#$%&'*+-.^_`|~" DIGITS LETTERS

/* How many bytes of a set a slice begins with. */
static size_t run(struct http_reference_slice s, const char *set)
{
    size_t n = 0;

    while (n < s.length && in(set, s.bytes[n]))
        n++;
    return n;
}

static struct http_reference_slice trim(struct http_reference_slice s)
{
    size_t n = run(s, " \t");

    s.bytes += n;
    s.length -= n;
    while (s.length > 0 && in(" \t", s.bytes[s.length - 1]))
        s.length--;
    return s;
}

int http_reference_is(struct http_reference_slice s, const char *text)
{
    return s.length == strlen(text) &&
           strncasecmp(s.bytes, text, s.length) == 0;
}

/* Section 2.2: a line, up to CRLF */
static int line(struct reader *t, struct http_reference_slice *line_)
{
    size_t begin = t->at;
    unsigned char c, last = 0;

    for (;; t->at++, last = c) {
        if (t->at == t->length)
            return stop(t, 0, t->at);
        if (t->at == t->limit)
            return stop(t, HTTP_TOO_LONG, t->at);
        c = (unsigned char)t->bytes[t->at];
        if (last == '\r' && c == '\n')
            break;
        if (last == '\r' || (c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
            return stop(t, HTTP_LINE, t->at);
    }
    t->at++;
    line_->bytes = t->bytes + begin;
    line_->length = t->at - 2 - begin;
    return 1;
}

/* Section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ] */
static int status_line(struct reader *t, int *minor)
{
    struct http_reference_slice *s = &t->r->start;
    const char *p;
    size_t begin = t->at;

    if (!line(t, s))
        return 0;
    p = s->bytes;
    if (s->length < 13 || memcmp(p, "HTTP/1.", 7) != 0 || !in(DIGITS, p[7]) ||
        p[8] != ' ' || !in("12345", p[9]) || !in(DIGITS, p[10]) ||
        !in(DIGITS, p[11]) || p[12] != ' ')
        return stop(t, HTTP_STATUS_LINE, begin);
    *minor = p[7] - '0';
    t->r->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    return 1;
}

/* Section 3: request-line = method SP request-target SP HTTP-version */
static int request_line(struct reader *t)
{
    struct http_reference_slice *s = &t->r->start;
    const char *p, *target;
    size_t begin = t->at;

    if (!line(t, s))
        return 0;
    p = s->bytes;
    target = memchr(p, ' ', s->length);
    if (s->length < 12 || memcmp(p + s->length - 9, " HTTP/1.1", 9) != 0 ||
        !target || target == p || target[1] != '/')
        return stop(t, HTTP_STATUS_LINE, begin);
    for (target++; target < p + s->length - 9; target++)
        if (*target <= ' ' || *target > '~')
            return stop(t, HTTP_STATUS_LINE, begin);
    return 1;
}

/* Section 5: field-line = field-name ":" OWS field-value OWS, a token being
 * what RFC 9110 says in section 5.6.2; and the empty line behind them. */
static int field_lines(struct reader *t, size_t most, unsigned *count)
{
    struct http_reference_slice s;
    struct http_reference_field *f;
    size_t begin = t->at, n, at;

    for (; line(t, &s); begin = t->at) {
        if (s.length == 0)
            return 1;
        n = run(s, TOKEN);
        if (n == 0 || n == s.length || s.bytes[n] != ':')
            return stop(t, HTTP_FIELD_LINE, begin);
        if (*count == most)
            return stop(t, HTTP_FIELDS, begin);
        at = t->r->field_count + t->r->trailer_count;
        f = &t->r->fields[at < 255 ? at : 255];
        (*count)++;
        f->name = s;
        f->name.length = n;
        f->value.bytes = s.bytes + n + 1;
        f->value.length = s.length - n - 1;
        f->value = trim(f->value);
    }
    return 0;
}

/* Section 9.6: whether a Connection field has the option "close". */
static int closes(struct http_reference_slice list)
{
    struct http_reference_slice option;
    const char *comma;

    do {
        comma = memchr(list.bytes, ',', list.length);
        option = list;
        if (comma)
            option.length = (size_t)(comma - list.bytes);
        list.bytes += option.length + 1;
        list.length -= option.length + (comma != NULL);
        if (http_reference_is(trim(option), "close"))
            return 1;
    } while (comma);
    return 0;
}

/* Section 9.3: whether the connection persists. */
static int persistence(const struct http_reference *r, int minor)
{
    int result = minor > 0;

    for (unsigned i = 0; i < r->field_count; i++) {
        if (!http_reference_is(r->fields[i].name, "Connection"))
            continue;
        if (closes(r->fields[i].value))
            result = 0;
        if (result > 0)
            result = -1;
    }
    return result;
}

/* Section 7.1.1: the number of a chunk size or (base 10) a Content-Length;
 * one too large for any body is BODY_MOST + 1. -1 when it is none. */
static long number(struct http_reference_slice s, const char *digits, int base)
{
    long value = 0;

    for (size_t i = 0; i < s.length; i++) {
        if (!in(digits, s.bytes[i]))
            return -1;
        value = value * base + (strchr(digits, s.bytes[i]) - digits) % 16;
        if (value > BODY_MOST)
            value = BODY_MOST + 1;
    }
    return s.length > 0 ? value : -1;
}

/* Section 6.3, rule 1: no body, whatever the fields say. */
static int bodiless(const struct http_reference *r)
{
    return r->status == 204 || r->status == 304;
}

/* Section 6: how the body is framed. Its length, -1 for chunked, -2 for
 * neither. A length must be one even where there is no body. */
static int framing(struct reader *t, int minor, long *length)
{
    struct http_reference *r = t->r;
    struct http_reference_field *first = NULL;
    size_t at = t->at - 2;

    *length = -2;
    r->reusable = persistence(r, minor);
    for (unsigned i = 0; i < r->field_count; i++) {
        struct http_reference_field *f = &r->fields[i];

        if (!http_reference_is(f->name, "Content-Length"))
            continue;
        first = first ? first : f;
        *length = number(f->value, DIGITS, 10);
        if (*length < 0 || *length > BODY_MOST ||
            f->value.length != first->value.length ||
            memcmp(f->value.bytes, first->value.bytes, f->value.length) != 0)
            return stop(t, HTTP_LENGTH, at);
    }
    for (unsigned i = 0; i < r->field_count; i++) {
        struct http_reference_field *f = &r->fields[i];

        if (!http_reference_is(f->name, "Transfer-Encoding") || bodiless(r))
            continue;
        if (!http_reference_is(f->value, "chunked") || r->chunked || first ||
            minor == 0)
            return stop(t, HTTP_CODING, at);
        r->chunked = 1;
        *length = -1;
    }
    return 1;
}

static int take(struct reader *t, long length)
{
    size_t n = (size_t)length;

    if (n > t->length - t->at)
        return stop(t, 0, t->length);
    memcpy(t->body + t->r->body_length, t->bytes + t->at, n);
    t->r->body_length += n;
    t->at += n;
    return 1;
}

/* The CRLF behind the data of a chunk. */
static int end_of_data(struct reader *t)
{
    if (t->at == t->length)
        return stop(t, 0, t->at);
    if (t->bytes[t->at] != '\r')
        return stop(t, HTTP_CHUNK, t->at);
    t->at++;
    if (t->at == t->length)
        return stop(t, 0, t->at);
    if (t->bytes[t->at] != '\n')
        return stop(t, HTTP_LINE, t->at);
    t->at++;
    return 1;
}

/* Section 7.1: chunked-body = *chunk last-chunk trailer-section CRLF. What an
 * extension says is not looked at. */
static int chunks(struct reader *t)
{
    struct http_reference_slice s, rest;
    size_t begin;
    long size;

    for (;;) {
        begin = t->at;
        t->limit = begin + CHUNK_LINE_MOST;
        if (!line(t, &s))
            return 0;
        rest = s;
        s.length = run(s, HEX_DIGITS);
        size = number(s, HEX_DIGITS, 16);
        if (size > BODY_MOST - (long)t->r->body_length)
            return stop(t, HTTP_BODY, begin);
        if (size < 0 || (s.length < rest.length && s.bytes[s.length] != ';'))
            return stop(t, HTTP_CHUNK, begin);
        if (size == 0)
            break;
        if (!take(t, size) || !end_of_data(t))
            return 0;
    }
    t->limit = t->at + TRAILER_MOST;
    return field_lines(t, 100000, &t->r->trailer_count);
}

static int response(struct reader *t)
{
    struct http_reference *r = t->r;
    int interim = 0, minor;
    long length;

    do {
        r->field_count = 0;
        t->limit = t->at + HEAD_MOST;
        if (!status_line(t, &minor) ||
            !field_lines(t, FIELDS_MOST, &r->field_count))
            return 0;
        if (r->status == 101 || (r->status < 200 && ++interim > INTERIM_MOST))
            return stop(t, HTTP_INTERIM, t->at - 2);
    } while (r->status < 200);
    if (!framing(t, minor, &length))
        return 0;
    if (bodiless(r))
        return 1;
    if (length == -2)
        return stop(t, HTTP_UNFRAMED, t->at - 2);
    return length == -1 ? chunks(t) : take(t, length);
}

static int request(struct reader *t)
{
    long length;

    t->limit = HEAD_MOST;
    if (!request_line(t) || !field_lines(t, FIELDS_MOST, &t->r->field_count) ||
        !framing(t, 1, &length))
        return 0;
    return length == -2 || (length == -1 ? chunks(t) : take(t, length));
}

static void read_message(struct http_reference *r, const char *bytes,
                         size_t length, char *body,
                         int (*read)(struct reader *))
{
    struct reader t = {.r = r, .bytes = bytes, .length = length, .body = body};

    memset(r, 0, offsetof(struct http_reference, fields));
    if (read(&t)) {
        r->rc = 1;
        r->at = t.at;
    }
}

void http_reference_response(struct http_reference *r, const char *bytes,
                             size_t length, char *body)
{
    read_message(r, bytes, length, body, response);
}

void http_reference_request(struct http_reference *r, const char *bytes,
                            size_t length, char *body)
{
    read_message(r, bytes, length, body, request);
}

const struct http_reference_slice *http_reference_field(
    const struct http_reference *r, const char *name)
{
    const struct http_reference_slice *found = NULL;

    for (unsigned i = 0; i < r->field_count; i++) {
        if (!http_reference_is(r->fields[i].name, name))
            continue;
        if (found)
            return NULL;
        found = &r->fields[i].value;
    }
    return found;
}
