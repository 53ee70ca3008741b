
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The JSON scanner, values and buffers: known answers, every prefix of known
 * texts, and a generated corpus, valid and damaged, against jansson.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_wschat_value.h"
#include "tap.h"


#define CORPUS  60000


static ngx_wschat_json_t  json;
static ngx_wschat_buf_t   buf;
static uint64_t           seed = 88172645463325252ULL;


static ngx_int_t
parse(const char *text)
{
    return ngx_wschat_json_parse(&json, (const u_char *) text, strlen(text));
}


static const char *
result(void)
{
    if (ngx_wschat_buf_append_char(&buf, '\0') != NGX_OK) {
        return "(past the limit)";
    }

    buf.last--;

    return (char *) buf.start;
}


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


/* the value of the whole text */

static ngx_wschat_value_t
value(const char *text)
{
    ngx_wschat_value_t  v;

    ngx_wschat_value_absent(&v);

    /* the text may have line feeds, which the name of a test may not */

    if (parse(text) == NGX_OK) {
        ngx_wschat_value_token(&v, &json, 0);

    } else {
        ok(0, "a value parses");
        diag("%s", text);
    }

    return v;
}


static ngx_wschat_value_t
plain(const char *text)
{
    ngx_wschat_value_t  v;

    ngx_wschat_value_text(&v, (const u_char *) text, strlen(text));

    return v;
}


static const char *
as_text(ngx_wschat_value_t v)
{
    ngx_wschat_buf_reset(&buf);

    if (ngx_wschat_value_append_text(&buf, &v) != NGX_OK) {
        return "(error)";
    }

    return result();
}


static const char *
as_json(ngx_wschat_value_t v)
{
    ngx_wschat_buf_reset(&buf);

    if (ngx_wschat_value_append_json(&buf, &v) != NGX_OK) {
        return "(error)";
    }

    return result();
}


static const char *
as_inside(ngx_wschat_value_t v)
{
    ngx_wschat_buf_reset(&buf);

    if (ngx_wschat_value_append_inside(&buf, &v) != NGX_OK) {
        return "(error)";
    }

    return result();
}


static void
test_grammar(void)
{
    size_t       i;
    ngx_int_t    rc;
    static const char  *valid[] = {
        "null", "true", "false", "0", "-0", "1.10", "-1.5e+10", "0e5",
        "1E-2", "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud800\"", "[]", "{}", "[ ]", "{ }", " \t\r\n1 \t\r\n", "[[],{}]",
        "[1,2,3]", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\":{\"\":[]}}",
        "\"\x7f\"", "123456789012345678901234567890", "1e999",
        "\"twelve bytes and more than a word of eight\""
    };
    static const struct {
        const char  *text;
        uint32_t     at;
    } invalid[] = {
        { "", 0 }, { " ", 1 }, { "nul", 3 }, { "nulL", 3 }, { "True", 0 },
        { "truefalse", 4 }, { "01", 1 }, { "-", 1 }, { "+1", 0 },
        { ".5", 0 }, { "1.", 2 }, { "1.e5", 2 }, { "1e", 2 }, { "1e+", 3 },
        { "-a", 1 }, { "0x10", 1 }, { "NaN", 0 }, { "Infinity", 0 },
        { "\"", 1 }, { "\"a", 2 }, { "\"\\", 2 }, { "\"\\x\"", 2 },
        { "\"\\u12\"", 5 }, { "\"\\u123g\"", 6 }, { "\"\n\"", 1 },
        { "\"0123456789\t\"", 11 }, { "'a'", 0 }, { "[", 1 }, { "[1", 2 },
        { "[1,", 3 }, { "[1,]", 3 }, { "[,1]", 1 }, { "[1 2]", 3 },
        { "[1}", 2 }, { "{", 1 }, { "{a:1}", 1 }, { "{1:1}", 1 },
        { "{\"a\"}", 4 }, { "{\"a\":}", 5 }, { "{\"a\":1,}", 7 },
        { "{,}", 1 }, { "{\"a\" 1}", 5 }, { "{\"a\":1]", 6 },
        { "{\"a\":1 \"b\"}", 7 }, { "1 1", 2 }, { "{}{}", 2 }, { "]", 0 },
        { "}", 0 }, { ":", 0 }, { ",", 0 }, { "[:]", 1 }, { "\f1", 0 },
        { "\xc2\xa0" "1", 0 }, { "\xef\xbb\xbf{}", 0 }, { "/**/1", 0 }
    };

    for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        is(parse(valid[i]), NGX_OK, "valid number %d", (int) i);
    }

    for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        rc = parse(invalid[i].text);
        is(rc, NGX_DECLINED, "invalid number %d", (int) i);
        is(json.error_at, invalid[i].at, "  and where");
        is(json.ntokens, 0, "  without tokens");
    }

    is(ngx_wschat_json_parse(&json, (u_char *) "1\0", 2), NGX_DECLINED,
       "a zero byte is no white space");
    is(ngx_wschat_json_parse(&json, NULL, 0), NGX_DECLINED, "no text at all");
    is(ngx_wschat_json_parse(&json, (u_char *) "1",
                             (size_t) NGX_WSCHAT_JSON_MAX + 1),
       NGX_DECLINED, "a text that is too long");
}


static void
test_prefixes(void)
{
    size_t             i, len;
    u_char            *copy;
    ngx_uint_t         bad;
    static const char  text[] = "{\"a\":[1.5e-3,true,null,\"x\\u00e9\\n\"],"
                                "\"bcdefghijklm\" : {\"c\":[{}]}}";

    len = sizeof(text) - 1;
    bad = 0;

    for (i = 0; i < len; i++) {

        /* a copy of its own for each, so that reading past it is seen */

        copy = malloc(i ? i : 1);
        if (copy == NULL) {
            return;
        }

        ngx_memcpy(copy, text, i);

        if (ngx_wschat_json_parse(&json, copy, i) != NGX_DECLINED
            || json.error_at != i)
        {
            bad++;
        }

        free(copy);
    }

    is(bad, 0, "every prefix ends too early, and at its end");
}


static void
test_plain(void)
{
    size_t         at, len;
    u_char         text[24];
    ngx_uint_t     ch, bad;
    const u_char  *want;

    bad = 0;

    for (len = 1; len <= sizeof(text); len++) {
        for (at = 0; at < len; at++) {
            for (ch = 0; ch < 256; ch++) {

                memset(text, ch & 1 ? 0xff : 'a', sizeof(text));
                text[at] = (u_char) ch;

                want = (ch < 0x20 || ch == '"' || ch == '\\') ? text + at
                                                              : text + len;

                if (ngx_wschat_json_plain(text, text + len) != want) {
                    bad++;
                }
            }
        }
    }

    is(bad, 0, "each byte at each place of each length");
}


static void
test_depth(void)
{
    size_t  i;
    char    text[NGX_WSCHAT_JSON_DEPTH * 2 + 3];

    for (i = 0; i < NGX_WSCHAT_JSON_DEPTH; i++) {
        text[i] = '[';
        text[NGX_WSCHAT_JSON_DEPTH * 2 - 1 - i] = ']';
    }

    text[NGX_WSCHAT_JSON_DEPTH * 2] = '\0';

    is(parse(text), NGX_OK, "as deep as can be");
    is(json.ntokens, NGX_WSCHAT_JSON_DEPTH, "  with as many tokens");

    memmove(text + 1, text, sizeof(text) - 1);
    text[0] = '[';

    is(parse(text), NGX_DECLINED, "too deep");
    is(json.error_at, NGX_WSCHAT_JSON_DEPTH, "  and where");
}


static void
test_tokens(void)
{
    ngx_str_t    key;
    uint32_t     n;
    const char  *text;

    text = "{\"a\":[10,[20],{\"x\":1}],\"b\\u0063\":true,\"a\":2,\"\":3,"
           "\"\\ud83d\\ude00\":4,\"k\\n\":5,\"\\ud800\":6}";

    is(parse(text), NGX_OK, "an object");
    is(json.tokens[0].type, NGX_WSCHAT_JSON_OBJECT, "is one");
    is(json.tokens[0].next, json.ntokens, "and all there is");
    is(json.tokens[0].end, strlen(text), "to the end");
    is(json.tokens[2].type, NGX_WSCHAT_JSON_ARRAY, "a value after its key");

    key = str("a");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(json.tokens[n].type, NGX_WSCHAT_JSON_NUMBER, "the last one wins");

    key = str("bc");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(json.tokens[n].type, NGX_WSCHAT_JSON_TRUE, "an escaped key");

    key = str("");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(text[json.tokens[n].start], '3', "the empty key");

    ngx_str_null(&key);
    n = ngx_wschat_json_member(&json, 0, &key);
    is(text[json.tokens[n].start], '3', "the empty key, as nothing");

    key = str("\xf0\x9f\x98\x80");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(text[json.tokens[n].start], '4', "a key of a surrogate pair");

    key = str("k\n");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(text[json.tokens[n].start], '5', "a key with a short escape");

    key = str("\xef\xbf\xbd");
    n = ngx_wschat_json_member(&json, 0, &key);
    is(text[json.tokens[n].start], '6', "half a pair stands for U+FFFD");

    key = str("b");
    is(ngx_wschat_json_member(&json, 0, &key), NGX_WSCHAT_JSON_NONE,
       "a prefix of an escaped key is not the key");
    key = str("bcd");
    is(ngx_wschat_json_member(&json, 0, &key), NGX_WSCHAT_JSON_NONE,
       "nor is a longer one");
    key = str("x");
    is(ngx_wschat_json_member(&json, 0, &key), NGX_WSCHAT_JSON_NONE,
       "nor one of a member's own members");
    is(ngx_wschat_json_member(&json, 2, &key), NGX_WSCHAT_JSON_NONE,
       "an array has no members");
    is(ngx_wschat_json_element(&json, 0, 0), NGX_WSCHAT_JSON_NONE,
       "an object has no elements");

    n = ngx_wschat_json_element(&json, 2, 2);
    is(json.tokens[n].type, NGX_WSCHAT_JSON_OBJECT, "the third element");
    is(ngx_wschat_json_element(&json, 2, 3), NGX_WSCHAT_JSON_NONE,
       "there is no fourth");

    is(parse("[ [1,2], {\"a\":1} ]"), NGX_OK, "white space outside");
    is(json.tokens[0].flags, NGX_WSCHAT_JSON_SPACED, "is of the outer array");
    is(json.tokens[1].flags, 0, "not of the inner one");
    is(parse("[[1],[2,{\"a\": 1}]]"), NGX_OK, "white space inside");
    is(json.tokens[0].flags, NGX_WSCHAT_JSON_SPACED, "is of the outermost");
    is(json.tokens[1].flags, 0, "not of the first");
    is(json.tokens[3].flags, NGX_WSCHAT_JSON_SPACED, "but of the second");
    is(parse(" [1] "), NGX_OK, "white space around");
    is(json.tokens[0].flags, 0, "is of nobody");
    is(parse("[\" \"]"), NGX_OK, "a space in a string");
    is(json.tokens[0].flags, 0, "is no white space");
    is(parse("[\"\\n\"]"), NGX_OK, "an escape");
    is(json.tokens[0].flags, 0, "is not the array's");
    is(json.tokens[1].flags, NGX_WSCHAT_JSON_ESCAPED, "but the string's");
}


static void
test_moved(void)
{
    char                text[16], copy[16];
    ngx_wschat_value_t  v;

    strcpy(text, "[\"abc\"]");
    strcpy(copy, text);

    is(parse(text), NGX_OK, "a text");
    memset(text, 'x', sizeof(text));
    json.text = (u_char *) copy;

    ngx_wschat_value_token(&v, &json, 1);
    is_str(as_text(v), "abc", "may be moved");
}


static void
test_text(void)
{
    ngx_wschat_value_t  v;

    ngx_wschat_value_absent(&v);
    is_str(as_text(v), "", "absent as text");
    is_str(as_json(v), "", "absent as JSON");
    is_str(as_inside(v), "", "absent inside");

    is_str(as_text(value("\"abc\"")), "abc", "a string as text");
    is_str(as_text(value("\"\"")), "", "an empty one");
    is_str(as_text(value("\"a\\\"\\\\\\/\\n\\u0041\\u00e9\\u20ac\"")),
           "a\"\\/\nA\xc3\xa9\xe2\x82\xac", "escapes");
    is_str(as_text(value("\"\\uD83D\\uDE00!\"")), "\xf0\x9f\x98\x80!",
           "a surrogate pair");
    is_str(as_text(value("\"\\ud83d\"")), "\xef\xbf\xbd", "half a pair");
    is_str(as_text(value("\"\\ude00x\"")), "\xef\xbf\xbdx", "the other half");
    is_str(as_text(value("\"\\ud83d\\u0041\"")), "\xef\xbf\xbd" "A",
           "half a pair, then another escape");
    is_str(as_text(value("\"\\ud83d\\ud83d\\ude00\"")),
           "\xef\xbf\xbd\xf0\x9f\x98\x80", "half a pair, then a pair");
    is_str(as_text(value("\"\\ud83d\\udbff\"")),
           "\xef\xbf\xbd\xef\xbf\xbd", "two first halves");
    is_str(as_text(value("\"\\ud83d\\ue000\"")),
           "\xef\xbf\xbd\xee\x80\x80", "half a pair, then U+E000");
    is_str(as_text(value("\"\\ud800\\udc00\\udbff\\udfff\\ud7ff\"")),
           "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf",
           "the first and the last pair, and the last before them");
    is_str(as_text(value("\"\\b\\f\\r\\t\"")), "\b\f\r\t", "short escapes");
    is_str(as_text(value("\"\\ud83d\\n\"")), "\xef\xbf\xbd\n",
           "half a pair, then a short escape");
    is_str(as_text(value("1.10")), "1.10", "a number keeps its digits");
    is_str(as_text(value("-0.0e+00")), "-0.0e+00", "whatever they are");
    is_str(as_text(value("null")), "null", "null as text");
    is_str(as_text(value("[ 1 , \"a b\\\" c\" , {\"x\" : [ ] } ]")),
           "[1,\"a b\\\" c\",{\"x\":[]}]", "an array as compact JSON");

    is_str(as_json(value("\"a\\u0062\"")), "\"a\\u0062\"",
           "a string as JSON keeps its spelling");
    is_str(as_json(value("\"\\ud800\"")), "\"\\ud800\"",
           "half a pair is legal JSON");
    is_str(as_json(value("12345678901234567890.10")),
           "12345678901234567890.10", "so does a number");
    is_str(as_json(value("{ \"b\" : 1 ,\n\t\"a\" : \" \" }")),
           "{\"b\":1,\"a\":\" \"}", "an object is compact, in its order");
    is_str(as_json(plain("a\"b\\c\b\f\n\r\t\x01\x1f\x7f/\xe2\x80\xa8")),
           "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\xe2\x80\xa8\"",
           "a text is escaped");
    is_str(as_json(plain("0123456789abcdef\"0123456789abcdef")),
           "\"0123456789abcdef\\\"0123456789abcdef\"", "a longer one");
    is_str(as_json(plain("")), "\"\"", "an empty text is an empty string");

    is_str(as_inside(plain("a\"b")), "a\\\"b", "a text inside");
    is_str(as_inside(value("\"a\\\"b\"")), "a\\\"b", "a string inside");
    is_str(as_inside(value("[ \"a\", 1 ]")), "[\\\"a\\\",1]",
           "an array inside");
    is_str(as_inside(value("{\"a\":\"\\n\"}")), "{\\\"a\\\":\\\"\\\\n\\\"}",
           "an object inside");
    is_str(as_inside(value("1.10")), "1.10", "a number inside");

    ngx_wschat_value_text(&v, (u_char *) "\0", 1);
    is_str(as_json(v), "\"\\u0000\"", "a zero byte");

    ngx_wschat_value_text(&v, NULL, 0);
    is_str(as_inside(v), "", "an empty text may point nowhere");
    is_str(as_json(v), "\"\"", "also as JSON");
}


static void
test_made(void)
{
    ngx_wschat_value_t  v;

    ngx_wschat_value_json(&v, (u_char *) "42", 2);
    is_str(as_json(v), "42", "digits as a value");
    is(v.type, NGX_WSCHAT_JSON_NUMBER, "are a number");
    ngx_wschat_value_json(&v, (u_char *) "-1", 2);
    is(v.type, NGX_WSCHAT_JSON_NUMBER, "so are negative ones");
    ngx_wschat_value_json(&v, (u_char *) "\"a\\n\"", 5);
    is_str(as_text(v), "a\n", "a string that was kept");
    ngx_wschat_value_json(&v, (u_char *) "\"a\"", 3);
    is(v.flags, 0, "one without escapes");
    ngx_wschat_value_json(&v, (u_char *) "{}", 2);
    is(v.type, NGX_WSCHAT_JSON_OBJECT, "an object");
    ngx_wschat_value_json(&v, (u_char *) "[]", 2);
    is(v.type, NGX_WSCHAT_JSON_ARRAY, "an array");
    ngx_wschat_value_json(&v, (u_char *) "true", 4);
    is(v.type, NGX_WSCHAT_JSON_TRUE, "true");
    ngx_wschat_value_json(&v, (u_char *) "false", 5);
    is(v.type, NGX_WSCHAT_JSON_FALSE, "false");
    ngx_wschat_value_json(&v, (u_char *) "null", 4);
    is(v.type, NGX_WSCHAT_JSON_NULL, "null");
}


static void
test_truth(void)
{
    size_t              i;
    ngx_wschat_value_t  v;
    static const char  *no[] = {
        "null", "false", "\"\"", "0", "-0", "0.0", "-0.00", "0e5", "0E-5",
        "0.0e9"
    };
    static const char  *yes[] = {
        "true", "\"0\"", "\"false\"", "\" \"", "1", "-1", "0.1", "1e-9",
        "0.01e0", "10", "[]", "{}", "[0]", "\"\\u0000\""
    };

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        v = value(no[i]);
        ok(!ngx_wschat_value_truth(&v), "false: %s", no[i]);
    }

    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        v = value(yes[i]);
        ok(ngx_wschat_value_truth(&v), "true: %s", yes[i]);
    }

    v = plain("");
    ok(!ngx_wschat_value_truth(&v), "false: the empty text");
    v = plain("0");
    ok(ngx_wschat_value_truth(&v), "true: the text 0");
    ngx_wschat_value_absent(&v);
    ok(!ngx_wschat_value_truth(&v), "false: absent");
}


static void
test_equal(void)
{
    size_t              i;
    ngx_str_t           text;
    ngx_wschat_value_t  v;
    static const struct {
        const char  *json;
        const char  *text;
        ngx_uint_t   same;
    } cases[] = {
        { "\"a\"", "a", 1 }, { "\"a\"", "b", 0 }, { "\"a\"", "\"a\"", 0 },
        { "\"\"", "", 1 }, { "\"a\\u0062\"", "ab", 1 },
        { "\"a\\u0062\"", "a", 0 }, { "\"a\\u0062\"", "abc", 0 },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 1 },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x81", 0 },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f", 0 },
        { "1.10", "1.10", 1 }, { "1.10", "1.1", 0 }, { "true", "true", 1 },
        { "null", "", 0 }, { "[1, 2]", "[1,2]", 1 }, { "[1, 2]", "[1,2", 0 },
        { "[1, 2]", "[1, 2]", 0 }, { "[1, 2]", "[1,2]]", 0 },
        { "[1, 2]", "[1,3]", 0 }, { "{}", "{}", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        v = value(cases[i].json);
        text = str(cases[i].text);
        is(ngx_wschat_value_equal(&v, &text), cases[i].same, "%s %s %s",
           cases[i].json, cases[i].same ? "is" : "is not", cases[i].text);
    }

    ngx_wschat_value_absent(&v);
    text = str("");
    ok(ngx_wschat_value_equal(&v, &text), "absent is the empty text");
    ngx_str_null(&text);
    ok(ngx_wschat_value_equal(&v, &text), "also one that points nowhere");
    text = str("a");
    ok(!ngx_wschat_value_equal(&v, &text), "absent is no other");
    v = plain("a");
    ok(ngx_wschat_value_equal(&v, &text), "a text is itself");
    ngx_str_null(&text);
    v = value("[1, 2]");
    ok(!ngx_wschat_value_equal(&v, &text), "an array is not empty");
}


static void
test_str(void)
{
    u_char             *p;
    ngx_str_t           out;
    ngx_wschat_value_t  v;

    ngx_wschat_buf_reset(&buf);

    v = value("\"abc\"");
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "a string");
    is_mem(out.data, out.len, "abc", 3, "as it stands");
    ok(out.data == v.data.data + 1, "without a copy");

    v = value("1.10");
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "a number");
    is_mem(out.data, out.len, "1.10", 4, "as it stands");
    ok(out.data == v.data.data, "without a copy");

    v = plain("x\"");
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "a text");
    ok(out.data == v.data.data && out.len == 2, "without a copy");
    is(ngx_wschat_buf_len(&buf), 0, "nothing was written");

    ngx_wschat_value_absent(&v);
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "absent");
    is(out.len, 0, "is empty");

    v = value("\"a\\nb\"");
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "an escaped string");
    is_mem(out.data, out.len, "a\nb", 3, "is copied");

    v = value("[1, 2]");
    is(ngx_wschat_value_str(&v, &buf, &out), NGX_OK, "an array");
    is_mem(out.data, out.len, "[1,2]", 5, "is appended");
    p = out.data;
    ok(p == buf.start + 3, "after what was there");
}


static void
test_buf(void)
{
    size_t             i;
    ngx_str_t          out;
    ngx_wschat_buf_t   b;
    ngx_wschat_value_t v;

    /* something to copy from */

    ngx_wschat_buf_reset(&buf);
    is(ngx_wschat_buf_reserve(&buf, 900), NGX_OK, "room for a lot");
    memset(buf.start, 'y', 900);

    ngx_wschat_buf_init(&b, 1000);

    is(ngx_wschat_buf_len(&b), 0, "a new buffer is empty");
    is(ngx_wschat_buf_append(&b, NULL, 0), NGX_OK, "nothing fits");
    ok(b.start == NULL, "and allocates nothing");
    is(ngx_wschat_buf_append(&b, (u_char *) "ab", 2), NGX_OK, "two bytes fit");

    for (i = 0; i < 998; i++) {
        if (ngx_wschat_buf_append_char(&b, 'x') != NGX_OK) {
            break;
        }
    }

    is(i, 998, "up to the limit");
    is(b.end - b.start, 1000, "and not beyond in memory either");
    is(ngx_wschat_buf_append_char(&b, 'x'), NGX_ERROR, "one more does not");
    is(ngx_wschat_buf_append(&b, b.start, 1), NGX_ERROR, "in any way");
    is(ngx_wschat_buf_reserve(&b, (size_t) -1), NGX_ERROR, "nor all there is");
    is(ngx_wschat_buf_len(&b), 1000, "what is there stays");
    is_mem(b.start, 3, "abx", 3, "as it was");

    v = plain("y");
    is(ngx_wschat_value_append_json(&b, &v), NGX_ERROR, "no room: a text");
    is(ngx_wschat_value_append_text(&b, &v), NGX_ERROR, "no room: as text");
    is(ngx_wschat_value_append_inside(&b, &v), NGX_ERROR, "no room: inside");
    v = value("[1, 2]");
    is(ngx_wschat_value_append_json(&b, &v), NGX_ERROR, "no room: spaced");
    is(ngx_wschat_value_append_inside(&b, &v), NGX_ERROR, "no room: inside");
    v = value("\"\\n\"");
    is(ngx_wschat_value_append_text(&b, &v), NGX_ERROR, "no room: escaped");
    is(ngx_wschat_value_str(&v, &b, &out), NGX_ERROR, "no room: str");
    is(ngx_wschat_buf_len(&b), 1000, "nothing was added");

    ngx_wschat_buf_reset(&b);
    is(ngx_wschat_buf_append(&b, (u_char *) "z", 1), NGX_OK, "room again");

    b.last = b.start + 998;
    v = plain("\"");
    is(ngx_wschat_value_append_json(&b, &v), NGX_ERROR, "no room: half");

    ngx_wschat_buf_free(&b);
    ok(b.start == NULL && b.last == NULL && b.end == NULL, "freed");
    is(ngx_wschat_buf_append(&b, (u_char *) "z", 1), NGX_OK, "and reused");
    ngx_wschat_buf_free(&b);

    ngx_wschat_buf_init(&b, 1000);
    is(ngx_wschat_buf_append_char(&b, 'x'), NGX_OK, "a little");
    is(ngx_wschat_buf_append(&b, buf.start, 900), NGX_OK, "then a lot");
    is(ngx_wschat_buf_len(&b), 901, "is all there");
    is(memcmp(b.start + 1, buf.start, 900), 0, "as it was");
    ngx_wschat_buf_free(&b);

    ngx_wschat_buf_init(&b, 10);
    v = plain("a\"\x01");
    is(ngx_wschat_value_append_inside(&b, &v), NGX_OK, "escapes fit");
    is(ngx_wschat_buf_len(&b), 9, "to the byte");
    v = plain("\n");
    is(ngx_wschat_value_append_inside(&b, &v), NGX_ERROR, "and no further");
    ngx_wschat_buf_free(&b);

    ngx_wschat_buf_init(&b, 10);
    is(ngx_wschat_buf_append_char(&b, 'x'), NGX_OK, "a small limit");
    is(b.end - b.start, 10, "is a small buffer");
    ngx_wschat_buf_free(&b);
}


static uint32_t
rnd(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (uint32_t) ((seed >> 11) % n);
}


static void
put(const char *text)
{
    if (ngx_wschat_buf_append(&buf, (u_char *) text, strlen(text)) != NGX_OK) {
        abort();
    }
}


static void
generate_space(void)
{
    static const char  *spaces[] = { " ", "\n", "\t ", "\r\n" };

    if (rnd(4) == 0) {
        put(spaces[rnd(4)]);
    }
}


static void
generate_string(void)
{
    uint32_t           n;
    static const char *pieces[] = {
        "a", "b", "abcdefgh", "\\n", "\\\"", "\\\\", "\\/", "\\u0041",
        "\\u00E9", "\\u20ac", "\\ud83d\\ude00", "\xc3\xa9",
        "\xf0\x9f\x98\x80", " ", "{", "]", ",", ":", "$x", "\x7f", "\\u0001"
    };

    put("\"");

    for (n = rnd(5); n; n--) {
        put(pieces[rnd(sizeof(pieces) / sizeof(pieces[0]))]);
    }

    put("\"");
}


static void
generate(ngx_uint_t depth)
{
    uint32_t            n;
    static const char  *scalars[] = {
        "null", "true", "false", "0", "-0", "1.10", "-3", "1e5", "2E-3",
        "9007199254740993", "0.5e+1"
    };

    generate_space();

    switch (depth ? rnd(6) : rnd(2)) {

    case 0:
        put(scalars[rnd(sizeof(scalars) / sizeof(scalars[0]))]);
        break;

    case 1:
    case 2:
        generate_string();
        break;

    case 3:
        put("[");

        for (n = rnd(4); n; n--) {
            generate(depth - 1);
            put(n > 1 ? "," : "");
        }

        generate_space();
        put("]");
        break;

    default:
        put("{");

        for (n = rnd(4); n; n--) {
            generate_space();
            generate_string();
            generate_space();
            put(":");
            generate(depth - 1);
            put(n > 1 ? "," : "");
        }

        generate_space();
        put("}");
        break;
    }

    generate_space();
}


/* whether token n is what jansson has */

static ngx_uint_t
agrees(uint32_t n, json_t *want)
{
    void                     *iter;
    size_t                    i;
    u_char                    text[1024];
    uint32_t                  child;
    ngx_str_t                 s;
    ngx_wschat_value_t        v;
    ngx_wschat_json_token_t  *t;

    t = &json.tokens[n];

    switch (json_typeof(want)) {

    case JSON_NULL:
        return t->type == NGX_WSCHAT_JSON_NULL;

    case JSON_TRUE:
        return t->type == NGX_WSCHAT_JSON_TRUE;

    case JSON_FALSE:
        return t->type == NGX_WSCHAT_JSON_FALSE;

    case JSON_INTEGER:
    case JSON_REAL:
        ngx_wschat_value_token(&v, &json, n);
        return t->type == NGX_WSCHAT_JSON_NUMBER
               && strtod((char *) json.text + t->start, NULL)
                  == json_number_value(want)
               && ngx_wschat_value_truth(&v)
                  == (json_number_value(want) != 0);

    case JSON_STRING:
        s.data = (u_char *) json_string_value(want);
        s.len = json_string_length(want);

        ngx_wschat_value_token(&v, &json, n);

        if (t->type != NGX_WSCHAT_JSON_STRING
            || t->end - t->start > sizeof(text)
            || !ngx_wschat_value_equal(&v, &s))
        {
            return 0;
        }

        i = ngx_wschat_json_unescape(text, json.text + t->start + 1,
                                     t->end - t->start - 2)
            - text;

        return i == s.len && memcmp(text, s.data, i) == 0;

    case JSON_ARRAY:

        if (t->type != NGX_WSCHAT_JSON_ARRAY) {
            return 0;
        }

        for (i = 0; i < json_array_size(want); i++) {
            child = ngx_wschat_json_element(&json, n, i);

            if (child == NGX_WSCHAT_JSON_NONE
                || !agrees(child, json_array_get(want, i)))
            {
                return 0;
            }
        }

        return ngx_wschat_json_element(&json, n, i) == NGX_WSCHAT_JSON_NONE;

    case JSON_OBJECT:

        if (t->type != NGX_WSCHAT_JSON_OBJECT) {
            return 0;
        }

        for (iter = json_object_iter(want);
             iter;
             iter = json_object_iter_next(want, iter))
        {
            s = str(json_object_iter_key(iter));
            child = ngx_wschat_json_member(&json, n, &s);

            if (child == NGX_WSCHAT_JSON_NONE
                || !agrees(child, json_object_iter_value(iter)))
            {
                return 0;
            }
        }

        return 1;
    }

    return 0;
}


/*
 * What jansson refuses and we do not: numbers that do not fit into C's, lone
 * surrogates, a zero character in a key.
 */

static ngx_uint_t
excused(json_error_t *error)
{
    return json_error_code(error) == json_error_numeric_overflow
           || json_error_code(error) == json_error_null_byte_in_key
           || strncmp(error->text, "invalid Unicode", 15) == 0;
}


static ngx_uint_t
corpus_one(u_char *text, size_t len, ngx_uint_t *valid)
{
    size_t               i;
    json_t              *want, *got;
    ngx_int_t            rc;
    ngx_uint_t           same;
    json_error_t         error;
    ngx_wschat_buf_t     compact;
    ngx_wschat_value_t   v;

    want = json_loadb((char *) text, len,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL,
                      &error);

    if (want == NULL && json_error_code(&error) == json_error_invalid_utf8) {
        return 1;
    }

    rc = ngx_wschat_json_parse(&json, text, len);

    if (want == NULL) {
        return rc == NGX_DECLINED || (rc == NGX_OK && excused(&error));
    }

    (*valid)++;

    ngx_wschat_buf_init(&compact, len);

    same = 0;

    if (rc == NGX_OK && agrees(0, want)) {

        ngx_wschat_value_token(&v, &json, 0);

        if (ngx_wschat_value_append_json(&compact, &v) == NGX_OK) {

            got = json_loadb((char *) compact.start,
                             ngx_wschat_buf_len(&compact),
                             JSON_DECODE_ANY|JSON_ALLOW_NUL
                             |JSON_DECODE_INT_AS_REAL,
                             &error);

            same = got && json_equal(got, want);

            json_decref(got);

            /* compact is what another scan finds no white space in */

            if (ngx_wschat_json_parse(&json, compact.start,
                                      ngx_wschat_buf_len(&compact))
                != NGX_OK)
            {
                same = 0;
            }

            for (i = 0; i < json.ntokens; i++) {
                if (json.tokens[i].flags & NGX_WSCHAT_JSON_SPACED) {
                    same = 0;
                }
            }
        }
    }

    ngx_wschat_buf_free(&compact);
    json_decref(want);

    return same;
}


static void
test_corpus(void)
{
    size_t       len;
    u_char      *copy;
    ngx_uint_t   i, k, bad, valid;
    static const u_char  bytes[] = "\"\\{}[]:,0123.eE+-u dtn\n\x01\x80";

    bad = 0;
    valid = 0;

    for (i = 0; i < CORPUS; i++) {

        ngx_wschat_buf_reset(&buf);
        generate(rnd(6));

        len = ngx_wschat_buf_len(&buf);

        copy = malloc(len + 1);
        if (copy == NULL) {
            return;
        }

        ngx_memcpy(copy, buf.start, len);
        copy[len] = '\0';

        /* two of three are damaged: bytes changed, inserted, removed, cut */

        for (k = rnd(3); k && len > 1; k--) {

            switch (rnd(4)) {

            case 0:
                copy[rnd(len)] = bytes[rnd(sizeof(bytes) - 1)];
                break;

            case 1:
                copy[rnd(len)] = copy[rnd(len)];
                break;

            case 2:
                len--;
                memmove(copy + rnd(len), copy + rnd(len), 1);
                break;

            default:
                len = 1 + rnd(len);
                break;
            }
        }

        copy[len] = '\0';

        if (!corpus_one(copy, len, &valid)) {
            bad++;

            if (bad < 5) {
                diag("disagree with jansson: %s", copy);
            }
        }

        free(copy);
    }

    is(bad, 0, "%d generated texts, as jansson has them", CORPUS);
    ok(valid > CORPUS / 5 && valid < CORPUS * 4 / 5,
       "of which %d were valid", (int) valid);
}


static void
test_growth(void)
{
    char               *text;
    size_t              i;
    static const size_t len = 20001;

    text = malloc(len + 1);
    if (text == NULL) {
        return;
    }

    for (i = 0; i < len; i++) {
        text[i] = (i & 1) ? '1' : ',';
    }

    text[0] = '[';
    text[len - 1] = ']';
    text[len] = '\0';

    is(parse(text), NGX_OK, "ten thousand elements");
    is(json.ntokens, 10001, "are as many tokens");
    ok(json.nalloc < 2 * 10001, "in not much more memory");

    free(text);

    ngx_wschat_json_free(&json);
    ok(json.tokens == NULL && json.nalloc == 0, "freed");
    is(parse("[]"), NGX_OK, "and reused");
}


int
main(void)
{
    ngx_wschat_buf_init(&buf, 1024 * 1024);

    test_grammar();
    test_prefixes();
    test_plain();
    test_depth();
    test_tokens();
    test_moved();
    test_text();
    test_made();
    test_truth();
    test_equal();
    test_str();
    test_buf();
    test_corpus();
    test_growth();

    ngx_wschat_json_free(&json);
    ngx_wschat_buf_free(&buf);

    return tap_done();
}
