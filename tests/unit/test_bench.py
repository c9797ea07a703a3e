#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What tools/bench computes from logs and sources: lines of code, BENCH lines, whose a traced instruction is."""
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import setting  # noqa: E402
import figures  # noqa: E402
import size  # noqa: E402
import trace  # noqa: E402


class FakeProgram:
    def __init__(self, start, code):
        self.start, self.code = start, code

    def holds(self, address, code):
        at = address - self.start
        return at >= 0 and self.code[at:at + len(code)] == code

    def function(self, _address):
        return "f"


class Lines(unittest.TestCase):
    def test_comments_and_blank_lines_do_not_count(self):
        self.assertEqual(size.code_lines("// a\n\nint x; /* b\n c */\n/* d */ int y;\n"), 2)

    def test_what_looks_like_a_comment_in_a_literal_counts(self):
        self.assertEqual(size.code_lines('char *s = "/* no";\nchar c = \'"\'; // "\nint z;\n'), 3)


class BenchLines(unittest.TestCase):
    def test_only_whole_lines_with_four_numbers_have_a_median(self):
        log = "BENCH cpuid 1 2 3 4\r\nBENCH init 77\nBENCH half 1 2 3 4 and more\n"
        self.assertEqual(setting.medians(log), {"cpuid": 2})
        self.assertEqual(setting.bench_lines(log)["init"], [77])


class Figures(unittest.TestCase):
    def test_an_aim_is_hit_up_to_itself(self):
        self.assertTrue(figures.Figure("cpuid", "", 480).as_dict()["is_hit"])
        self.assertFalse(figures.Figure("cpuid", "", 481).as_dict()["is_hit"])
        self.assertNotIn("is_hit", figures.Figure("something else", "", 1).as_dict())


class Traces(unittest.TestCase):
    TEXT = """Tracing enabled for CPU0
(0).[10] [0x00001d000661] 0010:0000000001000661 (unk. ctxt): mov ecx, r12d             ; 4489e1
(0).[11] [0x00001d000664] 0008:ffffffff80000664 (unk. ctxt): cpuid                     ; 0fa2
(0).[12] [0x00001d000664] 002b:0000000000400000 (unk. ctxt): ret                       ; c3
(0).[13] [0x00001d000666] 0010:0000000001000666 (unk. ctxt): xchg bx, bx               ; 6687db
Tracing disabled for CPU0
(0) [0x0000fffffff0] f000:fff0 (unk. ctxt): mov eax, cr0              ; 0f20c0
"""

    def test_instructions_between_the_marks(self):
        self.assertEqual([len(piece) for piece in trace.pieces(self.TEXT)], [3])

    def test_rings_and_programs(self):
        known = {name: FakeProgram(0x400000, b"\x90") for name in trace.RING3}
        known["vdisk"] = FakeProgram(0x400000, b"\xc3")
        known["kernel"] = known["guest"] = FakeProgram(0, b"")
        one = trace.read("x", next(trace.pieces(self.TEXT)), known)
        self.assertEqual(dict(one.rings), {"guest": 1, "ring 0": 1, "ring 3 vdisk": 1})


if __name__ == "__main__":
    unittest.main()
