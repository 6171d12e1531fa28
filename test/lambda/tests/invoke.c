/* Invoke and InvokeWithResponseStream. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdlib.h>
#include <string.h>

/* Bit by bit, unlike the table of the program under test. */
static uint32_t crc_of(const unsigned char *p, size_t size)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < size * 8; i++) {
        uint32_t bit = (uint32_t)(p[i / 8] >> i % 8 & 1) ^ (crc & 1);

        crc = crc >> 1 ^ (bit != 0 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* "PayloadChunk:one |PayloadChunk:two |InvokeComplete:{}|", or what is wrong
 * with the stream. */
void decode_events(const struct message *m, struct bytes *out)
{
    const unsigned char *p = (const unsigned char *)m->body.data;
    size_t left = m->body.size;

    append(out, "", 0);
    while (left > 0) {
        uint32_t total = left >= 16 ? get32(p) : 0;
        uint32_t headers = left >= 16 ? get32(p + 4) : 0;
        size_t at = 12;

        if (total < 16 || total > left || headers > total - 16 ||
            get32(p + 8) != crc_of(p, 8) ||
            get32(p + total - 4) != crc_of(p, total - 4)) {
            append_format(out, "bad message");
            return;
        }
        while (at < 12 + headers) {
            size_t name = p[at], value = 0;

            value = (size_t)p[at + name + 2] << 8 | p[at + name + 3];
            if (name == 11 && memcmp(p + at + 1, ":event-type", 11) == 0) {
                append(out, p + at + name + 4, value);
            }
            at += name + 4 + value;
        }
        append(out, ":", 1);
        append(out, p + 12 + headers, total - headers - 16);
        append(out, "|", 1);
        p += total;
        left -= total;
    }
}

static void test_stream_route(struct lambda *l)
{
    static const struct {
        const char *deed, *pattern;
    } cases[] = {
        {"words", "PayloadChunk:one |PayloadChunk:two |PayloadChunk:three|"
                  "InvokeComplete:{}|"},
        {"empty", "InvokeComplete:{}|"},
        {"trailers", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                     "\"Function.Oh\",\"ErrorDetails\":\"{\\\"a\\\":1}\"}|"},
        {"no-mode", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                    "\"Function.Oh\",~}|"},
        {"undeclared", "PayloadChunk:part|InvokeComplete:{}|"},
        {"trailers-4096", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                          "\"Function.Oh\",~}|"},
        {"trailers-4097", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                          "\"Runtime.TruncatedResponse\",~}|"},
        {"trailer-line", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                         "\"Runtime.TruncatedResponse\",~}|"},
        {"trailer-lines", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                          "\"Runtime.TruncatedResponse\",~}|"},
        {"truncated", "PayloadChunk:part|PayloadChunk:not all|InvokeComplete:"
                      "{\"ErrorCode\":\"Runtime.TruncatedResponse\",~}|"},
        {"malformed", "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                      "\"Runtime.TruncatedResponse\",~}|"},
        {"error", "InvokeComplete:{\"ErrorCode\":\"Function.Bad\","
                  "\"ErrorDetails\":\"{\\\"errorType\\\":\\\"E\\\",~}|"},
        {"exit7", "InvokeComplete:{\"ErrorCode\":\"Runtime.ExitError\","
                  "\"ErrorDetails\":\"~exit status 7\\\"}\"}|"},
        {"exit-after", "PayloadChunk:done|InvokeComplete:{}|"},
        {"buffered", "PayloadChunk:buffered|InvokeComplete:{}|"},
        {"words", "PayloadChunk:one ~InvokeComplete:{}|"},
    };
    struct message m;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes body = {0}, events = {0};

        append_format(&body, "{\"do\":\"%s\"}", cases[i].deed);
        post(l, &m, STREAM, "", body.data, body.size);
        check("the stream route's head",
              is_like(m.head.data,
                      "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: "
                      "application/vnd.amazon.eventstream\r\n"
                      "x-amzn-RequestId: ~\r\nX-Amz-Executed-Version: "
                      "$LATEST\r\nTransfer-Encoding: chunked\r\n\r\n"),
              m.head.data);
        decode_events(&m, &events);
        check(cases[i].deed, is_like(events.data, cases[i].pattern),
              events.data);
        message_free(&m);
        release(&events);
        release(&body);
    }
    check("undeclared trailers are mentioned",
          logs(l, "was not announced in a Trailer field"), l->log.data);
    check("4,096 bytes of trailers are taken",
          logs(l, "4096 bytes of trailers: 202 taken"), l->log.data);
    check("and one more is not",
          logs(l, "4097 bytes of trailers: 400 truncated"), l->log.data);
    check("nor is a line above 64 KiB",
          logs(l, "100000 bytes of trailers: 400 truncated"), l->log.data);
}

static void test_invoke_route(struct lambda *l)
{
    static const struct {
        const char *deed, *error, *pattern;
    } cases[] = {
        {"words", NULL, "one two three"},
        {"buffered", NULL, "buffered"},
        {"trailers", "Unhandled", "{\"a\":1}"},
        {"no-mode", NULL, "part"},
        {"error", "Unhandled", "{\"errorType\":\"E\",\"errorMessage\":\"m\"}"},
        {"truncated", "Unhandled",
         "{\"errorType\":\"Runtime.TruncatedResponse\",~}"},
        {"exit7", "Unhandled",
         "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: "
         "~ Error: Runtime exited with error: exit status 7\"}"},
        {"over-limit", "Unhandled",
         "{\"errorMessage\":\"Response payload size exceeded maximum allowed "
         "payload size (6291556 bytes).\",\"errorType\":"
         "\"Function.ResponseSizeTooLarge\"}"},
    };
    struct message m;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes body = {0};
        const char *error;

        append_format(&body, "{\"do\":\"%s\"}", cases[i].deed);
        post(l, &m, INVOKE, "", body.data, body.size);
        error = field(&m, "X-Amz-Function-Error");
        check(cases[i].deed,
              m.status == 200 &&
                  strcmp(error ? error : "none",
                         cases[i].error ? cases[i].error : "none") == 0,
              m.head.data);
        check(cases[i].deed, is_like(m.body.data, cases[i].pattern),
              m.body.data);
        message_free(&m);
        release(&body);
    }
    check("the runtime gets 413", logs(l, "sent, and got 413"), l->log.data);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"limit\"}"));
    check("a response of the largest size",
          m.status == 200 && m.body.size == LIMIT &&
              field(&m, "X-Amz-Function-Error") == NULL,
          m.head.data);
    message_free(&m);
}

static void test_invoke_requests(struct lambda *l)
{
    struct message m;
    static char large[7000000];

    post(l, &m, INVOKE, "X-Amz-Invocation-Type: Event\r\n",
         TEXT("{\"do\":\"words\"}"));
    check("an asynchronous event", m.status == 202 && m.body.size == 0,
          m.head.data);
    message_free(&m);
    post(l, &m, INVOKE, "X-Amz-Invocation-Type: DryRun\r\n", TEXT("{}"));
    check("a dry run", m.status == 204, m.head.data);
    message_free(&m);
    post(l, &m, INVOKE, "", "", 0);
    check("no payload is {}", strcmp(m.body.data, "{}") == 0, m.body.data);
    message_free(&m);
    post(l, &m, STREAM, "", TEXT("{\"a\":[1,,2]}"));
    check("a payload that is not JSON",
          m.status == 400 &&
              is_like(m.head.data, "~x-amzn-ErrorType: "
                                   "InvalidRequestContentException\r\n~") &&
              is_like(m.body.data, "{\"Type\":\"User\",\"message\":\"~\"}"),
          m.head.data);
    message_free(&m);
    memset(large, '1', 7000000);
    post(l, &m, INVOKE, "", large, 6291457);
    check("a payload that is too large",
          m.status == 413 &&
              is_like(m.head.data,
                      "~x-amzn-ErrorType: RequestTooLargeException\r\n~"),
          m.head.data);
    message_free(&m);
    large[0] = large[6291455] = '"';
    post(l, &m, INVOKE, "", large, 6291456);
    check("and the largest one",
          m.status == 200 && m.body.size == 6291456 &&
              memcmp(m.body.data, large, 6291456) == 0,
          m.head.data);
    message_free(&m);
    post(l, &m,
         "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A"
         "210987654321%3Afunction%3Ag/invocations?Qualifier=live",
         "X-Amz-Client-Context: eyJhIjoxfQ==\r\nX-Amz-Tenant-Id: t1\r\n"
         "X-Amzn-Trace-Id: "
         "Root=1-5759e988-bd862e3fe1be46a994272793\r\n",
         TEXT("{\"do\":\"head\"}"));
    check(
        "headers of the event",
        is_like(m.body.data,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                "Lambda-Runtime-Aws-Request-Id: ~\r\n"
                "Lambda-Runtime-Client-Context: {\"a\":1}\r\n"
                "Lambda-Runtime-Deadline-Ms: ~\r\n"
                "Lambda-Runtime-Invocation-Id: ~\r\n"
                "Lambda-Runtime-Invoked-Function-Arn: "
                "arn:aws:lambda:eu-west-1:210987654321:function:g:live\r\n"
                "Lambda-Runtime-Aws-Tenant-Id: t1\r\n"
                "Lambda-Runtime-Trace-Id: Root=1-5759e988-~\r\nDate: ~ GMT\r\n"
                "Content-Length: 13\r\n\r\n"),
        m.body.data);
    message_free(&m);
}

static void test_event_framing(struct lambda *l)
{
    struct bytes body = {0};
    struct message m;

    append_format(&body, "{\"do\":\"head\",\"x\":\"");
    while (body.size < 2046) {
        append(&body, "x", 1);
    }
    append(&body, "\"}", 2);
    post(l, &m, INVOKE, "", body.data, body.size);
    check("2,048 bytes: Content-Length",
          strstr(m.body.data, "Content-Length: 2048\r\n") != NULL, m.body.data);
    message_free(&m);
    append(&body, " ", 1);
    post(l, &m, INVOKE, "", body.data, body.size);
    check("2,049 bytes: chunked",
          strstr(m.body.data, "Transfer-Encoding: chunked\r\n") != NULL &&
              strstr(m.body.data, "Content-Length") == NULL,
          m.body.data);
    message_free(&m);
    release(&body);
}

void test_invoke(struct lambda *l)
{
    test_stream_route(l);
    test_invoke_route(l);
    test_invoke_requests(l);
    test_event_framing(l);
}
