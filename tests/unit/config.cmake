# SPDX-License-Identifier: BSD-2-Clause
leat_unit_test(test_config SOURCES unit/test_config.c LIBS config_host)
