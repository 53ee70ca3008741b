
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_RUN_H_INCLUDED_
#define _NGX_WSCHAT_RUN_H_INCLUDED_


/*
 * Knows how the steps of a route are run for one connection, one after the
 * other, and how that is suspended and goes on.  Never knows sockets, nor
 * what single steps do, nor where state is kept.
 *
 * A run is for a session or, when that has ended, for what is left of it (an
 * "orphan").  What happens on the way, such as a room that became empty, is
 * put on the run's list of things to do, which is worked off between two
 * steps: so hooks run after the step that caused them and before the next.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "ngx_wschat.h"
#include "ngx_wschat_api.h"
#include "ngx_wschat_buf.h"
#include "ngx_wschat_json.h"
#include "ngx_wschat_value.h"
#include "ngx_wschat_template.h"
#include "session/ngx_wschat_session.h"
#include "store/ngx_wschat_store.h"


/* where a block of steps stands: which steps and references it may have */

#define NGX_WSCHAT_IN_CONNECT     0x01
#define NGX_WSCHAT_IN_MESSAGE     0x02
#define NGX_WSCHAT_IN_DISCONNECT  0x04
#define NGX_WSCHAT_IN_HOOK        0x08
#define NGX_WSCHAT_IN_ANY         0x0f


#define NGX_WSCHAT_RUN_DEPTH      64      /* blocks within blocks */
#define NGX_WSCHAT_RUN_STEPS      1000    /* of a route and of a hook, with the
                                             hooks that they cause */


/*
 * A step's handler:
 *
 *     NGX_OK      done, the next step follows
 *     NGX_AGAIN   waits; the handler is called again, with run->phase as it
 *                 left it and run->op.rc, when the operation is completed
 *     NGX_DONE    the route, or the hook, ends here
 *     NGX_ERROR   failed, and logged: the route ends, the client gets the
 *                 error frame
 */
typedef ngx_int_t (*ngx_wschat_step_pt)(ngx_wschat_run_t *run, void *conf);

struct ngx_wschat_step_s {
    ngx_wschat_step_pt        handler;
    void                     *conf;
    ngx_array_t              *fetch;      /* of ngx_wschat_ref_t *: what must
                                             be had from the store before */
    u_char                   *file;
    ngx_uint_t                line;
    char                     *name;
};


/* what is to be done between two steps */

typedef enum {
    NGX_WSCHAT_TODO_CONNECT = 0,          /* tell the store of the newcomer */
    NGX_WSCHAT_TODO_ACCEPT,               /* and that it is let in */
    NGX_WSCHAT_TODO_LEAVE,                /* leave the room */
    NGX_WSCHAT_TODO_EVENT,                /* run the hook, if there is one */
    NGX_WSCHAT_TODO_END,                  /* free an ended room's remains */
    NGX_WSCHAT_TODO_DISCONNECT            /* let the store forget it */
} ngx_wschat_todo_e;

typedef struct ngx_wschat_todo_s  ngx_wschat_todo_t;

struct ngx_wschat_todo_s {
    ngx_wschat_todo_t        *next;
    ngx_wschat_todo_e         kind;
    ngx_wschat_event_e        event;
    ngx_str_t                 room;
    ngx_uint_t                count;
    void                     *ended;
};


/* what $room and $room.NAME are */

typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                count;
    uint64_t                  offset;
    uint64_t                  epoch;
    ngx_str_t                 history;
    unsigned                  set:1;      /* there is a name */
    unsigned                  counted:1;  /* and a count */
    unsigned                  joined:1;   /* and the rest, too */
    unsigned                  created:1;
} ngx_wschat_here_t;


/*
 * A block being run.  That of a hook keeps what was before it and what is to
 * be done after it.
 */

typedef struct {
    ngx_wschat_block_t       *block;
    ngx_uint_t                i;          /* the next step */
    ngx_uint_t                hook;
    void                     *ended;      /* room_empty: the room's remains */
    ngx_wschat_here_t         here;
    ngx_wschat_todo_t        *todo;
    ngx_wschat_todo_t       **todo_last;
} ngx_wschat_level_t;


typedef void (*ngx_wschat_run_done_pt)(ngx_wschat_run_t *run);


struct ngx_wschat_run_s {
    ngx_wschat_run_t         *next;       /* of those not in use */
    ngx_pool_t               *pool;

    ngx_wschat_api_t         *api;
    ngx_wschat_session_t     *session;    /* NULL when it has ended */
    ngx_wschat_orphan_t      *orphan;     /* and what is left of it */
    u_char                   *id;         /* the connection's */
    ngx_http_request_t       *request;    /* in $connect */
    ngx_log_t                *log;

    ngx_str_t                 route;      /* the key */
    ngx_uint_t                in;         /* NGX_WSCHAT_IN_... */

    ngx_str_t                 body;
    ngx_wschat_json_t         json;
    ngx_wschat_json_t        *parsed;     /* NULL: the body is not JSON */

    ngx_wschat_level_t        levels[NGX_WSCHAT_RUN_DEPTH];
    ngx_uint_t                depth;
    ngx_uint_t                hooks;      /* of the levels, those of hooks */
    ngx_uint_t                steps;
    ngx_uint_t                phase;
    ngx_uint_t                fetched;    /* references of this step */

    ngx_wschat_todo_t        *todo;
    ngx_wschat_todo_t       **todo_last;

    ngx_wschat_value_t       *values;     /* of api->variables; NULL: none
                                             has one yet */
    ngx_wschat_here_t         here;

    ngx_wschat_op_t           op;
    ngx_event_t               timer;
    ngx_queue_t               waiting;    /* while the timer is set */

    ngx_uint_t                status;     /* $connect: the answer */
    ngx_str_t                 answer;
    ngx_wschat_end_t          end;        /* $disconnect */
    uint64_t                  started;    /* ms since the epoch */
    u_char                    request_id[16];
    u_char                    message_id[16];
    u_char                    text[64];   /* of the reference looked at last */

    ngx_wschat_run_done_pt    done;
    void                     *data;

    unsigned                  suspended:1;
    unsigned                  has_request_id:1;
    unsigned                  has_message_id:1;
    unsigned                  answer_json:1;
    unsigned                  failed:1;
    unsigned                  full:1;     /* the store refused a newcomer */
    unsigned                  accepted:1; /* $connect: answer with 101 */
    unsigned                  leaving:1;  /* rooms are left, then the end */
    unsigned                  no_hooks:1; /* they have run wild */
};


ngx_int_t ngx_wschat_run_init_process(ngx_cycle_t *cycle);


/*
 * The entries.  Each returns NGX_OK when the run is done, NGX_AGAIN when it
 * goes on later and done(run) will be called, NGX_ERROR for lack of memory.
 */

/* A message of an open session; the body is not needed after the call. */
ngx_int_t ngx_wschat_run_message(ngx_wschat_session_t *s, u_char *data,
    size_t len);

/*
 * The handshake of a session: the store is told, then $connect is run.  The
 * run is returned also when it is done; the caller reads run->accepted,
 * status and answer and calls ngx_wschat_run_release().
 */
ngx_int_t ngx_wschat_run_connect(ngx_wschat_session_t *s,
    ngx_http_request_t *r, ngx_wschat_run_t **run,
    ngx_wschat_run_done_pt done, void *data);
void ngx_wschat_run_release(ngx_wschat_run_t *run);

/*
 * A session has ended: $disconnect is run, its rooms are left, the store is
 * told.  The same for an orphan of another worker, which is taken over.
 */
void ngx_wschat_run_ended(ngx_wschat_session_t *s, ngx_wschat_end_t *end);
void ngx_wschat_run_orphan(ngx_wschat_api_t *api,
    ngx_wschat_orphan_t *orphan);

/* A room ended, and nobody got to run its hook. */
void ngx_wschat_run_room_ended(ngx_wschat_api_t *api, ngx_str_t *name,
    void *room);

/* The client is gone in the middle of $connect. */
void ngx_wschat_run_cancel(ngx_wschat_run_t *run);


/* For steps. */

/* Runs the block's steps before the next step of this one. */
ngx_int_t ngx_wschat_run_block(ngx_wschat_run_t *run,
    ngx_wschat_block_t *block);

/*
 * Starts an operation of the store: run->op, whose api, pool, log, id are
 * filled in, returns what the store returns; on NGX_AGAIN so must the step.
 */
void ngx_wschat_run_op(ngx_wschat_run_t *run);
ngx_int_t ngx_wschat_run_start(ngx_wschat_run_t *run,
    ngx_wschat_store_pt start);

/*
 * To be done before the next step.  The room's name is copied.  NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_wschat_run_todo(ngx_wschat_run_t *run, ngx_wschat_todo_e kind,
    ngx_wschat_event_e event, ngx_str_t *room, ngx_uint_t count, void *ended);
ngx_int_t ngx_wschat_run_leave(ngx_wschat_run_t *run, ngx_str_t *room);

/* Leaves all rooms but this one, which may be NULL. */
ngx_int_t ngx_wschat_run_leave_all(ngx_wschat_run_t *run, ngx_str_t *except);

/* The step waits for so long. */
void ngx_wschat_run_wait(ngx_wschat_run_t *run, ngx_msec_t ms);

/* The worker's time is over: from now on no step waits. */
void ngx_wschat_run_hurry(void);

/*
 * Renders the template into one of the worker's buffers.  The body is valid
 * until the next call with that buffer, or until the event ends.
 */
#define NGX_WSCHAT_RUN_BODY    0
#define NGX_WSCHAT_RUN_RECORD  1
#define NGX_WSCHAT_RUN_NAME    2
#define NGX_WSCHAT_RUN_BUFS    3

ngx_int_t ngx_wschat_run_render(ngx_wschat_run_t *run,
    ngx_wschat_template_t *tpl, ngx_uint_t buf, ngx_str_t *body,
    ssize_t *late_at);

/* The same as a plain text; empty if it is a reference without a value. */
ngx_int_t ngx_wschat_run_text(ngx_wschat_run_t *run,
    ngx_wschat_template_t *tpl, ngx_uint_t buf, ngx_str_t *text);

/* A room's name: not empty, of at most NGX_WSCHAT_MAX_NAME bytes. */
ngx_int_t ngx_wschat_run_name(ngx_wschat_run_t *run,
    ngx_wschat_template_t *tpl, ngx_str_t *name);

/* A text frame to the run's own session, if there still is one. */
ngx_int_t ngx_wschat_run_reply(ngx_wschat_run_t *run, ngx_str_t *body,
    ngx_uint_t ephemeral);

/* Logs that a step failed and why; returns NGX_ERROR. */
ngx_int_t ngx_wschat_run_failed(ngx_wschat_run_t *run, ngx_uint_t level,
    const char *why);

/* The attributes of the connection: where their list begins. */
ngx_wschat_attr_t **ngx_wschat_run_attrs(ngx_wschat_run_t *run);

/* The room joined last, of those still joined; NULL: none. */
ngx_str_t *ngx_wschat_run_room(ngx_wschat_run_t *run);

/* Copies the text into the run's pool.  NGX_ERROR: no memory. */
ngx_int_t ngx_wschat_run_copy(ngx_wschat_run_t *run, ngx_str_t *dst,
    ngx_str_t *src);

u_char *ngx_wschat_run_request_id(ngx_wschat_run_t *run);
u_char *ngx_wschat_run_message_id(ngx_wschat_run_t *run);


#endif /* _NGX_WSCHAT_RUN_H_INCLUDED_ */
