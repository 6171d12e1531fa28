/*
 * http_reference.h - a slow and obvious reading of RFC 9112, to compare with
 *
 * Reads a whole message from its first byte each time, a line after the other,
 * one function a rule of the grammar. It shares nothing with http.c but the
 * names of its errors. Where the RFC leaves a choice it takes the strict one:
 * no white space around a chunk size, no line folding, no bare LF.
 */
#ifndef HTTP_REFERENCE_H
#define HTTP_REFERENCE_H

#include <stddef.h>

struct http_reference_slice {
    const char *bytes;
    size_t length;
};

struct http_reference_field {
    struct http_reference_slice name, value;
};

struct http_reference {
    int rc; /* > 0 a whole message, 0 more is needed, < 0 an enum http_error */
    size_t at; /* where the message ends, or its fault is */
    struct http_reference_slice start; /* the start line */
    int status;                        /* of a response */
    int chunked;
    int reusable; /* whether the connection may carry another message; -1: it
                   * may but a careful client can close it */
    size_t body_length;
    unsigned field_count;
    unsigned trailer_count; /* fields behind those of the head */
    struct http_reference_field fields[256];
};

/* Reads a response, past the interim ones before it, or a request. The body,
 * without its framing, goes to `body`, which has room for `length` bytes.
 *
 * A line is judged when it is whole, but for bytes that no line may hold: those
 * are faults at once. The offset of a fault is that byte, where a limit is
 * passed, or where the line begins; for framing, the line that ends the head.
 */
void http_reference_response(struct http_reference *r, const char *bytes,
                             size_t length, char *body);
void http_reference_request(struct http_reference *r, const char *bytes,
                            size_t length, char *body);

/* The value of the only field of that name, in any case of letters, in the
 * head; NULL when there is none, or more than one. */
const struct http_reference_slice *http_reference_field(
    const struct http_reference *r, const char *name);

/* Whether a slice is that text, in any case of letters. */
int http_reference_is(struct http_reference_slice s, const char *text);

#endif
