// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <efilib.h>

#include "lib/text.h"
#include "lib/config/value.h"

#define COM1 0x3f8u /* 16550: data; +1 interrupts, +2 FIFO, +3 line control, +5 line status */
#define KEY_WAIT_100NS (10ull * 10000000)

static bool serial_direct; /* there is a COM1, and the firmware's console does not end there */

/* True when one of the firmware's text outputs lies behind a UART (a terminal on a serial line). */
static bool console_is_serial(struct boot *boot)
{
    UINTN count = 0;
    EFI_HANDLE *handles = NULL;
    if (EFI_ERROR(
            LibLocateHandle(ByProtocol, &gEfiSimpleTextOutProtocolGuid, NULL, &count, &handles)))
        return false;
    bool found = false;
    for (UINTN i = 0; i < count && !found; i++) {
        EFI_DEVICE_PATH *path = DevicePathFromHandle(handles[i]);
        for (; path != NULL && !IsDevicePathEnd(path); path = NextDevicePathNode(path))
            if (DevicePathType(path) == MESSAGING_DEVICE_PATH &&
                DevicePathSubType(path) == MSG_UART_DP)
                found = true;
    }
    boot->services->FreePool(handles);
    return found;
}

void say_start(struct boot *boot)
{
    if (console_is_serial(boot) || boot_in8(COM1 + 5) == 0xff)
        return;
    serial_direct = true;
    say_set_up_serial();
}

void say_set_up_serial(void)
{
    boot_out8(COM1 + 1, 0);    /* no interrupts */
    boot_out8(COM1 + 3, 0x80); /* divisor latch: 115200 baud */
    boot_out8(COM1 + 0, 1);
    boot_out8(COM1 + 1, 0);
    boot_out8(COM1 + 3, 0x03); /* 8 data bits, no parity, 1 stop bit */
    boot_out8(COM1 + 2, 0x07); /* FIFOs on and empty */
    boot_out8(COM1 + 4, 0x03); /* DTR, RTS */
}

void say_serial(const char *text)
{
    for (; *text != '\0'; text++) {
        /* Bounded: a UART that never gets ready must not stop the boot. */
        for (unsigned i = 0; i < 100000 && (boot_in8(COM1 + 5) & 0x20) == 0; i++)
            ;
        boot_out8(COM1, (uint8_t)*text);
    }
}

/* UTF-8 to the firmware's UCS-2; what UCS-2 has not, and what is not UTF-8, becomes '?'. */
static void say_console(struct boot *boot, const char *text)
{
    CHAR16 line[512];
    unsigned used = 0;
    size_t left = strlena((const CHAR8 *)text);
    while (left > 0 && used < 511) {
        size_t length = utf8_length(text, left);
        const unsigned char *b = (const unsigned char *)text;
        CHAR16 c = '?';
        if (length == 1)
            c = b[0];
        else if (length == 2)
            c = (CHAR16)((b[0] & 0x1f) << 6 | (b[1] & 0x3f));
        else if (length == 3)
            c = (CHAR16)((b[0] & 0x0f) << 12 | (b[1] & 0x3f) << 6 | (b[2] & 0x3f));
        line[used++] = c;
        if (length == 0)
            length = 1;
        text += length;
        left -= length;
    }
    line[used] = 0;
    if (boot->system->ConOut != NULL)
        boot->system->ConOut->OutputString(boot->system->ConOut, line);
}

static void say_line(struct boot *boot, const char *line)
{
    say_console(boot, line);
    say_console(boot, "\r\n");
    if (serial_direct) {
        say_serial(line);
        say_serial("\r\n");
    }
}

static void join(char *line, size_t size, const char *first, const char *const parts[])
{
    struct text text;
    text_begin(&text, line, size);
    text_put(&text, first);
    for (; *parts != NULL; parts++)
        text_put(&text, *parts);
}

void say_parts(struct boot *boot, const char *const parts[])
{
    char line[400];
    join(line, sizeof(line), "", parts);
    say_line(boot, line);
}

void say_problem_parts(struct boot *boot, const char *const parts[])
{
    char line[sizeof(boot->info->problem)];
    join(line, sizeof(line), "", parts);
    if (boot->info->problem[0] == '\0') {
        struct text text;
        text_begin(&text, boot->info->problem, sizeof(boot->info->problem));
        text_put(&text, line);
    }
    say_line(boot, line);
}

_Noreturn void say_fatal_parts(struct boot *boot, const char *const parts[])
{
    char line[400];
    join(line, sizeof(line), "Leat cannot start: ", parts);
    say_line(boot, line);
    say_line(boot,
             "Press a key to return to the firmware (it goes on by itself after 10 seconds).");
    if (boot->system->ConIn != NULL) {
        boot->system->ConIn->Reset(boot->system->ConIn, FALSE);
        WaitForSingleEvent(boot->system->ConIn->WaitForKey, KEY_WAIT_100NS);
    } else {
        boot->services->Stall(10000000);
    }
    boot->services->Exit(boot->image, EFI_LOAD_ERROR, 0, NULL);
    for (;;) /* Exit does not come back to an image that it has ended */
        __asm__ volatile("hlt");
}
