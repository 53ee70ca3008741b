
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the zone as nginx knows it: a name and a size in the configuration,
 * memory that outlives a reload.  Never knows what is kept there.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone.h"
#include "ngx_wschat_zone_recover.h"
#include "ngx_wschat_id.h"


static ngx_int_t ngx_wschat_zone_init(ngx_shm_zone_t *shm_zone, void *data);


ngx_wschat_zone_t *
ngx_wschat_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t     *shm_zone;
    ngx_wschat_zone_t  *zone;

    if (size < NGX_WSCHAT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wschat zone \"%V\" is too small: it needs at "
                           "least %dk", name, NGX_WSCHAT_ZONE_MIN / 1024);
        return NULL;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_wschat_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, &ngx_wschat_store_zone);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate wschat zone \"%V\"", name);
        return NULL;
    }

    zone->name = shm_zone->shm.name;
    zone->restore.handler = ngx_wschat_zone_restore_handler;
    zone->restore.data = zone;
    zone->restore.log = &cf->cycle->new_log;

    shm_zone->init = ngx_wschat_zone_init;
    shm_zone->data = zone;

    return zone;
}


ngx_wschat_zone_t *
ngx_wschat_zone_find(ngx_cycle_t *cycle, ngx_str_t *name)
{
    ngx_uint_t          i;
    ngx_wschat_zone_t  *zone;

    for (i = 0; (zone = ngx_wschat_zone_next(cycle, &i)) != NULL; /* void */) {
        if (zone->name.len == name->len
            && ngx_memcmp(zone->name.data, name->data, name->len) == 0)
        {
            return zone;
        }
    }

    return NULL;
}


ngx_wschat_zone_t *
ngx_wschat_zone_next(ngx_cycle_t *cycle, ngx_uint_t *at)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *shm_zone;

    n = 0;

    for (part = &cycle->shared_memory.part; part; part = part->next) {

        shm_zone = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (n++ < *at || shm_zone[i].tag != &ngx_wschat_store_zone) {
                continue;
            }

            *at = n;
            return shm_zone[i].data;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_wschat_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_time_t            *tp;
    ngx_wschat_zone_t     *zone, *old;
    ngx_wschat_zone_sh_t  *sh;

    zone = shm_zone->data;
    old = data;

    zone->pool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old || shm_zone->shm.exists) {
        sh = ngx_wschat_zone_head(zone);

        zone->key[0] = sh->key[0];
        zone->key[1] = sh->key[1];

        if (old) {

            /* a lone process goes on with the sessions it has */

            zone->seen = old->restoring ? 0 : old->seen;

            if (old->restore.posted) {
                ngx_delete_posted_event(&old->restore);
            }
        }

        return NGX_OK;
    }

    if (ngx_wschat_zone_begin(zone, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    sh = ngx_wschat_zone_head(zone);

    if (ngx_wschat_random((u_char *) sh->key, sizeof(sh->key)) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->key[0] = sh->key[0];
    zone->key[1] = sh->key[1];

    /*
     * Rooms do not begin faster than one in a microsecond, so epochs grow also
     * over restarts; and JavaScript still counts that far.
     */

    tp = ngx_timeofday();
    sh->epoch = (uint64_t) tp->sec * 1000000 + (uint64_t) tp->msec * 1000;

    return NGX_OK;
}


void
ngx_wschat_zone_stat(ngx_wschat_zone_t *zone, ngx_wschat_zone_stat_t *stat)
{
    ngx_wschat_zone_sh_t  *sh;

    sh = ngx_wschat_zone_lock(zone);

    stat->connections = sh->connections;
    stat->rooms = sh->rooms;
    stat->users = sh->users;
    stat->pages = zone->pool->last - zone->pool->pages;
    stat->pages_free = zone->pool->pfree;
    stat->full = sh->full;
    stat->incarnation = sh->incarnation;

    ngx_wschat_zone_unlock(zone);
}
