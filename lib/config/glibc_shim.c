// SPDX-License-Identifier: BSD-2-Clause
#include "lib/config/glibc_shim.h"

#include <stddef.h>

/* glibc's table of character classes, of which libinih tests "space" only: bit 13 of a
   little-endian entry, indices -128 to 255. */
#define GLIBC_ISSPACE 0x2000u
static const unsigned short ctype_table[384] = {
    [128 + '\t'] = GLIBC_ISSPACE, [128 + '\n'] = GLIBC_ISSPACE, [128 + '\v'] = GLIBC_ISSPACE,
    [128 + '\f'] = GLIBC_ISSPACE, [128 + '\r'] = GLIBC_ISSPACE, [128 + ' '] = GLIBC_ISSPACE,
};
static const unsigned short *ctype = ctype_table + 128;

const unsigned short **__ctype_b_loc(void);
const unsigned short **__ctype_b_loc(void)
{
    return &ctype;
}

/* Reached only when a stack frame of libinih has been overrun: nothing after it can be trusted. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    __builtin_trap();
}

/* libinih's ini_parse() opens files; Leat only parses text in memory. */
void *fopen64(const char *name, const char *mode);
void *fopen64(const char *name, const char *mode)
{
    (void)name;
    (void)mode;
    return NULL;
}
