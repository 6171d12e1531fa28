/* Lines for people, on standard error, and the transcript's file.
 *
 * Nothing here waits: what a reader does not take is kept for it as long as
 * there is room, and then lines are dropped and counted. */
#ifndef LAMBDA_LOG_H
#define LAMBDA_LOG_H

#include "base.h"

void log_open(void);
bool log_colour(void);

/* One line; of LOG_REPORT, whose text is all ours, perhaps several. Control
 * characters in it are made harmless, since some of its
 * text comes from peers. */
enum log_kind { LOG_NOTE, LOG_REPORT, LOG_ERROR };
void log_line(enum log_kind kind, const char *format, ...) FORMAT(2, 3);

/* Whole lines as they are. fd is standard error, or one other file. */
void log_bytes(int fd, const void *data, size_t size);
/* Whole lines that a runtime has written. On a terminal a CR in a line ends
 * it, and of control sequences only colours are passed on. */
void log_output(struct slice lines);

/* Gives the reader a last chance to take what waits, unless we are ending
 * because of a signal. */
void log_close(void);
/* From a signal handler: we are. */
void log_hurry(void);

#endif
