
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_EXPR_H_INCLUDED_
#define _NGX_WSCHAT_EXPR_H_INCLUDED_


/*
 * Knows API Gateway's selection expressions (spec, section 3.2).  Never knows
 * what is selected with them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_buf.h"
#include "ngx_wschat_json.h"
#include "ngx_wschat_path.h"


typedef struct ngx_wschat_expr_part_s  ngx_wschat_expr_part_t;


typedef struct {
    ngx_wschat_expr_part_t  *parts;
    ngx_uint_t               nparts;
    unsigned                 constant:1;    /* has no reference */
} ngx_wschat_expr_t;


/*
 * Compiles a selection expression: literals, \$ for a dollar, and references
 * $request.body, $request.body.path or ${request.body.path}.  The source must
 * last as long as the pool.  NGX_OK and *expr, from the pool; NGX_DECLINED and
 * err, a text for the operator; NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_wschat_expr_compile(ngx_pool_t *pool, ngx_str_t *source,
    ngx_wschat_expr_t **expr, ngx_str_t *err);

/*
 * Evaluates the expression for one message.  j is its parsed text or NULL if
 * it is not JSON, body its raw text, which $request.body alone stands for.
 * Values are put in as text: a string without quotes, other scalars and
 * objects as JSON, an array as [item1, item2], a missing one as nothing; once,
 * so that a dollar in a value is only a dollar.
 *
 * out points into the message or the expression where no copy is needed,
 * otherwise the text is appended to b and out points there, until the next
 * write to b.  NGX_OK; NGX_DECLINED if there are references and all of them
 * are missing (out is set all the same); NGX_ERROR, the buffer's.
 */
ngx_int_t ngx_wschat_expr_eval(ngx_wschat_expr_t *expr, ngx_wschat_json_t *j,
    ngx_str_t *body, ngx_wschat_buf_t *b, ngx_str_t *out);


#endif /* _NGX_WSCHAT_EXPR_H_INCLUDED_ */
