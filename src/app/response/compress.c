#include "app/response/compress.h"

#include "app/request/request.h"
#include "base/log.h"
#include "http/media_types.h"

#include <errno.h>

/* What takes longer than some 100 us is done by a thread. */
#define INLINE_MAX 8192

/* As in conf.def, for hosts without settings. */
#define TYPES                                                                                      \
    "text/*, application/json, application/javascript, application/xml, application/wasm, "        \
    "*+json, *+xml"

/* Of a streamed answer. */
struct cv_packing {
    struct covey_req *req;
    struct cv_encoder *encoder;
    enum cv_coding coding;
    int64_t left; /* bytes that the app has still to send; < 0: unknown */
};

/* ---- Registering ---- */

static int read_level(covey_app *app, enum cv_coding coding)
{
    switch (coding) {
    case CV_CODING_GZIP: return (int)covey_config_int(app, "COMPRESS_GZIP_LEVEL", 5);
    case CV_CODING_BROTLI: return (int)covey_config_int(app, "COMPRESS_BROTLI_LEVEL", 4);
    case CV_CODING_ZSTD: return (int)covey_config_int(app, "COMPRESS_ZSTD_LEVEL", 3);
    case CV_CODING_NONE:
    case CV_CODING_COUNT: break;
    }
    return 0;
}

/* gzip is what every client takes; the others are offered where they are installed. */
static bool load(covey_app *app, struct cv_compress *compress, const char *file, int line)
{
    for (enum cv_coding i = CV_CODING_NONE + 1; i < CV_CODING_COUNT; i++) {
        compress->level[i] = read_level(app, i);
        if (compress->level[i] == 0)
            continue;
        if (cv_codec_load(i)) {
            compress->have |= 1u << i;
        } else if (i == CV_CODING_GZIP) {
            cv_app_fail(app,
                        "%s:%d: compressing in gzip needs a library that cannot be loaded (Debian "
                        "package %s); COMPRESS_GZIP_LEVEL=0 does without it",
                        file, line, cv_codec_package(i));
            return false;
        } else {
            cv_info("answers are not compressed in %.*s, whose library cannot be loaded (Debian "
                    "package %s)",
                    (int)cv_coding_name(i).len, cv_coding_name(i).at, cv_codec_package(i));
        }
    }
    return true;
}

static bool prepare(covey_app *app, const char *file, int line)
{
    struct cv_compress *compress = cv_arena_alloc(&app->arena, sizeof(*compress));
    if (compress == NULL) {
        cv_app_fail(app, "%s:%d: out of memory", file, line);
        return false;
    }
    *compress = (struct cv_compress){
        .least = (size_t)covey_config_int(app, "COMPRESS_MIN_SIZE", 1024),
        .types = cv_span_str(covey_config_str(app, "COMPRESS_TYPES", TYPES)),
    };
    if (!load(app, compress, file, line))
        return false;
    app->compress = compress;
    return true;
}

bool cv_compress_wanted(covey_app *app, int how, const char *file, int line)
{
    bool is_wanted = how > 0 || (how == 0 && covey_config_bool(app, "COMPRESS", false));
    return is_wanted && (app->compress != NULL || prepare(app, file, line));
}

void cv_compress_done(covey_app *app)
{
    for (size_t i = 0; app->compress != NULL && i < CV_CODING_COUNT; i++)
        cv_encoder_free(app->compress->spare[i]);
}

/* ---- Encoders, of which one per coding is kept: a new one costs more than a short answer ---- */

static struct cv_encoder *take(struct cv_compress *compress, enum cv_coding coding)
{
    struct cv_encoder *encoder = compress->spare[coding];
    compress->spare[coding] = NULL;
    if (encoder == NULL && cv_encoder_new(coding, compress->level[coding], &encoder) < 0)
        return NULL;
    return encoder;
}

static void give_back(struct cv_compress *compress, enum cv_coding coding,
                      struct cv_encoder *encoder)
{
    if (compress->spare[coding] == NULL && cv_encoder_reset(encoder))
        compress->spare[coding] = encoder;
    else
        cv_encoder_free(encoder);
}

/* ---- Whether ---- */

/* What must reach the client as it is: parts, what is compressed already, what has a digest, and
 * what the app says so of (RFC 9110, sections 7.7 and 8.4; RFC 9111, section 5.2.2.6). */
static bool is_untouchable(const struct covey_req *req, int status)
{
    return !cv_status_has_body(status) || status == 206 ||
           cv_field_value(req, CV_SPAN("Content-Encoding")).at != NULL ||
           cv_field_value(req, CV_SPAN("Content-Range")).at != NULL ||
           cv_field_value(req, CV_SPAN("Content-Digest")).at != NULL ||
           cv_field_value(req, CV_SPAN("Repr-Digest")).at != NULL ||
           cv_field_lists(req, CV_SPAN("Cache-Control"), CV_SPAN("no-transform"));
}

/* An event stream is what a proxy or a script waits for line by line. */
static bool is_worth_it(const struct covey_req *req, const struct cv_answer *answer)
{
    struct cv_span type = req->type != NULL ? cv_span_str(req->type) : answer->type;
    return answer->file == NULL && cv_media_type_is_listed(type, req->app->compress->types) &&
           !cv_media_type_is_listed(type, CV_SPAN("text/event-stream")) &&
           !is_untouchable(req, answer->status);
}

/* A cache must know also where nothing was compressed. 0 or -ENOMEM. */
static int put_vary(struct covey_req *req)
{
    return cv_field_vary(req, CV_SPAN("Accept-Encoding"));
}

static enum cv_coding choose(const struct covey_req *req)
{
    return cv_coding_choose(cv_req_field(req, CV_SPAN("accept-encoding")),
                            req->app->compress->have);
}

/* The bytes are others now, so the tag of the text is a weak one (RFC 9110, section 8.8.1). */
static int weaken_etag(struct covey_req *req)
{
    struct cv_span etag = cv_field_value(req, CV_SPAN("ETag"));
    if (etag.len == 0 || etag.at[0] != '"')
        return 0;
    const char *weak = cv_arena_printf(req->arena, "W/%.*s", (int)etag.len, etag.at);
    return weak != NULL ? cv_field_put(req, CV_SPAN("ETag"), cv_span_str(weak)) : -ENOMEM;
}

static int put_fields(struct covey_req *req, enum cv_coding coding)
{
    int rc = weaken_etag(req);
    return rc == 0 ? cv_field_put(req, CV_SPAN("Content-Encoding"), cv_coding_name(coding)) : rc;
}

/* A weak tag also fits what had a strong one. */
int cv_compress_not_modified(struct covey_req *req)
{
    int rc = put_vary(req);
    return rc == 0 && choose(req) != CV_CODING_NONE ? weaken_etag(req) : rc;
}

/* ---- Doing it ---- */

struct job {
    struct cv_encoder *encoder;
    struct cv_span in;
    enum cv_codec_end end;
    struct cv_buf *out;
};

static int run(void *arg)
{
    struct job *job = arg;
    return cv_encoder_write(job->encoder, job->in, job->end, job->out);
}

/* Here, or on a thread while the handler's fiber waits; the loop goes on. */
static int run_somewhere(struct covey_req *req, struct job *job)
{
    int rc = -EAGAIN;
    if (job->in.len > INLINE_MAX && cv_fiber_self() != NULL)
        rc = cv_offload(req->app->offload, run, job);
    return rc == -EAGAIN ? run(job) : rc; /* no thread can be had */
}

/* Only what becomes shorter is replaced. */
static int pack(struct covey_req *req, enum cv_coding coding, struct cv_buf *out)
{
    struct cv_compress *compress = req->app->compress;
    struct cv_span body = req->staged.answer.body;
    struct cv_encoder *encoder = take(compress, coding);
    if (encoder == NULL)
        return -ENOMEM;
    struct job job = {encoder, body, CV_CODEC_FINISH, out};
    int rc = run_somewhere(req, &job);
    give_back(compress, coding, encoder);
    if (rc == 0 && out->len >= body.len)
        rc = -EMSGSIZE;
    return rc == 0 ? put_fields(req, coding) : rc;
}

void cv_compress_staged(struct covey_req *req)
{
    const struct cv_answer *answer = &req->staged.answer;
    struct cv_buf out;
    if (answer->body.len < req->app->compress->least || !is_worth_it(req, answer) ||
        put_vary(req) < 0)
        return;
    enum cv_coding coding = choose(req);
    if (coding == CV_CODING_NONE)
        return;
    cv_buf_init(&out, answer->body.len + CV_CODEC_ROOM);
    if (pack(req, coding, &out) == 0)
        cv_stage_replace_body(req, out.at, out.len);
    else
        cv_buf_done(&out);
}

/* ---- Streamed answers ---- */

static void end_packing(void *arg)
{
    struct cv_packing *packing = arg;
    give_back(packing->req->app->compress, packing->coding, packing->encoder);
}

int cv_compress_begin(struct covey_req *req, int64_t length)
{
    const struct cv_compress *compress = req->app->compress;
    bool is_short = length > 0 && (uint64_t)length < compress->least;
    if (is_short || !is_worth_it(req, &req->staged.answer))
        return 0;
    int rc = put_vary(req);
    enum cv_coding coding = choose(req);
    if (rc < 0 || coding == CV_CODING_NONE)
        return rc;
    struct cv_packing *packing = cv_arena_alloc(req->arena, sizeof(*packing));
    struct cv_encoder *encoder = packing != NULL ? take(req->app->compress, coding) : NULL;
    if (encoder == NULL)
        return -ENOMEM;
    *packing = (struct cv_packing){req, encoder, coding, length > 0 ? length : -1};
    rc = covey_defer(req, end_packing, packing);
    if (rc == 0)
        rc = put_fields(req, coding);
    if (rc == 0)
        req->packing = packing;
    return rc;
}

static int count(struct cv_packing *packing, size_t len, enum cv_codec_end end)
{
    if (packing->left < 0)
        return 0;
    if (len > (uint64_t)packing->left)
        return -EMSGSIZE;
    packing->left -= (int64_t)len;
    return end == CV_CODEC_FINISH && packing->left > 0 ? -EIO : 0;
}

int cv_compress_piece(struct covey_req *req, struct cv_span piece, enum cv_codec_end end,
                      struct cv_buf *out)
{
    struct job job = {req->packing->encoder, piece, end, out};
    int rc = count(req->packing, piece.len, end);
    return rc == 0 ? run_somewhere(req, &job) : rc;
}
