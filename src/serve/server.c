#include "serve/server.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "serve/conn.h"
#include "serve/exchange.h"
#include "serve/inside.h"

/* So many connections fewer are worth giving their memory back. */
#define MANY 64

/* ---- Work that is left over ---- */

void cv_server_kick(struct cv_server *server)
{
    cv_loop_soon(server->loop, &server->kick);
}

static void free_dead(struct cv_server *server)
{
    struct cv_link *link;
    while ((link = cv_list_pop(&server->dead)) != NULL)
        free(CV_CONTAINER_OF(link, struct cv_conn, todo));
}

/* What connections have left behind lies between what others still use, and free() alone gives back
 * only the end of the heap. Looking through all of it takes some 0.3 ms for a megabyte, so that is
 * done once when many have gone. */
static void give_back_memory(struct cv_timer *timer)
{
    struct cv_server *server = CV_CONTAINER_OF(timer, struct cv_server, tidy);
    (void)malloc_trim(0);
    server->most = server->open;
}

static void look_who_has_gone(struct cv_server *server)
{
    bool are_many = server->most - server->open >= MANY && server->open <= server->most / 4;
    if (are_many && server->tidy.slot == 0)
        (void)!cv_timer_set(server->loop, &server->tidy, server->now + CV_SECOND);
}

/* Something that the host or the next flush has to see, for which no descriptor will wake. */
static bool has_work(const struct cv_server *server)
{
    return !cv_list_empty(&server->todo) || !cv_list_empty(&server->resume) ||
           !cv_list_empty(&server->events) || !cv_list_empty(&server->gone) ||
           cv_drain_is_due(server);
}

void cv_server_flush(struct cv_server *server)
{
    if (!server->kick.is_set)
        return;
    cv_server_clock(server, cv_clock_ns());
    server->preamble.is_fresh = false;
    struct cv_link dirty;
    cv_list_move(&server->todo, &dirty);
    struct cv_link *link;
    while ((link = cv_list_pop(&dirty)) != NULL)
        cv_conn_flush(CV_CONTAINER_OF(link, struct cv_conn, todo));
    cv_metrics_sent(server);
    free_dead(server);
    look_who_has_gone(server);
    if (!has_work(server))
        cv_loop_not_soon(&server->kick);
}

/* What the host has not flushed, and requests behind a full batch. */
static void kick_fires(struct cv_soon *kick)
{
    struct cv_server *server = CV_CONTAINER_OF(kick, struct cv_server, kick);
    cv_server_kick(server);
    cv_server_flush(server);
    struct cv_link resumed;
    cv_list_move(&server->resume, &resumed);
    struct cv_link *link;
    while ((link = cv_list_pop(&resumed)) != NULL)
        cv_conn_run(CV_CONTAINER_OF(link, struct cv_conn, resume));
}

/* While there is no event, goes on with the input of one connection after another. */
static void look_for_events(struct cv_server *server)
{
    struct cv_link *link;
    while (cv_list_empty(&server->events) && (link = cv_list_pop(&server->resume)) != NULL)
        cv_conn_run(CV_CONTAINER_OF(link, struct cv_conn, resume));
}

bool cv_server_next(struct cv_server *server, struct cv_event *ret)
{
    look_for_events(server);
    if (cv_exchange_next(server, ~0u, ret))
        return true;
    *ret = (struct cv_event){CV_EV_DRAINED, NULL};
    return cv_drain_take(server);
}

bool cv_server_next_request(struct cv_server *server, struct cv_exchange **ret)
{
    struct cv_event event;
    look_for_events(server);
    if (!cv_exchange_next(server, 1u << CV_EV_REQUEST, &event))
        return false;
    *ret = event.exchange;
    return true;
}

bool cv_server_next_gone(struct cv_server *server, uintptr_t *ret_conn)
{
    struct cv_link *link = cv_list_pop(&server->gone);
    if (link == NULL)
        return false;
    *ret_conn = (uintptr_t)CV_CONTAINER_OF(link, struct cv_conn, todo);
    cv_list_push(&server->dead, link);
    cv_server_kick(server);
    return true;
}

/* ---- Life ---- */

/* Of two times, of which either may be off. */
static int64_t shorter(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void take_limits(struct cv_limits *limits, const struct cv_limits *given)
{
    *limits = *given;
    limits->head_timeout = shorter(given->head_timeout, given->request_timeout);
    if (given->in_flight_max == 0)
        limits->in_flight_max = UINT32_MAX;
    if (given->bodies_memory <= 0)
        limits->bodies_memory = INT64_MAX;
}

static int init(struct cv_server *server, const struct cv_server_config *config)
{
    take_limits(&server->limits, &config->limits);
    server->keep_alive = config->keep_alive;
    server->disk = config->disk;
    server->load = config->load;
    server->arg = config->arg;
    server->now = cv_clock_ns();
    cv_list_init(&server->events);
    cv_list_init(&server->todo);
    cv_list_init(&server->resume);
    cv_list_init(&server->dead);
    cv_list_init(&server->gone);
    server->kick.fire = kick_fires;
    server->tidy.fire = give_back_memory;
    int rc = cv_metrics_init(server, &config->metrics);
    if (rc == 0)
        rc = cv_deadlines_init(server);
    if (rc == 0)
        rc = cv_cold_init(server);
    if (rc == 0)
        rc = cv_refusal_log_init(server);
    if (rc == 0)
        rc = cv_drain_init(server);
    if (rc == 0)
        rc = cv_access_log_init(server, config->access_log, config->access_ids);
    return rc == 0 ? cv_accept_init(server, config) : rc;
}

/* Fine on one whose init() has failed. */
static void done(struct cv_server *server)
{
    cv_accept_done(server);
    cv_access_log_done(server);
    cv_drain_done(server);
    cv_refusal_log_done(server);
    cv_cold_done(server);
    cv_deadlines_done(server);
    cv_loop_not_soon(&server->kick);
    cv_timer_stop(server->loop, &server->tidy);
    cv_pieces_done(&server->pieces);
    cv_metrics_done(server);
    free(server);
}

int cv_server_new(struct cv_loop *loop, const struct cv_server_config *config,
                  struct cv_server **ret)
{
    struct cv_server *server = malloc(sizeof(*server));
    if (server == NULL)
        return -ENOMEM;
    memset(server, 0, offsetof(struct cv_server, buffer));
    server->loop = loop;
    int rc = init(server, config);
    if (rc < 0) {
        done(server);
        return rc;
    }
    *ret = server;
    return 0;
}

int cv_server_start(struct cv_server *server)
{
    server->metrics.is_on = true;
    return cv_accept_start(server);
}

int cv_server_take(struct cv_server *server, int fd, const struct cv_peer *peer)
{
    cv_server_clock(server, cv_clock_ns());
    return cv_conn_open(server, fd, peer);
}

void cv_server_look(struct cv_server *server)
{
    cv_accept_look(server);
}

void cv_server_free(struct cv_server *server)
{
    if (server == NULL)
        return;
    cv_accept_stop(server);
    server->load = NULL;
    for (enum cv_due kind = CV_DUE_NONE; kind < CV_DUE_COUNT; kind++) {
        struct cv_link *list = &server->deadlines.lists[kind];
        while (!cv_list_empty(list))
            cv_conn_close(CV_CONTAINER_OF(list->next, struct cv_conn, due), CV_GONE_PEER);
    }
    for (uintptr_t unused; cv_server_next_gone(server, &unused);)
        continue;
    free_dead(server);
    /* Exchanges that the host still holds are told nothing more. */
    while (cv_list_pop(&server->events) != NULL)
        continue;
    done(server);
}

/* ---- Small things ---- */

void cv_server_count(struct cv_server *server, int change)
{
    server->open += (unsigned)change;
    if (server->open > server->most)
        server->most = server->open;
    if (server->load != NULL)
        server->load(server->arg, server->open);
}

unsigned cv_server_connections(const struct cv_server *server)
{
    return server->open;
}

unsigned cv_server_exchanges(const struct cv_server *server)
{
    return server->running;
}

uint64_t cv_server_requests(const struct cv_server *server)
{
    return server->requests;
}
