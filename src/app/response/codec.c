/* The codings by their number, and their libraries. See codec.h. */
#include "app/response/codec_inside.h"

#include <dlfcn.h>
#include <errno.h>

struct cv_encoder {
    const struct cv_codec *codec;
    void *state;
};

static const struct cv_codec *const codecs[CV_CODING_COUNT] = {
    [CV_CODING_ZSTD] = &cv_codec_zstd,
    [CV_CODING_BROTLI] = &cv_codec_brotli,
    [CV_CODING_GZIP] = &cv_codec_gzip,
};

/* For the life of the process. */
bool cv_codec_load(enum cv_coding coding)
{
    const struct cv_codec *codec = codecs[coding];
    void *library = dlopen(codec->library, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return false;
    for (const struct cv_codec_function *f = codec->functions; f->name != NULL; f++) {
        void *found = dlsym(library, f->name);
        if (found == NULL)
            return false;
        *(void **)f->at = found;
    }
    return true;
}

const char *cv_codec_package(enum cv_coding coding)
{
    return codecs[coding]->package;
}

int cv_encoder_new(enum cv_coding coding, int level, struct cv_encoder **ret)
{
    struct cv_encoder *encoder = malloc(sizeof(*encoder));
    if (encoder == NULL)
        return -ENOMEM;
    *encoder = (struct cv_encoder){codecs[coding], codecs[coding]->start(level)};
    if (encoder->state == NULL) {
        free(encoder);
        return -ENOMEM;
    }
    *ret = encoder;
    return 0;
}

void cv_encoder_free(struct cv_encoder *encoder)
{
    if (encoder == NULL)
        return;
    encoder->codec->stop(encoder->state);
    free(encoder);
}

bool cv_encoder_reset(struct cv_encoder *encoder)
{
    return encoder->codec->reset != NULL && encoder->codec->reset(encoder->state);
}

int cv_encoder_write(struct cv_encoder *encoder, struct cv_span in, enum cv_codec_end end,
                     struct cv_buf *out)
{
    return encoder->codec->write(encoder->state, in, end, out);
}
