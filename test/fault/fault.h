/* fault.h - how a run should end: shared by the programs beside it */
#ifndef FAULT_H
#define FAULT_H

#include "test/fault/kernel.h"
#include "test/unit/unit.h"

/* What a failure of a call is to lead to. */
enum effect {
    HARMLESS, /* nothing: all is sent as if it had not been */
    FATAL,    /* a line, a new connection, at most one event lost; stuck: after
               * five in a row, exit 1 */
    STARVING, /* HARMLESS; stuck: tries again, a hundred times a second */
    UNSEEN,   /* what poll() was to see is missed: as the first two */
    TIMELESS  /* HARMLESS, but the words may wait for ever */
};

/* As if nothing had happened. */
static inline void check_same(const struct result *r, const struct result *good)
{
    CHECK_INT(r->outcome, RAN);
    CHECK_INT(r->answered, good->answered);
    CHECK_INT(r->lost, 0);
    CHECK_INT(r->lines, good->lines);
    CHECK_INT(r->reports, good->reports);
    CHECK_INT(r->connections, good->connections);
}

/* One fault: at most one event lost, a line, a new connection after a pause. */
static inline void check_dropped(const struct result *r,
                                 const struct result *good)
{
    CHECK_INT(r->outcome, RAN);
    CHECK(r->lost <= r->in_response);
    CHECK_INT(r->answered + r->lost, good->answered);
    if (!r->may_log || r->lines != good->lines)
        CHECK_INT(r->lines, good->lines + !r->silent);
    CHECK(r->elapsed_ms >= 20 || r->lines == good->lines);
    CHECK(r->connections <= good->connections + (good->connections > 1) + 1);
}

#endif
