/*
 * work.c - the handler of `make bench`. What it does its event says:
 *
 *     N SIZE      answers with N chunks of SIZE bytes
 *     { ... }     reads the object, and answers with its last member's value
 *     [ ... ]     reads the array twice, as JSON and adding up its bytes, and
 *                 answers with the nanoseconds that each took
 */
#include "http.h"
#include "json.h"

#include <string.h>
#include <time.h>

static char bytes[1 << 16];

const char handler_options[] = "";

int handler_init(struct http_stream *out, char **options)
{
    (void)out, (void)options;
    return 0;
}

/* The last leaves with the end, if it is not too large to be gathered. */
static int answer_chunks(const char *event, struct http_stream *out)
{
    int64_t count, size;
    const char *p = http_decimal(event, 1000000, &count);

    if (!p || !http_decimal(p + 1, sizeof bytes, &size))
        return lambda_fail(out, "Function.InvalidEvent", "N SIZE");
    memset(bytes, 'x', (size_t)size);
    if (size <= HTTP_PIECE_BYTES_MAX)
        count--;
    for (; count > 0 && out->error == 0; count--)
        (void)http_write(out, bytes, (size_t)size);
    if (size <= HTTP_PIECE_BYTES_MAX)
        http_append(&out->text, bytes, (size_t)size);
    return out->error;
}

static int answer_last(const struct invocation *in, struct http_stream *out)
{
    struct json_token name, value = {0};
    struct json_reader r;
    int rc = json_object(&r, in->event, in->event_length);

    while (rc == 0 && (rc = json_member(&r, &name, &value)) > 0)
        rc = 0;
    if (rc < 0)
        return lambda_fail(out, "Function.InvalidEvent", "not an object");
    http_append(&out->text, value.text, value.length);
    return 0;
}

/* Of this process alone, whatever else the core does meanwhile. */
static int64_t cpu_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int answer_times(const struct invocation *in, struct http_stream *out)
{
    /* Volatile: whatever the flags, it is a load and an addition a byte. */
    const volatile unsigned char *p = (const unsigned char *)in->event;
    struct json_token token;
    struct json_reader r;
    int64_t start, middle, end;
    unsigned long sum = 0;
    int rc;

    start = cpu_ns();
    json_start(&r, in->event, in->event_length);
    while ((rc = json_next(&r, &token)) > 0)
        continue;
    middle = cpu_ns();
    for (size_t i = 0; i < in->event_length; i++)
        sum += p[i];
    end = cpu_ns();
    if (rc < 0)
        return lambda_fail(out, "Function.InvalidEvent", "not JSON");
    http_format(&out->text, "%ld %ld %lx", (long)(middle - start),
                (long)(end - middle), sum);
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    (void)http_header(out, "Content-Type", "text/plain; charset=utf-8");
    if (*in->event == '{')
        return answer_last(in, out);
    if (*in->event == '[')
        return answer_times(in, out);
    return answer_chunks(in->event, out);
}
