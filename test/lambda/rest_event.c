/* The event of an API Gateway REST API with a proxy integration. */
#include "event.h"

#include "host.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    struct slice name, value;
};

struct pairs {
    struct pair *list;
    size_t count;
    bool any_case; /* names are the same whatever their case */
};

static bool same_name(const struct pairs *p, size_t a, size_t b)
{
    struct slice x = p->list[a].name, y = p->list[b].name;

    return p->any_case
               ? slice_compare_nocase(x, y) == 0
               : x.size == y.size &&
                     (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
}

static bool is_first(const struct pairs *p, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (same_name(p, k, i)) {
            return false;
        }
    }
    return true;
}

/* Each name once: with its last value, and with a list of all of them. */
static void add_pairs(struct buf *out, const char *single, const char *multi,
                      const struct pairs *p)
{
    for (int lists = 0; lists < 2; lists++) {
        bool any = false;

        buf_format(out, "\"%s\":%s", lists == 0 ? single : multi,
                   p->count == 0 ? "null," : "");
        for (size_t i = 0; i < p->count; i++) {
            struct buf values = {0};

            if (!is_first(p, i)) {
                continue;
            }
            for (size_t k = i; k < p->count; k++) {
                if (same_name(p, i, k)) {
                    if (lists == 0) {
                        buf_clear(&values);
                    } else if (buf_size(&values) > 0) {
                        buf_byte(&values, ',');
                    }
                    json_quote(&values, p->list[k].value);
                }
            }
            buf_byte(out, any ? ',' : '{');
            any = true;
            json_quote(out, p->list[i].name);
            buf_text(out, lists == 0 ? ":" : ":[");
            buf_add_slice(out, buf_slice(&values));
            buf_text(out, lists == 0 ? "" : "]");
            buf_free(&values);
        }
        buf_text(out, any ? "}," : "");
    }
}

static void add_headers(struct buf *out, const struct client *c,
                        const char *source, const char *port)
{
    const struct fields *f = &c->conn.reader.head.fields;
    const struct pair more[] = {
        {slice_of("X-Amzn-Trace-Id"), slice_of(c->caller.invocation->trace_id)},
        {slice_of("X-Forwarded-For"), slice_of(source)},
        {slice_of("X-Forwarded-Port"), slice_of(port)},
        {slice_of("X-Forwarded-Proto"), slice_of("http")},
    };
    size_t extra = sizeof more / sizeof more[0];
    struct pairs p = {.list = allocate((f->count + extra) * sizeof *p.list),
                      .any_case = true};

    for (size_t i = 0; i < f->count; i++) {
        if (!event_leaves_out(f->list[i].name)) {
            p.list[p.count++] = (struct pair){f->list[i].name,
                                              f->list[i].value};
        }
    }
    for (size_t i = 0; i < extra; i++) {
        struct slice present;

        if (i == 0 ||
            !fields_get(f, (const char *)more[i].name.data, &present)) {
            p.list[p.count++] = more[i];
        }
    }
    add_pairs(out, "headers", "multiValueHeaders", &p);
    free(p.list);
}

static void add_query(struct buf *out, struct slice query)
{
    size_t parts = 1;
    struct pairs p = {0};
    struct buf text = {0};

    for (size_t i = 0; i < query.size; i++) {
        parts += query.data[i] == '&';
    }
    p.list = allocate(parts * sizeof *p.list);
    /* Decoding makes nothing longer: what the list points to does not move. */
    (void)buf_room(&text, query.size + 1);
    while (query.size > 0) {
        struct slice value = slice_cut(&query, '&');
        struct pair *pair = &p.list[p.count];
        size_t from = text.end;

        if (value.size == 0) {
            continue;
        }
        percent_decode(&text, slice_cut(&value, '='), true);
        pair->name = (struct slice){text.data + from, text.end - from};
        from = text.end;
        percent_decode(&text, value, true);
        pair->value = (struct slice){text.data + from, text.end - from};
        p.count++;
    }
    add_pairs(out, "queryStringParameters", "multiValueQueryStringParameters",
              &p);
    free(p.list);
    buf_free(&text);
}

static void add_path(struct buf *out, struct slice path)
{
    if (path.size <= 1) {
        buf_text(out, "\"pathParameters\":null,\"stageVariables\":null,");
        return;
    }
    buf_text(out, "\"pathParameters\":{\"proxy\":");
    json_quote(out, (struct slice){path.data + 1, path.size - 1});
    buf_text(out, "},\"stageVariables\":null,");
}

static void add_context(struct buf *out, const struct client *c,
                        const char *resource, const char *source,
                        const char *id)
{
    const struct head *h = &c->conn.reader.head;
    struct slice host = slice_of("localhost"), agent;

    (void)fields_get(&h->fields, "host", &host);
    buf_text(out, "\"requestContext\":{\"accountId\":\"" ACCOUNT "\",");
    event_member(out, "apiId", slice_of("local"));
    event_member(out, "domainName", host_name(host));
    event_member(out, "domainPrefix", slice_of("local"));
    event_member(out, "extendedRequestId", slice_of(id));
    event_member(out, "httpMethod", h->method);
    buf_text(out, "\"identity\":{\"accessKey\":null,\"accountId\":null,"
                  "\"caller\":null,\"sourceIp\":");
    json_quote(out, slice_of(source));
    buf_text(out, ",\"user\":null,\"userAgent\":");
    if (fields_get(&h->fields, "user-agent", &agent)) {
        json_quote(out, agent);
    } else {
        buf_text(out, "null");
    }
    buf_text(out, ",\"userArn\":null},");
    event_member(out, "path", h->path);
    buf_format(out, "\"protocol\":\"HTTP/1.%d\",", h->minor);
    event_member(out, "requestId", slice_of(id));
    event_time(out, "requestTime", "requestTimeEpoch");
    buf_text(out, ",\"resourceId\":\"local\",\"resourcePath\":");
    json_quote(out, slice_of(resource));
    buf_text(out, ",\"stage\":\"local\"},");
}

/* Without binary media types a REST API passes every body on as text; what is
 * none would be spoiled, so it is coded. */
static void add_body(struct buf *out, struct slice body)
{
    bool plain = utf8_valid(body);

    buf_text(out, "\"body\":");
    if (body.size == 0) {
        buf_text(out, "null");
    } else if (plain) {
        json_quote(out, body);
    } else {
        buf_byte(out, '"');
        base64_encode(out, body);
        buf_byte(out, '"');
    }
    buf_format(out, ",\"isBase64Encoded\":%s}", plain ? "false" : "true");
}

void rest_event(struct buf *out, const struct client *c, const char *id)
{
    const struct head *h = &c->conn.reader.head;
    const char *resource = h->path.size <= 1 ? "/" : "/{proxy+}";
    char source[ADDRESS_SIZE], port[8];

    event_ends(c, source, port);
    buf_byte(out, '{');
    event_member(out, "resource", slice_of(resource));
    event_member(out, "path", h->path);
    event_member(out, "httpMethod", h->method);
    add_headers(out, c, source, port);
    add_query(out, h->query);
    add_path(out, h->path);
    add_context(out, c, resource, source, id);
    add_body(out, buf_slice(&c->body));
}
