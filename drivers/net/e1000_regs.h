// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registers and descriptors of the Intel 8254x Ethernet controllers, as far as the driver uses
 * them. Source: Intel, "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
 * Manual", 317453; the section of each is given ("SDM" here means that manual).
 */
#ifndef DRIVERS_NET_E1000_REGS_H
#define DRIVERS_NET_E1000_REGS_H

#include <stdint.h>

enum e1000_register {                                 /* byte offsets in BAR 0, 32 bits each */
                      E1000_CTRL = 0x0000,            /* SDM 13.4.1 */
                      E1000_STATUS = 0x0008,          /* SDM 13.4.2 */
                      E1000_EERD = 0x0014,            /* SDM 13.4.4 */
                      E1000_FCAL = 0x0028,            /* SDM 13.4.8 */
                      E1000_FCAH = 0x002c,            /* SDM 13.4.9 */
                      E1000_FCT = 0x0030,             /* SDM 13.4.10 */
                      E1000_ICR = 0x00c0,             /* SDM 13.4.17; reading clears */
                      E1000_ITR = 0x00c4,             /* SDM 13.4.18 */
                      E1000_IMS = 0x00d0,             /* SDM 13.4.20 */
                      E1000_IMC = 0x00d8,             /* SDM 13.4.21 */
                      E1000_RCTL = 0x0100,            /* SDM 13.4.22 */
                      E1000_FCTTV = 0x0170,           /* SDM 13.4.12 */
                      E1000_TCTL = 0x0400,            /* SDM 13.4.33 */
                      E1000_TIPG = 0x0410,            /* SDM 13.4.34 */
                      E1000_RDBAL = 0x2800,           /* SDM 13.4.25 */
                      E1000_RDBAH = 0x2804,           /* SDM 13.4.26 */
                      E1000_RDLEN = 0x2808,           /* SDM 13.4.27 */
                      E1000_RDH = 0x2810,             /* SDM 13.4.28 */
                      E1000_RDT = 0x2818,             /* SDM 13.4.29 */
                      E1000_RDTR = 0x2820,            /* SDM 13.4.30 */
                      E1000_TDBAL = 0x3800,           /* SDM 13.4.36 */
                      E1000_TDBAH = 0x3804,           /* SDM 13.4.37 */
                      E1000_TDLEN = 0x3808,           /* SDM 13.4.38 */
                      E1000_TDH = 0x3810,             /* SDM 13.4.39 */
                      E1000_TDT = 0x3818,             /* SDM 13.4.40 */
                      E1000_TIDV = 0x3820,            /* SDM 13.4.41 */
                      E1000_MPC = 0x4010,             /* SDM 13.7: missed packets; reading clears */
                      E1000_RXCSUM = 0x5000,          /* SDM 13.4.47 */
                      E1000_MTA = 0x5200,             /* SDM 13.5.1; 128 registers */
                      E1000_RAL = 0x5400,             /* SDM 13.5.2 */
                      E1000_RAH = 0x5404,             /* SDM 13.5.3 */
                      E1000_REGISTER_BYTES = 0x20000, /* SDM 4.1: size of the memory BAR */
};
#define E1000_MTA_COUNT 128u

enum e1000_ctrl { /* SDM table 13-3 */
                  E1000_CTRL_FD = 1u << 0,
                  E1000_CTRL_LRST = 1u << 3,
                  E1000_CTRL_ASDE = 1u << 5,
                  E1000_CTRL_SLU = 1u << 6,
                  E1000_CTRL_ILOS = 1u << 7,
                  E1000_CTRL_FRCSPD = 1u << 11,
                  E1000_CTRL_FRCDPX = 1u << 12,
                  E1000_CTRL_RST = 1u << 26,
                  E1000_CTRL_RFCE = 1u << 27,
                  E1000_CTRL_TFCE = 1u << 28,
                  E1000_CTRL_VME = 1u << 30,
                  E1000_CTRL_PHY_RST = 1u << 31,
};

enum e1000_status { /* SDM table 13-5 */
                    E1000_STATUS_FD = 1u << 0,
                    E1000_STATUS_LU = 1u << 1,
                    E1000_STATUS_SPEED_SHIFT = 6, /* two bits: 10, 100, 1000, 1000 Mbit/s */
};

enum e1000_eerd { /* SDM table 13-8 */
                  E1000_EERD_START = 1u << 0,
                  E1000_EERD_DONE = 1u << 4,
                  E1000_EERD_ADDRESS_SHIFT = 8,
                  E1000_EERD_DATA_SHIFT = 16,
};
#define E1000_EEPROM_MAC_WORDS 3u /* SDM 5.6.1: words 0 to 2 hold the Ethernet address */

enum e1000_interrupt { /* SDM table 13-63; the same bits in ICR, IMS and IMC */
                       E1000_INT_TXDW = 1u << 0,
                       E1000_INT_LSC = 1u << 2,
                       E1000_INT_RXDMT0 = 1u << 4,
                       E1000_INT_RXO = 1u << 6,
                       E1000_INT_RXT0 = 1u << 7,
};

enum e1000_rctl { /* SDM table 13-67; BSIZE = 00b is 2048 bytes */
                  E1000_RCTL_EN = 1u << 1,
                  E1000_RCTL_BAM = 1u << 15,
                  E1000_RCTL_SECRC = 1u << 26,
};

enum e1000_rxcsum { /* SDM 13.4.47 */
                    E1000_RXCSUM_IPOFL = 1u << 8,
                    E1000_RXCSUM_TUOFL = 1u << 9,
};

enum e1000_tctl { /* SDM table 13-76 */
                  E1000_TCTL_EN = 1u << 1,
                  E1000_TCTL_PSP = 1u << 3,
                  E1000_TCTL_CT = 0x0fu << 4,    /* the recommended collision threshold */
                  E1000_TCTL_COLD = 0x40u << 12, /* the recommended distance for full duplex */
};

/* SDM table 13-77: the recommended IPGT for copper, IPGR1 and IPGR2 */
#define E1000_TIPG_VALUE (10u | 8u << 10 | 6u << 20)

#define E1000_RAH_AV (1u << 31) /* SDM 13.5.3: address valid */

struct e1000_rx_descriptor { /* SDM 3.2.3 */
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    uint8_t status;
    uint8_t errors;
    uint16_t special;
};

enum e1000_rx_status { /* SDM 3.2.3.1 */
                       E1000_RX_DD = 1u << 0,
                       E1000_RX_EOP = 1u << 1,
                       E1000_RX_IXSM = 1u << 2,
                       E1000_RX_TCPCS = 1u << 5,
                       E1000_RX_IPCS = 1u << 6,
};
enum e1000_rx_error { /* SDM 3.2.3.2 */
                      E1000_RX_CE = 1u << 0,
                      E1000_RX_SE = 1u << 1,
                      E1000_RX_SEQ = 1u << 2,
                      E1000_RX_CXE = 1u << 4,
                      E1000_RX_TCPE = 1u << 5,
                      E1000_RX_IPE = 1u << 6,
                      E1000_RX_RXE = 1u << 7,
                      E1000_RX_FRAME_ERRORS =
                          E1000_RX_CE | E1000_RX_SE | E1000_RX_SEQ | E1000_RX_CXE | E1000_RX_RXE,
};

struct e1000_tx_descriptor { /* SDM 3.3.3, the legacy format */
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset;
    uint8_t command;
    uint8_t status;
    uint8_t checksum_start;
    uint16_t special;
};

enum e1000_tx_command { /* SDM 3.3.3.1 */
                        E1000_TX_EOP = 1u << 0,
                        E1000_TX_IFCS = 1u << 1,
                        E1000_TX_RS = 1u << 3,
};
#define E1000_TX_DD (1u << 0) /* SDM 3.3.3.2 */

_Static_assert(sizeof(struct e1000_rx_descriptor) == 16, "SDM 3.2.3");
_Static_assert(sizeof(struct e1000_tx_descriptor) == 16, "SDM 3.3.3");

#endif
