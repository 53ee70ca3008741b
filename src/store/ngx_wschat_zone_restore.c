
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows what a zone that began anew has to be told of this worker, and when
 * all have told.  Never knows why it began anew.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone_recover.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_hub.h"


#define NGX_WSCHAT_ZONE_RESTORE  64            /* sessions in one turn */


static ngx_uint_t ngx_wschat_zone_restore(ngx_wschat_zone_t *zone,
    ngx_uint_t n);


void
ngx_wschat_zone_restore_handler(ngx_event_t *ev)
{
    ngx_wschat_zone_t  *zone;

    zone = ev->data;

    if (ngx_wschat_zone_restore(zone, NGX_WSCHAT_ZONE_RESTORE)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


void
ngx_wschat_zone_restore_all(ngx_wschat_zone_t *zone)
{
    while (ngx_wschat_zone_restore(zone, NGX_WSCHAT_ZONE_RESTORE)) {
        /* void */
    }
}


/* Looks at n sessions; 0: all are done. */

static ngx_uint_t
ngx_wschat_zone_restore(ngx_wschat_zone_t *zone, ngx_uint_t n)
{
    ngx_wschat_zone_sh_t  *sh;
    ngx_wschat_session_t  *s;

    if (!zone->restoring) {
        return 0;
    }

    for ( /* void */ ; n; n--) {

        s = ngx_wschat_session_next(&zone->at);

        if (s == NULL) {
            break;
        }

        if (s->api->zone == zone) {

            /* if it is full, that is counted and logged there */

            (void) ngx_wschat_zone_restore_session(s);
        }
    }

    if (n == 0) {
        return 1;
    }

    zone->restoring = 0;

    sh = ngx_wschat_zone_lock(zone);

    if (!zone->restoring) {
        ngx_wschat_zone_modify(sh);
        ngx_wschat_zone_told(sh, ngx_wschat_bus_slot());
    }

    ngx_wschat_zone_unlock(zone);

    return zone->restoring;
}


ngx_int_t
ngx_wschat_zone_restore_session(ngx_wschat_session_t *s)
{
    ngx_int_t             rc;
    ngx_wschat_op_t       op;
    ngx_wschat_attr_t    *attr;
    ngx_wschat_member_t  *m;

    ngx_memzero(&op, sizeof(ngx_wschat_op_t));

    op.api = s->api;
    op.log = ngx_cycle->log;
    op.id = s->id;

    ngx_wschat_session_peer(s, &op.peer);

    op.accepted = 1;

    rc = ngx_wschat_store_zone.connect(&op);
    if (rc != NGX_OK) {
        return rc;
    }

    for (attr = s->attrs; attr; attr = attr->next) {
        op.name = attr->key;
        op.value = attr->value;

        rc = ngx_wschat_store_zone.set(&op);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    op.create = 1;

    for (m = s->members; m; m = m->next) {

        if (m->channel->kind != NGX_WSCHAT_TO_ROOM) {
            continue;
        }

        op.name = m->channel->node.str;

        rc = ngx_wschat_store_zone.join(&op);
        if (rc != NGX_OK) {
            return rc;
        }

        /* the session is there: this but sets the epoch */

        (void) ngx_wschat_hub_join(s, NGX_WSCHAT_TO_ROOM, &op.name, op.epoch,
                                   op.offset);
    }

    return NGX_OK;
}


void
ngx_wschat_zone_told(ngx_wschat_zone_sh_t *sh, ngx_uint_t slot)
{
    ngx_queue_t                *q, *r, *next;
    ngx_wschat_zone_api_t      *api;
    ngx_wschat_zone_channel_t  *ch;

    if (!(sh->pending & ngx_wschat_zone_bit(slot))) {
        return;
    }

    sh->pending &= ~ngx_wschat_zone_bit(slot);

    if (sh->pending) {
        return;
    }

    for (q = ngx_queue_head(&sh->apis);
         q != ngx_queue_sentinel(&sh->apis);
         q = ngx_queue_next(q))
    {
        api = ngx_queue_data(q, ngx_wschat_zone_api_t, queue);

        for (r = ngx_queue_head(&api->rooms);
             r != ngx_queue_sentinel(&api->rooms);
             r = next)
        {
            next = ngx_queue_next(r);
            ch = ngx_queue_data(r, ngx_wschat_zone_channel_t, queue);

            if (ch->count == 0) {
                ngx_wschat_zone_channel_end(sh, ch, NGX_WSCHAT_ZONE_LOST);
            }
        }
    }
}
