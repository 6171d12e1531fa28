/*
 * soak_clock.h - by how much the wall clock of soak_clock.c may be wrong, in
 * seconds
 *
 * From seconds to twenty years, so that stamps keep their ten digits. All but
 * the shortest are minutes apart: a stamp tells which of them it was made with.
 */
static const long clock_jumps_s[] = {
    0, 2, -2, 3600, -86400, 31556952, -31556952, 631139040, -631139040};

#define CLOCK_JUMPS (sizeof clock_jumps_s / sizeof *clock_jumps_s)
