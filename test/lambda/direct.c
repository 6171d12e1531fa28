#define _POSIX_C_SOURCE 200809L
#include "direct.h"

#include "invocation.h"
#include "log.h"
#include "name.h"
#include "pool.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A pipe that poll() calls writable takes this much without blocking; the
 * descriptor is shared with whoever started us, so its mode is not ours. */
#define WRITE_BYTES    4096u
#define OUT_HIGH_BYTES 65536u

static struct {
    struct caller caller;
    struct watch watch;
    struct buf out;
    bool finished, failed;
} direct;

static bool is_writable(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1;
}

static void flush(void)
{
    while (buf_size(&direct.out) > 0 && is_writable()) {
        struct slice s = buf_slice(&direct.out);
        ssize_t n = write(STDOUT_FILENO, s.data,
                          s.size < WRITE_BYTES ? s.size : WRITE_BYTES);

        if (n > 0) {
            buf_consume(&direct.out, (size_t)n);
        } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
            log_line(LOG_NOTE, "standard output: %s", strerror(errno));
            pool_stop(1);
            return;
        }
    }
    loop_remove(&direct.watch);
    if (buf_size(&direct.out) > 0) {
        loop_add(&direct.watch);
    } else if (direct.finished) {
        pool_stop(direct.failed ? 1 : 0);
    }
}

static void on_writable(struct watch *w, short revents)
{
    (void)w;
    (void)revents;
    flush();
    invocation_resume(direct.caller.invocation);
}

static void begin(struct caller *caller, struct slice content_type)
{
    (void)caller;
    (void)content_type;
}

static void on_data(struct caller *caller, struct slice data)
{
    (void)caller;
    buf_add_slice(&direct.out, data);
    flush();
}

static void on_end(struct caller *caller, const struct failure *failure)
{
    (void)caller;
    direct.failed = failure != NULL;
}

static size_t on_room(struct caller *caller)
{
    size_t waiting = buf_size(&direct.out);

    (void)caller;
    return waiting < OUT_HIGH_BYTES ? OUT_HIGH_BYTES - waiting : 0;
}

static void on_finished(struct caller *caller, bool failed, struct slice tail)
{
    (void)caller;
    (void)tail;
    direct.finished = true;
    direct.failed = direct.failed || failed;
    flush();
}

void direct_invoke(struct slice event, const char *name)
{
    static const struct caller_ops ops = {.streams = true,
                                          .begin = begin,
                                          .data = on_data,
                                          .end = on_end,
                                          .room = on_room,
                                          .finished = on_finished};
    struct function_name function;
    struct invocation *i;

    direct.caller.ops = &ops;
    direct.watch.fd = STDOUT_FILENO;
    direct.watch.events = POLLOUT;
    direct.watch.on_io = on_writable;
    (void)name_read(&function, slice_of(name == NULL ? "function" : name),
                    slice_of(""));
    i = invocation_new(&direct.caller, function.arn, slice_of(""));
    memcpy(i->version, "$LATEST", sizeof "$LATEST");
    buf_add_slice(&i->event, event);
    (void)pool_submit(i);
}
