
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_COMPAT_H_INCLUDED_
#define _NGX_WSCHAT_COMPAT_H_INCLUDED_


/*
 * Knows what differs between nginx 1.22 and current: the only place where
 * nginx_version is looked at.  Never knows what the differences are used for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>


/* output headers are linked lists since 1.23.0 */

#if (nginx_version >= 1023000)
#define ngx_wschat_header_unlink(h)  (h)->next = NULL
#else
#define ngx_wschat_header_unlink(h)
#endif


#endif /* _NGX_WSCHAT_COMPAT_H_INCLUDED_ */
