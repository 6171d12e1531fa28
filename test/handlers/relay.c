/* relay.c - what $RELAY_COMMAND prints, as server-sent events */
#include "http.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 500 /* to end after SIGTERM, and at the deadline */
static int64_t heartbeat_s;

int handler_init(struct http_stream *out, const struct json_token *options)
{
    const char *seconds = getenv("RELAY_HEARTBEAT");
    const char *end = http_decimal(seconds ? seconds : "15", 900, &heartbeat_s);

    (void)options;
    if (!end || *end != '\0' || heartbeat_s == 0)
        return lambda_fail(out, "Function.NoSeconds", "RELAY_HEARTBEAT: 1-900");
    if (!getenv("RELAY_COMMAND"))
        return lambda_fail(out, "Function.NoCommand", "RELAY_COMMAND?");
    return 0;
}

/* Starts the command in a process group of its own; `ends` is a pipe. Sockets
 * of the runtime close when it starts; that SIGPIPE is ignored would stay. */
static int start(const int *ends)
{
    int pid = fork();

    (void)setpgid(pid, pid); /* by whoever comes first; the child has pid 0 */
    if (pid != 0)
        return pid;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)dup2(ends[1], 1);
    (void)dup2(ends[1], 2);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)execl("/bin/sh", "sh", "-c", getenv("RELAY_COMMAND"), (char *)NULL);
    _exit(127);
}

/* Each line becomes an event. 1: all of them; 0: the rest is not wanted. */
static int relay(const struct invocation *in, struct http_stream *out, int fd)
{
    struct pollfd ready = {fd, POLLIN, 0};
    int64_t ms, wait_ms = heartbeat_s * 1000;
    int begun = 0; /* a line, and so an event */
    char data[4096];
    ssize_t n = 1;

    while (n > 0 && http_flush(out) == 0 &&
           (ms = lambda_time_left_ms(in) - 2 * GRACE_MS) > 0) {
        if (poll(&ready, 1, (int)(ms < wait_ms ? ms : wait_ms)) <= 0) {
            http_format(&out->text, begun ? "\n\n" : ": alive\n\n");
            begun = 0;
            continue;
        }
        n = read(fd, data, sizeof data);
        for (const char *p = data; p - data < n; p++) {
            http_format(&out->text, begun ? "" : "data: ");
            begun = *p != '\n';
            if (*p != '\r') /* which would end the line, too */
                http_append(&out->text, begun ? p : "\n\n", begun ? 1 : 2);
        }
    }
    http_format(&out->text, begun ? "\n\n" : "");
    return n <= 0;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request request;
    int ends[2], pid, status = 0, rc = lambda_read_request(&request, in, out);

    if (rc < 0)
        return rc;
    if (rc > 0)
        http_status(out, 200);
    http_header(out, "Content-Type", "text/event-stream");
    if (pipe(ends) < 0 || (pid = start(ends)) < 0)
        return lambda_fail(out, "Function.NoProcess", "cannot start it");
    (void)close(ends[1]);
    rc = relay(in, out, ends[0]);
    while (rc > 0 && waitpid(pid, &status, WNOHANG) == 0)
        rc = poll(NULL, 0, 10) == 0 && http_look(out) == 0 &&
             lambda_time_left_ms(in) > 2 * GRACE_MS;
    if (rc == 0 && kill(-pid, SIGTERM) == 0)
        (void)poll(NULL, 0, GRACE_MS);
    (void)kill(-pid, SIGKILL); /* what it started and left behind, too */
    (void)waitpid(pid, &status, 0);
    (void)close(ends[0]); /* late: it may have printed last words */
    if (rc == 0)
        return lambda_fail(out, "Function.DeadlineExceeded", "it was ended");
    http_format(&out->text, "event: exit\ndata: {\"%s\":%d}\n\n",
                WIFEXITED(status) ? "status" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return 0;
}
