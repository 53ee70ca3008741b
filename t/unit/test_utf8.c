
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The UTF-8 validator against an oracle that only encodes: the set of all
 * prefixes of the encodings of all 1,112,064 characters.
 */


#include <stdlib.h>

#include "ngx_wschat_utf8.h"
#include "tap.h"


#define SEQ(s)  (const uint8_t *) (s), sizeof(s) - 1


/* bits by the bytes of a prefix, and whether it is a whole character */

static uint8_t  *prefixes[4];
static uint8_t  *complete[4];


static size_t
encode(uint8_t *p, uint32_t cp)
{
    if (cp < 0x80) {
        p[0] = (uint8_t) cp;
        return 1;
    }

    if (cp < 0x800) {
        p[0] = (uint8_t) (0xc0 | cp >> 6);
        p[1] = (uint8_t) (0x80 | (cp & 0x3f));
        return 2;
    }

    if (cp < 0x10000) {
        p[0] = (uint8_t) (0xe0 | cp >> 12);
        p[1] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
        p[2] = (uint8_t) (0x80 | (cp & 0x3f));
        return 3;
    }

    p[0] = (uint8_t) (0xf0 | cp >> 18);
    p[1] = (uint8_t) (0x80 | (cp >> 12 & 0x3f));
    p[2] = (uint8_t) (0x80 | (cp >> 6 & 0x3f));
    p[3] = (uint8_t) (0x80 | (cp & 0x3f));
    return 4;
}


static uint32_t
number(const uint8_t *p, size_t n)
{
    uint32_t  v;

    for (v = 0; n != 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


static int
is_prefix(const uint8_t *p, size_t n)
{
    /* the fourth byte of a character is any continuation byte */

    if (n == 4) {
        return prefixes[3][number(p, 3)] && !complete[3][number(p, 3)]
               && (p[3] & 0xc0) == 0x80;
    }

    return prefixes[n][number(p, n)];
}


static int
is_complete(const uint8_t *p, size_t n)
{
    return n == 4 || complete[n][number(p, n)];
}


static void
oracle_init(void)
{
    size_t    i, n;
    uint8_t   c[4];
    uint32_t  cp;

    for (n = 1; n < 4; n++) {
        prefixes[n] = calloc((size_t) 1 << 8 * n, 1);
        complete[n] = calloc((size_t) 1 << 8 * n, 1);

        if (prefixes[n] == NULL || complete[n] == NULL) {
            abort();
        }
    }

    for (cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff) {
            continue;
        }

        n = encode(c, cp);

        for (i = 1; i <= n && i < 4; i++) {
            prefixes[i][number(c, i)] = 1;
        }

        if (n < 4) {
            complete[n][number(c, n)] = 1;
        }
    }
}


/* the number of bytes that are fine, and the length of the open character */

static size_t
oracle(const uint8_t *p, size_t n, size_t *open)
{
    size_t  i, start;

    start = 0;

    for (i = 0; i < n; i++) {
        if (!is_prefix(p + start, i + 1 - start)) {
            return i;
        }

        if (is_complete(p + start, i + 1 - start)) {
            start = i + 1;
        }
    }

    *open = i - start;

    return n;
}


/* fails at the oracle's byte, not earlier nor later, and ends as it says */

static int
agrees(const uint8_t *p, size_t n)
{
    size_t    good, open;
    uint32_t  state;

    open = 0;
    good = oracle(p, n, &open);

    state = 0;

    if (ngx_wschat_utf8(&state, p, good) != 0) {
        return 0;
    }

    if (good == n) {
        return (state == 0) == (open == 0);
    }

    if (ngx_wschat_utf8(&state, p + good, 1) != -1) {
        return 0;
    }

    state = 0;

    return ngx_wschat_utf8(&state, p, n) == -1;
}


/* the repair rule in words: as long as it is a prefix, it is one mistake */

static size_t
oracle_repair(uint8_t *out, const uint8_t *p, size_t n)
{
    size_t   len;
    uint8_t  *dst;

    dst = out;

    while (n != 0) {
        for (len = 1; len <= n && len <= 4 && is_prefix(p, len); len++) {
            if (is_complete(p, len)) {
                break;
            }
        }

        if (len <= n && len <= 4 && is_prefix(p, len)) {
            memcpy(dst, p, len);
            dst += len;

        } else {
            memcpy(dst, "\xef\xbf\xbd", 3);
            dst += 3;
            len = (len == 1) ? 1 : len - 1;
        }

        p += len;
        n -= len;
    }

    return (size_t) (dst - out);
}


static int
repair_agrees(const uint8_t *p, size_t n)
{
    size_t   got_len, want_len;
    uint8_t  got[256], want[256];

    got_len = ngx_wschat_utf8_repair(got, p, n);
    want_len = oracle_repair(want, p, n);

    return got_len == want_len && memcmp(got, want, want_len) == 0;
}


static void
test_code_points(void)
{
    size_t    i, n, wrong;
    uint8_t   c[4];
    uint32_t  cp, state;

    wrong = 0;

    for (cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff) {
            continue;
        }

        n = encode(c, cp);
        state = 0;

        if (ngx_wschat_utf8(&state, c, n) != 0 || state != 0) {
            wrong++;
        }

        for (i = 0; i < n; i++) {
            if (ngx_wschat_utf8(&state, c + i, 1) != 0
                || (state == 0) != (i == n - 1))
            {
                wrong++;
            }
        }
    }

    is(wrong, 0, "all characters are valid, whole and byte by byte");

    wrong = 0;

    for (cp = 0xd800; cp <= 0xdfff; cp++) {
        n = encode(c, cp);
        state = 0;

        wrong += ngx_wschat_utf8(&state, c, 1) != 0
                 || ngx_wschat_utf8(&state, c + 1, 1) != -1;
    }

    for (cp = 0x110000; cp <= 0x1fffff; cp++) {
        n = encode(c, cp);
        state = 0;

        if (cp < 0x140000) {
            wrong += ngx_wschat_utf8(&state, c, 1) != 0
                     || ngx_wschat_utf8(&state, c + 1, 1) != -1;

        } else {
            wrong += ngx_wschat_utf8(&state, c, 1) != -1;
        }
    }

    is(wrong, 0, "surrogates and values above U+10FFFF fail at once");
}


static void
test_all_sequences(void)
{
    size_t    n, wrong, wrong_repair;
    uint8_t   c[12];
    uint32_t  v;

    for (n = 1; n <= 3; n++) {
        wrong = 0;
        wrong_repair = 0;

        for (v = 0; v < (uint32_t) 1 << 8 * n; v++) {
            c[0] = (uint8_t) (v >> 8 * (n - 1));

            if (n > 1) {
                c[1] = (uint8_t) (v >> 8 * (n - 2));
            }

            if (n > 2) {
                c[2] = (uint8_t) v;
            }

            wrong += !agrees(c, n);
            wrong_repair += !repair_agrees(c, n);
        }

        is(wrong, 0, "all sequences of %d bytes", (int) n);
        is(wrong_repair, 0, "repair of all sequences of %d bytes", (int) n);
    }
}


/* the bytes at which any rule begins or ends */

static const uint8_t  edges[] = {
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
    0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
    0xf8, 0xff
};


static void
test_edges(void)
{
    size_t   i, k, n, wrong, wrong_repair;
    uint8_t  c[5];

    wrong = 0;
    wrong_repair = 0;

    for (n = 1, i = 0; i < 5; i++) {
        n *= sizeof(edges);
    }

    for (i = 0; i < n; i++) {
        size_t  v;

        v = i;

        for (k = 0; k < 5; k++) {
            c[k] = edges[v % sizeof(edges)];
            v /= sizeof(edges);
        }

        wrong += !agrees(c, 5);
        wrong_repair += !repair_agrees(c, 5);
    }

    is(wrong, 0, "all sequences of 5 edge bytes");
    is(wrong_repair, 0, "repair of all sequences of 5 edge bytes");
}


/* anything before, anything behind, at any place among the 8-byte words */

static void
test_positions(void)
{
    size_t    at, len, wrong, split, i;
    uint8_t   text[40], *copy;
    uint32_t  state;

    static const struct {
        const char  *bytes;
        int          valid;
    } cases[] = {
        { "\xc3\xa9", 1 },
        { "\xe2\x82\xac", 1 },
        { "\xf0\x9f\x98\x80", 1 },
        { "\x80", 0 },
        { "\xff", 0 },
        { "\xc3", 0 },
        { "\xe2\x82", 0 },
        { "\xf0\x9f\x98", 0 }
    };

    wrong = 0;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].bytes);

        for (at = 0; at + len <= 33; at++) {
            memset(text, 'a', sizeof(text));
            memcpy(text + at, cases[i].bytes, len);

            for (split = 0; split <= 34; split++) {
                int  rc;

                /* exact allocations, so that a sanitizer sees the ends */

                state = 0;
                rc = 0;

                if (split != 0) {
                    copy = malloc(split);
                    memcpy(copy, text, split);
                    rc = ngx_wschat_utf8(&state, copy, split);
                    free(copy);
                }

                if (rc == 0 && split != 34) {
                    copy = malloc(34 - split);
                    memcpy(copy, text + split, 34 - split);
                    rc = ngx_wschat_utf8(&state, copy, 34 - split);
                    free(copy);
                }

                wrong += (rc == 0 && state == 0) != cases[i].valid;
            }
        }
    }

    is(wrong, 0, "a character at each place, split at each place");

    state = 0;
    ok(ngx_wschat_utf8(&state, SEQ("\xe2\x82")) == 0, "an open character");
    ok(ngx_wschat_utf8(&state, NULL, 0) == 0 && state != 0,
       "stays open over an empty piece");
    at = state;
    is(ngx_wschat_utf8(&state, SEQ("aaaaaaaa")), -1, "8 letters end it");
    is(ngx_wschat_utf8(&state, SEQ("aaaaaaaa\xac")), -1,
       "it does not go on behind them");
    ok(ngx_wschat_utf8(&state, SEQ("\xac" "aaaaaaaaaaaaaaaa\xff")) == -1
       && state == at,
       "after a failure the state is as before the piece");
}


/* the cases of the Autobahn test suite, chapter 6 */

static void
test_autobahn(void)
{
    size_t    i;
    uint32_t  state;

    static const struct {
        const char  *name;
        const char  *text;
        int          valid;
    } cases[] = {
        { "6.2.1", "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0"
                   "\xc3\xa1-UTF-8!!", 1 },
        { "6.3.1", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
                   "\xed\xa0\x80" "edited", 0 },
        { "6.5.1", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 1 },
        { "6.6.1", "\xce", 0 },
        { "6.6.2", "\xce\xba", 1 },
        { "6.6.3", "\xce\xba\xe1", 0 },
        { "6.6.4", "\xce\xba\xe1\xbd", 0 },
        { "6.6.5", "\xce\xba\xe1\xbd\xb9", 1 },
        { "6.6.6", "\xce\xba\xe1\xbd\xb9\xcf", 0 },
        { "6.6.7", "\xce\xba\xe1\xbd\xb9\xcf\x83", 1 },
        { "6.6.8", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce", 0 },
        { "6.6.9", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc", 1 },
        { "6.6.10", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce", 0 },
        { "6.6.11", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 1 },
        { "6.7.2", "\xc2\x80", 1 },
        { "6.7.3", "\xe0\xa0\x80", 1 },
        { "6.7.4", "\xf0\x90\x80\x80", 1 },
        { "6.8.1", "\xf8\x88\x80\x80\x80", 0 },
        { "6.8.2", "\xfc\x84\x80\x80\x80\x80", 0 },
        { "6.9.1", "\x7f", 1 },
        { "6.9.2", "\xdf\xbf", 1 },
        { "6.9.3", "\xef\xbf\xbf", 1 },
        { "6.9.4", "\xf4\x8f\xbf\xbf", 1 },
        { "6.10.1", "\xf7\xbf\xbf\xbf", 0 },
        { "6.10.2", "\xfb\xbf\xbf\xbf\xbf", 0 },
        { "6.10.3", "\xfd\xbf\xbf\xbf\xbf\xbf", 0 },
        { "6.11.1", "\xed\x9f\xbf", 1 },
        { "6.11.2", "\xee\x80\x80", 1 },
        { "6.11.3", "\xef\xbf\xbd", 1 },
        { "6.11.4", "\xf4\x8f\xbf\xbf", 1 },
        { "6.11.5", "\xf4\x90\x80\x80", 0 },
        { "6.12.1", "\x80", 0 },
        { "6.12.2", "\xbf", 0 },
        { "6.12.3", "\x80\xbf", 0 },
        { "6.12.4", "\x80\xbf\x80", 0 },
        { "6.13.1", "\xc0 \xc1 \xc2 \xdf ", 0 },
        { "6.13.2", "\xe0 \xe1 \xee \xef ", 0 },
        { "6.13.3", "\xf0 \xf1 \xf6 \xf7 ", 0 },
        { "6.13.4", "\xf8 \xf9 \xfa \xfb ", 0 },
        { "6.13.5", "\xfc \xfd ", 0 },
        { "6.14.1", "\xc0", 0 },
        { "6.14.2", "\xe0\x80", 0 },
        { "6.14.3", "\xf0\x80\x80", 0 },
        { "6.14.6", "\xdf", 0 },
        { "6.14.7", "\xef\xbf", 0 },
        { "6.14.8", "\xf7\xbf\xbf", 0 },
        { "6.15.1", "\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf", 0 },
        { "6.16.1", "\xfe", 0 },
        { "6.16.2", "\xff", 0 },
        { "6.16.3", "\xfe\xfe\xff\xff", 0 },
        { "6.17.1", "\xc0\xaf", 0 },
        { "6.17.2", "\xe0\x80\xaf", 0 },
        { "6.17.3", "\xf0\x80\x80\xaf", 0 },
        { "6.17.4", "\xf8\x80\x80\x80\xaf", 0 },
        { "6.17.5", "\xfc\x80\x80\x80\x80\xaf", 0 },
        { "6.18.1", "\xc1\xbf", 0 },
        { "6.18.2", "\xe0\x9f\xbf", 0 },
        { "6.18.3", "\xf0\x8f\xbf\xbf", 0 },
        { "6.19.1", "\xc0\x80", 0 },
        { "6.19.2", "\xe0\x80\x80", 0 },
        { "6.19.3", "\xf0\x80\x80\x80", 0 },
        { "6.20.1", "\xed\xa0\x80", 0 },
        { "6.20.2", "\xed\xad\xbf", 0 },
        { "6.20.3", "\xed\xae\x80", 0 },
        { "6.20.4", "\xed\xaf\xbf", 0 },
        { "6.20.5", "\xed\xb0\x80", 0 },
        { "6.20.6", "\xed\xbe\x80", 0 },
        { "6.20.7", "\xed\xbf\xbf", 0 },
        { "6.21.1", "\xed\xa0\x80\xed\xb0\x80", 0 },
        { "6.21.8", "\xed\xaf\xbf\xed\xbf\xbf", 0 },
        { "6.22.1", "\xef\xbf\xbe", 1 },
        { "6.22.2", "\xef\xbf\xbf", 1 },
        { "6.22.3", "\xf0\x9f\xbf\xbe", 1 },
        { "6.22.34", "\xf4\x8f\xbf\xbf", 1 },
        { "6.23.1", "\xef\xbf\xb9", 1 },
        { "6.23.7", "\xef\xbf\xbf", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int  rc;

        state = 0;
        rc = ngx_wschat_utf8(&state, (const uint8_t *) cases[i].text,
                             strlen(cases[i].text));

        is(rc == 0 && state == 0, cases[i].valid, "autobahn %s",
           cases[i].name);
    }

    /* 6.4.1: the second piece is enough to know */

    state = 0;
    is(ngx_wschat_utf8(&state,
                       SEQ("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5")),
       0, "autobahn 6.4.1, first piece");
    is(ngx_wschat_utf8(&state, SEQ("\xf4\x90\x80\x80")), -1,
       "autobahn 6.4.1, second piece");

    /* 6.4.2: at the byte that makes it too large, not at the third */

    state = 0;
    is(ngx_wschat_utf8(&state, SEQ("\xce\xba\xf4")), 0,
       "autobahn 6.4.2, first piece");
    is(ngx_wschat_utf8(&state, SEQ("\x90")), -1,
       "autobahn 6.4.2, second piece");
}


static void
test_repair(void)
{
    size_t   i, n, len, wrong;
    uint8_t  in[64], out[192];

    static const struct {
        const char  *in;
        const char  *out;
    } cases[] = {
        { "", "" },
        { "plain", "plain" },
        { "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9" },
        { "\xff\xfe\x80 native",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd native" },

        /* Unicode 3.9, table 3-8 to 3-11 */
        { "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82" "A",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "A" },
        { "\xed\xa0\x80\xed\xbf\xbf\xed\xaf" "A",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "A" },
        { "\xf4\x91\x92\x93\xff" "A\x80\xbf" "B",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
          "A\xef\xbf\xbd\xef\xbf\xbd" "B" },
        { "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf" "A",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "A" },

        { "cut \xf0\x9f\x98", "cut \xef\xbf\xbd" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = strlen(cases[i].in);
        len = ngx_wschat_utf8_repair(out, (const uint8_t *) cases[i].in, n);
        is_mem(out, len, cases[i].out, strlen(cases[i].out),
               "repair %d", (int) i);
    }

    len = ngx_wschat_utf8_repair(out, SEQ("\0\xff\xfe\x80"));
    is_mem(out, len, "\0\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 10,
           "repair of API Gateway's recorded case");

    /* long texts of edge bytes and ASCII, over the 8-byte words */

    srand(1);
    wrong = 0;

    for (i = 0; i < 200000; i++) {
        uint32_t  state;

        len = (size_t) rand() % sizeof(in);

        for (n = 0; n < len; n++) {
            in[n] = (rand() % 3) ? 'x' : edges[(size_t) rand()
                                               % sizeof(edges)];
        }

        wrong += !repair_agrees(in, len) || !agrees(in, len);

        n = ngx_wschat_utf8_repair(out, in, len);
        state = 0;
        wrong += n > 3 * len || ngx_wschat_utf8(&state, out, n) != 0
                 || state != 0;
    }

    is(wrong, 0, "repair and check of mixed texts");
}


int
main(void)
{
    oracle_init();

    test_code_points();
    test_all_sequences();
    test_edges();
    test_positions();
    test_autobahn();
    test_repair();

    return tap_done();
}
