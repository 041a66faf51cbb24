#include "serve/cold.h"

#include "base/clock.h"
#include "serve/conn.h"
#include "serve/file.h"
#include "serve/inside.h"

/* A fast disk has read a megabyte or two by then. */
#define LOOK_INTERVAL CV_MS

/* Connections that one look visits; the others have their turn at the next. */
#define LOOK_MAX 64

/* Asked for in one go, so that a disk does not change between many files all the time. */
#define AHEAD_BYTES ((size_t)2 << 20)

/* Files up to this size that were in memory a second ago are taken to be there still: with those
 * that are often wanted the question would cost one call more for each answer. */
#define SURE_BYTES ((size_t)256 << 10)
#define SURE_FOR CV_SECOND

static void look(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, cold.timer);
    struct cv_link *link;
    cv_server_clock(server, cv_loop_now(server->loop));
    for (int i = 0; i < LOOK_MAX && (link = cv_list_pop(&server->cold.waiting)) != NULL; i++)
        cv_conn_dirty(CV_CONTAINER_OF(link, struct cv_conn, todo));
    cv_timer_move(server->loop, &server->cold.timer,
                  cv_list_empty(&server->cold.waiting) ? CV_NEVER : server->now + LOOK_INTERVAL);
}

int cv_cold_init(struct cv_server *server)
{
    cv_list_init(&server->cold.waiting);
    server->cold.timer.fire = look;
    return cv_timer_set(server->loop, &server->cold.timer, CV_NEVER);
}

void cv_cold_done(struct cv_server *server)
{
    cv_timer_stop(server->loop, &server->cold.timer);
}

bool cv_cold_is(const struct cv_server *server, const struct cv_out_file *part, size_t len)
{
    struct cv_file *file = part->file;
    if (server->now < file->sure_until)
        return false;
    if (!cv_file_is_near(file, part->offset, len, AHEAD_BYTES))
        return true;
    if (file->id.size <= SURE_BYTES)
        file->sure_until = server->now + SURE_FOR;
    return false;
}

void cv_cold_wait(struct cv_conn *c)
{
    struct cv_server *server = c->server;
    if (!cv_list_empty(&c->todo))
        return;
    if (cv_list_empty(&server->cold.waiting))
        cv_timer_move(server->loop, &server->cold.timer, server->now + LOOK_INTERVAL);
    cv_list_push(&server->cold.waiting, &c->todo);
}
