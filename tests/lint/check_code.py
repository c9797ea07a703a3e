#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_code.py format | cppcheck BUILD | analyzer BUILD: what tools say about our own C code; nothing is good.

format    every C file of the tree is as .clang-format has it
cppcheck  warnings, portability and performance, for all that BUILD/compile_commands.json compiles;
          tests/lint/cppcheck.txt holds the false alarms, each with its reason
analyzer  gcc's -fanalyzer over what boots and over the Linux tools, with the flags they are built by;
          tests/lint/analyzer.txt holds the false alarms
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LINT = Path(__file__).resolve().parent
JOBS = os.cpu_count() or 1
# Of the host-only flags, those that change no meaning but cost the analyzer time.
NOT_FOR_ANALYZER = re.compile(r"-fsanitize|-fno-sanitize|-Werror$")


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [line for lines in pool.map(function, items) for line in lines]


def own_commands(build):
    """{source file: its compile command}, each of our files once, the way that boots first."""
    found = {}
    for entry in json.loads((Path(build) / "compile_commands.json").read_text()):
        source = Path(entry["file"])
        if source.suffix != ".c" or TOP not in source.parents or Path(build).resolve() in source.parents:
            continue
        words = shlex.split(entry["command"])
        del words[words.index("-o"):words.index("-o") + 2]
        is_host = any(word.startswith("-fsanitize") for word in words)
        name = str(source.relative_to(TOP))
        if name not in found or (found[name][1] and not is_host):
            found[name] = (words, is_host, entry["directory"])
    return found


def check_format(_):
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=TOP, check=True,
                           capture_output=True, text=True).stdout.split()
    files = [name for name in files if (TOP / name).is_file()]

    def one(name):
        run = subprocess.run(["clang-format-14", "--dry-run", "-Werror", name], cwd=TOP, capture_output=True, text=True)
        if run.returncode:
            first = run.stderr.splitlines()[0] if run.stderr else "clang-format-14 failed"
            yield f"{first}; clang-format-14 -i {name} puts it right"

    return in_parallel(lambda name: list(one(name)), files)


def allowed(file):
    """Lines 'PATH: PART OF THE MESSAGE  # reason' of a list of false alarms."""
    for line in (LINT / file).read_text().splitlines():
        rule, _, reason = line.partition("  # ")
        if rule.strip() and not rule.startswith("#"):
            if not reason.strip():
                raise SystemExit(f"tests/lint/{file}: '{rule}' has no reason")
            path, _, text = rule.strip().partition(": ")
            yield path, text


def without_allowed(file, lines):
    rules = list(allowed(file))
    used = set()
    kept = []
    for line in lines:
        rule = next((r for r in rules if line.startswith(r[0] + ":") and r[1] in line), None)
        if rule:
            used.add(rule)
        else:
            kept.append(line)
    return kept + [f"tests/lint/{file}: '{p}: {t}' is not needed any more" for p, t in rules if (p, t) not in used]


def check_cppcheck(build):
    def one(item):
        name, (words, _, directory) = item
        # One configuration, gcc's, instead of all that #if could make; cppcheck 2.10 does not know C11's word.
        flags = [w for w in words if w.startswith(("-I", "-D"))]
        flags += ["-D__x86_64__=1", "-D__LP64__=1", "-D__GNUC__=12", "-D_Noreturn=__attribute__((noreturn))"]
        run = subprocess.run(
            ["cppcheck", "--quiet", "--enable=warning,portability,performance", "--inline-suppr", "--std=c11",
             "--platform=unix64", "--error-exitcode=9", "--template={file}:{line}: {severity}: {message} [{id}]",
             # Differences of symbols that assembly or the linker has made; statement expressions.
             "--suppress=comparePointers", "--suppress=constStatement:*/smptest/*",
             "--suppress=missingIncludeSystem", "--suppress=*:/usr/*", *flags, str(TOP / name)],
            cwd=directory, capture_output=True, text=True)
        if run.returncode not in (0, 9):
            return [f"{name}: cppcheck failed: {run.stderr.strip()[:200]}"]
        return [line.replace(f"{TOP}/", "") for line in run.stderr.splitlines() if re.match(r"\S+:\d+: ", line)]

    return without_allowed("cppcheck.txt", sorted(set(in_parallel(one, own_commands(build).items()))))


def check_analyzer(build):
    def one(item):
        name, (words, _, directory) = item
        words = [w for w in words if not NOT_FOR_ANALYZER.match(w)]
        run = subprocess.run([*words, "-fanalyzer", "-fdiagnostics-plain-output", "-o", os.devnull],
                             cwd=directory, capture_output=True, text=True)
        if run.returncode:
            return [f"{name}: gcc failed: {run.stderr.strip()[:200]}"]
        return [line.replace(f"{TOP}/", "") for line in run.stderr.splitlines() if "warning: " in line]

    # Unit tests and simulators run under the sanitizers, and dereference what a failed test would leave NULL.
    items = [(n, v) for n, v in own_commands(build).items() if not n.startswith("tests/")]
    return without_allowed("analyzer.txt", sorted(set(in_parallel(one, items))))


def main():
    checks = {"format": (check_format, 0), "cppcheck": (check_cppcheck, 1), "analyzer": (check_analyzer, 1)}
    if len(sys.argv) < 2 or sys.argv[1] not in checks or len(sys.argv) != 2 + checks[sys.argv[1]][1]:
        print(__doc__, file=sys.stderr)
        return 2
    problems = checks[sys.argv[1]][0](sys.argv[2] if len(sys.argv) > 2 else None)
    for problem in problems:
        print(problem)
    print(f"{sys.argv[1]}: {len(problems)} findings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
