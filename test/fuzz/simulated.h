/*
 * simulated.h - comes before each source of the product in the fuzz target
 * loop.c: its system calls are then those of test/fault/kernel.c, as the linker
 * makes them elsewhere. It would do so for the fuzzer's, too.
 */
#ifndef SIMULATED_H
#define SIMULATED_H

#define _exit         __wrap__exit
#define clock_gettime __wrap_clock_gettime
#define close         __wrap_close
#define connect       __wrap_connect
#define fcntl         __wrap_fcntl
#define getsockopt    __wrap_getsockopt
#define main          __real_main
#define nanosleep     __wrap_nanosleep
#define poll          __wrap_poll
#define read          __wrap_read
#define setsockopt    __wrap_setsockopt
#define socket        __wrap_socket
#define write         __wrap_write
#define writev        __wrap_writev
/* With its brackets, for there is a struct of that name. */
#define sigaction(signal, action, old) __wrap_sigaction(signal, action, old)

int main(int argc, char **argv);

#endif
