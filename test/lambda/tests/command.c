/* The command line, --invoke and --wire. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_direct(void)
{
    static const struct {
        const char *event, *output, *log;
        int status;
    } cases[] = {
        {"{\"do\":\"words\"}", "one two three", "REPORT RequestId: ", 0},
        {"{\"do\":\"trailers\"}", "part", "Function.Oh: {\"a\":1}", 1},
        {"{\"do\":\"error\"}", "", "Function.Bad: {\"errorType\":\"E\"", 1},
        {"{\"do\":\"exit7\"}", "", "exit status 7", 1},
        {"@/dev/null", "", "is not JSON", 2},
        {"{\"do\"", "", "EVENT is not JSON", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes out = {0};
        struct lambda l;

        start(&l, "good", "--invoke", cases[i].event, END);
        read_output(&l, &out);
        check(cases[i].event, await_end(&l) == cases[i].status, l.log.data);
        check(cases[i].event, strcmp(out.data, cases[i].output) == 0, out.data);
        check(cases[i].event, strstr(l.log.data, cases[i].log) != NULL,
              l.log.data);
        release(&out);
        discard_lambda(&l);
    }
}

static void test_direct_forwarding(void)
{
    struct bytes out = {0};
    struct lambda l;
    char piece[16];
    ssize_t n;

    (void)unlink(gate);
    start(&l, "good", "--env", "GATE", "--invoke", "{\"do\":\"gate\"}", END);
    n = read(l.out_fd, piece, sizeof piece);
    check("--invoke: each chunk at once",
          n == 5 && memcmp(piece, "first", 5) == 0, "");
    open_gate();
    read_output(&l, &out);
    check("--invoke: and the rest", strcmp(out.data, "second") == 0, out.data);
    check("--invoke: exit status", await_end(&l) == 0, l.log.data);
    release(&out);
    discard_lambda(&l);
}

/* Where "name" runs and what it takes for its root: OPTIONS -- NAME --runtime
 * good, which starts in the folder that stands before. */
static void expect_folder(const char *name, const char *from,
                          const char *bootstrap, const char *variable,
                          const char *folder)
{
    struct bytes out = {0}, expected = {0};
    char *arguments[] = {strdup(lambda_path),
                         strdup("--env"),
                         strdup(variable),
                         strdup("--invoke"),
                         strdup("{\"do\":\"folder\"}"),
                         strdup("--"),
                         strdup(bootstrap),
                         strdup("--runtime"),
                         strdup("good"),
                         NULL};
    char before[4096], absolute[4096];
    struct lambda l;

    free(arguments[0]);
    arguments[0] = strdup(realpath(lambda_path, absolute));
    (void)!getcwd(before, sizeof before);
    check(name, chdir(from) == 0, from);
    launch(&l, arguments);
    read_output(&l, &out);
    append_format(&expected, "%s is %s", folder, folder);
    check(name, strcmp(out.data, expected.data) == 0,
          out.size > 0 ? out.data : l.log.data);
    (void)await_end(&l);
    check(name, chdir(before) == 0, before);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        free(arguments[i]);
    }
    release(&out);
    release(&expected);
    discard_lambda(&l);
}

/* A folder of PATH with a program in it, and one of the same name elsewhere
 * that would fail. */
static void test_folders(void)
{
    char base[64], path[96], file[128], old[4096], both[4200];
    const char *before = getenv("PATH");

    (void)snprintf(old, sizeof old, "%s", before ? before : "/usr/bin:/bin");
    (void)snprintf(base, sizeof base, "/tmp/lambda-test-%ld", (long)getpid());
    (void)snprintf(path, sizeof path, "%s/path", base);
    (void)snprintf(file, sizeof file, "%s/lambda-test-program", path);
    (void)mkdir(base, 0700);
    (void)mkdir(path, 0700);
    check("a program in PATH", symlink(self, file) == 0, file);
    (void)setenv("PATH", path, 1);
    expect_folder("found by PATH", base, "lambda-test-program", "X=1", base);
    expect_folder("with a slash", base, "path/lambda-test-program", "X=1",
                  path);
    expect_folder("a root of its own", base, "path/lambda-test-program",
                  "LAMBDA_TASK_ROOT=/tmp", "/tmp");
    (void)setenv("PATH", old, 1);
    (void)snprintf(path, sizeof path, "%s/lambda-test-program", base);
    (void)close(open(path, O_CREAT | O_WRONLY, 0700));
    (void)snprintf(both, sizeof both, "%s/path:%s", base, old);
    (void)setenv("PATH", both, 1);
    expect_folder("PATH before a file here", base, "lambda-test-program", "X=1",
                  base);
    (void)setenv("PATH", old, 1);
    (void)unlink(file);
    (void)snprintf(path, sizeof path, "%s/lambda-test-program", base);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/path", base);
    (void)rmdir(path);
    (void)rmdir(base);
}

static void expect_usage(const char *name, const char *option,
                         const char *value, int status, const char *log)
{
    struct bytes out = {0};
    struct lambda l;

    start(&l, "good", option, value, END);
    read_output(&l, &out);
    check(name, await_end(&l) == status, l.log.data);
    check(name, is_like(status == 0 ? out.data : l.log.data, log),
          status == 0 ? out.data : l.log.data);
    release(&out);
    discard_lambda(&l);
}

static void test_large_event(void)
{
    char name[64];
    int fd;

    (void)snprintf(name, sizeof name, "/tmp/lambda-test-event-%ld",
                   (long)getpid());
    fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    for (int i = 0; i < 6291456 / 4096; i++) {
        static char piece[4096];

        memset(piece, '1', sizeof piece);
        (void)!write(fd, piece, sizeof piece);
    }
    (void)!write(fd, "1", 1);
    close(fd);
    {
        char option[80];

        (void)snprintf(option, sizeof option, "@%s", name);
        expect_usage("--invoke: an event of 6 MiB and a byte", "--invoke",
                     option, 2, "lambda: ~ is too large: ~\n");
    }
    (void)unlink(name);
}

static void test_command_line(void)
{
    struct lambda l, second;
    char port[32];

    expect_usage("--help", "--help", NULL, 0, "usage: ~--wire~");
    expect_usage("--version", "--version", NULL, 0, "lambda ~.~.~\n");
    expect_usage("a wrong port", "--port", "70000", 2,
                 "lambda: --port must be ~\"70000\"\nusage: ~");
    expect_usage("a wrong time limit", "--timeout=901", NULL, 2,
                 "lambda: --timeout must be ~\nusage: ~");
    expect_usage("an unknown option", "--what", NULL, 2,
                 "lambda: there is no option \"--what\"\nusage: ~");
    expect_usage("a file that is not there", "--invoke", "@missing", 2,
                 "lambda: missing: No such file or directory\n");
    expect_usage("-h", "-h", NULL, 0, "usage: ~");
    expect_usage("a variable that an option sets",
                 "--env=AWS_LAMBDA_RUNTIME_API=1", NULL, 2,
                 "lambda: --env AWS_LAMBDA_RUNTIME_API: --runtime-api sets ~");
    expect_usage("--cors-methods alone", "--cors-methods=GET", NULL, 2,
                 "lambda: --cors ORIGIN is missing ~");
    expect_usage("a missing value", "--env", NULL, 2, "lambda: ~\nusage: ~");
    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        (void)snprintf(port, sizeof port, "%u", l.port);
        start(&second, "good", "--port", port, "--runtime-api=127.0.0.1:0",
              END);
        check("a busy port", await_end(&second) == 1, second.log.data);
        check("a busy port: one line",
              is_like(second.log.data, "lambda: cannot listen on ~: ~\n") &&
                  strchr(second.log.data, '\n')[1] == '\0',
              second.log.data);
        discard_lambda(&second);
        (void)snprintf(port, sizeof port, "127.0.0.1:%u", l.api_port);
        start(&second, "good", "--port", "0", "--runtime-api", port, END);
        check("a busy port for the Runtime API", await_end(&second) == 1,
              second.log.data);
        discard_lambda(&second);
        stop(&l);
    }
}

static void test_wire(void)
{
    static const char *const rows[] = {
        (" > GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\n ~"
         " request line, RFC 9112 §3\n"),
        " < HTTP/1.1 200 OK\\r\\n ~ status line, RFC 9112 §4\n",
        " < {\"do\":\"trailers\"} ~ message body, RFC 9112 §6\n",
        " > Transfer-Encoding: chunked\\r\\n ~ RFC 9112 §6.1\n",
        " > 4\\r\\n ~ chunk size: 4, RFC 9112 §7.1\n",
        " > part ~ chunk data, RFC 9112 §7.1\n",
        " > \\r\\n ~ end of the chunk, RFC 9112 §7.1\n",
        " > 0\\r\\n ~ last chunk, RFC 9112 §7.1\n",
        (" > " TYPE_T
         ": Function.Oh\\r\\n ~ trailer, RFC 9112 §7.1.2; Lambda: ~\n"),
        " > \\r\\n ~ end of the chunked body, RFC 9112 §7.1\n",
        " < HTTP/1.1 202 Accepted\\r\\n ~",
        " < {\"status\":\"OK\"}\\n ~",
    };
    struct bytes out = {0};
    struct lambda l;
    const char *at;

    start(&l, "good", "--wire", "--invoke", "{\"do\":\"trailers\"}", END);
    read_output(&l, &out);
    (void)await_end(&l);
    at = l.log.data;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char pattern[256];
        bool found = false;

        while (!found && at != NULL && *at != '\0') {
            const char *end = strchr(at, '\n');
            size_t size = end == NULL ? strlen(at) : (size_t)(end - at) + 1;
            char *line = strndup(at, size);

            (void)snprintf(pattern, sizeof pattern, "~%s", rows[i]);
            found = is_like(line, pattern);
            free(line);
            at += size;
        }
        check(rows[i], found, l.log.data);
    }
    check("no colour where there is no terminal",
          strchr(l.log.data, '\033') == NULL, "");
    release(&out);
    discard_lambda(&l);
}

void test_command(void)
{
    test_command_line();
    test_large_event();
    test_folders();
    test_direct();
    test_direct_forwarding();
    test_wire();
}
