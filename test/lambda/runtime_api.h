/* The Runtime API of one sandbox: routes, state machine, replies.
 *
 * Every sandbox listens on a port of its own, so that a connection says by
 * itself which runtime it belongs to. */
#ifndef LAMBDA_RUNTIME_API_H
#define LAMBDA_RUNTIME_API_H

#include "sandbox.h"

void api_accept(struct sandbox *box);
bool api_is_polled(const struct sandbox *box);
/* Sends the event to the connections that wait for it: to all of them, or to
 * one where each gets an event of its own. */
void api_deliver(struct invocation *i);
/* Takes on a response that had to wait for its caller. */
void api_resume(struct invocation *i);
/* The response comes too late, if it comes. */
void api_abandon(struct invocation *i);
/* Takes in all that a runtime has sent before it ended. */
void api_drain(struct sandbox *box);
/* All connections, or those that wait for an event or send a response. */
void api_close(struct sandbox *box, bool all);
/* Answers a request that had to wait; fields are complete lines. */
void api_answer(struct api_conn *a, int status, const char *fields,
                struct slice body);

#endif
