/*
 * peer.h - the Runtime API's side of a run of three events
 *
 * It does no input or output: a simulated kernel (kernel.c) or real sockets
 * (binary.c) bring what the runtime sends, and carry the answers. The first
 * event is answered directly, in four chunks with a pause before the second
 * word, the second with an HTTP answer, the third goes to /error. What the
 * runtime may send is known to the byte, but for the time in its lines; the
 * first byte that differs, and any request that is not due, is a violation.
 *
 * An event whose response does not begin is given again to whoever asks; one
 * whose response breaks off is lost.
 */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>

enum { EVENTS = 3, CONNECTIONS_MAX = 64, RECEIVED_MAX = 4096 };

/* What follows the last byte of an answer. */
enum then { KEEP, FIN, RST };

struct answer {
    const char *bytes;
    size_t length;
    size_t piece; /* no read gives more at once; 0: all of it */
    int stalls;   /* an hour passes before each read gives something */
    enum then then;
};

/* How a run differs from the plain one. */
struct plan {
    const char *name;
    int close_each;   /* every answer carries Connection: close */
    int chunked;      /* and is chunked, after an interim response */
    int early;        /* the event that is refused when its head is there, or
                       * -1 */
    size_t piece;     /* of answers */
    int closed_stdin; /* the first socket would be descriptor 0 */
    int interrupted;  /* so is every connect() */
    int clock_jumps;  /* the wall clock, by a day at each look */
    int final_status; /* answers the request after the last event; 0: none */
    /* Given once instead of the answer to /next, or the reply, of an event. */
    int attacked; /* which event, or -1 */
    int on_reply;
    int harmless; /* the attack is a good answer, in an odd way */
    struct answer attack;
};

struct connection {
    struct answer answer;
    size_t sent;   /* of the answer */
    int pending;   /* there is an answer */
    int exchanges; /* requests that were whole */
    int asking;    /* the last request is GET /next */
    int owes;      /* an event was given on it, its response has not ended */
    char received[RECEIVED_MAX];
    size_t length;
    size_t at; /* where the request begins that is not whole yet */
};

struct peer {
    const struct plan *plan;
    unsigned port;
    int event; /* the one that is due; EVENTS after the last */
    int given; /* its answer has left whole */
    int begun; /* its response has begun to arrive */
    int answered, lost, refused;
    int attacks;  /* made */
    int finished; /* the runtime asks for more than EVENTS events */
    int count;
    struct connection connection[CONNECTIONS_MAX];
    char wrong[256]; /* the first violation, or "" */
};

void peer_start(struct peer *p, const struct plan *plan, unsigned port);

/* The runtime opens a connection: its index. */
int peer_open(struct peer *p);

/* The runtime sends bytes, or closes. */
void peer_take(struct peer *p, int connection, const char *bytes,
               size_t length);
void peer_close(struct peer *p, int connection);

/* `length` more bytes of the answer have left. */
void peer_sent(struct peer *p, int connection, size_t length);

/* Notes a violation, if it is the first. */
void peer_wrong(struct peer *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The answer to /next with an event, as it is without an attack. */
struct answer peer_event(const struct plan *plan, int event);

/* The good reply to a response. */
struct answer peer_reply(const struct plan *plan);

#endif
