#define _DEFAULT_SOURCE
#include "sandbox.h"

#include "conn.h"
#include "extension.h"
#include "log.h"
#include "pool.h"
#include "runtime_api.h"
#include "tree.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a runtime gets to end by itself after it has reported that its
 * initialisation failed. */
#define INIT_ERROR_NS (NS_PER_S / 2)
/* The deadline that a runtime is told where there is none: Lambda's latest. */
#define NO_TIMEOUT_MS 900000
/* What Lambda gives a sandbox with extensions to end, and one whose extensions
 * are the runtime's own. */
#define SHUTDOWN_NS          (2 * NS_PER_S)
#define SHUTDOWN_INTERNAL_NS (NS_PER_S / 2)
/* How often a runtime's memory is looked at. */
#define MEMORY_NS (NS_PER_S / 10)
/* A program that somebody has open for writing cannot be run yet. */
#define TRY_NS    (NS_PER_S / 20)
#define TRIES_MAX 200

static void begin(struct sandbox *box);

static void on_connection(struct watch *w, short revents)
{
    (void)revents;
    api_accept(CONTAINER(w, struct sandbox, listener));
}

static void on_accept_pause(struct watch *w)
{
    w->events = POLLIN;
}

static bool contains(struct slice s, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i + size <= s.size; i++) {
        if (memcmp(s.data + i, text, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Of several invocations, a line is that of the one whose id is in it. */
static void on_lines(struct output *o, struct slice lines)
{
    struct sandbox *box = CONTAINER(o, struct sandbox, output);

    for (struct invocation *i = box->invocations; i != NULL; i = i->next) {
        struct slice rest = lines;

        while (i->wants_tail && rest.size > 0) {
            struct slice line = slice_cut(&rest, '\n');

            line.size++;
            if (box->settings->max_concurrency == 0 || contains(line, i->id)) {
                invocation_output(i, line);
            }
        }
    }
}

static void add(struct sandbox *box, struct invocation *i)
{
    i->sandbox = box;
    i->next = box->invocations;
    i->link = NULL;
    box->invocations = i;
    box->invocation_count++;
}

static void take_out(struct invocation *i)
{
    struct invocation **at = &i->sandbox->invocations;

    while (*at != i) {
        at = &(*at)->next;
    }
    *at = i->next;
    i->next = NULL;
    i->sandbox->invocation_count--;
}

static void finish(struct invocation *i)
{
    struct sandbox *box = i->sandbox;
    long memory = box->memory_kib;

    /* With several at once, a line that has not ended may be another's. */
    output_take(&box->output, box->settings->max_concurrency == 0);
    if (box->pid != 0 && !box->exited && memory == 0) {
        memory = process_memory(box->proc);
    }
    take_out(i);
    loop_remove(&i->timer);
    box->again = false;
    box->used = now_ns();
    wire_invocation_ends(box->number);
    invocation_finish(i, memory);
}

/* Ends what runs. Where there are extensions they are told, and get time; a
 * runtime that need not end at once gets it, too, as in Lambda. */
static void condemn(struct sandbox *box, const char *reason)
{
    bool gently = extensions_any(box) && strcmp(reason, "spindown") == 0;
    bool alive = extensions_alive(box);
    int64_t time = alive ? SHUTDOWN_NS : SHUTDOWN_INTERNAL_NS;

    box->condemned = true;
    box->state = RUNTIME_OFF;
    box->timer.due = gently || alive ? now_ns() + time : 0;
    if (box->pid != 0 && !box->exited) {
        (void)kill(-box->pid, gently ? SIGTERM : SIGKILL);
    }
    extensions_shutdown(box, reason, wall_ms() + time / NS_PER_MS);
    api_close(box, !alive);
}

static void remember_late(struct sandbox *box, const struct invocation *i)
{
    size_t max = box->settings->max_concurrency * 2;

    if (box->late == NULL) {
        box->late = allocate(max * sizeof *box->late);
    }
    memcpy(box->late[box->late_next++ % max], i->id, sizeof i->id);
}

/* Of several invocations one alone is given up: the process goes on, and what
 * it still posts for it comes too late. */
static void run_out(struct invocation *i)
{
    struct sandbox *box = i->sandbox;
    bool several = box->settings->max_concurrency > 0;

    /* RAPID itself calls it Sandbox.Timeout; this is what callers see. */
    i->status = "timeout";
    if (several) {
        remember_late(box, i);
        api_abandon(i);
    }
    invocation_fail(i, "Sandbox.Timedout", "Task timed out after %.2f seconds",
                    (double)box->settings->timeout_ns / 1e9);
    finish(i);
    if (!several || box->state == RUNTIME_STARTED) {
        condemn(box, "timeout");
    } else {
        pool_dispatch();
    }
}

static void fail_of_exit(struct invocation *i)
{
    int status = i->sandbox->wait_status;
    char how[64];

    process_describe(status, how, sizeof how);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        invocation_fail(i, "Runtime.ExitError",
                        "Runtime exited without providing a reason");
    } else {
        invocation_fail(i, "Runtime.ExitError", "Runtime exited with error: %s",
                        how);
    }
}

/* A limit on address space would fail runtimes that only reserve it; so what
 * is resident is looked at, of all its processes. */
static void on_look_at_memory(struct watch *w)
{
    struct sandbox *box = CONTAINER(w, struct sandbox, memory_timer);
    long kib;

    if (box->pid == 0 || box->exited || box->condemned) {
        return;
    }
    box->memory_timer.due = now_ns() + MEMORY_NS;
    kib = tree_memory(box->pid, box->mark.text);
    if (kib <= box->settings->memory_mb * 1024) {
        return;
    }
    box->memory_kib = kib;
    log_line(LOG_NOTE,
             "a runtime has %ld MB, more than --memory allows: killed",
             kib / 1024);
    while (box->invocations != NULL) {
        invocation_fail(box->invocations, "Runtime.OutOfMemory",
                        "Runtime exited with error: signal: killed");
        finish(box->invocations);
    }
    condemn(box, "failure");
}

static void fail_all(struct sandbox *box)
{
    while (box->invocations != NULL) {
        fail_of_exit(box->invocations);
        finish(box->invocations);
    }
}

/* The process has ended, and so has all that it had sent. What is left are its
 * extensions, perhaps. */
static void settle(struct sandbox *box)
{
    bool again = box->invocations != NULL && box->again && box->condemned;

    api_close(box, false);
    output_close(&box->output);
    if (box->proc >= 0) {
        close(box->proc);
        box->proc = -1;
    }
    if (box->invocations == NULL && box->state == RUNTIME_READY) {
        char how[64];

        process_describe(box->wait_status, how, sizeof how);
        log_line(LOG_NOTE, "an idle runtime ended: %s", how);
    }
    if (!again) {
        fail_all(box);
    }
    if (extensions_alive(box)) {
        if (!box->condemned) {
            condemn(box, "failure");
        }
        return;
    }
    api_close(box, true);
    extensions_clear(box);
    box->exited = false;
    box->timer.due = 0;
    if (again) {
        begin(box);
        return;
    }
    box->pid = 0;
    box->state = RUNTIME_OFF;
    box->condemned = false;
    pool_dispatch();
}

static bool is_uploading(const struct sandbox *box)
{
    for (struct invocation *i = box->invocations; i != NULL; i = i->next) {
        if (i->upload != NULL) {
            return true;
        }
    }
    return false;
}

static void on_timer(struct watch *w)
{
    struct sandbox *box = CONTAINER(w, struct sandbox, timer);

    if (box->condemned && box->pid != 0) {
        extensions_kill(box);
        if (!box->exited) {
            (void)kill(-box->pid, SIGKILL);
        } else if (!extensions_alive(box)) {
            settle(box);
        }
    } else if (box->exited) {
        settle(box);
    } else if (box->state == RUNTIME_OFF && box->pid == 0) {
        begin(box);
    } else if (box->state == RUNTIME_STARTED) {
        log_line(LOG_REPORT,
                 "INIT_REPORT Init Duration: %.2f ms Phase: init "
                 "Status: timeout",
                 (double)(now_ns() - box->started) / 1e6);
        box->again = true;
        condemn(box, "timeout");
    } else if (box->state == RUNTIME_INIT_ERROR) {
        condemn(box, "failure");
    }
}

static void on_deadline(struct watch *w)
{
    struct invocation *i = CONTAINER(w, struct invocation, timer);

    if (i->sandbox->exited) {
        settle(i->sandbox);
    } else {
        run_out(i);
    }
}

/* The time that an invocation may take begins now. */
static void start_clock(struct invocation *i)
{
    int64_t limit = i->sandbox->settings->timeout_ns;

    i->started = now_ns();
    i->deadline_ms = wall_ms() +
                     (limit == 0 ? NO_TIMEOUT_MS : limit / NS_PER_MS);
    i->timer.fd = -1;
    i->timer.due = limit == 0 ? 0 : i->started + limit;
    i->timer.on_due = on_deadline;
    loop_remove(&i->timer);
    loop_add(&i->timer);
}

/* Delivers the event if the runtime is asking for one. The time limit counts
 * from here in both cases. */
static void run(struct invocation *i)
{
    struct sandbox *box = i->sandbox;

    if (!box->again) {
        start_clock(i);
    }
    if (api_is_polled(box)) {
        i->phase = PHASE_RUNNING;
        invocation_start(i);
        box->epoch = i->started;
        wire_invocation_starts(box->number, i->id);
        if (box->settings->max_concurrency == 0) {
            extensions_invoke(box, i);
        }
        api_deliver(i);
    }
}

bool sandbox_listen(struct sandbox *box)
{
    uint16_t wanted = box->number == 1 ? box->settings->api_port : 0;

    if (box->listener.fd >= 0) {
        return true;
    }
    box->listener.fd = listen_on(box->settings->api_host, wanted, &box->port);
    if (box->listener.fd < 0) {
        return false;
    }
    box->listener.events = POLLIN;
    loop_add(&box->listener);
    return true;
}

static bool start(struct sandbox *box)
{
    int output;
    pid_t pid = -1;

    if (sandbox_listen(box)) {
        struct process_plan plan = {&box->settings->program,
                                    box->settings->arguments, box->port};

        (void)program_look(&box->stamp, &box->settings->program,
                           box->settings->arguments);
        if (extensions_start(box)) {
            pid = process_start(box->settings, &plan, &box->mark, &output);
        }
    }
    if (pid < 0) {
        int saved = errno;

        extensions_kill(box);
        extensions_clear(box);
        errno = saved;
        return false;
    }
    box->pid = pid;
    box->proc = process_open_status(pid);
    box->state = RUNTIME_STARTED;
    box->exited = box->condemned = false;
    box->memory_kib = 0;
    box->init_ns = 0;
    box->conn_count = 0;
    box->started = box->epoch = now_ns();
    box->timer.due = 0;
    if (box->again) {
        for (struct invocation *i = box->invocations; i != NULL; i = i->next) {
            start_clock(i);
        }
    } else if (box->settings->init_timeout_ns > 0) {
        box->timer.due = box->started + box->settings->init_timeout_ns;
    }
    if (box->settings->memory_given) {
        box->memory_timer.due = box->started + MEMORY_NS;
    }
    output_open(&box->output, output);
    wire_process_starts(box->number, (long)pid, (unsigned)box->port);
    return true;
}

static void begin(struct sandbox *box)
{
    if (start(box)) {
        box->tries = 0;
        return;
    }
    box->pid = 0;
    box->state = RUNTIME_OFF;
    if (errno == ETXTBSY && box->tries++ < TRIES_MAX) {
        box->timer.due = now_ns() + TRY_NS;
        return;
    }
    box->tries = 0;
    while (box->invocations != NULL) {
        invocation_fail(box->invocations, "Runtime.InvalidEntrypoint",
                        "cannot run %s: %s", box->settings->program.path,
                        strerror(errno));
        finish(box->invocations);
    }
}

bool sandbox_is_ready(const struct sandbox *box)
{
    unsigned max = box->settings->max_concurrency;

    if (box->state != RUNTIME_READY || box->exited || box->condemned) {
        return false;
    }
    return max == 0 ? box->invocations == NULL
                    : box->invocation_count < max && api_is_polled(box);
}

bool sandbox_is_off(const struct sandbox *box)
{
    return box->pid == 0 && box->invocations == NULL && !box->exited;
}

bool sandbox_is_stale(const struct sandbox *box,
                      const struct program_stamp *now)
{
    return memcmp(&box->stamp, now, sizeof *now) != 0;
}

void sandbox_retire(struct sandbox *box)
{
    log_line(LOG_NOTE, "%s has changed: the next event gets a new process",
             box->settings->arguments[0]);
    condemn(box, "spindown");
}

void sandbox_shut_down(struct sandbox *box)
{
    if (box->pid != 0 && !box->condemned) {
        condemn(box, "spindown");
    }
}

void sandbox_assign(struct sandbox *box, struct invocation *i)
{
    add(box, i);
    i->phase = PHASE_WAITING;
    i->throttled = box->settings->throttle;
    i->memory_mb = box->settings->memory_mb;
    if (box->state == RUNTIME_READY) {
        run(i);
    } else {
        begin(box);
    }
}

struct invocation *sandbox_find(struct sandbox *box, struct slice id)
{
    for (struct invocation *i = box->invocations; i != NULL; i = i->next) {
        if (i->phase >= PHASE_RUNNING && slice_is(id, i->id)) {
            return i;
        }
    }
    return NULL;
}

bool sandbox_was_late(const struct sandbox *box, struct slice id)
{
    size_t max = box->settings->max_concurrency * 2;

    for (size_t k = 0; box->late != NULL && k < max; k++) {
        if (slice_is(id, box->late[k])) {
            return true;
        }
    }
    return false;
}

/* The one that still has to be delivered. */
static struct invocation *waiting(struct sandbox *box)
{
    struct invocation *i = box->invocations;

    while (i != NULL && i->phase != PHASE_WAITING) {
        i = i->next;
    }
    return i;
}

/* An initialisation and an invocation are over when the runtime and all
 * extensions have asked for the next event. */
void sandbox_next(struct sandbox *box)
{
    struct invocation *i = box->invocations;
    bool ends = box->state == RUNTIME_STARTED ||
                (i != NULL && i->phase == PHASE_SENT);

    if (ends && box->settings->max_concurrency == 0 && !extensions_ready(box)) {
        return;
    }
    if (box->state == RUNTIME_STARTED) {
        if (!box->again) {
            box->init_ns = now_ns() - box->started;
        }
        box->timer.due = 0;
        box->state = RUNTIME_READY;
        if (i != NULL) {
            i->init_ns = box->init_ns;
        }
    } else if (box->settings->max_concurrency == 0 && i != NULL) {
        if (i->phase == PHASE_RUNNING) {
            api_deliver(i);
        } else if (i->phase == PHASE_SENT) {
            finish(i);
        }
    }
    i = waiting(box);
    if (i != NULL) {
        run(i);
    }
    pool_dispatch();
}

void sandbox_extension_asked(struct sandbox *box)
{
    const struct invocation *i = box->invocations;

    if (api_is_polled(box) && (box->state == RUNTIME_STARTED ||
                               (i != NULL && i->phase == PHASE_SENT))) {
        sandbox_next(box);
    }
}

void sandbox_extension_ended(struct sandbox *box)
{
    if (!box->condemned) {
        while (box->invocations != NULL) {
            invocation_fail(box->invocations, "Extension.Crash",
                            "an extension ended");
            finish(box->invocations);
        }
        condemn(box, "failure");
    }
    if (box->exited && !is_uploading(box)) {
        settle(box);
    }
}

void sandbox_init_error(struct sandbox *box, const struct failure *failure)
{
    box->state = RUNTIME_INIT_ERROR;
    while (box->invocations != NULL) {
        invocation_answer(box->invocations, failure);
        finish(box->invocations);
    }
    box->timer.due = now_ns() + INIT_ERROR_NS;
}

void sandbox_answered(struct invocation *i, const struct failure *failure)
{
    struct sandbox *box = i->sandbox;

    i->phase = PHASE_SENT;
    invocation_answer(i, failure);
    if (box->settings->max_concurrency > 0) {
        finish(i);
    }
    if (!box->exited) {
        pool_dispatch();
    } else if (!is_uploading(box)) {
        box->timer.due = now_ns();
    }
}

void sandbox_exited(struct sandbox *box, int wait_status, long memory)
{
    box->exited = true;
    box->wait_status = wait_status;
#if defined(__APPLE__)
    memory /= 1024;
#endif
    box->memory_kib = memory;
    /* Its last words may still be in the sockets. */
    if (!box->condemned) {
        api_drain(box);
    }
    /* A slow caller may still have to make room for them; the time limit
     * stands meanwhile. */
    if (!is_uploading(box)) {
        settle(box);
    }
}

void sandbox_init(struct sandbox *box, unsigned number,
                  const struct settings *settings)
{
    box->settings = settings;
    box->number = number;
    box->listener.fd = box->timer.fd = box->proc = -1;
    box->listener.on_io = on_connection;
    box->listener.on_due = on_accept_pause;
    box->timer.on_due = on_timer;
    output_init(&box->output, on_lines);
    box->memory_timer.fd = -1;
    box->memory_timer.on_due = on_look_at_memory;
    loop_add(&box->timer);
    loop_add(&box->memory_timer);
}
