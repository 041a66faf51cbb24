/* Fuzz target: what a browser says of another origin: Origin, the method and the fields that it
 * asks for, a line each. Nobody is let in who is not in the list, and what is repeated is what was
 * said. */
#include "http/cors.h"

#include "fuzz/target.h"
#include "http/chars.h"
#include "http/text.h"

#include <string.h>

/* The next line; at NULL: there is none. */
static struct cv_span next_line(struct cv_span *rest)
{
    if (rest->len == 0)
        return cv_span(NULL, 0);
    const char *end = memchr(rest->at, '\n', rest->len);
    struct cv_span line = {rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len};
    size_t used = line.len + (end != NULL);
    *rest = cv_span(rest->at + used, rest->len - used);
    return line;
}

static bool ends_in(struct cv_span text, struct cv_span tail)
{
    return text.len > tail.len &&
           cv_span_ieq(cv_span(text.at + text.len - tail.len, tail.len), tail);
}

/* The list below, as a plain look at the bytes has it. */
static bool is_let_in(struct cv_span origin)
{
    static const char scheme[] = "https://";
    size_t len = sizeof(scheme) - 1;
    if (cv_span_ieq(origin, CV_SPAN("https://a.example:8443")))
        return true;
    if (origin.len > CV_CORS_ORIGIN_MAX || origin.len < len ||
        !cv_span_ieq(cv_span(origin.at, len), CV_SPAN("https://")))
        return false;
    for (size_t i = len; i < origin.len; i++) {
        char c = origin.at[i];
        if (c == '\0' ||
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._", c) == NULL)
            return false;
    }
    return ends_in(cv_span(origin.at + len, origin.len - len), CV_SPAN(".b.example"));
}

static void check(const struct cv_cors *cors, const struct cv_cors_asked *asked)
{
    struct cv_cors_field fields[CV_CORS_FIELDS_MAX];
    bool is_in = cv_cors_lists(cors->origins, asked->origin);
    size_t n = cv_cors_fields(cors, asked, is_in, fields);
    CHECK(n <= CV_CORS_FIELDS_MAX);
    bool is_allowed = false;
    for (size_t i = 0; i < n; i++) {
        CHECK(fields[i].value.len > 0 && cv_is_token(fields[i].name));
        is_allowed |= cv_span_eq(fields[i].name, CV_SPAN("Access-Control-Allow-Origin"));
        bool is_said = fields[i].value.at == asked->origin.at ||
                       fields[i].value.at == asked->method.at ||
                       fields[i].value.at == asked->headers.at;
        for (size_t j = 0; is_said && j < fields[i].value.len; j++) /* no end of a line, no ':' */
            CHECK(cv_chars_is(fields[i].value.at[j], CV_CHAR_TOKEN) ||
                  strchr(" \t,:/[]", fields[i].value.at[j]) != NULL);
    }
    bool is_all = strcmp(cors->origins, "*") == 0;
    CHECK(is_allowed == (is_in || is_all));
    CHECK(is_all || (n > 0 && cv_span_eq(fields[0].name, CV_SPAN("Vary"))));
}

/* Whatever it is taken for as a list of origins, looking it up ends. */
static void check_as_list(struct cv_span text)
{
    char reason[256];
    char *list = malloc(text.len + 1);
    char *to = malloc(2 * text.len + 1);
    CHECK(list != NULL && to != NULL);
    if (text.len > 0)
        memcpy(list, text.at, text.len);
    list[text.len] = '\0';
    const struct cv_cors cors = {.origins = list, .credentials = true};
    int rc = cv_cors_check(&cors, reason, sizeof(reason));
    CHECK(rc == 0 || strlen(reason) > 0);
    CHECK(!(rc == 0 && cv_cors_lists(list, CV_SPAN("null"))));
    (void)cv_cors_lists(list, text);
    int64_t len = cv_cors_list(text, to);
    CHECK(len < 0 || (size_t)len <= 2 * text.len);
    free(to);
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cv_cors some = {.origins = "https://a.example:8443, https://*.b.example"};
    static const struct cv_cors all = {.origins = "*"};
    struct cv_span rest = cv_span(data, size);
    struct cv_cors_asked asked = {.is_options = true};

    asked.origin = next_line(&rest);
    asked.method = next_line(&rest);
    asked.headers = next_line(&rest);
    CHECK(asked.origin.at == NULL ||
          cv_cors_lists(some.origins, asked.origin) == is_let_in(asked.origin));
    check(&some, &asked);
    check(&all, &asked);
    asked.is_options = false;
    check(&some, &asked);
    check_as_list(cv_span(data, size));
    return 0;
}
