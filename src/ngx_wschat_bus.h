
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_BUS_H_INCLUDED_
#define _NGX_WSCHAT_BUS_H_INCLUDED_


/*
 * Knows bytes and worker slots: carries records between the workers of a
 * node, those of both generations during a reload, and notices dead workers.
 * Never knows what a record means.
 *
 * Every worker owns a slot with one ring in shared memory, which it alone
 * writes and all others read.  The readers' positions are in shared memory
 * too: the writer does not overwrite what a live reader has still to read,
 * but queues privately, bounded by "queue"; a reader that makes the queue
 * overflow is given up on: it learns that records were lost, the others do
 * not notice.  Records of one writer arrive in the order written; nothing is
 * said about the order between writers.
 *
 * A reader is given up on when it keeps the writer's queue waiting and has
 * not moved for 5 seconds, or for 1 second when the queue is half full and
 * less the fuller it gets, or when the queue is full and no other reader is
 * further behind.
 *
 * Everything is shared by the workers of one master.  Both generations meet
 * on it during a reload, unless the ring's size was changed: then the new
 * generation has a fresh bus, and the two do not hear each other.  The same
 * goes for the two masters of a binary upgrade.
 */


#include "ngx_wschat.h"


typedef void (*ngx_wschat_bus_handler_pt)(ngx_uint_t from, u_char *data,
    size_t len);

typedef struct {
    /* a record has come; "data" is valid during the call only */
    ngx_wschat_bus_handler_pt   record;

    /* records of the slot "from" were lost, by this reader */
    void                      (*lost)(ngx_uint_t from);

    /*
     * the worker of the slot is dead; called in exactly one survivor, which
     * calls ngx_wschat_bus_release() when it has swept what the dead one
     * left, at once or later.  The slot is not used again before.  If this
     * survivor dies or exits meanwhile, another one is called.  All that the
     * dead worker had written was delivered here before.
     */
    void                      (*dead)(ngx_uint_t slot, uint32_t generation);
} ngx_wschat_bus_handlers_t;

typedef struct {
    uint64_t                    sent;        /* records written or queued */
    uint64_t                    received;    /* records handed over */
    uint64_t                    bells;       /* wake-ups sent */
    uint64_t                    queued;      /* records that had to wait */
    uint64_t                    given_up;    /* readers given up on */
    uint64_t                    lost;        /* times that we lost records */
} ngx_wschat_bus_stat_t;


/* the longest record, in bytes */
#define NGX_WSCHAT_BUS_MAX_RECORD  (64 * 1024 * 1024)


/*
 * Configuration time: adds the bus's own shared memory zone to the cycle,
 * once however often called.  "ring" is a ring's size in bytes, rounded up to
 * a power of two from 64k to 256m; pages are touched, and so cost memory,
 * only in rings that are used.  "queue" caps a writer's private queue, in
 * bytes; one record may always wait, however long.  It should be several
 * times what is sent in one go.  NGX_ERROR: no memory, too large a ring, or
 * another size than in an earlier call; logged.
 */
ngx_int_t ngx_wschat_bus_add(ngx_conf_t *cf, size_t ring, size_t queue);

/*
 * Master, at each configuration load: the doorbells (64 eventfds), made once
 * per master, and anew only if the zone is a fresh one: then workers of the
 * bus before still use the old doorbells.  NGX_ERROR: logged.
 */
ngx_int_t ngx_wschat_bus_init_module(ngx_cycle_t *cycle);

/*
 * Worker: claims a slot, starts reading where the rings stand, calls
 * handlers->dead for dead slots (from an event, not from within).
 * NGX_ERROR: no slot is free, or no memory; the worker can not serve.
 * In other processes, and without a zone, nothing is done.
 *
 * Exit: what is still queued is written, for which readers are waited for up
 * to half a second; then the slot is free.  No handler is called.
 */
ngx_int_t ngx_wschat_bus_init_process(ngx_cycle_t *cycle,
    ngx_wschat_bus_handlers_t *handlers);
void ngx_wschat_bus_exit_process(ngx_cycle_t *cycle);

/*
 * This worker's slot and its generation (each claim of a slot has its own,
 * never 0).  NGX_WSCHAT_SLOTS and 0 in a process without a slot.
 */
ngx_uint_t ngx_wschat_bus_slot(void);
uint32_t ngx_wschat_bus_generation(void);

/* The slots with a live worker, this one included, as a bit mask. */
uint64_t ngx_wschat_bus_live(void);

/*
 * Writes one record, made of n parts, to the slots in the mask; the own slot
 * and slots without a worker are ignored.  Any length up to
 * NGX_WSCHAT_BUS_MAX_RECORD: a long record is split and joined again.  The
 * parts may be freed afterwards.  May be called from handlers, and never calls
 * one.  NGX_ERROR: no memory or too long, nothing was written.
 */
ngx_int_t ngx_wschat_bus_send(uint64_t slots, ngx_str_t *parts, ngx_uint_t n);

/* Frees the slot that handlers->dead was called for. */
void ngx_wschat_bus_release(ngx_uint_t slot);

/* This worker's counters. */
void ngx_wschat_bus_stat(ngx_wschat_bus_stat_t *stat);


#endif /* _NGX_WSCHAT_BUS_H_INCLUDED_ */
