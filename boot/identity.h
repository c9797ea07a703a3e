// SPDX-License-Identifier: BSD-2-Clause
/*
 * The key that this machine keeps in its firmware (docs/client.md): the UEFI variable LeatKey, 32 random bytes, for boot
 * services alone, so that nothing that is started later can read it.
 */
#ifndef BOOT_IDENTITY_H
#define BOOT_IDENTITY_H

#include "boot/boot.h"

/*
 * Adds the module LEAT_BOOT_CLIENT_KEY: the key that is kept, or a new one, which is kept from then on. Firmware that
 * cannot keep it is said, and the key is for this start alone. Without a source of random numbers, and with none kept,
 * there is no module; that is said too. Nothing here is fatal.
 */
void identity_load(struct boot *boot);

#endif
