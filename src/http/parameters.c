#include "http/parameters.h"

struct cv_span cv_parameters_begin(struct cv_span field, struct cv_scan *ret_rest)
{
    *ret_rest = (struct cv_scan){field.at, field.at + field.len};
    cv_scan_blanks(ret_rest);
    const char *from = ret_rest->at;
    const char *to = from;
    for (; ret_rest->at < ret_rest->end && *ret_rest->at != ';'; ret_rest->at++) {
        if (*ret_rest->at != ' ' && *ret_rest->at != '\t')
            to = ret_rest->at + 1;
    }
    return cv_span(from, (size_t)(to - from));
}

static bool take_value(struct cv_scan *rest, struct cv_parameter *ret)
{
    ret->quoted = cv_scan_take(rest, '"');
    if (!ret->quoted) {
        ret->value = cv_scan_token(rest);
        return ret->value.len > 0;
    }
    const char *from = rest->at;
    if (!cv_scan_quoted(rest))
        return false;
    ret->value = cv_span(from, (size_t)(rest->at - from) - 1);
    return true;
}

int cv_parameter_next(struct cv_scan *rest, struct cv_parameter *ret)
{
    cv_scan_blanks(rest);
    while (rest->at < rest->end) {
        if (!cv_scan_take(rest, ';'))
            return -400;
        cv_scan_blanks(rest);
        ret->name = cv_scan_token(rest);
        if (ret->name.len > 0)
            return cv_scan_take(rest, '=') && take_value(rest, ret) ? 1 : -400;
    }
    return 0;
}

bool cv_parameter_find(struct cv_span field, struct cv_span name, struct cv_parameter *ret)
{
    struct cv_scan rest;
    struct cv_parameter parameter;
    int rc;
    *ret = (struct cv_parameter){.value = {NULL, 0}};
    (void)cv_parameters_begin(field, &rest);
    while ((rc = cv_parameter_next(&rest, &parameter)) == 1) {
        if (!cv_span_ieq(parameter.name, name))
            continue;
        if (ret->value.at != NULL)
            return false;
        *ret = parameter;
    }
    return rc == 0;
}
