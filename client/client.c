// SPDX-License-Identifier: BSD-2-Clause
#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/inside.h"
#include "client/value.h"

#define LINE_BYTES 280u /* as in struct leat_ctl */
#define MAX_PAUSE_S 30u
#define NEXT_ONE_NS (5 * NS_PER_S)
#define SAVED_MAGIC "leatcli1"
#define KEY_DIGITS 64u

void client_log(const struct client *c, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    c->platform->log(c->platform->ctx, line);
}

void client_note(struct client *c, uint64_t wait_s, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    c->has_notice = true;
    c->output->notice(c->output->ctx, line, wait_s);
}

void client_note_over(struct client *c)
{
    if (c->has_notice)
        c->output->notice(c->output->ctx, "", 0);
    c->has_notice = false;
}

const struct client_server *client_server_of(const struct client *c, const struct retry *retry)
{
    return &c->config.servers[retry->server % c->config.server_count];
}

uint64_t client_patience(const struct client *c, const struct retry *retry)
{
    return retry->failures + 1 < c->config.server_count ? NEXT_ONE_NS : EXCHANGE_SHAKE_NS;
}

/* Once round all servers at once, then after 1, 2, 4 ... 30 seconds, each a quarter more or less. */
uint64_t client_retry(struct client *c, struct retry *retry)
{
    unsigned rounds = ++retry->failures / c->config.server_count;
    uint64_t pause_s = rounds > 5 ? MAX_PAUSE_S : rounds ? 1u << (rounds - 1) : 0;
    pause_s = pause_s > MAX_PAUSE_S ? MAX_PAUSE_S : pause_s;
    uint64_t pause_ns = pause_s ? pause_s * NS_PER_S : NS_PER_S / 10;
    retry->server = (retry->server + 1) % c->config.server_count;
    retry->at_ns =
        c->now_ns + pause_ns * 3 / 4 + c->platform->random(c->platform->ctx) % (pause_ns / 2);
    return pause_s ? pause_s : 1;
}

bool client_take_servers(struct client_config *config, const char *text)
{
    config->server_count = 0;
    for (text += strspn(text, ", "); *text; text += strspn(text, ", ")) {
        size_t size = strcspn(text, ", ");
        if (config->server_count == CLIENT_SERVERS ||
            !value_take_server(text, size, CLIENT_PORT, &config->servers[config->server_count]))
            return false;
        config->server_count++;
        text += size;
    }
    return config->server_count > 0;
}

static const char *judge_config(const struct client_config *config)
{
    size_t name = strcspn(config->psk, ":");
    const char *key = config->psk + name + 1;
    if (!config->server_count || config->server_count > CLIENT_SERVERS)
        return "no server of leatd is given";
    if (config->psk[name] != ':' || name != CLIENT_UUID_BYTES - 1 ||
        strspn(config->psk, "0123456789abcdefABCDEF-") != name)
        return "the machine's key is not of the form UUID:HEX";
    if (strlen(key) != KEY_DIGITS || strspn(key, "0123456789abcdefABCDEF") != KEY_DIGITS)
        return "the machine's key is not 64 hexadecimal digits";
    return NULL;
}

struct client *client_create(const struct client_config *config,
                             const struct client_platform *platform,
                             const struct client_output *output, const char **why)
{
    *why = judge_config(config);
    struct client *c = *why ? NULL : calloc(1, sizeof *c);
    if (!c) {
        *why = *why ? *why : "no memory for the client";
        return NULL;
    }
    c->config = *config;
    c->platform = platform;
    c->output = output;
    for (unsigned i = 0; i + 1 < sizeof c->uuid; i++)
        c->uuid[i] = (char)(config->psk[i] | (config->psk[i] >= 'A' ? 0x20 : 0));
    c->next = JOB_HELLO;
    exchange_init(&c->control, platform);
    exchange_init(&c->transfer, platform);
    return c;
}

void client_free(struct client *c)
{
    exchange_stop(&c->control);
    exchange_stop(&c->transfer);
    free(c);
}

void client_set_mac(struct client *c, const uint8_t mac[6])
{
    snprintf(c->mac, sizeof c->mac, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
}

void client_network_waits(struct client *c, const char *why)
{
    value_show(c->network_why, sizeof c->network_why, why);
    if (c->waits_for_network)
        start_wait_for_network(c);
}

/* A pause that leatd has asked for is kept. */
void client_network_up(struct client *c)
{
    if (c->retry.failures)
        c->retry.at_ns = 0;
    if (c->transfer_retry.failures)
        c->transfer_retry.at_ns = 0;
}

void client_choose(struct client *c, uint64_t chosen)
{
    if (c->step != STEP_OFFERED)
        return;
    unsigned count = c->hello.disk_count;
    c->chosen = count < 64 ? chosen & ((1ull << count) - 1) : chosen;
    c->retry.at_ns = 0; /* somebody waits now */
    c->step = STEP_CHOSEN;
}

void client_memory(struct client *c, uint64_t number, void *memory)
{
    struct file *file = number && number <= c->file_count ? &c->files[number - 1] : NULL;
    if (!file || file->state != FILE_ASKED)
        return;
    file->memory = memory;
    file->state = memory ? FILE_WANTED : FILE_FAILED;
    if (!memory)
        client_log(c, "there is no memory for %s, %llu MiB", file->name,
                   (unsigned long long)(file->what->size >> 20));
}

void client_report(struct client *c, const char *text, size_t size)
{
    if (c->report_state != REPORT_ASKED)
        return;
    c->report_state = REPORT_HERE;
    c->report_size = 0;
    if (size > sizeof c->report || !answer_is_object(text, size))
        return;
    memcpy(c->report, text, size);
    c->report_size = size;
}

void client_profile(struct client *c, const char *disk, const void *data, size_t size)
{
    struct text path;
    text_begin(&path, c->profile.path, sizeof c->profile.path);
    text_put(&path, "/client/v1/profile/");
    text_put(&path, disk);
    if (c->profile.data || !value_is_name(disk) || size > LEAT_CLIENT_PROFILE_BYTES ||
        c->step == STEP_ENDED) {
        c->output->profile_taken(c->output->ctx, size);
        return;
    }
    c->profile.data = data;
    c->profile.size = size;
    c->transfer_retry.failures = 0;
    c->transfer_retry.at_ns = 0;
}

void client_stop(struct client *c)
{
    if (c->step == STEP_LEAVING || c->step == STEP_OVER)
        return;
    exchange_stop(&c->transfer);
    c->profile.data = NULL;
    if (c->job != JOB_NONE)
        exchange_stop(&c->control);
    c->job = JOB_NONE;
    c->retry.at_ns = 0;
    c->step = c->session[0] && c->step != STEP_ENDED ? STEP_LEAVING : STEP_OVER;
}

const char *client_describe(const struct client *c)
{
    static const char *const words[] = {
        [STEP_WAITING] = "not let in yet",       [STEP_OFFERED] = "waits for a choice",
        [STEP_CHOSEN] = "tells what was chosen", [STEP_FILES] = "downloads",
        [STEP_RUNNING] = "renews the session",   [STEP_ENDED] = "the server has ended the session",
        [STEP_LEAVING] = "says good-bye",        [STEP_OVER] = "is done",
    };
    return words[c->step];
}

bool client_is_over(const struct client *c)
{
    return c->step == STEP_OVER;
}

void client_save(const struct client *c, struct client_saved *to)
{
    memset(to, 0, sizeof *to);
    memcpy(to->magic, SAVED_MAGIC, sizeof to->magic);
    to->renew_s = (uint32_t)c->renew_s;
    to->server = c->retry.server;
    memcpy(to->session, c->session, sizeof to->session);
}

bool client_go_on(struct client *c, const struct client_saved *from)
{
    struct client_saved saved = *from;
    saved.session[sizeof saved.session - 1] = 0;
    if (memcmp(saved.magic, SAVED_MAGIC, sizeof saved.magic) != 0 || !saved.renew_s ||
        saved.renew_s > 3600 || saved.server >= c->config.server_count ||
        !value_is_word(saved.session, sizeof saved.session))
        return false;
    memcpy(c->session, saved.session, sizeof c->session);
    c->renew_s = saved.renew_s;
    c->retry.server = c->transfer_retry.server = saved.server;
    c->renew_ns = 0; /* at once: nobody knows how long nothing was said */
    c->step = STEP_RUNNING;
    return true;
}

static bool is_of_start(enum client_job job)
{
    return job == JOB_HELLO || job == JOB_ENROL || job == JOB_ASK;
}

static void run_control(struct client *c)
{
    if (c->job == JOB_NONE) {
        if (c->now_ns < c->retry.at_ns)
            return;
        if (c->step == STEP_WAITING)
            start_next(c);
        else
            session_next(c);
    }
    if (c->job == JOB_NONE)
        return;
    enum exchange_state state = exchange_run(&c->control);
    bool is_start = is_of_start(c->job);
    if (state == EXCHANGE_DONE)
        (is_start ? start_answered : session_answered)(c);
    else if (state == EXCHANGE_FAILED)
        (is_start ? start_failed : session_failed)(c);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What waits for a time alone. */
static uint64_t deadline(const struct client *c)
{
    uint64_t when = UINT64_MAX;
    bool is_told = c->mac[0] != 0; /* else client_set_mac comes first */
    if (c->job != JOB_NONE)
        when = exchange_deadline(&c->control);
    else if (c->step == STEP_WAITING)
        when = is_told ? c->retry.at_ns : UINT64_MAX;
    else
        when = session_deadline(c);
    when = earlier(when, exchange_deadline(&c->transfer));
    bool has_transfer = c->profile.data || (c->step == STEP_FILES && c->file_now < c->file_count &&
                                            c->files[c->file_now].state == FILE_WANTED);
    if (has_transfer && c->transfer.state != EXCHANGE_BUSY)
        when = earlier(when, c->transfer_retry.at_ns);
    return when;
}

uint64_t client_run(struct client *c)
{
    enum client_step step;
    enum client_job job;
    do { /* an answer may be the beginning of the next request */
        step = c->step;
        job = c->job;
        c->now_ns = c->platform->now_ns(c->platform->ctx);
        run_control(c);
        if (c->step == STEP_FILES)
            files_run(c);
        else if (c->profile.data)
            profile_run(c);
    } while (c->step != step || c->job != job);
    exchange_watch(&c->control);
    exchange_watch(&c->transfer);
    return deadline(c);
}
