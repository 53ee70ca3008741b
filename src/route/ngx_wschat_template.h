
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_TEMPLATE_H_INCLUDED_
#define _NGX_WSCHAT_TEMPLATE_H_INCLUDED_


/*
 * Knows bodies: JSON documents, or texts, with references in them.  Never
 * knows what a reference means: its user compiles and resolves them.
 *
 * A body whose first character is {, [ or a quote, or that is JSON as a whole,
 * is a JSON body and must be valid; any other is text.  References are found
 * in the strings of a JSON body (an escape there means its character first)
 * and anywhere in a text: see ngx_wschat_path_reference(); $$ is a dollar.
 *
 *   a string that is one reference    is replaced by the JSON value, with its
 *                                     type and as it was written; where it
 *                                     is absent, a member goes with its key,
 *                                     an element is null, a whole document
 *                                     is nothing (NGX_DECLINED)
 *   a reference in a longer string    is put in as text, escaped
 *   a reference in a key              is put in as text, escaped
 *   a reference in a text             is put in as text
 *
 * What is rendered from a JSON body is compact, in the order written, and
 * always one valid JSON document, whatever the values are.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_buf.h"
#include "ngx_wschat_value.h"


/*
 * A reference that is filled in after rendering.  It stands for digits: as a
 * JSON value a bare number, in a text or a longer string just digits.
 */
#define NGX_WSCHAT_TEMPLATE_LATE  ((void *) &ngx_wschat_template_late)

extern u_char  ngx_wschat_template_late;


/*
 * Compiles a reference: name is its text without dollar and braces, and lasts
 * as long as the template's source and pool.  Sets *out to what resolve will
 * be given (not NULL), or to NGX_WSCHAT_TEMPLATE_LATE.  NGX_OK; NGX_DECLINED
 * with err set to what is wrong and what was expected; NGX_ERROR.
 */
typedef ngx_int_t (*ngx_wschat_template_ref_pt)(void *data, ngx_str_t *name,
    void **out, ngx_str_t *err);

/*
 * Gives a reference's value, absent if it has none.  What the value points to
 * must last until the next call.  NGX_OK or NGX_ERROR.
 */
typedef ngx_int_t (*ngx_wschat_template_resolve_pt)(void *ctx, void *ref,
    ngx_wschat_value_t *v);


typedef struct ngx_wschat_template_op_s  ngx_wschat_template_op_t;


typedef struct {
    ngx_wschat_template_op_t    *ops;
    ngx_wschat_template_op_t    *last;

    ngx_str_t                    literal;   /* of a constant: the output */
    void                        *single;    /* the body is this reference and
                                               nothing else: for users who
                                               want the value itself */

    unsigned                     is_json:1;
    unsigned                     constant:1;    /* has no reference */
    unsigned                     late:1;        /* has a late one */
} ngx_wschat_template_t;


typedef struct {
    ngx_pool_t                  *pool;
    ngx_str_t                    source;
    ngx_wschat_template_ref_pt   ref;
    void                        *data;

    ngx_wschat_template_t       *template;  /* out, from the pool */
    ngx_str_t                    err;       /* out, with NGX_DECLINED */
} ngx_wschat_template_conf_t;


/*
 * Compiles tc->source, which must last as long as the pool.  NGX_OK and
 * tc->template; NGX_DECLINED and tc->err, a text for the operator with the
 * position in the source; NGX_ERROR for lack of memory or from tc->ref.
 */
ngx_int_t ngx_wschat_template_compile(ngx_wschat_template_conf_t *tc);

/*
 * Appends the body to out.  late_at (may be NULL) is set to where, in bytes
 * from the beginning of this body, the digits of the late reference must be
 * inserted, or to -1.  A late member is always there.
 *
 * NGX_OK; NGX_DECLINED if the whole document was one reference without a
 * value, and nothing was written; NGX_ERROR from resolve or past the limit of
 * the buffer, which then keeps what it had before.
 */
ngx_int_t ngx_wschat_template_render(ngx_wschat_template_t *tpl,
    ngx_wschat_buf_t *out, ngx_wschat_template_resolve_pt resolve, void *ctx,
    ssize_t *late_at);


#endif /* _NGX_WSCHAT_TEMPLATE_H_INCLUDED_ */
