
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_wheel.h"


static void ngx_wschat_wheel_start(void);
static void ngx_wschat_wheel_handler(ngx_event_t *ev);


static ngx_queue_t          ngx_wschat_wheel[NGX_WSCHAT_WHEEL_SLOTS];
static ngx_uint_t           ngx_wschat_wheel_n;
static uint32_t             ngx_wschat_wheel_now;     /* in ticks */
static ngx_event_t          ngx_wschat_wheel_timer;
static ngx_wschat_wheel_pt  ngx_wschat_wheel_due;


#define ngx_wschat_wheel_slot(tick)                                          \
    &ngx_wschat_wheel[(tick) % NGX_WSCHAT_WHEEL_SLOTS]

#define ngx_wschat_wheel_tick()                                              \
    ((uint32_t) (ngx_current_msec / NGX_WSCHAT_WHEEL_TICK))


void
ngx_wschat_wheel_init_process(ngx_cycle_t *cycle, ngx_wschat_wheel_pt handler)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_WSCHAT_WHEEL_SLOTS; i++) {
        ngx_queue_init(&ngx_wschat_wheel[i]);
    }

    ngx_wschat_wheel_due = handler;

    ngx_wschat_wheel_timer.handler = ngx_wschat_wheel_handler;
    ngx_wschat_wheel_timer.log = cycle->log;
    ngx_wschat_wheel_timer.data = &ngx_wschat_wheel_timer;
    ngx_wschat_wheel_timer.cancelable = 1;
}


void
ngx_wschat_wheel_set(ngx_wschat_session_t *s, ngx_msec_t after)
{
    if (s->wheel.next) {
        ngx_queue_remove(&s->wheel);
        ngx_wschat_wheel_n--;
    }

    if (ngx_wschat_wheel_n == 0) {
        ngx_wschat_wheel_now = ngx_wschat_wheel_tick();
        ngx_wschat_wheel_start();
    }

    /* never early, and never in the slot that is being worked on */

    s->deadline = (uint32_t) ((ngx_current_msec + after)
                              / NGX_WSCHAT_WHEEL_TICK) + 1;

    ngx_queue_insert_tail(ngx_wschat_wheel_slot(s->deadline), &s->wheel);
    ngx_wschat_wheel_n++;
}


void
ngx_wschat_wheel_sooner(ngx_wschat_session_t *s, ngx_msec_t after)
{
    uint32_t  tick;

    tick = (uint32_t) ((ngx_current_msec + after) / NGX_WSCHAT_WHEEL_TICK) + 1;

    if (s->wheel.next == NULL || (int32_t) (tick - s->deadline) < 0) {
        ngx_wschat_wheel_set(s, after);
    }
}


void
ngx_wschat_wheel_remove(ngx_wschat_session_t *s)
{
    if (s->wheel.next) {
        ngx_queue_remove(&s->wheel);
        s->wheel.next = NULL;
        ngx_wschat_wheel_n--;
    }
}


static void
ngx_wschat_wheel_start(void)
{
    if (!ngx_wschat_wheel_timer.timer_set) {
        ngx_add_timer(&ngx_wschat_wheel_timer, NGX_WSCHAT_WHEEL_TICK);
    }
}


static void
ngx_wschat_wheel_handler(ngx_event_t *ev)
{
    uint32_t               now;
    ngx_queue_t           *slot, *q, due;
    ngx_wschat_session_t  *s;

    now = ngx_wschat_wheel_tick();

    /* after a long pause each slot is still visited but once */

    if (now - ngx_wschat_wheel_now > NGX_WSCHAT_WHEEL_SLOTS) {
        ngx_wschat_wheel_now = now - NGX_WSCHAT_WHEEL_SLOTS;
    }

    while (ngx_wschat_wheel_now != now) {
        slot = ngx_wschat_wheel_slot(++ngx_wschat_wheel_now);

        if (ngx_queue_empty(slot)) {
            continue;
        }

        /* the slot may be filled anew meanwhile */

        ngx_queue_init(&due);
        ngx_queue_add(&due, slot);
        ngx_queue_init(slot);

        while (!ngx_queue_empty(&due)) {
            q = ngx_queue_head(&due);
            s = ngx_queue_data(q, ngx_wschat_session_t, wheel);

            ngx_queue_remove(q);

            if ((int32_t) (s->deadline - now) > 0) {
                ngx_queue_insert_tail(slot, q);
                continue;
            }

            s->wheel.next = NULL;
            ngx_wschat_wheel_n--;

            ngx_wschat_wheel_due(s);
        }
    }

    if (ngx_wschat_wheel_n) {
        ngx_wschat_wheel_start();
    }
}
