// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where leat.conf, and the files that it names, come from: the same place as leat.efi. One of three: a file system, a
 * TFTP server (UEFI PXE), a web server (UEFI HTTP boot). One file at a time is open.
 */
#ifndef BOOT_SOURCE_H
#define BOOT_SOURCE_H

#include "boot/boot.h"

enum source_found {
    SOURCE_FOUND,
    SOURCE_NONE,   /* there is no such file */
    SOURCE_FAILED, /* why says it */
};

struct source {
    struct boot *boot;
    const char *kind; /* "disk", "pxe", "http": boot_device of struct leat_boot_info */
    char place[320];  /* for people: "on the boot volume", "at http://10.0.0.1/boot/" */
    const char *
        why; /* of what failed last: "the server does not answer"; never NULL after SOURCE_FAILED */

    /* Finds a file and its size in bytes; name as in leat.conf: relative to it, UTF-8, separated by '/'. After
       SOURCE_FOUND it is open until read or close. */
    enum source_found (*open)(struct source *source, const char *name, uint64_t *size);
    /* Reads all of the open file, `size` bytes as open has said, and closes it. False: why says it. */
    bool (*read)(struct source *source, void *out, uint64_t size);
    void (*close)(struct source *source);
    /* The folder one up from which files come too, from now on; false: there is none. */
    bool (*use_root)(struct source *source);
};

/*
 * Each returns its source (static), or NULL when leat.efi was not started in this way, or when the firmware does not
 * offer what is needed for it; in the latter case *why is a phrase for people.
 *
 * Time: the volume's is the firmware's matter. http gives up when nothing has come for SOURCE_SILENCE_S. tftp is one
 * call of the firmware for each file, with the firmware's own time limits; in any case the firmware's watchdog starts
 * the machine anew when a file has taken SOURCE_FILE_S, from either of these two.
 */
struct source *source_disk(struct boot *boot, const char **why);
struct source *source_tftp(struct boot *boot, const char **why);
struct source *source_http(struct boot *boot, const char **why);
#define SOURCE_SILENCE_S 20u
#define SOURCE_FILE_S 900u
#define SOURCE_MOST_BYTES (512ull << 20) /* of a file from a server, which could say anything */

/* The source that has leat.conf, which is then open, `size` bytes long. NULL: none; the problem has been said. */
struct source *source_find(struct boot *boot, uint64_t *size);

/* For the three of them. */
EFI_LOADED_IMAGE *source_loaded_image(struct boot *boot); /* NULL: none */
void *source_protocol(struct boot *boot,
                      EFI_GUID *guid); /* of the device that leat.efi came from; NULL: none */
EFI_DEVICE_PATH *source_path_node(struct boot *boot,
                                  uint8_t subtype); /* of type messaging, in its path; NULL: none */
void source_watchdog(struct boot *boot);            /* starts SOURCE_FILE_S anew */

#endif
