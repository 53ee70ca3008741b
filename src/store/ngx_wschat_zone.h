
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_ZONE_H_INCLUDED_
#define _NGX_WSCHAT_ZONE_H_INCLUDED_


/*
 * Knows what is in a zone's shared memory, and how it is changed while the
 * zone is locked.  Never knows operations, sessions or the bus.
 *
 *     api ──┬── connection ──┬── attribute …
 *           │       │        └── User-Agent, shared
 *           │       └── member ──┐
 *           └── room, user ──────┴── log record …
 *
 * Everything is found by connection id or by name each time: no process keeps
 * a pointer into the zone when it does not hold the lock.  The only lock is
 * the slab pool's, as that is the one which the master takes from a worker
 * that was killed.  Before the first change under the lock the zone is marked
 * dirty, and whoever locks it next and finds it so begins it anew: see
 * ngx_wschat_zone_lock().
 *
 * Unless said otherwise all functions below need the lock, those which change
 * something also ngx_wschat_zone_modify(), and the ones which allocate return
 * NULL or NGX_BUSY, with nothing changed, if the zone is full.  No object is
 * larger than half a page, so a zone that has memory left has it in a form
 * that can be used.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_store_zone.h"
#include "ngx_wschat_siphash.h"


#define NGX_WSCHAT_ZONE_BLOCK  2048            /* the largest allocation */

/* connections and rooms of workers that went without being swept */
#define NGX_WSCHAT_ZONE_LOST   NGX_WSCHAT_SLOTS

#define ngx_wschat_zone_bit(slot)  ((uint64_t) 1 << (slot))


typedef struct ngx_wschat_zone_api_s      ngx_wschat_zone_api_t;
typedef struct ngx_wschat_zone_agent_s    ngx_wschat_zone_agent_t;
typedef struct ngx_wschat_zone_conn_s     ngx_wschat_zone_conn_t;
typedef struct ngx_wschat_zone_channel_s  ngx_wschat_zone_channel_t;
typedef struct ngx_wschat_zone_member_s   ngx_wschat_zone_member_t;
typedef struct ngx_wschat_zone_chunk_s    ngx_wschat_zone_chunk_t;
typedef struct ngx_wschat_zone_attr_s     ngx_wschat_zone_attr_t;
typedef struct ngx_wschat_zone_record_s   ngx_wschat_zone_record_t;


/* lives as long as there is a connection or a channel of it */

struct ngx_wschat_zone_api_s {
    ngx_queue_t                  queue;
    ngx_queue_t                  rooms;        /* in order of creation */
    ngx_uint_t                   refs;
    size_t                       len;
    u_char                       name[1];
};


/* a User-Agent, as many connections have the same */

struct ngx_wschat_zone_agent_s {
    ngx_str_node_t               node;
    ngx_uint_t                   refs;
    u_char                       data[1];
};


/* 120 bytes, so 128 in the slab: this is what an idle connection costs */

struct ngx_wschat_zone_conn_s {
    ngx_wschat_zone_conn_t      *next;         /* in the bucket */
    ngx_queue_t                  queue;        /* of its slot */
    ngx_wschat_zone_api_t       *api;
    ngx_wschat_zone_agent_t     *agent;        /* NULL: none */
    ngx_wschat_zone_attr_t      *attrs;
    ngx_queue_t                  members;      /* in order of joining */
    ngx_wschat_zone_member_t    *user;         /* in the user's channel */
    uint64_t                     connected;    /* ms since the epoch */
    u_char                       id[NGX_WSCHAT_ID_LEN];
    u_char                       addr[16];
    uint8_t                      addr_len;     /* 0: not an IP address */
    uint8_t                      slot;
    uint8_t                      accepted;     /* it got its 101 */
    uint8_t                      orphan;       /* its worker is dead, "slot"
                                                  takes care of it */
};


/*
 * A room, or the connections of a user.  "mask" has the slots of all workers
 * with members, and may have more.
 */

struct ngx_wschat_zone_channel_s {
    ngx_wschat_zone_channel_t   *next;         /* in the bucket */
    ngx_wschat_zone_api_t       *api;
    ngx_queue_t                  queue;        /* a room: the api's rooms or
                                                  a slot's ended ones */
    ngx_queue_t                  members;      /* in order of joining */
    uint64_t                     mask;
    uint64_t                     epoch;
    uint64_t                     offset;       /* of the last message */
    ngx_queue_t                  log;          /* oldest first */
    uint32_t                     hash;
    uint32_t                     count;        /* members */
    uint32_t                     records;
    uint16_t                     len;
    uint8_t                      kind;
    u_char                       name[1];
};


struct ngx_wschat_zone_member_s {
    ngx_queue_t                  queue;        /* of the channel */
    ngx_queue_t                  own;          /* of the connection; not that
                                                  of the user's channel */
    ngx_wschat_zone_conn_t      *conn;
    ngx_wschat_zone_channel_t   *channel;
};


/*
 * A text begins in its owner's block and goes on in as many chunks as it
 * needs; its length is with the owner.
 */

struct ngx_wschat_zone_chunk_s {
    ngx_wschat_zone_chunk_t     *next;
    u_char                       data[1];
};


struct ngx_wschat_zone_attr_s {
    ngx_wschat_zone_attr_t      *next;
    ngx_wschat_zone_chunk_t     *more;         /* of the value */
    uint16_t                     value_len;
    uint8_t                      key_len;
    u_char                       data[1];      /* key, value */
};


struct ngx_wschat_zone_record_s {
    ngx_queue_t                  queue;
    ngx_wschat_zone_chunk_t     *more;
    uint64_t                     offset;
    uint32_t                     time;         /* s since the epoch */
    uint32_t                     len;
    u_char                       data[1];      /* a JSON text */
};


typedef struct {
    ngx_queue_t                  connections;
    ngx_queue_t                  ended;        /* rooms whose hook is due,
                                                  newest first */
    uint32_t                     generation;   /* 0: does not use the zone */
} ngx_wschat_zone_slot_t;


/* the head of the zone, one block with the tables behind it */

typedef struct {
    volatile ngx_uint_t          dirty;
    uint64_t                     incarnation;
    uint64_t                     epoch;        /* the last one given */
    uint64_t                     key[2];
    uint64_t                     workers;      /* slots that use the zone */
    uint64_t                     pending;      /* those of them that have yet
                                                  to tell what they have */
    uint64_t                     full;

    ngx_uint_t                   connections;
    ngx_uint_t                   rooms;
    ngx_uint_t                   users;

    ngx_queue_t                  apis;
    ngx_rbtree_t                 agents;
    ngx_rbtree_node_t            sentinel;

    ngx_uint_t                   conn_mask;    /* of the hash tables */
    ngx_uint_t                   channel_mask;
    ngx_wschat_zone_conn_t     **conns;
    ngx_wschat_zone_channel_t  **channels;

    ngx_wschat_zone_slot_t       slots[NGX_WSCHAT_SLOTS + 1];
} ngx_wschat_zone_sh_t;


/* a process's own part */

struct ngx_wschat_zone_s {
    ngx_str_t                    name;
    ngx_slab_pool_t             *pool;
    uint64_t                     key[2];

    uint64_t                     seen;         /* the incarnation that has
                                                  this worker's sessions */
    ngx_uint_t                   at;           /* in the sessions */
    ngx_event_t                  restore;
    uint64_t                     overdue;      /* dead slots that nobody had
                                                  swept a while ago */
    ngx_uint_t                   refused;      /* to be logged */
    time_t                       warned;
    unsigned                     restoring:1;
    unsigned                     began:1;      /* to be logged */
};


/* a JSON array being written; "len" counts also what did not fit */

typedef struct {
    u_char                      *last;
    u_char                      *end;
    size_t                       len;
} ngx_wschat_zone_out_t;


/*
 * Begins an incarnation in a pool from which nothing is allocated.  "sh" is
 * the head of the last one, or NULL.  NGX_ERROR: does not fit.
 */
ngx_int_t ngx_wschat_zone_begin(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_sh_t *sh);

/*
 * Locks; without the lock, of course.  A dirty zone is begun anew.  If the
 * zone was begun anew since this worker told what it has, zone->restoring is
 * set, and the event posted.
 */
static ngx_inline ngx_wschat_zone_sh_t *ngx_wschat_zone_lock(
    ngx_wschat_zone_t *zone);
static ngx_inline void ngx_wschat_zone_unlock(ngx_wschat_zone_t *zone);

/* the slow parts of the two */
void ngx_wschat_zone_repair(ngx_wschat_zone_t *zone);
void ngx_wschat_zone_report(ngx_wschat_zone_t *zone);

/* An operation is refused: counts it. */
void ngx_wschat_zone_refuse(ngx_wschat_zone_t *zone);


/* The next zone of the cycle; *at is 0 at first.  Without the lock. */
ngx_wschat_zone_t *ngx_wschat_zone_next(ngx_cycle_t *cycle, ngx_uint_t *at);

/* NULL: there is none. */
ngx_wschat_zone_api_t *ngx_wschat_zone_api(ngx_wschat_zone_sh_t *sh,
    ngx_str_t *name);

/* NULL: there is none. */
ngx_wschat_zone_conn_t *ngx_wschat_zone_conn(ngx_wschat_zone_sh_t *sh,
    const u_char *id);
ngx_wschat_zone_conn_t *ngx_wschat_zone_conn_create(ngx_wschat_zone_t *zone,
    ngx_str_t *api, ngx_wschat_peer_t *peer, ngx_uint_t slot);

/* With all that it has; channels without members go as well. */
void ngx_wschat_zone_conn_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c);

/* Frees the connection, if there is one of that id.  Takes the lock. */
void ngx_wschat_zone_forget(ngx_wschat_zone_t *zone, const u_char *id);

/* The address as text; "p" has room for NGX_SOCKADDR_STRLEN.  No lock. */
size_t ngx_wschat_zone_addr(u_char *p, const u_char *addr, size_t len);

/* The key of channels' names.  No lock. */
#define ngx_wschat_zone_hash(zone, name)                                      \
    (uint32_t) ngx_wschat_siphash((zone)->key, (name)->data, (name)->len)

/* NULL: there is none; "api" may be NULL. */
ngx_wschat_zone_channel_t *ngx_wschat_zone_channel(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_api_t *api, ngx_wschat_target_e kind, uint32_t hash,
    ngx_str_t *name);
ngx_wschat_zone_channel_t *ngx_wschat_zone_channel_create(
    ngx_wschat_zone_t *zone, ngx_wschat_zone_api_t *api,
    ngx_wschat_target_e kind, uint32_t hash, ngx_str_t *name);

/* Its name is free, and it is in no list. */
void ngx_wschat_zone_channel_unlink(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch);

/* An unlinked one without members. */
void ngx_wschat_zone_channel_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch);

/* The room, without members, is unlinked and waits in the slot's list. */
void ngx_wschat_zone_channel_end(ngx_wschat_zone_sh_t *sh,
    ngx_wschat_zone_channel_t *ch, ngx_uint_t slot);

/*
 * What tells a room that has ended from all others to those who have no lock:
 * not a pointer, but what of its epoch fits into one.
 */
#define ngx_wschat_zone_room(ch)  ((void *) (uintptr_t) (ch)->epoch)

/* Frees the slot's room that ended, if it is still there.  Takes the lock. */
void ngx_wschat_zone_room_free(ngx_wschat_zone_t *zone, ngx_uint_t slot,
    void *room);

/* NULL: is not in the room. */
ngx_wschat_zone_member_t *ngx_wschat_zone_member(ngx_wschat_zone_conn_t *c,
    ngx_wschat_zone_channel_t *ch);

/* Not in the list of the connection yet. */
ngx_wschat_zone_member_t *ngx_wschat_zone_member_create(
    ngx_wschat_zone_t *zone, ngx_wschat_zone_conn_t *c,
    ngx_wschat_zone_channel_t *ch);

/* The channel stays, even without members. */
void ngx_wschat_zone_member_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_member_t *m);

/*
 * The member leaves a channel about which nobody says whether it was the
 * worker's last one, and which goes with its last member.
 */
void ngx_wschat_zone_member_drop(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_member_t *m);


/* NULL: has none. */
ngx_wschat_zone_attr_t *ngx_wschat_zone_attr(ngx_wschat_zone_conn_t *c,
    ngx_str_t *key);
ngx_int_t ngx_wschat_zone_attr_set(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_str_t *key, ngx_str_t *value);
void ngx_wschat_zone_attr_remove(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_conn_t *c, ngx_str_t *key);
u_char *ngx_wschat_zone_attr_value(u_char *p, ngx_wschat_zone_attr_t *attr);

/*
 * One more element of that length: where to write it, or NULL if there is no
 * room.  When all are there, the array is ended.
 */
u_char *ngx_wschat_zone_out_add(ngx_wschat_zone_out_t *out, size_t len);
void ngx_wschat_zone_out_end(ngx_wschat_zone_out_t *out);

/* The part of a text that goes into chunks: "size" bytes, may be 0. */
ngx_int_t ngx_wschat_zone_text_alloc(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_chunk_t **more, size_t size);
void ngx_wschat_zone_text_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_chunk_t *more);

/* "room" is what of the text is at p. */
void ngx_wschat_zone_text_write(u_char *p, size_t room,
    ngx_wschat_zone_chunk_t *more, ngx_str_t *parts, ngx_uint_t n);
u_char *ngx_wschat_zone_text_read(u_char *dst, u_char *p, size_t room,
    ngx_wschat_zone_chunk_t *more, size_t len);


/*
 * Appends the text in "parts" to the room's log, as that of the next offset.
 * Records beyond "keep" of them, the oldest, and those from before "since" are
 * dropped.
 */
ngx_int_t ngx_wschat_zone_log_append(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch, ngx_str_t *parts, ngx_uint_t n,
    ngx_uint_t keep, time_t since);

/* The time before which the api does not want to know of records. */
#define ngx_wschat_zone_since(api)                                            \
    ((api)->history_age ? ngx_time() - (api)->history_age : 0)

/*
 * Writes the newest "max" of the records with offsets in (after, upto], and
 * not from before "since", oldest first.
 */
void ngx_wschat_zone_log_write(ngx_wschat_zone_out_t *out,
    ngx_wschat_zone_channel_t *ch, uint64_t after, uint64_t upto,
    ngx_uint_t max, time_t since);

void ngx_wschat_zone_log_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch);


#define ngx_wschat_zone_head(zone)                                            \
    ((ngx_wschat_zone_sh_t *) (zone)->pool->data)


static ngx_inline ngx_wschat_zone_sh_t *
ngx_wschat_zone_lock(ngx_wschat_zone_t *zone)
{
    ngx_wschat_zone_sh_t  *sh;

    ngx_shmtx_lock(&zone->pool->mutex);

    sh = ngx_wschat_zone_head(zone);

    if (sh->dirty || sh->incarnation != zone->seen) {
        ngx_wschat_zone_repair(zone);
    }

    return sh;
}


/* what was changed before the worker was killed is not behind the mark */

static ngx_inline void
ngx_wschat_zone_modify(ngx_wschat_zone_sh_t *sh)
{
    sh->dirty = 1;
    ngx_memory_barrier();
}


static ngx_inline void
ngx_wschat_zone_unlock(ngx_wschat_zone_t *zone)
{
    ngx_memory_barrier();
    ngx_wschat_zone_head(zone)->dirty = 0;

    ngx_shmtx_unlock(&zone->pool->mutex);

    if (zone->refused || zone->began) {
        ngx_wschat_zone_report(zone);
    }
}


#endif /* _NGX_WSCHAT_ZONE_H_INCLUDED_ */
