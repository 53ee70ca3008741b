
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_CONNECTIONS_H_INCLUDED_
#define _NGX_WSCHAT_CONNECTIONS_H_INCLUDED_


/*
 * Knows API Gateway's @connections: which HTTP request asks what of which
 * connection, and how that is answered (spec section 6).  Never knows where a
 * connection is.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "route/ngx_wschat_api.h"


/* bytes of a POST's body; more if the api's messages may be larger */

#define NGX_WSCHAT_CONNECTIONS_BODY  131072


/*
 * The content handler of a location with "wschat_connections": the connection
 * id is what follows the last "/@connections/" in the URI.  Checked in this
 * order:
 *
 *     no id                              403  ForbiddenException
 *     not POST, GET or DELETE            405  with Allow
 *     POST of unknown length (chunked)   411
 *     POST of too many bytes             413  PayloadTooLargeException
 *     can not be an id                   400  BadRequestException
 *     no such connection in the api      410  GoneException
 *     its queue is full                  429  LimitExceededException
 *     no answer from its worker          500  InternalServerErrorException
 *
 * All bodies are JSON, the names are sent in x-amzn-ErrorType.  A POST's body
 * becomes one text frame, what in it is not UTF-8 becomes U+FFFD.
 */
ngx_int_t ngx_wschat_connections(ngx_http_request_t *r,
    ngx_wschat_api_t *api);

/*
 * To be called while the location's configuration is merged.  Lifts nginx's
 * own limit of the body, whose error page is HTML, which the SDKs can not
 * read: ours is enforced instead, before the body is read.  And has bodies
 * read into memory, of which no more is taken than a request says it needs.
 */
void ngx_wschat_connections_merge(ngx_conf_t *cf, ngx_wschat_api_t *api);


#endif /* _NGX_WSCHAT_CONNECTIONS_H_INCLUDED_ */
