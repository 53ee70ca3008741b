
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_wschat_upgrade.h"
#include "ngx_wschat_session.h"
#include "ngx_wschat_bus.h"
#include "ngx_wschat_hub.h"
#include "ngx_wschat_id.h"
#include "http/ngx_wschat_reply.h"
#include "route/ngx_wschat_api.h"
#include "route/ngx_wschat_attr.h"
#include "route/ngx_wschat_run.h"
#include "ws/ngx_wschat_handshake.h"


/* of a handshake under way; in the request's pool */

typedef struct {
    ngx_http_request_t     *request;
    ngx_wschat_session_t   *session;
    ngx_wschat_run_t       *run;          /* while $connect waits */
    ngx_str_t               protocol;
    u_char                  accept[NGX_WSCHAT_ACCEPT_LEN];
} ngx_wschat_upgrade_t;


static ngx_int_t ngx_wschat_upgrade_check(ngx_http_request_t *r,
    ngx_wschat_upgrade_t *u, ngx_wschat_api_t *api);
static ngx_int_t ngx_wschat_upgrade_required(ngx_http_request_t *r,
    const char *message);
static ngx_table_elt_t *ngx_wschat_upgrade_header(ngx_http_request_t *r,
    const char *name, ngx_uint_t n);
static ngx_uint_t ngx_wschat_upgrade_has(ngx_http_request_t *r,
    const char *name, const char *token);
static void ngx_wschat_upgrade_protocol(ngx_http_request_t *r,
    ngx_wschat_upgrade_t *u, ngx_wschat_api_t *api);
static void ngx_wschat_upgrade_connected(ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_upgrade_answer(ngx_wschat_upgrade_t *u,
    ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_upgrade_refuse(ngx_wschat_upgrade_t *u,
    ngx_wschat_run_t *run);
static ngx_int_t ngx_wschat_upgrade_accept(ngx_wschat_upgrade_t *u);
static void ngx_wschat_upgrade_detach(ngx_event_t *ev);
static void ngx_wschat_upgrade_failed(ngx_http_request_t *r);
static void ngx_wschat_upgrade_empty(ngx_event_t *ev);
static void ngx_wschat_upgrade_cleanup(void *data);


ngx_int_t
ngx_wschat_upgrade(ngx_http_request_t *r, ngx_wschat_place_t *place)
{
    ngx_int_t               rc;
    ngx_wschat_run_t       *run;
    ngx_pool_cleanup_t     *cln;
    ngx_wschat_upgrade_t   *u;

    /* a subrequest, as of "auth_request", has no connection to hand over */

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    u = ngx_pcalloc(r->pool, sizeof(ngx_wschat_upgrade_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (u == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_wschat_upgrade_check(r, u, place->api);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_wschat_upgrade_protocol(r, u, place->api);

    place->main_conf = r->main_conf;
    place->srv_conf = r->srv_conf;
    place->loc_conf = r->loc_conf;

    u->request = r;
    u->session = ngx_wschat_session_create(r->connection, place->api, 0,
                                           ngx_wschat_bus_slot());
    if (u->session == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_wschat_log_client(u->session, r, place);

    cln->handler = ngx_wschat_upgrade_cleanup;
    cln->data = u;

    rc = ngx_wschat_run_connect(u->session, r, &run,
                                ngx_wschat_upgrade_connected, u);

    if (rc == NGX_ERROR) {
        ngx_wschat_log_client_free(u->session);
        ngx_wschat_session_discard(u->session);
        u->session = NULL;

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN) {
        u->run = run;

        r->main->count++;
        r->read_event_handler = ngx_http_test_reading;

        return NGX_DONE;
    }

    rc = ngx_wschat_upgrade_answer(u, run);

    ngx_wschat_run_release(run);

    return rc;
}


/* RFC 6455 4.2.1; NGX_DECLINED: it is one, else what the handler returns */

static ngx_int_t
ngx_wschat_upgrade_check(ngx_http_request_t *r, ngx_wschat_upgrade_t *u,
    ngx_wschat_api_t *api)
{
    ngx_str_t         allow;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_GET) {
        ngx_str_set(&allow, "GET");

        if (ngx_wschat_reply_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_wschat_reply_error(r, NGX_HTTP_NOT_ALLOWED, NULL,
                                      "Method Not Allowed");
    }

    if (r->http_version != NGX_HTTP_VERSION_11
        || !ngx_wschat_upgrade_has(r, "upgrade", "websocket"))
    {
        return ngx_wschat_upgrade_required(r, "Upgrade Required");
    }

    if (!ngx_wschat_upgrade_has(r, "connection", "upgrade")) {
        return ngx_wschat_reply_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                      "Connection: upgrade was expected");
    }

    h = ngx_wschat_upgrade_header(r, "sec-websocket-version", 0);

    if (h == NULL) {
        return ngx_wschat_reply_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                      "Sec-WebSocket-Version was expected");
    }

    if (h->value.len != 2 || ngx_strncmp(h->value.data, "13", 2) != 0
        || ngx_wschat_upgrade_header(r, "sec-websocket-version", 1) != NULL)
    {
        return ngx_wschat_upgrade_required(r,
                                        "Sec-WebSocket-Version is not 13");
    }

    h = ngx_wschat_upgrade_header(r, "sec-websocket-key", 0);

    if (h == NULL || !ngx_wschat_key_valid(h->value.data, h->value.len)
        || ngx_wschat_upgrade_header(r, "sec-websocket-key", 1) != NULL)
    {
        return ngx_wschat_reply_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                      "Sec-WebSocket-Key was expected");
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return ngx_wschat_reply_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                      "A body was not expected");
    }

    ngx_wschat_accept(u->accept, h->value.data);

    return NGX_DECLINED;
}


/* RFC 9110 15.5.22 wants Upgrade in a 426, RFC 9113 8.2.2 not in HTTP/2 */

static ngx_int_t
ngx_wschat_upgrade_required(ngx_http_request_t *r, const char *message)
{
    ngx_str_t  value;

    if (r->http_version >= NGX_HTTP_VERSION_20) {
        return ngx_wschat_reply_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                      "WebSocket needs HTTP/1.1 here");
    }

    ngx_str_set(&value, "13");

    if (ngx_wschat_reply_header(r, "Sec-WebSocket-Version", &value)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&value, "websocket");

    if (ngx_wschat_reply_header(r, "Upgrade", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");

    return ngx_wschat_reply_error(r, 426, NULL, message);
}


/* the n-th header of the name, which is in lower case, or NULL */

static ngx_table_elt_t *
ngx_wschat_upgrade_header(ngx_http_request_t *r, const char *name,
    ngx_uint_t n)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncmp(h[i].lowcase_key, name, len) == 0
            && n-- == 0)
        {
            return &h[i];
        }
    }
}


/* whether one of the header's lists, of several lines, has the token */

static ngx_uint_t
ngx_wschat_upgrade_has(ngx_http_request_t *r, const char *name,
    const char *token)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    for (n = 0; /* void */ ; n++) {
        h = ngx_wschat_upgrade_header(r, name, n);

        if (h == NULL) {
            return 0;
        }

        if (ngx_wschat_has_token(h->value.data, h->value.len, token,
                                 ngx_strlen(token)))
        {
            return 1;
        }
    }
}


/* the first that is offered and that we speak; none is no error */

static void
ngx_wschat_upgrade_protocol(ngx_http_request_t *r, ngx_wschat_upgrade_t *u,
    ngx_wschat_api_t *api)
{
    int               rc;
    size_t            len;
    ngx_str_t        *known;
    ngx_uint_t        i, n;
    const uint8_t    *p, *last, *token;
    ngx_table_elt_t  *h;

    if (api->subprotocols.nelts == 0) {
        return;
    }

    known = api->subprotocols.elts;

    for (n = 0; /* void */ ; n++) {
        h = ngx_wschat_upgrade_header(r, "sec-websocket-protocol", n);

        if (h == NULL) {
            return;
        }

        p = h->value.data;
        last = p + h->value.len;

        while ((rc = ngx_wschat_next_token(&p, last, &token, &len)) != 0) {

            for (i = 0; rc == 1 && i < api->subprotocols.nelts; i++) {

                if ((known[i].len == len
                     && ngx_strncmp(known[i].data, token, len) == 0)
                    || (known[i].len == 1 && known[i].data[0] == '*'))
                {
                    u->protocol.data = (u_char *) token;
                    u->protocol.len = len;
                    return;
                }
            }
        }
    }
}


/* $connect had to wait, and is done now */

static void
ngx_wschat_upgrade_connected(ngx_wschat_run_t *run)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_wschat_upgrade_t  *u;

    u = run->data;
    r = u->request;
    c = r->connection;

    u->run = NULL;

    rc = ngx_wschat_upgrade_answer(u, run);

    ngx_wschat_run_release(run);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_wschat_upgrade_answer(ngx_wschat_upgrade_t *u, ngx_wschat_run_t *run)
{
    ngx_int_t  rc;

    if (!run->accepted) {
        rc = ngx_wschat_upgrade_refuse(u, run);

        ngx_wschat_hub_drop(u->session);
        ngx_wschat_attr_free(&u->session->attrs);
        ngx_wschat_log_client_free(u->session);
        ngx_wschat_session_discard(u->session);

        u->session = NULL;

        return rc;
    }

    return ngx_wschat_upgrade_accept(u);
}


static ngx_int_t
ngx_wschat_upgrade_refuse(ngx_wschat_upgrade_t *u, ngx_wschat_run_t *run)
{
    u_char               buf[160], id[NGX_WSCHAT_ID_TEXT_LEN];
    ngx_str_t            type, body, value;
    ngx_uint_t           status;
    ngx_http_request_t  *r;

    r = u->request;

    value.len = NGX_WSCHAT_REQUEST_ID_LEN;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(value.data, ngx_wschat_run_request_id(run), value.len);

    if (ngx_wschat_reply_header(r, "x-amz-apigw-id", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (run->full) {
        return ngx_wschat_reply_error(r, NGX_HTTP_SERVICE_UNAVAILABLE, NULL,
                                      "Service Unavailable");
    }

    if (!run->failed) {
        ngx_str_set(&type, "application/json; charset=UTF-8");

        if (run->answer.len && !run->answer_json) {
            ngx_str_set(&type, "text/plain; charset=UTF-8");
        }

        return ngx_wschat_reply(r, run->status, &type, &run->answer);
    }

    /* spec section 2.3: what the gateway itself says */

    status = NGX_HTTP_BAD_GATEWAY;

    ngx_wschat_id_text(id, u->session->id);

    body.data = buf;
    body.len = ngx_snprintf(buf, sizeof(buf),
                            "{\"message\":\"Internal server error\","
                            "\"connectionId\":\"%*s\",\"requestId\":\"%V\"}",
                            (size_t) NGX_WSCHAT_ID_TEXT_LEN, id, &value)
               - buf;

    ngx_str_set(&type, "application/json; charset=UTF-8");

    return ngx_wschat_reply(r, status, &type, &body);
}


/*
 * Sends the 101.  The request is still being worked on when this returns, so
 * it is let go of in an event of its own.
 */

static ngx_int_t
ngx_wschat_upgrade_accept(ngx_wschat_upgrade_t *u)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = u->request;
    c = r->connection;

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;
    r->keepalive = 0;

    /* a header that is not sent takes the place of nginx's: spec 2.2 */

    r->headers_out.server = ngx_pcalloc(r->pool, sizeof(ngx_table_elt_t));
    if (r->headers_out.server == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&value, "websocket");

    if (ngx_wschat_reply_header(r, "Upgrade", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = u->accept;
    value.len = NGX_WSCHAT_ACCEPT_LEN;

    if (ngx_wschat_reply_header(r, "Sec-WebSocket-Accept", &value) != NGX_OK
        || (u->protocol.len
            && ngx_wschat_reply_header(r, "Sec-WebSocket-Protocol",
                                       &u->protocol)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* "limit_rate" is about bodies */

    r->limit_rate = 0;
    r->limit_rate_set = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_ERROR;
    }

    r->main->count++;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_set_ctx(r, u, ngx_wschat_module);

    c->read->handler = ngx_wschat_upgrade_empty;
    c->write->handler = ngx_wschat_upgrade_detach;

    ngx_post_event(c->write, &ngx_posted_events);

    return NGX_DONE;
}


/* the request's last event: it goes, the connection stays */

static void
ngx_wschat_upgrade_detach(ngx_event_t *ev)
{
    u_char                  buf[1024];
    socklen_t               socklen;
    ngx_int_t               rc;
    ngx_str_t               rest, addr_text;
    ngx_chain_t            *cl;
    ngx_sockaddr_t          sockaddr;
    struct sockaddr        *saved;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_wschat_session_t   *s;
    ngx_wschat_upgrade_t   *u;
    ngx_http_connection_t  *hc;

    c = ev->data;
    r = c->data;

    u = ngx_http_get_module_ctx(r, ngx_wschat_module);

    if (r->out || c->buffered) {

        /* the client's window is too small even for the 101 */

        rc = ngx_http_output_filter(r, NULL);

        if (rc == NGX_ERROR || c->error || ev->timedout) {
            ngx_wschat_upgrade_failed(r);
            return;
        }

        if (r->out || c->buffered) {

            if (!ev->timer_set) {
                ngx_add_timer(ev, 10000);
            }

            if (ngx_handle_write_event(ev, 0) != NGX_OK) {
                ngx_wschat_upgrade_failed(r);
            }

            return;
        }
    }

    s = u->session;
    u->session = NULL;

    hc = r->http_connection;

    /* frames may have come with the handshake */

    rest.len = r->header_in->last - r->header_in->pos;
    rest.data = buf;

    if (rest.len > sizeof(buf)) {
        rest.data = ngx_alloc(rest.len, c->log);

        if (rest.data == NULL) {
            u->session = s;
            ngx_wschat_upgrade_failed(r);
            return;
        }
    }

    ngx_memcpy(rest.data, r->header_in->pos, rest.len);

    /* the line in the access log is written when the session ends */

    r->logged = 1;
    r->count = 1;

    /* an address set by the realip module would go with the request */

    addr_text = c->addr_text;
    socklen = c->socklen;
    ngx_memcpy(&sockaddr, c->sockaddr, socklen);

    ngx_http_free_request(r, 0);

    c->destroyed = 0;

    if (c->addr_text.data != addr_text.data) {
        saved = c->sockaddr;
        c->sockaddr = ngx_palloc(c->pool, socklen);

        if (c->sockaddr) {
            ngx_memcpy(c->sockaddr, &sockaddr, socklen);
            c->socklen = socklen;
            c->addr_text = addr_text;

        } else {
            c->sockaddr = saved;
        }
    }

    for (cl = hc->busy; cl; cl = cl->next) {
        ngx_pfree(c->pool, cl->buf->start);
    }

    for (cl = hc->free; cl; cl = cl->next) {
        ngx_pfree(c->pool, cl->buf->start);
    }

    hc->busy = NULL;
    hc->free = NULL;
    hc->nbusy = 0;

    if (c->buffer) {
        ngx_pfree(c->pool, c->buffer->start);
        c->buffer = NULL;
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }

#endif

    c->idle = 0;

    ngx_wschat_session_open(s, &rest);

    if (rest.data != buf) {
        ngx_free(rest.data);
    }
}


/* nobody else works on the request any more, so it is not finalized */

static void
ngx_wschat_upgrade_failed(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_free_request(r, 0);
    ngx_http_close_connection(c);
}


static void
ngx_wschat_upgrade_empty(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {

        /* worker_shutdown_timeout has passed */

        ngx_wschat_upgrade_failed(c->data);
        return;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ev->log, 0,
                   "wschat upgrade: the session reads it");
}


/* the request ends; if there is a session still, the client has gone */

static void
ngx_wschat_upgrade_cleanup(void *data)
{
    ngx_wschat_upgrade_t *u = data;

    ngx_wschat_end_t       end;
    ngx_wschat_session_t  *s;

    s = u->session;

    if (s == NULL) {
        return;
    }

    u->session = NULL;

    ngx_wschat_log_client_free(s);

    if (u->run) {
        ngx_wschat_run_cancel(u->run);
        return;
    }

    /* $connect had accepted it */

    end.code = s->close_code;
    ngx_str_set(&end.reason, "Connection closed abnormally");

    ngx_wschat_run_ended(s, &end);
    ngx_wschat_session_discard(s);
}
