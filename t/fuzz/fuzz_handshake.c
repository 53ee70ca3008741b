
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * libFuzzer: the parsers of the handshake and the UTF-8 functions on an
 * input of its exact size.  Checked is what holds for every input.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_wschat_handshake.h"
#include "ngx_wschat_utf8.h"


#define CHECK(cond)  if (!(cond)) abort()


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_key(const uint8_t *p, size_t n)
{
    uint8_t  out[NGX_WSCHAT_ACCEPT_LEN];

    if (ngx_wschat_key_valid(p, n)) {
        CHECK(n == NGX_WSCHAT_KEY_LEN);
    }

    if (n >= NGX_WSCHAT_KEY_LEN) {
        ngx_wschat_accept(out, p);
        CHECK(out[NGX_WSCHAT_ACCEPT_LEN - 1] == '=');
        CHECK(memchr(out, '=', NGX_WSCHAT_ACCEPT_LEN)
              == out + NGX_WSCHAT_ACCEPT_LEN - 1);
    }
}


static void
fuzz_list(const uint8_t *p, size_t n)
{
    int             rc;
    char            lower[16];
    size_t          len, i;
    const uint8_t  *pos, *last, *before, *token, *again;

    pos = p;
    last = p + n;

    for ( ;; ) {
        before = pos;
        rc = ngx_wschat_next_token(&pos, last, &token, &len);

        CHECK(pos >= before && pos <= last);

        if (rc == 0) {
            CHECK(pos == last);
            break;
        }

        CHECK(pos > before);
        CHECK(len != 0 && token >= before && token + len <= pos);
        CHECK(memchr(token, ',', len) == NULL);

        if (rc == -1 || len > sizeof(lower)) {
            continue;
        }

        CHECK(rc == 1);
        CHECK(memchr(token, ' ', len) == NULL);

        /* it is itself a list of one, and found in the one it is from */

        again = token;
        CHECK(ngx_wschat_next_token(&again, token + len, &before, &i) == 1);
        CHECK(before == token && i == len);

        for (i = 0; i < len; i++) {
            lower[i] = (char) token[i];

            if (lower[i] >= 'A' && lower[i] <= 'Z') {
                lower[i] = (char) (lower[i] + ('a' - 'A'));
            }
        }

        CHECK(ngx_wschat_has_token(p, n, lower, len));
    }

    ngx_wschat_has_token(p, n, "upgrade", 7);
}


static void
fuzz_utf8(const uint8_t *p, size_t n)
{
    int       rc, valid;
    size_t    i, len;
    uint8_t  *out;
    uint32_t  state, bytes;

    state = 0;
    rc = ngx_wschat_utf8(&state, p, n);
    valid = (rc == 0 && state == 0);

    bytes = 0;

    for (i = 0; i < n; i++) {
        if (ngx_wschat_utf8(&bytes, p + i, 1) != 0) {
            break;
        }
    }

    CHECK((i == n) == (rc == 0));
    CHECK(rc != 0 || bytes == state);

    out = malloc(3 * n + 1);
    CHECK(out != NULL);

    len = ngx_wschat_utf8_repair(out, p, n);

    CHECK(len <= 3 * n);
    CHECK(!valid || (len == n && memcmp(out, p, n) == 0));

    state = 0;
    CHECK(ngx_wschat_utf8(&state, out, len) == 0 && state == 0);
    CHECK(valid || len != n || memcmp(out, p, n) != 0);

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t  *copy;

    if (size == 0) {
        return 0;
    }

    copy = malloc(size);
    CHECK(copy != NULL);
    memcpy(copy, data, size);

    fuzz_key(copy, size);
    fuzz_list(copy, size);
    fuzz_utf8(copy, size);

    free(copy);

    return 0;
}
