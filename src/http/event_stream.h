/* Server-sent events: the text/event-stream format (HTML Standard, section 9.2.5). */
#ifndef CV_HTTP_EVENT_STREAM_H
#define CV_HTTP_EVENT_STREAM_H

#include "base/span.h"

#include <stdint.h>

struct cv_event_text {
    struct cv_span data; /* at NULL: none; each of its lines (LF, CR LF or CR) becomes a line */
    struct cv_span name; /* this and id: at NULL: none; one line each */
    struct cv_span id;
    int64_t retry; /* ms; < 0: none */
};

/* Whether name and id are what a line can hold: no CR, no LF, no NUL. */
bool cv_event_text_is_sound(const struct cv_event_text *event);

/* How many bytes the event has at most, and writing it: the length. The second needs a sound one.
 */
size_t cv_event_text_max(const struct cv_event_text *event);
size_t cv_event_text_write(const struct cv_event_text *event, char *to);

#endif
