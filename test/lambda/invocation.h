/* One invocation, from the event to its REPORT line, and its caller.
 *
 * The Runtime API puts the response in on one side; on the other a caller
 * (Function URL, event stream, buffered, standard output) turns it into what
 * its client expects. A response is begun once, gets data, and is answered
 * once; later the runtime asks for the next event, or ends, and only then is
 * the invocation finished. */
#ifndef LAMBDA_INVOCATION_H
#define LAMBDA_INVOCATION_H

#include "loop.h"

struct api_conn;
struct caller;
struct invocation;
struct sandbox;

struct failure {
    const char *type;
    struct slice body; /* a JSON text, as a rule */
    bool in_trailers;  /* the response is complete all the same */
};

struct caller_ops {
    bool streams; /* false: bound by the limit of a buffered response */
    void (*begin)(struct caller *, struct slice content_type);
    void (*data)(struct caller *, struct slice data);
    /* Failure is NULL on success. It may come without begin(). */
    void (*end)(struct caller *, const struct failure *failure);
    size_t (*room)(struct caller *);
    void (*flush)(struct caller *); /* may be NULL */
    /* May be NULL. Comes last, with the end of the invocation's log. */
    void (*finished)(struct caller *, bool failed, struct slice tail);
};

struct caller {
    const struct caller_ops *ops;
    struct invocation *invocation; /* until end() */
};

enum phase {
    PHASE_WAITING, /* for the runtime to ask */
    PHASE_RUNNING,
    PHASE_RESPONDING,
    PHASE_RESPONDING_ERROR,
    PHASE_SENT
};

struct invocation {
    char id[UUID_SIZE], nonce[UUID_SIZE];
    struct buf event;
    char *arn, *trace_id, *client_context, *tenant_id;
    struct caller *caller;           /* NULL: nobody waits for the response */
    struct sandbox *sandbox;         /* NULL: it waits for one */
    struct invocation *next, **link; /* in the queue; link: NULL outside */
    enum phase phase;
    struct api_conn *upload; /* the one that sends the response */
    struct watch timer;      /* its time limit */
    int64_t started, first_byte, init_ns;
    int64_t deadline_ms; /* of the wall clock */
    uint64_t bytes, chunks;
    bool begun, answered, throttled;
    bool wants_tail, told_start;
    bool is_async;   /* accepted, and nobody waits for it */
    struct buf tail; /* of its log */
    char version[129];
    long memory_mb;
    const char *status; /* of the REPORT line; NULL: it went well */
    char *error_type;
    int64_t tokens, refilled;
    struct watch refill;
};

struct invocation *invocation_new(struct caller *caller, const char *arn,
                                  struct slice trace);

void invocation_begin(struct invocation *i, struct slice content_type);
/* How much of the response can be taken now. */
size_t invocation_room(struct invocation *i);
/* False: the response has become larger than it may; what fits has been
 * passed on. */
bool invocation_data(struct invocation *i, struct slice data);
uint64_t invocation_limit(const struct invocation *i);
void invocation_answer(struct invocation *i, const struct failure *failure);
/* With {"errorType", "errorMessage"} made of the type and the message. */
void invocation_fail(struct invocation *i, const char *type, const char *format,
                     ...) FORMAT(3, 4);
/* Frees one that nobody has run. */
void invocation_discard(struct invocation *i);
/* The runtime has the event: the START line. */
void invocation_start(struct invocation *i);
/* Lines that the runtime has written meanwhile. */
void invocation_output(struct invocation *i, struct slice lines);
struct slice invocation_tail(struct invocation *i);
/* Writes the END and REPORT lines and frees it. */
void invocation_finish(struct invocation *i, long memory_kib);
/* What the caller got is all for now: it sends it. Pieces that arrive together
 * leave together. */
void invocation_flush(struct invocation *i);
/* The caller has room again. */
void invocation_resume(struct invocation *i);

#endif
