
/*
 * Copyright (C) the ngx_wschat authors
 */


#include "ngx_wschat_connections.h"
#include "ngx_wschat_reply.h"
#include "ngx_wschat_id.h"
#include "ws/ngx_wschat_frame.h"


#define NGX_WSCHAT_HTTP_GONE         410      /* nginx has no name for it */

#define NGX_WSCHAT_CONNECTIONS_POOL  1024
#define NGX_WSCHAT_CONNECTIONS_ECHO  256      /* of an id that is none */

#define NGX_WSCHAT_TIME_LEN   (sizeof("2026-09-25T00:22:29.887Z") - 1)


/*
 * What a request asks of the store.  It has a pool of its own, as the store
 * may still be busy with it when the request is gone: the request's cleanup
 * destroys the pool, or leaves that to the store's answer.
 */

typedef struct {
    ngx_wschat_op_t       op;
    ngx_http_request_t   *request;
    ngx_uint_t            waiting;        /* for the store's answer */
    u_char                id[NGX_WSCHAT_ID_LEN];
} ngx_wschat_asked_t;


static ngx_int_t ngx_wschat_connections_path(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_wschat_connections_check(ngx_http_request_t *r,
    ngx_wschat_api_t *api);
static ngx_uint_t ngx_wschat_connections_plausible(ngx_str_t *id);
static size_t ngx_wschat_connections_limit(ngx_wschat_api_t *api);
static ngx_wschat_asked_t *ngx_wschat_connections_asked(ngx_http_request_t *r,
    ngx_wschat_api_t *api, u_char *id);
static void ngx_wschat_connections_cleanup(void *data);
static void ngx_wschat_connections_abandoned(ngx_wschat_op_t *op);
static void ngx_wschat_connections_body(ngx_http_request_t *r);
static ngx_int_t ngx_wschat_connections_read(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_wschat_connections_gather(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_wschat_connections_ask(ngx_wschat_asked_t *asked);
static void ngx_wschat_connections_answered(ngx_wschat_op_t *op);
static ngx_int_t ngx_wschat_connections_answer(ngx_wschat_asked_t *asked,
    ngx_int_t rc);
static ngx_int_t ngx_wschat_connections_peer(ngx_http_request_t *r,
    ngx_wschat_peer_t *peer);
static u_char *ngx_wschat_connections_time(u_char *p, uint64_t ms);
static ngx_int_t ngx_wschat_connections_gone(ngx_http_request_t *r);
static ngx_int_t ngx_wschat_connections_invalid(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_wschat_connections_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *error, const char *message);


static ngx_str_t  ngx_wschat_connections_word = ngx_string("/@connections/");


ngx_int_t
ngx_wschat_connections(ngx_http_request_t *r, ngx_wschat_api_t *api)
{
    u_char               id[NGX_WSCHAT_ID_LEN];
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_wschat_asked_t  *asked;

    if (ngx_wschat_connections_path(r, &text) != NGX_OK) {
        return ngx_wschat_connections_refuse(r, NGX_HTTP_FORBIDDEN,
                                             "ForbiddenException",
                                             "Forbidden");
    }

    rc = ngx_wschat_connections_check(r, api);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_wschat_id_parse(id, &text) != NGX_OK) {

        if (ngx_wschat_connections_plausible(&text)) {
            return ngx_wschat_connections_gone(r);
        }

        return ngx_wschat_connections_invalid(r, &text);
    }

    asked = ngx_wschat_connections_asked(r, api, id);
    if (asked == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_POST) {
        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r, ngx_wschat_connections_body);

        return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_wschat_connections_ask(asked);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return ngx_wschat_connections_answer(asked, rc);
}


void
ngx_wschat_connections_merge(ngx_conf_t *cf, ngx_wschat_api_t *api)
{
    size_t                     limit;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    limit = ngx_wschat_connections_limit(api);

    clcf->client_max_body_size = 0;
    clcf->client_body_buffer_size = ngx_max(clcf->client_body_buffer_size,
                                            limit);
}


/* what follows the last "/@connections/"; NGX_DECLINED: there is no id */

static ngx_int_t
ngx_wschat_connections_path(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char     *p, *start;
    ngx_str_t  *word;

    word = &ngx_wschat_connections_word;

    if (r->uri.len <= word->len) {
        return NGX_DECLINED;
    }

    start = r->uri.data;

    for (p = start + r->uri.len - word->len; p >= start; p--) {

        if (ngx_memcmp(p, word->data, word->len) == 0) {
            id->data = p + word->len;
            id->len = r->uri.data + r->uri.len - id->data;

            return (id->len != 0) ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/* NGX_DECLINED: there is nothing against this method and this body */

static ngx_int_t
ngx_wschat_connections_check(ngx_http_request_t *r, ngx_wschat_api_t *api)
{
    ngx_str_t  allow;

    if (r->method == NGX_HTTP_GET || r->method == NGX_HTTP_DELETE) {
        return NGX_DECLINED;
    }

    if (r->method != NGX_HTTP_POST) {
        ngx_str_set(&allow, "POST, GET, DELETE");

        if (ngx_wschat_reply_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_wschat_connections_refuse(r, NGX_HTTP_NOT_ALLOWED,
                                             "MethodNotAllowedException",
                                             "Method Not Allowed");
    }

    if (r->headers_in.chunked) {
        return ngx_wschat_connections_refuse(r, NGX_HTTP_LENGTH_REQUIRED,
                                             "LengthRequiredException",
                                             "Length Required");
    }

    if (r->headers_in.content_length_n
        > (off_t) ngx_wschat_connections_limit(api))
    {
        /* do not ask a client that waits for a 100 to go on */

        r->expect_tested = 1;
        r->keepalive = 0;
        r->lingering_close = 1;

        return ngx_wschat_reply_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "PayloadTooLargeException",
                                      "Payload Too Large");
    }

    return NGX_DECLINED;
}


/*
 * Whether another server of this API could have issued the id: base64url with
 * its padding.  Clients forget ids that are gone, and only those; so an id
 * that we can not have issued is gone as long as it looks like one (spec
 * sections 6.3 and 13, C2).
 */

static ngx_uint_t
ngx_wschat_connections_plausible(ngx_str_t *id)
{
    u_char   c;
    size_t   i, len;

    len = id->len;

    if (len % 4 != 0) {
        return 0;
    }

    for (i = 0; i < 2 && id->data[len - 1] == '='; i++) {
        len--;
    }

    for (i = 0; i < len; i++) {
        c = id->data[i];

        if ((c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z')
            && (c < '0' || c > '9')
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return 1;
}


static size_t
ngx_wschat_connections_limit(ngx_wschat_api_t *api)
{
    return ngx_max(api->max_message, NGX_WSCHAT_CONNECTIONS_BODY);
}


static ngx_wschat_asked_t *
ngx_wschat_connections_asked(ngx_http_request_t *r, ngx_wschat_api_t *api,
    u_char *id)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;
    ngx_wschat_asked_t  *asked;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(NGX_WSCHAT_CONNECTIONS_POOL, r->connection->log);
    if (pool == NULL) {
        return NULL;
    }

    asked = ngx_pcalloc(pool, sizeof(ngx_wschat_asked_t));
    if (asked == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    asked->request = r;
    ngx_memcpy(asked->id, id, NGX_WSCHAT_ID_LEN);

    asked->op.api = api;
    asked->op.pool = pool;
    asked->op.log = r->connection->log;
    asked->op.id = asked->id;
    asked->op.handler = ngx_wschat_connections_answered;
    asked->op.data = asked;

    cln->handler = ngx_wschat_connections_cleanup;
    cln->data = asked;

    return asked;
}


static void
ngx_wschat_connections_cleanup(void *data)
{
    ngx_wschat_asked_t *asked = data;

    ngx_pool_t  *pool;

    pool = asked->op.pool;

    if (!asked->waiting) {
        ngx_destroy_pool(pool);
        return;
    }

    /* the request's log goes with its connection */

    pool->log = ngx_cycle->log;
    asked->op.log = ngx_cycle->log;
    asked->op.handler = ngx_wschat_connections_abandoned;
}


static void
ngx_wschat_connections_abandoned(ngx_wschat_op_t *op)
{
    ngx_destroy_pool(op->pool);
}


static void
ngx_wschat_connections_body(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_wschat_op_t     *op;
    ngx_pool_cleanup_t  *cln;
    ngx_wschat_asked_t  *asked;

    /* the module's context of a request is the handshake's */

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_wschat_connections_cleanup) {
            break;
        }
    }

    if (cln == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    asked = cln->data;
    op = &asked->op;

    rc = ngx_wschat_connections_read(r, &op->message.body);

    if (rc == NGX_OK) {
        rc = ngx_wschat_connections_ask(asked);
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    ngx_http_finalize_request(r, ngx_wschat_connections_answer(asked, rc));
}


static ngx_int_t
ngx_wschat_connections_read(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *in;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    in = r->request_body->bufs;
    b = in->buf;

    if (in->next == NULL && !b->in_file) {
        body->data = b->pos;
        body->len = b->last - b->pos;

    } else if (ngx_wschat_connections_gather(r, body) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_wschat_reply_utf8(r->pool, body);
}


/* A body in several buffers, or in a file, is put into one piece. */

static ngx_int_t
ngx_wschat_connections_gather(ngx_http_request_t *r, ngx_str_t *body)
{
    off_t         size;
    u_char       *p;
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > r->headers_in.content_length_n) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "wschat: request body of %O bytes, %O announced",
                      size, r->headers_in.content_length_n);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, (size_t) size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = (size_t) size;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;
        len = (size_t) ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, len);
            continue;
        }

        if (ngx_read_file(b->file, p, len, b->file_pos) != (ssize_t) len) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "wschat: request body in \"%V\" is cut short",
                          &b->file->name);
            return NGX_ERROR;
        }

        p += len;
    }

    return NGX_OK;
}


/* NGX_AGAIN: the request is answered once the store has answered */

static ngx_int_t
ngx_wschat_connections_ask(ngx_wschat_asked_t *asked)
{
    ngx_int_t            rc;
    ngx_wschat_op_t     *op;
    ngx_http_request_t  *r;

    r = asked->request;
    op = &asked->op;

    switch (r->method) {

    case NGX_HTTP_POST:
        op->message.target = NGX_WSCHAT_TO_CONNECTION;
        op->message.id = op->id;

        rc = op->api->store->post(op);
        break;

    case NGX_HTTP_DELETE:
        op->code = NGX_WSCHAT_CLOSE_NORMAL;
        ngx_str_set(&op->reason, "Connection Closed Normally");

        rc = op->api->store->close(op);
        break;

    default: /* NGX_HTTP_GET */
        rc = op->api->store->find(op);
        break;
    }

    if (rc == NGX_AGAIN) {
        asked->waiting = 1;

        /* a client that hangs up meanwhile is noticed */

        if (!r->discard_body) {
            r->read_event_handler = ngx_http_test_reading;
        }
    }

    return rc;
}


static void
ngx_wschat_connections_answered(ngx_wschat_op_t *op)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_wschat_asked_t  *asked;

    asked = op->data;
    asked->waiting = 0;

    r = asked->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r,
                              ngx_wschat_connections_answer(asked, op->rc));

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_wschat_connections_answer(ngx_wschat_asked_t *asked, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = asked->request;

    switch (rc) {

    case NGX_OK:
        if (ngx_wschat_reply_ids(r, 1) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (r->method == NGX_HTTP_GET) {
            return ngx_wschat_connections_peer(r, &asked->op.peer);
        }

        return ngx_wschat_reply(r, (r->method == NGX_HTTP_DELETE)
                                   ? NGX_HTTP_NO_CONTENT : NGX_HTTP_OK,
                                NULL, NULL);

    case NGX_DECLINED:
        return ngx_wschat_connections_gone(r);

    case NGX_BUSY:
        return ngx_wschat_connections_refuse(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                             "LimitExceededException",
                                             "Too Many Requests");

    default: /* NGX_ERROR */
        return ngx_wschat_connections_refuse(r,
                                             NGX_HTTP_INTERNAL_SERVER_ERROR,
                                             "InternalServerErrorException",
                                             "Internal server error");
    }
}


/* the layout is API Gateway's, to the byte */

static ngx_int_t
ngx_wschat_connections_peer(ngx_http_request_t *r, ngx_wschat_peer_t *peer)
{
    u_char     *p;
    u_char      connected[NGX_WSCHAT_TIME_LEN], active[NGX_WSCHAT_TIME_LEN];
    ngx_str_t   at, last, body;

    if (ngx_wschat_reply_escape(r->pool, &peer->ip) != NGX_OK
        || ngx_wschat_reply_escape(r->pool, &peer->user_agent) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    at.data = connected;
    at.len = ngx_wschat_connections_time(connected, peer->connected)
             - connected;

    last.data = active;
    last.len = ngx_wschat_connections_time(active, peer->last_active) - active;

    p = ngx_pnalloc(r->pool, sizeof("{\n"
                                    "  \"identity\" : {\n"
                                    "    \"sourceIp\" : \"\",\n"
                                    "    \"userAgent\" : \"\"\n"
                                    "  },\n"
                                    "  \"connectedAt\" : \"\",\n"
                                    "  \"lastActiveAt\" : \"\"\n"
                                    "}") - 1
                             + peer->ip.len + peer->user_agent.len
                             + at.len + last.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    body.len = ngx_sprintf(p, "{\n"
                              "  \"identity\" : {\n"
                              "    \"sourceIp\" : \"%V\",\n"
                              "    \"userAgent\" : \"%V\"\n"
                              "  },\n"
                              "  \"connectedAt\" : \"%V\",\n"
                              "  \"lastActiveAt\" : \"%V\"\n"
                              "}",
                           &peer->ip, &peer->user_agent, &at, &last)
               - p;

    return ngx_wschat_reply(r, NGX_HTTP_OK, NULL, &body);
}


static u_char *
ngx_wschat_connections_time(u_char *p, uint64_t ms)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    return ngx_snprintf(p, NGX_WSCHAT_TIME_LEN,
                        "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                        (int) (ms % 1000));
}


static ngx_int_t
ngx_wschat_connections_gone(ngx_http_request_t *r)
{
    if (ngx_wschat_reply_ids(r, 1) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wschat_reply_error(r, NGX_WSCHAT_HTTP_GONE, "GoneException",
                                  NULL);
}


static ngx_int_t
ngx_wschat_connections_invalid(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char     *p, *last;
    ngx_str_t   text;

    text = *id;
    text.len = ngx_min(text.len, NGX_WSCHAT_CONNECTIONS_ECHO);

    if (ngx_wschat_reply_escape(r->pool, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_pnalloc(r->pool, sizeof("Invalid connectionId: ") + text.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    last = ngx_sprintf(p, "Invalid connectionId: %V", &text);
    *last = '\0';

    return ngx_wschat_connections_refuse(r, NGX_HTTP_BAD_REQUEST,
                                         "BadRequestException",
                                         (const char *) p);
}


/* refused or failed: there is no trace id (spec section 6.1) */

static ngx_int_t
ngx_wschat_connections_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *message)
{
    if (ngx_wschat_reply_ids(r, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wschat_reply_error(r, status, error, message);
}
