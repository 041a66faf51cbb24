#include "http/conditional.h"

#include "http/date.h"

/* Takes the entity tag that `in` begins with; *ret_weak: it is W/"...". False if there is none. */
static bool take_etag(struct cv_span *in, bool *ret_weak, struct cv_span *ret)
{
    struct cv_span left = *in;
    *ret_weak = left.len >= 2 && left.at[0] == 'W' && left.at[1] == '/';
    if (*ret_weak)
        left = cv_span(left.at + 2, left.len - 2);
    if (left.len < 2 || left.at[0] != '"')
        return false;
    const char *end = memchr(left.at + 1, '"', left.len - 1);
    if (end == NULL)
        return false;
    for (const char *at = left.at + 1; at < end; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    }
    *ret = cv_span(left.at, (size_t)(end - left.at) + 1);
    *in = cv_span(end + 1, left.len - ret->len);
    return true;
}

static void skip_blanks(struct cv_span *in)
{
    while (in->len > 0 && (*in->at == ' ' || *in->at == '\t'))
        *in = cv_span(in->at + 1, in->len - 1);
}

/* Whether the list holds `etag`, or is "*". What stands behind a malformed member is not read. */
static bool names(struct cv_span list, struct cv_span etag, bool strong)
{
    if (cv_span_eq(list, CV_SPAN("*")))
        return true;
    while (list.len > 0) {
        struct cv_span member;
        bool weak;
        skip_blanks(&list);
        if (list.len > 0 && *list.at == ',') {
            list = cv_span(list.at + 1, list.len - 1);
            continue;
        }
        if (!take_etag(&list, &weak, &member))
            return false;
        skip_blanks(&list);
        if (list.len > 0 && *list.at != ',')
            return false;
        if (cv_span_eq(member, etag) && !(weak && strong))
            return true;
    }
    return false;
}

/* Whether it has been modified since the field's date; `otherwise` if that is no date. */
static bool is_modified(struct cv_span field, int64_t modified, int64_t now, bool otherwise)
{
    int64_t date;
    return cv_date_read(field, now, &date) ? modified > date : otherwise;
}

int cv_conditions_check(const struct cv_conditions *conditions,
                        const struct cv_validators *validators, bool is_get_or_head, int64_t now)
{
    int64_t modified = validators->modified;
    if (conditions->if_match.at != NULL) {
        if (!names(conditions->if_match, validators->etag, true))
            return 412;
    } else if (conditions->if_unmodified_since.at != NULL) {
        if (is_modified(conditions->if_unmodified_since, modified, now, false))
            return 412;
    }
    if (conditions->if_none_match.at != NULL) {
        if (names(conditions->if_none_match, validators->etag, false))
            return is_get_or_head ? 304 : 412;
    } else if (is_get_or_head && conditions->if_modified_since.at != NULL) {
        if (!is_modified(conditions->if_modified_since, modified, now, true))
            return 304;
    }
    return 0;
}

bool cv_conditions_allow_range(const struct cv_conditions *conditions,
                               const struct cv_validators *validators, int64_t now)
{
    struct cv_span field = conditions->if_range;
    struct cv_span etag;
    int64_t date;
    bool weak;
    if (field.at == NULL)
        return true;
    if (take_etag(&field, &weak, &etag))
        return !weak && field.len == 0 && cv_span_eq(etag, validators->etag);
    return cv_date_read(field, now, &date) && date == validators->modified && date < now;
}
