// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <efilib.h>
#include <string.h>

#include "lib/config/value.h"

static EFI_LOADED_IMAGE *loaded_image(struct boot *boot)
{
    EFI_LOADED_IMAGE *loaded = NULL;
    if (EFI_ERROR(boot->services->HandleProtocol(boot->image, &gEfiLoadedImageProtocolGuid,
                                                 (void **)&loaded)))
        return NULL;
    return loaded;
}

static bool has_protocol(struct boot *boot, EFI_HANDLE handle, EFI_GUID *guid)
{
    void *interface;
    return handle != NULL && !EFI_ERROR(boot->services->HandleProtocol(handle, guid, &interface));
}

const char *volume_kind(struct boot *boot)
{
    EFI_LOADED_IMAGE *loaded = loaded_image(boot);
    if (loaded == NULL || loaded->DeviceHandle == NULL)
        return "unknown";
    EFI_DEVICE_PATH *path = DevicePathFromHandle(loaded->DeviceHandle);
    for (; path != NULL && !IsDevicePathEnd(path); path = NextDevicePathNode(path))
        if (DevicePathType(path) == MESSAGING_DEVICE_PATH &&
            DevicePathSubType(path) == 24) /* UEFI 2.10, 10.3.4.22: URI */
            return "http";
    if (has_protocol(boot, loaded->DeviceHandle, &gEfiSimpleFileSystemProtocolGuid))
        return "disk";
    if (has_protocol(boot, loaded->DeviceHandle, &gEfiPxeBaseCodeProtocolGuid))
        return "pxe";
    return "unknown";
}

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

bool volume_open(struct boot *boot, struct volume *volume)
{
    EFI_LOADED_IMAGE *loaded = loaded_image(boot);
    EFI_FILE_IO_INTERFACE *interface;
    memset(volume, 0, sizeof(*volume));
    if (loaded == NULL || loaded->DeviceHandle == NULL ||
        EFI_ERROR(boot->services->HandleProtocol(
            loaded->DeviceHandle, &gEfiSimpleFileSystemProtocolGuid, (void **)&interface)) ||
        EFI_ERROR(interface->OpenVolume(interface, &volume->root)))
        return false;
    return image_folder(loaded->FilePath, volume->folder, sizeof(volume->folder) / sizeof(CHAR16));
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

EFI_FILE *volume_open_file(struct volume *volume, const char *name, uint64_t *size)
{
    CHAR16 path[512];
    size_t folder = StrLen(volume->folder);
    memcpy(path, volume->folder, folder * sizeof(CHAR16));
    if (!append_name(path, folder, sizeof(path) / sizeof(CHAR16), name))
        return NULL;
    EFI_FILE *file = NULL;
    if (EFI_ERROR(volume->root->Open(volume->root, &file, path, EFI_FILE_MODE_READ, 0)))
        return NULL;
    EFI_FILE_INFO *info = LibFileInfo(file);
    if (info == NULL || (info->Attribute & EFI_FILE_DIRECTORY) != 0) {
        if (info != NULL)
            FreePool(info);
        file->Close(file);
        return NULL;
    }
    *size = info->FileSize;
    FreePool(info);
    return file;
}

bool volume_read(EFI_FILE *file, void *out, uint64_t size)
{
    uint8_t *at = out;
    bool ok = true;
    while (ok && size > 0) {
        UINTN piece = size < (16u << 20) ? size : 16u << 20;
        ok = !EFI_ERROR(file->Read(file, &piece, at)) && piece != 0;
        if (ok) {
            at += piece;
            size -= piece;
        }
    }
    file->Close(file);
    return ok;
}
