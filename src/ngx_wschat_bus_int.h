
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_BUS_INT_H_INCLUDED_
#define _NGX_WSCHAT_BUS_INT_H_INCLUDED_


/*
 * Knows what the files of the bus share: what is in shared memory, who waits
 * for whom there, and what they ask of each other.  For ngx_wschat_bus*.c
 * only; others include ngx_wschat_bus.h.
 *
 * Slots.  A slot is one 64-bit word, generation | pid | state, changed by
 * compare-and-swap only:
 *
 *     free     -> live      a worker claims it, the generation is raised
 *     live     -> free      the worker exits
 *     live     -> sweeping  the pid is now the survivor's that has found the
 *                           worker dead
 *     sweeping -> sweeping  that survivor is gone itself, another one goes on
 *     sweeping -> free      ngx_wschat_bus_release()
 *
 * Rings.  Positions are monotone over all generations of a slot, so a reader
 * may still read what a dead writer has left while the next one goes on.
 * [publish - size, publish) can be read, [publish, reserve) is being written,
 * thus a reader at "pos" has lost records if reserve - pos > size, and it has
 * to look at "reserve" after it has copied them (as with a seqlock).  Records
 * are aligned to the size of their header, so there is always space for a
 * filler's header before the ring's end.
 *
 * Barriers, in pairs; [A] and [B] are release and acquire, the others need the
 * full barrier as each side stores its own word and then loads the other's:
 *
 *   [A] writer: reserve, then the data        reader: the data, then reserve
 *   [B] writer: the data, then publish        reader: publish, then the data
 *       reader: the data, then position       writer: position, then the data
 *   [C] writer: publish, then rung            reader: rung, then publish
 *   [D] writer: waiting, then positions       reader: position, then waiting
 *   [E] writer: publish, then who attached    reader: attached, then publish
 *
 * [C] a reader never sleeps over a record, [D] a writer never sleeps over
 * free space, [E] a reader that attaches after the writer has looked for
 * readers starts at or behind the writer's cached limit.
 *
 * A process may be killed between any two instructions.  What that can leave
 * behind is a missing bell (everybody looks at everything once a second), a
 * reserved space (the next owner of the slot covers it with fillers), and a
 * slot to be swept.
 */


#include "ngx_wschat_bus.h"
#include <ngx_event.h>


#define NGX_WSCHAT_BUS_FREE           0
#define NGX_WSCHAT_BUS_LIVE           1
#define NGX_WSCHAT_BUS_SWEEPING       2

#define NGX_WSCHAT_BUS_VERSION        1

#define NGX_WSCHAT_BUS_FIRST          1
#define NGX_WSCHAT_BUS_FILLER         2


#define ngx_wschat_bus_word(generation, pid, state)                           \
    ((uint64_t) (generation) << 32 | (uint64_t) (pid) << 2 | (state))
#define ngx_wschat_bus_word_generation(word)  ((uint32_t) ((word) >> 32))
#define ngx_wschat_bus_word_pid(word)                                         \
    ((ngx_pid_t) (((word) & 0xffffffff) >> 2))
#define ngx_wschat_bus_word_state(word)       ((ngx_uint_t) ((word) & 3))

#define ngx_wschat_bus_bit(slot)              ((uint64_t) 1 << (slot))
#define ngx_wschat_bus_first(slots)           ((ngx_uint_t)                   \
                                               __builtin_ctzll(slots))

#define ngx_wschat_bus_peek(p)      __atomic_load_n(p, __ATOMIC_RELAXED)
#define ngx_wschat_bus_load(p)      __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define ngx_wschat_bus_poke(p, v)   __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define ngx_wschat_bus_store(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define ngx_wschat_bus_barrier()    __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* the record of a position: the rings follow the shared structure */
#define ngx_wschat_bus_at(b, slot, pos)                                       \
    ((b)->rings + (size_t) (slot) * (b)->ring + ((pos) & ((b)->ring - 1)))

#define ngx_wschat_bus_align(n)                                               \
    (((uint64_t) (n) + sizeof(ngx_wschat_bus_record_t) - 1)                   \
     & ~(uint64_t) (sizeof(ngx_wschat_bus_record_t) - 1))


/*
 * What precedes the data in a ring.  A record longer than a quarter of the
 * ring is a row of pieces, all but the last of equal length; "rest" is the
 * number of those that follow, so the first one tells how much to allocate.
 */

typedef struct {
    uint32_t                      len;
    u_char                        version;
    u_char                        flags;
    uint16_t                      rest;
    uint64_t                      slots;
} ngx_wschat_bus_record_t;


/*
 * In shared memory: one cache line per writer and per pair.  The positions of
 * a ring are in one line as a reader needs them all for each record.
 */

typedef struct {
    uint64_t                      reserve;
    uint64_t                      publish;
    uint64_t                      waiting;
    u_char                        pad[40];
} ngx_wschat_bus_ring_t;


typedef struct {
    uint64_t                      position;
    uint32_t                      attached;    /* reader's generation */
    uint32_t                      given_up;    /* reader's generation */
    u_char                        pad[48];
} ngx_wschat_bus_cursor_t;


typedef struct {
    uint64_t                      slots;       /* those that have rung */
    u_char                        pad[56];
} ngx_wschat_bus_rung_t;


typedef struct {
    uint64_t                      live;
    uint64_t                      claims;      /* of all slots, ever */
    u_char                        pad[48];

    uint64_t                      words[NGX_WSCHAT_SLOTS];
    uint64_t                      claimed[NGX_WSCHAT_SLOTS];

    /* generation | start time of the process, to tell it from another one */
    uint64_t                      births[NGX_WSCHAT_SLOTS];

    ngx_wschat_bus_rung_t         rung[NGX_WSCHAT_SLOTS];
    ngx_wschat_bus_ring_t         rings[NGX_WSCHAT_SLOTS];

    /* [reader][writer]: a slot that is not used does not touch its pages */
    ngx_wschat_bus_cursor_t       cursors[NGX_WSCHAT_SLOTS][NGX_WSCHAT_SLOTS];
} ngx_wschat_bus_shm_t;


/* what the bus's files know in common about this worker */

typedef struct {
    ngx_wschat_bus_shm_t         *shm;
    ngx_wschat_bus_handlers_t    *handlers;

    ngx_uint_t                    slot;
    uint32_t                      generation;

    u_char                       *rings;
    size_t                        ring;
    size_t                        piece;       /* longest data in a ring */
    size_t                        limit;       /* of the queue, bytes */

    uint64_t                      todo;        /* rings to be read */
    ngx_event_t                   next;        /* reads them, calls "dead" */
    ngx_msec_t                    checked;     /* when deaths were looked for */

    ngx_wschat_bus_stat_t         stat;
} ngx_wschat_bus_t;


extern ngx_wschat_bus_t  ngx_wschat_bus;


/*
 * ngx_wschat_bus_slot.c
 */

/*
 * Master: makes new doorbells; should that fail, the old ones stay, logged.
 * NGX_ERROR: there are none.
 */
ngx_int_t ngx_wschat_bus_doorbells(ngx_log_t *log);

/*
 * Claims a slot, for the others not yet alive.  NGX_ERROR: none is free;
 * logged.
 */
ngx_int_t ngx_wschat_bus_claim(ngx_log_t *log);

/*
 * Listens to the doorbell, which calls ngx_wschat_bus_run(), and is alive from
 * now on.  Returns the doorbell's connection, or NULL: no connection is free,
 * or no memory.
 */
ngx_connection_t *ngx_wschat_bus_enter(ngx_cycle_t *cycle);

/* Frees the own slot, and listens no more. */
void ngx_wschat_bus_leave(void);

/*
 * Finds the slots whose worker, or whose sweeper, is gone: they are swept by
 * us, and their rings are to be read.  "slow" finds also those whose pid was
 * given to another process.
 */
void ngx_wschat_bus_check(ngx_uint_t slow);

/*
 * Calls the handler for what this worker sweeps, each after the dead worker's
 * ring was read to the end.
 */
void ngx_wschat_bus_deaths(void);

/*
 * Rings the doorbells of these slots, but for the own one, after a full
 * barrier: what was stored before is seen by who is awakened ([C], [D]).
 */
void ngx_wschat_bus_wake(uint64_t slots);

/*
 * The slots that have rung since the last call.  Has a full barrier: what they
 * have stored before is seen afterwards ([C]).
 */
uint64_t ngx_wschat_bus_rung(void);


/*
 * ngx_wschat_bus_writer.c
 */

/* how long a reader may keep the queue waiting, in milliseconds */
#define NGX_WSCHAT_BUS_PATIENCE       5000

/* Puts the own slot's ring in order, before others see us alive. */
void ngx_wschat_bus_start_writer(ngx_log_t *log);

/*
 * Writes what is queued, waits for readers up to half a second, and gives up
 * on those that are still behind.
 */
void ngx_wschat_bus_stop_writer(void);

/* Moves what there is space for from the queue to the ring. */
void ngx_wschat_bus_flush(void);

/*
 * Gives up on the readers that have not moved for so many milliseconds while
 * the queue waits for them.
 */
void ngx_wschat_bus_stalled(ngx_msec_t patience);


/*
 * ngx_wschat_bus_reader.c
 */

/* NGX_ERROR: no memory. */
ngx_int_t ngx_wschat_bus_start_reader(ngx_log_t *log);

/* Starts reading all rings where they stand, once others see us alive. */
void ngx_wschat_bus_attach_all(void);

/* Reads no more; nobody waits for us from now on. */
void ngx_wschat_bus_stop_reader(void);

/* Adds to "todo" all rings with something to read, whoever has rung. */
void ngx_wschat_bus_look(void);

/*
 * Reads the rings of those that have rung, and those in "todo", within limits:
 * what is left is read from b->next.  Then flushes, as readers may have rung
 * to tell of free space.
 */
void ngx_wschat_bus_run(void);


#endif /* _NGX_WSCHAT_BUS_INT_H_INCLUDED_ */
