/* Files that are on disk and not in memory: nobody waits for them but their own client. */
#include "unit/serve/folder.h"
#include "unit/serve/rig.h"

#include <sys/mman.h>

#include "serve/file.h"
#include "serve/inside.h"

#define SMALL (CV_FILE_SMALL + 1) /* no longer in memory of our own */
#define LARGE (1 << 20)

static struct cv_file *file;

static void host_file(struct rig *rig, const struct cv_event *event)
{
    (void)rig;
    if (event->kind == CV_EV_REQUEST) {
        struct cv_slice all = {.len = file->id.size};
        struct cv_answer answer = {.status = 200, .file = file, .slices = &all, .n_slices = 1};
        assert_int_equal(cv_exchange_answer(event->exchange, &answer), 0);
    }
    cv_exchange_release(event->exchange);
}

static unsigned pages_in_memory(void)
{
    unsigned char is_there[LARGE / 4096 + 1] = {0};
    void *mapped = mmap(NULL, file->id.size, PROT_READ, MAP_SHARED, file->fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    assert_int_equal(mincore(mapped, file->id.size, is_there), 0);
    assert_int_equal(munmap(mapped, file->id.size), 0);
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(is_there); i++)
        n += is_there[i] & 1;
    return n;
}

/* What has been written to disk can be dropped from memory, but for a disk that is memory. */
static void cool(void)
{
    assert_int_equal(fsync(file->fd), 0);
    assert_int_equal(posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    if (pages_in_memory() > 0) {
        cv_file_unref(file);
        skip();
    }
}

/* A file with a different byte in each page and a last byte of its own. */
static void make_file(size_t size)
{
    int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    for (size_t at = 0; at < size; at += 4096) {
        char page[4096];
        memset(page, 'a' + (int)(at / 4096 % 25), sizeof(page));
        size_t len = size - at < sizeof(page) ? size - at : sizeof(page);
        if (at + len == size)
            page[len - 1] = 'z';
        assert_int_equal(write(fd, page, len), len);
    }
    assert_int_equal(close(fd), 0);
    struct cv_file_how how = {.root = -1};
    assert_int_equal(cv_file_open(&how, "file", &file), 0);
}

static uint64_t sent(const struct rig *rig)
{
    return rig->server->metrics.page->sent;
}

/* Steps until the request has been answered and flushed, once. */
static int ask(struct rig *rig)
{
    int fd = rig_connect(rig);
    unsigned before = rig->requests;
    forget(rig);
    say_text(fd, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    rig_until(rig, rig->requests > before);
    return fd;
}

static void assert_whole(struct rig *rig, int fd)
{
    hear(rig, fd, "z");
    const char *body = strstr(rig->got, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    assert_int_equal(rig->got_len - (size_t)(body - rig->got), file->id.size);
    for (size_t i = 0; i + 1 < file->id.size; i++)
        assert_int_equal(body[i], 'a' + (int)(i / 4096 % 25));
}

static void test_a_file_in_memory_leaves_at_once(void **state)
{
    (void)state;
    make_file(SMALL);
    struct rig *rig = rig_of(host_file);
    int fd = ask(rig);
    assert_true(sent(rig) > SMALL);
    assert_whole(rig, fd);
    close(fd);
    rig_free(rig);
    cv_file_unref(file);
}

static void test_a_file_on_disk_is_not_waited_for_and_comes_whole(void **state)
{
    (void)state;
    make_file(LARGE);
    cool();
    struct rig *rig = rig_of(host_file);
    int fd = ask(rig);
    assert_in_range(sent(rig), 1, 1000); /* the head */
    assert_false(cv_list_empty(&rig->server->cold.waiting));
    assert_whole(rig, fd);
    assert_true(cv_list_empty(&rig->server->cold.waiting));
    close(fd);
    rig_free(rig);
    cv_file_unref(file);
}

static void test_clients_that_leave_meanwhile_are_forgotten(void **state)
{
    (void)state;
    make_file(LARGE);
    cool();
    struct rig *rig = rig_of(host_file);
    int fd = ask(rig);
    assert_false(cv_list_empty(&rig->server->cold.waiting));
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
    rig_until(rig, cv_server_connections(rig->server) == 0);
    assert_true(cv_list_empty(&rig->server->cold.waiting));
    rig_free(rig);
    assert_int_equal(file->refs, 1);
    cv_file_unref(file);
}

static void test_a_server_is_freed_while_one_waits(void **state)
{
    (void)state;
    make_file(LARGE);
    cool();
    struct rig *rig = rig_of(host_file);
    int fd = ask(rig);
    assert_false(cv_list_empty(&rig->server->cold.waiting));
    rig_free(rig);
    assert_int_equal(file->refs, 1);
    close(fd);
    cv_file_unref(file);
}

/* The price of not asking the kernel at each answer: a short wait, if it is gone so soon. */
static void test_a_small_file_that_was_in_memory_is_taken_to_be_there_for_a_while(void **state)
{
    (void)state;
    make_file(SMALL);
    cool();
    struct rig *rig = rig_of(host_file);
    int fd = ask(rig);
    assert_whole(rig, fd);
    close(fd);

    cool();
    uint64_t before = sent(rig);
    fd = ask(rig);
    assert_true(sent(rig) - before > SMALL);
    assert_whole(rig, fd);
    close(fd);

    cool();
    file->sure_until = rig->server->now; /* as if the while had passed */
    before = sent(rig);
    fd = ask(rig);
    assert_in_range(sent(rig) - before, 1, 1000);
    assert_whole(rig, fd);
    close(fd);
    rig_free(rig);
    cv_file_unref(file);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_a_file_in_memory_leaves_at_once),
        IN_FOLDER(test_a_file_on_disk_is_not_waited_for_and_comes_whole),
        IN_FOLDER(test_clients_that_leave_meanwhile_are_forgotten),
        IN_FOLDER(test_a_server_is_freed_while_one_waits),
        IN_FOLDER(test_a_small_file_that_was_in_memory_is_taken_to_be_there_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
