/* What a runtime is given: variables, credentials, memory. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char file_text[] = "# a comment\n\n  A=1  \r\nexport B='two # 2'\n"
                                "C=\"\"\nGATE\nD=a=\"b\"\n#E=5\nAWS_REGION=x";

static void test_variables(void)
{
    char name[64];
    struct lambda l;
    struct message m;
    int fd;

    (void)snprintf(name, sizeof name, "/tmp/lambda-test-env-%ld",
                   (long)getpid());
    fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    (void)!write(fd, file_text, sizeof file_text - 1);
    close(fd);
    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    (void)setenv("AWS_LAMBDA_RUNTIME_API", "not.this:1", 1);
    start(&l, "good", PORTS, "--aws-credentials", "--env-file", name,
          "--memory", "512", END);
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)unsetenv("AWS_LAMBDA_RUNTIME_API");
    if (is_up(&l)) {
        static const char *const lines[] = {
            "\nA=1\n",
            "\nB=two # 2\n",
            "\nC=\n",
            "\nD=a=\"b\"\n",
            "\nGATE=/tmp/",
            "\nAWS_REGION=x\n",
            "\nAWS_ACCESS_KEY_ID=AKIDEXAMPLE\n",
            "\nAWS_LAMBDA_FUNCTION_MEMORY_SIZE=512\n",
        };

        get(&l, &m, "/environment");
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            check(lines[i] + 1, strstr(m.body.data, lines[i]) != NULL,
                  m.body.data);
        }
        check("what is a comment", strstr(m.body.data, "\nE=5\n") == NULL,
              m.body.data);
        message_free(&m);
        stop(&l);
    }
    (void)unlink(name);
}

static void test_memory(void)
{
    struct lambda l;
    struct message m;

    if (access("/proc/self/stat", R_OK) != 0) {
        skipped++;
        return;
    }
    start(&l, "good", PORTS, "--memory", "128", END);
    if (is_up(&l)) {
        post(&l, &m, INVOKE, "", TEXT("{\"do\":\"hoard\"}"));
        check("more memory than it may have",
              is_like(m.body.data, "{\"errorType\":\"Runtime.OutOfMemory\",~}"),
              m.body.data);
        message_free(&m);
        expect(&l, "a new process afterwards", "/words", 200, "~",
               "one two three");
        stop(&l);
    }
}

void test_given(void)
{
    test_variables();
    test_memory();
}
