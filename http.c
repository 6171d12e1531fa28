#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* Characters and numbers: RFC 9110, section 5.6.2 */

#define TOKEN   "azAZ--09..^`||~~!!#'*+"
#define VISIBLE " ~"
#define BLANK   "  \t\t"

size_t http_span(const char *text, const char *ranges)
{
    const char *r = ranges;
    size_t n = 0;

    while (*r != '\0') {
        if (text[n] >= r[0] && text[n] <= r[1]) {
            n++;
            r = ranges;
        } else {
            r += 2;
        }
    }
    return n;
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

    for (*number = 0; (unsigned)hex(*p) < (unsigned)base; p++) {
        *number = *number * base + hex(*p);
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
    /* In the order of enum http_error, and one text: an array of pointers
     * would need relocations. */
    const char *reason = "\0"
                         "system call failed\0"
                         "closed before an answer\0"
                         "closed inside an answer\0"
                         "malformed status line\0"
                         "malformed field line\0"
                         "control byte or bare CR or LF\0"
                         "line or section too long\0"
                         "more than 128 fields\0"
                         "Content-Length malformed or above 6291556\0"
                         "coding other than one chunked\0"
                         "neither Content-Length nor chunked\0"
                         "malformed chunk\0"
                         "more than 6291556 bytes\0"
                         "status 101, or more than 16 of 1xx\0"
                         "answered or closed before our end\0"
                         "rest of the answer missing\0"
                         "neither IPv4 address nor localhost\0"
                         "no port from 1 to 65535\0"
                         "malformed path\0"
                         "status or header refused\0"
                         "handler failed\0";

    for (; error < 0 && error >= HTTP_FAILED; error++)
        reason += strlen(reason) + 1;
    return reason;
}

/* Message: a line is looked at byte by byte as it arrives, and understood when
 * it is complete. */

/* BODY is that of a Content-Length. Behind CHUNK_DATA, and behind BODY, stands
 * the state that comes after it. */
enum {
    STATUS_LINE,
    FIELD_LINE,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILER,
    BODY,
    DONE
};

/* `left` is what the new state may read: a head, a line, data, a section. */
static int enter(struct http_message *m, int state, size_t left)
{
    m->state = state;
    m->left = left;
    return 1;
}

void http_message_start(struct http_message *m, char *buffer)
{
    memset(m, 0, offsetof(struct http_message, fields));
    m->buffer = buffer;
    (void)enter(m, STATUS_LINE, HTTP_HEAD_BYTES_MAX);
}

char *http_field(const struct http_message *m, const char *name, int *count)
{
    const struct http_field *f = m->fields;
    char *value = NULL;

    for (*count = 0; f < m->fields + m->field_count; f++) {
        if (!same(f->name, name))
            continue;
        *count += *count >= 0;
        /* NOLINTNEXTLINE(clang-analyzer-core.*): no value is NULL */
        if (value && strcmp(value, f->value) != 0)
            *count = -1;
        value = f->value;
    }
    return value;
}

/* Looks for the end of the line that begins at m->line, of at most m->left
 * bytes, and makes a string of it. */
static int read_line(struct http_message *m)
{
    char *line = m->buffer + m->line;
    size_t n = m->at - m->line, length = m->end - m->line;
    size_t end = length < m->left ? length : m->left;
    int c, after_cr;

    for (;; n++) {
        after_cr = n > 0 && line[n - 1] == '\r';
        if (!after_cr)
            while (n < end && line[n] >= ' ' && line[n] <= '~')
                n++;
        m->at = m->line + n;
        if (n == length)
            return 0;
        if (n == end)
            return HTTP_TOO_LONG;
        c = (unsigned char)line[n];
        if (after_cr)
            break;
        if (c == 0x7f || (c < ' ' && c != '\t' && c != '\r'))
            return HTTP_LINE;
    }
    if (c != '\n')
        return HTTP_LINE;
    line[n - 1] = '\0';
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
 * The line's end is at m->at. Fields of a trailer section are dropped. */
static int field_line(struct http_message *m, char *line)
{
    char *end = m->buffer + m->at - 2;
    struct http_field f = {line, line + http_span(line, TOKEN)};

    if (f.value == line || *f.value != ':')
        return HTTP_FIELD_LINE;
    *f.value++ = '\0';
    f.value += http_span(f.value, BLANK);
    while (end > f.value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    if (m->state == TRAILER)
        return 1;
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
    int count, http11 = m->reusable;
    const char *option = http_field(m, "Connection", &count), *digits, *coding;
    int64_t length = 0;

    if (option && (count < 0 || lists(option, "close")))
        m->reusable = 0;
    digits = http_field(m, "Content-Length", &count);
    if (digits) {
        digits = http_decimal(digits, HTTP_BODY_BYTES_MAX, &length);
        if (count < 0 || !digits || *digits != '\0')
            return HTTP_LENGTH;
    }
    coding = http_field(m, "Transfer-Encoding", &count);
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

/* Drops the bytes between the body, as far as it is read, and m->line: framing
 * that is understood. What comes next is stored where it stays. */
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

/* Section 7.1: chunk-size [ chunk-ext ], extensions are passed over. */
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
static int data(struct http_message *m)
{
    size_t n = m->end - m->at;

    if (n > m->left)
        n = m->left;
    memmove(m->buffer + m->body + m->body_length, m->buffer + m->at, n);
    m->body_length += n;
    m->left -= n;
    m->at += n;
    return m->left > 0 ? 1 : enter(m, m->state + 1, 2);
}

/* What a whole line says. */
static int understand(struct http_message *m, char *begin)
{
    m->left -= m->at - m->line;
    if (m->state == STATUS_LINE)
        return status_line(m, begin);
    if (m->state == CHUNK_SIZE)
        return chunk_size(m, begin);
    if (*begin != '\0')
        return field_line(m, begin);
    if (m->state == FIELD_LINE)
        return end_of_head(m);
    return enter(m, m->state == CHUNK_END ? CHUNK_SIZE : DONE,
                 HTTP_CHUNK_LINE_BYTES_MAX);
}

static int line(struct http_message *m)
{
    char *begin = m->buffer + m->line;
    int rc;

    if (m->state == CHUNK_END && *begin != '\r')
        return HTTP_CHUNK;
    rc = read_line(m);
    if (rc <= 0)
        return rc;
    rc = understand(m, begin);
    if (rc < 0)
        m->at = m->line; /* the fault is the whole line's */
    return rc;
}

int http_parse(struct http_message *m)
{
    int rc = 1;

    while (rc > 0 && m->state != DONE && m->at < m->end) {
        rc = m->state == CHUNK_DATA || m->state == BODY ? data(m) : line(m);
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
    if (m->body > 0)
        drop(m);
    return 0;
}

/* Text out */

void http_append(struct http_text *t, const char *bytes, size_t length)
{
    struct http_stream *s = t->stream;
    size_t room;

    if (s && s->error < 0)
        return;
    while (length >= (room = t->size - t->length)) {
        if (!s) {
            t->size = t->length; /* nothing fits from here on */
            return;
        }
        memcpy(t->bytes + t->length, bytes, room - 1);
        t->length += room - 1;
        bytes += room - 1;
        length -= room - 1;
        if (http_flush(s) < 0)
            return;
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

static void number(struct http_text *t, unsigned long value, unsigned base)
{
    char digits[20], *p = digits + sizeof digits;

    do
        *--p = "0123456789abcdef"[value % base];
    while ((value /= base) > 0);
    http_append(t, p, (size_t)(digits + sizeof digits - p));
}

void http_format(struct http_text *t, const char *format, ...)
{
    const char *p, *text;
    unsigned long value;
    va_list list;

    va_start(list, format);
    for (;; format = p + 1) {
        for (p = format; *p != '\0' && *p != '%'; p++)
            continue;
        http_append(t, format, (size_t)(p - format));
        if (*p == '\0')
            break;
        if (*++p == 's') {
            text = va_arg(list, const char *);
            http_append(t, text, strlen(text));
            continue;
        }
        value = va_arg(list, unsigned long);
        if (*++p == 'd' && value > LONG_MAX) {
            http_append(t, "-", 1);
            value = 0 - value;
        }
        number(t, value, *p == 'd' ? 10 : 16);
    }
    va_end(list);
}

/* Base64: RFC 4648, section 4 */

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t http_base64_encode(char *out, const char *bytes, size_t length)
{
    const unsigned char *p = (const unsigned char *)bytes;
    uint32_t bits;
    char *to = out;

    for (size_t i = 0; i < length; i += 3) {
        bits = 0;
        for (size_t n = i; n < i + 3; n++)
            bits = bits << 8 | (n < length ? p[n] : 0);
        for (size_t n = i; n < i + 4; n++, bits <<= 6)
            *to++ = n > length ? '=' : base64[bits >> 18 & 63];
    }
    return (size_t)(to - out);
}

int64_t http_base64_decode(char *out, const char *text, size_t length)
{
    const char *found;
    uint32_t bits = 0;
    size_t written = 0, end = length;

    while (end > 0 && length - end < 2 && text[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        found = memchr(base64, text[i], 64);
        if (!found)
            return -1;
        bits = bits << 6 | (uint32_t)(found - base64);
        if (i % 4 != 0)
            out[written++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    /* Canonical: whole groups, and no bits to spare in the last. */
    if (length % 4 != 0 || (bits & ((1u << 2 * (length - end)) - 1)) != 0)
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
    const char *p = address(e, text), *slash;
    int64_t port = 0;

    if (!p || (*p != ':' && *p != '\0'))
        return HTTP_HOST;
    if (*p == ':')
        p = http_decimal(p + 1, 65535, &port);
    if (!p || port == 0 || (*p != '/' && *p != '\0') ||
        copy(e->host, sizeof e->host, text, p) < 0)
        return HTTP_PORT;
    e->port[0] = (unsigned char)(port >> 8);
    e->port[1] = (unsigned char)port;
    slash = p;
    p += http_span(p, "az09//!!$.:;==@Z__~~");
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
    /* Without these it would still work, only later or less thriftily. */
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
 * has no room, `events` (POLLIN on a socket) are looked for meanwhile: a peer
 * that answers instead of reading wants no more. */
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
            if (ready(fd, events, WRITE_AGAIN_MS))
                return HTTP_EARLY;
        } else if (errno != EINTR) {
            return HTTP_SYSTEM;
        }
        n = 0;
    }
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

/* The request line, and the fields of each request. An action is posted, for
 * the invocation of that id or, when it is "", for the initialisation. Without
 * an action the invocation is asked for. */
static struct http_text *begin_head(struct http_connection *c, const char *id,
                                    const char *action)
{
    c->head.bytes = c->head_bytes;
    c->head.size = sizeof c->head_bytes;
    c->head.length = 0;
    http_format(&c->head,
                "%s %s/2018-06-01/runtime/%s%s%s HTTP/1.1\r\n"
                "Host: %s\r\n"
                "User-Agent: rawstream/" RAWSTREAM_VERSION "\r\n",
                *action ? "POST" : "GET", c->endpoint.path,
                *id ? "invocation/" : "init", id, action, c->endpoint.host);
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
    http_format(begin_head(c, "next", ""), "\r\n");
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

    /* A connection that was lost while nobody used it, across a freeze perhaps,
     * is nobody's fault. Asking again, on another, gives the same event. Bytes
     * that came with the last reply have closed it; what the peer sends of its
     * own accord after that cannot be told from an answer. */
    do {
        reused = c->reused;
        rc = ask(c, m);
    } while (rc < 0 && reused && m->end + m->taken == 0);
    return rc;
}

/* Response stream */

void http_start(struct http_stream *s, struct http_connection *c,
                const char *id, const char *invocation_id)
{
    memset(s, 0, offsetof(struct http_stream, error_type));
    s->header_bytes[0] = s->error_json[0] = '\0';
    s->connection = c;
    s->id = id;
    s->invocation_id = invocation_id;
    s->text.stream = s;
    s->text.bytes = s->piece;
    s->text.size = sizeof s->piece;
    s->headers.bytes = s->header_bytes;
    s->cookies.bytes = s->cookie_bytes;
    s->headers.size = s->cookies.size = HTTP_ANSWER_BYTES_MAX;
}

/* Writes a JSON string of printable ASCII, of which only two characters need
 * an escape. */
static void quote(struct http_text *t, const char *p)
{
    http_format(t, "\"");
    for (; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            http_format(t, "\\");
        http_append(t, p, 1);
    }
    http_format(t, "\"");
}

/* Whether JSON members, or what is written like them, have that name. */
static int has(const char *members, const char *name)
{
    size_t n;

    for (const char *p = members; *p != '\0'; p++) {
        n = match(p + 1, name);
        if (*p == '"' && n > 0 && p[n + 1] == '"' && p[n + 2] == ':')
            return 1;
    }
    return 0;
}

/* Adds a value to the headers, behind its name, or to the cookies. */
static int add(struct http_stream *s, struct http_text *t, const char *name,
               const char *value, int refused)
{
    if (s->error < 0)
        return s->error;
    if (refused || s->begun || value[http_span(value, VISIBLE)] != '\0')
        return s->error = HTTP_HEADER;
    if (t->length > 0)
        http_format(t, ",");
    if (*name != '\0')
        http_format(t, "\"%s\":", name);
    if (s->status > 0)
        quote(t, value);
    else
        http_format(t, "%s", value);
    return s->error = t->size == t->length ? HTTP_HEADER : 0;
}

int http_status(struct http_stream *s, int status)
{
    if (s->error == 0 &&
        (s->begun || s->headers.length > 0 || status < 200 || status > 599))
        s->error = HTTP_HEADER;
    s->status = status;
    return s->error;
}

int http_header(struct http_stream *s, const char *name, const char *value)
{
    static const char own[] =
        "\"Connection\":\"Keep-Alive\":\"Proxy-Connection\":\"Set-Cookie\":"
        "\"TE\":\"Trailer\":\"Transfer-Encoding\":\"Upgrade\":";

    /* A plain body has one header, of which only the value is kept. */
    if (s->status == 0)
        return add(s, &s->headers, "", value,
                   s->headers.length > 0 || !same(name, "Content-Type"));
    return add(s, &s->headers, name, value,
               *name == '\0' || name[http_span(name, TOKEN)] != '\0' ||
                   has(own, name) || has(s->header_bytes, name));
}

int http_cookie(struct http_stream *s, const char *cookie)
{
    return add(s, &s->cookies, "", cookie, s->status == 0 || *cookie == '\0');
}

/* The prelude of an HTTP answer, which is a chunk of its own: status, headers
 * and cookies as JSON, then eight NULs. */
static void prelude(struct http_text *t, const struct http_stream *s)
{
    http_format(t, "{\"statusCode\":%ld,\"headers\":{%s}", (long)s->status,
                s->header_bytes);
    if (s->cookies.length > 0)
        http_format(t, ",\"cookies\":[%s]", s->cookie_bytes);
    http_append(t, "}\0\0\0\0\0\0\0\0", 9);
}

/* The head of a response and, for an HTTP answer, the prelude. By hand there is
 * no framing: the body goes to standard output, status and headers, as a line
 * of JSON, to standard error. */
static void begin_response(struct http_stream *s)
{
    char bytes[HTTP_PRELUDE_BYTES_MAX];
    struct http_text p = {.bytes = bytes, .size = sizeof bytes}, *t;
    const char *type = "application/vnd.awslambda.http-integration-response";
    struct iovec v;

    s->begun = 1;
    if (s->status > 0)
        prelude(&p, s);
    else
        type = s->headers.length > 0 ? s->header_bytes
                                     : "application/octet-stream";
    if (!s->connection) {
        if (p.length > 0) {
            bytes[p.length - 8] = '\n';
            v = slice(bytes, p.length - 7);
            (void)write_all(2, &v, 1, 0);
        }
        return;
    }
    t = begin_head(s->connection, s->id, "/response");
    http_format(t,
                "Content-Type: %s\r\n"
                "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                "Transfer-Encoding: chunked\r\n"
                "Trailer: " ERROR_TYPE ", " ERROR_BODY "\r\n",
                type);
    end_head(t, s);
    if (s->status == 0)
        return;
    http_format(t, "%lx\r\n", (unsigned long)p.length);
    http_append(t, bytes, p.length);
    http_format(t, "\r\n");
}

/* Sends, in one system call: the head and the prelude, if they have not left;
 * a chunk of what is gathered and `length` bytes more, if that is any; and
 * `end`, which is empty or what follows the last chunk of data. */
static int transmit(struct http_stream *s, const void *bytes, size_t length,
                    const char *end)
{
    size_t total = s->text.length + length;
    struct iovec v[5];

    v[1] = slice(s->text.bytes, s->text.length);
    v[2] = slice(bytes, length);
    v[3] = slice("\r\n", 2);
    v[4] = slice(end, strlen(end));
    s->text.length = 0;
    if (!s->begun)
        begin_response(s);
    if (!s->connection)
        return s->error = write_all(1, v + 1, 2, 0);
    if (total > 0)
        http_format(&s->connection->head, "%lx\r\n", (unsigned long)total);
    else
        v[3].iov_len = 0;
    return s->error = send_head(s->connection, v, 5);
}

int http_write(struct http_stream *s, const void *bytes, size_t length)
{
    if (s->error < 0 || s->text.length + length == 0)
        return s->error;
    return transmit(s, bytes, length, "");
}

int http_flush(struct http_stream *s)
{
    if (s->error < 0 || (s->begun && s->text.length == 0))
        return s->error;
    return transmit(s, "", 0, "");
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

int http_end(struct http_stream *s)
{
    char bytes[HTTP_TRAILER_BYTES_SENT_MAX],
        body[HTTP_ERROR_BYTES_MAX / 3 * 4 + 1];
    struct http_text t = {.bytes = bytes, .size = sizeof bytes};
    size_t length = strlen(s->error_json);

    body[http_base64_encode(body, s->error_json, length)] = '\0';
    http_format(&t,
                length == 0 ? "0\r\n\r\n"
                            : "0\r\n" ERROR_TYPE ": %s\r\n" ERROR_BODY
                              ": %s\r\n\r\n",
                s->error_type, body);
    return transmit(s, "", 0, bytes);
}

int http_post_error(struct http_stream *s)
{
    struct http_text *t = begin_head(s->connection, s->id, "/error");
    struct iovec v[2];

    v[1] = slice(s->error_json, strlen(s->error_json));
    http_format(t,
                "Content-Type: application/json\r\n" ERROR_TYPE ": %s\r\n"
                "Content-Length: %ld\r\n",
                s->error_type, (long)v[1].iov_len);
    end_head(t, s);
    return send_head(s->connection, v, 2);
}
