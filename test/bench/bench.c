/*
 * bench.c - how far the product is from the least that the wire allows
 *
 *     bench [--quick] [--only NAME] BOOTSTRAP WORK FLOOR
 *
 * A Runtime API that measures from outside. It starts the product (BOOTSTRAP,
 * or WORK, the same with the handler work.c) and FLOOR (floor.c) on one core
 * and itself, polling busily, on another, where there are two; has them do the
 * same work in turn; and prints a table in Markdown: medians, and the median of
 * the ratios pair by pair, which what else runs here disturbs least. Floor
 * sends the heads, and as many and as large chunks, as the product sent for the
 * same event: they are learned from its first answer. Ratios are times (less is
 * better) but for rows in MiB/s. A target that is missed is no error, and no
 * time is: a client that does not do its work is.
 */
#define _GNU_SOURCE
#include "texts.h"

#include "test/unit/loopback.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB         (1L << 20)
#define SECOND_NS   INT64_C(1000000000)
#define PATIENCE_NS (60 * SECOND_NS)
#define SETTLE_NS   (SECOND_NS / 50) /* asleep for so long: at rest */
#define ROUNDS_MAX  1000
#define PACED_WORDS 1000
#define PACE_NS     (SECOND_NS / 200)

struct message {
    char *bytes;
    size_t length;
};

/* What a client sent, up to its next request for an event. */
struct answer {
    char head[4096];
    size_t head_length;
    long chunks;
    long bytes;
    char text[64];    /* the first of them */
    int64_t *arrived; /* of each chunk, if not NULL */
    long left;        /* of a chunk and its CRLF */
    long size;
    int last;
};

struct client {
    char *argv[9];
    pid_t pid; /* 0: not running */
    int fd;
    int traced;
    long calls; /* but clocks and sleeps, which are the handler's */
    long clocks;
    int64_t moved_ns; /* it sent, received, or made a call that is traced */
    int64_t cpu_ns;   /* what it had used when it was last looked at */
};

/* Values of the product, and of what it is compared with, pair by pair. */
struct pairs {
    double product[ROUNDS_MAX];
    double floor[ROUNDS_MAX];
    int n;
};

struct work {
    struct pairs time, cpu; /* in nanoseconds */
};

static struct {
    int quick;
    const char *only;
    char *bootstrap;
    char *work;
    char *floor;
} option;

static struct {
    int listener;
    char port[8];
    char environment[48];
    cpu_set_t own, theirs;
    int pinned;
    int traceable;
    int done; /* rows */
    int64_t began_ns;
} bench;

static struct client product;
/* Floors: of all work, and of what is measured in turn with it. */
static struct client bare, bare_too;

/*
 * Clients
 */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void stop(struct client *c)
{
    if (c->pid == 0)
        return;
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    if (c->fd >= 0)
        close(c->fd);
    c->pid = 0;
}

static _Noreturn void die(const struct client *c, const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", c ? c->argv[0] : "bench", what);
    stop(&product);
    stop(&bare);
    stop(&bare_too);
    printf("%d passed, 1 failed\n", bench.done);
    exit(1);
}

/* Counts what a traced client has called meanwhile, and lets it go on. */
static void follow(struct client *c)
{
    struct __ptrace_syscall_info info;
    int status;

    while (waitpid(c->pid, &status, WNOHANG) > 0) {
        if (!WIFSTOPPED(status))
            die(c, "ended");
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
            ptrace(PTRACE_GET_SYSCALL_INFO, c->pid, (void *)sizeof info,
                   &info) > 0 &&
            info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            c->calls += info.entry.nr != SYS_clock_gettime &&
                        info.entry.nr != SYS_nanosleep;
            c->clocks += info.entry.nr == SYS_clock_gettime;
        }
        c->moved_ns = now_ns();
        ptrace(PTRACE_SYSCALL, c->pid, NULL, NULL);
    }
}

/* What a client has used of its core. */
static int64_t cpu_of(const struct client *c)
{
    struct timespec t = {0, 0};
    clockid_t clock;

    if (clock_getcpuclockid(c->pid, &clock) == 0)
        clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Between two looks at a socket. However slow a client is, it must move: bytes,
 * or at least its CPU clock. */
static void meanwhile(struct client *c)
{
    int64_t idle_ns = now_ns() - c->moved_ns, cpu_ns;

    if (!bench.pinned)
        sched_yield();
    if (c->traced) {
        follow(c);
    } else if (idle_ns > SECOND_NS && waitpid(c->pid, NULL, WNOHANG) > 0) {
        c->pid = 0;
        die(c, "ended");
    }
    if (idle_ns > PATIENCE_NS) {
        cpu_ns = cpu_of(c);
        if (cpu_ns == c->cpu_ns)
            die(c, "does nothing");
        c->cpu_ns = cpu_ns;
        c->moved_ns = now_ns();
    }
}

static void send_all(struct client *c, const struct message *m)
{
    c->moved_ns = now_ns();
    for (size_t at = 0; at < m->length;) {
        ssize_t n = send(c->fd, m->bytes + at, m->length - at, MSG_NOSIGNAL);

        if (n > 0) {
            at += (size_t)n;
            c->moved_ns = now_ns();
        } else if (errno == EAGAIN) {
            meanwhile(c);
        } else {
            die(c, "closed while it was sent an event");
        }
    }
}

/* Reads the lines and data of chunks; 1 at the end of the last. */
static int read_chunks(struct answer *a, const char *p, const char *end)
{
    while (p < end) {
        if (a->left == 0) {
            if (*p == '\n') {
                a->last = a->size == 0;
                a->left = a->size + 2;
                a->size = 0;
            } else if (*p != '\r') {
                a->size = a->size * 16 + (*p & 15) + (*p >> 6) * 9;
            }
            p++;
        } else {
            long n = end - p < a->left ? end - p : a->left;
            long data = n < a->left - 2 ? n : a->left - 2;
            long room = (long)sizeof a->text - 1 - a->bytes;

            if (data > 0 && room > 0)
                memcpy(a->text + a->bytes, p,
                       (size_t)(data < room ? data : room));
            if (data > 0)
                a->bytes += data;
            p += n;
            a->left -= n;
            if (a->left > 0)
                continue;
            if (a->last)
                return 1;
            if (a->arrived)
                a->arrived[a->chunks] = now_ns();
            a->chunks++;
        }
    }
    return 0;
}

/* Takes bytes of a request; 1 when it is whole. */
static int take(struct answer *a, const char *p, size_t n)
{
    size_t room = sizeof a->head - a->head_length, from = a->head_length;
    const char *end;

    if (a->size < 0) {
        memcpy(a->head + from, p, n < room ? n : room);
        a->head_length += n < room ? n : room;
        end = memmem(a->head, a->head_length, "\r\n\r\n", 4);
        if (!end)
            return 0;
        a->head_length = (size_t)(end + 4 - a->head);
        a->size = 0;
        if (*a->head == 'G')
            return 1;
        p += a->head_length - from;
        n -= a->head_length - from;
    }
    return read_chunks(a, p, p + n);
}

/* Receives one request. */
static void receive(struct client *c, struct answer *a)
{
    static char bytes[256 << 10];
    int64_t *arrived = a->arrived;

    c->moved_ns = now_ns();
    memset(a, 0, sizeof *a);
    a->arrived = arrived;
    a->size = -1; /* the head is not whole yet */
    for (;;) {
        ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            die(c, "closed its connection");
        if (n > 0 && take(a, bytes, (size_t)n))
            return;
        if (n < 0)
            meanwhile(c);
        else
            c->moved_ns = now_ns();
    }
}

static void receive_next(struct client *c)
{
    struct answer a = {.arrived = NULL};

    receive(c, &a);
    if (*a.head != 'G')
        die(c, "did not ask for an event");
    if (!c->argv[2] && !(c->argv[2] = strndup(a.head, a.head_length)))
        die(c, "no memory");
}

/* Gives the client's socket, one of its first descriptors, the congestion
 * control that is everywhere: with BBR, which some systems have, much of what
 * would be measured is its idea of the bandwidth. */
static void unpace(const struct client *c)
{
    int process = (int)syscall(SYS_pidfd_open, c->pid, 0);

    for (int i = 3; i < 16; i++) {
        int fd = (int)syscall(SYS_pidfd_getfd, process, i, 0);

        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
        close(fd);
    }
    close(process);
}

/* Gives the time of exec. The memory of this process, a large one, is lent for
 * so long, not copied. */
static int64_t launch(struct client *c)
{
    char *environment[] = {bench.environment, NULL};
    volatile int64_t exec_ns = 0;

    /* NOLINTNEXTLINE(clang-analyzer-*): that is what vfork() is for */
    c->pid = vfork();
    if (c->pid == 0) {
        if (bench.pinned)
            sched_setaffinity(0, sizeof bench.theirs, &bench.theirs);
        if (c->traced)
            ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        exec_ns = now_ns();
        execve(c->argv[0], c->argv, environment);
        _exit(127);
    }
    if (c->pid < 0)
        die(c, "no process");
    if (c->traced) {
        waitpid(c->pid, NULL, 0);
        ptrace(PTRACE_SETOPTIONS, c->pid, NULL, (void *)PTRACE_O_TRACESYSGOOD);
        ptrace(PTRACE_SYSCALL, c->pid, NULL, NULL);
    }
    return exec_ns;
}

/* Starts the client; gives the time from exec to its first whole request. */
static int64_t start(struct client *c)
{
    int64_t exec_ns, ready_ns;
    int on = 1;

    c->calls = 0;
    c->fd = -1;
    exec_ns = c->moved_ns = launch(c);
    while ((c->fd = accept4(bench.listener, NULL, NULL,
                            SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
        meanwhile(c);
    receive_next(c);
    ready_ns = now_ns();
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    unpace(c);
    return ready_ns - exec_ns;
}

/* One invocation; gives the time up to the next whole request for an event. */
static int64_t invoke(struct client *c, const struct message *event,
                      struct answer *a)
{
    static char accepted[] = "HTTP/1.1 202 Accepted\r\n"
                             "Content-Length: 16\r\n"
                             "Content-Type: application/json\r\n"
                             "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
                             "\r\n"
                             "{\"status\":\"OK\"}\n";
    static const struct message reply = {accepted, sizeof accepted - 1};
    int64_t begin = now_ns();

    send_all(c, event);
    receive(c, a);
    if (!memmem(a->head, a->head_length, "/response HTTP", 14))
        die(c, "did not answer an event");
    send_all(c, &reply);
    receive_next(c);
    return now_ns() - begin;
}

static void choose(struct client *c, char *path)
{
    stop(c);
    memset(c, 0, sizeof *c);
    c->argv[0] = path;
    c->argv[1] = bench.port;
}

static char *text_of(int64_t number)
{
    char *text = NULL;

    if (asprintf(&text, "%lld", (long long)number) < 0)
        die(NULL, "no memory");
    return text;
}

/* Starts the product, and a floor that answers this event in its way. */
static void meet(char *path, struct client *f, const struct message *event,
                 int clocks, int64_t delay_ns)
{
    struct answer a = {.arrived = NULL}, b = {.arrived = NULL};

    if (product.pid == 0 || product.argv[0] != path) {
        choose(&product, path);
        (void)start(&product);
    }
    (void)invoke(&product, event, &a);
    if (a.chunks == 0)
        die(&product, "sent an answer without a body");
    choose(f, option.floor);
    f->argv[2] = product.argv[2];
    f->argv[3] = strndup(a.head, a.head_length);
    f->argv[4] = text_of(a.chunks);
    f->argv[5] = text_of(a.bytes / a.chunks);
    f->argv[6] = text_of(clocks);
    f->argv[7] = text_of(delay_ns);
    (void)start(f);
    (void)invoke(f, event, &b);
    if (b.chunks != a.chunks || b.bytes / b.chunks != a.bytes / a.chunks)
        die(f, "does not answer as the product does");
}

/*
 * Events
 */

static FILE *compose(struct message *m)
{
    FILE *f = open_memstream(&m->bytes, &m->length);

    if (!f)
        die(NULL, "no memory");
    return f;
}

/* `piece` again and again, as far as it fits in so many bytes. */
static void fill(FILE *f, const char *piece, size_t length)
{
    size_t n = strlen(piece);

    for (; length >= n; length -= n)
        fwrite(piece, 1, n, f);
}

/* What /next answers, with the body framed by its length, or in chunks of that
 * size. The body is used up. */
static struct message event_of(struct message body, size_t chunk_size)
{
    struct message m;
    FILE *f = compose(&m);

    if (chunk_size)
        fprintf(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
    else
        fprintf(f, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n", body.length);
    fprintf(f,
            "Content-Type: application/json\r\n"
            "Lambda-Runtime-Aws-Request-Id: "
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            "Lambda-Runtime-Deadline-Ms: %lld\r\n"
            "Lambda-Runtime-Invoked-Function-Arn: "
            "arn:aws:lambda:us-east-2:123456789012:function:rawstream\r\n"
            "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;"
            "Parent=9a9197af755a6419;Sampled=1\r\n"
            "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
            "\r\n",
            (long long)(time(NULL) + 900) * 1000);
    for (size_t at = 0, n; chunk_size && at < body.length; at += n) {
        n = body.length - at < chunk_size ? body.length - at : chunk_size;
        fprintf(f, "%zx\r\n", n);
        fwrite(body.bytes + at, 1, n, f);
        fprintf(f, "\r\n");
    }
    if (chunk_size)
        fprintf(f, "0\r\n\r\n");
    else
        fwrite(body.bytes, 1, body.length, f);
    fclose(f);
    free(body.bytes);
    return m;
}

/* For work.c: so many chunks, and spaces up to that length of event. */
static struct message chunks_event(long count, long size, size_t length)
{
    struct message body;
    FILE *f = compose(&body);

    fprintf(f, "%ld %ld", count, size);
    fill(f, " ", length);
    fclose(f);
    return event_of(body, 0);
}

static struct message words_event(const char *delay, long words)
{
    struct message body;
    FILE *f = compose(&body);

    fprintf(f, "{\"delay\":%s,\"sentence\":\"", delay);
    fill(f, "a ", 2 * (size_t)words);
    fprintf(f, "\"}");
    fclose(f);
    return event_of(body, 0);
}

/* An object of 6 MiB whose last member the handlers look for. */
static struct message large_event(size_t chunk_size)
{
    struct message body;
    FILE *f = compose(&body);

    fprintf(f, "{\"records\":[{}");
    fill(f,
         ",{\"id\":1234567,\"name\":\"a record like others\",\"on\":true,"
         "\"note\":\"The quick brown fox jumps over the lazy dog.\"}",
         6 * MIB - 64);
    fprintf(f, "],\"delay\":0,\"sentence\":\"Hello\"}");
    fclose(f);
    return event_of(body, chunk_size);
}

/*
 * The table
 */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The value below which so much of them lies. */
static double quantile(const double *values, int n, double part)
{
    double *sorted = malloc((size_t)n * sizeof *sorted), value;

    if (!sorted)
        die(NULL, "no memory");
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    value = sorted[(int)((n - 1) * part + 0.5)];
    free(sorted);
    return value;
}

static double ratio_of(const struct pairs *p)
{
    double ratios[ROUNDS_MAX];

    for (int i = 0; i < p->n; i++)
        ratios[i] = p->product[i] / p->floor[i];
    return quantile(ratios, p->n, 0.5);
}

/* No ratio where it is 0. */
static void print_row(const char *what, const char *unit, double ours,
                      double floors, double ratio, const char *target, int met)
{
    int digits = ours == (int)ours && floors == (int)floors ? 0
                 : ours < 10 && ours > -10                  ? 2
                 : ours < 100                               ? 1
                                                            : 0;
    char text[32] = "";

    if (ratio != 0)
        snprintf(text, sizeof text, "%.2f", ratio);
    if (bench.done++ == 0)
        printf("| work | product | beside it | ratio | target | |\n"
               "| --- | ---: | ---: | ---: | --- | --- |\n");
    printf("| %s | %.*f %s | %.*f %s | %s | %s | %s |\n", what, digits, ours,
           unit, digits, floors, unit, text, target,
           !*target ? ""
           : met    ? "met"
                    : "not met");
    fflush(stdout);
}

/* A row whose target, if any, is a ratio: at most, or if negative at least.
 * The values are in `unit` when divided by `by`. */
static void row(const char *what, const char *unit, const struct pairs *p,
                double by, double target)
{
    double ratio = ratio_of(p);
    char text[32] = "";

    if (target != 0)
        snprintf(text, sizeof text, "%s %.2f",
                 target > 0 ? "<=" : ">=", target > 0 ? target : -target);
    print_row(what, unit, quantile(p->product, p->n, 0.5) / by,
              quantile(p->floor, p->n, 0.5) / by, ratio, text,
              target > 0 ? ratio <= target : ratio >= -target);
}

/* So often, or in a quick run so often. */
static int rounds(int full, int quick)
{
    return option.quick ? quick : full;
}

/*
 * Work
 */

/* Several invocations of a client: the median time, and the CPU of one. */
static void run(struct client *c, const struct message *event, int times,
                double *ns, double *cpu)
{
    struct answer a = {.arrived = NULL};
    double each[1000];
    int64_t before = cpu_of(c);

    for (int i = 0; i < times; i++)
        each[i] = (double)invoke(c, event, &a);
    *ns = quantile(each, times, 0.5);
    *cpu = (double)(cpu_of(c) - before) / times;
}

/* Product and a floor in turn. */
static struct work measure(struct client *f, const struct message *event, int n,
                           int times)
{
    struct work w = {.time.n = n, .cpu.n = n};

    for (int i = 0; i < n; i++) {
        run(&product, event, times, &w.time.product[i], &w.cpu.product[i]);
        run(f, event, times, &w.time.floor[i], &w.cpu.floor[i]);
    }
    return w;
}

/* What is left of the values without `less`, divided. */
static void share(struct pairs *p, const struct pairs *less, double by)
{
    for (int i = 0; i < p->n; i++) {
        p->product[i] = (p->product[i] - (less ? less->product[i] : 0)) / by;
        p->floor[i] = (p->floor[i] - (less ? less->floor[i] : 0)) / by;
    }
}

/* Turns nanoseconds for so many MiB into MiB/s. */
static void to_speed(struct pairs *p, double mib)
{
    for (int i = 0; i < p->n; i++) {
        p->product[i] = mib / p->product[i] * 1e9;
        p->floor[i] = mib / p->floor[i] * 1e9;
    }
}

static void settle(struct client *c)
{
    c->moved_ns = now_ns();
    while (now_ns() - c->moved_ns < SETTLE_NS)
        follow(c);
}

/* System calls of an invocation; `first`: those before it. */
static double count(struct client *c, const struct message *event,
                    double *first)
{
    struct answer a = {.arrived = NULL};

    stop(c);
    c->traced = 1;
    (void)start(c);
    settle(c);
    *first = (double)c->calls;
    c->calls = c->clocks = 0;
    for (int i = 0; i < 3; i++)
        (void)invoke(c, event, &a);
    settle(c);
    stop(c);
    c->traced = 0;
    return (double)c->calls / 3;
}

static void count_row(const char *what, const struct message *event)
{
    struct pairs calls = {.n = 1}, first = {.n = 1};

    if (!bench.traceable)
        return;
    calls.product[0] = count(&product, event, first.product);
    calls.floor[0] = count(&bare, event, first.floor);
    row(what, "", &calls, 1, 1);
}

static void cold_start(void)
{
    struct message event = words_event("0", 1);
    struct pairs p = {.n = rounds(ROUNDS_MAX, 20)}, calls = {.n = 1};

    meet(option.bootstrap, &bare, &event, 0, 0);
    for (int i = 0; i < p.n; i++) {
        stop(&product);
        p.product[i] = (double)start(&product);
        stop(&bare);
        p.floor[i] = (double)start(&bare);
    }
    row("cold start: exec to the first request", "us", &p, 1e3, 1.1);
    if (bench.traceable) {
        (void)count(&product, &event, calls.product);
        (void)count(&bare, &event, calls.floor);
        row("cold start: system calls", "", &calls, 1, 0);
    }
    free(event.bytes);
}

static void cycle(void)
{
    struct message event = chunks_event(1, 14, 0);
    struct work w;

    meet(option.work, &bare, &event, 0, 0);
    w = measure(&bare, &event, rounds(40, 5), rounds(500, 100));
    row("hello, one chunk: an invocation", "us", &w.time, 1e3, 1.15);
    row("hello: CPU", "us", &w.cpu, 1e3, 1.25);
    count_row("hello: system calls", &event);
    free(event.bytes);
}

static void stream(void)
{
    struct message little = chunks_event(10, 80, 0);
    struct message much = chunks_event(1002, 80, 0);
    struct work ten, many;

    meet(option.work, &bare_too, &little, 0, 0);
    meet(option.work, &bare, &much, 0, 0);
    ten = measure(&bare_too, &little, rounds(60, 10), 50);
    many = measure(&bare, &much, rounds(60, 10), 5);
    row("10 messages of 80 bytes", "us", &ten.time, 1e3, 0);
    row("1,002 messages", "us", &many.time, 1e3, 0);
    share(&many.time, &ten.time, 992);
    share(&many.cpu, &ten.cpu, 992);
    row("each message more", "us", &many.time, 1e3, 1.15);
    row("each message more: CPU", "us", &many.cpu, 1e3, 1.15);
    count_row("1,002 messages: system calls", &much);
    stop(&bare_too);
    free(little.bytes);
    free(much.bytes);
}

/* How often the product reads the clock for a word: so often does a floor. */
static int clocks_of_word(const struct message *event, long words_in_it)
{
    double first;

    if (!bench.traceable)
        return 1;
    (void)count(&product, event, &first);
    return (int)((double)product.clocks / 3 / (double)words_in_it + 0.5);
}

static void word_row(const char *words, const char *what, int clocks,
                     const struct pairs *p, double target)
{
    char name[100];

    snprintf(name, sizeof name, "%s%s (floor reads the clock %s)", words, what,
             clocks == 0   ? "never"
             : clocks == 1 ? "once a word"
                           : "twice a word");
    row(name, "us", p, 1e3, target);
}

/* Is a word of a long sentence as cheap as one of a short sentence? For those
 * who stream much. Both in turn, and without a floor. */
static void word_of_longer(long more)
{
    struct message small = words_event("0", 1000);
    struct message large = words_event("0", more);
    struct pairs p = {.n = rounds(5, 2)};
    char name[100];
    double ns;

    for (int i = 0; i < p.n; i++) {
        run(&product, &small, 20, &ns, &p.floor[i]);
        run(&product, &large, 1, &ns, &p.product[i]);
        p.floor[i] /= 1000;
        p.product[i] /= (double)more;
    }
    snprintf(name, sizeof name,
             "CPU of a word in a sentence of %ld,000, beside one of 1,000",
             more / 1000);
    row(name, "us", &p, 1e3, 1.15);
    free(small.bytes);
    free(large.bytes);
}

/* The word streamer without pauses. What the product does for a word, beside
 * what must be done (a message), is to find it, to write a line of JSON, and to
 * read the clock: one floor reads it as often, another never. */
static void words(void)
{
    static const struct {
        long words;
        const char *name;
        int rounds, times;
    } sizes[] = {{1, "1 word", 40, 200},
                 {1000, "1,000 words, each", 40, 5},
                 {100000, "100,000 words, each", 5, 1}};

    struct message thousand = words_event("0", 1000);
    int clocks;

    meet(option.bootstrap, &bare, &thousand, 0, 0);
    count_row("1,000 words: system calls but clocks", &thousand);
    clocks = clocks_of_word(&thousand, 1000);
    for (int i = 0; i < 3; i++) {
        struct message event = words_event("0", sizes[i].words);
        int n = rounds(sizes[i].rounds, 2);
        double by = (double)sizes[i].words;
        struct work w;

        meet(option.bootstrap, &bare, &event, 0, 0);
        w = measure(&bare, &event, n, sizes[i].times);
        share(&w.cpu, NULL, by);
        word_row(sizes[i].name, ": CPU", 0, &w.cpu, i == 0 ? 0 : 1.1);
        meet(option.bootstrap, &bare, &event, clocks, 0);
        w = measure(&bare, &event, n, sizes[i].times);
        share(&w.time, NULL, by);
        share(&w.cpu, NULL, by);
        word_row(sizes[i].name, "", clocks, &w.time, 0);
        word_row(sizes[i].name, ": CPU", clocks, &w.cpu, 0);
        free(event.bytes);
    }
    free(thousand.bytes);
    word_of_longer(option.quick ? 100000 : 1000000);
}

static void bulk(void)
{
    struct message event = chunks_event(3200, 65536, 0);
    struct work w;

    meet(option.work, &bare, &event, 0, 0);
    w = measure(&bare, &event, rounds(60, 2), 1);
    to_speed(&w.time, 200);
    row("200 MiB in chunks of 64 KiB", "MiB/s", &w.time, 1, -0.95);
    free(event.bytes);
}

static void large_events(void)
{
    static const char *const names[] = {
        "event of 6 MiB: read alone", "event of 6 MiB: last member",
        "event of 6 MiB in chunks: last member"};

    for (int i = 0; i < 3; i++) {
        struct message event = i == 0 ? chunks_event(1, 14, 6 * MIB)
                                      : large_event(i == 2 ? 65536 : 0);
        struct work w;

        meet(option.work, &bare, &event, 0, 0);
        w = measure(&bare, &event, rounds(15, 3), 3);
        row(names[i], "ms", &w.time, 1e6, 0);
        free(event.bytes);
    }
}

/*
 * The tokenizer, and by its side, in the same process and in turn, a chain of
 * multiplications over the same bytes
 */

/* For work.c: how to read a text, which is written next. */
static FILE *compose_reading(struct message *body, const char *how)
{
    FILE *f = compose(body);

    fprintf(f, "%s ", how);
    return f;
}

/* The event with a text that was composed; its size in MiB. */
static struct message reading_event(struct message *body, FILE *f, double *mib)
{
    fclose(f);
    *mib = (double)body->length / MIB;
    return event_of(*body, 0);
}

/* Reads it once; gives the speed, and that of the multiplications. */
static void read_once(const struct message *event, double mib, double *ours,
                      double *chain)
{
    struct answer a = {.arrived = NULL};
    char *end;

    if (product.pid == 0) {
        choose(&product, option.work);
        (void)start(&product);
    }
    (void)invoke(&product, event, &a);
    *ours = mib / strtod(a.text, &end) * 1e9;
    *chain = mib / strtod(end, NULL) * 1e9;
    if (!(*ours > 0 && *chain > 0 && *ours < 1e9 && *chain < 1e9))
        die(&product, "did not read the event");
}

static void read_row(const char *name, struct message *body, FILE *f,
                     double target)
{
    struct pairs p = {.n = rounds(15, 3)};
    double mib;
    struct message event = reading_event(body, f, &mib);

    for (int i = 0; i < p.n; i++)
        read_once(&event, mib, &p.product[i], &p.floor[i]);
    row(name, "MiB/s", &p, 1, target);
    free(event.bytes);
}

static void read_url_event(const char *name, const char *how, int kilobytes,
                           double target)
{
    struct message body;
    FILE *f = compose_reading(&body, how);

    text_url_event(f, kilobytes);
    read_row(name, &body, f, target);
}

/* Is a text that is six times as long read as fast? Both in turn. */
static void read_longer(void)
{
    struct message body, events[2];
    struct pairs p = {.n = rounds(15, 3)};
    double mib[2], chain;

    for (int i = 0; i < 2; i++) {
        FILE *f = compose_reading(&body, "tokens");

        text_array(f, ",[]", i == 0 ? MIB : 6 * MIB);
        events[i] = reading_event(&body, f, &mib[i]);
    }
    for (int i = 0; i < p.n; i++) {
        read_once(&events[0], mib[0], &p.floor[i], &chain);
        read_once(&events[1], mib[1], &p.product[i], &chain);
    }
    row("[],[],... of 6 MiB, beside 1 MiB", "MiB/s", &p, 1, -0.8);
    free(events[0].bytes);
    free(events[1].bytes);
}

static void tokens(void)
{
    char name[64];

    for (size_t i = 0; i < text_kind_count; i++) {
        struct message body;
        FILE *f = compose_reading(&body, "tokens");

        text_array(f, text_kinds[i].element, MIB);
        snprintf(name, sizeof name, "tokenizer: %s", text_kinds[i].name);
        read_row(name, &body, f, -0.2);
    }
    read_url_event("tokenizer: URL event of 1 KB", "tokens", 1, 0);
    read_url_event("tokenizer: URL event of 2 KB", "tokens", 2, -1.4);
    read_url_event("tokenizer: URL event of 4 KB", "tokens", 4, 0);
    read_url_event("json_pick() of 7 members: URL event of 2 KB", "pick", 2, 0);
    read_longer();
}

/* Resident memory in KiB. */
static double resident(const struct client *c)
{
    char path[64], line[128];
    double kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)c->pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "Rss:", 4))
            kib = strtod(line + 4, NULL);
    if (f)
        fclose(f);
    return kib;
}

static void memory_row(const char *what, double room, const char *target)
{
    double ours = resident(&product), floors = resident(&bare);

    if (ours > 0 && floors > 0)
        print_row(what, "KiB", ours, floors, 0, target,
                  ours <= (room > 0 ? room : floors + 64));
}

static void memory(void)
{
    struct message hello = chunks_event(1, 14, 0), event = large_event(0);

    meet(option.bootstrap, &bare, &event, 0, 0);
    memory_row("resident: after an event of 6 MiB", 6 * 1024 + 128,
               "<= event + 128");
    stop(&product);
    stop(&bare);
    (void)start(&product);
    (void)start(&bare);
    memory_row("resident: idle", 0, "<= floor + 64");
    meet(option.work, &bare, &hello, 0, 0);
    (void)measure(&bare, &hello, rounds(100, 1), 1000);
    memory_row(option.quick ? "resident: after 1,000 invocations"
                            : "resident: after 100,000 invocations",
               0, "<= floor + 64");
    free(hello.bytes);
    free(event.bytes);
}

/* How late the words of a response were, in microseconds: word n is due that
 * many delays after the first chunk, which leaves when the clock is started. */
static void lateness(struct client *c, const struct message *event, int words,
                     double *us)
{
    int64_t arrived[PACED_WORDS + 2];
    struct answer a = {.arrived = arrived};

    (void)invoke(c, event, &a);
    if (a.chunks != words + 2)
        die(c, "sent too many words, or too few");
    for (int i = 0; i < words; i++)
        us[i] = (double)(arrived[i + 1] - arrived[0] - i * PACE_NS) / 1e3;
}

/* How much later the last hundred words were than the first. */
static double drift(const double *us, int words)
{
    return quantile(us + words - 100, 100, 0.5) - quantile(us, 100, 0.5);
}

static void pacing(void)
{
    double ours[PACED_WORDS], floors[PACED_WORDS];
    int words = rounds(PACED_WORDS, 200);
    struct message event = words_event("0", words);
    struct message paced = words_event("0.005", words);
    struct pairs median, late, end;
    double drifted;

    meet(option.bootstrap, &bare, &event, 0, PACE_NS);
    median.n = late.n = end.n = rounds(9, 2);
    for (int i = 0; i < median.n; i++) {
        lateness(&product, &paced, words, ours);
        lateness(&bare, &paced, words, floors);
        median.product[i] = quantile(ours, words, 0.5);
        median.floor[i] = quantile(floors, words, 0.5);
        late.product[i] = quantile(ours, words, 0.99);
        late.floor[i] = quantile(floors, words, 0.99);
        end.product[i] = drift(ours, words);
        end.floor[i] = drift(floors, words);
    }
    row("words at 5 ms: lateness, median", "us", &median, 1, 0);
    row("words at 5 ms: lateness, p99", "us", &late, 1, 1.2);
    drifted = quantile(end.product, end.n, 0.5);
    print_row("words at 5 ms: drift", "us", drifted,
              quantile(end.floor, end.n, 0.5), 0, "<= 100", drifted <= 100);
    free(event.bytes);
    free(paced.bytes);
}

/*
 * The whole
 */

/* One core for this program and another for the clients. */
static void choose_cores(void)
{
    cpu_set_t all;
    int found = 0;

    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    for (size_t i = 0; i < CPU_SETSIZE && !bench.pinned; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_SET(i, found ? &bench.theirs : &bench.own);
        bench.pinned = found;
        found = 1;
    }
    if (bench.pinned)
        sched_setaffinity(0, sizeof bench.own, &bench.own);
}

/* System calls are counted where the kernel permits it. */
static int can_trace(void)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void listen_here(void)
{
    unsigned port;

    bench.listener = listen_on_loopback(SOCK_NONBLOCK | SOCK_CLOEXEC, &port);
    snprintf(bench.port, sizeof bench.port, "%u", port);
    snprintf(bench.environment, sizeof bench.environment,
             "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%s", bench.port);
}

static void read_options(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && *argv[i] == '-'; i++) {
        if (!strcmp(argv[i], "--quick"))
            option.quick = 1;
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            option.only = argv[++i];
        else
            break;
    }
    if (argc - i != 3) {
        fputs("usage: bench [--quick] [--only NAME] BOOTSTRAP WORK FLOOR\n"
              "NAME: start, cycle, stream, words, bulk, event, tokens, memory, "
              "pacing\n",
              stderr);
        exit(2);
    }
    option.bootstrap = argv[i];
    option.work = argv[i + 1];
    option.floor = argv[i + 2];
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } pieces[] = {
        {"start", cold_start}, {"cycle", cycle},   {"stream", stream},
        {"words", words},      {"bulk", bulk},     {"event", large_events},
        {"tokens", tokens},    {"memory", memory}, {"pacing", pacing}};

    read_options(argc, argv);
    bench.began_ns = now_ns();
    listen_here();
    choose_cores();
    /* Where that is permitted, what else runs here has to wait. */
    (void)setpriority(PRIO_PROCESS, 0, -20);
    bench.traceable = can_trace();
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (option.only && strcmp(option.only, pieces[i].name) != 0)
            continue;
        fprintf(stderr, "bench: %3d s: %s\n",
                (int)((now_ns() - bench.began_ns) / SECOND_NS), pieces[i].name);
        pieces[i].run();
        stop(&product);
        stop(&bare);
    }
    printf(bench.traceable ? "\n" : "\nskipped: system calls: no ptrace\n");
    printf("%d passed, 0 failed%s\n", bench.done,
           bench.traceable ? "" : ", 1 skipped");
    return fflush(stdout) != 0 || bench.done == 0;
}
