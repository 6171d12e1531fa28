/* What --help says. */
#ifndef LAMBDA_USAGE_H
#define LAMBDA_USAGE_H

extern const char usage_text[];
extern const char *const help_text[]; /* the last one is NULL */

#endif
