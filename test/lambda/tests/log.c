/* The log: what a reader sees, and what happens when there is none. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_lines(void)
{
    struct lambda l;

    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        expect(&l, "a line without an end", "/mutter", 200, "~", "~");
        check("a line without an end comes before the REPORT",
              logs(&l, "without an end\nEND ") && logs(&l, "\nREPORT "),
              l.log.data);
        expect(&l, "text of a peer", "/odd-path", 200, "~", "~");
        check("text of a peer: controls and invalid bytes are made harmless",
              logs(&l, "404 for /??\xc3\xa9\n"), l.log.data);
        stop(&l);
    }
}

static void decode(struct bytes *out, const char *base64)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
        "uvwxyz0123456789+/";
    unsigned long bits = 0;
    int count = 0;

    append(out, "", 0);
    for (; *base64 != '\0' && *base64 != '='; base64++) {
        const char *digit = strchr(digits, *base64);

        bits = bits << 6 | (unsigned long)(digit == NULL ? 0 : digit - digits);
        count += 6;
        if (count >= 8) {
            char byte = (char)(bits >> (count - 8) & 255);

            append(out, &byte, 1);
            count -= 8;
        }
    }
}

#define TAIL "X-Amz-Log-Type: Tail\r\n"
#define ENDED                                                              \
    "END RequestId: ~\nREPORT RequestId: ~\tDuration: ~ ms\tBilled "       \
    "Duration: ~ ms\tMemory Size: 128 MB\tMax Memory Used: ~ MB~\tBytes: " \
    "~\tChunks: ~\n"

/* The tail of the log that an invocation comes with. */
static void ask_tail(struct lambda *l, const char *event, struct bytes *log,
                     struct message *m)
{
    const char *result;

    post(l, m, INVOKE, TAIL, event, strlen(event));
    result = field(m, "x-amz-log-result");
    check("there is a tail", result != NULL, m->head.data);
    decode(log, result == NULL ? "" : result);
}

static void test_tails(struct lambda *l)
{
    struct bytes log = {0};
    struct message m;

    ask_tail(l, "{\"do\":\"paint\"}", &log, &m);
    check("the tail of the log",
          is_like(log.data,
                  "START RequestId: ~ Version: $LATEST\na\rb\r\n~\n" ENDED) &&
              count_of(log.data, "START") == 1,
          log.data);
    message_free(&m);
    release(&log);
    ask_tail(l, "{\"do\":\"shout\"}", &log, &m);
    check("4 KiB of it",
          log.size == 4096 && is_like(log.data, "~19999 says ~" ENDED),
          log.data);
    message_free(&m);
    release(&log);
    ask_tail(l, "{\"do\":\"error\"}", &log, &m);
    check("an error with its log",
          field(&m, "x-amz-function-error") != NULL &&
              strcmp(m.body.data,
                     "{\"errorType\":\"E\",\"errorMessage\":\"m\"}") == 0,
          m.head.data);
    message_free(&m);
    release(&log);
    ask_tail(l, "{\"do\":\"exit7\"}", &log, &m);
    message_free(&m);
    release(&log);
}

static void test_tail(void)
{
    struct bytes events = {0};
    struct lambda l;
    struct message m;

    start(&l, "good", PORTS, END);
    if (!is_up(&l)) {
        return;
    }
    expect(&l, "before", "/mutter", 200, "~", "~");
    test_tails(&l);
    post(&l, &m, STREAM, TAIL, TEXT("{\"do\":\"trailers\"}"));
    decode_events(&m, &events);
    check("in InvokeComplete",
          is_like(events.data,
                  "PayloadChunk:part|InvokeComplete:{\"ErrorCode\":"
                  "\"Function.Oh\",\"ErrorDetails\":\"~\","
                  "\"LogResult\":\"U1RBUlQg~\"}|"),
          events.data);
    message_free(&m);
    release(&events);
    stop(&l);
}

static void test_nobody_reads(void)
{
    struct lambda l;

    start(&l, "good", PORTS, END);
    if (is_up(&l)) {
        expect(&l, "a reader that stops", "/shout", 200, "~", "~");
        expect(&l, "does not freeze the server", "/words", 200, "~",
               "one two three");
        check("lines are lost, and counted",
              logs(&l, " lines were lost here: nobody read them\n"),
              l.log.data + (l.log.size > 500 ? l.log.size - 500 : 0));
        expect(&l, "and it goes on", "/mutter", 200, "~", "~");
        check("with its log", logs(&l, "without an end"), "");
        stop(&l);
    }
}

static void test_terminal(void)
{
    struct lambda l;

    on_terminal = true;
    start(&l, "good", PORTS, END);
    on_terminal = false;
    if (l.log_fd < 0) {
        skipped++;
        return;
    }
    if (is_up(&l)) {
        expect(&l, "a terminal", "/paint", 200, "~", "~");
        check("a terminal: line breaks, colours, nothing else",
              logs(&l, "a\r\nb\r\n\033[31mred\033[0m ?]0;title? "
                       "??\xc3\xa9\r\n"),
              l.log.data);
        stop(&l);
    }
}

void test_log(void)
{
    test_lines();
    test_tail();
    test_nobody_reads();
    test_terminal();
}
