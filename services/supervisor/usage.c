// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/usage.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/sys.h"
#include "services/supervisor/cpu_text.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/process.h"
#include "services/supervisor/vm.h"

#define SECOND 1000000000ull
#define TENTH (SECOND / 10)
#define MAX_CPUS 64u
#define CPUS_A_LINE 8u

static struct {
    usage_say_fn say;
    struct leat_loop_timer timer; /* runs: a measurement is under way */
    uint64_t began_ns, span_ns;
    uint64_t idle_ns[MAX_CPUS]; /* when it began */
    uint64_t own_ns;            /* the supervisor's, then */
} usage;

static unsigned read_cpus(struct leat_cpu_info cpus[MAX_CPUS])
{
    int64_t count = leat_cpus_info(machine_handle(), cpus, MAX_CPUS);

    return count < 0 ? 0 : count > MAX_CPUS ? MAX_CPUS : (unsigned)count;
}

static bool read_times(leat_handle_t domain, struct leat_domain_status *status)
{
    return leat_domain_status(domain, status) == LEAT_OK;
}

void usage_begin(void)
{
    struct leat_cpu_info cpus[MAX_CPUS] = {0};
    struct leat_domain_status status;

    read_cpus(cpus);
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        usage.idle_ns[i] = cpus[i].idle_ns;
    }
    for (struct process *p = process_first(); p != NULL; p = p->next) {
        p->sampled_cpu_ns = read_times(p->domain, &status) ? status.cpu_ns : 0;
    }
    usage.own_ns = read_times(LEAT_SELF, &status) ? status.cpu_ns : 0;
    usage.began_ns = leat_clock_ns();
    leat_loop_timer_set(&supervisor_loop, &usage.timer, usage.began_ns + SECOND);
}

bool usage_cancel(void)
{
    bool was_under_way = usage.timer.deadline_ns != 0;

    leat_loop_timer_set(&supervisor_loop, &usage.timer, 0);
    return was_under_way;
}

/* CPUs whose hardware is shared in twos or more, as sets: "0-1 2-3". Empty: there are none. */
static void describe_cores(const struct leat_cpu_info *cpus, unsigned count, char *text,
                           size_t size)
{
    bool is_shared = false;
    size_t used = 0;

    text[0] = 0;
    for (unsigned i = 0; i < count && used < size; i++) {
        uint64_t set = 0;
        char name[CPU_SET_TEXT];

        for (unsigned j = 0; j < count; j++) {
            set |= cpus[j].core == cpus[i].core ? 1ull << j : 0;
        }
        is_shared |= (set & (set - 1)) != 0;
        if ((set & (cpu_set_first(i))) == 0) { /* the first of its core */
            used += (size_t)snprintf(text + used, size - used, " %s",
                                     cpu_set_text(set, name, sizeof(name)));
        }
    }
    if (!is_shared) {
        text[0] = 0;
    }
}

static void show_host(void)
{
    struct leat_cpu_info cpus[MAX_CPUS] = {0};
    unsigned count = read_cpus(cpus);
    char line[240], cores[200];

    for (unsigned first = 0; first < count; first += CPUS_A_LINE) {
        unsigned last = first + CPUS_A_LINE < count ? first + CPUS_A_LINE : count;
        size_t used = (size_t)snprintf(line, sizeof(line), "host CPU");

        for (unsigned i = first; i < last; i++) {
            uint64_t idle = cpus[i].idle_ns - usage.idle_ns[i];
            unsigned use =
                cpu_permille(idle < usage.span_ns ? usage.span_ns - idle : 0, usage.span_ns);

            used += (size_t)snprintf(line + used, sizeof(line) - used, "   %2u: %3u.%u %%", i,
                                     use / 10, use % 10);
        }
        usage.say(false, line);
    }
    describe_cores(cpus, count, cores, sizeof(cores));
    if (cores[0] != 0) {
        snprintf(line, sizeof(line), "hardware threads of one core:%s", cores);
        usage.say(false, line);
    }
}

/* One row, as far as it is the same for all; the length. */
static size_t describe(const char *name, leat_handle_t domain, uint64_t before_ns, char *line,
                       size_t size, uint64_t *held_ns)
{
    struct leat_domain_status status = {0};
    unsigned use;

    read_times(domain, &status);
    use = cpu_permille(status.cpu_ns - before_ns, usage.span_ns);
    *held_ns = status.capped_ns;
    return (size_t)snprintf(line, size, "%-20s %4u.%u %%  %6llu.%llu s", name, use / 10, use % 10,
                            (unsigned long long)(status.cpu_ns / SECOND),
                            (unsigned long long)(status.cpu_ns % SECOND / TENTH));
}

static void show_vm(const struct leat_config_vm *config, const struct process *process)
{
    char line[280], name[LEAT_CONFIG_NAME + 4], cap[16] = "none", set[CPU_SET_TEXT];
    uint64_t held_ns;
    size_t used;

    snprintf(name, sizeof(name), "vm %s", config->name);
    used = describe(name, process->domain, process->sampled_cpu_ns, line, sizeof(line), &held_ns);
    if (config->cap_percent != 0) {
        snprintf(cap, sizeof(cap), "%u%%", config->cap_percent);
    }
    snprintf(line + used, sizeof(line) - used, "  %6llu.%llu s  %6u  %5s  %s%s",
             (unsigned long long)(held_ns / SECOND), (unsigned long long)(held_ns % SECOND / TENTH),
             config->weight, cap,
             config->pin == 0 ? "all" : cpu_set_text(config->pin, set, sizeof(set)),
             config->own_core == LEAT_CONFIG_YES ? ", own core" : "");
    usage.say(false, line);
}

static void show_process(const char *name, leat_handle_t domain, uint64_t before_ns)
{
    char line[280];
    uint64_t held_ns;

    describe(name, domain, before_ns, line, sizeof(line), &held_ns);
    usage.say(false, line);
}

static void show(void *context)
{
    (void)context;
    usage.span_ns = leat_clock_ns() - usage.began_ns;
    show_host();
    usage.say(false,
              "                          use      in all   held back  weight    cap  host CPUs");
    for (unsigned i = 0; i < vm_count(); i++) {
        if (vm_process(i) != NULL) {
            show_vm(vm_config(i), vm_process(i));
        }
    }
    for (struct process *p = process_first(); p != NULL; p = p->next) {
        if (p->owner == NULL) {
            show_process(p->name, p->domain, p->sampled_cpu_ns);
        }
    }
    show_process("supervisor", LEAT_SELF, usage.own_ns);
    usage.say(true, "");
}

void usage_init(usage_say_fn say)
{
    usage.say = say;
    leat_loop_timer(&supervisor_loop, &usage.timer, show, NULL);
}
