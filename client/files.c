// SPDX-License-Identifier: BSD-2-Clause
/* Kernels, initrds and boot profiles of what was chosen: memory for each, then its bytes, from where they broke off, until
   their SHA-256 is the one that leatd has said. Then the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/inside.h"
#include "client/sections.h"

#define BUSY_NS (3 * NS_PER_S) /* what waits has its own console by then */
#define MAX_WRONG 3u           /* after so many it is left out */
#define PROGRESS_NS NS_PER_S
#define LEAST_RATE (16u << 10) /* bytes a second: from a slower server the next one takes over */

static const struct client_file *file_at(const struct client_disk *disk, unsigned which)
{
    const struct client_file *files[FILES_OF_DISK] = {&disk->kernel, &disk->initrd, &disk->profile};
    return files[which];
}

/* The same bytes are downloaded once. */
static unsigned find_same(const struct client *c, const struct client_file *what)
{
    for (unsigned i = 0; i < c->file_count; i++)
        if (c->files[i].what->size == what->size &&
            !memcmp(c->files[i].what->sha256, what->sha256, sizeof what->sha256))
            return i + 1;
    return 0;
}

static void list_disk(struct client *c, unsigned disk)
{
    static const char *const names[FILES_OF_DISK] = {"kernel", "initrd", "profile"};
    for (unsigned which = 0; which < FILES_OF_DISK; which++) {
        const struct client_file *what = file_at(&c->hello.disks[disk], which);
        unsigned *number = &c->file_of[disk][which];
        *number = what->size ? find_same(c, what) : 0;
        if (!what->size || *number)
            continue;
        struct file *file = &c->files[c->file_count++];
        memset(file, 0, sizeof *file);
        file->what = what;
        sections_file_name(&c->hello.disks[disk], names[which], file->name);
        *number = c->file_count;
    }
}

void files_begin(struct client *c)
{
    c->file_count = c->file_now = 0;
    c->transfer_retry = (struct retry){.server = c->retry.server};
    for (unsigned i = 0; i < c->hello.disk_count; i++)
        if (c->chosen >> i & 1)
            list_disk(c, i);
    c->progress_ns = c->now_ns + 2 * PROGRESS_NS; /* what is quick needs no words */
    c->step = STEP_FILES;
}

/* The name of a disk's file; NULL: it could not be had. */
static const char *name_of(const struct client *c, unsigned disk, unsigned which)
{
    unsigned number = c->file_of[disk][which];
    if (!number)
        return "";
    return c->files[number - 1].state == FILE_DONE ? c->files[number - 1].name : NULL;
}

static bool list_section(struct client *c, unsigned disk, struct sections_disk *one)
{
    const char *profile = name_of(c, disk, 2);
    one->disk = &c->hello.disks[disk];
    one->kernel = name_of(c, disk, 0);
    one->initrd = name_of(c, disk, 1);
    one->profile = profile ? profile : "";
    if (one->kernel && one->initrd)
        return true;
    client_log(c, "the disk '%s' is not started: its kernel or initrd could not be had",
               one->disk->name);
    return false;
}

static void give_config(struct client *c)
{
    static struct sections_disk disks[LEAT_CLIENT_ENTRIES];
    struct text text;
    unsigned count = 0;
    for (unsigned i = 0; i < c->hello.disk_count; i++)
        if (c->chosen >> i & 1)
            count += list_section(c, i, &disks[count]);
    text_begin(&text, c->config_text, sizeof c->config_text);
    if (!sections_put(&text, &c->hello, c->config.psk, disks, count)) {
        client_note(c, 0, "The configuration of what was chosen is too long: choose fewer disks.");
        text_begin(&text, c->config_text, sizeof c->config_text);
    } else if (!count && c->chosen) {
        client_note(c, 0, "Nothing that was chosen can be started: the log says why.");
    } else {
        client_note_over(c);
    }
    exchange_pass(&c->transfer, &c->control);
    exchange_stop(&c->transfer);
    c->step = STEP_RUNNING;
    if (c->is_busy && c->renew_ns > c->now_ns + BUSY_NS)
        c->renew_ns = c->now_ns + BUSY_NS;
    c->output->config(c->output->ctx, c->config_text, text.used);
    memset(c->config_text, 0, sizeof c->config_text);
}

static void ask(struct client *c, struct file *file)
{
    uint64_t left = file->what->size - file->done;
    const struct exchange_request request = {
        .method = "GET",
        .path = file->what->path,
        .token = c->session,
        .identity = CLIENT_OWN,
        .from = file->done,
        .shake_ns = client_patience(c, &c->transfer_retry),
        .limit_ns = CONTROL_LIMIT_NS + left / LEAST_RATE * NS_PER_S,
        .into = file->memory + file->done,
        .room = left,
    };
    exchange_pass(&c->control, &c->transfer);
    exchange_start(&c->transfer, client_server_of(c, &c->transfer_retry), &request);
}

static void give_up(struct client *c, struct file *file, const char *why)
{
    client_log(c, "%s could not be had: %s", file->name, why);
    file->state = FILE_FAILED;
    c->transfer_retry.failures = 0;
    c->transfer_retry.at_ns = 0;
}

static void try_again(struct client *c, struct file *file, const char *why)
{
    uint64_t wait_s = client_retry(c, &c->transfer_retry);
    client_note(c, wait_s, "Downloading %s: %s.", file->name, why);
    c->progress_ns = 0;
}

static void say_progress(struct client *c, const struct file *file)
{
    const struct exchange *x = &c->transfer;
    char text[CLIENT_SENTENCE];
    if (c->now_ns < c->progress_ns || !x->got || x->answer.status >= 300)
        return;
    c->progress_ns = c->now_ns + PROGRESS_NS;
    snprintf(text, sizeof text, "Downloading %s: %llu of %llu MiB.", file->name,
             (unsigned long long)(file->done + x->got) >> 20,
             (unsigned long long)file->what->size >> 20);
    c->has_notice = true;
    c->output->progress(c->output->ctx, text);
}

/* What came stays, wherever the answer broke off. */
static void keep(struct client *c, struct file *file)
{
    const struct http_answer *answer = &c->transfer.answer;
    if (answer->status == 206 || (answer->status == 200 && !file->done)) {
        file->done += c->transfer.got;
        if (c->transfer.got)
            c->transfer_retry.failures = 0;
    } else if (answer->status == 200) {
        file->done = 0; /* it knows no ranges: all of it again */
    }
}

static void compare(struct client *c, struct file *file)
{
    uint8_t sum[32];
    c->platform->sha256(file->memory, file->what->size, sum);
    if (!memcmp(sum, file->what->sha256, sizeof sum)) {
        file->state = FILE_DONE;
        c->transfer_retry = (struct retry){.server = c->transfer_retry.server};
        return;
    }
    file->done = 0;
    if (++file->wrong == MAX_WRONG)
        give_up(c, file, "its SHA-256 is another than the server says");
    else
        try_again(c, file, "its SHA-256 is another than the server says");
}

static void answered(struct client *c, struct file *file)
{
    unsigned status = c->transfer.answer.status;
    struct client_reply reply = {0};
    if (status == 200 || status == 206) {
        keep(c, file);
        if (file->done == file->what->size)
            compare(c, file);
        else
            give_up(c, file, "it is shorter than the server says");
        return;
    }
    answer_reply(c->transfer.error, strlen(c->transfer.error), &reply);
    const char *why = reply.error[0] ? reply.error : "the server does not give it";
    if (status == 401)
        session_lost(c, why);
    else if (status >= 500 || status == 429)
        try_again(c, file, why);
    else
        give_up(c, file, why);
}

static void broken_off(struct client *c, struct file *file)
{
    const struct http_answer *answer = &c->transfer.answer;
    bool is_of_here = answer->status == 206 || (answer->status == 200 && !file->done);
    if (is_of_here && answer->length > file->what->size - file->done) {
        give_up(c, file, "it is longer than the server says");
        return;
    }
    keep(c, file);
    try_again(c, file, c->transfer.why);
}

/* True: go on with the next thing at once. */
static bool serve(struct client *c, struct file *file)
{
    switch (file->state) {
    case FILE_NEW:
        file->state = FILE_ASKED;
        c->output->memory(c->output->ctx, file->name, file->what->size, c->file_now + 1);
        return file->state != FILE_ASKED;
    case FILE_ASKED:
        return false;
    case FILE_WANTED:
        break;
    default:
        c->file_now++;
        return true;
    }
    if (c->transfer.state != EXCHANGE_BUSY) {
        if (c->now_ns < c->transfer_retry.at_ns)
            return false;
        ask(c, file);
    }
    enum exchange_state state = exchange_run(&c->transfer);
    if (state == EXCHANGE_DONE) {
        answered(c, file);
    } else if (state == EXCHANGE_FAILED) {
        broken_off(c, file);
    } else {
        say_progress(c, file);
    }
    return state != EXCHANGE_BUSY && file->state != FILE_WANTED;
}

void files_run(struct client *c)
{
    while (c->step == STEP_FILES && c->file_now < c->file_count)
        if (!serve(c, &c->files[c->file_now]))
            return;
    if (c->step == STEP_FILES)
        give_config(c);
}
