// SPDX-License-Identifier: BSD-2-Clause
/* A VM for unit tests and fuzzers of vmm/: RAM, platform, vCPUs, a clock that the test turns; no
 * kernel. */
#ifndef TESTS_UNIT_VMM_FAKE_H
#define TESTS_UNIT_VMM_FAKE_H

#include "vmm/cpu/vcpu.h"
#include "vmm/platform/platform.h"

#define FAKE_RAM (256u << 10)
#define FAKE_TSC_HZ 2000000000ull /* of the host: two ticks a ns */

struct vmm_fake {
    struct vm vm;
    struct platform platform;
    struct vcpu cpus[VM_MAX_CPUS];
    struct leat_vcpu pages[VM_MAX_CPUS];
    uint8_t *ram;
    uint64_t now_ns;
    int64_t wall_s;
    unsigned kicks[VM_MAX_CPUS];
    unsigned posts[VM_MAX_CPUS];
    bool gates_kicks; /* count only those that the program would send */
    unsigned log_lines;
    char last_log[256];
};

/* With that many vCPUs, all devices on their buses. */
void vmm_fake_init(struct vmm_fake *fake, unsigned cpus);
void vmm_fake_free(struct vmm_fake *fake);
/* The guest's TSC has that rate; 0: the host's. Before its clock is used. */
void vmm_fake_tsc(struct vmm_fake *fake, unsigned mhz);

/* All its vCPUs run, their local APICs on and in x2APIC mode. False: an APIC will not. */
bool vmm_fake_run_cpus(struct vmm_fake *fake, unsigned cpus);

/* Turns the clock on, and runs the timers that fall due, each at its time. */
void vmm_fake_advance(struct vmm_fake *fake, uint64_t ns);

void vmm_fake_out(struct vmm_fake *fake, uint16_t port, uint8_t value);
uint8_t vmm_fake_in(struct vmm_fake *fake, uint16_t port);

#endif
