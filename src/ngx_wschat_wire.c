
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_wire.h"


static uint64_t ngx_wschat_wire_get(ngx_wschat_wire_t *w, size_t n);


u_char *
ngx_wschat_wire_put_head(u_char *p, ngx_uint_t type)
{
    *p++ = NGX_WSCHAT_WIRE_VERSION;
    *p++ = (u_char) type;

    return p;
}


u_char *
ngx_wschat_wire_put_u8(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) n;

    return p;
}


u_char *
ngx_wschat_wire_put_u16(u_char *p, ngx_uint_t n)
{
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


u_char *
ngx_wschat_wire_put_u32(u_char *p, uint32_t n)
{
    p = ngx_wschat_wire_put_u16(p, n >> 16);

    return ngx_wschat_wire_put_u16(p, n & 0xffff);
}


u_char *
ngx_wschat_wire_put_u64(u_char *p, uint64_t n)
{
    p = ngx_wschat_wire_put_u32(p, (uint32_t) (n >> 32));

    return ngx_wschat_wire_put_u32(p, (uint32_t) n);
}


ngx_uint_t
ngx_wschat_wire_open(u_char **data, size_t *len)
{
    ngx_uint_t  type;

    if (*len < NGX_WSCHAT_WIRE_HEAD
        || (*data)[0] != NGX_WSCHAT_WIRE_VERSION)
    {
        return 0;
    }

    type = (*data)[1];

    *data += NGX_WSCHAT_WIRE_HEAD;
    *len -= NGX_WSCHAT_WIRE_HEAD;

    return type;
}


void
ngx_wschat_wire_init(ngx_wschat_wire_t *w, u_char *data, size_t len)
{
    w->pos = data;
    w->last = data + len;
    w->bad = 0;
}


ngx_uint_t
ngx_wschat_wire_get_u8(ngx_wschat_wire_t *w)
{
    return (ngx_uint_t) ngx_wschat_wire_get(w, 1);
}


ngx_uint_t
ngx_wschat_wire_get_u16(ngx_wschat_wire_t *w)
{
    return (ngx_uint_t) ngx_wschat_wire_get(w, 2);
}


uint32_t
ngx_wschat_wire_get_u32(ngx_wschat_wire_t *w)
{
    return (uint32_t) ngx_wschat_wire_get(w, 4);
}


uint64_t
ngx_wschat_wire_get_u64(ngx_wschat_wire_t *w)
{
    return ngx_wschat_wire_get(w, 8);
}


static uint64_t
ngx_wschat_wire_get(ngx_wschat_wire_t *w, size_t n)
{
    u_char    *p;
    uint64_t   v;

    p = ngx_wschat_wire_get_bytes(w, n);
    if (p == NULL) {
        return 0;
    }

    for (v = 0; n != 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


u_char *
ngx_wschat_wire_get_bytes(ngx_wschat_wire_t *w, size_t n)
{
    u_char  *p;

    if (w->bad || (size_t) (w->last - w->pos) < n) {
        w->bad = 1;
        return NULL;
    }

    p = w->pos;
    w->pos += n;

    return p;
}


void
ngx_wschat_wire_get_str(ngx_wschat_wire_t *w, ngx_str_t *s, size_t n)
{
    s->data = ngx_wschat_wire_get_bytes(w, n);
    s->len = (s->data == NULL) ? 0 : n;
}


void
ngx_wschat_wire_get_rest(ngx_wschat_wire_t *w, ngx_str_t *s)
{
    ngx_wschat_wire_get_str(w, s, (size_t) (w->last - w->pos));
}


void
ngx_wschat_wire_ignored(ngx_uint_t from, const char *why)
{
    time_t             now;
    static time_t      said;
    static ngx_uint_t  unsaid;

    now = ngx_time();

    if (now == said) {
        unsaid++;
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "wschat: record of worker slot %ui is ignored: %s "
                  "(and %ui others before)", from, why, unsaid);

    said = now;
    unsaid = 0;
}
