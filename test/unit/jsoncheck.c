/*
 * jsoncheck - the product's JSON reader, for suites that others bring
 *
 *     jsoncheck FILE...
 *
 * Prints `accept NAME` or `reject NAME`, a line each. Exit 0, 1 when a file
 * could not be read (or the output not be written), 2 for a wrong call.
 */
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Lambda's own bound for an event. One byte more shows that a file is over. */
#define FILE_BYTES_MAX 6291556

static const char usage[] =
    "usage: jsoncheck FILE...\n"
    "Prints `accept NAME` or `reject NAME` for each file, a line each.\n"
    "A file is of at most 6291556 bytes; `--` ends the options.\n"
    "Exit: 0, 1 when a file could not be read, 2 for a wrong call.\n";

static char text[FILE_BYTES_MAX + 1];

static int accepted(size_t length)
{
    struct json_reader r;
    struct json_token token;
    int rc;

    json_start(&r, text, length);
    do
        rc = json_next(&r, &token);
    while (rc > 0);
    return rc == 0;
}

/* 0, or 1 when the file could not be read. */
static int check(const char *name)
{
    FILE *file = fopen(name, "rb");
    size_t length = 0;
    int failed = 1;

    if (file) {
        length = fread(text, 1, sizeof text, file);
        failed = ferror(file);
    }
    if (failed)
        fprintf(stderr, "jsoncheck: %s: %s\n", name, strerror(errno));
    else if (length > FILE_BYTES_MAX)
        fprintf(stderr, "jsoncheck: %s: larger than %d bytes\n", name,
                FILE_BYTES_MAX);
    else
        printf("%s %s\n", accepted(length) ? "accept" : "reject", name);
    if (file)
        fclose(file);
    return failed || length > FILE_BYTES_MAX;
}

int main(int argc, char **argv)
{
    int i = 1, failed = 0;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        i++;
    else if (argc > 1 && argv[1][0] == '-') {
        fprintf(stderr, "jsoncheck: unknown option %s\n%s", argv[1], usage);
        return 2;
    }
    if (i == argc) {
        fprintf(stderr, "jsoncheck: no file given\n%s", usage);
        return 2;
    }
    for (; i < argc; i++)
        failed |= check(argv[i]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "jsoncheck: standard output: %s\n", strerror(errno));
        return 1;
    }
    return failed;
}
