/* The command line. */
#ifndef LAMBDA_OPTIONS_H
#define LAMBDA_OPTIONS_H

#include "settings.h"

/* Ends the program with a line and the usage where something is wrong. */
const struct settings *read_arguments(int argc, char **argv);
/* Finds what is to be run. False: it is not there, and that has been said. */
bool find_program(void);

#endif
