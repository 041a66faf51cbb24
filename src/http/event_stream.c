#include "http/event_stream.h"

#include "base/num.h"

/* What names of fields, line ends and a number need at most, but for the lines of the data. */
#define FRAME_MAX 64
#define LINE_MAX_MORE 7 /* "data: " and its line end */

static bool is_line(struct cv_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\r' || text.at[i] == '\n' || text.at[i] == '\0')
            return false;
    }
    return true;
}

bool cv_event_text_is_sound(const struct cv_event_text *event)
{
    return is_line(event->name) && is_line(event->id);
}

/* The next line of `in`, without its end; moves `in` behind that. *ret_more: another one follows,
 * which may be empty. */
static struct cv_span take_line(struct cv_span *in, bool *ret_more)
{
    size_t len = 0;
    while (len < in->len && in->at[len] != '\r' && in->at[len] != '\n')
        len++;
    struct cv_span line = cv_span(in->at, len);
    *ret_more = len < in->len;
    if (*ret_more) {
        bool is_pair = in->at[len] == '\r' && len + 1 < in->len && in->at[len + 1] == '\n';
        len += is_pair ? 2 : 1;
    }
    *in = cv_span(in->at + len, in->len - len);
    return line;
}

size_t cv_event_text_max(const struct cv_event_text *event)
{
    size_t lines = 1;
    for (size_t i = 0; i < event->data.len; i++)
        lines += event->data.at[i] == '\r' || event->data.at[i] == '\n';
    return FRAME_MAX + event->name.len + event->id.len + event->data.len + lines * LINE_MAX_MORE;
}

static char *put(char *to, struct cv_span text)
{
    if (text.len > 0)
        memcpy(to, text.at, text.len);
    return to + text.len;
}

static char *put_field(char *to, struct cv_span name, struct cv_span value)
{
    to = put(put(to, name), CV_SPAN(": "));
    return put(put(to, value), CV_SPAN("\n"));
}

size_t cv_event_text_write(const struct cv_event_text *event, char *to)
{
    char *at = to;
    if (event->name.at != NULL)
        at = put_field(at, CV_SPAN("event"), event->name);
    if (event->id.at != NULL)
        at = put_field(at, CV_SPAN("id"), event->id);
    if (event->retry >= 0) {
        char digits[20];
        size_t n = cv_num_write_u64(digits, (uint64_t)event->retry);
        at = put_field(at, CV_SPAN("retry"), cv_span(digits, n));
    }
    struct cv_span data = event->data;
    for (bool more = data.at != NULL; more;)
        at = put_field(at, CV_SPAN("data"), take_line(&data, &more));
    at = put(at, CV_SPAN("\n"));
    return (size_t)(at - to);
}
