// SPDX-License-Identifier: BSD-2-Clause
#include "client/value.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

bool value_is_word(const char *text, size_t size)
{
    size_t n = 0;
    while (is_word_char(text[n]))
        n++;
    return n && n < size && !text[n];
}

bool value_is_name(const char *text)
{
    return value_is_word(text, 32);
}

bool value_is_path(const char *text, size_t size)
{
    static const char root[] = "/client/v1/";
    size_t n = 0;
    while (is_word_char(text[n]) || text[n] == '/')
        n++;
    return !text[n] && n < size && !strncmp(text, root, sizeof root - 1) && !strstr(text, "..");
}

/* Bytes of the UTF-8 sequence at `text`; 0: it is none. RFC 3629, section 4. */
static size_t sequence(const char *text)
{
    const unsigned char *b = (const unsigned char *)text;
    size_t size = b[0] < 0x80                    ? 1
                  : b[0] >= 0xc2 && b[0] <= 0xdf ? 2
                  : b[0] >= 0xe0 && b[0] <= 0xef ? 3
                  : b[0] >= 0xf0 && b[0] <= 0xf4 ? 4
                                                 : 0;
    for (size_t i = 1; i < size; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    bool is_bad = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) ||
                  (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f);
    return is_bad ? 0 : size;
}

static bool is_control(const char *text)
{
    unsigned char c = (unsigned char)*text;
    return c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0); /* C0, DEL, C1 */
}

bool value_is_text(const char *text, size_t size)
{
    if (strnlen(text, size) == size)
        return false;
    for (size_t n; *text; text += n) {
        n = sequence(text);
        if (!n || is_control(text) || *text == ';')
            return false;
    }
    return true;
}

bool value_is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

bool value_is_content(const char *text)
{
    if (value_is_sha256(text))
        return true;
    for (const char *at = text; *at; at++)
        if (*at < ' ' || *at > '~' || *at == ';')
            return false;
    return *text && *text != ' ' && strlen(text) <= 31 && text[strlen(text) - 1] != ' ';
}

static unsigned hex_digit(char c)
{
    return is_digit(c) ? (unsigned)(c - '0') : ((unsigned)c | 0x20u) - 'a' + 10;
}

bool value_take_sha256(const char *text, uint8_t out[32])
{
    if (!value_is_sha256(text))
        return false;
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return true;
}

/* What has digits and dots alone must be four numbers. */
static bool is_host(const char *text)
{
    if (!value_is_word(text, CLIENT_HOST_BYTES))
        return false;
    if (text[strspn(text, "0123456789.")])
        return true;
    unsigned parts = 0;
    for (; parts < 4; parts++) {
        unsigned number = 0, digits = 0;
        for (; is_digit(*text) && digits < 4; text++, digits++)
            number = number * 10 + (unsigned)(*text - '0');
        if (!digits || digits > 3 || number > 255 || *text++ != (parts < 3 ? '.' : 0))
            return false;
    }
    return true;
}

bool value_take_server(const char *text, size_t size, uint16_t port, struct client_server *out)
{
    const char *colon = memchr(text, ':', size);
    size_t host = colon ? (size_t)(colon - text) : size;
    unsigned number = colon ? 0 : port;
    if (host >= sizeof out->host)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out->host, text, host);
    for (const char *at = colon ? colon + 1 : text + size; at < text + size; at++) {
        if (!is_digit(*at) || number > UINT16_MAX)
            return false;
        number = number * 10 + (unsigned)(*at - '0');
    }
    out->port = (uint16_t)number;
    return number && number <= UINT16_MAX && is_host(out->host);
}

void value_show(char *to, size_t size, const char *text)
{
    size_t used = 0;
    while (*text) {
        size_t n = sequence(text);
        bool is_good = n && !is_control(text);
        if (used + (is_good ? n : 1) >= size)
            break;
        memcpy(to + used, is_good ? text : "?", is_good ? n : 1);
        used += is_good ? n : 1;
        text += n ? n : 1;
    }
    to[used] = 0;
}
