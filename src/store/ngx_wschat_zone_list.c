
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how what the zone has becomes a JSON array: rooms, members, the log.
 * Never knows what changes it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone_ops.h"
#include "ngx_wschat_id.h"


/* an array of that size is written without asking for memory first */
#define NGX_WSCHAT_ZONE_SMALL  4096


typedef void (*ngx_wschat_zone_write_pt)(ngx_wschat_zone_out_t *out,
    ngx_wschat_op_t *op, ngx_wschat_zone_channel_t *ch);


static ngx_int_t ngx_wschat_zone_text(ngx_wschat_op_t *op,
    ngx_wschat_zone_write_pt write, ngx_uint_t room);
static void ngx_wschat_zone_write_log(ngx_wschat_zone_out_t *out,
    ngx_wschat_op_t *op, ngx_wschat_zone_channel_t *ch);
static void ngx_wschat_zone_write_rooms(ngx_wschat_zone_out_t *out,
    ngx_wschat_op_t *op, ngx_wschat_zone_channel_t *ch);
static void ngx_wschat_zone_write_members(ngx_wschat_zone_out_t *out,
    ngx_wschat_op_t *op, ngx_wschat_zone_channel_t *ch);


ngx_int_t
ngx_wschat_zone_op_rooms(ngx_wschat_op_t *op)
{
    return ngx_wschat_zone_text(op, ngx_wschat_zone_write_rooms, 0);
}


ngx_int_t
ngx_wschat_zone_op_members(ngx_wschat_op_t *op)
{
    return ngx_wschat_zone_text(op, ngx_wschat_zone_write_members, 1);
}


ngx_int_t
ngx_wschat_zone_history(ngx_wschat_op_t *op)
{
    return ngx_wschat_zone_text(op, ngx_wschat_zone_write_log, 1);
}


/*
 * Makes op->text.  What is large is measured first, so that no memory is
 * asked for under the lock; it may have grown when it is written.
 */

static ngx_int_t
ngx_wschat_zone_text(ngx_wschat_op_t *op, ngx_wschat_zone_write_pt write,
    ngx_uint_t room)
{
    u_char                     *p;
    size_t                      size;
    uint32_t                    hash;
    ngx_int_t                   rc;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_zone_out_t       out;
    ngx_wschat_zone_channel_t  *ch;
    u_char                      small[NGX_WSCHAT_ZONE_SMALL];

    zone = op->api->zone;
    hash = room ? ngx_wschat_zone_hash(zone, &op->name) : 0;
    ch = NULL;

    p = small;
    size = NGX_WSCHAT_ZONE_SMALL;

    for ( ;; ) {

        if (room) {
            rc = ngx_wschat_zone_lock_room(op, &op->name, hash, &ch);
            if (rc != NGX_OK) {
                return rc;
            }

        } else {
            (void) ngx_wschat_zone_lock(zone);
        }

        out.last = p;
        out.end = p + size;
        out.len = 0;

        write(&out, op, ch);

        ngx_wschat_zone_unlock(zone);

        if (out.len <= size) {
            break;
        }

        if (p != small) {
            (void) ngx_pfree(op->pool, p);
        }

        size = out.len + out.len / 8;

        p = ngx_pnalloc(op->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    op->text.data = p;
    op->text.len = out.len;

    if (p == small) {
        op->text.data = ngx_pstrdup(op->pool, &op->text);
        if (op->text.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what came after the join will come as messages */

static void
ngx_wschat_zone_write_log(ngx_wschat_zone_out_t *out, ngx_wschat_op_t *op,
    ngx_wschat_zone_channel_t *ch)
{
    ngx_wschat_zone_log_write(out, ch, op->want_since ? op->since : 0,
                              op->offset,
                              op->want_history ? op->history
                                               : op->api->history,
                              ngx_wschat_zone_since(op->api));
}


static void
ngx_wschat_zone_write_rooms(ngx_wschat_zone_out_t *out, ngx_wschat_op_t *op,
    ngx_wschat_zone_channel_t *ch)
{
    u_char                 *p;
    size_t                  len;
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_wschat_zone_api_t  *api;

    api = ngx_wschat_zone_api(ngx_wschat_zone_head(op->api->zone),
                              &op->api->name);
    if (api == NULL) {
        ngx_wschat_zone_out_end(out);
        return;
    }

    n = 0;

    for (q = ngx_queue_head(&api->rooms);
         q != ngx_queue_sentinel(&api->rooms) && n < NGX_WSCHAT_ZONE_LIST;
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_wschat_zone_channel_t, queue);

        len = ch->len + ngx_escape_json(NULL, ch->name, ch->len) + 2;

        if (out->len + len + 2 > NGX_WSCHAT_ZONE_TEXT) {
            break;
        }

        p = ngx_wschat_zone_out_add(out, len);

        if (p) {
            *p++ = '"';
            p = (u_char *) ngx_escape_json(p, ch->name, ch->len);
            *p = '"';
        }

        n++;
    }

    ngx_wschat_zone_out_end(out);
}


static void
ngx_wschat_zone_write_members(ngx_wschat_zone_out_t *out, ngx_wschat_op_t *op,
    ngx_wschat_zone_channel_t *ch)
{
    u_char                    *p;
    size_t                     len;
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_wschat_zone_attr_t    *attr;
    ngx_wschat_zone_member_t  *m;

    op->count = ch->count;

    attr = NULL;
    n = 0;

    for (q = ngx_queue_head(&ch->members);
         q != ngx_queue_sentinel(&ch->members) && n < NGX_WSCHAT_ZONE_LIST;
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_wschat_zone_member_t, queue);

        if (op->value.len) {
            attr = ngx_wschat_zone_attr(m->conn, &op->value);
            if (attr == NULL) {
                continue;
            }

            len = attr->value_len;

        } else {
            len = NGX_WSCHAT_ID_TEXT_LEN + 2;
        }

        if (out->len + len + 2 > NGX_WSCHAT_ZONE_TEXT) {
            break;
        }

        p = ngx_wschat_zone_out_add(out, len);

        if (p && attr) {
            (void) ngx_wschat_zone_attr_value(p, attr);

        } else if (p) {
            *p++ = '"';
            p = ngx_wschat_id_text(p, m->conn->id);
            *p = '"';
        }

        n++;
    }

    ngx_wschat_zone_out_end(out);
}
