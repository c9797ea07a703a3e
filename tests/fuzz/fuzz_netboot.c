// SPDX-License-Identifier: BSD-2-Clause
/* What DHCP servers and firmware say of where leat.efi came from: packets, URLs, paths, header fields. */
#include "boot/dhcp.h"
#include "boot/netpath.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void packet(const uint8_t *data, size_t size)
{
    struct dhcp_boot boot;
    if (!dhcp_boot_of(data, size, &boot))
        return;
    require(boot.file[0] != '\0' && memchr(boot.file, '\0', sizeof(boot.file)) != NULL);
    for (const char *c = boot.file; *c != '\0'; c++)
        require(*c >= ' ' && *c <= '~');
}

static void url(const char *text, size_t size)
{
    char folder[NETPATH_BYTES], host[NETPATH_HOST_BYTES], joined[NETPATH_BYTES];
    if (!netpath_url_folder(text, size, folder))
        return;
    size_t length = strlen(folder);
    require(length < NETPATH_BYTES && folder[length - 1] == '/');
    require(strcspn(folder, " \r\n\t?#") == length);
    if (netpath_url_host(folder, host))
        require(host[0] != '\0' && strcspn(host, "/@ \r\n") == strlen(host));
    if (netpath_url_join(folder, "leat.conf", joined))
        require(strlen(joined) == length + 9);
}

static void names(const char *text, size_t size)
{
    char path[NETPATH_BYTES], folder[NETPATH_BYTES];
    char *copy = malloc(size + 1);
    uint64_t number;
    require(copy != NULL);
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (netpath_folder(text, size, folder) && netpath_join(folder, copy, path))
        require(strlen(path) == strlen(folder) + strlen(copy));
    if (netpath_url_join("http://a/", copy, path))
        require(strcspn(path, " \r\n?#\\") == strlen(path));
    if (netpath_length(copy, &number))
        require(number < UINT64_MAX >> 1);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    packet(data, size);
    url((const char *)data, size);
    names((const char *)data, size);
    return 0;
}
