
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>
#include "ngx_wschat_path.h"
#include "ngx_wschat_template.h"


#define NGX_WSCHAT_TEMPLATE_ERR_LEN  400


/*
 * A template is a flat list of what to do in turn.  Whether a member needs a
 * comma before it is known when it is compiled, unless all members before it
 * may be absent.  Then the output itself tells: its last byte is the "{" of
 * the object if and only if none of them was there, because no value ends in
 * that byte.
 */

typedef enum {
    NGX_WSCHAT_TEMPLATE_LITERAL = 0,    /* append text */
    NGX_WSCHAT_TEMPLATE_COMMA,          /* append ",", if not after "{" */
    NGX_WSCHAT_TEMPLATE_TEXT,           /* append ref as text */
    NGX_WSCHAT_TEMPLATE_INSIDE,         /* the same, within a JSON string */
    NGX_WSCHAT_TEMPLATE_ELEMENT,        /* append ref as JSON, or null */
    NGX_WSCHAT_TEMPLATE_DOCUMENT,       /* the same, absent is DECLINED */
    NGX_WSCHAT_TEMPLATE_MEMBER,         /* the same, absent is nothing; with
                                           text, the key, before it */
    NGX_WSCHAT_TEMPLATE_UNLESS,         /* ref is absent: skip ops */
    NGX_WSCHAT_TEMPLATE_DIGITS          /* remember where */
} ngx_wschat_template_op_e;


struct ngx_wschat_template_op_s {
    ngx_wschat_template_op_e     code;
    ngx_uint_t                   skip;      /* of UNLESS */
    ngx_uint_t                   comma;     /* of MEMBER: as COMMA */
    ngx_str_t                    text;
    void                        *ref;
};


typedef struct {
    ngx_wschat_template_conf_t  *conf;
    ngx_wschat_template_t       *template;
    ngx_wschat_json_t            json;
    ngx_wschat_buf_t             literal;   /* not yet in an op */
    ngx_array_t                  ops;
} ngx_wschat_template_ctx_t;


static ngx_int_t ngx_wschat_template_body(ngx_wschat_template_ctx_t *c);
static ngx_int_t ngx_wschat_template_validate(ngx_wschat_template_ctx_t *c);
static ngx_int_t ngx_wschat_template_value(ngx_wschat_template_ctx_t *c,
    uint32_t n);
static ngx_int_t ngx_wschat_template_object(ngx_wschat_template_ctx_t *c,
    uint32_t object);
static ngx_int_t ngx_wschat_template_member(ngx_wschat_template_ctx_t *c,
    uint32_t key, void *ref, ngx_uint_t always, ngx_uint_t more);
static ngx_int_t ngx_wschat_template_comma(ngx_wschat_template_ctx_t *c,
    ngx_uint_t always, ngx_uint_t more);
static ngx_int_t ngx_wschat_template_array(ngx_wschat_template_ctx_t *c,
    uint32_t array);
static ngx_int_t ngx_wschat_template_string(ngx_wschat_template_ctx_t *c,
    uint32_t n);
static ngx_int_t ngx_wschat_template_pieces(ngx_wschat_template_ctx_t *c,
    ngx_str_t *text, size_t at, ngx_uint_t verbatim);
static ngx_int_t ngx_wschat_template_single(ngx_wschat_template_ctx_t *c,
    uint32_t n, void **ref);
static ngx_int_t ngx_wschat_template_ref(ngx_wschat_template_ctx_t *c,
    ngx_str_t *name, size_t at, void **ref);
static ngx_int_t ngx_wschat_template_unescape(ngx_wschat_template_ctx_t *c,
    uint32_t n, ngx_str_t *text);
static ngx_int_t ngx_wschat_template_literal(ngx_wschat_template_ctx_t *c,
    const u_char *p, size_t len);
static ngx_wschat_template_op_t *ngx_wschat_template_push(
    ngx_wschat_template_ctx_t *c, ngx_wschat_template_op_e code, void *ref);
static ngx_int_t ngx_wschat_template_flush(ngx_wschat_template_ctx_t *c);
static ngx_int_t ngx_wschat_template_take(ngx_wschat_template_ctx_t *c,
    ngx_str_t *text);
static ngx_int_t ngx_wschat_template_error(ngx_wschat_template_ctx_t *c,
    size_t at, const char *fmt, ...)
#if (__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;


u_char  ngx_wschat_template_late;


ngx_int_t
ngx_wschat_template_compile(ngx_wschat_template_conf_t *tc)
{
    ngx_int_t                   rc;
    ngx_wschat_template_t      *tpl;
    ngx_wschat_template_op_t   *op;
    ngx_wschat_template_ctx_t   c;

    ngx_str_null(&tc->err);

    tpl = ngx_pcalloc(tc->pool, sizeof(ngx_wschat_template_t));
    if (tpl == NULL) {
        return NGX_ERROR;
    }

    tpl->constant = 1;

    ngx_memzero(&c, sizeof(ngx_wschat_template_ctx_t));

    c.conf = tc;
    c.template = tpl;

    /* what is compiled is never longer than what it was written as */

    ngx_wschat_buf_init(&c.literal, tc->source.len);

    if (ngx_array_init(&c.ops, tc->pool, 4, sizeof(ngx_wschat_template_op_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_wschat_template_body(&c);

    if (rc == NGX_OK) {
        rc = ngx_wschat_template_flush(&c);
    }

    ngx_wschat_buf_free(&c.literal);
    ngx_wschat_json_free(&c.json);

    if (rc != NGX_OK) {
        return rc;
    }

    op = c.ops.elts;

    tpl->ops = op;
    tpl->last = op + c.ops.nelts;

    if (tpl->constant) {
        ngx_str_set(&tpl->literal, "");

        if (c.ops.nelts) {
            tpl->literal = op->text;
        }
    }

    tc->template = tpl;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_template_body(ngx_wschat_template_ctx_t *c)
{
    u_char                    *p, *last, *next;
    void                      *ref;
    json_t                    *utf8;
    ngx_int_t                  rc, parsed;
    ngx_str_t                 *source, name;
    const char                *reason;
    ngx_uint_t                 looks;
    ngx_wschat_template_op_t  *op;

    source = &c->conf->source;

    if (source->len == 0) {
        return NGX_OK;
    }

    p = source->data;
    last = p + source->len;

    while (p < last && ngx_wschat_json_is_space(*p)) {
        p++;
    }

    looks = (p < last && (*p == '{' || *p == '[' || *p == '"'));

    parsed = ngx_wschat_json_parse(&c->json, source->data, source->len);

    if (parsed == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (looks || parsed == NGX_OK) {

        c->template->is_json = 1;

        rc = ngx_wschat_template_validate(c);
        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_wschat_template_single(c, 0, &ref);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ref == NULL) {
            return ngx_wschat_template_value(c, 0);
        }

        op = ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_DOCUMENT, ref);

    } else {

        /* what is sent is UTF-8, and so are the values */

        utf8 = json_stringn((char *) source->data, source->len);
        if (utf8 == NULL) {
            return ngx_wschat_template_error(c, 0, "the body is not UTF-8");
        }

        json_decref(utf8);

        p = source->data;

        if (*p != '$'
            || ngx_wschat_path_reference(p, last, 0, &name, &next, &reason)
               != NGX_OK
            || next != last)
        {
            return ngx_wschat_template_pieces(c, source, 0, 1);
        }

        rc = ngx_wschat_template_ref(c, &name, 0, &ref);
        if (rc != NGX_OK) {
            return rc;
        }

        op = ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_TEXT, ref);
    }

    if (op == NULL) {
        return NGX_ERROR;
    }

    if (op->code != NGX_WSCHAT_TEMPLATE_DIGITS) {
        c->template->single = ref;
    }

    return NGX_OK;
}


/*
 * jansson judges the body and words the diagnosis.  It takes what our scanner
 * takes, except that it refuses more: duplicate keys, lone surrogates, \u0000
 * and what is not UTF-8.
 */

static ngx_int_t
ngx_wschat_template_validate(ngx_wschat_template_ctx_t *c)
{
    int            len;
    size_t         at;
    u_char        *next;
    json_t        *json;
    ngx_str_t     *source, name;
    const char    *reason;
    json_error_t   error;

    source = &c->conf->source;

    json = json_loadb((char *) source->data, source->len,
                      JSON_REJECT_DUPLICATES|JSON_DECODE_ANY
                      |JSON_DECODE_INT_AS_REAL,
                      &error);

    if (json) {
        json_decref(json);

        if (c->json.ntokens == 0) {
            return ngx_wschat_template_error(c, c->json.error_at,
                                             "the body is nested too deep");
        }

        return NGX_OK;
    }

    if (json_error_code(&error) == json_error_out_of_memory) {
        return NGX_ERROR;
    }

    at = c->json.error_at;

    if (c->json.ntokens == 0
        && at < source->len
        && source->data[at] == '$'
        && ngx_wschat_path_reference(source->data + at,
                                     source->data + source->len, 0, &name,
                                     &next, &reason)
           == NGX_OK)
    {
        len = next - source->data - at;

        return ngx_wschat_template_error(c, at,
                   "the reference %.*s must be written in quotes, \"%.*s\"; "
                   "the value that takes its place keeps its JSON type",
                   len, source->data + at, len, source->data + at);
    }

    at = source->len;

    if (error.position >= 0 && (size_t) error.position < at) {
        at = error.position;
    }

    return ngx_wschat_template_error(c, at,
                   "the body is almost JSON: %s; a body that begins with "
                   "{, [ or a quote must be valid JSON",
                   error.text);
}


static ngx_int_t
ngx_wschat_template_value(ngx_wschat_template_ctx_t *c, uint32_t n)
{
    ngx_wschat_json_token_t  *t;

    t = &c->json.tokens[n];

    switch (t->type) {

    case NGX_WSCHAT_JSON_OBJECT:
        return ngx_wschat_template_object(c, n);

    case NGX_WSCHAT_JSON_ARRAY:
        return ngx_wschat_template_array(c, n);

    case NGX_WSCHAT_JSON_STRING:
        return ngx_wschat_template_string(c, n);

    default:
        return ngx_wschat_buf_append(&c->literal, c->json.text + t->start,
                                     t->end - t->start);
    }
}


static ngx_int_t
ngx_wschat_template_object(ngx_wschat_template_ctx_t *c, uint32_t object)
{
    void        *ref;
    uint32_t     key, next;
    ngx_int_t    rc;
    ngx_uint_t   always;

    if (ngx_wschat_buf_append_char(&c->literal, '{') != NGX_OK) {
        return NGX_ERROR;
    }

    /* "always" is whether a member is there, whatever the values are */

    always = 0;
    next = c->json.tokens[object].next;

    for (key = object + 1; key < next; key = c->json.tokens[key + 1].next) {

        rc = ngx_wschat_template_single(c, key + 1, &ref);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ref && ref != NGX_WSCHAT_TEMPLATE_LATE) {
            rc = ngx_wschat_template_member(c, key, ref, always,
                                            key != object + 1);
            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        rc = ngx_wschat_template_comma(c, always, key != object + 1);
        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_wschat_template_string(c, key);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_wschat_buf_append_char(&c->literal, ':') != NGX_OK) {
            return NGX_ERROR;
        }

        if (ref == NULL) {
            rc = ngx_wschat_template_value(c, key + 1);
            if (rc != NGX_OK) {
                return rc;
            }

        } else if (ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_DIGITS, ref)
                   == NULL)
        {
            return NGX_ERROR;
        }

        always = 1;
    }

    return ngx_wschat_buf_append_char(&c->literal, '}');
}


/* a member that goes when its value is absent */

static ngx_int_t
ngx_wschat_template_member(ngx_wschat_template_ctx_t *c, uint32_t key,
    void *ref, ngx_uint_t always, ngx_uint_t more)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_uint_t                 n;
    ngx_wschat_template_op_t  *op;

    rc = ngx_wschat_template_unescape(c, key, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_strlchr(text.data, text.data + text.len, '$') == NULL) {

        op = ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_MEMBER, ref);
        if (op == NULL) {
            return NGX_ERROR;
        }

        op->comma = (more && !always);

        if ((always && ngx_wschat_buf_append_char(&c->literal, ',') != NGX_OK)
            || ngx_wschat_template_string(c, key) != NGX_OK
            || ngx_wschat_buf_append_char(&c->literal, ':') != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_wschat_template_take(c, &op->text);
    }

    /* the key has references of its own, which must not be put out before */

    if (ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_UNLESS, ref) == NULL) {
        return NGX_ERROR;
    }

    n = c->ops.nelts;

    rc = ngx_wschat_template_comma(c, always, more);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_wschat_template_string(c, key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_wschat_buf_append_char(&c->literal, ':') != NGX_OK
        || ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_ELEMENT, ref)
           == NULL)
    {
        return NGX_ERROR;
    }

    op = c->ops.elts;
    op[n - 1].skip = c->ops.nelts - n;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_template_comma(ngx_wschat_template_ctx_t *c, ngx_uint_t always,
    ngx_uint_t more)
{
    if (always) {
        return ngx_wschat_buf_append_char(&c->literal, ',');
    }

    if (more
        && ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_COMMA, NULL)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_template_array(ngx_wschat_template_ctx_t *c, uint32_t array)
{
    void       *ref;
    uint32_t    i, next;
    ngx_int_t   rc;

    if (ngx_wschat_buf_append_char(&c->literal, '[') != NGX_OK) {
        return NGX_ERROR;
    }

    next = c->json.tokens[array].next;

    for (i = array + 1; i < next; i = c->json.tokens[i].next) {

        if (i != array + 1
            && ngx_wschat_buf_append_char(&c->literal, ',') != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_wschat_template_single(c, i, &ref);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ref == NULL) {
            rc = ngx_wschat_template_value(c, i);
            if (rc != NGX_OK) {
                return rc;
            }

        } else if (ngx_wschat_template_push(c, NGX_WSCHAT_TEMPLATE_ELEMENT,
                                            ref)
                   == NULL)
        {
            return NGX_ERROR;
        }
    }

    return ngx_wschat_buf_append_char(&c->literal, ']');
}


static ngx_int_t
ngx_wschat_template_string(ngx_wschat_template_ctx_t *c, uint32_t n)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_wschat_json_token_t  *t;

    t = &c->json.tokens[n];

    rc = ngx_wschat_template_unescape(c, n, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_strlchr(text.data, text.data + text.len, '$') == NULL) {
        return ngx_wschat_buf_append(&c->literal, c->json.text + t->start,
                                     t->end - t->start);
    }

    if (ngx_wschat_buf_append_char(&c->literal, '"') != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_wschat_template_pieces(c, &text, t->start + 1,
                                    !(t->flags & NGX_WSCHAT_JSON_ESCAPED));
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_wschat_buf_append_char(&c->literal, '"');
}


/*
 * A text with references in it.  It begins at "at" in the source; "verbatim"
 * is whether it stands there byte for byte, so that positions within it are
 * known.
 */

static ngx_int_t
ngx_wschat_template_pieces(ngx_wschat_template_ctx_t *c, ngx_str_t *text,
    size_t at, ngx_uint_t verbatim)
{
    size_t                     pos;
    u_char                    *p, *last, *run, *next;
    void                      *ref;
    ngx_int_t                  rc;
    ngx_str_t                  name;
    const char                *reason;
    ngx_wschat_template_op_e   code;

    code = c->template->is_json ? NGX_WSCHAT_TEMPLATE_INSIDE
                                : NGX_WSCHAT_TEMPLATE_TEXT;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        run = p;

        while (p < last && *p != '$') {
            p++;
        }

        if (ngx_wschat_template_literal(c, run, p - run) != NGX_OK) {
            return NGX_ERROR;
        }

        if (p == last) {
            break;
        }

        pos = at + (verbatim ? p - text->data : 0);

        rc = ngx_wschat_path_reference(p, last, 0, &name, &next, &reason);

        if (rc == NGX_ERROR) {
            return ngx_wschat_template_error(c, pos, "reference %.*s: %s",
                                             (int) (last - p), p, reason);
        }

        if (rc == NGX_DECLINED) {

            /* a plain dollar, which may be written as two */

            if (ngx_wschat_template_literal(c, p, 1) != NGX_OK) {
                return NGX_ERROR;
            }

            p += (last - p > 1 && p[1] == '$') ? 2 : 1;
            continue;
        }

        rc = ngx_wschat_template_ref(c, &name, pos, &ref);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_wschat_template_push(c, code, ref) == NULL) {
            return NGX_ERROR;
        }

        p = next;
    }

    return NGX_OK;
}


/* if value n is a string that is one reference: compiles it, or *ref is NULL */

static ngx_int_t
ngx_wschat_template_single(ngx_wschat_template_ctx_t *c, uint32_t n,
    void **ref)
{
    size_t                    at;
    u_char                   *next;
    ngx_int_t                 rc;
    ngx_str_t                 text, name;
    const char               *reason;
    ngx_wschat_json_token_t  *t;

    *ref = NULL;

    t = &c->json.tokens[n];

    if (t->type != NGX_WSCHAT_JSON_STRING) {
        return NGX_OK;
    }

    rc = ngx_wschat_template_unescape(c, n, &text);
    if (rc != NGX_OK) {
        return rc;
    }

    at = t->start + 1;

    if (text.len == 0
        || text.data[0] != '$'
        || ngx_wschat_path_reference(text.data, text.data + text.len, 0,
                                     &name, &next, &reason)
           != NGX_OK
        || next != text.data + text.len)
    {
        return NGX_OK;
    }

    return ngx_wschat_template_ref(c, &name, at, ref);
}


static ngx_int_t
ngx_wschat_template_ref(ngx_wschat_template_ctx_t *c, ngx_str_t *name,
    size_t at, void **ref)
{
    ngx_int_t  rc;
    ngx_str_t  err;

    *ref = NULL;
    ngx_str_set(&err, "unknown reference");

    rc = c->conf->ref(c->conf->data, name, ref, &err);

    if (rc == NGX_DECLINED) {
        return ngx_wschat_template_error(c, at, "reference $%.*s: %.*s",
                                         (int) name->len, name->data,
                                         (int) err.len, err.data);
    }

    if (rc != NGX_OK || *ref == NULL) {
        return NGX_ERROR;
    }

    if (*ref == NGX_WSCHAT_TEMPLATE_LATE) {

        if (c->template->late) {
            return ngx_wschat_template_error(c, at, "reference $%.*s: "
                                     "it can be used only once in a body",
                                     (int) name->len, name->data);
        }

        c->template->late = 1;
    }

    c->template->constant = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_template_unescape(ngx_wschat_template_ctx_t *c, uint32_t n,
    ngx_str_t *text)
{
    u_char                   *p;
    ngx_wschat_json_token_t  *t;

    t = &c->json.tokens[n];

    text->data = (u_char *) c->json.text + t->start + 1;
    text->len = t->end - t->start - 2;

    if ((t->flags & NGX_WSCHAT_JSON_ESCAPED) == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(c->conf->pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_wschat_json_unescape(p, text->data, text->len) - p;
    text->data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_template_literal(ngx_wschat_template_ctx_t *c, const u_char *p,
    size_t len)
{
    if (c->template->is_json) {
        return ngx_wschat_value_escape(&c->literal, p, len);
    }

    return ngx_wschat_buf_append(&c->literal, p, len);
}


/* adds an op after the literal text so far */

static ngx_wschat_template_op_t *
ngx_wschat_template_push(ngx_wschat_template_ctx_t *c,
    ngx_wschat_template_op_e code, void *ref)
{
    ngx_wschat_template_op_t  *op;

    if (ngx_wschat_template_flush(c) != NGX_OK) {
        return NULL;
    }

    op = ngx_array_push(&c->ops);
    if (op == NULL) {
        return NULL;
    }

    ngx_memzero(op, sizeof(ngx_wschat_template_op_t));

    op->code = (ref == NGX_WSCHAT_TEMPLATE_LATE) ? NGX_WSCHAT_TEMPLATE_DIGITS
                                                 : code;
    op->ref = ref;

    return op;
}


static ngx_int_t
ngx_wschat_template_flush(ngx_wschat_template_ctx_t *c)
{
    ngx_wschat_template_op_t  *op;

    if (ngx_wschat_buf_len(&c->literal) == 0) {
        return NGX_OK;
    }

    op = ngx_array_push(&c->ops);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(op, sizeof(ngx_wschat_template_op_t));

    op->code = NGX_WSCHAT_TEMPLATE_LITERAL;

    return ngx_wschat_template_take(c, &op->text);
}


static ngx_int_t
ngx_wschat_template_take(ngx_wschat_template_ctx_t *c, ngx_str_t *text)
{
    text->len = ngx_wschat_buf_len(&c->literal);

    text->data = ngx_pnalloc(c->conf->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text->data, c->literal.start, text->len);

    ngx_wschat_buf_reset(&c->literal);

    return NGX_OK;
}


/* "at" is an offset in the source, reported as line and column from 1 */

static ngx_int_t
ngx_wschat_template_error(ngx_wschat_template_ctx_t *c, size_t at,
    const char *fmt, ...)
{
    char         text[NGX_WSCHAT_TEMPLATE_ERR_LEN];
    size_t       i;
    va_list      args;
    unsigned     line, column;
    ngx_str_t   *source;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    source = &c->conf->source;
    line = 1;
    column = 1;

    for (i = 0; i < at && i < source->len; i++) {

        if (source->data[i] == '\n') {
            line++;
            column = 1;

        } else if ((source->data[i] & 0xc0) != 0x80) {
            column++;
        }
    }

    return ngx_wschat_path_decline(c->conf->pool, &c->conf->err,
                                   "line %u, column %u: %s",
                                   line, column, text);
}


ngx_int_t
ngx_wschat_template_render(ngx_wschat_template_t *tpl, ngx_wschat_buf_t *out,
    ngx_wschat_template_resolve_pt resolve, void *ctx, ssize_t *late_at)
{
    size_t                     mark;
    ssize_t                    late;
    ngx_int_t                  rc;
    ngx_wschat_value_t         v;
    ngx_wschat_template_op_t  *op;

    mark = ngx_wschat_buf_len(out);
    late = -1;

    for (op = tpl->ops; op < tpl->last; op++) {

        switch (op->code) {

        case NGX_WSCHAT_TEMPLATE_LITERAL:
            rc = ngx_wschat_buf_append(out, op->text.data, op->text.len);

            if (rc != NGX_OK) {
                goto failed;
            }

            continue;

        case NGX_WSCHAT_TEMPLATE_COMMA:

            if (out->last[-1] != '{'
                && ngx_wschat_buf_append_char(out, ',') != NGX_OK)
            {
                goto failed;
            }

            continue;

        case NGX_WSCHAT_TEMPLATE_DIGITS:
            late = ngx_wschat_buf_len(out) - mark;
            continue;

        default:
            break;
        }

        if (resolve(ctx, op->ref, &v) != NGX_OK) {
            goto failed;
        }

        if (v.kind == NGX_WSCHAT_VALUE_ABSENT) {

            switch (op->code) {

            case NGX_WSCHAT_TEMPLATE_ELEMENT:
                rc = ngx_wschat_buf_append(out, (u_char *) "null", 4);

                if (rc != NGX_OK) {
                    goto failed;
                }

                break;

            case NGX_WSCHAT_TEMPLATE_DOCUMENT:
                return NGX_DECLINED;

            case NGX_WSCHAT_TEMPLATE_UNLESS:
                op += op->skip;
                break;

            default:
                break;
            }

            continue;
        }

        switch (op->code) {

        case NGX_WSCHAT_TEMPLATE_TEXT:
            rc = ngx_wschat_value_append_text(out, &v);
            break;

        case NGX_WSCHAT_TEMPLATE_INSIDE:
            rc = ngx_wschat_value_append_inside(out, &v);
            break;

        case NGX_WSCHAT_TEMPLATE_UNLESS:
            continue;

        case NGX_WSCHAT_TEMPLATE_MEMBER:

            if (op->comma && out->last[-1] != '{'
                && ngx_wschat_buf_append_char(out, ',') != NGX_OK)
            {
                goto failed;
            }

            rc = ngx_wschat_buf_append(out, op->text.data, op->text.len);

            if (rc != NGX_OK) {
                goto failed;
            }

            /* fall through */

        default: /* NGX_WSCHAT_TEMPLATE_ELEMENT, _DOCUMENT */
            rc = ngx_wschat_value_append_json(out, &v);
            break;
        }

        if (rc != NGX_OK) {
            goto failed;
        }
    }

    if (late_at) {
        *late_at = late;
    }

    return NGX_OK;

failed:

    /* start is NULL only if nothing was ever written */

    if (out->start) {
        out->last = out->start + mark;
    }

    return NGX_ERROR;
}
