// SPDX-License-Identifier: BSD-2-Clause
/* What the supervisor knows of the machine: the handle that stands for it, and what boot found. */
#ifndef SUPERVISOR_MACHINE_H
#define SUPERVISOR_MACHINE_H

#include <leat/bootinfo.h>
#include <leat/syscall.h>
#include "lib/loop.h"
#include "services/supervisor/pci.h"

/* Bits of the supervisor's own notification. */
#define SUPERVISOR_BIT_CTL (1ull << 0)   /* some process has sent a message */
#define SUPERVISOR_BIT_DEATH (1ull << 1) /* some process has died */

extern struct leat_loop supervisor_loop;

/* Finds "machine" and "bootinfo" in the start block, makes the notification. Ends the process when
   it was started without them. */
void machine_init(void);

leat_handle_t machine_handle(void);
const struct leat_boot_info *machine_boot_info(void);

/* The module of that kind and name; NULL: none. */
const struct leat_boot_module *machine_module(enum leat_module_kind kind, const char *name);

/* The module's pages as an object, or an enum leat_error. The caller closes it. */
int64_t machine_module_mem(const struct leat_boot_module *module);

/* The module's content mapped read-only into the supervisor; NULL: the kernel refuses. */
const uint8_t *machine_module_map(const struct leat_boot_module *module);
void machine_module_unmap(const struct leat_boot_module *module, const uint8_t *at);

/* Why no VM can run on this machine, one sentence; NULL: they can. */
const char *machine_why_no_vms(void);

/* Logs when each stage of the start began; and one clear line for everything about the CPU, firmware
   and boot that keeps VMs from running. True when VMs can run. */
bool machine_report(void);

/* Bytes that the supervisor can still give out. */
uint64_t machine_free_bytes(void);

/* Configuration space by the ports of PCI Local Bus 3.0, 3.2.2.3.2; NULL: the ports are not to be
   had. */
const struct pci_access *machine_pci(void);

/* All PCI functions, scanned once; NULL: the ports are not to be had. */
const struct pci_list *machine_pci_list(void);

#endif
