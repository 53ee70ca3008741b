
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_VALUE_H_INCLUDED_
#define _NGX_WSCHAT_VALUE_H_INCLUDED_


/*
 * Knows what a reference can stand for, and how that reads as text, as JSON
 * and as a condition.  Never knows where it came from.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_buf.h"
#include "ngx_wschat_json.h"


typedef enum {
    NGX_WSCHAT_VALUE_ABSENT = 0,
    NGX_WSCHAT_VALUE_TEXT,          /* plain text, valid UTF-8 */
    NGX_WSCHAT_VALUE_JSON           /* one JSON value as it was written */
} ngx_wschat_value_kind_e;


/*
 * A value owns nothing: data points into the message or whatever else it was
 * taken from and lasts as long.  For JSON, type and flags are those of
 * ngx_wschat_json.h, and data of a string includes its quotes.
 */

typedef struct {
    uint8_t    kind;
    uint8_t    type;
    uint8_t    flags;
    ngx_str_t  data;
} ngx_wschat_value_t;


static ngx_inline void
ngx_wschat_value_absent(ngx_wschat_value_t *v)
{
    v->kind = NGX_WSCHAT_VALUE_ABSENT;
    v->type = 0;
    v->flags = 0;
    v->data.len = 0;
    v->data.data = NULL;
}


static ngx_inline void
ngx_wschat_value_text(ngx_wschat_value_t *v, const u_char *p, size_t len)
{
    v->kind = NGX_WSCHAT_VALUE_TEXT;
    v->type = 0;
    v->flags = 0;
    v->data.len = len;
    v->data.data = (u_char *) p;
}


/* the value of a token; absent for NGX_WSCHAT_JSON_NONE */

static ngx_inline void
ngx_wschat_value_token(ngx_wschat_value_t *v, ngx_wschat_json_t *j,
    uint32_t n)
{
    ngx_wschat_json_token_t  *t;

    if (n == NGX_WSCHAT_JSON_NONE) {
        ngx_wschat_value_absent(v);
        return;
    }

    t = &j->tokens[n];

    v->kind = NGX_WSCHAT_VALUE_JSON;
    v->type = t->type;
    v->flags = t->flags;
    v->data.len = t->end - t->start;
    v->data.data = (u_char *) j->text + t->start;
}


/*
 * A value from one compact and valid JSON value without white space around
 * it: what ngx_wschat_value_append_json() wrote before, or digits that the
 * caller printed.
 */
void ngx_wschat_value_json(ngx_wschat_value_t *v, const u_char *p,
    size_t len);

/*
 * The three ways to put a value into a buffer; NGX_ERROR is the buffer's.
 *
 * ..._text():    as plain text: a JSON string without quotes and escapes, any
 *                other JSON as compact JSON; absent is nothing.  A string
 *                with escapes needs room for its spelling, which is longer
 * ..._json():    as one JSON value: text is quoted and escaped, JSON stays as
 *                it was written (digits, escapes), compact; absent is nothing,
 *                what to put there is the caller's decision
 * ..._inside():  as ..._text(), escaped to stand within the quotes of a JSON
 *                string
 */
ngx_int_t ngx_wschat_value_append_text(ngx_wschat_buf_t *b,
    ngx_wschat_value_t *v);
ngx_int_t ngx_wschat_value_append_json(ngx_wschat_buf_t *b,
    ngx_wschat_value_t *v);
ngx_int_t ngx_wschat_value_append_inside(ngx_wschat_buf_t *b,
    ngx_wschat_value_t *v);

/*
 * Appends a text, escaped to stand within the quotes of a JSON string (RFC
 * 8259, section 7: the quote, the backslash and control characters).
 */
ngx_int_t ngx_wschat_value_escape(ngx_wschat_buf_t *b, const u_char *p,
    size_t len);

/*
 * Truth as in JavaScript: absent, empty text or string, null, false and a
 * zero in any spelling are false; the text "0" and all else are true.
 */
ngx_uint_t ngx_wschat_value_truth(ngx_wschat_value_t *v);

/* whether the value, as ngx_wschat_value_append_text() has it, is the text */
ngx_uint_t ngx_wschat_value_equal(ngx_wschat_value_t *v,
    const ngx_str_t *text);

/*
 * The value as text.  Where it can be had without a copy, out points into the
 * value's own data; otherwise (escapes, white space within) the text is
 * appended to b and out points there, until the next write to b.  NGX_ERROR is
 * the buffer's.
 */
ngx_int_t ngx_wschat_value_str(ngx_wschat_value_t *v, ngx_wschat_buf_t *b,
    ngx_str_t *out);


#endif /* _NGX_WSCHAT_VALUE_H_INCLUDED_ */
