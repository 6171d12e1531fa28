#define _DEFAULT_SOURCE
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* An emptied buffer gives back what a large message made it grow to. */
#define BUF_KEEP_BYTES 16384u

struct slice slice_of(const char *text)
{
    return (struct slice){(const unsigned char *)text, strlen(text)};
}

bool slice_is(struct slice s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

int slice_compare_nocase(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0
                             : strncasecmp((const char *)a.data,
                                           (const char *)b.data, shorter);

    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

bool slice_is_nocase(struct slice s, const char *text)
{
    return slice_compare_nocase(s, slice_of(text)) == 0;
}

bool slice_starts_nocase(struct slice s, const char *prefix)
{
    size_t size = strlen(prefix);

    return s.size >= size &&
           strncasecmp((const char *)s.data, prefix, size) == 0;
}

struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 &&
           (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t')) {
        s.size--;
    }
    return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    const unsigned char *at = memchr(rest->data, separator, rest->size);
    struct slice piece = {rest->data,
                          at == NULL ? rest->size : (size_t)(at - rest->data)};
    size_t used = piece.size + (at == NULL ? 0 : 1);

    rest->data += used;
    rest->size -= used;
    return piece;
}

static void die_of_memory(void)
{
    static const char text[] = "lambda: out of memory\n";

    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

void *allocate(size_t size)
{
    void *p = calloc(1, size);

    if (p == NULL) {
        die_of_memory();
    }
    return p;
}

char *slice_copy(struct slice s)
{
    char *text = allocate(s.size + 1);

    if (s.size > 0) {
        memcpy(text, s.data, s.size);
    }
    return text;
}

struct slice buf_slice(const struct buf *b)
{
    static const unsigned char nothing[1];

    if (b->data == NULL) {
        return (struct slice){nothing, 0};
    }
    return (struct slice){b->data + b->start, b->end - b->start};
}

size_t buf_size(const struct buf *b)
{
    return b->end - b->start;
}

unsigned char *buf_room(struct buf *b, size_t size)
{
    size_t used = b->end - b->start;
    size_t capacity = b->capacity == 0 ? 1024 : b->capacity;

    if (b->data != NULL && b->capacity - b->end >= size) {
        return b->data + b->end;
    }
    if (size > SIZE_MAX / 4 - used) {
        die_of_memory();
    }
    if (b->data != NULL && b->start > 0) {
        memmove(b->data, b->data + b->start, used);
        b->start = 0;
        b->end = used;
    }
    while (capacity - used < size) {
        capacity *= 2;
    }
    if (b->data == NULL || capacity > b->capacity) {
        unsigned char *data = realloc(b->data, capacity);

        if (data == NULL) {
            die_of_memory();
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->end;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buf_room(b, size), data, size);
        b->end += size;
    }
}

void buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.data, s.size);
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_byte(struct buf *b, unsigned char byte)
{
    buf_add(b, &byte, 1);
}

void buf_format_list(struct buf *b, const char *format, va_list args)
{
    char *room = (char *)buf_room(b, 256);
    size_t size = b->capacity - b->end;
    va_list again;
    int needed;

    va_copy(again, args);
    needed = vsnprintf(room, size, format, args);
    if (needed >= 0 && (size_t)needed >= size) {
        size = (size_t)needed + 1;
        room = (char *)buf_room(b, size);
        (void)vsnprintf(room, size, format, again);
    }
    b->end += needed < 0 ? 0 : (size_t)needed;
    va_end(again);
}

void buf_format(struct buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_format_list(b, format, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t size)
{
    b->start += size;
    if (b->start == b->end) {
        b->start = b->end = 0;
    }
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
    if (b->capacity > BUF_KEEP_BYTES) {
        buf_free(b);
    }
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t wall_ms(void)
{
    return read_clock(CLOCK_REALTIME) / NS_PER_MS;
}

/* The kernel is asked for as much as it gives at once: an invocation needs six
 * pieces, all of the same size. */
static void random_bytes(unsigned char *out, size_t size)
{
    static unsigned char pool[256];
    static size_t left;

    if (left < size) {
        left = sizeof pool;
        if (getentropy(pool, sizeof pool) != 0) {
            for (size_t i = 0; i < sizeof pool; i += size) {
                int64_t now = now_ns();

                memcpy(pool + i, &now, sizeof now);
            }
        }
    }
    memcpy(out, pool + sizeof pool - left, size);
    left -= size;
}

void hex_random(char *out, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[32];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < digits; i++) {
        out[i] = hex[(bytes[i / 2 % sizeof bytes] >> (i % 2 * 4)) & 15];
    }
    out[digits] = '\0';
}

void uuid_make(char out[UUID_SIZE])
{
    char hex[33];

    hex_random(hex, 32);
    hex[12] = '4';
    hex[16] = "89ab"[(hex[16] < 'a' ? hex[16] - '0' : hex[16] - 'a') & 3];
    (void)snprintf(out, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
}
