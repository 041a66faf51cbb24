#include "supervise/policy/fleet_handover.h"

#include "base/assert.h"
#include "supervise/policy/policy.h"

#include <errno.h>
#include <string.h>

#define CAPACITY_MAX 16384

/* ---- What there is ---- */

static const char *state_word(unsigned value)
{
    return value < CV_SLOT_STATE_COUNT ? cv_slot_state_name((enum cv_slot_state)value) : NULL;
}

static const char *roll_word(unsigned value)
{
    static const char *const words[] = {[CV_ROLL_NONE] = "none",
                                        [CV_ROLL_FORWARD] = "forward",
                                        [CV_ROLL_BACK] = "back",
                                        [CV_ROLL_TAIL] = "tail"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

static const char *stop_word(unsigned value)
{
    static const char *const words[] = {[CV_STOP_TERM] = "term",
                                        [CV_STOP_INT] = "int",
                                        [CV_STOP_QUIT] = "quit",
                                        [CV_STOP_NOW] = "now"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

static const struct cv_handover_field fleet_fields[] = {
    CV_FIELD_LEFT(struct cv_fleet, config), /* of the new settings */
    CV_FIELD_LEFT(struct cv_fleet, rules),
    CV_FIELD(struct cv_fleet, now),
    CV_FIELD(struct cv_fleet, deadline),
    CV_FIELD_LEFT(struct cv_fleet, slots), /* sections of their own */
    CV_FIELD(struct cv_fleet, wanted),
    CV_FIELD(struct cv_fleet, current.number),
    CV_FIELD(struct cv_fleet, current.has_main),
    CV_FIELD(struct cv_fleet, other.number),
    CV_FIELD(struct cv_fleet, other.has_main),
    CV_FIELD_WORD(struct cv_fleet, roll, roll_word),
    CV_FIELD(struct cv_fleet, newest),
    CV_FIELD(struct cv_fleet, main_was_ready),
    CV_FIELD(struct cv_fleet, ever_ready),
    CV_FIELD(struct cv_fleet, serving_said),
    CV_FIELD(struct cv_fleet, finished),
    CV_FIELD(struct cv_fleet, random),
    CV_FIELD(struct cv_fleet, halt.asked),
    CV_FIELD_WORD(struct cv_fleet, halt.kind, stop_word),
    CV_FIELD(struct cv_fleet, halt.asked_at),
    CV_FIELD(struct cv_fleet, halt.drain_until),
    CV_FIELD(struct cv_fleet, halt.kill_at),
    CV_FIELD(struct cv_fleet, halt.serves),
    CV_FIELD(struct cv_fleet, halt.serve_until),
    CV_FIELD(struct cv_fleet, halt.code),
    CV_FIELD_LEFT(struct cv_fleet, brake.times), /* one field, see below, with these: */
    CV_FIELD_LEFT(struct cv_fleet, brake.size),
    CV_FIELD_LEFT(struct cv_fleet, brake.first),
    CV_FIELD_LEFT(struct cv_fleet, brake.count),
    CV_FIELD(struct cv_fleet, brake.since_ready),
    CV_FIELD(struct cv_fleet, brake.none_ready_since),
    CV_FIELD(struct cv_fleet, brake.degraded),
    CV_FIELD(struct cv_fleet, managed.coming.generation),
    CV_FIELD_LEFT(struct cv_fleet, managed.coming.n), /* sections of their own, and what follows */
    CV_FIELD_LEFT(struct cv_fleet, managed.coming.item),
    CV_FIELD(struct cv_fleet, managed.force.generation),
    CV_FIELD_LEFT(struct cv_fleet, managed.force.n),
    CV_FIELD_LEFT(struct cv_fleet, managed.force.item),
    CV_FIELD_LEFT(struct cv_fleet, managed.seats),
    CV_FIELD_LEFT(struct cv_fleet, actions), /* there are none */
};

static const struct cv_handover_field slot_fields[] = {
    CV_FIELD_WORD(struct cv_slot, state, state_word),
    CV_FIELD(struct cv_slot, going),
    CV_FIELD(struct cv_slot, spawn_asked),
    CV_FIELD(struct cv_slot, paused),
    CV_FIELD(struct cv_slot, boot_failed),
    CV_FIELD(struct cv_slot, spent),
    CV_FIELD(struct cv_slot, failures),
    CV_FIELD(struct cv_slot, generation),
    CV_FIELD(struct cv_slot, incarnation),
    CV_FIELD(struct cv_slot, deadline),
    CV_FIELD(struct cv_slot, paused_at),
    CV_FIELD(struct cv_slot, pause_deadline),
    CV_FIELD(struct cv_slot, drain_until),
    CV_FIELD(struct cv_slot, spawned_at),
    CV_FIELD(struct cv_slot, ready_since),
    CV_FIELD(struct cv_slot, asked_at),
};

static const char *restart_word(unsigned value)
{
    static const char *const words[] = {[CV_RESTART_ALWAYS] = "always",
                                        [CV_RESTART_ON_FAILURE] = "on failure",
                                        [CV_RESTART_NEVER] = "never"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

static const struct cv_handover_field spec_fields[] = {
    CV_FIELD_TEXT(struct cv_managed_spec, name),
    CV_FIELD(struct cv_managed_spec, processes),
    CV_FIELD_WORD(struct cv_managed_spec, restart, restart_word),
    CV_FIELD(struct cv_managed_spec, is_transient),
};

static const struct cv_handover_field seat_fields[] = {
    CV_FIELD_TEXT(struct cv_seat, name),
    CV_FIELD(struct cv_seat, index),
    CV_FIELD(struct cv_seat, is_done),
};

#define COMING "coming"
#define FORCE "force"

/* ---- Writing ---- */

/* The times of the last failures, the oldest first. */
static void export_failures(const struct cv_brake *brake, struct cv_handover *to)
{
    struct cv_buf times;
    cv_buf_init(&times, CV_HANDOVER_BYTES_MAX);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < brake->count; i++) {
        const int64_t *time = &brake->times[(brake->first + i) % brake->size];
        rc = cv_buf_append(&times, cv_span(time, sizeof(*time)));
    }
    if (rc == 0)
        cv_handover_put_bytes(to, "failures", cv_buf_span(&times));
    else if (to->error == 0)
        to->error = rc;
    cv_buf_done(&times);
}

/* As it was made. */
static bool is_untouched(const struct cv_slot *slot)
{
    return slot->state == CV_SLOT_EMPTY && slot->incarnation == 0;
}

static void export_list(const struct cv_managed_list *list, const char *name,
                        struct cv_handover *to)
{
    for (unsigned i = 0; i < list->n; i++) {
        cv_handover_section(to, name);
        cv_handover_put_fields(to, spec_fields, CV_COUNT(spec_fields), &list->item[i]);
    }
}

static void export_managed(const struct cv_fleet *fleet, struct cv_handover *to)
{
    export_list(&fleet->managed.coming, COMING, to);
    export_list(&fleet->managed.force, FORCE, to);
    for (unsigned i = 0; i < fleet->config.managed_max; i++) {
        if (fleet->managed.seats[i].name[0] == '\0')
            continue;
        cv_handover_section(to, "seat");
        cv_handover_put(to, "seat", i);
        cv_handover_put_fields(to, seat_fields, CV_COUNT(seat_fields), &fleet->managed.seats[i]);
    }
}

void cv_fleet_export(const struct cv_fleet *fleet, struct cv_handover *to)
{
    CV_ASSERT(fleet->actions.count == 0);
    cv_handover_section(to, "fleet");
    cv_handover_put(to, "capacity", fleet->config.capacity);
    cv_handover_put(to, "managed_max", fleet->config.managed_max);
    cv_handover_put_fields(to, fleet_fields, CV_COUNT(fleet_fields), fleet);
    export_failures(&fleet->brake, to);
    for (unsigned i = 0; i < cv_fleet_slots(&fleet->config); i++) {
        if (is_untouched(&fleet->slots[i]))
            continue;
        cv_handover_section(to, "slot");
        cv_handover_put(to, "slot", i);
        cv_handover_put_fields(to, slot_fields, CV_COUNT(slot_fields), &fleet->slots[i]);
    }
    export_managed(fleet, to);
}

/* ---- Reading ---- */

/* The newest of them, if there are more than fit. */
static int import_failures(struct cv_brake *brake, const struct cv_handover_section *from)
{
    struct cv_span times = cv_handover_get_bytes(from, "failures");
    size_t n = times.len / sizeof(*brake->times);
    if (times.len != n * sizeof(*brake->times))
        return -EBADMSG;
    size_t first = n > brake->size ? n - brake->size : 0;
    if (n > first)
        memcpy(brake->times, times.at + first * sizeof(*brake->times),
               (n - first) * sizeof(*brake->times));
    brake->first = 0;
    brake->count = (unsigned)(n - first);
    return 0;
}

static int import_slot(struct cv_fleet *fleet, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "slot", -1);
    if (i < 0 || i >= cv_fleet_slots(&fleet->config))
        return -EBADMSG;
    return cv_handover_get_fields(from, slot_fields, CV_COUNT(slot_fields), &fleet->slots[i]);
}

static int import_spec(struct cv_managed_list *list, const struct cv_handover_section *from)
{
    if (list->n == CV_MANAGED_MAX)
        return -EBADMSG;
    struct cv_managed_spec *spec = &list->item[list->n++];
    int rc = cv_handover_get_fields(from, spec_fields, CV_COUNT(spec_fields), spec);
    return rc == 0 && spec->processes > CV_MANAGED_MAX ? -EBADMSG : rc;
}

static int import_seat(struct cv_fleet *fleet, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "seat", -1);
    if (i < 0 || i >= fleet->config.managed_max)
        return -EBADMSG;
    return cv_handover_get_fields(from, seat_fields, CV_COUNT(seat_fields),
                                  &fleet->managed.seats[i]);
}

static int import_sections(struct cv_fleet *fleet, struct cv_span record)
{
    struct cv_handover_section section;
    int rc = 0;
    for (size_t at = 0; rc == 0 && cv_handover_next(record, &at, &section);) {
        if (cv_span_eq(section.name, CV_SPAN("slot")))
            rc = import_slot(fleet, &section);
        else if (cv_span_eq(section.name, CV_SPAN(COMING)))
            rc = import_spec(&fleet->managed.coming, &section);
        else if (cv_span_eq(section.name, CV_SPAN(FORCE)))
            rc = import_spec(&fleet->managed.force, &section);
        else if (cv_span_eq(section.name, CV_SPAN("seat")))
            rc = import_seat(fleet, &section);
    }
    return rc;
}

static bool can_be(const struct cv_fleet *fleet)
{
    return fleet->wanted >= 1 && fleet->wanted < fleet->config.capacity &&
           fleet->current.number >= 1 && fleet->newest >= fleet->current.number &&
           (fleet->roll == CV_ROLL_NONE || fleet->other.number >= 1);
}

int cv_fleet_import(struct cv_fleet_config *config, struct cv_span record, struct cv_fleet **ret)
{
    struct cv_handover_section section = cv_handover_find(record, "fleet");
    int64_t capacity = cv_handover_get(&section, "capacity", 0);
    int64_t managed = cv_handover_get(&section, "managed_max", 0);
    if (capacity < 2 || capacity > CAPACITY_MAX || managed < 0 || managed > CAPACITY_MAX)
        return -EBADMSG;
    config->capacity = (unsigned)capacity;
    config->managed_max = (unsigned)managed;
    struct cv_fleet *fleet;
    int rc = cv_fleet_make(config, 0, &fleet);
    if (rc < 0)
        return rc;
    rc = cv_handover_get_fields(&section, fleet_fields, CV_COUNT(fleet_fields), fleet);
    if (rc == 0)
        rc = import_failures(&fleet->brake, &section);
    if (rc == 0)
        rc = import_sections(fleet, record);
    if (rc == 0 && !can_be(fleet))
        rc = -EBADMSG;
    if (rc < 0)
        cv_fleet_free(fleet);
    else
        *ret = fleet;
    return rc;
}
