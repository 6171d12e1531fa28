/*
 * misbehave.c - one answer of the peer is not as it should be
 *
 * An answer to /next or a reply is cut, dribbled, stalled, or is one of
 * test/unit/http-cases.txt; all others are good. What is cut or malformed is
 * one line, a new connection and no event lost.
 */
#define _DEFAULT_SOURCE
#include "test/fault/fault.h"
#include "test/unit/http_cases.h"

/* The answers of a plan, on a connection that is new and on one that is not:
 * to /next, and after a response. */
static struct answer good_answer(const struct plan *plan)
{
    static char bytes[1024];
    struct answer a = plan->on_reply ? peer_reply(plan)
                                     : peer_event(plan, plan->attacked);

    memcpy(bytes, a.bytes, a.length);
    a.bytes = bytes;
    return a;
}

/* Whether a result is one, beside what the caller expects of it. */
static int went_right(const struct result *r)
{
    return CHECK_TEXT(r->why, "") && r->outcome != WRONG;
}

static void test_cuts(struct plan plan, const struct result *good)
{
    static const char *const thens[] = {"kept", "FIN", "RST"};
    size_t whole;
    struct result r;

    plan.attack = good_answer(&plan);
    whole = plan.attack.length;
    for (size_t length = 0; length < whole; length++) {
        for (int then = FIN; then <= RST; then++) {
            unit_case("%s %d, %s, is cut after %zu bytes by %s",
                      plan.on_reply ? "reply" : "event", plan.attacked,
                      plan.chunked ? "chunked" : "with a length", length,
                      thens[then]);
            plan.attack.length = length;
            plan.attack.then = (enum then)then;
            r = run(&plan, (struct fault){0});
            if (!went_right(&r))
                continue;
            r.elapsed_ms -= good->elapsed_ms;
            r.silent = length == 0 && plan.attacked > 0 && !plan.on_reply;
            check_dropped(&r, good);
        }
    }
}

static void test_slow(struct plan plan, const struct result *good)
{
    struct result r;

    plan.harmless = 1;
    plan.attack = good_answer(&plan);
    for (size_t piece = 1; piece < 100; piece++) {
        for (int stalls = 0; stalls < 2; stalls++) {
            unit_case("%s %d, %s, in pieces of %zu bytes%s",
                      plan.on_reply ? "reply" : "event", plan.attacked,
                      plan.chunked ? "chunked" : "with a length", piece,
                      stalls ? ", one an hour" : "");
            plan.attack.piece = piece;
            plan.attack.stalls = stalls;
            r = run(&plan, (struct fault){0});
            if (went_right(&r))
                check_same(&r, good);
        }
    }
}

/* The peer closes behind a whole answer, and may still read. */
static void test_left(struct plan plan)
{
    struct result r;

    plan.harmless = 1;
    plan.attack = good_answer(&plan);
    for (int then = FIN; then <= RST; then++) {
        unit_case("%s after %s %d, which is whole", then == FIN ? "FIN" : "RST",
                  plan.on_reply ? "reply" : "event", plan.attacked);
        plan.attack.then = (enum then)then;
        r = run(&plan, (struct fault){0});
        if (!went_right(&r))
            continue;
        CHECK_INT(r.outcome, RAN);
        CHECK(r.lost <= !plan.on_reply);
        CHECK_INT(r.answered + r.lost, EVENTS);
        CHECK_INT(r.lines, plan.on_reply ? 0 : 1);
        CHECK_INT(r.connections, 2);
    }
}

/* Words come by the other clock. */
static void test_clock(struct plan plan, const struct result *good)
{
    struct result r;

    unit_case("the wall clock jumps");
    plan.clock_jumps = 1;
    r = run(&plan, (struct fault){0});
    if (went_right(&r))
        check_same(&r, good);
    CHECK_INT(r.elapsed_ms, good->elapsed_ms);
}

static void test_response(struct plan plan, const struct result *good,
                          const struct http_case *c)
{
    struct result r;

    unit_case("%s is http-cases.txt:%zu: %.60s",
              plan.on_reply ? "a reply" : "the answer to /next", c->line,
              c->text);
    plan.attack = (struct answer){.bytes = c->bytes, .length = c->length};
    if (c->verdict == HTTP_MORE)
        plan.attack.then = FIN;
    r = run(&plan, (struct fault){0});
    if (!went_right(&r))
        return;
    if (c->status == 500) {
        CHECK_INT(r.outcome, EXITED);
        CHECK_INT(r.status, 1);
        CHECK_INT(r.lines, 1);
        return;
    }
    r.elapsed_ms -= good->elapsed_ms;
    r.silent = plan.on_reply && c->status / 100 == 2;
    check_dropped(&r, good);
}

static void test_responses(struct plan plan, const struct result *good)
{
    struct http_case c;

    while (http_case_next(&c))
        for (plan.on_reply = 0; plan.on_reply < 2; plan.on_reply++)
            test_response(plan, good, &c);
}

int __wrap_main(void);

int __wrap_main(void)
{
    struct plan plan = {.early = -1, .attacked = -1};
    struct result good = run(&plan, (struct fault){0});

    test_clock(plan, &good);
    plan.attacked = 0;
    test_responses(plan, &good);
    for (plan.chunked = 0; plan.chunked < 2; plan.chunked++) {
        for (plan.on_reply = 0; plan.on_reply < 2; plan.on_reply++) {
            for (plan.attacked = 0; plan.attacked < EVENTS; plan.attacked++) {
                test_cuts(plan, &good);
                test_slow(plan, &good);
                test_left(plan);
            }
        }
    }
    return unit_end();
}
