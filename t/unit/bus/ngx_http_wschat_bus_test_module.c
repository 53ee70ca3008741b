
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows how to load the bus and how to tell whether what arrives is what was
 * sent: every record's length, recipients and bytes follow from its writer and
 * its number, so a reader recomputes them.  All orders and results are in a
 * shared zone: any worker can be asked about all.  Never knows how the bus
 * works, but for one bad record that it forges.
 */


#include "ngx_wschat_bus.c"
#include "ngx_wschat_bus_slot.c"
#include "ngx_wschat_bus_writer.c"
#include "ngx_wschat_bus_reader.c"
#include <ngx_http.h>
#include <sys/resource.h>


#define BUS_TEST_MAGIC    0x62757374
#define BUS_TEST_HEADER   32
#define BUS_TEST_LONGEST  (300 * 1024)
#define BUS_TEST_TURN     (256 * 1024)
#define BUS_TEST_POLL     5
#define BUS_TEST_GENS     256


typedef struct {
    uint32_t                magic;
    uint32_t                slot;
    uint32_t                generation;
    uint32_t                size;
    uint64_t                seq;
    uint64_t                seed;
} bus_test_header_t;


/* what a reader knows of a writer */

typedef struct {
    uint64_t                generation;
    uint64_t                next;
    uint64_t                first;
    uint64_t                got;
    uint64_t                bytes;
} bus_test_pair_t;


typedef struct {
    uint64_t                pid;
    uint64_t                generation;
    uint64_t                sent;
    uint64_t                done;
    uint64_t                order;       /* errors */
    uint64_t                content;
    uint64_t                tail;
    uint64_t                unsynced;    /* could not be checked */
    uint64_t                lost;        /* calls of the handler */
    uint64_t                errors;      /* of send() */
    uint64_t                cpu;
    uint64_t                at;
    ngx_wschat_bus_stat_t   stat;
} bus_test_slot_t;


typedef struct {
    ngx_atomic_t            job;         /* number of the order */
    uint64_t                count;       /* records per writer */
    uint64_t                size;        /* 0: mixed */
    uint64_t                window;      /* bytes in flight, 0: any */
    uint64_t                rate;        /* bytes per second, 0: any */
    uint64_t                mask;        /* who sends */
    uint64_t                plain;       /* no checks */
    uint64_t                to;          /* who gets it, with "plain" */
    uint64_t                start;

    uint64_t                linger;      /* ms to live after QUIT */
    ngx_atomic_t            kill_sweeper;
    uint64_t                die_writing; /* a pid */

    bus_test_slot_t         slots[NGX_WSCHAT_SLOTS];
    bus_test_pair_t         pairs[NGX_WSCHAT_SLOTS][NGX_WSCHAT_SLOTS];
    uint64_t                finals[NGX_WSCHAT_SLOTS][BUS_TEST_GENS];
    ngx_atomic_t            deaths[NGX_WSCHAT_SLOTS][BUS_TEST_GENS];
} bus_test_shm_t;


typedef struct {
    size_t                  ring;
    size_t                  queue;
    ngx_shm_zone_t         *zone;
} bus_test_conf_t;


static void *bus_test_create_conf(ngx_conf_t *cf);
static char *bus_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *bus_test_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t bus_test_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t bus_test_init_module(ngx_cycle_t *cycle);
static ngx_int_t bus_test_init_process(ngx_cycle_t *cycle);
static void bus_test_exit_process(ngx_cycle_t *cycle);

static void bus_test_poll(ngx_event_t *ev);
static void bus_test_work(ngx_event_t *ev);
static ngx_uint_t bus_test_send(uint64_t *bytes);
static ngx_uint_t bus_test_window(void);
static void bus_test_record(ngx_uint_t from, u_char *data, size_t len);
static void bus_test_lost(ngx_uint_t from);
static void bus_test_dead(ngx_uint_t slot, uint32_t generation);
static void bus_test_release(ngx_event_t *ev);
static void bus_test_account(void);
static void bus_test_die_writing(void);


static bus_test_shm_t             *shm;
static bus_test_slot_t            *me;
static ngx_connection_t            dummy;
static ngx_event_t                 poll_event;
static ngx_event_t                 work_event;
static ngx_event_t                 release_event;
static uint64_t                    releases;
static uint64_t                    job;
static uint64_t                    job_end;
static uint64_t                    job_bytes;
static uint64_t                    job_start;
static uint64_t                    seq;
static uint64_t                    sent_bytes[NGX_WSCHAT_SLOTS];
static ngx_uint_t                  synced[NGX_WSCHAT_SLOTS];
static ngx_msec_t                  exiting;
static u_char                     *scratch;


static ngx_wschat_bus_handlers_t   bus_test_handlers = {
    bus_test_record,
    bus_test_lost,
    bus_test_dead
};


static ngx_command_t  bus_test_commands[] = {

    { ngx_string("bus_test_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      bus_test_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("bus_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      bus_test_location,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  bus_test_module_ctx = {
    NULL, NULL,
    bus_test_create_conf, NULL,
    NULL, NULL,
    NULL, NULL
};


ngx_module_t  ngx_http_wschat_bus_test_module = {
    NGX_MODULE_V1,
    &bus_test_module_ctx,
    bus_test_commands,
    NGX_HTTP_MODULE,
    NULL,
    bus_test_init_module,
    bus_test_init_process,
    NULL,
    NULL,
    bus_test_exit_process,
    NULL,
    NGX_MODULE_V1_PADDING
};


static void *
bus_test_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(bus_test_conf_t));
}


static char *
bus_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    bus_test_conf_t  *btcf = conf;

    ngx_str_t  *value, name = ngx_string("bus_test");

    value = cf->args->elts;

    btcf->ring = ngx_parse_size(&value[1]);
    btcf->queue = ngx_parse_size(&value[2]);

    /* as the bus, a fresh one if the ring's size is changed */

    btcf->zone = ngx_shared_memory_add(cf, &name,
                                       ngx_align(sizeof(bus_test_shm_t),
                                                 ngx_pagesize)
                                       + 16 * ngx_pagesize + btcf->ring,
                                       &ngx_http_wschat_bus_test_module);
    if (btcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    btcf->zone->init = bus_test_init_zone;

    /* twice: it must not matter */

    if (ngx_wschat_bus_add(cf, btcf->ring, btcf->queue) != NGX_OK
        || ngx_wschat_bus_add(cf, btcf->ring, btcf->queue) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
bus_test_init_zone(ngx_shm_zone_t *zone, void *data)
{
    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc((ngx_slab_pool_t *) zone->shm.addr,
                                 sizeof(bus_test_shm_t));

    return (zone->data != NULL) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
bus_test_init_module(ngx_cycle_t *cycle)
{
    bus_test_conf_t  *btcf;

    if (ngx_wschat_bus_init_module(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (me != NULL) {

        /* a single process: our zone may be another one, as the bus's */

        btcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_wschat_bus_test_module);
        shm = btcf->zone->data;
        me = &shm->slots[ngx_wschat_bus_slot()];
    }

    return NGX_OK;
}


static ngx_int_t
bus_test_init_process(ngx_cycle_t *cycle)
{
    bus_test_conf_t  *btcf;

    btcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_wschat_bus_test_module);
    shm = btcf->zone->data;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_wschat_bus_init_process(cycle, &bus_test_handlers) != NGX_OK) {
        return NGX_ERROR;
    }

    scratch = ngx_alloc(BUS_TEST_LONGEST, cycle->log);
    if (scratch == NULL) {
        return NGX_ERROR;
    }

    me = &shm->slots[ngx_wschat_bus_slot()];
    ngx_memzero(me, sizeof(bus_test_slot_t));
    me->generation = ngx_wschat_bus_generation();
    me->pid = ngx_pid;

    ngx_memzero(shm->pairs[ngx_wschat_bus_slot()], sizeof(shm->pairs[0]));

    dummy.fd = -1;

    poll_event.handler = bus_test_poll;
    poll_event.data = &dummy;
    poll_event.log = cycle->log;

    work_event.handler = bus_test_work;
    work_event.data = &dummy;
    work_event.log = cycle->log;
    work_event.cancelable = 1;

    release_event.handler = bus_test_release;
    release_event.data = &dummy;
    release_event.log = cycle->log;
    release_event.cancelable = 1;

    ngx_add_timer(&poll_event, BUS_TEST_POLL);

    return NGX_OK;
}


static void
bus_test_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t  slot;

    slot = ngx_wschat_bus_slot();

    if (slot != NGX_WSCHAT_SLOTS) {
        shm->finals[slot][ngx_wschat_bus_generation() % BUS_TEST_GENS] = seq;
    }

    ngx_wschat_bus_exit_process(cycle);

    if (scratch != NULL) {
        ngx_free(scratch);
    }
}


/* follows the orders; keeps the worker alive for a while after QUIT */

static void
bus_test_poll(ngx_event_t *ev)
{
    if (ngx_exiting) {
        if (exiting == 0) {
            exiting = ngx_current_msec + (ngx_msec_t) shm->linger;
        }

        if ((ngx_msec_int_t) (ngx_current_msec - exiting) >= 0) {
            return;
        }
    }

    ngx_add_timer(ev, BUS_TEST_POLL);

    bus_test_account();

    if (shm->die_writing == (uint64_t) ngx_pid) {
        bus_test_die_writing();
    }

    if (job != shm->job) {
        job = shm->job;
        job_end = seq + shm->count;
        job_bytes = 0;
        job_start = ngx_current_msec;

        if (!(shm->mask & ((uint64_t) 1 << ngx_wschat_bus_slot()))) {
            job_end = seq;
        }
    }

    if (!work_event.posted) {
        bus_test_work(&work_event);
    }
}


static void
bus_test_account(void)
{
    struct rusage  ru;

    (void) getrusage(RUSAGE_SELF, &ru);

    me->cpu = (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000
              + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;

    ngx_wschat_bus_stat(&me->stat);
}


static uint64_t
bus_test_hash(uint64_t slot, uint64_t generation, uint64_t n)
{
    uint64_t  h;

    h = (slot << 56) ^ (generation << 40) ^ n;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
    h = (h ^ (h >> 27)) * 0x94d049bb133111eb;

    return h ^ (h >> 31);
}


static size_t
bus_test_size(uint64_t seed, uint64_t n)
{
    uint64_t  kind, r;

    if (n == 0) {
        return 100;
    }

    if (shm->size) {
        return shm->size;
    }

    kind = seed % 1000;
    r = seed >> 20;

    if (kind < 550) {
        return 1 + r % 64;
    }

    if (kind < 900) {
        return 65 + r % 1000;
    }

    if (kind < 995) {
        return 1000 + r % 15000;
    }

    if (kind < 999) {
        return 16000 + r % 84000;
    }

    return 100000 + r % (BUS_TEST_LONGEST - 100000 + 1);
}


/* some records are not for everybody */

static uint64_t
bus_test_targets(uint64_t n)
{
    if (n % 8 != 7) {
        return ~(uint64_t) 0;
    }

    return (uint64_t) 0x1111111111111111 << (n / 8 % 4);
}


/* compares if "p" is the same as it should be, or makes it so */

static ngx_uint_t
bus_test_pattern(u_char *p, size_t len, uint64_t seed, ngx_uint_t make)
{
    size_t    n;
    uint64_t  v;

    while (len) {
        v = seed;
        n = ngx_min(len, 8);

        if (make) {
            ngx_memcpy(p, &v, n);

        } else if (ngx_memcmp(p, (u_char *) &v, n) != 0) {
            return 0;
        }

        seed += 0x9e3779b97f4a7c15;
        p += n;
        len -= n;
    }

    return 1;
}


static void
bus_test_work(ngx_event_t *ev)
{
    uint64_t  bytes, allowed;

    bytes = 0;

    while (seq < job_end && bytes < BUS_TEST_TURN) {

        if (shm->window && !bus_test_window()) {
            return;
        }

        if (shm->rate) {
            allowed = (ngx_current_msec - job_start) * shm->rate / 1000;
            if (job_bytes + bytes >= allowed) {
                break;
            }
        }

        if (!bus_test_send(&bytes)) {
            break;
        }
    }

    job_bytes += bytes;
    me->sent = seq;

    if (seq == job_end) {
        me->done = job;
        return;
    }

    if (shm->rate == 0) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


static ngx_uint_t
bus_test_window(void)
{
    uint64_t     live;
    ngx_uint_t   i, slot;

    slot = ngx_wschat_bus_slot();
    live = ngx_wschat_bus_live() & ~((uint64_t) 1 << slot);

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if ((live & ((uint64_t) 1 << i))
            && sent_bytes[i] - shm->pairs[i][slot].bytes > shm->window)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
bus_test_send(uint64_t *bytes)
{
    size_t              size, cut;
    uint64_t            seed, targets;
    ngx_str_t           parts[3];
    ngx_uint_t          i;
    bus_test_header_t  *h;

    seed = bus_test_hash(ngx_wschat_bus_slot(), ngx_wschat_bus_generation(),
                         seq);
    size = bus_test_size(seed, seq);
    targets = shm->plain ? shm->to : bus_test_targets(seq);

    if (!shm->plain) {
        bus_test_pattern(scratch, size, seed, 1);
    }

    if (size >= BUS_TEST_HEADER) {
        h = (bus_test_header_t *) scratch;
        h->magic = BUS_TEST_MAGIC;
        h->slot = (uint32_t) ngx_wschat_bus_slot();
        h->generation = ngx_wschat_bus_generation();
        h->size = (uint32_t) size;
        h->seq = seq;
        h->seed = seed;
    }

    cut = shm->plain ? 0 : (size_t) (seed % (size + 1));

    parts[0].data = scratch;
    parts[0].len = cut;
    parts[1].data = NULL;
    parts[1].len = 0;
    parts[2].data = scratch + cut;
    parts[2].len = size - cut;

    if (ngx_wschat_bus_send(targets, parts, 3) != NGX_OK) {
        me->errors++;
        return 0;
    }

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (targets & ((uint64_t) 1 << i)) {
            sent_bytes[i] += size;
        }
    }

    seq++;
    *bytes += size;

    return 1;
}


static void
bus_test_complain(char *what, ngx_uint_t from, uint64_t got, uint64_t next)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "bus test: slot %ui from slot %ui, %s: %uL, expected %uL",
                  ngx_wschat_bus_slot(), from, what, got, next);
}


static void
bus_test_record(ngx_uint_t from, u_char *data, size_t len)
{
    size_t              rest;
    uint64_t            seed, bit, final;
    ngx_uint_t          slot;
    bus_test_pair_t    *pair;
    bus_test_header_t   h;

    slot = ngx_wschat_bus_slot();
    bit = (uint64_t) 1 << slot;
    pair = &shm->pairs[slot][from];
    rest = len;

    if (shm->plain) {
        pair->generation = shm->slots[from].generation;
        pair->got++;
        pair->next++;
        pair->bytes += len;
        me->at = (uint64_t) ngx_current_msec;
        return;
    }

    if (len >= BUS_TEST_HEADER) {
        ngx_memcpy(&h, data, sizeof(h));

        if (h.magic != BUS_TEST_MAGIC || h.slot != from || h.size != len) {
            me->content++;
            return;
        }

        if (pair->generation != h.generation) {

            /* did all come that the one before has sent before it left? */

            final = shm->finals[from][pair->generation % BUS_TEST_GENS];

            while (synced[from] && pair->next < final
                   && !(bus_test_targets(pair->next) & bit))
            {
                pair->next++;
            }

            if (synced[from] && final && final != pair->next) {
                me->tail++;
            }

            ngx_memzero(pair, sizeof(bus_test_pair_t));
            pair->generation = h.generation;
            synced[from] = 0;
        }

        if (!synced[from]) {
            if (h.seq < pair->next) {
                me->order++;
                bus_test_complain("goes back", from, h.seq, pair->next);
            }

            if (pair->got == 0) {
                pair->first = h.seq;
            }

            synced[from] = 1;
            pair->next = h.seq;
        }
    }

    if (!synced[from]) {
        me->unsynced++;
        return;
    }

    while (!(bus_test_targets(pair->next) & bit)) {
        pair->next++;
    }

    seed = bus_test_hash(from, pair->generation, pair->next);

    if (len >= BUS_TEST_HEADER) {
        if (h.seq != pair->next || h.seed != seed) {
            me->order++;
            bus_test_complain("out of order", from, h.seq, pair->next);
            pair->next = h.seq;
            seed = h.seed;
        }

        data += BUS_TEST_HEADER;
        rest -= BUS_TEST_HEADER;
        seed += BUS_TEST_HEADER / 8 * 0x9e3779b97f4a7c15;
    }

    if (!bus_test_pattern(data, rest, seed, 0)) {
        me->content++;
        bus_test_complain("wrong bytes", from, len, pair->next);
    }

    pair->next++;
    pair->got++;
    pair->bytes += len;
}


static void
bus_test_lost(ngx_uint_t from)
{
    me->lost++;
    synced[from] = 0;
}


static void
bus_test_dead(ngx_uint_t slot, uint32_t generation)
{
    (void) ngx_atomic_fetch_add(&shm->deaths[slot][generation % BUS_TEST_GENS],
                                1);

    if (ngx_atomic_cmp_set(&shm->kill_sweeper, 1, 0)) {
        (void) kill(ngx_pid, SIGKILL);
    }

    if (generation % 2) {
        ngx_wschat_bus_release(slot);
        return;
    }

    releases |= (uint64_t) 1 << slot;

    if (!release_event.timer_set) {
        ngx_add_timer(&release_event, 20);
    }
}


static void
bus_test_release(ngx_event_t *ev)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        if (releases & ((uint64_t) 1 << i)) {
            ngx_wschat_bus_release(i);
        }
    }

    releases = 0;
}


/* what a worker with a broken memory might write */

static void
bus_test_corrupt(void)
{
    ngx_str_t               part;
    ngx_wschat_bus_t        *b;
    ngx_wschat_bus_record_t  rec;

    b = &ngx_wschat_bus;

    rec.len = 8;
    rec.version = NGX_WSCHAT_BUS_VERSION;
    rec.flags = NGX_WSCHAT_BUS_FIRST;
    rec.rest = 0;
    rec.slots = ~(uint64_t) 0;

    part.data = (u_char *) "12345678";
    part.len = 8;

    if (ngx_wschat_bus_write(&rec, &part, 1) != NGX_OK) {
        return;
    }

    rec.len = 0xffffff00;
    ngx_memcpy(ngx_wschat_bus_at(b, b->slot, ngx_wschat_bus_writer.pos - 32),
               &rec, 16);

    ngx_wschat_bus_wake(~(uint64_t) 0);
}


/* dies while it writes, over what somebody may not have read yet */

static void
bus_test_die_writing(void)
{
    size_t             n;
    uint64_t           pos;
    ngx_wschat_bus_t  *b;

    b = &ngx_wschat_bus;
    pos = ngx_wschat_bus_writer.pos;

    b->shm->rings[b->slot].reserve = pos + b->ring / 4 * 3;

    for (n = 0; n < b->ring / 4 * 3; n += 16) {
        ngx_memset(ngx_wschat_bus_at(b, b->slot, pos + n), 0xff, 16);
    }

    (void) kill(ngx_pid, SIGKILL);
}


/* a live process, but not the one that has claimed the slot */

static void
bus_test_impostor(ngx_uint_t slot)
{
    ngx_wschat_bus_shm_t  *bus;

    bus = ngx_wschat_bus.shm;

    bus->births[slot] = (uint64_t) 9 << 32
                        | (ngx_wschat_bus_birth(ngx_getppid()) + 1);
    bus->words[slot] = ngx_wschat_bus_word(9, ngx_getppid(),
                                           NGX_WSCHAT_BUS_LIVE);
}


static uint64_t
bus_test_arg(ngx_http_request_t *r, char *name, uint64_t value)
{
    ngx_str_t  v;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &v) == NGX_OK) {
        return (uint64_t) ngx_atoi(v.data, v.len);
    }

    return value;
}


static u_char *
bus_test_report(u_char *p)
{
    uint64_t               live, word;
    ngx_uint_t             i, n;
    bus_test_slot_t       *s;
    bus_test_pair_t       *pair;
    ngx_wschat_bus_shm_t  *bus;

    bus = ngx_wschat_bus.shm;
    live = ngx_wschat_bus_live();

    for (i = 0; i < NGX_WSCHAT_SLOTS; i++) {
        s = &shm->slots[i];
        word = bus->words[i];

        if (ngx_wschat_bus_word_state(word) != NGX_WSCHAT_BUS_FREE) {
            p = ngx_sprintf(p, "slot n=%ui state=%ui pid=%P gen=%uD live=%ui "
                            "sent=%uL done=%uL order=%uL content=%uL tail=%uL "
                            "unsynced=%uL lost=%uL errors=%uL cpu=%uL at=%uL "
                            "received=%uL bells=%uL queued=%uL givenup=%uL "
                            "statlost=%uL\n", i,
                            ngx_wschat_bus_word_state(word),
                            ngx_wschat_bus_word_pid(word),
                            ngx_wschat_bus_word_generation(word),
                            (ngx_uint_t) ((live >> i) & 1),
                            s->sent, s->done, s->order, s->content, s->tail,
                            s->unsynced, s->lost, s->errors, s->cpu, s->at,
                            s->stat.received, s->stat.bells, s->stat.queued,
                            s->stat.given_up, s->stat.lost);

            for (n = 0; n < NGX_WSCHAT_SLOTS; n++) {
                pair = &shm->pairs[i][n];

                if (pair->got == 0) {
                    continue;
                }

                p = ngx_sprintf(p, "pair r=%ui w=%ui gen=%uL next=%uL got=%uL "
                                "first=%uL bytes=%uL\n", i, n,
                                pair->generation, pair->next, pair->got,
                                pair->first, pair->bytes);
            }
        }

        for (n = 0; n < BUS_TEST_GENS; n++) {
            if (shm->deaths[i][n]) {
                p = ngx_sprintf(p, "dead n=%ui gen=%ui calls=%uA\n", i, n,
                                shm->deaths[i][n]);
            }
        }
    }

    return ngx_sprintf(p, "start=%uL\nend\n", shm->start);
}


static ngx_int_t
bus_test_handler(ngx_http_request_t *r)
{
    uint64_t      n;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_str_t     v;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    shm->linger = bus_test_arg(r, "linger", shm->linger);

    if (bus_test_arg(r, "kill_sweeper", 0)) {
        shm->kill_sweeper = 1;
    }

    if (bus_test_arg(r, "corrupt", 0)) {
        bus_test_corrupt();
    }

    shm->die_writing = bus_test_arg(r, "die_writing", shm->die_writing);

    n = bus_test_arg(r, "impostor", 0);
    if (n) {
        bus_test_impostor((ngx_uint_t) n);
    }

    if (ngx_http_arg(r, (u_char *) "count", 5, &v) == NGX_OK) {
        shm->count = bus_test_arg(r, "count", 0);
        shm->size = bus_test_arg(r, "size", 0);
        shm->window = bus_test_arg(r, "window", 0);
        shm->rate = bus_test_arg(r, "rate", 0);
        shm->mask = bus_test_arg(r, "mask", ~(uint64_t) 0);
        shm->plain = bus_test_arg(r, "plain", 0);
        shm->to = bus_test_arg(r, "to", ~(uint64_t) 0);
        shm->start = ngx_current_msec;
        (void) ngx_atomic_fetch_add(&shm->job, 1);
    }

    b = ngx_create_temp_buf(r->pool, 512 * 1024);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, "me=%ui job=%uA\n", ngx_wschat_bus_slot(),
                          shm->job);
    b->last = bus_test_report(b->last);
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    r->keepalive = 0;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static char *
bus_test_location(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = bus_test_handler;

    return NGX_CONF_OK;
}
