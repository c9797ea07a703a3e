// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/screen.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/start.h"
#include "services/console/font.h"
#include "services/console/terminal.h"

#define FRAME_NS 30000000ull /* shortest time between two drawings */
#define SHARE 20u            /* drawing takes at most 1/SHARE of the time, */
#define STEP_NS 200000ull    /* and not more than about this at once */
#define SHADE 0xaau          /* light grey on black, each colour */

static struct {
    bool is_there, is_armed;
    volatile uint32_t *pixels;
    unsigned pitch; /* pixels */
    uint32_t ink;
    struct font font;
    struct terminal terminal;
    uint16_t shown[TERMINAL_MAX_ROWS][TERMINAL_MAX_COLUMNS];
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    uint64_t next_ns;
    unsigned at; /* the cell that is looked at next, by rows */
} screen;

/* cell: as the terminal has it, the cursor with its TERMINAL_REVERSE turned over. */
static void draw_cell(unsigned x, unsigned y, uint16_t cell)
{
    const struct font *f = &screen.font;
    const uint8_t *row = font_glyph(f, cell & (TERMINAL_REVERSE - 1));
    volatile uint32_t *to =
        screen.pixels + (size_t)y * f->height * screen.pitch + (size_t)x * f->width;
    uint32_t ink = (cell & TERMINAL_REVERSE) != 0 ? 0 : screen.ink;
    uint32_t paper = screen.ink - ink;

    for (unsigned r = 0; r < f->height; r++, row += f->bytes_per_row, to += screen.pitch) {
        for (unsigned c = 0; c < f->width; c++) {
            to[c] = (row[c / 8] & (0x80u >> (c % 8))) != 0 ? ink : paper;
        }
    }
}

static void draw_if_changed(unsigned x, unsigned y)
{
    const struct terminal *t = &screen.terminal;
    uint16_t cell = terminal_row(t, y)[x];

    cell ^= x == t->x && y == t->y ? TERMINAL_REVERSE : 0;
    if (cell != screen.shown[y][x]) {
        screen.shown[y][x] = cell;
        draw_cell(x, y, cell);
    }
}

/* The console is above all guests: it draws a little, and goes on from there when they have had their time. */
static void draw(void *context)
{
    unsigned cells = screen.terminal.columns * screen.terminal.rows;
    unsigned left = cells;
    uint64_t start = leat_clock_ns();
    uint64_t took = 0;

    (void)context;
    for (; left > 0 && took < STEP_NS; left--) {
        draw_if_changed(screen.at % screen.terminal.columns, screen.at / screen.terminal.columns);
        screen.at = (screen.at + 1) % cells;
        took = leat_clock_ns() - start;
    }
    screen.is_armed = left > 0;
    screen.next_ns = start + (left > 0 || took * SHARE > FRAME_NS ? took * SHARE : FRAME_NS);
    if (screen.is_armed) {
        leat_loop_timer_set(screen.loop, &screen.timer, screen.next_ns);
    }
}

/* SHADE in the position of a colour of 8 bits; other widths are not drawn. */
static bool add_ink(uint32_t mask)
{
    unsigned shift = mask == 0 ? 32 : (unsigned)__builtin_ctz(mask);

    if (shift == 32 || mask >> shift != 0xff) {
        return false;
    }
    screen.ink |= SHADE << shift;
    return true;
}

void screen_init(struct leat_loop *loop)
{
    const struct leat_start_entry *fb = leat_start_find("mmio", "framebuffer");
    const struct leat_start_entry *file = leat_start_find("file", "font.psf");
    unsigned width, height;

    if (fb == NULL) {
        return;
    }
    width = (unsigned)(uint32_t)fb->arg[0];
    height = (unsigned)(fb->arg[0] >> 32);
    screen.pitch = (unsigned)fb->arg[1];
    if (file == NULL || font_read((const uint8_t *)file->va, file->size, &screen.font) != LEAT_OK) {
        leat_log("the screen stays as it is: the bundle has no usable font.psf");
        return;
    }
    if (!add_ink((uint32_t)fb->arg[2]) || !add_ink((uint32_t)(fb->arg[2] >> 32)) ||
        !add_ink((uint32_t)fb->arg[3]) || width > screen.pitch ||
        (uint64_t)screen.pitch * height > fb->size / sizeof(uint32_t)) {
        leat_log("the screen stays as it is: not 32 bits a pixel");
        return;
    }
    terminal_init(&screen.terminal, width / screen.font.width, height / screen.font.height);
    if (screen.terminal.columns == 0 || screen.terminal.rows == 0) {
        return;
    }
    screen.pixels = (volatile uint32_t *)fb->va;
    screen.loop = loop;
    screen.is_there = true;
    leat_loop_timer(loop, &screen.timer, draw, NULL);
    for (size_t i = 0; i < (size_t)screen.pitch * height; i++) {
        screen.pixels[i] = 0;
    }
    for (unsigned y = 0; y < screen.terminal.rows; y++) {
        for (unsigned x = 0; x < screen.terminal.columns; x++) {
            screen.shown[y][x] = ' ';
        }
    }
}

void screen_write(const char *bytes, size_t count)
{
    uint64_t now;

    if (!screen.is_there) {
        return;
    }
    terminal_write(&screen.terminal, bytes, count);
    if (!screen.is_armed) {
        now = leat_clock_ns();
        screen.is_armed = true;
        leat_loop_timer_set(screen.loop, &screen.timer,
                            screen.next_ns > now + 1 ? screen.next_ns : now + 1);
    }
}

void screen_size(unsigned *columns, unsigned *rows)
{
    if (screen.is_there) {
        *columns = screen.terminal.columns;
        *rows = screen.terminal.rows;
    }
}
