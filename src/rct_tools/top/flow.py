"""Where power flows, as letters: sun and battery on one side of the inverter, house and grid on the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Final

from rich.text import Text

from rct_tools.bars import BLUE, GREEN, IDLE, MAGENTA, YELLOW, battery_way, gauge, grid_way, kilowatt
from rct_tools.display import printable
from rct_tools.health import Charge, Energies, Health, Powers
from rct_tools.wording import NOTHING, amount, energy, label, percent

WIDTH: Final = 78
"""Columns that it takes at least."""

HEIGHT: Final = 8
"""Lines that it takes."""

_BOX: Final = 24  # columns, with its frame
_CORE: Final = 14
_BLOCK: Final = HEIGHT // 2
_STEPS: Final = (IDLE, 500.0, 3000.0)  # W: from each on, there is one more arrow on a wire


def flow(health: Health, width: int) -> Text:
    """Return the picture; what is wider than WIDTH makes its wires longer, up to a half more."""
    powers, today = health.powers, health.today
    wire = (max(WIDTH, min(width, 2 * WIDTH)) - 2 * _BOX - _CORE) // 2
    sun, house = _sun(powers, today), _house(powers, today)
    store, grid = _battery(powers, health.battery), _grid(powers, today, is_island=bool(health.separated))
    left = [*_box("Sun", YELLOW, sun), *_box("Battery", GREEN, store)]
    right = [*_box("House", BLUE, house), *_box("Grid", MAGENTA, grid)]
    core = _core(label(health.state), printable(health.firmware or ""))
    wires = [
        *_wires(YELLOW, powers.sun, wire),
        *_wires(GREEN, powers.battery if health.battery else 0.0, wire),
    ], [
        *_wires(BLUE, powers.house, wire),
        *_wires(MAGENTA, None if powers.grid is None else -powers.grid, wire),
    ]  # fmt: skip
    lines = [Text.assemble(*parts) for parts in zip(left, wires[0], core, wires[1], right, strict=True)]
    return Text("\n").join(lines)


def _sun(powers: Powers, today: Energies) -> list[Text]:
    beside = powers.external
    strings = f"A {amount(powers.sun_a, '', 2, 0.001)}  B {amount(powers.sun_b, '' if beside else 'kW', 2, 0.001)}"
    strings += f" +{beside / 1000:.2f}" if beside else ""
    return [_amount(powers.sun, energy(today.made), YELLOW), Text(strings)]


def _house(powers: Powers, today: Energies) -> list[Text]:
    return [_amount(powers.house, energy(today.used), BLUE), Text(f"autarky {percent(today.autarky, 0)}")]


def _battery(powers: Powers, charge: Charge | None) -> list[Text]:
    if charge is None:
        return [Text("none", "dim"), Text()]
    way = "" if powers.battery is None else battery_way(powers.battery)[1]
    level = NOTHING if charge.soc is None else gauge(charge.soc).strip()
    return [_amount(powers.battery, way, GREEN), Text(level)]


def _grid(powers: Powers, today: Energies, *, is_island: bool) -> list[Text]:
    if is_island:
        return [_amount(powers.grid, "", MAGENTA), Text("separated", "bold red")]
    way = "" if powers.grid is None else grid_way(powers.grid)[1]
    numbers = f"in {energy(today.imported)}  out {energy(today.fed_in)}".replace(" kWh ", " ")
    return [_amount(powers.grid, way, MAGENTA), Text(numbers)]


def _amount(power: float | None, note: str, style: str) -> Text:
    text = Text(NOTHING if power is None else kilowatt(abs(power)), f"bold {style}")
    text.append(f" {note:>{max(_BOX - 5 - text.cell_len, 0)}}", "not bold default")
    return text


def _box(title: str, style: str, lines: Iterable[Text], width: int = _BOX) -> Iterator[Text]:
    """Yield the lines of a frame with a title and what is in it."""
    yield Text.assemble(("╭─ ", style), (title, "bold"), (f" {'─' * (width - len(title) - 5)}╮", style))
    for line in lines:
        line.truncate(width - 4, overflow="ellipsis", pad=True)
        yield Text.assemble(("│ ", style), line, (" │", style))
    yield Text(f"╰{'─' * (width - 2)}╯", style)


def _core(state: str, firmware: str) -> Iterator[Text]:
    """Yield the lines of the inverter itself, in the middle."""
    room = HEIGHT - 2
    words = wrap(state, _CORE - 4, max_lines=room - 2, placeholder=" …") or [""]
    above = (room - 1 - len(words)) // 2
    lines = [*[""] * above, *words]
    lines += [""] * (room - 1 - len(lines))
    yield from _box("Inverter", "", [Text(f"{line:^{_CORE - 4}}") for line in (*lines, firmware)], _CORE)


def _wires(style: str, power: float | None, width: int) -> Iterator[Text]:
    """Yield the lines between two boxes; a positive power flows to the right."""
    yield Text(" " * width)
    yield _wire(style, power, width)
    for _ in range(_BLOCK - 2):
        yield Text(" " * width)


def _wire(style: str, power: float | None, width: int) -> Text:
    """Return a wire with arrows, the more power the more of them; without any where nothing flows."""
    if power is None:
        return Text(f"{'?':^{width}}", "dim")
    arrows = sum(abs(power) >= step for step in _STEPS)
    if not arrows:
        return Text("╌" * width, "dim")
    head = "▶" if power > 0 else "◀"
    line = list("━" * width)
    for n in range(arrows):
        line[(2 * n + 1) * width // (2 * arrows)] = head
    return Text("".join(line), style)
