#include "supervise/shared/region.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "brood.h"

static const struct cv_region_kind kind = {.layout = 3, .bytes = 10000, .fleeting = 100};

static int region;

static int start(void **state)
{
    (void)state;
    region = cv_region_new(&kind);
    return region >= 0 ? 0 : -1;
}

static int finish(void **state)
{
    (void)close(region);
    return brood_end(state);
}

static unsigned char *map(int fd, bool for_writing)
{
    return cv_region_map(fd, kind.bytes, for_writing);
}

static void test_what_one_wrote_the_next_one_reads(void **state)
{
    (void)state;
    pid_t pid = brood_fork();
    if (pid == 0) {
        unsigned char *own = map(region, true);
        if (own == NULL)
            _exit(1);
        memset(own, 7, kind.bytes);
        _exit(0);
    }
    assert_int_equal(brood_wait(pid), 0);
    cv_region_clear(region, &kind);
    unsigned char *next = map(region, true);
    assert_non_null(next);
    for (unsigned i = 0; i < kind.bytes; i++)
        assert_int_equal(next[i], i < kind.fleeting ? 0 : 7);
    (void)munmap(next, kind.bytes);
}

static void test_a_reader_cannot_write(void **state)
{
    (void)state;
    int shared = cv_region_share(region);
    assert_true(shared >= 0);
    assert_null(map(shared, true));
    assert_int_equal(pwrite(shared, "x", 1, 0), -1);
    unsigned char *writer = map(region, true);
    unsigned char *reader = map(shared, false);
    assert_non_null(reader);
    writer[5000] = 9;
    assert_int_equal(reader[5000], 9);
    (void)munmap(writer, kind.bytes);
    (void)munmap(reader, kind.bytes);
    (void)close(shared);
}

/* Root may do everything, so this is about what others would find. */
static void test_another_user_cannot_open_it_for_writing(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(fstat(region, &st), 0);
    assert_int_equal(st.st_mode & 0777, S_IRUSR);
}

static void test_its_size_is_for_ever(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(region, 10), -1);
    assert_int_equal(ftruncate(region, 20000), -1);
    assert_int_equal(fcntl(region, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void test_what_is_of_another_size_or_could_shrink_is_not_mapped(void **state)
{
    (void)state;
    assert_null(cv_region_map(region, kind.bytes + 1, false));
    assert_null(cv_region_map(-1, kind.bytes, false));
    int loose = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(loose, kind.bytes), 0);
    assert_null(map(loose, false));
    (void)close(loose);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_one_wrote_the_next_one_reads, start, finish),
        cmocka_unit_test_setup_teardown(test_a_reader_cannot_write, start, finish),
        cmocka_unit_test_setup_teardown(test_another_user_cannot_open_it_for_writing, start,
                                        finish),
        cmocka_unit_test_setup_teardown(test_its_size_is_for_ever, start, finish),
        cmocka_unit_test_setup_teardown(test_what_is_of_another_size_or_could_shrink_is_not_mapped,
                                        start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
