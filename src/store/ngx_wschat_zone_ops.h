
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_ZONE_OPS_H_INCLUDED_
#define _NGX_WSCHAT_ZONE_OPS_H_INCLUDED_


/*
 * Knows what the operations of the zone's store share.  Never knows who wants
 * them done.
 */


#include "ngx_wschat_zone.h"


ngx_int_t ngx_wschat_zone_op_publish(ngx_wschat_op_t *op);
ngx_int_t ngx_wschat_zone_op_rooms(ngx_wschat_op_t *op);
ngx_int_t ngx_wschat_zone_op_members(ngx_wschat_op_t *op);

/* The log part of "join", which has been done. */
ngx_int_t ngx_wschat_zone_history(ngx_wschat_op_t *op);

/*
 * NGX_OK: the zone is locked.  NGX_AGAIN: not, but the connection is in the
 * zone now, which had forgotten it.  Otherwise there is nothing to lock for:
 * NGX_ERROR, NGX_BUSY.
 */
ngx_int_t ngx_wschat_zone_lock_conn(ngx_wschat_op_t *op,
    ngx_wschat_zone_conn_t **c);

/*
 * NGX_OK: the zone is locked.  NGX_DECLINED: there is no such room.
 * NGX_ERROR: the zone began anew, and can not tell until all workers have told
 * it what they have.
 */
ngx_int_t ngx_wschat_zone_lock_room(ngx_wschat_op_t *op, ngx_str_t *name,
    uint32_t hash, ngx_wschat_zone_channel_t **ch);

/* Unlocks; NGX_BUSY. */
ngx_int_t ngx_wschat_zone_busy(ngx_wschat_zone_t *zone);

/* Logs; NGX_ERROR. */
ngx_int_t ngx_wschat_zone_too_long(ngx_wschat_op_t *op, char *what);


#endif /* _NGX_WSCHAT_ZONE_OPS_H_INCLUDED_ */
