#define _DEFAULT_SOURCE
#include "test/fault/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PEER_PORT       9001
#define DESCRIPTORS_MAX 8
/* A whole run byte by byte makes 3,000; waiting, 100 tries a second, 12,000 in
 * its minute. What makes more is a loop that does not wait. */
#define CALLS_MAX 15000
#define RUN_NS    (60 * INT64_C(1000000000))
#define HOUR_NS   (3600 * INT64_C(1000000000))
#define STORM     100

/* The product's calls, and the C library's behind them. */
#define WRAPPED(type, name, ...)     \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

_Noreturn void __wrap__exit(int status);
int __real_main(int argc, char **argv);

static struct {
    const struct plan *plan;
    struct fault fault;
    struct peer peer;
    struct result *result;
    int64_t now_ns, begin_ns, fault_ns, event_ns;
    void (*on_term)(int);
    int storm;
    /* -1: closed; CONNECTIONS_MAX: no socket, or not a connected one. */
    int descriptor[DESCRIPTORS_MAX];
    int connecting; /* the descriptor whose connect() was interrupted, or 0 */
    int connected;  /* and poll() has said that its outcome is there */
    jmp_buf *back;  /* where run_here() waits; NULL: a process ends with us */
} k;

_Noreturn static void finish(enum outcome outcome, int status)
{
    struct result *r = k.result;
    int sockets = 0;

    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        sockets += k.descriptor[fd] >= 0 && fd > 2;
    if (sockets > 1)
        peer_wrong(&k.peer, "%d sockets are open at the end", sockets);
    r->outcome = *k.peer.wrong ? WRONG : outcome;
    r->status = status;
    r->connections = k.peer.count;
    r->answered = k.peer.answered;
    r->lost = k.peer.lost;
    r->elapsed_ms = (long)((k.now_ns - k.fault_ns) / 1000000);
    memcpy(r->why, k.peer.wrong, sizeof r->why);
    if (k.back)
        longjmp(*k.back, 1);
    _Exit(0);
}

_Noreturn static void wrong(const char *what, long number)
{
    peer_wrong(&k.peer, "%s (%ld)", what, number);
    finish(WRONG, 0);
}

static void pass(int64_t ns)
{
    k.now_ns += ns;
    if (k.now_ns - k.begin_ns > RUN_NS && !k.plan->endless)
        finish(WAITED, 0);
}

/* As k.descriptor has it. */
static int state(int fd)
{
    return fd < 0 || fd >= DESCRIPTORS_MAX ? -1 : k.descriptor[fd];
}

static struct connection *connection(int fd)
{
    int i = state(fd);

    if (fd > 2 && i >= 0 && i < CONNECTIONS_MAX)
        return &k.peer.connection[i];
    wrong("a descriptor that is no socket, or not connected", fd);
}

/* Whether a fault on this connection would be nobody's: it has carried a whole
 * exchange, and no byte of another answer has come. */
static int is_silent(int fd)
{
    struct connection *c;

    if (state(fd) < 0 || state(fd) == CONNECTIONS_MAX)
        return 0;
    c = connection(fd);
    if (c->asking)
        return c->exchanges > 1 && (!c->pending || c->sent == 0);
    return !c->owes && c->pending && c->sent == c->answer.length;
}

/* Counts a call. What it is to give instead of what it would, or 0. */
static int faulty(enum call call, int fd)
{
    struct result *r = k.result;

    if (*k.peer.wrong)
        finish(WRONG, 0);
    if (++r->calls > CALLS_MAX && !k.plan->endless)
        wrong("a loop that does not wait", (long)r->calls);
    r->used[call]++;
    if (r->calls == k.fault.n) {
        r->reached = 1;
        r->call = call;
        r->in_response = k.peer.given || k.peer.begun;
        r->may_log = k.peer.refused == k.peer.event + 1;
        r->in_row = k.peer.refused > 0 && k.peer.refused == k.peer.event &&
                    !k.peer.given;
        r->silent = is_silent(fd);
        r->lines_before = r->lines;
        k.fault_ns = k.now_ns;
    }
    if (k.plan->interrupt_every && r->calls % k.plan->interrupt_every == 0 &&
        (call == CONNECT || call == POLL || call == READ || call == WRITEV ||
         call == NANOSLEEP))
        return errno = EINTR;
    if (!r->reached || call != r->call)
        return 0;
    if (r->calls > k.fault.n && !k.fault.stuck)
        return 0;
    if (k.fault.code == EINTR && k.storm++ == STORM)
        k.fault.stuck = 0;
    if (k.fault.code == TERMINATED && k.on_term)
        k.on_term(SIGTERM);
    if (k.fault.code > 0)
        errno = k.fault.code;
    return k.fault.code == TERMINATED ? 0 : k.fault.code;
}

static int new_descriptor(int low)
{
    for (int fd = low; fd < DESCRIPTORS_MAX; fd++) {
        if (k.descriptor[fd] < 0) {
            k.descriptor[fd] = CONNECTIONS_MAX;
            return fd;
        }
    }
    wrong("descriptors leak", DESCRIPTORS_MAX);
}

/* Bytes, or the end, can be read. */
static int readable(const struct connection *c)
{
    return c->pending && (c->sent < c->answer.length || c->answer.then != KEEP);
}

WRAPPED(int, sigaction, int signal, const struct sigaction *new,
        struct sigaction *old)
{
    (void)old;
    if (faulty(SIGACTION, -1))
        return -1;
    if (signal == SIGTERM)
        k.on_term = new->sa_handler;
    return 0;
}

WRAPPED(int, socket, int domain, int type, int protocol)
{
    if (faulty(SOCKET, -1))
        return -1;
    if (domain != AF_INET || type != (SOCK_STREAM | SOCK_CLOEXEC) ||
        protocol != 0)
        wrong("not a TCP socket", domain);
    return new_descriptor(0);
}

WRAPPED(int, fcntl, int fd, int command, ...)
{
    va_list list;
    int low;

    if (!k.result) /* before main(): `make coverage` locks its file */
        return 0;
    if (faulty(FCNTL, fd))
        return -1;
    if (state(fd) < 0)
        wrong("fcntl of a closed descriptor", fd);
    if (command != F_DUPFD_CLOEXEC)
        wrong("fcntl of another kind", command);
    va_start(list, command);
    low = va_arg(list, int);
    va_end(list);
    return new_descriptor(low);
}

WRAPPED(int, connect, int fd, const struct sockaddr *to, socklen_t length)
{
    struct sockaddr_in address;
    int code = faulty(CONNECT, fd);

    if (fd < 3 || state(fd) != CONNECTIONS_MAX || length != sizeof address)
        wrong("connect of what is no new socket", fd);
    memcpy(&address, to, sizeof address);
    if (ntohs(address.sin_port) != PEER_PORT)
        wrong("connect to another port", ntohs(address.sin_port));
    if (code == 0 && k.plan->interrupted)
        code = errno = EINTR;
    if (code == EINTR)
        k.connecting = fd;
    else if (code == 0)
        k.descriptor[fd] = peer_open(&k.peer);
    return code ? -1 : 0;
}

WRAPPED(int, getsockopt, int fd, int level, int name, void *value,
        socklen_t *length)
{
    int code = faulty(GETSOCKOPT, fd), error = 0;

    (void)level, (void)length;
    if (fd != k.connecting || !k.connected || name != SO_ERROR)
        wrong("getsockopt", name);
    k.connecting = k.connected = 0;
    if (code > 0 && code < LATER(0))
        return -1;
    if (code == 0)
        k.descriptor[fd] = peer_open(&k.peer);
    else
        error = code - LATER(0);
    memcpy(value, &error, sizeof error);
    return 0;
}

WRAPPED(int, setsockopt, int fd, int level, int name, const void *value,
        socklen_t length)
{
    int code = faulty(SETSOCKOPT, fd);

    (void)level, (void)name, (void)value, (void)length;
    (void)connection(fd);
    return code ? -1 : 0;
}

WRAPPED(int, poll, struct pollfd *p, nfds_t count, int timeout_ms)
{
    if (faulty(POLL, p->fd))
        return -1;
    if (count != 1)
        wrong("poll of several", (long)count);
    p->revents = 0;
    /* As any kernel does: a run in this process may follow another. */
    if (p->fd < 0 && k.back)
        return 0;
    if (p->events & POLLOUT)
        k.connected = p->revents = POLLOUT;
    else if (readable(connection(p->fd)))
        p->revents = POLLIN;
    if (p->revents)
        return 1;
    if (timeout_ms < 0 && k.plan->endless)
        p->revents = p->events;
    else if (timeout_ms < 0)
        wrong("poll waits for ever", p->fd);
    else
        pass((int64_t)timeout_ms * 1000000);
    return p->revents != 0;
}

/* What a read gives when no byte of an answer is left. */
static ssize_t read_end(struct connection *c)
{
    if (readable(c) || k.plan->endless) {
        if (c->answer.then != RST)
            return 0;
        errno = ECONNRESET;
        return -1;
    }
    if (k.peer.finished)
        finish(RAN, 0);
    wrong("read waits for an answer that does not come", 0);
}

WRAPPED(ssize_t, read, int fd, void *to, size_t size)
{
    int code = faulty(READ, fd);
    struct connection *c = connection(fd);
    size_t n;

    if (code > 0)
        return -1;
    if (code == SHORT(0))
        return 0;
    if (!c->pending || c->sent == c->answer.length)
        return read_end(c);
    if (c->answer.stalls) {
        k.now_ns += HOUR_NS;
        k.begin_ns += HOUR_NS;
    }
    n = c->answer.length - c->sent;
    if (n > size)
        n = size;
    if (c->answer.piece > 0 && n > c->answer.piece)
        n = c->answer.piece;
    if (code == SHORT(1))
        n = 1;
    memcpy(to, c->answer.bytes + c->sent, n);
    peer_sent(&k.peer, state(fd), n);
    if (c->asking) {
        k.event_ns = k.now_ns;
        k.result->writes = 0;
    }
    return (ssize_t)n;
}

WRAPPED(ssize_t, writev, int fd, const struct iovec *v, int count)
{
    int code = faulty(WRITEV, fd);
    struct connection *c = connection(fd);
    struct result *r = k.result;
    int i = state(fd);
    size_t left = k.plan->write_piece ? k.plan->write_piece : SIZE_MAX;
    ssize_t total = 0;

    if (code > 0)
        return -1;
    if (code == SHORT(0))
        return 0;
    if (c->pending && c->sent == c->answer.length && c->answer.then == RST) {
        errno = EPIPE;
        return -1;
    }
    if (r->writes < WRITES_MAX)
        r->write_ms[r->writes++] = (long)((k.now_ns - k.event_ns) / 1000000);
    if (k.peer.given || k.peer.begun)
        pass(k.plan->write_ms * INT64_C(1000000));
    while (count > 0 && v->iov_len == 0) {
        count--;
        v++;
    }
    if (code == SHORT(1) && count > 0) {
        peer_take(&k.peer, i, v->iov_base, 1);
        return 1;
    }
    for (; count-- > 0 && left > 0; v++) {
        size_t n = v->iov_len < left ? v->iov_len : left;

        peer_take(&k.peer, i, v->iov_base, n);
        total += (ssize_t)n;
        left -= n;
    }
    return total;
}

/* Only the log: what fails is lost, and not told again. */
WRAPPED(ssize_t, write, int fd, const void *bytes, size_t length)
{
    struct result *r = k.result;
    const char *text = bytes;
    size_t used = strlen(r->log);
    int code = faulty(WRITE, -1);

    if (fd != 2)
        wrong("write to a descriptor", fd);
    if (length < 12 || memcmp(text, "rawstream: ", 11) != 0 ||
        memchr(text, '\n', length) != text + length - 1)
        wrong("not one line on stderr", (long)length);
    for (size_t i = 0; i + 1 < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            wrong("what a terminal obeys is on stderr", text[i]);
    if (strstr(text, "\"errorMessage\":"))
        r->reports++;
    else
        r->lines++;
    if (length < sizeof r->log - used)
        memcpy(r->log + used, text, length);
    if (code > 0)
        return -1;
    return code < 0 ? -1 - code : (ssize_t)length;
}

WRAPPED(int, close, int fd)
{
    int code = faulty(CLOSE, fd);

    if (state(fd) < 0)
        wrong("close of a closed descriptor", fd);
    if (state(fd) < CONNECTIONS_MAX)
        peer_close(&k.peer, state(fd));
    k.descriptor[fd] = -1;
    return code ? -1 : 0;
}

WRAPPED(int, nanosleep, const struct timespec *wanted, struct timespec *left)
{
    int code = faulty(NANOSLEEP, -1);
    int64_t ns = wanted->tv_sec * INT64_C(1000000000) + wanted->tv_nsec;

    if (code)
        ns /= 2;
    if (k.result->used[NANOSLEEP] == k.plan->oversleeps)
        ns += k.plan->longer_ms * INT64_C(1000000);
    pass(ns);
    if (code && left) {
        left->tv_sec = (time_t)(ns / 1000000000);
        left->tv_nsec = (long)(ns % 1000000000);
    }
    return code ? -1 : 0;
}

WRAPPED(int, clock_gettime, clockid_t clock, struct timespec *t)
{
    int64_t ns = k.now_ns;

    if (faulty(CLOCK_GETTIME, -1))
        return -1;
    pass(1000);
    if (clock == CLOCK_REALTIME)
        ns += BEGIN_MS * INT64_C(1000000) - HOUR_NS;
    if (clock == CLOCK_REALTIME && k.plan->clock_jumps)
        ns += (k.result->used[CLOCK_GETTIME] % 3 - INT64_C(1)) * 24 * HOUR_NS;
    t->tv_sec = (time_t)(ns / 1000000000);
    t->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

void __wrap__exit(int status)
{
    finish(EXITED, status);
}

static void play(const struct plan *plan, struct fault fault)
{
    static char name[] = "bootstrap";
    char *argv[] = {name, NULL};
    char api[32];

    k.plan = plan;
    k.fault = fault;
    k.storm = k.connecting = k.connected = 0;
    k.now_ns = k.begin_ns = k.fault_ns = k.event_ns = HOUR_NS;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        k.descriptor[fd] = fd < 3 ? CONNECTIONS_MAX : -1;
    if (plan->closed_stdin)
        k.descriptor[0] = -1;
    peer_start(&k.peer, plan, PEER_PORT);
    snprintf(api, sizeof api, "127.0.0.1:%d", PEER_PORT);
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    __wrap__exit(__real_main(1, argv));
}

struct result run(const struct plan *plan, struct fault fault)
{
    const struct rlimit loop = {60, 60}; /* seconds */
    struct result r;
    int status;
    pid_t pid;

    if (!k.result)
        k.result = mmap(NULL, sizeof *k.result, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(k.result, 0, sizeof *k.result);
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CPU, &loop); /* without a system call */
        play(plan, fault);
    }
    waitpid(pid, &status, 0);
    r = *k.result;
    if (status != 0 || r.outcome == NOTHING) {
        r.outcome = WRONG;
        snprintf(r.why, sizeof r.why, "ended by %s %d, after %lu calls",
                 WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                 r.calls);
    }
    return r;
}

void run_here(const struct plan *plan, struct result *result)
{
    jmp_buf back;

    memset(result, 0, sizeof *result);
    k.result = result;
    k.back = &back;
    if (setjmp(back) == 0)
        play(plan, (struct fault){0});
    k.back = NULL;
}
