"""What is told of orders: the sentences of a steward."""

from __future__ import annotations

from rct_tools.modes import Steered
from rct_tools.sentence import Sentence, Sentences
from rct_tools.writable import Held
from rct_tools.writing import Written


class Says(Sentences):
    """What a steward says."""

    WAITS = "waits for its turn"
    AWAY = "{peer}: is away; nothing is kept for later"
    MANY_WAIT = "{count} orders wait already"
    WAITED = "it waited for more than {seconds} s"
    PREPARED = "for the modes to come"
    CHANGED = "{object} {old} → {new}"
    HELD_ALREADY = "{object} is {value} already"
    BEGUN = "{changes}; until {until}"
    NO_MODE_WAS_ON = "no mode was on"
    BACK = "all is as it was before"
    BACK_BUT = "all is as it was before, but {objects}, which others have set"
    TIME_IS_OVER = "its time is over; {back}"
    IN_PLACE = "{order} is wanted; {back}"
    MODE_ENDED = "mode {mode} has ended; {back}"
    LEFT_ON = "mode {mode}: a mode had been left on, and all is as it was before"
    TRIED_AGAIN = "{error}; it is tried again"
    COLLECTOR_ENDS = "the collector ends, or is to do something else; {then}"
    NOTHING_CHANGED = "nothing was changed"
    NOT_KNOWN = "nobody knows whether it was done"
    MODE_IS_OVER = "the mode is over"
    NOT_BACK_YET = "not everything is put back yet"
    LAST = "{order}: {result}: {text}"


def said_of(written: Written) -> Sentence:
    """Return what a write has done."""
    info = written.object
    if not written.tries:
        return Says.HELD_ALREADY(object=info.name, value=Held(info, written.now))
    return Says.CHANGED(object=info.name, old=Held(info, written.old), new=Held(info, written.now))


def back(on: Steered | None) -> Sentence:
    """Return that all is back, after a mode, but what others had set."""
    left = on.restored.left if on is not None and on.restored is not None else ()
    return Says.BACK_BUT(objects=tuple(change.object.name for change in left)) if left else Says.BACK()
