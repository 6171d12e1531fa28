/* zlib.c - a handler that needs zlib: compresses, and takes apart again */
#include "http.h"

#include <string.h>
#include <zlib.h>

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    const char words[] = "words, words, words\n";
    unsigned char packed[128], unpacked[128];
    uLongf length = sizeof packed, size = sizeof unpacked;

    (void)in;
    if (compress(packed, &length, (const Bytef *)words, strlen(words)) ||
        uncompress(unpacked, &size, packed, length))
        return -1;
    return http_write(out, unpacked, size);
}
