// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/pic.h"

#include <string.h>

#include "vmm/platform/platform.h"

#define CASCADE 2
#define NO_INPUT 8
/* Inputs whose trigger mode cannot be changed: 0, 1, 2 and 8, 13 */
static const uint8_t elcr_writable[2] = {0xf8, 0xde};

/* How far an input is from the top of the priority ring: 0 is highest. */
static unsigned distance(const struct pic_chip *chip, unsigned input)
{
    return (input - chip->lowest - 1) & 7;
}

static unsigned best(const struct pic_chip *chip, uint8_t inputs)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (chip->lowest + i) & 7;
        if (inputs >> input & 1)
            return input;
    }
    return NO_INPUT;
}

/* The input that this chip asks its CPU or master for; NO_INPUT: none. */
static unsigned asking(const struct pic_chip *chip)
{
    unsigned input = best(chip, chip->irr & (uint8_t)~chip->imr);
    if (input == NO_INPUT)
        return NO_INPUT;
    uint8_t in_service = chip->isr;
    if (chip->special_mask)
        in_service &= (uint8_t)~chip->imr;
    unsigned serving = best(chip, in_service);
    if (serving != NO_INPUT && distance(chip, serving) <= distance(chip, input))
        return NO_INPUT;
    return input;
}

static void chip_line(struct pic_chip *chip, unsigned input, bool is_high)
{
    uint8_t bit = (uint8_t)(1u << input);
    bool was_high = chip->lines & bit;
    chip->lines = is_high ? chip->lines | bit : chip->lines & (uint8_t)~bit;
    if (!is_high)
        chip->irr &= (uint8_t)~bit;
    else if ((chip->elcr & bit) || !was_high)
        chip->irr |= bit;
}

/* The slave's output, seen as a level by the master; then the master's output. */
static void update(struct pic *pic)
{
    struct pic_chip *master = &pic->chips[0];
    if (asking(&pic->chips[1]) != NO_INPUT)
        master->irr |= 1u << CASCADE;
    else
        master->irr &= (uint8_t) ~(1u << CASCADE);
    bool was_pending = pic->is_pending;
    pic->is_pending = asking(master) != NO_INPUT;
    if (pic->is_pending && !was_pending)
        platform_extint(pic->vm);
}

void pic_init(struct pic *pic, struct vm *vm)
{
    memset(pic, 0, sizeof(*pic));
    pic->vm = vm;
    pic_reset(pic);
}

void pic_reset(void *device)
{
    struct pic *pic = device;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t lines = pic->chips[i].lines;
        /* masked until a guest programs it: firmware would have left it so */
        pic->chips[i] = (struct pic_chip){.lines = lines, .imr = 0xff, .lowest = 7};
    }
    pic->is_pending = false;
}

void pic_set_line(struct pic *pic, unsigned irq, bool is_high)
{
    if (irq >= 16 || irq == CASCADE)
        return;
    chip_line(&pic->chips[irq / 8], irq % 8, is_high);
    update(pic);
}

uint8_t pic_vector(const struct pic *pic)
{
    unsigned input = asking(&pic->chips[0]);
    if (input == NO_INPUT)
        return pic->chips[0].base + 7;
    if (input != CASCADE)
        return (uint8_t)(pic->chips[0].base + input);
    input = asking(&pic->chips[1]);
    return (uint8_t)(pic->chips[1].base + (input == NO_INPUT ? 7 : input));
}

static void acknowledge(struct pic_chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);
    if (!(chip->elcr & bit))
        chip->irr &= (uint8_t)~bit;
    if (!chip->auto_eoi)
        chip->isr |= bit;
    else if (chip->rotate_on_aeoi)
        chip->lowest = (uint8_t)input;
}

void pic_accept(struct pic *pic, uint8_t vector)
{
    struct pic_chip *master = &pic->chips[0], *slave = &pic->chips[1];
    if ((vector & 0xf8) == master->base) {
        acknowledge(master, vector & 7);
    } else if ((vector & 0xf8) == slave->base) {
        acknowledge(slave, vector & 7);
        acknowledge(master, CASCADE);
    }
    update(pic);
}

static void end_of_interrupt(struct pic_chip *chip, uint8_t ocw2)
{
    bool is_rotate = ocw2 & 0x80, is_specific = ocw2 & 0x40, is_eoi = ocw2 & 0x20;
    unsigned input = is_specific ? ocw2 & 7 : best(chip, chip->isr);
    if (is_eoi && input != NO_INPUT) {
        chip->isr &= (uint8_t) ~(1u << input);
        if (is_rotate)
            chip->lowest = (uint8_t)input;
    } else if (!is_eoi && is_specific && is_rotate) {
        chip->lowest = ocw2 & 7;
    } else if (!is_eoi && !is_specific) {
        chip->rotate_on_aeoi = is_rotate;
    }
}

static void write_command(struct pic_chip *chip, uint8_t value)
{
    if (value & 0x10) { /* ICW1 */
        *chip = (struct pic_chip){.lines = chip->lines, .elcr = chip->elcr, .base = chip->base};
        chip->lowest = 7;
        chip->init = 2;
        chip->needs_icw4 = value & 1;
        chip->irr = chip->lines & chip->elcr;
    } else if (value & 0x08) { /* OCW3 */
        if (value & 2)
            chip->read_isr = value & 1;
        if (value & 0x40)
            chip->special_mask = value & 0x20;
        chip->poll = value & 4;
    } else {
        end_of_interrupt(chip, value);
    }
}

static void write_data(struct pic_chip *chip, uint8_t value)
{
    switch (chip->init) {
    case 2:
        chip->base = value & 0xf8;
        chip->init = 3;
        return;
    case 3: /* the cascade is wired: what the guest says about it does not matter */
        chip->init = chip->needs_icw4 ? 4 : 0;
        return;
    case 4:
        chip->auto_eoi = value & 2;
        chip->init = 0;
        return;
    default:
        chip->imr = value;
    }
}

static uint64_t read_port(struct pic *pic, unsigned which, uint64_t offset)
{
    struct pic_chip *chip = &pic->chips[which];
    if (chip->poll) {
        chip->poll = false;
        unsigned input = asking(chip);
        if (input == NO_INPUT)
            return 0;
        acknowledge(chip, input);
        update(pic);
        return 0x80 | input;
    }
    if (offset == 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}

static void write_port(struct pic *pic, unsigned which, uint64_t offset, uint64_t value)
{
    if (offset == 0)
        write_command(&pic->chips[which], (uint8_t)value);
    else if (offset == 1)
        write_data(&pic->chips[which], (uint8_t)value);
    update(pic);
}

uint64_t pic_master_read(void *pic, uint64_t offset, unsigned width)
{
    (void)width;
    return read_port(pic, 0, offset);
}

void pic_master_write(void *pic, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    write_port(pic, 0, offset, value);
}

uint64_t pic_slave_read(void *pic, uint64_t offset, unsigned width)
{
    (void)width;
    return read_port(pic, 1, offset);
}

void pic_slave_write(void *pic, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    write_port(pic, 1, offset, value);
}

uint64_t pic_elcr_read(void *device, uint64_t offset, unsigned width)
{
    struct pic *pic = device;
    uint64_t both = pic->chips[0].elcr | (uint64_t)pic->chips[1].elcr << 8;
    (void)width;
    return both >> (offset & 1) * 8;
}

void pic_elcr_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pic *pic = device;
    for (; width && offset < 2; width--, offset++, value >>= 8)
        pic->chips[offset].elcr = (uint8_t)value & elcr_writable[offset];
    update(pic);
}
