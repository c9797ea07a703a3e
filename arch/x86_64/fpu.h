// SPDX-License-Identifier: BSD-2-Clause
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

void fpu_enable(void); /* XCR0; on each CPU, after cpu_enable */

#endif
