/* Which names a request may give for this host.
 *
 * A page of any site can make a name of its own point to this machine and then
 * reach the function as if it were its own server (DNS rebinding). The name
 * stays in Host, which gives it away. */
#ifndef LAMBDA_HOST_H
#define LAMBDA_HOST_H

#include "base.h"

/* allowed: names, each with its NUL; "any" among them allows all. */
bool host_is_allowed(struct slice host, const struct buf *allowed);
/* Without the port. An IPv6 address has colons, in brackets. */
struct slice host_name(struct slice host);

#endif
