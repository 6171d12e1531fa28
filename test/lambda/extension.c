#define _POSIX_C_SOURCE 200809L
#include "extension.h"

#include "json.h"
#include "log.h"
#include "runtime_api.h"
#include "text.h"
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX     "/2020-01-01/extension/"
#define IDENTIFIER "Lambda-Extension-Identifier"
/* Lambda's limit, of internal ones as well. */
#define EXTENSIONS_MAX 10

struct extension {
    struct extension *next; /* of all sandboxes */
    struct sandbox *box;
    char *name;
    char id[UUID_SIZE]; /* empty: not registered yet */
    bool invoke, shutdown;
    bool asked; /* for an event, once at least */
    bool ended; /* its process */
    pid_t pid;  /* 0: an internal one */
    struct process_mark mark;
    struct output output;
    struct api_conn *waiting;
    struct buf pending; /* an event that it has not asked for yet */
};

static struct extension *all;

static void on_lines(struct output *o, struct slice lines)
{
    (void)o;
    (void)lines;
}

static struct extension *add(struct sandbox *box, const char *name)
{
    struct extension *e = allocate(sizeof *e);

    e->box = box;
    e->name = slice_copy(slice_of(name));
    output_init(&e->output, on_lines);
    e->next = all;
    all = e;
    return e;
}

bool extensions_start(struct sandbox *box)
{
    const struct settings *s = box->settings;

    for (size_t i = 0; i < s->extension_count; i++) {
        const struct program *p = &s->extensions[i];
        char *arguments[] = {p->path, NULL};
        const char *name = strrchr(p->path, '/') + 1;
        struct process_plan plan = {p, arguments, box->port};
        struct extension *e;
        struct process_mark mark;
        int output;
        pid_t pid = process_start(s, &plan, &mark, &output);

        if (pid < 0) {
            return false;
        }
        e = add(box, name);
        e->pid = pid;
        e->mark = mark;
        output_open(&e->output, output);
    }
    return true;
}

bool extensions_any(const struct sandbox *box)
{
    struct extension *e = all;

    while (e != NULL && e->box != box) {
        e = e->next;
    }
    return e != NULL;
}

bool extensions_alive(const struct sandbox *box)
{
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box && e->pid != 0 && !e->ended) {
            return true;
        }
    }
    return false;
}

bool extensions_ready(const struct sandbox *box)
{
    for (struct extension *e = all; e != NULL; e = e->next) {
        bool waits = e->waiting != NULL;

        /* One that is told of nothing asks once, and may never come back. */
        if (e->box == box && !(e->invoke ? waits : e->asked)) {
            return false;
        }
    }
    return true;
}

static void send_event(struct extension *e, struct slice event)
{
    struct buf fields = {0};
    char id[UUID_SIZE];
    struct api_conn *to = e->waiting;

    if (to == NULL) {
        buf_clear(&e->pending);
        buf_add_slice(&e->pending, event);
        return;
    }
    uuid_make(id);
    buf_format(&fields,
               "Content-Type: application/json\r\n"
               "Lambda-Extension-Event-Identifier: %s\r\n%c",
               id, 0);
    e->waiting = NULL;
    api_answer(to, 200, (char *)fields.data, event);
    buf_free(&fields);
}

void extensions_invoke(struct sandbox *box, const struct invocation *i)
{
    struct buf event = {0};

    buf_format(&event,
               "{\"eventType\":\"INVOKE\",\"deadlineMs\":%lld,"
               "\"requestId\":\"%s\",\"invokedFunctionArn\":",
               (long long)i->deadline_ms, i->id);
    json_quote(&event, slice_of(i->arn));
    buf_text(&event, ",\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":");
    json_quote(&event, slice_of(i->trace_id));
    buf_text(&event, "}}");
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box && e->invoke) {
            send_event(e, buf_slice(&event));
        }
    }
    buf_free(&event);
}

void extensions_shutdown(struct sandbox *box, const char *reason,
                         int64_t deadline_ms)
{
    struct buf event = {0};

    buf_format(&event,
               "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"%s\","
               "\"deadlineMs\":%lld}",
               reason, (long long)deadline_ms);
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box != box || e->pid == 0 || e->ended) {
            continue;
        }
        if (e->shutdown) {
            send_event(e, buf_slice(&event));
        } else {
            (void)kill(-e->pid, SIGKILL);
        }
    }
    buf_free(&event);
}

void extensions_kill(struct sandbox *box)
{
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box && e->pid != 0 && !e->ended) {
            (void)kill(-e->pid, SIGKILL);
        }
    }
}

void extensions_clear(struct sandbox *box)
{
    struct extension **at = &all;

    while (*at != NULL) {
        struct extension *e = *at;

        if (e->box != box) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        output_close(&e->output);
        buf_free(&e->pending);
        free(e->name);
        loop_free(e);
    }
}

struct sandbox *extension_exited(pid_t pid, int wait_status)
{
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->pid == pid && !e->ended) {
            char how[64];

            e->ended = true;
            output_take(&e->output, true);
            if (!e->box->condemned) {
                process_describe(wait_status, how, sizeof how);
                log_line(LOG_ERROR, "EXTENSION Name: %s ended: %s", e->name,
                         how);
            }
            return e->box;
        }
    }
    return NULL;
}

static void refuse(struct extension_reply *out, int status, const char *type,
                   const char *message)
{
    out->status = status;
    buf_format(&out->body, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n",
               message, type);
    log_line(LOG_NOTE, "Extensions API: %d %s: %s", status, type, message);
}

/* {"events":["INVOKE","SHUTDOWN"]}; false: something else. */
static bool read_events(struct slice body, bool *invoke, bool *shutdown)
{
    struct json j;
    bool good = true;
    enum json_token token = JSON_END;

    if (body.size == 0) {
        return true;
    }
    if (json_fault(body) >= 0) {
        return false;
    }
    json_open(&j, body);
    good = json_next(&j) == JSON_OBJECT;
    while (good && json_next(&j) == JSON_NAME) {
        if (!slice_is(j.token, "\"events\"")) {
            good = json_skip(&j, json_next(&j));
            continue;
        }
        good = json_next(&j) == JSON_ARRAY;
        while (good && (token = json_next(&j)) != JSON_ARRAY_END) {
            *invoke = *invoke || slice_is(j.token, "\"INVOKE\"");
            *shutdown = *shutdown || slice_is(j.token, "\"SHUTDOWN\"");
            good = token == JSON_STRING && (slice_is(j.token, "\"INVOKE\"") ||
                                            slice_is(j.token, "\"SHUTDOWN\""));
        }
    }
    json_close(&j);
    return good;
}

/* By its name a process of ours is known; another name is an internal one. */
static struct extension *find_name(struct sandbox *box, struct slice name,
                                   size_t *count)
{
    struct extension *found = NULL;

    *count = 0;
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box) {
            *count += 1;
            found = slice_is(name, e->name) ? e : found;
        }
    }
    return found;
}

static void accept_registration(struct extension *e,
                                struct extension_reply *out)
{
    const char *name = e->box->settings->function_name;

    uuid_make(e->id);
    log_line(LOG_REPORT,
             "EXTENSION Name: %s State: Registered Events: [%s%s%s]", e->name,
             e->invoke ? "INVOKE" : "", e->invoke && e->shutdown ? ", " : "",
             e->shutdown ? "SHUTDOWN" : "");
    buf_format(&out->fields, IDENTIFIER ": %s\r\n", e->id);
    out->status = 200;
    buf_format(&out->body,
               "{\"functionName\":\"%s\",\"functionVersion\":\"$LATEST\","
               "\"handler\":\"function.handler\",\"accountId\":\"" ACCOUNT
               "\"}",
               name == NULL ? "function" : name);
}

static void register_one(struct sandbox *box, const struct head *h,
                         struct slice body, struct extension_reply *out)
{
    struct slice name = slice_of("");
    bool invoke = false, shutdown = false;
    struct extension *e;
    size_t count;

    (void)fields_get(&h->fields, "lambda-extension-name", &name);
    e = find_name(box, name, &count);
    if (name.size == 0 || name.size > 128 || !is_token(name)) {
        refuse(out, 403, "Extension.MissingHeader",
               "Lambda-Extension-Name is missing, or no name");
    } else if (box->state != RUNTIME_STARTED) {
        refuse(out, 403, "Extension.RegistrationClosed",
               "Extension registration is closed");
    } else if ((e != NULL && e->id[0] != '\0') || count > EXTENSIONS_MAX) {
        refuse(out, 403, "Extension.AlreadyRegistered",
               e != NULL ? "The extension is registered already"
                         : "There are ten extensions already");
    } else if (!read_events(body, &invoke, &shutdown) ||
               (e == NULL && shutdown)) {
        refuse(out, 403, "Extension.InvalidEventType",
               e == NULL && shutdown
                   ? "An internal extension gets no SHUTDOWN event"
                   : "The events must be a list of INVOKE and SHUTDOWN");
    } else {
        if (e == NULL) {
            char *text = slice_copy(name);

            e = add(box, text);
            free(text);
            e->asked = true;
        }
        e->invoke = invoke;
        e->shutdown = shutdown;
        accept_registration(e, out);
    }
}

static struct extension *find_id(struct sandbox *box, const struct head *h)
{
    struct slice id;

    if (!fields_get(&h->fields, IDENTIFIER, &id)) {
        return NULL;
    }
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box && e->id[0] != '\0' && slice_is(id, e->id)) {
            return e;
        }
    }
    return NULL;
}

static void ask(struct extension *e, struct api_conn *from,
                struct extension_reply *out)
{
    struct buf event = e->pending;

    if (e->waiting != NULL) {
        refuse(out, 403, "Extension.InvalidExtensionState",
               "The extension waits for an event on another connection");
        return;
    }
    e->waiting = from;
    e->asked = true;
    out->waits = true;
    if (buf_size(&event) > 0) {
        e->pending = (struct buf){0};
        send_event(e, buf_slice(&event));
        buf_free(&event);
    } else {
        sandbox_extension_asked(e->box);
    }
}

bool extension_path(struct slice path)
{
    return path.size > sizeof PREFIX - 1 &&
           memcmp(path.data, PREFIX, sizeof PREFIX - 1) == 0;
}

void extension_request(struct sandbox *box, struct api_conn *from,
                       const struct head *h, struct slice body,
                       struct extension_reply *out)
{
    struct slice what = {h->path.data + sizeof PREFIX - 1,
                         h->path.size - (sizeof PREFIX - 1)};
    bool post = slice_is(h->method, "POST");
    struct extension *e = find_id(box, h);

    if (post && slice_is(what, "register")) {
        register_one(box, h, body, out);
    } else if (e == NULL) {
        refuse(out, 403, "Extension.UnknownExtensionIdentifier",
               IDENTIFIER " is missing, or unknown");
    } else if (slice_is(h->method, "GET") && slice_is(what, "event/next")) {
        ask(e, from, out);
    } else if (post &&
               (slice_is(what, "init/error") || slice_is(what, "exit/error"))) {
        log_line(LOG_ERROR, "EXTENSION Name: %s reports an error: %.*s",
                 e->name, (int)body.size, (const char *)body.data);
        out->status = 202;
        buf_text(&out->body, "{\"status\":\"OK\"}\n");
    } else {
        refuse(out, 404, "Extension.UnknownPath", "There is no such path");
    }
}

void extension_lost(struct sandbox *box, const struct api_conn *from)
{
    for (struct extension *e = all; e != NULL; e = e->next) {
        if (e->box == box && e->waiting == from) {
            e->waiting = NULL;
        }
    }
}
