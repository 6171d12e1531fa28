#define _POSIX_C_SOURCE 200809L
#include "service.h"

#include "async.h"
#include "json.h"
#include "pool.h"
#include "text.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "x-amz-invocation-type"

/* What becomes a header of /next, and the most that it may have. Lambda's
 * limit on a client context is one on its base64. */
static const struct {
    const char *field, *characters;
    size_t max;
    const char *type, *message;
} limits[] = {
    {"x-amz-client-context", NULL, 3583, "InvalidRequestContentException",
     "Client context must have at most 3,583 bytes of base64."},
    {"x-amz-tenant-id", "._:/=+-@ ", 256, "InvalidParameterValueException",
     "TenantId must be 1 to 256 letters, digits and ._:/=+-@ or spaces"},
    {"x-amzn-trace-id", "._:/=+-@ ;", 512, "InvalidParameterValueException",
     "X-Amzn-Trace-Id must have at most 512 characters, Key=Value with ;"},
};

void service_refuse(struct client *c, const char *type, const char *message)
{
    /* The service model spells the member in two ways. */
    static const struct {
        const char *type, *member, *more;
        int status;
    } errors[] = {
        {"InvalidParameterValueException", "message", "", 400},
        {"InvalidRequestContentException", "message", "", 400},
        {"RequestTooLargeException", "message", "", 413},
        {"TooManyRequestsException", "message",
         ",\"Reason\":\"ConcurrentInvocationLimitExceeded\"", 429},
        {"ResourceNotFoundException", "Message", "", 404},
        {"UnknownOperationException", "Message", "", 404},
    };
    struct buf fields = {0}, body = {0};
    size_t i = 0;

    while (i + 1 < sizeof errors / sizeof errors[0] &&
           strcmp(errors[i].type, type) != 0) {
        i++;
    }
    buf_format(&fields,
               "Content-Type: application/json\r\nx-amzn-ErrorType: %s\r\n%c",
               type, 0);
    buf_format(&body, "{\"Type\":\"User\",\"%s\":", errors[i].member);
    json_quote(&body, slice_of(message));
    buf_format(&body, "%s}%c", errors[i].more, 0);
    client_refuse(c, errors[i].status, (char *)fields.data, (char *)body.data);
    buf_free(&fields);
    buf_free(&body);
}

void service_refuse_size(struct client *c, uint64_t max)
{
    char text[96];

    (void)snprintf(text, sizeof text,
                   "Request must be smaller than %llu bytes for the "
                   "InvokeFunction operation",
                   (unsigned long long)max);
    service_refuse(c, "RequestTooLargeException", text);
}

/* /20dd-dd-dd/ */
static bool takes_date(struct slice *path)
{
    static const char form[] = "/20##-##-##/";

    for (size_t i = 0; i + 1 < sizeof form; i++) {
        bool digit = i < path->size && path->data[i] >= '0' &&
                     path->data[i] <= '9';

        if (i >= path->size ||
            (form[i] == '#' ? !digit
                            : path->data[i] != (unsigned char)form[i])) {
            return false;
        }
    }
    path->data += sizeof form - 1;
    path->size -= sizeof form - 1;
    return true;
}

static bool is_noun(struct slice s)
{
    static const char *const nouns[] = {
        "account-settings",
        "capacity-providers",
        "code-signing-configs",
        "durable-execution-callbacks",
        "durable-executions",
        "event-source-mappings",
        "functions",
        "layers",
        "layers-by-arn",
        "tags",
    };

    for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++) {
        if (slice_is(s, nouns[i])) {
            return true;
        }
    }
    return false;
}

static struct slice query_value(struct slice query, const char *name)
{
    while (query.size > 0) {
        struct slice value = slice_cut(&query, '&');

        if (slice_is(slice_cut(&value, '='), name)) {
            return value;
        }
    }
    return slice_of("");
}

static const char *read_name(struct client *c, struct slice segment)
{
    struct buf name = {0}, qualifier = {0};
    const char *fault;

    percent_decode(&name, segment, false);
    percent_decode(&qualifier,
                   query_value(c->conn.reader.head.query, "Qualifier"), true);
    fault = name_read(&c->function, buf_slice(&name), buf_slice(&qualifier));
    buf_free(&name);
    buf_free(&qualifier);
    return fault;
}

bool service_route(struct client *c)
{
    static const struct {
        const char *method, *tail;
        enum route route;
    } calls[] = {
        {"POST", "invocations", ROUTE_INVOKE},
        {"POST", "response-streaming-invocations", ROUTE_STREAM},
        {"GET", "", ROUTE_GET_FUNCTION},
        {"GET", "configuration", ROUTE_GET_CONFIGURATION},
    };
    const struct head *h = &c->conn.reader.head;
    struct slice path = h->path, name;

    if (!takes_date(&path) || !is_noun(name = slice_cut(&path, '/'))) {
        return false;
    }
    c->route = ROUTE_UNKNOWN;
    if (!slice_is(name, "functions")) {
        return true;
    }
    if (path.size == 0) {
        c->route = slice_is(h->method, "GET") ? ROUTE_LIST_FUNCTIONS
                                              : ROUTE_UNKNOWN;
        return true;
    }
    name = slice_cut(&path, '/');
    if (path.size > 0 && path.data[path.size - 1] == '/') {
        path.size--;
    }
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (slice_is(h->method, calls[i].method) &&
            slice_is(path, calls[i].tail)) {
            c->route = calls[i].route;
            c->name_fault = read_name(c, name);
        }
    }
    return true;
}

static bool consists_of(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char lower = s.data[i] | 0x20;

        if ((s.data[i] < '0' || s.data[i] > '9') &&
            (lower < 'a' || lower > 'z') &&
            (s.data[i] == 0 || strchr(others, s.data[i]) == NULL)) {
            return false;
        }
    }
    return true;
}

/* The one place that bounds what a caller adds to the head of /next. */
static bool check_fields(struct client *c)
{
    struct slice value;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (!fields_get(&c->conn.reader.head.fields, limits[i].field, &value) ||
            (value.size <= limits[i].max &&
             (limits[i].characters == NULL ||
              consists_of(value, limits[i].characters)))) {
            continue;
        }
        if (c->route != ROUTE_URL) {
            service_refuse(c, limits[i].type, limits[i].message);
            return false;
        }
        if (i + 1 == sizeof limits / sizeof limits[0]) {
            client_refuse(c, 400, "Content-Type: application/json\r\n",
                          "{\"Message\":\"X-Amzn-Trace-Id is too long, or no "
                          "list of Key=Value\"}");
            return false;
        }
    }
    return true;
}

bool service_check(struct client *c)
{
    struct buf text = {0};
    bool found;

    if (c->route == ROUTE_UNKNOWN) {
        buf_format(&text,
                   "The local Lambda answers Invoke, InvokeWithResponseStream, "
                   "GetFunction, GetFunctionConfiguration and ListFunctions. "
                   "This is none of them.%c",
                   0);
        service_refuse(c, "UnknownOperationException", (char *)text.data);
        buf_free(&text);
        return false;
    }
    if (c->name_fault != NULL) {
        service_refuse(c, "InvalidParameterValueException", c->name_fault);
        return false;
    }
    found = c->route == ROUTE_URL || c->route == ROUTE_LIST_FUNCTIONS ||
            c->settings->function_name == NULL ||
            strcmp(c->settings->function_name, c->function.name) == 0;
    if (!found) {
        buf_format(&text, "Function not found: %s%c", c->function.arn, 0);
        service_refuse(c, "ResourceNotFoundException", (char *)text.data);
        buf_free(&text);
        return false;
    }
    return check_fields(c);
}

static void add_configuration(struct buf *out, const struct client *c)
{
    long long seconds = c->settings->timeout_ns / NS_PER_S;

    buf_format(out, "{\"FunctionName\":\"%s\",\"FunctionArn\":\"%s\",",
               c->function.name, c->function.arn);
    buf_format(out,
               "\"Runtime\":\"provided.al2023\",\"Role\":\"arn:aws:iam::"
               "%s:role/local\",\"Handler\":\"function.handler\","
               "\"CodeSize\":1,\"Description\":\"\",\"Timeout\":%lld,"
               "\"MemorySize\":%ld,",
               ACCOUNT, seconds == 0 ? 900 : seconds, c->settings->memory_mb);
    buf_format(out,
               "\"LastModified\":\"2026-01-01T00:00:00.000+0000\","
               "\"CodeSha256\":\"\",\"Version\":\"%s\",\"PackageType\":"
               "\"Zip\",\"State\":\"Active\",\"LastUpdateStatus\":"
               "\"Successful\"}",
               name_version(&c->function));
}

static void describe(struct client *c)
{
    struct buf body = {0}, fields = {0};

    if (c->route == ROUTE_LIST_FUNCTIONS) {
        const char *name = c->settings->function_name;

        (void)name_read(&c->function,
                        slice_of(name == NULL ? "function" : name),
                        slice_of(""));
        buf_text(&body, "{\"NextMarker\":null,\"Functions\":[");
    } else if (c->route == ROUTE_GET_FUNCTION) {
        buf_text(&body, "{\"Configuration\":");
    }
    add_configuration(&body, c);
    if (c->route == ROUTE_LIST_FUNCTIONS) {
        buf_text(&body, "]}");
    } else if (c->route == ROUTE_GET_FUNCTION) {
        buf_text(&body, ",\"Code\":{\"RepositoryType\":\"S3\",\"Location\":"
                        "\"\"},\"Tags\":{}}");
    }
    buf_format(&fields,
               "Content-Type: application/json\r\nx-amzn-RequestId: %s\r\n%c",
               c->id, 0);
    client_reply(c, 200, (char *)fields.data, buf_slice(&body));
    client_done(c, true);
    buf_free(&body);
    buf_free(&fields);
}

static void answer_at_once(struct client *c, int status)
{
    struct buf fields = {0};

    buf_format(&fields, "x-amzn-RequestId: %s\r\n%c", c->id, 0);
    client_reply(c, status, (char *)fields.data, slice_of(""));
    buf_free(&fields);
    client_done(c, true);
}

/* The header is base64 for the sake of its own way through HTTP; what the
 * runtime gets is the JSON text in it, on one line. */
static bool add_client_context(struct client *c, struct invocation *i)
{
    struct buf text = {0}, line = {0};
    struct slice value;
    bool good = true;

    if (fields_get(&c->conn.reader.head.fields, "x-amz-client-context",
                   &value) &&
        value.size > 0) {
        good = base64_decode(&text, value) && json_fault(buf_slice(&text)) < 0;
        for (size_t k = text.start; k < text.end; k++) {
            if (text.data[k] == 0x7f) {
                buf_text(&line, "\\u007f");
            } else {
                buf_byte(&line, text.data[k] < 0x20 ? ' ' : text.data[k]);
            }
        }
        if (good) {
            i->client_context = slice_copy(buf_slice(&line));
        }
    }
    buf_free(&text);
    buf_free(&line);
    return good;
}

static bool asks(const struct client *c, const char *name, const char *value)
{
    struct slice s;

    return fields_get(&c->conn.reader.head.fields, name, &s) &&
           slice_is(s, value);
}

static const struct caller_ops *choose_ops(const struct client *c)
{
    bool tail = asks(c, "x-amz-log-type", "Tail");

    if (c->route == ROUTE_STREAM) {
        return tail ? &stream_tail_ops : &stream_ops;
    }
    return tail ? &invoke_tail_ops : &invoke_ops;
}

static bool check_event(struct client *c)
{
    char text[96];
    long fault;

    if (buf_size(&c->body) == 0) {
        buf_text(&c->body, "{}");
    }
    fault = json_fault(buf_slice(&c->body));
    if (fault >= 0) {
        (void)snprintf(text, sizeof text,
                       "Could not parse request body into json: not JSON at "
                       "byte %ld",
                       fault);
        service_refuse(c, "InvalidRequestContentException", text);
    }
    return fault < 0;
}

static void start_invoke(struct client *c)
{
    bool async = c->route == ROUTE_INVOKE && asks(c, TYPE, "Event");
    struct invocation *i;
    struct slice tenant;

    if (!check_event(c)) {
        return;
    }
    c->caller.ops = choose_ops(c);
    i = client_invocation(c, !async);
    if (async) {
        async_adopt(i, c->settings->retry_ns);
    }
    i->wants_tail = !async && c->caller.ops->finished != NULL;
    if (fields_get(&c->conn.reader.head.fields, "x-amz-tenant-id", &tenant) &&
        tenant.size > 0) {
        i->tenant_id = slice_copy(tenant);
    }
    if (!add_client_context(c, i)) {
        invocation_discard(i);
        service_refuse(c, "InvalidRequestContentException",
                       "Client context must be a valid Base64-encoded JSON "
                       "object.");
        return;
    }
    if (asks(c, TYPE, "DryRun")) {
        invocation_discard(i);
        answer_at_once(c, 204);
        return;
    }
    i->event = c->body;
    c->body = (struct buf){0};
    if (client_submit(c, i) && async) {
        answer_at_once(c, 202);
    }
}

void service_start(struct client *c)
{
    if (c->route == ROUTE_INVOKE || c->route == ROUTE_STREAM) {
        start_invoke(c);
    } else {
        describe(c);
    }
}
