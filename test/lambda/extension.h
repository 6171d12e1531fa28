/* The Extensions API: programs beside the runtime that are told of invocations
 * and of the sandbox's end. A runtime may register extensions of its own as
 * well ("internal" ones), which have no process. */
#ifndef LAMBDA_EXTENSION_H
#define LAMBDA_EXTENSION_H

#include "message.h"
#include "name.h"
#include "sandbox.h"

/* What is answered to a request; a connection that waits gets nothing yet. */
struct extension_reply {
    int status;
    bool waits;
    struct buf fields, body;
};

/* False and errno: one of the programs cannot be run. */
bool extensions_start(struct sandbox *box);
/* Whether there are any, or any with a process. */
bool extensions_any(const struct sandbox *box);
bool extensions_alive(const struct sandbox *box);
/* Whether all that are told of invocations have asked for the next event. */
bool extensions_ready(const struct sandbox *box);
void extensions_invoke(struct sandbox *box, const struct invocation *i);
/* spindown, timeout or failure. */
void extensions_shutdown(struct sandbox *box, const char *reason,
                         int64_t deadline_ms);
void extensions_kill(struct sandbox *box);
/* Forgets those of a sandbox whose processes have ended. */
void extensions_clear(struct sandbox *box);
/* The sandbox to whose extensions this process belonged, or NULL. */
struct sandbox *extension_exited(pid_t pid, int wait_status);

bool extension_path(struct slice path);
void extension_request(struct sandbox *box, struct api_conn *from,
                       const struct head *h, struct slice body,
                       struct extension_reply *out);
/* That connection has ended. */
void extension_lost(struct sandbox *box, const struct api_conn *from);

#endif
