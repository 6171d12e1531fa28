/*
 * TARGET.replay - gives a fuzz target inputs that are known
 *
 *     TARGET.replay FILE...              runs the inputs listed
 *     TARGET.replay --unpack DIR FILE... makes files of them, for libFuzzer
 *     TARGET.replay --pack FILE...       prints such files as lines of a list
 *
 * A list has an input a line, in which %HH is the byte HH; empty lines and
 * those that begin with # are none. Each input is run in a process of its own,
 * and then some that differ from it a little: those are the same in each run,
 * and one that fails is printed as a line of a list.
 */
#define _DEFAULT_SOURCE
#include "test/fuzz/fuzz.h"
#include "test/unit/unit.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define LINE_BYTES_MAX 1000000
/* How many differ from an input, and in how many places at most. */
#define CHANGED    20
#define PLACES_MAX 4

static int passed, failed;

static void print(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned c = (unsigned char)bytes[i];

        printf(c < ' ' || c > '~' || c == '%' || (i == 0 && c == '#') ? "%%%02x"
                                                                      : "%c",
               c);
    }
    printf("\n");
}

static void pack(const char *name)
{
    static char bytes[LINE_BYTES_MAX];
    FILE *file = fopen(name, "rb");

    if (!file) {
        perror(name);
        exit(1);
    }
    print(bytes, fread(bytes, 1, sizeof bytes, file));
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

/* Copies an input and changes that, as `number` says: a byte becomes another,
 * comes in, or goes; or some bytes stand twice. `out` has room for twice that
 * in each place. Gives the length. */
static size_t change(char *out, const char *bytes, size_t length, int number)
{
    static const char tricky[] = "\r\n\t :;,%{}[]\"\\0159eE+-.afux\x7f\xc3";
    size_t at, n;

    memcpy(out, bytes, length);
    unit.random = (uint64_t)number;
    for (size_t places = 1 + unit_below(PLACES_MAX); places > 0; places--) {
        at = unit_below(length + 1);
        n = at < length ? unit_below(length - at < 16 ? length - at + 1 : 17)
                        : 0;
        switch (unit_below(4)) {
        case 0:
            n = n > 0;
            break;
        case 1:
            n = 0;
            break;
        case 2:
            memmove(out + at, out + at + n, length - at - n);
            length -= n;
            continue;
        default:
            memmove(out + at + n, out + at, length - at);
            length += n;
            continue;
        }
        memmove(out + at + 1, out + at + n, length - at - n);
        length += 1 - n;
        out[at] = unit_below(2) ? tricky[unit_below(sizeof tricky)]
                                : (char)unit_below(256);
    }
    return length;
}

/* Gives a target an input in memory of just its size. */
static void give(const char *bytes, size_t length)
{
    char *copy = memcpy(fuzz_memory(length), bytes, length);

    (void)LLVMFuzzerTestOneInput((const uint8_t *)copy, length);
    free(copy);
}

/* 1 when the target found no fault. */
static int run(const char *bytes, size_t length)
{
    static char changed[2 * LINE_BYTES_MAX];
    static int *number; /* of the change that is tried; 0: the input itself */
    const struct rlimit loop = {300, 300}; /* seconds of CPU time */
    int status = 1;
    pid_t child;

    if (!number)
        number = mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    *number = 0;
    child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CPU, &loop);
        give(bytes, length);
        while (++*number <= CHANGED)
            give(changed, change(changed, bytes, length, *number));
        fflush(stdout);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    if (status != 0 && *number > 0)
        print(changed, change(changed, bytes, length, *number));
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
