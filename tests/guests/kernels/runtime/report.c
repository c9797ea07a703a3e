/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/kernels/runtime/kernel.h"

#include "tests/guests/common/format.h"

#define FIFO_CONTROL 2
#define UART_FIFO 16u
#define LOADED 0x2badb002
#define INFO_CMDLINE 4 /* flag 2 of the multiboot information; its field is the fifth */

#define PM1_CONTROL 0x604 /* vmm/layout.h; QEMU's firmware puts it there too */
#define SLEEP 0x2000
#define SLEEP_TYPE_LEAT 0x1400 /* S5 is type 5 in Leat's DSDT, 0 in QEMU's */
#define BOCHS_SHUTDOWN 0x8900

void kernel_main(uint32_t magic, const uint32_t *info);

static struct {
    const char *test;
    const char *known; /* why it may fail */
    bool has_failed, is_skipped;
    unsigned passed, failed, skipped, known_count;
} report;
static char command_line[256];
const uint32_t *boot_info;

static char pending[200];
static unsigned pending_length;

/* As much as the UART takes at a time, by one instruction: a line is not torn while other VMs run. */
static void flush(void)
{
    for (unsigned at = 0; at < pending_length; at += UART_FIFO) {
        const char *from = pending + at;
        unsigned long count = pending_length - at < UART_FIFO ? pending_length - at : UART_FIFO;
        for (unsigned i = 0; i < 100000 && !(in8(COM1 + LINE_STATUS) & THR_EMPTY); i++)
            ;
        __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(COM1) : "memory");
    }
    pending_length = 0;
}

static void put(char c)
{
    pending[pending_length++] = c;
    if (c == '\n' || pending_length == sizeof(pending))
        flush();
}

static void text(const char *s)
{
    while (*s)
        put(*s++);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_text(put, format, args);
    va_end(args);
    text("\r\n");
}

static void verdict(const char *word)
{
    text(word);
    put(' ');
    text(kernel.name);
    put('.');
    text(report.test);
}

static void fail(const char *format, va_list args)
{
    if (report.has_failed)
        return;
    report.has_failed = true;
    verdict(report.known ? "KNOWN" : "FAIL");
    text(": ");
    format_text(put, format, args);
    if (report.known) {
        text(" (");
        text(report.known);
        put(')');
    }
    text("\r\n");
}

bool check_that(bool is_good, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!is_good)
        fail(format, args);
    va_end(args);
    return is_good;
}

bool check_equal(const char *what, uint64_t is, uint64_t wanted)
{
    return check_that(is == wanted, "%s is 0x%x, not 0x%x", what, is, wanted);
}

void skip(const char *why)
{
    report.is_skipped = true;
    verdict("SKIP");
    text(": ");
    text(why);
    text("\r\n");
}

/* The word's rest behind `start`, if a word of the command line begins so; else NULL. */
static const char *option(const char *start)
{
    for (const char *at = command_line; *at; at++) {
        unsigned n = 0;
        while (start[n] && at[n] == start[n])
            n++;
        if (!start[n] && (at == command_line || at[-1] == ' '))
            return at + n;
    }
    return NULL;
}

static bool is_word(const char *word, const char *wanted)
{
    if (!word)
        return false;
    while (*wanted && *word == *wanted)
        word++, wanted++;
    return !*wanted && (*word == ' ' || !*word);
}

bool has_word(const char *word)
{
    return option(word) != NULL;
}

bool is_host(const char *host)
{
    return is_word(option("host="), host);
}

bool is_leat(void)
{
    return has_word("leat");
}

void known_fault(const char *host, const char *why)
{
    if (is_host(host))
        report.known = why;
}

void known_alone(const char *host, const char *why)
{
    if (!is_leat())
        known_fault(host, why);
}

bool not_tried(const char *host, const char *why)
{
    known_fault(host, why);
    return is_host(host) && !check_that(false, "not tried");
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report.known = NULL;
    report.has_failed = false;
    fail(format, args);
    va_end(args);
    power_off();
}

void power_off(void)
{
    cli();
    out16(PM1_CONTROL, SLEEP | SLEEP_TYPE_LEAT);
    out16(PM1_CONTROL, SLEEP);
    for (const char *s = "Shutdown"; *s; s++)
        out8(BOCHS_SHUTDOWN, (uint8_t)*s);
    for (;;)
        __asm__ volatile("hlt");
}

static void run_test(const struct test *test)
{
    report.test = test->name;
    report.known = NULL;
    report.has_failed = report.is_skipped = false;
    test->run();
    cli();
    if (report.is_skipped && !report.has_failed) {
        report.skipped++;
    } else if (!report.has_failed) {
        verdict("PASS");
        text("\r\n");
        report.passed++;
    } else if (report.known) {
        report.known_count++;
    } else {
        report.failed++;
    }
}

void kernel_main(uint32_t magic, const uint32_t *info)
{
    boot_info = info;
    if (magic == LOADED && info[0] & INFO_CMDLINE) {
        const char *line = (const char *)(uintptr_t)info[4];
        for (unsigned i = 0; i + 1 < sizeof(command_line) && line[i]; i++)
            command_line[i] = line[i];
    }
    out8(COM1 + FIFO_CONTROL, 1);
    trap_init();
    apic_init();
    const char *only = option("only=");
    for (unsigned i = 0; i < kernel.count; i++)
        if (!only || is_word(only, kernel.tests[i].name))
            run_test(&kernel.tests[i]);
    say("DONE %s %u passed %u failed %u skipped %u known", kernel.name, (uint64_t)report.passed,
        (uint64_t)report.failed, (uint64_t)report.skipped, (uint64_t)report.known_count);
    power_off();
}
