// SPDX-License-Identifier: BSD-2-Clause
#include "boot/netpath.h"

#include <string.h>

/* No control characters, no space, nothing above ASCII: none of them is part of a URL, and all of it goes into a request. */
static bool is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

static size_t length_of(const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    return end != NULL ? (size_t)(end - text) : size;
}

/* Bytes of "http://" at the text's start; 0: it is no such URL. */
static size_t scheme_length(const char *text, size_t size)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (unsigned i = 0; i < 2; i++) {
        size_t length = strlen(schemes[i]), at = 0;
        while (at < length && at < size &&
               (text[at] | (text[at] >= 'A' && text[at] <= 'Z' ? 0x20 : 0)) == schemes[i][at])
            at++;
        if (at == length)
            return length;
    }
    return 0;
}

/* Bytes of text up to the first of these characters. */
static size_t span_until(const char *text, size_t size, const char *set)
{
    size_t at = 0;
    while (at < size && strchr(set, text[at]) == NULL)
        at++;
    return at;
}

bool netpath_url_folder(const char *url, size_t size, char folder[NETPATH_BYTES])
{
    size = length_of(url, size);
    size_t start = scheme_length(url, size);
    size = span_until(url, size, "?#");
    if (start == 0 || size > NETPATH_BYTES - 2 || !is_plain(url, size))
        return false;
    size_t host = span_until(url + start, size - start, "/");
    if (host == 0)
        return false;
    size_t end = size;
    while (end > start + host && url[end - 1] != '/')
        end--;
    memcpy(folder, url, end);
    if (end == start + host) /* "http://host" */
        folder[end++] = '/';
    folder[end] = '\0';
    return true;
}

bool netpath_url_host(const char *folder, char host[NETPATH_HOST_BYTES])
{
    size_t size = strlen(folder), start = scheme_length(folder, size);
    if (start == 0)
        return false;
    const char *at = folder + start;
    size_t length = span_until(at, size - start, "/");
    for (size_t i = length; i-- > 0;)
        if (at[i] == '@') { /* what stands before is a user's name, not the host's */
            at += i + 1;
            length -= i + 1;
            break;
        }
    if (length == 0 || length >= NETPATH_HOST_BYTES || !is_plain(at, length))
        return false;
    memcpy(host, at, length);
    host[length] = '\0';
    return true;
}

/* RFC 3986, 2.3: unreserved; and the separator. */
static bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c) != NULL);
}

bool netpath_url_join(const char *folder, const char *name, char url[NETPATH_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = strlen(folder);
    if (used >= NETPATH_BYTES)
        return false;
    memcpy(url, folder, used);
    for (; *name != '\0'; name++) {
        if (used + 4 > NETPATH_BYTES)
            return false;
        if (stays(*name)) {
            url[used++] = *name;
            continue;
        }
        url[used++] = '%';
        url[used++] = digits[(unsigned char)*name >> 4];
        url[used++] = digits[(unsigned char)*name & 15];
    }
    url[used] = '\0';
    return true;
}

bool netpath_folder(const char *file, size_t size, char folder[NETPATH_BYTES])
{
    size = length_of(file, size);
    while (size > 0 && file[size - 1] != '/' && file[size - 1] != '\\')
        size--;
    if (size >= NETPATH_BYTES)
        return false;
    memcpy(folder, file, size);
    folder[size] = '\0';
    return true;
}

bool netpath_join(const char *folder, const char *name, char path[NETPATH_BYTES])
{
    size_t first = strlen(folder), second = strlen(name);
    if (first + second >= NETPATH_BYTES)
        return false;
    memcpy(path, folder, first);
    memcpy(path + first, name, second + 1);
    return true;
}

bool netpath_length(const char *value, uint64_t *length)
{
    uint64_t number = 0;
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (*value < '0' || *value > '9' || number > (UINT64_MAX >> 1) / 10 - 1)
            return false;
        number = number * 10 + (uint64_t)(*value - '0');
    }
    *length = number;
    return true;
}
