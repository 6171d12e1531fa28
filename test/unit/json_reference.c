#include "json_reference.h"

#include <stdlib.h>
#include <string.h>

struct text {
    const char *bytes;
    size_t length;
    size_t at;
    int depth;
    int depth_max;
    int deep;
    uint64_t tokens;
};

uint64_t json_reference_token(uint64_t sum, enum json_kind kind, size_t begin,
                              size_t end)
{
    const uint64_t parts[] = {(uint64_t)kind + 1, begin, end};

    for (int i = 0; i < 3; i++)
        sum = (sum ^ parts[i]) * 0x9e3779b97f4a7c15 + 1;
    return sum;
}

static void token(struct text *t, enum json_kind kind, size_t begin, size_t end)
{
    t->tokens = json_reference_token(t->tokens, kind, begin, end);
}

/* RFC 3629, section 4 */

static int within(const char *text, size_t length, size_t i, int low, int high)
{
    return i < length && (unsigned char)text[i] >= low &&
           (unsigned char)text[i] <= high;
}

size_t json_reference_utf8(const char *text, size_t length)
{
    static const struct {
        int first[2], second[2];
        size_t length;
    } rules[] = {
        {{0x00, 0x7f}, {0, 0}, 1},       {{0xc2, 0xdf}, {0x80, 0xbf}, 2},
        {{0xe0, 0xe0}, {0xa0, 0xbf}, 3}, {{0xe1, 0xec}, {0x80, 0xbf}, 3},
        {{0xed, 0xed}, {0x80, 0x9f}, 3}, {{0xee, 0xef}, {0x80, 0xbf}, 3},
        {{0xf0, 0xf0}, {0x90, 0xbf}, 4}, {{0xf1, 0xf3}, {0x80, 0xbf}, 4},
        {{0xf4, 0xf4}, {0x80, 0x8f}, 4},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t n = rules[i].length;

        if (!within(text, length, 0, rules[i].first[0], rules[i].first[1]))
            continue;
        if (n > 1 &&
            !within(text, length, 1, rules[i].second[0], rules[i].second[1]))
            return 0;
        for (size_t tail = 2; tail < n; tail++)
            if (!within(text, length, tail, 0x80, 0xbf))
                return 0;
        return n;
    }
    return 0;
}

/* RFC 8259. Each function reads one rule: 1 when it is there, 0 when it is
 * not, and then t->at is where it stops. */

static int is(const struct text *t, const char *set)
{
    return t->at < t->length && t->bytes[t->at] != '\0' &&
           strchr(set, t->bytes[t->at]) != NULL;
}

static int one(struct text *t, const char *set)
{
    if (!is(t, set))
        return 0;
    t->at++;
    return 1;
}

static void white_space(struct text *t)
{
    while (one(t, " \t\n\r"))
        continue;
}

#define DIGITS     "0123456789"
#define HEX_DIGITS DIGITS "abcdefABCDEF"

static int character(struct text *t)
{
    size_t n;

    if (one(t, "\\")) {
        if (!one(t, "u"))
            return one(t, "\"\\/bfnrt");
        return one(t, HEX_DIGITS) && one(t, HEX_DIGITS) && one(t, HEX_DIGITS) &&
               one(t, HEX_DIGITS);
    }
    if (within(t->bytes, t->length, t->at, 0x00, 0x1f))
        return 0;
    n = json_reference_utf8(t->bytes + t->at, t->length - t->at);
    t->at += n;
    return n > 0;
}

static int string(struct text *t, enum json_kind kind)
{
    size_t begin = t->at + 1;

    if (!one(t, "\""))
        return 0;
    while (!is(t, "\""))
        if (!character(t))
            return 0;
    if (kind == KIND_STRING)
        token(t, kind, begin, t->at);
    return one(t, "\"");
}

static int digits(struct text *t)
{
    if (!one(t, DIGITS))
        return 0;
    while (one(t, DIGITS))
        continue;
    return 1;
}

static int number(struct text *t)
{
    size_t begin = t->at;

    one(t, "-");
    if (!one(t, "0") && !digits(t))
        return 0;
    if (one(t, ".") && !digits(t))
        return 0;
    if (one(t, "eE")) {
        one(t, "+-");
        if (!digits(t))
            return 0;
    }
    token(t, KIND_NUMBER, begin, t->at);
    return 1;
}

static int literal(struct text *t, const char *word, enum json_kind kind)
{
    size_t begin = t->at;

    for (; *word; word++) {
        if (t->at == t->length || t->bytes[t->at] != *word)
            return 0;
        t->at++;
    }
    token(t, kind, begin, t->at);
    return 1;
}

static int value(struct text *t);

static int member(struct text *t)
{
    size_t begin;

    white_space(t);
    begin = t->at + 1;
    if (!string(t, KIND_NAME))
        return 0;
    white_space(t);
    if (!is(t, ":"))
        return 0;
    /* The name ends before the white space, at a quote. */
    for (size_t end = t->at; end >= begin; end--) {
        if (t->bytes[end] == '"') {
            token(t, KIND_NAME, begin, end);
            break;
        }
    }
    return one(t, ":") && value(t);
}

static int object(struct text *t)
{
    one(t, "{");
    token(t, KIND_OBJECT, t->at - 1, t->at);
    white_space(t);
    if (!is(t, "}")) {
        do {
            if (!member(t))
                return 0;
        } while (one(t, ","));
    }
    if (!one(t, "}"))
        return 0;
    token(t, KIND_OBJECT_END, t->at - 1, t->at);
    return 1;
}

static int array(struct text *t)
{
    one(t, "[");
    token(t, KIND_ARRAY, t->at - 1, t->at);
    white_space(t);
    if (!is(t, "]")) {
        do {
            if (!value(t))
                return 0;
        } while (one(t, ","));
    }
    if (!one(t, "]"))
        return 0;
    token(t, KIND_ARRAY_END, t->at - 1, t->at);
    return 1;
}

static int plain_value(struct text *t)
{
    if (is(t, "\""))
        return string(t, KIND_STRING);
    if (is(t, "t"))
        return literal(t, "true", KIND_TRUE);
    if (is(t, "f"))
        return literal(t, "false", KIND_FALSE);
    if (is(t, "n"))
        return literal(t, "null", KIND_NULL);
    return number(t);
}

static int value(struct text *t)
{
    int good;

    white_space(t);
    if (!is(t, "{["))
        good = plain_value(t);
    else if (t->depth == t->depth_max) {
        t->deep = 1;
        good = 0;
    } else {
        t->depth++;
        good = is(t, "{") ? object(t) : array(t);
        t->depth--;
    }
    if (good)
        white_space(t);
    return good;
}

struct json_reference json_reference(const char *text, size_t length,
                                     int depth_max)
{
    struct text t = {.bytes = text, .length = length, .depth_max = depth_max};
    struct json_reference result = {.verdict = REFERENCE_ACCEPT};

    if (!value(&t) || t.at < length)
        result.verdict = t.deep ? REFERENCE_DEEP : REFERENCE_REJECT;
    result.at = t.at;
    result.tokens = t.tokens;
    return result;
}

/* Values */

static uint32_t four_digits(const char *p)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++) {
        const char *set = "0123456789abcdef0123456789ABCDEF";

        code = code * 16 + (uint32_t)(strchr(set, p[i]) - set) % 16;
    }
    return code;
}

static size_t encode(uint32_t code, char *out)
{
    unsigned char bytes[4] = {(unsigned char)code};
    size_t n = 1;

    if (code >= 0x10000) {
        n = 4;
        bytes[0] = (unsigned char)(0xf0 + code / 0x40000);
        bytes[1] = (unsigned char)(0x80 + code / 0x1000 % 0x40);
        bytes[2] = (unsigned char)(0x80 + code / 0x40 % 0x40);
        bytes[3] = (unsigned char)(0x80 + code % 0x40);
    } else if (code >= 0x800) {
        n = 3;
        bytes[0] = (unsigned char)(0xe0 + code / 0x1000);
        bytes[1] = (unsigned char)(0x80 + code / 0x40 % 0x40);
        bytes[2] = (unsigned char)(0x80 + code % 0x40);
    } else if (code >= 0x80) {
        n = 2;
        bytes[0] = (unsigned char)(0xc0 + code / 0x40);
        bytes[1] = (unsigned char)(0x80 + code % 0x40);
    }
    memcpy(out, bytes, n);
    return n;
}

size_t json_reference_decode(const char *string_, size_t length, char *out)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    size_t at = 0, written = 0;
    uint32_t code, low;

    while (at < length) {
        if (string_[at] != '\\') {
            out[written++] = string_[at++];
        } else if (string_[at + 1] != 'u') {
            for (size_t i = 0; i < sizeof escapes - 1; i += 2)
                if (escapes[i] == string_[at + 1])
                    out[written] = escapes[i + 1];
            written++;
            at += 2;
        } else {
            code = four_digits(string_ + at + 2);
            at += 6;
            if (code >= 0xd800 && code <= 0xdbff && length - at >= 6 &&
                string_[at] == '\\' && string_[at + 1] == 'u') {
                low = four_digits(string_ + at + 2);
                if (low >= 0xdc00 && low <= 0xdfff) {
                    code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
                    at += 6;
                }
            }
            if (code >= 0xd800 && code <= 0xdfff)
                code = 0xfffd;
            written += encode(code, out + written);
        }
    }
    return written;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whether a name, decoded, is that of `n` bytes. */
static int is_named(const char *name_, size_t length, const char *wanted,
                    size_t n, int any_case)
{
    char *decoded = malloc(length + 1);
    int equal;

    if (!decoded)
        abort();
    equal = json_reference_decode(name_, length, decoded) == n;
    for (size_t i = 0; equal && i < n; i++)
        equal = any_case ? lower(decoded[i]) == lower(wanted[i])
                         : decoded[i] == wanted[i];
    free(decoded);
    return equal;
}

/* The last member of that name in an object, which is the text. */
static int last_member(struct text *t, const char *wanted, size_t n,
                       int any_case, size_t *begin, size_t *end)
{
    int found = 0;

    one(t, "{");
    do {
        size_t begins, ends, from;

        white_space(t);
        begins = t->at + 1;
        if (!string(t, KIND_NAME))
            break;
        ends = t->at - 1;
        white_space(t);
        one(t, ":");
        white_space(t);
        from = t->at;
        value(t);
        if (!is_named(t->bytes + begins, ends - begins, wanted, n, any_case))
            continue;
        found = 1;
        *begin = from;
        *end = t->at;
        while (strchr(" \t\r\n", t->bytes[*end - 1]))
            --*end;
    } while (one(t, ","));
    return found;
}

int json_reference_pick(const char *text, size_t length, const char *path,
                        int any_case, size_t *begin, size_t *end)
{
    size_t n = strcspn(path, "."), from, to;
    struct text t = {.bytes = text, .length = length, .depth_max = 1 << 20};

    white_space(&t);
    if (!is(&t, "{") || !last_member(&t, path, n, any_case, &from, &to))
        return 0;
    if (path[n] == '.') {
        if (!json_reference_pick(text + from, to - from, path + n + 1, any_case,
                                 begin, end))
            return 0;
        *begin += from;
        *end += from;
        return 1;
    }
    *begin = from + (text[from] == '"');
    *end = to - (text[from] == '"');
    return 1;
}

/* Adds one to a number in decimal digits, of which the first is 0. */
static void increment(char *digit, size_t count)
{
    while (digit[count - 1] == 9)
        digit[--count] = 0;
    digit[count - 1]++;
}

int json_reference_decimal(const char *number_, size_t length, int decimals,
                           int64_t *value_)
{
    char digit[2000] = {0};
    size_t count = 1, i = 0;
    long shift = decimals, exponent = 0, sign = 1;
    int inexact = 0;

    for (int fraction = 0; i < length && !strchr("eE", number_[i]); i++) {
        if (number_[i] == '.')
            fraction = 1;
        else if (number_[i] != '-') {
            digit[count++] = (char)(number_[i] - '0');
            shift -= fraction;
        }
    }
    for (i++; i < length; i++) {
        if (number_[i] == '-')
            sign = -1;
        else if (number_[i] != '+')
            exponent = exponent * 10 + (number_[i] - '0');
    }
    shift += sign * exponent;
    for (; shift > 0; shift--)
        digit[count++] = 0;
    for (; shift < 0 && count > 1; shift++)
        inexact |= digit[--count];
    if (inexact && count == 1)
        digit[count++] = 1;
    else if (inexact)
        increment(digit, count);
    for (i = 0; i < count && digit[i] == 0; i++)
        continue;
    if (count - i > 18)
        return 0;
    for (*value_ = 0; i < count; i++)
        *value_ = *value_ * 10 + digit[i];
    if (number_[0] == '-')
        *value_ = -*value_;
    return 1;
}
