
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_VARIABLES_H_INCLUDED_
#define _NGX_WSCHAT_VARIABLES_H_INCLUDED_


/*
 * Knows the variables $wschat_...: what a session's line in the access log
 * can say of it.  Never knows when that is written.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


ngx_int_t ngx_wschat_variables_add(ngx_conf_t *cf);


#endif /* _NGX_WSCHAT_VARIABLES_H_INCLUDED_ */
