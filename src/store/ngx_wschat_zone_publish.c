
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows what becomes of a message before it goes out: its offset, its place in
 * the log, the workers that it is for.  Never knows how it gets there.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone_ops.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_id.h"
#include "ngx_wschat_relay.h"


static ngx_int_t ngx_wschat_zone_publish_room(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_record(ngx_wschat_op_t *op,
    ngx_str_t *parts);
static u_char *ngx_wschat_zone_splice(ngx_wschat_op_t *op, ngx_str_t *digits,
    u_char *p);
static ngx_int_t ngx_wschat_zone_publish_user(ngx_wschat_op_t *op);


ngx_int_t
ngx_wschat_zone_op_publish(ngx_wschat_op_t *op)
{
    uint64_t    slots;
    ngx_uint_t  slot;

    switch (op->message.target) {

    case NGX_WSCHAT_TO_ROOM:
        return ngx_wschat_zone_publish_room(op);

    case NGX_WSCHAT_TO_USER:
        return ngx_wschat_zone_publish_user(op);

    default: /* NGX_WSCHAT_TO_CONNECTION, NGX_WSCHAT_TO_ALL */
        break;
    }

    slots = ngx_wschat_bus_live() | ngx_wschat_zone_bit(ngx_wschat_bus_slot());

    if (op->message.target == NGX_WSCHAT_TO_CONNECTION) {
        slot = ngx_wschat_id_slot(op->message.id);

        if (slot >= NGX_WSCHAT_SLOTS || !(slots & ngx_wschat_zone_bit(slot))) {
            return NGX_DECLINED;
        }

        slots = ngx_wschat_zone_bit(slot);
    }

    return ngx_wschat_relay(op->api, slots, &op->message);
}


static ngx_int_t
ngx_wschat_zone_publish_room(ngx_wschat_op_t *op)
{
    u_char                     *body;
    uint32_t                    hash;
    uint64_t                    slots;
    ngx_int_t                   rc;
    ngx_str_t                   parts[3], digits;
    ngx_uint_t                  store;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_message_t       *message;
    ngx_wschat_zone_channel_t  *ch;
    u_char                      buf[NGX_INT64_LEN];

    zone = op->api->zone;
    message = &op->message;

    if (message->name.len > NGX_WSCHAT_MAX_NAME) {
        return NGX_DECLINED;
    }

    /* all that may fail for lack of the worker's memory comes first */

    body = NULL;

    if (op->late_at >= 0) {
        body = ngx_pnalloc(op->pool, message->body.len + NGX_INT64_LEN);
        if (body == NULL) {
            return NGX_ERROR;
        }
    }

    store = op->store && op->api->history;

    if (store && ngx_wschat_zone_record(op, parts) != NGX_OK) {
        return NGX_ERROR;
    }

    hash = ngx_wschat_zone_hash(zone, &message->name);

    rc = ngx_wschat_zone_lock_room(op, &message->name, hash, &ch);
    if (rc != NGX_OK) {
        return rc;
    }

    digits.data = buf;
    digits.len = 0;

    if (body || store) {
        digits.len = ngx_sprintf(buf, "%uL", ch->offset + 1) - buf;
    }

    if (store) {
        if (op->record_late_at >= 0) {
            parts[1] = digits;
        }

        ngx_wschat_zone_modify(ngx_wschat_zone_head(zone));

        if (ngx_wschat_zone_log_append(zone, ch, parts, 3, op->api->history,
                                       ngx_wschat_zone_since(op->api))
            != NGX_OK)
        {
            return ngx_wschat_zone_busy(zone);
        }
    }

    message->offset = ++ch->offset;
    message->epoch = ch->epoch;

    /* workers which have not told of their members yet may have some */

    slots = ch->mask | ngx_wschat_zone_head(zone)->pending;

    ngx_wschat_zone_unlock(zone);

    op->offset = message->offset;

    if (body) {
        message->body.len = ngx_wschat_zone_splice(op, &digits, body) - body;
        message->body.data = body;
    }

    return ngx_wschat_relay(op->api, slots, message);
}


/*
 * The record as a JSON text: before the place of the offset, room for it, and
 * behind it.
 */

static ngx_int_t
ngx_wschat_zone_record(ngx_wschat_op_t *op, ngx_str_t *parts)
{
    u_char      *p, *src;
    size_t       len, late;
    ngx_str_t   *record;

    record = &op->record;

    late = (op->record_late_at >= 0) ? (size_t) op->record_late_at
                                     : record->len;

    parts[0].data = record->data;
    parts[0].len = late;

    ngx_str_null(&parts[1]);

    parts[2].data = record->data + late;
    parts[2].len = record->len - late;

    if (op->record_json) {
        return NGX_OK;
    }

    src = record->data;

    len = 2 + record->len + ngx_escape_json(NULL, src, record->len);

    p = ngx_pnalloc(op->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    parts[0].data = p;
    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, src, late);
    parts[0].len = p - parts[0].data;

    parts[2].data = p;
    p = (u_char *) ngx_escape_json(p, src + late, record->len - late);
    *p++ = '"';
    parts[2].len = p - parts[2].data;

    return NGX_OK;
}


/* Writes the body with the offset in its place, returns the end. */

static u_char *
ngx_wschat_zone_splice(ngx_wschat_op_t *op, ngx_str_t *digits, u_char *p)
{
    ngx_str_t  *body;

    body = &op->message.body;

    p = ngx_cpymem(p, body->data, op->late_at);
    p = ngx_cpymem(p, digits->data, digits->len);

    return ngx_cpymem(p, body->data + op->late_at, body->len - op->late_at);
}


static ngx_int_t
ngx_wschat_zone_publish_user(ngx_wschat_op_t *op)
{
    uint32_t                    hash;
    uint64_t                    slots;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_channel_t  *ch;

    zone = op->api->zone;

    hash = ngx_wschat_zone_hash(zone, &op->message.name);

    sh = ngx_wschat_zone_lock(zone);

    ch = ngx_wschat_zone_channel(sh,
                                 ngx_wschat_zone_api(sh, &op->api->name),
                                 NGX_WSCHAT_TO_USER, hash, &op->message.name);

    slots = sh->pending | (ch ? ch->mask : 0);

    ngx_wschat_zone_unlock(zone);

    if (slots == 0) {
        return NGX_DECLINED;
    }

    return ngx_wschat_relay(op->api, slots, &op->message);
}
