/* trace.c - tells the X-Ray trace id that the environment and the invocation
 * have, for a hosted build sets the one from the other. */
#include "http.h"

#include <stdlib.h>

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    const char *id = getenv("_X_AMZN_TRACE_ID");

    http_format(&out->text, "%s\n%s\n", id ? id : "none",
                lambda_field(in, "Lambda-Runtime-Trace-Id"));
    return 0;
}
