#include "texts.h"

#include <string.h>

const struct text_kind text_kinds[] = {
    {"long strings",
     ",\"The quick brown fox jumps over the lazy dog, and nothing in this "
     "sentence has to be escaped. It is as long as a record of a log.\""},
    {"small objects",
     ",{\"id\":1234567,\"name\":\"a record\",\"on\":true,\"tags\":[\"a\"]}"},
    {"numbers", ",-1234.5678e-9"},
    {"7,7,7,...", ",7"},
    {"escapes", ",\"\\n\\\"\\u00e9\\\\\\t\\/\\ud83d\\ude00\\b\""},
    {"Chinese", ",\"\xe6\x95\x8f\xe6\x8d\xb7\xe7\x9a\x84\xe6\xa3\x95\xe8\x89"
                "\xb2\xe7\x8b\x90\xe7\x8b\xb8\xe8\xb7\xb3\xe8\xbf\x87\xe6\x87"
                "\x92\xe7\x8b\x97\""},
    {"emoji", ",\"\xf0\x9f\xa6\x8a\xf0\x9f\x90\x95\xf0\x9f\x98\x80\xf0\x9f\x8e"
              "\x89\xf0\x9f\x8c\x8d\""},
    {"pretty-printed", ",\n"
                       "    {\n"
                       "        \"id\": 1234567,\n"
                       "        \"name\": \"a record\",\n"
                       "        \"on\": true,\n"
                       "        \"tags\": [\n"
                       "            \"a\"\n"
                       "        ]\n"
                       "    }"},
    {"spaces",
     ",\n                                                               1"},
    {"[],[],...", ",[]"},
    {"[ ] , [ ] , ...", " , [ ]"},
    {"61 levels",
     ",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"}};

const size_t text_kind_count = sizeof text_kinds / sizeof *text_kinds;

void text_array(FILE *f, const char *element, size_t size)
{
    size_t n = strlen(element), room = size - 2;
    const char *first = strchr(element, ',') + 1;

    fprintf(f, "[%s", first);
    for (room -= strlen(first); room >= n; room -= n)
        fputs(element, f);
    fputs("]", f);
}

/*
 * An event of a Function URL
 */

static const char start[] =
    "{\"version\":\"2.0\",\"routeKey\":\"$default\",\"rawPath\":\"/words\","
    "\"rawQueryString\":\"format=sse&delay=0.1\",";

static const char user_agent[] =
    "\"user-agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    "(KHTML, like "
    "Gecko) Chrome/142.0.0.0 Safari/537.36\"";

static const char *const headers[] = {
    "\"host\":\"k3xw7mq2ab5n.lambda-url.eu-central-1.on.aws\"",
    "\"x-amzn-trace-id\":\"Root=1-6925f0c2-3a1b7c9d5e2f4a6b8c0d1e2f\"",
    "\"x-forwarded-for\":\"203.0.113.57\"",
    "\"x-forwarded-port\":\"443\"",
    "\"x-forwarded-proto\":\"https\"",
    "\"accept\":\"*/*\"",
    "\"accept-encoding\":\"gzip, deflate, br, zstd\"",
    "\"accept-language\":\"en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7\"",
    "\"cache-control\":\"no-cache\"",
    "\"dnt\":\"1\"",
    "\"origin\":\"https://www.example.com\"",
    "\"pragma\":\"no-cache\"",
    "\"priority\":\"u=1, i\"",
    "\"referer\":\"https://www.example.com/demo/words.html?format=sse\"",
    "\"sec-ch-ua\":\"\\\"Chromium\\\";v=\\\"142\\\"\"",
    "\"sec-ch-ua-mobile\":\"?0\"",
    "\"sec-ch-ua-platform\":\"\\\"Linux\\\"\"",
    "\"sec-fetch-dest\":\"empty\"",
    "\"sec-fetch-mode\":\"cors\"",
    "\"sec-fetch-site\":\"cross-site\"",
    "\"sec-gpc\":\"1\"",
    "\"x-requested-with\":\"XMLHttpRequest\"",
    "\"content-type\":\"application/json\"",
    "\"content-length\":\"286\"",
    "\"if-none-match\":\"W/\\\"5d8c72a5edda8d6a\\\"\"",
    "\"x-client-version\":\"web-4.18.2\"",
    "\"x-correlation-id\":\"0d4f9b1e-6f0c-4c8f-9a57-2b1f7e3d5c88\""};

static const char authorization[] =
    "\"authorization\":\"Bearer "
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IjIwMjYtMTEifQ.eyJpc3MiOiJodHRwczovL2lkLmV"
    "4YW1wbGUuY29tLyIsInN1YiI6ImF1dGh8NmIxZjBjOWU4ZDdhNGI1YzllM2YyYTFkIiwiY"
    "XVkIjpbIndvcmRzIiwiaHR0cHM6Ly9pZC5leGFtcGxlLmNvbS91c2VyaW5mbyJdLCJpYXQ"
    "iOjE3OTU2NTEyMDAsImV4cCI6MTc5NTY4NzYwMCwiYXpwIjoiWXEzbVg3cEx3MiIsInNjb"
    "3BlIjoib3BlbmlkIHByb2ZpbGUgZW1haWwgb2ZmbGluZV9hY2Nlc3MiLCJwZXJtaXNzaW9"
    "ucyI6WyJyZWFkOndvcmRzIiwid3JpdGU6d29yZHMiLCJyZWFkOnN0YXRpc3RpY3MiXSwib"
    "3JnIjoiZXhhbXBsZSJ9.bjQLnP-zepicpUTmu3gKLHiQHT-zNzh2hRGjBhevoB1L9RIvNE"
    "VUxTveLruM0rfj0WAK1jHDhaXXzOI8d4VFmtvBtMkA_-SNV1tdpcY4BAEl9l2w_j4kSUt2"
    "6phkV9mGCE_tCLl4r019GWp0RqhrWACeY2thHbFiEbZamq3_KcXlLZxQjFAjRzRNjAetkc"
    "vWBor8df9ikvBioJyjgcieced7mprp4wsNvbb1EKJk753ngVAde2uSronrBZxat0PbZ1hu"
    "mPrSfaC5lovAOaHvNMk5ubjlI6i--J1HhgjF7PbKNYdY9tJ-bPRScpN5d6dI_Yg5HbZ5zt"
    "p9x78fAF7oeQ"
    "\"";

static const char cookies[] =
    "\"cookies\":[\"session=6b1f0c9e8d7a4b5c9e3f2a1d0c8b7e6f\","
    "\"theme=dark\",\"_ga=GA1.1.1234567890.1764115200\","
    "\"_ga_Q7XK2M9V4B=GS2.1.s1764115200$o3$g1$t1764115342$j60$l0$h0\","
    "\"_gid=GA1.1.987654321.1764115200\",\"consent=necessary%2Cstatistics\","
    "\"csrf=9f8e7d6c5b4a39281706f5e4d3c2b1a0\"],";

static const char query[] =
    "\"queryStringParameters\":{\"format\":\"sse\",\"delay\":\"0.1\"},";

static const char context[] =
    "\"requestContext\":{\"accountId\":\"anonymous\",\"apiId\":"
    "\"k3xw7mq2ab5n\","
    "\"domainName\":\"k3xw7mq2ab5n.lambda-url.eu-central-1.on.aws\","
    "\"domainPrefix\":\"k3xw7mq2ab5n\",\"http\":{\"method\":\"POST\","
    "\"path\":\"/words\",\"protocol\":\"HTTP/1.1\","
    "\"sourceIp\":\"203.0.113.57\",\"userAgent\":\""
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/142.0.0.0 Safari/537.36\"},"
    "\"requestId\":\"e1506fd5-9e7b-434f-bd42-4f8fa224b599\","
    "\"routeKey\":\"$default\",\"stage\":\"$default\","
    "\"time\":\"26/Nov/2026:00:00:00 +0000\",\"timeEpoch\":1795651200000},";

static const char body[] =
    "\"body\":\"{\\\"sentence\\\": \\\"A stream is read while it is written"
    ". The first word arrives before the second is known, and whoever waits"
    " has something to read meanwhile. That is worth more than it seems: a "
    "page that moves is believed, one that stands still is closed.\\\", \\"
    "\"history\\\": [{\\\"role\\\": \\\"user\\\", \\\"at\\\": 1795651100, "
    "\\\"text\\\": \\\"Tell me what a stream is.\\\\n\\\"}, {\\\"role\\\": "
    "\\\"words\\\", \\\"at\\\": 1795651101, \\\"text\\\": \\\"Water that go"
    "es somewhere.\\\"}, {\\\"role\\\": \\\"user\\\", \\\"at\\\": 179565116"
    "0, \\\"text\\\": \\\"No, I mean \\\\\\\"streaming\\\\\\\", with comput"
    "ers.\\\"}, {\\\"role\\\": \\\"words\\\", \\\"at\\\": 1795651162, \\\"t"
    "ext\\\": \\\"Then it is an answer that is sent in parts, each as soon "
    "as it is known.\\\\n\\\\nWith a server that waits for the whole, the r"
    "eader waits, too; with one that streams, both work at the same time. T"
    "he parts are called chunks, and a chunk of no bytes is the end. What c"
    "omes behind it are trailers: fields like those of the head, for what w"
    "as not known at the beginning.\\\"}, {\\\"role\\\": \\\"user\\\", \\\""
    "at\\\": 1795651188, \\\"text\\\": \\\"And for how long does it go on?"
    "\\\"}], \\\"client\\\": {\\\"name\\\": \\\"web\\\", \\\"version\\\": "
    "\\\"4.18.2\\\", \\\"beta\\\": false, \\\"screen\\\": [1920, 1080]}, \\"
    "\"delay\\\": 0.1}\",";

static const char end[] = "\"isBase64Encoded\":false}";

void text_url_event(FILE *f, int kilobytes)
{
    size_t count = sizeof headers / sizeof *headers;

    if (kilobytes < 2)
        count = 7;
    fputs(start, f);
    if (kilobytes > 1)
        fputs(cookies, f);
    fprintf(f, "\"headers\":{%s", user_agent);
    for (size_t i = 0; i < count; i++)
        fprintf(f, ",%s", headers[i]);
    if (kilobytes > 2)
        fprintf(f, ",%s", authorization);
    fputs("},", f);
    if (kilobytes > 1)
        fputs(query, f);
    fputs(context, f);
    if (kilobytes > 2)
        fputs(body, f);
    fputs(end, f);
}
