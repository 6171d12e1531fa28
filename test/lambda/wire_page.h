/* A section of the page: one invocation in one sandbox, or several that run
 * there at the same time, and all exchanges that belong to them. wire_html.c
 * gathers it, wire_page.c writes it. */
#ifndef LAMBDA_WIRE_PAGE_H
#define LAMBDA_WIRE_PAGE_H

#include "wire_form.h"

struct row {
    int64_t time;
    enum wire_direction direction;
    size_t bytes_at, bytes_kept, bytes; /* in the exchange's text */
    size_t annotation_at;               /* with its NUL */
};

struct exchange {
    struct exchange *next;      /* in the section */
    struct exchange *next_open; /* on the connection */
    struct section *section;
    unsigned connection;
    bool asked, answered, open;
    char *request, *status; /* first lines; NULL: there is none yet */
    struct row *rows;
    size_t count, capacity;
    struct buf text;
    uint64_t bytes[2]; /* of each direction */
    size_t body_rows;
    size_t left_out, left_out_at; /* rows, and before which they were */
    uint64_t left_out_bytes;
};

struct section {
    struct section *next;
    unsigned sandbox;
    long pid;
    unsigned port;
    struct buf ids;          /* of the invocations, each with its NUL */
    unsigned running;        /* of those */
    int64_t process_started; /* 0: before */
    int64_t started, ended;  /* of the invocation; 0: not yet */
    int64_t began, wall_ms;  /* by either clock */
    struct exchange *exchanges;
    size_t count, left_out; /* exchanges; the latter are not in the list */
    size_t room;            /* for what is kept of the exchanges */
    bool finished;
};

void page_begin(struct buf *out);
void page_section(struct buf *out, const struct section *s);

#endif
