
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_REPLY_H_INCLUDED_
#define _NGX_WSCHAT_REPLY_H_INCLUDED_


/*
 * Knows how an HTTP request is answered with a status, headers and a short
 * body.  Never knows why.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Adds a header to the answer.  "name" is a string literal, the value's bytes
 * must live as long as the request.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_wschat_reply_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/*
 * Sends the answer; what the client still sends of its body is discarded.
 * "type" is the Content-Type, NULL is "application/json"; "body" is copied,
 * NULL is none.  Returns what a content handler returns, or what
 * ngx_http_finalize_request() is given elsewhere.  nginx's "error_page" does
 * not apply.
 */
ngx_int_t ngx_wschat_reply(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);

/*
 * The same with {"message":"..."}, or no body if "message" is NULL.  "error"
 * goes into x-amzn-ErrorType, by which the SDKs choose the exception they
 * raise (spec section 6.4), NULL: no such header; it must live as long as the
 * request.  "message" is copied, and needs no escaping.
 */
ngx_int_t ngx_wschat_reply_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *message);

/*
 * Adds x-amzn-RequestId (a UUID), x-amz-apigw-id (as $context.requestId) and,
 * with "trace", X-Amzn-Trace-Id (spec section 6.1).
 */
ngx_int_t ngx_wschat_reply_ids(ngx_http_request_t *r, ngx_uint_t trace);

/*
 * Makes UTF-8 of the text: what in it is not becomes U+FFFD.  The bytes are
 * copied only if there is such.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_wschat_reply_utf8(ngx_pool_t *pool, ngx_str_t *text);

/* The same, and what then may stand between the quotes of a JSON string. */
ngx_int_t ngx_wschat_reply_escape(ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_WSCHAT_REPLY_H_INCLUDED_ */
