#define _POSIX_C_SOURCE 200809L
#include "event.h"

#include "host.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

/* A name and a value of headers or of the query, to be joined with the others
 * of that name. */
struct member {
    struct slice name, value;
    size_t position;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = slice_compare_nocase(x->name, y->name);

    if (order != 0) {
        return order;
    }
    return (x->position > y->position) - (x->position < y->position);
}

static int compare_exact(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    size_t shorter = x->name.size < y->name.size ? x->name.size : y->name.size;
    int order = shorter == 0 ? 0 : memcmp(x->name.data, y->name.data, shorter);

    if (order != 0) {
        return order;
    }
    if (x->name.size != y->name.size) {
        return x->name.size < y->name.size ? -1 : 1;
    }
    return (x->position > y->position) - (x->position < y->position);
}

/* A JSON object of sorted members, the values of one name joined. */
static void add_joined(struct buf *out, const struct member *list, size_t count,
                       int (*compare)(const void *, const void *))
{
    struct buf value = {0};

    buf_byte(out, '{');
    for (size_t i = 0; i < count;) {
        struct member first = list[i];

        buf_clear(&value);
        buf_add_slice(&value, list[i++].value);
        while (i < count) {
            first.position = list[i].position;
            if (compare(&first, &list[i]) != 0) {
                break;
            }
            buf_byte(&value, ',');
            buf_add_slice(&value, list[i++].value);
        }
        json_quote(out, first.name);
        buf_byte(out, ':');
        json_quote(out, buf_slice(&value));
        buf_byte(out, i < count ? ',' : '}');
    }
    if (count == 0) {
        buf_byte(out, '}');
    }
    buf_free(&value);
}

bool event_leaves_out(struct slice field_name)
{
    static const char *const names[] = {
        "connection",        "expect",  "keep-alive",
        "proxy-connection",  "te",      "trailer",
        "transfer-encoding", "upgrade", "x-amzn-trace-id",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_is_nocase(field_name, names[i])) {
            return true;
        }
    }
    return false;
}

/* The cookies stand in a member of their own, and AWS's adapters all put them
 * back into a Cookie header; so they are not in both places. */
static void add_headers(struct buf *out, const struct fields *fields,
                        const char *source, const char *port, const char *trace)
{
    const struct field more[] = {
        {slice_of("x-forwarded-port"), slice_of(port)},
        {slice_of("x-amzn-trace-id"), slice_of(trace)},
        {slice_of("x-forwarded-for"), slice_of(source)},
        {slice_of("x-forwarded-proto"), slice_of("http")},
    };
    size_t extra = sizeof more / sizeof more[0], count = 0;
    struct member *list = allocate((fields->count + extra) * sizeof *list);
    struct slice present;

    for (size_t i = 0; i < fields->count; i++) {
        if (!event_leaves_out(fields->list[i].name) &&
            !slice_is_nocase(fields->list[i].name, "cookie")) {
            list[count] = (struct member){fields->list[i].name,
                                          fields->list[i].value, i};
            count++;
        }
    }
    for (size_t i = 0; i < extra; i++) {
        if (i == 1 ||
            !fields_get(fields, (const char *)more[i].name.data, &present)) {
            list[count] = (struct member){more[i].name, more[i].value,
                                          fields->count + i};
            count++;
        }
    }
    qsort(list, count, sizeof *list, compare_members);
    add_joined(out, list, count, compare_members);
    free(list);
}

/* Header names are lower case in the event. */
static void lower_names(const struct fields *fields, struct buf *names,
                        struct field *out)
{
    size_t at = 0;

    for (size_t i = 0; i < fields->count; i++) {
        buf_add_slice(names, fields->list[i].name);
    }
    for (size_t i = 0; i < fields->count; i++) {
        size_t size = fields->list[i].name.size;

        for (size_t k = at; k < at + size; k++) {
            if (names->data[k] >= 'A' && names->data[k] <= 'Z') {
                names->data[k] |= 0x20;
            }
        }
        out[i].name = (struct slice){names->data + at, size};
        out[i].value = fields->list[i].value;
        at += size;
    }
}

static void add_query(struct buf *out, struct slice query)
{
    size_t count = 0, parts = 1;
    struct member *list;
    struct buf text = {0};

    for (size_t i = 0; i < query.size; i++) {
        parts += query.data[i] == '&';
    }
    list = allocate(parts * sizeof *list);
    /* Decoding makes nothing longer: what list points to does not move. */
    (void)buf_room(&text, query.size + 1);
    while (query.size > 0) {
        struct slice value = slice_cut(&query, '&');
        struct member m = {.position = count};

        if (value.size == 0) {
            continue;
        }
        m.name.data = text.data + text.end;
        percent_decode(&text, slice_cut(&value, '='), true);
        m.value.data = text.data + text.end;
        m.name.size = (size_t)(m.value.data - m.name.data);
        percent_decode(&text, value, true);
        m.value.size = (size_t)(text.data + text.end - m.value.data);
        list[count++] = m;
    }
    if (count > 0) {
        buf_text(out, ",\"queryStringParameters\":");
        qsort(list, count, sizeof *list, compare_exact);
        add_joined(out, list, count, compare_exact);
    }
    free(list);
    buf_free(&text);
}

static void add_cookies(struct buf *out, const struct fields *fields)
{
    bool any = false;

    for (size_t i = 0; i < fields->count; i++) {
        struct slice rest = fields->list[i].value;

        if (!slice_is_nocase(fields->list[i].name, "cookie")) {
            continue;
        }
        while (rest.size > 0) {
            struct slice cookie = slice_trim(slice_cut(&rest, ';'));

            if (cookie.size > 0) {
                buf_text(out, any ? "," : ",\"cookies\":[");
                json_quote(out, cookie);
                any = true;
            }
        }
    }
    if (any) {
        buf_byte(out, ']');
    }
}

void event_member(struct buf *out, const char *name, struct slice value)
{
    buf_format(out, "\"%s\":", name);
    json_quote(out, value);
    buf_byte(out, ',');
}

void event_time(struct buf *out, const char *name, const char *epoch_name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now = wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm t = {0};

    (void)gmtime_r(&seconds, &t);
    buf_format(out, "\"%s\":\"%02d/%.3s/%d:%02d:%02d:%02d +0000\",", name,
               t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour,
               t.tm_min, t.tm_sec);
    buf_format(out, "\"%s\":%lld", epoch_name, (long long)now);
}

static void add_context(struct buf *out, const struct head *h,
                        const char *source, const char *id, bool http_api)
{
    struct slice host = slice_of("localhost"), agent = slice_of("");

    (void)fields_get(&h->fields, "host", &host);
    (void)fields_get(&h->fields, "user-agent", &agent);
    host = host_name(host);
    buf_format(out, ",\"requestContext\":{\"accountId\":\"%s\",",
               http_api ? ACCOUNT : "anonymous");
    event_member(out, "apiId", slice_of("local"));
    buf_text(out,
             http_api ? "" : "\"authentication\":null,\"authorizer\":null,");
    event_member(out, "domainName", host);
    event_member(out, "domainPrefix", slice_of("local"));
    buf_text(out, "\"http\":{");
    event_member(out, "method", h->method);
    event_member(out, "path", h->path);
    buf_format(out, "\"protocol\":\"HTTP/1.%d\",", h->minor);
    event_member(out, "sourceIp", slice_of(source));
    buf_text(out, "\"userAgent\":");
    json_quote(out, agent);
    buf_text(out, "},");
    event_member(out, "requestId", slice_of(id));
    buf_text(out, "\"routeKey\":\"$default\",\"stage\":\"$default\",");
    event_time(out, "time", "timeEpoch");
    buf_byte(out, '}');
}

/* The content types that have been observed to arrive as plain text, and two
 * that API Gateway's rule adds. */
static bool is_text(const struct fields *fields)
{
    static const char *const types[] = {"application/json", "application/xml",
                                        "application/javascript"};
    struct slice type;

    if (!fields_get(fields, "content-type", &type)) {
        return false;
    }
    type = slice_trim(slice_cut(&type, ';'));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_is_nocase(type, types[i])) {
            return true;
        }
    }
    return slice_starts_nocase(type, "text/");
}

static void add_body(struct buf *out, const struct client *c)
{
    struct slice body = buf_slice(&c->body);
    bool plain = body.size == 0 ||
                 (is_text(&c->conn.reader.head.fields) && utf8_valid(body));

    if (body.size > 0) {
        buf_text(out, ",\"body\":");
        if (plain) {
            json_quote(out, body);
        } else {
            buf_byte(out, '"');
            base64_encode(out, body);
            buf_byte(out, '"');
        }
    }
    if (c->settings->payload == PAYLOAD_HTTP) {
        buf_format(out, ",\"isBase64Encoded\":%s}", plain ? "false" : "true");
        return;
    }
    buf_format(out,
               ",\"pathParameters\":null,\"isBase64Encoded\":%s,"
               "\"stageVariables\":null}",
               plain ? "false" : "true");
}

void event_ends(const struct client *c, char source[ADDRESS_SIZE], char port[8])
{
    struct address peer = {.size = sizeof peer.storage};
    struct address own = {.size = sizeof own.storage};

    (void)getpeername(c->conn.fd, (struct sockaddr *)&peer.storage, &peer.size);
    address_text(&peer, source);
    (void)getsockname(c->conn.fd, (struct sockaddr *)&own.storage, &own.size);
    (void)snprintf(port, 8, "%u", (unsigned)address_port(&own));
}

/* HTTP APIs have been reported to decode it. */
static void add_raw_path(struct buf *out, struct slice path, bool decoded)
{
    struct buf text = {0};

    if (decoded) {
        percent_decode(&text, path, false);
        path = buf_slice(&text);
    }
    json_quote(out, path);
    buf_free(&text);
}

void url_event(struct buf *out, const struct client *c, const char *id)
{
    const struct head *h = &c->conn.reader.head;
    const struct fields *given = &h->fields;
    struct fields fields = {
        .list = allocate((given->count + 1) * sizeof(struct field)),
        .count = given->count};
    bool http_api = c->settings->payload == PAYLOAD_HTTP;
    struct buf names = {0};
    char source[ADDRESS_SIZE], port[8];

    event_ends(c, source, port);
    lower_names(given, &names, fields.list);
    buf_text(out,
             "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":");
    add_raw_path(out, h->path, http_api);
    buf_text(out, ",\"rawQueryString\":");
    json_quote(out, h->query);
    add_cookies(out, &fields);
    buf_text(out, ",\"headers\":");
    add_headers(out, &fields, source, port, c->caller.invocation->trace_id);
    add_query(out, h->query);
    add_context(out, h, source, id, http_api);
    add_body(out, c);
    free(fields.list);
    buf_free(&names);
}
