
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_DRAIN_H_INCLUDED_
#define _NGX_WSCHAT_DRAIN_H_INCLUDED_


/*
 * Knows how a worker that is to exit gets rid of its sessions: not all at
 * once.  Never knows how a session is closed.
 *
 * nginx tells an exiting worker's idle connections to go by calling their
 * read handlers.  One connection without a socket is kept for being told; the
 * sessions' own are not idle in that sense.  Then the sessions are closed one
 * after the other within "wschat_drain", while a timer that is not cancelable
 * keeps the worker alive: engineering notes of nginx's reload in
 * docs/operations.md.
 */


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * "window" is the time for all of it, in ms.  "hurry" is called when
 * worker_shutdown_timeout is over: what is still waiting must not wait.
 */
ngx_int_t ngx_wschat_drain_init_process(ngx_cycle_t *cycle,
    ngx_msec_t window, void (*hurry)(void));

/* The worker stays while it has sessions. */
void ngx_wschat_drain_keep(void);


#endif /* _NGX_WSCHAT_DRAIN_H_INCLUDED_ */
