"""What an examination means, in plain words, and what to do: one row of RULES for each finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.doctor import LISTEN, RATES
from rct_tools.examination import Examination

_SHOWN: Final = 6  # names in one sentence
_OFTEN: Final = 0.05  # share of answers that are missing; most firmware loses some
_MOSTLY: Final = 0.2  # share of lost answers, from which on it says nothing of an object that it is silent at times
_HOUR: Final = 3600.0
_ALMOST: Final = 60.0  # seconds that a clock may be wrong, and nobody cares


@dataclass(frozen=True, slots=True)
class Advice:
    """One finding."""

    grave: bool  # whether something is wrong; else it is good to know
    what: str  # one or two sentences
    do: str  # the same; "" where there is nothing to do


class _Rule(NamedTuple):
    grave: bool
    applies: Callable[[Examination], bool]
    what: Callable[[Examination], str]
    do: str


def advise(found: Examination) -> list[Advice]:
    """Return what an examination means, what is grave first."""
    if not found.connected:
        do = next(do for text, do in UNREACHABLE if text in found.trouble)
        return [Advice(True, f"No connection could be made: {found.trouble}.", do)]
    advice = [Advice(rule.grave, rule.what(found), rule.do) for rule in RULES if rule.applies(found)]
    if known := FIRMWARE.get(_build(found.firmware)):
        advice.append(Advice(False, f"Firmware {found.firmware} {known[0]}, as owners report.", known[1]))
    return sorted(advice, key=lambda each: not each.grave)


def verdict(found: Examination) -> str:
    """Return how it is, in one sentence without a full stop."""
    if not found.connected:
        return f"not reachable: {found.trouble}"
    if not found.frames:
        return "connected, but silent"
    grave = sum(each.grave for each in advise(found))
    return f"works, with {grave} thing{'s' if grave > 1 else ''} to look at" if grave else "healthy"


def is_reached(found: Examination) -> bool:
    """Return whether there was an inverter to examine."""
    return found.connected and found.frames > 0


def _share(found: Examination, count: int) -> float:
    return count / max(1, found.answered + found.late + found.cut + found.lost)


def some(names: Iterable[str]) -> str:
    """Return names in a sentence, and how many more there are beyond the first."""
    names = list(names)
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _heard(found: Examination) -> str:
    answers = _times(sum(found.others.values()), "answer", "answers")
    return f"{answers} to it could be heard, for {some(found.others)}"


def _times(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def _build(firmware: str) -> int:
    """Return the last number of a version such as 2.3.5676; 0 for none."""
    match = re.fullmatch(r"\d+\.\d+\.(\d+)", firmware)
    return int(match[1]) if match else 0


_NIGHT: Final = (
    "An inverter without a battery is off at night. If it is day, the bridge between network and inverter may hang: "
    "restart it."
)
_OLD: Final = 5661

FIRMWARE: Final[Mapping[int, tuple[str, str]]] = {  # last number of the version: what is known of it, what to do
    5661: (
        "says nearly nothing by itself, so all has to be asked for",
        "",
    ),
    5673: (
        "leaves answers out, cuts them, and sends them late",
        "RCT Tools asks again for what is missing; with other programs, ask less often.",
    ),
    5674: (
        "lets a session go silent after a while, until it is made anew",
        "RCT Tools does that by itself; a program that does not needs to be restarted, or `rct proxy` before it.",
    ),
    5676: (
        "answers some objects only every few minutes",
        "Give those a longer interval.",
    ),
    5678: (
        "loses writes without saying so",
        "A program that steers the battery has to read back what it wrote.",
    ),
    5685: (
        "is silent for up to 43 s after a connection is made, unless it is asked",
        "",
    ),
}
"""Known of the firmware versions. Source: docs/protocol.md, timing and faults, by firmware."""

UNREACHABLE: Final[tuple[tuple[str, str], ...]] = (  # what the reason says, what to check; the first that fits
    ("unknown host", "Nobody knows this name: check how it is written, or give the address that the router shows."),
    (
        "refused",
        "A machine is at this address, but nothing listens on this port: check the address in the router, and the "
        "port, which is 8899. " + _NIGHT,
    ),
    (
        "",
        "Check the address: routers may give a new one, unless told to keep it. Look whether the phone app finds the "
        "inverter in the same network. " + _NIGHT,
    ),
)

RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        True,
        lambda found: not found.frames and not found.received,
        lambda found: f"It takes connections, but no answer came to {_times(found.requests, 'question', 'questions')}.",
        "Check that it is the inverter that listens there. If it is, the bridge between network and inverter hangs: "
        "end other programs that use it, the phone app too; if that does not help, restart it.",
    ),
    _Rule(
        True,
        lambda found: not found.frames and found.received > 0,
        lambda _: "Something answers there, but it is not what an inverter says.",
        "Check address and port: it is another device, or the serial line behind its bridge is set up wrong.",
    ),
    _Rule(
        True,
        lambda found: found.frames > 0 and bool(found.trouble),
        lambda found: f"The connection was lost and could not be made again: {found.trouble}.",
        "Check the Wi-Fi at the inverter, and whether another program pushes this one out; then examine it again.",
    ),
    _Rule(
        True,
        lambda found: found.flooded,
        lambda _: "Far more data came than an inverter can send, so the examination ended early.",
        "Check address and port: it is another device.",
    ),
    _Rule(
        True,
        lambda found: bool(found.others) and found.shared is False,
        lambda found: f"Another program goes past the proxy: {_heard(found)}.",
        "All hear the answers to it, and its questions cut those of the proxy. Give it the address of the proxy, too.",
    ),
    _Rule(
        True,
        lambda found: bool(found.others) and found.shared is not False,
        lambda found: f"Another program is at work on this inverter: {_heard(found)}.",
        "Each program hears the answers to the others, and its questions cut them. Let one talk to the inverter, "
        "`rct proxy`, and all others to that.",
    ),
    _Rule(
        True,
        lambda found: found.cut > 0 and bool(found.others),
        lambda found: f"{_times(found.cut, 'answer was', 'answers were')} cut: another program asks while it answers.",
        "With `rct proxy` that ends.",
    ),
    _Rule(
        True,
        lambda found: found.cut > 0 and not found.others,
        lambda found: f"{_times(found.cut, 'answer was', 'answers were')} cut by the next question.",
        "RCT Tools notices, asks again and slows down. With other programs, let each question wait for its answer.",
    ),
    _Rule(
        True,
        lambda found: _share(found, found.lost + found.late) >= _OFTEN and found.answered > 0,
        lambda found: (
            f"{_percent(_share(found, found.lost + found.late))} of the answers did not come in time: {found.lost:,} "
            f"not at all, {found.late:,} late."
        ),
        "Look at the Wi-Fi at the inverter, or use its cable; end other programs that ask it. RCT Tools asks again for "
        "what is missing; ask for less, or at longer intervals.",
    ),
    _Rule(
        False,
        lambda found: 0 < _share(found, found.lost + found.late) < _OFTEN,
        lambda found: f"{_times(found.lost + found.late, 'answer', 'answers')} did not come in time, which is normal.",
        "",
    ),
    _Rule(
        True,
        lambda found: found.frames > 0 and sum(found.damaged.values()) >= 0.01 * found.frames,
        lambda found: (
            f"{_times(sum(found.damaged.values()), 'frame was', 'frames were')} damaged: "
            f"{', '.join(f'{count:,} {reason}' for reason, count in found.damaged.items())}."
        ),
        "Where answers are cut, or come late and in parts, they look so. One program at a time, or `rct proxy`, makes "
        "it rare; if it does not, look at the Wi-Fi at the inverter.",
    ),
    _Rule(
        True,
        lambda found: found.delays is not None and found.delays.median > 0.3,
        lambda found: f"Answers take {found.delays.median:.2f} s, several times what is usual." if found.delays else "",
        "Look at the Wi-Fi at the inverter, or use its cable; give other programs a timeout of 5 s.",
    ),
    _Rule(
        True,
        lambda found: found.frames > 0 and found.silent_sessions > 0,
        lambda found: f"{_times(found.silent_sessions, 'session', 'sessions')} stayed open but answered nothing more.",
        "RCT Tools makes a new one by itself; a program that does not needs `rct proxy` before it.",
    ),
    _Rule(
        True,
        lambda found: found.closed_sessions > 0,
        lambda found: f"The inverter closed the connection {_times(found.closed_sessions, 'time', 'times')}.",
        "Look whether another program pushes this one out: a bridge may take one connection only. Else look at the "
        "Wi-Fi at the inverter.",
    ),
    _Rule(
        True,
        lambda found: found.second is False,
        lambda _: "It takes one connection at a time only.",
        "For several programs at once, let `rct proxy` have it.",
    ),
    _Rule(
        False,
        lambda found: found.rate is None and found.rate_end == "loss",
        lambda _: f"Asked {RATES[0]} times a second, it does not keep up.",
        "RCT Tools finds the pace by itself; let other programs ask four times a second at most.",
    ),
    _Rule(
        True,
        lambda found: found.clock_ahead is not None and _is_wrong(found.clock_ahead),
        lambda found: f"Its clock is {show_offset(found.clock_ahead or 0)} this machine's.",
        "History and events have the times of that clock. Set it in the phone app; nothing here does.",
    ),
    _Rule(
        False,
        lambda found: found.clock_ahead is not None and _is_zone(found.clock_ahead),
        lambda found: (
            f"Its clock is {show_offset(found.clock_ahead or 0)} this machine's: another time zone, or no "
            "daylight saving time."
        ),
        "Say which in `time_zone` of rct.toml, or set the clock in the phone app: history and events have its times.",
    ),
    _Rule(
        False,
        lambda found: bool(found.mute) and found.answered > 0,
        lambda found: f"{_times(len(found.mute), 'object', 'objects')} did not answer: {some(found.mute)}.",
        "This firmware does not know them, or answers them only every few minutes. Give them a long interval.",
    ),
    _Rule(
        False,
        lambda found: bool(found.rare) and _share(found, found.lost) < _MOSTLY,
        lambda found: f"Some objects answer only now and then: {some(found.rare)}.",
        "Give them a longer interval.",
    ),
    _Rule(
        False,
        lambda found: found.frames > 0 and found.broadcast is None and found.listened >= LISTEN,
        lambda _: "It says nothing by itself, so every value has to be asked for.",
        "",
    ),
    _Rule(
        False,
        lambda found: found.shared is False,
        lambda _: "What a second connection asks is not heard on the first: this is a proxy, or an unusual bridge.",
        "",
    ),
    _Rule(
        False,
        lambda found: found.extra > 0,
        lambda found: f"{_times(found.extra, 'answer', 'answers')} came more than once, or long after the question.",
        "",
    ),
    _Rule(
        False,
        lambda found: found.linked > 0,
        lambda _: "Linked inverters talk to each other on this line.",
        "That is normal, and costs answers now and then.",
    ),
    _Rule(
        False,
        lambda found: 0 < _build(found.firmware) < _OLD,
        lambda found: f"Firmware {found.firmware} is old: such answered less than half of what it was asked in time.",
        "RCT Tools asks again for what is missing. A newer firmware answers nearly everything.",
    ),
)


def _is_zone(ahead: float) -> bool:
    """Return whether a clock is right but for whole quarters of an hour, as in another time zone."""
    rest = abs(ahead) % (_HOUR / 4)
    return _ALMOST < abs(ahead) <= 14 * _HOUR and min(rest, _HOUR / 4 - rest) <= _ALMOST


def _is_wrong(ahead: float) -> bool:
    return abs(ahead) > _ALMOST and not _is_zone(ahead)


def show_offset(ahead: float) -> str:
    """Return how far a clock is from another: ``3 s behind``."""
    seconds = abs(ahead)
    side = "ahead of" if ahead > 0 else "behind"
    for size, unit, least, digits in ((86_400, "d", 2, 0), (_HOUR, "h", 0.99, 2), (60, "min", 2, 0)):
        if seconds >= least * size:
            return f"{round(seconds / size, digits):g} {unit} {side}"
    return f"{seconds:.0f} s {side}"
