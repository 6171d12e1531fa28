/* handler.c - somebody else's project: two sources, a header, tables of pointers
 * and of functions. test/project.sh builds it from outside. */
#include "routes.h"
#include "http.h"

static const struct route routes[] = {
    {"numbers", say_numbers},
    {"greeting", say_greeting},
};

const char handler_options[] = "";

int handler_init(struct http_stream *out, char **options)
{
    (void)out, (void)options;
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    (void)in;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        http_format(&out->text, "%s: %s\n", routes[i].name, routes[i].say());
    return 0;
}
