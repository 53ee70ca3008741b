
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the module as nginx sees it: directives, contexts, hooks.  Has no
 * logic of its own.
 *
 * There are two modules in the file: one of nginx's http, and one for what
 * stands inside a "wschat_api" block, see route/ngx_wschat_lang.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_call.h"
#include "ngx_wschat_hub.h"
#include "ngx_wschat_relay.h"
#include "ngx_wschat_wire.h"
#include "http/ngx_wschat_connections.h"
#include "http/ngx_wschat_status.h"
#include "http/ngx_wschat_variables.h"
#include "route/ngx_wschat_api.h"
#include "route/ngx_wschat_lang.h"
#include "route/ngx_wschat_run.h"
#include "session/ngx_wschat_drain.h"
#include "session/ngx_wschat_log.h"
#include "session/ngx_wschat_session.h"
#include "session/ngx_wschat_upgrade.h"
#include "store/ngx_wschat_store_zone.h"


typedef struct {
    ngx_array_t                apis;          /* of ngx_wschat_api_t * */
    ngx_array_t                zones;         /* of ngx_wschat_zone_t * */
    ngx_msec_t                 drain;
    size_t                     bus_ring;
    size_t                     bus_queue;
} ngx_wschat_main_conf_t;

typedef struct {
    ngx_wschat_place_t         place;
    ngx_wschat_api_t          *connections;
} ngx_wschat_loc_conf_t;


static void *ngx_wschat_create_main_conf(ngx_conf_t *cf);
static char *ngx_wschat_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_wschat_create_loc_conf(ngx_conf_t *cf);
static char *ngx_wschat_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_wschat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wschat_bus(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wschat_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wschat(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wschat_connections_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_wschat_status_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_wschat_api_t *ngx_wschat_api_argument(ngx_conf_t *cf);
static ngx_int_t ngx_wschat_handler(ngx_http_request_t *r);
static ngx_int_t ngx_wschat_connections_handler(ngx_http_request_t *r);

static ngx_int_t ngx_wschat_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_wschat_init_process(ngx_cycle_t *cycle);
static void ngx_wschat_exit_process(ngx_cycle_t *cycle);
static ngx_wschat_main_conf_t *ngx_wschat_main_conf(ngx_cycle_t *cycle);
static void ngx_wschat_record(ngx_uint_t from, u_char *data, size_t len);
static void ngx_wschat_lost(ngx_uint_t from);
static void ngx_wschat_dead(ngx_uint_t slot, uint32_t generation);


static ngx_command_t  ngx_wschat_commands[] = {

    { ngx_string("wschat_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_wschat_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wschat_bus"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_wschat_bus,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wschat_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_wschat_main_conf_t, drain),
      NULL },

    { ngx_string("wschat_api"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_wschat_api,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wschat"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_wschat,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wschat_connections"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_TAKE1,
      ngx_wschat_connections_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wschat_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_wschat_status_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wschat_module_ctx = {
    ngx_wschat_variables_add,              /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_wschat_create_main_conf,           /* create main configuration */
    ngx_wschat_init_main_conf,             /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_wschat_create_loc_conf,            /* create location configuration */
    ngx_wschat_merge_loc_conf              /* merge location configuration */
};


ngx_module_t  ngx_wschat_module = {
    NGX_MODULE_V1,
    &ngx_wschat_module_ctx,                /* module context */
    ngx_wschat_commands,                   /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_wschat_init_module,                /* init module */
    ngx_wschat_init_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_wschat_exit_process,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* inside "wschat_api": limits, then routes, then steps */

#define ngx_wschat_limit(name, kind, min, max, expected)                     \
    static ngx_wschat_limit_t  ngx_wschat_limit_##name = {                   \
        NGX_WSCHAT_LIMIT_##kind, offsetof(ngx_wschat_api_t, name),           \
        min, max, expected                                                   \
    }

#define ngx_wschat_limit_time(name, min)                                     \
    ngx_wschat_limit(name, TIME, min, NGX_MAX_INT32_VALUE,                   \
                     "a time, as 10s or 500ms,")

#define ngx_wschat_limit_size(name)                                          \
    ngx_wschat_limit(name, SIZE, 1, NGX_MAX_INT32_VALUE,                     \
                     "a size, as 64k or 1m,")

ngx_wschat_limit_time(idle_timeout, 0);
ngx_wschat_limit_time(max_duration, 0);
ngx_wschat_limit_time(ping_interval, 0);
ngx_wschat_limit_time(pong_timeout, 1);
ngx_wschat_limit_time(send_timeout, 0);
ngx_wschat_limit_time(read_timeout, 0);
ngx_wschat_limit_time(close_timeout, 1);
ngx_wschat_limit_size(max_frame);
ngx_wschat_limit_size(max_message);
ngx_wschat_limit_size(max_body);
ngx_wschat_limit_size(send_queue);
ngx_wschat_limit(max_rooms, NUMBER, 1, 10000, "a number from 1 to 10000");
ngx_wschat_limit(ping_is_activity, FLAG, 0, 1, "\"on\" or \"off\"");
ngx_wschat_limit(binary, BINARY, 0, 1, "\"off\" or \"text\"");

#define ngx_wschat_limit_command(name)                                       \
    { ngx_string(#name),                                                     \
      NGX_WSCHAT_API_CONF|NGX_CONF_TAKE1,                                    \
      ngx_wschat_lang_limit,                                                 \
      NGX_WSCHAT_LANG_OFFSET,                                                \
      0,                                                                     \
      &ngx_wschat_limit_##name }

#define ngx_wschat_api_command(name, type, set)                              \
    { ngx_string(name),                                                      \
      NGX_WSCHAT_API_CONF|(type),                                            \
      set,                                                                   \
      NGX_WSCHAT_LANG_OFFSET,                                                \
      0,                                                                     \
      NULL }

#define ngx_wschat_step_command(name, type, set)                             \
    { ngx_string(name),                                                      \
      NGX_WSCHAT_STEP_CONF|(type),                                           \
      set,                                                                   \
      NGX_WSCHAT_LANG_OFFSET,                                                \
      0,                                                                     \
      NULL }


static ngx_command_t  ngx_wschat_api_commands[] = {

    ngx_wschat_limit_command(idle_timeout),
    ngx_wschat_limit_command(max_duration),
    ngx_wschat_limit_command(ping_interval),
    ngx_wschat_limit_command(pong_timeout),
    ngx_wschat_limit_command(ping_is_activity),
    ngx_wschat_limit_command(send_timeout),
    ngx_wschat_limit_command(read_timeout),
    ngx_wschat_limit_command(close_timeout),
    ngx_wschat_limit_command(max_frame),
    ngx_wschat_limit_command(max_message),
    ngx_wschat_limit_command(max_body),
    ngx_wschat_limit_command(max_rooms),
    ngx_wschat_limit_command(send_queue),
    ngx_wschat_limit_command(binary),

    ngx_wschat_api_command("zone", NGX_CONF_TAKE1, ngx_wschat_lang_zone),
    ngx_wschat_api_command("history", NGX_CONF_TAKE12,
                           ngx_wschat_lang_history),
    ngx_wschat_api_command("subprotocols", NGX_CONF_1MORE,
                           ngx_wschat_lang_subprotocols),
    ngx_wschat_api_command("route_selection_expression", NGX_CONF_TAKE1,
                           ngx_wschat_lang_selection),
    ngx_wschat_api_command("route", NGX_CONF_BLOCK|NGX_CONF_TAKE1,
                           ngx_wschat_lang_route),
    ngx_wschat_api_command("on", NGX_CONF_BLOCK|NGX_CONF_TAKE1,
                           ngx_wschat_lang_on),

    ngx_wschat_step_command("set", NGX_CONF_TAKE2, ngx_wschat_step_set),
    ngx_wschat_step_command("if", NGX_CONF_BLOCK|NGX_CONF_1MORE,
                            ngx_wschat_step_if),
    ngx_wschat_step_command("else", NGX_CONF_BLOCK|NGX_CONF_ANY,
                            ngx_wschat_step_else),
    ngx_wschat_step_command("join", NGX_CONF_1MORE, ngx_wschat_step_join),
    ngx_wschat_step_command("leave", NGX_CONF_NOARGS|NGX_CONF_TAKE1,
                            ngx_wschat_step_leave),
    ngx_wschat_step_command("send", NGX_CONF_2MORE, ngx_wschat_step_send),
    ngx_wschat_step_command("reply", NGX_CONF_TAKE1, ngx_wschat_step_reply),
    ngx_wschat_step_command("respond", NGX_CONF_TAKE12,
                            ngx_wschat_step_respond),
    ngx_wschat_step_command("close", NGX_CONF_NOARGS|NGX_CONF_TAKE12,
                            ngx_wschat_step_close),
    ngx_wschat_step_command("delay", NGX_CONF_TAKE1, ngx_wschat_step_delay),
    ngx_wschat_step_command("stop", NGX_CONF_NOARGS, ngx_wschat_step_stop),

    ngx_null_command
};


ngx_module_t  ngx_wschat_api_module = {
    NGX_MODULE_V1,
    NULL,                                  /* module context */
    ngx_wschat_api_commands,               /* module directives */
    NGX_WSCHAT_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_wschat_bus_handlers_t  ngx_wschat_bus_handlers = {
    ngx_wschat_record,
    ngx_wschat_lost,
    ngx_wschat_dead
};

static ngx_wschat_store_handlers_t  ngx_wschat_store_handlers = {
    ngx_wschat_run_orphan,
    ngx_wschat_run_room_ended
};

static ngx_wschat_session_handlers_t  ngx_wschat_session_handlers = {
    ngx_wschat_run_message,
    ngx_wschat_run_ended
};


static void *
ngx_wschat_create_main_conf(ngx_conf_t *cf)
{
    ngx_wschat_main_conf_t  *wmcf;

    wmcf = ngx_pcalloc(cf->pool, sizeof(ngx_wschat_main_conf_t));
    if (wmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&wmcf->apis, cf->pool, 4, sizeof(ngx_wschat_api_t *))
        != NGX_OK
        || ngx_array_init(&wmcf->zones, cf->pool, 4,
                          sizeof(ngx_wschat_zone_t *))
           != NGX_OK)
    {
        return NULL;
    }

    wmcf->drain = NGX_CONF_UNSET_MSEC;
    wmcf->bus_ring = NGX_CONF_UNSET_SIZE;
    wmcf->bus_queue = NGX_CONF_UNSET_SIZE;

    return wmcf;
}


static char *
ngx_wschat_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_wschat_main_conf_t *wmcf = conf;

    ngx_uint_t           i;
    ngx_wschat_api_t   **apis;
    ngx_wschat_zone_t  **zones;

    ngx_conf_init_msec_value(wmcf->drain, 10000);
    ngx_conf_init_size_value(wmcf->bus_ring, 512 * 1024);
    ngx_conf_init_size_value(wmcf->bus_queue, 16 * 1024 * 1024);

    apis = wmcf->apis.elts;
    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->apis.nelts; i++) {

        if (apis[i]->zone_name.len) {
            apis[i]->zone = ngx_wschat_zone_find(cf->cycle,
                                                 &apis[i]->zone_name);

        } else {

            /* the zone of its own name, or the only one there is */

            apis[i]->zone = ngx_wschat_zone_find(cf->cycle, &apis[i]->name);

            if (apis[i]->zone == NULL && wmcf->zones.nelts == 1) {
                apis[i]->zone = zones[0];
            }
        }

        if (apis[i]->zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no zone for \"wschat_api %V\" in %s:%ui: "
                          "\"wschat_zone %V 64m;\" was expected",
                          &apis[i]->name, apis[i]->file, apis[i]->line,
                          apis[i]->zone_name.len ? &apis[i]->zone_name
                                                 : &apis[i]->name);
            return NGX_CONF_ERROR;
        }

        apis[i]->store = &ngx_wschat_store_zone;

        if (ngx_wschat_lang_captures(cf, apis[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (wmcf->apis.nelts
        && ngx_wschat_bus_add(cf, wmcf->bus_ring, wmcf->bus_queue) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_wschat_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_wschat_loc_conf_t));
}


static char *
ngx_wschat_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wschat_loc_conf_t *prev = parent;
    ngx_wschat_loc_conf_t *conf = child;

    /* an "if" in the location, or "limit_except", has its handler, too */

    if (conf->place.api == NULL && conf->connections == NULL) {
        conf->place.api = prev->place.api;
        conf->connections = prev->connections;
    }

    if (conf->connections) {
        ngx_wschat_connections_merge(cf, conf->connections);
    }

    return NGX_CONF_OK;
}


static char *
ngx_wschat_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_main_conf_t *wmcf = conf;

    ssize_t              size;
    ngx_str_t           *value;
    ngx_wschat_zone_t  **zone;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_WSCHAT_MAX_KEY) {
        return "needs a name of 1 to 64 bytes";
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of zone \"%V\", as 64m was "
                           "expected", &value[2], &value[1]);
        return NGX_CONF_ERROR;
    }

    zone = ngx_array_push(&wmcf->zones);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    *zone = ngx_wschat_zone_add(cf, &value[1], size);

    return *zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_wschat_bus(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_main_conf_t *wmcf = conf;

    char        *max;
    size_t      *field;
    ssize_t      size;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        max = "256m";

        if (ngx_wschat_lang_option(&value[i], "ring", &s)) {
            field = &wmcf->bus_ring;

        } else if (ngx_wschat_lang_option(&value[i], "queue", &s)) {
            field = &wmcf->bus_queue;
            max = "1024m";

        } else {
            goto invalid;
        }

        size = ngx_parse_size(&s);

        if (size == NGX_ERROR || size < 65536
            || size > (field == &wmcf->bus_ring ? 256 : 1024) * 1024 * 1024)
        {
            goto invalid;
        }

        if (*field != NGX_CONF_UNSET_SIZE) {
            return "is duplicate";
        }

        *field = size;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\": \"ring=SIZE\" or "
                       "\"queue=SIZE\", 64k to %s, was expected",
                       &value[i], max);

    return NGX_CONF_ERROR;
}


static char *
ngx_wschat_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_main_conf_t *wmcf = conf;

    ngx_str_t          *value;
    ngx_uint_t          i;
    ngx_wschat_api_t   *api, **apis;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_WSCHAT_MAX_KEY) {
        return "needs a name of 1 to 64 bytes";
    }

    apis = wmcf->apis.elts;

    for (i = 0; i < wmcf->apis.nelts; i++) {

        if (apis[i]->name.len == value[1].len
            && ngx_strncmp(apis[i]->name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "api \"%V\" is given twice", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    apis = ngx_array_push(&wmcf->apis);
    if (apis == NULL) {
        return NGX_CONF_ERROR;
    }

    api = ngx_pcalloc(cf->pool, sizeof(ngx_wschat_api_t));
    if (api == NULL) {
        return NGX_CONF_ERROR;
    }

    *apis = api;

    api->name = value[1];
    api->file = cf->conf_file->file.name.data;
    api->line = cf->conf_file->line;

    /* gives the module of the block's directives its index, which is 0 */

    (void) ngx_count_modules(cf->cycle, NGX_WSCHAT_MODULE);

    return ngx_wschat_lang_api(cf, api);
}


static char *
ngx_wschat(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_loc_conf_t *wlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (wlcf->place.api) {
        return "is duplicate";
    }

    if (wlcf->connections) {
        return "can not stand beside \"wschat_connections\"";
    }

    wlcf->place.api = ngx_wschat_api_argument(cf);
    if (wlcf->place.api == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_wschat_handler;

    return NGX_CONF_OK;
}


static char *
ngx_wschat_connections_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_loc_conf_t *wlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (wlcf->connections) {
        return "is duplicate";
    }

    if (wlcf->place.api) {
        return "can not stand beside \"wschat\"";
    }

    wlcf->connections = ngx_wschat_api_argument(cf);
    if (wlcf->connections == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_wschat_connections_handler;

    return NGX_CONF_OK;
}


static char *
ngx_wschat_status_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_wschat_status;

    return NGX_CONF_OK;
}


static ngx_wschat_api_t *
ngx_wschat_api_argument(ngx_conf_t *cf)
{
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_wschat_api_t       **apis;
    ngx_wschat_main_conf_t  *wmcf;

    value = cf->args->elts;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wschat_module);

    apis = wmcf->apis.elts;

    for (i = 0; i < wmcf->apis.nelts; i++) {

        if (apis[i]->name.len == value[1].len
            && ngx_strncmp(apis[i]->name.data, value[1].data, value[1].len)
               == 0)
        {
            return apis[i];
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "there is no api \"%V\": \"wschat_api %V { ... }\" "
                       "was expected before this", &value[1], &value[1]);

    return NULL;
}


static ngx_int_t
ngx_wschat_handler(ngx_http_request_t *r)
{
    ngx_wschat_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wschat_module);

    return ngx_wschat_upgrade(r, &wlcf->place);
}


static ngx_int_t
ngx_wschat_connections_handler(ngx_http_request_t *r)
{
    ngx_wschat_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wschat_module);

    return ngx_wschat_connections(r, wlcf->connections);
}


ngx_wschat_api_t *
ngx_wschat_api_find(ngx_str_t *name)
{
    ngx_uint_t               i;
    ngx_wschat_api_t       **apis;
    ngx_wschat_main_conf_t  *wmcf;

    wmcf = ngx_wschat_main_conf((ngx_cycle_t *) ngx_cycle);

    if (wmcf == NULL) {
        return NULL;
    }

    apis = wmcf->apis.elts;

    for (i = 0; i < wmcf->apis.nelts; i++) {

        if (apis[i]->name.len == name->len
            && ngx_memcmp(apis[i]->name.data, name->data, name->len) == 0)
        {
            return apis[i];
        }
    }

    return NULL;
}


/* NULL: nothing is configured */

static ngx_wschat_main_conf_t *
ngx_wschat_main_conf(ngx_cycle_t *cycle)
{
    ngx_wschat_main_conf_t  *wmcf;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }

    wmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_wschat_module);

    return (wmcf && wmcf->apis.nelts) ? wmcf : NULL;
}


static ngx_int_t
ngx_wschat_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    if (ngx_wschat_main_conf(cycle) == NULL) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->worker_processes > NGX_WSCHAT_SLOTS / 2) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "wschat: with more than %d worker_processes a reload "
                      "has no slots for all of the new workers",
                      NGX_WSCHAT_SLOTS / 2);
    }

    if (ngx_test_config) {
        return NGX_OK;
    }

    return ngx_wschat_bus_init_module(cycle);
}


static ngx_int_t
ngx_wschat_init_process(ngx_cycle_t *cycle)
{
    ngx_wschat_main_conf_t  *wmcf;

    wmcf = ngx_wschat_main_conf(cycle);

    if (wmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_wschat_hub_init_process(cycle) != NGX_OK
        || ngx_wschat_run_init_process(cycle) != NGX_OK
        || ngx_wschat_log_init_process(cycle) != NGX_OK
        || ngx_wschat_session_init_process(cycle,
                                           &ngx_wschat_session_handlers)
           != NGX_OK
        || ngx_wschat_bus_init_process(cycle, &ngx_wschat_bus_handlers)
           != NGX_OK
        || ngx_wschat_call_init_process(cycle) != NGX_OK
        || ngx_wschat_drain_init_process(cycle, wmcf->drain,
                                         ngx_wschat_run_hurry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_wschat_store_zone_init_process(cycle, &ngx_wschat_store_handlers);

    return NGX_OK;
}


static void
ngx_wschat_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_wschat_main_conf(cycle) == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    ngx_wschat_store_zone_exit_process(cycle);
    ngx_wschat_bus_exit_process(cycle);
}


static void
ngx_wschat_record(ngx_uint_t from, u_char *data, size_t len)
{
    switch (ngx_wschat_wire_open(&data, &len)) {

    case NGX_WSCHAT_WIRE_MESSAGE:
        ngx_wschat_relay_record(from, data, len);
        break;

    case NGX_WSCHAT_WIRE_CALL:
        ngx_wschat_call_record(from, data, len);
        break;

    case NGX_WSCHAT_WIRE_ANSWER:
        ngx_wschat_call_answer(from, data, len);
        break;

    default:
        ngx_wschat_wire_ignored(from, "unknown version or type");
    }
}


/* the rooms of which something is missing notice it by their offsets */

static void
ngx_wschat_lost(ngx_uint_t from)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "wschat: messages from the worker of slot %ui were lost, "
                  "this one was too slow", from);
}


static void
ngx_wschat_dead(ngx_uint_t slot, uint32_t generation)
{
    ngx_wschat_call_dead(slot);
    ngx_wschat_store_zone_dead(slot, generation);
}
