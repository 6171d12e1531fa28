/*
 * fault.c - every system call of the runtime fails
 *
 *     fault                      `N passed, N failed`, a run each
 *     fault PLAN N CODE MODE     one run, and its log: plain 17 EPIPE stuck
 *
 * In each plan call 1 fails, then call 2, until a run makes less than N calls:
 * once, and from then on, with each error of its kind. Whatever fails, what is
 * sent stays a sequence of the requests that are due, the last perhaps cut
 * (peer.c compares each byte as it comes), no descriptor is used or left open
 * that should not be, and the run ends as its effect below says.
 */
#define _DEFAULT_SOURCE
#include "test/fault/fault.h"

#include <errno.h>

static const struct {
    enum call call;
    enum effect effect;
    int codes[10]; /* up to 0 */
} kinds[] = {
    {SIGACTION, HARMLESS, {EINVAL}},
    {SOCKET, FATAL, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {FCNTL, FATAL, {EMFILE, EINVAL}},
    {CONNECT, HARMLESS, {EINTR}},
    {CONNECT,
     FATAL,
     {ECONNREFUSED, ECONNRESET, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH,
      EADDRNOTAVAIL, EAGAIN, ENOBUFS, ENOMEM}},
    {SETSOCKOPT, HARMLESS, {ENOPROTOOPT, ENOBUFS, ENOMEM}},
    {GETSOCKOPT,
     FATAL,
     {ENOBUFS, ENOMEM, LATER(ECONNREFUSED), LATER(ETIMEDOUT),
      LATER(EHOSTUNREACH)}},
    {POLL, HARMLESS, {EINTR}},
    {POLL, UNSEEN, {EAGAIN, EINVAL, ENOMEM}},
    {READ, HARMLESS, {EINTR, SHORT(1)}},
    {READ,
     FATAL,
     {SHORT(0), EAGAIN, ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM, EIO}},
    {WRITEV, HARMLESS, {EINTR, SHORT(1)}},
    {WRITEV, STARVING, {EAGAIN, ENOBUFS, SHORT(0)}},
    {WRITEV, FATAL, {EPIPE, ECONNRESET, ETIMEDOUT, ENOMEM, EIO}},
    {WRITE,
     HARMLESS,
     {EINTR, EAGAIN, EPIPE, ENOSPC, EIO, ENOMEM, SHORT(0), SHORT(1)}},
    {CLOSE, HARMLESS, {EINTR, EIO}},
    {NANOSLEEP, HARMLESS, {EINTR, EINVAL}},
    {CLOCK_GETTIME, TIMELESS, {EINVAL, EPERM}}};

static const char *const call_names[CALLS] = {
    "sigaction",  "socket",    "fcntl",        "connect", "setsockopt",
    "getsockopt", "poll",      "read",         "writev",  "write",
    "close",      "nanosleep", "clock_gettime"};

/* A run as in Lambda, and one that makes every call. */
static const struct plan plans[] = {
    {.name = "plain", .early = -1, .attacked = -1},
    {.name = "awkward",
     .close_each = 1,
     .chunked = 1,
     .early = 0,
     .piece = 50,
     .closed_stdin = 1,
     .interrupted = 1,
     .attacked = -1}};

#define NAMED(code) code, #code
static const struct {
    int code;
    const char *name;
} codes[] = {
    {NAMED(EINTR)},         {NAMED(EAGAIN)},      {NAMED(EPIPE)},
    {NAMED(ECONNRESET)},    {NAMED(ETIMEDOUT)},   {NAMED(ENOBUFS)},
    {NAMED(ENOMEM)},        {NAMED(EMFILE)},      {NAMED(ENFILE)},
    {NAMED(ECONNREFUSED)},  {NAMED(ENETUNREACH)}, {NAMED(EHOSTUNREACH)},
    {NAMED(EADDRNOTAVAIL)}, {NAMED(EACCES)},      {NAMED(EINVAL)},
    {NAMED(ENOPROTOOPT)},   {NAMED(EIO)},         {NAMED(ENOSPC)},
    {NAMED(EPERM)},         {SHORT(0), "0"},      {SHORT(1), "1"}};

static const char *code_name(int code)
{
    static char name[32];
    int later = code > LATER(0);
    size_t i = 0;

    while (codes[i].code != code - (later ? LATER(0) : 0))
        i++;
    snprintf(name, sizeof name, "%s%s", later ? "later-" : "", codes[i].name);
    return name;
}

/* What has that name, or 0. */
static int code_named(const char *name)
{
    int later = strncmp(name, "later-", 6) == 0 ? LATER(0) : 0;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(name + (later ? 6 : 0), codes[i].name) == 0)
            return later + codes[i].code;
    return 0;
}

/* Five failures in a row; one of them may have been before the fault. */
static void check_gave_up(const struct result *r)
{
    int lines = r->lines - r->lines_before;

    CHECK_INT(r->outcome, EXITED);
    CHECK_INT(r->status, 1);
    CHECK(lines == 5 || (lines == 4 && (r->may_log || r->in_row)));
    CHECK(r->elapsed_ms >= (lines == 5 ? 300 : 280));
    CHECK(r->lost <= r->in_response);
}

static void judge(const struct result *r, const struct result *good,
                  enum effect effect, int stuck)
{
    if (!CHECK(r->reached))
        return;
    if (r->outcome == WRONG) {
        CHECK_TEXT(r->why, "");
    } else if ((effect == FATAL && stuck) ||
               (effect == UNSEEN && r->outcome == EXITED)) {
        check_gave_up(r);
    } else if (effect == FATAL ||
               (effect == UNSEEN && r->lines != good->lines)) {
        check_dropped(r, good);
    } else if (effect == STARVING && stuck) {
        CHECK_INT(r->outcome, WAITED);
        /* It may look at the peer before it tries again: that has refused. */
        CHECK(r->lines == r->lines_before ||
              (r->may_log && r->lines == r->lines_before + 1));
    } else if (effect != TIMELESS || r->outcome != WAITED) {
        check_same(r, good);
    }
}

static void fail_call(const struct plan *plan, const struct result *good,
                      unsigned long n, enum call call)
{
    struct fault f = {.n = n};
    struct result r;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].call != call)
            continue;
        for (const int *code = kinds[i].codes; *code != 0; code++) {
            f.code = *code;
            for (f.stuck = 0; f.stuck < 2; f.stuck++) {
                unit_case("fault %s %lu %s %s: %s", plan->name, n,
                          code_name(*code), f.stuck ? "stuck" : "once",
                          call_names[call]);
                r = run(plan, f);
                judge(&r, good, kinds[i].effect, f.stuck);
            }
        }
    }
}

static void fail_all(const struct plan *plan, unsigned *used)
{
    struct result good = run(plan, (struct fault){0}), probe;
    struct fault f = {.n = 1, .code = EINTR};

    unit_case("%s: no fault", plan->name);
    CHECK_TEXT(good.why, "");
    CHECK_INT(good.outcome, RAN);
    CHECK_INT(good.answered, EVENTS - (plan->early >= 0));
    CHECK_INT(good.lines, plan->early >= 0);
    CHECK_INT(good.reports, 1);
    CHECK_INT(good.connections, plan->close_each ? 7 : 1);
    for (;; f.n++) {
        probe = run(plan, f);
        if (!probe.reached)
            break;
        fail_call(plan, &good, f.n, probe.call);
    }
    for (int i = 0; i < CALLS; i++)
        used[i] += good.used[i];
    printf("%s: each of %lu calls has failed\n", plan->name, f.n - 1);
}

static int run_one(char **argv)
{
    struct fault f = {.n = strtoul(argv[1], NULL, 10),
                      .code = code_named(argv[2])};
    const struct plan *plan = &plans[strcmp(argv[0], plans[0].name) != 0];
    struct result r;

    f.stuck = !strcmp(argv[3], "stuck");
    r = run(plan, f);
    printf("%s%s\nof %lu calls one failed: %s\n"
           "outcome %d (%d), answered %d, lost %d, connections %d\n",
           r.log, r.why, r.calls, r.reached ? call_names[r.call] : "none",
           r.outcome, r.status, r.answered, r.lost, r.connections);
    return r.outcome == WRONG;
}

/* The driver's own: __wrap_main() is what the C library starts. */
int __wrap_main(int argc, char **argv);

int __wrap_main(int argc, char **argv)
{
    unsigned used[CALLS] = {0};

    if (argc == 5)
        return run_one(argv + 1);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        fail_all(&plans[i], used);
    for (int i = 0; i < CALLS; i++) {
        unit_case("%s is made, and has failed", call_names[i]);
        CHECK(used[i] > 0);
    }
    return unit_end();
}
