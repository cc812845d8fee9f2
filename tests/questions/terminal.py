"""Answer a command's questions at a terminal of 80 columns and 24 lines, by keyboard.

pexpect gives the command a terminal, and pyte shows what is on its screen.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

COLUMNS, LINES = 80, 24
ENTER, DOWN, START_OF_LINE_KILL = "\r", "\x1b[B", "\x15"


class Terminal:
    """A command that runs at a terminal."""

    def __init__(self, *command: str | Path, cwd: Path) -> None:
        program, *arguments = map(str, command)
        self.child = pexpect.spawn(
            program, arguments, cwd=str(cwd), dimensions=(LINES, COLUMNS), encoding="utf-8", timeout=1
        )
        self.screen = pyte.Screen(COLUMNS, LINES)
        # A terminal answers when the program asks where the cursor is.
        self.screen.write_process_input = self.child.send
        self.stream = pyte.Stream(self.screen)
        self.output = ""
        self.ended = False

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def read(self, seconds: float = 0.05) -> None:
        """Show what the command writes within `seconds`, or note that it has ended."""
        try:
            text = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            self.ended = True
            return
        self.output += text
        self.stream.feed(text)

    def wait_for(self, what: str, predicate: Callable[[], object], seconds: float = 60) -> None:
        """Read until `predicate` is true; raise AssertionError with the screen if that takes too long."""
        deadline = time.monotonic() + seconds
        while not predicate():
            assert time.monotonic() < deadline, f"{what} does not appear on the screen:\n{self.text()}"
            self.read()
            assert not self.ended or predicate(), f"the command ended before {what} appeared:\n{self.text()}"

    def send(self, keys: str) -> None:
        self.child.send(keys)

    def rows(self) -> list[str]:
        """Return the lines of the screen, without the spaces at their ends."""
        return [line.rstrip() for line in self.screen.display]

    def text(self) -> str:
        return "\n".join(self.rows())

    def cursor_row(self) -> str:
        """Return the line of the screen in which the cursor is."""
        return self.rows()[self.screen.cursor.y]

    def wait(self) -> int:
        """Read until the command ends; return its exit status."""
        deadline = time.monotonic() + 120
        while not self.ended:
            self.read(1)
            assert time.monotonic() < deadline, f"the command does not end:\n{self.text()}"
        self.child.wait()
        return self.child.exitstatus
