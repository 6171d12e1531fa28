/*
 * http.h - the contract of a handler, and HTTP/1.1 for the Lambda Runtime API
 *
 *   1. The handler: all that one who writes a handler needs, with json.h
 *   2. The runtime: messages, connection, response stream
 *
 * Conventions:
 *
 * - The prefix says where a function lives: lambda_ in bootstrap.c, http_ in
 *   http.c, json_ in json.c. handler_ is yours.
 * - Results: >= 0 is success (sometimes a count), < 0 an enum http_error, or
 *   what the function says: the numbers of enum json_error are others.
 *   Parsers give > 0 for done, 0 for more bytes needed, < 0 for an error.
 * - Memory is the caller's; nothing is allocated. Text is NUL-terminated where
 *   no length stands beside it.
 * - Errors are sticky on a stream: after the first, the http_ calls give it
 *   again and do nothing. A handler may ignore their results: the runtime sees
 *   the error, even if handler_invoke() gives 0.
 * - Units are in names: _ms, _ns, _bytes. Sections are RFC 9112's unless named.
 */
#ifndef HTTP_H
#define HTTP_H

#include "json.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RAWSTREAM_VERSION "0.2.0"

#ifdef __GNUC__
#define HTTP_LIKE_PRINTF __attribute__((format(printf, 2, 3)))
#else
#define HTTP_LIKE_PRINTF
#endif

/*
 * 1. The handler
 *
 * A handler is one C file that defines handler_invoke() and, if it needs them,
 * handler_init() and handler_usage(). `make HANDLER=mine.c` builds it into
 * ./bootstrap.
 *
 * The process answers one event at a time. Static data lives as long as the
 * process, which answers many; with AWS_LAMBDA_MAX_CONCURRENCY there are
 * several such processes, workers, each with static data of its own. SIGPIPE is
 * ignored; a child process inherits that, and should set SIG_DFL before it runs
 * a program. In a worker SIGTERM interrupts system calls: read, poll and
 * nanosleep can fail with EINTR, and are to be called again.
 *
 * Without a C library (plain `make` on Linux) a handler may call the functions
 * of this section and of json.h, and these:
 *   clock_gettime close fstat getenv getrandom memchr memcmp memcpy memmove
 *   memset nanosleep openat poll pread read strcmp strlen write _exit
 * errno is there, too. `make HOSTED=1` builds with your C library.
 */

struct http_stream; /* the response: a parameter `out` of this type */

/* One event. All of it is valid until handler_invoke() returns. */
struct invocation {
    const char *request_id;
    char *event; /* JSON; the handler may write to it */
    size_t event_length;
    const struct http_message *message; /* private: see lambda_field() */
};

/* Called once in each process, before its first event. Gives 0, or
 * lambda_fail(out, ...), the only call that `out` takes here: the process
 * reports the error and ends. In a run by hand the error is printed with the
 * usage (exit status 2). `options` is a JSON object of strings, see
 * lambda_option(): those of a run by hand; in Lambda it is empty. Its text
 * stays as long as the process. */
int handler_init(struct http_stream *out, const struct json_token *options);

/* What `--help` says of the handler's own options in runs by hand: lines like
 * "  --name VALUE    what it does\n", that begin with two spaces, the name and
 * a space. Each option has a value. One that has no line here is refused;
 * event, timeout, help and version are taken. */
const char *handler_usage(void);

/* Called for each event. Gives >= 0, or < 0 for a failure, which lambda_fail()
 * names. A failure before the first byte has left is the invocation's answer;
 * after that it ends the stream, with its type and message in trailers. */
int handler_invoke(const struct invocation *in, struct http_stream *out);

/* The event and what came with it */

/* An event that is an HTTP request: of a Function URL (payload 2.0) or of API
 * Gateway REST (payload 1.0). Tokens are as json_pick() gives them: `query`,
 * `headers` and `context` can be picked from, any number of times. */
struct lambda_request {
    struct json_token method;  /* json_equal(&request.method, "GET") */
    struct json_token path;    /* as it came: see lambda_path() */
    struct json_token query;   /* an object; values are decoded already, of a
                                  name given twice: 2.0 joins them with commas,
                                  1.0 gives the last */
    struct json_token headers; /* an object; pick with JSON_ANY_CASE */
    struct json_token cookies; /* private: see lambda_cookie() */
    struct json_token context; /* requestContext, an object */
    char *body;                /* decoded from JSON and base64: any bytes */
    size_t body_length;
    const char *wrong; /* NULL, or why the client should get status 400 */
};

/* Reads the event. 1: it is an HTTP request, and `request` is filled. 0: it is
 * a direct invocation, an object without a requestContext; nothing of it was
 * changed. < 0: it is not a JSON object; lambda_fail() has been called, and
 * the handler should return this. Where it does not give 1, `request` is of no
 * use.
 * The body is decoded where it stands, so that in->event is no JSON any more:
 * call this once. What `request` points to stays until the handler returns. */
int lambda_read_request(struct lambda_request *request,
                        const struct invocation *in, struct http_stream *out);

/* Copies the path, percent-decoded once, without the query; gives `out`. NULL,
 * and `out` is of no use, when there is none, when before decoding it has more
 * than `size` - 1 bytes, or when it has a NUL (%00) inside. It can have "..", a
 * slash that was %2F, and any other byte: check it before it names a file. (An
 * HTTP API, which cannot stream, is reported to give a decoded path.) */
char *lambda_path(const struct lambda_request *request, char *out, size_t size);

/* A value by its name: of the request's query, of a header (in any case of
 * letters), of a cookie, of the body, a JSON object, where a dot in the name
 * descends as in json_pick(); or of an option that handler_init() was given.
 * 1: `out` is the value decoded, with a NUL behind it. 0: there is none, and
 * `out` stays as it was: put a default into it first. Else an enum json_error:
 * and `out` is "": JSON_TYPE when the value is no string, JSON_RANGE when it
 * has more than `size` - 1 bytes or a NUL inside. lambda_body() gives
 * JSON_TYPE, JSON_INVALID or JSON_DEPTH for a body that is no JSON object
 * (JSON_INVALID when it is empty); lambda_cookie() gives JSON_RANGE, too, when
 * the cookie may be among those that have more than HTTP_HEADERS_BYTES_MAX
 * bytes. Each call reads its object once: for many members of a large body take
 * json_pick(). */
int lambda_query(const struct lambda_request *request, const char *name,
                 char *out, size_t size);
int lambda_header(const struct lambda_request *request, const char *name,
                  char *out, size_t size);
int lambda_cookie(const struct lambda_request *request, const char *name,
                  char *out, size_t size);
int lambda_body(const struct lambda_request *request, const char *name,
                char *out, size_t size);
int lambda_option(const struct json_token *options, const char *name, char *out,
                  size_t size);

/* A header of Lambda's answer to GET /next, which brought the event, "" when it
 * did not come, the last when it came twice:
 * Lambda-Runtime-Invoked-Function-Arn, Lambda-Runtime-Trace-Id,
 * Lambda-Runtime-Client-Context, Lambda-Runtime-Cognito-Identity,
 * Lambda-Runtime-Aws-Tenant-Id, and what may be new. */
const char *lambda_field(const struct invocation *in, const char *name);

/* Milliseconds until the deadline, below 0 after it; INT64_MAX without one. A
 * handler should neither sleep nor poll for longer. */
int64_t lambda_time_left_ms(const struct invocation *in);

/* Nanoseconds of CLOCK_MONOTONIC or CLOCK_REALTIME (<time.h>). */
int64_t lambda_clock_ns(int clock);

/* Answering */

/* Makes the response an HTTP answer for a Function URL or API Gateway, with
 * this status (200 to 599). Call it first: until the first byte has left, each
 * call begins the answer anew, and drops headers, cookies and gathered text.
 * Without it the response is a plain body, which a Function URL's client gets
 * with status 200. Give an answer one byte of body at least, or its client can
 * wait for ever; with status 204 or 304, none. To a HEAD request the runtime
 * sends no body, whatever is written: answer it as GET. */
int http_status(struct http_stream *out, int status);

/* Adds a header, before the first byte leaves. To a plain body only
 * Content-Type can be added. To an HTTP answer each name once, but not
 * Connection, Content-Length (a stream's length is not known), Keep-Alive,
 * Proxy-Connection, Set-Cookie (see http_cookie()), TE, Trailer,
 * Transfer-Encoding, Upgrade. The value is printable ASCII. HTTP_HEADER when
 * refused: the invocation then fails, and its error names the header. */
int http_header(struct http_stream *out, const char *name, const char *value);

/* Adds a cookie to an HTTP answer: "name=value; Path=/". Any number of times.
 * Names and values of headers and cookies: HTTP_HEADERS_BYTES_MAX in all. */
int http_cookie(struct http_stream *out, const char *cookie);

/* A short HTTP answer: http_status(), the header Content-Type, and `text`,
 * which is gathered, so that headers can still follow. */
int http_answer(struct http_stream *out, int status, const char *type,
                const char *text);

/* Text that is being composed, with a NUL at its end. When an append does not
 * fit, it and all later ones are dropped, and `full` is set. The text of a
 * response, out->text, is never too small: it is sent as a chunk instead, up to
 * the end of a character. */
struct http_text {
    char *bytes;
    size_t size; /* with room for the NUL */
    size_t length;
    int full;
    struct http_stream *stream; /* private: whose text it is, or NULL */
};

/* An empty text in memory of yours, of one byte at least, for a NUL. */
struct http_text http_text_in(char *bytes, size_t size);

/* Appends. What is appended to &out->text (the one member of a stream that a
 * handler uses, by its address) is gathered, and leaves with the next
 * http_write() or http_flush(), or with the end. */
void http_append(struct http_text *t, const char *bytes, size_t length);

/* As printf, of which it knows %s, %.*s, %c, %%, and %d, %u, %x with an
 * optional 0, width (at most 32) and l, ll or z: not %5s, not %p. An unknown
 * conversion ends the text: of a response that is the error HTTP_FORMAT, which
 * names it; of other text, `full` is set. */
void http_format(struct http_text *t, const char *format, ...) HTTP_LIKE_PRINTF;

/* Adds a JSON string, with its quotes. What is not UTF-8 becomes U+FFFD. */
void lambda_quote(struct http_text *t, const char *text, size_t length);

/* Sends a chunk now, which is one system call: what the response's text has
 * gathered, then these bytes. No bytes at all are no chunk. */
int http_write(struct http_stream *out, const void *bytes, size_t length);

/* Sends what is gathered as a chunk; with nothing gathered, the head alone if
 * that has not left. The last piece needs no flush: it leaves with the end of
 * the response, in one system call. */
int http_flush(struct http_stream *out);

/* For after a pause: whether Lambda has given this response up meanwhile. 0,
 * or an error: the handler should return. */
int http_look(struct http_stream *out);

/* Fails. `type` is Category.Reason of letters, digits and dots, at most 64
 * ("Function." and "Runtime." are the categories that Lambda keeps); any other
 * becomes Function.Unknown. `message` is for people, UTF-8, and cut when long.
 * Gives HTTP_FAILED, or the error that the stream has already. Called twice,
 * the second counts. What was gathered still leaves if the head has left. */
int lambda_fail(struct http_stream *out, const char *type, const char *message);

enum lambda_level {
    LAMBDA_TRACE,
    LAMBDA_DEBUG,
    LAMBDA_INFO,
    LAMBDA_WARN,
    LAMBDA_ERROR,
    LAMBDA_FATAL
};

/* Logs a line, of at most 4 KiB whatever the message: with one system call, so
 * that lines of several processes do not mix. It says level, request id and
 * message; where AWS_LAMBDA_LOG_FORMAT is JSON it is an object with timestamp,
 * level, requestId, tenantId where there is one, and message, and what is below
 * AWS_LAMBDA_LOG_LEVEL (INFO) is left out. In handler_init() `in` is NULL. */
void lambda_log(const struct invocation *in, enum lambda_level level,
                const char *message);

/* Writes what is wrong with a JSON text that json_pick() refused: "body is not
 * valid JSON at byte 17". `what` is the text's name; `error` and `at` are what
 * json_pick() gave. */
void lambda_json_reason(struct http_text *t, const char *what, int error,
                        size_t at);

/* Reads the digits that `text` begins with, without a sign; gives the first
 * byte behind them. NULL, and `number` is of no use, when there is no digit or
 * the number is above `limit` (itself at most 10^17). */
const char *http_decimal(const char *text, int64_t limit, int64_t *number);

/* How many bytes at the beginning of `text` lie in the ranges, each given by
 * its first and last character ("azAZ09"), or are among `others`. */
size_t http_span(const char *text, const char *ranges, const char *others);

/* Base64 (RFC 4648, section 4), padded; no NUL is written. Encoding writes 4
 * bytes for each 3 begun and gives their number. Decoding writes at most 3 for
 * each 4, perhaps in place; it gives their number, or -1 when `text` is not
 * canonical base64. */
size_t http_base64_encode(char *out, const char *bytes, size_t length);
int64_t http_base64_decode(char *out, const char *text, size_t length);

/*
 * 2. The runtime
 */

enum http_error {
    HTTP_SYSTEM = -1,      /* a system call failed, errno says how */
    HTTP_CLOSED = -2,      /* closed before the first byte of a message */
    HTTP_TRUNCATED = -3,   /* closed inside a message */
    HTTP_STATUS_LINE = -4, /* section 4 */
    HTTP_FIELD_LINE = -5,  /* section 5 */
    HTTP_LINE = -6,        /* control byte, bare CR or bare LF */
    HTTP_TOO_LONG = -7,    /* a line, a head or a trailer section */
    HTTP_FIELDS = -8,      /* more than HTTP_FIELDS_MAX */
    HTTP_LENGTH = -9,      /* Content-Length: section 6.2 */
    HTTP_CODING = -10,     /* Transfer-Encoding: section 6.1 */
    HTTP_UNFRAMED = -11,   /* neither of the two: its end cannot be known */
    HTTP_CHUNK = -12,      /* section 7.1 */
    HTTP_BODY = -13,       /* larger than HTTP_BODY_BYTES_MAX */
    HTTP_INTERIM = -14,    /* 101, or more than HTTP_INTERIM_MAX 1xx */
    HTTP_EARLY = -15,      /* the peer spoke or left before our end */
    HTTP_TIMEOUT = -16,    /* nothing came within timeout_ms */
    HTTP_HOST = -17,       /* of an endpoint, as are the next two */
    HTTP_PORT = -18,
    HTTP_PATH = -19,
    /* From here on the handler's own; bootstrap.c asks for <= HTTP_HEADER. */
    HTTP_HEADER = -20, /* the handler gave a bad status, header or cookie */
    HTTP_FORMAT = -21, /* the handler gave http_format() a bad conversion */
    HTTP_FAILED = -22  /* the handler called lambda_fail() */
};

/* What an error means, for people; "" for a value that is none. */
const char *http_reason(int error);

/* Limits */

/* A real head is 0.6 to 4 kB; client context and trace can be larger. */
#define HTTP_HEAD_BYTES_MAX 65536
#define HTTP_FIELDS_MAX     128
#define HTTP_INTERIM_MAX    16
/* Lambda's own bound for an event: 6 MiB and 100 bytes. */
#define HTTP_BODY_BYTES_MAX       6291556
#define HTTP_CHUNK_LINE_BYTES_MAX 256
#define HTTP_TRAILER_BYTES_MAX    8192
/* Room for the largest head and body, the largest trailer section, and one byte
 * to notice that it is too long. */
#define HTTP_MESSAGE_BYTES_MAX \
    (HTTP_HEAD_BYTES_MAX + HTTP_BODY_BYTES_MAX + HTTP_TRAILER_BYTES_MAX + 1)
#define HTTP_HOST_BYTES_MAX 255
#define HTTP_PATH_BYTES_MAX 1024
/* Request id and invocation id. Lambda's are 36 bytes. */
#define HTTP_ID_BYTES_MAX 128
/* Gathered text beyond this leaves as several chunks. */
#define HTTP_PIECE_BYTES_MAX 16384
/* API Gateway's limits: headers and cookies of an answer in all, and where the
 * prelude must have ended, its eight NULs included. */
#define HTTP_HEADERS_BYTES_MAX 10240
#define HTTP_PRELUDE_BYTES_MAX 16384
/* Base64 makes it 3,600 bytes: with names and type, below the 4 KiB of trailer
 * section that Lambda's side can read. */
#define HTTP_ERROR_BYTES_MAX        2700
#define HTTP_ERROR_TYPE_BYTES_MAX   64
#define HTTP_TRAILER_BYTES_SENT_MAX 4096
/* A sentence about what was refused. */
#define HTTP_DETAIL_BYTES_MAX 127
/* A head with a media type and the prelude; its fixed parts come to less than
 * 512 bytes. */
#define HTTP_REQUEST_BYTES_MAX                                           \
    (HTTP_PATH_BYTES_MAX + HTTP_HOST_BYTES_MAX + 2 * HTTP_ID_BYTES_MAX + \
     HTTP_HEADERS_BYTES_MAX + HTTP_PRELUDE_BYTES_MAX + 512)

/* Message: reads one response, however its bytes arrive */

struct http_field {
    char *name;
    char *value; /* without the white space around it */
};

/* A response while and after it is read. The caller stores bytes at
 * `buffer + end`, adds their number to `end`, and calls http_parse(). */
struct http_message {
    char *buffer; /* of HTTP_MESSAGE_BYTES_MAX bytes */
    size_t end;   /* bytes stored */
    size_t at;    /* index of the next byte to look at */
    size_t taken; /* bytes of chunk lines removed so far from before `at` */

    int status;
    int reusable; /* the connection may carry another request */
    size_t body;  /* where it begins in `buffer` */
    size_t body_length;
    unsigned field_count;

    /* private */
    size_t line; /* where the line being read begins */
    size_t left; /* bytes that the head, the line, the data or the trailer
                  * section may still have */
    int state;
    int interim;

    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Makes ready for a new message. `buffer` is kept until the last use. */
void http_message_start(struct http_message *m, char *buffer);

/* Looks at the bytes stored. > 0: the message is complete, and its fields and
 * body stand; 0: more bytes are needed, and there is room for at least one;
 * < 0: malformed, `taken + at` is the offset of the fault. Decodes chunks in
 * place: sections 4 to 7. */
int http_parse(struct http_message *m);

/* The value of the last field of that name, in any case of letters, and how
 * many there are: `count` is -1 when their values differ. NULL when there is
 * none. Trailer fields are never among them (section 7.1.2). */
char *http_field_value(const struct http_message *m, const char *name,
                       int *count);

/* Endpoint: the Runtime API's address, as AWS_LAMBDA_RUNTIME_API gives it: a
 * dotted IPv4 address or localhost, a port, and perhaps a path that comes
 * before all others. "http://" before it is passed over. */
struct http_endpoint {
    char host[HTTP_HOST_BYTES_MAX + 1]; /* and port, as the Host header */
    char path[HTTP_PATH_BYTES_MAX + 1]; /* without its last slash */
    unsigned char address[4];
    unsigned char port[2]; /* both in network byte order */
};

/* 0, or HTTP_HOST, HTTP_PORT, HTTP_PATH for the part that is wrong. */
int http_endpoint_parse(struct http_endpoint *e, const char *text);

/* Connection: one to the Runtime API, opened at need, kept alive */

struct http_connection {
    int fd;                /* -1 while there is none; all else begins as 0 */
    int reused;            /* it has carried a whole exchange before */
    struct http_text head; /* of a request, or the size line of a chunk */
    struct http_endpoint endpoint;
    char head_bytes[HTTP_REQUEST_BYTES_MAX];
};

void http_close(struct http_connection *c);

/* Asks for the next event (GET .../invocation/next) and waits for it, for ever
 * if need be. `m` was started once. 0: it is complete, with any status. An
 * error closes the connection. */
int http_next(struct http_connection *c, struct http_message *m);

/* Reads the answer to a request into `m`, which was started for it, each part
 * within `timeout_ms` of the one before (-1: no limit). 0, or an error. The
 * connection is closed on an error,
 * and where the message does not allow another request (section 9.3). */
int http_receive(struct http_connection *c, struct http_message *m,
                 int timeout_ms);

/* Writes all of it to a file descriptor that need not be a socket. */
int http_print(int fd, const char *bytes, size_t length);

/* Response stream: chunks out (section 7.1), each one system call */

struct http_stream {
    /* Sends the head if it has not left, the text, these bytes, and `end`,
     * which is empty or what follows the last chunk. http_start() sets the one
     * that speaks HTTP; a run by hand has one of its own. */
    int (*transmit)(struct http_stream *s, const void *bytes, size_t length,
                    const char *end);
    struct http_connection *connection;
    const char *id;
    const char *invocation_id; /* to be echoed, or "" */
    int error;                 /* sticky */
    int system_error;          /* of HTTP_SYSTEM: its errno */
    int begun;                 /* the head has left, wholly or in part */
    int status;                /* of an HTTP answer; 0: a plain body */
    int no_body;               /* to a HEAD request */
    size_t header_bytes;       /* names and values of headers and cookies */
    struct http_text headers;  /* JSON members; of a plain body its type */
    struct http_text cookies;  /* JSON elements */
    struct http_text text;     /* the piece being gathered */
    char detail[HTTP_DETAIL_BYTES_MAX +
                1]; /* "", or what was refused, and why */
    char error_type[HTTP_ERROR_TYPE_BYTES_MAX + 1];
    char error_json[HTTP_ERROR_BYTES_MAX + 1];
    char headers_json[HTTP_PRELUDE_BYTES_MAX];
    char cookies_json[HTTP_PRELUDE_BYTES_MAX];
    char piece[HTTP_PIECE_BYTES_MAX + 1];
};

/* Makes ready for an invocation. The texts are kept until the end. */
void http_start(struct http_stream *s, struct http_connection *c,
                const char *id, const char *invocation_id);

/* The JSON of an HTTP answer's prelude: status, headers, cookies. */
void http_prelude(struct http_text *t, const struct http_stream *s);

/* Ends the stream: what is still unsent, the last chunk and, where error_json
 * is set, the two trailers with the error. 0 or an error. The answer is to be
 * read with http_receive(). */
int http_end(struct http_stream *s);

/* Reports error_json instead: POST .../error for the stream's id, or
 * .../init/error when that is "". As http_end(). */
int http_post_error(struct http_stream *s);

#ifdef __cplusplus
}
#endif

#endif
