// SPDX-License-Identifier: BSD-2-Clause
#include "boot/dhcp.h"

#include <string.h>

/* RFC 2131, 2: places of fields. */
#define SIADDR 20u
#define SNAME 44u
#define SNAME_BYTES 64u
#define FILE_NAME 108u
#define FILE_BYTES 128u
#define COOKIE 236u
#define OPTIONS 240u

enum { PAD = 0, OVERLOAD = 52, SERVER_ID = 54, BOOT_FILE = 67, END = 255 }; /* RFC 2132 */
enum { FILE_HAS_OPTIONS = 1, SNAME_HAS_OPTIONS = 2 };                       /* RFC 2132, 9.3 */

struct option {
    const uint8_t *value;
    size_t size; /* 0: not there */
};

/* The first option of that code among `size` bytes. */
static struct option find(const uint8_t *at, size_t size, uint8_t code)
{
    size_t i = 0;
    while (i < size && at[i] != END) {
        if (at[i] == PAD) {
            i++;
            continue;
        }
        if (size - i < 2 || at[i + 1] > size - i - 2)
            break;
        if (at[i] == code && at[i + 1] > 0)
            return (struct option){at + i + 2, at[i + 1]};
        i += 2u + at[i + 1];
    }
    return (struct option){NULL, 0};
}

static struct option find_anywhere(const uint8_t *packet, size_t size, uint8_t code)
{
    struct option overload = find(packet + OPTIONS, size - OPTIONS, OVERLOAD);
    struct option found = find(packet + OPTIONS, size - OPTIONS, code);
    unsigned more = overload.size == 1 ? overload.value[0] : 0;
    if (found.size == 0 && (more & FILE_HAS_OPTIONS) != 0)
        found = find(packet + FILE_NAME, FILE_BYTES, code);
    if (found.size == 0 && (more & SNAME_HAS_OPTIONS) != 0)
        found = find(packet + SNAME, SNAME_BYTES, code);
    if (found.size == 0 && code == BOOT_FILE && (more & FILE_HAS_OPTIONS) == 0)
        found = (struct option){packet + FILE_NAME, FILE_BYTES};
    return found;
}

bool dhcp_boot_of(const uint8_t *packet, size_t size, struct dhcp_boot *out)
{
    static const uint8_t cookie[4] = {99, 130, 83, 99}; /* RFC 2131, 3 */
    static const uint8_t none[4];
    if (size < OPTIONS || memcmp(packet + COOKIE, cookie, sizeof(cookie)) != 0)
        return false;
    struct option file = find_anywhere(packet, size, BOOT_FILE);
    struct option server = find_anywhere(packet, size, SERVER_ID);
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < file.size && file.value[i] != '\0'; i++) { /* at most 255 */
        if (file.value[i] < ' ' || file.value[i] > '~')
            return false; /* it is shown, and sent */
        out->file[i] = (char)file.value[i];
    }
    memcpy(out->server, packet + SIADDR, sizeof(out->server));
    if (memcmp(out->server, none, sizeof(none)) == 0 && server.size == sizeof(out->server))
        memcpy(out->server, server.value, sizeof(out->server));
    return out->file[0] != '\0' && memcmp(out->server, none, sizeof(none)) != 0;
}
