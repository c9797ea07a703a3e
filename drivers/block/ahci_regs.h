// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers and structures of AHCI, as far as the driver uses them. Source: Intel, "Serial ATA Advanced Host Controller
 * Interface (AHCI) 1.3.1"; the section of each is given. All registers have 32 bits, in BAR 5.
 */
#ifndef DRIVERS_BLOCK_AHCI_REGS_H
#define DRIVERS_BLOCK_AHCI_REGS_H

enum ahci_register { /* 3.1 */
                     AHCI_CAP = 0x00,
                     AHCI_GHC = 0x04,
                     AHCI_IS = 0x08,
                     AHCI_PI = 0x0c,
                     AHCI_CAP2 = 0x24,
                     AHCI_BOHC = 0x28,
                     AHCI_PORTS = 0x100, /* 3.3 */
                     AHCI_PORT_BYTES = 0x80,
};
enum ahci_cap {                           /* 3.1.1, 3.1.10 */
                AHCI_CAP_SLOTS_SHIFT = 8, /* five bits, one less than there are */
                AHCI_CAP_SPIN_UP = 1u << 27,
                AHCI_CAP_NCQ = 1u << 30,
                AHCI_CAP2_HANDOFF = 1u << 0,
};
enum ahci_ghc { /* 3.1.2 */
                AHCI_GHC_RESET = 1u << 0,
                AHCI_GHC_INTERRUPTS = 1u << 1,
                AHCI_GHC_ENABLE = 1u << 31,
};
enum ahci_bohc { /* 3.1.11 */
                 AHCI_BOHC_FIRMWARE = 1u << 0,
                 AHCI_BOHC_SYSTEM = 1u << 1,
};
enum ahci_port_register { /* 3.3 */
                          AHCI_PXCLB = 0x00,
                          AHCI_PXCLBU = 0x04,
                          AHCI_PXFB = 0x08,
                          AHCI_PXFBU = 0x0c,
                          AHCI_PXIS = 0x10,
                          AHCI_PXIE = 0x14,
                          AHCI_PXCMD = 0x18,
                          AHCI_PXTFD = 0x20, /* status, and above it the error register */
                          AHCI_PXSIG = 0x24,
                          AHCI_PXSSTS = 0x28,
                          AHCI_PXSCTL = 0x2c,
                          AHCI_PXSERR = 0x30,
                          AHCI_PXSACT = 0x34,
                          AHCI_PXCI = 0x38,
};
enum ahci_pxis { /* 3.3.5; the same bits in PxIE */
                 AHCI_IS_REGISTERS = 1u << 0,
                 AHCI_IS_PIO_SETUP = 1u << 1,
                 AHCI_IS_DEVICE_BITS = 1u << 3,
                 AHCI_IS_CONNECT = 1u << 6,    /* cleared by PxSERR.DIAG.X */
                 AHCI_IS_PHY_READY = 1u << 22, /* cleared by PxSERR.DIAG.N */
                 AHCI_IS_OVERFLOW = 1u << 24,
                 AHCI_IS_INTERFACE = 1u << 27,
                 AHCI_IS_BUS_DATA = 1u << 28,
                 AHCI_IS_BUS_FATAL = 1u << 29,
                 AHCI_IS_TASK_FILE = 1u << 30,
                 AHCI_IS_ERRORS = AHCI_IS_OVERFLOW | AHCI_IS_INTERFACE | AHCI_IS_BUS_DATA |
                                  AHCI_IS_BUS_FATAL | AHCI_IS_TASK_FILE,
                 AHCI_IS_LINK = AHCI_IS_CONNECT | AHCI_IS_PHY_READY,
                 AHCI_IS_WANTED = AHCI_IS_REGISTERS | AHCI_IS_PIO_SETUP | AHCI_IS_DEVICE_BITS |
                                  AHCI_IS_LINK | AHCI_IS_ERRORS,
};
enum ahci_pxcmd { /* 3.3.7 */
                  AHCI_CMD_START = 1u << 0,
                  AHCI_CMD_SPIN_UP = 1u << 1,
                  AHCI_CMD_POWER = 1u << 2,
                  AHCI_CMD_RECEIVE = 1u << 4,
                  AHCI_CMD_RECEIVE_RUNS = 1u << 14,
                  AHCI_CMD_LIST_RUNS = 1u << 15,
                  AHCI_CMD_ACTIVE = 1u << 28, /* the link's power state to go to */
};
#define AHCI_DET_MASK 0xfu /* 3.3.10 */
#define AHCI_DET_NONE 0u
#define AHCI_DET_PRESENT 1u /* a device, but no communication yet */
#define AHCI_DET_READY 3u
#define AHCI_SCTL_DET_RESET 1u    /* 3.3.11 */
#define AHCI_SCTL_NO_SLEEP 0x300u /* IPM: neither partial nor slumber */
#define AHCI_SIG_DISK 0x00000101u /* Serial ATA 3.0, 11.2 (signatures) */

#define AHCI_MAX_PORTS 32u
#define AHCI_MAX_SLOTS 32u

enum ahci_list { /* 4.2.2: a command header, eight words of 32 bits */
                 AHCI_HEADER_BYTES = 32,
                 AHCI_HEADER_FIS_WORDS = 5,
                 AHCI_HEADER_WRITE = 1u << 6,
                 AHCI_HEADER_ENTRIES_SHIFT = 16,
};
#define AHCI_TABLE_PRDT 0x80u /* 4.2.3: offset of the list of memory; each entry four words */
#define AHCI_PRD_MAX (4u << 20)

#define AHCI_FIS_REGISTERS 0x27u /* Serial ATA 3.0, 10.3.4: host to device */
#define AHCI_FIS_COMMAND 0x80u   /* it is for the command register */
#define AHCI_FIS_BYTES 20u
#define AHCI_FPDMA_FUA 0x80u /* ACS 7.58: in the device register */

enum ahci_log { /* ACS A.6: the queued error log */
                AHCI_LOG_QUEUED_ERROR = 0x10,
                AHCI_LOG_NOT_QUEUED = 0x80, /* in byte 0; the tag in its lower five bits */
                AHCI_LOG_STATUS = 2,        /* byte offsets */
                AHCI_LOG_ERROR = 3,
};

#endif
