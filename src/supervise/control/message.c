#include "supervise/control/message.h"

#include <errno.h>
#include <stdio.h>

/* Which word of a message says what. */
enum { NUMBER = 0, LAYOUT = 1, VERSION = 3 };

static void begin(struct cv_message *ret, uint32_t kind)
{
    ret->kind = kind;
    ret->body_len = 0;
    ret->time = 0;
    memset(ret->word, 0, sizeof(ret->word));
    ret->word[VERSION] = CV_CONTROL_VERSION;
}

/* ---- Commands ---- */

void cv_control_write(struct cv_message *ret, const struct cv_control_request *request)
{
    begin(ret, request->command);
    ret->word[NUMBER] = request->number;
}

int cv_control_read(struct cv_control_request *ret, const struct cv_message *message)
{
    if (message->word[VERSION] != CV_CONTROL_VERSION)
        return -EPROTO;
    if (message->kind < CV_CONTROL_STATUS || message->kind > CV_CONTROL_METRICS ||
        message->body_len != 0)
        return -EBADMSG;
    uint32_t number = message->word[NUMBER];
    if (message->kind == CV_CONTROL_STOP && number != CV_STOP_TERM && number != CV_STOP_QUIT)
        return -EBADMSG;
    *ret = (struct cv_control_request){(enum cv_control_command)message->kind, number};
    return 0;
}

/* ---- Answers ---- */

void cv_control_write_done(struct cv_message *ret, bool is_done, const char *sentence)
{
    begin(ret, CV_CONTROL_DONE);
    ret->word[NUMBER] = is_done ? 0 : 1;
    (void)snprintf(ret->body, sizeof(ret->body), "%s", sentence);
    ret->body_len = (uint32_t)strlen(ret->body);
}

void cv_control_write_fleet(struct cv_message *ret, const struct cv_control_fleet *fleet,
                            const struct cv_listeners *listeners)
{
    _Static_assert(sizeof(*fleet) + CV_LISTEN_MAX * CV_LISTEN_TEXT_MAX <= CV_MESSAGE_BODY_MAX,
                   "all listeners fit");
    begin(ret, CV_CONTROL_FLEET);
    struct cv_control_fleet body = *fleet;
    body.n_listeners = 0;
    size_t len = sizeof(body);
    for (int i = 0; i < listeners->n; i++) {
        if (listeners->item[i].owner[0] != '\0')
            continue;
        body.n_listeners++;
        size_t text = strlen(listeners->item[i].text) + 1;
        memcpy(ret->body + len, listeners->item[i].text, text);
        len += text;
    }
    memcpy(ret->body, &body, sizeof(body));
    ret->body_len = (uint32_t)len;
}

void cv_control_write_slots(struct cv_message *ret)
{
    begin(ret, CV_CONTROL_SLOTS);
}

bool cv_control_add_slot(struct cv_message *message, const struct cv_control_slot *slot)
{
    if (message->body_len + sizeof(*slot) > sizeof(message->body))
        return false;
    memcpy(message->body + message->body_len, slot, sizeof(*slot));
    message->body_len += (uint32_t)sizeof(*slot);
    return true;
}

void cv_control_write_regions(struct cv_message *ret, uint32_t layout)
{
    begin(ret, CV_CONTROL_REGIONS);
    ret->word[LAYOUT] = layout;
}

void cv_control_add_region(struct cv_message *message, uint32_t slot)
{
    _Static_assert(CV_CHANNEL_FILES_MAX * sizeof(slot) <= CV_MESSAGE_BODY_MAX, "all of them fit");
    memcpy(message->body + message->body_len, &slot, sizeof(slot));
    message->body_len += (uint32_t)sizeof(slot);
}

static bool are_strings(const char *at, size_t len, uint32_t n)
{
    for (; n > 0; n--) {
        const char *end = memchr(at, '\0', len);
        if (end == NULL)
            return false;
        len -= (size_t)(end - at) + 1;
        at = end + 1;
    }
    return len == 0;
}

int cv_control_read_fleet(struct cv_control_fleet *ret, const char **ret_listeners,
                          struct cv_message *message)
{
    if (message->kind != CV_CONTROL_FLEET || message->body_len < sizeof(*ret))
        return -EBADMSG;
    memcpy(ret, message->body, sizeof(*ret));
    ret->name[sizeof(ret->name) - 1] = '\0';
    ret->reload[sizeof(ret->reload) - 1] = '\0';
    ret->containment[sizeof(ret->containment) - 1] = '\0';
    *ret_listeners = message->body + sizeof(*ret);
    return are_strings(*ret_listeners, message->body_len - sizeof(*ret), ret->n_listeners)
               ? 0
               : -EBADMSG;
}

bool cv_control_read_slot(struct cv_control_slot *ret, const struct cv_message *message, size_t i)
{
    if (message->kind != CV_CONTROL_SLOTS || i >= message->body_len / sizeof(*ret))
        return false;
    memcpy(ret, message->body + i * sizeof(*ret), sizeof(*ret));
    ret->state[sizeof(ret->state) - 1] = '\0';
    ret->who[sizeof(ret->who) - 1] = '\0';
    ret->says[sizeof(ret->says) - 1] = '\0';
    return true;
}

bool cv_control_read_region(uint32_t *ret_slot, const struct cv_message *message, size_t i)
{
    if (message->kind != CV_CONTROL_REGIONS || i >= message->body_len / sizeof(*ret_slot))
        return false;
    memcpy(ret_slot, message->body + i * sizeof(*ret_slot), sizeof(*ret_slot));
    return true;
}

uint32_t cv_control_layout(const struct cv_message *message)
{
    return message->word[LAYOUT];
}
