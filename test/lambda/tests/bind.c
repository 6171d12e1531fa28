/* Which addresses the front listens on. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <string.h>

static bool answers(const char *host, unsigned port, const char *source)
{
    struct bytes pattern = {0};
    struct message m;
    struct stream s;
    bool good;

    stream_open(&s, host, port);
    (void)stream_send(&s, TEXT("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"));
    good = s.fd >= 0 && read_message(&s, &m, false, PATIENCE_MS);
    append_format(&pattern, "~\"sourceIp\":\"%s\",~", source);
    if (good) {
        good = is_like(m.body.data, pattern.data);
        message_free(&m);
    }
    release(&pattern);
    stream_close(&s);
    return good;
}

static bool has_ipv6(void)
{
    struct lambda l;
    bool bound;

    start(&l, "good", PORTS, "--bind", "[::1]", END);
    bound = logs(&l, "\n") && strstr(l.log.data, "cannot listen") == NULL;
    if (bound && is_up(&l)) {
        check("[::1]", answers("::1", l.port, "::1"), l.log.data);
        stop(&l);
    } else {
        (void)await_end(&l);
        discard_lambda(&l);
    }
    return bound;
}

void test_bind(void)
{
    bool six = has_ipv6();
    struct lambda l;

    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        check("127.0.0.1 by default", answers("127.0.0.1", l.port, "127.0.0.1"),
              l.log.data);
        skipped += six ? 0 : 1;
        check("[::1] as well", !six || answers("::1", l.port, "::1"),
              l.log.data);
        check("nothing else", !answers("127.0.0.2", l.port, "~"), l.log.data);
        stop(&l);
    }
    start(&l, "good", PORTS, "--bind", "0.0.0.0", END);
    if (is_up(&l)) {
        check("another address", answers("127.0.0.2", l.port, "~"), l.log.data);
        check("is warned of", strstr(l.log.data, "lambda: warning: ") != NULL,
              l.log.data);
        stop(&l);
    }
}
