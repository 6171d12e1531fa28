/* The transcript as a page: what belongs to an invocation is gathered, and
 * written when the last of its exchanges is over. The file is a whole page at
 * any time, since HTML lets its last end tags be left out. */
#define _POSIX_C_SOURCE 200809L
#include "wire_page.h"

#include "settings.h"

#include <stdlib.h>
#include <string.h>

/* What is kept of one line or one piece of data, and in how many rows of a
 * body; of a whole section. Pages beyond that are slow to open and nobody
 * reads them; what is left out is counted. */
#define LINE_BYTES_KEPT    8192u
#define DATA_BYTES_KEPT    2048u
#define BODY_ROWS_MAX      3000u
#define SECTION_BYTES_KEPT (8u * 1024u * 1024u)
#define EXCHANGES_MAX      500u
#define IDS_BYTES_MAX      4096u
/* Of a first line, for the headings. */
#define HEADING_BYTES_MAX 300u

static struct section *sections;
static struct section *current[SANDBOXES_MAX + 1];

static struct section *section_of(unsigned sandbox)
{
    struct section *s = current[sandbox], **end = &sections;

    if (s == NULL) {
        s = current[sandbox] = allocate(sizeof *s);
        s->sandbox = sandbox;
        s->began = now_ns();
        s->wall_ms = wall_ms();
        s->room = SECTION_BYTES_KEPT;
        while (*end != NULL) {
            end = &(*end)->next;
        }
        *end = s;
    }
    return s;
}

static void free_exchange(struct exchange *e)
{
    free(e->request);
    free(e->status);
    free(e->rows);
    buf_free(&e->text);
    free(e);
}

static void discard(struct section *s)
{
    struct section **link = &sections;

    while (*link != s) {
        link = &(*link)->next;
    }
    *link = s->next;
    while (s->exchanges != NULL) {
        struct exchange *e = s->exchanges;

        s->exchanges = e->next;
        free_exchange(e);
    }
    buf_free(&s->ids);
    free(s);
}

static void write_if_over(struct buf *out, struct section *s)
{
    if (!s->finished) {
        return;
    }
    for (const struct exchange *e = s->exchanges; e != NULL; e = e->next) {
        if (e->open) {
            return;
        }
    }
    if (s->exchanges != NULL) {
        page_section(out, s);
    }
    discard(s);
}

/* The first exchange of the connection is over. */
static void over(struct buf *out, struct wire_tap *tap)
{
    struct exchange *e = tap->own, **link = &e->section->exchanges;
    struct section *s = e->section;

    tap->own = e->next_open;
    e->open = false;
    if (s->count > EXCHANGES_MAX) {
        while (*link != e) {
            link = &(*link)->next;
        }
        *link = e->next;
        s->count--;
        s->left_out++;
        free_exchange(e);
    }
    write_if_over(out, s);
}

static struct exchange *last_of(struct exchange *e)
{
    while (e != NULL && e->next_open != NULL) {
        e = e->next_open;
    }
    return e;
}

static void append(struct section *s, struct exchange *e)
{
    struct exchange **end = &s->exchanges;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = e;
    e->next = NULL;
    e->section = s;
    s->count++;
}

static struct exchange *new_exchange(struct wire_tap *tap)
{
    struct exchange *e = allocate(sizeof *e), *last = last_of(tap->own);

    e->connection = tap->connection;
    e->open = true;
    append(section_of(tap->sandbox), e);
    if (last == NULL) {
        tap->own = e;
    } else {
        last->next_open = e;
    }
    return e;
}

/* A request belongs to the exchange that is not asked yet, a response to the
 * first that is not answered. */
static struct exchange *exchange_of(struct wire_tap *tap, enum wire_direction d)
{
    struct exchange *e = tap->own;

    if (d == WIRE_FROM_RUNTIME) {
        e = last_of(e);
        return e == NULL || e->asked ? new_exchange(tap) : e;
    }
    while (e != NULL && e->answered) {
        e = e->next_open;
    }
    return e == NULL ? new_exchange(tap) : e;
}

static bool is_kept(struct exchange *e, const struct wire_piece *p, size_t kept)
{
    size_t size = sizeof(struct row) + kept + strlen(p->annotation) + 1;

    if (size > e->section->room ||
        (p->in_body && ++e->body_rows > BODY_ROWS_MAX)) {
        return false;
    }
    e->section->room -= size;
    return true;
}

static void add_row(struct exchange *e, const struct wire_piece *p)
{
    size_t limit = p->in_body ? DATA_BYTES_KEPT : LINE_BYTES_KEPT;
    size_t kept = p->bytes.size < limit ? p->bytes.size : limit;

    e->bytes[p->direction] += p->bytes.size;
    if (!is_kept(e, p, kept)) {
        e->left_out_at = e->left_out == 0 ? e->count : e->left_out_at;
        e->left_out++;
        e->left_out_bytes += p->bytes.size;
        return;
    }
    if (e->count == e->capacity) {
        struct row *rows;

        e->capacity = e->capacity == 0 ? 32 : e->capacity * 2;
        rows = allocate(e->capacity * sizeof *rows);
        if (e->count > 0) {
            memcpy(rows, e->rows, e->count * sizeof *rows);
        }
        free(e->rows);
        e->rows = rows;
    }
    e->rows[e->count++] = (struct row){.time = p->time,
                                       .direction = p->direction,
                                       .bytes_at = buf_size(&e->text),
                                       .bytes_kept = kept,
                                       .bytes = p->bytes.size,
                                       .annotation_at = buf_size(&e->text) +
                                                        kept};
    buf_add(&e->text, p->bytes.data, kept);
    buf_add(&e->text, p->annotation, strlen(p->annotation) + 1);
}

/* The first line without its CRLF; the last one counts, since interim
 * responses come before the response. */
static void keep_heading(char **heading, struct slice line)
{
    while (line.size > 0 && line.data[line.size - 1] <= ' ') {
        line.size--;
    }
    if (line.size > HEADING_BYTES_MAX) {
        line.size = HEADING_BYTES_MAX;
    }
    free(*heading);
    *heading = slice_copy(line);
}

static void piece(struct buf *out, struct wire_tap *tap,
                  const struct wire_piece *p)
{
    struct exchange *e = exchange_of(tap, p->direction);
    bool request = p->direction == WIRE_FROM_RUNTIME;

    add_row(e, p);
    if (p->starts_message) {
        keep_heading(request ? &e->request : &e->status, p->bytes);
    }
    if (p->ends_message) {
        *(request ? &e->asked : &e->answered) = true;
    }
    if (e->asked && e->answered && e == tap->own) {
        over(out, tap);
    }
}

static void closed(struct buf *out, struct wire_tap *tap)
{
    while (tap->own != NULL) {
        over(out, tap);
    }
}

/* Waits for what is to come: GET .../next without an answer. */
static bool is_waiting(const struct exchange *e)
{
    const char *end = e->request == NULL ? NULL : strstr(e->request, " HTTP/");

    return end != NULL && e->open && e->bytes[WIRE_TO_RUNTIME] == 0 &&
           end - e->request > 5 && memcmp(end - 5, "/next", 5) == 0;
}

/* What waits for the next event belongs to the section of that. */
static void finish(struct buf *out, unsigned sandbox)
{
    struct section *s = current[sandbox];
    struct exchange *all;

    if (s == NULL) {
        return;
    }
    s->finished = true;
    s->ended = now_ns();
    current[sandbox] = NULL;
    all = s->exchanges;
    s->exchanges = NULL;
    s->count = 0;
    while (all != NULL) {
        struct exchange *e = all;

        all = e->next;
        if (is_waiting(e)) {
            struct section *next = section_of(sandbox);

            next->pid = s->pid;
            next->port = s->port;
            append(next, e);
        } else {
            append(s, e);
        }
    }
    write_if_over(out, s);
}

static void invocation_end(struct buf *out, unsigned sandbox)
{
    struct section *s = current[sandbox];

    if (s != NULL && s->running > 0) {
        s->running--;
    }
    if (s != NULL && s->running == 0) {
        finish(out, sandbox);
    }
}

static void process(struct buf *out, unsigned sandbox, long pid, unsigned port)
{
    struct section *s;

    finish(out, sandbox);
    s = section_of(sandbox);
    s->process_started = now_ns();
    s->pid = pid;
    s->port = port;
}

static void invocation(struct buf *out, unsigned sandbox, const char *id)
{
    struct section *s = section_of(sandbox);

    (void)out;
    s->running++;
    if (s->started == 0) {
        s->started = now_ns();
        s->wall_ms = wall_ms();
    }
    if (buf_size(&s->ids) < IDS_BYTES_MAX) {
        buf_add(&s->ids, id, strlen(id) + 1);
    }
}

static void end(struct buf *out)
{
    while (sections != NULL) {
        if (sections->exchanges != NULL) {
            page_section(out, sections);
        }
        discard(sections);
    }
    memset(current, 0, sizeof current);
}

const struct wire_form wire_html = {.begin = page_begin,
                                    .piece = piece,
                                    .close = closed,
                                    .process = process,
                                    .invocation = invocation,
                                    .invocation_end = invocation_end,
                                    .end = end};
