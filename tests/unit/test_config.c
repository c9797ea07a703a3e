// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat.conf: what is accepted, with which defaults, and that each mistake is named with its line.
 */
#include "tests/unit/config_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/config/value.h"

static void test_full(void **state)
{
    (void)state;
    assert_int_equal(
        parse("\xef\xbb\xbf# Leat\r\n"
              "[server]\r\n"
              "address = 10.0.2.2   ; the host\r\n"
              "port = 10810\r\n"
              "[net]\nmode = static\naddress = 10.0.2.15\nnetmask = 255.255.255.0\n"
              "gateway = 10.0.2.2\ndns = 8.8.8.8\n"
              "[cache]\nsize = 128M\n[store]\nuse = no\nmemory = 32M\nformat = yes\n"
              "partition = 9357074E-1924-48A3-a9b4-982f9bda4031\n"
              "[console]\nview = web\nmenu = 10\n[machine]\nwhen_idle = power_off\n"
              "[vm web] # comes before its disk\n"
              "memory = 256M\ncpus = 1\nkernel = debian/vmlinuz\n"
              "initrd = debian/initrd.img\n"
              "cmdline = root=/dev/vda console=ttyS0 a:b\n"
              "  disks = root , data\nautostart = no\nlabel = B\xc3\xbcro\n"
              "[disk root]\nserver = nbd.example.org\nport = 1\nexport = debian 12\n"
              "mode = ram\nread_only = no\noverlay = 300M\n"
              "fallback = 10.0.2.3, mirror.lan:10810\ngive_up = 90\ncontent = debian 12.4\n"
              "[disk data]\n[disk sealed]\nread_only = yes\nhash_export = hashes\n"
              "root_hash = " HASH ":129\n"),
        0);
    assert_string_equal(config.server, "10.0.2.2");
    assert_int_equal(config.server_port, 10810);
    assert_int_equal(config.net.mode, LEAT_CONFIG_STATIC);
    assert_int_equal(config.net.address, 0x0f02000a);
    assert_int_equal(config.net.netmask, 0x00ffffff);
    assert_int_equal(config.cache_bytes, 128u << 20);
    assert_true(config.store.is_off);
    assert_int_equal(config.store.memory_bytes, 32u << 20);
    assert_int_equal(config.store.format, LEAT_CONFIG_FORMAT_YES);
    assert_string_equal(config.store.partition, "9357074e-1924-48a3-a9b4-982f9bda4031");
    assert_string_equal(config.console_view, "web");
    assert_true(config.has_menu);
    assert_int_equal(config.menu_s, 10);
    assert_string_equal(config.vms[0].label, "B\xc3\xbcro");
    assert_int_equal(config.when_idle, LEAT_CONFIG_POWER_OFF);
    assert_int_equal(config.vm_count, 1);
    const struct leat_config_vm *vm = leat_config_vm(&config, "web");
    assert_non_null(vm);
    assert_int_equal(vm->memory_bytes, 256u << 20);
    assert_string_equal(vm->kernel, "debian/vmlinuz");
    assert_string_equal(vm->cmdline, "root=/dev/vda console=ttyS0 a:b");
    assert_false(vm->autostart);
    assert_int_equal(vm->disk_count, 2);
    assert_int_equal(vm->disk[0], 0);
    assert_int_equal(vm->disk[1], 1);
    const struct leat_config_disk *root = leat_config_disk(&config, "root");
    assert_string_equal(root->server, "nbd.example.org");
    assert_string_equal(root->export_name, "debian 12");
    assert_int_equal(root->port, 1);
    assert_int_equal(root->mode, LEAT_CONFIG_RAM);
    assert_int_equal(root->overlay_bytes, 300u << 20);
    assert_string_equal(root->fallback, "10.0.2.3, mirror.lan:10810");
    assert_int_equal(root->give_up_s, 90);
    assert_string_equal(root->content, "debian 12.4");
    const struct leat_config_disk *sealed = leat_config_disk(&config, "sealed");
    assert_string_equal(sealed->hash_export, "hashes");
    assert_int_equal(strlen(sealed->root_hash), 68);
    const struct leat_config_disk *data = leat_config_disk(&config, "data");
    assert_string_equal(data->server, "10.0.2.2");
    assert_string_equal(data->export_name, "data");
    assert_int_equal(data->port, 10810);
    assert_int_equal(data->mode, LEAT_CONFIG_PRIVATE);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(config.cache_bytes, 64u << 20);
    assert_false(config.store.is_off);
    assert_int_equal(config.store.format, LEAT_CONFIG_FORMAT_EMPTY);
    assert_string_equal(config.store.partition, "");
    assert_int_equal(config.net.mode, LEAT_CONFIG_DHCP);
    assert_int_equal(config.server_port, 10809);
    assert_string_equal(config.console_view, "leat");
    assert_false(config.has_menu);
    assert_int_equal(parse("[vm a]\nmemory=64M\nkernel=k"), 0);
    assert_true(config.vms[0].autostart);
    assert_int_equal(config.vms[0].cpus, 1);
}

static void test_share_of_cpus(void **state)
{
    (void)state;
    assert_int_equal(parse("[vm a]\nmemory=64M\nkernel=k\n"
                           "[vm b]\nmemory=64M\nkernel=k\ncpus=16\nweight=10000\ncap=6400%\n"
                           "pin= 0 , 2 - 3,63\nown_core=no\ntsc_mhz=2400\n"
                           "[vm c]\nmemory=64M\nkernel=k\ncpus=2\nweight=1\ncap=1%\npin=0-63\n"
                           "[machine]\nown_core=yes\n"),
                     0);
    const struct leat_config_vm *a = &config.vms[0], *b = &config.vms[1], *c = &config.vms[2];
    assert_int_equal(a->cpus, 1);
    assert_int_equal(a->weight, 100);
    assert_int_equal(a->cap_percent, 0);
    assert_int_equal(a->tsc_mhz, 0);
    assert_int_equal(b->tsc_mhz, 2400);
    assert_int_equal(a->pin, 0);
    assert_int_equal(a->own_core, LEAT_CONFIG_YES); /* as [machine] says, though that comes last */
    assert_int_equal(b->cpus, 16);
    assert_int_equal(b->weight, 10000);
    assert_int_equal(b->cap_percent, 6400);
    assert_true(b->pin == (0xdull | 1ull << 63));
    assert_int_equal(b->own_core, LEAT_CONFIG_NO);
    assert_int_equal(c->weight, 1);
    assert_int_equal(c->cap_percent, 1);
    assert_true(c->pin == UINT64_MAX);
    assert_int_equal(parse("[vm a]\nmemory=64M\nkernel=k\n"), 0);
    assert_int_equal(config.vms[0].own_core, LEAT_CONFIG_NO);
}

static void test_mitigations(void **state)
{
    (void)state;
    assert_int_equal(parse("[machine]\nmitigations=full\n"), 0);
    assert_int_equal(config.mitigations, LEAT_CONFIG_MITIGATIONS_FULL);
    assert_int_equal(parse("[machine]\nmitigations=off\n"), 0);
    assert_int_equal(config.mitigations, LEAT_CONFIG_MITIGATIONS_OFF);
    assert_int_equal(parse("[machine]\nmitigations=auto\n"), 0);
    assert_int_equal(config.mitigations, LEAT_CONFIG_MITIGATIONS_AUTO);
    assert_int_equal(parse(""), 0);
    assert_int_equal(config.mitigations, LEAT_CONFIG_MITIGATIONS_AUTO);
}

static void test_multiboot(void **state)
{
    (void)state;
    assert_int_equal(parse("[vm a]\nmemory=64M\nboot = multiboot\nkernel=k.elf\ninitrd=i\n"
                           "modules = one.bin , d/two\napic = software\n"),
                     0);
    const struct leat_config_vm *vm = &config.vms[0];
    assert_int_equal(vm->boot, LEAT_CONFIG_MULTIBOOT);
    assert_int_equal(vm->apic, LEAT_CONFIG_APIC_SOFTWARE);
    assert_int_equal(vm->module_count, 2);
    assert_string_equal(vm->modules[0], "one.bin");
    assert_string_equal(vm->modules[1], "d/two");
    assert_int_equal(parse("[vm a]\nmemory=64M\nkernel=k"), 0);
    assert_int_equal(config.vms[0].boot, LEAT_CONFIG_LINUX);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *message;
    } cases[] = {
        {"\n\n[vm web]\n\n\nkernel = k\nmemory = 12Q\n", 7,
         "leat.conf line 7: [vm web] memory = 12Q: not a size; write for example 256M"},
        {"[vm a]\nmemory=99999999999999999999G\n", 2,
         "leat.conf line 2: [vm a] memory = 99999999999999999999G: not a size; write for example "
         "256M"},
        {"[vm a]\nmemory=18446744073709551615G\n", 2,
         "leat.conf line 2: [vm a] memory = 18446744073709551615G: too large"},
        {"[vm a]\nmemory=17M\n", 2,
         "leat.conf line 2: [vm a] memory = 17M: not a multiple of 2M, the size of a guest's "
         "pages"},
        {"[vm a]\nkernel=k\n", 1,
         "leat.conf line 1: [vm a] memory is missing; write for example memory = 256M"},
        {"[vm a]\nmemory=64M\n", 1,
         "leat.conf line 1: [vm a] kernel is missing; write for example kernel = vmlinuz"},
        {"[vm a]\nkernel=../k\n", 2,
         "leat.conf line 2: [vm a] kernel = ../k: must be a file name relative to leat.conf, "
         "without '.' and '..'"},
        {"[vm a]\nkernel=/k\n", 2,
         "leat.conf line 2: [vm a] kernel = /k: must be a file name relative to leat.conf, without "
         "'.' and '..'"},
        {"[vm a]\nkernel=\n", 2,
         "leat.conf line 2: [vm a] kernel = : must be a file name relative to leat.conf, without "
         "'.' and '..'"},
        {"[vm a]\ncpus=0\n", 2, "leat.conf line 2: [vm a] cpus = 0: too small"},
        {"[vm a]\ncpus=17\n", 2,
         "leat.conf line 2: [vm a] cpus = 17: too large; a VM has 16 CPUs at most"},
        {"[vm a]\ncpus=two\n", 2, "leat.conf line 2: [vm a] cpus = two: not a number"},
        {"[disk a]\ncontent=a name of 32 characters, too long\n", 2,
         "leat.conf line 2: [disk a] content = a name of 32 characters, too long: must be 64 "
         "hexadecimal digits, or at most 31 ASCII characters"},
        {"[disk a]\nroot_hash=12:1\n", 2,
         "leat.conf line 2: [disk a] root_hash = 12:1: must be HASH:BLOCKS as mkverity prints it: "
         "64 hexadecimal digits, and the number of data blocks"},
        {"[disk a]\nserver=s\nmode=ram\nroot_hash=" HASH ":8:7\n", 4,
         "leat.conf line 4: [disk a] root_hash = "
         "0ae4de15cdffcbc4c509d232ed5676468873b0194090becc587669deb5cb...: must be HASH:BLOCKS as "
         "mkverity prints it: 64 hexadecimal digits, and the number of data blocks"},
        {"[disk a]\nserver=s\nroot_hash=" HASH ":0\n", 3,
         "leat.conf line 3: [disk a] root_hash = "
         "0ae4de15cdffcbc4c509d232ed5676468873b0194090becc587669deb5cb...: must be HASH:BLOCKS as "
         "mkverity prints it: 64 hexadecimal digits, and the number of data blocks"},
        {"[disk a]\nserver=s\nroot_hash=" HASH ":2\n", 1,
         "leat.conf line 1: [disk a] root_hash is for images that are not written: not with mode = "
         "private, unless read_only = yes"},
        {"[disk a]\nserver=s\nmode=ram\ncontent=x\nroot_hash=" HASH ":2\n", 1,
         "leat.conf line 1: [disk a] content is the root_hash already: take it out"},
        {"[disk a]\nserver=s\nhash_export=x\n", 1,
         "leat.conf line 1: [disk a] hash_export needs root_hash"},
        {"[vm a]\nweight=0\n", 2, "leat.conf line 2: [vm a] weight = 0: too small"},
        {"[vm a]\nweight=10001\n", 2,
         "leat.conf line 2: [vm a] weight = 10001: too large; weights go from 1 to 10000"},
        {"[vm a]\ntsc_mhz=9\n", 2,
         "leat.conf line 2: [vm a] tsc_mhz = 9: out of range; a time stamp counter may have 10 to "
         "10000 MHz"},
        {"[vm a]\ntsc_mhz=10001\n", 2,
         "leat.conf line 2: [vm a] tsc_mhz = 10001: out of range; a time stamp counter may have 10 "
         "to 10000 MHz"},
        {"[vm a]\ntsc_mhz=2.4G\n", 2, "leat.conf line 2: [vm a] tsc_mhz = 2.4G: not a number"},
        {"[vm a]\ncap=25\n", 2,
         "leat.conf line 2: [vm a] cap = 25: not a share of one host CPU; write for example 25%"},
        {"[vm a]\ncap=0%\n", 2,
         "leat.conf line 2: [vm a] cap = 0%: too small; without a cap leave the key out"},
        {"[vm a]\ncap=6401%\n", 2, "leat.conf line 2: [vm a] cap = 6401%: too large"},
        {"[vm a]\ncap=25%%\n", 2,
         "leat.conf line 2: [vm a] cap = 25%%: not a share of one host CPU; write for example "
         "25%"},
        {"[vm a]\npin=\n", 2,
         "leat.conf line 2: [vm a] pin = : not a list of host CPUs; write for example 0,2-3"},
        {"[vm a]\npin=3-2\n", 2,
         "leat.conf line 2: [vm a] pin = 3-2: not a list of host CPUs; write for example 0,2-3"},
        {"[vm a]\npin=1,\n", 2,
         "leat.conf line 2: [vm a] pin = 1,: not a list of host CPUs; write for example 0,2-3"},
        {"[vm a]\npin=1 2\n", 2,
         "leat.conf line 2: [vm a] pin = 1 2: not a list of host CPUs; write for example 0,2-3"},
        {"[vm a]\npin=0-64\n", 2,
         "leat.conf line 2: [vm a] pin = 0-64: host CPUs are numbered from 0 to 63"},
        {"[vm a]\nown_core=maybe\n", 2,
         "leat.conf line 2: [vm a] own_core = maybe: must be yes or no"},
        {"[machine]\nown_core=1\n", 2,
         "leat.conf line 2: [machine] own_core = 1: must be yes or no"},
        {"[machine]\nmitigations=no\n", 2,
         "leat.conf line 2: [machine] mitigations = no: must be auto, full or off"},
        {"[vm a]\nmemory=64M\nkernel=k\ndisks=x\n", 4,
         "leat.conf line 4: [vm a] disks = x: there is no [disk] section of that name"},
        {"[vm a]\nmemory=64M\nkernel=k\ndisks=d,d\n[disk d]\nserver=s\nmode=ram", 4,
         "leat.conf line 4: [vm a] disks = d: named twice"},
        {"[vm a]\ndisks=d,\n", 2,
         "leat.conf line 2: [vm a] disks = d,: a name is missing behind the last comma"},
        {"[vm a]\ndisks=,d\n", 2,
         "leat.conf line 2: [vm a] disks = ,d: a name is missing between two commas"},
        {"[vm a]\nboot=grub\n", 2,
         "leat.conf line 2: [vm a] boot = grub: must be linux or multiboot"},
        {"[vm a]\napic=hard\n", 2,
         "leat.conf line 2: [vm a] apic = hard: must be auto, software or cpu"},
        {"[vm a]\nmemory=64M\nkernel=k\nmodules=m\n", 1,
         "leat.conf line 1: [vm a] modules need boot = multiboot"},
        {"[vm a]\nmodules=m,,n\n", 2,
         "leat.conf line 2: [vm a] modules = m,,n: a name is missing between two commas"},
        {"[vm a]\nmodules=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n", 2,
         "leat.conf line 2: [vm a] modules = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q: more than 16 "
         "modules"},
        {"[vm a]\nautostart=on\n", 2, "leat.conf line 2: [vm a] autostart = on: must be yes or no"},
        {"[vm a]\n[vm a]\n", 2, "leat.conf line 2: [vm a] this VM has a section already"},
        {"[vm all]\n", 1,
         "leat.conf line 1: [vm all] the console uses this name itself; take another"},
        {"[vm]\n", 1, "leat.conf line 1: [vm] the name is empty"},
        {"[vm a/b]\n", 1,
         "leat.conf line 1: [vm a/b] a name may hold letters, digits, '-', '_' and '.' only"},
        {"[vm aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1,
         "leat.conf line 1: [vm aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...] the name is longer than "
         "31 bytes"},
        {"[disk d]\n", 1,
         "leat.conf line 1: [disk d] no server: give it one, or write address in [server]"},
        {"[disk d]\nport=0\n", 2, "leat.conf line 2: [disk d] port = 0: too small"},
        {"[disk d]\nport=65536\n", 2, "leat.conf line 2: [disk d] port = 65536: too large"},
        {"[disk d]\nmode=shared\n", 2,
         "leat.conf line 2: [disk d] mode = shared: must be private, ram, local or server"},
        {"[disk d]\nserver=300.1.1.1\n", 2,
         "leat.conf line 2: [disk d] server = 300.1.1.1: not an IPv4 address; write for example "
         "192.168.1.20"},
        {"[disk d]\nserver=a b\n", 2,
         "leat.conf line 2: [disk d] server = a b: not a host name or IPv4 address"},
        {"[server]\n[net]\n[server]\n", 3,
         "leat.conf line 3: [server] this section is there already"},
        {"[server x]\n", 1, "leat.conf line 1: [server x] this section takes no name"},
        {"[server]\nport=1\nport=2\n", 3,
         "leat.conf line 3: [server] port = 2: given twice in this section"},
        {"[server]\nhost=x\n", 2,
         "leat.conf line 2: [server] host = x: unknown key in this section"},
        {"[servers]\n", 1,
         "leat.conf line 1: [servers] unknown section; there are leatd, server, net, cache, "
         "store, console, machine, disk NAME, vm NAME and tenant NAME"},
        {"a = b\n", 1, "leat.conf line 1: a = b: stands before the first [section]"},
        {"[server]\nnonsense\n", 2, "leat.conf line 2 is neither 'key = value' nor a [section]"},
        {"[server\n", 1, "leat.conf line 1 has a section header without ']'"},
        {"[server] port = 3\n", 1, "leat.conf line 1 has text behind the ']' of a section header"},
        {"\n[server]\n\001=x\n", 3,
         "leat.conf line 3 has a control character; leat.conf must be plain text"},
        {"# \xff\n", 1, "leat.conf line 1 is not UTF-8 text"},
        {"[net]\nmode=static\n", 1,
         "leat.conf line 1: [net] mode = static needs address and netmask"},
        {"[net]\naddress=1.2.3.4\n", 1,
         "leat.conf line 1: [net] address, netmask, gateway and dns need mode = static"},
        {"[net]\nnetmask=255.0.255.0\n", 2,
         "leat.conf line 2: [net] netmask = 255.0.255.0: not a netmask; write for example "
         "255.255.255.0"},
        {"[net]\nmode=static\naddress=1.2.3.4\nnetmask=255.255.255.0\ngateway=1.2.4.1\n", 1,
         "leat.conf line 1: [net] the gateway is not in the network of address and netmask"},
        {"[net]\naddress=1.2.3\n", 2,
         "leat.conf line 2: [net] address = 1.2.3: not an IPv4 address; write for example "
         "192.168.1.20"},
        {"[machine]\nwhen_idle=sleep\n", 2,
         "leat.conf line 2: [machine] when_idle = sleep: must be stay, power_off or reset"},
        {"[cache]\nsize=4K\n", 2,
         "leat.conf line 2: [cache] size = 4K: too small; the cache needs 1M at least"},
        {"[disk d]\nmode = local\nserver = h\n[store]\nuse = no\n", 1,
         "leat.conf line 1: [disk d] mode = local needs the store that [store] use = no forbids"},
        {"[store]\nmemory = 1M\n", 2,
         "leat.conf line 2: [store] memory = 1M: too small; a store needs 4M at least"},
        {"[store]\nformat = maybe\n", 2,
         "leat.conf line 2: [store] format = maybe: must be empty, no or yes"},
        {"[store]\npartition = 9357074e-1924-48a3-a9b4-982f9bda403\n", 2,
         "leat.conf line 2: [store] partition = 9357074e-1924-48a3-a9b4-982f9bda403: not a GUID; "
         "write for example 9357074e-1924-48a3-a9b4-982f9bda4031"},
        {"[store]\npartition = 9357074e-1924-48a3-a9b4_982f9bda4031\n", 2,
         "leat.conf line 2: [store] partition = 9357074e-1924-48a3-a9b4_982f9bda4031: not a GUID; "
         "write for example 9357074e-1924-48a3-a9b4-982f9bda4031"},
        {"[console]\nmenu=86401\n", 2, "leat.conf line 2: [console] menu = 86401: too large"},
        {"[console]\nmenu=5\n[vm a]\nmemory=64M\nkernel=k\n", 2,
         "leat.conf line 2: [console] menu: there is no VM with autostart = no to be chosen"},
        {"[console]\nview=web\n", 2,
         "leat.conf line 2: [console] view = web: must be leat, all, disks or the name of a "
         "VM"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_error(cases[i].text, cases[i].line, cases[i].message);
}

static void test_nul_byte(void **state)
{
    (void)state;
    assert_int_equal(leat_config_parse("[net]\n\0\n", 8, &config, &error), -1);
    assert_int_equal(error.line, 2);
}

/* The limits themselves are accepted, one more is not; nothing is cut silently. */
static void test_limits(void **state)
{
    (void)state;
    static char text[512 << 10];
    char *at = text + sprintf(text, "[vm a]\nmemory=64M\nkernel=k\ncmdline=");
    memset(at, 'x', LEAT_CONFIG_CMDLINE - 1);
    strcpy(at + LEAT_CONFIG_CMDLINE - 1, "\n");
    assert_int_equal(parse(text), 0);
    assert_int_equal(strlen(config.vms[0].cmdline), LEAT_CONFIG_CMDLINE - 1);
    strcpy(at + LEAT_CONFIG_CMDLINE - 1, "x\n");
    assert_int_equal(parse(text), -1);
    assert_int_equal(error.line, 4);
    assert_non_null(strstr(error.text, "too long"));
    memset(at, 'x', 5000);
    at[5000] = '\0';
    expect_error(text, 4, "leat.conf line 4 is too long");

    at = text;
    for (unsigned i = 0; i < LEAT_CONFIG_MAX_DISKS; i++)
        at += sprintf(at, "[disk d%u]\nserver=s\n", i);
    assert_int_equal(parse(text), 0);
    strcpy(at, "[disk more]\n");
    assert_int_equal(parse(text), -1);
    assert_non_null(strstr(error.text, "more than 256 disks"));

    at = text;
    for (unsigned i = 0; i < LEAT_CONFIG_MAX_VMS; i++)
        at += sprintf(at, "[vm v%u]\nmemory=64M\nkernel=k\n", i);
    assert_int_equal(parse(text), 0);
    strcpy(at, "[vm more]\n");
    assert_int_equal(parse(text), -1);
    assert_non_null(strstr(error.text, "more than 64 VMs"));

    at = text + sprintf(text, "[vm a]\ndisks=d0");
    for (unsigned i = 1; i <= LEAT_CONFIG_VM_DISKS; i++)
        at += sprintf(at, ",d%u", i);
    assert_int_equal(parse(text), -1);
    assert_non_null(strstr(error.text, "more than 16 disks"));

    memset(text, '\n', LEAT_CONFIG_MAX_BYTES + 1);
    text[LEAT_CONFIG_MAX_BYTES + 1] = '\0';
    expect_error(text, 0, "leat.conf: larger than 256 KiB");
}

static void test_utf8(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("\xc3\xa4", 2), 2);
    assert_int_equal(utf8_length("\xe2\x82\xac", 3), 3);
    assert_int_equal(utf8_length("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(utf8_length("\xc3\xa4", 1), 0);     /* cut */
    assert_int_equal(utf8_length("\xc0\x80", 2), 0);     /* overlong */
    assert_int_equal(utf8_length("\xed\xa0\x80", 3), 0); /* surrogate */
    assert_int_equal(utf8_length("\xf4\x90\x80\x80", 4), 0);
}

#define VM "memory=16M\nkernel=k\n"

static void test_tenants(void **state)
{
    (void)state;
    assert_int_equal(parse("[server]\naddress=h\n[disk d]\niops=500\nbandwidth=20M\n"
                           "[vm a]\n" VM "iops=1000\nlink_weight=300\n"
                           "[vm b]\n" VM "tenant=lab\n[vm c]\n" VM "tenant=lab\n"
                           "[vm d]\n" VM "[tenant lab]\niops=2000\nbandwidth=4K\nlink_weight=7\n"),
                     0);
    assert_int_equal(config.disks[0].rates.iops, 500);
    assert_int_equal(config.disks[0].rates.bandwidth, 20 << 20);
    assert_int_equal(config.vms[0].rates.iops, 1000);
    assert_int_equal(config.vms[0].rates.bandwidth, 0);
    assert_int_equal(config.vms[0].rates.link_weight, 300);
    for (unsigned i = 1; i < 3; i++) {
        assert_string_equal(config.vms[i].tenant, "lab");
        assert_int_equal(config.vms[i].rates.iops, 2000);
        assert_int_equal(config.vms[i].rates.bandwidth, 4096);
        assert_int_equal(config.vms[i].rates.link_weight, 7);
    }
    assert_int_equal(config.vms[3].rates.iops, 0);
    expect_error(
        "[vm a]\ntenant=lab\n" VM, 2,
        "leat.conf line 2: [vm a] tenant = lab: there is no [tenant] section of that name");
    expect_error(
        "[tenant lab]\n[vm a]\niops=1\ntenant=lab\n" VM, 4,
        "leat.conf line 4: [vm a] tenant = lab: then iops, bandwidth and link_weight stand in the "
        "tenant's section");
    expect_error("[tenant a]\n[vm a]\n" VM, 2,
                 "leat.conf line 2: [vm a] a tenant has this name too; give one of them another");
    expect_error("[tenant a]\n[tenant a]\n", 2,
                 "leat.conf line 2: [tenant a] this tenant has a section already");
    expect_error(
        "[tenant a]\nlink_weight=10001\n", 2,
        "leat.conf line 2: [tenant a] link_weight = 10001: too large; weights go from 1 to "
        "10000");
    expect_error("[tenant a]\niops=0\n", 2, "leat.conf line 2: [tenant a] iops = 0: too small");
    expect_error("[disk a]\nbandwidth=4095\n", 2,
                 "leat.conf line 2: [disk a] bandwidth = 4095: too small; a bandwidth is 4K a "
                 "second at least");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),          cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_share_of_cpus), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_mitigations),   cmocka_unit_test(test_multiboot),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_tenants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
