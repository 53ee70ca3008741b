
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_attr.h"


ngx_wschat_attr_t *
ngx_wschat_attr_find(ngx_wschat_attr_t *attrs, ngx_str_t *key)
{
    ngx_wschat_attr_t  *a;

    for (a = attrs; a; a = a->next) {

        if (a->key.len == key->len
            && ngx_memcmp(a->key.data, key->data, key->len) == 0)
        {
            return a;
        }
    }

    return NULL;
}


ngx_int_t
ngx_wschat_attr_set(ngx_wschat_attr_t **attrs, ngx_str_t *key,
    ngx_str_t *value, ngx_log_t *log)
{
    ngx_wschat_attr_t  *a, *old, **p;

    a = NULL;

    if (value->len) {
        a = ngx_alloc(sizeof(ngx_wschat_attr_t) + key->len + value->len, log);
        if (a == NULL) {
            return NGX_ERROR;
        }

        a->key.data = (u_char *) (a + 1);
        a->key.len = key->len;
        a->value.data = ngx_cpymem(a->key.data, key->data, key->len);
        a->value.len = value->len;
        ngx_memcpy(a->value.data, value->data, value->len);
    }

    old = ngx_wschat_attr_find(*attrs, key);

    if (old) {
        for (p = attrs; *p != old; p = &(*p)->next) { /* void */ }

        *p = old->next;
        ngx_free(old);
    }

    if (a) {
        a->next = *attrs;
        *attrs = a;
    }

    return NGX_OK;
}


void
ngx_wschat_attr_free(ngx_wschat_attr_t **attrs)
{
    ngx_wschat_attr_t  *a;

    while (*attrs) {
        a = *attrs;
        *attrs = a->next;
        ngx_free(a);
    }
}
