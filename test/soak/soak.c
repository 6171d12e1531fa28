/*
 * soak.c - a Runtime API that does not tire, against the real bootstrap
 *
 *     soak [--seed N] [--from N] [--events N] [--freezes N] [--jumped FILE]
 *          BOOTSTRAP
 *
 * Events: N of them, each composed at random together with the bytes that it
 * must be answered with; all that the runtime sends is compared with those.
 * Every thousandth exchange goes wrong. After each: the log lines it is due
 * and no other. A runtime that is to exit is started again. Of each process,
 * at its end, descriptors and resident memory are compared with what they were
 * when it had seen everything once.
 *
 * Freezes: SIGSTOP, for 0.1 s to 5 s, at random instants while words are
 * streamed, in many processes at once.
 *
 * Jumps: --jumped is a bootstrap linked with soak_clock.c.
 *
 * Every exchange has a seed of its own, made of --seed and its number: --from
 * with --events 1 repeats one.
 */
#define _GNU_SOURCE
#include "soak_clock.h"
#include "test/lambda/base.h"
#include "test/lambda/text.h"
#include "test/unit/loopback.h"
#include "test/unit/unit.h"

#include "http.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/* When nothing has come for so long, it hangs. */
#define PATIENCE_S    60
#define FAR_MS        600000 /* a deadline that no machine comes near */
#define FAULT_EVERY   1000
#define EXIT_EVERY    33 /* faults */
#define FAILURES_MAX  3
#define STAMPS_MAX    64
#define PROCESSES_MAX 40
#define DELAY_MS      100
#define CLOCK_SET_MS  50 /* from there on, somebody has set it */

/* More than the buffers of a connection hold: 4 MB on the runtime's side. */
#define LARGE 6000000

/* Where the runtime puts a digit of the time. */
#define DIGIT '\1'
#define TIME  "\1\1\1\1\1\1\1\1\1\1.\1\1"

static struct {
    unsigned long seed, from, events, freezes;
    const char *jumped, *bootstrap;
} option = {.seed = 20261122, .events = 100000, .freezes = 200};

static struct {
    unsigned port;
    int listener, fd, log;
    int reused; /* the connection has carried a whole exchange */
    pid_t pid;
    long descriptors, memory_kb; /* when all has been seen once */
    size_t stamps;
    int64_t stamp[STAMPS_MAX]; /* of the last answer, in hundredths */
} peer;

static struct {
    unsigned long events, words, restarts;
    uint64_t bytes;
    long descriptors, memory_kb; /* gained */
} total;

/* After its first failure nothing more is asked of a case. */
static int broken(void)
{
    return unit.failures > 0;
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/*
 * The runtime's process
 */

static void start(const char *program, const char *jumps)
{
    char api[32];
    int out[2];

    if (pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    snprintf(api, sizeof api, "127.0.0.1:%u", peer.port);
    peer.pid = fork();
    if (peer.pid < 0)
        die("fork");
    if (peer.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* The kernel may not make huge pages of what was touched in part. */
        (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        (void)setenv("AWS_LAMBDA_RUNTIME_API", api, 1);
        (void)setenv("SOAK_JUMPS", jumps, 1);
        if (dup2(out[1], 1) != 1 || dup2(out[1], 2) != 2)
            die("dup2");
        for (int fd = 3; fd < 256; fd++)
            close(fd); /* whatever we were started with */
        execl(program, program, (char *)NULL);
        die(program);
    }
    close(out[1]);
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    peer.log = out[0];
}

static void ended(int want)
{
    const struct timespec tick = {.tv_nsec = 10 * NS_PER_MS};
    int status = 0;
    pid_t pid = 0;

    for (int n = 0; n < PATIENCE_S * 100 && pid == 0; n++) {
        pid = waitpid(peer.pid, &status, WNOHANG);
        if (pid == 0)
            nanosleep(&tick, NULL);
    }
    if (CHECK_INT(pid, peer.pid))
        CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
                  want);
    peer.pid = pid > 0 ? 0 : peer.pid;
}

static void stop(void)
{
    kill(peer.pid, SIGTERM);
    ended(128 + SIGTERM);
    close(peer.log);
    close(peer.fd);
}

/* After a failure, wherever that has left it. */
static void discard(void)
{
    if (peer.pid > 0) {
        kill(peer.pid, SIGKILL);
        (void)waitpid(peer.pid, NULL, 0);
    }
    close(peer.log);
    close(peer.fd);
}

static long descriptors(void)
{
    char path[64];
    long count = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)peer.pid);
    d = opendir(path);
    if (!d)
        die(path);
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2; /* . and .. */
}

/* From smaps_rollup, which counts: what status says may be 64 pages off. */
static long memory_kb(void)
{
    char line[256];
    long kb = -1;
    FILE *f;

    snprintf(line, sizeof line, "/proc/%d/smaps_rollup", (int)peer.pid);
    f = fopen(line, "r");
    if (!f)
        die(line);
    while (kb < 0 && fgets(line, sizeof line, f))
        (void)sscanf(line, "Rss: %ld kB", &kb);
    fclose(f);
    return kb;
}

/* All that the runtime has printed since the last call. */
static void log_lines(int least, int most)
{
    static char text[65536];
    ssize_t n = read(peer.log, text, sizeof text - 1);
    int lines = 0;

    if (broken())
        return;
    text[n > 0 ? n : 0] = '\0';
    for (char *p = text, *end; *p != '\0'; p = end + 1, lines++) {
        end = strchr(p, '\n');
        if (!CHECK(end && strncmp(p, "rawstream: ", 11) == 0))
            break;
    }
    if (lines < least || lines > most) {
        CHECK_INT(lines, least);
        printf("%s", text);
    }
}

/*
 * Its connection
 */

static void be_patient(int fd)
{
    struct timeval t = {.tv_sec = PATIENCE_S};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0)
        die("setsockopt");
}

static void listen_anywhere(void)
{
    int room = 65536; /* so that a large response has to wait for its reader */

    peer.listener = listen_on_loopback(SOCK_CLOEXEC, &peer.port);
    be_patient(peer.listener);
    (void)setsockopt(peer.listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

static void give(const void *bytes, size_t size)
{
    const char *p = bytes;
    ssize_t n;

    for (; size > 0 && !broken(); p += n, size -= (size_t)n) {
        n = send(peer.fd, p, size, MSG_NOSIGNAL);
        if (!CHECK(n > 0))
            break;
    }
}

static void give_text(const char *text)
{
    give(text, strlen(text));
}

/* Collects a digit of a stamp, of which there are twelve. */
static void keep_digit(char c)
{
    static int digits;
    static int64_t value;

    if (peer.stamps == 0 && value == 0)
        digits = 0;
    value = value * 10 + (c - '0');
    if (++digits < 12)
        return;
    if (peer.stamps < STAMPS_MAX)
        peer.stamp[peer.stamps++] = value;
    digits = 0;
    value = 0;
}

/* Where the time is to stand any digit will do. */
static void mask_time(char *got, const char *want, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (want[i] == DIGIT && got[i] >= '0' && got[i] <= '9') {
            keep_digit(got[i]);
            got[i] = DIGIT;
        }
}

/* Reads what must be these bytes, or their beginning if the connection ends.
 * Gives their number. */
static size_t take(const unsigned char *bytes, size_t size)
{
    static char got[65536];
    const char *want = (const char *)bytes;
    size_t at = 0, room;
    ssize_t n = 1;

    peer.stamps = 0;
    for (; at < size && !broken(); at += (size_t)n) {
        room = size - at < sizeof got ? size - at : sizeof got;
        n = recv(peer.fd, got, room, 0);
        if (n <= 0)
            break;
        mask_time(got, want + at, (size_t)n);
        CHECK_BYTES(got, (size_t)n, want + at, (size_t)n);
    }
    CHECK(n >= 0 || errno != EAGAIN);
    total.bytes += at;
    return at;
}

static void expect(const void *want, size_t size)
{
    size_t taken = take(want, size);

    if (!broken())
        CHECK_INT(taken, size);
}

static void hang_up(int reset)
{
    struct linger now = {.l_onoff = 1};

    if (reset)
        (void)setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(peer.fd);
}

/* The runtime hangs up, and sends nothing before it does. */
static void closed(void)
{
    char byte;
    ssize_t n;

    if (broken())
        return;
    n = recv(peer.fd, &byte, 1, 0);
    CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
    close(peer.fd);
}

static void asked(void)
{
    char text[256];

    snprintf(text, sizeof text,
             "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
             "Host: 127.0.0.1:%u\r\n"
             "User-Agent: rawstream/" RAWSTREAM_VERSION "\r\n\r\n",
             peer.port);
    expect(text, strlen(text));
    peer.reused = 1;
}

static void asked_anew(void)
{
    int on = 1;

    if (broken())
        return;
    peer.fd = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC);
    if (!CHECK(peer.fd >= 0))
        return;
    be_patient(peer.fd);
    (void)setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    asked();
    peer.reused = 0;
}

/*
 * An event, and the answer that it must get
 */

enum format { JSON, PLAIN, SSE };
enum kind { WORDS, REFUSED, LATE }; /* LATE: the deadline ends the stream */

struct event {
    int http, format, kind;
    const char *delay;
    int64_t deadline_ms;
    unsigned long words, sent; /* the latter before the deadline */
    size_t large; /* bytes of the first word; 0: it is like others */
    int longest;  /* its ids */
    char id[HTTP_ID_BYTES_MAX + 1], invocation_id[64];
    struct buf parameters, message, answer, piece;
};

static const char *const formats[] = {"json", "text", "sse"};

/* As it stands in the event, as text, and as it stands in the answer. */
struct word {
    const char *event, *text, *line;
};

static const struct word vocabulary[] = {
    {"Hello", "Hello", "Hello"},
    {"a", "a", "a"},
    {"streaming", "streaming", "streaming"},
    {"gr\xc3\xbcn", "gr\xc3\xbcn", "gr\xc3\xbcn"},
    {"\\u00fcrig", "\xc3\xbcrig", "\xc3\xbcrig"},
    {"\\ud83d\\ude80", "\xf0\x9f\x9a\x80", "\xf0\x9f\x9a\x80"},
    {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac",
     "\xe6\x97\xa5\xe6\x9c\xac"},
    {"\\\"so\\\"", "\"so\"", "\\\"so\\\""},
    {"back\\\\slash", "back\\slash", "back\\\\slash"},
    {"\\/\\u0002", "/\2", "/\\u0002"},
};

static const char *const spaces[] = {" ",    "  ",      "\\n",
                                     "\\t ", "\\u00a0", "\xe3\x80\x80"};

static const struct {
    const char *parameters, *direct, *http;
} refusals[] = {
    {"{\"delay\":-1}", "delay must be a number from 0 to 900",
     "delay must be a number from 0 to 900"},
    {"{\"format\":\"xml\"}",
     "format must be \\\"json\\\", \\\"text\\\" or \\\"sse\\\"",
     "format must be \\\"json\\\", \\\"text\\\" or \\\"sse\\\""},
    {"{\"sentence\":7}", "sentence must be a string",
     "sentence must be a string"},
    {"[1]", "event must be a JSON object", "body must be a JSON object"},
    {"{\"delay\":0", "event is not valid JSON at byte 10",
     "body is not valid JSON at byte 10"},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* One long word: 'a', and a NUL where it is to end. */
static char long_word[HTTP_BODY_BYTES_MAX + 1];

/* A piece leaves as one chunk, or as several when it is long. */
static void flush(struct event *e)
{
    struct slice s = buf_slice(&e->piece);
    size_t n;

    for (; s.size > 0; s.data += n, s.size -= n) {
        n = s.size < HTTP_PIECE_BYTES_MAX ? s.size : HTTP_PIECE_BYTES_MAX;
        while (n < s.size && ((unsigned char)s.data[n] & 0xc0) == 0x80)
            n--; /* no character is cut */
        buf_format(&e->answer, "%zx\r\n", n);
        buf_add(&e->answer, s.data, n);
        buf_text(&e->answer, "\r\n");
    }
    buf_clear(&e->piece);
}

static void begin_line(struct event *e, const char *name)
{
    if (e->format == SSE)
        buf_format(&e->piece, "event: %s\ndata: ", name);
}

static void end_line(struct event *e, unsigned long sent)
{
    buf_text(&e->piece, ",\"timestamp\":" TIME "}\n");
    if (e->format == SSE)
        buf_format(&e->piece, "id: %lu\n\n", sent);
    flush(e);
}

static void answer_start(struct event *e)
{
    if (e->format == PLAIN)
        return;
    begin_line(e, "start");
    buf_format(&e->piece,
               "{\"status\":\"start\",\"request_id\":\"%s\",\"word_count\":%lu",
               e->id, e->words);
    end_line(e, 0);
}

static void answer_word(struct event *e, unsigned long n, const struct word *w)
{
    if (e->format == PLAIN) {
        if (n > 0)
            buf_byte(&e->piece, ' ');
        buf_text(&e->piece, w->text);
        flush(e);
        return;
    }
    begin_line(e, "word");
    buf_text(&e->piece, "{\"type\":\"word\",\"data\":\"");
    buf_text(&e->piece, w->line);
    buf_format(&e->piece, "\",\"sequence\":%lu,\"total\":%lu", n + 1, e->words);
    end_line(e, n + 1);
}

#define LATE_MESSAGE "the deadline came before the last word"
#define ERROR(message, type)                                  \
    "{\"errorMessage\":\"" message "\",\"errorType\":\"" type \
    "\",\"stackTrace\":[]}"

static void answer_end(struct event *e)
{
    if (e->format == PLAIN) {
        buf_byte(&e->piece, '\n');
        flush(e);
    } else {
        begin_line(e, e->kind == LATE ? "error" : "complete");
        buf_format(&e->piece, "{\"status\":\"%s\",\"word_count\":%lu",
                   e->kind == LATE ? "error\",\"error\":\"" LATE_MESSAGE
                                   : "complete",
                   e->sent);
        end_line(e, e->sent);
    }
    buf_text(&e->answer, "0\r\n");
    if (e->kind == LATE) {
        buf_text(&e->answer, "Lambda-Runtime-Function-Error-Type: "
                             "Function.DeadlineExceeded\r\n"
                             "Lambda-Runtime-Function-Error-Body: ");
        base64_encode(&e->answer, slice_of(ERROR(LATE_MESSAGE,
                                                 "Function.DeadlineExceeded")));
        buf_text(&e->answer, "\r\n");
    }
    buf_text(&e->answer, "\r\n");
}

/* The request line and the fields that all requests have. */
static void begin_request(struct event *e, const char *action, const char *type)
{
    buf_format(&e->answer,
               "POST /2018-06-01/runtime/invocation/%s/%s HTTP/1.1\r\n"
               "Host: 127.0.0.1:%u\r\n"
               "User-Agent: rawstream/" RAWSTREAM_VERSION "\r\n"
               "Content-Type: %s\r\n",
               e->id, action, peer.port, type);
}

static void end_request(struct event *e)
{
    if (*e->invocation_id)
        buf_format(&e->answer, "Lambda-Runtime-Invocation-Id: %s\r\n",
                   e->invocation_id);
    buf_text(&e->answer, "\r\n");
}

static void answer_head(struct event *e, int status)
{
    static const char *const types[] = {"application/x-ndjson",
                                        "text/plain; charset=utf-8",
                                        "text/event-stream; charset=utf-8"};

    begin_request(e, "response",
                  e->http
                      ? "application/vnd.awslambda.http-integration-response"
                      : types[e->format]);
    buf_text(&e->answer, "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                         "Transfer-Encoding: chunked\r\n"
                         "Trailer: Lambda-Runtime-Function-Error-Type, "
                         "Lambda-Runtime-Function-Error-Body\r\n");
    end_request(e);
    if (!e->http)
        return;
    buf_format(&e->piece,
               "{\"statusCode\":%d,\"headers\":{\"Content-Type\":\"%s\","
               "\"X-Content-Type-Options\":\"nosniff\"%s}}",
               status, types[e->format],
               e->format == SSE ? ",\"Cache-Control\":\"no-cache\"" : "");
    buf_add(&e->piece, "\0\0\0\0\0\0\0", 8);
    flush(e);
}

/* Parameters that are no good: status 400, or /error. */
static void refuse(struct event *e, struct buf *parameters)
{
    size_t n = unit_below(COUNT(refusals));
    struct buf *b = &e->piece;

    buf_text(parameters, refusals[n].parameters);
    if (e->http) {
        e->format = JSON;
        answer_head(e, 400);
        buf_format(b, "{\"status\":\"error\",\"error\":\"%s\"}\n",
                   refusals[n].http);
        flush(e);
        buf_text(&e->answer, "0\r\n\r\n");
        return;
    }
    buf_format(b, ERROR("%s", "Function.InvalidEvent"), refusals[n].direct);
    begin_request(e, "error", "application/json");
    buf_format(&e->answer,
               "Lambda-Runtime-Function-Error-Type: Function.InvalidEvent\r\n"
               "Content-Length: %zu\r\n",
               buf_size(b));
    end_request(e);
    buf_add_slice(&e->answer, buf_slice(b));
    buf_clear(b);
}

static void stream(struct event *e, struct buf *parameters)
{
    struct word w = {long_word, long_word, long_word};

    long_word[e->large] = '\0';
    buf_format(parameters, "{\"delay\":%s,\"format\":\"%s\",\"sentence\":\"",
               e->delay, formats[e->format]);
    answer_head(e, 200);
    answer_start(e);
    for (unsigned long n = 0; n < e->words; n++) {
        if (n > 0 || e->large == 0)
            w = vocabulary[unit_below(COUNT(vocabulary))];
        if (n > 0)
            buf_text(parameters, spaces[unit_below(COUNT(spaces))]);
        buf_text(parameters, w.event);
        if (n < e->sent)
            answer_word(e, n, &w);
    }
    answer_end(e);
    buf_text(parameters, "\"}");
    long_word[e->large] = 'a';
}

/* A Function URL's event. The query is overridden by the body. */
static void wrap_in_request(struct buf *event, struct slice parameters)
{
    int base64 = unit_below(3) == 0;

    buf_text(event, "{\"requestContext\":{\"http\":{\"method\":\"POST\"}},"
                    "\"queryStringParameters\":{\"delay\":\"900\","
                    "\"format\":\"text\"},\"body\":");
    if (base64) {
        buf_byte(event, '"');
        base64_encode(event, parameters);
        buf_byte(event, '"');
    } else {
        json_quote(event, parameters);
    }
    buf_format(event, ",\"isBase64Encoded\":%s}", base64 ? "true" : "false");
}

static void add_chunked(struct buf *message, struct slice body)
{
    size_t n;

    buf_text(message, "Transfer-Encoding: chunked\r\n\r\n");
    for (; body.size > 0; body.data += n, body.size -= n) {
        n = 1 + unit_below(body.size < 65536 ? body.size : 65536);
        buf_format(message, "%zX%s\r\n", n,
                   unit_below(4) == 0 ? ";part=\"1\"" : "");
        buf_add(message, body.data, n);
        buf_text(message, "\r\n");
    }
    buf_format(message, "0\r\n%s\r\n",
               unit_below(4) == 0 ? "Content-Length: 7\r\n" : "");
}

/* The answer to /next. */
static void wrap_in_message(struct event *e, struct slice body)
{
    struct buf *m = &e->message;

    buf_format(m, "HTTP/1.1 200 OK\r\n%s: %s\r\n",
               unit_below(2) ? "Lambda-Runtime-Aws-Request-Id"
                             : "lambda-runtime-aws-request-id",
               e->id);
    if (*e->invocation_id)
        buf_format(m, "Lambda-Runtime-Invocation-Id:%s\r\n", e->invocation_id);
    if (e->deadline_ms)
        buf_format(m, "Lambda-Runtime-Deadline-Ms: %" PRId64 "\r\n",
                   e->deadline_ms);
    if (unit_below(2))
        buf_text(m, "Content-Type: application/json\r\n"
                    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c8;"
                    "Sampled=1\r\n"
                    "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n");
    if (unit_below(2)) {
        add_chunked(m, body);
    } else {
        buf_format(m, "Content-Length: %zu\r\n\r\n", body.size);
        buf_add_slice(m, body);
    }
}

/* An id of any length, which no other event has. */
static void name(struct event *e, unsigned long n)
{
    static const char characters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCD-";
    size_t length = (size_t)snprintf(e->id, sizeof e->id, "%lx", n);
    size_t most = sizeof e->id - length, more = unit_below(most);

    if (e->longest)
        more = most - 1;
    else if (unit_below(2))
        more %= 28;
    for (size_t i = 0; i < more; i++)
        e->id[length + i] = characters[unit_below(sizeof characters - 1)];
    e->id[length + more] = '\0';
    e->invocation_id[0] = '\0';
    if (e->longest || unit_below(4) == 0)
        snprintf(e->invocation_id, sizeof e->invocation_id, "inv/%lx=%zx", n,
                 unit_below(1000000));
}

static void compose(struct event *e, unsigned long n)
{
    struct buf *parameters = &e->parameters;

    buf_clear(&e->parameters);
    buf_clear(&e->message);
    buf_clear(&e->answer);
    name(e, n);
    if (e->kind == REFUSED)
        refuse(e, parameters);
    else
        stream(e, parameters);
    if (e->http) {
        wrap_in_request(&e->piece, buf_slice(parameters));
        wrap_in_message(e, buf_slice(&e->piece));
        buf_clear(&e->piece);
    } else {
        wrap_in_message(e, buf_slice(parameters));
    }
}

/* The second word would be due when the deadline is past. */
static void end_by_deadline(struct event *e)
{
    e->kind = LATE;
    e->delay = "900";
    e->sent = 1;
    if (e->words < 2)
        e->words = 2;
    e->deadline_ms = wall_ms() + FAR_MS;
}

/* What an event is like when nothing else is asked for. */
static struct event *any_event(void)
{
    static struct event e;
    size_t dice = unit_below(50);

    e.http = unit_below(3) == 0;
    e.format = (int)unit_below(3);
    e.words = unit_below(22);
    e.kind = dice == 0 ? REFUSED : WORDS;
    e.sent = e.words;
    e.delay = "0";
    e.deadline_ms = unit_below(2) ? wall_ms() + FAR_MS : 0;
    if (dice == 1)
        end_by_deadline(&e);
    e.longest = 0;
    e.large = 0;
    if (e.words > 0 && unit_below(500) == 0)
        e.large = 1 + unit_below(unit_below(40) == 0 ? 4000000 : 262144);
    return &e;
}

static struct event *good_event(size_t large)
{
    struct event *e = any_event();

    e->kind = WORDS;
    e->delay = "0";
    e->words += large > 0 && e->words == 0;
    e->http &= large < LARGE;
    e->sent = e->words;
    e->large = large;
    return e;
}

/*
 * Exchanges, good and bad. Each begins with the runtime waiting for an event,
 * and ends so.
 */

static void give_buf(const struct buf *b)
{
    struct slice s = buf_slice(b);

    give(s.data, s.size);
}

static void expect_answer(const struct event *e)
{
    expect(buf_slice(&e->answer).data, buf_size(&e->answer));
    total.events++;
    total.words += e->kind == REFUSED ? 0 : e->sent;
}

static void answered(const struct event *e)
{
    give_buf(&e->message);
    expect_answer(e);
}

static const char *good_reply(void)
{
    static const char *const replies[] = {
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
        "Content-Length: 16\r\n\r\n{\"status\":\"OK\"}\n",
        "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n"
        "10\r\n{\"status\":\"OK\"}\n\r\n0\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n"};

    return replies[unit_below(COUNT(replies))];
}

/* The runtime has lost its connection and asks on another. */
static void went_on(int least, int most)
{
    asked_anew();
    log_lines(least, most);
}

static void plain(struct event *e)
{
    int lines = e->kind == LATE || (e->kind == REFUSED && !e->http);

    answered(e);
    give_text(good_reply());
    asked();
    log_lines(lines, lines);
}

/* Nothing is run, nothing posted. A connection that was used before and ends
 * without a byte is replaced silently; so is one where the reset overtook the
 * bytes. */
static void cut_next(struct event *e)
{
    size_t at = unit_below(buf_size(&e->message));
    int reset = (int)unit_below(2), noticed = at > 0 || !peer.reused;

    give(buf_slice(&e->message).data, at);
    hang_up(reset);
    went_on(reset ? !peer.reused : noticed, noticed);
}

static const char *bad_message(void)
{
    static const char *const bad[] = {
        "HTTP/2 200 OK\r\n",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6291557\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"};

    return bad[unit_below(COUNT(bad))];
}

static void bad_next(struct event *e)
{
    static const char *const bad[] = {
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a/b\r\n"
        "Content-Length: 2\r\n\r\n{}"};
    size_t n = unit_below(COUNT(bad) + 3);

    (void)e;
    give_text(n < COUNT(bad) ? bad[n] : bad_message());
    closed();
    went_on(1, 1);
}

static void reset_response(struct event *e)
{
    give_buf(&e->message);
    expect(buf_slice(&e->answer).data, unit_below(buf_size(&e->answer)));
    hang_up(1);
    went_on(1, 1);
}

#define REFUSED_413 \
    "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 2\r\n\r\n{}"

static void early_reply(struct event *e)
{
    struct slice s = buf_slice(&e->answer);
    size_t at = unit_below(s.size);

    give_buf(&e->message);
    expect(s.data, at);
    give_text(REFUSED_413);
    (void)take(s.data + at, s.size - at);
    closed();
    went_on(1, 1);
}

static void no_reply(struct event *e)
{
    answered(e);
    hang_up((int)unit_below(2));
    went_on(1, 1);
}

static void cut_reply(struct event *e)
{
    const char *reply = good_reply();

    answered(e);
    give(reply, 1 + unit_below(strlen(reply) - 1));
    hang_up((int)unit_below(2));
    went_on(1, 1);
}

static void bad_reply(struct event *e)
{
    answered(e);
    give_text(unit_below(3) == 0 ? REFUSED_413 : bad_message());
    closed();
    went_on(1, 1);
}

static void junk_behind_reply(struct event *e)
{
    struct buf b = {0};

    answered(e);
    buf_text(&b, good_reply());
    if (unit_below(2))
        buf_add_slice(&b, buf_slice(&e->message));
    else
        buf_text(&b, "junk");
    give_buf(&b); /* in one segment, as the events that go wrong are short */
    buf_free(&b);
    closed();
    went_on(0, 0);
}

static void close_after_reply(struct event *e)
{
    answered(e);
    give_text("HTTP/1.1 202 Accepted\r\nConnection: close\r\n"
              "Content-Length: 0\r\n\r\n");
    closed();
    went_on(0, 0);
}

static void interim(struct event *e)
{
    for (size_t n = unit_below(HTTP_INTERIM_MAX) + 1; n > 0; n--)
        give_text("HTTP/1.1 100 Continue\r\n\r\n");
    answered(e);
    give_text("HTTP/1.1 102 Processing\r\nLink: x\r\n\r\n");
    give_text(good_reply());
    asked();
    log_lines(0, 0);
}

static void give_dribbling(const void *bytes, size_t size)
{
    const char *p = bytes;

    for (size_t i = 0; i < size; i++)
        give(p + i, 1);
}

static void dribble(struct event *e)
{
    const char *reply = good_reply();

    give_dribbling(buf_slice(&e->message).data, buf_size(&e->message));
    expect_answer(e);
    give_dribbling(reply, strlen(reply));
    asked();
    log_lines(0, 0);
}

static void pause_ms(size_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)(ms % 1000) * NS_PER_MS};

    nanosleep(&t, NULL);
}

static void read_after(struct event *e, size_t ms)
{
    give_buf(&e->message);
    pause_ms(ms);
    expect_answer(e);
    give_text(good_reply());
    asked();
    log_lines(0, 0);
}

static void stuck_reader(struct event *e)
{
    read_after(e, 50 + unit_below(500));
}

/* A write gives up waiting, and looks about, after a second in which it could
 * write a part, and after each in which it could not. */
static void very_stuck_reader(struct event *e)
{
    read_after(e, 3000);
}

static struct {
    const char *name;
    void (*play)(struct event *);
    size_t large;
    unsigned long count;
} faults[] = {
    {"event cut", cut_next, 0, 0},
    {"event malformed", bad_next, 0, 0},
    {"reset in the response", reset_response, 0, 0},
    {"reset in a large response", reset_response, LARGE, 0},
    {"reply early", early_reply, 0, 0},
    {"reply early in a large response", early_reply, LARGE, 0},
    {"no reply", no_reply, 0, 0},
    {"reply cut", cut_reply, 0, 0},
    {"reply malformed or refused", bad_reply, 0, 0},
    {"junk behind the reply", junk_behind_reply, 0, 0},
    {"Connection: close", close_after_reply, 0, 0},
    {"1xx before event and reply", interim, 0, 0},
    {"a byte at a time", dribble, 0, 0},
    {"stuck reader", stuck_reader, LARGE, 0},
    {"reader stuck for seconds", very_stuck_reader, LARGE, 0},
};

/* The runtime exits, with status 1, as it is to. */

static const char exit_500[] =
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

static void exited(int lines)
{
    closed();
    ended(1);
    log_lines(lines, lines);
    close(peer.log);
}

static void exit_next(struct event *e)
{
    (void)e;
    give_text(exit_500);
    exited(1);
}

static void exit_reply(struct event *e)
{
    answered(e);
    give_text(exit_500);
    exited(1);
}

/* Five faults in a row. */
static void exit_faults(struct event *e)
{
    for (int n = 0; n < 4; n++)
        bad_next(e);
    give_text(bad_message());
    exited(1);
}

static struct {
    const char *name;
    void (*play)(struct event *);
    unsigned long count;
} exits[] = {
    {"exit: 500 to /next", exit_next, 0},
    {"exit: 500 to a response", exit_reply, 0},
    {"exit: five faults in a row", exit_faults, 0},
};

/*
 * Lives
 */

static void begin_exchange(unsigned long n, const char *what)
{
    unit_case("exchange %lu (%s)", n, what);
    unit.random = option.seed + n * 0xd1342543de82ef95;
}

static void play_fault(size_t n, unsigned long number)
{
    struct event *e = good_event(faults[n].large);

    compose(e, number);
    faults[n].play(e);
    faults[n].count++;
}

/* All that can happen, once, and the largest event that there can be: what is
 * touched then is all that ever is. */
static void warm_up(unsigned long number)
{
    struct event *e = good_event(1);

    e->http = 0;
    e->format = PLAIN;
    e->words = e->sent = 1;
    e->large = HTTP_BODY_BYTES_MAX -
               strlen("{\"delay\":0,\"format\":\"text\",\"sentence\":\"\"}");
    compose(e, number);
    plain(e);
    for (int n = 0; n < 10 * 3 * 2 * 3; n++) {
        e = good_event(n % 3 == 0 ? 20000 : 0);
        e->format = n % 3;
        e->http = n / 3 % 2;
        e->kind = n / 6 % 3;
        e->longest = 1;
        if (e->kind == LATE)
            end_by_deadline(e);
        compose(e, number);
        plain(e);
    }
    for (size_t n = 0; n < COUNT(faults); n++)
        play_fault(n, number);
}

static void begin_life(unsigned long number)
{
    begin_exchange(number, "warm-up");
    start(option.bootstrap, "");
    asked_anew();
    log_lines(0, 0);
    warm_up(number);
    if (broken())
        return;
    peer.descriptors = descriptors();
    peer.memory_kb = memory_kb();
}

static void measure_life(unsigned long number)
{
    long d = descriptors() - peer.descriptors;
    long kb = memory_kb() - peer.memory_kb;

    unit_case("the life that ended with exchange %lu", number);
    CHECK_INT(d, 0);
    CHECK(kb <= 0);
    printf("a life: %ld -> %ld descriptors, %ld -> %ld kB resident\n",
           peer.descriptors, peer.descriptors + d, peer.memory_kb,
           peer.memory_kb + kb);
    total.descriptors += d;
    total.memory_kb += kb;
}

static void play_exit(unsigned long number, size_t n)
{
    struct event *e;

    measure_life(number);
    begin_exchange(number, exits[n].name);
    e = good_event(0);
    compose(e, number);
    exits[n].play(e);
    exits[n].count++;
    total.restarts++;
}

/* Whether the runtime lives on. */
static int play(unsigned long number)
{
    unsigned long fault = number / FAULT_EVERY;
    struct event *e;

    if (number % FAULT_EVERY != FAULT_EVERY - 1) {
        begin_exchange(number, "plain");
        e = any_event();
        compose(e, number);
        plain(e);
        return 1;
    }
    if (fault % EXIT_EVERY == EXIT_EVERY - 1) {
        play_exit(number, fault / EXIT_EVERY % COUNT(exits));
        return 0;
    }
    begin_exchange(number, faults[fault % COUNT(faults)].name);
    play_fault(fault % COUNT(faults), number);
    return 1;
}

static void how_to_repeat(const char *options)
{
    printf("repeat: soak --seed %lu %s %s\n", option.seed, options,
           option.bootstrap);
}

/* What depends on those before needs them all: leave --from out, then. */
static void failed(unsigned long number)
{
    char options[64];

    snprintf(options, sizeof options, "--from %lu --events 1 --freezes 0",
             number);
    how_to_repeat(options);
    discard();
}

static void report(double seconds)
{
    printf("seed %lu: %lu events answered, %lu words, %.1f MB, %.1f s: "
           "%.0f events a second\n",
           option.seed, total.events, total.words, (double)total.bytes / 1e6,
           seconds, (double)total.events / seconds);
    for (size_t n = 0; n < COUNT(faults); n++)
        printf("%6lu %s\n", faults[n].count, faults[n].name);
    for (size_t n = 0; n < COUNT(exits); n++)
        printf("%6lu %s\n", exits[n].count, exits[n].name);
    printf("%lu restarts; gained: %ld descriptors, %ld kB\n", total.restarts,
           total.descriptors, total.memory_kb);
}

static void soak(void)
{
    unsigned long number = option.from, end = option.from + option.events;
    int64_t began = now_ns();
    int alive = 0;

    for (; number < end && unit.failed < FAILURES_MAX; number++) {
        if (!alive)
            begin_life(number);
        alive = !broken() && play(number);
        if (broken()) {
            failed(number);
            alive = 0;
        }
    }
    if (alive) {
        measure_life(number);
        stop();
    }
    report((double)(now_ns() - began) / NS_PER_S);
}

/*
 * Freezes and jumps: words at a delay, in many processes at once
 */

/* Of each process, where they all can write. */
static struct figures {
    unsigned long words, frozen_ms;
    unsigned long jumped; /* stamps not of now */
    unsigned long unsure; /* streams whose stamps were not looked at */
    int64_t gap_ms;       /* the longest between two words */
} * figures;

static struct figures *mine;

static struct event *slow_event(unsigned long number)
{
    struct event *e = good_event(0);

    e->format = unit_below(2) ? JSON : SSE;
    e->delay = "0.1";
    e->words = e->sent = 20 + unit_below(10);
    compose(e, number);
    return e;
}

static int is_stopped(void)
{
    char path[64], state = '?';
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)peer.pid);
    f = fopen(path, "r");
    if (!f)
        die(path);
    (void)fscanf(f, "%*d %*s %c", &state);
    fclose(f);
    return state == 'T';
}

/* Stops the runtime for a while; ends with 0 if it did stop. */
static pid_t freeze(size_t at_ms, size_t for_ms)
{
    int waited_ms = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid != 0)
        return pid;
    pause_ms(at_ms);
    kill(peer.pid, SIGSTOP);
    for (; !is_stopped() && waited_ms < PATIENCE_S * 1000; waited_ms++)
        pause_ms(1);
    pause_ms(for_ms);
    kill(peer.pid, SIGCONT);
    _exit(waited_ms == PATIENCE_S * 1000);
}

/* Mostly below a second, for it is real time that passes. */
static size_t freeze_length_ms(void)
{
    return 100 + unit_below(unit_below(3) > 0 ? 900 : 4900);
}

/* That n words never take less than n - 2 delays holds whatever the machine
 * does: a word may be late by a delay, after which the next is on time; when
 * it is later than that the schedule starts again from it. A stamp is cut to
 * hundredths, and its clock may have been set by a little. */
static void check_no_burst(const struct event *e)
{
    const int64_t *word = peer.stamp + 1;

    CHECK_INT(peer.stamps, e->words + 2);
    for (size_t i = 1; i < e->words; i++) {
        int64_t gap_ms = (word[i] - word[i - 1]) * 10;

        if (gap_ms > mine->gap_ms)
            mine->gap_ms = gap_ms;
        for (size_t from = 0; from < i; from++)
            CHECK((word[i] - word[from] + 1) * 10 + CLOCK_SET_MS >=
                  ((int64_t)(i - from) - 2) * DELAY_MS);
    }
}

/* All of a stream, in a time that is not too short. Whether stamps tell
 * anything: when the machine's own wall clock was set meanwhile they do not. */
static int stream_words(const struct event *e, int64_t least_ms)
{
    int64_t began = now_ns(), wall_began = wall_ms(), took_ms, set_ms;

    answered(e);
    took_ms = (now_ns() - began) / NS_PER_MS;
    CHECK(took_ms >= least_ms);
    mine->words += e->sent;
    set_ms = wall_ms() - wall_began - took_ms;
    if (set_ms > -CLOCK_SET_MS && set_ms < CLOCK_SET_MS)
        return !broken();
    mine->unsure++;
    return 0;
}

static void accept_answer(void)
{
    give_text(good_reply());
    asked();
}

/* From shortly before the event comes until shortly after the last word. */
static void frozen_stream(unsigned long number)
{
    struct event *e = slow_event(number);
    int64_t least_ms = (int64_t)(e->words - 1) * DELAY_MS;
    size_t for_ms = freeze_length_ms();
    pid_t freezer = freeze(unit_below((size_t)least_ms + 300), for_ms);
    int status = -1;

    pause_ms(150);
    if (stream_words(e, least_ms))
        check_no_burst(e);
    accept_answer();
    CHECK(waitpid(freezer, &status, 0) == freezer && status == 0);
    log_lines(0, 0);
    mine->frozen_ms += for_ms;
}

static void frozen_process(unsigned long process, unsigned long processes)
{
    start(option.bootstrap, "");
    asked_anew();
    for (unsigned long n = process; n < option.freezes; n += processes)
        frozen_stream(n);
    CHECK_INT(descriptors(), 4);
}

/* Stamps are whatever the wall clock said, which is told by their distance from
 * now: a minute is more than any stream takes. */
static void check_stamps(void)
{
    int64_t now_s = wall_ms() / 1000;

    for (size_t i = 0; i < peer.stamps && i < STAMPS_MAX; i++) {
        int64_t wrong_s = peer.stamp[i] / 100 - now_s;
        int known = 0;

        for (size_t n = 0; n < CLOCK_JUMPS; n++)
            known |= wrong_s > clock_jumps_s[n] - 60 &&
                     wrong_s < clock_jumps_s[n] + 60;
        CHECK(known);
        mine->jumped += wrong_s < -60 || wrong_s > 60;
    }
}

/* The deadline is judged while the clock is right. What the clock says later
 * does not count: words that are due before it come, also when it seems to be
 * past; one that is due after it is not waited for, also when it seems to be
 * far. */
static void jumped_deadline(int late)
{
    struct event *e = good_event(0);

    e->format = JSON;
    e->delay = "0.1";
    e->words = e->sent = 20;
    e->deadline_ms = wall_ms() + FAR_MS;
    if (late)
        end_by_deadline(e);
    compose(e, 0);
    if (stream_words(e, (int64_t)(e->sent - 1) * DELAY_MS))
        check_stamps();
    accept_answer();
    log_lines(late, late);
}

static void jumping_process(unsigned long process, unsigned long processes)
{
    char seed[32];

    (void)processes;
    snprintf(seed, sizeof seed, "%lu", option.seed + process);
    start(option.jumped, seed);
    asked_anew();
    jumped_deadline(process % 2 == 1);
    for (unsigned long n = 1; n <= 3; n++) {
        struct event *e = slow_event(n);

        if (stream_words(e, (int64_t)(e->words - 1) * DELAY_MS))
            check_stamps();
        accept_answer();
        log_lines(0, 0);
    }
    CHECK(mine->jumped > 0);
}

/* Each in a process, with a port, of its own. */
static void in_parallel(const char *what, const char *options,
                        unsigned long processes,
                        void (*process)(unsigned long, unsigned long))
{
    pid_t pids[PROCESSES_MAX];
    int status;

    for (unsigned long n = 0; n < processes; n++) {
        fflush(stdout);
        pids[n] = fork();
        if (pids[n] < 0)
            die("fork");
        if (pids[n] > 0)
            continue;
        begin_exchange(n, what);
        mine = &figures[n];
        close(peer.listener);
        listen_anywhere();
        process(n, processes);
        if (!broken())
            stop();
        else
            discard();
        exit(broken());
    }
    for (unsigned long n = 0; n < processes; n++) {
        unit_case("%s, process %lu", what, n);
        if (!CHECK(waitpid(pids[n], &status, 0) == pids[n] && status == 0))
            how_to_repeat(options);
    }
}

static void add_figures(struct figures *sum)
{
    *sum = (struct figures){0};
    for (size_t n = 0; n < PROCESSES_MAX; n++) {
        sum->words += figures[n].words;
        sum->frozen_ms += figures[n].frozen_ms;
        sum->jumped += figures[n].jumped;
        sum->unsure += figures[n].unsure;
        if (figures[n].gap_ms > sum->gap_ms)
            sum->gap_ms = figures[n].gap_ms;
    }
    memset(figures, 0, PROCESSES_MAX * sizeof *figures);
}

static void freezes(void)
{
    unsigned long n = option.freezes;
    struct figures sum;

    in_parallel("freeze", "--events 0", n < PROCESSES_MAX ? n : PROCESSES_MAX,
                frozen_process);
    add_figures(&sum);
    printf("%lu freezes, %.1f s in all, during %lu words; the longest time "
           "between two words: %.2f s; %lu streams without a clock\n",
           n, (double)sum.frozen_ms / 1000, sum.words,
           (double)sum.gap_ms / 1000, sum.unsure);
}

static void jumps(void)
{
    struct figures sum;

    in_parallel("wall clock jumps", "--events 0 --freezes 0 --jumped ...", 8,
                jumping_process);
    add_figures(&sum);
    printf("wall clock jumps: %lu words, %lu stamps more than a minute off; "
           "%lu streams without a clock\n",
           sum.words, sum.jumped, sum.unsure);
}

static unsigned long *number_option(const char *name)
{
    if (strcmp(name, "--seed") == 0)
        return &option.seed;
    if (strcmp(name, "--from") == 0)
        return &option.from;
    if (strcmp(name, "--events") == 0)
        return &option.events;
    return strcmp(name, "--freezes") == 0 ? &option.freezes : NULL;
}

int main(int argc, char **argv)
{
    (void)argc;
    while (*++argv) {
        unsigned long *number = number_option(*argv);

        if (number && argv[1])
            *number = strtoul(*++argv, NULL, 10);
        else if (strcmp(*argv, "--jumped") == 0 && argv[1])
            option.jumped = *++argv;
        else
            option.bootstrap = *argv;
    }
    if (!option.bootstrap) {
        fprintf(stderr, "soak: no bootstrap\n");
        return 2;
    }
    memset(long_word, 'a', sizeof long_word - 1);
    figures = mmap(NULL, PROCESSES_MAX * sizeof *figures,
                   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (figures == MAP_FAILED)
        die("mmap");
    listen_anywhere();
    if (option.events > 0)
        soak();
    if (option.freezes > 0)
        freezes();
    if (option.jumped)
        jumps();
    return unit_end();
}
