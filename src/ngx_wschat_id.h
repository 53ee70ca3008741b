
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_ID_H_INCLUDED_
#define _NGX_WSCHAT_ID_H_INCLUDED_


/*
 * Knows how a connection id is made up, and its text.  Never knows
 * connections.
 *
 * 16 bytes: node (2), worker slot (1), index of the nginx connection (3),
 * random (10).  So it tells where to look, and can not be guessed.  The text
 * is base64url with padding, 24 characters, as API Gateway's ids are (spec
 * section 1.8).
 */


#include "ngx_wschat.h"


/* NGX_ERROR: the system gave no random bytes. */
ngx_int_t ngx_wschat_id_create(u_char *id, ngx_uint_t node, ngx_uint_t slot,
    ngx_uint_t index);

/* Writes NGX_WSCHAT_ID_TEXT_LEN characters, returns their end. */
u_char *ngx_wschat_id_text(u_char *p, const u_char *id);

/* NGX_DECLINED: can not be the text of an id. */
ngx_int_t ngx_wschat_id_parse(u_char *id, ngx_str_t *text);

#define ngx_wschat_id_node(id)   ((ngx_uint_t) (id)[0] << 8 | (id)[1])
#define ngx_wschat_id_slot(id)   ((ngx_uint_t) (id)[2])
#define ngx_wschat_id_index(id)                                              \
    ((ngx_uint_t) (id)[3] << 16 | (ngx_uint_t) (id)[4] << 8 | (id)[5])

/*
 * A request or message id: base64url of 11 random bytes, 15 characters and
 * "=", 16 in all (spec section 1.8).  Returns the end.
 */
#define NGX_WSCHAT_REQUEST_ID_LEN  16

u_char *ngx_wschat_id_request(u_char *p);

/* Random bytes of the system, n <= 256; NGX_ERROR: none to be had. */
ngx_int_t ngx_wschat_random(u_char *p, size_t n);


#endif /* _NGX_WSCHAT_ID_H_INCLUDED_ */
