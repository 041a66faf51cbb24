/* What is to be known of JSON (RFC 8259) before a library that recurses is given it. */
#ifndef CV_HTTP_JSON_H
#define CV_HTTP_JSON_H

#include "base/span.h"

/* Whether no array or object lies in more than `most` - 1 others. Of what is no JSON it may say
 * either. */
bool cv_json_is_shallow(struct cv_span text, unsigned most);

#endif
