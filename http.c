/*
 * http.c - HTTP/1.1 for the Lambda Runtime API
 *
 *   Characters and numbers
 *   Message        one response in: status line, fields, body, chunks
 *   Text out       http_append(), http_format()
 *   Base64
 *   Endpoint       AWS_LAMBDA_RUNTIME_API
 *   The kernel     sockets; the only place that makes system calls
 *   Requests       the heads that leave, GET /next
 *   Response stream
 */
#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* Characters and numbers */

/* Never true of a NUL, at which each text ends. */
static int among(char c, const char *ranges, const char *others)
{
    for (; *ranges != '\0'; ranges += 2)
        if (c >= ranges[0] && c <= ranges[1])
            return 1;
    while (*others != '\0' && *others != c)
        others++;
    return *others != '\0';
}

size_t http_span(const char *text, const char *ranges, const char *others)
{
    size_t n = 0;

    while (among(text[n], ranges, others))
        n++;
    return n;
}

/* RFC 9110, section 5.6.2: token = 1*tchar */
static size_t token(const char *text)
{
    return http_span(text, "azAZ09", "!#$%&'*+-.^_`|~");
}

static int is_printable(const char *text)
{
    return text[http_span(text, " ~", "")] == '\0';
}

static int digit(int c)
{
    return c >= '0' && c <= '9';
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int hex(int c)
{
    if (digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The length of `prefix` when `text` begins with it, in any case; else 0. */
static size_t match(const char *text, const char *prefix)
{
    size_t n = 0;

    while (prefix[n] != '\0' &&
           (text[n] == prefix[n] || lower(text[n]) == lower(prefix[n])))
        n++;
    return prefix[n] == '\0' ? n : 0;
}

static int same(const char *a, const char *b)
{
    size_t n = match(a, b);

    return n > 0 && a[n] == '\0';
}

/* NULL when there is no digit, or the number is above `limit`. */
static const char *read_number(const char *text, int64_t limit, int64_t *number,
                               int base)
{
    const char *p = text;
    int d;

    for (*number = 0; (d = hex(*p)) >= 0 && d < base; p++) {
        *number = *number * base + d;
        if (*number > limit)
            return NULL;
    }
    return p > text ? p : NULL;
}

const char *http_decimal(const char *text, int64_t limit, int64_t *number)
{
    return read_number(text, limit, number, 10);
}

const char *http_reason(int error)
{
    /* Rows and not pointers, which would need relocations. */
    static const char reasons[][48] = {
        [-HTTP_SYSTEM] = "system call failed",
        [-HTTP_CLOSED] = "closed before an answer",
        [-HTTP_TRUNCATED] = "closed inside an answer",
        [-HTTP_STATUS_LINE] = "malformed status line",
        [-HTTP_FIELD_LINE] = "malformed field line",
        [-HTTP_LINE] = "control byte or bare CR or LF",
        [-HTTP_TOO_LONG] = "line or section too long",
        [-HTTP_FIELDS] = "more than 128 fields",
        [-HTTP_LENGTH] = "bad Content-Length",
        [-HTTP_CODING] = "bad Transfer-Encoding",
        [-HTTP_UNFRAMED] = "neither Content-Length nor chunked",
        [-HTTP_CHUNK] = "malformed chunk",
        [-HTTP_BODY] = "more than 6291556 bytes",
        [-HTTP_INTERIM] = "status 101, or too many 1xx",
        [-HTTP_EARLY] = "answered or closed before our end",
        [-HTTP_TIMEOUT] = "rest of the answer missing",
        [-HTTP_HOST] = "neither IPv4 address nor localhost",
        [-HTTP_PORT] = "no port from 1 to 65535",
        [-HTTP_PATH] = "malformed path",
        [-HTTP_HEADER] = "header refused",
        [-HTTP_FORMAT] = "format refused",
        [-HTTP_FAILED] = "handler failed",
    };

    return error < 0 && error >= HTTP_FAILED ? reasons[-error] : reasons[0];
}

/* Message: a line is looked at byte by byte as it arrives, and understood when
 * it is complete. */

enum state {
    STATUS_LINE, /* section 4 */
    FIELD_LINE,  /* section 5, and the empty line that ends the head */
    BODY,        /* section 6.2: Content-Length bytes */
    CHUNK_SIZE,  /* section 7.1, as are the next two */
    CHUNK_DATA,
    CHUNK_END,
    TRAILER, /* section 7.1.2, and the empty line that ends the message */
    DONE
};

/* `left` is what the new state may read: a head, a line, data, a section. */
static int enter(struct http_message *m, enum state state, size_t left)
{
    m->state = (int)state;
    m->left = left;
    return 1;
}

void http_message_start(struct http_message *m, char *buffer)
{
    /* All but the fields, which field_count says are none. */
    memset(m, 0, offsetof(struct http_message, fields));
    m->buffer = buffer;
    (void)enter(m, STATUS_LINE, HTTP_HEAD_BYTES_MAX);
}

char *http_field_value(const struct http_message *m, const char *name,
                       int *count)
{
    const struct http_field *f = m->fields;
    char *value = NULL;
    int same_value = 1;

    for (*count = 0; f < m->fields + m->field_count; f++) {
        if (!same(f->name, name))
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.*): no value is NULL */
        if (value && strcmp(value, f->value) != 0)
            same_value = 0;
        value = f->value;
        ++*count;
    }
    if (!same_value)
        *count = -1;
    return value;
}

/* Looks for the end of the line that begins at m->line, of at most m->left
 * bytes, and makes a string of it. */
static int read_line(struct http_message *m)
{
    char *line = m->buffer + m->line;
    size_t at = m->at - m->line, stored = m->end - m->line;
    size_t limit = stored < m->left ? stored : m->left;
    int c, after_cr;

    for (;; at++) {
        after_cr = at > 0 && line[at - 1] == '\r';
        if (!after_cr)
            while (at < limit && line[at] >= ' ' && line[at] <= '~')
                at++;
        m->at = m->line + at;
        if (at == stored)
            return 0;
        if (at == limit)
            return HTTP_TOO_LONG;
        c = (unsigned char)line[at];
        if (after_cr)
            break;
        if (c == 0x7f || (c < ' ' && c != '\t' && c != '\r'))
            return HTTP_LINE;
    }
    if (c != '\n')
        return HTTP_LINE;
    line[at - 1] = '\0';
    m->at++;
    return 1;
}

/* Section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ] */
static int status_line(struct http_message *m, const char *line)
{
    static const char shape[] = "HTTP/1.0 000 "; /* 0 is any digit */
    int64_t status = 0;

    for (int i = 0; shape[i]; i++)
        if (line[i] != shape[i] && (shape[i] != '0' || !digit(line[i])))
            return HTTP_STATUS_LINE;
    (void)http_decimal(line + 9, 999, &status);
    m->status = (int)status;
    m->reusable = line[7] > '0';
    m->state = FIELD_LINE;
    return line[9] < '1' || line[9] > '5' ? HTTP_STATUS_LINE : 1;
}

/* Section 5: field-line = field-name ":" OWS field-value OWS
 * `end` is where the line ends. */
static int field_line(struct http_field *f, char *line, char *end)
{
    f->name = line;
    f->value = line + token(line);
    if (f->value == line || *f->value != ':')
        return HTTP_FIELD_LINE;
    *f->value++ = '\0';
    f->value += http_span(f->value, "", " \t");
    while (end > f->value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return 1;
}

static int head_field(struct http_message *m, char *line, char *end)
{
    struct http_field f;
    int rc = field_line(&f, line, end);

    if (rc < 0)
        return rc;
    if (m->field_count == HTTP_FIELDS_MAX)
        return HTTP_FIELDS;
    m->fields[m->field_count++] = f;
    return 1;
}

/* Whether a list has the word: RFC 9110, section 5.6.1. Finding it inside
 * another is harmless: the connection is closed for nothing. */
static int lists(const char *list, const char *word)
{
    while (*list != '\0' && match(list, word) == 0)
        list++;
    return *list != '\0';
}

/* Section 6.3: how the body is framed. Stricter where the RFC lets a client
 * guess, for an event cut short must never look like a whole one. */
static int frame(struct http_message *m)
{
    int count, http11 = m->reusable; /* status_line() has set it so */
    const char *option = http_field_value(m, "Connection", &count), *digits,
               *coding;
    int64_t length = 0;

    if (option && (count < 0 || lists(option, "close")))
        m->reusable = 0;
    digits = http_field_value(m, "Content-Length", &count);
    if (digits) {
        digits = http_decimal(digits, HTTP_BODY_BYTES_MAX, &length);
        if (count < 0 || !digits || *digits != '\0')
            return HTTP_LENGTH;
    }
    coding = http_field_value(m, "Transfer-Encoding", &count);
    m->body = m->at;
    if (m->status == 204 || m->status == 304)
        return enter(m, DONE, 0);
    if (coding) {
        if (count != 1 || digits || !http11 || !same(coding, "chunked"))
            return HTTP_CODING;
        return enter(m, CHUNK_SIZE, HTTP_CHUNK_LINE_BYTES_MAX);
    }
    if (!digits)
        return HTTP_UNFRAMED;
    return enter(m, length ? BODY : DONE, (size_t)length);
}

/* Moves unread bytes down to the end of the body, over framing that is parsed
 * already. */
static void drop(struct http_message *m)
{
    size_t to = m->body + m->body_length, gap = m->line - to;

    memmove(m->buffer + to, m->buffer + m->line, m->end - m->line);
    m->line = to;
    m->at -= gap;
    m->end -= gap;
    m->taken += gap;
}

static int end_of_head(struct http_message *m)
{
    if (m->status >= 200)
        return frame(m);
    if (m->status == 101 || ++m->interim > HTTP_INTERIM_MAX)
        return HTTP_INTERIM;
    m->line = m->at;
    m->field_count = 0;
    drop(m);
    return enter(m, STATUS_LINE, HTTP_HEAD_BYTES_MAX);
}

/* Section 7.1: chunk-size [ chunk-ext ], extensions are passed over. Stricter
 * than the RFC: no white space before their semicolon. */
static int chunk_size(struct http_message *m, const char *line)
{
    int64_t size;

    if (hex(*line) < 0)
        return HTTP_CHUNK;
    line = read_number(line, HTTP_BODY_BYTES_MAX - (int64_t)m->body_length,
                       &size, 16);
    if (!line)
        return HTTP_BODY;
    if (*line != '\0' && *line != ';')
        return HTTP_CHUNK;
    return size ? enter(m, CHUNK_DATA, (size_t)size)
                : enter(m, TRAILER, HTTP_TRAILER_BYTES_MAX);
}

/* Takes bytes of the body, which is kept together behind the head. */
static int body_data(struct http_message *m)
{
    size_t n = m->end - m->at;

    if (n > m->left)
        n = m->left;
    memmove(m->buffer + m->body + m->body_length, m->buffer + m->at, n);
    m->body_length += n;
    m->left -= n;
    m->at += n;
    if (m->left > 0)
        return 1;
    return m->state == BODY ? enter(m, DONE, 0)
                            : enter(m, CHUNK_END, sizeof "\r\n" - 1);
}

/* What a whole line says; `end` is where it ends. */
static int understand(struct http_message *m, char *line, char *end)
{
    struct http_field dropped;

    switch (m->state) {
    case STATUS_LINE:
        return status_line(m, line);
    case FIELD_LINE:
        return line == end ? end_of_head(m) : head_field(m, line, end);
    case CHUNK_SIZE:
        return chunk_size(m, line);
    case CHUNK_END:
        return enter(m, CHUNK_SIZE, HTTP_CHUNK_LINE_BYTES_MAX);
    default: /* TRAILER, whose fields never count as those of the head */
        return line == end ? enter(m, DONE, 0)
                           : field_line(&dropped, line, end);
    }
}

static int read_and_understand(struct http_message *m)
{
    char *line = m->buffer + m->line;
    size_t length;
    int rc;

    if (m->state == CHUNK_END && *line != '\r')
        return HTTP_CHUNK;
    rc = read_line(m);
    if (rc <= 0)
        return rc;
    length = m->at - m->line;
    m->left -= length;
    rc = understand(m, line, line + length - (sizeof "\r\n" - 1));
    if (rc < 0)
        m->at = m->line; /* the fault is the whole line's */
    return rc;
}

int http_parse(struct http_message *m)
{
    int rc = 1;

    while (rc > 0 && m->state != DONE && m->at < m->end) {
        rc = m->state == BODY || m->state == CHUNK_DATA
                 ? body_data(m)
                 : read_and_understand(m);
        if (rc > 0)
            m->line = m->at;
    }
    if (rc < 0)
        return rc;
    if (m->state == DONE) {
        if (m->at < m->end)
            m->reusable = 0;
        return 1;
    }
    if (m->body > 0) /* the head is done: framing need not be kept */
        drop(m);
    return 0;
}

/* Text out */

struct http_text http_text_in(char *bytes, size_t size)
{
    bytes[0] = '\0';
    return (struct http_text){.bytes = bytes, .size = size};
}

/* How many bytes at the end of a text begin a UTF-8 sequence that `next`
 * continues: 0 to 3. */
static size_t unfinished(const struct http_text *t, char next)
{
    unsigned char c = (unsigned char)next;
    size_t n = 0;

    while ((c & 0xc0) == 0x80 && n < 3)
        c = (unsigned char)t->bytes[t->length - ++n];
    if (c < 0xc2 || c > 0xf4)
        return 0;
    return n < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u) ? n : 0;
}

/* Sends a stream's text, which is full, but for a character that it would
 * cut. */
static int flush_full(struct http_text *t, char next)
{
    size_t n = unfinished(t, next);
    char rest[3];
    int rc;

    t->length -= n;
    memcpy(rest, t->bytes + t->length, n);
    rc = http_flush(t->stream);
    memcpy(t->bytes, rest, n);
    t->length = n;
    return rc;
}

void http_append(struct http_text *t, const char *bytes, size_t length)
{
    size_t room;

    if (t->full || (t->stream && (t->stream->error < 0 || t->stream->no_body)))
        return;
    while (length >= (room = t->size - t->length)) {
        if (!t->stream) {
            t->full = 1;
            return;
        }
        memcpy(t->bytes + t->length, bytes, room - 1);
        t->length += room - 1;
        bytes += room - 1;
        length -= room - 1;
        /* NOLINTNEXTLINE(clang-analyzer-core.*): there is one byte at least */
        if (flush_full(t, *bytes) < 0)
            return;
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

/* How much of a name is told, and of a cookie only its name. */
#define NAME_TOLD_BYTES 48

/* Makes an error sticky and says why: "header X-Id: given twice". */
static int refuse(struct http_stream *s, int error, const char *what,
                  const char *name, const char *why)
{
    struct http_text t;
    int length = 0;

    if (s->error < 0)
        return s->error;
    while (length < NAME_TOLD_BYTES && name[length] != '\0' &&
           name[length] != '=')
        length++;
    t = http_text_in(s->detail, sizeof s->detail);
    http_format(&t, "%s %.*s: %s", what, length, name, why);
    return s->error = error;
}

/* No number is wider: more is a mistake. */
#define FORMAT_WIDTH_MAX 32

static void append_integer(struct http_text *t, uint64_t value, int negative,
                           unsigned base, int zero, int64_t width)
{
    char digits[FORMAT_WIDTH_MAX], *end = digits + sizeof digits, *p = end;

    do
        *--p = "0123456789abcdef"[value % base];
    while ((value /= base) > 0);
    while (zero && end - p < width - negative)
        *--p = '0';
    if (negative)
        *--p = '-';
    while (end - p < width)
        *--p = ' ';
    http_append(t, p, (size_t)(end - p));
}

static int next_int(va_list *list)
{
    return va_arg(*list, int);
}

/* What stands behind a '%': [ "0" ] [ width ] [ "l" / "ll" / "z" ] and "d",
 * "u" or "x". Gives its end, or NULL when it is something else. */
static const char *format_integer(struct http_text *t, const char *p,
                                  va_list *list)
{
    int zero = *p == '0', negative;
    size_t size = sizeof(int);
    int64_t width = 0, value;

    if (digit(*p))
        p = http_decimal(p, FORMAT_WIDTH_MAX, &width);
    if (!p)
        return NULL;
    if (p[0] == 'l' && p[1] == 'l') {
        size = sizeof(long long);
        p += 2;
    } else if (*p == 'l' || *p == 'z') {
        size = sizeof(long); /* and of size_t, on all systems */
        p++;
    }
    if (*p != 'd' && *p != 'u' && *p != 'x')
        return NULL;
    value = size == sizeof value ? va_arg(*list, int64_t) : next_int(list);
    if (size != sizeof value && *p != 'd')
        value = (unsigned)value;
    negative = *p == 'd' && value < 0;
    append_integer(t, negative ? 0 - (uint64_t)value : (uint64_t)value,
                   negative, *p == 'x' ? 16 : 10, zero, width);
    return p + 1;
}

/* As strlen(), of at most `limit` bytes. */
static size_t length_within(const char *text, size_t limit)
{
    size_t n = 0;

    while (n < limit && text[n] != '\0')
        n++;
    return n;
}

/* Adds what the conversion behind a '%' stands for. Gives the conversion's
 * end, or NULL when it is none that is known: it has read no argument then. */
static const char *convert(struct http_text *t, const char *p, va_list *list)
{
    const char *text;
    size_t limit = SIZE_MAX;
    char byte = *p;

    if (*p == 'c')
        byte = (char)next_int(list);
    if (*p == 'c' || *p == '%') {
        http_append(t, &byte, 1);
        return p + 1;
    }
    if (p[0] == '.' && p[1] == '*' && p[2] == 's') {
        limit = (size_t)next_int(list); /* below 0 it is none, as in C */
        p += 2;
    }
    if (*p != 's')
        return format_integer(t, p, list);
    text = va_arg(*list, const char *);
    http_append(t, text, length_within(text, limit));
    return p + 1;
}

/* Stops a text at a conversion that is not known. */
static void refuse_conversion(struct http_text *t, const char *conversion)
{
    t->full = 1;
    if (t->stream)
        (void)refuse(t->stream, HTTP_FORMAT, "conversion", conversion,
                     "not one of http_format()");
}

void http_format(struct http_text *t, const char *format, ...)
{
    const char *p;
    va_list list;

    va_start(list, format);
    while (format && *format != '\0') {
        for (p = format; *p != '\0' && *p != '%'; p++)
            continue;
        http_append(t, format, (size_t)(p - format));
        format = p;
        if (*p == '%')
            format = convert(t, p + 1, &list);
        if (!format)
            refuse_conversion(t, p);
    }
    va_end(list);
}

/* Base64: RFC 4648, section 4 */

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t http_base64_encode(char *out, const char *bytes, size_t length)
{
    uint32_t bits = 0;
    int unwritten = 0; /* of the bits */
    size_t written = 0;

    for (; length > 0; length--) {
        bits = bits << 8 | (unsigned char)*bytes++;
        for (unwritten += 8; unwritten >= 6; unwritten -= 6)
            out[written++] = base64[bits >> (unwritten - 6) & 63];
    }
    if (unwritten > 0)
        out[written++] = base64[bits << (6 - unwritten) & 63];
    while (written % 4 != 0)
        out[written++] = '=';
    return written;
}

static int base64_value(int c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int64_t http_base64_decode(char *out, const char *text, size_t length)
{
    uint32_t bits = 0;
    int unwritten = 0, value;
    size_t written = 0, end = length;

    while (end > 0 && length - end < 2 && text[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        value = base64_value(text[i]);
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        unwritten += 6;
        if (unwritten >= 8) {
            unwritten -= 8;
            out[written++] = (char)(bits >> unwritten);
        }
    }
    /* Canonical: whole groups, and no bits to spare in the last. */
    if (length % 4 != 0 || (bits & ((1u << unwritten) - 1)) != 0)
        return -1;
    return (int64_t)written;
}

/* Endpoint */

static const char *address(struct http_endpoint *e, const char *p)
{
    size_t n = match(p, "localhost");
    int64_t byte;

    if (n > 0) {
        memcpy(e->address, "\x7f\0\0\1", 4);
        return p + n;
    }
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *p++ != '.')
            return NULL;
        if (*p == '0' && digit(p[1])) /* octal, for some */
            return NULL;
        p = http_decimal(p, 255, &byte);
        if (!p)
            return NULL;
        e->address[i] = (unsigned char)byte;
    }
    return p;
}

/* Copies the text up to `end`; not when it does not fit. */
static int copy(char *to, size_t size, const char *text, const char *end)
{
    size_t length = (size_t)(end - text);

    if (length >= size)
        return HTTP_TOO_LONG;
    memcpy(to, text, length);
    to[length] = '\0';
    return 0;
}

int http_endpoint_parse(struct http_endpoint *e, const char *text)
{
    const char *p = text + match(text, "http://"), *host = p, *slash;
    int64_t port = 0;

    p = address(e, p);
    if (!p || (*p != ':' && *p != '\0'))
        return HTTP_HOST;
    if (*p == ':')
        p = http_decimal(p + 1, 65535, &port);
    if (!p || port == 0 || (*p != '/' && *p != '\0') ||
        copy(e->host, sizeof e->host, host, p) < 0)
        return HTTP_PORT;
    e->port[0] = (unsigned char)(port >> 8);
    e->port[1] = (unsigned char)port;
    slash = p;
    p += http_span(p, "azAZ09", "-._~%!$&'()*+,;=:@/");
    if (*p != '\0')
        return HTTP_PATH;
    if (p > slash && p[-1] == '/')
        p--;
    return copy(e->path, sizeof e->path, slash, p) < 0 ? HTTP_PATH : 0;
}

/* The kernel */

/* New in POSIX.1-2024. Where it is lacking a child inherits the socket. */
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif

/* Between tries of a write for which the kernel has no room. */
#define WRITE_AGAIN_MS 10
/* After so long a write that is stuck looks whether the peer has spoken. */
#define WRITE_STUCK_S 1

void http_close(struct http_connection *c)
{
    int saved = errno;

    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->reused = 0;
    errno = saved;
}

static int ready(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int rc;

    do
        rc = poll(&p, 1, timeout_ms);
    while (rc < 0 && errno == EINTR);
    return rc > 0;
}

/* A closed standard descriptor must not become a socket: what somebody prints
 * would be sent to Lambda. */
static void above_stdio(struct http_connection *c)
{
    int fd;

    if (c->fd < 0 || c->fd > 2)
        return;
    fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
    http_close(c);
    c->fd = fd;
}

/* An interrupted connect goes on in the kernel: its outcome is waited for. */
static int connect_to(int fd, const struct sockaddr_in *to)
{
    int error = 0;
    socklen_t length = sizeof error;

    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return 0;
    if (errno == EINTR && ready(fd, POLLOUT, -1) &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0) {
        if (error == 0)
            return 0;
        errno = error;
    }
    return HTTP_SYSTEM;
}

static int open_connection(struct http_connection *c)
{
    struct timeval stuck = {.tv_sec = WRITE_STUCK_S};
    struct sockaddr_in to = {.sin_family = AF_INET};
    int on = 1;

    if (c->fd >= 0)
        return 0;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    above_stdio(c);
    if (c->fd < 0)
        return HTTP_SYSTEM;
    memcpy(&to.sin_port, c->endpoint.port, 2);
    memcpy(&to.sin_addr, c->endpoint.address, 4);
    if (connect_to(c->fd, &to) < 0) {
        http_close(c);
        return HTTP_SYSTEM;
    }
    /* Without the first, words wait for each other; without the second, a write
     * that is stuck does not look for an early answer. Neither is needed for
     * what is sent to be right. */
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &stuck, sizeof stuck);
    return 0;
}

static struct iovec slice(const void *bytes, size_t length)
{
    /* writev only reads, whatever its type says. */
    return (struct iovec){(void *)(uintptr_t)bytes, length};
}

/* Writes all of it, in one system call where the kernel takes it so. When it
 * has no room, `events` (POLLIN on a socket, else 0) are looked for meanwhile:
 * a peer that answers instead of reading wants no more. */
static int write_all(int fd, struct iovec *v, int count, short events)
{
    ssize_t n = 0;

    for (;;) {
        while (count > 0 && (size_t)n >= v->iov_len) {
            n -= (ssize_t)v->iov_len;
            v++;
            count--;
        }
        if (count == 0)
            return 0;
        *v = slice((char *)v->iov_base + n, v->iov_len - (size_t)n);
        n = writev(fd, v, count);
        if (n > 0)
            continue;
        if (n == 0 || errno == EAGAIN || errno == ENOBUFS) {
            if (ready(fd, events, WRITE_AGAIN_MS) && events != 0)
                return HTTP_EARLY;
        } else if (errno != EINTR) {
            return HTTP_SYSTEM;
        }
        n = 0;
    }
}

int http_print(int fd, const char *bytes, size_t length)
{
    struct iovec v = slice(bytes, length);

    return write_all(fd, &v, 1, 0);
}

int http_receive(struct http_connection *c, struct http_message *m,
                 int timeout_ms)
{
    ssize_t n;
    int rc = 0;

    while (rc == 0) {
        if (timeout_ms >= 0 && !ready(c->fd, POLLIN, timeout_ms)) {
            rc = HTTP_TIMEOUT;
            break;
        }
        n = read(c->fd, m->buffer + m->end, HTTP_MESSAGE_BYTES_MAX - m->end);
        if (n > 0) {
            m->end += (size_t)n;
            rc = http_parse(m);
        } else if (n == 0) {
            rc = m->end + m->taken == 0 ? HTTP_CLOSED : HTTP_TRUNCATED;
        } else if (errno != EINTR) {
            rc = HTTP_SYSTEM;
        }
    }
    c->reused = 1;
    if (rc < 0 || !m->reusable)
        http_close(c);
    return rc < 0 ? rc : 0;
}

/* Requests: section 3 */

#define ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
#define ERROR_BODY "Lambda-Runtime-Function-Error-Body"

/* The request line, and the fields of each request. An id is that of the
 * invocation that the request is for; "" for one that is for none. */
static struct http_text *begin_head(struct http_connection *c,
                                    const char *method, const char *id,
                                    const char *resource)
{
    c->head = http_text_in(c->head_bytes, sizeof c->head_bytes);
    http_format(&c->head, "%s %s/2018-06-01/runtime/", method,
                c->endpoint.path);
    if (*id != '\0')
        http_format(&c->head, "invocation/%s/", id);
    http_format(&c->head,
                "%s HTTP/1.1\r\n"
                "Host: %s\r\n"
                "User-Agent: rawstream/" RAWSTREAM_VERSION "\r\n",
                resource, c->endpoint.host);
    return &c->head;
}

/* The blank line, and before it the invocation id where one came: new and
 * optional (July 2026), not yet in AWS's documentation. */
static void end_head(struct http_text *t, const struct http_stream *s)
{
    if (*s->invocation_id)
        http_format(t, "Lambda-Runtime-Invocation-Id: %s\r\n",
                    s->invocation_id);
    http_format(t, "\r\n");
}

/* Sends what is composed in c->head and, in the same system call, the other
 * entries of the vector. */
static int send_head(struct http_connection *c, struct iovec *v, int count)
{
    int rc = open_connection(c);

    v[0] = slice(c->head_bytes, c->head.length);
    c->head.length = 0;
    return rc < 0 ? rc : write_all(c->fd, v, count, POLLIN);
}

static int ask(struct http_connection *c, struct http_message *m)
{
    struct iovec v;
    int rc;

    http_message_start(m, m->buffer);
    http_format(begin_head(c, "GET", "", "invocation/next"), "\r\n");
    rc = send_head(c, &v, 1);
    if (rc < 0) {
        http_close(c);
        return rc;
    }
    return http_receive(c, m, -1);
}

int http_next(struct http_connection *c, struct http_message *m)
{
    int reused, rc;

    /* If an idle connection turns out dead, across a freeze perhaps, and
     * nothing of an answer has come, ask once more on a new one: Lambda gives
     * an event again until it has been answered. */
    do {
        reused = c->reused;
        rc = ask(c, m);
    } while (rc < 0 && reused && m->end + m->taken == 0);
    return rc;
}

/* Response stream */

static int transmit(struct http_stream *s, const void *bytes, size_t length,
                    const char *end);

void http_start(struct http_stream *s, struct http_connection *c,
                const char *id, const char *invocation_id)
{
    /* All but the bytes of texts. */
    memset(s, 0, offsetof(struct http_stream, detail));
    s->transmit = transmit;
    s->connection = c;
    s->id = id;
    s->invocation_id = invocation_id;
    s->headers.bytes = s->headers_json;
    s->headers.size = sizeof s->headers_json;
    s->cookies.bytes = s->cookies_json;
    s->cookies.size = sizeof s->cookies_json;
    s->text.bytes = s->piece;
    s->text.size = sizeof s->piece;
    s->text.stream = s;
    s->headers_json[0] = '\0';
    s->detail[0] = '\0';
    s->error_json[0] = '\0';
}

/* Writes a JSON string of printable ASCII, of which only two characters need
 * an escape. */
static void quote(struct http_text *t, const char *p)
{
    http_append(t, "\"", 1);
    for (; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            http_append(t, "\\", 1);
        http_append(t, p, 1);
    }
    http_append(t, "\"", 1);
}

/* Whether the headers, as JSON members, have that name. */
static int has_header(const struct http_stream *s, const char *name)
{
    size_t n;

    for (const char *p = s->headers_json; *p != '\0'; p++) {
        n = match(p + 1, name);
        if (*p == '"' && n > 0 && p[n + 1] == '"' && p[n + 2] == ':')
            return 1;
    }
    return 0;
}

/* Headers that are the connection's own, or Lambda's. */
static int is_reserved(const char *name)
{
    static const char names[][20] = {
        "Connection",       "Content-Length",    "Keep-Alive",
        "Proxy-Connection", "Set-Cookie",        "TE",
        "Trailer",          "Transfer-Encoding", "Upgrade"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (same(name, names[i]))
            return 1;
    return 0;
}

static const char head_has_left[] = "the head has left";
static const char plain_body[] =
    "a plain body takes Content-Type alone: call http_status()";

/* What all of the prelude but its headers and cookies comes to: 29 bytes before
 * the headers, 15 around the cookies, 8 NULs and the one of http_text. */
#define PRELUDE_FIXED_BYTES 64

/* Adds a value to the headers, behind its name, or to the cookies. Of a plain
 * body, which has one header, only the value is kept. Gives NULL, or why it was
 * refused. */
static const char *add(struct http_stream *s, struct http_text *t,
                       const char *name, const char *value)
{
    if (s->begun)
        return head_has_left;
    if (!is_printable(value))
        return "not printable ASCII";
    s->header_bytes += strlen(name) + strlen(value);
    if (t->length > 0)
        http_append(t, ",", 1);
    if (s->status == 0) {
        http_append(t, value, strlen(value));
    } else {
        if (*name != '\0')
            http_format(t, "\"%s\":", name);
        quote(t, value);
    }
    if (s->header_bytes > HTTP_HEADERS_BYTES_MAX || t->full ||
        s->headers.length + s->cookies.length + PRELUDE_FIXED_BYTES >
            HTTP_PRELUDE_BYTES_MAX)
        return "too many bytes of headers and cookies";
    return NULL;
}

int http_status(struct http_stream *s, int status)
{
    char number[12];
    struct http_text t = http_text_in(number, sizeof number);

    if (s->error < 0)
        return s->error;
    if (s->begun || status < 200 || status > 599) {
        http_format(&t, "%d", status);
        return refuse(s, HTTP_HEADER, "status", number,
                      s->begun ? head_has_left : "not from 200 to 599");
    }
    s->status = status;
    s->header_bytes = 0;
    s->headers.length = 0;
    s->headers_json[0] = '\0';
    s->cookies.length = 0;
    s->text.length = 0;
    return 0;
}

int http_header(struct http_stream *s, const char *name, const char *value)
{
    size_t length = token(name);
    const char *why;

    if (s->error < 0)
        return s->error;
    if (s->status == 0 && !same(name, "Content-Type"))
        why = plain_body;
    else if (length == 0 || name[length] != '\0' || is_reserved(name))
        why = "cannot be set";
    else if (s->status == 0 && *value == '\0')
        why = "empty";
    else if (s->status == 0 ? s->headers.length > 0 : has_header(s, name))
        why = "given twice";
    else
        why = add(s, &s->headers, name, value);
    return why ? refuse(s, HTTP_HEADER, "header", name, why) : 0;
}

int http_cookie(struct http_stream *s, const char *cookie)
{
    const char *why;

    if (s->error < 0)
        return s->error;
    if (s->status == 0)
        why = plain_body;
    else if (*cookie == '\0')
        why = "empty";
    else
        why = add(s, &s->cookies, "", cookie);
    return why ? refuse(s, HTTP_HEADER, "cookie", cookie, why) : 0;
}

int http_answer(struct http_stream *s, int status, const char *type,
                const char *text)
{
    (void)http_status(s, status);
    (void)http_header(s, "Content-Type", type);
    http_append(&s->text, text, strlen(text));
    return s->error;
}

void http_prelude(struct http_text *t, const struct http_stream *s)
{
    http_format(t, "{\"statusCode\":%d,\"headers\":{%s}", s->status,
                s->headers_json);
    if (s->cookies.length > 0)
        http_format(t, ",\"cookies\":[%s]", s->cookies_json);
    http_append(t, "}", 1);
}

/* A chunk of its own: the prelude, and eight NULs that separate it from the
 * body. */
static void append_prelude(struct http_text *t, const struct http_stream *s)
{
    char bytes[HTTP_PRELUDE_BYTES_MAX];
    struct http_text p = http_text_in(bytes, sizeof bytes);

    http_prelude(&p, s);
    http_append(&p, "\0\0\0\0\0\0\0\0", 8);
    http_format(t, "%zx\r\n", p.length);
    http_append(t, bytes, p.length);
    http_append(t, "\r\n", 2);
}

/* The head of a response and, of an HTTP answer, the prelude. */
static void begin_response(struct http_stream *s)
{
    struct http_text *t = begin_head(s->connection, "POST", s->id, "response");
    const char *type = "application/octet-stream";

    if (s->status > 0)
        type = "application/vnd.awslambda.http-integration-response";
    else if (s->headers.length > 0)
        type = s->headers_json;
    http_format(t,
                "Content-Type: %s\r\n"
                "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                "Transfer-Encoding: chunked\r\n"
                "Trailer: " ERROR_TYPE ", " ERROR_BODY "\r\n",
                type);
    end_head(t, s);
    if (s->status > 0)
        append_prelude(t, s);
    s->begun = 1;
}

/* In one system call: the head and the prelude, if they have not left; a chunk
 * of what is gathered and `length` bytes more, if that is any; and `end`. */
static int transmit(struct http_stream *s, const void *bytes, size_t length,
                    const char *end)
{
    struct http_text *head = &s->connection->head;
    size_t total = s->text.length + length;
    struct iovec v[5];

    if (!s->begun)
        begin_response(s);
    if (total > 0)
        http_format(head, "%zx\r\n", total);
    v[1] = slice(s->text.bytes, s->text.length);
    v[2] = slice(bytes, length);
    v[3] = slice("\r\n", total > 0 ? 2 : 0);
    v[4] = slice(end, strlen(end));
    s->text.length = 0;
    s->error = send_head(s->connection, v, 5);
    s->system_error = errno; /* the handler may run on, and change it */
    return s->error;
}

int http_write(struct http_stream *s, const void *bytes, size_t length)
{
    if (s->error < 0 || s->no_body || s->text.length + length == 0)
        return s->error;
    return s->transmit(s, bytes, length, "");
}

int http_flush(struct http_stream *s)
{
    if (s->error < 0 || (s->begun && s->text.length == 0))
        return s->error;
    return s->transmit(s, "", 0, "");
}

int http_look(struct http_stream *s)
{
    struct http_connection *c = s->connection;

    if (s->error == 0 && c && c->fd >= 0 && ready(c->fd, POLLIN, 0)) {
        if (s->begun)
            s->error = HTTP_EARLY;
        else
            /* Nothing is lost: the head can leave on a new connection. */
            http_close(c);
    }
    return s->error;
}

/* Section 7.1.2: the two trailers, which the head has announced. */
static void append_trailers(struct http_text *t, const struct http_stream *s)
{
    http_format(t, ERROR_TYPE ": %s\r\n" ERROR_BODY ": ", s->error_type);
    t->length += http_base64_encode(t->bytes + t->length, s->error_json,
                                    strlen(s->error_json));
    http_format(t, "\r\n");
}

int http_end(struct http_stream *s)
{
    char bytes[HTTP_TRAILER_BYTES_SENT_MAX];
    struct http_text t = http_text_in(bytes, sizeof bytes);

    http_format(&t, "0\r\n");
    if (s->error_json[0] != '\0')
        append_trailers(&t, s);
    http_format(&t, "\r\n");
    return s->transmit(s, "", 0, bytes);
}

int http_post_error(struct http_stream *s)
{
    struct http_text *t = begin_head(s->connection, "POST", s->id,
                                     *s->id != '\0' ? "error" : "init/error");
    struct iovec v[2];

    v[1] = slice(s->error_json, strlen(s->error_json));
    http_format(t,
                "Content-Type: application/json\r\n" ERROR_TYPE ": %s\r\n"
                "Content-Length: %zu\r\n",
                s->error_type, v[1].iov_len);
    end_head(t, s);
    return send_head(s->connection, v, 2);
}
