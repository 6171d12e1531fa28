#define _DEFAULT_SOURCE
#include "process.h"

#include "loop.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

static struct rlimit descriptors;
static bool raised;

void process_raise_limit(void)
{
    struct rlimit higher;

    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        return;
    }
    higher = descriptors;
    higher.rlim_cur = higher.rlim_max;
    raised = setrlimit(RLIMIT_NOFILE, &higher) == 0;
}

static void add_mark(struct process_mark *mark)
{
    time_t now = time(NULL);
    struct tm today = {0};
    char stream[33];

    hex_random(stream, 32);
    (void)gmtime_r(&now, &today);
    (void)snprintf(mark->text, sizeof mark->text,
                   "AWS_LAMBDA_LOG_STREAM_NAME=%04d/%02d/%02d/[$LATEST]%s",
                   today.tm_year + 1900, today.tm_mon + 1, today.tm_mday,
                   stream);
}

/* What Lambda sets for a runtime of one's own. */
static void add_lambdas(struct buf *out, const struct settings *settings)
{
    static const char *const fixed[] = {
        "_HANDLER=function.handler",
        "AWS_REGION=us-east-1",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
        "LAMBDA_RUNTIME_DIR=/var/runtime",
        "LANG=en_US.UTF-8",
        "TZ=:UTC",
    };
    const char *name = settings->function_name == NULL
                           ? "function"
                           : settings->function_name;
    const char *kind = "on-demand";

    buf_format(out, "AWS_LAMBDA_FUNCTION_NAME=%s%c", name, 0);
    buf_format(out, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/%s%c", name, 0);
    buf_format(out, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%ld%c",
               settings->memory_mb, 0);
    if (settings->max_concurrency > 0) {
        kind = "lambda-managed-instances";
        buf_format(out, "AWS_LAMBDA_MAX_CONCURRENCY=%u%c",
                   settings->max_concurrency, 0);
        buf_format(out, "AWS_LAMBDA_LOG_FORMAT=JSON%c", 0);
    }
    buf_format(out, "AWS_LAMBDA_INITIALIZATION_TYPE=%s%c", kind, 0);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        buf_format(out, "%s%c", fixed[i], 0);
    }
}

/* The environment is made anew for a process: what Lambda sets, a few of our
 * own variables without which programs on a developer's machine do not run,
 * and --env, which overrides them. */
static void add_variables(struct buf *out, const struct settings *settings,
                          uint16_t api_port, struct process_mark *mark)
{
    static const char *const passed[] = {"PATH", "HOME", "LD_LIBRARY_PATH"};

    add_mark(mark);
    add_lambdas(out, settings);
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        const char *value = getenv(passed[i]);

        if (value != NULL) {
            buf_format(out, "%s=%s%c", passed[i], value, 0);
        } else if (i == 0) {
            buf_format(out, "PATH=/usr/local/bin:/usr/bin:/bin%c", 0);
        }
    }
    buf_add_slice(out, buf_slice(&settings->environment));
    buf_format(out, "LAMBDA_TASK_ROOT=%s%c", settings->program.folder, 0);
    buf_format(out, "AWS_LAMBDA_RUNTIME_API=%s:%u%c", settings->api_host,
               (unsigned)api_port, 0);
    buf_format(out, "%s%c", mark->text, 0);
}

static bool same_name(const char *a, const char *b)
{
    size_t size = strcspn(a, "=");

    return strncmp(a, b, size) == 0 && b[size] == '=';
}

/* The last setting of a name stands. */
static char **environment(struct buf *text)
{
    char *end = (char *)text->data + text->end;
    size_t count = 0;
    char **list;

    for (char *p = (char *)text->data; p < end; p += strlen(p) + 1) {
        count++;
    }
    list = allocate((count + 1) * sizeof *list);
    count = 0;
    for (char *p = (char *)text->data; p < end; p += strlen(p) + 1) {
        size_t i = 0;

        while (i < count && !same_name(list[i], p)) {
            i++;
        }
        list[i] = p;
        count += i == count;
    }
    return list;
}

static void child(const struct process_plan *plan, char **variables, int output,
                  int fault)
{
    static const int reset[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    int null, error;

    (void)setpgid(0, 0);
#if defined(__linux__)
    /* Nothing is left behind even where this program is killed itself. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    for (size_t i = 0; i < sizeof reset / sizeof reset[0]; i++) {
        (void)signal(reset[i], SIG_DFL);
    }
    null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) {
        goto fail;
    }
    if (null > STDERR_FILENO) {
        close(null);
    }
    if (raised) {
        (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    if (chdir(plan->program->folder) == 0) {
        (void)execve(plan->program->path, plan->arguments, variables);
    }
fail:
    error = errno;
    (void)!write(fault, &error, sizeof error);
    _exit(127);
}

static int open_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        return -1;
    }
    ends[0] = fd_prepare(ends[0]);
    ends[1] = fd_prepare(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0) {
        return 0;
    }
    close(ends[0]);
    close(ends[1]);
    return -1;
}

/* Waits for the child to have become the bootstrap: the pipe is then closed.
 * What comes through it instead is the child's errno. */
static int await_exec(int fd, pid_t pid)
{
    int fault = 0;
    ssize_t n;

    (void)fcntl(fd, F_SETFL, 0);
    do {
        n = read(fd, &fault, sizeof fault);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof fault) {
        return 0;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return fault;
}

pid_t process_start(const struct settings *settings,
                    const struct process_plan *plan, struct process_mark *mark,
                    int *output)
{
    struct buf text = {0};
    char **variables;
    int out[2] = {-1, -1}, fault[2] = {-1, -1};
    pid_t pid = -1;
    int error;

    add_variables(&text, settings, plan->api_port, mark);
    variables = environment(&text);
    if (open_pipe(out) == 0 && open_pipe(fault) == 0) {
        /* Only the copies that the child makes are inherited, and blocking
         * is what a program expects of its output. */
        (void)fcntl(out[1], F_SETFL, 0);
        pid = fork();
        if (pid == 0) {
            child(plan, variables, out[1], fault[1]);
        }
    }
    error = errno;
    close(out[1]);
    close(fault[1]);
    if (pid > 0) {
        (void)setpgid(pid, pid);
        error = await_exec(fault[0], pid);
        pid = error == 0 ? pid : -1;
    }
    close(fault[0]);
    if (pid > 0) {
        *output = out[0];
    } else {
        close(out[0]);
    }
    free(variables);
    buf_free(&text);
    errno = error;
    return pid;
}

int process_open_status(pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    return fd_prepare(open(path, O_RDONLY | O_CLOEXEC));
}

long process_memory(int status)
{
    char text[4096];
    ssize_t n = status < 0 ? -1 : pread(status, text, sizeof text - 1, 0);
    const char *line;

    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "\nVmHWM:");
    return line == NULL ? 0 : strtol(line + 7, NULL, 10);
}

void process_describe(int wait_status, char *out, size_t size)
{
    if (WIFSIGNALED(wait_status)) {
        (void)snprintf(out, size, "signal: %s",
                       strsignal(WTERMSIG(wait_status)));
        for (char *p = out; *p != '\0'; p++) {
            *p = (char)tolower((unsigned char)*p);
        }
    } else {
        (void)snprintf(out, size, "exit status %d", WEXITSTATUS(wait_status));
    }
}
