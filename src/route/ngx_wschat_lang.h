
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_LANG_H_INCLUDED_
#define _NGX_WSCHAT_LANG_H_INCLUDED_


/*
 * Knows how a "wschat_api" block is read: routes, hooks, blocks of steps.
 * Never knows what a step does.
 *
 * The directives inside the block belong to a module of a type of its own, as
 * those of "events" or "mail" do, so nginx's parser does the reading and its
 * "include" works; their configuration is a ngx_wschat_lang_t, which says
 * where in the block we are.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_api.h"
#include "ngx_wschat_run.h"
#include "ngx_wschat_template.h"


#define NGX_WSCHAT_MODULE      0x54414843     /* "CHAT" */

#define NGX_WSCHAT_API_CONF    0x02000000
#define NGX_WSCHAT_STEP_CONF   0x04000000

#define NGX_WSCHAT_LANG_DEPTH  33             /* the route's and 32 within */


typedef struct {
    ngx_wschat_api_t       *api;
    ngx_wschat_block_t     *block;         /* steps go here */
    ngx_uint_t              in;            /* NGX_WSCHAT_IN_... */
    ngx_array_t            *fetch;         /* of the step being read */
    ngx_conf_t             *cf;
    ngx_uint_t              late;          /* a body to a room is read */
    ngx_uint_t              depth;         /* blocks around */
} ngx_wschat_lang_t;


/* cf->ctx within the block; what belongs to http is still found in it */

typedef struct {
    ngx_http_conf_ctx_t     http;
    void                  **conf;
} ngx_wschat_lang_ctx_t;

#define NGX_WSCHAT_LANG_OFFSET  offsetof(ngx_wschat_lang_ctx_t, conf)


/* what ngx_wschat_lang_limit() reads: the command's "post" */

typedef enum {
    NGX_WSCHAT_LIMIT_TIME = 0,             /* ngx_msec_t */
    NGX_WSCHAT_LIMIT_SIZE,                 /* size_t */
    NGX_WSCHAT_LIMIT_NUMBER,               /* ngx_uint_t */
    NGX_WSCHAT_LIMIT_FLAG,                 /* ngx_flag_t */
    NGX_WSCHAT_LIMIT_BINARY                /* ngx_uint_t */
} ngx_wschat_limit_e;

typedef struct {
    ngx_wschat_limit_e      kind;
    ngx_uint_t              offset;        /* in ngx_wschat_api_t */
    ngx_int_t               min;
    ngx_int_t               max;
    char                   *expected;
} ngx_wschat_limit_t;


/* Reads the block: the argument of "wschat_api" are in cf->args. */
char *ngx_wschat_lang_api(ngx_conf_t *cf, ngx_wschat_api_t *api);

/*
 * When all of http has been read: whether the variables of nginx that the
 * block refers to exist.  NGX_ERROR: logged, with file and line.
 */
ngx_int_t ngx_wschat_lang_captures(ngx_conf_t *cf, ngx_wschat_api_t *api);

/* Directives of the block. */
char *ngx_wschat_lang_selection(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_wschat_lang_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_lang_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_lang_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_lang_history(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_lang_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_lang_subprotocols(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* For steps. */

/*
 * Begins a step: its configuration, zeroed.  "in" are the places that it may
 * stand in.  NULL: not here, or no memory; logged.
 */
void *ngx_wschat_lang_step(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_step_pt handler, size_t size, ngx_uint_t in);

/* The step that was added last to the block, or NULL. */
ngx_wschat_step_t *ngx_wschat_lang_last(ngx_wschat_lang_t *lang);

/* Compiles a text with references; NULL: logged. */
ngx_wschat_template_t *ngx_wschat_lang_template(ngx_conf_t *cf,
    ngx_wschat_lang_t *lang, ngx_str_t *source);

/*
 * The same for an option's value, of which "arg" is the whole argument: quotes
 * within an argument are not nginx's, so they are refused as a mistake.
 */
ngx_wschat_template_t *ngx_wschat_lang_value(ngx_conf_t *cf,
    ngx_wschat_lang_t *lang, ngx_str_t *arg, ngx_str_t *source);

/* Reads the steps between the braces that follow into the block. */
char *ngx_wschat_lang_block(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_block_t *block);

/*
 * Whether a name of a room or user that has no references can be one; logs.
 */
ngx_int_t ngx_wschat_lang_name(ngx_conf_t *cf, ngx_wschat_template_t *tpl);

/* If arg is "name=value", value is what follows. */
ngx_uint_t ngx_wschat_lang_option(ngx_str_t *arg, char *name,
    ngx_str_t *value);

#define ngx_wschat_lang_is(arg, text)                                        \
    ((arg)->len == sizeof(text) - 1                                          \
     && ngx_strncmp((arg)->data, text, sizeof(text) - 1) == 0)


/* The steps: each in a file of its own. */
char *ngx_wschat_step_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_if(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_else(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_join(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_leave(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_send(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_reply(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_respond(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_close(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_delay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_wschat_step_stop(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_WSCHAT_LANG_H_INCLUDED_ */
