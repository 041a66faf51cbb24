/* Unsent bytes: copied and lent pieces, sent in any portions. */
#include "rig.h"

#include "serve/out.h"

struct chain {
    struct cv_out out;
    struct cv_pieces pieces;
};

static unsigned released;

static void count_release(void *arg)
{
    released += *(unsigned *)arg;
}

static void append(struct chain *chain, const char *text)
{
    char *at = cv_out_reserve(&chain->out, &chain->pieces, strlen(text));
    assert_non_null(at);
    memcpy(at, text, strlen(text));
    cv_out_commit(&chain->out, strlen(text));
}

/* All that is unsent, in order. */
static const char *content(const struct chain *chain)
{
    static char text[65536];
    struct iovec parts[64];
    size_t len = 0;
    int n = cv_out_parts(&chain->out, parts, 64);
    for (int i = 0; i < n; i++) {
        memcpy(text + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    text[len] = '\0';
    assert_int_equal(len, chain->out.unsent);
    return text;
}

static void done(struct chain *chain)
{
    cv_out_drop(&chain->out, &chain->pieces);
    cv_pieces_done(&chain->pieces);
}

static void test_small_things_share_a_piece(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct iovec parts[4];
    append(&chain, "one ");
    append(&chain, "two");
    assert_string_equal(content(&chain), "one two");
    assert_int_equal(cv_out_parts(&chain.out, parts, 4), 1);
    done(&chain);
}

static void test_sent_bytes_leave_from_the_front_in_any_portion(void **state)
{
    (void)state;
    for (size_t portion = 1; portion < 12; portion++) {
        struct chain chain = {0};
        static unsigned one = 1;
        append(&chain, "head ");
        cv_out_append(&chain.out, cv_piece_lend(CV_SPAN("body"), count_release, &one));
        append(&chain, " tail");
        size_t gone = 0;
        while (chain.out.unsent > 0) {
            size_t n = portion < chain.out.unsent ? portion : chain.out.unsent;
            cv_out_sent(&chain.out, &chain.pieces, n);
            gone += n;
            assert_string_equal(content(&chain), "head body tail" + gone);
        }
        done(&chain);
    }
    assert_int_equal(released, 11);
}

static void test_a_lent_body_is_released_when_dropped(void **state)
{
    (void)state;
    struct chain chain = {0};
    unsigned one = 1;
    released = 0;
    cv_out_append(&chain.out, cv_piece_lend(CV_SPAN("body"), count_release, &one));
    assert_int_equal(released, 0);
    done(&chain);
    assert_int_equal(released, 1);
}

static void test_more_than_a_piece_holds_gets_one_of_its_size(void **state)
{
    (void)state;
    struct chain chain = {0};
    static char large[20000];
    memset(large, 'x', sizeof(large) - 1);
    append(&chain, "a");
    append(&chain, large);
    append(&chain, "b");
    assert_int_equal(chain.out.unsent, sizeof(large) - 1 + 2);
    assert_int_equal(content(&chain)[0], 'a');
    assert_int_equal(content(&chain)[sizeof(large)], 'b');
    done(&chain);
}

static void test_what_is_reserved_but_not_committed_is_not_sent(void **state)
{
    (void)state;
    struct chain chain = {0};
    assert_non_null(cv_out_reserve(&chain.out, &chain.pieces, 10));
    assert_int_equal(chain.out.unsent, 0);
    struct iovec parts[4];
    assert_int_equal(cv_out_parts(&chain.out, parts, 4), 0);
    cv_out_sent(&chain.out, &chain.pieces, 0);
    assert_null(chain.out.first);
    done(&chain);
}

static void test_ordinary_pieces_are_kept_up_to_a_bound(void **state)
{
    (void)state;
    struct chain chain = {0};
    char text[4000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 200; i++)
        append(&chain, text);
    cv_out_drop(&chain.out, &chain.pieces);
    assert_in_range(chain.pieces.count, 1, 64);
    done(&chain);
    assert_int_equal(chain.pieces.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_things_share_a_piece),
        cmocka_unit_test(test_sent_bytes_leave_from_the_front_in_any_portion),
        cmocka_unit_test(test_a_lent_body_is_released_when_dropped),
        cmocka_unit_test(test_more_than_a_piece_holds_gets_one_of_its_size),
        cmocka_unit_test(test_what_is_reserved_but_not_committed_is_not_sent),
        cmocka_unit_test(test_ordinary_pieces_are_kept_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
