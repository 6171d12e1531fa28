/*
 * floor.c - the least that a client of the Runtime API can do
 *
 *     floor PORT GET POST CHUNKS SIZE CLOCKS DELAY_NS
 *
 * The yardstick of `make bench`: one connection, one writev and one read a
 * request, heads that were composed by somebody else (GET and POST: bench takes
 * them from the product), and nothing parsed beyond what tells that a message
 * is whole, of which it trusts every byte. Each answer is CHUNKS chunks of SIZE
 * bytes, the last of them in one system call with the end. Chunks that are
 * neither first nor last cost CLOCKS readings of the clock each and, with a
 * delay, leave at start + n * DELAY_NS.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define EVENT_BYTES_MAX (7 << 20)
#define CHUNK_BYTES_MAX (1 << 16)
#define SECOND_NS       INT64_C(1000000000)

static char input[EVENT_BYTES_MAX];
static char chunk[CHUNK_BYTES_MAX + 16];

#if defined __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call run\n");

static long call(long number, long a, const void *b, long c, const void *d,
                 long e)
{
    register const void *r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined __aarch64__
__asm__(".globl _start\n"
        "_start:\n"
        "    mov x0, sp\n"
        "    b run\n");

static long call(long number, long a, const void *b, long c, const void *d,
                 long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register const void *x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register const void *x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}
#endif

static void leave(int status)
{
    for (;;)
        (void)call(SYS_exit_group, status, NULL, 0, NULL, 0);
}

static size_t length_of(const char *text)
{
    size_t n = 0;

    while (text[n]) {
        n++;
        __asm__ volatile(""); /* or it becomes a call of strlen */
    }
    return n;
}

static long number(const char *text)
{
    long n = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (*text - '0');
    return n;
}

static int64_t now_ns(void)
{
    struct timespec t = {0, 0};

    (void)call(SYS_clock_gettime, CLOCK_MONOTONIC, &t, 0, NULL, 0);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void send_all(int fd, struct iovec *v, long count)
{
    while (count > 0) {
        long n = call(SYS_writev, fd, v, count, NULL, 0);

        if (n < 0)
            leave(1);
        for (; count > 0 && (size_t)n >= v->iov_len; v++, count--)
            n -= (long)v->iov_len;
        if (count > 0) {
            v->iov_base = (char *)v->iov_base + n;
            v->iov_len -= (size_t)n;
        }
    }
}

/* The first field tells the framing. */
static void receive(int fd)
{
    const char *head, *colon;
    size_t end = 0, want = 1;

    while (end < want) {
        long n = call(SYS_read, fd, input + end, EVENT_BYTES_MAX - (long)end,
                      NULL, 0);

        if (n <= 0)
            leave(0);
        end += (size_t)n;
        if (want == 1) {
            for (colon = input; *colon != ':'; colon++)
                continue;
            for (head = colon; head[0] != '\r' || head[2] != '\r'; head++)
                continue;
            want = colon[-1] == 'g'
                       ? SIZE_MAX
                       : (size_t)(head + 4 - input + number(colon + 2));
        }
        if (want == SIZE_MAX && input[end - 5] == '0' && input[end - 1] == '\n')
            return;
    }
}

/* Gives the length of the chunk, which is the same each time. */
static size_t compose(size_t size)
{
    size_t at = 0;
    int shift = 28;

    for (; shift > 0 && size >> shift == 0; shift -= 4)
        continue;
    for (; shift >= 0; shift -= 4)
        chunk[at++] = "0123456789abcdef"[size >> shift & 15];
    chunk[at++] = '\r';
    chunk[at++] = '\n';
    for (; size > 0; size--) {
        chunk[at++] = 'x';
        __asm__ volatile(""); /* or it becomes a call of memset */
    }
    chunk[at++] = '\r';
    chunk[at++] = '\n';
    return at;
}

static void wait_until(int64_t due)
{
    for (int64_t now; (now = now_ns()) < due;) {
        struct timespec t = {(due - now) / SECOND_NS, (due - now) % SECOND_NS};

        (void)call(SYS_nanosleep, (long)&t, NULL, 0, NULL, 0);
    }
}

static void answer(int fd, char *head, char **argv, size_t chunk_length)
{
    static char last[] = "0\r\n\r\n";
    long count = number(argv[4]), clocks = number(argv[6]);
    int64_t delay = number(argv[7]), start = delay ? now_ns() : 0;
    struct iovec v[3];

    v[0] = (struct iovec){head, length_of(head)};
    for (long n = 0; n < count; n++) {
        for (long i = 0; n > 0 && n < count - 1 && i < clocks; i++)
            (void)now_ns();
        if (delay && n > 0 && n < count - 1)
            wait_until(start + (n - 1) * delay);
        v[1] = (struct iovec){chunk, chunk_length};
        v[2] = (struct iovec){last, n == count - 1 ? 5 : 0};
        send_all(fd, v + (n > 0), 2 + (n == 0));
    }
}

static int connect_to(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = (int)call(SYS_socket, AF_INET, (void *)SOCK_STREAM, 0, NULL, 0);

    to.sin_port = (in_port_t)(number(port) << 8 | number(port) >> 8);
    to.sin_addr.s_addr = 0x0100007f; /* 127.0.0.1, on a little-endian machine */
    if (call(SYS_connect, fd, &to, sizeof to, NULL, 0) < 0)
        leave(1);
    return fd;
}

void run(long *stack);

__attribute__((used)) void run(long *stack)
{
    static const int on = 1;
    char **argv = (char **)(stack + 1);
    int fd = connect_to(argv[1]);
    struct iovec v;
    size_t chunk_length = 0;

    for (;;) {
        v = (struct iovec){argv[2], length_of(argv[2])};
        send_all(fd, &v, 1);
        if (chunk_length == 0) {
            chunk_length = compose((size_t)number(argv[5]));
            /* What streams needs it: chunks would wait for each other. */
            if (number(argv[4]) > 1)
                (void)call(SYS_setsockopt, fd, (void *)IPPROTO_TCP, TCP_NODELAY,
                           &on, sizeof on);
        }
        receive(fd);
        answer(fd, argv[3], argv, chunk_length);
        receive(fd);
    }
}
