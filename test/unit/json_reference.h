/*
 * json_reference.h - a slow and obvious reading of RFC 8259, to compare with
 *
 * Recursive descent, one function a rule of the grammar. It shares nothing
 * with json.c and is not in a hurry.
 */
#ifndef JSON_REFERENCE_H
#define JSON_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

enum json_verdict { REFERENCE_ACCEPT, REFERENCE_REJECT, REFERENCE_DEEP };

/* The kinds of tokens, by the byte that each begins with or one that stands for
 * it: the values that json.h gives them. */
enum json_kind {
    KIND_OBJECT = '{',
    KIND_OBJECT_END = '}',
    KIND_ARRAY = '[',
    KIND_ARRAY_END = ']',
    KIND_NAME = ':',
    KIND_STRING = '"',
    KIND_NUMBER = '0',
    KIND_TRUE = 't',
    KIND_FALSE = 'f',
    KIND_NULL = 'n'
};

/* What a text is. `at` is where it stops being JSON: the byte that no JSON
 * text has there, the first byte of what is not UTF-8, the bracket that is one
 * too many, or the end. `tokens` sums up the tokens before that, see
 * json_reference_token(). */
struct json_reference {
    enum json_verdict verdict;
    size_t at;
    uint64_t tokens;
};

struct json_reference json_reference(const char *text, size_t length,
                                     int depth_max);

/* Adds a token, the bytes from `begin` to `end` of the text (strings without
 * their quotes), to a sum that starts as 0. Equal sums: equal tokens. */
uint64_t json_reference_token(uint64_t sum, enum json_kind kind, size_t begin,
                              size_t end);

/* Decodes the inside of a valid string; gives the number of bytes. */
size_t json_reference_decode(const char *string, size_t length, char *out);

/* The member of a valid text to which a path leads: names with dots between
 * them, compared decoded, in any case of ASCII if asked. 1, and its value is
 * the bytes from `begin` to `end`, a string's without its quotes; 0 when there
 * is none. */
int json_reference_pick(const char *text, size_t length, const char *path,
                        int any_case, size_t *begin, size_t *end);

/* A valid number as an integer of 10^-decimals, rounded away from zero. 0 when
 * that has more than 18 digits. The number has at most 400 digits and an
 * exponent within 400. */
int json_reference_decimal(const char *number, size_t length, int decimals,
                           int64_t *value);

/* The length of the UTF-8 sequence at `text`, 0 when there is none: the ABNF
 * of RFC 3629, section 4. */
size_t json_reference_utf8(const char *text, size_t length);

#endif
