/* greeting.c - what greeting.cpp does, in C */
#include "routes.h"

const char *say_greeting(void)
{
    return "Hello";
}
