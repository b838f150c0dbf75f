"""What people are told, with what it is made of, so that it can be said in another language, too.

    class _Says(Sentences):
        FULL = "{peer}: the battery is at {soc} already; nothing was changed"

    raise NotNow(_Says.FULL(peer=peer, soc=Held(info, 0.98)))

The text is English: what a terminal, a log or a broker is told. The page has German for each code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line for people.

    ``values`` are what was put in: each is a number, a text, what shows itself as one, a sentence, or a tuple of these.
    Names of objects and modes are texts.
    """

    text: str
    code: str = ""  # of what is said; "" for words that are not ours, such as the operating system's
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text

    def without(self, prefix: str) -> Sentence:
        """Return the same, without what stands before it."""
        return replace(self, text=self.text.removeprefix(prefix))


class Sentences(Enum):
    """The sentences of a room, to be subclassed: their codes, which no other room has, and their templates."""

    def __call__(self, **values: object) -> Sentence:
        """Return a sentence with this put in; of a tuple, its parts with commas between."""
        shown = {name: ", ".join(map(str, it)) if isinstance(it, tuple) else it for name, it in values.items()}
        return Sentence(self.value.format(**shown), self.code, values)

    @property
    def code(self) -> str:
        """What the sentence is called, for programs."""
        return self.name.lower()


def sentence_of(error: BaseException) -> Sentence:
    """Return what an error says."""
    said = error.args[0] if error.args else None
    return said if isinstance(said, Sentence) else Sentence(str(error))
