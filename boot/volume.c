// SPDX-License-Identifier: BSD-2-Clause
#include "boot/source.h"

#include <efilib.h>
#include <string.h>

#include "lib/config/value.h"

#define FOLDER_CHARACTERS 256u
#define PATH_CHARACTERS 512u

static struct volume {
    struct source source; /* first: it is what the others know */
    EFI_FILE *root, *file;
    CHAR16 folder[FOLDER_CHARACTERS]; /* of leat.efi, ends in a backslash; later: of leat.conf */
} volume;

/* The folder part of the loaded image's file path, "\EFI\BOOT\" for example. A path may come in
   several nodes (UEFI 2.10, 10.3.5.4). False: it does not fit. */
static bool image_folder(EFI_DEVICE_PATH *path, CHAR16 *folder, size_t size)
{
    size_t used = 0;
    for (; path != NULL && !IsDevicePathEnd(path); path = NextDevicePathNode(path)) {
        if (DevicePathType(path) != MEDIA_DEVICE_PATH ||
            DevicePathSubType(path) != MEDIA_FILEPATH_DP)
            continue;
        const uint8_t *bytes = (const uint8_t *)path + sizeof(EFI_DEVICE_PATH);
        size_t count = (DevicePathNodeLength(path) - sizeof(EFI_DEVICE_PATH)) / sizeof(CHAR16);
        if (used > 0 && folder[used - 1] != '\\')
            folder[used++] = '\\';
        for (size_t i = 0; i < count; i++) {
            CHAR16 c;
            memcpy(&c, bytes + i * sizeof(c), sizeof(c)); /* nodes are packed */
            if (c == 0)
                break;
            if (used + 2 >= size)
                return false;
            folder[used++] = c;
        }
    }
    while (used > 0 && folder[used - 1] != '\\')
        used--;
    if (used == 0)
        folder[used++] = '\\';
    folder[used] = 0;
    return true;
}

/* Appends a UTF-8 name as UCS-2 with backslashes. False: too long, or not in UCS-2. */
static bool append_name(CHAR16 *path, size_t used, size_t size, const char *name)
{
    size_t left = strlen(name);
    while (left > 0) {
        size_t length = utf8_length(name, left);
        const unsigned char *b = (const unsigned char *)name;
        if (length == 0 || length > 3 || used + 1 >= size)
            return false;
        if (length == 1)
            path[used] = b[0] == '/' ? '\\' : b[0];
        else if (length == 2)
            path[used] = (CHAR16)((b[0] & 0x1f) << 6 | (b[1] & 0x3f));
        else
            path[used] = (CHAR16)((b[0] & 0x0f) << 12 | (b[1] & 0x3f) << 6 | (b[2] & 0x3f));
        used++;
        name += length;
        left -= length;
    }
    path[used] = 0;
    return true;
}

static enum source_found open_file(struct source *source, const char *name, uint64_t *size)
{
    CHAR16 path[PATH_CHARACTERS];
    size_t folder = StrLen(volume.folder);
    memcpy(path, volume.folder, folder * sizeof(CHAR16));
    (void)source;
    if (!append_name(path, folder, PATH_CHARACTERS, name) ||
        EFI_ERROR(volume.root->Open(volume.root, &volume.file, path, EFI_FILE_MODE_READ, 0)))
        return SOURCE_NONE;
    EFI_FILE_INFO *info = LibFileInfo(volume.file);
    bool is_file = info != NULL && (info->Attribute & EFI_FILE_DIRECTORY) == 0;
    if (is_file)
        *size = info->FileSize;
    else
        volume.file->Close(volume.file);
    if (info != NULL)
        FreePool(info);
    return is_file ? SOURCE_FOUND : SOURCE_NONE;
}

static bool read_file(struct source *source, void *out, uint64_t size)
{
    uint8_t *at = out;
    bool ok = true;
    while (ok && size > 0) {
        UINTN piece = size < (16u << 20) ? size : 16u << 20;
        ok = !EFI_ERROR(volume.file->Read(volume.file, &piece, at)) && piece != 0;
        if (ok) {
            at += piece;
            size -= piece;
        }
    }
    volume.file->Close(volume.file);
    source->why = "the volume cannot be read";
    return ok;
}

static void close_file(struct source *source)
{
    (void)source;
    volume.file->Close(volume.file);
}

static bool use_root(struct source *source)
{
    (void)source;
    if (volume.folder[1] == 0)
        return false; /* it is the root already */
    volume.folder[1] = 0;
    return true;
}

struct source *source_disk(struct boot *boot, const char **why)
{
    EFI_FILE_IO_INTERFACE *interface = source_protocol(boot, &gEfiSimpleFileSystemProtocolGuid);
    (void)why;
    if (interface == NULL || EFI_ERROR(interface->OpenVolume(interface, &volume.root)) ||
        !image_folder(source_loaded_image(boot)->FilePath, volume.folder, FOLDER_CHARACTERS))
        return NULL;
    volume.source = (struct source){.boot = boot,
                                    .kind = "disk",
                                    .place = "on the boot volume",
                                    .open = open_file,
                                    .read = read_file,
                                    .close = close_file,
                                    .use_root = use_root};
    return &volume.source;
}
