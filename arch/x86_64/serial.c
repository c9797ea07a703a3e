// SPDX-License-Identifier: BSD-2-Clause
/* COM1, and the debug port of Bochs, for what the kernel itself has to say. */
#include "arch/x86_64/serial.h"
#include "kernel/arch.h"

#define COM1 0x3f8 /* 16550 registers by offset */
enum {
    UART_DATA = 0,
    UART_STATUS = 5,
    UART_SCRATCH = 7,
    STATUS_THR_EMPTY = 0x20,
    WAIT_SPINS = 100000u
};
#define BOCHS_PORT 0xe9 /* reads back its own number if it is there */

static bool has_uart, has_bochs_port;

void serial_init(void)
{
    has_bochs_port = port_in(BOCHS_PORT, 1) == BOCHS_PORT;
    port_out(COM1 + UART_SCRATCH, 1, 0x5a);
    has_uart = port_in(COM1 + UART_SCRATCH, 1) == 0x5a;
}

bool serial_is_bochs(void)
{
    return has_bochs_port;
}

static void put(char c)
{
    if (has_bochs_port)
        port_out(BOCHS_PORT, 1, (uint8_t)c);
    if (!has_uart)
        return;
    for (uint32_t i = 0; i < WAIT_SPINS && !(port_in(COM1 + UART_STATUS, 1) & STATUS_THR_EMPTY);
         i++)
        cpu_relax();
    port_out(COM1 + UART_DATA, 1, (uint8_t)c);
}

void arch_early_console(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

uint32_t port_in(uint16_t port, unsigned width)
{
    uint32_t value = 0;
    if (width == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
    else if (width == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
    else
        __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void port_out(uint16_t port, unsigned width, uint32_t value)
{
    if (width == 1)
        __asm__ volatile("outb %b0, %1" ::"a"(value), "Nd"(port));
    else if (width == 2)
        __asm__ volatile("outw %w0, %1" ::"a"(value), "Nd"(port));
    else
        __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}
