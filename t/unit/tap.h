
/*
 * Copyright (C) the ngx_wschat authors
 */


/*
 * The Test Anything Protocol for unit programs: one line for each check, the
 * plan at the end, on a failure file, line and what was got and wanted.  A
 * program is one translation unit, ends with "return tap_done();" and exits
 * with 0 only if there were checks and all passed.
 *
 * The last arguments of each check are its name, printf() style.
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <string.h>


/* a condition */
#define ok(cond, ...)                                                         \
    tap_ok(__FILE__, __LINE__, (cond) ? 1 : 0, __VA_ARGS__)

/* two integers */
#define is(got, want, ...)                                                    \
    tap_is(__FILE__, __LINE__, (long long) (got), (long long) (want),         \
           __VA_ARGS__)

/* two strings, NULL is one too */
#define is_str(got, want, ...)                                                \
    tap_is_str(__FILE__, __LINE__, got, want, __VA_ARGS__)

/* two pieces of memory */
#define is_mem(got, got_len, want, want_len, ...)                             \
    tap_is_mem(__FILE__, __LINE__, got, got_len, want, want_len, __VA_ARGS__)

/* more lines for whoever reads a failure */
#define diag(...)                                                             \
    tap_diag(__VA_ARGS__)


#if (__GNUC__)
#define TAP_PRINTF(fmt)  __attribute__((format(printf, fmt, fmt + 1)))
#define TAP_VPRINTF(fmt) __attribute__((format(printf, fmt, 0)))
#else
#define TAP_PRINTF(fmt)
#define TAP_VPRINTF(fmt)
#endif


static int  tap_count;
static int  tap_failed;


TAP_PRINTF(1) static inline void
tap_diag(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "# ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");
}


TAP_VPRINTF(4) static inline int
tap_result(const char *file, int line, int passed, const char *fmt,
    va_list args)
{
    printf("%s %d - ", passed ? "ok" : "not ok", ++tap_count);
    vprintf(fmt, args);
    printf("\n");

    if (!passed) {
        tap_failed++;
        fflush(stdout);
        tap_diag("failed at %s:%d", file, line);
    }

    return passed;
}


TAP_PRINTF(4) static inline int
tap_ok(const char *file, int line, int passed, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_result(file, line, passed, fmt, args);
    va_end(args);

    return passed;
}


TAP_PRINTF(5) static inline int
tap_is(const char *file, int line, long long got, long long want,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_result(file, line, got == want, fmt, args);
    va_end(args);

    if (got != want) {
        tap_diag("got  %lld", got);
        tap_diag("want %lld", want);
    }

    return got == want;
}


TAP_PRINTF(5) static inline int
tap_is_str(const char *file, int line, const char *got, const char *want,
    const char *fmt, ...)
{
    int      same;
    va_list  args;

    same = (got == want)
           || (got != NULL && want != NULL && strcmp(got, want) == 0);

    va_start(args, fmt);
    tap_result(file, line, same, fmt, args);
    va_end(args);

    if (!same) {
        tap_diag("got  %s%s%s", got ? "\"" : "", got ? got : "NULL",
                 got ? "\"" : "");
        tap_diag("want %s%s%s", want ? "\"" : "", want ? want : "NULL",
                 want ? "\"" : "");
    }

    return same;
}


/* of what may be long only the beginning is shown */

static inline void
tap_dump(const char *what, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;

    fprintf(stderr, "# %s %lu bytes:", what, (unsigned long) len);

    for (i = 0; i < len && i < 64; i++) {
        fprintf(stderr, " %02x", p[i]);
    }

    fprintf(stderr, "%s\n", (i < len) ? " ..." : "");
}


TAP_PRINTF(7) static inline int
tap_is_mem(const char *file, int line, const void *got, size_t got_len,
    const void *want, size_t want_len, const char *fmt, ...)
{
    int      same;
    va_list  args;

    same = got_len == want_len
           && (want_len == 0 || memcmp(got, want, want_len) == 0);

    va_start(args, fmt);
    tap_result(file, line, same, fmt, args);
    va_end(args);

    if (!same) {
        tap_dump("got ", got, got_len);
        tap_dump("want", want, want_len);
    }

    return same;
}


static inline int
tap_done(void)
{
    printf("1..%d\n", tap_count);

    if (tap_failed != 0) {
        tap_diag("%d of %d failed", tap_failed, tap_count);
    }

    return tap_count == 0 || tap_failed != 0;
}


#endif /* _TAP_H_INCLUDED_ */
