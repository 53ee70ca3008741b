
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * RFC 6455 framing, the server's side: bytes of a client in, events out, and
 * the headers of the server's own frames.  Knows frames and messages; never
 * knows connections, allocates nothing, includes nothing of nginx.
 */


#ifndef _NGX_WSCHAT_FRAME_H_INCLUDED_
#define _NGX_WSCHAT_FRAME_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* opcodes, RFC 6455 11.8 */

#define NGX_WSCHAT_OP_CONTINUATION    0x0
#define NGX_WSCHAT_OP_TEXT            0x1
#define NGX_WSCHAT_OP_BINARY          0x2
#define NGX_WSCHAT_OP_CLOSE           0x8
#define NGX_WSCHAT_OP_PING            0x9
#define NGX_WSCHAT_OP_PONG            0xa


/* close codes, RFC 6455 11.7; 1005 and 1006 are never on the wire */

#define NGX_WSCHAT_CLOSE_NORMAL       1000
#define NGX_WSCHAT_CLOSE_GOING_AWAY   1001
#define NGX_WSCHAT_CLOSE_PROTOCOL     1002
#define NGX_WSCHAT_CLOSE_UNSUPPORTED  1003
#define NGX_WSCHAT_CLOSE_NO_STATUS    1005
#define NGX_WSCHAT_CLOSE_ABNORMAL     1006
#define NGX_WSCHAT_CLOSE_BAD_DATA     1007
#define NGX_WSCHAT_CLOSE_POLICY       1008
#define NGX_WSCHAT_CLOSE_TOO_BIG      1009
#define NGX_WSCHAT_CLOSE_INTERNAL     1011
#define NGX_WSCHAT_CLOSE_RESTART      1012
#define NGX_WSCHAT_CLOSE_TRY_LATER    1013


#define NGX_WSCHAT_FRAME_HEAD_MAX     10      /* of a server's frame */
#define NGX_WSCHAT_CLIENT_HEAD_MAX    14
#define NGX_WSCHAT_CONTROL_MAX        125


/*
 * Both count payload bytes; UINT64_MAX is no limit.  Control frames are
 * limited by the protocol alone.
 */

typedef struct {
    uint64_t     max_frame;
    uint64_t     max_message;
} ngx_wschat_limits_t;


/*
 * What is remembered between two reads of one connection.  All bytes zero is
 * the state between two messages.  There are no pointers in it: it may be
 * copied by assignment and released without ceremony.  A caller may so keep
 * one idle reader for everybody, and give a connection its own copy only
 * when the input ends in the middle of something.
 *
 * The members are private.
 */

typedef struct {
    uint64_t     left;         /* payload bytes of the frame still to come */
    uint64_t     total;        /* payload bytes of the message, as declared */
    uint32_t     utf8;
    uint8_t      mask[4];
    uint8_t      phase;        /* which mask byte the next payload byte has */
    uint8_t      frame;        /* opcode of the frame, 0: in its header */
    uint8_t      fin;          /* the data frame is its message's last */
    uint8_t      message;      /* opcode of the message, 0: between two */
    uint8_t      started;      /* a piece of the message was returned */
    uint8_t      nbuf;

    /* a split header, later the payload of a split control frame */
    uint8_t      buf[NGX_WSCHAT_CONTROL_MAX];
} ngx_wschat_reader_t;


typedef struct {
    /* DATA, PING, PONG: the payload, unmasked; CLOSE: the reason */
    uint8_t     *data;
    size_t       len;

    /*
     * DATA: payload bytes of this frame from data on, thus len and what is
     * still to come; at the beginning of a frame this is its declared length
     */
    uint64_t     expect;

    /* DATA: TEXT or BINARY, and whether the message begins or ends here */
    unsigned     opcode;
    unsigned     first;
    unsigned     last;

    /* CLOSE: the client's code; ERROR: the code to close with */
    unsigned     code;

    /* ERROR: what is wrong, a static string for the log */
    const char  *reason;
} ngx_wschat_event_t;


/*
 * Return codes of ngx_wschat_read():
 *
 * READ_AGAIN   the input is used up (*pos == last), there is no event;
 *
 * READ_DATA    a piece of a data message: opcode, data, len, expect, first,
 *              last.  first && last is a whole message, lying in the input.
 *              Text is valid UTF-8 up to here, if last then to its end.
 *              A piece is empty only if its frame is;
 *
 * READ_PING    a whole control frame: data, len (0-125).  They may come
 * READ_PONG    between the pieces of a message;
 *
 * READ_CLOSE   the same: code, which is one that may be on the wire or 1005
 *              if there was none; data and len (0-123) are its reason, valid
 *              UTF-8.  The caller stops reading;
 *
 * READ_ERROR   the client broke the protocol or a limit: code (1002, 1007,
 *              1009) and reason.  The caller stops reading.
 *
 * Members of the event that are not named for a code are undefined.  data
 * points into the input, or into the reader for a control frame that was
 * split: it holds until the next call with this reader and may be written.
 */

#define NGX_WSCHAT_READ_AGAIN         0
#define NGX_WSCHAT_READ_DATA          1
#define NGX_WSCHAT_READ_PING          2
#define NGX_WSCHAT_READ_PONG          3
#define NGX_WSCHAT_READ_CLOSE         4
#define NGX_WSCHAT_READ_ERROR         5


/*
 * Reads the client's frames from the bytes between *pos and last, which are
 * unmasked in place, and advances *pos behind what the event has used.  To
 * be called until it returns READ_AGAIN.  A declared length is held against
 * the limits as soon as the header is there, before any payload.
 */
int ngx_wschat_read(ngx_wschat_reader_t *r, const ngx_wschat_limits_t *l,
    uint8_t **pos, uint8_t *last, ngx_wschat_event_t *ev);

/* 1 if nothing is pending, so that the reader may be forgotten; else 0 */
int ngx_wschat_reader_idle(const ngx_wschat_reader_t *r);

/*
 * Masks or unmasks n bytes in place (RFC 6455 5.3); phase is the number of
 * payload bytes that precede p in the frame, of which the last 2 bits count.
 */
void ngx_wschat_unmask(uint8_t *p, size_t n, const uint8_t mask[4],
    size_t phase);

/* the size of a server's frame header for len payload bytes: 2, 4 or 10 */
size_t ngx_wschat_frame_head_size(uint64_t len);

/*
 * Writes the header of a server's frame (FIN set, not masked) and returns
 * its end; p has room for ngx_wschat_frame_head_size(len) bytes.
 */
uint8_t *ngx_wschat_frame_head(uint8_t *p, unsigned opcode, uint64_t len);

/*
 * 1 if an endpoint may send the code in a close frame, else 0: 1000-1003,
 * 1007-1014, 3000-4999 (RFC 6455 7.4 and the IANA registry).
 */
int ngx_wschat_close_code_valid(unsigned code);


#endif /* _NGX_WSCHAT_FRAME_H_INCLUDED_ */
