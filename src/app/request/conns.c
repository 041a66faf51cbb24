/* What apps keep with connections. See conns.h. */
#include "app/request/conns.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

#define CAP_LEAST 64

/* Addresses of blocks of some hundred bytes: their lowest bits are alike. */
static struct cv_conn_ctx **list_of(const struct cv_conns *conns, uintptr_t conn)
{
    uint64_t hash = ((uint64_t)conn >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    return &conns->at[(hash >> 32) & (conns->cap - 1)];
}

static struct cv_conn_ctx **place_of(const struct cv_conns *conns, uintptr_t conn)
{
    struct cv_conn_ctx **place = list_of(conns, conn);
    while (*place != NULL && (*place)->conn != conn)
        place = &(*place)->next;
    return place;
}

struct cv_conn_ctx *cv_conns_find(const struct cv_conns *conns, uintptr_t conn)
{
    return conns->n > 0 ? *place_of(conns, conn) : NULL;
}

static int grow(struct cv_conns *conns)
{
    struct cv_conns more = {.cap = conns->cap == 0 ? CAP_LEAST : conns->cap * 2, .n = conns->n};
    more.at = calloc(more.cap, sizeof(struct cv_conn_ctx *));
    if (more.at == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < conns->cap; i++) {
        for (struct cv_conn_ctx *kept = conns->at[i], *next; kept != NULL; kept = next) {
            struct cv_conn_ctx **list = list_of(&more, kept->conn);
            next = kept->next;
            kept->next = *list;
            *list = kept;
        }
    }
    free(conns->at);
    *conns = more;
    return 0;
}

struct cv_conn_ctx *cv_conns_add(struct cv_conns *conns, uintptr_t conn)
{
    if (conns->n == conns->cap && grow(conns) < 0)
        return NULL;
    struct cv_conn_ctx *kept = malloc(sizeof(*kept));
    if (kept == NULL)
        return NULL;
    struct cv_conn_ctx **list = list_of(conns, conn);
    *kept = (struct cv_conn_ctx){.next = *list, .conn = conn, .refs = 1};
    *list = kept;
    conns->n++;
    return kept;
}

struct cv_conn_ctx *cv_conns_take(struct cv_conns *conns, uintptr_t conn)
{
    if (conns->n == 0)
        return NULL;
    struct cv_conn_ctx **place = place_of(conns, conn);
    struct cv_conn_ctx *kept = *place;
    if (kept == NULL)
        return NULL;
    *place = kept->next;
    conns->n--;
    return kept;
}

void cv_conn_ctx_set(struct cv_conn_ctx *kept, void *ctx, void (*release)(void *ctx))
{
    if (kept->release != NULL && kept->ctx != ctx)
        kept->release(kept->ctx);
    kept->ctx = ctx;
    kept->release = release;
}

void cv_conn_ctx_unref(struct cv_conn_ctx *kept)
{
    CV_ASSERT(kept->refs > 0);
    if (--kept->refs > 0)
        return;
    if (kept->release != NULL)
        kept->release(kept->ctx);
    free(kept);
}

void cv_conns_done(struct cv_conns *conns)
{
    for (size_t i = 0; i < conns->cap; i++) {
        for (struct cv_conn_ctx *kept = conns->at[i], *next; kept != NULL; kept = next) {
            next = kept->next;
            cv_conn_ctx_unref(kept);
        }
    }
    free(conns->at);
    *conns = (struct cv_conns){.at = NULL};
}
