// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat.conf: parsed and checked. Portable: used by boot (which loads the files it names), by the
 * supervisor, and by tests on the host.
 *
 *     [leatd]             servers = HOST[:PORT], ...; psk_file = FILE or psk = UUID:HEX: a server says what
 *                         stands in [server], [disk NAME], [vm NAME] and [tenant NAME]
 *     [server]            address = HOST, port = 10809; tls_psk, tls_psk_file, tls_ca, tls_cert,
 *                         tls_key, tls_name: keys of all disks that have none of their own
 *     [net]               mode = dhcp | static; static: address, netmask, gateway, dns
 *     [cache]             size = 64M
 *     [store]             use = yes | no, partition = GUID, memory = SIZE,
 *                         format = no | empty | yes: the cache on a local disk
 *     [console]           view = leat | all | disks | NAME of a VM; menu = SECONDS: VMs with autostart = no are
 *                         offered at the start
 *     [machine]           when_idle = stay | power_off | reset: once all VMs that ran are off;
 *                         own_core = yes | no: of all VMs that do not say it themselves;
 *                         mitigations = auto | full | off: barriers against side channels
 *     [disk NAME]         server, port (default: from [server]), export (default: NAME),
 *                         mode = private | ram | local | server, read_only = yes | no;
 *                         ram: overlay = SIZE; server: client_export = NAME with {vm} in it,
 *                         client_servers = HOST[:PORT], ..., client_layer = depth | holes;
 *                         fallback = HOST[:PORT], HOST[:PORT]; give_up = SECONDS;
 *                         content = TEXT: the name of this version of the image;
 *                         root_hash = HASH:BLOCKS[:ALL], hash_export = NAME: every block is verified;
 *                         iops = N, bandwidth = SIZE: at most so much in a second, in each VM;
 *                         tls = yes | no, and keys as in [server];
 *                         profile = yes | no, profile_file = FILE: its boot profile
 *     [vm NAME]           memory, cpus, kernel, initrd, cmdline, disks = NAME, NAME;
 *                         boot = linux | multiboot, modules = FILE, FILE; autostart = yes | no;
 *                         label = TEXT: its name in the menu;
 *                         apic = auto | software | cpu: who works its local APICs;
 *                         weight, cap = N%, pin = N, N-N, own_core = yes | no: its share of the CPUs;
 *                         tsc_mhz = N: the rate of its time stamp counter;
 *                         iops, bandwidth: of all its disks together; link_weight: its part of a
 *                         busy link; or tenant = NAME
 *     [tenant NAME]       iops, bandwidth, link_weight: of all disks of all VMs that name it, together
 *
 * A ';' or '#' at the start of a line, and a ';' after a space, start a comment. Sizes take the
 * suffixes K, M and G. Whatever is unknown, twice there, too long or does not fit together is an
 * error that names its line.
 */
#ifndef LIB_CONFIG_CONFIG_H
#define LIB_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_CONFIG_MAX_VMS 64u
#define LEAT_CONFIG_MAX_DISKS 256u
#define LEAT_CONFIG_VM_DISKS 16u /* disks of one VM */
#define LEAT_CONFIG_VM_MODULES 16u
#define LEAT_CONFIG_VM_CPUS 16u /* vCPUs of one VM */
#define LEAT_CONFIG_HOST_CPUS 64u
#define LEAT_CONFIG_WEIGHT 100u
#define LEAT_CONFIG_MAX_WEIGHT 10000u
#define LEAT_CONFIG_MIN_TSC_MHZ 10u
#define LEAT_CONFIG_MAX_TSC_MHZ 10000u
#define LEAT_CONFIG_NAME 32u /* bytes of a VM's or disk's name, with its NUL */
#define LEAT_CONFIG_LABEL 96u
#define LEAT_CONFIG_HOST 128u /* as in struct leat_net_slot */
#define LEAT_CONFIG_CONTENT 65u
#define LEAT_CONFIG_EXPORT 256u
#define LEAT_CONFIG_FALLBACK 200u
#define LEAT_CONFIG_ROOT 104u              /* "HASH:BLOCKS:ALL" */
#define LEAT_CONFIG_FALLBACKS 3u           /* as in vdisk/vdisk.h */
#define LEAT_CONFIG_VM_MARK "{vm}"         /* in client_export: the VM's name */
#define LEAT_CONFIG_FILE 64u               /* as in struct leat_boot_module */
#define LEAT_CONFIG_PSK 200u               /* "NAME:HEX": 63 bytes of name, 64 of key */
#define LEAT_CONFIG_CMDLINE 2048u          /* what Linux's x86 boot protocol takes at most */
#define LEAT_CONFIG_MAX_BYTES (256u << 10) /* of the whole text */

#define LEAT_CONFIG_LEATD_SERVERS 4u
#define LEAT_CONFIG_LEATD_PORT 9471u
#define LEAT_CONFIG_NBD_PORT 10809u /* IANA's port of NBD */
#define LEAT_CONFIG_CACHE_BYTES (64ull << 20)

enum leat_config_idle { LEAT_CONFIG_STAY = 0, LEAT_CONFIG_POWER_OFF = 1, LEAT_CONFIG_RESET = 2 };

enum leat_config_choice { LEAT_CONFIG_NOT_SAID = 0, LEAT_CONFIG_NO = 1, LEAT_CONFIG_YES = 2 };

/* Barriers against side channels: those that the CPU needs and that cost little, all, none. */
enum leat_config_mitigations {
    LEAT_CONFIG_MITIGATIONS_AUTO = 0,
    LEAT_CONFIG_MITIGATIONS_FULL = 1,
    LEAT_CONFIG_MITIGATIONS_OFF = 2
};

enum leat_config_net_mode { LEAT_CONFIG_DHCP = 0, LEAT_CONFIG_STATIC = 1 };

struct leat_config_net {
    enum leat_config_net_mode mode;
    uint32_t address, netmask, gateway, dns; /* network byte order; 0: not given */
};

/* Where TLS keys are. All empty: none, plain text. Either psk or psk_file, or else ca and what may go
   with it. */
struct leat_config_tls {
    char psk[LEAT_CONFIG_PSK]; /* secret: the text "NAME:HEX" itself */
    char psk_file[LEAT_CONFIG_FILE];
    char ca[LEAT_CONFIG_FILE], certificate[LEAT_CONFIG_FILE], key[LEAT_CONFIG_FILE];
    char server_name[LEAT_CONFIG_HOST];
    unsigned line; /* of the last of these keys */
};

/* [leatd]: the server that says what the machine runs. servers empty: there is no such section. */
struct leat_config_leatd {
    char servers
        [LEAT_CONFIG_FALLBACK]; /* as written, each checked; at most LEAT_CONFIG_LEATD_SERVERS */
    char psk[LEAT_CONFIG_PSK];  /* secret: "UUID:HEX", the client's key */
    char psk_file[LEAT_CONFIG_FILE]; /* a file with that line; both empty: the firmware's key */
    unsigned line;
};

enum leat_config_disk_mode {
    LEAT_CONFIG_PRIVATE = 0, /* writes go to the server's image; one VM only */
    LEAT_CONFIG_RAM = 1,     /* writes stay in memory; any number of VMs */
    LEAT_CONFIG_LOCAL = 2,   /* writes go to the store on a local disk; any number of VMs */
    LEAT_CONFIG_LAYER = 3,   /* "server": to an export of the VM's own over this one; any number */
};

struct leat_config_rates { /* of requests and bytes in a second; 0: no limit */
    uint64_t iops, bandwidth;
    unsigned link_weight; /* of a VM or tenant: 1 ... 10000; 0: 100 */
};

/* What of Leat's partition may be written over, when no store is in it. */
enum leat_config_format {
    LEAT_CONFIG_FORMAT_EMPTY = 0, /* a partition that begins and ends with zeros */
    LEAT_CONFIG_FORMAT_NO,
    LEAT_CONFIG_FORMAT_YES, /* whatever is there, a damaged store too */
};

#define LEAT_CONFIG_GUID 37u /* of a GUID as text, with its NUL */

struct leat_config_store {
    bool is_off; /* local disks are not touched */
    enum leat_config_format format;
    uint64_t memory_bytes;            /* 0: as much as the partition needs, within bounds */
    char partition[LEAT_CONFIG_GUID]; /* its own GUID; empty: the first one that is found */
};

struct leat_config_disk {
    char name[LEAT_CONFIG_NAME];
    char server[LEAT_CONFIG_HOST]; /* never empty after a successful parse */
    char export_name[LEAT_CONFIG_EXPORT];
    uint16_t port;                       /* host byte order */
    char fallback[LEAT_CONFIG_FALLBACK]; /* as written, each checked: other servers of the image */
    uint32_t give_up_s; /* how long a request waits for a server that is away; 0: for ever */
    enum leat_config_disk_mode mode;
    char client_export[LEAT_CONFIG_EXPORT];    /* mode server: with {vm} for the VM's name */
    char client_servers[LEAT_CONFIG_FALLBACK]; /* as written, each checked; empty: this one's */
    bool client_holes;                         /* client_layer = holes */
    char content[LEAT_CONFIG_CONTENT];    /* as written, checked (vdisk/content.h); empty: none */
    char root_hash[LEAT_CONFIG_ROOT];     /* as written, checked (vdisk/verity); empty: none */
    char hash_export[LEAT_CONFIG_EXPORT]; /* empty: that of the image with ".verity" behind it */
    bool read_only;
    bool profile;                        /* its boots are recorded, and streamed first */
    char profile_file[LEAT_CONFIG_FILE]; /* empty: none comes with leat.conf */
    enum leat_config_choice wants_tls;   /* as written */
    struct leat_config_tls tls;          /* its own, or those of [server] */
    uint64_t overlay_bytes; /* mode ram: what its writes may take; 0: a share of what is free */
    struct leat_config_rates rates; /* in each VM that has it */
    unsigned line;                  /* of its section */
};

struct leat_config_tenant {
    char name[LEAT_CONFIG_NAME];
    struct leat_config_rates rates;
    unsigned line;
};

enum leat_config_boot { LEAT_CONFIG_LINUX = 0, LEAT_CONFIG_MULTIBOOT = 1 };
enum leat_config_apic {
    LEAT_CONFIG_APIC_AUTO = 0,
    LEAT_CONFIG_APIC_SOFTWARE,
    LEAT_CONFIG_APIC_CPU
};

struct leat_config_vm {
    char name[LEAT_CONFIG_NAME];
    uint64_t memory_bytes; /* a multiple of 2 MiB */
    unsigned cpus;
    unsigned weight;                  /* 1 ... 10000 */
    unsigned cap_percent;             /* of one host CPU's time, all vCPUs together; 0: no cap */
    uint64_t pin;                     /* bit n: may run on host CPU n; 0: on all */
    enum leat_config_choice own_core; /* YES or NO after a successful parse */
    unsigned tsc_mhz;                 /* 10 ... 10000; 0: the host's */
    enum leat_config_boot boot;
    enum leat_config_apic apic;
    char kernel[LEAT_CONFIG_FILE];
    char initrd[LEAT_CONFIG_FILE]; /* empty: none; with multiboot: the first module */
    unsigned module_count;
    char modules[LEAT_CONFIG_VM_MODULES][LEAT_CONFIG_FILE]; /* multiboot only */
    char cmdline[LEAT_CONFIG_CMDLINE];
    unsigned disk_count;
    char disk_name[LEAT_CONFIG_VM_DISKS][LEAT_CONFIG_NAME];
    uint16_t disk[LEAT_CONFIG_VM_DISKS]; /* indices into leat_config.disks, in the order given */
    char tenant[LEAT_CONFIG_NAME];  /* a [tenant]'s name; empty: the VM is a tenant of its own */
    struct leat_config_rates rates; /* after a successful parse: the tenant's */
    unsigned tenant_line;
    bool autostart;                /* default yes */
    char label[LEAT_CONFIG_LABEL]; /* UTF-8; empty: none */
    unsigned line;                 /* of its section */
    unsigned disks_line;
};

struct leat_config { /* some 700 KB: not for the stack */
    struct leat_config_leatd leatd;
    char server[LEAT_CONFIG_HOST]; /* empty: none given, then every disk has its own */
    uint16_t server_port;          /* host byte order */
    struct leat_config_tls tls;    /* of [server] */
    struct leat_config_net net;
    uint64_t cache_bytes;
    struct leat_config_store store;
    char console_view[LEAT_CONFIG_NAME]; /* "leat", "all", "disks" or a VM's name */
    unsigned console_line;
    bool has_menu;
    unsigned menu_s; /* until its default is chosen; 0: never */
    unsigned menu_line;
    enum leat_config_idle when_idle;
    enum leat_config_mitigations mitigations;
    bool own_core; /* of VMs that do not say it */
    unsigned disk_count, vm_count, tenant_count;
    struct leat_config_disk disks[LEAT_CONFIG_MAX_DISKS];
    struct leat_config_vm vms[LEAT_CONFIG_MAX_VMS];
    struct leat_config_tenant tenants[LEAT_CONFIG_MAX_VMS];
};

struct leat_config_error {
    unsigned line; /* 1 and up; 0: concerns the whole text */
    /* "leat.conf line 7: [vm web] memory = 12Q: not a size; write for example 256M" */
    char text[240];
};

/*
 * Parses `size` bytes at `text` (no NUL needed) and checks them as a whole. 0 on success. -1 when
 * something is wrong: *error says what, *out is then undefined. Uses no heap; about 4 KiB of stack;
 * one thread at a time.
 */
int leat_config_parse(const char *text, size_t size, struct leat_config *out,
                      struct leat_config_error *error);

/*
 * The same for the text of a leat.conf with [leatd], and behind it, from `server_from` on, what leatd has given: sections
 * server, disk, vm and tenant alone. Lines of the latter are counted from 1 on, and messages call it "the configuration
 * from the server".
 */
int leat_config_parse_joined(const char *text, size_t size, size_t server_from,
                             struct leat_config *out, struct leat_config_error *error);

/* -- keys (tls.c) -- */
bool leat_config_has_keys(const struct leat_config_tls *tls);
bool leat_config_same_keys(const struct leat_config_tls *a, const struct leat_config_tls *b);
/* The n-th file that holds keys, n from 0, in an order of its own; NULL: no more. *key is what leat.conf
   calls it: "tls_ca". */
const char *leat_config_key_file(const struct leat_config_tls *tls, unsigned n, const char **key);
/* Overwrites every key that stands in the configuration itself. */
void leat_config_wipe_keys(struct leat_config *config);

/* Where {vm} stands in a client_export; NULL: nowhere. */
const char *leat_config_vm_mark(const char *text);
/* The name of a VM's own export on a disk in mode server. */
void leat_config_client_export(const struct leat_config_disk *disk, const char *vm,
                               char name[LEAT_CONFIG_EXPORT]);

/* The VM, disk or tenant of that name; NULL: none. */
const struct leat_config_vm *leat_config_vm(const struct leat_config *config, const char *name);
const struct leat_config_disk *leat_config_disk(const struct leat_config *config, const char *name);
const struct leat_config_tenant *leat_config_tenant(const struct leat_config *config,
                                                    const char *name);

#endif
