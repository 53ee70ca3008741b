
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the bus's zone and the life of a process on the bus: what is started
 * and stopped in which order, and what is done once a second.  Never knows what
 * is in a slot's word or in a ring.
 */


#include "ngx_wschat_bus_int.h"


#define NGX_WSCHAT_BUS_MIN_RING       (64 * 1024)
#define NGX_WSCHAT_BUS_MAX_RING       (256 * 1024 * 1024)

#define NGX_WSCHAT_BUS_TICK           1000
#define NGX_WSCHAT_BUS_SLOW_CHECK     10       /* ticks */


/* the zone's data, of one configuration */

typedef struct {
    ngx_wschat_bus_shm_t         *shm;
    size_t                        ring;
    size_t                        queue;
} ngx_wschat_bus_conf_t;


static ngx_int_t ngx_wschat_bus_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_wschat_bus_conf_t *ngx_wschat_bus_conf(ngx_cycle_t *cycle);
static void ngx_wschat_bus_next_handler(ngx_event_t *ev);
static void ngx_wschat_bus_tick_handler(ngx_event_t *ev);


static ngx_str_t    ngx_wschat_bus_name = ngx_string("ngx_wschat_bus");

/* its address is the zone's tag: it stays the same over reloads */
static ngx_uint_t   ngx_wschat_bus_tag;

/* the zone that the master has made the doorbells for */
static void        *ngx_wschat_bus_bells_of;

/* the worker's */
static ngx_event_t  ngx_wschat_bus_tick;
static ngx_uint_t   ngx_wschat_bus_ticks;

ngx_wschat_bus_t    ngx_wschat_bus = { .slot = NGX_WSCHAT_SLOTS };


ngx_int_t
ngx_wschat_bus_add(ngx_conf_t *cf, size_t ring, size_t queue)
{
    size_t                  size, total;
    ngx_shm_zone_t         *zone;
    ngx_wschat_bus_conf_t  *conf;

    size = NGX_WSCHAT_BUS_MIN_RING;

    while (size < ring && size < NGX_WSCHAT_BUS_MAX_RING) {
        size *= 2;
    }

    if (size < ring) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wschat bus: a ring of %uz bytes is too large",
                           ring);
        return NGX_ERROR;
    }

    /* the slab pool needs 24 bytes per page, and some for itself */

    total = ngx_align(sizeof(ngx_wschat_bus_shm_t), ngx_pagesize)
            + NGX_WSCHAT_SLOTS * size;
    total += total / 128 + 8 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &ngx_wschat_bus_name, total,
                                 &ngx_wschat_bus_tag);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    if (zone->data != NULL) {
        conf = zone->data;
        conf->queue = ngx_max(conf->queue, queue);
        return NGX_OK;
    }

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wschat_bus_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    conf->ring = size;
    conf->queue = queue;

    zone->init = ngx_wschat_bus_init_zone;
    zone->data = conf;

    return NGX_OK;
}


/*
 * The rings are one allocation made while the pool is pristine, so it is
 * contiguous; its pages stay untouched, thus zero.  Only what is looked at
 * before a slot is claimed must be known to be zero.
 */

static ngx_int_t
ngx_wschat_bus_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t        *shpool;
    ngx_wschat_bus_conf_t  *conf, *old;

    conf = zone->data;
    old = data;

    if (old != NULL) {
        conf->shm = old->shm;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        conf->shm = shpool->data;
        return NGX_OK;
    }

    conf->shm = ngx_slab_alloc(shpool,
                               ngx_align(sizeof(ngx_wschat_bus_shm_t),
                                         ngx_pagesize)
                               + NGX_WSCHAT_SLOTS * conf->ring);
    if (conf->shm == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(conf->shm, offsetof(ngx_wschat_bus_shm_t, cursors));

    shpool->data = conf->shm;

    return NGX_OK;
}


/*
 * The configuration is taken from the cycle: a static set while a bad
 * configuration was read would mislead the workers forked afterwards.
 */

static ngx_wschat_bus_conf_t *
ngx_wschat_bus_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    part = &cycle->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].tag == &ngx_wschat_bus_tag) {
            return zone[i].data;
        }
    }
}


ngx_int_t
ngx_wschat_bus_init_module(ngx_cycle_t *cycle)
{
    void                   *shm;
    ngx_uint_t              moves;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_conf_t  *conf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    b = &ngx_wschat_bus;
    conf = ngx_wschat_bus_conf(cycle);
    shm = (conf != NULL) ? conf->shm : NULL;

    /*
     * Only a single process has a slot here.  Its hooks are not called on
     * reload, and the old zone is about to be unmapped.
     */

    moves = (b->slot != NGX_WSCHAT_SLOTS && shm != b->shm);

    if (moves) {
        ngx_wschat_bus_exit_process(cycle);
    }

    if (shm != NULL && shm != ngx_wschat_bus_bells_of) {

        /*
         * On a fresh bus the slots begin anew, and the workers of the bus
         * before must not take the bells of the new ones.
         */

        if (ngx_wschat_bus_doorbells(cycle->log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_wschat_bus_bells_of = shm;

    if (moves) {
        return ngx_wschat_bus_init_process(cycle, b->handlers);
    }

    return NGX_OK;
}


ngx_int_t
ngx_wschat_bus_init_process(ngx_cycle_t *cycle,
    ngx_wschat_bus_handlers_t *handlers)
{
    ngx_event_t            *tick;
    ngx_connection_t       *c;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_conf_t  *conf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    b = &ngx_wschat_bus;

    ngx_memzero(b, sizeof(ngx_wschat_bus_t));

    b->slot = NGX_WSCHAT_SLOTS;
    b->handlers = handlers;

    conf = ngx_wschat_bus_conf(cycle);
    if (conf == NULL) {
        return NGX_OK;
    }

    b->shm = conf->shm;
    b->rings = (u_char *) conf->shm
               + ngx_align(sizeof(ngx_wschat_bus_shm_t), ngx_pagesize);
    b->ring = conf->ring;
    b->piece = conf->ring / 4 - sizeof(ngx_wschat_bus_record_t);
    b->limit = conf->queue;

    if (ngx_wschat_bus_claim(cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * In this order: who sees us alive may read our ring, and a reader that
     * is attached but not yet alive would not be waited for.
     */

    ngx_wschat_bus_start_writer(cycle->log);

    if (ngx_wschat_bus_start_reader(cycle->log) != NGX_OK) {
        goto failed;
    }

    c = ngx_wschat_bus_enter(cycle);
    if (c == NULL) {
        goto failed;
    }

    ngx_wschat_bus_attach_all();

    b->next.handler = ngx_wschat_bus_next_handler;
    b->next.data = c;
    b->next.log = cycle->log;

    tick = &ngx_wschat_bus_tick;

    ngx_memzero(tick, sizeof(ngx_event_t));

    tick->handler = ngx_wschat_bus_tick_handler;
    tick->data = c;
    tick->log = cycle->log;
    tick->cancelable = 1;

    ngx_wschat_bus_ticks = 0;

    ngx_add_timer(tick, NGX_WSCHAT_BUS_TICK);

    ngx_wschat_bus_check(1);

    ngx_post_event(&b->next, &ngx_posted_next_events);

    return NGX_OK;

failed:

    ngx_wschat_bus_exit_process(cycle);

    return NGX_ERROR;
}


void
ngx_wschat_bus_exit_process(ngx_cycle_t *cycle)
{
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    if (b->slot == NGX_WSCHAT_SLOTS) {
        return;
    }

    /* nobody should wait for us while we wait for others */

    ngx_wschat_bus_stop_reader();
    ngx_wschat_bus_stop_writer();
    ngx_wschat_bus_leave();

    if (b->next.posted) {
        ngx_delete_posted_event(&b->next);
    }

    if (ngx_wschat_bus_tick.timer_set) {
        ngx_del_timer(&ngx_wschat_bus_tick);
    }
}


ngx_uint_t
ngx_wschat_bus_slot(void)
{
    return ngx_wschat_bus.slot;
}


uint32_t
ngx_wschat_bus_generation(void)
{
    return ngx_wschat_bus.generation;
}


uint64_t
ngx_wschat_bus_live(void)
{
    if (ngx_wschat_bus.slot == NGX_WSCHAT_SLOTS) {
        return 0;
    }

    return ngx_wschat_bus_load(&ngx_wschat_bus.shm->live);
}


void
ngx_wschat_bus_stat(ngx_wschat_bus_stat_t *stat)
{
    *stat = ngx_wschat_bus.stat;
}


static void
ngx_wschat_bus_next_handler(ngx_event_t *ev)
{
    ngx_wschat_bus_run();
    ngx_wschat_bus_deaths();
}


/* Makes up for whatever bell was missed. */

static void
ngx_wschat_bus_tick_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_WSCHAT_BUS_TICK);

    ngx_wschat_bus_look();
    ngx_wschat_bus_check(ngx_wschat_bus_ticks++ % NGX_WSCHAT_BUS_SLOW_CHECK
                         == 0);
    ngx_wschat_bus_run();
    ngx_wschat_bus_stalled(NGX_WSCHAT_BUS_PATIENCE);
}
