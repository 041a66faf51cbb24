/* Fuzz target: what answers are made of where an app passes on what a client has sent: cookies,
 * locations, events. Nothing of it may begin a line, or an attribute, of its own. */
#include "http/event_stream.h"
#include "http/set_cookie.h"
#include "http/text.h"

#include "fuzz/target.h"

#include <string.h>

/* The input's next piece, up to a '|'. */
static struct cv_span take(struct cv_span *in)
{
    const char *end = in->len > 0 ? memchr(in->at, '|', in->len) : NULL;
    struct cv_span piece = cv_span(in->at, end != NULL ? (size_t)(end - in->at) : in->len);
    size_t used = end != NULL ? piece.len + 1 : piece.len;
    *in = cv_span(in->at + used, in->len - used);
    return piece;
}

static size_t count(struct cv_span text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == c;
    return n;
}

static void check_cookie(struct cv_span in, uint8_t flags)
{
    struct cv_set_cookie cookie = {.name = take(&in), .value = take(&in)};
    cookie.path = take(&in);
    cookie.domain = take(&in);
    cookie.same_site = take(&in);
    cookie.secure = flags & 1;
    cookie.http_only = flags & 2;
    cookie.partitioned = flags & 4;
    cookie.is_over = flags & 8;
    cookie.max_age = flags;
    if (cv_set_cookie_check(&cookie) != NULL)
        return;

    char *text = malloc(CV_SET_COOKIE_MAX);
    CHECK(text != NULL);
    struct cv_span field = cv_span(text, cv_set_cookie_write(&cookie, text));
    size_t attributes = (cookie.path.len > 0) + (cookie.domain.len > 0) +
                        (cookie.same_site.len > 0) + cookie.secure + cookie.http_only +
                        cookie.partitioned + (cookie.is_over ? 2 : cookie.max_age > 0);
    CHECK(field.len <= CV_SET_COOKIE_MAX && cv_is_field_value(field));
    CHECK(count(field, ';') == attributes);
    CHECK(memcmp(field.at, cookie.name.at, cookie.name.len) == 0);
    CHECK(field.at[cookie.name.len] == '=');
    CHECK(cv_set_cookie_is_same(field, field));
    free(text);
}

static void check_location(struct cv_span in)
{
    char *text = malloc(3 * in.len + 1);
    CHECK(text != NULL);
    struct cv_span once = cv_span(text, cv_uri_escape(in, text));
    CHECK(once.len >= in.len && once.len <= 3 * in.len);
    for (size_t i = 0; i < once.len; i++)
        CHECK(once.at[i] > 0x20 && once.at[i] < 0x7f && strchr("\"\\<>^`{|}", once.at[i]) == NULL);
    char *again = malloc(3 * once.len + 1);
    CHECK(again != NULL);
    CHECK(cv_span_eq(once, cv_span(again, cv_uri_escape(once, again)))); /* '%' stays */
    CHECK(cv_percent_escape(in, text) >= once.len);
    free(again);
    free(text);
}

static void check_event(struct cv_span in, uint8_t flags)
{
    struct cv_event_text event = {.name = take(&in), .id = take(&in), .retry = flags};
    event.data = in;
    if (!cv_event_text_is_sound(&event))
        return;
    char *text = malloc(cv_event_text_max(&event));
    CHECK(text != NULL);
    size_t len = cv_event_text_write(&event, text);
    CHECK(len <= cv_event_text_max(&event));
    CHECK(len >= 2 && memcmp(text + len - 2, "\n\n", 2) == 0);
    /* One event: no empty line but the last, and no carriage return. */
    for (size_t i = 0; i + 2 < len; i++)
        CHECK(text[i] != '\r' && !(text[i] == '\n' && text[i + 1] == '\n'));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct cv_span in = cv_span(data + 1, size - 1);
    check_cookie(in, data[0]);
    check_location(in);
    check_event(in, data[0]);
    return 0;
}
