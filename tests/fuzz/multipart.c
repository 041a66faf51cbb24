/* Fuzz target: a multipart body with the boundary "b". However it is cut it says the same. */
#include "multipart_log.h"

#include "fuzz/target.h"

static void check_same(struct cv_span body, size_t first, size_t piece)
{
    struct cv_span type = CV_SPAN("multipart/form-data; boundary=b");
    size_t whole_len = 0, cut_len = 0;
    char *whole = multipart_log(type, body, SIZE_MAX, SIZE_MAX, &whole_len);
    char *cut = multipart_log(type, body, first, piece, &cut_len);
    CHECK(cv_span_eq(cv_span(whole, whole_len), cv_span(cut, cut_len)));
    free(whole);
    free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span body = cv_span(data, size);
    check_same(body, 1, 1);
    check_same(body, mix(data, size) % (size + 1), mix(data, size) % 7 + 1);
    return 0;
}
