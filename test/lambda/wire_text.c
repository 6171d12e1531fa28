/* The transcript as text: a line of HTTP is a row or more. */
#define _POSIX_C_SOURCE 200809L
#include "wire_form.h"

#include <string.h>

/* Columns of the bytes: a header with a request id just fits. */
#define BYTES_WIDTH 72u

#define DIM   "\033[2m"
#define GREEN "\033[32m"
#define BLUE  "\033[34m"
#define CYAN  "\033[36m"
#define PLAIN "\033[0m"

static bool colour;
static unsigned last_sandbox, last_connection;
static enum wire_direction last_direction;

static void paint(struct buf *out, const char *code)
{
    if (colour) {
        buf_text(out, code);
    }
}

/* Adds the character, or its escape, and takes it off s. */
static void add_shown(struct buf *out, struct slice *s, struct wire_shown shown)
{
    if (shown.escape[0] == '\0') {
        buf_add(out, s->data, shown.bytes);
    } else {
        paint(out, DIM);
        buf_text(out, shown.escape);
        paint(out, PLAIN);
    }
    s->data += shown.bytes;
    s->size -= shown.bytes;
}

/* As much as a row holds; it ends behind a line feed. Gives its width. */
static size_t add_row_bytes(struct buf *out, struct slice *s)
{
    size_t width = 0;
    bool line_end = false;

    while (s->size > 0 && !line_end) {
        struct wire_shown shown = wire_show(*s);
        size_t wide = shown.escape[0] == '\0' ? 1 : strlen(shown.escape);

        if (width + wide > BYTES_WIDTH) {
            break;
        }
        line_end = s->data[0] == '\n';
        width += wide;
        add_shown(out, s, shown);
    }
    return width;
}

/* Which connection the rows belong to is said where it changes; an empty line
 * stands where the other side begins to speak. */
static void add_place(struct buf *out, const struct wire_tap *tap,
                      enum wire_direction d)
{
    if (d != last_direction) {
        buf_byte(out, '\n');
        last_direction = d;
    }
    if (tap->sandbox == last_sandbox && tap->connection == last_connection) {
        return;
    }
    last_sandbox = tap->sandbox;
    last_connection = tap->connection;
    paint(out, DIM);
    buf_format(out, "---- sandbox %u, connection %u\n", tap->sandbox,
               tap->connection);
    paint(out, PLAIN);
}

/* Time, direction, bytes, and at the right of the first row what they are. */
static void piece(struct buf *out, struct wire_tap *tap,
                  const struct wire_piece *p)
{
    struct slice bytes = p->bytes;
    bool first = true;

    add_place(out, tap, p->direction);
    do {
        size_t width;

        paint(out, DIM);
        if (first) {
            buf_format(out, "%9.1f ", (double)(p->time - *tap->epoch) / 1e6);
        } else {
            buf_format(out, "%10s", "");
        }
        paint(out, PLAIN);
        paint(out, p->direction == WIRE_FROM_RUNTIME ? GREEN : BLUE);
        buf_byte(out, p->direction == WIRE_FROM_RUNTIME ? '>' : '<');
        paint(out, PLAIN);
        buf_byte(out, ' ');
        width = add_row_bytes(out, &bytes);
        if (first) {
            buf_format(out, "%*s", (int)(BYTES_WIDTH + 2 - width), "");
            paint(out, CYAN);
            buf_text(out, p->annotation);
            paint(out, PLAIN);
        }
        buf_byte(out, '\n');
        first = false;
    } while (bytes.size > 0);
}

static void begin(struct buf *out)
{
    buf_text(
        out,
        "---- the Runtime API, > from the runtime, < to it; times are "
        "milliseconds\n---- since the process or the invocation started\n");
}

static void begin_coloured(struct buf *out)
{
    colour = true;
    begin(out);
}

static void closed(struct buf *out, struct wire_tap *tap)
{
    paint(out, DIM);
    buf_format(out, "---- sandbox %u, connection %u is closed\n", tap->sandbox,
               tap->connection);
    paint(out, PLAIN);
}

static void process(struct buf *out, unsigned sandbox, long pid, unsigned port)
{
    paint(out, DIM);
    buf_format(out,
               "---- sandbox %u: process %ld starts, Runtime API on port %u\n",
               sandbox, pid, port);
    paint(out, PLAIN);
}

static void invocation(struct buf *out, unsigned sandbox, const char *id)
{
    paint(out, DIM);
    buf_format(out, "---- sandbox %u: invocation %s starts\n", sandbox, id);
    paint(out, PLAIN);
}

const struct wire_form wire_text = {.begin = begin,
                                    .piece = piece,
                                    .close = closed,
                                    .process = process,
                                    .invocation = invocation};

const struct wire_form wire_text_coloured = {.begin = begin_coloured,
                                             .piece = piece,
                                             .close = closed,
                                             .process = process,
                                             .invocation = invocation};
