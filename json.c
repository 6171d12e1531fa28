#include "json.h"

#include <string.h>

/* The state is what may come next. Where an array or object has just begun: the
 * bracket that closes it, or a value, or a name if it is a brace (it differs by
 * the bit NAME). Behind a value: that bracket, or with AFTER a comma. Behind a
 * comma: VALUE, with NAME in an object. Behind a colon, and where the text
 * begins: VALUE. Behind the text's one value: DONE. */
enum { NAME = '}' - ']', AFTER = 0x100, VALUE = 0x200, DONE = 0x400 | NAME };

/* Characters: RFC 8259, section 7, and RFC 3629 */

size_t json_utf8(const char *text, size_t length, uint32_t *code)
{
    uint32_t c = (unsigned char)text[0], bit = 0x40;
    size_t n = 1;

    *code = c;
    if (c < 0x80)
        return 1;
    /* Each bit that is set below the first byte's highest is a byte more. With
     * it the code grows by 6 bits, and the bit to look at moves by 5. */
    for (; c & bit; bit <<= 5) {
        if (n == length || n > 4 || (text[n] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[n++] & 0x3f);
    }
    c &= bit - 1;
    /* What is below bit >> 5 has a shorter form. */
    if (c < 0x80 || c < bit >> 5 || c > 0x10ffff || c >> 11 == 0xd800 >> 11)
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

/* Whether eight bytes stand for themselves in a string: ASCII, and neither
 * control nor '"' nor '\\'. All at once, for a byte at a time is slower than
 * memory: subtracting sets the high bit of the lowest byte that is too small,
 * and so does a high bit that is there. */
static int plain(const char *text)
{
    const uint64_t each = 0x0101010101010101;
    uint64_t w;

    memcpy(&w, text, sizeof w);
    return ((w | (w - 0x20 * each) | ((w ^ '"' * each) - each) |
             ((w ^ '\\' * each) - each)) &
            0x80 * each) == 0;
}

/* Each of those below reads from r->at and leaves it behind what it has read,
 * or on the byte that cannot be there. */

static int peek(const struct json_reader *r)
{
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

static int pass(struct json_reader *r, int c)
{
    if (peek(r) != c)
        return 0;
    r->at++;
    return 1;
}

/* The code that the 4HEXDIG behind r->at stand for. */
static int hex4(struct json_reader *r)
{
    int code = 0, c;

    for (int i = 0; i < 4; i++) {
        r->at++;
        c = peek(r);
        if (c >= '0' && c <= '9')
            c -= '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            c = (c | 0x20) - 'a' + 10;
        else
            return JSON_INVALID;
        code = code << 4 | c;
    }
    r->at++;
    return code;
}

/* The escape that the backslash at r->at begins: its code, which may be half of
 * a pair of surrogates. */
static int escape(struct json_reader *r)
{
    static const char letters[] = "\"\\/bfnrtu", meant[] = "\"\\/\b\f\n\r\t";
    const char *found;

    r->at++;
    found = memchr(letters, peek(r), sizeof letters - 1);
    if (!found)
        return JSON_INVALID;
    if (*found == 'u')
        return hex4(r);
    r->at++;
    return meant[found - letters];
}

/* Numbers */

static int digits(struct json_reader *r)
{
    const char *from = r->at;
    int c;

    while ((c = peek(r)) >= '0' && c <= '9')
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

/* The least that has more than 18 digits. */
#define TOO_LARGE INT64_C(1000000000000000000)

int json_decimal(const struct json_token *token, int decimals, int64_t *value)
{
    const char *p = token->text, *end = p + token->length;
    int64_t sum = 0, exponent = 0, scale = decimals;
    int rest = 0, point = 0, minus = 0;
    struct json_reader r;

    json_start(&r, token->text, token->length);
    if (number(&r) < 0 || r.at != r.end)
        return JSON_TYPE;
    /* The number is sum * 10^scale, and more when there is a rest. */
    for (; p < end && *p <= '9'; p++) {
        if (*p < '0') {
            point = *p == '.';
            continue;
        }
        scale -= point;
        if (sum < TOO_LARGE / 10) {
            sum = sum * 10 + (*p - '0');
        } else {
            scale++;
            rest |= *p - '0';
        }
    }
    for (; p < end; p++) {
        minus |= *p == '-';
        if (*p >= '0' && *p <= '9' && exponent < TOO_LARGE / 10)
            exponent = exponent * 10 + (*p - '0');
    }
    scale += minus ? -exponent : exponent;
    for (; scale < 0 && sum > 0; scale++) {
        rest |= (int)(sum % 10);
        sum /= 10;
    }
    sum += rest != 0;
    for (; scale > 0 && sum > 0; scale--) {
        if (sum >= TOO_LARGE / 10)
            return JSON_RANGE;
        sum *= 10;
    }
    if (sum >= TOO_LARGE)
        return JSON_RANGE;
    *value = token->text[0] == '-' ? -sum : sum;
    return 0;
}

/* Tokens */

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
    char *p = r->at + 1;
    const char *end = r->end;
    uint32_t c;
    size_t n;

    token->text = p;
    for (;;) {
        while (end - p >= 8 && plain(p))
            p += 8;
        while (p < end && *p >= ' ' && *p <= '~' && *p != '"' && *p != '\\')
            p++;
        r->at = p;
        if (p == end || (unsigned char)*p < 0x20)
            return JSON_INVALID;
        if (*p == '"')
            break;
        if (*p == '\\') {
            if (escape(r) < 0)
                return JSON_INVALID;
            p = r->at;
            continue;
        }
        n = json_utf8(p, (size_t)(end - p), &c);
        if (n == 0)
            return JSON_INVALID;
        p += n;
    }
    token->length = (size_t)(r->at++ - token->text);
    return JSON_STRING;
}

static int literal(struct json_reader *r, const char *word)
{
    char type = *word;

    for (; *word; word++)
        if (!pass(r, *word))
            return JSON_INVALID;
    return type;
}

/* Section 3: value = false / null / true / object / array / number / string,
 * of which arrays and objects begin in json_next(). */
static int scalar(struct json_reader *r, struct json_token *token, int c)
{
    int type;

    if (c == '"')
        return string(r, token);
    if ((c | 0x20) == '{') /* json_next() takes all but one level too many */
        return JSON_DEPTH;
    if (c == 't')
        type = literal(r, "true");
    else if (c == 'f')
        type = literal(r, "false");
    else if (c == 'n')
        type = literal(r, "null");
    else
        type = number(r);
    token->length = (size_t)(r->at - token->text);
    return type;
}

/* Section 4: member = string name-separator value */
static int name(struct json_reader *r, struct json_token *token)
{
    if (peek(r) != '"' || string(r, token) < 0 || pass_space(r) != ':')
        return JSON_INVALID;
    r->at++;
    r->state = VALUE;
    return JSON_NAME;
}

/* What json_next() does not take itself: white space, a name, a scalar, the
 * end, and what cannot be there. */
/* NOLINTNEXTLINE(misc-no-recursion): once, when white space is passed */
static int other(struct json_reader *r, struct json_token *token)
{
    int c;

    token->text = r->at;
    c = pass_space(r);
    if (r->at > token->text)
        return json_next(r, token); /* just once: no more is left */
    if (r->state == DONE)
        return c < 0 ? 0 : JSON_INVALID;
    if (r->state & AFTER)
        return JSON_INVALID;
    if (r->state & NAME)
        return name(r, token);
    r->state = r->levels[r->depth];
    return scalar(r, token, c);
}

/* Sections 4 and 5: one step through objects and arrays. Brackets and commas
 * are dealt with here, without a call: there may be millions. */
/* NOLINTNEXTLINE(misc-no-recursion): see other() */
int json_next(struct json_reader *r, struct json_token *token)
{
    char *at = r->at;
    int state = r->state;
    unsigned char c;

    if (state & AFTER && at < r->end && *at == ',') {
        state = VALUE | (state & NAME);
        at++;
    }
    if (at < r->end) {
        c = (unsigned char)*at;
        token->text = at;
        token->length = 1;
        if (c == (state & ~AFTER)) {
            r->at = at + 1;
            r->state = r->levels[--r->depth];
            return *at; /* c; for which gcc would jump to the other return */
        }
        if ((c | 0x20) == '{' && !(state & (AFTER | NAME)) &&
            r->depth < JSON_DEPTH_MAX) {
            r->at = at + 1;
            r->state = c + 2; /* the bracket that closes */
            r->levels[++r->depth] = AFTER + c + 2;
            return c;
        }
    }
    r->at = at;
    r->state = state;
    return other(r, token);
}

void json_start(struct json_reader *r, char *text, size_t length)
{
    r->at = text;
    r->end = text + length;
    r->state = VALUE;
    r->depth = 0;
    r->levels[0] = DONE;
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
    unsigned depth = r->depth;
    int rc = json_next(r, name);

    if (rc == JSON_OBJECT_END)
        rc = json_next(r, name);
    if (rc <= 0)
        return rc;
    value->type = rc = json_next(r, value);
    while (rc > 0 && r->depth > depth)
        rc = json_next(r, &inner);
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
        value->length = (size_t)(r->at - value->text);
    return rc < 0 ? rc : 1;
}

/* Text out of strings and into them */

size_t json_decode(const struct json_token *string, char *out)
{
    struct json_reader r;
    uint32_t c, high = 0;
    char *to = out;

    json_start(&r, string->text, string->length);
    while (r.at < r.end) {
        if (*r.at != '\\') {
            *to++ = *r.at++;
            high = 0;
            continue;
        }
        c = (uint32_t)escape(&r);
        if (high > 0 && c >> 10 == 0xdc00 >> 10) {
            to -= 3; /* U+FFFD, in the place of half a pair */
            c += 0x10000 - 0xdc00 + (high - 0xd800) * 0x400;
        }
        high = c >> 10 == 0xd800 >> 10 ? c : 0;
        to += encode_utf8(to, c >> 11 == 0xd800 >> 11 ? 0xfffd : c);
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

size_t json_escape(char *out, size_t size, const char *text, size_t length,
                   size_t *taken)
{
    size_t at = 0, written = 0, n, m;
    const char *from;
    uint32_t c;

    for (; at < length; at += n, written += m) {
        char escaped[] = "\\u0000";

        from = text + at;
        n = m = json_utf8(from, length - at, &c);
        if (n == 0) {
            n = 1;
            m = 3;
            from = "\xef\xbf\xbd";
        } else if (c < 0x20) {
            m = 6;
            from = escaped;
            escaped[4] = (char)('0' + (c >> 4));
            escaped[5] = "0123456789abcdef"[c & 15];
        } else if (c == '"' || c == '\\') {
            m = 2;
            from = escaped;
            escaped[1] = (char)c;
        }
        if (m > size - written)
            break;
        memcpy(out + written, from, m);
    }
    *taken = at;
    return written;
}
