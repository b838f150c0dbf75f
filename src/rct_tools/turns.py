"""Whose turn it is: everybody who waits gets the next place one after the other, however much each wants."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Turns(Generic[T]):
    """What waits, in the order it will be taken: one of each asker in turn, those of one asker as they were added.

    The same may wait for several askers; it is taken once, when the first of them has its turn.
    """

    def __init__(self) -> None:
        self._waiting: set[T] = set()
        self._queues: OrderedDict[Hashable, deque[T]] = OrderedDict()  # by asker, whose turn is next at the front

    def __contains__(self, item: T) -> bool:
        return item in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T, asker: Hashable, *, first: bool = False) -> None:
        """Let it wait for an asker; ``first`` before all others."""
        self._waiting.add(item)
        queue = self._queues.setdefault(asker, deque())
        if first:
            queue.appendleft(item)
            self._queues.move_to_end(asker, last=False)
        else:
            queue.append(item)

    def next(self) -> T | None:
        """Return what will be taken next, None when nothing waits."""
        while self._queues:
            asker, queue = next(iter(self._queues.items()))
            while queue and queue[0] not in self._waiting:
                queue.popleft()  # taken in the turn of another, or not wanted any more
            if queue:
                return queue[0]
            del self._queues[asker]
        return None

    def take(self) -> T:
        """Remove and return what is next. Raises LookupError when nothing waits."""
        item = self.next()
        if item is None:
            raise LookupError("nothing waits")
        asker = next(iter(self._queues))
        self._queues[asker].popleft()
        self._queues.move_to_end(asker)
        self._waiting.discard(item)
        return item

    def remove(self, item: T) -> None:
        """Let it wait no longer."""
        self._waiting.discard(item)

    def clear(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()
        self._queues.clear()
