/* Chunked coding, both ways (RFC 9112, section 7.1). Pure and restartable at any byte.
 *
 * Strict: CRLF only, at most 16 hex digits and a size that fits int64_t; extensions and trailers
 * must be well formed, are bounded, and dropped.
 */
#ifndef CV_HTTP_CHUNK_H
#define CV_HTTP_CHUNK_H

#include "base/span.h"

#include <stdint.h>

struct cv_chunk {
    uint64_t left;  /* bytes of the current chunk still to come */
    uint32_t extra; /* bytes of extensions and trailers so far */
    uint8_t state;
    uint8_t digits;
};

/* Bytes of extensions and trailers together that one body may have. */
#define CV_CHUNK_EXTRA_MAX 8192

/* A decoder at the start of a body. It holds no memory and may be copied. */
void cv_chunk_init(struct cv_chunk *decoder);

enum { CV_CHUNK_MORE = 0, CV_CHUNK_DATA = 1, CV_CHUNK_END = 2 };

/* Looks at `bytes`; sets *ret_used to how many were consumed. CV_CHUNK_DATA: *ret_data is a piece
 * of the body inside `bytes` (call again with the rest); CV_CHUNK_MORE: all consumed; CV_CHUNK_END:
 * the body is complete, what follows is the next request; -400: malformed. Not to be called again
 * after the last two. */
int cv_chunk_decode(struct cv_chunk *decoder, struct cv_span bytes, size_t *ret_used,
                    struct cv_span *ret_data);

/* Writes the line that opens a chunk of `len` > 0 bytes (room for 18) and returns its length. The
 * data and CRLF follow. */
size_t cv_chunk_open(char *at, uint64_t len);

#define CV_CHUNK_LAST "0\r\n\r\n"

#endif
