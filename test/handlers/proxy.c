/* proxy.c - passes the body of a request on to $UPSTREAM_URL, a language model,
 * and the server-sent events of its answer back, as they come */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MARGIN_MS 500 /* for our last words before the deadline */

static CURLM *multi; /* keeps the connection between invocations */
static CURL *curl;
static int64_t first_byte_s = 30;

struct answer {
    struct http_stream *out;
    int http, begun; /* we are asked by HTTP; the first byte has left */
    char why[80];    /* what went wrong */
};

static const char *certificates(void)
{
    const char *const places[] = {
        getenv("UPSTREAM_CA"), getenv("SSL_CERT_FILE"),
        "/etc/pki/tls/certs/ca-bundle.crt", /* Amazon Linux */
        "/etc/ssl/certs/ca-certificates.crt"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (i < 2 ? places[i] != NULL : access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

/* Takes what the upstream sent. What it says with a status other than 2xx is
 * between it and us. */
static size_t take(char *bytes, size_t size, size_t count, void *answer)
{
    struct answer *a = answer;
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2)
        return size * count;
    if (!a->begun && a->http)
        http_answer(a->out, 200, "text/event-stream", "");
    else if (!a->begun)
        http_header(a->out, "Content-Type", "text/event-stream");
    a->begun = 1;
    return http_write(a->out, bytes, size * count) < 0 ? 0 : size * count;
}

int handler_init(struct http_stream *out, const struct json_token *options)
{
    static char bearer[8192];
    struct http_text text = http_text_in(bearer, sizeof bearer);
    const char *url = getenv("UPSTREAM_URL"), *key = getenv("UPSTREAM_KEY");
    const char *seconds = getenv("UPSTREAM_TIMEOUT");
    struct curl_slist *headers;

    (void)options;
    if (seconds)
        (void)http_decimal(seconds, 900, &first_byte_s);
    http_format(&text, "Authorization: Bearer %s", key ? key : "");
    if (!url || text.full || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        !(multi = curl_multi_init()) || !(curl = curl_easy_init()))
        return lambda_fail(out, "Function.NoUpstream", "UPSTREAM_URL, _KEY");
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Accept: text/event-stream");
    headers = curl_slist_append(headers, "Expect:"); /* no waiting for 100 */
    if (key)
        headers = curl_slist_append(headers, bearer);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, certificates());
    return 0;
}

static int64_t now_ms(void)
{
    return lambda_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Until the upstream has said all: 0; or 502 or 504, and a->why. */
static int transfer(const struct invocation *in, struct answer *a)
{
    struct http_text why = http_text_in(a->why, sizeof a->why);
    int64_t limit_ms = now_ms() + first_byte_s * 1000, left_ms, more_ms;
    int running = 1, n;
    long status = 0;
    CURLMsg *done;

    do {
        (void)curl_multi_perform(multi, &running);
        left_ms = lambda_time_left_ms(in) - MARGIN_MS;
        more_ms = a->begun ? left_ms : limit_ms - now_ms();
        left_ms = more_ms < left_ms ? more_ms : left_ms;
        if (running && left_ms > 0)
            (void)curl_multi_poll(multi, NULL, 0,
                                  left_ms < 1000 ? (int)left_ms : 1000, NULL);
    } while (running && left_ms > 0 && http_look(a->out) == 0);

    done = curl_multi_info_read(multi, &n);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (!done)
        http_format(&why, "the upstream was too slow");
    else if (done->data.result != CURLE_OK)
        http_format(&why, "%s", curl_easy_strerror(done->data.result));
    else if (!a->begun)
        http_format(&why, "the upstream answered %ld", status);
    else
        return 0;
    return done ? 502 : 504;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    struct answer a = {.out = out, .http = lambda_read_request(&r, in, out)};
    const char *body = a.http ? r.body : in->event;
    size_t length = a.http ? r.body_length : in->event_length;
    char json[200];
    struct http_text error = http_text_in(json, sizeof json);
    int status;

    if (a.http < 0)
        return a.http;
    if (a.http && !json_equal(&r.method, "POST")) {
        http_answer(out, 405, "application/json", "{\"error\":\"POST it\"}\n");
        return http_header(out, "Allow", "POST");
    }
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)length);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
    (void)curl_multi_add_handle(multi, curl);
    status = transfer(in, &a);
    (void)curl_multi_remove_handle(multi, curl);
    if (status == 0)
        return 0;
    http_format(&error, "{\"error\":");
    lambda_quote(&error, a.why, strlen(a.why));
    http_format(&error, "}\n");
    if (a.http && !a.begun)
        return http_answer(out, status, "application/json", json);
    /* Half an event becomes part of this one, not a token. */
    http_format(&out->text, "\nevent: error\ndata: %s\n", json);
    return lambda_fail(out, "Upstream.Failed", a.why);
}
