// SPDX-License-Identifier: BSD-2-Clause
/* Boot profiles on their way up. One that cannot be brought there is no loss but of time at the next start. */
#include <string.h>

#include "client/inside.h"

#define MAX_FAILURES 8u

static void end(struct client *c, const char *why)
{
    if (why)
        client_log(c, "a boot profile is not kept by the server: %s", why);
    c->profile.data = NULL;
    c->output->profile_taken(c->output->ctx, c->profile.size);
}

static void failed(struct client *c, const char *why)
{
    if (c->transfer_retry.failures + 1 >= MAX_FAILURES)
        end(c, why);
    else
        client_retry(c, &c->transfer_retry);
}

static void answered(struct client *c)
{
    struct client_reply reply;
    unsigned status = c->transfer.answer.status;
    answer_reply(c->transfer.error, strlen(c->transfer.error), &reply);
    if (status == 200 || status == 201 || status == 204)
        end(c, NULL);
    else if (status >= 500 || status == 429)
        failed(c, reply.error);
    else
        end(c, reply.error);
}

void profile_run(struct client *c)
{
    if (c->step != STEP_RUNNING) {
        /* Nobody would run it, and its deadline would be over for ever. */
        exchange_stop(&c->transfer);
        end(c, NULL);
        return;
    }
    if (c->transfer.state != EXCHANGE_BUSY) {
        const struct exchange_request request = {
            .method = "PUT",
            .path = c->profile.path,
            .token = c->session,
            .identity = CLIENT_OWN,
            .body = c->profile.data,
            .body_size = c->profile.size,
            .limit_ns = CONTROL_LIMIT_NS,
            .into = c->sink,
            .room = sizeof c->sink,
        };
        if (c->now_ns < c->transfer_retry.at_ns)
            return;
        exchange_pass(&c->control, &c->transfer);
        exchange_start(&c->transfer, client_server_of(c, &c->transfer_retry), &request);
    }
    enum exchange_state state = exchange_run(&c->transfer);
    if (state == EXCHANGE_DONE)
        answered(c);
    else if (state == EXCHANGE_FAILED)
        failed(c, c->transfer.why);
}
