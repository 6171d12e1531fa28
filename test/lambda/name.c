#define _POSIX_C_SOURCE 200809L
#include "name.h"

#include <stdio.h>
#include <string.h>

static bool is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static bool consists_of(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_alphanumeric(s.data[i]) &&
            (s.data[i] == 0 || strchr(others, s.data[i]) == NULL)) {
            return false;
        }
    }
    return s.size > 0;
}

static bool is_account(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
    }
    return s.size == 12;
}

/* us-east-1, us-gov-west-1 */
static bool is_region(struct slice s)
{
    size_t dashes = 0;

    for (size_t i = 0; i < s.size; i++) {
        dashes += s.data[i] == '-';
        if ((s.data[i] < 'a' || s.data[i] > 'z') && s.data[i] != '-' &&
            i + 1 < s.size) {
            return false;
        }
    }
    return s.size >= 9 && s.size <= 32 && dashes >= 2 &&
           s.data[s.size - 1] >= '0' && s.data[s.size - 1] <= '9';
}

bool is_function_name(struct slice s)
{
    struct function_name f;

    return s.size < sizeof f.name && consists_of(s, "-_");
}

static bool is_qualifier(struct slice s)
{
    struct function_name f;

    return s.size < sizeof f.qualifier && consists_of(s, "-_$.");
}

/* Takes the piece in front of a colon, if it is what is asked for. */
static bool take(struct slice *rest, bool (*is)(struct slice),
                 struct slice *piece)
{
    struct slice after = *rest;
    struct slice first = slice_cut(&after, ':');

    if (first.size == rest->size || !is(first)) {
        return false;
    }
    *piece = first;
    *rest = after;
    return true;
}

static bool is_arn(struct slice s)
{
    return slice_is(s, "arn");
}

static bool is_partition(struct slice s)
{
    return s.size <= 32 && slice_starts_nocase(s, "aws") && consists_of(s, "-");
}

static bool is_lambda(struct slice s)
{
    return slice_is(s, "lambda");
}

static bool is_function(struct slice s)
{
    return slice_is(s, "function");
}

/* The pattern of the API: (arn:PARTITION:lambda:)?(REGION:)?(ACCOUNT:)?
 * (function:)?NAME(:QUALIFIER)? */
const char *name_read(struct function_name *out, struct slice text,
                      struct slice qualifier)
{
    struct slice partition = slice_of("aws"), region = slice_of(REGION);
    struct slice account = slice_of(ACCOUNT), name, word;

    if (take(&text, is_arn, &word) && (!take(&text, is_partition, &partition) ||
                                       !take(&text, is_lambda, &word))) {
        return "FunctionName is no ARN of a function";
    }
    (void)take(&text, is_region, &region);
    (void)take(&text, is_account, &account);
    (void)take(&text, is_function, &word);
    name = slice_cut(&text, ':');
    if (!is_function_name(name)) {
        return "FunctionName must be 1 to 64 letters, digits, hyphens and "
               "underscores, or an ARN with such a name";
    }
    if ((text.size > 0 && !is_qualifier(text)) ||
        (qualifier.size > 0 && !is_qualifier(qualifier))) {
        return "Qualifier must be $LATEST, a version or the name of an alias";
    }
    if (text.size > 0 && qualifier.size > 0 &&
        (text.size != qualifier.size ||
         memcmp(text.data, qualifier.data, text.size) != 0)) {
        return "The derived qualifier from the function name does not match "
               "the specified qualifier.";
    }
    qualifier = text.size > 0 ? text : qualifier;
    (void)snprintf(out->name, sizeof out->name, "%.*s", (int)name.size,
                   (const char *)name.data);
    (void)snprintf(out->qualifier, sizeof out->qualifier, "%.*s",
                   (int)qualifier.size, (const char *)qualifier.data);
    (void)snprintf(out->arn, sizeof out->arn,
                   "arn:%.*s:lambda:%.*s:%.*s:function:%s%s%s",
                   (int)partition.size, (const char *)partition.data,
                   (int)region.size, (const char *)region.data,
                   (int)account.size, (const char *)account.data, out->name,
                   qualifier.size > 0 ? ":" : "", out->qualifier);
    return NULL;
}

const char *name_version(const struct function_name *f)
{
    size_t digits = strspn(f->qualifier, "0123456789");

    return digits > 0 && f->qualifier[digits] == '\0' ? f->qualifier
                                                      : "$LATEST";
}
