/* hello.c - a handler: one file, built with HANDLER= */
#include "http.h"

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    http_header(out, "Content-Type", "text/plain; charset=utf-8");
    http_write(out, "Hello.\n", 7); /* leaves now, as a chunk */
    http_format(&out->text, "This is request %s.\n", in->request_id);
    return 0; /* the rest leaves with the end */
}
