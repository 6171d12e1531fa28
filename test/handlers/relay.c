/* relay.c - what $RELAY_COMMAND prints, as server-sent events */
#include "http.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 500 /* to end after SIGTERM, and at the deadline */

static const char *command;
static int64_t heartbeat_s = 15;

int handler_init(struct http_stream *out, const struct json_token *options)
{
    const char *seconds = getenv("RELAY_HEARTBEAT");

    (void)options;
    command = getenv("RELAY_COMMAND");
    if (!command)
        return lambda_fail(out, "Function.NoCommand", "RELAY_COMMAND?");
    if (seconds && (!http_decimal(seconds, 900, &heartbeat_s) || !heartbeat_s))
        return lambda_fail(out, "Function.NoSeconds", "RELAY_HEARTBEAT?");
    return 0;
}

/* Starts the command in a process group of its own; `ends` is a pipe. Sockets
 * of the runtime close when it starts; that SIGPIPE is ignored would stay. */
static pid_t start(const int *ends)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)setpgid(0, 0);
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    (void)setpgid(pid, pid); /* whoever comes first */
    (void)close(ends[1]);
    return pid;
}

/* A line is an event. `middle` tells whether one has begun. */
static void put(struct http_text *text, const char *bytes, ssize_t n,
                int *middle)
{
    for (; n > 0; n--, bytes++) {
        http_format(text, *middle ? "" : "data: ");
        *middle = *bytes != '\n';
        if (*bytes == '\n')
            http_append(text, "\n\n", 2);
        else if (*bytes != '\r') /* which would end the line, too */
            http_append(text, bytes, 1);
    }
}

/* Until the command has ended: 1; 0 at the deadline; < 0: nobody waits. */
static int relay(const struct invocation *in, struct http_stream *out, int fd,
                 pid_t pid, int *status)
{
    struct pollfd ready = {fd, POLLIN, 0}; /* no fd: its output has ended */
    int64_t left_ms, wait_ms = heartbeat_s * 1000;
    int middle = 0, rc = http_flush(out);
    char bytes[4096];
    ssize_t n;

    while (ready.fd >= 0 || waitpid(pid, status, WNOHANG) == 0) {
        left_ms = lambda_time_left_ms(in) - 2 * GRACE_MS;
        if (rc < 0 || left_ms <= 0)
            return rc;
        if (poll(&ready, 1, (int)(left_ms < wait_ms ? left_ms : wait_ms)) > 0) {
            n = read(fd, bytes, sizeof bytes);
            put(&out->text, n > 0 ? bytes : "\n", n > 0 ? n : middle, &middle);
            if (n <= 0) {
                ready.fd = -1;
                wait_ms = 10;
            }
        } else if (ready.fd >= 0) {
            http_format(&out->text, middle ? "\n\n" : ": alive\n\n");
            middle = 0;
        }
        rc = http_flush(out);
    }
    return 1;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request request;
    int ends[2], status = 0, rc = lambda_read_request(&request, in, out);
    pid_t pid;

    if (rc < 0)
        return rc;
    if (rc > 0)
        http_status(out, 200);
    http_header(out, "Content-Type", "text/event-stream");
    if (pipe(ends) < 0 || (pid = start(ends)) < 0)
        return lambda_fail(out, "Function.NoProcess", "cannot start it");
    rc = relay(in, out, ends[0], pid, &status);
    (void)close(ends[0]);
    if (rc <= 0) {
        (void)kill(-pid, SIGTERM);
        (void)poll(NULL, 0, GRACE_MS);
    }
    (void)kill(-pid, SIGKILL); /* what it started and left behind, too */
    (void)waitpid(pid, &status, 0);
    if (rc == 0)
        return lambda_fail(out, "Function.DeadlineExceeded", "it was ended");
    http_format(&out->text, "event: exit\ndata: {\"%s\":%d}\n\n",
                WIFEXITED(status) ? "status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return rc;
}
