#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <string.h>

struct slice host_name(struct slice host)
{
    const unsigned char *end = memchr(host.data, ']', host.size);

    if (host.size > 0 && host.data[0] == '[' && end != NULL) {
        return (struct slice){host.data, (size_t)(end - host.data) + 1};
    }
    return slice_cut(&host, ':');
}

static bool is_ipv4(struct slice s)
{
    size_t parts = 0;

    while (s.size > 0) {
        struct slice part = slice_cut(&s, '.');

        for (size_t i = 0; i < part.size; i++) {
            if (part.data[i] < '0' || part.data[i] > '9') {
                return false;
            }
        }
        if (part.size == 0 || part.size > 3) {
            return false;
        }
        parts++;
    }
    return parts == 4;
}

static bool ends_with(struct slice s, const char *end)
{
    size_t size = strlen(end);

    return s.size >= size &&
           slice_starts_nocase((struct slice){s.data + s.size - size, size},
                               end);
}

bool host_is_allowed(struct slice host, const struct buf *allowed)
{
    struct slice name = host_name(host);

    if (name.size > 0 && name.data[name.size - 1] == '.') {
        name.size--;
    }
    if (name.size == 0 || name.data[0] == '[' ||
        memchr(name.data, '.', name.size) == NULL || is_ipv4(name) ||
        ends_with(name, ".localhost")) {
        return true;
    }
    for (size_t at = allowed->start; at < allowed->end;) {
        const char *text = (const char *)allowed->data + at;

        if (strcmp(text, "any") == 0 || slice_is_nocase(name, text)) {
            return true;
        }
        at += strlen(text) + 1;
    }
    return false;
}
