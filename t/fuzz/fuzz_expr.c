
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * Input: a selection expression, a zero byte, a message.  Whatever compiles
 * must evaluate; and the same expression with a literal dollar after it, which
 * is put together in a buffer, to the same text with a dollar after it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_stub.h"
#include "ngx_wschat_expr.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_int_t
run(u_char *source, size_t len, ngx_wschat_json_t *json, ngx_str_t *body,
    ngx_pool_t *pool, ngx_wschat_buf_t *b, ngx_str_t *out)
{
    ngx_int_t           rc;
    ngx_str_t           src, err;
    ngx_wschat_expr_t  *expr;

    src.data = source;
    src.len = len;
    ngx_str_null(&err);

    rc = ngx_wschat_expr_compile(pool, &src, &expr, &err);

    if (rc == NGX_DECLINED && err.len) {
        return NGX_ABORT;
    }

    if (rc != NGX_OK) {
        abort();
    }

    ngx_str_null(out);

    rc = ngx_wschat_expr_eval(expr, json, body, b, out);

    if (rc == NGX_DECLINED && expr->constant) {
        abort();
    }

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t              len;
    u_char             *source;
    json_t             *utf8;
    ngx_str_t           body, one, two;
    ngx_int_t           rc, parsed;
    ngx_pool_t         *pool;
    const uint8_t      *zero;
    ngx_wschat_buf_t    first, second;
    ngx_wschat_json_t   json;

    zero = size ? memchr(data, '\0', size) : NULL;
    if (zero == NULL) {
        return 0;
    }

    len = zero - data;
    body.len = size - len - 1;

    utf8 = json_stringn((const char *) zero + 1, body.len);
    if (utf8 == NULL) {
        return 0;
    }

    json_decref(utf8);

    /* each in memory of its own, so that its bounds are watched */

    source = malloc(len + 2);
    body.data = malloc(body.len ? body.len : 1);

    if (source == NULL || body.data == NULL) {
        abort();
    }

    ngx_memcpy(source, data, len);
    ngx_memcpy(source + len, "\\$", 2);

    if (body.len) {
        ngx_memcpy(body.data, zero + 1, body.len);
    }

    ngx_memzero(&json, sizeof(ngx_wschat_json_t));

    parsed = ngx_wschat_json_parse(&json, body.data, body.len);

    pool = ngx_stub_pool_create();

    /* the text of a value is at most twice its JSON, commas in arrays */

    ngx_wschat_buf_init(&first, (body.len * 2 + 2) * (len + 2));
    ngx_wschat_buf_init(&second, (body.len * 2 + 2) * (len + 2));

    rc = run(source, len, parsed == NGX_OK ? &json : NULL, &body, pool, &first,
             &one);

    if (rc == NGX_ERROR) {
        abort();
    }

    if (rc != NGX_ABORT) {

        if (run(source, len + 2, parsed == NGX_OK ? &json : NULL, &body, pool,
                &second, &two)
            != rc
            || two.len != one.len + 1
            || two.data[one.len] != '$'
            || (one.len && ngx_memcmp(one.data, two.data, one.len) != 0))
        {
            abort();
        }

        /* of UTF-8 comes UTF-8 */

        utf8 = json_stringn((char *) source, len);

        if (utf8) {
            json_decref(utf8);

            utf8 = json_stringn((char *) two.data, two.len);
            if (utf8 == NULL) {
                abort();
            }

            json_decref(utf8);
        }
    }

    ngx_wschat_buf_free(&first);
    ngx_wschat_buf_free(&second);
    ngx_wschat_json_free(&json);
    ngx_stub_pool_destroy(pool);

    free(source);
    free(body.data);

    return 0;
}
