/*
 * lambda_calls.h - the system calls of the local Lambda that lambda.c replaces
 *
 * Included before all else where test/lambda is compiled for it, so that the
 * system's headers declare the new names.
 */
#ifndef LAMBDA_CALLS_H
#define LAMBDA_CALLS_H

#define accept        fuzz_accept
#define clock_gettime fuzz_clock_gettime
#define close         fuzz_close
#define fork          fuzz_fork
#define getentropy    fuzz_getentropy
#define kill          fuzz_kill
#define open          fuzz_open
#define opendir       fuzz_opendir
#define poll          fuzz_poll
#define wait4         fuzz_wait4
#define waitid        fuzz_waitid
#define waitpid       fuzz_waitpid
#define write         fuzz_write

#endif
