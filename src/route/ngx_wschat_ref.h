
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_REF_H_INCLUDED_
#define _NGX_WSCHAT_REF_H_INCLUDED_


/*
 * Knows what can be referred to with "$", and where that is found when a
 * route runs.  Never knows what is done with it.
 */


#include "ngx_wschat_run.h"
#include "ngx_wschat_lang.h"
#include "ngx_wschat_path.h"
#include "ngx_wschat_value.h"


typedef struct ngx_wschat_ref_word_s  ngx_wschat_ref_word_t;

typedef struct {
    ngx_wschat_ref_word_t  *word;
    ngx_str_t               key;       /* attribute, header, argument */
    ngx_wschat_path_t       path;      /* into the message */
    ngx_uint_t              slot;      /* in run->values */
} ngx_wschat_ref_t;


/*
 * Compiles a reference, for templates: "data" is a ngx_wschat_lang_t.  What
 * must be asked of the store goes to lang->fetch.
 */
ngx_int_t ngx_wschat_ref_compile(void *data, ngx_str_t *name, void **out,
    ngx_str_t *err);

/* The slot of a route variable in run->values, made at need. */
ngx_int_t ngx_wschat_ref_variable(ngx_wschat_api_t *api, ngx_str_t *name);

/* Gives the reference's value now: "run" is a ngx_wschat_run_t. */
ngx_int_t ngx_wschat_ref_resolve(void *run, void *ref, ngx_wschat_value_t *v);

/* Asks the store for what the reference needs, as a step does. */
ngx_int_t ngx_wschat_ref_fetch(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref);

/*
 * At the handshake: the values of the nginx variables that the api's routes
 * refer to become attributes of the session, named with a "$" in front.
 */
ngx_int_t ngx_wschat_ref_capture(ngx_wschat_run_t *run);


#endif /* _NGX_WSCHAT_REF_H_INCLUDED_ */
