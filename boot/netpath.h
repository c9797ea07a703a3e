// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names of files on a server: leat.efi's own, and those beside it. Portable, tested on the host. What comes in was said
 * by firmware and servers; nothing of it is trusted. Each function returns false, and leaves its output undefined,
 * when the input is not what it has to be or the output does not fit.
 */
#ifndef BOOT_NETPATH_H
#define BOOT_NETPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETPATH_BYTES 512u      /* of a URL or path, with its NUL */
#define NETPATH_HOST_BYTES 264u /* a name of 253, RFC 1035 2.3.4, and a port */

/* "http://10.0.0.1:8080/boot/leat.efi?a" (size bytes, perhaps with a NUL before) -> "http://10.0.0.1:8080/boot/". Of
   http and https, RFC 3986 3; a query and a fragment go. */
bool netpath_url_folder(const char *url, size_t size, char folder[NETPATH_BYTES]);

/* "http://10.0.0.1:8080/boot/" -> "10.0.0.1:8080", for the field Host (RFC 9110, 7.2). */
bool netpath_url_host(const char *folder, char host[NETPATH_HOST_BYTES]);

/* folder and name, with %XX for what cannot stand in a path (RFC 3986, 2.1); '/' stays. */
bool netpath_url_join(const char *folder, const char *name, char url[NETPATH_BYTES]);

/* "boot/x64/leat.efi" -> "boot/x64/"; "leat.efi" -> "". Some servers separate by '\'. */
bool netpath_folder(const char *file, size_t size, char folder[NETPATH_BYTES]);
bool netpath_join(const char *folder, const char *name, char path[NETPATH_BYTES]);

/* The value of a field Content-Length (RFC 9110, 8.6): digits alone, below 2^63. */
bool netpath_length(const char *value, uint64_t *length);

#endif
