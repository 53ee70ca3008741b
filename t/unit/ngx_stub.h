
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The few functions of nginx that the route layer calls at configuration
 * time, for unit programs and fuzzers that link without nginx.  Each piece of
 * memory is one malloc(), so that the sanitizers see its exact bounds.
 */


#ifndef _NGX_STUB_H_INCLUDED_
#define _NGX_STUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


ngx_pool_t *ngx_stub_pool_create(void);
void ngx_stub_pool_destroy(ngx_pool_t *pool);

/* after n more allocations from pools all fail; -1 for never */
void ngx_stub_fail_after(ngx_int_t n);


#endif /* _NGX_STUB_H_INCLUDED_ */
