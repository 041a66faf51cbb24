/* Small grammars that several layers need: names of statuses and methods, tokens, percent-coding,
 * Accept. */
#ifndef CV_HTTP_TEXT_H
#define CV_HTTP_TEXT_H

#include "base/span.h"
#include "http/h1.h"

#include <stdbool.h>
#include <stdint.h>

/* "Not Found"; "Unknown" for a status without a name (RFC 9110, section 15). */
const char *cv_status_reason(int status);

/* Whether an answer with this status has a body at all (not 1xx, 204, 304). */
bool cv_status_has_body(int status);

/* "GET", NULL for CV_METHOD_OTHER; and back (case matters). */
const char *cv_method_name(enum cv_method method);
enum cv_method cv_method_find(struct cv_span name);

/* A token, and a field value without control characters (RFC 9110, sections 5.6.2, 5.5). Tab is
 * allowed inside. */
bool cv_is_token(struct cv_span text);
bool cv_is_field_value(struct cv_span text);

/* Decodes %XX into `to` (room for text.len bytes; may be text.at itself). `plus` also makes '+' a
 * blank. The length, or -400 on a broken escape or a NUL, escaped or not. */
int64_t cv_percent_decode(struct cv_span text, bool plus, char *to);

/* Escapes all but letters, digits and -._ for one segment of a path, or a parameter's value; `to`
 * as below. The length. */
size_t cv_percent_escape(struct cv_span text, char *to);

/* Escapes what no URI may hold (blanks, controls, quotes, backslashes, what is no ASCII) into `to`
 * (room for 3 * text.len bytes), so that the result cannot end a field; '%' stays as it is (RFC
 * 3986, section 2). The length. */
size_t cv_uri_escape(struct cv_span text, char *to);

/* The next name=value of a query string, undecoded: moves *at (0 at first), false at the end. Empty
 * pieces are skipped; one without '=' has an empty value. */
bool cv_query_split(struct cv_span query, size_t *at, struct cv_span *ret_name,
                    struct cv_span *ret_value);

/* Which of text, HTML, JSON or RFC 9457's JSON a client prefers, by its Accept field (RFC 9110,
 * section 12.5.1). Of equal weights the more specific range wins, then the one named first.
 * `otherwise` where that tells nothing, or the field is absent, malformed, or accepts none. */
enum cv_format { CV_FORMAT_TEXT, CV_FORMAT_HTML, CV_FORMAT_JSON, CV_FORMAT_PROBLEM };
enum cv_format cv_accept_format(struct cv_span accept, enum cv_format otherwise);

/* How well a client takes a media type ("text/html"), by its Accept field: the weight of the most
 * specific range, in thousandths; 0: not at all. 1000 if the field is malformed. */
int cv_accept_weight(struct cv_span accept, struct cv_span type);

/* A weight (RFC 9110, section 12.4.2): "0", "0.25", "1", "1.000"; in thousandths. */
bool cv_weight_read(struct cv_span text, int *ret);

/* How well a client takes a content coding ("gzip"), by its Accept-Encoding field (section
 * 12.5.3): its weight in thousandths; 0: not at all, also where the field is absent or malformed.
 */
int cv_coding_weight(struct cv_span accept_encoding, struct cv_span coding);

/* The content codings that answers can be made in, the one for equal weights first. */
enum cv_coding {
    CV_CODING_NONE,
    CV_CODING_ZSTD,
    CV_CODING_BROTLI,
    CV_CODING_GZIP,
    CV_CODING_COUNT
};

/* "gzip"; empty for NONE. */
struct cv_span cv_coding_name(enum cv_coding coding);

/* The one of those in `have` (a bit each) that a client takes best; NONE where it takes none, or
 * what is not encoded better. */
enum cv_coding cv_coding_choose(struct cv_span accept_encoding, unsigned have);

/* Without the blanks and tabs around it. */
struct cv_span cv_trim(struct cv_span text);

/* Whether the comma-separated list holds the token (case does not matter). */
bool cv_list_has(struct cv_span list, struct cv_span token);

#endif
