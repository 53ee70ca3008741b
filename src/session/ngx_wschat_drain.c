
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_drain.h"
#include "ngx_wschat_session.h"


#define NGX_WSCHAT_DRAIN_TICK  50         /* ms */


static void ngx_wschat_drain_begin(ngx_event_t *ev);
static void ngx_wschat_drain_wait(ngx_event_t *ev);
static void ngx_wschat_drain_over(ngx_event_t *ev);


static ngx_msec_t   ngx_wschat_drain_window;
static ngx_event_t  ngx_wschat_drain_timer;
static ngx_event_t  ngx_wschat_drain_end;
static void       (*ngx_wschat_drain_hurry)(void);


ngx_int_t
ngx_wschat_drain_init_process(ngx_cycle_t *cycle, ngx_msec_t window,
    void (*hurry)(void))
{
    ngx_connection_t  *c;

    ngx_wschat_drain_window = window;

    ngx_wschat_drain_timer.handler = ngx_wschat_drain_wait;
    ngx_wschat_drain_timer.data = &ngx_wschat_drain_timer;
    ngx_wschat_drain_timer.log = cycle->log;

    ngx_wschat_drain_hurry = hurry;

    ngx_wschat_drain_end.handler = ngx_wschat_drain_over;
    ngx_wschat_drain_end.data = &ngx_wschat_drain_end;
    ngx_wschat_drain_end.log = cycle->log;
    ngx_wschat_drain_end.cancelable = 1;

    /* any descriptor will do, there is none */

    c = ngx_get_connection(0, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->fd = (ngx_socket_t) -2;
    c->idle = 1;

    /* neither a leak nor anything that worker_shutdown_timeout closes */

    c->read->channel = 1;
    c->read->handler = ngx_wschat_drain_begin;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    return NGX_OK;
}


static void
ngx_wschat_drain_begin(ngx_event_t *ev)
{
    ngx_uint_t         n;
    ngx_connection_t  *c;
    ngx_core_conf_t   *ccf;

    c = ev->data;

    if (!c->close) {
        return;
    }

    /* nginx looks the descriptor up when it is in a table of them */

    c->fd = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout) {
        ngx_add_timer(&ngx_wschat_drain_end, ccf->shutdown_timeout);
    }

    n = ngx_wschat_session_drain(ngx_wschat_drain_window);

    if (n == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                  "wschat: %ui connections will be closed within %M ms",
                  n, ngx_wschat_drain_window);

    ngx_wschat_drain_keep();
}


void
ngx_wschat_drain_keep(void)
{
    if (!ngx_wschat_drain_timer.timer_set) {
        ngx_add_timer(&ngx_wschat_drain_timer, NGX_WSCHAT_DRAIN_TICK);
    }
}


static void
ngx_wschat_drain_wait(ngx_event_t *ev)
{
    if (ngx_wschat_session_count()) {
        ngx_add_timer(ev, NGX_WSCHAT_DRAIN_TICK);
    }
}


/* worker_shutdown_timeout is over, what waits for no socket has to end, too */

static void
ngx_wschat_drain_over(ngx_event_t *ev)
{
    ngx_wschat_drain_hurry();
}
