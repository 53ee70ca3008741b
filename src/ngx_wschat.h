
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_H_INCLUDED_
#define _NGX_WSCHAT_H_INCLUDED_


/*
 * Knows the words that every part uses: the names of the types, the
 * connection id's size, the caps.  Never knows what any part does.
 */


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_wschat_api_s      ngx_wschat_api_t;
typedef struct ngx_wschat_session_s  ngx_wschat_session_t;
typedef struct ngx_wschat_run_s      ngx_wschat_run_t;
typedef struct ngx_wschat_store_s    ngx_wschat_store_t;
typedef struct ngx_wschat_frame_s    ngx_wschat_frame_t;
typedef struct ngx_wschat_member_s   ngx_wschat_member_t;
typedef struct ngx_wschat_attr_s     ngx_wschat_attr_t;


#define NGX_WSCHAT_ID_LEN         16        /* a connection id, in bytes */
#define NGX_WSCHAT_ID_TEXT_LEN    24        /* and as text, with "==" */

#define NGX_WSCHAT_SLOTS          64        /* workers of a node, all
                                               generations together */

#define NGX_WSCHAT_MAX_NAME       256       /* a room's or a user's name */
#define NGX_WSCHAT_MAX_KEY        64        /* an attribute's, api's name */
#define NGX_WSCHAT_MAX_VALUE      4096      /* an attribute's value */
#define NGX_WSCHAT_MAX_UA         256       /* of User-Agent, rest is cut */


#endif /* _NGX_WSCHAT_H_INCLUDED_ */
