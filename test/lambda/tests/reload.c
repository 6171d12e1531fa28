/* A bootstrap that is rebuilt while lambda runs. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char program[64], aside[80];

/* Copies this program. With a lambda it is asked when half is there. */
static void copy_to(const char *path, struct lambda *l, struct stream *s)
{
    static char piece[65536];
    int from = open(self, O_RDONLY);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    ssize_t n;

    while ((n = read(from, piece, sizeof piece)) > 0) {
        (void)!write(to, piece, (size_t)n);
        if (l != NULL && s->fd < 0) {
            stream_open(s, "127.0.0.1", l->port);
            (void)stream_send(s, TEXT("GET /pid HTTP/1.1\r\nHost: h\r\n\r\n"));
        }
        pause_ms(l == NULL ? 0 : 20);
    }
    close(from);
    close(to);
}

static long pid_of(struct lambda *l)
{
    struct message m;
    long pid;

    get(l, &m, "/pid");
    pid = strtol(m.body.data, NULL, 10);
    message_free(&m);
    return pid;
}

/* The time since a file was written. */
static int64_t age_ms(const char *path)
{
    struct stat status;
    struct timespec now;

    if (stat(path, &status) != 0) {
        return -1;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((int64_t)now.tv_sec - status.st_mtim.tv_sec) * 1000 +
           (now.tv_nsec - status.st_mtim.tv_nsec) / 1000000;
}

static void test_program(struct lambda *l)
{
    struct stream s = {.fd = -1};
    struct message m;
    long first = pid_of(l), second, third;

    check("nothing has changed: the same process",
          first > 0 && pid_of(l) == first, l->log.data);
    copy_to(aside, NULL, NULL);
    (void)rename(aside, program);
    second = pid_of(l);
    check("a new file: a new process", second > 0 && second != first,
          l->log.data);
    check("not before the file has been quiet for a moment",
          age_ms(program) >= 50, "");
    check("which the log says", logs(l, " has changed: "), l->log.data);
    check("the old one ends", is_gone(first), "");
    /* In place, which the old process would not allow. */
    (void)unlink(program);
    copy_to(program, l, &s);
    (void)read_message(&s, &m, false, PATIENCE_MS);
    third = strtol(m.body.data, NULL, 10);
    check("half a file is not run",
          m.status == 200 && third > 0 && third != second, l->log.data);
    message_free(&m);
    stream_close(&s);
}

void test_reload(void)
{
    char *arguments[] = {
        strdup(lambda_path),     strdup("--port"),      strdup("0"),
        strdup("--runtime-api"), strdup("127.0.0.1:0"), strdup("--timeout"),
        strdup("900"),           strdup("--"),          program,
        strdup("--runtime"),     strdup("good"),        NULL};
    struct lambda l;

    (void)snprintf(program, sizeof program, "/tmp/lambda-test-program-%ld",
                   (long)getpid());
    (void)snprintf(aside, sizeof aside, "%s.new", program);
    copy_to(program, NULL, NULL);
    launch(&l, arguments);
    if (is_up(&l)) {
        test_program(&l);
        stop(&l);
    }
    (void)unlink(program);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (arguments[i] != program) {
            free(arguments[i]);
        }
    }
}
