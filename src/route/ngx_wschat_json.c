
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_json.h"


#define NGX_WSCHAT_JSON_TOKENS_MIN  64


static ngx_int_t ngx_wschat_json_grow(ngx_wschat_json_t *j);
static const u_char *ngx_wschat_json_scan_string(const u_char *p,
    const u_char *last, const u_char **end, uint8_t *flags);
static const u_char *ngx_wschat_json_scan_number(const u_char *p,
    const u_char *last, const u_char **end);
static const u_char *ngx_wschat_json_scan_word(const u_char *p,
    const u_char *last, const char *word, const u_char **end);
static const u_char *ngx_wschat_json_char(const u_char *p,
    const u_char *last, u_char *dst, size_t *len);


/*
 * The scanner is a small stack machine: "state" says what may stand at p, the
 * stack has the tokens of the containers that are open.  The helpers return
 * NULL if all is well, with the end in "end", or else the byte at fault.
 */

ngx_int_t
ngx_wschat_json_parse(ngx_wschat_json_t *j, const u_char *text, size_t len)
{
    uint32_t                  n, stack[NGX_WSCHAT_JSON_DEPTH];
    ngx_uint_t                depth;
    const u_char             *p, *last, *end, *bad, *mark;
    ngx_wschat_json_token_t  *t;
    enum {
        sw_value = 0,
        sw_value_or_end,
        sw_key,
        sw_key_or_end,
        sw_colon,
        sw_comma_or_end
    } state;

    j->text = text;
    j->ntokens = 0;
    j->error_at = 0;

    if (len == 0 || len > NGX_WSCHAT_JSON_MAX) {
        return NGX_DECLINED;
    }

    state = sw_value;
    depth = 0;
    p = text;
    last = text + len;
    end = text;

    for ( ;; ) {

        if (p < last && *p <= ' ') {

            mark = p;

            while (p < last && ngx_wschat_json_is_space(*p)) {
                p++;
            }

            if (depth && p != mark) {
                j->tokens[stack[depth - 1]].flags |= NGX_WSCHAT_JSON_SPACED;
            }
        }

        if (p == last) {
            bad = p;
            goto failed;
        }

        switch (state) {

        case sw_colon:

            if (*p != ':') {
                bad = p;
                goto failed;
            }

            p++;
            state = sw_value;
            continue;

        case sw_comma_or_end:

            t = &j->tokens[stack[depth - 1]];

            if (*p == ',') {
                p++;
                state = (t->type == NGX_WSCHAT_JSON_OBJECT) ? sw_key : sw_value;
                continue;
            }

            if (*p != (t->type == NGX_WSCHAT_JSON_OBJECT ? '}' : ']')) {
                bad = p;
                goto failed;
            }

            goto close;

        case sw_key_or_end:

            if (*p == '}') {
                goto close;
            }

            /* fall through */

        case sw_key:

            if (*p != '"') {
                bad = p;
                goto failed;
            }

            break;

        case sw_value_or_end:

            if (*p == ']') {
                goto close;
            }

            break;

        case sw_value:
            break;
        }

        /* a token begins */

        n = j->ntokens;

        if (n == j->nalloc && ngx_wschat_json_grow(j) != NGX_OK) {
            j->ntokens = 0;
            return NGX_ERROR;
        }

        j->ntokens = n + 1;

        t = &j->tokens[n];
        t->start = (uint32_t) (p - text);
        t->next = n + 1;
        t->flags = 0;

        switch (*p) {

        case '"':
            t->type = NGX_WSCHAT_JSON_STRING;
            bad = ngx_wschat_json_scan_string(p, last, &end, &t->flags);
            break;

        case '{':
        case '[':

            if (depth == NGX_WSCHAT_JSON_DEPTH) {
                bad = p;
                goto failed;
            }

            stack[depth++] = n;

            if (*p == '{') {
                t->type = NGX_WSCHAT_JSON_OBJECT;
                state = sw_key_or_end;

            } else {
                t->type = NGX_WSCHAT_JSON_ARRAY;
                state = sw_value_or_end;
            }

            p++;
            continue;

        case 't':
            t->type = NGX_WSCHAT_JSON_TRUE;
            bad = ngx_wschat_json_scan_word(p, last, "true", &end);
            break;

        case 'f':
            t->type = NGX_WSCHAT_JSON_FALSE;
            bad = ngx_wschat_json_scan_word(p, last, "false", &end);
            break;

        case 'n':
            t->type = NGX_WSCHAT_JSON_NULL;
            bad = ngx_wschat_json_scan_word(p, last, "null", &end);
            break;

        default:
            t->type = NGX_WSCHAT_JSON_NUMBER;
            bad = ngx_wschat_json_scan_number(p, last, &end);
            break;
        }

        if (bad) {
            goto failed;
        }

        p = end;
        t->end = (uint32_t) (p - text);

        if (state == sw_key || state == sw_key_or_end) {
            state = sw_colon;
            continue;
        }

        goto value;

    close:

        p++;

        n = stack[--depth];
        t = &j->tokens[n];
        t->end = (uint32_t) (p - text);
        t->next = j->ntokens;

        if (depth) {
            j->tokens[stack[depth - 1]].flags |= t->flags;
        }

    value:

        if (depth == 0) {
            break;
        }

        state = sw_comma_or_end;
    }

    while (p < last && ngx_wschat_json_is_space(*p)) {
        p++;
    }

    if (p == last) {
        return NGX_OK;
    }

    bad = p;

failed:

    j->ntokens = 0;
    j->error_at = (uint32_t) (bad - text);

    return NGX_DECLINED;
}


void
ngx_wschat_json_free(ngx_wschat_json_t *j)
{
    free(j->tokens);
    ngx_memzero(j, sizeof(ngx_wschat_json_t));
}


static ngx_int_t
ngx_wschat_json_grow(ngx_wschat_json_t *j)
{
    size_t                    n;
    ngx_wschat_json_token_t  *tokens;

    /* a token has at least one byte of a text of NGX_WSCHAT_JSON_MAX */

    n = j->nalloc ? (size_t) j->nalloc * 2 : NGX_WSCHAT_JSON_TOKENS_MIN;

    tokens = realloc(j->tokens, n * sizeof(ngx_wschat_json_token_t));
    if (tokens == NULL) {
        return NGX_ERROR;
    }

    j->tokens = tokens;
    j->nalloc = (uint32_t) n;

    return NGX_OK;
}


static const u_char *
ngx_wschat_json_scan_string(const u_char *p, const u_char *last,
    const u_char **end, uint8_t *flags)
{
    ngx_uint_t  i;

    p++;

    for ( ;; ) {

        p = ngx_wschat_json_plain(p, last);

        if (p == last) {
            return p;
        }

        if (*p == '"') {
            *end = p + 1;
            return NULL;
        }

        if (*p != '\\') {
            return p;
        }

        *flags |= NGX_WSCHAT_JSON_ESCAPED;

        if (++p == last) {
            return p;
        }

        switch (*p++) {

        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            break;

        case 'u':

            for (i = 0; i < 4; i++, p++) {
                if (p == last
                    || !((*p >= '0' && *p <= '9')
                         || (*p >= 'a' && *p <= 'f')
                         || (*p >= 'A' && *p <= 'F')))
                {
                    return p;
                }
            }

            break;

        default:
            return p - 1;
        }
    }
}


static const u_char *
ngx_wschat_json_scan_number(const u_char *p, const u_char *last,
    const u_char **end)
{
    if (*p == '-') {
        p++;
    }

    if (p == last || *p < '0' || *p > '9') {
        return p;
    }

    if (*p == '0') {
        p++;

    } else {
        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }
    }

    if (p < last && *p == '.') {
        p++;

        if (p == last || *p < '0' || *p > '9') {
            return p;
        }

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }
    }

    if (p < last && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        if (p == last || *p < '0' || *p > '9') {
            return p;
        }

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }
    }

    *end = p;

    return NULL;
}


static const u_char *
ngx_wschat_json_scan_word(const u_char *p, const u_char *last,
    const char *word, const u_char **end)
{
    while (*word) {
        if (p == last || *p != (u_char) *word) {
            return p;
        }

        p++;
        word++;
    }

    *end = p;

    return NULL;
}


uint32_t
ngx_wschat_json_member(ngx_wschat_json_t *j, uint32_t object, ngx_str_t *key)
{
    size_t                    len;
    uint32_t                  i, found;
    const u_char             *p;
    ngx_wschat_json_token_t  *t;

    t = &j->tokens[object];
    found = NGX_WSCHAT_JSON_NONE;

    if (t->type != NGX_WSCHAT_JSON_OBJECT) {
        return found;
    }

    for (i = object + 1; i < j->tokens[object].next; i = j->tokens[i + 1].next)
    {
        t = &j->tokens[i];

        /* within the quotes */

        p = j->text + t->start + 1;
        len = t->end - t->start - 2;

        if (t->flags & NGX_WSCHAT_JSON_ESCAPED) {
            if (ngx_wschat_json_same(p, len, key)) {
                found = i + 1;
            }

        } else if (len == key->len
                   && (len == 0 || ngx_memcmp(p, key->data, len) == 0))
        {
            found = i + 1;
        }
    }

    return found;
}


uint32_t
ngx_wschat_json_element(ngx_wschat_json_t *j, uint32_t array, ngx_uint_t n)
{
    uint32_t                  i;
    ngx_wschat_json_token_t  *t;

    t = &j->tokens[array];

    if (t->type != NGX_WSCHAT_JSON_ARRAY) {
        return NGX_WSCHAT_JSON_NONE;
    }

    for (i = array + 1; i < t->next; i = j->tokens[i].next) {
        if (n-- == 0) {
            return i;
        }
    }

    return NGX_WSCHAT_JSON_NONE;
}


u_char *
ngx_wschat_json_unescape(u_char *dst, const u_char *src, size_t len)
{
    size_t         n;
    const u_char  *p, *last;

    last = src + len;

    while (src < last) {

        p = ngx_wschat_json_plain(src, last);

        dst = ngx_cpymem(dst, src, p - src);
        src = p;

        if (src < last) {
            src = ngx_wschat_json_char(src, last, dst, &n);
            dst += n;
        }
    }

    return dst;
}


ngx_uint_t
ngx_wschat_json_same(const u_char *src, size_t len, const ngx_str_t *text)
{
    size_t         n;
    u_char         ch[4], *p, *end;
    const u_char  *last;

    if (text->len == 0) {
        return len == 0;
    }

    p = text->data;
    end = p + text->len;
    last = src + len;

    while (src < last) {

        if (*src != '\\') {
            if (p == end || *p != *src) {
                return 0;
            }

            p++;
            src++;
            continue;
        }

        src = ngx_wschat_json_char(src, last, ch, &n);

        if ((size_t) (end - p) < n || ngx_memcmp(p, ch, n) != 0) {
            return 0;
        }

        p += n;
    }

    return p == end;
}


static ngx_inline uint32_t
ngx_wschat_json_hex4(const u_char *p)
{
    u_char      ch;
    uint32_t    v;
    ngx_uint_t  i;

    v = 0;

    for (i = 0; i < 4; i++) {
        ch = p[i];
        v = (v << 4) | (ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
    }

    return v;
}


/*
 * Decodes one escape, or copies one byte that is none, to dst: at most four
 * bytes and never more than were read.  Returns the byte after it.
 */

static const u_char *
ngx_wschat_json_char(const u_char *p, const u_char *last, u_char *dst,
    size_t *len)
{
    uint32_t  v, low;

    if (*p != '\\' || last - p < 2) {
        *dst = *p;
        *len = 1;
        return p + 1;
    }

    if (p[1] != 'u' || last - p < 6) {

        switch (p[1]) {
        case 'b':
            *dst = '\b';
            break;
        case 'f':
            *dst = '\f';
            break;
        case 'n':
            *dst = '\n';
            break;
        case 'r':
            *dst = '\r';
            break;
        case 't':
            *dst = '\t';
            break;
        default:
            *dst = p[1];
            break;
        }

        *len = 1;
        return p + 2;
    }

    v = ngx_wschat_json_hex4(p + 2);
    p += 6;

    if (v >= 0xd800 && v < 0xe000) {

        low = 0;

        if (v < 0xdc00 && last - p >= 6 && p[0] == '\\' && p[1] == 'u') {
            low = ngx_wschat_json_hex4(p + 2);
        }

        if (low >= 0xdc00 && low < 0xe000) {
            v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
            p += 6;

        } else {
            v = 0xfffd;
        }
    }

    if (v < 0x80) {
        dst[0] = (u_char) v;
        *len = 1;

    } else if (v < 0x800) {
        dst[0] = (u_char) (0xc0 | (v >> 6));
        dst[1] = (u_char) (0x80 | (v & 0x3f));
        *len = 2;

    } else if (v < 0x10000) {
        dst[0] = (u_char) (0xe0 | (v >> 12));
        dst[1] = (u_char) (0x80 | ((v >> 6) & 0x3f));
        dst[2] = (u_char) (0x80 | (v & 0x3f));
        *len = 3;

    } else {
        dst[0] = (u_char) (0xf0 | (v >> 18));
        dst[1] = (u_char) (0x80 | ((v >> 12) & 0x3f));
        dst[2] = (u_char) (0x80 | ((v >> 6) & 0x3f));
        dst[3] = (u_char) (0x80 | (v & 0x3f));
        *len = 4;
    }

    return p;
}
