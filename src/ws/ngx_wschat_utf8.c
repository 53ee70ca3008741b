
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <string.h>

#include "ngx_wschat_utf8.h"


/*
 * The state inside a character: how many continuation bytes are missing
 * (bits 0-7) and the lowest (8-15) and highest (16-23) value that the next
 * of them may have.  Only the second byte of a character has a range of its
 * own: this is where overlong forms, surrogates and too large values show.
 */

#define NGX_WSCHAT_UTF8_NEED(n, lo, hi)                                       \
    ((uint32_t) (hi) << 16 | (uint32_t) (lo) << 8 | (uint32_t) (n))

#define NGX_WSCHAT_UTF8_BAD       0xffffffff

#define NGX_WSCHAT_UTF8_NONASCII  0x8080808080808080ULL


/* the state after the first byte of a character that is not ASCII */

static uint32_t
ngx_wschat_utf8_lead(uint8_t c)
{
    if (c < 0xc2) {
        /* a continuation byte, or the overlong form of an ASCII character */
        return NGX_WSCHAT_UTF8_BAD;
    }

    if (c < 0xe0) {
        return NGX_WSCHAT_UTF8_NEED(1, 0x80, 0xbf);
    }

    if (c < 0xf0) {
        return NGX_WSCHAT_UTF8_NEED(2, (c == 0xe0) ? 0xa0 : 0x80,
                                    (c == 0xed) ? 0x9f : 0xbf);
    }

    if (c < 0xf5) {
        return NGX_WSCHAT_UTF8_NEED(3, (c == 0xf0) ? 0x90 : 0x80,
                                    (c == 0xf4) ? 0x8f : 0xbf);
    }

    return NGX_WSCHAT_UTF8_BAD;
}


/* the state after a further byte of a character */

static uint32_t
ngx_wschat_utf8_tail(uint32_t s, uint8_t c)
{
    if (c < (s >> 8 & 0xff) || c > s >> 16) {
        return NGX_WSCHAT_UTF8_BAD;
    }

    s = (s & 0xff) - 1;

    return (s == 0) ? 0 : NGX_WSCHAT_UTF8_NEED(s, 0x80, 0xbf);
}


/* the end of the ASCII text at p, as far as whole 8-byte words tell */

static const uint8_t *
ngx_wschat_utf8_skip(const uint8_t *p, const uint8_t *last)
{
    uint64_t  w;

    while (last - p >= 8) {
        memcpy(&w, p, 8);

        if (w & NGX_WSCHAT_UTF8_NONASCII) {
            break;
        }

        p += 8;
    }

    return p;
}


int
ngx_wschat_utf8(uint32_t *state, const uint8_t *p, size_t n)
{
    uint8_t         c;
    uint32_t        s;
    const uint8_t  *last;

    if (n == 0) {
        return 0;
    }

    s = *state;
    last = p + n;

    if (s == 0) {
        p = ngx_wschat_utf8_skip(p, last);
    }

    while (p < last) {
        c = *p++;

        if (s != 0) {
            s = ngx_wschat_utf8_tail(s, c);

        } else if (c < 0x80) {
            p = ngx_wschat_utf8_skip(p, last);
            continue;

        } else {
            s = ngx_wschat_utf8_lead(c);
        }

        if (s == NGX_WSCHAT_UTF8_BAD) {
            return -1;
        }
    }

    *state = s;

    return 0;
}


size_t
ngx_wschat_utf8_repair(uint8_t *out, const uint8_t *p, size_t n)
{
    size_t          len;
    uint8_t        *dst;
    uint32_t        s, next;
    const uint8_t  *start, *last;

    if (n == 0) {
        return 0;
    }

    dst = out;
    last = p + n;

    while (p < last) {
        start = p;
        p = ngx_wschat_utf8_skip(p, last);

        while (p < last && *p < 0x80) {
            p++;
        }

        len = (size_t) (p - start);
        memcpy(dst, start, len);
        dst += len;

        if (p == last) {
            break;
        }

        start = p;
        s = ngx_wschat_utf8_lead(*p++);

        if (s != NGX_WSCHAT_UTF8_BAD) {
            while (s != 0 && p < last) {
                next = ngx_wschat_utf8_tail(s, *p);

                if (next == NGX_WSCHAT_UTF8_BAD) {
                    /* this byte is not part of it: it starts the next one */
                    break;
                }

                s = next;
                p++;
            }
        }

        if (s == 0) {
            len = (size_t) (p - start);
            memcpy(dst, start, len);
            dst += len;

        } else {
            *dst++ = 0xef;
            *dst++ = 0xbf;
            *dst++ = 0xbd;
        }
    }

    return (size_t) (dst - out);
}
