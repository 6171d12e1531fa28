/*
 * puppet.c - a handler that does what its event says, so that the scripts in
 * test/wire can bring about any order of calls. The event is not JSON but
 * lines, one call each:
 *
 *     status N            http_status()
 *     header NAME VALUE   http_header()
 *     cookie TEXT         http_cookie()
 *     answer N TYPE TEXT  http_answer()
 *     write TEXT          http_write()
 *     put N C             http_append() of N times the character C
 *     append TEXT         http_append()
 *     format TEXT         http_format(), with an empty string for arguments
 *     move N TEXT         moves TEXT by N bytes inside itself, and writes it
 *     flush               http_flush()
 *     sleep MS            waits, then http_look(); nothing after an error
 *     close N             close(), which fails for -1
 *     context             writes what came with the event, a line a chunk
 *     log LEVEL TEXT      lambda_log(), with the level's number
 *     crash               dies by a signal
 *     fail TYPE TEXT      lambda_fail(), and returns its result
 *     return N            returns N
 *
 * An event that begins with a brace is read with lambda_read_request(). The
 * response says what that found, a line each; but the body of a HEAD request is
 * such a script.
 *
 * Results are not looked at: errors of a stream are sticky. Initialisation
 * fails where the environment has PUPPET_INIT, with its value for a message;
 * it returns what PUPPET_INIT_RETURNS says, or what lambda_fail() gave. It
 * looks for more there: with PUPPET_INIT_GATHERS it adds to the text of a
 * response that is not there yet, _WRITES writes to that, _LOGS logs a line,
 * _SLEEPS takes half a second, and _CRASHES dies by a signal.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The text up to the next `end`, which becomes a string. */
static char *cut(char **rest, char end)
{
    char *begin = *rest, *p = begin;

    while (*p != '\0' && *p != end)
        p++;
    if (*p != '\0')
        *p++ = '\0';
    *rest = p;
    return begin;
}

static int is(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && memcmp(a, b, strlen(a)) == 0;
}

static int number(const char *text)
{
    int sign = *text == '-' ? -1 : 1, n = 0;

    for (text += *text == '-'; *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (*text - '0');
    return sign * n;
}

static void put_header(struct http_stream *out, char *line)
{
    const char *name = cut(&line, ' ');

    (void)http_header(out, name, line);
}

static void answer(struct http_stream *out, char *line)
{
    int status = number(cut(&line, ' '));
    const char *type = cut(&line, ' ');

    (void)http_answer(out, status, type, line);
}

static void put_log(const struct invocation *in, char *line)
{
    int level = number(cut(&line, ' '));

    lambda_log(in, (enum lambda_level)level, line);
}

static int fail(struct http_stream *out, char *line)
{
    const char *type = cut(&line, ' ');

    return lambda_fail(out, type, line);
}

static void put_times(struct http_stream *out, char *line)
{
    int n = number(cut(&line, ' '));
    char bytes[256];

    memset(bytes, *line, sizeof bytes);
    for (; n > 0; n -= (int)sizeof bytes)
        http_append(&out->text, bytes, n < 256 ? (size_t)n : sizeof bytes);
}

static void move(struct http_stream *out, char *line)
{
    int n = number(cut(&line, ' '));
    size_t length = strlen(line);

    if (n < 0)
        memmove(line, line - n, length - (size_t)-n);
    else
        memmove(line + n, line, length - (size_t)n);
    (void)http_write(out, line, length);
}

static void put_field(struct http_stream *out, const struct invocation *in,
                      const char *name)
{
    http_format(&out->text, "%s=%s\n", name, lambda_field(in, name));
    (void)http_flush(out);
}

/* A table of pointers, as handlers have them: without a C library bootstrap
 * itself has to make them right. */
static void put_context(struct http_stream *out, const struct invocation *in)
{
    static const char *const names[] = {"Lambda-Runtime-Invoked-Function-Arn",
                                        "Lambda-Runtime-Trace-Id",
                                        "lambda-runtime-client-context",
                                        "Lambda-Runtime-Cognito-Identity",
                                        "Lambda-Runtime-Aws-Tenant-Id",
                                        "Lambda-Runtime-Aws-Tenant"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put_field(out, in, names[i]);
}

static void sleep_and_look(struct http_stream *out, int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    while (!out->error && nanosleep(&t, &t) < 0)
        continue;
    (void)http_look(out);
}

/* `rc` is what a function gave that fills a buffer. */
static void put_value(struct http_stream *out, const char *label, int rc,
                      const char *value)
{
    http_format(&out->text, "%s ", label);
    if (rc > 0)
        lambda_quote(&out->text, value, strlen(value));
    else /* an error leaves an empty text */
        http_format(&out->text, rc < 0 && *value ? "%d, but a text" : "%d", rc);
    http_format(&out->text, "\n");
}

static void show_request(const struct lambda_request *r,
                         struct http_stream *out)
{
    char value[12] = "as it was";
    int rc = lambda_path(r, value, sizeof value) != NULL;

    http_format(&out->text, "GET %d\n", json_equal(&r->method, "GET"));
    put_value(out, "path", rc, value);
    put_value(out, "query", lambda_query(r, "q.1", value, sizeof value), value);
    put_value(out, "header", lambda_header(r, "x.h", value, sizeof value),
              value);
    put_value(out, "cookie", lambda_cookie(r, "c", value, sizeof value), value);
    put_value(out, "member", lambda_body(r, "m", value, sizeof value), value);
    http_format(&out->text, "body ");
    lambda_quote(&out->text, r->body, r->body_length);
    http_format(&out->text, "\nwrong %s\n", r->wrong ? r->wrong : "nothing");
}

const char *handler_usage(void)
{
    return "  --fail TEXT     fails to begin, as no --other option does\n";
}

int handler_init(struct http_stream *out, const struct json_token *options)
{
    const char *message = getenv("PUPPET_INIT");
    const char *result = getenv("PUPPET_INIT_RETURNS");
    char text[1000];
    int rc;

    if (lambda_option(options, "fail", text, sizeof text) > 0)
        message = text;
    rc = message ? lambda_fail(out, "Runtime.PuppetInit", message) : 0;
    if (getenv("PUPPET_INIT_GATHERS"))
        http_append(&out->text, "lost", 4);
    if (getenv("PUPPET_INIT_LOGS"))
        lambda_log(NULL, LAMBDA_INFO, "begun");
    if (getenv("PUPPET_INIT_SLEEPS"))
        (void)nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    if (getenv("PUPPET_INIT_CRASHES"))
        __builtin_trap();
    if (getenv("PUPPET_INIT_WRITES"))
        (void)http_write(out, "x", 1);

    return result ? number(result) : rc;
}

/* Makes the calls of a script. */
static int run(const struct invocation *in, struct http_stream *out, char *rest,
               size_t length)
{
    char *line, *call;

    if (length == 0 || rest[length - 1] != '\n')
        return lambda_fail(out, "Function.PuppetScript", "no line end");
    rest[length - 1] = '\0';
    while (*rest) {
        line = cut(&rest, '\n');
        call = cut(&line, ' ');
        if (is(call, "status"))
            (void)http_status(out, number(line));
        else if (is(call, "header"))
            (void)put_header(out, line);
        else if (is(call, "cookie"))
            (void)http_cookie(out, line);
        else if (is(call, "answer"))
            answer(out, line);
        else if (is(call, "write"))
            (void)http_write(out, line, strlen(line));
        else if (is(call, "put"))
            put_times(out, line);
        else if (is(call, "append"))
            http_append(&out->text, line, strlen(line));
        else if (is(call, "format"))
            http_format(&out->text, line, "");
        else if (is(call, "move"))
            move(out, line);
        else if (is(call, "flush"))
            (void)http_flush(out);
        else if (is(call, "sleep"))
            sleep_and_look(out, number(line));
        else if (is(call, "close"))
            (void)close(number(line));
        else if (is(call, "context"))
            put_context(out, in);
        else if (is(call, "log"))
            put_log(in, line);
        else if (is(call, "crash"))
            __builtin_trap();
        else if (is(call, "fail"))
            return fail(out, line);
        else if (is(call, "return"))
            return number(line);
        else
            return lambda_fail(out, "Function.PuppetScript", call);
    }
    return 0;
}

static int read_request(const struct invocation *in, struct http_stream *out)
{
    struct lambda_request r;
    int rc = lambda_read_request(&r, in, out);

    if (rc > 0 && json_equal(&r.method, "HEAD"))
        return run(in, out, r.body, r.body_length);
    http_format(&out->text, "HTTP %d\n", rc);
    if (rc > 0)
        show_request(&r, out);
    return rc;
}

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    if (in->event_length > 0 && *in->event == '{')
        return read_request(in, out);
    return run(in, out, in->event, in->event_length);
}
