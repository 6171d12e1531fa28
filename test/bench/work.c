/*
 * work.c - the handler of `make bench`. What it does its event says:
 *
 *     N SIZE      answers with N chunks of SIZE bytes
 *     { ... }     reads the object, and answers with its last member's value
 *     tokens ...  reads the JSON text behind the space token by token, and in
 *                 turn with that multiplies its bytes; answers with the
 *                 nanoseconds that one reading and one multiplying took
 *     pick ...    the same, but picks members of an event of a Function URL
 */
#include "http.h"
#include "json.h"

#include <string.h>
#include <time.h>

static char bytes[1 << 16];

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

static int read_tokens(char *text, size_t length)
{
    struct json_token token;
    struct json_reader r;
    int rc;

    json_start(&r, text, length);
    while ((rc = json_next(&r, &token)) > 0)
        continue;
    return rc;
}

/* What a handler asks of an HTTP request. */
static int read_members(char *text, size_t length)
{
    struct json_token method, path, query, headers, cookies, content, base64;
    const struct json_want wants[] = {
        {"requestContext.http.method", &method},
        {"rawPath", &path},
        {"queryStringParameters", &query},
        {"headers", &headers},
        {"cookies", &cookies},
        {"body", &content},
        {"isBase64Encoded", &base64},
    };
    size_t at;

    return json_pick(text, length, 0, wants, sizeof wants / sizeof *wants, &at);
}

/* Each step needs the result of the one before it: some four cycles a byte on
 * any processor, by whatever compiler. */
static uint64_t multiply(const char *text, size_t length)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (unsigned char)text[i]) * 0x100000001b3;
    return sum;
}

static int answer_times(char *text, size_t length,
                        int (*read)(char *text, size_t length),
                        struct http_stream *out)
{
    int64_t start, middle, end, reading = 0, multiplying = 0;
    long times = 1 + (1 << 16) / (long)length, done = 0;
    uint64_t sum = 0;
    int rc = 0;

    while (rc == 0 && reading + multiplying < 10000000) {
        start = cpu_ns();
        for (long i = 0; rc == 0 && i < times; i++)
            rc = read(text, length);
        middle = cpu_ns();
        for (long i = 0; i < times; i++)
            sum += multiply(text, length);
        end = cpu_ns();
        reading += middle - start;
        multiplying += end - middle;
        done += times;
    }
    if (rc < 0)
        return lambda_fail(out, "Function.InvalidEvent", "not JSON");
    http_format(&out->text, "%ld %ld %lx", (long)(reading / done),
                (long)(multiplying / done), (unsigned long)sum);
    return 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    (void)http_header(out, "Content-Type", "text/plain; charset=utf-8");
    if (*in->event == '{')
        return answer_last(in, out);
    if (*in->event == 't')
        return answer_times(in->event + 7, in->event_length - 7, read_tokens,
                            out);
    if (*in->event == 'p')
        return answer_times(in->event + 5, in->event_length - 5, read_members,
                            out);
    return answer_chunks(in->event, out);
}
