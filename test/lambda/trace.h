/* X-Ray's trace header, which an invocation carries from its caller to the
 * runtime. */
#ifndef LAMBDA_TRACE_H
#define LAMBDA_TRACE_H

#include "base.h"

/* A caller's header with what is missing filled in, or a new one where it has
 * no root. */
char *trace_complete(struct slice given);

#endif
