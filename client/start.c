// SPDX-License-Identifier: BSD-2-Clause
/* Until leatd lets the machine in: hello by its own key; where TLS fails with that, it asks by the key that everybody knows
   whether leatd knows the machine, or offers it the firmware's key. */
#include <stdio.h>
#include <string.h>

#include "client/inside.h"
#include "client/value.h"

#define DEFAULT_WAIT_S 10u
/* Until it is the key: a server that dies may hang up as one that has another key does. */
#define REFUSALS 2u

void client_enrol_psk(const struct client_platform *platform, char psk[CLIENT_PSK_BYTES])
{
    static const char text[] = "leat enrolment", hex[] = "0123456789abcdef";
    struct text out;
    uint8_t sum[32];
    platform->sha256(text, sizeof text - 1, sum);
    text_begin(&out, psk, CLIENT_PSK_BYTES);
    text_put(&out, "enrol:");
    for (unsigned i = 0; i < sizeof sum; i++)
        text_put_bytes(&out, (const char[]){hex[sum[i] >> 4], hex[sum[i] & 15]}, 2);
}

static void put_who(const struct client *c, struct text *text)
{
    text_put(text, "{\"uuid\":");
    text_put_json(text, c->uuid);
    text_put(text, ",\"macs\":[");
    text_put_json(text, c->mac);
    text_put(text, "],\"version\":");
    text_put_json(text, c->config.version);
}

static void put_request(struct client *c)
{
    struct text text;
    text_begin(&text, c->request, sizeof c->request);
    put_who(c, &text);
    if (c->next == JOB_ENROL) {
        text_put(&text, ",\"key\":");
        text_put_json(&text, strchr(c->config.psk, ':') + 1);
    } else if (c->config.product[0]) {
        text_put(&text, ",\"hardware\":{\"product\":");
        text_put_json(&text, c->config.product);
        text_put(&text, "}");
    }
    text_put(&text, "}");
}

/* The log has from net why that takes its time. */
void start_wait_for_network(struct client *c)
{
    char text[CLIENT_SENTENCE + 40];
    snprintf(text, sizeof text, "Waiting for the network%s%s.", c->network_why[0] ? ": " : "",
             c->network_why);
    c->has_notice = c->waits_for_network = true;
    c->output->progress(c->output->ctx, text);
}

void start_next(struct client *c)
{
    const struct client_server *server = client_server_of(c, &c->retry);
    if (!c->mac[0]) {
        if (!c->waits_for_network)
            start_wait_for_network(c);
        return;
    }
    if (c->waits_for_network)
        client_note(c, 0, "Asking the server %s:%u.", server->host, server->port);
    c->waits_for_network = false;
    put_request(c);
    session_begin_job(c, c->next, c->next == JOB_ENROL ? "/client/v1/enrol" : "/client/v1/hello",
                      NULL, c->next == JOB_HELLO ? CLIENT_OWN : CLIENT_ENROL);
}

/* The next connection is a new one: leatd may have made another key for this machine meanwhile, which shows in TLS. */
void start_pause(struct client *c, enum client_job next, uint64_t wait_s)
{
    exchange_stop(&c->control);
    exchange_stop(&c->transfer);
    c->step = STEP_WAITING;
    c->next = next;
    c->retry.failures = 0;
    c->retry.at_ns = c->now_ns + wait_s * NS_PER_S;
}

static void go_round(struct client *c, const char *why)
{
    const struct client_server *server = client_server_of(c, &c->retry);
    char host[CLIENT_HOST_BYTES];
    unsigned port = server->port;
    strcpy(host, server->host);
    c->refusals = 0;
    uint64_t wait_s = client_retry(c, &c->retry);
    client_note(c, wait_s, "The server %s:%u: %s.", host, port, why);
}

/* The way in for a machine whose own key this server does not take. */
static enum client_job way_in(const struct client *c)
{
    return c->config.may_enrol && !c->cannot_enrol && !c->has_enrolled ? JOB_ENROL : JOB_ASK;
}

void start_failed(struct client *c)
{
    enum client_job job = c->job;
    c->job = JOB_NONE;
    memset(c->request, 0, sizeof c->request);
    if (job == JOB_HELLO && c->control.is_refused) {
        c->refusals += c->refusals < REFUSALS;
        c->next = way_in(c);
        return;
    }
    c->next = JOB_HELLO;
    go_round(c, c->control.why);
}

static void note_disk(void *ctx, const char *disk, const char *why)
{
    client_log(ctx, "the disk '%s' is left out: %s", disk, why);
}

static void make_offer(struct client *c)
{
    static struct leat_client_offer offer;
    memset(&offer, 0, sizeof offer);
    offer.count = c->hello.disk_count;
    offer.chosen_first = c->hello.first;
    offer.timeout_s = (uint32_t)c->hello.menu_s;
    for (unsigned i = 0; i < offer.count; i++) {
        strcpy(offer.entries[i].name, c->hello.disks[i].name);
        strcpy(offer.entries[i].label, c->hello.disks[i].label);
        offer.entries[i].always = c->hello.disks[i].always;
    }
    c->step = STEP_OFFERED;
    c->output->offer(c->output->ctx, &offer);
}

static void let_in(struct client *c)
{
    const char *why = answer_hello(c->answer, (size_t)c->control.got, &c->hello, note_disk, c);
    memset(c->answer, 0, (size_t)c->control.got);
    if (why) {
        c->next = JOB_HELLO;
        go_round(c, why);
        return;
    }
    client_note_over(c);
    c->has_enrolled = false;
    c->retry.failures = 0;
    strcpy(c->session, c->hello.session);
    c->renew_s = c->hello.renew_s;
    c->renew_ns = c->now_ns + c->renew_s * NS_PER_S;
    make_offer(c);
}

/* Known by another key than ours, or just enrolled. */
static void found_known(struct client *c, enum client_job job, uint64_t wait_s)
{
    if (job == JOB_ENROL) {
        c->has_enrolled = true;
        start_pause(c, JOB_HELLO, 0);
        return;
    }
    if (c->refusals < REFUSALS) {
        start_pause(c, JOB_HELLO, 0);
        return;
    }
    c->has_enrolled = false;
    start_pause(c, JOB_HELLO, wait_s);
    client_note(c, wait_s,
                "The server knows this machine by another key than the one that it has: ask your "
                "administrator. UUID %s, MAC %s.",
                c->uuid, c->mac);
}

static void refused(struct client *c, const struct client_reply *reply, uint64_t wait_s)
{
    start_pause(c, JOB_HELLO, wait_s);
    client_note(c, wait_s, "%s UUID %s, MAC %s.", reply->error, c->uuid, c->mac);
}

void start_answered(struct client *c)
{
    enum client_job job = c->job;
    unsigned status = c->control.answer.status;
    bool is_good = status == 200;
    struct client_reply reply;
    const char *text = is_good ? c->answer : c->control.error;
    bool is_json = answer_reply(text, is_good ? (size_t)c->control.got : strlen(text), &reply);
    bool is_known = is_good && is_json && !strcmp(reply.state, "known");
    uint64_t wait_s = reply.wait_s ? reply.wait_s : DEFAULT_WAIT_S;
    c->job = JOB_NONE;
    memset(c->request, 0, sizeof c->request);
    if (job == JOB_HELLO || !is_known)
        c->refusals = 0;
    if (is_good && job == JOB_HELLO && !strcmp(reply.state, "ok")) {
        let_in(c);
    } else if (is_known) {
        found_known(c, job, wait_s);
    } else if (!is_good && job == JOB_ENROL && !reply.state[0] &&
               (status == 404 || status == 405)) {
        c->cannot_enrol = true;
        c->next = JOB_ASK;
    } else if (!is_good && job == JOB_HELLO && c->config.may_enrol &&
               !strcmp(reply.state, "unknown")) {
        c->next = way_in(c);
    } else if (!is_good && status < 500 && is_json && reply.error[0]) {
        refused(c, &reply, wait_s);
    } else if (!is_good && is_json && reply.error[0]) {
        c->next = JOB_HELLO;
        go_round(c, reply.error);
    } else {
        c->next = JOB_HELLO;
        go_round(c, is_json ? "its answer has no state that fits" : "its answer is no JSON");
    }
}
