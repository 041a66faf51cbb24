/* The policy of src/supervise in millions of random schedules, in virtual time.
 *
 *     sim_fleet [SCHEDULES [SEED]]     2 processes share the schedules SEED .. SEED + SCHEDULES - 1
 *     sim_fleet --trace SEED           shows one schedule
 *     sim_fleet --broken K             with a wrong rule: fails, as it should
 *     sim_fleet --broken               with each wrong rule, and without each rule in turn:
 *                                      succeeds if all of them are noticed
 *
 * The invariants, checked after every event (checks.c):
 *
 *     all-gone         at EXIT every process has been reaped, or reported as LOST and no earlier
 *                      than kill_wait after its KILL
 *     bounded          no process lives past the deadline of its state, of its pause, of its dump
 *                      or of the stop without a KILL
 *     dump             one that hangs or is late is sent ABRT in the same event; one that is
 *                      paused is not
 *     stop-ends        a stop ends in EXIT, and nothing is started during it
 *     told-all         a stop reaches every process in the same event, paused ones are continued;
 *                      main follows when the workers are gone or the drain is over
 *     serves-on        after a TERM with pre_drain no worker that serves is told to drain before
 *                      that is over; all have been forewarned, once
 *     only-faster      a stop asked again never makes anything later
 *     exit-code        is the one that docs/supervision.md says
 *     exit-last        EXIT comes once and nothing after it
 *     never-lower      a worker that serves is retired only if as many as wanted go on serving
 *     recycle          one that is spent goes once another serves in its stead, and only then
 *     two-generations  at most two live; none is dropped that has processes, or started after
 *     roll             a reload ends in RELOADED with nothing else alive, or in RELOAD_FAILED,
 *                      which comes exactly if a new process fails before it is ready
 *     starters         no more than starters_max are between SPAWN and READY
 *     no-storm         no start before its back-off is over, no more starts than reasons
 *     no-murder        no KILL without a deadline or a stop that explains it, no ABRT without a
 *                      hang or a start that is late
 *     right-slot       no action on a slot without a process, no ABRT or KILL twice, no start
 *                      where one is
 *     go               once, after HELLO, and not before main was ready
 *     gives-up         the first start and a crash loop end exactly when they must
 *     managed          none but those declared by the generation in force, one for each of them,
 *                      none where the last has ended for good; durable ones are not asked to go by
 *                      a reload, transient ones and those not declared are, and are gone when it
 *                      is over
 *     crash-loop, said-once, scale
 *     no-busy-loop     after an event the next deadline lies ahead
 *     idle             nothing waited for means: as many serve as wanted, no roll under way
 *
 * All of it also if the program is exchanged between two events (upgrade): the fleet is handed over
 * then.
 */
#include "broken.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 2
#define SCHEDULES_DEFAULT 10000000
#define BROKEN_SCHEDULES 100000
#define COVERED_FROM 100000 /* fewer schedules need not reach everything, these must */

/* What has been reached, so that a run that finds nothing also shows that it looked. */
struct reached {
    uint64_t cells[CV_SLOT_STATE_COUNT][CV_SLOT_EVENT_COUNT];
    struct sim_seen seen;
};

static struct reached reached; /* by this process */

/* Stands in every cell, counts, and hands on to the rule that belongs there. */
static void watch(struct cv_fleet *fleet, struct cv_slot *slot, const struct cv_fleet_event *event)
{
    reached.cells[slot->state][event->what]++;
    cv_rule *rule = cv_policy_rules.at[slot->state][event->what];
    if (rule != NULL)
        rule(fleet, slot, event);
}

static void fill_with_watch(struct cv_rules *rules)
{
    for (int state = 0; state < CV_SLOT_STATE_COUNT; state++)
        for (int event = 0; event < CV_SLOT_EVENT_COUNT; event++)
            rules->at[state][event] = watch;
}

/* ---- Coverage ---- */

static void add(uint64_t *sum, const uint64_t *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

static struct reached sum_of(const struct reached *parts)
{
    struct reached sum = {0};
    for (int i = 0; i < PROCESSES; i++)
        add((uint64_t *)&sum, (const uint64_t *)&parts[i], sizeof sum / sizeof(uint64_t));
    return sum;
}

/* Cells that nothing can reach: each with the reason. One that is reached all the same is an error,
 * too: then the reason is wrong. */
static const struct impossible {
    enum cv_slot_state state;
    enum cv_slot_event event;
    const char *why;
} impossible[] = {
    {CV_SLOT_EMPTY, CV_ON_DEADLINE, "has no deadline"},
    {CV_SLOT_LOST, CV_ON_DEADLINE, "has no deadline"},
    {CV_SLOT_EMPTY, CV_ON_RETIRE,
     "only what is there is retired, by balance.c, roll.c, managed.c and desk.c"},
    {CV_SLOT_LOST, CV_ON_RETIRE,
     "only what is there is retired, by balance.c, roll.c, managed.c and desk.c"},
    {CV_SLOT_DRAINING, CV_ON_RETIRE, "has been asked to go, and nobody is asked twice"},
    {CV_SLOT_STOPPING, CV_ON_RETIRE, "has been asked to go, and nobody is asked twice"},
};

static const struct impossible *find_impossible(enum cv_slot_state state, enum cv_slot_event event)
{
    for (unsigned i = 0; i < CV_COUNT(impossible); i++)
        if (impossible[i].state == state && impossible[i].event == event)
            return &impossible[i];
    return NULL;
}

/* How many cells, with a rule or without, are not as they should be. */
static unsigned report_cells(const struct reached *sum)
{
    unsigned wrong = 0;
    unsigned rules = 0;
    for (int state = 0; state < CV_SLOT_STATE_COUNT; state++) {
        for (int event = 0; event < CV_SLOT_EVENT_COUNT; event++) {
            const struct impossible *excluded = find_impossible(state, event);
            bool was_hit = sum->cells[state][event] > 0;
            rules += cv_policy_rules.at[state][event] != NULL;
            if (excluded != NULL)
                printf("cannot be: [%s][%s] %s\n", cv_slot_state_name(state),
                       cv_slot_event_name(event), excluded->why);
            if (was_hit == (excluded == NULL))
                continue;
            wrong++;
            printf("%s: [%s][%s]\n", was_hit ? "reached all the same" : "not reached",
                   cv_slot_state_name(state), cv_slot_event_name(event));
        }
    }
    unsigned cells = CV_SLOT_STATE_COUNT * CV_SLOT_EVENT_COUNT - CV_COUNT(impossible);
    printf("coverage: %u of %u cells, of which %u have a rule\n", cells - wrong, cells, rules);
    return wrong;
}

static unsigned report_seen(const struct sim_seen *seen)
{
    unsigned missed = 0;
    printf("said:");
    for (int say = 0; say < SIM_SAYS; say++) {
        printf(" %s %llu", sim_say_name(say), (unsigned long long)seen->says[say]);
        missed += seen->says[say] == 0;
    }
    printf("\nexit codes:");
    for (int code = 0; code < SIM_CODES; code++)
        if (seen->codes[code] > 0)
            printf(" %d x %llu", code, (unsigned long long)seen->codes[code]);
    printf("\n%llu events\n", (unsigned long long)seen->events);
    return missed;
}

/* ---- Running ---- */

static void show_failure(uint64_t seed, const struct cv_rules *rules, const char *error)
{
    (void)sim_run(seed, rules, true, NULL);
    printf("BROKEN %s\nseed %llu\n", error, (unsigned long long)seed);
    fflush(stdout);
}

static int run_part(uint64_t seed, uint64_t schedules, uint64_t start)
{
    struct cv_rules table;
    fill_with_watch(&table);
    for (uint64_t i = start; i < schedules; i += PROCESSES) {
        const char *error = sim_run(seed + i, &table, false, &reached.seen);
        if (error != NULL) {
            show_failure(seed + i, &table, error);
            return 1;
        }
    }
    return 0;
}

static int wait_for_all(const pid_t *pids)
{
    int failed = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            failed = 1;
    }
    return failed;
}

static int run_all(uint64_t schedules, uint64_t seed)
{
    struct reached *parts = mmap(NULL, PROCESSES * sizeof *parts, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (parts == MAP_FAILED)
        return 1;
    printf("%llu schedules, seeds %llu .. %llu\n", (unsigned long long)schedules,
           (unsigned long long)seed, (unsigned long long)(seed + schedules - 1));
    fflush(stdout);
    int64_t start = cv_clock_ns();
    pid_t pids[PROCESSES];
    for (unsigned i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int rc = run_part(seed, schedules, i);
            parts[i] = reached;
            _exit(rc);
        }
    }
    int failed = wait_for_all(pids);
    struct reached sum = sum_of(parts);
    (void)munmap(parts, PROCESSES * sizeof *parts);
    unsigned missed = report_seen(&sum.seen) + report_cells(&sum);
    printf("%.1f s: %s\n", (double)(cv_clock_ns() - start) / 1e9,
           failed ? "FAILED" : "no invariant broken");
    return failed || (schedules >= COVERED_FROM && missed > 0);
}

/* ---- Broken rules ---- */

/* What notices that the table is wrong; NULL if nothing does. */
static const char *noticed_by(const struct cv_rules *table, uint64_t *ret_seed)
{
    const char *error = NULL;
    for (uint64_t seed = 1; error == NULL && seed <= BROKEN_SCHEDULES; seed++) {
        error = sim_run(seed, table, false, NULL);
        *ret_seed = seed;
    }
    return error;
}

static void replace(struct cv_rules *rules, enum cv_slot_state state, enum cv_slot_event event,
                    cv_rule *rule)
{
    *rules = cv_policy_rules;
    rules->at[state][event] = rule;
}

/* 1 if nothing notices; in a process of its own, since without some rules the policy never comes
 * to an end. */
static int check_broken(const char *what, const struct cv_rules *table)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(60);
        uint64_t seed = 0;
        const char *error = noticed_by(table, &seed);
        printf("%s %-60s %6llu  %s\n", error != NULL ? "noticed" : "MISSED ", what,
               (unsigned long long)seed, error != NULL ? error : "");
        fflush(stdout);
        _exit(error == NULL);
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        return 1;
    if (WIFSIGNALED(status))
        printf("noticed %-60s         signal %d\n", what, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

static int check_all_broken(void)
{
    int missed = 0;
    struct cv_rules table;
    for (unsigned i = 0; i < sim_broken_count; i++) {
        const struct sim_broken *broken = &sim_broken[i];
        replace(&table, broken->state, broken->event, broken->rule);
        missed += check_broken(broken->what, &table);
    }
    for (int state = 0; state < CV_SLOT_STATE_COUNT; state++) {
        for (int event = 0; event < CV_SLOT_EVENT_COUNT; event++) {
            if (cv_policy_rules.at[state][event] == NULL)
                continue;
            char what[64];
            (void)snprintf(what, sizeof what, "without [%s][%s]", cv_slot_state_name(state),
                           cv_slot_event_name(event));
            replace(&table, state, event, NULL);
            missed += check_broken(what, &table);
        }
    }
    printf("%d missed\n", missed);
    return missed > 0;
}

static int run_broken(uint64_t which)
{
    if (which >= sim_broken_count) {
        fprintf(stderr, "sim_fleet: there are the broken rules 0 .. %u\n", sim_broken_count - 1);
        return 2;
    }
    const struct sim_broken *broken = &sim_broken[which];
    struct cv_rules table;
    uint64_t seed = 0;
    replace(&table, broken->state, broken->event, broken->rule);
    const char *error = noticed_by(&table, &seed);
    if (error != NULL)
        show_failure(seed, &table, error);
    return error != NULL;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "sim_fleet: %s is not a number\n", text);
        exit(2);
    }
    return value;
}

static int show(uint64_t seed)
{
    const char *error = sim_run(seed, &cv_policy_rules, true, NULL);
    printf("%s\n", error != NULL ? error : "nothing broken");
    return error != NULL;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--trace") == 0)
        return show(number(argv[2]));
    if (argc == 3 && strcmp(argv[1], "--broken") == 0)
        return run_broken(number(argv[2]));
    if (argc == 2 && strcmp(argv[1], "--broken") == 0)
        return check_all_broken();
    uint64_t schedules = argc > 1 ? number(argv[1]) : SCHEDULES_DEFAULT;
    uint64_t seed = argc > 2 ? number(argv[2]) : (uint64_t)time(NULL);
    return run_all(schedules, seed);
}
