// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/mitigate.h"

#include <cpuid.h>
#include <string.h>

#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

#define MAX_CPUS 64
/* EBX of CPUID leaf 0: "Auth", "Hygo" */
#define VENDOR_AMD 0x68747541u
#define VENDOR_HYGON 0x6f677948u

struct leaf {
    uint32_t eax, ebx, ecx, edx;
};

/* Zeros for a leaf that the CPU has not: an Intel CPU would answer as for its last one. */
static struct leaf cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct leaf r = {0};
    uint32_t most, unused;

    __cpuid(leaf & 0x80000000, most, unused, unused, unused);
    if (leaf <= most) {
        __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
    }
    return r;
}

static void read_cpu(struct mitigate_words *w)
{
    struct leaf vendor = cpuid(0, 0), version = cpuid(1, 0), leaf7 = cpuid(7, 0);
    struct leaf ext21 = cpuid(0x80000021, 0);

    w->is_amd = vendor.ebx == VENDOR_AMD || vendor.ebx == VENDOR_HYGON;
    w->family = version.eax >> 8 & 0xf;
    if (w->family == 0xf) {
        w->family += version.eax >> 20 & 0xff;
    }
    w->leaf7_edx = leaf7.edx;
    w->leaf7_2_edx = leaf7.eax >= 2 ? cpuid(7, 2).edx : 0;
    w->ext8_ebx = cpuid(0x80000008, 0).ebx;
    w->ext21_eax = ext21.eax;
    w->ext21_ecx = ext21.ecx;
}

static bool has_siblings(void)
{
    struct leat_cpu_info cpus[MAX_CPUS] = {0};
    int64_t count = leat_cpus_info(machine_handle(), cpus, MAX_CPUS);

    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < i; j++) {
            if (cpus[i].core == cpus[j].core) {
                return true;
            }
        }
    }
    return false;
}

static bool is_parted(const struct leat_config *config)
{
    for (unsigned i = 0; i < config->vm_count; i++) {
        if (config->vms[i].own_core != LEAT_CONFIG_YES) {
            return false;
        }
    }
    return true;
}

void mitigate_start(const struct leat_config *config)
{
    struct mitigate_words words = {.has_siblings = has_siblings(), .is_parted = is_parted(config)};
    struct mitigate_plan plan;
    char text[MITIGATE_TEXT];
    int64_t capabilities = leat_machine_mitigate(machine_handle(), 0, 0);

    read_cpu(&words);
    words.capabilities = capabilities > 0 ? (uint64_t)capabilities : 0;
    plan = mitigate_decide(&words, config->mitigations);
    if (leat_machine_mitigate(machine_handle(), plan.bits, plan.spec) < 0) {
        leat_log("side channels: the kernel refuses %#x and %#x: nothing is done", plan.bits,
                 plan.spec);
        return;
    }
    leat_log("%s", mitigate_text(&plan, text));
}
