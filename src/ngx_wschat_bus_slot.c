
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows slots, pids and doorbells: who is alive, who is dead and swept by whom,
 * and how a sleeping worker is awakened.  Never knows rings, nor what a dead
 * worker leaves behind.
 */


#include "ngx_wschat_bus_int.h"
#include <sys/eventfd.h>


typedef struct {
    ngx_connection_t             *bell;
    uint64_t                      sweeps;
    uint64_t                      deaths;      /* handler not yet called */
} ngx_wschat_bus_slots_t;


static ngx_uint_t ngx_wschat_bus_change(ngx_uint_t slot, uint64_t from,
    uint64_t to);
static void ngx_wschat_bus_bell_handler(ngx_event_t *ev);
static ngx_uint_t ngx_wschat_bus_is_dead(ngx_uint_t slot, uint64_t word,
    ngx_uint_t slow);
static uint32_t ngx_wschat_bus_birth(ngx_pid_t pid);


/*
 * The master's: inherited by all workers, whatever their generation, so that
 * slots need not be known before a worker is forked.
 */
static int                     ngx_wschat_bus_bells[NGX_WSCHAT_SLOTS];
static ngx_uint_t              ngx_wschat_bus_have_bells;

/* the worker's */
static ngx_wschat_bus_slots_t  ngx_wschat_bus_slots;


ngx_int_t
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

            /*
             * On a reload the workers of two buses then take each other's
             * bells, and the tick makes up for it; an error would end the
             * master.
             */

            return ngx_wschat_bus_have_bells ? NGX_OK : NGX_ERROR;
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
ngx_wschat_bus_claim(ngx_log_t *log)
{
    uint32_t           generation;
    uint64_t           word;
    ngx_uint_t         i;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    ngx_memzero(&ngx_wschat_bus_slots, sizeof(ngx_wschat_bus_slots_t));

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

        if (!ngx_wschat_bus_change(i, word,
                                   ngx_wschat_bus_word(generation, ngx_pid,
                                                       NGX_WSCHAT_BUS_LIVE)))
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


ngx_connection_t *
ngx_wschat_bus_enter(ngx_cycle_t *cycle)
{
    int                fd;
    uint64_t           count;
    ngx_connection_t  *c;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    fd = ngx_wschat_bus_bells[b->slot];

    /* bells up to now are about what happened before the rings were looked at,
     * or about what the first run will find */

    ngx_wschat_bus_poke(&b->shm->rung[b->slot].slots, 0);

    while (read(fd, &count, sizeof(uint64_t)) > 0) { /* void */ }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        return NULL;
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

    ngx_wschat_bus_slots.bell = c;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        return NULL;
    }

    (void) __atomic_fetch_or(&b->shm->live, ngx_wschat_bus_bit(b->slot),
                             __ATOMIC_SEQ_CST);

    return c;
}


void
ngx_wschat_bus_leave(void)
{
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_slots_t  *s;

    b = &ngx_wschat_bus;
    s = &ngx_wschat_bus_slots;

    (void) __atomic_fetch_and(&b->shm->live, ~ngx_wschat_bus_bit(b->slot),
                              __ATOMIC_SEQ_CST);

    (void) ngx_wschat_bus_change(b->slot,
                                 ngx_wschat_bus_word(b->generation, ngx_pid,
                                                     NGX_WSCHAT_BUS_LIVE),
                                 ngx_wschat_bus_word(b->generation, 0,
                                                     NGX_WSCHAT_BUS_FREE));

    b->slot = NGX_WSCHAT_SLOTS;
    b->generation = 0;

    if (s->bell != NULL) {
        if (s->bell->read->active) {
            (void) ngx_del_event(s->bell->read, NGX_READ_EVENT, 0);
        }

        ngx_close_connection(s->bell);
        s->bell = NULL;
    }
}


/* Fails if the word is no longer as it was. */

static ngx_uint_t
ngx_wschat_bus_change(ngx_uint_t slot, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&ngx_wschat_bus.shm->words[slot], &from,
                                       to, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}


/*
 * A reader that has not taken notice of our bell yet needs no other one, and
 * one that was rung by anybody needs no second write().
 */

void
ngx_wschat_bus_wake(uint64_t slots)
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


uint64_t
ngx_wschat_bus_rung(void)
{
    uint64_t           slots;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;

    slots = __atomic_exchange_n(&b->shm->rung[b->slot].slots, 0,
                                __ATOMIC_SEQ_CST);

    ngx_wschat_bus_barrier();                                        /* [C] */

    return slots;
}


void
ngx_wschat_bus_check(ngx_uint_t slow)
{
    uint64_t                 word;
    uint32_t                 generation;
    ngx_uint_t               i;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_slots_t  *s;

    b = &ngx_wschat_bus;
    s = &ngx_wschat_bus_slots;

    b->checked = ngx_current_msec;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {

        word = ngx_wschat_bus_load(&b->shm->words[i]);

        if (!ngx_wschat_bus_is_dead(i, word, slow)) {
            continue;
        }

        generation = ngx_wschat_bus_word_generation(word);

        if (!ngx_wschat_bus_change(i, word,
                                   ngx_wschat_bus_word(generation, ngx_pid,
                                                    NGX_WSCHAT_BUS_SWEEPING)))
        {
            continue;
        }

        (void) __atomic_fetch_and(&b->shm->live, ~ngx_wschat_bus_bit(i),
                                  __ATOMIC_SEQ_CST);

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "wschat bus: slot %ui sweeps slot %ui: "
                      "process %P is gone",
                      b->slot, i, ngx_wschat_bus_word_pid(word));

        s->sweeps |= ngx_wschat_bus_bit(i);
        s->deaths |= ngx_wschat_bus_bit(i);
        b->todo |= ngx_wschat_bus_bit(i);

        ngx_post_event(&b->next, &ngx_posted_next_events);
    }
}


static ngx_uint_t
ngx_wschat_bus_is_dead(ngx_uint_t slot, uint64_t word, ngx_uint_t slow)
{
    uint32_t                 birth;
    uint64_t                 other;
    ngx_pid_t                pid;
    ngx_uint_t               i;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_slots_t  *s;

    b = &ngx_wschat_bus;
    s = &ngx_wschat_bus_slots;
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
            return !(s->sweeps & ngx_wschat_bus_bit(slot));
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


void
ngx_wschat_bus_deaths(void)
{
    uint64_t                 deaths;
    ngx_uint_t               i;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_slots_t  *s;

    b = &ngx_wschat_bus;
    s = &ngx_wschat_bus_slots;
    deaths = s->deaths & ~b->todo;

    while (deaths) {
        i = ngx_wschat_bus_first(deaths);
        deaths &= deaths - 1;

        s->deaths &= ~ngx_wschat_bus_bit(i);

        b->handlers->dead(i, ngx_wschat_bus_word_generation(
                                     ngx_wschat_bus_load(&b->shm->words[i])));
    }
}


void
ngx_wschat_bus_release(ngx_uint_t slot)
{
    uint64_t                 word;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_slots_t  *s;

    b = &ngx_wschat_bus;
    s = &ngx_wschat_bus_slots;

    if (slot >= NGX_WSCHAT_SLOTS || !(s->sweeps & ngx_wschat_bus_bit(slot))) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "wschat bus: slot %ui is not ours to release", slot);
        return;
    }

    s->sweeps &= ~ngx_wschat_bus_bit(slot);

    word = ngx_wschat_bus_load(&b->shm->words[slot]);

    ngx_wschat_bus_store(&b->shm->words[slot],
                         ngx_wschat_bus_word(
                                        ngx_wschat_bus_word_generation(word),
                                        0, NGX_WSCHAT_BUS_FREE));
}
