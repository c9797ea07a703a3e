// SPDX-License-Identifier: BSD-2-Clause
#include "boot/random.h"

#include <string.h>

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define TRIES 10000u /* RDSEED may have to wait; SDM vol. 1, 7.3.17.1 advises ten for RDRAND */

static void cpuid(uint32_t leaf, uint32_t *eax, uint32_t *ebx, uint32_t *ecx)
{
    uint32_t edx;
    *eax = leaf;
    *ecx = 0;
    __asm__ volatile("cpuid" : "+a"(*eax), "=b"(*ebx), "+c"(*ecx), "=d"(edx));
}

static bool one(bool is_seed, uint64_t *out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        bool ok;
        if (is_seed)
            __asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
        else
            __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
        if (ok)
            return true;
        __asm__ volatile("pause");
    }
    return false;
}

bool random_is_plausible(const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] == 0 || values[i] == UINT64_MAX || (i > 0 && values[i] == values[i - 1]))
            return false; /* of a source that works one start in 2^60 */
    return count > 0;
}

static bool fill(bool is_seed, uint8_t *out, size_t size)
{
    uint64_t values[4];
    while (size > 0) {
        size_t piece = size < sizeof(values) ? size : sizeof(values);
        for (unsigned i = 0; i < 4; i++)
            if (!one(is_seed, &values[i]))
                return false;
        if (!random_is_plausible(values, 4))
            return false;
        memcpy(out, values, piece);
        out += piece;
        size -= piece;
    }
    return true;
}

bool random_from_cpu(uint8_t *out, size_t size)
{
    uint32_t eax, ebx, ecx, most;
    cpuid(0, &most, &ebx, &ecx);
    cpuid(1, &eax, &ebx, &ecx);
    bool has_rand = (ecx & CPUID_1_ECX_RDRAND) != 0;
    ebx = 0;
    if (most >= 7)
        cpuid(7, &eax, &ebx, &ecx);
    return ((ebx & CPUID_7_EBX_RDSEED) != 0 && fill(true, out, size)) ||
           (has_rand && fill(false, out, size));
}
