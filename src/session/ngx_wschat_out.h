
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_OUT_H_INCLUDED_
#define _NGX_WSCHAT_OUT_H_INCLUDED_


/*
 * Knows the frames that wait for a client, and is the only one that writes
 * to its socket.  Never knows what is in them.
 *
 * A queue is a ring of pointers to shared frames; a session without output
 * has none.  Frames are gathered into one buffer per worker and leave in one
 * call.  A fan-out leaves the same frames in the queues of many sessions, so
 * the buffer is kept as it is while the next queue holds the same frames.
 */


#include "ngx_wschat_session.h"


/* what a queued frame costs beside its bytes */

#define NGX_WSCHAT_OUT_COST                                                  \
    (sizeof(ngx_wschat_frame_t) + 4 * sizeof(void *))


struct ngx_wschat_queue_s {
    uint32_t              head;
    uint32_t              n;               /* frames */
    uint32_t              size;            /* of the ring, a power of two */
    uint32_t              offset;          /* sent bytes of the first frame */
    size_t                bytes;           /* of all the frames, and
                                              NGX_WSCHAT_OUT_COST each */
    uint32_t              since;           /* the last progress */
    ngx_wschat_frame_t  **frames;
};


/* Appends the frame and takes a reference.  NGX_ERROR: no memory. */
ngx_int_t ngx_wschat_out_push(ngx_wschat_session_t *s,
    ngx_wschat_frame_t *frame);

/*
 * The same, but if the last frame has the same opcode, and is not being
 * written, the new one takes its place.
 */
ngx_int_t ngx_wschat_out_replace(ngx_wschat_session_t *s,
    ngx_wschat_frame_t *frame);

/*
 * Writes what the socket takes.  NGX_OK: all is written; NGX_AGAIN: the rest
 * when the socket is ready; NGX_ERROR: the connection is broken.
 */
ngx_int_t ngx_wschat_out_flush(ngx_wschat_session_t *s);

/* Forgets all that is queued. */
void ngx_wschat_out_free(ngx_wschat_session_t *s);


#endif /* _NGX_WSCHAT_OUT_H_INCLUDED_ */
