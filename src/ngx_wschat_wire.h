
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_WIRE_H_INCLUDED_
#define _NGX_WSCHAT_WIRE_H_INCLUDED_


/*
 * Knows how a record between the workers of a node is laid out: a byte for
 * the version, one for the type, then numbers in network byte order and
 * strings of a length that was given before.  Never knows what a record says,
 * nor how it travels.
 *
 * Two generations of workers, perhaps of two builds of this module, read one
 * another's records: so nothing in them is a pointer or an index, and no
 * length is believed.
 */


#include "ngx_wschat.h"


#define NGX_WSCHAT_WIRE_VERSION  1
#define NGX_WSCHAT_WIRE_HEAD     2        /* bytes before a record's fields */


/* types of records; 0 is none */

#define NGX_WSCHAT_WIRE_MESSAGE  1        /* ngx_wschat_relay_record() */
#define NGX_WSCHAT_WIRE_CALL     2        /* ngx_wschat_call_record() */
#define NGX_WSCHAT_WIRE_ANSWER   3        /* ngx_wschat_call_answer() */


/*
 * A record being read.  Reading past its end gives zeros and NULL and sets
 * "bad", which is to be looked at once, after the last field.
 */

typedef struct {
    u_char      *pos;
    u_char      *last;
    unsigned     bad:1;
} ngx_wschat_wire_t;


/*
 * Write a field and return its end.  The caller has made room: fields other
 * than strings have the size that their name says.
 */
u_char *ngx_wschat_wire_put_head(u_char *p, ngx_uint_t type);
u_char *ngx_wschat_wire_put_u8(u_char *p, ngx_uint_t n);
u_char *ngx_wschat_wire_put_u16(u_char *p, ngx_uint_t n);
u_char *ngx_wschat_wire_put_u32(u_char *p, uint32_t n);
u_char *ngx_wschat_wire_put_u64(u_char *p, uint64_t n);

/*
 * Returns the type of a record and moves *data and *len behind its head; 0
 * if it is no record of this version.
 */
ngx_uint_t ngx_wschat_wire_open(u_char **data, size_t *len);

void ngx_wschat_wire_init(ngx_wschat_wire_t *w, u_char *data, size_t len);
ngx_uint_t ngx_wschat_wire_get_u8(ngx_wschat_wire_t *w);
ngx_uint_t ngx_wschat_wire_get_u16(ngx_wschat_wire_t *w);
uint32_t ngx_wschat_wire_get_u32(ngx_wschat_wire_t *w);
uint64_t ngx_wschat_wire_get_u64(ngx_wschat_wire_t *w);

/* The next n bytes, in place; NULL if there are fewer. */
u_char *ngx_wschat_wire_get_bytes(ngx_wschat_wire_t *w, size_t n);

/* The same as a string, empty if there are fewer. */
void ngx_wschat_wire_get_str(ngx_wschat_wire_t *w, ngx_str_t *s, size_t n);

/* What has not been read yet. */
void ngx_wschat_wire_get_rest(ngx_wschat_wire_t *w, ngx_str_t *s);

/*
 * Says in the log that records of the slot "from" are ignored, and why (a
 * static string); at most once a second, with the number of those before.
 */
void ngx_wschat_wire_ignored(ngx_uint_t from, const char *why);


#endif /* _NGX_WSCHAT_WIRE_H_INCLUDED_ */
