/* What --help says. */
#ifndef LAMBDA_USAGE_H
#define LAMBDA_USAGE_H

extern const char usage_text[], help_text[];

#endif
