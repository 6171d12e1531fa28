/* handler.c - somebody else's project: several sources, a header of its own, a
 * table of pointers and functions. build.sh builds it from outside. */
#include "http.h"
#include "routes.h"

static const struct route routes[] = {
    {"numbers", say_numbers},
    {"greeting", say_greeting},
};

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    (void)in;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        http_format(&out->text, "%s: %s\n", routes[i].name, routes[i].say());
    return 0;
}
