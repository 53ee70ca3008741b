
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_event.h>

#include "ngx_wschat_call.h"
#include "ngx_wschat_wire.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_id.h"
#include "route/ngx_wschat_api.h"
#include "session/ngx_wschat_session.h"
#include "ws/ngx_wschat_frame.h"


/*
 * A call's record: what (1), the caller's generation (4), number (8), id
 * (16), close code (2), lengths of the api's name (2) and the reason (2),
 * both, and the body to the end.
 *
 * An answer's: the caller's generation (4), number (8), result (1); to "find"
 * also connected (8), last_active (8), lengths of the address (2) and the
 * user agent (2), and both.
 */

#define NGX_WSCHAT_CALL_FIXED   (1 + 4 + 8 + NGX_WSCHAT_ID_LEN + 2 + 2 + 2)
#define NGX_WSCHAT_CALL_ANSWER  (4 + 8 + 1 + 8 + 8 + 2 + 2)

/* how often deadlines and workers are looked at, in ms */
#define NGX_WSCHAT_CALL_CHECK   250

/* more than a close frame holds, so that it is cut where that is done */
#define NGX_WSCHAT_CALL_REASON  256


/* results as they travel */

#define NGX_WSCHAT_CALL_OK      1
#define NGX_WSCHAT_CALL_GONE    2
#define NGX_WSCHAT_CALL_BUSY    3
#define NGX_WSCHAT_CALL_FAILED  4


/* what is asked of a session */

typedef struct {
    ngx_wschat_call_e        what;
    const u_char            *id;
    ngx_str_t                api;
    ngx_str_t                body;
    ngx_uint_t               code;
    ngx_str_t                reason;
} ngx_wschat_call_t;


/* a call that waits for its answer */

typedef struct {
    ngx_queue_t              queue;
    ngx_wschat_op_t         *op;          /* NULL: free */
    uint64_t                 number;
    ngx_msec_t               deadline;
    ngx_uint_t               slot;
    ngx_wschat_call_e        what;
    ngx_uint_t               missed;      /* its worker, at the last check */
} ngx_wschat_waiting_t;


static void ngx_wschat_call_prepare(ngx_wschat_call_t *call,
    ngx_wschat_op_t *op, ngx_wschat_call_e what);
static ngx_int_t ngx_wschat_call_session(ngx_wschat_call_t *call,
    ngx_wschat_peer_t *peer);
static ngx_int_t ngx_wschat_call_post(ngx_wschat_session_t *s,
    ngx_str_t *body);
static ngx_int_t ngx_wschat_call_peer(ngx_wschat_op_t *op,
    ngx_wschat_peer_t *peer);
static ngx_int_t ngx_wschat_call_send(ngx_uint_t slot, uint64_t number,
    ngx_wschat_call_t *call);
static void ngx_wschat_call_reply(ngx_uint_t slot, uint32_t generation,
    uint64_t number, ngx_int_t rc, ngx_wschat_peer_t *peer);
static ngx_wschat_waiting_t *ngx_wschat_call_wait(ngx_wschat_op_t *op,
    ngx_uint_t slot, ngx_wschat_call_e what);
static void ngx_wschat_call_forget(ngx_wschat_waiting_t *w);
static void ngx_wschat_call_done(ngx_wschat_waiting_t *w, ngx_int_t rc);
static void ngx_wschat_call_check(ngx_event_t *ev);
static void ngx_wschat_call_finish(ngx_queue_t *calls, ngx_int_t rc);


/*
 * The table of the calls that wait: a call's number is its place in the table
 * plus a multiple of the table's size, so that it is found at once, and no
 * number is used twice.
 */

static ngx_wschat_waiting_t  *ngx_wschat_waiting;
static ngx_uint_t             ngx_wschat_nwaiting;    /* places ever used */
static ngx_queue_t            ngx_wschat_waiting_free;
static ngx_queue_t            ngx_wschat_waiting_queue;

static ngx_event_t            ngx_wschat_call_timer;
static ngx_connection_t       ngx_wschat_call_dummy;


ngx_int_t
ngx_wschat_call_init_process(ngx_cycle_t *cycle)
{
    if (ngx_wschat_waiting != NULL) {
        return NGX_OK;
    }

    /* not of the cycle's pool: a lone process outlives its cycle */

    ngx_wschat_waiting = ngx_alloc(NGX_WSCHAT_CALL_MAX
                                   * sizeof(ngx_wschat_waiting_t),
                                   cycle->log);
    if (ngx_wschat_waiting == NULL) {
        return NGX_ERROR;
    }

    ngx_wschat_nwaiting = 0;
    ngx_queue_init(&ngx_wschat_waiting_free);
    ngx_queue_init(&ngx_wschat_waiting_queue);

    /*
     * The timer runs only while calls wait, and is not cancelable: a request
     * that waits has no timer of its own, and a worker that shuts down would
     * exit under it.
     */

    ngx_wschat_call_dummy.fd = (ngx_socket_t) -1;

    ngx_wschat_call_timer.handler = ngx_wschat_call_check;
    ngx_wschat_call_timer.data = &ngx_wschat_call_dummy;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_call(ngx_wschat_op_t *op, ngx_wschat_call_e what)
{
    ngx_int_t              rc;
    ngx_uint_t             slot;
    ngx_wschat_peer_t      peer;
    ngx_wschat_call_t      call;
    ngx_wschat_waiting_t  *w;

    slot = ngx_wschat_id_slot(op->id);

    ngx_wschat_call_prepare(&call, op, what);

    if (slot == ngx_wschat_bus_slot()) {
        rc = ngx_wschat_call_session(&call, &peer);

        if (rc == NGX_OK && what == NGX_WSCHAT_CALL_FIND) {
            return ngx_wschat_call_peer(op, &peer);
        }

        return rc;
    }

    if (slot >= NGX_WSCHAT_SLOTS
        || !(ngx_wschat_bus_live() & (uint64_t) 1 << slot))
    {
        return NGX_DECLINED;
    }

    w = ngx_wschat_call_wait(op, slot, what);
    if (w == NULL) {
        return NGX_BUSY;
    }

    if (ngx_wschat_call_send(slot, w->number, &call) != NGX_OK) {
        ngx_wschat_call_forget(w);
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_wschat_call_prepare(ngx_wschat_call_t *call, ngx_wschat_op_t *op,
    ngx_wschat_call_e what)
{
    ngx_memzero(call, sizeof(ngx_wschat_call_t));

    call->what = what;
    call->id = op->id;
    call->api = op->api->name;

    if (what == NGX_WSCHAT_CALL_POST) {
        call->body = op->message.body;
    }

    if (what == NGX_WSCHAT_CALL_CLOSE) {
        call->code = op->code;
        call->reason = op->reason;
        call->reason.len = ngx_min(op->reason.len, NGX_WSCHAT_CALL_REASON);
    }
}


/* The call is for this worker; "peer" is the result of "find". */

static ngx_int_t
ngx_wschat_call_session(ngx_wschat_call_t *call, ngx_wschat_peer_t *peer)
{
    ngx_wschat_session_t  *s;

    ngx_memzero(peer, sizeof(ngx_wschat_peer_t));

    s = ngx_wschat_session_find(call->id);

    if (s == NULL
        || s->api->name.len != call->api.len
        || ngx_strncmp(s->api->name.data, call->api.data, call->api.len) != 0)
    {
        return NGX_DECLINED;
    }

    switch (call->what) {

    case NGX_WSCHAT_CALL_POST:
        return ngx_wschat_call_post(s, &call->body);

    case NGX_WSCHAT_CALL_CLOSE:
        ngx_wschat_session_close(s, call->code, &call->reason);
        return NGX_OK;

    default: /* NGX_WSCHAT_CALL_FIND */
        ngx_wschat_session_peer(s, peer);
        return NGX_OK;
    }
}


static ngx_int_t
ngx_wschat_call_post(ngx_wschat_session_t *s, ngx_str_t *body)
{
    ngx_int_t            rc;
    ngx_wschat_frame_t  *frame;

    frame = ngx_wschat_frame_create(NGX_WSCHAT_OP_TEXT, body->data, body->len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_wschat_session_send(s, frame);

    ngx_wschat_frame_unref(frame);

    if (rc == NGX_ERROR) {

        /* the client went away, and we are the first to notice */

        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    /* what is posted counts as activity (spec section 6.1) */

    s->last_active = ngx_wschat_session_now();

    return NGX_OK;
}


/*
 * The result of "find".  A session does not keep its user agent: if the store
 * knew it, it has put it there.
 */

static ngx_int_t
ngx_wschat_call_peer(ngx_wschat_op_t *op, ngx_wschat_peer_t *peer)
{
    ngx_memcpy(op->peer.id, op->id, NGX_WSCHAT_ID_LEN);

    op->peer.connected = peer->connected;
    op->peer.last_active = peer->last_active;

    op->peer.ip.len = peer->ip.len;
    op->peer.ip.data = ngx_pnalloc(op->pool, peer->ip.len);
    if (op->peer.ip.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(op->peer.ip.data, peer->ip.data, peer->ip.len);

    if (peer->user_agent.len != 0) {
        op->peer.user_agent.len = peer->user_agent.len;
        op->peer.user_agent.data = ngx_pstrdup(op->pool, &peer->user_agent);
        if (op->peer.user_agent.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_call_send(ngx_uint_t slot, uint64_t number,
    ngx_wschat_call_t *call)
{
    u_char     *p;
    ngx_str_t   parts[4];
    u_char      head[NGX_WSCHAT_WIRE_HEAD + NGX_WSCHAT_CALL_FIXED];

    parts[1] = call->api;
    parts[2] = call->reason;
    parts[3] = call->body;

    p = ngx_wschat_wire_put_head(head, NGX_WSCHAT_WIRE_CALL);
    p = ngx_wschat_wire_put_u8(p, call->what);
    p = ngx_wschat_wire_put_u32(p, ngx_wschat_bus_generation());
    p = ngx_wschat_wire_put_u64(p, number);
    p = ngx_cpymem(p, call->id, NGX_WSCHAT_ID_LEN);
    p = ngx_wschat_wire_put_u16(p, call->code);
    p = ngx_wschat_wire_put_u16(p, parts[1].len);
    p = ngx_wschat_wire_put_u16(p, parts[2].len);

    parts[0].data = head;
    parts[0].len = p - head;

    return ngx_wschat_bus_send((uint64_t) 1 << slot, parts, 4);
}


void
ngx_wschat_call_record(ngx_uint_t from, u_char *data, size_t len)
{
    size_t              api_len, reason_len;
    uint32_t            generation;
    uint64_t            number;
    ngx_int_t           rc;
    ngx_wschat_wire_t   w;
    ngx_wschat_peer_t   peer;
    ngx_wschat_call_t   call;

    ngx_wschat_wire_init(&w, data, len);

    call.what = ngx_wschat_wire_get_u8(&w);
    generation = ngx_wschat_wire_get_u32(&w);
    number = ngx_wschat_wire_get_u64(&w);
    call.id = ngx_wschat_wire_get_bytes(&w, NGX_WSCHAT_ID_LEN);
    call.code = ngx_wschat_wire_get_u16(&w);
    api_len = ngx_wschat_wire_get_u16(&w);
    reason_len = ngx_wschat_wire_get_u16(&w);
    ngx_wschat_wire_get_str(&w, &call.api, api_len);
    ngx_wschat_wire_get_str(&w, &call.reason, reason_len);
    ngx_wschat_wire_get_rest(&w, &call.body);

    if (w.bad
        || call.what < NGX_WSCHAT_CALL_FIND
        || call.what > NGX_WSCHAT_CALL_CLOSE)
    {
        ngx_wschat_wire_ignored(from, "malformed call");
        return;
    }

    rc = ngx_wschat_call_session(&call, &peer);

    ngx_wschat_call_reply(from, generation, number, rc,
                          (rc == NGX_OK && call.what == NGX_WSCHAT_CALL_FIND)
                          ? &peer : NULL);
}


static void
ngx_wschat_call_reply(ngx_uint_t slot, uint32_t generation, uint64_t number,
    ngx_int_t rc, ngx_wschat_peer_t *peer)
{
    u_char      *p;
    ngx_str_t    parts[3];
    ngx_uint_t   result, n;
    u_char       head[NGX_WSCHAT_WIRE_HEAD + NGX_WSCHAT_CALL_ANSWER];

    switch (rc) {

    case NGX_OK:
        result = NGX_WSCHAT_CALL_OK;
        break;

    case NGX_DECLINED:
        result = NGX_WSCHAT_CALL_GONE;
        break;

    case NGX_BUSY:
        result = NGX_WSCHAT_CALL_BUSY;
        break;

    default: /* NGX_ERROR */
        result = NGX_WSCHAT_CALL_FAILED;
        break;
    }

    n = 1;

    p = ngx_wschat_wire_put_head(head, NGX_WSCHAT_WIRE_ANSWER);
    p = ngx_wschat_wire_put_u32(p, generation);
    p = ngx_wschat_wire_put_u64(p, number);
    p = ngx_wschat_wire_put_u8(p, result);

    if (peer != NULL) {
        parts[1] = peer->ip;
        parts[2] = peer->user_agent;

        p = ngx_wschat_wire_put_u64(p, peer->connected);
        p = ngx_wschat_wire_put_u64(p, peer->last_active);
        p = ngx_wschat_wire_put_u16(p, parts[1].len);
        p = ngx_wschat_wire_put_u16(p, parts[2].len);

        n = 3;
    }

    parts[0].data = head;
    parts[0].len = p - head;

    if (ngx_wschat_bus_send((uint64_t) 1 << slot, parts, n) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "wschat: no answer to the call of worker slot %ui: "
                      "no memory", slot);
    }
}


void
ngx_wschat_call_answer(ngx_uint_t from, u_char *data, size_t len)
{
    size_t                 ip_len, ua_len;
    uint32_t               generation;
    uint64_t               number;
    ngx_int_t              rc;
    ngx_uint_t             result, place;
    ngx_wschat_wire_t      w;
    ngx_wschat_peer_t      peer;
    ngx_wschat_waiting_t  *waiting;

    ngx_wschat_wire_init(&w, data, len);

    generation = ngx_wschat_wire_get_u32(&w);
    number = ngx_wschat_wire_get_u64(&w);
    result = ngx_wschat_wire_get_u8(&w);

    if (w.bad) {
        goto malformed;
    }

    place = (ngx_uint_t) (number % NGX_WSCHAT_CALL_MAX);

    if (generation != ngx_wschat_bus_generation()
        || place >= ngx_wschat_nwaiting)
    {
        /* the call of this slot's former worker */
        return;
    }

    waiting = &ngx_wschat_waiting[place];

    if (waiting->op == NULL
        || waiting->number != number
        || waiting->slot != from)
    {
        /* too late */
        return;
    }

    switch (result) {

    case NGX_WSCHAT_CALL_OK:
        rc = NGX_OK;
        break;

    case NGX_WSCHAT_CALL_GONE:
        rc = NGX_DECLINED;
        break;

    case NGX_WSCHAT_CALL_BUSY:
        rc = NGX_BUSY;
        break;

    case NGX_WSCHAT_CALL_FAILED:
        rc = NGX_ERROR;
        break;

    default:
        goto malformed;
    }

    if (rc == NGX_OK && waiting->what == NGX_WSCHAT_CALL_FIND) {

        peer.connected = ngx_wschat_wire_get_u64(&w);
        peer.last_active = ngx_wschat_wire_get_u64(&w);
        ip_len = ngx_wschat_wire_get_u16(&w);
        ua_len = ngx_wschat_wire_get_u16(&w);
        ngx_wschat_wire_get_str(&w, &peer.ip, ip_len);
        ngx_wschat_wire_get_str(&w, &peer.user_agent, ua_len);

        if (w.bad) {
            goto malformed;
        }

        rc = ngx_wschat_call_peer(waiting->op, &peer);
    }

    ngx_wschat_call_done(waiting, rc);
    return;

malformed:

    ngx_wschat_wire_ignored(from, "malformed answer");
}


void
ngx_wschat_call_dead(ngx_uint_t slot)
{
    ngx_queue_t            gone, *q, *next;
    ngx_wschat_waiting_t  *w;

    if (ngx_wschat_waiting == NULL) {
        return;
    }

    ngx_queue_init(&gone);

    for (q = ngx_queue_head(&ngx_wschat_waiting_queue);
         q != ngx_queue_sentinel(&ngx_wschat_waiting_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_wschat_waiting_t, queue);

        if (w->slot == slot) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&gone, q);
        }
    }

    ngx_wschat_call_finish(&gone, NGX_DECLINED);
}


/* NULL: the table is full. */

static ngx_wschat_waiting_t *
ngx_wschat_call_wait(ngx_wschat_op_t *op, ngx_uint_t slot,
    ngx_wschat_call_e what)
{
    ngx_queue_t           *q;
    ngx_wschat_waiting_t  *w;

    if (!ngx_queue_empty(&ngx_wschat_waiting_free)) {
        q = ngx_queue_head(&ngx_wschat_waiting_free);
        ngx_queue_remove(q);

        w = ngx_queue_data(q, ngx_wschat_waiting_t, queue);
        w->number += NGX_WSCHAT_CALL_MAX;

    } else if (ngx_wschat_nwaiting < NGX_WSCHAT_CALL_MAX) {
        w = &ngx_wschat_waiting[ngx_wschat_nwaiting];
        w->number = ngx_wschat_nwaiting++;

    } else {
        ngx_log_error(NGX_LOG_WARN, op->log, 0,
                      "wschat: %d calls to other workers are waiting, "
                      "no more are made", NGX_WSCHAT_CALL_MAX);
        return NULL;
    }

    w->op = op;
    w->slot = slot;
    w->what = what;
    w->missed = 0;
    w->deadline = ngx_current_msec + NGX_WSCHAT_CALL_TIMEOUT;

    ngx_queue_insert_tail(&ngx_wschat_waiting_queue, &w->queue);

    if (!ngx_wschat_call_timer.timer_set) {
        ngx_wschat_call_timer.log = ngx_cycle->log;
        ngx_add_timer(&ngx_wschat_call_timer, NGX_WSCHAT_CALL_CHECK);
    }

    return w;
}


static void
ngx_wschat_call_forget(ngx_wschat_waiting_t *w)
{
    w->op = NULL;

    ngx_queue_remove(&w->queue);
    ngx_queue_insert_head(&ngx_wschat_waiting_free, &w->queue);

    if (ngx_queue_empty(&ngx_wschat_waiting_queue)
        && ngx_wschat_call_timer.timer_set)
    {
        ngx_del_timer(&ngx_wschat_call_timer);
    }
}


static void
ngx_wschat_call_done(ngx_wschat_waiting_t *w, ngx_int_t rc)
{
    ngx_wschat_op_t  *op;

    op = w->op;

    ngx_wschat_call_forget(w);

    op->rc = rc;
    op->handler(op);
}


/*
 * Runs while calls wait.  Only one worker is told that another one is dead,
 * so the others look: who waits for a worker that is not there twice in a row
 * waits in vain.  Once is not enough: its last answer may still be on the bus.
 */

static void
ngx_wschat_call_check(ngx_event_t *ev)
{
    uint64_t               live;
    ngx_queue_t            late, gone, *q, *next;
    ngx_wschat_waiting_t  *w;

    ngx_queue_init(&late);
    ngx_queue_init(&gone);

    live = ngx_wschat_bus_live();

    for (q = ngx_queue_head(&ngx_wschat_waiting_queue);
         q != ngx_queue_sentinel(&ngx_wschat_waiting_queue);
         q = next)
    {
        next = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_wschat_waiting_t, queue);

        if ((ngx_msec_int_t) (w->deadline - ngx_current_msec) <= 0) {

            ngx_log_error(NGX_LOG_ERR, w->op->log, 0,
                          "wschat: worker slot %ui did not answer in %d ms",
                          w->slot, NGX_WSCHAT_CALL_TIMEOUT);

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&late, q);

        } else if (live & (uint64_t) 1 << w->slot) {
            w->missed = 0;

        } else if (!w->missed) {
            w->missed = 1;

        } else {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&gone, q);
        }
    }

    if (!ngx_queue_empty(&ngx_wschat_waiting_queue)) {
        ngx_add_timer(ev, NGX_WSCHAT_CALL_CHECK);
    }

    ngx_wschat_call_finish(&late, NGX_ERROR);
    ngx_wschat_call_finish(&gone, NGX_DECLINED);
}


/*
 * The calls have been taken from the others: handlers may call again, which
 * changes the queue of those that wait.
 */

static void
ngx_wschat_call_finish(ngx_queue_t *calls, ngx_int_t rc)
{
    ngx_queue_t           *q;
    ngx_wschat_waiting_t  *w;

    while (!ngx_queue_empty(calls)) {
        q = ngx_queue_head(calls);
        w = ngx_queue_data(q, ngx_wschat_waiting_t, queue);

        ngx_wschat_call_done(w, rc);
    }
}
