
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The zone's tests, and what it costs, inside an nginx that does nothing
 * else: the slab allocator is only there.
 *
 *     zone_test_zone NAME SIZE;
 *     zone_test all|bench;
 *
 * runs them when the process starts, writes TAP, and exits.
 */


#include "zone_stubs.h"
#include "../tap.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>


static char *zone_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *zone_test_run(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t zone_test_init_process(ngx_cycle_t *cycle);


static ngx_command_t  zone_test_commands[] = {

    { ngx_string("zone_test_zone"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE2,
      zone_test_zone,
      0,
      0,
      NULL },

    { ngx_string("zone_test"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      zone_test_run,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  zone_test_module_ctx = {
    ngx_string("zone_test"),
    NULL,
    NULL
};


ngx_module_t  ngx_wschat_zone_test_module = {
    NGX_MODULE_V1,
    &zone_test_module_ctx,                 /* module context */
    zone_test_commands,                    /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    zone_test_init_process,                /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t             run;
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


static char *
zone_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_wschat_zone_add(cf, &value[1], ngx_parse_size(&value[2])) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
zone_test_run(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    run = ((ngx_str_t *) cf->args->elts)[1];

    return NGX_CONF_OK;
}


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
    uint64_t                    mask;
    ngx_uint_t                  i, n, faults, conns, links, found, refs, nrooms;
    ngx_uint_t                  nusers, nagents;
    uint64_t                    offset;
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

typedef struct {
    ngx_uint_t  orphans;
    ngx_uint_t  rooms;
    ngx_uint_t  ended;          /* rooms whose hook is due */
    ngx_uint_t  hooks;          /* run, for whatever reason */
    ngx_uint_t  twice;
    ngx_uint_t  stop;           /* leave these alone: the worker dies there */
    u_char      ids[SESSIONS][NGX_WSCHAT_ID_LEN];
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

    for (i = 0; i < swept.orphans; i++) {
        if (memcmp(swept.ids[i], orphan->peer.id, NGX_WSCHAT_ID_LEN) == 0) {
            swept.twice++;
        }
    }

    if (swept.orphans < SESSIONS) {
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


static void
test_basics(void)
{
    char     big[4097], name[258], *p;
    usage_t  empty;

    empty = usage(zone);

    is(sizeof(ngx_wschat_zone_conn_t) <= 128, 1, "a connection fits in 128");
    is(sizeof(ngx_wschat_zone_member_t) <= 64, 1, "a membership fits in 64");

    is(conn(0), NGX_OK, "connect");
    is(conn(1), NGX_OK, "connect another");
    is(usage(zone).objects - empty.objects, 4, "they share the user agent");

    is(connect_api(2, &other, "2001:db8::1", ""), NGX_OK,
       "connect to another api, by IPv6, without a user agent");
    is(connect_api(3, &other, "unix:", "x"), NGX_OK, "by a UNIX socket");

    /* rooms */

    is(exists("a"), NGX_DECLINED, "no room yet");
    is(publish("a", "x"), NGX_DECLINED, "publish: no room");
    is_str(rooms(&chat), "[]", "no rooms");
    is_str(members("a", ""), "rc=-5", "members: no room");

    reset(session(0));
    str_set(&op.name, "a");
    is(store->join(&op), NGX_DECLINED, "join without create");

    is(join(0, "a"), NGX_OK, "join");
    is(op.created * 100 + op.already * 10 + op.count, 101, "created, 1");
    is(op.offset, 0, "offset 0");
    ok(op.epoch > 1700000000000000ULL && op.epoch < 9007199254740992ULL,
       "an epoch that JavaScript can count to");

    is(join(0, "a"), NGX_OK, "join again");
    is(op.created * 100 + op.already * 10 + op.count, 11, "already, 1");

    is(join(1, "a"), NGX_OK, "another joins");
    is(op.created * 100 + op.already * 10 + op.count, 2, "2");

    reset(session(1));
    str_set(&op.name, "a");
    is(store->join(&op), NGX_OK, "join without create: there it is");

    is(join(1, "b \"q\"\n"), NGX_OK, "a name that needs escapes");
    is(join(2, "a"), NGX_OK, "the same name in the other api");
    is(op.created, 1, "is another room");

    is_str(rooms(&chat), "[\"a\",\"b \\\"q\\\"\\n\"]", "rooms, in order");
    is_str(rooms(&other), "[\"a\"]", "rooms of the other api");
    is(exists("a"), NGX_OK, "exists");
    is(op.count, 2, "count");
    is(exists("b"), NGX_DECLINED, "a name is not a prefix");

    /* messages */

    is(publish("a", "x"), NGX_OK, "publish");
    is(op.offset, 1, "offset 1");
    is(stub_relay_slots, 1, "to this worker");
    is(stub_relay_message.offset, 1, "which is told the offset");
    ok(stub_relay_message.epoch > 1700000000000000ULL, "and the epoch");

    worker(5);
    is(conn(10), NGX_OK, "a connection of worker 5");
    is(join(10, "a"), NGX_OK, "joins");
    is(op.offset, 1, "after the first message");
    is(publish("a", "y"), NGX_OK, "publish");
    is(op.offset, 2, "offset 2");
    is(stub_relay_slots, 0x21, "to both workers");
    is(leave(10, "a"), NGX_OK, "leave");
    is(op.count, 2, "2 remain");
    is(op.ended, 0, "the room goes on");
    is(leave(10, "a"), NGX_DECLINED, "leave again");
    is(leave(10, "nowhere"), NGX_DECLINED, "leave what is not there");
    is(publish("a", "y"), NGX_OK, "publish");
    is(stub_relay_slots, 0x01, "to the one worker");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ALL;
    str_set(&op.message.body, "all");
    is(store->publish(&op), NGX_OK, "to all");
    is(stub_relay_slots, 0x21, "goes to all workers");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_CONNECTION;
    op.message.id = session(0)->id;
    is(store->publish(&op), NGX_OK, "to a connection");
    is(stub_relay_slots, 0x01, "goes to its worker");

    op.message.id = (u_char *) "\0\1\7............";
    is(store->publish(&op), NGX_DECLINED, "to one of no worker");
    op.message.id = (u_char *) "\0\1\377............";
    is(store->publish(&op), NGX_DECLINED, "to one of an impossible worker");

    /* late offsets */

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, "a");
    str_set(&op.message.body, "{\"n\":,\"t\":1}");
    op.late_at = 5;
    is(store->publish(&op), NGX_OK, "the offset in the body");
    is_str((char *) stub_relay_body, "{\"n\":4,\"t\":1}", "is there");

    /* users */

    worker(0);

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_DECLINED, "no such user");

    is(attr(0, "user", "\"al\""), NGX_OK, "set user");
    is(attr(1, "user", "\"\\u0061l\""), NGX_OK, "the same, spelled otherwise");
    is(ngx_wschat_zone_head(zone)->users, 1, "one user");

    worker(5);
    is(attr(10, "user", "\"al\""), NGX_OK, "and once more");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_OK, "to the user");
    is(stub_relay_slots, 0x21, "goes to both workers");
    is(stub_relay_message.offset, 0, "without an offset");

    is(attr(10, "user", "12"), NGX_OK, "a user that is a number");
    is(ngx_wschat_zone_head(zone)->users, 2, "two users");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_OK, "to the first");
    is(stub_relay_slots, 0x01, "goes to one worker");

    is(attr(10, "user", ""), NGX_OK, "no user any more");
    is(attr(1, "user", "\"\""), NGX_OK, "an empty name is no user");
    is(ngx_wschat_zone_head(zone)->users, 1, "one user");

    memset(name, 'n', 257);
    name[257] = '\0';
    memset(big, 'n', 300);
    big[0] = big[299] = '"';
    big[300] = '\0';
    is(attr(0, "user", big), NGX_ERROR, "a user's name that is too long");
    is(join(0, name), NGX_ERROR, "a room's name that is too long");
    name[256] = '\0';
    is(join(0, name), NGX_OK, "a room's name that is not too long");
    is(leave(0, name), NGX_OK, "leave it");
    is(op.ended, 1, "which ends it");
    end();

    /* attributes */

    is(attr(0, "name", "\"Al\""), NGX_OK, "set name");
    is(attr(1, "name", "{\"first\":\"Bo\"}"), NGX_OK, "an object");
    is_str(members("a", "name"), "[\"Al\",{\"first\":\"Bo\"}]",
           "members by name, in order");
    is(op.count, 2, "count");

    memset(big, '7', 4096);
    big[4096] = '\0';
    is(attr(0, "name", big), NGX_OK, "the largest value");
    p = members("a", "name");
    ok(strlen(p) == 4096 + 16 + 3 && memcmp(p + 1, big, 4096) == 0
       && strcmp(p + 4097, ",{\"first\":\"Bo\"}]") == 0, "comes back whole");

    is(attr(0, "name", "\"A\""), NGX_OK, "a small one again");
    is_str(members("a", "name"), "[\"A\",{\"first\":\"Bo\"}]", "is there");
    is(attr(0, "name", "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\""), NGX_OK, "a larger");
    is(attr(0, "name", ""), NGX_OK, "removed");
    is(attr(0, "name", ""), NGX_OK, "removed once more");
    is_str(members("a", "name"), "[{\"first\":\"Bo\"}]", "is left out");
    is_str(members("a", "none"), "[]", "nobody has it");
    is(strlen(members("a", "")), 2 + 2 * 26 + 1, "members by id");

    /* log */

    is_str(history(0, "a", 10, -1), "[]", "an empty log");

    is(publish_log("a", "m1", "r\"1\"", 0), NGX_OK, "a record of text");
    is(publish_log("a", "m2", "{\"r\":2}", 1), NGX_OK, "a record of JSON");
    is(op.offset, 6, "offset 6");
    is_str(history(0, "a", 10, -1), "[\"r\\\"1\\\"\",{\"r\":2}]", "the log");
    is_str(history(0, "a", 1, -1), "[{\"r\":2}]", "the last one");
    is_str(history(0, "a", 0, -1), "[]", "none");
    is_str(history(0, "a", -1, 5), "[{\"r\":2}]", "since 5");
    is_str(history(0, "a", -1, 4), "[\"r\\\"1\\\"\",{\"r\":2}]", "since 4");
    is_str(history(0, "a", 1, 4), "[{\"r\":2}]", "since 4, the last one");
    is_str(history(0, "a", -1, 6), "[]", "since 6");
    is_str(history(0, "a", 3, 1000), "[]", "since what is yet to come");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, "a");
    str_set(&op.message.body, "#");
    op.late_at = 1;
    op.store = 1;
    str_set(&op.record, "\"<>");
    op.record_late_at = 2;
    is(store->publish(&op), NGX_OK, "a late offset in both");
    is_str((char *) stub_relay_body, "#7", "in the body");
    is_str(history(0, "a", 1, -1), "[\"\\\"<7>\"]", "in the record");

    is(publish_log("a", "", "\"8\"", 1), NGX_OK, "a fourth record");
    is(publish_log("a", "", "\"9\"", 1), NGX_OK, "a fifth");
    is_str(history(0, "a", 9, -1), "[{\"r\":2},\"\\\"<7>\",\"8\",\"9\"]",
           "four are kept");

    p = malloc(60001);
    memset(p, '5', 60000);
    p[60000] = '\0';
    is(publish_log("a", "", p, 1), NGX_OK, "a large record");
    ok(op.text.len == 0 && strlen(history(0, "a", 1, -1)) == 60002
       && memcmp(op.text.data + 1, p, 60000) == 0, "comes back whole");
    free(p);

    chat.history = 0;
    is(publish_log("a", "", "\"no\"", 1), NGX_OK, "an api without a log");
    chat.history = 2;
    is(publish_log("a", "", "\"yes\"", 1), NGX_OK, "with a shorter one");
    ok(strlen(history(0, "a", 9, -1)) == 60002 + 6, "two are kept");

    chat.history = 4;
    chat.history_age = 1;
    ngx_cached_time->sec += 3;
    is_str(history(0, "a", 9, -1), "[]", "old ones are not shown");
    is(publish_log("a", "", "1", 1), NGX_OK, "a new one");
    is(usage(zone).pages > empty.pages - 10, 1, "old ones are gone");
    ngx_cached_time->sec -= 3;
    chat.history_age = 0;
    is_str(history(0, "a", 9, -1), "[1]", "the new one is there");

    /* find, post, close */

    reset(session(0));
    worker(0);
    is(store->find(&op), NGX_OK, "find");
    is_mem(op.peer.user_agent.data, op.peer.user_agent.len, agent,
           strlen(agent), "with the user agent");
    is(stub_call, NGX_WSCHAT_CALL_FIND, "asked the session");
    is(store->post(&op), NGX_OK, "post");
    is(stub_call, NGX_WSCHAT_CALL_POST, "asked the session");
    is(store->close(&op), NGX_OK, "close");
    is(stub_call, NGX_WSCHAT_CALL_CLOSE, "asked the session");

    is(check(zone), 0, "the zone is whole");

    /* the end of a room */

    is(leave(0, "a"), NGX_OK, "leave");
    is(op.ended, 0, "one is left");
    is(leave(1, "a"), NGX_OK, "the last one leaves");
    is(op.ended * 10 + op.count, 10, "ended");
    is(exists("a"), NGX_DECLINED, "its name is free");
    is(publish("a", "x"), NGX_DECLINED, "nobody to talk to");

    {
        void      *room;
        usage_t    before;
        uint64_t   epoch;

        is(join(0, "a"), NGX_OK, "a new room of that name");
        is(op.created * 10 + op.offset, 10, "from the beginning");
        epoch = op.epoch;
        is(leave(0, "a"), NGX_OK, "which ends as well");
        room = op.room;
        before = usage(zone);
        op.room = (void *) 1;
        is(store->end(&op), NGX_OK, "end of what is not there");
        ok(same(before, usage(zone)), "changes nothing");
        op.room = room;
        is(store->end(&op), NGX_OK, "end");
        is(before.objects - usage(zone).objects, 1, "frees the room");
        is(store->end(&op), NGX_OK, "end, again");
        is(before.objects - usage(zone).objects, 1, "does nothing");

        join(0, "a");
        ok(op.epoch > epoch, "epochs grow");
        leave(0, "a");
        end();
    }

    /* all goes */

    disconnect(1);
    disconnect(0);
    worker(5);
    disconnect(10);
    disconnect(2);
    disconnect(3);

    is(check(zone), 0, "the zone is whole");
    is(ngx_wschat_zone_head(zone)->rooms, 0, "rooms went with the members");

    /* the first room "a" ended in worker 5, as the test had it */

    is(usage(zone).objects - empty.objects, 1 + 1 + 1, "one ended room is left");
}


/* what is at the end of the tests above and must be gone at last */

static void
test_left(usage_t empty)
{
    died(5, 0);
    turns();
    is(stub_released, 0x20, "worker 5 is dead, and released");
    is(swept.ended, 1, "the room's hook was due");
    ok(same(empty, usage(zone)), "nothing is left");
    worker(0);
}


static void
test_lists(void)
{
    int          i, n;
    char         name[64], *p;
    usage_t      empty;

    empty = usage(zone);

    for (i = 0; i < 300; i++) {
        conn(i);
        snprintf(name, sizeof(name), "\"%05d\"", i);
        attr(i, "name", name);
        join(i, "big");
        snprintf(name, sizeof(name), "room %05d", i);
        join(i, name);
    }

    p = members("big", "name");
    n = strlen(p) == 300 * 8 + 1;

    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "\"%05d\"", i);
        n &= memcmp(p + 1 + 8 * i, name, 7) == 0;
    }

    ok(n, "300 members, in order");

    p = members("big", "");
    ok(strlen(p) == 300 * 27 + 1 && p[0] == '[' && p[300 * 27] == ']',
       "300 ids, more than fit at once");

    p = rooms(&chat);
    ok(strlen(p) == 6 + 300 * 13 + 1 && p[6 + 300 * 13] == ']'
       && memcmp(p, "[\"big\",\"room 00000\",", 20) == 0, "301 rooms");

    is(check(zone), 0, "the zone is whole");

    for (i = 0; i < 300; i++) {
        quit(i);
    }

    ok(same(empty, usage(zone)), "nothing is left");
}


/* a random life in a small zone, against a model of it */

#define R_SESSIONS  200
#define R_ROOMS     20

typedef struct {
    int       order[R_SESSIONS];
    int       n;
    uint64_t  offset;
    uint64_t  epoch;
} model_room_t;


static void
test_random(ngx_uint_t steps, ngx_uint_t full)
{
    int            wrong, i, k, r, at, refused, rc, last;
    char           name[32], value[4097], want[64], *p;
    usage_t        empty, before;
    ngx_uint_t     step, len;
    static int     open[R_SESSIONS];
    static char    values[R_SESSIONS][4097];
    model_room_t  *room;
    static model_room_t  model[R_ROOMS];

    empty = usage(zone);

    memset(open, 0, sizeof(open));
    memset(model, 0, sizeof(model));

    wrong = 0;
    refused = 0;

    for (step = 0; step < steps; step++) {

        i = random() % R_SESSIONS;
        r = random() % R_ROOMS;
        room = &model[r];
        snprintf(name, sizeof(name), "%d", r);

        for (at = 0; at < room->n && room->order[at] != i; at++);

        worker(i % 3);
        before = usage(zone);
        rc = NGX_OK;

        switch (open[i] ? random() % 8 : 0) {

        case 0:
            if (!open[i]) {
                snprintf(value, sizeof(value), "agent %ld", random() % 10);
                rc = connect_api(i, &chat, "192.0.2.9", value);
                open[i] = (rc == NGX_OK);
                values[i][0] = '\0';
                break;
            }

            if (random() % 4) {
                break;
            }

            for (k = 0; k < R_ROOMS; k++) {
                for (at = 0;
                     at < model[k].n && model[k].order[at] != i;
                     at++);

                if (at == model[k].n) {
                    continue;
                }

                snprintf(name, sizeof(name), "%d", k);
                rc = leave(i, name);
                model[k].n--;
                memmove(&model[k].order[at], &model[k].order[at + 1],
                        (model[k].n - at) * sizeof(int));

                wrong += rc != NGX_OK;
                wrong += (int) op.count != model[k].n;
                wrong += op.ended != (model[k].n == 0);
                end();
            }

            disconnect(i);
            open[i] = 0;
            rc = NGX_OK;
            break;

        case 1:
        case 2:
            rc = join(i, name);

            if (rc != NGX_OK) {
                break;
            }

            if (room->n == 0) {
                wrong += !op.created || op.epoch <= room->epoch;
                room->offset = 0;
                room->epoch = op.epoch;
            }

            wrong += op.already != (at < room->n);

            if (at == room->n) {
                room->order[room->n++] = i;
            }

            wrong += (int) op.count != room->n;
            wrong += op.offset != room->offset || op.epoch != room->epoch;
            break;

        case 3:
            rc = leave(i, name);

            if (at == room->n) {
                wrong += rc != NGX_DECLINED;
                rc = NGX_OK;
                break;
            }

            room->n--;
            memmove(&room->order[at], &room->order[at + 1],
                    (room->n - at) * sizeof(int));

            wrong += rc != NGX_OK || (int) op.count != room->n;
            wrong += op.ended != (room->n == 0);
            end();
            break;

        case 4:
            len = full ? random() % 4096 : random() % 100;
            memset(value, '1' + i % 9, len);
            value[len] = '\0';

            rc = attr(i, "name", value);

            if (rc == NGX_OK) {
                memcpy(values[i], value, len + 1);
            }

            break;

        case 5:
            snprintf(value, sizeof(value), "\"user %ld\"", random() % 10);
            rc = attr(i, "user", random() % 4 ? value : "");
            break;

        case 6:
            len = full ? random() % 4000 : random() % 200;
            memset(value, '1' + r % 9, len + 1);
            value[len + 1] = '\0';

            rc = publish_log(name, value, value, 1);

            if (room->n == 0) {
                wrong += rc != NGX_DECLINED;
                rc = NGX_OK;

            } else if (rc == NGX_OK) {
                wrong += op.offset != ++room->offset;
                last = 0;

                for (at = 0; at < room->n; at++) {
                    last |= 1 << room->order[at] % 3;
                }

                wrong += (last & ~stub_relay_slots) != 0;
            }

            break;

        case 7:
            if (random() % 8) {
                break;
            }

            p = members(name, "name");

            if (room->n == 0) {
                wrong += strcmp(p, "rc=-5") != 0;
                break;
            }

            p++;

            for (at = 0; at < room->n; at++) {
                len = strlen(values[room->order[at]]);

                if (len) {
                    wrong += memcmp(p, values[room->order[at]], len) != 0;
                    p += len + 1;
                }
            }

            wrong += *p && p[-1] != '[';
            break;
        }

        if (rc == NGX_BUSY) {
            refused++;
            wrong += !same(before, usage(zone));

        } else {
            wrong += rc != NGX_OK;
        }

        if (wrong) {
            diag("step %lu, rc %d", (unsigned long) step, rc);
            break;
        }

        if (step % 1024 == 0) {
            wrong += check(zone);
        }
    }

    snprintf(want, sizeof(want), "%lu random steps", (unsigned long) steps);

    is(wrong, 0, "%s%s: as the model has it", want,
       full ? " in a full zone" : "");
    is(refused > 0, full, "some are refused: %d", refused);
    is(check(zone), 0, "the zone is whole");

    for (i = 0; i < R_SESSIONS; i++) {
        if (open[i]) {
            worker(i % 3);
            quit(i);
        }
    }

    worker(0);

    ok(same(empty, usage(zone)), "nothing is left");
    is(check(zone), 0, "the zone is whole");
}


static void
test_full(void)
{
    int       i, n;
    char     *value;
    usage_t   empty;

    empty = usage(zone);

    value = malloc(4097);
    memset(value, '1', 4096);
    value[4096] = '\0';

    /* a room lives on what its log drops */

    conn(0);
    join(0, "log");
    attr(0, "state", "\"here\"");

    for (i = 0; i < 10; i++) {
        publish_log("log", "", value, 1);
    }

    for (n = 1; n < SESSIONS; n++) {
        if (conn(n) != NGX_OK || attr(n, "v", value) != NGX_OK) {
            break;
        }
    }

    is(ngx_wschat_zone_head(zone)->full > 0, 1, "full after %d", n);

    for (i = 0; i < 100 && attr(0, "x", value) == NGX_OK; i++) {
        attr(0, "x", "");
        attr(n > 1 ? 1 : 0, "y", value);
    }

    is(publish_log("log", "", value, 1), NGX_OK, "a log that is full goes on");
    is_str(value, memcpy(malloc(4097), value, 4097), "of the same size");
    is(attr(0, "state", "\"away\""), NGX_OK, "a value is changed in place");

    quit(0);

    for (i = 1; i < SESSIONS; i++) {
        if (stub_sessions[i].open) {
            quit(i);
        }
    }

    free(value);

    ok(same(empty, usage(zone)), "nothing is left");
}


static void
test_sweep(void)
{
    int                  i;
    usage_t              empty;
    ngx_wschat_zone_t   *second;
    ngx_str_t            name;

    empty = usage(zone);
    memset(&swept, 0, sizeof(swept));

    start(7);

    for (i = 0; i < 100; i++) {
        conn(i);
        join(i, "both");
        join(i, i % 2 ? "odd" : "even");
        attr(i, "user", "\"u\"");
    }

    attr(99, "name", "\"last\"");

    worker(0);

    for (i = 200; i < 210; i++) {
        conn(i);
        join(i, "both");
        attr(i, "user", "\"u\"");
    }

    /* a room that ended, and its worker died before its hook ran */

    worker(7);
    conn(100);
    join(100, "hook");
    leave(100, "hook");
    is(op.ended, 1, "a room has ended");

    is(publish("both", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x81, "to both workers");

    died(7, 0);
    is(swept.orphans, 0, "nothing is swept from within the call");

    reset(NULL);
    op.id = (u_char *) swept.ids;
    turns();

    is(swept.orphans, 101, "all connections are handed over");
    is(swept.twice, 0, "once each");
    is(swept.rooms, 200, "they leave their rooms");
    is(swept.hooks, 3, "three rooms ended");
    is(swept.ended, 1, "one of them before");
    is(stub_released, 0x80, "the slot is released");
    is(ngx_wschat_zone_head(zone)->connections, 10, "the others stay");
    is(ngx_wschat_zone_head(zone)->rooms, 1, "and their room");
    is(publish("both", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x01, "to the living");
    is(check(zone), 0, "the zone is whole");

    for (i = 200; i < 210; i++) {
        quit(i);
    }

    ok(same(empty, usage(zone)), "nothing is left");

    /* what an orphan knows */

    memset(&swept, 0, sizeof(swept));
    start(7);
    connect_api(0, &chat, "2001:db8::7", "an agent");
    join(0, "r1");
    join(0, "r2");
    attr(0, "name", "\"n\"");
    died(7, 0);
    turns();
    is_str(swept.last, "chat|2001:db8::7|an agent|1700000000000|name=\"n\","
           "|r1|r2", "an orphan");
    ok(same(empty, usage(zone)), "nothing is left");

    /* the sweeper dies in the middle */

    memset(&swept, 0, sizeof(swept));
    start(7);

    for (i = 0; i < 50; i++) {
        conn(i);
        join(i, i % 2 ? "odd" : "even");
    }

    start(8);
    conn(60);
    join(60, "odd");

    swept.stop = 1;
    died(7, 8);
    turns();
    is(swept.orphans, 50, "given to worker 8, which has not done with them");
    is(check(zone), 0, "the zone is whole");
    is(ngx_wschat_zone_head(zone)->connections, 51, "they are there yet");

    memset(&swept, 0, sizeof(swept));
    died(8, 0);
    turns();
    is(swept.orphans, 51, "worker 8 died: all come again");
    is(swept.twice, 0, "once each");
    is(swept.hooks, 2, "two rooms ended");
    is(stub_released, 1 << 8, "the slot is released");
    ok(same(empty, usage(zone)), "nothing is left");

    /* the slot was taken again by a worker which knows, after one that did
       not; and a worker that exits with connections */

    memset(&swept, 0, sizeof(swept));
    start(7);
    conn(0);
    join(0, "r");
    conn(1);
    join(1, "ended");
    leave(1, "ended");
    stub_close(0);
    stub_close(1);

    start(7);
    conn(2);
    join(2, "r");
    is(publish("r", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x80, "to the worker");

    {
        ngx_event_t  *ev;

        /* the timer of whoever comes first finds them */

        worker(0);
        ev = ngx_rbtree_data(ngx_rbtree_min(ngx_event_timer_rbtree.root,
                                            ngx_event_timer_rbtree.sentinel),
                             ngx_event_t, timer);
        ngx_del_timer(ev);
        ev->handler(ev);
        turns();

        is(swept.orphans, 2, "what the slot's last worker left is swept");
        is(swept.ended, 1, "and its room");
        is(publish("r", "x"), NGX_OK, "publish");
        is(stub_relay_slots, 0x80, "still to the worker");
        is(check(zone), 0, "the zone is whole");

        worker(7);
        ngx_wschat_store_zone_exit_process((ngx_cycle_t *) ngx_cycle);
        stub_close(2);
        is(check(zone), 0, "the zone is whole");

        worker(0);
        ngx_del_timer(ev);
        ev->handler(ev);
        turns();
        is(swept.orphans, 3, "what a worker has when it exits is swept");
        is(swept.hooks, 2, "the room ended");
    }

    ok(same(empty, usage(zone)), "nothing is left");

    /* an api that is not configured any more */

    memset(&swept, 0, sizeof(swept));
    start(7);
    connect_api(0, &other, "192.0.2.2", "");
    join(0, "r");
    connect_api(1, &other, "192.0.2.2", "");
    join(1, "r2");
    leave(1, "r2");
    stub_apis[1] = NULL;
    died(7, 0);
    turns();
    is(swept.orphans + swept.ended, 0, "nobody is told of an unknown api's");
    ok(same(empty, usage(zone)), "but nothing is left");
    stub_apis[1] = &other;

    /* in all zones */

    memset(&swept, 0, sizeof(swept));
    ngx_str_set(&name, "second");
    second = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &name);
    ok(second != NULL && second != zone, "there is a second zone");
    other.zone = second;
    start(7);
    conn(0);
    connect_api(1, &other, "192.0.2.2", "");
    died(7, 0);
    turns();
    is(swept.orphans, 2, "all zones are swept");
    is(check(second), 0, "the second zone is whole");
    is(ngx_wschat_zone_head(second)->connections, 0, "and empty");
    other.zone = zone;

    died(7, 0);
    turns();
    is(stub_released, 0x80, "a slot that has nothing is released as well");
    worker(0);
}


static void
test_restore(void)
{
    int       i;
    char      ids[2][1 + 300 * 27 + 2];
    uint64_t  epoch, incarnation;

    memset(&swept, 0, sizeof(swept));

    for (i = 0; i < 300; i++) {
        conn(i);
        join(i, "all");
        join(i, i % 2 ? "odd" : "even");
        attr(i, "user", i % 2 ? "\"a\"" : "\"b\"");
        attr(i, "name", "\"n\"");
    }

    publish_log("all", "x", "1", 1);

    leave(1, "odd");
    join(1, "odd");
    epoch = op.epoch;
    incarnation = ngx_wschat_zone_head(zone)->incarnation;
    strcpy(ids[0], members("even", ""));

    killed_in_change(zone);

    /* a worker without sessions is the first to notice */

    start(2);
    is(ngx_wschat_zone_head(zone)->incarnation, incarnation + 1,
       "the zone began anew");
    is(ngx_wschat_zone_head(zone)->connections, 0, "it is empty");
    is(ngx_wschat_zone_head(zone)->pending, 0x01, "worker 0 has to tell");
    is(check(zone), 0, "the zone is whole");

    /* as if worker 2 were another process, it has nothing to restore */

    zone->restoring = 0;
    ngx_delete_posted_event(&zone->restore);
    zone->seen = 0;

    /* nobody else notices before worker 0 does something */

    worker(0);
    is(exists("even"), NGX_OK, "exists: the zone is told first");
    is(op.count, 150, "all members");
    is(ngx_wschat_zone_head(zone)->pending, 0, "worker 0 has told");
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(ngx_wschat_zone_head(zone)->rooms, 3, "all rooms");
    is(ngx_wschat_zone_head(zone)->users, 2, "all users");
    is(check(zone), 0, "the zone is whole");
    strcpy(ids[1], members("even", ""));
    is(strlen(ids[1]), strlen(ids[0]), "the same number of ids");
    is(strlen(members("all", "name")), 300 * 4 + 1, "attributes are there");

    ok(session(0)->members->channel->epoch > epoch, "the hub has the epochs");

    is(join(1, "odd"), NGX_OK, "join");
    is(op.already, 1, "was there already");
    ok(op.epoch > epoch, "in a new epoch");
    is(op.epoch, ngx_wschat_hub_member(session(1), NGX_WSCHAT_TO_ROOM, &op.name)
                 ->channel->epoch, "which the hub knows");
    turns();

    /* in batches, if nobody asks; a connection that does is told at once */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    is(zone->restoring, 1, "to be restored");
    is(attr(250, "name", "\"m\""), NGX_OK, "set of one that is not there yet");
    is(ngx_wschat_zone_head(zone)->connections, 1, "it is now");
    is(leave(251, "odd"), NGX_OK, "leave of one that is not there yet");
    is(op.ended, 0, "others may be there");
    is(ngx_wschat_zone_head(zone)->connections, 2, "it is now");
    is(join(252, "new"), NGX_OK, "join of one that is not there yet");
    is(check(zone), 0, "the zone is whole");
    is(publish("odd", "x"), NGX_OK, "a room whose members are to be told");

    turns();
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(zone->restoring, 0, "restored");
    exists("odd");
    is(op.count, 149, "without the one who left");
    is(check(zone), 0, "the zone is whole");

    /* and while it is restored, once more */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    attr(10, "name", "\"m\"");
    killed_in_change(zone);
    turns();
    is(ngx_wschat_zone_head(zone)->connections, 0, "nobody has noticed yet");
    is(exists("all"), NGX_OK, "now they have");
    turns();
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(check(zone), 0, "the zone is whole");

    /*
     * while another worker has not told: rooms do not end, and are not
     * denied; messages go to it
     */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_head(zone)->pending |= 1 << 2;
    ngx_wschat_zone_unlock(zone);
    turns();
    is(ngx_wschat_zone_head(zone)->pending, 1 << 2, "worker 2 has yet to tell");
    is(publish("nowhere", "x"), NGX_ERROR, "it may have that room");
    is(publish("all", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x05, "it may have members");
    is(leave(252, "new"), NGX_OK, "the last one leaves");
    is(op.ended, 0, "which is not the end yet");
    is(join(252, "new2"), NGX_OK, "and another one");
    is(leave(252, "new2"), NGX_OK, "of a new room");
    is(op.ended, 0, "which is not the end yet");

    stub_slot = 2;
    conn(400);
    join(400, "new");
    stub_slot = 0;

    /* it tells */

    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_modify(ngx_wschat_zone_head(zone));
    ngx_wschat_zone_told(ngx_wschat_zone_head(zone), 2);
    ngx_wschat_zone_unlock(zone);

    {
        ngx_event_t  *ev;

        ev = ngx_rbtree_data(ngx_rbtree_min(ngx_event_timer_rbtree.root,
                                            ngx_event_timer_rbtree.sentinel),
                             ngx_event_t, timer);
        ngx_del_timer(ev);
        ev->handler(ev);
        turns();
    }

    is(swept.ended, 1, "the room that nobody has ended");
    is(exists("new2"), NGX_DECLINED, "and is gone");
    is(exists("new"), NGX_OK, "the other is not");
    is(check(zone), 0, "the zone is whole");

    /* a connection of which nobody knows */

    reset(NULL);
    op.id = (u_char *) "0123456789abcdef";
    str_set(&op.name, "x");
    op.create = 1;
    is(store->join(&op), NGX_ERROR, "an unknown connection does not join");
    is(store->set(&op), NGX_ERROR, "nor has it attributes");
    is(store->leave(&op), NGX_DECLINED, "nor does it leave");
    is(store->disconnect(&op), NGX_OK, "nor does it go");

    stub_slot = 2;
    quit(400);
    stub_slot = 0;

    for (i = 0; i < 300; i++) {
        quit(i);
    }
}


/* real processes, killed at any moment */

#define P_WORKERS  3
#define P_SESSIONS 40

typedef struct {
    volatile ngx_uint_t  generation;
    volatile ngx_uint_t  stop;        /* 1: quiesce, 2: go */
    volatile ngx_uint_t  quiet;
    volatile ngx_uint_t  bad;
    volatile ngx_uint_t  steps;
} shared_t;

static shared_t  *shared;


static void
stress_child(ngx_uint_t slot)
{
    int         i, k;
    char        name[32];
    ngx_int_t   rc;
    ngx_uint_t  n;

    ngx_pid = getpid();
    srandom(ngx_pid);

    for (i = 0; i < SESSIONS; i++) {
        stub_close(i);
    }

    stub_slot = slot;
    stub_generation[slot] = shared[slot].generation;
    ngx_wschat_store_zone_init_process((ngx_cycle_t *) ngx_cycle, &handlers);

    while (shared[slot].stop == 0) {
        i = random() % P_SESSIONS + slot * P_SESSIONS;
        snprintf(name, sizeof(name), "%ld", random() % 10);

        if (!stub_sessions[i].open) {
            rc = conn(i);

        } else {
            switch (random() % 8) {
            case 0:
                quit(i);
                rc = NGX_OK;
                break;

            case 1:
            case 2:
                rc = join(i, name);
                break;

            case 3:
                rc = leave(i, name);
                end();
                break;

            case 4:
                rc = attr(i, "user", random() % 2 ? "\"a\"" : "\"b\"");
                break;

            case 5:
                rc = attr(i, "name", random() % 2 ? "\"a long name, it may be\""
                                                  : "");
                break;

            case 6:
                rc = publish_log(name, "x", "\"a record of the log\"", 1);
                break;

            default:
                turns();
                rc = NGX_OK;
                break;
            }
        }

        /* a room may not be known while the zone is restored */

        if (rc != NGX_OK && rc != NGX_DECLINED
            && ngx_wschat_zone_head(zone)->pending == 0
            && rc != NGX_ERROR)
        {
            shared[slot].bad++;
        }

        shared[slot].steps++;
    }

    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    turns();

    /* all is there that should be, and nothing else is */

    for (i = slot * P_SESSIONS; i < (int) (slot + 1) * P_SESSIONS; i++) {

        n = 0;

        for (k = 0; k < 10; k++) {
            ngx_str_t                   str;
            ngx_wschat_zone_sh_t       *sh;
            ngx_wschat_zone_conn_t     *c;
            ngx_wschat_zone_channel_t  *ch;

            snprintf(name, sizeof(name), "%d", k);
            str_set(&str, name);

            sh = ngx_wschat_zone_lock(zone);
            c = ngx_wschat_zone_conn(sh, session(i)->id);
            ch = ngx_wschat_zone_channel(sh,
                                         ngx_wschat_zone_api(sh, &chat.name),
                                         NGX_WSCHAT_TO_ROOM,
                                         ngx_wschat_zone_hash(zone, &str),
                                         &str);
            rc = c && ch && ngx_wschat_zone_member(c, ch);
            n = (c != NULL);
            ngx_wschat_zone_unlock(zone);

            if (rc != (stub_sessions[i].open
                       && ngx_wschat_hub_member(session(i), NGX_WSCHAT_TO_ROOM,
                                                &str) != NULL))
            {
                shared[slot].bad++;
            }
        }

        if (n != stub_sessions[i].open) {
            shared[slot].bad++;
        }
    }

    shared[slot].quiet = 1;

    while (shared[slot].stop != 2) {
        usleep(1000);
    }

    for (i = 0; i < SESSIONS; i++) {
        if (stub_sessions[i].open) {
            quit(i);
        }
    }

    ngx_wschat_store_zone_exit_process((ngx_cycle_t *) ngx_cycle);

    _exit(0);
}


static pid_t
stress_start(ngx_uint_t slot)
{
    pid_t  pid;

    shared[slot].generation++;
    stub_generation[slot] = shared[slot].generation;
    stub_live |= (uint64_t) 1 << slot;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        stress_child(slot);
    }

    return pid;
}


/* "anywhere": also in the middle of a change */

static void
test_stress(ngx_uint_t rounds, ngx_uint_t anywhere)
{
    int          status, bad;
    pid_t        pids[P_WORKERS + 1];
    uint64_t     incarnation;
    usage_t      empty;
    ngx_uint_t   i, slot, faults, steps;

    empty = usage(zone);
    incarnation = ngx_wschat_zone_head(zone)->incarnation;
    memset(&swept, 0, sizeof(swept));
    memset(shared, 0, 4096);

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].generation = 1000 * (anywhere + 1);
        pids[slot] = stress_start(slot);
    }

    for (i = 0; i < rounds; i++) {
        usleep(random() % 8000);

        slot = 1 + random() % P_WORKERS;

        if (!anywhere) {
            (void) ngx_wschat_zone_lock(zone);
        }

        kill(pids[slot], SIGKILL);
        (void) waitpid(pids[slot], &status, 0);

        if (!anywhere) {
            ngx_wschat_zone_unlock(zone);
        }

        (void) ngx_shmtx_force_unlock(&zone->pool->mutex, pids[slot]);

        stub_live &= ~((uint64_t) 1 << slot);
        stub_released = 0;
        ngx_wschat_store_zone_dead(slot, stub_generation[slot]);
        turns();

        if (stub_released != (uint64_t) 1 << slot) {
            diag("slot %lu was not released", (unsigned long) slot);
            break;
        }

        pids[slot] = stress_start(slot);
    }

    is(i, rounds, "%lu workers killed%s", (unsigned long) rounds,
       anywhere ? " anywhere" : "");

    usleep(50000);

    steps = 0;
    bad = 0;

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].stop = 1;
    }

    for (slot = 1; slot <= P_WORKERS; slot++) {
        while (!shared[slot].quiet) {
            usleep(1000);
        }

        bad += shared[slot].bad;
        steps += shared[slot].steps;
    }

    turns();

    is(bad, 0, "each worker has what it has, after %lu steps",
       (unsigned long) steps);
    is(ngx_wschat_zone_head(zone)->pending, 0, "all have told");

    faults = check(zone);
    is(faults, 0, "the zone is whole");
    is(swept.twice, 0, "%lu orphans, each once", (unsigned long) swept.orphans);

    incarnation = ngx_wschat_zone_head(zone)->incarnation - incarnation;

    if (anywhere) {
        is(incarnation > 0, 1, "the zone began anew %lu times",
           (unsigned long) incarnation);
    } else {
        is(incarnation, 0, "the zone never began anew");
        is(swept.orphans > 0, 1, "there were orphans");
    }

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].stop = 2;
        (void) waitpid(pids[slot], &status, 0);
        stub_live &= ~((uint64_t) 1 << slot);
        is(status, 0, "a worker exits");
    }

    turns();

    is(ngx_wschat_zone_head(zone)->connections, 0, "no connections are left");
    is(check(zone), 0, "the zone is whole");

    if (!same(empty, usage(zone))) {
        diag("rooms %lu", (unsigned long) ngx_wschat_zone_head(zone)->rooms);
    }

    ok(same(empty, usage(zone)), "nothing is left");
}


/* what it costs */

static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


#define report(what, n, ...)                                                  \
    {                                                                         \
        double  t = now();                                                    \
        for (i = 0; i < (n); i++) { __VA_ARGS__; }                            \
        printf("# %-44s %7.0f ns\n", what, (now() - t) / (n));                \
    }


/* without the stubs' own work */

static void
bench_id(u_char *id, ngx_uint_t i)
{
    uint64_t  r;

    r = (i + 1) * 0x9e3779b97f4a7c15ULL;

    ngx_memzero(id, NGX_WSCHAT_ID_LEN);
    id[2] = (u_char) stub_slot;
    ngx_memcpy(id + 8, &r, 8);
}


static ngx_int_t
bench_connect(ngx_uint_t i)
{
    bench_id(op.peer.id, i);

    return store->connect(&op);
}


static void
bench_fit(char *name)
{
    u_char                  id[NGX_WSCHAT_ID_LEN];
    char                    room[32];
    ngx_uint_t              i, n;
    ngx_str_t               str;
    ngx_wschat_zone_stat_t  stat;

    str_set(&str, name);
    chat.zone = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &str);

    ngx_wschat_zone_stat(chat.zone, &stat);

    reset(NULL);
    str_set(&op.peer.ip, "192.0.2.1");
    str_set(&op.peer.user_agent, agent);
    op.id = id;
    op.create = 1;

    for (n = 0; bench_connect(n) == NGX_OK; n++);
    printf("# zone %-4s pages %6lu: connections %8lu", name,
           (unsigned long) stat.pages_free, (unsigned long) n);

    for (i = 0; i < n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* one connection in many rooms would be slow: each in one */

    str_set(&op.name, "lobby");
    for (n = 0; ; n++) {
        bench_id(id, n);
        if (bench_connect(n) != NGX_OK || store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", in one room %8lu", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* rooms of one */

    op.name.data = (u_char *) room;
    for (n = 0; ; n++) {
        bench_id(id, n);
        op.name.len = sprintf(room, "room-%08lu", (unsigned long) n);
        if (bench_connect(n) != NGX_OK || store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", each in its own %8lu", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* a chat's: a name, a user, a room of 10 */

    for (n = 0; ; n++) {
        bench_id(id, n);
        if (bench_connect(n) != NGX_OK) {
            break;
        }

        str_set(&op.name, "name");
        str_set(&op.value, "\"somebody\"");
        if (store->set(&op) != NGX_OK) {
            break;
        }

        str_set(&op.name, "user");
        op.value.data = (u_char *) room;
        op.value.len = sprintf(room, "\"%08lu\"", (unsigned long) n);
        if (store->set(&op) != NGX_OK) {
            break;
        }

        op.name.data = (u_char *) room;
        op.name.len = sprintf(room, "room-%08lu", (unsigned long) n / 10);
        if (store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", of a chat %8lu\n", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    ngx_wschat_zone_stat(chat.zone, &stat);
    ok(stat.connections == 0 && stat.rooms == 0 && stat.users == 0,
       "zone %s is empty again", name);

    chat.zone = zone;
}


static void
bench(void)
{
    u_char      id[NGX_WSCHAT_ID_LEN];
    char        room[32];
    ngx_uint_t  i, n;
    ngx_str_t   big;

    bench_fit("1m");
    bench_fit("8m");
    bench_fit("64m");

    ngx_str_set(&big, "64m");
    chat.zone = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &big);

    n = 20000;
    reset(NULL);
    str_set(&op.peer.ip, "192.0.2.1");
    str_set(&op.peer.user_agent, agent);
    op.id = id;
    op.create = 1;
    op.value.data = (u_char *) "\"somebody\"";
    op.value.len = 10;

    report("connect (of 20000)", n, bench_connect(i));

    str_set(&op.name, "name");
    report("set", n, bench_id(id, i); store->set(&op));
    report("set again", n, bench_id(id, i); store->set(&op));

    op.name.data = (u_char *) room;
    report("join, rooms of 10", n, bench_id(id, i);
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10);
           store->join(&op));

    report("sprintf of the name", n,
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10));

    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.body, "0123456789012345678901234567890123456789");
    op.message.name = op.name;

    report("publish to one room", 1000000, store->publish(&op));
    report("publish to 2000 rooms by turns", 1000000,
           op.message.name.len = 13;
           room[12] = '0' + i % 10; room[11] = '0' + i / 10 % 10;
           room[10] = '0' + i / 100 % 10; room[9] = '0' + i / 1000 % 2;
           store->publish(&op));

    op.store = 1;
    op.record = op.message.body;
    op.record_json = 1;
    chat.history = 100;
    report("publish and log, 100 kept", 1000000, store->publish(&op));
    op.store = 0;

    op.message.target = NGX_WSCHAT_TO_USER;
    report("publish to a user that is not there", 1000000,
           store->publish(&op));

    report("leave, rooms of 10", n, bench_id(id, i);
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10);
           op.last = (i % 10 == 9);
           store->leave(&op); if (op.ended) store->end(&op));

    str_set(&op.name, "lobby");
    report("join one room", n, bench_id(id, i); store->join(&op));

    str_set(&op.value, "name");
    report("members, the attribute, 10000", 20, store->members(&op);
           ngx_reset_pool(pool));
    str_set(&op.value, "");
    report("members, the ids, 10000", 20, store->members(&op);
           ngx_reset_pool(pool));

    report("disconnect from one room", n, bench_id(id, i);
           store->disconnect(&op));
    report("connect (of 20000)", n, bench_connect(i));
    report("disconnect", n, bench_id(id, i); store->disconnect(&op));

    ok(check(chat.zone) == 0, "the zone is whole");
    chat.zone = zone;
}


static void
init_api(ngx_wschat_api_t *api, char *name)
{
    str_set(&api->name, name);
    api->store = store;
    api->zone = zone;
    api->history = 4;
}


static ngx_int_t
zone_test_init_process(ngx_cycle_t *cycle)
{
    usage_t    empty;
    ngx_str_t  name;

    ngx_log_of = cycle->log;
    pool = ngx_create_pool(16384, cycle->log);

    ngx_str_set(&name, "1m");
    zone = ngx_wschat_zone_find(cycle, &name);

    init_api(&chat, "chat");
    init_api(&other, "other");

    stub_apis[0] = &chat;
    stub_apis[1] = &other;

    shared = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);

    srandom(1);

    start(5);
    start(2);
    start(1);
    start(0);

    if (run.len == 5) {
        bench();
        exit(tap_done());
    }

    empty = usage(zone);

    test_basics();
    test_left(empty);
    test_lists();
    test_random(200000, 0);
    test_random(200000, 1);
    test_full();
    test_sweep();
    test_restore();

    stub_live = 1;
    test_stress(300, 0);
    test_stress(300, 1);

    exit(tap_done());
}
