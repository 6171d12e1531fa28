/*
 * The input is text that may be base64, and bytes to be encoded.
 */
#include "http.h"
#include "test/fuzz/fuzz.h"
#include "test/unit/base64_reference.h"

#include <string.h>

static void check_decode(const char *text, size_t length)
{
    char *want = fuzz_memory(length), *got = fuzz_memory((length + 3) / 4 * 3);
    char *again = fuzz_memory(length);
    long n = base64_reference_decode(want, text, length);

    EXPECT(http_base64_decode(got, text, length) == n);
    if (n >= 0) {
        EXPECT(memcmp(got, want, (size_t)n) == 0);
        EXPECT(http_base64_encode(again, got, (size_t)n) == length);
        EXPECT(memcmp(again, text, length) == 0);
    }
    memcpy(again, text, length);
    EXPECT(http_base64_decode(again, again, length) == n);
    EXPECT(n < 0 || memcmp(again, want, (size_t)n) == 0);
    free(want);
    free(got);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    size_t length = (size + 2) / 3 * 4;
    char *encoded = fuzz_memory(length), *decoded = fuzz_memory(length);

    check_decode(bytes, size);
    EXPECT(http_base64_encode(encoded, bytes, size) == length);
    EXPECT(base64_reference_decode(decoded, encoded, length) == (long)size);
    EXPECT(memcmp(decoded, bytes, size) == 0);
    check_decode(encoded, length);
    free(encoded);
    free(decoded);
    return 0;
}
