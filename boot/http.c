// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files by HTTP or HTTPS: EFI_HTTP_PROTOCOL over the network card that leat.efi came by (UEFI 2.10, 29.6). Each file is
 * a connection of its own. Whom HTTPS trusts is the firmware's matter, as it was for leat.efi itself.
 */
#include "boot/source.h"

#include <efilib.h>
#include <string.h>

#include "boot/efi_http.h"
#include "boot/netpath.h"
#include "lib/text.h"

#define PIECE_BYTES (1u << 20) /* of a body, asked for at once */
#define IPV4_NODE_BYTES 27u    /* UEFI 2.10, 10.3.4.11: with gateway and subnet mask */
#define SECOND_100NS 10000000ull

static struct http {
    struct source source;
    EFI_SERVICE_BINDING *binding;
    EFI_HANDLE child; /* NULL: no file is open */
    EFI_HTTP_PROTOCOL *protocol;
    EFI_HTTPv4_ACCESS_POINT address;
    EFI_EVENT done, timer;
    char folder[NETPATH_BYTES], host[NETPATH_HOST_BYTES];
} http;

static void close_file(struct source *source)
{
    (void)source;
    if (http.child != NULL)
        http.binding->DestroyChild(http.binding, http.child);
    http.child = NULL;
}

static bool open_child(struct boot *boot)
{
    static EFI_GUID guid = EFI_HTTP_GUID;
    EFI_HTTP_CONFIG_DATA config = {.HttpVersion = HTTP_VERSION_1_1,
                                   .TimeOutMillisec = SOURCE_SILENCE_S * 1000,
                                   .IPv4Node = &http.address};
    if (EFI_ERROR(http.binding->CreateChild(http.binding, &http.child))) {
        http.child = NULL;
        return false;
    }
    return !EFI_ERROR(boot->services->HandleProtocol(http.child, &guid, (void **)&http.protocol)) &&
           !EFI_ERROR(http.protocol->Configure(http.protocol, &config));
}

/* Starts a request or a response and waits for its end, SOURCE_SILENCE_S at most. */
static EFI_STATUS step(EFI_STATUS(EFIAPI *call)(EFI_HTTP_PROTOCOL *, EFI_HTTP_TOKEN *),
                       EFI_HTTP_MESSAGE *message)
{
    EFI_BOOT_SERVICES *services = http.source.boot->services;
    static EFI_HTTP_TOKEN token; /* static: firmware that has given up may still have it */
    token = (EFI_HTTP_TOKEN){http.done, EFI_NOT_READY, message};
    services->CheckEvent(http.done); /* and it is no longer signalled */
    EFI_STATUS status = call(http.protocol, &token);
    if (EFI_ERROR(status))
        return status;
    services->SetTimer(http.timer, TimerRelative, SOURCE_SILENCE_S * SECOND_100NS);
    while (EFI_ERROR(services->CheckEvent(http.done))) {
        http.protocol->Poll(http.protocol);
        if (!EFI_ERROR(services->CheckEvent(http.timer))) {
            http.protocol->Cancel(http.protocol, &token);
            return EFI_TIMEOUT;
        }
    }
    services->SetTimer(http.timer, TimerCancel, 0);
    return token.Status;
}

static EFI_STATUS ask(const char *url)
{
    static CHAR16 wide[NETPATH_BYTES];
    static EFI_HTTP_REQUEST_DATA request;
    static EFI_HTTP_HEADER headers[3];
    static EFI_HTTP_MESSAGE message;
    for (size_t i = 0; i < NETPATH_BYTES && (i == 0 || url[i - 1] != '\0'); i++)
        wide[i] = (CHAR16)url[i];
    request = (EFI_HTTP_REQUEST_DATA){HTTP_METHOD_GET, wide};
    headers[0] = (EFI_HTTP_HEADER){(CHAR8 *)"Host", (CHAR8 *)http.host};
    headers[1] = (EFI_HTTP_HEADER){(CHAR8 *)"Accept", (CHAR8 *)"*/*"};
    headers[2] = (EFI_HTTP_HEADER){(CHAR8 *)"User-Agent", (CHAR8 *)"Leat/" LEAT_VERSION};
    message = (EFI_HTTP_MESSAGE){.Data.Request = &request, .HeaderCount = 3, .Headers = headers};
    return step(http.protocol->Request, &message);
}

static bool is_same_word(const CHAR8 *text, const char *word)
{
    size_t i = 0;
    for (; word[i] != '\0'; i++) {
        char c = (char)text[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != word[i])
            return false;
    }
    return text[i] == '\0';
}

/* Of the answer's header: status and Content-Length (told: there is one). */
static EFI_STATUS hear(uint32_t *code, uint64_t *size, bool *told)
{
    static EFI_HTTP_RESPONSE_DATA response;
    static EFI_HTTP_MESSAGE message;
    response.StatusCode = 0;
    message = (EFI_HTTP_MESSAGE){.Data.Response = &response};
    EFI_STATUS status = step(http.protocol->Response, &message);
    *code = response.StatusCode;
    *told = false;
    for (UINTN i = 0; status != EFI_TIMEOUT && i < message.HeaderCount; i++) {
        EFI_HTTP_HEADER *field = &message.Headers[i];
        if (is_same_word(field->FieldName, "content-length"))
            *told = netpath_length((const char *)field->FieldValue, size);
        FreePool(field->FieldName); /* UEFI 2.10, 29.6.6: the caller's from then on */
        FreePool(field->FieldValue);
    }
    if (status != EFI_TIMEOUT && message.Headers != NULL)
        FreePool(message.Headers);
    return status;
}

static const char *explain(EFI_STATUS status, uint32_t code, bool told, uint64_t size)
{
    if (status == EFI_TIMEOUT)
        return "the web server does not answer";
    if (code != 0 && code != HTTP_STATUS_200)
        return "the web server refuses it";
    if (EFI_ERROR(status))
        return "the web server cannot be reached";
    if (code != HTTP_STATUS_200)
        return "what answers is no web server";
    if (!told)
        return "the web server does not tell its size";
    return size > SOURCE_MOST_BYTES ? "the web server says that it has more than 512 MiB" : NULL;
}

static enum source_found open_file(struct source *source, const char *name, uint64_t *size)
{
    static char url[NETPATH_BYTES];
    uint32_t code = 0;
    bool told = false;
    *size = 0;
    source_watchdog(source->boot);
    if (!netpath_url_join(http.folder, name, url)) {
        source->why = "its URL is too long";
        return SOURCE_FAILED;
    }
    if (!open_child(source->boot)) {
        close_file(source);
        source->why = "the firmware's HTTP cannot be used";
        return SOURCE_FAILED;
    }
    EFI_STATUS status = ask(url);
    if (!EFI_ERROR(status))
        status = hear(&code, size, &told);
    source->why = code == HTTP_STATUS_404 ? "" : explain(status, code, told, *size);
    if (source->why == NULL)
        return SOURCE_FOUND;
    close_file(source);
    return code == HTTP_STATUS_404 ? SOURCE_NONE : SOURCE_FAILED;
}

static bool read_file(struct source *source, void *out, uint64_t size)
{
    static EFI_HTTP_MESSAGE message;
    uint8_t *at = out;
    while (size > 0) {
        UINTN piece = size < PIECE_BYTES ? size : PIECE_BYTES;
        message = (EFI_HTTP_MESSAGE){.BodyLength = piece, .Body = at};
        EFI_STATUS status = step(http.protocol->Response, &message);
        if (EFI_ERROR(status) || message.BodyLength == 0 || message.BodyLength > piece) {
            source->why = status == EFI_TIMEOUT ? "the web server does not go on"
                                                : "the connection to the web server has ended";
            break;
        }
        at += message.BodyLength;
        size -= message.BodyLength;
    }
    close_file(source);
    return size == 0;
}

static bool use_root(struct source *source)
{
    (void)source;
    return false; /* a server's root is not ours */
}

/* The machine's own address, which the firmware has put into the path that leat.efi came by. */
static bool find_address(struct boot *boot)
{
    const uint8_t *node = (const uint8_t *)source_path_node(boot, MSG_IPv4_DP);
    static const uint8_t none[4];
    if (node == NULL)
        return false;
    http.address.UseDefaultAddress = TRUE;
    if ((unsigned)DevicePathNodeLength((EFI_DEVICE_PATH *)(uintptr_t)node) >= IPV4_NODE_BYTES &&
        memcmp(node + 4, none, sizeof(none)) != 0 && memcmp(node + 23, none, sizeof(none)) != 0) {
        http.address.UseDefaultAddress = FALSE;
        memcpy(http.address.LocalAddress.Addr, node + 4, 4);
        memcpy(http.address.LocalSubnet.Addr, node + 23, 4);
    }
    return true;
}

/* The card below the path that leat.efi came by has it. */
static bool find_binding(struct boot *boot)
{
    static EFI_GUID guid = EFI_HTTP_SERVICE_BINDING_GUID;
    EFI_DEVICE_PATH *path = DevicePathFromHandle(source_loaded_image(boot)->DeviceHandle);
    EFI_HANDLE card;
    return !EFI_ERROR(boot->services->LocateDevicePath(&guid, &path, &card)) &&
           !EFI_ERROR(boot->services->HandleProtocol(card, &guid, (void **)&http.binding)) &&
           !EFI_ERROR(boot->services->CreateEvent(0, 0, NULL, NULL, &http.done)) &&
           !EFI_ERROR(
               boot->services->CreateEvent(EVT_TIMER, TPL_CALLBACK, NULL, NULL, &http.timer));
}

struct source *source_http(struct boot *boot, const char **why)
{
    EFI_DEVICE_PATH *node = source_path_node(boot, DEVICE_PATH_URI);
    struct text place;
    if (node == NULL)
        return NULL;
    if (!netpath_url_folder((const char *)node + sizeof(*node),
                            DevicePathNodeLength(node) - sizeof(*node), http.folder) ||
        !netpath_url_host(http.folder, http.host)) {
        *why = "the firmware does not say which URL leat.efi came from";
        return NULL;
    }
    if (!find_address(boot)) {
        *why = "leat.efi was started over IPv6, and Leat speaks IPv4 alone";
        return NULL;
    }
    if (!find_binding(boot)) {
        *why = "the firmware does not let leat.efi use its HTTP";
        return NULL;
    }
    http.source = (struct source){.boot = boot,
                                  .kind = "http",
                                  .why = "",
                                  .open = open_file,
                                  .read = read_file,
                                  .close = close_file,
                                  .use_root = use_root};
    text_begin(&place, http.source.place, sizeof(http.source.place));
    text_put(text_put(&place, "at "), http.folder);
    return &http.source;
}
