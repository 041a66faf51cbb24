/* Compressing answers on the way out, where a route or the setting COMPRESS asks for it. */
#ifndef CV_APP_COMPRESS_H
#define CV_APP_COMPRESS_H

#include "app/app.h"
#include "app/response/codec.h"

/* One per app that compresses anything. */
struct cv_compress {
    unsigned have; /* a bit per coding that is there and switched on */
    int level[CV_CODING_COUNT];
    size_t least; /* COMPRESS_MIN_SIZE */
    struct cv_span types;
    struct cv_encoder *spare[CV_CODING_COUNT]; /* for the next answer */
};

/* Whether a route's answers are to be compressed: `how` is its .compress. The first that are loads
 * the libraries; if that fails the app says why. For cv_app_add_route(). */
bool cv_compress_wanted(covey_app *app, int how, const char *file, int line);

/* Frees what is kept for further answers. */
void cv_compress_done(covey_app *app);

struct covey_req;

/* Compresses the staged answer if it is worth it and the client takes it. Without memory it leaves
 * as it is. Waits for a thread where it is long. */
void cv_compress_staged(struct covey_req *req);

/* An answer that may have been compressed is only said not to have changed: it gets the fields that
 * it would have had (RFC 9110, section 15.4.5), or caches would not know it again. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_compress_not_modified(struct covey_req *req);

/* As cv_compress_staged() for a streamed answer of `length` bytes (0: unknown), of which no head
 * has left: sets req->packing if it is to be compressed. 0 or -ENOMEM. */
CV_MUST_CHECK int cv_compress_begin(struct covey_req *req, int64_t length);

/* Compresses a piece of it, or what is left at the end, into `out`. 0, -EMSGSIZE (more than the
 * length), -EIO (at the end: less), -ECANCELED, -ENOMEM. */
CV_MUST_CHECK int cv_compress_piece(struct covey_req *req, struct cv_span piece,
                                    enum cv_codec_end end, struct cv_buf *out);

#endif
