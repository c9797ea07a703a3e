// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/console.h>
#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/start.h"
#include "services/console/line.h"
#include "services/console/view.h"

#define MAX_GUESTS 64
#define KEPT (16u << 10)
#define PARTIAL_NS 300000000ull /* a line without an end is shown after so long */

static struct guest {
    char name[32];
    unsigned number;
    struct source source; /* in the list while it is there */
    bool is_there;
    uint64_t cookie;
    struct leat_start_entry entry;
    struct leat_channel_end channel;
    struct line_splitter line;
    uint64_t partial_ns; /* when the open line is to be shown; 0: none */
    struct scrollback past;
    char past_bytes[KEPT];
} * guests[MAX_GUESTS];

static struct leat_loop *loop;
static struct sources *sources;
static struct leat_loop_timer partial_timer;

static struct guest *guest_of(unsigned number)
{
    return number >= 1 && number <= MAX_GUESTS ? guests[number - 1] : NULL;
}

const char *guest_name(unsigned number)
{
    return guest_of(number) != NULL ? guest_of(number)->name : NULL;
}

bool guest_is_there(unsigned number)
{
    return guest_of(number) != NULL && guest_of(number)->is_there;
}

const struct scrollback *guest_scrollback(unsigned number)
{
    return guest_of(number) != NULL ? &guest_of(number)->past : NULL;
}

static void emit_line(void *context, const char *text, size_t length)
{
    const struct guest *guest = context;

    if (view_is_all()) {
        view_guest_line(guest->name, text, length);
    }
}

static void arm_partial(struct guest *guest)
{
    guest->partial_ns = 0;
    if (line_is_open(&guest->line)) {
        guest->partial_ns = leat_clock_ns() + PARTIAL_NS;
        if (partial_timer.deadline_ns == 0) {
            leat_loop_timer_set(loop, &partial_timer, guest->partial_ns);
        }
    }
}

static void show_partials(void *context)
{
    uint64_t now = leat_clock_ns();
    uint64_t next = 0;

    (void)context;
    for (unsigned i = 0; i < MAX_GUESTS; i++) {
        struct guest *guest = guests[i];

        if (guest == NULL || guest->partial_ns == 0) {
            continue;
        }
        if (guest->partial_ns <= now) {
            guest->partial_ns = 0;
            line_flush(&guest->line);
        } else if (next == 0 || guest->partial_ns < next) {
            next = guest->partial_ns;
        }
    }
    leat_loop_timer_set(loop, &partial_timer, next);
}

static uint32_t take(void *context, uint32_t most)
{
    struct guest *guest = context;
    char bytes[SOURCE_TURN];
    uint32_t count = leat_ring_read(&guest->channel.in, bytes,
                                    most < sizeof(bytes) ? most : (uint32_t)sizeof(bytes));

    if (count != 0) {
        scrollback_add(&guest->past, bytes, count);
        view_guest_bytes(guest->number, bytes, count);
        line_feed(&guest->line, bytes, count);
        arm_partial(guest);
        leat_channel_flush(&guest->channel);
    }
    return count;
}

static bool is_empty(void *context)
{
    struct guest *guest = context;

    return leat_channel_may_sleep(&guest->channel);
}

static bool is_shown(void *context)
{
    const struct guest *guest = context;

    return view_shows_guest(guest->number);
}

static void woken(void *context)
{
    (void)context; /* main.c looks at all before each sleep */
}

static struct guest *add_guest(unsigned number, const char *name)
{
    struct guest *guest = calloc(1, sizeof(*guest));

    guests[number - 1] = guest;
    if (guest != NULL) {
        snprintf(guest->name, sizeof(guest->name), "%s", name);
        guest->number = number;
        guest->source = (struct source){guest, take, is_empty, is_shown, NULL, {0}};
        scrollback_init(&guest->past, guest->past_bytes, KEPT);
        line_init(&guest->line, emit_line, guest);
    }
    return guest;
}

/* A VM that nobody had announced: the machine's server has named it. */
static struct guest *guest_of_entry(const struct leat_start_entry *entry)
{
    unsigned number = entry->arg[0] <= MAX_GUESTS ? (unsigned)entry->arg[0] : 0;
    char name[sizeof(guests[0]->name)];

    if (number == 0 || guests[number - 1] != NULL) {
        return guest_of(number);
    }
    snprintf(name, sizeof(name), "%.31s", entry->name);
    line_make_plain(name);
    return add_guest(number, name);
}

void guest_init(struct leat_loop *the_loop, struct sources *all)
{
    loop = the_loop;
    sources = all;
    leat_loop_timer(loop, &partial_timer, show_partials, NULL);
    for (unsigned i = 1; i <= MAX_GUESTS; i++) {
        char key[16];
        char name[sizeof(guests[0]->name)];

        snprintf(key, sizeof(key), "vm.%u", i);
        if (leat_start_arg(key, name, sizeof(name)) == NULL || add_guest(i, name) == NULL) {
            break;
        }
    }
}

void guest_attach(const struct leat_ctl *message)
{
    struct guest *guest = guest_of_entry(&message->entry);

    if (guest == NULL || guest->is_there ||
        message->entry.size < sizeof(struct leat_console_channel)) {
        leat_channel_release(&message->entry);
        leat_ctl_send(LEAT_CTL_DETACHED, NULL, message->arg[0], 0);
        return;
    }
    guest->entry = message->entry;
    guest->cookie = message->arg[0];
    guest->is_there = true;
    leat_channel_join(&guest->channel, &guest->entry, offsetof(struct leat_console_channel, output),
                      LEAT_CONSOLE_RING_BYTES, 1, offsetof(struct leat_console_channel, input),
                      LEAT_CONSOLE_RING_BYTES, 1);
    if ((loop->mask & guest->entry.my_bits) == 0) {
        leat_loop_on(loop, guest->entry.my_bits, woken, NULL);
    }
    sources_add(sources, &guest->source);
}

bool guest_detach(uint64_t cookie)
{
    for (unsigned i = 0; i < MAX_GUESTS; i++) {
        struct guest *guest = guests[i];

        if (guest == NULL || !guest->is_there || guest->cookie != cookie) {
            continue;
        }
        /* Its last words fit in the ring: no endless stream is possible from a dead process. */
        while (take(guest, SOURCE_TURN) != 0) {
        }
        sources_remove(sources, &guest->source);
        line_flush(&guest->line);
        guest->partial_ns = 0;
        guest->is_there = false;
        leat_channel_release(&guest->entry);
        return true;
    }
    return false;
}

void guest_status(unsigned number, const char *text)
{
    struct guest *guest = guest_of(number);
    char line[320];
    int length = snprintf(line, sizeof(line), "\r\n[leat: %s]\r\n", text);

    if (guest != NULL && length > 0) {
        scrollback_add(&guest->past, line, (size_t)length);
        view_guest_bytes(number, line, (size_t)length);
    }
}

void guest_input(unsigned number, uint8_t byte)
{
    struct guest *guest = guest_of(number);

    if (guest != NULL && guest->is_there && leat_ring_put(&guest->channel.out, &byte) == LEAT_OK) {
        leat_channel_flush(&guest->channel);
    }
}
