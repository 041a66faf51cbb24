/* Unsent bytes: copied and lent pieces, sent in any portions. */
#include "rig.h"

#include "serve/file.h"
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

static struct cv_file *file_new(const char *bytes)
{
    struct cv_file *file = calloc(1, sizeof(*file) + 1);
    assert_non_null(file);
    file->refs = 1;
    file->fd = -1;
    file->bytes = bytes != NULL ? strdup(bytes) : NULL;
    return file;
}

static void append_file(struct chain *chain, struct cv_file *file, uint64_t offset, uint64_t len)
{
    struct cv_piece *piece = cv_piece_file(file, offset, len);
    assert_non_null(piece);
    cv_out_append(&chain->out, piece);
}

static void test_a_file_in_memory_is_lent(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct cv_file *file = file_new("0123456789");
    append(&chain, "<");
    append_file(&chain, file, 2, 3);
    append(&chain, ">");
    assert_string_equal(content(&chain), "<234>");
    assert_int_equal(file->refs, 2);
    cv_out_sent(&chain.out, &chain.pieces, 4);
    assert_int_equal(file->refs, 1);
    done(&chain);
    cv_file_unref(file);
}

static void test_a_file_on_disk_ends_the_parts(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct cv_out_file part;
    struct iovec parts[4];
    struct cv_file *file = file_new(NULL);
    append(&chain, "head");
    append_file(&chain, file, 100, 1000);
    append(&chain, "next");
    assert_int_equal(chain.out.unsent, 1008);
    assert_int_equal(cv_out_parts(&chain.out, parts, 4), 1);
    assert_false(cv_out_file(&chain.out, &part));
    cv_out_sent(&chain.out, &chain.pieces, 4);
    assert_int_equal(cv_out_parts(&chain.out, parts, 4), 0);
    assert_true(cv_out_file(&chain.out, &part));
    assert_ptr_equal(part.file, file);
    assert_int_equal(part.offset, 100);
    assert_int_equal(part.len, 1000);
    cv_out_sent(&chain.out, &chain.pieces, 400);
    assert_true(cv_out_file(&chain.out, &part));
    assert_int_equal(part.offset, 500);
    assert_int_equal(part.len, 600);
    cv_out_sent(&chain.out, &chain.pieces, 600);
    assert_false(cv_out_file(&chain.out, &part));
    assert_string_equal(content(&chain), "next");
    assert_int_equal(file->refs, 1);
    done(&chain);
    cv_file_unref(file);
}

static void test_chains_are_joined(void **state)
{
    (void)state;
    struct chain chain = {0};
    struct chain more = {0};
    append(&more, "two ");
    cv_out_join(&chain.out, &more.out);
    assert_string_equal(content(&chain), "two ");
    cv_out_join(&chain.out, &more.out);
    append(&more, "three");
    cv_out_join(&chain.out, &more.out);
    assert_string_equal(content(&chain), "two three");
    assert_int_equal(more.out.unsent, 0);
    append(&chain, " four");
    assert_string_equal(content(&chain), "two three four");
    done(&chain);
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
        cmocka_unit_test(test_a_file_in_memory_is_lent),
        cmocka_unit_test(test_a_file_on_disk_ends_the_parts),
        cmocka_unit_test(test_chains_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
