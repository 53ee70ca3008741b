
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how texts of any length are kept in a zone in pieces of limited size,
 * attributes, which are such texts, and how arrays of them are written.  Never
 * knows what they say.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_zone.h"


#define NGX_WSCHAT_ZONE_CHUNK                                                 \
    (NGX_WSCHAT_ZONE_BLOCK - offsetof(ngx_wschat_zone_chunk_t, data))

#define ngx_wschat_zone_attr_size(key, value)                                 \
    (offsetof(ngx_wschat_zone_attr_t, data) + (key) + (value))

/* what of a value is in the attribute's own block */
#define ngx_wschat_zone_attr_room(key, value)                                 \
    ngx_min((value),                                                          \
            NGX_WSCHAT_ZONE_BLOCK - ngx_wschat_zone_attr_size(key, 0))


static ngx_uint_t ngx_wschat_zone_attr_fits(ngx_wschat_zone_attr_t *attr,
    size_t len);


ngx_int_t
ngx_wschat_zone_text_alloc(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_chunk_t **more, size_t size)
{
    size_t                     n;
    ngx_wschat_zone_chunk_t   *chunk, *first;

    first = NULL;

    /* the last one comes first, and is the one that is not full */

    n = size % NGX_WSCHAT_ZONE_CHUNK;

    if (n == 0) {
        n = NGX_WSCHAT_ZONE_CHUNK;
    }

    while (size) {
        chunk = ngx_slab_alloc_locked(zone->pool,
                                      offsetof(ngx_wschat_zone_chunk_t, data)
                                      + n);
        if (chunk == NULL) {
            ngx_wschat_zone_text_free(zone, first);
            return NGX_BUSY;
        }

        chunk->next = first;
        first = chunk;

        size -= n;
        n = NGX_WSCHAT_ZONE_CHUNK;
    }

    *more = first;

    return NGX_OK;
}


void
ngx_wschat_zone_text_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_chunk_t *more)
{
    ngx_wschat_zone_chunk_t  *chunk;

    while (more) {
        chunk = more;
        more = chunk->next;
        ngx_slab_free_locked(zone->pool, chunk);
    }
}


void
ngx_wschat_zone_text_write(u_char *p, size_t room,
    ngx_wschat_zone_chunk_t *more, ngx_str_t *parts, ngx_uint_t n)
{
    u_char  *src;
    size_t   len, size;

    for ( /* void */ ; n; parts++, n--) {

        src = parts->data;
        len = parts->len;

        while (len && (room || more)) {

            if (room == 0) {
                p = more->data;
                room = NGX_WSCHAT_ZONE_CHUNK;
                more = more->next;
            }

            size = ngx_min(len, room);

            p = ngx_cpymem(p, src, size);
            src += size;
            room -= size;
            len -= size;
        }
    }
}


u_char *
ngx_wschat_zone_text_read(u_char *dst, u_char *p, size_t room,
    ngx_wschat_zone_chunk_t *more, size_t len)
{
    size_t  size;

    size = ngx_min(len, room);

    for ( ;; ) {
        dst = ngx_cpymem(dst, p, size);
        len -= size;

        if (len == 0) {
            return dst;
        }

        p = more->data;
        more = more->next;
        size = ngx_min(len, NGX_WSCHAT_ZONE_CHUNK);
    }
}


u_char *
ngx_wschat_zone_out_add(ngx_wschat_zone_out_t *out, size_t len)
{
    u_char  *p, ch;

    ch = out->len ? ',' : '[';

    out->len += 1 + len;

    if ((size_t) (out->end - out->last) < 1 + len) {

        /* nothing fits behind a gap */

        out->last = out->end;
        return NULL;
    }

    *out->last++ = ch;

    p = out->last;
    out->last += len;

    return p;
}


void
ngx_wschat_zone_out_end(ngx_wschat_zone_out_t *out)
{
    if (out->len == 0) {
        (void) ngx_wschat_zone_out_add(out, 0);
    }

    out->len++;

    if (out->last < out->end) {
        *out->last++ = ']';
    }
}


ngx_wschat_zone_attr_t *
ngx_wschat_zone_attr(ngx_wschat_zone_conn_t *c, ngx_str_t *key)
{
    ngx_wschat_zone_attr_t  *attr;

    for (attr = c->attrs; attr; attr = attr->next) {
        if (attr->key_len == key->len
            && ngx_memcmp(attr->data, key->data, key->len) == 0)
        {
            return attr;
        }
    }

    return NULL;
}


ngx_int_t
ngx_wschat_zone_attr_set(ngx_wschat_zone_t *zone, ngx_wschat_zone_conn_t *c,
    ngx_str_t *key, ngx_str_t *value)
{
    size_t                   room;
    ngx_wschat_zone_attr_t  *attr, *old;

    room = ngx_wschat_zone_attr_room(key->len, value->len);

    old = ngx_wschat_zone_attr(c, key);

    if (old && ngx_wschat_zone_attr_fits(old, value->len)) {

        /* so that it works also when the zone is full */

        ngx_memcpy(old->data + key->len, value->data, value->len);
        old->value_len = (uint16_t) value->len;

        return NGX_OK;
    }

    attr = ngx_slab_alloc_locked(zone->pool,
                                 ngx_wschat_zone_attr_size(key->len, room));
    if (attr == NULL) {
        return NGX_BUSY;
    }

    if (ngx_wschat_zone_text_alloc(zone, &attr->more, value->len - room)
        != NGX_OK)
    {
        ngx_slab_free_locked(zone->pool, attr);
        return NGX_BUSY;
    }

    attr->key_len = (uint8_t) key->len;
    attr->value_len = (uint16_t) value->len;

    ngx_memcpy(attr->data, key->data, key->len);
    ngx_wschat_zone_text_write(attr->data + key->len, room, attr->more, value,
                               1);

    if (old) {
        ngx_wschat_zone_attr_remove(zone, c, key);
    }

    attr->next = c->attrs;
    c->attrs = attr;

    return NGX_OK;
}


/*
 * Whether a value of that length has room where the old one is: the slab has
 * given a power of two.
 */

static ngx_uint_t
ngx_wschat_zone_attr_fits(ngx_wschat_zone_attr_t *attr, size_t len)
{
    size_t  old, size;

    old = ngx_wschat_zone_attr_size(attr->key_len, attr->value_len);

    for (size = 32; size < old; size *= 2) { /* void */ }

    return size <= NGX_WSCHAT_ZONE_BLOCK
           && ngx_wschat_zone_attr_size(attr->key_len, len) <= size;
}


void
ngx_wschat_zone_attr_remove(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_str_t *key)
{
    ngx_wschat_zone_attr_t  *attr, **p;

    attr = ngx_wschat_zone_attr(c, key);
    if (attr == NULL) {
        return;
    }

    for (p = &c->attrs; *p != attr; p = &(*p)->next) { /* void */ }

    *p = attr->next;

    ngx_wschat_zone_text_free(zone, attr->more);
    ngx_slab_free_locked(zone->pool, attr);
}


u_char *
ngx_wschat_zone_attr_value(u_char *p, ngx_wschat_zone_attr_t *attr)
{
    return ngx_wschat_zone_text_read(p, attr->data + attr->key_len,
                                     ngx_wschat_zone_attr_room(attr->key_len,
                                                      attr->value_len),
                                     attr->more, attr->value_len);
}
