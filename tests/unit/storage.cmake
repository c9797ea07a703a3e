# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_gpt SOURCES unit/test_gpt.c LIBS storage_parts_host)
