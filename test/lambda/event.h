/* What the events of a Function URL and of API Gateway have in common. */
#ifndef LAMBDA_EVENT_H
#define LAMBDA_EVENT_H

#include "client.h"

/* Function URL and HTTP API (payload 2.0), and REST API (1.0). */
void url_event(struct buf *out, const struct client *c, const char *id);
void rest_event(struct buf *out, const struct client *c, const char *id);

/* "name":"value", */
void event_member(struct buf *out, const char *name, struct slice value);
/* The client's address, and the port that it came to. */
void event_ends(const struct client *c, char source[ADDRESS_SIZE],
                char port[8]);
/* The time twice: as "12/Mar/2020:19:03:58 +0000", and in milliseconds. */
void event_time(struct buf *out, const char *name, const char *epoch_name);
/* Header fields that are about the client's own connection, and the trace, of
 * which there is one, completed. */
bool event_leaves_out(struct slice field_name);

#endif
