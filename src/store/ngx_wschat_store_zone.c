
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the operations of a store, done in a zone.  Never knows what a session
 * is in; only that it may have to be told to the zone again.
 *
 * Each operation looks up, changes and copies under one lock; messages go out
 * after that.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone_ops.h"
#include "ngx_wschat_zone_recover.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_call.h"
#include "route/ngx_wschat_json.h"
#include "session/ngx_wschat_session.h"


static ngx_int_t ngx_wschat_zone_op_connect(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_disconnect(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_set(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_join(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_leave(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_end(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_exists(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_find(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_post(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_zone_op_close(ngx_wschat_op_t *op);

static void ngx_wschat_zone_user(ngx_str_t *value, ngx_str_t *name);
static ngx_int_t ngx_wschat_zone_user_member(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_str_t *name, uint32_t hash,
    ngx_wschat_zone_member_t **m);


ngx_wschat_store_t  ngx_wschat_store_zone = {
    ngx_string("zone"),

    ngx_wschat_zone_op_connect,
    ngx_wschat_zone_op_disconnect,
    ngx_wschat_zone_op_set,
    ngx_wschat_zone_op_join,
    ngx_wschat_zone_op_leave,
    ngx_wschat_zone_op_end,
    ngx_wschat_zone_op_publish,
    ngx_wschat_zone_op_rooms,
    ngx_wschat_zone_op_members,
    ngx_wschat_zone_op_exists,
    ngx_wschat_zone_op_find,
    ngx_wschat_zone_op_post,
    ngx_wschat_zone_op_close
};


static ngx_str_t  ngx_wschat_zone_user_key = ngx_string("user");


/* An id is there already if it is accepted now, or the zone was restored. */

static ngx_int_t
ngx_wschat_zone_op_connect(ngx_wschat_op_t *op)
{
    ngx_int_t                rc;
    ngx_wschat_zone_t       *zone;
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_conn_t  *c;

    zone = op->api->zone;
    rc = NGX_OK;

    sh = ngx_wschat_zone_lock(zone);

    c = ngx_wschat_zone_conn(sh, op->peer.id);

    if (c == NULL) {

        ngx_wschat_zone_modify(sh);

        c = ngx_wschat_zone_conn_create(zone, &op->api->name, &op->peer,
                                        ngx_wschat_bus_slot());
    }

    if (c) {
        c->accepted = op->accepted;

    } else {
        ngx_wschat_zone_refuse(zone);
        rc = NGX_BUSY;
    }

    ngx_wschat_zone_unlock(zone);

    return rc;
}


static ngx_int_t
ngx_wschat_zone_op_disconnect(ngx_wschat_op_t *op)
{
    ngx_wschat_zone_forget(op->api->zone, op->id);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_set(ngx_wschat_op_t *op)
{
    uint32_t                   hash;
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_uint_t                 user;
    ngx_wschat_zone_t         *zone;
    ngx_wschat_zone_conn_t    *c;
    ngx_wschat_zone_member_t  *m;
    u_char                     buf[NGX_WSCHAT_MAX_VALUE];

    zone = op->api->zone;

    if (op->name.len > NGX_WSCHAT_MAX_KEY) {
        return ngx_wschat_zone_too_long(op, "attribute's name");
    }

    if (op->value.len > NGX_WSCHAT_MAX_VALUE) {
        return ngx_wschat_zone_too_long(op, "attribute's value");
    }

    user = op->name.len == ngx_wschat_zone_user_key.len
           && ngx_memcmp(op->name.data, ngx_wschat_zone_user_key.data,
                         ngx_wschat_zone_user_key.len)
              == 0;

    hash = 0;

    if (user) {
        name.data = buf;
        ngx_wschat_zone_user(&op->value, &name);

        if (name.len > NGX_WSCHAT_MAX_NAME) {
            return ngx_wschat_zone_too_long(op, "user's name");
        }

        hash = ngx_wschat_zone_hash(zone, &name);
    }

    do {
        rc = ngx_wschat_zone_lock_conn(op, &c);
    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_wschat_zone_modify(ngx_wschat_zone_head(zone));

    m = NULL;

    if (user) {
        rc = ngx_wschat_zone_user_member(zone, c, &name, hash, &m);
        if (rc != NGX_OK) {
            return ngx_wschat_zone_busy(zone);
        }
    }

    if (op->value.len == 0) {
        ngx_wschat_zone_attr_remove(zone, c, &op->name);

    } else if (ngx_wschat_zone_attr_set(zone, c, &op->name, &op->value)
               != NGX_OK)
    {
        if (m && m != c->user) {
            ngx_wschat_zone_member_drop(zone, m);
        }

        return ngx_wschat_zone_busy(zone);
    }

    if (user && m != c->user) {

        if (c->user) {
            ngx_wschat_zone_member_drop(zone, c->user);
        }

        c->user = m;
    }

    ngx_wschat_zone_unlock(zone);

    return NGX_OK;
}


/*
 * The user's name is the text of a JSON string, or what else JSON has;
 * "name" has a buffer for it.
 */

static void
ngx_wschat_zone_user(ngx_str_t *value, ngx_str_t *name)
{
    if (value->len < 2 || value->data[0] != '"') {
        *name = *value;
        return;
    }

    name->len = ngx_wschat_json_unescape(name->data, value->data + 1,
                                         value->len - 2)
                - name->data;
}


/* Empty name: no user. */

static ngx_int_t
ngx_wschat_zone_user_member(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_str_t *name, uint32_t hash,
    ngx_wschat_zone_member_t **m)
{
    ngx_uint_t                  created;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_channel_t  *ch;

    *m = NULL;

    if (name->len == 0) {
        return NGX_OK;
    }

    sh = ngx_wschat_zone_head(zone);
    created = 0;

    ch = ngx_wschat_zone_channel(sh, c->api, NGX_WSCHAT_TO_USER, hash, name);

    if (ch == NULL) {
        ch = ngx_wschat_zone_channel_create(zone, c->api, NGX_WSCHAT_TO_USER,
                                            hash, name);
        if (ch == NULL) {
            return NGX_BUSY;
        }

        created = 1;
    }

    if (c->user && c->user->channel == ch) {
        *m = c->user;
        return NGX_OK;
    }

    *m = ngx_wschat_zone_member_create(zone, c, ch);

    if (*m == NULL) {
        if (created) {
            ngx_wschat_zone_channel_unlink(sh, ch);
            ngx_wschat_zone_channel_free(zone, ch);
        }

        return NGX_BUSY;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_join(ngx_wschat_op_t *op)
{
    uint32_t                    hash;
    ngx_int_t                   rc;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_conn_t     *c;
    ngx_wschat_zone_member_t   *m;
    ngx_wschat_zone_channel_t  *ch;

    if (op->name.len > NGX_WSCHAT_MAX_NAME) {
        return ngx_wschat_zone_too_long(op, "room's name");
    }

    zone = op->api->zone;

    op->created = 0;
    op->already = 0;

    hash = ngx_wschat_zone_hash(zone, &op->name);

    if (!op->create) {

        /* waits until the zone can tell */

        rc = ngx_wschat_zone_lock_room(op, &op->name, hash, &ch);
        if (rc != NGX_OK) {
            return rc;
        }

        ngx_wschat_zone_unlock(zone);
    }

    do {
        rc = ngx_wschat_zone_lock_conn(op, &c);
    } while (rc == NGX_AGAIN);

    if (rc != NGX_OK) {
        return rc;
    }

    sh = ngx_wschat_zone_head(zone);

    ch = ngx_wschat_zone_channel(sh, c->api, NGX_WSCHAT_TO_ROOM, hash,
                                 &op->name);

    if (ch == NULL) {

        if (!op->create) {
            ngx_wschat_zone_unlock(zone);
            return NGX_DECLINED;
        }

        ngx_wschat_zone_modify(sh);

        ch = ngx_wschat_zone_channel_create(zone, c->api, NGX_WSCHAT_TO_ROOM,
                                            hash, &op->name);
        if (ch == NULL) {
            return ngx_wschat_zone_busy(zone);
        }

        op->created = 1;
    }

    if (ngx_wschat_zone_member(c, ch)) {
        op->already = 1;

    } else {
        ngx_wschat_zone_modify(sh);

        m = ngx_wschat_zone_member_create(zone, c, ch);

        if (m == NULL) {
            if (op->created) {
                op->created = 0;
                ngx_wschat_zone_channel_unlink(sh, ch);
                ngx_wschat_zone_channel_free(zone, ch);
            }

            return ngx_wschat_zone_busy(zone);
        }

        ngx_queue_insert_tail(&c->members, &m->own);
    }

    op->count = ch->count;
    if (op->epoch && op->epoch != ch->epoch) {

        /* "since" was of another room of this name */

        op->want_since = 0;
    }

    op->epoch = ch->epoch;
    op->offset = ch->offset;

    ngx_wschat_zone_unlock(zone);

    if (op->want_history || op->want_since) {
        return ngx_wschat_zone_history(op);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_leave(ngx_wschat_op_t *op)
{
    uint64_t                    self;
    uint32_t                    hash;
    ngx_int_t                   rc;
    ngx_uint_t                  slot;
    ngx_wschat_op_t             join;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_conn_t     *c;
    ngx_wschat_zone_member_t   *m;
    ngx_wschat_zone_channel_t  *ch;

    zone = op->api->zone;

    op->count = 0;
    op->ended = 0;
    op->room = NULL;

    if (op->name.len > NGX_WSCHAT_MAX_NAME) {
        return NGX_DECLINED;
    }

    hash = ngx_wschat_zone_hash(zone, &op->name);

    rc = ngx_wschat_zone_lock_conn(op, &c);

    if (rc == NGX_AGAIN) {

        /*
         * The zone forgot it, and it is not the worker's any more: for the
         * room's end, and those who count, it is a member still.
         */

        join = *op;
        join.create = 1;
        join.want_since = 0;
        join.want_history = 0;

        (void) ngx_wschat_zone_op_join(&join);

        rc = ngx_wschat_zone_lock_conn(op, &c);
    }

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    sh = ngx_wschat_zone_head(zone);

    ch = ngx_wschat_zone_channel(sh, c->api, NGX_WSCHAT_TO_ROOM, hash,
                                 &op->name);

    m = ch ? ngx_wschat_zone_member(c, ch) : NULL;

    if (m == NULL) {
        ngx_wschat_zone_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_wschat_zone_modify(sh);

    ngx_queue_remove(&m->own);
    ngx_wschat_zone_member_free(zone, m);

    slot = ngx_wschat_bus_slot();
    self = ngx_wschat_zone_bit(slot);

    if (op->last) {
        ch->mask &= ~self;
    }

    op->count = ch->count;

    /*
     * As long as there are workers that have not told of their members, they
     * may have some here; then the room's end is found when all have.
     */

    if (ch->count == 0
        && (sh->pending == 0 || (sh->pending == self && op->last)))
    {
        ngx_wschat_zone_channel_end(sh, ch, slot);

        op->ended = 1;
        op->room = ngx_wschat_zone_room(ch);
    }

    ngx_wschat_zone_unlock(zone);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_end(ngx_wschat_op_t *op)
{
    ngx_wschat_zone_room_free(op->api->zone, ngx_wschat_bus_slot(), op->room);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_exists(ngx_wschat_op_t *op)
{
    ngx_int_t                   rc;
    ngx_wschat_zone_t          *zone;
    ngx_wschat_zone_channel_t  *ch;

    zone = op->api->zone;

    rc = ngx_wschat_zone_lock_room(op, &op->name,
                                   ngx_wschat_zone_hash(zone, &op->name), &ch);
    if (rc != NGX_OK) {
        return rc;
    }

    op->count = ch->count;

    ngx_wschat_zone_unlock(zone);

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_zone_op_find(ngx_wschat_op_t *op)
{
    ngx_str_t                ua;
    ngx_wschat_zone_t       *zone;
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_conn_t  *c;
    u_char                   buf[NGX_WSCHAT_MAX_UA];

    zone = op->api->zone;

    ua.len = 0;
    ua.data = buf;

    sh = ngx_wschat_zone_lock(zone);

    c = ngx_wschat_zone_conn(sh, op->id);

    if (c && c->agent) {
        ua.len = c->agent->node.str.len;
        ngx_memcpy(buf, c->agent->data, ua.len);
    }

    ngx_wschat_zone_unlock(zone);

    /* the rest is the session's to say; this it does not know */

    op->peer.user_agent.len = ua.len;
    op->peer.user_agent.data = ngx_pstrdup(op->pool, &ua);
    if (op->peer.user_agent.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_wschat_call(op, NGX_WSCHAT_CALL_FIND);
}


static ngx_int_t
ngx_wschat_zone_op_post(ngx_wschat_op_t *op)
{
    return ngx_wschat_call(op, NGX_WSCHAT_CALL_POST);
}


static ngx_int_t
ngx_wschat_zone_op_close(ngx_wschat_op_t *op)
{
    return ngx_wschat_call(op, NGX_WSCHAT_CALL_CLOSE);
}


ngx_int_t
ngx_wschat_zone_lock_conn(ngx_wschat_op_t *op, ngx_wschat_zone_conn_t **c)
{
    ngx_int_t              rc;
    ngx_wschat_zone_t     *zone;
    ngx_wschat_session_t  *s;

    zone = op->api->zone;

    *c = ngx_wschat_zone_conn(ngx_wschat_zone_lock(zone), op->id);

    if (*c) {
        return NGX_OK;
    }

    ngx_wschat_zone_unlock(zone);

    s = ngx_wschat_session_find(op->id);

    if (s == NULL) {
        ngx_log_error(NGX_LOG_INFO, op->log, 0,
                      "wschat zone \"%V\" does not know the connection",
                      &zone->name);
        return NGX_ERROR;
    }

    rc = ngx_wschat_zone_restore_session(s);

    return (rc == NGX_OK) ? NGX_AGAIN : rc;
}


ngx_int_t
ngx_wschat_zone_lock_room(ngx_wschat_op_t *op, ngx_str_t *name, uint32_t hash,
    ngx_wschat_zone_channel_t **ch)
{
    uint64_t               pending;
    ngx_wschat_zone_t     *zone;
    ngx_wschat_zone_sh_t  *sh;

    zone = op->api->zone;

    for ( ;; ) {
        sh = ngx_wschat_zone_lock(zone);

        *ch = ngx_wschat_zone_channel(sh,
                                      ngx_wschat_zone_api(sh, &op->api->name),
                                      NGX_WSCHAT_TO_ROOM, hash, name);
        if (*ch) {
            return NGX_OK;
        }

        pending = sh->pending;

        ngx_wschat_zone_unlock(zone);

        if (!zone->restoring) {
            break;
        }

        ngx_wschat_zone_restore_all(zone);
    }

    if (pending == 0) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, op->log, 0,
                  "wschat zone \"%V\" is being restored, and does not know "
                  "yet whether there is a room \"%V\"", &zone->name, name);

    return NGX_ERROR;
}


ngx_int_t
ngx_wschat_zone_busy(ngx_wschat_zone_t *zone)
{
    ngx_wschat_zone_refuse(zone);
    ngx_wschat_zone_unlock(zone);

    return NGX_BUSY;
}


ngx_int_t
ngx_wschat_zone_too_long(ngx_wschat_op_t *op, char *what)
{
    ngx_log_error(NGX_LOG_ERR, op->log, 0, "wschat: %s is too long", what);

    return NGX_ERROR;
}
