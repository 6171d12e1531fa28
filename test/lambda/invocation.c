#define _POSIX_C_SOURCE 200809L
#include "invocation.h"

#include "log.h"
#include "runtime_api.h"
#include "text.h"
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bandwidth of a streamed response, as RAPID has it: a bucket that starts
 * full and is refilled eight times a second. */
#define BUCKET_BYTES (6 * 1024 * 1024)
#define REFILL_NS    (NS_PER_S / 8)
#define REFILL_BYTES (2 * 1024 * 1024 / 8)

/* AWS documents 200 MB. Where its code is public its MB are 1,048,576 bytes,
 * so this one is taken for the same. */
#define STREAM_BYTES_MAX (200u * 1024u * 1024u)

/* What a caller gets of the log. */
#define TAIL_BYTES 4096u

void invocation_output(struct invocation *i, struct slice lines)
{
    if (!i->wants_tail) {
        return;
    }
    buf_add_slice(&i->tail, lines);
    if (buf_size(&i->tail) > 2 * TAIL_BYTES) {
        buf_consume(&i->tail, buf_size(&i->tail) - TAIL_BYTES);
    }
}

struct slice invocation_tail(struct invocation *i)
{
    if (buf_size(&i->tail) > TAIL_BYTES) {
        buf_consume(&i->tail, buf_size(&i->tail) - TAIL_BYTES);
    }
    return buf_slice(&i->tail);
}

/* A line of ours that is part of the invocation's log. */
FORMAT(3, 4)
static void tell(struct invocation *i, enum log_kind kind, const char *format,
                 ...)
{
    struct buf line = {0};
    va_list args;

    va_start(args, format);
    buf_format_list(&line, format, args);
    va_end(args);
    log_line(kind, "%.*s", (int)buf_size(&line), (const char *)line.data);
    buf_byte(&line, '\n');
    invocation_output(i, buf_slice(&line));
    buf_free(&line);
}

static void on_refill(struct watch *w)
{
    struct invocation *i = CONTAINER(w, struct invocation, refill);

    invocation_resume(i);
}

struct invocation *invocation_new(struct caller *caller, const char *arn,
                                  struct slice trace)
{
    struct invocation *i = allocate(sizeof *i);

    uuid_make(i->id);
    uuid_make(i->nonce);
    i->caller = caller;
    i->arn = slice_copy(slice_of(arn));
    i->trace_id = trace_complete(trace);
    i->tokens = BUCKET_BYTES;
    i->refill.fd = -1;
    i->refill.on_due = on_refill;
    if (caller != NULL) {
        caller->invocation = i;
    }
    return i;
}

uint64_t invocation_limit(const struct invocation *i)
{
    return i->caller != NULL && i->caller->ops->streams ? STREAM_BYTES_MAX
                                                        : PAYLOAD_BYTES_MAX;
}

void invocation_begin(struct invocation *i, struct slice content_type)
{
    i->begun = true;
    i->throttled = i->throttled && i->caller != NULL && i->caller->ops->streams;
    i->refilled = now_ns();
    loop_add(&i->refill);
    if (i->caller != NULL) {
        i->caller->ops->begin(i->caller, content_type);
    }
}

static size_t tokens(struct invocation *i)
{
    int64_t periods = (now_ns() - i->refilled) / REFILL_NS;

    if (periods > 0) {
        i->refilled += periods * REFILL_NS;
        i->tokens += periods * REFILL_BYTES;
        i->tokens = i->tokens > BUCKET_BYTES ? BUCKET_BYTES : i->tokens;
    }
    if (i->tokens == 0) {
        i->refill.due = i->refilled + REFILL_NS;
    }
    return (size_t)i->tokens;
}

size_t invocation_room(struct invocation *i)
{
    size_t room = SIZE_MAX;

    if (i->caller != NULL && i->caller->ops->room != NULL) {
        room = i->caller->ops->room(i->caller);
    }
    if (i->throttled) {
        size_t allowed = tokens(i);

        room = room < allowed ? room : allowed;
    }
    return room;
}

bool invocation_data(struct invocation *i, struct slice data)
{
    uint64_t left = invocation_limit(i) - i->bytes;
    bool fits = data.size <= left;

    data.size = fits ? data.size : (size_t)left;
    if (i->first_byte == 0) {
        i->first_byte = now_ns();
    }
    i->bytes += data.size;
    i->tokens -= i->throttled ? (int64_t)data.size : 0;
    if (i->caller != NULL && data.size > 0) {
        i->caller->ops->data(i->caller, data);
    }
    return fits;
}

void invocation_answer(struct invocation *i, const struct failure *failure)
{
    struct caller *caller = i->caller;

    if (i->answered) {
        return;
    }
    i->answered = true;
    loop_remove(&i->refill);
    if (failure != NULL) {
        tell(i, LOG_ERROR, "ERROR RequestId: %s %s: %.*s", i->id, failure->type,
             (int)failure->body.size, (const char *)failure->body.data);
        i->error_type = slice_copy(slice_of(failure->type));
        if (i->status == NULL) {
            i->status = "error";
        }
    }
    if (caller == NULL) {
        return;
    }
    caller->invocation = NULL;
    if (caller->ops->finished == NULL) {
        i->caller = NULL;
    }
    caller->ops->end(caller, failure);
}

void invocation_fail(struct invocation *i, const char *type, const char *format,
                     ...)
{
    struct buf message = {0}, body = {0};
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_format(&message, "RequestId: %s Error: %s", i->id, text);
    buf_text(&body, "{\"errorType\":");
    json_quote(&body, slice_of(type));
    buf_text(&body, ",\"errorMessage\":");
    json_quote(&body, buf_slice(&message));
    buf_text(&body, "}");
    if (i->answered) {
        tell(i, LOG_ERROR, "ERROR RequestId: %s %s: %.*s", i->id, type,
             (int)buf_size(&body), (const char *)body.data);
        free(i->error_type);
        i->error_type = slice_copy(slice_of(type));
        if (i->status == NULL) {
            i->status = "error";
        }
    } else {
        invocation_answer(
            i, &(struct failure){.type = type, .body = buf_slice(&body)});
    }
    buf_free(&message);
    buf_free(&body);
}

void invocation_start(struct invocation *i)
{
    if (!i->told_start) {
        i->told_start = true;
        tell(i, LOG_REPORT, "START RequestId: %s Version: %s", i->id,
             i->version);
    }
}

/* The initialisation is billed as well. */
static void report(struct invocation *i, long memory_kib)
{
    int64_t now = now_ns();
    int64_t started = i->started == 0 ? now : i->started;
    int64_t billed = now - started + i->init_ns + NS_PER_MS - 1;
    struct buf line = {0};

    buf_format(&line, "END RequestId: %s\n", i->id);
    buf_format(&line,
               "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: "
               "%lld ms\tMemory Size: %ld MB\tMax Memory Used: %ld MB",
               i->id, (double)(now - started) / 1e6,
               (long long)(billed / NS_PER_MS), i->memory_mb,
               (memory_kib + 1023) / 1024);
    if (i->init_ns > 0) {
        buf_format(&line, "\tInit Duration: %.2f ms", (double)i->init_ns / 1e6);
    }
    if (i->first_byte != 0) {
        buf_format(&line, "\tTime To First Byte: %.2f ms",
                   (double)(i->first_byte - started) / 1e6);
    }
    buf_format(&line, "\tBytes: %llu\tChunks: %llu",
               (unsigned long long)i->bytes, (unsigned long long)i->chunks);
    if (i->status != NULL) {
        buf_format(&line, "\tStatus: %s", i->status);
        if (i->error_type != NULL) {
            buf_format(&line, "\tError Type: %s", i->error_type);
        }
    }
    tell(i, LOG_REPORT, "%.*s", (int)buf_size(&line), (const char *)line.data);
    buf_free(&line);
}

void invocation_discard(struct invocation *i)
{
    if (i->caller != NULL) {
        i->caller->invocation = NULL;
    }
    loop_remove(&i->refill);
    loop_remove(&i->timer);
    buf_free(&i->event);
    buf_free(&i->tail);
    free(i->arn);
    free(i->trace_id);
    free(i->client_context);
    free(i->tenant_id);
    free(i->error_type);
    loop_free(i);
}

void invocation_finish(struct invocation *i, long memory_kib)
{
    struct caller *caller = i->caller;
    bool failed = i->status != NULL;

    invocation_start(i);
    report(i, memory_kib);
    if (caller != NULL && caller->ops->finished != NULL) {
        caller->ops->finished(caller, failed, invocation_tail(i));
    }
    i->caller = NULL;
    invocation_discard(i);
}

void invocation_flush(struct invocation *i)
{
    if (i->caller != NULL && !i->answered && i->caller->ops->flush != NULL) {
        i->caller->ops->flush(i->caller);
    }
}

void invocation_resume(struct invocation *i)
{
    if (i != NULL && !i->answered) {
        api_resume(i);
    }
}
