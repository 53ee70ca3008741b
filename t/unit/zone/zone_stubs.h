
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _ZONE_STUBS_H_INCLUDED_
#define _ZONE_STUBS_H_INCLUDED_


/*
 * Knows what stands in for bus, hub, relay, calls and sessions when the zone
 * is tested: one process plays all workers, one after the other, or is one of
 * several.  Never knows what is proved.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_wschat_bus.h"
#include "ngx_wschat_call.h"
#include "ngx_wschat_hub.h"
#include "ngx_wschat_id.h"
#include "ngx_wschat_relay.h"
#include "route/ngx_wschat_api.h"
#include "session/ngx_wschat_session.h"
#include "store/ngx_wschat_zone_recover.h"


#define SESSIONS  4096
#define APIS      4


typedef struct {
    ngx_wschat_session_t   s;
    ngx_uint_t             slot;
    ngx_uint_t             open;
} stub_session_t;


/* which worker this is now, and who lives */

extern ngx_uint_t            stub_slot;
extern uint32_t              stub_generation[NGX_WSCHAT_SLOTS];
extern uint64_t              stub_live;
extern uint64_t              stub_released;

extern stub_session_t        stub_sessions[SESSIONS];

extern ngx_wschat_api_t     *stub_apis[APIS];

/* the last message */

extern uint64_t              stub_relay_slots;
extern ngx_wschat_message_t  stub_relay_message;
extern u_char                stub_relay_body[65536];
extern ngx_uint_t            stub_relays;

extern ngx_wschat_call_e     stub_call;


/* Session i of this worker; its id is random but for the slot. */
ngx_wschat_session_t *stub_open(ngx_uint_t i, ngx_wschat_api_t *api);
void stub_close(ngx_uint_t i);

/* An attribute of the session, as the zone is told; empty: removed. */
void stub_attr(ngx_wschat_session_t *s, char *key, char *value);


#endif /* _ZONE_STUBS_H_INCLUDED_ */
