// SPDX-License-Identifier: BSD-2-Clause
#include "boot/identity.h"

#include <efilib.h>
#include <string.h>

#include "boot/random.h"

#define KEY_BYTES sizeof(((struct leat_boot_client_key *)0)->key)
#define ATTRIBUTES (EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS)

static CHAR16 variable[] = {'L', 'e', 'a', 't', 'K', 'e', 'y', 0};
static EFI_GUID vendor = {
    0x8a3b5f27, 0x2f3c, 0x4d0e, {0x9d, 0x61, 0x5e, 0x0c, 0x6b, 0x7a, 0x41, 0xd2}}; /* Leat's own */

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any |= bytes[i];
    return any == 0;
}

/* What would be a memset is left out by the compiler where nobody reads it again. */
static void wipe(volatile uint8_t *bytes, size_t size)
{
    while (size-- > 0)
        *bytes++ = 0;
}

/* The variable's value if it is what it has to be. */
static EFI_STATUS read_key(struct boot *boot, uint8_t key[KEY_BYTES])
{
    UINT32 attributes = 0;
    UINTN size = KEY_BYTES;
    EFI_STATUS status =
        boot->system->RuntimeServices->GetVariable(variable, &vendor, &attributes, &size, key);
    if (status == EFI_BUFFER_TOO_SMALL)
        return EFI_COMPROMISED_DATA;
    if (EFI_ERROR(status))
        return status;
    return size == KEY_BYTES && attributes == ATTRIBUTES && !is_zero(key, KEY_BYTES)
               ? EFI_SUCCESS
               : EFI_COMPROMISED_DATA;
}

/* Written, and read again: some firmware takes it and forgets it at once. */
static bool keep(struct boot *boot, const uint8_t key[KEY_BYTES])
{
    uint8_t again[KEY_BYTES] = {0};
    bool is_kept = !EFI_ERROR(boot->system->RuntimeServices->SetVariable(
                       variable, &vendor, ATTRIBUTES, KEY_BYTES, (void *)(uintptr_t)key)) &&
                   !EFI_ERROR(read_key(boot, again)) && memcmp(again, key, KEY_BYTES) == 0;
    wipe(again, sizeof(again));
    return is_kept;
}

/* UEFI 2.10, 37.5, by the algorithm that the firmware likes best. */
static bool firmware_random(uint8_t *out, size_t size)
{
    static EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
    EFI_RNG_PROTOCOL *rng = NULL;
    return !EFI_ERROR(LibLocateProtocol(&guid, (void **)&rng)) && rng != NULL &&
           !EFI_ERROR(rng->GetRNG(rng, NULL, size, out)) && !is_zero(out, size);
}

static bool make(uint8_t key[KEY_BYTES])
{
    uint8_t more[KEY_BYTES];
    bool is_firmware = firmware_random(key, KEY_BYTES);
    bool is_cpu = random_from_cpu(more, KEY_BYTES);
    if (!is_firmware)
        memset(key, 0, KEY_BYTES);
    for (unsigned i = 0; is_cpu && i < KEY_BYTES; i++)
        key[i] ^= more[i]; /* as good as the better one of the two */
    wipe(more, sizeof(more));
    return (is_firmware || is_cpu) && !is_zero(key, KEY_BYTES);
}

void identity_load(struct boot *boot)
{
    struct leat_boot_client_key *out =
        boot_add_module(boot, LEAT_BOOT_CLIENT_KEY, LEAT_MODULE_KEY, sizeof(*out));
    EFI_STATUS status = read_key(boot, out->key);
    out->is_kept = !EFI_ERROR(status);
    if (out->is_kept)
        return;
    out->is_new = 1;
    if (status == EFI_COMPROMISED_DATA)
        say(boot, "the key in the firmware (UEFI variable LeatKey) is none; it gets a new one");
    else if (status != EFI_NOT_FOUND)
        say_problem(boot,
                    "the firmware's variables cannot be read; the key is for this start alone");
    if (!make(out->key)) {
        memset(out, 0, sizeof(*out));
        boot->info->module_count--;
        say_problem(boot,
                    "this machine has no key, and no source of random numbers to make one of: "
                    "give leat.conf a psk_file");
        return;
    }
    if (status != EFI_NOT_FOUND && status != EFI_COMPROMISED_DATA)
        return;
    if (status ==
        EFI_COMPROMISED_DATA) /* UEFI 2.10, 8.2.3: other attributes can only be had by deleting it first */
        boot->system->RuntimeServices->SetVariable(variable, &vendor, 0, 0, NULL);
    out->is_kept = keep(boot, out->key);
    if (out->is_kept)
        say(boot, "this machine has a new key now (UEFI variable LeatKey)");
    else
        say_problem(boot,
                    "the firmware does not keep the machine's key (UEFI variable LeatKey): it "
                    "is for this start alone; give leat.conf a psk_file");
}
