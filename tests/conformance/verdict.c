/* What covey makes of bytes: reads standard input as requests and prints a line for each.
 *
 *     accepted METHOD TARGET BODY-LENGTH [close]
 *     refused STATUS            and reads no further
 *     incomplete                at the end of the input, within a head or body
 *
 * Empty lines at the end are nothing.
 */
#include "fuzz/message.h"

#include <stdio.h>

static const struct cv_h1_limits limits = {8192, 4096, CV_H1_FIELDS_MAX};

/* Prints the verdict on the first request of `bytes`: how long it is, 0 if nothing more is to be
 * read. */
static size_t judge(struct cv_span bytes)
{
    struct message m;
    message_init(&m, bytes.len);
    message_feed(&m, &limits, bytes.at, bytes.len);
    const struct cv_h1_head *head = &m.parser.head;
    if (m.rc < 0)
        printf("refused %d\n", -m.rc);
    else if (m.rc == CV_H1_DONE)
        printf("accepted %.*s %.*s %zu%s\n", (int)head->method_len, bytes.at + head->method_at,
               (int)head->target_len, bytes.at + head->target_at, m.body_len,
               head->keep_alive ? "" : " close");
    else if (strspn(bytes.at, "\r\n") < bytes.len) /* a NUL follows */
        printf("incomplete\n");
    size_t used = m.rc == CV_H1_DONE && head->keep_alive ? m.used : 0;
    message_done(&m);
    return used;
}

int main(void)
{
    static char bytes[(1 << 20) + 1];
    size_t len = fread(bytes, 1, sizeof(bytes) - 1, stdin);
    size_t at = 0;
    while (at < len) {
        size_t used = judge(cv_span(bytes + at, len - at));
        if (used == 0)
            break;
        at += used;
    }
    return 0;
}
