
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_value.h"


#define ngx_wschat_value_is_string(v)                                         \
    ((v)->kind == NGX_WSCHAT_VALUE_JSON && (v)->type == NGX_WSCHAT_JSON_STRING)


static const u_char *ngx_wschat_value_run(const u_char **p,
    const u_char *last, size_t *len);
static ngx_int_t ngx_wschat_value_compact(ngx_wschat_buf_t *b,
    ngx_wschat_value_t *v);


void
ngx_wschat_value_json(ngx_wschat_value_t *v, const u_char *p, size_t len)
{
    ngx_wschat_value_text(v, p, len);

    v->kind = NGX_WSCHAT_VALUE_JSON;

    switch (len ? *p : 'n') {

    case '"':
        v->type = NGX_WSCHAT_JSON_STRING;

        if (memchr(p, '\\', len) != NULL) {
            v->flags = NGX_WSCHAT_JSON_ESCAPED;
        }

        break;

    case '{':
        v->type = NGX_WSCHAT_JSON_OBJECT;
        break;

    case '[':
        v->type = NGX_WSCHAT_JSON_ARRAY;
        break;

    case 't':
        v->type = NGX_WSCHAT_JSON_TRUE;
        break;

    case 'f':
        v->type = NGX_WSCHAT_JSON_FALSE;
        break;

    case 'n':
        v->type = NGX_WSCHAT_JSON_NULL;
        break;

    default:
        v->type = NGX_WSCHAT_JSON_NUMBER;
        break;
    }
}


ngx_int_t
ngx_wschat_value_append_text(ngx_wschat_buf_t *b, ngx_wschat_value_t *v)
{
    size_t   len;
    u_char  *p;

    if (!ngx_wschat_value_is_string(v)) {
        return ngx_wschat_value_compact(b, v);
    }

    p = v->data.data + 1;
    len = v->data.len - 2;

    if ((v->flags & NGX_WSCHAT_JSON_ESCAPED) == 0) {
        return ngx_wschat_buf_append(b, p, len);
    }

    if (ngx_wschat_buf_reserve(b, len) != NGX_OK) {
        return NGX_ERROR;
    }

    b->last = ngx_wschat_json_unescape(b->last, p, len);

    return NGX_OK;
}


ngx_int_t
ngx_wschat_value_append_json(ngx_wschat_buf_t *b, ngx_wschat_value_t *v)
{
    if (v->kind != NGX_WSCHAT_VALUE_TEXT) {
        return ngx_wschat_value_compact(b, v);
    }

    if (ngx_wschat_buf_append_char(b, '"') != NGX_OK
        || ngx_wschat_value_escape(b, v->data.data, v->data.len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_wschat_buf_append_char(b, '"');
}


ngx_int_t
ngx_wschat_value_append_inside(ngx_wschat_buf_t *b, ngx_wschat_value_t *v)
{
    size_t         len;
    const u_char  *p, *last, *run;

    p = v->data.data;

    if (v->kind != NGX_WSCHAT_VALUE_JSON) {
        return ngx_wschat_value_escape(b, p, v->data.len);
    }

    if (v->type == NGX_WSCHAT_JSON_STRING) {

        /* what stands within quotes there may stand within quotes here */

        return ngx_wschat_buf_append(b, p + 1, v->data.len - 2);
    }

    if ((v->flags & NGX_WSCHAT_JSON_SPACED) == 0) {
        return ngx_wschat_value_escape(b, p, v->data.len);
    }

    last = p + v->data.len;

    while (p < last) {
        run = ngx_wschat_value_run(&p, last, &len);

        if (ngx_wschat_value_escape(b, run, len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_wschat_value_escape(ngx_wschat_buf_t *b, const u_char *p, size_t len)
{
    u_char                ch, *d;
    const u_char         *last, *run;
    static const u_char   hex[] = "0123456789abcdef";

    if (len == 0) {
        return NGX_OK;
    }

    last = p + len;

    for ( ;; ) {

        run = p;
        p = ngx_wschat_json_plain(p, last);

        if (ngx_wschat_buf_append(b, run, p - run) != NGX_OK) {
            return NGX_ERROR;
        }

        if (p == last) {
            return NGX_OK;
        }

        switch (*p) {

        case '"':
        case '\\':
            ch = *p;
            break;

        case '\b':
            ch = 'b';
            break;

        case '\f':
            ch = 'f';
            break;

        case '\n':
            ch = 'n';
            break;

        case '\r':
            ch = 'r';
            break;

        case '\t':
            ch = 't';
            break;

        default:
            ch = 'u';
            break;
        }

        if (ngx_wschat_buf_reserve(b, ch == 'u' ? 6 : 2) != NGX_OK) {
            return NGX_ERROR;
        }

        d = b->last;
        *d++ = '\\';
        *d++ = ch;

        if (ch == 'u') {
            *d++ = '0';
            *d++ = '0';
            *d++ = hex[*p >> 4];
            *d++ = hex[*p & 0xf];
        }

        b->last = d;
        p++;
    }
}


ngx_uint_t
ngx_wschat_value_truth(ngx_wschat_value_t *v)
{
    u_char  *p, *last;

    if (v->kind == NGX_WSCHAT_VALUE_ABSENT) {
        return 0;
    }

    if (v->kind == NGX_WSCHAT_VALUE_TEXT) {
        return v->data.len != 0;
    }

    switch (v->type) {

    case NGX_WSCHAT_JSON_NULL:
    case NGX_WSCHAT_JSON_FALSE:
        return 0;

    case NGX_WSCHAT_JSON_STRING:
        return v->data.len != 2;

    case NGX_WSCHAT_JSON_NUMBER:

        /* zero is a number without another digit before its exponent */

        last = v->data.data + v->data.len;

        for (p = v->data.data; p < last && (*p | 0x20) != 'e'; p++) {
            if (*p >= '1' && *p <= '9') {
                return 1;
            }
        }

        return 0;

    default:
        return 1;
    }
}


ngx_uint_t
ngx_wschat_value_equal(ngx_wschat_value_t *v, const ngx_str_t *text)
{
    size_t         len, left;
    u_char        *t;
    const u_char  *p, *last, *run;

    p = v->data.data;
    len = v->data.len;

    if (ngx_wschat_value_is_string(v)) {
        p++;
        len -= 2;

        if (v->flags & NGX_WSCHAT_JSON_ESCAPED) {
            return ngx_wschat_json_same(p, len, text);
        }
    }

    if ((v->flags & NGX_WSCHAT_JSON_SPACED) == 0) {
        return len == text->len
               && (len == 0 || ngx_memcmp(p, text->data, len) == 0);
    }

    last = p + len;
    t = text->data;
    left = text->len;

    while (p < last) {
        run = ngx_wschat_value_run(&p, last, &len);

        if (len > left || ngx_memcmp(run, t, len) != 0) {
            return 0;
        }

        t += len;
        left -= len;
    }

    return left == 0;
}


ngx_int_t
ngx_wschat_value_str(ngx_wschat_value_t *v, ngx_wschat_buf_t *b,
    ngx_str_t *out)
{
    size_t  mark;

    if (v->flags == 0) {
        *out = v->data;

        if (ngx_wschat_value_is_string(v)) {
            out->data++;
            out->len -= 2;
        }

        return NGX_OK;
    }

    mark = ngx_wschat_buf_len(b);

    if (ngx_wschat_value_append_text(b, v) != NGX_OK) {
        return NGX_ERROR;
    }

    out->data = b->start + mark;
    out->len = ngx_wschat_buf_len(b) - mark;

    return NGX_OK;
}


/*
 * In valid JSON: returns the next run of bytes without insignificant white
 * space, and moves p behind it and the white space that follows.
 */

static const u_char *
ngx_wschat_value_run(const u_char **pp, const u_char *last, size_t *len)
{
    const u_char  *p, *run;

    run = *pp;
    p = run;

    while (p < last && !ngx_wschat_json_is_space(*p)) {

        if (*p++ != '"') {
            continue;
        }

        /* a string: up to the quote that no backslash stands before */

        for ( ;; ) {
            p = ngx_wschat_json_plain(p, last);

            if (p == last) {
                break;
            }

            if (*p == '"') {
                p++;
                break;
            }

            p += (last - p > 1) ? 2 : 1;
        }
    }

    *len = p - run;

    while (p < last && ngx_wschat_json_is_space(*p)) {
        p++;
    }

    *pp = p;

    return run;
}


static ngx_int_t
ngx_wschat_value_compact(ngx_wschat_buf_t *b, ngx_wschat_value_t *v)
{
    size_t         len;
    const u_char  *p, *last, *run;

    if ((v->flags & NGX_WSCHAT_JSON_SPACED) == 0) {
        return ngx_wschat_buf_append(b, v->data.data, v->data.len);
    }

    p = v->data.data;
    last = p + v->data.len;

    while (p < last) {
        run = ngx_wschat_value_run(&p, last, &len);

        if (ngx_wschat_buf_append(b, run, len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
