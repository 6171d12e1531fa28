/* What starts the local Lambda, asks it and looks at what it says. */
#ifndef LAMBDA_TEST_HARNESS_H
#define LAMBDA_TEST_HARNESS_H

#include "peer.h"

#include <sys/types.h>

extern const char *self, *lambda_path;
extern unsigned passed, failed, skipped;
extern char gate[64];
extern bool on_terminal; /* what start() gives as standard error */

/* Ports that are free, and no limit that a slow machine could reach. */
#define PORTS                                                          \
    "--port", "0", "--runtime-api", "127.0.0.1:0", "--timeout", "900", \
        "--init-timeout", "0"

struct lambda {
    pid_t pid;
    unsigned port, api_port;
    struct bytes log;
    int log_fd, out_fd;
};

void check(const char *name, bool good, const char *got);
bool is_like(const char *text, const char *pattern);
bool read_log(struct lambda *l, int patience_ms);
bool logs(struct lambda *l, const char *text);
void launch(struct lambda *l, char *const *arguments);
void start(struct lambda *l, const char *how, ...);
bool is_up(struct lambda *l);
int await_end(struct lambda *l);
void discard_lambda(struct lambda *l);
void stop(struct lambda *l);
void ask(struct lambda *l, struct message *m, const char *request, size_t size);
void get(struct lambda *l, struct message *m, const char *path);
void post(struct lambda *l, struct message *m, const char *path,
          const char *fields, const char *body, size_t size);
void expect(struct lambda *l, const char *name, const char *path, int status,
            const char *head, const char *body);
void read_output(struct lambda *l, struct bytes *out);
void open_gate(void);
bool is_gone(long pid);
/* How often it occurs. */
unsigned count_of(const char *text, const char *what);
/* Waits until as many clients as wanted have got something; how many have. */
unsigned await_begun(struct stream *clients, unsigned count, unsigned wanted);

/* The other half of this program: what lambda starts. */
int be_runtime(const char *how);
int be_extension(const char *name);

#endif
