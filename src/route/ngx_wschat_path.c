
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_path.h"


#define NGX_WSCHAT_PATH_ERR_LEN  512


#define ngx_wschat_path_is_digit(ch)  ((ch) >= '0' && (ch) <= '9')

#define ngx_wschat_path_is_first(ch)                                          \
    (((ch) >= 'a' && (ch) <= 'z') || ((ch) >= 'A' && (ch) <= 'Z')             \
     || (ch) == '_')


static u_char *ngx_wschat_path_word(u_char *p, u_char *last,
    ngx_uint_t dashes);
static ngx_int_t ngx_wschat_path_bracket(u_char *p, u_char *last,
    ngx_wschat_path_segment_t *segment, u_char **next, const char **reason);


ngx_int_t
ngx_wschat_path_compile(ngx_pool_t *pool, ngx_str_t *text,
    ngx_wschat_path_t *path, ngx_str_t *err)
{
    u_char                     *p, *last, *key;
    const char                 *reason;
    ngx_array_t                *segments;
    ngx_wschat_path_segment_t  *segment;

    path->segments = NULL;
    path->nsegments = 0;

    if (text->len == 0) {
        return NGX_OK;
    }

    segments = ngx_array_create(pool, 4, sizeof(ngx_wschat_path_segment_t));
    if (segments == NULL) {
        return NGX_ERROR;
    }

    p = text->data;
    last = p + text->len;

    while (p < last) {

        segment = ngx_array_push(segments);
        if (segment == NULL) {
            return NGX_ERROR;
        }

        if (*p == '[') {
            if (ngx_wschat_path_bracket(p, last, segment, &p, &reason)
                != NGX_OK)
            {
                return ngx_wschat_path_decline(pool, err,
                                               "path \"%.*s\": %s",
                                               (int) text->len, text->data,
                                               reason);
            }

            continue;
        }

        if (*p == '.') {
            p++;

        } else if (p != text->data) {
            return ngx_wschat_path_decline(pool, err,
                         "path \"%.*s\": \".\" or \"[\" expected after \"]\"",
                         (int) text->len, text->data);
        }

        key = p;

        while (p < last && *p != '.' && *p != '[' && *p != ']') {
            p++;
        }

        if (p == key) {
            return ngx_wschat_path_decline(pool, err,
                         "path \"%.*s\": a member's name expected after \".\"",
                         (int) text->len, text->data);
        }

        if (p < last && *p == ']') {
            return ngx_wschat_path_decline(pool, err,
                         "path \"%.*s\": \"]\" without \"[\"",
                         (int) text->len, text->data);
        }

        segment->key.data = key;
        segment->key.len = p - key;
        segment->index = 0;
    }

    path->segments = segments->elts;
    path->nsegments = segments->nelts;

    return NGX_OK;
}


uint32_t
ngx_wschat_path_find(ngx_wschat_path_t *path, ngx_wschat_json_t *j)
{
    uint32_t                    n;
    ngx_uint_t                  i;
    ngx_wschat_path_segment_t  *segment;

    n = 0;

    for (i = 0; i < path->nsegments && n != NGX_WSCHAT_JSON_NONE; i++) {

        segment = &path->segments[i];

        if (segment->key.data) {
            n = ngx_wschat_json_member(j, n, &segment->key);

        } else {
            n = ngx_wschat_json_element(j, n, segment->index);
        }
    }

    return n;
}


void
ngx_wschat_path_eval(ngx_wschat_path_t *path, ngx_wschat_json_t *j,
    ngx_wschat_value_t *v)
{
    ngx_wschat_value_token(v, j, ngx_wschat_path_find(path, j));
}


ngx_int_t
ngx_wschat_path_reference(u_char *p, u_char *last, ngx_uint_t dashes,
    ngx_str_t *name, u_char **next, const char **reason)
{
    u_char                     *end;
    ngx_wschat_path_segment_t   segment;

    p++;

    if (p == last) {
        return NGX_DECLINED;
    }

    if (*p == '{') {
        p++;

        end = ngx_strlchr(p, last, '}');

        if (end == NULL) {
            *reason = "\"}\" expected";
            return NGX_ERROR;
        }

        if (end == p) {
            *reason = "a reference expected between the braces";
            return NGX_ERROR;
        }

        name->data = p;
        name->len = end - p;
        *next = end + 1;

        return NGX_OK;
    }

    if (!ngx_wschat_path_is_first(*p)) {
        return NGX_DECLINED;
    }

    name->data = p;
    p = ngx_wschat_path_word(p, last, 0);

    while (p < last) {

        if (*p == '[') {
            if (ngx_wschat_path_bracket(p, last, &segment, &p, reason)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        if (*p != '.') {
            break;
        }

        /* names of header fields are the ones that have dashes */

        if (p - name->data == 14
            && ngx_strncmp(name->data, "request.header", 14) == 0)
        {
            dashes = 1;
        }

        end = ngx_wschat_path_word(p + 1, last, dashes);

        if (end == p + 1) {
            break;
        }

        p = end;
    }

    name->len = p - name->data;
    *next = p;

    return NGX_OK;
}


static u_char *
ngx_wschat_path_word(u_char *p, u_char *last, ngx_uint_t dashes)
{
    while (p < last
           && (ngx_wschat_path_is_first(*p) || ngx_wschat_path_is_digit(*p)
               || (dashes && *p == '-')))
    {
        p++;
    }

    return p;
}


/* reads "[n]" or "['key']" at p; NGX_ERROR with the reason if it is neither */

static ngx_int_t
ngx_wschat_path_bracket(u_char *p, u_char *last,
    ngx_wschat_path_segment_t *segment, u_char **next, const char **reason)
{
    u_char      quote;
    ngx_uint_t  n;

    p++;

    if (p < last && (*p == '\'' || *p == '"')) {

        quote = *p++;
        segment->key.data = p;
        segment->index = 0;

        for ( /* void */ ; last - p >= 2; p++) {
            if (p[0] == quote && p[1] == ']') {
                segment->key.len = p - segment->key.data;
                *next = p + 2;
                return NGX_OK;
            }
        }

        *reason = "a quote and \"]\" expected";
        return NGX_ERROR;
    }

    segment->key.len = 0;
    segment->key.data = NULL;

    for (n = 0; p < last && ngx_wschat_path_is_digit(*p); p++) {

        n = n * 10 + (*p - '0');

        if (n > NGX_WSCHAT_PATH_INDEX_MAX) {
            *reason = "the index is too large";
            return NGX_ERROR;
        }
    }

    if (p == last || *p != ']' || p[-1] == '[') {
        *reason = "[number] or ['key'] expected";
        return NGX_ERROR;
    }

    segment->index = n;
    *next = p + 1;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_path_decline(ngx_pool_t *pool, ngx_str_t *err, const char *fmt, ...)
{
    int      n;
    char     buf[NGX_WSCHAT_PATH_ERR_LEN];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);

    if (n < 0) {
        return NGX_ERROR;
    }

    /* what does not fit is cut */

    err->len = ngx_min((size_t) n, sizeof(buf) - 1);

    err->data = ngx_pnalloc(pool, err->len);
    if (err->data == NULL) {
        err->len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(err->data, buf, err->len);

    return NGX_DECLINED;
}
