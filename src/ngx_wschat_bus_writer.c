
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how this worker writes its ring: space, the queue of what there is no
 * space for yet, and which readers are not waited for any longer.  Never knows
 * how rings are read, nor how it is found out that a worker is dead.
 */


#include "ngx_wschat_bus_int.h"


#define NGX_WSCHAT_BUS_CHECK_PAUSE    100
#define NGX_WSCHAT_BUS_HASTE          1000     /* queue is half full */

#define NGX_WSCHAT_BUS_EXIT_STEP      10
#define NGX_WSCHAT_BUS_EXIT_STEPS     50


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


/* this worker's view of another one that reads its ring */

typedef struct {
    uint64_t                      pos;
    ngx_msec_t                    since;
    time_t                        warned;
} ngx_wschat_bus_watch_t;


typedef struct {
    uint64_t                      pos;
    uint64_t                      check;       /* look at readers before */
    ngx_queue_t                   queue;
    size_t                        queued;
    ngx_wschat_bus_watch_t        watches[NGX_WSCHAT_SLOTS];

    ngx_event_t                   toll;        /* rings these slots */
    uint64_t                      ringing;
} ngx_wschat_bus_writer_t;


static void ngx_wschat_bus_repair(void);
static void ngx_wschat_bus_fill(uint64_t pos, uint64_t len);
static uint64_t ngx_wschat_bus_others(void);
static ngx_int_t ngx_wschat_bus_write(ngx_wschat_bus_record_t *rec,
    ngx_str_t *parts, ngx_uint_t n);
static void ngx_wschat_bus_copy(u_char *p, ngx_str_t *parts, ngx_uint_t n);
static ngx_int_t ngx_wschat_bus_enqueue(uint64_t slots, ngx_str_t *parts,
    ngx_uint_t n, size_t len);
static void ngx_wschat_bus_readdress(ngx_wschat_bus_node_t *node);
static void ngx_wschat_bus_dequeue(ngx_wschat_bus_node_t *node);
static ngx_int_t ngx_wschat_bus_room(uint64_t end);
static ngx_int_t ngx_wschat_bus_position(ngx_uint_t slot, uint64_t *pos);
static void ngx_wschat_bus_watch(void);
static ngx_int_t ngx_wschat_bus_give_up_slowest(void);
static void ngx_wschat_bus_give_up(ngx_uint_t slot);
static void ngx_wschat_bus_toll_handler(ngx_event_t *ev);


static ngx_wschat_bus_writer_t  ngx_wschat_bus_writer;


void
ngx_wschat_bus_start_writer(ngx_log_t *log)
{
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    ngx_memzero(w, sizeof(ngx_wschat_bus_writer_t));

    ngx_queue_init(&w->queue);

    w->toll.handler = ngx_wschat_bus_toll_handler;
    w->toll.log = log;

    ngx_wschat_bus_repair();
}


/*
 * The slot's last owner may have been killed while it was writing.  Readers
 * could have lost what it was about to overwrite, so "reserve" must not go
 * back; the space gets published as fillers.
 */

static void
ngx_wschat_bus_repair(void)
{
    uint64_t                  pos, rest, len;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;
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

    w->pos = pos;
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


void
ngx_wschat_bus_stop_writer(void)
{
    ngx_uint_t                i;
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    if (w->toll.posted) {
        ngx_delete_posted_event(&w->toll);
        ngx_wschat_bus_toll_handler(&w->toll);
    }

    ngx_wschat_bus_flush();

    for (i = 0; i < NGX_WSCHAT_BUS_EXIT_STEPS; i++) {
        if (ngx_queue_empty(&w->queue)) {
            break;
        }

        ngx_msleep(NGX_WSCHAT_BUS_EXIT_STEP);
        ngx_wschat_bus_check(0);
        ngx_wschat_bus_flush();
    }

    /* who still does not read shall know that it has lost something */

    while (!ngx_queue_empty(&w->queue)
           && ngx_wschat_bus_give_up_slowest() == NGX_OK)
    {
        ngx_wschat_bus_flush();
    }
}


/* The slots that may read our ring. */

static uint64_t
ngx_wschat_bus_others(void)
{
    return ngx_wschat_bus_live() & ~ngx_wschat_bus_bit(ngx_wschat_bus.slot);
}


ngx_int_t
ngx_wschat_bus_send(uint64_t slots, ngx_str_t *parts, ngx_uint_t n)
{
    size_t                    len;
    ngx_uint_t                i;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_record_t   rec;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;

    if (b->slot == NGX_WSCHAT_SLOTS) {
        return NGX_OK;
    }

    slots &= ngx_wschat_bus_others();

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

    if (len > b->piece || !ngx_queue_empty(&w->queue)) {
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

    w->ringing |= slots;
    ngx_post_event(&w->toll, &ngx_posted_events);

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
    u_char                   *p;
    uint64_t                  pos, end, step, tail;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_ring_t    *ring;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;
    ring = &b->shm->rings[b->slot];

    pos = w->pos;
    step = ngx_wschat_bus_align(sizeof(ngx_wschat_bus_record_t) + rec->len);

    /* records do not wrap */

    tail = b->ring - (pos & (b->ring - 1));
    if (tail >= step) {
        tail = 0;
    }

    end = pos + tail + step;

    if (end > w->check && ngx_wschat_bus_room(end) != NGX_OK) {
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

    ngx_wschat_bus_copy(p, parts, n);

    ngx_wschat_bus_store(&ring->publish, end);                       /* [B] */

    w->pos = end;

    return NGX_OK;
}


static void
ngx_wschat_bus_copy(u_char *p, ngx_str_t *parts, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (parts[i].len) {
            p = ngx_cpymem(p, parts[i].data, parts[i].len);
        }
    }
}


static ngx_int_t
ngx_wschat_bus_enqueue(uint64_t slots, ngx_str_t *parts, ngx_uint_t n,
    size_t len)
{
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_node_t    *node;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;

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

    ngx_wschat_bus_copy(node->data, parts, n);

    if (ngx_queue_empty(&w->queue)) {
        ngx_wschat_bus_watch();
    }

    ngx_queue_insert_tail(&w->queue, &node->queue);
    w->queued += sizeof(ngx_wschat_bus_node_t) + len;
    b->stat.sent++;

    ngx_wschat_bus_flush();

    if (ngx_queue_empty(&w->queue)) {
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

    if (w->queued > b->limit / 2 && w->queued < b->limit) {
        ngx_wschat_bus_stalled((ngx_msec_t) (NGX_WSCHAT_BUS_HASTE
                                             * (b->limit - w->queued)
                                             / (b->limit / 2)));
    }

    while (w->queued > b->limit
           && ngx_queue_head(&w->queue) != ngx_queue_last(&w->queue)
           && ngx_wschat_bus_give_up_slowest() == NGX_OK)
    {
        ngx_wschat_bus_flush();
    }

    return NGX_OK;
}


void
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
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;
    ring = &b->shm->rings[b->slot];
    slots = 0;

    while (!ngx_queue_empty(&w->queue)) {
        q = ngx_queue_head(&w->queue);
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

    if (ngx_queue_empty(&w->queue) && ngx_wschat_bus_peek(&ring->waiting)) {
        ngx_wschat_bus_poke(&ring->waiting, 0);
    }

    if (slots) {
        ngx_wschat_bus_wake(slots);
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
    ngx_wschat_bus_writer.queued -= sizeof(ngx_wschat_bus_node_t) + node->len;

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
    uint64_t                  live, behind, min, pos, room;
    ngx_uint_t                i;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;

    ngx_wschat_bus_barrier();                                   /* [D] [E] */

    min = w->pos;
    behind = 0;

    live = ngx_wschat_bus_others();

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        if (ngx_wschat_bus_position(i, &pos) != NGX_OK) {
            continue;
        }

        if (pos < min) {
            min = pos;
        }

        if (pos + b->ring / 4 < w->pos) {
            behind |= ngx_wschat_bus_bit(i);
        }
    }

    room = min + b->ring;
    w->check = ngx_min(room,
                       ngx_max(min + b->ring / 2, end + b->ring / 8));

    if (behind) {
        ngx_wschat_bus_wake(behind);
    }

    return (end <= room) ? NGX_OK : NGX_AGAIN;
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
    uint64_t                  live;
    ngx_uint_t                i;
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    live = ngx_wschat_bus_others();

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        (void) ngx_wschat_bus_position(i, &w->watches[i].pos);
        w->watches[i].since = ngx_current_msec;
    }
}


/*
 * The stalled ones are looked for before anything is written: then those who
 * are not behind have just shown it.
 */

void
ngx_wschat_bus_stalled(ngx_msec_t patience)
{
    uint64_t                  live, stalled, pos;
    ngx_uint_t                i;
    ngx_wschat_bus_watch_t   *watch;
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    if (ngx_queue_empty(&w->queue)) {
        return;
    }

    live = ngx_wschat_bus_others();
    stalled = 0;

    while (live) {
        i = ngx_wschat_bus_first(live);
        live &= live - 1;

        watch = &w->watches[i];

        if (ngx_wschat_bus_position(i, &pos) != NGX_OK) {
            continue;
        }

        if (pos != watch->pos || pos == w->pos) {
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
    uint64_t                  live, pos, min;
    ngx_uint_t                i, slot;
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    min = w->pos;
    slot = NGX_WSCHAT_SLOTS;

    live = ngx_wschat_bus_others();

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
    uint64_t                  word;
    ngx_uint_t                level;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_watch_t   *watch;
    ngx_wschat_bus_writer_t  *w;

    b = &ngx_wschat_bus;
    w = &ngx_wschat_bus_writer;
    watch = &w->watches[slot];

    word = ngx_wschat_bus_load(&b->shm->words[slot]);

    ngx_wschat_bus_store(&b->shm->cursors[slot][b->slot].given_up,
                         ngx_wschat_bus_word_generation(word));
    b->stat.given_up++;

    level = (watch->warned != ngx_time()) ? NGX_LOG_WARN : NGX_LOG_INFO;
    watch->warned = ngx_time();

    ngx_log_error(level, ngx_cycle->log, 0,
                  "wschat bus: slot %ui gives up on slot %ui (pid %P), "
                  "%uz bytes are waiting for it",
                  b->slot, slot, ngx_wschat_bus_word_pid(word), w->queued);
}


static void
ngx_wschat_bus_toll_handler(ngx_event_t *ev)
{
    uint64_t                  slots;
    ngx_wschat_bus_writer_t  *w;

    w = &ngx_wschat_bus_writer;

    slots = w->ringing;
    w->ringing = 0;

    ngx_wschat_bus_wake(slots);
}
