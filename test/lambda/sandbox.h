/* One sandbox: the process that runs the function, and what it is doing.
 *
 * As a rule it has one invocation at a time, which is over when the runtime
 * asks for the next one. With --max-concurrency it has several, as on Lambda
 * Managed Instances: each is over when it is answered. */
#ifndef LAMBDA_SANDBOX_H
#define LAMBDA_SANDBOX_H

#include "invocation.h"
#include "output.h"
#include "process.h"
#include "settings.h"

enum runtime_state {
    RUNTIME_OFF,
    RUNTIME_STARTED,
    RUNTIME_INIT_ERROR,
    RUNTIME_READY /* it has asked for an event, or has one */
};

struct api_conn;

struct sandbox {
    const struct settings *settings;
    unsigned number; /* from 1 */
    enum runtime_state state;
    struct invocation *invocations;
    size_t invocation_count;
    /* The ids of invocations that were told to have taken too long; the oldest
     * is forgotten first. */
    char (*late)[UUID_SIZE];
    size_t late_next;

    pid_t pid; /* 0: no process */
    struct process_mark mark;
    struct program_stamp stamp; /* what it runs */
    unsigned tries;             /* to start it, in a row */
    bool exited;                /* but what it sent is still being taken in */
    bool condemned;             /* killed, or about to be */
    /* The initialisation takes place within the invocation: the one before it
     * took too long. */
    bool again;
    int wait_status;
    int proc; /* see process_open_status() */
    long memory_kib;
    int64_t started, used, init_ns;
    int64_t epoch; /* what the transcript's times are relative to */
    struct watch timer;
    struct watch memory_timer;

    struct watch listener;
    uint16_t port;
    struct api_conn *conns;
    unsigned conn_count;

    struct output output;
};

void sandbox_init(struct sandbox *box, unsigned number,
                  const struct settings *settings);
/* False and errno: its port cannot be had. */
bool sandbox_listen(struct sandbox *box);
/* Whether an invocation can be assigned to it: its process asks for one; or it
 * has none, and one would be started. */
bool sandbox_is_ready(const struct sandbox *box);
bool sandbox_is_off(const struct sandbox *box);
/* Whether it runs something else than what is there now. */
bool sandbox_is_stale(const struct sandbox *box,
                      const struct program_stamp *now);
/* Ends its process, which has nothing to do. */
void sandbox_retire(struct sandbox *box);
/* Ends it because all ends; extensions get the time for it. */
void sandbox_shut_down(struct sandbox *box);
void sandbox_assign(struct sandbox *box, struct invocation *i);
/* Its process has been reaped. */
void sandbox_exited(struct sandbox *box, int wait_status, long memory);

/* Called by the Runtime API. */
struct invocation *sandbox_find(struct sandbox *box, struct slice id);
bool sandbox_was_late(const struct sandbox *box, struct slice id);
void sandbox_next(struct sandbox *box);
void sandbox_init_error(struct sandbox *box, const struct failure *failure);
/* An extension has asked for its next event; one has ended. */
void sandbox_extension_asked(struct sandbox *box);
void sandbox_extension_ended(struct sandbox *box);
/* The response is over. */
void sandbox_answered(struct invocation *i, const struct failure *failure);

#endif
