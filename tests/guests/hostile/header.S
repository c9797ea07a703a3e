/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/common/bzimage.inc"
#include "tests/guests/hostile/layout.h"

    bzimage HOSTILE_BASE, hostile_paragraphs, hostile_memory
