/* numbers.c - needs what a C library has, and libgcc: floating point, and
 * integers of 128 bits; and a table that is not constant. */
#include "routes.h"

static const char *names[] = {"none", "one", "many"};
static volatile double half = 0.5;
__extension__ static volatile unsigned __int128 large = 42;

const char *say_numbers(void)
{
    int n = (int)(half * 2.0);

    return names[(large << 70) / (unsigned)(n + 20) >> 70 == 2 ? 2 : 0];
}
