/* Fuzz target: a chunked body. However it is cut it is the same one; data lies inside; what is
 * decoded, encoded and decoded again is unchanged. */
#include "http/chunk.h"

#include "fuzz/target.h"

#include <string.h>

struct body {
    int rc; /* CV_CHUNK_MORE, CV_CHUNK_END or -400 */
    size_t used;
    char *data;
    size_t len;
};

/* Decodes the bytes in pieces of at most `piece`. */
static struct body decode(const uint8_t *bytes, size_t size, size_t piece)
{
    struct body body = {.rc = CV_CHUNK_MORE, .data = malloc(size + 1)};
    struct cv_chunk decoder;
    CHECK(body.data != NULL);
    cv_chunk_init(&decoder);

    while (body.rc == CV_CHUNK_MORE && body.used < size) {
        size_t len = size - body.used < piece ? size - body.used : piece;
        struct cv_span at = cv_span(bytes + body.used, len);
        struct cv_span data = {NULL, 0};
        size_t used = SIZE_MAX;

        int rc = cv_chunk_decode(&decoder, at, &used, &data);
        CHECK(used <= len && decoder.extra <= CV_CHUNK_EXTRA_MAX + 1);
        CHECK(rc != CV_CHUNK_MORE || used == len);
        body.used += used;
        if (rc == CV_CHUNK_DATA) {
            CHECK(data.len > 0 && data.at >= at.at && data.at + data.len == at.at + used);
            memcpy(body.data + body.len, data.at, data.len);
            body.len += data.len;
            rc = CV_CHUNK_MORE;
        }
        body.rc = rc;
    }
    return body;
}

static void check_same(const struct body *whole, const uint8_t *bytes, size_t size, size_t piece)
{
    struct body cut = decode(bytes, size, piece);
    CHECK(cut.rc == whole->rc && cut.used == whole->used && cut.len == whole->len);
    CHECK(memcmp(cut.data, whole->data, cut.len) == 0);
    free(cut.data);
}

/* In chunks of `piece`. */
static void check_round_trip(const struct body *whole, size_t piece)
{
    char *coded = malloc(whole->len * 20 + sizeof(CV_CHUNK_LAST));
    size_t n = 0;
    CHECK(coded != NULL);

    for (size_t at = 0; at < whole->len; at += piece) {
        size_t len = whole->len - at < piece ? whole->len - at : piece;
        n += cv_chunk_open(coded + n, len);
        memcpy(coded + n, whole->data + at, len);
        memcpy(coded + n + len, "\r\n", 2);
        n += len + 2;
    }
    memcpy(coded + n, CV_CHUNK_LAST, strlen(CV_CHUNK_LAST));
    n += strlen(CV_CHUNK_LAST);

    struct body again = decode((const uint8_t *)coded, n, SIZE_MAX);
    CHECK(again.rc == CV_CHUNK_END && again.used == n && again.len == whole->len);
    CHECK(memcmp(again.data, whole->data, again.len) == 0);
    free(again.data);
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct body whole = decode(data, size, SIZE_MAX);
    size_t piece = mix(data, size) % 16 + 1;

    check_same(&whole, data, size, 1);
    check_same(&whole, data, size, piece);
    check_round_trip(&whole, piece);
    free(whole.data);
    return 0;
}
