#define _POSIX_C_SOURCE 200809L
#include "conn.h"

#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is read at once, and what may wait unparsed. */
#define READ_BYTES 65536u
/* How long we wait for a peer to go on sending after our last byte, so that it
 * can read that, and how long in all; and how long a peer may take nothing of
 * an answer that is otherwise complete. */
#define LINGER_NS     (2 * NS_PER_S)
#define LINGER_MAX_NS (60 * NS_PER_S)
#define STALL_NS      (30 * NS_PER_S)

#define ACCEPT_PAUSE_NS (NS_PER_S / 10)

static void update(struct conn *c)
{
    size_t limit = READ_BYTES;

    if (c->fd < 0) {
        return;
    }
    if (!c->hold) {
        limit += reader_wants(&c->reader);
    }
    c->watch.events = 0;
    if (!c->eof && (c->lingering || buf_size(&c->in) < limit)) {
        c->watch.events |= POLLIN;
    }
    if (buf_size(&c->out) > 0) {
        c->watch.events |= POLLOUT;
    }
    /* poll() reports a hang-up whether asked or not: of a connection that
     * waits for something else it would do so in every turn. */
    c->watch.fd = c->broken ? -1 : c->fd;
}

void conn_close(struct conn *c)
{
    if (c->fd < 0) {
        return;
    }
    loop_remove(&c->watch);
    close(c->fd);
    c->fd = -1;
    if (c->wire != NULL) {
        wire_close(c->wire);
        c->wire = NULL;
    }
    buf_free(&c->out);
    c->ops->closed(c);
}

static void broken(struct conn *c)
{
    if (!c->broken) {
        c->broken = true;
        c->eof = true;
        buf_clear(&c->out);
        c->ops->lost(c);
    }
}

/* False: nothing there, or the end. */
static bool receive(struct conn *c)
{
    /* One for all: a connection keeps only what has come. */
    static unsigned char room[READ_BYTES];
    ssize_t n;

    do {
        n = recv(c->fd, room, READ_BYTES, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        if (c->wire != NULL) {
            wire_bytes(c->wire, WIRE_FROM_RUNTIME,
                       (struct slice){room, (size_t)n});
        }
        if (!c->lingering) {
            buf_add(&c->in, room, (size_t)n);
        }
        return true;
    }
    if (n == 0) {
        c->eof = true;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        broken(c);
    }
    return false;
}

static void tell_eof(struct conn *c)
{
    if (c->eof && !c->hold && !c->eof_told && c->fd >= 0) {
        c->eof_told = true;
        c->ops->eof(c);
    }
}

static void tell_left(struct conn *c)
{
    if (c->eof && c->hold && !c->left_told && !c->closing && c->fd >= 0) {
        c->left_told = true;
        if (c->ops->left != NULL) {
            c->ops->left(c);
        }
    }
}

static bool dispatch(struct conn *c)
{
    struct slice data = {0};
    size_t room = c->ops->room(c);

    switch (reader_next(&c->reader, &c->in, room, &data)) {
    case READ_HEAD:
        c->ops->head(c);
        return true;
    case READ_DATA:
        c->ops->data(c, data);
        return true;
    case READ_END:
        c->ops->end(c);
        return true;
    case READ_BAD:
        c->ops->bad(c);
        return false;
    default:
        /* Without room there may be data that only waits. */
        if (room > 0 || buf_size(&c->in) == 0) {
            tell_eof(c);
        }
        return false;
    }
}

/* A peer that does not read its answers gets no further ones. */
static bool is_stuffed(const struct conn *c)
{
    return c->reader.state == READING_HEAD &&
           buf_size(&c->out) >= OUT_HIGH_BYTES;
}

void conn_pump(struct conn *c)
{
    if (c->pumping) {
        return;
    }
    c->pumping = true;
    while (c->fd >= 0 && !c->hold && !c->closing && !is_stuffed(c) &&
           dispatch(c)) {
    }
    c->pumping = false;
    if (c->fd >= 0 && c->ops->pumped != NULL) {
        c->ops->pumped(c);
    }
    tell_left(c);
    update(c);
}

void conn_drain(struct conn *c)
{
    while (c->fd >= 0 && !c->eof && !c->lingering &&
           buf_size(&c->in) < READ_BYTES && receive(c)) {
        conn_pump(c);
    }
    if (c->fd >= 0) {
        conn_pump(c);
    }
}

void conn_next_request(struct conn *c)
{
    reader_reset(&c->reader);
    c->hold = c->left_told = false;
}

static void linger(struct conn *c)
{
    if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(c);
        return;
    }
    c->lingering = true;
    buf_clear(&c->in);
    c->watch.due = now_ns() + LINGER_NS;
    c->linger_end = now_ns() + LINGER_MAX_NS;
}

void conn_flush(struct conn *c)
{
    bool was_high = buf_size(&c->out) > OUT_LOW_BYTES;

    while (c->fd >= 0 && !c->broken && buf_size(&c->out) > 0) {
        struct slice s = buf_slice(&c->out);
        ssize_t n = send(c->fd, s.data, s.size, MSG_NOSIGNAL);

        if (n > 0) {
            if (c->wire != NULL) {
                wire_bytes(c->wire, WIRE_TO_RUNTIME,
                           (struct slice){s.data, (size_t)n});
            }
            buf_consume(&c->out, (size_t)n);
            if (c->closing) {
                c->watch.due = now_ns() + STALL_NS;
            }
        } else if (errno != EINTR) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                broken(c);
            }
            break;
        }
    }
    if (c->fd < 0) {
        return;
    }
    if (c->broken || buf_size(&c->out) == 0) {
        buf_clear(&c->out);
        if (c->closing && !c->lingering) {
            linger(c);
        }
    }
    update(c);
    if (c->fd >= 0 && was_high && buf_size(&c->out) <= OUT_LOW_BYTES) {
        if (c->ops->drained != NULL) {
            c->ops->drained(c);
        }
        conn_pump(c);
    }
}

static void on_last_due(struct watch *w)
{
    conn_close(CONTAINER(w, struct conn, watch));
}

void conn_finish(struct conn *c)
{
    if (c->fd >= 0 && !c->closing) {
        c->closing = true;
        c->watch.due = now_ns() + STALL_NS;
        c->watch.on_due = on_last_due;
        conn_flush(c);
    }
}

static void on_io(struct watch *w, short revents)
{
    struct conn *c = CONTAINER(w, struct conn, watch);

    if ((revents & POLLOUT) != 0) {
        conn_flush(c);
    }
    if (c->fd < 0) {
        return;
    }
    if ((revents & (POLLIN | POLLERR | POLLHUP)) != 0 && !c->eof) {
        /* With a full buffer and a peer that has hung up, what it sent still
         * waits in the socket; there is room for one more piece. */
        (void)receive(c);
    } else if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        broken(c);
    }
    if (c->lingering) {
        int64_t due = now_ns() + LINGER_NS;

        c->watch.due = due < c->linger_end ? due : c->linger_end;
        if (c->eof) {
            conn_close(c);
        }
        return;
    }
    if (c->broken) {
        conn_flush(c);
    }
    if (c->fd >= 0) {
        conn_pump(c);
    }
}

void conn_open(struct conn *c, int fd, const struct conn_ops *ops,
               size_t head_bytes_max)
{
    int on = 1;

    c->fd = fd;
    c->ops = ops;
    c->reader.head_bytes_max = head_bytes_max;
    c->watch.fd = fd;
    c->watch.events = POLLIN;
    c->watch.on_io = on_io;
    /* A chunk must not wait for the acknowledgement of the one before. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    loop_add(&c->watch);
}

void accept_pause(struct watch *listener)
{
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        listener->events = 0;
        listener->due = now_ns() + ACCEPT_PAUSE_NS;
    }
}

bool address_read(struct address *out, const char *host, uint16_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->storage;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        out->size = sizeof *four;
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        out->size = sizeof *six;
    }
    return out->size > 0;
}

uint16_t address_port(const struct address *a)
{
    return ntohs(a->storage.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)&a->storage)->sin6_port
                     : ((const struct sockaddr_in *)&a->storage)->sin_port);
}

void address_text(const struct address *a, char out[ADDRESS_SIZE])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->storage;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->storage;
    const void *bytes = a->storage.ss_family == AF_INET6
                            ? (const void *)&six->sin6_addr
                            : (const void *)&four->sin_addr;

    out[0] = '\0';
    (void)inet_ntop(a->storage.ss_family, bytes, out, ADDRESS_SIZE);
}

int listen_on(const char *host, uint16_t port, uint16_t *bound)
{
    struct address address;
    int on = 1, fd, saved;

    if (!address_read(&address, host, port)) {
        errno = EINVAL;
        return -1;
    }
    fd = fd_prepare(socket(address.storage.ss_family, SOCK_STREAM, 0));
    if (fd < 0) {
        return -1;
    }
    if (address.storage.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&address.storage, address.size) == 0 &&
        listen(fd, 1024) == 0 &&
        getsockname(fd, (struct sockaddr *)&address.storage, &address.size) ==
            0) {
        *bound = address_port(&address);
        return fd;
    }
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
