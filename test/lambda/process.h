/* Starting the function's process, and looking at it. */
#ifndef LAMBDA_PROCESS_H
#define LAMBDA_PROCESS_H

#include "settings.h"

#include <sys/types.h>

/* Raises the limit of descriptors for this program; its children get back
 * what it was. */
void process_raise_limit(void);

/* A line of its environment that no other process has. */
struct process_mark {
    char text[128];
};

struct process_plan {
    const struct program *program;
    char *const *arguments;
    uint16_t api_port;
};

/* Starts a program in a process group of its own, with its output on a
 * pipe. -1 and errno where it cannot be run. */
pid_t process_start(const struct settings *settings,
                    const struct process_plan *plan, struct process_mark *mark,
                    int *output);
/* What says how a process is; -1 where there is no /proc. It stays open, for it
 * is looked at after each invocation. */
int process_open_status(pid_t pid);
/* The most memory that a running process has had, in KiB; 0: unknown. */
long process_memory(int status);
/* "exit status 7", "signal: killed": the words of Lambda's messages. */
void process_describe(int wait_status, char *out, size_t size);

#endif
