
/*
 * Copyright (C) the ngx_wschat authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include "compat.h"
#include "ngx_wschat_log.h"


#define NGX_WSCHAT_LOG_TEXT  256          /* of the URI and of each header */


struct ngx_wschat_client_s {
    ngx_rbtree_node_t     node;
    ngx_uint_t            refs;
    ngx_wschat_place_t   *place;
    uint16_t              uri;            /* lengths; the bytes follow */
    uint16_t              user_agent;
    uint16_t              referer;
    u_char                data[1];
};

typedef struct {
    ngx_wschat_session_t  *session;
    ngx_wschat_end_t      *end;
} ngx_wschat_log_ctx_t;


static size_t ngx_wschat_log_text(u_char *p, ngx_str_t *text);
static void ngx_wschat_log_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_wschat_log_header(ngx_http_request_t *r,
    ngx_table_elt_t **header, char *name, char *lowcase, u_char *data,
    size_t len);


static ngx_rbtree_t       ngx_wschat_log_clients;
static ngx_rbtree_node_t  ngx_wschat_log_sentinel;


ngx_int_t
ngx_wschat_log_init_process(ngx_cycle_t *cycle)
{
    ngx_rbtree_init(&ngx_wschat_log_clients, &ngx_wschat_log_sentinel,
                    ngx_wschat_log_insert);
    return NGX_OK;
}


void
ngx_wschat_log_client(ngx_wschat_session_t *s, ngx_http_request_t *r,
    ngx_wschat_place_t *place)
{
    u_char                buf[3 * (NGX_WSCHAT_LOG_TEXT + sizeof(uint16_t))];
    u_char               *p;
    size_t                len;
    uint32_t              key;
    uint16_t              lens[3];
    ngx_table_elt_t      *h;
    ngx_rbtree_node_t    *node;
    ngx_wschat_client_t  *client;

    p = buf;

    lens[0] = ngx_wschat_log_text(p, &r->uri);
    p += lens[0];

    h = r->headers_in.user_agent;
    lens[1] = h ? ngx_wschat_log_text(p, &h->value) : 0;
    p += lens[1];

    h = r->headers_in.referer;
    lens[2] = h ? ngx_wschat_log_text(p, &h->value) : 0;
    p += lens[2];

    len = p - buf;
    key = ngx_murmur_hash2(buf, len);

    node = ngx_wschat_log_clients.root;

    while (node != &ngx_wschat_log_sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        client = (ngx_wschat_client_t *) node;

        if (client->place == place && client->uri == lens[0]
            && client->user_agent == lens[1] && client->referer == lens[2]
            && ngx_memcmp(client->data, buf, len) == 0)
        {
            client->refs++;
            s->client = client;
            return;
        }

        /* equal keys are to the right */

        node = node->right;
    }

    client = ngx_alloc(sizeof(ngx_wschat_client_t) + len,
                       r->connection->log);
    if (client == NULL) {
        return;
    }

    client->node.key = key;
    client->refs = 1;
    client->place = place;
    client->uri = lens[0];
    client->user_agent = lens[1];
    client->referer = lens[2];
    ngx_memcpy(client->data, buf, len);

    ngx_rbtree_insert(&ngx_wschat_log_clients, &client->node);

    s->client = client;
}


static size_t
ngx_wschat_log_text(u_char *p, ngx_str_t *text)
{
    size_t  len;

    len = ngx_min(text->len, NGX_WSCHAT_LOG_TEXT);

    ngx_memcpy(p, text->data, len);

    return len;
}


static void
ngx_wschat_log_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_insert_value(temp, node, sentinel);
}


void
ngx_wschat_log_client_free(ngx_wschat_session_t *s)
{
    ngx_wschat_client_t  *client;

    client = s->client;
    s->client = NULL;

    if (client && --client->refs == 0) {
        ngx_rbtree_delete(&ngx_wschat_log_clients, &client->node);
        ngx_free(client);
    }
}


void
ngx_wschat_log_user_agent(ngx_wschat_session_t *s, ngx_str_t *value)
{
    if (s->client == NULL || s->client->user_agent == 0) {
        ngx_str_null(value);
        return;
    }

    value->data = s->client->data + s->client->uri;
    value->len = s->client->user_agent;
}


/*
 * A request on the session's connection, which is about to be closed: as it
 * was at the handshake, but with the time of that and the bytes of all the
 * session.  Freeing it writes the line.
 */

void
ngx_wschat_log_end(ngx_wschat_session_t *s, ngx_wschat_end_t *end)
{
    u_char                 *p;
    ngx_log_t              *log;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_wschat_client_t    *client;
    ngx_http_log_ctx_t      log_ctx;
    ngx_http_conf_ctx_t     conf_ctx;
    ngx_wschat_log_ctx_t    ctx;
    ngx_http_connection_t   hc;
    static ngx_buf_t        empty;

    client = s->client;

    if (client == NULL) {
        return;
    }

    c = s->connection;
    log = c->log;

    ngx_memzero(&hc, sizeof(ngx_http_connection_t));
    ngx_memzero(&log_ctx, sizeof(ngx_http_log_ctx_t));

    conf_ctx.main_conf = client->place->main_conf;
    conf_ctx.srv_conf = client->place->srv_conf;
    conf_ctx.loc_conf = client->place->loc_conf;

    hc.conf_ctx = &conf_ctx;
    log_ctx.connection = c;

    c->data = &hc;
    c->buffer = &empty;

    log->handler = NULL;
    log->data = &log_ctx;

    r = ngx_http_create_request(c);

    if (r) {

#if (NGX_STAT_STUB)
        (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
#endif

        ctx.session = s;
        ctx.end = end;

        ngx_http_set_ctx(r, &ctx, ngx_wschat_module);

        r->start_sec = (time_t) (s->connected / 1000);
        r->start_msec = (ngx_msec_t) (s->connected % 1000);

        r->method = NGX_HTTP_GET;
        ngx_str_set(&r->method_name, "GET");

        r->http_version = NGX_HTTP_VERSION_11;
        ngx_str_set(&r->http_protocol, "HTTP/1.1");

        r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
        r->header_only = 1;

        p = client->data;

        r->uri.data = p;
        r->uri.len = client->uri;
        r->unparsed_uri = r->uri;

        p += client->uri;

        r->request_line.data = ngx_pnalloc(r->pool, client->uri
                                                 + sizeof("GET  HTTP/1.1"));

        if (r->request_line.data
            && ngx_wschat_log_header(r, &r->headers_in.user_agent,
                                     "User-Agent", "user-agent", p,
                                     client->user_agent)
               == NGX_OK
            && ngx_wschat_log_header(r, &r->headers_in.referer,
                                     "Referer", "referer",
                                     p + client->user_agent, client->referer)
               == NGX_OK)
        {
            r->request_line.len = ngx_sprintf(r->request_line.data,
                                              "GET %V HTTP/1.1", &r->uri)
                                  - r->request_line.data;

        } else {
            r->logged = 1;
        }

        ngx_http_free_request(r, 0);
    }

    c->data = s;
    c->buffer = NULL;

    log->handler = ngx_wschat_session_log_error;
    log->data = s;
    log->action = "closing WebSocket connection";
}


static ngx_int_t
ngx_wschat_log_header(ngx_http_request_t *r, ngx_table_elt_t **header,
    char *name, char *lowcase, u_char *data, size_t len)
{
    ngx_table_elt_t  *h;

    if (len == 0) {
        return NGX_OK;
    }

    if (r->headers_in.headers.part.elts == NULL
        && ngx_list_init(&r->headers_in.headers, r->pool, 2,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = (u_char *) lowcase;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value.data = data;
    h->value.len = len;
    ngx_wschat_header_unlink(h);

    *header = h;

    return NGX_OK;
}


ngx_wschat_session_t *
ngx_wschat_log_session(ngx_http_request_t *r, ngx_wschat_end_t **end)
{
    ngx_wschat_log_ctx_t  *ctx;

    /* only the request made above is not its connection's data */

    if (r->headers_out.status != NGX_HTTP_SWITCHING_PROTOCOLS
        || r->http_connection != r->connection->data)
    {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_wschat_module);

    *end = ctx->end;

    return ctx->session;
}
