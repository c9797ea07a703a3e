// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a ring-3 process starts, and how the supervisor joins two of them.
 *
 * Every process but the supervisor is started with RDI = LEAT_START_VA, where a read-only block of
 * LEAT_START_PAGES pages holds struct leat_start. All that the process may use is in its entries, each by its role.
 * Shared memory named there has been mapped by the supervisor. The supervisor itself gets
 * RDI = LEAT_START_VA too, with the entries "machine" (handle), and "bootinfo" (va).
 *
 * Joins made later (a new VM's disk) come as LEAT_CTL_ATTACH messages with the same entry.
 */
#ifndef LEAT_START_H
#define LEAT_START_H

#include <leat/types.h>

#define LEAT_START_VA 0x10000ull
#define LEAT_START_PAGES 8
#define LEAT_START_MAGIC 0x747261745f74656cull
#define LEAT_START_MAX_ENTRIES 64

/*
 * One resource. Roles: "notif" (own notification: handle), "log" (console channel for the process's own
 * messages), "ctl" (control channel with the supervisor), "console" (a guest's console), "disk" (block
 * channel; name = disk), "net" (net channel), "machine", "mmio", "irq", "ports", "dma", "file" (a boot
 * module; name), "module" (the same, for the guest's kernel; name = file), "keys" (memory for vdisk,
 * keys.h).
 */
struct leat_start_entry {
    char role[16];
    char name[64];
    uint32_t handle;    /* the object: mem of a channel, irq, ports, notif ...; 0: none */
    uint32_t peer;      /* notification of the other side, to signal; 0: none */
    uint64_t peer_bits; /* what to signal there */
    uint64_t my_bits;   /* what arrives on the own notification from that side */
    uint64_t va, size;  /* where it is mapped, bytes; size of a file in bytes; 0: not mapped */
    uint64_t arg[4];    /* by role: irq: gsi; ports: first, count; mmio: hpa */
};

struct leat_start {
    uint64_t magic;
    char name[32];      /* of the process: "net", "vdisk", "vmm-web1" */
    uint32_t count;
    uint32_t args_size;
    struct leat_start_entry entries[LEAT_START_MAX_ENTRIES];
    char args[20480];   /* "key=value\n" lines: the process's configuration, NUL-terminated */
};

_Static_assert(sizeof(struct leat_start) <= LEAT_START_PAGES * 4096, "start block fits");

/* -- the control channel: supervisor <-> every process; console -> supervisor for the prompt -- */

enum leat_ctl_op {
    LEAT_CTL_ATTACH = 1, /* to the process: entry is a new channel (a vmm's disk for vdisk, a guest's
                            console for the console). arg[0]: a cookie for DETACH; text: "key=value\n" */
    LEAT_CTL_DETACH = 2, /* to the process: the other side of cookie arg[0] is gone: finish and unmap. Of
                            vdisk's store: arg[1] = 1 if another one will be attached in its place */
    LEAT_CTL_DETACHED = 3, /* answer: nothing of cookie arg[0] is in use any more */
    LEAT_CTL_STATUS = 4, /* from the process: text is its one-line state ("connecting to ...", "ready") */
    LEAT_CTL_QUERY = 5,  /* to the process: arg[0] = a number to repeat; arg[1], to vdisk: LEAT_QUERY; it
                            answers with */
    LEAT_CTL_REPLY = 6,  /*   REPLY messages carrying text, arg[0] as asked, arg[1] = 1 on the last */
    LEAT_CTL_COMMAND = 7, /* console -> supervisor: a prompt line, arg[0] a number; answered by REPLY */
    LEAT_CTL_VM_EVENT = 8, /* vmm -> supervisor: arg[0] = enum leat_vm_event; text says why */
    LEAT_CTL_STOP = 9,   /* to the process: end in an orderly way (vmm: press the power button;
                            vdisk: flush), then exit */
    LEAT_CTL_CLIENT = 10, /* client -> supervisor: arg[0] = enum leat_client_event (client.h) */
    LEAT_CTL_CHOOSE = 11, /* supervisor -> client: arg[0]: bit n: entry n of the offer will run */
    LEAT_CTL_REPORT = 12, /* supervisor -> client: area.report has arg[0] bytes */
    LEAT_CTL_PROFILE = 13, /* supervisor -> client: area.profile has arg[0] bytes. vdisk -> supervisor: the memory of its
                              entry "profile" has arg[0] bytes, the boot profile of disk `text` (VM/DISK); answered by
                              the same when it may be filled again */
    LEAT_CTL_SCREEN = 14, /* supervisor -> console: arg[0] = enum leat_screen_op */
    LEAT_CTL_CHOSEN = 15, /* console -> supervisor: entry arg[0] of the menu; arg[1]: LEAT_CHOSEN */
};

/* What stands on the screen before all views: a notice, or a menu. It is on the screen, and
   on the serial line below the lines that come there meanwhile. */
enum leat_screen_op {
    LEAT_SCREEN_NOTICE = 1, /* text: title; arg[3]: seconds that are counted down ("asks again in"), 0: none; lines
                               follow. With its SHOW a later NOTICE or MENU takes the place of what is there */
    LEAT_SCREEN_MENU = 2,   /* text: title; arg[1]: entries (1 to 64), arg[2]: the default, arg[3]: seconds, 0: none */
    LEAT_SCREEN_LINE = 3,   /* text: the notice's next line, at most 12; or the label of the menu's next entry */
    LEAT_SCREEN_SHOW = 4,   /* all lines are there; arg[1]: a number that the menu's LEAT_CTL_CHOSEN repeats */
    LEAT_SCREEN_CLOSE = 5,  /* back to the view that was there; arg[1]: not 0: to that VM's */
};

#define LEAT_SCREEN_LINES 12u
#define LEAT_SCREEN_ENTRIES 64u
#define LEAT_SCREEN_SECONDS 86400u /* more are taken for so many */

/* arg[1] of LEAT_CTL_CHOSEN: the menu's number, and whether it was the time-out. */
#define LEAT_CHOSEN(number, by_timeout) ((uint64_t)(uint32_t)(number) << 1 | ((by_timeout) ? 1u : 0u))

/* What of its disks vdisk is asked for: their state, everything as JSON, or a table so large. */
enum leat_query { LEAT_QUERY_STATE = 0, LEAT_QUERY_JSON = 1, LEAT_QUERY_TABLE = 2 };
#define LEAT_QUERY(what, columns, rows) \
    ((uint64_t)(what) | (uint64_t)(uint16_t)(columns) << 16 | (uint64_t)(uint16_t)(rows) << 32)
#define LEAT_QUERY_WHAT(query) ((uint32_t)(uint16_t)(query))
#define LEAT_QUERY_COLUMNS(query) ((uint32_t)(uint16_t)((query) >> 16))
#define LEAT_QUERY_ROWS(query) ((uint32_t)(uint16_t)((query) >> 32))

enum leat_vm_event {
    LEAT_VM_RUNNING = 1,
    LEAT_VM_POWER_OFF = 2, /* the guest switched itself off */
    LEAT_VM_RESET = 3,     /* the guest asked for a reset (its vmm handles that itself; for the log) */
    LEAT_VM_CRASHED = 4,   /* triple fault or what no guest may do; text: why */
    LEAT_VM_WAITING = 5,   /* waits for a disk; text: which */
};

struct leat_ctl {
    uint32_t op;
    uint32_t reserved;
    uint64_t arg[4];
    char text[280];
    struct leat_start_entry entry;
};

#define LEAT_CTL_COUNT 32 /* entries each way */

struct leat_ctl_channel { /* layout of the shared memory; entry_size sizeof(struct leat_ctl) */
    _Alignas(64) uint8_t to_process[LEAT_PAGE_SIZE * 5];
    _Alignas(64) uint8_t from_process[LEAT_PAGE_SIZE * 5];
};

#endif
