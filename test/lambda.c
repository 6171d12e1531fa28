/* A local Lambda that streams: it runs a function's bootstrap as Lambda would
 * and lets HTTP clients, AWS SDKs and the shell invoke it.
 *
 * One thread, one loop. A request comes in at the front (lambda/front.c) and
 * becomes an invocation (invocation.c); the pool gives it to a sandbox
 * (sandbox.c), whose runtime fetches it and sends the response over the
 * Runtime API (runtime_api.c); the invocation's caller passes the response on
 * as it arrives (url_answer.c, invoke_answer.c, direct.c). */
#define _POSIX_C_SOURCE 200809L
#include "lambda/client.h"
#include "lambda/direct.h"
#include "lambda/json.h"
#include "lambda/log.h"
#include "lambda/loop.h"
#include "lambda/name.h"
#include "lambda/process.h"
#include "lambda/sandbox.h"
#include "lambda/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: lambda [OPTION]... -- BOOTSTRAP [ARGUMENT]...\n"
    "       lambda [OPTION]... --invoke EVENT -- BOOTSTRAP [ARGUMENT]...\n";

static const char help[] =
    "\n"
    "Runs BOOTSTRAP as AWS Lambda runs a custom runtime, and streams what it\n"
    "responds. Everything listens on 127.0.0.1 alone.\n"
    "\n"
    "  --port N              the front's port (8080); 0: a free one\n"
    "  --runtime-api IP:PORT where the first sandbox finds the Runtime API\n"
    "                        (127.0.0.1:9001); port 0: a free one. Every\n"
    "                        further sandbox has a free port of its own, by\n"
    "                        which its connections are told from the others'.\n"
    "  --timeout SECONDS     limit of an invocation (30), up to 900; 0: none,\n"
    "                        and the runtime is told 900\n"
    "  --init-timeout SECONDS\n"
    "                        limit of an initialisation (10); 0: none. One "
    "that\n"
    "                        takes longer is started again, as in Lambda: "
    "within\n"
    "                        the invocation, with its limit.\n"
    "  --concurrency N       sandboxes at most (1), started on demand;\n"
    "                        further requests wait for one\n"
    "  --function-name NAME  the function's name (function): others are not\n"
    "                        found. Without it any name is the function's.\n"
    "  --throttle            a streamed response's bandwidth as in Lambda:\n"
    "                        6 MiB at once, then 2 MiB a second\n"
    "  --wire[=FILE]         an annotated transcript of every byte of the\n"
    "                        Runtime API, to stderr or to FILE. FILE.html is\n"
    "                        a page, FILE.pcapng a capture for Wireshark.\n"
    "  --env NAME=VALUE      sets a variable for the runtime; --env NAME\n"
    "                        passes on our own. May be repeated.\n"
    "  --invoke EVENT        no front: one invocation, with the JSON text\n"
    "                        EVENT (@FILE: from a file, -: from stdin). The\n"
    "                        stream goes to stdout, all else to stderr. The\n"
    "                        Runtime API is on a free port unless given. Exit\n"
    "                        status 1 if the invocation failed.\n"
    "  --help, --version\n"
    "\n"
    "The front has three ways in:\n"
    "  any path and method   a Function URL with RESPONSE_STREAM\n"
    "  POST /2021-11-15/functions/NAME/response-streaming-invocations\n"
    "  POST /2015-03-31/functions/NAME/invocations\n"
    "\n"
    "The runtime gets the variables that Lambda sets, PATH, HOME and\n"
    "LD_LIBRARY_PATH of ours, and what --env says. It runs in BOOTSTRAP's\n"
    "directory, or in ours where it has arguments; that is LAMBDA_TASK_ROOT.\n"
    "NO_COLOR switches colours off.\n";

static struct settings settings = {
    .port = 8080,
    .api_host = "127.0.0.1",
    .api_port = 9001,
    .timeout_ns = 30 * NS_PER_S,
    .init_timeout_ns = 10 * NS_PER_S,
    .concurrency = 1,
    .memory_mb = 128,
};
static bool api_given, wire_wanted;
static const char *wire_path;
static struct buf event;

static _Noreturn void refuse(const char *format, const char *value)
{
    char text[256];

    (void)snprintf(text, sizeof text, format, value);
    (void)fprintf(stderr, "lambda: %s\n%s", text, usage);
    exit(2);
}

static bool parse_number(const char *text, long max, long *value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 9) {
        return false;
    }
    *value = strtol(text, &end, 10);
    return *end == '\0' && *value <= max;
}

static void set_port(const char *value)
{
    long port;

    if (!parse_number(value, 65535, &port)) {
        refuse("--port must be a number from 0 to 65535, not \"%s\"", value);
        return;
    }
    settings.port = (uint16_t)port;
}

static void set_api(const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - value);
    long port;

    if (colon == NULL || size == 0 || size >= sizeof settings.api_host ||
        strspn(value, "0123456789.") != size ||
        !parse_number(colon + 1, 65535, &port)) {
        refuse("--runtime-api must be an IPv4 address and a port, not \"%s\"",
               value);
        return;
    }
    memcpy(settings.api_host, value, size);
    settings.api_host[size] = '\0';
    settings.api_port = (uint16_t)port;
    api_given = true;
}

/* Seconds with up to three decimals: more are not asked of a time limit. */
static int64_t read_seconds(const char *option, const char *value)
{
    size_t whole = strspn(value, "0123456789");
    size_t decimals = 0;
    int64_t ms;

    if (whole > 0 && whole <= 3 && value[whole] == '.') {
        decimals = strspn(value + whole + 1, "0123456789");
    }
    ms = whole > 0 && whole <= 3 ? strtol(value, NULL, 10) * 1000 : 0;
    for (size_t i = 0, unit = 100; i < decimals && i < 3; i++, unit /= 10) {
        ms += (value[whole + 1 + i] - '0') * (int64_t)unit;
    }
    if (whole == 0 || whole > 3 || ms > 900000 || decimals > 3 ||
        value[whole + (decimals > 0 ? decimals + 1 : 0)] != '\0') {
        struct buf format = {0};

        buf_format(&format, "%s must be seconds up to 900, not \"%%s\"%c",
                   option, 0);
        refuse((char *)format.data, value);
    }
    return ms * NS_PER_MS;
}

static void set_timeout(const char *value)
{
    settings.timeout_ns = read_seconds("--timeout", value);
}

static void set_init_timeout(const char *value)
{
    settings.init_timeout_ns = read_seconds("--init-timeout", value);
}

static void set_concurrency(const char *value)
{
    long n;

    if (!parse_number(value, SANDBOXES_MAX, &n) || n < 1) {
        refuse("--concurrency must be a number from 1 to 1000, not \"%s\"",
               value);
        return;
    }
    settings.concurrency = (unsigned)n;
}

static void set_env(const char *value)
{
    const char *own;

    if (strcspn(value, "=") == 0) {
        refuse("--env needs a name, not \"%s\"", value);
    }
    if (strchr(value, '=') != NULL) {
        buf_format(&settings.environment, "%s%c", value, 0);
        return;
    }
    own = getenv(value);
    if (own == NULL) {
        refuse("--env %s: there is no such variable to pass on", value);
    }
    buf_format(&settings.environment, "%s=%s%c", value, own, 0);
}

static void set_function_name(const char *value)
{
    if (!is_function_name(slice_of(value))) {
        refuse("--function-name must be 1 to 64 letters, digits, hyphens and "
               "underscores, not \"%s\"",
               value);
    }
    settings.function_name = value;
}

static void set_invoke(const char *value)
{
    settings.invoke = value;
}

static const struct {
    const char *name;
    void (*set)(const char *value);
} with_value[] = {
    {"--port", set_port},
    {"--runtime-api", set_api},
    {"--timeout", set_timeout},
    {"--concurrency", set_concurrency},
    {"--env", set_env},
    {"--invoke", set_invoke},
    {"--function-name", set_function_name},
    {"--init-timeout", set_init_timeout},
};

/* True: it took the next argument as its value. */
static bool read_option(const char *option, const char *next)
{
    const char *equals = strchr(option, '=');
    size_t size = equals == NULL ? strlen(option) : (size_t)(equals - option);

    for (size_t i = 0; i < sizeof with_value / sizeof with_value[0]; i++) {
        if (strlen(with_value[i].name) != size ||
            strncmp(option, with_value[i].name, size) != 0) {
            continue;
        }
        if (equals == NULL && next == NULL) {
            refuse("%s needs a value", option);
        }
        with_value[i].set(equals == NULL ? next : equals + 1);
        return equals == NULL;
    }
    if (strcmp(option, "--throttle") == 0) {
        settings.throttle = true;
    } else if (size == 6 && strncmp(option, "--wire", 6) == 0) {
        wire_wanted = true;
        wire_path = equals == NULL ? NULL : equals + 1;
    } else if (strcmp(option, "--help") == 0) {
        (void)printf("%s%s", usage, help);
        exit(fflush(stdout) == 0 ? 0 : 1);
    } else if (strcmp(option, "--version") == 0) {
        (void)printf("lambda %s\n", LAMBDA_VERSION);
        exit(fflush(stdout) == 0 ? 0 : 1);
    } else {
        refuse(option[0] == '-' ? "there is no option \"%s\""
                                : "\"%s\": BOOTSTRAP comes after --",
               option);
    }
    return false;
}

static void read_arguments(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0) {
        i += read_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL) ? 2 : 1;
    }
    if (i + 1 >= argc) {
        refuse("%s is missing", "-- BOOTSTRAP");
    }
    settings.arguments = argv + i + 1;
    if (settings.invoke != NULL && !api_given) {
        settings.api_port = 0;
    }
}

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           access(path, X_OK) == 0;
}

/* Absolute, since the process runs elsewhere; links stay what they are, since
 * some programs look at their own name. */
static char *absolute(const char *path)
{
    struct buf text = {0};
    char *result;

    if (path[0] != '/') {
        char *directory = allocate(PATH_MAX);

        buf_format(&text, "%s/",
                   getcwd(directory, PATH_MAX) == NULL ? "" : directory);
        free(directory);
        while (strncmp(path, "./", 2) == 0) {
            path += 2 + strspn(path + 2, "/");
        }
    }
    buf_text(&text, path);
    result = slice_copy(buf_slice(&text));
    buf_free(&text);
    return result;
}

/* A name without a slash that is no file here is looked up in PATH. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *found = NULL;

    if (is_program(name)) {
        return absolute(name);
    }
    while (strchr(name, '/') == NULL && path != NULL && *path != '\0' &&
           found == NULL) {
        size_t size = strcspn(path, ":");
        struct buf candidate = {0};

        buf_format(&candidate, "%.*s/%s%c", (int)size, path, name, 0);
        if (is_program((char *)candidate.data)) {
            found = absolute((char *)candidate.data);
        }
        buf_free(&candidate);
        path += size;
        path += *path == ':' ? 1 : 0;
    }
    return found;
}

static bool find_bootstrap(void)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it has been set */
    const char *name = settings.arguments[0];
    char *program = find_program(name), *root, *slash;

    if (program == NULL) {
        log_line(LOG_NOTE, "cannot run %s: %s", name,
                 access(name, F_OK) == 0 ? "not an executable file"
                                         : "there is no such file");
        return false;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it has been set */
    if (settings.arguments[1] == NULL) {
        root = slice_copy(slice_of(program));
    } else {
        root = absolute("");
    }
    slash = strrchr(root, '/');
    slash[slash == root ? 1 : 0] = '\0';
    settings.program = program;
    settings.task_root = root;
    return true;
}

static bool read_event(void)
{
    const char *text = settings.invoke;
    const char *name = text[0] == '@' ? text + 1 : "standard input";
    ssize_t n;
    int fd = STDIN_FILENO;
    long fault;

    if (text[0] != '@' && strcmp(text, "-") != 0) {
        buf_text(&event, text);
        name = "EVENT";
    } else {
        fd = text[0] == '@' ? open(name, O_RDONLY | O_CLOEXEC) : fd;
        while ((n = read(fd, buf_room(&event, 65536), 65536)) > 0) {
            event.end += (size_t)n;
        }
        if (n < 0) {
            log_line(LOG_NOTE, "%s: %s", name, strerror(errno));
            return false;
        }
        if (fd != STDIN_FILENO) {
            close(fd);
        }
    }
    fault = json_fault(buf_slice(&event));
    if (fault >= 0) {
        log_line(LOG_NOTE, "%s is not JSON: see byte %ld", name, fault);
    }
    return fault < 0;
}

static void on_stop_signal(int number)
{
    loop_stop(128 + number);
}

/* Descriptors 0 to 2 that are closed would become sockets, and log lines
 * would go to a peer. Open for reading, they still fail to be written. */
static void open_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

static void tell_where(uint16_t port)
{
    log_line(LOG_NOTE,
             "listening on http://127.0.0.1:%u, Runtime API on "
             "%s:%u",
             (unsigned)port, settings.api_host, (unsigned)pool_port());
    log_line(LOG_NOTE, "try: curl -N -d '{}' http://127.0.0.1:%u/",
             (unsigned)port);
    log_line(LOG_NOTE,
             "or:  curl -N -d '{}' http://127.0.0.1:%u/2021-11-15/functions/"
             "function/response-streaming-invocations",
             (unsigned)port);
    log_line(LOG_NOTE,
             "or:  curl -d '{}' http://127.0.0.1:%u/2015-03-31/functions/"
             "function/invocations",
             (unsigned)port);
}

static bool serve(void)
{
    uint16_t port = settings.port;

    if (!front_open(&settings, &port)) {
        log_line(LOG_NOTE, "cannot listen on 127.0.0.1:%u: %s",
                 (unsigned)settings.port, strerror(errno));
        return false;
    }
    tell_where(port);
    return true;
}

int main(int argc, char **argv)
{
    int status = 1;

    open_standard_streams();
    log_open();
    read_arguments(argc, argv);
    if (settings.invoke != NULL && !read_event()) {
        return 2;
    }
    if (!find_bootstrap()) {
        return 1;
    }
    if (wire_wanted && !wire_enable(wire_path)) {
        log_line(LOG_NOTE, "cannot write %s: %s", wire_path, strerror(errno));
        return 1;
    }
    process_raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    loop_signal(SIGINT, on_stop_signal);
    loop_signal(SIGTERM, on_stop_signal);
    loop_signal(SIGHUP, on_stop_signal);
    if (!pool_open(&settings)) {
        log_line(LOG_NOTE, "cannot listen on %s:%u for the Runtime API: %s",
                 settings.api_host, (unsigned)settings.api_port,
                 strerror(errno));
        return 1;
    }
    if (settings.invoke != NULL) {
        direct_invoke(buf_slice(&event), settings.function_name);
        buf_free(&event);
        status = loop_run();
    } else if (serve()) {
        status = loop_run();
    }
    pool_close();
    wire_disable();
    log_close();
    return status;
}
