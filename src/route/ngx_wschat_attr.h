
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_ATTR_H_INCLUDED_
#define _NGX_WSCHAT_ATTR_H_INCLUDED_


/*
 * Knows a connection's attributes as this worker keeps them: a short list of
 * names and JSON texts.  Never knows what they are called or used for.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"


/* The attribute, or NULL. */
ngx_wschat_attr_t *ngx_wschat_attr_find(ngx_wschat_attr_t *attrs,
    ngx_str_t *key);

/*
 * Sets the attribute to a copy of the value; an empty value removes it.
 * NGX_ERROR: no memory, nothing was changed.
 */
ngx_int_t ngx_wschat_attr_set(ngx_wschat_attr_t **attrs, ngx_str_t *key,
    ngx_str_t *value, ngx_log_t *log);

void ngx_wschat_attr_free(ngx_wschat_attr_t **attrs);


#endif /* _NGX_WSCHAT_ATTR_H_INCLUDED_ */
