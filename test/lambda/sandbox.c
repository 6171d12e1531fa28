#define _DEFAULT_SOURCE
#include "sandbox.h"

#include "conn.h"
#include "log.h"
#include "process.h"
#include "runtime_api.h"
#include "tree.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a runtime gets to end by itself after it has reported that its
 * initialisation failed. */
#define INIT_ERROR_NS (NS_PER_S / 2)
/* The deadline that a runtime is told where there is none: Lambda's latest. */
#define NO_TIMEOUT_MS 900000
/* What may wait for a sandbox: requests, and bytes of their events. */
#define QUEUE_MAX       10000u
#define QUEUE_BYTES_MAX (64u * 1024u * 1024u)
/* A longer line of a runtime's output is passed on in pieces. */
#define LOG_LINE_BYTES_MAX 16384u
/* Pieces of 4 KiB: as much as a pipe can be made to hold. */
#define OUTPUT_READS_MAX 256

static const struct settings *settings;
static struct sandbox *pool;
static struct invocation *queue, **queue_end = &queue;
static size_t queue_size, queue_bytes;

static void dispatch(void);
static void begin(struct sandbox *box);

static void output_flush(struct sandbox *box, bool all)
{
    for (;;) {
        struct slice s = buf_slice(&box->output_text);
        const unsigned char *lf = memchr(s.data, '\n', s.size);

        if (lf != NULL) {
            /* All complete lines leave together. */
            while (s.data[s.size - 1] != '\n') {
                s.size--;
            }
        } else if (s.size > 0 && (all || s.size >= LOG_LINE_BYTES_MAX)) {
            buf_byte(&box->output_text, '\n');
            s = buf_slice(&box->output_text);
        } else {
            return;
        }
        log_output(s);
        buf_consume(&box->output_text, s.size);
    }
}

static bool output_read(struct sandbox *box)
{
    char piece[4096];
    ssize_t n = read(box->output.fd, piece, sizeof piece);

    if (n > 0) {
        buf_add(&box->output_text, piece, (size_t)n);
        output_flush(box, false);
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

/* What has been written by now. A process that goes on writing does not keep
 * us here. */
static void output_take(struct sandbox *box)
{
    for (int i = 0;
         box->output.fd >= 0 && i < OUTPUT_READS_MAX && output_read(box); i++) {
    }
    output_flush(box, true);
}

static void output_close(struct sandbox *box)
{
    if (box->output.fd < 0) {
        return;
    }
    output_take(box);
    loop_remove(&box->output);
    close(box->output.fd);
    box->output.fd = -1;
    buf_clear(&box->output_text);
}

static void on_output(struct watch *w, short revents)
{
    struct sandbox *box = CONTAINER(w, struct sandbox, output);

    (void)revents;
    errno = 0;
    if (!output_read(box) && errno != EAGAIN) {
        output_close(box);
    }
}

static void on_connection(struct watch *w, short revents)
{
    (void)revents;
    api_accept(CONTAINER(w, struct sandbox, listener));
}

static void on_accept_pause(struct watch *w)
{
    w->events = POLLIN;
}

static void finish(struct sandbox *box)
{
    struct invocation *i = box->invocation;
    long memory = box->memory_kib;

    output_take(box);

    if (box->pid != 0 && !box->exited) {
        memory = process_memory(box->pid);
    }
    box->invocation = NULL;
    box->again = false;
    box->timer.due = 0;
    box->used = now_ns();
    wire_invocation_ends(box->number);
    invocation_finish(i, memory);
}

static void condemn(struct sandbox *box)
{
    box->condemned = true;
    box->state = RUNTIME_OFF;
    if (box->pid != 0 && !box->exited) {
        (void)kill(-box->pid, SIGKILL);
    }
    api_close(box);
}

static void run_out(struct sandbox *box)
{
    struct invocation *i = box->invocation;

    /* RAPID itself calls it Sandbox.Timeout; this is what callers see. */
    i->status = "timeout";
    invocation_fail(i, "Sandbox.Timedout", "Task timed out after %.2f seconds",
                    (double)settings->timeout_ns / 1e9);
    finish(box);
    condemn(box);
}

static void fail_of_exit(struct sandbox *box)
{
    struct invocation *i = box->invocation;
    char how[64];

    process_describe(box->wait_status, how, sizeof how);
    if (WIFEXITED(box->wait_status) && WEXITSTATUS(box->wait_status) == 0) {
        invocation_fail(i, "Runtime.ExitError",
                        "Runtime exited without providing a reason");
    } else {
        invocation_fail(i, "Runtime.ExitError", "Runtime exited with error: %s",
                        how);
    }
}

static void settle(struct sandbox *box)
{
    api_close(box);
    output_close(box);
    if (box->invocation != NULL && box->again && box->condemned) {
        box->exited = false;
        begin(box);
        return;
    }
    if (box->invocation != NULL) {
        fail_of_exit(box);
        finish(box);
    } else if (box->state == RUNTIME_READY) {
        char how[64];

        process_describe(box->wait_status, how, sizeof how);
        log_line(LOG_NOTE, "an idle runtime ended: %s", how);
    }
    box->exited = false;
    box->pid = 0;
    box->state = RUNTIME_OFF;
    box->timer.due = 0;
    dispatch();
}

void sandbox_settle_soon(struct sandbox *box)
{
    box->timer.due = now_ns();
}

static void on_timer(struct watch *w)
{
    struct sandbox *box = CONTAINER(w, struct sandbox, timer);

    if (box->exited) {
        settle(box);
    } else if (box->state == RUNTIME_STARTED && !box->again) {
        log_line(LOG_REPORT,
                 "INIT_REPORT Init Duration: %.2f ms Phase: init "
                 "Status: timeout",
                 (double)(now_ns() - box->started) / 1e6);
        box->again = true;
        condemn(box);
    } else if (box->invocation != NULL) {
        run_out(box);
    } else if (box->state == RUNTIME_INIT_ERROR) {
        condemn(box);
    }
}

/* The time that an invocation may take begins now. */
static void start_clock(struct sandbox *box)
{
    struct invocation *i = box->invocation;
    int64_t limit = settings->timeout_ns;

    i->started = now_ns();
    i->deadline_ms = wall_ms() +
                     (limit == 0 ? NO_TIMEOUT_MS : limit / NS_PER_MS);
    box->timer.due = limit == 0 ? 0 : i->started + limit;
}

/* Delivers the event if the runtime is asking for one. The time limit counts
 * from here in both cases. */
static void run(struct sandbox *box)
{
    struct invocation *i = box->invocation;

    if (!box->again) {
        start_clock(box);
    }
    if (api_is_polled(box)) {
        box->state = RUNTIME_RUNNING;
        box->epoch = i->started;
        wire_invocation_starts(box->number, i->id);
        api_deliver(box);
    }
}

static bool start(struct sandbox *box)
{
    int output;
    pid_t pid;

    if (box->listener.fd < 0) {
        uint16_t wanted = box->number == 1 ? settings->api_port : 0;

        box->listener.fd = listen_on(settings->api_host, wanted, &box->port);
        if (box->listener.fd < 0) {
            return false;
        }
        box->listener.events = POLLIN;
        loop_add(&box->listener);
    }
    pid = process_start(settings, box->port, &box->mark, &output);
    if (pid < 0) {
        return false;
    }
    box->pid = pid;
    box->state = RUNTIME_STARTED;
    box->exited = box->condemned = false;
    box->memory_kib = 0;
    box->init_ns = 0;
    box->conn_count = 0;
    box->started = box->epoch = now_ns();
    if (box->again) {
        start_clock(box);
    } else if (settings->init_timeout_ns > 0) {
        box->timer.due = box->started + settings->init_timeout_ns;
    }
    box->output.fd = output;
    box->output.events = POLLIN;
    loop_add(&box->output);
    wire_process_starts(box->number, (long)pid, (unsigned)box->port);
    return true;
}

static void begin(struct sandbox *box)
{
    if (!start(box)) {
        invocation_fail(box->invocation, "Runtime.InvalidEntrypoint",
                        "cannot run %s: %s", settings->program.path,
                        strerror(errno));
        finish(box);
    }
}

static void assign(struct sandbox *box, struct invocation *i)
{
    box->invocation = i;
    i->sandbox = box;
    i->throttled = settings->throttle;
    if (box->state == RUNTIME_READY) {
        run(box);
    } else {
        begin(box);
    }
}

/* The one used last is the most likely to be in the caches; the others get
 * the chance to stay idle. */
static struct sandbox *pick(void)
{
    struct sandbox *idle = NULL, *off = NULL;

    for (unsigned n = 0; n < settings->concurrency; n++) {
        struct sandbox *box = &pool[n];

        if (box->invocation != NULL || box->exited) {
            continue;
        }
        if (box->state == RUNTIME_READY) {
            idle = idle == NULL || box->used > idle->used ? box : idle;
        } else if (box->pid == 0 && off == NULL) {
            off = box;
        }
    }
    return idle != NULL ? idle : off;
}

static void unlink_invocation(struct invocation *i)
{
    *i->link = i->next;
    if (i->next != NULL) {
        i->next->link = i->link;
    } else {
        queue_end = i->link;
    }
    i->link = NULL;
    i->next = NULL;
    queue_size--;
    queue_bytes -= buf_size(&i->event);
}

static void dispatch(void)
{
    struct sandbox *box;

    while (queue != NULL && (box = pick()) != NULL) {
        struct invocation *i = queue;

        unlink_invocation(i);
        assign(box, i);
    }
}

bool pool_submit(struct invocation *i)
{
    size_t size = buf_size(&i->event);

    /* One that need not wait is no matter of the queue's. */
    if (queue_size >= QUEUE_MAX ||
        (queue != NULL && size > QUEUE_BYTES_MAX - queue_bytes)) {
        return false;
    }
    i->link = queue_end;
    *queue_end = i;
    queue_end = &i->next;
    queue_size++;
    queue_bytes += size;
    dispatch();
    return true;
}

bool pool_withdraw(struct invocation *i)
{
    if (i->link == NULL) {
        return false;
    }
    unlink_invocation(i);
    return true;
}

void sandbox_next(struct sandbox *box)
{
    switch (box->state) {
    case RUNTIME_STARTED:
        if (!box->again) {
            box->init_ns = now_ns() - box->started;
            box->timer.due = 0;
        }
        box->state = RUNTIME_READY;
        if (box->invocation != NULL) {
            box->invocation->init_ns = box->init_ns;
            run(box);
        }
        break;
    case RUNTIME_READY:
        if (box->invocation != NULL) {
            run(box);
        }
        break;
    case RUNTIME_RUNNING:
        api_deliver(box);
        break;
    case RUNTIME_RESPONSE_SENT:
        box->state = RUNTIME_READY;
        finish(box);
        dispatch();
        break;
    default:
        break;
    }
}

void sandbox_init_error(struct sandbox *box, const struct failure *failure)
{
    box->state = RUNTIME_INIT_ERROR;
    if (box->invocation != NULL) {
        invocation_answer(box->invocation, failure);
        finish(box);
    }
    box->timer.due = now_ns() + INIT_ERROR_NS;
}

static void on_exit_of(struct sandbox *box, int status,
                       const struct rusage *usage)
{
    box->exited = true;
    box->wait_status = status;
#if defined(__APPLE__)
    box->memory_kib = usage->ru_maxrss / 1024;
#else
    box->memory_kib = usage->ru_maxrss;
#endif
    /* Its last words may still be in the sockets. */
    if (!box->condemned) {
        api_drain(box);
    }
    /* A slow caller may still have to make room for them; the time limit
     * stands meanwhile. */
    if (box->upload == NULL) {
        settle(box);
    }
}

static struct sandbox *sandbox_of(pid_t pid)
{
    for (unsigned n = 0; n < settings->concurrency; n++) {
        if (pool[n].pid == pid && !pool[n].exited) {
            return &pool[n];
        }
    }
    return NULL;
}

static void on_child(int number)
{
    siginfo_t info;

    (void)number;
    for (;;) {
        struct sandbox *box;
        struct rusage usage;
        int status;

        memset(&info, 0, sizeof info);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == 0) {
            return;
        }
        box = sandbox_of(info.si_pid);
        if (box != NULL) {
            /* Its number cannot have been taken by another process or group
             * before it is reaped. */
            (void)kill(-box->pid, SIGKILL);
            tree_kill(box->pid, box->mark.text);
        }
        if (wait4(info.si_pid, &status, 0, &usage) != info.si_pid) {
            return;
        }
        if (box != NULL) {
            on_exit_of(box, status, &usage);
        }
    }
}

bool pool_open(const struct settings *chosen)
{
    settings = chosen;
    pool = allocate(settings->concurrency * sizeof *pool);
    for (unsigned n = 0; n < settings->concurrency; n++) {
        struct sandbox *box = &pool[n];

        box->number = n + 1;
        box->listener.fd = box->output.fd = box->timer.fd = -1;
        box->listener.on_io = on_connection;
        box->listener.on_due = on_accept_pause;
        box->output.on_io = on_output;
        box->timer.on_due = on_timer;
        loop_add(&box->timer);
    }
    /* The first port is taken at once, so that a busy one is told early. */
    pool[0].listener.fd = listen_on(settings->api_host, settings->api_port,
                                    &pool[0].port);
    if (pool[0].listener.fd < 0) {
        return false;
    }
    pool[0].listener.events = POLLIN;
    loop_add(&pool[0].listener);
    loop_signal(SIGCHLD, on_child);
    tree_adopt();
    return true;
}

uint16_t pool_port(void)
{
    return pool[0].port;
}

void pool_close(void)
{
    for (unsigned n = 0; pool != NULL && n < settings->concurrency; n++) {
        if (pool[n].pid != 0 && !pool[n].exited) {
            (void)kill(-pool[n].pid, SIGKILL);
        }
    }
    for (unsigned n = 0; pool != NULL && n < settings->concurrency; n++) {
        if (pool[n].pid != 0 && !pool[n].exited) {
            while (waitpid(pool[n].pid, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    tree_kill_all();
    for (unsigned n = 0; pool != NULL && n < settings->concurrency; n++) {
        output_close(&pool[n]);
    }
}
