/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests protect themselves by: SDM vol. 4, table 2-2; AMD APM vol. 2, 3.2.9. What CPUID offers works, and
   what it does not is refused. */
#include "tests/guests/kernels/runtime/kernel.h"

#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD 0x49
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_FLUSH_CMD 0x10b

static const char *const no_check = "takes any value, and knows the MSR without CPUID's bit";

/* CPUID 7.0 EDX; what AMD has for it in 0x80000008 EBX, 32: nothing. */
static bool has(unsigned leaf7, unsigned amd)
{
    uint32_t ebx = has_leaf(0x80000008) ? cpuid(0x80000008, 0).ebx : 0;
    return (cpuid(7, 0).edx >> leaf7 & 1) || (amd < 32 && (ebx >> amd & 1));
}

static uint64_t spec_bits(void)
{
    return (has(26, 14) ? 1u : 0) | (has(27, 15) ? 2u : 0) | (has(31, 24) ? 4u : 0);
}

static void spec_ctrl(void)
{
    uint64_t offered = spec_bits(), is;
    if (!offered) {
        skip("CPUID has neither IBRS nor STIBP nor SSBD");
        return;
    }
    known_alone("bochs", no_check);
    for (uint64_t value = 0; value < 8; value++) {
        if (value & ~offered) {
            CHECK(msr_write_faults(MSR_SPEC_CTRL, value), "SPEC_CTRL takes 0x%x", value);
            continue;
        }
        CHECK(!msr_write_faults(MSR_SPEC_CTRL, value), "SPEC_CTRL refuses 0x%x", value);
        cpuid(0, 0);
        out8(0x80, 0); /* to the hypervisor's processes and back */
        CHECK(!msr_read_faults(MSR_SPEC_CTRL, &is) && is == value, "SPEC_CTRL is 0x%x, not 0x%x",
              is, value);
    }
    CHECK(msr_write_faults(MSR_SPEC_CTRL, 1ull << 63), "SPEC_CTRL takes bit 63");
    CHECK(msr_write_faults(MSR_SPEC_CTRL, 1ull << 32), "SPEC_CTRL takes bit 32");
    wrmsr(MSR_SPEC_CTRL, 0);
}

static void set_spec(void *value)
{
    wrmsr(MSR_SPEC_CTRL, *(uint64_t *)value);
}

static void each_cpu_its_own(void)
{
    uint64_t one = 1, none = 0;
    if (!(spec_bits() & 1) || cpus() < 2) {
        skip("CPUID has no IBRS, or there is one CPU");
        return;
    }
    cpu_call(1, set_spec, &one);
    CHECK_EQ("SPEC_CTRL of CPU 0", rdmsr(MSR_SPEC_CTRL), 0);
    cpu_call(1, set_spec, &none);
}

static void command(uint32_t msr, bool is_offered)
{
    uint64_t value;
    if (!is_offered) {
        known_alone("tcg", "TCG takes MSRs that it does not know");
        CHECK(msr_write_faults(msr, 1), "MSR 0x%x can be written, and CPUID does not offer it",
              (uint64_t)msr);
        return;
    }
    CHECK(!msr_write_faults(msr, 1), "MSR 0x%x refuses its command", (uint64_t)msr);
    CHECK(!msr_write_faults(msr, 0), "MSR 0x%x refuses 0", (uint64_t)msr);
    known_alone("bochs", no_check);
    CHECK(msr_write_faults(msr, 2), "MSR 0x%x takes 2", (uint64_t)msr);
    CHECK(msr_read_faults(msr, &value), "MSR 0x%x can be read", (uint64_t)msr);
}

static void pred_cmd(void)
{
    command(MSR_PRED_CMD, has(26, 12));
}

static void flush_cmd(void)
{
    command(MSR_FLUSH_CMD, has(28, 32));
}

static void arch_capabilities(void)
{
    uint64_t value = 0;
    if (!has(29, 32)) {
        known_alone("tcg", "TCG reads MSRs that it does not know as 0");
        CHECK(msr_read_faults(MSR_ARCH_CAPABILITIES, &value),
              "ARCH_CAPABILITIES is 0x%x, and CPUID does not offer it", value);
        return;
    }
    CHECK(!msr_read_faults(MSR_ARCH_CAPABILITIES, &value), "ARCH_CAPABILITIES cannot be read");
    CHECK(msr_write_faults(MSR_ARCH_CAPABILITIES, value), "ARCH_CAPABILITIES can be written");
    if (is_leat()) /* bits that stand for further MSRs: TSX_CTRL, energy filtering, GDS_CTRL ... */
        CHECK_EQ("ARCH_CAPABILITIES' hidden bits", value & ~0x1d1ae13full, 0);
}

KERNEL("speculation", {"spec_ctrl", spec_ctrl}, {"each_cpu_its_own", each_cpu_its_own},
       {"pred_cmd", pred_cmd}, {"flush_cmd", flush_cmd}, {"arch_capabilities", arch_capabilities});
