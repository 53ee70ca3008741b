
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_HUB_H_INCLUDED_
#define _NGX_WSCHAT_HUB_H_INCLUDED_


/*
 * Knows who is here: this worker's sessions by room and by user, and turns
 * one message into one shared frame for many.  Never knows where messages
 * come from, nor where state is kept.
 *
 * Messages of a room carry its epoch and an offset, and are delivered in the
 * order of their offsets: one that comes early is held until what is missing
 * has come, or is given up after NGX_WSCHAT_HUB_GAP milliseconds: the gap is
 * counted and logged.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"


#define NGX_WSCHAT_HUB_GAP   1000         /* ms */
#define NGX_WSCHAT_HUB_HELD  1024         /* messages of a room */
#define NGX_WSCHAT_HUB_BYTES (8 * 1024 * 1024)


/* a session's membership; a session's memberships are a list, newest first */

typedef struct ngx_wschat_channel_s  ngx_wschat_channel_t;

struct ngx_wschat_member_s {
    ngx_wschat_session_t   *session;
    ngx_wschat_channel_t   *channel;
    ngx_wschat_member_t    *next;
    ngx_uint_t              index;        /* in channel->members */
    uint64_t                from;         /* room: it has joined behind this
                                             offset */
};

struct ngx_wschat_channel_s {
    ngx_str_node_t          node;         /* key: the name */
    ngx_wschat_api_t       *api;
    ngx_wschat_target_e     kind;         /* NGX_WSCHAT_TO_ROOM or _USER */
    ngx_wschat_member_t   **members;      /* unordered */
    ngx_uint_t              n;
    ngx_uint_t              size;
    uint64_t                epoch;
    uint64_t                offset;       /* of the last delivered message */
    ngx_queue_t             held;         /* early messages, by offset */
    ngx_uint_t              nheld;
    size_t                  bytes;        /* of the held ones */
    ngx_queue_t             gaps;         /* in the queue of those waiting */
    ngx_msec_t              since;        /* when the oldest wait began */
};

typedef struct {
    uint64_t                delivered;    /* messages times receivers */
    uint64_t                held;
    uint64_t                gaps;
} ngx_wschat_hub_stat_t;


ngx_int_t ngx_wschat_hub_init_process(ngx_cycle_t *cycle);

/*
 * The session becomes a member of the room or the user's channel; "epoch"
 * and "offset" are the room's, as "join" of the store gave them: what is of
 * this offset or before is not delivered to the session.  A member that joins
 * again stays as it is; but if the epoch is another one, the channel begins
 * anew with it.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_wschat_hub_join(ngx_wschat_session_t *s,
    ngx_wschat_target_e kind, ngx_str_t *name, uint64_t epoch,
    uint64_t offset);

/* NGX_DECLINED: was not a member. */
ngx_int_t ngx_wschat_hub_leave(ngx_wschat_session_t *s,
    ngx_wschat_target_e kind, ngx_str_t *name);

/* Leaves everything. */
void ngx_wschat_hub_drop(ngx_wschat_session_t *s);

/* How many sessions of this worker are in the channel. */
ngx_uint_t ngx_wschat_hub_count(ngx_wschat_api_t *api,
    ngx_wschat_target_e kind, ngx_str_t *name);

/* The session's membership of the room, or NULL. */
ngx_wschat_member_t *ngx_wschat_hub_member(ngx_wschat_session_t *s,
    ngx_wschat_target_e kind, ngx_str_t *name);

/*
 * Queues the message to all sessions of this worker that it is for; sessions
 * do not come or go during the call.  The message's strings
 * are not needed afterwards.  NGX_OK, or NGX_ERROR: no memory.
 */
ngx_int_t ngx_wschat_hub_deliver(ngx_wschat_api_t *api,
    ngx_wschat_message_t *message);

void ngx_wschat_hub_stat(ngx_wschat_hub_stat_t *stat);


#endif /* _NGX_WSCHAT_HUB_H_INCLUDED_ */
