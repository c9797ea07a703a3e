// SPDX-License-Identifier: BSD-2-Clause
#include "boot/source.h"

#include <efilib.h>
#include <string.h>

#include "lib/text.h"

EFI_LOADED_IMAGE *source_loaded_image(struct boot *boot)
{
    EFI_LOADED_IMAGE *loaded = NULL;
    if (EFI_ERROR(boot->services->HandleProtocol(boot->image, &gEfiLoadedImageProtocolGuid,
                                                 (void **)&loaded)))
        return NULL;
    return loaded;
}

void *source_protocol(struct boot *boot, EFI_GUID *guid)
{
    EFI_LOADED_IMAGE *loaded = source_loaded_image(boot);
    void *interface = NULL;
    if (loaded == NULL || loaded->DeviceHandle == NULL ||
        EFI_ERROR(boot->services->HandleProtocol(loaded->DeviceHandle, guid, &interface)))
        return NULL;
    return interface;
}

EFI_DEVICE_PATH *source_path_node(struct boot *boot, uint8_t subtype)
{
    EFI_LOADED_IMAGE *loaded = source_loaded_image(boot);
    if (loaded == NULL || loaded->DeviceHandle == NULL)
        return NULL;
    EFI_DEVICE_PATH *path = DevicePathFromHandle(loaded->DeviceHandle);
    for (; path != NULL && !IsDevicePathEnd(path); path = NextDevicePathNode(path)) {
        if ((size_t)DevicePathNodeLength(path) < sizeof(*path))
            return NULL; /* it would never end */
        if (DevicePathType(path) == MESSAGING_DEVICE_PATH && DevicePathSubType(path) == subtype)
            return path;
    }
    return NULL;
}

void source_watchdog(struct boot *boot)
{
    boot->services->SetWatchdogTimer(SOURCE_FILE_S, 0x10000, 0,
                                     NULL); /* codes above 0xffff are free */
}

/* Where leat.conf was looked for, and why it did not come from there: "; at tftp://10.0.0.1/: no such file". */
struct search {
    char text[200];
    struct text line;
};

static void note(struct search *search, const char *place, const char *why)
{
    text_put(&search->line, search->line.used > 0 ? "; " : "");
    text_put(text_put(text_put(&search->line, place), ": "), why);
}

static bool has_config(struct source *source, struct search *search, uint64_t *size)
{
    enum source_found found = source->open(source, "leat.conf", size);
    if (found == SOURCE_NONE && source->use_root(source))
        found = source->open(source, "leat.conf", size);
    if (found != SOURCE_FOUND)
        note(search, source->place, found == SOURCE_NONE ? "no such file" : source->why);
    return found == SOURCE_FOUND;
}

static void set_device(struct boot *boot, const char *kind)
{
    struct text device;
    text_begin(&device, boot->info->boot_device, sizeof(boot->info->boot_device));
    text_put(&device, kind);
}

struct source *source_find(struct boot *boot, uint64_t *size)
{
    /* The disk first: firmware that has loaded leat.efi by itself (iPXE) may show what it has as a file system. */
    static struct source *(*const ways[])(struct boot *, const char **) = {source_disk, source_http,
                                                                           source_tftp};
    static struct search search;
    text_begin(&search.line, search.text, sizeof(search.text));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *why = NULL;
        struct source *source = ways[i](boot, &why);
        bool is_there = source != NULL && has_config(source, &search, size);
        if (is_there || (source != NULL && boot->info->boot_device[0] == '\0'))
            set_device(boot, source->kind);
        if (is_there)
            return source;
        if (source == NULL && why != NULL)
            note(&search, i == 1 ? "HTTP" : "TFTP", why);
    }
    if (boot->info->boot_device[0] == '\0')
        set_device(boot, "unknown");
    say_problem(boot, "leat.conf is missing: put it beside leat.efi (",
                search.text[0] != '\0'
                    ? search.text
                    : "which was started from neither a file system nor a server",
                ")");
    return NULL;
}
