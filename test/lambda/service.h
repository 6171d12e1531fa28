/* The part of the Lambda API that the front answers, and its errors. */
#ifndef LAMBDA_SERVICE_H
#define LAMBDA_SERVICE_H

#include "client.h"

/* Finds out which call of the API it is, if it is one: then c->route, and
 * where the call names one c->function, are set. False: a Function URL's. */
bool service_route(struct client *c);
/* Once the head is there. False: it has been refused. */
bool service_check(struct client *c);
/* Once the body is there. */
void service_start(struct client *c);

/* An error as the service model has it. */
void service_refuse(struct client *c, const char *type, const char *message);
/* What is said of an event above max bytes. */
void service_refuse_size(struct client *c, uint64_t max);

#endif
