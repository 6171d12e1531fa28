/* file.c - GET /files/NAME: a file of $FILES, or of public beside bootstrap */
#include "http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int folder; /* open as long as the process lives */
static unsigned char piece[65536];

int handler_init(struct http_stream *out, const struct json_token *options)
{
    const char *root = getenv("LAMBDA_TASK_ROOT"), *files = getenv("FILES");
    int base = openat(AT_FDCWD, root ? root : ".", O_DIRECTORY | O_CLOEXEC);

    (void)options;
    folder = openat(base, files ? files : "public", O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 ? 0 : lambda_fail(out, "Function.NoFiles", "no folder");
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".css", "text/css"},
        {".txt", "text/plain; charset=utf-8"}, {".js", "text/javascript"},
        {".json", "application/json"},         {".png", "image/png"}};

    for (; *name != '\0'; name++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcmp(name, types[i][0]) == 0)
                return types[i][1];
    return "application/octet-stream";
}

/* The status, and what to send; all for what is no range, or several. RFC 9110,
 * section 14.1.2: "bytes=" first "-" [last], or "bytes=-" suffix. */
static int choose(const struct lambda_request *r, const char *tag, long *from,
                  long *to)
{
    char value[256 + 20] = ""; /* compared with a tag from any byte on */
    const char *p = value + 6;
    int64_t first = -1, last = INT32_MAX, size = *to;

    lambda_header(r, "If-None-Match", value, 256);
    for (size_t i = 0; value[i] != '\0'; i++) /* of a list, any of them */
        if (strcmp(value, "*") == 0 || memcmp(value + i, tag, strlen(tag)) == 0)
            return 304;
    if (lambda_header(r, "If-Range", value, 256) != 0 ||
        lambda_header(r, "Range", value, 256) <= 0 ||
        memcmp(value, "bytes=", 6) != 0 || size == 0)
        return size > 0 ? 200 : 204;
    p = *p == '-' ? p : http_decimal(p, INT32_MAX, &first);
    if (!p || *p++ != '-')
        return 200;
    p = *p == '\0' && first >= 0 ? p : http_decimal(p, INT32_MAX, &last);
    if (!p || *p != '\0' || last < first)
        return 200;
    *from = first >= 0 ? first : last < size ? size - last : 0;
    *to = first >= 0 && last < size ? last + 1 : size;
    return *from < size ? 206 : 416;
}

static int answer(const struct lambda_request *r, struct http_stream *out,
                  const char *name, int fd)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    char tag[20], range[80];
    struct http_text text = http_text_in(tag, sizeof tag);
    long n, size = 0, from = 0, to;
    int status, rc = 0;

    /* Every time in a zip is 1980, so the tag is made of the content. */
    for (; (n = pread(fd, piece, sizeof piece, size)) > 0; size += n)
        for (long i = 0; i < n; i++)
            hash = (hash ^ piece[i]) * UINT64_C(0x100000001b3);
    if (n < 0) /* not a regular file */
        return http_answer(out, 404, "text/plain", "no such file\n");
    http_format(&text, "\"%016lx\"", (unsigned long)hash);
    to = size;
    status = choose(r, tag, &from, &to);
    http_answer(out, status, status == 416 ? "text/plain" : type_of(name),
                status == 416 ? "no such range\n" : "");
    http_header(out, "ETag", tag);
    text = http_text_in(range, sizeof range);
    if (status == 206)
        http_format(&text, "bytes %ld-%ld/%ld", from, to - 1, size);
    if (status == 416)
        http_format(&text, "bytes */%ld", size);
    if (text.length > 0)
        http_header(out, "Content-Range", range);
    for (; rc >= 0 && status < 300 && from < to; from += n) {
        n = pread(fd, piece, sizeof piece, from);
        if (n <= 0)
            return lambda_fail(out, "Function.FileChanged", "it is shorter");
        rc = http_write(out, piece, (size_t)(n < to - from ? n : to - from));
    }
    return rc;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    char path[256] = "";
    int fd = -1, rc = lambda_read_request(&r, in, out);

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    if (!json_equal(&r.method, "GET") && !json_equal(&r.method, "HEAD")) {
        http_answer(out, 405, "text/plain", "no such method\n");
        return http_header(out, "Allow", "GET, HEAD");
    }
    /* A slash, a dot in front, or a symbolic link could lead out of it. */
    if (lambda_path(&r, path, sizeof path) && memcmp(path, "/files/", 7) == 0 &&
        path[7] != '.' && !memchr(path + 7, '/', strlen(path + 7)))
        fd = openat(folder, path + 7, O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    rc = answer(&r, out, path, fd);
    (void)close(fd);
    return rc;
}
