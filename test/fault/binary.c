/*
 * binary.c - every system call of the production binary fails
 *
 *     binary BOOTSTRAP                         `N passed, N failed`
 *     binary BOOTSTRAP writev:error=EPIPE:when=3    one run, and its trace
 *
 * What fault.c does in a simulated kernel, strace does here in the real one,
 * with the same peer behind sockets. The last request gets status 500, so that
 * the run ends. strace fails a call instead of making it: there are no short
 * counts but 0, a connect() that is interrupted does not go on, and what is not
 * closed stays open.
 */
#define _DEFAULT_SOURCE
#include "test/fault/fault.h"
#include "test/unit/loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* So many bytes of trace since the peer has heard of it: it waits, and wakes up
 * again and again. Between two bytes of an exchange it makes a few calls. */
#define WAITS_BYTES 16384
/* Or it sleeps in one call for longer than any delay here, in seconds. */
#define SLEEPS_S 60
/* Nothing has happened for so long, not even that: it hangs. */
#define HANGS_MS 60000
/* What getsockopt() is called after. */
#define INTERRUPTED "inject=connect:error=EINTR:when=1"
/* Most of a run is waiting. */
#define WORKERS 8

#ifdef SYS_poll
#define POLL "poll("
#else
#define POLL "ppoll("
#endif

/* The calls that a run makes, as they begin in a trace. */
static const struct {
    const char *call;
    int effect;
    const char *codes[5];
} grid[] = {
    {"rt_sigaction(", HARMLESS, {"error=EINVAL"}},
    {"socket(", FATAL, {"error=EMFILE", "error=ENOBUFS"}},
    {"fcntl(0, F_DUPFD", FATAL, {"error=EMFILE"}},
    {"connect(",
     FATAL,
     {"error=EINTR", "error=ECONNREFUSED", "error=ETIMEDOUT"}},
    {"setsockopt(", HARMLESS, {"error=ENOMEM"}},
    {POLL, HARMLESS, {"error=EINTR", "error=ENOMEM"}},
    {"read(", HARMLESS, {"error=EINTR"}},
    {"read(", FATAL, {"error=ECONNRESET", "error=ETIMEDOUT", "retval=0"}},
    {"writev(", HARMLESS, {"error=EINTR"}},
    {"writev(", STARVING, {"error=EAGAIN", "error=ENOBUFS", "retval=0"}},
    {"writev(", FATAL, {"error=EPIPE", "error=ECONNRESET"}},
    {"write(", HARMLESS, {"error=EPIPE", "retval=0"}},
    {"close(", HARMLESS, {"error=EINTR", "error=EIO"}},
    {"nanosleep(", HARMLESS, {"error=EINTR"}},
    {"clock_gettime(", TIMELESS, {"error=EPERM"}}};

static const struct plan plan = {.early = -1,
                                 .attacked = -1,
                                 .close_each = 1,
                                 .closed_stdin = 1,
                                 .final_status = 500};
static const char *bootstrap;
static char trace[64] = "build/fault/trace", log_file[64] = "build/fault/log";
static struct peer peer;

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* With -D the tracer is a grandchild: the child is bootstrap itself. */
static pid_t start(unsigned port, const char *injection)
{
    char api[32], inject[128];
    pid_t pid = fork();
    int log;

    if (pid != 0)
        return pid;
    snprintf(api, sizeof api, "127.0.0.1:%u", port);
    snprintf(inject, sizeof inject, "inject=%s", injection);
    setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
    log = open(log_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(log, 2);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    close(0);
    execlp("strace", "strace", "-D", "-q", "-o", trace, "-e",
           *injection ? inject : "signal=none", "-e",
           strncmp(injection, "getsockopt", 10) ? "signal=none" : INTERRUPTED,
           bootstrap, (char *)NULL);
    perror("strace");
    _exit(127);
}

/* Takes what came on a connection, and answers. 0 when it is closed. */
static int serve(int fd, int connection)
{
    struct connection *c = &peer.connection[connection];
    char bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return 1;
    if (n <= 0) {
        peer_close(&peer, connection);
        close(fd);
        return 0;
    }
    peer_take(&peer, connection, bytes, (size_t)n);
    while (c->pending && c->sent < c->answer.length) {
        n = send(fd, c->answer.bytes + c->sent, c->answer.length - c->sent,
                 MSG_NOSIGNAL);
        if (n < 0)
            break;
        peer_sent(&peer, connection, (size_t)n);
    }
    return 1;
}

static long trace_size(void)
{
    struct stat s;

    return stat(trace, &s) == 0 ? (long)s.st_size : 0;
}

/* Whether the call that has not returned yet, at the end of the trace, is a
 * long sleep. */
static int sleeps_long(void)
{
    char end[128];
    FILE *file = fopen(trace, "r");
    long long seconds = 0;
    const char *line;
    size_t n;

    if (!file)
        return 0;
    (void)fseek(file, trace_size() < 127 ? 0 : -127, SEEK_END);
    n = fread(end, 1, 127, file);
    fclose(file);
    end[n] = '\0';
    line = strrchr(end, '\n');
    return line && sscanf(line + 1, "nanosleep({tv_sec=%lld", &seconds) == 1 &&
           seconds > SLEEPS_S;
}

/* Plays the peer until bootstrap ends, or nothing more happens. */
static enum outcome play(int listener, pid_t pid, int closes, int *status)
{
    struct pollfd p[2] = {{.fd = listener, .events = POLLIN},
                          {.fd = -1, .events = POLLIN}};
    long last_ms = now_ms(), last_size = 0;
    enum outcome outcome = EXITED;
    int connection = -1;

    while (waitpid(pid, status, WNOHANG) == 0) {
        if (outcome == EXITED &&
            (trace_size() - last_size > WAITS_BYTES || sleeps_long()))
            outcome = WAITED;
        else if (outcome == EXITED && now_ms() - last_ms > HANGS_MS)
            outcome = NOTHING;
        if (outcome != EXITED)
            kill(pid, SIGKILL);
        if (poll(p, 2, 5) <= 0)
            continue;
        last_ms = now_ms();
        last_size = trace_size();
        if (p[1].fd >= 0 && !serve(p[1].fd, connection))
            p[1].fd = -1;
        if (!(p[0].revents & POLLIN))
            continue;
        if (p[1].fd >= 0 && serve(p[1].fd, connection)) {
            if (closes)
                peer_wrong(&peer, "a connection is left open");
            close(p[1].fd);
        }
        p[1].fd = accept(listener, NULL, NULL);
        connection = peer_open(&peer);
    }
    if (p[1].fd >= 0)
        close(p[1].fd);
    return outcome;
}

static void read_log(struct result *r)
{
    FILE *file = fopen(log_file, "r");
    char line[1024];

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "rawstream: ", 11) != 0)
            peer_wrong(&peer, "on stderr: %.60s", line);
        else if (strstr(line, "\"errorMessage\":"))
            r->reports++;
        else if (!strstr(line, "status 500"))
            r->lines++;
    }
    if (file)
        fclose(file);
}

static struct result run_binary(const char *injection)
{
    struct result r = {.outcome = NOTHING};
    unsigned port;
    int listener = listen_on_loopback(0, &port), status;
    long begin_ms = now_ms();

    (void)unlink(trace); /* of the run before */
    peer_start(&peer, &plan, port);
    r.outcome = play(listener, start(port, injection),
                     strncmp(injection, "close:", 6) != 0, &status);
    close(listener);
    read_log(&r);
    r.elapsed_ms = now_ms() - begin_ms;
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (r.outcome == EXITED && peer.finished && r.lines < 5)
        r.outcome = RAN;
    r.connections = peer.count;
    r.answered = peer.answered;
    r.lost = peer.lost;
    memcpy(r.why, peer.wrong, sizeof r.why);
    return r;
}

static void judge(const struct result *r, const struct result *good, int effect,
                  int stuck)
{
    CHECK_TEXT(r->why, "");
    if (r->outcome != WAITED)
        CHECK_INT(r->status, 1);
    if (effect == FATAL && stuck) {
        CHECK_INT(r->outcome, EXITED);
        CHECK_INT(r->lines, 5);
        CHECK(r->elapsed_ms >= 300);
    } else if (effect == FATAL) {
        CHECK_INT(r->outcome, RAN);
        CHECK_INT(r->answered + r->lost, EVENTS);
        CHECK(r->lost <= 1);
        CHECK_INT(r->lines, 1);
    } else if (effect == STARVING && stuck) {
        CHECK_INT(r->outcome, WAITED);
        CHECK_INT(r->lines, 0);
    } else if (effect != TIMELESS || r->outcome != WAITED) {
        check_same(r, good);
    }
}

static void fail_call(const struct result *good, const char *line, int n)
{
    char call[32], injection[96];
    int known = 0;

    snprintf(call, sizeof call, "%.*s", (int)strcspn(line, "("), line);
    for (size_t i = 0; i < sizeof grid / sizeof *grid; i++) {
        if (strncmp(line, grid[i].call, strlen(grid[i].call)) != 0)
            continue;
        known = 1;
        for (const char *const *code = grid[i].codes; *code; code++) {
            for (int stuck = 0; stuck < 2; stuck++) {
                int last = grid[i].effect == HARMLESS ? n + 20 : 60000;
                struct result r;

                snprintf(injection, sizeof injection, "%s:%s:when=%d..%d", call,
                         *code, n, stuck ? last : n);
                unit_case("binary %s %s", bootstrap, injection);
                r = run_binary(injection);
                if (strcmp(call, "write") == 0) /* the log: lost */
                    r.reports = good->reports;
                judge(&r, good, grid[i].effect, stuck);
            }
        }
    }
    unit_case("%s is known here", call);
    CHECK(known || strcmp(call, "execve") == 0 || *call == '+' ||
          strcmp(call, "exit_group") == 0);
}

/* The calls of a run without a fault, each a line of the trace. */
static int read_trace(char (*lines)[80])
{
    FILE *file = fopen(trace, "r");
    char line[1024];
    int count = 0;

    while (file && count < 500 && fgets(line, sizeof line, file))
        snprintf(lines[count++], sizeof *lines, "%.79s", line);
    if (file)
        fclose(file);
    return count;
}

/* Each of the workers fails every WORKERS-th call. */
static void work(int worker, const struct result *good, char (*lines)[80],
                 int count)
{
    snprintf(trace, sizeof trace, "build/fault/trace.%d", worker);
    snprintf(log_file, sizeof log_file, "build/fault/log.%d", worker);
    for (int i = worker; i < count; i += WORKERS) {
        size_t length = strcspn(lines[i], "(") + 1;
        int n = 1;

        for (int before = 0; before < i; before++)
            n += strncmp(lines[before], lines[i], length) == 0;
        fail_call(good, lines[i], n);
    }
    unit_close();
}

static void fail_getsockopt(const struct result *good)
{
    static const char injection[] = "getsockopt:error=ENOBUFS:when=1";
    struct result r = run_binary(injection);

    unit_case("binary %s %s", bootstrap, injection);
    judge(&r, good, FATAL, 0);
}

static void fail_all(const struct result *good)
{
    static char lines[500][80];
    int count = read_trace(lines), sums[2], ends[2];

    if (pipe(ends) != 0)
        exit(1);
    fflush(stdout);
    for (int worker = 0; worker < WORKERS; worker++) {
        if (fork() > 0)
            continue;
        unit.passed = unit.failed = unit.open = 0;
        work(worker, good, lines, count);
        sums[0] = unit.passed;
        sums[1] = unit.failed;
        fflush(stdout);
        _exit(write(ends[1], sums, sizeof sums) < 0);
    }
    close(ends[1]);
    for (int worker = 0; worker < WORKERS; worker++) {
        if (read(ends[0], sums, sizeof sums) != sizeof sums)
            exit(1);
        unit.passed += sums[0];
        unit.failed += sums[1];
    }
    printf("each of %d calls has failed\n", count);
}

int main(int argc, char **argv)
{
    struct result good;

    if (argc < 2)
        return 2;
    bootstrap = argv[1];
    if (system("strace -o /dev/null true 2>/dev/null") != 0) {
        unit_skip("the production binary under faults", "strace does not work");
        return unit_end();
    }
    good = run_binary(argc > 2 ? argv[2] : "");
    if (argc > 2)
        return system("cat build/fault/trace build/fault/log") != 0;
    unit_case("no fault");
    CHECK_TEXT(good.why, "");
    CHECK_INT(good.outcome, RAN);
    CHECK_INT(good.answered, EVENTS);
    CHECK_INT(good.lines, 0);
    fail_all(&good);
    fail_getsockopt(&good);
    return unit_end();
}
