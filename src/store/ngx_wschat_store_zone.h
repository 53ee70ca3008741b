
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_STORE_ZONE_H_INCLUDED_
#define _NGX_WSCHAT_STORE_ZONE_H_INCLUDED_


/*
 * Knows the store that keeps its state in a shared memory zone of this node:
 * what the module's hooks call of it.  Never knows Redis.
 *
 * What the zone holds is whole at all times: a worker that was killed while
 * it changed the zone makes the next one begin it anew, and all workers tell
 * it again about their connections, attributes, users and memberships.  Rooms
 * get new epochs then; their logs, the order of their members, User-Agents,
 * what dead workers had, and rooms that had ended and whose hook had not run
 * yet, are lost.
 */


#include "ngx_wschat_store.h"
#include "route/ngx_wschat_api.h"


#define NGX_WSCHAT_ZONE_MIN   (1024 * 1024)

/* what "members", "rooms" and the log of "join" give at most */

#define NGX_WSCHAT_ZONE_LIST  10000            /* elements; the log has the
                                                  api's own limit */
#define NGX_WSCHAT_ZONE_TEXT  (1024 * 1024)    /* bytes of the array */


typedef struct {
    ngx_uint_t            connections;
    ngx_uint_t            rooms;
    ngx_uint_t            users;
    ngx_uint_t            pages;               /* of ngx_pagesize */
    ngx_uint_t            pages_free;
    uint64_t              full;                /* operations refused */
    uint64_t              incarnation;         /* 1, and one more each time
                                                  the zone began anew */
} ngx_wschat_zone_stat_t;


extern ngx_wschat_store_t  ngx_wschat_store_zone;


/*
 * Configuration time: adds a zone of "size" bytes to the cycle, at least
 * NGX_WSCHAT_ZONE_MIN.  NULL: given twice, too small, no memory; logged with
 * file and line.  A reload keeps the zone's contents if its size is the same.
 */
ngx_wschat_zone_t *ngx_wschat_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);

/* The zone of that name in the cycle, or NULL. */
ngx_wschat_zone_t *ngx_wschat_zone_find(ngx_cycle_t *cycle, ngx_str_t *name);

/*
 * Worker, after the bus has its slot: for all zones of the cycle.  "handlers"
 * must last.
 */
void ngx_wschat_store_zone_init_process(ngx_cycle_t *cycle,
    ngx_wschat_store_handlers_t *handlers);

/*
 * Worker, before the bus gives its slot back: connections that were not
 * disconnected are left to the other workers, as if this one had died.
 */
void ngx_wschat_store_zone_exit_process(ngx_cycle_t *cycle);

/*
 * The worker of that slot is dead (the bus says so to one survivor): hands
 * what it left in all zones to the handlers, a part in each turn of the event
 * loop, not from within the call, and then releases the slot.
 */
void ngx_wschat_store_zone_dead(ngx_uint_t slot, uint32_t generation);

void ngx_wschat_zone_stat(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_stat_t *stat);


#endif /* _NGX_WSCHAT_STORE_ZONE_H_INCLUDED_ */
