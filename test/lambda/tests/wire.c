/* --wire=FILE: the page and the capture. */
#define _DEFAULT_SOURCE
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[96];

static void name_file(const char *ending)
{
    (void)snprintf(path, sizeof path, "/tmp/lambda-test-wire-%ld%s",
                   (long)getpid(), ending);
}

/* Reads the file and removes it. */
static void read_file(struct bytes *b)
{
    char piece[65536];
    FILE *file = fopen(path, "rb");
    size_t n;

    append(b, "", 0);
    while (file != NULL && (n = fread(piece, 1, sizeof piece, file)) > 0) {
        append(b, piece, n);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)unlink(path);
}

/* Makes one invocation, and reads what was written of it. */
static void invoke(const char *ending, const char *event, struct bytes *b)
{
    char option[128];
    struct bytes out = {0};
    struct lambda l;

    name_file(ending);
    (void)snprintf(option, sizeof option, "--wire=%s", path);
    start(&l, "good", option, "--invoke", event, END);
    read_output(&l, &out);
    (void)await_end(&l);
    read_file(b);
    check("a file was written", b->size > 0, l.log.data);
    release(&out);
    discard_lambda(&l);
}

/* Each of the texts occurs, behind the one before. */
static void expect_order(const char *what, const struct bytes *b,
                         const char *const *texts)
{
    const char *at = b->data;

    for (; *texts != NULL; texts++) {
        const char *found = strstr(at, *texts);

        check(what, found != NULL, *texts);
        at = found == NULL ? at : found + strlen(*texts);
    }
}

static void test_page(void)
{
    static const char *const texts[] = {
        "<!doctype html>",
        "prefers-color-scheme:dark",
        "<h2>Invocation <code>",
        "class=\"axis\"",
        ">GET next</a>",
        "<s class=\"run\"",
        "<s class=\"lam\"",
        ">POST response</a>",
        "<code>GET /2018-06-01/runtime/invocation/next HTTP/1.1</code>",
        "answered <code>HTTP/1.1 200 OK</code>",
        "<b>bootstrap</b><code>GET /2018-06-01/runtime/",
        "<i>\\r</i><i>\\n</i></code>",
        "request line, <a href=\"https://www.rfc-editor.org/rfc/rfc9112#",
        "section-3\">RFC 9112 §3</a>",
        "<pre>0000  47 45 54 20 ",
        "<b>Lambda</b><code>HTTP/1.1 200 OK",
        "{&#34;do&#34;:&#34;trailers&#34;}",
        "answered <code>HTTP/1.1 202 Accepted</code>",
        "chunk size: 4, <a ",
        "<code>part</code><span>chunk data, <a ",
        "<pre>0000  70 61 72 74 ",
        "trailer, <a ",
        "; Lambda: type of the error",
        "<b>Lambda</b><code>HTTP/1.1 202 Accepted",
        "<h2>No invocation</h2>",
        "not answered",
        "</section>\n",
        NULL,
    };
    struct bytes b = {0};

    invoke(".html", "{\"do\":\"trailers\"}", &b);
    expect_order("the page", &b, texts);
    check("the page has no script", strstr(b.data, "<script") == NULL, b.data);
    release(&b);
}

/* The name of the tag at p, which is "<", is one that the page itself uses. */
static bool is_own_tag(const char *p)
{
    static const char own[] =
        " !doctype html meta title style header h1 h2 h3 p b i small code pre"
        " br section article div span time a u s details summary ";
    char name[16];
    size_t size;

    p += p[1] == '/' ? 2 : 1;
    size = strcspn(p, " >\n");
    if (size == 0 || size > 10) {
        return false;
    }
    (void)snprintf(name, sizeof name, " %.*s ", (int)size, p);
    return strstr(own, name) != NULL;
}

/* Of what peers send nothing becomes markup, or changes how the page looks. */
static void test_hostile(void)
{
    static const char *const texts[] = {
        "&#60;/code&#62;&#60;img src=x onerror=alert(1)&#62;",
        "GET /&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;",
        "X&#60;svg&#62;: &#39;&#38;amp;&#60;/summary&#62;",
        "&#60;!--&#60;iframe&#62;",
        "<i>\\x00</i><i>\\xff</i><i>\\xc2</i><i>\\x9b</i>",
        "<i>\\xe2</i><i>\\x80</i><i>\\xae</i>",
        NULL,
    };
    struct bytes b = {0};
    bool own = true;

    invoke(".html",
           "{\"do\":\"hostile\",\"x\":\"</code><img src=x onerror=alert(1)>\"}",
           &b);
    expect_order("hostile bytes", &b, texts);
    for (const char *p = b.data; own && (p = strchr(p, '<')) != NULL; p++) {
        own = is_own_tag(p);
    }
    check("hostile bytes: no tag but the page's", own, b.data);
    check("hostile bytes: no NUL", strlen(b.data) == b.size, "");
    check("hostile bytes: nothing that turns text round",
          strstr(b.data, "\xe2\x80\xae") == NULL, "");
    check("hostile bytes: no C1 control", strstr(b.data, "\xc2\x9b") == NULL,
          "");
    release(&b);
    invoke(".txt", "{\"do\":\"hostile\"}", &b);
    check("any other ending is text",
          strncmp(b.data, "---- the Runtime API", 20) == 0, b.data);
    check("the text has no C1 control", strstr(b.data, "\xc2\x9b") == NULL, "");
    release(&b);
}

static size_t count(const struct bytes *b, const char *text)
{
    size_t n = 0;

    for (const char *p = b->data; (p = strstr(p, text)) != NULL; p++) {
        n++;
    }
    return n;
}

/* Each invocation has a section: those of two sandboxes at a time, one that
 * ends with its process, one with a body of more lines than a page holds. */
static void test_sections(void)
{
    static const char *const paths[] = {"/words", "/many", "/exit7", "/words"};
    char option[128];
    struct bytes b = {0};
    struct lambda l;

    name_file(".html");
    (void)snprintf(option, sizeof option, "--wire=%s", path);
    start(&l, "good", PORTS, "--concurrency", "2", option, END);
    if (!is_up(&l)) {
        return;
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct message m;

        get(&l, &m, paths[i]);
        message_free(&m);
    }
    stop(&l);
    read_file(&b);
    check("a section each", count(&b, "<h2>Invocation <code>") == 4, b.data);
    check("all are closed", count(&b, "<section>") == count(&b, "</section>"),
          b.data);
    check("the body of many lines is cut",
          strstr(b.data, "more lines of the body") != NULL, b.data);
    release(&b);
}

static uint32_t little(const char *p, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = size; i > 0; i--) {
        value = value << 8 | (unsigned char)p[i - 1];
    }
    return value;
}

static uint32_t big(const char *p, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | (unsigned char)p[i];
    }
    return value;
}

/* RFC 1071: over what holds its own checksum the sum is 0xffff. */
static uint32_t sum(uint32_t from, const char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        from += (uint32_t)(unsigned char)p[i] << (i % 2 == 0 ? 8 : 0);
        from = (from & 0xffff) + (from >> 16);
    }
    return from;
}

/* Of the many cases of a capture only those count that fail. */
static void must(const char *name, bool good)
{
    if (!good) {
        check(name, good, "");
    }
}

struct capture {
    struct bytes sent[2]; /* from the runtime, to it */
    uint32_t next[2];
    uint64_t time;
    unsigned packets;
};

/* One packet: checksums are right, and nothing is lost or twice. */
static void read_packet(struct capture *c, const char *ip, size_t size)
{
    const char *tcp = ip + 20;
    bool out = big(tcp, 2) == 80;
    size_t head = (size_t)(tcp[12] >> 4 & 15) * 4;
    unsigned flags = big(tcp + 13, 1);
    uint32_t from;

    must("capture: the packet's length", big(ip + 2, 2) == size);
    must("capture: IP's checksum", sum(0, ip, 20) == 0xffff);
    from = sum(6 + (uint32_t)size - 20, ip + 12, 8);
    must("capture: TCP's checksum", sum(from, tcp, size - 20) == 0xffff);
    must("capture: the sequence number", big(tcp + 4, 4) == c->next[out]);
    must("capture: the acknowledgement",
         (flags & 16) == 0 || big(tcp + 8, 4) == c->next[!out]);
    append(&c->sent[out], tcp + head, size - 20 - head);
    c->next[out] += (uint32_t)(size - 20 - head) + ((flags & 3) != 0);
    c->packets++;
}

static void read_capture(struct capture *c, const struct bytes *b)
{
    size_t at = 0, size;

    for (; at + 12 <= b->size; at += size) {
        const char *block = b->data + at;

        size = little(block + 4, 4);
        if (size % 4 != 0 || size < 12 || at + size > b->size) {
            break;
        }
        must("capture: a block's length stands at its end, too",
             little(block + size - 4, 4) == size);
        if (little(block, 4) == 6) {
            uint64_t time = (uint64_t)little(block + 12, 4) << 32 |
                            little(block + 16, 4);

            must("capture: time goes forward", time >= c->time);
            c->time = time;
            read_packet(c, block + 28, little(block + 20, 4));
        }
    }
    must("capture: blocks to the end", at == b->size);
}

static void test_capture(void)
{
    static const char *const from[] = {
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n",
        "Transfer-Encoding: chunked\r\n",
        ("\r\n\r\n4\r\npart\r\n0\r\n" TYPE_T ": Function.Oh\r\n"),
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n",
        NULL,
    };
    static const char *const to[] = {
        "HTTP/1.1 200 OK\r\n",
        "\r\n\r\n{\"do\":\"trailers\"}HTTP/1.1 202 Accepted\r\n",
        NULL,
    };
    struct capture c = {0};
    struct bytes b = {0};

    invoke(".pcapng", "{\"do\":\"trailers\"}", &b);
    check("capture: it begins with a section header",
          b.size > 12 && memcmp(b.data, "\n\r\r\n", 4) == 0, "");
    read_capture(&c, &b);
    check("capture: packets", c.packets > 6, "");
    expect_order("capture: from the runtime", &c.sent[0], from);
    expect_order("capture: to the runtime", &c.sent[1], to);
    check("capture: a comment names the process",
          contains(&b, "sandbox 1: process "), "");
    check("capture: a comment names the invocation",
          contains(&b, "sandbox 1: invocation "), "");
    release(&b);
    release(&c.sent[0]);
    release(&c.sent[1]);
}

void test_wire_files(void)
{
    test_page();
    test_hostile();
    test_sections();
    test_capture();
}
