/* http_cases.h - HTTP responses and what becomes of them: http-cases.txt */
#ifndef HTTP_CASES_H
#define HTTP_CASES_H

#include <stddef.h>

/* GOOD is whole, and its connection can be used again; LAST is whole; MORE is
 * a beginning; BAD is refused. */
enum http_verdict { HTTP_GOOD, HTTP_LAST, HTTP_MORE, HTTP_BAD };

struct http_case {
    size_t line;      /* in the table */
    const char *text; /* that line */
    enum http_verdict verdict;
    int status;    /* of what is whole */
    int error;     /* of what is bad, an enum http_error */
    size_t offset; /* where it stops being good */
    const char *bytes, *body;
    size_t length, body_length;
};

/* Gives the next case of the table, which is read from the project's folder:
 * 1, or 0 behind the last. What it points to is good until the next call. A
 * table that is not there, or not well formed, ends the process. */
int http_case_next(struct http_case *c);

#endif
