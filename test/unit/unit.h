/*
 * unit.h - what the unit tests share
 *
 *     unit_case("name");            begins a case, which ends the one before
 *     CHECK(rc == 0);               a failure prints its place and its case
 *     CHECK_INT(got, want);         and both values
 *     CHECK_BYTES(got, n, want, m); and where they begin to differ
 *     return unit_end();            `N passed, N failed[, N skipped]`
 *
 * A case passes when none of its checks failed. Randomised tests take their
 * numbers from unit_random(), which gives the same in each run.
 *
 * A source that includes this defines _DEFAULT_SOURCE first, for MAP_ANONYMOUS.
 */
#ifndef UNIT_H
#define UNIT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    char name[160];
    int open;
    int failures; /* of the case that is open */
    int passed;
    int failed;
    int skipped;
    uint64_t random;
} unit;

/* For who watches: see test/tools/run.sh. */
static inline void unit_progress(void)
{
    int done = unit.passed + unit.failed;

    if (done % 20 == 0 && getenv("TEST_PROGRESS"))
        dprintf(3, "\r    %d ", done);
}

static inline void unit_close(void)
{
    if (unit.open && unit.failures > 0)
        unit.failed++;
    else if (unit.open)
        unit.passed++;
    unit.open = 0;
    unit.failures = 0;
    unit_progress();
}

static inline void unit_case(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static inline void unit_case(const char *format, ...)
{
    va_list list;

    unit_close();
    unit.open = 1;
    va_start(list, format);
    vsnprintf(unit.name, sizeof unit.name, format, list);
    va_end(list);
}

/* A case that cannot run here. */
static inline void unit_skip(const char *name, const char *why)
{
    unit_close();
    unit.skipped++;
    printf("skipped: %s: %s\n", name, why);
}

static inline int unit_end(void)
{
    unit_close();
    printf("%d passed, %d failed", unit.passed, unit.failed);
    if (unit.skipped > 0)
        printf(", %d skipped", unit.skipped);
    printf("\n");
    return fflush(stdout) != 0 || unit.failed > 0;
}

/* Whether a failure is to be printed: the first few of a case are enough. */
static inline int unit_failed(const char *file, int line, const char *what)
{
    if (++unit.failures > 5)
        return 0;
    printf("%s:%d: %s: %s", file, line, unit.name, what);
    return 1;
}

static inline int unit_int(const char *file, int line, const char *what,
                           int64_t got, int64_t want)
{
    if (got != want && unit_failed(file, line, what))
        printf(": %" PRId64 ", not %" PRId64 "\n", got, want);
    return got == want;
}

static inline void unit_show(const char *bytes, size_t length, size_t from)
{
    size_t begin = from < 16 ? 0 : from - 16;

    for (size_t i = begin; i < length && i < begin + 64; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '\r' || c == '\n')
            printf("\\%c", c == '\r' ? 'r' : 'n');
        else
            printf(c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
    }
}

static inline int unit_bytes(const char *file, int line, const char *what,
                             const char *got, size_t got_length,
                             const char *want, size_t want_length)
{
    size_t least = got_length < want_length ? got_length : want_length, at = 0;

    /* cppcheck-suppress uninitvar ; it knows of no writes through a struct */
    while (at < least && got[at] == want[at])
        at++;
    if (at == got_length && at == want_length)
        return 1;
    if (!unit_failed(file, line, what))
        return 0;
    printf(": differs at byte %zu\n  got  %zu: ", at, got_length);
    unit_show(got, got_length, at);
    printf("\n  want %zu: ", want_length);
    unit_show(want, want_length, at);
    printf("\n");
    return 0;
}

static inline int unit_check(const char *file, int line, const char *what,
                             int good)
{
    if (!good && unit_failed(file, line, what))
        printf("\n");
    return good;
}

#define CHECK(good) unit_check(__FILE__, __LINE__, #good, (good) ? 1 : 0)
#define CHECK_INT(got, want) \
    unit_int(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define CHECK_BYTES(got, got_length, want, want_length) \
    unit_bytes(__FILE__, __LINE__, #got, got, got_length, want, want_length)
#define CHECK_TEXT(got, want) CHECK_BYTES(got, strlen(got), want, strlen(want))

/* splitmix64: any seed is a good one. */
static inline uint64_t unit_random(void)
{
    uint64_t z = unit.random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* A number below n, which is at least 1. */
static inline size_t unit_below(size_t n)
{
    return (size_t)(unit_random() % n);
}

static inline char *unit_pages(size_t length, size_t before, size_t after)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (length + page - 1) / page * page;
    char *p = mmap(NULL, inside + (before + after) * page, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED ||
        (inside > 0 &&
         mprotect(p + before * page, inside, PROT_READ | PROT_WRITE) != 0)) {
        perror("mmap");
        exit(1);
    }
    return p + before * page;
}

/* `length` bytes that end where an unreadable page begins. They are the
 * program's for good. */
static inline char *unit_before_wall(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = unit_pages(length, 0, 1);

    return p + (length + page - 1) / page * page - length;
}

/* `length` bytes that begin where an unreadable page ends. */
static inline char *unit_after_wall(size_t length)
{
    return unit_pages(length, 1, 0);
}

#endif
