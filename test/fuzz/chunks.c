/*
 * The input is a body and how it is cut into chunks: for each chunk a byte of
 * style, a byte of length, and so many bytes of data. Decoded it is the body
 * again, to the product as to the reference.
 */
#include "http.h"
#include "test/fuzz/compare.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

struct message {
    char *bytes;
    size_t length;
};

static void put(struct message *m, const void *bytes, size_t length)
{
    memcpy(m->bytes + m->length, bytes, length);
    m->length += length;
}

static void put_text(struct message *m, const char *text)
{
    put(m, text, strlen(text));
}

/* A chunk line: any number of zeros, letters of either case, extensions. */
static void put_size(struct message *m, size_t size, unsigned style)
{
    static const char *const extensions[] = {
        "", ";a", ";a=b", ";a=\"1;2 \\\"\";c", ";\xff", ";", "; 0", ";a;b"};
    char digits[20];

    for (unsigned zeros = style >> 4; zeros > 0; zeros--)
        put_text(m, "0");
    snprintf(digits, sizeof digits, style & 8 ? "%zX" : "%zx", size);
    put_text(m, digits);
    put_text(m, extensions[style & 7]);
    put_text(m, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_reference want;
    const uint8_t *p = data, *end = data + size;
    /* The framing of a chunk takes less than 40 bytes. */
    struct message m = {.bytes = fuzz_memory(size * 40 + 400)};
    struct message body = {.bytes = fuzz_memory(size)};
    char *decoded = fuzz_memory(size * 40 + 400);
    unsigned style = 0;

    put_text(&m, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (end - p > 2) {
        size_t n = (size_t)p[1] + 1, left = (size_t)(end - p) - 2;

        style = p[0];
        p += 2;
        n = n < left ? n : left;
        put_size(&m, n, style);
        put(&m, p, n);
        put_text(&m, "\r\n");
        put(&body, p, n);
        p += n;
    }
    put_size(&m, 0, style);
    put_text(&m, style & 1 ? "A: b\r\nContent-Length: 7\r\n" : "");
    put_text(&m, style & 2 ? "C:\r\nTransfer-Encoding: gzip\r\n" : "");
    put_text(&m, "\r\n");
    http_reference_response(&want, m.bytes, m.length, decoded);
    EXPECT(want.rc > 0 && want.at == m.length && want.reusable);
    EXPECT(want.body_length == body.length);
    EXPECT(memcmp(decoded, body.bytes, body.length) == 0);
    EXPECT(compare_response(m.bytes, m.length, m.length, 1, &want, decoded));
    EXPECT(compare_response(m.bytes, m.length, 0, 1, &want, decoded));
    EXPECT(
        compare_response(m.bytes, m.length, 0, 2 + size % 61, &want, decoded));
    free(m.bytes);
    free(body.bytes);
    free(decoded);
    return 0;
}
