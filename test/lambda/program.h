/* What is to be run: a program, and the folder where it runs. */
#ifndef LAMBDA_PROGRAM_H
#define LAMBDA_PROGRAM_H

#include "base.h"

struct program {
    char *path;   /* absolute */
    char *folder; /* LAMBDA_TASK_ROOT as well */
};

/* A name with a slash is a file, which runs in its own folder; another is
 * looked up in PATH and runs in ours. folder, where it is not NULL, counts over
 * both. False, after a line: there is no such program, or no such folder. */
bool program_find(struct program *out, const char *name, const char *folder);

/* Which files they are that would be run now. */
struct program_stamp {
    uint64_t text[8];
};

/* Looks at the program and, where that is an interpreter, at its script: the
 * first argument that is a file. False: one of them is not there, or is being
 * written, for all that can be seen. */
bool program_look(struct program_stamp *out, const struct program *p,
                  char *const *arguments);

#endif
