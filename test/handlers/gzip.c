/* gzip.c - GET /?lines=20&delay=0.1: lines, compressed as they are written */
#include "http.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

/* Accept-Encoding: RFC 9110, section 12.5.3. */
static int wants_gzip(char *list)
{
    double gzip = -1, any = 0, identity = 0;

    for (char *item = strtok(list, ","); item; item = strtok(NULL, ",")) {
        char coding[16] = "";
        double weight = 1;

        (void)sscanf(item, " %15[^; \t] ; %*1[qQ]=%lf", coding, &weight);
        if (strcasecmp(coding, "gzip") == 0)
            gzip = weight;
        else if (strcasecmp(coding, "identity") == 0)
            identity = weight;
        else if (strcmp(coding, "*") == 0)
            any = weight;
    }
    gzip = gzip < 0 ? any : gzip;
    return gzip > 0 && gzip >= identity;
}

/* Sends a line. The flush, of some five bytes, lets the client read it now. */
static int put(struct http_stream *out, z_stream *z, char *line, int flush)
{
    unsigned char packed[256]; /* more than a line and its flush can take */

    if (!z->state)
        return http_write(out, line, strlen(line));
    z->next_in = (Bytef *)line;
    z->avail_in = (uInt)strlen(line);
    z->next_out = packed;
    z->avail_out = sizeof packed;
    (void)deflate(z, flush);
    return http_write(out, packed, sizeof packed - z->avail_out);
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    char lines[8] = "20", delay[8] = "0.1", accept[256] = "", line[32], *end;
    int rc = lambda_read_request(&r, in, out);
    z_stream z = {0};

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    lambda_query(&r, "lines", lines, sizeof lines);
    lambda_query(&r, "delay", delay, sizeof delay);
    lambda_header(&r, "Accept-Encoding", accept, sizeof accept);
    long n = strtol(lines, NULL, 10);
    double ms = strtod(delay, &end) * 1000;
    if (n < 1 || n > 100000 || end == delay || !(ms >= 0 && ms <= 900000))
        return http_answer(out, 400, "text/plain", "lines, delay?\n");
    http_answer(out, 200, "text/plain; charset=utf-8", "");
    http_header(out, "Vary", "Accept-Encoding");
    if (wants_gzip(accept) && deflateInit2(&z, 6, 8, 31, 8, 0) == Z_OK)
        http_header(out, "Content-Encoding", "gzip");
    for (long i = 1; rc >= 0 && i <= n; i++) {
        if (i > 1)
            (void)poll(NULL, 0, (int)ms);
        if (lambda_time_left_ms(in) < (int64_t)ms + 100)
            n = i; /* the next one would come too late */
        (void)snprintf(line, sizeof line, "line %ld\n", i);
        rc = put(out, &z, line, i < n ? Z_SYNC_FLUSH : Z_FINISH);
    }
    (void)deflateEnd(&z);
    return rc;
}
