#include "supervise/crew/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOTS_MAX 65536

static const char *oom_word(unsigned value)
{
    static const char *const words[] = {[CV_OOM_UNKNOWN] = "unknown",
                                        [CV_OOM_NO] = "no",
                                        [CV_OOM_LIKELY] = "likely",
                                        [CV_OOM_YES] = "yes"};
    return value < CV_COUNT(words) ? words[value] : NULL;
}

static const struct cv_handover_field crew_fields[] = {
    CV_FIELD(struct cv_crew, capacity),
    CV_FIELD_LEFT(struct cv_crew, members), /* sections of their own */
    CV_FIELD_FD(struct cv_crew, slots.fd),
    CV_FIELD(struct cv_crew, slots.count),
    CV_FIELD_LEFT(struct cv_crew, slots.head), /* mapped anew, and what follows */
    CV_FIELD_LEFT(struct cv_crew, slots.seen),
    CV_FIELD_LEFT(struct cv_crew, slots.pages),
    CV_FIELD_LEFT(struct cv_crew, slots.table),
    CV_FIELD_LEFT(struct cv_crew, slots.own),
    CV_FIELD_TEXT(struct cv_crew, program.path),
    CV_FIELD_TEXT(struct cv_crew, program.object),
    CV_FIELD_LEFT(struct cv_crew, pinned), /* sections of their own, with those that follow */
    CV_FIELD_LEFT(struct cv_crew, pinned_generation),
    CV_FIELD_LEFT(struct cv_crew, pinned_settings),
    CV_FIELD_LEFT(struct cv_crew, commands),
    CV_FIELD_LEFT(struct cv_crew, templates),
    CV_FIELD(struct cv_crew, incarnations),
    CV_FIELD_LEFT(struct cv_crew, trial),          /* it is over */
    CV_FIELD_LEFT(struct cv_crew, own_generation), /* another one soon */
    CV_FIELD_LEFT(struct cv_crew, self),           /* opened anew */
    CV_FIELD_FD(struct cv_crew, outer_proc),
    CV_FIELD(struct cv_crew, logs),
    CV_FIELD(struct cv_crew, guardian_logs),
    CV_FIELD(struct cv_crew, guardian_keeps_logs),
    CV_FIELD_LEFT(struct cv_crew, seating), /* the master's */
    CV_FIELD(struct cv_crew, nofile),
    CV_FIELD(struct cv_crew, region_kind.layout),
    CV_FIELD(struct cv_crew, region_kind.bytes),
    CV_FIELD(struct cv_crew, region_kind.fleeting),
    CV_FIELD_LEFT(struct cv_crew, cgroup), /* a section of its own */
    CV_FIELD_FD(struct cv_crew, oom.counter),
    CV_FIELD(struct cv_crew, oom.is_ours),
    CV_FIELD(struct cv_crew, oom.blamed),
    CV_FIELD_TEXT(struct cv_crew, last_reason),
};

static const struct cv_handover_field member_fields[] = {
    CV_FIELD_LEFT(struct cv_member, who), /* made of what follows */
    CV_FIELD_TEXT(struct cv_member, name),
    CV_FIELD(struct cv_member, index),
    CV_FIELD(struct cv_member, pid),
    CV_FIELD_FD(struct cv_member, pidfd),
    CV_FIELD_FD(struct cv_member, channel),
    CV_FIELD(struct cv_member, incarnation),
    CV_FIELD(struct cv_member, generation),
    CV_FIELD(struct cv_member, is_foreign),
    CV_FIELD(struct cv_member, leaves),
    CV_FIELD(struct cv_member, settles_at),
    CV_FIELD_TEXT(struct cv_member, status),
    CV_FIELD(struct cv_member, order.is_wanted),
    CV_FIELD(struct cv_member, order.generation),
    CV_FIELD(struct cv_member, order.template),
    CV_FIELD(struct cv_member, order.is_sent),
    CV_FIELD(struct cv_member, order.logs),
    CV_FIELD_LEFT(struct cv_member, order.channel), /* only if it is sent: a field of its own */
    CV_FIELD(struct cv_member, order.incarnation),
    CV_FIELD(struct cv_member, is_paused),
    CV_FIELD(struct cv_member, resumed_at),
    CV_FIELD(struct cv_member, is_refused),
    CV_FIELD(struct cv_member, signals_sent),
    CV_FIELD(struct cv_member, started_at),
    CV_FIELD(struct cv_member, starts),
    CV_FIELD(struct cv_member, oom_count),
    CV_FIELD(struct cv_member, is_unheard),
    CV_FIELD(struct cv_member, counted_since),
    CV_FIELD(struct cv_member, messages),
    CV_FIELD(struct cv_member, logs),
    CV_FIELD(struct cv_member, keeps_logs),
    CV_FIELD_FD(struct cv_member, region),
    CV_FIELD(struct cv_member, has_ended),
    CV_FIELD(struct cv_member, last_exit.signaled),
    CV_FIELD(struct cv_member, last_exit.core),
    CV_FIELD(struct cv_member, last_exit.by_us),
    CV_FIELD(struct cv_member, last_exit.asked),
    CV_FIELD_WORD(struct cv_member, last_exit.oom, oom_word),
    CV_FIELD(struct cv_member, last_exit.foreign),
    CV_FIELD(struct cv_member, last_exit.code),
};

static const struct cv_handover_field pinned_fields[] = {
    CV_FIELD_FD(struct cv_pinned, program),
    CV_FIELD_FD(struct cv_pinned, object),
    CV_FIELD(struct cv_pinned, is_script),
};

static const struct cv_handover_field template_fields[] = {
    CV_FIELD(struct cv_template, pid),          CV_FIELD_FD(struct cv_template, pidfd),
    CV_FIELD_FD(struct cv_template, channel),   CV_FIELD(struct cv_template, generation),
    CV_FIELD(struct cv_template, incarnation),  CV_FIELD(struct cv_template, started_at),
    CV_FIELD(struct cv_template, waited_since), CV_FIELD(struct cv_template, deadline),
    CV_FIELD(struct cv_template, is_up),        CV_FIELD(struct cv_template, is_refused),
    CV_FIELD(struct cv_template, is_dumping),   CV_FIELD(struct cv_template, orders),
};

/* ---- Writing ---- */

static void export_pinned(const struct cv_crew *crew, size_t i, struct cv_handover *to)
{
    cv_handover_section(to, "pinned");
    cv_handover_put(to, "place", (int64_t)i);
    cv_handover_put(to, "generation", crew->pinned_generation[i]);
    cv_handover_put_fields(to, pinned_fields, CV_COUNT(pinned_fields), &crew->pinned[i]);
    cv_handover_put_fd(to, "settings", crew->pinned_settings[i]);
}

static void export_commands(const struct cv_crew *crew, size_t i, struct cv_handover *to)
{
    const struct cv_commands *commands = &crew->commands[i];
    for (size_t c = 0; c < CV_COUNT(commands->of); c++) {
        const struct cv_command *command = &commands->of[c];
        if (command->n == 0)
            continue;
        cv_handover_section(to, "command");
        cv_handover_put(to, "generation", crew->pinned_generation[i]);
        cv_handover_put_text(to, "name", command->name);
        cv_handover_put_bytes(to, "words", cv_span(commands->bytes + command->at, command->len));
    }
}

static void export_template(const struct cv_crew *crew, size_t i, struct cv_handover *to)
{
    if (crew->templates[i].pid == 0)
        return;
    cv_handover_section(to, "template");
    cv_handover_put(to, "place", (int64_t)i);
    cv_handover_put_fields(to, template_fields, CV_COUNT(template_fields), &crew->templates[i]);
}

void cv_crew_export(const struct cv_crew *crew, struct cv_handover *to)
{
    cv_handover_section(to, "crew");
    cv_handover_put_fields(to, crew_fields, CV_COUNT(crew_fields), crew);
    for (size_t i = 0; i < CV_COUNT(crew->pinned); i++)
        if (crew->pinned[i].program >= 0) {
            export_pinned(crew, i, to);
            export_commands(crew, i, to);
            export_template(crew, i, to);
        }
    for (unsigned i = 0; i < crew->slots.count; i++) {
        const struct cv_order *order = &crew->members[i].order;
        if (crew->members[i].starts == 0 && !order->is_wanted)
            continue;
        cv_handover_section(to, "member");
        cv_handover_put(to, "slot", i);
        cv_handover_put_fd(to, "order.channel", order->is_sent ? order->channel : -1);
        cv_handover_put_fields(to, member_fields, CV_COUNT(member_fields), &crew->members[i]);
    }
}

/* ---- Reading ---- */

static int import_pinned(struct cv_crew *crew, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "place", -1);
    if (i < 0 || i >= CV_CREW_GENERATIONS)
        return -EBADMSG;
    crew->pinned_generation[i] = (uint32_t)cv_handover_get(from, "generation", 0);
    crew->pinned_settings[i] = cv_handover_get_fd(from, "settings");
    int rc = cv_handover_get_fields(from, pinned_fields, CV_COUNT(pinned_fields), &crew->pinned[i]);
    return rc == 0 && crew->pinned[i].program < 0 ? -EBADMSG : rc;
}

static int import_template(struct cv_crew *crew, const struct cv_handover_section *from)
{
    int64_t i = cv_handover_get(from, "place", -1);
    if (i < 0 || i >= CV_CREW_GENERATIONS)
        return -EBADMSG;
    struct cv_template *template = &crew->templates[i];
    int rc = cv_handover_get_fields(from, template_fields, CV_COUNT(template_fields), template);
    return rc == 0 && (template->pid <= 0 || template->channel < 0) ? -EBADMSG : rc;
}

static uint16_t count_words(struct cv_span words)
{
    uint16_t n = 0;
    for (size_t i = 0; i < words.len; i++)
        n = (uint16_t)(n + (words.at[i] == '\0'));
    return n;
}

/* Behind those that are there. */
static int import_command(struct cv_crew *crew, const struct cv_handover_section *from)
{
    struct cv_span name = cv_handover_get_bytes(from, "name");
    struct cv_span words = cv_handover_get_bytes(from, "words");
    int64_t generation = cv_handover_get(from, "generation", 0);
    size_t i = 0;
    while (i < CV_COUNT(crew->pinned) &&
           (crew->pinned[i].program < 0 || crew->pinned_generation[i] != generation))
        i++;
    if (i == CV_COUNT(crew->pinned))
        return -EBADMSG;
    struct cv_command *command = crew->commands[i].of;
    size_t at = 0;
    for (; command < crew->commands[i].of + CV_MANAGED_MAX && command->n > 0; command++)
        at += command->len;
    bool fits = command < crew->commands[i].of + CV_MANAGED_MAX && name.len > 0 &&
                name.len < sizeof(command->name) && words.len > 0 &&
                words.len <= CV_COMMANDS_BYTES - at && words.at[words.len - 1] == '\0';
    if (!fits)
        return -EBADMSG;
    memcpy(command->name, name.at, name.len);
    memcpy(crew->commands[i].bytes + at, words.at, words.len);
    command->at = (uint16_t)at;
    command->len = (uint16_t)words.len;
    command->n = count_words(words);
    return 0;
}

static int import_member(struct cv_crew *crew, const struct cv_handover_section *from)
{
    int64_t slot = cv_handover_get(from, "slot", -1);
    if (slot < 0 || slot >= crew->slots.count)
        return -EBADMSG;
    struct cv_member *member = &crew->members[slot];
    int rc = cv_handover_get_fields(from, member_fields, CV_COUNT(member_fields), member);
    if (rc < 0)
        return rc;
    if (member->name[0] != '\0')
        member->who = cv_words_managed(member->name, member->index);
    member->order.channel = cv_handover_get_fd(from, "order.channel");
    if (member->order.is_sent && member->order.channel < 0)
        return -EBADMSG;
    bool has_channel = member->pid > 0 && !member->is_foreign;
    return member->pid >= 0 && has_channel == (member->channel >= 0) ? 0 : -EBADMSG;
}

static int import_parts(struct cv_crew *crew, struct cv_span record)
{
    struct cv_handover_section section;
    int rc = 0;
    for (size_t at = 0; rc == 0 && cv_handover_next(record, &at, &section);) {
        if (cv_span_eq(section.name, CV_SPAN("pinned")))
            rc = import_pinned(crew, &section);
        else if (cv_span_eq(section.name, CV_SPAN("template")))
            rc = import_template(crew, &section);
        else if (cv_span_eq(section.name, CV_SPAN("command")))
            rc = import_command(crew, &section);
        else if (cv_span_eq(section.name, CV_SPAN("member")))
            rc = import_member(crew, &section);
    }
    return rc;
}

int cv_crew_import(struct cv_crew *crew, struct cv_span record)
{
    struct cv_handover_section section = cv_handover_find(record, "crew");
    int64_t capacity = cv_handover_get(&section, "capacity", 0);
    int64_t slots = cv_handover_get(&section, "slots.count", 0);
    if (capacity < 2 || slots <= capacity || slots > SLOTS_MAX)
        return -EBADMSG;
    int rc = cv_crew_make(crew, (unsigned)capacity, (unsigned)slots);
    if (rc == 0)
        rc = cv_handover_get_fields(&section, crew_fields, CV_COUNT(crew_fields), crew);
    if (rc == 0 && (crew->slots.fd < 0 || crew->program.path[0] != '/'))
        rc = -EBADMSG;
    return rc == 0 ? import_parts(crew, record) : rc;
}

/* What is in regions of another kind means nothing to the workers to come: they begin anew. */
static void take_regions(struct cv_crew *crew, const struct cv_region_kind *kind)
{
    const struct cv_region_kind *old = &crew->region_kind;
    bool is_same = old->layout == kind->layout && old->bytes == kind->bytes;
    for (unsigned i = 0; !is_same && i < crew->slots.count; i++) {
        if (crew->members[i].region >= 0)
            (void)close(crew->members[i].region);
        crew->members[i].region = -1;
    }
    crew->region_kind = *kind;
}

int cv_crew_take_over(struct cv_crew *crew, const struct cv_region_kind *kind)
{
    take_regions(crew, kind);
    crew->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return crew->self >= 0 ? cv_slots_map(&crew->slots) : -errno;
}
