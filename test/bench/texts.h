/*
 * texts.h - the JSON texts that the tokenizer is measured with
 */
#ifndef TEXTS_H
#define TEXTS_H

#include <stddef.h>
#include <stdio.h>

struct text_kind {
    const char *name;
    const char *element; /* of an array, with the comma before it */
};

extern const struct text_kind text_kinds[];
extern const size_t text_kind_count;

/* Writes an array of such elements, of that many bytes at most. */
void text_array(FILE *f, const char *element, size_t size);

/* Writes an event of a Function URL such as a browser causes: 1, 2 or 4 KB, to
 * within a twentieth. */
void text_url_event(FILE *f, int kilobytes);

#endif
