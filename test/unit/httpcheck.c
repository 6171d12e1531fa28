/*
 * httpcheck - the product's HTTP reader, for suites that others bring
 *
 *     httpcheck [--eof] <RESPONSE
 *
 * Prints what a client understands of one response, a JSON object on a line:
 *
 *     {"verdict":"ok","status":200,"body_b64":"...","reuse":true}
 *     {"verdict":"reject","reason":"...","offset":N}
 *     {"verdict":"incomplete"}           more bytes are needed
 *     {"verdict":"split-dependent"}      it depends on how the bytes arrive
 *
 * The input is read whole, byte by byte and, below 4 KiB, in every two-way
 * split. Exit 0, 1 when the input could not be read (or the output not be
 * written), 2 for a wrong call.
 */
#include "outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Room for the largest body and for much framing around it. */
#define INPUT_BYTES_MAX 16777216
/* The square of it is the time that all splits take. */
#define SPLIT_BYTES_MAX 4096

static const char usage[] =
    "usage: httpcheck [--eof] <RESPONSE\n"
    "Prints what a client understands of one HTTP/1.1 response.\n"
    "  --eof   the peer closes the connection after these bytes\n"
    "The input is of at most 16777216 bytes.\n"
    "Exit: 0, 1 when it could not be read, 2 for a wrong call.\n";

static char input[INPUT_BYTES_MAX + 1];
static char buffer[HTTP_MESSAGE_BYTES_MAX];
static char first_body[HTTP_BODY_BYTES_MAX];
static char encoded[(HTTP_BODY_BYTES_MAX / 3 + 1) * 4];

/* Reads the input: `split` bytes, then the rest `step` bytes at a time. */
static struct outcome read_input(size_t length, size_t split, size_t step,
                                 int eof)
{
    struct http_message m;
    struct outcome o;

    http_message_start(&m, buffer);
    o = read_message(&m, input, length, split, step);
    if (o.rc == 0 && eof) {
        o.rc = length == 0 ? HTTP_CLOSED : HTTP_TRUNCATED;
        o.offset = m.taken + m.at;
    }
    return o;
}

static int same(const struct outcome *a, const struct outcome *b)
{
    return a->rc == b->rc && a->status == b->status &&
           a->reusable == b->reusable && a->offset == b->offset &&
           a->body_length == b->body_length &&
           (a->body_length == 0 ||
            memcmp(a->body, b->body, a->body_length) == 0);
}

static void print(const struct outcome *o)
{
    size_t n;

    if (o->rc == 0) {
        printf("{\"verdict\":\"incomplete\"}\n");
    } else if (o->rc < 0) {
        printf("{\"verdict\":\"reject\",\"reason\":\"%s\",\"offset\":%lu}\n",
               http_reason(o->rc), (unsigned long)o->offset);
    } else {
        n = http_base64_encode(encoded, o->body, o->body_length);
        printf("{\"verdict\":\"ok\",\"status\":%d,\"body_b64\":\"", o->status);
        fwrite(encoded, 1, n, stdout);
        printf("\",\"reuse\":%s}\n", o->reusable ? "true" : "false");
    }
}

static void check(size_t length, int eof)
{
    struct outcome first = read_input(length, length, 1, eof), o;
    int agree;

    if (first.body_length > 0)
        first.body = memcpy(first_body, first.body, first.body_length);
    o = read_input(length, 0, 1, eof);
    agree = same(&first, &o);
    for (size_t i = 1; agree && i < length && length < SPLIT_BYTES_MAX; i++) {
        o = read_input(length, i, length, eof);
        agree = same(&first, &o);
    }
    if (agree)
        print(&first);
    else
        printf("{\"verdict\":\"split-dependent\"}\n");
}

int main(int argc, char **argv)
{
    int eof = argc > 1 && strcmp(argv[1], "--eof") == 0;
    size_t length;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
    if (argc > 1 + eof) {
        fprintf(stderr, "httpcheck: unknown argument %s\n%s", argv[1 + eof],
                usage);
        return 2;
    }
    length = fread(input, 1, sizeof input, stdin);
    if (ferror(stdin)) {
        fprintf(stderr, "httpcheck: standard input: %s\n", strerror(errno));
        return 1;
    }
    if (length > INPUT_BYTES_MAX) {
        fprintf(stderr, "httpcheck: input larger than %d bytes\n",
                INPUT_BYTES_MAX);
        return 1;
    }
    check(length, eof);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "httpcheck: standard output: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
