#ifndef ROUTES_H
#define ROUTES_H

struct route {
    const char *name;
    const char *(*say)(void);
};

#ifdef __cplusplus
extern "C" {
#endif
const char *say_numbers(void);
const char *say_greeting(void);
#ifdef __cplusplus
}
#endif

#endif
