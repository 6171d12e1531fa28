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
              logs(&l, "without an end\nREPORT "), l.log.data);
        expect(&l, "text of a peer", "/odd-path", 200, "~", "~");
        check("text of a peer: controls and invalid bytes are made harmless",
              logs(&l, "404 for /??\xc3\xa9\n"), l.log.data);
        stop(&l);
    }
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
    test_nobody_reads();
    test_terminal();
}
