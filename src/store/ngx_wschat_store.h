
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_STORE_H_INCLUDED_
#define _NGX_WSCHAT_STORE_H_INCLUDED_


/*
 * Knows what every store can do, whatever it keeps its state in: connections
 * with their attributes, rooms with their members, order and log, users.
 * Never knows JSON templates, routes or sockets.
 *
 * Contract of all operations: the caller fills a ngx_wschat_op_t; the
 * function returns
 *
 *     NGX_OK        done, the results are in the op
 *     NGX_DECLINED  done, the answer is "no": see the operation
 *     NGX_BUSY      refused: the store is full, nothing was changed
 *     NGX_ERROR     failed, logged by the store
 *     NGX_AGAIN     op->handler will be called once, later, never from within
 *                   the call, with op->rc set to one of the above
 *
 * The op and its pool must live until the handler was called.  Argument
 * strings are not looked at after the function has returned.  Results are
 * allocated from op->pool.  A caller that goes away before the handler is
 * called sets op->handler to a function that only frees.
 */


#include "ngx_wschat.h"


typedef struct ngx_wschat_op_s  ngx_wschat_op_t;

typedef void (*ngx_wschat_op_pt)(ngx_wschat_op_t *op);


/* what is known of a connection from its handshake */

typedef struct {
    u_char                id[NGX_WSCHAT_ID_LEN];
    uint64_t              connected;           /* ms since the epoch */
    uint64_t              last_active;         /* ms since the epoch */
    ngx_str_t             ip;                  /* as text */
    ngx_str_t             user_agent;          /* empty if there was none */
} ngx_wschat_peer_t;


/* an attribute of a connection; values are compact JSON texts */

struct ngx_wschat_attr_s {
    ngx_wschat_attr_t    *next;
    ngx_str_t             key;
    ngx_str_t             value;
};


typedef enum {
    NGX_WSCHAT_TO_ROOM = 0,
    NGX_WSCHAT_TO_USER,
    NGX_WSCHAT_TO_CONNECTION,
    NGX_WSCHAT_TO_ALL
} ngx_wschat_target_e;


/* a message on its way to many */

typedef struct {
    ngx_wschat_target_e   target;
    ngx_str_t             name;                /* the room or the user */
    const u_char         *id;                  /* the connection */
    const u_char         *except;              /* the id left out, or NULL */
    uint64_t              epoch;               /* of the room */
    uint64_t              offset;              /* in the room, from 1 */
    ngx_str_t             body;
    unsigned              ephemeral:1;         /* may be dropped */
} ngx_wschat_message_t;


struct ngx_wschat_op_s {
    ngx_wschat_api_t     *api;
    ngx_pool_t           *pool;
    ngx_log_t            *log;

    /* arguments */

    const u_char         *id;                  /* of the connection */
    ngx_str_t             name;                /* room, user or attribute */
    ngx_str_t             value;               /* attribute: JSON text */

    uint64_t              since;               /* join: log after this offset */
    ngx_uint_t            history;             /* join: at most so many */
    unsigned              create:1;            /* join: may create the room */
    unsigned              want_since:1;
    unsigned              want_history:1;

    unsigned              accepted:1;          /* connect: $connect is over */

    unsigned              last:1;              /* leave: nobody else of this
                                                  worker is in the room, as
                                                  things stand at the call; a
                                                  store that answers later
                                                  has to look again then */

    ngx_wschat_message_t  message;             /* publish; post: body */
    ssize_t               late_at;             /* publish: where in the body
                                                  the offset is put in, or -1 */
    ngx_str_t             record;              /* publish: what is logged */
    ssize_t               record_late_at;
    unsigned              store:1;             /* publish: log it */
    unsigned              record_json:1;       /* the record is JSON */

    ngx_uint_t            code;                /* close: status code */
    ngx_str_t             reason;

    /* results */

    uint64_t              offset;              /* join, publish */
    uint64_t              epoch;               /* join; also an argument: the
                                                  epoch that "since" is of,
                                                  0: any */
    ngx_uint_t            count;               /* join, leave: members now */
    ngx_str_t             text;                /* a JSON array */
    void                 *room;                /* leave: the ended room */
    ngx_wschat_peer_t     peer;                /* connect (argument), find */
    unsigned              created:1;           /* join */
    unsigned              already:1;           /* join: was a member before */
    unsigned              ended:1;             /* leave: that was the last */

    ngx_int_t             rc;                  /* for the handler */
    ngx_wschat_op_pt      handler;
    void                 *data;                /* the caller's */
    void                 *ctx;                 /* the store's */
};


typedef ngx_int_t (*ngx_wschat_store_pt)(ngx_wschat_op_t *op);


/*
 * connect     op->peer: a connection is there; "accepted" says that it will
 *             get its 101, and may be told later, with a second call.  BUSY:
 *             the store is full.
 * disconnect  op->id: forget it; memberships that are left are dropped
 *             without further ado.
 * set         op->id: attribute op->name gets op->value, a JSON text; an empty
 *             value removes it.  The attribute "user" also makes the
 *             connection one of that user's.  BUSY: full.
 * join        op->id joins the room op->name.  Results: created, already,
 *             count, offset (of the last message), epoch, and with
 *             want_history or want_since text: the log, oldest first, a JSON
 *             array of records.  DECLINED: no such room and "create" not set.
 *             BUSY: full.  A "since" of another epoch is as if not given.
 * leave       op->id leaves the room op->name.  Results: count, ended.
 *             DECLINED: was not a member.  The last one out ends the room: its
 *             name is free at once, op->room stays until "end" is called.
 * end         op->room: what is left of an ended room is freed, once its hook
 *             has run.
 * publish     op->message goes to its target; room messages get their offset
 *             there.  With "store", op->record is appended to the room's log.
 *             Result: offset.  DECLINED: there is no such room.
 * rooms       Result: text, the rooms' names in order of their creation.
 * members     Room op->name; result: text, in order of joining, the members'
 *             attribute op->value (a key; members without it are left out), or
 *             their connection ids if that is empty; count.
 * exists      DECLINED: there is no room op->name.  Result: count.
 * find        op->id.  Result: peer.  DECLINED: gone.
 * post        op->message.body is sent to op->id.  DECLINED: gone.
 *             BUSY: its queue is full.
 * close       op->id is closed with op->code and op->reason.  DECLINED: gone.
 */

struct ngx_wschat_store_s {
    ngx_str_t             name;

    ngx_wschat_store_pt   connect;
    ngx_wschat_store_pt   disconnect;
    ngx_wschat_store_pt   set;
    ngx_wschat_store_pt   join;
    ngx_wschat_store_pt   leave;
    ngx_wschat_store_pt   end;
    ngx_wschat_store_pt   publish;
    ngx_wschat_store_pt   rooms;
    ngx_wschat_store_pt   members;
    ngx_wschat_store_pt   exists;
    ngx_wschat_store_pt   find;
    ngx_wschat_store_pt   post;
    ngx_wschat_store_pt   close;
};


/*
 * A connection whose worker died: handed to a survivor, which runs its
 * $disconnect, leaves its rooms and disconnects it, with the same operations
 * as for a connection of its own.  All of it lives in "pool", which the
 * receiver destroys.
 */

typedef struct {
    ngx_pool_t           *pool;
    ngx_wschat_peer_t     peer;
    ngx_wschat_attr_t    *attrs;
    ngx_str_t            *rooms;               /* in order of joining */
    ngx_uint_t            nrooms;
    unsigned              accepted:1;          /* it got its 101 */
} ngx_wschat_orphan_t;

typedef struct {
    /* a dead worker's connection */
    void                (*orphan)(ngx_wschat_api_t *api,
                                  ngx_wschat_orphan_t *orphan);

    /* a room whose hook a dead worker did not get to run; then call "end" */
    void                (*ended)(ngx_wschat_api_t *api, ngx_str_t *name,
                                 void *room);
} ngx_wschat_store_handlers_t;


#endif /* _NGX_WSCHAT_STORE_H_INCLUDED_ */
