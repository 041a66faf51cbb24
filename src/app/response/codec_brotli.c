/* br (RFC 7932), by libbrotlienc. */
#include "app/response/codec_inside.h"

#include <brotli/encode.h>
#include <errno.h>

#define WINDOW 18 /* log2: 256 KiB; its default, 4 MiB, is for files */

static struct {
    __typeof__(&BrotliEncoderCreateInstance) create;
    __typeof__(&BrotliEncoderDestroyInstance) destroy;
    __typeof__(&BrotliEncoderSetParameter) set;
    __typeof__(&BrotliEncoderCompressStream) compress;
    __typeof__(&BrotliEncoderHasMoreOutput) has_more;
} b;

static const struct cv_codec_function functions[] = {
    {"BrotliEncoderCreateInstance", &b.create},  {"BrotliEncoderDestroyInstance", &b.destroy},
    {"BrotliEncoderSetParameter", &b.set},       {"BrotliEncoderCompressStream", &b.compress},
    {"BrotliEncoderHasMoreOutput", &b.has_more}, {NULL, NULL},
};

static void *start(int level)
{
    BrotliEncoderState *state = b.create(NULL, NULL, NULL);
    if (state == NULL)
        return NULL;
    (void)b.set(state, BROTLI_PARAM_QUALITY, (uint32_t)level);
    (void)b.set(state, BROTLI_PARAM_LGWIN, WINDOW);
    return state;
}

static void stop(void *state)
{
    b.destroy(state);
}

static int encode(void *state, struct cv_span in, enum cv_codec_end end, struct cv_buf *out)
{
    const uint8_t *next = (const uint8_t *)in.at;
    size_t left = in.len;
    do {
        int rc = cv_buf_reserve(out, CV_CODEC_ROOM);
        if (rc < 0)
            return rc;
        size_t room = out->cap - out->len;
        uint8_t *to = (uint8_t *)out->at + out->len;
        if (!b.compress(state,
                        end == CV_CODEC_FINISH ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH,
                        &left, &next, &room, &to, NULL))
            return -EIO;
        out->len = out->cap - room;
    } while (left > 0 || b.has_more(state));
    return 0;
}

const struct cv_codec cv_codec_brotli = {
    .library = "libbrotlienc.so.1",
    .package = "libbrotli1",
    .functions = functions,
    .start = start,
    .stop = stop,
    .write = encode,
};
