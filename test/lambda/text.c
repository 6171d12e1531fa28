#include "text.h"

#include <string.h>

/* RFC 3629, section 4: no overlong form, no surrogate, nothing above
 * U+10FFFF. */
size_t utf8_length(struct slice s)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    if (s.size == 0) {
        return 0;
    }
    if (s.data[0] < 0x80) {
        return 1;
    }
    if (s.data[0] < 0xc2 || s.data[0] > 0xf4) {
        return 0;
    }
    size = s.data[0] < 0xe0 ? 2 : s.data[0] < 0xf0 ? 3 : 4;
    switch (s.data[0]) {
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    default:
        break;
    }
    if (s.size < size || s.data[1] < low || s.data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if ((s.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

bool utf8_valid(struct slice s)
{
    while (s.size > 0) {
        size_t n = utf8_length(s);

        if (n == 0) {
            return false;
        }
        s.data += n;
        s.size -= n;
    }
    return true;
}

void json_quote(struct buf *out, struct slice s)
{
    buf_byte(out, '"');
    while (s.size > 0) {
        size_t n = utf8_length(s);
        unsigned char c = s.data[0];

        if (n == 0) {
            buf_text(out, "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_byte(out, '\\');
            buf_byte(out, c);
        } else if (c == '\n') {
            buf_text(out, "\\n");
        } else if (c == '\r') {
            buf_text(out, "\\r");
        } else if (c == '\t') {
            buf_text(out, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            buf_format(out, "\\u%04x", (unsigned)c);
        } else {
            buf_add(out, s.data, n);
        }
        s.data += n;
        s.size -= n;
    }
    buf_byte(out, '"');
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.size; i += 3) {
        uint32_t bits = (uint32_t)s.data[i] << 16;
        unsigned char quad[4];

        if (i + 1 < s.size) {
            bits |= (uint32_t)s.data[i + 1] << 8;
        }
        if (i + 2 < s.size) {
            bits |= s.data[i + 2];
        }
        quad[0] = (unsigned char)base64_digits[bits >> 18];
        quad[1] = (unsigned char)base64_digits[bits >> 12 & 63];
        quad[2] = '=';
        quad[3] = '=';
        if (i + 1 < s.size) {
            quad[2] = (unsigned char)base64_digits[bits >> 6 & 63];
        }
        if (i + 2 < s.size) {
            quad[3] = (unsigned char)base64_digits[bits & 63];
        }
        buf_add(out, quad, sizeof quad);
    }
}

bool base64_decode(struct buf *out, struct slice s)
{
    size_t padding = 0;
    uint32_t bits = 0;

    while (padding < 2 && padding < s.size &&
           s.data[s.size - 1 - padding] == '=') {
        padding++;
    }
    if (s.size % 4 != 0 || memchr(s.data, 0, s.size) != NULL) {
        return false;
    }
    for (size_t i = 0; i < s.size - padding; i++) {
        if (strchr(base64_digits, s.data[i]) == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < s.size; i++) {
        const char *digit = strchr(base64_digits, s.data[i]);

        bits = bits << 6 |
               (digit == NULL ? 0 : (uint32_t)(digit - base64_digits));
        if (i % 4 == 3) {
            size_t drop = i + 1 == s.size ? padding : 0;
            unsigned char three[3] = {(unsigned char)(bits >> 16 & 255),
                                      (unsigned char)(bits >> 8 & 255),
                                      (unsigned char)(bits & 255)};

            buf_add(out, three, 3 - drop);
        }
    }
    return true;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void percent_decode(struct buf *out, struct slice s, bool plus_is_space)
{
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = s.data[i];

        if (c == '%' && s.size - i > 2 && hex_digit(s.data[i + 1]) >= 0 &&
            hex_digit(s.data[i + 2]) >= 0) {
            c = (unsigned char)(hex_digit(s.data[i + 1]) * 16 +
                                hex_digit(s.data[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        buf_byte(out, c);
    }
}

uint32_t crc32(uint32_t crc, struct slice s)
{
    static uint32_t table[256];

    if (table[1] == 0) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;

            for (int k = 0; k < 8; k++) {
                c = (c & 1) != 0 ? 0xedb88320u ^ c >> 1 : c >> 1;
            }
            table[i] = c;
        }
    }
    crc = ~crc;
    for (size_t i = 0; i < s.size; i++) {
        crc = table[(crc ^ s.data[i]) & 255] ^ crc >> 8;
    }
    return ~crc;
}
