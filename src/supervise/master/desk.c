#include "supervise/master/desk.h"

#include "base/clock.h"
#include "supervise/log/words.h"

#include <errno.h>
#include <stdio.h>

/* In one turn, so that clients keep the master from nothing. */
#define COMMANDS_MAX 32

/* So many failures in a row, and not ready: one that does not start. The first is tried again at
 * once and may be chance. */
#define STRUGGLES_AFTER 2

int cv_desk_open(struct cv_desk *desk, int listener)
{
    desk->opened_at = cv_clock_ns();
    return cv_control_start(&desk->control, listener);
}

int cv_desk_resume(struct cv_desk *desk, int listener)
{
    return cv_control_resume(&desk->control, listener);
}

void cv_desk_close(struct cv_desk *desk)
{
    cv_control_done(&desk->control);
}

/* ---- Commands ---- */

static void refuse(struct cv_control_client *client, const char *sentence)
{
    cv_control_answer(client, false, sentence);
}

static void scale(struct cv_desk *desk, struct cv_control_client *client, uint32_t number)
{
    unsigned most = desk->crew->capacity - 1;
    if (number < 1 || number > most) {
        char sentence[80];
        (void)snprintf(sentence, sizeof(sentence), "there can be 1 to %u workers, not %u", most,
                       number);
        refuse(client, sentence);
        return;
    }
    client->wait = (struct cv_control_wait){.command = CV_CONTROL_SCALE, .number = number};
    int by = (int)number - (int)cv_fleet_wanted(desk->fleet);
    if (by != 0)
        desk->feed(desk->arg, &(struct cv_fleet_event){.kind = CV_FLEET_SCALE, .by = by});
}

/* One that is asked while another runs becomes the next one: it has the next number either way. */
static void reload(struct cv_desk *desk, struct cv_control_client *client,
                   enum cv_control_command command)
{
    client->wait = (struct cv_control_wait){.command = command,
                                            .number = cv_fleet_newest_generation(desk->fleet) + 1,
                                            .refusals = desk->refusals};
    if (command == CV_CONTROL_UPGRADE)
        desk->upgrade(desk->arg);
    else
        desk->reload(desk->arg);
}

/* What asks a process in this state to make room for another, if anything does. */
static bool leave_event(enum cv_slot_state state, enum cv_slot_event *ret)
{
    switch (state) {
    case CV_SLOT_READY: *ret = CV_ON_SPENT; return true;
    case CV_SLOT_SPAWNING:
    case CV_SLOT_HELD:
    case CV_SLOT_STARTING: *ret = CV_ON_RETIRE; return true;
    case CV_SLOT_EMPTY:
    case CV_SLOT_WAITING:
    case CV_SLOT_DRAINING:
    case CV_SLOT_STOPPING:
    case CV_SLOT_DUMPING:
    case CV_SLOT_KILLING:
    case CV_SLOT_LOST:
    case CV_SLOT_STATE_COUNT: break;
    }
    return false;
}

static void restart(struct cv_desk *desk, struct cv_control_client *client, uint32_t number)
{
    unsigned capacity = desk->crew->capacity;
    unsigned slot = number == CV_CONTROL_MAIN ? capacity : number;
    bool is_known = slot < desk->crew->slots.count;
    enum cv_slot_state state = is_known ? cv_fleet_slot_state(desk->fleet, slot) : CV_SLOT_EMPTY;
    enum cv_slot_event event;
    if (leave_event(state, &event)) {
        if (cv_fleet_kind(&desk->how->fleet, slot) != CV_KIND_WORKER && event == CV_ON_SPENT)
            event = CV_ON_LEAVING; /* there can be no second one beside it */
        client->wait = (struct cv_control_wait){.command = CV_CONTROL_RESTART,
                                                .number = slot,
                                                .kind = cv_fleet_kind(&desk->how->fleet, slot),
                                                .start = desk->crew->members[slot].starts};
        desk->feed(desk->arg,
                   &(struct cv_fleet_event){.kind = CV_FLEET_SLOT, .slot = slot, .what = event});
        return;
    }
    char sentence[96];
    const char *why = state == CV_SLOT_EMPTY     ? "does not exist"
                      : state == CV_SLOT_WAITING ? "does not run; it will be started"
                                                 : "is going already";
    if (is_known)
        (void)snprintf(sentence, sizeof(sentence), "%s %s", cv_crew_who(desk->crew, slot), why);
    else
        (void)snprintf(sentence, sizeof(sentence), "worker %u %s", number, why);
    refuse(client, sentence);
}

static void stop(struct cv_desk *desk, struct cv_control_client *client, uint32_t number)
{
    client->wait = (struct cv_control_wait){.command = CV_CONTROL_STOP};
    desk->feed(desk->arg, &(struct cv_fleet_event){.kind = CV_FLEET_ASK_STOP,
                                                   .stop = (enum cv_fleet_stop)number});
}

static void reopen_logs(struct cv_desk *desk, struct cv_control_client *client)
{
    char reason[512];
    if (desk->reopen(desk->arg, reason, sizeof(reason)) < 0) {
        refuse(client, reason);
        return;
    }
    client->wait = (struct cv_control_wait){.command = CV_CONTROL_LOGS, .number = desk->crew->logs};
}

static void carry_out(struct cv_desk *desk, struct cv_control_client *client,
                      const struct cv_control_request *request)
{
    bool is_question =
        request->command == CV_CONTROL_STATUS || request->command == CV_CONTROL_METRICS;
    if (cv_fleet_is_stopping(desk->fleet) && !is_question && request->command != CV_CONTROL_STOP) {
        refuse(client, "the server is stopping");
        return;
    }
    switch (request->command) {
    case CV_CONTROL_STATUS:
    case CV_CONTROL_METRICS:
        (void)cv_desk_tell(desk, request->command, client->fd, 0);
        cv_control_drop(client);
        break;
    case CV_CONTROL_SCALE: scale(desk, client, request->number); break;
    case CV_CONTROL_RELOAD:
    case CV_CONTROL_UPGRADE: reload(desk, client, request->command); break;
    case CV_CONTROL_RESTART: restart(desk, client, request->number); break;
    case CV_CONTROL_STOP: stop(desk, client, request->number); break;
    case CV_CONTROL_LOGS: reopen_logs(desk, client); break;
    }
}

void cv_desk_work(struct cv_desk *desk)
{
    struct cv_control_request request;
    struct cv_control_client *client;
    for (int i = 0; i < COMMANDS_MAX && cv_control_next(&desk->control, &request, &client); i++)
        carry_out(desk, client, &request);
}

/* ---- Results ---- */

/* The worker's own words, if it had any before it ended. */
static void note_why(struct cv_desk *desk, unsigned slot)
{
    const char *reason = desk->crew->last_reason;
    struct cv_how end = cv_words_exit(desk->crew->members[slot].last_exit);
    (void)snprintf(desk->why, sizeof(desk->why),
                   "%s of the new generation did not get ready: %s; the old one stays",
                   cv_crew_who(desk->crew, slot), reason[0] != '\0' ? reason : end.text);
}

void cv_desk_hear(struct cv_desk *desk, const struct cv_action *said)
{
    if (said->say == CV_SAY_RELOADED) {
        desk->reloaded = (uint32_t)said->value;
    } else if (said->say == CV_SAY_RELOAD_FAILED) {
        desk->reload_failed = (uint32_t)said->value;
        note_why(desk, said->slot);
    }
}

void cv_desk_not_reloaded(struct cv_desk *desk, const char *why)
{
    desk->refusals++;
    (void)snprintf(desk->why, sizeof(desk->why), "%s", why);
}

static bool does_struggle(const struct cv_desk *desk, unsigned slot)
{
    enum cv_slot_state state = cv_fleet_slot_state(desk->fleet, slot);
    return state != CV_SLOT_EMPTY && state != CV_SLOT_READY && state != CV_SLOT_LOST &&
           cv_fleet_slot_failures(desk->fleet, slot) >= STRUGGLES_AFTER;
}

static int find_struggling(const struct cv_desk *desk)
{
    for (unsigned i = 0; i < desk->crew->capacity; i++)
        if (does_struggle(desk, i))
            return (int)i;
    return -1;
}

/* Those who start and those who go take the files too, but nobody waits for them. */
static void add_logs(const struct cv_desk *desk, struct cv_control_facts *facts)
{
    const struct cv_crew *crew = desk->crew;
    facts->logs = crew->guardian_logs;
    facts->keeps_logs = crew->guardian_keeps_logs ? "the guardian" : NULL;
    for (unsigned i = 0; i < crew->slots.count; i++) {
        const struct cv_member *member = &crew->members[i];
        if (cv_fleet_slot_state(desk->fleet, i) != CV_SLOT_READY)
            continue;
        if (member->logs < facts->logs)
            facts->logs = member->logs;
        if (member->keeps_logs)
            facts->keeps_logs = member->who.text;
    }
}

static struct cv_control_facts facts_of(const struct cv_desk *desk)
{
    struct cv_control_facts facts = {.is_stopping = cv_fleet_is_stopping(desk->fleet),
                                     .wanted = cv_fleet_wanted(desk->fleet),
                                     .ready = cv_fleet_ready(desk->fleet),
                                     .struggling = find_struggling(desk),
                                     .reloaded = desk->reloaded,
                                     .reload_failed = desk->reload_failed,
                                     .refusals = desk->refusals,
                                     .why = desk->why};
    add_logs(desk, &facts);
    return facts;
}

/* What the facts say of the one slot that a RESTART is about. */
static void add_subject(const struct cv_desk *desk, const struct cv_control_wait *wait,
                        struct cv_control_facts *facts)
{
    if (wait->command != CV_CONTROL_RESTART)
        return;
    unsigned slot = wait->number;
    bool is_ready = cv_fleet_slot_state(desk->fleet, slot) == CV_SLOT_READY;
    facts->is_replaced = desk->crew->members[slot].starts != wait->start || !is_ready;
    facts->subject = cv_crew_who(desk->crew, slot);
    facts->is_subject_ready = is_ready;
    facts->does_subject_struggle = does_struggle(desk, slot);
}

static bool is_waiting(const struct cv_control_client *client)
{
    return client->fd >= 0 && client->wait.command != 0;
}

void cv_desk_settle(struct cv_desk *desk)
{
    struct cv_control *control = &desk->control;
    if (control->epoll < 0)
        return;
    struct cv_control_facts facts = {.struggling = -1};
    bool has_facts = false;
    for (int i = 0; i < CV_CONTROL_CLIENTS; i++) {
        struct cv_control_client *client = &control->client[i];
        if (!is_waiting(client))
            continue;
        if (!has_facts)
            facts = facts_of(desk);
        has_facts = true;
        add_subject(desk, &client->wait, &facts);
        char sentence[768];
        enum cv_control_verdict verdict =
            cv_control_judge(&client->wait, &facts, sentence, sizeof(sentence));
        if (verdict != CV_VERDICT_WAIT)
            cv_control_answer(client, verdict == CV_VERDICT_DONE, sentence);
    }
}
