#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *self, *lambda_path;
unsigned passed, failed, skipped;
char gate[64];
bool on_terminal;

void check(const char *name, bool good, const char *got)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    (void)printf("failed: %s: ", name);
    for (size_t i = 0; got != NULL && got[i] != '\0' && i < 1500; i++) {
        if (got[i] == '\r') {
            (void)printf("\\r");
        } else if (got[i] == '\n') {
            (void)printf("\\n");
        } else {
            (void)putchar(got[i]);
        }
    }
    (void)printf("\n");
}

/* Whether the text is the pattern, in which ~ stands for any bytes. */
bool is_like(const char *text, const char *pattern)
{
    if (text == NULL) {
        return false;
    }
    while (*pattern != '\0') {
        if (*pattern == '~') {
            pattern++;
            while (!is_like(text, pattern)) {
                if (*text++ == '\0') {
                    return false;
                }
            }
            return true;
        }
        if (*text++ != *pattern++) {
            return false;
        }
    }
    return *text == '\0';
}

bool read_log(struct lambda *l, int patience_ms)
{
    struct pollfd p = {.fd = l->log_fd, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    if (poll(&p, 1, patience_ms) != 1) {
        return false;
    }
    n = read(l->log_fd, piece, sizeof piece);
    if (n > 0) {
        append(&l->log, piece, (size_t)n);
    }
    return n > 0;
}

/* Waits until the log contains it. */
bool logs(struct lambda *l, const char *text)
{
    while (l->log.data == NULL || strstr(l->log.data, text) == NULL) {
        if (!read_log(l, PATIENCE_MS)) {
            return false;
        }
    }
    return true;
}

/* The two ends of what is to be somebody's standard error. */
static bool open_log(int ends[2])
{
    if (!on_terminal) {
        return pipe(ends) == 0;
    }
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
    if (ends[0] < 0 || grantpt(ends[0]) != 0 || unlockpt(ends[0]) != 0) {
        return false;
    }
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    return ends[1] >= 0;
}

void launch(struct lambda *l, char *const *arguments)
{
    int log[2], out[2];

    *l = (struct lambda){.log_fd = -1};
    append(&l->log, "", 0);
    if (!open_log(log)) {
        return;
    }
    if (pipe(out) != 0) {
        abort();
    }
    l->pid = fork();
    if (l->pid == 0) {
        (void)dup2(log[1], STDERR_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        for (int fd = 3; fd < 100; fd++) {
            close(fd);
        }
        if (arguments[0]) {
            (void)execv(arguments[0], arguments);
        }
        _exit(126);
    }
    close(log[1]);
    close(out[1]);
    l->log_fd = log[0];
    l->out_fd = out[0];
    (void)fcntl(l->log_fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(l->out_fd, F_SETFD, FD_CLOEXEC);
}

/* Options end with NULL; then comes the way in which the runtime starts. */
void start(struct lambda *l, const char *how, ...)
{
    char *arguments[32];
    size_t n = 0;
    va_list args;
    const char *text;

    arguments[n++] = strdup(lambda_path);
    va_start(args, how);
    while ((text = va_arg(args, const char *)) != NULL) {
        arguments[n++] = strdup(text);
    }
    va_end(args);
    arguments[n++] = strdup("--");
    arguments[n++] = strdup(self);
    arguments[n++] = strdup("--runtime");
    arguments[n++] = strdup(how);
    arguments[n] = NULL;
    launch(l, arguments);
    while (n > 0) {
        free(arguments[--n]);
    }
}

bool is_up(struct lambda *l)
{
    const char *line;

    if (!logs(l, "invocations")) {
        check("it starts", false, l->log.data);
        return false;
    }
    line = strstr(l->log.data, ", Runtime API on 127.0.0.1:");
    if (line == NULL ||
        sscanf(line, ", Runtime API on 127.0.0.1:%u", &l->api_port) != 1) {
        return false;
    }
    while (line > l->log.data && line[-1] != ':') {
        line--;
    }
    return sscanf(line, "%u,", &l->port) == 1;
}

/* The CPU time that a process has had; 0 where that cannot be known. */
static unsigned long cpu_time(pid_t pid)
{
    unsigned long user = 0, system = 0;
    char path[64], text[1024] = "";
    const char *name_end;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    file = fopen(path, "r");
    if (file != NULL) {
        (void)!fgets(text, sizeof text, file);
        (void)fclose(file);
    }
    name_end = strrchr(text, ')');
    if (name_end == NULL ||
        sscanf(name_end,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2) {
        return 0;
    }
    return user + system;
}

/* Its exit status; -1: a signal, or it hangs. As long as it logs or computes
 * it does not. */
int await_end(struct lambda *l)
{
    int64_t end = now_ms() + PATIENCE_MS;
    unsigned long cpu = 0;
    int status = 0;

    while (now_ms() < end) {
        bool ended = waitpid(l->pid, &status, WNOHANG) == l->pid;
        bool moved = cpu != cpu_time(l->pid);

        while (read_log(l, 0)) {
            moved = true;
        }
        if (ended) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
        if (moved) {
            cpu = cpu_time(l->pid);
            end = now_ms() + PATIENCE_MS;
        }
        pause_ms(2);
    }
    (void)printf("failed: lambda hangs\n");
    (void)kill(l->pid, SIGKILL);
    (void)waitpid(l->pid, &status, 0);
    return -1;
}

void discard_lambda(struct lambda *l)
{
    close(l->log_fd);
    close(l->out_fd);
    release(&l->log);
}

void stop(struct lambda *l)
{
    int status;

    (void)kill(l->pid, SIGTERM);
    status = await_end(l);
    check("SIGTERM: exit status 143", status == 143, l->log.data);
    /* Built with a sanitizer, it would have said so here. */
    check("no sanitizer report",
          strstr(l->log.data, "runtime error:") == NULL &&
              strstr(l->log.data, "AddressSanitizer") == NULL,
          l->log.data);
    discard_lambda(l);
}

/* One request on a connection of its own. */
void ask(struct lambda *l, struct message *m, const char *request, size_t size)
{
    struct stream s;

    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, request, size);
    if (!read_message(&s, m, strncmp(request, "HEAD", 4) == 0, PATIENCE_MS)) {
        m->complete = false;
        append(&m->head, s.in.data == NULL ? "" : s.in.data, s.in.size);
        append(&m->body, "", 0);
    }
    stream_close(&s);
}

void get(struct lambda *l, struct message *m, const char *path)
{
    struct bytes b = {0};

    append_format(&b, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    ask(l, m, b.data, b.size);
    release(&b);
}

void post(struct lambda *l, struct message *m, const char *path,
          const char *fields, const char *body, size_t size)
{
    struct bytes b = {0};

    append_format(&b,
                  "POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n"
                  "\r\n",
                  path, fields, size);
    append(&b, body, size);
    ask(l, m, b.data, b.size);
    release(&b);
}

void expect(struct lambda *l, const char *name, const char *path, int status,
            const char *head, const char *body)
{
    struct message m;

    get(l, &m, path);
    check(name, m.status == status && m.complete, m.head.data);
    check(name, is_like(m.head.data, head), m.head.data);
    check(name, is_like(m.body.data, body), m.body.data);
    message_free(&m);
}

void read_output(struct lambda *l, struct bytes *out)
{
    char piece[4096];
    ssize_t n;

    append(out, "", 0);
    while ((n = read(l->out_fd, piece, sizeof piece)) > 0) {
        append(out, piece, (size_t)n);
    }
}

void open_gate(void)
{
    close(open(gate, O_CREAT | O_WRONLY, 0600));
}

bool is_gone(long pid)
{
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end;) {
        if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
            return true;
        }
        pause_ms(5);
    }
    return false;
}

unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;

    while (text != NULL && (text = strstr(text, what)) != NULL) {
        text++;
        n++;
    }
    return n;
}

unsigned await_begun(struct stream *clients, unsigned count, unsigned wanted)
{
    int64_t end = now_ms() + PATIENCE_MS;
    unsigned begun = 0;

    while (begun < wanted && now_ms() < end) {
        unsigned before = begun;

        begun = 0;
        for (unsigned i = 0; i < count; i++) {
            (void)stream_more(&clients[i], 5);
            begun += clients[i].in.size > 0;
        }
        end = begun > before ? now_ms() + PATIENCE_MS : end;
    }
    return begun;
}
