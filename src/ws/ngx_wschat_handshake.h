
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The arithmetic of the opening handshake (RFC 6455 4): values of header
 * fields in, answers out.  Knows their grammar; never knows requests or what
 * is to be refused with which status, allocates nothing, includes nothing of
 * nginx.
 */


#ifndef _NGX_WSCHAT_HANDSHAKE_H_INCLUDED_
#define _NGX_WSCHAT_HANDSHAKE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define NGX_WSCHAT_KEY_LEN     24
#define NGX_WSCHAT_ACCEPT_LEN  28


/*
 * 1 if the n bytes at p are a Sec-WebSocket-Key, the base64 of 16 bytes with
 * zero padding bits (RFC 6455 4.1, RFC 4648 3.5), else 0.
 */
int ngx_wschat_key_valid(const uint8_t *p, size_t n);

/*
 * Writes Sec-WebSocket-Accept, NGX_WSCHAT_ACCEPT_LEN bytes and no zero after
 * them, for the NGX_WSCHAT_KEY_LEN bytes of a valid key (RFC 6455 4.2.2).
 */
void ngx_wschat_accept(uint8_t *out, const uint8_t *key);

/*
 * Takes the next element of a comma-separated list of tokens (RFC 9110
 * 5.6.1, 5.6.2; Sec-WebSocket-Protocol, Connection, Upgrade) from the bytes
 * between *pos and last and advances *pos behind it.  Spaces and tabs around
 * the elements and empty elements are skipped.
 *
 * Returns 1 and the token as it lies in the list in *token and *len; 0 at
 * the end of the list; -1 if the element is not a token, *pos is then behind
 * it and the call may be repeated for the next one.
 */
int ngx_wschat_next_token(const uint8_t **pos, const uint8_t *last,
    const uint8_t **token, size_t *len);

/*
 * 1 if the list of n bytes at p has the token, which is len bytes of lower
 * case and found in any case, else 0.  Elements that are no tokens do not
 * hide the others.
 */
int ngx_wschat_has_token(const uint8_t *p, size_t n, const char *token,
    size_t len);


#endif /* _NGX_WSCHAT_HANDSHAKE_H_INCLUDED_ */
