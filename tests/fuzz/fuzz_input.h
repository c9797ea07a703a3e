// SPDX-License-Identifier: BSD-2-Clause
/* Takes numbers from a fuzzer's input; zeros when it is used up. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width && in->size; i++, in->size--)
        value |= (uint64_t)*in->data++ << (8 * i);
    return value;
}

#endif
