/* --payload: the events of API Gateway. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <string.h>

static const char request[] =
    "PUT /echo/a%20b?x=1&x=2&y=a+b HTTP/1.1\r\nHost: h:1\r\nX-Multi: one\r\n"
    "x-multi: two\r\nCookie: a=1; b=2\r\nUser-Agent: u\r\nConnection: "
    "keep-alive\r\nContent-Length: 3\r\n\r\na\"b";

static const char rest_pattern[] =
    "{\"resource\":\"/{proxy+}\",\"path\":\"/echo/a%20b\",\"httpMethod\":"
    "\"PUT\",\"headers\":{\"Host\":\"h:1\",\"X-Multi\":\"two\",\"Cookie\":"
    "\"a=1; b=2\",\"User-Agent\":\"u\",\"Content-Length\":\"3\","
    "\"X-Amzn-Trace-Id\":\"Root=~\",\"X-Forwarded-For\":\"127.0.0.1\","
    "\"X-Forwarded-Port\":\"~\",\"X-Forwarded-Proto\":\"http\"},"
    "\"multiValueHeaders\":{\"Host\":[\"h:1\"],\"X-Multi\":[\"one\",\"two\"],~}"
    ","
    "\"queryStringParameters\":{\"x\":\"2\",\"y\":\"a b\"},"
    "\"multiValueQueryStringParameters\":{\"x\":[\"1\",\"2\"],\"y\":[\"a b\"]},"
    "\"pathParameters\":{\"proxy\":\"echo/a%20b\"},\"stageVariables\":null,"
    "\"requestContext\":{\"accountId\":\"123456789012\",\"apiId\":\"local\","
    "\"domainName\":\"h\",\"domainPrefix\":\"local\",\"extendedRequestId\":"
    "\"~\",\"httpMethod\":\"PUT\",\"identity\":{~\"sourceIp\":\"127.0.0.1\",~"
    "\"userAgent\":\"u\",~},\"path\":\"/echo/a%20b\",\"protocol\":\"HTTP/1.1\","
    "\"requestId\":\"~\",\"requestTime\":\"~ +0000\",\"requestTimeEpoch\":~,"
    "\"resourceId\":\"local\",\"resourcePath\":\"/{proxy+}\",\"stage\":"
    "\"local\"},\"body\":\"a\\\"b\",\"isBase64Encoded\":false}";

static const char http_pattern[] =
    "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":\"/echo/a b\","
    "\"rawQueryString\":\"x=1&x=2&y=a+b\",\"cookies\":[\"a=1\",\"b=2\"],"
    "\"headers\":{\"content-length\":\"3\",\"host\":\"h:1\",~\"x-multi\":"
    "\"one,two\"},\"queryStringParameters\":{\"x\":\"1,2\",\"y\":\"a b\"},"
    "\"requestContext\":{\"accountId\":\"123456789012\",\"apiId\":\"local\","
    "\"domainName\":\"h\",~\"http\":{\"method\":\"PUT\",~},~\"timeEpoch\":~},"
    "\"body\":\"YSJi\",\"isBase64Encoded\":true}";

static void test_rest(void)
{
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--payload", "rest", END);
    if (!is_up(&l)) {
        return;
    }
    ask(&l, &m, TEXT(request));
    check("an event of a REST API", is_like(m.body.data, rest_pattern),
          m.body.data);
    message_free(&m);
    get(&l, &m, "/");
    check("without path and query",
          is_like(m.body.data,
                  "{\"resource\":\"/\",~\"queryStringParameters\":null,"
                  "\"multiValueQueryStringParameters\":null,"
                  "\"pathParameters\":null,~,\"body\":null,~"),
          m.body.data);
    message_free(&m);
    expect(&l, "it streams, with a prelude", "/prelude-good", 201, "~", "body");
    expect(&l, "an error", "/error", 502,
           "~\r\nContent-Type: application/json\r\n~",
           "{\"message\": \"Internal server error\"}");
    stop(&l);
    start(&l, "good", PORTS, "--payload", "rest", "--invoke-mode", "buffered",
          END);
    if (is_up(&l)) {
        post(&l, &m, "/error-free?{}", "", TEXT("x"));
        check("buffered: no statusCode is an error", m.status == 502,
              m.head.data);
        message_free(&m);
        stop(&l);
    }
}

static void test_http(void)
{
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, "--payload", "http", END);
    if (!is_up(&l)) {
        return;
    }
    ask(&l, &m, TEXT(request));
    check("an event of an HTTP API", is_like(m.body.data, http_pattern),
          m.body.data);
    message_free(&m);
    expect(&l, "its answer is buffered",
           "/answer?{%22statusCode%22:201,%22body%22:%22x%22}", 201, "~", "x");
    expect(&l, "an error of it", "/error", 500, "~",
           "{\"message\":\"Internal Server Error\"}");
    stop(&l);
}

void test_payload(void)
{
    test_rest();
    test_http();
}
