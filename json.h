/*
 * json.h - a strict JSON tokenizer (RFC 8259), and JSON text out
 *
 * Conventions of this interface:
 *
 * - Pull: the caller asks for the next token. There is no token array, no
 *   heap, no recursion that a text could deepen; the state is one struct
 *   json_reader, the caller's. Time is linear in the text, nesting ends at
 *   JSON_DEPTH_MAX.
 * - A token points into the caller's text, which must outlive it. Nothing is
 *   copied until json_decode() is asked to.
 * - Results: > 0 a token, 0 the end, < 0 an enum json_error. After an error
 *   `at` of the reader is where the text stops being JSON, and the reader is
 *   not to be used again.
 * - Accepted is what the grammar accepts, encoded in valid UTF-8 (RFC 3629).
 *   An escaped lone surrogate (\ud800) is grammatical: it decodes to U+FFFD.
 */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>

enum json_error {
    JSON_INVALID = -1, /* not JSON, or it ends too early */
    JSON_DEPTH = -2,   /* nested deeper than JSON_DEPTH_MAX */
    JSON_TYPE = -3,    /* JSON, but not the kind of value asked for */
    JSON_RANGE = -4    /* a number that the result cannot hold */
};

/* Each is the byte that its text begins with, or one that stands for it. */
enum json_type {
    JSON_OBJECT = '{',
    JSON_OBJECT_END = '}',
    JSON_ARRAY = '[',
    JSON_ARRAY_END = ']',
    JSON_NAME = ':', /* of a member; its value is the next token */
    JSON_STRING = '"',
    JSON_NUMBER = '0',
    JSON_TRUE = 't',
    JSON_FALSE = 'f',
    JSON_NULL = 'n'
};

/* One int of the reader's stack a level. */
#define JSON_DEPTH_MAX 64

/* For json_equal(): no text that it is asked for is longer. */
#define JSON_NAME_BYTES_MAX 32

/* A slice of the text. A string or name is given without its quotes and
 * still escaped; a number verbatim. */
struct json_token {
    int type; /* of a member's value; json_next() gives it as its result */
    char *text;
    size_t length;
};

struct json_reader {
    char *at; /* the next byte */
    char *end;
    int state; /* what may come */
    unsigned depth;
    int levels[JSON_DEPTH_MAX + 1]; /* and behind a value in each level */
};

/* Starts reading `length` bytes. */
void json_start(struct json_reader *r, char *text, size_t length);

/* The next token; gives its type, 0 after the one value that a text holds (and
 * white space), or an error. */
int json_next(struct json_reader *r, struct json_token *token);

/* Starts reading a text whose value must be an object, up to its first
 * member. 0, JSON_TYPE for a valid text of another kind, or an error. */
int json_object(struct json_reader *r, char *text, size_t length);

/* The next member of the object begun: 1, 0 at the object's end, which must
 * also be the end of the text, or an error. A `value` that is an object or
 * array is passed over whole: its slice covers it, brackets included, and can
 * be read by a reader of its own. Its `type` is set, that of `name` is not. */
int json_member(struct json_reader *r, struct json_token *name,
                struct json_token *value);

/* Whether a string or name, decoded, equals `text`, which is of at most
 * JSON_NAME_BYTES_MAX bytes. */
int json_equal(const struct json_token *string, const char *text);

/* Decodes a string or name into `out`, in UTF-8; gives the number of bytes,
 * which is never above the token's length. `out` may be the token's own text:
 * decoding in place ends its life as JSON. */
size_t json_decode(const struct json_token *string, char *out);

/* Reads a text that must be one JSON number (section 6) as a fixed-point
 * integer: "0.25" with 9 decimals is 250000000. Digits beyond are rounded away
 * from zero, so that a value outside a range never rounds into it. The token's
 * type does not matter: a decoded string will do. 0, JSON_TYPE when it is not
 * a number, JSON_RANGE when the result has more than 18 digits. */
int json_decimal(const struct json_token *token, int decimals, int64_t *value);

/* Escapes text for the inside of a JSON string (section 7): as many whole
 * characters as fit in `size` bytes of `out`. Gives the number of bytes
 * written, and in `taken` the number read. What is not UTF-8 leaves as U+FFFD,
 * one a byte. */
size_t json_escape(char *out, size_t size, const char *text, size_t length,
                   size_t *taken);

/* The length of the UTF-8 sequence that `length` (at least 1) bytes begin
 * with, and its code point; 0 when they begin with none (RFC 3629, section 4:
 * no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t json_utf8(const char *text, size_t length, uint32_t *code);

#endif
