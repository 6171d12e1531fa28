/* greet.c - a handler that greets whom it is told to: by ?name=Ada in the
 * query, {"name":"Ada"} in the body of a request, or in a direct event */
#include "http.h"

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request request;
    struct json_token token = {0};
    const struct json_want want = {"name", &token};
    char name[100] = "world";
    size_t at;
    int http = lambda_read_request(&request, in, out), wrong = 0;

    if (http < 0)
        return http; /* not JSON: the error has been named */
    if (http) {
        wrong = request.wrong ||
                lambda_query(&request, "name", name, sizeof name) < 0;
        if (request.body_length > 0)
            wrong |= lambda_body(&request, "name", name, sizeof name) < 0;
    } else {
        json_pick(in->event, in->event_length, 0, &want, 1, &at);
        if (token.type != 0 && !json_string(&token, name, sizeof name))
            wrong = 1;
    }
    if (wrong && !http)
        return lambda_fail(out, "Function.InvalidEvent", "name: a short text");
    if (http)
        http_status(out, wrong ? 400 : 200);
    http_header(out, "Content-Type", "text/plain; charset=utf-8");
    if (wrong)
        http_format(&out->text, "name must be a short text\n");
    else
        http_format(&out->text, "Hello %s\n", name);
    return 0;
}
