#define _DEFAULT_SOURCE
#include "pool.h"

#include "extension.h"
#include "sandbox.h"
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What may wait for a sandbox: requests, and bytes of their events. */
#define QUEUE_MAX       10000u
#define QUEUE_BYTES_MAX (64u * 1024u * 1024u)
/* How often a program that is being written is looked at, and how long. */
#define LOOK_NS    (NS_PER_S / 100)
#define WRITING_NS (10 * NS_PER_S)

static const struct settings *settings;
static struct sandbox *pool;
static struct invocation *queue, **queue_end = &queue;
static size_t queue_size, queue_bytes;
static size_t queue_sync; /* of them, those whose callers wait */
static struct watch look_again;
static bool stopping; /* as soon as all sandboxes have ended */
static int stop_status;

/* The one used last is the most likely to be in the caches; the others get
 * the chance to stay idle. Where one environment takes many invocations, a
 * second one is not started as long as the first is still starting. */
static struct sandbox *choose(const struct program_stamp *now)
{
    struct sandbox *ready = NULL, *off = NULL;
    bool starting = false;

    for (unsigned n = 0; n < settings->concurrency; n++) {
        struct sandbox *box = &pool[n];

        if (sandbox_is_ready(box) && sandbox_is_stale(box, now)) {
            if (box->invocations == NULL) {
                sandbox_retire(box);
            }
        } else if (sandbox_is_ready(box)) {
            ready = ready == NULL || box->used > ready->used ? box : ready;
        } else if (sandbox_is_off(box)) {
            off = off == NULL ? box : off;
        }
        starting = starting || box->state == RUNTIME_STARTED;
    }
    if (ready == NULL && settings->max_concurrency > 0 && starting) {
        return NULL;
    }
    return ready != NULL ? ready : off;
}

/* What runs is what is there. As long as that is being written nothing is
 * started, and what ran before gets no more events, unless it takes too long.
 */
static struct sandbox *pick(void)
{
    static int64_t since;
    struct program_stamp now;
    bool complete = program_look(&now, &settings->program, settings->arguments);

    if (complete) {
        since = 0;
        return choose(&now);
    }
    for (unsigned n = 0; n < settings->concurrency; n++) {
        if (sandbox_is_ready(&pool[n]) && !sandbox_is_stale(&pool[n], &now)) {
            return &pool[n];
        }
    }
    since = since == 0 ? now_ns() : since;
    if (now_ns() - since > WRITING_NS) {
        return choose(&now);
    }
    look_again.due = now_ns() + LOOK_NS;
    return NULL;
}

static void on_look_again(struct watch *w)
{
    (void)w;
    pool_dispatch();
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
    queue_sync -= i->is_async ? 0 : 1;
    queue_bytes -= buf_size(&i->event);
}

static bool all_off(void)
{
    for (unsigned n = 0; n < settings->concurrency; n++) {
        if (pool[n].pid != 0) {
            return false;
        }
    }
    return true;
}

void pool_stop(int status)
{
    bool wait = false;

    for (unsigned n = 0; n < settings->concurrency; n++) {
        wait = wait || extensions_any(&pool[n]);
    }
    if (!wait || stopping) {
        loop_stop(status);
        return;
    }
    stopping = true;
    stop_status = status;
    for (unsigned n = 0; n < settings->concurrency; n++) {
        sandbox_shut_down(&pool[n]);
    }
    pool_dispatch();
}

void pool_dispatch(void)
{
    struct sandbox *box;

    if (stopping) {
        if (all_off()) {
            loop_stop(stop_status);
        }
        return;
    }

    while (queue != NULL && (box = pick()) != NULL) {
        struct invocation *i = queue;

        unlink_invocation(i);
        sandbox_assign(box, i);
    }
}

/* A process that is about to end makes room for another. */
static size_t ending(void)
{
    size_t count = 0;

    for (unsigned n = 0; n < settings->concurrency; n++) {
        count += pool[n].condemned && pool[n].pid != 0;
    }
    return count;
}

bool pool_submit(struct invocation *i)
{
    size_t size = buf_size(&i->event);

    if (queue_size >= QUEUE_MAX || size > QUEUE_BYTES_MAX - queue_bytes) {
        return false;
    }
    i->link = queue_end;
    *queue_end = i;
    queue_end = &i->next;
    queue_size++;
    queue_bytes += size;
    queue_sync += i->is_async ? 0 : 1;
    pool_dispatch();
    if (!i->is_async && i->link != NULL &&
        queue_sync > settings->max_waiting + ending()) {
        unlink_invocation(i);
        return false;
    }
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
            sandbox_exited(box, status, usage.ru_maxrss);
        } else if ((box = extension_exited(info.si_pid, status)) != NULL) {
            sandbox_extension_ended(box);
        }
    }
}

bool pool_open(const struct settings *chosen)
{
    settings = chosen;
    pool = allocate(settings->concurrency * sizeof *pool);
    for (unsigned n = 0; n < settings->concurrency; n++) {
        sandbox_init(&pool[n], n + 1, settings);
    }
    /* The first port is taken at once, so that a busy one is told early. */
    if (!sandbox_listen(&pool[0])) {
        return false;
    }
    look_again.fd = -1;
    look_again.on_due = on_look_again;
    loop_add(&look_again);
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
        output_close(&pool[n].output);
        extensions_clear(&pool[n]);
    }
}
