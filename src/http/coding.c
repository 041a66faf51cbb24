/* Which content codings a client takes, by its Accept-Encoding field (declared in text.h). */
#include "http/text.h"

static struct cv_span trim(struct cv_span text)
{
    while (text.len > 0 && (*text.at == ' ' || *text.at == '\t'))
        text = cv_span(text.at + 1, text.len - 1);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* What stands before the first `separator`; moves `in` behind it. */
static struct cv_span take_until(struct cv_span *in, char separator)
{
    const char *end = memchr(in->at, separator, in->len);
    size_t len = end != NULL ? (size_t)(end - in->at) : in->len;
    struct cv_span piece = cv_span(in->at, len);
    size_t used = end != NULL ? len + 1 : len;
    *in = cv_span(in->at + used, in->len - used);
    return trim(piece);
}

/* "gzip", "gzip;q=0.5". False if it is malformed. */
static bool read_member(struct cv_span member, struct cv_span *ret_coding, int *ret_weight)
{
    *ret_coding = take_until(&member, ';');
    member = trim(member);
    *ret_weight = 1000;
    if (member.len == 0)
        return true;
    return member.len > 2 && (member.at[0] == 'q' || member.at[0] == 'Q') && member.at[1] == '=' &&
           cv_weight_read(cv_span(member.at + 2, member.len - 2), ret_weight);
}

int cv_coding_weight(struct cv_span accept_encoding, struct cv_span coding)
{
    int any = 0;
    while (accept_encoding.len > 0) {
        struct cv_span member = take_until(&accept_encoding, ',');
        struct cv_span name;
        int weight;
        if (member.len == 0)
            continue;
        if (!read_member(member, &name, &weight))
            return 0;
        if (cv_span_ieq(name, coding))
            return weight;
        if (cv_span_eq(name, CV_SPAN("*")))
            any = weight;
    }
    return any;
}
