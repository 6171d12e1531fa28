/*
 * json.h - a strict JSON tokenizer (RFC 8259), and JSON text out
 *
 * json_pick() answers most questions of a handler: it finds members of an
 * object, however deep. json_element() walks through an array, json_next()
 * through anything.
 *
 * Conventions of this interface:
 *
 * - A token is a slice of the caller's text, which must outlive it. Nothing is
 *   copied and the text is left as it is, until json_decode() is asked to
 *   write into it.
 * - No heap, no recursion: the state is one struct json_reader, the caller's.
 *   Time is linear in the text. Nesting ends at JSON_DEPTH_MAX.
 * - Results: >= 0 success, < 0 an enum json_error. After an error the reader
 *   is not to be used again.
 * - Accepted is what the grammar accepts, encoded in valid UTF-8 (RFC 3629).
 *   An escaped lone surrogate (\ud800) is grammatical: it decodes to U+FFFD.
 */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_error {
    JSON_INVALID = -1, /* not JSON, or it ends too early */
    JSON_DEPTH = -2,   /* nested deeper than JSON_DEPTH_MAX */
    JSON_TYPE = -3,    /* JSON, but not the kind of value asked for */
    JSON_RANGE = -4    /* more than the result can hold */
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

/* Deeper than documents go that people or programs write; a reader spends a
 * bit on each level. */
#define JSON_DEPTH_MAX 1024

/* What one json_pick() can look for. */
#define JSON_WANTS_MAX 32

/* A slice of the text. A string or name is given without its quotes and
 * still escaped; a number verbatim; an object or array whole, with its
 * brackets, except by json_next(). A type of 0: nothing. */
struct json_token {
    int type; /* enum json_type */
    char *text;
    size_t length;
};

/*
 * Members of an object
 */

/* `path` is the name of a member, or names with dots between them: with
 * "requestContext.http.method" the member `method` of the object `http` of the
 * object `requestContext`. */
struct json_want {
    const char *path;
    struct json_token *value;
};

/* For json_pick(). */
enum {
    JSON_ANY_CASE = 1, /* 'A' to 'Z' and 'a' to 'z' in names are the same */
    JSON_ONE_NAME = 2  /* a path is one name, and a dot a part of it */
};

/* Reads a text, which must be an object, to its end, and puts into each `value`
 * the member that its path leads to. (The objects on a path are read once more
 * for each want that leads through them.) A value that is not there stays as it
 * was, and so does every value after an error. Names are compared decoded. Of
 * members with one name the last counts: in {"a":{"b":1},"a":{}} there is no
 * "a.b". Of wants with one value the last that is found counts.
 * `flags` is 0 or the sum of flags; `count` is JSON_WANTS_MAX at most.
 * 0, and *at is `length`; JSON_TYPE for a valid text of another kind; or
 * another error, and *at is the byte where the text stops being JSON.
 * JSON_RANGE, and nothing was read: too many wants. */
int json_pick(char *text, size_t length, int flags,
              const struct json_want *wants, int count, size_t *at);

/*
 * Strings and numbers
 */

/* Decodes a string or name into `out`, with a NUL behind it; gives `out`. NULL,
 * and `out` is empty, for a token of another type, and for a string that is
 * longer than `size` - 1 bytes or has a NUL (\u0000) inside: json_decode()
 * takes that. `size` is at least 1, and `out` not the token's own text. */
char *json_string(const struct json_token *token, char *out, size_t size);

/* Whether the token is a string or name that, decoded, equals `text`. */
int json_equal(const struct json_token *token, const char *text);

/* Decodes a string or name (no token of another type) into `out`, in UTF-8 and
 * without a NUL; gives the number of bytes, which is never above the token's
 * length: so much room `out` needs. It may be the token's own text:
 * decoding in place ends its life as JSON. */
size_t json_decode(const struct json_token *string, char *out);

/* Reads a text that must be one JSON number (section 6) as a fixed-point
 * integer: "0.25" with 9 decimals is 250000000. Digits beyond are rounded away
 * from zero, so that a value outside a range never rounds into it. The token's
 * type does not matter: a decoded string will do. 0, JSON_TYPE when it is not
 * a number, JSON_RANGE when the result has more than 18 digits. */
int json_decimal(const struct json_token *token, int decimals, int64_t *value);

/*
 * Walking through a text
 */

/* `at` is the next byte; after an error, the byte where the text stops being
 * JSON. The rest is private. */
struct json_reader {
    char *at;
    char *end;
    int may_come;
    unsigned depth;
    uint64_t levels;
    uint64_t outer[JSON_DEPTH_MAX / 64];
};

/* Starts reading a text whose value must be an object, or an array, up to its
 * first member or element. 0, JSON_TYPE for a valid text of another kind, or an
 * error. */
int json_object(struct json_reader *r, char *text, size_t length);
int json_array(struct json_reader *r, char *text, size_t length);

/* Starts reading the array to which a path leads, as in json_pick(): "Records"
 * of an event. 1; 0 when there is none, and `r` is not to be used; JSON_TYPE
 * when it is no array; or another error. */
int json_array_at(struct json_reader *r, char *text, size_t length,
                  const char *path);

/* The next member of the object begun, or element of the array begun: 1, 0 at
 * its end, which must also be the end of the text, or an error: JSON_TYPE when
 * the other of the two was begun. A value that is
 * itself an object or array can be read by a reader of its own. */
int json_member(struct json_reader *r, struct json_token *name,
                struct json_token *value);
int json_element(struct json_reader *r, struct json_token *value);

/* Starts reading `length` bytes of any kind of value. */
void json_start(struct json_reader *r, char *text, size_t length);

/* The next token; gives its type, 0 after the one value that a text holds (and
 * white space), or an error. Objects and arrays come in parts: JSON_OBJECT,
 * then each name and value, then JSON_OBJECT_END. */
int json_next(struct json_reader *r, struct json_token *token);

/*
 * Text out
 */

/* Escapes text for the inside of a JSON string (section 7): as many whole
 * characters as fit in `size` bytes of `out`, six for the longest. Gives the
 * number of bytes written, and in `taken` the number read. What is not UTF-8
 * leaves as U+FFFD, one a byte. */
size_t json_escape(char *out, size_t size, const char *text, size_t length,
                   size_t *taken);

/* The length of the UTF-8 sequence that `length` (at least 1) bytes begin
 * with, and its code point; 0 when they begin with none (RFC 3629, section 4:
 * no overlong forms, no surrogates, nothing above U+10FFFF). */
size_t json_utf8(const char *text, size_t length, uint32_t *code);

#ifdef __cplusplus
}
#endif

#endif
