
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "ngx_wschat_run.h"
#include "ngx_wschat_attr.h"
#include "ngx_wschat_ref.h"
#include "ngx_wschat_hub.h"
#include "ngx_wschat_id.h"
#include "ws/ngx_wschat_frame.h"


#define NGX_WSCHAT_RUN_POOL    1024
#define NGX_WSCHAT_RUN_TOKENS  4096       /* kept with a run not in use */
#define NGX_WSCHAT_RUN_SPARE   16         /* runs not in use that are kept */


static ngx_wschat_run_t *ngx_wschat_run_create(ngx_wschat_api_t *api,
    ngx_wschat_session_t *s, ngx_wschat_orphan_t *orphan);
static ngx_wschat_route_t *ngx_wschat_run_select(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_go(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_suspend(ngx_wschat_run_t *run);
static void ngx_wschat_run_resume(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_next(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_fetch(ngx_wschat_run_t *run,
    ngx_wschat_step_t *step);
static ngx_int_t ngx_wschat_run_push(ngx_wschat_run_t *run,
    ngx_wschat_block_t *block);
static void ngx_wschat_run_unwind(ngx_wschat_run_t *run, ngx_uint_t failed);
static void ngx_wschat_run_abort(ngx_wschat_run_t *run);
static void ngx_wschat_run_fail(ngx_wschat_run_t *run);
static void ngx_wschat_run_pop(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_do(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_do_connect(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_do_accept(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_run_do_leave(ngx_wschat_run_t *run,
    ngx_wschat_todo_t *todo);
static ngx_int_t ngx_wschat_run_do_event(ngx_wschat_run_t *run,
    ngx_wschat_todo_t *todo);
static ngx_int_t ngx_wschat_run_do_end(ngx_wschat_run_t *run,
    ngx_wschat_todo_t *todo);
static ngx_int_t ngx_wschat_run_do_disconnect(ngx_wschat_run_t *run);
static void ngx_wschat_run_error_frame(ngx_wschat_run_t *run, char *message);
static ngx_wschat_orphan_t *ngx_wschat_run_bereave(ngx_wschat_session_t *s);
static void ngx_wschat_run_bequeath(ngx_wschat_run_t *run,
    ngx_wschat_orphan_t *orphan);
static void ngx_wschat_run_orphan_done(ngx_wschat_run_t *run);
static void ngx_wschat_run_disconnect(ngx_wschat_api_t *api,
    ngx_wschat_orphan_t *orphan, ngx_wschat_end_t *end);
static void ngx_wschat_run_message_done(ngx_wschat_run_t *run);
static void ngx_wschat_run_op_handler(ngx_wschat_op_t *op);
static void ngx_wschat_run_timer_handler(ngx_event_t *ev);


static ngx_wschat_run_t  *ngx_wschat_run_free;
static ngx_queue_t        ngx_wschat_run_waiting;
static ngx_uint_t         ngx_wschat_run_hurried;
static ngx_uint_t         ngx_wschat_run_nfree;
static ngx_wschat_buf_t   ngx_wschat_run_bufs[NGX_WSCHAT_RUN_BUFS];
static ngx_wschat_buf_t   ngx_wschat_run_key;


ngx_int_t
ngx_wschat_run_init_process(ngx_cycle_t *cycle)
{
    ngx_wschat_run_key.max = NGX_WSCHAT_MAX_VALUE;

    ngx_queue_init(&ngx_wschat_run_waiting);

    return NGX_OK;
}


static ngx_wschat_run_t *
ngx_wschat_run_create(ngx_wschat_api_t *api, ngx_wschat_session_t *s,
    ngx_wschat_orphan_t *orphan)
{
    ngx_wschat_run_t  *run;

    run = ngx_wschat_run_free;

    if (run) {
        ngx_wschat_run_free = run->next;
        ngx_wschat_run_nfree--;

    } else {
        run = ngx_calloc(sizeof(ngx_wschat_run_t), ngx_cycle->log);
        if (run == NULL) {
            return NULL;
        }

        run->pool = ngx_create_pool(NGX_WSCHAT_RUN_POOL, ngx_cycle->log);
        if (run->pool == NULL) {
            ngx_free(run);
            return NULL;
        }
    }

    run->api = api;
    run->session = s;
    run->orphan = orphan;
    run->id = s ? s->id : orphan ? orphan->peer.id : NULL;
    run->log = s ? s->connection->log : ngx_cycle->log;
    run->request = NULL;

    ngx_str_null(&run->route);
    ngx_str_null(&run->body);

    run->parsed = NULL;
    run->depth = 0;
    run->hooks = 0;
    run->steps = 0;
    run->phase = 0;
    run->fetched = 0;
    run->todo = NULL;
    run->todo_last = &run->todo;
    run->values = NULL;
    run->status = NGX_HTTP_OK;
    run->done = NULL;
    run->started = ngx_wschat_now();

    ngx_str_null(&run->answer);
    ngx_str_null(&run->end.reason);

    run->end.code = 0;

    ngx_memzero(&run->here, sizeof(ngx_wschat_here_t));

    run->suspended = 0;
    run->has_request_id = 0;
    run->has_message_id = 0;
    run->answer_json = 0;
    run->failed = 0;
    run->full = 0;
    run->accepted = 0;
    run->leaving = 0;
    run->no_hooks = 0;

    return run;
}


void
ngx_wschat_run_release(ngx_wschat_run_t *run)
{
    if (ngx_wschat_run_nfree == NGX_WSCHAT_RUN_SPARE) {
        ngx_wschat_json_free(&run->json);
        ngx_destroy_pool(run->pool);
        ngx_free(run);
        return;
    }

    ngx_reset_pool(run->pool);

    if (run->json.nalloc > NGX_WSCHAT_RUN_TOKENS) {
        ngx_wschat_json_free(&run->json);
    }

    run->next = ngx_wschat_run_free;
    ngx_wschat_run_free = run;
    ngx_wschat_run_nfree++;
}


ngx_int_t
ngx_wschat_run_message(ngx_wschat_session_t *s, u_char *data, size_t len)
{
    ngx_int_t            rc;
    ngx_wschat_run_t    *run;
    ngx_wschat_route_t  *route;

    run = ngx_wschat_run_create(s->api, s, NULL);
    if (run == NULL) {
        return NGX_ERROR;
    }

    run->in = NGX_WSCHAT_IN_MESSAGE;
    run->body.data = data;
    run->body.len = len;

    route = ngx_wschat_run_select(run);

    if (route == NULL) {
        ngx_log_error(NGX_LOG_INFO, run->log, 0,
                      "no route for the message, and no $default");

        ngx_wschat_run_error_frame(run, "Forbidden");
        ngx_wschat_run_release(run);
        return NGX_OK;
    }

    run->route = route->key;
    s->route = ngx_wschat_api_route_number(s->api, route);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, run->log, 0,
                   "wschat route \"%V\", message of %uz bytes",
                   &route->key, len);

    (void) ngx_wschat_run_block(run, &route->block);

    rc = ngx_wschat_run_go(run);

    if (rc == NGX_AGAIN) {
        s->run = run;
        run->done = ngx_wschat_run_message_done;
        return NGX_AGAIN;
    }

    ngx_wschat_run_release(run);

    return NGX_OK;
}


/* spec section 3.3; what starts with "$" is for us to select, not for them */

static ngx_wschat_route_t *
ngx_wschat_run_select(ngx_wschat_run_t *run)
{
    ngx_int_t            rc;
    ngx_str_t            key;
    ngx_uint_t           i, n, mid;
    ngx_wschat_api_t    *api;
    ngx_wschat_route_t  *routes;

    api = run->api;

    if (run->body.len == 0
        || ngx_wschat_json_parse(&run->json, run->body.data, run->body.len)
           != NGX_OK)
    {
        return api->on_default;
    }

    run->parsed = &run->json;

    ngx_wschat_buf_reset(&ngx_wschat_run_key);

    rc = ngx_wschat_expr_eval(api->selection, run->parsed, &run->body,
                              &ngx_wschat_run_key, &key);

    if (rc != NGX_OK || key.len == 0 || key.data[0] == '$') {
        return api->on_default;
    }

    routes = api->routes.elts;
    i = 0;
    n = api->routes.nelts;

    while (i < n) {
        mid = (i + n) / 2;

        rc = ngx_memn2cmp(key.data, routes[mid].key.data, key.len,
                          routes[mid].key.len);
        if (rc == 0) {
            return &routes[mid];
        }

        if (rc < 0) {
            n = mid;

        } else {
            i = mid + 1;
        }
    }

    return api->on_default;
}


static void
ngx_wschat_run_message_done(ngx_wschat_run_t *run)
{
    ngx_wschat_session_t  *s;

    s = run->session;

    if (s) {
        s->run = NULL;
        ngx_wschat_session_resume(s);

    } else {

        /* it ended meanwhile, which comes after its last message */

        ngx_wschat_run_disconnect(run->api, run->orphan, &run->end);
    }

    ngx_wschat_run_release(run);
}


ngx_int_t
ngx_wschat_run_connect(ngx_wschat_session_t *s, ngx_http_request_t *r,
    ngx_wschat_run_t **runp, ngx_wschat_run_done_pt done, void *data)
{
    ngx_wschat_run_t  *run;

    run = ngx_wschat_run_create(s->api, s, NULL);
    if (run == NULL) {
        return NGX_ERROR;
    }

    *runp = run;

    run->in = NGX_WSCHAT_IN_CONNECT;
    run->request = r;
    run->done = done;
    run->data = data;

    ngx_str_set(&run->route, "$connect");

    if (ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_CONNECT, 0, NULL, 0, NULL)
        != NGX_OK)
    {
        ngx_wschat_run_release(run);
        return NGX_ERROR;
    }

    if (s->api->on_connect) {
        (void) ngx_wschat_run_block(run, &s->api->on_connect->block);
    }

    return ngx_wschat_run_go(run);
}


void
ngx_wschat_run_cancel(ngx_wschat_run_t *run)
{
    ngx_wschat_session_t  *s;

    s = run->session;

    ngx_wschat_run_bequeath(run, ngx_wschat_run_bereave(s));

    run->request = NULL;
    run->done = ngx_wschat_run_orphan_done;
    run->accepted = 0;
    run->status = 0;

    ngx_wschat_session_discard(s);
}


/* the run, and an operation under way, go on without the session */

static void
ngx_wschat_run_bequeath(ngx_wschat_run_t *run, ngx_wschat_orphan_t *orphan)
{
    static u_char  nobody[NGX_WSCHAT_ID_LEN];

    run->session = NULL;
    run->orphan = orphan;
    run->log = ngx_cycle->log;

    if (orphan) {
        run->id = orphan->peer.id;

    } else {

        /* no memory: its steps are not run any more */

        run->id = nobody;
        run->depth = 0;
        run->hooks = 0;
        run->leaving = 1;
        run->todo = NULL;
        run->todo_last = &run->todo;
    }

    run->op.id = run->id;
    run->op.log = run->log;

    if (run->op.message.except) {
        run->op.message.except = run->id;
    }
}


void
ngx_wschat_run_ended(ngx_wschat_session_t *s, ngx_wschat_end_t *end)
{
    ngx_str_t             reason;
    ngx_wschat_orphan_t  *orphan;

    orphan = ngx_wschat_run_bereave(s);

    if (orphan == NULL) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "no memory to run $disconnect");

        if (s->run) {
            ngx_wschat_run_bequeath(s->run, NULL);
            s->run->done = ngx_wschat_run_release;
        }

        return;
    }

    if (s->run == NULL) {
        ngx_wschat_run_disconnect(s->api, orphan, end);
        return;
    }

    /* a message is still being worked on */

    ngx_wschat_run_bequeath(s->run, orphan);

    s->run->end.code = end->code;

    reason = end->reason;

    s->run->end.reason.data = ngx_pstrdup(orphan->pool, &reason);
    s->run->end.reason.len = s->run->end.reason.data ? reason.len : 0;
}


/* what is left of a session: it has no memberships and attributes any more */

static ngx_wschat_orphan_t *
ngx_wschat_run_bereave(ngx_wschat_session_t *s)
{
    ngx_uint_t             i, n;
    ngx_str_t             *name;
    ngx_pool_t            *pool;
    ngx_wschat_attr_t     *a, *copy;
    ngx_wschat_member_t   *m;
    ngx_wschat_orphan_t   *orphan;

    orphan = NULL;

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        goto done;
    }

    orphan = ngx_pcalloc(pool, sizeof(ngx_wschat_orphan_t));
    if (orphan == NULL) {
        goto failed;
    }

    orphan->pool = pool;
    orphan->accepted = 1;

    ngx_wschat_session_peer(s, &orphan->peer);

    orphan->peer.ip.data = ngx_pstrdup(pool, &s->connection->addr_text);
    if (orphan->peer.ip.data == NULL) {
        goto failed;
    }

    for (a = s->attrs; a; a = a->next) {
        copy = ngx_palloc(pool, sizeof(ngx_wschat_attr_t));
        if (copy == NULL) {
            goto failed;
        }

        copy->key.len = a->key.len;
        copy->key.data = ngx_pstrdup(pool, &a->key);
        copy->value.len = a->value.len;
        copy->value.data = ngx_pstrdup(pool, &a->value);

        if (copy->key.data == NULL || copy->value.data == NULL) {
            goto failed;
        }

        copy->next = orphan->attrs;
        orphan->attrs = copy;
    }

    n = 0;

    for (m = s->members; m; m = m->next) {
        n += (m->channel->kind == NGX_WSCHAT_TO_ROOM);
    }

    if (n) {
        orphan->rooms = ngx_palloc(pool, n * sizeof(ngx_str_t));
        if (orphan->rooms == NULL) {
            goto failed;
        }

        orphan->nrooms = n;
        i = n;

        for (m = s->members; m; m = m->next) {

            if (m->channel->kind != NGX_WSCHAT_TO_ROOM) {
                continue;
            }

            name = &orphan->rooms[--i];
            name->len = m->channel->node.str.len;
            name->data = ngx_pstrdup(pool, &m->channel->node.str);

            if (name->data == NULL) {
                goto failed;
            }
        }
    }

    goto done;

failed:

    ngx_destroy_pool(pool);
    orphan = NULL;

done:

    ngx_wschat_hub_drop(s);
    ngx_wschat_attr_free(&s->attrs);

    return orphan;
}


void
ngx_wschat_run_orphan(ngx_wschat_api_t *api, ngx_wschat_orphan_t *orphan)
{
    ngx_wschat_end_t  end;

    end.code = NGX_WSCHAT_CLOSE_ABNORMAL;
    ngx_str_set(&end.reason, "Connection closed abnormally");

    ngx_wschat_run_disconnect(api, orphan, &end);
}


static void
ngx_wschat_run_orphan_done(ngx_wschat_run_t *run)
{
    if (run->orphan) {
        ngx_destroy_pool(run->orphan->pool);
    }

    ngx_wschat_run_release(run);
}


static void
ngx_wschat_run_disconnect(ngx_wschat_api_t *api, ngx_wschat_orphan_t *orphan,
    ngx_wschat_end_t *end)
{
    ngx_wschat_run_t  *run;

    run = ngx_wschat_run_create(api, NULL, orphan);

    if (run == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "wschat api \"%V\": no memory to run $disconnect",
                      &api->name);

        ngx_destroy_pool(orphan->pool);
        return;
    }

    run->in = NGX_WSCHAT_IN_DISCONNECT;
    run->done = ngx_wschat_run_orphan_done;
    run->end.code = end->code;

    ngx_str_set(&run->route, "$disconnect");

    (void) ngx_wschat_run_copy(run, &run->end.reason, &end->reason);

    if (api->on_disconnect && orphan->accepted) {
        (void) ngx_wschat_run_block(run, &api->on_disconnect->block);
    }

    if (ngx_wschat_run_go(run) != NGX_AGAIN) {
        ngx_wschat_run_orphan_done(run);
    }
}


void
ngx_wschat_run_room_ended(ngx_wschat_api_t *api, ngx_str_t *name, void *room)
{
    ngx_wschat_run_t  *run;

    run = ngx_wschat_run_create(api, NULL, NULL);
    if (run == NULL) {
        return;
    }

    run->in = NGX_WSCHAT_IN_HOOK;
    run->done = ngx_wschat_run_release;

    ngx_str_set(&run->route, "on room_empty");

    if (ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_EVENT,
                            NGX_WSCHAT_ON_ROOM_EMPTY, name, 0, room)
        != NGX_OK
        || ngx_wschat_run_go(run) != NGX_AGAIN)
    {
        ngx_wschat_run_release(run);
    }
}


/* NGX_OK: all is done; NGX_AGAIN: it goes on with an event */

static ngx_int_t
ngx_wschat_run_go(ngx_wschat_run_t *run)
{
    ngx_int_t  rc;

    for ( ;; ) {

        if (run->todo) {
            rc = ngx_wschat_run_do(run);

        } else if (run->depth) {
            rc = ngx_wschat_run_next(run);

        } else if (run->leaving) {
            return NGX_OK;

        } else {

            if (run->in == NGX_WSCHAT_IN_CONNECT) {

                if (run->accepted) {
                    return NGX_OK;
                }

                run->accepted = (run->session && !run->failed
                                 && run->status >= NGX_HTTP_OK
                                 && run->status < NGX_HTTP_SPECIAL_RESPONSE);

                if (run->accepted) {

                    if (run->api->on_connect == NULL
                        || ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_ACCEPT, 0,
                                               NULL, 0, NULL)
                           != NGX_OK)
                    {
                        return NGX_OK;
                    }

                    continue;
                }

            } else if (run->in != NGX_WSCHAT_IN_DISCONNECT) {
                return NGX_OK;
            }

            run->leaving = 1;

            if (ngx_wschat_run_leave_all(run, NULL) != NGX_OK
                || ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_DISCONNECT, 0,
                                       NULL, 0, NULL)
                   != NGX_OK)
            {
                (void) ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
                return NGX_OK;
            }

            continue;
        }

        if (rc == NGX_AGAIN) {
            return ngx_wschat_run_suspend(run);
        }
    }
}


/* what belongs to the caller's event must be the run's own from now on */

static ngx_int_t
ngx_wschat_run_suspend(ngx_wschat_run_t *run)
{
    if (run->suspended) {
        return NGX_AGAIN;
    }

    run->suspended = 1;

    if (run->body.len) {

        if (ngx_wschat_run_copy(run, &run->body, &run->body) != NGX_OK) {
            run->body.len = 0;
            run->parsed = NULL;
            ngx_wschat_run_unwind(run, 1);
        }

        if (run->parsed) {
            run->json.text = run->body.data;
        }
    }

    return NGX_AGAIN;
}


static void
ngx_wschat_run_resume(ngx_wschat_run_t *run)
{
    if (ngx_wschat_run_go(run) != NGX_AGAIN) {
        run->done(run);
    }
}


static ngx_int_t
ngx_wschat_run_next(ngx_wschat_run_t *run)
{
    ngx_int_t            rc;
    ngx_wschat_step_t   *step;
    ngx_wschat_level_t  *level;

    level = &run->levels[run->depth - 1];

    if (level->i == level->block->steps.nelts) {
        ngx_wschat_run_pop(run);
        return NGX_OK;
    }

    step = level->block->steps.elts;
    step += level->i;

    if (run->steps == NGX_WSCHAT_RUN_STEPS) {
        (void) ngx_wschat_run_failed(run, NGX_LOG_ERR, "too many steps");
        ngx_wschat_run_abort(run);
        return NGX_OK;
    }

    /* before the call: a block that the step begins may take the level over */

    level->i++;

    rc = step->fetch ? ngx_wschat_run_fetch(run, step) : NGX_OK;

    if (rc == NGX_OK) {
        rc = step->handler(run, step->conf);
    }

    if (rc == NGX_AGAIN) {
        level->i--;
        return NGX_AGAIN;
    }

    run->steps++;
    run->phase = 0;
    run->fetched = 0;

    if (rc == NGX_DONE || rc == NGX_ERROR) {
        ngx_wschat_run_unwind(run, rc == NGX_ERROR);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_run_fetch(ngx_wschat_run_t *run, ngx_wschat_step_t *step)
{
    ngx_int_t          rc;
    ngx_wschat_ref_t  *ref, **refs;

    refs = step->fetch->elts;

    while (run->fetched < step->fetch->nelts) {
        ref = refs[run->fetched];

        if (run->values == NULL) {
            run->values = ngx_pcalloc(run->pool, run->api->variables.nelts
                                                 * sizeof(ngx_wschat_value_t));
            if (run->values == NULL) {
                return ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
            }
        }

        if (run->phase) {
            run->phase = 0;
            rc = run->op.rc;

        } else {
            rc = ngx_wschat_ref_fetch(run, ref);
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            ngx_str_set(&run->op.text, "[]");

        } else if (rc != NGX_OK) {
            return ngx_wschat_run_failed(run, NGX_LOG_ERR,
                                         "the store did not answer");
        }

        ngx_wschat_value_json(&run->values[ref->slot], run->op.text.data,
                              run->op.text.len);

        run->fetched++;
    }

    return NGX_OK;
}


/* the hook, or if it is not in one the route, ends here */

static void
ngx_wschat_run_unwind(ngx_wschat_run_t *run, ngx_uint_t failed)
{
    ngx_uint_t  hook;

    run->phase = 0;
    run->fetched = 0;

    do {
        hook = run->depth ? run->levels[run->depth - 1].hook : 0;

        if (run->depth) {
            ngx_wschat_run_pop(run);
        }

    } while (run->depth && !hook);

    if (failed && !hook) {
        ngx_wschat_run_fail(run);
    }
}


/* hooks cause one another without end: all ends, only rooms are still left */

static void
ngx_wschat_run_abort(ngx_wschat_run_t *run)
{
    run->no_hooks = 1;
    run->phase = 0;
    run->fetched = 0;

    while (run->depth) {
        ngx_wschat_run_pop(run);
    }

    ngx_wschat_run_fail(run);
}


static void
ngx_wschat_run_fail(ngx_wschat_run_t *run)
{
    run->failed = 1;

    if (run->in == NGX_WSCHAT_IN_MESSAGE) {
        ngx_wschat_run_error_frame(run, "Internal server error");
    }
}


static void
ngx_wschat_run_pop(ngx_wschat_run_t *run)
{
    ngx_wschat_level_t  *level;

    level = &run->levels[--run->depth];

    if (!level->hook) {
        return;
    }

    run->hooks--;
    run->here = level->here;

    if (level->ended
        && ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_END, 0, NULL, 0,
                               level->ended)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, run->log, 0,
                      "wschat: no memory to end a room");
    }

    if (level->todo) {
        *run->todo_last = level->todo;
        run->todo_last = level->todo_last;
    }
}


ngx_int_t
ngx_wschat_run_block(ngx_wschat_run_t *run, ngx_wschat_block_t *block)
{
    ngx_wschat_level_t  *level;

    if (run->depth) {
        level = &run->levels[run->depth - 1];

        if (level->i == level->block->steps.nelts && !level->hook) {

            /* nothing is left to do in the block around it */

            level->block = block;
            level->i = 0;

            return NGX_OK;
        }
    }

    return ngx_wschat_run_push(run, block);
}


static ngx_int_t
ngx_wschat_run_push(ngx_wschat_run_t *run, ngx_wschat_block_t *block)
{
    ngx_wschat_level_t  *level;

    if (run->depth == NGX_WSCHAT_RUN_DEPTH) {
        return ngx_wschat_run_failed(run, NGX_LOG_ERR,
                                     "too many blocks within blocks");
    }

    level = &run->levels[run->depth++];

    level->block = block;
    level->i = 0;
    level->hook = 0;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_run_todo(ngx_wschat_run_t *run, ngx_wschat_todo_e kind,
    ngx_wschat_event_e event, ngx_str_t *room, ngx_uint_t count, void *ended)
{
    ngx_wschat_todo_t  *todo;

    /* most events are nobody's concern */

    if (kind == NGX_WSCHAT_TODO_EVENT
        && (run->api->on[event] == NULL || run->no_hooks))
    {

        if (ended == NULL) {
            return NGX_OK;
        }

        kind = NGX_WSCHAT_TODO_END;
    }

    todo = ngx_pcalloc(run->pool, sizeof(ngx_wschat_todo_t));
    if (todo == NULL) {
        return NGX_ERROR;
    }

    todo->kind = kind;
    todo->event = event;
    todo->count = count;
    todo->ended = ended;

    if (room && ngx_wschat_run_copy(run, &todo->room, room) != NGX_OK) {
        return NGX_ERROR;
    }

    *run->todo_last = todo;
    run->todo_last = &todo->next;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_run_leave(ngx_wschat_run_t *run, ngx_str_t *room)
{
    return ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_LEAVE, 0, room, 0, NULL);
}


ngx_int_t
ngx_wschat_run_leave_all(ngx_wschat_run_t *run, ngx_str_t *except)
{
    ngx_str_t            *room;
    ngx_uint_t            i;
    ngx_wschat_member_t  *m;

    if (run->session) {

        for (m = run->session->members; m; m = m->next) {
            room = &m->channel->node.str;

            if (m->channel->kind != NGX_WSCHAT_TO_ROOM
                || (except && except->len == room->len
                    && ngx_memcmp(except->data, room->data, room->len) == 0))
            {
                continue;
            }

            if (ngx_wschat_run_leave(run, room) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        return NGX_OK;
    }

    for (i = 0; run->orphan && i < run->orphan->nrooms; i++) {

        if (ngx_wschat_run_leave(run, &run->orphan->rooms[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* works on the first thing to do */

static ngx_int_t
ngx_wschat_run_do(ngx_wschat_run_t *run)
{
    ngx_int_t           rc;
    ngx_wschat_todo_t  *todo;

    todo = run->todo;

    switch (todo->kind) {

    case NGX_WSCHAT_TODO_CONNECT:
        rc = ngx_wschat_run_do_connect(run);
        break;

    case NGX_WSCHAT_TODO_ACCEPT:
        rc = ngx_wschat_run_do_accept(run);
        break;

    case NGX_WSCHAT_TODO_LEAVE:
        rc = ngx_wschat_run_do_leave(run, todo);
        break;

    case NGX_WSCHAT_TODO_EVENT:
        rc = ngx_wschat_run_do_event(run, todo);
        break;

    case NGX_WSCHAT_TODO_END:
        rc = ngx_wschat_run_do_end(run, todo);
        break;

    default: /* NGX_WSCHAT_TODO_DISCONNECT */
        rc = ngx_wschat_run_do_disconnect(run);
        break;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    run->phase = 0;

    run->todo = todo->next;

    if (run->todo == NULL) {
        run->todo_last = &run->todo;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_run_do_connect(ngx_wschat_run_t *run)
{
    ngx_int_t         rc;
    ngx_table_elt_t  *ua;

    if (run->phase == 0) {
        ngx_wschat_run_op(run);
        ngx_wschat_session_peer(run->session, &run->op.peer);

        run->op.accepted = (run->api->on_connect == NULL);

        ua = run->request->headers_in.user_agent;

        if (ua) {
            run->op.peer.user_agent.data = ua->value.data;
            run->op.peer.user_agent.len = ngx_min(ua->value.len,
                                                  NGX_WSCHAT_MAX_UA);
        }

        rc = ngx_wschat_run_start(run, run->api->store->connect);

    } else {
        rc = run->op.rc;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {

        if (run->session) {
            run->session->stored = 1;
        }

        if (run->session == NULL || ngx_wschat_ref_capture(run) == NGX_OK) {
            return NGX_OK;
        }

        (void) ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
    }

    run->failed = 1;
    run->full = (rc == NGX_BUSY);
    run->depth = 0;

    return NGX_OK;
}


/*
 * The store is told that there will be a session, so that whoever finds it
 * without its worker runs $disconnect.
 */

static ngx_int_t
ngx_wschat_run_do_accept(ngx_wschat_run_t *run)
{
    if (run->phase) {
        return run->op.rc;
    }

    if (run->session == NULL) {
        return NGX_OK;
    }

    ngx_wschat_run_op(run);
    ngx_wschat_session_peer(run->session, &run->op.peer);

    run->op.accepted = 1;

    return ngx_wschat_run_start(run, run->api->store->connect);
}


static ngx_int_t
ngx_wschat_run_do_leave(ngx_wschat_run_t *run, ngx_wschat_todo_t *todo)
{
    ngx_int_t  rc;

    if (run->phase == 0) {

        if (run->session) {
            (void) ngx_wschat_hub_leave(run->session, NGX_WSCHAT_TO_ROOM,
                                        &todo->room);
        }

        ngx_wschat_run_op(run);

        run->op.name = todo->room;
        run->op.last = (ngx_wschat_hub_count(run->api, NGX_WSCHAT_TO_ROOM,
                                             &todo->room)
                        == 0);

        rc = ngx_wschat_run_start(run, run->api->store->leave);

    } else {
        rc = run->op.rc;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_EVENT,
                            NGX_WSCHAT_ON_MEMBER_LEAVE, &todo->room,
                            run->op.count, NULL)
        != NGX_OK)
    {
        return ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
    }

    if (run->op.ended
        && ngx_wschat_run_todo(run, NGX_WSCHAT_TODO_EVENT,
                               NGX_WSCHAT_ON_ROOM_EMPTY, &todo->room, 0,
                               run->op.room)
           != NGX_OK)
    {
        return ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_run_do_event(ngx_wschat_run_t *run, ngx_wschat_todo_t *todo)
{
    ngx_wschat_here_t   *here;
    ngx_wschat_level_t  *level;

    if (!run->no_hooks
        && ngx_wschat_run_push(run, &run->api->on[todo->event]->block)
           != NGX_OK)
    {
        ngx_wschat_run_abort(run);
    }

    if (run->no_hooks) {
        return todo->ended ? ngx_wschat_run_do_end(run, todo) : NGX_OK;
    }

    if (run->hooks++ == 0) {
        run->steps = 0;
    }

    level = &run->levels[run->depth - 1];

    level->hook = 1;
    level->ended = todo->ended;
    level->here = run->here;

    /* what follows this event has to wait until the hook is done */

    level->todo = todo->next;
    level->todo_last = run->todo_last;

    todo->next = NULL;
    run->todo_last = &todo->next;

    here = &run->here;

    if (!here->joined
        || todo->event == NGX_WSCHAT_ON_MEMBER_LEAVE
        || todo->event == NGX_WSCHAT_ON_ROOM_EMPTY
        || here->name.len != todo->room.len
        || ngx_memcmp(here->name.data, todo->room.data, todo->room.len) != 0)
    {
        ngx_memzero(here, sizeof(ngx_wschat_here_t));
    }

    here->name = todo->room;
    here->count = todo->count;
    here->set = 1;
    here->counted = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_wschat_run_do_end(ngx_wschat_run_t *run, ngx_wschat_todo_t *todo)
{
    if (run->phase) {
        return run->op.rc;
    }

    ngx_wschat_run_op(run);

    run->op.room = todo->ended;

    return ngx_wschat_run_start(run, run->api->store->end);
}


static ngx_int_t
ngx_wschat_run_do_disconnect(ngx_wschat_run_t *run)
{
    if (run->phase) {
        return run->op.rc;
    }

    if (run->id == NULL || run->full) {
        return NGX_OK;
    }

    ngx_wschat_run_op(run);

    return ngx_wschat_run_start(run, run->api->store->disconnect);
}


void
ngx_wschat_run_op(ngx_wschat_run_t *run)
{
    ngx_memzero(&run->op, sizeof(ngx_wschat_op_t));

    run->op.api = run->api;
    run->op.pool = run->pool;
    run->op.log = run->log;
    run->op.id = run->id;
    run->op.late_at = -1;
    run->op.record_late_at = -1;
    run->op.handler = ngx_wschat_run_op_handler;
    run->op.data = run;
}


ngx_int_t
ngx_wschat_run_start(ngx_wschat_run_t *run, ngx_wschat_store_pt start)
{
    ngx_int_t  rc;

    rc = start(&run->op);

    if (rc == NGX_AGAIN) {
        run->phase++;
    }

    return rc;
}


static void
ngx_wschat_run_op_handler(ngx_wschat_op_t *op)
{
    ngx_wschat_run_resume(op->data);
}


void
ngx_wschat_run_wait(ngx_wschat_run_t *run, ngx_msec_t ms)
{
    run->phase++;

    ngx_memzero(&run->timer, sizeof(ngx_event_t));

    run->timer.handler = ngx_wschat_run_timer_handler;
    run->timer.data = run;
    run->timer.log = ngx_cycle->log;

    ngx_queue_insert_tail(&ngx_wschat_run_waiting, &run->waiting);

    ngx_add_timer(&run->timer, ngx_wschat_run_hurried ? 0 : ms);
}


void
ngx_wschat_run_hurry(void)
{
    ngx_queue_t       *q;
    ngx_wschat_run_t  *run;

    ngx_wschat_run_hurried = 1;

    for (q = ngx_queue_head(&ngx_wschat_run_waiting);
         q != ngx_queue_sentinel(&ngx_wschat_run_waiting);
         q = ngx_queue_next(q))
    {
        run = ngx_queue_data(q, ngx_wschat_run_t, waiting);

        ngx_del_timer(&run->timer);
        ngx_add_timer(&run->timer, 0);
    }
}


static void
ngx_wschat_run_timer_handler(ngx_event_t *ev)
{
    ngx_wschat_run_t  *run = ev->data;

    ngx_queue_remove(&run->waiting);

    ngx_wschat_run_resume(run);
}


ngx_int_t
ngx_wschat_run_render(ngx_wschat_run_t *run, ngx_wschat_template_t *tpl,
    ngx_uint_t buf, ngx_str_t *body, ssize_t *late_at)
{
    ngx_int_t          rc;
    ngx_wschat_buf_t  *b;

    if (tpl->constant) {
        *body = tpl->literal;

        if (late_at) {
            *late_at = -1;
        }

        return NGX_OK;
    }

    b = &ngx_wschat_run_bufs[buf];

    ngx_wschat_buf_reset(b);
    b->max = run->api->max_body;

    rc = ngx_wschat_template_render(tpl, b, ngx_wschat_ref_resolve, run,
                                    late_at);

    if (rc == NGX_ERROR) {
        return ngx_wschat_run_failed(run, NGX_LOG_ERR,
                                     "the text would be longer than max_body");
    }

    body->len = ngx_wschat_buf_len(b);
    body->data = body->len ? b->start : (u_char *) "";

    return rc;
}


ngx_int_t
ngx_wschat_run_text(ngx_wschat_run_t *run, ngx_wschat_template_t *tpl,
    ngx_uint_t buf, ngx_str_t *text)
{
    ngx_wschat_buf_t   *b;
    ngx_wschat_value_t  v;

    /* mostly it is one reference, and then need not be copied */

    if (tpl->single) {
        b = &ngx_wschat_run_bufs[buf];

        ngx_wschat_buf_reset(b);
        b->max = run->api->max_body;

        if (ngx_wschat_ref_resolve(run, tpl->single, &v) != NGX_OK
            || ngx_wschat_value_str(&v, b, text) != NGX_OK)
        {
            return ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
        }

        /* the next reference may need the place of this one's text */

        if (text->data == run->text) {

            if (ngx_wschat_buf_append(b, text->data, text->len) != NGX_OK) {
                return ngx_wschat_run_failed(run, NGX_LOG_ERR, "no memory");
            }

            text->data = b->start;
        }

        return NGX_OK;
    }

    return ngx_wschat_run_render(run, tpl, buf, text, NULL) == NGX_ERROR
           ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_wschat_run_name(ngx_wschat_run_t *run, ngx_wschat_template_t *tpl,
    ngx_str_t *name)
{
    if (ngx_wschat_run_text(run, tpl, NGX_WSCHAT_RUN_NAME, name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name->len == 0) {
        return ngx_wschat_run_failed(run, NGX_LOG_INFO,
                                     "the name of a room is empty");
    }

    if (name->len > NGX_WSCHAT_MAX_NAME) {
        return ngx_wschat_run_failed(run, NGX_LOG_INFO,
                                "the name of a room is too long");
    }

    return NGX_OK;
}


ngx_int_t
ngx_wschat_run_reply(ngx_wschat_run_t *run, ngx_str_t *body,
    ngx_uint_t ephemeral)
{
    ngx_wschat_frame_t  *frame;

    if (run->session == NULL) {
        return NGX_OK;
    }

    frame = ngx_wschat_frame_create(NGX_WSCHAT_OP_TEXT, body->data, body->len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    frame->ephemeral = ephemeral;

    (void) ngx_wschat_session_send(run->session, frame);

    ngx_wschat_frame_unref(frame);

    return NGX_OK;
}


/* spec section 4.1, byte for byte */

static void
ngx_wschat_run_error_frame(ngx_wschat_run_t *run, char *message)
{
    u_char     buf[160], id[NGX_WSCHAT_ID_TEXT_LEN];
    ngx_str_t  body;

    ngx_wschat_id_text(id, run->id);

    body.data = buf;
    body.len = ngx_snprintf(buf, sizeof(buf),
                            "{\"message\": \"%s\", \"connectionId\":\"%*s\", "
                            "\"requestId\":\"%*s\"}",
                            message, (size_t) NGX_WSCHAT_ID_TEXT_LEN, id,
                            (size_t) NGX_WSCHAT_REQUEST_ID_LEN,
                            ngx_wschat_run_request_id(run))
               - buf;

    (void) ngx_wschat_run_reply(run, &body, 0);
}


ngx_int_t
ngx_wschat_run_failed(ngx_wschat_run_t *run, ngx_uint_t level,
    const char *why)
{
    u_char               id[NGX_WSCHAT_ID_TEXT_LEN];
    size_t               len;
    ngx_wschat_step_t   *step;
    ngx_wschat_level_t  *at;

    len = 0;

    /* a session's own log lines have it anyway */

    if (run->id
        && (run->session == NULL || run->in == NGX_WSCHAT_IN_CONNECT))
    {
        ngx_wschat_id_text(id, run->id);
        len = NGX_WSCHAT_ID_TEXT_LEN;
    }

    at = run->depth ? &run->levels[run->depth - 1] : NULL;

    if (at && at->i) {
        step = at->block->steps.elts;
        step += at->i - 1;

        ngx_log_error(level, run->log, 0,
                      "wschat route \"%V\": %s, in step \"%s\" in %s:%ui%s%*s",
                      &run->route, why, step->name, step->file, step->line,
                      len ? ", connection: " : "", len, id);

    } else {
        ngx_log_error(level, run->log, 0, "wschat route \"%V\": %s%s%*s",
                      &run->route, why, len ? ", connection: " : "", len, id);
    }

    return NGX_ERROR;
}


ngx_wschat_attr_t **
ngx_wschat_run_attrs(ngx_wschat_run_t *run)
{
    static ngx_wschat_attr_t  *none;

    return run->session ? &run->session->attrs
           : run->orphan ? &run->orphan->attrs : &none;
}


ngx_str_t *
ngx_wschat_run_room(ngx_wschat_run_t *run)
{
    ngx_wschat_member_t  *m;

    if (run->session) {

        for (m = run->session->members; m; m = m->next) {

            if (m->channel->kind == NGX_WSCHAT_TO_ROOM) {
                return &m->channel->node.str;
            }
        }

        return NULL;
    }

    if (run->orphan && run->orphan->nrooms) {
        return &run->orphan->rooms[run->orphan->nrooms - 1];
    }

    return NULL;
}


ngx_int_t
ngx_wschat_run_copy(ngx_wschat_run_t *run, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(run->pool, src->len ? src->len : 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (src->len) {
        ngx_memcpy(p, src->data, src->len);
    }

    dst->data = p;
    dst->len = src->len;

    return NGX_OK;
}


u_char *
ngx_wschat_run_request_id(ngx_wschat_run_t *run)
{
    if (!run->has_request_id) {
        ngx_wschat_id_request(run->request_id);
        run->has_request_id = 1;
    }

    return run->request_id;
}


u_char *
ngx_wschat_run_message_id(ngx_wschat_run_t *run)
{
    if (!run->has_message_id) {
        ngx_wschat_id_request(run->message_id);
        run->has_message_id = 1;
    }

    return run->message_id;
}
