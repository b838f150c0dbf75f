"""Reading without asyncio, for scripts and notebooks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from rct_tools.client import Answer, connect
from rct_tools.errors import NoAnswer
from rct_tools.link import PORT
from rct_tools.questions import TIMEOUT
from rct_tools.reading import Reading
from rct_tools.values import Value


def read(host: str, *names: str, port: int = PORT, timeout: float = TIMEOUT) -> dict[str, Value]:
    """Return the values of some objects, by the names given; for scripts and notebooks, without asyncio.

    Values are in the units of their objects, ratios from 0 to 1. ``timeout`` is how many seconds to wait for an answer
    before asking again. Raises UnknownObject, LinkError, and NoAnswer when any object stays silent; the values of the
    others are in its ``answered``.
    """

    async def ask() -> dict[str, Answer]:
        async with connect(host, port, timeout=timeout) as inverter:
            return await inverter.read_many(names)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        answers = asyncio.run(ask())
    else:  # in a notebook, whose loop is busy running this very cell
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(lambda: asyncio.run(ask())).result()
    values = {name: answer.value for name, answer in answers.items() if isinstance(answer, Reading)}
    silent = [name for name in answers if name not in values]
    if silent:
        raise NoAnswer(f"{host}:{port}", silent, values)
    return values
