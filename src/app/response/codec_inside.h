/* What codec.c knows of each coding. See codec.h. */
#ifndef CV_APP_CODEC_INSIDE_H
#define CV_APP_CODEC_INSIDE_H

#include "app/response/codec.h"

/* A function of a library, and where its address is to be kept. */
struct cv_codec_function {
    const char *name;
    void *at;
};

struct cv_codec {
    const char *library;
    const char *package;
    const struct cv_codec_function *functions; /* up to one without a name */
    void *(*start)(int level);                 /* NULL: no memory */
    void (*stop)(void *state);
    bool (*reset)(void *state); /* NULL: it cannot be used again */
    int (*write)(void *state, struct cv_span in, enum cv_codec_end end, struct cv_buf *out);
};

extern const struct cv_codec cv_codec_gzip;
extern const struct cv_codec cv_codec_brotli;
extern const struct cv_codec cv_codec_zstd;

#endif
