// SPDX-License-Identifier: BSD-2-Clause
/* What a CPU could call itself immune to, and does not, it is taken to be open to. */
#include "services/supervisor/mitigate.h"

#include <leat/mitigate.h>
#include <stdio.h>

#define BIT(n) (1ull << (n))

/* CPUID 7.0 EDX */
#define MD_CLEAR BIT(10)
#define IBRS_IBPB BIT(26)
#define STIBP BIT(27)
#define L1D_FLUSH BIT(28)
/* CPUID 7.2 EDX */
#define RRSBA_CTRL BIT(2)
#define BHI_CTRL BIT(4)
/* CPUID 0x80000008 EBX */
#define AMD_IBPB BIT(12)
#define AMD_IBRS BIT(14)
#define AMD_STIBP BIT(15)
#define AMD_IBRS_ALWAYS_ON BIT(16)
#define AMD_BTC_NO BIT(29)
/* CPUID 0x80000021 EAX, and ECX for the last */
#define AMD_VERW_CLEAR BIT(5)
#define AMD_AUTO_IBRS BIT(8)
#define AMD_IBPB_BRTYPE BIT(28)
#define AMD_SRSO_NO BIT(29)
#define AMD_SRSO_USER_KERNEL_NO BIT(30)
#define AMD_TSA_NO (BIT(1) | BIT(2)) /* store queue, L1D */
/* IA32_ARCH_CAPABILITIES */
#define CAP_RDCL_NO BIT(0)
#define CAP_IBRS_ALL BIT(1)
#define CAP_SKIP_L1DFL_VMENTRY BIT(3)
#define CAP_MDS_NO BIT(5)
#define CAP_TAA_NO BIT(8)
#define CAP_MMIO_NO (BIT(13) | BIT(14) | BIT(15)) /* SBDR_SSDP, FBSDP, PSDP */
#define CAP_FB_CLEAR BIT(17)
#define CAP_RRSBA BIT(19)
#define CAP_BHI_NO BIT(20)
#define CAP_RFDS_NO BIT(27)
#define CAP_RFDS_CLEAR BIT(28)
#define CAP_BUFFERS_NO (CAP_MDS_NO | CAP_TAA_NO | CAP_MMIO_NO)

/* Branch targets: a tenant must lead neither ring 0 nor another tenant astray. */
static void plan_branches(const struct mitigate_words *w, struct mitigate_plan *p)
{
    const uint64_t caps = w->capabilities;

    p->bits |= LEAT_MITIGATE_REFILL;
    if ((w->leaf7_edx & IBRS_IBPB) || (w->ext8_ebx & AMD_IBPB)) {
        p->bits |= LEAT_MITIGATE_IBPB;
    } else {
        p->open |= MITIGATE_OPEN_TARGETS;
    }
    if (w->ext21_eax & AMD_AUTO_IBRS) {
        p->bits |= LEAT_MITIGATE_AUTO_IBRS;
    } else if ((caps & CAP_IBRS_ALL) ||
               ((w->ext8_ebx & AMD_IBRS) && (w->ext8_ebx & AMD_IBRS_ALWAYS_ON))) {
        p->spec |= LEAT_SPEC_IBRS;
    } else if (!w->is_amd && (w->leaf7_edx & IBRS_IBPB)) {
        p->bits |= LEAT_MITIGATE_IBRS_ON_EXIT;
    }
    if (w->has_siblings && ((w->leaf7_edx & STIBP) || (w->ext8_ebx & AMD_STIBP))) {
        p->spec |= LEAT_SPEC_STIBP;
    }
    if ((w->leaf7_2_edx & BHI_CTRL) && !(caps & CAP_BHI_NO)) {
        p->spec |= LEAT_SPEC_BHI_DIS_S;
    }
    if ((w->leaf7_2_edx & RRSBA_CTRL) && (caps & CAP_RRSBA)) {
        p->spec |= LEAT_SPEC_RRSBA_DIS_S;
    }
}

/* AMD: returns of ring 0 can be led as well. The barrier at each exit that closes it is dear; from family 19h
   on it does so only where the microcode says that it covers all kinds of branches. */
static void plan_returns(const struct mitigate_words *w, bool is_full, struct mitigate_plan *p)
{
    bool retbleed = (w->family == 0x17 || w->family == 0x18) && !(w->ext8_ebx & AMD_BTC_NO);
    bool inception = w->family == 0x19 && !(w->ext21_eax & (AMD_SRSO_NO | AMD_SRSO_USER_KERNEL_NO));
    bool can = (p->bits & LEAT_MITIGATE_IBPB) && (retbleed || (w->ext21_eax & AMD_IBPB_BRTYPE));

    if (!w->is_amd || (!retbleed && !inception)) {
        return;
    }
    if (is_full && can) {
        p->bits |= LEAT_MITIGATE_IBPB_ON_EXIT;
    } else {
        p->open |= MITIGATE_OPEN_RETURNS;
    }
}

/* Data that is left behind in buffers and in the L1 cache. */
static void plan_data(const struct mitigate_words *w, struct mitigate_plan *p)
{
    const uint64_t caps = w->capabilities;
    bool rfds = (caps & CAP_RFDS_CLEAR) && !(caps & CAP_RFDS_NO);
    bool tsa = (w->ext21_eax & AMD_VERW_CLEAR) && (w->ext21_ecx & AMD_TSA_NO) != AMD_TSA_NO;
    bool buffers = w->is_amd ? tsa : rfds || (caps & CAP_BUFFERS_NO) != CAP_BUFFERS_NO;
    bool meltdown = !w->is_amd && !(caps & CAP_RDCL_NO);
    bool l1tf = meltdown && !(caps & CAP_SKIP_L1DFL_VMENTRY);

    if (buffers && (tsa || rfds || (w->leaf7_edx & MD_CLEAR) || (caps & CAP_FB_CLEAR))) {
        p->bits |= LEAT_MITIGATE_VERW;
    } else if (buffers) {
        p->open |= MITIGATE_OPEN_BUFFERS;
    }
    if (l1tf && (w->leaf7_edx & L1D_FLUSH)) {
        p->bits |= LEAT_MITIGATE_L1D;
    } else if (l1tf) {
        p->open |= MITIGATE_OPEN_L1TF;
    }
    if (meltdown) {
        p->open |= MITIGATE_OPEN_MELTDOWN;
    }
    if ((buffers || l1tf) && w->has_siblings) {
        p->open |= w->is_parted ? MITIGATE_OPEN_SERVICES : MITIGATE_OPEN_SIBLINGS;
    }
}

struct mitigate_plan mitigate_decide(const struct mitigate_words *w,
                                     enum leat_config_mitigations mode)
{
    struct mitigate_plan plan = {0};

    if (mode != LEAT_CONFIG_MITIGATIONS_OFF) {
        plan_branches(w, &plan);
        plan_returns(w, mode == LEAT_CONFIG_MITIGATIONS_FULL, &plan);
        plan_data(w, &plan);
    }
    return plan;
}

static void add(char *text, const char *separator, const char *what)
{
    size_t at = 0;

    while (text[at] != 0) {
        at++;
    }
    snprintf(text + at, MITIGATE_TEXT - at, "%s%s", separator, what);
}

struct name {
    uint32_t bit;
    const char *text;
};

static bool add_names(char *text, uint32_t bits, const struct name *names, unsigned count,
                      bool is_first)
{
    for (unsigned i = 0; i < count; i++) {
        if (bits & names[i].bit) {
            add(text, is_first ? " " : ", ", names[i].text);
            is_first = false;
        }
    }
    return is_first;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *mitigate_text(const struct mitigate_plan *plan, char text[MITIGATE_TEXT])
{
    static const struct name done[] = {
        {LEAT_MITIGATE_IBPB, "IBPB"},
        {LEAT_MITIGATE_IBPB_ON_EXIT, "IBPB at exits"},
        {LEAT_MITIGATE_IBRS_ON_EXIT, "IBRS at exits"},
        {LEAT_MITIGATE_AUTO_IBRS, "automatic IBRS"},
        {LEAT_MITIGATE_REFILL, "return stack"},
        {LEAT_MITIGATE_VERW, "VERW"},
        {LEAT_MITIGATE_L1D, "L1D flush"},
    };
    static const struct name always[] = {
        {LEAT_SPEC_IBRS, "enhanced IBRS"},
        {LEAT_SPEC_STIBP, "STIBP"},
        {LEAT_SPEC_BHI_DIS_S | LEAT_SPEC_RRSBA_DIS_S, "branch history"},
    };
    static const struct name open[] = {
        {MITIGATE_OPEN_TARGETS, "branch targets (no IBPB)"},
        {MITIGATE_OPEN_RETURNS, "returns in ring 0"},
        {MITIGATE_OPEN_BUFFERS, "MDS (no MD_CLEAR)"},
        {MITIGATE_OPEN_L1TF, "L1TF (no L1D flush)"},
        {MITIGATE_OPEN_MELTDOWN, "Meltdown by ring 3"},
        {MITIGATE_OPEN_SIBLINGS, "sibling threads (own_core)"},
        {MITIGATE_OPEN_SERVICES, "sibling threads (services)"},
    };
    bool is_first;

    text[0] = 0;
    if (plan->bits == 0) {
        add(text, "", "side channels: nothing is done, as leat.conf says");
        return text;
    }
    add(text, "", "side channels:");
    is_first = add_names(text, plan->spec, always, COUNT(always), true);
    add_names(text, plan->bits, done, COUNT(done), is_first);
    if (plan->open != 0) {
        add(text, "", "; open:");
        add_names(text, plan->open, open, COUNT(open), true);
    }
    return text;
}
