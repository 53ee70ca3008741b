
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * JSON paths, the spelling of references, and selection expressions with the
 * examples of the spec, section 3.2.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_stub.h"
#include "ngx_wschat_expr.h"
#include "tap.h"


#define MESSAGE                                                               \
    "{\"service\":\"chat\",\"action\":\"join\","                               \
    "\"data\":{\"room\":\"room1234\"}}"


static ngx_pool_t        *pool;
static ngx_wschat_json_t  json;
static ngx_wschat_buf_t   buf;


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static const char *
text(ngx_str_t *s)
{
    static char  copy[4096];

    if (s->len >= sizeof(copy)) {
        return "(too long)";
    }

    if (s->len) {
        ngx_memcpy(copy, s->data, s->len);
    }

    copy[s->len] = '\0';

    return copy;
}


/* what an expression gives for a message, which need not be JSON */

static void
expr_is(const char *source, const char *message, const char *want,
    ngx_int_t want_rc)
{
    ngx_int_t           rc;
    ngx_str_t           src, body, out, err;
    ngx_wschat_expr_t  *expr;

    src = str(source);
    body = str(message);
    ngx_str_null(&err);
    ngx_str_null(&out);

    if (ngx_wschat_expr_compile(pool, &src, &expr, &err) != NGX_OK) {
        ok(0, "compiles: %s", source);
        diag("%s", text(&err));
        return;
    }

    rc = ngx_wschat_json_parse(&json, body.data, body.len);

    ngx_wschat_buf_reset(&buf);

    rc = ngx_wschat_expr_eval(expr, rc == NGX_OK ? &json : NULL, &body, &buf,
                              &out);

    is(rc, want_rc, "%s of %.40s", source, message);
    is_str(text(&out), want, "  its text");
}


static void
expr_fails(const char *source, const char *part)
{
    ngx_int_t           rc;
    ngx_str_t           src, err;
    ngx_wschat_expr_t  *expr;

    src = str(source);
    ngx_str_null(&err);

    rc = ngx_wschat_expr_compile(pool, &src, &expr, &err);

    is(rc, NGX_DECLINED, "refused: %s", source);

    if (!ok(strstr(text(&err), part) != NULL, "  says: %s", part)) {
        diag("%s", text(&err));
    }
}


static void
test_spec(void)
{
    expr_is("$request.body.action", MESSAGE, "join", NGX_OK);
    expr_is("${request.body.action}", MESSAGE, "join", NGX_OK);
    expr_is("${request.body.service}/${request.body.action}", MESSAGE,
            "chat/join", NGX_OK);
    expr_is("${request.body.action}-${request.body.invalidPath}", MESSAGE,
            "join-", NGX_OK);
    expr_is("action", MESSAGE, "action", NGX_OK);
    expr_is("\\$default", MESSAGE, "$default", NGX_OK);
    expr_is("$request.body.data.room", MESSAGE, "room1234", NGX_OK);
    expr_is("$request.body.data['room']", MESSAGE, "room1234", NGX_OK);
}


static void
test_text(void)
{
    expr_is("$request.body.a", "{\"a\":1.10}", "1.10", NGX_OK);
    expr_is("$request.body.a", "{\"a\":true}", "true", NGX_OK);
    expr_is("$request.body.a", "{\"a\":null}", "null", NGX_OK);
    expr_is("$request.body.a", "{\"a\":\"\"}", "", NGX_OK);
    expr_is("$request.body.a", "{\"a\":{\"b\": [1, 2]}}", "{\"b\":[1,2]}",
            NGX_OK);
    expr_is("$request.body.a", "{\"a\":[\"item1\", \"item2\"]}",
            "[item1, item2]", NGX_OK);
    expr_is("$request.body.a", "{\"a\":[]}", "[]", NGX_OK);
    expr_is("$request.body.a",
            "{\"a\":[1,[],[\"x\",[null]],{\"b\": 1},\"\\n\",[[]]]}",
            "[1, [], [x, [null]], {\"b\":1}, \n, [[]]]", NGX_OK);
    expr_is("<$request.body.a>", "{\"a\":[1,2]}", "<[1, 2]>", NGX_OK);
    expr_is("$request.body.a", "{\"a\":\"x\\u0041\\\"\"}", "xA\"", NGX_OK);
    expr_is("$request.body[1]", "[1,\"b\"]", "b", NGX_OK);
    expr_is("$request.body.a.", "{\"a\":\"x\"}", "x.", NGX_OK);
    expr_is("$request.body.a-b", "{\"a-b\":\"dash\",\"a\":\"x\"}", "dash",
            NGX_OK);
    expr_is("${request.body.a}-b", "{\"a\":\"x\"}", "x-b", NGX_OK);
    expr_is("${request.body.a b}", "{\"a b\":\"x\"}", "x", NGX_OK);
    expr_is("$request.body.a$request.body.a", "{\"a\":\"x\"}", "xx", NGX_OK);
    expr_is("\\$request.body.a", "{\"a\":\"x\"}", "$request.body.a", NGX_OK);
    expr_is("a\\b\\\\$request.body.a", "{\"a\":\"x\"}",
            "a\\b\\$request.body.a", NGX_OK);
    expr_is("\\", "{}", "\\", NGX_OK);

    /* once, and only once */

    expr_is("$request.body.a", "{\"a\":\"$request.body.b\",\"b\":\"no\"}",
            "$request.body.b", NGX_OK);
    expr_is("${request.body.a}${request.body.b}",
            "{\"a\":\"$request.\",\"b\":\"body.a\"}", "$request.body.a",
            NGX_OK);
}


static void
test_body(void)
{
    expr_is("$request.body", "{ \"a\" : 1 }", "{ \"a\" : 1 }", NGX_OK);
    expr_is("$request.body", "plain|text", "plain|text", NGX_OK);
    expr_is("${request.body}!", "plain", "plain!", NGX_OK);
    expr_is("$request.body", "", "", NGX_OK);
}


static void
test_missing(void)
{
    expr_is("$request.body.action", "plain", "", NGX_DECLINED);
    expr_is("$request.body.action", "", "", NGX_DECLINED);
    expr_is("$request.body.action", "{}", "", NGX_DECLINED);
    expr_is("$request.body.action", "[]", "", NGX_DECLINED);
    expr_is("$request.body.action", "1", "", NGX_DECLINED);
    expr_is("$request.body.action", "\"action\"", "", NGX_DECLINED);
    expr_is("$request.body.a.b", "{\"a\":1}", "", NGX_DECLINED);
    expr_is("$request.body.a[0]", "{\"a\":{\"0\":1}}", "", NGX_DECLINED);
    expr_is("$request.body.a[2]", "{\"a\":[1,2]}", "", NGX_DECLINED);
    expr_is("x$request.body.a", "{}", "x", NGX_DECLINED);
    expr_is("$request.body.a$request.body.b", "{}", "", NGX_DECLINED);
    expr_is("static", "plain", "static", NGX_OK);
}


static void
test_errors(void)
{
    expr_fails("", "empty");
    expr_fails("$default", "$default");
    expr_fails("$default", "\\$");
    expr_fails("$request.header.x", "$request.body");
    expr_fails("$context.routeKey", "$request.body");
    expr_fails("$request.bodyx", "$request.body");
    expr_fails("$request", "$request.body");
    expr_fails("a$", "column 2");
    expr_fails("$1", "reference expected");
    expr_fails("$$request.body.a", "reference expected");
    expr_fails("${request.body.a", "\"}\" expected");
    expr_fails("${}", "between the braces");
    expr_fails("$request.body[a]", "[number]");
    expr_fails("$request.body[-1]", "[number]");
    expr_fails("${request.body..a}", "name expected");
    expr_fails("${request.body.}", "name expected");
    expr_fails("${request.body.a]}", "\"]\" without");
}


static void
test_fast(void)
{
    ngx_str_t           src, body, out, err;
    ngx_wschat_expr_t  *expr;

    src = str("$request.body.action");
    body = str(MESSAGE);

    is(ngx_wschat_expr_compile(pool, &src, &expr, &err), NGX_OK, "one");
    is(expr->constant, 0, "is no constant");
    is(ngx_wschat_json_parse(&json, body.data, body.len), NGX_OK, "message");

    ngx_wschat_buf_reset(&buf);

    is(ngx_wschat_expr_eval(expr, &json, &body, &buf, &out), NGX_OK, "value");
    ok(out.data > body.data && out.data < body.data + body.len,
       "of one reference is not copied");
    is(ngx_wschat_buf_len(&buf), 0, "and nothing written");

    src = str("chat");
    is(ngx_wschat_expr_compile(pool, &src, &expr, &err), NGX_OK, "static");
    is(expr->constant, 1, "is a constant");

    /* two results in one buffer */

    src = str("a$request.body.action");
    is(ngx_wschat_expr_compile(pool, &src, &expr, &err), NGX_OK, "mixed");
    is(ngx_wschat_buf_append(&buf, (u_char *) "kept", 4), NGX_OK, "before");
    is(ngx_wschat_expr_eval(expr, &json, &body, &buf, &out), NGX_OK, "value");
    is_mem(out.data, out.len, "ajoin", 5, "its own");
    is_mem(buf.start, ngx_wschat_buf_len(&buf), "keptajoin", 9, "after");
}


static void
test_limits(void)
{
    size_t              i;
    ngx_int_t           rc, declined;
    ngx_str_t           src, body, out, err;
    ngx_wschat_buf_t    small;
    ngx_wschat_expr_t  *expr;

    src = str("<$request.body.a>");
    body = str("{\"a\":[1,[2],3]}");
    declined = 0;

    is(ngx_wschat_json_parse(&json, body.data, body.len), NGX_OK, "message");
    is(ngx_wschat_expr_compile(pool, &src, &expr, &err), NGX_OK, "expression");

    for (i = 0; i < 13; i++) {
        ngx_wschat_buf_init(&small, i);

        if (ngx_wschat_expr_eval(expr, &json, &body, &small, &out)
            == NGX_ERROR)
        {
            declined++;
        }

        ngx_wschat_buf_free(&small);
    }

    is(declined, 13, "any smaller buffer is too small");

    ngx_wschat_buf_init(&small, 13);
    is(ngx_wschat_expr_eval(expr, &json, &body, &small, &out), NGX_OK,
       "the right one is not");
    is_mem(out.data, out.len, "<[1, [2], 3]>", 13, "  and has it all");
    ngx_wschat_buf_free(&small);

    /* no memory at configuration time, at each point */

    for (i = 0; ; i++) {
        ngx_stub_fail_after(i);
        rc = ngx_wschat_expr_compile(pool, &src, &expr, &err);

        if (rc != NGX_ERROR) {
            break;
        }
    }

    ngx_stub_fail_after(-1);

    is(rc, NGX_OK, "enough memory at last");
    ok(i >= 5, "%d times there was not", (int) i);
}


static void
path_is(const char *source, const char *message, const char *want)
{
    ngx_str_t           src, err;
    ngx_wschat_path_t   path;
    ngx_wschat_value_t  v;

    src = str(source);
    ngx_str_null(&err);

    if (ngx_wschat_path_compile(pool, &src, &path, &err) != NGX_OK) {
        ok(0, "compiles: %s", source);
        diag("%s", text(&err));
        return;
    }

    if (ngx_wschat_json_parse(&json, (u_char *) message, strlen(message))
        != NGX_OK)
    {
        ok(0, "parses: %s", message);
        return;
    }

    ngx_wschat_path_eval(&path, &json, &v);

    if (want == NULL) {
        is(v.kind, NGX_WSCHAT_VALUE_ABSENT, "%s of %s", source, message);

    } else {
        is_str(text(&v.data), want, "%s of %s", source, message);
    }
}


static void
path_fails(const char *source, const char *part)
{
    ngx_int_t          rc;
    ngx_str_t          src, err;
    ngx_wschat_path_t  path;

    src = str(source);
    ngx_str_null(&err);

    rc = ngx_wschat_path_compile(pool, &src, &path, &err);

    is(rc, NGX_DECLINED, "refused: %s", source);

    if (!ok(strstr(text(&err), part) != NULL, "  says: %s", part)) {
        diag("%s", text(&err));
    }
}


static void
test_path(void)
{
    path_is("", "{\"a\":1}", "{\"a\":1}");
    path_is(".a", "{\"a\":1}", "1");
    path_is("a", "{\"a\":1}", "1");
    path_is("a.b.c", "{\"a\":{\"b\":{\"c\":\"x\"}}}", "\"x\"");
    path_is("a.b[0]['x y'][\"z\"]",
            "{\"a\":{\"b\":[{\"x y\":{\"z\":7}},8]}}", "7");
    path_is("[1][0]", "[0,[5]]", "5");
    path_is("[1].a", "[0,{\"a\":5}]", "5");
    path_is("['a.b[c]']", "{\"a.b[c]\":1}", "1");
    path_is("['it's']", "{\"it's\":1}", "1");
    path_is("['']", "{\"\":1}", "1");
    path_is("[\"a']\"]", "{\"a']\":1}", "1");
    path_is("a b$-", "{\"a b$-\":1}", "1");
    path_is("\xc3\xa9", "{\"\\u00e9\":1}", "1");
    path_is("a.0", "{\"a\":[1]}", NULL);
    path_is("[0]", "{\"0\":1}", NULL);
    path_is("['0']", "[1]", NULL);
    path_is("a.b", "{\"a\":\"b\"}", NULL);
    path_is("[3]", "[0,1,2]", NULL);
    path_is("[999999]", "[0,1,2]", NULL);
    path_is("a.a", "{\"a\":{\"b\":{\"a\":1}}}", NULL);
    path_is("a", "{\"a\":1,\"a\":2}", "2");

    path_fails("a..b", "name expected");
    path_fails(".", "name expected");
    path_fails("a.", "name expected");
    path_fails("a.[0]", "name expected");
    path_fails("]", "name expected");
    path_fails("a]", "\"]\" without");
    path_fails("a[", "[number]");
    path_fails("a[0", "[number]");
    path_fails("a[]", "[number]");
    path_fails("a[*]", "[number]");
    path_fails("a[-1]", "[number]");
    path_fails("a[1:2]", "[number]");
    path_fails("a[b]", "[number]");
    path_fails("a[1000000]", "too large");
    path_fails("a[99999999999999999999999]", "too large");
    path_fails("a['b]", "quote");
    path_fails("a['b'", "quote");
    path_fails("a['", "quote");
    path_fails("a[0]b", "after \"]\"");
}


static void
reference_is(const char *source, ngx_uint_t dashes, const char *want,
    const char *rest)
{
    u_char      *p, *next;
    ngx_int_t    rc;
    ngx_str_t    name;
    const char  *reason;

    p = (u_char *) source;

    rc = ngx_wschat_path_reference(p, p + strlen(source), dashes, &name, &next,
                                   &reason);

    if (want == NULL) {
        is(rc, NGX_DECLINED, "no reference: %s", source);
        return;
    }

    if (is(rc, NGX_OK, "a reference: %s", source)) {
        is_str(text(&name), want, "  its name");
        is_str((char *) next, rest, "  what follows");
    }
}


static void
test_reference(void)
{
    reference_is("$a", 0, "a", "");
    reference_is("$a.b c", 0, "a.b", " c");
    reference_is("$a.b.", 0, "a.b", ".");
    reference_is("$a..b", 0, "a", "..b");
    reference_is("$a-b", 0, "a", "-b");
    reference_is("$a.b-c", 0, "a.b", "-c");
    reference_is("$a.b-c", 1, "a.b-c", "");
    reference_is("$request.header.x-api-key: y", 0, "request.header.x-api-key",
                 ": y");
    reference_is("$request.headers.x-y", 0, "request.headers.x", "-y");
    reference_is("$a.0.b1", 0, "a.0.b1", "");
    reference_is("$a[0].b['c d'][\"e\"]f", 0, "a[0].b['c d'][\"e\"]", "f");
    reference_is("$_x1$y", 0, "_x1", "$y");
    reference_is("${a b}c", 0, "a b", "c");
    reference_is("${$}", 0, "$", "");
    reference_is("$", 0, NULL, NULL);
    reference_is("$$a", 0, NULL, NULL);
    reference_is("$1", 0, NULL, NULL);
    reference_is("$ a", 0, NULL, NULL);
    reference_is("$.a", 0, NULL, NULL);
    reference_is("$[0]", 0, NULL, NULL);
    reference_is("$\xc3\xa9", 0, NULL, NULL);
}


int
main(void)
{
    pool = ngx_stub_pool_create();
    ngx_wschat_buf_init(&buf, 4096);

    test_spec();
    test_text();
    test_body();
    test_missing();
    test_errors();
    test_fast();
    test_limits();
    test_path();
    test_reference();

    ngx_wschat_json_free(&json);
    ngx_wschat_buf_free(&buf);
    ngx_stub_pool_destroy(pool);

    return tap_done();
}
