/*
 * The input is what a peer sends as a response: head, body, and perhaps more.
 * However it arrives it is what the reference reader says.
 */
#include "test/fuzz/compare.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_reference want;
    const char *bytes = (const char *)data;
    char *body = fuzz_memory(size);

    http_reference_response(&want, bytes, size, body);
    EXPECT(compare_response(bytes, size, size, 1, &want, body));
    EXPECT(compare_response(bytes, size, 0, 1, &want, body));
    EXPECT(compare_response(bytes, size, size % 7, 2 + size % 31, &want, body));
    for (size_t split = 1; split < size; split += 1 + size / 100)
        EXPECT(compare_response(bytes, size, split, size, &want, body));
    free(body);
    return 0;
}
