#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <string.h>

static bool is_hex(struct slice s, size_t from, size_t size)
{
    if (s.size < from + size) {
        return false;
    }
    for (size_t i = from; i < from + size; i++) {
        if (strchr("0123456789abcdefABCDEF", s.data[i]) == NULL ||
            s.data[i] == 0) {
            return false;
        }
    }
    return true;
}

/* 1-5759e988-bd862e3fe1be46a994272793 */
static bool is_root(struct slice s)
{
    return s.size == 35 && s.data[0] == '1' && s.data[1] == '-' &&
           is_hex(s, 2, 8) && s.data[10] == '-' && is_hex(s, 11, 24);
}

static bool find(struct slice header, const char *name, struct slice *value)
{
    while (header.size > 0) {
        struct slice rest = slice_trim(slice_cut(&header, ';'));

        if (slice_is_nocase(slice_cut(&rest, '='), name)) {
            *value = rest;
            return true;
        }
    }
    return false;
}

char *trace_complete(struct slice given)
{
    struct slice root, parent, sampled, lineage;
    char id[25];
    struct buf text = {0};
    char *result;

    if (find(given, "Root", &root) && is_root(root)) {
        buf_text(&text, "Root=");
        buf_add_slice(&text, root);
    } else {
        given = slice_of("");
        hex_random(id, 24);
        buf_format(&text, "Root=1-%08llx-%s",
                   (unsigned long long)(wall_ms() / 1000), id);
    }
    hex_random(id, 16);
    if (!find(given, "Parent", &parent) || parent.size != 16 ||
        !is_hex(parent, 0, 16)) {
        parent = slice_of(id);
    }
    buf_text(&text, ";Parent=");
    buf_add_slice(&text, parent);
    if (!find(given, "Sampled", &sampled) ||
        (!slice_is(sampled, "0") && !slice_is(sampled, "1"))) {
        sampled = slice_of("0");
    }
    buf_text(&text, ";Sampled=");
    buf_add_slice(&text, sampled);
    hex_random(id, 8);
    if (find(given, "Lineage", &lineage) && lineage.size <= 64) {
        buf_text(&text, ";Lineage=");
        buf_add_slice(&text, lineage);
    } else {
        buf_format(&text, ";Lineage=1:%s:0", id);
    }
    result = slice_copy(buf_slice(&text));
    buf_free(&text);
    return result;
}
