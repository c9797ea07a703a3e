# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_keyboard SOURCES unit/test_keyboard.c LIBS input_host)
