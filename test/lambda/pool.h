/* The sandboxes of the function, and the requests that wait for one. */
#ifndef LAMBDA_POOL_H
#define LAMBDA_POOL_H

#include "invocation.h"
#include "settings.h"

bool pool_open(const struct settings *settings);
/* False: too many are waiting. */
bool pool_submit(struct invocation *i);
/* Takes back one that waits for a sandbox; false: it has one already. */
bool pool_withdraw(struct invocation *i);
/* Gives those that wait to the sandboxes that can take one. */
void pool_dispatch(void);
/* Of the first sandbox's Runtime API. */
uint16_t pool_port(void);
/* Ends the loop with that status: at once, or when the extensions have had
 * their time. The second time it is at once. */
void pool_stop(int status);
/* Kills and reaps every process. */
void pool_close(void);

#endif
