// SPDX-License-Identifier: BSD-2-Clause
#include "lib/config/value.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

/* Reads digits, moves *text behind them. False: none, or more than 64 bits. */
static bool take_number(const char **text, uint64_t *out)
{
    const char *at = *text;
    uint64_t number = 0;
    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
    }
    *text = at;
    *out = number;
    return true;
}

const char *value_size(const char *text, uint64_t *out)
{
    static const char reason[] = "not a size; write for example 256M";
    uint64_t number, unit = 1;
    if (!take_number(&text, &number))
        return reason;
    if (*text == 'K' || *text == 'k')
        unit = 1ull << 10;
    else if (*text == 'M' || *text == 'm')
        unit = 1ull << 20;
    else if (*text == 'G' || *text == 'g')
        unit = 1ull << 30;
    if (unit != 1)
        text++;
    if (*text != '\0')
        return reason;
    if (__builtin_mul_overflow(number, unit, &number))
        return "too large";
    *out = number;
    return NULL;
}

const char *value_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t number;
    if (!take_number(&text, &number) || *text != '\0')
        return "not a number";
    if (number < least)
        return "too small";
    if (number > most)
        return "too large";
    *out = number;
    return NULL;
}

const char *value_port(const char *text, uint16_t *out)
{
    uint64_t number = 0;
    const char *reason = value_number(text, 1, 65535, &number);
    if (reason == NULL)
        *out = (uint16_t)number;
    return reason;
}

const char *value_iops(const char *text, uint64_t *out)
{
    return value_number(text, 1, 100000000, out);
}

/* Below 4K a second one block would take longer than anybody waits. */
const char *value_bandwidth(const char *text, uint64_t *out)
{
    uint64_t bytes = 0;
    const char *reason = value_size(text, &bytes);
    if (reason == NULL && bytes < (4ull << 10))
        reason = "too small; a bandwidth is 4K a second at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    if (reason == NULL)
        *out = bytes;
    return reason;
}

const char *value_percent(const char *text, unsigned most, unsigned *out)
{
    uint64_t number;
    if (!take_number(&text, &number) || strcmp(text, "%") != 0)
        return "not a share of one host CPU; write for example 25%";
    if (number == 0)
        return "too small; without a cap leave the key out";
    if (number > most)
        return "too large";
    *out = (unsigned)number;
    return NULL;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

const char *value_cpus(const char *text, uint64_t *out)
{
    static const char reason[] = "not a list of host CPUs; write for example 0,2-3";
    uint64_t set = 0;
    for (text = skip_blanks(text);; text = skip_blanks(text + 1)) {
        uint64_t first, last;
        if (!take_number(&text, &first))
            return reason;
        last = first;
        text = skip_blanks(text);
        if (*text == '-') {
            text = skip_blanks(text + 1);
            if (!take_number(&text, &last) || last < first)
                return reason;
            text = skip_blanks(text);
        }
        if (last > 63)
            return "host CPUs are numbered from 0 to 63";
        for (; first <= last; first++)
            set |= 1ull << first;
        if (*text != ',')
            break;
    }
    if (*text != '\0')
        return reason;
    *out = set;
    return NULL;
}

const char *value_flag(const char *text, bool *out)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return "must be yes or no";
    *out = text[0] == 'y';
    return NULL;
}

const char *value_ipv4(const char *text, uint32_t *out)
{
    static const char reason[] = "not an IPv4 address; write for example 192.168.1.20";
    uint8_t bytes[4];
    for (unsigned i = 0; i < 4; i++) {
        uint64_t number;
        if (!take_number(&text, &number) || number > 255)
            return reason;
        bytes[i] = (uint8_t)number;
        if (*text != (i < 3 ? '.' : '\0'))
            return reason;
        text++;
    }
    memcpy(out, bytes, sizeof(bytes)); /* memory order is network order */
    return NULL;
}

const char *value_netmask(const char *text, uint32_t *out)
{
    uint32_t network_order;
    const char *reason = value_ipv4(text, &network_order);
    if (reason != NULL)
        return reason;
    uint32_t hosts =
        ~__builtin_bswap32(network_order); /* little-endian CPUs only, as all of Leat */
    if ((hosts & (hosts + 1)) != 0 || hosts == UINT32_MAX)
        return "not a netmask; write for example 255.255.255.0";
    *out = network_order;
    return NULL;
}

const char *value_string(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);
    if (length >= size)
        return "too long";
    memcpy(out, text, length + 1);
    return NULL;
}

const char *value_host(const char *text, char *out, size_t size)
{
    bool numeric = true;
    if (*text == '\0')
        return "empty";
    for (const char *at = text; *at != '\0'; at++) {
        if (!is_word(*at))
            return "not a host name or IPv4 address";
        if (!is_digit(*at) && *at != '.')
            numeric = false;
    }
    uint32_t address;
    if (numeric && value_ipv4(text, &address) != NULL)
        return "not an IPv4 address; write for example 192.168.1.20";
    return value_string(text, out, size);
}

const char *value_content(const char *text)
{
    size_t length = strlen(text);
    bool is_hash = length == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
    bool is_name = length >= 1 && length <= 31;
    for (const char *at = text; *at != '\0'; at++)
        is_name &= *at >= ' ' && *at <= '~';
    return is_hash || is_name ? NULL
                              : "must be 64 hexadecimal digits, or at most 31 ASCII characters";
}

const char *value_guid(const char *text, char *out)
{
    static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    char copy[sizeof(pattern)];
    for (size_t i = 0; i < sizeof(pattern); i++) {
        bool is_letter = (text[i] >= 'a' && text[i] <= 'f') || (text[i] >= 'A' && text[i] <= 'F');
        bool is_digit = is_letter || (text[i] >= '0' && text[i] <= '9');
        if (pattern[i] == 'x' ? !is_digit : text[i] != pattern[i])
            return "not a GUID; write for example 9357074e-1924-48a3-a9b4-982f9bda4031";
        copy[i] = (char)(is_letter ? text[i] | 0x20 : text[i]);
    }
    memcpy(out, copy, sizeof(copy));
    return NULL;
}

/* A number of blocks, up to the end or a colon, which is passed if something is behind it. */
static bool take_blocks(const char **text, uint64_t *blocks)
{
    char digits[24];
    size_t size = strspn(*text, "0123456789");
    if (size == 0 || size >= sizeof(digits) || ((*text)[size] != '\0' && (*text)[size] != ':'))
        return false;
    memcpy(digits, *text, size);
    digits[size] = '\0';
    *text += size;
    *text += **text == ':' && (*text)[1] != '\0';
    return value_number(digits, 1, 1ull << 51, blocks) == NULL;
}

const char *value_root_hash(const char *text)
{
    size_t hash = strspn(text, "0123456789abcdefABCDEF");
    uint64_t blocks = 0, all = 0;
    const char *at = text + 65;
    if (hash != 64 || text[hash] != ':' || !take_blocks(&at, &blocks) ||
        (*at != '\0' && (!take_blocks(&at, &all) || *at != '\0' || all < blocks)))
        return "must be HASH:BLOCKS as mkverity prints it: 64 hexadecimal digits, and the number "
               "of data blocks";
    return NULL;
}

const char *value_name(const char *text, char *out, size_t size)
{
    if (*text == '\0')
        return "the name is empty";
    for (const char *at = text; *at != '\0'; at++)
        if (!is_word(*at))
            return "a name may hold letters, digits, '-', '_' and '.' only";
    return value_string(text, out, size) == NULL ? NULL : "the name is longer than 31 bytes";
}

const char *value_file(const char *text, char *out, size_t size)
{
    const char *part = text;
    for (const char *at = text;; at++) {
        if (*at == '\\' || *at == ':')
            return "separate folders by '/', without a drive";
        if (*at != '/' && *at != '\0')
            continue;
        size_t length = (size_t)(at - part);
        if (length == 0 || (length == 1 && part[0] == '.') ||
            (length == 2 && part[0] == '.' && part[1] == '.'))
            return "must be a file name relative to leat.conf, without '.' and '..'";
        if (*at == '\0')
            break;
        part = at + 1;
    }
    return value_string(text, out, size) == NULL ? NULL : "longer than 63 bytes";
}

size_t utf8_length(const char *bytes, size_t available)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (available == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    /* RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
    size_t length;
    unsigned char low = 0x80, high = 0xbf;
    if (b[0] >= 0xc2 && b[0] <= 0xdf) {
        length = 2;
    } else if (b[0] >= 0xe0 && b[0] <= 0xef) {
        length = 3;
        if (b[0] == 0xe0)
            low = 0xa0;
        if (b[0] == 0xed)
            high = 0x9f;
    } else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        length = 4;
        if (b[0] == 0xf0)
            low = 0x90;
        if (b[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (available < length || b[1] < low || b[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    return length;
}
