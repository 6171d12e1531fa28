/* The transcript of the Runtime API: every byte, both ways, with what it is.
 *
 * A tap stands beside a connection and sees its bytes as they pass; it
 * classifies them by itself and knows nothing of the transport. */
#ifndef LAMBDA_WIRE_H
#define LAMBDA_WIRE_H

#include "base.h"

enum wire_direction { WIRE_FROM_RUNTIME, WIRE_TO_RUNTIME };

struct wire;

/* NULL: to stderr. False and errno where the file cannot be written. */
bool wire_enable(const char *path);

/* NULL where no transcript is wanted. The epoch is what times are relative
 * to; it is read at every line. */
struct wire *wire_open(unsigned sandbox, unsigned connection,
                       const int64_t *epoch);
void wire_bytes(struct wire *w, enum wire_direction direction, struct slice s);
void wire_close(struct wire *w);

/* A line between the bytes, such as the start of an invocation. */
void wire_note(unsigned sandbox, const char *format, ...) FORMAT(2, 3);

#endif
