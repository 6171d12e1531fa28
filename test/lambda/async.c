#define _POSIX_C_SOURCE 200809L
#include "async.h"

#include "log.h"
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 3
/* What may wait to be tried again; an event beyond that is given up. */
#define WAITING_BYTES_MAX (64u * 1024u * 1024u)
/* Where there is no room in the queue. */
#define BUSY_NS NS_PER_S

struct async {
    struct caller caller;
    struct invocation *attempt; /* under way */
    struct invocation *next;    /* waits for its time */
    unsigned failures;
    int64_t pause_ns;
    struct watch timer;
};

static size_t waiting_bytes;

static struct async *of(struct caller *caller)
{
    return CONTAINER(caller, struct async, caller);
}

static void end(struct async *a)
{
    loop_remove(&a->timer);
    loop_free(a);
}

/* The same event under the same id, as if nothing had happened to it. */
static struct invocation *again(struct async *a)
{
    struct invocation *old = a->attempt;
    struct invocation *i = invocation_new(&a->caller, old->arn,
                                          slice_of(old->trace_id));

    memcpy(i->id, old->id, sizeof i->id);
    memcpy(i->version, old->version, sizeof i->version);
    i->is_async = true;
    i->event = old->event;
    i->client_context = old->client_context;
    i->tenant_id = old->tenant_id;
    old->event = (struct buf){0};
    old->client_context = old->tenant_id = NULL;
    return i;
}

static void on_due(struct watch *w)
{
    struct async *a = CONTAINER(w, struct async, timer);
    size_t size = buf_size(&a->next->event);

    a->attempt = a->next;
    if (!pool_submit(a->attempt)) {
        a->timer.due = now_ns() + BUSY_NS;
        return;
    }
    a->next = NULL;
    waiting_bytes -= size;
}

static void on_finished(struct caller *caller, bool failed, struct slice tail)
{
    struct async *a = of(caller);
    size_t size = buf_size(&a->attempt->event);
    bool last = ++a->failures >= ATTEMPTS;

    (void)tail;
    if (failed && !last && size <= WAITING_BYTES_MAX - waiting_bytes) {
        a->next = again(a);
        waiting_bytes += size;
        a->timer.due = now_ns() + a->pause_ns * (int64_t)a->failures;
        return;
    }
    if (failed) {
        log_line(LOG_ERROR,
                 "ERROR RequestId: %s the event is given up after "
                 "%u attempts",
                 a->attempt->id, a->failures);
    }
    end(a);
}

static void on_begin(struct caller *caller, struct slice content_type)
{
    (void)caller;
    (void)content_type;
}

static void on_data(struct caller *caller, struct slice data)
{
    (void)caller;
    (void)data;
}

static void on_end(struct caller *caller, const struct failure *failure)
{
    (void)caller;
    (void)failure;
}

void async_adopt(struct invocation *i, int64_t pause_ns)
{
    static const struct caller_ops ops = {.begin = on_begin,
                                          .data = on_data,
                                          .end = on_end,
                                          .finished = on_finished};
    struct async *a = allocate(sizeof *a);

    a->caller.ops = &ops;
    a->caller.invocation = i;
    a->attempt = i;
    a->pause_ns = pause_ns;
    a->timer.fd = -1;
    a->timer.on_due = on_due;
    loop_add(&a->timer);
    i->caller = &a->caller;
    i->is_async = true;
}
