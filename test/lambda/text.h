/* Codings: UTF-8, JSON strings, base64, percent-encoding, CRC-32. */
#ifndef LAMBDA_TEXT_H
#define LAMBDA_TEXT_H

#include "base.h"

/* Bytes of the valid UTF-8 sequence at the start of s; 0: none. */
size_t utf8_length(struct slice s);
bool utf8_valid(struct slice s);

/* A JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void json_quote(struct buf *out, struct slice s);

void base64_encode(struct buf *out, struct slice s);
/* RFC 4648 section 4, padded; false: not base64, and nothing is added. */
bool base64_decode(struct buf *out, struct slice s);

/* What is no valid escape stays as it is. */
void percent_decode(struct buf *out, struct slice s, bool plus_is_space);

/* The CRC of zip and Ethernet; start with 0 and feed back what it returns. */
uint32_t crc32(uint32_t crc, struct slice s);

#endif
