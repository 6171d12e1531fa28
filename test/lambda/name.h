/* Names of functions as the API's callers write them. */
#ifndef LAMBDA_NAME_H
#define LAMBDA_NAME_H

#include "base.h"

#define ACCOUNT "123456789012"
#define REGION  "us-east-1"

struct function_name {
    char name[65];
    char qualifier[129]; /* empty: none was given */
    char arn[400];       /* of the invocation, with the qualifier */
};

bool is_function_name(struct slice s);
/* Reads a name, a partial or a full ARN, any of them with a qualifier, and the
 * qualifier that was given beside it. NULL, or what is wrong. */
const char *name_read(struct function_name *out, struct slice text,
                      struct slice qualifier);
/* What X-Amz-Executed-Version says: an alias is one of $LATEST here. */
const char *name_version(const struct function_name *f);

#endif
