/* http_cases.c - reads http-cases.txt, which says how it is written */
#define _POSIX_C_SOURCE 200809L
#include "test/unit/http_cases.h"

#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE     "test/unit/http-cases.txt"
#define BYTES_MAX 1048576
#define NAMES_MAX 16
#define COUNT(of) (sizeof(of) / sizeof *(of))
#define NO_OFFSET ((size_t)-1)

static const char *const verdicts[] = {"good", "last", "more", "bad"};

static const struct {
    const char *name;
    int error;
} errors[] = {{"status-line", HTTP_STATUS_LINE},
              {"field-line", HTTP_FIELD_LINE},
              {"line", HTTP_LINE},
              {"too-long", HTTP_TOO_LONG},
              {"fields", HTTP_FIELDS},
              {"length", HTTP_LENGTH},
              {"coding", HTTP_CODING},
              {"unframed", HTTP_UNFRAMED},
              {"chunk", HTTP_CHUNK},
              {"body", HTTP_BODY},
              {"interim", HTTP_INTERIM}};

/* What `let` has named: {NAME} stands for TEXT. */
static struct {
    char *name, *text;
} names[NAMES_MAX];

static size_t name_count, line_number;

/* Bytes as they are put together. */
struct bytes {
    char at[BYTES_MAX];
    size_t length, offset; /* where \^ stood, or NO_OFFSET */
};

static _Noreturn void malformed(const char *what)
{
    fprintf(stderr, TABLE ":%zu: %s\n", line_number, what);
    exit(2);
}

/* The next word of a line, which is written to. */
static char *word(char **line)
{
    char *begin = *line, *end = begin + strcspn(begin, " ");

    if (end == begin)
        malformed("a word is missing");
    *line = end + (*end == ' ');
    *end = '\0';
    return begin;
}

static void put(struct bytes *b, char c)
{
    if (b->length == sizeof b->at)
        malformed("too many bytes");
    b->at[b->length++] = c;
}

static void put_text(struct bytes *b, const char *text, const char *end);

/* {NAME}, when there is such a name. Gives what follows, or NULL. */
static const char *put_named(struct bytes *b, const char *text)
{
    for (size_t i = 0; i < name_count; i++) {
        size_t length = strlen(names[i].name);
        const char *to = names[i].text;

        if (strncmp(text + 1, names[i].name, length) == 0 &&
            text[length + 1] == '}') {
            put_text(b, to, to + strlen(to));
            return text + length + 2;
        }
    }
    return NULL;
}

/* \{N*TEXT}, from the N on. Gives what follows. */
static const char *put_repeated(struct bytes *b, const char *text)
{
    char *begin;
    unsigned long n = strtoul(text, &begin, 10);
    const char *end = begin + 1;

    if (*begin != '*')
        malformed("no * behind a number");
    for (int depth = 1;; end++) {
        depth += (*end == '{') - (*end == '}');
        if (*end == '\0')
            malformed("a brace is not closed");
        if (depth == 0)
            break;
    }
    for (; n > 0; n--)
        put_text(b, begin + 1, end);
    return end + 1;
}

/* What stands behind a backslash. Gives what follows. */
static const char *put_escape(struct bytes *b, const char *text)
{
    static const char letters[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    const char *letter = *text ? strchr(letters, *text) : NULL;
    unsigned byte;

    if (*text == '{')
        return put_repeated(b, text + 1);
    if (*text == 'x' && sscanf(text + 1, "%2x", &byte) == 1) {
        put(b, (char)byte);
        return text + 3;
    }
    if (*text == '^')
        b->offset = b->length;
    else if (letter)
        put(b, bytes[letter - letters]);
    else
        malformed("an escape that is none");
    return text + 1;
}

static void put_text(struct bytes *b, const char *text, const char *end)
{
    const char *behind;

    while (text < end) {
        if (*text == '\\') {
            text = put_escape(b, text + 1);
        } else if (*text == '{' && (behind = put_named(b, text)) != NULL) {
            text = behind;
        } else {
            put(b, *text);
            text++;
        }
    }
}

static const char *unescape(struct bytes *b, const char *text)
{
    b->length = 0;
    b->offset = NO_OFFSET;
    put_text(b, text, text + strlen(text));
    return b->at;
}

static int error_named(const char *name)
{
    for (size_t i = 0; i < COUNT(errors); i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].error;
    malformed("no such error");
}

static void let(char *line)
{
    char *name = word(&line);

    if (name_count == NAMES_MAX)
        malformed("too many names");
    names[name_count].name = strdup(name);
    names[name_count++].text = strdup(line);
}

static void read_case(struct http_case *c, const char *verdict, char *line)
{
    static struct bytes bytes, body;
    size_t n = 0;

    while (n < COUNT(verdicts) && strcmp(verdicts[n], verdict) != 0)
        n++;
    if (n == COUNT(verdicts))
        malformed("no such verdict");
    c->verdict = (enum http_verdict)n;
    body.length = 0;
    if (n == HTTP_GOOD || n == HTTP_LAST) {
        const char *text;

        c->status = atoi(word(&line));
        text = word(&line);
        c->body = unescape(&body, strcmp(text, "-") == 0 ? "" : text);
    }
    if (n == HTTP_BAD)
        c->error = error_named(word(&line));
    c->body_length = body.length;
    c->bytes = unescape(&bytes, line);
    c->length = bytes.length;
    c->offset = bytes.offset;
    if ((n == HTTP_BAD) != (c->offset != NO_OFFSET))
        malformed("\\^ stands in what is bad, once, and nowhere else");
}

int http_case_next(struct http_case *c)
{
    static FILE *file;
    static char line[4096], text[sizeof line];

    if (!file) {
        file = fopen(TABLE, "r");
        line_number = 0;
        while (name_count > 0) {
            free(names[--name_count].name);
            free(names[name_count].text);
        }
        if (!file)
            malformed("cannot be opened");
    }
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *first;

        line_number++;
        line[strcspn(line, "\n")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        strcpy(text, line);
        first = word(&rest);
        if (strcmp(first, "let") == 0) {
            let(rest);
            continue;
        }
        *c = (struct http_case){.line = line_number, .text = text};
        read_case(c, first, rest);
        return 1;
    }
    fclose(file);
    file = NULL;
    return 0;
}
