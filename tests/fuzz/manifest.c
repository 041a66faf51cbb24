/* Fuzz target: what an app declares in HELLO, as the master reads it. */
#include "supervise/shared/manifest.h"

#include "fuzz/target.h"

#include <errno.h>

/* A record more counts for one more; a byte less is refused, or is the end of a record. */
static void check_neighbours(struct cv_span bytes, const struct cv_manifest *read)
{
    struct cv_manifest other;
    struct cv_buf longer;
    cv_buf_init(&longer, bytes.len + 64);
    CHECK(cv_buf_append(&longer, bytes) == 0);
    CHECK(cv_manifest_add(&longer, CV_MANIFEST_ROUTE, CV_SPAN("one more")) == 0);
    int rc = cv_manifest_read(cv_buf_span(&longer), &other);
    CHECK(read->n_routes == CV_MANIFEST_ROUTES_MAX
              ? rc == -EBADMSG
              : rc == 0 && other.n_routes == read->n_routes + 1);
    cv_buf_done(&longer);
    if (bytes.len > 4 && cv_manifest_read(cv_span(bytes.at, bytes.len - 1), &other) == 0)
        CHECK(other.n_routes <= read->n_routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_manifest manifest = {UINT32_MAX, true};
    struct cv_span bytes = cv_span(data, size);
    int rc = cv_manifest_read(bytes, &manifest);
    CHECK(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
    CHECK(rc == 0 || manifest.n_routes == UINT32_MAX); /* refused: nothing is written */
    if (rc < 0)
        return 0;
    CHECK(manifest.n_routes <= CV_MANIFEST_ROUTES_MAX);
    check_neighbours(bytes, &manifest);
    return 0;
}
