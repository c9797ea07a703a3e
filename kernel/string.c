// SPDX-License-Identifier: BSD-2-Clause
/* What the compiler calls by itself. CPUs with fast string moves do these as well as any loop. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
    return result;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    char *t = to;
    const char *f = from;
    if (t <= f || t >= f + bytes)
        return memcpy(to, from, bytes);
    while (bytes--) {
        t[bytes] = f[bytes];
        __asm__ volatile(
            "" ::
                : "memory"); /* lest the compiler turns this loop into a call of itself */
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *at = to;
    size_t words = bytes / 8;
    uint64_t pattern = 0x0101010101010101ull * (unsigned char)value;
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    bytes &= 7;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a, *y = b;
    for (; bytes; bytes--, x++, y++) {
        __asm__ volatile("" ::: "memory");
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n]) {
        __asm__ volatile("" ::: "memory");
        n++;
    }
    return n;
}
