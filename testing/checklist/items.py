"""What an item of the checklist is."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from testing.checklist.facts import Subject

Check = Callable[[Subject], Iterator[str]]


class Item(NamedTuple):
    """An item: its check yields a reason for each way in which a service misses it."""

    number: int
    title: str
    met_by: str
    of_image: bool  # asked only of images that the project builds itself
    check: Check


def item(number: int, title: str, met_by: str, *, of_image: bool = False) -> Callable[[Check], Item]:
    """Make an item of the decorated check."""
    return lambda check: Item(number, title, met_by, of_image, check)
