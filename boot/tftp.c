// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files by TFTP: EFI_PXE_BASE_CODE_PROTOCOL of the device that leat.efi came from (UEFI 2.10, 24.3). The firmware has
 * its address already, and keeps what the DHCP servers have said.
 */
#include "boot/source.h"

#include <efilib.h>
#include <string.h>

#include "boot/dhcp.h"
#include "boot/netpath.h"
#include "lib/text.h"

/* RFC 2348: data in a packet. With headers of IP, UDP and TFTP it fills an Ethernet frame's 1500 bytes; the default of
   512 would take three times as many turns. */
#define BLOCK_BYTES 1468u
#define TFTP_NOT_FOUND 1u   /* RFC 1350, appendix */
#define TFTP_NOT_ALLOWED 2u /* some servers say that of what is not there */

static struct tftp {
    struct source source;
    EFI_PXE_BASE_CODE_PROTOCOL *pxe;
    EFI_IP_ADDRESS server;
    char folder[NETPATH_BYTES], path[NETPATH_BYTES]; /* path: of the open file */
    char why[200];
} tftp;

static void put_ipv4(struct text *text, const uint8_t address[4])
{
    for (unsigned i = 0; i < 4; i++)
        text_put_number(text_put(text, i > 0 ? "." : ""), address[i]);
}

/* Of the packets that the firmware keeps the one that it booted by: the boot server's answer, the proxy's, DHCP's own. */
static bool find_boot(const EFI_PXE_BASE_CODE_MODE *mode, struct dhcp_boot *found)
{
    const struct {
        BOOLEAN is_there;
        const EFI_PXE_BASE_CODE_PACKET *packet;
    } packets[] = {{mode->PxeReplyReceived, &mode->PxeReply},
                   {mode->ProxyOfferReceived, &mode->ProxyOffer},
                   {mode->DhcpAckReceived, &mode->DhcpAck}};
    for (unsigned i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
        if (packets[i].is_there &&
            dhcp_boot_of(packets[i].packet->Raw, sizeof(packets[i].packet->Raw), found))
            return true;
    return false;
}

/* What the server or the firmware has said, as a phrase. */
static const char *explain(EFI_STATUS status)
{
    const EFI_PXE_BASE_CODE_MODE *mode = tftp.pxe->Mode;
    struct text text;
    if (mode->TftpErrorReceived && status == EFI_TFTP_ERROR) {
        char said[100] = "";
        for (unsigned i = 0; i + 1 < sizeof(said) && i < sizeof(mode->TftpError.ErrorString); i++) {
            char c = (char)mode->TftpError.ErrorString[i];
            if (c == '\0')
                break;
            said[i] = c >= ' ' && c <= '~' ? c : '?';
        }
        text_begin(&text, tftp.why, sizeof(tftp.why));
        text_put_number(text_put(&text, "the TFTP server refuses it with error "),
                        mode->TftpError.ErrorCode);
        text_put(text_put(text_put(&text, " ("), said), ")");
        return tftp.why;
    }
    switch (status) {
    case EFI_TIMEOUT:
    case EFI_NO_RESPONSE:
        return "the TFTP server does not answer";
    case EFI_BUFFER_TOO_SMALL:
        return "the file has changed while it was read";
    case EFI_UNSUPPORTED: /* iPXE, which does not say either how much it has read */
        return "the firmware cannot ask for sizes of files; iPXE has to load leat.conf too "
               "(leat.ipxe)";
    default:
        text_begin(&text, tftp.why, sizeof(tftp.why));
        text_put(text_put_number(text_put(&text, "TFTP fails (UEFI's error "), status & 0xffff),
                 ")");
        return tftp.why;
    }
}

static EFI_STATUS transfer(EFI_PXE_BASE_CODE_TFTP_OPCODE what, void *out, UINT64 *size)
{
    UINTN block = BLOCK_BYTES;
    tftp.pxe->Mode->TftpErrorReceived = FALSE;
    source_watchdog(tftp.source.boot);
    return tftp.pxe->Mtftp(tftp.pxe, what, out, FALSE, size, &block, &tftp.server,
                           (UINT8 *)tftp.path, NULL, FALSE);
}

/* Error 0 has no meaning but its text; dnsmasq says so of a file that is not there. */
static bool says_not_found(const EFI_PXE_BASE_CODE_TFTP_ERROR *error)
{
    static const char words[] = "not found";
    for (size_t i = 0; i + sizeof(words) - 1 <= sizeof(error->ErrorString); i++)
        if (memcmp(&error->ErrorString[i], words, sizeof(words) - 1) == 0)
            return true;
    return error->ErrorCode == TFTP_NOT_FOUND || error->ErrorCode == TFTP_NOT_ALLOWED;
}

static enum source_found open_file(struct source *source, const char *name, uint64_t *size)
{
    const EFI_PXE_BASE_CODE_MODE *mode = tftp.pxe->Mode;
    UINT64 told = 0;
    if (!netpath_join(tftp.folder, name, tftp.path)) {
        source->why = "its path on the TFTP server is too long";
        return SOURCE_FAILED;
    }
    EFI_STATUS status = transfer(EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, NULL, &told);
    if (status == EFI_TFTP_ERROR && mode->TftpErrorReceived && says_not_found(&mode->TftpError))
        return SOURCE_NONE;
    if (EFI_ERROR(status)) {
        source->why = explain(status);
        return SOURCE_FAILED;
    }
    if (told > SOURCE_MOST_BYTES) {
        source->why = "the TFTP server says that it has more than 512 MiB";
        return SOURCE_FAILED;
    }
    *size = told;
    return SOURCE_FOUND;
}

static bool read_file(struct source *source, void *out, uint64_t size)
{
    UINT64 got = size;
    if (size == 0)
        return true; /* a buffer of no bytes is an error to the firmware */
    EFI_STATUS status = transfer(EFI_PXE_BASE_CODE_TFTP_READ_FILE, out, &got);
    source->why = EFI_ERROR(status) ? explain(status) : explain(EFI_BUFFER_TOO_SMALL);
    return !EFI_ERROR(status) && got == size;
}

static void close_file(struct source *source)
{
    (void)source; /* TFTP knows no open files */
}

static bool use_root(struct source *source)
{
    (void)source;
    return false; /* a server's root belongs to all of its clients */
}

struct source *source_tftp(struct boot *boot, const char **why)
{
    static struct dhcp_boot found;
    struct text place;
    tftp.pxe = source_protocol(boot, &gEfiPxeBaseCodeProtocolGuid);
    if (tftp.pxe == NULL || tftp.pxe->Mode == NULL || !tftp.pxe->Mode->Started)
        return NULL;
    if (tftp.pxe->Mode->UsingIpv6) {
        *why = "leat.efi was started over IPv6, and Leat speaks IPv4 alone";
        return NULL;
    }
    if (!find_boot(tftp.pxe->Mode, &found) ||
        !netpath_folder(found.file, sizeof(found.file), tftp.folder)) {
        *why = "the DHCP server names no TFTP server and file";
        return NULL;
    }
    tftp.source = (struct source){.boot = boot,
                                  .kind = "pxe",
                                  .why = "",
                                  .open = open_file,
                                  .read = read_file,
                                  .close = close_file,
                                  .use_root = use_root};
    memcpy(tftp.server.v4.Addr, found.server, sizeof(found.server));
    text_begin(&place, tftp.source.place, sizeof(tftp.source.place));
    put_ipv4(text_put(&place, "at tftp://"), found.server);
    text_put(text_put(&place, tftp.folder[0] == '/' ? "" : "/"), tftp.folder);
    return &tftp.source;
}
