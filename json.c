/*
 * json.c - a strict JSON tokenizer (RFC 8259), and JSON text out
 *
 *     Characters            UTF-8, escapes
 *     Scalars               numbers, strings, true, false, null
 *     json_next()           what may come where; objects and arrays
 *     Values                json_decode(), json_string(), json_equal(),
 *                           json_decimal()
 *     Members and elements  json_object() to json_element(), json_pick()
 *     Text out              json_escape()
 */
#include "json.h"

#include <string.h>

/*
 * Characters: RFC 8259, section 7, and RFC 3629
 */

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
    /* What is below 0x80, or with more bytes below bit >> 5, has a shorter
     * form. */
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
    /* The low byte of 0xf00 >> n is n ones, then zeros: the lead byte's mark.
     */
    out[0] = (char)(n == 1 ? c : 0xf00u >> n | c);
    return n;
}

/* Each of the functions below that take a reader and `p` read from p on, and
 * leave r->at behind what they have read, or on the byte that cannot be there.
 */

static int is_hex_letter(char c)
{
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The code that the 4HEXDIG of an escape stand for. */
static int hex4(struct json_reader *r, char *p)
{
    int code = 0;

    for (int i = 0; i < 4; i++, p++) {
        char c = '\0';

        r->at = p;
        if (p < r->end)
            c = *p;
        if (c >= '0' && c <= '9')
            code = code * 16 + (c - '0');
        else if (is_hex_letter(c))
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        else
            return JSON_INVALID;
    }
    r->at = p;
    return code;
}

/* What is behind the backslash of an escape: its code, which may be half of a
 * surrogate pair. */
static int escape(struct json_reader *r, char *p)
{
    r->at = p;
    if (p == r->end)
        return JSON_INVALID;
    r->at++;
    switch (*p) {
    case '"':
    case '\\':
    case '/':
        return *p;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        return hex4(r, p + 1);
    default:
        r->at = p;
        return JSON_INVALID;
    }
}

/*
 * Scalars
 */

static char *pass_digits(char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Section 6: number = [ minus ] int [ frac ] [ exp ] */
static int number(struct json_reader *r, char *p)
{
    const char *end = r->end;
    char *digits;

    if (p < end && *p == '-')
        p++;
    digits = p;
    if (p < end && *p == '0')
        p++;
    else
        p = pass_digits(p, end);
    if (p > digits && p < end && *p == '.') {
        digits = p + 1;
        p = pass_digits(digits, end);
    }
    if (p > digits && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = pass_digits(digits, end);
    }
    r->at = p;
    if (p == digits)
        return JSON_INVALID;
    return JSON_NUMBER;
}

/* A bit in each of eight bytes. */
#define EACH UINT64_C(0x0101010101010101)

/* Eight bytes as a number, the first the lowest. Compilers make it a single
 * load where that is the processor's order. */
static uint64_t load(const char *text)
{
    const unsigned char *b = (const unsigned char *)text;

    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 |
           (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 |
           (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

/* Looks at eight bytes at once: 0 when each stands for itself in a string. Else
 * one is a control, '"', '\\' or not ASCII, and the high bit of the lowest such
 * byte is set: by a subtraction that borrows, or because it was. The bits above
 * that one may come from the borrow, and mean nothing. */
static uint64_t special_in(uint64_t bytes)
{
    return (bytes | (bytes - ' ' * EACH) | ((bytes ^ '"' * EACH) - EACH) |
            ((bytes ^ '\\' * EACH) - EACH)) &
           0x80 * EACH;
}

/* Passes the bytes of a string that stand for themselves. */
static char *pass_plain(char *p, const char *end)
{
    uint64_t special, below;

    for (; end - p >= 8; p += 8) {
        special = special_in(load(p));
        if (special != 0) {
            /* A bit for each byte up to the lowest special one. The product's
             * highest byte is their sum. */
            below = ((special & -special) - 1) & EACH;
            return p + (below * EACH >> 56) - 1;
        }
    }
    while (p < end && (unsigned char)*p >= ' ' && (unsigned char)*p < 0x80 &&
           *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Passes UTF-8 sequences, up to ASCII or to what is neither. */
static char *pass_sequences(char *p, const char *end)
{
    uint32_t code;
    size_t n;

    while (p < end && (unsigned char)*p >= 0x80) {
        n = json_utf8(p, (size_t)(end - p), &code);
        if (n == 0)
            break;
        p += n;
    }
    return p;
}

/* Section 7: string = quotation-mark *char quotation-mark */
static int string(struct json_reader *r, char *p, struct json_token *token)
{
    const char *end = r->end;
    char *from;

    token->text = ++p;
    while ((p = pass_plain(p, end)) < end && *p != '"') {
        if (*p == '\\') {
            if (escape(r, p + 1) < 0)
                return JSON_INVALID;
            p = r->at;
            continue;
        }
        from = p;
        p = pass_sequences(p, end);
        if (p == from)
            break;
    }
    r->at = p;
    if (p == end || *p != '"')
        return JSON_INVALID;
    r->at++;
    token->length = (size_t)(p - token->text);
    return token->type = JSON_STRING;
}

static int literal(struct json_reader *r, char *p, const char *word, int type)
{
    for (; *word && p < r->end && *p == *word; word++)
        p++;
    r->at = p;
    return *word ? JSON_INVALID : type;
}

/*
 * json_next(): sections 2 to 5
 */

/* What may come next, as a sum of these. */
enum {
    VALUE = 1,
    NAME = 2,
    COMMA = 4,
    ARRAY_END = 8,
    OBJECT_END = 16,
    TEXT_END = 32
};

static int is_open(int c)
{
    return c == '{' || c == '[';
}

static char *pass_space(char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The innermost object or array that is not closed is the lowest bit of
 * r->levels, 1 for an object; what is around it are the bits above. Each 64
 * levels more a word of them moves to r->outer. */

static void value_ends(struct json_reader *r)
{
    if (r->depth == 0)
        r->may_come = TEXT_END;
    else
        r->may_come = COMMA | (r->levels & 1 ? OBJECT_END : ARRAY_END);
}

/* The type of a bracket is its byte. */
static int bracket(struct json_reader *r, char *p, struct json_token *token)
{
    r->at = p + 1;
    token->type = (unsigned char)*p;
    token->text = p;
    token->length = 1;
    return token->type;
}

static int open_level(struct json_reader *r, char *p, struct json_token *token)
{
    if (r->depth == JSON_DEPTH_MAX)
        return JSON_DEPTH;
    if (r->depth % 64 == 0)
        r->outer[r->depth / 64] = r->levels;
    r->depth++;
    r->levels = r->levels << 1 | (*p == '{');
    r->may_come = *p == '{' ? NAME | OBJECT_END : VALUE | ARRAY_END;
    return bracket(r, p, token);
}

static int close_level(struct json_reader *r, char *p, struct json_token *token)
{
    r->depth--;
    r->levels >>= 1;
    if (r->depth % 64 == 0)
        r->levels = r->outer[r->depth / 64];
    value_ends(r);
    return bracket(r, p, token);
}

/* Section 4: member = string name-separator value, as far as the colon. */
static int name(struct json_reader *r, char *p, struct json_token *token)
{
    if (string(r, p, token) < 0)
        return JSON_INVALID;
    p = pass_space(r->at, r->end);
    r->at = p;
    if (p == r->end || *p != ':')
        return JSON_INVALID;
    r->at++;
    r->may_come = VALUE;
    return token->type = JSON_NAME;
}

static int string_value(struct json_reader *r, char *p,
                        struct json_token *token)
{
    value_ends(r);
    return string(r, p, token);
}

/* true, false, null, or a number */
static int word(struct json_reader *r, char *p, struct json_token *token)
{
    int type;

    value_ends(r);
    if (*p == 't')
        type = literal(r, p, "true", JSON_TRUE);
    else if (*p == 'f')
        type = literal(r, p, "false", JSON_FALSE);
    else if (*p == 'n')
        type = literal(r, p, "null", JSON_NULL);
    else
        type = number(r, p);
    token->text = p;
    token->length = (size_t)(r->at - p);
    return token->type = type;
}

/* Passes white space and commas. Any other byte begins a token, unless that
 * may not come here. */
int json_next(struct json_reader *r, struct json_token *token)
{
    int may_come = r->may_come;
    char *p = r->at;

    for (; p < r->end; r->at = p) {
        switch (*p) {
        case ' ':
        case '\t':
        case '\n':
        case '\r':
            p = pass_space(p + 1, r->end);
            continue;
        case ',':
            if (!(may_come & COMMA))
                break;
            may_come = may_come & OBJECT_END ? NAME : VALUE;
            p++;
            continue;
        case '[':
        case '{':
            if (may_come & VALUE)
                return open_level(r, p, token);
            break;
        case ']':
            if (may_come & ARRAY_END)
                return close_level(r, p, token);
            break;
        case '}':
            if (may_come & OBJECT_END)
                return close_level(r, p, token);
            break;
        case '"':
            if (may_come & NAME)
                return name(r, p, token);
            if (may_come & VALUE)
                return string_value(r, p, token);
            break;
        default:
            if (may_come & VALUE)
                return word(r, p, token);
        }
        return JSON_INVALID;
    }
    return may_come & TEXT_END ? 0 : JSON_INVALID;
}

void json_start(struct json_reader *r, char *text, size_t length)
{
    r->at = text;
    r->end = text + length;
    r->may_come = VALUE;
    r->depth = 0;
    r->levels = 0;
}

/*
 * Values
 */

/* Whether a code is one of the 1,024 that begin with `first`: of the first
 * halves of surrogate pairs, 0xd800, or of the second, 0xdc00. */
static int is_half(int code, int first)
{
    return code >= first && code < first + 0x400;
}

/* Decodes the character at r->at into at most 4 bytes; gives their number. A
 * backslash that begins no escape is copied; a token that json_next() gave has
 * none. */
static size_t character(struct json_reader *r, char *out)
{
    char *from = r->at, *behind;
    int code = JSON_INVALID, low;

    if (*from == '\\')
        code = escape(r, from + 1);
    if (code < 0) {
        *out = *from;
        r->at = from + 1;
        return 1;
    }
    behind = r->at;
    if (is_half(code, 0xd800) && behind < r->end && *behind == '\\') {
        low = escape(r, behind + 1);
        if (is_half(low, 0xdc00))
            code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
        else
            r->at = behind;
    }
    if (is_half(code, 0xd800) || is_half(code, 0xdc00))
        code = 0xfffd;
    return encode_utf8(out, (uint32_t)code);
}

size_t json_decode(const struct json_token *string, char *out)
{
    struct json_reader r;
    char *to = out;

    json_start(&r, string->text, string->length);
    while (r.at < r.end)
        to += character(&r, to);
    return (size_t)(to - out);
}

static int is_text(const struct json_token *token)
{
    return token->type == JSON_STRING || token->type == JSON_NAME;
}

char *json_string(const struct json_token *token, char *out, size_t size)
{
    struct json_reader r;
    char bytes[4];
    size_t length = 0, n;

    *out = '\0';
    if (!is_text(token))
        return NULL;
    json_start(&r, token->text, token->length);
    while (r.at < r.end) {
        n = character(&r, bytes);
        if (*bytes == '\0' || n >= size - length) {
            *out = '\0';
            return NULL;
        }
        memcpy(out + length, bytes, n);
        length += n;
    }
    out[length] = '\0';
    return out;
}

static char folded(char c, int flags)
{
    return flags & JSON_ANY_CASE && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether a string or name, decoded, is the text up to its NUL or to `stop`. */
static int same(const struct json_token *name, const char *text, char stop,
                int flags)
{
    struct json_reader r;
    char bytes[4];
    size_t n;

    json_start(&r, name->text, name->length);
    while (r.at < r.end) {
        n = character(&r, bytes);
        for (size_t i = 0; i < n; i++, text++)
            if (*text == '\0' || *text == stop ||
                folded(bytes[i], flags) != folded(*text, flags))
                return 0;
    }
    return *text == '\0' || *text == stop;
}

int json_equal(const struct json_token *token, const char *text)
{
    return is_text(token) && same(token, text, '\0', 0);
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
    if (number(&r, r.at) < 0 || r.at != r.end)
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

/*
 * Members and elements
 */

static int start_with(int type, struct json_reader *r, char *text,
                      size_t length)
{
    struct json_token token;
    int rc;

    json_start(r, text, length);
    rc = json_next(r, &token);
    if (rc == type)
        return 0;
    while (rc > 0)
        rc = json_next(r, &token);
    return rc < 0 ? rc : JSON_TYPE;
}

int json_object(struct json_reader *r, char *text, size_t length)
{
    return start_with(JSON_OBJECT, r, text, length);
}

int json_array(struct json_reader *r, char *text, size_t length)
{
    return start_with(JSON_ARRAY, r, text, length);
}

int json_array_at(struct json_reader *r, char *text, size_t length,
                  const char *path)
{
    struct json_token array = {0};
    const struct json_want want = {path, &array};
    size_t at;
    int rc = json_pick(text, length, 0, &want, 1, &at);

    if (rc < 0 || array.type == 0)
        return rc;
    rc = json_array(r, array.text, array.length);
    return rc < 0 ? rc : 1;
}

/* Reads on to the end of a value whose first token json_next() gave. 1, or an
 * error. */
static int finish(struct json_reader *r, struct json_token *value, int rc)
{
    struct json_token inner;
    unsigned depth = r->depth;

    if (is_open(rc)) {
        while (rc > 0 && r->depth >= depth)
            rc = json_next(r, &inner);
        value->length = (size_t)(r->at - value->text);
    }
    return rc < 0 ? rc : 1;
}

int json_member(struct json_reader *r, struct json_token *name,
                struct json_token *value)
{
    int rc = json_next(r, name);

    if (rc == JSON_OBJECT_END)
        return json_next(r, name);
    if (rc > 0 && rc != JSON_NAME)
        return JSON_TYPE;
    return rc > 0 ? finish(r, value, json_next(r, value)) : rc;
}

int json_element(struct json_reader *r, struct json_token *value)
{
    int rc = json_next(r, value);

    if (rc == JSON_ARRAY_END)
        return json_next(r, value);
    if (rc == JSON_NAME || rc == JSON_OBJECT_END)
        return JSON_TYPE;
    return rc > 0 ? finish(r, value, rc) : rc;
}

/* Reads an object to its end. Finds for each want the last member that has the
 * first name of its path. 0, or an error. */
static int pick_first(struct json_reader *r, struct json_token *found,
                      const struct json_want *wants, int count, int flags)
{
    const char stop = flags & JSON_ONE_NAME ? '\0' : '.';
    struct json_token name, value;
    int rc;

    while ((rc = json_member(r, &name, &value)) > 0)
        for (int i = 0; i < count; i++)
            if (same(&name, wants[i].path, stop, flags))
                found[i] = value;
    return rc;
}

/* Follows the rest of a path, into the value to which its first name led. */
static void pick_deeper(struct json_token *found, const char *path, int flags)
{
    struct json_token object;
    struct json_want rest;
    struct json_reader r;

    for (; *path != '\0'; path++) {
        if (*path != '.')
            continue;
        rest.path = path + 1;
        object = *found;
        found->type = 0;
        if (object.type != JSON_OBJECT)
            continue;
        /* It has been read as part of the whole: these cannot fail. */
        (void)json_object(&r, object.text, object.length);
        (void)pick_first(&r, found, &rest, 1, flags);
    }
}

int json_pick(char *text, size_t length, int flags,
              const struct json_want *wants, int count, size_t *at)
{
    struct json_token found[JSON_WANTS_MAX];
    struct json_reader r;
    int rc;

    *at = 0;
    if (count > JSON_WANTS_MAX)
        return JSON_RANGE;
    memset(found, 0, sizeof found);
    rc = json_object(&r, text, length);
    if (rc == 0)
        rc = pick_first(&r, found, wants, count, flags);
    *at = (size_t)(r.at - text);
    for (int i = 0; rc == 0 && i < count; i++) {
        if ((flags & JSON_ONE_NAME) == 0)
            pick_deeper(found + i, wants[i].path, flags);
        if (found[i].type != 0)
            *wants[i].value = found[i];
    }
    return rc;
}

/*
 * Text out
 */

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
