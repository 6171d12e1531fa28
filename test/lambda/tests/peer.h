/* What both sides of a test speak with: bytes that grow, sockets, HTTP
 * messages, and the texts that occur again and again. */
#ifndef LAMBDA_TEST_PEER_H
#define LAMBDA_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing here waits longer for the next byte unless something hangs. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 60000
#endif

#define API     "/2018-06-01/runtime"
#define PRELUDE "application/vnd.awslambda.http-integration-response"
#define MODE    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define TYPE_T  "Lambda-Runtime-Function-Error-Type"
#define BODY_T  "Lambda-Runtime-Function-Error-Body"
#define STREAM  "/2021-11-15/functions/f/response-streaming-invocations"
#define INVOKE  "/2015-03-31/functions/f/invocations"
#define NULS    "\0\0\0\0\0\0\0\0"
#define LIMIT   6291556u
#define TEXT(s) (s), sizeof(s) - 1
#define END     ((const char *)NULL)

struct bytes {
    char *data; /* always with a NUL behind */
    size_t size, capacity;
};

void append(struct bytes *b, const void *data, size_t size);
void append_format(struct bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool contains(const struct bytes *b, const char *text);
void release(struct bytes *b);

int64_t now_ms(void);
void pause_ms(long ms);

struct stream {
    int fd;
    struct bytes in;
};

void stream_open(struct stream *s, const char *host, unsigned port);
void stream_close(struct stream *s);
bool stream_send(struct stream *s, const void *data, size_t size);
/* False: the end, an error, or patience is over. */
bool stream_more(struct stream *s, int patience_ms);

struct message {
    int status;
    struct bytes head, body;
    bool complete;
};

void message_free(struct message *m);
/* The value of a field, until the next call. */
const char *field(const struct message *m, const char *name);
/* A message with its body, framed in any way; patience below 0: for ever. */
bool read_message(struct stream *s, struct message *m, bool no_body,
                  int patience_ms);

#endif
