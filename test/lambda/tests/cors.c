/* --cors: requests of pages from elsewhere. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <string.h>

#define PREFLIGHT(origin)                                   \
    "OPTIONS /words HTTP/1.1\r\nHost: h\r\nOrigin: " origin \
    "\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
#define SIMPLE(origin) \
    "GET /prelude-cors HTTP/1.1\r\nHost: h\r\nOrigin: " origin "\r\n\r\n"

static void ask_all(struct lambda *l, const char *const (*cases)[3],
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct message m;

        ask(l, &m, cases[i][0], strlen(cases[i][0]));
        check(cases[i][0], m.complete && is_like(m.head.data, cases[i][1]),
              m.head.data);
        check(cases[i][0], strcmp(m.body.data, cases[i][2]) == 0, m.body.data);
        message_free(&m);
    }
}

static const char *const named[][3] = {
    {PREFLIGHT("https://a.example"),
     "HTTP/1.1 200 OK\r\nDate: ~\r\nVary: Origin\r\nAccess-Control-Allow-"
     "Origin: https://a.example\r\nAccess-Control-Allow-Credentials: true\r\n"
     "Access-Control-Allow-Methods: GET,PUT\r\nAccess-Control-Allow-Headers: "
     "content-type\r\nContent-Length: 0\r\n\r\n",
     ""},
    {PREFLIGHT("https://b.example"),
     "HTTP/1.1 200 OK\r\nDate: ~\r\nVary: Origin\r\nContent-Length: 0\r\n\r\n",
     ""},
    {SIMPLE("http://localhost:5173"),
     "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: ~\r\nX-A: a\r\nVary: "
     "Origin\r\nAccess-Control-Allow-Origin: http://localhost:5173\r\n"
     "Access-Control-Allow-Credentials: true\r\nx-amzn-RequestId: ~\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     "body"},
    {SIMPLE("https://evil.example"),
     "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: ~\r\nX-A: a\r\nVary: "
     "Origin\r\nx-amzn-RequestId: ~\r\nTransfer-Encoding: chunked\r\n\r\n",
     "body"},
    {"GET /exit7 HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n\r\n",
     "HTTP/1.1 502 ~\r\nAccess-Control-Allow-Origin: https://a.example\r\n~",
     "Internal Server Error"},
};

static const char *const any[][3] = {
    {SIMPLE("https://a.example"), "~\r\nAccess-Control-Allow-Origin: *\r\n~",
     "body"},
    {"OPTIONS /words HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n~",
     "one two three"},
    {"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: h\r\n"
     "Origin: https://a.example\r\nContent-Length: 2\r\n\r\n{}",
     "HTTP/1.1 200 OK\r\nDate: ~\r\nContent-Type: application/json\r\n"
     "x-amzn-RequestId: ~",
     "{}"},
};

void test_cors(void)
{
    struct lambda l;

    start(&l, "good", PORTS, "--cors",
          "https://a.example, http://localhost:5173", "--cors-methods",
          "GET,PUT", "--cors-headers", "content-type", "--cors-credentials",
          END);
    if (is_up(&l)) {
        ask_all(&l, named, sizeof named / sizeof named[0]);
        check("a preflight does not run the function",
              count_of(l.log.data, "REPORT ") <= 3, l.log.data);
        stop(&l);
    }
    start(&l, "good", PORTS, "--cors", "*", END);
    if (is_up(&l)) {
        ask_all(&l, any, sizeof any / sizeof any[0]);
        stop(&l);
    }
}
