#include "test/fault/peer.h"
#include "http.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ask[] = FIELDS("GET " INVOCATION "next") "\r\n";

static const struct exchange events[EVENTS] = {
    {"direct", "{\"delay\":0.02,\"sentence\":\"one two\"}",
     RESPONSE(
         "direct", "application/x-ndjson",
         CHUNK("{\"status\":\"start\",\"request_id\":\"direct\","
               "\"word_count\":2" STAMP)
             CHUNK("{\"type\":\"word\",\"data\":\"one\",\"sequence\":1,"
                   "\"total\":2" STAMP)
                 CHUNK("{\"type\":\"word\",\"data\":\"two\",\"sequence\":2,"
                       "\"total\":2" STAMP)
                     CHUNK("{\"status\":\"complete\",\"word_count\":2" STAMP))},
    {"http",
     "{\"requestContext\":{},\"queryStringParameters\":{\"delay\":\"0.02\","
     "\"format\":\"text\"},\"body\":\"{\\\"sentence\\\":\\\"a b\\\"}\"}",
     RESPONSE("http", "application/vnd.awslambda.http-integration-response",
              CHUNK("{\"statusCode\":200,\"headers\":{"
                    "\"Content-Type\":\"text/plain; charset=utf-8\","
                    "\"X-Content-Type-Options\":\"nosniff\"}}" NULS) CHUNK("a")
                  CHUNK(" b") CHUNK("\n"))},
    {"failing", "{\"delay\":\"0.02\"}",
     FIELDS("POST " INVOCATION
            "failing/error") "Content-Type: application/json\r\n"
                             "Lambda-Runtime-Function-Error-Type: "
                             "Function.InvalidEvent\r\n"
                             "Content-Length: 107\r\n"
                             "Lambda-Runtime-Invocation-Id: of-failing\r\n\r\n"
                             "{\"errorMessage\":\"delay must be a number from "
                             "0 to 900\","
                             "\"errorType\":\"Function.InvalidEvent\","
                             "\"stackTrace\":[]}"}};

static const struct exchange *exchange(const struct plan *plan, int event)
{
    return plan->only ? plan->only : &events[event];
}

void peer_wrong(struct peer *p, const char *format, ...)
{
    va_list list;

    if (*p->wrong)
        return;
    va_start(list, format);
    vsnprintf(p->wrong, sizeof p->wrong, format, list);
    va_end(list);
}

void peer_start(struct peer *p, const struct plan *plan, unsigned port)
{
    memset(p, 0, sizeof *p);
    p->plan = plan;
    p->port = port;
    p->event = plan->only ? EVENTS - 1 : 0;
}

int peer_open(struct peer *p)
{
    if (p->count == CONNECTIONS_MAX) {
        peer_wrong(p, "%d connections", p->count + 1);
        return CONNECTIONS_MAX - 1;
    }
    return p->count++;
}

/* How many bytes of `got` stand for one that is not literal: 0 when more are
 * needed, < 0 when they do not. */
static long wildcard(const struct peer *p, char want, const char *got,
                     size_t length)
{
    static const char nuls[8];
    char port[8];
    size_t n = 0;

    if (want == *PORT || want == *NULS) {
        int size = want == *PORT ? snprintf(port, sizeof port, "%u", p->port)
                                 : (int)sizeof nuls;

        n = length < (size_t)size ? length : (size_t)size;
        if (memcmp(got, want == *PORT ? port : nuls, n) != 0)
            return -1;
        return n < (size_t)size ? 0 : size;
    }
    while (n < length &&
           (want == *SIZE ? isxdigit((unsigned char)got[n]) != 0
                          : strchr(".0123456789", got[n]) && got[n]))
        n++;
    if (n == length && n < 20)
        return 0;
    if (want == *TIME && (n < 4 || got[n - 3] != '.'))
        return -1;
    return n > 0 && n < 20 ? (long)n : -1;
}

/* Compares what was received with the text of a request. > 0: its length, it
 * is whole; 0: more is needed; < 0: it differs, at byte -1 - result. */
static long compare(const struct peer *p, const char *want, const char *got,
                    size_t length)
{
    size_t at = 0, end = 0;
    long n;

    for (; *want != '\0'; want++) {
        if (*want == *END && at != end)
            return -1 - (long)at;
        if (*want == *END)
            continue;
        if (at == length)
            return 0;
        n = 1;
        if (*want <= *NULS)
            n = wildcard(p, *want, got + at, length - at);
        else if (got[at] != *want)
            n = -1;
        if (n < 0)
            return -1 - (long)at;
        if (n == 0)
            return 0;
        if (*want == *SIZE)
            end = at + (size_t)n + 2 + strtoul(got + at, NULL, 16);
        at += (size_t)n;
    }
    return (long)at;
}

/* Answers */

static struct answer compose(const struct plan *plan, const char *status,
                             const char *fields, const char *body)
{
    static char text[4][1024];
    static int turn;
    char *to = text[turn++ % 4];
    size_t half = strlen(body) / 2;
    struct answer a = {.bytes = to, .piece = plan->piece};
    const char *more = plan->close_each ? "Connection: close\r\n" : "";
    int n;

    if (plan->chunked)
        n = snprintf(to, sizeof *text,
                     "HTTP/1.1 103 Early Hints\r\nLink: none\r\n\r\n"
                     "HTTP/1.1 %s\r\n%s%sTransfer-Encoding: chunked\r\n\r\n"
                     "%zx;e=1\r\n%.*s\r\n%zx\r\n%s\r\n0\r\nT: 1\r\n\r\n",
                     status, fields, more, half, (int)half, body,
                     strlen(body) - half, body + half);
    else
        n = snprintf(to, sizeof *text,
                     "HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\n\r\n%s", status,
                     fields, more, strlen(body), body);
    a.length = (size_t)n;
    return a;
}

struct answer peer_event(const struct plan *plan, int event)
{
    const struct exchange *e = exchange(plan, event);
    char fields[256];

    snprintf(fields, sizeof fields,
             "Lambda-Runtime-Aws-Request-Id: %s\r\n"
             "Lambda-Runtime-Invocation-Id: of-%s\r\n"
             "Lambda-Runtime-Deadline-Ms: %lld\r\n",
             e->id, e->id,
             plan->deadline_ms ? plan->deadline_ms : 4102444800000);
    return compose(plan, "200 OK", fields, e->event);
}

struct answer peer_reply(const struct plan *plan)
{
    return compose(plan, "202 Accepted", "", "{\"status\":\"OK\"}\n");
}

static void answer(struct peer *p, struct connection *c, struct answer a,
                   int is_reply)
{
    const struct plan *plan = p->plan;

    if (c->pending && c->answer.then != KEEP)
        return; /* it has gone */
    if (plan->attacked == p->event && plan->on_reply == is_reply &&
        !p->attacks) {
        p->attacks = 1;
        a = plan->attack;
    }
    c->answer = a;
    c->sent = 0;
    c->pending = 1;
}

static void asked(struct peer *p, struct connection *c)
{
    static char status[16];
    const struct plan *plan = p->plan;
    int attack = plan->attacked == p->event && !plan->on_reply && !p->attacks;

    if (c->pending && c->answer.then != KEEP)
        return; /* it has gone */
    c->pending = 0;
    if (p->event < EVENTS) {
        c->owes = !attack || plan->harmless;
        p->given = 0;
        answer(p, c, peer_event(plan, p->event), 0);
        peer_sent(p, (int)(c - p->connection), 0);
        return;
    }
    p->finished = 1;
    if (plan->final_status == 0)
        return;
    snprintf(status, sizeof status, "%d Final", plan->final_status);
    answer(p, c, compose(plan, status, "", "{}"), 0);
}

static void settled(struct peer *p, struct connection *c)
{
    if (p->refused != p->event + 1) {
        answer(p, c, peer_reply(p->plan), 1);
        p->answered++;
    }
    p->event++;
    p->given = p->begun = 0;
    c->owes = 0;
}

/* The head of the event that is refused has come. */
static void refuse(struct peer *p, struct connection *c)
{
    struct plan closing = *p->plan;

    closing.close_each = 1;
    p->refused = p->event + 1;
    answer(p, c, compose(&closing, "403 Forbidden", "", "{}"), 1);
}

/* Takes one request; gives its length, or 0 while it is not whole. */
static size_t request(struct peer *p, struct connection *c)
{
    const char *got = c->received + c->at;
    size_t length = c->length - c->at;
    int post = *got == 'P';
    long n;

    if (post && (p->event == EVENTS || !p->given || (p->begun && !c->owes))) {
        peer_wrong(p, "a response that is not due: %.60s", got);
        return 0;
    }
    if (!post && c->owes) {
        peer_wrong(p, "instead of a response: %.60s", got);
        return 0;
    }
    n = compare(p, post ? exchange(p->plan, p->event)->request : ask, got,
                length);
    if (n < 0) {
        got += -1 - n;
        peer_wrong(p, "byte %ld of %s %s: %.40s", -1 - n,
                   post ? "the response to" : "GET /next",
                   post ? exchange(p->plan, p->event)->id : "", got);
        return 0;
    }
    c->asking = !post;
    if (post) {
        c->owes = p->begun = 1;
        if (p->plan->early == p->event && p->refused != p->event + 1 &&
            strstr(got, "\r\n\r\n"))
            refuse(p, c);
    }
    if (n == 0)
        return 0;
    c->exchanges++;
    if (post)
        settled(p, c);
    else
        asked(p, c);
    return (size_t)n;
}

void peer_take(struct peer *p, int connection, const char *bytes, size_t length)
{
    struct connection *c = &p->connection[connection];
    size_t n;

    if (c->length + length >= sizeof c->received) {
        peer_wrong(p, "more bytes than all requests have");
        return;
    }
    memcpy(c->received + c->length, bytes, length);
    c->length += length;
    while (c->at < c->length && (n = request(p, c)) > 0)
        c->at += n;
}

void peer_close(struct peer *p, int connection)
{
    struct connection *c = &p->connection[connection];

    if (!c->owes || !p->begun)
        return;
    if (p->refused != p->event + 1)
        p->lost++;
    p->event++;
    p->given = p->begun = c->owes = 0;
}

void peer_sent(struct peer *p, int connection, size_t length)
{
    struct connection *c = &p->connection[connection];

    c->sent += length;
    if (c->sent < c->answer.length)
        return;
    if (c->owes && !p->begun)
        p->given = 1;
}
