
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "zone_stubs.h"


ngx_uint_t            stub_slot;
uint32_t              stub_generation[NGX_WSCHAT_SLOTS];
uint64_t              stub_live;
uint64_t              stub_released;

stub_session_t        stub_sessions[SESSIONS];

ngx_wschat_api_t     *stub_apis[APIS];

uint64_t              stub_relay_slots;
ngx_wschat_message_t  stub_relay_message;
u_char                stub_relay_body[65536];
ngx_uint_t            stub_relays;

ngx_wschat_call_e     stub_call;


ngx_uint_t
ngx_wschat_bus_slot(void)
{
    return stub_slot;
}


uint32_t
ngx_wschat_bus_generation(void)
{
    return stub_generation[stub_slot];
}


uint64_t
ngx_wschat_bus_live(void)
{
    return stub_live;
}


void
ngx_wschat_bus_release(ngx_uint_t slot)
{
    stub_released |= (uint64_t) 1 << slot;
    stub_live &= ~((uint64_t) 1 << slot);
}


ngx_wschat_api_t *
ngx_wschat_api_find(ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < APIS; i++) {
        if (stub_apis[i]
            && stub_apis[i]->name.len == name->len
            && ngx_memcmp(stub_apis[i]->name.data, name->data, name->len) == 0)
        {
            return stub_apis[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_wschat_relay(ngx_wschat_api_t *api, uint64_t slots,
    ngx_wschat_message_t *message)
{
    stub_relays++;
    stub_relay_slots = slots;
    stub_relay_message = *message;

    if (message->body.len < sizeof(stub_relay_body)) {
        ngx_memcpy(stub_relay_body, message->body.data, message->body.len);
        stub_relay_body[message->body.len] = '\0';
    }

    return NGX_OK;
}


ngx_int_t
ngx_wschat_call(ngx_wschat_op_t *op, ngx_wschat_call_e call)
{
    stub_call = call;

    return ngx_wschat_session_find(op->id) ? NGX_OK : NGX_DECLINED;
}


ngx_wschat_session_t *
stub_open(ngx_uint_t i, ngx_wschat_api_t *api)
{
    ngx_wschat_session_t  *s;

    ngx_memzero(&stub_sessions[i], sizeof(stub_session_t));

    stub_sessions[i].slot = stub_slot;
    stub_sessions[i].open = 1;

    s = &stub_sessions[i].s;
    s->api = api;
    s->connected = 1700000000000 + i;

    (void) ngx_wschat_id_create(s->id, 1, stub_slot, i);

    return s;
}


void
stub_close(ngx_uint_t i)
{
    ngx_wschat_attr_t     *attr;
    ngx_wschat_member_t   *m;
    ngx_wschat_session_t  *s;

    s = &stub_sessions[i].s;

    while (s->members) {
        m = s->members;
        s->members = m->next;
        free(m->channel);
        free(m);
    }

    while (s->attrs) {
        attr = s->attrs;
        s->attrs = attr->next;
        free(attr);
    }

    stub_sessions[i].open = 0;
}


void
stub_attr(ngx_wschat_session_t *s, char *key, char *value)
{
    size_t              k, v;
    ngx_wschat_attr_t  *attr, **p;

    k = strlen(key);
    v = strlen(value);

    for (p = &s->attrs; *p; p = &(*p)->next) {
        if ((*p)->key.len == k && memcmp((*p)->key.data, key, k) == 0) {
            attr = *p;
            *p = attr->next;
            free(attr);
            break;
        }
    }

    if (v == 0) {
        return;
    }

    attr = malloc(sizeof(ngx_wschat_attr_t) + k + v);
    attr->key.len = k;
    attr->key.data = (u_char *) (attr + 1);
    attr->value.len = v;
    attr->value.data = attr->key.data + k;
    memcpy(attr->key.data, key, k);
    memcpy(attr->value.data, value, v);

    attr->next = s->attrs;
    s->attrs = attr;
}


ngx_wschat_session_t *
ngx_wschat_session_find(const u_char *id)
{
    ngx_uint_t       i;
    stub_session_t  *stub;

    i = ngx_wschat_id_index(id);

    if (i >= SESSIONS) {
        return NULL;
    }

    stub = &stub_sessions[i];

    if (!stub->open || stub->slot != stub_slot
        || ngx_memcmp(stub->s.id, id, NGX_WSCHAT_ID_LEN) != 0)
    {
        return NULL;
    }

    return &stub->s;
}


ngx_wschat_session_t *
ngx_wschat_session_next(ngx_uint_t *at)
{
    stub_session_t  *stub;

    while (*at < SESSIONS) {
        stub = &stub_sessions[(*at)++];

        if (stub->open && stub->slot == stub_slot) {
            return &stub->s;
        }
    }

    return NULL;
}


void
ngx_wschat_session_peer(ngx_wschat_session_t *s, ngx_wschat_peer_t *peer)
{
    ngx_memcpy(peer->id, s->id, NGX_WSCHAT_ID_LEN);

    peer->connected = s->connected;
    peer->last_active = s->connected;
    ngx_str_set(&peer->ip, "192.0.2.1");
    ngx_str_null(&peer->user_agent);
}


ngx_wschat_member_t *
ngx_wschat_hub_member(ngx_wschat_session_t *s, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_str_t            *str;
    ngx_wschat_member_t  *m;

    for (m = s->members; m; m = m->next) {
        str = &m->channel->node.str;

        if (m->channel->kind == kind && str->len == name->len
            && memcmp(str->data, name->data, name->len) == 0)
        {
            return m;
        }
    }

    return NULL;
}


/* a channel of its own for each member */

ngx_int_t
ngx_wschat_hub_join(ngx_wschat_session_t *s, ngx_wschat_target_e kind,
    ngx_str_t *name, uint64_t epoch, uint64_t offset)
{
    ngx_wschat_member_t   *m;
    ngx_wschat_channel_t  *ch;

    m = ngx_wschat_hub_member(s, kind, name);

    if (m == NULL) {
        ch = calloc(1, sizeof(ngx_wschat_channel_t) + name->len);
        ch->kind = kind;
        ch->node.str.len = name->len;
        ch->node.str.data = (u_char *) (ch + 1);
        memcpy(ch->node.str.data, name->data, name->len);

        m = calloc(1, sizeof(ngx_wschat_member_t));
        m->session = s;
        m->channel = ch;
        m->next = s->members;
        s->members = m;
    }

    m->channel->epoch = epoch;
    m->channel->offset = offset;

    return NGX_OK;
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
    free(m->channel);
    free(m);

    return NGX_OK;
}


ngx_uint_t
ngx_wschat_hub_count(ngx_wschat_api_t *api, ngx_wschat_target_e kind,
    ngx_str_t *name)
{
    ngx_uint_t             at, n;
    ngx_wschat_session_t  *s;

    n = 0;

    for (at = 0; (s = ngx_wschat_session_next(&at)) != NULL; /* void */) {
        if (s->api == api && ngx_wschat_hub_member(s, kind, name)) {
            n++;
        }
    }

    return n;
}
