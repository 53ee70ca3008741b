
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_variables.h"
#include "ngx_wschat_id.h"
#include "route/ngx_wschat_api.h"
#include "route/ngx_wschat_attr.h"
#include "route/ngx_wschat_value.h"
#include "session/ngx_wschat_log.h"
#include "session/ngx_wschat_session.h"


typedef enum {
    NGX_WSCHAT_VAR_API = 0,
    NGX_WSCHAT_VAR_CONNECTION,
    NGX_WSCHAT_VAR_ROUTE,
    NGX_WSCHAT_VAR_USER,
    NGX_WSCHAT_VAR_CODE,
    NGX_WSCHAT_VAR_REASON,
    NGX_WSCHAT_VAR_DURATION,
    NGX_WSCHAT_VAR_MESSAGES_IN,
    NGX_WSCHAT_VAR_MESSAGES_OUT,
    NGX_WSCHAT_VAR_BYTES_IN,
    NGX_WSCHAT_VAR_BYTES_OUT
} ngx_wschat_variable_e;


static ngx_int_t ngx_wschat_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_wschat_variable_user(ngx_http_request_t *r,
    ngx_wschat_session_t *s, ngx_str_t *value);


static ngx_http_variable_t  ngx_wschat_variables[] = {

    { ngx_string("wschat_api"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_API, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_connection_id"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_CONNECTION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_route"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_ROUTE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_user"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_USER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_close_code"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_CODE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_close_reason"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_duration"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_DURATION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_messages_in"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_MESSAGES_IN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_messages_out"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_MESSAGES_OUT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_bytes_in"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_BYTES_IN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wschat_bytes_out"), NULL, ngx_wschat_variable,
      NGX_WSCHAT_VAR_BYTES_OUT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_wschat_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_wschat_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char                *p;
    uint64_t               ms;
    ngx_str_t              value;
    ngx_wschat_end_t      *end;
    ngx_wschat_session_t  *s;

    s = ngx_wschat_log_session(r, &end);

    if (s == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    switch (data) {

    case NGX_WSCHAT_VAR_API:
        value = s->api->name;
        p = value.data + value.len;
        break;

    case NGX_WSCHAT_VAR_CONNECTION:
        value.data = ngx_pnalloc(r->pool, NGX_WSCHAT_ID_TEXT_LEN);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_wschat_id_text(value.data, s->id);
        break;

    case NGX_WSCHAT_VAR_ROUTE:
        if (s->route == 0) {
            v->not_found = 1;
            return NGX_OK;
        }

        value = *ngx_wschat_api_route(s->api, s->route);
        p = value.data + value.len;
        break;

    case NGX_WSCHAT_VAR_USER:
        if (ngx_wschat_variable_user(r, s, &value) != NGX_OK) {
            v->not_found = 1;
            return NGX_OK;
        }

        p = value.data + value.len;
        break;

    case NGX_WSCHAT_VAR_CODE:
        p = ngx_sprintf(p, "%ui", end->code);
        break;

    case NGX_WSCHAT_VAR_REASON:
        value = end->reason;
        p = value.data + value.len;
        break;

    case NGX_WSCHAT_VAR_DURATION:
        ms = ngx_current_msec - s->connection->start_time;
        p = ngx_sprintf(p, "%uL.%03uL", ms / 1000, ms % 1000);
        break;

    case NGX_WSCHAT_VAR_MESSAGES_IN:
        p = ngx_sprintf(p, "%uD", s->messages_in);
        break;

    case NGX_WSCHAT_VAR_MESSAGES_OUT:
        p = ngx_sprintf(p, "%uD", s->messages_out);
        break;

    case NGX_WSCHAT_VAR_BYTES_IN:
        p = ngx_sprintf(p, "%uL", s->bytes_in);
        break;

    default: /* NGX_WSCHAT_VAR_BYTES_OUT */
        p = ngx_sprintf(p, "%O", s->connection->sent);
    }

    v->data = value.data;
    v->len = p - value.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_variable_user(ngx_http_request_t *r, ngx_wschat_session_t *s,
    ngx_str_t *value)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_wschat_buf_t     b;
    ngx_wschat_attr_t   *a;
    ngx_wschat_value_t   v;
    static ngx_str_t     user = ngx_string("user");

    a = ngx_wschat_attr_find(s->attrs, &user);
    if (a == NULL) {
        return NGX_DECLINED;
    }

    ngx_wschat_buf_init(&b, NGX_WSCHAT_MAX_VALUE);
    ngx_wschat_value_json(&v, a->value.data, a->value.len);

    rc = ngx_wschat_value_str(&v, &b, &text);

    if (rc == NGX_OK) {
        value->len = text.len;
        value->data = ngx_pstrdup(r->pool, &text);

        if (value->data == NULL) {
            rc = NGX_ERROR;
        }
    }

    ngx_wschat_buf_free(&b);

    return rc;
}
