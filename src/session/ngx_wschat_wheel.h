
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_WHEEL_H_INCLUDED_
#define _NGX_WSCHAT_WHEEL_H_INCLUDED_


/*
 * Knows when each session wants to be looked at: one timer per worker for all
 * of them.  Never knows what for.
 *
 * A wheel of slots of 100 ms.  A session is in at most one slot; setting,
 * moving and removing are O(1), a turn costs what is due.  A deadline further
 * away than the wheel's circumference is met in several rounds.  Traffic does
 * not touch the wheel: a session that was active is looked at, and put back,
 * when its old deadline comes.
 */


#include "ngx_wschat_session.h"


#define NGX_WSCHAT_WHEEL_TICK   100       /* ms */
#define NGX_WSCHAT_WHEEL_SLOTS  1024


typedef void (*ngx_wschat_wheel_pt)(ngx_wschat_session_t *s);


/* "handler" is called for due sessions; they are out of the wheel then. */
void ngx_wschat_wheel_init_process(ngx_cycle_t *cycle,
    ngx_wschat_wheel_pt handler);

/* The session is to be looked at in so many ms; replaces what was set. */
void ngx_wschat_wheel_set(ngx_wschat_session_t *s, ngx_msec_t after);

/* The same, but only if that is sooner than what was set. */
void ngx_wschat_wheel_sooner(ngx_wschat_session_t *s, ngx_msec_t after);

void ngx_wschat_wheel_remove(ngx_wschat_session_t *s);


#endif /* _NGX_WSCHAT_WHEEL_H_INCLUDED_ */
