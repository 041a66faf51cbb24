/* Content codings as one kind of encoder: gzip (zlib), brotli, zstd. Their libraries are loaded
 * when they are first wanted, so that a server that compresses nothing has none of them. */
#ifndef CV_APP_CODEC_H
#define CV_APP_CODEC_H

#include "base/buf.h"
#include "http/text.h"

/* Room that an encoder wants behind what it has written: it is not called for every few bytes. */
#define CV_CODEC_ROOM 4096

struct cv_encoder;

enum cv_codec_end {
    CV_CODEC_FLUSH,  /* all that was given can be decoded */
    CV_CODEC_FINISH, /* nothing follows */
};

/* Loads what a coding needs; once is enough. False if it is not there. */
bool cv_codec_load(enum cv_coding coding);

/* The Debian package that has it. */
const char *cv_codec_package(enum cv_coding coding);

/* An encoder of a coding that has been loaded. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_encoder_new(enum cv_coding coding, int level, struct cv_encoder **ret);

/* NULL is fine. */
void cv_encoder_free(struct cv_encoder *encoder);

/* Makes it ready for another text. False if it cannot be used again. */
bool cv_encoder_reset(struct cv_encoder *encoder);

/* Appends `in`, encoded, to `out`. Any thread, but one at a time. 0, -ENOMEM, -EMSGSIZE (of `out`),
 * -EIO. */
CV_MUST_CHECK int cv_encoder_write(struct cv_encoder *encoder, struct cv_span in,
                                   enum cv_codec_end end, struct cv_buf *out);

#endif
