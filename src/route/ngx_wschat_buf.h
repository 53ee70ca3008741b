
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_BUF_H_INCLUDED_
#define _NGX_WSCHAT_BUF_H_INCLUDED_


/*
 * Knows how bytes are gathered up to a limit.  Never knows what they mean.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Made by ngx_wschat_buf_init() or by zeroing and setting max.  "last" is the
 * end of what was written, "end" of what is allocated; max is the largest
 * number of bytes it will ever hold.  Growing moves the bytes: pointers into
 * a buffer last until the next write to it.
 */

typedef struct {
    u_char  *start;
    u_char  *last;
    u_char  *end;
    size_t   max;
} ngx_wschat_buf_t;


#define ngx_wschat_buf_len(b)    ((size_t) ((b)->last - (b)->start))
#define ngx_wschat_buf_reset(b)  (b)->last = (b)->start


static ngx_inline void
ngx_wschat_buf_init(ngx_wschat_buf_t *b, size_t max)
{
    b->start = NULL;
    b->last = NULL;
    b->end = NULL;
    b->max = max;
}


/* gives back the memory; the buffer is empty and may be used again */
void ngx_wschat_buf_free(ngx_wschat_buf_t *b);

/*
 * Makes room for n bytes more, the slow way: see ngx_wschat_buf_reserve().
 * NGX_ERROR, and nothing changed, past the limit or for lack of memory.
 */
ngx_int_t ngx_wschat_buf_grow(ngx_wschat_buf_t *b, size_t n);


/* after NGX_OK, n bytes may be written at b->last */

static ngx_inline ngx_int_t
ngx_wschat_buf_reserve(ngx_wschat_buf_t *b, size_t n)
{
    if ((size_t) (b->end - b->last) >= n) {
        return NGX_OK;
    }

    return ngx_wschat_buf_grow(b, n);
}


static ngx_inline ngx_int_t
ngx_wschat_buf_append(ngx_wschat_buf_t *b, const u_char *p, size_t n)
{
    if (n == 0) {
        return NGX_OK;
    }

    if (ngx_wschat_buf_reserve(b, n) != NGX_OK) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, p, n);

    return NGX_OK;
}


static ngx_inline ngx_int_t
ngx_wschat_buf_append_char(ngx_wschat_buf_t *b, u_char ch)
{
    if (ngx_wschat_buf_reserve(b, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    *b->last++ = ch;

    return NGX_OK;
}


#endif /* _NGX_WSCHAT_BUF_H_INCLUDED_ */
