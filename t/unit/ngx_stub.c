
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_stub.h"


static ngx_int_t  ngx_stub_left = -1;


ngx_pool_t *
ngx_stub_pool_create(void)
{
    ngx_pool_t  *pool;

    pool = calloc(1, sizeof(ngx_pool_t));
    if (pool == NULL) {
        abort();
    }

    return pool;
}


void
ngx_stub_pool_destroy(ngx_pool_t *pool)
{
    ngx_pool_large_t  *large, *next;

    for (large = pool->large; large; large = next) {
        next = large->next;
        free(large->alloc);
        free(large);
    }

    free(pool);
}


void
ngx_stub_fail_after(ngx_int_t n)
{
    ngx_stub_left = n;
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_large_t  *large;

    if (ngx_stub_left == 0) {
        return NULL;
    }

    if (ngx_stub_left > 0) {
        ngx_stub_left--;
    }

    large = malloc(sizeof(ngx_pool_large_t));
    if (large == NULL) {
        abort();
    }

    large->alloc = malloc(size ? size : 1);
    if (large->alloc == NULL) {
        abort();
    }

    large->next = pool->large;
    pool->large = large;

    return large->alloc;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);
    if (p) {
        ngx_memzero(p, size);
    }

    return p;
}


ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *a;

    a = ngx_palloc(pool, sizeof(ngx_array_t));
    if (a == NULL) {
        return NULL;
    }

    if (ngx_array_init(a, pool, n, size) != NGX_OK) {
        return NULL;
    }

    return a;
}


void *
ngx_array_push(ngx_array_t *a)
{
    void  *elts;

    if (a->nelts == a->nalloc) {

        elts = ngx_palloc(a->pool, 2 * a->nalloc * a->size);
        if (elts == NULL) {
            return NULL;
        }

        ngx_memcpy(elts, a->elts, a->nelts * a->size);
        a->elts = elts;
        a->nalloc *= 2;
    }

    return (u_char *) a->elts + a->size * a->nelts++;
}
