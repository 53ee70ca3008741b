
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The zone's tests, and what it costs, inside an nginx that does nothing
 * else: the slab allocator is only there.
 *
 *     zone_test_zone NAME SIZE;
 *     zone_test all|bench;
 *
 * runs them when the process starts, writes TAP, and exits;
 *
 *     zone_test hold|die;
 *
 * goes on: see hold().
 */


#include "zone_test.h"
#include "zone_stress.h"
#include "zone_bench.h"


static char *zone_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *zone_test_run(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t zone_test_init_process(ngx_cycle_t *cycle);


static ngx_command_t  zone_test_commands[] = {

    { ngx_string("zone_test_zone"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE2,
      zone_test_zone,
      0,
      0,
      NULL },

    { ngx_string("zone_test"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      zone_test_run,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  zone_test_module_ctx = {
    ngx_string("zone_test"),
    NULL,
    NULL
};


ngx_module_t  ngx_wschat_zone_test_module = {
    NGX_MODULE_V1,
    &zone_test_module_ctx,                 /* module context */
    zone_test_commands,                    /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    zone_test_init_process,                /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t             run;


static char *
zone_test_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t     size;
    ngx_str_t  *value;

    value = cf->args->elts;
    size = ngx_parse_size(&value[2]);

    if (ngx_wschat_zone_add(cf, &value[1], size) == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
zone_test_run(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    run = ((ngx_str_t *) cf->args->elts)[1];

    return NGX_CONF_OK;
}


static void
test_basics(void)
{
    char     big[4097], name[258], *p;
    usage_t  empty;

    empty = usage(zone);

    is(sizeof(ngx_wschat_zone_conn_t) <= 128, 1, "a connection fits in 128");
    is(sizeof(ngx_wschat_zone_member_t) <= 64, 1, "a membership fits in 64");

    is(conn(0), NGX_OK, "connect");
    is(conn(1), NGX_OK, "connect another");
    is(usage(zone).objects - empty.objects, 4, "they share the user agent");

    is(connect_api(2, &other, "2001:db8::1", ""), NGX_OK,
       "connect to another api, by IPv6, without a user agent");
    is(connect_api(3, &other, "unix:", "x"), NGX_OK, "by a UNIX socket");

    /* rooms */

    is(exists("a"), NGX_DECLINED, "no room yet");
    is(publish("a", "x"), NGX_DECLINED, "publish: no room");
    is_str(rooms(&chat), "[]", "no rooms");
    is_str(members("a", ""), "rc=-5", "members: no room");

    reset(session(0));
    str_set(&op.name, "a");
    is(store->join(&op), NGX_DECLINED, "join without create");

    is(join(0, "a"), NGX_OK, "join");
    is(op.created * 100 + op.already * 10 + op.count, 101, "created, 1");
    is(op.offset, 0, "offset 0");
    ok(op.epoch > 1700000000000000ULL && op.epoch < 9007199254740992ULL,
       "an epoch that JavaScript can count to");

    is(join(0, "a"), NGX_OK, "join again");
    is(op.created * 100 + op.already * 10 + op.count, 11, "already, 1");

    is(join(1, "a"), NGX_OK, "another joins");
    is(op.created * 100 + op.already * 10 + op.count, 2, "is the second");

    reset(session(1));
    str_set(&op.name, "a");
    is(store->join(&op), NGX_OK, "join without create: there it is");

    is(join(1, "b \"q\"\n"), NGX_OK, "a name that needs escapes");
    is(join(2, "a"), NGX_OK, "the same name in the other api");
    is(op.created, 1, "is another room");

    is_str(rooms(&chat), "[\"a\",\"b \\\"q\\\"\\n\"]", "rooms, in order");
    is_str(rooms(&other), "[\"a\"]", "rooms of the other api");
    is(exists("a"), NGX_OK, "exists");
    is(op.count, 2, "count");
    is(exists("b"), NGX_DECLINED, "a name is not a prefix");

    /* messages */

    is(publish("a", "x"), NGX_OK, "publish");
    is(op.offset, 1, "offset 1");
    is(stub_relay_slots, 1, "to this worker");
    is(stub_relay_message.offset, 1, "which is told the offset");
    ok(stub_relay_message.epoch > 1700000000000000ULL, "and the epoch");

    worker(5);
    is(conn(10), NGX_OK, "a connection of worker 5");
    is(join(10, "a"), NGX_OK, "joins");
    is(op.offset, 1, "after the first message");
    is(publish("a", "y"), NGX_OK, "publish");
    is(op.offset, 2, "offset 2");
    is(stub_relay_slots, 0x21, "to both workers");
    is(leave(10, "a"), NGX_OK, "leave");
    is(op.count, 2, "2 remain");
    is(op.ended, 0, "the room goes on");
    is(leave(10, "a"), NGX_DECLINED, "leave again");
    is(leave(10, "nowhere"), NGX_DECLINED, "leave what is not there");
    is(publish("a", "y"), NGX_OK, "publish");
    is(stub_relay_slots, 0x01, "to the one worker");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ALL;
    str_set(&op.message.body, "all");
    is(store->publish(&op), NGX_OK, "to all");
    is(stub_relay_slots, 0x21, "goes to all workers");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_CONNECTION;
    op.message.id = session(0)->id;
    is(store->publish(&op), NGX_OK, "to a connection");
    is(stub_relay_slots, 0x01, "goes to its worker");

    op.message.id = (u_char *) "\0\1\7............";
    is(store->publish(&op), NGX_DECLINED, "to one of no worker");
    op.message.id = (u_char *) "\0\1\377............";
    is(store->publish(&op), NGX_DECLINED, "to one of an impossible worker");

    /* late offsets */

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, "a");
    str_set(&op.message.body, "{\"n\":,\"t\":1}");
    op.late_at = 5;
    is(store->publish(&op), NGX_OK, "the offset in the body");
    is_str((char *) stub_relay_body, "{\"n\":4,\"t\":1}", "is there");

    /* users */

    worker(0);

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_DECLINED, "no such user");

    is(attr(0, "user", "\"al\""), NGX_OK, "set user");
    is(attr(1, "user", "\"\\u0061l\""), NGX_OK, "the same, spelled otherwise");
    is(ngx_wschat_zone_head(zone)->users, 1, "one user");

    worker(5);
    is(attr(10, "user", "\"al\""), NGX_OK, "and once more");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_OK, "to the user");
    is(stub_relay_slots, 0x21, "goes to both workers");
    is(stub_relay_message.offset, 0, "without an offset");

    is(attr(10, "user", "12"), NGX_OK, "a user that is a number");
    is(ngx_wschat_zone_head(zone)->users, 2, "two users");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_USER;
    str_set(&op.message.name, "al");
    is(store->publish(&op), NGX_OK, "to the first");
    is(stub_relay_slots, 0x01, "goes to one worker");

    is(attr(10, "user", ""), NGX_OK, "no user any more");
    is(attr(1, "user", "\"\""), NGX_OK, "an empty name is no user");
    is(ngx_wschat_zone_head(zone)->users, 1, "one user");

    memset(name, 'n', 257);
    name[257] = '\0';
    memset(big, 'n', 300);
    big[0] = big[299] = '"';
    big[300] = '\0';
    is(attr(0, "user", big), NGX_ERROR, "a user's name that is too long");
    is(join(0, name), NGX_ERROR, "a room's name that is too long");
    name[256] = '\0';
    is(join(0, name), NGX_OK, "a room's name that is not too long");
    is(leave(0, name), NGX_OK, "leave it");
    is(op.ended, 1, "which ends it");
    end();

    /* attributes */

    is(attr(0, "name", "\"Al\""), NGX_OK, "set name");
    is(attr(1, "name", "{\"first\":\"Bo\"}"), NGX_OK, "an object");
    is_str(members("a", "name"), "[\"Al\",{\"first\":\"Bo\"}]",
           "members by name, in order");
    is(op.count, 2, "count");

    memset(big, '7', 4096);
    big[4096] = '\0';
    is(attr(0, "name", big), NGX_OK, "the largest value");
    p = members("a", "name");
    ok(strlen(p) == 4096 + 14 + 3 && memcmp(p + 1, big, 4096) == 0
       && strcmp(p + 4097, ",{\"first\":\"Bo\"}]") == 0, "comes back whole");

    is(attr(0, "name", "\"A\""), NGX_OK, "a small one again");
    is_str(members("a", "name"), "[\"A\",{\"first\":\"Bo\"}]", "is there");
    is(attr(0, "name", "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\""), NGX_OK, "a larger");
    is(attr(0, "name", ""), NGX_OK, "removed");
    is(attr(0, "name", ""), NGX_OK, "removed once more");
    is_str(members("a", "name"), "[{\"first\":\"Bo\"}]", "is left out");
    is_str(members("a", "none"), "[]", "nobody has it");
    is(strlen(members("a", "")), 2 + 2 * 26 + 1, "members by id");

    /* log */

    is_str(history(0, "a", 10, -1), "[]", "an empty log");

    is(publish_log("a", "m1", "r\"1\"", 0), NGX_OK, "a record of text");
    is(publish_log("a", "m2", "{\"r\":2}", 1), NGX_OK, "a record of JSON");
    is(op.offset, 6, "offset 6");
    is_str(history(0, "a", 10, -1), "[\"r\\\"1\\\"\",{\"r\":2}]", "the log");
    is_str(history(0, "a", 1, -1), "[{\"r\":2}]", "the last one");
    is_str(history(0, "a", 0, -1), "[]", "none");
    is_str(history(0, "a", -1, 5), "[{\"r\":2}]", "since 5");
    is_str(history(0, "a", -1, 4), "[\"r\\\"1\\\"\",{\"r\":2}]", "since 4");
    is_str(history(0, "a", 1, 4), "[{\"r\":2}]", "since 4, the last one");
    is_str(history(0, "a", -1, 6), "[]", "since 6");
    is_str(history(0, "a", 3, 1000), "[]", "since what is yet to come");

    reset(NULL);
    op.message.target = NGX_WSCHAT_TO_ROOM;
    str_set(&op.message.name, "a");
    str_set(&op.message.body, "#");
    op.late_at = 1;
    op.store = 1;
    str_set(&op.record, "\"<>");
    op.record_late_at = 2;
    is(store->publish(&op), NGX_OK, "a late offset in both");
    is_str((char *) stub_relay_body, "#7", "in the body");
    is_str(history(0, "a", 1, -1), "[\"\\\"<7>\"]", "in the record");

    is(publish_log("a", "", "\"8\"", 1), NGX_OK, "a fourth record");
    is(publish_log("a", "", "\"9\"", 1), NGX_OK, "a fifth");
    is_str(history(0, "a", 9, -1), "[{\"r\":2},\"\\\"<7>\",\"8\",\"9\"]",
           "four are kept");

    p = malloc(60001);
    memset(p, '5', 60000);
    p[60000] = '\0';
    is(publish_log("a", "", p, 1), NGX_OK, "a large record");
    is(strlen(history(0, "a", 1, -1)), 60002, "comes back");
    ok(memcmp(op.text.data + 1, p, 60000) == 0, "whole");
    free(p);

    chat.history = 0;
    is(publish_log("a", "", "\"no\"", 1), NGX_OK, "an api without a log");
    chat.history = 2;
    is(publish_log("a", "", "\"yes\"", 1), NGX_OK, "with a shorter one");
    ok(strlen(history(0, "a", 9, -1)) == 60002 + 6, "two are kept");

    chat.history = 4;
    chat.history_age = 1;
    ngx_cached_time->sec += 3;
    is_str(history(0, "a", 9, -1), "[]", "old ones are not shown");
    is(publish_log("a", "", "1", 1), NGX_OK, "a new one");
    is(usage(zone).pages > empty.pages - 10, 1, "old ones are gone");
    ngx_cached_time->sec -= 3;
    chat.history_age = 0;
    is_str(history(0, "a", 9, -1), "[1]", "the new one is there");

    /* find, post, close */

    reset(session(0));
    worker(0);
    is(store->find(&op), NGX_OK, "find");
    is_mem(op.peer.user_agent.data, op.peer.user_agent.len, agent,
           strlen(agent), "with the user agent");
    is(stub_call, NGX_WSCHAT_CALL_FIND, "asked the session");
    is(store->post(&op), NGX_OK, "post");
    is(stub_call, NGX_WSCHAT_CALL_POST, "asked the session");
    is(store->close(&op), NGX_OK, "close");
    is(stub_call, NGX_WSCHAT_CALL_CLOSE, "asked the session");

    is(check(zone), 0, "the zone is whole");

    /* the end of a room, by worker 5 */

    worker(5);
    is(leave(0, "a"), NGX_OK, "leave");
    is(op.ended, 0, "one is left");
    is(leave(1, "a"), NGX_OK, "the last one leaves");
    is(op.ended * 10 + op.count, 10, "ended");
    is(exists("a"), NGX_DECLINED, "its name is free");
    is(publish("a", "x"), NGX_DECLINED, "nobody to talk to");

    {
        void      *room;
        usage_t    before;
        uint64_t   epoch;

        is(join(0, "a"), NGX_OK, "a new room of that name");
        is(op.created * 10 + op.offset, 10, "from the beginning");
        epoch = op.epoch;
        is(leave(0, "a"), NGX_OK, "which ends as well");
        room = op.room;
        before = usage(zone);
        op.room = (void *) 1;
        is(store->end(&op), NGX_OK, "end of what is not there");
        ok(same(before, usage(zone)), "changes nothing");
        op.room = room;
        is(store->end(&op), NGX_OK, "end");
        is(before.objects - usage(zone).objects, 1, "frees the room");
        is(store->end(&op), NGX_OK, "end, again");
        is(before.objects - usage(zone).objects, 1, "does nothing");

        join(0, "a");
        ok(op.epoch > epoch, "epochs grow");
        leave(0, "a");
        end();
    }

    /* all goes */

    disconnect(1);
    disconnect(0);
    disconnect(10);
    disconnect(2);
    disconnect(3);

    is(check(zone), 0, "the zone is whole");
    is(ngx_wschat_zone_head(zone)->rooms, 0, "rooms went with the members");

    /* the first room "a" ended in worker 5, as the test had it */

    is(usage(zone).objects - empty.objects, 3,
       "an ended room is left, with a record and its api");
}


/* what is at the end of the tests above and must be gone at last */

static void
test_left(usage_t empty)
{
    died(5, 0);
    turns();
    is(stub_released, 0x20, "worker 5 is dead, and released");
    is(swept.ended, 1, "the room's hook was due");
    ok(same(empty, usage(zone)), "nothing is left");
    worker(0);
}


static void
test_lists(void)
{
    int          i, n;
    char         name[64], *p;
    usage_t      empty;

    empty = usage(zone);

    for (i = 0; i < 300; i++) {
        conn(i);
        snprintf(name, sizeof(name), "\"%05d\"", i);
        attr(i, "name", name);
        join(i, "big");
        snprintf(name, sizeof(name), "room %05d", i);
        join(i, name);
    }

    p = members("big", "name");
    n = strlen(p) == 300 * 8 + 1;

    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "\"%05d\"", i);
        n &= memcmp(p + 1 + 8 * i, name, 7) == 0;
    }

    ok(n, "300 members, in order");

    p = members("big", "");
    ok(strlen(p) == 300 * 27 + 1 && p[0] == '[' && p[300 * 27] == ']',
       "300 ids, more than fit at once");

    p = rooms(&chat);
    ok(strlen(p) == 6 + 300 * 13 + 1 && p[6 + 300 * 13] == ']'
       && memcmp(p, "[\"big\",\"room 00000\",", 20) == 0, "301 rooms");

    is(check(zone), 0, "the zone is whole");

    for (i = 0; i < 300; i++) {
        quit(i);
    }

    ok(same(empty, usage(zone)), "nothing is left");
}


/* a random life in a small zone, against a model of it */

#define R_SESSIONS  200
#define R_ROOMS     20

typedef struct {
    int       order[R_SESSIONS];
    int       n;
    uint64_t  offset;
    uint64_t  epoch;
} model_room_t;


static void
test_random(ngx_uint_t steps, ngx_uint_t full)
{
    int            wrong, i, k, r, at, refused, rc, last;
    char           name[32], value[4097], want[64], *p;
    usage_t        empty, before;
    ngx_uint_t     step, len;
    static int     open[R_SESSIONS];
    static char    values[R_SESSIONS][4097];
    model_room_t  *room;
    static model_room_t  model[R_ROOMS];

    empty = usage(zone);

    memset(open, 0, sizeof(open));
    memset(model, 0, sizeof(model));

    wrong = 0;
    refused = 0;

    for (step = 0; step < steps; step++) {

        i = random() % R_SESSIONS;
        r = random() % R_ROOMS;
        room = &model[r];
        snprintf(name, sizeof(name), "%d", r);

        for (at = 0; at < room->n && room->order[at] != i; at++);

        worker(i % 3);
        before = usage(zone);
        rc = NGX_OK;

        k = open[i] ? random() % 8 : 0;

        switch (k) {

        case 0:
            if (!open[i]) {
                snprintf(value, sizeof(value), "agent %ld", random() % 10);
                rc = connect_api(i, &chat, "192.0.2.9", value);
                open[i] = (rc == NGX_OK);
                values[i][0] = '\0';
                break;
            }

            if (random() % 4) {
                break;
            }

            for (k = 0; k < R_ROOMS; k++) {
                for (at = 0;
                     at < model[k].n && model[k].order[at] != i;
                     at++);

                if (at == model[k].n) {
                    continue;
                }

                snprintf(name, sizeof(name), "%d", k);
                rc = leave(i, name);
                model[k].n--;
                memmove(&model[k].order[at], &model[k].order[at + 1],
                        (model[k].n - at) * sizeof(int));

                wrong += rc != NGX_OK;
                wrong += (int) op.count != model[k].n;
                wrong += op.ended != (model[k].n == 0);
                end();
            }

            disconnect(i);
            open[i] = 0;
            rc = NGX_OK;
            break;

        case 1:
        case 2:
            rc = join(i, name);

            if (rc != NGX_OK) {
                break;
            }

            if (room->n == 0) {
                wrong += !op.created || op.epoch <= room->epoch;
                room->offset = 0;
                room->epoch = op.epoch;
            }

            wrong += op.already != (at < room->n);

            if (at == room->n) {
                room->order[room->n++] = i;
            }

            wrong += (int) op.count != room->n;
            wrong += op.offset != room->offset || op.epoch != room->epoch;
            break;

        case 3:
            rc = leave(i, name);

            if (at == room->n) {
                wrong += rc != NGX_DECLINED;
                rc = NGX_OK;
                break;
            }

            room->n--;
            memmove(&room->order[at], &room->order[at + 1],
                    (room->n - at) * sizeof(int));

            wrong += rc != NGX_OK || (int) op.count != room->n;
            wrong += op.ended != (room->n == 0);
            end();
            break;

        case 4:
            len = full ? random() % 4096 : random() % 100;
            memset(value, '1' + i % 9, len);
            value[len] = '\0';

            if (full && random() % 2) {
                rc = attr(i, "more", value);
                break;
            }

            rc = attr(i, "name", value);

            if (rc == NGX_OK) {
                memcpy(values[i], value, len + 1);
            }

            break;

        case 5:
            snprintf(value, sizeof(value), "\"user %ld\"", random() % 10);
            rc = attr(i, "user", random() % 4 ? value : "");
            break;

        case 6:
            len = full ? random() % 4000 : random() % 200;
            memset(value, '1' + r % 9, len + 1);
            value[len + 1] = '\0';

            rc = publish_log(name, value, value, 1);

            if (room->n == 0) {
                wrong += rc != NGX_DECLINED;
                rc = NGX_OK;

            } else if (rc == NGX_OK) {
                wrong += op.offset != ++room->offset;
                last = 0;

                for (at = 0; at < room->n; at++) {
                    last |= 1 << room->order[at] % 3;
                }

                wrong += (last & ~stub_relay_slots) != 0;
            }

            break;

        case 7:
            if (random() % 8) {
                break;
            }

            p = members(name, "name");

            if (room->n == 0) {
                wrong += strcmp(p, "rc=-5") != 0;
                break;
            }

            p++;

            for (at = 0; at < room->n; at++) {
                len = strlen(values[room->order[at]]);

                if (len) {
                    wrong += memcmp(p, values[room->order[at]], len) != 0;
                    p += len + 1;
                }
            }

            wrong += *p && p[-1] != '[';
            break;
        }

        if (rc == NGX_BUSY) {
            refused++;

            /* the log's oldest record, which was due, may have gone */

            if (usage(zone).objects > before.objects
                || (k != 6 && !same(before, usage(zone))))
            {
                wrong++;
            }

        } else {
            wrong += rc != NGX_OK;
        }

        if (wrong) {
            diag("step %lu, rc %d", (unsigned long) step, rc);
            break;
        }

        if (step % 1024 == 0) {
            wrong += check(zone);
        }
    }

    snprintf(want, sizeof(want), "%lu random steps", (unsigned long) steps);

    is(wrong, 0, "%s%s: as the model has it", want,
       full ? " in a full zone" : "");
    is(refused > 0, full, "some are refused: %d", refused);
    is(check(zone), 0, "the zone is whole");

    for (i = 0; i < R_SESSIONS; i++) {
        if (open[i]) {
            worker(i % 3);
            quit(i);
        }
    }

    worker(0);

    ok(same(empty, usage(zone)), "nothing is left");
    is(check(zone), 0, "the zone is whole");
}


static void
test_full(void)
{
    int       i, n;
    char     *value;
    usage_t   empty;

    empty = usage(zone);

    value = malloc(4097);
    memset(value, '1', 4096);
    value[4096] = '\0';

    /* a room lives on what its log drops */

    conn(0);
    join(0, "log");
    attr(0, "state", "\"here\"");

    for (i = 0; i < 10; i++) {
        publish_log("log", "", value, 1);
    }

    for (n = 1; n < SESSIONS; n++) {
        if (conn(n) != NGX_OK || attr(n, "v", value) != NGX_OK) {
            break;
        }
    }

    is(ngx_wschat_zone_head(zone)->full > 0, 1, "full after %d", n);

    for (i = 0; i < 100 && attr(0, "x", value) == NGX_OK; i++) {
        attr(0, "x", "");
        attr(n > 1 ? 1 : 0, "y", value);
    }

    is(publish_log("log", "", value, 1), NGX_OK, "a log that is full goes on");
    is(attr(0, "state", "\"away\""), NGX_OK, "a value is changed in place");

    quit(0);

    for (i = 1; i < SESSIONS; i++) {
        if (stub_sessions[i].open) {
            quit(i);
        }
    }

    free(value);

    ok(same(empty, usage(zone)), "nothing is left");
}


/* the timer of this worker */

static void
tick(void)
{
    ngx_event_t        *ev;
    ngx_rbtree_node_t  *node;

    node = ngx_rbtree_min(ngx_event_timer_rbtree.root,
                          ngx_event_timer_rbtree.sentinel);
    ev = ngx_rbtree_data(node, ngx_event_t, timer);

    ngx_del_timer(ev);
    ev->handler(ev);

    turns();
}


static void
test_sweep(void)
{
    int                  i;
    usage_t              empty;
    ngx_wschat_zone_t   *second;
    ngx_str_t            name;

    empty = usage(zone);
    memset(&swept, 0, sizeof(swept));

    start(7);

    for (i = 0; i < 100; i++) {
        conn(i);
        join(i, "both");
        join(i, i % 2 ? "odd" : "even");
        attr(i, "user", "\"u\"");
    }

    attr(99, "name", "\"last\"");

    worker(0);

    for (i = 200; i < 210; i++) {
        conn(i);
        join(i, "both");
        attr(i, "user", "\"u\"");
    }

    /* a room that ended, and its worker died before its hook ran */

    worker(7);
    conn(100);
    join(100, "hook");
    leave(100, "hook");
    is(op.ended, 1, "a room has ended");

    is(publish("both", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x81, "to both workers");

    died(7, 0);
    is(swept.orphans, 0, "nothing is swept from within the call");

    reset(NULL);
    op.id = (u_char *) swept.ids;
    turns();

    is(swept.orphans, 101, "all connections are handed over");
    is(swept.twice, 0, "once each");
    is(swept.rooms, 200, "they leave their rooms");
    is(swept.hooks, 3, "three rooms ended");
    is(swept.ended, 1, "one of them before");
    is(stub_released, 0x80, "the slot is released");
    is(ngx_wschat_zone_head(zone)->connections, 10, "the others stay");
    is(ngx_wschat_zone_head(zone)->rooms, 1, "and their room");
    is(publish("both", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x01, "to the living");
    is(check(zone), 0, "the zone is whole");

    for (i = 200; i < 210; i++) {
        quit(i);
    }

    ok(same(empty, usage(zone)), "nothing is left");

    /* what an orphan knows */

    memset(&swept, 0, sizeof(swept));
    start(7);
    connect_api(0, &chat, "2001:db8::7", "an agent");
    join(0, "r1");
    join(0, "r2");
    attr(0, "name", "\"n\"");
    died(7, 0);
    turns();
    is_str(swept.last, "chat|2001:db8::7|an agent|1700000000000|name=\"n\","
           "|r1|r2", "an orphan");
    ok(same(empty, usage(zone)), "nothing is left");

    /* the sweeper dies in the middle */

    memset(&swept, 0, sizeof(swept));
    start(7);

    for (i = 0; i < 50; i++) {
        conn(i);
        join(i, i % 2 ? "odd" : "even");
    }

    start(8);
    conn(60);
    join(60, "odd");

    swept.stop = 1;
    died(7, 8);
    turns();
    is(swept.orphans, 50, "given to worker 8, which has not done with them");
    is(check(zone), 0, "the zone is whole");
    is(ngx_wschat_zone_head(zone)->connections, 51, "they are there yet");

    memset(&swept, 0, sizeof(swept));
    died(8, 0);
    turns();
    is(swept.orphans, 51, "worker 8 died: all come again");
    is(swept.twice, 0, "once each");
    is(swept.hooks, 2, "two rooms ended");
    is(stub_released, 1 << 8, "the slot is released");
    ok(same(empty, usage(zone)), "nothing is left");

    /* the slot was taken again by a worker which knows, after one that did
       not; and a worker that exits with connections */

    memset(&swept, 0, sizeof(swept));
    start(7);
    conn(0);
    join(0, "r");
    conn(1);
    join(1, "ended");
    leave(1, "ended");
    stub_close(0);
    stub_close(1);

    start(7);
    conn(2);
    join(2, "r");
    is(publish("r", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x80, "to the worker");

    /* the timer of whoever comes first finds them */

    worker(0);
    tick();
    is(swept.orphans, 2, "what the slot's last worker left is swept");
    is(swept.ended, 1, "and its room");
    is(publish("r", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x80, "still to the worker");
    is(check(zone), 0, "the zone is whole");

    worker(7);
    ngx_wschat_store_zone_exit_process((ngx_cycle_t *) ngx_cycle);
    stub_close(2);
    is(check(zone), 0, "the zone is whole");

    worker(0);
    tick();
    is(swept.orphans, 3, "what a worker has when it exits is swept");
    is(swept.hooks, 2, "the room ended");

    /* a worker that was swept by one that did not know the zone */

    start(7);
    conn(0);
    join(0, "r");
    stub_close(0);
    stub_live &= ~(1 << 7);
    worker(0);
    tick();
    is(swept.orphans, 3, "dead, but somebody may be sweeping it");
    tick();
    is(swept.orphans, 4, "nobody was");
    is(check(zone), 0, "the zone is whole");

    ok(same(empty, usage(zone)), "nothing is left");

    /* an api that is not configured any more */

    memset(&swept, 0, sizeof(swept));
    start(7);
    connect_api(0, &other, "192.0.2.2", "");
    join(0, "r");
    connect_api(1, &other, "192.0.2.2", "");
    join(1, "r2");
    leave(1, "r2");
    stub_apis[1] = NULL;
    died(7, 0);
    turns();
    is(swept.orphans + swept.ended, 0, "nobody is told of an unknown api's");
    ok(same(empty, usage(zone)), "but nothing is left");
    stub_apis[1] = &other;

    /* in all zones */

    memset(&swept, 0, sizeof(swept));
    ngx_str_set(&name, "second");
    second = ngx_wschat_zone_find((ngx_cycle_t *) ngx_cycle, &name);
    ok(second != NULL && second != zone, "there is a second zone");
    other.zone = second;
    start(7);
    conn(0);
    connect_api(1, &other, "192.0.2.2", "");
    died(7, 0);
    turns();
    is(swept.orphans, 2, "all zones are swept");
    is(check(second), 0, "the second zone is whole");
    is(ngx_wschat_zone_head(second)->connections, 0, "and empty");
    other.zone = zone;

    worker(7);
    died(7, 0);
    turns();
    is(stub_released, 0x80, "a slot that has nothing is released as well");
    worker(0);
}


static void
test_restore(void)
{
    int                   i;
    char                  ids[2][1 + 300 * 27 + 2];
    uint64_t              epoch, incarnation;
    ngx_wschat_member_t  *m;

    memset(&swept, 0, sizeof(swept));

    for (i = 1; i < 10; i++) {
        stub_slot = i;
        ngx_wschat_store_zone_exit_process((ngx_cycle_t *) ngx_cycle);
    }

    stub_live = 0;
    worker(0);

    for (i = 0; i < 300; i++) {
        conn(i);
        join(i, "all");
        join(i, i % 2 ? "odd" : "even");
        attr(i, "user", i % 2 ? "\"a\"" : "\"b\"");
        attr(i, "name", "\"n\"");
    }

    publish_log("all", "x", "1", 1);

    leave(1, "odd");
    join(1, "odd");
    epoch = op.epoch;
    incarnation = ngx_wschat_zone_head(zone)->incarnation;
    strcpy(ids[0], members("even", ""));

    killed_in_change(zone);

    /* a worker without sessions is the first to notice */

    start(2);
    is(ngx_wschat_zone_head(zone)->incarnation, incarnation + 1,
       "the zone began anew");
    is(ngx_wschat_zone_head(zone)->connections, 0, "it is empty");
    is(ngx_wschat_zone_head(zone)->pending, 0x01, "worker 0 has to tell");
    is(check(zone), 0, "the zone is whole");

    /* as if worker 2 were another process, it has nothing to restore */

    zone->restoring = 0;
    ngx_delete_posted_event(&zone->restore);
    zone->seen = 0;

    /* nobody else notices before worker 0 does something */

    worker(0);
    is(exists("even"), NGX_OK, "exists: the zone is told first");
    is(op.count, 150, "all members");
    is(ngx_wschat_zone_head(zone)->pending, 0, "worker 0 has told");
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(ngx_wschat_zone_head(zone)->rooms, 3, "all rooms");
    is(ngx_wschat_zone_head(zone)->users, 2, "all users");
    is(check(zone), 0, "the zone is whole");
    strcpy(ids[1], members("even", ""));
    is(strlen(ids[1]), strlen(ids[0]), "the same number of ids");
    is(strlen(members("all", "name")), 300 * 4 + 1, "attributes are there");

    ok(session(0)->members->channel->epoch > epoch, "the hub has the epochs");

    is(join(1, "odd"), NGX_OK, "join");
    is(op.already, 1, "was there already");
    ok(op.epoch > epoch, "in a new epoch");
    m = ngx_wschat_hub_member(session(1), NGX_WSCHAT_TO_ROOM, &op.name);
    is(op.epoch, m->channel->epoch, "which the hub knows");
    turns();

    /* in batches, if nobody asks; a connection that does is told at once */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    is(zone->restoring, 1, "to be restored");
    is(attr(250, "name", "\"m\""), NGX_OK, "set of one that is not there yet");
    is(ngx_wschat_zone_head(zone)->connections, 1, "it is now");
    is(leave(251, "odd"), NGX_OK, "leave of one that is not there yet");
    is(op.ended, 0, "others may be there");
    is(ngx_wschat_zone_head(zone)->connections, 2, "it is now");
    is(join(252, "new"), NGX_OK, "join of one that is not there yet");
    is(check(zone), 0, "the zone is whole");
    is(publish("odd", "x"), NGX_OK, "a room whose members are to be told");

    turns();
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(zone->restoring, 0, "restored");
    exists("odd");
    is(op.count, 149, "without the one who left");
    is(check(zone), 0, "the zone is whole");

    /* and while it is restored, once more */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    attr(10, "name", "\"m\"");
    killed_in_change(zone);
    turns();
    is(zone->restoring, 0, "restored from the beginning");
    is(ngx_wschat_zone_head(zone)->connections, 300, "all connections");
    is(check(zone), 0, "the zone is whole");

    /*
     * while another worker has not told: rooms do not end, and are not
     * denied; messages go to it
     */

    killed_in_change(zone);
    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_head(zone)->pending |= 1 << 2;
    ngx_wschat_zone_unlock(zone);
    turns();
    is(ngx_wschat_zone_head(zone)->pending, 1 << 2,
       "worker 2 has yet to tell");
    is(publish("nowhere", "x"), NGX_ERROR, "it may have that room");
    is(publish("all", "x"), NGX_OK, "publish");
    is(stub_relay_slots, 0x05, "it may have members");
    is(leave(252, "new"), NGX_OK, "the last one leaves");
    is(op.ended, 0, "which is not the end yet");
    is(join(252, "new2"), NGX_OK, "and another one");
    is(leave(252, "new2"), NGX_OK, "of a new room");
    is(op.ended, 0, "which is not the end yet");

    stub_slot = 2;
    conn(400);
    join(400, "new");
    stub_slot = 0;

    /* it tells */

    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_modify(ngx_wschat_zone_head(zone));
    ngx_wschat_zone_told(ngx_wschat_zone_head(zone), 2);
    ngx_wschat_zone_unlock(zone);

    tick();
    is(swept.ended, 1, "the room that nobody has ended");
    is(exists("new2"), NGX_DECLINED, "and is gone");
    is(exists("new"), NGX_OK, "the other is not");
    is(check(zone), 0, "the zone is whole");

    /* a connection of which nobody knows */

    reset(NULL);
    op.id = (u_char *) "0123456789abcdef";
    str_set(&op.name, "x");
    op.create = 1;
    is(store->join(&op), NGX_ERROR, "an unknown connection does not join");
    is(store->set(&op), NGX_ERROR, "nor has it attributes");
    is(store->leave(&op), NGX_DECLINED, "nor does it leave");
    is(store->disconnect(&op), NGX_OK, "nor does it go");

    stub_slot = 2;
    quit(400);
    stub_slot = 0;

    for (i = 0; i < 300; i++) {
        quit(i);
    }
}


/*
 * A worker that leaves a connection behind, in a slot of its own: what a
 * reload keeps can be counted.  With "die" the first one is killed while it
 * holds the lock.
 */

static void
hold(ngx_uint_t die)
{
    ngx_wschat_zone_stat_t  stat;

    ngx_wschat_zone_stat(zone, &stat);

    start(stat.connections);

    if (stat.incarnation == 1 || !die) {
        (void) conn(0);
    }

    if (stat.incarnation == 1 && die) {
        ngx_wschat_zone_modify(ngx_wschat_zone_lock(zone));
        kill(getpid(), SIGKILL);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_log_of, 0,
                  "zone test: %ui connections, incarnation %uL",
                  stat.connections, stat.incarnation);
}


static void
init_api(ngx_wschat_api_t *api, char *name)
{
    str_set(&api->name, name);
    api->store = store;
    api->zone = zone;
    api->history = 4;
}


static ngx_int_t
zone_test_init_process(ngx_cycle_t *cycle)
{
    usage_t    empty;
    ngx_str_t  name;

    ngx_log_of = cycle->log;
    pool = ngx_create_pool(16384, cycle->log);

    ngx_str_set(&name, "1m");
    zone = ngx_wschat_zone_find(cycle, &name);

    init_api(&chat, "chat");
    init_api(&other, "other");

    stub_apis[0] = &chat;
    stub_apis[1] = &other;

    srandom(1);

    if (ngx_strcmp(run.data, "hold") == 0
        || ngx_strcmp(run.data, "die") == 0)
    {
        hold(run.len == 3);
        return NGX_OK;
    }

    start(5);
    start(0);

    if (ngx_strcmp(run.data, "bench") == 0) {
        bench();
        exit(tap_done());
    }

    empty = usage(zone);

    test_basics();
    test_left(empty);
    test_lists();
    test_random(100000, 0);
    test_random(100000, 1);
    test_full();
    test_sweep();
    test_restore();

    stub_live = 1;
    test_stress(120, 0);
    test_stress(120, 1);

    exit(tap_done());
}
