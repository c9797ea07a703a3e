/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line: only=NAME[,NAME...] (memory ports msrs instructions pci virtio; default all),
 * rounds=N (default 1), end=triple|spin|halt|fetch|reset (default triple).
 */
#include "tests/guests/hostile/hostile.h"

#define ZERO_PAGE_CMDLINE 0x228 /* boot.rst: cmd_line_ptr */

static const struct {
    const char *name;
    void (*run)(unsigned round);
} attacks[] = {
    {"memory", attack_memory}, {"ports", attack_ports},
    {"msrs", attack_msrs},     {"instructions", attack_instructions},
    {"pci", attack_pci},       {"virtio", attack_virtio},
};

static bool begins(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return false;
    return true;
}

/* What follows KEY= on the command line, or NULL. */
static const char *option(const char *line, const char *key)
{
    for (; *line; line++)
        if (begins(line, key))
            return line + __builtin_strlen(key);
    return NULL;
}

static bool is_listed(const char *list, const char *name)
{
    if (!list)
        return true;
    for (; *list && *list != ' '; list++)
        if (begins(list, name))
            return true;
    return false;
}

static void end(const char *how)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_idt = {0, 0};
    if (begins(how, "spin")) {
        say("end: spins for ever");
        for (;;)
            __asm__ volatile("pause");
    }
    if (begins(how, "halt")) {
        say("end: halts with interrupts off");
        for (;;)
            __asm__ volatile("cli; hlt");
    }
    if (begins(how, "fetch")) {
        say("end: runs code where there is no memory");
        ((void (*)(void))(uintptr_t)0xd0000000)();
    }
    if (begins(how, "reset")) {
        say("end: resets the machine");
        out8(0xcf9, 6);
    }
    say("end: triple fault");
    __asm__ volatile("lidt %0\n\tud2" ::"m"(no_idt));
}

void hostile_main(const uint8_t *boot_params);
void hostile_main(const uint8_t *boot_params)
{
    const char *line = (const char *)(uintptr_t)(*(
        const uint32_t *)(const void *)(boot_params + ZERO_PAGE_CMDLINE));
    const char *how = option(line, "end="), *list = option(line, "only="),
               *count = option(line, "rounds=");
    unsigned rounds = 0;
    for (; count && *count >= '0' && *count <= '9'; count++)
        rounds = rounds * 10 + (unsigned)(*count - '0');
    trap_init();
    paging_init();
    say("begins; command line '%s'", line);
    for (unsigned round = 0; round < (count ? rounds : 1); round++)
        for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
            if (is_listed(list, attacks[i].name))
                attacks[i].run(round);
    say("all done, still alive");
    end(how ? how : "triple");
}
