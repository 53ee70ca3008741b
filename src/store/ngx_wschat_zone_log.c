
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Knows a room's log in the zone: what was said, by offset and time.  Never
 * knows who asks for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_wschat_zone.h"


#define ngx_wschat_zone_record_room(len)                                      \
    ngx_min((len),                                                            \
            NGX_WSCHAT_ZONE_BLOCK - offsetof(ngx_wschat_zone_record_t, data))


static ngx_wschat_zone_record_t *ngx_wschat_zone_record_create(
    ngx_wschat_zone_t *zone, size_t len);
static void ngx_wschat_zone_log_shift(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch);


ngx_int_t
ngx_wschat_zone_log_append(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch, ngx_str_t *parts, ngx_uint_t n,
    ngx_uint_t keep, time_t since)
{
    size_t                     len;
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_wschat_zone_record_t  *record;

    while (ch->records) {
        q = ngx_queue_head(&ch->log);
        record = ngx_queue_data(q, ngx_wschat_zone_record_t, queue);

        if ((time_t) record->time >= since) {
            break;
        }

        ngx_wschat_zone_log_shift(zone, ch);
    }

    len = 0;

    for (i = 0; i < n; i++) {
        len += parts[i].len;
    }

    /* if the zone is full, the log may yet live on what is dropped anyway */

    for ( ;; ) {
        record = ngx_wschat_zone_record_create(zone, len);

        if (record || ch->records < keep) {
            break;
        }

        ngx_wschat_zone_log_shift(zone, ch);
    }

    if (record == NULL) {
        return NGX_BUSY;
    }

    record->offset = ch->offset + 1;
    record->time = (uint32_t) ngx_time();
    record->len = (uint32_t) len;

    ngx_wschat_zone_text_write(record->data, ngx_wschat_zone_record_room(len),
                               record->more, parts, n);

    ngx_queue_insert_tail(&ch->log, &record->queue);
    ch->records++;

    while (ch->records > keep) {
        ngx_wschat_zone_log_shift(zone, ch);
    }

    return NGX_OK;
}


static ngx_wschat_zone_record_t *
ngx_wschat_zone_record_create(ngx_wschat_zone_t *zone, size_t len)
{
    size_t                     room;
    ngx_wschat_zone_record_t  *record;

    room = ngx_wschat_zone_record_room(len);

    record = ngx_slab_alloc_locked(zone->pool,
                                   offsetof(ngx_wschat_zone_record_t, data)
                                   + room);
    if (record == NULL) {
        return NULL;
    }

    if (ngx_wschat_zone_text_alloc(zone, &record->more, len - room)
        != NGX_OK)
    {
        ngx_slab_free_locked(zone->pool, record);
        return NULL;
    }

    return record;
}


/* drops the oldest record */

static void
ngx_wschat_zone_log_shift(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch)
{
    ngx_queue_t               *q;
    ngx_wschat_zone_record_t  *record;

    q = ngx_queue_head(&ch->log);
    ngx_queue_remove(q);
    ch->records--;

    record = ngx_queue_data(q, ngx_wschat_zone_record_t, queue);

    ngx_wschat_zone_text_free(zone, record->more);
    ngx_slab_free_locked(zone->pool, record);
}


void
ngx_wschat_zone_log_free(ngx_wschat_zone_t *zone,
    ngx_wschat_zone_channel_t *ch)
{
    while (ch->records) {
        ngx_wschat_zone_log_shift(zone, ch);
    }
}


void
ngx_wschat_zone_log_write(ngx_wschat_zone_out_t *out,
    ngx_wschat_zone_channel_t *ch, uint64_t after, uint64_t upto,
    ngx_uint_t max, time_t since)
{
    u_char                    *p;
    size_t                     len;
    ngx_uint_t                 n;
    ngx_queue_t               *q, *first;
    ngx_wschat_zone_record_t  *record;

    /* from the end to the first that is wanted, and back */

    n = 0;
    len = 2;
    first = ngx_queue_sentinel(&ch->log);

    for (q = ngx_queue_last(&ch->log);
         q != ngx_queue_sentinel(&ch->log);
         q = ngx_queue_prev(q))
    {
        record = ngx_queue_data(q, ngx_wschat_zone_record_t, queue);

        if (record->offset > upto) {
            continue;
        }

        if (n == max
            || record->offset <= after
            || (time_t) record->time < since
            || len + record->len + 1 > NGX_WSCHAT_ZONE_TEXT)
        {
            break;
        }

        len += record->len + 1;
        first = q;
        n++;
    }

    for (q = first; n; q = ngx_queue_next(q), n--) {
        record = ngx_queue_data(q, ngx_wschat_zone_record_t, queue);

        p = ngx_wschat_zone_out_add(out, record->len);

        if (p) {
            (void) ngx_wschat_zone_text_read(p, record->data,
                                     ngx_wschat_zone_record_room(record->len),
                                     record->more, record->len);
        }
    }

    ngx_wschat_zone_out_end(out);
}
