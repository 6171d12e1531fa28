#include "test/fuzz/compare.h"

#include "http.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void compare_show(const char *bytes, size_t length)
{
    printf("  \"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '\r' || c == '\n')
            printf("\\%c", c == '\r' ? 'r' : 'n');
        else if (c < ' ' || c > '~' || c == '"' || c == '\\')
            printf("\\%03o", c);
        else
            putchar(c);
    }
    printf("\"\n");
}

static int same_slice(const char *text, struct http_reference_slice want)
{
    return strlen(text) == want.length &&
           memcmp(text, want.bytes, want.length) == 0;
}

static int same_fields(const struct http_message *m,
                       const struct http_reference *want)
{
    if (m->field_count != want->field_count)
        return 0;
    for (unsigned i = 0; i < want->field_count; i++)
        if (!same_slice(m->fields[i].name, want->fields[i].name) ||
            !same_slice(m->fields[i].value, want->fields[i].value))
            return 0;
    return 1;
}

static int same_message(const struct http_message *m,
                        const struct http_reference *want, size_t fed,
                        const char *body)
{
    return m->status == want->status &&
           ((want->reusable < 0 && fed == want->at) ||
            m->reusable == (want->reusable && fed == want->at)) &&
           m->body_length == want->body_length &&
           memcmp(m->buffer + m->body, body, want->body_length) == 0 &&
           same_fields(m, want);
}

int compare_response(const char *bytes, size_t length, size_t first,
                     size_t step, const struct http_reference *want,
                     const char *body)
{
    static struct http_message m;
    /* What is read beyond these bytes is found by the sanitizer. */
    char *buffer = malloc(length + 1);
    size_t fed = 0, n = 0;
    int rc = 0, same;

    if (!buffer)
        abort();
    http_message_start(&m, buffer);
    while (rc == 0 && fed < length) {
        n = fed < first ? first : step;
        n = n < length - fed ? n : length - fed;
        memcpy(buffer + m.end, bytes + fed, n);
        m.end += n;
        fed += n;
        rc = http_parse(&m);
    }
    /* It knows as soon as the last byte that counts is there. */
    same = rc > 0 ? want->rc > 0 && fed >= want->at && fed - n < want->at &&
                        same_message(&m, want, fed, body)
                  : rc == want->rc && (rc == 0 || m.taken + m.at == want->at);
    if (!same)
        printf("http_parse() of %zu bytes, first %zu, then %zu at a time: "
               "%d at %zu, status %d, body %zu, reusable %d, fields %u; "
               "the reference: %d at %zu, status %d, body %zu, reusable %d, "
               "fields %u\n",
               length, first, step, rc, m.taken + m.at, m.status, m.body_length,
               m.reusable, m.field_count, want->rc, want->at, want->status,
               want->body_length, want->reusable, want->field_count);
    free(buffer);
    return same;
}

int compare_json(const char *text, size_t length,
                 const struct json_reference *want)
{
    struct json_reader r;
    struct json_token t;
    enum json_verdict verdict;
    char *copy = malloc(length + (length == 0));
    uint64_t tokens = 0;
    size_t at;
    int rc, same;

    if (!copy)
        abort();
    memcpy(copy, text, length);
    json_start(&r, copy, length);
    while ((rc = json_next(&r, &t)) > 0)
        tokens = json_reference_token(tokens, (enum json_kind)rc,
                                      (size_t)(t.text - copy),
                                      (size_t)(t.text - copy) + t.length);
    at = (size_t)(r.at - copy);
    verdict = rc == 0            ? REFERENCE_ACCEPT
              : rc == JSON_DEPTH ? REFERENCE_DEEP
                                 : REFERENCE_REJECT;
    same = verdict == want->verdict && at == want->at &&
           tokens == want->tokens && memcmp(copy, text, length) == 0;
    if (!same)
        printf("json_next() of %zu bytes: %d at %zu; the reference: %d at "
               "%zu; tokens %s\n",
               length, (int)verdict, at, (int)want->verdict, want->at,
               tokens == want->tokens ? "agree" : "differ");
    free(copy);
    return same;
}
