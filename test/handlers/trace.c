/* trace.c - tells the X-Ray trace id that the environment and the invocation
 * have, for a hosted build sets the one from the other. */
#include "http.h"

#include <stdlib.h>

int handler_init(struct http_stream *out)
{
    (void)out;
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct http_text text = {.stream = out};
    const char *id = getenv("_X_AMZN_TRACE_ID");

    http_format(&text, "%s\n%s\n", id ? id : "none", in->trace_id);
    return 0;
}
