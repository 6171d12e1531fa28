#define _POSIX_C_SOURCE 200809L
#include "options.h"

#include "conn.h"
#include "message.h"
#include "name.h"
#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static struct settings settings = {
    .port = 8080,
    .api_host = "127.0.0.1",
    .api_port = 9001,
    .timeout_ns = 30 * NS_PER_S,
    .init_timeout_ns = 10 * NS_PER_S,
    .concurrency = 1,
    .max_waiting = 10000,
    .retry_ns = 60 * NS_PER_S,
    .memory_mb = 128,
};
static bool api_given, mode_given;

/* One line, and the usage. */
static _Noreturn void refuse(const char *format, const char *value)
{
    char text[256];

    (void)snprintf(text, sizeof text, format, value);
    (void)fprintf(stderr, "lambda: %s\n%s", text, usage_text);
    exit(2);
}

static bool parse_number(const char *text, long max, long *value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 9) {
        return false;
    }
    *value = strtol(text, &end, 10);
    return *end == '\0' && *value <= max;
}

static void set_port(const char *value)
{
    long port;

    if (!parse_number(value, 65535, &port)) {
        refuse("--port must be a number from 0 to 65535, not \"%s\"", value);
        return;
    }
    settings.port = (uint16_t)port;
}

/* An IPv6 address may stand in brackets, as it does in a URL. */
static void set_bind(const char *value)
{
    struct buf text = {0};
    size_t size = strlen(value);
    struct address address;

    if (value[0] == '[' && value[size - 1] == ']') {
        buf_format(&text, "%.*s%c", (int)size - 2, value + 1, 0);
    } else {
        buf_format(&text, "%s%c", value, 0);
    }
    if (!address_read(&address, (char *)text.data, 0)) {
        refuse("--bind must be an address, not \"%s\"", value);
    }
    settings.bind = (char *)text.data;
}

static void set_api(const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t size = colon == NULL ? 0 : (size_t)(colon - value);
    long port;

    if (colon == NULL || size == 0 || size >= sizeof settings.api_host ||
        strspn(value, "0123456789.") != size ||
        !parse_number(colon + 1, 65535, &port)) {
        refuse("--runtime-api must be an IPv4 address and a port, not \"%s\"",
               value);
        return;
    }
    memcpy(settings.api_host, value, size);
    settings.api_host[size] = '\0';
    settings.api_port = (uint16_t)port;
    api_given = true;
}

/* Seconds with up to three decimals: more are not asked of a time limit. */
static int64_t read_seconds(const char *option, const char *value)
{
    size_t whole = strspn(value, "0123456789");
    size_t decimals = 0;
    int64_t ms;

    if (whole > 0 && whole <= 3 && value[whole] == '.') {
        decimals = strspn(value + whole + 1, "0123456789");
    }
    ms = whole > 0 && whole <= 3 ? strtol(value, NULL, 10) * 1000 : 0;
    for (size_t i = 0, unit = 100; i < decimals && i < 3; i++, unit /= 10) {
        ms += (value[whole + 1 + i] - '0') * (int64_t)unit;
    }
    if (whole == 0 || whole > 3 || ms > 900000 || decimals > 3 ||
        value[whole + (decimals > 0 ? decimals + 1 : 0)] != '\0') {
        struct buf format = {0};

        buf_format(&format, "%s must be seconds up to 900, not \"%%s\"%c",
                   option, 0);
        refuse((char *)format.data, value);
    }
    return ms * NS_PER_MS;
}

static void set_timeout(const char *value)
{
    settings.timeout_ns = read_seconds("--timeout", value);
}

static void set_init_timeout(const char *value)
{
    settings.init_timeout_ns = read_seconds("--init-timeout", value);
}

static void set_concurrency(const char *value)
{
    long n;

    if (!parse_number(value, SANDBOXES_MAX, &n) || n < 1) {
        refuse("--concurrency must be a number from 1 to 1000, not \"%s\"",
               value);
        return;
    }
    settings.concurrency = (unsigned)n;
}

/* Lambda's own names that an option is there for; a value that --env gave
 * would be one of two. */
static void refuse_reserved(const char *value)
{
    static const char *const names[][2] = {
        {"AWS_LAMBDA_RUNTIME_API", "--runtime-api"},
        {"AWS_LAMBDA_LOG_STREAM_NAME", "lambda itself"},
        {"AWS_LAMBDA_FUNCTION_NAME", "--function-name"},
        {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "--memory"},
        {"AWS_LAMBDA_MAX_CONCURRENCY", "--max-concurrency"},
    };
    size_t size = strcspn(value, "=");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i][0]) == size &&
            strncmp(value, names[i][0], size) == 0) {
            struct buf format = {0};

            buf_format(&format, "--env %%s: %s sets this variable%c",
                       names[i][1], 0);
            refuse((char *)format.data, names[i][0]);
        }
    }
}

static void set_max_waiting(const char *value)
{
    long n;

    if (!parse_number(value, 10000, &n)) {
        refuse("--max-waiting must be a number up to 10000, not \"%s\"", value);
        return;
    }
    settings.max_waiting = (unsigned)n;
}

static void set_retry_pause(const char *value)
{
    settings.retry_ns = read_seconds("--retry-pause", value);
}

static void set_max_concurrency(const char *value)
{
    long n;

    if (!parse_number(value, 1600, &n) || n < 1) {
        refuse("--max-concurrency must be a number from 1 to 1600, not \"%s\"",
               value);
        return;
    }
    settings.max_concurrency = (unsigned)n;
}

static void set_env(const char *value)
{
    const char *own;

    if (strcspn(value, "=") == 0) {
        refuse("--env needs a name, not \"%s\"", value);
    }
    refuse_reserved(value);
    if (strchr(value, '=') != NULL) {
        buf_format(&settings.environment, "%s%c", value, 0);
        return;
    }
    own = getenv(value);
    if (own == NULL) {
        refuse("--env %s: there is no such variable to pass on", value);
    }
    buf_format(&settings.environment, "%s=%s%c", value, own, 0);
}

static void set_memory(const char *value)
{
    if (!parse_number(value, 10240, &settings.memory_mb) ||
        settings.memory_mb < 128) {
        refuse("--memory must be a number from 128 to 10240, not \"%s\"",
               value);
    }
    settings.memory_given = true;
}

/* Ours that begin with AWS_, and are not Lambda's. */
static void set_credentials(const char *value)
{
    size_t before = buf_size(&settings.environment);

    (void)value;
    for (char **e = environ; *e != NULL; e++) {
        if (strncmp(*e, "AWS_", 4) == 0 &&
            strncmp(*e, "AWS_LAMBDA_", 11) != 0) {
            buf_format(&settings.environment, "%s%c", *e, 0);
        }
    }
    if (buf_size(&settings.environment) == before) {
        refuse("%s: no variable here begins with AWS_", "--aws-credentials");
    }
}

/* A line of a file: NAME=VALUE, or NAME alone; quotes around the value are
 * taken off, and "export" in front of the name. */
static void add_file_line(char *line)
{
    char *name = line + strspn(line, " \t");
    size_t size = strcspn(name, "\r");

    while (size > 0 && (name[size - 1] == ' ' || name[size - 1] == '\t')) {
        size--;
    }
    name[size] = '\0';
    if (strncmp(name, "export ", 7) == 0) {
        name += 7;
    }
    if (name[0] == '\0' || name[0] == '#') {
        return;
    }
    line = strchr(name, '=');
    size = line == NULL ? 0 : strlen(line);
    if (size >= 3 && (line[1] == '"' || line[1] == '\'') &&
        line[size - 1] == line[1]) {
        memmove(line + 1, line + 2, size - 3);
        line[size - 2] = '\0';
    }
    set_env(name);
}

static void set_env_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[8192];

    if (file == NULL) {
        refuse("--env-file: cannot read %s", path);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        size_t size = strcspn(line, "\n");

        if (line[size] == '\0' && size + 1 == sizeof line) {
            refuse("--env-file: a line that is too long in %s", path);
        }
        line[size] = '\0';
        add_file_line(line);
    }
    (void)fclose(file);
}

static void set_function_name(const char *value)
{
    if (!is_function_name(slice_of(value))) {
        refuse("--function-name must be 1 to 64 letters, digits, hyphens and "
               "underscores, not \"%s\"",
               value);
    }
    settings.function_name = value;
}

static void set_invoke(const char *value)
{
    settings.invoke = value;
}

static void set_allow_host(const char *value)
{
    buf_format(&settings.allowed_hosts, "%s%c", value, 0);
}

/* It goes into heads of answers as it is. */
static const char *field_value(const char *option, const char *value)
{
    struct buf format = {0};

    if (value[0] == '\0' || !is_field_value(slice_of(value))) {
        buf_format(&format, "%s needs one line of text, not \"%%s\"%c", option,
                   0);
        refuse((char *)format.data, value);
    }
    return value;
}

static void set_cors(const char *value)
{
    settings.cors_origins = field_value("--cors", value);
}

static void set_cors_methods(const char *value)
{
    settings.cors_methods = field_value("--cors-methods", value);
}

static void set_cors_headers(const char *value)
{
    settings.cors_headers = field_value("--cors-headers", value);
}

static void set_cors_credentials(const char *value)
{
    (void)value;
    settings.cors_credentials = true;
}

static void set_payload(const char *value)
{
    settings.payload = strcmp(value, "rest") == 0   ? PAYLOAD_REST
                       : strcmp(value, "http") == 0 ? PAYLOAD_HTTP
                                                    : PAYLOAD_URL;
    if (settings.payload == PAYLOAD_URL && strcmp(value, "url") != 0) {
        refuse("--payload must be url, rest or http, not \"%s\"", value);
    }
}

static void set_invoke_mode(const char *value)
{
    mode_given = true;
    settings.buffered = strcmp(value, "buffered") == 0;
    if (!settings.buffered && strcmp(value, "stream") != 0) {
        refuse("--invoke-mode must be stream or buffered, not \"%s\"", value);
    }
}

static void set_extension(const char *value)
{
    if (settings.extension_count == EXTENSION_PROGRAMS_MAX) {
        refuse("--extension %s: there are ten already", value);
        return;
    }
    if (!program_find(&settings.extensions[settings.extension_count++], value,
                      NULL)) {
        exit(1);
    }
}

static void set_throttle(const char *value)
{
    (void)value;
    settings.throttle = true;
}

static void set_wire(const char *value)
{
    settings.wire = true;
    settings.wire_path = value;
}

static _Noreturn void tell_help(const char *value)
{
    (void)value;
    (void)printf("%s", usage_text);
    for (size_t i = 0; help_text[i] != NULL; i++) {
        (void)printf("%s", help_text[i]);
    }
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static _Noreturn void tell_version(const char *value)
{
    (void)value;
    (void)printf("lambda %s\n", LAMBDA_VERSION);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static const struct option {
    const char *name;
    void (*set)(const char *value);
    enum { VALUE, FLAG, EITHER } kind; /* EITHER: a value only after "=" */
} options[] = {
    {"--port", set_port, VALUE},
    {"--bind", set_bind, VALUE},
    {"--runtime-api", set_api, VALUE},
    {"--timeout", set_timeout, VALUE},
    {"--init-timeout", set_init_timeout, VALUE},
    {"--concurrency", set_concurrency, VALUE},
    {"--max-waiting", set_max_waiting, VALUE},
    {"--retry-pause", set_retry_pause, VALUE},
    {"--max-concurrency", set_max_concurrency, VALUE},
    {"--function-name", set_function_name, VALUE},
    {"--allow-host", set_allow_host, VALUE},
    {"--payload", set_payload, VALUE},
    {"--invoke-mode", set_invoke_mode, VALUE},
    {"--cors", set_cors, VALUE},
    {"--cors-methods", set_cors_methods, VALUE},
    {"--cors-headers", set_cors_headers, VALUE},
    {"--cors-credentials", set_cors_credentials, FLAG},
    {"--extension", set_extension, VALUE},
    {"--throttle", set_throttle, FLAG},
    {"--wire", set_wire, EITHER},
    {"--env", set_env, VALUE},
    {"--env-file", set_env_file, VALUE},
    {"--aws-credentials", set_credentials, FLAG},
    {"--memory", set_memory, VALUE},
    {"--invoke", set_invoke, VALUE},
    {"--help", tell_help, FLAG},
    {"-h", tell_help, FLAG},
    {"--version", tell_version, FLAG},
};

static const struct option *find_option(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strlen(options[i].name) == size &&
            strncmp(text, options[i].name, size) == 0) {
            return &options[i];
        }
    }
    refuse(text[0] == '-' ? "there is no option \"%s\""
                          : "\"%s\": BOOTSTRAP comes after --",
           text);
}

/* True: it took the next argument as its value. */
static bool read_option(const char *text, const char *next)
{
    const char *equals = text[0] == '-' ? strchr(text, '=') : NULL;
    size_t size = equals == NULL ? strlen(text) : (size_t)(equals - text);
    const struct option *o = find_option(text, size);

    if (o->kind == FLAG && equals != NULL) {
        refuse("%s: it takes no value", text);
    }
    if (o->kind != VALUE || equals != NULL) {
        o->set(equals == NULL ? NULL : equals + 1);
        return false;
    }
    if (next == NULL) {
        refuse("%s needs a value", text);
    }
    o->set(next);
    return true;
}

const struct settings *read_arguments(int argc, char **argv)
{
    int i = 1;

    while (i < argc && strcmp(argv[i], "--") != 0) {
        i += read_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL) ? 2 : 1;
    }
    if (i + 1 >= argc) {
        refuse("%s is missing", "-- BOOTSTRAP");
    }
    settings.arguments = argv + i + 1;
    if (settings.payload == PAYLOAD_HTTP) {
        if (mode_given && !settings.buffered) {
            refuse("--payload %s cannot stream, on AWS either", "http");
        }
        settings.buffered = true;
    }
    if (settings.max_concurrency > 0 && !settings.memory_given) {
        settings.memory_mb = 2048;
    }
    if (settings.cors_origins == NULL &&
        (settings.cors_methods != NULL || settings.cors_headers != NULL ||
         settings.cors_credentials)) {
        refuse("%s is missing beside the other --cors- options",
               "--cors ORIGIN");
    }
    if (settings.cors_credentials && strcmp(settings.cors_origins, "*") == 0) {
        refuse("--cors-credentials needs origins by name: with \"%s\" no "
               "browser sends any",
               "*");
    }
    if (settings.invoke != NULL && !api_given) {
        settings.api_port = 0;
    }
    return &settings;
}

/* The value of a variable that --env has set, or NULL. */
static const char *variable(const char *name)
{
    const struct buf *b = &settings.environment;
    const char *value = NULL;
    size_t size = strlen(name);

    for (size_t at = b->start; at < b->end;
         at += strlen((char *)b->data + at) + 1) {
        const char *line = (char *)b->data + at;

        if (strncmp(line, name, size) == 0 && line[size] == '=') {
            value = line + size + 1;
        }
    }
    return value;
}

bool find_program(void)
{
    return program_find(&settings.program, settings.arguments[0],
                        variable("LAMBDA_TASK_ROOT"));
}
