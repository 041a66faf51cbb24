/* HTTP/1 request heads: strict, restartable at any byte, pure (RFC 9110, RFC 9112).
 *
 * The parser looks at each byte once, however the head is cut. It keeps offsets, never pointers, so
 * that the bytes may move between two calls (from the shared receive buffer to the connection's own
 * memory and from there to the exchange's). There is one interpretation of any byte sequence or
 * none: what is not plainly right is refused.
 */
#ifndef CV_HTTP_H1_H
#define CV_HTTP_H1_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define CV_H1_FIELDS_MAX 100

/* One header field; offsets into the head. */
struct cv_h1_field {
    uint32_t name_at;
    uint32_t value_at;
    uint32_t value_len; /* without blanks around it */
    uint16_t name_len;
    uint16_t known; /* enum cv_field, 0: any other */
};

/* Fields that the server itself looks at. */
enum cv_field {
    CV_FIELD_OTHER,
    CV_FIELD_HOST,
    CV_FIELD_CONNECTION,
    CV_FIELD_CONTENT_LENGTH,
    CV_FIELD_TRANSFER_ENCODING,
    CV_FIELD_EXPECT,
    CV_FIELD_UPGRADE,
    CV_FIELD_ACCEPT,
    CV_FIELD_CONTENT_TYPE,
    CV_FIELD_COOKIE,
    CV_FIELD_COUNT
};

enum cv_method {
    CV_METHOD_OTHER, /* a token that is none of the below */
    CV_METHOD_GET,
    CV_METHOD_HEAD,
    CV_METHOD_POST,
    CV_METHOD_PUT,
    CV_METHOD_PATCH,
    CV_METHOD_DELETE,
    CV_METHOD_OPTIONS,
    CV_METHOD_CONNECT,
    CV_METHOD_TRACE,
    CV_METHOD_COUNT
};

struct cv_h1_limits {
    uint32_t head_max;   /* bytes of the whole head: 431 past it */
    uint32_t target_max; /* bytes of the request target: 414 past it */
    uint32_t fields_max; /* at most CV_H1_FIELDS_MAX: 431 past it */
};

/* A parsed head; what it says of offsets refers to the first byte given to the parser. */
struct cv_h1_head {
    uint32_t len; /* of the head, blank line (and skipped empty lines before it) included */
    uint32_t method_at;
    uint32_t method_len;
    uint32_t target_at;
    uint32_t target_len;
    uint32_t path_at; /* without query and authority; never empty: "/" if the target has none */
    uint32_t path_len;
    uint32_t query_at; /* behind '?'; len 0 if there is none */
    uint32_t query_len;
    uint16_t n_fields;
    uint8_t method;  /* enum cv_method */
    uint8_t minor;   /* HTTP/1.minor: 0, or 1 for any later one too */
    bool keep_alive; /* by version and Connection */
    bool has_body;   /* content_length > 0 or chunked */
    bool chunked;
    bool expect_continue;    /* only if there is a body */
    bool has_cookies;        /* a Cookie field has come */
    uint64_t content_length; /* valid when not chunked */
    struct cv_h1_field fields[CV_H1_FIELDS_MAX];
};

/* One head being parsed. A plain value: may be copied with the bytes it has seen. */
struct cv_h1 {
    uint32_t seen;         /* bytes looked at so far */
    uint32_t mark;         /* start of the token being read */
    uint32_t authority_at; /* of an absolute-form target; len 0: another form */
    uint32_t authority_len;
    uint16_t once; /* bit per enum cv_field that has come and must not come again */
    uint8_t state;
    uint8_t blank_lines;
    bool close; /* what Connection has said so far */
    bool keep_alive;
    struct cv_h1_head head; /* last: its fields are not initialised */
};

enum { CV_H1_MORE = 0, CV_H1_DONE = 1 };

/* A parser at the start of a head. It holds no memory. */
void cv_h1_init(struct cv_h1 *parser);

/* Looks at the bytes behind those already seen; `bytes` always begins at the first byte of the
 * head. CV_H1_MORE, CV_H1_DONE (head valid; bytes behind head.len are the body or the next
 * request), or minus the status to answer before closing: -400, -414, -417, -431, -501, -505. Not
 * to be called again after an answer other than CV_H1_MORE; the limits stay the same in between.
 *
 * Where the RFCs leave a choice: any repetition of Host, Content-Length or Transfer-Encoding is
 * refused; a coding below "chunked" and CONNECT are 501; an absolute-form target must name the
 * same authority as Host; a target may hold what browsers do not escape (\ ^ ` { | }), but no byte
 * from 0x80 and no fragment. */
int cv_h1_parse(struct cv_h1 *parser, const struct cv_h1_limits *limits, struct cv_span bytes);

/* The n-th field's name and value, the target and so on, as spans over the head's bytes. */
static inline struct cv_span cv_h1_span(const char *head, uint32_t at, uint32_t len)
{
    return (struct cv_span){head + at, len};
}

#endif
