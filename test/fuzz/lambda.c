/*
 * The local Lambda, both of its ports: clients and a runtime that send anything
 * in any order. Its connections are socket pairs, its clock is moved by the
 * input, and processes are only said to exist.
 *
 * Up to two bytes choose a form of the transcript and options. Each byte 0xff
 * then begins a step: a letter, the digit of one of 8 peers, and bytes.
 *
 *     f  a client: connects if it has to, sends the bytes
 *     a  the same, of the runtime, to the Runtime API
 *     b  sends x: 1 KiB for digit 0, twice as many for each further
 *     r  reads what has been sent to it
 *     e  sends nothing more
 *     c  closes
 *     t  time passes: 1 ms for digit 0, four times as much for each further
 *     d  the process of that number ends; its status is the number of bytes
 *
 * At the end everybody closes and time goes on. Then no connection may be left
 * open; what a client was sent is a number of whole responses, of which the
 * last may be cut; and the log is UTF-8 without control characters.
 */
#define _DEFAULT_SOURCE
#include "test/fuzz/fuzz.h"
#include "test/lambda/client.h"
#include "test/lambda/pool.h"
#include "test/lambda/settings.h"
#include "test/lambda/text.h"
#include "test/lambda/wire.h"
#include "test/unit/http_reference.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int fuzz_accept(int fd, struct sockaddr *address, socklen_t *size);
int fuzz_clock_gettime(clockid_t id, struct timespec *t);
int fuzz_close(int fd);
pid_t fuzz_fork(void);
int fuzz_getentropy(void *bytes, size_t size);
int fuzz_kill(pid_t pid, int number);
int fuzz_open(const char *path, int flags, ...);
DIR *fuzz_opendir(const char *name);
int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
pid_t fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage);
int fuzz_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t fuzz_waitpid(pid_t pid, int *status, int options);
ssize_t fuzz_write(int fd, const void *bytes, size_t size);

#define PEERS         8
#define DESCRIPTORS   1024
#define PENDING_MAX   64
#define SENT_MAX      4096
#define ANSWERS_MAX   65536
#define TURNS_MAX     100000
#define PROCESSES     8
#define FIRST_PID     0x3ffffff0 /* above the largest that there can be */
#define BIG_BYTES     1024u
#define FIRST_TIME_NS (1000 * NS_PER_S)

enum life { NONE, RUNS, ENDED /* and is not waited for yet */ };

struct peer {
    int fd; /* 0: not connected */
    bool client;
    char sent[SENT_MAX];
    size_t sent_size;
    char *answers;
    size_t size;
};

static struct {
    const uint8_t *input, *end;
    struct peer peers[PEERS];
    int pending[2][PENDING_MAX]; /* accepted next: the runtime's, clients' */
    size_t pending_count[2];
    int64_t time_ns;
    size_t turns;
    enum life processes[PROCESSES];
    int statuses[PROCESSES];
    jmp_buf over;
} now;

/* It has to be there, but is never run. */
static char program[] = "/bin/sh", folder[] = "/";
static char *const arguments[] = {program, NULL};
static struct settings settings = {.api_host = "127.0.0.1",
                                   .timeout_ns = NS_PER_S,
                                   .init_timeout_ns = NS_PER_S,
                                   .concurrency = 1,
                                   .max_waiting = 10,
                                   .retry_ns = NS_PER_S,
                                   .memory_mb = 128,
                                   .program = {program, folder},
                                   .extensions = {{program, folder}},
                                   .arguments = arguments};

static bool accepted[DESCRIPTORS];
static int accepted_count;
static struct {
    int fd;
    bool front;
} listeners[8];
static int listener_count;

int fuzz_clock_gettime(clockid_t id, struct timespec *t)
{
    (void)id;
    t->tv_sec = (time_t)(now.time_ns / NS_PER_S);
    t->tv_nsec = (long)(now.time_ns % NS_PER_S);
    return 0;
}

/* An invocation's id is always the same, so that an input can name it. */
int fuzz_getentropy(void *bytes, size_t size)
{
    memset(bytes, 0, size);
    return 0;
}

/* The log is not opened anew, and so comes to fuzz_write(). */
int fuzz_open(const char *path, int flags, ...)
{
    bool transcript = strncmp(path, "fuzz.", 5) == 0;

    if (strncmp(path, "/proc/self/fd/", 14) == 0) {
        errno = EACCES;
        return -1;
    }
    return open(transcript ? "/dev/null" : path,
                transcript ? O_WRONLY : flags & ~O_CREAT);
}

ssize_t fuzz_write(int fd, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    if (fd != STDOUT_FILENO && fd != STDERR_FILENO) {
        return write(fd, bytes, size);
    }
    EXPECT(utf8_valid((struct slice){p, size}));
    for (size_t i = 0; i < size; i++) {
        EXPECT((p[i] >= 0x20 && p[i] != 0x7f) || p[i] == '\n' || p[i] == '\t');
        EXPECT(p[i] != 0xc2 || p[i + 1] >= 0xa0);
    }
    return (ssize_t)size;
}

/* Processes: the runtime's, and an extension's */

/* They have no others: there is no /proc. */
DIR *fuzz_opendir(const char *name)
{
    (void)name;
    return NULL;
}

pid_t fuzz_fork(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (now.processes[i] == NONE) {
            now.processes[i] = RUNS;
            return FIRST_PID + i;
        }
    }
    errno = EAGAIN;
    return -1;
}

static void end_process(int i, int status)
{
    if (i >= 0 && i < PROCESSES && now.processes[i] == RUNS) {
        now.processes[i] = ENDED;
        now.statuses[i] = status;
        (void)raise(SIGCHLD);
    }
}

/* SIGTERM may be ignored: a process ends when the input says so. */
int fuzz_kill(pid_t pid, int number)
{
    if (number == SIGKILL) {
        end_process((pid < 0 ? -pid : pid) - FIRST_PID, number);
    }
    return 0;
}

/* The first process in that state; -1: none is. */
static int process_in(enum life life)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (now.processes[i] == life) {
            return i;
        }
    }
    return -1;
}

int fuzz_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    int i = process_in(ENDED);

    (void)type, (void)id, (void)options;
    info->si_pid = i < 0 ? 0 : FIRST_PID + i;
    return 0;
}

pid_t fuzz_waitpid(pid_t pid, int *status, int options)
{
    int i = pid > 0 ? pid - FIRST_PID : process_in(ENDED);

    (void)options;
    if (i < 0 || i >= PROCESSES || now.processes[i] != ENDED) {
        errno = ECHILD;
        return -1;
    }
    if (status != NULL) {
        *status = now.statuses[i];
    }
    now.processes[i] = NONE;
    return FIRST_PID + i;
}

pid_t fuzz_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    memset(usage, 0, sizeof *usage);
    return fuzz_waitpid(pid, status, options);
}

/* Connections */

/* The number of pending connections of the listener; NULL: it is none. */
static size_t *pending_of(int fd)
{
    for (int i = 0; i < listener_count; i++) {
        if (listeners[i].fd == fd) {
            return &now.pending_count[listeners[i].front];
        }
    }
    return NULL;
}

int fuzz_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    size_t *count = pending_of(fd);
    int *list = now.pending[count - now.pending_count];

    if (*count == 0) {
        errno = EAGAIN;
        return -1;
    }
    fd = list[0];
    memmove(list, list + 1, --*count * sizeof *list);
    if (address != NULL) {
        memset(address, 0, *size);
    }
    EXPECT(fd < DESCRIPTORS);
    accepted[fd] = true;
    accepted_count++;
    return fd;
}

int fuzz_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS && accepted[fd]) {
        accepted[fd] = false;
        accepted_count--;
    }
    return close(fd);
}

static void take_answers(struct peer *p)
{
    ssize_t n;

    if (p->answers == NULL) {
        p->answers = fuzz_memory(ANSWERS_MAX);
    }
    do {
        n = recv(p->fd, p->answers + p->size, ANSWERS_MAX - p->size,
                 MSG_DONTWAIT);
        p->size += n > 0 ? (size_t)n : 0;
    } while (n > 0 && p->size < ANSWERS_MAX);
}

static bool has_sent(const struct peer *p, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= p->sent_size; i++) {
        if (memcmp(p->sent + i, text, strlen(text)) == 0) {
            return true;
        }
    }
    return false;
}

/* A client whose answers all have frames: none is for HEAD or HTTP/1.0. */
static bool is_framed(const struct peer *p)
{
    return p->client && p->sent_size < SENT_MAX && p->size < ANSWERS_MAX &&
           !has_sent(p, "HEAD ") && !has_sent(p, "HTTP/1.0");
}

/* Whole responses, the last of which may be cut. */
static void check_answers(const struct peer *p)
{
    static struct http_reference r;
    char *body = fuzz_memory(p->size);
    size_t at = 0;

    r.rc = 1;
    while (at < p->size && r.rc > 0) {
        http_reference_response(&r, p->answers + at, p->size - at, body);
        if (r.rc < 0) {
            fprintf(stderr, "%.*s\n", (int)(p->size - at), p->answers + at);
        }
        EXPECT(r.rc >= 0);
        at += r.at;
    }
    free(body);
}

static void hang_up(struct peer *p)
{
    if (p->fd == 0) {
        return;
    }
    take_answers(p);
    if (is_framed(p)) {
        check_answers(p);
    }
    close(p->fd);
    free(p->answers);
    *p = (struct peer){0};
}

static void connect_peer(struct peer *p, bool client)
{
    int ends[2];

    if (now.pending_count[client] == PENDING_MAX) {
        return;
    }
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    *p = (struct peer){.fd = ends[0], .client = client};
    now.pending[client][now.pending_count[client]++] = ends[1];
}

static void send_bytes(struct peer *p, const uint8_t *bytes, size_t size)
{
    size_t kept = SENT_MAX - p->sent_size;

    kept = size < kept ? size : kept;
    memcpy(p->sent + p->sent_size, bytes, kept);
    p->sent_size += kept;
    if (p->fd != 0) {
        (void)send(p->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* The first two bytes of a step are what to do, and which peer. */
static void step(const uint8_t *bytes, size_t size)
{
    struct peer *p = &now.peers[bytes[1] % PEERS];
    static uint8_t big[BIG_BYTES << (PEERS - 1)];

    switch (bytes[0]) {
    case 'f':
    case 'a':
        if (p->fd == 0) {
            connect_peer(p, bytes[0] == 'f');
        }
        send_bytes(p, bytes + 2, size - 2);
        break;
    case 'b':
        memset(big, 'x', sizeof big);
        send_bytes(p, big, BIG_BYTES << bytes[1] % PEERS);
        break;
    case 'r':
        if (p->fd != 0) {
            take_answers(p);
        }
        break;
    case 'e':
        (void)shutdown(p->fd, SHUT_WR);
        break;
    case 'c':
        hang_up(p);
        break;
    case 't':
        now.time_ns += NS_PER_MS << bytes[1] % PEERS * 2;
        break;
    case 'd':
        end_process(bytes[1] % PROCESSES, (int)(size - 2) << 8 & 0xff00);
        break;
    default:
        break;
    }
}

/* False: there is no further step. */
static bool next_step(void)
{
    const uint8_t *bytes = now.input, *end;

    if (now.end - bytes < 3) {
        return false;
    }
    end = memchr(bytes + 1, 0xff, (size_t)(now.end - bytes - 1));
    end = end == NULL ? now.end : end;
    now.input = end;
    if (end - bytes >= 3) {
        step(bytes + 1, (size_t)(end - bytes - 1));
    }
    return true;
}

/* The input is over, and nothing is to be done: all leave, then time passes. */
static int settle(int timeout_ms)
{
    bool left = false;

    for (size_t i = 0; i < PEERS; i++) {
        left |= now.peers[i].fd != 0;
        hang_up(&now.peers[i]);
    }
    if (left) {
        return 0;
    }
    EXPECT(now.turns++ < TURNS_MAX);
    if (timeout_ms >= 0) {
        now.time_ns += timeout_ms * NS_PER_MS;
        return 0;
    }
    if (process_in(RUNS) >= 0) {
        end_process(process_in(RUNS), 0);
        return 0;
    }
    EXPECT(accepted_count == 0);
    longjmp(now.over, 1);
}

int fuzz_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    int ready = poll(fds, count, 0);

    /* Not the loop, but a look at one descriptor. */
    if (count == 1) {
        return ready;
    }
    for (nfds_t i = 0; i < count; i++) {
        size_t *pending = pending_of(fds[i].fd);

        if (pending != NULL && *pending > 0 && (fds[i].events & POLLIN) != 0) {
            fds[i].revents = POLLIN;
            ready++;
        }
    }
    if (ready > 0 || timeout_ms == 0 || next_step()) {
        return ready > 0 ? ready : 0;
    }
    return settle(timeout_ms);
}

/* The descriptors from one up to another listen. */
static void add_listeners(int from, int to, bool front)
{
    for (int fd = from + 1; fd < to; fd++) {
        int listens = 0;
        socklen_t size = sizeof listens;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
            listens != 0) {
            listeners[listener_count].fd = fd;
            listeners[listener_count++].front = front;
        }
    }
}

static void begin(void)
{
    uint16_t port = 0;
    int marks[3];

    now.time_ns = FIRST_TIME_NS;
    (void)signal(SIGPIPE, SIG_IGN);
    marks[0] = dup(STDERR_FILENO);
    EXPECT(pool_open(&settings));
    marks[1] = dup(STDERR_FILENO);
    EXPECT(front_open(&settings, &port));
    marks[2] = dup(STDERR_FILENO);
    add_listeners(marks[0], marks[1], false);
    add_listeners(marks[1], marks[2], true);
    for (int i = 0; i < 3; i++) {
        close(marks[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const forms[] = {"fuzz.txt", "fuzz.html", "fuzz.pcapng"};
    static bool begun;
    unsigned options, more;

    if (!begun) {
        begun = true;
        begin();
    }
    if (size == 0) {
        return 0;
    }
    options = size > 1 && data[0] != 0xff ? data[0] : 0;
    more = size > 1 && data[1] != 0xff ? data[1] : 0;
    now.input = memchr(data, 0xff, size);
    now.end = data + size;
    now.input = now.input == NULL ? now.end : now.input;
    now.turns = 0;
    if (options % 8 < 3) {
        EXPECT(wire_enable(forms[options % 8]));
    }
    settings.cors_origins = (options & 8) != 0 ? "http://o,null" : NULL;
    settings.cors_credentials = (options & 16) != 0;
    settings.throttle = (options & 32) != 0;
    settings.extension_count = (options & 64) != 0;
    settings.payload = (enum payload)(more % 3);
    settings.buffered = (more & 4) != 0 || settings.payload == PAYLOAD_HTTP;
    settings.function_name = (more & 8) != 0 ? "f" : NULL;
    if (setjmp(now.over) == 0) {
        (void)loop_run();
    }
    wire_disable();
    return 0;
}
