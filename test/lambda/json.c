#include "json.h"

#include "text.h"

#include <string.h>

/* What may come next. */
enum {
    VALUE,
    VALUE_OR_END, /* after '[' */
    NAME,
    NAME_OR_END, /* after '{' */
    COLON,
    COMMA_OR_END,
    NOTHING /* after the outermost value */
};

void json_open(struct json *j, struct slice text)
{
    *j = (struct json){.text = text, .size = text.size, .expect = VALUE};
}

void json_close(struct json *j)
{
    buf_free(&j->open);
}

size_t json_offset(const struct json *j)
{
    return j->size - j->text.size;
}

static void step(struct json *j, size_t size)
{
    j->text.data += size;
    j->text.size -= size;
}

static void skip_white_space(struct json *j)
{
    while (j->text.size > 0 &&
           (j->text.data[0] == ' ' || j->text.data[0] == '\t' ||
            j->text.data[0] == '\n' || j->text.data[0] == '\r')) {
        step(j, 1);
    }
}

static void after_value(struct json *j)
{
    j->expect = buf_size(&j->open) == 0 ? NOTHING : COMMA_OR_END;
}

static enum json_token take(struct json *j, size_t size, enum json_token token)
{
    j->token = (struct slice){j->text.data, size};
    step(j, size);
    if (token == JSON_NAME) {
        j->expect = COLON;
    } else {
        after_value(j);
    }
    return token;
}

static enum json_token container(struct json *j)
{
    unsigned char c = j->text.data[0];

    buf_byte(&j->open, c);
    j->expect = c == '{' ? NAME_OR_END : VALUE_OR_END;
    step(j, 1);
    return c == '{' ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token container_end(struct json *j)
{
    unsigned char c = j->text.data[0];
    size_t depth = buf_size(&j->open);

    if (depth == 0 || j->open.data[depth - 1] != (c == '}' ? '{' : '[')) {
        return JSON_BAD;
    }
    j->open.end--;
    after_value(j);
    step(j, 1);
    return c == '}' ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static size_t escape_size(struct slice s)
{
    if (s.size >= 2 && s.data[1] != 0 &&
        strchr("\"\\/bfnrt", s.data[1]) != NULL) {
        return 2;
    }
    if (s.size < 6 || s.data[1] != 'u') {
        return 0;
    }
    for (size_t i = 2; i < 6; i++) {
        if (s.data[i] == 0 ||
            strchr("0123456789abcdefABCDEF", s.data[i]) == NULL) {
            return 0;
        }
    }
    return 6;
}

/* RFC 8259, section 7. */
static enum json_token string(struct json *j, enum json_token token)
{
    struct slice rest = {j->text.data + 1, j->text.size - 1};

    while (rest.size > 0 && rest.data[0] != '"') {
        size_t n = rest.data[0] == '\\' ? escape_size(rest) : utf8_length(rest);

        if (n == 0 || rest.data[0] < 0x20) {
            step(j, (size_t)(rest.data - j->text.data));
            return JSON_BAD;
        }
        rest.data += n;
        rest.size -= n;
    }
    if (rest.size == 0) {
        step(j, j->text.size);
        return JSON_BAD;
    }
    return take(j, (size_t)(rest.data - j->text.data) + 1, token);
}

static size_t digits(struct slice s, size_t at)
{
    size_t n = 0;

    while (at + n < s.size && s.data[at + n] >= '0' && s.data[at + n] <= '9') {
        n++;
    }
    return n;
}

/* RFC 8259, section 6: [ minus ] int [ frac ] [ exp ] */
static enum json_token number(struct json *j)
{
    struct slice s = j->text;
    size_t at = s.data[0] == '-' ? 1 : 0;
    size_t n = digits(s, at);

    if (n == 0) {
        return JSON_BAD;
    }
    at += s.data[at] == '0' ? 1 : n;
    if (at < s.size && s.data[at] == '.') {
        n = digits(s, at + 1);
        if (n == 0) {
            return JSON_BAD;
        }
        at += 1 + n;
    }
    if (at < s.size && (s.data[at] | 0x20) == 'e') {
        at++;
        if (at < s.size && (s.data[at] == '+' || s.data[at] == '-')) {
            at++;
        }
        n = digits(s, at);
        if (n == 0) {
            return JSON_BAD;
        }
        at += n;
    }
    return take(j, at, JSON_NUMBER);
}

static enum json_token literal(struct json *j)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);

        if (j->text.size >= n && memcmp(j->text.data, words[i], n) == 0) {
            return take(j, n, JSON_LITERAL);
        }
    }
    return JSON_BAD;
}

static enum json_token value(struct json *j)
{
    unsigned char c = j->text.data[0];

    if (c == '{' || c == '[') {
        return container(j);
    }
    if (c == '"') {
        return string(j, JSON_STRING);
    }
    return c == '-' || (c >= '0' && c <= '9') ? number(j) : literal(j);
}

enum json_token json_next(struct json *j)
{
    unsigned char c;

    skip_white_space(j);
    if (j->text.size == 0) {
        return j->expect == NOTHING ? JSON_END : JSON_BAD;
    }
    c = j->text.data[0];
    if (j->expect == COMMA_OR_END && c == ',') {
        size_t depth = buf_size(&j->open);

        j->expect = j->open.data[depth - 1] == '{' ? NAME : VALUE;
        step(j, 1);
        skip_white_space(j);
    } else if (j->expect == COLON && c == ':') {
        j->expect = VALUE;
        step(j, 1);
        skip_white_space(j);
    }
    if (j->text.size == 0) {
        return JSON_BAD;
    }
    c = j->text.data[0];
    switch (j->expect) {
    case NAME_OR_END:
    case COMMA_OR_END:
        if (c == '}' || c == ']') {
            return container_end(j);
        }
        return j->expect == NAME_OR_END && c == '"' ? string(j, JSON_NAME)
                                                    : JSON_BAD;
    case NAME:
        return c == '"' ? string(j, JSON_NAME) : JSON_BAD;
    case VALUE_OR_END:
        return c == ']' ? container_end(j) : value(j);
    case VALUE:
        return value(j);
    default:
        return JSON_BAD;
    }
}

bool json_skip(struct json *j, enum json_token first)
{
    size_t depth = buf_size(&j->open);

    if (first != JSON_OBJECT && first != JSON_ARRAY) {
        return first != JSON_BAD && first != JSON_END;
    }
    while (buf_size(&j->open) >= depth) {
        if (json_next(j) == JSON_BAD) {
            return false;
        }
    }
    return true;
}

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c >= 0x10000) {
        buf_byte(out, (unsigned char)(0xf0 | c >> 18));
        buf_byte(out, (unsigned char)(0x80 | (c >> 12 & 0x3f)));
    } else if (c >= 0x800) {
        buf_byte(out, (unsigned char)(0xe0 | c >> 12));
    }
    if (c >= 0x800) {
        buf_byte(out, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
    } else if (c >= 0x80) {
        buf_byte(out, (unsigned char)(0xc0 | c >> 6));
    }
    buf_byte(out, (unsigned char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
}

static uint32_t hex4(const unsigned char *p)
{
    uint32_t c = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t digit = p[i] <= '9' ? p[i] - (uint32_t)'0'
                                     : (p[i] | 0x20u) - 'a' + 10;

        c = c << 4 | digit;
    }
    return c;
}

void json_decode(struct buf *out, struct slice token)
{
    const unsigned char *p = token.data + 1, *end = token.data + token.size - 1;

    while (p < end) {
        uint32_t c;

        if (*p != '\\') {
            buf_byte(out, *p++);
            continue;
        }
        if (p[1] != 'u') {
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

            buf_byte(out, (unsigned char)to[strchr(from, p[1]) - from]);
            p += 2;
            continue;
        }
        c = hex4(p + 2);
        p += 6;
        if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
            p[1] == 'u' && hex4(p + 2) >= 0xdc00 && hex4(p + 2) < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
            p += 6;
        }
        add_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    }
}

long json_fault(struct slice text)
{
    struct json j;
    enum json_token token;
    long offset;

    json_open(&j, text);
    do {
        token = json_next(&j);
    } while (token != JSON_END && token != JSON_BAD);
    offset = token == JSON_END ? -1 : (long)json_offset(&j);
    json_close(&j);
    return offset;
}
