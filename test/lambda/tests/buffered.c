/* --invoke-mode buffered: an answer that is one JSON text. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <string.h>

static const struct {
    const char *name, *path;
    int status;
    const char *head, *body;
} cases[] = {
    {"all members",
     "/answer?{%22statusCode%22:201,%22headers%22:{%22X-A%22:%22a%22},"
     "%22cookies%22:[%22c=1%22,%22d=2%22],%22body%22:%22h%C3%A9%5Cn%22,"
     "%22isBase64Encoded%22:false}",
     201,
     "HTTP/1.1 201 Created\r\nDate: ~\r\nContent-Type: application/json\r\n"
     "X-A: a\r\nSet-Cookie: c=1\r\nSet-Cookie: d=2\r\nx-amzn-RequestId: ~\r\n"
     "Content-Length: 4\r\n\r\n",
     "h\xc3\xa9\n"},
    {"base64",
     "/answer?{%22statusCode%22:200,%22headers%22:{%22content-type%22:%22x/"
     "y%22}"
     ",%22body%22:%22aGk=%22,%22isBase64Encoded%22:true}",
     200, "~\r\ncontent-type: x/y\r\n~Content-Length: 2\r\n~", "hi"},
    {"bad base64",
     "/answer?{%22statusCode%22:200,%22body%22:%22a%22,"
     "%22isBase64Encoded%22:true}",
     502, "~", "Internal Server Error"},
    {"no body", "/answer?{%22statusCode%22:204}", 204, "~", ""},
    {"a body that is no string",
     "/answer?{%22body%22:{%22a%22:[1,2]},%22statusCode%22:200}", 200, "~",
     "{\"a\":[1,2]}"},
    {"JSON without a status", "/answer?{%22a%22:%20%22statusCode%22}", 200,
     "~\r\nContent-Type: application/json\r\n~", "{\"a\": \"statusCode\"}"},
    {"a string", "/answer?%22text%22", 200,
     "~\r\nContent-Type: application/json\r\n~", "\"text\""},
    {"a bad status", "/answer?{%22statusCode%22:99}", 502, "~",
     "Internal Server Error"},
    {"no JSON", "/words", 200, "~", "one two three"},
    {"an error", "/error", 502, "~", "Internal Server Error"},
    {"error trailers", "/trailers", 502, "~", "Internal Server Error"},
    {"as much as there may be", "/limit", 200, "~Content-Length: 6291556\r\n~",
     NULL},
    {"and more", "/over-limit", 502, "~", "Internal Server Error"},
};

void test_buffered(void)
{
    struct lambda l;

    start(&l, "good", PORTS, "--invoke-mode", "buffered", END);
    if (!is_up(&l)) {
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct message m;

        get(&l, &m, cases[i].path);
        check(cases[i].name, m.status == cases[i].status && m.complete,
              m.head.data);
        check(cases[i].name, is_like(m.head.data, cases[i].head), m.head.data);
        check(cases[i].name,
              cases[i].body == NULL || strcmp(m.body.data, cases[i].body) == 0,
              m.body.data);
        message_free(&m);
    }
    check("what is no JSON is mentioned", logs(&l, "answered in no JSON"),
          l.log.data);
    stop(&l);
}
