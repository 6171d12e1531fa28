/* outcome.h - what http_parse() makes of a response, however it is fed */
#ifndef OUTCOME_H
#define OUTCOME_H

#include "http.h"

#include <string.h>

/* It asks for more bytes and has no room for them, against http.h's word. */
#define NO_ROOM (-77)

struct outcome {
    int rc; /* as of http_parse(), or NO_ROOM */
    int status;
    int reusable;
    size_t offset;
    const char *body;
    size_t body_length;
};

/* Feeds bytes as a connection would: no more than there is room for at once.
 * Gives the number of bytes fed. */
static size_t feed(struct http_message *m, const char *bytes, size_t length,
                   int *rc)
{
    size_t fed = 0, n;

    while (*rc == 0 && fed < length) {
        n = HTTP_MESSAGE_BYTES_MAX - m->end;
        if (n == 0) {
            *rc = NO_ROOM;
            break;
        }
        if (n > length - fed)
            n = length - fed;
        memcpy(m->buffer + m->end, bytes + fed, n);
        m->end += n;
        fed += n;
        *rc = http_parse(m);
    }
    return fed;
}

/* Reads a response into a message that was started: `first` bytes, then the
 * rest `step` bytes at a time. */
static struct outcome read_message(struct http_message *m, const char *bytes,
                                   size_t length, size_t first, size_t step)
{
    struct outcome o = {0};
    size_t fed = feed(m, bytes, first, &o.rc);

    while (o.rc == 0 && fed < length)
        fed += feed(m, bytes + fed, step < length - fed ? step : length - fed,
                    &o.rc);
    if (o.rc < 0)
        o.offset = m->taken + m->at;
    if (o.rc > 0) {
        o.status = m->status;
        /* What comes behind a message takes the connection with it. */
        o.reusable = m->reusable && fed == length;
        o.body = m->buffer + m->body;
        o.body_length = m->body_length;
    }
    return o;
}

#endif
