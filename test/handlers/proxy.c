/* proxy.c - passes the body of a request on to $UPSTREAM_URL, a language model,
 * and the server-sent events of its answer back, as they come */
#include "http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MARGIN_MS 500 /* for our last words before the deadline */
#define LOOK_MS   100 /* between looks whether our client has left */

static CURLM *multi; /* keeps the connection between invocations */
static CURL *curl;
static int64_t first_byte_s;
static int begun; /* the first byte of this answer has come */

/* Takes what the upstream sent. What it says with a status other than 2xx is
 * between it and us. */
static size_t take(char *bytes, size_t size, size_t count, void *out)
{
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2)
        return size * count;
    begun = 1;
    return http_write(out, bytes, size * count) < 0 ? 0 : size * count;
}

int handler_init(struct http_stream *out, const struct json_token *options)
{
    static const char amazon[] = "/etc/pki/tls/certs/ca-bundle.crt";
    static const char debian[] = "/etc/ssl/certs/ca-certificates.crt";
    const char *url = getenv("UPSTREAM_URL");
    const char *limit = getenv("UPSTREAM_TIMEOUT");
    const char *key = getenv("UPSTREAM_KEY"), *ca = getenv("UPSTREAM_CA");
    const char *end = http_decimal(limit ? limit : "30", 900, &first_byte_s);
    struct curl_slist *headers;

    (void)options;
    if (!end || *end != '\0' || first_byte_s == 0)
        return lambda_fail(out, "Function.NoUpstream",
                           "UPSTREAM_TIMEOUT: 1-900");
    if (!url || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        !(multi = curl_multi_init()) || !(curl = curl_easy_init()))
        return lambda_fail(out, "Function.NoUpstream", "UPSTREAM_URL?");
    if (!ca)
        ca = getenv("SSL_CERT_FILE");
    if (!ca)
        ca = access(amazon, R_OK) == 0 ? amazon : debian;
    headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Accept: text/event-stream");
    headers = curl_slist_append(headers, "Expect:"); /* no waiting for 100 */
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    if (key)
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    (void)curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, key);
    return 0;
}

/* Until the upstream has said all: NULL; or why it failed, and in `status` what
 * our client is told. */
static const char *transfer(const struct invocation *in,
                            struct http_stream *out, int *status)
{
    static char refused[40];
    struct http_text text = http_text_in(refused, sizeof refused);
    int64_t limit_ns = lambda_clock_ns(CLOCK_MONOTONIC) +
                       first_byte_s * 1000000000;
    int running, n;
    long code = 0;
    CURLMsg *done;

    while (curl_multi_perform(multi, &running) == CURLM_OK && running &&
           lambda_time_left_ms(in) > MARGIN_MS && http_look(out) == 0 &&
           (begun || lambda_clock_ns(CLOCK_MONOTONIC) < limit_ns))
        (void)curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL);

    done = curl_multi_info_read(multi, &n);
    *status = done ? 502 : 504;
    if (!done)
        return "the upstream was too slow";
    if (done->data.result != CURLE_OK)
        return curl_easy_strerror(done->data.result);
    if (begun)
        return NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    http_format(&text, "the upstream answered %ld", code);
    return refused;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    int status, http = lambda_read_request(&r, in, out);
    const char *why;

    if (http < 0)
        return http;
    if (http && !json_equal(&r.method, "POST")) {
        http_answer(out, 405, "application/json", "{\"error\":\"POST it\"}\n");
        return http_header(out, "Allow", "POST");
    }
    if (http)
        http_status(out, 200);
    http_header(out, "Content-Type", "text/event-stream");
    begun = 0;
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
                           (long)(http ? r.body_length : in->event_length));
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, http ? r.body : in->event);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    (void)curl_multi_add_handle(multi, curl);
    why = transfer(in, out, &status);
    (void)curl_multi_remove_handle(multi, curl);
    if (!why)
        return 0;
    if (http && !begun)
        http_answer(out, status, "application/json", "{\"error\":");
    else /* half an event becomes part of this one, not a token */
        http_format(&out->text, "\nevent: error\ndata: {\"error\":");
    lambda_quote(&out->text, why, strlen(why));
    http_format(&out->text, begun ? "}\n\n" : "}\n");
    return http && !begun ? 0 : lambda_fail(out, "Upstream.Failed", why);
}
