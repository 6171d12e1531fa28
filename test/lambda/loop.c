#define _POSIX_C_SOURCE 200809L
#include "loop.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNALS_MAX 8

static struct watch *watches;
static size_t watch_count;
static void **garbage;
static size_t garbage_count, garbage_capacity;
static bool stopped;
static int stop_status;

/* The watches of the turn under way; one that is removed becomes NULL. */
static struct watch **turn;
static struct pollfd *polled;
static size_t turn_count, turn_capacity;

static int signal_pipe[2] = {-1, -1};
static struct watch signal_watch;
static struct {
    int number;
    void (*handler)(int);
} signals[SIGNALS_MAX];
static size_t signal_count;

void loop_add(struct watch *w)
{
    w->turn = SIZE_MAX;
    w->next = watches;
    w->link = &watches;
    if (watches != NULL) {
        watches->link = &w->next;
    }
    watches = w;
    watch_count++;
}

void loop_remove(struct watch *w)
{
    if (w->link == NULL) {
        return;
    }
    *w->link = w->next;
    if (w->next != NULL) {
        w->next->link = w->link;
    }
    w->link = NULL;
    watch_count--;
    if (w->turn < turn_count) {
        turn[w->turn] = NULL;
    }
    w->turn = SIZE_MAX;
}

void loop_free(void *object)
{
    if (garbage_count == garbage_capacity) {
        size_t capacity = garbage_capacity == 0 ? 64 : garbage_capacity * 2;
        void **grown = allocate(capacity * sizeof *grown);

        if (garbage_count > 0) {
            memcpy(grown, garbage, garbage_count * sizeof *grown);
        }
        free(garbage);
        garbage = grown;
        garbage_capacity = capacity;
    }
    garbage[garbage_count++] = object;
}

static void sweep(void)
{
    for (size_t i = 0; i < garbage_count; i++) {
        free(garbage[i]);
    }
    garbage_count = 0;
}

int fd_prepare(int fd)
{
    int flags;

    /* A socket that became 0, 1 or 2 would receive somebody's output. */
    if (fd >= 0 && fd <= 2) {
        int higher = fcntl(fd, F_DUPFD, 3);

        close(fd);
        fd = higher;
    }
    if (fd < 0) {
        return -1;
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void on_signal(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved = errno;

    if (number != SIGCHLD) {
        log_hurry();
    }
    /* A full pipe loses nothing: a turn of the loop is already certain, and
     * what matters of repeated signals is that one came. */
    (void)!write(signal_pipe[1], &byte, 1);
    errno = saved;
}

static void on_signal_pipe(struct watch *w, short revents)
{
    bool seen[SIGNALS_MAX] = {false};
    unsigned char bytes[64];
    ssize_t n;

    (void)revents;
    while ((n = read(w->fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            for (size_t k = 0; k < signal_count; k++) {
                seen[k] |= signals[k].number == bytes[i];
            }
        }
    }
    for (size_t k = 0; k < signal_count; k++) {
        if (seen[k]) {
            signals[k].handler(signals[k].number);
        }
    }
}

void loop_signal(int number, void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = on_signal};

    if (signal_count == SIGNALS_MAX) {
        return;
    }
    if (signal_pipe[0] < 0) {
        if (pipe(signal_pipe) != 0) {
            return;
        }
        signal_pipe[0] = fd_prepare(signal_pipe[0]);
        signal_pipe[1] = fd_prepare(signal_pipe[1]);
        signal_watch.fd = signal_pipe[0];
        signal_watch.events = POLLIN;
        signal_watch.on_io = on_signal_pipe;
        loop_add(&signal_watch);
    }
    signals[signal_count].number = number;
    signals[signal_count++].handler = handler;
    (void)sigaction(number, &action, NULL);
}

/* Puts all watches into the turn and returns when the first timer is due. */
static int64_t fill_turn(void)
{
    int64_t due = 0;
    size_t i = 0;

    if (watch_count > turn_capacity) {
        turn_capacity = watch_count * 2;
        free(turn);
        free(polled);
        turn = allocate(turn_capacity * sizeof(struct watch *));
        polled = allocate(turn_capacity * sizeof *polled);
    }
    for (struct watch *w = watches; w != NULL; w = w->next) {
        w->turn = i;
        turn[i] = w;
        polled[i++] = (struct pollfd){.fd = w->fd, .events = w->events};
        if (w->due != 0 && (due == 0 || w->due < due)) {
            due = w->due;
        }
    }
    turn_count = i;
    return due;
}

static int wait_ms(int64_t due)
{
    int64_t left;

    if (due == 0) {
        return -1;
    }
    left = due - now_ns();
    if (left <= 0) {
        return 0;
    }
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static void dispatch_due(void)
{
    int64_t now = now_ns();

    for (size_t i = 0; i < turn_count && !stopped; i++) {
        struct watch *w = turn[i];

        if (w != NULL && w->due != 0 && w->due <= now) {
            w->due = 0;
            w->on_due(w);
        }
    }
}

int loop_run(void)
{
    while (!stopped) {
        int64_t due = fill_turn();
        int ready = poll(polled, (nfds_t)turn_count, wait_ms(due));

        for (size_t i = 0; ready > 0 && i < turn_count && !stopped; i++) {
            if (polled[i].revents == 0) {
                continue;
            }
            ready--;
            if (turn[i] != NULL) {
                turn[i]->on_io(turn[i], polled[i].revents);
            }
        }
        dispatch_due();
        turn_count = 0;
        sweep();
    }
    return stop_status;
}

void loop_stop(int status)
{
    if (!stopped) {
        stopped = true;
        stop_status = status;
    }
}
