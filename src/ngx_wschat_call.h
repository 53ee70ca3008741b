
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_CALL_H_INCLUDED_
#define _NGX_WSCHAT_CALL_H_INCLUDED_


/*
 * Knows how to ask the worker that holds a connection, and how that worker
 * answers: send to it, close it, tell about it.  Never knows who asks.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"


typedef enum {
    NGX_WSCHAT_CALL_FIND = 1,
    NGX_WSCHAT_CALL_POST,
    NGX_WSCHAT_CALL_CLOSE
} ngx_wschat_call_e;


#define NGX_WSCHAT_CALL_TIMEOUT  5000     /* ms */
#define NGX_WSCHAT_CALL_MAX      4096     /* calls waiting, per worker */


ngx_int_t ngx_wschat_call_init_process(ngx_cycle_t *cycle);

/*
 * The "find", "post" and "close" of a store, for a connection of this node:
 * the id tells the worker.  The results are the store's (see there), at once
 * if it is this worker, with NGX_AGAIN otherwise.  NGX_DECLINED: there is no
 * such connection: its worker said so, or there is no such worker.
 * NGX_ERROR: no answer in time.  NGX_BUSY: too many calls are waiting.
 */
ngx_int_t ngx_wschat_call(ngx_wschat_op_t *op, ngx_wschat_call_e call);

/* Records of these kinds from the bus, behind their type byte. */
void ngx_wschat_call_record(ngx_uint_t from, u_char *data, size_t len);
void ngx_wschat_call_answer(ngx_uint_t from, u_char *data, size_t len);

/* A worker is dead: calls that wait for it are answered with "gone". */
void ngx_wschat_call_dead(ngx_uint_t slot);


#endif /* _NGX_WSCHAT_CALL_H_INCLUDED_ */
