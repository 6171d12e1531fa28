/*
 * compare.h - the product's readers, asked the same as the references
 *
 * For the exhaustive tests and the fuzzers. A function that compares gives 1
 * when both say the same; else it prints what each says, and gives 0.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "test/unit/http_reference.h"
#include "test/unit/json_reference.h"

#include <stddef.h>

/* http_parse(), given `first` bytes, then `step` at a time. `body` is that of
 * the reference. */
int compare_response(const char *bytes, size_t length, size_t first,
                     size_t step, const struct http_reference *want,
                     const char *body);

/* json_next(), up to the end or an error: the verdict, its offset, tokens. */
int compare_json(const char *text, size_t length,
                 const struct json_reference *want);

/* Prints bytes, on a line, in a form that C reads. */
void compare_show(const char *bytes, size_t length);

#endif
