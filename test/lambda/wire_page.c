/* The page of a transcript, as HTML: no script, nothing from elsewhere, and of
 * what peers sent nothing that is not escaped. */
#define _POSIX_C_SOURCE 200809L
#include "wire_page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Marks of a time line's axis, at most. */
#define MARKS_MAX 5
/* A time line has to have some length. */
#define LEAST_SPAN_NS (NS_PER_MS / 10)

static const char head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\""
    " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>The Runtime API, byte by byte</title>\n"
    "<style>\n"
    ":root{color-scheme:light dark;--page:#fff;--text:#1e2328;--dim:#626d78;"
    "--rule:#e2e6ea;--run:#0a6c50;--run-row:#f2f9f6;--lam:#2451a6;"
    "--lam-row:#f3f6fd}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#15181b;--text:#dfe3e7;"
    "--dim:#95a0ab;--rule:#2c3238;--run:#63cfa6;--run-row:#182420;"
    "--lam:#8fb4ff;--lam-row:#1a2130}}\n"
    "*{box-sizing:border-box}\n"
    "body{max-width:78rem;margin:0 auto;padding:2rem 1.25rem 5rem;"
    "background:var(--page);color:var(--text);"
    "font:15px/1.5 system-ui,sans-serif;-webkit-text-size-adjust:100%}\n"
    "code,pre,time,.axis{font-family:ui-monospace,Menlo,Consolas,"
    "\"DejaVu Sans Mono\",monospace;font-size:13px}\n"
    "h1{margin:0;font-size:1.5rem}\n"
    "h2{margin:0;font-size:1.2rem;overflow-wrap:anywhere}\n"
    "h2 code{font-size:inherit;font-weight:normal}\n"
    "h3{margin:0 0 .4rem;font-size:1rem;overflow-wrap:anywhere}\n"
    "h3 code{font-size:14px}\n"
    "small code{font-size:inherit}\n"
    "h3 small,p{margin:.2rem 0;font-size:.875rem;font-weight:normal;"
    "color:var(--dim)}\n"
    "a{color:inherit;text-decoration-color:var(--rule);"
    "text-underline-offset:.2em}\n"
    "a:hover{text-decoration-color:currentcolor}\n"
    "i{font-style:normal;opacity:.5}\n"
    ".run{--who:var(--run);--row:var(--run-row)}\n"
    ".lam{--who:var(--lam);--row:var(--lam-row)}\n"
    "b{font-weight:600;color:var(--who)}\n"
    "section{margin-top:2.5rem;padding-top:1.5rem;"
    "border-top:1px solid var(--rule)}\n"
    "article{margin-top:1.75rem}\n"
    ".axis,.lane{display:grid;grid-template-columns:11rem minmax(0,1fr);"
    "column-gap:.75rem;align-items:center}\n"
    ".axis{margin-top:1rem;height:1.5rem;color:var(--dim)}\n"
    ".axis div,.lane div{position:relative;grid-column:2;height:100%}\n"
    ".axis span{position:absolute;padding-left:.3rem;white-space:nowrap;"
    "border-left:1px solid var(--rule)}\n"
    ".lane a{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;"
    "font-size:.875rem;text-decoration:none}\n"
    ".lane div{height:1.75rem;border-bottom:1px solid var(--rule)}\n"
    ".lane u{position:absolute;top:50%;height:1px;background:var(--dim);"
    "opacity:.5}\n"
    ".lane s{position:absolute;width:3px;margin-left:-1px;height:38%;"
    "border-radius:1px;background:var(--who)}\n"
    ".lane .run{top:10%}\n"
    ".lane .lam{bottom:10%}\n"
    ".rows{border-bottom:1px solid var(--rule)}\n"
    "summary,.out{display:grid;gap:0 .9rem;padding:.1rem .75rem;"
    "align-items:baseline;"
    "grid-template-columns:5rem 5rem minmax(0,1fr) 19rem;"
    "grid-template-areas:'time who bytes what'}\n"
    "summary{list-style:none;cursor:pointer;border-left:3px solid var(--who);"
    "background:var(--row)}\n"
    "summary::-webkit-details-marker{display:none}\n"
    "summary:hover,summary:focus-visible,[open]>summary{"
    "outline:1px solid var(--who);outline-offset:-1px}\n"
    ".turn{border-top:1px solid var(--rule)}\n"
    "time{grid-area:time;text-align:right;color:var(--dim)}\n"
    "summary b{grid-area:who;font-size:.875rem}\n"
    "summary code{grid-area:bytes;overflow-wrap:anywhere;"
    "white-space:pre-wrap}\n"
    "summary a{white-space:nowrap}\n"
    "summary span,.out span{grid-area:what;font-size:.875rem;"
    "color:var(--dim)}\n"
    ".out span{grid-column:bytes/what}\n"
    "pre{margin:0;padding:.6rem .75rem .8rem 12.55rem;overflow-x:auto;"
    "border-left:3px solid var(--who);color:var(--dim)}\n"
    "@media(max-width:52rem){\n"
    "body{padding:1.25rem .75rem 3rem}\n"
    ".axis,.lane{grid-template-columns:minmax(0,1fr)}\n"
    ".axis div,.lane div{grid-column:1}\n"
    ".lane a{margin-top:.3rem}\n"
    "summary,.out{padding:.25rem .5rem;column-gap:.6rem;"
    "grid-template-columns:auto auto minmax(0,1fr);"
    "grid-template-areas:'time who what' 'bytes bytes bytes'}\n"
    "summary span{text-align:right}\n"
    "pre{padding:.5rem;font-size:11px}\n"
    "}\n"
    "</style>\n"
    "<header>\n"
    "<h1>The Runtime API, byte by byte</h1>\n"
    "<p><b class=\"run\">bootstrap</b> is what the runtime sends, "
    "<b class=\"lam\">Lambda</b> what it is sent. Times are milliseconds since "
    "the invocation started. A line opens to its bytes in hexadecimal.</p>\n"
    "</header>\n";

static const char *const class_of[] = {"run", "lam"};
static const char *const name_of[] = {"bootstrap", "Lambda"};

void page_begin(struct buf *out)
{
    buf_text(out, head);
}

static void add_escaped(struct buf *out, unsigned char c)
{
    if (strchr("&<>\"'", c) != NULL) {
        buf_format(out, "&#%u;", (unsigned)c);
    } else {
        buf_byte(out, c);
    }
}

/* What ends with a line feed ends a line, unless it is all there is. */
static void add_bytes(struct buf *out, struct slice s)
{
    while (s.size > 0) {
        struct wire_shown shown = wire_show(s);
        bool line_end = s.data[0] == '\n';

        if (shown.escape[0] != '\0') {
            buf_format(out, "<i>%s</i>", shown.escape);
        } else if (shown.bytes > 1) {
            buf_add(out, s.data, shown.bytes);
        } else {
            add_escaped(out, s.data[0]);
        }
        s.data += shown.bytes;
        s.size -= shown.bytes;
        if (line_end && s.size > 0) {
            buf_text(out, "<br>");
        }
    }
}

static void add_text(struct buf *out, const char *text)
{
    add_bytes(out, slice_of(text));
}

/* Each "RFC 9112 §7.1" in it becomes a link to that section. */
static void add_annotation(struct buf *out, const char *text)
{
    const char *rfc;

    while ((rfc = strstr(text, "RFC ")) != NULL) {
        unsigned number;
        char section[16];
        int size = 0;

        if (sscanf(rfc, "RFC %u §%15[0-9.]%n", &number, section, &size) != 2) {
            break;
        }
        buf_format(out,
                   "%.*s<a href=\"https://www.rfc-editor.org/rfc/rfc%u#section-"
                   "%s\">%.*s</a>",
                   (int)(rfc - text), text, number, section, size, rfc);
        text = rfc + size;
    }
    buf_text(out, text);
}

static void add_hex(struct buf *out, struct slice s)
{
    for (size_t at = 0; at < s.size; at += 16) {
        buf_format(out, "%04zx  ", at);
        for (size_t i = at; i < at + 16; i++) {
            if (i < s.size) {
                buf_format(out, "%02x ", (unsigned)s.data[i]);
            } else {
                buf_text(out, "   ");
            }
        }
        buf_byte(out, ' ');
        for (size_t i = at; i < at + 16 && i < s.size; i++) {
            bool visible = s.data[i] >= 0x20 && s.data[i] < 0x7f;

            add_escaped(out, visible ? s.data[i] : '.');
        }
        buf_byte(out, '\n');
    }
}

/* What times are relative to. */
static int64_t origin(const struct section *s)
{
    return s->started != 0           ? s->started
           : s->process_started != 0 ? s->process_started
                                     : s->began;
}

static int64_t since_origin(const struct section *s, int64_t time)
{
    return time - origin(s);
}

/* Milliseconds, with two decimals where they say something, and no minus
 * before a zero. */
static void add_ms(struct buf *out, int64_t ns)
{
    int64_t hundredths = ns / (NS_PER_MS / 100);
    bool is_long = hundredths >= 10000000 || hundredths <= -10000000;

    buf_format(out, "%.*f", is_long ? 0 : 2, (double)hundredths / 100);
}

static void add_row(struct buf *out, const struct exchange *e, size_t i)
{
    const struct row *r = &e->rows[i];
    struct slice bytes = {buf_slice(&e->text).data + r->bytes_at,
                          r->bytes_kept};
    const char *annotation = (const char *)e->text.data + r->annotation_at;
    bool turn = i == 0 || e->rows[i - 1].direction != r->direction;

    buf_format(out, "<details class=\"%s\"><summary%s><time>",
               class_of[r->direction], turn && i > 0 ? " class=\"turn\"" : "");
    add_ms(out, since_origin(e->section, r->time));
    buf_format(out, "</time><b>%s</b><code>",
               turn ? name_of[r->direction] : "");
    add_bytes(out, bytes);
    if (r->bytes_kept < r->bytes) {
        buf_format(out, " <i>... %zu more bytes</i>", r->bytes - r->bytes_kept);
    }
    buf_text(out, "</code><span>");
    add_annotation(out, annotation);
    buf_text(out, "</span></summary><pre>");
    add_hex(out, bytes);
    buf_text(out, "</pre></details>\n");
}

static void add_heading(struct buf *out, const struct exchange *e)
{
    buf_text(out, "<h3 class=\"run\"><code>");
    add_text(out, e->request == NULL ? "no request line" : e->request);
    buf_text(out, "</code><br><small>");
    if (e->status != NULL) {
        buf_text(out, "answered <code>");
        add_text(out, e->status);
        buf_text(out, "</code>");
    } else {
        buf_text(out, "not answered");
    }
    buf_format(out,
               ", connection %u, %llu bytes from <b>bootstrap</b>, %llu from "
               "<b class=\"lam\">Lambda</b></small></h3>\n",
               e->connection, (unsigned long long)e->bytes[WIRE_FROM_RUNTIME],
               (unsigned long long)e->bytes[WIRE_TO_RUNTIME]);
}

static void add_left_out(struct buf *out, const struct exchange *e)
{
    buf_format(out,
               "<div class=\"out\"><span>%zu more lines of the body, %llu "
               "bytes, are left out here; --wire=FILE.pcapng has all."
               "</span></div>\n",
               e->left_out, (unsigned long long)e->left_out_bytes);
}

static void add_exchange(struct buf *out, const struct exchange *e,
                         const char *anchor)
{
    buf_format(out, "<article id=\"%s\">\n", anchor);
    add_heading(out, e);
    buf_text(out, "<div class=\"rows\">\n");
    for (size_t i = 0; i <= e->count; i++) {
        if (e->left_out > 0 && i == e->left_out_at) {
            add_left_out(out, e);
        }
        if (i < e->count) {
            add_row(out, e, i);
        }
    }
    buf_text(out, "</div>\n</article>\n");
}

/* From the start of the process where the section has it, else of the
 * invocation; what came before, of a runtime that waited, is at the edge. */
struct span {
    int64_t from, to;
};

static struct span span_of(const struct section *s)
{
    struct span span = {0, 0};

    if (s->process_started != 0) {
        span.from = since_origin(s, s->process_started);
    }
    if (s->started != 0 && s->ended != 0) {
        span.to = since_origin(s, s->ended);
    }
    for (const struct exchange *e = s->exchanges; e != NULL; e = e->next) {
        if (e->count > 0 &&
            since_origin(s, e->rows[e->count - 1].time) > span.to) {
            span.to = since_origin(s, e->rows[e->count - 1].time);
        }
    }
    if (span.to - span.from < LEAST_SPAN_NS) {
        span.to = span.from + LEAST_SPAN_NS;
    }
    return span;
}

static double percent(struct span span, int64_t at)
{
    return at <= span.from
               ? 0
               : (double)(at - span.from) * 100 / (double)(span.to - span.from);
}

/* Marks at 1, 2 or 5 times a power of ten. */
static void add_axis(struct buf *out, struct span span)
{
    int64_t step = LEAST_SPAN_NS, mark = 0;

    for (unsigned i = 0; (span.to - span.from) / step > MARKS_MAX; i++) {
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    }
    while (mark - step >= span.from) {
        mark -= step;
    }
    buf_text(out, "<div class=\"axis\" aria-hidden=\"true\"><div>");
    /* None so near to the end that its text would stand out. */
    for (; mark < span.to - step / 3; mark += step) {
        buf_format(out, "<span style=\"left:%.2f%%\">%.*f ms</span>",
                   percent(span, mark), step < NS_PER_MS ? 1 : 0,
                   (double)mark / NS_PER_MS);
    }
    buf_text(out, "</div></div>\n");
}

static void add_ticks(struct buf *out, const struct exchange *e,
                      struct span span)
{
    double last[2] = {-1, -1};

    for (size_t i = 0; i < e->count; i++) {
        const struct row *r = &e->rows[i];
        double at = percent(span, since_origin(e->section, r->time));

        /* Nobody sees two on one spot. */
        if (last[r->direction] < 0 || at - last[r->direction] > 0.1) {
            buf_format(out, "<s class=\"%s\" style=\"left:%.2f%%\"></s>",
                       class_of[r->direction], at);
            last[r->direction] = at;
        }
    }
}

/* "POST response": the method, and the path's last segment. */
static void add_name(struct buf *out, const char *request)
{
    const char *target = request + strcspn(request, " ");
    struct slice method = {(const unsigned char *)request,
                           (size_t)(target - request)};
    const char *end, *name;

    target += *target == ' ' ? 1 : 0;
    end = name = target + strcspn(target, " ?");
    while (name > target && name[-1] != '/') {
        name--;
    }
    add_bytes(out, method);
    buf_byte(out, ' ');
    add_bytes(
        out, (struct slice){(const unsigned char *)name, (size_t)(end - name)});
}

static void add_lane(struct buf *out, const struct exchange *e,
                     struct span span, const char *anchor)
{
    double from = percent(span, since_origin(e->section, e->rows[0].time));
    double to = percent(span,
                        since_origin(e->section, e->rows[e->count - 1].time));

    buf_format(out, "<div class=\"lane\"><a href=\"#%s\">", anchor);
    add_name(out, e->request == NULL ? "?" : e->request);
    buf_format(out, "</a><div><u style=\"left:%.2f%%;width:%.2f%%\"></u>", from,
               to - from);
    add_ticks(out, e, span);
    buf_text(out, "</div></div>\n");
}

static void add_title(struct buf *out, const struct buf *ids)
{
    struct slice rest = buf_slice(ids), id = slice_cut(&rest, '\0');

    if (id.size == 0) {
        buf_text(out, "<h2>No invocation</h2>\n");
        return;
    }
    buf_text(out, rest.size == 0 ? "<h2>Invocation" : "<h2>Invocations");
    for (; id.size > 0; id = slice_cut(&rest, '\0')) {
        buf_text(out, " <code>");
        buf_add_slice(out, id);
        buf_text(out, "</code>");
    }
    buf_text(out, "</h2>\n");
}

static void add_facts(struct buf *out, const struct section *s)
{
    time_t seconds = (time_t)(s->wall_ms / 1000);
    struct tm t = {0};

    add_title(out, &s->ids);
    (void)gmtime_r(&seconds, &t);
    buf_format(out, "<p>%04d-%02d-%02d %02d:%02d:%02d.%03d UTC",
               t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
               t.tm_sec, (int)(s->wall_ms % 1000));
    if (s->started != 0 && s->ended != 0) {
        buf_text(out, ", took ");
        add_ms(out, since_origin(s, s->ended));
        buf_text(out, " ms");
    }
    buf_format(out, ", sandbox %u, process %ld, Runtime API on port %u",
               s->sandbox, s->pid, s->port);
    if (s->process_started != 0 && s->started != 0) {
        buf_text(out, ", initialised in ");
        add_ms(out, -since_origin(s, s->process_started));
        buf_text(out, " ms");
    }
    buf_text(out, "</p>\n");
}

void page_section(struct buf *out, const struct section *s)
{
    static unsigned number;
    struct span span = span_of(s);
    char anchor[48];
    unsigned n = 0;

    number++;
    buf_text(out, "<section>\n");
    add_facts(out, s);
    add_axis(out, span);
    for (const struct exchange *e = s->exchanges; e != NULL; e = e->next) {
        (void)snprintf(anchor, sizeof anchor, "s%u-%u", number, n++);
        if (e->count > 0) {
            add_lane(out, e, span, anchor);
        }
    }
    n = 0;
    for (const struct exchange *e = s->exchanges; e != NULL; e = e->next) {
        (void)snprintf(anchor, sizeof anchor, "s%u-%u", number, n++);
        add_exchange(out, e, anchor);
    }
    if (s->left_out > 0) {
        buf_format(out, "<p>%zu more exchanges are left out here.</p>\n",
                   s->left_out);
    }
    buf_text(out, "</section>\n");
}
