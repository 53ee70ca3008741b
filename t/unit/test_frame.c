
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The frame codec.  A conversation is a string of bytes; what the reader
 * makes of it is written down as a transcript, and the transcript must be
 * the expected one however the bytes are cut.
 */


#include <stdint.h>
#include <stdlib.h>

#include "ngx_wschat_frame.h"
#include "tap.h"


#define WHOLE  ((size_t) -1)

#define countof(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    uint8_t  *data;
    size_t    len;
    size_t    size;
} blob_t;


static const ngx_wschat_limits_t  no_limits = { UINT64_MAX, UINT64_MAX };

static const uint8_t  some_mask[4] = { 0x37, 0xfa, 0x21, 0x3d };


static void
blob_add(blob_t *b, const void *data, size_t len)
{
    if (b->len + len > b->size) {
        b->size = 2 * (b->len + len) + 64;
        b->data = realloc(b->data, b->size);

        if (b->data == NULL) {
            abort();
        }
    }

    if (len != 0) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
}


static void
blob_addf(blob_t *b, const char *fmt, unsigned long long n)
{
    char  text[128];

    blob_add(b, text, (size_t) snprintf(text, sizeof(text), fmt, n));
}


static void
blob_free(blob_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(blob_t));
}


/* a client's frame; first is its first byte: FIN, RSV and opcode */

static void
add_frame(blob_t *b, unsigned first, const void *payload, size_t len)
{
    size_t   i, start;
    uint8_t  head[14];

    head[0] = (uint8_t) first;

    if (len < 126) {
        head[1] = (uint8_t) (0x80 | len);
        blob_add(b, head, 2);

    } else if (len < 65536) {
        head[1] = 0xfe;
        head[2] = (uint8_t) (len >> 8);
        head[3] = (uint8_t) len;
        blob_add(b, head, 4);

    } else {
        head[1] = 0xff;

        for (i = 0; i < 8; i++) {
            head[2 + i] = (uint8_t) ((uint64_t) len >> (56 - 8 * i));
        }

        blob_add(b, head, 10);
    }

    blob_add(b, some_mask, 4);

    start = b->len;
    blob_add(b, payload, len);

    for (i = 0; i < len; i++) {
        b->data[start + i] ^= some_mask[i % 4];
    }
}


/*
 * One run as a careful caller would do it: each piece of the input in an
 * allocation of its own size, an idle reader replaced by a zeroed one, any
 * other moved.  Pieces end before "one" and "two", or are of one byte if
 * "one" is 0.  Returns how many bytes of input had been given at the end.
 */

static size_t
run(blob_t *log, const blob_t *in, const ngx_wschat_limits_t *l, size_t one,
    size_t two)
{
    int                   rc, open;
    size_t                at, n, i;
    blob_t                message;
    uint8_t              *piece, *pos, *last;
    unsigned              opcode;
    uint64_t              expect;
    const char           *wrong;
    ngx_wschat_event_t    ev;
    ngx_wschat_reader_t  *r, *moved;

    memset(&message, 0, sizeof(message));
    open = 0;
    opcode = 0;
    expect = 0;
    wrong = NULL;
    rc = NGX_WSCHAT_READ_AGAIN;

    r = calloc(1, sizeof(ngx_wschat_reader_t));

    for (at = 0; at < in->len && rc == NGX_WSCHAT_READ_AGAIN; at += n) {

        if (one == 0) {
            n = 1;

        } else if (at < one && one < in->len) {
            n = one - at;

        } else if (at < two && two < in->len) {
            n = two - at;

        } else {
            n = in->len - at;
        }

        piece = malloc(n);
        memcpy(piece, in->data + at, n);

        pos = piece;
        last = piece + n;

        for ( ;; ) {
            memset(&ev, 0xa5, sizeof(ev));

            rc = ngx_wschat_read(r, l, &pos, last, &ev);

            if (pos < piece || pos > last) {
                wrong = "pos is outside the input";
            }

            if (rc == NGX_WSCHAT_READ_AGAIN) {
                if (pos != last) {
                    wrong = "again, but input is left";
                }

                break;
            }

            if (rc == NGX_WSCHAT_READ_ERROR) {
                blob_addf(log, "ERROR %llu ", ev.code);
                blob_add(log, ev.reason, strlen(ev.reason));
                blob_add(log, "\n", 1);
                break;
            }

            if (!(ev.data >= piece && ev.data + ev.len <= last)
                && !(ev.data >= (uint8_t *) r
                     && ev.data + ev.len <= (uint8_t *) (r + 1)))
            {
                wrong = "data is outside input and reader";
            }

            for (i = 0; i < ev.len; i++) {
                /* whatever is returned can be read and written */
                ev.data[i] ^= 0xff;
                ev.data[i] ^= 0xff;
            }

            if (rc == NGX_WSCHAT_READ_PING || rc == NGX_WSCHAT_READ_PONG) {
                blob_addf(log, rc == NGX_WSCHAT_READ_PING ? "PING %llu "
                                                          : "PONG %llu ",
                          ev.len);
                blob_add(log, ev.data, ev.len);
                blob_add(log, "\n", 1);
                continue;
            }

            if (rc == NGX_WSCHAT_READ_CLOSE) {
                blob_addf(log, "CLOSE %llu ", ev.code);
                blob_add(log, ev.data, ev.len);
                blob_add(log, "\n", 1);
                break;
            }

            /* DATA */

            if ((ev.first != 0) == open) {
                wrong = "first is not where the message begins";
            }

            if (ev.first) {
                opcode = ev.opcode;
                expect = 0;
            }

            if (ev.opcode != opcode) {
                wrong = "the opcode changes in the message";
            }

            if (ev.len > ev.expect || (expect != 0 && ev.expect != expect)) {
                wrong = "what is to come of the frame changes";
            }

            if (ev.len == 0 && ev.expect != 0) {
                wrong = "an empty piece of a frame that is not";
            }

            expect = ev.expect - ev.len;
            open = !ev.last;

            if (ev.last && expect != 0) {
                wrong = "the message ends inside a frame";
            }

            blob_add(&message, ev.data, ev.len);

            if (ev.last) {
                blob_addf(log, opcode == NGX_WSCHAT_OP_TEXT ? "TEXT %llu "
                                                            : "BINARY %llu ",
                          message.len);
                blob_add(log, message.data, message.len);
                blob_add(log, "\n", 1);
                message.len = 0;
            }
        }

        free(piece);

        moved = calloc(1, sizeof(ngx_wschat_reader_t));

        if (!ngx_wschat_reader_idle(r)) {
            *moved = *r;

        } else if (open) {
            wrong = "idle inside a message";
        }

        free(r);
        r = moved;
    }

    if (rc == NGX_WSCHAT_READ_AGAIN) {
        if (open) {
            blob_addf(log, "PART %llu ", message.len);
            blob_add(log, message.data, message.len);
            blob_add(log, "\n", 1);
        }

        if (!ngx_wschat_reader_idle(r)) {
            blob_add(log, "PENDING\n", 8);
        }
    }

    if (wrong != NULL) {
        blob_add(log, "WRONG ", 6);
        blob_add(log, wrong, strlen(wrong));
        blob_add(log, "\n", 1);
    }

    blob_free(&message);
    free(r);

    return at;
}


static int
same_run(const blob_t *want, const blob_t *in, const ngx_wschat_limits_t *l,
    size_t one, size_t two)
{
    int     same;
    blob_t  log;

    memset(&log, 0, sizeof(log));

    run(&log, in, l, one, two);

    same = log.len == want->len
           && memcmp(log.data, want->data, want->len) == 0;

    if (!same) {
        diag("cut at %lu and %lu: ", (unsigned long) one,
             (unsigned long) two);
        tap_dump("got ", log.data, log.len);
        tap_dump("want", want->data, want->len);
    }

    blob_free(&log);

    return same;
}


/* whole, byte by byte, all cuts in two, and in three if it is short */

static void
converse(const char *name, const blob_t *in, const ngx_wschat_limits_t *l,
    const void *want, size_t want_len)
{
    size_t  one, two, wrong;
    blob_t  log;

    memset(&log, 0, sizeof(log));

    run(&log, in, l, WHOLE, WHOLE);
    is_mem(log.data, log.len, want, want_len, "%s", name);

    wrong = !same_run(&log, in, l, 0, 0);

    for (one = 1; one < in->len && wrong == 0; one++) {
        wrong += !same_run(&log, in, l, one, WHOLE);

        for (two = one + 1; two < in->len && in->len <= 160; two++) {
            wrong += !same_run(&log, in, l, one, two);
        }
    }

    is(wrong, 0, "%s, cut anywhere", name);

    blob_free(&log);
}


static void
test_sizes(void)
{
    ok(sizeof(ngx_wschat_reader_t) <= 192, "the reader is small: %lu bytes",
       (unsigned long) sizeof(ngx_wschat_reader_t));
}


static void
test_unmask(void)
{
    size_t   i, n, at, phase, wrong;
    uint8_t  data[96], want[96], mask[4];

    srand(1);
    wrong = 0;

    for (n = 0; n <= 64; n++) {
        for (at = 0; at < 16; at++) {
            for (phase = 0; phase < 9; phase++) {

                for (i = 0; i < sizeof(data); i++) {
                    data[i] = (uint8_t) rand();
                    want[i] = data[i];
                }

                for (i = 0; i < 4; i++) {
                    mask[i] = (uint8_t) rand();
                }

                for (i = 0; i < n; i++) {
                    want[at + i] ^= mask[(phase + i) % 4];
                }

                ngx_wschat_unmask(data + at, n, mask, phase);

                wrong += memcmp(data, want, sizeof(data)) != 0;
            }
        }
    }

    is(wrong, 0, "unmasking: lengths 0-64, all alignments, all phases");

    memcpy(data, "\x7f\x9f\x4d\x51\x58", 5);
    ngx_wschat_unmask(data, 5, some_mask, 0);
    is_mem(data, 5, "Hello", 5, "unmasking RFC 6455's example");
}


static void
test_frame_head(void)
{
    size_t   i;
    uint8_t  head[16], *end;

    static const struct {
        unsigned     opcode;
        uint64_t     len;
        size_t       size;
        const char  *bytes;
    } cases[] = {
        { NGX_WSCHAT_OP_TEXT, 0, 2, "\x81\x00" },
        { NGX_WSCHAT_OP_TEXT, 1, 2, "\x81\x01" },
        { NGX_WSCHAT_OP_TEXT, 125, 2, "\x81\x7d" },
        { NGX_WSCHAT_OP_TEXT, 126, 4, "\x81\x7e\x00\x7e" },
        { NGX_WSCHAT_OP_TEXT, 127, 4, "\x81\x7e\x00\x7f" },
        { NGX_WSCHAT_OP_BINARY, 256, 4, "\x82\x7e\x01\x00" },
        { NGX_WSCHAT_OP_BINARY, 65535, 4, "\x82\x7e\xff\xff" },
        { NGX_WSCHAT_OP_BINARY, 65536, 10,
          "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" },
        { NGX_WSCHAT_OP_BINARY, 0x123456789abcdefULL, 10,
          "\x82\x7f\x01\x23\x45\x67\x89\xab\xcd\xef" },
        { NGX_WSCHAT_OP_CLOSE, 2, 2, "\x88\x02" },
        { NGX_WSCHAT_OP_PING, 0, 2, "\x89\x00" },
        { NGX_WSCHAT_OP_PONG, 125, 2, "\x8a\x7d" }
    };

    for (i = 0; i < countof(cases); i++) {
        memset(head, 0xa5, sizeof(head));
        end = ngx_wschat_frame_head(head, cases[i].opcode, cases[i].len);

        is_mem(head, (size_t) (end - head), cases[i].bytes, cases[i].size,
               "header of opcode %u, %llu bytes", cases[i].opcode,
               (unsigned long long) cases[i].len);
        is(ngx_wschat_frame_head_size(cases[i].len), cases[i].size,
           "its size");
        is(head[cases[i].size], 0xa5, "nothing behind it");
    }

    is(ngx_wschat_frame_head_size(UINT64_MAX), NGX_WSCHAT_FRAME_HEAD_MAX,
       "the longest header");
}


static int
code_valid(unsigned code)
{
    switch (code) {

    case 1000: case 1001: case 1002: case 1003:
    case 1007: case 1008: case 1009: case 1010:
    case 1011: case 1012: case 1013: case 1014:
        return 1;

    default:
        return code / 1000 == 3 || code / 1000 == 4;
    }
}


static void
test_close_codes(void)
{
    size_t    n;
    blob_t    in, log;
    uint8_t   payload[6];
    unsigned  code, wrong, wrong_frame;
    char      want[64];

    memset(&in, 0, sizeof(in));
    memset(&log, 0, sizeof(log));
    wrong = 0;
    wrong_frame = 0;

    for (code = 0; code <= 65535; code++) {
        wrong += ngx_wschat_close_code_valid(code) != code_valid(code);

        in.len = 0;
        log.len = 0;

        payload[0] = (uint8_t) (code >> 8);
        payload[1] = (uint8_t) code;
        memcpy(payload + 2, "why", 3);
        add_frame(&in, 0x88, payload, 5);

        n = (size_t) snprintf(want, sizeof(want),
                              code_valid(code)
                              ? "CLOSE %u why\n"
                              : "ERROR 1002 close code is invalid\n", code);

        run(&log, &in, &no_limits, WHOLE, WHOLE);
        wrong_frame += log.len != n || memcmp(log.data, want, n) != 0;
    }

    for (code = 65536; code < 5 * 65536; code++) {
        wrong += ngx_wschat_close_code_valid(code) != 0;
    }

    wrong += ngx_wschat_close_code_valid((unsigned) -1) != 0;

    is(wrong, 0, "validity of all close codes");
    is(wrong_frame, 0, "close frames with all codes");

    blob_free(&in);
    blob_free(&log);
}


/* the first two bytes of a header, all of them, against the rules */

static const char *
first_bytes(unsigned b0, unsigned b1, int open)
{
    unsigned  opcode;

    opcode = b0 & 0x0f;

    if ((b0 >> 4 & 7) != 0) {
        return "reserved bits are set";
    }

    if (b1 < 128) {
        return "frame is not masked";
    }

    if ((opcode > 2 && opcode < 8) || opcode > 10) {
        return "opcode is reserved";
    }

    if (opcode == 0 && !open) {
        return "continuation without a message";
    }

    if ((opcode == 1 || opcode == 2) && open) {
        return "new message inside a fragmented one";
    }

    if (opcode >= 8 && b0 < 128) {
        return "control frame is fragmented";
    }

    if (opcode >= 8 && b1 > 128 + 125) {
        return "control frame is too long";
    }

    return NULL;
}


static void
test_first_bytes(void)
{
    int                  rc, open;
    uint8_t              start[6], bytes[14], *pos;
    unsigned             b0, b1, wrong, early, cut;
    const char          *want;
    ngx_wschat_event_t   ev;
    ngx_wschat_reader_t  r, begun;

    memset(&r, 0, sizeof(r));
    memcpy(start, "\x02\x80\x00\x00\x00\x00", 6);
    pos = start;
    rc = ngx_wschat_read(&r, &no_limits, &pos, start + 6, &ev);
    is(rc, NGX_WSCHAT_READ_DATA, "an empty first fragment");
    begun = r;

    for (open = 0; open < 2; open++) {
        wrong = 0;
        early = 0;

        for (b0 = 0; b0 < 256; b0++) {
            for (b1 = 0; b1 < 256; b1++) {
                want = first_bytes(b0, b1, open);

                /* a whole header, its first two bytes, one and one */

                for (cut = 0; cut < 3; cut++) {
                    if (open) {
                        r = begun;

                    } else {
                        memset(&r, 0, sizeof(r));
                    }

                    memset(bytes, 1, sizeof(bytes));
                    bytes[0] = (uint8_t) b0;
                    bytes[1] = (uint8_t) b1;
                    bytes[2] = 0x7f;
                    pos = bytes;

                    if (cut == 2) {
                        rc = ngx_wschat_read(&r, &no_limits, &pos, bytes + 1,
                                             &ev);
                        early += rc != NGX_WSCHAT_READ_AGAIN;
                    }

                    rc = ngx_wschat_read(&r, &no_limits, &pos,
                                         bytes + (cut ? 2 : sizeof(bytes)),
                                         &ev);

                    if (want == NULL) {
                        /* what comes behind may still be wrong */
                        wrong += rc == NGX_WSCHAT_READ_ERROR
                                 && ev.code == 1002
                                 && strstr("length is not minimal "
                                           "close code is cut short "
                                           "close code is invalid",
                                           ev.reason) == NULL;
                        wrong += cut && rc != NGX_WSCHAT_READ_AGAIN;

                    } else {
                        wrong += rc != NGX_WSCHAT_READ_ERROR
                                 || ev.code != 1002
                                 || strcmp(ev.reason, want) != 0;
                    }
                }
            }
        }

        is(wrong, 0, "all first two bytes, %s a message",
           open ? "inside" : "outside");
        is(early, 0, "one byte alone is not refused");
    }
}


/* headers with extended lengths; no payload byte is ever needed to refuse */

static void
test_declared_lengths(void)
{
    int                  rc;
    size_t               i;
    uint8_t              h[16], *pos;
    unsigned             len, wrong;
    ngx_wschat_event_t   ev;
    ngx_wschat_limits_t  limits;
    ngx_wschat_reader_t  r;

    static const struct {
        uint64_t     len;
        uint64_t     max_frame;
        uint64_t     max_message;
        unsigned     code;
        const char  *reason;
    } cases[] = {
        { 0, UINT64_MAX, UINT64_MAX, 1002, "length is not minimal" },
        { 125, UINT64_MAX, UINT64_MAX, 1002, "length is not minimal" },
        { 126, UINT64_MAX, UINT64_MAX, 1002, "length is not minimal" },
        { 65535, UINT64_MAX, UINT64_MAX, 1002, "length is not minimal" },
        { 65535, 0, 0, 1002, "length is not minimal" },
        { 65536, UINT64_MAX, UINT64_MAX, 0, NULL },
        { 65536, 65536, 65536, 0, NULL },
        { 65537, 65536, UINT64_MAX, 1009, "frame is too big" },
        { 65537, UINT64_MAX, 65536, 1009, "message is too big" },
        { 65537, 65536, 65536, 1009, "frame is too big" },
        { 0x7fffffffffffffffULL, UINT64_MAX, UINT64_MAX, 0, NULL },
        { 0x7fffffffffffffffULL, 0x7ffffffffffffffeULL, UINT64_MAX, 1009,
          "frame is too big" },
        { 0x8000000000000000ULL, UINT64_MAX, UINT64_MAX, 1002,
          "length has its top bit set" },
        { 0xffffffffffffffffULL, UINT64_MAX, UINT64_MAX, 1002,
          "length has its top bit set" },
        { 0x8000000000000000ULL, 0, 0, 1002, "length has its top bit set" }
    };

    wrong = 0;

    for (len = 0; len < 65536; len++) {
        memset(&r, 0, sizeof(r));
        memcpy(h, "\x82\xfe\x00\x00\x01\x02\x03\x04", 8);
        h[2] = (uint8_t) (len >> 8);
        h[3] = (uint8_t) len;
        pos = h;

        rc = ngx_wschat_read(&r, &no_limits, &pos, h + 8, &ev);

        if (len < 126) {
            wrong += rc != NGX_WSCHAT_READ_ERROR || ev.code != 1002
                     || strcmp(ev.reason, "length is not minimal") != 0;

        } else {
            wrong += rc != NGX_WSCHAT_READ_AGAIN || pos != h + 8;
        }
    }

    is(wrong, 0, "all 16-bit lengths");

    for (i = 0; i < countof(cases); i++) {
        memset(&r, 0, sizeof(r));
        memcpy(h, "\x82\xff", 2);

        for (len = 0; len < 8; len++) {
            h[2 + len] = (uint8_t) (cases[i].len >> (56 - 8 * len));
        }

        memset(h + 10, 0x11, 4);
        pos = h;

        limits.max_frame = cases[i].max_frame;
        limits.max_message = cases[i].max_message;

        rc = ngx_wschat_read(&r, &limits, &pos, h + 13, &ev);
        is(rc, NGX_WSCHAT_READ_AGAIN, "64-bit length %d, header not whole",
           (int) i);

        rc = ngx_wschat_read(&r, &limits, &pos, h + 14, &ev);

        if (cases[i].reason == NULL) {
            is(rc, NGX_WSCHAT_READ_AGAIN, "64-bit length %d", (int) i);
            ok(!ngx_wschat_reader_idle(&r), "is not idle after its header");

        } else {
            is(rc, NGX_WSCHAT_READ_ERROR, "64-bit length %d", (int) i);
            is(ev.code, cases[i].code, "its code");
            is_str(ev.reason, cases[i].reason, "its reason");
        }
    }
}


static void
test_lengths(void)
{
    size_t              i, k, cut, wrong;
    blob_t              in, want;
    uint8_t            *payload, *pos;
    ngx_wschat_event_t  ev;
    ngx_wschat_reader_t r;

    static const size_t  lengths[] = {
        0, 1, 2, 3, 4, 7, 8, 9, 124, 125, 126, 127, 128, 1000, 65535, 65536,
        65537
    };

    memset(&in, 0, sizeof(in));
    memset(&want, 0, sizeof(want));

    payload = malloc(65537);

    for (k = 0; k < 65537; k++) {
        payload[k] = (uint8_t) (' ' + k * 7 % 90);
    }

    for (i = 0; i < countof(lengths); i++) {
        in.len = 0;
        want.len = 0;

        add_frame(&in, 0x81, payload, lengths[i]);
        blob_addf(&want, "TEXT %llu ", lengths[i]);
        blob_add(&want, payload, lengths[i]);
        blob_add(&want, "\n", 1);

        add_frame(&in, 0x82, payload, lengths[i]);
        blob_addf(&want, "BINARY %llu ", lengths[i]);
        blob_add(&want, payload, lengths[i]);
        blob_add(&want, "\n", 1);

        add_frame(&in, 0x01, payload, lengths[i]);
        add_frame(&in, 0x80, payload, lengths[i]);
        blob_addf(&want, "TEXT %llu ", 2 * lengths[i]);
        blob_add(&want, payload, lengths[i]);
        blob_add(&want, payload, lengths[i]);
        blob_add(&want, "\n", 1);

        wrong = !same_run(&want, &in, &no_limits, WHOLE, WHOLE);
        wrong += !same_run(&want, &in, &no_limits, 0, 0);

        /* everywhere if it is short, else around the headers and at odds */

        for (cut = 1; cut < in.len && wrong == 0; cut++) {
            if (in.len < 5000 || cut < 40 || cut % 9973 == 0
                || cut % (in.len / 4) < 20 || in.len - cut < 20)
            {
                wrong += !same_run(&want, &in, &no_limits, cut, WHOLE);
            }
        }

        is(wrong, 0, "messages of %lu bytes, cut everywhere",
           (unsigned long) lengths[i]);

        /* a whole message stays where it is */

        memset(&r, 0, sizeof(r));
        pos = in.data;

        is(ngx_wschat_read(&r, &no_limits, &pos, in.data + in.len, &ev),
           NGX_WSCHAT_READ_DATA, "%lu bytes at once",
           (unsigned long) lengths[i]);
        ok(ev.first && ev.last && ev.opcode == NGX_WSCHAT_OP_TEXT
           && ev.len == lengths[i] && ev.expect == lengths[i]
           && ev.data == pos - lengths[i]
           && pos == in.data + ngx_wschat_frame_head_size(lengths[i]) + 4
                     + lengths[i],
           "are one piece, in place");
        ok(ngx_wschat_reader_idle(&r), "and leave the reader idle");
    }

    free(payload);
    blob_free(&in);
    blob_free(&want);
}


/* what a caller sees of a message that comes in pieces */

static void
test_pieces(void)
{
    blob_t               in;
    uint8_t             *pos, *end;
    ngx_wschat_event_t   ev;
    ngx_wschat_reader_t  r;

    memset(&in, 0, sizeof(in));
    memset(&r, 0, sizeof(r));

    add_frame(&in, 0x02, "0123456789", 10);
    add_frame(&in, 0x80, "abc", 3);

    pos = in.data;
    end = in.data + 6;
    ok(ngx_wschat_reader_idle(&r), "a zeroed reader is idle");

    is(ngx_wschat_read(&r, &no_limits, &pos, in.data + 1, &ev),
       NGX_WSCHAT_READ_AGAIN, "one byte");
    ok(!ngx_wschat_reader_idle(&r), "is not idle");

    is(ngx_wschat_read(&r, &no_limits, &pos, end, &ev),
       NGX_WSCHAT_READ_AGAIN, "a header alone is no event");
    ok(pos == end && !ngx_wschat_reader_idle(&r), "and is not idle");

    is(ngx_wschat_read(&r, &no_limits, &pos, end + 4, &ev),
       NGX_WSCHAT_READ_DATA, "first piece");
    ok(ev.first && !ev.last && ev.opcode == NGX_WSCHAT_OP_BINARY,
       "first, not last");
    is(ev.expect, 10, "the declared length of the frame");
    is_mem(ev.data, ev.len, "0123", 4, "its bytes");

    is(ngx_wschat_read(&r, &no_limits, &pos, end + 4, &ev),
       NGX_WSCHAT_READ_AGAIN, "nothing new");

    is(ngx_wschat_read(&r, &no_limits, &pos, in.data + in.len, &ev),
       NGX_WSCHAT_READ_DATA, "second piece");
    ok(!ev.first && !ev.last && ev.opcode == NGX_WSCHAT_OP_BINARY,
       "neither first nor last");
    is(ev.expect, 6, "what was missing of the frame");
    is_mem(ev.data, ev.len, "456789", 6, "its bytes");
    ok(!ngx_wschat_reader_idle(&r), "between fragments is not idle");

    is(ngx_wschat_read(&r, &no_limits, &pos, in.data + in.len, &ev),
       NGX_WSCHAT_READ_DATA, "second frame");
    ok(!ev.first && ev.last && ev.opcode == NGX_WSCHAT_OP_BINARY, "last");
    is(ev.expect, 3, "the declared length of the second frame");
    is_mem(ev.data, ev.len, "abc", 3, "its bytes");
    ok(ngx_wschat_reader_idle(&r), "idle after the message");

    blob_free(&in);
}


static void
test_conversations(void)
{
    size_t   i;
    blob_t   in, want;
    uint8_t  control[125];

    memset(&in, 0, sizeof(in));
    memset(&want, 0, sizeof(want));
    memset(control, 'c', sizeof(control));

#define TALK(name, text)                                                      \
    converse(name, &in, &no_limits, text, sizeof(text) - 1);                  \
    in.len = 0

    add_frame(&in, 0x81, "Hello", 5);
    is_mem(in.data, in.len, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
           11, "RFC 6455's masked example");
    TALK("one text", "TEXT 5 Hello\n");

    add_frame(&in, 0x01, "Hel", 3);
    add_frame(&in, 0x80, "lo", 2);
    TALK("two fragments", "TEXT 5 Hello\n");

    add_frame(&in, 0x81, "one", 3);
    add_frame(&in, 0x82, "two", 3);
    add_frame(&in, 0x81, "three", 5);
    TALK("three messages", "TEXT 3 one\nBINARY 3 two\nTEXT 5 three\n");

    add_frame(&in, 0x01, "a", 1);
    add_frame(&in, 0x89, "ping", 4);
    add_frame(&in, 0x00, "b", 1);
    add_frame(&in, 0x8a, "", 0);
    add_frame(&in, 0x00, "", 0);
    add_frame(&in, 0x80, "c", 1);
    add_frame(&in, 0x82, "\0\xff", 2);
    add_frame(&in, 0x88, "\x03\xe8" "bye", 5);
    TALK("control frames between fragments",
         "PING 4 ping\nPONG 0 \nTEXT 3 abc\nBINARY 2 \0\xff\n"
         "CLOSE 1000 bye\n");

    add_frame(&in, 0x81, "", 0);
    add_frame(&in, 0x01, "", 0);
    add_frame(&in, 0x80, "", 0);
    add_frame(&in, 0x02, "", 0);
    add_frame(&in, 0x00, "", 0);
    add_frame(&in, 0x80, "x", 1);
    TALK("empty frames", "TEXT 0 \nTEXT 0 \nBINARY 1 x\n");

    add_frame(&in, 0x88, "", 0);
    TALK("close without a code", "CLOSE 1005 \n");

    add_frame(&in, 0x88, "\x0b\xb8", 2);
    TALK("close without a reason", "CLOSE 3000 \n");

    add_frame(&in, 0x88, "\x03\xe9\xe2\x82\xac", 5);
    TALK("close with a reason", "CLOSE 1001 \xe2\x82\xac\n");

    add_frame(&in, 0x01, "open", 4);
    add_frame(&in, 0x88, "\x03\xe8", 2);
    TALK("close between fragments", "CLOSE 1000 \n");

    add_frame(&in, 0x88, "\x03\xe8", 2);
    add_frame(&in, 0x81, "late", 4);
    TALK("nothing is read after a close", "CLOSE 1000 \n");

    add_frame(&in, 0x01, "open", 4);
    TALK("an open message", "PART 4 open\nPENDING\n");

    add_frame(&in, 0x01, "open", 4);
    add_frame(&in, 0x89, "p", 1);
    TALK("an open message and a ping", "PING 1 p\nPART 4 open\nPENDING\n");

    add_frame(&in, 0x89, "ping", 4);
    in.len--;
    TALK("an open ping", "PENDING\n");

    add_frame(&in, 0x81, "a", 1);
    blob_add(&in, "\x81", 1);
    TALK("a begun header", "TEXT 1 a\nPENDING\n");

    /* the largest control frames, whole and split, around a message */

    add_frame(&in, 0x01, "a", 1);
    add_frame(&in, 0x89, control, 125);
    add_frame(&in, 0x8a, control, 124);
    add_frame(&in, 0x80, "b", 1);

    blob_addf(&want, "PING %llu ", 125);
    blob_add(&want, control, 125);
    blob_addf(&want, "\nPONG %llu ", 124);
    blob_add(&want, control, 124);
    blob_add(&want, "\nTEXT 2 ab\n", 11);

    converse("control frames of 125 bytes", &in, &no_limits, want.data,
             want.len);

    in.len = 0;
    want.len = 0;

    control[0] = 0x13;
    control[1] = 0x87;
    add_frame(&in, 0x88, control, 125);

    blob_addf(&want, "CLOSE %llu ", 4999);
    blob_add(&want, control + 2, 123);
    blob_add(&want, "\n", 1);

    converse("a close reason of 123 bytes", &in, &no_limits, want.data,
             want.len);

    in.len = 0;

    /* a character over many fragments, control frames inside it */

    add_frame(&in, 0x01, "\xf0", 1);
    add_frame(&in, 0x89, "\xff", 1);
    add_frame(&in, 0x00, "\x9f\x98", 2);
    add_frame(&in, 0x00, "", 0);
    add_frame(&in, 0x80, "\x80", 1);
    TALK("a character over fragments",
         "PING 1 \xff\nTEXT 4 \xf0\x9f\x98\x80\n");

    add_frame(&in, 0x82, "\xff\xfe\xed\xa0\x80", 5);
    add_frame(&in, 0x02, "\xc3", 1);
    add_frame(&in, 0x80, "", 0);
    add_frame(&in, 0x81, "a", 1);
    TALK("binary need not be UTF-8",
         "BINARY 5 \xff\xfe\xed\xa0\x80\nBINARY 1 \xc3\nTEXT 1 a\n");

    for (i = 0; i < 300; i++) {
        add_frame(&in, 0x00 + (i == 0), "x", 1);
    }

    memset(control, 'x', sizeof(control));
    want.len = 0;
    blob_addf(&want, "PART %llu ", 300);
    blob_add(&want, control, 125);
    blob_add(&want, control, 125);
    blob_add(&want, control, 50);
    blob_add(&want, "\nPENDING\n", 9);

    converse("many fragments", &in, &no_limits, want.data, want.len);
    in.len = 0;

    blob_free(&in);
    blob_free(&want);
}


static void
test_faults(void)
{
    blob_t   in;
    uint8_t  control[126];

    memset(&in, 0, sizeof(in));
    memset(control, 'c', sizeof(control));

    /* every fault once, after something good, all cuts */

#define FAULT(name, text)                                                     \
    converse(name, &in, &no_limits, text "\n", sizeof(text));                 \
    in.len = 0;                                                               \
    add_frame(&in, 0x81, "a", 1)

    add_frame(&in, 0x81, "a", 1);

    add_frame(&in, 0xc1, "b", 1);
    FAULT("RSV1", "TEXT 1 a\nERROR 1002 reserved bits are set");

    add_frame(&in, 0xa9, "b", 1);
    FAULT("RSV2 in a ping", "TEXT 1 a\nERROR 1002 reserved bits are set");

    add_frame(&in, 0x91, "b", 1);
    FAULT("RSV3", "TEXT 1 a\nERROR 1002 reserved bits are set");

    add_frame(&in, 0x83, "b", 1);
    FAULT("opcode 3", "TEXT 1 a\nERROR 1002 opcode is reserved");

    add_frame(&in, 0x8b, "b", 1);
    FAULT("opcode 11", "TEXT 1 a\nERROR 1002 opcode is reserved");

    add_frame(&in, 0x09, "b", 1);
    FAULT("fragmented ping",
          "TEXT 1 a\nERROR 1002 control frame is fragmented");

    add_frame(&in, 0x89, control, 126);
    FAULT("ping of 126 bytes",
          "TEXT 1 a\nERROR 1002 control frame is too long");

    blob_add(&in, "\x81\x05Hello", 7);
    FAULT("not masked", "TEXT 1 a\nERROR 1002 frame is not masked");

    add_frame(&in, 0x80, "b", 1);
    FAULT("continuation", "TEXT 1 a\nERROR 1002 continuation without a "
          "message");

    add_frame(&in, 0x01, "b", 1);
    add_frame(&in, 0x80, "c", 1);
    add_frame(&in, 0x00, "d", 1);
    FAULT("continuation after the end", "TEXT 1 a\nTEXT 2 bc\n"
          "ERROR 1002 continuation without a message");

    add_frame(&in, 0x01, "b", 1);
    add_frame(&in, 0x81, "c", 1);
    FAULT("message in a message", "TEXT 1 a\n"
          "ERROR 1002 new message inside a fragmented one");

    blob_add(&in, "\x81\xfe\x00\x7d\0\0\0\0", 8);
    FAULT("16-bit length of 125", "TEXT 1 a\nERROR 1002 length is not "
          "minimal");

    blob_add(&in, "\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14);
    FAULT("64-bit length of 65535", "TEXT 1 a\nERROR 1002 length is not "
          "minimal");

    blob_add(&in, "\x81\xff\x80\0\0\0\0\0\0\1\0\0\0\0", 14);
    FAULT("top bit", "TEXT 1 a\nERROR 1002 length has its top bit set");

    add_frame(&in, 0x88, "\x03", 1);
    FAULT("close of one byte", "TEXT 1 a\nERROR 1002 close code is cut "
          "short");

    add_frame(&in, 0x88, "\x03\xed", 2);
    FAULT("close 1005", "TEXT 1 a\nERROR 1002 close code is invalid");

    add_frame(&in, 0x88, "\x03\xe8" "b\xff", 4);
    FAULT("close reason", "TEXT 1 a\nERROR 1007 close reason is not UTF-8");

    add_frame(&in, 0x88, "\x03\xe8" "b\xc3", 4);
    FAULT("close reason cut", "TEXT 1 a\nERROR 1007 close reason is not "
          "UTF-8");

    add_frame(&in, 0x81, "b\xff", 2);
    FAULT("text", "TEXT 1 a\nERROR 1007 text is not UTF-8");

    add_frame(&in, 0x81, "b\xe2\x82", 3);
    FAULT("text cut", "TEXT 1 a\nERROR 1007 text ends inside a character");

    add_frame(&in, 0x01, "b\xe2\x82", 3);
    add_frame(&in, 0x00, "\xac", 1);
    add_frame(&in, 0x00, "\xe2\x82", 2);
    add_frame(&in, 0x80, "", 0);
    FAULT("fragmented text cut",
          "TEXT 1 a\nERROR 1007 text ends inside a character");

    add_frame(&in, 0x01, "b\xe2\x82", 3);
    add_frame(&in, 0x80, "c", 1);
    FAULT("fragmented text", "TEXT 1 a\nERROR 1007 text is not UTF-8");

    blob_free(&in);
}


/* the reader must not wait for the end of what is already lost */

static void
test_fail_fast(void)
{
    size_t  n;
    blob_t  in, log;

    memset(&in, 0, sizeof(in));
    memset(&log, 0, sizeof(log));

    /* Autobahn 6.4.3: one frame, byte by byte */

    add_frame(&in, 0x81, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
              "\xf4\x90\x80\x80" "edited", 21);
    n = run(&log, &in, &no_limits, 0, 0);
    is_mem(log.data, log.len, "ERROR 1007 text is not UTF-8\n", 29,
           "autobahn 6.4.3");
    is(n, 6 + 11 + 2, "fails at the byte that is too large");

    /* 6.4.1: in the second of three fragments */

    in.len = 0;
    log.len = 0;
    add_frame(&in, 0x01, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", 11);
    add_frame(&in, 0x00, "\xf4\x90\x80\x80", 4);
    add_frame(&in, 0x80, "edited", 6);
    n = run(&log, &in, &no_limits, 6 + 11, 6 + 11 + 6 + 4);
    is_mem(log.data, log.len, "ERROR 1007 text is not UTF-8\n", 29,
           "autobahn 6.4.1");
    is(n, 6 + 11 + 6 + 4, "fails in the second fragment");

    /* a bad header, byte by byte */

    in.len = 0;
    log.len = 0;
    blob_add(&in, "\xf1\xff\0\0\0\0\0\1\0\0\0\0\0\0", 14);
    n = run(&log, &in, &no_limits, 0, 0);
    is_mem(log.data, log.len, "ERROR 1002 reserved bits are set\n", 33,
           "reserved bits");
    is(n, 2, "fail at the second byte");

    blob_free(&in);
    blob_free(&log);
}


static void
test_limits(void)
{
    int                  rc;
    blob_t               in;
    uint8_t              data[200], *pos;
    ngx_wschat_event_t   ev;
    ngx_wschat_limits_t  l;
    ngx_wschat_reader_t  r;

    memset(&in, 0, sizeof(in));
    memset(data, 'x', sizeof(data));

#define LIMIT(name, frame, message, text)                                     \
    l.max_frame = frame;                                                      \
    l.max_message = message;                                                  \
    converse(name, &in, &l, text "\n", sizeof(text));                         \
    in.len = 0

    add_frame(&in, 0x81, data, 8);
    LIMIT("a frame at the limit", 8, 8, "TEXT 8 xxxxxxxx");

    add_frame(&in, 0x81, data, 9);
    LIMIT("a frame over the limit", 8, 9, "ERROR 1009 frame is too big");

    add_frame(&in, 0x81, data, 9);
    LIMIT("a message over the limit", 9, 8, "ERROR 1009 message is too big");

    add_frame(&in, 0x02, data, 4);
    add_frame(&in, 0x89, data, 20);
    add_frame(&in, 0x80, data, 4);
    add_frame(&in, 0x82, data, 4);
    LIMIT("fragments at the limit", 4, 8, "PING 20 xxxxxxxxxxxxxxxxxxxx\n"
          "BINARY 8 xxxxxxxx\nBINARY 4 xxxx");

    add_frame(&in, 0x02, data, 4);
    add_frame(&in, 0x00, data, 4);
    add_frame(&in, 0x80, data, 1);
    LIMIT("fragments over the limit", 4, 8, "ERROR 1009 message is too big");

    add_frame(&in, 0x01, data, 8);
    add_frame(&in, 0x80, data, 0);
    LIMIT("an empty fragment at the limit", 8, 8, "TEXT 8 xxxxxxxx");

    add_frame(&in, 0x81, data, 0);
    add_frame(&in, 0x89, data, 5);
    add_frame(&in, 0x88, "\x03\xe8xxx", 5);
    LIMIT("control frames have no limit", 0, 0,
          "TEXT 0 \nPING 5 xxxxx\nCLOSE 1000 xxx");

    add_frame(&in, 0x81, data, 1);
    LIMIT("limits of 0", 0, 0, "ERROR 1009 frame is too big");

    /* at the header, whatever is behind it */

    memset(&r, 0, sizeof(r));
    add_frame(&in, 0x81, data, 200);
    l.max_frame = 199;
    l.max_message = 199;
    pos = in.data;
    rc = ngx_wschat_read(&r, &l, &pos, in.data + 8, &ev);
    is(rc, NGX_WSCHAT_READ_ERROR, "refused at the header");
    is(ev.code, 1009, "with 1009");
    ok(pos == in.data + 8, "before any payload");

    /* a limit that shrinks inside a message: no wrap-around */

    memset(&r, 0, sizeof(r));
    in.len = 0;
    add_frame(&in, 0x01, data, 100);
    add_frame(&in, 0x80, data, 1);
    l.max_message = 150;
    pos = in.data;
    rc = ngx_wschat_read(&r, &l, &pos, in.data + in.len, &ev);
    is(rc, NGX_WSCHAT_READ_DATA, "below the limit");
    l.max_message = 50;
    rc = ngx_wschat_read(&r, &l, &pos, in.data + in.len, &ev);
    is(rc, NGX_WSCHAT_READ_ERROR, "above the lowered limit");
    is_str(ev.reason, "message is too big", "its reason");

    blob_free(&in);
}


int
main(void)
{
    test_sizes();
    test_unmask();
    test_frame_head();
    test_close_codes();
    test_first_bytes();
    test_declared_lengths();
    test_lengths();
    test_pieces();
    test_conversations();
    test_faults();
    test_fail_fast();
    test_limits();

    return tap_done();
}
