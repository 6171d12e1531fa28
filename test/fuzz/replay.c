/*
 * TARGET.replay - gives a fuzz target inputs that are known
 *
 *     TARGET.replay FILE...              runs the inputs listed
 *     TARGET.replay --unpack DIR FILE... makes files of them, for libFuzzer
 *     TARGET.replay --pack FILE...       prints such files as lines of a list
 *
 * A list has an input a line, in which %HH is the byte HH; empty lines and
 * those that begin with # are none. Each input is run in a process of its own.
 */
#include "test/fuzz/fuzz.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1000000

static int passed, failed;

static void pack(const char *name)
{
    FILE *file = fopen(name, "rb");
    int c, begin = 1;

    if (!file) {
        perror(name);
        exit(1);
    }
    for (; (c = getc(file)) != EOF; begin = 0)
        printf(c < ' ' || c > '~' || c == '%' || (begin && c == '#') ? "%%%02x"
                                                                     : "%c",
               (unsigned)c);
    printf("\n");
    fclose(file);
}

/* Turns %HH into bytes, in place; gives the length. */
static size_t parse(char *line)
{
    char *out = line, code[3] = "";

    for (const char *p = line; *p && *p != '\n'; p++) {
        if (*p == '%') {
            memcpy(code, p + 1, 2);
            *out++ = (char)strtol(code, NULL, 16);
            p += 2;
        } else {
            *out++ = *p;
        }
    }
    return (size_t)(out - line);
}

static void unpack(const char *directory, int n, const char *bytes,
                   size_t length)
{
    char name[1000];
    FILE *file;

    snprintf(name, sizeof name, "%s/%d", directory, n);
    file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, length, file) < length || fclose(file) != 0) {
        perror(name);
        exit(1);
    }
}

/* 1 when the target found no fault. */
static int run(const char *bytes, size_t length)
{
    char *copy = memcpy(fuzz_memory(length), bytes, length);
    const struct rlimit loop = {60, 60}; /* seconds of CPU time */
    int status = 1;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CPU, &loop);
        LLVMFuzzerTestOneInput((const uint8_t *)copy, length);
        fflush(stdout);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    free(copy);
    return status == 0;
}

static void each_line(const char *list, const char *directory)
{
    static char line[LINE_BYTES_MAX];
    FILE *file = fopen(list, "r");
    int number = 0;
    size_t length;

    if (!file) {
        perror(list);
        exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        number++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        length = parse(line);
        if (directory) {
            unpack(directory, passed++, line, length);
        } else if (run(line, length)) {
            passed++;
        } else {
            failed++;
            printf("%s:%d: failed\n", list, number);
        }
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    const char *directory = NULL;
    int i = 1;

    if (argc > 1 && strcmp(argv[1], "--pack") == 0) {
        for (i = 2; i < argc; i++)
            pack(argv[i]);
        return fflush(stdout) != 0;
    }
    if (argc > 2 && strcmp(argv[1], "--unpack") == 0) {
        directory = argv[2];
        i = 3;
    }
    for (; i < argc; i++)
        each_line(argv[i], directory);
    if (!directory)
        printf("%d passed, %d failed\n", passed, failed);
    return fflush(stdout) != 0 || failed > 0;
}
