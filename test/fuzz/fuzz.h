/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is a function that is given bytes and ends the process when it finds
 * a fault. libFuzzer looks for such bytes; replay.c gives those known.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's name and contract. The result is 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(good)                                                    \
    do {                                                                \
        if (!(good)) {                                                  \
            printf("%s:%d: expected: %s\n", __FILE__, __LINE__, #good); \
            fflush(stdout);                                             \
            abort();                                                    \
        }                                                               \
    } while (0)

/* Memory of just that size, so that a sanitizer sees what is beyond. */
static inline char *fuzz_memory(size_t size)
{
    char *p = malloc(size + (size == 0));

    if (!p)
        abort();
    return p;
}

#endif
