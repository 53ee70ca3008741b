
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_LOG_H_INCLUDED_
#define _NGX_WSCHAT_LOG_H_INCLUDED_


/*
 * Knows the line that nginx's access_log gets when a session ends, and what
 * has to be kept of the request for it.  Never knows what the session did.
 *
 * As with nginx's own proxied WebSockets there is one line a connection, at
 * its end, by the access_log of its location.  The request is gone by then, so
 * one is made for the line.  What it needs of the first one (the URI without
 * arguments, User-Agent, Referer) is shared between the sessions of a worker
 * that have it in common, which costs an idle session one pointer.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_session.h"


extern ngx_module_t  ngx_wschat_module;


/* a location with "wschat" */

struct ngx_wschat_place_s {
    ngx_wschat_api_t     *api;
    void                **main_conf;
    void                **srv_conf;
    void                **loc_conf;
};


ngx_int_t ngx_wschat_log_init_process(ngx_cycle_t *cycle);

/* Remembers what the request says of the client; without memory, nothing. */
void ngx_wschat_log_client(ngx_wschat_session_t *s, ngx_http_request_t *r,
    ngx_wschat_place_t *place);
void ngx_wschat_log_client_free(ngx_wschat_session_t *s);

/* The User-Agent, as long as the session lives; empty if there was none. */
void ngx_wschat_log_user_agent(ngx_wschat_session_t *s, ngx_str_t *value);

/* Writes the line. */
void ngx_wschat_log_end(ngx_wschat_session_t *s, ngx_wschat_end_t *end);

/*
 * For the variables $wschat_...: the session that the request was made for,
 * and its end, or NULL.
 */
ngx_wschat_session_t *ngx_wschat_log_session(ngx_http_request_t *r,
    ngx_wschat_end_t **end);


#endif /* _NGX_WSCHAT_LOG_H_INCLUDED_ */
