"""Whether a wish may be fulfilled at all, and with what: the inverter is not asked."""

from __future__ import annotations

from collections.abc import Mapping

from rct_tools.errors import WriteRefused
from rct_tools.modes import MODES, check_mode
from rct_tools.objects import registry
from rct_tools.plan import Steerable
from rct_tools.sentence import Sentence, Sentences
from rct_tools.steering.foresight import Foreseeable
from rct_tools.steering.order import Begin, Choose, Prepare, Set
from rct_tools.times import SECOND, show_duration
from rct_tools.vitals import DURATION, NORMAL, POWER, SOC
from rct_tools.writable import find_writable


class _Says(Sentences):
    NOT_HERE = "{object}: may not be set here; [control] names what may be"
    NO_MODE_HERE = "mode {mode} may not be begun here; there are {modes}"
    TOO_LONG = "a mode lasts {longest} at most, as [control] says, and more than 0s"


def complete(wish: Foreseeable, allowed: Steerable, settings: Mapping[str, float]) -> Foreseeable:
    """Return a wish with all that it is to be done with: a mode that is chosen by its name takes the ``settings``.

    Raises WriteRefused for what is never done.
    """
    match wish:
        case Set(name, value):
            if name not in allowed.objects:
                raise WriteRefused(_Says.NOT_HERE(object=name))
            find_writable(registry[name]).check(value)
        case Choose(mode) if mode != NORMAL:
            return complete(_prepared(mode, settings), allowed, settings)
        case Begin(mode, power, soc, seconds):
            if mode not in allowed.modes:
                raise WriteRefused(_Says.NO_MODE_HERE(mode=f"{mode!r:.40}", modes=(*allowed.modes, NORMAL)))
            check_mode(mode, power, soc)
            if seconds is None:
                return Begin(mode, power, soc, allowed.longest / SECOND)
            if not 0 < seconds * SECOND <= allowed.longest:
                raise WriteRefused(_too_long(allowed))
    return wish


def check_setting(wish: Prepare, allowed: Steerable) -> None:
    """Raise WriteRefused for a setting that no mode could have."""
    if wish.name == DURATION.name and wish.value * SECOND > allowed.longest:
        raise WriteRefused(_too_long(allowed))


def _too_long(allowed: Steerable) -> Sentence:
    return _Says.TOO_LONG(longest=show_duration(allowed.longest))


def _prepared(mode: str, settings: Mapping[str, float]) -> Begin:
    """Return a mode with those of the settings that it takes; 0 is for none."""
    power, soc, seconds = (settings[info.name] or None for info in (POWER, SOC, DURATION))
    takes = MODES[mode].takes if mode in MODES else frozenset()
    return Begin(mode, power if "power" in takes else None, soc if "soc" in takes else None, seconds)
