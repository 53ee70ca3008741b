
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_PATH_H_INCLUDED_
#define _NGX_WSCHAT_PATH_H_INCLUDED_


/*
 * Knows how references and the paths in them are spelled, and how a path is
 * followed into a JSON text.  Never knows which references there are.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_json.h"
#include "ngx_wschat_value.h"


#define NGX_WSCHAT_PATH_INDEX_MAX  999999


typedef struct {
    ngx_str_t                   key;    /* data is NULL for an index */
    ngx_uint_t                  index;
} ngx_wschat_path_segment_t;


typedef struct {
    ngx_wschat_path_segment_t  *segments;
    ngx_uint_t                  nsegments;
} ngx_wschat_path_t;


/*
 * Compiles ".a.b[0]['x y']["z"]": the JSONPath subset of the spec, section
 * 3.2.  The first dot may be left out; an empty text is the whole document.  A
 * dotted key has any characters except ".", "[" and "]"; a quoted key ends at
 * its quote and a bracket and has no escapes.  path keeps pointing into text.
 *
 * NGX_OK; NGX_DECLINED with what is wrong in err (from the pool); NGX_ERROR
 * for lack of memory.
 */
ngx_int_t ngx_wschat_path_compile(ngx_pool_t *pool, ngx_str_t *text,
    ngx_wschat_path_t *path, ngx_str_t *err);

/*
 * Follows the path from the document's root: the token found, or
 * NGX_WSCHAT_JSON_NONE.  The text must have been parsed with NGX_OK.
 */
uint32_t ngx_wschat_path_find(ngx_wschat_path_t *path, ngx_wschat_json_t *j);

/* the same, as a value: absent if there is nothing at the path's end */
void ngx_wschat_path_eval(ngx_wschat_path_t *path, ngx_wschat_json_t *j,
    ngx_wschat_value_t *v);


/*
 * Reads the reference that begins with the dollar at p: "$name" followed by
 * ".word", "[n]" and "['key']" segments, or "${anything but a brace}".  A
 * word has letters, digits and underscores; with dashes set, or after
 * "request.header.", dashes too.  A dot that no word follows is not part of
 * the reference.
 *
 * NGX_OK with name (without dollar and braces, in place) and next, the byte
 * after the reference; NGX_DECLINED if the dollar is a plain character here;
 * NGX_ERROR if a brace or bracket is not closed or holds nothing of use, with
 * reason, a constant text.
 */
ngx_int_t ngx_wschat_path_reference(u_char *p, u_char *last,
    ngx_uint_t dashes, ngx_str_t *name, u_char **next, const char **reason);

/*
 * For compilers: prints a message (as printf does) into memory of the pool.
 * Returns NGX_DECLINED, or NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_wschat_path_decline(ngx_pool_t *pool, ngx_str_t *err,
    const char *fmt, ...)
#if (__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;


#endif /* _NGX_WSCHAT_PATH_H_INCLUDED_ */
