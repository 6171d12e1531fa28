/*
 * exhaustive - each document that a few symbols can make
 *
 * All documents of up to 6 symbols of JSON, and all chunked bodies of up to 9
 * symbols, are read by the product and by a reference reader: verdict, offset,
 * and what was understood must be the same.
 *
 * They form a tree, in which a document's children have one symbol more. A
 * document that both readers refuse for a byte inside it, not for its end, is
 * not followed further: each reads from the first byte to the last, has not
 * looked behind that byte when it refuses it, and stops there, so all documents
 * that begin so are refused at the same byte. That is not taken on trust: each
 * such document is read once more with symbols after it.
 *
 * A process for each processor takes its share of the subtrees of depth 2.
 * Prints how many documents are covered, and how many of them were read.
 */
#define _DEFAULT_SOURCE
#include "http.h"
#include "json.h"
#include "test/fuzz/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES_MAX 256

struct language {
    const char *name;
    const char *const *symbols;
    size_t symbol_count;
    size_t symbols_most; /* in a document */
    const char *prefix;  /* of every document */
    /* Compares; gives whether every document that begins so is refused at the
     * same byte. Counts a difference. */
    int (*final)(const char *bytes, size_t length);
};

/* Shared by the processes. */
static struct counts {
    uint64_t covered, read, differences;
} * counts;

static void differ(const char *bytes, size_t length)
{
    compare_show(bytes, length);
    if (__atomic_add_fetch(&counts->differences, 1, __ATOMIC_RELAXED) >= 20) {
        printf("and so on\n");
        fflush(stdout);
        _exit(1);
    }
}

/* JSON */

static const char *const json_symbols[] = {
    "{",   "}",  "[",    "]",   ":", ",",    "\"",   "\\",
    "u00", "-",  "+",    ".",   "e", "0",    "1",    "a",
    " ",   "\n", "true", "nul", "l", "\x1f", "\xc3", "\xa9"};

static int json_final(const char *text, size_t length)
{
    struct json_reference want = json_reference(text, length, JSON_DEPTH_MAX);

    if (!compare_json(text, length, &want))
        differ(text, length);
    /* A sequence of UTF-8, of at most 4 bytes, may only have been cut. */
    return want.verdict != REFERENCE_ACCEPT && want.at < length &&
           ((unsigned char)text[want.at] < 0x80 || want.at + 4 <= length);
}

/* Chunks */

static const char *const chunk_symbols[] = {"0",  "1",  "f", "F", ";",
                                            "\r", "\n", " ", "a"};

static const char chunked_head[] =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/* The body is given whole, and byte by byte. */
static int chunk_final(const char *bytes, size_t length)
{
    static struct http_reference want;
    char body[BYTES_MAX];

    http_reference_response(&want, bytes, length, body);
    if (!compare_response(bytes, length, length, 1, &want, body) ||
        !compare_response(bytes, length, sizeof chunked_head - 1, 1, &want,
                          body))
        differ(bytes, length);
    return want.rc < 0;
}

static const struct language languages[] = {
    {"JSON", json_symbols, sizeof json_symbols / sizeof *json_symbols, 6, "",
     json_final},
    {"chunked bodies", chunk_symbols,
     sizeof chunk_symbols / sizeof *chunk_symbols, 9, chunked_head,
     chunk_final},
};

struct walk {
    const struct language *language;
    char bytes[BYTES_MAX];
    size_t share, shares; /* the how manieth process, and of how many */
    size_t subtrees;      /* of depth 2, met so far */
    size_t tail;          /* the last symbol that check_final() added */
    struct counts counts;
};

/* The number of documents that begin with one to which `more` symbols can be
 * added, itself included. */
static uint64_t family(const struct language *l, size_t more)
{
    uint64_t sum = 1;

    while (more-- > 0)
        sum = sum * l->symbol_count + 1;
    return sum;
}

static size_t add(struct walk *w, size_t length, size_t symbol)
{
    const char *s = w->language->symbols[symbol];
    size_t n = strlen(s);

    memcpy(w->bytes + length, s, n);
    return length + n;
}

/* Symbols behind a document that is refused change nothing. */
static void check_final(struct walk *w, size_t length, size_t more)
{
    size_t longer = length;

    for (; more > 0; more--)
        longer = add(w, longer, w->tail++ % w->language->symbol_count);
    if (longer > length && !w->language->final(w->bytes, longer))
        differ(w->bytes, longer);
}

static void visit(struct walk *w, size_t length, size_t depth)
{
    const struct language *l = w->language;
    size_t more = l->symbols_most - depth;
    int final;

    if (depth == 2 && w->subtrees++ % w->shares != w->share)
        return;
    final = l->final(w->bytes, length);
    if (final)
        check_final(w, length, more);
    /* What is above the subtrees is everybody's, but counts once. */
    if (depth >= 2 || w->share == 0) {
        w->counts.covered += final ? family(l, more) : 1;
        w->counts.read += final && more > 0 ? 2 : 1;
    }
    for (size_t i = 0; !final && more > 0 && i < l->symbol_count; i++)
        visit(w, add(w, length, i), depth + 1);
}

static void run_share(const struct language *l, size_t share, size_t shares)
{
    struct walk w = {.language = l, .share = share, .shares = shares};
    size_t length = strlen(l->prefix);

    memcpy(w.bytes, l->prefix, length);
    visit(&w, length, 0);
    __atomic_add_fetch(&counts->covered, w.counts.covered, __ATOMIC_RELAXED);
    __atomic_add_fetch(&counts->read, w.counts.read, __ATOMIC_RELAXED);
    fflush(stdout);
}

/* 1, or 0 after a difference. */
static int run(const struct language *l)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t shares = cores > 0 ? (size_t)cores : 1;
    int status, whole = 1;

    memset(counts, 0, sizeof *counts);
    fflush(stdout);
    for (size_t i = 0; i < shares; i++) {
        pid_t child = fork();

        if (child < 0)
            abort();
        if (child == 0) {
            run_share(l, i, shares);
            _exit(0);
        }
    }
    while (wait(&status) > 0)
        whole &= status == 0;
    printf("%s of up to %zu of %zu symbols: %" PRIu64 " documents, %" PRIu64
           " read, %" PRIu64 " differences\n",
           l->name, l->symbols_most, l->symbol_count, counts->covered,
           counts->read, counts->differences);
    if (counts->covered != family(l, l->symbols_most))
        printf("not all documents are covered\n");
    return whole && counts->differences == 0 &&
           counts->covered == family(l, l->symbols_most);
}

int main(void)
{
    int passed = 0, count = sizeof languages / sizeof *languages;

    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        abort();
    for (int i = 0; i < count; i++)
        passed += run(&languages[i]);
    printf("%d passed, %d failed\n", passed, count - passed);
    return fflush(stdout) != 0 || passed < count;
}
