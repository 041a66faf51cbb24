/* What a test's client makes of the bytes that come: an answer, as it is to be seen. Pure.
 *
 * The bytes are those of our own server, which the parser does not distrust; what it does not
 * understand is an error all the same.
 */
#ifndef CV_CLI_TESTER_ANSWER_H
#define CV_CLI_TESTER_ANSWER_H

#include "base/buf.h"
#include "http/chunk.h"

#include <covey/test.h>

#include <stdint.h>

enum cv_tester_state {
    CV_TESTER_HEAD,
    CV_TESTER_LENGTH, /* `left` bytes of body are to come */
    CV_TESTER_CHUNKS, /* a body in chunks is */
    CV_TESTER_TO_END, /* a body is, up to the end of the connection */
    CV_TESTER_WHOLE,
    CV_TESTER_BROKEN
};

struct cv_tester_answer {
    struct covey_test_answer seen; /* what the test sees; first */
    struct cv_tester_answer *next; /* the owner's */
    enum cv_tester_state state;
    bool has_no_body; /* it is an answer to HEAD */
    struct cv_buf head;
    struct cv_buf early;
    struct cv_buf fields; /* "Name\0value\0" each */
    struct cv_buf body;
    struct cv_chunk chunk;
    uint64_t left;
    char error[200];
};

/* Nothing has come. */
void cv_tester_answer_init(struct cv_tester_answer *answer, bool to_head);
void cv_tester_answer_done(struct cv_tester_answer *answer);

/* Takes what has come. What follows a whole answer is not looked at. */
void cv_tester_answer_take(struct cv_tester_answer *answer, struct cv_span bytes);

/* Nothing more will come. */
void cv_tester_answer_end(struct cv_tester_answer *answer);

/* It will not become whole, for this reason; the first stays. */
void cv_tester_answer_fail(struct cv_tester_answer *answer, const char *format, ...)
    CV_PRINTF(2, 3);

/* Nothing more is waited for. */
static inline bool cv_tester_answer_is_over(const struct cv_tester_answer *answer)
{
    return answer->state >= CV_TESTER_WHOLE;
}

#endif
