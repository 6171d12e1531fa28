/* The Runtime API and the environment, as a runtime meets them. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <string.h>

#define JSON_REPLY "Content-Type: application/json\r\nContent-Length: "
#define INVALID_ID                                            \
    "HTTP/1.1 400 Bad Request\r\n" JSON_REPLY "69\r\n\r\n"    \
    "{\"errorMessage\":\"Invalid request ID\",\"errorType\":" \
    "\"InvalidRequestID\"}\n"

static const char replies_pattern[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong"
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 19\r\n\r\n404 page not found\n"
    "HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain; "
    "charset=utf-8\r\nContent-Length: 28\r\n\r\nthis host is not known here\n"
    "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n" INVALID_ID
        INVALID_ID "HTTP/1.1 403 Forbidden\r\n" JSON_REPLY "158\r\n\r\n"
    "{\"errorMessage\":\"State transition from Running to InitError failed for "
    "runtime. Error: State transition is not allowed\",\"errorType\":"
    "\"InvalidStateTransition\"}\n"
    "HTTP/1.1 410 Gone\r\n" JSON_REPLY "62\r\n\r\n"
    "{\"errorMessage\":\"Invoke timeout\",\"errorType\":\"InvokeTimeout\"}\n"
    "again: the same\n";

static void test_runtime_api(struct lambda *l)
{
    struct message m;

    post(l, &m, INVOKE, "", TEXT("{\"do\":\"replies\"}"));
    check("replies of the state machine", is_like(m.body.data, replies_pattern),
          m.body.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"during\"}"));
    check("replies during a response",
          is_like(m.body.data,
                  "begun\nHTTP/1.1 403 Forbidden\r\n~State transition from "
                  "InvocationResponse to Ready failed for runtime. Error: "
                  "State transition is not allowed~HTTP/1.1 403 "
                  "Forbidden\r\n~from InvocationResponse to "
                  "InvocationErrorResponse failed~"),
          m.body.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"twice\"}"));
    check("the first of two responses", strcmp(m.body.data, "once") == 0,
          m.body.data);
    check("the second one", logs(l, "second response: forbidden"), l->log.data);
    message_free(&m);
    post(l, &m, INVOKE, "", TEXT("{\"do\":\"mode\"}"));
    check("a wrong response mode",
          logs(l, "replies: HTTP/1.1 400 Bad Request||Content-Type: "
                  "application/json||Content-Length: 92||||{\"errorMessage\":"
                  "\"Invalid function response mode\",\"errorType\":"
                  "\"InvalidFunctionResponseMode\"}|HTTP/1.1 403 "
                  "Forbidden||"),
          l->log.data);
    check("is an error", field(&m, "X-Amz-Function-Error") != NULL,
          m.head.data);
    message_free(&m);
}

static void test_environment(struct lambda *l)
{
    static const char *const lines[] = {
        "\n_HANDLER=",
        "\nAWS_REGION=us-east-1\n",
        "\nAWS_LAMBDA_FUNCTION_NAME=function\n",
        "\nAWS_LAMBDA_FUNCTION_VERSION=$LATEST\n",
        "\nAWS_LAMBDA_FUNCTION_MEMORY_SIZE=",
        "\nAWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n",
        "\nLAMBDA_TASK_ROOT=/",
        "\nTZ=:LOCAL\n",
        "\nADDED=a=b\n",
        "\nPATH=",
    };
    struct message m;

    get(l, &m, "/environment");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        check(lines[i] + 1, strstr(m.body.data, lines[i]) != NULL, m.body.data);
    }
    check("ours is not inherited",
          strstr(m.body.data, "\nNOT_FOR_CHILDREN=") == NULL &&
              strstr(m.body.data, "\nTZ=:UTC\n") == NULL,
          m.body.data);
    message_free(&m);
}

void test_api(struct lambda *l)
{
    test_runtime_api(l);
    test_environment(l);
}
