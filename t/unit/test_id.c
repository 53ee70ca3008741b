
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Connection ids: their text against a base64 made of bits, one text for each
 * id, nothing else taken for one; random bytes, also after a fork.  The
 * symbols of nginx that this uses are stubs.
 */

/* sources: src/ngx_wschat_id.c */


#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ngx_wschat_id.h"
#include "tap.h"


static ngx_log_t     log_stub;
static ngx_cycle_t   cycle_stub;

volatile ngx_cycle_t  *ngx_cycle = &cycle_stub;
ngx_pid_t              ngx_pid;


static const char  alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    fprintf(stderr, "# log: %s\n", fmt);
}


/* bit by bit, so that it shares nothing with what is tested */

static size_t
oracle(char *out, const u_char *in, size_t n)
{
    size_t    i, len;
    unsigned  v, bit;

    len = 0;

    for (i = 0; i < n * 8; i += 6) {
        v = 0;

        for (bit = 0; bit < 6; bit++) {
            v <<= 1;

            if (i + bit < n * 8) {
                v |= in[(i + bit) / 8] >> (7 - (i + bit) % 8) & 1;
            }
        }

        out[len++] = alphabet[v];
    }

    while (len % 4 != 0) {
        out[len++] = '=';
    }

    return len;
}


static void
test_text(void)
{
    int        i, j, same, back;
    u_char     id[NGX_WSCHAT_ID_LEN], got[NGX_WSCHAT_ID_LEN];
    u_char     text[NGX_WSCHAT_ID_TEXT_LEN];
    char       want[NGX_WSCHAT_ID_TEXT_LEN];
    ngx_str_t  s;

    same = 0;
    back = 0;

    s.data = text;
    s.len = sizeof(text);

    for (i = 0; i < 10000; i++) {
        for (j = 0; j < NGX_WSCHAT_ID_LEN; j++) {
            id[j] = (u_char) (rand() >> 8);
        }

        memset(got, 0xaa, sizeof(got));

        same += ngx_wschat_id_text(text, id) == text + sizeof(text)
                && oracle(want, id, sizeof(id)) == sizeof(text)
                && memcmp(text, want, sizeof(text)) == 0;

        back += ngx_wschat_id_parse(got, &s) == NGX_OK
                && memcmp(got, id, sizeof(id)) == 0;
    }

    is(same, 10000, "texts are base64url");
    is(back, 10000, "and are read again");
}


/* every byte at every place: the alphabet and nothing else, one text only */

static void
test_parse(void)
{
    int        i, c, taken, wrong;
    u_char     id[NGX_WSCHAT_ID_LEN];
    u_char     text[NGX_WSCHAT_ID_TEXT_LEN + 1];
    u_char     again[NGX_WSCHAT_ID_TEXT_LEN];
    ngx_str_t  s;

    s.data = text;
    s.len = NGX_WSCHAT_ID_TEXT_LEN;

    taken = 0;
    wrong = 0;

    for (i = 0; i < NGX_WSCHAT_ID_TEXT_LEN; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, "AAAAAAAAAAAAAAAAAAAAAA==", sizeof(text));
            text[i] = (u_char) c;

            if (ngx_wschat_id_parse(id, &s) != NGX_OK) {
                continue;
            }

            taken++;

            ngx_wschat_id_text(again, id);
            wrong += memcmp(again, text, sizeof(again)) != 0;
        }
    }

    /* 21 places of 64, one of 4 (2 bits are left), two of 1 */

    is(taken, 21 * 64 + 4 + 2, "characters of the alphabet are taken");
    is(wrong, 0, "each id has one text");

    memcpy(text, "AAAAAAAAAAAAAAAAAAAAAA==", sizeof(text));

    for (i = 0; i <= NGX_WSCHAT_ID_TEXT_LEN + 1; i++) {
        s.len = i;

        if (i != NGX_WSCHAT_ID_TEXT_LEN) {
            is(ngx_wschat_id_parse(id, &s), NGX_DECLINED, "length %d", i);
        }
    }
}


static void
test_address(void)
{
    u_char  a[NGX_WSCHAT_ID_LEN], b[NGX_WSCHAT_ID_LEN];

    is(ngx_wschat_id_create(a, 0xfedc, 63, 0xabcdef), NGX_OK, "create");
    is(ngx_wschat_id_node(a), 0xfedc, "node");
    is(ngx_wschat_id_slot(a), 63, "slot");
    is(ngx_wschat_id_index(a), 0xabcdef, "index");

    is(ngx_wschat_id_create(b, 0xfedc, 63, 0xabcdef), NGX_OK, "again");
    is_mem(a, 6, b, 6, "the same address");
    ok(memcmp(a + 6, b + 6, 10) != 0, "another id");
}


static void
test_request(void)
{
    int     i, bad;
    u_char  p[NGX_WSCHAT_REQUEST_ID_LEN + 1];
    u_char  seen[NGX_WSCHAT_REQUEST_ID_LEN];

    bad = 0;
    memset(seen, 0, sizeof(seen));

    for (i = 0; i < 1000; i++) {
        p[NGX_WSCHAT_REQUEST_ID_LEN] = '\0';

        bad += ngx_wschat_id_request(p) != p + NGX_WSCHAT_REQUEST_ID_LEN
               || p[NGX_WSCHAT_REQUEST_ID_LEN] != '\0'
               || strspn((char *) p, alphabet) != 15
               || p[15] != '='
               || memcmp(p, seen, sizeof(seen)) == 0;

        memcpy(seen, p, sizeof(seen));
    }

    is(bad, 0, "request ids have 15 characters and a \"=\"");
}


static int
compare(const void *one, const void *two)
{
    return memcmp(one, two, 16);
}


static void
test_random(void)
{
    int      i, bits, equal, fds[2], status;
    u_char   big[257];
    u_char  *all;
    pid_t    pid;

    is(ngx_wschat_random(big, 257), NGX_ERROR, "too many at once");
    is(ngx_wschat_random(big, 256), NGX_OK, "as many as there may be");

    /* across many refills, none of them at a multiple of 16 */

    all = malloc(16 * 10000);
    bits = 0;

    for (i = 0; i < 10000; i++) {
        if (ngx_wschat_random(all + 16 * i, 16) != NGX_OK
            || ngx_wschat_random(big, 7) != NGX_OK)
        {
            break;
        }

        bits += __builtin_popcount(all[16 * i]);
    }

    is(i, 10000, "10000 times 16 bytes");
    ok(bits > 39000 && bits < 41000, "half of the bits are set: %d", bits);

    qsort(all, 10000, 16, compare);

    equal = 0;

    for (i = 1; i < 10000; i++) {
        equal += memcmp(all + 16 * i, all + 16 * (i - 1), 16) == 0;
    }

    is(equal, 0, "no 16 bytes twice");

    free(all);

    /* parent and child have the same stock, and must not use it */

    if (pipe(fds) != 0) {
        ok(0, "pipe");
        return;
    }

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();

        if (ngx_wschat_random(big, 16) != NGX_OK
            || write(fds[1], big, 16) != 16)
        {
            _exit(1);
        }

        _exit(0);
    }

    is(ngx_wschat_random(big, 16), NGX_OK, "parent");
    is(read(fds[0], big + 16, 16), 16, "child");
    is(waitpid(pid, &status, 0), pid, "child is done");
    ok(memcmp(big, big + 16, 16) != 0, "they have different bytes");

    close(fds[0]);
    close(fds[1]);
}


int
main(void)
{
    log_stub.log_level = NGX_LOG_ERR;
    cycle_stub.log = &log_stub;
    ngx_pid = getpid();

    test_text();
    test_parse();
    test_address();
    test_request();
    test_random();

    return tap_done();
}
