/* Cross-origin requests, as the Cors settings of a Function URL have them: a
 * preflight is answered without the function, and what is said here counts over
 * what the function says. */
#ifndef LAMBDA_CORS_H
#define LAMBDA_CORS_H

#include "message.h"
#include "settings.h"

/* RFC 9110 calls it OPTIONS, the Fetch standard a CORS-preflight request. */
bool cors_is_preflight(const struct settings *s, const struct head *h);
/* Complete lines for the answer to this request; nothing without --cors. */
void cors_add(struct buf *out, const struct settings *s, const struct head *h);
/* The same lines without those that are the function's but not its to say. */
void cors_filter(struct buf *lines, const struct settings *s);

#endif
