
/*
 * Copyright (C) the ngx_wschat authors
 */


/* the opening handshake's key, accept value and token lists */


#include <stdlib.h>

#include "ngx_wschat_handshake.h"
#include "tap.h"


#define SAMPLE_KEY  "dGhlIHNhbXBsZSBub25jZQ=="

#define countof(a)  (sizeof(a) / sizeof((a)[0]))


static int
key_valid(const char *key, size_t len)
{
    int       rc;
    uint8_t  *copy;

    /* an allocation of the exact size, so that a sanitizer sees its end */

    copy = malloc(len ? len : 1);
    memcpy(copy, key, len);
    rc = ngx_wschat_key_valid(copy, len);
    free(copy);

    return rc;
}


static void
test_key(void)
{
    int     c, valid;
    char    key[32];
    size_t  i, wrong;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    is(key_valid(SAMPLE_KEY, 24), 1, "RFC 6455's sample key");
    is(key_valid("x3JJHMbDL1EzLkh9GBhXDw==", 24), 1, "a key ending in w");
    is(key_valid("AQIDBAUGBwgJCgsMDQ4PEA==", 24), 1, "a key ending in A");
    is(key_valid("AAAAAAAAAAAAAAAAAAAAAA==", 24), 1, "a key of zeros");
    is(key_valid("/////////////////////w==", 24), 1, "a key of ones");
    is(key_valid("++++++++++++++++++++++==", 24), 0, "padding bits are set");

    for (i = 0; i < 64; i++) {
        if (i != 24) {
            is(key_valid(SAMPLE_KEY SAMPLE_KEY SAMPLE_KEY, i), 0,
               "a key of %d bytes", (int) i);
        }
    }

    /* every byte at every place */

    wrong = 0;

    for (i = 0; i < 24; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(key, SAMPLE_KEY, 24);
            key[i] = (char) c;

            if (i >= 22) {
                valid = (c == '=');

            } else if (i == 21) {
                valid = (c == 'A' || c == 'Q' || c == 'g' || c == 'w');

            } else {
                valid = (c != 0 && strchr(digits, c) != NULL);
            }

            wrong += key_valid(key, 24) != valid;
        }
    }

    is(wrong, 0, "every byte at every place of a key");
}


static void
test_accept(void)
{
    size_t   i;
    uint8_t  out[NGX_WSCHAT_ACCEPT_LEN + 1];

    /* the first one is RFC 6455's, the others are computed by openssl */

    static const struct {
        const char  *key;
        const char  *accept;
    } cases[] = {
        { SAMPLE_KEY, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
        { "x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=" },
        { "AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=" },
        { "/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g=" },
        { "AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=" }
    };

    for (i = 0; i < countof(cases); i++) {
        memset(out, 0xa5, sizeof(out));
        ngx_wschat_accept(out, (const uint8_t *) cases[i].key);
        is_mem(out, NGX_WSCHAT_ACCEPT_LEN, cases[i].accept,
               strlen(cases[i].accept), "accept for %s", cases[i].key);
        is(out[NGX_WSCHAT_ACCEPT_LEN], 0xa5, "nothing behind it");
    }
}


/* the list as "token|token|", "!" for what is no token */

static void
walk(const char *list, const char *want)
{
    int             rc;
    char            got[512], name[512];
    size_t          n, len, i;
    uint8_t        *copy;
    const uint8_t  *pos, *last, *token;

    n = strlen(list);
    copy = malloc(n ? n : 1);
    memcpy(copy, list, n);

    pos = copy;
    last = copy + n;
    got[0] = '\0';

    while ((rc = ngx_wschat_next_token(&pos, last, &token, &len)) != 0) {
        if (rc == 1) {
            strncat(got, (const char *) token, len);
            strcat(got, "|");

        } else {
            strcat(got, "!|");
        }
    }

    for (i = 0; i <= n; i++) {
        name[i] = (list[i] < ' ' && list[i] != '\0') ? '?' : list[i];
    }

    is_str(got, want, "list \"%s\"", name);
    ok(pos == last, "is read to its end");

    free(copy);
}


static void
test_next_token(void)
{
    int             c, valid;
    size_t          len, wrong;
    uint8_t         list[3];
    const uint8_t  *pos, *token;

    walk("", "");
    walk(" ", "");
    walk(",", "");
    walk(" ,\t, ,", "");
    walk("chat", "chat|");
    walk("chat, superchat", "chat|superchat|");
    walk("chat,superchat", "chat|superchat|");
    walk("  chat\t ,\t superchat  ", "chat|superchat|");
    walk(",chat,,superchat,", "chat|superchat|");
    walk("Chat, cHAT", "Chat|cHAT|");
    walk("v1.chat, v2+x_y~z, a!#$%&'*-.^`|",
         "v1.chat|v2+x_y~z|a!#$%&'*-.^`||");
    walk("a b, c", "!|c|");
    walk("a\tb", "!|");
    walk("a, \"b, c\", d", "a|!|!|d|");
    walk("a;q=1, b", "!|b|");
    walk("websocket/13", "!|");
    walk("a, b\r\n, c", "a|!|c|");
    walk("\xc3\xa9, e", "!|e|");

    wrong = 0;

    for (c = 0; c < 256; c++) {
        list[0] = 'a';
        list[1] = (uint8_t) c;
        list[2] = 'b';
        pos = list;

        valid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c != 0 && strchr("!#$%&'*+-.^_`|~,", c) != NULL);

        wrong += ngx_wschat_next_token(&pos, list + 3, &token, &len)
                 != (valid ? 1 : -1);
        wrong += token != list || len != (size_t) (c == ',' ? 1 : 3);
        wrong += pos != list + len;
    }

    is(wrong, 0, "every byte inside a token");

    pos = NULL;
    is(ngx_wschat_next_token(&pos, NULL, &token, &len), 0, "no list at all");
}


static void
test_has_token(void)
{
    int       rc;
    size_t    i, n;
    uint8_t  *copy;

    static const struct {
        const char  *list;
        int          found;
    } cases[] = {
        { "upgrade", 1 },
        { "Upgrade", 1 },
        { "UPGRADE", 1 },
        { "keep-alive, Upgrade", 1 },
        { "Upgrade, keep-alive", 1 },
        { "keep-alive,Upgrade,close", 1 },
        { "keep-alive ,\tUpgrade\t", 1 },
        { ",,Upgrade", 1 },
        { "a b, Upgrade", 1 },
        { "", 0 },
        { " , ", 0 },
        { "keep-alive", 0 },
        { "Upgrad", 0 },
        { "Upgrades", 0 },
        { "xUpgrade", 0 },
        { "keep-alive Upgrade", 0 },
        { "keep-alive; Upgrade", 0 },
        { "\"Upgrade\"", 0 },
        { "Up,grade", 0 },
        { "Up grade", 0 },
        { "Upgrade/1", 0 },
        { "5pgrade", 0 },
        { "upgr\x01" "de", 0 }
    };

    for (i = 0; i < countof(cases); i++) {
        n = strlen(cases[i].list);
        copy = malloc(n ? n : 1);
        memcpy(copy, cases[i].list, n);

        rc = ngx_wschat_has_token(copy, n, "upgrade", 7);
        is(rc, cases[i].found, "upgrade in case %d, \"%s\"", (int) i,
           (i + 1 < countof(cases)) ? cases[i].list : "?");

        free(copy);
    }

    is(ngx_wschat_has_token((const uint8_t *) "h2c, WebSocket", 14,
                            "websocket", 9), 1, "websocket in Upgrade");
    is(ngx_wschat_has_token((const uint8_t *) "websocket/13", 12,
                            "websocket", 9), 0, "not with a version");
    is(ngx_wschat_has_token(NULL, 0, "websocket", 9), 0, "no list at all");

    /* '@' and '`', '[' and '{' differ only in the bit of the letter case */

    is(ngx_wschat_has_token((const uint8_t *) "a^", 2, "a~", 2), 0,
       "only letters have a case");
}


int
main(void)
{
    test_key();
    test_accept();
    test_next_token();
    test_has_token();

    return tap_done();
}
