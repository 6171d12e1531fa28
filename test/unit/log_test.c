/*
 * log_test.c - unit tests of the log in bootstrap.c, whose functions are its
 * own
 *
 *     log_test [LINES]   how many lines eight processes write into one pipe
 */
#define _DEFAULT_SOURCE
int bootstrap_main(int argc, char **argv);

/* NOLINTNEXTLINE(readability-identifier-naming): this program has its own */
#define main bootstrap_main
/* NOLINTNEXTLINE(bugprone-suspicious-include): what is tested is static */
#include "../../bootstrap.c"
#undef main

#include "unit.h"

#include <poll.h>
#include <sys/wait.h>

#define WRITERS 8

static int reader; /* of what is written to descriptor 2 */
static int standard_error;

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    (void)in, (void)out;
    return 0;
}

static void catch_stderr(void)
{
    int ends[2];

    if (pipe(ends) != 0)
        exit(2);
    standard_error = dup(2);
    reader = ends[0];
    dup2(ends[1], 2);
    close(ends[1]);
}

/* A line that is not JSON has no right to be in this log. */
static int is_json(char *line, size_t length)
{
    struct json_token level = {0};
    const struct json_want want = {"level", &level};
    size_t at;

    return json_pick(line, length, 0, &want, 1, &at) == 0 &&
           level.type == JSON_STRING;
}

static int is_whole_utf8(const char *text, size_t length)
{
    size_t n = 1;
    uint32_t code;

    for (; length > 0 && n > 0; text += n, length -= n)
        n = json_utf8(text, length, &code);
    return n > 0;
}

static void test_times(void)
{
    char bytes[64], want[64];
    struct tm tm;

    unit_case("the time of each day from 1970 to 2400");
    for (int64_t day = 0; day < 157054; day++) {
        int64_t ms = day * 86400000 + (int64_t)(unit_random() % 86400000);
        time_t seconds = (time_t)(ms / 1000);
        struct http_text t = http_text_in(bytes, sizeof bytes);

        append_time(&t, ms);
        gmtime_r(&seconds, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(want + strlen(want), 8, ".%03dZ", (int)(ms % 1000));
        if (!CHECK_TEXT(bytes, want))
            break;
    }
    unit_case("a clock that is before 1970");
    {
        struct http_text t = http_text_in(bytes, sizeof bytes);

        append_time(&t, -1);
        CHECK_TEXT(bytes, "1970-01-01T00:00:00.000Z");
    }
}

/* Messages of every kind of byte, in both forms. */
static void test_lines(void)
{
    static const struct invocation in = {.request_id = "id"};
    static const char *const pieces[] = {"a",    "\"", "\\", "\n", "\x01",
                                         "\xff", "ä",  "€",  "😀",  "\xe2\x82"};
    static char message[6000], line[8192];

    for (int json = 0; json <= 1; json++) {
        unit_case("random messages, %s", json ? "JSON" : "text");
        logs.json = json;
        logs.least = LAMBDA_TRACE;
        logs.id = "id";
        for (int i = 0; i < 3000; i++) {
            size_t length = 0, limit = unit_random() % 5900;
            ssize_t n;

            while (length < limit) {
                const char *piece =
                    pieces[unit_random() % (i % 2 ? 10 : 1 + (unsigned)i % 9)];

                memcpy(message + length, piece, strlen(piece));
                length += strlen(piece);
            }
            message[length] = '\0';
            lambda_log(&in, (enum lambda_level)(i % 8), message);
            n = read(reader, line, sizeof line);
            CHECK(n > 0 && n <= 4096 && line[n - 1] == '\n');
            CHECK(is_whole_utf8(line, (size_t)n));
            CHECK(!json || is_json(line, (size_t)n));
            CHECK(n > 4000 || length < 4000);
        }
    }
}

static void write_lines(long count, int writer)
{
    static const char words[] = "a message of some length, \"quoted\" \\ \xff ";
    struct invocation in = {.request_id = "id"};
    char message[2000] = "";

    for (long i = 0; i < count; i++) {
        size_t n = (size_t)((i * 37 + writer) % 40);

        message[0] = '\0';
        for (size_t k = 0; k < n; k++)
            strcat(message, words);
        lambda_log(&in, LAMBDA_INFO, message);
    }
    _exit(0);
}

/* Lines of several processes into one pipe: none is torn. */
static void test_writers(long lines)
{
    static char bytes[1 << 20];
    size_t stored = 0;
    long seen = 0;
    ssize_t n;

    unit_case("%ld lines of %d processes into one pipe", lines, WRITERS);
    logs.json = 1;
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            write_lines(lines / WRITERS, i);
    dup2(standard_error, 2); /* so that the pipe ends when they have ended */
    while ((n = read(reader, bytes + stored, sizeof bytes - stored)) > 0) {
        char *line = bytes, *end;

        stored += (size_t)n;
        while ((end = memchr(line, '\n', stored - (size_t)(line - bytes)))) {
            seen++;
            if (!CHECK(is_json(line, (size_t)(end - line))))
                break;
            line = end + 1;
        }
        stored -= (size_t)(line - bytes);
        memmove(bytes, line, stored);
    }
    CHECK_INT(stored, 0);
    CHECK_INT(seen, lines / WRITERS * WRITERS);
    while (wait(NULL) > 0)
        continue;
}

int main(int argc, char **argv)
{
    catch_stderr();
    test_times();
    test_lines();
    test_writers(argc > 1 ? atol(argv[1]) : 100000);
    return unit_end();
}
