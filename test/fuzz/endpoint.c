/*
 * The input is the value of AWS_LAMBDA_RUNTIME_API, which regular expressions
 * judge.
 */
#include "http.h"
#include "test/fuzz/fuzz.h"

#include <regex.h>
#include <string.h>

#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])"
#define HOST  "^(localhost|" OCTET "\\." OCTET "\\." OCTET "\\." OCTET ")"
#define PORT  HOST ":0*[1-9][0-9]{0,4}"
/* RFC 3986, section 3.3, in which % may stand anywhere. */
#define PATH PORT "(/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?$"

/* How many bytes of a text match, 0 for none. */
static size_t match(const char *pattern, const char *text)
{
    regmatch_t all = {0, 0};
    regex_t r;

    EXPECT(regcomp(&r, pattern, REG_EXTENDED | REG_ICASE) == 0);
    if (regexec(&r, text, 1, &all, 0) != 0)
        all.rm_eo = 0;
    regfree(&r);
    return (size_t)all.rm_eo;
}

static int judge(const char *text)
{
    size_t path = match(PORT, text);
    const char *colon = strchr(text, ':');

    if (!match(HOST "(:|$)", text))
        return HTTP_HOST;
    if (!match(PORT "(/|$)", text) || strtoul(colon + 1, NULL, 10) > 65535)
        return HTTP_PORT;
    if (path > HTTP_HOST_BYTES_MAX)
        return HTTP_HOST;
    if (!match(PATH, text) || strlen(text + path) > HTTP_PATH_BYTES_MAX)
        return HTTP_PATH;
    return 0;
}

/* The parts of a good one are those of its text. */
static void check_parts(const struct http_endpoint *e, const char *text)
{
    size_t host = match(PORT, text), path = strlen(text + host);
    unsigned address[4] = {127, 0, 0, 1}, port;

    EXPECT(strlen(e->host) == host && memcmp(e->host, text, host) == 0);
    if (path > 0 && text[host + path - 1] == '/')
        path--;
    EXPECT(strlen(e->path) == path);
    EXPECT(memcmp(e->path, text + host, path) == 0);
    if (text[0] <= '9')
        EXPECT(sscanf(text, "%u.%u.%u.%u", address, address + 1, address + 2,
                      address + 3) == 4);
    for (int i = 0; i < 4; i++)
        EXPECT(e->address[i] == address[i]);
    port = (unsigned)strtoul(strchr(text, ':') + 1, NULL, 10);
    EXPECT(e->port[0] * 256u + e->port[1] == port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_memory(size + 1), *rest;
    struct http_endpoint e;
    int want;

    memcpy(text, data, size);
    text[size] = '\0';
    rest = text + match("^[Hh][Tt][Tt][Pp]://", text);
    want = judge(rest);
    EXPECT(http_endpoint_parse(&e, text) == want);
    if (want == 0)
        check_parts(&e, rest);
    free(text);
    return 0;
}
