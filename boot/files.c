// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <string.h>

#include <leat/keys.h>

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

/* leat.conf beside leat.efi, else at the root of the same volume. */
static EFI_FILE *open_config(struct volume *volume, uint64_t *size)
{
    EFI_FILE *file = volume_open_file(volume, "leat.conf", size);
    if (file == NULL) {
        volume->folder[0] = '\\';
        volume->folder[1] = 0;
        file = volume_open_file(volume, "leat.conf", size);
    }
    return file;
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

static void complain(struct boot *boot, const struct wanted *w, const char *name, const char *why)
{
    say_problem(boot, "leat.conf [", w->section, w->owner[0] != '\0' ? " " : "", w->owner, "] ",
                w->key, " = ", name, ": ", why);
}

static void load_file(struct boot *boot, struct volume *volume, const struct wanted *w,
                      const char *name)
{
    if (name[0] == '\0' || is_loaded(boot->info, w->kind, name))
        return;
    uint64_t size;
    EFI_FILE *file = volume_open_file(volume, name, &size);
    if (file == NULL) {
        complain(boot, w, name, "there is no such file beside leat.conf on the boot volume");
        return;
    }
    if (w->most != 0 && size > w->most) {
        file->Close(file);
        complain(boot, w, name, "is too large for what it is to be");
        return;
    }
    void *at = boot_add_module(boot, name, w->kind, size);
    if (!volume_read(file, at, size)) {
        /* Its pages stay taken: the medium is bad, memory is not short. */
        boot->info->module_count--;
        complain(boot, w, name, "cannot be read from the boot volume");
    }
}

static void load_vm_files(struct boot *boot, struct volume *volume, const struct leat_config_vm *vm)
{
    struct wanted w = {"vm", vm->name, "kernel", LEAT_MODULE_FILE, 0};
    load_file(boot, volume, &w, vm->kernel);
    w.key = "initrd";
    load_file(boot, volume, &w, vm->initrd);
    w.key = "modules";
    for (unsigned m = 0; m < vm->module_count; m++)
        load_file(boot, volume, &w, vm->modules[m]);
}

static void load_client_key(struct boot *boot, struct volume *volume)
{
    struct wanted w = {"leatd", "", "psk_file", LEAT_MODULE_KEY, LEAT_KEY_FILE_BYTES - 1};
    load_file(boot, volume, &w, config.leatd.psk_file);
}

static void load_disk_files(struct boot *boot, struct volume *volume,
                            const struct leat_config_disk *disk)
{
    struct wanted w = {"disk", disk->name, "", LEAT_MODULE_KEY, LEAT_KEY_FILE_BYTES - 1};
    const char *name;
    for (unsigned n = 0; (name = leat_config_key_file(&disk->tls, n, &w.key)) != NULL; n++)
        load_file(boot, volume, &w, name);
    w = (struct wanted){"disk", disk->name, "profile_file", LEAT_MODULE_FILE, PROFILE_MOST_BYTES};
    load_file(boot, volume, &w, disk->profile_file);
}

void files_load(struct boot *boot)
{
    static struct volume volume;
    if (!volume_open(boot, &volume)) {
        say_problem(boot, "leat.conf is missing: leat.efi was not started from a file system (",
                    boot->info->boot_device, ")");
        return;
    }
    uint64_t size;
    EFI_FILE *file = open_config(&volume, &size);
    if (file == NULL) {
        say_problem(
            boot, "leat.conf is missing: put it beside leat.efi or at the root of the boot volume",
            NULL);
        return;
    }
    if (size > LEAT_CONFIG_MAX_BYTES) {
        file->Close(file);
        say_problem(boot, "leat.conf is larger than 256 KiB");
        return;
    }
    char *text = boot_add_module(boot, "leat.conf", LEAT_MODULE_CONFIG, size);
    if (!volume_read(file, text, size)) {
        boot->info->module_count--;
        say_problem(boot, "leat.conf cannot be read from the boot volume");
        return;
    }
    struct leat_config_error error;
    if (!parse(text, size, &error)) {
        leat_config_wipe_keys(&config);
        say_problem(boot, error.text);
        return;
    }
    load_client_key(boot, &volume);
    for (unsigned i = 0; i < config.vm_count; i++)
        load_vm_files(boot, &volume, &config.vms[i]);
    for (unsigned i = 0; i < config.disk_count; i++)
        load_disk_files(boot, &volume, &config.disks[i]);
    leat_config_wipe_keys(&config); /* the memory of leat.efi will be anybody's */
}
