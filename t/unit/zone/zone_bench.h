
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _ZONE_BENCH_H_INCLUDED_
#define _ZONE_BENCH_H_INCLUDED_


/*
 * What operations cost, and how much a zone holds.
 */


#include "zone_test.h"

#include <time.h>


/* what it costs */

static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


#define report(what, n, ...)                                                  \
    {                                                                         \
        double  t = now();                                                    \
        for (i = 0; i < (n); i++) { __VA_ARGS__; }                            \
        printf("# %-44s %7.0f ns\n", what, (now() - t) / (n));                \
    }


/* without the stubs' own work */

static void
bench_id(u_char *id, ngx_uint_t i)
{
    uint64_t  r;

    r = (i + 1) * 0x9e3779b97f4a7c15ULL;

    ngx_memzero(id, NGX_WSCHAT_ID_LEN);
    id[2] = (u_char) stub_slot;
    ngx_memcpy(id + 8, &r, 8);
}


static ngx_int_t
bench_connect(ngx_uint_t i)
{
    bench_id(op.peer.id, i);

    return store->connect(&op);
}


static void
bench_fit(char *name)
{
    u_char                  id[NGX_WSCHAT_ID_LEN];
    char                    room[32];
    ngx_uint_t              i, n;
    ngx_str_t               str;
    ngx_wschat_zone_stat_t  stat;

    str_set(&str, name);
    chat.zone = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &str);

    ngx_wschat_zone_stat(chat.zone, &stat);

    reset(NULL);
    str_set(&op.peer.ip, "192.0.2.1");
    str_set(&op.peer.user_agent, agent);
    op.id = id;
    op.create = 1;

    for (n = 0; bench_connect(n) == NGX_OK; n++);
    printf("# zone %-4s pages %6lu: connections %8lu", name,
           (unsigned long) stat.pages_free, (unsigned long) n);

    for (i = 0; i < n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* one connection in many rooms would be slow: each in one */

    str_set(&op.name, "lobby");
    for (n = 0; ; n++) {
        bench_id(id, n);
        if (bench_connect(n) != NGX_OK || store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", in one room %8lu", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* rooms of one */

    op.name.data = (u_char *) room;
    for (n = 0; ; n++) {
        bench_id(id, n);
        op.name.len = sprintf(room, "room-%08lu", (unsigned long) n);
        if (bench_connect(n) != NGX_OK || store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", each in its own %8lu", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    /* a chat's: a name, a user, a room of 10 */

    for (n = 0; ; n++) {
        bench_id(id, n);
        if (bench_connect(n) != NGX_OK) {
            break;
        }

        str_set(&op.name, "name");
        str_set(&op.value, "\"somebody\"");
        if (store->set(&op) != NGX_OK) {
            break;
        }

        str_set(&op.name, "user");
        op.value.data = (u_char *) room;
        op.value.len = sprintf(room, "\"%08lu\"", (unsigned long) n);
        if (store->set(&op) != NGX_OK) {
            break;
        }

        op.name.data = (u_char *) room;
        op.name.len = sprintf(room, "room-%08lu", (unsigned long) n / 10);
        if (store->join(&op) != NGX_OK) {
            break;
        }
    }
    printf(", of a chat %8lu\n", (unsigned long) n);

    for (i = 0; i <= n; i++) {
        bench_id(id, i);
        (void) store->disconnect(&op);
    }

    ngx_wschat_zone_stat(chat.zone, &stat);
    ok(stat.connections == 0 && stat.rooms == 0 && stat.users == 0,
       "zone %s is empty again", name);

    chat.zone = zone;
}


static void
bench(void)
{
    u_char      id[NGX_WSCHAT_ID_LEN];
    char        room[32];
    ngx_uint_t  i, n;
    ngx_str_t   big;

    bench_fit("1m");
    bench_fit("8m");
    bench_fit("64m");

    ngx_str_set(&big, "64m");
    chat.zone = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &big);

    n = 20000;
    reset(NULL);
    str_set(&op.peer.ip, "192.0.2.1");
    str_set(&op.peer.user_agent, agent);
    op.id = id;
    op.create = 1;
    op.value.data = (u_char *) "\"somebody\"";
    op.value.len = 10;

    report("connect (of 20000)", n, bench_connect(i));

    str_set(&op.name, "name");
    report("set", n, bench_id(id, i); store->set(&op));
    report("set again", n, bench_id(id, i); store->set(&op));

    op.name.data = (u_char *) room;
    report("join, rooms of 10", n, bench_id(id, i);
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10);
           store->join(&op));

    report("sprintf of the name", n,
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10));

    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.body, "0123456789012345678901234567890123456789");
    op.message.name = op.name;

    report("publish to one room", 1000000, store->publish(&op));
    report("publish to 2000 rooms by turns", 1000000,
           op.message.name.len = 13;
           room[12] = '0' + i % 10; room[11] = '0' + i / 10 % 10;
           room[10] = '0' + i / 100 % 10; room[9] = '0' + i / 1000 % 2;
           store->publish(&op));

    op.store = 1;
    op.record = op.message.body;
    op.record_json = 1;
    chat.history = 100;
    report("publish and log, 100 kept", 1000000, store->publish(&op));
    op.store = 0;

    op.message.target = NGX_WSCHAT_TO_USER;
    report("publish to a user that is not there", 1000000,
           store->publish(&op));

    report("leave, rooms of 10", n, bench_id(id, i);
           op.name.len = sprintf(room, "room-%08lu", (unsigned long) i / 10);
           op.last = (i % 10 == 9);
           store->leave(&op); if (op.ended) store->end(&op));

    str_set(&op.name, "lobby");
    report("join one room", n, bench_id(id, i); store->join(&op));

    str_set(&op.value, "name");
    report("members, the attribute, 10000", 20, store->members(&op);
           ngx_reset_pool(pool));
    str_set(&op.value, "");
    report("members, the ids, 10000", 20, store->members(&op);
           ngx_reset_pool(pool));

    report("disconnect from one room", n, bench_id(id, i);
           store->disconnect(&op));
    report("connect (of 20000)", n, bench_connect(i));
    report("disconnect", n, bench_id(id, i); store->disconnect(&op));

    ok(check(chat.zone) == 0, "the zone is whole");
    chat.zone = zone;
}


#endif /* _ZONE_BENCH_H_INCLUDED_ */
