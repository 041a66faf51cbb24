/* What is to be known of JSON (RFC 8259) before a library that recurses, and gives each value some
 * memory, is given it. */
#ifndef CV_HTTP_JSON_H
#define CV_HTTP_JSON_H

#include "base/span.h"

#include <stdint.h>

/* What reading it may take. */
struct cv_json_limits {
    unsigned depth;  /* of arrays and objects in each other */
    uint64_t values; /* counted by the brackets and commas in front of them */
};

/* 0, -EOVERFLOW (too deep) or -E2BIG (too many values), whichever comes first. Of what is no JSON
 * it may say any of them. */
int cv_json_check(struct cv_span text, const struct cv_json_limits *limits);

#endif
