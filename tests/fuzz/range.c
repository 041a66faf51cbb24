/* Fuzz target: a Range field, behind the eight bytes of a size. */
#include "http/range.h"

#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_range ranges[CV_RANGES_MAX];
    uint64_t total;

    if (size < sizeof(total))
        return 0;
    memcpy(&total, data, sizeof(total));
    int n = cv_range_read(cv_span(data + sizeof(total), size - sizeof(total)), total, ranges);
    CHECK(n == -416 || (n >= 0 && n <= CV_RANGES_MAX));
    uint64_t left = total;
    for (int i = 0; i < n; i++) {
        CHECK(ranges[i].len > 0 && ranges[i].len <= left);
        CHECK(ranges[i].first < total && ranges[i].len <= total - ranges[i].first);
        left -= ranges[i].len;
    }
    return 0;
}
