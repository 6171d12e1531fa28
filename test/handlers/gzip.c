/* gzip.c - GET /?lines=20&delay=0.1: lines, compressed as they are written */
#include "http.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

/* The weight of a coding in Accept-Encoding: RFC 9110, section 12.5.3. */
static double weight(const char *list, const char *coding, double otherwise)
{
    size_t n;

    for (; *list != '\0'; list += strcspn(list, ",")) {
        list += strspn(list, ", \t");
        n = strcspn(list, ",; \t");
        if (n == strlen(coding) && strncasecmp(list, coding, n) == 0) {
            list += n + strspn(list + n, "; \t");
            return strncasecmp(list, "q=", 2) == 0 ? strtod(list + 2, NULL) : 1;
        }
    }
    return otherwise;
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
    char lines[8] = "20", delay[8] = "0.1", accept[256] = "", line[32];
    struct json_token seconds = {JSON_NUMBER, delay, 0};
    int64_t n = 0, ms = -1;
    double gzip;
    z_stream z = {0};
    int rc = lambda_read_request(&r, in, out);

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    lambda_query(&r, "lines", lines, sizeof lines);
    lambda_query(&r, "delay", delay, sizeof delay);
    lambda_header(&r, "Accept-Encoding", accept, sizeof accept);
    seconds.length = strlen(delay);
    if (!http_decimal(lines, 100000, &n) || n == 0 ||
        json_decimal(&seconds, 3, &ms) < 0 || ms < 0 || ms > 900000)
        return http_answer(out, 400, "text/plain", "lines, delay?\n");
    gzip = weight(accept, "gzip", weight(accept, "*", 0));
    http_answer(out, 200, "text/plain; charset=utf-8", "");
    http_header(out, "Vary", "Accept-Encoding");
    if (gzip > 0 && gzip >= weight(accept, "identity", 0) &&
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, 0) == Z_OK)
        http_header(out, "Content-Encoding", "gzip");
    for (int64_t i = 1; rc >= 0 && i <= n; i++) {
        struct http_text text = http_text_in(line, sizeof line);

        if (i > 1)
            (void)poll(NULL, 0, (int)ms);
        if (lambda_time_left_ms(in) < ms + 100)
            n = i; /* the next one would come too late */
        http_format(&text, "line %lld\n", (long long)i);
        rc = put(out, &z, line, i < n ? Z_SYNC_FLUSH : Z_FINISH);
    }
    (void)deflateEnd(&z);
    return rc;
}
