"""Modes of the battery, with a way back: what they change is saved on disk first, and put back at the end.

    async with connect("192.0.2.7") as inverter:
        async with steered(Writer(inverter), "hold"):
            ...  # the car charges, and not from the battery

However it ends, what the inverter held before is written back. When the program dies instead, the file stays, and the
next one that starts a mode, or ``put_back``, does it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from rct_tools.errors import LinkError, NoAnswer, NotNow, RctError, WriteFailed, WriteRefused
from rct_tools.objects import registry
from rct_tools.sentence import Sentence, Sentences, sentence_of
from rct_tools.values import Value
from rct_tools.wayback import Change, WayBack
from rct_tools.writable import WRITABLE, Held, Writable, is_same, show
from rct_tools.writing import Intent, Writer, Written, check_agreed

logger = logging.getLogger(__name__)

LAST_TRIES: Final = 3  # to put back, of a program that is to end now
PAUSES: Final = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)  # seconds between tries to put back; the last again and again

_SOC: Final = "battery.soc"
_SOC_MIN: Final = "power_mng.soc_min"
_SOC_MAX: Final = "power_mng.soc_max"
_POWER: Final = "power_mng.battery_power_extern"
_GRID: Final = "power_mng.use_grid_power_enable"
_STRATEGY: Final = "power_mng.soc_strategy"
_EXTERNAL, _INTERNAL = 2, 4
_BIT: Final = 0.005  # of the state of charge: so much a battery gives away at most until it is told


class _Says(Sentences):
    NO_SUCH_MODE = "there is no mode {mode}; there are {modes}"
    NEEDS = "mode {mode} needs a {what}: {meaning}"
    TAKES_NO = "mode {mode} takes no {what}: {meaning}"
    NO_POWER = "mode {mode}: the power must be more than 0 W, got {power:g} W"
    CHARGE_UNKNOWN = "{peer}: {object} is {value}, so mode {mode} cannot be right"
    TOO_EMPTY = (
        "{peer}: the battery is at {soc}, so mode {mode} cannot keep {least}: "
        "some firmware would charge it from the grid at full power"
    )
    FULL = "{peer}: the battery is at {soc} already; nothing was changed"
    OTHER_INVERTER = "{peer}: is inverter {other} now, and what is to be put back is of {inverter}"
    OTHERS_AGAIN = "{peer}: {object} was put back, but is {value} again"
    NOT_ALL_BACK = "{error}; not everything is put back yet, {remedy}"
    REMEDY = "see {path}; `rct mode normal` does it"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a mode is given, and how things are: W, and states of charge from 0 to 1."""

    power: float | None
    soc: float | None
    now: float  # the state of charge
    low: float  # below which the battery is not discharged, as it is set


Expression: TypeAlias = Callable[[Wish], Value | None]
"""What an object is set to; None leaves it alone."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A recipe: objects and what they are set to, in the order in which they are written; put back in reverse."""

    meaning: str
    steps: Mapping[str, Expression]
    needs: frozenset[str] = frozenset()  # "power", "soc"
    takes: frozenset[str] = frozenset()  # what it needs, and what may be given

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes", self.takes | self.needs)


def _now_or_lower(wish: Wish) -> Value:
    """The state of charge, in whole percent and a bit less than it is: what is more may be charged from the grid."""
    return max(wish.low, math.floor((wish.now - _BIT) * 100) / 100)


# The strategy comes last, so that what it goes by is set when it begins; and is put back first.
MODES: Final[Mapping[str, Mode]] = MappingProxyType(
    {
        "hold": Mode(
            "the battery is not discharged; what the sun leaves over charges it",
            {_SOC_MIN: _now_or_lower, _STRATEGY: lambda _: _INTERNAL},
        ),
        "charge": Mode(
            "the battery is charged with --power, from the grid too, up to --soc",
            {
                _SOC_MAX: lambda wish: wish.soc,
                _POWER: lambda wish: -(wish.power or 0.0),
                _GRID: lambda _: True,
                _STRATEGY: lambda _: _EXTERNAL,
            },
            needs=frozenset({"power"}),
            takes=frozenset({"soc"}),
        ),
        "discharge": Mode(
            "the battery is discharged with --power into the house, down to --soc",
            {
                _SOC_MIN: lambda wish: wish.soc,
                _POWER: lambda wish: wish.power or 0.0,
                _STRATEGY: lambda _: _EXTERNAL,
            },
            needs=frozenset({"power"}),
            takes=frozenset({"soc"}),
        ),
        "reserve": Mode(
            "the battery is not discharged below --soc",
            {_SOC_MIN: lambda wish: max(wish.low, wish.soc or 0.0)},
            needs=frozenset({"soc"}),
        ),
    }
)
STEERED: Final = tuple(dict.fromkeys(name for mode in MODES.values() for name in mode.steps))
"""Every object that a mode may change."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, in this order; and what was left, since others have set it meanwhile, with what it holds."""

    written: tuple[Written, ...] = ()
    left: tuple[Change, ...] = ()  # from what it was before to what it is now


@dataclass(slots=True)
class Steered:
    """A mode that is on."""

    mode: str
    way_back: WayBack
    recovered: Restored | None  # what had to be put back first, since another program had not
    written: tuple[Written, ...] = ()
    restored: Restored | None = None  # at the end


def check_mode(mode: str, power: float | None, soc: float | None) -> None:
    """Raise WriteRefused when a mode does not exist, or lacks what it needs or takes not what it is given."""
    recipe = MODES.get(mode)
    if recipe is None:
        raise WriteRefused(_Says.NO_SUCH_MODE(mode=repr(mode), modes=tuple(MODES)))
    for name, value in {"power": power, "soc": soc}.items():
        if value is None and name in recipe.needs:
            raise WriteRefused(_Says.NEEDS(mode=mode, what=name, meaning=recipe.meaning))
        if value is not None and name not in recipe.takes:
            raise WriteRefused(_Says.TAKES_NO(mode=mode, what=name, meaning=recipe.meaning))
    if power is not None and not power > 0:
        raise WriteRefused(_Says.NO_POWER(mode=mode, power=power))
    if soc is not None:
        taking(mode)["soc"].check(soc)


def taking(mode: str) -> dict[str, Writable]:
    """Return what a mode takes, by name, as the object that holds it; a power that charges counts below 0 there."""
    objects = {"power": _POWER, "soc": _SOC_MAX if _SOC_MAX in MODES[mode].steps else _SOC_MIN}
    return {name: WRITABLE[held] for name, held in objects.items() if name in MODES[mode].takes}


@asynccontextmanager
async def steered(
    writer: Writer,
    mode: str,
    *,
    power: float | None = None,
    soc: float | None = None,
    seconds: float | None = None,
    force_state: bool = False,
    patient: bool = True,
    agreed: Sequence[Change] | None = None,
) -> AsyncIterator[Steered]:
    """Have a mode on while the block runs, then put back what was before.

    ``power`` is in W and positive, ``soc`` from 0 to 1; ``seconds`` is only noted, for who looks meanwhile. At the end
    it is tried until all is back; where the block failed or was cancelled, or nobody is ``patient``, LAST_TRIES times,
    and then the error is raised and the file stays. ``agreed`` is what somebody was shown it would do: it does nothing
    else.

    Raises WriteRefused and NotNow before anything is changed, WriteFailed, NoAnswer, LinkError, OSError, RctError.
    """
    check_mode(mode, power, soc)
    inverter = await writer.serial()
    with writer.way_backs.locked(inverter):
        recovered = await _put_back(writer, inverter)
        intents = await consider(writer, mode, power, soc, force_state=force_state)
        if agreed is not None:
            check_agreed(writer.client.peer, intents, agreed)
        began = writer.clock()
        changes = tuple(intent.change for intent in intents)
        until = None if seconds is None else began + round(seconds * 1e9)
        way_back = WayBack(inverter, writer.client.peer, mode, os.getpid(), began, until, changes)
        on = Steered(mode, way_back, recovered)
        is_on = is_over = False
        writer.way_backs.save(way_back)
        try:
            on.written = tuple([await writer.carry_out(intent) for intent in intents])
            is_on = True
            yield on
            is_over = True
        finally:
            on.restored = await _end(writer, inverter, was_on=is_on, patient=patient and is_over)


async def put_back(writer: Writer) -> Restored | None:
    """Put back what a mode has changed whose program is gone; return what that was, None when there was nothing.

    Raises NotNow when a program keeps the mode, WriteFailed, NoAnswer, LinkError, OSError, RctError.
    """
    inverter = await writer.serial()
    with writer.way_backs.locked(inverter):
        return await _put_back(writer, inverter)


async def kept(writer: Writer) -> tuple[WayBack | None, bool]:
    """Return what is to be put back, if anything, and whether a program is there that will.

    Raises NoAnswer, LinkError, OSError, RctError.
    """
    inverter = await writer.serial()
    try:
        with writer.way_backs.locked(inverter):
            return writer.way_backs.load(inverter), False
    except NotNow:
        return writer.way_backs.load(inverter), True


async def differing(writer: Writer, on: Steered) -> dict[str, Value]:
    """Return what does not hold any more what the mode has set: somebody else has changed it, or a restart has.

    What gives no answer is left out. Raises LinkError.
    """
    found = {}
    for written in on.written:
        with suppress(NoAnswer):
            value = await writer.settled(written.object)
            if not is_same(written.object, value, written.wanted):
                found[written.object.name] = value
    return found


async def going_back(writer: Writer, way_back: WayBack) -> tuple[Change, ...]:
    """Return what would be put back now, in this order, from what it is to what it was; what others have set stays.

    Raises NoAnswer, LinkError.
    """
    found = []
    for change in reversed(way_back.changes):
        now = await writer.settled(change.object)
        if is_same(change.object, now, change.before) or is_same(change.object, now, change.after):
            found.append(Change(change.object, now, change.before))
    return tuple(found)


async def consider(
    writer: Writer,
    mode: str,
    power: float | None,
    soc: float | None,
    *,
    force_state: bool = False,
    back: Sequence[Change] = (),
) -> list[Intent]:
    """Return all writes of a mode, as they would be once ``back`` was put back; nothing is sent.

    Raises WriteRefused, NotNow, NoAnswer, LinkError.
    """
    held = {change.object.name: change.after for change in back}
    peer, now, low = writer.client.peer, await writer.value(_SOC), held.get(_SOC_MIN)
    if low is None:
        low = await writer.settled(registry[_SOC_MIN])
    if not isinstance(now, float) or not isinstance(low, float) or not 0 <= now <= 1:
        raise NotNow(_Says.CHARGE_UNKNOWN(peer=peer, object=_SOC, value=repr(now), mode=mode))
    wish = Wish(power, soc, now, low)
    values = {name: value for name, express in MODES[mode].steps.items() if (value := express(wish)) is not None}
    soc_now = Held(registry[_SOC], now)
    least, most = values.get(_SOC_MIN), values.get(_SOC_MAX)
    if isinstance(least, float) and least > max(now, low):
        raise NotNow(_Says.TOO_EMPTY(peer=peer, soc=soc_now, mode=mode, least=Held(registry[_SOC_MIN], least)))
    if isinstance(most, float) and most <= now:
        raise NotNow(_Says.FULL(peer=peer, soc=soc_now))
    intents = [await writer.consider(name, value, force_state=force_state) for name, value in values.items()]
    return [replace(intent, old=held.get(intent.object.name, intent.old)) for intent in intents]


async def _put_back(writer: Writer, inverter: str, *, was_on: bool = True) -> Restored | None:
    """Write back what is on disk, in reverse; look at it all once more; then forget it.

    What others have set since stays; but of a mode that never ``was_on`` all goes back, whatever came of its writes.
    """
    way_back = writer.way_backs.load(inverter)
    if way_back is None:
        return None
    if (other := await writer.serial()) != inverter:
        raise LinkError(_Says.OTHER_INVERTER(peer=writer.client.peer, other=other, inverter=inverter))
    written, left = [], []
    trouble: WriteFailed | NoAnswer | None = None
    for change in reversed(way_back.changes):
        try:
            done = await writer.put_back(change, was_made=was_on)
            now = await writer.settled(change.object) if done is None else done.now
        except (WriteFailed, NoAnswer) as exc:
            trouble = trouble or exc  # which keeps no other from going back
            continue
        if done is not None:
            written.append(done)
        else:
            logger.info(
                "%s: %s is %s, by others: it stays", writer.client.peer, change.object.name, show(change.object, now)
            )
            left.append(Change(change.object, change.before, now))
    if trouble is not None:
        raise trouble
    for done in written:  # one may have changed another
        now = await writer.settled(done.object)
        if not is_same(done.object, now, done.wanted):
            held = Held(done.object, now)
            said = _Says.OTHERS_AGAIN(peer=writer.client.peer, object=done.object.name, value=held)
            raise WriteFailed(said, done.object.name, done.tries, now)
    writer.way_backs.forget(inverter)
    return Restored(tuple(written), tuple(left))


async def _end(writer: Writer, inverter: str, *, was_on: bool, patient: bool) -> Restored | None:
    """Put all back, however often that has to be tried."""
    tries = 0
    try:
        while True:
            try:
                return await _put_back(writer, inverter, was_on=was_on)
            except (WriteFailed, NoAnswer, LinkError, OSError) as exc:
                tries += 1
                if not patient and tries >= LAST_TRIES:
                    said = _Says.NOT_ALL_BACK(error=sentence_of(exc), remedy=_remedy(writer, inverter))
                    raise RctError(said) from exc
                pause = PAUSES[min(tries, len(PAUSES)) - 1] if patient else 1.0
                logger.warning("%s; tried again in %g s", exc, pause)
                await writer.sleep(pause)
    except asyncio.CancelledError:
        logger.error("%s: not everything is put back yet, %s", writer.client.peer, _remedy(writer, inverter))
        raise


def _remedy(writer: Writer, inverter: str) -> Sentence:
    return _Says.REMEDY(path=writer.way_backs.path(inverter))
