/* InvocationType Event: nobody waits for the response, and what fails is tried
 * three times in all. */
#ifndef LAMBDA_ASYNC_H
#define LAMBDA_ASYNC_H

#include "invocation.h"

/* Makes it asynchronous; to be submitted then. The second attempt comes after
 * the pause, the third after twice that. */
void async_adopt(struct invocation *i, int64_t pause_ns);

#endif
