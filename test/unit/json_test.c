/*
 * json_test.c - the tests of json.c, through json.h alone
 *
 * Every text ends at an unreadable page, and is read again as each of its
 * prefixes. What a text is, is also asked of json_reference.c.
 */
#define _DEFAULT_SOURCE
#include "json.h"

#include "json_reference.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define BIG 8000000

/* Texts are put where they end at the wall. */
static char *wall;

static char *at_wall(const char *text, size_t length)
{
    return length ? memcpy(wall - length, text, length) : wall;
}

/* Reading whole texts */

static struct json_reference read_all(const char *text, size_t length)
{
    struct json_reference result = {.verdict = REFERENCE_ACCEPT};
    struct json_reader r;
    struct json_token token;
    char *p = at_wall(text, length);
    int rc;

    json_start(&r, p, length);
    while ((rc = json_next(&r, &token)) > 0) {
        size_t begin = (size_t)(token.text - p);

        CHECK_INT(token.type, rc);
        result.tokens = json_reference_token(result.tokens, (enum json_kind)rc,
                                             begin, begin + token.length);
    }
    if (rc < 0)
        result.verdict = rc == JSON_DEPTH ? REFERENCE_DEEP : REFERENCE_REJECT;
    if (rc < 0)
        CHECK(rc == JSON_DEPTH || rc == JSON_INVALID);
    result.at = (size_t)(r.at - p);
    CHECK_INT(memcmp(p, text, length), 0);
    return result;
}

/* Whether json.c and the reference agree on a text. */
static int agree(const char *text, size_t length)
{
    struct json_reference got = read_all(text, length);
    struct json_reference want = json_reference(text, length, JSON_DEPTH_MAX);
    int good = CHECK_INT(got.verdict, want.verdict);

    good &= CHECK_INT(got.at, want.at) && CHECK(got.tokens == want.tokens);
    if (!good && unit.failures < 5) {
        printf("  text of %zu bytes: ", length);
        unit_show(text, length, 0);
        printf("\n");
    }
    return good;
}

static void agree_on_prefixes(const char *text, size_t length)
{
    for (size_t n = 0; n <= length; n++)
        if (!agree(text, n))
            break;
}

/* Turns %HH into bytes, in place; gives the length. */
static size_t unescape(char *line)
{
    char *out = line;

    for (const char *p = line; *p; out++) {
        char code[3] = {p[0], p[0] ? p[1] : '\0', '\0'};

        if (*p != '%') {
            *out = *p++;
            continue;
        }
        memcpy(code, p + 1, 2);
        *out = (char)strtoul(code, NULL, 16);
        p += 3;
    }
    return (size_t)(out - line);
}

static void one_case(char *line)
{
    int accept = strncmp(line, "accept ", 7) == 0;
    size_t at = 0, length;
    struct json_reference got;
    char *text = line + 7;

    unit_case("json-cases: %s", line);
    if (!accept) {
        CHECK(strncmp(line, "reject ", 7) == 0);
        at = strtoul(text, &text, 10);
        text += *text == ' ';
    }
    length = unescape(text);
    got = read_all(text, length);
    CHECK_INT(got.verdict, accept ? REFERENCE_ACCEPT : REFERENCE_REJECT);
    CHECK_INT(got.at, accept ? length : at);
    agree_on_prefixes(text, length);
}

static void test_cases(void)
{
    FILE *file = fopen("test/unit/json-cases.txt", "r");
    char line[400];
    int count = 0;

    unit_case("json-cases.txt is there");
    if (!CHECK(file != NULL))
        /* cppcheck-suppress resourceLeak ; it is NULL */
        return;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        one_case(line);
        count++;
    }
    fclose(file);
    unit_case("json-cases.txt is whole");
    CHECK(count > 250);
}

/* Each byte of a text becomes every other one. */
static void test_every_byte(void)
{
    static const char *const texts[] = {
        "[1,{\"a\":2,\"b\":[]},\"\\u00e9\\n\"]",
        " { \"a\" : -1.5e+3 , \"b\" : [ 0 , true ] } ",
        "[null,false,\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",10E-2]"};
    char text[100];

    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t length = strlen(texts[i]);

        unit_case("every byte in %s", texts[i]);
        for (size_t k = 0; k < 256 * length; k++) {
            memcpy(text, texts[i], length);
            text[k / 256] = (char)k;
            agree(text, length);
        }
    }
}

/* JSONTestSuite (nst/JSONTestSuite), which is not ours to keep. */
static void test_suite(void)
{
    static const char name[] = "../shared/suites/json-parsing";
    static char text[1 << 20];
    DIR *folder = opendir(name);
    struct dirent *entry;
    char path[512];
    size_t length;
    FILE *file;
    int verdict;

    if (!folder) {
        unit_skip("JSONTestSuite", "no ../shared/suites/json-parsing here");
        return;
    }
    while ((entry = readdir(folder))) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        unit_case("JSONTestSuite %s", entry->d_name);
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        file = fopen(path, "rb");
        if (!CHECK(file != NULL))
            continue;
        length = fread(text, 1, sizeof text, file);
        fclose(file);
        CHECK(length < sizeof text);
        verdict = (int)read_all(text, length).verdict;
        if (entry->d_name[0] == 'y')
            CHECK_INT(verdict, REFERENCE_ACCEPT);
        if (entry->d_name[0] == 'n')
            CHECK(verdict != REFERENCE_ACCEPT);
        agree(text, length);
        agree_on_prefixes(text, length < 1000 ? length : 1000);
    }
    closedir(folder);
}

/* Tokens */

static const char *type_name(int type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "{",    [JSON_OBJECT_END] = "}", [JSON_ARRAY] = "[",
        [JSON_ARRAY_END] = "]", [JSON_NAME] = "name",    [JSON_STRING] = "text",
        [JSON_NUMBER] = "num",  [JSON_TRUE] = "true",    [JSON_FALSE] = "false",
        [JSON_NULL] = "null"};

    return names[type];
}

static void test_tokens(void)
{
    static const struct {
        const char *text, *tokens;
    } cases[] = {
        {" null ", "null(null)"},
        {"{}", "{({) }(})"},
        {"[true,false]", "[([) true(true) false(false) ](])"},
        {" { \"a\" : -1.5e+3 } ", "{({) name(a) num(-1.5e+3) }(})"},
        {"{\"a\\n\":\"b\\\"\",\"\":\"\"}",
         "{({) name(a\\n) text(b\\\") name() text() }(})"},
        {"[0,[],{},\"]\"]", "[([) num(0) [([) ](]) {({) }(}) text(]) ](])"},
        {"{\"a\":{\"b\":[{}]},\"c\":0}",
         "{({) name(a) {({) name(b) [([) {({) }(}) ](]) }(}) name(c) num(0) "
         "}(})"},
    };
    struct json_reader r;
    struct json_token t;
    char got[400];
    int rc;

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = strlen(cases[i].text), n = 0;

        unit_case("tokens of %s", cases[i].text);
        json_start(&r, at_wall(cases[i].text, length), length);
        got[0] = '\0';
        while ((rc = json_next(&r, &t)) > 0)
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%s(%.*s)",
                                  n ? " " : "", type_name(rc), (int)t.length,
                                  t.text);
        CHECK_TEXT(got, cases[i].tokens);
        CHECK_INT(rc, 0);
        CHECK_INT(json_next(&r, &t), 0);
    }
}

/* Nesting */

static const char *const opens[] = {"[", "{\"\":", "[{\"\":", "{\"\":["};
static const char *const closes[] = {"]", "}", "}]", "]}"};

/* A text of so many levels, of one of the kinds above. Gives its length, and in
 * `at` where the first level is that is one too many. */
static size_t nest(char *text, size_t kind, int depth, size_t *at)
{
    int step = kind < 2 ? 1 : 2;
    size_t n = 0;

    *at = 0;
    for (int i = 0; i < depth; i += step, n += strlen(opens[kind])) {
        strcpy(text + n, opens[kind]);
        if (i == JSON_DEPTH_MAX)
            *at = n;
    }
    text[n++] = '0';
    for (int i = 0; i < depth; i += step, n += strlen(closes[kind]))
        strcpy(text + n, closes[kind]);
    return n;
}

/* Each `step`th prefix, and each `step`th byte another bracket. */
static void agree_on_changes(char *text, size_t length, size_t step)
{
    for (size_t i = 0; i < length; i += step) {
        char was = text[i];

        agree(text, i);
        text[i] = was == '[' ? '{' : was == ']' ? '}' : ']';
        agree(text, length);
        text[i] = was;
    }
    agree(text, length);
}

static void test_depth(void)
{
    static char text[6 * (JSON_DEPTH_MAX + 2)];
    size_t n, at;

    for (size_t kind = 0; kind < COUNT(opens); kind++) {
        for (int depth = 2; depth <= 20; depth += 2) {
            unit_case("depth %d of %s", depth, opens[kind]);
            n = nest(text, kind, depth, &at);
            CHECK_INT(read_all(text, n).verdict, REFERENCE_ACCEPT);
            agree_on_changes(text, n, 1);
        }
        for (int more = -2; more <= 2; more += kind < 2 ? 1 : 2) {
            unit_case("depth %d of %s", JSON_DEPTH_MAX + more, opens[kind]);
            n = nest(text, kind, JSON_DEPTH_MAX + more, &at);
            CHECK_INT(read_all(text, n).verdict,
                      more > 0 ? REFERENCE_DEEP : REFERENCE_ACCEPT);
            CHECK_INT(read_all(text, n).at, more > 0 ? at : n);
            agree_on_changes(text, n, 61);
        }
    }
}

static size_t repeat(char *to, const char *what, size_t times)
{
    size_t n = strlen(what);

    for (size_t i = 0; i < times; i++)
        memcpy(to + i * n, what, n);
    return times * n;
}

/* Each of these is done at once, or not within the time of a test. */
static void test_linear(void)
{
    static char text[BIG];
    struct json_reader r;
    struct json_token name, value;
    size_t n;

    unit_case("3 million brackets that open");
    n = repeat(text, "[", 3000000);
    CHECK_INT(read_all(text, n).verdict, REFERENCE_DEEP);
    CHECK_INT(read_all(text, n).at, JSON_DEPTH_MAX);
    unit_case("3 million brackets that open in a member passed over");
    n = repeat(text, "{\"a\":", 1);
    n += repeat(text + n, "[", 3000000);
    CHECK_INT(json_object(&r, at_wall(text, n), n), 0);
    CHECK_INT(json_member(&r, &name, &value), JSON_DEPTH);
    CHECK_INT(r.end - r.at, (long)n - (5 + JSON_DEPTH_MAX - 1));
    unit_case("3 million brackets that open in a text that is no object");
    n = repeat(text, "[", 3000000);
    CHECK_INT(json_object(&r, at_wall(text, n), n), JSON_DEPTH);
    unit_case("3 million brackets that open and close");
    n = repeat(text, "[0", 1);
    n += repeat(text + n, ",[]", 1500000);
    n += repeat(text + n, "]", 1);
    CHECK_INT(read_all(text, n).verdict, REFERENCE_ACCEPT);
    unit_case("3 million brackets in a member passed over");
    n = repeat(text, "{\"a\":[0", 1);
    n += repeat(text + n, ",{}", 1500000);
    n += repeat(text + n, "]}", 1);
    CHECK_INT(json_object(&r, at_wall(text, n), n), 0);
    CHECK_INT(json_member(&r, &name, &value), 1);
    CHECK_INT(value.length, n - 6);
    CHECK_INT(json_member(&r, &name, &value), 0);
    unit_case("a string of 3 million escapes");
    n = repeat(text, "\"", 1);
    n += repeat(text + n, "\\n", 3000000);
    n += repeat(text + n, "\"", 1);
    json_start(&r, at_wall(text, n), n);
    CHECK_INT(json_next(&r, &value), JSON_STRING);
    CHECK_INT(json_decode(&value, value.text), 3000000);
    unit_case("7 million spaces");
    memset(text, ' ', 7000000);
    CHECK_INT(read_all(text, 7000000).verdict, REFERENCE_REJECT);
    CHECK_INT(read_all(text, 7000000).at, 7000000);
}

/* Members */

/* What json_object() and json_member() make of a text, as a line. */
static const char *members(const char *text)
{
    static char got[400];
    size_t length = strlen(text);
    struct json_reader r;
    struct json_token name, value;
    char *p = at_wall(text, length);
    int rc = json_object(&r, p, length);
    int n = snprintf(got, sizeof got, "%d", rc);

    while (rc == 0 && (rc = json_member(&r, &name, &value)) > 0) {
        CHECK_INT(rc, 1);
        n += snprintf(got + n, sizeof got - (size_t)n, " %.*s=%s(%.*s)",
                      (int)name.length, name.text, type_name(value.type),
                      (int)value.length, value.text);
        rc = 0;
    }
    snprintf(got + n, sizeof got - (size_t)n, " %d at %zu", rc,
             (size_t)(r.at - p));
    return got;
}

static void test_other_kind(void)
{
    char array[] = "[1,2]", object[] = "{\"a\":1}", none[] = "{}";
    struct json_reader r;
    struct json_token name, value;

    unit_case("a member of an array, an element of an object");
    CHECK_INT(json_array(&r, array, sizeof array - 1), 0);
    CHECK_INT(json_member(&r, &name, &value), JSON_TYPE);
    CHECK_INT(json_array(&r, array, 1), 0);
    CHECK_INT(json_member(&r, &name, &value), JSON_INVALID);
    CHECK_INT(json_object(&r, object, sizeof object - 1), 0);
    CHECK_INT(json_element(&r, &value), JSON_TYPE);
    CHECK_INT(json_object(&r, none, sizeof none - 1), 0);
    CHECK_INT(json_element(&r, &value), JSON_TYPE);
}

static void test_members(void)
{
    static const struct {
        const char *text, *members;
    } cases[] = {
        {"{}", "0 0 at 2"},
        {" { } ", "0 0 at 5"},
        {"{\"a\":1}", "0 a=num(1) 0 at 7"},
        {"{ \"a\" : 1 , \"b\" : \"x\\n\" } ",
         "0 a=num(1) b=text(x\\n) 0 at 26"},
        {"{\"a\":true,\"b\":false,\"c\":null}",
         "0 a=true(true) b=false(false) c=null(null) 0 at 29"},
        {"{\"a\":{\"b\":[1, {}]} ,\"c\":[ ]}",
         "0 a={({\"b\":[1, {}]}) c=[([ ]) 0 at 28"},
        {"{\"a\":{},\"b\":[],\"c\":0}", "0 a={({}) b=[([]) c=num(0) 0 at 21"},
        {"{\"a\\u0062\":\"\"}", "0 a\\u0062=text() 0 at 14"},
        {"{\"a\":1}x", "0 a=num(1) -1 at 7"},
        {"{}x", "0 -1 at 2"},
        {"{\"a\":1", "0 a=num(1) -1 at 6"},
        {"{\"a\":1,}", "0 a=num(1) -1 at 7"},
        {"{\"a\":1 \"b\":2}", "0 a=num(1) -1 at 7"},
        {"{\"a\":[1,]}", "0 -1 at 8"},
        {"{\"a\":{\"b\"}}", "0 -1 at 9"},
        {"{\"a\":[", "0 -1 at 6"},
        {"{\"a\":", "0 -1 at 5"},
        {"{\"a\":]", "0 -1 at 5"},
        {"{\"a\"", "0 -1 at 4"},
        {"{1", "0 -1 at 1"},
        {"{", "0 -1 at 1"},
        {"", "-1 -1 at 0"},
        {"[]", "-3 -3 at 2"},
        {"[{}]", "-3 -3 at 4"},
        {"\"{}\" ", "-3 -3 at 5"},
        {"null", "-3 -3 at 4"},
        {"[1", "-1 -1 at 2"},
        {"[] x", "-1 -1 at 3"},
        {"nul", "-1 -1 at 3"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("members of %s", cases[i].text);
        CHECK_TEXT(members(cases[i].text), cases[i].members);
    }
    unit_case("an object passed over has a reader of its own");
    {
        char text[] = "{\"a\":{\"b\":7},\"c\":[8]}";
        struct json_reader r, inner;
        struct json_token name, value;

        CHECK_INT(json_object(&r, text, sizeof text - 1), 0);
        CHECK_INT(json_member(&r, &name, &value), 1);
        CHECK_INT(json_object(&inner, value.text, value.length), 0);
        CHECK_INT(json_member(&inner, &name, &value), 1);
        CHECK_BYTES(value.text, value.length, "7", 1);
        CHECK_INT(json_member(&inner, &name, &value), 0);
        CHECK_INT(json_member(&r, &name, &value), 1);
        CHECK_INT(value.type, JSON_ARRAY);
        json_start(&inner, value.text, value.length);
        CHECK_INT(json_next(&inner, &value), JSON_ARRAY);
        CHECK_INT(json_next(&inner, &value), JSON_NUMBER);
        CHECK_INT(json_next(&inner, &value), JSON_ARRAY_END);
        CHECK_INT(json_next(&inner, &value), 0);
    }
}

/* What json_array() and json_element() make of a text, as a line. */
static const char *elements(const char *text)
{
    static char got[400];
    size_t length = strlen(text);
    struct json_reader r;
    struct json_token value;
    char *p = at_wall(text, length);
    int rc = json_array(&r, p, length);
    int n = snprintf(got, sizeof got, "%d", rc);

    while (rc == 0 && (rc = json_element(&r, &value)) > 0) {
        CHECK_INT(rc, 1);
        n += snprintf(got + n, sizeof got - (size_t)n, " %s(%.*s)",
                      type_name(value.type), (int)value.length, value.text);
        rc = 0;
    }
    snprintf(got + n, sizeof got - (size_t)n, " %d at %zu", rc,
             (size_t)(r.at - p));
    if (rc == 0)
        CHECK_INT(json_element(&r, &value), 0); /* again */
    return got;
}

static void test_elements(void)
{
    static const struct {
        const char *text, *elements;
    } cases[] = {
        {"[]", "0 0 at 2"},
        {" [ ] ", "0 0 at 5"},
        {"[1]", "0 num(1) 0 at 3"},
        {"[ 1 , \"x\\n\" , true,false , null ]\n",
         "0 num(1) text(x\\n) true(true) false(false) null(null) 0 at 34"},
        {"[[1,[2]],{\"a\":[3]},[ ],{}]",
         "0 [([1,[2]]) {({\"a\":[3]}) [([ ]) {({}) 0 at 26"},
        {"[1]x", "0 num(1) -1 at 3"},
        {"[]]", "0 -1 at 2"},
        {"[1,]", "0 num(1) -1 at 3"},
        {"[1", "0 num(1) -1 at 2"},
        {"[1 2]", "0 num(1) -1 at 3"},
        {"[[1}]", "0 -1 at 3"},
        {"[{\"a\":1]", "0 -1 at 7"},
        {"[", "0 -1 at 1"},
        {"{}", "-3 -3 at 2"},
        {"{\"a\":[1]}", "-3 -3 at 9"},
        {"7", "-3 -3 at 1"},
        {"{", "-1 -1 at 1"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("elements of %s", cases[i].text);
        CHECK_TEXT(elements(cases[i].text), cases[i].elements);
    }
}

static void test_array_at(void)
{
    static const struct {
        const char *text, *path;
        int result;
        const char *first; /* element */
    } cases[] = {
        {"{\"a\":[7,8]}", "a", 1, "7"},
        {"{\"a\":{\"b\":[ 9 ]}}", "a.b", 1, "9"},
        {"{\"a\":[1],\"a\":[2]}", "a", 1, "2"},
        {"{\"a\":[]}", "a", 1, NULL},
        {"{\"b\":[7]}", "a", 0, NULL},
        {"{\"a\":[{\"b\":[7]}]}", "a.b", 0, NULL},
        {"{\"a\":{}}", "a", JSON_TYPE, NULL},
        {"{\"a\":null}", "a", JSON_TYPE, NULL},
        {"[7]", "a", JSON_TYPE, NULL},
        {"{\"a\":[7]", "a", JSON_INVALID, NULL},
        {"", "a", JSON_INVALID, NULL},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_reader r;
        struct json_token value = {0};
        size_t length = strlen(cases[i].text);
        int rc = json_array_at(&r, at_wall(cases[i].text, length), length,
                               cases[i].path);

        unit_case("the array at %s of %s", cases[i].path, cases[i].text);
        CHECK_INT(rc, cases[i].result);
        if (rc > 0)
            CHECK_INT(json_element(&r, &value), cases[i].first != NULL);
        if (rc > 0 && cases[i].first)
            CHECK_BYTES(value.text, value.length, cases[i].first, 1);
    }
}

/* Picking */

/* What json_pick() finds in a text, wanting paths with spaces between them, as
 * a line; what it does not find is there as "-". */
static const char *picked(const char *text, const char *paths, int flags)
{
    static char got[400], names[200], none[] = "-";
    struct json_token values[JSON_WANTS_MAX];
    struct json_want wants[JSON_WANTS_MAX];
    size_t length = strlen(text), at = 77;
    char *p = at_wall(text, length), *name = strcpy(names, paths);
    int count = 0, rc, n;

    while (name) {
        char *space = strchr(name, ' ');

        if (space)
            *space++ = '\0';
        values[count] = (struct json_token){JSON_NULL, none, 1};
        wants[count] = (struct json_want){name, &values[count]};
        count++;
        name = space;
    }
    rc = json_pick(p, length, flags, wants, count, &at);
    n = snprintf(got, sizeof got, "%d", rc);
    if (rc == 0 || rc == JSON_TYPE)
        CHECK_INT(at, length);
    else
        n += snprintf(got + n, sizeof got - (size_t)n, " at %zu", at);
    n += snprintf(got + n, sizeof got - (size_t)n, ":");
    for (int i = 0; i < count; i++) {
        int found = values[i].text != none;

        CHECK(found || (values[i].type == JSON_NULL && values[i].length == 1));
        n += snprintf(got + n, sizeof got - (size_t)n, " %s%.*s",
                      found ? type_name(values[i].type) : "",
                      (int)values[i].length, values[i].text);
    }
    CHECK_INT(memcmp(p, text, length), 0);
    return got;
}

static void test_pick(void)
{
    static const struct {
        const char *text, *paths;
        int flags;
        const char *picked;
    } cases[] = {
        {"{}", "a", 0, "0: -"},
        {" {\"a\":1} ", "a", 0, "0: num1"},
        {"{\"a\":\"x\\n\",\"b\":true,\"c\":[1, {}],\"d\":{ }}", "d c b a e", 0,
         "0: {{ } [[1, {}] truetrue textx\\n -"},
        {"{\"a\":{\"b\":{\"c\":1}}}", "a.b.c a.b a a.c a.b.c.d", 0,
         "0: num1 {{\"c\":1} {{\"b\":{\"c\":1}} - -"},
        {"{\"a\":{\"b\":1},\"b\":2}", "b a.b b.a", 0, "0: num2 num1 -"},
        /* Only what is in objects is on a path. */
        {"{\"a\":[{\"b\":1}]}", "a.b a", 0, "0: - [[{\"b\":1}]"},
        {"{\"x\":{\"a\":1},\"y\":[{\"a\":2}]}", "a x.a y.a", 0, "0: - num1 -"},
        {"{\"a\":\"{\\\"b\\\":1}\"}", "a.b", 0, "0: -"},
        {"{\"a\":{\"x\":[],\"y\":{\"b\":0},\"b\":1}}", "a.b", 0, "0: num1"},
        /* The last one counts. */
        {"{\"a\":1,\"a\":2}", "a", 0, "0: num2"},
        {"{\"a\":{\"b\":1},\"a\":{}}", "a a.b", 0, "0: {{} -"},
        {"{\"a\":{\"b\":1},\"a\":5}", "a a.b", 0, "0: num5 -"},
        {"{\"a\":{\"b\":1},\"a\":[{\"b\":2}]}", "a.b", 0, "0: -"},
        {"{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.b a.c", 0, "0: - num2"},
        {"{\"a\":{\"b\":1,\"b\":[]},\"c\":0}", "a.b", 0, "0: [[]"},
        {"{\"a\":5,\"a\":{\"b\":{}},\"b\":{\"b\":7}}", "a.b b", 0,
         "0: {{} {{\"b\":7}"},
        /* Names are compared decoded. */
        {"{\"\\u0061\":{\"\\u0062c\":1}}", "a.bc", 0, "0: num1"},
        {"{\"a\\u002eb\":1,\"a.b\":2}", "a.b", 0, "0: -"},
        {"{\"a.b\":{\"b\":1}}", "a.b", 0, "0: -"},
        {"{\"a\\u0000b\":1,\"a\\u0000\":2}", "a ab", 0, "0: - -"},
        {"{\"\":{\"\":1}}", "", 0, "0: {{\"\":1}"},
        {"{\"\":{\"\":1}}", ".", 0, "0: num1"},
        {"{\"a\":{\"\":1}}", "a. a", 0, "0: num1 {{\"\":1}"},
        {"{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", 0, "0: num1"},
        {"{\"abc\":1,\"ab\":2}", "a abcd ab", 0, "0: - - num2"},
        /* Case */
        {"{\"Host\":1,\"host\":2}", "host HOST Host", 0, "0: num2 - num1"},
        {"{\"HOST\":{\"\\u0050ort\":1}}", "host.port Host.Port hos",
         JSON_ANY_CASE, "0: num1 num1 -"},
        {"{\"Host\":1,\"hOst\":{}}", "HOST", JSON_ANY_CASE, "0: {{}"},
        {"{\"[\":1,\"`\":2,\"\xc3\x89\":3}", "{ @ \xc3\xa9", JSON_ANY_CASE,
         "0: - - -"},
        /* A dot that is part of a name */
        {"{\"a.b\":1,\"a\":{\"b\":2}}", "a.b a a. .b", JSON_ONE_NAME,
         "0: num1 {{\"b\":2} - -"},
        {"{\"A.b\":1,\"a.B\":2}", "a.b A.b", JSON_ONE_NAME, "0: - num1"},
        {"{\"A.b\":1,\"a.B\":2}", "a.b", JSON_ONE_NAME | JSON_ANY_CASE,
         "0: num2"},
        /* Errors change nothing. */
        {"{\"a\":1", "a", 0, "-1 at 6: -"},
        {"{\"a\":1,}", "a", 0, "-1 at 7: -"},
        {"{\"a\":1}x", "a", 0, "-1 at 7: -"},
        {"{\"a\":1,\"b\":[1,]}", "a b", 0, "-1 at 14: - -"},
        {"{\"a\":1,\"b\":{\"c\":nul}}", "a b.c", 0, "-1 at 19: - -"},
        {"{\"a\":1,\"b\":{\"c\"}}", "a b.c", 0, "-1 at 15: - -"},
        {"[1]", "a", 0, "-3: -"},
        {"[1", "a", 0, "-1 at 2: -"},
        {"\"a\"", "a", 0, "-3: -"},
        {"", "a", 0, "-1 at 0: -"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("%s from %s", cases[i].paths, cases[i].text);
        CHECK_TEXT(picked(cases[i].text, cases[i].paths, cases[i].flags),
                   cases[i].picked);
    }
}

static void test_pick_limits(void)
{
    static char text[4 * BIG / 5];
    struct json_token value = {0};
    struct json_want wants[JSON_WANTS_MAX + 1];
    char names[JSON_WANTS_MAX + 1][12];
    size_t n = 0, at = 77;

    unit_case("no wants: is it an object");
    CHECK_INT(json_pick(at_wall("{\"a\":1}", 7), 7, 0, NULL, 0, &at), 0);
    CHECK_INT(at, 7);
    unit_case("as many wants as there may be");
    text[n++] = '{';
    for (int i = 0; i <= JSON_WANTS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        n += (size_t)sprintf(text + n, "\"%d\":%d,", i, i);
        wants[i] = (struct json_want){names[i], &value};
    }
    text[n - 1] = '}';
    CHECK_INT(json_pick(at_wall(text, n), n, 0, wants, JSON_WANTS_MAX, &at), 0);
    CHECK_BYTES(value.text, value.length, "31", 2);
    unit_case("one more");
    value.type = 0;
    CHECK_INT(json_pick(at_wall(text, n), n, 0, wants, JSON_WANTS_MAX + 1, &at),
              JSON_RANGE);
    CHECK_INT(at, 0);
    CHECK_INT(value.type, 0);
    unit_case("a path as deep as a text may be");
    {
        static char path[2 * JSON_DEPTH_MAX];

        n = repeat(text, "{\"a\":", JSON_DEPTH_MAX);
        n += repeat(text + n, "7", 1);
        n += repeat(text + n, "}", JSON_DEPTH_MAX);
        repeat(path, "a.", JSON_DEPTH_MAX);
        path[sizeof path - 1] = '\0';
        wants[0].path = path;
        CHECK_INT(json_pick(at_wall(text, n), n, 0, wants, 1, &at), 0);
        CHECK_BYTES(value.text, value.length, "7", 1);
    }
    unit_case("half a million members, and a path into the last");
    n = repeat(text, "{", 1);
    n += repeat(text + n, "\"a\":{\"b\":1},", 500000);
    n += repeat(text + n, "\"a\":{\"b\":2}}", 1);
    wants[0].path = "a.b";
    CHECK_INT(json_pick(at_wall(text, n), n, 0, wants, 1, &at), 0);
    CHECK_BYTES(value.text, value.length, "2", 1);
}

/* Strings */

/* A string's token, from its text without quotes, at the wall. */
static struct json_token token_of(const char *text, size_t length)
{
    return (struct json_token){JSON_STRING, at_wall(text, length), length};
}

static void test_decode(void)
{
    static const struct {
        const char *text, *decoded;
    } cases[] = {
        {"", ""},
        {"abc", "abc"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u005A\\u007f", "AZ\x7f"},
        {"\\u0080\\u07fF", "\xc2\x80\xdf\xbf"},
        {"\\u0800\\uFFff\\ud7ff\\ue000",
         "\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80"},
        {"\\ud800\\udc00\\uDBFF\\uDFFF", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {"\\ud83d\\ude00!", "\xf0\x9f\x98\x80!"},
        /* Lone surrogates are U+FFFD, one each. */
        {"\\ud800", "\xef\xbf\xbd"},
        {"\\udbff", "\xef\xbf\xbd"},
        {"\\udc00", "\xef\xbf\xbd"},
        {"\\udfffx", "\xef\xbf\xbdx"},
        {"\\ud800x", "\xef\xbf\xbdx"},
        {"\\ud800xudc00", "\xef\xbf\xbdxudc00"},
        {"\\ud800\\n", "\xef\xbf\xbd\n"},
        {"\\ud800\\ndc00", "\xef\xbf\xbd\ndc00"},
        {"\\ud800\\\\udc00", "\xef\xbf\xbd\\udc00"},
        {"\\ud800\\u0041", "\xef\xbf\xbd"
                           "A"},
        {"\\ud800\\ue000", "\xef\xbf\xbd\xee\x80\x80"},
        {"\\ud800\\udbff", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\udc00\\ud800", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\udc00\\udc00", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\\ud800\\ud800\\udc00", "\xef\xbf\xbd\xf0\x90\x80\x80"},
        {"\\\\u0041", "\\u0041"},
        {"\\\\n", "\\n"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = strlen(cases[i].text), n;
        struct json_token t = token_of(cases[i].text, length);
        char out[100], *exact = unit_before_wall(length);

        unit_case("decode %s", cases[i].text);
        n = json_decode(&t, out);
        CHECK_BYTES(out, n, cases[i].decoded, strlen(cases[i].decoded));
        CHECK(n <= length);
        CHECK_INT(json_decode(&t, exact), n);
        CHECK_BYTES(exact, n, out, n);
        exact = unit_before_wall(n + 1);
        CHECK(json_string(&t, exact, n + 1) == exact);
        CHECK_TEXT(exact, cases[i].decoded);
        CHECK(n == 0 || !json_string(&t, out, n));
        CHECK(n == 0 || out[0] == '\0');
        CHECK(json_string(&t, out, sizeof out) == out);
        CHECK_INT(json_decode(&t, t.text), n);
        CHECK_BYTES(t.text, n, out, n);
    }
    unit_case("decode NUL");
    {
        struct json_token t = token_of("a\\u0000b", 8);

        CHECK_INT(json_decode(&t, t.text), 3);
        CHECK_BYTES(t.text, 3, "a\0b", 3);
    }
}

static void test_string(void)
{
    static const int others[] = {0,         JSON_NUMBER, JSON_TRUE, JSON_FALSE,
                                 JSON_NULL, JSON_OBJECT, JSON_ARRAY};
    struct json_token t;
    char out[20];

    for (size_t i = 0; i < COUNT(others); i++) {
        unit_case("type %d is no string", others[i]);
        t = token_of("abc", 3);
        t.type = others[i];
        strcpy(out, "was");
        CHECK(!json_string(&t, out, sizeof out));
        CHECK_TEXT(out, "");
        CHECK(!json_equal(&t, "abc"));
    }
    unit_case("a name is a string");
    t = token_of("\\u0061bc", 8);
    t.type = JSON_NAME;
    CHECK(json_string(&t, out, sizeof out) == out);
    CHECK_TEXT(out, "abc");
    CHECK(json_equal(&t, "abc"));
    unit_case("a string with NUL is none of C");
    t = token_of("a\\u0000b", 8);
    CHECK(!json_string(&t, out, sizeof out));
    CHECK_TEXT(out, "");
    unit_case("a NUL does not equal the end of a text");
    t = token_of("a\\u0000", 7);
    CHECK(!json_equal(&t, "a\0"));
    unit_case("text that no reader gave is decoded within its length");
    {
        static const char *const texts[] = {"\\", "\\x", "\\u", "\\u123",
                                            "a\\u12g4\\"};

        for (size_t i = 0; i < COUNT(texts); i++) {
            t = token_of(texts[i], strlen(texts[i]));
            CHECK(json_string(&t, out, sizeof out) == out);
            CHECK_TEXT(out, texts[i]);
            CHECK_INT(json_decode(&t, t.text), strlen(texts[i]));
            CHECK_BYTES(t.text, t.length, texts[i], strlen(texts[i]));
        }
    }
    unit_case("a string larger than its room by far");
    t = token_of("\\ud83d\\ude00", 12);
    for (size_t size = 1; size < 5; size++) {
        char *room = unit_before_wall(size);

        CHECK(!json_string(&t, room, size));
        CHECK_TEXT(room, "");
    }
}

static void test_equal_nul(void)
{
    char object[] = "{\"body\\u0000x\":1}";
    struct json_token t = {0};
    const struct json_want want = {"body\0x", &t};
    size_t at;

    unit_case("a NUL in a name is not where the other ends");
    CHECK_INT(json_pick(object, strlen(object), 0, &want, 1, &at), 0);
    CHECK_INT(t.type, 0);
    t = token_of("body\\u0000x", 11);
    CHECK(!json_equal(&t, "body\0x"));
}

static void test_equal(void)
{
    static const struct {
        const char *text, *name;
        int equal;
    } cases[] = {
        {"", "", 1},
        {"a", "", 0},
        {"", "a", 0},
        {"body", "body", 1},
        {"b\\u006fdy", "body", 1},
        {"\\u0062\\u006F\\u0064\\u0079", "body", 1},
        {"bod", "body", 0},
        {"bodyy", "body", 0},
        {"bodx", "body", 0},
        {"Body", "body", 0},
        {"b\\u006fdx", "body", 0},
        {"\\u0062\\u006f\\u0064\\u0079y", "body", 0},
        {"bodybodybodybodybodybodybodybod", "body", 0},
        {"a\\/b\\n", "a/b\n", 1},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", 1},
        {"\\ud83d", "\xef\xbf\xbd", 1},
        {"body\\u0000", "body", 0},
        {"abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345",
         1},
        {"abcdefghijklmnopqrstuvwxyz012346", "abcdefghijklmnopqrstuvwxyz012345",
         0},
    };
    char text[6 * 300 + 2], name[300 + 1];
    struct json_token t;

    for (size_t i = 0; i < COUNT(cases); i++) {
        unit_case("is %s equal to %s", cases[i].text, cases[i].name);
        t = token_of(cases[i].text, strlen(cases[i].text));
        CHECK_INT(json_equal(&t, cases[i].name) != 0, cases[i].equal);
    }
    for (size_t n = 1; n <= 300; n++) {
        unit_case("a name of %zu bytes, each escaped", n);
        for (size_t i = 0; i < n; i++) {
            snprintf(text + 6 * i, 7, "\\u%04x", (unsigned)('A' + i % 26));
            name[i] = (char)('A' + i % 26);
        }
        name[n] = '\0';
        t = token_of(text, 6 * n);
        CHECK(json_equal(&t, name));
        text[6 * n] = 'x';
        t = token_of(text, 6 * n + 1);
        CHECK(!json_equal(&t, name));
        t = token_of(text, 6 * n - 6);
        CHECK(!json_equal(&t, name));
        text[6 * n - 1] = '0';
        t = token_of(text, 6 * n);
        CHECK(n % 26 == 16 || !json_equal(&t, name));
    }
    unit_case("a name as long as an event");
    {
        size_t length = 6000000;
        char *big = wall - length;

        memset(big, 'a', length);
        t = (struct json_token){JSON_NAME, big, length};
        CHECK(!json_equal(&t, "a"));
    }
}

/* Numbers */

static void one_decimal(const char *text, size_t length, int decimals, int rc,
                        int64_t value)
{
    struct json_token t = token_of(text, length);
    int64_t got = 77;

    CHECK_INT(json_decimal(&t, decimals, &got), rc);
    if (rc == 0)
        CHECK_INT(got, value);
}

static const struct {
    const char *text;
    int decimals, rc;
    int64_t value;
} numbers[] = {
    {"0", 0, 0, 0},
    {"0", 9, 0, 0},
    {"-0", 9, 0, 0},
    {"-0.0e5", 9, 0, 0},
    {"7", 0, 0, 7},
    {"-7", 0, 0, -7},
    {"0.25", 9, 0, 250000000},
    {"-0.25", 9, 0, -250000000},
    {"900", 9, 0, 900000000000},
    {"1.000000001", 9, 0, 1000000001},
    {"1e0", 0, 0, 1},
    {"1e2", 0, 0, 100},
    {"1E+2", 0, 0, 100},
    {"100e-2", 0, 0, 1},
    {"1e-9", 9, 0, 1},
    {"1.5e1", 0, 0, 15},
    {"0.001e3", 0, 0, 1},
    {"12.5e-1", 2, 0, 125},
    {"9e-1", 1, 0, 9},
    /* Away from zero. */
    {"0.1", 0, 0, 1},
    {"-0.1", 0, 0, -1},
    {"0.9", 0, 0, 1},
    {"1.5", 0, 0, 2},
    {"2.000", 0, 0, 2},
    {"2.0001", 0, 0, 3},
    {"1e-10", 9, 0, 1},
    {"-1e-10", 9, 0, -1},
    {"1e-400", 9, 0, 1},
    {"-1e-400", 9, 0, -1},
    {"0e-400", 9, 0, 0},
    {"900.0000000001", 9, 0, 900000000001},
    {"100000000000000000000.5e-20", 0, 0, 2},
    {"100000000000000000000e-20", 0, 0, 1},
    {"0.0000000000000000000000000000000000000001e40", 0, 0, 1},
    /* 18 digits, and 19. */
    {"999999999999999999", 0, 0, 999999999999999999},
    {"-999999999999999999", 0, 0, -999999999999999999},
    {"999999999.999999999", 9, 0, 999999999999999999},
    {"100000000000000000", 0, 0, 100000000000000000},
    {"1000000000000000000", 0, JSON_RANGE, 0},
    {"-1000000000000000000", 0, JSON_RANGE, 0},
    {"1000000000000000001", 0, JSON_RANGE, 0},
    {"9999999999999999999", 0, JSON_RANGE, 0},
    {"1000000000", 9, JSON_RANGE, 0},
    {"999999999999999998.5", 0, 0, 999999999999999999},
    {"999999999999999999.0", 0, 0, 999999999999999999},
    {"999999999999999999.5", 0, JSON_RANGE, 0},
    {"-999999999.9999999991", 9, JSON_RANGE, 0},
    {"1e17", 0, 0, 100000000000000000},
    {"1e18", 0, JSON_RANGE, 0},
    {"0.1e18", 0, 0, 100000000000000000},
    {"0.1e19", 0, JSON_RANGE, 0},
    {"1e400", 0, JSON_RANGE, 0},
    {"-1e400", 0, JSON_RANGE, 0},
    {"0e400", 0, 0, 0},
    {"1e9223372036854775807", 0, JSON_RANGE, 0},
    {"1e-9223372036854775809", 0, 0, 1},
    {"1e18446744073709551616", 0, JSON_RANGE, 0},
    {"1e-99999999999999999999999999999999", 0, 0, 1},
    {"0e99999999999999999999999999999999", 0, 0, 0},
    {"123456789012345678901234567890", 0, JSON_RANGE, 0},
    {"123456789012345678901234567890e-12", 0, 0, 123456789012345679},
    {"123456789012345678901234567890e-13", 0, 0, 12345678901234568},
};

static void test_decimal_values(void)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        unit_case("%s with %d decimals", numbers[i].text, numbers[i].decimals);
        one_decimal(numbers[i].text, strlen(numbers[i].text),
                    numbers[i].decimals, numbers[i].rc, numbers[i].value);
    }
}

static void test_decimal_grammar(void)
{
    static const char *const bad[] = {
        "",    "-",   "+1",  ".5", "1.",   "01",    "-01",  "1e",      "1e+",
        "1e-", "0x1", "1 ",  " 1", "inf",  "nan",   "true", "\"1\"",   "1.e1",
        "1,5", "1_0", "--1", "1-", "1.5.", "1e1.5", "1e5e", "e5",      "[1]",
        "1\n", "0 0", "-e1", "00", "1E",   "-.1",   "1..1", "Infinity"};

    for (size_t i = 0; i < COUNT(bad); i++) {
        unit_case("'%s' is no number", bad[i]);
        one_decimal(bad[i], strlen(bad[i]), 9, JSON_TYPE, 0);
    }
    unit_case("a NUL is no part of a number");
    one_decimal("1\0", 2, 9, JSON_TYPE, 0);
    unit_case("a slice of a longer text");
    one_decimal("1234", 2, 0, 0, 12);
    unit_case("the type of a token does not matter");
    {
        char text[] = "5";
        struct json_token t = {JSON_NULL, text, 1};
        int64_t value;

        CHECK_INT(json_decimal(&t, 0, &value), 0);
        CHECK_INT(value, 5);
    }
}

static void test_decimal_long(void)
{
    static char text[BIG];
    size_t n;

    unit_case("a million digits");
    n = repeat(text, "9", 1000000);
    one_decimal(text, n, 0, JSON_RANGE, 0);
    unit_case("a million digits, mended by the exponent");
    n += (size_t)sprintf(text + n, "e-999999");
    one_decimal(text, n, 0, 0, 10);
    unit_case("a million digits and one, mended by the exponent");
    text[0] = '1';
    memset(text + 1, '0', 999999);
    one_decimal(text, n, 0, 0, 1);
    unit_case("a million zeros behind the point");
    n = (size_t)sprintf(text, "-0.");
    n += repeat(text + n, "0", 1000000);
    one_decimal(text, n, 9, 0, 0);
    unit_case("a million zeros and a one");
    text[n++] = '1';
    one_decimal(text, n, 9, 0, -1);
    unit_case("a million zeros and a one, mended by the exponent");
    n += (size_t)sprintf(text + n, "e1000003");
    one_decimal(text, n, 0, 0, -100);
    unit_case("1 and a million digits of exponent");
    n = repeat(text, "1e", 1);
    n += repeat(text + n, "1", 1000000);
    one_decimal(text, n, 0, JSON_RANGE, 0);
    unit_case("1 and a million zeros of exponent");
    memset(text + 2, '0', 1000000);
    text[n - 1] = '3';
    one_decimal(text, n, 0, 0, 1000);
    unit_case("7 million digits");
    n = repeat(text, "1", 7000000);
    one_decimal(text, n, 9, JSON_RANGE, 0);
}

/* Text out */

static void one_escape(const char *text, size_t length, size_t size,
                       const char *want, size_t want_taken)
{
    char *out = unit_before_wall(size);
    size_t taken = 77, n;

    n = json_escape(out, size, at_wall(text, length), length, &taken);
    CHECK_BYTES(out, n, want, strlen(want));
    CHECK_INT(taken, want_taken);
}

static void test_escape(void)
{
    static const struct {
        const char *text, *escaped;
    } cases[] = {
        {"", ""},
        {"abc", "abc"},
        {"\"", "\\\""},
        {"\\", "\\\\"},
        {"/'&<>\x7f", "/'&<>\x7f"},
        {"a\"b\\c\nd", "a\\\"b\\\\c\\u000ad"},
        {"\n\"\n", "\\u000a\\\"\\u000a"},
        {"\x01\x0f\x10\x1f ", "\\u0001\\u000f\\u0010\\u001f "},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff", "\xef\xbf\xbd"},
        {"\x80\xbf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xc3"
         "a",
         "\xef\xbf\xbd"
         "a"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80",
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = strlen(cases[i].text), full = strlen(cases[i].escaped);
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        unit_case("escape %s", cases[i].escaped);
        one_escape(cases[i].text, length, full, cases[i].escaped, length);
        one_escape(cases[i].text, length, full + 1, cases[i].escaped, length);
        one_escape(cases[i].text, length, page, cases[i].escaped, length);
    }
    unit_case("escape NUL");
    one_escape("\0", 1, 6, "\\u0000", 1);
    one_escape("a\0b", 3, 8, "a\\u0000b", 3);
}

static void test_escape_cut(void)
{
    static const char text[] = "a\"\n\xc3\xa9\xff\xe2\x82\xac\xf0\x9f\x98\x80z";
    /* By size: how much of the text fits, and its length escaped. */
    static const size_t pieces[][2] = {{1, 1}, {1, 2}, {1, 6}, {2, 2},
                                       {1, 3}, {3, 3}, {4, 4}, {1, 1}};
    static const char escaped[] = "a\\\"\\u000a\xc3\xa9\xef\xbf\xbd\xe2\x82\xac"
                                  "\xf0\x9f\x98\x80z";

    for (size_t size = 0; size < sizeof escaped; size++) {
        char want[sizeof escaped] = "";
        size_t taken = 0, n = 0;

        unit_case("escape into %zu bytes", size);
        for (size_t i = 0; i < COUNT(pieces) && n + pieces[i][1] <= size; i++) {
            taken += pieces[i][0];
            n += pieces[i][1];
        }
        memcpy(want, escaped, n);
        one_escape(text, sizeof text - 1, size, want, taken);
    }
    unit_case("escape each byte into one too few");
    for (int c = 0; c < 256; c++) {
        const char byte = (char)c;
        size_t full = c < ' '                 ? 6
                      : c == '"' || c == '\\' ? 2
                      : c < 0x80              ? 1
                                              : 3;

        one_escape(&byte, 1, full - 1, "", 0);
    }
}

/* UTF-8 */

static void one_sequence(const unsigned char *bytes, size_t length)
{
    char *p = wall - length;
    uint32_t code = 7;
    size_t want;

    memcpy(p, bytes, length);
    want = json_reference_utf8(p, length);
    if (json_utf8(p, length, &code) != want)
        CHECK_INT(json_utf8(p, length, &code), want);
}

static void test_utf8_code_points(void)
{
    unit_case("every code point, and each cut short");
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        unsigned char b[4] = {0};
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        uint32_t code = 7, rest = c;
        static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

        for (size_t i = n - 1; i > 0; i--, rest /= 64)
            b[i] = (unsigned char)(0x80 + rest % 64);
        b[0] = (unsigned char)(marks[n] + rest);
        for (size_t length = 1; length <= n; length++)
            one_sequence(b, length);
        if (c >> 11 == 0x1b)
            continue;
        memcpy(wall - n, b, n);
        json_utf8(wall - n, n, &code);
        if (code != c)
            CHECK_INT(code, c);
        memcpy(wall - n - 1, b, n);
        wall[-1] = '\x80';
        if (json_utf8(wall - n - 1, n + 1, &code) != n)
            CHECK_INT(n, 0);
    }
}

static void test_utf8_bytes(void)
{
    static const unsigned char tails[] = {0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    unsigned char b[4];

    unit_case("every pair of bytes, with each kind of tail");
    for (unsigned pair = 0; pair < 65536; pair++) {
        b[0] = (unsigned char)(pair >> 8);
        b[1] = (unsigned char)pair;
        one_sequence(b, 1);
        one_sequence(b, 2);
        for (size_t i = 0; i < COUNT(tails) * COUNT(tails); i++) {
            b[2] = tails[i % COUNT(tails)];
            b[3] = tails[i / COUNT(tails)];
            one_sequence(b, 3);
            one_sequence(b, 4);
        }
    }
}

int main(void)
{
    wall = unit_before_wall(BIG) + BIG;
    test_cases();
    test_every_byte();
    test_suite();
    test_tokens();
    test_depth();
    test_linear();
    test_members();
    test_other_kind();
    test_elements();
    test_array_at();
    test_pick();
    test_pick_limits();
    test_decode();
    test_string();
    test_equal();
    test_equal_nul();
    test_decimal_values();
    test_decimal_grammar();
    test_decimal_long();
    test_escape();
    test_escape_cut();
    test_utf8_code_points();
    test_utf8_bytes();
    return unit_end();
}
