/* One accepted connection: a socket, its buffers, a request reader.
 *
 * The owner embeds it and gets called as a request arrives. Body data comes
 * only as fast as the owner has room for it; what is not taken stays in the
 * buffer, and when that is full the socket is not read, so that TCP slows the
 * peer down. Of a connection that has been closed the memory stays valid until
 * the end of the loop's turn. */
#ifndef LAMBDA_CONN_H
#define LAMBDA_CONN_H

#include "loop.h"
#include "message.h"

#include <sys/socket.h>

struct conn;
struct wire;

struct conn_ops {
    void (*head)(struct conn *);
    void (*data)(struct conn *, struct slice data);
    void (*end)(struct conn *);
    void (*pumped)(struct conn *);  /* no more for now; may be NULL */
    void (*bad)(struct conn *);     /* the reader says what */
    size_t (*room)(struct conn *);  /* for body data, now */
    void (*eof)(struct conn *);     /* all that came has been taken */
    void (*drained)(struct conn *); /* the output is below the low mark */
    void (*lost)(struct conn *);    /* nothing can be sent any more */
    /* The peer has ended while the connection is held; may be NULL. */
    void (*left)(struct conn *);
    void (*closed)(struct conn *); /* free what is around it */
};

struct conn {
    struct watch watch;
    int fd;
    const struct conn_ops *ops;
    struct reader reader;
    struct buf in, out;
    struct wire *wire;  /* sees every byte; may be NULL */
    int64_t linger_end; /* at the latest */
    bool hold;          /* nothing is parsed: an answer is due first */
    bool eof;           /* the peer sends nothing more */
    bool broken;        /* nothing more can be sent either */
    bool pumping, closing, lingering, eof_told, left_told;
};

/* Above the high mark a producer has no room, below the low one it is told. */
#define OUT_HIGH_BYTES (256u * 1024u)
#define OUT_LOW_BYTES  (64u * 1024u)

void conn_open(struct conn *c, int fd, const struct conn_ops *ops,
               size_t head_bytes_max);
/* Sends what c->out holds, as far as that goes without waiting. */
void conn_flush(struct conn *c);
/* Takes on what was held, or what there was no room for. */
void conn_pump(struct conn *c);
/* Reads all that has arrived, without waiting for the loop. */
void conn_drain(struct conn *c);
/* Makes it ready for the next request, once this one is answered. */
void conn_next_request(struct conn *c);
/* Sends the rest of the output, then closes in an orderly way: the peer may
 * still be sending, and a plain close() would make its answer unreadable. */
void conn_finish(struct conn *c);
void conn_close(struct conn *c);

/* After accept() has failed: where the descriptors have run out, the listener
 * is not watched for a moment. Its on_due() must watch it again. */
void accept_pause(struct watch *listener);

/* IPv4 or IPv6. */
struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

#define ADDRESS_SIZE 64
/* False: it is none of the two. */
bool address_read(struct address *out, const char *host, uint16_t port);
uint16_t address_port(const struct address *a);
void address_text(const struct address *a, char out[ADDRESS_SIZE]);

/* Port 0: a free one. -1 and errno where it does not work. */
int listen_on(const char *host, uint16_t port, uint16_t *bound);

#endif
