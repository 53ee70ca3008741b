
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows the step "set VARIABLE VALUE": a route variable, $room, or an
 * attribute of the connection.  Never knows what they are used for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_lang.h"
#include "ngx_wschat_ref.h"
#include "ngx_wschat_attr.h"
#include "ngx_wschat_hub.h"


typedef struct {
    ngx_wschat_template_t  *value;
    ngx_str_t               attr;         /* of the connection, or empty */
    ngx_uint_t              slot;
    unsigned                room:1;
    unsigned                user:1;
} ngx_wschat_set_t;


static ngx_int_t ngx_wschat_set_handler(ngx_wschat_run_t *run, void *conf);
static ngx_int_t ngx_wschat_set_value(ngx_wschat_run_t *run,
    ngx_wschat_template_t *tpl, ngx_wschat_value_t *v);
static ngx_int_t ngx_wschat_set_attr(ngx_wschat_run_t *run,
    ngx_wschat_set_t *set);
static ngx_int_t ngx_wschat_set_user(ngx_wschat_run_t *run, ngx_str_t *name);


char *
ngx_wschat_step_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wschat_lang_t *lang = conf;

    ngx_int_t          slot;
    ngx_str_t         *value, name;
    ngx_uint_t         i;
    ngx_wschat_set_t  *set;

    value = cf->args->elts;

    set = ngx_wschat_lang_step(cf, lang, ngx_wschat_set_handler,
                               sizeof(ngx_wschat_set_t), NGX_WSCHAT_IN_ANY);
    if (set == NULL) {
        return NGX_CONF_ERROR;
    }

    name = value[1];

    if (name.len < 2 || name.data[0] != '$'
        || (name.data[1] >= '0' && name.data[1] <= '9'))
    {
        goto invalid;
    }

    name.data++;
    name.len--;

    set->value = ngx_wschat_lang_template(cf, lang, &value[2]);
    if (set->value == NULL) {
        return NGX_CONF_ERROR;
    }

    if (name.len > sizeof("connection.") - 1
        && ngx_strncmp(name.data, "connection.", sizeof("connection.") - 1)
           == 0)
    {
        set->attr.data = name.data + sizeof("connection.") - 1;
        set->attr.len = name.len - (sizeof("connection.") - 1);

        if (set->attr.len > NGX_WSCHAT_MAX_KEY) {
            return "sets an attribute whose name is longer than 64 bytes";
        }

        if (ngx_wschat_lang_is(&set->attr, "room")) {
            return "can not set \"$connection.room\", that is what \"join\" "
                   "does";
        }

        set->user = ngx_wschat_lang_is(&set->attr, "user");

        name = set->attr;
    }

    for (i = 0; i < name.len; i++) {

        if (!(name.data[i] == '_'
              || (name.data[i] >= '0' && name.data[i] <= '9')
              || (name.data[i] >= 'A' && name.data[i] <= 'Z')
              || (name.data[i] >= 'a' && name.data[i] <= 'z')))
        {
            goto invalid;
        }
    }

    if (set->attr.len) {
        return NGX_CONF_OK;
    }

    if (ngx_wschat_lang_is(&name, "room")) {
        set->room = 1;

        return (ngx_wschat_lang_name(cf, set->value) == NGX_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    slot = ngx_wschat_ref_variable(lang->api, &name);

    if (slot == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (slot == NGX_DECLINED) {
        goto invalid;
    }

    set->slot = slot;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "can not set \"%V\": \"$name\", \"$room\" or "
                       "\"$connection.name\" was expected", &value[1]);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_wschat_set_handler(ngx_wschat_run_t *run, void *conf)
{
    ngx_wschat_set_t *set = conf;

    ngx_str_t           text;
    ngx_wschat_value_t  v;

    if (set->attr.len) {
        return ngx_wschat_set_attr(run, set);
    }

    if (set->room) {

        if (ngx_wschat_run_name(run, set->value, &text) != NGX_OK
            || ngx_wschat_run_copy(run, &text, &text) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_memzero(&run->here, sizeof(ngx_wschat_here_t));

        run->here.name = text;
        run->here.set = 1;

        return NGX_OK;
    }

    if (run->values == NULL) {
        run->values = ngx_pcalloc(run->pool, run->api->variables.nelts
                                             * sizeof(ngx_wschat_value_t));
        if (run->values == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_wschat_set_value(run, set->value, &v) != NGX_OK
        || ngx_wschat_run_copy(run, &v.data, &v.data) != NGX_OK)
    {
        return NGX_ERROR;
    }

    run->values[set->slot] = v;

    return NGX_OK;
}


/* a single reference keeps its type */

static ngx_int_t
ngx_wschat_set_value(ngx_wschat_run_t *run, ngx_wschat_template_t *tpl,
    ngx_wschat_value_t *v)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    if (tpl->single) {
        return ngx_wschat_ref_resolve(run, tpl->single, v);
    }

    rc = ngx_wschat_run_render(run, tpl, NGX_WSCHAT_RUN_BODY, &text, NULL);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_wschat_value_absent(v);

    } else if (tpl->is_json) {
        ngx_wschat_value_json(v, text.data, text.len);

    } else {
        ngx_wschat_value_text(v, text.data, text.len);
    }

    return NGX_OK;
}


/*
 * The store first, which may refuse; then the worker's own memory.  When the
 * store had to be waited for, the value is worked out once more.
 */

static ngx_int_t
ngx_wschat_set_attr(ngx_wschat_run_t *run, ngx_wschat_set_t *set)
{
    ngx_int_t            rc;
    ngx_str_t            json, name;
    ngx_wschat_buf_t     b, text;
    ngx_wschat_value_t   v;

    if (run->session == NULL) {

        /* there is no connection any more */

        return NGX_OK;
    }

    if (ngx_wschat_set_value(run, set->value, &v) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_wschat_buf_init(&b, NGX_WSCHAT_MAX_VALUE);
    ngx_wschat_buf_init(&text, NGX_WSCHAT_MAX_VALUE);

    ngx_str_null(&name);

    if (ngx_wschat_value_append_json(&b, &v) != NGX_OK
        || (set->user && ngx_wschat_value_str(&v, &text, &name) != NGX_OK)
        || name.len > NGX_WSCHAT_MAX_NAME)
    {
        rc = ngx_wschat_run_failed(run, NGX_LOG_INFO,
                                   "the value of an attribute is too long");
        goto done;
    }

    json.data = b.start;
    json.len = ngx_wschat_buf_len(&b);

    if (run->phase) {
        rc = run->op.rc;

    } else {
        ngx_wschat_run_op(run);

        run->op.name = set->attr;
        run->op.value = json;

        rc = ngx_wschat_run_start(run, run->api->store->set);
    }

    if (rc == NGX_AGAIN) {
        goto done;
    }

    if (rc != NGX_OK) {
        rc = ngx_wschat_run_failed(run, NGX_LOG_ERR,
                                   rc == NGX_BUSY ? "the store is full"
                                   : "the store did not take the attribute");
        goto done;
    }

    rc = ngx_wschat_attr_set(&run->session->attrs, &set->attr, &json,
                             run->log);

    if (rc == NGX_OK && set->user) {
        rc = ngx_wschat_set_user(run, &name);
    }

done:

    ngx_wschat_buf_free(&b);
    ngx_wschat_buf_free(&text);

    return rc;
}


/* the session is found by its user's name, too; an empty one is none */

static ngx_int_t
ngx_wschat_set_user(ngx_wschat_run_t *run, ngx_str_t *name)
{
    ngx_wschat_member_t  *m, *next;

    for (m = run->session->members; m; m = next) {
        next = m->next;

        if (m->channel->kind == NGX_WSCHAT_TO_USER) {
            (void) ngx_wschat_hub_leave(run->session, NGX_WSCHAT_TO_USER,
                                        &m->channel->node.str);
        }
    }

    if (name->len == 0) {
        return NGX_OK;
    }

    return ngx_wschat_hub_join(run->session, NGX_WSCHAT_TO_USER, name, 0, 0);
}
