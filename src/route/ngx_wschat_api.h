
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_API_H_INCLUDED_
#define _NGX_WSCHAT_API_H_INCLUDED_


/*
 * Knows what a "wschat_api" block says once it is read: limits, routes,
 * hooks.  Never knows how it was read, nor how routes are run.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"
#include "ngx_wschat_expr.h"


typedef struct ngx_wschat_step_s  ngx_wschat_step_t;
typedef struct ngx_wschat_zone_s  ngx_wschat_zone_t;


/* a list of steps, as written between two braces */

typedef struct {
    ngx_array_t             steps;         /* of ngx_wschat_step_t */
} ngx_wschat_block_t;


typedef struct {
    ngx_str_t               key;
    ngx_wschat_block_t      block;
} ngx_wschat_route_t;


typedef enum {
    NGX_WSCHAT_ON_ROOM_CREATE = 0,
    NGX_WSCHAT_ON_ROOM_EMPTY,
    NGX_WSCHAT_ON_MEMBER_JOIN,
    NGX_WSCHAT_ON_MEMBER_LEAVE,
    NGX_WSCHAT_EVENTS
} ngx_wschat_event_e;


struct ngx_wschat_api_s {
    ngx_str_t               name;
    u_char                 *file;          /* where it is configured */
    ngx_uint_t              line;

    ngx_wschat_store_t     *store;
    ngx_str_t               zone_name;
    ngx_wschat_zone_t      *zone;

    ngx_wschat_expr_t      *selection;
    ngx_array_t             routes;        /* of ngx_wschat_route_t, custom
                                              ones, sorted by key */
    ngx_wschat_route_t     *on_connect;    /* NULL if there is none */
    ngx_wschat_route_t     *on_disconnect;
    ngx_wschat_route_t     *on_default;
    ngx_wschat_route_t     *on[NGX_WSCHAT_EVENTS];

    ngx_array_t             variables;     /* of ngx_str_t, "set" anywhere */
    ngx_array_t             captures;      /* of ngx_wschat_capture_t, nginx
                                              variables, read at $connect */
    ngx_array_t             subprotocols;  /* of ngx_str_t */

    ngx_msec_t              idle_timeout;
    ngx_msec_t              max_duration;
    ngx_msec_t              ping_interval;
    ngx_msec_t              pong_timeout;
    ngx_msec_t              send_timeout;
    ngx_msec_t              close_timeout;
    ngx_msec_t              read_timeout;
    size_t                  max_frame;
    size_t                  max_message;
    size_t                  max_body;      /* of what a template makes */
    size_t                  send_queue;
    ngx_uint_t              binary;
    ngx_uint_t              history;       /* records kept of a room */
    time_t                  history_age;   /* seconds, 0: any */
    ngx_uint_t              max_rooms;     /* of one connection */
    ngx_flag_t              ping_is_activity;

    u_char                 *store_file;    /* where "store" is first used */
    ngx_uint_t              store_line;
};


typedef struct {
    ngx_str_t               name;          /* without "$" */
    ngx_int_t               index;         /* nginx's */
    u_char                 *file;          /* where it is first used */
    ngx_uint_t              line;
} ngx_wschat_capture_t;


/*
 * The routes of messages, as small numbers: those of the array from 1 on, and
 * $default.
 */

#define NGX_WSCHAT_MAX_ROUTES     500
#define NGX_WSCHAT_ROUTE_DEFAULT  511

#define ngx_wschat_api_route_number(api, route)                              \
    ((route) == (api)->on_default                                            \
     ? NGX_WSCHAT_ROUTE_DEFAULT                                              \
     : (unsigned) ((route) - (ngx_wschat_route_t *) (api)->routes.elts + 1))

#define ngx_wschat_api_route(api, n)                                         \
    ((n) == NGX_WSCHAT_ROUTE_DEFAULT                                         \
     ? &(api)->on_default->key                                               \
     : &((ngx_wschat_route_t *) (api)->routes.elts)[(n) - 1].key)


/* the configured api of that name in this cycle, or NULL */
ngx_wschat_api_t *ngx_wschat_api_find(ngx_str_t *name);


#endif /* _NGX_WSCHAT_API_H_INCLUDED_ */
