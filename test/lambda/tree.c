#define _DEFAULT_SOURCE
#include "tree.h"

#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

/* A process that forks while it is being looked for is found the next time. */
#define PASSES_MAX 8
/* Of an environment; what Lambda allows is 4 KiB. */
#define ENVIRONMENT_BYTES_MAX (256u * 1024u)

struct process {
    pid_t pid, parent, group;
    long resident_kib;
    bool ended; /* and waits to be reaped */
    bool ours;
};

struct list {
    struct process *all;
    size_t count, capacity;
};

void tree_adopt(void)
{
#if defined(__linux__)
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
}

/* pid (name) state ppid pgrp ... rss; a name may have any bytes in it. */
static bool read_stat(const char *pid, struct process *out)
{
    char path[64], text[1024];
    const char *rest;
    ssize_t n;
    long parent, group, pages;
    char state;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    rest = strrchr(text, ')');
    if (rest == NULL ||
        sscanf(rest,
               ") %c %ld %ld %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
               "%*d %*d %*d %*d %*u %*u %ld",
               &state, &parent, &group, &pages) != 4) {
        return false;
    }
    *out = (struct process){.pid = (pid_t)strtol(pid, NULL, 10),
                            .parent = (pid_t)parent,
                            .group = (pid_t)group,
                            .ended = state == 'Z' || state == 'X',
                            .resident_kib = pages *
                                            (sysconf(_SC_PAGESIZE) / 1024)};
    return true;
}

static void read_all(struct list *list)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    *list = (struct list){0};
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct process p;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !read_stat(entry->d_name, &p)) {
            continue;
        }
        if (list->count == list->capacity) {
            struct process *grown;

            list->capacity = list->capacity * 2 + 64;
            grown = allocate(list->capacity * sizeof *grown);
            if (list->count > 0) {
                memcpy(grown, list->all, list->count * sizeof *grown);
            }
            free(list->all);
            list->all = grown;
        }
        list->all[list->count++] = p;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

static bool has_mark(pid_t pid, const char *mark)
{
    struct buf text = {0};
    bool found = false;
    char path[64];
    ssize_t n = 1;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && n > 0 && buf_size(&text) < ENVIRONMENT_BYTES_MAX) {
        n = read(fd, buf_room(&text, 4096), 4096);
        text.end += n > 0 ? (size_t)n : 0;
    }
    buf_byte(&text, 0);
    for (size_t at = 0; at < text.end && !found;
         at += strlen((char *)text.data + at) + 1) {
        found = strcmp((char *)text.data + at, mark) == 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    buf_free(&text);
    return found;
}

/* Marks the descendants of those that are ours already. */
static void spread(struct list *list)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < list->count; i++) {
            struct process *p = &list->all[i];

            for (size_t k = 0; k < list->count && !p->ours; k++) {
                p->ours = list->all[k].ours && list->all[k].pid == p->parent;
                more = more || p->ours;
            }
        }
    }
}

static void find(struct list *list, pid_t leader, const char *mark)
{
    read_all(list);
    for (size_t i = 0; i < list->count; i++) {
        struct process *p = &list->all[i];

        p->ours = p->pid == leader || p->group == leader ||
                  (p->parent == getpid() && has_mark(p->pid, mark));
    }
    spread(list);
}

void tree_kill(pid_t leader, const char *mark)
{
    size_t killed = 1;

    for (int pass = 0; pass < PASSES_MAX && killed > 0; pass++) {
        struct list list;

        killed = 0;
        find(&list, leader, mark);
        for (size_t i = 0; i < list.count; i++) {
            if (list.all[i].ours && !list.all[i].ended &&
                kill(list.all[i].pid, SIGKILL) == 0) {
                killed++;
            }
        }
        free(list.all);
    }
}

long tree_memory(pid_t leader, const char *mark)
{
    struct list list;
    long kib = 0;

    find(&list, leader, mark);
    for (size_t i = 0; i < list.count; i++) {
        kib += list.all[i].ours ? list.all[i].resident_kib : 0;
    }
    free(list.all);
    return kib;
}

void tree_kill_all(void)
{
    struct timespec pause = {0, 1000000};

    for (int turn = 0; turn < 1000; turn++) {
        struct list list;
        pid_t pid;

        read_all(&list);
        for (size_t i = 0; i < list.count; i++) {
            list.all[i].ours = list.all[i].parent == getpid();
        }
        spread(&list);
        for (size_t i = 0; i < list.count; i++) {
            if (list.all[i].ours) {
                (void)kill(list.all[i].pid, SIGKILL);
            }
        }
        free(list.all);
        do {
            pid = waitpid(-1, NULL, WNOHANG);
        } while (pid > 0);
        if (pid < 0) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}
