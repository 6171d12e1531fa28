/*
 * pacing.c - when words leave, to the millisecond
 *
 * The machine's clock cannot tell whether the runtime is late or the machine
 * is. Here the time is that of the simulated kernel (kernel.c): it passes in
 * sleeps, in writes that are said to take long, and by 1 us for each look at a
 * clock. A freeze is a sleep that lasts longer than was asked for.
 */
#define _DEFAULT_SOURCE
#include "test/fault/fault.h"

#include <signal.h>

#define LATE                                                                 \
    "0\r\n"                                                                  \
    "Lambda-Runtime-Function-Error-Type: Function.DeadlineExceeded\r\n"      \
    "Lambda-Runtime-Function-Error-Body: "                                   \
    "eyJlcnJvck1lc3NhZ2UiOiJ0aGUgZGVhZGxpbmUgY2FtZSBiZWZvcmUgdGhlIGxhc3Qgd2" \
    "9yZCIsImVycm9yVHlwZSI6IkZ1bmN0aW9uLkRlYWRsaW5lRXhjZWVkZWQiLCJzdGFja1Ry" \
    "YWNlIjpbXX0=\r\n\r\n"
#define TEXT(chunks, end) \
    RESPONSE_AND("t", "text/plain; charset=utf-8", chunks CHUNK("\n"), end)
#define ALL "0\r\n\r\n"
#define A   CHUNK("a")
#define B   CHUNK(" b")
#define EVENT(delay, words) \
    "{\"format\":\"text\"," delay "\"sentence\":\"" words "\"}"

/* When each write is due, in ms after the event; the last two are the end of
 * the response and the request for the next event. */
struct row {
    const char *name;
    struct exchange exchange;
    struct plan plan;
    int writes;
    unsigned sleeps; /* a look at the connection follows each */
    long write_ms[WRITES_MAX];
};

#define PLAN(...)                                                  \
    {                                                              \
        .name = "pacing", .early = -1, .attacked = -1, __VA_ARGS__ \
    }
#define AFTER(ms)         (BEGIN_MS + (ms))
#define FREEZE(sleep, ms) .oversleeps = (sleep), .longer_ms = (ms)

static const struct row rows[] = {
    {"the first word leaves at once, and nothing waits after the last",
     {"t", EVENT("\"delay\":50,", "a"), TEXT(A, ALL)},
     PLAN(.write_ms = 0),
     3,
     0,
     {0, 0, 0}},
    {"the delay is 0.5 s when none is given",
     {"t", EVENT("", "a b"), TEXT(A B, ALL)},
     PLAN(.write_ms = 0),
     4,
     1,
     {0, 500, 500, 500}},
    {"no drift, whatever a write takes",
     {"t", EVENT("\"delay\":0.2,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(.write_ms = 70),
     6,
     3,
     {0, 200, 400, 600, 670, 740}},
    {"writes that take longer than the delay are not slept for",
     {"t", EVENT("\"delay\":0.02,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(.write_ms = 30),
     6,
     0,
     {0, 30, 60, 90, 120, 150}},
    {"frozen for less than a delay: the next word is on time",
     {"t", EVENT("\"delay\":0.2,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(FREEZE(1, 199)),
     6,
     3,
     {0, 399, 400, 600, 600, 600}},
    {"frozen for more than a delay: the schedule starts again, and no burst",
     {"t", EVENT("\"delay\":0.2,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(FREEZE(1, 201)),
     6,
     3,
     {0, 401, 601, 801, 801, 801}},
    {"frozen for long: no burst",
     {"t", EVENT("\"delay\":0.2,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(FREEZE(2, 30000)),
     6,
     3,
     {0, 200, 30400, 30600, 30600, 30600}},
    {"late by several short delays, and less than 100 ms: on time again",
     {"t", EVENT("\"delay\":0.02,", "a b b b b b b b"),
      TEXT(A B B B B B B B, ALL)},
     PLAN(FREEZE(1, 99)),
     10,
     3,
     {0, 119, 119, 119, 119, 119, 120, 140, 140, 140}},
    {"late by several short delays, and more than 100 ms: starts again",
     {"t", EVENT("\"delay\":0.02,", "a b b b"), TEXT(A B B B, ALL)},
     PLAN(FREEZE(1, 101)),
     6,
     3,
     {0, 121, 141, 161, 161, 161}},
    {"a word that is due 100 ms before the deadline is waited for",
     {"t", EVENT("\"delay\":1,", "a b"), TEXT(A B, ALL)},
     PLAN(.deadline_ms = AFTER(1100)),
     4,
     1,
     {0, 1000, 1000, 1000}},
    {"a word that is due 99 ms before the deadline is not waited for",
     {"t", EVENT("\"delay\":1,", "a b"), TEXT(A, LATE)},
     PLAN(.deadline_ms = AFTER(1099)),
     3,
     0,
     {0, 0, 0}},
    {"the deadline is 101 ms away when the event comes",
     {"t", EVENT("\"delay\":0,", "a b"), TEXT(A B, ALL)},
     PLAN(.deadline_ms = AFTER(101)),
     4,
     0,
     {0, 0, 0, 0}},
    {"the deadline comes before the first word",
     {"t", "{\"delay\":0,\"sentence\":\"a b\"}",
      RESPONSE_AND("t", "application/x-ndjson",
                   CHUNK("{\"status\":\"start\",\"request_id\":\"t\","
                         "\"word_count\":2" STAMP)
                       CHUNK("{\"status\":\"error\",\"error\":\"the deadline "
                             "came before the last word\","
                             "\"word_count\":0" STAMP),
                   LATE)},
     PLAN(.deadline_ms = AFTER(100)),
     3,
     0,
     {0, 0, 0}},
    {"a deadline that is past when the event comes is none",
     {"t", EVENT("\"delay\":1,", "a b"), TEXT(A B, ALL)},
     PLAN(.deadline_ms = AFTER(-1)),
     4,
     1,
     {0, 1000, 1000, 1000}},
    {"the deadline comes while a word waits for its reader",
     {"t", EVENT("\"delay\":0,", "a b b"), TEXT(A B, LATE)},
     PLAN(.deadline_ms = AFTER(2500), .write_ms = 2000),
     4,
     0,
     {0, 2000, 4000, 6000}},
    {"frozen until after the deadline: the word that was due, then the error",
     {"t", EVENT("\"delay\":1,", "a b b"), TEXT(A B, LATE)},
     PLAN(.deadline_ms = AFTER(5000), FREEZE(1, 9000)),
     4,
     1,
     {0, 10000, 10000, 10000}},
};

static void test_row(const struct row *row)
{
    struct plan plan = row->plan;
    struct result r;

    unit_case("%s", row->name);
    plan.only = &row->exchange;
    r = run(&plan, (struct fault){0});
    CHECK_TEXT(r.why, "");
    CHECK_INT(r.outcome, RAN);
    CHECK_INT(r.writes, row->writes);
    for (int i = 0; i < row->writes; i++)
        CHECK_INT(r.write_ms[i], row->write_ms[i]);
    CHECK_INT(r.used[NANOSLEEP], row->sleeps);
    CHECK_INT(r.used[POLL], row->sleeps);
}

/* SIGTERM at a system call: the process ends there, and makes no other. */
static void test_end(void)
{
    static const struct plan plan = PLAN(.close_each = 1);
    struct fault f = {.n = 1, .code = TERMINATED};
    struct result r;

    for (;; f.n++) {
        r = run(&plan, f);
        if (!r.reached)
            break;
        unit_case("SIGTERM at call %lu", f.n);
        if (r.call == SIGACTION)
            continue;
        CHECK_INT(r.outcome, EXITED);
        CHECK_INT(r.status, 128 + SIGTERM);
        CHECK_INT(r.calls, f.n);
    }
    unit_case("SIGTERM at every call");
    CHECK(f.n > 50);
}

int __wrap_main(void);

int __wrap_main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        test_row(&rows[i]);
    test_end();
    return unit_end();
}
