// SPDX-License-Identifier: BSD-2-Clause
/*
 * ATA: registers, commands and IDENTIFY DEVICE data, as far as the drivers for IDE and AHCI use them. Sources: ATA8-ACS
 * (T13/1699-D, "ACS"), ATA8-APT (T13/1698-D, parallel transport, "APT"), and for bus mastering SFF-8038i revision 1.0.
 */
#ifndef DRIVERS_BLOCK_ATA_REGS_H
#define DRIVERS_BLOCK_ATA_REGS_H

enum ata_register {                /* offsets in the command block: APT, table of I/O registers */
                    ATA_DATA = 0,  /* 16 bits; the others have 8 */
                    ATA_ERROR = 1, /* read */
                    ATA_FEATURES = 1, /* write */
                    ATA_COUNT = 2,
                    ATA_LBA_LOW = 3,
                    ATA_LBA_MID = 4,
                    ATA_LBA_HIGH = 5,
                    ATA_DEVICE = 6,
                    ATA_STATUS = 7,  /* reading ends the interrupt */
                    ATA_COMMAND = 7, /* write */
};
#define ATA_CONTROL 0u /* in the control block, which is one byte here; reading: the status again */

enum ata_status { /* ACS 6.2 */
                  ATA_STATUS_ERR = 1u << 0,
                  ATA_STATUS_DRQ = 1u << 3,
                  ATA_STATUS_DF = 1u << 5,
                  ATA_STATUS_DRDY = 1u << 6,
                  ATA_STATUS_BSY = 1u << 7,
};
enum ata_error { /* ACS 6.3 */
                 ATA_ERROR_ABRT = 1u << 2,
                 ATA_ERROR_IDNF = 1u << 4,
                 ATA_ERROR_UNC = 1u << 6,
                 ATA_ERROR_ICRC = 1u << 7, /* damaged on the cable */
};
enum ata_device_bit { /* APT: device register */
                      ATA_DEVICE_SECOND = 1u << 4,
                      ATA_DEVICE_LBA = 1u << 6,
                      ATA_DEVICE_OBSOLETE = 0xa0, /* bits that old devices want to be 1 */
};
enum ata_control { /* APT: device control register */
                   ATA_CONTROL_NIEN = 1u << 1,
                   ATA_CONTROL_SRST = 1u << 2,
};
#define ATA_SIGNATURE_MID 0x14u /* of a packet device: ACS 9.12 (signatures) */
#define ATA_SIGNATURE_HIGH 0xebu

enum ata_command { /* ACS 7 */
                   ATA_DATA_SET_MANAGEMENT = 0x06,
                   ATA_READ_SECTORS = 0x20,
                   ATA_READ_SECTORS_EXT = 0x24,
                   ATA_READ_DMA_EXT = 0x25,
                   ATA_READ_LOG_EXT = 0x2f,
                   ATA_WRITE_SECTORS = 0x30,
                   ATA_WRITE_SECTORS_EXT = 0x34,
                   ATA_WRITE_DMA_EXT = 0x35,
                   ATA_WRITE_DMA_FUA_EXT = 0x3d,
                   ATA_READ_FPDMA_QUEUED = 0x60,
                   ATA_WRITE_FPDMA_QUEUED = 0x61,
                   ATA_READ_DMA = 0xc8,
                   ATA_WRITE_DMA = 0xca,
                   ATA_FLUSH_CACHE = 0xe7,
                   ATA_FLUSH_CACHE_EXT = 0xea,
                   ATA_IDENTIFY_DEVICE = 0xec,
                   ATA_SET_FEATURES = 0xef,
};
enum ata_feature { /* ACS 7.47: of SET FEATURES, and of DATA SET MANAGEMENT */
                   ATA_FEATURE_WRITE_CACHE_ON = 0x02,
                   ATA_FEATURE_TRANSFER_MODE = 0x03,
                   ATA_FEATURE_WRITE_CACHE_OFF = 0x82,
                   ATA_DSM_TRIM = 0x01,
};
#define ATA_MODE_MULTIWORD_DMA 0x20u /* ACS, table of transfer modes: 00100mmm */
#define ATA_MODE_ULTRA_DMA 0x40u     /* 01000mmm */

#define ATA_SECTOR 512u /* of IDENTIFY, logs and the list of DATA SET MANAGEMENT */
#define ATA_IDENTIFY_WORDS 256u
enum ata_identify {                     /* word numbers: ACS 7.16 */
                    ATA_ID_GENERAL = 0, /* bit 15: no ATA device */
                    ATA_ID_SERIAL = 10,
                    ATA_ID_FIRMWARE = 23,
                    ATA_ID_MODEL = 27,
                    ATA_ID_CAPABILITIES = 49, /* bit 9: LBA; bit 8: DMA */
                    ATA_ID_VALID = 53,        /* bit 2: word 88 is valid */
                    ATA_ID_SECTORS_28 = 60,
                    ATA_ID_MULTIWORD =
                        63, /* bits 10:8: the mode in use; 2:0: those that there are */
                    ATA_ID_QUEUE_DEPTH = 75,
                    ATA_ID_SERIAL_ATA = 76,   /* bit 8: NCQ */
                    ATA_ID_SUPPORTED_82 = 82, /* bit 5: write cache */
                    ATA_ID_SUPPORTED_83 = 83, /* bit 10: 48 bits; 12: FLUSH CACHE; 13: ... EXT */
                    ATA_ID_SUPPORTED_84 = 84, /* bit 6: WRITE DMA FUA EXT */
                    ATA_ID_ENABLED_85 = 85,   /* bit 5: write cache */
                    ATA_ID_ULTRA_DMA = 88,    /* bits 14:8: the mode in use */
                    ATA_ID_SECTORS_48 = 100,
                    ATA_ID_SECTOR_SIZE = 106, /* bits 15:14 = 01b: valid; 13, 12, 3:0 */
                    ATA_ID_SECTOR_WORDS = 117,
                    ATA_ID_DSM = 169, /* bit 0: TRIM */
                    ATA_ID_DSM_BLOCKS =
                        105, /* of 512 bytes in one DATA SET MANAGEMENT; 0: not told */
};

enum ata_bm_register { /* SFF-8038i 2: of the first channel; the second's are 8 further */
                       ATA_BM_COMMAND = 0,
                       ATA_BM_STATUS = 2,
                       ATA_BM_TABLE = 4,
                       ATA_BM_CHANNEL_BYTES = 8,
};
enum ata_bm_bit { /* SFF-8038i 2.1, 2.2 */
                  ATA_BM_START = 1u << 0,
                  ATA_BM_TO_MEMORY = 1u << 3,
                  ATA_BM_ACTIVE = 1u << 0,
                  ATA_BM_ERROR = 1u << 1,
                  ATA_BM_INTERRUPT = 1u << 2,
                  ATA_BM_CAPABLE = 3u << 5, /* which device can DMA, for software to keep */
                  ATA_BM_SIMPLEX = 1u << 7,
};
#define ATA_PRD_END (1u << 31)    /* SFF-8038i 1.2: the last entry of the table */
#define ATA_PRD_BOUNDARY 0x10000u /* no entry reaches over a multiple of it */

#endif
