/* Intrusive doubly linked ring: the head is a link itself, a link out of any ring points to itself.
 */
#ifndef CV_BASE_LIST_H
#define CV_BASE_LIST_H

#include "base/macros.h"

#include <stdbool.h>

struct cv_link {
    struct cv_link *next;
    struct cv_link *prev;
};

static inline void cv_list_init(struct cv_link *link)
{
    link->next = link->prev = link;
}

static inline bool cv_list_empty(const struct cv_link *head)
{
    return head->next == head;
}

/* Appends at the end of the ring; `link` must be in none. */
static inline void cv_list_push(struct cv_link *head, struct cv_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Out of whatever ring it is in; harmless when it is in none, which is the case of most that end.
 */
static inline void cv_list_remove(struct cv_link *link)
{
    if (link->next == link)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    cv_list_init(link);
}

static inline struct cv_link *cv_list_pop(struct cv_link *head)
{
    struct cv_link *first = head->next;
    if (first == head)
        return NULL;
    cv_list_remove(first);
    return first;
}

/* Moves all links of `from` to `to`, which becomes a head; `from` is empty then. */
static inline void cv_list_move(struct cv_link *from, struct cv_link *to)
{
    cv_list_init(to);
    if (cv_list_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    cv_list_init(from);
}

/* Removing the current link inside the body is allowed with the _SAFE form only. */
#define CV_LIST_EACH(link, head)                                                                   \
    for (struct cv_link *link = (head)->next; link != (head); link = link->next)
#define CV_LIST_EACH_SAFE(link, head)                                                              \
    for (struct cv_link *link = (head)->next, *cv_next_ = link->next; link != (head);              \
         link = cv_next_, cv_next_ = link->next)

#endif
