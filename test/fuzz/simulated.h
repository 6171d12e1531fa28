/*
 * simulated.h - comes before each source of the product in the fuzz target
 * loop.c: its system calls are then the target's functions
 */
#ifndef SIMULATED_H
#define SIMULATED_H

#define _exit         simulated_exit
#define clock_gettime simulated_clock_gettime
#define close         simulated_close
#define connect       simulated_connect
#define fcntl         simulated_fcntl
#define main          simulated_main
#define nanosleep     simulated_nanosleep
#define poll          simulated_poll
#define read          simulated_read
#define setsockopt    simulated_setsockopt
#define socket        simulated_socket
#define write         simulated_write
#define writev        simulated_writev
/* With its brackets, for there is a struct of that name. */
#define sigaction(signal, action, old) simulated_sigaction(signal, action, old)

int main(int argc, char **argv);

#endif
