
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the rings, the doorbells and the slots, and who waits for whom.
 * Never knows what a record means, nor what a dead worker leaves behind.
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
#include <sys/eventfd.h>


#define NGX_WSCHAT_BUS_MIN_RING       (64 * 1024)
#define NGX_WSCHAT_BUS_MAX_RING       (256 * 1024 * 1024)

#define NGX_WSCHAT_BUS_FREE           0
#define NGX_WSCHAT_BUS_LIVE           1
#define NGX_WSCHAT_BUS_SWEEPING       2

#define NGX_WSCHAT_BUS_VERSION        1

#define NGX_WSCHAT_BUS_FIRST          1
#define NGX_WSCHAT_BUS_FILLER         2

/* a reader's work per run, then the other events have their turn */
#define NGX_WSCHAT_BUS_RUN_RECORDS    512
#define NGX_WSCHAT_BUS_RUN_BYTES      (1024 * 1024)

#define NGX_WSCHAT_BUS_TICK           1000
#define NGX_WSCHAT_BUS_SLOW_CHECK     10       /* ticks */
#define NGX_WSCHAT_BUS_CHECK_PAUSE    100
#define NGX_WSCHAT_BUS_PATIENCE       5000
#define NGX_WSCHAT_BUS_HASTE          1000     /* queue is half full */

#define NGX_WSCHAT_BUS_EXIT_STEP      10
#define NGX_WSCHAT_BUS_EXIT_STEPS     50


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


/* the zone's data, of one configuration */

typedef struct {
    ngx_wschat_bus_shm_t         *shm;
    size_t                        ring;
    size_t                        queue;
} ngx_wschat_bus_conf_t;


/*
 * A record that waits for space in the ring.  A slot claimed since then has
 * another owner than the one it is for.
 */

typedef struct {
    ngx_queue_t                   queue;
    uint64_t                      slots;
    uint64_t                      claims;
    size_t                        len;
    size_t                        sent;
    u_char                        data[1];
} ngx_wschat_bus_node_t;


/* this worker as a reader of one ring */

typedef struct {
    uint64_t                      pos;
    uint64_t                      told;        /* where the writer was rung */

    /* a long record that is being joined, if data is not NULL */
    u_char                       *data;
    size_t                        len;
    size_t                        size;
    ngx_uint_t                    rest;

    time_t                        warned;
} ngx_wschat_bus_reader_t;


/* this worker's view of another one that reads its ring */

typedef struct {
    uint64_t                      pos;
    ngx_msec_t                    since;
    time_t                        warned;
} ngx_wschat_bus_watch_t;


typedef struct {
    ngx_wschat_bus_shm_t         *shm;
    ngx_wschat_bus_handlers_t    *handlers;
    ngx_connection_t             *bell;

    ngx_uint_t                    slot;
    uint32_t                      generation;

    u_char                       *rings;
    size_t                        ring;
    size_t                        piece;       /* longest data in a ring */
    size_t                        limit;       /* of the queue, bytes */

    /* the writer */
    uint64_t                      pos;
    uint64_t                      room;        /* may be written up to here */
    uint64_t                      check;       /* or look at readers before */
    ngx_queue_t                   queue;
    size_t                        queued;
    ngx_wschat_bus_watch_t        watches[NGX_WSCHAT_SLOTS];

    /* the reader */
    uint64_t                      todo;
    ngx_uint_t                    rotor;
    uint64_t                      corrupt;     /* reported already */
    u_char                       *buf;
    ngx_wschat_bus_reader_t       readers[NGX_WSCHAT_SLOTS];

    /* the sweeper */
    uint64_t                      sweeps;
    uint64_t                      deaths;      /* handler not yet called */
    ngx_msec_t                    checked;
    ngx_uint_t                    ticks;

    ngx_event_t                   next;
    ngx_event_t                   toll;        /* rings these slots */
    uint64_t                      ringing;
    ngx_event_t                   tick;

    ngx_wschat_bus_stat_t         stat;
} ngx_wschat_bus_t;


static ngx_int_t ngx_wschat_bus_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_wschat_bus_conf_t *ngx_wschat_bus_conf(ngx_cycle_t *cycle);
static ngx_int_t ngx_wschat_bus_doorbells(ngx_log_t *log);

static ngx_int_t ngx_wschat_bus_claim(ngx_log_t *log);
static void ngx_wschat_bus_repair(void);
static void ngx_wschat_bus_fill(uint64_t pos, uint64_t len);
static void ngx_wschat_bus_attach(ngx_uint_t from);
static ngx_int_t ngx_wschat_bus_listen(ngx_cycle_t *cycle);
static void ngx_wschat_bus_check(ngx_uint_t slow);
static ngx_uint_t ngx_wschat_bus_is_dead(ngx_uint_t slot, uint64_t word,
    ngx_uint_t slow);
static uint32_t ngx_wschat_bus_birth(ngx_pid_t pid);
static void ngx_wschat_bus_deaths(void);

static ngx_int_t ngx_wschat_bus_write(ngx_wschat_bus_record_t *rec,
    ngx_str_t *parts, ngx_uint_t n);
static ngx_int_t ngx_wschat_bus_enqueue(uint64_t slots, ngx_str_t *parts,
    ngx_uint_t n, size_t len);
static void ngx_wschat_bus_flush(void);
static void ngx_wschat_bus_readdress(ngx_wschat_bus_node_t *node);
static void ngx_wschat_bus_dequeue(ngx_wschat_bus_node_t *node);
static ngx_int_t ngx_wschat_bus_room(uint64_t end);
static ngx_int_t ngx_wschat_bus_position(ngx_uint_t slot, uint64_t *pos);
static void ngx_wschat_bus_watch(void);
static void ngx_wschat_bus_stalled(ngx_msec_t patience);
static ngx_int_t ngx_wschat_bus_give_up_slowest(void);
static void ngx_wschat_bus_give_up(ngx_uint_t slot);
static void ngx_wschat_bus_ring(uint64_t slots);
static void ngx_wschat_bus_toll_handler(ngx_event_t *ev);

static void ngx_wschat_bus_bell_handler(ngx_event_t *ev);
static void ngx_wschat_bus_next_handler(ngx_event_t *ev);
static void ngx_wschat_bus_tick_handler(ngx_event_t *ev);
static void ngx_wschat_bus_run(void);
static ngx_int_t ngx_wschat_bus_read(ngx_uint_t from, ngx_uint_t *records,
    size_t *bytes);
static void ngx_wschat_bus_advance(ngx_uint_t from);
static void ngx_wschat_bus_deliver(ngx_uint_t from,
    ngx_wschat_bus_record_t *rec);
static void ngx_wschat_bus_lost(ngx_uint_t from, char *why);


static ngx_str_t         ngx_wschat_bus_name = ngx_string("ngx_wschat_bus");

/* its address is the zone's tag: it stays the same over reloads */
static ngx_uint_t        ngx_wschat_bus_tag;

/*
 * The master's: inherited by all workers, whatever their generation, so that
 * slots need not be known before a worker is forked.
 */
static int               ngx_wschat_bus_bells[NGX_WSCHAT_SLOTS];
static void             *ngx_wschat_bus_bells_of;
static ngx_uint_t        ngx_wschat_bus_have_bells;

/* the worker's */
static ngx_wschat_bus_t  ngx_wschat_bus = { .slot = NGX_WSCHAT_SLOTS };


ngx_int_t
ngx_wschat_bus_add(ngx_conf_t *cf, size_t ring, size_t queue)
{
    size_t                  size, total;
    ngx_shm_zone_t         *zone;
    ngx_wschat_bus_conf_t  *conf;

    size = NGX_WSCHAT_BUS_MIN_RING;

    while (size < ring && size < NGX_WSCHAT_BUS_MAX_RING) {
        size *= 2;
    }

    if (size < ring) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wschat bus: a ring of %uz bytes is too large",
                           ring);
        return NGX_ERROR;
    }

    /* the slab pool needs 24 bytes per page, and some for itself */

    total = ngx_align(sizeof(ngx_wschat_bus_shm_t), ngx_pagesize)
            + NGX_WSCHAT_SLOTS * size;
    total += total / 128 + 8 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &ngx_wschat_bus_name, total,
                                 &ngx_wschat_bus_tag);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    if (zone->data != NULL) {
        conf = zone->data;
        conf->queue = ngx_max(conf->queue, queue);
        return NGX_OK;
    }

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wschat_bus_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    conf->ring = size;
    conf->queue = queue;

    zone->init = ngx_wschat_bus_init_zone;
    zone->data = conf;

    return NGX_OK;
}


/*
 * The rings are one allocation made while the pool is pristine, so it is
 * contiguous; its pages stay untouched, thus zero.  Only what is looked at
 * before a slot is claimed must be known to be zero.
 */

static ngx_int_t
ngx_wschat_bus_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t        *shpool;
    ngx_wschat_bus_conf_t  *conf, *old;

    conf = zone->data;
    old = data;

    if (old != NULL) {
        conf->shm = old->shm;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        conf->shm = shpool->data;
        return NGX_OK;
    }

    conf->shm = ngx_slab_alloc(shpool,
                               ngx_align(sizeof(ngx_wschat_bus_shm_t),
                                         ngx_pagesize)
                               + NGX_WSCHAT_SLOTS * conf->ring);
    if (conf->shm == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(conf->shm, offsetof(ngx_wschat_bus_shm_t, cursors));

    shpool->data = conf->shm;

    return NGX_OK;
}


/*
 * The configuration is taken from the cycle: a static set while a bad
 * configuration was read would mislead the workers forked afterwards.
 */

static ngx_wschat_bus_conf_t *
ngx_wschat_bus_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    part = &cycle->shared_memory.part;
    zone = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            zone = part->elts;
            i = 0;
        }

        if (zone[i].tag == &ngx_wschat_bus_tag) {
            return zone[i].data;
        }
    }
}


ngx_int_t
ngx_wschat_bus_init_module(ngx_cycle_t *cycle)
{
    void                   *shm;
    ngx_uint_t              moves;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_conf_t  *conf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    b = &ngx_wschat_bus;
    conf = ngx_wschat_bus_conf(cycle);
    shm = (conf != NULL) ? conf->shm : NULL;

    /*
     * Only a single process has a slot here.  Its hooks are not called on
     * reload, and the old zone is about to be unmapped.
     */

    moves = (b->slot != NGX_WSCHAT_SLOTS && shm != b->shm);

    if (moves) {
        ngx_wschat_bus_exit_process(cycle);
    }

    if (shm != NULL && shm != ngx_wschat_bus_bells_of) {

        /*
         * On a fresh bus the slots begin anew, and the workers of the bus
         * before must not take the bells of the new ones.  If that fails
         * on a reload, they do, and the tick makes up for it; an error here
         * would end the master.
         */

        if (ngx_wschat_bus_doorbells(cycle->log) != NGX_OK
            && !ngx_wschat_bus_have_bells)
        {
            return NGX_ERROR;
        }
    }

    ngx_wschat_bus_bells_of = shm;

    if (moves) {
        return ngx_wschat_bus_init_process(cycle, b->handlers);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_bus_doorbells(ngx_log_t *log)
{
    int         fds[NGX_WSCHAT_SLOTS];
    ngx_uint_t  i;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (fds[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "wschat bus: eventfd() failed");

            while (i--) {
                (void) close(fds[i]);
            }

            return NGX_ERROR;
        }
    }

    if (ngx_wschat_bus_have_bells) {
        for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
            (void) close(ngx_wschat_bus_bells[i]);
        }
    }

    ngx_memcpy(ngx_wschat_bus_bells, fds, sizeof(fds));
    ngx_wschat_bus_have_bells = 1;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_bus_init_process(ngx_cycle_t *cycle,
    ngx_wschat_bus_handlers_t *handlers)
{
    ngx_uint_t              i;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_conf_t  *conf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    b = &ngx_wschat_bus;

    ngx_memzero(b, sizeof(ngx_wschat_bus_t));

    b->slot = NGX_WSCHAT_SLOTS;
    b->handlers = handlers;
    ngx_queue_init(&b->queue);

    conf = ngx_wschat_bus_conf(cycle);
    if (conf == NULL) {
        return NGX_OK;
    }

    b->shm = conf->shm;
    b->rings = (u_char *) conf->shm
               + ngx_align(sizeof(ngx_wschat_bus_shm_t), ngx_pagesize);
    b->ring = conf->ring;
    b->piece = conf->ring / 4 - sizeof(ngx_wschat_bus_record_t);
    b->limit = conf->queue;

    b->buf = ngx_alloc(b->piece, cycle->log);
    if (b->buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_wschat_bus_claim(cycle->log) != NGX_OK) {
        goto failed;
    }

    ngx_wschat_bus_repair();

    /* bells up to now are about what happened before the rings were looked at,
     * or about what the first run will find */

    ngx_wschat_bus_poke(&b->shm->rung[b->slot].slots, 0);

    if (ngx_wschat_bus_listen(cycle) != NGX_OK) {
        goto failed;
    }

    (void) __atomic_fetch_or(&b->shm->live, ngx_wschat_bus_bit(b->slot),
                             __ATOMIC_SEQ_CST);

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        ngx_wschat_bus_attach(i);
        b->readers[i].told = b->readers[i].pos;
    }

    ngx_wschat_bus_check(1);

    ngx_post_event(&b->next, &ngx_posted_next_events);

    return NGX_OK;

failed:

    ngx_wschat_bus_exit_process(cycle);

    return NGX_ERROR;
}


static ngx_int_t
ngx_wschat_bus_claim(ngx_log_t *log)
{
    uint32_t           generation;
    uint64_t           word;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    /* the lowest ones first: that keeps the rings in use few */

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        word = ngx_wschat_bus_load(&b->shm->words[i]);

        if (ngx_wschat_bus_word_state(word) != NGX_WSCHAT_BUS_FREE) {
            continue;
        }

        generation = ngx_wschat_bus_word_generation(word) + 1;
        if (generation == 0) {
            generation = 1;
        }

        if (!__atomic_compare_exchange_n(&b->shm->words[i], &word,
                                         ngx_wschat_bus_word(generation,
                                                      ngx_pid,
                                                      NGX_WSCHAT_BUS_LIVE),
                                         0, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
        {
            continue;
        }

        ngx_wschat_bus_store(&b->shm->births[i],
                             (uint64_t) generation << 32
                             | ngx_wschat_bus_birth(ngx_pid));
        ngx_wschat_bus_store(&b->shm->claimed[i],
                             __atomic_add_fetch(&b->shm->claims, 1,
                                                __ATOMIC_SEQ_CST));

        b->slot = i;
        b->generation = generation;

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                       "wschat bus: slot %ui, generation %uD", i, generation);

        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ALERT, log, 0, "wschat bus: all %d slots are in use",
                  NGX_WSCHAT_SLOTS);

    return NGX_ERROR;
}


/*
 * The slot's last owner may have been killed while it was writing.  Readers
 * could have lost what it was about to overwrite, so "reserve" must not go
 * back; the space gets published as fillers.
 */

static void
ngx_wschat_bus_repair(void)
{
    uint64_t                pos, rest, len;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_ring_t  *ring;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[b->slot];

    pos = ngx_wschat_bus_load(&ring->publish);
    rest = ngx_wschat_bus_load(&ring->reserve) - pos;

    while (rest) {
        len = ngx_min(rest, b->ring - (pos & (b->ring - 1)));
        ngx_wschat_bus_fill(pos, len);
        pos += len;
        rest -= len;
    }

    ngx_wschat_bus_store(&ring->publish, pos);
    ngx_wschat_bus_poke(&ring->waiting, 0);

    b->pos = pos;
}


static void
ngx_wschat_bus_fill(uint64_t pos, uint64_t len)
{
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_record_t   rec;

    b = &ngx_wschat_bus;

    rec.len = (uint32_t) (len - sizeof(ngx_wschat_bus_record_t));
    rec.version = NGX_WSCHAT_BUS_VERSION;
    rec.flags = NGX_WSCHAT_BUS_FILLER;
    rec.rest = 0;
    rec.slots = 0;

    ngx_memcpy(ngx_wschat_bus_at(b, b->slot, pos), &rec,
               sizeof(ngx_wschat_bus_record_t));
}


/*
 * Starts reading a ring at its end, for the first time, or again after the
 * writer has given up on us.  The writer may look at any moment: first it sees
 * a position that is too low, which is harmless, then that we are there; and
 * if it had looked before, then "publish" is where it was or further ([E]).
 */

static void
ngx_wschat_bus_attach(ngx_uint_t from)
{
    uint64_t                  pos;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_cursor_t  *cursor;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[from];
    cursor = &b->shm->cursors[b->slot][from];

    ngx_wschat_bus_store(&cursor->position,
                         ngx_wschat_bus_load(&ring->publish));
    ngx_wschat_bus_store(&cursor->given_up, 0);
    ngx_wschat_bus_store(&cursor->attached, b->generation);

    ngx_wschat_bus_barrier();

    pos = ngx_wschat_bus_load(&ring->publish);
    ngx_wschat_bus_store(&cursor->position, pos);

    b->readers[from].pos = pos;
}


static ngx_int_t
ngx_wschat_bus_listen(ngx_cycle_t *cycle)
{
    int                fd;
    uint64_t           count;
    ngx_connection_t  *c;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    fd = ngx_wschat_bus_bells[b->slot];

    while (read(fd, &count, sizeof(uint64_t)) > 0) { /* void */ }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    /* the descriptor is the master's and stays open; "channel" exempts the
     * connection from the search for open ones when the worker exits */

    c->shared = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_wschat_bus_bell_handler;

    b->bell = c;

    b->next.handler = ngx_wschat_bus_next_handler;
    b->next.data = c;
    b->next.log = cycle->log;

    b->toll.handler = ngx_wschat_bus_toll_handler;
    b->toll.data = c;
    b->toll.log = cycle->log;

    b->tick.handler = ngx_wschat_bus_tick_handler;
    b->tick.data = c;
    b->tick.log = cycle->log;
    b->tick.cancelable = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&b->tick, NGX_WSCHAT_BUS_TICK);

    return NGX_OK;
}


void
ngx_wschat_bus_exit_process(ngx_cycle_t *cycle)
{
    uint64_t           word, waiting;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    if (b->slot != NGX_WSCHAT_SLOTS) {

        if (b->toll.posted) {
            ngx_delete_posted_event(&b->toll);
            ngx_wschat_bus_toll_handler(&b->toll);
        }

        /* nobody should wait for us while we wait for others */

        for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
            ngx_wschat_bus_store(&b->shm->cursors[b->slot][i].attached, 0);
        }

        ngx_wschat_bus_barrier();                                    /* [D] */

        waiting = 0;

        for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
            if (ngx_wschat_bus_peek(&b->shm->rings[i].waiting)) {
                waiting |= ngx_wschat_bus_bit(i);
            }
        }

        ngx_wschat_bus_ring(waiting & ngx_wschat_bus_live());

        ngx_wschat_bus_flush();

        for (i = 0; i < NGX_WSCHAT_BUS_EXIT_STEPS; i++) {
            if (ngx_queue_empty(&b->queue)) {
                break;
            }

            ngx_msleep(NGX_WSCHAT_BUS_EXIT_STEP);
            ngx_wschat_bus_check(0);
            ngx_wschat_bus_flush();
        }

        /* who still does not read shall know that it has lost something */

        while (!ngx_queue_empty(&b->queue)
               && ngx_wschat_bus_give_up_slowest() == NGX_OK)
        {
            ngx_wschat_bus_flush();
        }

        (void) __atomic_fetch_and(&b->shm->live, ~ngx_wschat_bus_bit(b->slot),
                                  __ATOMIC_SEQ_CST);

        word = ngx_wschat_bus_word(b->generation, ngx_pid,
                                   NGX_WSCHAT_BUS_LIVE);

        (void) __atomic_compare_exchange_n(&b->shm->words[b->slot], &word,
                                           ngx_wschat_bus_word(b->generation,
                                                        0,
                                                        NGX_WSCHAT_BUS_FREE),
                                           0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);

        b->slot = NGX_WSCHAT_SLOTS;
        b->generation = 0;
    }

    if (b->bell != NULL) {
        if (b->bell->read->active) {
            (void) ngx_del_event(b->bell->read, NGX_READ_EVENT, 0);
        }

        ngx_close_connection(b->bell);
        b->bell = NULL;
    }

    if (b->next.posted) {
        ngx_delete_posted_event(&b->next);
    }

    if (b->tick.timer_set) {
        ngx_del_timer(&b->tick);
    }

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (b->readers[i].data != NULL) {
            ngx_free(b->readers[i].data);
            b->readers[i].data = NULL;
        }
    }

    if (b->buf != NULL) {
        ngx_free(b->buf);
        b->buf = NULL;
    }
}


ngx_uint_t
ngx_wschat_bus_slot(void)
{
    return ngx_wschat_bus.slot;
}


uint32_t
ngx_wschat_bus_generation(void)
{
    return ngx_wschat_bus.generation;
}


uint64_t
ngx_wschat_bus_live(void)
{
    if (ngx_wschat_bus.slot == NGX_WSCHAT_SLOTS) {
        return 0;
    }

    return ngx_wschat_bus_load(&ngx_wschat_bus.shm->live);
}


void
ngx_wschat_bus_stat(ngx_wschat_bus_stat_t *stat)
{
    *stat = ngx_wschat_bus.stat;
}


ngx_int_t
ngx_wschat_bus_send(uint64_t slots, ngx_str_t *parts, ngx_uint_t n)
{
    size_t                    len;
    ngx_uint_t                i;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_record_t   rec;

    b = &ngx_wschat_bus;

    if (b->slot == NGX_WSCHAT_SLOTS) {
        return NGX_OK;
    }

    slots &= ngx_wschat_bus_load(&b->shm->live)
             & ~ngx_wschat_bus_bit(b->slot);

    if (slots == 0) {
        return NGX_OK;
    }

    len = 0;

    for (i = 0; i < n; i++) {
        if (parts[i].len > NGX_WSCHAT_BUS_MAX_RECORD - len) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "wschat bus: a record of more than %d bytes",
                          NGX_WSCHAT_BUS_MAX_RECORD);
            return NGX_ERROR;
        }

        len += parts[i].len;
    }

    if (len > b->piece || !ngx_queue_empty(&b->queue)) {
        return ngx_wschat_bus_enqueue(slots, parts, n, len);
    }

    rec.len = (uint32_t) len;
    rec.version = NGX_WSCHAT_BUS_VERSION;
    rec.flags = NGX_WSCHAT_BUS_FIRST;
    rec.rest = 0;
    rec.slots = slots;

    if (ngx_wschat_bus_write(&rec, parts, n) != NGX_OK) {
        return ngx_wschat_bus_enqueue(slots, parts, n, len);
    }

    b->stat.sent++;

    /* one bell for all that this turn of the event loop writes */

    b->ringing |= slots;
    ngx_post_event(&b->toll, &ngx_posted_events);

    return NGX_OK;
}


/*
 * Writes one piece, NGX_AGAIN if there is no space for it.  Ringing is left to
 * the caller.
 */

static ngx_int_t
ngx_wschat_bus_write(ngx_wschat_bus_record_t *rec, ngx_str_t *parts,
    ngx_uint_t n)
{
    u_char                 *p;
    uint64_t                pos, end, step, tail;
    ngx_uint_t              i;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_ring_t  *ring;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[b->slot];

    pos = b->pos;
    step = ngx_wschat_bus_align(sizeof(ngx_wschat_bus_record_t) + rec->len);

    /* records do not wrap */

    tail = b->ring - (pos & (b->ring - 1));
    if (tail >= step) {
        tail = 0;
    }

    end = pos + tail + step;

    if (end > b->check && ngx_wschat_bus_room(end) != NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_wschat_bus_poke(&ring->reserve, end);
    __atomic_thread_fence(__ATOMIC_RELEASE);                         /* [A] */

    if (tail) {
        ngx_wschat_bus_fill(pos, tail);
        pos += tail;
    }

    p = ngx_cpymem(ngx_wschat_bus_at(b, b->slot, pos), rec,
                   sizeof(ngx_wschat_bus_record_t));

    for (i = 0; i < n; i++) {
        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    ngx_wschat_bus_store(&ring->publish, end);                       /* [B] */

    b->pos = end;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_bus_enqueue(uint64_t slots, ngx_str_t *parts, ngx_uint_t n,
    size_t len)
{
    u_char                 *p;
    ngx_uint_t              i;
    ngx_wschat_bus_t       *b;
    ngx_wschat_bus_node_t  *node;

    b = &ngx_wschat_bus;

    node = ngx_alloc(offsetof(ngx_wschat_bus_node_t, data) + len,
                     ngx_cycle->log);
    if (node == NULL) {
        return NGX_ERROR;
    }

    /* after "live": who was seen there has been counted */

    node->slots = slots;
    node->claims = ngx_wschat_bus_load(&b->shm->claims);
    node->len = len;
    node->sent = 0;

    p = node->data;

    for (i = 0; i < n; i++) {
        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }

    if (ngx_queue_empty(&b->queue)) {
        ngx_wschat_bus_watch();
    }

    ngx_queue_insert_tail(&b->queue, &node->queue);
    b->queued += sizeof(ngx_wschat_bus_node_t) + len;
    b->stat.sent++;

    ngx_wschat_bus_flush();

    if (ngx_queue_empty(&b->queue)) {
        return NGX_OK;
    }

    b->stat.queued++;

    if (ngx_current_msec - b->checked >= NGX_WSCHAT_BUS_CHECK_PAUSE) {
        ngx_wschat_bus_check(0);
        ngx_wschat_bus_flush();
    }

    /*
     * The fuller the queue, the shorter the patience, so that those who only
     * suffer from the stalled one still find space here to catch up.
     */

    if (b->queued > b->limit / 2 && b->queued < b->limit) {
        ngx_wschat_bus_stalled((ngx_msec_t) (NGX_WSCHAT_BUS_HASTE
                                             * (b->limit - b->queued)
                                             / (b->limit / 2)));
    }

    while (b->queued > b->limit
           && ngx_queue_head(&b->queue) != ngx_queue_last(&b->queue)
           && ngx_wschat_bus_give_up_slowest() == NGX_OK)
    {
        ngx_wschat_bus_flush();
    }

    return NGX_OK;
}


/* Moves what there is space for from the queue to the ring. */

static void
ngx_wschat_bus_flush(void)
{
    size_t                    left, len;
    uint64_t                  slots;
    ngx_str_t                 part;
    ngx_queue_t              *q;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_node_t    *node;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_record_t   rec;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[b->slot];
    slots = 0;

    while (!ngx_queue_empty(&b->queue)) {
        q = ngx_queue_head(&b->queue);
        node = ngx_queue_data(q, ngx_wschat_bus_node_t, queue);

        ngx_wschat_bus_readdress(node);

        left = node->len - node->sent;
        len = ngx_min(left, b->piece);

        rec.len = (uint32_t) len;
        rec.version = NGX_WSCHAT_BUS_VERSION;
        rec.flags = (node->sent == 0) ? NGX_WSCHAT_BUS_FIRST : 0;
        rec.rest = (uint16_t) ((left - len + b->piece - 1) / b->piece);
        rec.slots = node->slots;

        part.data = node->data + node->sent;
        part.len = len;

        if (ngx_wschat_bus_write(&rec, &part, 1) != NGX_OK) {

            if (ngx_wschat_bus_peek(&ring->waiting)) {
                break;
            }

            /* [D]: say it, then look once more; the barrier is in room() */

            ngx_wschat_bus_poke(&ring->waiting, 1);
            continue;
        }

        slots |= node->slots;
        node->sent += len;

        if (rec.rest == 0) {
            ngx_wschat_bus_dequeue(node);
        }
    }

    if (ngx_queue_empty(&b->queue) && ngx_wschat_bus_peek(&ring->waiting)) {
        ngx_wschat_bus_poke(&ring->waiting, 0);
    }

    if (slots) {
        ngx_wschat_bus_ring(slots);
    }
}


static void
ngx_wschat_bus_readdress(ngx_wschat_bus_node_t *node)
{
    uint64_t           slots;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    if (ngx_wschat_bus_load(&b->shm->claims) == node->claims) {
        return;
    }

    slots = node->slots;

    while (slots) {
        i = ngx_wschat_bus_first(slots);
        slots &= slots - 1;

        if (ngx_wschat_bus_load(&b->shm->claimed[i]) > node->claims) {
            node->slots &= ~ngx_wschat_bus_bit(i);
        }
    }
}


static void
ngx_wschat_bus_dequeue(ngx_wschat_bus_node_t *node)
{
    ngx_wschat_bus.queued -= sizeof(ngx_wschat_bus_node_t) + node->len;

    ngx_queue_remove(&node->queue);
    ngx_free(node);
}


/*
 * Looks how far the readers are; NGX_OK if the ring may be written up to
 * "end".  The result is kept, so that this is done when it no longer
 * suffices, but also halfway, to ring those who are behind: a reader that
 * no record was for has had no reason to move.
 */

static ngx_int_t
ngx_wschat_bus_room(uint64_t end)
{
    uint64_t           live, behind, min, pos;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    ngx_wschat_bus_barrier();                                   /* [D] [E] */

    min = b->pos;
    behind = 0;

    live = ngx_wschat_bus_load(&b->shm->live)
           & ~ngx_wschat_bus_bit(b->slot);

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        if (ngx_wschat_bus_position(i, &pos) != NGX_OK) {
            continue;
        }

        if (pos < min) {
            min = pos;
        }

        if (pos + b->ring / 4 < b->pos) {
            behind |= ngx_wschat_bus_bit(i);
        }
    }

    b->room = min + b->ring;
    b->check = ngx_min(b->room,
                       ngx_max(min + b->ring / 2, end + b->ring / 8));

    if (behind) {
        ngx_wschat_bus_ring(behind);
    }

    return (end <= b->room) ? NGX_OK : NGX_AGAIN;
}


/* Where a reader of our ring is; NGX_DECLINED if it is not waited for. */

static ngx_int_t
ngx_wschat_bus_position(ngx_uint_t slot, uint64_t *pos)
{
    uint32_t                  generation;
    uint64_t                  word;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_cursor_t  *cursor;

    b = &ngx_wschat_bus;

    word = ngx_wschat_bus_load(&b->shm->words[slot]);
    generation = ngx_wschat_bus_word_generation(word);
    cursor = &b->shm->cursors[slot][b->slot];

    if (ngx_wschat_bus_word_state(word) != NGX_WSCHAT_BUS_LIVE
        || ngx_wschat_bus_load(&cursor->attached) != generation
        || ngx_wschat_bus_load(&cursor->given_up) == generation)
    {
        return NGX_DECLINED;
    }

    *pos = ngx_wschat_bus_load(&cursor->position);                   /* [B] */

    return NGX_OK;
}


/* The queue begins to wait for readers: since when, and where they are. */

static void
ngx_wschat_bus_watch(void)
{
    uint64_t           live;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    live = ngx_wschat_bus_live() & ~ngx_wschat_bus_bit(b->slot);

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        (void) ngx_wschat_bus_position(i, &b->watches[i].pos);
        b->watches[i].since = ngx_current_msec;
    }
}


/*
 * Gives up on the readers that have not moved for so long while the queue
 * waits for them.  They are looked for before anything is written: then those
 * who are not behind have just shown it.
 */

static void
ngx_wschat_bus_stalled(ngx_msec_t patience)
{
    uint64_t                 live, stalled, pos;
    ngx_uint_t               i;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_watch_t  *watch;

    b = &ngx_wschat_bus;

    if (ngx_queue_empty(&b->queue)) {
        return;
    }

    live = ngx_wschat_bus_live() & ~ngx_wschat_bus_bit(b->slot);
    stalled = 0;

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        watch = &b->watches[i];

        if (ngx_wschat_bus_position(i, &pos) != NGX_OK) {
            continue;
        }

        if (pos != watch->pos || pos == b->pos) {
            watch->pos = pos;
            watch->since = ngx_current_msec;
            continue;
        }

        if (ngx_current_msec - watch->since >= patience) {
            stalled |= ngx_wschat_bus_bit(i);
        }
    }

    if (stalled == 0) {
        return;
    }

    while (stalled) {
        i = ngx_wschat_bus_first(stalled);
        stalled &= stalled - 1;

        ngx_wschat_bus_give_up(i);
    }

    ngx_wschat_bus_flush();
}


/* NGX_DECLINED: nobody is behind. */

static ngx_int_t
ngx_wschat_bus_give_up_slowest(void)
{
    uint64_t           live, pos, min;
    ngx_uint_t         i, slot;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    min = b->pos;
    slot = NGX_WSCHAT_SLOTS;

    live = ngx_wschat_bus_live() & ~ngx_wschat_bus_bit(b->slot);

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        if (ngx_wschat_bus_position(i, &pos) == NGX_OK && pos < min) {
            min = pos;
            slot = i;
        }
    }

    if (slot == NGX_WSCHAT_SLOTS) {
        return NGX_DECLINED;
    }

    ngx_wschat_bus_give_up(slot);

    return NGX_OK;
}


/*
 * Under lasting overload this, and the reader's loss, happen many times a
 * second, one of which is worth a warning.
 */

static void
ngx_wschat_bus_give_up(ngx_uint_t slot)
{
    uint64_t                 word;
    ngx_uint_t               level;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_watch_t  *watch;

    b = &ngx_wschat_bus;
    watch = &b->watches[slot];

    word = ngx_wschat_bus_load(&b->shm->words[slot]);

    ngx_wschat_bus_store(&b->shm->cursors[slot][b->slot].given_up,
                         ngx_wschat_bus_word_generation(word));
    b->stat.given_up++;

    level = (watch->warned != ngx_time()) ? NGX_LOG_WARN : NGX_LOG_INFO;
    watch->warned = ngx_time();

    ngx_log_error(level, ngx_cycle->log, 0,
                  "wschat bus: slot %ui gives up on slot %ui (pid %P), "
                  "%uz bytes are waiting for it",
                  b->slot, slot, ngx_wschat_bus_word_pid(word), b->queued);
}


/*
 * A reader that has not taken notice of our bell yet needs no other one, and
 * one that was rung by anybody needs no second write().
 */

static void
ngx_wschat_bus_ring(uint64_t slots)
{
    uint64_t           bit, count, *rung;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    bit = ngx_wschat_bus_bit(b->slot);
    slots &= ~bit;
    count = 1;

    ngx_wschat_bus_barrier();                                   /* [C] [D] */

    while (slots) {
        i = ngx_wschat_bus_first(slots);
        slots &= slots - 1;

        rung = &b->shm->rung[i].slots;

        if ((ngx_wschat_bus_peek(rung) & bit)
            || __atomic_fetch_or(rung, bit, __ATOMIC_SEQ_CST) != 0)
        {
            continue;
        }

        if (write(ngx_wschat_bus_bells[i], &count, sizeof(uint64_t)) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          "wschat bus: write() to eventfd failed");
            continue;
        }

        b->stat.bells++;
    }
}


static void
ngx_wschat_bus_toll_handler(ngx_event_t *ev)
{
    uint64_t           slots;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    slots = b->ringing;
    b->ringing = 0;

    ngx_wschat_bus_ring(slots);
}


static void
ngx_wschat_bus_bell_handler(ngx_event_t *ev)
{
    uint64_t           count;
    ngx_connection_t  *c;

    c = ev->data;

    /*
     * Before "rung" is cleared: a bell of a later record must not be taken
     * here, as its writer would not ring again.
     */

    if (read(c->fd, &count, sizeof(uint64_t)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "wschat bus: read() from eventfd failed");
    }

    ngx_wschat_bus_run();
}


static void
ngx_wschat_bus_next_handler(ngx_event_t *ev)
{
    ngx_wschat_bus_run();
    ngx_wschat_bus_deaths();
}


static void
ngx_wschat_bus_tick_handler(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    ngx_add_timer(&b->tick, NGX_WSCHAT_BUS_TICK);

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (ngx_wschat_bus_load(&b->shm->rings[i].publish)
            != b->readers[i].pos)
        {
            b->todo |= ngx_wschat_bus_bit(i);
        }
    }

    ngx_wschat_bus_check(b->ticks++ % NGX_WSCHAT_BUS_SLOW_CHECK == 0);

    ngx_wschat_bus_run();

    ngx_wschat_bus_stalled(NGX_WSCHAT_BUS_PATIENCE);
}


static void
ngx_wschat_bus_run(void)
{
    size_t             bytes;
    ngx_uint_t         i, from, records;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    b->todo |= __atomic_exchange_n(&b->shm->rung[b->slot].slots, 0,
                                   __ATOMIC_SEQ_CST);
    b->todo &= ~ngx_wschat_bus_bit(b->slot);

    ngx_wschat_bus_barrier();                                        /* [C] */

    records = NGX_WSCHAT_BUS_RUN_RECORDS;
    bytes = NGX_WSCHAT_BUS_RUN_BYTES;

    for (i = 0; i < NGX_WSCHAT_SLOTS && b->todo; i++) {
        from = b->rotor;
        b->rotor = (from + 1) % NGX_WSCHAT_SLOTS;

        if (!(b->todo & ngx_wschat_bus_bit(from))) {
            continue;
        }

        if (ngx_wschat_bus_read(from, &records, &bytes) != NGX_OK) {
            break;
        }

        b->todo &= ~ngx_wschat_bus_bit(from);
    }

    if (b->todo) {
        ngx_post_event(&b->next, &ngx_posted_next_events);
    }

    ngx_wschat_bus_flush();
}


/* Reads a ring to its end, or NGX_AGAIN when the run's budget is used up. */

static ngx_int_t
ngx_wschat_bus_read(ngx_uint_t from, ngx_uint_t *records, size_t *bytes)
{
    u_char                   *p;
    uint64_t                  pos, left, end, step;
    ngx_int_t                 rc;
    ngx_uint_t                valid, ours;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_cursor_t  *cursor;
    ngx_wschat_bus_record_t   rec;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[from];
    cursor = &b->shm->cursors[b->slot][from];

    if (ngx_wschat_bus_load(&cursor->given_up) == b->generation) {

        /* from now on it waits for us again; whether it has overwritten
         * something already is seen below */

        ngx_wschat_bus_store(&cursor->given_up, 0);
        ngx_wschat_bus_barrier();
    }

    rc = NGX_OK;

    for ( ;; ) {
        pos = b->readers[from].pos;
        left = ngx_wschat_bus_load(&ring->publish) - pos;            /* [B] */

        if (left == 0) {
            break;
        }

        if (*records == 0 || *bytes == 0) {
            rc = NGX_AGAIN;
            break;
        }

        p = ngx_wschat_bus_at(b, from, pos);
        end = b->ring - (pos & (b->ring - 1));

        ngx_memcpy(&rec, p, sizeof(ngx_wschat_bus_record_t));
        p += sizeof(ngx_wschat_bus_record_t);

        step = ngx_wschat_bus_align(sizeof(ngx_wschat_bus_record_t)
                                    + rec.len);

        valid = (rec.version == NGX_WSCHAT_BUS_VERSION
                 && step <= end && step <= left);
        ours = 0;

        if (valid && !(rec.flags & NGX_WSCHAT_BUS_FILLER)) {
            valid = (rec.len <= b->piece);
            ours = (valid && (rec.slots & ngx_wschat_bus_bit(b->slot)));
        }

        if (ours) {
            ngx_memcpy(b->buf, p, rec.len);
        }

        __atomic_thread_fence(__ATOMIC_ACQUIRE);                     /* [A] */

        if (ngx_wschat_bus_peek(&ring->reserve) - pos > b->ring) {
            ngx_wschat_bus_attach(from);
            ngx_wschat_bus_lost(from, "overwritten");
            return NGX_OK;
        }

        if (!valid) {
            if (!(b->corrupt & ngx_wschat_bus_bit(from))) {
                b->corrupt |= ngx_wschat_bus_bit(from);

                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                              "wschat bus: bad record in the ring of slot "
                              "%ui: version %ud, length %uD",
                              from, (unsigned) rec.version, rec.len);
            }

            ngx_wschat_bus_attach(from);
            ngx_wschat_bus_lost(from, "the ring is corrupt");
            return NGX_OK;
        }

        pos += step;
        b->readers[from].pos = pos;

        if (pos - cursor->position >= b->ring / 8) {
            ngx_wschat_bus_store(&cursor->position, pos);            /* [B] */
        }

        (*records)--;
        *bytes -= ngx_min(*bytes, step);

        if (ours) {
            ngx_wschat_bus_deliver(from, &rec);
        }
    }

    ngx_wschat_bus_advance(from);

    return rc;
}


/*
 * Tells the writer where we are, and rings it if it waits for that and it is
 * worth to wake it.
 */

static void
ngx_wschat_bus_advance(ngx_uint_t from)
{
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_reader_t  *reader;

    b = &ngx_wschat_bus;
    ring = &b->shm->rings[from];
    reader = &b->readers[from];

    if (reader->pos == reader->told) {
        return;
    }

    ngx_wschat_bus_store(&b->shm->cursors[b->slot][from].position,
                         reader->pos);                               /* [B] */
    ngx_wschat_bus_barrier();                                        /* [D] */

    if (ngx_wschat_bus_peek(&ring->waiting)
        && (reader->pos - reader->told >= b->ring / 4
            || reader->pos == ngx_wschat_bus_peek(&ring->publish)))
    {
        reader->told = reader->pos;
        ngx_wschat_bus_ring(ngx_wschat_bus_bit(from));
    }
}


/* The data is in b->buf. */

static void
ngx_wschat_bus_deliver(ngx_uint_t from, ngx_wschat_bus_record_t *rec)
{
    u_char                   *data;
    size_t                    len;
    ngx_uint_t                first;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_reader_t  *reader;

    b = &ngx_wschat_bus;
    reader = &b->readers[from];
    first = rec->flags & NGX_WSCHAT_BUS_FIRST;

    if (reader->data != NULL
        && (first
            || (ngx_uint_t) rec->rest + 1 != reader->rest
            || rec->len > reader->size - reader->len))
    {
        /* the writer has not lived to write the rest */

        ngx_wschat_bus_lost(from, "a record is incomplete");
    }

    if (first && rec->rest == 0) {
        b->stat.received++;
        b->handlers->record(from, b->buf, rec->len);
        return;
    }

    if (first) {
        len = (size_t) rec->len * ((size_t) rec->rest + 1);

        if (len > NGX_WSCHAT_BUS_MAX_RECORD + b->piece) {
            ngx_wschat_bus_lost(from, "a record is too long");
            return;
        }

        reader->data = ngx_alloc(len, ngx_cycle->log);
        if (reader->data == NULL) {
            ngx_wschat_bus_lost(from, "no memory for a long record");
            return;
        }

        reader->size = len;
        reader->len = 0;
    }

    if (reader->data == NULL) {
        /* its first piece was lost, or was before our time */
        return;
    }

    ngx_memcpy(reader->data + reader->len, b->buf, rec->len);
    reader->len += rec->len;
    reader->rest = rec->rest;

    if (rec->rest) {
        return;
    }

    data = reader->data;
    reader->data = NULL;

    b->stat.received++;
    b->handlers->record(from, data, reader->len);

    ngx_free(data);
}


static void
ngx_wschat_bus_lost(ngx_uint_t from, char *why)
{
    uint64_t                  word;
    ngx_uint_t                level;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_reader_t  *reader;

    b = &ngx_wschat_bus;
    reader = &b->readers[from];

    if (reader->data != NULL) {
        ngx_free(reader->data);
        reader->data = NULL;
    }

    b->stat.lost++;

    word = ngx_wschat_bus_load(&b->shm->words[from]);

    level = (reader->warned != ngx_time()) ? NGX_LOG_WARN : NGX_LOG_INFO;
    reader->warned = ngx_time();

    ngx_log_error(level, ngx_cycle->log, 0,
                  "wschat bus: slot %ui has lost records of slot %ui "
                  "(pid %P): %s",
                  b->slot, from, ngx_wschat_bus_word_pid(word), why);

    b->handlers->lost(from);
}


/* Finds the slots whose worker, or whose sweeper, is gone. */

static void
ngx_wschat_bus_check(ngx_uint_t slow)
{
    uint64_t           word;
    uint32_t           generation;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    b->checked = ngx_current_msec;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {

        word = ngx_wschat_bus_load(&b->shm->words[i]);

        if (!ngx_wschat_bus_is_dead(i, word, slow)) {
            continue;
        }

        generation = ngx_wschat_bus_word_generation(word);

        if (!__atomic_compare_exchange_n(&b->shm->words[i], &word,
                                         ngx_wschat_bus_word(generation,
                                                      ngx_pid,
                                                      NGX_WSCHAT_BUS_SWEEPING),
                                         0, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED))
        {
            continue;
        }

        (void) __atomic_fetch_and(&b->shm->live, ~ngx_wschat_bus_bit(i),
                                  __ATOMIC_SEQ_CST);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "wschat bus: slot %ui sweeps slot %ui: "
                      "process %P is gone",
                      b->slot, i, ngx_wschat_bus_word_pid(word));

        b->sweeps |= ngx_wschat_bus_bit(i);
        b->deaths |= ngx_wschat_bus_bit(i);
        b->todo |= ngx_wschat_bus_bit(i);

        ngx_post_event(&b->next, &ngx_posted_next_events);
    }
}


static ngx_uint_t
ngx_wschat_bus_is_dead(ngx_uint_t slot, uint64_t word, ngx_uint_t slow)
{
    uint32_t           birth;
    uint64_t           other;
    ngx_pid_t          pid;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    pid = ngx_wschat_bus_word_pid(word);

    switch (ngx_wschat_bus_word_state(word)) {

    case NGX_WSCHAT_BUS_LIVE:

        if (slot == b->slot) {
            return 0;
        }

        if (pid == ngx_pid) {
            /* ours now */
            return 1;
        }

        if (kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
            return 1;
        }

        if (!slow) {
            return 0;
        }

        /* the birth of another generation says nothing, nor does an unknown
         * one: the worker is just claiming the slot, or there is no /proc */

        other = ngx_wschat_bus_load(&b->shm->births[slot]);

        if (other >> 32 != word >> 32 || (uint32_t) other == 0) {
            return 0;
        }

        birth = ngx_wschat_bus_birth(pid);

        return birth != 0 && birth != (uint32_t) other;

    case NGX_WSCHAT_BUS_SWEEPING:

        if (pid == ngx_pid) {
            return !(b->sweeps & ngx_wschat_bus_bit(slot));
        }

        /* a sweeper has a slot of its own, which shows whether it lives */

        for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
            other = ngx_wschat_bus_load(&b->shm->words[i]);

            if (ngx_wschat_bus_word_state(other) == NGX_WSCHAT_BUS_LIVE
                && ngx_wschat_bus_word_pid(other) == pid)
            {
                return 0;
            }
        }

        return 1;

    default:
        return 0;
    }
}


/*
 * The time when a process was started, in clock ticks since boot: the 22nd
 * field of /proc/<pid>/stat.  0 is unknown.
 */

static uint32_t
ngx_wschat_bus_birth(ngx_pid_t pid)
{
    u_char      *p, *last, path[sizeof("/proc//stat") + NGX_INT64_LEN];
    u_char       buf[1024];
    ssize_t      n;
    ngx_fd_t     fd;
    uint32_t     birth;
    ngx_uint_t   field;

    (void) ngx_sprintf(path, "/proc/%P/stat%Z", pid);

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", path);
    }

    if (n <= 0) {
        return 0;
    }

    /* the second field is the name in brackets, and may contain anything */

    last = buf + n;

    for (p = last - 1; p > buf && *p != ')'; p--) { /* void */ }

    for (field = 2; p < last && field < 22; p++) {
        if (*p == ' ') {
            field++;
        }
    }

    birth = 0;

    while (p < last && *p >= '0' && *p <= '9') {
        birth = birth * 10 + (*p++ - '0');
    }

    return birth;
}


/*
 * Calls the handler for what this worker sweeps, each after the dead worker's
 * ring was read to the end.
 */

static void
ngx_wschat_bus_deaths(void)
{
    uint64_t           deaths;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    deaths = b->deaths & ~b->todo;

    while (deaths) {
        i = ngx_wschat_bus_first(deaths);
        deaths &= deaths - 1;

        b->deaths &= ~ngx_wschat_bus_bit(i);

        b->handlers->dead(i, ngx_wschat_bus_word_generation(
                                     ngx_wschat_bus_load(&b->shm->words[i])));
    }
}


void
ngx_wschat_bus_release(ngx_uint_t slot)
{
    uint64_t           word;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    if (slot >= NGX_WSCHAT_SLOTS || !(b->sweeps & ngx_wschat_bus_bit(slot))) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "wschat bus: slot %ui is not ours to release", slot);
        return;
    }

    b->sweeps &= ~ngx_wschat_bus_bit(slot);

    word = ngx_wschat_bus_load(&b->shm->words[slot]);

    ngx_wschat_bus_store(&b->shm->words[slot],
                         ngx_wschat_bus_word(
                                        ngx_wschat_bus_word_generation(word),
                                        0, NGX_WSCHAT_BUS_FREE));
}
