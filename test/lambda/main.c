/* A local Lambda that streams: it runs a function's bootstrap as Lambda would
 * and lets HTTP clients, AWS SDKs and the shell invoke it.
 *
 * One thread, one loop. A request comes in at the front (lambda/front.c) and
 * becomes an invocation (invocation.c); the pool gives it to a sandbox
 * (sandbox.c), whose runtime fetches it and sends the response over the
 * Runtime API (runtime_api.c); the invocation's caller passes the response on
 * as it arrives (url_answer.c, invoke_answer.c, direct.c). */
#define _POSIX_C_SOURCE 200809L
#include "client.h"
#include "direct.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "pool.h"
#include "process.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct buf event;

/* As much as there is, or one byte more than an event may have. */
static bool read_file(const char *name, int fd)
{
    ssize_t n = -1;

    while (fd >= 0 && buf_size(&event) <= EVENT_BYTES_MAX &&
           (n = read(fd, buf_room(&event, 65536), 65536)) > 0) {
        event.end += (size_t)n;
    }
    if (n < 0) {
        log_line(LOG_NOTE, "%s: %s", name, strerror(errno));
    }
    return n >= 0;
}

static bool read_event(const char *text)
{
    const char *name = "EVENT";
    long fault;

    if (text[0] == '@') {
        int fd = open(text + 1, O_RDONLY | O_CLOEXEC);

        name = text + 1;
        if (!read_file(name, fd)) {
            return false;
        }
        close(fd);
    } else if (strcmp(text, "-") == 0) {
        name = "standard input";
        if (!read_file(name, STDIN_FILENO)) {
            return false;
        }
    } else {
        buf_text(&event, text);
    }
    if (buf_size(&event) > EVENT_BYTES_MAX) {
        log_line(LOG_NOTE, "%s is too large: an event has at most %u bytes",
                 name, EVENT_BYTES_MAX);
        return false;
    }
    fault = json_fault(buf_slice(&event));
    if (fault >= 0) {
        log_line(LOG_NOTE, "%s is not JSON: see byte %ld", name, fault);
    }
    return fault < 0;
}

static void on_stop_signal(int number)
{
    pool_stop(128 + number);
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

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void tell_where(const struct settings *settings, const char *host,
                       unsigned port)
{
    const char *open = strchr(host, ':') != NULL ? "[" : "";
    const char *close = open[0] == '[' ? "]" : "";

    log_line(LOG_NOTE,
             "listening on http://%s%s%s:%u, Runtime API on "
             "%s:%u",
             open, host, close, port, settings->api_host,
             (unsigned)pool_port());
    if (!is_loopback(host)) {
        log_line(LOG_NOTE, "warning: whoever can reach %s can run the function",
                 host);
    }
    log_line(LOG_NOTE,
             "%s may be rebuilt at any time: the next invocation uses it",
             settings->arguments[0]);
    log_line(LOG_NOTE, "try: curl -N -d '{}' http://%s%s%s:%u/", open, host,
             close, port);
    log_line(LOG_NOTE,
             "or:  curl -N -d '{}' http://%s%s%s:%u/2021-11-15/functions/"
             "function/response-streaming-invocations",
             open, host, close, port);
    log_line(LOG_NOTE,
             "or:  curl -d '{}' http://%s%s%s:%u/2015-03-31/functions/"
             "function/invocations",
             open, host, close, port);
}

static bool serve(const struct settings *settings)
{
    const char *host = settings->bind == NULL ? "127.0.0.1" : settings->bind;
    uint16_t port = settings->port;

    if (!front_open(settings, &port)) {
        log_line(LOG_NOTE, "cannot listen on %s:%u: %s", host,
                 (unsigned)settings->port, strerror(errno));
        return false;
    }
    tell_where(settings, host, port);
    return true;
}

/* Everything is there to run; the exit status. */
static int run(const struct settings *settings)
{
    int status = 1;

    process_raise_limit();
    (void)signal(SIGPIPE, SIG_IGN);
    loop_signal(SIGINT, on_stop_signal);
    loop_signal(SIGTERM, on_stop_signal);
    loop_signal(SIGHUP, on_stop_signal);
    if (!pool_open(settings)) {
        log_line(LOG_NOTE, "cannot listen on %s:%u for the Runtime API: %s",
                 settings->api_host, (unsigned)settings->api_port,
                 strerror(errno));
        return 1;
    }
    if (settings->invoke != NULL) {
        direct_invoke(buf_slice(&event), settings->function_name);
        buf_free(&event);
        status = loop_run();
    } else if (serve(settings)) {
        status = loop_run();
    }
    pool_close();
    wire_disable();
    return status;
}

int main(int argc, char **argv)
{
    const struct settings *settings;
    int status = 1;

    open_standard_streams();
    log_open();
    settings = read_arguments(argc, argv);
    if (settings->invoke != NULL && !read_event(settings->invoke)) {
        status = 2;
    } else if (find_program()) {
        if (settings->wire && !wire_enable(settings->wire_path)) {
            log_line(LOG_NOTE, "cannot write %s: %s", settings->wire_path,
                     strerror(errno));
        } else {
            status = run(settings);
        }
    }
    log_close();
    return status;
}
