
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "ngx_wschat_session.h"
#include "ngx_wschat_out.h"
#include "ngx_wschat_drain.h"
#include "ngx_wschat_log.h"
#include "ngx_wschat_wheel.h"
#include "ngx_wschat_id.h"
#include "route/ngx_wschat_api.h"
#include "ws/ngx_wschat_frame.h"
#include "ws/ngx_wschat_utf8.h"


#define NGX_WSCHAT_RECV_SIZE  65536
#define NGX_WSCHAT_BUDGET     64          /* reads and messages in one go */


/* input that has come in part; a session between two messages has none */

struct ngx_wschat_in_s {
    ngx_wschat_reader_t   reader;

    u_char               *data;           /* the message so far */
    size_t                len;
    size_t                size;

    u_char               *start;          /* bytes not yet looked at */
    u_char               *pos;
    u_char               *last;

    uint32_t              since;
    ngx_uint_t            reason_len;
    u_char                reason[NGX_WSCHAT_CONTROL_MAX];
};


static void ngx_wschat_session_read(ngx_event_t *rev);
static void ngx_wschat_session_write(ngx_event_t *wev);
static void ngx_wschat_session_flush(ngx_wschat_session_t *s);
static ngx_int_t ngx_wschat_session_input(ngx_wschat_session_t *s,
    u_char *pos, u_char *last, ngx_uint_t *budget);
static ngx_int_t ngx_wschat_session_data(ngx_wschat_session_t *s,
    ngx_wschat_event_t *ev);
static ngx_int_t ngx_wschat_session_part(ngx_wschat_session_t *s,
    ngx_wschat_event_t *ev);
static ngx_int_t ngx_wschat_session_message(ngx_wschat_session_t *s,
    u_char *data, size_t len, ngx_uint_t opcode);
static void ngx_wschat_session_peer_close(ngx_wschat_session_t *s,
    ngx_wschat_event_t *ev);
static ngx_int_t ngx_wschat_session_keep(ngx_wschat_session_t *s, u_char *pos,
    u_char *last);
static ngx_wschat_in_t *ngx_wschat_session_in(ngx_wschat_session_t *s);
static void ngx_wschat_session_idle(ngx_wschat_session_t *s);
static void ngx_wschat_session_in_free(ngx_wschat_session_t *s);
static ngx_int_t ngx_wschat_session_control(ngx_wschat_session_t *s,
    ngx_uint_t opcode, u_char *data, size_t len);
static void ngx_wschat_session_end(ngx_wschat_session_t *s);
static void ngx_wschat_session_timer(ngx_wschat_session_t *s);
static ngx_int_t ngx_wschat_session_overdue(ngx_wschat_session_t *s,
    ngx_msec_t *next);


static ngx_wschat_session_handlers_t  *ngx_wschat_session_handlers;
static ngx_uint_t                      ngx_wschat_session_n;

/* one buffer for all: a session's bytes are in it only while it is read */

static u_char                          ngx_wschat_recv[NGX_WSCHAT_RECV_SIZE];

/* the reader of all sessions that are between two messages */

static ngx_wschat_reader_t             ngx_wschat_reader;

static ngx_str_t  ngx_wschat_going_away = ngx_string("Going away");
static ngx_str_t  ngx_wschat_no_binary = ngx_string("Binary is not supported");
static ngx_str_t  ngx_wschat_no_text = ngx_string("Message is not UTF-8");
static ngx_str_t  ngx_wschat_too_slow =
                      ngx_string("Too many messages are waiting");
static ngx_str_t  ngx_wschat_internal = ngx_string("Internal server error");


ngx_int_t
ngx_wschat_session_init_process(ngx_cycle_t *cycle,
    ngx_wschat_session_handlers_t *handlers)
{
    ngx_wschat_session_handlers = handlers;

    ngx_wschat_wheel_init_process(cycle, ngx_wschat_session_timer);

    return NGX_OK;
}


ngx_wschat_session_t *
ngx_wschat_session_create(ngx_connection_t *c, ngx_wschat_api_t *api,
    ngx_uint_t node, ngx_uint_t slot)
{
    ngx_uint_t             apart;
    ngx_wschat_session_t  *s;

    /* a pool that is full would take another 512 bytes */

    apart = ((size_t) (c->pool->d.end - c->pool->d.last)
             < sizeof(ngx_wschat_session_t));

    if (apart) {
        s = ngx_calloc(sizeof(ngx_wschat_session_t), c->log);

    } else {
        s = ngx_pcalloc(c->pool, sizeof(ngx_wschat_session_t));
    }

    if (s == NULL) {
        return NULL;
    }

    s->apart = apart;

    if (ngx_wschat_id_create(s->id, node, slot, c - ngx_cycle->connections)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_errno,
                      "wschat: no random bytes for a connection id");

        ngx_wschat_session_discard(s);
        return NULL;
    }

    s->connection = c;
    s->api = api;
    /* not that of the TCP connection, which may have had requests before */

    c->start_time = ngx_current_msec;

    s->connected = ngx_wschat_now();
    s->last_active = ngx_wschat_session_now();
    s->last_read = s->last_active;
    s->close_code = NGX_WSCHAT_CLOSE_ABNORMAL;

    return s;
}


void
ngx_wschat_session_open(ngx_wschat_session_t *s, ngx_str_t *rest)
{
    ngx_uint_t         budget;
    ngx_connection_t  *c;

    c = s->connection;

    c->data = s;
    c->read->handler = ngx_wschat_session_read;
    c->write->handler = ngx_wschat_session_write;

    c->log->handler = ngx_wschat_session_log_error;
    c->log->data = s;
    c->log->action = "reading from WebSocket client";

    s->state = NGX_WSCHAT_OPEN;
    ngx_wschat_session_n++;

    /* $connect may have taken long: the session's time begins now */

    s->last_active = ngx_wschat_session_now();
    s->last_read = s->last_active;

    if (ngx_exiting) {
        s->drain = 1;
        ngx_wschat_drain_keep();
    }

    ngx_wschat_wheel_set(s, 0);

    if (s->out) {
        s->out->since = s->last_active;
        ngx_post_event(c->write, &ngx_posted_events);
    }

    if (rest->len) {
        s->bytes_in += rest->len;

        budget = NGX_WSCHAT_BUDGET;

        if (ngx_wschat_session_input(s, rest->data, rest->data + rest->len,
                                     &budget)
            != NGX_OK)
        {
            ngx_wschat_session_end(s);
            return;
        }
    }

    /* more may have come, and be in OpenSSL's hands */

    ngx_wschat_session_read(c->read);
}


void
ngx_wschat_session_discard(ngx_wschat_session_t *s)
{
    ngx_wschat_out_free(s);

    if (s->apart) {
        ngx_free(s);
    }
}


void
ngx_wschat_session_resume(ngx_wschat_session_t *s)
{
    if (s->in && s->state == NGX_WSCHAT_OPEN) {

        /* the client has waited for us */

        s->in->since = ngx_wschat_session_now();
    }

    ngx_post_event(s->connection->read, &ngx_posted_events);
}


static void
ngx_wschat_session_read(ngx_event_t *rev)
{
    u_char                *start;
    ssize_t                n;
    ngx_uint_t             budget;
    ngx_wschat_in_t       *in;
    ngx_connection_t      *c;
    ngx_wschat_session_t  *s;

    c = rev->data;
    s = c->data;

    if (c->close) {

        /* worker_shutdown_timeout has passed */

        ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_GOING_AWAY,
                                 &ngx_wschat_going_away);
        s->finished = 1;
        ngx_wschat_session_flush(s);
        return;
    }

    c->log->action = "reading from WebSocket client";

    budget = NGX_WSCHAT_BUDGET;

    in = s->in;

    if (in && in->start && s->run == NULL) {
        start = in->start;
        in->start = NULL;

        if (ngx_wschat_session_input(s, in->pos, in->last, &budget)
            != NGX_OK)
        {
            ngx_free(start);
            goto failed;
        }

        ngx_free(start);
    }

    for ( ;; ) {

        if (s->run) {

            /* the message before is not done with yet: the client waits */

            break;
        }

        if (budget == 0) {

            /* it is the turn of others; bytes already read may be left */

            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        n = c->recv(c, ngx_wschat_recv, NGX_WSCHAT_RECV_SIZE);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0) {

            /* the client may still read what it has asked for */

            (void) ngx_wschat_out_flush(s);
            goto failed;
        }

        if (n == NGX_ERROR) {
            goto failed;
        }

        budget--;

        s->bytes_in += n;
        s->last_read = ngx_wschat_session_now();
        s->pinged = 0;

        if (ngx_wschat_session_input(s, ngx_wschat_recv, ngx_wschat_recv + n,
                                     &budget)
            != NGX_OK)
        {
            goto failed;
        }

        if (s->finished || (!rev->ready && budget)) {

            /* a session that has finished ends when all is written */

            break;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        goto failed;
    }

    return;

failed:

    ngx_wschat_session_end(s);
}


/*
 * Works on the bytes from pos to last.  What can not be worked on now, because
 * a message has to wait or because it is the turn of others, is kept.
 */

static ngx_int_t
ngx_wschat_session_input(ngx_wschat_session_t *s, u_char *pos, u_char *last,
    ngx_uint_t *budget)
{
    int                   rc;
    ngx_int_t             n;
    ngx_str_t             reason;
    ngx_wschat_api_t     *api;
    ngx_wschat_event_t    ev;
    ngx_wschat_limits_t   limits;
    ngx_wschat_reader_t  *reader;

    api = s->api;

    limits.max_frame = api->max_frame;
    limits.max_message = api->max_message;

    for ( ;; ) {

        if (s->deaf) {
            return NGX_OK;
        }

        if (s->run || *budget == 0) {
            return ngx_wschat_session_keep(s, pos, last);
        }

        reader = s->in ? &s->in->reader : &ngx_wschat_reader;

        rc = ngx_wschat_read(reader, &limits, &pos, last, &ev);

        switch (rc) {

        case NGX_WSCHAT_READ_DATA:
            (*budget)--;

            n = ngx_wschat_session_data(s, &ev);

            if (n != NGX_OK) {
                return n;
            }

            break;

        case NGX_WSCHAT_READ_PING:
            (*budget)--;

            if (api->ping_is_activity) {
                s->last_active = ngx_wschat_session_now();
            }

            if (ngx_wschat_session_control(s, NGX_WSCHAT_OP_PONG, ev.data,
                                           ev.len)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            break;

        case NGX_WSCHAT_READ_PONG:
            (*budget)--;

            if (api->ping_is_activity) {
                s->last_active = ngx_wschat_session_now();
            }

            break;

        case NGX_WSCHAT_READ_CLOSE:
            ngx_wschat_session_peer_close(s, &ev);
            break;

        case NGX_WSCHAT_READ_ERROR:
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "client broke the WebSocket protocol: %s",
                          ev.reason);

            reason.data = (u_char *) ev.reason;
            reason.len = ngx_strlen(ev.reason);

            s->deaf = 1;

            if (s->state == NGX_WSCHAT_CLOSING) {

                /* that was no answer to our close frame: RFC 6455 7.1.7 */

                s->finished = 1;
                ngx_post_event(s->connection->write, &ngx_posted_events);
                break;
            }

            ngx_wschat_session_close(s, ev.code, &reason);
            break;

        default: /* NGX_WSCHAT_READ_AGAIN */

            if (s->in == NULL) {

                if (ngx_wschat_reader_idle(&ngx_wschat_reader)) {
                    return NGX_OK;
                }

                if (ngx_wschat_session_in(s) == NULL) {
                    return NGX_ERROR;
                }

            } else {
                ngx_wschat_session_idle(s);
            }

            return NGX_OK;
        }

        if (reader == &ngx_wschat_reader
            && !ngx_wschat_reader_idle(&ngx_wschat_reader)
            && s->in == NULL)
        {
            /* a fragment: the reader's state becomes the session's own */

            if (ngx_wschat_session_in(s) == NULL) {
                return NGX_ERROR;
            }
        }
    }
}


static ngx_int_t
ngx_wschat_session_data(ngx_wschat_session_t *s, ngx_wschat_event_t *ev)
{
    u_char           *data;
    ngx_int_t         rc;
    ngx_wschat_in_t  *in;

    if (s->state != NGX_WSCHAT_OPEN) {

        /* it was on its way when we began to close */

        return NGX_OK;
    }

    s->last_active = ngx_wschat_session_now();

    if (ev->opcode == NGX_WSCHAT_OP_BINARY
        && s->api->binary == NGX_WSCHAT_BINARY_OFF)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent a binary message");

        ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_UNSUPPORTED,
                                 &ngx_wschat_no_binary);
        return NGX_OK;
    }

    if (ev->first && ev->last) {
        return ngx_wschat_session_message(s, ev->data, ev->len, ev->opcode);
    }

    if (ngx_wschat_session_part(s, ev) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ev->last) {
        return NGX_OK;
    }

    in = s->in;
    data = in->data;
    in->data = NULL;

    rc = ngx_wschat_session_message(s, data, in->len, ev->opcode);

    ngx_free(data);

    return rc;
}


/* appends a piece to the message; the reader has checked the limits */

static ngx_int_t
ngx_wschat_session_part(ngx_wschat_session_t *s, ngx_wschat_event_t *ev)
{
    u_char           *data;
    size_t            size;
    ngx_wschat_in_t  *in;

    in = s->in;

    if (in == NULL) {
        in = ngx_wschat_session_in(s);
        if (in == NULL) {
            return NGX_ERROR;
        }
    }

    if (ev->first) {
        in->len = 0;
        in->size = 0;
        in->since = ngx_wschat_session_now();

        ngx_wschat_wheel_sooner(s, s->api->read_timeout);
    }

    size = in->len + (size_t) ev->expect;

    if (in->data == NULL || size > in->size) {

        /* many small fragments do not copy the message each time */

        size = ngx_max(size, ngx_min(in->size * 2, s->api->max_message));

        data = ngx_alloc(size ? size : 1, s->connection->log);
        if (data == NULL) {
            return NGX_ERROR;
        }

        if (in->data) {
            ngx_memcpy(data, in->data, in->len);
            ngx_free(in->data);
        }

        in->data = data;
        in->size = size;
    }

    if (ev->len) {
        ngx_memcpy(in->data + in->len, ev->data, ev->len);
        in->len += ev->len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_session_message(ngx_wschat_session_t *s, u_char *data, size_t len,
    ngx_uint_t opcode)
{
    uint32_t   state;
    ngx_int_t  rc;

    state = 0;

    if (opcode == NGX_WSCHAT_OP_BINARY
        && (ngx_wschat_utf8(&state, data, len) != 0 || state != 0))
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client sent a binary message that is not text");

        ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_BAD_DATA,
                                 &ngx_wschat_no_text);
        return NGX_OK;
    }

    if (s->in) {

        /* whatever comes next has read_timeout of its own */

        s->in->since = ngx_wschat_session_now();
    }

    s->messages_in++;

    rc = ngx_wschat_session_handlers->message(s, data, len);

    if (rc == NGX_ERROR) {
        ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_INTERNAL,
                                 &ngx_wschat_internal);
    }

    return NGX_OK;
}


/* RFC 6455 5.5.1: the close frame is answered with its own code */

static void
ngx_wschat_session_peer_close(ngx_wschat_session_t *s, ngx_wschat_event_t *ev)
{
    ngx_str_t  reason;

    s->deaf = 1;

    if (s->state == NGX_WSCHAT_OPEN) {
        reason.data = ev->data;
        reason.len = ev->len;

        ngx_wschat_session_close(s, ev->code, &reason);
    }

    s->finished = 1;

    ngx_post_event(s->connection->write, &ngx_posted_events);
}


static ngx_int_t
ngx_wschat_session_keep(ngx_wschat_session_t *s, u_char *pos, u_char *last)
{
    ngx_wschat_in_t  *in;

    if (pos == last) {
        ngx_wschat_session_idle(s);
        return NGX_OK;
    }

    in = s->in;

    if (in == NULL) {
        in = ngx_wschat_session_in(s);
        if (in == NULL) {
            return NGX_ERROR;
        }
    }

    in->start = ngx_alloc(last - pos, s->connection->log);
    if (in->start == NULL) {
        return NGX_ERROR;
    }

    in->pos = in->start;
    in->last = ngx_cpymem(in->start, pos, last - pos);

    return NGX_OK;
}


/* the shared reader's state, if it is in the middle, becomes the session's */

static ngx_wschat_in_t *
ngx_wschat_session_in(ngx_wschat_session_t *s)
{
    ngx_wschat_in_t  *in;

    in = ngx_alloc(sizeof(ngx_wschat_in_t), s->connection->log);

    if (in) {
        in->reader = ngx_wschat_reader;
        in->data = NULL;
        in->len = 0;
        in->size = 0;
        in->start = NULL;
        in->reason_len = 0;
        in->since = ngx_wschat_session_now();

        ngx_wschat_wheel_sooner(s, s->api->read_timeout);
    }

    ngx_memzero(&ngx_wschat_reader, sizeof(ngx_wschat_reader_t));

    s->in = in;

    return in;
}


/* between two messages a session has no input in part */

static void
ngx_wschat_session_idle(ngx_wschat_session_t *s)
{
    ngx_wschat_in_t  *in;

    in = s->in;

    if (in && in->data == NULL && in->start == NULL
        && s->state == NGX_WSCHAT_OPEN
        && ngx_wschat_reader_idle(&in->reader))
    {
        ngx_wschat_session_in_free(s);
    }
}


static void
ngx_wschat_session_in_free(ngx_wschat_session_t *s)
{
    ngx_wschat_in_t  *in;

    in = s->in;

    if (in == NULL) {
        return;
    }

    if (in->data) {
        ngx_free(in->data);
    }

    if (in->start) {
        ngx_free(in->start);
    }

    ngx_free(in);
    s->in = NULL;
}


ngx_int_t
ngx_wschat_session_send(ngx_wschat_session_t *s, ngx_wschat_frame_t *frame)
{
    size_t  limit;

    if (s->state > NGX_WSCHAT_OPEN) {
        return NGX_ERROR;
    }

    limit = frame->ephemeral ? s->api->send_queue / 2 : s->api->send_queue;

    if (s->out && s->out->bytes + frame->len > limit
        && s->state == NGX_WSCHAT_OPEN && s->connection->write->ready)
    {
        /* perhaps we are fast, and not the client slow */

        if (ngx_wschat_out_flush(s) == NGX_ERROR) {
            s->state = NGX_WSCHAT_CLOSED;
            ngx_post_event(s->connection->write, &ngx_posted_events);
            return NGX_ERROR;
        }
    }

    if (s->out && s->out->n && s->out->bytes + frame->len > limit) {

        if (frame->ephemeral) {
            return NGX_DECLINED;
        }

        if (s->state == NGX_WSCHAT_OPEN) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "client is too slow: %uz bytes are waiting",
                          s->out->bytes);

            ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_POLICY,
                                     &ngx_wschat_too_slow);
            return NGX_BUSY;
        }
    }

    if (ngx_wschat_out_push(s, frame) != NGX_OK) {
        s->state = NGX_WSCHAT_CLOSED;
        ngx_post_event(s->connection->write, &ngx_posted_events);
        return NGX_ERROR;
    }

    s->messages_out++;
    s->last_active = ngx_wschat_session_now();

    if (s->state == NGX_WSCHAT_OPEN && s->connection->write->ready) {
        ngx_post_event(s->connection->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/* a control frame does not count against the queue's limit */

static ngx_int_t
ngx_wschat_session_control(ngx_wschat_session_t *s, ngx_uint_t opcode,
    u_char *data, size_t len)
{
    ngx_int_t            rc;
    ngx_wschat_frame_t  *frame;

    frame = ngx_wschat_frame_create(opcode, data, len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    if (opcode == NGX_WSCHAT_OP_PONG && s->out
        && s->out->bytes > s->api->send_queue / 2)
    {
        /* of many pings the last needs an answer: RFC 6455 5.5.3 */

        rc = ngx_wschat_out_replace(s, frame);

    } else {
        rc = ngx_wschat_out_push(s, frame);
    }

    ngx_wschat_frame_unref(frame);

    if (rc == NGX_OK && s->connection->write->ready) {
        ngx_post_event(s->connection->write, &ngx_posted_events);
    }

    return rc;
}


void
ngx_wschat_session_close(ngx_wschat_session_t *s, ngx_uint_t code,
    ngx_str_t *reason)
{
    u_char            payload[NGX_WSCHAT_CONTROL_MAX];
    size_t            len;
    ngx_wschat_in_t  *in;

    if (s->state != NGX_WSCHAT_OPEN) {
        return;
    }

    s->state = NGX_WSCHAT_CLOSING;
    s->close_code = code;

    len = ngx_min(reason->len, NGX_WSCHAT_CONTROL_MAX - 2);

    /* not in the middle of a character */

    if (len < reason->len) {
        while (len && (reason->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    in = s->in ? s->in : ngx_wschat_session_in(s);

    if (in) {
        in->reason_len = len;

        if (len) {
            ngx_memcpy(in->reason, reason->data, len);
        }
    }

    payload[0] = (u_char) (code >> 8);
    payload[1] = (u_char) code;

    if (len) {
        ngx_memcpy(payload + 2, reason->data, len);
    }

    len += 2;

    if (code == NGX_WSCHAT_CLOSE_NO_STATUS) {
        len = 0;
    }

    if (in == NULL
        || ngx_wschat_session_control(s, NGX_WSCHAT_OP_CLOSE, payload, len)
           != NGX_OK)
    {
        s->state = NGX_WSCHAT_CLOSED;
        ngx_post_event(s->connection->write, &ngx_posted_events);
        return;
    }

    ngx_wschat_wheel_sooner(s, s->api->close_timeout);
    in->since = ngx_wschat_session_now();
}


void
ngx_wschat_session_peer(ngx_wschat_session_t *s, ngx_wschat_peer_t *peer)
{
    ngx_memcpy(peer->id, s->id, NGX_WSCHAT_ID_LEN);

    peer->connected = s->connected;
    peer->last_active = s->connected
                        + (uint32_t) (s->last_active
                                      - (uint32_t) s->connection->start_time);
    peer->ip = s->connection->addr_text;

    ngx_wschat_log_user_agent(s, &peer->user_agent);
}


ngx_wschat_session_t *
ngx_wschat_session_find(const u_char *id)
{
    ngx_uint_t             index;
    ngx_connection_t      *c;
    ngx_wschat_session_t  *s;

    index = ngx_wschat_id_index(id);

    if (index >= ngx_cycle->connection_n) {
        return NULL;
    }

    c = &ngx_cycle->connections[index];

    if (c->fd == (ngx_socket_t) -1
        || c->read->handler != ngx_wschat_session_read)
    {
        return NULL;
    }

    s = c->data;

    if (ngx_memcmp(s->id, id, NGX_WSCHAT_ID_LEN) != 0
        || s->state != NGX_WSCHAT_OPEN)
    {
        return NULL;
    }

    return s;
}


ngx_wschat_session_t *
ngx_wschat_session_next(ngx_uint_t *at)
{
    ngx_connection_t      *c;
    ngx_wschat_session_t  *s;

    while (*at < ngx_cycle->connection_n) {
        c = &ngx_cycle->connections[(*at)++];

        if (c->fd == (ngx_socket_t) -1 || c->read == NULL
            || c->read->handler != ngx_wschat_session_read)
        {
            continue;
        }

        s = c->data;

        if (s->state == NGX_WSCHAT_OPEN) {
            return s;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_wschat_session_count(void)
{
    return ngx_wschat_session_n;
}


static void
ngx_wschat_session_write(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    c->log->action = "writing to WebSocket client";

    ngx_wschat_session_flush(c->data);
}


/* after the call the session may be gone */

static void
ngx_wschat_session_flush(ngx_wschat_session_t *s)
{
    ngx_int_t  rc;

    if (s->state == NGX_WSCHAT_CLOSED) {
        ngx_wschat_session_end(s);
        return;
    }

    rc = ngx_wschat_out_flush(s);

    if (rc == NGX_ERROR || (s->finished && rc == NGX_OK)
        || (s->connection->close && s->finished))
    {
        ngx_wschat_session_end(s);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_wschat_wheel_sooner(s, s->api->send_timeout);
        return;
    }

    if (s->deaf && !s->half_closed) {

        /*
         * the client is told that we are done; what it has sent meanwhile is
         * read, as closing now could make it lose the close frame
         */

        s->half_closed = 1;

#if (NGX_SSL)

        if (s->connection->ssl) {
            ngx_wschat_session_end(s);
            return;
        }

#endif

        if (ngx_shutdown_socket(s->connection->fd, NGX_WRITE_SHUTDOWN) == -1) {
            ngx_connection_error(s->connection, ngx_socket_errno,
                                 ngx_shutdown_socket_n " failed");
            ngx_wschat_session_end(s);
        }
    }
}


static void
ngx_wschat_session_end(ngx_wschat_session_t *s)
{
    ngx_wschat_end_t   end;
    ngx_connection_t  *c;

    c = s->connection;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "wschat session end: %ui", (ngx_uint_t) s->close_code);

    s->state = NGX_WSCHAT_CLOSED;
    ngx_wschat_session_n--;

    ngx_wschat_wheel_remove(s);

    end.code = s->close_code;

    switch (s->close_code) {

    case NGX_WSCHAT_CLOSE_ABNORMAL:
        ngx_str_set(&end.reason, "Connection closed abnormally");
        break;

    case NGX_WSCHAT_CLOSE_NO_STATUS:
        ngx_str_set(&end.reason, "Client-side close frame status not set");
        break;

    default:
        ngx_str_null(&end.reason);

        if (s->in) {
            end.reason.data = s->in->reason;
            end.reason.len = s->in->reason_len;
        }
    }

    ngx_wschat_log_end(s, &end);

    ngx_wschat_session_handlers->ended(s, &end);

    ngx_wschat_out_free(s);
    ngx_wschat_session_in_free(s);
    ngx_wschat_log_client_free(s);

    /* from here on log lines have no session to tell about */

    c->log->handler = NULL;

    if (s->apart) {
        ngx_free(s);
    }

    ngx_http_close_connection(c);
}


static void
ngx_wschat_session_timer(ngx_wschat_session_t *s)
{
    ngx_msec_t  next;

    next = 3600 * 1000;

    if (ngx_wschat_session_overdue(s, &next) != NGX_OK) {
        ngx_wschat_session_end(s);
        return;
    }

    ngx_wschat_wheel_set(s, next);
}


#define ngx_wschat_session_due(timeout, since)                               \
    ngx_wschat_session_left(timeout, now - (since), next)

/* whether the time is over; if not, next is no later than its end */

static ngx_inline ngx_uint_t
ngx_wschat_session_left(ngx_msec_t timeout, uint32_t passed, ngx_msec_t *next)
{
    if (timeout == 0) {
        return 0;
    }

    if (passed >= timeout) {
        return 1;
    }

    *next = ngx_min(*next, timeout - passed);

    return 0;
}


/* NGX_ERROR: the session has to end at once */

static ngx_int_t
ngx_wschat_session_overdue(ngx_wschat_session_t *s, ngx_msec_t *next)
{
    uint32_t           now;
    ngx_wschat_api_t  *api;

    api = s->api;
    now = ngx_wschat_session_now();

    if (s->out && s->out->n
        && ngx_wschat_session_due(api->send_timeout, s->out->since))
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client does not read: nothing was written for %M ms",
                      api->send_timeout);
        return NGX_ERROR;
    }

    if (s->state == NGX_WSCHAT_CLOSING) {
        return ngx_wschat_session_due(api->close_timeout, s->in->since)
               ? NGX_ERROR : NGX_OK;
    }

    if (s->drain
        || ngx_wschat_session_due(api->max_duration,
                                  (uint32_t) s->connection->start_time)
        || ngx_wschat_session_due(api->idle_timeout, s->last_active))
    {
        ngx_wschat_session_close(s, NGX_WSCHAT_CLOSE_GOING_AWAY,
                                 &ngx_wschat_going_away);
        *next = ngx_min(*next, api->close_timeout);
        return NGX_OK;
    }

    if (s->run) {

        /* the rest is for a client that is listened to: look again soon */

        *next = ngx_min(*next, 1000);
        return NGX_OK;
    }

    if (s->in && s->in->start == NULL
        && ngx_wschat_session_due(api->read_timeout, s->in->since))
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "client did not complete a message in %M ms",
                      api->read_timeout);
        return NGX_ERROR;
    }

    if (s->pinged) {

        if (ngx_wschat_session_due(api->pong_timeout, s->last_read)) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "client did not answer a ping in %M ms",
                          api->pong_timeout);
            return NGX_ERROR;
        }

    } else if (ngx_wschat_session_due(api->ping_interval, s->last_read)) {

        if (ngx_wschat_session_control(s, NGX_WSCHAT_OP_PING, NULL, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* from here on it is the answer that is waited for */

        s->pinged = 1;
        s->last_read = now;

        *next = ngx_min(*next, ngx_min(api->pong_timeout,
                                       api->ping_interval));
    }

    return NGX_OK;
}


ngx_uint_t
ngx_wschat_session_drain(ngx_msec_t window)
{
    ngx_uint_t             at, i, n;
    ngx_wschat_session_t  *s;

    n = ngx_wschat_session_n;
    i = 0;

    for (at = 0; (s = ngx_wschat_session_next(&at)) != NULL; i++) {
        ngx_wschat_wheel_set(s, window * i / n);
        s->drain = 1;
    }

    return n;
}


u_char *
ngx_wschat_session_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                *p, id[NGX_WSCHAT_ID_TEXT_LEN];
    ngx_wschat_session_t  *s;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    s = log->data;

    ngx_wschat_id_text(id, s->id);

    p = ngx_snprintf(buf, len, ", client: %V, api: \"%V\", "
                     "connection: %*s",
                     &s->connection->addr_text, &s->api->name,
                     (size_t) NGX_WSCHAT_ID_TEXT_LEN, id);

    if (s->route) {
        len -= p - buf;
        p = ngx_snprintf(p, len, ", route: \"%V\"",
                         ngx_wschat_api_route(s->api, s->route));
    }

    return p;
}
