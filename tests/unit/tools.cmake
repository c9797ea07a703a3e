# SPDX-License-Identifier: BSD-2-Clause
add_test(NAME unit.test_tools COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/unit/test_tools.py)
set_tests_properties(unit.test_tools PROPERTIES LABELS unit TIMEOUT 120)
add_test(NAME unit.test_bench COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/unit/test_bench.py)
set_tests_properties(unit.test_bench PROPERTIES LABELS unit TIMEOUT 60 ENVIRONMENT "LEAT_BUILD=${CMAKE_BINARY_DIR}")
