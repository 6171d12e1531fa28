/* What a runtime writes to its standard output and error. */
#ifndef LAMBDA_OUTPUT_H
#define LAMBDA_OUTPUT_H

#include "loop.h"

struct output {
    /* Sees all lines as they are passed on. */
    void (*lines)(struct output *, struct slice lines);
    struct watch watch;
    struct buf text; /* a line that has not ended */
};

void output_init(struct output *o,
                 void (*lines)(struct output *, struct slice lines));
void output_open(struct output *o, int fd);
/* Passes on what has been written by now; a line that has not ended, too, if
 * all is wanted. A process that goes on writing does not keep us here. */
void output_take(struct output *o, bool all);
void output_close(struct output *o);

#endif
