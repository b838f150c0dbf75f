"""Read, watch, keep and understand the data of RCT Power inverters.

    import rct_tools

    print(rct_tools.read("192.0.2.7", "battery.soc"))

The public names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rct_tools.blocking import read as read
    from rct_tools.client import connect as connect
    from rct_tools.frame import BadFrame as BadFrame
    from rct_tools.frame import Command as Command
    from rct_tools.frame import Frame as Frame
    from rct_tools.objects import registry as registry
    from rct_tools.parser import FrameParser as FrameParser
    from rct_tools.reading import Reading as Reading
    from rct_tools.values import decode_value as decode_value
    from rct_tools.values import encode_value as encode_value

_HOMES = {
    "BadFrame": "frame",
    "Command": "frame",
    "Frame": "frame",
    "FrameParser": "parser",
    "Reading": "reading",
    "connect": "client",
    "decode_value": "values",
    "encode_value": "values",
    "read": "blocking",
    "registry": "objects",
}

__all__ = list(_HOMES)  # the names are those above, said once


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
