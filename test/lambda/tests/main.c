/* Tests of the local Lambda: lambda_test PATH-OF-LAMBDA [SUITE]
 *
 * harness.c starts it and asks it. The runtimes that it starts are
 * this program again (runtime.c). Each case that fails prints one
 * line. No verdict depends on the speed of the machine: a test waits for an
 * event, and calls it a hang when nothing has moved for a minute. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(void);
} suites[] = {
    {"wire", test_wire_files},     {"command", test_command},
    {"life", test_life},           {"name", test_one_name},
    {"queue", test_queue},         {"log", test_log},
    {"extension", test_extension}, {"payload", test_payload},
    {"bind", test_bind},           {"given", test_given},
    {"reload", test_reload},       {"buffered", test_buffered},
    {"cors", test_cors},           {"concurrent", test_concurrent},
    {"host", test_any_host},
};

int main(int argc, char **argv)
{
    static char path[4096];

    const char *name = strrchr(argv[0], '/');

    if (name != NULL && strncmp(name, "/lambda-extension-", 18) == 0) {
        return be_extension(name + 1);
    }
    if (argc == 3 && strcmp(argv[1], "--runtime") == 0) {
        return be_runtime(argv[2]);
    }
    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: lambda_test PATH-OF-LAMBDA [SUITE]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    self = realpath(argv[0], path);
    lambda_path = argv[1];
    (void)snprintf(gate, sizeof gate, "/tmp/lambda-test-gate-%ld",
                   (long)getpid());
    (void)setenv("GATE", gate, 1);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (argc == 2 || strcmp(argv[2], suites[i].name) == 0) {
            suites[i].run();
        }
    }
    (void)unlink(gate);
    (void)printf("%u passed, %u failed", passed, failed);
    if (skipped > 0) {
        (void)printf(", %u skipped", skipped);
    }
    (void)printf("\n");
    return failed == 0 ? 0 : 1;
}
