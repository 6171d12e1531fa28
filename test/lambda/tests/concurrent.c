/* --max-concurrency: several invocations at once in one environment. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void send_get(struct lambda *l, struct stream *s, const char *path)
{
    struct bytes b = {0};

    append_format(&b, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    stream_open(s, "127.0.0.1", l->port);
    (void)stream_send(s, b.data, b.size);
    release(&b);
}

static void await(struct stream *s, const char *text)
{
    while (!contains(&s->in, text) && stream_more(s, PATIENCE_MS)) {
    }
}

/* How many end as they should once the gate is open. */
static unsigned complete(struct stream *clients, unsigned count)
{
    struct message m;
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        n += read_message(&clients[i], &m, false, PATIENCE_MS) && m.complete &&
             strcmp(m.body.data, "firstsecond") == 0;
        message_free(&m);
        stream_close(&clients[i]);
    }
    return n;
}

/* Four workers, and the gate shut. */
static int start_workers(struct lambda *l)
{
    (void)unlink(gate);
    start(l, "workers", PORTS, "--max-concurrency", "4", "--env", "GATE", END);
    return is_up(l);
}

/* Four invocations wait at the gate, two more for one of the four workers. */
static void test_several(void)
{
    struct stream clients[6];
    struct lambda l;
    struct message m;

    if (!start_workers(&l)) {
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        send_get(&l, &clients[i], "/gate");
    }
    check("four at once in one environment", await_begun(clients, 6, 4) == 4,
          l.log.data);
    open_gate();
    check("six in all", complete(clients, 6) == 6, l.log.data);
    get(&l, &m, "/environment");
    check("what it is told",
          strstr(m.body.data, "AWS_LAMBDA_MAX_CONCURRENCY=4\n") != NULL &&
              strstr(m.body.data, "AWS_LAMBDA_LOG_FORMAT=JSON\n") != NULL &&
              strstr(m.body.data, "TYPE=lambda-managed-instances\n") != NULL,
          m.body.data);
    message_free(&m);
    check("one environment, initialised once",
          logs(&l, "Init Duration") &&
              count_of(l.log.data, "Init Duration") == 1,
          l.log.data);
    stop(&l);
}

/* One worker breaks off, another is killed: theirs alone fail, and while the
 * others are still at the gate. */
static void test_failing_workers(void)
{
    static const char *const paths[] = {"/truncated", "/die"};
    struct stream clients[2];
    struct lambda l;
    struct message m;

    if (!start_workers(&l)) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        send_get(&l, &clients[i], "/gate");
        await(&clients[i], "first");
    }
    for (unsigned i = 0; i < 2; i++) {
        get(&l, &m, paths[i]);
        check(paths[i],
              m.status == 200 && !m.complete &&
                  strncmp(m.body.data, "part", 4) == 0,
              m.body.data);
        message_free(&m);
        check(paths[i], logs(&l, "Runtime.TruncatedResponse"), l.log.data);
        release(&l.log);
        append(&l.log, "", 0);
    }
    open_gate();
    check("the others go on", complete(clients, 2) == 2, l.log.data);
    send_get(&l, &clients[0], "/hang");
    await(&clients[0], "part");
    get(&l, &m, "/kill-parent");
    check("the end of the process ends all of them", m.status == 502,
          m.head.data);
    message_free(&m);
    (void)read_message(&clients[0], &m, false, PATIENCE_MS);
    check("those that have begun, too", !m.complete, m.body.data);
    message_free(&m);
    stream_close(&clients[0]);
    expect(&l, "and another is started", "/words", 200, "~", "one two three");
    stop(&l);
}

static void test_late(void)
{
    struct lambda l;
    struct message m;
    struct stream other;

    (void)unlink(gate);
    start(&l, "workers", PORTS, "--max-concurrency", "3", "--timeout", "0.5",
          "--env", "GATE", END);
    if (!is_up(&l)) {
        return;
    }
    send_get(&l, &other, "/late-stream");
    post(&l, &m, INVOKE, "", TEXT("{\"do\":\"late\"}"));
    check("a time-out is told to the caller",
          is_like(m.body.data, "{\"errorType\":\"Sandbox.Timedout\",~"),
          m.body.data);
    message_free(&m);
    (void)read_message(&other, &m, false, PATIENCE_MS);
    check("in mid-stream as well", !m.complete || m.status == 502, m.head.data);
    message_free(&m);
    stream_close(&other);
    open_gate();
    check("a late response gets 410", logs(&l, "late response: 410"),
          l.log.data);
    check("and so does the rest of one", logs(&l, "late rest: 410"),
          l.log.data);
    check("nothing was killed", count_of(l.log.data, "Init Duration") <= 1,
          l.log.data);
    stop(&l);
}

static void test_second_next(void)
{
    struct stream first;
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--max-concurrency", "2", END);
    if (!is_up(&l)) {
        return;
    }
    send_get(&l, &first, "/second");
    (void)logs(&l, "asks again\n");
    expect(&l, "a second /next", "/pid", 200, "~", "the second one");
    (void)read_message(&first, &m, false, PATIENCE_MS);
    check("is another event", strcmp(m.body.data, "another") == 0, m.body.data);
    message_free(&m);
    stream_close(&first);
    stop(&l);
}

void test_concurrent(void)
{
    test_several();
    test_failing_workers();
    test_late();
    test_second_next();
}
