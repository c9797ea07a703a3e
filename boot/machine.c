// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <efilib.h>
#include <string.h>

/* UEFI 2.10, 4.6.1; SMBIOS 3.x 64-bit entry point, which gnu-efi's library does not name. */
static EFI_GUID smbios3_guid = {
    0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}};
static EFI_GUID smbios_guid = {
    0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
static EFI_GUID acpi20_guid = {
    0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};

static const uint8_t *find_table(struct boot *boot, const EFI_GUID *guid)
{
    for (UINTN i = 0; i < boot->system->NumberOfTableEntries; i++) {
        EFI_CONFIGURATION_TABLE *table = &boot->system->ConfigurationTable[i];
        if (memcmp(&table->VendorGuid, guid, sizeof(*guid)) == 0)
            return table->VendorTable;
    }
    return NULL;
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

/* SMBIOS 3.6, 6.1.3: strings are counted from 1 on, and stand behind the structure. What is not printable is shown as
   a '?'. */
static void copy_string(const uint8_t *strings, const uint8_t *end, unsigned number, char *out,
                        unsigned size)
{
    unsigned used = 0;
    while (number > 1 && strings < end && *strings != 0) {
        while (strings < end && *strings != 0)
            strings++;
        strings++;
        number--;
    }
    for (; number == 1 && strings < end && *strings != 0 && used + 1 < size; strings++)
        out[used++] = *strings >= ' ' && *strings <= '~' ? (char)*strings : '?';
    out[used] = '\0';
}

/* SMBIOS 3.6, 6.1.2 and 7.2: structures are a header of type, length, handle, then strings that end
   in two NULs; type 1's product name is the string of the number at offset 5, its UUID stands at offset 8. */
static void find_system(const uint8_t *at, uint64_t size, struct leat_boot_info *info)
{
    const uint8_t *end = at + size;
    while (end - at >= 4 && at[1] >= 4 && at[1] <= end - at) {
        if (at[0] == 1 && at[1] >= 24) {
            memcpy(info->smbios_uuid, at + 8, 16);
            copy_string(at + at[1], end, at[5], info->product, sizeof(info->product));
            return;
        }
        if (at[0] == 127) /* end of table */
            return;
        at += at[1];
        while (end - at >= 2 && (at[0] != 0 || at[1] != 0))
            at++;
        at += end - at >= 2 ? 2 : end - at;
    }
}

static void describe_smbios(struct boot *boot)
{
    const uint8_t *entry = find_table(boot, &smbios3_guid);
    if (entry != NULL && memcmp(entry, "_SM3_", 5) == 0) { /* SMBIOS 3.6, 5.2.2 */
        find_system((const uint8_t *)(uintptr_t)get(entry + 16, 8), get(entry + 12, 4), boot->info);
        return;
    }
    entry = find_table(boot, &smbios_guid);
    if (entry != NULL && memcmp(entry, "_SM_", 4) == 0) /* 5.2.1 */
        find_system((const uint8_t *)(uintptr_t)get(entry + 24, 4), get(entry + 22, 2), boot->info);
}

static void describe_framebuffer(struct boot *boot)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = NULL;
    EFI_HANDLE console = boot->system->ConsoleOutHandle;
    /* The one that shows the firmware's console is the one that people look at. */
    if (console == NULL || EFI_ERROR(boot->services->HandleProtocol(
                               console, &gEfiGraphicsOutputProtocolGuid, (void **)&gop)))
        if (EFI_ERROR(LibLocateProtocol(&gEfiGraphicsOutputProtocolGuid, (void **)&gop)))
            return;
    if (gop == NULL || gop->Mode == NULL || gop->Mode->Info == NULL)
        return;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    struct leat_framebuffer *out = &boot->info->framebuffer;
    switch (mode->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        out->red_mask = 0x0000ff;
        out->green_mask = 0x00ff00;
        out->blue_mask = 0xff0000;
        break;
    case PixelBlueGreenRedReserved8BitPerColor:
        out->red_mask = 0xff0000;
        out->green_mask = 0x00ff00;
        out->blue_mask = 0x0000ff;
        break;
    case PixelBitMask:
        out->red_mask = mode->PixelInformation.RedMask;
        out->green_mask = mode->PixelInformation.GreenMask;
        out->blue_mask = mode->PixelInformation.BlueMask;
        break;
    default:
        return; /* no linear frame buffer */
    }
    out->width = mode->HorizontalResolution;
    out->height = mode->VerticalResolution;
    out->pixels_per_scan_line = mode->PixelsPerScanLine;
    out->size = gop->Mode->FrameBufferSize;
    out->base_hpa = gop->Mode->FrameBufferBase;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; years count from March, so that the
   leap day is a year's last. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t month_from_march = (month + 9) % 12;
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400;
    return days + (153 * month_from_march + 2) / 5 + day - 1 - 719468;
}

static void describe_time(struct boot *boot)
{
    EFI_TIME t;
    if (EFI_ERROR(boot->system->RuntimeServices->GetTime(&t, NULL)) || t.Year < 1970 ||
        t.Year > 9999 || t.Month < 1 || t.Month > 12 || t.Day < 1 || t.Day > 31 || t.Hour > 23 ||
        t.Minute > 59 || t.Second > 59)
        return;
    int64_t seconds =
        days_since_1970(t.Year, t.Month, t.Day) * 86400 + t.Hour * 3600 + t.Minute * 60 + t.Second;
    if (t.TimeZone >= -1440 && t.TimeZone <= 1440) /* UEFI 2.10, 8.3: local time = UTC - TimeZone */
        seconds += t.TimeZone * 60;
    boot->info->wall_clock_s = seconds;
}

void machine_describe(struct boot *boot)
{
    acpi_describe(boot, find_table(boot, &acpi20_guid));
    describe_smbios(boot);
    describe_framebuffer(boot);
    describe_time(boot);
    boot->info->tsc_hz = tsc_measure(boot);
}

void machine_hand_over(void)
{
    /* 8259A: ICW1-4, vectors out of the exceptions' way, then all masked */
    static const uint8_t init[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},
                                      {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1},
                                      {0x21, 0xff}, {0xa1, 0xff}};
    for (unsigned i = 0; i < sizeof(init) / sizeof(init[0]); i++)
        boot_out8((uint16_t)init[i][0], init[i][1]);
    say_set_up_serial();
}
