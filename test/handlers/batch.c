/* batch.c - an SQS batch of S3 notifications: a line in the log for each */
#include "http.h"

#include <unistd.h>

static int take(char *body, size_t length)
{
    struct json_reader records;
    struct json_token record;
    int rc = json_array_at(&records, body, length, "Records");

    while (rc > 0 && json_element(&records, &record) > 0) {
        struct json_token bucket = {0}, key = {0};
        const struct json_want wants[] = {{"s3.bucket.name", &bucket},
                                          {"s3.object.key", &key}};
        char line[4096];
        struct http_text text = http_text_in(line, sizeof line);
        size_t at;

        json_pick(record.text, record.length, 0, wants, 2, &at);
        http_format(&text, "%.*s/%.*s\n", (int)bucket.length, bucket.text,
                    (int)key.length, key.text); /* still %-encoded */
        if (bucket.type != JSON_STRING || key.type != JSON_STRING ||
            text.full || write(2, text.bytes, text.length) < 0)
            return -1;
    }
    return rc; /* 0 also for s3:TestEvent, which has no records */
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct json_reader records;
    struct json_token record;
    size_t at, n;
    int failed = 0;

    if (json_array_at(&records, in->event, in->event_length, "Records") <= 0)
        return lambda_fail(out, "Function.InvalidEvent", "not an SQS batch");
    http_format(&out->text, "{\"batchItemFailures\":[");
    while (json_element(&records, &record) > 0) {
        struct json_token id = {0}, body = {0};
        const struct json_want wants[] = {{"messageId", &id}, {"body", &body}};

        json_pick(record.text, record.length, 0, wants, 2, &at);
        n = body.type == JSON_STRING ? json_decode(&body, body.text) : 0;
        if (take(body.text, n) < 0) /* it comes again; all, when id is "" */
            http_format(&out->text, "%s{\"itemIdentifier\":\"%.*s\"}",
                        failed++ ? "," : "", (int)id.length, id.text);
    }
    http_format(&out->text, "]}\n");
    return 0;
}
