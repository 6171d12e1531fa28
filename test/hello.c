/* hello.c - a handler: two functions in one file, built with HANDLER= */
#include "http.h"

int handler_init(struct http_stream *out)
{
    (void)out; /* nothing to prepare */
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct http_text text = {.stream = out};

    http_header(out, "Content-Type", "text/plain; charset=utf-8");
    http_write(out, "Hello.\n", 7); /* leaves now, as a chunk */
    http_format(&text, "This is request %s.\n", in->request_id);
    return 0; /* the rest leaves with the end */
}
