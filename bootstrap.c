/*
 * bootstrap.c - what happens between the kernel and the handler
 *
 * In Lambda (AWS_LAMBDA_RUNTIME_API is set): ask for an event, call the
 * handler, report, and again. By hand: call the handler once.
 */
#include "http.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Faults in a row after which the process ends: Lambda then starts another. */
#define FAULTS_MAX 5
/* Doubled with each fault in a row: 20, 40, 80, 160 ms. */
#define BACK_OFF_MS 20
/* What an early answer may take: the peer has begun to give it. */
#define EARLY_ANSWER_MS 1000

/* The year 33658: what says more is no deadline. */
#define DEADLINE_MS_MAX 1000000000000000

/* All that the process keeps: there is one. In this order a start touches the
 * fewest pages. */
struct runtime {
    int faults; /* in a row */
    struct http_connection connection;
    struct http_message message;
    struct http_stream stream;
    char input[HTTP_MESSAGE_BYTES_MAX];
};

/* The event */

const char *http_event_field(const struct invocation *in, const char *name)
{
    int count;
    const char *value = http_field(in->message, name, &count);

    return value ? value : "";
}

/* Time */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t http_time_left_ms(const struct invocation *in)
{
    int64_t ms;
    const char *end = http_decimal(
        http_event_field(in, "Lambda-Runtime-Deadline-Ms"), DEADLINE_MS_MAX,
        &ms);

    if (!end || *end != '\0' || ms == 0)
        return INT64_MAX;
    return ms - clock_ns(CLOCK_REALTIME) / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = ms * 1000000};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        continue;
}

/* Logging: a line, and a system call, for each fault */

static int print(int fd, const char *text)
{
    return write(fd, text, strlen(text)) < 0;
}

static void log_line(const char *what, const char *which, const char *why)
{
    char bytes[HTTP_ERROR_BYTES_MAX + 256];
    struct http_text t = {.bytes = bytes, .size = sizeof bytes};

    http_format(&t, "rawstream: %s%s: %s\n", what, which, why);
    (void)print(2, bytes); /* or nobody is there to be told */
}

static const char *system_reason(int error)
{
    if (error == ECONNREFUSED)
        return "connection refused";
    if (error == ECONNRESET)
        return "connection reset";
    if (error == EPIPE)
        return "closed by its reader";
    if (error == EMFILE || error == ENFILE)
        return "too many open files";
    return "system call failed";
}

/* Drops the connection, says why, and waits before the next try, or ends. rc
 * is an enum http_error, or a status that was not the one hoped for. */
static void fault(struct runtime *r, const char *what, const char *id, int rc)
{
    char bytes[128];
    struct http_text t = {.bytes = bytes, .size = sizeof bytes};

    r->faults = rc == 500 ? FAULTS_MAX : r->faults + 1;
    if (rc > 0)
        http_format(&t, "status %ld", (long)rc);
    else if (rc == HTTP_SYSTEM)
        http_format(&t, "%s, errno %ld", system_reason(errno), (long)errno);
    else
        http_format(&t, "%s at byte %ld", http_reason(rc),
                    (long)(r->message.taken + r->message.at));
    if (r->faults == FAULTS_MAX)
        http_format(&t, ": giving up");
    log_line(what, id, bytes);
    if (r->faults == FAULTS_MAX)
        _exit(1);
    http_close(&r->connection);
    pause_ms(BACK_OFF_MS << (r->faults - 1));
}

/* Errors of the handler */

/* What follows in `text` after `prefix`; NULL when it begins otherwise. */
static char *behind(char *text, const char *prefix)
{
    for (; *prefix != '\0'; text++, prefix++)
        if (*text != *prefix)
            return NULL;
    return text;
}

/* Appends the text, escaped for a JSON string, in at most `size` bytes. 0, or
 * JSON_RANGE when it was cut. */
static int escape(struct http_text *t, size_t size, const char *text)
{
    size_t length = strlen(text), taken;

    t->length += json_escape(t->bytes + t->length, size, text, length, &taken);
    return taken < length ? JSON_RANGE : 0;
}

/* The error is kept as it is reported: JSON of at most HTTP_ERROR_BYTES_MAX
 * bytes, in which the message gives way. */
int http_fail(struct http_stream *s, const char *type, const char *text)
{
    struct http_text t = {.bytes = s->error_json, .size = sizeof s->error_json};
    size_t n = http_span(type, "azAZ09..");

    if (n == 0 || n > HTTP_ERROR_TYPE_BYTES_MAX || type[n] != '\0') {
        type = "Function.Unknown";
        n = strlen(type);
    }
    memcpy(s->error_type, type, n + 1);
    http_format(&t, "{\"errorMessage\":\"");
    (void)escape(&t, t.size - n - 64, text);
    http_format(&t, "\",\"errorType\":\"%s\",\"stackTrace\":[]}", type);
    if (s->error == 0)
        s->error = HTTP_FAILED;
    return s->error;
}

/* Whether the handler failed, by its own word (rc) or by what it did with the
 * stream; a failure without a name is given one. */
static int failed(struct http_stream *s, int rc)
{
    const char *type = "";
    int error = s->error;

    if (rc >= 0 && error == 0)
        return 0;
    if (error == HTTP_HEADER)
        type = "Function.InvalidResponse";
    else if (error == 0)
        error = HTTP_FAILED;
    else
        return 1;
    (void)http_fail(s, type, http_reason(error));
    return 1;
}

/* Brings an invocation to its end; rc is what the handler gave.
 *
 *   the handler         | nothing has left yet | the head has left
 *   --------------------+----------------------+---------------------
 *   succeeded           | head, last chunk     | last chunk
 *   failed              | /error               | last chunk, trailers
 *   lost its connection | nothing              | nothing
 *
 * 0 when all is sent, or an error. */
static int conclude(struct http_stream *s, int rc)
{
    if (!failed(s, rc))
        return http_end(s);
    if (s->error > HTTP_HEADER)
        return s->error;
    if (s->connection)
        log_line(*s->id ? "" : "init", s->id, s->error_json);
    if (s->begun)
        return http_end(s);
    return s->connection ? http_post_error(s) : 0;
}

/* In Lambda */

/* The value of a field that is sent back: "" when there is none, NULL when it
 * is given twice with a difference, is too long, or has a byte other than
 * visible ASCII. */
static const char *id_field(const struct http_message *m, const char *name)
{
    int count;
    const char *value = http_field(m, name, &count), *p = value;

    if (!value)
        return "";
    p += http_span(value, "!~");
    if (count < 0 || *p != '\0' || p - value > HTTP_ID_BYTES_MAX)
        return NULL;
    return value;
}

#if __STDC_HOSTED__
/* For what else in the process takes part in X-Ray. */
static void set_trace_id(const struct invocation *in)
{
    const char *id = http_event_field(in, "Lambda-Runtime-Trace-Id");

    if (*id)
        (void)setenv("_X_AMZN_TRACE_ID", id, 1);
    else
        (void)unsetenv("_X_AMZN_TRACE_ID");
}
#else
static void set_trace_id(const struct invocation *in)
{
    (void)in;
}
#endif

/* Reads what the Runtime API answers to a request; `sent` tells whether that
 * left whole. Anything but success is a fault. */
static void settle(struct runtime *r, const char *what, const char *id,
                   int sent)
{
    int rc = sent, saved = errno;

    http_message_start(&r->message, r->input);
    if (r->connection.fd >= 0)
        rc = http_receive(&r->connection, &r->message,
                          sent < 0 ? EARLY_ANSWER_MS : -1);
    if (rc == 0) {
        rc = r->message.status;
    } else if (sent < 0) {
        rc = sent;
        errno = saved;
    }
    if (sent < 0 || rc / 100 != 2)
        fault(r, what, id, rc);
}

/* The invocation that a message brings. */
static struct invocation describe(const struct http_message *m, const char *id)
{
    return (struct invocation){.request_id = id,
                               .event = m->buffer + m->body,
                               .event_length = m->body_length,
                               .message = m};
}

static void invoke(struct runtime *r)
{
    const char *request_id = id_field(&r->message,
                                      "Lambda-Runtime-Aws-Request-Id");
    const char *invocation_id = id_field(&r->message,
                                         "Lambda-Runtime-Invocation-Id");
    char id[HTTP_ID_BYTES_MAX + 1]; /* outlives the message, for the log */
    size_t length = request_id ? http_span(request_id, "azAZ09--") : 0;
    struct invocation in = describe(&r->message, id);

    if (length == 0 || request_id[length] != '\0') {
        fault(r, "GET /next: request id missing or malformed", "", 200);
        return;
    }
    r->faults = 0;
    memcpy(id, request_id, length + 1);
    if (!invocation_id) {
        log_line("Lambda-Runtime-Invocation-Id of ", id,
                 "malformed, not echoed");
        invocation_id = "";
    }
    set_trace_id(&in);
    http_start(&r->stream, &r->connection, id, invocation_id);
    settle(r, "response to ", id,
           conclude(&r->stream, handler_invoke(&in, &r->stream)));
}

static int serve(struct runtime *r, const char *api)
{
    int rc = http_endpoint_parse(&r->connection.endpoint, api);

    if (rc < 0) {
        log_line("AWS_LAMBDA_RUNTIME_API", "", http_reason(rc));
        return 1;
    }
    r->connection.fd = -1;
    r->message.buffer = r->input;
    http_start(&r->stream, &r->connection, "", "");
    rc = handler_init(&r->stream, NULL);
    if (rc < 0 || r->stream.error < 0) {
        r->faults = FAULTS_MAX - 1; /* a fault now is the last */
        settle(r, "init", "", conclude(&r->stream, rc));
        return 1;
    }
    for (;;) {
        rc = http_next(&r->connection, &r->message);
        if (rc == 0)
            rc = r->message.status;
        if (rc != 200)
            fault(r, "GET /next", "", rc);
        else
            invoke(r);
    }
}

/* By hand */

static const char usage[] =
    "usage: bootstrap [OPTION VALUE]...\n"
    "Calls the handler once, as Lambda would, and prints its response.\n"
    "In Lambda (AWS_LAMBDA_RUNTIME_API is set) it ignores its arguments.\n"
    "  --event FILE    the event, a JSON object; - is standard input\n"
    "  -h, --help, --version\n";

static int print_usage(int fd)
{
    int rc = print(fd, usage);

    return print(fd, handler_options) | rc;
}

_Noreturn static void usage_error(const char *what, const char *wrong)
{
    log_line(what, "", wrong);
    (void)print_usage(2);
    _exit(2);
}

/* Options are "--name=value" or "--name value": where the name ends. */
static char *name_end(char *option)
{
    while (*option != '=' && *option != '\0')
        option++;
    return option;
}

static void check_form(char **options)
{
    for (; *options; options++) {
        if (strcmp(*options, "--help") == 0 || strcmp(*options, "-h") == 0)
            _exit(print_usage(1));
        if (strcmp(*options, "--version") == 0)
            _exit(print(1, "rawstream " RAWSTREAM_VERSION "\n"));
        if (!behind(*options, "--"))
            usage_error(*options, "no such option");
        if (*name_end(*options) == '\0' && !*++options)
            usage_error(options[-1], "needs a value");
    }
}

/* Their form has been checked. A plus for its first dash tells of each that was
 * asked for. */
char *http_option(char **options, const char *name)
{
    char *found = NULL, *option, *end, *value;

    for (; options && *options; options++) {
        option = *options;
        end = name_end(option);
        value = *end ? end + 1 : *++options;
        if (behind(option + 2, name) == end) {
            *option = '+';
            found = value;
        }
    }
    return found;
}

/* After all that are known have been asked for. */
static void refuse_others(char **options)
{
    for (; *options; options++) {
        if (**options == '-')
            usage_error(*options, "no such option");
        options += *name_end(*options) == '\0';
    }
}

/* Reads the event; gives its length. */
static size_t read_event(char *to, const char *file)
{
    int fd = strcmp(file, "-") == 0 ? 0 : openat(AT_FDCWD, file, O_RDONLY);
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, to + length, HTTP_MESSAGE_BYTES_MAX - length)) != 0) {
        if (n < 0)
            usage_error("--event", "cannot be read");
        length += (size_t)n;
        if (length > HTTP_BODY_BYTES_MAX)
            usage_error("--event", http_reason(HTTP_BODY));
    }
    return length;
}

static int run_by_hand(struct runtime *r, char **options)
{
    char id[48];
    struct http_text id_text = {.bytes = id, .size = sizeof id};
    struct invocation in;
    const char *file;
    int rc, status = 1;

    check_form(options);
    file = http_option(options, "event");
    http_format(&id_text, "local-test-%ld",
                (long)(clock_ns(CLOCK_REALTIME) / 1000000000));
    http_message_start(&r->message, r->input);
    in = describe(&r->message, id);
    http_start(&r->stream, NULL, id, "");
    rc = handler_init(&r->stream, options);
    refuse_others(options);
    if (rc < 0 || r->stream.error < 0) {
        status = 2;
    } else {
        memcpy(in.event, "{}", 2);
        in.event_length = file ? read_event(in.event, file) : 2;
        rc = handler_invoke(&in, &r->stream);
    }
    rc = conclude(&r->stream, rc);
    if (rc < 0)
        log_line("standard output", "", system_reason(errno));
    if (*r->stream.error_json == '\0')
        return rc < 0;
    (void)print(2, r->stream.error_json);
    (void)print(2, "\n");
    if (status == 2)
        (void)print_usage(2);
    return status;
}

/* Start */

/* Process 1 of a container has no default action for signals. */
static void stop(int signal)
{
    _exit(128 + signal);
}

static void on_signal(int signal, void (*action)(int))
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = action;
    (void)sigaction(signal, &a, NULL);
}

int main(int argc, char **argv)
{
    static struct runtime runtime;
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");

    on_signal(SIGPIPE, SIG_IGN);
    on_signal(SIGTERM, stop);
    on_signal(SIGINT, stop);
    if (api)
        return serve(&runtime, api);
    return run_by_hand(&runtime, argv + (argc > 0));
}

#if !__STDC_HOSTED__

/*
 * Without a C library: the process's entry, the system calls, and the few
 * functions of C that the code above and a handler use. Linux on x86_64 and
 * arm64; the numbers come from the kernel's headers, the prototypes from the
 * C library's, of which not a byte is linked.
 */
#include <elf.h>
#include <poll.h>
#include <sys/syscall.h>

/* Said to be zero, so that they go to .data: see the Makefile. */
static char **environment = NULL;
static int last_error = 0;

/* What `errno` stands for in glibc's and musl's <errno.h>. */
int *__errno_location(void);

int *__errno_location(void)
{
    return &last_error;
}

/* A system call takes its arguments in the registers of a function call (but
 * for the fourth on x86_64), so that each is a number and a jump. */
#if defined __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call kernel_start\n"
        "kernel_enter:\n" /* the number in eax, arguments as for a function */
        "    mov %rcx, %r10\n"
        "    syscall\n"
        "    mov %rax, %rdi\n"
        "    jmp kernel_result\n");
#define SYSTEM_CALL(name, number)               \
    __asm__(".globl " #name "\n" #name          \
            ": mov $" NUMBER(number) ", %eax\n" \
                                     "    jmp kernel_enter\n")
#elif defined __aarch64__
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x29, xzr\n"
        "    mov x30, xzr\n"
        "    mov x0, sp\n"
        "    b kernel_start\n"
        "kernel_enter:\n" /* the number in x8, arguments as for a function */
        "    svc 0\n"
        "    b kernel_result\n");
#define SYSTEM_CALL(name, number)             \
    __asm__(".globl " #name "\n" #name        \
            ": mov x8, #" NUMBER(number) "\n" \
                                         "    b kernel_enter\n")
#else
#error "no system calls for this processor: make HOSTED=1"
#endif
#define NUMBER(number)      NUMBER_TEXT(number)
#define NUMBER_TEXT(number) #number

SYSTEM_CALL(_exit, __NR_exit_group);
SYSTEM_CALL(clock_gettime, __NR_clock_gettime);
SYSTEM_CALL(close, __NR_close);
SYSTEM_CALL(connect, __NR_connect);
SYSTEM_CALL(fcntl, __NR_fcntl);
SYSTEM_CALL(getsockopt, __NR_getsockopt);
SYSTEM_CALL(nanosleep, __NR_nanosleep);
SYSTEM_CALL(openat, __NR_openat);
SYSTEM_CALL(read, __NR_read);
SYSTEM_CALL(setsockopt, __NR_setsockopt);
SYSTEM_CALL(socket, __NR_socket);
SYSTEM_CALL(write, __NR_write);
SYSTEM_CALL(writev, __NR_writev);
SYSTEM_CALL(kernel_sigaction, __NR_rt_sigaction);

/* POSIX's convention: -1, and in errno what the kernel gives as -errno. */
long kernel_result(long value);

__attribute__((used)) long kernel_result(long value)
{
    if (value >= 0 || value < -4095)
        return value;
    errno = (int)-value;
    return -1;
}

/* Named by the linker: where the kernel has put the program, and tables in it.
 * Hidden names are reached without a relocation. */
#define LINKER_NAMES __attribute__((visibility("hidden")))
LINKER_NAMES extern const char __ehdr_start[];
LINKER_NAMES extern const Elf64_Dyn _DYNAMIC[];
LINKER_NAMES extern void (*const __init_array_start[])(void);
LINKER_NAMES extern void (*const __init_array_end[])(void);

/* The program may lie at any address. A pointer in static data, as in a
 * handler's table of names, is an offset until that address is added. The
 * build refuses relocations of any other kind. */
static void relocate(void)
{
    const uintptr_t base = (uintptr_t)__ehdr_start;
    const Elf64_Rela *r = NULL, *end;
    size_t size = 0;

    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            r = (const Elf64_Rela *)(base + d->d_un.d_ptr);
        if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
    }
    for (end = r + size / sizeof *r; r < end; r++)
        *(uintptr_t *)(base + r->r_offset) = base + (uintptr_t)r->r_addend;
}

void kernel_start(long *stack);

/* The kernel leaves on the stack: argc, argv, NULL, the environment, NULL. */
__attribute__((used)) void kernel_start(long *stack)
{
    char **argv = (char **)(stack + 1);

    relocate();
    environment = argv + *stack + 1;
    for (size_t i = 0; __init_array_start + i < __init_array_end; i++)
        __init_array_start[i](); /* constructors of C++ */
    _exit(main((int)*stack, argv));
}

int kernel_sigaction(int signal, const void *action, void *old, size_t size);

#ifdef __NR_poll /* arm64 has none */
SYSTEM_CALL(poll, __NR_poll);
#else
SYSTEM_CALL(kernel_ppoll, __NR_ppoll);
int kernel_ppoll(struct pollfd *fds, nfds_t count, struct timespec *timeout,
                 const void *signals, size_t size);

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec t = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

    return kernel_ppoll(fds, count, timeout_ms < 0 ? NULL : &t, NULL, 0);
}
#endif

/* For actions that never return: the kernel's way back is not provided. */
int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } a = {action->sa_handler, 0x04000000 /* SA_RESTORER */, NULL, 0};

    return kernel_sigaction(signal, &a, old, sizeof a.mask);
}

char *getenv(const char *name)
{
    char *value;

    for (char **e = environment; *e; e++)
        if ((value = behind(*e, name)) != NULL && *value == '=')
            return value + 1;
    return NULL;
}

/* The compiler has ideas of its own about functions of these names: it must not
 * look into them. */
#ifdef __clang__
#define OPAQUE __attribute__((noinline))
#else
#define OPAQUE __attribute__((noipa))
#endif

/* An empty asm in a loop keeps the compiler from finding out that the loop is
 * memcpy, or strlen, and calling itself. */
#define KEEP_LOOP __asm__ volatile("")

/* By bytes from the first to the last, where the processor does that fast. */
static void copy_upward(char *to, const char *from, size_t length)
{
#ifdef __x86_64__
    __asm__ volatile("rep movsb"
                     : "+D"(to), "+S"(from), "+c"(length)
                     :
                     : "memory");
#else
    for (; length > 0; length--) {
        *to++ = *from++;
        KEEP_LOOP;
    }
#endif
}

OPAQUE void *memmove(void *to, const void *from, size_t length)
{
    char *t = to;
    const char *f = from;

    if (t < f)
        copy_upward(t, f, length);
    else if (t > f)
        while (length-- > 0) {
            t[length] = f[length];
            KEEP_LOOP;
        }
    return to;
}

/* Not by way of memmove(): the compiler would call memcpy() for it, for ever.
 */
OPAQUE void *memcpy(void *to, const void *from, size_t length)
{
    copy_upward(to, from, length);
    return to;
}

OPAQUE void *memset(void *to, int byte, size_t length)
{
    for (char *t = to; length > 0; length--) {
        *t++ = (char)byte;
        KEEP_LOOP;
    }
    return to;
}

OPAQUE int memcmp(const void *a, const void *b, size_t length)
{
    const unsigned char *p = a, *q = b;

    for (; length > 0; length--, p++, q++) {
        if (*p != *q)
            return *p - *q;
        KEEP_LOOP;
    }
    return 0;
}

OPAQUE void *memchr(const void *bytes, int byte, size_t length)
{
    const unsigned char *p = bytes;

    for (; length > 0; length--, p++) {
        if (*p == (unsigned char)byte)
            return (void *)(uintptr_t)p;
        KEEP_LOOP;
    }
    return NULL;
}

OPAQUE size_t strlen(const char *text)
{
    size_t n = 0;

    while (text[n] != '\0') {
        n++;
        KEEP_LOOP;
    }
    return n;
}

OPAQUE int strcmp(const char *a, const char *b)
{
    for (; *a == *b && *a != '\0'; a++, b++)
        KEEP_LOOP;
    return (unsigned char)*a - (unsigned char)*b;
}

/* What a handler in C++ refers to. Static objects are not destroyed: the
 * process ends when nobody needs them any more. */
int __cxa_atexit(void (*destroy)(void *), void *object, const void *program);
void __cxa_pure_virtual(void);
extern const char __dso_handle;

const char __dso_handle = 0;

int __cxa_atexit(void (*destroy)(void *), void *object, const void *program)
{
    (void)destroy, (void)object, (void)program;
    return 0;
}

/* A function that no class has defined. */
void __cxa_pure_virtual(void)
{
    _exit(1);
}

#endif
