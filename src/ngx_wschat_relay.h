
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_RELAY_H_INCLUDED_
#define _NGX_WSCHAT_RELAY_H_INCLUDED_


/*
 * Knows how a message gets to the workers of this node: to the own hub
 * directly, to the others as a record on the bus.  Never knows who decided
 * where it goes.
 */


#include "ngx_wschat.h"
#include "store/ngx_wschat_store.h"


/*
 * The message goes to the workers of "slots", in the order of the calls;
 * NGX_ERROR: no memory, it did not reach all.
 */
ngx_int_t ngx_wschat_relay(ngx_wschat_api_t *api, uint64_t slots,
    ngx_wschat_message_t *message);

/* A record of that kind from the bus, behind its type byte. */
void ngx_wschat_relay_record(ngx_uint_t from, u_char *data, size_t len);


#endif /* _NGX_WSCHAT_RELAY_H_INCLUDED_ */
