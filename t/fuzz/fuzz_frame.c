
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * libFuzzer: the frame reader.  The input is 8 bytes of parameters and then
 * what a client sends, read once whole, once byte by byte, once in random
 * pieces.  The three runs must see the same messages, control frames and
 * end; limits must hold and no event may point outside of what it may.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_wschat_frame.h"
#include "ngx_wschat_utf8.h"


#define CHECK(cond)  if (!(cond)) abort()

#define PARAMS       8


/* what a run has seen, one record after the other */

typedef struct {
    uint8_t                  *data;
    size_t                    len;
    size_t                    size;
} seen_t;


typedef struct {
    seen_t                    events;
    seen_t                    message;
    uint64_t                  expect;
    unsigned                  opcode;
    int                       open;
} run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
seen_add(seen_t *s, const void *data, size_t len)
{
    if (s->len + len > s->size) {
        s->size = 2 * (s->len + len) + 64;
        s->data = realloc(s->data, s->size);
        CHECK(s->data != NULL);
    }

    if (len != 0) {
        memcpy(s->data + s->len, data, len);
        s->len += len;
    }
}


static void
seen_event(seen_t *s, int rc, unsigned code, const void *data, size_t len)
{
    seen_add(s, &rc, sizeof(rc));
    seen_add(s, &code, sizeof(code));
    seen_add(s, &len, sizeof(len));
    seen_add(s, data, len);
}


static void
on_data(run_t *run, const ngx_wschat_limits_t *l,
    const ngx_wschat_event_t *ev)
{
    uint32_t  state;

    CHECK(ev->opcode == NGX_WSCHAT_OP_TEXT
          || ev->opcode == NGX_WSCHAT_OP_BINARY);
    CHECK((ev->first != 0) == !run->open);
    CHECK(ev->first || ev->opcode == run->opcode);
    CHECK(ev->len <= ev->expect && ev->expect <= l->max_frame);
    CHECK(ev->len != 0 || ev->expect == 0);
    CHECK(run->expect == 0 || run->expect == ev->expect);
    CHECK(!ev->last || ev->len == ev->expect);

    run->open = !ev->last;
    run->opcode = ev->opcode;
    run->expect = ev->expect - ev->len;

    seen_add(&run->message, ev->data, ev->len);
    CHECK(run->message.len <= l->max_message);

    if (ev->opcode == NGX_WSCHAT_OP_TEXT) {
        state = 0;
        CHECK(ngx_wschat_utf8(&state, run->message.data, run->message.len)
              == 0);
        CHECK(!ev->last || state == 0);
    }

    if (ev->last) {
        seen_event(&run->events, NGX_WSCHAT_READ_DATA, ev->opcode,
                   run->message.data, run->message.len);
        run->message.len = 0;
    }
}


/* the bytes p in pieces whose sizes come from seed; 0 is whole, 1 bytes */

static void
read_all(run_t *run, const ngx_wschat_limits_t *l, const uint8_t *p,
    size_t size, uint32_t seed)
{
    int                   rc;
    size_t                n;
    uint8_t              *piece, *pos, *before, *last;
    uint32_t              state;
    ngx_wschat_event_t    ev;
    ngx_wschat_reader_t  *r, *moved;

    memset(run, 0, sizeof(run_t));

    rc = NGX_WSCHAT_READ_AGAIN;

    r = calloc(1, sizeof(ngx_wschat_reader_t));
    CHECK(r != NULL);

    while (size != 0 && rc == NGX_WSCHAT_READ_AGAIN) {

        if (seed == 0) {
            n = size;

        } else if (seed == 1) {
            n = 1;

        } else {
            seed = seed * 1664525 + 1013904223;
            n = 1 + (seed >> 24) % ((seed >> 23 & 1) ? 5 : 200);
            n = (n > size) ? size : n;
        }

        piece = malloc(n);
        CHECK(piece != NULL);
        memcpy(piece, p, n);

        pos = piece;
        last = piece + n;

        do {
            before = pos;
            rc = ngx_wschat_read(r, l, &pos, last, &ev);

            CHECK(pos >= before && pos <= last);

            switch (rc) {

            case NGX_WSCHAT_READ_AGAIN:
                CHECK(pos == last);
                continue;

            case NGX_WSCHAT_READ_ERROR:
                CHECK(ev.code == 1002 || ev.code == 1007 || ev.code == 1009);
                seen_event(&run->events, rc, ev.code, ev.reason,
                           strlen(ev.reason));
                continue;
            }

            CHECK(pos > before);
            CHECK((ev.data >= piece && ev.data + ev.len <= last)
                  || (ev.data >= r->buf && ev.data + ev.len
                                           <= r->buf + sizeof(r->buf)));

            switch (rc) {

            case NGX_WSCHAT_READ_DATA:
                on_data(run, l, &ev);
                break;

            case NGX_WSCHAT_READ_PING:
            case NGX_WSCHAT_READ_PONG:
                CHECK(ev.len <= NGX_WSCHAT_CONTROL_MAX);
                seen_event(&run->events, rc, 0, ev.data, ev.len);
                break;

            case NGX_WSCHAT_READ_CLOSE:
                CHECK(ev.len <= NGX_WSCHAT_CONTROL_MAX - 2);
                CHECK(ev.code == 1005 ? ev.len == 0
                                      : ngx_wschat_close_code_valid(ev.code));
                state = 0;
                CHECK(ngx_wschat_utf8(&state, ev.data, ev.len) == 0
                      && state == 0);
                seen_event(&run->events, rc, ev.code, ev.data, ev.len);
                break;

            default:
                abort();
            }

        } while (rc == NGX_WSCHAT_READ_DATA || rc == NGX_WSCHAT_READ_PING
                 || rc == NGX_WSCHAT_READ_PONG);

        free(piece);

        /* as a caller may: forget an idle one, move one that is not */

        moved = calloc(1, sizeof(ngx_wschat_reader_t));
        CHECK(moved != NULL);

        if (!ngx_wschat_reader_idle(r)) {
            *moved = *r;

        } else {
            CHECK(!run->open || rc != NGX_WSCHAT_READ_AGAIN);
        }

        free(r);
        r = moved;

        p += n;
        size -= n;
    }

    if (rc == NGX_WSCHAT_READ_AGAIN) {
        seen_event(&run->events, rc, (unsigned) ngx_wschat_reader_idle(r),
                   run->message.data, run->message.len);
    }

    free(r);
    free(run->message.data);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t                whole, other;
    size_t               i;
    uint32_t             seeds[2];
    ngx_wschat_limits_t  l;

    if (size < PARAMS) {
        return 0;
    }

    l.max_frame = (data[0] & 1) ? UINT64_MAX
                                : (uint64_t) data[1] << 8 | data[2];
    l.max_message = (data[0] & 2) ? UINT64_MAX
                                  : (uint64_t) data[3] << 8 | data[4];

    seeds[0] = 1;
    seeds[1] = 2 + ((uint32_t) data[5] << 16 | (uint32_t) data[6] << 8
                    | data[7]);

    data += PARAMS;
    size -= PARAMS;

    read_all(&whole, &l, data, size, 0);

    for (i = 0; i < 2; i++) {
        read_all(&other, &l, data, size, seeds[i]);

        CHECK(whole.events.len == other.events.len);
        CHECK(whole.events.len == 0
              || memcmp(whole.events.data, other.events.data,
                        whole.events.len) == 0);

        free(other.events.data);
    }

    free(whole.events.data);

    return 0;
}
