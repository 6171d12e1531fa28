/*
 * soak_clock.c - a wall clock that jumps, for a bootstrap linked with
 * -Wl,--wrap=clock_gettime; the monotonic clock is left alone
 *
 * It tells the truth once, which is when the first event's deadline is judged.
 * After that one call in three makes it jump. SOAK_JUMPS in the environment is
 * the seed.
 */
#include "soak_clock.h"

#include <stdlib.h>
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    static unsigned calls;
    static long wrong_s;
    const char *seed = getenv("SOAK_JUMPS");
    int rc = __real_clock_gettime(clock, t);

    if (clock != CLOCK_REALTIME)
        return rc;
    if (calls == 0 && seed)
        srand((unsigned)strtoul(seed, NULL, 10));
    if (calls++ > 0 && rand() % 3 == 0)
        wrong_s = clock_jumps_s[(size_t)rand() % CLOCK_JUMPS];
    t->tv_sec += wrong_s;
    return rc;
}
