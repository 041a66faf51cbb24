/* A second reading of requests, written to be compared with src/http: by whole lines, from a
 * complete buffer, with the grammar spelled out instead of tables, and nothing shared but the
 * numbers of h1.h and chunk.h. Slow and plain. */
#ifndef CV_TEST_DIFFERENTIAL_PLAIN_H
#define CV_TEST_DIFFERENTIAL_PLAIN_H

#include "base/span.h"
#include "http/h1.h"

enum verdict { REFUSED, INCOMPLETE, ACCEPTED };

struct plain {
    enum verdict head;
    enum verdict all; /* head and body */
    size_t head_len;
    size_t used; /* by head and body, if accepted */
    struct cv_span method, target, path, query;
    int minor;
    size_t n_fields;
    bool keep_alive, chunked, expects;
    uint64_t content_length;
    char *body; /* to be freed */
    size_t body_len;
};

/* Reads one request. An INCOMPLETE one may already hold what makes it wrong. */
void plain_read(struct plain *ret, const struct cv_h1_limits *limits, struct cv_span bytes);

#endif
