
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_out.h"
#include "ws/ngx_wschat_frame.h"


#define NGX_WSCHAT_OUT_RING     16        /* frames in a new queue */
#define NGX_WSCHAT_OUT_GATHER   16384     /* bytes in one write */
#define NGX_WSCHAT_OUT_FRAMES   512       /* frames in one write */


typedef struct ngx_wschat_out_spare_s  ngx_wschat_out_spare_t;

struct ngx_wschat_out_spare_s {
    ngx_wschat_out_spare_t  *next;
};


static u_char *ngx_wschat_out_gather(ngx_wschat_queue_t *q, size_t *len);
static ssize_t ngx_wschat_out_send(ngx_connection_t *c, u_char *data,
    size_t len);
static void ngx_wschat_out_sent(ngx_wschat_queue_t *q, size_t n);
static ngx_wschat_queue_t *ngx_wschat_out_create(ngx_log_t *log);
static ngx_int_t ngx_wschat_out_grow(ngx_wschat_queue_t *q, ngx_log_t *log);
static void ngx_wschat_out_destroy(ngx_wschat_queue_t *q);


/* the gathered frames, each with a reference, and their bytes */

static u_char               ngx_wschat_out_buf[NGX_WSCHAT_OUT_GATHER];
static ngx_wschat_frame_t  *ngx_wschat_out_frames[NGX_WSCHAT_OUT_FRAMES];
static ngx_uint_t           ngx_wschat_out_nframes;
static size_t               ngx_wschat_out_len;

/* queues of NGX_WSCHAT_OUT_RING frames, for the next ones */

static ngx_wschat_out_spare_t  *ngx_wschat_out_spare;


ngx_wschat_frame_t *
ngx_wschat_frame_create(ngx_uint_t opcode, u_char *data, size_t len)
{
    u_char              *p;
    ngx_wschat_frame_t  *frame;

    frame = ngx_alloc(sizeof(ngx_wschat_frame_t) + NGX_WSCHAT_FRAME_HEAD_MAX
                      + len,
                      ngx_cycle->log);
    if (frame == NULL) {
        return NULL;
    }

    frame->refs = 1;
    frame->ephemeral = 0;
    frame->start = (u_char *) frame + sizeof(ngx_wschat_frame_t);

    p = ngx_wschat_frame_head(frame->start, opcode, len);

    if (len) {
        p = ngx_cpymem(p, data, len);
    }

    frame->len = p - frame->start;

    return frame;
}


void
ngx_wschat_frame_unref(ngx_wschat_frame_t *frame)
{
    if (--frame->refs == 0) {
        ngx_free(frame);
    }
}


ngx_int_t
ngx_wschat_out_push(ngx_wschat_session_t *s, ngx_wschat_frame_t *frame)
{
    ngx_wschat_queue_t  *q;

    q = s->out;

    if (q == NULL) {
        q = ngx_wschat_out_create(s->connection->log);
        if (q == NULL) {
            return NGX_ERROR;
        }

        q->since = ngx_wschat_session_now();
        s->out = q;

    } else if (q->n == q->size) {

        if (ngx_wschat_out_grow(q, s->connection->log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    q->frames[(q->head + q->n++) & (q->size - 1)] = frame;
    q->bytes += frame->len + NGX_WSCHAT_OUT_COST;

    frame->refs++;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_out_replace(ngx_wschat_session_t *s, ngx_wschat_frame_t *frame)
{
    ngx_wschat_queue_t   *q;
    ngx_wschat_frame_t  **last;

    q = s->out;

    if (q->n == 0 || (q->n == 1 && q->offset)) {
        return ngx_wschat_out_push(s, frame);
    }

    last = &q->frames[(q->head + q->n - 1) & (q->size - 1)];

    if ((*last)->start[0] != frame->start[0]) {
        return ngx_wschat_out_push(s, frame);
    }

    q->bytes -= (*last)->len;
    q->bytes += frame->len;

    ngx_wschat_frame_unref(*last);

    *last = frame;
    frame->refs++;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_out_flush(ngx_wschat_session_t *s)
{
    u_char              *data;
    size_t               len;
    ssize_t              n;
    ngx_connection_t    *c;
    ngx_wschat_queue_t  *q;

    c = s->connection;
    q = s->out;

    while (q && q->n) {
        data = ngx_wschat_out_gather(q, &len);

        n = ngx_wschat_out_send(c, data, len);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n > 0) {
            q->since = ngx_wschat_session_now();
            ngx_wschat_out_sent(q, n);
        }

        if (n == NGX_AGAIN || (size_t) n < len) {
            goto again;
        }
    }

#if (NGX_SSL)

    if (c->buffered) {
        n = ngx_wschat_out_send(c, NULL, 0);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (c->buffered) {
            goto again;
        }
    }

    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }

#endif

    if (q) {
        ngx_wschat_out_destroy(q);
        s->out = NULL;
    }

    return NGX_OK;

again:

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/*
 * The next bytes to write, in one piece.  A single frame, or a long one, is
 * written from where it is.
 */

static u_char *
ngx_wschat_out_gather(ngx_wschat_queue_t *q, size_t *len)
{
    u_char              *p;
    uint32_t             i, n, mask;
    ngx_wschat_frame_t  *frame;

    mask = q->size - 1;
    frame = q->frames[q->head & mask];

    if (q->n == 1
        || frame->len - q->offset
           + q->frames[(q->head + 1) & mask]->len > NGX_WSCHAT_OUT_GATHER)
    {
        *len = frame->len - q->offset;
        return frame->start + q->offset;
    }

    if (q->offset == 0) {

        for (i = 0; i < ngx_wschat_out_nframes; i++) {
            if (i == q->n
                || ngx_wschat_out_frames[i] != q->frames[(q->head + i) & mask])
            {
                break;
            }
        }

        if (i == ngx_wschat_out_nframes && i == q->n) {
            *len = ngx_wschat_out_len;
            return ngx_wschat_out_buf;
        }
    }

    while (ngx_wschat_out_nframes) {
        ngx_wschat_frame_unref(
                           ngx_wschat_out_frames[--ngx_wschat_out_nframes]);
    }

    p = ngx_wschat_out_buf;
    n = ngx_min(q->n, NGX_WSCHAT_OUT_FRAMES);

    p = ngx_cpymem(p, frame->start + q->offset, frame->len - q->offset);

    for (i = 1; i < n; i++) {
        frame = q->frames[(q->head + i) & mask];

        if (frame->len
            > (size_t) (ngx_wschat_out_buf + NGX_WSCHAT_OUT_GATHER - p))
        {
            break;
        }

        p = ngx_cpymem(p, frame->start, frame->len);
    }

    *len = p - ngx_wschat_out_buf;

    /* to be used again it must begin with a whole frame */

    if (q->offset == 0 && i == q->n) {
        for (n = 0; n < i; n++) {
            frame = q->frames[(q->head + n) & mask];
            frame->refs++;
            ngx_wschat_out_frames[n] = frame;
        }

        ngx_wschat_out_nframes = i;
        ngx_wschat_out_len = *len;
    }

    return ngx_wschat_out_buf;
}


/* len 0: only what TLS has buffered */

static ssize_t
ngx_wschat_out_send(ngx_connection_t *c, u_char *data, size_t len)
{
#if (NGX_SSL)

    ngx_buf_t    buf;
    ngx_chain_t  out, *rc;

    if (c->ssl) {

        /* it keeps a copy of what could not be sent, as OpenSSL demands */

        ngx_memzero(&buf, sizeof(ngx_buf_t));

        buf.pos = data;
        buf.last = data + len;
        buf.memory = 1;
        buf.flush = 1;

        out.buf = &buf;
        out.next = NULL;

        rc = c->send_chain(c, len ? &out : NULL, 0);

        if (rc == NGX_CHAIN_ERROR) {
            return NGX_ERROR;
        }

        if (len && buf.pos == data) {
            return NGX_AGAIN;
        }

        return buf.pos - data;
    }

#endif

    return c->send(c, data, len);
}


static void
ngx_wschat_out_sent(ngx_wschat_queue_t *q, size_t n)
{
    size_t               rest;
    ngx_wschat_frame_t  *frame;

    while (n) {
        frame = q->frames[q->head & (q->size - 1)];
        rest = frame->len - q->offset;

        if (n < rest) {
            q->offset += n;
            return;
        }

        n -= rest;

        q->offset = 0;
        q->head++;
        q->n--;
        q->bytes -= frame->len + NGX_WSCHAT_OUT_COST;

        ngx_wschat_frame_unref(frame);
    }
}


static ngx_wschat_queue_t *
ngx_wschat_out_create(ngx_log_t *log)
{
    ngx_wschat_queue_t  *q;

    q = (ngx_wschat_queue_t *) ngx_wschat_out_spare;

    if (q) {
        ngx_wschat_out_spare = ngx_wschat_out_spare->next;

    } else {
        q = ngx_alloc(sizeof(ngx_wschat_queue_t)
                      + NGX_WSCHAT_OUT_RING * sizeof(ngx_wschat_frame_t *),
                      log);
        if (q == NULL) {
            return NULL;
        }
    }

    q->head = 0;
    q->n = 0;
    q->size = NGX_WSCHAT_OUT_RING;
    q->offset = 0;
    q->bytes = 0;
    q->frames = (ngx_wschat_frame_t **) (q + 1);

    return q;
}


/* the first ring is behind the queue itself, a larger one is apart */

static ngx_int_t
ngx_wschat_out_grow(ngx_wschat_queue_t *q, ngx_log_t *log)
{
    uint32_t              i;
    ngx_wschat_frame_t  **frames;

    frames = ngx_alloc(q->size * 2 * sizeof(ngx_wschat_frame_t *), log);
    if (frames == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < q->n; i++) {
        frames[i] = q->frames[(q->head + i) & (q->size - 1)];
    }

    if (q->size > NGX_WSCHAT_OUT_RING) {
        ngx_free(q->frames);
    }

    q->frames = frames;
    q->size *= 2;
    q->head = 0;

    return NGX_OK;
}


static void
ngx_wschat_out_destroy(ngx_wschat_queue_t *q)
{
    ngx_wschat_out_spare_t  *spare;

    if (q->size > NGX_WSCHAT_OUT_RING) {
        ngx_free(q->frames);
    }

    spare = (ngx_wschat_out_spare_t *) q;
    spare->next = ngx_wschat_out_spare;
    ngx_wschat_out_spare = spare;
}


void
ngx_wschat_out_free(ngx_wschat_session_t *s)
{
    ngx_wschat_queue_t  *q;

    q = s->out;

    if (q == NULL) {
        return;
    }

    while (q->n) {
        ngx_wschat_frame_unref(q->frames[q->head++ & (q->size - 1)]);
        q->n--;
    }

    ngx_wschat_out_destroy(q);
    s->out = NULL;
}
