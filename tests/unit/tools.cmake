# SPDX-License-Identifier: BSD-2-Clause
add_test(NAME unit.test_tools COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/unit/test_tools.py)
set_tests_properties(unit.test_tools PROPERTIES LABELS unit TIMEOUT 120)
