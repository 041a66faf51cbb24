/* gzip (RFC 1952), by zlib. */
#include "app/response/codec_inside.h"

#include <errno.h>
#define ZLIB_CONST
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* 32 KiB; 16: gzip's head and sum, instead of zlib's */
#define MEMORY 8              /* zlib's default: 256 KiB with the window */

/* zlib counts in unsigned int. */
#define PIECE_MAX ((size_t)1 << 30)

static struct {
    __typeof__(&deflateInit2_) init;
    __typeof__(&deflate) deflate;
    __typeof__(&deflateReset) reset;
    __typeof__(&deflateEnd) end;
} z;

static const struct cv_codec_function functions[] = {
    {"deflateInit2_", &z.init},
    {"deflate", &z.deflate},
    {"deflateReset", &z.reset},
    {"deflateEnd", &z.end},
    {NULL, NULL},
};

static void *start(int level)
{
    z_stream *stream = calloc(1, sizeof(*stream));
    if (stream != NULL && z.init(stream, level, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY,
                                 ZLIB_VERSION, (int)sizeof(*stream)) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static void stop(void *state)
{
    (void)z.end(state);
    free(state);
}

static bool reset(void *state)
{
    return z.reset(state) == Z_OK;
}

/* It is done when it has left room. */
static int write_piece(z_stream *stream, int flush, struct cv_buf *out)
{
    do {
        int rc = cv_buf_reserve(out, CV_CODEC_ROOM);
        if (rc < 0)
            return rc;
        size_t room = out->cap - out->len < PIECE_MAX ? out->cap - out->len : PIECE_MAX;
        stream->next_out = (unsigned char *)out->at + out->len;
        stream->avail_out = (unsigned)room;
        if (z.deflate(stream, flush) == Z_STREAM_ERROR)
            return -EIO;
        out->len += room - stream->avail_out;
    } while (stream->avail_out == 0);
    return 0;
}

static int encode(void *state, struct cv_span in, enum cv_codec_end end, struct cv_buf *out)
{
    z_stream *stream = state;
    int rc = 0;
    do {
        size_t len = in.len < PIECE_MAX ? in.len : PIECE_MAX;
        bool is_last = len == in.len;
        stream->next_in = (const unsigned char *)in.at;
        stream->avail_in = (unsigned)len;
        rc = write_piece(stream,
                         !is_last                 ? Z_NO_FLUSH
                         : end == CV_CODEC_FINISH ? Z_FINISH
                                                  : Z_SYNC_FLUSH,
                         out);
        in = cv_span(in.at + len, in.len - len);
    } while (rc == 0 && in.len > 0);
    return rc;
}

const struct cv_codec cv_codec_gzip = {
    .library = "libz.so.1",
    .package = "zlib1g",
    .functions = functions,
    .start = start,
    .stop = stop,
    .reset = reset,
    .write = encode,
};
