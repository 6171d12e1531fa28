/* A strict RFC 8259 pull tokenizer, for events and preludes.
 *
 * It does not recurse: open containers are kept one byte each, so that depth
 * is bounded by the size of the text alone. */
#ifndef LAMBDA_JSON_H
#define LAMBDA_JSON_H

#include "base.h"

enum json_token {
    JSON_END,
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_NAME,
    JSON_STRING,
    JSON_NUMBER,
    JSON_LITERAL, /* true, false, null */
    JSON_BAD
};

struct json {
    struct slice text;  /* not yet read */
    struct slice token; /* of a string: with its quotes */
    struct buf open;
    size_t size;
    int expect;
};

void json_open(struct json *j, struct slice text);
enum json_token json_next(struct json *j);
size_t json_offset(const struct json *j);
void json_close(struct json *j);

/* Skips what is left of a value whose first token has been read. */
bool json_skip(struct json *j, enum json_token first);

/* Adds the decoded text of a string token; a lone surrogate is U+FFFD. */
void json_decode(struct buf *out, struct slice token);

/* -1: one JSON text; otherwise the offset where it stops being one. */
long json_fault(struct slice text);

#endif
