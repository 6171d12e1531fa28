/* The forms of a transcript. wire.c tells a form what happens, and writes what
 * it adds to `out`. A form leaves those members NULL that it does not need. */
#ifndef LAMBDA_WIRE_FORM_H
#define LAMBDA_WIRE_FORM_H

#include "wire.h"

/* What a form knows of a connection. */
struct wire_tap {
    unsigned sandbox, connection;
    const int64_t *epoch;
    void *own; /* the form's */
};

/* A line of a message, or data of its body. */
struct wire_piece {
    int64_t time; /* when its first byte came */
    enum wire_direction direction;
    struct slice bytes;
    const char *annotation;
    bool starts_message, ends_message; /* an interim response is no end */
    bool in_body;                      /* data, and what frames a chunk */
};

struct wire_form {
    void (*begin)(struct buf *out);
    void (*open)(struct buf *out, struct wire_tap *);
    void (*bytes)(struct buf *out, struct wire_tap *, enum wire_direction,
                  struct slice);
    void (*piece)(struct buf *out, struct wire_tap *,
                  const struct wire_piece *);
    void (*close)(struct buf *out, struct wire_tap *);
    void (*process)(struct buf *out, unsigned sandbox, long pid, unsigned port);
    void (*invocation)(struct buf *out, unsigned sandbox, const char *id);
    void (*invocation_end)(struct buf *out, unsigned sandbox);
    void (*end)(struct buf *out);
};

extern const struct wire_form wire_text, wire_text_coloured, wire_pcapng,
    wire_html;

/* How what stands at the start of s is shown: as the character that it is, or
 * as the escape of its first byte. Characters that would change how a terminal
 * or a page shows what is beside them are escaped. */
struct wire_shown {
    size_t bytes;
    char escape[5]; /* empty: the character */
};
struct wire_shown wire_show(struct slice s);

#endif
