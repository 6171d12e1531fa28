#define _POSIX_C_SOURCE 200809L
#include "output.h"

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A longer line is passed on in pieces. */
#define LINE_BYTES_MAX 16384u
/* Pieces of 4 KiB: as much as a pipe can be made to hold. */
#define READS_MAX 256

static void flush(struct output *o, bool all)
{
    for (;;) {
        struct slice s = buf_slice(&o->text);
        const unsigned char *lf = memchr(s.data, '\n', s.size);

        if (lf != NULL) {
            /* All complete lines leave together. */
            while (s.data[s.size - 1] != '\n') {
                s.size--;
            }
        } else if (s.size > 0 && (all || s.size >= LINE_BYTES_MAX)) {
            buf_byte(&o->text, '\n');
            s = buf_slice(&o->text);
        } else {
            return;
        }
        log_output(s);
        o->lines(o, s);
        buf_consume(&o->text, s.size);
    }
}

static bool read_piece(struct output *o)
{
    char piece[4096];
    ssize_t n = read(o->watch.fd, piece, sizeof piece);

    if (n > 0) {
        buf_add(&o->text, piece, (size_t)n);
        flush(o, false);
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

void output_take(struct output *o, bool all)
{
    for (int i = 0; o->watch.fd >= 0 && i < READS_MAX && read_piece(o); i++) {
    }
    flush(o, all);
}

void output_close(struct output *o)
{
    if (o->watch.fd < 0) {
        return;
    }
    output_take(o, true);
    loop_remove(&o->watch);
    close(o->watch.fd);
    o->watch.fd = -1;
    buf_free(&o->text);
}

static void on_readable(struct watch *w, short revents)
{
    struct output *o = CONTAINER(w, struct output, watch);

    (void)revents;
    errno = 0;
    if (!read_piece(o) && errno != EAGAIN) {
        output_close(o);
    }
}

void output_init(struct output *o,
                 void (*lines)(struct output *, struct slice lines))
{
    o->lines = lines;
    o->watch.fd = -1;
    o->watch.events = POLLIN;
    o->watch.on_io = on_readable;
}

void output_open(struct output *o, int fd)
{
    o->watch.fd = fd;
    loop_add(&o->watch);
}
