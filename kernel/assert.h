// SPDX-License-Identifier: BSD-2-Clause
/* KASSERT: states an invariant of the kernel. Stays on in release builds, has no effects of its
   own, and never judges data from ring 3, guests or firmware. */
#ifndef KERNEL_ASSERT_H
#define KERNEL_ASSERT_H

_Noreturn void assert_failed(const char *what, const char *file, int line);

#define KASSERT(condition)                                                                         \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            assert_failed(#condition, __FILE__, __LINE__);                                         \
    } while (0)

#endif
