
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how connections, rooms, users and memberships hang together in a
 * zone.  Never knows who changes them and why.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_zone.h"


/* how many other members are asked whether they are of the same worker */
#define NGX_WSCHAT_ZONE_LOOK  64


static ngx_wschat_zone_api_t *ngx_wschat_zone_api_get(ngx_wschat_zone_t *zone,
    ngx_str_t *name);
static void ngx_wschat_zone_api_unref(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_api_t *api);
static ngx_wschat_zone_agent_t *ngx_wschat_zone_agent_get(
    ngx_wschat_zone_t *zone, ngx_str_t *text);
static void ngx_wschat_zone_agent_unref(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_agent_t *agent);
static ngx_wschat_zone_conn_t **ngx_wschat_zone_conn_bucket(
    ngx_wschat_zone_sh_t *sh, const u_char *id);
static size_t ngx_wschat_zone_addr_parse(u_char *addr, ngx_str_t *text);


ngx_int_t
ngx_wschat_zone_begin(ngx_wschat_zone_t *zone, ngx_wschat_zone_sh_t *sh)
{
    u_char      *p;
    size_t       size, conns, channels, len;
    ngx_uint_t   i;

    /*
     * A bucket for every 512 and every 1024 bytes: a connection takes 128,
     * a room as much or more, and has members.
     */

    size = zone->pool->end - (u_char *) zone->pool;

    for (conns = 1024; conns * 2 <= size / 512; conns *= 2) { /* void */ }

    channels = conns / 2;

    len = sizeof(ngx_wschat_zone_sh_t)
          + conns * sizeof(ngx_wschat_zone_conn_t *)
          + channels * sizeof(ngx_wschat_zone_channel_t *)
          + sizeof(" in wschat zone \"\"") + zone->name.len;

    /* the pool is empty: all incarnations have their head at one address */

    p = ngx_slab_alloc_locked(zone->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (sh == NULL) {
        sh = (ngx_wschat_zone_sh_t *) p;
        ngx_memzero(sh, sizeof(ngx_wschat_zone_sh_t));
    }

    p += sizeof(ngx_wschat_zone_sh_t);

    sh->incarnation++;
    sh->pending = sh->workers;
    sh->connections = 0;
    sh->rooms = 0;
    sh->users = 0;

    ngx_queue_init(&sh->apis);

    ngx_rbtree_init(&sh->agents, &sh->sentinel, ngx_str_rbtree_insert_value);

    for (i = 0; i <= NGX_WSCHAT_ZONE_LOST; i++) {
        ngx_queue_init(&sh->slots[i].connections);
        ngx_queue_init(&sh->slots[i].ended);
    }

    sh->conn_mask = conns - 1;
    sh->conns = (ngx_wschat_zone_conn_t **) p;
    p += conns * sizeof(ngx_wschat_zone_conn_t *);

    sh->channel_mask = channels - 1;
    sh->channels = (ngx_wschat_zone_channel_t **) p;
    p += channels * sizeof(ngx_wschat_zone_channel_t *);

    ngx_memzero(sh->conns, p - (u_char *) sh->conns);

    (void) ngx_sprintf(p, " in wschat zone \"%V\"%Z", &zone->name);

    zone->pool->data = sh;
    zone->pool->log_ctx = p;
    zone->pool->log_nomem = 0;

    return NGX_OK;
}


void
ngx_wschat_zone_repair(ngx_wschat_zone_t *zone)
{
    ngx_wschat_zone_sh_t  *sh;

    sh = ngx_wschat_zone_head(zone);

    if (sh->dirty) {

        /*
         * Its worker died while it changed the zone.  The head is not
         * touched by ngx_slab_init(), and stays dirty until the lock is given
         * back, so that dying here does no harm either.
         */

        ngx_slab_init(zone->pool);

        (void) ngx_wschat_zone_begin(zone, sh);

        zone->began = 1;
    }

    if (sh->incarnation != zone->seen) {
        zone->seen = sh->incarnation;
        zone->at = 0;
        zone->restoring = 1;

        ngx_post_event(&zone->restore, &ngx_posted_next_events);
    }
}


void
ngx_wschat_zone_report(ngx_wschat_zone_t *zone)
{
    if (zone->began) {
        zone->began = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "wschat zone \"%V\" was left in the middle of a change "
                      "by a worker that died, and begins anew: connections "
                      "and memberships are restored, logs of rooms are lost",
                      &zone->name);
    }

    if (zone->refused && zone->warned != ngx_time()) {

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "wschat zone \"%V\" is full, operations refused: %ui",
                      &zone->name, zone->refused);

        zone->refused = 0;
        zone->warned = ngx_time();
    }
}


void
ngx_wschat_zone_refuse(ngx_wschat_zone_t *zone)
{
    ngx_wschat_zone_head(zone)->full++;
    zone->refused++;
}


/* there are few: one in most zones */

ngx_wschat_zone_api_t *
ngx_wschat_zone_api(ngx_wschat_zone_sh_t *sh, ngx_str_t *name)
{
    ngx_queue_t            *q;
    ngx_wschat_zone_api_t  *api;

    for (q = ngx_queue_head(&sh->apis);
         q != ngx_queue_sentinel(&sh->apis);
         q = ngx_queue_next(q))
    {
        api = ngx_queue_data(q, ngx_wschat_zone_api_t, queue);

        if (api->len == name->len
            && ngx_memcmp(api->name, name->data, name->len) == 0)
        {
            return api;
        }
    }

    return NULL;
}


static ngx_wschat_zone_api_t *
ngx_wschat_zone_api_get(ngx_wschat_zone_t *zone, ngx_str_t *name)
{
    ngx_wschat_zone_sh_t   *sh;
    ngx_wschat_zone_api_t  *api;

    sh = ngx_wschat_zone_head(zone);

    api = ngx_wschat_zone_api(sh, name);

    if (api == NULL) {
        api = ngx_slab_alloc_locked(zone->pool,
                                    offsetof(ngx_wschat_zone_api_t, name)
                                    + name->len);
        if (api == NULL) {
            return NULL;
        }

        ngx_queue_init(&api->rooms);
        api->refs = 0;
        api->len = name->len;
        ngx_memcpy(api->name, name->data, name->len);

        ngx_queue_insert_tail(&sh->apis, &api->queue);
    }

    api->refs++;

    return api;
}


static void
ngx_wschat_zone_api_unref(ngx_wschat_zone_t *zone, ngx_wschat_zone_api_t *api)
{
    if (--api->refs) {
        return;
    }

    ngx_queue_remove(&api->queue);
    ngx_slab_free_locked(zone->pool, api);
}


static ngx_wschat_zone_agent_t *
ngx_wschat_zone_agent_get(ngx_wschat_zone_t *zone, ngx_str_t *text)
{
    uint32_t                  hash;
    ngx_wschat_zone_sh_t     *sh;
    ngx_wschat_zone_agent_t  *agent;

    sh = ngx_wschat_zone_head(zone);

    hash = ngx_murmur_hash2(text->data, text->len);

    agent = (ngx_wschat_zone_agent_t *)
                ngx_str_rbtree_lookup(&sh->agents, text, hash);

    if (agent == NULL) {
        agent = ngx_slab_alloc_locked(zone->pool,
                                      offsetof(ngx_wschat_zone_agent_t, data)
                                      + text->len);
        if (agent == NULL) {
            return NULL;
        }

        agent->refs = 0;
        agent->node.node.key = hash;
        agent->node.str.len = text->len;
        agent->node.str.data = agent->data;
        ngx_memcpy(agent->data, text->data, text->len);

        ngx_rbtree_insert(&sh->agents, &agent->node.node);
    }

    agent->refs++;

    return agent;
}


static void
ngx_wschat_zone_agent_unref(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_agent_t *agent)
{
    if (--agent->refs) {
        return;
    }

    ngx_rbtree_delete(&ngx_wschat_zone_head(zone)->agents, &agent->node.node);
    ngx_slab_free_locked(zone->pool, agent);
}


/* the end of an id is random */

static ngx_wschat_zone_conn_t **
ngx_wschat_zone_conn_bucket(ngx_wschat_zone_sh_t *sh, const u_char *id)
{
    uint32_t  hash;

    ngx_memcpy(&hash, id + NGX_WSCHAT_ID_LEN - sizeof(hash), sizeof(hash));

    return &sh->conns[hash & sh->conn_mask];
}


ngx_wschat_zone_conn_t *
ngx_wschat_zone_conn(ngx_wschat_zone_sh_t *sh, const u_char *id)
{
    ngx_wschat_zone_conn_t  *c;

    for (c = *ngx_wschat_zone_conn_bucket(sh, id); c; c = c->next) {
        if (ngx_memcmp(c->id, id, NGX_WSCHAT_ID_LEN) == 0) {
            return c;
        }
    }

    return NULL;
}


ngx_wschat_zone_conn_t *
ngx_wschat_zone_conn_create(ngx_wschat_zone_t *zone, ngx_str_t *api,
    ngx_wschat_peer_t *peer, ngx_uint_t slot)
{
    ngx_str_t                ua;
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_conn_t  *c, **bucket;

    sh = ngx_wschat_zone_head(zone);

    c = ngx_slab_alloc_locked(zone->pool, sizeof(ngx_wschat_zone_conn_t));
    if (c == NULL) {
        return NULL;
    }

    c->api = ngx_wschat_zone_api_get(zone, api);
    if (c->api == NULL) {
        goto failed;
    }

    c->agent = NULL;

    if (peer->user_agent.len) {
        ua.len = ngx_min(peer->user_agent.len, NGX_WSCHAT_MAX_UA);
        ua.data = peer->user_agent.data;

        c->agent = ngx_wschat_zone_agent_get(zone, &ua);
        if (c->agent == NULL) {
            ngx_wschat_zone_api_unref(zone, c->api);
            goto failed;
        }
    }

    c->attrs = NULL;
    ngx_queue_init(&c->members);
    c->user = NULL;
    c->connected = peer->connected;
    ngx_memcpy(c->id, peer->id, NGX_WSCHAT_ID_LEN);
    c->addr_len = (uint8_t) ngx_wschat_zone_addr_parse(c->addr, &peer->ip);
    c->slot = (uint8_t) slot;
    c->orphan = 0;

    bucket = ngx_wschat_zone_conn_bucket(sh, c->id);
    c->next = *bucket;
    *bucket = c;

    ngx_queue_insert_tail(&sh->slots[slot].connections, &c->queue);

    sh->connections++;

    return c;

failed:

    ngx_slab_free_locked(zone->pool, c);

    return NULL;
}


void
ngx_wschat_zone_conn_free(ngx_wschat_zone_t *zone, ngx_wschat_zone_conn_t *c)
{
    ngx_queue_t               *q;
    ngx_wschat_zone_sh_t      *sh;
    ngx_wschat_zone_attr_t    *attr;
    ngx_wschat_zone_conn_t   **p;

    sh = ngx_wschat_zone_head(zone);

    while (!ngx_queue_empty(&c->members)) {
        q = ngx_queue_head(&c->members);
        ngx_queue_remove(q);

        ngx_wschat_zone_member_drop(zone,
                          ngx_queue_data(q, ngx_wschat_zone_member_t, own));
    }

    if (c->user) {
        ngx_wschat_zone_member_drop(zone, c->user);
    }

    while (c->attrs) {
        attr = c->attrs;
        c->attrs = attr->next;
        ngx_wschat_zone_text_free(zone, attr->more);
        ngx_slab_free_locked(zone->pool, attr);
    }

    for (p = ngx_wschat_zone_conn_bucket(sh, c->id);
         *p != c;
         p = &(*p)->next)
    {
        /* void */
    }

    *p = c->next;

    ngx_queue_remove(&c->queue);

    if (c->agent) {
        ngx_wschat_zone_agent_unref(zone, c->agent);
    }

    ngx_wschat_zone_api_unref(zone, c->api);

    sh->connections--;

    ngx_slab_free_locked(zone->pool, c);
}


void
ngx_wschat_zone_forget(ngx_wschat_zone_t *zone, const u_char *id)
{
    ngx_wschat_zone_sh_t    *sh;
    ngx_wschat_zone_conn_t  *c;

    sh = ngx_wschat_zone_lock(zone);

    c = ngx_wschat_zone_conn(sh, id);

    if (c) {
        ngx_wschat_zone_modify(sh);
        ngx_wschat_zone_conn_free(zone, c);
    }

    ngx_wschat_zone_unlock(zone);
}


static size_t
ngx_wschat_zone_addr_parse(u_char *addr, ngx_str_t *text)
{
    in_addr_t  inaddr;

    inaddr = ngx_inet_addr(text->data, text->len);

    if (inaddr != INADDR_NONE) {
        ngx_memcpy(addr, &inaddr, sizeof(in_addr_t));
        return sizeof(in_addr_t);
    }

#if (NGX_HAVE_INET6)
    if (ngx_inet6_addr(text->data, text->len, addr) == NGX_OK) {
        return 16;
    }
#endif

    return 0;
}


size_t
ngx_wschat_zone_addr(u_char *p, const u_char *addr, size_t len)
{
    switch (len) {

    case 4:
        return ngx_inet_ntop(AF_INET, (void *) addr, p, NGX_SOCKADDR_STRLEN);

#if (NGX_HAVE_INET6)
    case 16:
        return ngx_inet_ntop(AF_INET6, (void *) addr, p, NGX_SOCKADDR_STRLEN);
#endif

    default:

        /* as nginx has it for clients on a UNIX-domain socket */

        ngx_memcpy(p, "unix:", 5);
        return 5;
    }
}


ngx_wschat_zone_channel_t *
ngx_wschat_zone_channel(ngx_wschat_zone_sh_t *sh, ngx_wschat_zone_api_t *api,
    ngx_wschat_target_e kind, uint32_t hash, ngx_str_t *name)
{
    ngx_wschat_zone_channel_t  *ch;

    for (ch = sh->channels[hash & sh->channel_mask]; ch; ch = ch->next) {
        if (ch->hash == hash
            && ch->kind == kind
            && ch->api == api
            && ch->len == name->len
            && ngx_memcmp(ch->name, name->data, name->len) == 0)
        {
            return ch;
        }
    }

    return NULL;
}


ngx_wschat_zone_channel_t *
ngx_wschat_zone_channel_create(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_api_t *api, ngx_wschat_target_e kind, uint32_t hash,
    ngx_str_t *name)
{
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_channel_t  *ch, **bucket;

    sh = ngx_wschat_zone_head(zone);

    ch = ngx_slab_alloc_locked(zone->pool,
                               offsetof(ngx_wschat_zone_channel_t, name)
                               + name->len);
    if (ch == NULL) {
        return NULL;
    }

    ch->api = api;
    ngx_queue_init(&ch->members);
    ch->mask = 0;
    ch->epoch = 0;
    ch->offset = 0;
    ngx_queue_init(&ch->log);
    ch->hash = hash;
    ch->count = 0;
    ch->records = 0;
    ch->len = (uint16_t) name->len;
    ch->kind = (uint8_t) kind;
    ngx_memcpy(ch->name, name->data, name->len);

    bucket = &sh->channels[hash & sh->channel_mask];
    ch->next = *bucket;
    *bucket = ch;

    api->refs++;

    if (kind == NGX_WSCHAT_TO_ROOM) {
        ch->epoch = ++sh->epoch;
        ngx_queue_insert_tail(&api->rooms, &ch->queue);
        sh->rooms++;

    } else {
        ngx_queue_init(&ch->queue);
        sh->users++;
    }

    return ch;
}


void
ngx_wschat_zone_channel_unlink(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch)
{
    ngx_wschat_zone_channel_t  **p;

    for (p = &sh->channels[ch->hash & sh->channel_mask];
         *p != ch;
         p = &(*p)->next)
    {
        /* void */
    }

    *p = ch->next;

    if (ch->kind == NGX_WSCHAT_TO_ROOM) {
        ngx_queue_remove(&ch->queue);
        sh->rooms--;

    } else {
        sh->users--;
    }
}


void
ngx_wschat_zone_channel_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch)
{
    ngx_wschat_zone_log_free(zone, ch);
    ngx_wschat_zone_api_unref(zone, ch->api);
    ngx_slab_free_locked(zone->pool, ch);
}


void
ngx_wschat_zone_channel_end(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch, ngx_uint_t slot)
{
    ngx_wschat_zone_channel_unlink(sh, ch);
    ngx_queue_insert_head(&sh->slots[slot].ended, &ch->queue);
}


/* the latest comes first: most hooks are done with at once */

void
ngx_wschat_zone_room_free(ngx_wschat_zone_t *zone, ngx_uint_t slot,
    void *room)
{
    ngx_queue_t                *q, *ended;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_channel_t  *ch;

    sh = ngx_wschat_zone_lock(zone);

    ended = &sh->slots[slot].ended;

    for (q = ngx_queue_head(ended);
         q != ngx_queue_sentinel(ended);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_wschat_zone_channel_t, queue);

        if (ngx_wschat_zone_room(ch) == room) {
            ngx_wschat_zone_modify(sh);
            ngx_queue_remove(q);
            ngx_wschat_zone_channel_free(zone, ch);
            break;
        }
    }

    ngx_wschat_zone_unlock(zone);
}


/* a connection is in few rooms, a room has many connections */

ngx_wschat_zone_member_t *
ngx_wschat_zone_member(ngx_wschat_zone_conn_t *c,
    ngx_wschat_zone_channel_t *ch)
{
    ngx_queue_t               *q;
    ngx_wschat_zone_member_t  *m;

    for (q = ngx_queue_head(&c->members);
         q != ngx_queue_sentinel(&c->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_wschat_zone_member_t, own);

        if (m->channel == ch) {
            return m;
        }
    }

    return NULL;
}


ngx_wschat_zone_member_t *
ngx_wschat_zone_member_create(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_wschat_zone_channel_t *ch)
{
    ngx_wschat_zone_member_t  *m;

    m = ngx_slab_alloc_locked(zone->pool, sizeof(ngx_wschat_zone_member_t));
    if (m == NULL) {
        return NULL;
    }

    m->conn = c;
    m->channel = ch;

    ngx_queue_insert_tail(&ch->members, &m->queue);
    ngx_queue_init(&m->own);

    ch->count++;
    ch->mask |= ngx_wschat_zone_bit(c->slot);

    return m;
}


void
ngx_wschat_zone_member_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_member_t *m)
{
    m->channel->count--;

    ngx_queue_remove(&m->queue);
    ngx_slab_free_locked(zone->pool, m);
}


void
ngx_wschat_zone_member_drop(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_member_t *m)
{
    ngx_uint_t                  slot, n;
    ngx_queue_t                *q;
    ngx_wschat_zone_conn_t     *c;
    ngx_wschat_zone_channel_t  *ch;

    ch = m->channel;
    slot = m->conn->slot;

    ngx_wschat_zone_member_free(zone, m);

    if (ch->count == 0) {
        ngx_wschat_zone_channel_unlink(ngx_wschat_zone_head(zone), ch);
        ngx_wschat_zone_channel_free(zone, ch);
        return;
    }

    /*
     * A bit too many costs that worker a look at each message, so it is not
     * worth to go through a large room.
     */

    n = 0;

    for (q = ngx_queue_head(&ch->members);
         q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_wschat_zone_member_t, queue);
        c = m->conn;

        if ((c->slot == slot && !c->orphan) || ++n == NGX_WSCHAT_ZONE_LOOK) {
            return;
        }
    }

    ch->mask &= ~ngx_wschat_zone_bit(slot);
}
