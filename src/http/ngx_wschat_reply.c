
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_reply.h"
#include "compat.h"
#include "ngx_wschat_id.h"
#include "ws/ngx_wschat_utf8.h"


#define NGX_WSCHAT_UUID_LEN   36
#define NGX_WSCHAT_TRACE_LEN  (sizeof("Root=1-") - 1 + 8 + 1 + 24)


static ngx_str_t  ngx_wschat_reply_json = ngx_string("application/json");


ngx_int_t
ngx_wschat_reply_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    /* an element is seen once it is pushed, and left out while hash is 0 */

    h->hash = 0;
    ngx_wschat_header_unlink(h);

    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;

    h->lowcase_key = ngx_pnalloc(r->pool, h->key.len);
    if (h->lowcase_key == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);

    return NGX_OK;
}


ngx_int_t
ngx_wschat_reply(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (type == NULL) {
        type = &ngx_wschat_reply_json;
    }

    if (status == NGX_HTTP_NO_CONTENT) {

        /* nginx leaves its own Content-Type out of a 204, the API does not */

        if (ngx_wschat_reply_header(r, "Content-Type", type) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = (body == NULL) ? 0 : (off_t) body->len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    if (body == NULL || body->len == 0) {
        rc = ngx_http_send_header(r);

        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            return rc;
        }

        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    b = ngx_create_temp_buf(r->pool, body->len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, body->data, body->len);
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_wschat_reply_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *message)
{
    u_char     *p;
    ngx_str_t   body, value;

    if (error != NULL) {
        value.len = ngx_strlen(error);
        value.data = (u_char *) error;

        if (ngx_wschat_reply_header(r, "x-amzn-ErrorType", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (message == NULL) {
        return ngx_wschat_reply(r, status, NULL, NULL);
    }

    p = ngx_pnalloc(r->pool, sizeof("{\"message\":\"\"}") - 1
                             + ngx_strlen(message));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    body.len = ngx_sprintf(p, "{\"message\":\"%s\"}", message) - p;

    return ngx_wschat_reply(r, status, NULL, &body);
}


ngx_int_t
ngx_wschat_reply_ids(ngx_http_request_t *r, ngx_uint_t trace)
{
    u_char     *p;
    u_char      id[16], hex[32];
    ngx_str_t   value;

    if (ngx_wschat_random(id, 16) != NGX_OK) {
        return NGX_ERROR;
    }

    /* RFC 9562, version 4 */

    id[6] = (u_char) (0x40 | (id[6] & 0x0f));
    id[8] = (u_char) (0x80 | (id[8] & 0x3f));

    ngx_hex_dump(hex, id, 16);

    p = ngx_pnalloc(r->pool, NGX_WSCHAT_UUID_LEN + NGX_WSCHAT_REQUEST_ID_LEN
                             + NGX_WSCHAT_TRACE_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_cpymem(p, hex, 8);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 8, 4);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 12, 4);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 16, 4);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 20, 12);

    value.len = p - value.data;

    if (ngx_wschat_reply_header(r, "x-amzn-RequestId", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_wschat_id_request(p);
    value.len = p - value.data;

    if (ngx_wschat_reply_header(r, "x-amz-apigw-id", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!trace) {
        return NGX_OK;
    }

    if (ngx_wschat_random(id, 12) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "Root=1-%08xD-", (uint32_t) ngx_time());
    p = ngx_hex_dump(p, id, 12);
    value.len = p - value.data;

    return ngx_wschat_reply_header(r, "X-Amzn-Trace-Id", &value);
}


ngx_int_t
ngx_wschat_reply_utf8(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char    *p;
    uint32_t   state;

    state = 0;

    if (ngx_wschat_utf8(&state, text->data, text->len) == 0 && state == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, 3 * text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_wschat_utf8_repair(p, text->data, text->len);
    text->data = p;

    return NGX_OK;
}


ngx_int_t
ngx_wschat_reply_escape(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char  *p;
    size_t   more;

    if (ngx_wschat_reply_utf8(pool, text) != NGX_OK) {
        return NGX_ERROR;
    }

    more = (size_t) ngx_escape_json(NULL, text->data, text->len);

    if (more == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, text->len + more);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_escape_json(p, text->data, text->len);

    text->data = p;
    text->len += more;

    return NGX_OK;
}
