
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_expr.h"


#define NGX_WSCHAT_EXPR_BODY  "request.body"


typedef enum {
    NGX_WSCHAT_EXPR_LITERAL = 0,
    NGX_WSCHAT_EXPR_BODY_TEXT,
    NGX_WSCHAT_EXPR_BODY_PATH
} ngx_wschat_expr_part_e;


struct ngx_wschat_expr_part_s {
    ngx_wschat_expr_part_e   type;
    ngx_str_t                literal;
    ngx_wschat_path_t        path;
};


static ngx_int_t ngx_wschat_expr_reference(ngx_pool_t *pool,
    ngx_str_t *source, ngx_str_t *name, ngx_wschat_expr_part_t *part,
    ngx_str_t *err);
static ngx_int_t ngx_wschat_expr_append_array(ngx_wschat_buf_t *b,
    ngx_wschat_json_t *j, uint32_t array);


ngx_int_t
ngx_wschat_expr_compile(ngx_pool_t *pool, ngx_str_t *source,
    ngx_wschat_expr_t **expr, ngx_str_t *err)
{
    u_char                  *p, *last, *d, *literal;
    ngx_int_t                rc;
    ngx_str_t                name;
    const char              *reason;
    ngx_array_t             *parts;
    ngx_wschat_expr_t       *e;
    ngx_wschat_expr_part_t  *part;

    if (source->len == 0) {
        return ngx_wschat_path_decline(pool, err, "the expression is empty");
    }

    e = ngx_pcalloc(pool, sizeof(ngx_wschat_expr_t));
    if (e == NULL) {
        return NGX_ERROR;
    }

    parts = ngx_array_create(pool, 2, sizeof(ngx_wschat_expr_part_t));
    if (parts == NULL) {
        return NGX_ERROR;
    }

    /* all literals, one after the other */

    d = ngx_pnalloc(pool, source->len);
    if (d == NULL) {
        return NGX_ERROR;
    }

    e->constant = 1;
    p = source->data;
    last = p + source->len;
    literal = d;

    for ( ;; ) {

        while (p < last && *p != '$') {

            if (*p == '\\' && last - p > 1 && p[1] == '$') {
                p++;
            }

            *d++ = *p++;
        }

        if (d != literal) {
            part = ngx_array_push(parts);
            if (part == NULL) {
                return NGX_ERROR;
            }

            ngx_memzero(part, sizeof(ngx_wschat_expr_part_t));

            part->type = NGX_WSCHAT_EXPR_LITERAL;
            part->literal.data = literal;
            part->literal.len = d - literal;

            literal = d;
        }

        if (p == last) {
            break;
        }

        rc = ngx_wschat_path_reference(p, last, 1, &name, &p, &reason);

        if (rc == NGX_DECLINED) {
            reason = "a reference expected after \"$\"; "
                     "a dollar as such is written \"\\$\"";
        }

        if (rc != NGX_OK) {
            return ngx_wschat_path_decline(pool, err, "expression \"%.*s\", "
                                           "column %u: %s",
                                           (int) source->len, source->data,
                                           (unsigned) (p - source->data + 1),
                                           reason);
        }

        part = ngx_array_push(parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_wschat_expr_reference(pool, source, &name, part, err);

        if (rc != NGX_OK) {
            return rc;
        }

        e->constant = 0;
    }

    e->parts = parts->elts;
    e->nparts = parts->nelts;

    *expr = e;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_expr_reference(ngx_pool_t *pool, ngx_str_t *source,
    ngx_str_t *name, ngx_wschat_expr_part_t *part, ngx_str_t *err)
{
    ngx_str_t   path;
    ngx_uint_t  n;

    n = sizeof(NGX_WSCHAT_EXPR_BODY) - 1;

    if (name->len < n
        || ngx_strncmp(name->data, NGX_WSCHAT_EXPR_BODY, n) != 0
        || (name->len > n && name->data[n] != '.' && name->data[n] != '['))
    {
        return ngx_wschat_path_decline(pool, err, "expression \"%.*s\": "
                      "\"%.*s\" cannot be selected by; $request.body or "
                      "$request.body.path expected, a dollar as such is "
                      "written \"\\$\"",
                      (int) source->len, source->data,
                      (int) name->len, name->data);
    }

    ngx_memzero(part, sizeof(ngx_wschat_expr_part_t));

    if (name->len == n) {
        part->type = NGX_WSCHAT_EXPR_BODY_TEXT;
        return NGX_OK;
    }

    part->type = NGX_WSCHAT_EXPR_BODY_PATH;

    path.data = name->data + n;
    path.len = name->len - n;

    return ngx_wschat_path_compile(pool, &path, &part->path, err);
}


ngx_int_t
ngx_wschat_expr_eval(ngx_wschat_expr_t *expr, ngx_wschat_json_t *j,
    ngx_str_t *body, ngx_wschat_buf_t *b, ngx_str_t *out)
{
    size_t                   mark;
    uint32_t                 n;
    ngx_int_t                rc;
    ngx_uint_t               i, alone, missing;
    ngx_wschat_value_t       v;
    ngx_wschat_expr_part_t  *part;

    mark = ngx_wschat_buf_len(b);
    alone = (expr->nparts == 1);
    missing = 1;

    for (i = 0; i < expr->nparts; i++) {

        part = &expr->parts[i];

        switch (part->type) {

        case NGX_WSCHAT_EXPR_LITERAL:
            ngx_wschat_value_text(&v, part->literal.data, part->literal.len);
            break;

        case NGX_WSCHAT_EXPR_BODY_TEXT:
            ngx_wschat_value_text(&v, body->data, body->len);
            missing = 0;
            break;

        case NGX_WSCHAT_EXPR_BODY_PATH:

            if (j == NULL) {
                ngx_wschat_value_absent(&v);
                break;
            }

            n = ngx_wschat_path_find(&part->path, j);

            ngx_wschat_value_token(&v, j, n);

            if (v.kind == NGX_WSCHAT_VALUE_ABSENT) {
                break;
            }

            missing = 0;

            if (v.type == NGX_WSCHAT_JSON_ARRAY) {
                if (ngx_wschat_expr_append_array(b, j, n) != NGX_OK) {
                    return NGX_ERROR;
                }

                alone = 0;
                continue;
            }

            break;
        }

        rc = alone ? ngx_wschat_value_str(&v, b, out)
                   : ngx_wschat_value_append_text(b, &v);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!alone) {
        out->len = ngx_wschat_buf_len(b) - mark;
        out->data = out->len ? b->start + mark : (u_char *) "";
    }

    return (missing && !expr->constant) ? NGX_DECLINED : NGX_OK;
}


/*
 * The text of an array is not its JSON: [item1, item2], where items are texts
 * (spec, section 3.2) and arrays again.
 */

static ngx_int_t
ngx_wschat_expr_append_array(ngx_wschat_buf_t *b, ngx_wschat_json_t *j,
    uint32_t array)
{
    uint32_t            i, next[NGX_WSCHAT_JSON_DEPTH];
    ngx_uint_t          depth, first;
    ngx_wschat_value_t  v;

    i = array;
    depth = 0;
    first = 1;

    do {

        if (!first && ngx_wschat_buf_append(b, (u_char *) ", ", 2) != NGX_OK) {
            return NGX_ERROR;
        }

        if (j->tokens[i].type == NGX_WSCHAT_JSON_ARRAY) {

            if (ngx_wschat_buf_append_char(b, '[') != NGX_OK) {
                return NGX_ERROR;
            }

            next[depth++] = j->tokens[i].next;
            first = 1;
            i++;

        } else {
            ngx_wschat_value_token(&v, j, i);

            if (ngx_wschat_value_append_text(b, &v) != NGX_OK) {
                return NGX_ERROR;
            }

            first = 0;
            i = j->tokens[i].next;
        }

        while (depth && i == next[depth - 1]) {

            if (ngx_wschat_buf_append_char(b, ']') != NGX_OK) {
                return NGX_ERROR;
            }

            depth--;
            first = 0;
        }

    } while (depth);

    return NGX_OK;
}
