
/*
 * Copyright (C) the ngx_wschat authors
 */


#ifndef _NGX_WSCHAT_ZONE_RECOVER_H_INCLUDED_
#define _NGX_WSCHAT_ZONE_RECOVER_H_INCLUDED_


/*
 * Knows how a zone becomes true again: what dead workers left is handed to
 * the living, and a zone that began anew is told what this worker has.  Never
 * knows what is done with what was left.
 *
 * Unless said otherwise, without the lock.
 */


#include "ngx_wschat_zone.h"
#include "session/ngx_wschat_session.h"


/* zone->restore: a part of this worker's sessions in each turn */
void ngx_wschat_zone_restore_handler(ngx_event_t *ev);

/* What is left of that, at once. */
void ngx_wschat_zone_restore_all(ngx_wschat_zone_t *zone);

/*
 * Tells the zone one session, with attributes and rooms, and the hub what
 * these rooms' epochs are now.  NGX_BUSY: the zone is full, and knows a part
 * of it.
 */
ngx_int_t ngx_wschat_zone_restore_session(ngx_wschat_session_t *s);

/*
 * The slot has nothing more to tell.  If that was the last one, rooms that
 * have no members have ended.  With the lock.
 */
void ngx_wschat_zone_told(ngx_wschat_zone_sh_t *sh, ngx_uint_t slot);


#endif /* _NGX_WSCHAT_ZONE_RECOVER_H_INCLUDED_ */
