
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_ref.h"
#include "ngx_wschat_attr.h"
#include "ngx_wschat_hub.h"
#include "ngx_wschat_id.h"
#include "ws/ngx_wschat_utf8.h"


/* what may follow the words of a reference */

typedef enum {
    NGX_WSCHAT_REF_ALONE = 0,         /* nothing */
    NGX_WSCHAT_REF_KEY,               /* ".name" */
    NGX_WSCHAT_REF_KEY_OR_NOT,
    NGX_WSCHAT_REF_PATH               /* a path into JSON, or nothing */
} ngx_wschat_ref_more_e;

typedef void (*ngx_wschat_ref_pt)(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);

struct ngx_wschat_ref_word_s {
    ngx_str_t               name;
    ngx_wschat_ref_pt       value;
    ngx_uint_t              more;
    ngx_uint_t              in;       /* where it can have a value */
    ngx_uint_t              fetch;    /* the store is asked for it */
    uintptr_t               data;
};


static ngx_wschat_ref_word_t *ngx_wschat_ref_find(ngx_str_t *name,
    ngx_str_t *rest);
static ngx_int_t ngx_wschat_ref_capture_add(ngx_wschat_lang_t *lang,
    ngx_str_t *name);
static ngx_int_t ngx_wschat_ref_key(ngx_str_t *rest, ngx_str_t *key);

static void ngx_wschat_ref_utf8(ngx_wschat_run_t *run, ngx_wschat_value_t *v);
static void ngx_wschat_ref_body(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v);
static void ngx_wschat_ref_header(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_querystring(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_connection_id(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_route_key(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_api_id(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_request_id(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_message_id(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_event_type(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_connected_at(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_request_time(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_request_epoch(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_source_ip(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_disconnect_code(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_disconnect_reason(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_constant(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_attribute(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_connection_room(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_room(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v);
static void ngx_wschat_ref_room_created(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_room_number(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_room_history(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_random_hex8(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_random_uuid(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_time_iso8601(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_time_number(ngx_wschat_run_t *run,
    ngx_wschat_ref_t *ref, ngx_wschat_value_t *v);
static void ngx_wschat_ref_slot(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v);


#define NGX_WSCHAT_ROOM_COUNT   0
#define NGX_WSCHAT_ROOM_OFFSET  1
#define NGX_WSCHAT_ROOM_EPOCH   2

#define NGX_WSCHAT_TIME_SEC     0
#define NGX_WSCHAT_TIME_MSEC    1

#define NGX_WSCHAT_IN_ROUTES                                                 \
    (NGX_WSCHAT_IN_CONNECT|NGX_WSCHAT_IN_MESSAGE|NGX_WSCHAT_IN_HOOK)


static ngx_wschat_ref_word_t  ngx_wschat_ref_words[] = {

    { ngx_string("request.body"), ngx_wschat_ref_body,
      NGX_WSCHAT_REF_PATH, NGX_WSCHAT_IN_MESSAGE|NGX_WSCHAT_IN_HOOK, 0, 0 },

    { ngx_string("request.header"), ngx_wschat_ref_header,
      NGX_WSCHAT_REF_KEY, NGX_WSCHAT_IN_CONNECT, 0, 0 },

    { ngx_string("request.querystring"), ngx_wschat_ref_querystring,
      NGX_WSCHAT_REF_KEY, NGX_WSCHAT_IN_CONNECT, 0, 0 },

    { ngx_string("context.connectionId"), ngx_wschat_ref_connection_id,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.routeKey"), ngx_wschat_ref_route_key,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.apiId"), ngx_wschat_ref_api_id,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.requestId"), ngx_wschat_ref_request_id,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.extendedRequestId"), ngx_wschat_ref_request_id,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.messageId"), ngx_wschat_ref_message_id,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_MESSAGE|NGX_WSCHAT_IN_HOOK, 0, 0 },

    { ngx_string("context.messageDirection"), ngx_wschat_ref_constant,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, (uintptr_t) "IN" },

    { ngx_string("context.eventType"), ngx_wschat_ref_event_type,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.connectedAt"), ngx_wschat_ref_connected_at,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.requestTime"), ngx_wschat_ref_request_time,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.requestTimeEpoch"), ngx_wschat_ref_request_epoch,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.identity.sourceIp"), ngx_wschat_ref_source_ip,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("context.disconnectStatusCode"),
      ngx_wschat_ref_disconnect_code,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_DISCONNECT, 0, 0 },

    { ngx_string("context.disconnectReason"),
      ngx_wschat_ref_disconnect_reason,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_DISCONNECT, 0, 0 },

    { ngx_string("connection.room"), ngx_wschat_ref_connection_room,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("connection"), ngx_wschat_ref_attribute,
      NGX_WSCHAT_REF_KEY, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("room.created"), ngx_wschat_ref_room_created,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ROUTES, 0, 0 },

    { ngx_string("room.count"), ngx_wschat_ref_room_number,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, NGX_WSCHAT_ROOM_COUNT },

    { ngx_string("room.offset"), ngx_wschat_ref_room_number,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, NGX_WSCHAT_ROOM_OFFSET },

    { ngx_string("room.epoch"), ngx_wschat_ref_room_number,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ROUTES, 0, NGX_WSCHAT_ROOM_EPOCH },

    { ngx_string("room.history"), ngx_wschat_ref_room_history,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ROUTES, 0, 0 },

    { ngx_string("room"), ngx_wschat_ref_room,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("rooms"), ngx_wschat_ref_slot,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 1, 0 },

    { ngx_string("members"), ngx_wschat_ref_slot,
      NGX_WSCHAT_REF_KEY_OR_NOT, NGX_WSCHAT_IN_ANY, 1, 0 },

    { ngx_string("random.hex8"), ngx_wschat_ref_random_hex8,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("random.uuid"), ngx_wschat_ref_random_uuid,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("time.iso8601"), ngx_wschat_ref_time_iso8601,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, 0 },

    { ngx_string("time.sec"), ngx_wschat_ref_time_number,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, NGX_WSCHAT_TIME_SEC },

    { ngx_string("time.msec"), ngx_wschat_ref_time_number,
      NGX_WSCHAT_REF_ALONE, NGX_WSCHAT_IN_ANY, 0, NGX_WSCHAT_TIME_MSEC },

    { ngx_null_string, NULL, 0, 0, 0, 0 }
};


/* words that are no use alone, and route variables must not be called */

static ngx_str_t  ngx_wschat_ref_reserved[] = {
    ngx_string("request"),
    ngx_string("context"),
    ngx_string("connection"),
    ngx_string("rooms"),
    ngx_string("members"),
    ngx_string("random"),
    ngx_string("time"),
    ngx_string("integration"),
    ngx_string("stageVariables"),
    ngx_null_string
};

static ngx_wschat_ref_word_t  ngx_wschat_ref_variable_word = {
    ngx_null_string, ngx_wschat_ref_slot, 0, NGX_WSCHAT_IN_ANY, 0, 0
};

static ngx_wschat_ref_word_t  ngx_wschat_ref_captured_word = {
    ngx_null_string, ngx_wschat_ref_attribute, 0, NGX_WSCHAT_IN_ANY, 0, 0
};


static char  ngx_wschat_hex[] = "0123456789abcdef";


ngx_int_t
ngx_wschat_ref_compile(void *data, ngx_str_t *name, void **out,
    ngx_str_t *err)
{
    u_char                  *p;
    ngx_str_t                rest;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    ngx_wschat_ref_t        *ref, **fetch;
    ngx_wschat_lang_t       *lang;
    ngx_wschat_ref_word_t   *word;
    ngx_str_t               *names;

    lang = data;
    pool = lang->cf->pool;

    ref = ngx_pcalloc(pool, sizeof(ngx_wschat_ref_t));
    if (ref == NULL) {
        return NGX_ERROR;
    }

    *out = ref;

    word = ngx_wschat_ref_find(name, &rest);

    if (word == NULL) {

        for (p = name->data; p < name->data + name->len; p++) {

            if (*p == '.' || *p == '[') {
                return ngx_wschat_path_decline(pool, err,
                    "there is no reference \"$%.*s\"; there are $request, "
                    "$context, $connection, $room, $rooms, $members, "
                    "$random and $time, see the configuration reference",
                    (int) name->len, name->data);
            }
        }

        /* a route variable, or one of nginx's */

        names = lang->api->variables.elts;

        for (i = 0; i < lang->api->variables.nelts; i++) {

            if (names[i].len == name->len
                && ngx_strncmp(names[i].data, name->data, name->len) == 0)
            {
                ref->word = &ngx_wschat_ref_variable_word;
                ref->slot = i;
                return NGX_OK;
            }
        }

        for (i = 0; ngx_wschat_ref_reserved[i].len; i++) {

            if (ngx_wschat_ref_reserved[i].len == name->len
                && ngx_strncmp(ngx_wschat_ref_reserved[i].data, name->data,
                               name->len)
                   == 0)
            {
                return ngx_wschat_path_decline(pool, err,
                    "\"$%.*s\" can not stand alone, \"$%.*s.NAME\" was "
                    "expected", (int) name->len, name->data,
                    (int) name->len, name->data);
            }
        }

        ref->word = &ngx_wschat_ref_captured_word;

        ref->key.len = name->len + 1;
        ref->key.data = ngx_pnalloc(pool, ref->key.len);
        if (ref->key.data == NULL) {
            return NGX_ERROR;
        }

        ref->key.data[0] = '$';
        ngx_memcpy(ref->key.data + 1, name->data, name->len);

        return ngx_wschat_ref_capture_add(lang, name);
    }

    ref->word = word;

    if (!(word->in & lang->in)) {
        return ngx_wschat_path_decline(pool, err,
            "\"$%.*s\" can have no value here, only in %s",
            (int) word->name.len, word->name.data,
            word->in == NGX_WSCHAT_IN_CONNECT ? "$connect"
            : word->in == NGX_WSCHAT_IN_DISCONNECT ? "$disconnect"
            : word->in & NGX_WSCHAT_IN_CONNECT
              ? "$connect, in routes of messages and in hooks"
              : "routes of messages and in hooks");
    }

    switch (word->more) {

    case NGX_WSCHAT_REF_PATH:
        if (ngx_wschat_path_compile(pool, &rest, &ref->path, err) != NGX_OK) {
            return NGX_DECLINED;
        }

        break;

    case NGX_WSCHAT_REF_KEY:
    case NGX_WSCHAT_REF_KEY_OR_NOT:
        if (rest.len == 0 && word->more == NGX_WSCHAT_REF_KEY_OR_NOT) {
            break;
        }

        if (ngx_wschat_ref_key(&rest, &ref->key) != NGX_OK) {
            return ngx_wschat_path_decline(pool, err,
                "\"$%.*s.NAME\" was expected, not \"$%.*s\"",
                (int) word->name.len, word->name.data,
                (int) name->len, name->data);
        }

        break;

    default: /* NGX_WSCHAT_REF_ALONE */
        if (rest.len) {
            return ngx_wschat_path_decline(pool, err,
                "nothing can follow \"$%.*s\", but \"%.*s\" does",
                (int) word->name.len, word->name.data,
                (int) rest.len, rest.data);
        }
    }

    if (word->value == ngx_wschat_ref_room_number
        && word->data == NGX_WSCHAT_ROOM_OFFSET && lang->late)
    {
        /* in what is sent to a room it is the offset that it will get */

        *out = NGX_WSCHAT_TEMPLATE_LATE;
        return NGX_OK;
    }

    if (!word->fetch) {
        return NGX_OK;
    }

    /* a nameless variable holds what the store answered */

    ref->slot = lang->api->variables.nelts;

    names = ngx_array_push(&lang->api->variables);
    if (names == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(names);

    if (lang->fetch == NULL) {
        lang->fetch = ngx_array_create(pool, 2, sizeof(ngx_wschat_ref_t *));
        if (lang->fetch == NULL) {
            return NGX_ERROR;
        }
    }

    fetch = ngx_array_push(lang->fetch);
    if (fetch == NULL) {
        return NGX_ERROR;
    }

    *fetch = ref;

    return NGX_OK;
}


/* the word that the name begins with; "rest" is what follows it */

static ngx_wschat_ref_word_t *
ngx_wschat_ref_find(ngx_str_t *name, ngx_str_t *rest)
{
    size_t                  len;
    ngx_wschat_ref_word_t  *word;

    for (word = ngx_wschat_ref_words; word->name.len; word++) {
        len = word->name.len;

        if (name->len < len
            || ngx_strncmp(name->data, word->name.data, len) != 0
            || (name->len > len && name->data[len] != '.'
                && name->data[len] != '['))
        {
            continue;
        }

        if (name->len == len && word->more == NGX_WSCHAT_REF_KEY) {
            continue;
        }

        rest->data = name->data + len;
        rest->len = name->len - len;

        return word;
    }

    return NULL;
}


/* ".name" or "['name']" */

static ngx_int_t
ngx_wschat_ref_key(ngx_str_t *rest, ngx_str_t *key)
{
    u_char  *p, *last;

    p = rest->data;
    last = p + rest->len;

    if (rest->len > 4 && p[0] == '[' && (p[1] == '\'' || p[1] == '"')
        && last[-1] == ']' && last[-2] == p[1])
    {
        key->data = p + 2;
        key->len = rest->len - 4;

    } else if (rest->len > 1 && p[0] == '.') {
        key->data = p + 1;
        key->len = rest->len - 1;

        for (p = key->data; p < last; p++) {
            if (*p == '.' || *p == '[') {
                return NGX_DECLINED;
            }
        }

    } else {
        return NGX_DECLINED;
    }

    return (key->len <= NGX_WSCHAT_MAX_KEY) ? NGX_OK : NGX_DECLINED;
}


/* where nginx's variables are asked for is kept for a message about them */

static ngx_int_t
ngx_wschat_ref_capture_add(ngx_wschat_lang_t *lang, ngx_str_t *name)
{
    ngx_int_t              index;
    ngx_uint_t             i;
    ngx_wschat_capture_t  *c;

    c = lang->api->captures.elts;

    for (i = 0; i < lang->api->captures.nelts; i++) {

        if (c[i].name.len == name->len
            && ngx_strncmp(c[i].name.data, name->data, name->len) == 0)
        {
            return NGX_OK;
        }
    }

    index = ngx_http_get_variable_index(lang->cf, name);
    if (index == NGX_ERROR) {
        return NGX_ERROR;
    }

    c = ngx_array_push(&lang->api->captures);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->name = *name;
    c->index = index;
    c->file = lang->cf->conf_file->file.name.data;
    c->line = lang->cf->conf_file->line;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_ref_variable(ngx_wschat_api_t *api, ngx_str_t *name)
{
    ngx_str_t   *names;
    ngx_uint_t   i;

    for (i = 0; ngx_wschat_ref_reserved[i].len; i++) {

        if (ngx_wschat_ref_reserved[i].len == name->len
            && ngx_strncmp(ngx_wschat_ref_reserved[i].data, name->data,
                           name->len)
               == 0)
        {
            return NGX_DECLINED;
        }
    }

    names = api->variables.elts;

    for (i = 0; i < api->variables.nelts; i++) {

        if (names[i].len == name->len
            && ngx_strncmp(names[i].data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    names = ngx_array_push(&api->variables);
    if (names == NULL) {
        return NGX_ERROR;
    }

    *names = *name;

    return i;
}


ngx_int_t
ngx_wschat_ref_resolve(void *run, void *data, ngx_wschat_value_t *v)
{
    ngx_wschat_ref_t  *ref;

    ref = data;

    ref->word->value(run, ref, v);

    return NGX_OK;
}


ngx_int_t
ngx_wschat_ref_fetch(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref)
{
    ngx_wschat_run_op(run);

    if (ref->word->name.len == sizeof("rooms") - 1) {
        return ngx_wschat_run_start(run, run->api->store->rooms);
    }

    if (!run->here.set) {
        return NGX_DECLINED;
    }

    run->op.name = run->here.name;
    run->op.value = ref->key;

    return ngx_wschat_run_start(run, run->api->store->members);
}


ngx_int_t
ngx_wschat_ref_capture(ngx_wschat_run_t *run)
{
    u_char                      buf[NGX_WSCHAT_MAX_KEY + 1];
    ngx_int_t                   rc;
    ngx_str_t                   key, text;
    ngx_uint_t                  i;
    ngx_wschat_buf_t            b;
    ngx_wschat_value_t          v;
    ngx_wschat_capture_t       *c;
    ngx_http_request_t         *r;
    ngx_http_variable_value_t  *vv;

    r = run->request;
    c = run->api->captures.elts;

    for (i = 0; i < run->api->captures.nelts; i++) {
        vv = ngx_http_get_indexed_variable(r, c[i].index);

        if (vv == NULL || vv->not_found || vv->len == 0
            || c[i].name.len > NGX_WSCHAT_MAX_KEY)
        {
            continue;
        }

        buf[0] = '$';
        ngx_memcpy(buf + 1, c[i].name.data, c[i].name.len);

        key.data = buf;
        key.len = c[i].name.len + 1;

        ngx_wschat_buf_init(&b, NGX_WSCHAT_MAX_VALUE);
        ngx_wschat_value_text(&v, vv->data, vv->len);
        ngx_wschat_ref_utf8(run, &v);

        rc = ngx_wschat_value_append_json(&b, &v);

        if (rc == NGX_OK) {
            text.data = b.start;
            text.len = ngx_wschat_buf_len(&b);

            rc = ngx_wschat_attr_set(&run->session->attrs, &key, &text,
                                     run->log);

        } else {
            ngx_log_error(NGX_LOG_WARN, run->log, 0,
                          "wschat: variable \"%V\" is too long, ignored",
                          &c[i].name);
            rc = NGX_OK;
        }

        ngx_wschat_buf_free(&b);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_wschat_ref_body(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (ref->path.nsegments == 0) {

        if (run->in == NGX_WSCHAT_IN_MESSAGE) {
            ngx_wschat_value_text(v, run->body.data, run->body.len);

        } else {
            ngx_wschat_value_absent(v);
        }

        return;
    }

    if (run->parsed == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_path_eval(&ref->path, run->parsed, v);
}


/* what a client sent in its request need not be UTF-8 */

static void
ngx_wschat_ref_utf8(ngx_wschat_run_t *run, ngx_wschat_value_t *v)
{
    u_char    *p;
    size_t     len;
    uint32_t   state;

    state = 0;

    if (v->kind == NGX_WSCHAT_VALUE_ABSENT
        || (ngx_wschat_utf8(&state, v->data.data, v->data.len) == 0
            && state == 0))
    {
        return;
    }

    p = ngx_pnalloc(run->pool, v->data.len * 3);

    if (p == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    len = ngx_wschat_utf8_repair(p, v->data.data, v->data.len);

    ngx_wschat_value_text(v, p, len);
}


static void
ngx_wschat_ref_header(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_wschat_value_absent(v);

    if (run->request == NULL) {
        return;
    }

    /* of several the last, as API Gateway has it: spec section 2.5 */

    part = &run->request->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == ref->key.len
            && ngx_strncasecmp(h[i].key.data, ref->key.data, ref->key.len)
               == 0)
        {
            ngx_wschat_value_text(v, h[i].value.data, h[i].value.len);
        }
    }

    ngx_wschat_ref_utf8(run, v);
}


static void
ngx_wschat_ref_querystring(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char     *p, *last, *name, *value, *end, *dst, *src;
    ngx_str_t   text;

    ngx_wschat_value_absent(v);

    if (run->request == NULL) {
        return;
    }

    /* of several the last; "+" is a blank: spec section 2.5 */

    p = run->request->args.data;
    last = p + run->request->args.len;

    for ( /* void */ ; p < last; p = end + 1) {
        name = p;

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        value = ngx_strlchr(p, end, '=');
        if (value == NULL) {
            value = end;
        }

        if ((size_t) (value - name) != ref->key.len
            || ngx_strncmp(name, ref->key.data, ref->key.len) != 0)
        {
            continue;
        }

        if (value < end) {
            value++;
        }

        text.data = ngx_pnalloc(run->pool, end - value + 1);
        if (text.data == NULL) {
            return;
        }

        dst = text.data;

        for (src = value; src < end; src++) {
            *dst++ = (*src == '+') ? ' ' : *src;
        }

        src = text.data;
        text.len = dst - text.data;

        dst = text.data;
        ngx_unescape_uri(&dst, &src, text.len, 0);

        ngx_wschat_value_text(v, text.data, dst - text.data);
    }

    ngx_wschat_ref_utf8(run, v);
}


static void
ngx_wschat_ref_connection_id(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (run->id == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    (void) ngx_wschat_id_text(run->text, run->id);

    ngx_wschat_value_text(v, run->text, NGX_WSCHAT_ID_TEXT_LEN);
}


static void
ngx_wschat_ref_route_key(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_value_text(v, run->route.data, run->route.len);
}


static void
ngx_wschat_ref_api_id(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_value_text(v, run->api->name.data, run->api->name.len);
}


static void
ngx_wschat_ref_request_id(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_value_text(v, ngx_wschat_run_request_id(run),
                          NGX_WSCHAT_REQUEST_ID_LEN);
}


static void
ngx_wschat_ref_message_id(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (run->in != NGX_WSCHAT_IN_MESSAGE) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_text(v, ngx_wschat_run_message_id(run),
                          NGX_WSCHAT_REQUEST_ID_LEN);
}


static void
ngx_wschat_ref_event_type(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    switch (run->in) {

    case NGX_WSCHAT_IN_CONNECT:
        ngx_wschat_value_text(v, (u_char *) "CONNECT", 7);
        break;

    case NGX_WSCHAT_IN_MESSAGE:
        ngx_wschat_value_text(v, (u_char *) "MESSAGE", 7);
        break;

    default:
        ngx_wschat_value_text(v, (u_char *) "DISCONNECT", 10);
    }
}


static void
ngx_wschat_ref_number(ngx_wschat_run_t *run, ngx_wschat_value_t *v,
    uint64_t n)
{
    u_char  *p;

    p = ngx_sprintf(run->text, "%uL", n);

    ngx_wschat_value_json(v, run->text, p - run->text);
}


static void
ngx_wschat_ref_connected_at(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (run->session == NULL && run->orphan == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_ref_number(run, v, run->session
                                  ? run->session->connected
                                  : run->orphan->peer.connected);
}


/* the log's time, in UTC: spec section 5.3 */

static void
ngx_wschat_ref_request_time(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char         *p;
    ngx_tm_t        tm;
    static char    *months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

    ngx_gmtime((time_t) (run->started / 1000), &tm);

    p = ngx_sprintf(run->text, "%02d/%s/%4d:%02d:%02d:%02d +0000",
                    tm.ngx_tm_mday, months[tm.ngx_tm_mon - 1],
                    tm.ngx_tm_year, tm.ngx_tm_hour, tm.ngx_tm_min,
                    tm.ngx_tm_sec);

    ngx_wschat_value_text(v, run->text, p - run->text);
}


static void
ngx_wschat_ref_request_epoch(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_ref_number(run, v, run->started);
}


static void
ngx_wschat_ref_source_ip(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_str_t  *ip;

    if (run->session) {
        ip = &run->session->connection->addr_text;

    } else if (run->orphan) {
        ip = &run->orphan->peer.ip;

    } else {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_text(v, ip->data, ip->len);
}


static void
ngx_wschat_ref_disconnect_code(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_ref_number(run, v, run->end.code);
}


static void
ngx_wschat_ref_disconnect_reason(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_value_text(v, run->end.reason.data, run->end.reason.len);
}


static void
ngx_wschat_ref_constant(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    char  *text;

    text = (char *) ref->word->data;

    ngx_wschat_value_text(v, (u_char *) text, ngx_strlen(text));
}


static void
ngx_wschat_ref_attribute(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_attr_t  *a;

    a = ngx_wschat_attr_find(*ngx_wschat_run_attrs(run), &ref->key);

    if (a == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_json(v, a->value.data, a->value.len);
}


static void
ngx_wschat_ref_connection_room(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_str_t  *room;

    room = ngx_wschat_run_room(run);

    if (room == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_text(v, room->data, room->len);
}


static void
ngx_wschat_ref_room(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (!run->here.set) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_text(v, run->here.name.data, run->here.name.len);
}


static void
ngx_wschat_ref_room_created(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (!run->here.joined) {
        ngx_wschat_value_absent(v);

    } else if (run->here.created) {
        ngx_wschat_value_json(v, (u_char *) "true", 4);

    } else {
        ngx_wschat_value_json(v, (u_char *) "false", 5);
    }
}


static void
ngx_wschat_ref_room_number(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char  *p;

    if (ref->word->data == NGX_WSCHAT_ROOM_COUNT) {

        if (run->here.counted) {
            ngx_wschat_ref_number(run, v, run->here.count);

        } else {
            ngx_wschat_value_absent(v);
        }

        return;
    }

    if (!run->here.joined) {
        ngx_wschat_value_absent(v);
        return;
    }

    if (ref->word->data == NGX_WSCHAT_ROOM_OFFSET) {
        ngx_wschat_ref_number(run, v, run->here.offset);
        return;
    }

    /* an epoch has more digits than JavaScript's numbers */

    p = ngx_sprintf(run->text, "%uL", run->here.epoch);

    ngx_wschat_value_text(v, run->text, p - run->text);
}


static void
ngx_wschat_ref_room_history(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (!run->here.joined || run->here.history.len == 0) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_json(v, run->here.history.data, run->here.history.len);
}


static void
ngx_wschat_ref_random_hex8(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char  bytes[4];

    if (ngx_wschat_random(bytes, sizeof(bytes)) != NGX_OK) {
        ngx_wschat_value_absent(v);
        return;
    }

    ngx_wschat_value_text(v, run->text,
                          ngx_hex_dump(run->text, bytes, sizeof(bytes))
                          - run->text);
}


/* RFC 9562, version 4 */

static void
ngx_wschat_ref_random_uuid(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char      *p, bytes[16];
    ngx_uint_t   i;

    if (ngx_wschat_random(bytes, sizeof(bytes)) != NGX_OK) {
        ngx_wschat_value_absent(v);
        return;
    }

    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;

    p = run->text;

    for (i = 0; i < 16; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        *p++ = ngx_wschat_hex[bytes[i] >> 4];
        *p++ = ngx_wschat_hex[bytes[i] & 15];
    }

    ngx_wschat_value_text(v, run->text, p - run->text);
}


static void
ngx_wschat_ref_time_iso8601(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    u_char    *p;
    ngx_tm_t   tm;

    ngx_gmtime((time_t) (run->started / 1000), &tm);

    p = ngx_sprintf(run->text, "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    (int) (run->started % 1000));

    ngx_wschat_value_text(v, run->text, p - run->text);
}


static void
ngx_wschat_ref_time_number(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    ngx_wschat_ref_number(run, v, (ref->word->data == NGX_WSCHAT_TIME_SEC)
                                  ? run->started / 1000 : run->started);
}


static void
ngx_wschat_ref_slot(ngx_wschat_run_t *run, ngx_wschat_ref_t *ref,
    ngx_wschat_value_t *v)
{
    if (run->values == NULL) {
        ngx_wschat_value_absent(v);
        return;
    }

    *v = run->values[ref->slot];
}
