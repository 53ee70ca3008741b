
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_SESSION_H_INCLUDED_
#define _NGX_WSCHAT_SESSION_H_INCLUDED_


/*
 * Knows one connected client: its socket, what came in part, what is to go
 * out, how it closes.  Never knows what a message means.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"


typedef struct ngx_wschat_in_s     ngx_wschat_in_t;
typedef struct ngx_wschat_queue_s  ngx_wschat_queue_t;
typedef struct ngx_wschat_place_s  ngx_wschat_place_t;
typedef struct ngx_wschat_client_s  ngx_wschat_client_t;


typedef enum {
    NGX_WSCHAT_CONNECTING = 0,     /* $connect runs, no 101 yet */
    NGX_WSCHAT_OPEN,
    NGX_WSCHAT_CLOSING,            /* our close frame is queued or sent */
    NGX_WSCHAT_CLOSED              /* to be freed, nothing is done any more */
} ngx_wschat_state_e;


/*
 * Its 136 bytes are what nginx (1.22, plain TCP over IPv4) leaves free of the
 * connection's 512-byte pool, so that an idle session costs no memory of its
 * own there.
 */

struct ngx_wschat_session_s {
    ngx_connection_t     *connection;
    ngx_wschat_api_t     *api;
    ngx_wschat_client_t  *client;          /* what it has in common with
                                              others, for logging */
    ngx_wschat_member_t  *members;         /* the hub's */
    ngx_wschat_attr_t    *attrs;
    ngx_wschat_run_t     *run;             /* a message being worked on that
                                              has to wait, or NULL */
    ngx_wschat_in_t      *in;              /* input in part, or NULL */
    ngx_wschat_queue_t   *out;             /* output queued, or NULL */
    ngx_queue_t           wheel;
    uint64_t              connected;       /* ms since the epoch */
    uint64_t              bytes_in;
    u_char                id[NGX_WSCHAT_ID_LEN];

    uint32_t              deadline;        /* in the wheel, in ticks */
    uint32_t              last_active;     /* ngx_wschat_session_now() */
    uint32_t              last_read;       /* the same */
    uint32_t              messages_in;
    uint32_t              messages_out;

    unsigned              close_code:13;
    unsigned              route:9;         /* of the last message, see
                                              ngx_wschat_api_route() */
    unsigned              state:2;
    unsigned              pinged:1;        /* a ping waits for its answer */
    unsigned              stored:1;        /* the store knows it */
    unsigned              deaf:1;          /* input is thrown away */
    unsigned              half_closed:1;   /* nothing more is written */
    unsigned              finished:1;      /* ends when all is written */
    unsigned              drain:1;         /* its time in the drain is set */
    unsigned              apart:1;         /* not in the connection's pool */
};


/* how a session ended, for $disconnect and the log */

typedef struct {
    ngx_uint_t            code;
    ngx_str_t             reason;
} ngx_wschat_end_t;


/* what the parts above do; called from events only, never from a send */

typedef struct {
    /*
     * A whole message, which is UTF-8.  NGX_OK: done with; NGX_AGAIN:
     * it is being worked on, the next one waits until
     * ngx_wschat_session_resume(); NGX_ERROR: no memory, the session is
     * closed.  "data" is not needed after the call.
     */
    ngx_int_t           (*message)(ngx_wschat_session_t *s, u_char *data,
                                   size_t len);

    /*
     * An accepted session has ended and will be freed after the call, which
     * has to take it out of the hub and to free its attributes.
     */
    void                (*ended)(ngx_wschat_session_t *s,
                                 ngx_wschat_end_t *end);
} ngx_wschat_session_handlers_t;


#define NGX_WSCHAT_BINARY_OFF   0          /* close 1003 */
#define NGX_WSCHAT_BINARY_TEXT  1          /* as if it were text */


static ngx_inline uint64_t
ngx_wschat_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/*
 * The sessions' own time, ms, which no setting of the clock changes; it wraps
 * after 49 days, differences do not
 */

#define ngx_wschat_session_now()  ((uint32_t) ngx_current_msec)


ngx_int_t ngx_wschat_session_init_process(ngx_cycle_t *cycle,
    ngx_wschat_session_handlers_t *handlers);

/*
 * A session for a connection whose handshake is being looked at.  Until
 * ngx_wschat_session_open() its sends are only queued.  "node" and "slot" go
 * into its id.  NULL: no memory or no random bytes.
 */
ngx_wschat_session_t *ngx_wschat_session_create(ngx_connection_t *c,
    ngx_wschat_api_t *api, ngx_uint_t node, ngx_uint_t slot);

/*
 * The 101 is sent and the request is gone: the connection is the session's.
 * "rest" are bytes that came behind the handshake.  After the call the
 * session may be gone.
 */
void ngx_wschat_session_open(ngx_wschat_session_t *s, ngx_str_t *rest);

/* Refused: frees what the session has allocated; the pool frees it. */
void ngx_wschat_session_discard(ngx_wschat_session_t *s);

/* The message that had to wait is done with: input goes on, from an event. */
void ngx_wschat_session_resume(ngx_wschat_session_t *s);

/*
 * The worker exits: close with 1001, spread over "window" ms.  Returns the
 * number of sessions.
 */
ngx_uint_t ngx_wschat_session_drain(ngx_msec_t window);

/* Open sessions of this worker. */
ngx_uint_t ngx_wschat_session_count(void);

/* For error logs: writes the connection's id and what it is doing. */
u_char *ngx_wschat_session_log_error(ngx_log_t *log, u_char *buf, size_t len);


/*
 * This worker's open session of that id, or NULL: also if the id was issued
 * for a session that is gone, or has not got its 101 yet, or is closing.
 */
ngx_wschat_session_t *ngx_wschat_session_find(const u_char *id);

/*
 * Iterates over this worker's open sessions, in no order: *at is 0 at first.
 * NULL: there are no more.  Sessions do not come or go meanwhile.
 */
ngx_wschat_session_t *ngx_wschat_session_next(ngx_uint_t *at);

/*
 * Queues a frame to the client; takes a reference of its own.  The socket is
 * written at the end of this turn of the event loop, or when the queue is full.
 * Sessions do not end in it.
 *
 *     NGX_OK        queued
 *     NGX_DECLINED  dropped: an ephemeral message, and the queue is half full
 *     NGX_BUSY      the queue is full: the session is being closed with 1008
 *     NGX_ERROR     not open any more, or no memory (then it is closed)
 */
ngx_int_t ngx_wschat_session_send(ngx_wschat_session_t *s,
    ngx_wschat_frame_t *frame);

/*
 * Starts the close handshake, behind what is queued.  "reason" is cut to 123
 * bytes.  Does nothing if it was started before.
 */
void ngx_wschat_session_close(ngx_wschat_session_t *s, ngx_uint_t code,
    ngx_str_t *reason);

/* Fills in what is known of the connection; nothing is copied. */
void ngx_wschat_session_peer(ngx_wschat_session_t *s, ngx_wschat_peer_t *peer);


/*
 * A frame is made once and sent to many: immutable, counted references of
 * this process.
 */

struct ngx_wschat_frame_s {
    uint32_t              refs;
    uint32_t              len;             /* header and payload */
    unsigned              ephemeral:1;
    u_char               *start;
};

/* A text frame, or any other opcode; with one reference, the caller's. */
ngx_wschat_frame_t *ngx_wschat_frame_create(ngx_uint_t opcode, u_char *data,
    size_t len);
void ngx_wschat_frame_unref(ngx_wschat_frame_t *frame);


#endif /* _NGX_WSCHAT_SESSION_H_INCLUDED_ */
