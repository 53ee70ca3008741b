
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_JSON_H_INCLUDED_
#define _NGX_WSCHAT_JSON_H_INCLUDED_


/*
 * Knows the grammar of JSON (RFC 8259) and where each value of a text begins
 * and ends.  Never knows what a value is used for, and makes no copy of it.
 *
 * jansson is used where JSON is read once, at configuration time, and for its
 * diagnostics.  For messages this scanner stands in its place: a message is
 * looked at once, without an allocation per value, and a number keeps its own
 * digits (1.10 stays 1.10), which a tree of C numbers cannot give back.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WSCHAT_JSON_DEPTH    64         /* arrays and objects nested */
#define NGX_WSCHAT_JSON_MAX      0x7fffffff /* bytes of text */

#define NGX_WSCHAT_JSON_NONE     0xffffffff /* no such token */


typedef enum {
    NGX_WSCHAT_JSON_NULL = 0,
    NGX_WSCHAT_JSON_FALSE,
    NGX_WSCHAT_JSON_TRUE,
    NGX_WSCHAT_JSON_NUMBER,
    NGX_WSCHAT_JSON_STRING,
    NGX_WSCHAT_JSON_ARRAY,
    NGX_WSCHAT_JSON_OBJECT
} ngx_wschat_json_type_e;


#define NGX_WSCHAT_JSON_ESCAPED  0x01       /* a string that has a backslash */
#define NGX_WSCHAT_JSON_SPACED   0x02       /* an array or object with white
                                               space between its tokens, at
                                               any depth */


/*
 * Tokens stand in the order of the text.  The elements of an array follow it;
 * of an object, each key (a string) and then its value.  "next" is the index
 * of the token after the whole value, so that a container is walked with
 *
 *     for (i = n + 1; i < tokens[n].next; i = tokens[i].next)
 *
 * over the elements of an array; in an object the value of key i is i + 1.
 * [start, end) is the value as written: a string's quotes are included.
 */

typedef struct {
    uint32_t                    start;
    uint32_t                    end;
    uint32_t                    next;
    uint8_t                     type;
    uint8_t                     flags;
} ngx_wschat_json_token_t;


/*
 * Zeroed before its first use, then used for any number of texts, one after
 * the other; the tokens' memory grows to what the largest text needed (never
 * more tokens than the text has bytes) and is kept.  Tokens are offsets: when
 * the text was moved, "text" is assigned anew and all stays valid.
 */

typedef struct {
    const u_char               *text;
    ngx_wschat_json_token_t    *tokens;
    uint32_t                    ntokens;
    uint32_t                    nalloc;
    uint32_t                    error_at;
} ngx_wschat_json_t;


/*
 * Scans a whole text, which must be valid UTF-8, for one JSON value with
 * optional white space around it; its token is number 0.  Surrogate escapes
 * without their pair are legal JSON and accepted.
 *
 * NGX_OK; NGX_DECLINED if it is not JSON, is nested deeper than
 * NGX_WSCHAT_JSON_DEPTH or longer than NGX_WSCHAT_JSON_MAX (error_at is the
 * offset of the byte that could not be there, or the length of the text if it
 * ended too early; there are no tokens); NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_wschat_json_parse(ngx_wschat_json_t *j, const u_char *text,
    size_t len);

/* gives back the tokens' memory; the structure may be used again */
void ngx_wschat_json_free(ngx_wschat_json_t *j);

/*
 * The token of the object's member "key" (plain text; keys with escapes are
 * compared by what they stand for), of several with one key the last, as
 * JSON.parse() has it.  NGX_WSCHAT_JSON_NONE if there is none or if the token
 * is not an object.
 */
uint32_t ngx_wschat_json_member(ngx_wschat_json_t *j, uint32_t object,
    ngx_str_t *key);

/* the same for the n-th element of an array, from 0 */
uint32_t ngx_wschat_json_element(ngx_wschat_json_t *j, uint32_t array,
    ngx_uint_t n);

/*
 * Writes what the inside of a valid JSON string (no quotes) stands for to
 * dst, which has room for len bytes (the text is never longer than its
 * spelling), and returns the end.  A surrogate without its pair becomes
 * U+FFFD, so that the result is valid UTF-8; \u0000 becomes a zero byte.
 */
u_char *ngx_wschat_json_unescape(u_char *dst, const u_char *src, size_t len);

/* whether the inside of a valid JSON string stands for this text */
ngx_uint_t ngx_wschat_json_same(const u_char *src, size_t len,
    const ngx_str_t *text);


#define ngx_wschat_json_is_space(ch)                                          \
    ((ch) == ' ' || (ch) == '\n' || (ch) == '\r' || (ch) == '\t')


/*
 * The first byte in [p, last) that cannot stand in a JSON string as it is: a
 * quote, a backslash or a control character; last if there is none.  Eight
 * bytes are tested at once; that test is exact, see "Determine if a word has
 * a byte less than n" in the Bit Twiddling Hacks.
 */

static ngx_inline const u_char *
ngx_wschat_json_plain(const u_char *p, const u_char *last)
{
    uint64_t        w, quote, slash;
    const uint64_t  ones = 0x0101010101010101ULL;

    while (last - p >= 8) {
        ngx_memcpy(&w, p, 8);

        quote = w ^ (ones * '"');
        slash = w ^ (ones * '\\');

        if ((((w - ones * 0x20) & ~w)
             | ((quote - ones) & ~quote)
             | ((slash - ones) & ~slash))
            & (ones * 0x80))
        {
            break;
        }

        p += 8;
    }

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


#endif /* _NGX_WSCHAT_JSON_H_INCLUDED_ */
