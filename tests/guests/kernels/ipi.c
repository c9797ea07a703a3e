/* SPDX-License-Identifier: BSD-2-Clause */
/* Interprocessor interrupts, priorities and the start of APs: SDM vol. 3, 11.6 to 11.8, 11.12. */
#include "tests/guests/kernels/runtime/kernel.h"

#define VECTOR 0x70
#define MSR_APIC_BASE 0x1b
#define PATIENCE_MS 20000

static volatile uint32_t by_cpu[MAX_CPUS], nmis_by_cpu[MAX_CPUS];
static void count_here(struct frame *frame)
{
    uint32_t me = apic_id();
    for (unsigned i = 0; i < cpus(); i++)
        if (cpu_apic_id(i) == me)
            by_cpu[i] = by_cpu[i] + (frame->vector == VECTOR),
            nmis_by_cpu[i] = nmis_by_cpu[i] + (frame->vector == 2);
}

static void start(void)
{
    cpus();
    interrupt_handlers[VECTOR] = count_here;
    nmi_handler = count_here;
    for (unsigned i = 0; i < MAX_CPUS; i++)
        by_cpu[i] = nmis_by_cpu[i] = 0;
    interrupts[VECTOR] = 0;
}

/* Interrupts with that destination reach the CPUs of the set, once each, and no other. */
static void reaches(const char *what, uint32_t destination, uint32_t command, uint32_t set)
{
    start();
    sti();
    apic_ipi(destination, command | ICR_ASSERT | VECTOR);
    for (unsigned i = 0; i < cpus(); i++)
        WAIT_FOR(by_cpu[i] || !(set >> i & 1), PATIENCE_MS);
    wait_ms(1);
    cli();
    for (unsigned i = 0; i < cpus(); i++)
        CHECK(by_cpu[i] == (set >> i & 1), "%s: CPU %u got %u interrupts", what, (uint64_t)i,
              (uint64_t)by_cpu[i]);
}

static void self(void)
{
    start();
    reaches("to itself", 0, ICR_SELF, 1);
    reaches("to its own id", cpu_apic_id(0), 0, 1);
}

static void shorthands(void)
{
    start();
    uint32_t all = (1u << cpus()) - 1;
    reaches("to all", 0, ICR_ALL, all);
    reaches("to all others", 0, ICR_OTHERS, all & ~1u);
    reaches("broadcast", apic_is_x2() ? UINT32_MAX : 0xff, 0, all);
}

static void physical(void)
{
    start();
    for (unsigned i = 0; i < cpus(); i++)
        reaches("by id", cpu_apic_id(i), 0, 1u << i);
}

static void set_logical(void *argument)
{
    (void)argument;
    apic_write(APIC_DFR, UINT32_MAX);
    apic_write(APIC_LDR, 1u << (24 + (apic_id() & 7)));
}

static void set_cluster(void *argument)
{
    uint32_t cpu = (uint32_t)(uintptr_t)argument;
    apic_write(APIC_DFR, 0x0fffffff);
    apic_write(APIC_LDR, (cpu / 4) << 28 | 1u << (24 + cpu % 4));
}

static void logical(void)
{
    start();
    for (unsigned i = 0; i < cpus(); i++)
        cpu_call(i, set_logical, NULL);
    for (unsigned i = 0; i < cpus(); i++)
        reaches("flat", 1u << (cpu_apic_id(i) & 7), ICR_LOGICAL, 1u << i);
    reaches("flat, all", 0xff, ICR_LOGICAL, (1u << cpus()) - 1);
    reaches("flat, nobody", 0, ICR_LOGICAL, 0);
    for (unsigned i = 0; i < cpus(); i++)
        cpu_call(i, set_cluster, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < cpus(); i++)
        reaches("cluster", (i / 4) << 4 | 1u << i % 4, ICR_LOGICAL, 1u << i);
    for (unsigned i = 0; i < cpus(); i++)
        cpu_call(i, set_logical, NULL);
}

static void lowest_priority(void)
{
    start();
    for (unsigned i = 0; i < cpus(); i++)
        cpu_call(i, set_logical, NULL);
    sti();
    for (unsigned i = 1; i <= 10; i++) {
        apic_ipi(0xff, ICR_LOGICAL | ICR_LOWEST | ICR_ASSERT | VECTOR);
        WAIT_FOR(interrupts[VECTOR] >= i, PATIENCE_MS);
    }
    wait_ms(1);
    cli();
    CHECK_EQ("interrupts of ten with lowest priority", interrupts[VECTOR], 10);
}

static void nmi_others(void)
{
    start();
    if (cpus() < 2) {
        skip("one CPU");
        return;
    }
    apic_ipi(0, ICR_OTHERS | ICR_NMI | ICR_ASSERT);
    for (unsigned i = 1; i < cpus(); i++) {
        WAIT_FOR(nmis_by_cpu[i], PATIENCE_MS);
        CHECK(nmis_by_cpu[i] == 1, "CPU %u got %u NMIs", (uint64_t)i, (uint64_t)nmis_by_cpu[i]);
    }
    CHECK_EQ("NMIs on the sender", nmis_by_cpu[0], 0);
}

/* SDM vol. 3, 11.8.3: classes at or below the task's priority wait. */
static void priority(void)
{
    start();
    sti();
    apic_write(APIC_TPR, VECTOR & 0xf0);
    CHECK_EQ("PPR", apic_read(APIC_PPR), VECTOR & 0xf0);
    CHECK_EQ("CR8", cr8_read(), VECTOR >> 4);
    apic_ipi(cpu_apic_id(0), ICR_ASSERT | VECTOR);
    wait_ms(1);
    CHECK_EQ("interrupts at TPR's own class", interrupts[VECTOR], 0);
    CHECK(apic_read(APIC_IRR + VECTOR / 32) & 1u << VECTOR % 32, "it does not wait in IRR");
    uint32_t before = interrupts[0x80];
    apic_ipi(cpu_apic_id(0), ICR_ASSERT | 0x80);
    WAIT_FOR(interrupts[0x80] != before, PATIENCE_MS);
    CHECK_EQ("interrupts of a higher class", interrupts[0x80], before + 1);
    cr8_write((VECTOR >> 4) - 1);
    CHECK_EQ("TPR by CR8", apic_read(APIC_TPR), (VECTOR & 0xf0) - 0x10);
    WAIT_FOR(interrupts[VECTOR], PATIENCE_MS);
    cli();
    CHECK_EQ("interrupts below TPR's class", interrupts[VECTOR], 1);
    cr8_write(0);
}

static volatile uint32_t order[4], order_count, isr_inside;
static void note_order(struct frame *frame)
{
    if (frame->vector == 0x90)
        isr_inside = apic_read(APIC_ISR + 0x90 / 32);
    if (order_count < 4)
        order[order_count] = (uint32_t)frame->vector;
    order_count = order_count + 1;
}

static void by_priority(void)
{
    interrupt_handlers[0x75] = interrupt_handlers[0x90] = interrupt_handlers[0x85] = note_order;
    order_count = 0;
    for (unsigned i = 0; i < 2; i++) { /* an edge that waits already is not counted twice */
        apic_ipi(cpu_apic_id(0), ICR_ASSERT | 0x75);
        apic_ipi(cpu_apic_id(0), ICR_ASSERT | 0x90);
        apic_ipi(cpu_apic_id(0), ICR_ASSERT | 0x85);
    }
    sti();
    WAIT_FOR(order_count >= 3, PATIENCE_MS);
    cli();
    CHECK_EQ("interrupts", order_count, 3);
    CHECK(order[0] == 0x90 && order[1] == 0x85 && order[2] == 0x75, "order 0x%x, 0x%x, 0x%x",
          (uint64_t)order[0], (uint64_t)order[1], (uint64_t)order[2]);
    CHECK(isr_inside & 1u << (0x90 % 32), "ISR in the handler is 0x%x", (uint64_t)isr_inside);
}

static void esr(void)
{
    apic_write(APIC_ESR, 0);
    apic_write(APIC_ESR, 0);
    CHECK_EQ("ESR at the start", apic_read(APIC_ESR), 0);
    if (!is_leat() && not_tried("tcg", "QEMU's APIC sets no such bits and delivers vector 3"))
        return;
    apic_ipi(cpu_apic_id(0), ICR_ASSERT | 3);
    apic_write(APIC_ESR, 0);
    uint32_t errors = apic_read(APIC_ESR);
    CHECK(errors & 0x20, "no 'send illegal vector' for vector 3: 0x%x", (uint64_t)errors);
    apic_write(APIC_ESR, 0);
    CHECK_EQ("ESR later", apic_read(APIC_ESR), 0);
}

/* INIT puts an AP back into wait-for-SIPI; SIPI starts it again at the same place. */
static void init_sipi(void)
{
    start();
    if (cpus_told())
        CHECK_EQ("CPUs that have started, the MADT's", cpus(), cpus_told());
    if (cpus() < 2) {
        skip("one CPU");
        return;
    }
    uint32_t before = ap_count, id = cpu_apic_id(1);
    apic_ipi(id, ICR_INIT | ICR_ASSERT);
    wait_ms(2);
    sti();
    apic_ipi(id, ICR_ASSERT | VECTOR);
    wait_ms(2);
    cli();
    CHECK_EQ("interrupts taken while waiting for SIPI", interrupts[VECTOR], 0);
    ap_count = 0; /* so that it gets its own stack again */
    apic_ipi(id, ICR_STARTUP | ICR_ASSERT | LOW_CODE >> 12);
    WAIT_FOR(ap_count == 1, PATIENCE_MS);
    CHECK_EQ("APs that started", ap_count, 1);
    apic_ipi(id, ICR_STARTUP | ICR_ASSERT | LOW_CODE >> 12); /* it does not wait for one: ignored */
    wait_ms(2);
    CHECK_EQ("APs after another SIPI", ap_count, 1);
    ap_count = before;
    reaches("after INIT and SIPI", id, 0, 2);
}

static void bsp_bit(void *argument)
{
    *(volatile uint64_t *)argument = rdmsr(MSR_APIC_BASE);
}

static void boot_cpu(void)
{
    for (unsigned i = 0; i < cpus(); i++) {
        volatile uint64_t base = 0;
        cpu_call(i, bsp_bit, (void *)&base);
        CHECK(!(base & 0x100) == (i != 0), "CPU %u: APIC_BASE is 0x%x", (uint64_t)i,
              (uint64_t)base);
        CHECK(base & 0x800, "CPU %u: its APIC is off", (uint64_t)i);
    }
}

static void go_x2(void *argument)
{
    (void)argument;
    apic_x2_enable();
}
static void leave_x2(void *argument)
{
    (void)argument;
    apic_x2_disable();
}

/* All of it again in x2APIC mode, where logical ids are made from the APIC id. */
static void x2apic(void)
{
    if (!(cpuid(1, 0).ecx & 1u << 21)) {
        skip("CPUID has no x2APIC");
        return;
    }
    start();
    for (unsigned i = cpus(); i-- > 0;)
        cpu_call(i, go_x2, NULL);
    self();
    shorthands();
    physical();
    for (unsigned i = 0; i < cpus(); i++) {
        uint32_t id = cpu_apic_id(i);
        reaches("x2APIC logical", (id >> 4) << 16 | 1u << (id & 15), ICR_LOGICAL, 1u << i);
    }
    priority();
    CHECK_EQ("LDR", rdmsr(0x80d), (uint64_t)(apic_id() >> 4) << 16 | 1u << (apic_id() & 15));
    start();
    sti();
    wrmsr(0x83f, VECTOR); /* SELF IPI */
    WAIT_FOR(interrupts[VECTOR], PATIENCE_MS);
    cli();
    CHECK_EQ("self IPIs", interrupts[VECTOR], 1);
    uint64_t value;
    known_alone("tcg", "QEMU does not check x2APIC's MSRs");
    CHECK(msr_write_faults(0x80d, 1), "LDR can be written");
    CHECK(msr_write_faults(0x80b, 1), "EOI takes 1");
    CHECK(msr_read_faults(0x80b, &value), "EOI can be read");
    CHECK(msr_read_faults(0x80e, &value), "DFR can be read");
    CHECK(msr_read_faults(0x831, &value), "ICR's upper half can be read");
    CHECK(msr_write_faults(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~0x400ull),
          "x2APIC to xAPIC without a way off");
    for (unsigned i = cpus(); i-- > 0;)
        cpu_call(i, leave_x2, NULL);
}

KERNEL("ipi", {"boot_cpu", boot_cpu}, {"self", self}, {"shorthands", shorthands},
       {"physical", physical}, {"logical", logical}, {"lowest_priority", lowest_priority},
       {"nmi_others", nmi_others}, {"priority", priority}, {"by_priority", by_priority},
       {"esr", esr}, {"init_sipi", init_sipi}, {"x2apic", x2apic});
