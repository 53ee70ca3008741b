
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_UPGRADE_H_INCLUDED_
#define _NGX_WSCHAT_UPGRADE_H_INCLUDED_


/*
 * Knows the handshake: from an HTTP request to a session on the connection
 * that the request leaves behind.  Never knows what $connect does, nor what
 * comes after the handshake.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_log.h"


/*
 * The content handler of a location with "wschat".  Answers (RFC 6455 4.2,
 * spec sections 2.2 and 2.3):
 *
 *     101  and the connection is a session's
 *     400  no proper WebSocket handshake
 *     405  not GET
 *     426  no WebSocket handshake at all, or of another version
 *     503  the store is full
 *     502  $connect failed
 *     any  that $connect responds with
 */
ngx_int_t ngx_wschat_upgrade(ngx_http_request_t *r, ngx_wschat_place_t *place);


#endif /* _NGX_WSCHAT_UPGRADE_H_INCLUDED_ */
