#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""difference_mutations.py CC BUILD [NAME...]: shows that the tests of difference files find what they are there
to find."""
import sys

import mutations

ROOM = "tools/nbdkit-leat/"
SOURCES = [*(ROOM + name for name in ("difference.c", "diff_data.c", "diff_map.c", "diff_format.c", "ranges.c")),
           "vdisk/store/crc32c.c", "tests/unit/diff_model.c", "tests/unit/test_nbdkit_difference.c"]
HISTORIES = 30

# name: (file of tools/nbdkit-leat, what is there, what is put in its place)
MUTATIONS = {
    "map_before_data": ("diff_map.c", "int error = map->device.sync(map->device.context);\n", "int error = 0;\n"),
    "map_not_synced": ("diff_map.c", "if (count && !error)", "if (false)"),
    "written_in_place": ("diff_map.c", "            page->copy ^= 1;\n", ""),
    "older_copy_counts": ("diff_map.c", "sequences[1] > sequences[0]", "sequences[1] < sequences[0]"),
    "checksum_not_looked_at": (
        "diff_format.c", "bytes_get(page + 4, 4) != crc32c(0, page + PAGE_SUMMED, DIFF_PAGE - PAGE_SUMMED) ||\n        ", ""),
    "crash_not_put_in_order": ("difference.c", "was_cut ? diff_map_look(&d->map, true, &look) : 0", "0"),
    "crash_not_seen": ("difference.c", "bool was_cut = d->header.flags & DIFF_FLAG_OPEN;", "bool was_cut = false;"),
    "damage_taken_for_a_cut": ("diff_map.c", "both_bad(kinds) || (any_bad(kinds) && !map->was_cut);\n        map->kept++",
                               "both_bad(kinds);\n        map->kept++"),
    "rest_of_a_block_not_copied_up": ("diff_data.c", "error = difference_read(d, block, whole, start);",
                                      "memset(block, 0, whole);"),
    "trim_zeroes_its_edges": ("diff_data.c", "return zero(d, count, offset, false);", "return zero(d, count, offset, true);"),
    "spoilt_forgotten": ("difference.c", "atomic_store(&d->is_spoilt, true);", ";"),
    "closed_without_a_flush": ("difference.c", "error = difference_flush(d);\n        if (!error)", "if (!error)"),
    "last_block_longer_than_the_image": ("diff_data.c", "least(size, d->header.image_size - start)", "size"),
    "two_in_one_block": ("ranges.c", "while (in_the_way(ranges, range))", "while (0)"),
    "image_not_compared": ("difference.c", "o->image && strcmp(o->image, h->image)", "false"),
}

if __name__ == "__main__":
    full = {name: (ROOM + file, old, new) for name, (file, old, new) in MUTATIONS.items()}
    sys.exit(mutations.Harness("difference-mutations", SOURCES, HISTORIES, full, ["-lcmocka"]).main())
