#include "supervise/process/template.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "brood.h"
#include "supervise/process/child.h"
#include "supervise/shared/slots.h"

#define SLOTS 3

static struct cv_template template;
static struct cv_slots slots;
static int self;
static struct cv_message message;
static int told; /* by copies, through the atfork handler */

static void in_fork(void)
{
    told++;
}

/* A template whose copies say READY, then LEAVING if their memory is the template's but for what
 * is their own, and wait for the end of their channel. */
static _Noreturn void be_template(int channel)
{
    struct cv_child child = {.channel = channel,
                             .boot = {.role = CV_ROLE_TEMPLATE,
                                      .state = slots.fd,
                                      .parent_fd = self,
                                      .object = -1,
                                      .parent = getppid()}};
    pid_t mother = getpid();
    (void)pthread_atfork(NULL, NULL, in_fork);
    told = 41;
    if (cv_template_serve(&child) < 0)
        _exit(1);
    cv_child_tell(&child, CV_MSG_READY);
    int death = 0;
    (void)prctl(PR_GET_PDEATHSIG, &death);
    bool is_right =
        told >= 42 && getpid() != mother && getppid() == child.boot.parent && death == SIGKILL &&
        child.slots.own != NULL && atomic_load(&child.slots.own->pid) == (uint32_t)getpid() &&
        child.boot.n_listeners == 1 && fcntl(child.boot.listeners[0], F_GETFD) >= 0 &&
        (child.boot.slot == 1 ? fcntl(child.boot.region, F_GET_SEALS) > 0 : child.boot.region < 0);
    if (is_right)
        cv_child_tell(&child, CV_MSG_LEAVING);
    struct pollfd end = {.fd = child.channel, .events = POLLIN};
    while (cv_child_hear(&child, &message) != 0)
        (void)poll(&end, 1, 1000);
    _exit(7);
}

static int start(void **state)
{
    (void)state;
    int pair[2];
    self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || self < 0 || cv_slots_new(&slots, SLOTS) < 0 ||
        cv_channel_pair(pair) < 0)
        return -1;
    template = (struct cv_template){.channel = pair[0]};
    template.pid = brood_fork();
    if (template.pid == 0) {
        (void)close(pair[0]);
        be_template(pair[1]);
    }
    (void)close(pair[1]);
    return 0;
}

static int finish(void **state)
{
    (void)close(template.channel);
    (void)close(self);
    int rc = brood_end(state);
    cv_slots_done(&slots);
    return rc;
}

static int hear(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    (void)poll(&ready, 1, 5000);
    return cv_channel_receive(fd, &message);
}

static void fill(struct cv_boot *boot, unsigned slot, int channel, int listener)
{
    cv_boot_init(boot);
    boot->parent = getpid();
    boot->slot = slot;
    boot->slots = SLOTS;
    boot->channel = channel;
    boot->listeners[boot->n_listeners++] = listener;
}

/* Orders a copy; its pid. *ret_channel is our end. */
static pid_t order(unsigned slot, int *ret_channel)
{
    int pair[2];
    assert_int_equal(cv_channel_pair(pair), 0);
    struct cv_boot boot;
    fill(&boot, slot, pair[1], self);
    if (slot == 1)
        boot.region = slots.fd; /* any memfd will do */
    assert_int_equal(cv_template_ask(&template, &boot, slot, 100 + slot, -1), 0);
    (void)close(pair[1]);
    *ret_channel = pair[0];
    assert_int_equal(hear(template.channel), 1);
    assert_int_equal(message.kind, CV_MSG_MADE);
    assert_int_equal(message.word[0], slot);
    assert_int_equal(message.word[1], 100 + slot);
    assert_int_equal(message.word[3], 0);
    pid_t pid = (pid_t)message.word[2];
    brood_adopt(pid);
    return pid;
}

static void test_copies_are_children_of_the_master(void **state)
{
    (void)state;
    int channel[SLOTS];
    pid_t pid[SLOTS];
    for (unsigned i = 0; i < SLOTS; i++) {
        pid[i] = order(i, &channel[i]);
        assert_int_equal(hear(channel[i]), 1);
        assert_int_equal(message.kind, CV_MSG_READY);
        assert_int_equal(hear(channel[i]), 1);
        assert_int_equal(message.kind, CV_MSG_LEAVING);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        siginfo_t info;
        (void)close(channel[i]); /* nobody else holds it */
        assert_true(brood_is_over(pid[i], 5000));
        assert_int_equal(waitid(P_PID, (id_t)pid[i], &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(info.si_status, 7);
    }
}

static void test_a_wrong_order_is_answered_with_an_error(void **state)
{
    (void)state;
    struct cv_boot boot;
    fill(&boot, 0, self, self);
    boot.layout++;
    assert_int_equal(cv_template_ask(&template, &boot, 0, 1, -1), 0);
    assert_int_equal(hear(template.channel), 1);
    assert_int_equal(message.word[2], 0);
    assert_int_equal(message.word[3], EPROTO);
    int not_sealed = memfd_create("test", MFD_CLOEXEC);
    message.kind = CV_MSG_MAKE;
    message.body_len = 0;
    assert_int_equal(cv_channel_send_files(template.channel, &message,
                                           &(struct cv_files){.n = 1, .fd = {not_sealed}}),
                     0);
    assert_int_equal(hear(template.channel), 1);
    assert_int_equal(message.word[3], EPROTO);
    (void)close(not_sealed);
    int channel;
    (void)order(1, &channel);
    (void)close(channel);
}

static void test_without_a_master_it_ends(void **state)
{
    (void)state;
    (void)close(template.channel);
    template.channel = -1;
    assert_true(brood_is_over(template.pid, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies_are_children_of_the_master, start, finish),
        cmocka_unit_test_setup_teardown(test_a_wrong_order_is_answered_with_an_error, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_without_a_master_it_ends, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
