
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_hub.h"
#include "route/ngx_wschat_api.h"
#include "session/ngx_wschat_session.h"
#include "ws/ngx_wschat_frame.h"


/* a message that came before those it follows */

typedef struct {
    ngx_queue_t             queue;
    uint64_t                offset;
    ngx_wschat_frame_t     *frame;
    u_char                  except[NGX_WSCHAT_ID_LEN];
    unsigned                has_except:1;
} ngx_wschat_held_t;


static ngx_wschat_channel_t *ngx_wschat_hub_channel(ngx_wschat_api_t *api,
    ngx_wschat_target_e kind, ngx_str_t *name);
static ngx_wschat_channel_t *ngx_wschat_hub_create(ngx_wschat_api_t *api,
    ngx_wschat_target_e kind, ngx_str_t *name);
static void ngx_wschat_hub_remove(ngx_wschat_member_t *m);
static ngx_int_t ngx_wschat_hub_room(ngx_wschat_channel_t *ch,
    ngx_wschat_message_t *message, ngx_wschat_frame_t *frame);
static void ngx_wschat_hub_fan_out(ngx_wschat_channel_t *ch,
    ngx_wschat_frame_t *frame, const u_char *except, uint64_t offset);
static ngx_int_t ngx_wschat_hub_hold(ngx_wschat_channel_t *ch,
    ngx_wschat_message_t *message, ngx_wschat_frame_t *frame);
static void ngx_wschat_hub_release(ngx_wschat_channel_t *ch);
static void ngx_wschat_hub_give_up(ngx_wschat_channel_t *ch);
static void ngx_wschat_hub_gap_handler(ngx_event_t *ev);
static void ngx_wschat_hub_rbtree_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


static ngx_rbtree_t           ngx_wschat_hub_tree;
static ngx_rbtree_node_t      ngx_wschat_hub_sentinel;
static ngx_queue_t            ngx_wschat_hub_gaps;
static ngx_event_t            ngx_wschat_hub_timer;
static ngx_wschat_hub_stat_t  ngx_wschat_hub_stats;

/* memberships and channels come and go all the time */

static ngx_wschat_member_t   *ngx_wschat_hub_free;


ngx_int_t
ngx_wschat_hub_init_process(ngx_cycle_t *cycle)
{
    ngx_rbtree_init(&ngx_wschat_hub_tree, &ngx_wschat_hub_sentinel,
                    ngx_wschat_hub_rbtree_insert);

    ngx_queue_init(&ngx_wschat_hub_gaps);

    ngx_wschat_hub_timer.handler = ngx_wschat_hub_gap_handler;
    ngx_wschat_hub_timer.log = cycle->log;
    ngx_wschat_hub_timer.data = &ngx_wschat_hub_timer;
    ngx_wschat_hub_timer.cancelable = 1;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_hub_join(ngx_wschat_session_t *s, ngx_wschat_target_e kind,
    ngx_str_t *name, uint64_t epoch, uint64_t offset)
{
    ngx_uint_t             i, size;
    ngx_wschat_member_t   *m, **members;
    ngx_wschat_channel_t  *ch;

    ch = ngx_wschat_hub_channel(s->api, kind, name);

    if (ch == NULL) {
        ch = ngx_wschat_hub_create(s->api, kind, name);
        if (ch == NULL) {
            return NGX_ERROR;
        }

        ch->epoch = epoch;
        ch->offset = offset;

    } else if (ch->epoch != epoch) {

        /*
         * a room of this name ended and began again, or the store had to:
         * what is held is of the old one
         */

        ngx_wschat_hub_give_up(ch);

        ch->epoch = epoch;
        ch->offset = offset;

        for (i = 0; i < ch->n; i++) {
            ch->members[i]->from = 0;
        }
    }

    if (ngx_wschat_hub_member(s, kind, name) != NULL) {
        return NGX_OK;
    }

    if (ch->n == ch->size) {
        size = ch->size ? ch->size * 2 : 4;

        members = ngx_alloc(size * sizeof(ngx_wschat_member_t *),
                            ngx_cycle->log);
        if (members == NULL) {
            goto failed;
        }

        if (ch->members) {
            ngx_memcpy(members, ch->members,
                       ch->n * sizeof(ngx_wschat_member_t *));
            ngx_free(ch->members);
        }

        ch->members = members;
        ch->size = size;
    }

    m = ngx_wschat_hub_free;

    if (m) {
        ngx_wschat_hub_free = m->next;

    } else {
        m = ngx_alloc(sizeof(ngx_wschat_member_t), ngx_cycle->log);
        if (m == NULL) {
            goto failed;
        }
    }

    m->session = s;
    m->channel = ch;
    m->next = s->members;
    m->index = ch->n;
    m->from = offset;

    s->members = m;
    ch->members[ch->n++] = m;

    return NGX_OK;

failed:

    if (ch->n == 0) {
        ngx_rbtree_delete(&ngx_wschat_hub_tree, &ch->node.node);
        ngx_free(ch);
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_wschat_hub_leave(ngx_wschat_session_t *s, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_wschat_member_t  *m, **p;

    m = ngx_wschat_hub_member(s, kind, name);
    if (m == NULL) {
        return NGX_DECLINED;
    }

    for (p = &s->members; *p != m; p = &(*p)->next) { /* void */ }

    *p = m->next;

    ngx_wschat_hub_remove(m);

    return NGX_OK;
}


void
ngx_wschat_hub_drop(ngx_wschat_session_t *s)
{
    ngx_wschat_member_t  *m;

    while (s->members) {
        m = s->members;
        s->members = m->next;
        ngx_wschat_hub_remove(m);
    }
}


/* the session's list does not have it any more */

static void
ngx_wschat_hub_remove(ngx_wschat_member_t *m)
{
    ngx_wschat_member_t   *last;
    ngx_wschat_channel_t  *ch;

    ch = m->channel;

    last = ch->members[--ch->n];
    ch->members[m->index] = last;
    last->index = m->index;

    m->next = ngx_wschat_hub_free;
    ngx_wschat_hub_free = m;

    if (ch->n) {
        return;
    }

    ngx_wschat_hub_give_up(ch);

    ngx_rbtree_delete(&ngx_wschat_hub_tree, &ch->node.node);

    ngx_free(ch->members);
    ngx_free(ch);
}


ngx_uint_t
ngx_wschat_hub_count(ngx_wschat_api_t *api, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_wschat_channel_t  *ch;

    ch = ngx_wschat_hub_channel(api, kind, name);

    return ch ? ch->n : 0;
}


ngx_wschat_member_t *
ngx_wschat_hub_member(ngx_wschat_session_t *s, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_str_t            *str;
    ngx_wschat_member_t  *m;

    for (m = s->members; m; m = m->next) {
        str = &m->channel->node.str;

        if (m->channel->kind == kind
            && str->len == name->len
            && ngx_memcmp(str->data, name->data, name->len) == 0)
        {
            return m;
        }
    }

    return NULL;
}


ngx_int_t
ngx_wschat_hub_deliver(ngx_wschat_api_t *api, ngx_wschat_message_t *message)
{
    ngx_int_t              rc;
    ngx_uint_t             at;
    ngx_wschat_frame_t    *frame;
    ngx_wschat_channel_t  *ch;
    ngx_wschat_session_t  *s;

    ch = NULL;
    s = NULL;

    switch (message->target) {

    case NGX_WSCHAT_TO_ROOM:
    case NGX_WSCHAT_TO_USER:
        ch = ngx_wschat_hub_channel(api, message->target, &message->name);
        if (ch == NULL) {
            return NGX_OK;
        }

        break;

    case NGX_WSCHAT_TO_CONNECTION:
        s = ngx_wschat_session_find(message->id);
        if (s == NULL || s->api != api) {
            return NGX_OK;
        }

        break;

    case NGX_WSCHAT_TO_ALL:
        break;
    }

    frame = ngx_wschat_frame_create(NGX_WSCHAT_OP_TEXT, message->body.data,
                                    message->body.len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    frame->ephemeral = message->ephemeral;

    rc = NGX_OK;

    switch (message->target) {

    case NGX_WSCHAT_TO_ROOM:
        rc = ngx_wschat_hub_room(ch, message, frame);
        break;

    case NGX_WSCHAT_TO_USER:
        ngx_wschat_hub_fan_out(ch, frame, message->except, 1);
        break;

    case NGX_WSCHAT_TO_CONNECTION:
        ngx_wschat_hub_stats.delivered++;
        (void) ngx_wschat_session_send(s, frame);
        break;

    case NGX_WSCHAT_TO_ALL:

        for (at = 0; (s = ngx_wschat_session_next(&at)) != NULL; /* void */) {

            if (s->api != api
                || (message->except
                    && ngx_memcmp(s->id, message->except, NGX_WSCHAT_ID_LEN)
                       == 0))
            {
                continue;
            }

            ngx_wschat_hub_stats.delivered++;
            (void) ngx_wschat_session_send(s, frame);
        }

        break;
    }

    ngx_wschat_frame_unref(frame);

    return rc;
}


static ngx_int_t
ngx_wschat_hub_room(ngx_wschat_channel_t *ch, ngx_wschat_message_t *message,
    ngx_wschat_frame_t *frame)
{
    if (message->epoch != ch->epoch || message->offset <= ch->offset) {

        /*
         * of a room of this name that has ended, or from before the first
         * session of this worker joined
         */

        return NGX_OK;
    }

    if (message->offset != ch->offset + 1) {
        return ngx_wschat_hub_hold(ch, message, frame);
    }

    ch->offset++;

    ngx_wschat_hub_fan_out(ch, frame, message->except, ch->offset);

    if (ch->nheld) {
        ngx_wschat_hub_release(ch);
    }

    return NGX_OK;
}


static void
ngx_wschat_hub_fan_out(ngx_wschat_channel_t *ch, ngx_wschat_frame_t *frame,
    const u_char *except, uint64_t offset)
{
    ngx_uint_t             i;
    ngx_wschat_member_t   *m;
    ngx_wschat_session_t  *s;

    for (i = 0; i < ch->n; i++) {
        m = ch->members[i];
        s = m->session;

        if (m->from >= offset) {

            /* it joined later, and has this from the log */

            continue;
        }

        if (except && ngx_memcmp(s->id, except, NGX_WSCHAT_ID_LEN) == 0) {
            continue;
        }

        (void) ngx_wschat_session_send(s, frame);
    }

    ngx_wschat_hub_stats.delivered += ch->n;
}


static ngx_int_t
ngx_wschat_hub_hold(ngx_wschat_channel_t *ch, ngx_wschat_message_t *message,
    ngx_wschat_frame_t *frame)
{
    ngx_queue_t        *q;
    ngx_wschat_held_t  *held, *other;

    if (ch->nheld == NGX_WSCHAT_HUB_HELD
        || ch->bytes > NGX_WSCHAT_HUB_BYTES)
    {
        ngx_wschat_hub_give_up(ch);
        return ngx_wschat_hub_room(ch, message, frame);
    }

    held = ngx_alloc(sizeof(ngx_wschat_held_t), ngx_cycle->log);
    if (held == NULL) {
        return NGX_ERROR;
    }

    frame->refs++;

    held->offset = message->offset;
    held->frame = frame;
    held->has_except = (message->except != NULL);

    if (message->except) {
        ngx_memcpy(held->except, message->except, NGX_WSCHAT_ID_LEN);
    }

    if (ch->nheld == 0) {
        ch->since = ngx_current_msec;
        ngx_queue_insert_tail(&ngx_wschat_hub_gaps, &ch->gaps);

        if (!ngx_wschat_hub_timer.timer_set) {
            ngx_add_timer(&ngx_wschat_hub_timer, NGX_WSCHAT_HUB_GAP);
        }
    }

    /* mostly it belongs at the end */

    for (q = ngx_queue_last(&ch->held);
         q != ngx_queue_sentinel(&ch->held);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_wschat_held_t, queue);

        if (other->offset < held->offset) {
            break;
        }
    }

    ngx_queue_insert_after(q, &held->queue);

    ch->nheld++;
    ch->bytes += frame->len;
    ngx_wschat_hub_stats.held++;

    return NGX_OK;
}


/* what was held and is next in order now */

static void
ngx_wschat_hub_release(ngx_wschat_channel_t *ch)
{
    ngx_queue_t        *q;
    ngx_wschat_held_t  *held;

    while (ch->nheld) {
        q = ngx_queue_head(&ch->held);
        held = ngx_queue_data(q, ngx_wschat_held_t, queue);

        if (held->offset > ch->offset + 1) {
            ch->since = ngx_current_msec;
            return;
        }

        ngx_queue_remove(q);
        ch->nheld--;
        ch->bytes -= held->frame->len;

        if (held->offset == ch->offset + 1) {
            ch->offset++;
            ngx_wschat_hub_fan_out(ch, held->frame,
                                   held->has_except ? held->except : NULL,
                                   ch->offset);
        }

        ngx_wschat_frame_unref(held->frame);
        ngx_free(held);
    }

    ngx_queue_remove(&ch->gaps);
}


/* delivers all that is held, over all gaps */

static void
ngx_wschat_hub_give_up(ngx_wschat_channel_t *ch)
{
    uint64_t            missing;
    ngx_queue_t        *q;
    ngx_wschat_held_t  *held;

    missing = 0;

    while (ch->nheld) {
        q = ngx_queue_head(&ch->held);
        held = ngx_queue_data(q, ngx_wschat_held_t, queue);

        missing += held->offset - ch->offset - 1;

        ch->offset = held->offset - 1;
        ngx_wschat_hub_release(ch);
    }

    if (missing == 0) {
        return;
    }

    ngx_wschat_hub_stats.gaps++;

    if (ch->n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "wschat api \"%V\": room \"%V\" has a gap: "
                      "%uL messages before offset %uL did not come",
                      &ch->api->name, &ch->node.str, missing, ch->offset);
    }
}


static void
ngx_wschat_hub_gap_handler(ngx_event_t *ev)
{
    ngx_msec_t             age;
    ngx_queue_t           *q, *next;
    ngx_wschat_channel_t  *ch;

    for (q = ngx_queue_head(&ngx_wschat_hub_gaps);
         q != ngx_queue_sentinel(&ngx_wschat_hub_gaps);
         q = next)
    {
        next = ngx_queue_next(q);
        ch = ngx_queue_data(q, ngx_wschat_channel_t, gaps);

        age = ngx_current_msec - ch->since;

        if (age >= NGX_WSCHAT_HUB_GAP) {
            ngx_wschat_hub_give_up(ch);
        }
    }

    if (!ngx_queue_empty(&ngx_wschat_hub_gaps)) {
        ngx_add_timer(ev, NGX_WSCHAT_HUB_GAP / 4);
    }
}


static ngx_wschat_channel_t *
ngx_wschat_hub_channel(ngx_wschat_api_t *api, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    uint32_t               hash;
    ngx_int_t              rc;
    ngx_rbtree_node_t     *node;
    ngx_wschat_channel_t  *ch;

    hash = ngx_murmur_hash2(name->data, name->len);

    node = ngx_wschat_hub_tree.root;

    while (node != &ngx_wschat_hub_sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        ch = (ngx_wschat_channel_t *) node;

        if (ch->api != api) {
            node = (api < ch->api) ? node->left : node->right;
            continue;
        }

        if (ch->kind != kind) {
            node = (kind < ch->kind) ? node->left : node->right;
            continue;
        }

        rc = ngx_memn2cmp(name->data, ch->node.str.data, name->len,
                          ch->node.str.len);
        if (rc == 0) {
            return ch;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_wschat_hub_rbtree_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t     **p;
    ngx_wschat_channel_t   *ch, *t;

    ch = (ngx_wschat_channel_t *) node;

    for ( ;; ) {
        t = (ngx_wschat_channel_t *) temp;

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else if (ch->api != t->api) {
            p = (ch->api < t->api) ? &temp->left : &temp->right;

        } else if (ch->kind != t->kind) {
            p = (ch->kind < t->kind) ? &temp->left : &temp->right;

        } else {
            p = (ngx_memn2cmp(ch->node.str.data, t->node.str.data,
                              ch->node.str.len, t->node.str.len)
                 < 0) ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_wschat_channel_t *
ngx_wschat_hub_create(ngx_wschat_api_t *api, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_wschat_channel_t  *ch;

    ch = ngx_calloc(sizeof(ngx_wschat_channel_t) + name->len, ngx_cycle->log);
    if (ch == NULL) {
        return NULL;
    }

    ch->api = api;
    ch->kind = kind;

    ch->node.str.data = (u_char *) ch + sizeof(ngx_wschat_channel_t);
    ch->node.str.len = name->len;
    ngx_memcpy(ch->node.str.data, name->data, name->len);

    ngx_queue_init(&ch->held);

    ch->node.node.key = ngx_murmur_hash2(name->data, name->len);
    ngx_rbtree_insert(&ngx_wschat_hub_tree, &ch->node.node);

    return ch;
}


void
ngx_wschat_hub_stat(ngx_wschat_hub_stat_t *stat)
{
    *stat = ngx_wschat_hub_stats;
}
