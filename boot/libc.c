// SPDX-License-Identifier: BSD-2-Clause
/*
 * The C library's functions that gcc, lib/config and libinih call: boot has no C library. The heap
 * and file functions are only named by parts of libinih that Leat does not use, and always fail.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *at, int byte, size_t count);
int memcmp(const void *left, const void *right, size_t count);
void *memchr(const void *at, int byte, size_t count);
size_t strlen(const char *s);
char *strchr(const char *s, int c);
int strcmp(const char *left, const char *right);
char *strcpy(char *to, const char *from);
size_t strspn(const char *s, const char *set);
size_t strcspn(const char *s, const char *set);
void *malloc(size_t size);
void *realloc(void *old, size_t size);
void free(void *at);
char *fgets(char *line, int size, void *file);
int fclose(void *file);

void *memcpy(void *to, const void *from, size_t count)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t count)
{
    if ((uintptr_t)to - (uintptr_t)from >= count) /* to lies before from, or behind its end */
        return memcpy(to, from, count);
    for (size_t i = count; i-- > 0;)
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memset(void *at, int byte, size_t count)
{
    void *start = at;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
    return start;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *l = left, *r = right;
    for (size_t i = 0; i < count; i++)
        if (l[i] != r[i])
            return l[i] < r[i] ? -1 : 1;
    return 0;
}

void *memchr(const void *at, int byte, size_t count)
{
    const uint8_t *b = at;
    for (size_t i = 0; i < count; i++)
        if (b[i] == (uint8_t)byte)
            return (void *)(uintptr_t)(b + i);
    return NULL;
}

size_t strlen(const char *s)
{
    size_t length = 0;
    while (((const volatile char *)s)[length] !=
           '\0') /* volatile: or gcc makes it a call of itself */
        length++;
    return length;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)(uintptr_t)s;
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return (unsigned char)*left - (unsigned char)*right;
}

char *strcpy(char *to, const char *from)
{
    return memcpy(to, from, strlen(from) + 1);
}

size_t strspn(const char *s, const char *set)
{
    size_t length = 0;
    while (s[length] != '\0' && strchr(set, s[length]) != NULL)
        length++;
    return length;
}

size_t strcspn(const char *s, const char *set)
{
    size_t length = 0;
    while (s[length] != '\0' && strchr(set, s[length]) == NULL)
        length++;
    return length;
}

void *malloc(size_t size)
{
    (void)size;
    return NULL;
}

void *realloc(void *old, size_t size)
{
    (void)old;
    (void)size;
    return NULL;
}

void free(void *at)
{
    (void)at;
}

char *fgets(char *line, int size, void *file)
{
    (void)line;
    (void)size;
    (void)file;
    return NULL;
}

int fclose(void *file)
{
    (void)file;
    return 0;
}
