// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/client.h"
#include "services/net/platform.h"

#include <string.h>

/* In a round: a connection for each slot, and its end. A client that sends more waits for the others. */
#define ROUND_COMMANDS (2 * LEAT_NET_SLOTS)

void client_start(struct client *client, struct leat_net_channel *shared,
                  void (*signal)(void *context), void *context)
{
    const struct slot_account account = client->account;

    memset(client, 0, sizeof(*client));
    client->account = account;
    client->shared = shared;
    client->signal = signal;
    client->context = context;
    leat_ring_join(&client->commands, shared->commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), false);
    leat_ring_join(&client->events, shared->events, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_event), true);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        client->slots[i].shared = &shared->slots[i];
        client->slots[i].account = &client->account;
    }
}

void client_stop(struct client *client)
{
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
        slot_forget(&client->slots[i]);
    client->shared = NULL;
}

void client_set_info(struct client *client, const struct leat_net_info *info)
{
    client->shared->info = *info;
    client->owes_link = true;
}

static bool put_event(struct client *client, uint32_t kind, uint32_t slot, uint32_t generation,
                      int32_t status)
{
    struct leat_net_event event = {kind, slot, generation, status};

    if (leat_ring_put(&client->events, &event) != LEAT_OK)
        return false;
    client->is_touched = true;
    return true;
}

/* True: nothing is owed any more. */
static bool put_owed(struct client *client)
{
    if (client->owes_link && put_event(client, LEAT_NET_LINK, 0, 0, LEAT_OK))
        client->owes_link = false;
    bool all = !client->owes_link;

    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        struct slot *slot = &client->slots[i];
        if (slot->owes_connected &&
            put_event(client, LEAT_NET_CONNECTED, i, slot->generation, LEAT_OK))
            slot->owes_connected = false;
        if (slot->owes_closed && !slot->owes_connected &&
            put_event(client, LEAT_NET_CLOSED, i, slot->generation, slot->closed_status))
            slot->owes_closed = false;
        all = all && !slot->owes_connected && !slot->owes_closed;
    }
    return all;
}

static void execute(struct client *client, const struct leat_net_command *command,
                    bool network_is_up)
{
    if (command->slot >= LEAT_NET_SLOTS ||
        (command->op != LEAT_NET_CONNECT && command->op != LEAT_NET_CLOSE)) {
        net_log(
            "a client sent command %u for slot %u, which do not exist; it is not served any more",
            command->op, command->slot);
        client->is_broken = true;
        return;
    }
    struct slot *slot = &client->slots[command->slot];

    if (command->op == LEAT_NET_CONNECT) {
        if (slot->state == SLOT_CLOSED)
            slot_connect(slot, command->generation, network_is_up);
        else
            put_event(client, LEAT_NET_CLOSED, command->slot, command->generation, LEAT_EBUSY);
    } else if (slot->generation == command->generation) {
        slot_close(slot); /* if it is closed already, the event is on its way */
    } else if (slot->state == SLOT_CLOSED) {
        /* A connection of a net service before this one. */
        put_event(client, LEAT_NET_CLOSED, command->slot, command->generation, LEAT_OK);
    }
}

/* A command is taken only when its answer has a place; so a client that reads no events waits. */
static void take_commands(struct client *client, bool network_is_up)
{
    struct leat_net_command command;

    for (uint32_t i = 0; i < ROUND_COMMANDS; i++) {
        if (client->is_broken || !put_owed(client) || leat_ring_writable(&client->events) == 0 ||
            leat_ring_get(&client->commands, &command) != LEAT_OK)
            return;
        client->is_touched = true;
        execute(client, &command, network_is_up);
    }
}

void client_serve(struct client *client, bool network_is_up)
{
    if (client->is_broken)
        return;
    take_commands(client, network_is_up);
    bool must_signal = false;

    slot_count_lingering(&client->account);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
        slot_count(&client->slots[i]);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        slot_serve(&client->slots[i]);
        must_signal |= slot_must_signal(&client->slots[i]);
    }
    put_owed(client);
    if (client->is_touched) {
        must_signal |= leat_ring_must_signal(&client->events);
        must_signal |= leat_ring_must_signal(&client->commands);
        client->is_touched = false;
    }
    if (must_signal)
        client->signal(client->context);
    if (!client->is_broken && (client->commands.is_broken || client->events.is_broken)) {
        net_log("a client has broken its rings; it is not served any more");
        client->is_broken = true;
    }
    if (client->is_broken) {
        for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
            slot_forget(&client->slots[i]);
    }
}

bool client_may_sleep(struct client *client)
{
    if (client->is_broken)
        return true;
    /* Events that found no room: commands wait too, until the client has read some. */
    bool owes = client->owes_link;

    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        owes = owes || client->slots[i].owes_connected || client->slots[i].owes_closed;
        if (!slot_may_sleep(&client->slots[i]))
            return false;
    }
    if (owes || leat_ring_writable(&client->events) == 0)
        return leat_ring_may_sleep(&client->events) || client->events.is_broken;
    return leat_ring_may_sleep(&client->commands) || client->commands.is_broken;
}
