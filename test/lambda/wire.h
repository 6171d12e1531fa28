/* The transcript of the Runtime API: every byte, both ways, with what it is.
 *
 * A tap stands beside a connection and sees its bytes as they pass; it
 * classifies them by itself and knows nothing of the transport. The file's
 * ending says the form: .html is a page, .pcapng a capture, all else text. */
#ifndef LAMBDA_WIRE_H
#define LAMBDA_WIRE_H

#include "base.h"

enum wire_direction { WIRE_FROM_RUNTIME, WIRE_TO_RUNTIME };

struct wire;

/* NULL: to stderr. False and errno where the file cannot be written. */
bool wire_enable(const char *path);
/* Writes what has waited for more. */
void wire_disable(void);

/* NULL where no transcript is wanted. The epoch is what times are relative
 * to; it is read at every line. */
struct wire *wire_open(unsigned sandbox, unsigned connection,
                       const int64_t *epoch);
void wire_bytes(struct wire *w, enum wire_direction direction, struct slice s);
void wire_close(struct wire *w);

/* What happens in a sandbox beside its connections. */
void wire_process_starts(unsigned sandbox, long pid, unsigned port);
void wire_invocation_starts(unsigned sandbox, const char *id);
void wire_invocation_ends(unsigned sandbox);

#endif
