// SPDX-License-Identifier: BSD-2-Clause
#include "boot/source.h"

#include <string.h>

#include <leat/keys.h>

#include "boot/identity.h"
#include "lib/config/config.h"

#define PROFILE_MOST_BYTES (2u << 20) /* more than the largest of vdisk/profile/profile.h */
#define IA32_FS_BASE 0xc0000100u      /* SDM vol. 4, table 2-2 */

static struct leat_config config;

/* Where FS.base points while libinih runs: it reads its stack protector's canary at %fs:0x28. The value is
   no secret; it still finds every plain overrun, and its zero byte stops string functions. */
static const uint64_t thread_block[8] = {[5] = 0x5a17c0de9be3f100ull};

static bool parse(const char *text, uint64_t size, struct leat_config_error *error)
{
    uint64_t saved = boot_rdmsr(IA32_FS_BASE);
    boot_wrmsr(IA32_FS_BASE, (uintptr_t)thread_block);
    int status = leat_config_parse(text, size, &config, error);
    boot_wrmsr(IA32_FS_BASE, saved);
    return status == 0;
}

static bool is_loaded(const struct leat_boot_info *info, enum leat_module_kind kind,
                      const char *name)
{
    for (uint32_t i = 0; i < info->module_count; i++)
        if (info->modules[i].kind == (uint32_t)kind && strcmp(info->modules[i].name, name) == 0)
            return true;
    return false;
}

/* What leat.conf names: section "vm web", key "kernel". most: bytes of it; 0: any number. */
struct wanted {
    const char *section, *owner, *key;
    enum leat_module_kind kind;
    uint64_t most;
};

static void complain(struct boot *boot, const struct wanted *w, const char *name, const char *why,
                     const char *more)
{
    say_problem(boot, "leat.conf [", w->section, w->owner[0] != '\0' ? " " : "", w->owner, "] ",
                w->key, " = ", name, ": ", why, more);
}

static void load_file(struct boot *boot, struct source *source, const struct wanted *w,
                      const char *name)
{
    if (name[0] == '\0' || is_loaded(boot->info, w->kind, name))
        return;
    uint64_t size;
    enum source_found found = source->open(source, name, &size);
    if (found != SOURCE_FOUND) {
        complain(boot, w, name, found == SOURCE_NONE ? "there is no such file " : source->why,
                 found == SOURCE_NONE ? source->place : "");
        return;
    }
    if (w->most != 0 && size > w->most) {
        source->close(source);
        complain(boot, w, name, "is too large for what it is to be", "");
        return;
    }
    void *at = boot_add_module(boot, name, w->kind, size);
    if (!source->read(source, at, size)) {
        /* Its pages stay taken: the medium is bad, memory is not short. */
        boot->info->module_count--;
        complain(boot, w, name, "cannot be read: ", source->why);
    }
}

static void load_vm_files(struct boot *boot, struct source *source, const struct leat_config_vm *vm)
{
    struct wanted w = {"vm", vm->name, "kernel", LEAT_MODULE_FILE, 0};
    load_file(boot, source, &w, vm->kernel);
    w.key = "initrd";
    load_file(boot, source, &w, vm->initrd);
    w.key = "modules";
    for (unsigned m = 0; m < vm->module_count; m++)
        load_file(boot, source, &w, vm->modules[m]);
}

static void load_client_key(struct boot *boot, struct source *source)
{
    if (config.leatd.servers[0] != '\0' && config.leatd.psk[0] == '\0' &&
        config.leatd.psk_file[0] == '\0')
        identity_load(boot);
    struct wanted w = {"leatd", "", "psk_file", LEAT_MODULE_KEY, LEAT_KEY_FILE_BYTES - 1};
    load_file(boot, source, &w, config.leatd.psk_file);
}

static void load_disk_files(struct boot *boot, struct source *source,
                            const struct leat_config_disk *disk)
{
    struct wanted w = {"disk", disk->name, "", LEAT_MODULE_KEY, LEAT_KEY_FILE_BYTES - 1};
    const char *name;
    for (unsigned n = 0; (name = leat_config_key_file(&disk->tls, n, &w.key)) != NULL; n++)
        load_file(boot, source, &w, name);
    w = (struct wanted){"disk", disk->name, "profile_file", LEAT_MODULE_FILE, PROFILE_MOST_BYTES};
    load_file(boot, source, &w, disk->profile_file);
}

/* leat.conf's text, a module from then on; NULL: the problem has been said. */
static char *load_config(struct boot *boot, struct source *source, uint64_t size)
{
    if (size > LEAT_CONFIG_MAX_BYTES) {
        source->close(source);
        say_problem(boot, "leat.conf is larger than 256 KiB");
        return NULL;
    }
    char *text = boot_add_module(boot, "leat.conf", LEAT_MODULE_CONFIG, size);
    if (source->read(source, text, size))
        return text;
    boot->info->module_count--;
    say_problem(boot, "leat.conf cannot be read ", source->place, ": ", source->why);
    return NULL;
}

void files_load(struct boot *boot)
{
    uint64_t size;
    struct source *source = source_find(boot, &size);
    char *text = source != NULL ? load_config(boot, source, size) : NULL;
    if (text == NULL)
        return;
    struct leat_config_error error;
    if (!parse(text, size, &error)) {
        leat_config_wipe_keys(&config);
        say_problem(boot, error.text);
        return;
    }
    load_client_key(boot, source);
    for (unsigned i = 0; i < config.vm_count; i++)
        load_vm_files(boot, source, &config.vms[i]);
    for (unsigned i = 0; i < config.disk_count; i++)
        load_disk_files(boot, source, &config.disks[i]);
    leat_config_wipe_keys(&config); /* the memory of leat.efi will be anybody's */
}
