/* --extension: programs beside the runtime. They are this program again, called
 * by another name, which says what they do. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXTENSION "/2020-01-01/extension"

/* What runs in an extension's process. */

static void call(struct stream *s, struct message *m, const char *request,
                 const char *fields, const char *body)
{
    struct bytes b = {0};

    append_format(&b,
                  "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
                  request, fields, strlen(body), body);
    (void)stream_send(s, b.data, b.size);
    release(&b);
    if (!read_message(s, m, false, -1)) {
        _exit(9);
    }
}

static void note(const char *name, const char *what, const struct message *m)
{
    (void)fprintf(stderr, "%s: %s: %d %s\n", name, what, m->status,
                  m->body.data);
}

int be_extension(const char *name)
{
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    const char *events = strstr(name, "quiet") != NULL ||
                                 strstr(name, "adapter") != NULL
                             ? "{\"events\":[]}"
                             : "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}";
    char host[64], fields[256], id[64];
    struct message m;
    struct stream s;
    unsigned port;

    if (address == NULL || sscanf(address, "%63[^:]:%u", host, &port) != 2) {
        return 98;
    }
    stream_open(&s, host, port);
    (void)snprintf(fields, sizeof fields, "Lambda-Extension-Name: %s\r\n",
                   name);
    call(&s, &m, "POST " EXTENSION "/register", fields, events);
    (void)snprintf(id, sizeof id, "%s",
                   field(&m, "lambda-extension-identifier"));
    note(name, "registered", &m);
    message_free(&m);
    (void)snprintf(fields, sizeof fields, "Lambda-Extension-Identifier: %s\r\n",
                   id);
    if (strstr(name, "adapter") != NULL && fork() == 0) {
        return be_runtime("good");
    }
    for (;;) {
        call(&s, &m, "GET " EXTENSION "/event/next", fields, "");
        note(name,
             field(&m, "lambda-extension-event-identifier") == NULL ? "no event"
                                                                    : "event",
             &m);
        if (strstr(name, "crash") != NULL) {
            return 5;
        }
        if (strstr(m.body.data, "SHUTDOWN") != NULL) {
            return 0;
        }
        message_free(&m);
    }
}

/* The tests. */

static char programs[3][64];

static void link_programs(void)
{
    static const char *const names[] = {"good", "crash", "adapter"};

    for (int i = 0; i < 3; i++) {
        (void)snprintf(programs[i], sizeof programs[i],
                       "/tmp/lambda-extension-%s-%ld", names[i],
                       (long)getpid());
        (void)unlink(programs[i]);
        check("a program for the test", symlink(self, programs[i]) == 0,
              programs[i]);
    }
}

static void test_life_of_one(void)
{
    struct lambda l;
    struct message m;

    start(&l, "polite", PORTS, "--extension", programs[0], END);
    if (!is_up(&l)) {
        return;
    }
    expect(&l, "with an extension", "/words", 200, "~", "one two three");
    check("it is registered",
          logs(&l, "registered: 200 {\"functionName\":\"function\",") &&
              logs(&l, "State: Registered Events: [INVOKE, SHUTDOWN]"),
          l.log.data);
    check("it is told of the invocation",
          logs(&l, "event: 200 {\"eventType\":\"INVOKE\",\"deadlineMs\":"),
          l.log.data);
    /* It may be asking for its next event only now: the REPORT waits. */
    check("the invocation ends when both have asked", logs(&l, "REPORT "),
          l.log.data);
    post(&l, &m, INVOKE, "", TEXT("{\"do\":\"pid\"}"));
    check("a second one", m.status == 200, m.head.data);
    message_free(&m);
    (void)kill(l.pid, SIGTERM);
    check("SIGTERM: both get time", await_end(&l) == 143, l.log.data);
    check("the extension gets an event",
          strstr(l.log.data, "event: 200 {\"eventType\":\"SHUTDOWN\","
                             "\"shutdownReason\":\"spindown\",") != NULL,
          l.log.data);
    check("the runtime gets SIGTERM",
          strstr(l.log.data, "runtime: SIGTERM\n") != NULL, l.log.data);
    discard_lambda(&l);
}

static void test_failures(void)
{
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--extension", programs[1], END);
    if (is_up(&l)) {
        post(&l, &m, INVOKE, "", TEXT("{\"do\":\"hang-silent\"}"));
        check("an extension that ends",
              is_like(m.body.data, "{\"errorType\":\"Extension.Crash\",~}"),
              m.body.data);
        message_free(&m);
        check("and how", logs(&l, "ended: exit status 5"), l.log.data);
        stop(&l);
    }
    start(&l, "good", PORTS, "--extension", programs[0], END);
    if (is_up(&l)) {
        expect(&l, "a runtime that ends", "/exit7", 502, "~",
               "Internal Server Error");
        check("its extension is told",
              logs(&l, "\"shutdownReason\":\"failure\""), l.log.data);
        expect(&l, "both are started again", "/words", 200, "~",
               "one two three");
        (void)kill(l.pid, SIGTERM);
        check("an end", await_end(&l) == 143, l.log.data);
        discard_lambda(&l);
    }
}

static void test_adapter(void)
{
    struct lambda l;

    start(&l, "idle", PORTS, "--extension", programs[2], END);
    if (is_up(&l)) {
        expect(&l, "an extension that is the runtime", "/words", 200, "~",
               "one two three");
        expect(&l, "twice", "/words", 200, "~", "one two three");
        (void)kill(l.pid, SIGTERM);
        (void)kill(l.pid, SIGTERM);
        check("a second SIGTERM does not wait", await_end(&l) == 143,
              l.log.data);
        discard_lambda(&l);
    }
}

/* What a runtime gets for requests that are wrong, and for an extension of its
 * own. */
static void test_requests(void)
{
    struct lambda l;

    start(&l, "internal", PORTS, END);
    if (is_up(&l)) {
        expect(&l, "an internal extension", "/words", 200, "~",
               "one two three");
        check("its requests",
              logs(&l, "replies: 403 403 403 200 403 403 404 \n"), l.log.data);
        check("its event", logs(&l, "internal event: INVOKE\n"), l.log.data);
        (void)kill(l.pid, SIGTERM);
        check("SIGTERM for it", await_end(&l) == 143, l.log.data);
        check("which it gets", strstr(l.log.data, "runtime: SIGTERM\n") != NULL,
              l.log.data);
        discard_lambda(&l);
    }
}

void test_extension(void)
{
    link_programs();
    test_life_of_one();
    test_failures();
    test_adapter();
    test_requests();
    for (int i = 0; i < 3; i++) {
        (void)unlink(programs[i]);
    }
}
