
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _ZONE_STRESS_H_INCLUDED_
#define _ZONE_STRESS_H_INCLUDED_


/*
 * Workers that are processes, killed again and again while they work.
 */


#include "zone_test.h"

#include <sys/mman.h>
#include <sys/prctl.h>


/* real processes, killed at any moment */

#define P_WORKERS  3
#define P_SESSIONS 40

typedef struct {
    volatile ngx_uint_t  generation;
    volatile ngx_uint_t  stop;        /* 1: quiesce, 2: go */
    volatile ngx_uint_t  quiet;
    volatile ngx_uint_t  bad;
    volatile ngx_uint_t  steps;
} shared_t;

static shared_t  *shared;


static void
stress_child(ngx_uint_t slot)
{
    int         i, k;
    char        name[32];
    ngx_int_t   rc;
    ngx_uint_t  n;

    /* not longer than the test */

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

    ngx_pid = getpid();
    srandom(ngx_pid);

    for (i = 0; i < SESSIONS; i++) {
        stub_close(i);
    }

    stub_slot = slot;
    stub_generation[slot] = shared[slot].generation;
    ngx_wschat_store_zone_init_process((ngx_cycle_t *) ngx_cycle, &handlers);

    while (shared[slot].stop == 0) {
        i = random() % P_SESSIONS + slot * P_SESSIONS;
        snprintf(name, sizeof(name), "%ld", random() % 10);

        if (!stub_sessions[i].open) {
            rc = conn(i);

        } else {
            switch (random() % 8) {
            case 0:
                quit(i);
                rc = NGX_OK;
                break;

            case 1:
            case 2:
                rc = join(i, name);
                break;

            case 3:
                rc = leave(i, name);
                end();
                break;

            case 4:
                rc = attr(i, "user", random() % 2 ? "\"a\"" : "\"b\"");
                break;

            case 5:
                rc = attr(i, "name",
                          random() % 2 ? "\"a long name, it may be\"" : "");
                break;

            case 6:
                rc = publish_log(name, "x", "\"a record of the log\"", 1);
                break;

            default:
                turns();
                rc = NGX_OK;
                break;
            }
        }

        /* a room may not be known while the zone is restored */

        if (rc != NGX_OK && rc != NGX_DECLINED
            && ngx_wschat_zone_head(zone)->pending == 0
            && rc != NGX_ERROR)
        {
            shared[slot].bad++;
        }

        shared[slot].steps++;
    }

    (void) ngx_wschat_zone_lock(zone);
    ngx_wschat_zone_unlock(zone);
    turns();

    /* all is there that should be, and nothing else is */

    for (i = slot * P_SESSIONS; i < (int) (slot + 1) * P_SESSIONS; i++) {

        n = 0;

        for (k = 0; k < 10; k++) {
            ngx_str_t                   str;
            ngx_wschat_zone_sh_t       *sh;
            ngx_wschat_zone_conn_t     *c;
            ngx_wschat_zone_channel_t  *ch;

            snprintf(name, sizeof(name), "%d", k);
            str_set(&str, name);

            sh = ngx_wschat_zone_lock(zone);
            c = ngx_wschat_zone_conn(sh, session(i)->id);
            ch = ngx_wschat_zone_channel(sh,
                                         ngx_wschat_zone_api(sh, &chat.name),
                                         NGX_WSCHAT_TO_ROOM,
                                         ngx_wschat_zone_hash(zone, &str),
                                         &str);
            rc = c && ch && ngx_wschat_zone_member(c, ch);
            n = (c != NULL);
            ngx_wschat_zone_unlock(zone);

            if (rc != (stub_sessions[i].open
                       && ngx_wschat_hub_member(session(i), NGX_WSCHAT_TO_ROOM,
                                                &str) != NULL))
            {
                shared[slot].bad++;
            }
        }

        if (n != stub_sessions[i].open) {
            shared[slot].bad++;
        }
    }

    shared[slot].quiet = 1;

    while (shared[slot].stop != 2) {
        usleep(1000);
    }

    for (i = 0; i < SESSIONS; i++) {
        if (stub_sessions[i].open) {
            quit(i);
        }
    }

    ngx_wschat_store_zone_exit_process((ngx_cycle_t *) ngx_cycle);

    _exit(0);
}


static pid_t
stress_start(ngx_uint_t slot)
{
    pid_t  pid;

    shared[slot].generation++;
    stub_generation[slot] = shared[slot].generation;
    stub_live |= (uint64_t) 1 << slot;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        stress_child(slot);
    }

    return pid;
}


/* "anywhere": also in the middle of a change */

static void
test_stress(ngx_uint_t rounds, ngx_uint_t anywhere)
{
    int          status, bad;
    pid_t        pids[P_WORKERS + 1];
    uint64_t     incarnation;
    usage_t      empty;
    ngx_uint_t   i, slot, faults, steps;

    empty = usage(zone);
    incarnation = ngx_wschat_zone_head(zone)->incarnation;
    memset(&swept, 0, sizeof(swept));

    shared = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].generation = 1000 * (anywhere + 1);
        pids[slot] = stress_start(slot);
    }

    for (i = 0; i < rounds; i++) {
        usleep(random() % 8000);

        slot = 1 + random() % P_WORKERS;

        if (!anywhere) {
            (void) ngx_wschat_zone_lock(zone);
        }

        kill(pids[slot], SIGKILL);
        (void) waitpid(pids[slot], &status, 0);

        if (!anywhere) {
            ngx_wschat_zone_unlock(zone);
        }

        (void) ngx_shmtx_force_unlock(&zone->pool->mutex, pids[slot]);

        stub_live &= ~((uint64_t) 1 << slot);
        stub_released = 0;
        ngx_wschat_store_zone_dead(slot, stub_generation[slot]);
        turns();

        if (stub_released != (uint64_t) 1 << slot) {
            diag("slot %lu was not released", (unsigned long) slot);
            break;
        }

        pids[slot] = stress_start(slot);
    }

    is(i, rounds, "%lu workers killed%s", (unsigned long) rounds,
       anywhere ? " anywhere" : "");

    usleep(50000);

    steps = 0;
    bad = 0;

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].stop = 1;
    }

    for (slot = 1; slot <= P_WORKERS; slot++) {
        while (!shared[slot].quiet) {
            usleep(1000);
        }

        bad += shared[slot].bad;
        steps += shared[slot].steps;
    }

    turns();

    is(bad, 0, "each worker has what it has, after %lu steps",
       (unsigned long) steps);
    is(ngx_wschat_zone_head(zone)->pending, 0, "all have told");

    faults = check(zone);
    is(faults, 0, "the zone is whole");
    is(swept.twice, 0, "%lu orphans, each once",
       (unsigned long) swept.orphans);

    incarnation = ngx_wschat_zone_head(zone)->incarnation - incarnation;

    if (anywhere) {
        is(incarnation > 0, 1, "the zone began anew %lu times",
           (unsigned long) incarnation);
    } else {
        is(incarnation, 0, "the zone never began anew");
        is(swept.orphans > 0, 1, "there were orphans");
    }

    for (slot = 1; slot <= P_WORKERS; slot++) {
        shared[slot].stop = 2;
        (void) waitpid(pids[slot], &status, 0);
        stub_live &= ~((uint64_t) 1 << slot);
        is(status, 0, "a worker exits");
    }

    turns();

    is(ngx_wschat_zone_head(zone)->connections, 0, "no connections are left");
    is(check(zone), 0, "the zone is whole");

    if (!same(empty, usage(zone))) {
        diag("rooms %lu", (unsigned long) ngx_wschat_zone_head(zone)->rooms);
    }

    ok(same(empty, usage(zone)), "nothing is left");
}


#endif /* _ZONE_STRESS_H_INCLUDED_ */
