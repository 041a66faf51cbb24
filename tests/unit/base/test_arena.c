#include "base/arena.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"

#define BLOCKS 2000

/* A malloc that cannot serve answers NULL, also under the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_sizes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    assert_non_null(cv_arena_alloc(&arena, 16));
    assert_false(arena.ran_out);
    assert_null(cv_arena_alloc(&arena, SIZE_MAX));
    assert_true(arena.ran_out);
    assert_null(cv_arena_alloc(&arena, SIZE_MAX - 14));
    assert_null(cv_arena_alloc(&arena, SIZE_MAX / 2 + 1));
    assert_null(cv_arena_alloc(&arena, SIZE_MAX / 4));
    assert_non_null(cv_arena_alloc(&arena, 16));
    cv_arena_done(&arena);
    assert_false(arena.ran_out);
}

static void test_done_empties_and_may_be_called_again(void **state)
{
    (void)state;
    struct cv_arena arena = {0};
    cv_arena_done(&arena);
    cv_arena_init(&arena);
    assert_non_null(cv_arena_alloc(&arena, 32));
    cv_arena_done(&arena);
    cv_arena_done(&arena);
    assert_non_null(cv_arena_alloc(&arena, 32));
    cv_arena_done(&arena);
}

/* NULL means "out of memory", so an empty block must be something else. */
static void test_an_empty_block_is_a_block(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    assert_non_null(cv_arena_alloc(&arena, 0));
    assert_non_null(cv_arena_alloc(&arena, 0));
    cv_arena_done(&arena);
}

static void test_blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    uint64_t random = 7;
    struct cv_arena arena;
    cv_arena_init(&arena);
    for (size_t i = 0; i < BLOCKS; i++) {
        uint64_t r = cv_rand_next(&random);
        sizes[i] = (size_t)(r % 16 == 0 ? (r >> 8) % 20000 : (r >> 8) % 300);
        blocks[i] = cv_arena_alloc(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)(i & 0xff), sizes[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t at = 0; at < sizes[i]; at++)
            if (blocks[i][at] != (i & 0xff))
                fail_msg("block %zu was overwritten at %zu", i, at);
    cv_arena_done(&arena);
}

static void test_blocks_around_the_size_of_a_chunk_are_whole(void **state)
{
    (void)state;
    for (size_t size = 4000; size < 4200; size++) {
        struct cv_arena arena;
        cv_arena_init(&arena);
        char *first = cv_arena_alloc(&arena, size);
        char *second = cv_arena_alloc(&arena, size);
        assert_non_null(first);
        assert_non_null(second);
        memset(first, 1, size);
        memset(second, 2, size);
        assert_int_equal(first[size - 1], 1);
        cv_arena_done(&arena);
    }
}

static void test_a_large_block_leaves_the_current_chunk_in_use(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    char *before = cv_arena_alloc(&arena, 16);
    char *large = cv_arena_alloc(&arena, 100000);
    char *after = cv_arena_alloc(&arena, 16);
    assert_non_null(large);
    memset(large, 'l', 100000);
    assert_ptr_equal(after, before + 16);
    cv_arena_done(&arena);
}

static void test_a_large_block_may_come_first(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    char *large = cv_arena_alloc(&arena, 100000);
    char *small = cv_arena_alloc(&arena, 16);
    assert_non_null(large);
    memset(large, 'l', 100000);
    assert_true(small < large || small >= large + 100000);
    cv_arena_done(&arena);
}

static void test_copies_end_with_a_nul(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    assert_string_equal(cv_arena_strndup(&arena, cv_span("abcdef", 3)), "abc");
    assert_string_equal(cv_arena_strndup(&arena, cv_span(NULL, 0)), "");
    assert_memory_equal(cv_arena_strndup(&arena, cv_span("a\0b", 3)), "a\0b", 4);
    cv_arena_done(&arena);
}

static void test_text_longer_than_a_chunk_is_whole(void **state)
{
    (void)state;
    struct cv_arena arena;
    cv_arena_init(&arena);
    char *text = cv_arena_printf(&arena, "%09999d", 7);
    assert_non_null(text);
    assert_int_equal(strlen(text), 9999);
    assert_int_equal(text[9998], '7');
    assert_string_equal(cv_arena_printf(&arena, "%s", ""), "");
    cv_arena_done(&arena);
}

/* What was kept of one request serves the next one whole. */
static void test_chunks_serve_again(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct cv_arena arenas[3];
        for (size_t i = 0; i < 3; i++) {
            cv_arena_init(&arenas[i]);
            for (int n = 0; n < 40; n++) {
                char *block = cv_arena_alloc(&arenas[i], 1000);
                assert_non_null(block);
                memset(block, round, 1000);
            }
        }
        for (size_t i = 0; i < 3; i++)
            cv_arena_done(&arenas[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_that_cannot_be_are_refused),
        cmocka_unit_test(test_done_empties_and_may_be_called_again),
        cmocka_unit_test(test_an_empty_block_is_a_block),
        cmocka_unit_test(test_blocks_are_aligned_and_apart),
        cmocka_unit_test(test_blocks_around_the_size_of_a_chunk_are_whole),
        cmocka_unit_test(test_a_large_block_leaves_the_current_chunk_in_use),
        cmocka_unit_test(test_a_large_block_may_come_first),
        cmocka_unit_test(test_copies_end_with_a_nul),
        cmocka_unit_test(test_text_longer_than_a_chunk_is_whole),
        cmocka_unit_test(test_chunks_serve_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
