/* gzip.c - GET /?lines=20&delay=0.1: lines, compressed as they are written */
#include "http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

const char handler_options[] = "";

int handler_init(struct http_stream *out, char **options)
{
    (void)out, (void)options;
    return 0;
}

/* The q-value of a coding in Accept-Encoding (RFC 9110, section 12.5.3). */
static double q_value(const char *list, const char *coding, double otherwise)
{
    size_t name, length = strlen(coding);
    const char *q;

    for (; *list != '\0'; list += strcspn(list, ",")) {
        list += strspn(list, ", \t");
        name = strcspn(list, ",; \t");
        q = list + name + strspn(list + name, "; \t");
        if (name == length && strncasecmp(list, coding, length) == 0)
            return strncasecmp(q, "q=", 2) == 0 ? strtod(q + 2, NULL) : 1;
    }
    return otherwise;
}

static int serve(const struct invocation *in, struct http_stream *out, int n,
                 int ms, z_stream *z)
{
    char line[32];
    unsigned char packed[256]; /* more than a line and its flush can take */
    int rc = 0;

    for (int i = 1; rc >= 0 && i <= n && lambda_time_left_ms(in) > ms; i++) {
        if (i > 1)
            (void)poll(NULL, 0, ms);
        z->avail_in = (uInt)snprintf(line, sizeof line, "line %d\n", i);
        z->next_in = (Bytef *)line;
        z->next_out = packed;
        z->avail_out = sizeof packed;
        if (z->state) /* the flush lets the client see the line at once */
            (void)deflate(z, i < n ? Z_SYNC_FLUSH : Z_FINISH);
        rc = z->state ? http_write(out, packed, sizeof packed - z->avail_out)
                      : http_write(out, line, z->avail_in);
    }
    return rc;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    char lines[8] = "20", delay[8] = "0.1", accept[256] = "";
    z_stream z = {0};
    int rc = lambda_read_request(&r, in, out), n, ms;

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    lambda_query(&r, "lines", lines, sizeof lines);
    lambda_query(&r, "delay", delay, sizeof delay);
    lambda_header(&r, "Accept-Encoding", accept, sizeof accept);
    n = atoi(lines);
    ms = (int)(strtod(delay, NULL) * 1000);
    http_status(out, n > 0 && ms >= 0 ? 200 : 400);
    http_header(out, "Content-Type", "text/plain; charset=utf-8");
    http_header(out, "Vary", "Accept-Encoding");
    if (n <= 0 || ms < 0)
        return http_write(out, "lines, delay?\n", 14);
    if (q_value(accept, "gzip", q_value(accept, "*", 0)) > 0 &&
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0) == Z_OK)
        http_header(out, "Content-Encoding", "gzip");
    rc = serve(in, out, n, ms, &z);
    (void)deflateEnd(&z);
    return rc;
}
