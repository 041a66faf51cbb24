/* Fuzz target: a datagram as it comes over a channel: of a worker's to the master, or a control
 * client's; and what the latter would read from an answer. */
#include "supervise/shared/channel.h"

#include "fuzz/target.h"
#include "supervise/control/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_BYTES offsetof(struct cv_message, body)

static void check_request(const struct cv_message *message)
{
    struct cv_control_request request;
    struct cv_message again;
    int rc = cv_control_read(&request, message);
    CHECK(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
    if (rc < 0)
        return;
    CHECK(message->body_len == 0);
    cv_control_write(&again, &request);
    CHECK(again.kind == message->kind && again.word[0] == message->word[0]);
}

static void check_answer(struct cv_message *message)
{
    struct cv_control_fleet fleet;
    struct cv_control_slot slot;
    const char *text;
    if (cv_control_read_fleet(&fleet, &text, message) == 0) {
        CHECK(memchr(fleet.name, '\0', sizeof(fleet.name)) != NULL);
        for (uint32_t i = 0; i < fleet.n_listeners; i++)
            text += strlen(text) + 1;
        CHECK(text == message->body + message->body_len);
    }
    for (size_t i = 0; cv_control_read_slot(&slot, message, i); i++)
        CHECK((i + 1) * sizeof(slot) <= message->body_len &&
              memchr(slot.state, '\0', sizeof(slot.state)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int pair[2];
    static struct cv_message message;
    if (pair[0] == 0)
        CHECK(cv_channel_pair(pair) == 0);
    if (size == 0 || size > sizeof(message) + 100)
        return 0;
    CHECK(send(pair[0], data, size, MSG_DONTWAIT) == (ssize_t)size);
    int rc = cv_channel_receive(pair[1], &message);
    CHECK(rc == 1 || rc == -EBADMSG);
    if (rc == 1) {
        CHECK(size == HEAD_BYTES + message.body_len);
        CHECK(memcmp(&message, data, size) == 0);
        check_request(&message);
        check_answer(&message);
    }
    CHECK(cv_channel_receive(pair[1], &message) == -EAGAIN); /* nothing of it is left */
    return 0;
}
