#include "json.h"

#include <string.h>

/* Where the reader stands: before a value, behind an opening bracket, or
 * behind a value. */
enum { VALUE, FIRST, AFTER };

/* Characters: RFC 8259, section 2, and RFC 3629 */

static int digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex(int c)
{
    return digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

size_t json_utf8(const char *text, size_t length, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c = p[0], least = 0;
    size_t n = 1;

    if (c >= 0x80) {
        if (c < 0xc2 || c > 0xf4)
            return 0;
        n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        least = n == 2 ? 0 : n == 3 ? 0x800 : 0x10000;
        c &= 0x7fu >> n;
    }
    if (n > length)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least || c > 0x10ffff || c >> 11 == 0xd800 >> 11)
        return 0;
    *code = c;
    return n;
}

static size_t encode_utf8(char *out, uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(n == 1 ? c : 0xf00u >> n | c);
    return n;
}

/* Tokens. Each reads from r->at and leaves it behind the token, or on the byte
 * that cannot be there. */

static int peek(const struct json_reader *r)
{
    return r->at < r->length ? (unsigned char)r->text[r->at] : -1;
}

static int pass(struct json_reader *r, int c)
{
    if (peek(r) != c)
        return 0;
    r->at++;
    return 1;
}

static int pass_space(struct json_reader *r)
{
    int c;

    while ((c = peek(r)) == ' ' || c == '\n' || c == '\r' || c == '\t')
        r->at++;
    return c;
}

/* Section 7: string = quotation-mark *char quotation-mark */
static int string(struct json_reader *r, struct json_token *token)
{
    uint32_t code;
    size_t n;
    int c;

    for (r->at++; (c = peek(r)) != '"'; r->at += n) {
        if (c < 0x20)
            return JSON_INVALID;
        n = json_utf8(r->text + r->at, r->length - r->at, &code);
        if (n == 0)
            return JSON_INVALID;
        if (c != '\\')
            continue;
        r->at++;
        c = peek(r);
        if (c < 0 || !memchr("\"\\/bfnrtu", c, 9))
            return JSON_INVALID;
        for (int i = 0; c == 'u' && i < 4; i++) {
            r->at++;
            if (!hex(peek(r)))
                return JSON_INVALID;
        }
    }
    token->text++;
    token->length = (size_t)(r->text + r->at++ - token->text);
    return JSON_STRING;
}

static int digits(struct json_reader *r)
{
    size_t from = r->at;

    while (digit(peek(r)))
        r->at++;
    return r->at > from;
}

/* Section 6: number = [ minus ] int [ frac ] [ exp ] */
static int number(struct json_reader *r)
{
    (void)pass(r, '-');
    if (!pass(r, '0') && !digits(r))
        return JSON_INVALID;
    if (pass(r, '.') && !digits(r))
        return JSON_INVALID;
    if (pass(r, 'e') || pass(r, 'E')) {
        if (!pass(r, '+'))
            (void)pass(r, '-');
        if (!digits(r))
            return JSON_INVALID;
    }
    return JSON_NUMBER;
}

static int literal(struct json_reader *r, const char *word, int type)
{
    for (; *word; word++)
        if (!pass(r, *word))
            return JSON_INVALID;
    return type;
}

static int in_object(const struct json_reader *r)
{
    return r->depth > 0 && (r->objects >> (r->depth - 1) & 1);
}

static int open(struct json_reader *r, int object)
{
    uint64_t bit;

    if (r->depth == JSON_DEPTH_MAX)
        return JSON_DEPTH;
    bit = (uint64_t)1 << r->depth++;
    r->objects = object ? r->objects | bit : r->objects & ~bit;
    r->state = FIRST;
    r->at++;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

/* Section 3: value = false / null / true / object / array / number / string */
static int value(struct json_reader *r, struct json_token *token, int c)
{
    if (c == '{' || c == '[')
        return open(r, c == '{');
    r->state = AFTER;
    if (c == '"')
        return string(r, token);
    if (c == 't')
        return literal(r, "true", JSON_TRUE);
    if (c == 'f')
        return literal(r, "false", JSON_FALSE);
    if (c == 'n')
        return literal(r, "null", JSON_NULL);
    return number(r);
}

/* Sections 4 and 5: one step through objects and arrays. */
static int step(struct json_reader *r, struct json_token *token)
{
    int c = pass_space(r), object = in_object(r);

    if (r->state == AFTER && r->depth == 0)
        return c < 0 ? 0 : JSON_INVALID;
    token->text = r->text + r->at;
    if (r->state != VALUE && c == (object ? '}' : ']')) {
        r->depth--;
        r->state = AFTER;
        r->at++;
        return object ? JSON_OBJECT_END : JSON_ARRAY_END;
    }
    if (r->state == AFTER) {
        if (c != ',')
            return JSON_INVALID;
        r->at++;
        c = pass_space(r);
        token->text = r->text + r->at;
    }
    if (!object || r->state == VALUE)
        return value(r, token, c);
    if (c != '"' || string(r, token) < 0 || pass_space(r) != ':')
        return JSON_INVALID;
    r->at++;
    r->state = VALUE;
    return JSON_NAME;
}

int json_next(struct json_reader *r, struct json_token *token)
{
    int type = step(r, token);

    token->type = type;
    if (type > 0 && type != JSON_NAME && type != JSON_STRING)
        token->length = (size_t)(r->text + r->at - token->text);
    return type;
}

void json_start(struct json_reader *r, char *text, size_t length)
{
    memset(r, 0, sizeof *r);
    r->text = text;
    r->length = length;
}

int json_object(struct json_reader *r, char *text, size_t length)
{
    struct json_token token;
    int rc;

    json_start(r, text, length);
    rc = json_next(r, &token);
    if (rc == JSON_OBJECT)
        return 0;
    while (rc > 0)
        rc = json_next(r, &token);
    return rc < 0 ? rc : JSON_TYPE;
}

int json_member(struct json_reader *r, struct json_token *name,
                struct json_token *value)
{
    struct json_token inner;
    int depth = r->depth, rc = json_next(r, name);

    if (rc == JSON_OBJECT_END)
        rc = json_next(r, name);
    if (rc <= 0)
        return rc;
    rc = json_next(r, value);
    while (rc > 0 && r->depth > depth)
        rc = json_next(r, &inner);
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
        value->length = (size_t)(r->text + r->at - value->text);
    return rc < 0 ? rc : 1;
}

/* Decoding */

/* Four hexadecimal digits, which are known to be such. */
static uint32_t hex4(const char *p)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++)
        code = code << 4 | (uint32_t)((p[i] & 15) + (p[i] >> 6) * 9);
    return code;
}

size_t json_decode(const struct json_token *string, char *out)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *p = string->text, *end = p + string->length, *found;
    char *to = out;
    uint32_t code, low;

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p += 2;
        if (p[-1] != 'u') {
            found = memchr(letters, p[-1], 5);
            *to++ = found ? meant[found - letters] : p[-1];
            continue;
        }
        code = hex4(p);
        p += 4;
        if (code >> 11 == 0xd800 >> 11) {
            low = end - p >= 6 && memcmp(p, "\\u", 2) == 0 ? hex4(p + 2) : 0;
            if (code < 0xdc00 && low >> 10 == 0xdc00 >> 10) {
                code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
                p += 6;
            } else {
                code = 0xfffd;
            }
        }
        to += encode_utf8(to, code);
    }
    return (size_t)(to - out);
}

int json_equal(const struct json_token *string, const char *text)
{
    char decoded[6 * JSON_NAME_BYTES_MAX];
    size_t length = strlen(text);

    /* Nothing decodes to less than a sixth of its length. */
    return string->length <= 6 * length &&
           json_decode(string, decoded) == length &&
           memcmp(decoded, text, length) == 0;
}

/* Numbers */

/* The exponent of a number, cut where no text is long enough for its digits to
 * make up for it. */
static int64_t exponent(const char *p, const char *end)
{
    int64_t value = 0;
    int sign = 1;

    for (; p < end; p++) {
        if (*p == '-')
            sign = -1;
        if (digit(*p) && value < 1000000000000)
            value = value * 10 + (*p - '0');
    }
    return sign * value;
}

/* The least that has more than 18 digits. */
#define TOO_LARGE INT64_C(1000000000000000000)

int json_decimal(const struct json_token *token, int decimals, int64_t *value)
{
    const char *p = token->text, *end = p + token->length, *e = p;
    struct json_reader r;
    int64_t sum = 0, places = decimals;
    int rest = 0, c;

    json_start(&r, token->text, token->length);
    if (number(&r) < 0 || r.at != r.length)
        return JSON_TYPE;
    while (e < end && (*e | 0x20) != 'e')
        e++;
    /* How many digits, counted from the first, make up the result. */
    places += exponent(e, end);
    for (const char *q = p; q < e && *q != '.'; q++)
        places += digit(*q);
    for (; p < e || (places > 0 && sum > 0 && sum < TOO_LARGE); p += p < e) {
        c = p < e ? *p : '0';
        if (!digit(c))
            continue;
        if (places-- <= 0)
            rest |= c - '0';
        else if (sum < TOO_LARGE / 10)
            sum = sum * 10 + (c - '0');
        else
            sum = TOO_LARGE;
    }
    sum += rest != 0;
    if (sum >= TOO_LARGE)
        return JSON_RANGE;
    *value = token->text[0] == '-' ? -sum : sum;
    return 0;
}

/* Escaping */

size_t json_escape(char *out, size_t size, const char *text, size_t length,
                   size_t *taken)
{
    static const char hex_digits[] = "0123456789abcdef";
    char control[] = "\\u0000";
    size_t at = 0, written = 0, n, m;
    const char *from;
    uint32_t c;

    for (; at < length; at += n, written += m) {
        from = text + at;
        n = m = json_utf8(from, length - at, &c);
        if (n == 0) {
            n = 1;
            m = 3;
            from = "\xef\xbf\xbd";
        } else if (c < 0x20) {
            control[4] = hex_digits[c >> 4];
            control[5] = hex_digits[c & 15];
            m = 6;
            from = control;
        } else if (c == '"' || c == '\\') {
            control[1] = (char)c;
            m = 2;
            from = control;
        }
        if (m > size - written)
            break;
        memcpy(out + written, from, m);
        control[1] = 'u';
    }
    *taken = at;
    return written;
}
