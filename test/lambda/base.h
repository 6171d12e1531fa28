/* Bytes and time: what every other module stands on.
 *
 * Sizes are bytes, times are nanoseconds of the monotonic clock unless a name
 * says otherwise. Running out of memory ends the program: it is a tool for one
 * machine, and every buffer that a peer can fill has a limit of its own. */
#ifndef LAMBDA_BASE_H
#define LAMBDA_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAMBDA_VERSION "0.2.0"

#if defined(__GNUC__)
#define FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define FORMAT(fmt, args)
#endif

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

/* What Lambda's own code calls 6 MB, with its allowance for the envelope. */
#define PAYLOAD_BYTES_MAX 6291556u
/* What its front takes of a caller. */
#define EVENT_BYTES_MAX (6u * 1024u * 1024u)

/* Bytes that somebody else owns. */
struct slice {
    const unsigned char *data;
    size_t size;
};

struct slice slice_of(const char *text);
bool slice_is(struct slice s, const char *text);
bool slice_is_nocase(struct slice s, const char *text);
bool slice_starts_nocase(struct slice s, const char *prefix);
int slice_compare_nocase(struct slice a, struct slice b);
struct slice slice_trim(struct slice s);
/* Takes off the front what stands before the separator, and with it the
 * separator; all of it where there is none. */
struct slice slice_cut(struct slice *rest, char separator);

/* Bytes that grow at the end and are consumed at the front. What has been
 * consumed stays readable until the next call that adds. */
struct buf {
    unsigned char *data;
    size_t start, end, capacity;
};

struct slice buf_slice(const struct buf *b);
size_t buf_size(const struct buf *b);
unsigned char *buf_room(struct buf *b, size_t size);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_slice(struct buf *b, struct slice s);
void buf_text(struct buf *b, const char *text);
void buf_byte(struct buf *b, unsigned char byte);
void buf_format(struct buf *b, const char *format, ...) FORMAT(2, 3);
void buf_format_list(struct buf *b, const char *format, va_list args)
    FORMAT(2, 0);
void buf_consume(struct buf *b, size_t size);
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

/* With a NUL after the last byte. */
char *slice_copy(struct slice s);
void *allocate(size_t size);

int64_t now_ns(void);
int64_t wall_ms(void);

/* An identifier in the form of a version 4 UUID, with its NUL. */
#define UUID_SIZE 37
void uuid_make(char out[UUID_SIZE]);
void hex_random(char *out, size_t digits);

#endif
