
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <sys/random.h>

#include "ngx_wschat_id.h"


#define NGX_WSCHAT_ID_ADDRESS    6        /* node, slot, index */
#define NGX_WSCHAT_REQUEST_ID    11       /* bytes */
#define NGX_WSCHAT_RANDOM_MAX    256
#define NGX_WSCHAT_RANDOM_SIZE   4096


/*
 * Random bytes in stock.  They are of one process: after a fork the child
 * has the parent's, which it must not use.
 */

typedef struct {
    ngx_pid_t    pid;
    size_t       left;                    /* at the end of data */
    u_char       data[NGX_WSCHAT_RANDOM_SIZE];
} ngx_wschat_random_t;


static ngx_wschat_random_t  ngx_wschat_random_stock;


static const u_char  ngx_wschat_base64url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


/* 64: not of the alphabet */

static const u_char  ngx_wschat_base64url_value[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


static u_char *ngx_wschat_id_encode(u_char *p, const u_char *src,
    size_t triples);
static ngx_int_t ngx_wschat_random_refill(void);


ngx_int_t
ngx_wschat_id_create(u_char *id, ngx_uint_t node, ngx_uint_t slot,
    ngx_uint_t index)
{
    id[0] = (u_char) (node >> 8);
    id[1] = (u_char) node;
    id[2] = (u_char) slot;
    id[3] = (u_char) (index >> 16);
    id[4] = (u_char) (index >> 8);
    id[5] = (u_char) index;

    return ngx_wschat_random(id + NGX_WSCHAT_ID_ADDRESS,
                             NGX_WSCHAT_ID_LEN - NGX_WSCHAT_ID_ADDRESS);
}


u_char *
ngx_wschat_id_text(u_char *p, const u_char *id)
{
    p = ngx_wschat_id_encode(p, id, 5);

    *p++ = ngx_wschat_base64url[id[15] >> 2];
    *p++ = ngx_wschat_base64url[(id[15] & 3) << 4];
    *p++ = '=';
    *p++ = '=';

    return p;
}


ngx_int_t
ngx_wschat_id_parse(u_char *id, ngx_str_t *text)
{
    u_char           c[4], bad;
    u_char          *p;
    ngx_uint_t       i;
    const u_char    *v;

    p = text->data;

    if (text->len != NGX_WSCHAT_ID_TEXT_LEN || p[22] != '=' || p[23] != '=') {
        return NGX_DECLINED;
    }

    v = ngx_wschat_base64url_value;
    bad = 0;

    for (i = 0; i < 5; i++) {
        c[0] = v[p[0]];
        c[1] = v[p[1]];
        c[2] = v[p[2]];
        c[3] = v[p[3]];

        bad |= c[0] | c[1] | c[2] | c[3];

        id[0] = (u_char) (c[0] << 2 | c[1] >> 4);
        id[1] = (u_char) (c[1] << 4 | c[2] >> 2);
        id[2] = (u_char) (c[2] << 6 | c[3]);

        p += 4;
        id += 3;
    }

    c[0] = v[p[0]];
    c[1] = v[p[1]];

    bad |= c[0] | c[1];

    id[0] = (u_char) (c[0] << 2 | c[1] >> 4);

    /* an id has one text only: the bits that are left over are zero */

    if ((bad & 64) || (c[1] & 0x0f)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


u_char *
ngx_wschat_id_request(u_char *p)
{
    u_char      id[NGX_WSCHAT_REQUEST_ID];
    ngx_uint_t  i;

    if (ngx_wschat_random(id, NGX_WSCHAT_REQUEST_ID) != NGX_OK) {

        /* these ids are told apart, but keep no secret */

        for (i = 0; i < NGX_WSCHAT_REQUEST_ID; i++) {
            id[i] = (u_char) (ngx_random() >> 8);
        }
    }

    p = ngx_wschat_id_encode(p, id, 3);

    *p++ = ngx_wschat_base64url[id[9] >> 2];
    *p++ = ngx_wschat_base64url[(id[9] & 3) << 4 | id[10] >> 4];
    *p++ = ngx_wschat_base64url[(id[10] & 0x0f) << 2];
    *p++ = '=';

    return p;
}


static u_char *
ngx_wschat_id_encode(u_char *p, const u_char *src, size_t triples)
{
    const u_char  *basis;

    basis = ngx_wschat_base64url;

    for ( /* void */ ; triples != 0; triples--) {
        *p++ = basis[src[0] >> 2];
        *p++ = basis[(src[0] & 3) << 4 | src[1] >> 4];
        *p++ = basis[(src[1] & 0x0f) << 2 | src[2] >> 6];
        *p++ = basis[src[2] & 0x3f];

        src += 3;
    }

    return p;
}


ngx_int_t
ngx_wschat_random(u_char *p, size_t n)
{
    u_char               *from;
    ngx_wschat_random_t  *stock;

    stock = &ngx_wschat_random_stock;

    if (n > NGX_WSCHAT_RANDOM_MAX) {
        return NGX_ERROR;
    }

    if (stock->pid != ngx_pid || stock->left < n) {
        if (ngx_wschat_random_refill() != NGX_OK) {
            return NGX_ERROR;
        }
    }

    from = stock->data + NGX_WSCHAT_RANDOM_SIZE - stock->left;

    ngx_memcpy(p, from, n);

    /* what was given out is nobody else's business */

    ngx_memzero(from, n);

    stock->left -= n;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_random_refill(void)
{
    size_t                got;
    ssize_t               n;
    ngx_wschat_random_t  *stock;

    stock = &ngx_wschat_random_stock;

    /* until it is full there is nothing in stock */

    stock->left = 0;
    stock->pid = ngx_pid;

    for (got = 0; got < NGX_WSCHAT_RANDOM_SIZE; got += (size_t) n) {
        n = getrandom(stock->data + got, NGX_WSCHAT_RANDOM_SIZE - got, 0);

        if (n == -1) {

            if (ngx_errno == NGX_EINTR) {
                n = 0;
                continue;
            }

            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                          "wschat: getrandom() failed");
            return NGX_ERROR;
        }
    }

    stock->left = NGX_WSCHAT_RANDOM_SIZE;

    return NGX_OK;
}
