// SPDX-License-Identifier: BSD-2-Clause
#ifndef LIB_THREAD_H
#define LIB_THREAD_H

#include <leat/syscall.h>

/* Starts fn(arg) in a new thread of this process, with a stack of its own (rounded up to pages)
   that has unmapped pages on both sides. When fn returns the thread ends; its stack stays mapped.
   Threads have no thread-local storage. LEAT_ENOMEM. */
int leat_thread_start(void (*fn)(void *), void *arg, enum leat_prio prio, size_t stack_bytes);

#endif
