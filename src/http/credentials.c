#include "http/credentials.h"

#include "http/base64.h"
#include "http/scan.h"

bool cv_credentials_read(struct cv_span field, struct cv_span *ret_scheme,
                         struct cv_span *ret_token)
{
    struct cv_scan in = {field.at, field.at + field.len};
    *ret_scheme = cv_scan_token(&in);
    if (ret_scheme->len == 0 || (in.at < in.end && *in.at != ' '))
        return false;
    cv_scan_blanks(&in);
    *ret_token = cv_span(in.at, (size_t)(in.end - in.at));
    return true;
}

static bool has_controls(const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)at[i] < ' ' || at[i] == 0x7f)
            return true;
    }
    return false;
}

bool cv_basic_read(struct cv_span token, char *to, const char **ret_user, const char **ret_password)
{
    /* Less than it would be without the coding, so that there is room for the NUL. */
    int64_t len = cv_base64_decode(token, to);
    if (len <= 0 || has_controls(to, (size_t)len))
        return false;
    char *colon = memchr(to, ':', (size_t)len);
    if (colon == NULL)
        return false;
    *colon = '\0';
    to[len] = '\0';
    *ret_user = to;
    *ret_password = colon + 1;
    return true;
}
