/* Streams as they pass, time limits, concurrency, starts and ends. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The runtime goes on only when the client has its first chunk. */
static void test_forwarding(struct lambda *l, const char *path,
                            const char *first, const char *last)
{
    struct bytes request = {0};
    struct stream s;

    (void)unlink(gate);
    append_format(&request,
                  "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n"
                  "{\"do\":\"gate\"}",
                  path);
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, request.data, request.size);
    while (!contains(&s.in, first) && stream_more(&s, PATIENCE_MS)) {
    }
    check("the first chunk comes before the second",
          contains(&s.in, first) && !contains(&s.in, "second"), s.in.data);
    open_gate();
    while (!contains(&s.in, last) && stream_more(&s, PATIENCE_MS)) {
    }
    check("then the rest", contains(&s.in, last), s.in.data);
    stream_close(&s);
    release(&request);
}

static void test_client_leaves(struct lambda *l)
{
    struct stream s;

    (void)unlink(gate);
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n"));
    while (!contains(&s.in, "first") && stream_more(&s, PATIENCE_MS)) {
    }
    stream_close(&s);
    while (read_log(l, 0)) {
    }
    release(&l->log);
    open_gate();
    check("a client that leaves does not stop the function",
          logs(l, "\tBytes: 11\tChunks: 2\n"), l->log.data);
    check("nor is it an error", !contains(&l->log, "Status:"), l->log.data);
    /* More than any buffer holds, to a client that has gone. */
    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT("GET /seven HTTP/1.1\r\nHost: h\r\n\r\n"));
    (void)stream_more(&s, PATIENCE_MS);
    stream_close(&s);
    check("seven MiB to nobody", logs(l, "sent, and got 202"), l->log.data);
}

static int count_descriptors(pid_t pid)
{
    char path[64];
    int count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    directory = opendir(path);
    if (directory == NULL) {
        return -1;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

/* A connection that is being closed may take a moment. */
static bool falls_to(pid_t pid, int count)
{
    int last = 0, now = count_descriptors(pid);

    for (int64_t end = 0; now != count; now = count_descriptors(pid)) {
        if (now != last) {
            last = now;
            end = now_ms() + PATIENCE_MS;
        } else if (now_ms() > end) {
            return false;
        }
        pause_ms(10);
    }
    return true;
}

static void test_serving(void)
{
    struct lambda l;
    struct message m;
    struct stream s;
    int before;

    (void)setenv("NOT_FOR_CHILDREN", "1", 1);
    start(&l, "good", PORTS, "--env", "TZ=:LOCAL", "--env=ADDED=a=b",
          "--allow-host", "allowed.example.com", "--env", "GATE", END);
    if (!is_up(&l)) {
        discard_lambda(&l);
        return;
    }
    /* While the connection is open the count is certain; without it there is
     * one less. */
    stream_open(&s, "127.0.0.1", l.port);
    (void)stream_send(&s, TEXT("GET /words HTTP/1.1\r\nHost: h\r\n\r\n"));
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("warm up", m.status == 200 && m.complete && logs(&l, "REPORT "),
          m.head.data);
    message_free(&m);
    before = count_descriptors(l.pid) - 1;
    stream_close(&s);
    test_url(&l);
    test_invoke(&l);
    test_service(&l);
    test_api(&l);
    test_forwarding(&l, "/gate", "\r\nfirst\r\n", "\r\n0\r\n\r\n");
    test_forwarding(&l, STREAM, "first", "InvokeComplete");
    test_client_leaves(&l);
    expect(&l, "and at last", "/words", 200, "~", "one two three");
    if (before < 0) {
        skipped++;
    } else {
        check("no descriptor is left", falls_to(l.pid, before), "");
    }
    stop(&l);
}

/* False: the machine was too slow for the runtime to have begun before the
 * time was up, which shows nothing. */
static bool try_timeout(int seconds)
{
    char option[16], message[64];
    struct bytes events = {0};
    struct lambda l;
    struct message m;
    int64_t began;
    bool begun = false;

    (void)snprintf(option, sizeof option, "%d", seconds);
    (void)snprintf(message, sizeof message, "timed out after %d.00 seconds",
                   seconds);
    start(&l, "good", PORTS, "--timeout", option, END);
    if (is_up(&l)) {
        began = now_ms();
        post(&l, &m, STREAM, "", TEXT("{\"do\":\"hang\"}"));
        check("not before its time", now_ms() - began >= seconds * 1000, "");
        decode_events(&m, &events);
        check("a time-out",
              is_like(events.data, "~InvokeComplete:{\"ErrorCode\":"
                                   "\"Sandbox.Timedout\",~}|") &&
                  strstr(events.data, message) != NULL,
              events.data);
        begun = strncmp(events.data, "PayloadChunk:part|", 18) == 0;
        message_free(&m);
        get(&l, &m, "/words");
        begun = begun && m.status == 200;
        check("the log says so", logs(&l, "Status: timeout"), l.log.data);
        message_free(&m);
        stop(&l);
    }
    release(&events);
    return begun;
}

static void test_timeouts(void)
{
    bool shown = false;

    for (int seconds = 1; seconds <= 64 && !shown; seconds *= 4) {
        shown = try_timeout(seconds);
    }
    check("what had come before it, and a new process after it", shown, "");
}

static void test_bad_starts(void)
{
    struct lambda l;
    struct message m;

    start(&l, "init-error", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 2; i++) {
            post(&l, &m, INVOKE, "", TEXT("{}"));
            check("an error of the initialisation",
                  strcmp(m.body.data,
                         "{\"errorType\":\"I\",\"errorMessage\":\"i\"}") == 0,
                  m.body.data);
            message_free(&m);
        }
        check("no event after it", logs(&l, "after init/error: forbidden"),
              l.log.data);
        stop(&l);
    }
    start(&l, "exit", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 2; i++) {
            post(&l, &m, INVOKE, "", TEXT("{}"));
            check("an exit before the first event",
                  is_like(m.body.data, "{\"errorType\":\"Runtime.ExitError\"~"
                                       "exit status 4\"}"),
                  m.body.data);
            message_free(&m);
        }
        stop(&l);
    }
    start(&l, "reconnect", PORTS, END);
    if (is_up(&l)) {
        for (int i = 0; i < 3; i++) {
            expect(&l, "a connection for each request", "/words", 200, "~",
                   "one two three");
        }
        stop(&l);
    }
}

static void test_slow_starts(void)
{
    struct lambda l;
    struct message m;
    int64_t began = now_ms();

    (void)unlink(gate);
    start(&l, "hang-once", PORTS, "--init-timeout", "0.3", "--env", "GATE",
          END);
    if (is_up(&l)) {
        expect(&l, "an initialisation that is started again", "/words", 200,
               "~", "one two three");
        check("and said to be",
              logs(&l, "Phase: init Status: timeout") && logs(&l, "REPORT R"),
              l.log.data);
        check("not before its time", now_ms() - began >= 300, "");
        stop(&l);
    }
    began = now_ms();
    start(&l, "hang", PORTS, "--init-timeout", "0.3", "--timeout", "0.6",
          "--env", "GATE", END);
    if (is_up(&l)) {
        post(&l, &m, INVOKE, "", TEXT("{}"));
        check("one that hangs again",
              is_like(m.body.data, "{\"errorType\":\"Sandbox.Timedout\",~ "
                                   "timed out after 0.60 seconds\"}"),
              m.body.data);
        check("has the time of the invocation", now_ms() - began >= 900, "");
        message_free(&m);
        stop(&l);
    }
}

static void test_no_limits(void)
{
    struct lambda l;
    struct message m;
    struct timespec before, after;
    const char *deadline;
    long long ms;

    start(&l, "good", PORTS, "--timeout", "0", "--init-timeout", "0", END);
    if (is_up(&l)) {
        (void)clock_gettime(CLOCK_REALTIME, &before);
        get(&l, &m, "/head");
        (void)clock_gettime(CLOCK_REALTIME, &after);
        deadline = strstr(m.body.data, "Deadline-Ms: ");
        ms = deadline == NULL ? 0 : atoll(deadline + 13);
        check("no time limit: the deadline says 900 s",
              ms / 1000 - 900 >= before.tv_sec &&
                  ms / 1000 - 900 <= after.tv_sec,
              m.body.data);
        message_free(&m);
        stop(&l);
    }
}

static long survivor(struct lambda *l)
{
    struct message m;
    long pid;

    get(l, &m, "/setsid");
    pid = strtol(m.body.data, NULL, 10);
    message_free(&m);
    return pid;
}

/* Where there is no /proc, what has left the process group cannot be found. */
static void test_children(void)
{
    struct lambda l;
    struct message m;
    long pid;

    if (access("/proc/self/environ", R_OK) != 0) {
        skipped++;
        return;
    }
    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        pid = survivor(&l);
        get(&l, &m, "/exit7");
        message_free(&m);
        check("what a runtime has started ends with it",
              pid > 0 && is_gone(pid), l.log.data);
        pid = survivor(&l);
        stop(&l);
        check("and with lambda", pid > 0 && is_gone(pid), "");
    }
}

static void test_concurrency(void)
{
    struct stream clients[6];
    struct lambda l;
    struct message m;
    unsigned begun = 0, complete = 0;

    (void)unlink(gate);
    start(&l, "good", PORTS, "--concurrency", "4", "--env", "GATE", END);
    if (!is_up(&l)) {
        return;
    }
    for (int i = 0; i < 6; i++) {
        stream_open(&clients[i], "127.0.0.1", l.port);
        (void)stream_send(&clients[i],
                          TEXT("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n"));
    }
    /* Four run at once, and all of them are waiting at the gate. */
    begun = await_begun(clients, 6, 4);
    check("four at once", begun == 4, "");
    open_gate();
    for (int i = 0; i < 6; i++) {
        complete += read_message(&clients[i], &m, false, PATIENCE_MS) &&
                    m.complete && strcmp(m.body.data, "firstsecond") == 0;
        message_free(&m);
        stream_close(&clients[i]);
    }
    check("six in all", complete == 6, "");
    stop(&l);
}

static void test_limits(void)
{
    struct lambda l;
    struct message m;
    int64_t began;

    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        get(&l, &m, "/huge");
        check("a stream ends at 200 MiB",
              m.status == 200 && !m.complete && m.body.size == 209715200,
              m.head.data);
        message_free(&m);
        check("with its error",
              logs(&l, "Function.ResponseSizeTooLarge") &&
                  logs(&l, "sent, and got 413"),
              l.log.data);
        stop(&l);
    }
    start(&l, "good", PORTS, "--throttle", END);
    if (is_up(&l)) {
        began = now_ms();
        get(&l, &m, "/seven");
        check("six MiB at once, then two a second",
              m.body.size == 7u << 20 && now_ms() - began >= 300, "");
        message_free(&m);
        stop(&l);
    }
}

/* Its runtime hangs: where it waited for that, await_end() would find out. */
static void test_signals(void)
{
    static const struct {
        int number, status;
    } cases[] = {{SIGTERM, 143}, {SIGINT, 130}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lambda l;
        struct message m;
        struct stream s;
        long pid;

        start(&l, "good", PORTS, END);
        if (!is_up(&l)) {
            continue;
        }
        get(&l, &m, "/pid");
        pid = strtol(m.body.data, NULL, 10);
        message_free(&m);
        stream_open(&s, "127.0.0.1", l.port);
        (void)stream_send(&s, TEXT("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n"));
        (void)stream_more(&s, PATIENCE_MS);
        (void)kill(l.pid, cases[i].number);
        check("a signal ends it", await_end(&l) == cases[i].status, l.log.data);
        check("and its runtime", pid > 0 && is_gone(pid), "");
        stream_close(&s);
        discard_lambda(&l);
    }
}

void test_life(void)
{
    test_serving();
    test_timeouts();
    test_bad_starts();
    test_slow_starts();
    test_no_limits();
    test_children();
    test_concurrency();
    test_limits();
    test_signals();
}
