/* covey_file(): which bytes of a file a request gets, and with which fields (RFC 9110, sections 13
 * and 14). */
#include "app/files/file.h"
#include "app/options.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/media_types.h"
#include "http/range.h"
#include "http/text.h"

#include <errno.h>
#include <string.h>

/* Two numbers of 64 bits, a dash, quotes, and what the coding appends. */
#define ETAG_MAX 64

/* Everything that is decided while a file is being staged. */
struct sending {
    const struct covey_file *what;
    struct cv_file *file;
    struct cv_span type;
    struct cv_span coding; /* at NULL: none */
    struct cv_validators validators;
    struct cv_span range; /* the field; at NULL: none */
    int64_t now;          /* seconds since 1970 */
};

struct variant {
    struct cv_span coding;
    const char *extension;
};

/* ---- Fields ---- */

static int put_validators(struct covey_req *req, struct sending *s)
{
    char *etag = cv_arena_alloc(req->arena, ETAG_MAX + CV_DATE_LEN);
    if (etag == NULL)
        return -ENOMEM;
    const struct cv_file_id *id = &s->file->id;
    char *at = etag;
    *at++ = '"';
    at += cv_num_write_u64(at, (uint64_t)id->modified.tv_sec * CV_SECOND + id->modified.tv_nsec);
    *at++ = '-';
    at += cv_num_write_u64(at, id->size);
    if (s->coding.at != NULL) {
        *at++ = '-';
        memcpy(at, s->coding.at, s->coding.len);
        at += s->coding.len;
    }
    *at++ = '"';
    s->validators.etag = cv_span(etag, (size_t)(at - etag));
    /* Never later than Date (section 8.8.2.1). */
    s->validators.modified = id->modified.tv_sec < s->now ? id->modified.tv_sec : s->now;
    cv_date_write(etag + ETAG_MAX, s->validators.modified);
    int rc = cv_field_put(req, CV_SPAN("ETag"), s->validators.etag);
    if (rc == 0)
        rc = cv_field_put(req, CV_SPAN("Last-Modified"), cv_span(etag + ETAG_MAX, CV_DATE_LEN));
    return rc;
}

static int put_max_age(struct covey_req *req, int64_t seconds)
{
    if (seconds < 0)
        return cv_field_put(req, CV_SPAN("Cache-Control"), CV_SPAN("no-store"));
    const char *text = cv_arena_printf(req->arena, "max-age=%lld", (long long)seconds);
    if (text == NULL)
        return -ENOMEM;
    return cv_field_put(req, CV_SPAN("Cache-Control"), cv_span_str(text));
}

/* RFC 6266: a name for old clients, and where that is not the whole truth, the true one. */
static int put_download(struct covey_req *req, const char *name)
{
    struct cv_span full = cv_span_str(name);
    char *old = cv_arena_strndup(req->arena, full);
    char *escaped = cv_arena_alloc(req->arena, 3 * full.len + 1);
    if (old == NULL || escaped == NULL)
        return -ENOMEM;
    bool is_same = true;
    for (char *at = old; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c >= 0x7f || strchr("\"\\%", c) != NULL) {
            *at = '_';
            is_same = false;
        }
    }
    size_t len = cv_percent_escape(full, escaped);
    const char *value = is_same ? cv_arena_printf(req->arena, "attachment; filename=\"%s\"", old)
                                : cv_arena_printf(req->arena,
                                                  "attachment; filename=\"%s\"; "
                                                  "filename*=UTF-8''%.*s",
                                                  old, (int)len, escaped);
    if (value == NULL)
        return -ENOMEM;
    return cv_field_put(req, CV_SPAN("Content-Disposition"), cv_span_str(value));
}

static int put_fields(struct covey_req *req, struct sending *s)
{
    int rc = put_validators(req, s);
    if (rc == 0 && s->what->max_age != 0)
        rc = put_max_age(req, s->what->max_age);
    if (rc == 0 && s->what->precompressed)
        rc = cv_field_vary(req, CV_SPAN("Accept-Encoding"));
    if (rc == 0 && s->coding.at != NULL)
        rc = cv_field_put(req, CV_SPAN("Content-Encoding"), s->coding);
    if (rc == 0 && s->what->download != NULL)
        rc = put_download(req, s->what->download);
    return rc;
}

/* ---- What the request asks for ---- */

/* Most requests have none of these, which one look at each name tells. */
static bool has_conditions(const struct covey_req *req)
{
    const struct cv_h1_head *head = cv_exchange_head(req->x);
    const char *bytes = cv_exchange_bytes(req->x);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        const struct cv_h1_field *field = &head->fields[i];
        const char *name = bytes + field->name_at;
        if (field->name_len >= 3 && cv_span_ieq(cv_span(name, 3), CV_SPAN("If-")))
            return true;
        if (cv_span_ieq(cv_span(name, field->name_len), CV_SPAN("Range")))
            return true;
    }
    return false;
}

/* 0 (*range says what part counts), 304 or 412. */
static int check_conditions(struct covey_req *req, struct sending *s)
{
    enum cv_method method = (enum cv_method)cv_exchange_head(req->x)->method;
    if ((method != CV_METHOD_GET && method != CV_METHOD_HEAD) || !has_conditions(req))
        return 0;
    const struct cv_conditions conditions = {
        .if_match = cv_req_fields(req, "If-Match"),
        .if_none_match = cv_req_fields(req, "If-None-Match"),
        .if_modified_since = cv_req_fields(req, "If-Modified-Since"),
        .if_unmodified_since = cv_req_fields(req, "If-Unmodified-Since"),
        .if_range = cv_req_fields(req, "If-Range"),
    };
    int status = cv_conditions_check(&conditions, &s->validators, true, s->now);
    if (status == 0 && method == CV_METHOD_GET &&
        cv_conditions_allow_range(&conditions, &s->validators, s->now))
        s->range = cv_req_fields(req, "Range");
    return status;
}

/* ---- Staging ---- */

/* Takes over the sending's reference of the file. */
static void stage_slices(struct covey_req *req, struct sending *s, int status,
                         const struct cv_slice *slices, size_t n)
{
    struct cv_staged *staged = cv_stage(req, status, s->type, cv_span(NULL, 0));
    staged->answer.file = cv_file_ref(s->file);
    staged->answer.slices = slices;
    staged->answer.n_slices = n;
}

static int stage_whole(struct covey_req *req, struct sending *s)
{
    struct cv_slice *slice = cv_arena_alloc(req->arena, sizeof(*slice));
    if (slice == NULL)
        return -ENOMEM;
    *slice = (struct cv_slice){.len = s->file->id.size};
    stage_slices(req, s, s->what->status != 0 ? s->what->status : 200, slice, 1);
    return 0;
}

static const char *content_range(struct covey_req *req, const struct sending *s,
                                 const struct cv_range *range)
{
    return cv_arena_printf(req->arena, "bytes %llu-%llu/%llu", (unsigned long long)range->first,
                           (unsigned long long)(range->first + range->len - 1),
                           (unsigned long long)s->file->id.size);
}

static int stage_range(struct covey_req *req, struct sending *s, const struct cv_range *range)
{
    const char *value = content_range(req, s, range);
    struct cv_slice *slice = cv_arena_alloc(req->arena, sizeof(*slice));
    if (value == NULL || slice == NULL)
        return -ENOMEM;
    *slice = (struct cv_slice){.offset = range->first, .len = range->len};
    int rc = cv_field_put(req, CV_SPAN("Content-Range"), cv_span_str(value));
    if (rc == 0)
        stage_slices(req, s, 206, slice, 1);
    return rc;
}

/* Not to be foreseen by whoever has written the file, where getrandom() is allowed. */
static const char *boundary_new(struct covey_req *req)
{
    uint64_t random[2];
    cv_rand_bytes(random, sizeof(random));
    return cv_arena_printf(req->arena, "%016llx%016llx", (unsigned long long)random[0],
                           (unsigned long long)random[1]);
}

static int stage_ranges(struct covey_req *req, struct sending *s, const struct cv_range *ranges,
                        size_t n)
{
    const char *boundary = boundary_new(req);
    struct cv_slice *slices = cv_arena_alloc(req->arena, (n + 1) * sizeof(*slices));
    if (boundary == NULL || slices == NULL)
        return -ENOMEM;
    for (size_t i = 0; i <= n; i++) {
        const char *text;
        if (i < n) {
            const char *range = content_range(req, s, &ranges[i]);
            text = cv_arena_printf(req->arena,
                                   "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: %s\r\n\r\n",
                                   i > 0 ? "\r\n" : "", boundary, (int)s->type.len, s->type.at,
                                   range != NULL ? range : "");
            slices[i] = (struct cv_slice){.offset = ranges[i].first, .len = ranges[i].len};
        } else {
            text = cv_arena_printf(req->arena, "\r\n--%s--\r\n", boundary);
            slices[i] = (struct cv_slice){0};
        }
        if (text == NULL)
            return -ENOMEM;
        slices[i].before = cv_span_str(text);
    }
    const char *type = cv_arena_printf(req->arena, "multipart/byteranges; boundary=%s", boundary);
    if (type == NULL)
        return -ENOMEM;
    s->type = cv_span_str(type);
    stage_slices(req, s, 206, slices, n + 1);
    return 0;
}

static int stage_unsatisfiable(struct covey_req *req, const struct sending *s)
{
    const char *value =
        cv_arena_printf(req->arena, "bytes */%llu", (unsigned long long)s->file->id.size);
    if (value == NULL)
        return -ENOMEM;
    cv_error_page_stage(req, 416, "The requested range is malformed, or nothing of it is there");
    return cv_field_put(req, CV_SPAN("Content-Range"), cv_span_str(value));
}

static int stage_body(struct covey_req *req, struct sending *s)
{
    struct cv_range ranges[CV_RANGES_MAX];
    int n = s->range.at != NULL ? cv_range_read(s->range, s->file->id.size, ranges) : 0;
    if (n == -416)
        return stage_unsatisfiable(req, s);
    int rc = cv_field_put(req, CV_SPAN("Accept-Ranges"), CV_SPAN("bytes"));
    if (rc < 0)
        return rc;
    if (n == 0)
        return stage_whole(req, s);
    /* The parts have the type that the app has set; the whole has one of its own. */
    if (n > 1 && req->type != NULL)
        s->type = cv_span_str(req->type);
    if (n > 1)
        req->type = NULL;
    return n == 1 ? stage_range(req, s, ranges) : stage_ranges(req, s, ranges, (size_t)n);
}

static int stage_file(struct covey_req *req, struct sending *s)
{
    s->now = cv_clock_wall_s();
    int rc = put_fields(req, s);
    if (rc < 0)
        return rc;
    bool is_plain_answer = s->what->status == 0 || s->what->status == 200;
    switch (is_plain_answer ? check_conditions(req, s) : 0) {
    case 304: (void)cv_stage(req, 304, cv_span(NULL, 0), cv_span(NULL, 0)); return 0;
    case 412: cv_error_page_stage(req, 412, "The file is not as the request expects it"); return 0;
    default: break;
    }
    return is_plain_answer ? stage_body(req, s) : stage_whole(req, s);
}

/* ---- Opening ---- */

int cv_req_file_error(struct covey_req *req, const char *path, int rc)
{
    switch (rc) {
    case -ENOENT:
    case -ENOTDIR:
    case -EISDIR:
    case -ENXIO:
    case -ELOOP:
    case -EXDEV:
    case -ENAMETOOLONG: return covey_fail(req, 404, "File not found");
    case -EACCES:
    case -EPERM: return covey_fail(req, 403, "The file may not be read");
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM: return covey_fail(req, 503, "%s: %s", path, strerror(-rc));
    case -ECANCELED: return rc;
    case -ENOSYS:
        return covey_fail(req, 500,
                          "%s: .root needs openat2(), which this kernel (before Linux "
                          "5.6) or a filter of system calls does not allow",
                          path);
    default: return covey_fail(req, 500, "%s: %s", path, strerror(-rc));
    }
}

/* A variant of the file that is as new, and that the client takes better than what has been found
 * so far. *best is its weight then. */
static int try_variant(struct covey_req *req, const struct sending *s, struct cv_span accept,
                       const struct variant *variant, int *best, struct cv_file **found)
{
    int weight = cv_coding_weight(accept, variant->coding);
    if (weight <= *best)
        return 0;
    const char *path = cv_arena_printf(req->arena, "%s.%s", s->what->path, variant->extension);
    if (path == NULL)
        return -ENOMEM;
    struct cv_file *file;
    int rc = cv_app_file(req->app, s->what->root, path, true, &file);
    if (rc < 0)
        return rc == -ECANCELED ? rc : 0;
    if (file->id.modified.tv_sec < s->file->id.modified.tv_sec) {
        cv_file_unref(file);
        return 0;
    }
    if (*found != NULL)
        cv_file_unref(*found);
    *found = file;
    *best = weight;
    return 1;
}

/* Puts a compressed variant in the file's place where there is one. */
static int choose_variant(struct covey_req *req, struct sending *s)
{
    static const struct variant variants[] = {
        {{"br", 2}, "br"}, {{"zstd", 4}, "zst"}, {{"gzip", 4}, "gz"}};
    struct cv_span accept = cv_req_fields(req, "Accept-Encoding");
    struct cv_file *found = NULL;
    int best = 0;
    int rc = 0;
    for (size_t i = 0; i < CV_COUNT(variants) && accept.at != NULL && rc >= 0; i++) {
        rc = try_variant(req, s, accept, &variants[i], &best, &found);
        if (rc == 1)
            s->coding = variants[i].coding;
    }
    if (found != NULL) {
        cv_file_unref(s->file);
        s->file = found;
    }
    return rc < 0 ? rc : 0;
}

int cv_req_send_file(struct covey_req *req, const struct covey_file *what, int *ret_error)
{
    struct sending s = {.what = what};
    if (what->type != NULL) {
        int rc = cv_stage_type(req, what->type, &s.type);
        if (rc < 0)
            return rc;
    } else {
        s.type = cv_media_type(what->path);
    }
    int rc = cv_app_file(req->app, what->root, what->path, false, &s.file);
    if (rc < 0)
        return *ret_error = rc;
    if (what->precompressed)
        rc = choose_variant(req, &s);
    if (rc == 0)
        rc = stage_file(req, &s);
    cv_file_unref(s.file);
    return rc;
}

/* As far as both sides know the struct. */
static int read_what(struct covey_req *req, const struct covey_file *what, struct covey_file *ret)
{
    if (!CV_OPTIONS_READ(ret, what)) {
        cv_error("%s: covey_file(): " CV_OPTIONS_UNKNOWN, cv_req_name(req));
        return -EINVAL;
    }
    if (ret->path != NULL && ret->path[0] != '\0')
        return 0;
    cv_error("%s: covey_file() without a path", cv_req_name(req));
    return -EINVAL;
}

int covey_file_with(covey_req *req, const struct covey_file *what)
{
    struct covey_file known;
    int error = 0;

    if (!cv_req_here(req))
        return -EPERM;
    int rc = read_what(req, what, &known);
    if (rc == 0)
        rc = cv_stage_check(req, known.status != 0 ? known.status : 200, "covey_file");
    if (rc == 0)
        rc = cv_req_send_file(req, &known, &error);
    return error < 0 ? cv_req_file_error(req, known.path, error) : rc;
}
