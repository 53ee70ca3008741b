
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_STATUS_H_INCLUDED_
#define _NGX_WSCHAT_STATUS_H_INCLUDED_


/*
 * Knows what is told of this node: what its zones hold, and the counters of
 * the worker that happens to answer.  Never knows what the numbers come from.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The content handler of a location with "wschat_status": GET and HEAD, a
 * JSON object.  Zones are the node's, in the order of the configuration;
 * "worker", "bus" and "hub" are this worker's since its start.
 */
ngx_int_t ngx_wschat_status(ngx_http_request_t *r);


#endif /* _NGX_WSCHAT_STATUS_H_INCLUDED_ */
