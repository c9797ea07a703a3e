# SPDX-License-Identifier: BSD-2-Clause
"""What store_mutations.py and vdisk_mutations.py share: a simulator is built with one promise broken in one place, and must
fail. A mutation whose text is no longer in the code fails too: it must be looked at again."""
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu17", "-O1", "-g", "-w", f"-I{TOP}", f"-I{TOP}/include"]


class Harness:
    def __init__(self, name, sources, seeds, mutations, libraries=()):
        """sources: paths below the top. libraries: "-lNAME". mutations: name -> (file, what is there, what is put in
        its place[, the first seed: of what is rare])."""
        self.name, self.seeds, self.mutations, self.libraries = name, seeds, mutations, libraries
        self.sources = [TOP / s for s in sources]

    def compile_to(self, source, target, extra=()):
        subprocess.run([*self.compiler, *extra, *FLAGS, "-c", str(source), "-o", str(target)], check=True)

    def object_of(self, source):
        return self.folder / (str(source.relative_to(TOP)).replace("/", "-") + ".o")

    def mutated(self, name, place):
        file, old, new, *_ = self.mutations[name]
        text = (TOP / file).read_text()
        if text.count(old) != 1:
            raise SystemExit(f"mutation {name}: its text is {text.count(old)} times in {file}; put it right")
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(old, new))
        return path

    def is_caught(self, name):
        place = self.folder / name
        changed = self.mutated(name, place)
        file = self.mutations[name][0]
        linked = {source: self.object_of(source) for source in self.sources}
        if file.endswith(".h"):  # all that may include it
            sources = {s: s for s in self.sources if s.suffix == ".c" and "vdisk" == s.relative_to(TOP).parts[0]}
        else:
            sources = {TOP / file: changed}
        for n, (source, text) in enumerate(sources.items()):
            linked[source] = place / f"{n}.o"
            self.compile_to(text, linked[source], [f"-iquote{place}", f"-I{place}"])
        program = place / "sim"
        subprocess.run([*self.compiler, *map(str, linked.values()), "-o", str(program), *self.libraries], check=True)
        first = ["--from", str(self.mutations[name][3])] if len(self.mutations[name]) > 3 else []
        try:
            command = [str(program), *first, "--seeds", str(self.seeds)]
            run = subprocess.run(command, capture_output=True, text=True, timeout=240)
        except subprocess.TimeoutExpired:
            return "does not end"
        return (run.stderr.strip().splitlines() or ["died"])[0] if run.returncode else None

    def main(self):
        compiler, build, *names = sys.argv[1:]
        self.compiler = compiler.split()
        self.folder = Path(build) / self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        for source in self.sources:
            self.compile_to(source, self.object_of(source))
        missed = []
        for name in names or self.mutations:
            why = self.is_caught(name)
            print(f"{name}: {'caught: ' + why if why else 'NOT CAUGHT'}", flush=True)
            if not why:
                missed.append(name)
        print(f"{len(names or self.mutations) - len(missed)} mutations caught, {len(missed)} missed")
        return 1 if missed else 0
