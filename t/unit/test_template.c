
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Templates: bodies with references into a message, into plain texts and to
 * a number that is filled in later; types, absence, injection, errors.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_stub.h"
#include "ngx_wschat_path.h"
#include "ngx_wschat_template.h"
#include "tap.h"


/*
 * The references here: request.body and paths in it; text.* as plain text, by
 * what the test says; late; fails, when it is resolved.
 */

typedef enum {
    REF_BODY = 0,
    REF_PATH,
    REF_TEXT,
    REF_FAILS
} ref_e;


typedef struct {
    ref_e              type;
    ngx_wschat_path_t  path;
} ref_t;


typedef struct {
    ngx_wschat_json_t  json;
    ngx_int_t          parsed;
    ngx_str_t          body;
    const char        *text;
    ngx_uint_t         resolved;
} message_t;


static ngx_pool_t        *pool;
static ngx_wschat_buf_t   buf;
static message_t          message;
static const char        *refused;


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


static ngx_int_t
compile_ref(void *data, ngx_str_t *name, void **out, ngx_str_t *err)
{
    ref_t      *ref;
    ngx_str_t   path;

    if (data != &message) {
        return NGX_ERROR;
    }

    if (name->len == 4 && ngx_strncmp(name->data, "late", 4) == 0) {
        *out = NGX_WSCHAT_TEMPLATE_LATE;
        return NGX_OK;
    }

    ref = ngx_pcalloc(pool, sizeof(ref_t));
    if (ref == NULL) {
        return NGX_ERROR;
    }

    *out = ref;

    if (name->len == 4 && ngx_strncmp(name->data, "text", 4) == 0) {
        ref->type = REF_TEXT;
        return NGX_OK;
    }

    if (name->len == 5 && ngx_strncmp(name->data, "fails", 5) == 0) {
        ref->type = REF_FAILS;
        return NGX_OK;
    }

    if (name->len == 1) {
        ref->type = REF_PATH;
        return ngx_wschat_path_compile(pool, name, &ref->path, err);
    }

    if (name->len < 12 || ngx_strncmp(name->data, "request.body", 12) != 0) {
        *err = str("$request.body, $text or $late expected");
        return NGX_DECLINED;
    }

    if (name->len == 12) {
        ref->type = REF_BODY;
        return NGX_OK;
    }

    path.data = name->data + 12;
    path.len = name->len - 12;

    ref->type = REF_PATH;

    return ngx_wschat_path_compile(pool, &path, &ref->path, err);
}


static ngx_int_t
resolve(void *ctx, void *data, ngx_wschat_value_t *v)
{
    ref_t      *ref = data;
    message_t  *m = ctx;

    m->resolved++;

    switch (ref->type) {

    case REF_BODY:
        ngx_wschat_value_text(v, m->body.data, m->body.len);
        break;

    case REF_PATH:

        if (m->parsed == NGX_OK) {
            ngx_wschat_path_eval(&ref->path, &m->json, v);

        } else {
            ngx_wschat_value_absent(v);
        }

        break;

    case REF_TEXT:

        if (m->text) {
            ngx_wschat_value_text(v, (u_char *) m->text, strlen(m->text));

        } else {
            ngx_wschat_value_absent(v);
        }

        break;

    default:
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_wschat_template_t *
compile(const char *source)
{
    ngx_int_t                   rc;
    ngx_wschat_template_conf_t  tc;

    ngx_memzero(&tc, sizeof(ngx_wschat_template_conf_t));

    tc.pool = pool;
    tc.source = str(source);
    tc.ref = compile_ref;
    tc.data = &message;

    rc = ngx_wschat_template_compile(&tc);

    refused = (rc == NGX_OK) ? NULL : text(&tc.err);

    return (rc == NGX_OK) ? tc.template : NULL;
}


static void
set_message(const char *body)
{
    message.body = str(body);
    message.parsed = ngx_wschat_json_parse(&message.json, message.body.data,
                                           message.body.len);
}


/* what a template makes of a message; JSON must be JSON for jansson too */

static void
body_is(const char *source, const char *body, const char *want)
{
    json_t                 *check;
    ngx_int_t               rc;
    ngx_str_t               out;
    ngx_wschat_template_t  *tpl;

    tpl = compile(source);
    if (tpl == NULL) {
        ok(0, "compiles");
        diag("%s: %s", source, refused);
        return;
    }

    set_message(body);
    ngx_wschat_buf_reset(&buf);

    rc = ngx_wschat_template_render(tpl, &buf, resolve, &message, NULL);

    if (want == NULL) {
        is(rc, NGX_DECLINED, "%.60s: nothing to render", source);
        is(ngx_wschat_buf_len(&buf), 0, "  and nothing is");
        return;
    }

    is(rc, NGX_OK, "%.60s", source);

    out.data = buf.start;
    out.len = ngx_wschat_buf_len(&buf);

    is_str(text(&out), want, "  as it should be");

    if (tpl->is_json) {
        check = json_loadb((char *) out.data, out.len,
                           JSON_DECODE_ANY|JSON_ALLOW_NUL
                           |JSON_DECODE_INT_AS_REAL,
                           NULL);
        ok(check != NULL, "  and JSON");
        json_decref(check);
    }
}


static void
refuses(const char *source, const char *part)
{
    if (compile(source) != NULL) {
        ok(0, "refused");
        diag("%s", source);
        return;
    }

    if (!ok(strstr(refused, part) != NULL, "says: %s", part)) {
        diag("%s", source);
        diag("%s", refused);
    }
}


static void
test_types(void)
{
    const char  *m;

    m = "{\"s\":\"x\",\"n\":1.10,\"t\":true,\"f\":false,\"z\":null,"
        "\"o\":{ \"b\" : 1, \"a\" : [ ] },\"a\":[1, \"two\" ,3.0],"
        "\"e\":\"q\\\"\\u00e9\\n\",\"big\":123456789012345678901.50}";

    body_is("{\"v\":\"$request.body.s\"}", m, "{\"v\":\"x\"}");
    body_is("{\"v\":\"$request.body.n\"}", m, "{\"v\":1.10}");
    body_is("{\"v\":\"$request.body.big\"}", m,
            "{\"v\":123456789012345678901.50}");
    body_is("{\"v\":\"$request.body.t\"}", m, "{\"v\":true}");
    body_is("{\"v\":\"$request.body.f\"}", m, "{\"v\":false}");
    body_is("{\"v\":\"$request.body.z\"}", m, "{\"v\":null}");
    body_is("{\"v\":\"$request.body.o\"}", m, "{\"v\":{\"b\":1,\"a\":[]}}");
    body_is("{\"v\":\"$request.body.a\"}", m, "{\"v\":[1,\"two\",3.0]}");
    body_is("{\"v\":\"$request.body.a[2]\"}", m, "{\"v\":3.0}");
    body_is("{\"v\":\"$request.body['a'][1]\"}", m, "{\"v\":\"two\"}");
    body_is("{\"v\":\"${request.body.o.b}\"}", m, "{\"v\":1}");
    body_is("{\"v\":\"$request.body[\\\"n\\\"]\"}", m, "{\"v\":1.10}");
    body_is("{\"v\":\"$request.body.e\"}", m,
            "{\"v\":\"q\\\"\\u00e9\\n\"}");
    body_is("[\"$request.body.n\",\"$request.body.s\"]", m, "[1.10,\"x\"]");
    body_is("\"$request.body.n\"", m, "1.10");
    body_is("\"$request.body\"", "{\"a\":\"b\"}", "\"{\\\"a\\\":\\\"b\\\"}\"");
    body_is(" \"$request.body.o\" ", m, "{\"b\":1,\"a\":[]}");

    /* inside a longer string everything is text */

    body_is("{\"v\":\"<$request.body.n>\"}", m, "{\"v\":\"<1.10>\"}");
    body_is("{\"v\":\"<$request.body.s>\"}", m, "{\"v\":\"<x>\"}");
    body_is("{\"v\":\"<$request.body.z>\"}", m, "{\"v\":\"<null>\"}");
    body_is("{\"v\":\"<$request.body.e>\"}", m,
            "{\"v\":\"<q\\\"\\u00e9\\n>\"}");
    body_is("{\"v\":\"<$request.body.a>\"}", m,
            "{\"v\":\"<[1,\\\"two\\\",3.0]>\"}");
    body_is("{\"v\":\"$request.body.n$request.body.n\"}", m,
            "{\"v\":\"1.101.10\"}");
    body_is("{\"v\":\"$request.body.s.\"}", m, "{\"v\":\"x.\"}");
    body_is("{\"v\":\"$request.body.s-y\"}", m, "{\"v\":\"x-y\"}");
    body_is("{\"k$request.body.n\":1}", m, "{\"k1.10\":1}");
    body_is("{\"$request.body.e\":1}", m, "{\"q\\\"\\u00e9\\n\":1}");
}


static void
test_written(void)
{
    body_is("{ \"b\" : 1.10 , \"a\" : [ 1e5 , -0 ] }\t", "",
            "{\"b\":1.10,\"a\":[1e5,-0]}");
    body_is("{\"a\":\"\\u00e9\\/\\\"\"}", "", "{\"a\":\"\\u00e9\\/\\\"\"}");
    body_is("{\"a\":12345678901234567890}", "", "{\"a\":12345678901234567890}");
    body_is("{}", "", "{}");
    body_is("[ ]", "", "[]");
    body_is("\"\"", "", "\"\"");
    body_is("1.10", "", "1.10");
    body_is(" true ", "", "true");
    body_is("{\"a\":\"$$5 and $5, $ 5, 5$\"}", "",
            "{\"a\":\"$5 and $5, $ 5, 5$\"}");
    body_is("{\"a\":\"$$text\"}", "", "{\"a\":\"$text\"}");
    body_is("{\"a\":\"$$$$\"}", "", "{\"a\":\"$$\"}");
    body_is("{\"$$a\":1}", "", "{\"$a\":1}");
    body_is("\"a\\\\\\\"$a\"", "{}", "\"a\\\\\\\"\"");
    body_is("\"$a\\u0001\"", "{}", "\"\\u0001\"");
    body_is("{\"a\":\"\\u0024text\\n\\\"\\u00e9\"}", "",
            "{\"a\":\"\\n\\\"\xc3\xa9\"}");
}


static void
test_absent(void)
{
    body_is("{\"a\":\"$a\",\"b\":1,\"c\":2}", "{}", "{\"b\":1,\"c\":2}");
    body_is("{\"b\":1,\"a\":\"$a\",\"c\":2}", "{}", "{\"b\":1,\"c\":2}");
    body_is("{\"b\":1,\"c\":2,\"a\":\"$a\"}", "{}", "{\"b\":1,\"c\":2}");
    body_is("{\"a\":\"$a\"}", "{}", "{}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{}", "{}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{\"a\":1}",
            "{\"a\":1}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{\"b\":1}",
            "{\"b\":1}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{\"c\":1}",
            "{\"c\":1}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{\"a\":1,\"c\":2}",
            "{\"a\":1,\"c\":2}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}", "{\"b\":1,\"c\":2}",
            "{\"b\":1,\"c\":2}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\",\"c\":\"$c\"}",
            "{\"a\":0,\"b\":1,\"c\":2}", "{\"a\":0,\"b\":1,\"c\":2}");
    body_is("{\"a\":\"$a\",\"x\":{\"b\":\"$b\"},\"c\":\"$c\"}", "{}",
            "{\"x\":{}}");
    body_is("{\"a\":\"$a\",\"x\":{\"b\":\"$b\"},\"c\":\"$c\"}", "{\"c\":1}",
            "{\"x\":{},\"c\":1}");
    body_is("{\"a\":\"$a\",\"x\":{\"b\":\"$b\",\"d\":1},\"c\":\"$c\"}",
            "{\"a\":1,\"b\":2}", "{\"a\":1,\"x\":{\"b\":2,\"d\":1}}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\"}", "{\"a\":\"{\",\"b\":1}",
            "{\"a\":\"{\",\"b\":1}");
    body_is("{\"a\":\"$a\",\"b\":\"$b\"}", "{\"a\":{},\"b\":1}",
            "{\"a\":{},\"b\":1}");
    body_is("{\"a\":\"$a\",\"b\":{}}", "{}", "{\"b\":{}}");
    body_is("{\"a\":\"$a\",\"b\":\"<$b>\"}", "{}", "{\"b\":\"<>\"}");
    body_is("{\"a\":null,\"b\":\"$b\"}", "{\"b\":null}",
            "{\"a\":null,\"b\":null}");
    body_is("{\"a\":\"$a\"}", "not JSON", "{}");

    /* members with references in their keys */

    body_is("{\"k$a\":\"$b\",\"c\":1}", "{}", "{\"c\":1}");
    body_is("{\"k$a\":\"$b\",\"c\":1}", "{\"a\":5,\"b\":6}",
            "{\"k5\":6,\"c\":1}");
    body_is("{\"k$a\":\"$b\",\"c\":1}", "{\"b\":6}", "{\"k\":6,\"c\":1}");
    body_is("{\"x\":\"$x\",\"k$a\":\"$b\",\"y\":\"$y\"}", "{\"b\":6}",
            "{\"k\":6}");
    body_is("{\"x\":\"$x\",\"k$a\":\"$b\",\"y\":\"$y\"}", "{\"x\":1,\"y\":2}",
            "{\"x\":1,\"y\":2}");
    body_is("{\"x\":0,\"k$a\":\"$b\",\"y\":\"$y\"}", "{\"b\":1,\"y\":2}",
            "{\"x\":0,\"k\":1,\"y\":2}");
    body_is("{\"x\":\"$x\",\"k$a\":1}", "{}", "{\"k\":1}");
    body_is("{\"x\":\"$x\",\"$$\":\"$b\"}", "{\"x\":1,\"b\":2}",
            "{\"x\":1,\"$\":2}");

    /* elements are counted, so they stay */

    body_is("[\"$a\",1,\"$b\"]", "{}", "[null,1,null]");
    body_is("[\"$a\"]", "{}", "[null]");
    body_is("[{\"a\":\"$a\"},\"$b\"]", "{}", "[{},null]");
    body_is("[\"<$a>\"]", "{}", "[\"<>\"]");

    /* a document that is nothing */

    body_is("\"$a\"", "{}", NULL);
    body_is("\"$a\"", "{\"a\":\"\"}", "\"\"");
    body_is("\"<$a>\"", "{}", "\"<>\"");

    /* text */

    body_is("a $a b", "{}", "a  b");
    body_is("$a", "{}", "");
}


static void
test_text(void)
{
    body_is("Hello $request.body.name!", "{\"name\":\"A\\u0042\\\"\"}",
            "Hello AB\"!");
    body_is("$request.body", "{ raw", "{ raw");
    body_is("<${request.body}>", "x", "<x>");
    body_is("$a", "{\"a\":[1, 2]}", "[1,2]");
    body_is("", "", "");
    body_is("  ", "", "  ");
    body_is("plain", "", "plain");
    body_is("$$a costs $5", "", "$a costs $5");
    body_is("a \"quoted\" \\ text", "", "a \"quoted\" \\ text");
    body_is("'{}'", "", "'{}'");
}


static void
test_injection(void)
{
    json_t      *json;
    const char  *evil[] = {
        "\"", "\\", "\",\"admin\":true,\"x\":\"", "\\\"", "\\\\\"", "\n", "}",
        "$request.body.a", "${request.body}", "$$", "\\u0022", "\x01",
        "\",\"a\":\"", "{\"a\":\"b\"}", "</script>", "\xe2\x80\xa8"
    };
    char         body[256], *dump;
    size_t       i;

    for (i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {

        json = json_pack("{s:s}", "m", evil[i]);
        dump = json_dumps(json, JSON_COMPACT);

        if (dump == NULL || strlen(dump) >= sizeof(body)) {
            ok(0, "a message");
            return;
        }

        strcpy(body, dump);
        free(dump);
        json_decref(json);

        message.text = evil[i];

        ngx_wschat_buf_reset(&buf);
        set_message(body);

        if (ngx_wschat_template_render(
                compile("{\"one\":\"$request.body.m\","
                        "\"two\":\"<$request.body.m>\","
                        "\"three\":\"$text\",\"four\":\"<$text>\","
                        "\"<$text>\":\"$text\"}"),
                &buf, resolve, &message, NULL)
            != NGX_OK)
        {
            ok(0, "renders");
            continue;
        }

        json = json_loadb((char *) buf.start, ngx_wschat_buf_len(&buf),
                          JSON_REJECT_DUPLICATES, NULL);

        is(json_object_size(json), 5, "content number %d adds no member",
           (int) i);
        is_str(json_string_value(json_object_get(json, "one")), evil[i],
               "  alone it is itself");
        is_str(json_string_value(json_object_get(json, "three")), evil[i],
               "  so is a text");

        snprintf(body, sizeof(body), "<%s>", evil[i]);

        is_str(json_string_value(json_object_get(json, "two")), body,
               "  also in a longer string");
        is_str(json_string_value(json_object_get(json, "four")), body,
               "  so is a text");
        is_str(json_string_value(json_object_get(json, body)), evil[i],
               "  and in a key");

        json_decref(json);
    }

    message.text = NULL;

    /* escapes in the message are kept as they are, and are no quotes */

    body_is("{\"v\":\"$request.body.m\",\"w\":\"<$request.body.m>\"}",
            "{\"m\":\"\\u0022,\\u005c\"}",
            "{\"v\":\"\\u0022,\\u005c\",\"w\":\"<\\u0022,\\u005c>\"}");
    body_is("$request.body.m", "{\"m\":\"\\u0022,\\u005c\"}", "\",\\");
}


static void
late_is(const char *source, const char *body, const char *want)
{
    char                   *out;
    size_t                  len;
    ssize_t                 at;
    ngx_wschat_template_t  *tpl;

    tpl = compile(source);
    if (tpl == NULL) {
        ok(0, "compiles");
        diag("%s: %s", source, refused);
        return;
    }

    set_message(body);

    /* the offset is the body's own, not the buffer's */

    ngx_wschat_buf_reset(&buf);
    is(ngx_wschat_buf_append(&buf, (u_char *) "kept", 4), NGX_OK, "before");

    at = 0;

    is(ngx_wschat_template_render(tpl, &buf, resolve, &message, &at), NGX_OK,
       "%s", source);

    len = ngx_wschat_buf_len(&buf) - 4;
    out = (char *) buf.start + 4;

    if (!ok(at >= -1 && at <= (ssize_t) len, "  offset within")) {
        return;
    }

    is(tpl->late, 1, "  it has a late reference");
    is(tpl->constant, 0, "  and is no constant");

    if (want == NULL) {
        is(at, -1, "  which was not used");
        return;
    }

    if (!ok(at >= 0, "  which was used")) {
        return;
    }

    if (ngx_wschat_buf_append(&buf, (u_char *) "421", 4) != NGX_OK) {
        ok(0, "room for digits");
        return;
    }

    out = (char *) buf.start + 4;
    memmove(out + at + 3, out + at, len - at);
    ngx_memcpy(out + at, "421", 3);
    out[len + 3] = '\0';

    is_str(out, want, "  digits in place");
}


static void
test_late(void)
{
    late_is("{\"offset\":\"$late\"}", "{}", "{\"offset\":421}");
    late_is("{\"a\":\"$a\",\"offset\":\"$late\",\"b\":\"$b\"}", "{}",
            "{\"offset\":421}");
    late_is("{\"a\":\"$a\",\"offset\":\"$late\",\"b\":\"$b\"}",
            "{\"a\":1,\"b\":2}", "{\"a\":1,\"offset\":421,\"b\":2}");
    late_is("{\"offset\":\"$late\",\"b\":1}", "{}", "{\"offset\":421,\"b\":1}");
    late_is("[\"$late\"]", "{}", "[421]");
    late_is("\"$late\"", "{}", "421");
    late_is("\"<$late>\"", "{}", "\"<421>\"");
    late_is("number ${late}.", "{}", "number 421.");
    late_is("$late", "{}", "421");
    late_is("{\"k$late\":\"$a\"}", "{\"a\":1}", "{\"k421\":1}");
    late_is("{\"k$late\":\"$a\"}", "{}", NULL);

    refuses("{\"a\":\"$late\",\"b\":\"$late\"}", "only once");
    refuses("$late$late", "only once");

    is(compile("\"$late\"")->single == NULL, 1, "a late one is not single");
}


static void
test_shape(void)
{
    ssize_t                 at;
    ngx_wschat_template_t  *tpl;

    tpl = compile(" {\n \"a\" : 1\r\n}\n");
    ok(tpl->is_json && tpl->constant, "a constant of JSON");
    is_mem(tpl->literal.data, tpl->literal.len, "{\"a\":1}", 7, "  compact");

    tpl = compile("a $$ ");
    ok(!tpl->is_json && tpl->constant, "a constant text");
    is_mem(tpl->literal.data, tpl->literal.len, "a $ ", 4, "  as it is");

    tpl = compile("");
    ok(!tpl->is_json && tpl->constant, "an empty text");
    is(tpl->literal.len, 0, "  is empty");
    ok(tpl->literal.data != NULL, "  but somewhere");

    tpl = compile("$a");
    ok(!tpl->constant && !tpl->is_json && tpl->single, "a single reference");
    tpl = compile("\"$a\"");
    ok(!tpl->constant && tpl->is_json && tpl->single, "one as JSON");
    tpl = compile("\"$a \"");
    ok(tpl->single == NULL, "a longer string is no single reference");
    tpl = compile("$a$a");
    ok(tpl->single == NULL, "nor are two");
    tpl = compile("[\"$a\"]");
    ok(tpl->single == NULL, "nor is one in an array");

    at = 5;
    set_message("{}");
    is(ngx_wschat_template_render(tpl, &buf, resolve, &message, &at), NGX_OK,
       "a body without a late reference");
    is(at, -1, "  says so");

    /* each reference is asked for once; nothing else is */

    tpl = compile("{\"a\":\"$a\",\"b\":\"<$b>\",\"c\":[\"$c\"]}");
    message.resolved = 0;
    is(ngx_wschat_template_render(tpl, &buf, resolve, &message, NULL), NGX_OK,
       "three references");
    is(message.resolved, 3, "  resolved once each");
}


static void
test_errors(void)
{
    refuses("{\"a\":1", "almost JSON");
    refuses("{\"a\":1", "line 1, column 7");
    refuses("{\"a\":1,}", "almost JSON");
    refuses("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3");
    refuses("{'a':1}", "almost JSON");
    refuses("[1,", "almost JSON");
    refuses("\"abc", "almost JSON");
    refuses("{} x", "almost JSON");
    refuses("{\"a\":1,\"a\":2}", "duplicate");
    refuses("{\"a\":\"\xff\"}", "almost JSON");
    refuses("text \xff", "UTF-8");
    refuses("{\"a\":$request.body.x}", "must be written in quotes");
    refuses("{\"a\":$request.body.x}", "\"$request.body.x\"");
    refuses("{\"a\":$request.body.x}", "JSON type");
    refuses("{\"a\":$request.body.x}", "line 1, column 6");
    refuses("{\"a\":\n ${request.body.x}}", "line 2, column 2");
    refuses("[$request.body.x]", "must be written in quotes");
    refuses("{$request.body.x:1}", "must be written in quotes");
    refuses("{\"a\":\"$nosuch\"}", "$nosuch: $request.body, $text");
    refuses("{\"a\":\"$nosuch\"}", "line 1, column 7");
    refuses("{\"\xc3\xa9\":\"$nosuch\"}", "line 1, column 7");
    refuses("{\"a\":\"\\n $nosuch\"}", "line 1, column 7");
    refuses("{\"a\":\"x $nosuch\"}", "line 1, column 9");
    refuses("{\"$nosuch\":1}", "line 1, column 3");
    refuses("{\"a\":{\"b\":[\"$nosuch\"]}}", "$nosuch");
    refuses("{\"$nosuch\":\"$a\"}", "$nosuch");
    refuses("\"$nosuch\"", "$nosuch");
    refuses("$nosuch", "line 1, column 1");
    refuses("one\ntwo $nosuch", "line 2, column 5");
    refuses("{\"a\":\"$request.body[x]\"}", "[number] or ['key'] expected");
    refuses("{\"a\":\"${request.body\"}", "\"}\" expected");
    refuses("${}", "between the braces");
    refuses("a $request.body[", "[number]");
    refuses("${request.body..a}", "name expected");
    refuses("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
            "1"
            "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
            "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",            "nested too deep");
}


static void
test_limits(void)
{
    size_t                  i;
    ngx_uint_t              failed;
    ngx_wschat_buf_t        small;
    ngx_wschat_template_t  *tpl;
    static const char       source[] =
        "{\"a\":\"$a\",\"b\":\"$b\",\"k$a\":\"$b\",\"c\":[\"$c\",\"$late\"],"
        "\"d\":\"<$a>\"}";
    static const char       want[] =
        "{\"a\":\"x\",\"b\":[1,2],\"kx\":[1,2],\"c\":[null,],\"d\":\"<x>\"}";

    set_message("{\"a\":\"x\",\"b\":[1, 2]}");

    tpl = compile(source);
    failed = 0;

    for (i = 0; i < sizeof(want) - 1; i++) {
        ngx_wschat_buf_init(&small, i + 1);

        if (ngx_wschat_buf_append_char(&small, '!') == NGX_OK
            && ngx_wschat_template_render(tpl, &small, resolve, &message, NULL)
               == NGX_ERROR
            && ngx_wschat_buf_len(&small) == 1)
        {
            failed++;
        }

        ngx_wschat_buf_free(&small);
    }

    is(failed, sizeof(want) - 1, "in less room it fails and leaves no part");

    ngx_wschat_buf_init(&small, i);
    is(ngx_wschat_template_render(tpl, &small, resolve, &message, NULL),
       NGX_OK, "in just enough it does not");
    is_mem(small.start, ngx_wschat_buf_len(&small), want, sizeof(want) - 1,
           "  and has it all");
    ngx_wschat_buf_free(&small);

    ngx_wschat_buf_init(&small, 100);
    is(ngx_wschat_template_render(compile("$fails"), &small, resolve, &message,
                                  NULL),
       NGX_ERROR, "a reference that cannot be resolved");
    is(ngx_wschat_template_render(compile("[\"$a\",\"$fails\"]"), &small,
                                  resolve, &message, NULL),
       NGX_ERROR, "also later");
    is(ngx_wschat_buf_len(&small), 0, "leaves nothing");
    ngx_wschat_buf_free(&small);

    /* no memory at configuration time, at each point */

    failed = 0;

    for (i = 0; i < 1000; i++) {
        ngx_stub_fail_after(i);

        if (compile(source) != NULL) {
            break;
        }

        failed += (refused[0] != '\0');
    }

    ngx_stub_fail_after(-1);

    ok(i > 10 && i < 1000, "enough memory at last, %d times not", (int) i);
    is(failed, 0, "no message is made of that");

    for (i = 0; i < 1000; i++) {
        ngx_stub_fail_after(i);
        compile("{\"a\":$a}");

        if (refused[0] != '\0') {
            break;
        }
    }

    ngx_stub_fail_after(-1);

    ok(i > 0 && i < 1000, "nor by an error, %d times", (int) i);
}


int
main(void)
{
    pool = ngx_stub_pool_create();
    ngx_wschat_buf_init(&buf, 65536);

    test_types();
    test_written();
    test_absent();
    test_text();
    test_injection();
    test_late();
    test_shape();
    test_errors();
    test_limits();

    ngx_wschat_json_free(&message.json);
    ngx_wschat_buf_free(&buf);
    ngx_stub_pool_destroy(pool);

    return tap_done();
}
