/*
 * http.h - HTTP/1.1 for the Lambda Runtime API, and the contract of a handler
 *
 * Writing a handler? Begin at "The handler" below.
 *
 * Conventions of this interface:
 *
 * - Results: >= 0 is success (sometimes a count), < 0 an enum http_error.
 *   Parsers give > 0 for done, 0 for more bytes needed, < 0 for an error.
 * - Memory is the caller's; nothing is allocated. Text is NUL-terminated where
 *   no length stands beside it.
 * - Errors are sticky on a stream: after the first, each call gives it again
 *   and does nothing. A handler may check once, at its end.
 * - Pure functions take bytes and give bytes; only those of "Connection" and
 *   "Response stream" touch a socket, and what adds to a stream's own text.
 * - Units are in names: _ms, _ns, _bytes. Sections are RFC 9112's unless named.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#define RAWSTREAM_VERSION "0.1.0"

/* Errors. http_reason() has a sentence for each. */
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
    HTTP_UNFRAMED = -11,   /* neither: completeness cannot be known */
    HTTP_CHUNK = -12,      /* section 7.1 */
    HTTP_BODY = -13,       /* larger than HTTP_BODY_BYTES_MAX */
    HTTP_INTERIM = -14,    /* 101, or more than HTTP_INTERIM_MAX 1xx */
    HTTP_EARLY = -15,      /* the peer spoke or left before our end */
    HTTP_TIMEOUT = -16,    /* the rest of an early reply did not come */
    HTTP_HOST = -17,       /* of an endpoint, as are the next two */
    HTTP_PORT = -18,
    HTTP_PATH = -19,
    HTTP_HEADER = -20, /* the handler gave a bad status or header */
    HTTP_FAILED = -21  /* the handler called http_fail() */
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
/* Head and body, and beside them the longest run of bytes that the reader
 * must see whole before it can drop them, a trailer section; and the byte by
 * which that is too long. */
#define HTTP_MESSAGE_BYTES_MAX \
    (HTTP_HEAD_BYTES_MAX + HTTP_BODY_BYTES_MAX + HTTP_TRAILER_BYTES_MAX + 1)
#define HTTP_HOST_BYTES_MAX 255
#define HTTP_PATH_BYTES_MAX 1024
/* Request id and invocation id. Lambda's are 36 bytes. */
#define HTTP_ID_BYTES_MAX 128
/* Pieces beyond this leave as several chunks. */
#define HTTP_PIECE_BYTES_MAX 16384
/* Headers of an answer as JSON with a NUL, and as much again for its cookies:
 * below the 16 KB in which API Gateway looks for the end of the prelude. */
#define HTTP_ANSWER_BYTES_MAX  4096
#define HTTP_PRELUDE_BYTES_MAX (2 * HTTP_ANSWER_BYTES_MAX + 64)
/* Base64 makes it 3,600 bytes: with names and type, below the 4 KiB of trailer
 * section that Lambda's side can read. */
#define HTTP_ERROR_BYTES_MAX        2700
#define HTTP_ERROR_TYPE_BYTES_MAX   64
#define HTTP_TRAILER_BYTES_SENT_MAX 4096
/* A head with the prelude; its fixed parts come to less than 512 bytes. */
#define HTTP_REQUEST_BYTES_MAX                                           \
    (HTTP_PATH_BYTES_MAX + HTTP_HOST_BYTES_MAX + 2 * HTTP_ID_BYTES_MAX + \
     HTTP_ANSWER_BYTES_MAX + HTTP_PRELUDE_BYTES_MAX + 512)

/*
 * Message: reads one response, however its bytes arrive
 */

struct http_field {
    char *name;
    char *value; /* without the white space around it */
};

/* A response while and after it is read. The caller stores bytes at
 * `buffer + end`, adds their number to `end`, and calls http_parse(). */
struct http_message {
    char *buffer; /* of HTTP_MESSAGE_BYTES_MAX bytes */
    size_t end;   /* bytes stored */
    size_t at;    /* bytes looked at */
    size_t line;  /* where the line being read begins */
    size_t taken; /* bytes already dropped from before `at` */
    int state;
    int interim;
    size_t left; /* of the head, the line, the data or the trailer section */

    int status;
    int reusable; /* the connection may carry another request */
    size_t body;  /* where it begins in `buffer` */
    size_t body_length;
    unsigned field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Makes ready for a new message. `buffer` is kept until the last use. */
void http_message_start(struct http_message *m, char *buffer);

/* Looks at the bytes stored. > 0: the message is complete, and its fields and
 * body stand; 0: more bytes are needed, and there is room for at least one;
 * < 0: malformed, `taken + at` is the offset of the fault. Decodes chunks in
 * place: sections 4 to 7. */
int http_parse(struct http_message *m);

/* The value of the fields of that name, in any case of letters, and how many
 * there are: `count` is -1 when their values differ. NULL when there is none.
 * Trailer fields are never among them (section 7.1.2). */
char *http_field(const struct http_message *m, const char *name, int *count);

/*
 * Pure functions
 */

/* Text being composed, a string once something was added. What does not fit is
 * left out whole, and so is all that follows: `size` is then `length`. Of a
 * stream's own text a chunk leaves instead; behind an error it takes no more.
 */
struct http_text {
    char *bytes;
    size_t size; /* with room for the NUL */
    size_t length;
    struct http_stream *stream; /* whose text it is, or NULL */
};

void http_append(struct http_text *t, const char *bytes, size_t length);

/* As printf, of which it knows %s, %ld and %lx. */
void http_format(struct http_text *t, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* How many bytes of `text` lie in the ranges, each given by its first and last
 * character: "azAZ09". */
size_t http_span(const char *text, const char *ranges);

/* Reads the decimal number that `text` begins with, at most `limit` (itself at
 * most 10^17); gives its end, or NULL when there is none. */
const char *http_decimal(const char *text, int64_t limit, int64_t *number);

/* Base64 (RFC 4648, section 4), padded. Encoding writes 4 bytes for each 3
 * begun and gives their number. Decoding may be in place; it gives the number
 * of bytes, or -1 when `text` is not canonical base64. */
size_t http_base64_encode(char *out, const char *bytes, size_t length);
int64_t http_base64_decode(char *out, const char *text, size_t length);

/* The Runtime API's address, as AWS_LAMBDA_RUNTIME_API gives it: a dotted IPv4
 * address or localhost, a port, and perhaps a path that comes before all
 * others. */
struct http_endpoint {
    char host[HTTP_HOST_BYTES_MAX + 1]; /* and port, as the Host header */
    char path[HTTP_PATH_BYTES_MAX + 1]; /* without its last slash */
    unsigned char address[4];
    unsigned char port[2]; /* both in network byte order */
};

/* 0, or HTTP_HOST, HTTP_PORT, HTTP_PATH for the part that is wrong. */
int http_endpoint_parse(struct http_endpoint *e, const char *text);

/*
 * Connection: one to the Runtime API, opened at need, kept alive
 */

struct http_connection {
    int fd;                /* -1 while there is none; all else begins as 0 */
    int reused;            /* it has carried a whole exchange before */
    struct http_text head; /* of a request, or the size line of a chunk */
    struct http_endpoint endpoint;
    char head_bytes[HTTP_REQUEST_BYTES_MAX];
};

void http_close(struct http_connection *c);

/* Asks for the next event (GET .../invocation/next) and waits for it, for ever
 * if need be. 0, or an error; the connection is then closed. */
int http_next(struct http_connection *c, struct http_message *m);

/* Reads the answer to a request, each part within `timeout_ms` of the one
 * before (-1: no limit). 0, or an error. The connection is closed on an error,
 * and where the message does not allow another request (section 9.3). */
int http_receive(struct http_connection *c, struct http_message *m,
                 int timeout_ms);

/*
 * Response stream: chunks out (section 7.1), each one system call
 */

struct http_stream {
    struct http_connection *connection; /* NULL: a run by hand */
    const char *id;
    const char *invocation_id; /* to be echoed, or "" */
    int error;                 /* sticky */
    int begun;                 /* the head has left, wholly or in part */
    int status;                /* of an HTTP answer; 0: a plain body */
    struct http_text headers;  /* JSON members; of a plain body its type */
    struct http_text cookies;  /* JSON elements */
    struct http_text text;     /* the piece being gathered */
    char error_type[HTTP_ERROR_TYPE_BYTES_MAX + 1];
    char error_json[HTTP_ERROR_BYTES_MAX + 1];
    char header_bytes[HTTP_ANSWER_BYTES_MAX];
    char cookie_bytes[HTTP_ANSWER_BYTES_MAX];
    char piece[HTTP_PIECE_BYTES_MAX + 1];
};

/* Makes ready for an invocation. The texts are kept until the end. */
void http_start(struct http_stream *s, struct http_connection *c,
                const char *id, const char *invocation_id);

/* Ends the stream: what is still unsent, the last chunk and, after http_fail(),
 * the two trailers with the error. 0 or an error. The answer is to be read with
 * http_receive(). */
int http_end(struct http_stream *s);

/* Reports the error of http_fail() instead: POST .../error for the stream's id,
 * .../init/error when that is "". As http_end(). */
int http_post_error(struct http_stream *s);

/*
 * The handler
 *
 * One file with two functions, handler_init() and handler_invoke(), and a text,
 * handler_options. It sees this section, http_append() and http_format() above,
 * and json.h. Without a C library (plain
 * `make` on Linux) it may call the functions of both headers, and these:
 * clock_gettime, close, getenv, memchr, memcmp, memcpy, memmove, memset,
 * nanosleep, openat, read, strcmp, strlen, write.
 * `make HOSTED=1` gives it a whole C library.
 */

/* One event. All of it is valid until handler_invoke() returns. */
struct invocation {
    const char *request_id;
    char *event; /* the handler may write to it: decode in place */
    size_t event_length;
    const struct http_message *message; /* see http_event_field() */
};

/* What else came with the event, each a header of Lambda's answer to GET /next:
 * Lambda-Runtime-Invoked-Function-Arn, Lambda-Runtime-Trace-Id,
 * Lambda-Runtime-Client-Context, Lambda-Runtime-Cognito-Identity,
 * Lambda-Runtime-Aws-Tenant-Id, and what may be new. "" when it did not come.
 */
const char *http_event_field(const struct invocation *in, const char *name);

/* What `--help` says of the handler's options in runs by hand, as lines like
 * "  --name VALUE    what it does\n"; "" when it has none. */
extern const char handler_options[];

/* Called once, before the first event. 0, or http_fail(out, ...), the only
 * call that `out` takes here: the process then reports and ends. By hand that
 * is taken for a wrong option, and the usage follows. */
int handler_init(struct http_stream *out, char **options);

/* For handler_init(): the value of an option, of one given twice the last; NULL
 * when it was not given, and in Lambda. It is kept. An option of a run by hand
 * that is not asked for is refused. */
char *http_option(char **options, const char *name);

/* Called for each event. 0, or < 0 for a failure; http_fail() names it. Before
 * the first byte has left a failure is the invocation's answer; after that it
 * ends the stream, with its type and message in trailers. */
int handler_invoke(const struct invocation *in, struct http_stream *out);

/* Makes the response an HTTP answer for a Function URL or API Gateway, with
 * this status (200 to 599): the first call, before any header. Without it the
 * response is a plain body. An answer with an empty body can keep its client
 * waiting: write at least one byte. */
int http_status(struct http_stream *out, int status);

/* Adds a header, before the first byte leaves. An answer takes any but those
 * that are the connection's own; each name once; a plain body Content-Type
 * alone. The value is printable ASCII. HTTP_HEADER when refused. */
int http_header(struct http_stream *out, const char *name, const char *value);

/* Adds a cookie to an answer: "name=value; Path=/". Any number of times. */
int http_cookie(struct http_stream *out, const char *cookie);

/* Sends a chunk now: what out->text has gathered, then these bytes. No bytes
 * at all are no chunk. */
int http_write(struct http_stream *out, const void *bytes, size_t length);

/* Sends as a chunk what http_format() and http_append() have gathered in
 * out->text; with nothing gathered, the head alone if that has not left. The
 * last piece needs no flush: it leaves with the end of the response, in one
 * system call. A piece beyond HTTP_PIECE_BYTES_MAX leaves in parts. */
int http_flush(struct http_stream *out);

/* For after a pause: whether Lambda has given this response up meanwhile. 0,
 * or an error: the handler should return. */
int http_look(struct http_stream *out);

/* Fails. `type` is Category.Reason of letters, digits and dots ("Function."
 * and "Runtime." are the categories that Lambda keeps); `message` is for
 * people, UTF-8, and cut when long. Gives HTTP_FAILED, or the error that the
 * stream has already. */
int http_fail(struct http_stream *out, const char *type, const char *message);

/* Milliseconds until the deadline, below 0 after it; INT64_MAX without one. */
int64_t http_time_left_ms(const struct invocation *in);

#endif
