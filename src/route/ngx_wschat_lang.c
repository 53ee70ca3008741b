
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ngx_wschat_ref.h"
#include "ws/ngx_wschat_handshake.h"


static char *ngx_wschat_lang_check(ngx_conf_t *cf, ngx_wschat_api_t *api);
static char *ngx_wschat_lang_steps(ngx_conf_t *cf, ngx_wschat_api_t *api,
    ngx_wschat_block_t *block, ngx_uint_t in);
static int ngx_libc_cdecl ngx_wschat_lang_cmp_routes(const void *one,
    const void *two);


static ngx_str_t  ngx_wschat_lang_events[] = {
    ngx_string("room_create"),
    ngx_string("room_empty"),
    ngx_string("member_join"),
    ngx_string("member_leave")
};


char *
ngx_wschat_lang_api(ngx_conf_t *cf, ngx_wschat_api_t *api)
{
    char                   *rv;
    void                   *conf[1];
    ngx_str_t               expr, err;
    ngx_conf_t              save;
    ngx_wschat_lang_t       lang;
    ngx_wschat_lang_ctx_t   ctx;

    if (ngx_array_init(&api->routes, cf->pool, 8, sizeof(ngx_wschat_route_t))
        != NGX_OK
        || ngx_array_init(&api->variables, cf->pool, 8, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&api->captures, cf->pool, 4,
                          sizeof(ngx_wschat_capture_t))
           != NGX_OK
        || ngx_array_init(&api->subprotocols, cf->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    api->idle_timeout = NGX_CONF_UNSET_MSEC;
    api->max_duration = NGX_CONF_UNSET_MSEC;
    api->ping_interval = NGX_CONF_UNSET_MSEC;
    api->pong_timeout = NGX_CONF_UNSET_MSEC;
    api->send_timeout = NGX_CONF_UNSET_MSEC;
    api->read_timeout = NGX_CONF_UNSET_MSEC;
    api->close_timeout = NGX_CONF_UNSET_MSEC;
    api->max_frame = NGX_CONF_UNSET_SIZE;
    api->max_message = NGX_CONF_UNSET_SIZE;
    api->max_body = NGX_CONF_UNSET_SIZE;
    api->send_queue = NGX_CONF_UNSET_SIZE;
    api->binary = NGX_CONF_UNSET_UINT;
    api->history = NGX_CONF_UNSET_UINT;
    api->max_rooms = NGX_CONF_UNSET_UINT;
    api->ping_is_activity = NGX_CONF_UNSET;

    ngx_memzero(&lang, sizeof(ngx_wschat_lang_t));
    lang.api = api;

    conf[0] = &lang;

    ctx.http = *(ngx_http_conf_ctx_t *) cf->ctx;
    ctx.conf = conf;

    save = *cf;

    cf->ctx = &ctx;
    cf->module_type = NGX_WSCHAT_MODULE;
    cf->cmd_type = NGX_WSCHAT_API_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_conf_init_msec_value(api->idle_timeout, 600000);
    ngx_conf_init_msec_value(api->max_duration, 0);
    ngx_conf_init_msec_value(api->ping_interval, 60000);
    ngx_conf_init_msec_value(api->pong_timeout, 20000);
    ngx_conf_init_msec_value(api->send_timeout, 30000);
    ngx_conf_init_msec_value(api->read_timeout, 60000);
    ngx_conf_init_msec_value(api->close_timeout, 5000);
    ngx_conf_init_size_value(api->max_message, 131072);
    ngx_conf_init_size_value(api->max_frame, api->max_message);
    ngx_conf_init_size_value(api->max_body, 1048576);
    ngx_conf_init_size_value(api->send_queue, 1048576);
    ngx_conf_init_uint_value(api->binary, NGX_WSCHAT_BINARY_OFF);
    ngx_conf_init_uint_value(api->history, 0);
    ngx_conf_init_uint_value(api->max_rooms, 100);
    ngx_conf_init_value(api->ping_is_activity, 1);

    if (api->selection == NULL) {
        ngx_str_set(&expr, "$request.body.action");

        if (ngx_wschat_expr_compile(cf->pool, &expr, &api->selection, &err)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_wschat_lang_check(cf, api);
}


/* what can only be seen when the whole block has been read */

static char *
ngx_wschat_lang_check(ngx_conf_t *cf, ngx_wschat_api_t *api)
{
    ngx_str_t             *names;
    ngx_uint_t             i, k;
    ngx_wschat_capture_t  *c;

    c = api->captures.elts;
    names = api->variables.elts;

    for (i = 0; i < api->captures.nelts; i++) {

        for (k = 0; k < api->variables.nelts; k++) {

            if (c[i].name.len == names[k].len
                && ngx_strncmp(c[i].name.data, names[k].data, names[k].len)
                   == 0)
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "variable \"$%V\" is used in %s:%ui "
                              "before it is \"set\"",
                              &c[i].name, c[i].file, c[i].line);
                return NGX_CONF_ERROR;
            }
        }
    }

    if (api->max_message < api->max_frame) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"max_frame\" of api \"%V\" must not be larger "
                           "than \"max_message\"", &api->name);
        return NGX_CONF_ERROR;
    }

    if (api->store_file && api->history == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"store\" in %s:%ui keeps nothing: \"history N;\" "
                      "was expected in api \"%V\"",
                      api->store_file, api->store_line, &api->name);
    }

    ngx_qsort(api->routes.elts, api->routes.nelts, sizeof(ngx_wschat_route_t),
              ngx_wschat_lang_cmp_routes);

    return NGX_CONF_OK;
}


ngx_int_t
ngx_wschat_lang_captures(ngx_conf_t *cf, ngx_wschat_api_t *api)
{
    ngx_uint_t                  i, k;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *prefix;
    ngx_wschat_capture_t       *c;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    c = api->captures.elts;
    key = cmcf->variables_keys->keys.elts;
    prefix = cmcf->prefix_variables.elts;

    for (i = 0; i < api->captures.nelts; i++) {

        for (k = 0; k < cmcf->variables_keys->keys.nelts; k++) {

            if (key[k].key.len == c[i].name.len
                && ngx_strncasecmp(key[k].key.data, c[i].name.data,
                                   c[i].name.len)
                   == 0)
            {
                break;
            }
        }

        if (k < cmcf->variables_keys->keys.nelts) {
            continue;
        }

        for (k = 0; k < cmcf->prefix_variables.nelts; k++) {

            if (c[i].name.len > prefix[k].name.len
                && ngx_strncasecmp(c[i].name.data, prefix[k].name.data,
                                   prefix[k].name.len)
                   == 0)
            {
                break;
            }
        }

        if (k < cmcf->prefix_variables.nelts) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown variable \"$%V\" in %s:%ui: a variable that "
                      "is \"set\" before, or one of nginx's, was expected",
                      &c[i].name, c[i].file, c[i].line);

        return NGX_ERROR;
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_wschat_lang_cmp_routes(const void *one, const void *two)
{
    ngx_wschat_route_t  *first, *second;

    first = (ngx_wschat_route_t *) one;
    second = (ngx_wschat_route_t *) two;

    return (int) ngx_memn2cmp(first->key.data, second->key.data,
                              first->key.len, second->key.len);
}


char *
ngx_wschat_lang_selection(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t   rc;
    ngx_str_t  *value, err;

    if (lang->api->selection) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rc = ngx_wschat_expr_compile(cf->pool, &value[1], &lang->api->selection,
                                 &err);

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid route selection expression \"%V\": %V",
                           &value[1], &err);
    }

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_wschat_lang_route(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t            *value;
    ngx_uint_t            i, in;
    ngx_wschat_api_t     *api;
    ngx_wschat_route_t   *route, **special;

    api = lang->api;
    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_WSCHAT_MAX_NAME) {
        return "needs a key of 1 to 256 bytes";
    }

    special = NULL;
    in = NGX_WSCHAT_IN_MESSAGE;

    if (value[1].data[0] == '$') {

        if (ngx_wschat_lang_is(&value[1], "$connect")) {
            special = &api->on_connect;
            in = NGX_WSCHAT_IN_CONNECT;

        } else if (ngx_wschat_lang_is(&value[1], "$disconnect")) {
            special = &api->on_disconnect;
            in = NGX_WSCHAT_IN_DISCONNECT;

        } else if (ngx_wschat_lang_is(&value[1], "$default")) {
            special = &api->on_default;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid route key \"%V\": \"$connect\", "
                               "\"$disconnect\", \"$default\" or a key that "
                               "does not begin with \"$\" was expected",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        route = *special;

    } else {
        route = api->routes.elts;

        for (i = 0; i < api->routes.nelts; i++) {

            if (route[i].key.len == value[1].len
                && ngx_strncmp(route[i].key.data, value[1].data,
                               value[1].len)
                   == 0)
            {
                break;
            }
        }

        route = (i < api->routes.nelts) ? &route[i] : NULL;
    }

    if (route) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "route \"%V\" is given twice", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (special == NULL && api->routes.nelts == NGX_WSCHAT_MAX_ROUTES) {
        return "is one too many, an api has at most 500 of them";
    }

    if (special) {
        route = ngx_palloc(cf->pool, sizeof(ngx_wschat_route_t));
        *special = route;

    } else {
        route = ngx_array_push(&api->routes);
    }

    if (route == NULL) {
        return NGX_CONF_ERROR;
    }

    route->key = value[1];

    return ngx_wschat_lang_steps(cf, api, &route->block, in);
}


char *
ngx_wschat_lang_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t           *value;
    ngx_uint_t           i;
    ngx_wschat_route_t  *route;

    value = cf->args->elts;

    for (i = 0; i < NGX_WSCHAT_EVENTS; i++) {

        if (value[1].len != ngx_wschat_lang_events[i].len
            || ngx_strncmp(value[1].data, ngx_wschat_lang_events[i].data,
                           value[1].len)
               != 0)
        {
            continue;
        }

        if (lang->api->on[i]) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"on %V\" is given twice", &value[1]);
            return NGX_CONF_ERROR;
        }

        route = ngx_palloc(cf->pool, sizeof(ngx_wschat_route_t));
        if (route == NULL) {
            return NGX_CONF_ERROR;
        }

        route->key = value[1];
        lang->api->on[i] = route;

        return ngx_wschat_lang_steps(cf, lang->api, &route->block,
                                     NGX_WSCHAT_IN_HOOK);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown event \"%V\": room_create, room_empty, "
                       "member_join or member_leave was expected", &value[1]);

    return NGX_CONF_ERROR;
}


/* the steps of a route or hook */

static char *
ngx_wschat_lang_steps(ngx_conf_t *cf, ngx_wschat_api_t *api,
    ngx_wschat_block_t *block, ngx_uint_t in)
{
    ngx_wschat_lang_t  lang;

    ngx_memzero(&lang, sizeof(ngx_wschat_lang_t));

    lang.api = api;
    lang.in = in;

    return ngx_wschat_lang_block(cf, &lang, block);
}


char *
ngx_wschat_lang_block(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_block_t *block)
{
    char                   *rv;
    void                   *conf[1];
    ngx_conf_t              save;
    ngx_wschat_lang_t       inner;
    ngx_wschat_lang_ctx_t   ctx;

    if (lang->depth == NGX_WSCHAT_LANG_DEPTH) {
        return "has too many blocks around it, at most 32 are possible";
    }

    if (ngx_array_init(&block->steps, cf->pool, 4, sizeof(ngx_wschat_step_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    inner = *lang;
    inner.block = block;
    inner.fetch = NULL;
    inner.depth++;

    conf[0] = &inner;

    ctx.http = ((ngx_wschat_lang_ctx_t *) cf->ctx)->http;
    ctx.conf = conf;

    save = *cf;

    cf->ctx = &ctx;
    cf->cmd_type = NGX_WSCHAT_STEP_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


void *
ngx_wschat_lang_step(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_wschat_step_pt handler, size_t size, ngx_uint_t in)
{
    ngx_str_t          *value;
    ngx_wschat_step_t  *step;

    value = cf->args->elts;

    if (!(lang->in & in)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "step \"%V\" is not allowed in %s", &value[0],
                           lang->in == NGX_WSCHAT_IN_CONNECT ? "$connect"
                           : lang->in == NGX_WSCHAT_IN_DISCONNECT
                             ? "$disconnect"
                           : lang->in == NGX_WSCHAT_IN_HOOK ? "a hook"
                           : "a route of messages");
        return NULL;
    }

    step = ngx_array_push(&lang->block->steps);
    if (step == NULL) {
        return NULL;
    }

    step->handler = handler;
    step->fetch = NULL;
    step->file = cf->conf_file->file.name.data;
    step->line = cf->conf_file->line;
    step->name = (char *) value[0].data;

    step->conf = ngx_pcalloc(cf->pool, size);

    lang->fetch = NULL;
    lang->late = 0;

    return step->conf;
}


ngx_wschat_step_t *
ngx_wschat_lang_last(ngx_wschat_lang_t *lang)
{
    ngx_wschat_step_t  *step;

    if (lang->block->steps.nelts == 0) {
        return NULL;
    }

    step = lang->block->steps.elts;

    return &step[lang->block->steps.nelts - 1];
}


ngx_wschat_template_t *
ngx_wschat_lang_template(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_str_t *source)
{
    ngx_int_t                    rc;
    ngx_wschat_template_conf_t   tc;

    ngx_memzero(&tc, sizeof(ngx_wschat_template_conf_t));

    lang->cf = cf;

    tc.pool = cf->pool;
    tc.source = *source;
    tc.ref = ngx_wschat_ref_compile;
    tc.data = lang;

    rc = ngx_wschat_template_compile(&tc);

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid text \"%V\": %V",
                           source, &tc.err);
    }

    if (rc != NGX_OK) {
        return NULL;
    }

    ngx_wschat_lang_last(lang)->fetch = lang->fetch;

    return tc.template;
}


ngx_wschat_template_t *
ngx_wschat_lang_value(ngx_conf_t *cf, ngx_wschat_lang_t *lang,
    ngx_str_t *arg, ngx_str_t *source)
{
    if (source->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\": there is no value", arg);
        return NULL;
    }

    if ((source->data[0] == '"' || source->data[0] == '\'')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\": quotes must stand "
                           "around the whole argument, as in \"name=value\"",
                           arg);
        return NULL;
    }

    return ngx_wschat_lang_template(cf, lang, source);
}


ngx_int_t
ngx_wschat_lang_name(ngx_conf_t *cf, ngx_wschat_template_t *tpl)
{
    if (!tpl->constant
        || (tpl->literal.len && tpl->literal.len <= NGX_WSCHAT_MAX_NAME))
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid name \"%V\": 1 to %d bytes were expected",
                       &tpl->literal, NGX_WSCHAT_MAX_NAME);

    return NGX_ERROR;
}


ngx_uint_t
ngx_wschat_lang_option(ngx_str_t *arg, char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len + 1 || ngx_strncmp(arg->data, name, len) != 0
        || arg->data[len] != '=')
    {
        return 0;
    }

    value->data = arg->data + len + 1;
    value->len = arg->len - len - 1;

    return 1;
}


char *
ngx_wschat_lang_history(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (lang->api->history != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n > 10000) {
        return "needs a number of messages, 0 to 10000";
    }

    lang->api->history = n;

    if (cf->args->nelts == 3) {
        lang->api->history_age = ngx_parse_time(&value[2], 1);

        if (lang->api->history_age == (time_t) NGX_ERROR) {
            return "needs an age, as 1h, behind the number of messages";
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_wschat_lang_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t  *value;

    if (lang->api->zone_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lang->api->zone_name = value[1];

    return NGX_CONF_OK;
}


char *
ngx_wschat_lang_subprotocols(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    size_t          len;
    ngx_str_t      *value, *name;
    ngx_uint_t      i;
    const uint8_t  *pos, *last, *token;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        pos = value[i].data;
        last = pos + value[i].len;

        if (ngx_wschat_next_token(&pos, last, &token, &len) != 1
            || len != value[i].len)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid subprotocol \"%V\": a token of "
                               "letters, digits and -_.!#$%%&'*+^`|~ was "
                               "expected", &value[i]);
            return NGX_CONF_ERROR;
        }

        name = ngx_array_push(&lang->api->subprotocols);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_wschat_lang_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t            n, *field;
    ngx_str_t           *value;
    ngx_wschat_limit_t  *limit;

    limit = cmd->post;

    /* all of them are of one size, and all were set to NGX_CONF_UNSET */

    field = (ngx_int_t *) ((u_char *) lang->api + limit->offset);

    if (*field != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    switch (limit->kind) {

    case NGX_WSCHAT_LIMIT_TIME:
        n = ngx_parse_time(&value[1], 0);
        break;

    case NGX_WSCHAT_LIMIT_SIZE:
        n = ngx_parse_size(&value[1]);
        break;

    case NGX_WSCHAT_LIMIT_NUMBER:
        n = ngx_atoi(value[1].data, value[1].len);
        break;

    case NGX_WSCHAT_LIMIT_FLAG:
        n = ngx_wschat_lang_is(&value[1], "on") ? 1
            : ngx_wschat_lang_is(&value[1], "off") ? 0 : NGX_ERROR;
        break;

    default: /* NGX_WSCHAT_LIMIT_BINARY */
        n = ngx_wschat_lang_is(&value[1], "off") ? NGX_WSCHAT_BINARY_OFF
            : ngx_wschat_lang_is(&value[1], "text") ? NGX_WSCHAT_BINARY_TEXT
            : NGX_ERROR;
    }

    if (n == NGX_ERROR || n < limit->min || n > limit->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive invalid value \"%V\": "
                           "%s was expected",
                           &value[0], &value[1], limit->expected);
        return NGX_CONF_ERROR;
    }

    *field = n;

    return NGX_CONF_OK;
}
