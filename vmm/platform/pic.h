// SPDX-License-Identifier: BSD-2-Clause
/* The pair of 8259A interrupt controllers of a PC. Intel 8259A data sheet. With the VM's lock held.
 */
#ifndef VMM_PLATFORM_PIC_H
#define VMM_PLATFORM_PIC_H

#include <leat/types.h>

struct vm;

struct pic_chip {
    uint8_t irr, isr, imr, lines, elcr;
    uint8_t base;   /* ICW2: vector of input 0 */
    uint8_t init;   /* 0: ready; 2, 3, 4: that ICW comes next */
    uint8_t lowest; /* input of lowest priority; 7 unless rotated */
    bool needs_icw4, auto_eoi, rotate_on_aeoi, read_isr, special_mask, poll;
};

struct pic {
    struct vm *vm;
    struct pic_chip chips[2]; /* master, slave on the master's input 2 */
    bool is_pending;          /* output of the master */
};

void pic_init(struct pic *pic, struct vm *vm);
void pic_reset(void *pic);
void pic_set_line(struct pic *pic, unsigned irq, bool is_high); /* 0..15 */

/* Any thread, without the lock; who makes it so kicks those who take it (platform_extint). */
static inline bool pic_is_pending(const struct pic *pic)
{
    return __atomic_load_n(&pic->is_pending, __ATOMIC_RELAXED);
}

/* The vector that an acknowledge cycle would give now (7 of the master: spurious). */
uint8_t pic_vector(const struct pic *pic);

/* The CPU has taken that vector. */
void pic_accept(struct pic *pic, uint8_t vector);

/* bus callbacks: device is the pic; ports 0x20, 0x21; 0xa0, 0xa1; 0x4d0, 0x4d1 */
uint64_t pic_master_read(void *pic, uint64_t offset, unsigned width);
void pic_master_write(void *pic, uint64_t offset, unsigned width, uint64_t value);
uint64_t pic_slave_read(void *pic, uint64_t offset, unsigned width);
void pic_slave_write(void *pic, uint64_t offset, unsigned width, uint64_t value);
uint64_t pic_elcr_read(void *pic, uint64_t offset, unsigned width);
void pic_elcr_write(void *pic, uint64_t offset, unsigned width, uint64_t value);

#endif
