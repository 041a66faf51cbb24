/* Names of signals. See signal_name.h. */
#include "app/hooks/signal_name.h"

#include "http/chars.h"

#include <string.h>

static const char *const own[] = {
#define NAME(name, text) text,
    CV_SIGNALS(NAME)
#undef NAME
};

_Static_assert(CV_COUNT(own) <= 32, "each has a bit");

static bool is_word(struct cv_span part)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.at[i];
        if (!cv_chars_is_letter(c) && !cv_chars_is_digit(c) && c != '_' && c != '-')
            return false;
    }
    return part.len > 0;
}

static bool is_parameter(struct cv_span part)
{
    if (cv_span_eq(part, CV_SPAN("*")))
        return true;
    return part.len > 2 && part.at[0] == '<' && part.at[part.len - 1] == '>' &&
           is_word(cv_span(part.at + 1, part.len - 2));
}

const char *cv_signal_name_parse(const char *text, struct cv_signal_name *ret)
{
    unsigned n = 0;
    *ret = (struct cv_signal_name){.fixed = cv_span_str(text)};
    for (const char *at = text;; n++) {
        struct cv_span part = {at, strcspn(at, ".")};
        ret->is_open = n == 2 && is_parameter(part);
        if (!ret->is_open && !is_word(part))
            return "its parts have letters, digits, \"-\" and \"_\"; the third may be a parameter, "
                   "<like_this>";
        if (ret->is_open)
            ret->fixed.len = (size_t)(at - text);
        at += part.len;
        if (*at++ == '\0')
            break;
    }
    return n == 0 || n == 2 ? NULL : "a name has one part, or three with dots in between";
}

const char *cv_signal_name_parse_heard(const char *text, struct cv_signal_name *ret)
{
    const char *fault = cv_signal_name_parse(text, ret);
    if (fault == NULL && cv_signal_name_is_own(ret) && cv_signal_name_own(ret) == 0)
        fault = "covey has no such signal, and server.*, http.* and websocket.* are its own";
    return fault;
}

bool cv_signal_name_fits(const struct cv_signal_name *name, const char *dispatched,
                         const char **ret_param)
{
    if (strncmp(dispatched, name->fixed.at, name->fixed.len) != 0)
        return false;
    const char *rest = dispatched + name->fixed.len;
    if (ret_param != NULL)
        *ret_param = name->is_open ? rest : NULL;
    return name->is_open ? *rest != '\0' && strchr(rest, '.') == NULL : *rest == '\0';
}

bool cv_signal_condition_fits(const char *given, const char *wanted, bool is_exclusive)
{
    if (given == NULL)
        return wanted == NULL || !is_exclusive;
    return wanted != NULL && strcmp(given, wanted) == 0;
}

bool cv_signal_name_is_own(const struct cv_signal_name *name)
{
    static const char *const reserved[] = {"server.", "http.", "websocket."};
    for (size_t i = 0; i < CV_COUNT(reserved); i++) {
        size_t len = strlen(reserved[i]);
        if (name->fixed.len >= len && memcmp(name->fixed.at, reserved[i], len) == 0)
            return true;
    }
    return false;
}

uint32_t cv_signal_name_own(const struct cv_signal_name *name)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < CV_COUNT(own); i++) {
        if (cv_signal_name_fits(name, own[i], NULL))
            bits |= UINT32_C(1) << i;
    }
    return bits;
}

const char *cv_signal_name_of(unsigned which)
{
    return own[which];
}
