
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_SIPHASH_H_INCLUDED_
#define _NGX_WSCHAT_SIPHASH_H_INCLUDED_


/*
 * Knows SipHash-1-3 (Aumasson, Bernstein), a hash with a secret key: names
 * that clients choose can not be made to meet in one bucket.  Never knows
 * what is hashed.
 */


#include <ngx_config.h>
#include <ngx_core.h>


uint64_t ngx_wschat_siphash(const uint64_t key[2], const u_char *data,
    size_t len);


#endif /* _NGX_WSCHAT_SIPHASH_H_INCLUDED_ */
