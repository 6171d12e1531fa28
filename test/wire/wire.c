/*
 * wire.c - plays a scripted Runtime API against the real bootstrap
 *
 *     wire [-v] [-x] [-j N] [--bin NAME=PATH]... [--under 'PREFIX...']
 *          [--worker] [--no-limits] [--calls FILE] [--record FILE]
 *          BOOTSTRAP SCRIPT...
 *
 * A script is a transcript that runs. The peer (this program) executes it from
 * top to bottom, and the runtime must send exactly the bytes that it shows, in
 * that order, on the connections that it shows. In a script whose name ends in
 * .md only the fenced blocks with the info string "wire" are read.
 *
 *     # comment                       white space before a line is ignored
 *     case NAME                       begins a case: its own process, peer
 *                                     and port
 *     define NAME PARAMETER...        lines for reuse, up to `end`; an
 *     include FILE                    included file has nothing else
 *     do NAME ARGUMENT...             plays them with {PARAMETER} replaced; the
 *                                     last is the rest of the line, or empty
 *     table                           each row of test/unit/http-cases.txt for
 *                                     whose verdict there is a definition is a
 *                                     case that plays it with the row's bytes
 *
 * Before the first line of the transcript, how bootstrap is started:
 *
 *     handler NAME                    the binary that --bin gives as NAME
 *     arg TEXT                        one argument
 *     env NAME=VALUE | env NAME       sets, or unsets
 *     close FD...                     descriptors closed
 *     limit as|stack|nofile N         its setrlimit()
 *     window N                        the peer's receive buffer, in bytes
 *     refuse                          the peer does not listen yet
 *     process 1                       as process 1 of a PID namespace
 *     root empty|read-only...         in a root directory with nothing in it,
 *                                     or that cannot be written to, or both
 *     interrupt connect               connect() gives EINTR, and does nothing
 *     hold CALL N                     the runtime is held where it begins its
 *                                     N-th system call of this name (those of
 *                                     `= calls`), until `! release`
 *
 * The transcript. A line's end in the script is not a byte; \r \n \0 \t \\ and
 * \xHH are; \{N*TEXT} is TEXT N times. {port} is the peer's port; {size P} and
 * {hex P} are the number of bytes in the parameter P.
 *
 *     > BYTES     the runtime sends; {time}, seconds and two decimals, is the
 *                 only thing that is not compared
 *     < BYTES     the peer sends; lines that follow each other leave together.
 *                 {now+MS} and {now-MS} are the time in ms, for deadlines
 *     ! accept    the runtime opens a connection; it may not do so anywhere
 *                 else. It must have closed the one before, without a byte
 *                 more than was shown
 *     ! dribble   the next `<` leaves one byte at a time
 *     ! split     the next `<` leaves in two parts; the whole case is played
 *                 once for each place where it can be split
 *     ! cut fin   the next `<` is cut off, by a FIN or an RST; the case is
 *     ! cut rst   played once for each length, from no byte to all but one
 *     ! fin       half-closes; `! close`, `! rst`: closes, resets
 *     ! drain     reads, and does not compare, until the runtime closes
 *     ! pause MS  the peer does nothing, and reads nothing
 *     ! asleep    waits until the runtime has read all that was sent, and
 *                 sleeps in a system call
 *     ! held      waits until the runtime is held
 *     ! release   lets it go on, when what was sent has reached it
 *     ! refuse    stops listening; `! listen`: listens again
 *     ! signal S  TERM, INT, PIPE, STOP, CONT and such
 *     ! storm N   stops and continues bootstrap N times
 *
 *     = quiet MS             nothing is sent and no connection opened
 *     = elapsed MS           so many at least since the peer's last `<`
 *     = sockets FD...        the descriptors that are sockets, these and no
 *                            other (where there is /proc)
 *     = calls NAME N...      waits until the runtime sleeps in a system call,
 *                            or has ended, and has made so many since the last
 *                            `= calls`, or since its start; more is a failure.
 *                            Names: read, write, writev, poll, sleep, socket,
 *                            connect, close, memory
 *     = stderr TEXT          one line on stderr that begins "rawstream: " and
 *                            contains TEXT, in which * is any text; no other
 *                            line may be there.
 *                            `= stderr... TEXT`: any number of such lines
 *     = log TEXT             likewise, and the line begins with TEXT
 *     = exit N               the process ends with this status
 *     = exit N at once       ... and since the last signal it has made no other
 *                            system call. The signal has found it `! asleep`
 *                            or `! held`
 *
 * Calls are counted, and the runtime is held, with ptrace. Where that is not
 * permitted, what is counted is not checked, a case with `hold` is not played,
 * and both are reported as skipped.
 *
 * No verdict depends on how fast the machine is. The player waits as long as
 * something moves: a byte, a line of the script, the CPU time of the runtime.
 * When nothing has for 60 s, the case fails as a hang. Times are compared with
 * a least, never with a most.
 *
 * A case that does not say how it ends, ends so: the runtime waits for the next
 * event, gets SIGTERM and exits with 143. Nothing may be left unread then, and
 * nothing may stand on stdout, ever.
 *
 * -v names each case, and -x begins no other after a failure.
 * --under runs bootstrap under a prefix command (an emulator) and skips budgets
 * and limits; --no-limits skips limits alone (a sanitizer needs more memory).
 * --worker has a worker answer, and skips what looks into the process, too.
 * --record writes a line a case: where it stands, its name, a tab, and all the
 * bytes received, escaped, with ports and times as their wildcards, and then
 * what stderr has for each `= stderr`. Two builds are to give the same lines.
 * --calls runs all cases inside a seccomp filter that kills bootstrap at any
 * system call but those that stand in FILE, in fenced blocks with the info
 * string "calls" and, for cases that set AWS_LAMBDA_MAX_CONCURRENCY, with
 * "worker-calls": 32 at most. After the last case, one more: the cases together
 * have made each of the first (seen with ptrace, and skipped without).
 */
#define _DEFAULT_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include "test/unit/http_cases.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#endif

#define HANG_MS       60000 /* nothing has moved for so long */
#define LOOK_MS       1000  /* a longer gap: nobody ran, the player neither */
#define ALIVE_MS      20    /* less CPU time than that meanwhile is nothing */
#define LOOP_MS       60000 /* so much of it, and nothing else: a loop */
#define FOREVER_MS    LONG_MAX
#define DEPTH_MAX     8
#define PARAMETER_MAX 8
#define ARGUMENT_MAX  64
#define CALLS_MAX     32   /* system calls that --calls allows */
#define NUMBER_MAX    1024 /* above all numbers of system calls */
#define TRACED_MAX    1000 /* calls of a process, for --calls: they are slow */

/* How a case ended: the exit status of its process. */
enum verdict { PASSED, FAILED, SKIPPED, AGAIN, BROKEN };

struct script {
    const struct script *next;     /* of all that were read */
    const struct script *included; /* whose definitions it may use, or NULL */
    const char *path;
    char **line;
    size_t lines;
};

struct definition {
    const char *name;
    const struct script *script;
    size_t first, last; /* lines */
    size_t parameters;
    const char *parameter[PARAMETER_MAX];
};

struct scene {
    const char *name;
    const struct script *script;
    size_t number; /* of the line that begins it */
    size_t first, last;
    pid_t pid; /* of the process that plays it; 0 when it has ended */
    int status;
    FILE *report, *record; /* while it is played */
    char *said, *recorded; /* and what was in them */
};

static struct {
    const char *bootstrap;
    const char *bin[ARGUMENT_MAX]; /* NAME=PATH */
    size_t bins;
    char *under;
    int worker;
    int no_limits;
    int verbose;
    int first_failure; /* is enough */
    size_t jobs;
    const char *calls;
    FILE *record;
} option = {.jobs = 1};

static struct definition *definitions;
static size_t definition_count;
static struct scene *scenes;
static size_t scene_count;

/*
 * Scripts
 */

static void show_byte(FILE *f, unsigned byte);

static void *must(void *memory)
{
    if (!memory) {
        perror("wire");
        exit(BROKEN);
    }
    return memory;
}

static void *grow(void *array, size_t count, size_t size)
{
    return must(realloc(array, (count + 1) * size));
}

static _Noreturn void bad_script(const struct script *s, size_t line,
                                 const char *what)
{
    fprintf(stderr, "%s:%zu: %s\n", s->path, line + 1, what);
    exit(BROKEN);
}

/* The next word of a text, which is written to; NULL when there is none. */
static char *word(char **text)
{
    char *begin = *text + strspn(*text, " \t");
    size_t length = strcspn(begin, " \t");

    if (length == 0)
        return NULL;
    *text = begin + length;
    if (**text)
        *(*text)++ = '\0';
    return begin;
}

/* In the script itself, or in what it includes: no script passes only because
 * another was named, too. */
static const struct definition *find_definition(const struct script *s,
                                                const char *name)
{
    for (size_t i = 0; i < definition_count; i++) {
        const struct definition *d = &definitions[i];

        if ((d->script == s || d->script == s->included) &&
            !strcmp(d->name, name))
            return d;
    }
    return NULL;
}

/* Lines lose their indentation, and all that is not in a block of this kind
 * becomes empty, so that line numbers stay those of the file. */
static struct script *read_lines(const char *path, const char *kind)
{
    FILE *f = fopen(path, "r");
    struct script *s = calloc(1, sizeof *s);
    const char *dot = strrchr(path, '.');
    int markdown = dot && !strcmp(dot, ".md");
    int inside = !markdown;
    size_t room = 0;
    char *line = NULL;

    if (!f || !s) {
        perror(path);
        exit(BROKEN);
    }
    s->path = must(strdup(path));
    while (getline(&line, &room, f) >= 0) {
        char *text = line + strspn(line, " \t");
        size_t length = strcspn(text, "\n");

        if (markdown && !strncmp(text, "```", 3)) {
            inside = !inside && length == strlen(kind) + 3 &&
                     !strncmp(text + 3, kind, length - 3);
            length = 0;
        }
        s->line = grow(s->line, s->lines, sizeof *s->line);
        s->line[s->lines++] = must(strndup(text, inside ? length : 0));
        if (inside && length && isspace((unsigned char)text[length - 1]))
            bad_script(s, s->lines - 1, "white space at the end: write \\x20");
    }
    free(line);
    fclose(f);
    return s;
}

/* Stores a definition and gives the line after it. */
static size_t read_definition(const struct script *s, size_t at, char *rest)
{
    struct definition d = {.script = s, .first = at + 1};

    d.name = word(&rest);
    if (!d.name || find_definition(s, d.name))
        bad_script(s, at, "a definition needs a name of its own");
    for (char *p; (p = word(&rest)) && d.parameters < PARAMETER_MAX;)
        d.parameter[d.parameters++] = p;
    for (d.last = d.first; d.last < s->lines; d.last++)
        if (!strcmp(s->line[d.last], "end"))
            break;
    if (d.last == s->lines)
        bad_script(s, at, "a definition without end");
    definitions = grow(definitions, definition_count, sizeof d);
    definitions[definition_count++] = d;
    return d.last + 1;
}

static struct scene *add_scene(const struct script *s, const char *name,
                               size_t number)
{
    scenes = grow(scenes, scene_count, sizeof *scenes);
    scenes[scene_count] = (struct scene){
        .name = name, .script = s, .number = number, .first = number};
    return &scenes[scene_count++];
}

/* `do VERDICT BYTES`: what a row of the table is to its case. */
static char *row_line(const struct http_case *c, const char *verdict)
{
    char *line = NULL;
    size_t size = 0;
    FILE *f = must(open_memstream(&line, &size));

    fprintf(f, "do %s ", verdict);
    for (size_t i = 0; i < c->length; i++) {
        unsigned byte = (unsigned char)c->bytes[i];

        if (byte == ' ' || byte == '{')
            fprintf(f, "\\x%02x", byte);
        else
            show_byte(f, byte);
    }
    fclose(f);
    return line;
}

/* The definitions are those of the script that names the table. */
static void read_table(const struct script *s)
{
    static struct script rows = {.path = "test/unit/http-cases.txt"};
    struct scene *scene;
    struct http_case c;
    char *line;

    rows.included = s;
    while (http_case_next(&c)) {
        char *name = must(strdup(c.text)), *rest = name;
        const char *verdict = word(&rest);

        if (!find_definition(s, verdict)) {
            free(name);
            continue;
        }
        line = row_line(&c, verdict);
        for (; rows.lines < c.line; rows.lines++) {
            rows.line = grow(rows.line, rows.lines, sizeof *rows.line);
            rows.line[rows.lines] = line;
        }
        scene = add_scene(&rows, must(strdup(c.text)), c.line);
        scene->first = c.line - 1;
        scene->last = c.line;
        free(name);
    }
}

static const struct script *read_script(const char *path);

static const struct script *include(const struct script *s, const char *name)
{
    const char *slash = strrchr(s->path, '/');
    int folder = slash ? (int)(slash - s->path + 1) : 0;
    char path[4096];

    snprintf(path, sizeof path, "%.*s%s", folder, s->path, name);
    return read_script(path);
}

/* Reads a script, once, however often it is named. */
static const struct script *read_script(const char *path)
{
    static const struct script *known;
    struct script *s;
    struct scene *open = NULL;

    for (const struct script *k = known; k; k = k->next)
        if (!strcmp(k->path, path))
            return k;
    s = read_lines(path, "wire");
    s->next = known;
    known = s;
    for (size_t at = 0; at < s->lines;) {
        char *copy = must(strdup(s->line[at]));
        char *rest = copy;
        const char *first = word(&rest);

        if (first && !strcmp(first, "define")) {
            at = read_definition(s, at, rest);
            open = NULL;
            continue; /* it keeps the copy: names are in it */
        } else if (first && !strcmp(first, "include")) {
            if (s->included)
                bad_script(s, at, "a second include");
            s->included = include(s, rest);
        } else if (first && !strcmp(first, "table")) {
            read_table(s);
            open = NULL;
        } else if (first && !strcmp(first, "case")) {
            open = add_scene(s, s->line[at] + 5, at + 1);
        } else if (first && *first != '#' && !open) {
            bad_script(s, at, "a line outside of a case");
        }
        free(copy);
        at++;
        if (open)
            open->last = at;
    }
    return s;
}

/*
 * One case. It has a process for itself: state is static, and a failure ends
 * the process.
 */

enum delivery { WHOLE, DRIBBLE, SPLIT, CUT_FIN, CUT_RST };

static struct {
    const struct scene *scene;
    size_t round; /* of a case that is played for each byte */
    int again;    /* it has further rounds */

    const struct script *script[DEPTH_MAX]; /* where we are */
    size_t line[DEPTH_MAX];
    size_t depth;

    int listener, connection; /* sockets, or -1 */
    unsigned port;
    size_t connections, received;
    enum delivery delivery;
    struct pattern *pending; /* bytes to send, gathered */
    long sent_ms;            /* when the last `<` began to leave */
    struct {
        long looked_ms, idle_ms; /* nothing has moved for so long */
        long alive_ms, moved_ms; /* CPU time: when the runtime had used some;
                                  * when a byte or a line had moved */
    } progress;

    const char *expected_error[ARGUMENT_MAX]; /* lines on stderr */
    char from_start[ARGUMENT_MAX];            /* those of `= log` */
    int any_number[ARGUMENT_MAX];             /* of such lines */
    size_t expected_errors;
    const char *skip; /* why a part was not checked */
    FILE *out, *err;  /* the runtime's stdout and stderr */
    sigset_t child;   /* SIGCHLD alone */
} play = {.listener = -1, .connection = -1};

static struct {
    char *argument[ARGUMENT_MAX];
    size_t arguments;
    char *environment[ARGUMENT_MAX];
    size_t environments;
    const char *path;
    int closed[3];
    struct {
        int resource;
        rlim_t value;
    } limit[4];
    size_t limits;
    int window;
    int refuse;
    int process1;
    int empty_root, read_only_root;
    int interrupted; /* connect() is */
    int counted;
    int looks_inside;
    const char *hold; /* system calls */
    long hold_n;
} setup;

/* The runtime's process. The handler of SIGCHLD writes here. */
static struct {
    volatile pid_t pid;
    volatile sig_atomic_t ended;
    volatile int status;
    int end_pipe[2];              /* readable when it has ended */
    volatile sig_atomic_t inside; /* a system call */
    volatile unsigned calls;
    volatile unsigned call[NUMBER_MAX];
    volatile sig_atomic_t running; /* bootstrap, not what has started it */
    volatile sig_atomic_t held;
    unsigned calls_at_signal;
} runtime;

static long now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The CPU time that the runtime has used; 0 when it is not there. */
static long used_ms(void)
{
    struct timespec t = {0, 0};
    clockid_t clock;

    if (runtime.pid <= 0 || clock_getcpuclockid(runtime.pid, &clock) != 0 ||
        clock_gettime(clock, &t) != 0)
        return 0;
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A byte has moved, or a line of the script. */
static void progress(void)
{
    play.progress.looked_ms = now_ms(CLOCK_MONOTONIC);
    play.progress.idle_ms = 0;
    play.progress.alive_ms = play.progress.moved_ms = used_ms();
}

/* Escaped as in scripts. */
static void show_byte(FILE *f, unsigned byte)
{
    if (byte == '\r' || byte == '\n' || byte == '\\')
        fprintf(f, "\\%c", byte == '\r' ? 'r' : byte == '\n' ? 'n' : '\\');
    else if (byte < ' ' || byte > '~')
        fprintf(f, byte ? "\\x%02x" : "\\0", byte);
    else
        putc((int)byte, f);
}

/* What is on one of the runtime's outputs. */
static void show_output(FILE *from, const char *name)
{
    char *line = NULL;
    size_t room = 0;

    rewind(from);
    while (getline(&line, &room, from) >= 0)
        fprintf(play.scene->report, "  %s: %s", name, line);
    free(line);
}

static _Noreturn void finish(enum verdict verdict)
{
    if (runtime.pid > 0)
        kill(-runtime.pid, SIGKILL);
    if (play.scene->record)
        fflush(play.scene->record);
    fflush(play.scene->report);
    _exit((int)verdict);
}

static void title(const char *verdict)
{
    fprintf(play.scene->report, "%s %s:%zu: %s\n", verdict,
            play.scene->script->path, play.scene->number, play.scene->name);
}

/* Begins the report of a failure. */
static void failing(const char *format, ...)
{
    FILE *f = play.scene->report;
    va_list list;

    title("FAIL");
    for (size_t i = play.depth; i-- > 0;)
        fprintf(f, "  %s:%zu: %s\n", play.script[i]->path, play.line[i] + 1,
                play.script[i]->line[play.line[i]]);
    if (play.round)
        fprintf(f, "  after %zu bytes of what the peer sent\n", play.round);
    va_start(list, format);
    vfprintf(f, format, list);
    va_end(list);
}

static _Noreturn void failed(void)
{
    if (runtime.ended)
        fprintf(play.scene->report, "  the process has ended: %s %d\n",
                WIFEXITED(runtime.status) ? "exit status" : "signal",
                WIFEXITED(runtime.status) ? WEXITSTATUS(runtime.status)
                                          : WTERMSIG(runtime.status));
    if (play.out)
        show_output(play.out, "stdout");
    if (play.err)
        show_output(play.err, "stderr");
    finish(FAILED);
}

/* NOLINTNEXTLINE(readability-identifier-naming): used as a function */
#define fail(...)                  \
    do {                           \
        failing("  " __VA_ARGS__); \
        failed();                  \
    } while (0)

static _Noreturn void skip(const char *why)
{
    if (option.verbose)
        title("skip");
    fprintf(play.scene->report, "%s\n", why);
    finish(SKIPPED);
}

/* Fails when nothing moves any more. */
static void check_progress(void)
{
    long now = now_ms(CLOCK_MONOTONIC), used = used_ms();
    long gap = now - play.progress.looked_ms;

    play.progress.looked_ms = now;
    play.progress.idle_ms += gap < LOOK_MS ? gap : LOOK_MS;
    if (used - play.progress.alive_ms >= ALIVE_MS) {
        play.progress.idle_ms = 0;
        play.progress.alive_ms = used;
    }
    if (play.progress.idle_ms > HANG_MS)
        fail("hangs: nothing has happened for %d s\n", HANG_MS / 1000);
    if (used - play.progress.moved_ms > LOOP_MS)
        fail("loops: %d s of CPU time, and nothing sent or read\n",
             LOOP_MS / 1000);
}

/*
 * Bytes: escapes and wildcards
 */

/* A byte to be sent or received, with what is not literal about it. */
enum {
    DIGIT = 0x100, /* any digit will do */
    TIME = 0x200,  /* the first byte of a {time} */
    PORT = 0x400,  /* the first byte of a {port} */
    REST = 0x800   /* another byte of either */
};

struct pattern {
    uint16_t *at;
    size_t n, room;
};

static void add(struct pattern *p, unsigned symbol)
{
    if (p->n == p->room) {
        p->room += p->room / 2 + 64;
        p->at = grow(p->at, p->room, sizeof *p->at);
    }
    p->at[p->n++] = (uint16_t)symbol;
}

static void compile(struct pattern *p, const char *s, const char *end);

/* The closing brace that belongs to an open one before `s`. */
static const char *closing(const char *s, const char *end)
{
    int depth = 1;

    for (; s < end; s++) {
        if (*s == '\\' && s + 1 < end)
            s++;
        if (*s == '{')
            depth++;
        else if (*s == '}' && --depth == 0)
            return s;
    }
    fail("a brace is not closed\n");
}

/* \{N*TEXT}, from the N on. Gives what follows. */
static const char *repetition(struct pattern *p, const char *s, const char *end)
{
    const char *close = closing(s, end);
    struct pattern once = {0};
    char *star;
    unsigned long n = strtoul(s, &star, 10);

    if (star >= close || *star != '*')
        fail("a repetition is \\{N*TEXT}\n");
    compile(&once, star + 1, close);
    while (n-- > 0)
        for (size_t i = 0; i < once.n; i++)
            add(p, once.at[i]);
    free(once.at);
    return close + 1;
}

/* What follows a backslash. Gives what follows that. */
static const char *escape(struct pattern *p, const char *s, const char *end)
{
    static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    const char *letter = s < end ? strchr(letters, *s) : NULL;
    char hex[3] = {0};

    if (letter && *letter) {
        add(p, (unsigned char)bytes[letter - letters]);
        return s + 1;
    }
    if (s < end && *s == '{')
        return repetition(p, s + 1, end);
    if (end - s > 2 && *s == 'x' && isxdigit((unsigned char)s[1]) &&
        isxdigit((unsigned char)s[2])) {
        memcpy(hex, s + 1, 2);
        add(p, (unsigned)strtoul(hex, NULL, 16));
        return s + 3;
    }
    fail("an unknown escape\n");
}

static void add_text(struct pattern *p, const char *text, unsigned first,
                     unsigned rest)
{
    for (size_t i = 0; text[i]; i++)
        add(p, (unsigned char)text[i] | (i ? rest : first));
}

/* {time}, {port} or {now+MS}. Gives what follows. */
static const char *wildcard(struct pattern *p, const char *s, const char *end)
{
    const char *close = closing(s, end);
    size_t length = (size_t)(close - s);
    char text[32];

    if (length == 4 && !strncmp(s, "time", 4)) {
        /* Ten digits of seconds until the year 2286. */
        add(p, '0' | DIGIT | TIME);
        for (int i = 1; i < 13; i++)
            add(p, i == 10 ? '.' | REST : '0' | DIGIT | REST);
    } else if (length == 4 && !strncmp(s, "port", 4)) {
        snprintf(text, sizeof text, "%u", play.port);
        add_text(p, text, PORT, REST);
    } else if (length > 4 && !strncmp(s, "now", 3)) {
        snprintf(text, sizeof text, "%ld",
                 now_ms(CLOCK_REALTIME) + strtol(s + 3, NULL, 10));
        add_text(p, text, 0, 0);
    } else {
        fail("{%.*s} is not known\n", (int)length, s);
    }
    return close + 1;
}

static void compile(struct pattern *p, const char *s, const char *end)
{
    while (s < end)
        if (*s == '\\')
            s = escape(p, s + 1, end);
        else if (*s == '{' && end - s > 1 && islower((unsigned char)s[1]))
            s = wildcard(p, s + 1, end);
        else
            add(p, (unsigned char)*s++);
}

/* Writes a byte of the pattern, or the wildcard that begins there. */
static void show_symbol(FILE *f, unsigned symbol)
{
    if (symbol & (TIME | PORT))
        fputs(symbol & TIME ? "{time}" : "{port}", f);
    else if (!(symbol & REST))
        show_byte(f, symbol & 0xff);
}

static int matches(unsigned symbol, unsigned char byte)
{
    return symbol & DIGIT ? isdigit(byte) : (symbol & 0xff) == byte;
}

/*
 * Counting system calls
 */

/* Whether the case sets a number of workers itself. */
static int has_workers(void)
{
    for (size_t i = 0; i < setup.environments; i++)
        if (strstr(setup.environment[i], "AWS_LAMBDA_MAX_CONCURRENCY="))
            return 1;
    return 0;
}

#ifdef __linux__
/* Budgets are for families, so that they hold for any C library and none. */
static const struct {
    const char *family, *name;
    long number;
} calls[] = {
#define CALL(family, name)        \
    {                             \
        family, #name, SYS_##name \
    }
    CALL("read", read),         CALL("read", readv),
    CALL("read", recvfrom),     CALL("read", recvmsg),
    CALL("write", write),       CALL("write", sendto),
    CALL("writev", writev),     CALL("writev", sendmsg),
    CALL("poll", ppoll),        CALL("poll", pselect6),
    CALL("sleep", nanosleep),   CALL("sleep", clock_nanosleep),
    CALL("socket", socket),     CALL("connect", connect),
    CALL("close", close),       CALL("memory", mmap),
    CALL("memory", brk),        CALL("time", clock_gettime),
    CALL("option", getsockopt), CALL("option", setsockopt),
    CALL("option", fcntl),      CALL("signal", rt_sigaction),
    CALL("end", exit_group),    CALL("file", openat),
    CALL("worker", clone),      CALL("worker", getpid),
    CALL("worker", getppid),    CALL("worker", kill),
    CALL("worker", pipe2),      CALL("worker", prctl),
    CALL("worker", wait4),      CALL("worker", rt_sigreturn),
#ifdef SYS_poll
    CALL("poll", poll),
#else
    {"poll", "poll", SYS_ppoll}, /* arm64 has no other */
#endif
};

/* What --calls lists, and what was made, in memory that all processes share. */
static struct {
    const struct script *list[2];
    size_t n, n_all;        /* without those of workers, and with them */
    size_t call[CALLS_MAX]; /* places in `calls` */
    volatile struct {
        unsigned char by_number[NUMBER_MAX];
        unsigned char untraced;
    } * made;
} allowed;

/* Whether a system call has that name. */
static int is_call(const char *family, long number)
{
    for (size_t i = 0; family && i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == number && !strcmp(calls[i].family, family))
            return 1;
    return 0;
}

static void count_call(void)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, runtime.pid, (void *)sizeof info,
               &info) <= 0)
        return;
    runtime.inside = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (!runtime.inside || info.entry.nr >= NUMBER_MAX)
        return;
    runtime.calls++;
    runtime.call[info.entry.nr]++;
    if (allowed.made && runtime.running)
        allowed.made->by_number[info.entry.nr] = 1;
    runtime.held = is_call(setup.hold, (long)info.entry.nr) &&
                   --setup.hold_n == 0;
}

/* Lets a stopped runtime go on to its next system call. */
static void on_stop(int status)
{
    int event = status >> 16;
    int signal = WSTOPSIG(status);
    long give = 0;

    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        ptrace(PTRACE_LISTEN, runtime.pid, NULL, NULL);
        return;
    }
    if (event == PTRACE_EVENT_EXEC)
        runtime.running = 1;
    if (signal == (SIGTRAP | 0x80))
        count_call();
    else if (event == 0)
        give = signal;
    if (runtime.held)
        return;
    ptrace(setup.counted || runtime.calls < TRACED_MAX ? PTRACE_SYSCALL
                                                       : PTRACE_DETACH,
           runtime.pid, NULL, (void *)give);
}

static int trace(void)
{
    return ptrace(PTRACE_SEIZE, runtime.pid, NULL,
                  (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
                           PTRACE_O_EXITKILL)) == 0;
}

static void release_held(void)
{
    runtime.held = 0;
    ptrace(PTRACE_SYSCALL, runtime.pid, NULL, NULL);
}

/* Whether it sleeps in a system call, as the kernel sees it; < 0: unknown. */
static int sleeps(void)
{
    char path[64], state = '?';
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)runtime.pid);
    f = fopen(path, "r");
    if (!f)
        return -1;
    (void)!fscanf(f, "%*d (%*[^)]) %c", &state);
    fclose(f);
    return state == 'S';
}

/* Of the calls that have names here, those but the one that ends a process. */
static unsigned calls_before_end(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number != SYS_exit_group)
            n += runtime.call[calls[i].number];
    return n;
}

static unsigned calls_of(const char *family)
{
    unsigned n = 0;
    int known = 0;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(calls[i].family, family)) {
            known = 1;
            n += runtime.call[calls[i].number];
        }
    if (!known)
        fail("no system call has the name %s\n", family);
    return n;
}

/*
 * Surroundings
 */

static pid_t start_process(void)
{
    int root = setup.empty_root || setup.read_only_root;

    if (!setup.process1 && !root)
        return fork();
    return (pid_t)syscall(SYS_clone,
                          CLONE_NEWUSER | SIGCHLD |
                              (setup.process1 ? CLONE_NEWPID : 0) |
                              (root ? CLONE_NEWNS : 0),
                          NULL, NULL, NULL, NULL);
}

/* In a mount namespace of its own: /tmp serves as a place that is there. 0, or
 * -1 where it is not permitted. */
static int change_root(void)
{
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
    struct statvfs s;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    if (setup.empty_root && (mount("none", "/tmp", "tmpfs", 0, NULL) < 0 ||
                             chroot("/tmp") < 0 || chdir("/") < 0))
        return -1;
    if (!setup.read_only_root)
        return 0;
    if (statvfs("/", &s) < 0)
        return -1;
    /* Flags that are not repeated would be cleared, which is not permitted. */
    flags |= s.f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC);
    return mount(NULL, "/", NULL, flags, NULL);
}

static void read_list(const struct script **list, const char *kind)
{
    const struct script *s = *list = read_lines(option.calls, kind);

    for (size_t at = 0; at < s->lines; at++) {
        char *rest = s->line[at];

        for (const char *name; (name = word(&rest)); allowed.n_all++) {
            size_t i = 0;

            while (i < sizeof calls / sizeof *calls &&
                   strcmp(calls[i].name, name) != 0)
                i++;
            if (i == sizeof calls / sizeof *calls)
                bad_script(s, at, "a system call of no known name");
            if (allowed.n_all == CALLS_MAX)
                bad_script(s, at, "too many system calls");
            allowed.call[allowed.n_all] = i;
        }
    }
}

static void read_calls(void)
{
    read_list(&allowed.list[0], "calls");
    allowed.n = allowed.n_all;
    read_list(&allowed.list[1], "worker-calls");
    allowed.made = mmap(NULL, sizeof *allowed.made, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (allowed.made == MAP_FAILED) {
        perror("wire");
        exit(BROKEN);
    }
}

#ifdef __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static void on_call(struct sock_fprog *program, long number, unsigned action)
{
    program->filter[program->len++] = (struct sock_filter)BPF_JUMP(
        BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
    program->filter[program->len++] = (struct sock_filter)BPF_STMT(
        BPF_RET | BPF_K, action);
}

/* From here on, any system call but those of the list kills the process, and
 * but those that the kernel makes to start it and to go on after SIGCONT. */
static int confine(void)
{
    static const long own[] = {SYS_execve, SYS_execveat, SYS_restart_syscall};
    enum { OWN = sizeof own / sizeof *own };
    struct sock_filter f[2 * (1 + OWN + CALLS_MAX) + 5] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.len = 4, .filter = f};

    if (setup.interrupted)
        on_call(&program, SYS_connect, SECCOMP_RET_ERRNO | EINTR);
    for (size_t i = 0; i < OWN; i++)
        on_call(&program, own[i], SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < (has_workers() ? allowed.n_all : allowed.n); i++)
        on_call(&program, calls[allowed.call[i]].number, SECCOMP_RET_ALLOW);
    f[program.len++] = (struct sock_filter)BPF_STMT(
        BPF_RET | BPF_K,
        option.calls ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* The last case of --calls: what is listed, and what all cases made. */
static enum verdict compare_calls(void)
{
    enum { ALWAYS = 1, WORKERS };
    unsigned char listed[NUMBER_MAX] = {0};
    volatile unsigned char *made = allowed.made->by_number;
    enum verdict verdict = PASSED;

    if (allowed.made->untraced) {
        printf("skip %s: all system calls listed are made\n"
               "  they could not be traced here\n",
               option.calls);
        return SKIPPED;
    }
    made[SYS_restart_syscall] = 0; /* the kernel's, after SIGCONT */
    for (size_t i = 0; i < allowed.n_all; i++)
        listed[calls[allowed.call[i]].number] = i < allowed.n ? ALWAYS
                                                              : WORKERS;
    for (size_t number = 0; number < NUMBER_MAX; number++) {
        const char *name = "?";

        if (listed[number] == WORKERS || (listed[number] > 0) == made[number])
            continue;
        for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
            if (calls[i].number == (long)number)
                name = calls[i].name;
        printf("FAIL %s: system call %zu %s: %s\n", option.calls, number, name,
               listed[number] ? "listed, and made in no case"
                              : "made, and not listed");
        verdict = FAILED;
    }
    return verdict;
}
#else
static void on_stop(int status)
{
    (void)status;
}

static int trace(void)
{
    return 0;
}

static void release_held(void)
{
}

static int sleeps(void)
{
    return -1;
}

static unsigned calls_before_end(void)
{
    return 0;
}

static unsigned calls_of(const char *family)
{
    (void)family;
    return 0;
}

static pid_t start_process(void)
{
    return setup.process1 || setup.empty_root || setup.read_only_root ? -1
                                                                      : fork();
}

static int change_root(void)
{
    return -1;
}

static void read_calls(void)
{
}

static int confine(void)
{
    return -1;
}

static enum verdict compare_calls(void)
{
    return SKIPPED;
}
#endif

/*
 * Starting the runtime
 */

static void on_child(int signal)
{
    int saved = errno;
    int status;

    (void)signal;
    while (waitpid(runtime.pid, &status, WNOHANG) > 0) {
        if (WIFSTOPPED(status)) {
            on_stop(status);
            continue;
        }
        runtime.status = status;
        runtime.ended = 1;
        (void)!write(runtime.end_pipe[1], "", 1);
    }
    errno = saved;
}

/* A socket on our port. There are two: one listens, and may stop listening;
 * the other keeps the port for us meanwhile. */
static int bound_socket(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    int yes = 1;
    int s = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)play.port);
    setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (bind(s, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(s, (struct sockaddr *)&a, &size) < 0)
        fail("the peer has no port: %s\n", strerror(errno));
    play.port = ntohs(a.sin_port);
    return s;
}

static void set_listening(int on)
{
    if (!on) {
        close(play.listener);
        play.listener = -1;
        return;
    }
    play.listener = bound_socket();
    if (setup.window)
        setsockopt(play.listener, SOL_SOCKET, SO_RCVBUF, &setup.window,
                   sizeof setup.window);
    if (listen(play.listener, 8) < 0)
        fail("the peer cannot listen: %s\n", strerror(errno));
}

/* The child's environment. */
static void set_environment(void)
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", play.port);
    setenv("AWS_LAMBDA_RUNTIME_API", address, 1);
    if (setup.counted) /* its leak checker cannot be traced */
        setenv("LSAN_OPTIONS", "detect_leaks=0", 1);
    for (size_t i = 0; i < setup.environments; i++)
        if (strchr(setup.environment[i], '='))
            putenv(setup.environment[i]);
        else
            unsetenv(setup.environment[i]);
}

/* In the child: tells the parent why the case cannot be played here. */
static _Noreturn void lack(int tell, const char *what)
{
    dprintf(tell, "%s: %s", what, strerror(errno));
    _exit(127);
}

/* In the child: what the set-up lines ask for, then bootstrap. */
static _Noreturn void run_bootstrap(int go, int tell)
{
    extern char **environ;
    char *argument[2 * ARGUMENT_MAX];
    size_t n = 0;
    char *prefix = option.under ? strdup(option.under) : NULL;
    sigset_t none;
    char byte;
    int program;

    setpgid(0, 0);
    sigemptyset(&none);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    set_environment();
    while (prefix && n < ARGUMENT_MAX && (argument[n] = word(&prefix)))
        n++;
    argument[n++] = strdup(setup.path);
    for (size_t i = 0; i < setup.arguments; i++)
        argument[n++] = setup.argument[i];
    argument[n] = NULL;
    program = open(setup.path, O_RDONLY); /* while there is a path to it */
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(fileno(play.out), 1);
    dup2(fileno(play.err), 2);
    for (int fd = 0; fd < 1024; fd++)
        if (fd > 2 || setup.closed[fd])
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    if ((setup.empty_root || setup.read_only_root) && change_root() < 0)
        lack(tell, "no such root here");
    (void)!read(go, &byte, 1); /* until we are traced, if we are to be */
    for (size_t i = 0; i < setup.limits; i++)
        setrlimit(setup.limit[i].resource,
                  &(struct rlimit){setup.limit[i].value, setup.limit[i].value});
    if ((option.calls || setup.interrupted) && confine() < 0)
        lack(tell, "no seccomp here");
    if (option.under) /* found in PATH, as a shell would */
        execvp(argument[0], argument);
    else
        fexecve(program, argument, environ);
    dprintf(2, "%s: %s\n", argument[0], strerror(errno));
    _exit(127);
}

static FILE *output_file(void)
{
    FILE *f = tmpfile();

    if (!f)
        fail("no temporary file: %s\n", strerror(errno));
    fcntl(fileno(f), F_SETFL, O_APPEND);
    return f;
}

/* Has the child traced where that is asked for, and lets it go on until it is
 * bootstrap, or has told why it cannot be. */
static void release(int go, int told)
{
    char why[256];
    ssize_t n;

    if ((setup.counted || option.calls) &&
        (option.under || option.worker || !trace())) {
        if (setup.hold)
            skip("the runtime could not be held here");
        if (setup.counted)
            play.skip = "system calls could not be counted here";
        if (allowed.made)
            allowed.made->untraced = 1;
    }
    close(go);
    progress();
    sigprocmask(SIG_UNBLOCK, &play.child, NULL);
    n = read(told, why, sizeof why - 1);
    close(told);
    if (n > 0) {
        why[n] = '\0';
        skip(why);
    }
}

static void start(void)
{
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART};
    int go[2], tell[2];

    if ((setup.limits || setup.empty_root || setup.interrupted) &&
        (option.no_limits || option.under || option.worker))
        skip("this is for the bare binary");
    if (option.worker && (setup.looks_inside || has_workers()))
        skip("this is for a process without workers");
    play.out = output_file();
    play.err = output_file();
    if (!setup.refuse)
        set_listening(1);
    if (pipe(go) < 0 || pipe(tell) < 0 || pipe(runtime.end_pipe) < 0)
        fail("no pipe: %s\n", strerror(errno));
    sigemptyset(&play.child);
    sigaddset(&play.child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &play.child, NULL);
    sigaction(SIGCHLD, &action, NULL);
    runtime.pid = start_process();
    if (runtime.pid == 0) {
        close(go[1]);
        run_bootstrap(go[0], tell[1]);
    }
    if (runtime.pid < 0)
        skip("no such process for us here");
    close(go[0]);
    close(tell[1]);
    release(go[1], tell[0]);
    if (play.scene->record && play.round == 0)
        fprintf(play.scene->record, "%s:%zu: %s\t", play.scene->script->path,
                play.scene->number, play.scene->name);
}

/*
 * The peer
 */

enum event { BYTES = 1, OPENED = 2, ENDED = 4, WRITABLE = 8 };

static void nap(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    while (nanosleep(&t, &t) < 0 &&
           errno == EINTR) /* SIGCHLD: a call counted */
        continue;
}

/* Waits for one of the events wanted, `ms` at most; 0 when it does not come,
 * and a failure when nothing moves any more. */
static int await(int wanted, long ms)
{
    long begin = now_ms(CLOCK_MONOTONIC);
    struct pollfd p[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};

    if (wanted & (BYTES | WRITABLE))
        p[0].fd = play.connection;
    p[0].events = wanted & WRITABLE ? POLLOUT : POLLIN;
    if (wanted & OPENED)
        p[1].fd = play.listener;
    p[1].events = p[2].events = POLLIN;
    if (wanted & ENDED)
        p[2].fd = runtime.end_pipe[0];
    for (;;) {
        long left = ms - (now_ms(CLOCK_MONOTONIC) - begin);

        if (poll(p, 3, left < 0 ? 0 : left < LOOK_MS ? (int)left : LOOK_MS) > 0)
            return (p[0].revents ? wanted & (BYTES | WRITABLE) : 0) |
                   (p[1].revents ? OPENED : 0) | (p[2].revents ? ENDED : 0);
        if (left <= 0)
            return 0;
        check_progress();
    }
}

/* Bytes that came, escaped, from `n` bytes of which those at `i` are wrong. */
static void show_received(const unsigned char *got, size_t i, size_t n)
{
    FILE *f = play.scene->report;

    for (size_t j = i > 24 ? i - 24 : 0; j < n && j < i + 48; j++)
        show_byte(f, got[j]);
    putc('\n', f);
}

static void show_expected(const struct pattern *p, size_t i)
{
    FILE *f = play.scene->report;

    fprintf(f, "    connection %zu, byte %zu\n    expected: ", play.connections,
            play.received + i);
    for (size_t j = i > 24 ? i - 24 : 0; j < p->n && j < i + 48; j++)
        show_symbol(f, p->at[j]);
    putc('\n', f);
}

/* Reads what is there, or the next that comes: the number of bytes, or 0 when
 * the connection has been closed or reset. */
static size_t receive(unsigned char *bytes, size_t room)
{
    ssize_t n;

    if (play.connection < 0)
        fail("there is no connection: ! accept is missing\n");
    while ((n = recv(play.connection, bytes, room, MSG_DONTWAIT)) < 0 &&
           errno == EAGAIN)
        await(BYTES, FOREVER_MS);
    progress();
    return n > 0 ? (size_t)n : 0;
}

/* Reads as many bytes as the pattern has, and compares them. */
static void expect(const struct pattern *p)
{
    unsigned char got[65536];
    size_t done = 0;

    while (done < p->n) {
        size_t n, i = 0;

        if (p->n - done > sizeof got)
            nap(500); /* many small writes are read at once */
        if (await(BYTES | OPENED, FOREVER_MS) == OPENED)
            fail("a new connection where bytes are to come\n");
        n = receive(got, p->n - done < sizeof got ? p->n - done : sizeof got);
        if (n == 0) {
            await(ENDED, 50);
            failing("  the connection has been closed\n");
            show_expected(p, done);
            failed();
        }
        while (i < n && matches(p->at[done + i], got[i]))
            i++;
        for (size_t j = done; play.scene->record && j < done + i; j++)
            show_symbol(play.scene->record, p->at[j]);
        if (i < n) {
            failing("  other bytes\n");
            show_expected(p, done + i);
            fputs("    received: ", play.scene->report);
            show_received(got, i, n);
            failed();
        }
        done += i;
    }
    play.received += done;
}

/* The runtime closes its side, and has sent nothing that was not shown. */
static void expect_end_of_connection(void)
{
    unsigned char got[256];
    size_t n;

    if (play.connection < 0)
        return;
    n = receive(got, sizeof got);
    if (n > 0) {
        failing("  bytes that the script does not show\n");
        fprintf(play.scene->report, "    connection %zu, byte %zu\n    ",
                play.connections, play.received);
        show_received(got, 0, n);
        failed();
    }
    close(play.connection);
    play.connection = -1;
}

static void drain(void)
{
    unsigned char got[65536];

    while (receive(got, sizeof got) > 0)
        continue;
}

static void accept_connection(void)
{
    int yes = 1;
    int events = await(OPENED | ENDED, FOREVER_MS);

    if (!(events & OPENED))
        fail("no connection is opened\n");
    expect_end_of_connection();
    play.connection = accept(play.listener, NULL, NULL);
    if (play.connection < 0)
        fail("accept: %s\n", strerror(errno));
    setsockopt(play.connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    play.connections++;
    play.received = 0;
}

static void reset_connection(void)
{
    struct linger l = {.l_onoff = 1, .l_linger = 0};

    setsockopt(play.connection, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(play.connection);
    play.connection = -1;
}

/* What the peer has sent that has not reached the runtime's side. */
static int in_flight(void)
{
    int bytes = 0;

    if (play.connection >= 0)
        ioctl(play.connection, TIOCOUTQ, &bytes);
    return bytes > 0;
}

/* Waits a little, for a condition that no descriptor tells. */
static void look_again(void)
{
    nap(500);
    check_progress();
}

/* Whether the runtime sleeps and nothing is under way that would wake it. Where
 * that cannot be told, the rest of the case is played as if it did. */
static int asleep(void)
{
    int state = in_flight() ? 0 : sleeps();

    if (state < 0)
        play.skip = "whether the runtime sleeps could not be told here";
    return state != 0;
}

static void await_sleep(void)
{
    while (!asleep()) {
        if (runtime.ended)
            fail("it was to sleep\n");
        look_again();
    }
}

static void await_hold(void)
{
    while (!runtime.held) {
        if (runtime.ended)
            fail("it was to be held\n");
        look_again();
    }
}

static void release_runtime(void)
{
    if (!runtime.held)
        fail("it is not held\n");
    while (in_flight())
        look_again();
    release_held();
}

/* Sends. A peer that is cut off meanwhile is not at fault: what the script
 * shows next decides. */
static void send_bytes(const unsigned char *bytes, size_t n, size_t step)
{
    while (n > 0) {
        ssize_t sent = send(play.connection, bytes, n < step ? n : step,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EAGAIN)
            await(WRITABLE, FOREVER_MS);
        else if (sent < 0)
            return;
        else {
            progress();
            bytes += sent;
            n -= (size_t)sent;
            if (step == 1)
                nap(20);
        }
    }
}

/* Sends what the `<` lines have gathered, as the last `!` asked. */
static void flush(void)
{
    struct pattern *p = play.pending;
    size_t cut = play.round + (play.delivery == SPLIT);
    unsigned char *bytes;

    if (p->n == 0)
        return;
    if (play.connection < 0)
        fail("there is no connection to send on\n");
    bytes = grow(NULL, p->n, 1);
    for (size_t i = 0; i < p->n; i++)
        bytes[i] = (unsigned char)(p->at[i] & 0xff);
    play.sent_ms = now_ms(CLOCK_MONOTONIC);
    progress();
    if (play.delivery >= SPLIT)
        play.again = cut + 1 < p->n;
    if (play.delivery == WHOLE || play.delivery == DRIBBLE) {
        send_bytes(bytes, p->n, play.delivery == WHOLE ? p->n : 1);
    } else {
        send_bytes(bytes, cut, p->n);
        if (play.delivery == SPLIT) {
            while (!asleep() && !runtime.ended)
                look_again();
            send_bytes(bytes + cut, p->n - cut, p->n);
        } else if (play.delivery == CUT_FIN)
            shutdown(play.connection, SHUT_WR);
        else
            reset_connection();
    }
    free(bytes);
    p->n = 0;
    play.delivery = WHOLE;
}

static void quiet(long ms)
{
    int events = await(BYTES | OPENED | ENDED, ms);

    if (events)
        fail("not quiet: %s\n", events & BYTES    ? "bytes have come"
                                : events & OPENED ? "a new connection"
                                                  : "the process has ended");
}

/*
 * Lines of a script
 */

static long number(const char *text)
{
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : 0;

    if (!text || end == text || *end)
        fail("a number is missing\n");
    return n;
}

static void send_signal(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {
        {"TERM", SIGTERM}, {"INT", SIGINT},   {"PIPE", SIGPIPE},
        {"STOP", SIGSTOP}, {"CONT", SIGCONT},
    };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (name && !strcmp(signals[i].name, name)) {
            runtime.calls_at_signal = calls_before_end();
            kill(runtime.pid, signals[i].number);
            return;
        }
    fail("no such signal\n");
}

static void storm(long n)
{
    while (n-- > 0) {
        kill(runtime.pid, SIGSTOP);
        nap(500);
        kill(runtime.pid, SIGCONT);
        nap(500);
    }
}

/* A line that begins with "!". */
static void act(char *rest)
{
    const char *what = word(&rest);
    const char *value = word(&rest);

    if (!what)
        fail("nothing to do\n");
    else if (!strcmp(what, "accept"))
        accept_connection();
    else if (!strcmp(what, "dribble"))
        play.delivery = DRIBBLE;
    else if (!strcmp(what, "split"))
        play.delivery = SPLIT;
    else if (!strcmp(what, "cut"))
        play.delivery = value && !strcmp(value, "fin") ? CUT_FIN : CUT_RST;
    else if (!strcmp(what, "fin"))
        shutdown(play.connection, SHUT_WR);
    else if (!strcmp(what, "rst"))
        reset_connection();
    else if (!strcmp(what, "close")) {
        close(play.connection);
        play.connection = -1;
    } else if (!strcmp(what, "drain"))
        drain();
    else if (!strcmp(what, "pause"))
        nap(number(value) * 1000);
    else if (!strcmp(what, "refuse") || !strcmp(what, "listen"))
        set_listening(*what == 'l');
    else if (!strcmp(what, "signal"))
        send_signal(value);
    else if (!strcmp(what, "storm"))
        storm(number(value));
    else if (!strcmp(what, "asleep"))
        await_sleep();
    else if (!strcmp(what, "held"))
        await_hold();
    else if (!strcmp(what, "release"))
        release_runtime();
    else
        fail("the peer cannot %s\n", what);
}

static void check_exit(char *rest)
{
    long status = number(word(&rest));
    const char *at_once = word(&rest);

    if (await(OPENED | ENDED, FOREVER_MS) & OPENED)
        fail("a new connection where the process is to end\n");
    if (!WIFEXITED(runtime.status) || WEXITSTATUS(runtime.status) != status)
        fail("not the end that is expected\n");
    if (at_once && !play.skip && calls_before_end() != runtime.calls_at_signal)
        fail("%u system calls between the signal and the end\n",
             calls_before_end() - runtime.calls_at_signal);
    expect_end_of_connection();
}

/* How many calls of a family were made, and how many were to be. */
struct count {
    const char *name;
    long want;
};

static int all_made(const struct count *count, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((long)calls_of(count[i].name) < count[i].want)
            return 0;
    return 1;
}

/* Waits until they were made, and the runtime makes no more for now. */
static void await_calls(const struct count *count, size_t n)
{
    while (!all_made(count, n) ||
           !(runtime.ended || (runtime.inside && asleep()))) {
        if (runtime.ended && !all_made(count, n))
            return;
        look_again();
    }
}

static void check_calls(char *rest)
{
    struct count count[8];
    char wrong[256] = "";
    size_t n = 0;

    if (play.skip)
        return;
    while (n < 8 && (count[n].name = word(&rest)))
        count[n++].want = number(word(&rest));
    await_calls(count, n);
    for (size_t i = 0; i < n; i++) {
        size_t end = strlen(wrong);

        if (count[i].want != (long)calls_of(count[i].name))
            snprintf(wrong + end, sizeof wrong - end, " %s %u", count[i].name,
                     calls_of(count[i].name));
    }
    if (*wrong)
        fail("system calls made:%s\n", wrong);
    runtime.calls = 0;
    for (size_t i = 0; i < sizeof runtime.call / sizeof *runtime.call; i++)
        runtime.call[i] = 0;
}

/* The descriptors of the runtime that are sockets. */
static void check_sockets(const char *want)
{
    char path[64], target[64], found[256] = "";
    struct dirent *entry;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)runtime.pid);
    folder = opendir(path);
    if (!folder) {
        play.skip = "sockets could not be listed here";
        return;
    }
    while ((entry = readdir(folder))) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target,
                               sizeof target);
        size_t end = strlen(found);

        if (n > 7 && !memcmp(target, "socket:", 7))
            snprintf(found + end, sizeof found - end, "%s%.9s", end ? " " : "",
                     entry->d_name);
    }
    closedir(folder);
    if (strcmp(found, want) != 0)
        fail("the sockets are: %s\n", *found ? found : "none");
}

/* A line that begins with "=". */
static void check(char *rest)
{
    const char *what = word(&rest);

    if (what && !strcmp(what, "quiet"))
        quiet(number(word(&rest)));
    else if (what && !strcmp(what, "elapsed")) {
        long took = now_ms(CLOCK_MONOTONIC) - play.sent_ms;

        if (took < number(word(&rest)))
            fail("elapsed: %ld ms\n", took);
    } else if (what && !strcmp(what, "sockets"))
        check_sockets(rest);
    else if (what && !strcmp(what, "calls"))
        check_calls(rest);
    else if (what && !strncmp(what, "stderr", 6)) {
        if (play.expected_errors == ARGUMENT_MAX)
            fail("too many lines are expected on stderr\n");
        play.any_number[play.expected_errors] = what[6] == '.';
        play.expected_error[play.expected_errors++] = strdup(rest);
    } else if (what && !strcmp(what, "log")) {
        if (play.expected_errors == ARGUMENT_MAX)
            fail("too many lines are expected on stderr\n");
        play.from_start[play.expected_errors] = 1;
        play.expected_error[play.expected_errors++] = strdup(rest);
    } else if (what && !strcmp(what, "exit"))
        check_exit(rest);
    else
        fail("no such check\n");
}

static void set_limit(const char *name, const char *value)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {
        {"as", RLIMIT_AS}, {"stack", RLIMIT_STACK}, {"nofile", RLIMIT_NOFILE}};

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (name && !strcmp(limits[i].name, name) && setup.limits < 4) {
            setup.limit[setup.limits].resource = limits[i].resource;
            setup.limit[setup.limits++].value = (rlim_t)number(value);
            return;
        }
    fail("no such limit\n");
}

static void choose_handler(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < option.bins; i++)
        if (!strncmp(option.bin[i], name, length) &&
            option.bin[i][length] == '=') {
            setup.path = option.bin[i] + length + 1;
            return;
        }
    skip("no --bin gives this handler's binary");
}

/* A set-up line; 0 when it is not one. */
static int set_up(const char *what, char *rest)
{
    if (!strcmp(what, "handler"))
        choose_handler(rest);
    else if (!strcmp(what, "arg") && setup.arguments < ARGUMENT_MAX - 1)
        setup.argument[setup.arguments++] = strdup(rest);
    else if (!strcmp(what, "env") && setup.environments < ARGUMENT_MAX) {
        struct pattern p = {0};
        char *text;

        compile(&p, rest, rest + strlen(rest));
        text = calloc(p.n + 1, 1);
        for (size_t i = 0; text && i < p.n; i++)
            text[i] = (char)(p.at[i] & 0xff);
        free(p.at);
        setup.environment[setup.environments++] = text;
    } else if (!strcmp(what, "close")) {
        for (const char *fd; (fd = word(&rest));)
            setup.closed[number(fd) % 3] = 1;
    } else if (!strcmp(what, "limit")) {
        const char *name = word(&rest);

        set_limit(name, word(&rest));
    } else if (!strcmp(what, "window"))
        setup.window = (int)number(rest);
    else if (!strcmp(what, "refuse"))
        setup.refuse = 1;
    else if (!strcmp(what, "process"))
        setup.process1 = 1;
    else if (!strcmp(what, "root"))
        for (const char *kind; (kind = word(&rest));)
            *(*kind == 'e' ? &setup.empty_root : &setup.read_only_root) = 1;
    else if (!strcmp(what, "interrupt"))
        setup.interrupted = 1;
    else if (!strcmp(what, "hold")) {
        setup.hold = strdup(word(&rest));
        setup.hold_n = number(word(&rest));
        setup.counted = 1;
    } else
        return 0;
    return 1;
}

/* A definition that is being played, and what its parameters are. */
struct call {
    const struct definition *definition;
    const char *argument[PARAMETER_MAX];
};

/* Writes what stands for {name}, {size name} or {hex name}; 0 if nothing. */
static int parameter(FILE *f, const char *name, size_t length,
                     const struct call *call)
{
    int size = length > 5 && !strncmp(name, "size ", 5);
    int hex = length > 4 && !strncmp(name, "hex ", 4);
    size_t skipped = size ? 5 : hex ? 4 : 0;
    struct pattern p = {0};

    for (size_t i = 0; call && i < call->definition->parameters; i++) {
        const char *value = call->argument[i];

        if (strlen(call->definition->parameter[i]) != length - skipped ||
            strncmp(call->definition->parameter[i], name + skipped,
                    length - skipped) != 0)
            continue;
        if (skipped) {
            compile(&p, value, value + strlen(value));
            fprintf(f, hex ? "%zx" : "%zu", p.n);
            free(p.at);
        } else {
            fputs(value, f);
        }
        return 1;
    }
    return 0;
}

/* The line with its parameters replaced. */
static char *substitute(const char *line, const struct call *call)
{
    char *text = NULL;
    size_t room;
    FILE *f = open_memstream(&text, &room);

    if (!f)
        fail("%s\n", strerror(errno));
    while (*line) {
        size_t n = *line == '{' ? strcspn(line, "}") : 0;

        if (n > 1 && line[n] && parameter(f, line + 1, n - 1, call))
            line += n + 1;
        else
            putc(*line++, f);
    }
    fclose(f);
    return text;
}

static void play_lines(const struct script *s, size_t first, size_t last,
                       const struct call *call);

static void play_definition(char *rest)
{
    const char *name = word(&rest);
    const struct script *s = play.script[play.depth - 1];
    const struct definition *d = name ? find_definition(s, name) : NULL;
    struct call call = {.definition = d};

    if (!d)
        fail("no such definition\n");
    for (size_t i = 0; i < d->parameters; i++) {
        call.argument[i] = i + 1 < d->parameters ? word(&rest) : rest;
        if (!call.argument[i])
            fail("an argument is missing: %s\n", d->parameter[i]);
    }
    play_lines(d->script, d->first, d->last, &call);
}

static void play_line(char *line)
{
    char *rest = line;
    const char *what = word(&rest);
    struct pattern bytes = {0};

    if (!what || *what == '#')
        return;
    if (!strcmp(what, "do")) {
        play_definition(rest);
        return;
    }
    if (!runtime.pid) {
        if (set_up(what, rest))
            return;
        start();
    }
    if (!strcmp(what, "<")) {
        compile(play.pending, rest, rest + strlen(rest));
        return;
    }
    flush();
    progress();
    if (!strcmp(what, ">")) {
        compile(&bytes, rest, rest + strlen(rest));
        progress();
        expect(&bytes);
        free(bytes.at);
    } else if (!strcmp(what, "!"))
        act(rest);
    else if (!strcmp(what, "="))
        check(rest);
    else
        fail("a line of no known kind\n");
}

static void play_lines(const struct script *s, size_t first, size_t last,
                       const struct call *call)
{
    size_t depth = play.depth++;

    if (depth == DEPTH_MAX - 1)
        fail("definitions are too deep\n");
    play.script[depth] = s;
    for (size_t i = first; i < last; i++) {
        char *line = substitute(s->line[i], call);

        play.line[depth] = i;
        play_line(line);
        free(line);
    }
    play.depth = depth;
}

/* Whether a line has the parts of the n-th expectation in their order, and may
 * have them any number of times. */
static int fits(const char *line, size_t n, int times)
{
    const char *part = n < play.expected_errors ? play.expected_error[n] : NULL;

    if (!part || (times && !play.any_number[n]))
        return 0;
    while (line && *part) {
        char text[256];
        size_t length = strcspn(part, "*");

        snprintf(text, sizeof text, "%.*s", (int)length, part);
        if (part == play.expected_error[n] && play.from_start[n])
            line = strncmp(line, text, strlen(text)) ? NULL : line;
        else
            line = strstr(line, text);
        part += length + (part[length] == '*');
    }
    return line != NULL;
}

/* stdout is empty, and stderr has the lines expected and no other. */
static void check_outputs(void)
{
    char *line = NULL;
    size_t room = 0, n = 0;

    rewind(play.err);
    while (getline(&line, &room, play.err) >= 0) {
        if ((strncmp(line, "rawstream: ", 11) != 0 &&
             (n == play.expected_errors || !play.from_start[n])) ||
            !strchr(line, '\n'))
            fail("not a line of ours on stderr\n");
        if (fits(line, n, 1))
            continue;
        while (n < play.expected_errors && play.any_number[n])
            n++;
        if (!fits(line, n++, 0))
            fail("on stderr: %s", line);
        if (play.from_start[n - 1])
            continue; /* it has times inside */
        for (const char *p = line; play.scene->record && *p; p++)
            show_byte(play.scene->record, (unsigned char)*p);
    }
    free(line);
    while (n < play.expected_errors && play.any_number[n])
        n++;
    if (n < play.expected_errors)
        fail("stderr lacks: %s\n", play.expected_error[n]);
    rewind(play.out);
    if (getc(play.out) != EOF)
        fail("something on stdout\n");
}

static int is_counted(const char *line)
{
    return !strncmp(line, "= calls", 7) ||
           (!strncmp(line, "= exit", 6) && strstr(line, " at once"));
}

/* Whether it needs the process that runs invocations, and not its parent. */
static int looks_inside(const char *line)
{
    return strstr(line, "= sockets") || strstr(line, "! signal STOP") ||
           strstr(line, "! storm");
}

static _Noreturn void play_round(const struct scene *scene, size_t round)
{
    struct pattern pending = {0};
    char end[] = "143";

    play.scene = scene;
    play.round = round;
    play.pending = &pending;
    setup.path = option.bootstrap;
    for (size_t i = scene->first; i < scene->last; i++) {
        setup.counted |= is_counted(scene->script->line[i]);
        setup.looks_inside |= looks_inside(scene->script->line[i]);
    }
    (void)bound_socket();
    play_lines(scene->script, scene->first, scene->last, NULL);
    flush();
    if (!runtime.pid)
        start();
    if (!runtime.ended) {
        send_signal("TERM");
        check_exit(end);
    }
    check_outputs();
    if (play.again)
        finish(AGAIN);
    if (play.skip)
        skip(play.skip);
    if (option.verbose)
        title("ok  ");
    finish(PASSED);
}

/* Plays a case, once or once for each byte, each time in a fresh process. */
static _Noreturn void play_scene(const struct scene *scene)
{
    for (size_t round = 0;; round++) {
        int status = 0;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0)
            play_round(scene, round);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            perror("wire");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != AGAIN)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN);
    }
}

/*
 * All cases
 */

/* What was written to a file, which is closed: cases that wait for an earlier
 * one shall not use descriptors up. */
static char *take(FILE *f)
{
    char *text = NULL;
    size_t room = 0;

    if (!f)
        return NULL;
    rewind(f);
    if (getdelim(&text, &room, '\0', f) < 0) {
        free(text);
        text = NULL;
    }
    fclose(f);
    return text;
}

static void start_scene(struct scene *scene)
{
    scene->report = tmpfile();
    scene->record = option.record ? tmpfile() : NULL;
    fflush(NULL);
    scene->pid = fork();
    if (scene->pid == 0)
        play_scene(scene);
    if (!scene->report || scene->pid < 0) {
        perror("wire");
        exit(BROKEN);
    }
}

static void wait_for_any(void)
{
    int status;
    pid_t pid = wait(&status);

    for (size_t i = 0; i < scene_count; i++)
        if (pid > 0 && scenes[i].pid == pid) {
            scenes[i].pid = 0;
            scenes[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN;
            scenes[i].said = take(scenes[i].report);
            scenes[i].recorded = take(scenes[i].record);
        }
}

static void report(struct scene *s)
{
    if (s->status == BROKEN)
        printf("FAIL %s: the player of this case died\n", s->name);
    if (s->said && (s->status != SKIPPED || option.verbose))
        fputs(s->said, stdout);
    if (s->recorded)
        fprintf(option.record, "%s\n", s->recorded);
    free(s->recorded);
}

/* A line for each reason. */
static void report_skipped(void)
{
    for (size_t i = 0; i < scene_count; i++) {
        const char *why = scenes[i].said;
        size_t n = 0;

        if (scenes[i].status != SKIPPED || !why)
            continue;
        for (size_t j = i; j < scene_count; j++)
            if (scenes[j].status == SKIPPED && scenes[j].said &&
                !strcmp(scenes[j].said, why)) {
                scenes[j].status = PASSED; /* is told */
                n++;
            }
        printf("%zu skipped: %s", n, why);
    }
}

/* For who watches: see test/tools/run.sh. */
static void show_progress(size_t done)
{
    if (getenv("TEST_PROGRESS"))
        dprintf(3, "\r    %zu of %zu ", done, scene_count);
}

/* Plays all, `jobs` at a time, and reports them in their order. */
static int play_all(void)
{
    size_t count[BROKEN + 1] = {0};
    size_t next = 0, running = 0, end = scene_count;

    for (size_t done = 0; done < end;) {
        if (done < next && scenes[done].pid == 0) {
            report(&scenes[done]);
            count[scenes[done++].status]++;
            if (option.first_failure && count[FAILED] + count[BROKEN] > 0)
                end = next;
        } else if (next < end && running < option.jobs) {
            start_scene(&scenes[next++]);
            running++;
        } else {
            wait_for_any();
            running--;
            show_progress(next - running);
        }
    }
    if (!option.verbose)
        report_skipped();
    if (allowed.made)
        count[compare_calls()]++;
    count[FAILED] += count[BROKEN];
    printf("%zu passed, %zu failed", count[PASSED], count[FAILED]);
    if (count[SKIPPED])
        printf(", %zu skipped", count[SKIPPED]);
    putchar('\n');
    return count[FAILED] > 0;
}

static _Noreturn void usage(void)
{
    fputs(
        "usage: wire [-v] [-x] [-j N] [--bin NAME=PATH]... [--under PREFIX]\n"
        "            [--worker] [--no-limits] [--calls FILE] [--record FILE]\n"
        "            BOOTSTRAP SCRIPT...\n",
        stderr);
    exit(BROKEN);
}

/* 0 when there is no such option, or it has another kind of value. */
static int read_value(const char *name, char *value)
{
    if (!strcmp(name, "-j"))
        return (option.jobs = strtoul(value, NULL, 10)) > 0;
    if (!strcmp(name, "--bin") && option.bins < ARGUMENT_MAX)
        return (option.bin[option.bins++] = value) != NULL;
    if (!strcmp(name, "--under"))
        return (option.under = value) != NULL;
    if (!strcmp(name, "--calls"))
        return (option.calls = value) != NULL;
    return !strcmp(name, "--record") &&
           (option.record = fopen(value, "w")) != NULL;
}

static int read_options(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *name = argv[i];
        char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(name, "-v"))
            option.verbose = 1;
        else if (!strcmp(name, "-x"))
            option.first_failure = 1;
        else if (!strcmp(name, "--no-limits"))
            option.no_limits = 1;
        else if (!strcmp(name, "--worker") &&
                 !putenv("AWS_LAMBDA_MAX_CONCURRENCY=1"))
            option.worker = 1;
        else if (value && read_value(name, value))
            i++;
        else
            usage();
    }
    return i;
}

int main(int argc, char **argv)
{
    int i = read_options(argc, argv);
    int failures;

    if (argc - i < 2)
        usage();
    option.bootstrap = argv[i++];
    if (option.calls)
        read_calls();
    for (; i < argc; i++)
        read_script(argv[i]);
    failures = play_all();
    if (option.record && fclose(option.record) != 0) {
        perror("wire: --record");
        return FAILED;
    }
    return failures;
}
