/*
 * The input is a text that may be JSON: tokens, members, strings and numbers
 * are what the reference reader says. It is also text to be escaped, and a
 * number.
 */
#include "json.h"
#include "test/fuzz/compare.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

static int accepted(const char *text, size_t length)
{
    return json_reference(text, length, JSON_DEPTH_MAX).verdict ==
           REFERENCE_ACCEPT;
}

/* Copied into just enough room, and into one byte too few. */
static void check_copy(const struct json_token *t, const char *want, size_t n)
{
    char *got = fuzz_memory(n + 1);

    if (memchr(want, '\0', n)) {
        EXPECT(!json_string(t, got, n + 1));
    } else {
        EXPECT(json_string(t, got, n + 1) == got);
        EXPECT(strlen(got) == n && memcmp(got, want, n) == 0);
    }
    EXPECT(n == 0 || (!json_string(t, got, n) && *got == '\0'));
    free(got);
}

/* Decodes apart and in place. */
static void check_string(const struct json_token *t)
{
    struct json_token copy = *t;
    char *want = fuzz_memory(t->length), *got = fuzz_memory(t->length);
    size_t n = json_reference_decode(t->text, t->length, want), at, m;

    EXPECT(json_decode(t, got) == n && memcmp(got, want, n) == 0);
    for (at = 0; at < n; at += m)
        EXPECT((m = json_reference_utf8(want + at, n - at)) > 0);
    if (!memchr(want, '\0', n)) {
        char *name = fuzz_memory(n + 2);

        memcpy(name, want, n);
        name[n] = '\0';
        EXPECT(json_equal(t, name));
        strcpy(name + n, "x");
        EXPECT(!json_equal(t, name));
        free(name);
    }
    check_copy(t, want, n);
    copy.text = memcpy(got, t->text, t->length);
    EXPECT(json_decode(&copy, got) == n && memcmp(got, want, n) == 0);
    free(want);
    free(got);
}

/* Within what the reference can count. */
static int countable(const struct json_token *t)
{
    const char *e = t->text, *end = e + t->length;
    long exponent = 0;

    while (e < end && (*e | 0x20) != 'e')
        e++;
    for (e++; e < end && exponent <= 400; e++)
        if (*e != '-' && *e != '+')
            exponent = exponent * 10 + (*e - '0');
    return t->length <= 400 && exponent <= 400;
}

static void check_number(struct json_token t)
{
    struct json_reference r = json_reference(t.text, t.length, 0);
    int number = r.verdict == REFERENCE_ACCEPT &&
                 r.tokens == json_reference_token(0, KIND_NUMBER, 0, t.length);
    int64_t got = 77, want = 77;
    int rc;

    for (int decimals = 0; decimals <= 9; decimals += 3) {
        rc = json_decimal(&t, decimals, &got);
        EXPECT((rc == JSON_TYPE) == !number);
        if (!number || !countable(&t))
            continue;
        if (json_reference_decimal(t.text, t.length, decimals, &want))
            EXPECT(rc == 0 && got == want);
        else
            EXPECT(rc == JSON_RANGE);
    }
}

static void check_tokens(char *text, size_t length)
{
    struct json_reader r;
    struct json_token t;
    int rc;

    json_start(&r, text, length);
    while ((rc = json_next(&r, &t)) > 0) {
        EXPECT(t.type == rc);
        if (rc == JSON_NAME || rc == JSON_STRING)
            check_string(&t);
        if (rc == JSON_NUMBER)
            check_number(t);
    }
}

/* The next token, past all of a value that is an object or array. */
static int next_whole(struct json_reader *r, struct json_token *t)
{
    struct json_token inner;
    unsigned depth = r->depth;
    int rc = t->type = json_next(r, t);

    while (rc > 0 && r->depth > depth)
        rc = json_next(r, &inner);
    if (rc > 0 && (t->type == JSON_OBJECT || t->type == JSON_ARRAY))
        t->length = (size_t)(r->at - t->text);
    return rc;
}

/* A walk by elements, and beside it one by tokens. */
static void check_elements(char *text, size_t length,
                           const struct json_reference *want)
{
    struct json_reader elements, tokens;
    struct json_token value, t;
    int rc = json_array(&elements, text, length);

    json_start(&tokens, text, length);
    if (json_next(&tokens, &t) != JSON_ARRAY) {
        EXPECT(rc < 0 &&
               (rc == JSON_TYPE) == (want->verdict == REFERENCE_ACCEPT));
        return;
    }
    EXPECT(rc == 0);
    while ((rc = json_element(&elements, &value)) > 0) {
        EXPECT(next_whole(&tokens, &t) > 0 && t.type == value.type);
        EXPECT(t.text == value.text && t.length == value.length);
    }
    EXPECT((rc == 0) == (want->verdict == REFERENCE_ACCEPT));
    EXPECT((size_t)(elements.at - text) == want->at);
}

/* A walk by members, and beside it one by tokens. */
static void check_members(char *text, size_t length,
                          const struct json_reference *want)
{
    struct json_reader members, tokens;
    struct json_token name, value, t;
    int rc = json_object(&members, text, length);

    json_start(&tokens, text, length);
    if (json_next(&tokens, &t) != JSON_OBJECT) {
        EXPECT(rc < 0 &&
               (rc == JSON_TYPE) == (want->verdict == REFERENCE_ACCEPT));
        return;
    }
    EXPECT(rc == 0);
    while ((rc = json_member(&members, &name, &value)) > 0) {
        EXPECT(json_next(&tokens, &t) == JSON_NAME);
        EXPECT(t.text == name.text && t.length == name.length);
        EXPECT(next_whole(&tokens, &t) > 0 && t.type == value.type);
        EXPECT(t.text == value.text && t.length == value.length);
        EXPECT(value.type == JSON_STRING || accepted(value.text, value.length));
    }
    EXPECT((rc == 0) == (want->verdict == REFERENCE_ACCEPT));
    EXPECT((size_t)(members.at - text) == want->at);
}

static const char *const paths[] = {"a",   "b", "a.b", "a.b.c", "b.a",  "A",
                                    "A.b", "",  ".",   "a.",    "a..b", "a.a"};

#define PATHS (sizeof paths / sizeof *paths)

/* All paths in one pass, and each by itself in the reference. */
static void check_pick(char *text, size_t length, int flags,
                       const struct json_reference *want)
{
    static char untouched[] = "untouched";
    struct json_token values[PATHS];
    struct json_want wants[PATHS];
    size_t at = 0, begin, end;
    int rc;

    for (size_t i = 0; i < PATHS; i++) {
        values[i] = (struct json_token){JSON_TRUE, untouched, 9};
        wants[i] = (struct json_want){paths[i], &values[i]};
    }
    rc = json_pick(text, length, flags, wants, PATHS, &at);
    EXPECT(at == want->at);
    EXPECT((rc == 0 || rc == JSON_TYPE) == (want->verdict == REFERENCE_ACCEPT));
    for (size_t i = 0; i < PATHS; i++) {
        if (rc == 0 && json_reference_pick(text, length, paths[i],
                                           flags & JSON_ANY_CASE, &begin, &end))
            EXPECT(values[i].text == text + begin &&
                   values[i].length == end - begin);
        else
            EXPECT(values[i].text == untouched && values[i].length == 9 &&
                   values[i].type == JSON_TRUE);
    }
}

/* No object or array is whole before its last bracket. */
static void check_prefixes(const char *text, size_t length)
{
    struct json_reference r;

    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    for (size_t n = 0; n < length; n += 1 + length / 100) {
        r = json_reference(text, n, JSON_DEPTH_MAX);
        EXPECT(r.verdict == REFERENCE_REJECT);
        EXPECT(compare_json(text, n, &r));
    }
}

/* What text is once it is UTF-8. */
static size_t clean(char *out, const char *text, size_t length)
{
    size_t written = 0, n, valid;
    uint32_t code;

    for (size_t at = 0; at < length; at += n) {
        valid = json_reference_utf8(text + at, length - at);
        EXPECT(json_utf8(text + at, length - at, &code) == valid);
        n = valid ? valid : 1;
        memcpy(out + written, valid ? text + at : REPLACEMENT,
               valid ? n : strlen(REPLACEMENT));
        written += valid ? n : strlen(REPLACEMENT);
    }
    return written;
}

/* Escaped it is the inside of a string, and decodes to itself; whatever the
 * room that it is escaped into. */
static void check_escape(const char *text, size_t length)
{
    char *escaped = fuzz_memory(6 * length + 2),
         *want = fuzz_memory(3 * length);
    char *decoded = fuzz_memory(6 * length), *part = fuzz_memory(6 * length);
    size_t room = 6 + length % 20, whole, n, m, taken, at;

    whole = json_escape(escaped + 1, 6 * length, text, length, &taken);
    EXPECT(taken == length);
    escaped[0] = escaped[whole + 1] = '"';
    EXPECT(accepted(escaped, whole + 2));
    m = clean(want, text, length);
    EXPECT(json_reference_decode(escaped + 1, whole, decoded) == m);
    EXPECT(memcmp(decoded, want, m) == 0);
    for (m = at = 0; at < length; at += taken) {
        if (room > 6 * length - m)
            room = 6 * length - m;
        n = json_escape(part + m, room, text + at, length - at, &taken);
        EXPECT(taken > 0 && n <= room);
        m += n;
    }
    EXPECT(m == whole && memcmp(part, escaped + 1, m) == 0);
    free(escaped);
    free(want);
    free(decoded);
    free(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memcpy(fuzz_memory(size), data, size);
    struct json_reference want = json_reference(text, size, JSON_DEPTH_MAX);
    struct json_token whole = {JSON_STRING, text, size};

    EXPECT(compare_json(text, size, &want));
    check_tokens(text, size);
    check_members(text, size, &want);
    check_elements(text, size, &want);
    check_pick(text, size, 0, &want);
    check_pick(text, size, JSON_ANY_CASE, &want);
    if (want.verdict == REFERENCE_ACCEPT &&
        (memchr(text, '{', size) || memchr(text, '[', size)))
        check_prefixes(text, size);
    check_escape(text, size);
    check_number(whole);
    EXPECT(memcmp(text, data, size) == 0);
    free(text);
    return 0;
}
