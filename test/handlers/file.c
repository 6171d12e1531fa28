/* file.c - GET /files/NAME: a file of $FILES, or of `public` beside bootstrap
 */
#include "http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char handler_options[] = "";

#define LIMIT (INT64_C(1) << 56) /* larger than files are */

static int folder; /* open as long as the process lives */
static unsigned char piece[65536];

int handler_init(struct http_stream *out, char **options)
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
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".png", "image/png"}};

    for (; *name != '\0'; name++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcmp(name, types[i][0]) == 0)
                return types[i][1];
    return "application/octet-stream";
}

/* Every time in a zip is 1980, so the tag is made of the content (FNV-1a).
 * Gives the size; < 0 for what is not a regular file. */
static int64_t make_tag(int fd, struct http_text *tag)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    int64_t at = 0;
    ssize_t n;

    for (; (n = pread(fd, piece, sizeof piece, at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            hash = (hash ^ piece[i]) * UINT64_C(0x100000001b3);
    http_format(tag, "\"%016llx\"", (unsigned long long)hash);
    return n < 0 ? -1 : at;
}

/* Sends the bytes from `from` up to `to`. */
static int send_piece(struct http_stream *out, int fd, int64_t from, int64_t to)
{
    int64_t left;
    ssize_t n;

    for (; (left = to - from) > 0; from += n) {
        n = pread(fd, piece, left < 65536 ? (size_t)left : 65536, from);
        if (n <= 0)
            return lambda_fail(out, "Function.FileChanged", "it is shorter");
        if (http_write(out, piece, (size_t)n) < 0)
            break; /* nobody waits any more */
    }
    return 0;
}

/* RFC 9110, section 14.1.2: "bytes=" first "-" [last], or "bytes=-" suffix.
 * 206, and *from and *to are what to send; 416: nothing of it is there; 200: it
 * is not understood, and the file is sent whole. */
static int read_range(const char *p, int64_t *from, int64_t *to)
{
    int64_t size = *to, first = -1, last = INT64_MAX;

    p = memcmp(p, "bytes=", 6) == 0 ? p + 6 : "";
    if (*p != '-')
        p = http_decimal(p, LIMIT, &first);
    if (!p || *p != '-')
        return 200;
    if (*++p != '\0' || first < 0)
        p = http_decimal(p, LIMIT, &last);
    if (!p || *p != '\0' || last < first)
        return 200;
    *from = first >= 0 ? first : last < size ? size - last : 0;
    *to = first < 0 || last >= size ? size : last + 1;
    return *from < size ? 206 : 416;
}

static int answer(struct http_stream *out, const struct lambda_request *r,
                  const char *name, int fd)
{
    char tag[20], value[256] = "";
    struct http_text text = http_text_in(tag, sizeof tag);
    int64_t size = make_tag(fd, &text), from = 0, to = size;
    int status = size < 0 ? 404 : size > 0 ? 200 : 204;

    /* One tag, perhaps weak. For a list of them the file is sent again. */
    if (lambda_header(r, "If-None-Match", value, sizeof value) > 0 &&
        strcmp(*value == 'W' ? value + 2 : value, tag) == 0)
        status = 304;
    else if (status == 200 && lambda_header(r, "If-Range", value, 256) == 0 &&
             lambda_header(r, "Range", value, sizeof value) > 0)
        status = read_range(value, &from, &to);
    http_status(out, status);
    http_header(out, "Content-Type", type_of(status < 400 ? name : ".txt"));
    http_header(out, "ETag", tag);
    text = http_text_in(value, sizeof value);
    http_format(&text, "bytes %lld-%lld/%lld", (long long)from,
                (long long)to - 1, (long long)size);
    if (status == 206)
        http_header(out, "Content-Range", value);
    if (status == 304 || json_equal(&r->method, "HEAD"))
        return 0;
    if (status < 400)
        return send_piece(out, fd, from, to);
    http_format(&out->text, "no such %s\n", status == 404 ? "file" : "range");
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    char path[256] = "";
    int fd = -1, rc = lambda_read_request(&r, in, out);

    if (rc <= 0)
        return rc < 0 ? rc : lambda_fail(out, "Function.InvalidEvent", "HTTP");
    /* A slash, a dot in front, or a symbolic link could lead out of it. */
    if (lambda_path(&r, path, sizeof path) && memcmp(path, "/files/", 7) == 0 &&
        path[7] != '.' && !memchr(path + 7, '/', strlen(path + 7)))
        fd = openat(folder, path + 7, O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    rc = answer(out, &r, path, fd);
    (void)close(fd);
    return rc;
}
