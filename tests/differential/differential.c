/* One reading of a request, whatever the pieces in which it comes, and the same as a second
 * reader's.
 *
 *     differential [MESSAGES [SEED [FILE-OR-FOLDER...]]]
 *
 * Reads each file, once as requests and once as a chunked body, then MESSAGES random requests
 * (generate.h). Of each:
 *
 *     whole against every split   cut in two at every byte, some also in three, and behind every
 *                                 byte: the same verdict (the same status, if it is refused), the
 *                                 same head, the same body, the same end. What is longer than
 *                                 SPLITS_MAX is cut at fewer places.
 *     against plain.c             what one of the two accepts, both accept, with the same meaning
 *     and again                   for the request behind it, if it was accepted
 *
 * Prints what was read, as a sum; a difference ends it, exit code 1, with the bytes as an escaped
 * text.
 */
#include "base/macros.h"
#include "fuzz/message.h"
#include "generate.h"
#include "plain.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define SPLITS_MAX 10000

static const struct cv_h1_limits usual = {8192, 4096, CV_H1_FIELDS_MAX};
static const struct cv_h1_limits tight = {120, 40, 4};

static struct {
    uint64_t requests, splits, accepted, bodies, incomplete, refused;
    uint64_t statuses[600];
} sums;

/* ---- What is reported ---- */

static void print_escaped(struct cv_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        if (c == '\r' || c == '\n')
            fputs(c == '\r' ? "\\r" : "\\n", stdout);
        else if (c < ' ' || c > '~' || c == '\\')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    putchar('\n');
}

static _Noreturn void differ(struct cv_span bytes, const char *what, size_t first, size_t second)
{
    printf("%s (cut at %zu, %zu of %zu):\n", what, first, second, bytes.len);
    print_escaped(bytes);
    exit(1);
}

static void count(const struct message *m)
{
    sums.requests++;
    if (m->rc == CV_H1_DONE) {
        sums.accepted++;
        sums.bodies += m->parser.head.has_body;
    } else if (m->rc == CV_H1_MORE) {
        sums.incomplete++;
    } else {
        sums.refused++;
        sums.statuses[-m->rc]++;
    }
}

static void print_sums(void)
{
    printf("%llu requests, each read in %llu ways: %llu accepted (%llu with a body), %llu "
           "incomplete, %llu refused",
           (unsigned long long)sums.requests,
           (unsigned long long)(sums.requests > 0 ? sums.splits / sums.requests : 0),
           (unsigned long long)sums.accepted, (unsigned long long)sums.bodies,
           (unsigned long long)sums.incomplete, (unsigned long long)sums.refused);
    for (size_t i = 0; i < CV_COUNT(sums.statuses); i++) {
        if (sums.statuses[i] > 0)
            printf(", %llu x %zu", (unsigned long long)sums.statuses[i], i);
    }
    putchar('\n');
}

/* ---- The checks ---- */

static void check_splits(const struct message *whole, const struct cv_h1_limits *limits,
                         struct cv_span bytes)
{
    size_t times = bytes.len / SPLITS_MAX;
    size_t step = 1 + times * times;

    if (step == 1 && !message_same_bytewise(whole, limits, bytes))
        differ(bytes, "behind every byte it is another one", 0, 0);
    for (size_t cut = 0; cut < bytes.len; cut += step) {
        size_t second = cut + (cut * 7919 + bytes.len) % (bytes.len - cut + 1);
        if (!message_same_when_cut(whole, limits, bytes, cut, cut))
            differ(bytes, "cut in two it is another one", cut, cut);
        if (cut % 4 == 0 && !message_same_when_cut(whole, limits, bytes, cut, second))
            differ(bytes, "cut in three it is another one", cut, second);
    }
    sums.splits += 2 + (bytes.len + bytes.len / 4) / step;
}

static bool same_span(const char *base, uint32_t at, uint32_t len, struct cv_span wanted)
{
    return cv_span_eq(cv_h1_span(base, at, len), wanted);
}

static bool same_head(const struct cv_h1_head *head, const char *base, const struct plain *p)
{
    return head->len == p->head_len &&
           same_span(base, head->method_at, head->method_len, p->method) &&
           same_span(base, head->target_at, head->target_len, p->target) &&
           same_span(base, head->path_at, head->path_len, p->path) &&
           same_span(base, head->query_at, head->query_len, p->query) && head->minor == p->minor &&
           head->n_fields == p->n_fields && head->keep_alive == p->keep_alive &&
           head->chunked == p->chunked && head->content_length == p->content_length &&
           head->expect_continue == p->expects;
}

static void check_plain(const struct message *m, const struct cv_h1_limits *limits,
                        struct cv_span bytes)
{
    struct plain p;
    plain_read(&p, limits, bytes);
    if (m->has_head != (p.head == ACCEPTED) || (m->rc == CV_H1_DONE) != (p.all == ACCEPTED))
        differ(bytes, "only one of two readers accepts it", 0, 0);
    if (m->rc == CV_H1_MORE && p.all == REFUSED)
        differ(bytes, "it waits for more of what is wrong already", 0, 0);
    if (m->has_head && !same_head(&m->parser.head, bytes.at, &p))
        differ(bytes, "two readers do not understand the same head", 0, 0);
    if (p.all == ACCEPTED && (m->used != p.used || m->body_len != p.body_len ||
                              memcmp(m->body, p.body, p.body_len) != 0))
        differ(bytes, "two readers do not understand the same body", 0, 0);
    free(p.body);
}

/* Of as many requests as there are one behind the other. */
static void check(const struct cv_h1_limits *limits, struct cv_span bytes)
{
    bool more = bytes.len > 0;
    while (more) {
        struct message whole;
        message_init(&whole, bytes.len);
        message_feed(&whole, limits, bytes.at, bytes.len);
        count(&whole);
        check_splits(&whole, limits, bytes);
        check_plain(&whole, limits, bytes);
        more = whole.rc == CV_H1_DONE && whole.used < bytes.len;
        bytes = cv_span(bytes.at + (more ? whole.used : 0), bytes.len - (more ? whole.used : 0));
        message_done(&whole);
    }
}

/* ---- Where messages come from ---- */

static void check_file(const char *path, size_t size)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const size_t head_len = sizeof(head) - 1;
    char *bytes = malloc(head_len + size + 1);
    FILE *file = fopen(path, "rb");
    if (bytes == NULL || file == NULL || fread(bytes + head_len, 1, size, file) != size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    memcpy(bytes, head, head_len);
    check(&usual, cv_span(bytes + head_len, size));
    check(&tight, cv_span(bytes + head_len, size));
    check(&usual, cv_span(bytes, head_len + size));
    free(bytes);
}

static void check_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return; /* a corpus that is not there has no files */
    if (!S_ISDIR(st.st_mode)) {
        check_file(path, (size_t)st.st_size);
        return;
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        exit(2);
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inside[4096];
        snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            check_path(inside);
    }
    closedir(folder);
}

static void check_random(uint64_t messages, uint64_t seed)
{
    char bytes[GENERATE_MAX];
    for (uint64_t i = 0; i < messages; i++) {
        size_t len = generate(seed + i, bytes);
        check(i % 4 == 3 ? &tight : &usual, cv_span(bytes, len));
    }
}

/* Random messages that were all refused, or all fine, would show little. */
static bool is_varied(void)
{
    static const int statuses[] = {400, 414, 417, 431, 501, 505};
    for (size_t i = 0; i < CV_COUNT(statuses); i++) {
        if (sums.statuses[statuses[i]] == 0)
            return false;
    }
    return sums.accepted > sums.requests / 5 && sums.bodies > sums.requests / 10 &&
           sums.incomplete > 0;
}

int main(int argc, char **argv)
{
    uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    for (int i = 3; i < argc; i++)
        check_path(argv[i]);
    if (argc > 3)
        print_sums();
    memset(&sums, 0, sizeof(sums));
    check_random(messages, seed);
    print_sums();
    if (messages >= 1000 && !is_varied()) {
        puts("these messages are not varied enough to show anything");
        return 1;
    }
    return 0;
}
