/* gzip.c - GET /?lines=20&delay=0.1: lines, compressed as they are written */
#include "http.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

/* What Accept-Encoding (RFC 9110, section 12.5.3) makes of a coding. */
static double weight(const char *list, const char *coding, double other)
{
    for (; list; list = strchr(list, ',')) {
        char name[16] = "";
        double q = 1;

        list += strspn(list, ", \t");
        (void)sscanf(list, "%15[^,; \t] ; %*1[qQ]=%lf", name, &q);
        if (strcasecmp(name, coding) == 0)
            return q;
    }
    return other;
}

/* Sends z's line. The flush, of some five bytes, lets the client read it. */
static int put(struct http_stream *out, z_stream *z, int flush)
{
    unsigned char packed[256]; /* more than a line and its flush can take */

    if (!z->state)
        return http_write(out, z->next_in, z->avail_in);
    z->next_out = packed;
    z->avail_out = sizeof packed;
    (void)deflate(z, flush);
    return http_write(out, packed, sizeof packed - z->avail_out);
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    char lines[8] = "20", delay[8] = "0.1", accept[256] = "", line[32], more;
    double q, s; /* gzip's weight; seconds between lines */
    z_stream z = {0};
    int n, rc = lambda_read_request(&r, in, out);

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    lambda_query(&r, "lines", lines, sizeof lines);
    lambda_query(&r, "delay", delay, sizeof delay);
    lambda_header(&r, "Accept-Encoding", accept, sizeof accept);
    if (sscanf(lines, "%d%c", &n, &more) != 1 || n < 1 || n > 100000 ||
        sscanf(delay, "%lf%c", &s, &more) != 1 || !(s >= 0 && s <= 900))
        return http_answer(out, 400, "text/plain", "lines or delay?\n");
    http_answer(out, 200, "text/plain; charset=utf-8", "");
    http_header(out, "Vary", "Accept-Encoding");
    q = weight(accept, "gzip", weight(accept, "*", 0));
    if (q > 0 && q >= weight(accept, "identity", 0) &&
        deflateInit2(&z, 6, 8, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        http_header(out, "Content-Encoding", "gzip");
    for (int i = 1; rc >= 0 && i <= n; i++) {
        (void)poll(NULL, 0, i > 1 ? (int)(s * 1000) : 0);
        if (lambda_time_left_ms(in) < (int64_t)(s * 1000) + 100)
            n = i; /* the next one would come too late */
        z.next_in = (Bytef *)line;
        z.avail_in = (uInt)snprintf(line, sizeof line, "line %d\n", i);
        rc = put(out, &z, i < n ? Z_SYNC_FLUSH : Z_FINISH);
    }
    (void)deflateEnd(&z);
    return rc;
}
