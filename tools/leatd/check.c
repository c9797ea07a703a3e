// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/check.h"

#include <stdint.h>
#include <string.h>

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static char small(char c)
{
    return c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
}

bool check_name(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size < NAME_BYTES && !strchr("._-", text[0]) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

/* The bytes of the character at text (RFC 3629, section 4), 0 if it is none or a control character. */
static size_t character(const uint8_t *text, size_t size)
{
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7f;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || size < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xed && text[1] > 0x9f;
    bool beyond = text[0] == 0xf4 && text[1] > 0x8f;
    bool control = text[0] == 0xc2 && text[1] < 0xa0;
    return overlong || surrogate || beyond || control ? 0 : length;
}

bool check_text(const char *text, size_t size)
{
    for (size_t at = 0, step; at < size; at += step)
        if (!(step = character((const uint8_t *)text + at, size - at)))
            return false;
    return true;
}

bool check_number(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size <= 18 && strspn(text, "0123456789") == size;
}

int check_cut(const char *text, int most)
{
    int size = (int)strnlen(text, (size_t)most + 1);
    if (size <= most)
        return size;
    while (most > 0 && ((uint8_t)text[most] & 0xc0) == 0x80) // RFC 3629, section 3: not its first
        most--;
    return most;
}

bool check_uuid(char *out, const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        out[i] = small(text[i]);
        if (form[i] == '-' ? out[i] != '-' : !is_hex(out[i]))
            return false;
    }
    out[sizeof form - 1] = 0;
    return true;
}

bool check_mac(char *out, const char *text)
{
    if (strlen(text) != 17)
        return false;
    for (size_t i = 0; i < 17; i++) {
        out[i] = text[i] == '-' ? ':' : small(text[i]);
        if (i % 3 == 2 ? out[i] != ':' : !is_hex(out[i]))
            return false;
    }
    out[17] = 0;
    return true;
}

static bool printable(const char *text)
{
    for (; *text; text++)
        if (*text <= 0x20 || *text >= 0x7f || *text == '"' || *text == '\\')
            return false;
    return true;
}

bool check_relative_path(const char *text)
{
    size_t size = strlen(text);
    if (!size || size > 255 || text[0] == '/' || text[size - 1] == '/' || !printable(text))
        return false;
    for (const char *part = text; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 0 || (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.'))))
            return false;
    }
    return true;
}

bool check_has_password(const char *uri)
{
    const char *host = strstr(uri, "://"), *end = host ? host + 3 + strcspn(host + 3, "/?#") : NULL;
    const char *at = host ? memchr(host, '@', (size_t)(end - host)) : NULL;
    return at && memchr(host + 3, ':', (size_t)(at - host - 3));
}

bool check_socket(const char *uri)
{
    if (strncmp(uri, "nbd+unix://", 11) && strncmp(uri, "nbds+unix://", 12))
        return true;
    const char *query = strchr(uri, '?');
    for (; query; query = strchr(query + 1, '&'))
        if (!strncmp(query + 1, "socket=/", 8))
            return true;
    return false;
}

bool check_uri(const char *text)
{
    static const char *const kinds[] = {"nbd://",  "nbds://",  "nbd+unix://", "nbds+unix://",
                                        "http://", "https://", "s3://",       "rbd:"};
    if (strlen(text) > 1023 || !printable(text))
        return false;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strncmp(text, kinds[i], strlen(kinds[i])) && text[strlen(kinds[i])])
            return true;
    return false;
}
