
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_relay.h"
#include "ngx_wschat_wire.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_hub.h"
#include "route/ngx_wschat_api.h"


/*
 * A message's record: target (1), flags (1), lengths of the api's (2) and the
 * channel's (2) name, epoch (8), offset (8), the ids that the flags say (16
 * each), the names, and the body to the end.
 */

#define NGX_WSCHAT_RELAY_EPHEMERAL  0x01
#define NGX_WSCHAT_RELAY_ID         0x02
#define NGX_WSCHAT_RELAY_EXCEPT     0x04

#define NGX_WSCHAT_RELAY_FIXED      (1 + 1 + 2 + 2 + 8 + 8)


static ngx_int_t ngx_wschat_relay_send(ngx_wschat_api_t *api, uint64_t slots,
    ngx_wschat_message_t *message);


ngx_int_t
ngx_wschat_relay(ngx_wschat_api_t *api, uint64_t slots,
    ngx_wschat_message_t *message)
{
    uint64_t   self;
    ngx_int_t  rc;

    self = (uint64_t) 1 << ngx_wschat_bus_slot();
    rc = NGX_OK;

    if (slots & ~self) {
        rc = ngx_wschat_relay_send(api, slots & ~self, message);
    }

    if (slots & self) {
        if (ngx_wschat_hub_deliver(api, message) != NGX_OK) {
            rc = NGX_ERROR;
        }
    }

    return rc;
}


static ngx_int_t
ngx_wschat_relay_send(ngx_wschat_api_t *api, uint64_t slots,
    ngx_wschat_message_t *message)
{
    u_char     *p;
    ngx_str_t   parts[4];
    ngx_uint_t  flags;
    u_char      head[NGX_WSCHAT_WIRE_HEAD + NGX_WSCHAT_RELAY_FIXED
                     + 2 * NGX_WSCHAT_ID_LEN];

    flags = 0;

    if (message->ephemeral) {
        flags |= NGX_WSCHAT_RELAY_EPHEMERAL;
    }

    if (message->target == NGX_WSCHAT_TO_CONNECTION) {
        flags |= NGX_WSCHAT_RELAY_ID;
    }

    if (message->except != NULL) {
        flags |= NGX_WSCHAT_RELAY_EXCEPT;
    }

    parts[1] = api->name;
    parts[2] = message->name;
    parts[3] = message->body;

    p = ngx_wschat_wire_put_head(head, NGX_WSCHAT_WIRE_MESSAGE);
    p = ngx_wschat_wire_put_u8(p, message->target);
    p = ngx_wschat_wire_put_u8(p, flags);
    p = ngx_wschat_wire_put_u16(p, parts[1].len);
    p = ngx_wschat_wire_put_u16(p, parts[2].len);
    p = ngx_wschat_wire_put_u64(p, message->epoch);
    p = ngx_wschat_wire_put_u64(p, message->offset);

    if (flags & NGX_WSCHAT_RELAY_ID) {
        p = ngx_cpymem(p, message->id, NGX_WSCHAT_ID_LEN);
    }

    if (flags & NGX_WSCHAT_RELAY_EXCEPT) {
        p = ngx_cpymem(p, message->except, NGX_WSCHAT_ID_LEN);
    }

    parts[0].data = head;
    parts[0].len = p - head;

    return ngx_wschat_bus_send(slots, parts, 4);
}


void
ngx_wschat_relay_record(ngx_uint_t from, u_char *data, size_t len)
{
    size_t                 api_len, name_len;
    ngx_str_t              name;
    ngx_uint_t             target, flags;
    ngx_wschat_api_t      *api;
    ngx_wschat_wire_t      w;
    ngx_wschat_message_t   message;

    ngx_memzero(&message, sizeof(ngx_wschat_message_t));

    ngx_wschat_wire_init(&w, data, len);

    target = ngx_wschat_wire_get_u8(&w);
    flags = ngx_wschat_wire_get_u8(&w);
    api_len = ngx_wschat_wire_get_u16(&w);
    name_len = ngx_wschat_wire_get_u16(&w);
    message.epoch = ngx_wschat_wire_get_u64(&w);
    message.offset = ngx_wschat_wire_get_u64(&w);

    if (flags & NGX_WSCHAT_RELAY_ID) {
        message.id = ngx_wschat_wire_get_bytes(&w, NGX_WSCHAT_ID_LEN);
    }

    if (flags & NGX_WSCHAT_RELAY_EXCEPT) {
        message.except = ngx_wschat_wire_get_bytes(&w, NGX_WSCHAT_ID_LEN);
    }

    ngx_wschat_wire_get_str(&w, &name, api_len);
    ngx_wschat_wire_get_str(&w, &message.name, name_len);
    ngx_wschat_wire_get_rest(&w, &message.body);

    if (w.bad
        || target > NGX_WSCHAT_TO_ALL
        || (target == NGX_WSCHAT_TO_CONNECTION) != (message.id != NULL)
        || message.name.len > NGX_WSCHAT_MAX_NAME)
    {
        ngx_wschat_wire_ignored(from, "malformed message");
        return;
    }

    message.target = target;
    message.ephemeral = (flags & NGX_WSCHAT_RELAY_EPHEMERAL) ? 1 : 0;

    api = ngx_wschat_api_find(&name);

    if (api == NULL) {

        /* another generation's: it has no clients here */

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "wschat message of unknown api \"%V\"", &name);
        return;
    }

    if (ngx_wschat_hub_deliver(api, &message) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "wschat: message of api \"%V\" was not delivered",
                      &name);
    }
}
