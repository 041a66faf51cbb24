#include "http/part_head.h"

#include "http/parameters.h"
#include "http/text.h"

/* What has been found so far; at == NULL: has not come. */
struct found {
    struct cv_span disposition;
    struct cv_span type;
    struct cv_parameter name;
    struct cv_parameter filename;
    struct cv_parameter filename_star;
};

/* ---- Lines ---- */

static bool is_identity(struct cv_span coding)
{
    return cv_span_ieq(coding, CV_SPAN("7bit")) || cv_span_ieq(coding, CV_SPAN("8bit")) ||
           cv_span_ieq(coding, CV_SPAN("binary"));
}

static const char *take_field(struct found *found, struct cv_span name, struct cv_span value)
{
    struct cv_span *place = NULL;
    if (cv_span_ieq(name, CV_SPAN("Content-Disposition")))
        place = &found->disposition;
    else if (cv_span_ieq(name, CV_SPAN("Content-Type")))
        place = &found->type;
    else if (cv_span_ieq(name, CV_SPAN("Content-Transfer-Encoding")) && !is_identity(value))
        return "A part of the form has a Content-Transfer-Encoding, which forms must not have";
    if (place == NULL)
        return NULL;
    if (place->at != NULL)
        return "A part of the form has Content-Disposition or Content-Type twice";
    *place = value;
    return NULL;
}

static const char *take_lines(struct found *found, struct cv_span head)
{
    while (head.len > 0) {
        const char *end = memchr(head.at, '\n', head.len);
        size_t used = end != NULL ? (size_t)(end - head.at) + 1 : head.len;
        size_t len = end != NULL ? used - 2 : used; /* without CR LF */
        const char *colon = memchr(head.at, ':', len);
        size_t name_len = colon != NULL ? (size_t)(colon - head.at) : 0;
        struct cv_span name = cv_span(head.at, name_len);
        if (colon == NULL || !cv_is_token(name))
            return "The head of a part of the form has a line that is no field";
        struct cv_span value = cv_trim(cv_span(colon + 1, len - name_len - 1));
        if (!cv_is_field_value(value))
            return "The head of a part of the form has a control character";
        const char *wrong = take_field(found, name, value);
        if (wrong != NULL)
            return wrong;
        head = cv_span(head.at + used, head.len - used);
    }
    return NULL;
}

/* ---- Content-Disposition ---- */

static struct cv_parameter *place_of(struct found *found, struct cv_span name)
{
    if (cv_span_ieq(name, CV_SPAN("name")))
        return &found->name;
    if (cv_span_ieq(name, CV_SPAN("filename")))
        return &found->filename;
    return cv_span_ieq(name, CV_SPAN("filename*")) ? &found->filename_star : NULL;
}

static const char *take_disposition(struct found *found)
{
    struct cv_scan rest;
    struct cv_parameter parameter;
    int rc;

    if (found->disposition.at == NULL)
        return "A part of the form has no Content-Disposition";
    if (!cv_span_ieq(cv_parameters_begin(found->disposition, &rest), CV_SPAN("form-data")))
        return "A part of the form is not form-data";
    while ((rc = cv_parameter_next(&rest, &parameter)) == 1) {
        struct cv_parameter *place = place_of(found, parameter.name);
        if (place == NULL)
            continue;
        if (place->value.at != NULL)
            return "A part of the form has two names or two file names";
        *place = parameter;
    }
    if (rc < 0)
        return "A part of the form has a malformed Content-Disposition";
    return found->name.value.at == NULL ? "A part of the form has no name" : NULL;
}

/* ---- Values ---- */

/* The place of a value in the head, which may be written to. */
static char *place_in(char *head, struct cv_span value)
{
    return head + (value.at - head);
}

/* The byte that an escape of three stands for, as browsers write them (the HTML standard, section
 * 4.10.21.8); 0: it is none. Any other '%' is one. */
static char escaped(const char *at, const char *end)
{
    if (end - at < 3)
        return 0;
    struct cv_span escape = cv_span(at, 3);
    if (cv_span_eq(escape, CV_SPAN("%22")))
        return '"';
    if (cv_span_ieq(escape, CV_SPAN("%0D")))
        return '\r';
    return cv_span_ieq(escape, CV_SPAN("%0A")) ? '\n' : 0;
}

/* Takes escapes away and ends it with a NUL. A backslash escapes a quote or itself; any other is
 * one (old browsers sent whole Windows paths). */
static const char *unescape(char *head, const struct cv_parameter *parameter)
{
    char *to = place_in(head, parameter->value);
    const char *text = to;
    const char *at = parameter->value.at;
    const char *end = at + parameter->value.len;
    while (at < end) {
        char c = escaped(at, end);
        if (c != 0) {
            at += 3;
        } else {
            if (parameter->quoted && *at == '\\' && at + 1 < end && (at[1] == '"' || at[1] == '\\'))
                at++;
            c = *at++;
        }
        *to++ = c;
    }
    *to = '\0';
    return text;
}

/* UTF-8'language'percent-coded (RFC 8187), which some programs send though RFC 7578 forbids it.
 * NULL: it is no such value. */
static const char *decode_star(char *head, struct cv_span value)
{
    if (value.len < 6 || !cv_span_ieq(cv_span(value.at, 6), CV_SPAN("UTF-8'")))
        return NULL;
    const char *quote = memchr(value.at + 6, '\'', value.len - 6);
    if (quote == NULL)
        return NULL;
    size_t used = (size_t)(quote + 1 - value.at);
    struct cv_span coded = cv_span(quote + 1, value.len - used);
    char *to = place_in(head, coded);
    int64_t len = cv_percent_decode(coded, false, to);
    if (len < 0)
        return NULL;
    to[len] = '\0';
    return to;
}

/* What is left of a path that a client has sent (RFC 7578, section 4.2). */
static const char *without_folders(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '/' || *at == '\\')
            name = at + 1;
    }
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? "" : name;
}

const char *cv_part_head_read(char *head, size_t len, struct cv_part *ret)
{
    struct found found = {0};
    const char *wrong = take_lines(&found, cv_span(head, len));
    if (wrong == NULL)
        wrong = take_disposition(&found);
    if (wrong != NULL)
        return wrong;

    /* All has been looked at: from here on bytes may be written over. */
    *ret = (struct cv_part){.name = unescape(head, &found.name)};
    if (found.type.at != NULL) {
        place_in(head, found.type)[found.type.len] = '\0';
        ret->type = found.type.at;
    }
    if (found.filename.value.at != NULL)
        ret->filename = unescape(head, &found.filename);
    else if (found.filename_star.value.at != NULL)
        ret->filename = decode_star(head, found.filename_star.value);
    if (found.filename_star.value.at != NULL && ret->filename == NULL)
        return "A part of the form has a file name that cannot be decoded";
    if (ret->filename != NULL)
        ret->filename = without_folders(ret->filename);
    return NULL;
}
