/*
 * kernel.h - a simulated kernel: every system call of the runtime ends here
 *
 * The linker's --wrap brings the calls of the product's objects to kernel.c,
 * where sockets lead to a struct peer and time is virtual. A run is a forked
 * process, so that each begins with the product's memory as it is at a start;
 * it leaves its result in shared memory. A fault makes one call fail, or from
 * that one on all of its kind. A call that is not wrapped (FAULT_CALLS in
 * test/test.mk) gets no such socket, and not even a run without a fault passes.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "test/fault/peer.h"

enum call {
    SIGACTION,
    SOCKET,
    FCNTL,
    CONNECT,
    SETSOCKOPT,
    GETSOCKOPT,
    POLL,
    READ,
    WRITEV,
    WRITE,
    CLOSE,
    NANOSLEEP,
    CLOCK_GETTIME,
    CALLS
};

/* What a call that fails gives, beside an errno: so many bytes, or success
 * with an error in the socket. */
#define SHORT(bytes)  (-1 - (bytes))
#define LATER(number) (1000 + (number))
/* Nothing fails, and SIGTERM comes. */
#define TERMINATED (-100)

enum { WRITES_MAX = 16 };

/* Of the wall clock, when a run begins. */
#define BEGIN_MS (1735481234000 + 3600000)

struct fault {
    unsigned long n; /* the call of the run that fails, from 1; 0: none */
    int code;
    int stuck; /* and from then on all of its kind; EINTR 100 times */
};

enum outcome {
    NOTHING, /* it did not come so far */
    RAN,     /* all events are given; it waits for another */
    EXITED,
    WAITED, /* a virtual minute has passed */
    WRONG
};

struct result {
    enum outcome outcome;
    int status; /* of EXITED */
    unsigned long calls;
    enum call call; /* that failed */
    int reached;
    int in_response; /* the fault came between event and reply */
    int silent;      /* it may be passed over: nobody used the connection */
    int may_log;     /* or its line may be that of a reply refused early */
    int in_row;      /* it came after another fault, without an event between */
    int lines;       /* on stderr, a fault each */
    int reports;     /* lines with the handler's own error */
    int lines_before;
    int connections, answered, lost;
    long elapsed_ms;           /* from the fault on */
    long write_ms[WRITES_MAX]; /* when each was made after the last event */
    int writes;
    unsigned used[CALLS];
    char log[2048];
    char why[256]; /* of WRONG */
};

/* Runs the product once. */
struct result run(const struct plan *plan, struct fault fault);

/* The same in this process, where what the product keeps in statics is that of
 * the run before. The result fills as it runs. */
void run_here(const struct plan *plan, struct result *result);

#endif
