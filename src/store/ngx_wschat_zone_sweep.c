
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how what a worker left behind is found, becomes another one's, and is
 * handed over.  Never knows what is done with it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone_recover.h"
#include "ngx_wschat_bus.h"


#define NGX_WSCHAT_ZONE_SWEEP     32       /* connections in one turn */
#define NGX_WSCHAT_ZONE_INTERVAL  1000     /* ms */


/*
 * What one step of the sweeping took out of a zone: a connection, or a room
 * that has ended
 */

typedef struct {
    ngx_pool_t           *pool;
    ngx_str_t             api;
    ngx_wschat_orphan_t  *orphan;
    ngx_str_t             name;            /* of the room */
    void                 *room;
} ngx_wschat_zone_left_t;


/* a slot that is being swept by this worker */

typedef struct {
    uint32_t              generation;
    ngx_uint_t            swept;
    unsigned              active:1;
} ngx_wschat_zone_sweep_t;


static void ngx_wschat_zone_timer_handler(ngx_event_t *ev);
static void ngx_wschat_zone_overdue(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_sh_t *sh);
static void ngx_wschat_zone_abandon(ngx_wschat_zone_sh_t *sh, ngx_uint_t slot);
static void ngx_wschat_zone_unmask(ngx_wschat_zone_conn_t *c);

static void ngx_wschat_zone_sweep_handler(ngx_event_t *ev);
static ngx_int_t ngx_wschat_zone_sweep_slot(ngx_uint_t slot, ngx_uint_t *n);
static ngx_int_t ngx_wschat_zone_sweep_next(ngx_wschat_zone_t *zone,
    ngx_uint_t slot, uint32_t generation);
static ngx_int_t ngx_wschat_zone_take_room(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch, ngx_wschat_zone_left_t *left);
static ngx_int_t ngx_wschat_zone_take_conn(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_conn_t *c, ngx_wschat_zone_left_t *left);
static ngx_int_t ngx_wschat_zone_copy(ngx_pool_t *pool, ngx_str_t *dst,
    u_char *src, size_t len);


static ngx_wschat_store_handlers_t  *ngx_wschat_zone_handlers;

static ngx_wschat_zone_sweep_t  ngx_wschat_zone_sweeps[NGX_WSCHAT_SLOTS + 1];
static ngx_event_t              ngx_wschat_zone_sweep_event;
static ngx_event_t              ngx_wschat_zone_timer;

/* debug logs of events look for a descriptor */
static ngx_connection_t         ngx_wschat_zone_dummy;


void
ngx_wschat_store_zone_init_process(ngx_cycle_t *cycle,
    ngx_wschat_store_handlers_t *handlers)
{
    uint32_t               generation;
    ngx_uint_t             i, slot;
    ngx_wschat_zone_t     *zone;
    ngx_wschat_zone_sh_t  *sh;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_wschat_zone_handlers = handlers;

    ngx_wschat_zone_dummy.fd = (ngx_socket_t) -1;

    ngx_wschat_zone_sweep_event.handler = ngx_wschat_zone_sweep_handler;
    ngx_wschat_zone_sweep_event.data = &ngx_wschat_zone_dummy;
    ngx_wschat_zone_sweep_event.log = cycle->log;

    ngx_wschat_zone_timer.handler = ngx_wschat_zone_timer_handler;
    ngx_wschat_zone_timer.data = &ngx_wschat_zone_dummy;
    ngx_wschat_zone_timer.log = cycle->log;
    ngx_wschat_zone_timer.cancelable = 1;

    slot = ngx_wschat_bus_slot();
    generation = ngx_wschat_bus_generation();

    for (i = 0; (zone = ngx_wschat_zone_next(cycle, &i)) != NULL; /* void */) {

        zone->seen = ngx_wschat_zone_head(zone)->incarnation;

        sh = ngx_wschat_zone_lock(zone);
        ngx_wschat_zone_modify(sh);

        /*
         * The slot's last worker was swept by one that did not know this
         * zone, in the time around a reload that changed the zone.
         */

        if (sh->slots[slot].generation != generation) {
            ngx_wschat_zone_abandon(sh, slot);
        }

        sh->slots[slot].generation = generation;
        sh->workers |= ngx_wschat_zone_bit(slot);

        ngx_wschat_zone_unlock(zone);
    }

    if (!ngx_wschat_zone_timer.timer_set) {
        ngx_add_timer(&ngx_wschat_zone_timer, NGX_WSCHAT_ZONE_INTERVAL);
    }
}


void
ngx_wschat_store_zone_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t             i, slot;
    ngx_wschat_zone_t     *zone;
    ngx_wschat_zone_sh_t  *sh;

    if (ngx_wschat_zone_handlers == NULL) {
        return;
    }

    slot = ngx_wschat_bus_slot();

    for (i = 0; (zone = ngx_wschat_zone_next(cycle, &i)) != NULL; /* void */) {
        sh = ngx_wschat_zone_lock(zone);
        ngx_wschat_zone_modify(sh);
        ngx_wschat_zone_abandon(sh, slot);
        ngx_wschat_zone_unlock(zone);
    }
}


/*
 * Locking is what finds a zone that is dirty or was begun anew; a worker that
 * has nothing else to do with the zone does it here.
 */

static void
ngx_wschat_zone_timer_handler(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_wschat_zone_t       *zone;
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_slot_t  *lost;

    for (i = 0;
         (zone = ngx_wschat_zone_next((ngx_cycle_t *) ngx_cycle, &i)) != NULL;
         /* void */)
    {
        sh = ngx_wschat_zone_lock(zone);

        ngx_wschat_zone_overdue(zone, sh);

        lost = &sh->slots[NGX_WSCHAT_ZONE_LOST];

        if (!ngx_queue_empty(&lost->connections)
            || !ngx_queue_empty(&lost->ended))
        {
            ngx_wschat_zone_sweeps[NGX_WSCHAT_ZONE_LOST].active = 1;
        }

        ngx_wschat_zone_unlock(zone);
    }

    /* there may be some that had to wait for memory, too */

    ngx_post_event(&ngx_wschat_zone_sweep_event, &ngx_posted_next_events);

    ngx_add_timer(ev, NGX_WSCHAT_ZONE_INTERVAL);
}


/*
 * Around a reload that changes the zones a dead worker may be swept by one
 * that does not know this zone.  Nobody else will: its slot is free.
 */

static void
ngx_wschat_zone_overdue(ngx_wschat_zone_t *zone, ngx_wschat_zone_sh_t *sh)
{
    uint64_t    dead, bit;
    ngx_uint_t  slot;

    dead = sh->workers & ~ngx_wschat_bus_live();

    for (slot = 0; slot < NGX_WSCHAT_SLOTS; slot++) {

        bit = ngx_wschat_zone_bit(slot);

        /* not at once: there may be one who is at it */

        if (dead & zone->overdue & bit) {
            ngx_wschat_zone_modify(sh);
            ngx_wschat_zone_abandon(sh, slot);

            dead &= ~bit;
        }
    }

    zone->overdue = dead;
}


/* What the slot has is lost, and the slot as if it never used the zone. */

static void
ngx_wschat_zone_abandon(ngx_wschat_zone_sh_t *sh, ngx_uint_t slot)
{
    ngx_queue_t             *q;
    ngx_wschat_zone_slot_t  *from, *to;

    from = &sh->slots[slot];
    to = &sh->slots[NGX_WSCHAT_ZONE_LOST];

    for (q = ngx_queue_head(&from->connections);
         q != ngx_queue_sentinel(&from->connections);
         q = ngx_queue_next(q))
    {
        ngx_wschat_zone_unmask(ngx_queue_data(q, ngx_wschat_zone_conn_t,
                                              queue));
    }

    if (!ngx_queue_empty(&from->connections)) {
        ngx_queue_add(&to->connections, &from->connections);
        ngx_queue_init(&from->connections);
    }

    if (!ngx_queue_empty(&from->ended)) {
        ngx_queue_add(&to->ended, &from->ended);
        ngx_queue_init(&from->ended);
    }

    from->generation = 0;
    sh->workers &= ~ngx_wschat_zone_bit(slot);

    ngx_wschat_zone_told(sh, slot);
}


/*
 * The connection's worker is dead: it has no members any more.  From now on
 * the connection is an orphan.
 */

static void
ngx_wschat_zone_unmask(ngx_wschat_zone_conn_t *c)
{
    uint64_t                   bit;
    ngx_queue_t               *q;
    ngx_wschat_zone_member_t  *m;

    if (c->orphan) {
        return;
    }

    bit = ngx_wschat_zone_bit(c->slot);

    for (q = ngx_queue_head(&c->members);
         q != ngx_queue_sentinel(&c->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_wschat_zone_member_t, own);
        m->channel->mask &= ~bit;
    }

    if (c->user) {
        c->user->channel->mask &= ~bit;
    }

    c->orphan = 1;
}


void
ngx_wschat_store_zone_dead(ngx_uint_t slot, uint32_t generation)
{
    ngx_wschat_zone_sweeps[slot].generation = generation;
    ngx_wschat_zone_sweeps[slot].swept = 0;
    ngx_wschat_zone_sweeps[slot].active = 1;

    ngx_post_event(&ngx_wschat_zone_sweep_event, &ngx_posted_next_events);
}


static void
ngx_wschat_zone_sweep_handler(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_uint_t                slot, n;
    ngx_wschat_zone_sweep_t  *sweep;

    n = NGX_WSCHAT_ZONE_SWEEP;

    for (slot = 0; slot <= NGX_WSCHAT_ZONE_LOST; slot++) {

        sweep = &ngx_wschat_zone_sweeps[slot];

        if (!sweep->active) {
            continue;
        }

        rc = ngx_wschat_zone_sweep_slot(slot, &n);

        if (rc == NGX_AGAIN) {
            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        if (rc != NGX_OK) {

            /* no memory: the timer tries again */

            continue;
        }

        sweep->active = 0;

        if (sweep->swept) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "wschat: swept %ui connections of dead workers, "
                          "slot %ui", sweep->swept, slot);
            sweep->swept = 0;
        }

        if (slot != NGX_WSCHAT_ZONE_LOST) {
            ngx_wschat_bus_release(slot);
        }
    }
}


/* NGX_OK: the slot has nothing left in any zone; *n is what may yet be done */

static ngx_int_t
ngx_wschat_zone_sweep_slot(ngx_uint_t slot, ngx_uint_t *n)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_wschat_zone_t  *zone;

    for (i = 0;
         (zone = ngx_wschat_zone_next((ngx_cycle_t *) ngx_cycle, &i)) != NULL;
         /* void */)
    {
        for ( ;; ) {

            if (*n == 0) {
                return NGX_AGAIN;
            }

            rc = ngx_wschat_zone_sweep_next(zone, slot,
                                    ngx_wschat_zone_sweeps[slot].generation);

            if (rc == NGX_DONE) {
                break;
            }

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }

            (*n)--;
        }
    }

    return NGX_OK;
}


/*
 * One connection or one room of the slot becomes this worker's, so that it is
 * swept again if this worker dies before it is done with it, and is handed
 * over.  NGX_DONE: there was nothing.
 */

static ngx_int_t
ngx_wschat_zone_sweep_next(ngx_wschat_zone_t *zone, ngx_uint_t slot,
    uint32_t generation)
{
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_queue_t             *q;
    ngx_wschat_api_t        *api;
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_left_t   left;
    ngx_wschat_zone_slot_t  *from;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&left, sizeof(ngx_wschat_zone_left_t));
    left.pool = pool;

    rc = NGX_DONE;

    sh = ngx_wschat_zone_lock(zone);

    from = &sh->slots[slot];

    if (slot != NGX_WSCHAT_ZONE_LOST && from->generation != generation) {

        /* that worker did not use this zone, or it was swept already */

    } else if (!ngx_queue_empty(&from->ended)) {

        q = ngx_queue_last(&from->ended);
        rc = ngx_wschat_zone_take_room(sh,
                        ngx_queue_data(q, ngx_wschat_zone_channel_t, queue),
                        &left);

    } else if (!ngx_queue_empty(&from->connections)) {

        q = ngx_queue_head(&from->connections);
        rc = ngx_wschat_zone_take_conn(sh,
                        ngx_queue_data(q, ngx_wschat_zone_conn_t, queue),
                        &left);

    } else if (slot != NGX_WSCHAT_ZONE_LOST) {

        ngx_wschat_zone_modify(sh);
        ngx_wschat_zone_abandon(sh, slot);
    }

    ngx_wschat_zone_unlock(zone);

    if (rc != NGX_OK) {
        ngx_destroy_pool(pool);
        return rc;
    }

    api = ngx_wschat_api_find(&left.api);

    if (api && api->zone != zone) {
        api = NULL;
    }

    if (left.room) {

        if (api) {
            ngx_wschat_zone_handlers->ended(api, &left.name, left.room);

        } else {
            ngx_wschat_zone_room_free(zone, ngx_wschat_bus_slot(), left.room);
        }

        ngx_destroy_pool(pool);

        return NGX_OK;
    }

    ngx_wschat_zone_sweeps[slot].swept++;

    if (api == NULL) {

        /* not configured any more: nobody wants to know */

        ngx_wschat_zone_forget(zone, left.orphan->peer.id);
        ngx_destroy_pool(pool);

        return NGX_OK;
    }

    ngx_wschat_zone_handlers->orphan(api, left.orphan);

    return NGX_OK;
}


/* a room that has ended is this worker's to see to */

static ngx_int_t
ngx_wschat_zone_take_room(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch, ngx_wschat_zone_left_t *left)
{
    ngx_wschat_zone_slot_t  *self;

    if (ngx_wschat_zone_copy(left->pool, &left->api, ch->api->name,
                             ch->api->len)
        != NGX_OK
        || ngx_wschat_zone_copy(left->pool, &left->name, ch->name, ch->len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    left->room = ngx_wschat_zone_room(ch);

    self = &sh->slots[ngx_wschat_bus_slot()];

    ngx_wschat_zone_modify(sh);

    ngx_queue_remove(&ch->queue);
    ngx_queue_insert_head(&self->ended, &ch->queue);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_take_conn(ngx_wschat_zone_sh_t *sh, ngx_wschat_zone_conn_t *c,
    ngx_wschat_zone_left_t *left)
{
    ngx_pool_t                 *pool;
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_wschat_attr_t          *attr;
    ngx_wschat_orphan_t        *orphan;
    ngx_wschat_zone_attr_t     *a;
    ngx_wschat_zone_slot_t     *self;
    ngx_wschat_zone_member_t   *m;
    ngx_wschat_zone_channel_t  *ch;

    pool = left->pool;

    if (ngx_wschat_zone_copy(pool, &left->api, c->api->name, c->api->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    orphan = ngx_pcalloc(pool, sizeof(ngx_wschat_orphan_t));
    if (orphan == NULL) {
        return NGX_ERROR;
    }

    orphan->pool = pool;
    orphan->accepted = c->accepted;
    orphan->peer.connected = c->connected;
    orphan->peer.last_active = c->connected;

    ngx_memcpy(orphan->peer.id, c->id, NGX_WSCHAT_ID_LEN);

    orphan->peer.ip.data = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);
    if (orphan->peer.ip.data == NULL) {
        return NGX_ERROR;
    }

    orphan->peer.ip.len = ngx_wschat_zone_addr(orphan->peer.ip.data, c->addr,
                                               c->addr_len);

    if (c->agent
        && ngx_wschat_zone_copy(pool, &orphan->peer.user_agent, c->agent->data,
                                c->agent->node.str.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (a = c->attrs; a; a = a->next) {

        attr = ngx_palloc(pool, sizeof(ngx_wschat_attr_t));
        if (attr == NULL) {
            return NGX_ERROR;
        }

        if (ngx_wschat_zone_copy(pool, &attr->key, a->data, a->key_len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        attr->value.len = a->value_len;
        attr->value.data = ngx_pnalloc(pool, a->value_len);
        if (attr->value.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_wschat_zone_attr_value(attr->value.data, a);

        attr->next = orphan->attrs;
        orphan->attrs = attr;
    }

    n = 0;

    for (q = ngx_queue_head(&c->members);
         q != ngx_queue_sentinel(&c->members);
         q = ngx_queue_next(q))
    {
        n++;
    }

    orphan->rooms = ngx_palloc(pool, n * sizeof(ngx_str_t));
    if (orphan->rooms == NULL) {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&c->members);
         q != ngx_queue_sentinel(&c->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_wschat_zone_member_t, own);
        ch = m->channel;

        if (ngx_wschat_zone_copy(pool, &orphan->rooms[orphan->nrooms++],
                                 ch->name, ch->len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    left->orphan = orphan;

    self = &sh->slots[ngx_wschat_bus_slot()];

    ngx_wschat_zone_modify(sh);

    ngx_wschat_zone_unmask(c);

    c->slot = (uint8_t) ngx_wschat_bus_slot();

    ngx_queue_remove(&c->queue);
    ngx_queue_insert_tail(&self->connections, &c->queue);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_copy(ngx_pool_t *pool, ngx_str_t *dst, u_char *src, size_t len)
{
    dst->len = len;
    dst->data = ngx_pnalloc(pool, len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src, len);

    return NGX_OK;
}
