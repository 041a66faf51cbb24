/* Addresses as text. */
#include "rig.h"

#include <sys/un.h>

#include "serve/peer.h"

static const char *text_of(const void *address, size_t len)
{
    static char text[CV_PEER_TEXT];
    struct sockaddr_storage storage = {0};
    memcpy(&storage, address, len);
    struct cv_peer peer = cv_peer_of(&storage);
    cv_peer_write(&peer, text);
    return text;
}

static const char *text_of_ipv6(const char *from)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, from, &address.sin6_addr), 1);
    return text_of(&address, sizeof(address));
}

static void test_a_unix_socket_has_no_address(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_string_equal(text_of(&address, sizeof(address)), "");
}

static void test_ipv4_and_ipv6_are_written_as_usual(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    assert_string_equal(text_of(&address, sizeof(address)), "127.0.0.1");
    assert_string_equal(text_of_ipv6("2001:db8::1"), "2001:db8::1");
    assert_string_equal(text_of_ipv6("::1"), "::1");
}

static void test_ipv4_through_an_ipv6_socket_is_ipv4(void **state)
{
    (void)state;
    assert_string_equal(text_of_ipv6("::ffff:192.0.2.7"), "192.0.2.7");
}

static void test_the_longest_address_fits(void **state)
{
    (void)state;
    const char *longest = "1111:2222:3333:4444:5555:6666:7777:8888";
    assert_string_equal(text_of_ipv6(longest), longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_unix_socket_has_no_address),
        cmocka_unit_test(test_ipv4_and_ipv6_are_written_as_usual),
        cmocka_unit_test(test_ipv4_through_an_ipv6_socket_is_ipv4),
        cmocka_unit_test(test_the_longest_address_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
