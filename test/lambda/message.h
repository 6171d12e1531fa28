/* Requests of HTTP/1.0 and HTTP/1.1 as RFC 9112 writes them, read strictly
 * and piece by piece, and the text of answers.
 *
 * A reader consumes from a buffer and reports one thing at a time. After
 * READ_BAD it has said what was wrong and which status answers it; nothing
 * more can be read from that connection. */
#ifndef LAMBDA_MESSAGE_H
#define LAMBDA_MESSAGE_H

#include "base.h"

struct field {
    struct slice name, value;
};

struct fields {
    struct field *list;
    size_t count, capacity;
};

/* The first one of that name. */
bool fields_get(const struct fields *f, const char *name, struct slice *value);
/* Whether the comma-separated list of that name has this member. */
bool fields_has(const struct fields *f, const char *name, const char *member);

struct head {
    struct buf text; /* what all slices point into */
    struct slice method, target, path, query;
    struct slice authority; /* of an absolute-form target; or empty */
    struct fields fields;
    int minor; /* HTTP/1.minor */
    bool chunked, close, expects_continue;
    uint64_t length;
};

enum read_event { READ_MORE, READ_HEAD, READ_DATA, READ_END, READ_BAD };

enum read_state {
    READING_HEAD,
    READING_LENGTH,
    READING_CHUNK_SIZE,
    READING_CHUNK_DATA,
    READING_CHUNK_END,
    READING_TRAILERS,
    READING_DONE,
    READING_FAILED
};

struct reader {
    size_t head_bytes_max; /* set by the owner */
    enum read_state state;
    size_t scanned; /* of a head that is not complete */
    uint64_t left;  /* of the chunk, or of the whole body */
    uint64_t chunks;
    struct head head;
    struct buf trailer_text;
    struct fields trailers;
    const char *fault;
    int status; /* that answers the fault */
};

/* A larger trailer section is a fault, as it is in Lambda: Go's net/http looks
 * for its end in a buffer of this size. */
#define TRAILER_BYTES_MAX 4096u

/* For READ_DATA at most room bytes are consumed, and none if room is 0. */
enum read_event reader_next(struct reader *r, struct buf *in, size_t room,
                            struct slice *data);
/* How many bytes it may have to see at once before it can go on. */
size_t reader_wants(const struct reader *r);
/* Ready for the next request on the same connection. */
void reader_reset(struct reader *r);
void reader_free(struct reader *r);

bool is_token(struct slice s);
/* Field content without controls, tab allowed (RFC 9110, section 5.5). */
bool is_field_value(struct slice s);

const char *status_reason(int status);
/* "Date: ...\r\n" */
void add_date(struct buf *out);
void add_chunk(struct buf *out, struct slice data);

#endif
