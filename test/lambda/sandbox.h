/* Sandboxes: the processes that run the function, started on demand. */
#ifndef LAMBDA_SANDBOX_H
#define LAMBDA_SANDBOX_H

#include "invocation.h"
#include "process.h"
#include "settings.h"

#include <sys/types.h>

/* The states of RAPID, whose names appear in its replies. */
enum runtime_state {
    RUNTIME_OFF,
    RUNTIME_STARTED,
    RUNTIME_INIT_ERROR,
    RUNTIME_READY,
    RUNTIME_RUNNING,
    RUNTIME_RESPONDING,       /* InvocationResponse */
    RUNTIME_RESPONDING_ERROR, /* InvocationErrorResponse */
    RUNTIME_RESPONSE_SENT
};

struct api_conn;

struct sandbox {
    unsigned number; /* from 1 */
    enum runtime_state state;
    struct invocation *invocation;

    pid_t pid; /* 0: no process */
    struct process_mark mark;
    bool exited;    /* but what it sent is still being taken in */
    bool condemned; /* killed, or about to be */
    /* The initialisation takes place within the invocation: the one before it
     * took too long. */
    bool again;
    int wait_status;
    long memory_kib;
    int64_t started, used, init_ns;
    int64_t epoch; /* what the transcript's times are relative to */
    struct watch timer;

    struct watch listener;
    uint16_t port;
    struct api_conn *conns;
    struct api_conn *upload; /* the one that sends the response */
    unsigned conn_count;

    struct watch output; /* its standard output and error */
    struct buf output_text;
};

bool pool_open(const struct settings *settings);
/* False: too many are waiting. */
bool pool_submit(struct invocation *i);
/* Takes back one that waits for a sandbox; false: it has one already. */
bool pool_withdraw(struct invocation *i);
/* Of the first sandbox. */
uint16_t pool_port(void);
/* Kills and reaps every process. */
void pool_close(void);

/* Called by the Runtime API. */
void sandbox_next(struct sandbox *box);
void sandbox_init_error(struct sandbox *box, const struct failure *failure);
/* The process has ended, and now its last response as well. */
void sandbox_settle_soon(struct sandbox *box);

#endif
