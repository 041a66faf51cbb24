#include "cli/tester/jar.h"

#include "base/num.h"
#include "http/date.h"
#include "http/text.h"

#include <errno.h>

struct cv_jar_cookie {
    struct cv_jar_cookie *next;
    char *name;
    char *value;
    char *path;
    int64_t until; /* INT64_MAX: for ever */
};

static void free_cookie(struct cv_jar_cookie *cookie)
{
    free(cookie->name);
    free(cookie->value);
    free(cookie->path);
    free(cookie);
}

void cv_jar_done(struct cv_jar *jar)
{
    while (jar->first != NULL) {
        struct cv_jar_cookie *cookie = jar->first;
        jar->first = cookie->next;
        free_cookie(cookie);
    }
}

static bool is_named(const struct cv_jar_cookie *cookie, const char *name)
{
    return strcmp(cookie->name, name) == 0;
}

void cv_jar_drop(struct cv_jar *jar, const char *name)
{
    struct cv_jar_cookie **at = &jar->first;
    while (*at != NULL) {
        struct cv_jar_cookie *cookie = *at;
        if (is_named(cookie, name)) {
            *at = cookie->next;
            free_cookie(cookie);
        } else {
            at = &cookie->next;
        }
    }
}

/* ---- Setting ---- */

/* Name and path tell cookies apart. */
static struct cv_jar_cookie **find_place(struct cv_jar *jar, const struct cv_jar_cookie *cookie)
{
    struct cv_jar_cookie **at = &jar->first;
    while (*at != NULL && (!is_named(*at, cookie->name) || strcmp((*at)->path, cookie->path) != 0))
        at = &(*at)->next;
    return at;
}

/* Takes the strings over. */
static int put(struct cv_jar *jar, char *name, char *value, char *path, int64_t until)
{
    struct cv_jar_cookie *cookie = malloc(sizeof(*cookie));
    if (cookie == NULL || name == NULL || value == NULL || path == NULL) {
        free(name);
        free(value);
        free(path);
        free(cookie);
        return -ENOMEM;
    }
    *cookie = (struct cv_jar_cookie){NULL, name, value, path, until};
    struct cv_jar_cookie **at = find_place(jar, cookie);
    if (*at != NULL) {
        struct cv_jar_cookie *old = *at;
        cookie->next = old->next;
        free_cookie(old);
    }
    *at = cookie;
    return 0;
}

static char *copy(struct cv_span text)
{
    return strndup(text.at, text.len);
}

int cv_jar_set(struct cv_jar *jar, const char *name, const char *value)
{
    cv_jar_drop(jar, name);
    return put(jar, copy(cv_span_str(name)), copy(cv_span_str(value)), copy(CV_SPAN("/")),
               INT64_MAX);
}

/* Splits "name=value" and the next ';' off. False: there is no '='. */
static bool next_pair(struct cv_span *rest, struct cv_span *ret_name, struct cv_span *ret_value)
{
    const char *end = memchr(rest->at, ';', rest->len);
    struct cv_span piece = cv_span(rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len);
    size_t used = piece.len + (end != NULL);
    const char *equals = piece.len > 0 ? memchr(piece.at, '=', piece.len) : NULL;
    size_t len = equals != NULL ? (size_t)(equals - piece.at) : piece.len;
    *ret_name = cv_trim(cv_span(piece.at, len));
    *ret_value = equals != NULL ? cv_trim(cv_span(equals + 1, piece.len - len - 1)) : CV_SPAN("");
    *rest = cv_span(rest->at + used, rest->len - used);
    return equals != NULL;
}

/* Up to the last slash (section 5.1.4). */
static struct cv_span folder_of(const char *path)
{
    size_t len = strcspn(path, "?");
    while (len > 1 && path[len - 1] != '/')
        len--;
    if (len > 1)
        len--;
    return len > 0 && path[0] == '/' ? cv_span(path, len) : CV_SPAN("/");
}

/* Max-Age wins over Expires, whichever comes first; *ret_until stays if it is neither. */
static void read_end(struct cv_span name, struct cv_span value, int64_t now, bool *has_age,
                     int64_t *ret_until)
{
    int64_t n = 0;
    if (cv_span_ieq(name, CV_SPAN("Max-Age")) && cv_num_i64(value, &n) == 0) {
        *has_age = true;
        *ret_until = n <= 0 ? now : n > INT64_MAX - now ? INT64_MAX : now + n;
    } else if (cv_span_ieq(name, CV_SPAN("Expires")) && !*has_age && cv_date_read(value, now, &n)) {
        *ret_until = n;
    }
}

int cv_jar_take(struct cv_jar *jar, const char *set_cookie, const char *path, int64_t now)
{
    struct cv_span rest = cv_span_str(set_cookie);
    struct cv_span folder = folder_of(path);
    int64_t until = INT64_MAX;
    bool has_age = false;
    struct cv_span name;
    struct cv_span value;
    struct cv_span key;
    struct cv_span word;
    if (!next_pair(&rest, &name, &value) || name.len == 0)
        return 0;
    while (rest.len > 0) {
        (void)next_pair(&rest, &key, &word);
        if (cv_span_ieq(key, CV_SPAN("Path")) && word.len > 0 && word.at[0] == '/')
            folder = word;
        read_end(key, word, now, &has_age, &until);
    }
    return put(jar, copy(name), copy(value), copy(folder), until);
}

/* ---- Sending ---- */

static bool lives(const struct cv_jar_cookie *cookie, int64_t now)
{
    return cookie->until > now;
}

/* Section 5.1.4. */
static bool is_for(const struct cv_jar_cookie *cookie, struct cv_span path)
{
    size_t len = strlen(cookie->path);
    bool begins = path.len >= len && memcmp(path.at, cookie->path, len) == 0;
    return begins && (path.len == len || cookie->path[len - 1] == '/' || path.at[len] == '/');
}

const char *cv_jar_find(const struct cv_jar *jar, const char *name, int64_t now)
{
    for (const struct cv_jar_cookie *at = jar->first; at != NULL; at = at->next) {
        if (is_named(at, name) && lives(at, now))
            return at->value;
    }
    return NULL;
}

int cv_jar_write(const struct cv_jar *jar, const char *path, int64_t now, struct cv_buf *to)
{
    struct cv_span asked = cv_span(path, strcspn(path, "?"));
    const char *between = "";
    int rc = 0;
    for (const struct cv_jar_cookie *at = jar->first; at != NULL && rc == 0; at = at->next) {
        if (!lives(at, now) || !is_for(at, asked))
            continue;
        rc = cv_buf_printf(to, "%s%s=%s", between, at->name, at->value);
        between = "; ";
    }
    return rc;
}
