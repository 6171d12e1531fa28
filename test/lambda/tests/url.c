/* The Function URL: events, answers, failures, requests that are wrong. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <fcntl.h>
#include <string.h>

static const char event_pattern[] =
    "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":\"/echo/"
    "a%20b\","
    "\"rawQueryString\":\"x=1&y=a+b%26c&x=2&z&=e\",\"cookies\":[\"c=1\","
    "\"d=2\",\"e=3\"],\"headers\":{\"content-length\":\"11\","
    "\"content-type\":\"application/json; charset=utf-8\",\"host\":\"h:1\","
    "\"user-agent\":\"test \xef\xbf\xbd\\\"\",\"x-amzn-trace-id\":\"Root=~\","
    "\"x-forwarded-for\":\"127.0.0.1\",\"x-forwarded-port\":\"~\","
    "\"x-forwarded-proto\":\"http\",\"x-multi\":\"one,two\"},"
    "\"queryStringParameters\":{\"\":\"e\",\"x\":\"1,2\",\"y\":\"a b&c\","
    "\"z\":\"\"},\"requestContext\":{\"accountId\":\"anonymous\","
    "\"apiId\":\"local\",\"authentication\":null,\"authorizer\":null,"
    "\"domainName\":\"h\",\"domainPrefix\":\"local\",\"http\":{"
    "\"method\":\"POST\",\"path\":\"/echo/a%20b\",\"protocol\":\"HTTP/1.1\","
    "\"sourceIp\":\"127.0.0.1\",\"userAgent\":\"test \xef\xbf\xbd\\\"\"},"
    "\"requestId\":\"~\",\"routeKey\":\"$default\",\"stage\":\"$default\","
    "\"time\":\"~/~/~:~:~:~ +0000\",\"timeEpoch\":~},"
    "\"body\":\"{\\\"a\\\":\\\"\xc3\xa9\\\"\\n}\",\"pathParameters\":null,"
    "\"isBase64Encoded\":false,\"stageVariables\":null}";

static const char full[] =
    "POST /echo/a%20b?x=1&y=a+b%26c&x=2&z&=e HTTP/1.1\r\nHost: h:1\r\n"
    "Cookie: c=1; d=2\r\nX-Multi: one\r\nUser-Agent: test \xff\"\r\n"
    "x-multi:two\r\ncookie: e=3\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 11\r\n\r\n{\"a\":\"\xc3\xa9\"\n}";
static const struct {
    const char *type, *body, *pattern;
} bodies[] = {
    {"Content-Type: text/csv\r\n", "a", "~\"body\":\"a\",~:false,~"},
    {"Content-Type: Application/XML\r\n", "a", "~\"body\":\"a\",~"},
    {"Content-Type: application/javascript;x\r\n", "a", "~\"body\":\"a\",~"},
    {"Content-Type: application/octet-stream\r\n", "a",
     "~\"body\":\"YQ==\",~:true,~"},
    {"Content-Type: application/x-www-form-urlencoded\r\n", "ab",
     "~\"body\":\"YWI=\",~:true,~"},
    {"", "abc", "~\"body\":\"YWJj\",~:true,~"},
    {"Content-Type: text/plain\r\n", "\xff\xfe", "~\"//4=\",~:true,~"},
    {"Content-Type: text/plain\r\n", "\x01\x7f", "~\"\\u0001\\u007f\",~"},
};
static const struct {
    const char *request, *pattern;
} hosts[] = {
    {"GET /echo HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
     "~\"host\":\"[::1]:8080\",~\"domainName\":\"[::1]\",~"},
    {"GET http://a:1/echo?q=1 HTTP/1.1\r\nHost: b\r\n\r\n",
     "~\"rawPath\":\"/echo\",\"rawQueryString\":\"q=1\",~\"host\":"
     "\"a:1\",~\"domainName\":\"a\",~"},
    {"GET http://a?q=1 HTTP/1.1\r\nHost: b\r\n\r\n",
     "~\"rawPath\":\"/\",\"rawQueryString\":\"q=1\",~\"host\":\"a\",~"},
    {"GET /echo HTTP/1.1\r\nHost: b\r\nConnection: keep-alive, X-Y\r\n"
     "Expect: nothing\r\nUpgrade: h2c\r\nTE: trailers\r\n"
     "Keep-Alive: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "~\"headers\":{\"host\":\"b\",\"x-amzn-trace-id\":~"},
};
static const char chunked[] =
    "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n" CHUNKED
    "\r\n2;x=y\r\nab\r\n0003\r\ncde\r\n0\r\nX-T: 1\r\n\r\n";

static void test_events(struct lambda *l)
{
    struct message m;

    ask(l, &m, full, sizeof full - 1);
    check("the whole event", is_like(m.body.data, event_pattern), m.body.data);
    message_free(&m);
    get(l, &m, "/echo");
    check("an event without query, cookies, body",
          strstr(m.body.data, "\"cookies\"") == NULL &&
              strstr(m.body.data, "\"queryString") == NULL &&
              strstr(m.body.data, "\"body\"") == NULL,
          m.body.data);
    message_free(&m);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        post(l, &m, "/echo", bodies[i].type, bodies[i].body,
             strlen(bodies[i].body));
        check("the body in the event", is_like(m.body.data, bodies[i].pattern),
              m.body.data);
        message_free(&m);
    }
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        ask(l, &m, hosts[i].request, strlen(hosts[i].request));
        check("the host in the event", is_like(m.body.data, hosts[i].pattern),
              m.body.data);
        message_free(&m);
    }
    ask(l, &m, chunked, sizeof chunked - 1);
    check("a chunked request", is_like(m.body.data, "~\"body\":\"abcde\",~"),
          m.body.data);
    message_free(&m);
}

static void test_answers(struct lambda *l)
{
    struct message m;

    expect(l, "no prelude", "/words", 200,
           "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: "
           "application/octet-stream\r\nx-amzn-RequestId: "
           "~-~-4~-~-~\r\nTransfer-Encoding: chunked\r\n\r\n",
           "one two three");
    expect(l, "the type of the POST", "/echo", 200,
           "~Content-Type: text/x-plain\r\n~", "{~}");
    expect(l, "an empty body", "/empty", 200, "~", "");
    expect(l, "a prelude", "/prelude-good", 201,
           "HTTP/1.1 201 Created\r\nDate: ~\r\ncontent-type: text/x\r\n"
           "X-A: A\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-B: 1\r\n"
           "X-B: 2\r\nx-amzn-RequestId: ~\r\nTransfer-Encoding: chunked\r\n"
           "\r\n",
           "body");
    expect(l, "values that are no strings", "/prelude-loose", 451,
           "HTTP/1.1 451 Unavailable For Legal Reasons\r\nDate: ~\r\n"
           "Content-Type: ~\r\nX-N: -1.5e3\r\nX-B: true\r\nX-L: 1\r\nX-L: 2"
           "\r\nX-M: false\r\nSet-Cookie: a=1\r\nx-amzn-RequestId: ~\r\n"
           "Transfer-Encoding: chunked\r\n\r\n",
           "body");
    check("and a line of the log for each",
          logs(l, "the value of \"statusCode\" is a string; it may fail") &&
              logs(l, "\"X-N\" is a number") && logs(l, "\"X-Null\" is null") &&
              logs(l, "\"X-M\" is a boolean"),
          l->log.data);
    expect(l, "a status without a phrase of its own", "/prelude-299", 299,
           "HTTP/1.1 299 Successful\r\n~", "body");
    get(l, &m, "/prelude-bytes");
    check("a prelude byte by byte, nine NULs",
          m.status == 418 && m.body.size == 2 &&
              memcmp(m.body.data, "\0x", 2) == 0,
          m.head.data);
    message_free(&m);
    expect(l, "a prelude without body", "/prelude-alone", 200,
           "~\r\nx-only: 1\r\n~", "");
    expect(l, "a stream ended at once, under the prelude's type", "/nothing",
           200, "~\r\nContent-Type: application/octet-stream\r\n~", "");
    expect(l, "204", "/prelude-204", 204, "HTTP/1.1 204 No Content\r\n~", "");
}

static void test_methods(struct lambda *l)
{
    static const char head_request[] =
        "HEAD /prelude-good HTTP/1.1\r\nHost: h\r\n\r\n"
        "OPTIONS /words HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char old[] = "GET /words HTTP/1.0\r\n\r\n";
    struct message m;
    struct stream s;

    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT(head_request));
    (void)read_message(&s, &m, true, PATIENCE_MS);
    check("HEAD", m.status == 201, m.head.data);
    message_free(&m);
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("OPTIONS behind it on the same connection",
          m.status == 200 && strcmp(m.body.data, "one two three") == 0,
          m.head.data);
    message_free(&m);
    stream_close(&s);
    ask(l, &m, old, sizeof old - 1);
    check("HTTP/1.0",
          is_like(m.head.data, "~Connection: close\r\n\r\n") &&
              strcmp(m.body.data, "one two three") == 0,
          m.head.data);
    message_free(&m);
}

static void test_failures(struct lambda *l)
{
    static const char *const paths[] = {
        "/prelude-control", "/prelude-short", "/prelude-no-json",
        "/prelude-status",  "/prelude-none",  "/prelude-large",
        "/prelude-object",  "/error",         "/exit7",
        "/exit0",           "/killed",
    };
    struct message m;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        expect(l, paths[i], paths[i], 502, "HTTP/1.1 502 Bad Gateway\r\n~",
               "Internal Server Error");
    }
    get(l, &m, "/truncated");
    check("truncated: the client can see it",
          m.status == 200 && !m.complete &&
              strcmp(m.body.data, "partnot all") == 0,
          m.body.data);
    message_free(&m);
    get(l, &m, "/trailers");
    check("error trailers: an ordinary end",
          m.status == 200 && m.complete && strcmp(m.body.data, "part") == 0,
          m.body.data);
    message_free(&m);
    check("and a line in the log", logs(l, " Function.Oh: {\"a\":1}\n"),
          l->log.data);
    check("exit status in the log",
          logs(l, "Error: Runtime exited with error: exit status 7"),
          l->log.data);
    check("exit status 0 in the log",
          logs(l, "Error: Runtime exited without providing a reason"),
          l->log.data);
    check("signal in the log",
          logs(l, "Error: Runtime exited with error: signal: killed"),
          l->log.data);
}

static void test_large_trailer(struct lambda *l)
{
    struct bytes request = {0};
    struct message m;

    append_format(&request,
                  "POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\n0\r\nX: ");
    while (request.size < 200000) {
        append(&request, "xxxxxxxxxxxxxxxx", 16);
    }
    ask(l, &m, request.data, request.size);
    check("a trailer line above 64 KiB", m.status == 400, m.head.data);
    message_free(&m);
    release(&request);
}

static void test_bad_requests(struct lambda *l)
{
    static const struct {
        const char *request;
        int status;
    } bad[] = {
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"GET / HTTQ/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: h\n\n", 400},
        {"GET / HTTP/1.1\rHost: h\r\r", 400},
        {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nNo colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nSpace : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
         "Content-Length: 2\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n" CHUNKED "\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\nxyz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\n1\r\nab\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\nffffffffffffffffff\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6291457\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: h\r\n" CHUNKED "\r\n600001\r\n", 413},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    };
    struct message m;

    test_large_trailer(l);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes request = {0};

        append(&request, bad[i].request, strlen(bad[i].request));
        if (bad[i].status == 413 && i > 20) {
            while (request.size < 6300000) {
                append(&request, "xxxxxxxxxxxxxxxx", 16);
            }
        }
        ask(l, &m, request.data, request.size);
        check(bad[i].request, m.status == bad[i].status, m.head.data);
        message_free(&m);
        release(&request);
    }
    expect(l, "nothing was harmed", "/words", 200, "~", "one two three");
}

static void test_connections(struct lambda *l)
{
    static const char two[] = "GET /words HTTP/1.1\r\nHost: h\r\n\r\n"
                              "\r\nGET /pid HTTP/1.1\r\nHost: h\r\n\r\n";
    struct message m;
    struct stream s;

    stream_open(&s, "127.0.0.1", l->port);
    (void)stream_send(&s, TEXT(two));
    for (int i = 0; i < 2; i++) {
        (void)read_message(&s, &m, false, PATIENCE_MS);
        check("two requests at once", m.status == 200 && m.complete,
              m.head.data);
        message_free(&m);
    }
    for (size_t i = 0; i < 37; i++) {
        (void)stream_send(&s, two + i, 1);
        pause_ms(1);
    }
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("a request byte by byte", m.status == 200, m.head.data);
    message_free(&m);
    (void)stream_send(&s, TEXT("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: "
                               "100-continue\r\nContent-Length: 2\r\n\r\n"));
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("100 Continue", m.status == 100, m.head.data);
    message_free(&m);
    (void)stream_send(&s, TEXT("ok"));
    (void)read_message(&s, &m, false, PATIENCE_MS);
    check("and then the answer",
          m.status == 200 && strstr(m.body.data, "\"b2s=\"") != NULL,
          m.body.data);
    message_free(&m);
    stream_close(&s);
}

static void ask_host(struct lambda *l, const char *host, int status)
{
    struct bytes b = {0};
    struct message m;

    append_format(&b, "GET /words HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    ask(l, &m, b.data, b.size);
    check(host, m.status == status, m.head.data);
    check(host,
          status == 200 || is_like(m.body.data, "~ lambda --allow-host ~"),
          m.body.data);
    message_free(&m);
    release(&b);
}

static void test_hosts(struct lambda *l)
{
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"localhost:8080", 200},
        {"LOCALHOST", 200},
        {"127.0.0.1", 200},
        {"192.168.1.7:8080", 200},
        {"[::1]:8080", 200},
        {"a.localhost:1", 200},
        {"h", 200},
        {"rebound.example.com", 421},
        {"rebound.example.com.:80", 421},
        {"1.2.3.4.example.com", 421},
        {"127.0.0.1.nip.io", 421},
        {"notlocalhost.x", 421},
        {"1.2.3.4.5", 421},
        {"allowed.example.com", 200},
        {"Allowed.Example.Com:1", 200},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask_host(l, cases[i].host, cases[i].status);
    }
}

void test_any_host(void)
{
    struct lambda l;

    start(&l, "good", PORTS, "--allow-host", "any", END);
    if (is_up(&l)) {
        ask_host(&l, "rebound.example.com", 200);
        stop(&l);
    }
}

void test_url(struct lambda *l)
{
    test_hosts(l);
    test_events(l);
    test_answers(l);
    test_methods(l);
    test_failures(l);
    test_bad_requests(l);
    test_connections(l);
}
