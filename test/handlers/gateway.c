/* gateway.c - a small HTTP API, behind a Function URL or API Gateway */
#include "http.h"

#include <string.h>

struct call {
    struct lambda_request request;
    struct http_stream *out;
    const char *request_id, *id; /* id: what stands for the * of a path */
    char path[256];
};

/* {"A":"a"} or {"A":"a","B":"b"}: gathered, so that headers may still follow */
static int answer(struct call *c, int status, const char *name_a, const char *a,
                  const char *name_b, const char *b)
{
    http_status(c->out, status);
    http_header(c->out, "Content-Type", "application/json");
    http_format(&c->out->text, "{\"%s\":", name_a);
    lambda_quote(&c->out->text, a, strlen(a));
    if (name_b) {
        http_format(&c->out->text, ",\"%s\":", name_b);
        lambda_quote(&c->out->text, b, strlen(b));
    }
    http_append(&c->out->text, "}\n", 2);
    return 0;
}

static int refuse(struct call *c, int status, const char *why)
{
    return answer(c, status, "error", why, NULL, NULL);
}

static int get_hello(struct call *c)
{
    char name[100] = "world";

    if (lambda_query(&c->request, "name", name, sizeof name) < 0)
        return refuse(c, 400, "name is too long");
    return answer(c, 200, "hello", name, NULL, NULL);
}

static int get_whoami(struct call *c)
{
    char client[100] = "", user[100] = "";

    if (lambda_header(&c->request, "X-Client", client, sizeof client) < 0 ||
        lambda_cookie(&c->request, "user", user, sizeof user) < 0)
        return refuse(c, 400, "X-Client or user is too long");
    return answer(c, 200, "client", client, "user", user);
}

/* A function keeps nothing: a real one would store the item somewhere. */
static int post_item(struct call *c)
{
    char name[100] = "", location[160];
    struct http_text text = http_text_in(location, sizeof location);

    if (lambda_body(&c->request, "name", name, sizeof name) < 0 ||
        name[0] == '\0')
        return refuse(c, 400, "body: {\"name\": a text of 1 to 99 bytes}");
    answer(c, 201, "id", c->request_id, "name", name);
    http_format(&text, "/items/%s", c->request_id);
    return http_header(c->out, "Location", location);
}

static int get_item(struct call *c)
{
    return answer(c, 200, "id", c->id, NULL, NULL);
}

static int get_login(struct call *c)
{
    char user[33] = "", cookie[80];
    struct http_text text = http_text_in(cookie, sizeof cookie);

    /* A semicolon in it would add attributes of its own to the cookie. */
    if (lambda_query(&c->request, "user", user, sizeof user) <= 0 ||
        user[0] == '\0' || user[http_span(user, "azAZ09", "-_.")] != '\0')
        return refuse(c, 400, "user must be 1 to 32 letters, digits or -_.");
    http_format(&text, "user=%s; Path=/; Secure; HttpOnly", user);
    answer(c, 302, "user", user, NULL, NULL);
    http_header(c->out, "Location", "/whoami");
    http_cookie(c->out, "theme=plain; Path=/; Max-Age=86400");
    return http_cookie(c->out, cookie);
}

static const struct {
    const char *method, *path; /* a * at its end is one segment */
    int (*answer)(struct call *);
} routes[] = {{"GET", "/hello", get_hello},
              {"GET", "/whoami", get_whoami},
              {"POST", "/items", post_item},
              {"GET", "/items/*", get_item},
              {"GET", "/login", get_login}};

static int matches(const char *pattern, struct call *c)
{
    size_t fixed = strlen(pattern) - 1, length = strlen(c->path);

    if (pattern[fixed] != '*')
        return strcmp(c->path, pattern) == 0;
    c->id = c->path + fixed;
    return length > fixed && memcmp(c->path, pattern, fixed) == 0 &&
           !memchr(c->id, '/', length - fixed);
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct call c = {.out = out, .request_id = in->request_id};
    char methods[64];
    struct http_text allow = http_text_in(methods, sizeof methods);
    int rc = lambda_read_request(&c.request, in, out);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return lambda_fail(out, "Function.InvalidEvent", "not an HTTP request");
    if (c.request.wrong || !lambda_path(&c.request, c.path, sizeof c.path))
        return refuse(&c, 400, "a malformed request");
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!matches(routes[i].path, &c))
            continue;
        if (json_equal(&c.request.method, routes[i].method))
            return routes[i].answer(&c);
        http_format(&allow, ", %s", routes[i].method);
    }
    if (allow.length == 0)
        return refuse(&c, 404, "no such path");
    refuse(&c, 405, "no such method here");
    return http_header(out, "Allow", methods + 2); /* without a comma first */
}
