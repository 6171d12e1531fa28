#define _POSIX_C_SOURCE 200809L
#include "cors.h"

#include <string.h>

bool cors_is_preflight(const struct settings *s, const struct head *h)
{
    struct slice value;

    return s->cors_origins != NULL && slice_is(h->method, "OPTIONS") &&
           fields_get(&h->fields, "origin", &value) &&
           fields_get(&h->fields, "access-control-request-method", &value);
}

/* What Access-Control-Allow-Origin says; empty: this origin is not allowed. */
static struct slice allowed(const struct settings *s, const struct head *h)
{
    struct slice list = slice_of(s->cors_origins), origin;

    if (slice_is(list, "*")) {
        return list;
    }
    if (!fields_get(&h->fields, "origin", &origin)) {
        return slice_of("");
    }
    while (list.size > 0) {
        struct slice one = slice_trim(slice_cut(&list, ','));

        if (one.size > 0 && one.size == origin.size &&
            memcmp(one.data, origin.data, one.size) == 0) {
            return one;
        }
    }
    return slice_of("");
}

static void add_line(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        buf_format(out, "Access-Control-Allow-%s: %s\r\n", name, value);
    }
}

void cors_add(struct buf *out, const struct settings *s, const struct head *h)
{
    struct slice origin;

    if (s->cors_origins == NULL) {
        return;
    }
    origin = allowed(s, h);
    if (!slice_is(origin, "*")) {
        buf_text(out, "Vary: Origin\r\n");
    }
    if (origin.size == 0) {
        return;
    }
    buf_format(out, "Access-Control-Allow-Origin: %.*s\r\n", (int)origin.size,
               (const char *)origin.data);
    add_line(out, "Credentials", s->cors_credentials ? "true" : NULL);
    if (cors_is_preflight(s, h)) {
        add_line(out, "Methods", s->cors_methods);
        add_line(out, "Headers", s->cors_headers);
    }
}

void cors_filter(struct buf *lines, const struct settings *s)
{
    struct slice rest = buf_slice(lines);
    struct buf kept = {0};

    if (s->cors_origins == NULL) {
        return;
    }
    while (rest.size > 0) {
        struct slice line = slice_cut(&rest, '\n');

        line.size++;
        if (!slice_starts_nocase(line, "access-control-")) {
            buf_add_slice(&kept, line);
        }
    }
    buf_free(lines);
    *lines = kept;
}
