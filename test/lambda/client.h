/* One client's connection to the front, and the three kinds of answers it can
 * get. The front reads requests and starts invocations; each kind of answer
 * is a caller of its own. */
#ifndef LAMBDA_CLIENT_H
#define LAMBDA_CLIENT_H

#include "conn.h"
#include "invocation.h"
#include "name.h"
#include "settings.h"

enum route {
    ROUTE_URL,
    ROUTE_STREAM,
    ROUTE_INVOKE,
    ROUTE_GET_FUNCTION,
    ROUTE_GET_CONFIGURATION,
    ROUTE_LIST_FUNCTIONS,
    ROUTE_UNKNOWN /* a path of the Lambda API that is not answered here */
};

struct client {
    struct conn conn;
    struct caller caller;
    enum route route;
    const struct settings *settings;
    char *trace;        /* of the invocation; NULL: none yet */
    char id[UUID_SIZE]; /* of the request, and of the invocation */
    struct function_name function;
    const char *name_fault; /* NULL: none */
    struct buf body;        /* of the request */
    uint64_t body_max;

    struct buf answer; /* the prelude as far as it has come, or all of it */
    char *content_type;
    bool has_prelude, prelude_read;
    struct buf fields; /* of the head that waits for the first body byte */
    int status;
    bool answered; /* the head has been sent, and whatever it announced */
    bool bodyless;
};

extern const struct caller_ops url_ops, buffered_ops;
extern const struct caller_ops stream_ops, invoke_ops;
extern const struct caller_ops stream_tail_ops, invoke_tail_ops;

/* Reads the prelude in c->answer into c->status and c->fields. NULL, or what
 * is wrong with it. */
const char *read_prelude(struct client *c, struct slice text);
/* The same of a whole answer, with its body. */
const char *read_answer(struct client *c, struct slice text, struct buf *body,
                        bool *base64);
/* Whether a JSON text is an object with a member statusCode. */
bool answer_has_status(struct slice text);
/* Whether complete lines have one that starts like that, in any case. */
bool fields_contain(const struct buf *lines, const char *start);

/* A whole answer with a body; fields are complete lines. */
void client_reply(struct client *c, int status, const char *fields,
                  struct slice body);
/* What a client of the URL gets of a function that failed before its first
 * byte. */
void client_fail(struct client *c);
/* The answer is over. Without complete the connection is closed, which is
 * how the client learns that something is missing. */
void client_done(struct client *c, bool complete);
size_t client_room(const struct client *c);
/* Refuses a request, whose body need not have been read. */
void client_refuse(struct client *c, int status, const char *fields,
                   const char *text);
/* Without waits nobody is told of the response. */
struct invocation *client_invocation(struct client *c, bool waits);
/* False: it has been refused. */
bool client_submit(struct client *c, struct invocation *i);

bool front_open(const struct settings *settings, uint16_t *port);

#endif
