// SPDX-License-Identifier: BSD-2-Clause
/*
 * A file that loses power: a device for differences in memory. After a cut each sector holds what was
 * synced last, or any of the contents that were written to it since, chosen by chance for each by itself.
 */
#ifndef TESTS_DIFF_MODEL_H
#define TESTS_DIFF_MODEL_H

#include <stdbool.h>

#include "tools/nbdkit-leat/diff_device.h"

#define MODEL_SECTOR 512u

struct diff_model;

struct diff_model *model_new(uint64_t size);
void model_free(struct diff_model *model);
struct diff_device model_device(struct diff_model *model);
/* All zeros, powered. */
void model_clear(struct diff_model *model);
/* The number of the writes, punches and syncs so far; at the next one with this number the power goes: it
   and all behind it fail. 0: never. */
uint64_t model_steps(const struct diff_model *model);
void model_cut_at(struct diff_model *model, uint64_t step);
bool model_is_cut(const struct diff_model *model);
enum model_chance { MODEL_NONE, MODEL_ALL, MODEL_SOME };
/* What the power cut left; powered again, steps from 0. */
void model_restart(struct diff_model *model, enum model_chance chance, uint64_t seed);
void model_flip(struct diff_model *model, uint64_t offset); /* a bit rots, durably */

#endif
