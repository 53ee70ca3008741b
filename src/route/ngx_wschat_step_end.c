
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the steps that end or hold up something: "respond", "close", "stop"
 * and "delay".  Never knows the socket.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ws/ngx_wschat_frame.h"


typedef struct {
    ngx_uint_t              status;
    ngx_wschat_template_t  *body;
} ngx_wschat_respond_t;

typedef struct {
    ngx_uint_t              code;
    ngx_wschat_template_t  *reason;
} ngx_wschat_close_t;

typedef struct {
    ngx_msec_t              time;
} ngx_wschat_delay_t;


static ngx_int_t ngx_wschat_respond_handler(ngx_wschat_run_t *run,
    void *conf);
static ngx_int_t ngx_wschat_close_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_delay_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_stop_handler(ngx_wschat_run_t *run, void *conf);


char *
ngx_wschat_step_respond(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t              status;
    ngx_str_t             *value;
    ngx_wschat_respond_t  *respond;

    respond = ngx_wschat_lang_step(cf, lang, ngx_wschat_respond_handler,
                                   sizeof(ngx_wschat_respond_t),
                                   NGX_WSCHAT_IN_CONNECT);
    if (respond == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    status = ngx_atoi(value[1].data, value[1].len);

    if (status < 200 || status > 599) {
        return "needs an HTTP status, 200 to 599; 2xx accepts the connection";
    }

    respond->status = status;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    respond->body = ngx_wschat_lang_template(cf, lang, &value[2]);

    return respond->body ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_wschat_respond_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_respond_t *respond = conf;

    ngx_int_t  rc;
    ngx_str_t  body;

    run->status = respond->status;

    if (respond->body) {
        rc = ngx_wschat_run_render(run, respond->body, NGX_WSCHAT_RUN_BODY,
                                   &body, NULL);

        if (rc == NGX_ERROR
            || ngx_wschat_run_copy(run, &run->answer, &body) != NGX_OK)
        {
            return NGX_ERROR;
        }

        run->answer_json = respond->body->is_json;
    }

    return NGX_DONE;
}


char *
ngx_wschat_step_close(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t            code;
    ngx_str_t           *value;
    ngx_wschat_close_t  *cl;

    cl = ngx_wschat_lang_step(cf, lang, ngx_wschat_close_handler,
                              sizeof(ngx_wschat_close_t),
                              NGX_WSCHAT_IN_MESSAGE|NGX_WSCHAT_IN_HOOK);
    if (cl == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    cl->code = NGX_WSCHAT_CLOSE_NORMAL;

    if (cf->args->nelts > 1) {
        code = ngx_atoi(value[1].data, value[1].len);

        if (code == NGX_ERROR || !ngx_wschat_close_code_valid(code)) {
            return "needs a close code, 1000-1003, 1007-1014 or 3000-4999";
        }

        cl->code = code;
    }

    if (cf->args->nelts > 2) {
        cl->reason = ngx_wschat_lang_template(cf, lang, &value[2]);
        if (cl->reason == NULL) {
            return NGX_CONF_ERROR;
        }

        if (cl->reason->constant
            && cl->reason->literal.len > NGX_WSCHAT_CONTROL_MAX - 2)
        {
            return "needs a reason of at most 123 bytes";
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wschat_close_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_close_t *cl = conf;

    ngx_str_t  reason;

    ngx_str_null(&reason);

    if (cl->reason
        && ngx_wschat_run_text(run, cl->reason, NGX_WSCHAT_RUN_BODY, &reason)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (run->session) {
        ngx_wschat_session_close(run->session, cl->code, &reason);
    }

    return NGX_DONE;
}


char *
ngx_wschat_step_delay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t           *value;
    ngx_wschat_delay_t  *delay;

    delay = ngx_wschat_lang_step(cf, lang, ngx_wschat_delay_handler,
                                 sizeof(ngx_wschat_delay_t),
                                 NGX_WSCHAT_IN_ANY);
    if (delay == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    delay->time = ngx_parse_time(&value[1], 0);

    if (delay->time == (ngx_msec_t) NGX_ERROR || delay->time > 60000) {
        return "needs a time of at most 60s";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wschat_delay_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_delay_t *delay = conf;

    if (run->phase) {
        return NGX_OK;
    }

    ngx_wschat_run_wait(run, delay->time);

    return NGX_AGAIN;
}


char *
ngx_wschat_step_stop(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    if (ngx_wschat_lang_step(cf, lang, ngx_wschat_stop_handler, 1,
                             NGX_WSCHAT_IN_ANY)
        == NULL)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wschat_stop_handler(ngx_wschat_run_t *run, void *conf)
{
    return NGX_DONE;
}
