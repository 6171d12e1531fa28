#define _POSIX_C_SOURCE 200809L
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A chunk-size line with its extensions; ours are a few bytes, and a line of
 * this size is somebody's mistake or attack. */
#define CHUNK_LINE_BYTES_MAX 256u

static enum read_event bad(struct reader *r, int status, const char *fault)
{
    r->state = READING_FAILED;
    r->status = status;
    r->fault = fault;
    return READ_BAD;
}

/* RFC 9110, section 5.6.2: tchar */
static bool is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_tchar(s.data[i])) {
            return false;
        }
    }
    return s.size > 0;
}

bool is_field_value(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

bool fields_get(const struct fields *f, const char *name, struct slice *value)
{
    for (size_t i = 0; i < f->count; i++) {
        if (slice_is_nocase(f->list[i].name, name)) {
            *value = f->list[i].value;
            return true;
        }
    }
    return false;
}

static bool list_has(struct slice list, const char *member)
{
    while (list.size > 0) {
        if (slice_is_nocase(slice_trim(slice_cut(&list, ',')), member)) {
            return true;
        }
    }
    return false;
}

bool fields_has(const struct fields *f, const char *name, const char *member)
{
    for (size_t i = 0; i < f->count; i++) {
        if (slice_is_nocase(f->list[i].name, name) &&
            list_has(f->list[i].value, member)) {
            return true;
        }
    }
    return false;
}

static void fields_add(struct fields *f, struct field field)
{
    if (f->count == f->capacity) {
        size_t capacity = f->capacity == 0 ? 16 : f->capacity * 2;
        struct field *list = allocate(capacity * sizeof *list);

        if (f->count > 0) {
            memcpy(list, f->list, f->count * sizeof *list);
        }
        free(f->list);
        f->list = list;
        f->capacity = capacity;
    }
    f->list[f->count++] = field;
}

/* Takes the line at the start of text, without its CRLF. */
static struct slice take_line(struct slice *text)
{
    struct slice line = slice_cut(text, '\n');

    line.size -= line.size > 0 ? 1 : 0;
    return line;
}

/* RFC 9112, section 5: field-line = field-name ":" OWS field-value OWS */
static const char *add_field(struct fields *f, struct slice line)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');

    if (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        return "a folded field line";
    }
    if (name.size == line.size) {
        return "a field line without a colon";
    }
    if (!is_token(name)) {
        return "a field name that is no token";
    }
    if (!is_field_value(value)) {
        return "a control character in a field value";
    }
    fields_add(f, (struct field){name, slice_trim(value)});
    return NULL;
}

/* The path and the query of the origin form, or of the absolute form, which
 * RFC 9112, section 3.2.2, wants accepted as well. */
static const char *request_target(struct head *h)
{
    struct slice rest = h->target;

    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] <= 0x20 || rest.data[i] == 0x7f ||
            rest.data[i] == '#') {
            return "a request target with an illegal character";
        }
    }
    if (slice_starts_nocase(rest, "http://")) {
        rest.data += 7;
        rest.size -= 7;
        h->authority.data = rest.data;
        while (rest.size > 0 && rest.data[0] != '/' && rest.data[0] != '?') {
            rest.data++;
            rest.size--;
            h->authority.size++;
        }
        if (h->authority.size == 0) {
            return "a request target without a host";
        }
        if (rest.size == 0 || rest.data[0] == '?') {
            rest.data += rest.size > 0 ? 1 : 0;
            rest.size -= rest.size > 0 ? 1 : 0;
            h->path = slice_of("/");
            h->query = rest;
            return NULL;
        }
    } else if (rest.data[0] != '/' && !slice_is(rest, "*")) {
        return "a request target that is no path";
    }
    h->path = slice_cut(&rest, '?');
    h->query = rest;
    return NULL;
}

/* RFC 9112, section 3: method SP request-target SP HTTP-version */
static const char *request_line(struct head *h, struct slice line)
{
    h->method = slice_cut(&line, ' ');
    h->target = slice_cut(&line, ' ');
    if (!is_token(h->method) || h->target.size == 0) {
        return "a malformed request line";
    }
    if (line.size != 8 || memcmp(line.data, "HTTP/", 5) != 0) {
        return "a request line without an HTTP version";
    }
    if (!slice_is(line, "HTTP/1.0") && !slice_is(line, "HTTP/1.1")) {
        return "";
    }
    h->minor = line.data[7] - '0';
    return request_target(h);
}

static bool parse_length(struct slice s, uint64_t *length)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || n > UINT64_MAX / 100) {
            return false;
        }
        n = n * 10 + (uint64_t)(s.data[i] - '0');
    }
    *length = n;
    return s.size > 0;
}

/* What the fields say about the message itself, and how often. */
struct counts {
    size_t lengths, codings, hosts;
};

static enum read_event count_field(struct reader *r, struct field *f,
                                   struct counts *counts)
{
    struct head *h = &r->head;

    if (slice_is_nocase(f->name, "content-length")) {
        uint64_t length;

        if (!parse_length(f->value, &length)) {
            return bad(r, 400, "a malformed Content-Length");
        }
        if (counts->lengths++ > 0 && length != h->length) {
            return bad(r, 400, "two different Content-Lengths");
        }
        h->length = length;
    } else if (slice_is_nocase(f->name, "transfer-encoding")) {
        counts->codings++;
        if (!slice_is_nocase(f->value, "chunked")) {
            return bad(r, 501, "a transfer coding other than chunked");
        }
    } else if (slice_is_nocase(f->name, "host")) {
        counts->hosts++;
        /* RFC 9112, section 3.2.2: the target's authority counts. */
        f->value = h->authority.size > 0 ? h->authority : f->value;
    }
    return READ_HEAD;
}

/* RFC 9112, section 6: how the body is framed. */
static enum read_event framing(struct reader *r)
{
    struct head *h = &r->head;
    struct counts n = {0};

    for (size_t i = 0; i < h->fields.count; i++) {
        if (count_field(r, &h->fields.list[i], &n) == READ_BAD) {
            return READ_BAD;
        }
    }
    if (n.codings > 1 || (n.codings == 1 && n.lengths > 0)) {
        return bad(r, 400, "a body framed in two ways");
    }
    if (n.codings == 1 && h->minor == 0) {
        return bad(r, 400, "chunked coding in HTTP/1.0");
    }
    if (n.hosts > 1 || (n.hosts == 0 && h->minor == 1)) {
        return bad(r, 400, n.hosts > 1 ? "two Host fields" : "no Host field");
    }
    h->chunked = n.codings == 1;
    h->close = fields_has(&h->fields, "connection", "close") ||
               (h->minor == 0 &&
                !fields_has(&h->fields, "connection", "keep-alive"));
    h->expects_continue = h->minor == 1 &&
                          fields_has(&h->fields, "expect", "100-continue");
    r->left = h->length;
    r->state = h->chunked ? READING_CHUNK_SIZE : READING_LENGTH;
    return READ_HEAD;
}

/* The offset behind the head's empty line; 0: not there yet. Line ends are
 * checked here, so that a peer with bare LFs gets an answer at once and does
 * not wait for one. */
static size_t scan_head(struct reader *r, struct slice s)
{
    for (size_t i = r->scanned; i < s.size; i++) {
        unsigned char c = s.data[i];

        if (c == '\r' && i + 1 == s.size) {
            r->scanned = i;
            return 0;
        }
        if (c == '\r' && s.data[i + 1] != '\n') {
            (void)bad(r, 400, "a bare CR");
            return 0;
        }
        if (c == '\n' && (i == 0 || s.data[i - 1] != '\r')) {
            (void)bad(r, 400, "a bare LF");
            return 0;
        }
        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
            (void)bad(r, 400, "a control character in the head");
            return 0;
        }
        if (c == '\n' && i >= 3 && s.data[i - 2] == '\n') {
            return i + 1;
        }
        if (i >= r->head_bytes_max) {
            (void)bad(r, 431, "a head that is too large");
            return 0;
        }
    }
    r->scanned = s.size;
    return 0;
}

static enum read_event read_head(struct reader *r, struct buf *in)
{
    struct slice text = buf_slice(in);
    const char *fault;
    size_t size;

    /* RFC 9112, section 2.2: an empty line before the request is skipped. */
    while (r->scanned == 0 && text.size >= 2 &&
           memcmp(text.data, "\r\n", 2) == 0) {
        buf_consume(in, 2);
        text = buf_slice(in);
    }
    size = scan_head(r, text);
    if (r->state == READING_FAILED) {
        return READ_BAD;
    }
    if (size == 0) {
        return READ_MORE;
    }
    buf_add(&r->head.text, text.data, size);
    buf_consume(in, size);
    text = buf_slice(&r->head.text);
    fault = request_line(&r->head, take_line(&text));
    if (fault != NULL) {
        return fault[0] == '\0' ? bad(r, 505, "a version other than HTTP/1.x")
                                : bad(r, 400, fault);
    }
    while (text.size > 2) {
        fault = add_field(&r->head.fields, take_line(&text));
        if (fault != NULL) {
            return bad(r, 400, fault);
        }
    }
    return framing(r);
}

/* The size of a line with its CRLF; 0: not complete, or bad. */
static size_t scan_line(struct reader *r, struct slice s, size_t max,
                        const char *too_long)
{
    const unsigned char *lf = memchr(s.data, '\n', s.size);
    size_t size = lf == NULL ? 0 : (size_t)(lf - s.data) + 1;

    if (lf != NULL && (size < 2 || lf[-1] != '\r')) {
        (void)bad(r, 400, "a bare LF");
        return 0;
    }
    if (size > max || (lf == NULL && s.size > max)) {
        (void)bad(r, 400, too_long);
        return 0;
    }
    return size;
}

/* RFC 9112, section 7.1: chunk-size [ chunk-ext ] CRLF */
static enum read_event read_chunk_size(struct reader *r, struct buf *in)
{
    struct slice s = buf_slice(in);
    size_t size = scan_line(r, s, CHUNK_LINE_BYTES_MAX,
                            "a chunk-size line that is too long");
    uint64_t n = 0;
    size_t i = 0;

    if (r->state == READING_FAILED) {
        return READ_BAD;
    }
    if (size == 0) {
        return READ_MORE;
    }
    for (; i < size - 2; i++) {
        unsigned char c = s.data[i];
        unsigned char lower = c | 0x20;

        if (c >= '0' && c <= '9') {
            lower = (unsigned char)(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            lower = (unsigned char)(lower - 'a' + 10);
        } else {
            break;
        }
        if (n > UINT64_MAX >> 5) {
            return bad(r, 400, "a chunk size that overflows");
        }
        n = n << 4 | lower;
    }
    if (i == 0) {
        return bad(r, 400, "a chunk size that is not hexadecimal");
    }
    s = slice_trim((struct slice){s.data + i, size - 2 - i});
    if (!is_field_value(s) || (s.size > 0 && s.data[0] != ';')) {
        return bad(r, 400, "a malformed chunk-size line");
    }
    buf_consume(in, size);
    r->left = n;
    r->chunks += n > 0;
    r->state = n > 0 ? READING_CHUNK_DATA : READING_TRAILERS;
    return READ_HEAD;
}

static enum read_event read_chunk_end(struct reader *r, struct buf *in)
{
    struct slice s = buf_slice(in);

    if ((s.size >= 1 && s.data[0] != '\r') ||
        (s.size >= 2 && s.data[1] != '\n')) {
        return bad(r, 400, "chunk data that does not end with CRLF");
    }
    if (s.size < 2) {
        return READ_MORE;
    }
    buf_consume(in, 2);
    r->state = READING_CHUNK_SIZE;
    return READ_HEAD;
}

/* RFC 9112, section 7.1.2. */
static enum read_event read_trailers(struct reader *r, struct buf *in)
{
    static const char too_large[] = "a trailer section above 4,096 bytes";
    struct slice s = buf_slice(in);
    size_t room = TRAILER_BYTES_MAX - buf_size(&r->trailer_text);
    size_t size = scan_line(r, s, room, too_large);

    if (r->state == READING_FAILED) {
        return READ_BAD;
    }
    if (size == 0) {
        return READ_MORE;
    }
    buf_add(&r->trailer_text, s.data, size);
    buf_consume(in, size);
    if (size > 2) {
        return READ_HEAD;
    }
    s = buf_slice(&r->trailer_text);
    while (s.size > 2) {
        const char *fault = add_field(&r->trailers, take_line(&s));

        if (fault != NULL) {
            return bad(r, 400, fault);
        }
    }
    r->state = READING_DONE;
    return READ_END;
}

static enum read_event read_data(struct reader *r, struct buf *in, size_t room,
                                 struct slice *data)
{
    *data = buf_slice(in);
    if (r->left == 0) {
        r->state = READING_DONE;
        return READ_END;
    }
    if (data->size > room) {
        data->size = room;
    }
    if (data->size > r->left) {
        data->size = (size_t)r->left;
    }
    if (data->size == 0) {
        return READ_MORE;
    }
    buf_consume(in, data->size);
    r->left -= data->size;
    if (r->left == 0 && r->state == READING_CHUNK_DATA) {
        r->state = READING_CHUNK_END;
    }
    return READ_DATA;
}

enum read_event reader_next(struct reader *r, struct buf *in, size_t room,
                            struct slice *data)
{
    for (;;) {
        enum read_event event;

        switch (r->state) {
        case READING_HEAD:
            return read_head(r, in);
        case READING_LENGTH:
        case READING_CHUNK_DATA:
            return read_data(r, in, room, data);
        case READING_CHUNK_SIZE:
            event = read_chunk_size(r, in);
            break;
        case READING_CHUNK_END:
            event = read_chunk_end(r, in);
            break;
        case READING_TRAILERS:
            event = read_trailers(r, in);
            break;
        case READING_DONE:
            return READ_MORE;
        default:
            return READ_BAD;
        }
        /* In the framing of a body READ_HEAD only means: go on. */
        if (event != READ_HEAD) {
            return event;
        }
    }
}

size_t reader_wants(const struct reader *r)
{
    switch (r->state) {
    case READING_HEAD:
        return r->head_bytes_max;
    case READING_CHUNK_SIZE:
        return CHUNK_LINE_BYTES_MAX;
    case READING_TRAILERS:
        return TRAILER_BYTES_MAX;
    default:
        return 0;
    }
}

void reader_free(struct reader *r)
{
    buf_free(&r->head.text);
    buf_free(&r->trailer_text);
    free(r->head.fields.list);
    free(r->trailers.list);
    r->head.fields = r->trailers = (struct fields){0};
}

void reader_reset(struct reader *r)
{
    size_t max = r->head_bytes_max;

    reader_free(r);
    *r = (struct reader){.head_bytes_max = max};
}

/* IANA's list of 2026. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a Teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

const char *status_reason(int status)
{
    static const char *const of_class[] = {"Informational", "Successful",
                                           "Redirection", "Client Error",
                                           "Server Error"};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return of_class[(status / 100 - 1) % 5];
}

/* RFC 9110, section 5.6.7. The names are spelled here because those of
 * strftime() follow the locale. */
void add_date(struct buf *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(wall_ms() / 1000);
    struct tm t;

    if (gmtime_r(&now, &t) == NULL) {
        return;
    }
    buf_format(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
               days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
               t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

void add_chunk(struct buf *out, struct slice data)
{
    buf_format(out, "%zx\r\n", data.size);
    buf_add_slice(out, data);
    buf_text(out, "\r\n");
}
