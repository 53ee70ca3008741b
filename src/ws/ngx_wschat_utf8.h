
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * UTF-8 (RFC 3629) in pieces of any size.  Knows bytes; never knows what
 * they are part of, allocates nothing, includes nothing of nginx.
 */


#ifndef _NGX_WSCHAT_UTF8_H_INCLUDED_
#define _NGX_WSCHAT_UTF8_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/*
 * Checks the next n bytes of a text.  *state is the caller's: 0 before the
 * first piece, and 0 again whenever the text so far ends at a character's
 * end, so a text is complete and valid if the last piece returned 0 and left
 * *state 0.  The other values of *state mean nothing to the caller.
 *
 * Returns 0 if the text can still become valid, -1 at the first byte after
 * which it cannot: overlong forms, surrogates and values above U+10FFFF are
 * refused at the earliest byte that tells (RFC 6455 8.1, Autobahn 6.4).
 * After -1 *state is as it was before the piece.
 */
int ngx_wschat_utf8(uint32_t *state, const uint8_t *p, size_t n);

/*
 * Writes the n bytes at p to out as valid UTF-8: whatever is not becomes
 * U+FFFD, one for each maximal subpart of an ill-formed sequence (Unicode
 * 3.9, WHATWG Encoding "UTF-8 decoder"; what API Gateway does to the body of
 * a POST to @connections, spec 6.2).  out has room for 3 * n bytes and does
 * not overlap p.  Returns the number of bytes written.
 */
size_t ngx_wschat_utf8_repair(uint8_t *out, const uint8_t *p, size_t n);


#endif /* _NGX_WSCHAT_UTF8_H_INCLUDED_ */
