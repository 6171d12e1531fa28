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

void test_queue(void)
{
    test_leaving();
    test_bytes();
}
