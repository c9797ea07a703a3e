// SPDX-License-Identifier: BSD-2-Clause
/*
 * States an invariant of our own code; stays on in release. Never for untrusted data, no effects in
 * x. In ring 3 (which is what newlib's headers tell) a failure is logged and ends the process; in a
 * host test it traps.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#if !__has_include(<_newlib_version.h>)
#define LEAT_ASSERT(x) ((x) ? (void)0 : __builtin_trap())
#else
_Noreturn void leat_assert_failed(const char *what, const char *file, int line);
#define LEAT_ASSERT(x) ((x) ? (void)0 : leat_assert_failed(#x, __FILE__, __LINE__))
#endif

#endif
