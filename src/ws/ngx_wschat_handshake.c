
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <string.h>

#include "ngx_wschat_handshake.h"


/* RFC 6455 1.3 */
#define NGX_WSCHAT_GUID         "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define NGX_WSCHAT_GUID_LEN     (sizeof(NGX_WSCHAT_GUID) - 1)

#define NGX_WSCHAT_SHA1_BLOCK   64
#define NGX_WSCHAT_SHA1_LEN     20

#define ngx_wschat_rol(v, n)    ((v) << (n) | (v) >> (32 - (n)))


static void ngx_wschat_sha1_block(uint32_t h[5], const uint8_t *p);
static int ngx_wschat_is_token_char(uint8_t c);


static const uint8_t  ngx_wschat_base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


int
ngx_wschat_key_valid(const uint8_t *p, size_t n)
{
    size_t          i;
    const uint8_t  *digit;

    if (n != NGX_WSCHAT_KEY_LEN || p[22] != '=' || p[23] != '=') {
        return 0;
    }

    digit = NULL;

    for (i = 0; i < 22; i++) {
        digit = memchr(ngx_wschat_base64, p[i], 64);
        if (digit == NULL) {
            return 0;
        }
    }

    /* of the last digit only the upper 2 bits belong to the 16 bytes */

    return ((digit - ngx_wschat_base64) & 0x0f) == 0;
}


void
ngx_wschat_accept(uint8_t *out, const uint8_t *key)
{
    size_t    i, len;
    uint8_t   block[2 * NGX_WSCHAT_SHA1_BLOCK];
    uint8_t   digest[NGX_WSCHAT_SHA1_LEN + 1];
    uint32_t  v, h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                          0xc3d2e1f0 };

    /* SHA-1 (FIPS 180-4) of key and GUID, always 60 bytes, thus two blocks */

    len = NGX_WSCHAT_KEY_LEN + NGX_WSCHAT_GUID_LEN;

    memset(block, 0, sizeof(block));
    memcpy(block, key, NGX_WSCHAT_KEY_LEN);
    memcpy(block + NGX_WSCHAT_KEY_LEN, NGX_WSCHAT_GUID, NGX_WSCHAT_GUID_LEN);

    block[len] = 0x80;
    block[sizeof(block) - 2] = (uint8_t) (len * 8 >> 8);
    block[sizeof(block) - 1] = (uint8_t) (len * 8);

    ngx_wschat_sha1_block(h, block);
    ngx_wschat_sha1_block(h, block + NGX_WSCHAT_SHA1_BLOCK);

    for (i = 0; i < NGX_WSCHAT_SHA1_LEN; i++) {
        digest[i] = (uint8_t) (h[i / 4] >> (24 - i % 4 * 8));
    }

    /* base64: 20 bytes and a zero are 7 groups, the last digit is padding */

    digest[NGX_WSCHAT_SHA1_LEN] = 0;

    for (i = 0; i < sizeof(digest); i += 3) {
        v = (uint32_t) digest[i] << 16 | (uint32_t) digest[i + 1] << 8
            | digest[i + 2];

        *out++ = ngx_wschat_base64[v >> 18];
        *out++ = ngx_wschat_base64[v >> 12 & 0x3f];
        *out++ = ngx_wschat_base64[v >> 6 & 0x3f];
        *out++ = ngx_wschat_base64[v & 0x3f];
    }

    out[-1] = '=';
}


static void
ngx_wschat_sha1_block(uint32_t h[5], const uint8_t *p)
{
    size_t    i;
    uint32_t  a, b, c, d, e, f, k, t, w[80];

    for (i = 0; i < 16; i++, p += 4) {
        w[i] = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
               | (uint32_t) p[2] << 8 | p[3];
    }

    for ( /* void */ ; i < 80; i++) {
        t = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
        w[i] = ngx_wschat_rol(t, 1);
    }

    a = h[0];
    b = h[1];
    c = h[2];
    d = h[3];
    e = h[4];

    for (i = 0; i < 80; i++) {

        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;

        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;

        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;

        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }

        t = ngx_wschat_rol(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = ngx_wschat_rol(b, 30);
        b = a;
        a = t;
    }

    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}


int
ngx_wschat_next_token(const uint8_t **pos, const uint8_t *last,
    const uint8_t **token, size_t *len)
{
    int             rc;
    const uint8_t  *p, *start, *end;

    p = *pos;

    while (p < last && (*p == ',' || *p == ' ' || *p == '\t')) {
        p++;
    }

    start = p;
    end = p;

    while (p < last && *p != ',') {
        if (*p != ' ' && *p != '\t') {
            end = p + 1;
        }

        p++;
    }

    *pos = p;

    if (start == end) {
        return 0;
    }

    rc = 1;

    for (p = start; p < end; p++) {
        if (!ngx_wschat_is_token_char(*p)) {
            rc = -1;
            break;
        }
    }

    *token = start;
    *len = (size_t) (end - start);

    return rc;
}


int
ngx_wschat_has_token(const uint8_t *p, size_t n, const char *token,
    size_t len)
{
    size_t          size, i;
    uint8_t         c;
    const uint8_t  *last, *start;

    if (n == 0) {
        return 0;
    }

    last = p + n;

    /* an element that is not a token cannot be equal to one */

    while (ngx_wschat_next_token(&p, last, &start, &size) != 0) {

        if (size != len) {
            continue;
        }

        for (i = 0; i < len; i++) {
            c = start[i];

            if (c >= 'A' && c <= 'Z') {
                c |= 0x20;
            }

            if (c != (uint8_t) token[i]) {
                break;
            }
        }

        if (i == len) {
            return 1;
        }
    }

    return 0;
}


/* RFC 9110 5.6.2 */

static int
ngx_wschat_is_token_char(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
        || (c >= 'a' && c <= 'z'))
    {
        return 1;
    }

    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}
