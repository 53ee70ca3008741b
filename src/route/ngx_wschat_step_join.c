
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the steps "join ROOM" and "leave [ROOM]".  Never knows where rooms
 * are kept.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ngx_wschat_hub.h"


typedef struct {
    ngx_wschat_template_t  *room;
    ngx_wschat_template_t  *since;
    ngx_wschat_template_t  *epoch;
    ngx_int_t               history;      /* -1: not asked for */
    unsigned                only:1;
    unsigned                create:1;
} ngx_wschat_join_t;

typedef struct {
    ngx_wschat_template_t  *room;         /* NULL: all */
} ngx_wschat_leave_t;


static ngx_int_t ngx_wschat_join_option(ngx_conf_t *cf,
    ngx_wschat_lang_t *lang, ngx_str_t *arg, ngx_str_t *s,
    ngx_wschat_template_t **tpl);
static ngx_int_t ngx_wschat_join_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_join_start(ngx_wschat_run_t *run,
    ngx_wschat_join_t *join);
static ngx_int_t ngx_wschat_join_done(ngx_wschat_run_t *run,
    ngx_wschat_join_t *join);
static ngx_int_t ngx_wschat_join_number(ngx_wschat_run_t *run,
    ngx_wschat_template_t *tpl, uint64_t *n);
static ngx_int_t ngx_wschat_leave_handler(ngx_wschat_run_t *run, void *conf);


char *
ngx_wschat_step_join(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t          *value, s;
    ngx_uint_t          i;
    ngx_wschat_join_t  *join;

    join = ngx_wschat_lang_step(cf, lang, ngx_wschat_join_handler,
                                sizeof(ngx_wschat_join_t),
                                NGX_WSCHAT_IN_CONNECT|NGX_WSCHAT_IN_MESSAGE
                                |NGX_WSCHAT_IN_HOOK);
    if (join == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    join->create = 1;
    join->history = -1;

    join->room = ngx_wschat_lang_template(cf, lang, &value[1]);
    if (join->room == NULL
        || ngx_wschat_lang_name(cf, join->room) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_wschat_lang_is(&value[i], "only")) {
            join->only = 1;
            continue;
        }

        if (ngx_wschat_lang_is(&value[i], "create=no")) {
            join->create = 0;
            continue;
        }

        if (ngx_wschat_lang_option(&value[i], "since", &s)) {
            if (ngx_wschat_join_option(cf, lang, &value[i], &s, &join->since)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_wschat_lang_option(&value[i], "epoch", &s)) {
            if (ngx_wschat_join_option(cf, lang, &value[i], &s, &join->epoch)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_wschat_lang_option(&value[i], "history", &s)) {
            join->history = ngx_atoi(s.data, s.len);

            if (join->history != NGX_ERROR) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid option \"%V\" of \"join\": \"only\", "
                           "\"create=no\", \"history=N\", \"since=OFFSET\" "
                           "or \"epoch=EPOCH\" was expected", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "since" and "epoch": a number, or references */

static ngx_int_t
ngx_wschat_join_option(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_str_t *arg, ngx_str_t *s, ngx_wschat_template_t **tpl)
{
    if (*tpl) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is duplicate", arg);
        return NGX_ERROR;
    }

    *tpl = ngx_wschat_lang_value(cf, lang, arg, s);
    if (*tpl == NULL) {
        return NGX_ERROR;
    }

    if ((*tpl)->constant && ngx_atoi(s->data, s->len) == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\": a number was expected",
                           arg);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_join_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_join_t *join = conf;

    ngx_int_t  rc;

    if (run->phase) {
        rc = run->op.rc;

    } else if (run->session == NULL) {

        /* there is nobody to join */

        return NGX_DONE;

    } else {
        rc = ngx_wschat_join_start(run, join);
    }

    switch (rc) {

    case NGX_OK:
        return ngx_wschat_join_done(run, join);

    case NGX_DECLINED:
        ngx_memzero(&run->here, sizeof(ngx_wschat_here_t));
        return NGX_OK;

    case NGX_AGAIN:
    case NGX_DONE:
        return rc;

    case NGX_BUSY:
        return ngx_wschat_run_failed(run, NGX_LOG_ERR, "the store is full");

    default:
        return ngx_wschat_run_failed(run, NGX_LOG_INFO, "could not join");
    }
}


static ngx_int_t
ngx_wschat_join_start(ngx_wschat_run_t *run, ngx_wschat_join_t *join)
{
    ngx_str_t             name;
    ngx_uint_t            n;
    ngx_wschat_member_t  *m;

    if (ngx_wschat_run_name(run, join->room, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    n = 0;

    for (m = run->session->members; m; m = m->next) {
        n += (m->channel->kind == NGX_WSCHAT_TO_ROOM);
    }

    if (!join->only && n >= run->api->max_rooms
        && ngx_wschat_hub_member(run->session, NGX_WSCHAT_TO_ROOM, &name)
           == NULL)
    {
        return ngx_wschat_run_failed(run, NGX_LOG_INFO,
                                     "the connection is in max_rooms rooms");
    }

    ngx_wschat_run_op(run);

    if (ngx_wschat_run_copy(run, &run->op.name, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    run->op.create = join->create;

    if (join->history >= 0) {
        run->op.want_history = 1;
        run->op.history = join->history;
    }

    if (join->since
        && ngx_wschat_join_number(run, join->since, &run->op.since) == NGX_OK)
    {
        run->op.want_since = 1;
    }

    if (join->epoch
        && ngx_wschat_join_number(run, join->epoch, &run->op.epoch) != NGX_OK)
    {
        run->op.epoch = 0;
    }

    return ngx_wschat_run_start(run, run->api->store->join);
}


static ngx_int_t
ngx_wschat_join_done(ngx_wschat_run_t *run, ngx_wschat_join_t *join)
{
    ngx_wschat_op_t  *op;

    op = &run->op;

    if (run->session == NULL
        || ngx_wschat_hub_join(run->session, NGX_WSCHAT_TO_ROOM, &op->name,
                               op->epoch, op->offset)
           != NGX_OK)
    {
        /* the connection ended meanwhile, or there is no memory */

        if (ngx_wschat_run_leave(run, &op->name) != NGX_OK) {
            return NGX_ERROR;
        }

        return run->session ? NGX_ERROR : NGX_DONE;
    }

    run->here.name = op->name;
    run->here.count = op->count;
    run->here.offset = op->offset;
    run->here.epoch = op->epoch;
    run->here.history = op->text;
    run->here.set = 1;
    run->here.counted = 1;
    run->here.joined = 1;
    run->here.created = op->created;

    if (op->created
        && ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_EVENT,
                               NGX_WSCHAT_ON_ROOM_CREATE, &op->name,
                               op->count, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!op->already
        && ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_EVENT,
                               NGX_WSCHAT_ON_MEMBER_JOIN, &op->name,
                               op->count, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (join->only) {
        return ngx_wschat_run_leave_all(run, &run->here.name);
    }

    return NGX_OK;
}


/* NGX_DECLINED: it is none, or not given */

static ngx_int_t
ngx_wschat_join_number(ngx_wschat_run_t *run, ngx_wschat_template_t *tpl,
    uint64_t *n)
{
    uint64_t    value;
    ngx_str_t   text;
    ngx_uint_t  i;

    if (ngx_wschat_run_text(run, tpl, NGX_WSCHAT_RUN_BODY, &text) != NGX_OK
        || text.len == 0 || text.len > 19)
    {
        return NGX_DECLINED;
    }

    value = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return NGX_DECLINED;
        }

        value = value * 10 + (text.data[i] - '0');
    }

    *n = value;

    return NGX_OK;
}


char *
ngx_wschat_step_leave(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t           *value;
    ngx_wschat_leave_t  *leave;

    leave = ngx_wschat_lang_step(cf, lang, ngx_wschat_leave_handler,
                                 sizeof(ngx_wschat_leave_t),
                                 NGX_WSCHAT_IN_MESSAGE|NGX_WSCHAT_IN_HOOK);
    if (leave == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 1) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    leave->room = ngx_wschat_lang_template(cf, lang, &value[1]);

    return leave->room ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* what follows from it is done before the next step */

static ngx_int_t
ngx_wschat_leave_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_leave_t *leave = conf;

    ngx_str_t  name;

    if (run->session == NULL) {

        /* who has ended leaves all rooms anyway */

        return NGX_OK;
    }

    if (leave->room == NULL) {
        return ngx_wschat_run_leave_all(run, NULL);
    }

    if (ngx_wschat_run_text(run, leave->room, NGX_WSCHAT_RUN_NAME, &name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_wschat_hub_member(run->session, NGX_WSCHAT_TO_ROOM, &name)
        == NULL)
    {
        return NGX_OK;
    }

    return ngx_wschat_run_leave(run, &name);
}
