
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the steps "send TARGET BODY" and "reply BODY".  Never knows who gets
 * it, nor how.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ngx_wschat_id.h"


typedef struct {
    ngx_wschat_target_e     target;
    ngx_wschat_template_t  *name;         /* room, user or connection */
    ngx_wschat_template_t  *body;
    ngx_wschat_template_t  *record;       /* NULL: the body */
    unsigned                self:1;
    unsigned                except:1;
    unsigned                store:1;
    unsigned                ephemeral:1;
} ngx_wschat_send_t;


static ngx_int_t ngx_wschat_send_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_send_publish(ngx_wschat_run_t *run,
    ngx_wschat_send_t *send);


char *
ngx_wschat_step_send(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t          *value, name, record;
    ngx_uint_t          i;
    ngx_wschat_send_t  *send;

    send = ngx_wschat_lang_step(cf, lang, ngx_wschat_send_handler,
                                sizeof(ngx_wschat_send_t), NGX_WSCHAT_IN_ANY);
    if (send == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    ngx_str_null(&name);
    ngx_str_null(&record);

    if (ngx_wschat_lang_is(&value[1], "self")) {
        send->self = 1;

    } else if (ngx_wschat_lang_is(&value[1], "all")) {
        send->target = NGX_WSCHAT_TO_ALL;

    } else if (ngx_wschat_lang_option(&value[1], "room", &name)) {
        send->target = NGX_WSCHAT_TO_ROOM;

    } else if (ngx_wschat_lang_option(&value[1], "user", &name)) {
        send->target = NGX_WSCHAT_TO_USER;

    } else if (ngx_wschat_lang_option(&value[1], "connection", &name)) {
        send->target = NGX_WSCHAT_TO_CONNECTION;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid target \"%V\" of \"send\": \"self\", "
                           "\"all\", \"room=NAME\", \"user=NAME\" or "
                           "\"connection=ID\" was expected", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts - 1; i++) {

        if (ngx_wschat_lang_is(&value[i], "except=self")) {

            if (send->self) {
                return "can not have \"except=self\" for what goes to self";
            }

            send->except = 1;

        } else if (ngx_wschat_lang_is(&value[i], "ephemeral")) {
            send->ephemeral = 1;

        } else if (ngx_wschat_lang_is(&value[i], "store")
                   || ngx_wschat_lang_option(&value[i], "store", &record))
        {
            if (send->store) {
                return "can \"store\" only once";
            }

            if (record.data && record.len == 0) {
                return "needs a body behind \"store=\"";
            }

            send->store = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid option \"%V\" of \"send\": "
                               "\"except=self\", \"store\", \"store=BODY\" "
                               "or \"ephemeral\" was expected", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (send->store) {

        if (send->target != NGX_WSCHAT_TO_ROOM || send->self) {
            return "can store only what goes to a room";
        }

        if (lang->api->store_file == NULL) {
            lang->api->store_file = cf->conf_file->file.name.data;
            lang->api->store_line = cf->conf_file->line;
        }
    }

    if (name.data) {

        if (name.len == 0) {
            return "needs a name behind \"=\"";
        }

        send->name = ngx_wschat_lang_value(cf, lang, &value[1], &name);
        if (send->name == NULL
            || ngx_wschat_lang_name(cf, send->name) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    lang->late = (send->target == NGX_WSCHAT_TO_ROOM && !send->self);

    if (record.data) {
        send->record = ngx_wschat_lang_template(cf, lang, &record);
        if (send->record == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    send->body = ngx_wschat_lang_template(cf, lang, &value[i]);

    lang->late = 0;

    return send->body ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_wschat_step_reply(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_str_t          *value;
    ngx_wschat_send_t  *send;

    send = ngx_wschat_lang_step(cf, lang, ngx_wschat_send_handler,
                                sizeof(ngx_wschat_send_t),
                                NGX_WSCHAT_IN_CONNECT|NGX_WSCHAT_IN_MESSAGE
                                |NGX_WSCHAT_IN_HOOK);
    if (send == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    send->self = 1;
    send->body = ngx_wschat_lang_template(cf, lang, &value[1]);

    return send->body ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_wschat_send_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_send_t *send = conf;

    ngx_int_t  rc;
    ngx_str_t  body;

    if (send->self) {

        if (run->session == NULL) {
            return NGX_OK;
        }

        rc = ngx_wschat_run_render(run, send->body, NGX_WSCHAT_RUN_BODY,
                                   &body, NULL);

        /* a reference without a value is no message */

        if (rc != NGX_OK) {
            return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
        }

        return ngx_wschat_run_reply(run, &body, send->ephemeral);
    }

    rc = run->phase ? run->op.rc : ngx_wschat_send_publish(run, send);

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        return rc;

    case NGX_DECLINED:

        /* there is nobody */

        return NGX_OK;

    default:
        return ngx_wschat_run_failed(run, NGX_LOG_ERR, "could not send");
    }
}


static ngx_int_t
ngx_wschat_send_publish(ngx_wschat_run_t *run, ngx_wschat_send_t *send)
{
    u_char            id[NGX_WSCHAT_ID_LEN];
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_wschat_op_t  *op;

    ngx_wschat_run_op(run);

    op = &run->op;

    op->message.target = send->target;
    op->message.ephemeral = send->ephemeral;
    op->message.except = send->except ? run->id : NULL;

    if (send->name) {

        if (ngx_wschat_run_text(run, send->name, NGX_WSCHAT_RUN_NAME, &name)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        /* such a room or user, or such a connection, can not be */

        if (name.len == 0 || name.len > NGX_WSCHAT_MAX_NAME) {
            return NGX_DECLINED;
        }

        op->message.name = name;

        if (send->target == NGX_WSCHAT_TO_CONNECTION) {

            if (ngx_wschat_id_parse(id, &name) != NGX_OK) {
                return NGX_DECLINED;
            }

            op->message.id = id;
        }
    }

    rc = ngx_wschat_run_render(run, send->body, NGX_WSCHAT_RUN_BODY,
                               &op->message.body, &op->late_at);
    if (rc != NGX_OK) {
        return rc;
    }

    if (send->store) {
        op->store = 1;
        op->record = op->message.body;
        op->record_late_at = op->late_at;
        op->record_json = send->body->is_json;
    }

    if (send->record) {
        rc = ngx_wschat_run_render(run, send->record, NGX_WSCHAT_RUN_RECORD,
                                   &op->record, &op->record_late_at);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        op->store = (rc == NGX_OK);
        op->record_json = send->record->is_json;
    }

    return ngx_wschat_run_start(run, run->api->store->publish);
}
