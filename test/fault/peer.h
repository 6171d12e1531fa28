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

#include "http.h"

#include <stddef.h>

enum { EVENTS = 3, CONNECTIONS_MAX = 64, RECEIVED_MAX = 4096 };

/* What is not a literal byte in the text of a request. */
#define SIZE "\001" /* of the chunk's data, in hexadecimal */
#define END  "\002" /* of that data; no byte */
#define TIME "\003" /* seconds, a point and two digits */
#define PORT "\004"
#define NULS "\005" /* the eight NULs behind a prelude */

#define CHUNK(data) SIZE "\r\n" data END "\r\n"
#define FIELDS(path)                    \
    path " HTTP/1.1\r\n"                \
         "Host: 127.0.0.1:" PORT "\r\n" \
         "User-Agent: rawstream/" RAWSTREAM_VERSION "\r\n"
#define INVOCATION                 "/2018-06-01/runtime/invocation/"
#define RESPONSE(id, type, chunks) RESPONSE_AND(id, type, chunks, "0\r\n\r\n")
#define RESPONSE_AND(id, type, chunks, end)                \
    FIELDS("POST " INVOCATION id "/response")              \
    "Content-Type: " type "\r\n"                           \
    "Lambda-Runtime-Function-Response-Mode: streaming\r\n" \
    "Transfer-Encoding: chunked\r\n"                       \
    "Trailer: Lambda-Runtime-Function-Error-Type, "        \
    "Lambda-Runtime-Function-Error-Body\r\n"               \
    "Lambda-Runtime-Invocation-Id: of-" id "\r\n\r\n" chunks end
#define STAMP ",\"timestamp\":" TIME "}\n"

/* An event, and the request that must come of it. */
struct exchange {
    const char *id, *event, *request;
};

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
    int close_each;     /* every answer carries Connection: close */
    int chunked;        /* and is chunked, after an interim response */
    int early;          /* the event that is refused when its head is there, or
                         * -1 */
    size_t piece;       /* of answers */
    size_t write_piece; /* no write takes more; 0: all of it */
    unsigned long interrupt_every; /* so many calls, one that waits; 0: none */
    int endless; /* time and calls have no limit, and what would wait for ever
                  * is told that the connection has ended */
    int closed_stdin; /* the first socket would be descriptor 0 */
    int interrupted;  /* so is every connect() */
    int clock_jumps;  /* the wall clock, by a day at each look */
    int final_status; /* answers the request after the last event; 0: none */
    const struct exchange *only; /* instead of the three events */
    long long deadline_ms;       /* of each event; 0: far away */
    long write_ms;               /* that each write of a response takes */
    unsigned oversleeps;         /* which sleep takes longer; 0: none */
    long longer_ms;
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
