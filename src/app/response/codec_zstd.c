/* zstd (RFC 8878), by libzstd. */
#include "app/response/codec_inside.h"

#include <errno.h>
#include <zstd.h>

#define WINDOW                                                                                     \
    18 /* log2: 256 KiB; RFC 9659 allows 8 MiB, which every browser would have to keep             \
        */

static struct {
    __typeof__(&ZSTD_createCCtx) create;
    __typeof__(&ZSTD_freeCCtx) free;
    __typeof__(&ZSTD_CCtx_setParameter) set;
    __typeof__(&ZSTD_CCtx_reset) reset;
    __typeof__(&ZSTD_compressStream2) compress;
    __typeof__(&ZSTD_isError) is_error;
} zs;

static const struct cv_codec_function functions[] = {
    {"ZSTD_createCCtx", &zs.create},
    {"ZSTD_freeCCtx", &zs.free},
    {"ZSTD_CCtx_setParameter", &zs.set},
    {"ZSTD_CCtx_reset", &zs.reset},
    {"ZSTD_compressStream2", &zs.compress},
    {"ZSTD_isError", &zs.is_error},
    {NULL, NULL},
};

static void *start(int level)
{
    ZSTD_CCtx *state = zs.create();
    if (state == NULL)
        return NULL;
    (void)zs.set(state, ZSTD_c_compressionLevel, level);
    (void)zs.set(state, ZSTD_c_windowLog, WINDOW);
    return state;
}

static void stop(void *state)
{
    (void)zs.free(state);
}

static bool reset(void *state)
{
    return !zs.is_error(zs.reset(state, ZSTD_reset_session_only));
}

static int encode(void *state, struct cv_span in, enum cv_codec_end end, struct cv_buf *out)
{
    ZSTD_inBuffer from = {in.at, in.len, 0};
    size_t left;
    do {
        int rc = cv_buf_reserve(out, CV_CODEC_ROOM);
        if (rc < 0)
            return rc;
        ZSTD_outBuffer to = {out->at, out->cap, out->len};
        left = zs.compress(state, &to, &from, end == CV_CODEC_FINISH ? ZSTD_e_end : ZSTD_e_flush);
        if (zs.is_error(left))
            return -EIO;
        out->len = to.pos;
    } while (left > 0);
    return 0;
}

const struct cv_codec cv_codec_zstd = {
    .library = "libzstd.so.1",
    .package = "libzstd1",
    .functions = functions,
    .start = start,
    .stop = stop,
    .reset = reset,
    .write = encode,
};
