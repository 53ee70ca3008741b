
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how this worker reads the rings of the others, joins long records, and
 * notices that some were lost.  Never knows what a record means, nor what
 * happens to it before it is in a ring.
 */


#include "ngx_wschat_bus_int.h"


/* a reader's work per run, then the other events have their turn */
#define NGX_WSCHAT_BUS_RUN_RECORDS    512
#define NGX_WSCHAT_BUS_RUN_BYTES      (1024 * 1024)


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
} ngx_wschat_bus_source_t;


typedef struct {
    ngx_uint_t                    rotor;
    uint64_t                      corrupt;     /* reported already */
    u_char                       *buf;
    ngx_wschat_bus_source_t       sources[NGX_WSCHAT_SLOTS];
} ngx_wschat_bus_reader_t;


static void ngx_wschat_bus_attach(ngx_uint_t from);
static ngx_int_t ngx_wschat_bus_read(ngx_uint_t from, ngx_uint_t *records,
    size_t *bytes);
static void ngx_wschat_bus_advance(ngx_uint_t from);
static void ngx_wschat_bus_deliver(ngx_uint_t from,
    ngx_wschat_bus_record_t *rec);
static void ngx_wschat_bus_lost(ngx_uint_t from, char *why);


static ngx_wschat_bus_reader_t  ngx_wschat_bus_reader;


ngx_int_t
ngx_wschat_bus_start_reader(ngx_log_t *log)
{
    ngx_wschat_bus_reader_t  *r;

    r = &ngx_wschat_bus_reader;

    ngx_memzero(r, sizeof(ngx_wschat_bus_reader_t));

    r->buf = ngx_alloc(ngx_wschat_bus.piece, log);

    return (r->buf != NULL) ? NGX_OK : NGX_ERROR;
}


void
ngx_wschat_bus_attach_all(void)
{
    ngx_uint_t                i;
    ngx_wschat_bus_source_t  *source;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        ngx_wschat_bus_attach(i);

        source = &ngx_wschat_bus_reader.sources[i];
        source->told = source->pos;
    }
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
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;
    ring = &b->shm->rings[from];
    cursor = &b->shm->cursors[b->slot][from];

    ngx_wschat_bus_store(&cursor->position,
                         ngx_wschat_bus_load(&ring->publish));
    ngx_wschat_bus_store(&cursor->given_up, 0);
    ngx_wschat_bus_store(&cursor->attached, b->generation);

    ngx_wschat_bus_barrier();

    pos = ngx_wschat_bus_load(&ring->publish);
    ngx_wschat_bus_store(&cursor->position, pos);

    r->sources[from].pos = pos;
}


void
ngx_wschat_bus_stop_reader(void)
{
    uint64_t                  waiting;
    ngx_uint_t                i;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        ngx_wschat_bus_store(&b->shm->cursors[b->slot][i].attached, 0);

        if (r->sources[i].data != NULL) {
            ngx_free(r->sources[i].data);
            r->sources[i].data = NULL;
        }
    }

    ngx_wschat_bus_barrier();                                        /* [D] */

    waiting = 0;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (ngx_wschat_bus_peek(&b->shm->rings[i].waiting)) {
            waiting |= ngx_wschat_bus_bit(i);
        }
    }

    ngx_wschat_bus_wake(waiting & ngx_wschat_bus_live());

    if (r->buf != NULL) {
        ngx_free(r->buf);
        r->buf = NULL;
    }
}


void
ngx_wschat_bus_look(void)
{
    ngx_uint_t                i;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (ngx_wschat_bus_load(&b->shm->rings[i].publish)
            != r->sources[i].pos)
        {
            b->todo |= ngx_wschat_bus_bit(i);
        }
    }
}


void
ngx_wschat_bus_run(void)
{
    size_t                    bytes;
    ngx_uint_t                i, from, records;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;

    b->todo |= ngx_wschat_bus_rung();                                /* [C] */
    b->todo &= ~ngx_wschat_bus_bit(b->slot);

    records = NGX_WSCHAT_BUS_RUN_RECORDS;
    bytes = NGX_WSCHAT_BUS_RUN_BYTES;

    for (i = 0; i < NGX_WSCHAT_SLOTS && b->todo; i++) {
        from = r->rotor;
        r->rotor = (from + 1) % NGX_WSCHAT_SLOTS;

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
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;
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
        pos = r->sources[from].pos;
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
            ngx_memcpy(r->buf, p, rec.len);
        }

        __atomic_thread_fence(__ATOMIC_ACQUIRE);                     /* [A] */

        if (ngx_wschat_bus_peek(&ring->reserve) - pos > b->ring) {
            ngx_wschat_bus_attach(from);
            ngx_wschat_bus_lost(from, "overwritten");
            return NGX_OK;
        }

        if (!valid) {
            if (!(r->corrupt & ngx_wschat_bus_bit(from))) {
                r->corrupt |= ngx_wschat_bus_bit(from);

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
        r->sources[from].pos = pos;

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
    ngx_wschat_bus_source_t  *source;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;
    ring = &b->shm->rings[from];
    source = &r->sources[from];

    if (source->pos == source->told) {
        return;
    }

    ngx_wschat_bus_store(&b->shm->cursors[b->slot][from].position,
                         source->pos);                               /* [B] */
    ngx_wschat_bus_barrier();                                        /* [D] */

    if (ngx_wschat_bus_peek(&ring->waiting)
        && (source->pos - source->told >= b->ring / 4
            || source->pos == ngx_wschat_bus_peek(&ring->publish)))
    {
        source->told = source->pos;
        ngx_wschat_bus_wake(ngx_wschat_bus_bit(from));
    }
}


/* The data is in r->buf. */

static void
ngx_wschat_bus_deliver(ngx_uint_t from, ngx_wschat_bus_record_t *rec)
{
    u_char                   *data;
    size_t                    len;
    ngx_uint_t                first;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_source_t  *source;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;
    source = &r->sources[from];
    first = rec->flags & NGX_WSCHAT_BUS_FIRST;

    if (source->data != NULL
        && (first
            || (ngx_uint_t) rec->rest + 1 != source->rest
            || rec->len > source->size - source->len))
    {
        /* the writer has not lived to write the rest */

        ngx_wschat_bus_lost(from, "a record is incomplete");
    }

    if (first && rec->rest == 0) {
        b->stat.received++;
        b->handlers->record(from, r->buf, rec->len);
        return;
    }

    if (first) {
        len = (size_t) rec->len * ((size_t) rec->rest + 1);

        if (len > NGX_WSCHAT_BUS_MAX_RECORD + b->piece) {
            ngx_wschat_bus_lost(from, "a record is too long");
            return;
        }

        source->data = ngx_alloc(len, ngx_cycle->log);
        if (source->data == NULL) {
            ngx_wschat_bus_lost(from, "no memory for a long record");
            return;
        }

        source->size = len;
        source->len = 0;
    }

    if (source->data == NULL) {
        /* its first piece was lost, or was before our time */
        return;
    }

    ngx_memcpy(source->data + source->len, r->buf, rec->len);
    source->len += rec->len;
    source->rest = rec->rest;

    if (rec->rest) {
        return;
    }

    data = source->data;
    source->data = NULL;

    b->stat.received++;
    b->handlers->record(from, data, source->len);

    ngx_free(data);
}


static void
ngx_wschat_bus_lost(ngx_uint_t from, char *why)
{
    uint64_t                  word;
    ngx_uint_t                level;
    ngx_wschat_bus_t         *b;
    ngx_wschat_bus_source_t  *source;
    ngx_wschat_bus_reader_t  *r;

    b = &ngx_wschat_bus;
    r = &ngx_wschat_bus_reader;
    source = &r->sources[from];

    if (source->data != NULL) {
        ngx_free(source->data);
        source->data = NULL;
    }

    b->stat.lost++;

    word = ngx_wschat_bus_load(&b->shm->words[from]);

    level = (source->warned != ngx_time()) ? NGX_LOG_WARN : NGX_LOG_INFO;
    source->warned = ngx_time();

    ngx_log_error(level, ngx_cycle->log, 0,
                  "wschat bus: slot %ui has lost records of slot %ui "
                  "(pid %P): %s",
                  b->slot, from, ngx_wschat_bus_word_pid(word), why);

    b->handlers->lost(from);
}
