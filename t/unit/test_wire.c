
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The records between workers: what is written is read again, nothing is read
 * past an end, and complaints are rare; messages and calls through a bus that
 * keeps the record it is given, with two workers that are one process.
 */

/* sources: src/ngx_wschat_wire.c src/ngx_wschat_relay.c */
/* sources: src/ngx_wschat_call.c t/unit/ngx_stub.c */


#include <stdlib.h>
#include <ngx_event.h>

#include "ngx_wschat_wire.h"
#include "ngx_wschat_relay.h"
#include "ngx_wschat_call.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_hub.h"
#include "route/ngx_wschat_api.h"
#include "session/ngx_wschat_session.h"
#include "ngx_stub.h"
#include "tap.h"


static ngx_log_t     log_stub;
static ngx_cycle_t   cycle_stub;
static ngx_time_t    time_stub;
static int           logged;
static ngx_uint_t    logged_others;

volatile ngx_cycle_t  *ngx_cycle = &cycle_stub;
volatile ngx_time_t   *ngx_cached_time = &time_stub;
volatile ngx_msec_t    ngx_current_msec;
ngx_rbtree_t           ngx_event_timer_rbtree;


/* the bus: the worker that we are now, and the last record */

static ngx_uint_t            slot;
static uint32_t              generation = 7;
static uint64_t              live = 3;
static uint64_t              record_slots;
static u_char               *record;
static size_t                record_len;
static ngx_uint_t            records;


/* the hub: what was delivered last */

static ngx_wschat_message_t  delivered;
static ngx_wschat_api_t     *delivered_api;
static ngx_uint_t            deliveries;


/* the one session, on slot 1 */

static ngx_wschat_api_t      api;
static ngx_wschat_session_t  session;
static ngx_uint_t            session_open;
static ngx_int_t             session_rc;
static ngx_uint_t            session_code;
static char                  session_text[32];


/* the caller: how it was answered */

static ngx_uint_t            answers;
static ngx_int_t             answer_rc;

/* the one timer that is set, or NULL */

static ngx_event_t          *timer;


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    va_list  args;

    if (strstr(fmt, "is ignored") == NULL) {
        return;
    }

    logged++;

    va_start(args, fmt);
    (void) va_arg(args, ngx_uint_t);
    (void) va_arg(args, const char *);
    logged_others = va_arg(args, ngx_uint_t);
    va_end(args);
}


static void
test_fields(void)
{
    u_char             *p, *data;
    u_char              buf[64];
    size_t              len;
    ngx_str_t           s;
    ngx_wschat_wire_t   w;

    static u_char  want[] = {
        NGX_WSCHAT_WIRE_VERSION, NGX_WSCHAT_WIRE_CALL,
        0xfe,
        0x12, 0x34,
        0x89, 0xab, 0xcd, 0xef,
        0x80, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0xff
    };

    p = ngx_wschat_wire_put_head(buf, NGX_WSCHAT_WIRE_CALL);
    is(p - buf, NGX_WSCHAT_WIRE_HEAD, "size of the head");
    p = ngx_wschat_wire_put_u8(p, 0xfe);
    p = ngx_wschat_wire_put_u16(p, 0x1234);
    p = ngx_wschat_wire_put_u32(p, 0x89abcdef);
    p = ngx_wschat_wire_put_u64(p, 0x80010203040506ffULL);
    is_mem(buf, p - buf, want, sizeof(want), "layout");

    memcpy(p, "roomREST", 8);
    p += 8;

    data = buf;
    len = p - buf;

    is(ngx_wschat_wire_open(&data, &len), NGX_WSCHAT_WIRE_CALL, "type");
    is(len, p - buf - 2, "length behind the head");

    ngx_wschat_wire_init(&w, data, len);
    is(ngx_wschat_wire_get_u8(&w), 0xfe, "u8");
    is(ngx_wschat_wire_get_u16(&w), 0x1234, "u16");
    is(ngx_wschat_wire_get_u32(&w), 0x89abcdef, "u32");
    ok(ngx_wschat_wire_get_u64(&w) == 0x80010203040506ffULL, "u64");

    ngx_wschat_wire_get_str(&w, &s, 4);
    is_mem(s.data, s.len, "room", 4, "string");

    ngx_wschat_wire_get_str(&w, &s, 0);
    is(s.len, 0, "empty string");
    ok(!w.bad, "an empty string is one");

    ngx_wschat_wire_get_rest(&w, &s);
    is_mem(s.data, s.len, "REST", 4, "rest");
    ok(!w.bad, "all was there");

    ngx_wschat_wire_get_rest(&w, &s);
    is(s.len, 0, "no more rest");
    ok(!w.bad, "no more rest is no error");

    is(ngx_wschat_wire_get_u8(&w), 0, "nothing behind the end");
    ok(w.bad, "and that is an error");
}


static void
test_open(void)
{
    u_char  *data;
    u_char   buf[2];
    size_t   len;

    buf[0] = NGX_WSCHAT_WIRE_VERSION;
    buf[1] = NGX_WSCHAT_WIRE_ANSWER;

    data = buf;
    len = 0;
    is(ngx_wschat_wire_open(&data, &len), 0, "an empty record");

    len = 1;
    is(ngx_wschat_wire_open(&data, &len), 0, "a version alone");
    ok(data == buf && len == 1, "left as it was");

    len = 2;
    is(ngx_wschat_wire_open(&data, &len), NGX_WSCHAT_WIRE_ANSWER,
       "a head alone");
    ok(data == buf + 2 && len == 0, "behind the head");

    data = buf;
    len = 2;
    buf[0]++;
    is(ngx_wschat_wire_open(&data, &len), 0, "another version");
}


/*
 * Every length from nothing to complete, in memory of exactly that size, so
 * that a sanitizer sees a byte too much.
 */

static void
test_truncated(void)
{
    u_char             *buf;
    size_t              n;
    ngx_str_t           s, rest;
    ngx_uint_t          bad;
    ngx_wschat_wire_t   w;

    bad = 0;

    for (n = 0; n < 18; n++) {
        buf = malloc(n + 1);
        memset(buf, 0xff, n + 1);

        /* the end of the memory is the end of the record */

        ngx_wschat_wire_init(&w, buf + 1, n);

        (void) ngx_wschat_wire_get_u8(&w);
        (void) ngx_wschat_wire_get_u16(&w);
        (void) ngx_wschat_wire_get_u32(&w);
        (void) ngx_wschat_wire_get_u64(&w);
        ngx_wschat_wire_get_str(&w, &s, 3);
        ngx_wschat_wire_get_rest(&w, &rest);

        bad += w.bad && s.data == NULL && s.len == 0 && rest.len == 0;

        free(buf);
    }

    is(bad, 18, "too short records are bad, whatever is read first");

    ngx_wschat_wire_init(&w, (u_char *) "ab", 2);
    ok(ngx_wschat_wire_get_bytes(&w, (size_t) -1) == NULL,
       "a length that wraps around");
    is(ngx_wschat_wire_get_u8(&w), 0, "nothing is read after an error");
}


static void
test_ignored(void)
{
    time_stub.sec = 1000;

    ngx_wschat_wire_ignored(3, "one");
    is(logged, 1, "the first is logged");

    ngx_wschat_wire_ignored(3, "two");
    ngx_wschat_wire_ignored(4, "three");
    is(logged, 1, "others in the same second are not");

    time_stub.sec++;
    ngx_wschat_wire_ignored(3, "four");
    is(logged, 2, "one in the next second is");
    is(logged_others, 2, "and says how many there were");

    time_stub.sec++;
    ngx_wschat_wire_ignored(3, "five");
    is(logged_others, 0, "which are not counted twice");
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    timer = (ngx_event_t *) ((u_char *) node - offsetof(ngx_event_t, timer));
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
    timer = NULL;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


u_char *
ngx_pstrdup(ngx_pool_t *pool, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(pool, src->len);
    return (p == NULL) ? NULL : memcpy(p, src->data, src->len);
}


ngx_uint_t
ngx_wschat_bus_slot(void)
{
    return slot;
}


uint32_t
ngx_wschat_bus_generation(void)
{
    return generation;
}


uint64_t
ngx_wschat_bus_live(void)
{
    return live;
}


ngx_int_t
ngx_wschat_bus_send(uint64_t slots, ngx_str_t *parts, ngx_uint_t n)
{
    ngx_uint_t  i;

    free(record);

    record_slots = slots;
    record_len = 0;
    records++;

    for (i = 0; i < n; i++) {
        record_len += parts[i].len;
    }

    record = malloc(record_len);
    record_len = 0;

    for (i = 0; i < n; i++) {
        if (parts[i].len != 0) {
            memcpy(record + record_len, parts[i].data, parts[i].len);
        }

        record_len += parts[i].len;
    }

    return NGX_OK;
}


ngx_int_t
ngx_wschat_hub_deliver(ngx_wschat_api_t *to, ngx_wschat_message_t *message)
{
    deliveries++;
    delivered = *message;
    delivered_api = to;

    return NGX_OK;
}


ngx_wschat_api_t *
ngx_wschat_api_find(ngx_str_t *name)
{
    if (name->len != api.name.len
        || memcmp(name->data, api.name.data, name->len) != 0)
    {
        return NULL;
    }

    return &api;
}


ngx_wschat_session_t *
ngx_wschat_session_find(const u_char *id)
{
    if (slot != 1 || !session_open
        || memcmp(id, session.id, NGX_WSCHAT_ID_LEN) != 0)
    {
        return NULL;
    }

    return &session;
}


ngx_int_t
ngx_wschat_session_send(ngx_wschat_session_t *s, ngx_wschat_frame_t *frame)
{
    snprintf(session_text, sizeof(session_text), "%.*s", (int) frame->len,
             frame->start);

    return session_rc;
}


void
ngx_wschat_session_close(ngx_wschat_session_t *s, ngx_uint_t code,
    ngx_str_t *reason)
{
    session_code = code;
    snprintf(session_text, sizeof(session_text), "%.*s", (int) reason->len,
             reason->data);
}


void
ngx_wschat_session_peer(ngx_wschat_session_t *s, ngx_wschat_peer_t *peer)
{
    peer->connected = s->connected;
    peer->last_active = s->connected + s->last_active;
    ngx_str_set(&peer->ip, "192.0.2.1");
}


ngx_wschat_frame_t *
ngx_wschat_frame_create(ngx_uint_t opcode, u_char *data, size_t len)
{
    static ngx_wschat_frame_t  frame;

    frame.refs = (opcode == 1);
    frame.start = data;
    frame.len = len;

    return &frame;
}


void
ngx_wschat_frame_unref(ngx_wschat_frame_t *frame)
{
    frame->refs--;
}


/* a record in memory of exactly its size, cut to len bytes */

static void
receive(ngx_uint_t from, u_char *bytes, size_t len)
{
    u_char      *copy, *data;
    ngx_uint_t   type;

    copy = malloc(len + 1);
    memcpy(copy + 1, bytes, len);

    data = copy + 1;
    type = ngx_wschat_wire_open(&data, &len);

    switch (type) {

    case NGX_WSCHAT_WIRE_MESSAGE:
        ngx_wschat_relay_record(from, data, len);
        break;

    case NGX_WSCHAT_WIRE_CALL:
        ngx_wschat_call_record(from, data, len);
        break;

    case NGX_WSCHAT_WIRE_ANSWER:
        ngx_wschat_call_answer(from, data, len);
        break;
    }

    free(copy);
}


/* the last record, whose sender waits for nothing else */

static u_char *
take(size_t *len)
{
    u_char  *p;

    p = malloc(record_len);
    memcpy(p, record, record_len);
    *len = record_len;

    return p;
}


static void
test_relay(void)
{
    u_char                *p;
    u_char                 id[NGX_WSCHAT_ID_LEN], except[NGX_WSCHAT_ID_LEN];
    size_t                 len, n;
    ngx_uint_t             count;
    ngx_wschat_message_t   m;

    memset(id, 0xa1, sizeof(id));
    memset(except, 0xb2, sizeof(except));

    memset(&m, 0, sizeof(m));
    ngx_str_set(&m.name, "a room");
    ngx_str_set(&m.body, "{\"hello\":1}");
    m.target = NGX_WSCHAT_TO_ROOM;
    m.except = except;
    m.epoch = 0x1122334455667788ULL;
    m.offset = 99;
    m.ephemeral = 1;

    slot = 0;

    ngx_wschat_relay(&api, 1, &m);
    is(records, 0, "nothing is encoded for the own worker");
    is(deliveries, 1, "but it is delivered");
    ok(delivered.body.data == m.body.data, "without a copy");

    ngx_wschat_relay(&api, 2, &m);
    is(records, 1, "one record for the others");
    is(deliveries, 1, "and nothing here");

    ngx_wschat_relay(&api, 7, &m);
    is(records, 2, "a record for many");
    ok(record_slots == 6, "without the own slot");
    is(deliveries, 2, "which gets it, too");

    p = take(&len);
    count = deliveries;
    slot = 1;

    receive(0, p, len);
    is(deliveries, count + 1, "the record is delivered");
    ok(delivered_api == &api, "to its api");
    is(delivered.target, NGX_WSCHAT_TO_ROOM, "target");
    is(delivered.name.len, 6, "name");
    is(delivered.body.len, 11, "body");
    ok(delivered.id == NULL, "no id");
    ok(delivered.except != NULL, "an exception");
    ok(delivered.epoch == m.epoch && delivered.offset == 99, "numbers");
    is(delivered.ephemeral, 1, "ephemeral");

    /* whatever is cut off, except from the body, which has no length */

    count = deliveries;

    for (n = 0; n < len - 11; n++) {
        receive(0, p, n);
    }

    is(deliveries, count, "a record that is cut short is ignored");

    p[2] = NGX_WSCHAT_TO_ALL + 1;
    receive(0, p, len);
    is(deliveries, count, "so is one of an unknown target");

    p[2] = NGX_WSCHAT_TO_CONNECTION;
    receive(0, p, len);
    is(deliveries, count, "and one to a connection without its id");
    free(p);

    slot = 0;
    m.target = NGX_WSCHAT_TO_CONNECTION;
    m.except = NULL;
    m.id = id;
    m.ephemeral = 0;
    ngx_str_null(&m.name);
    ngx_str_null(&m.body);
    ngx_wschat_relay(&api, 2, &m);

    p = take(&len);
    slot = 1;
    receive(0, p, len);
    is(deliveries, count + 1, "an empty message to a connection");
    ok(delivered.id != NULL && delivered.except == NULL, "has its id only");
    is(delivered.ephemeral, 0, "is not ephemeral");
    is(delivered.body.len, 0, "is empty");

    api.name.data = (u_char *) "tahc";
    receive(0, p, len);
    is(deliveries, count + 1, "an api that is not configured here");
    api.name.data = (u_char *) "chat";

    free(p);
}


static void
answered(ngx_wschat_op_t *op)
{
    answers++;
    answer_rc = op->rc;
}


static void
prepare(ngx_wschat_op_t *op, ngx_pool_t *pool)
{
    memset(op, 0, sizeof(ngx_wschat_op_t));

    op->api = &api;
    op->pool = pool;
    op->log = &log_stub;
    op->id = session.id;
    op->handler = answered;
    op->code = 1000;

    ngx_str_set(&op->reason, "bye");
    ngx_str_set(&op->message.body, "hello");

    slot = 0;
    live = 3;
}


/* the call travels to slot 1, its answer comes back */

static ngx_int_t
travel(void)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   before;

    before = answers;

    slot = 1;
    p = take(&len);
    receive(0, p, len);
    free(p);

    slot = 0;
    p = take(&len);
    receive(1, p, len);
    free(p);

    return (answers == before + 1) ? answer_rc : -100;
}


static void
test_call(void)
{
    u_char           *p;
    size_t            len, n;
    ngx_pool_t       *pool;
    ngx_uint_t        before;
    ngx_wschat_op_t   op;

    pool = ngx_stub_pool_create();

    memset(session.id, 0x5a, sizeof(session.id));
    session.id[2] = 1;
    session.api = &api;
    session.connected = 5000000;
    session_open = 1;

    time_stub.sec = 6000;
    time_stub.msec = 7;

    /* from the worker that has it */

    prepare(&op, pool);
    slot = 1;
    ngx_current_msec = 1000007;

    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_OK, "post here");
    is_str(session_text, "hello", "was sent");
    is(session.last_active, 1000007, "and is activity");

    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_FIND), NGX_OK, "find here");
    ok(op.peer.connected == 5000000 && op.peer.last_active == 6000007,
       "times");
    is_mem(op.peer.ip.data, op.peer.ip.len, "192.0.2.1", 9, "address");

    session_rc = NGX_BUSY;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_BUSY, "a full queue");

    session_rc = NGX_ERROR;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_DECLINED,
       "a client that is just going");

    session_rc = NGX_OK;
    session_open = 0;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_DECLINED, "gone");
    session_open = 1;

    api.name.len = 3;
    op.api = malloc(sizeof(api));
    *op.api = api;
    api.name.len = 4;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_DECLINED,
       "a connection of another api");
    free(op.api);

    /* from another one */

    prepare(&op, pool);
    session.last_active = 0;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_AGAIN, "post there");
    ok(record_slots == 2, "asks its worker");
    session_text[0] = '\0';
    is(travel(), NGX_OK, "answered");
    is_str(session_text, "hello", "was sent there");
    is(session.last_active, 1000007, "and is activity there");

    prepare(&op, pool);
    ngx_str_set(&op.peer.user_agent, "the store's");
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_FIND), NGX_AGAIN, "find there");
    is(travel(), NGX_OK, "answered");
    ok(op.peer.connected == 5000000 && op.peer.last_active == 6000007,
       "times");
    is_mem(op.peer.ip.data, op.peer.ip.len, "192.0.2.1", 9, "address");
    is_mem(op.peer.user_agent.data, op.peer.user_agent.len, "the store's", 11,
           "the user agent stays");

    prepare(&op, pool);
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_CLOSE), NGX_AGAIN, "close there");
    is(travel(), NGX_OK, "answered");
    is(session_code, 1000, "with the code");
    is_str(session_text, "bye", "and the reason");

    session_rc = NGX_BUSY;
    prepare(&op, pool);
    ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST);
    is(travel(), NGX_BUSY, "a full queue there");
    session_rc = NGX_OK;

    session_open = 0;
    prepare(&op, pool);
    ngx_wschat_call(&op, NGX_WSCHAT_CALL_FIND);
    is(travel(), NGX_DECLINED, "gone there");
    session_open = 1;

    /* workers that are not there */

    prepare(&op, pool);
    live = 1;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_DECLINED,
       "no such worker");

    session.id[2] = 255;
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_DECLINED,
       "no such slot");
    session.id[2] = 1;

    /* an answer in pieces, to others, twice */

    prepare(&op, pool);
    ngx_wschat_call(&op, NGX_WSCHAT_CALL_FIND);
    before = records;
    slot = 1;
    p = take(&len);

    for (n = 0; n < len; n++) {
        receive(0, p, n);
    }

    is(records, before, "a call that is cut short is ignored");

    receive(0, p, len);
    free(p);
    slot = 0;
    p = take(&len);
    before = answers;

    for (n = 0; n < len; n++) {
        receive(1, p, n);
    }

    generation++;
    receive(1, p, len);
    generation--;
    receive(2, p, len);
    is(answers, before, "what is not the answer is ignored");

    receive(1, p, len);
    is(answers, before + 1, "and the answer is not");

    receive(1, p, len);
    is(answers, before + 1, "it is taken once");

    prepare(&op, pool);
    ngx_wschat_call(&op, NGX_WSCHAT_CALL_FIND);
    receive(1, p, len);
    is(answers, before + 1, "not for the next call");
    is(travel(), NGX_OK, "which has its own");
    free(p);

    ngx_stub_pool_destroy(pool);
}


/* a call whose handler calls again, once */

static void
again(ngx_wschat_op_t *op)
{
    answered(op);

    op->handler = answered;
    ngx_wschat_call(op, NGX_WSCHAT_CALL_POST);
}


/* the time has come */

static void
check(void)
{
    ngx_event_t  *ev;

    ev = timer;
    ev->timer_set = 0;
    timer = NULL;

    ev->handler(ev);
}


static void
test_waiting(void)
{
    int               i, again_rc;
    ngx_pool_t       *pool;
    ngx_uint_t        before;
    ngx_wschat_op_t   op, first, second;

    pool = ngx_stub_pool_create();

    ok(timer == NULL, "no timer while no call waits");

    /* a dead worker: its calls only, and new ones while they are answered */

    prepare(&first, pool);
    prepare(&second, pool);
    first.handler = again;
    live = 7;

    ngx_wschat_call(&first, NGX_WSCHAT_CALL_POST);
    ok(timer != NULL && !timer->cancelable, "a timer that keeps the worker");

    session.id[2] = 2;
    ngx_wschat_call(&second, NGX_WSCHAT_CALL_POST);
    session.id[2] = 1;

    before = answers;
    ngx_wschat_call_dead(1);
    is(answers, before + 1, "the dead worker's call is answered");
    is(answer_rc, NGX_DECLINED, "with gone");

    ngx_wschat_call_dead(2);
    is(answers, before + 2, "then the other one's");

    ngx_wschat_call_dead(1);
    is(answers, before + 3, "and the call made by a handler");
    ok(timer == NULL, "no timer any more");

    /* no answer */

    prepare(&first, pool);
    prepare(&second, pool);
    ngx_current_msec = (ngx_msec_t) -1000;
    ngx_wschat_call(&first, NGX_WSCHAT_CALL_POST);
    ngx_current_msec += 2000;
    ngx_wschat_call(&second, NGX_WSCHAT_CALL_POST);

    before = answers;
    ngx_current_msec += NGX_WSCHAT_CALL_TIMEOUT - 2001;
    check();
    is(answers, before, "there is a millisecond left");

    ngx_current_msec++;
    check();
    is(answers, before + 1, "the first call is out of time");
    is(answer_rc, NGX_ERROR, "which is an error");
    ok(timer != NULL, "the second waits");

    ngx_current_msec += 2000;
    check();
    is(answers, before + 2, "the second is out of time");
    ok(timer == NULL, "no timer any more");

    /* a worker that goes without our being told */

    prepare(&first, pool);
    prepare(&second, pool);
    first.handler = again;
    live = 7;
    ngx_wschat_call(&first, NGX_WSCHAT_CALL_POST);

    before = answers;
    live = 5;
    check();
    live = 7;
    check();
    live = 5;
    check();
    is(answers, before, "its answer may still come");

    check();
    is(answers, before + 1, "and then not");
    is(answer_rc, NGX_DECLINED, "gone");
    ok(timer == NULL, "the handler's call has nobody to wait for");

    /* too many */

    prepare(&op, pool);
    again_rc = 0;

    for (i = 0; i < NGX_WSCHAT_CALL_MAX; i++) {
        again_rc += ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST) == NGX_AGAIN;
    }

    is(again_rc, NGX_WSCHAT_CALL_MAX, "as many calls as may wait");
    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_BUSY, "one more");

    before = answers;
    ngx_wschat_call_dead(1);
    is(answers, before + NGX_WSCHAT_CALL_MAX, "all are answered");

    is(ngx_wschat_call(&op, NGX_WSCHAT_CALL_POST), NGX_AGAIN, "room again");
    is(travel(), NGX_OK, "and all in order");

    ngx_stub_pool_destroy(pool);
}


int
main(void)
{
    log_stub.log_level = NGX_LOG_ERR;
    cycle_stub.log = &log_stub;

    test_fields();
    test_open();
    test_truncated();
    test_ignored();

    ngx_str_set(&api.name, "chat");
    is(ngx_wschat_call_init_process(&cycle_stub), NGX_OK, "init");

    test_relay();
    test_call();
    test_waiting();

    free(record);

    return tap_done();
}
