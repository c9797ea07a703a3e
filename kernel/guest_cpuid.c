// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/guest_cpuid.h"

int guest_cpuid_set(struct guest_cpuid *table, const struct leat_cpuid_entry *entries,
                    uint64_t count)
{
    if (count > GUEST_CPUID_ENTRIES)
        return LEAT_EINVAL;
    for (uint64_t i = 0; i < count; i++)
        if ((entries[i].leaf & 0x3fffffffu) >= GUEST_CPUID_LEAVES)
            return LEAT_EINVAL;

    __builtin_memset(table, 0, sizeof(*table));
    for (uint64_t i = 0; i < count; i++) {
        uint32_t at = table->count++;
        for (; at > 0 && table->entries[at - 1].leaf > entries[i].leaf; at--)
            table->entries[at] = table->entries[at - 1];
        table->entries[at] = entries[i];
    }
    for (uint32_t i = table->count; i-- > 0;) {
        uint32_t leaf = table->entries[i].leaf;
        table->first[leaf >> 30][leaf & 0x3fffffffu] = (uint8_t)(i + 1);
    }
    return LEAT_OK;
}
