/* Which content codings a client takes, by its Accept-Encoding field (declared in text.h). */
#include "http/text.h"

/* What stands before the first `separator`; moves `in` behind it. */
static struct cv_span take_until(struct cv_span *in, char separator)
{
    const char *end = memchr(in->at, separator, in->len);
    size_t len = end != NULL ? (size_t)(end - in->at) : in->len;
    struct cv_span piece = cv_span(in->at, len);
    size_t used = end != NULL ? len + 1 : len;
    *in = cv_span(in->at + used, in->len - used);
    return cv_trim(piece);
}

/* "gzip", "gzip;q=0.5". False if it is malformed. */
static bool read_member(struct cv_span member, struct cv_span *ret_coding, int *ret_weight)
{
    *ret_coding = take_until(&member, ';');
    member = cv_trim(member);
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

struct cv_span cv_coding_name(enum cv_coding coding)
{
    static const struct cv_span names[CV_CODING_COUNT] = {
        [CV_CODING_ZSTD] = {"zstd", 4},
        [CV_CODING_BROTLI] = {"br", 2},
        [CV_CODING_GZIP] = {"gzip", 4},
    };
    return names[coding];
}

/* "*" speaks of what is not encoded, too, but only a client that names it may prefer it. */
static int identity_weight(struct cv_span accept_encoding)
{
    int named = cv_coding_weight(accept_encoding, CV_SPAN("identity"));
    int others = cv_coding_weight(accept_encoding, CV_SPAN("*"));
    return named > others ? named : 0;
}

enum cv_coding cv_coding_choose(struct cv_span accept_encoding, unsigned have)
{
    enum cv_coding best = CV_CODING_NONE;
    int most = 0;
    for (enum cv_coding i = CV_CODING_NONE + 1; i < CV_CODING_COUNT; i++) {
        int weight =
            (have & 1u << i) != 0 ? cv_coding_weight(accept_encoding, cv_coding_name(i)) : 0;
        if (weight > most) {
            best = i;
            most = weight;
        }
    }
    return most >= identity_weight(accept_encoding) ? best : CV_CODING_NONE;
}
