"""Update random projects with `fleet update`, and compare each result with an independent merge.

    make fuzz CASES=1000            with a random seed, which is printed
    make fuzz SEED=7 CASE=17        one case of it again, with its details

Blocks of cases share a few generated projects, and one synthetic release. The seed and the number of
a case decide everything about it.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from fuzz_case import NEUTRAL, Case, choose_settings, configure
from fuzz_files import Tree, git_bytes, read_commit, read_folder
from fuzz_oracle import MARKER, Oracle, find_moves, owned_by_template
from fuzz_release import Synthetic, make_release
from releases import CURRENT, knows, released
from testing.answers import MATRIX, UPDATED
from testing.fleet import command, environment
from testing.git import commit, git, isolate_git
from testing.process import run
from testing.template import ANSWERS_FILE, generate_from, isolate_copier, working_clone

SYNTHETIC, EMPTY = "99.1.0", "99.2.0"
BLOCK, PROJECTS = 60, 4
# A case is updated to what lies here, or to the synthetic release.
TARGETS = (CURRENT, SYNTHETIC)
ANSWERS = UPDATED | {"existing": MATRIX["existing"]}
# Answers that a user may change by hand; the first that the project has.
BY_HAND = [("port", "8123"), ("cpu_limit", "0.75"), ("memory_limit", "200m"), ("registry", "registry.example.com/hand")]


@dataclass
class Failed:
    """A case that failed, with how it was made and what is wrong."""

    number: int
    description: str
    problems: list[str]


@dataclass
class Result:
    """What a run counted, and the cases that failed."""

    seed: str
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)

    @property
    def report(self) -> str:
        lines = [f"{name}: {self.counts[name]}" for name in COUNTED]
        for case in self.failed:
            lines += ["", f"case {case.number}: {case.description}", *(f"  ! {text}" for text in case.problems)]
            lines.append(f"  Run it again: make fuzz SEED={self.seed} CASE={case.number}")
        return "\n".join(lines)


COUNTED = (
    "cases",
    "failed cases",
    "edits",
    "tokens",
    "conflicts with markers",
    "conflicts without text",
    "merges that differ from git merge-file",
    "second updates",
    "tokens lost",
    "conflicts without a mark",
    "second updates that changed something",
)


@dataclass(frozen=True)
class Rendered:
    """What a version renders: its files that the template owns, and its answers."""

    tree: Tree
    answers: dict[str, Any]


class Projects:
    """Renders each release with each set of answers once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rendered: dict[tuple[str, ...], Rendered] = {}

    @cached_property
    def template(self) -> Path:
        template = working_clone(self.folder / "template", released(), CURRENT)
        git(template, "gc", "--quiet")  # clones of one pack are quicker
        return template

    def generated(self, release: str, name: str) -> Path:
        """Return the folder of the project that `old` generated."""
        return self.folder / f"{release}-{name}"

    def old(self, release: str, name: str) -> Rendered:
        """Generate a project of a release as the user did."""
        key = (release, name)
        if key not in self.rendered:
            folder = self.generated(release, name)
            generate_from(self.template, folder, release, **ANSWERS[name])
            self.rendered[key] = self.read(folder)
            if name == "existing":
                (folder / "src").mkdir()
                (folder / "src" / "main.py").write_text("print()\n")
                (folder / "README.md").write_text("Mine.\n")
        return self.rendered[key]

    def new(self, release: str, name: str, template: Path, version: str, answered: dict[str, str]) -> Rendered:
        """Render a version with the answers of a project; independently of fleet, into an empty folder."""
        key = (release, name, str(template), version, json.dumps(answered))
        if key not in self.rendered:
            answers = {key: value for key, value in self.old(release, name).answers.items() if key[0] != "_"} | answered
            answers.setdefault("ci", "none")
            if answers.get("kind", "service") == "service":
                # A service of releases 0.1 to 0.3 keeps layout 1, one of 0.1 to 0.5 on the official image stays slim.
                answers.setdefault("layout", 1)
                answers.setdefault("flavor", "slim")
            folder = self.folder / f"new-{len(self.rendered)}"
            generate_from(template, folder, version, **answers)
            self.rendered[key] = self.read(folder)
            shutil.rmtree(folder)
        return self.rendered[key]

    def read(self, project: Path) -> Rendered:
        tree = owned_by_template(read_folder(project))
        return Rendered(tree, yaml.safe_load((project / ANSWERS_FILE).read_text()))

    def moves(self, old: Rendered, new: Rendered) -> dict[str, tuple[str, int]]:
        """Return the files that are in the one only and similar to one that is in the other only."""
        pair = Path(tempfile.mkdtemp(dir=self.folder))
        write_tree(pair / "old", {path: file for path, file in old.tree.items() if path not in new.tree})
        write_tree(pair / "new", {path: file for path, file in new.tree.items() if path not in old.tree})
        found = find_moves(pair / "old", pair / "new")
        shutil.rmtree(pair)
        return found


def write_tree(folder: Path, tree: Tree) -> None:
    folder.mkdir(parents=True)
    for path, file in tree.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(file.data)


@dataclass
class Block:
    """Cases that one run of fleet updates: to what lies here, or to the synthetic release."""

    seed: str
    index: int
    projects: Projects
    folder: Path
    result: Result
    verbose: bool = False

    def random(self, *what: object) -> random.Random:
        return random.Random("/".join(map(str, (self.seed, *what))))

    def run(self, numbers: list[int]) -> None:
        """Run the cases of this block."""
        self.folder.mkdir()
        template = self.folder / "template"
        git(self.folder, "clone", "--quiet", self.projects.template, template)
        synthetic = make_release(template, SYNTHETIC, self.random("release", self.index))
        if self.verbose:
            print(*synthetic.done, sep="\n")
        known = [(release, name) for release in released() for name in ANSWERS if knows(release, ANSWERS[name])]
        chosen = self.random("projects", self.index).sample(known, PROJECTS)
        for target in TARGETS:
            cases = [number for number in numbers if self.random("target", number).choice(TARGETS) == target]
            if cases:
                Run(self, target, template if target == SYNTHETIC else self.clone(), synthetic).run(cases, chosen)
        shutil.rmtree(self.folder)

    def clone(self) -> Path:
        """Return a clone of the template whose newest release is what lies here."""
        folder = self.folder / "current"
        git(self.folder, "clone", "--quiet", self.projects.template, folder)
        return folder


@dataclass
class Updated:
    """A case, and what the oracle needs to know."""

    case: Case
    old: Rendered
    new: Rendered
    head: Tree
    commit: str
    before: dict[str, object]
    problems: list[str] = field(default_factory=list)


class Run:
    """The cases of a block with the same target."""

    def __init__(self, block: Block, target: str, template: Path, synthetic: Synthetic) -> None:
        self.block, self.target, self.template, self.synthetic = block, target, template, synthetic
        self.folder = block.folder / target
        self.counts = block.result.counts
        # Settings of the user, which reach what fleet does outside of the repositories too.
        self.settings = choose_settings(block.random("settings", block.index, target))

    def run(self, numbers: list[int], projects: list[tuple[str, str]]) -> None:
        cases = [self.build(number, projects) for number in numbers]
        reports = self.fleet(cases)
        again = []
        for updated in cases:
            report = reports.get(str(updated.case.service))
            if report is None:
                updated.problems.append("fleet does not report on it")
            elif self.check(updated, report) and self.merge(updated, report):
                again.append(updated)
        if again:
            self.update_again(again)
        for updated in cases:
            case = updated.case
            self.counts["cases"] += 1
            self.counts["edits"] += len(case.edits)
            if updated.problems:
                self.counts["failed cases"] += 1
                self.block.result.failed.append(Failed(case.number, self.describe(case), updated.problems))

    def describe(self, case: Case) -> str:
        settings = "".join(f"\n    git config --global {key} {value!r}" for key, value in self.settings)
        return f"to {self.target}, {case.description}{settings}"

    def build(self, number: int, projects: list[tuple[str, str]]) -> Updated:
        rng = self.block.random("case", number)
        release, name = rng.choice(projects)
        old = self.block.projects.old(release, name)
        generated = self.block.projects.generated(release, name)
        planned = self.new(release, name, {})
        case = Case(number, release, name, rng, self.folder / str(number))
        case.folder.mkdir(parents=True)
        answer = next(pair for pair in BY_HAND if old.answers.get(pair[0]) is not None)
        case.build(generated, old.tree, planned.tree, answer)
        new = self.new(release, name, case.answered)
        if self.block.verbose:
            print(f"case {number}: {self.describe(case)}")
        hash_ = case.git("rev-parse", "HEAD")
        return Updated(case, old, new, read_commit(case.repository, hash_, case.prefix), hash_, case.snapshot())

    def new(self, release: str, name: str, answered: dict[str, str]) -> Rendered:
        return self.block.projects.new(release, name, self.template, self.target, answered)

    def fleet(self, cases: list[Updated]) -> dict[str, dict[str, Any]]:
        """Update all cases in one run; return the reports by path."""
        temporary = self.folder / "temporary"
        variables = environment(temporary)
        configuration = self.folder / "gitconfig"
        shutil.copy(os.environ["GIT_CONFIG_GLOBAL"], configuration)
        configure(configuration, self.settings, self.folder / "settings")
        variables["GIT_CONFIG_GLOBAL"] = str(configuration)
        arguments = ["update", "--json", "--depth=0", f"--template={self.template}", f"--jobs={os.cpu_count()}"]
        result = subprocess.run(
            command(*arguments, *(case.case.service for case in cases)), env=variables, capture_output=True, check=False
        )
        if self.block.verbose:
            print(result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace"))
        try:
            reports = {report["path"]: report for report in json.loads(result.stdout)["services"]}
        except ValueError:
            reports = {}
        expected = int(any(report["state"] in ("conflict", "dirty", "broken", "behind") for report in reports.values()))
        wrong = []
        if not reports or result.returncode != expected:
            wrong.append(f"fleet: exit status {result.returncode}: {result.stderr.decode(errors='replace')[-2000:]}")
        left = sorted(path.name for path in temporary.iterdir())
        if left:
            wrong.append(f"fleet left temporary files: {left}")
        for case in cases:
            case.problems += wrong
        return reports

    def is_dirty(self, case: Case) -> bool:
        """Tell whether git, with the settings for all repositories, shows changes: attributes and autocrlf can."""
        variables = {"GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig")}
        return bool(run("git", "-C", case.service, "status", "--porcelain", "--", ".", env=variables).stdout)

    def check(self, updated: Updated, report: dict[str, Any]) -> bool:
        """Check the branch of a case; return whether it can be merged."""
        case, problems = updated.case, updated.problems
        self.counts["tokens"] += len(present := [token for token in case.tokens if contains(updated.head, token)])
        if report["state"] == "dirty" and self.is_dirty(case):
            self.counts["dirty for git too, by the settings"] += 1
            return False
        if report["state"] not in ("updated", "conflict"):
            problems.append(f"{report['state']}: {report['code']}: {report['message']} ({report['hint']})")
            return False
        after, branch = case.snapshot(), report["branch"]
        added = after["refs"] - updated.before["refs"]  # type: ignore[operator]
        if {line.split(" ", 1)[1] for line in added} != {f"refs/heads/{branch}"}:
            problems.append(f"the new branches are {sorted(added)}, not {branch}")
            return False
        for name, value in updated.before.items():
            if after[name] != value and name != "refs":
                problems.append(f"the update changed: {name}")
        if updated.before["refs"] - after["refs"]:  # type: ignore[operator]
            problems.append("the update changed a branch")
        tip = f"refs/heads/{branch}"
        if (
            case.git("rev-list", f"{updated.commit}..{tip}").count("\n")
            or case.git("rev-parse", f"{tip}^") != updated.commit
        ):
            problems.append("the branch is not one commit on HEAD")
        outside = git_bytes(case.repository, "diff-tree", "-r", "-z", "--name-only", updated.commit, tip).split(b"\0")[
            :-1
        ]
        outside = [name for name in outside if case.prefix and not name.startswith(os.fsencode(f"{case.prefix}/"))]
        if outside:
            problems.append(f"the branch changes files outside of the service: {outside}")

        content = read_commit(case.repository, tip, case.prefix)
        lost = [token for token in present if not contains(content, token)]
        self.counts["tokens lost"] += len(lost)
        problems += [f"lost: {token!r}, which was in {places(updated.head, token)}" for token in lost]
        listed = set(report["conflicts"])
        subject = case.git("log", "-1", "--format=%s", tip)
        if {bool(listed), report["state"] == "conflict", subject.startswith("CONFLICT: ")} not in ({True}, {False}):
            problems.append(f"state {report['state']}, listed {sorted(listed)}, subject {subject}")
        oracle = self.compare(updated, content, listed)
        problems += oracle.problems
        self.counts["conflicts without a mark"] += sum("a conflict without a mark" in text for text in oracle.problems)
        for path in listed:
            marked = path in content and MARKER.search(content[path].data)
            self.counts["conflicts with markers" if marked else "conflicts without text"] += 1
        self.counts["merges that differ from git merge-file"] += oracle.differing
        return True

    def compare(self, updated: Updated, content: Tree, listed: set[str]) -> Oracle:
        case = updated.case
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        moved = self.synthetic.moved if self.target == SYNTHETIC else {}
        moves = self.block.projects.moves(updated.old, updated.new)
        old, new, head = updated.old.tree, updated.new.tree, updated.head
        oracle = Oracle(head, old, new, content, listed, case.untracked(head), moves, moved, scratch)
        oracle.check()
        self.check_answers(updated, content)
        shutil.rmtree(scratch)
        return oracle

    def check_answers(self, updated: Updated, content: Tree) -> None:
        try:
            recorded = yaml.safe_load(content[ANSWERS_FILE].data)
        except (KeyError, yaml.YAMLError) as error:
            updated.problems.append(f"{ANSWERS_FILE}: {error}")
            return
        wanted = updated.new.answers | {"_commit": self.target, "_src_path": str(self.template)}
        if recorded != wanted:
            differing = sorted(key for key in recorded.keys() | wanted.keys() if recorded.get(key) != wanted.get(key))
            shown = {key: (recorded.get(key), wanted.get(key)) for key in differing}
            updated.problems.append(f"{ANSWERS_FILE}: it has, and should have: {shown}")

    def merge(self, updated: Updated, report: dict[str, Any]) -> bool:
        """Merge the branch into the user's; return whether that is possible here."""
        case = updated.case
        if case.state in ("skip-worktree", "assume-unchanged"):
            return False  # git refuses to overwrite the hidden change
        result = subprocess.run(
            ["git", "-C", case.repository, *NEUTRAL, "merge", "--quiet", "--ff-only", f"refs/heads/{report['branch']}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            updated.problems.append(f"the branch cannot be merged: {result.stderr}")
        return result.returncode == 0

    def update_again(self, cases: list[Updated]) -> None:
        """Update to a release without changes: nothing but the recorded version may change."""
        commit(self.template, f"Release {EMPTY}")
        git(self.template, "tag", EMPTY)
        reports = self.fleet(cases)
        for updated in cases:
            case = updated.case
            self.counts["second updates"] += 1
            report = reports.get(str(case.service))
            if not report or report["state"] != "updated":
                shown = report and f"{report['state']}: {report['message']} {report['conflicts']}"
                updated.problems.append(f"the second update: {shown}")
                self.counts["second updates that changed something"] += bool(report and report["state"] == "conflict")
                continue
            before = read_commit(case.repository, "HEAD", case.prefix)
            after = read_commit(case.repository, f"refs/heads/{report['branch']}", case.prefix)
            expected = before[ANSWERS_FILE].data.replace(
                f"_commit: {self.target}".encode(), f"_commit: {EMPTY}".encode()
            )
            wanted = before | {ANSWERS_FILE: before[ANSWERS_FILE]._replace(data=expected)}
            if after != wanted:
                changed = [path for path in sorted(after.keys() | wanted.keys()) if after.get(path) != wanted.get(path)]
                updated.problems.append(f"the second update changed {changed}")
                self.counts["second updates that changed something"] += 1


def contains(tree: Tree, token: bytes) -> bool:
    return any(token in file.data for file in tree.values())


def places(tree: Tree, token: bytes) -> list[str]:
    return [path for path, file in tree.items() if token in file.data]


def fuzz(seed: str, numbers: list[int], folder: Path, verbose: bool = False) -> Result:
    """Run the cases with these numbers, with all temporary files in `folder`."""
    result = Result(seed)
    projects = Projects(folder / "projects")
    projects.folder.mkdir()
    for index in sorted({number // BLOCK for number in numbers}):
        chosen = [number for number in numbers if number // BLOCK == index]
        Block(seed, index, projects, folder / f"block-{index}", result, verbose).run(chosen)
        failed = [case.number for case in result.failed]
        print(f"{result.counts['cases']} cases, failed: {failed or 'none'}", file=sys.stderr, flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Update random projects with fleet, and check the results.")
    parser.add_argument("--cases", type=int, default=200, help="how many cases (default: %(default)s)")
    parser.add_argument("--seed", default="", help="the seed (default: a random one)")
    parser.add_argument("--case", type=int, help="run this case only, and print its details")
    options = parser.parse_args()
    seed = options.seed or str(random.SystemRandom().randrange(10**9))
    print(f"seed {seed}", flush=True)
    numbers = list(range(options.cases)) if options.case is None else [options.case]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the temporary files are removed
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        isolate_git(folder)
        isolate_copier(folder)
        result = fuzz(seed, numbers, folder, verbose=options.case is not None)
    print(result.report)
    return int(bool(result.failed))


if __name__ == "__main__":
    sys.exit(main())
