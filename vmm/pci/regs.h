// SPDX-License-Identifier: BSD-2-Clause
/* Configuration space of a PCI function with a type 0 header: PCI Local Bus 3.0, 6.1, 6.2 and 6.8.
 */
#ifndef VMM_PCI_REGS_H
#define VMM_PCI_REGS_H

enum pci_register {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09, /* programming interface, subclass, class */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_FIRST_FREE = 0x40, /* capabilities go here and up */
    PCI_CONFIG_BYTES = 0x100,
};

enum pci_command {
    PCI_COMMAND_IO = 1u << 0,
    PCI_COMMAND_MEMORY = 1u << 1,
    PCI_COMMAND_MASTER = 1u << 2,
    PCI_COMMAND_PARITY = 1u << 6,
    PCI_COMMAND_SERR = 1u << 8,
    PCI_COMMAND_NO_INTX = 1u << 10,
};

enum pci_status {
    PCI_STATUS_INTX = 1u << 3,
    PCI_STATUS_CAPABILITIES = 1u << 4,
};

enum pci_capability_id {
    PCI_CAP_VENDOR = 0x09,
    PCI_CAP_MSIX = 0x11,
};

enum pci_bar_flag {
    PCI_BAR_IS_IO = 1u << 0,
    PCI_BAR_IS_64_BIT = 2u << 1,
};

#define PCI_BARS 6u

#endif
