/* Bodies of multipart/form-data (RFC 7578, RFC 2046): incremental, pure.
 *
 * The parser looks at each byte once, however the body is cut, and keeps no more of it than the
 * head of one part. What stands before the first boundary and behind the last is read over. It is
 * strict: lines end in CR LF, a line that begins with the boundary is a boundary, and each part is
 * form-data with a name.
 */
#ifndef CV_HTTP_MULTIPART_H
#define CV_HTTP_MULTIPART_H

#include "base/macros.h"
#include "base/span.h"
#include "http/part_head.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_BOUNDARY_MAX 70 /* RFC 2046, section 5.1.1 */
#define CV_PART_HEAD_MAX 8192

enum cv_multipart_event {
    CV_MULTIPART_MORE,     /* all bytes are used */
    CV_MULTIPART_PART,     /* a head: `part` is valid up to the next one */
    CV_MULTIPART_DATA,     /* some bytes of the part, more than none */
    CV_MULTIPART_PART_END, /* the part is complete */
    CV_MULTIPART_END,      /* the last boundary; what follows is of no interest */
};

struct cv_multipart {
    struct cv_part part;
    const char *reason; /* what is wrong, behind -400: a sentence */
    uint8_t state;
    bool in_part;
    bool line_is_past; /* the line end that has matched is not the part's */
    uint32_t delimiter_len;
    uint32_t matched; /* bytes of the delimiter, which may still turn out to be data */
    uint32_t head_len;
    char delimiter[4 + CV_BOUNDARY_MAX]; /* CR LF "--" boundary */
    char head[CV_PART_HEAD_MAX];         /* of the part; last, not initialised */
};

/* A parser at the start of a body whose Content-Type is given. 0, or -400 with a reason. */
CV_MUST_CHECK int cv_multipart_init(struct cv_multipart *m, struct cv_span content_type);

/* Reads on: an event, or -400 with a reason. `*ret_data` lies in `in` or in the parser, and is
 * valid up to the next call. */
CV_MUST_CHECK int cv_multipart_next(struct cv_multipart *m, struct cv_span in, size_t *ret_used,
                                    struct cv_span *ret_data);

/* The body has ended: 0, or -400 with a reason. */
CV_MUST_CHECK int cv_multipart_finish(struct cv_multipart *m);

#endif
