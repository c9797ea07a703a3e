// SPDX-License-Identifier: BSD-2-Clause
/* Which barriers between tenants a CPU gets, for CPUs as they are with the microcode of 2024. */
#include "services/supervisor/mitigate.h"

#include <leat/mitigate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* CPUID 7.0 EDX */
#define MD_CLEAR (1u << 10)
#define SPEC_INTEL (1u << 26 | 1u << 27 | 1u << 31) /* IBRS and IBPB, STIBP, SSBD */
#define FLUSH (1u << 28)
#define CAPS (1u << 29)
#define OLD_INTEL (MD_CLEAR | SPEC_INTEL | FLUSH)
/* CPUID 7.2 EDX: RRSBA_CTRL, BHI_CTRL */
#define HISTORY (1u << 2 | 1u << 4)
/* CPUID 0x80000008 EBX: IBPB; IBRS, STIBP, STIBP always on, IBRS preferred, SSBD; BTC_NO */
#define IBPB_AMD (1u << 12)
#define SPEC_AMD (IBPB_AMD | 1u << 14 | 1u << 15 | 1u << 17 | 1u << 18 | 1u << 24)
#define BTC_NO (1u << 29)
/* CPUID 0x80000021 EAX: VERW_CLEAR, AUTO_IBRS, IBPB_BRTYPE, SRSO_USER_KERNEL_NO */
#define VERW_CLEAR (1u << 5)
#define AUTO_IBRS (1u << 8)
#define IBPB_BRTYPE (1u << 28)
#define SRSO_USER_KERNEL_NO (1u << 30)
/* IA32_ARCH_CAPABILITIES: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, MDS_NO; the rest by name */
#define CASCADE 0x2bull
#define TAA_NO (1ull << 8)
#define MMIO_NO (7ull << 13)
#define FB_CLEAR (1ull << 17)
#define RRSBA (1ull << 19)
#define RFDS_CLEAR (1ull << 28)

#define REFILL LEAT_MITIGATE_REFILL
#define IBPB (REFILL | LEAT_MITIGATE_IBPB)
#define VERW LEAT_MITIGATE_VERW
#define OLD (IBPB | VERW | LEAT_MITIGATE_L1D | LEAT_MITIGATE_IBRS_ON_EXIT)

static const struct cpu {
    const char *name;
    struct mitigate_words words;
    struct mitigate_plan plan; /* mode auto, all CPUs on cores of their own */
} cpus[] = {
    {"Haswell", {.family = 6, .leaf7_edx = OLD_INTEL}, {OLD, 0, MITIGATE_OPEN_MELTDOWN}},
    {"Skylake-X", {.family = 6, .leaf7_edx = OLD_INTEL}, {OLD, 0, MITIGATE_OPEN_MELTDOWN}},
    {"Haswell, first microcode",
     {.family = 6},
     {REFILL, 0,
      MITIGATE_OPEN_TARGETS | MITIGATE_OPEN_BUFFERS | MITIGATE_OPEN_L1TF | MITIGATE_OPEN_MELTDOWN}},
    {"Cascade Lake",
     {.family = 6, .leaf7_edx = OLD_INTEL | CAPS, .capabilities = CASCADE | FB_CLEAR},
     {IBPB | VERW, LEAT_SPEC_IBRS, 0}},
    {"Ice Lake",
     {.family = 6, .leaf7_edx = OLD_INTEL | CAPS, .capabilities = CASCADE | TAA_NO | FB_CLEAR},
     {IBPB | VERW, LEAT_SPEC_IBRS, 0}},
    {"Sapphire Rapids",
     {.family = 6,
      .leaf7_edx = OLD_INTEL | CAPS,
      .leaf7_2_edx = HISTORY,
      .capabilities = CASCADE | TAA_NO | MMIO_NO | RRSBA},
     {IBPB, LEAT_SPEC_IBRS | LEAT_SPEC_RRSBA_DIS_S | LEAT_SPEC_BHI_DIS_S, 0}},
    {"Alder Lake, efficient cores",
     {.family = 6,
      .leaf7_edx = SPEC_INTEL | FLUSH | CAPS,
      .capabilities = CASCADE | TAA_NO | MMIO_NO | RFDS_CLEAR},
     {IBPB | VERW, LEAT_SPEC_IBRS, 0}},
    {"Zen 1",
     {.is_amd = true, .family = 0x17, .ext8_ebx = IBPB_AMD},
     {IBPB, 0, MITIGATE_OPEN_RETURNS}},
    {"Zen 2",
     {.is_amd = true, .family = 0x17, .ext8_ebx = SPEC_AMD},
     {IBPB, 0, MITIGATE_OPEN_RETURNS}},
    {"Zen 3",
     {.is_amd = true,
      .family = 0x19,
      .ext8_ebx = SPEC_AMD | BTC_NO,
      .ext21_eax = VERW_CLEAR | IBPB_BRTYPE},
     {IBPB | VERW, 0, MITIGATE_OPEN_RETURNS}},
    {"Zen 4",
     {.is_amd = true,
      .family = 0x19,
      .ext8_ebx = SPEC_AMD | BTC_NO,
      .ext21_eax = VERW_CLEAR | AUTO_IBRS | IBPB_BRTYPE},
     {IBPB | VERW | LEAT_MITIGATE_AUTO_IBRS, 0, MITIGATE_OPEN_RETURNS}},
    {"Zen 5",
     {.is_amd = true,
      .family = 0x1a,
      .ext8_ebx = SPEC_AMD | BTC_NO,
      .ext21_eax = AUTO_IBRS | SRSO_USER_KERNEL_NO},
     {IBPB | LEAT_MITIGATE_AUTO_IBRS, 0, 0}},
};
#define CPUS (sizeof(cpus) / sizeof(cpus[0]))

static const struct mitigate_words *words_of(const char *name)
{
    for (unsigned i = 0; i < CPUS; i++) {
        if (strcmp(cpus[i].name, name) == 0) {
            return &cpus[i].words;
        }
    }
    fail_msg("no CPU '%s' in the table", name);
    return NULL;
}

static void each_cpu_gets_what_it_needs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CPUS; i++) {
        struct mitigate_plan p = mitigate_decide(&cpus[i].words, LEAT_CONFIG_MITIGATIONS_AUTO);

        print_message("%s: %#x %#x %#x\n", cpus[i].name, p.bits, p.spec, p.open);
        assert_int_equal(p.bits, cpus[i].plan.bits);
        assert_int_equal(p.spec, cpus[i].plan.spec);
        assert_int_equal(p.open, cpus[i].plan.open);
    }
}

static void off_does_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CPUS; i++) {
        struct mitigate_plan p = mitigate_decide(&cpus[i].words, LEAT_CONFIG_MITIGATIONS_OFF);

        assert_int_equal(p.bits | p.spec | p.open, 0);
    }
}

static void siblings_get_stibp_and_a_warning(void **state)
{
    struct mitigate_words w = *words_of("Skylake-X");
    struct mitigate_plan p;

    (void)state;
    w.has_siblings = true;
    p = mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO);
    assert_int_equal(p.spec, LEAT_SPEC_STIBP);
    assert_true(p.open & MITIGATE_OPEN_SIBLINGS);
    w.is_parted = true;
    p = mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO);
    assert_int_equal(p.spec, LEAT_SPEC_STIBP);
    assert_int_equal(p.open, MITIGATE_OPEN_MELTDOWN | MITIGATE_OPEN_SERVICES);
    w = *words_of("Sapphire Rapids");
    w.has_siblings = true;
    assert_int_equal(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).open, 0);
    w = *words_of("Zen 1"); /* has no STIBP: the kernel must not be told to write it */
    w.has_siblings = true;
    assert_int_equal(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).spec, 0);
}

static void full_closes_the_returns_where_it_can(void **state)
{
    struct mitigate_words w = *words_of("Zen 3");
    struct mitigate_plan p = mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_FULL);

    (void)state;
    assert_true(p.bits & LEAT_MITIGATE_IBPB_ON_EXIT);
    assert_int_equal(p.open, 0);
    w.ext21_eax &= ~IBPB_BRTYPE;
    p = mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_FULL);
    assert_false(p.bits & LEAT_MITIGATE_IBPB_ON_EXIT);
    assert_int_equal(p.open, MITIGATE_OPEN_RETURNS);
    p = mitigate_decide(words_of("Zen 2"), LEAT_CONFIG_MITIGATIONS_FULL);
    assert_true(p.bits & LEAT_MITIGATE_IBPB_ON_EXIT);
    p = mitigate_decide(words_of("Ice Lake"), LEAT_CONFIG_MITIGATIONS_FULL);
    assert_false(p.bits & LEAT_MITIGATE_IBPB_ON_EXIT);
}

static void a_bit_of_immunity_ends_its_barrier(void **state)
{
    struct mitigate_words w = *words_of("Ice Lake");

    (void)state;
    w.capabilities |= MMIO_NO;
    assert_int_equal(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).bits, IBPB);
    w = *words_of("Zen 4");
    w.ext21_ecx = 1u << 1; /* one of the two that TSA takes is not enough */
    assert_true(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).bits & VERW);
    w.ext21_ecx |= 1u << 2;
    assert_false(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).bits & VERW);
    w = *words_of("Skylake-X");
    w.capabilities = 1ull << 3; /* a hypervisor under Leat flushes */
    assert_false(mitigate_decide(&w, LEAT_CONFIG_MITIGATIONS_AUTO).bits & LEAT_MITIGATE_L1D);
}

static void the_log_names_what_is_done_and_what_is_open(void **state)
{
    char text[MITIGATE_TEXT];
    struct mitigate_plan p =
        mitigate_decide(words_of("Sapphire Rapids"), LEAT_CONFIG_MITIGATIONS_AUTO);

    (void)state;
    assert_string_equal(mitigate_text(&p, text),
                        "side channels: enhanced IBRS, branch history, IBPB, return stack");
    p = mitigate_decide(words_of("Skylake-X"), LEAT_CONFIG_MITIGATIONS_AUTO);
    assert_string_equal(mitigate_text(&p, text),
                        "side channels: IBPB, IBRS at exits, return stack, VERW, L1D flush; open: "
                        "Meltdown by ring 3");
    p = mitigate_decide(words_of("Zen 4"), LEAT_CONFIG_MITIGATIONS_OFF);
    assert_string_equal(mitigate_text(&p, text),
                        "side channels: nothing is done, as leat.conf says");
    /* The longest there can be still fits. */
    p = (struct mitigate_plan){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    assert_true(strlen(mitigate_text(&p, text)) < MITIGATE_TEXT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cpu_gets_what_it_needs),
        cmocka_unit_test(off_does_nothing),
        cmocka_unit_test(siblings_get_stibp_and_a_warning),
        cmocka_unit_test(full_closes_the_returns_where_it_can),
        cmocka_unit_test(a_bit_of_immunity_ends_its_barrier),
        cmocka_unit_test(the_log_names_what_is_done_and_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
