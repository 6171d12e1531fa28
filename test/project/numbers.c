/* numbers.c - needs what a C library has, and libgcc: floating point, and
 * integers of 128 bits; and a table that is not constant. */
#include "routes.h"

static const char *names[] = {"none", "one", "many"};
static volatile double half = 0.5;
static volatile unsigned __int128 large = (unsigned __int128)42 << 70;

const char *say_numbers(void)
{
    int n = (int)(half * 2.0);

    return names[large / (unsigned)(n + 20) >> 70 == 2 ? 2 : 0];
}
