/* What the command line says. */
#ifndef LAMBDA_SETTINGS_H
#define LAMBDA_SETTINGS_H

#include "base.h"

#define SANDBOXES_MAX 1000u

struct settings {
    uint16_t port;
    char api_host[16];
    uint16_t api_port;  /* of the first sandbox; 0: a free one */
    int64_t timeout_ns; /* of an invocation; 0: none, as is that below */
    int64_t init_timeout_ns;
    unsigned concurrency;
    bool throttle;
    const char *function_name; /* NULL: any name is the function's */
    long memory_mb;
    const char *program;   /* what to run: a path */
    const char *task_root; /* where to run it */
    char *const *arguments;
    struct buf environment; /* NAME=VALUE, each with its NUL */
    const char *invoke;     /* the event of --invoke; NULL: serve */
};

#endif
