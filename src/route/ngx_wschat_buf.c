
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_buf.h"


#define NGX_WSCHAT_BUF_MIN  256


void
ngx_wschat_buf_free(ngx_wschat_buf_t *b)
{
    free(b->start);

    b->start = NULL;
    b->last = NULL;
    b->end = NULL;
}


ngx_int_t
ngx_wschat_buf_grow(ngx_wschat_buf_t *b, size_t n)
{
    size_t   len, size;
    u_char  *p;

    len = ngx_wschat_buf_len(b);

    if (n > b->max || len > b->max - n) {
        return NGX_ERROR;
    }

    /* doubling keeps appending linear; the sum above cannot overflow */

    size = (size_t) (b->end - b->start);
    size = (size > b->max / 2) ? b->max : size * 2;

    if (size < NGX_WSCHAT_BUF_MIN) {
        size = ngx_min(NGX_WSCHAT_BUF_MIN, b->max);
    }

    if (size < len + n) {
        size = len + n;
    }

    p = realloc(b->start, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    b->start = p;
    b->last = p + len;
    b->end = p + size;

    return NGX_OK;
}
