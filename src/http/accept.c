/* Which format a client prefers, by its Accept field (declared in text.h). */
#include "base/macros.h"
#include "http/chars.h"
#include "http/scan.h"
#include "http/text.h"

/* One media range: "text/html;level=1;q=0.5" (parameters but q are read over). */
struct range {
    struct cv_span type;
    struct cv_span subtype;
    int weight; /* q in thousandths */
};

/* How well the client takes one format. */
struct rating {
    int weight;
    int specificity; /* 0: no range matches, 1: any type, 2: any subtype, 3: named */
    size_t order;    /* of the range in the field */
};

bool cv_weight_read(struct cv_span text, int *ret)
{
    if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.len > 1 && text.at[1] != '.'))
        return false;

    int weight = (text.at[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 2; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        weight += (text.at[i] - '0') * unit;
        unit /= 10;
    }
    *ret = weight;
    return weight <= 1000;
}

/* name=value, behind a semicolon; empty ones are allowed (RFC 9110, section 5.6.6). */
static bool take_parameter(struct cv_scan *in, struct range *range)
{
    cv_scan_blanks(in);
    struct cv_span name = cv_scan_token(in);
    if (name.len == 0)
        return true;
    if (!cv_scan_take(in, '='))
        return false;
    if (cv_scan_take(in, '"'))
        return cv_scan_quoted(in);
    struct cv_span value = cv_scan_token(in);
    if (cv_span_ieq(name, CV_SPAN("q")))
        return cv_weight_read(value, &range->weight);
    return value.len > 0;
}

static bool is_any(struct cv_span token)
{
    return token.len == 1 && *token.at == '*';
}

/* A range and the blanks behind it. */
static bool take_range(struct cv_scan *in, struct range *ret)
{
    ret->weight = 1000;
    ret->type = cv_scan_token(in);
    if (!cv_scan_take(in, '/'))
        return false;
    ret->subtype = cv_scan_token(in);
    if (ret->type.len == 0 || ret->subtype.len == 0 || (is_any(ret->type) && !is_any(ret->subtype)))
        return false;

    cv_scan_blanks(in);
    while (cv_scan_take(in, ';')) {
        if (!take_parameter(in, ret))
            return false;
        cv_scan_blanks(in);
    }
    return true;
}

/* A type takes its weight from the most specific range that matches it. Parameters that it may have
 * are not looked at. */
static void rate(struct rating *rating, const struct range *range, size_t order,
                 struct cv_span mime)
{
    struct cv_scan in = {mime.at, mime.at + mime.len};
    struct cv_span type = cv_scan_token(&in);
    struct cv_span subtype = cv_scan_take(&in, '/') ? cv_scan_token(&in) : cv_span(in.at, 0);
    int specificity = 0;

    if (is_any(range->type))
        specificity = 1;
    else if (cv_span_ieq(range->type, type) && is_any(range->subtype))
        specificity = 2;
    else if (cv_span_ieq(range->type, type) && cv_span_ieq(range->subtype, subtype))
        specificity = 3;
    if (specificity > rating->specificity)
        *rating = (struct rating){range->weight, specificity, order};
}

static bool is_better(const struct rating *a, const struct rating *b)
{
    if (a->weight != b->weight)
        return a->weight > b->weight;
    if (a->specificity != b->specificity)
        return a->specificity > b->specificity;
    return a->order < b->order;
}

/* Rates the types by each range of the field; false if it is malformed. Empty members are fine. */
static bool read_ranges(struct cv_span accept, const struct cv_span *types, size_t n,
                        struct rating *ratings)
{
    struct cv_scan in = {accept.at, accept.at + accept.len};

    for (size_t order = 0; in.at < in.end; order++) {
        struct range range;

        cv_scan_blanks(&in);
        if (in.at == in.end || cv_scan_take(&in, ','))
            continue;
        if (!take_range(&in, &range) || (in.at < in.end && !cv_scan_take(&in, ',')))
            return false;
        for (size_t i = 0; i < n; i++)
            rate(&ratings[i], &range, order, types[i]);
    }
    return true;
}

int cv_accept_weight(struct cv_span accept, struct cv_span type)
{
    struct rating rating = {0};
    return read_ranges(accept, &type, 1, &rating) ? rating.weight : 1000;
}

enum cv_format cv_accept_format(struct cv_span accept, enum cv_format otherwise)
{
    static const struct cv_span types[] = {[CV_FORMAT_TEXT] = {"text/plain", 10},
                                           [CV_FORMAT_HTML] = {"text/html", 9},
                                           [CV_FORMAT_JSON] = {"application/json", 16},
                                           [CV_FORMAT_PROBLEM] = {"application/problem+json", 24}};
    struct rating ratings[CV_COUNT(types)] = {0};

    if (accept.len == 0 || !read_ranges(accept, types, CV_COUNT(types), ratings))
        return otherwise;

    enum cv_format best = otherwise;
    for (enum cv_format i = CV_FORMAT_TEXT; i <= CV_FORMAT_PROBLEM; i++) {
        if (ratings[i].weight > 0 && is_better(&ratings[i], &ratings[best]))
            best = i;
    }
    return best;
}
