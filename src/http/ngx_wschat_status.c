
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_status.h"
#include "ngx_wschat_reply.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_hub.h"
#include "store/ngx_wschat_store_zone.h"


#define NGX_WSCHAT_STATUS_WORKER                                             \
    "{\"worker\":{\"pid\":%P,\"slot\":%ui,\"generation\":%ui},"              \
    "\"bus\":{\"workers\":%ui,\"sent\":%uL,\"received\":%uL,\"bells\":%uL,"  \
    "\"queued\":%uL,\"given_up\":%uL,\"lost\":%uL},"                         \
    "\"hub\":{\"delivered\":%uL,\"held\":%uL,\"gaps\":%uL},"                 \
    "\"zones\":{"

#define NGX_WSCHAT_STATUS_ZONE                                               \
    "\"%V\":{\"connections\":%ui,\"rooms\":%ui,\"users\":%ui,"               \
    "\"size\":%uz,\"free\":%uz,\"refused\":%uL,\"incarnation\":%uL}"

#define NGX_WSCHAT_STATUS_WORKER_NUMBERS  13
#define NGX_WSCHAT_STATUS_ZONE_NUMBERS    7


typedef struct {
    ngx_wschat_zone_t  *zone;
    ngx_str_t           name;             /* escaped */
} ngx_wschat_status_zone_t;


static ngx_int_t ngx_wschat_status_zones(ngx_pool_t *pool,
    ngx_array_t *zones);
static u_char *ngx_wschat_status_worker(u_char *p);
static u_char *ngx_wschat_status_zone(u_char *p,
    ngx_wschat_status_zone_t *zone);


ngx_int_t
ngx_wschat_status(ngx_http_request_t *r)
{
    u_char                    *p;
    size_t                     len;
    ngx_int_t                  rc;
    ngx_str_t                  body, value;
    ngx_uint_t                 i;
    ngx_array_t                zones;
    ngx_wschat_status_zone_t  *zone;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&value, "GET, HEAD");

        if (ngx_wschat_reply_header(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_wschat_reply_error(r, NGX_HTTP_NOT_ALLOWED, NULL,
                                      "Method Not Allowed");
    }

    rc = ngx_array_init(&zones, r->pool, 4, sizeof(ngx_wschat_status_zone_t));

    if (rc != NGX_OK || ngx_wschat_status_zones(r->pool, &zones) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    zone = zones.elts;

    len = sizeof(NGX_WSCHAT_STATUS_WORKER)
          + NGX_WSCHAT_STATUS_WORKER_NUMBERS * NGX_INT64_LEN
          + sizeof("}}\n");

    for (i = 0; i < zones.nelts; i++) {
        len += sizeof(NGX_WSCHAT_STATUS_ZONE) + sizeof(",")
               + zone[i].name.len
               + NGX_WSCHAT_STATUS_ZONE_NUMBERS * NGX_INT64_LEN;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;

    p = ngx_wschat_status_worker(p);

    for (i = 0; i < zones.nelts; i++) {

        if (i != 0) {
            *p++ = ',';
        }

        p = ngx_wschat_status_zone(p, &zone[i]);
    }

    *p++ = '}';
    *p++ = '}';
    *p++ = '\n';

    body.len = p - body.data;

    ngx_str_set(&value, "no-store");

    if (ngx_wschat_reply_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wschat_reply(r, NGX_HTTP_OK, NULL, &body);
}


/* our zones among all that the cycle has */

static ngx_int_t
ngx_wschat_status_zones(ngx_pool_t *pool, ngx_array_t *zones)
{
    ngx_uint_t                 i;
    ngx_cycle_t               *cycle;
    ngx_shm_zone_t            *shm;
    ngx_list_part_t           *part;
    ngx_wschat_zone_t         *zone;
    ngx_wschat_status_zone_t  *z;

    cycle = (ngx_cycle_t *) ngx_cycle;

    for (part = &cycle->shared_memory.part; part != NULL; part = part->next) {
        shm = part->elts;

        for (i = 0; i < part->nelts; i++) {

            zone = ngx_wschat_zone_find(cycle, &shm[i].shm.name);
            if (zone == NULL) {
                continue;
            }

            z = ngx_array_push(zones);
            if (z == NULL) {
                return NGX_ERROR;
            }

            z->zone = zone;
            z->name = shm[i].shm.name;

            if (ngx_wschat_reply_escape(pool, &z->name) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static u_char *
ngx_wschat_status_worker(u_char *p)
{
    uint64_t               live;
    ngx_uint_t             workers;
    ngx_wschat_bus_stat_t  bus;
    ngx_wschat_hub_stat_t  hub;

    ngx_wschat_bus_stat(&bus);
    ngx_wschat_hub_stat(&hub);

    workers = 0;

    for (live = ngx_wschat_bus_live(); live != 0; live &= live - 1) {
        workers++;
    }

    return ngx_sprintf(p, NGX_WSCHAT_STATUS_WORKER,
                       ngx_pid, ngx_wschat_bus_slot(),
                       (ngx_uint_t) ngx_wschat_bus_generation(), workers,
                       bus.sent, bus.received, bus.bells, bus.queued,
                       bus.given_up, bus.lost,
                       hub.delivered, hub.held, hub.gaps);
}


static u_char *
ngx_wschat_status_zone(u_char *p, ngx_wschat_status_zone_t *zone)
{
    ngx_wschat_zone_stat_t  stat;

    ngx_wschat_zone_stat(zone->zone, &stat);

    return ngx_sprintf(p, NGX_WSCHAT_STATUS_ZONE, &zone->name,
                       stat.connections, stat.rooms, stat.users,
                       (size_t) stat.pages * ngx_pagesize,
                       (size_t) stat.pages_free * ngx_pagesize,
                       stat.full, stat.incarnation);
}
