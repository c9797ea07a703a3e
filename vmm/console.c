// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/console.h"

#include <leat/console.h>

#include "lib/channel.h"
#include "lib/start.h"
#include "vmm/platform/platform.h"

/* The console is told of output at the end of a line, or when there is much of it, or a little
   later: waking it for each character would cost far more than the character. */
#define SIGNAL_BYTES 256
#define SIGNAL_DELAY_NS 2000000ull

static struct {
    struct vm *vm;
    struct leat_channel_end channel;
    struct vm_timer timer;
    uint32_t unsignalled;
} console;

static void signal_now(void *context)
{
    (void)context;
    console.unsignalled = 0;
    vm_timer_set(&console.vm->timers, &console.timer, 0);
    leat_channel_flush(&console.channel);
}

static uint32_t send(void *context, const uint8_t *bytes, uint32_t count)
{
    struct leat_ring_end *out = &console.channel.out;
    uint32_t n = leat_ring_write(out, bytes, count);
    (void)context;
    if (n < count && !out->is_broken && !leat_ring_may_sleep(out))
        n += leat_ring_write(out, bytes + n, count - n);
    console.unsignalled += n;
    if (n < count || console.unsignalled >= SIGNAL_BYTES || (n && bytes[n - 1] == '\n'))
        signal_now(NULL);
    else if (n && !console.timer.deadline_ns)
        vm_timer_set(&console.vm->timers, &console.timer, vm_now_ns(console.vm) + SIGNAL_DELAY_NS);
    return out->is_broken ? count : n; /* a console that went mad must not stop the guest */
}

static void receive(void *context)
{
    struct leat_ring_end *in = &console.channel.in;
    (void)context;
    do {
        uint32_t count;
        const uint8_t *bytes;
        while ((bytes = leat_ring_piece(in, &count)) != NULL) {
            uint32_t n = uart_receive(&console.vm->platform->uart, bytes, count);
            if (!n)
                return; /* the guest makes room: uart_line.room calls again */
            leat_ring_advance(in, n);
        }
        leat_channel_flush(&console.channel);
    } while (!leat_ring_may_sleep(in) && !in->is_broken);
}

static void on_signal(void *context)
{
    uart_send_more(&console.vm->platform->uart);
    receive(context);
}

static void on_reset(void *context)
{
    (void)context;
    signal_now(NULL);
}

void console_flush(struct vm *vm)
{
    (void)vm;
    if (console.vm)
        signal_now(NULL);
}

int console_attach(struct vm *vm)
{
    const struct leat_start_entry *entry = leat_start_find("console", NULL);
    if (!entry || entry->size < sizeof(struct leat_console_channel)) {
        vm_log(vm, "no console was given: what the guest writes to COM1 is dropped");
        return LEAT_OK;
    }
    leat_channel_join(&console.channel, entry, offsetof(struct leat_console_channel, input),
                      LEAT_CONSOLE_RING_BYTES, 1, offsetof(struct leat_console_channel, output),
                      LEAT_CONSOLE_RING_BYTES, 1);
    int error = vm_timer_add(&vm->timers, &console.timer, signal_now, NULL);
    if (error == LEAT_OK)
        error = vm_on_reset(vm, on_reset, NULL);
    if (error != LEAT_OK)
        return error;
    console.vm = vm;
    uart_set_line(&vm->platform->uart, &(struct uart_line){send, receive, NULL});
    receive(NULL);
    return vm_on_signal(vm, entry->my_bits, on_signal, NULL);
}
