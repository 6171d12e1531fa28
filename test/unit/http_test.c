/*
 * http_test.c - the tests of what takes bytes and gives bytes in http.c
 *
 * Its connection, and how a response leaves, are tested through the runtime:
 * by transcripts in test/wire/, and with each system call failing in
 * test/fault/.
 */
#define _DEFAULT_SOURCE
#include "http.h"

#include "http_cases.h"
#include "outcome.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BYTES(text)  (text), sizeof(text) - 1

/*
 * Message
 */

/* Of HTTP_MESSAGE_BYTES_MAX bytes, at its end an unreadable page. */
static char *wall;
/* Another, behind an unreadable page. */
static char *after_wall;

static struct http_message message;
static char kept[HTTP_BODY_BYTES_MAX];

/* Reads a response: `first` bytes, then the rest `step` bytes at a time. A
 * short one ends where the unreadable page begins; every other time it begins
 * where one ends. */
static struct outcome read_response(const char *bytes, size_t length,
                                    size_t first, size_t step)
{
    static int turn;
    struct outcome o;
    size_t room = length;

    if (room > HTTP_MESSAGE_BYTES_MAX)
        room = HTTP_MESSAGE_BYTES_MAX;
    memset(&message, 0x55, sizeof message);
    http_message_start(&message, turn++ % 2 ? after_wall : wall - room);
    o = read_message(&message, bytes, length, first, step);
    CHECK(o.rc != NO_ROOM);
    return o;
}

static int same_outcome(const struct outcome *got, const struct outcome *want)
{
    int good = CHECK_INT(got->rc, want->rc);

    good &= CHECK_INT(got->offset, want->offset);
    good &= CHECK_INT(got->status, want->status);
    good &= CHECK_INT(got->reusable, want->reusable);
    good &= CHECK_BYTES(got->body, got->body_length, want->body,
                        want->body_length);
    return good;
}

/* Whether the split at i is tried: of a short response each, of a long one
 * those near both ends and a sample between. */
static int try_split(size_t i, size_t length, size_t near)
{
    return length <= 4096 || i < near || length - i < near ||
           i % (length / 32) == 0;
}

/* Reads a response in all ways; gives what it is when read whole. */
static struct outcome read_in_all_ways(const char *bytes, size_t length,
                                       size_t near)
{
    struct outcome first = read_response(bytes, length, length, 1), o;
    int good;

    if (first.rc > 0)
        first.body = memcpy(kept, first.body, first.body_length);
    o = read_response(bytes, length, 0, 1);
    good = same_outcome(&o, &first);
    for (size_t i = 1; good && i < length; i++) {
        if (!try_split(i, length, near))
            continue;
        o = read_response(bytes, length, i, length);
        good = same_outcome(&o, &first);
        if (!good)
            printf("  split at %zu\n", i);
    }
    return first;
}

static void check_response(const char *bytes, size_t length,
                           const struct outcome *want)
{
    struct outcome got = read_in_all_ways(bytes, length, 100), cut;

    same_outcome(&got, want);
    /* Cut short it is never a message. */
    for (size_t n = 0; want->rc > 0 && length < 2000 && n < length; n++) {
        if (want->reusable == 0)
            break;
        cut = read_response(bytes, n, n, 1);
        if (!CHECK_INT(cut.rc, 0))
            break;
    }
}

static void test_cases(void)
{
    struct http_case c;

    while (http_case_next(&c)) {
        struct outcome want = {
            .status = c.status, .body = c.body, .body_length = c.body_length};

        want.rc = c.verdict == HTTP_BAD ? c.error : c.verdict != HTTP_MORE;
        want.offset = c.verdict == HTTP_BAD ? c.offset : 0;
        want.reusable = c.verdict == HTTP_GOOD;
        unit_case("http-cases.txt:%zu: %.60s", c.line, c.text);
        check_response(c.bytes, c.length, &want);
    }
}

#define L5  "Content-Length: 5\r\n"
#define TE  "Transfer-Encoding: chunked\r\n"
#define S   "HTTP/1.1 200 OK\r\n"
#define END "\r\nhello"
#define C   S TE "\r\n" /* of 47 bytes */

static void test_status_codes(void)
{
    char bytes[100];

    unit_case("every status code");
    for (int status = 0; status < 1000; status++) {
        int n = sprintf(bytes, "HTTP/1.1 %03d X\r\n" L5 END, status);
        struct outcome o = read_response(bytes, (size_t)n, (size_t)n, 1);
        int want = status < 100 || status > 599 ? HTTP_STATUS_LINE
                   : status == 101              ? HTTP_INTERIM
                   : status < 200               ? 0
                                                : 1;

        CHECK_INT(o.rc, want);
        CHECK_INT(o.status, want > 0 ? status : 0);
        CHECK_INT(o.body_length, want <= 0                        ? 0
                                 : status == 204 || status == 304 ? 0
                                                                  : 5);
    }
}

/* RFC 9110, section 5.6.2 */
static const char token_characters[] =
    "!#$%&'*+-.^_`|~0123456789"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void test_bytes_of_fields(void)
{
    for (int c = 0; c < 256; c++) {
        int token = c && strchr(token_characters, c), control;
        char name[] = S "X_: a\r\n" L5 END, value[] = S "X: a_b\r\n" L5 END;
        char reason[] = "HTTP/1.1 200 a_b\r\n" L5 END;
        struct outcome o;

        unit_case("byte 0x%02x in names and values", (unsigned)c);
        control = (c < ' ' && c != '\t') || c == 0x7f;
        name[sizeof S] = (char)c;
        o = read_response(name, sizeof name - 1, sizeof name - 1, 1);
        /* With a colon it is the name "X". */
        CHECK_INT(o.rc, token || c == ':' ? 1
                        : control         ? HTTP_LINE
                                          : HTTP_FIELD_LINE);
        value[sizeof S + 3] = (char)c;
        o = read_response(value, sizeof value - 1, sizeof value - 1, 1);
        CHECK_INT(o.rc, control ? HTTP_LINE : 1);
        CHECK_INT(o.offset, !control ? 0 : sizeof S + 3 + (c == '\r'));
        reason[14] = (char)c;
        o = read_response(reason, sizeof reason - 1, sizeof reason - 1, 1);
        CHECK_INT(o.rc, control ? HTTP_LINE : 1);
    }
}

static void test_bytes_of_chunk_sizes(void)
{
    for (int c = 0; c < 256; c++) {
        int control = (c < ' ' && c != '\t') || c == 0x7f;
        char first[] = C "_\r\n", second[] = C "5_\r\nhello";
        int digit = c && strchr("0123456789abcdefABCDEF", c);
        struct outcome o;

        unit_case("byte 0x%02x in a chunk size", (unsigned)c);
        first[47] = second[48] = (char)c;
        o = read_response(first, 50, 50, 1);
        CHECK_INT(o.rc, digit ? 0 : control ? HTTP_LINE : HTTP_CHUNK);
        o = read_response(second, 56, 56, 1);
        CHECK_INT(o.rc, digit || c == ';' ? 0
                        : control         ? HTTP_LINE
                                          : HTTP_CHUNK);
    }
}

/* The fields of a message, by name. */
static void one_field(const char *name, const char *want, int want_count)
{
    int count = 77;
    const char *value = http_field_value(&message, name, &count);

    CHECK_INT(count, want_count);
    CHECK((value == NULL) == (want == NULL));
    if (value && want)
        CHECK_TEXT(value, want);
}

static void test_field(void)
{
    static const char bytes[] =
        "HTTP/1.1 100 \r\nOld: x\r\n\r\n" S
        "One: a\r\nTwo:\t b\tc \t\r\ntwo:b\tc\r\nThree: x\r\nthree: y\r\n"
        "THREE: x\r\nEmpty:\r\nTransfer-Encoding: chunked\r\nFour: 1\r\n"
        "Four:\r\n!#$%&'*+-.^_`|~: s\r\n\r\n"
        "2\r\nhi\r\n0\r\nTrailer: t\r\nOne: t\r\n\r\n";

    for (size_t step = 1; step < sizeof bytes; step += sizeof bytes - 2) {
        unit_case("http_field, %zu bytes at a time", step);
        CHECK_INT(read_response(BYTES(bytes), 0, step).rc, 1);
        one_field("One", "a", 1);
        one_field("one", "a", 1);
        one_field("oNE", "a", 1);
        one_field("Two", "b\tc", 2);
        one_field("Three", "x", -1);
        one_field("Four", "", -1);
        one_field("Empty", "", 1);
        one_field("!#$%&'*+-.^_`|~", "s", 1);
        one_field("On", NULL, 0);
        one_field("One:", NULL, 0);
        one_field("Ones", NULL, 0);
        one_field("Old", NULL, 0);
        one_field("Trailer", NULL, 0);
        one_field("", NULL, 0);
        CHECK_INT(message.field_count, 11);
    }
    /* Other characters differ by the same bit as letters do. */
    unit_case("http_field: @ is not `, [ is not {");
    CHECK_INT(read_response(BYTES(S "a^`~: x\r\nPL@N: y\r\n" L5 END), 0, 1).rc,
              HTTP_FIELD_LINE);
    CHECK_INT(read_response(BYTES(S "a^`: x\r\n" L5 END), 0, 1).rc, 1);
    one_field("A^`", "x", 1);
    one_field("A~`", NULL, 0);
    one_field("A^@", NULL, 0);
    one_field("A>`", NULL, 0);
}

/* Limits */

static char big[40000000];

static size_t put(size_t at, const char *text)
{
    size_t n = strlen(text);

    memcpy(big + at, text, n);
    return at + n;
}

static size_t pad(size_t at, int c, size_t count)
{
    memset(big + at, c, count);
    return at + count;
}

static char pattern[HTTP_BODY_BYTES_MAX + 1];

/* Puts `count` bytes of the pattern there, from its from-th on. */
static size_t put_body(size_t at, size_t from, size_t count)
{
    memcpy(big + at, pattern + from, count);
    return at + count;
}

/* Reads `big`, of which the body must be the pattern. */
static void limit_of_body(const char *what, size_t length, size_t step, int rc,
                          size_t offset, size_t body_length)
{
    struct outcome o;

    unit_case("%s, %zu bytes at a time", what, step);
    o = read_response(big, length, 0, step);
    CHECK_INT(o.rc, rc);
    CHECK_INT(o.offset, offset);
    CHECK_INT(o.body_length, body_length);
    CHECK_INT(o.reusable, rc > 0);
    if (o.body_length > 0)
        CHECK_INT(memcmp(o.body, pattern, o.body_length), 0);
}

static size_t put_chunk(size_t at, size_t from, size_t count)
{
    at += (size_t)sprintf(big + at, "%zx\r\n", count);
    return put(put_body(at, from, count), "\r\n");
}

#define MOST ((size_t)HTTP_BODY_BYTES_MAX)

static void test_limits_of_bodies(void)
{
    static const size_t steps[] = {HTTP_MESSAGE_BYTES_MAX, 65536, 4097, 1};

    for (size_t i = 0; i < 3 * COUNT(steps); i++) {
        size_t n = MOST - 1 + i % 3, step = steps[i / 3], at, last;
        int good = n <= MOST;
        char what[80];

        at = (size_t)sprintf(big, S "Content-Length: %zu\r\n\r\n", n);
        sprintf(what, "a body of %zu bytes", n);
        limit_of_body(what, put_body(at, 0, n), step, good ? 1 : HTTP_LENGTH,
                      good ? 0 : at - 2, good ? n : 0);
        if (step == 1 && n < MOST)
            continue;
        at = put(put_chunk(put(0, C), 0, n), "0\r\n\r\n");
        sprintf(what, "a chunk of %zu bytes", n);
        limit_of_body(what, at, step, good ? 1 : HTTP_BODY, good ? 0 : 47,
                      good ? n : 0);
        last = put_chunk(put(0, C), 0, MOST - 5);
        at = put(put_chunk(last, MOST - 5, n - MOST + 5), "0\r\n\r\n");
        sprintf(what, "two chunks of %zu bytes", n);
        limit_of_body(what, at, step, good ? 1 : HTTP_BODY, good ? 0 : last,
                      good ? n : 0);
    }
}

/* As many chunks as there can be. The time must be linear: each of them moves
 * the bytes that follow it, were it not. */
static void test_many_chunks(void)
{
    static char block[26 * 6];
    size_t at = put(0, C), from = at, n;

    for (size_t i = 0; i < 26; i++)
        memcpy(block + 6 * i, (char[]){'1', '\r', '\n', pattern[i], '\r', '\n'},
               6);
    for (; at - from < 6 * MOST; at += n) {
        n = 6 * MOST - (at - from);
        if (n > sizeof block)
            n = sizeof block;
        memcpy(big + at, block, n);
    }
    limit_of_body("6291556 chunks of a byte", put(at, "0\r\n\r\n"), 65536, 1, 0,
                  MOST);
    limit_of_body("6291556 chunks of a byte, and one", put(at, "1\r\na"),
                  HTTP_MESSAGE_BYTES_MAX, HTTP_BODY, at, 0);
}

/* Everything as large as it may be, and then the buffer must do. */
static void test_limits_together(void)
{
    static const size_t steps[] = {HTTP_MESSAGE_BYTES_MAX, 65536, 8192, 1};
    size_t at = 0;

    for (int i = 0; i < 2; i++)
        at = put(pad(put(at, "HTTP/1.1 100 "), 'x', 65536 - 17), "\r\n\r\n");
    at = put(pad(put(at, S TE "X: "), 'x', 65536 - 17 - 28 - 3 - 4),
             "\r\n\r\n");
    at += (size_t)sprintf(big + at, "%zx;", MOST - 1);
    at = put(pad(at, 'x', 256 - 9), "\r\n");
    at = put(put_body(at, 0, MOST - 1), "\r\n");
    at = put(pad(put(at, "1;"), 'x', 256 - 4), "\r\n");
    at = put(put_body(at, MOST - 1, 1), "\r\n");
    at = put(pad(put(at, "0;"), 'x', 256 - 4), "\r\n");
    at = put(pad(put(at, "A: "), 'x', 8192 - 7), "\r\n\r\n");
    for (size_t i = 0; i < COUNT(steps); i++)
        limit_of_body("all limits together", at, steps[i], 1, 0, MOST);
}

static void test_message(void)
{
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)('a' + i % 26);
    test_cases();
    test_status_codes();
    test_bytes_of_fields();
    test_bytes_of_chunk_sizes();
    test_field();
    test_limits_of_bodies();
    test_many_chunks();
    test_limits_together();
}

/*
 * Pure functions
 */

static void test_reason(void)
{
    unit_case("http_reason");
    for (int a = HTTP_FAILED; a < 0; a++) {
        CHECK(strlen(http_reason(a)) > 8);
        CHECK(strlen(http_reason(a)) < 80);
        for (const char *p = http_reason(a); *p; p++)
            CHECK(*p >= ' ' && *p <= '~' && *p != '"' && *p != '\\');
        for (int b = HTTP_FAILED; b < a; b++)
            CHECK(strcmp(http_reason(a), http_reason(b)) != 0);
    }
    CHECK(strstr(http_reason(HTTP_SYSTEM), "system") != NULL);
    CHECK(strstr(http_reason(HTTP_STATUS_LINE), "status line") != NULL);
    CHECK(strstr(http_reason(HTTP_LENGTH), "Content-Length") != NULL);
    CHECK(strstr(http_reason(HTTP_CHUNK), "chunk") != NULL);
    CHECK(strstr(http_reason(HTTP_BODY), "6291556") != NULL);
    CHECK(strstr(http_reason(HTTP_PORT), "port") != NULL);
    CHECK(strstr(http_reason(HTTP_FAILED), "handler") != NULL);
    CHECK_TEXT(http_reason(0), "");
    CHECK_TEXT(http_reason(1), "");
    CHECK_TEXT(http_reason(77), "");
    CHECK_TEXT(http_reason(HTTP_FAILED - 1), "");
    CHECK_TEXT(http_reason(INT32_MIN), "");
}

static void test_append(void)
{
    for (size_t size = 1; size < 12; size++) {
        char *bytes = unit_before_wall(size);
        struct http_text t = {.bytes = bytes, .size = size};

        unit_case("append to %zu bytes", size);
        http_append(&t, "", 0);
        CHECK_INT(t.length, 0);
        CHECK_TEXT(bytes, "");
        http_append(&t, "0123456789", size - 1);
        CHECK_INT(t.length, size - 1);
        CHECK_BYTES(bytes, strlen(bytes), "0123456789", size - 1);
        memset(bytes, 'x', size);
        t = (struct http_text){.bytes = bytes, .size = size};
        http_append(&t, "0123456789ab", size);
        CHECK_INT(t.length, 0);
        CHECK_INT(t.full, 1);
        http_append(&t, "a", 1);
        http_append(&t, "", 0);
        CHECK_INT(t.length, 0);
        CHECK_INT(bytes[0], 'x');
    }
    unit_case("append what does not fit, then what would");
    {
        char bytes[8];
        struct http_text t = {.bytes = bytes, .size = sizeof bytes};

        http_append(&t, "abc", 3);
        http_append(&t, "defgh", 5);
        http_append(&t, "d", 1);
        http_append(&t, "", 0);
        CHECK_TEXT(bytes, "abc");
        CHECK_INT(t.length, 3);
        CHECK_INT(t.full, 1);
    }
    unit_case("append NUL");
    {
        char bytes[8];
        struct http_text t = {.bytes = bytes, .size = sizeof bytes};

        http_append(&t, "a\0b", 3);
        http_append(&t, "c", 1);
        CHECK_BYTES(bytes, t.length + 1, "a\0bc", 5);
    }
}

static void test_format(void)
{
    static const long numbers[] = {
        0,        1,         -1,        9,  10, 255, 16,
        -1000000, INT32_MAX, INT32_MIN, 15, 99, 123, INT32_MAX / 2};
    char got[200], want[200];
    struct http_text t;

    unit_case("format text");
    t = http_text_in(got, sizeof got);
    http_format(&t, "a%sb%s%s", "x", "", "yz");
    http_format(&t, "%s", "!");
    CHECK_TEXT(got, "axbyz!");
    CHECK_INT(t.length, 6);
    unit_case("format numbers");
    for (size_t i = 0; i < COUNT(numbers) + 2000; i++) {
        long n = i < COUNT(numbers) ? numbers[i]
                                    : (long)(unit_random() >> unit_below(64));
        unsigned long u = (unsigned long)n;

        t = http_text_in(got, sizeof got);
        http_format(&t, "%ld|%lx|%ld.", n, u, -(n >> 1));
        sprintf(want, "%ld|%lx|%ld.", n, u, -(n >> 1));
        CHECK_TEXT(got, want);
    }
    unit_case("format the largest numbers");
    t = http_text_in(got, sizeof got);
    http_format(&t, "%ld %ld %lx", INT64_MAX, INT64_MIN, UINT64_MAX);
    CHECK_TEXT(got, "9223372036854775807 -9223372036854775808 "
                    "ffffffffffffffff");
    unit_case("format more numbers than registers hold");
    t = http_text_in(got, sizeof got);
    http_format(&t, "%ld%ld%ld%ld%ld%ld%ld", 1L, 2L, 3L, 4L, 5L, 6L, 7L);
    CHECK_TEXT(got, "1234567");
    unit_case("format more strings than registers hold");
    t = http_text_in(got, sizeof got);
    http_format(&t, "%s%s%s%s%s%s%s", "a", "b", "c", "d", "e", "f", "g");
    CHECK_TEXT(got, "abcdefg");
    unit_case("what follows a conversion is none of it");
    t = http_text_in(got, sizeof got);
    http_format(&t, "%d*s %d.s %s*", 7, 8, "a");
    CHECK_TEXT(got, "7*s 8.s a*");
    for (size_t size = 5; size <= 8; size++) {
        unit_case("format 6 bytes into %zu", size);
        t = http_text_in(unit_before_wall(size), size);
        http_format(&t, "%s%ld%s", "ab", 12L, "cd");
        CHECK_BYTES(t.bytes, t.length, "ab12cd", size > 6 ? 6 : 4);
        CHECK_INT(t.full, size <= 6);
    }
}

static void bad_format(struct http_text *t, const char *format)
{
    http_format(t, format, "");
}

/* Appends a conversion that http_format() knows, of a 64-bit number. */
static void random_conversion(char *format)
{
    char *p = format + strlen(format);

    p += sprintf(p, "<%%");
    if (unit_below(3) == 0)
        *p++ = '0';
    if (unit_below(2) == 0)
        p += sprintf(p, "%d", 1 + (int)unit_below(32));
    sprintf(p, "%s%c>", (const char *[]){"l", "ll", "z"}[unit_below(3)],
            "dux"[unit_below(3)]);
}

static void test_format_random(void)
{
    char format[200], got[400], want[400];
    struct http_text t;

    unit_case("formats as the C library's printf");
    for (int i = 0; i < 20000; i++) {
        int64_t n = (int64_t)(unit_random() >> unit_below(64));
        int small = (int)(unit_random() >> unit_below(64)), c = small & 0x7f;
        const char *text = "some text";

        n = unit_below(2) ? -n : n;
        sprintf(format, "%%%%|%%s|%%.*s|%%c|%%%s%s%c|",
                unit_below(2) ? "0" : "", unit_below(2) ? "9" : "",
                "dux"[unit_below(3)]);
        random_conversion(format);
        random_conversion(format);
        t = http_text_in(got, sizeof got);
        http_format(&t, format, text, small % 12, text, c, small, n, -n);
        CHECK_BYTES(got, t.length, want,
                    (size_t)sprintf(want, format, text, small % 12, text, c,
                                    small, n, -n));
    }
    unit_case("a precision need not find a NUL");
    t = http_text_in(got, sizeof got);
    http_format(&t, "%.*s!", 5,
                (char *)memcpy(unit_before_wall(5), "abcde", 5));
    CHECK_TEXT(got, "abcde!");
}

static void test_format_refused(void)
{
    static const char *const cases[] = {"%f",
                                        "%5.2f",
                                        "%p",
                                        "%n",
                                        "%i",
                                        "%X",
                                        "%o",
                                        "%e",
                                        "%5s",
                                        "%-5s",
                                        "%-5d",
                                        "%+d",
                                        "% d",
                                        "%#x",
                                        "%.3d",
                                        "%.3s",
                                        "%.*d",
                                        "%*d",
                                        "%hd",
                                        "%hhd",
                                        "%jd",
                                        "%td",
                                        "%llld",
                                        "%zld",
                                        "%lzd",
                                        "%ls",
                                        "%lc",
                                        "%5c",
                                        "%5%",
                                        "%33d",
                                        "%099999999999999999999d",
                                        "%",
                                        "%l",
                                        "%ll",
                                        "%5",
                                        "%.",
                                        "%.*"};
    char got[100];
    struct http_text t;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *format = cases[i];

        unit_case("a conversion that is not known: %s", format);
        t = http_text_in(got, sizeof got);
        http_format(&t, "a%d", 7);
        bad_format(&t, format);
        http_append(&t, "late", 4);
        CHECK_BYTES(got, t.length, "a7", 2);
        CHECK_INT(t.full, 1);
    }
}
/* The largest limit that http_decimal() takes. */
#define MOST_DECIMAL 100000000000000000

static void test_decimal(void)
{
    static const struct {
        const char *text;
        int64_t limit, number;
        int end; /* -1: refused */
    } cases[] = {
        {"0", 9, 0, 1},
        {"0", 0, 0, 1},
        {"1", 0, 0, -1},
        {"9", 9, 9, 1},
        {"10", 9, 0, -1},
        {"10", 10, 10, 2},
        {"11", 10, 0, -1},
        {"12x", 99, 12, 2},
        {"12 ", 99, 12, 2},
        {"007", 9, 7, 3},
        {"0000000000000000000000000000000000000000000000255", 255, 255, 49},
        {"256", 255, 0, -1},
        {"65535", 65535, 65535, 5},
        {"65536", 65535, 0, -1},
        {"99999999999999999999", 65535, 0, -1},
        {"100000000000000000", MOST_DECIMAL, MOST_DECIMAL, 18},
        {"100000000000000001", MOST_DECIMAL, 0, -1},
        {"999999999999999999", MOST_DECIMAL, 0, -1},
        {"1000000000000000009", MOST_DECIMAL, 0, -1},
        {"9223372036854775808", MOST_DECIMAL, 0, -1},
        {"18446744073709551616", MOST_DECIMAL, 0, -1},
        {"18446744073709551621", MOST_DECIMAL, 0, -1},
        {"", 9, 0, -1},
        {"-1", 9, 0, -1},
        {"+1", 9, 0, -1},
        {" 1", 9, 0, -1},
        {"x", 9, 0, -1},
        {"/", 9, 0, -1},
        {":", 9, 0, -1},
        {"1/", 9, 1, 1},
        {"1:", 9, 1, 1},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text, *end;
        int64_t number = 77;

        unit_case("decimal '%s' up to %" PRId64, text, cases[i].limit);
        end = http_decimal(text, cases[i].limit, &number);
        CHECK_INT(end ? end - text : -1, cases[i].end);
        if (end)
            CHECK_INT(number, cases[i].number);
    }
}

static void test_base64_vectors(void)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
        {"\xff\xff\xff", "////"},
        {"\xff", "/w=="},
    };
    static const char *const bad[] = {
        "Z",        "Zg",       "Zg=",     "=",        "==",       "===",
        "====",     "Zm9vYg",   "Zm9vYg=", "Zm9vY",    "Zm9vYmE",  "Zg==Zg==",
        "Zm8=Zm8=", "Zh==",     "Zi==",    "Zo==",     "Zw==x",    "Zm9=",
        "Zm+=",     "Zm8==",    "Z=g=",    "Z===",     "=Zg=",     "Zm=v",
        "Zg=a",     "Zm9v=",    "Zm9v==",  "Zm9v====", "Zm9vYg= ", "Zm9v\n",
        "Zm9v\r\n", " Zm9v",    "Zm 9v",   "Zm9-",     "Zm9_",     "Zm9v===",
        "Zm8=\n",   "Zm9v\nYg", "A===",    "AAAAA===", "A==A",     "Zm9vZg=b",
    };
    char out[20];

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *plain = cases[i].plain, *encoded = cases[i].encoded;

        unit_case("base64 %s", encoded);
        CHECK_BYTES(out, http_base64_encode(out, plain, strlen(plain)), encoded,
                    strlen(encoded));
        CHECK_BYTES(out,
                    (size_t)http_base64_decode(out, encoded, strlen(encoded)),
                    plain, strlen(plain));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        unit_case("no base64: '%s'", bad[i]);
        CHECK_INT(http_base64_decode(out, bad[i], strlen(bad[i])), -1);
    }
    unit_case("an empty text behind an unreadable page");
    CHECK_INT(http_base64_decode(out, after_wall, 0), 0);
}

static void test_base64_bytes(void)
{
    static const char set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char out[20];

    for (int c = 0; c < 256; c++) {
        const char *found = c ? strchr(set, c) : NULL;

        unit_case("byte 0x%02x in base64", (unsigned)c);
        for (int at = 0; at < 8; at++) {
            char text[] = "AAAAAAAA";

            text[at] = (char)c;
            CHECK_INT(http_base64_decode(out, text, 8), found ? 6
                                                        : c == '=' && at > 6
                                                            ? 5
                                                            : -1);
        }
        if (found) {
            char two[] = "AA==", three[] = "AAA=";

            /* Bits to spare are 0. */
            two[1] = three[2] = (char)c;
            CHECK_INT(http_base64_decode(out, two, 4),
                      (found - set) % 16 == 0 ? 1 : -1);
            CHECK_INT(http_base64_decode(out, three, 4),
                      (found - set) % 4 == 0 ? 2 : -1);
        }
    }
}

/* A text of `length` bytes: `begin`, as often as need be `c`, and `end`. */
static char *stretch(char *out, const char *begin, char c, const char *end,
                     size_t length)
{
    size_t n = strlen(begin), m = strlen(end);

    memcpy(out, begin, n);
    memset(out + n, c, length - n - m);
    memcpy(out + length - m, end, m + 1);
    return out;
}

static void test_endpoint_accepted(void)
{
    static const struct {
        const char *text, *host, *path;
        unsigned char address[4];
        int port;
    } cases[] = {
        {"127.0.0.1:9001", "127.0.0.1:9001", "", {127, 0, 0, 1}, 9001},
        {"localhost:8080", "localhost:8080", "", {127, 0, 0, 1}, 8080},
        {"169.254.100.1:80", "169.254.100.1:80", "", {169, 254, 100, 1}, 80},
        {"http://127.0.0.1:80/", "127.0.0.1:80", "", {127, 0, 0, 1}, 80},
        {"HtTp://localhost:80/a", "localhost:80", "/a", {127, 0, 0, 1}, 80},
        {"0.0.0.0:1", "0.0.0.0:1", "", {0, 0, 0, 0}, 1},
        {"255.255.255.255:65535",
         "255.255.255.255:65535",
         "",
         {255, 255, 255, 255},
         65535},
        {"1.2.3.4:256/", "1.2.3.4:256", "", {1, 2, 3, 4}, 256},
        {"1.2.3.4:256/a", "1.2.3.4:256", "/a", {1, 2, 3, 4}, 256},
        {"1.2.3.4:256/a/b/", "1.2.3.4:256", "/a/b", {1, 2, 3, 4}, 256},
        {"1.2.3.4:5/-._~%20!$&'()*+,;=:@Az09",
         "1.2.3.4:5",
         "/-._~%20!$&'()*+,;=:@Az09",
         {1, 2, 3, 4},
         5},
    };
    char text[2000], want[2000];
    struct http_endpoint e;

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("endpoint %s", cases[i].text);
        memset(&e, 0x55, sizeof e);
        CHECK_INT(http_endpoint_parse(&e, strcpy(text, cases[i].text)), 0);
        memset(text, 'x', sizeof text);
        CHECK_TEXT(e.host, cases[i].host);
        CHECK_TEXT(e.path, cases[i].path);
        CHECK_INT(memcmp(e.address, cases[i].address, 4), 0);
        CHECK_INT(e.port[0] * 256 + e.port[1], cases[i].port);
    }
    for (int over = -1; over <= 1; over++) {
        size_t n = (size_t)(HTTP_PATH_BYTES_MAX + over);

        unit_case("endpoint with a path of %zu bytes", n);
        stretch(text, "127.0.0.1:80/", 'p', "", 12 + n);
        strcpy(want, text + 12);
        CHECK_INT(http_endpoint_parse(&e, text), over > 0 ? HTTP_PATH : 0);
        if (over <= 0)
            CHECK_TEXT(e.path, want);
    }
}

static void test_endpoint_refused(void)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", HTTP_HOST},
        {":80", HTTP_HOST},
        {"80", HTTP_HOST},
        {"example.com:80", HTTP_HOST},
        {"localhos:80", HTTP_HOST},
        {"localhostx:80", HTTP_HOST},
        {"localhost.:80", HTTP_HOST},
        {"localhost/a", HTTP_HOST},
        {" 127.0.0.1:80", HTTP_HOST},
        {"127.0.0.1 :80", HTTP_HOST},
        {"127.0.0:80", HTTP_HOST},
        {"127.0.0.:80", HTTP_HOST},
        {"127.0.0.1.1:80", HTTP_HOST},
        {"127..0.1:80", HTTP_HOST},
        {"127.0.0.256:80", HTTP_HOST},
        {"1270.0.0.1:80", HTTP_HOST},
        {"127.0.0.01:80", HTTP_HOST},
        {"00.0.0.0:80", HTTP_HOST},
        {"0x7f.0.0.1:80", HTTP_HOST},
        {"-1.0.0.1:80", HTTP_HOST},
        {"[::1]:80", HTTP_HOST},
        {"::1", HTTP_HOST},
        {"127.0.0.1/a:80", HTTP_HOST},
        {"127.0.0.1", HTTP_PORT},
        {"localhost", HTTP_PORT},
        {"127.0.0.1:", HTTP_PORT},
        {"127.0.0.1:/", HTTP_PORT},
        {"127.0.0.1:0", HTTP_PORT},
        {"127.0.0.1:00", HTTP_PORT},
        {"127.0.0.1:65536", HTTP_PORT},
        {"127.0.0.1:4294967376", HTTP_PORT},
        {"127.0.0.1:18446744073709551696", HTTP_PORT},
        {"127.0.0.1:-80", HTTP_PORT},
        {"127.0.0.1:+80", HTTP_PORT},
        {"127.0.0.1: 80", HTTP_PORT},
        {"127.0.0.1:80 ", HTTP_PORT},
        {"127.0.0.1:80x", HTTP_PORT},
        {"127.0.0.1:80:80", HTTP_PORT},
        {"127.0.0.1:80?a", HTTP_PORT},
        {"127.0.0.1:http", HTTP_PORT},
        {"127.0.0.1:80\n", HTTP_PORT},
        {"127.0.0.1:80/ ", HTTP_PATH},
        {"http://", HTTP_HOST},
        {"http:/127.0.0.1:80", HTTP_HOST},
        {"https://127.0.0.1:80", HTTP_HOST},
        {"http://http://127.0.0.1:80", HTTP_HOST},
        {"localhost.example:80", HTTP_HOST},
        {"http://127.0.0.1", HTTP_PORT},
        {"127.0.0.1:80/a b", HTTP_PATH},
        {"127.0.0.1:80/a?b", HTTP_PATH},
        {"127.0.0.1:80/a#b", HTTP_PATH},
        {"127.0.0.1:80/a\r\nX: y", HTTP_PATH},
        {"127.0.0.1:80/\x7f", HTTP_PATH},
        {"127.0.0.1:80/\xc3\xa9", HTTP_PATH},
        {"127.0.0.1:80/\"", HTTP_PATH},
    };
    struct http_endpoint e;
    size_t size;

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("endpoint '%s' is refused", cases[i].text);
        size = strlen(cases[i].text) + 1;
        memcpy(wall - size, cases[i].text, size);
        CHECK_INT(http_endpoint_parse(&e, wall - size), cases[i].rc);
    }
}

static void test_endpoint_limits(void)
{
    struct http_endpoint e;
    char text[2000];

    unit_case("endpoint with a host over 255 bytes");
    stretch(text, "127.0.0.1:", '0', "80", 256);
    CHECK(http_endpoint_parse(&e, text) < 0);
    stretch(text, "127.0.0.1:", '0', "80/path", 400);
    CHECK(http_endpoint_parse(&e, text) < 0);
    stretch(text, "a", 'a', ":80", 1000);
    CHECK_INT(http_endpoint_parse(&e, text), HTTP_HOST);
    unit_case("endpoint with each byte in its path");
    for (int c = 1; c < 256; c++) {
        char with[] = "127.0.0.1:80/_";
        int good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   (c >= '0' && c <= '9') || strchr("/-._~%!$&'()*+,;=:@", c);

        with[13] = (char)c;
        CHECK_INT(http_endpoint_parse(&e, with), good ? 0 : HTTP_PATH);
    }
}

static void test_pure(void)
{
    test_reason();
    test_append();
    test_format();
    test_format_random();
    test_format_refused();
    test_decimal();
    test_base64_vectors();
    test_base64_bytes();
    test_endpoint_accepted();
    test_endpoint_refused();
    test_endpoint_limits();
}

/*
 * Response stream, up to where it leaves: what leaves stands in the
 * transcripts. And what http.h says of a connection that the runtime, which is
 * careful twice, does not show.
 */

static struct http_stream stream;

/* What a stream's way out is given, where it is not HTTP's. */
static struct {
    int count;
    char bytes[100], end[20];
    size_t length;
} given;

static int take(struct http_stream *s, const void *bytes, size_t length,
                const char *end)
{
    given.count++;
    given.length = length;
    memcpy(given.bytes, bytes, length);
    strcpy(given.end, end);
    s->begun = 1;
    s->text.length = 0;
    return s->error = 0;
}

static void begin(const char *name)
{
    unit_case("%s", name);
    http_start(&stream, NULL, "id-1", "");
    stream.transmit = take;
    given.count = 0;
}

static void test_transmit(void)
{
    char json[200];
    struct http_text t;

    begin("a way out that is not HTTP's");
    CHECK_INT(http_write(&stream, "", 0), 0);
    CHECK_INT(given.count, 0);
    CHECK_INT(http_flush(&stream), 0);
    CHECK_INT(given.count, 1);
    CHECK_INT(http_flush(&stream), 0);
    CHECK_INT(given.count, 1);
    CHECK_INT(http_write(&stream, "hello", 5), 0);
    CHECK_BYTES(given.bytes, given.length, "hello", 5);
    CHECK_TEXT(given.end, "");
    CHECK_INT(http_look(&stream), 0);
    CHECK_INT(http_end(&stream), 0);
    CHECK_TEXT(given.end, "0\r\n\r\n");
    CHECK_INT(given.count, 3);
    begin("a prelude");
    CHECK_INT(http_status(&stream, 404), 0);
    CHECK_INT(http_header(&stream, "A", "b\""), 0);
    CHECK_INT(http_cookie(&stream, "c=d"), 0);
    t = http_text_in(json, sizeof json);
    http_prelude(&t, &stream);
    CHECK_TEXT(json, "{\"statusCode\":404,\"headers\":{\"A\":\"b\\\"\"},"
                     "\"cookies\":[\"c=d\"]}");
}

static void test_format_to_stream(void)
{
    begin("a conversion that is not known ends a stream");
    http_format(&stream.text, "a");
    bad_format(&stream.text, "%5.2f, and more");
    http_format(&stream.text, "late");
    CHECK_INT(stream.error, HTTP_FORMAT);
    CHECK_TEXT(stream.detail,
               "conversion %5.2f, and more: not one of http_format()");
    CHECK_INT(http_flush(&stream), HTTP_FORMAT);
    CHECK_INT(stream.text.length, 1);
    begin("nor the first error is forgotten");
    CHECK_INT(http_status(&stream, 1), HTTP_HEADER);
    bad_format(&stream.text, "%f");
    CHECK_TEXT(stream.detail, "status 1: not from 200 to 599");
}

static void test_status(void)
{
    begin("the bounds of a status");
    for (int status = -1; status < 700; status++) {
        http_start(&stream, NULL, "id-1", "");
        CHECK_INT(http_status(&stream, status),
                  status < 200 || status > 599 ? HTTP_HEADER : 0);
    }
    http_start(&stream, NULL, "id-1", "");
    CHECK_INT(http_status(&stream, 200 + 65536), HTTP_HEADER);
}

/* A header that is refused: nothing has left, and nothing will. */
static void refused(int status, const char *name, const char *value)
{
    unit_case("header %s: %s is refused with status %d", name, value, status);
    http_start(&stream, NULL, "id-1", "");
    if (status)
        CHECK_INT(http_status(&stream, status), 0);
    CHECK_INT(http_header(&stream, name, value), HTTP_HEADER);
    CHECK_INT(http_write(&stream, "x", 1), HTTP_HEADER);
}

static void test_refused(void)
{
    static const char *const own[] = {
        "Connection",       "connection",        "Keep-Alive",
        "PROXY-Connection", "Set-Cookie",        "te",
        "TRAILER",          "transfer-encoding", "Upgrade"};
    static const char *const names[] = {
        "",    "A B", "A:",    ":",        " A",  "A ",  "A\t", "A\r\nB",
        "A\"", "A\\", "A\x7f", "\xc3\xa9", "A(",  "A/B", "{",   "A,B",
        "A;",  "A=",  "A@",    "[A]",      "<A>", "A?"};
    static const char *const values[] = {"\r",    "\n",       "a\r\nB: c",
                                         "\t",    "\x1f",     "\x7f",
                                         "a\x80", "\xc3\xa9", "\xff"};

    for (size_t i = 0; i < COUNT(own); i++)
        refused(200, own[i], "x");
    for (size_t i = 0; i < COUNT(names); i++)
        refused(200, names[i], "x");
    for (size_t i = 0; i < COUNT(values); i++) {
        refused(200, "A", values[i]);
        refused(0, "Content-Type", values[i]);
    }
    refused(0, "A", "x");
    refused(0, "Content-Typ", "x");
    refused(0, "Content-Type2", "x");
    refused(0, "Set-Cookie", "x");
    unit_case("every character of a token is good in a name");
    http_start(&stream, NULL, "id-1", "");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_header(&stream, token_characters, "x"), 0);
    unit_case("names like those of the connection are good");
    CHECK_INT(http_header(&stream, "Connectio", "x"), 0);
    CHECK_INT(http_header(&stream, "Connections", "x"), 0);
    CHECK_INT(http_header(&stream, "T", "x"), 0);
    CHECK_INT(http_header(&stream, "TEE", "x"), 0);
    CHECK_INT(http_header(&stream, "Content-Lengt", "5"), 0);
}

static int gather(const char *bytes, size_t length)
{
    http_append(&stream.text, bytes, length);
    return stream.error;
}

static void test_refused_twice(void)
{
    begin("a name twice");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_header(&stream, "Abc", "d"), 0);
    CHECK_INT(http_header(&stream, "Ab", "\"Abcd\":"), 0);
    CHECK_INT(http_header(&stream, "bc", "x\",\"Z\":\""), 0);
    CHECK_INT(http_header(&stream, "Abcd", "Y"), 0);
    CHECK_INT(http_header(&stream, "Z", "d"), 0);
    CHECK_INT(http_header(&stream, "Y", "d"), 0);
    CHECK_INT(http_header(&stream, "d", ""), 0);
    CHECK_INT(http_header(&stream, "X", "Efg:h"), 0);
    CHECK_INT(http_header(&stream, "Ef", "d"), 0);
    CHECK_INT(http_header(&stream, "aBC", "e"), HTTP_HEADER);
    begin("a content type twice, of a plain body");
    CHECK_INT(http_header(&stream, "Content-Type", "a"), 0);
    CHECK_INT(http_header(&stream, "content-type", "a"), HTTP_HEADER);
    begin("a content type twice, of an answer");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_header(&stream, "Content-Type", "a"), 0);
    CHECK_INT(http_header(&stream, "content-type", "a"), HTTP_HEADER);
    begin("a cookie without a status");
    CHECK_INT(http_cookie(&stream, "a=b"), HTTP_HEADER);
    begin("an empty cookie");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_cookie(&stream, ""), HTTP_HEADER);
    begin("a cookie with CR");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_cookie(&stream, "a=b\rc"), HTTP_HEADER);
    begin("a cookie that is not ASCII");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_cookie(&stream, "a=\xc3\xa9"), HTTP_HEADER);
    for (int i = 0; i < 3; i++) {
        begin("a head that has left takes no more");
        CHECK_INT(i == 1 ? 0 : http_status(&stream, 200), 0);
        CHECK_INT(http_flush(&stream), 0);
        CHECK_INT(i == 0   ? http_status(&stream, 200)
                  : i == 1 ? http_header(&stream, "Content-Type", "a")
                           : http_cookie(&stream, "a=b"),
                  HTTP_HEADER);
        CHECK_INT(http_write(&stream, "x", 1), HTTP_HEADER);
    }
    begin("a second status begins anew");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_header(&stream, "A", "b"), 0);
    CHECK_INT(http_cookie(&stream, "a=b"), 0);
    CHECK_INT(gather("x", 1), 0);
    CHECK_INT(http_status(&stream, 201), 0);
    CHECK_INT(stream.headers.length + stream.cookies.length +
                  stream.text.length + stream.header_bytes,
              0);
    CHECK_INT(http_header(&stream, "A", "c"), 0);
    CHECK_INT(http_status(&stream, 99), HTTP_HEADER);
    CHECK_INT(http_status(&stream, 200), HTTP_HEADER);
    CHECK_INT(http_header(&stream, "B", "c"), HTTP_HEADER);
    CHECK_INT(http_cookie(&stream, "a=b"), HTTP_HEADER);
    CHECK_TEXT(stream.detail, "status 99: not from 200 to 599");
    begin("a plain head that has left takes no status");
    CHECK_INT(http_write(&stream, "x", 1), 0);
    CHECK_INT(http_status(&stream, 200), HTTP_HEADER);
}

/* Headers and cookies that fill the room that there is. */
static void test_capacity(void)
{
    static char value[HTTP_HEADERS_BYTES_MAX + 2];

    for (int over = -1; over <= 1; over++) {
        size_t n = (size_t)(HTTP_HEADERS_BYTES_MAX + over);
        int rc = over > 0 ? HTTP_HEADER : 0;

        begin("headers as long as there is room, less and more");
        CHECK_INT(http_status(&stream, 200), 0);
        stretch(value, "", 'v', "", n - 1);
        CHECK_INT(http_header(&stream, "A", value), rc);
        begin("cookies as long as there is room, less and more");
        CHECK_INT(http_status(&stream, 200), 0);
        stretch(value, "", 'w', "", n);
        CHECK_INT(http_cookie(&stream, value), rc);
        begin("both as long as there is room, less and more");
        CHECK_INT(http_status(&stream, 200), 0);
        stretch(value, "", 'w', "", n - 3);
        CHECK_INT(http_header(&stream, "A", "bc"), 0);
        CHECK_INT(http_cookie(&stream, value), rc);
        begin("a type as long as there is room, less and more");
        stretch(value, "", 't', "", n - strlen("Content-Type"));
        CHECK_INT(http_header(&stream, "Content-Type", value), rc);
    }
    begin("a name for which the escapes before it leave no room");
    CHECK_INT(http_status(&stream, 200), 0);
    CHECK_INT(http_header(&stream, "A", stretch(value, "", '"', "", 6200)), 0);
    CHECK_INT(http_header(&stream, stretch(value, "", 'n', "", 4000), "v"),
              HTTP_HEADER);
}

static void test_look(void)
{
    struct http_connection c = {.fd = -1};
    int ends[2];

    begin("look: the peer speaks");
    if (!CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1))
        return;
    c.fd = ends[0];
    stream.connection = &c;
    CHECK_INT(http_flush(&stream), 0);
    CHECK_INT(http_look(&stream), HTTP_EARLY);
    begin("look: before the head has left a connection can be another");
    c.fd = dup(ends[0]);
    stream.connection = &c;
    CHECK_INT(http_look(&stream), 0);
    CHECK_INT(c.fd, -1);
    begin("look: an error that was there before");
    c.fd = ends[0];
    stream.connection = &c;
    CHECK_INT(http_status(&stream, 1), HTTP_HEADER);
    CHECK_INT(http_look(&stream), HTTP_HEADER);
    CHECK_INT(c.fd, ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void one_receive(const char *text, int rc, int kept_open)
{
    struct http_connection c = {.fd = -1};
    int ends[2];

    unit_case("receive: %.30s", text);
    if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0))
        return;
    CHECK_INT(write(ends[1], text, strlen(text)), strlen(text));
    c.fd = ends[0];
    http_message_start(&message, wall - HTTP_MESSAGE_BYTES_MAX);
    CHECK_INT(http_receive(&c, &message, 60000), rc);
    CHECK_INT(c.fd >= 0, kept_open);
    http_close(&c);
    (void)close(ends[1]);
}

static void test_receive(void)
{
    one_receive(S L5 END, 0, 1);
    one_receive(S "Connection: close\r\n" L5 END, 0, 0);
    one_receive(S "X\r\n" L5 END, HTTP_FIELD_LINE, 0);
}

/* Its reader leaves while it waits for room, and meanwhile nothing else. */
static void test_print(void)
{
    static char full[4096];
    int ends[2], status;
    pid_t child;

    unit_case("print: closed by its reader while there is no room");
    if (!CHECK(pipe(ends) == 0))
        return;
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], full, sizeof full) > 0)
        continue;
    child = fork();
    if (child == 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        _exit(0);
    }
    (void)close(ends[0]);
    CHECK_INT(http_print(ends[1], "x", 1), HTTP_SYSTEM);
    CHECK_INT(errno, EPIPE);
    CHECK_INT(waitpid(child, &status, 0), child);
    (void)close(ends[1]);
}

static void test_stream(void)
{
    test_transmit();
    test_look();
    test_receive();
    test_print();
    test_format_to_stream();
    test_status();
    test_refused();
    test_refused_twice();
    test_capacity();
}

#define HANGS_S 60 /* so long without any CPU time */

/* A call that waits for ever is a failure too, and has a name. */
static void look_for_hang(int signal_number)
{
    static const char text[] = ": hangs\n";
    static int64_t used_ms;
    struct timespec t;
    int64_t now_ms;

    (void)signal_number;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    if (now_ms - used_ms > 10) {
        used_ms = now_ms;
        alarm(HANGS_S);
        return;
    }
    if (write(2, unit.name, strlen(unit.name)) < 0 ||
        write(2, text, sizeof text - 1) < 0)
        _exit(3);
    _exit(1);
}

/* The table in the form that fuzz/replay.c reads, but for what is long. */
static int print_seeds(void)
{
    struct http_case c;

    while (http_case_next(&c)) {
        for (size_t i = 0; c.length <= 4096 && i < c.length; i++)
            printf("%%%02x", (unsigned char)c.bytes[i]);
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--seeds") == 0)
        return print_seeds();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, look_for_hang);
    alarm(HANGS_S);
    wall = unit_before_wall(HTTP_MESSAGE_BYTES_MAX) + HTTP_MESSAGE_BYTES_MAX;
    after_wall = unit_after_wall(HTTP_MESSAGE_BYTES_MAX);
    test_message();
    test_pure();
    test_stream();
    return unit_end();
}
