"""One case: a project with random edits, in a repository in some state and with some settings."""

import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_edits import Editor
from fuzz_files import Tree, git_bytes
from testing.git import git
from testing.process import run

# Settings by which git may treat content, names and commits in another way. `attributes`, `hooks` and
# `excludes` stand for a path to a file with that content, or to a folder of failing hooks.
SETTINGS = [
    ("apply.whitespace", "error"),
    ("apply.whitespace", "fix"),
    ("core.autocrlf", "true"),
    ("core.autocrlf", "input"),
    ("core.eol", "crlf"),
    ("core.quotePath", "false"),
    ("core.quotePath", "true"),
    ("core.fileMode", "false"),
    ("core.ignoreCase", "true"),
    ("core.precomposeUnicode", "true"),
    ("core.whitespace", "cr-at-eol,tab-in-indent"),
    ("core.bigFileThreshold", "100"),
    ("attributes", "* -diff\n"),
    ("attributes", "*.yml -diff\n"),
    ("attributes", "* merge=binary\n"),
    ("attributes", "* merge=union\n"),
    ("attributes", "* -merge\n"),
    ("attributes", "* -text\n"),
    ("attributes", "* conflict-marker-size=12\n"),
    ("excludes", "*.txt\n*.yml\ndocker/\n"),
    ("hooks", ""),
    ("commit.gpgSign", "true"),
    ("status.showUntrackedFiles", "no"),
    ("status.relativePaths", "false"),
    ("diff.noprefix", "true"),
    ("diff.mnemonicPrefix", "true"),
    ("diff.renames", "copies"),
    ("diff.renames", "false"),
    ("diff.algorithm", "patience"),
    ("diff.external", "false"),
    ("merge.conflictStyle", "diff3"),
    ("merge.conflictStyle", "zdiff3"),
    ("merge.renames", "false"),
    ("merge.renameLimit", "1"),
    ("merge.directoryRenames", "true"),
    ("merge.renormalize", "true"),
    ("merge.verbosity", "5"),
    ("format.pretty", "oneline"),
    ("log.showSignature", "true"),
    ("color.ui", "always"),
    ("i18n.commitEncoding", "ISO-8859-1"),
    ("i18n.logOutputEncoding", "ISO-8859-1"),
    ("blame.coloring", "highlightRecent"),
]
HOOKS = ("pre-commit", "commit-msg", "post-checkout", "pre-merge-commit", "reference-transaction", "post-index-change")
# For what the test itself does in a repository after the settings are set.
NEUTRAL = ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false"]

STATES = ["plain"] * 6 + ["worktree", "shallow", "sha256", "detached", "skip-worktree", "assume-unchanged"]
FOLDERS = [""] * 8 + [
    "services/api",
    "second one",
    "größe",
    "a/.hidden/b",
    "x.lock",
    "deep/y.lock/z",
    "new\nline",
    "-dash",
    "dots..dots",
    "back\\slash",
    "at@{1}",
    "tilde~1^2:3?*[",
    "caf\udce9",
    "100%25",
]


def configure(file: Path, settings: list[tuple[str, str]], folder: Path) -> None:
    """Write settings to a configuration file; what they need goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in settings:
        if key in ("attributes", "excludes"):
            (folder / key).write_text(value)
            key, value = f"core.{key}File", str(folder / key)
        elif key == "hooks":
            for name in HOOKS:
                (folder / name).write_text("#!/bin/sh\nexit 1\n")
                (folder / name).chmod(0o755)
            key, value = "core.hooksPath", str(folder)
        run("git", "config", "--file", file, key, value)
        if key == "commit.gpgSign":
            run("git", "config", "--file", file, "gpg.program", "false")


def choose_settings(rng: random.Random) -> list[tuple[str, str]]:
    return rng.sample(SETTINGS, rng.choice([0, 0, 1, 1, 2]))


@dataclass
class Case:
    """A project before its update; `description` says how it was made."""

    number: int
    release: str
    answers: str
    rng: random.Random
    folder: Path
    prefix: str = ""
    state: str = "plain"
    settings: list[tuple[str, str]] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def service(self) -> Path:
        return self.repository / self.prefix

    @property
    def description(self) -> str:
        return "\n".join(
            [
                f"release {self.release}, answers {self.answers}, state {self.state}, folder {self.prefix!r}",
                *(f"    git config {key} {value!r}" for key, value in self.settings),
                *(f"    {edit}" for edit in self.edits),
            ]
        )

    def git(self, *arguments: str | Path) -> str:
        return os.fsdecode(git_bytes(self.repository, *NEUTRAL, *map(str, arguments))).strip()

    def build(self, generated: Path, old: Tree, new: Tree, answer: tuple[str, str]) -> None:
        """Copy the generated project, edit it, and bring its repository into its state."""
        rng = self.rng
        self.prefix, self.state, self.settings = rng.choice(FOLDERS), rng.choice(STATES), choose_settings(rng)
        work = self.folder / "work"
        project = work / self.prefix
        shutil.copytree(generated, project, symlinks=True)
        hash_ = "sha256" if self.state == "sha256" else "sha1"
        git(work, "init", "--quiet", "--template=", f"--object-format={hash_}", "--initial-branch=main")
        git(work, "commit", "--quiet", "--allow-empty", "--message=Before")
        self.commit(work, "Generated")

        editor = Editor(project, rng, old, new, answer)
        count = rng.randint(2, 6)
        for _ in range(count * 3):
            if len(editor.done) < count:
                editor.edit()
        if self.prefix:
            (work / "outside.txt").write_text("outside\n")
        self.commit(work, "Edited")
        self.edits, self.tokens, self.answered = editor.done, editor.tokens, editor.answered
        self.enter_state(work)
        self.apply_settings()

    def commit(self, work: Path, message: str) -> None:
        git(work, "add", "--all")
        git(work, "commit", "--quiet", "--allow-empty", f"--message={message}")

    def enter_state(self, work: Path) -> None:
        if self.state == "shallow":
            # An answer edited by hand is seen by the commit that recorded the other one.
            depth = 2 if self.answered else self.rng.choice([1, 2])
            git(self.folder, "clone", "--quiet", "--template=", f"--depth={depth}", f"file://{work}", "repository")
        elif self.state == "worktree":
            git(work, "worktree", "add", "--quiet", "-b", "feature", self.repository)
        else:
            work.rename(self.repository)
        if self.state == "detached":
            self.git("checkout", "--quiet", "--detach")
        self.git("branch", "other")
        self.git("tag", "some-tag")
        if self.prefix and self.rng.random() < 0.3:
            # Changes elsewhere in a larger repository do not matter.
            (self.repository / "outside.txt").write_text("uncommitted\n")
            (self.repository / "untracked.txt").write_text("untracked\n")

    def apply_settings(self) -> None:
        """Write the settings into the configuration of the repository."""
        file = Path(self.git("rev-parse", "--git-common-dir"))
        configuration = self.repository / file / "config"
        configure(configuration, self.settings, self.folder / "settings")
        if any(key in ("core.autocrlf", "core.eol") for key, _ in self.settings):
            for name in self.git("ls-files", "-z", ":(top)").strip("\0").split("\0"):
                (self.repository / name).unlink(missing_ok=True)
            self.git("checkout", "--quiet", "--", ":(top)")
        if self.state in ("skip-worktree", "assume-unchanged"):
            self.hide_a_change()
        # The settings must not make the checkout differ from HEAD by themselves.
        changed = self.git("-c", "status.showUntrackedFiles=normal", "status", "--porcelain", "--", self.prefix or ".")
        assert not changed, f"case {self.number} is dirty before the update: {changed}\n{self.description}"

    def hide_a_change(self) -> None:
        """Change a file of the checkout that git is told not to look at."""
        names = self.git("ls-files", "-z", "--", self.prefix or ".").strip("\0").split("\0")
        files = [name for name in names if not (self.repository / name).is_symlink() and ".copier" not in name]
        name = self.rng.choice(files)
        self.git("update-index", f"--{self.state}", "--", name)
        with (self.repository / name).open("ab") as file:
            file.write(b"hidden from git\n")

    def untracked(self, head: Tree) -> set[str]:
        return read_folder_names(self.service) - head.keys()

    def snapshot(self) -> dict[str, object]:
        """Return what an update must not change, except for its branch."""
        common = self.repository / self.git("rev-parse", "--git-common-dir")
        own = self.repository / self.git("rev-parse", "--git-dir")
        files = {}
        for place in (self.repository, self.folder / "work"):
            for path in place.rglob("*") if place.exists() else []:
                if ".git" not in path.relative_to(place).parts:
                    stat = path.lstat()
                    files[str(path)] = (stat.st_mode, stat.st_ino, 0 if path.is_dir() else stat.st_mtime_ns)
        return {
            "refs": set(self.git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()),
            "HEAD": (own / "HEAD").read_bytes(),
            "index": self.git("ls-files", "--stage", "-v", "-z"),
            "config": (common / "config").read_bytes(),
            "checkout": files,
            "files of git": sorted(path.name for folder in {common, own} for path in folder.iterdir()),
        }


def read_folder_names(folder: Path) -> set[str]:
    found = set()
    for place, folders, files in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if Path(place, name).is_symlink()]
        found |= {str(Path(place, name).relative_to(folder)) for name in (*files, *links)}
    return found
