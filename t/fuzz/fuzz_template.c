
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Input: a template, a zero byte, a message.  Whatever compiles must render,
 * twice the same; of a JSON body, JSON for jansson; of a text, UTF-8.  The
 * messages are those that a session lets through, valid UTF-8; of those that
 * we take as JSON, the ones that jansson takes too, because values are put
 * out as they were written.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_stub.h"
#include "ngx_wschat_path.h"
#include "ngx_wschat_template.h"


#define FUZZ_JSON                                                             \
    (JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_DECODE_INT_AS_REAL)

#define FUZZ_OUTPUT  1000000


typedef enum {
    REF_BODY = 0,
    REF_PATH
} ref_e;


typedef struct {
    ref_e               type;
    ngx_wschat_path_t   path;
} ref_t;


typedef struct {
    ngx_wschat_json_t   json;
    ngx_int_t           parsed;
    u_char             *body;
    size_t              len;
} message_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_int_t
compile_ref(void *data, ngx_str_t *name, void **out, ngx_str_t *err)
{
    ref_t       *ref;
    ngx_str_t    path;
    ngx_pool_t  *pool = data;

    if (name->len == 0) {
        abort();
    }

    if (name->data[0] == 'L') {
        *out = NGX_WSCHAT_TEMPLATE_LATE;
        return NGX_OK;
    }

    ref = ngx_pcalloc(pool, sizeof(ref_t));
    if (ref == NULL) {
        return NGX_ERROR;
    }

    *out = ref;

    if (name->data[0] == 'B') {
        ref->type = REF_BODY;
        return NGX_OK;
    }

    /* short names, so that the fuzzer finds them: $a.b is member b of a */

    ref->type = REF_PATH;
    path = *name;

    return ngx_wschat_path_compile(pool, &path, &ref->path, err);
}


static ngx_int_t
resolve(void *ctx, void *data, ngx_wschat_value_t *v)
{
    ref_t      *ref = data;
    message_t  *m = ctx;

    if (ref->type == REF_BODY) {
        ngx_wschat_value_text(v, m->body, m->len);

    } else if (m->parsed == NGX_OK) {
        ngx_wschat_path_eval(&ref->path, &m->json, v);

    } else {
        ngx_wschat_value_absent(v);
    }

    return NGX_OK;
}


static ngx_int_t
run(u_char *source, size_t len, message_t *m, ngx_pool_t *pool,
    ngx_wschat_buf_t *out, ngx_uint_t *is_json)
{
    ssize_t                     late;
    ngx_int_t                   rc;
    ngx_wschat_template_conf_t  tc;

    ngx_memzero(&tc, sizeof(ngx_wschat_template_conf_t));

    tc.pool = pool;
    tc.source.data = source;
    tc.source.len = len;
    tc.ref = compile_ref;
    tc.data = pool;

    rc = ngx_wschat_template_compile(&tc);

    if (rc == NGX_DECLINED && tc.err.len) {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        abort();
    }

    *is_json = tc.template->is_json;

    late = -1;
    rc = ngx_wschat_template_render(tc.template, out, resolve, m, &late);

    if (rc == NGX_DECLINED && ngx_wschat_buf_len(out) == 0) {
        return NGX_DECLINED;
    }

    if (rc == NGX_ERROR) {

        /* a message of this size gets past it with many references only */

        if (ngx_wschat_buf_len(out) != 0 || m->len * len < FUZZ_OUTPUT / 6) {
            abort();
        }

        return NGX_DECLINED;
    }

    if (tc.template->constant
        && (tc.template->literal.len != ngx_wschat_buf_len(out)
            || (tc.template->literal.len
                && ngx_memcmp(tc.template->literal.data, out->start,
                              tc.template->literal.len)
                   != 0)))
    {
        abort();
    }

    if (late >= 0) {

        if ((size_t) late > ngx_wschat_buf_len(out)
            || !tc.template->late
            || ngx_wschat_buf_append_char(out, '0') != NGX_OK)
        {
            abort();
        }

        ngx_memmove(out->start + late + 1, out->start + late,
                    out->last - out->start - late - 1);
        out->start[late] = '7';
    }

    return NGX_OK;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t             len;
    u_char            *source;
    json_t            *json;
    message_t          m;
    ngx_int_t          rc;
    ngx_uint_t         is_json;
    ngx_pool_t        *pool;
    json_error_t       error;
    const uint8_t     *zero;
    ngx_wschat_buf_t   one, two;

    zero = size ? memchr(data, '\0', size) : NULL;
    if (zero == NULL) {
        return 0;
    }

    ngx_memzero(&m, sizeof(message_t));

    len = zero - data;
    m.len = size - len - 1;

    json = json_stringn((const char *) zero + 1, m.len);
    if (json == NULL) {
        return 0;
    }

    json_decref(json);

    /* each in memory of its own, so that its bounds are watched */

    source = malloc(len ? len : 1);
    m.body = malloc(m.len ? m.len : 1);

    if (source == NULL || m.body == NULL) {
        abort();
    }

    if (len) {
        ngx_memcpy(source, data, len);
    }

    if (m.len) {
        ngx_memcpy(m.body, zero + 1, m.len);
    }

    m.parsed = ngx_wschat_json_parse(&m.json, m.body, m.len);

    json = json_loadb((char *) m.body, m.len, FUZZ_JSON, &error);

    /* jansson takes a zero byte after a document for its end */

    if (json
        && m.parsed != NGX_OK
        && m.len < NGX_WSCHAT_JSON_DEPTH
        && memchr(m.body, '\0', m.len) == NULL)
    {
        abort();
    }

    pool = ngx_stub_pool_create();

    ngx_wschat_buf_init(&one, FUZZ_OUTPUT);
    ngx_wschat_buf_init(&two, FUZZ_OUTPUT);

    if (json || m.parsed != NGX_OK) {

        json_decref(json);

        rc = run(source, len, &m, pool, &one, &is_json);

        if (rc != run(source, len, &m, pool, &two, &is_json)
            || ngx_wschat_buf_len(&one) != ngx_wschat_buf_len(&two)
            || (ngx_wschat_buf_len(&one)
                && ngx_memcmp(one.start, two.start, ngx_wschat_buf_len(&one))
                   != 0))
        {
            abort();
        }

        if (rc == NGX_OK) {

            json = is_json ? json_loadb((char *) one.start,
                                        ngx_wschat_buf_len(&one), FUZZ_JSON,
                                        &error)
                           : json_stringn(one.start ? (char *) one.start : "",
                                          ngx_wschat_buf_len(&one));

            if (json == NULL
                && (!is_json
                    || json_error_code(&error) != json_error_null_byte_in_key))
            {
                abort();
            }

            json_decref(json);
        }
    }

    ngx_wschat_buf_free(&one);
    ngx_wschat_buf_free(&two);
    ngx_wschat_json_free(&m.json);
    ngx_stub_pool_destroy(pool);

    free(source);
    free(m.body);

    return 0;
}
