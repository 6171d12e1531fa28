#define _POSIX_C_SOURCE 200809L
#include "wire.h"

#include "text.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns of the bytes: a header with a request id just fits. */
#define BYTES_WIDTH 72u
/* A longer line is no line of HTTP, and is not waited for. */
#define LINE_BYTES_MAX (64u * 1024u)

enum phase {
    START_LINE,
    FIELD_LINES,
    BODY,
    CHUNK_SIZE,
    CHUNK_DATA,
    CHUNK_END,
    TRAILER_LINES,
    LOST /* what comes is no HTTP */
};

/* One direction of a connection. */
struct side {
    enum phase phase;
    struct buf line; /* the part of a line that has come */
    int64_t time;    /* of its first byte */
    uint64_t size, left;
    bool chunked, interim, prelude;
};

struct wire {
    unsigned sandbox, connection;
    const int64_t *epoch;
    struct side sides[2];
};

static int target = -1;
static bool colour;
static unsigned last_sandbox, last_connection;
static enum wire_direction last_direction;

#define DIM   "\033[2m"
#define GREEN "\033[32m"
#define BLUE  "\033[34m"
#define CYAN  "\033[36m"
#define PLAIN "\033[0m"

static void paint(struct buf *out, const char *code)
{
    if (colour) {
        buf_text(out, code);
    }
}

static size_t visible_width(struct slice s)
{
    unsigned char c = s.data[0];

    if (utf8_length(s) > 1 || (c >= 0x20 && c < 0x7f && c != '\\')) {
        return 1;
    }
    return c == '\r' || c == '\n' || c == '\t' || c == '\\' ? 2 : 4;
}

/* Adds one byte, or one character of several, in visible form. */
static void add_visible(struct buf *out, struct slice *s)
{
    size_t width = visible_width(*s), n = 1;
    unsigned char c = s->data[0];

    if (width == 1) {
        n = utf8_length(*s);
        buf_add(out, s->data, n);
    } else {
        paint(out, DIM);
        if (width == 2) {
            buf_format(out, "\\%c",
                       c == '\r'   ? 'r'
                       : c == '\n' ? 'n'
                       : c == '\t' ? 't'
                                   : '\\');
        } else {
            buf_format(out, "\\x%02x", (unsigned)c);
        }
        paint(out, PLAIN);
    }
    s->data += n;
    s->size -= n;
}

/* One row or more: time, direction, bytes, and at the right of the first row
 * what they are. A row ends behind each line feed. */
static void add_rows(struct buf *out, int64_t time, enum wire_direction d,
                     struct slice bytes, const char *annotation)
{
    bool first = true;

    do {
        size_t width = 0;
        bool line_end = false;

        paint(out, DIM);
        if (first) {
            buf_format(out, "%9.1f ", (double)time / 1e6);
        } else {
            buf_format(out, "%10s", "");
        }
        paint(out, PLAIN);
        paint(out, d == WIRE_FROM_RUNTIME ? GREEN : BLUE);
        buf_byte(out, d == WIRE_FROM_RUNTIME ? '>' : '<');
        paint(out, PLAIN);
        buf_byte(out, ' ');
        while (bytes.size > 0 && !line_end &&
               width + visible_width(bytes) <= BYTES_WIDTH) {
            line_end = bytes.data[0] == '\n';
            width += visible_width(bytes);
            add_visible(out, &bytes);
        }
        if (first) {
            buf_format(out, "%*s", (int)(BYTES_WIDTH + 2 - width), "");
            paint(out, CYAN);
            buf_text(out, annotation);
            paint(out, PLAIN);
        }
        buf_byte(out, '\n');
        first = false;
    } while (bytes.size > 0);
}

static const struct {
    const char *name, *annotation;
} known_fields[] = {
    {"connection", "connection management, RFC 9112 §9.6"},
    {"content-length", "frames the body, RFC 9112 §6.2"},
    {"content-type", "media type, RFC 9110 §8.3"},
    {"date", "RFC 9110 §6.6.1"},
    {"expect", "RFC 9110 §10.1.1"},
    {"host", "RFC 9112 §3.2"},
    {"trailer", "announces trailer fields, RFC 9110 §6.6.2"},
    {"transfer-encoding", "frames the body, RFC 9112 §6.1"},
    {"user-agent", "RFC 9110 §10.1.5"},
    {"lambda-runtime-aws-request-id", "Lambda: the invocation's id"},
    {"lambda-runtime-client-context", "Lambda: context of the client"},
    {"lambda-runtime-deadline-ms", "Lambda: when its time is over"},
    {"lambda-runtime-invocation-id", "Lambda: to be echoed"},
    {"lambda-runtime-invoked-function-arn", "Lambda: as what it was invoked"},
    {"lambda-runtime-trace-id", "Lambda: for _X_AMZN_TRACE_ID"},
    {"lambda-runtime-function-response-mode", "Lambda: response mode"},
    {"lambda-runtime-function-error-type", "Lambda: type of the error"},
    {"lambda-runtime-function-error-body", "Lambda: the error, in base64"},
};

static struct slice field_name(struct slice line)
{
    const unsigned char *colon = memchr(line.data, ':', line.size);

    line.size = colon == NULL ? 0 : (size_t)(colon - line.data);
    return line;
}

static const char *annotate_field(struct slice line)
{
    struct slice name = field_name(line);

    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++) {
        if (slice_is_nocase(name, known_fields[i].name)) {
            return known_fields[i].annotation;
        }
    }
    return name.size > 0 ? "field line, RFC 9112 §5" : "not a field line";
}

/* What the classifier must know of the fields to find the end of the body. */
static void learn_field(struct side *side, struct slice line)
{
    struct slice name = field_name(line);
    struct slice value = {line.data + name.size + 1, 0};

    if (name.size == 0) {
        return;
    }
    value.size = line.size - name.size - 1;
    while (value.size > 0 && value.data[value.size - 1] <= ' ') {
        value.size--;
    }
    value = slice_trim(value);
    if (slice_is_nocase(name, "transfer-encoding")) {
        side->chunked = slice_is_nocase(value, "chunked");
    } else if (slice_is_nocase(name, "content-length")) {
        char *text = slice_copy(value);

        side->left = strtoull(text, NULL, 10);
        free(text);
    } else if (slice_is_nocase(name, "content-type")) {
        side->prelude = slice_starts_nocase(
            value, "application/vnd.awslambda.http-integration-response");
    }
}

static void next_message(struct side *side)
{
    struct buf line = side->line;

    *side = (struct side){.line = line};
}

static const char *end_of_head(struct side *side)
{
    if (side->interim) {
        next_message(side);
        return "end of the interim response";
    }
    if (side->chunked) {
        side->phase = CHUNK_SIZE;
    } else if (side->left > 0) {
        side->phase = BODY;
        side->size = side->left;
    } else {
        next_message(side);
    }
    return "end of the header section, RFC 9112 §2.1";
}

static const char *chunk_size(struct side *side, struct slice line, char *out,
                              size_t size)
{
    char *text = slice_copy(line);
    char *end;

    side->left = side->size = strtoull(text, &end, 16);
    side->phase = side->left == 0 ? TRAILER_LINES : CHUNK_DATA;
    if (end == text) {
        side->phase = LOST;
    }
    free(text);
    if (side->phase == LOST) {
        return "not a chunk size";
    }
    if (side->left == 0) {
        return "last chunk, RFC 9112 §7.1";
    }
    (void)snprintf(out, size, "chunk size: %llu, RFC 9112 §7.1",
                   (unsigned long long)side->left);
    return out;
}

static void line_done(struct buf *out, struct side *side, enum wire_direction d)
{
    struct slice line = buf_slice(&side->line);
    int64_t time = side->time;
    bool empty = slice_is(line, "\r\n");
    const char *annotation = "";
    char text[96];

    switch (side->phase) {
    case START_LINE:
        annotation = d == WIRE_FROM_RUNTIME ? "request line, RFC 9112 §3"
                                            : "status line, RFC 9112 §4";
        side->interim = d == WIRE_TO_RUNTIME && line.size > 9 &&
                        line.data[9] == '1';
        side->phase = FIELD_LINES;
        if (empty) {
            side->phase = START_LINE;
            annotation = "empty line, RFC 9112 §2.2";
        }
        break;
    case FIELD_LINES:
        learn_field(side, line);
        annotation = empty ? end_of_head(side) : annotate_field(line);
        break;
    case CHUNK_SIZE:
        annotation = chunk_size(side, line, text, sizeof text);
        break;
    case CHUNK_END:
        side->phase = empty ? CHUNK_SIZE : LOST;
        annotation = empty ? "end of the chunk" : "not the end of a chunk";
        break;
    case TRAILER_LINES:
        (void)snprintf(text, sizeof text, "trailer; %s", annotate_field(line));
        annotation = empty ? "end of the chunked body, RFC 9112 §7.1" : text;
        break;
    default:
        break;
    }
    add_rows(out, time, d, line, annotation);
    buf_clear(&side->line);
    if (empty && side->phase == TRAILER_LINES) {
        next_message(side);
    }
}

static bool has_nuls(struct slice s)
{
    static const unsigned char nuls[8];

    for (size_t i = 0; i + sizeof nuls <= s.size; i++) {
        if (memcmp(s.data + i, nuls, sizeof nuls) == 0) {
            return true;
        }
    }
    return false;
}

static void data_came(struct buf *out, struct side *side, enum wire_direction d,
                      struct slice data)
{
    const char *what = side->phase == BODY ? "message body, RFC 9112 §6"
                                           : "chunk data, RFC 9112 §7.1";
    unsigned long long from = side->size - side->left;
    char text[96];

    if (side->prelude && from == 0) {
        bool whole = has_nuls(data);

        what = whole ? "chunk data: prelude, 8 NULs" : "chunk data: prelude";
        side->prelude = !whole;
    }
    if (from > 0 || data.size < side->left) {
        (void)snprintf(text, sizeof text, "%s (bytes %llu-%llu of %llu)", what,
                       from + 1, from + data.size,
                       (unsigned long long)side->size);
    } else {
        (void)snprintf(text, sizeof text, "%s", what);
    }
    add_rows(out, side->time, d, data, text);
    side->left -= data.size;
    if (side->left == 0 && side->phase == CHUNK_DATA) {
        side->phase = CHUNK_END;
    } else if (side->left == 0) {
        next_message(side);
    }
}

/* Which connection the rows belong to is said where it changes; an empty line
 * stands where the other side begins to speak. */
static void add_place(struct buf *out, const struct wire *w,
                      enum wire_direction d)
{
    if (d != last_direction) {
        buf_byte(out, '\n');
        last_direction = d;
    }
    if (w->sandbox == last_sandbox && w->connection == last_connection) {
        return;
    }
    last_sandbox = w->sandbox;
    last_connection = w->connection;
    paint(out, DIM);
    buf_format(out, "---- sandbox %u, connection %u\n", w->sandbox,
               w->connection);
    paint(out, PLAIN);
}

static void take_line(struct buf *out, struct side *side, enum wire_direction d,
                      struct slice *s)
{
    const unsigned char *lf = memchr(s->data, '\n', s->size);
    size_t size = lf == NULL ? s->size : (size_t)(lf - s->data) + 1;

    buf_add(&side->line, s->data, size);
    s->data += size;
    s->size -= size;
    if (lf != NULL) {
        line_done(out, side, d);
    } else if (buf_size(&side->line) > LINE_BYTES_MAX) {
        add_rows(out, side->time, d, buf_slice(&side->line),
                 "a line without end");
        buf_clear(&side->line);
        side->phase = LOST;
    }
}

void wire_bytes(struct wire *w, enum wire_direction d, struct slice s)
{
    struct side *side = &w->sides[d];
    struct buf out = {0};

    add_place(&out, w, d);
    while (s.size > 0) {
        struct slice data = s;

        if (buf_size(&side->line) == 0) {
            side->time = now_ns() - *w->epoch;
        }
        if (side->phase == LOST) {
            add_rows(&out, side->time, d, s, "not classified any more");
            break;
        }
        if (side->phase != BODY && side->phase != CHUNK_DATA) {
            take_line(&out, side, d, &s);
            continue;
        }
        data.size = data.size < side->left ? data.size : (size_t)side->left;
        s.data += data.size;
        s.size -= data.size;
        data_came(&out, side, d, data);
    }
    log_bytes(target, out.data, out.end);
    buf_free(&out);
}

void wire_close(struct wire *w)
{
    struct buf out = {0};

    for (int d = 0; d < 2; d++) {
        struct slice rest = buf_slice(&w->sides[d].line);

        if (rest.size > 0) {
            add_place(&out, w, (enum wire_direction)d);
            add_rows(&out, w->sides[d].time, (enum wire_direction)d, rest,
                     "an unfinished line");
        }
        buf_free(&w->sides[d].line);
    }
    paint(&out, DIM);
    buf_format(&out, "---- sandbox %u, connection %u is closed\n", w->sandbox,
               w->connection);
    paint(&out, PLAIN);
    log_bytes(target, out.data, out.end);
    buf_free(&out);
    free(w);
}

void wire_note(unsigned sandbox, const char *format, ...)
{
    struct buf out = {0};
    char text[160];
    va_list args;

    if (target < 0) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    paint(&out, DIM);
    buf_format(&out, "---- sandbox %u: %s\n", sandbox, text);
    paint(&out, PLAIN);
    log_bytes(target, out.data, out.end);
    buf_free(&out);
}

struct wire *wire_open(unsigned sandbox, unsigned connection,
                       const int64_t *epoch)
{
    struct wire *w;

    if (target < 0) {
        return NULL;
    }
    w = allocate(sizeof *w);
    w->sandbox = sandbox;
    w->connection = connection;
    w->epoch = epoch;
    return w;
}

bool wire_enable(const char *path)
{
    static const char legend[] =
        "---- the Runtime API, > from the runtime, < to it; times are "
        "milliseconds\n---- since the process or the invocation started\n";

    target = STDERR_FILENO;
    colour = path == NULL && log_colour();
    if (path != NULL) {
        target = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
    if (target < 0) {
        return false;
    }
    log_bytes(target, legend, sizeof legend - 1);
    return true;
}
