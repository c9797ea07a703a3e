// SPDX-License-Identifier: BSD-2-Clause
/* Small kernel objects: size classes cut out of pages. Sizes up to KMEM_MAX_BYTES; 16-byte aligned. */
#ifndef KERNEL_KMEM_H
#define KERNEL_KMEM_H

#include <stddef.h>

#define KMEM_MAX_BYTES 2016u

void *kzalloc(size_t bytes); /* zeroed; NULL: no memory */
void kfree(void *object);    /* NULL: nothing */

#endif
