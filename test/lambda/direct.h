/* --invoke: one invocation whose stream goes to standard output. */
#ifndef LAMBDA_DIRECT_H
#define LAMBDA_DIRECT_H

#include "base.h"

/* Ends the loop with the program's exit status when it is over. The name of
 * the function may be NULL. */
void direct_invoke(struct slice event, const char *name);

#endif
