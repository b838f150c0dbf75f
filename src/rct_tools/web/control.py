"""Steering by the page: what may be ordered of an inverter, what that would do, and what came of it.

An order names what was considered before: nothing is done that nobody was shown, and nothing twice.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from rct_tools.errors import ConfigError, LinkError, SinkError
from rct_tools.modes import MODES, taking
from rct_tools.plain import plain
from rct_tools.plan import NOTHING
from rct_tools.recent import Recent
from rct_tools.sentence import Sentence, Sentences, sentence_of
from rct_tools.settings import Duration, Table
from rct_tools.steering import Foreseen, Order, Outcome, Result, Steward
from rct_tools.steering.foresight import Foreseeable
from rct_tools.steering.order import Begin, Choose, Set
from rct_tools.times import SECOND
from rct_tools.vitals import NORMAL
from rct_tools.wayback import Change
from rct_tools.web.answers import VISITOR, Refusal, Says, about, answer, asked, error, made_of, told
from rct_tools.web.documents import Watched
from rct_tools.web.newest import Newest
from rct_tools.writable import WRITABLE, Writable
from rct_tools.writing import Intent

GOOD: Final = 300.0  # seconds that something may be ordered after it was shown
MOST_SHOWN: Final = 100  # things that wait to be ordered; the oldest go
MOST_ORDERS: Final = 20  # of an inverter, the newest
MOST_AT_ONCE: Final = 4  # that are considered of an inverter, each of which asks it some twenty times
_MS: Final = 1_000_000  # ns


class _Says(Sentences):
    NO_LOGIN = "steering by the page needs a login; set web.password, or web.reverse_proxy.user_header"
    NOT_STEERED = "this inverter is not steered; [control] of the configuration says what may be"
    NO_WISH = "expected a mode with what it takes, or an object with a value"
    NORMAL_TAKES = "mode {mode} takes nothing else"
    RECORD = "the record of writes: {error}"
    NOT_CONSIDERED = "nothing like this was considered of late, or it was ordered already; consider it anew"
    FROM_HOST = "page {host}"
    FROM_USER = "page {user} at {host}"
    OTHER_SETUP = "the configuration has changed since that was shown; consider it anew"


class ControlQuery(Table, frozen=True):
    """Which inverter."""

    inverter: str = ""


class Consider(Table, frozen=True):
    """What is wanted: a mode with what it takes, or an object with a value."""

    inverter: str = ""
    mode: str = ""
    power: float | None = None
    soc: float | None = None
    duration: Duration | None = msgspec.field(default=None, name="for")
    object: str = ""
    value: bool | int | float | None = None

    @property
    def wish(self) -> Foreseeable:
        """The same as the steward knows it. Raises ConfigError."""
        takes = (self.power, self.soc, self.duration)
        if self.object and not self.mode and self.value is not None and takes == (None, None, None):
            return Set(self.object, self.value)
        if not self.mode or self.object or self.value is not None:
            raise ConfigError(_Says.NO_WISH())
        if self.mode != NORMAL:
            return Begin(self.mode, self.power, self.soc, None if self.duration is None else self.duration / SECOND)
        if takes != (None, None, None):
            raise ConfigError(_Says.NORMAL_TAKES(mode=NORMAL))
        return Choose(NORMAL)


class Do(Table, frozen=True):
    """What was considered, and is to be done."""

    considered: str


class _Shown(NamedTuple):
    """What somebody was shown, and may order."""

    inverter: str
    steward: Steward  # who has said so: another may have another inverter
    foreseen: Foreseen
    until: float  # of the loop's clock


class _Ordered(NamedTuple):
    """What somebody has ordered, and what it has come to by now."""

    who: Sentence
    outcome: Outcome


class Control:
    """Where people order at the page, when they are known: ``is_guarded`` says that nobody else gets here.

    ``watched`` gives the inverters at work, by name; ``named`` the inverter that is meant.
    """

    def __init__(
        self,
        newest: Newest,
        watched: Callable[[], Mapping[str, Watched]],
        named: Callable[[str], str],
        *,
        is_guarded: bool,
    ) -> None:
        self._newest = newest
        self._watched = watched
        self._named = named
        self._is_guarded = is_guarded
        self._shown: Recent[str, _Shown] = Recent(MOST_SHOWN)
        self._orders: dict[str, Recent[str, _Ordered]] = {}  # by inverter, and what was shown
        self._considering: Counter[str] = Counter()  # by inverter: one that is silent holds up no other

    @property
    def steered(self) -> list[str]:
        """The inverters that may be steered by the page."""
        if not self._is_guarded:
            return []
        return [name for name, it in self._watched().items() if it.steward and it.steward.allowed != NOTHING]

    # --- routes -------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.Response:
        """Tell what may be ordered, which mode is on, and what came of the last orders."""
        self._check_guarded()
        name = self._named(asked(request, ControlQuery).inverter)
        return answer(self._document(name, self._steward(name)))

    async def consider(self, request: web.Request) -> web.Response:
        """Tell what something would do; the inverter is asked, and nothing is sent that changes it."""
        self._check_guarded()
        wanted = await told(request, Consider)
        name = self._named(wanted.inverter)
        steward, wish = self._steward(name), wanted.wish
        if self._considering[name] >= MOST_AT_ONCE:
            raise Refusal(503, Says.TOO_MUCH())
        self._considering[name] += 1
        try:
            foreseen = await steward.foresee(wish)
        except OSError as exc:
            raise SinkError(_Says.RECORD(error=sentence_of(exc))) from exc
        finally:
            self._considering[name] -= 1
        token = secrets.token_urlsafe(16)
        self._shown.put(token, _Shown(name, steward, foreseen, asyncio.get_running_loop().time() + GOOD))
        return answer({"inverter": name, "considered": token, "good": GOOD, **_foreseen(foreseen)})

    async def order(self, request: web.Request) -> web.Response:
        """Have done what was considered."""
        self._check_guarded()
        token = (await told(request, Do)).considered
        shown = self._shown.pop(token, None)
        if shown is None or shown.until <= asyncio.get_running_loop().time():
            return error(409, _Says.NOT_CONSIDERED())
        steward = self._steward(shown.inverter)
        if steward is not shown.steward:
            return error(409, _Says.OTHER_SETUP())
        foreseen = shown.foreseen
        who = _who(request)
        order = Order(shown.inverter, foreseen.wish, who.text, time.time_ns(), foreseen.agreed)
        steward.take(order, partial(self._tell, token, who))
        ordered = self._orders[shown.inverter][token]  # which it was told at once
        if ordered.outcome.result is Result.REFUSED:
            return error(409, ordered.outcome.said)
        return answer(_outcome(token, ordered), 202)

    def _tell(self, token: str, who: Sentence, outcome: Outcome) -> None:
        self._orders.setdefault(outcome.inverter, Recent(MOST_ORDERS)).put(token, _Ordered(who, outcome))

    # --- who, and which -----------------------------------------------------------------------------------------

    def _check_guarded(self) -> None:
        if not self._is_guarded:
            raise Refusal(403, _Says.NO_LOGIN())

    def _steward(self, name: str) -> Steward:
        """Return who steers an inverter. Raises Refusal, LinkError."""
        watched = self._watched().get(name)
        if watched is None:
            raise LinkError(Says.NOT_READ(inverter=name))
        if watched.steward is None or watched.steward.allowed == NOTHING:
            raise Refusal(403, _Says.NOT_STEERED())
        return watched.steward

    # --- documents ----------------------------------------------------------------------------------------------

    def _document(self, name: str, steward: Steward) -> dict[str, Any]:
        way_back = steward.way_back
        until = way_back.until if way_back else None
        return {
            "inverter": name,
            "up": self._newest.is_up(name),
            "mode": steward.mode,
            "until": None if until is None else until // _MS,
            "back": _back(way_back.changes if way_back else ()),
            "last": steward.last.text,
            "last_said": made_of(steward.last),
            "longest": steward.allowed.longest / SECOND,
            "modes": [
                {
                    "name": mode,
                    "needs": sorted(MODES[mode].needs),
                    "takes": {taken: self._range(name, it, taken=taken) for taken, it in taking(mode).items()},
                }
                for mode in steward.allowed.modes
            ],
            "objects": [
                self._range(name, WRITABLE[each])
                | {"note": WRITABLE[each].note, "changes": WRITABLE[each].changes, "now": self._now(name, each)}
                for each in steward.allowed.objects
            ],
            "orders": [_outcome(token, it) for token, it in reversed(self._orders.get(name, {}).items())],
        }

    def _range(self, inverter: str, writable: Writable, *, taken: str = "") -> dict[str, Any]:
        """Return what an object may be set to, as far as that is known; null is what is not."""
        most = self._value(inverter, writable.limit) if writable.limit else None
        known = writable.within(most) if isinstance(most, float) and 0 < most < math.inf else writable
        is_number = known.low < known.high and not known.limit
        return about(writable.info) | {
            "type": writable.info.data_type.name,
            "low": (0.0 if taken == "power" else known.low) if is_number else None,
            "high": known.high if is_number else None,
            "decimals": writable.decimals,
        }

    def _value(self, inverter: str, name: str) -> object:
        seen = self._newest.seen(inverter).get(name)
        return seen.reading.value if seen else None

    def _now(self, inverter: str, name: str) -> dict[str, Any] | None:
        seen = self._newest.seen(inverter).get(name)
        now = round(asyncio.get_running_loop().time() * SECOND)
        return self._newest.value(inverter, seen, now) if seen else None


def _change(change: Change) -> dict[str, Any]:
    return about(change.object) | {"old": plain(change.before), "new": plain(change.after)}


def _back(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return what is put back when it has ended what made these changes."""
    return [_change(Change(it.object, it.after, it.before)) for it in reversed(tuple(changes))]


def _foreseen(foreseen: Foreseen) -> dict[str, Any]:
    wish = foreseen.wish
    return {
        "order": wish.said.text,
        "mode": None if isinstance(wish, Set) else wish.mode,
        "seconds": wish.seconds if isinstance(wish, Begin) else None,
        "first": list(map(_change, foreseen.back)),
        "writes": list(map(_intent, foreseen.intents)),
        "back": _back(foreseen.agreed) if isinstance(wish, Begin) else [],
    }


def _intent(intent: Intent) -> dict[str, Any]:
    return _change(intent.change) | {
        "note": intent.writable.note,
        "changes": {name: None if value is None else plain(value) for name, value in intent.before.items()},
        "frame": intent.frame.encode().hex(" ") if intent.is_needed else None,
    }


def _who(request: web.Request) -> Sentence:
    """Who asks, for the record of what is written."""
    visitor = request[VISITOR]
    if visitor.user:
        return _Says.FROM_USER(user=visitor.user, host=visitor.host)
    return _Says.FROM_HOST(host=visitor.host)


def _outcome(token: str, ordered: _Ordered) -> dict[str, Any]:
    outcome = ordered.outcome
    return {
        "considered": token,
        "order": outcome.order,
        "wanted": made_of(outcome.wanted),
        "who": outcome.who,
        "by": made_of(ordered.who),
        "result": outcome.result.value,
        "text": outcome.text,
        "said": made_of(outcome.said),
        "time": outcome.time // _MS,
    }
