"""One inverter, steered by orders: one after the other, each on the guarded path, each with an outcome that is told."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rct_tools.client import Client
from rct_tools.errors import LinkError, NoAnswer, NotNow, RctError, WriteRefused
from rct_tools.link import ticking
from rct_tools.modes import PAUSES, Steered, differing, kept, put_back, steered
from rct_tools.objects import ObjectInfo, registry
from rct_tools.plan import Steerable
from rct_tools.reading import Reading
from rct_tools.sentence import Sentence, sentence_of
from rct_tools.steering.foresight import Foreseeable, Foreseen, foresee
from rct_tools.steering.order import Begin, Choose, Order, Outcome, Prepare, Result, Set, Tell
from rct_tools.steering.permission import check_setting, complete
from rct_tools.steering.telling import Says, back, said_of
from rct_tools.times import SECOND, Moment
from rct_tools.values import Value
from rct_tools.vitals import INTERVAL, LAST, MODE, NORMAL, SETTINGS, UNTIL
from rct_tools.wayback import WayBack
from rct_tools.writable import show
from rct_tools.writing import Writer, Written, check_agreed, default_folder

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 16  # orders
TOO_OLD: Final = 60 * SECOND  # what was wanted so long ago is not done any more
TICK: Final = 5.0  # seconds between looks at what is due
_PAUSE: Final = 1.0  # seconds between them when it is to end
_MINUTE: Final = 60.0


@dataclass(slots=True, eq=False)
class _Asked:
    """An order that waits or is carried out, and who hears of it."""

    order: Order
    tell: Tell
    end: Result = Result.REFUSED  # what it comes to when nothing more is done


class Steward:
    """Carries out what is ordered of one inverter, and nothing but what is ``allowed``.

    A mode lasts until its time is over, another is ordered, or ``run`` is cancelled; then what was before is put back.
    What a program has left behind that is gone is put back as soon as the inverter answers. ``deliver`` takes readings:
    of what was written, and of CONTROLS.
    """

    def __init__(
        self,
        client: Client,
        allowed: Steerable,
        deliver: Callable[[Sequence[Reading]], None],
        *,
        folder: Path | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], int] = time.time_ns,
        ticking: Callable[[], float] = ticking,
    ) -> None:
        """``sleep`` and ``clock`` are as in Writer, ``ticking`` as in Link."""
        self.allowed = allowed
        self.mode: str | None = None  # which nobody knows before the inverter has answered
        self.way_back: WayBack | None = None  # what is put back at the end of the mode that is on
        self.last = Sentence("")  # what the last order came to
        self._client = client
        self._deliver = deliver
        self._writer = Writer(client, folder or default_folder(), "rct collect", sleep, clock)
        self._clock = clock
        self._ticking = ticking
        self._queue: asyncio.Queue[_Asked] = asyncio.Queue(MOST_WAITING)
        self._open: dict[_Asked, None] = {}  # whose end has not been told yet, in order
        self._settings = dict.fromkeys(SETTINGS, 0.0)
        self._is_busy = False  # with a mode of its own, or with what is to be put back
        self._looks_at = self._shows_at = ticking()
        self._serial = ""  # of the inverter, once it has answered
        self._failures = 0  # to put back, in a row
        self._said = ""

    # --- orders -------------------------------------------------------------------------------------------------

    def take(self, order: Order, tell: Tell) -> None:
        """Take an order without waiting; ``tell`` hears, now or later, what becomes of it."""
        try:
            if isinstance(order.wish, Prepare):
                check_setting(order.wish, self.allowed)
                self._settings[order.wish.name] = order.wish.value
                self._say(_Asked(order, tell), Result.DONE, Says.PREPARED())
                return
            order = replace(order, wish=complete(order.wish, self.allowed, self._settings))
            if not self._client.connected:
                raise NotNow(Says.AWAY(peer=self._client.peer))
            asked = _Asked(order, tell)
            self._queue.put_nowait(asked)
            self._open[asked] = None
        except asyncio.QueueFull:
            self._say(_Asked(order, tell), Result.REFUSED, Says.MANY_WAIT(count=MOST_WAITING))
        except (WriteRefused, NotNow) as exc:
            self._say(_Asked(order, tell), Result.REFUSED, sentence_of(exc))
        else:
            tell(self._outcome(order, Result.ACCEPTED, Says.WAITS()))

    async def foresee(self, wish: Foreseeable) -> Foreseen:
        """Return what a wish would do, were it ordered now; nothing is changed.

        Raises WriteRefused and NotNow for what would be refused, NoAnswer, LinkError, OSError, RctError.
        """
        wish = complete(wish, self.allowed, self._settings)
        return await foresee(self._writer, wish, has_mode=self._is_busy)

    async def run(self) -> None:
        """Do what is ordered until cancelled; then put back what was before a mode, until cancelled once more.

        Nobody is left waiting: at the end, what has no outcome yet gets one.
        """
        self._show()
        try:
            await self._serve()
        finally:
            self._say_ends()

    async def _serve(self) -> None:
        asked: _Asked | None = None
        while True:
            if asked is None:
                asked = await self._next(math.inf)
            match asked:
                case _Asked(Order(wish=Begin() as begin)):
                    asked = await self._steer(asked, begin)
                case _Asked(Order(wish=Set() as wish)):
                    await self._set(asked, wish)
                    asked = None
                case _Asked():
                    await self._end(asked)
                    asked = None

    async def _next(self, until: float) -> _Asked | None:
        """Return the next order that is not too old, or None when it is time."""
        while (left := until - self._ticking()) > 0:
            await self._look()
            try:
                async with asyncio.timeout(min(left, TICK)):
                    asked = await self._queue.get()
            except TimeoutError:
                continue
            if self._clock() - asked.order.time <= TOO_OLD:
                return asked
            self._say(asked, Result.REFUSED, Says.WAITED(seconds=TOO_OLD // SECOND))
        return None

    # --- what is ordered ----------------------------------------------------------------------------------------

    async def _set(self, asked: _Asked, wish: Set) -> None:
        writer = self._writer_for(asked)
        try:
            intent = await writer.foresee(wish.name, wish.value)
            if asked.order.agreed is not None:
                check_agreed(self._client.peer, [intent], asked.order.agreed)
            written = await writer.carry_out(intent)
        except (RctError, OSError) as exc:
            self._say_failed(asked, exc)
        else:
            self._show_written([written])
            self._say(asked, Result.DONE, said_of(written))

    async def _end(self, asked: _Asked) -> None:
        """Have no mode on, which is so already unless a program is gone."""
        try:
            restored = await put_back(self._writer_for(asked))
        except (RctError, OSError) as exc:
            self._say_failed(asked, exc)
        else:
            self._show_normal(restored.written if restored else ())
            self._say(asked, Result.DONE, Says.BACK() if restored else Says.NO_MODE_WAS_ON())

    async def _steer(self, asked: _Asked, begin: Begin) -> _Asked | None:
        """Have a mode on until its time is over, or something else is ordered; return that."""
        seconds = begin.seconds or 0.0
        ends_at = self._ticking() + seconds
        writer = self._writer_for(asked)
        on: Steered | None = None
        then: _Asked | None = None
        self._is_busy = True
        try:
            async with steered(
                writer,
                begin.mode,
                power=begin.power,
                soc=begin.soc,
                seconds=seconds,
                patient=False,
                agreed=asked.order.agreed,
            ) as on:
                self._show_mode(on.way_back)
                self._show_written([*(on.recovered.written if on.recovered else ()), *on.written])
                self._say(asked, Result.DONE, Says.BEGUN(changes=tuple(map(said_of, on.written)), until=self._until))
                then = await self._keep(writer, on, ends_at)
        except (RctError, OSError) as exc:
            self._looks_at = self._ticking()  # there may be something to put back
            self._say_failed(asked, exc, Result.FAILED if on else None)
        else:
            is_over = back(on)
            said = Says.IN_PLACE(order=then.order.wish.said, back=is_over) if then else Says.TIME_IS_OVER(back=is_over)
            self._say(asked, Result.ENDED, said)
        finally:
            self._is_busy = False
            if on is not None and on.restored is not None:
                self._show_normal(on.restored.written)
        if (task := asyncio.current_task()) and task.cancelling():  # which the trouble has hidden
            await self._put_back_late()
            raise asyncio.CancelledError
        if then is not None and isinstance(then.order.wish, Choose) and on is not None and on.restored is not None:
            self._say(then, Result.DONE, Says.MODE_ENDED(mode=begin.mode, back=back(on)))
            return None
        return then

    async def _keep(self, writer: Writer, on: Steered, ends_at: float) -> _Asked | None:
        """Wait until the mode is to end, and say when it is not on any more; return what is ordered in its place."""
        said: dict[str, Value] = {}
        looks_at = self._ticking() + _MINUTE
        while self._ticking() < ends_at:
            asked = await self._next(min(ends_at, looks_at))
            if asked is not None and isinstance(asked.order.wish, Set):
                await self._set(asked, asked.order.wish)
            elif asked is not None:
                return asked
            elif self._ticking() >= looks_at:
                looks_at = self._ticking() + _MINUTE
                with suppress(NoAnswer, LinkError):
                    found = await differing(writer, on)
                    for name, value in found.items():
                        if said.get(name) != value:
                            text = "%s: mode %s: %s is %s now: it was changed by others, or by a restart"
                            logger.warning(text, self._client.peer, on.mode, name, show(registry[name], value))
                    said = found
        return None

    def _writer_for(self, asked: _Asked) -> Writer:
        """Begin with an order: return what writes in the name of who asked, and only while that is fresh."""
        order, asked.end = asked.order, Result.FAILED
        mode = f" {order.wish.said}" if isinstance(order.wish, Begin) else ""
        return replace(self._writer, who=f"rct collect{mode}, {order.who}", expires=order.time + TOO_OLD)

    # --- what others have left ----------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Show how things are once a minute; put back what a program has left that is gone, once it can be."""
        now = self._ticking()
        if now >= self._shows_at:
            self._show()
        if self._is_busy or now < self._looks_at or not self._client.connected:
            return
        self._looks_at = now + _MINUTE
        try:
            if self.mode == NORMAL and self._serial and not self._writer.way_backs.path(self._serial).exists():
                return
            self._serial = await self._writer.serial()
            self._is_busy = True
            restored = await put_back(self._writer)
        except NotNow as exc:  # of a program that is there
            self._say_once(logging.WARNING, sentence_of(exc))
            with suppress(RctError, OSError):
                way_back, _ = await kept(self._writer)
                if way_back is not None:
                    self._show_mode(way_back)
        except (NoAnswer, LinkError) as exc:
            self._looks_at = now
            logger.info("%s", exc)
        except (RctError, OSError) as exc:
            self._looks_at = now + PAUSES[min(self._failures, len(PAUSES) - 1)]
            self._failures += 1
            self._say_once(logging.ERROR, Says.TRIED_AGAIN(error=sentence_of(exc)))
        else:
            self._failures = 0
            self._said = ""
            if restored is not None:
                self.last = Says.LEFT_ON(mode=NORMAL)
                logger.warning("%s: %s", self._client.peer, self.last)
            if restored is not None or self.mode != NORMAL:
                self._show_normal(restored.written if restored else ())
        finally:
            self._is_busy = False

    async def _put_back_late(self) -> None:
        """Put back until it has worked, or this is cancelled once more; no order is taken any more."""
        while self.mode != NORMAL:
            await self._look()
            await asyncio.sleep(_PAUSE)

    def _say_once(self, level: int, said: Sentence) -> None:
        if said.text != self._said:
            self._said, self.last = said.text, said
            logger.log(level, "%s: %s", self._client.peer, self._without_peer(said))
            self._show()

    # --- outcomes and readings ----------------------------------------------------------------------------------

    def _say_failed(self, asked: _Asked, exc: RctError | OSError, result: Result | None = None) -> None:
        refused = isinstance(exc, WriteRefused | NotNow)
        self._say(asked, result or (Result.REFUSED if refused else Result.FAILED), sentence_of(exc))

    def _without_peer(self, said: Sentence) -> Sentence:
        return said.without(f"{self._client.peer}: ")

    def _say(self, asked: _Asked, result: Result, said: Sentence) -> None:
        """Tell what has become of an order: to who gave it, to the log, and as a reading."""
        if result is Result.DONE and isinstance(asked.order.wish, Begin):
            asked.end = Result.ENDED
        else:
            self._open.pop(asked, None)
        outcome = self._outcome(asked.order, result, self._without_peer(said))
        level = logging.INFO if result is Result.REFUSED else logging.WARNING
        logger.log(level, "%s: %s, by %s: %s: %s", self._client.peer, outcome.order, outcome.who, result, outcome.text)
        self.last = Says.LAST(order=outcome.wanted, result=result.value, text=outcome.said)
        self._show()
        asked.tell(outcome)

    def _say_ends(self) -> None:
        ends = {
            Result.REFUSED: Says.NOTHING_CHANGED,
            Result.FAILED: Says.NOT_KNOWN,
            Result.ENDED: Says.MODE_IS_OVER if self.mode == NORMAL else Says.NOT_BACK_YET,
        }
        for asked in list(self._open):
            self._say(asked, asked.end, Says.COLLECTOR_ENDS(then=ends[asked.end]()))

    def _outcome(self, order: Order, result: Result, said: Sentence) -> Outcome:
        return Outcome(order.inverter, order.wish.said, order.who, result, said, self._clock())

    def _show_mode(self, way_back: WayBack) -> None:
        self.mode, self.way_back = way_back.mode, way_back
        self._show()

    @property
    def _until(self) -> Moment | str:
        """When the mode ends; "" for none, and for no end that is known."""
        if self.way_back is None or self.way_back.until is None:
            return ""
        return Moment(self.way_back.until)

    def _show_normal(self, written: Iterable[Written]) -> None:
        self.mode, self.way_back = NORMAL, None
        self._show()
        self._show_written(written)

    def _show_written(self, written: Iterable[Written]) -> None:
        """Hand on what was read back: the poller may not look for a while."""
        for it in written:
            values = [(it.object, it.now), *((e.object, e.after) for e in it.effects if e.after is not None)]
            self._deliver([self._reading(info, value) for info, value in values])

    def _show(self) -> None:
        self._shows_at = self._ticking() + INTERVAL / SECOND
        known: dict[ObjectInfo, Value] = {UNTIL: str(self._until), LAST: self.last.text}
        if self.mode is not None:
            known = {MODE: self.mode} | known
        settings = {SETTINGS[name]: value for name, value in self._settings.items()}
        self._deliver([self._reading(info, value) for info, value in (known | settings).items()])

    def _reading(self, info: ObjectInfo, value: Value) -> Reading:
        return Reading(self._clock(), self._client.name, info, value)
