#include "supervise/manifest.h"

#include <errno.h>

struct record {
    uint16_t kind;
    uint16_t len;
};

int cv_manifest_begin(struct cv_buf *buf)
{
    uint32_t version = CV_MANIFEST_VERSION;
    return cv_buf_append(buf, cv_span(&version, sizeof(version)));
}

int cv_manifest_add(struct cv_buf *buf, enum cv_manifest_kind kind, struct cv_span bytes)
{
    if (bytes.len > UINT16_MAX)
        return -EMSGSIZE;
    struct record record = {(uint16_t)kind, (uint16_t)bytes.len};
    int rc = cv_buf_reserve(buf, sizeof(record) + bytes.len);
    if (rc == 0)
        rc = cv_buf_append(buf, cv_span(&record, sizeof(record)));
    if (rc == 0)
        rc = cv_buf_append(buf, bytes);
    return rc;
}

int cv_manifest_read(struct cv_span bytes, struct cv_manifest *ret)
{
    uint32_t version;
    if (bytes.len < sizeof(version))
        return -EBADMSG;
    memcpy(&version, bytes.at, sizeof(version));
    if (version != CV_MANIFEST_VERSION)
        return -EPROTO;

    struct cv_manifest manifest = {0};
    size_t at = sizeof(version);
    while (at < bytes.len) {
        struct record record;
        if (bytes.len - at < sizeof(record))
            return -EBADMSG;
        memcpy(&record, bytes.at + at, sizeof(record));
        at += sizeof(record);
        if (record.len > bytes.len - at)
            return -EBADMSG;
        at += record.len;
        if (record.kind == CV_MANIFEST_ROUTE)
            manifest.n_routes++;
        if (record.kind == CV_MANIFEST_MAIN_LISTENERS)
            manifest.has_main = true;
    }
    if (manifest.n_routes > CV_MANIFEST_ROUTES_MAX)
        return -EBADMSG;
    *ret = manifest;
    return 0;
}
