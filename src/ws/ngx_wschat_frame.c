
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <string.h>

#include "ngx_wschat_frame.h"
#include "ngx_wschat_utf8.h"


#define NGX_WSCHAT_FIN      0x80
#define NGX_WSCHAT_RSV      0x70
#define NGX_WSCHAT_OPCODE   0x0f
#define NGX_WSCHAT_CONTROL  0x08

#define NGX_WSCHAT_MASKED   0x80
#define NGX_WSCHAT_LEN7     0x7f
#define NGX_WSCHAT_LEN16    126
#define NGX_WSCHAT_LEN64    127


static int ngx_wschat_read_head(ngx_wschat_reader_t *r,
    const ngx_wschat_limits_t *l, uint8_t **pos, uint8_t *last,
    ngx_wschat_event_t *ev);
static size_t ngx_wschat_head_size(const uint8_t *h, size_t n);
static const char *ngx_wschat_head_fault(const ngx_wschat_reader_t *r,
    const uint8_t *h);
static uint64_t ngx_wschat_get_number(const uint8_t *p, size_t n);
static int ngx_wschat_read_data(ngx_wschat_reader_t *r, uint8_t **pos,
    uint8_t *last, ngx_wschat_event_t *ev);
static int ngx_wschat_read_control(ngx_wschat_reader_t *r, uint8_t **pos,
    uint8_t *last, ngx_wschat_event_t *ev);
static int ngx_wschat_read_close(ngx_wschat_event_t *ev);
static int ngx_wschat_read_failed(ngx_wschat_event_t *ev, unsigned code,
    const char *reason);


int
ngx_wschat_read(ngx_wschat_reader_t *r, const ngx_wschat_limits_t *l,
    uint8_t **pos, uint8_t *last, ngx_wschat_event_t *ev)
{
    int  rc;

    if (r->frame == 0) {
        rc = ngx_wschat_read_head(r, l, pos, last, ev);

        if (r->frame == 0) {
            return rc;
        }
    }

    if (r->frame & NGX_WSCHAT_CONTROL) {
        return ngx_wschat_read_control(r, pos, last, ev);
    }

    return ngx_wschat_read_data(r, pos, last, ev);
}


int
ngx_wschat_reader_idle(const ngx_wschat_reader_t *r)
{
    return r->frame == 0 && r->message == 0 && r->nbuf == 0;
}


/*
 * Sets r->frame when the header is complete and permitted.  Otherwise it
 * stays 0, and the return code is what ngx_wschat_read() returns.
 */

static int
ngx_wschat_read_head(ngx_wschat_reader_t *r, const ngx_wschat_limits_t *l,
    uint8_t **pos, uint8_t *last, ngx_wschat_event_t *ev)
{
    size_t       n, size;
    uint8_t     *p, *h, opcode;
    uint64_t     len;
    const char  *fault;

    p = *pos;
    n = (size_t) (last - p);
    size = ngx_wschat_head_size(p, n);

    if (r->nbuf == 0 && n >= size) {
        h = p;
        n = size;
        p += size;

    } else {
        h = r->buf;

        for ( ;; ) {
            n = r->nbuf;
            size = ngx_wschat_head_size(h, n);

            if (n == size || p == last) {
                break;
            }

            h[n] = *p++;
            r->nbuf++;
        }
    }

    *pos = p;

    if (n >= 2) {
        fault = ngx_wschat_head_fault(r, h);
        if (fault != NULL) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                          fault);
        }
    }

    if (n < size) {
        return NGX_WSCHAT_READ_AGAIN;
    }

    opcode = h[0] & NGX_WSCHAT_OPCODE;
    len = h[1] & NGX_WSCHAT_LEN7;

    if (len == NGX_WSCHAT_LEN16) {
        len = ngx_wschat_get_number(h + 2, 2);

        if (len < NGX_WSCHAT_LEN16) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                          "length is not minimal");
        }

    } else if (len == NGX_WSCHAT_LEN64) {
        len = ngx_wschat_get_number(h + 2, 8);

        if (len >> 63) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                          "length has its top bit set");
        }

        if (len <= 0xffff) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                          "length is not minimal");
        }
    }

    if (!(opcode & NGX_WSCHAT_CONTROL)) {

        if (len > l->max_frame) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_TOO_BIG,
                                          "frame is too big");
        }

        /* the limit may have become smaller since the last frame */

        if (r->total > l->max_message || len > l->max_message - r->total) {
            return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_TOO_BIG,
                                          "message is too big");
        }

        if (opcode == NGX_WSCHAT_OP_CONTINUATION) {
            opcode = r->message;

        } else {
            r->message = opcode;
        }

        r->total += len;
        r->fin = (h[0] & NGX_WSCHAT_FIN) != 0;
    }

    memcpy(r->mask, h + size - 4, 4);

    r->left = len;
    r->phase = 0;
    r->nbuf = 0;
    r->frame = opcode;

    return NGX_WSCHAT_READ_AGAIN;
}


/* the size of the header of which n bytes are there, as far as they tell */

static size_t
ngx_wschat_head_size(const uint8_t *h, size_t n)
{
    if (n < 2) {
        return 2;
    }

    switch (h[1] & NGX_WSCHAT_LEN7) {

    case NGX_WSCHAT_LEN16:
        return 2 + 2 + 4;

    case NGX_WSCHAT_LEN64:
        return 2 + 8 + 4;

    default:
        return 2 + 4;
    }
}


/* what the first two bytes of a header have that they must not, or NULL */

static const char *
ngx_wschat_head_fault(const ngx_wschat_reader_t *r, const uint8_t *h)
{
    uint8_t  opcode;

    opcode = h[0] & NGX_WSCHAT_OPCODE;

    if (h[0] & NGX_WSCHAT_RSV) {
        return "reserved bits are set";
    }

    if (!(h[1] & NGX_WSCHAT_MASKED)) {
        return "frame is not masked";
    }

    switch (opcode) {

    case NGX_WSCHAT_OP_CONTINUATION:
        if (r->message == 0) {
            return "continuation without a message";
        }

        return NULL;

    case NGX_WSCHAT_OP_TEXT:
    case NGX_WSCHAT_OP_BINARY:
        if (r->message != 0) {
            return "new message inside a fragmented one";
        }

        return NULL;

    case NGX_WSCHAT_OP_CLOSE:
    case NGX_WSCHAT_OP_PING:
    case NGX_WSCHAT_OP_PONG:
        if (!(h[0] & NGX_WSCHAT_FIN)) {
            return "control frame is fragmented";
        }

        if ((h[1] & NGX_WSCHAT_LEN7) > NGX_WSCHAT_CONTROL_MAX) {
            return "control frame is too long";
        }

        return NULL;

    default:
        return "opcode is reserved";
    }
}


static uint64_t
ngx_wschat_get_number(const uint8_t *p, size_t n)
{
    uint64_t  v;

    for (v = 0; n != 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


static int
ngx_wschat_read_data(ngx_wschat_reader_t *r, uint8_t **pos, uint8_t *last,
    ngx_wschat_event_t *ev)
{
    size_t    n;
    uint8_t  *p;

    p = *pos;
    n = (size_t) (last - p);

    if (n > r->left) {
        n = (size_t) r->left;
    }

    if (n == 0 && r->left != 0) {
        return NGX_WSCHAT_READ_AGAIN;
    }

    *pos = p + n;

    ev->data = p;
    ev->len = n;
    ev->expect = r->left;
    ev->opcode = r->message;
    ev->first = !r->started;
    ev->last = 0;

    ngx_wschat_unmask(p, n, r->mask, r->phase);

    if (r->message == NGX_WSCHAT_OP_TEXT
        && ngx_wschat_utf8(&r->utf8, p, n) != 0)
    {
        return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_BAD_DATA,
                                      "text is not UTF-8");
    }

    r->left -= n;
    r->started = 1;

    if (r->left != 0) {
        r->phase = (uint8_t) ((r->phase + n) & 3);
        return NGX_WSCHAT_READ_DATA;
    }

    r->frame = 0;

    if (!r->fin) {
        return NGX_WSCHAT_READ_DATA;
    }

    if (r->utf8 != 0) {
        return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_BAD_DATA,
                                      "text ends inside a character");
    }

    r->total = 0;
    r->message = 0;
    r->started = 0;

    ev->last = 1;

    return NGX_WSCHAT_READ_DATA;
}


static int
ngx_wschat_read_control(ngx_wschat_reader_t *r, uint8_t **pos, uint8_t *last,
    ngx_wschat_event_t *ev)
{
    int       opcode;
    size_t    n;
    uint8_t  *p;

    p = *pos;
    n = (size_t) (last - p);

    if (n > r->left) {
        n = (size_t) r->left;
    }

    *pos = p + n;

    if (r->nbuf == 0 && n == r->left) {
        ev->data = p;
        ev->len = n;

    } else {
        memcpy(r->buf + r->nbuf, p, n);

        r->nbuf = (uint8_t) (r->nbuf + n);
        r->left -= n;

        if (r->left != 0) {
            return NGX_WSCHAT_READ_AGAIN;
        }

        ev->data = r->buf;
        ev->len = r->nbuf;
    }

    opcode = r->frame;

    r->left = 0;
    r->nbuf = 0;
    r->frame = 0;

    ngx_wschat_unmask(ev->data, ev->len, r->mask, 0);

    switch (opcode) {

    case NGX_WSCHAT_OP_PING:
        return NGX_WSCHAT_READ_PING;

    case NGX_WSCHAT_OP_PONG:
        return NGX_WSCHAT_READ_PONG;

    default: /* NGX_WSCHAT_OP_CLOSE */
        return ngx_wschat_read_close(ev);
    }
}


/* splits the payload of a close frame into code and reason */

static int
ngx_wschat_read_close(ngx_wschat_event_t *ev)
{
    uint32_t  state;

    if (ev->len == 0) {
        ev->code = NGX_WSCHAT_CLOSE_NO_STATUS;
        return NGX_WSCHAT_READ_CLOSE;
    }

    if (ev->len == 1) {
        return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                      "close code is cut short");
    }

    ev->code = (unsigned) ngx_wschat_get_number(ev->data, 2);
    ev->data += 2;
    ev->len -= 2;

    if (!ngx_wschat_close_code_valid(ev->code)) {
        return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_PROTOCOL,
                                      "close code is invalid");
    }

    state = 0;

    if (ngx_wschat_utf8(&state, ev->data, ev->len) != 0 || state != 0) {
        return ngx_wschat_read_failed(ev, NGX_WSCHAT_CLOSE_BAD_DATA,
                                      "close reason is not UTF-8");
    }

    return NGX_WSCHAT_READ_CLOSE;
}


static int
ngx_wschat_read_failed(ngx_wschat_event_t *ev, unsigned code,
    const char *reason)
{
    ev->code = code;
    ev->reason = reason;

    return NGX_WSCHAT_READ_ERROR;
}


void
ngx_wschat_unmask(uint8_t *p, size_t n, const uint8_t mask[4], size_t phase)
{
    size_t    i;
    uint8_t   m[8];
    uint64_t  w, key;

    for (i = 0; i < 8; i++) {
        m[i] = mask[(phase + i) & 3];
    }

    memcpy(&key, m, 8);

    while (n >= 8) {
        memcpy(&w, p, 8);
        w ^= key;
        memcpy(p, &w, 8);

        p += 8;
        n -= 8;
    }

    for (i = 0; i < n; i++) {
        p[i] ^= m[i];
    }
}


size_t
ngx_wschat_frame_head_size(uint64_t len)
{
    if (len < NGX_WSCHAT_LEN16) {
        return 2;
    }

    return (len <= 0xffff) ? 2 + 2 : 2 + 8;
}


uint8_t *
ngx_wschat_frame_head(uint8_t *p, unsigned opcode, uint64_t len)
{
    int  shift;

    *p++ = (uint8_t) (NGX_WSCHAT_FIN | opcode);

    if (len < NGX_WSCHAT_LEN16) {
        *p++ = (uint8_t) len;
        return p;
    }

    if (len <= 0xffff) {
        *p++ = NGX_WSCHAT_LEN16;
        shift = 8;

    } else {
        *p++ = NGX_WSCHAT_LEN64;
        shift = 56;
    }

    for ( /* void */ ; shift >= 0; shift -= 8) {
        *p++ = (uint8_t) (len >> shift);
    }

    return p;
}


int
ngx_wschat_close_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003)
           || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}
