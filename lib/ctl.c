// SPDX-License-Identifier: BSD-2-Clause
#include "lib/ctl.h"

#include <string.h>

#include "lib/channel.h"
#include "lib/start.h"

static struct {
    struct leat_channel_end channel;
    leat_ctl_fn handler;
    bool is_open;
    unsigned first, count; /* of the backlog, a circle */
    struct leat_ctl backlog[LEAT_CTL_BACKLOG];
} ctl;

static void send_backlog(void)
{
    while (ctl.count != 0 && leat_ring_put(&ctl.channel.out, &ctl.backlog[ctl.first]) == LEAT_OK) {
        ctl.first = (ctl.first + 1) % LEAT_CTL_BACKLOG;
        ctl.count--;
    }
}

static void serve(void *context)
{
    struct leat_ctl message;

    (void)context;
    send_backlog();
    while (leat_ring_get(&ctl.channel.in, &message) == LEAT_OK) {
        message.text[sizeof(message.text) - 1] = 0;
        leat_channel_flush(&ctl.channel);
        ctl.handler(&message);
    }
    leat_channel_flush(&ctl.channel);
}

static bool has_work(void *context)
{
    bool more = !leat_ring_may_sleep(&ctl.channel.in);

    (void)context;
    if (ctl.count != 0) {
        more |= !leat_ring_may_sleep(&ctl.channel.out);
    }
    if (more) {
        serve(NULL);
    }
    return more;
}

int leat_ctl_init(struct leat_loop *loop, leat_ctl_fn handler)
{
    const struct leat_start_entry *entry = leat_start_find("ctl", NULL);
    int error;

    if (entry == NULL || entry->size < sizeof(struct leat_ctl_channel)) {
        return LEAT_ENOENT;
    }
    leat_channel_join(&ctl.channel, entry, offsetof(struct leat_ctl_channel, to_process),
                      LEAT_CTL_COUNT, sizeof(struct leat_ctl),
                      offsetof(struct leat_ctl_channel, from_process), LEAT_CTL_COUNT,
                      sizeof(struct leat_ctl));
    ctl.handler = handler;
    ctl.is_open = true;
    error = leat_loop_on(loop, entry->my_bits, serve, NULL);
    return error != LEAT_OK ? error : leat_loop_idle(loop, has_work, NULL);
}

int leat_ctl_send(uint32_t op, const char *text, uint64_t arg0, uint64_t arg1)
{
    const uint64_t arg[4] = {arg0, arg1};

    return leat_ctl_send_all(op, text, arg);
}

int leat_ctl_send_all(uint32_t op, const char *text, const uint64_t arg[4])
{
    struct leat_ctl *message;

    if (!ctl.is_open || ctl.count == LEAT_CTL_BACKLOG) {
        return LEAT_EAGAIN;
    }
    message = &ctl.backlog[(ctl.first + ctl.count) % LEAT_CTL_BACKLOG];
    memset(message, 0, sizeof(*message));
    message->op = op;
    memcpy(message->arg, arg, sizeof(message->arg));
    if (text != NULL) {
        strncpy(message->text, text, sizeof(message->text) - 1);
    }
    ctl.count++;
    send_backlog();
    leat_channel_flush(&ctl.channel);
    return LEAT_OK;
}
