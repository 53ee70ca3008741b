
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the steps "if (CONDITION) { }" and "else { }", and conditions.  Never
 * knows the steps within.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ngx_wschat_ref.h"
#include "ngx_wschat_hub.h"


typedef enum {
    NGX_WSCHAT_IF_TRUE = 0,               /* as in JavaScript */
    NGX_WSCHAT_IF_EQUAL,
    NGX_WSCHAT_IF_MATCH,
    NGX_WSCHAT_IF_ROOM_EXISTS,
    NGX_WSCHAT_IF_MEMBER
} ngx_wschat_if_e;


typedef struct {
    ngx_wschat_if_e         kind;
    ngx_uint_t              negative;
    ngx_wschat_template_t  *left;
    ngx_wschat_template_t  *right;
#if (NGX_PCRE)
    ngx_regex_t            *regex;
#endif
    ngx_wschat_block_t      then;
    ngx_wschat_block_t      otherwise;
    ngx_uint_t              has_else;
} ngx_wschat_if_t;


static char *ngx_wschat_if_condition(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_if_t *cond, ngx_str_t *value, ngx_uint_t n);
static char *ngx_wschat_if_regex(ngx_conf_t *cf, ngx_wschat_if_t *cond,
    ngx_str_t *pattern, ngx_uint_t caseless);
static ngx_int_t ngx_wschat_if_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_if_true(ngx_wschat_run_t *run,
    ngx_wschat_if_t *cond);
static ngx_int_t ngx_wschat_if_compare(ngx_wschat_run_t *run,
    ngx_wschat_if_t *cond);
static ngx_int_t ngx_wschat_if_room_exists(ngx_wschat_run_t *run,
    ngx_wschat_if_t *cond);
static ngx_int_t ngx_wschat_if_member(ngx_wschat_run_t *run,
    ngx_wschat_if_t *cond);


char *
ngx_wschat_step_if(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    char             *rv;
    ngx_str_t        *value;
    ngx_wschat_if_t  *cond;

    cond = ngx_wschat_lang_step(cf, lang, ngx_wschat_if_handler,
                                sizeof(ngx_wschat_if_t), NGX_WSCHAT_IN_ANY);
    if (cond == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    rv = ngx_wschat_if_condition(cf, lang, cond, &value[1],
                                 cf->args->nelts - 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_wschat_lang_block(cf, lang, &cond->then);
}


/* "else" and "else if (...)": the latter is an "if" within an else */

char *
ngx_wschat_step_else(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    char               *rv;
    ngx_str_t          *value;
    ngx_wschat_if_t    *cond, *inner;
    ngx_wschat_lang_t   within;
    ngx_wschat_step_t  *step;

    step = ngx_wschat_lang_last(lang);

    cond = NULL;

    if (step && step->handler == ngx_wschat_if_handler) {
        cond = step->conf;

        /* the last of a chain of "else if" */

        while (cond->has_else == 2) {
            step = cond->otherwise.steps.elts;
            cond = step->conf;
        }
    }

    if (cond == NULL || cond->has_else) {
        return "must follow the block of an \"if\"";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1) {
        cond->has_else = 1;
        return ngx_wschat_lang_block(cf, lang, &cond->otherwise);
    }

    if (!ngx_wschat_lang_is(&value[1], "if") || cf->args->nelts == 2) {
        return "must be followed by a block or by \"if (...)\"";
    }

    if (ngx_array_init(&cond->otherwise.steps, cf->pool, 1,
                       sizeof(ngx_wschat_step_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cond->has_else = 2;

    within = *lang;
    within.block = &cond->otherwise;

    inner = ngx_wschat_lang_step(cf, &within, ngx_wschat_if_handler,
                                 sizeof(ngx_wschat_if_t), NGX_WSCHAT_IN_ANY);
    if (inner == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_wschat_if_condition(cf, &within, inner, &value[2],
                                 cf->args->nelts - 2);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_wschat_lang_block(cf, &within, &inner->then);
}


static char *
ngx_wschat_if_condition(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_if_t *cond, ngx_str_t *value, ngx_uint_t n)
{
    ngx_str_t   *first, *last, *op;
    ngx_uint_t   closed, caseless;

    first = &value[0];
    last = &value[n - 1];

    if (first->len < 1 || first->data[0] != '('
        || last->len < 1 || last->data[last->len - 1] != ')')
    {
        goto invalid;
    }

    /* the parentheses may stand apart or not, as in nginx's own "if" */

    first->data++;
    first->len--;
    last->len--;

    if (first->len == 0 && n > 1) {
        value++;
        n--;
        first = &value[0];
    }

    closed = (last->len == 0 && n > 1);

    if (closed) {
        n--;
    }

    if (first->len == 0 && n == 1 && !closed) {
        goto invalid;
    }

    if (first->len && first->data[0] == '!') {
        cond->negative = 1;
        first->data++;
        first->len--;

        if (first->len == 0) {
            goto invalid;
        }
    }


    if (n == 1) {

        if (ngx_wschat_lang_is(first, "room_exists")
            || ngx_wschat_lang_is(first, "member"))
        {
            goto invalid;
        }

        cond->left = ngx_wschat_lang_template(cf, lang, first);
        if (cond->left == NULL) {
            return NGX_CONF_ERROR;
        }

        /* "$x=y" without blanks would be a text, and so be true */

        if (!cond->left->single && !cond->left->is_json
            && (ngx_strlchr(first->data, first->data + first->len, '=')
                || ngx_strlchr(first->data, first->data + first->len, '~')))
        {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if (n == 2) {

        if (ngx_wschat_lang_is(first, "room_exists")) {
            cond->kind = NGX_WSCHAT_IF_ROOM_EXISTS;

        } else if (ngx_wschat_lang_is(first, "member")) {
            cond->kind = NGX_WSCHAT_IF_MEMBER;

        } else {
            goto invalid;
        }

        cond->left = ngx_wschat_lang_template(cf, lang, &value[1]);
        return cond->left ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (n != 3 || cond->negative) {
        goto invalid;
    }

    op = &value[1];

    if (op->len && op->data[0] == '!') {
        cond->negative = 1;
        op->data++;
        op->len--;
    }

    cond->left = ngx_wschat_lang_template(cf, lang, first);
    if (cond->left == NULL) {
        return NGX_CONF_ERROR;
    }

    caseless = ngx_wschat_lang_is(op, "~*");

    if (caseless || ngx_wschat_lang_is(op, "~")) {
        cond->kind = NGX_WSCHAT_IF_MATCH;
        return ngx_wschat_if_regex(cf, cond, &value[2], caseless);
    }

    if (!ngx_wschat_lang_is(op, "=")) {
        goto invalid;
    }

    cond->kind = NGX_WSCHAT_IF_EQUAL;

    cond->right = ngx_wschat_lang_template(cf, lang, &value[2]);

    return cond->right ? NGX_CONF_OK : NGX_CONF_ERROR;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid condition: ($x), (!$x), ($x = y), ($x != y), "
                       "($x ~ regex), ($x !~ regex), (room_exists $x), "
                       "(member $x) or one of these two with \"!\" "
                       "was expected");

    return NGX_CONF_ERROR;
}


static char *
ngx_wschat_if_regex(ngx_conf_t *cf, ngx_wschat_if_t *cond,
    ngx_str_t *pattern, ngx_uint_t caseless)
{
#if (NGX_PCRE)

    u_char               errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (caseless) {
        rc.options = NGX_REGEX_CASELESS;
    }

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    cond->regex = rc.regex;

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"~\" needs nginx built with PCRE");

    return NGX_CONF_ERROR;

#endif
}


static ngx_int_t
ngx_wschat_if_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_if_t *cond = conf;

    ngx_int_t  rc;

    switch (cond->kind) {

    case NGX_WSCHAT_IF_TRUE:
        rc = ngx_wschat_if_true(run, cond);
        break;

    case NGX_WSCHAT_IF_ROOM_EXISTS:
        rc = ngx_wschat_if_room_exists(run, cond);
        break;

    case NGX_WSCHAT_IF_MEMBER:
        rc = ngx_wschat_if_member(run, cond);
        break;

    default:
        rc = ngx_wschat_if_compare(run, cond);
    }

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
    }

    if ((rc == NGX_OK) != (cond->negative == 1)) {
        return ngx_wschat_run_block(run, &cond->then);
    }

    if (cond->has_else) {
        return ngx_wschat_run_block(run, &cond->otherwise);
    }

    return NGX_OK;
}


/* each returns NGX_OK for true and NGX_DECLINED for false */

static ngx_int_t
ngx_wschat_if_true(ngx_wschat_run_t *run, ngx_wschat_if_t *cond)
{
    ngx_str_t           text;
    ngx_wschat_value_t  v;

    if (cond->left->single) {

        if (ngx_wschat_ref_resolve(run, cond->left->single, &v) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_wschat_value_truth(&v) ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_wschat_run_render(run, cond->left, NGX_WSCHAT_RUN_BODY, &text,
                              NULL)
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (cond->left->is_json) {
        ngx_wschat_value_json(&v, text.data, text.len);

    } else {
        ngx_wschat_value_text(&v, text.data, text.len);
    }

    return ngx_wschat_value_truth(&v) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_wschat_if_compare(ngx_wschat_run_t *run, ngx_wschat_if_t *cond)
{
    ngx_str_t           left, right;
    ngx_wschat_value_t  v;

    if (cond->kind == NGX_WSCHAT_IF_EQUAL) {

        if (ngx_wschat_run_render(run, cond->right, NGX_WSCHAT_RUN_RECORD,
                                  &right, NULL)
            == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        if (cond->left->single) {

            if (ngx_wschat_ref_resolve(run, cond->left->single, &v)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            return ngx_wschat_value_equal(&v, &right) ? NGX_OK : NGX_DECLINED;
        }
    }

    if (ngx_wschat_run_text(run, cond->left, NGX_WSCHAT_RUN_BODY, &left)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    if (cond->kind == NGX_WSCHAT_IF_MATCH) {
        return (ngx_regex_exec(cond->regex, &left, NULL, 0) >= 0)
               ? NGX_OK : NGX_DECLINED;
    }

#endif

    return (left.len == right.len
            && (left.len == 0
                || ngx_memcmp(left.data, right.data, left.len) == 0))
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_wschat_if_room_exists(ngx_wschat_run_t *run, ngx_wschat_if_t *cond)
{
    ngx_int_t  rc;
    ngx_str_t  name;

    if (run->phase) {
        rc = run->op.rc;

    } else {

        if (ngx_wschat_run_text(run, cond->left, NGX_WSCHAT_RUN_NAME, &name)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (name.len == 0 || name.len > NGX_WSCHAT_MAX_NAME) {
            return NGX_DECLINED;
        }

        ngx_wschat_run_op(run);

        run->op.name = name;

        rc = ngx_wschat_run_start(run, run->api->store->exists);
    }

    if (rc == NGX_ERROR || rc == NGX_BUSY) {
        return ngx_wschat_run_failed(run, NGX_LOG_ERR,
                                     "the store did not answer");
    }

    return rc;
}


static ngx_int_t
ngx_wschat_if_member(ngx_wschat_run_t *run, ngx_wschat_if_t *cond)
{
    ngx_str_t   name, *room;
    ngx_uint_t  i;

    if (ngx_wschat_run_text(run, cond->left, NGX_WSCHAT_RUN_NAME, &name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (run->session) {
        return ngx_wschat_hub_member(run->session, NGX_WSCHAT_TO_ROOM, &name)
               ? NGX_OK : NGX_DECLINED;
    }

    for (i = 0; run->orphan && i < run->orphan->nrooms; i++) {
        room = &run->orphan->rooms[i];

        if (room->len == name.len
            && ngx_memcmp(room->data, name.data, name.len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}
