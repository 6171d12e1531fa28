#define _POSIX_C_SOURCE 200809L
#include "log.h"

#include "loop.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is kept for a slow reader: a screen of log is some 10 KiB. */
#define WAITING_BYTES_MAX (256u * 1024u)
/* A pipe that poll() calls writable takes this much without blocking. */
#define PIECE_BYTES 4096u
/* How long a reader may take nothing at our end. */
#define LAST_CHANCE_MS 2000

struct outlet {
    int fd;   /* what it is called */
    int real; /* what is written to: perhaps a description of our own */
    bool opened, is_file, watched;
    struct buf waiting;
    unsigned long dropped; /* lines */
    struct watch watch;
};

static struct outlet outlets[2];
static bool colour, terminal;
static volatile sig_atomic_t hurry;

/* The descriptor is shared with whoever started us, so its mode is not ours to
 * change. Linux gives a pipe or a terminal another description that is. */
static void open_outlet(struct outlet *o, int fd)
{
    struct stat status;

    *o = (struct outlet){.fd = fd, .real = fd, .opened = true};
    if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode)) {
        o->is_file = true;
    } else if (S_ISFIFO(status.st_mode) || isatty(fd) == 1) {
        char path[] = "/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0";
        struct buf text = {0};
        int own;

        buf_format(&text, "%d%c", fd, 0);
        memcpy(path + strlen(path), text.data, text.end);
        buf_free(&text);
        own = fd_prepare(open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY));
        o->real = own >= 0 ? own : fd;
    }
}

static struct outlet *outlet_of(int fd)
{
    struct outlet *o = &outlets[fd == STDERR_FILENO ? 0 : 1];

    if (!o->opened) {
        open_outlet(o, fd);
    }
    return o;
}

/* How much could be written without waiting; what fails is lost. */
static size_t write_some(struct outlet *o, struct slice s)
{
    struct pollfd p = {.fd = o->real, .events = POLLOUT};
    size_t done = 0;

    while (done < s.size) {
        size_t size = s.size - done;
        ssize_t n;

        if (!o->is_file && o->real == o->fd) {
            size = size < PIECE_BYTES ? size : PIECE_BYTES;
            if (poll(&p, 1, 0) != 1) {
                break;
            }
        }
        n = write(o->real, s.data + done, size);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        } else if (n < 0 && errno != EINTR) {
            return s.size;
        }
    }
    return done;
}

static void flush(struct outlet *o)
{
    buf_consume(&o->waiting, write_some(o, buf_slice(&o->waiting)));
    if (buf_size(&o->waiting) == 0 && o->dropped > 0) {
        buf_format(&o->waiting,
                   "lambda: %lu lines were lost here: nobody read them\n",
                   o->dropped);
        o->dropped = 0;
        buf_consume(&o->waiting, write_some(o, buf_slice(&o->waiting)));
    }
    if (buf_size(&o->waiting) == 0) {
        buf_clear(&o->waiting);
        loop_remove(&o->watch);
        o->watched = false;
    }
}

static void on_writable(struct watch *w, short revents)
{
    (void)revents;
    flush(CONTAINER(w, struct outlet, watch));
}

void log_bytes(int fd, const void *data, size_t size)
{
    struct outlet *o = outlet_of(fd);
    struct slice s = {data, size};

    if (buf_size(&o->waiting) == 0 && o->dropped == 0) {
        size_t done = write_some(o, s);

        s.data += done;
        s.size -= done;
    }
    if (s.size == 0) {
        return;
    }
    if (s.size > WAITING_BYTES_MAX - buf_size(&o->waiting)) {
        for (size_t i = 0; i < s.size; i++) {
            o->dropped += s.data[i] == '\n';
        }
        return;
    }
    buf_add_slice(&o->waiting, s);
    if (!o->watched) {
        o->watched = true;
        o->watch.fd = o->real;
        o->watch.events = POLLOUT;
        o->watch.on_io = on_writable;
        loop_add(&o->watch);
    }
}

void log_close(void)
{
    for (size_t i = 0; i < sizeof outlets / sizeof outlets[0]; i++) {
        struct outlet *o = &outlets[i];
        struct pollfd p = {.fd = o->real, .events = POLLOUT};

        while (o->opened && buf_size(&o->waiting) > 0 && hurry == 0 &&
               poll(&p, 1, LAST_CHANCE_MS) == 1) {
            flush(o);
        }
    }
}

void log_open(void)
{
    const char *no_colour = getenv("NO_COLOR");

    terminal = isatty(STDERR_FILENO) == 1;
    colour = terminal && (no_colour == NULL || no_colour[0] == '\0');
}

bool log_colour(void)
{
    return colour;
}

void log_hurry(void)
{
    hurry = 1;
}

/* The size of the character at the start of s, which is not empty; 0: it is a
 * control character of one of the two kinds, or no character at all. */
static size_t harmless(struct slice s)
{
    size_t size = utf8_length(s);
    bool c1 = size == 2 && s.data[0] == 0xc2 && s.data[1] < 0xa0;

    return s.data[0] < 0x20 || s.data[0] == 0x7f || c1 ? 0 : size;
}

/* Of a character that is replaced by one question mark. */
static size_t harmful(struct slice s)
{
    size_t size = utf8_length(s);

    return size == 0 ? 1 : size;
}

/* ESC [ parameters m: a colour, and the like. 0: something else. */
static size_t colour_sequence(struct slice s)
{
    size_t i = 2;

    if (s.size < 3 || s.data[0] != 033 || s.data[1] != '[') {
        return 0;
    }
    while (i < s.size && i < 32 &&
           ((s.data[i] >= '0' && s.data[i] <= '9') || s.data[i] == ';')) {
        i++;
    }
    return i < s.size && s.data[i] == 'm' ? i + 1 : 0;
}

static void add_clean(struct buf *out, struct slice s, bool of_runtime)
{
    while (s.size > 0) {
        size_t size = harmless(s);
        unsigned char c = s.data[0];

        if (of_runtime && c == '\r') {
            /* CRLF is one line break, not two. */
            size = 1;
            if (s.size < 2 || s.data[1] != '\n') {
                buf_byte(out, '\n');
            }
        } else if (of_runtime && (c == '\n' || c == '\t')) {
            size = 1;
            buf_byte(out, c);
        } else if (of_runtime && size == 0 && colour_sequence(s) > 0) {
            size = colour_sequence(s);
            buf_add(out, s.data, size);
        } else if (size > 0) {
            buf_add(out, s.data, size);
        } else {
            size = harmful(s);
            buf_byte(out, c == '\t' ? '\t' : c == '\n' ? ' ' : '?');
        }
        s.data += size;
        s.size -= size;
    }
}

void log_output(struct slice lines)
{
    struct buf clean = {0};

    if (!terminal) {
        log_bytes(STDERR_FILENO, lines.data, lines.size);
        return;
    }
    add_clean(&clean, lines, true);
    log_bytes(STDERR_FILENO, clean.data, clean.end);
    buf_free(&clean);
}

/* Each line of the text is one of the log. */
static void add_lines(struct buf *out, enum log_kind kind, struct slice text)
{
    static const char *const paint[] = {"\033[2m", "\033[36m", "\033[31m"};

    do {
        struct slice line = kind == LOG_REPORT ? slice_cut(&text, '\n') : text;

        buf_text(out, colour ? paint[kind] : "");
        buf_text(out, kind == LOG_NOTE ? "lambda: " : "");
        add_clean(out, line, false);
        buf_text(out, colour ? "\033[0m\n" : "\n");
    } while (kind == LOG_REPORT && text.size > 0);
}

void log_line(enum log_kind kind, const char *format, ...)
{
    struct buf text = {0}, lines = {0};
    va_list args;

    va_start(args, format);
    buf_format_list(&text, format, args);
    va_end(args);
    add_lines(&lines, kind, buf_slice(&text));
    log_bytes(STDERR_FILENO, lines.data, lines.end);
    buf_free(&text);
    buf_free(&lines);
}
