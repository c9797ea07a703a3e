// SPDX-License-Identifier: BSD-2-Clause
/*
 * UEFI 2.10, 29.6: EFI_HTTP_SERVICE_BINDING_PROTOCOL and EFI_HTTP_PROTOCOL, which gnu-efi does not declare; of the
 * numbers those that boot uses. And 10.3.4.23, the URI node of a device path.
 */
#ifndef BOOT_EFI_HTTP_H
#define BOOT_EFI_HTTP_H

#include <efi.h>

#define EFI_HTTP_SERVICE_BINDING_GUID                                                              \
    {                                                                                              \
        0xbdc8e6af, 0xd9bc, 0x4379,                                                                \
        {                                                                                          \
            0xa7, 0x2a, 0xe0, 0xc4, 0xe7, 0x5d, 0xae, 0x1c                                         \
        }                                                                                          \
    }
#define EFI_HTTP_GUID                                                                              \
    {                                                                                              \
        0x7a59b29b, 0x910b, 0x4171,                                                                \
        {                                                                                          \
            0x82, 0x42, 0xa8, 0x5a, 0x0d, 0xf2, 0x5b, 0x5b                                         \
        }                                                                                          \
    }

#define DEVICE_PATH_URI 24u /* its bytes behind the header: the URI, without a NUL */

enum { HTTP_VERSION_1_1 = 1 }; /* EFI_HTTP_VERSION */
enum { HTTP_METHOD_GET = 0 };  /* EFI_HTTP_METHOD */

/* EFI_HTTP_STATUS_CODE counts the codes, in their order. */
enum { HTTP_STATUS_200 = 3, HTTP_STATUS_404 = 21 };

typedef struct {
    BOOLEAN UseDefaultAddress;
    EFI_IPv4_ADDRESS LocalAddress, LocalSubnet;
    UINT16 LocalPort;
} EFI_HTTPv4_ACCESS_POINT;

typedef struct {
    UINT32 HttpVersion;
    UINT32 TimeOutMillisec;
    BOOLEAN LocalAddressIsIPv6;
    EFI_HTTPv4_ACCESS_POINT *IPv4Node; /* a union with IPv6's */
} EFI_HTTP_CONFIG_DATA;

typedef struct {
    UINT32 Method;
    CHAR16 *Url;
} EFI_HTTP_REQUEST_DATA;

typedef struct {
    UINT32 StatusCode;
} EFI_HTTP_RESPONSE_DATA;

typedef struct {
    CHAR8 *FieldName, *FieldValue;
} EFI_HTTP_HEADER;

typedef struct {
    union {
        EFI_HTTP_REQUEST_DATA *Request;
        EFI_HTTP_RESPONSE_DATA *Response;
    } Data;
    UINTN HeaderCount;
    EFI_HTTP_HEADER *Headers;
    UINTN BodyLength;
    VOID *Body;
} EFI_HTTP_MESSAGE;

typedef struct {
    EFI_EVENT Event;
    EFI_STATUS Status;
    EFI_HTTP_MESSAGE *Message;
} EFI_HTTP_TOKEN;

typedef struct EFI_HTTP_PROTOCOL {
    EFI_STATUS(EFIAPI *GetModeData)(struct EFI_HTTP_PROTOCOL *This, EFI_HTTP_CONFIG_DATA *Data);
    EFI_STATUS(EFIAPI *Configure)(struct EFI_HTTP_PROTOCOL *This, EFI_HTTP_CONFIG_DATA *Data);
    EFI_STATUS(EFIAPI *Request)(struct EFI_HTTP_PROTOCOL *This, EFI_HTTP_TOKEN *Token);
    EFI_STATUS(EFIAPI *Cancel)(struct EFI_HTTP_PROTOCOL *This, EFI_HTTP_TOKEN *Token);
    EFI_STATUS(EFIAPI *Response)(struct EFI_HTTP_PROTOCOL *This, EFI_HTTP_TOKEN *Token);
    EFI_STATUS(EFIAPI *Poll)(struct EFI_HTTP_PROTOCOL *This);
} EFI_HTTP_PROTOCOL;

#endif
