/* The event loop: descriptors and timers on one thread, with poll().
 *
 * A watch lives inside the object that it wakes. An object that goes away
 * while its handlers may still be on the stack is given to loop_free(), which
 * frees it at the end of the turn. */
#ifndef LAMBDA_LOOP_H
#define LAMBDA_LOOP_H

#include "base.h"

#include <stddef.h>

struct watch {
    int fd;       /* below 0: a timer alone */
    short events; /* of poll() */
    int64_t due;  /* when on_due() is called, once; 0: never */
    void (*on_io)(struct watch *, short revents);
    void (*on_due)(struct watch *);
    struct watch *next, **link; /* private, as is the turn */
    size_t turn;
};

#define CONTAINER(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

void loop_add(struct watch *w);
void loop_remove(struct watch *w); /* of one that was not added: nothing */
void loop_free(void *object);

/* Signals arrive between turns, as a call with their number. */
void loop_signal(int number, void (*handler)(int number));
int loop_run(void); /* returns what loop_stop() was given */
void loop_stop(int status);

int fd_prepare(int fd); /* non-blocking, closed on exec; above 2 */

#endif
