"""Wait for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    what: str,
    predicate: Callable[[], Value],
    evidence: Callable[[], object] | None = None,
    seconds: float = 30,
    every: float = 0.1,
) -> Value:
    """Call `predicate` until its value is true; return that value.

    Raise AssertionError after `seconds`: the message names `what` was awaited, and shows the
    last value of `predicate` and what `evidence` returns (the log of a container, say).
    """
    deadline = time.monotonic() + seconds
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            shown = f"\n{evidence()}" if evidence else ""
            raise AssertionError(f"waited {seconds:g} s in vain until {what}; the last value was {value!r}{shown}")
        time.sleep(every)
    return value
