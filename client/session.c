// SPDX-License-Identifier: BSD-2-Clause
/* What is said in a session: what was chosen, renewals, good-bye. */
#include <stdio.h>
#include <string.h>

#include "client/inside.h"

#define REPORT_WAIT_NS (2 * NS_PER_S)
#define BYE_LIMIT_NS (3 * NS_PER_S)

void session_begin_job(struct client *c, enum client_job job, const char *path, const char *token,
                       enum client_identity identity)
{
    const struct exchange_request request = {
        .method = "POST",
        .path = path,
        .token = token,
        .identity = identity,
        .body = c->request,
        .body_size = strlen(c->request),
        .limit_ns = job == JOB_BYE ? BYE_LIMIT_NS : CONTROL_LIMIT_NS,
        .shake_ns = client_patience(c, &c->retry),
        .into = c->answer,
        .room = sizeof c->answer,
    };
    c->job = job;
    exchange_pass(&c->transfer, &c->control);
    exchange_start(&c->control, client_server_of(c, &c->retry), &request);
}

static void say_chosen(struct client *c)
{
    struct text text;
    bool is_first = true;
    text_begin(&text, c->request, sizeof c->request);
    text_put(&text, "{\"disks\":[");
    for (unsigned i = 0; i < c->hello.disk_count; i++) {
        if (!(c->chosen >> i & 1))
            continue;
        text_put(&text, is_first ? "" : ",");
        text_put_json(&text, c->hello.disks[i].name);
        is_first = false;
    }
    text_put(&text, "]}");
    session_begin_job(c, JOB_CHOSEN, "/client/v1/chosen", c->session, CLIENT_OWN);
}

static void renew(struct client *c)
{
    struct text text;
    text_begin(&text, c->request, sizeof c->request);
    if (c->report_size) {
        text_put(&text, "{\"report\":");
        text_put_bytes(&text, c->report, c->report_size);
        text_put(&text, "}");
    }
    session_begin_job(c, JOB_RENEW, "/client/v1/renew", c->session, CLIENT_OWN);
}

/* A machine whose VMs run has a report to give, and a moment to make it. */
static bool waits_for_report(struct client *c)
{
    if (c->step != STEP_RUNNING)
        return false;
    if (c->report_state == REPORT_NONE) {
        c->report_state = REPORT_ASKED;
        c->report_ns = c->now_ns + REPORT_WAIT_NS;
        c->output->want_report(c->output->ctx);
    }
    return c->report_state == REPORT_ASKED && c->now_ns < c->report_ns;
}

static bool has_session(const struct client *c)
{
    return c->step == STEP_OFFERED || c->step == STEP_CHOSEN || c->step == STEP_FILES ||
           c->step == STEP_RUNNING;
}

void session_next(struct client *c)
{
    if (c->step == STEP_LEAVING) {
        c->request[0] = 0;
        session_begin_job(c, JOB_BYE, "/client/v1/bye", c->session, CLIENT_OWN);
    } else if (has_session(c) && c->now_ns >= c->renew_ns) {
        if (!waits_for_report(c))
            renew(c);
    } else if (c->step == STEP_CHOSEN) {
        say_chosen(c);
    }
}

uint64_t session_deadline(const struct client *c)
{
    if (c->step == STEP_LEAVING)
        return 0;
    if (!has_session(c))
        return UINT64_MAX;
    uint64_t when = c->report_state == REPORT_ASKED ? c->report_ns : c->renew_ns;
    when = c->step == STEP_CHOSEN ? 0 : when;
    return when > c->retry.at_ns ? when : c->retry.at_ns;
}

void session_lost(struct client *c, const char *why)
{
    c->session[0] = 0;
    if (c->step == STEP_RUNNING) {
        c->step = STEP_ENDED;
        client_log(c, "the server has ended the session: %s", why);
        c->output->ended(c->output->ctx, why);
    } else if (c->step == STEP_FILES) {
        c->step = STEP_ENDED;
        c->output->start_again(c->output->ctx, why);
    } else {
        client_log(c, "the server has ended the session: %s; saying hello again", why);
        start_pause(c, JOB_HELLO, 0);
    }
}

/* One that goes on after a death does not know any more what was chosen. */
static bool is_ours(const struct client *c, const char *disk)
{
    for (unsigned i = 0; i < c->hello.disk_count; i++)
        if (!strcmp(c->hello.disks[i].name, disk))
            return c->chosen >> i & 1;
    return c->hello.disk_count == 0;
}

/* To whoever looks at the VM, each time: vdisk tells there of each try. */
static void tell_waiting(struct client *c, const struct client_reply *reply)
{
    for (unsigned i = 0; i < reply->busy_count; i++) {
        const struct client_busy *busy = &reply->busy[i];
        char text[CLIENT_SENTENCE];
        if (!is_ours(c, busy->disk))
            continue;
        snprintf(text, sizeof text, "disk '%s/%s': in use by %s: this VM waits until that is over",
                 busy->disk, busy->disk, busy->holder);
        c->output->busy(c->output->ctx, text);
    }
}

/* Who writes a disk that a VM here waits for: NBD's refusal does not tell. Said when it changes, of what runs. */
static void say_busy(struct client *c, const struct client_reply *reply)
{
    struct text text;
    char now[CLIENT_SENTENCE];
    if (c->step != STEP_RUNNING)
        return;
    text_begin(&text, now, sizeof now);
    for (unsigned i = 0; i < reply->busy_count; i++) {
        if (!is_ours(c, reply->busy[i].disk))
            continue;
        text_put(&text, text.used ? ", disk " : "disk ");
        text_put(&text, reply->busy[i].disk);
        text_put(&text, " is in use by ");
        text_put(&text, reply->busy[i].holder);
    }
    tell_waiting(c, reply);
    if (now[0] && strcmp(now, c->busy) != 0)
        client_log(c, "%s: its VM waits until that is over", now);
    strcpy(c->busy, now);
}

static void renewed(struct client *c, const struct client_reply *reply)
{
    if (c->retry.failures)
        client_log(c, "the session is renewed again");
    c->retry.failures = 0;
    c->report_size = 0;
    c->report_state = REPORT_NONE;
    if (reply->renew_s)
        c->renew_s = reply->renew_s;
    c->renew_ns = c->now_ns + c->renew_s * NS_PER_S;
}

static void try_again(struct client *c, enum client_job job, const char *why)
{
    const struct client_server *server = client_server_of(c, &c->retry);
    if (job == JOB_BYE) {
        c->step = STEP_OVER;
        return;
    }
    if (!c->retry.failures)
        client_log(c, "the server %s:%u: %s; it is tried again", server->host, server->port, why);
    uint64_t wait_s = client_retry(c, &c->retry);
    if (c->step == STEP_CHOSEN) /* the screen says that the machine starts */
        client_note(c, wait_s, "The server %s:%u: %s.", server->host, server->port, why);
}

void session_failed(struct client *c)
{
    enum client_job job = c->job;
    c->job = JOB_NONE;
    try_again(c, job, c->control.why);
}

void session_answered(struct client *c)
{
    enum client_job job = c->job;
    unsigned status = c->control.answer.status;
    struct client_reply reply;
    bool is_good = status == 200;
    const char *text = is_good ? c->answer : c->control.error;
    answer_reply(text, is_good ? (size_t)c->control.got : strlen(text), &reply);
    c->job = JOB_NONE;
    if (job == JOB_BYE) {
        c->step = STEP_OVER;
    } else if (status == 401) {
        session_lost(c, reply.error[0] ? reply.error : "it gave no reason");
    } else if (is_good && job == JOB_RENEW) {
        renewed(c, &reply);
        say_busy(c, &reply);
    } else if (job == JOB_CHOSEN && (is_good || (status >= 400 && status < 500 && status != 429))) {
        /* One that will not be told changes nothing for the machine. */
        if (!is_good)
            client_log(c, "the server does not take note of what was chosen: %s", reply.error);
        c->retry.failures = 0;
        c->is_busy = reply.busy_count != 0;
        files_begin(c);
    } else {
        if (job == JOB_RENEW && status >= 400 && status < 500 && status != 429)
            c->report_size = 0; /* the same one would be refused again */
        try_again(c, job, reply.error[0] ? reply.error : "its answer makes no sense");
    }
}
