/* Workers made by a template: orders, answers, and what becomes of a template that fails. See
 * inside.h. */
#include "supervise/master/inside.h"

#include "base/clock.h"
#include "base/exit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

static struct cv_template *template_at(struct master *master, unsigned i)
{
    return &master->crew.templates[i];
}

static void send_signal(const struct cv_template *template, int signal)
{
    if (template->pidfd < 0 || syscall(SYS_pidfd_send_signal, template->pidfd, signal, NULL, 0) < 0)
        (void)kill(template->pid, signal); /* our child, and not reaped yet */
}

/* Something is waited for from now on, or anew. */
static void wait_for(struct master *master, struct cv_template *template)
{
    template->waited_since = cv_clock_ns();
    template->deadline = template->waited_since + master->how->fleet.start_timeout;
}

/* ---- Orders ---- */

/* Nothing came of it. `exit` is how the template has ended, NULL if it has not. */
static void fail(struct master *master, unsigned slot, const struct cv_fleet_exit *exit, int error)
{
    cv_crew_withdraw(&master->crew, slot);
    cv_master_feed(
        master, &(struct cv_fleet_event){.kind = CV_FLEET_SLOT,
                                         .slot = slot,
                                         .what = CV_ON_SPAWN_FAILED,
                                         .error = error,
                                         .has_exit = exit != NULL,
                                         .exit = exit != NULL ? *exit : (struct cv_fleet_exit){0}});
}

/* Those who are tried again meanwhile have asked another. */
static void fail_all(struct master *master, uint32_t template, const struct cv_fleet_exit *exit,
                     int error)
{
    for (unsigned i = 0; i < master->crew.capacity; i++) {
        const struct cv_order *order = &master->crew.members[i].order;
        if (order->is_wanted && order->template == template)
            fail(master, i, exit, error);
    }
}

/* Ends it, whatever it is doing; who waits for it waits in vain. What it has made and not told of
 * carries a tag that nobody has, and is swept. */
static void drop(struct master *master, struct cv_template *template, int error)
{
    uint32_t incarnation = template->incarnation;
    send_signal(template, SIGKILL);
    cv_master_unwatch(master, template->channel);
    cv_crew_bury_template(&master->crew, template);
    master->strays_due = true;
    fail_all(master, incarnation, NULL, error);
}

static void send_order(struct master *master, struct cv_template *template, unsigned slot)
{
    int rc = cv_crew_order(&master->crew, master->how, master->run, slot,
                           cv_fleet_next_to_go(master->fleet), template);
    if (rc < 0) {
        cv_error("cannot start %s: %s", cv_crew_who(&master->crew, slot), strerror(-rc));
        fail(master, slot, NULL, rc);
        return;
    }
    if (template->orders++ == 0)
        wait_for(master, template);
}

static struct cv_template *find(struct master *master, uint32_t generation)
{
    for (unsigned i = 0; i < CV_CREW_GENERATIONS; i++)
        if (template_at(master, i)->pid != 0 && template_at(master, i)->generation == generation)
            return template_at(master, i);
    return NULL;
}

static int start(struct master *master, uint32_t generation, struct cv_template **ret)
{
    int rc = cv_crew_start_template(&master->crew, master->how, master->run, generation, ret);
    if (rc < 0)
        return rc;
    wait_for(master, *ret);
    unsigned at = (unsigned)(*ret - master->crew.templates);
    rc = cv_master_watch(master, (*ret)->channel,
                         cv_master_key(master->crew.slots.count + at, (*ret)->incarnation));
    if (rc < 0)
        drop(master, *ret, rc);
    return rc;
}

void cv_master_order(struct master *master, unsigned slot, uint32_t generation)
{
    struct cv_template *template = find(master, generation);
    int rc = template != NULL ? 0 : start(master, generation, &template);
    master->crew.members[slot].order =
        (struct cv_order){.is_wanted = true,
                          .generation = generation,
                          .template = rc == 0 ? template->incarnation : 0};
    if (rc < 0) {
        cv_error("the template cannot be started: %s", strerror(-rc));
        fail(master, slot, NULL, rc);
    } else if (template->is_up) {
        send_order(master, template, slot);
    }
}

/* ---- What it says ---- */

static void on_hello(struct master *master, struct cv_template *template,
                     const struct cv_message *message)
{
    const char *refusal = cv_master_refusal(master, message);
    if (refusal != NULL) {
        cv_error("the template is refused: %s", refusal);
        template->is_refused = true;
        send_signal(template, SIGKILL);
        return;
    }
    if (template->is_up)
        return;
    template->is_up = true;
    template->deadline = CV_NEVER;
    cv_debug("the template of generation %u is ready", template->generation);
    for (unsigned i = 0; i < master->crew.capacity && template->pid != 0; i++) {
        const struct cv_order *order = &master->crew.members[i].order;
        if (order->is_wanted && !order->is_sent && order->template == template->incarnation)
            send_order(master, template, i);
    }
}

static void on_made(struct master *master, struct cv_template *template,
                    const struct cv_message *message)
{
    unsigned slot = message->word[0];
    if (slot >= master->crew.capacity)
        return;
    struct cv_member *member = &master->crew.members[slot];
    bool is_its = member->order.template == template->incarnation;
    if (!is_its || !member->order.is_sent || member->order.incarnation != message->word[1])
        return; /* nonsense */
    template->orders--;
    template->deadline = CV_NEVER;
    if (template->orders > 0)
        wait_for(master, template);
    int rc = message->word[2] != 0 ? cv_crew_delivered(&master->crew, slot, (pid_t)message->word[2])
                                   : -(int)(message->word[3] % 4096);
    if (rc < 0) {
        cv_error("the template cannot make %s: %s", cv_crew_who(&master->crew, slot),
                 rc == -ESRCH ? "it is gone already" : strerror(-rc));
        fail(master, slot, NULL, rc);
        return;
    }
    cv_master_born(master, slot);
}

static void on_message(struct master *master, struct cv_template *template,
                       const struct cv_message *message)
{
    switch (message->kind) {
    case CV_MSG_HELLO: on_hello(master, template, message); break;
    case CV_MSG_MADE: on_made(master, template, message); break;
    case CV_MSG_FAILED:
        if (cv_crew_is_new_reason(&master->crew, cv_span(message->body, message->body_len)))
            cv_error("template: %.*s", (int)message->body_len, message->body);
        break;
    case CV_MSG_EXTEND: {
        int64_t longest = template->started_at + master->how->fleet.start_timeout_max;
        int64_t wish = cv_clock_ns() + message->word[0] * CV_MS;
        if (!template->is_up && !template->is_dumping && wish > template->deadline)
            template->deadline = wish < longest ? wish : longest;
        break;
    }
    default: break;
    }
}

void cv_master_on_template(struct master *master, unsigned i, uint32_t incarnation)
{
    static struct cv_message message;
    struct cv_template *template = template_at(master, i);
    int rc = -EAGAIN;
    while (template->pid != 0 && template->incarnation == incarnation &&
           (rc = cv_channel_receive(template->channel, &message)) == 1)
        on_message(master, template, &message);
    if (rc == -EBADMSG)
        send_signal(template, SIGKILL);
    if (rc <= 0 && rc != -EAGAIN)
        cv_master_unwatch(master, template->channel); /* its death follows */
}

/* ---- How it ends ---- */

bool cv_master_template_ended(struct master *master, pid_t pid, struct cv_fleet_exit exit)
{
    for (unsigned i = 0; i < CV_CREW_GENERATIONS; i++) {
        struct cv_template *template = template_at(master, i);
        if (template->pid != pid)
            continue;
        cv_master_on_template(master, i, template->incarnation); /* what it had still to say */
        if (template->pid != pid)
            return true;
        if (template->is_refused)
            exit = (struct cv_fleet_exit){.code = CV_EXIT_CONFIG};
        exit.by_us = template->is_dumping && exit.signaled && exit.code == SIGABRT;
        cv_error("the template of generation %u ended with %s", template->generation,
                 cv_words_exit(exit).text);
        uint32_t incarnation = template->incarnation;
        cv_master_unwatch(master, template->channel);
        cv_crew_bury_template(&master->crew, template);
        fail_all(master, incarnation, &exit, -ECHILD);
        return true;
    }
    return false;
}

int64_t cv_master_template_deadline(const struct master *master)
{
    int64_t next = CV_NEVER;
    for (unsigned i = 0; i < CV_CREW_GENERATIONS; i++) {
        const struct cv_template *template = &master->crew.templates[i];
        if (template->pid != 0 && template->deadline < next)
            next = template->deadline;
    }
    return next;
}

void cv_master_forgive_templates(struct master *master, int64_t gap)
{
    for (unsigned i = 0; i < CV_CREW_GENERATIONS; i++)
        if (template_at(master, i)->pid != 0 && template_at(master, i)->deadline != CV_NEVER)
            template_at(master, i)->deadline += gap;
}

static void on_late(struct master *master, struct cv_template *template, int64_t now)
{
    if (template->is_dumping) {
        drop(master, template, -ETIMEDOUT);
        return;
    }
    cv_error(
        "the template of generation %u has %s after %.1f s (START_TIMEOUT): it is to say where "
        "it is, and is then killed",
        template->generation, template->is_up ? "made no worker" : "not set the app up",
        (double)(now - template->waited_since) / 1e9);
    template->is_dumping = true;
    template->deadline = now + master->how->fleet.dump_timeout;
    send_signal(template, SIGABRT);
}

void cv_master_look_after_templates(struct master *master, int64_t now)
{
    bool is_over = cv_fleet_is_stopping(master->fleet); /* nothing is started any more */
    for (unsigned i = 0; i < CV_CREW_GENERATIONS; i++) {
        struct cv_template *template = template_at(master, i);
        if (template->pid != 0 && is_over)
            drop(master, template, -ECANCELED);
        else if (template->pid != 0 && template->deadline <= now)
            on_late(master, template, now);
    }
}

void cv_master_drop_template(struct master *master, uint32_t generation)
{
    struct cv_template *template = find(master, generation);
    if (template != NULL)
        drop(master, template, -ECANCELED);
}
