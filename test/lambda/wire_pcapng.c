/* The transcript as a capture, for Wireshark and tshark.
 *
 * The bytes, their times and their order are those of the connections. The
 * packets around them are made here: sandbox N is 10.0.0.N (10.0.H.L above
 * 255), each of its connections has the next port from 49152 on, and the
 * Runtime API is 169.254.100.1, where it may be in production, on port 80,
 * where dissectors look for HTTP. What happens beside the connections is a
 * comment on the packet behind it. */
#define _POSIX_C_SOURCE 200809L
#include "wire_form.h"

#include <stdlib.h>

#define API_ADDRESS 0xa9fe6401u /* 169.254.100.1 */
#define API_PORT    80u
#define FIRST_PORT  49152u
#define PORTS       16384u

#define IP_BYTES  20u
#define TCP_BYTES 20u
/* The most that a packet of IPv4 holds: 65,535 bytes with both headers. */
#define SEGMENT_BYTES_MAX 65495u
#define COMMENT_BYTES_MAX 1000u

/* RFC 9293, section 3.1. */
enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

/* Block types and options: draft-ietf-opsawg-pcapng. */
#define SECTION_HEADER        0x0a0d0d0au
#define INTERFACE_DESCRIPTION 1u
#define ENHANCED_PACKET       6u
#define OPTION_END            0u
#define OPTION_COMMENT        1u
#define OPTION_PROGRAM        4u
#define OPTION_FLAGS          2u
#define OPTION_NAME           2u
#define OPTION_TIME_UNIT      9u
#define LINKTYPE_RAW          101u

struct talk {
    unsigned port;
    uint32_t sent[2]; /* the next sequence number of each direction */
};

static int64_t clock_offset; /* from the monotonic clock to the wall's */
static unsigned connections;
static struct buf comment;

/* A capture has either byte order; IP and TCP have the other. */
static void add_little(struct buf *out, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        buf_byte(out, (unsigned char)(value >> (8 * i)));
    }
}

static void add_big(struct buf *out, uint32_t value, unsigned bytes)
{
    for (unsigned i = bytes; i > 0; i--) {
        buf_byte(out, (unsigned char)(value >> (8 * (i - 1))));
    }
}

static void add_padding(struct buf *out, size_t size)
{
    add_little(out, 0, (unsigned)(-size & 3));
}

static void add_option(struct buf *out, unsigned code, struct slice value)
{
    add_little(out, code, 2);
    add_little(out, (uint32_t)value.size, 2);
    buf_add_slice(out, value);
    add_padding(out, value.size);
}

static void add_block(struct buf *out, uint32_t type, struct buf *content)
{
    uint32_t size = (uint32_t)buf_size(content) + 12;

    add_little(out, type, 4);
    add_little(out, size, 4);
    buf_add_slice(out, buf_slice(content));
    add_little(out, size, 4);
    buf_free(content);
}

/* RFC 1071: the sum of 16-bit words, carries added, is continued by the next
 * call; an odd byte is the last. */
static uint32_t add_sum(uint32_t sum, struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        sum += i % 2 == 0 ? (uint32_t)s.data[i] << 8 : s.data[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static void put_checksum(unsigned char *at, uint32_t sum)
{
    at[0] = (unsigned char)(~sum >> 8);
    at[1] = (unsigned char)~sum;
}

static void add_ip(struct buf *p, size_t tcp_size, uint32_t from, uint32_t to)
{
    size_t start = buf_size(p);

    add_big(p, 0x4500, 2);
    add_big(p, (uint32_t)(IP_BYTES + tcp_size), 2);
    add_big(p, 0x4000, 4); /* not fragmented */
    add_big(p, 0x4006, 2); /* time to live, TCP */
    add_big(p, 0, 2);
    add_big(p, from, 4);
    add_big(p, to, 4);
    put_checksum(p->data + start + 10,
                 add_sum(0, (struct slice){p->data + start, IP_BYTES}));
}

static void add_tcp(struct buf *p, const struct talk *talk,
                    enum wire_direction d, unsigned flags, struct slice data)
{
    static const unsigned char syn_options[] = {
        2, 4,  SEGMENT_BYTES_MAX >> 8, SEGMENT_BYTES_MAX & 255, 1, 3,
        3, 14, /* windows of up to 1 GiB */
    };
    bool syn = (flags & SYN) != 0;
    size_t start = buf_size(p), size;
    uint32_t sum;

    add_big(p, d == WIRE_FROM_RUNTIME ? talk->port : API_PORT, 2);
    add_big(p, d == WIRE_FROM_RUNTIME ? API_PORT : talk->port, 2);
    add_big(p, talk->sent[d], 4);
    add_big(p, (flags & ACK) != 0 ? talk->sent[1 - d] : 0, 4);
    add_big(p, (syn ? 0x7000 : 0x5000) | flags, 2);
    add_big(p, 0xffff, 2);
    add_big(p, 0, 4);
    buf_add(p, syn_options, syn ? sizeof syn_options : 0);
    buf_add_slice(p, data);
    size = buf_size(p) - start;
    /* The pseudo-header: addresses, protocol, length. */
    sum = add_sum(6 + (uint32_t)size, (struct slice){p->data + start - 8, 8});
    sum = add_sum(sum, (struct slice){p->data + start, size});
    put_checksum(p->data + start + 16, sum);
}

static void add_packet(struct buf *out, struct wire_tap *tap,
                       enum wire_direction d, unsigned flags, struct slice data)
{
    struct talk *talk = tap->own;
    uint32_t runtime = 0x0a000000u + tap->sandbox;
    bool syn = (flags & SYN) != 0;
    size_t tcp = TCP_BYTES + (syn ? 8 : 0) + data.size;
    uint64_t time = (uint64_t)(now_ns() + clock_offset);
    struct buf b = {0};

    add_little(&b, 0, 4); /* the interface */
    add_little(&b, (uint32_t)(time >> 32), 4);
    add_little(&b, (uint32_t)time, 4);
    add_little(&b, (uint32_t)(IP_BYTES + tcp), 4);
    add_little(&b, (uint32_t)(IP_BYTES + tcp), 4);
    add_ip(&b, tcp, d == WIRE_FROM_RUNTIME ? runtime : API_ADDRESS,
           d == WIRE_FROM_RUNTIME ? API_ADDRESS : runtime);
    add_tcp(&b, talk, d, flags, data);
    add_padding(&b, tcp);
    if (buf_size(&comment) > 0) {
        add_option(&b, OPTION_COMMENT, buf_slice(&comment));
        buf_clear(&comment);
    }
    /* Inbound is 1, outbound 2. */
    add_little(&b, OPTION_FLAGS | 4u << 16, 4);
    add_little(&b, d == WIRE_FROM_RUNTIME ? 1 : 2, 4);
    add_little(&b, OPTION_END, 4);
    add_block(out, ENHANCED_PACKET, &b);
    talk->sent[d] += (uint32_t)data.size + ((flags & (SYN | FIN)) != 0);
}

static void begin(struct buf *out)
{
    static const unsigned char nanoseconds[] = {9};
    struct buf b = {0};

    clock_offset = wall_ms() * NS_PER_MS - now_ns();
    add_little(&b, 0x1a2b3c4d, 4);
    add_little(&b, 1, 4); /* version 1.0 */
    add_little(&b, UINT32_MAX, 4);
    add_little(&b, UINT32_MAX, 4); /* the section's length is not said */
    add_option(&b, OPTION_PROGRAM, slice_of("lambda " LAMBDA_VERSION));
    add_little(&b, OPTION_END, 4);
    add_block(out, SECTION_HEADER, &b);
    add_little(&b, LINKTYPE_RAW, 4);
    add_little(&b, 0, 4); /* packets are whole */
    add_option(&b, OPTION_NAME, slice_of("Runtime API"));
    add_option(&b, OPTION_TIME_UNIT, (struct slice){nanoseconds, 1});
    add_little(&b, OPTION_END, 4);
    add_block(out, INTERFACE_DESCRIPTION, &b);
}

static void opened(struct buf *out, struct wire_tap *tap)
{
    struct talk *talk = allocate(sizeof *talk);

    talk->port = FIRST_PORT + connections++ % PORTS;
    tap->own = talk;
    add_packet(out, tap, WIRE_FROM_RUNTIME, SYN, slice_of(""));
    add_packet(out, tap, WIRE_TO_RUNTIME, SYN | ACK, slice_of(""));
    add_packet(out, tap, WIRE_FROM_RUNTIME, ACK, slice_of(""));
}

static void bytes(struct buf *out, struct wire_tap *tap, enum wire_direction d,
                  struct slice s)
{
    while (s.size > 0) {
        struct slice segment = s;

        if (segment.size > SEGMENT_BYTES_MAX) {
            segment.size = SEGMENT_BYTES_MAX;
        }
        add_packet(out, tap, d, PSH | ACK, segment);
        s.data += segment.size;
        s.size -= segment.size;
    }
}

static void closed(struct buf *out, struct wire_tap *tap)
{
    add_packet(out, tap, WIRE_FROM_RUNTIME, FIN | ACK, slice_of(""));
    add_packet(out, tap, WIRE_TO_RUNTIME, FIN | ACK, slice_of(""));
    add_packet(out, tap, WIRE_FROM_RUNTIME, ACK, slice_of(""));
    free(tap->own);
}

/* What no packet follows for long is forgotten. */
static void begin_comment(unsigned sandbox)
{
    if (buf_size(&comment) > COMMENT_BYTES_MAX) {
        buf_clear(&comment);
    }
    buf_format(&comment, "%ssandbox %u: ", buf_size(&comment) > 0 ? "; " : "",
               sandbox);
}

static void process(struct buf *out, unsigned sandbox, long pid, unsigned port)
{
    (void)out;
    begin_comment(sandbox);
    buf_format(&comment, "process %ld starts, Runtime API on port %u", pid,
               port);
}

static void invocation(struct buf *out, unsigned sandbox, const char *id)
{
    (void)out;
    begin_comment(sandbox);
    buf_format(&comment, "invocation %s starts", id);
}

static void end(struct buf *out)
{
    (void)out;
    buf_free(&comment);
}

const struct wire_form wire_pcapng = {.begin = begin,
                                      .open = opened,
                                      .bytes = bytes,
                                      .close = closed,
                                      .process = process,
                                      .invocation = invocation,
                                      .end = end};
