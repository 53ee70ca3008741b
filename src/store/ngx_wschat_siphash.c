
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_siphash.h"


#define ngx_wschat_rotl(x, n)  (((x) << (n)) | ((x) >> (64 - (n))))


#define ngx_wschat_sipround(v)                                                \
    v[0] += v[1];                                                             \
    v[2] += v[3];                                                             \
    v[1] = ngx_wschat_rotl(v[1], 13) ^ v[0];                                  \
    v[3] = ngx_wschat_rotl(v[3], 16) ^ v[2];                                  \
    v[0] = ngx_wschat_rotl(v[0], 32);                                         \
    v[2] += v[1];                                                             \
    v[0] += v[3];                                                             \
    v[1] = ngx_wschat_rotl(v[1], 17) ^ v[2];                                  \
    v[3] = ngx_wschat_rotl(v[3], 21) ^ v[0];                                  \
    v[2] = ngx_wschat_rotl(v[2], 32)


/* words are taken in the machine's byte order: hashes never leave it */

uint64_t
ngx_wschat_siphash(const uint64_t key[2], const u_char *data, size_t len)
{
    uint64_t  m, w, v[4];

    v[0] = key[0] ^ 0x736f6d6570736575ULL;
    v[1] = key[1] ^ 0x646f72616e646f6dULL;
    v[2] = key[0] ^ 0x6c7967656e657261ULL;
    v[3] = key[1] ^ 0x7465646279746573ULL;

    m = (uint64_t) len << 56;

    while (len >= 8) {
        ngx_memcpy(&w, data, 8);

        v[3] ^= w;
        ngx_wschat_sipround(v);
        v[0] ^= w;

        data += 8;
        len -= 8;
    }

    while (len) {
        len--;
        m |= (uint64_t) data[len] << (8 * len);
    }

    v[3] ^= m;
    ngx_wschat_sipround(v);
    v[0] ^= m;

    v[2] ^= 0xff;
    ngx_wschat_sipround(v);
    ngx_wschat_sipround(v);
    ngx_wschat_sipround(v);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
