/* What the command line says. */
#ifndef LAMBDA_SETTINGS_H
#define LAMBDA_SETTINGS_H

#include "program.h"

#define SANDBOXES_MAX          1000u
#define EXTENSION_PROGRAMS_MAX 10

/* Whose events the front makes of requests: a Function URL's, or API
 * Gateway's (REST API and HTTP API). */
enum payload { PAYLOAD_URL, PAYLOAD_REST, PAYLOAD_HTTP };

struct settings {
    const char *bind; /* an address; NULL: loopback */
    uint16_t port;
    char api_host[16];
    uint16_t api_port;  /* of the first sandbox; 0: a free one */
    int64_t timeout_ns; /* of an invocation; 0: none, as is that below */
    int64_t init_timeout_ns;
    unsigned concurrency;
    unsigned max_waiting;
    int64_t retry_ns; /* before an event is tried again */
    unsigned
        max_concurrency; /* invocations of one sandbox; 0: one, on demand */
    bool throttle;
    enum payload payload;
    bool buffered;            /* the URL's invoke mode */
    const char *cors_origins; /* "*", or a list; NULL: no --cors */
    const char *cors_methods, *cors_headers;
    bool cors_credentials;
    struct buf allowed_hosts;  /* names, each with its NUL */
    const char *function_name; /* NULL: any name is the function's */
    long memory_mb;
    bool memory_given;      /* and so enforced */
    char *const *arguments; /* of the program, and its name first */
    struct program program;
    struct program extensions[EXTENSION_PROGRAMS_MAX];
    size_t extension_count;
    struct buf environment; /* NAME=VALUE, each with its NUL */
    const char *invoke;     /* the event of --invoke; NULL: serve */
    bool wire;
    const char *wire_path; /* NULL: to standard error */
};

#endif
