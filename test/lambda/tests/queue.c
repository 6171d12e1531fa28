/* Requests that wait for a sandbox: who is dropped, and what is refused. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client whose request occupies the only sandbox until the gate opens. */
static void occupy(struct lambda *l, struct stream *s)
{
    (void)unlink(gate);
    stream_open(s, "127.0.0.1", l->port);
    (void)stream_send(s, TEXT("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n"));
    while (!contains(&s->in, "first") && stream_more(s, PATIENCE_MS)) {
    }
}

static void test_leaving(void)
{
    struct lambda l;
    struct message m;
    struct stream first, second;

    start(&l, "good", PORTS, "--env", "GATE", END);
    if (!is_up(&l)) {
        return;
    }
    occupy(&l, &first);
    stream_open(&second, "127.0.0.1", l.port);
    (void)stream_send(&second, TEXT("GET /words HTTP/1.1\r\nHost: h\r\n\r\n"));
    stream_close(&second);
    check("a client that leaves while it waits",
          logs(&l, "its client left while it waited"), l.log.data);
    post(&l, &m, INVOKE, "X-Amz-Invocation-Type: Event\r\n",
         TEXT("{\"do\":\"pid\"}"));
    check("an event is accepted meanwhile", m.status == 202, m.head.data);
    message_free(&m);
    open_gate();
    (void)read_message(&first, &m, false, PATIENCE_MS);
    message_free(&m);
    stream_close(&first);
    expect(&l, "the last one", "/words", 200, "~", "one two three");
    (void)logs(&l, "Chunks: 3\n");
    check("the event ran, the one that left did not",
          count_of(l.log.data, "REPORT ") == 3, l.log.data);
    stop(&l);
}

#define LARGE_BYTES 6000000u
#define CLIENTS     12

static unsigned answer_all(struct stream *clients, int status)
{
    struct message m;
    unsigned n = 0;

    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].fd >= 0 && (status == 200 || clients[i].in.size > 0)) {
            (void)read_message(&clients[i], &m, false, PATIENCE_MS);
            n += m.status == status;
            message_free(&m);
            stream_close(&clients[i]);
        }
    }
    return n;
}

/* 64 MiB have room for eleven of these, so the last is refused. */
static void test_bytes(void)
{
    struct stream first, clients[CLIENTS];
    struct bytes request = {0};
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--env", "GATE", END);
    if (!is_up(&l)) {
        return;
    }
    append_format(&request,
                  "POST " INVOKE " HTTP/1.1\r\nHost: h\r\nContent-Length: %u"
                  "\r\n\r\n\"",
                  LARGE_BYTES);
    for (size_t i = 2; i < LARGE_BYTES; i++) {
        append(&request, "x", 1);
    }
    append(&request, "\"", 1);
    occupy(&l, &first);
    for (int i = 0; i < CLIENTS; i++) {
        stream_open(&clients[i], "127.0.0.1", l.port);
        (void)stream_send(&clients[i], request.data, request.size);
    }
    (void)stream_more(&clients[CLIENTS - 1], PATIENCE_MS);
    check("64 MiB wait, not more", answer_all(clients, 429) == 1, l.log.data);
    open_gate();
    (void)read_message(&first, &m, false, PATIENCE_MS);
    message_free(&m);
    stream_close(&first);
    check("the others run", answer_all(clients, 200) == CLIENTS - 1,
          l.log.data);
    release(&request);
    stop(&l);
}

static void test_max_waiting(void)
{
    static const char request[] = "GET /words HTTP/1.1\r\nHost: h\r\n\r\n";
    struct stream first, waiting;
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--env", "GATE", "--max-waiting", "1", END);
    if (!is_up(&l)) {
        return;
    }
    stream_open(&waiting, "127.0.0.1", l.port);
    (void)stream_send(&waiting, TEXT(request));
    (void)read_message(&waiting, &m, false, PATIENCE_MS);
    message_free(&m);
    occupy(&l, &first);
    /* On a connection that is known it arrives before the next one does. */
    (void)stream_send(&waiting, TEXT(request));
    get(&l, &m, "/pid");
    check("more than may wait",
          m.status == 429 &&
              is_like(m.body.data, "{\"Reason\":\"Concurrent~\",~}"),
          m.body.data);
    message_free(&m);
    post(&l, &m, INVOKE, "", TEXT("{}"));
    check("the service's error",
          is_like(m.body.data, "{\"Type\":\"User\",\"message\":\"~\","
                               "\"Reason\":\"~\"}") &&
              is_like(m.head.data, "~ErrorType: TooManyRequestsException~"),
          m.body.data);
    message_free(&m);
    open_gate();
    (void)read_message(&first, &m, false, PATIENCE_MS);
    message_free(&m);
    (void)read_message(&waiting, &m, false, PATIENCE_MS);
    check("the one that waited", m.status == 200, m.head.data);
    message_free(&m);
    stream_close(&first);
    stream_close(&waiting);
    stop(&l);
    start(&l, "good", PORTS, "--max-waiting", "0", END);
    if (is_up(&l)) {
        expect(&l, "none waits: one runs", "/words", 200, "~", "one two three");
        stop(&l);
    }
}

static void test_retries(void)
{
    static const char event[] = "X-Amz-Invocation-Type: Event\r\n";
    struct lambda l;
    struct bytes id = {0};
    struct message m;
    int64_t began;

    start(&l, "good", PORTS, "--retry-pause", "0.2", END);
    if (!is_up(&l)) {
        return;
    }
    began = now_ms();
    post(&l, &m, INVOKE, event, TEXT("{\"do\":\"error\"}"));
    check("an event is accepted",
          m.status == 202 && field(&m, "x-amzn-requestid") != NULL,
          m.head.data);
    append_format(&id, "START RequestId: %s ", field(&m, "x-amzn-requestid"));
    message_free(&m);
    check("an event that fails is given up", logs(&l, " after 3 attempts"),
          l.log.data);
    check("after two pauses", now_ms() - began >= 600, "");
    check("it was tried three times, under one id",
          count_of(l.log.data, "START ") == 3 &&
              count_of(l.log.data, id.data) == 3,
          l.log.data);
    release(&id);
    post(&l, &m, INVOKE, event, TEXT("{\"do\":\"words\"}"));
    message_free(&m);
    check("one that succeeds is not tried again",
          logs(&l, "Chunks: 3\n") && count_of(l.log.data, "START ") == 4,
          l.log.data);
    stop(&l);
}

void test_queue(void)
{
    test_leaving();
    test_bytes();
    test_max_waiting();
    test_retries();
}
