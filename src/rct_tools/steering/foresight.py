"""What an order would do: the dry run. The inverter is asked, and nothing is sent that changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rct_tools.modes import consider, going_back
from rct_tools.steering.order import Begin, Choose, Set
from rct_tools.wayback import Change
from rct_tools.writing import Intent, Writer

Foreseeable: TypeAlias = Set | Begin | Choose


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A wish, and what it would do now."""

    wish: Foreseeable  # with all that it is to be done with
    back: tuple[Change, ...]  # what is put back first, of a mode that is on
    intents: tuple[Intent, ...]

    @property
    def agreed(self) -> tuple[Change, ...]:
        """What an order may do, once somebody has been shown this."""
        return tuple(intent.change for intent in self.intents)


async def foresee(writer: Writer, wish: Foreseeable, *, has_mode: bool) -> Foreseen:
    """Return what a wish would do. ``has_mode`` says that who asks has a mode on, or begins or ends one.

    A mode that is chosen by its name alone can be none but ``normal``. Raises WriteRefused and NotNow for what would be
    refused, NoAnswer, LinkError, OSError, RctError.
    """
    if isinstance(wish, Set):
        return Foreseen(wish, (), (await writer.foresee(wish.name, wish.value),))
    inverter = await writer.serial()
    if not has_mode:
        with writer.way_backs.locked(inverter):
            pass  # or another program keeps a mode
    way_back = writer.way_backs.load(inverter)
    back = await going_back(writer, way_back) if way_back else ()
    if isinstance(wish, Choose):
        return Foreseen(wish, back, ())
    return Foreseen(wish, back, tuple(await consider(writer, wish.mode, wish.power, wish.soc, back=back)))
