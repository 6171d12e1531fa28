#define _POSIX_C_SOURCE 200809L
#include "wire_form.h"

#include "log.h"
#include "loop.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A longer line is no line of HTTP, and is not waited for. */
#define LINE_BYTES_MAX (64u * 1024u)
/* What is kept for a slow reader of a pipe, and how long it may take nothing
 * at our end. */
#define WAITING_BYTES_MAX (64u * 1024u * 1024u)
#define LAST_CHANCE_MS    2000

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
    bool ended; /* the message, with what is about to be told */
};

struct wire {
    struct wire_tap tap;
    struct side sides[2];
};

static const struct wire_form *form; /* NULL: no transcript is wanted */
static int target = -1;
static struct buf added; /* by the form, and not written yet */
static struct watch writable;

static void write_out(void);

static void give_up(const char *why)
{
    log_line(LOG_NOTE, "the transcript ends here: %s", why);
    loop_remove(&writable);
    buf_free(&added);
    close(target);
    target = -1;
}

static void on_writable(struct watch *w, short revents)
{
    (void)w;
    (void)revents;
    write_out();
}

/* A file of ours may be a pipe whose reader is slow: it holds nothing up, and
 * nothing is left out of what it gets. */
static void write_out(void)
{
    if (target == STDERR_FILENO) {
        log_bytes(target, buf_slice(&added).data, buf_size(&added));
        buf_clear(&added);
    }
    while (target >= 0 && buf_size(&added) > 0) {
        ssize_t n = write(target, buf_slice(&added).data, buf_size(&added));

        if (n >= 0) {
            buf_consume(&added, (size_t)n);
        } else if (errno == EAGAIN && buf_size(&added) <= WAITING_BYTES_MAX) {
            loop_remove(&writable);
            loop_add(&writable);
            return;
        } else if (errno != EINTR) {
            give_up(errno == EAGAIN ? "nobody reads it" : strerror(errno));
        }
    }
    loop_remove(&writable);
    buf_clear(&added);
}

/* C1 controls; and format characters, which are invisible, or turn round the
 * order of what is beside them. */
static bool is_deceptive(struct slice s)
{
    static const char *const format[] = {"\u00ad", "\u061c", "\u180e",
                                         "\ufeff"};

    if (s.data[0] == 0xc2 && s.data[1] < 0xa0) {
        return true;
    }
    for (size_t i = 0; i < sizeof format / sizeof format[0]; i++) {
        if (s.size >= strlen(format[i]) &&
            memcmp(s.data, format[i], strlen(format[i])) == 0) {
            return true;
        }
    }
    /* U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F */
    return s.data[0] == 0xe2 &&
           ((s.data[1] == 0x80 && s.data[2] >= 0x8b && s.data[2] <= 0x8f) ||
            (s.data[1] == 0x80 && s.data[2] >= 0xa8 && s.data[2] <= 0xae) ||
            (s.data[1] == 0x81 && s.data[2] >= 0xa0 && s.data[2] <= 0xaf));
}

struct wire_shown wire_show(struct slice s)
{
    static const char named[] = "\rr\nn\tt\\\\";
    struct wire_shown shown = {.bytes = 1};
    unsigned char c = s.data[0];
    size_t size = utf8_length(s);

    if (size > 1 && !is_deceptive(s)) {
        shown.bytes = size;
        return shown;
    }
    if (c >= 0x20 && c < 0x7f && c != '\\') {
        return shown;
    }
    for (size_t i = 0; named[i] != '\0'; i += 2) {
        if (c == (unsigned char)named[i]) {
            (void)snprintf(shown.escape, sizeof shown.escape, "\\%c",
                           named[i + 1]);
            return shown;
        }
    }
    (void)snprintf(shown.escape, sizeof shown.escape, "\\x%02x", (unsigned)c);
    return shown;
}

static const struct {
    const char *name, *annotation;
} known_fields[] = {
    {"connection", "connection management, RFC 9112 §9.6"},
    {"content-length", "frames the body, RFC 9112 §6.2"},
    {"content-type", "media type, RFC 9110 §8.3"},
    {"date", "when it was sent, RFC 9110 §6.6.1"},
    {"expect", "asks for an interim response, RFC 9110 §10.1.1"},
    {"host", "the server's name, RFC 9112 §3.2"},
    {"trailer", "announces trailer fields, RFC 9110 §6.6.2"},
    {"transfer-encoding", "frames the body, RFC 9112 §6.1"},
    {"user-agent", "the program's name, RFC 9110 §10.1.5"},
    {"lambda-runtime-aws-request-id", "Lambda: the invocation's id"},
    {"lambda-runtime-aws-tenant-id", "Lambda: the tenant's id"},
    {"lambda-runtime-client-context", "Lambda: the client's context"},
    {"lambda-runtime-cognito-identity", "Lambda: the client's identity"},
    {"lambda-runtime-deadline-ms", "Lambda: the deadline, ms since 1970"},
    {"lambda-runtime-invocation-id", "Lambda: goes back with the response"},
    {"lambda-runtime-invoked-function-arn", "Lambda: the function's ARN"},
    {"lambda-runtime-trace-id", "Lambda: for _X_AMZN_TRACE_ID"},
    {"lambda-runtime-function-response-mode", "Lambda: response mode"},
    {"lambda-runtime-function-error-type", "Lambda: type of the error"},
    {"lambda-runtime-function-error-body", "Lambda: the error, in base64"},
    {"lambda-extension-name", "Lambda: the extension's file name"},
    {"lambda-extension-identifier", "Lambda: the extension's id"},
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

    *side = (struct side){.line = line, .ended = true};
}

static const char *end_of_head(struct side *side)
{
    if (side->interim) {
        next_message(side);
        side->ended = false;
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

/* The phase is that in which the piece began. */
static void tell(struct wire *w, enum wire_direction d, enum phase phase,
                 struct slice bytes, const char *annotation)
{
    struct side *side = &w->sides[d];
    const struct wire_piece piece = {
        .time = side->time,
        .direction = d,
        .bytes = bytes,
        .annotation = annotation,
        .starts_message = phase == START_LINE && !slice_is(bytes, "\r\n"),
        .ends_message = side->ended,
        .in_body = phase >= BODY && side->phase != TRAILER_LINES &&
                   phase != TRAILER_LINES,
    };

    side->ended = false;
    form->piece(&added, &w->tap, &piece);
}

static const char *start_line(struct side *side, enum wire_direction d,
                              struct slice line)
{
    if (slice_is(line, "\r\n")) {
        return "empty line, RFC 9112 §2.2";
    }
    side->phase = FIELD_LINES;
    if (d == WIRE_FROM_RUNTIME) {
        return "request line, RFC 9112 §3";
    }
    side->interim = line.size > 9 && line.data[9] == '1';
    return "status line, RFC 9112 §4";
}

static const char *trailer_line(struct side *side, struct slice line,
                                char *text, size_t size)
{
    if (slice_is(line, "\r\n")) {
        next_message(side);
        return "end of the chunked body, RFC 9112 §7.1";
    }
    (void)snprintf(text, size, "trailer, RFC 9112 §7.1.2; %s",
                   annotate_field(line));
    return text;
}

static void line_done(struct wire *w, enum wire_direction d)
{
    struct side *side = &w->sides[d];
    struct slice line = buf_slice(&side->line);
    int64_t time = side->time;
    bool empty = slice_is(line, "\r\n");
    enum phase phase = side->phase;
    const char *annotation = "";
    char text[128];

    switch (phase) {
    case START_LINE:
        annotation = start_line(side, d, line);
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
        annotation = empty ? "end of the chunk, RFC 9112 §7.1"
                           : "not the end of a chunk";
        break;
    case TRAILER_LINES:
        annotation = trailer_line(side, line, text, sizeof text);
        break;
    default:
        break;
    }
    side->time = time;
    tell(w, d, phase, line, annotation);
    buf_clear(&side->line);
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

static void data_came(struct wire *w, enum wire_direction d, struct slice data)
{
    struct side *side = &w->sides[d];
    const char *what = side->phase == BODY ? "message body, RFC 9112 §6"
                                           : "chunk data, RFC 9112 §7.1";
    unsigned long long from = side->size - side->left;
    enum phase phase = side->phase;
    int64_t time = side->time;
    char text[128];

    if (side->prelude && from == 0) {
        bool whole = has_nuls(data);

        what = whole ? "chunk data, RFC 9112 §7.1; Lambda: prelude, 8 NULs"
                     : "chunk data, RFC 9112 §7.1; Lambda: prelude";
        side->prelude = !whole;
    }
    if (from > 0 || data.size < side->left) {
        (void)snprintf(text, sizeof text, "%s (bytes %llu-%llu of %llu)", what,
                       from + 1, from + data.size,
                       (unsigned long long)side->size);
    } else {
        (void)snprintf(text, sizeof text, "%s", what);
    }
    side->left -= data.size;
    if (side->left == 0 && side->phase == CHUNK_DATA) {
        side->phase = CHUNK_END;
    } else if (side->left == 0) {
        next_message(side);
    }
    side->time = time;
    tell(w, d, phase, data, text);
}

static void take_line(struct wire *w, enum wire_direction d, struct slice *s)
{
    struct side *side = &w->sides[d];
    const unsigned char *lf = memchr(s->data, '\n', s->size);
    size_t size = lf == NULL ? s->size : (size_t)(lf - s->data) + 1;

    buf_add(&side->line, s->data, size);
    s->data += size;
    s->size -= size;
    if (lf != NULL) {
        line_done(w, d);
    } else if (buf_size(&side->line) > LINE_BYTES_MAX) {
        tell(w, d, side->phase, buf_slice(&side->line), "a line without end");
        buf_clear(&side->line);
        side->phase = LOST;
    }
}

static void classify(struct wire *w, enum wire_direction d, struct slice s)
{
    struct side *side = &w->sides[d];
    int64_t now = now_ns();

    while (s.size > 0) {
        struct slice data = s;

        if (buf_size(&side->line) == 0) {
            side->time = now;
        }
        if (side->phase == LOST) {
            tell(w, d, LOST, s, "not classified any more");
            return;
        }
        if (side->phase != BODY && side->phase != CHUNK_DATA) {
            take_line(w, d, &s);
            continue;
        }
        data.size = data.size < side->left ? data.size : (size_t)side->left;
        s.data += data.size;
        s.size -= data.size;
        data_came(w, d, data);
    }
}

void wire_bytes(struct wire *w, enum wire_direction d, struct slice s)
{
    if (form->bytes != NULL) {
        form->bytes(&added, &w->tap, d, s);
    }
    if (form->piece != NULL) {
        classify(w, d, s);
    }
    write_out();
}

void wire_close(struct wire *w)
{
    for (int d = 0; d < 2; d++) {
        struct side *side = &w->sides[d];
        struct slice rest = buf_slice(&side->line);

        if (rest.size > 0) {
            tell(w, (enum wire_direction)d, side->phase, rest,
                 "an unfinished line");
        }
        buf_free(&side->line);
    }
    if (form->close != NULL) {
        form->close(&added, &w->tap);
    }
    write_out();
    free(w);
}

struct wire *wire_open(unsigned sandbox, unsigned connection,
                       const int64_t *epoch)
{
    struct wire *w;

    if (form == NULL) {
        return NULL;
    }
    w = allocate(sizeof *w);
    w->tap = (struct wire_tap){sandbox, connection, epoch, NULL};
    if (form->open != NULL) {
        form->open(&added, &w->tap);
        write_out();
    }
    return w;
}

void wire_process_starts(unsigned sandbox, long pid, unsigned port)
{
    if (form != NULL) {
        form->process(&added, sandbox, pid, port);
        write_out();
    }
}

void wire_invocation_starts(unsigned sandbox, const char *id)
{
    if (form != NULL) {
        form->invocation(&added, sandbox, id);
        write_out();
    }
}

void wire_invocation_ends(unsigned sandbox)
{
    if (form != NULL && form->invocation_end != NULL) {
        form->invocation_end(&added, sandbox);
        write_out();
    }
}

static bool ends_with(const char *text, const char *ending)
{
    size_t size = strlen(text), n = strlen(ending);

    return size >= n && strcmp(text + size - n, ending) == 0;
}

bool wire_enable(const char *path)
{
    const struct wire_form *chosen = &wire_text;

    target = STDERR_FILENO;
    if (path == NULL) {
        chosen = log_colour() ? &wire_text_coloured : &wire_text;
    } else {
        chosen = ends_with(path, ".html")     ? &wire_html
                 : ends_with(path, ".pcapng") ? &wire_pcapng
                                              : &wire_text;
        target = fd_prepare(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666));
    }
    if (target < 0) {
        return false;
    }
    writable = (struct watch){
        .fd = target, .events = POLLOUT, .on_io = on_writable};
    form = chosen;
    form->begin(&added);
    write_out();
    return true;
}

void wire_disable(void)
{
    struct pollfd p = {.fd = target, .events = POLLOUT};

    if (form != NULL && form->end != NULL) {
        form->end(&added);
        write_out();
    }
    while (target >= 0 && buf_size(&added) > 0 &&
           poll(&p, 1, LAST_CHANCE_MS) == 1) {
        write_out();
    }
    loop_remove(&writable);
    buf_free(&added);
    form = NULL;
    if (target >= 0 && target != STDERR_FILENO) {
        close(target);
    }
    target = -1;
}
