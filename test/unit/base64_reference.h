/*
 * base64_reference.h - RFC 4648, section 4, bit by bit
 */
#ifndef BASE64_REFERENCE_H
#define BASE64_REFERENCE_H

#include <string.h>

/* The number of bytes, or -1 for what is not the canonical encoding of any
 * bytes. `out` has room for 3 bytes for each 4 begun. */
static inline long base64_reference_decode(char *out, const char *text,
                                           size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t padding = 0, bits;

    if (length % 4 != 0)
        return -1;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    bits = (length - padding) * 6;
    memset(out, 0, length / 4 * 3);
    for (size_t i = 0; i < bits; i++) {
        char c = text[i / 6];
        const char *digit = c ? strchr(digits, c) : NULL;

        if (!digit)
            return -1;
        if (!((digit - digits) >> (5 - i % 6) & 1))
            continue;
        if (i / 8 >= bits / 8)
            return -1; /* a bit that no byte has */
        out[i / 8] = (char)(out[i / 8] | 0x80 >> i % 8);
    }
    return (long)(bits / 8);
}

#endif
