/* The processes of a sandbox: what its program started goes with it, also what
 * has left its process group. Where there is no /proc only the group does. */
#ifndef LAMBDA_TREE_H
#define LAMBDA_TREE_H

#include <sys/types.h>

/* From now on processes whose parent has ended become our children. */
void tree_adopt(void);

/* The mark is a line of the environment that only this sandbox's processes
 * have: by it those are known whose parent has ended. */
void tree_kill(pid_t leader, const char *mark);
/* What is resident of all of them, in KiB; 0: unknown. */
long tree_memory(pid_t leader, const char *mark);
/* Kills whatever is left of ours, when everything ends. */
void tree_kill_all(void);

#endif
