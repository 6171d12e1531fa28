/* Bytes, sockets and messages of both sides: the client's and the runtime's. */
#define _DEFAULT_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void append(struct bytes *b, const void *data, size_t size)
{
    if (b->data == NULL || b->capacity - b->size <= size) {
        b->capacity = (b->size + size + 1) * 2;
        b->data = realloc(b->data, b->capacity);
        if (b->data == NULL) {
            abort();
        }
    }
    if (size > 0) {
        memcpy(b->data + b->size, data, size);
    }
    b->size += size;
    b->data[b->size] = '\0';
}

void append_format(struct bytes *b, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    append(b, text, strlen(text));
}

bool contains(const struct bytes *b, const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i + size <= b->size; i++) {
        if (memcmp(b->data + i, text, size) == 0) {
            return true;
        }
    }
    return false;
}

static void drop_front(struct bytes *b, size_t size)
{
    memmove(b->data, b->data + size, b->size - size + 1);
    b->size -= size;
}

void release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

void stream_open(struct stream *s, const char *host, unsigned port)
{
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons((uint16_t)port)};
    bool is_six = inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
    int on = 1;

    *s = (struct stream){
        .fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0)};
    if ((!is_six && inet_pton(AF_INET, host, &four.sin_addr) != 1) ||
        connect(s->fd,
                is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
                is_six ? sizeof six : sizeof four) != 0) {
        close(s->fd);
        s->fd = -1;
    } else {
        (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
    release(&s->in);
}

bool stream_send(struct stream *s, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t n = send(s->fd, p, size, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        p += n;
        size -= (size_t)n;
    }
    return true;
}

/* False: the end, an error, or patience is over. */
bool stream_more(struct stream *s, int patience_ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    static char piece[65536];
    ssize_t n;

    if (poll(&p, 1, patience_ms) != 1) {
        return false;
    }
    n = recv(s->fd, piece, sizeof piece, 0);
    if (n > 0) {
        append(&s->in, piece, (size_t)n);
    }
    return n > 0;
}

void message_free(struct message *m)
{
    release(&m->head);
    release(&m->body);
    *m = (struct message){0};
}

const char *field(const struct message *m, const char *name)
{
    static char value[8192];
    size_t size = strlen(name);
    const char *line = strstr(m->head.data == NULL ? "" : m->head.data, "\r\n");

    while (line != NULL && line[2] != '\0') {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            (void)snprintf(value, sizeof value, "%.*s",
                           (int)strcspn(line + size + 2, "\r"),
                           line + size + 2);
            return value;
        }
        line = strstr(line, "\r\n");
    }
    return NULL;
}

static bool need(struct stream *s, size_t size, int patience_ms)
{
    while (s->in.size < size) {
        if (!stream_more(s, patience_ms)) {
            return false;
        }
    }
    return true;
}

static bool read_chunks(struct stream *s, struct message *m, int patience_ms)
{
    for (;;) {
        size_t line, size;
        const char *end;

        while (s->in.size == 0 || (end = strstr(s->in.data, "\r\n")) == NULL) {
            if (!stream_more(s, patience_ms)) {
                return false;
            }
        }
        line = (size_t)(end - s->in.data) + 2;
        size = strtoul(s->in.data, NULL, 16);
        if (!need(s, line + size + 2, patience_ms)) {
            return false;
        }
        append(&m->body, s->in.data + line, size);
        drop_front(&s->in, line + size + 2);
        if (size == 0) {
            return true;
        }
    }
}

/* A message with its body, framed in any way; patience below 0: for ever. */
bool read_message(struct stream *s, struct message *m, bool no_body,
                  int patience_ms)
{
    const char *end, *length;
    size_t size;

    *m = (struct message){0};
    append(&m->head, "", 0);
    append(&m->body, "", 0);
    while (s->in.size == 0 || (end = strstr(s->in.data, "\r\n\r\n")) == NULL) {
        if (!stream_more(s, patience_ms)) {
            return false;
        }
    }
    size = (size_t)(end - s->in.data) + 4;
    append(&m->head, s->in.data, size);
    drop_front(&s->in, size);
    m->status = size > 12 ? atoi(m->head.data + 9) : 0;
    m->complete = true;
    if (no_body || m->status == 204 || m->status == 304 || m->status < 200) {
        return true;
    }
    length = field(m, "content-length");
    if (length != NULL) {
        size = strtoul(length, NULL, 10);
        m->complete = need(s, size, patience_ms);
        size = size < s->in.size ? size : s->in.size;
        append(&m->body, s->in.data, size);
        if (size > 0) {
            drop_front(&s->in, size);
        }
    } else if (field(m, "transfer-encoding") != NULL) {
        m->complete = read_chunks(s, m, patience_ms);
    } else {
        while (stream_more(s, patience_ms)) {
        }
        append(&m->body, s->in.data, s->in.size);
    }
    return true;
}
