/* Fuzz target: fields of requests, each over the whole input: cookies, credentials, Forwarded,
 * Content-Type, Host. What is found lies inside, and reading on ends. */
#include "app/routing/host.h"
#include "http/base64.h"
#include "http/cookie.h"
#include "http/credentials.h"
#include "http/forwarded.h"
#include "http/multipart.h"
#include "http/parameters.h"
#include "http/text.h"

#include "fuzz/target.h"

#include <string.h>

static bool is_inside(struct cv_span part, struct cv_span whole)
{
    return part.at >= whole.at && part.at + part.len <= whole.at + whole.len;
}

static void check_cookies(struct cv_span field, char *to)
{
    struct cv_span name, value;
    bool is_field = cv_cookie_is_field(field);
    for (size_t at = 0; cv_cookie_next(field, &at, &name, &value);) {
        CHECK(is_inside(name, field) && is_inside(value, field));
        CHECK(name.len > 0 ? cv_is_token(name) : value.len > 0);
        CHECK(memchr(value.at, ';', value.len) == NULL);
        CHECK(name.len > 0 || !is_field || memchr(value.at, '=', value.len) == NULL);
        CHECK(cv_cookie_unquote(value, to) <= value.len);
    }
}

static void check_credentials(struct cv_span field, char *to)
{
    struct cv_span scheme, token;
    const char *user, *password;
    if (cv_credentials_read(field, &scheme, &token))
        CHECK(cv_is_token(scheme) && is_inside(token, field));
    if (cv_basic_read(field, to, &user, &password))
        CHECK(strlen(user) + strlen(password) + 2 <= field.len);
    int64_t len = cv_base64_decode(field, to);
    CHECK(len == -400 || (len >= 0 && (uint64_t)len <= field.len / 4 * 3));
}

/* What an attacker has written in front is not looked at. */
static void check_in_front(struct cv_span field)
{
    static const char mine[] = ", for=a;secret=s";
    struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX];
    char *longer = malloc(field.len + sizeof(mine));
    CHECK(longer != NULL);
    if (field.len > 0)
        memcpy(longer, field.at, field.len);
    memcpy(longer + field.len, mine, sizeof(mine));
    CHECK(cv_forwarded_find(cv_span_str(mine), CV_SPAN("s"), pairs) == 2);
    CHECK(cv_forwarded_find(cv_span(longer, field.len + sizeof(mine) - 1), CV_SPAN("s"), pairs) ==
          2);
    CHECK(cv_span_eq(pairs[1].value, CV_SPAN("a")));
    free(longer);
}

static void check_forwarded(struct cv_span field, char *to)
{
    static const char *const names[] = {"for", "proto", "host", "port", "path", "other"};
    struct cv_forwarded_pair pairs[CV_FORWARDED_PAIRS_MAX];
    int n = cv_forwarded_find(field, CV_SPAN("s"), pairs);
    CHECK(n >= 0 && n <= CV_FORWARDED_PAIRS_MAX);
    for (int i = 0; i < n; i++)
        CHECK(cv_is_token(pairs[i].name) && is_inside(pairs[i].value, field));
    for (uint32_t i = 1; i < 4; i++) {
        struct cv_span member = cv_forwarded_member(field, i);
        CHECK(member.at == NULL || (member.len > 0 && is_inside(member, field)));
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (cv_forwarded_write(cv_span_str(names[i]), field, to))
            CHECK(memchr(to, '\0', field.len + 1) != NULL);
    }
    check_in_front(field);
}

/* One that is there is found as long as it is there once. */
static void check_content_type(struct cv_span field)
{
    static const char more[] = ";BOUNDARY=\"b\"";
    static struct cv_multipart m;
    struct cv_parameter found;
    char *longer = malloc(field.len + sizeof(more));
    CHECK(longer != NULL);
    if (field.len > 0)
        memcpy(longer, field.at, field.len);
    memcpy(longer + field.len, more, sizeof(more));
    struct cv_span twice = cv_span(longer, field.len + sizeof(more) - 1);

    bool is_sound = cv_parameter_find(field, CV_SPAN("boundary"), &found);
    bool has_one = is_sound && found.value.at != NULL;
    CHECK(!has_one || is_inside(found.value, field));
    CHECK(!has_one || !cv_parameter_find(twice, CV_SPAN("boundary"), &found));
    CHECK(!is_sound || has_one || cv_parameter_find(twice, CV_SPAN("boundary"), &found));
    if (cv_multipart_init(&m, field) == 0)
        CHECK(has_one && m.delimiter_len > 4 && m.delimiter_len <= 4 + CV_BOUNDARY_MAX);
    free(longer);
}

/* What is written is written the same again. */
static void check_host(struct cv_span field)
{
    char name[CV_HOST_MAX], again[CV_HOST_MAX];
    size_t len = cv_host_write(field, name);
    CHECK(len <= CV_HOST_MAX && len <= field.len);
    CHECK(is_inside(cv_host_name(field), field));
    if (len > 0 && name[len - 1] != '.' && cv_host_name(cv_span(name, len)).len == len)
        CHECK(cv_host_write(cv_span(name, len), again) == len && memcmp(name, again, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_span field = cv_span(data, size);
    char *to = malloc(size + 1);
    CHECK(to != NULL);
    check_cookies(field, to);
    check_credentials(field, to);
    check_forwarded(field, to);
    check_content_type(field);
    check_host(field);
    free(to);
    return 0;
}
