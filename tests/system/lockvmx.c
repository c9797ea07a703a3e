// SPDX-License-Identifier: BSD-2-Clause
/*
 * Plays the firmware that switched VT-x off: locks IA32_FEATURE_CONTROL without its VMX bits (SDM vol. 3,
 * 24.7), then starts \EFI\BOOT\LEAT.EFI from the same volume.
 */
#include <efi.h>
#include <efilib.h>

#define IA32_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_LOCK 1

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_LOADED_IMAGE *self;
    EFI_HANDLE leat;

    InitializeLib(image, system);
    __asm__ volatile("wrmsr" ::"c"(IA32_FEATURE_CONTROL), "a"(FEATURE_CONTROL_LOCK), "d"(0));
    EFI_STATUS status =
        uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol, (void **)&self);
    if (EFI_ERROR(status))
        return status;
    EFI_DEVICE_PATH *path = FileDevicePath(self->DeviceHandle, L"\\EFI\\BOOT\\LEAT.EFI");
    status = uefi_call_wrapper(BS->LoadImage, 6, FALSE, image, path, NULL, 0, &leat);
    if (EFI_ERROR(status))
        return status;
    return uefi_call_wrapper(BS->StartImage, 3, leat, NULL, NULL);
}
