
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _ZONE_TEST_H_INCLUDED_
#define _ZONE_TEST_H_INCLUDED_


/*
 * Knows what tests of the zone do: the operations as a session calls them, a
 * survivor, and what must hold in a zone at all times.
 */


#include "zone_stubs.h"
#include "../tap.h"

#include <signal.h>
#include <sys/wait.h>


static ngx_log_t            *ngx_log_of;
static ngx_pool_t           *pool;

static ngx_wschat_api_t      chat;
static ngx_wschat_api_t      other;
static ngx_wschat_zone_t    *zone;

static ngx_wschat_store_t   *store = &ngx_wschat_store_zone;
static ngx_wschat_op_t       op;

static char                  agent[] =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari";


/* what a test does */

static void
str_set(ngx_str_t *str, const char *text)
{
    str->len = strlen(text);
    str->data = (u_char *) text;
}


static void
reset(ngx_wschat_session_t *s)
{
    ngx_memzero(&op, sizeof(ngx_wschat_op_t));

    op.api = s ? s->api : &chat;
    op.id = s ? s->id : NULL;
    op.pool = pool;
    op.log = ngx_log_of;
    op.late_at = -1;
    op.record_late_at = -1;
}


static ngx_wschat_session_t *
session(ngx_uint_t i)
{
    return &stub_sessions[i].s;
}


static ngx_int_t
connect_api(ngx_uint_t i, ngx_wschat_api_t *api, char *ip, char *ua)
{
    ngx_int_t              rc;
    ngx_wschat_session_t  *s;

    s = stub_open(i, api);

    reset(s);
    ngx_wschat_session_peer(s, &op.peer);
    str_set(&op.peer.ip, ip);
    str_set(&op.peer.user_agent, ua);

    rc = store->connect(&op);

    if (rc != NGX_OK) {
        stub_close(i);
    }

    return rc;
}


static ngx_int_t
conn(ngx_uint_t i)
{
    return connect_api(i, &chat, "192.0.2.1", agent);
}


static ngx_int_t
attr(ngx_uint_t i, char *key, char *value)
{
    ngx_int_t  rc;

    reset(session(i));
    str_set(&op.name, key);
    str_set(&op.value, value);

    rc = store->set(&op);

    if (rc == NGX_OK) {
        stub_attr(session(i), key, value);
    }

    return rc;
}


static ngx_int_t
join(ngx_uint_t i, char *room)
{
    ngx_int_t  rc;

    reset(session(i));
    str_set(&op.name, room);
    op.create = 1;

    rc = store->join(&op);

    if (rc == NGX_OK) {
        (void) ngx_wschat_hub_join(session(i), NGX_WSCHAT_TO_ROOM, &op.name,
                                   op.epoch, op.offset);
    }

    return rc;
}


/* as a session does; "end" is the test's */

static ngx_int_t
leave(ngx_uint_t i, char *room)
{
    reset(session(i));
    str_set(&op.name, room);

    (void) ngx_wschat_hub_leave(session(i), NGX_WSCHAT_TO_ROOM, &op.name);

    op.last = ngx_wschat_hub_count(op.api, NGX_WSCHAT_TO_ROOM, &op.name) == 0;

    return store->leave(&op);
}


static void
end(void)
{
    if (op.ended) {
        (void) store->end(&op);
    }
}


static void
disconnect(ngx_uint_t i)
{
    reset(session(i));
    (void) store->disconnect(&op);
    stub_close(i);
}


/* leaves everything as a session does, and goes */

static void
quit(ngx_uint_t i)
{
    char        name[NGX_WSCHAT_MAX_NAME + 1];
    ngx_str_t  *str;

    while (session(i)->members) {
        str = &session(i)->members->channel->node.str;
        memcpy(name, str->data, str->len);
        name[str->len] = '\0';

        (void) leave(i, name);
        end();
    }

    disconnect(i);
}


static ngx_int_t
publish(char *room, char *body)
{
    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, room);
    str_set(&op.message.body, body);

    return store->publish(&op);
}


static ngx_int_t
publish_log(char *room, char *body, char *record, ngx_uint_t json)
{
    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, room);
    str_set(&op.message.body, body);
    op.store = 1;
    str_set(&op.record, record);
    op.record_json = json;

    return store->publish(&op);
}


static char *
text(ngx_int_t rc)
{
    static char  buf[2 * NGX_WSCHAT_ZONE_TEXT];

    if (rc != NGX_OK) {
        snprintf(buf, sizeof(buf), "rc=%d", (int) rc);
        return buf;
    }

    memcpy(buf, op.text.data, op.text.len);
    buf[op.text.len] = '\0';

    return buf;
}


static char *
rooms(ngx_wschat_api_t *api)
{
    reset(NULL);
    op.api = api;

    return text(store->rooms(&op));
}


static char *
members(char *room, char *key)
{
    reset(NULL);
    str_set(&op.name, room);
    str_set(&op.value, key);

    return text(store->members(&op));
}


static ngx_int_t
exists(char *room)
{
    reset(NULL);
    str_set(&op.name, room);

    return store->exists(&op);
}


static char *
history(ngx_uint_t i, char *room, ngx_int_t n, ngx_int_t since)
{
    reset(session(i));
    str_set(&op.name, room);

    if (n >= 0) {
        op.want_history = 1;
        op.history = n;
    }

    if (since >= 0) {
        op.want_since = 1;
        op.since = since;
    }

    return text(store->join(&op));
}


/* all events that are posted, also those that they post */

static void
turns(void)
{
    ngx_event_process_posted((ngx_cycle_t *) ngx_cycle,
                             &ngx_posted_next_events);
}


static void
worker(ngx_uint_t slot)
{
    stub_slot = slot;
    stub_live |= (uint64_t) 1 << slot;
}


/* how much of the zone is in use, in units that must come back */

typedef struct {
    ngx_uint_t  objects;
    ngx_uint_t  pages;
} usage_t;


static usage_t
usage(ngx_wschat_zone_t *z)
{
    usage_t     u;
    ngx_uint_t  i;

    u.objects = 0;

    for (i = 0; i < ngx_pagesize_shift - z->pool->min_shift; i++) {
        u.objects += z->pool->stats[i].used;
    }

    u.pages = z->pool->pfree;

    return u;
}


static ngx_uint_t
same(usage_t a, usage_t b)
{
    if (a.objects != b.objects || a.pages != b.pages) {
        diag("objects %lu, %lu; free pages %lu, %lu",
             (unsigned long) a.objects, (unsigned long) b.objects,
             (unsigned long) a.pages, (unsigned long) b.pages);
        return 0;
    }

    return 1;
}


/*
 * Looks at all that must hold between the parts of a zone; the number of
 * faults.
 */

#define expect(cond)                                                          \
    if (!(cond)) {                                                            \
        if (faults++ < 5) {                                                   \
            diag("line %d: %s", __LINE__, #cond);                             \
        }                                                                     \
    }

static ngx_uint_t
check(ngx_wschat_zone_t *z)
{
    uint64_t                    mask, offset;
    ngx_uint_t                  i, n, faults, conns, links, found, refs;
    ngx_uint_t                  nrooms, nusers, nagents;
    ngx_queue_t                *q, *r;
    ngx_rbtree_node_t          *node;
    ngx_wschat_zone_sh_t       *sh;
    ngx_wschat_zone_api_t      *api;
    ngx_wschat_zone_conn_t     *c;
    ngx_wschat_zone_attr_t     *a;
    ngx_wschat_zone_member_t   *m;
    ngx_wschat_zone_record_t   *record;
    ngx_wschat_zone_channel_t  *ch;

    sh = ngx_wschat_zone_lock(z);

    faults = 0;
    conns = 0;
    links = 0;
    found = 0;
    refs = 0;
    nrooms = 0;
    nusers = 0;
    nagents = 0;

    for (i = 0; i <= sh->conn_mask; i++) {
        for (c = sh->conns[i]; c; c = c->next) {
            conns++;
            expect(ngx_wschat_zone_conn(sh, c->id) == c);
            expect(c->slot < NGX_WSCHAT_SLOTS || c->orphan);
            expect(c->queue.next->prev == &c->queue);

            for (a = c->attrs; a; a = a->next) {
                expect(a->key_len <= NGX_WSCHAT_MAX_KEY);
            }

            for (q = ngx_queue_head(&c->members);
                 q != ngx_queue_sentinel(&c->members);
                 q = ngx_queue_next(q))
            {
                m = ngx_queue_data(q, ngx_wschat_zone_member_t, own);
                links++;
                expect(m->conn == c);
                expect(m->channel->kind == NGX_WSCHAT_TO_ROOM);
                expect(m->channel->api == c->api);
                expect(ngx_wschat_zone_member(c, m->channel) == m);
            }

            if (c->user) {
                links++;
                expect(c->user->conn == c);
                expect(c->user->channel->kind == NGX_WSCHAT_TO_USER);
            }

            nagents += c->agent ? 1 : 0;
        }
    }

    expect(conns == sh->connections);

    for (i = 0, n = 0; i <= NGX_WSCHAT_ZONE_LOST; i++) {
        for (q = ngx_queue_head(&sh->slots[i].connections);
             q != ngx_queue_sentinel(&sh->slots[i].connections);
             q = ngx_queue_next(q))
        {
            n++;
        }

        for (q = ngx_queue_head(&sh->slots[i].ended);
             q != ngx_queue_sentinel(&sh->slots[i].ended);
             q = ngx_queue_next(q))
        {
            refs++;
        }
    }

    expect(n == conns);

    for (i = 0; i <= sh->channel_mask; i++) {
        for (ch = sh->channels[i]; ch; ch = ch->next) {
            n = 0;
            mask = 0;

            for (q = ngx_queue_head(&ch->members);
                 q != ngx_queue_sentinel(&ch->members);
                 q = ngx_queue_next(q))
            {
                m = ngx_queue_data(q, ngx_wschat_zone_member_t, queue);
                expect(m->channel == ch);
                n++;

                if (!m->conn->orphan) {
                    mask |= (uint64_t) 1 << m->conn->slot;
                }
            }

            expect(n == ch->count);
            expect(n != 0 || sh->pending);
            expect((mask & ~ch->mask) == 0);
            found += n;

            nrooms += (ch->kind == NGX_WSCHAT_TO_ROOM);
            nusers += (ch->kind == NGX_WSCHAT_TO_USER);

            n = 0;
            offset = 0;

            for (q = ngx_queue_head(&ch->log);
                 q != ngx_queue_sentinel(&ch->log);
                 q = ngx_queue_next(q))
            {
                record = ngx_queue_data(q, ngx_wschat_zone_record_t, queue);
                expect(record->offset > offset);
                offset = record->offset;
                n++;
            }

            expect(n == ch->records);
            expect(offset <= ch->offset);
        }
    }

    expect(found == links);
    expect(nrooms == sh->rooms);
    expect(nusers == sh->users);

    refs += conns + nrooms + nusers;
    n = 0;

    for (q = ngx_queue_head(&sh->apis);
         q != ngx_queue_sentinel(&sh->apis);
         q = ngx_queue_next(q))
    {
        api = ngx_queue_data(q, ngx_wschat_zone_api_t, queue);
        expect(api->refs > 0);
        refs -= api->refs;

        for (r = ngx_queue_head(&api->rooms);
             r != ngx_queue_sentinel(&api->rooms);
             r = ngx_queue_next(r))
        {
            n++;
        }
    }

    expect(refs == 0);
    expect(n == nrooms);

    if (sh->agents.root != sh->agents.sentinel) {
        for (node = ngx_rbtree_min(sh->agents.root, sh->agents.sentinel);
             node;
             node = ngx_rbtree_next(&sh->agents, node))
        {
            nagents -= ((ngx_wschat_zone_agent_t *) node)->refs;
        }
    }

    expect(nagents == 0);

    ngx_wschat_zone_unlock(z);

    return faults;
}


/* the handlers: what a survivor does */

#define SWEPT  16384

typedef struct {
    ngx_uint_t  orphans;
    ngx_uint_t  rooms;
    ngx_uint_t  ended;          /* rooms whose hook is due */
    ngx_uint_t  hooks;          /* run, for whatever reason */
    ngx_uint_t  twice;
    ngx_uint_t  stop;           /* leave these alone: the worker dies there */
    u_char      ids[SWEPT][NGX_WSCHAT_ID_LEN];
    char        last[4096];
} swept_t;


static swept_t  swept;


static void
on_orphan(ngx_wschat_api_t *api, ngx_wschat_orphan_t *orphan)
{
    int                 n;
    ngx_uint_t          i;
    ngx_wschat_op_t     o;
    ngx_wschat_attr_t  *a;

    for (i = 0; i < swept.orphans && i < SWEPT; i++) {
        if (memcmp(swept.ids[i], orphan->peer.id, NGX_WSCHAT_ID_LEN) == 0) {
            swept.twice++;
        }
    }

    if (swept.orphans < SWEPT) {
        memcpy(swept.ids[swept.orphans], orphan->peer.id, NGX_WSCHAT_ID_LEN);
    }

    swept.orphans++;

    n = snprintf(swept.last, sizeof(swept.last), "%.*s|%.*s|%.*s|%llu|",
                 (int) api->name.len, api->name.data,
                 (int) orphan->peer.ip.len, orphan->peer.ip.data,
                 (int) orphan->peer.user_agent.len,
                 orphan->peer.user_agent.data,
                 (unsigned long long) orphan->peer.connected);

    for (a = orphan->attrs; a; a = a->next) {
        n += snprintf(swept.last + n, sizeof(swept.last) - n, "%.*s=%.*s,",
                      (int) a->key.len, a->key.data,
                      (int) a->value.len, a->value.data);
    }

    for (i = 0; i < orphan->nrooms; i++) {
        n += snprintf(swept.last + n, sizeof(swept.last) - n, "|%.*s",
                      (int) orphan->rooms[i].len, orphan->rooms[i].data);
    }

    if (swept.stop) {
        ngx_destroy_pool(orphan->pool);
        return;
    }

    ngx_memzero(&o, sizeof(ngx_wschat_op_t));
    o.api = api;
    o.id = orphan->peer.id;
    o.log = ngx_log_of;

    for (i = 0; i < orphan->nrooms; i++) {
        o.name = orphan->rooms[i];
        o.last = ngx_wschat_hub_count(api, NGX_WSCHAT_TO_ROOM, &o.name) == 0;

        if (store->leave(&o) == NGX_OK) {
            swept.rooms++;
        }

        if (o.ended) {
            swept.hooks++;
            (void) store->end(&o);
        }
    }

    (void) store->disconnect(&o);

    ngx_destroy_pool(orphan->pool);
}


static void
on_ended(ngx_wschat_api_t *api, ngx_str_t *name, void *room)
{
    ngx_wschat_op_t  o;

    swept.ended++;

    if (swept.stop) {
        return;
    }

    swept.hooks++;

    ngx_memzero(&o, sizeof(ngx_wschat_op_t));
    o.api = api;
    o.log = ngx_log_of;
    o.room = room;
    (void) store->end(&o);
}


static ngx_wschat_store_handlers_t  handlers = { on_orphan, on_ended };


/* a worker starts in a slot */

static void
start(ngx_uint_t slot)
{
    worker(slot);
    stub_generation[slot]++;
    ngx_wschat_store_zone_init_process((ngx_cycle_t *) ngx_cycle, &handlers);
}


/* it is killed: what its process had is gone, "survivor" sweeps */

static void
died(ngx_uint_t slot, ngx_uint_t survivor)
{
    ngx_uint_t  i;

    for (i = 0; i < SESSIONS; i++) {
        if (stub_sessions[i].open && stub_sessions[i].slot == slot) {
            stub_close(i);
        }
    }

    stub_live &= ~((uint64_t) 1 << slot);
    stub_released = 0;
    stub_slot = survivor;

    ngx_wschat_store_zone_dead(slot, stub_generation[slot]);
}


/*
 * A child locks the zone, changes something and is killed; the master would
 * give the lock back.
 */

static void
killed_in_change(ngx_wschat_zone_t *z)
{
    int                    status;
    pid_t                  pid;
    ngx_wschat_zone_sh_t  *sh;

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        sh = ngx_wschat_zone_lock(z);
        ngx_wschat_zone_modify(sh);

        /* what could be more broken than this? */

        ngx_memset(sh->conns, 0xa5, 64);
        ngx_memset(z->pool->pages, 0xa5, 64);

        kill(getpid(), SIGKILL);
    }

    (void) waitpid(pid, &status, 0);
    (void) ngx_shmtx_force_unlock(&z->pool->mutex, pid);
}


#endif /* _ZONE_TEST_H_INCLUDED_ */
