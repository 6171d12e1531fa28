/* The Lambda API beside Invoke: names, limits, what is found and what is not.
 */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <string.h>

#define NAME_64 \
    "n234567890123456789012345678901234567890123456789012345678901234"

struct row {
    const char *name, *request, *fields, *body;
    int status;
    const char *head, *answer; /* patterns */
};

/* The request is a line without its version. */
static void play(struct lambda *l, const struct row *row)
{
    struct bytes b = {0};
    struct message m;

    append_format(&b, "%s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n",
                  row->request, row->fields, strlen(row->body));
    append(&b, row->body, strlen(row->body));
    ask(l, &m, b.data, b.size);
    check(row->name, m.status == row->status && m.complete, m.head.data);
    check(row->name, is_like(m.head.data, row->head), m.head.data);
    check(row->name, is_like(m.body.data, row->answer), m.body.data);
    message_free(&m);
    release(&b);
}

#define HEAD "{\"do\":\"head\"}"
#define ARN(arn) \
    "~\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:" arn "\r\n~"
#define INVALID    "~\r\nx-amzn-ErrorType: InvalidParameterValueException\r\n~"
#define REQUEST_ID "~\r\nx-amzn-RequestId: ~-~-4~-~-~\r\n~"

static const struct row names[] = {
    {"a name", "POST /2015-03-31/functions/f/invocations", "", HEAD, 200,
     "~X-Amz-Executed-Version: $LATEST\r\n~",
     ARN("us-east-1:123456789012:function:f")},
    {"a version", "POST /2015-03-31/functions/f/invocations?Qualifier=7", "",
     HEAD, 200, "~X-Amz-Executed-Version: 7\r\n~",
     ARN("us-east-1:123456789012:function:f:7")},
    {"an alias in the name", "POST /2015-03-31/functions/f:live/invocations",
     "", HEAD, 200, "~X-Amz-Executed-Version: $LATEST\r\n~",
     ARN("us-east-1:123456789012:function:f:live")},
    {"the same alias twice",
     "POST /2015-03-31/functions/f:live/invocations?Qualifier=live", "", HEAD,
     200, "~", ARN("us-east-1:123456789012:function:f:live")},
    {"an alias against another qualifier",
     "POST /2015-03-31/functions/f:live/invocations?Qualifier=7", "", HEAD, 400,
     INVALID, "{\"Type\":\"User\",\"message\":\"~does not match~\"}"},
    {"function:name", "POST /2015-03-31/functions/function:g/invocations", "",
     HEAD, 200, "~", ARN("us-east-1:123456789012:function:g")},
    {"ACCOUNT:name", "POST /2015-03-31/functions/210987654321:g/invocations",
     "", HEAD, 200, "~", ARN("us-east-1:210987654321:function:g")},
    {"ACCOUNT:function:name:alias",
     "POST /2015-03-31/functions/210987654321%3Afunction%3Ag%3Ab/invocations",
     "", HEAD, 200, "~", ARN("us-east-1:210987654321:function:g:b")},
    {"an ARN",
     "POST /2015-03-31/functions/arn:aws:lambda:eu-west-1:210987654321:"
     "function:g:3/invocations",
     "", HEAD, 200, "~X-Amz-Executed-Version: 3\r\n~",
     ARN("eu-west-1:210987654321:function:g:3")},
    {"a slash at the end", "POST /2015-03-31/functions/f/invocations/", "",
     HEAD, 200, "~", ARN("us-east-1:123456789012:function:f")},
    {"64 characters", "POST /2015-03-31/functions/" NAME_64 "/invocations", "",
     HEAD, 200, "~", ARN("us-east-1:123456789012:function:" NAME_64)},
    {"65 characters", "POST /2015-03-31/functions/" NAME_64 "x/invocations", "",
     HEAD, 400, INVALID, "{\"Type\":\"User\",\"message\":\"FunctionName ~"},
    {"a space", "POST /2015-03-31/functions/a%20b/invocations", "", HEAD, 400,
     INVALID, "~"},
    {"an ARN of something else",
     "POST /2015-03-31/functions/arn:aws:s3:x/invocations", "", HEAD, 400,
     INVALID, "~"},
    {"a qualifier with a space",
     "POST /2015-03-31/functions/f/invocations?Qualifier=a%20b", "", HEAD, 400,
     INVALID, "~"},
};

static const struct row others[] = {
    {"GetFunction", "GET /2015-03-31/functions/f", "", "", 200, REQUEST_ID,
     "{\"Configuration\":{\"FunctionName\":\"f\",~\"State\":\"Active\"~"},
    {"GetFunctionConfiguration", "GET /2015-03-31/functions/f/configuration",
     "", "", 200, REQUEST_ID,
     "{\"FunctionName\":\"f\",\"FunctionArn\":\"arn:aws:lambda:us-east-1:"
     "123456789012:function:f\",~\"Timeout\":900,\"MemorySize\":128,~}"},
    {"ListFunctions", "GET /2015-03-31/functions/?MaxItems=3", "", "", 200, "~",
     "{\"NextMarker\":null,\"Functions\":[{\"FunctionName\":\"function\",~}]}"},
    {"DeleteFunction", "DELETE /2015-03-31/functions/f", "", "", 404,
     "~\r\nx-amzn-ErrorType: UnknownOperationException" REQUEST_ID,
     "{\"Type\":\"User\",\"Message\":\"~none of them.\"}"},
    {"layers", "GET /2018-10-31/layers", "", "", 404, "~", "~"},
    {"tags", "GET /2017-03-31/tags/arn", "", "", 404, "~", "~"},
    {"a URL's path that has a date", "GET /2018-10-31/words", "", "", 200, "~",
     "{\"version\":\"2.0\",~"},
    {"and another", "GET /2018-10-3/tags", "", "", 200, "~",
     "{\"version\":\"2.0\",~"},
    {"an event that is not JSON", "POST " INVOKE, "", "{", 400,
     "~x-amzn-ErrorType: InvalidRequestContentException" REQUEST_ID,
     "{\"Type\":\"User\",\"message\":\"~\"}"},
    {"a client context that is not JSON", "POST " INVOKE,
     "X-Amz-Client-Context: e30\r\n", "{}", 400,
     "~x-amzn-ErrorType: InvalidRequestContentException\r\n~", "~"},
    {"a tenant with a tab", "POST " INVOKE, "X-Amz-Tenant-Id: a\tb\r\n", "{}",
     400, INVALID, "~"},
};

static const struct row only_g[] = {
    {"the one that is there", "POST /2015-03-31/functions/g/invocations", "",
     "{\"do\":\"environment\"}", 200, "~",
     "~\nAWS_LAMBDA_FUNCTION_NAME=g\n~LOG_GROUP_NAME=/aws/lambda/g\n~"},
    {"another one", "POST /2015-03-31/functions/f/invocations", "", "{}", 404,
     "~\r\nx-amzn-ErrorType: ResourceNotFoundException" REQUEST_ID,
     "{\"Type\":\"User\",\"Message\":\"Function not found: arn:~:f\"}"},
    {"GetFunction of another one", "GET /2015-03-31/functions/f", "", "", 404,
     "~ResourceNotFoundException~", "~"},
    {"the URL's ARN", "GET /head", "", "", 200, "~",
     ARN("us-east-1:123456789012:function:g")},
    {"ListFunctions", "GET /2015-03-31/functions", "", "", 200, "~",
     "~{\"FunctionName\":\"g\",~"},
};

/* A field whose value has so many bytes; for a client context it is the base64
 * of {"":"   ..."}. */
static void append_field(struct bytes *b, const char *name, const char *start,
                         const char *filler, size_t size)
{
    size_t from;

    append_format(b, "%s: ", name);
    from = b->size;
    append_format(b, "%s", start);
    while (b->size - from < size) {
        append(b, filler, strlen(filler));
    }
    if (strlen(filler) > 1) {
        memcpy(b->data + b->size - 4, "ICJ9", 4);
    }
    append(b, "\r\n", 2);
}

static void ask_with(struct lambda *l, const char *request, struct bytes *field,
                     const char *body, int status)
{
    struct bytes b = {0};
    struct message m;

    append_format(&b, "%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n",
                  request, strlen(body));
    append(&b, field->data, field->size);
    append_format(&b, "\r\n%s", body);
    ask(l, &m, b.data, b.size);
    check(field->data, m.status == status, m.head.data);
    message_free(&m);
    release(&b);
}

/* What becomes a field of /next: as much as there may be of it, and more. */
static void test_limits_of_fields(struct lambda *l)
{
    static const struct {
        const char *field, *start, *filler;
        size_t max;
        bool also_url;
    } cases[] = {
        {"X-Amz-Client-Context", "eyIiOiIg", "ICAg", 3580, false},
        {"X-Amz-Tenant-Id", "", "t", 256, false},
        {"X-Amzn-Trace-Id", "Root=", "x", 512, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int over = 0; over < 2; over++) {
            struct bytes field = {0};

            append_field(&field, cases[i].field, cases[i].start,
                         cases[i].filler, over == 0 ? cases[i].max : 100000);
            ask_with(l, "POST " INVOKE, &field, "{}", over == 0 ? 200 : 400);
            ask_with(l, "GET /words", &field, "",
                     over == 0 || !cases[i].also_url ? 200 : 400);
            release(&field);
        }
    }
}

#define TRACE "1-5759e988-bd862e3fe1be46a994272793"

static void test_trace(struct lambda *l)
{
    static const struct row rows[] = {
        {"only a root", "GET /echo", "X-Amzn-Trace-Id: Root=" TRACE "\r\n", "",
         200, "~",
         "~\"x-amzn-trace-id\":\"Root=" TRACE ";Parent=~;Sampled=0;Lineage=~\","
         "\"x-forwarded-for\"~"},
        {"in the answer", "GET /words", "X-Amzn-Trace-Id: Root=" TRACE "\r\n",
         "", 200, "~\r\nX-Amzn-Trace-Id: Root=" TRACE ";Parent=~\r\n~",
         "one two three"},
        {"all of it", "POST " INVOKE,
         "X-Amzn-Trace-Id: Sampled=1;Root=" TRACE
         ";Parent=0123456789abcdef\r\n",
         HEAD, 200, "~",
         "~\r\nLambda-Runtime-Trace-Id: Root=" TRACE
         ";Parent=0123456789abcdef;Sampled=1;Lineage=1:~:0\r\n~"},
        {"no root", "POST " INVOKE, "X-Amzn-Trace-Id: Self=1\r\n", HEAD, 200,
         "~", "~\r\nLambda-Runtime-Trace-Id: Root=1-~-~;Parent=~;Sampled=0;~"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play(l, &rows[i]);
    }
}

void test_service(struct lambda *l)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        play(l, &names[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        play(l, &others[i]);
    }
    test_limits_of_fields(l);
    test_trace(l);
}

void test_one_name(void)
{
    struct lambda l;

    start(&l, "good", PORTS, "--function-name", "g", END);
    if (is_up(&l)) {
        for (size_t i = 0; i < sizeof only_g / sizeof only_g[0]; i++) {
            play(&l, &only_g[i]);
        }
        stop(&l);
    }
}
