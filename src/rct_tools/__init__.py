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
    from rct_tools.errors import CaptureError as CaptureError
    from rct_tools.errors import ConfigError as ConfigError
    from rct_tools.errors import ConnectFailed as ConnectFailed
    from rct_tools.errors import ConnectionLost as ConnectionLost
    from rct_tools.errors import DecodeError as DecodeError
    from rct_tools.errors import EncodeError as EncodeError
    from rct_tools.errors import LinkError as LinkError
    from rct_tools.errors import NoAnswer as NoAnswer
    from rct_tools.errors import NotNow as NotNow
    from rct_tools.errors import RctError as RctError
    from rct_tools.errors import SinkError as SinkError
    from rct_tools.errors import UnknownObject as UnknownObject
    from rct_tools.errors import WriteFailed as WriteFailed
    from rct_tools.errors import WriteRefused as WriteRefused
    from rct_tools.events import LoggedEvent as LoggedEvent
    from rct_tools.frame import BadFrame as BadFrame
    from rct_tools.frame import Command as Command
    from rct_tools.frame import Frame as Frame
    from rct_tools.health import Battery as Battery
    from rct_tools.health import Health as Health
    from rct_tools.history import HistoryRow as HistoryRow
    from rct_tools.inverter import Inverter as Inverter
    from rct_tools.inverter import connect as connect
    from rct_tools.modes import Steered as Steered
    from rct_tools.objects import ObjectInfo as ObjectInfo
    from rct_tools.objects import registry as registry
    from rct_tools.parser import FrameParser as FrameParser
    from rct_tools.reading import Reading as Reading
    from rct_tools.values import decode_value as decode_value
    from rct_tools.values import encode_value as encode_value
    from rct_tools.writing import Written as Written

_HOMES = {
    "BadFrame": "frame",
    "Battery": "health",
    "CaptureError": "errors",
    "Command": "frame",
    "ConfigError": "errors",
    "ConnectFailed": "errors",
    "ConnectionLost": "errors",
    "DecodeError": "errors",
    "EncodeError": "errors",
    "Frame": "frame",
    "FrameParser": "parser",
    "Health": "health",
    "HistoryRow": "history",
    "Inverter": "inverter",
    "LinkError": "errors",
    "LoggedEvent": "events",
    "NoAnswer": "errors",
    "NotNow": "errors",
    "ObjectInfo": "objects",
    "RctError": "errors",
    "Reading": "reading",
    "SinkError": "errors",
    "Steered": "modes",
    "UnknownObject": "errors",
    "WriteFailed": "errors",
    "WriteRefused": "errors",
    "Written": "writing",
    "connect": "inverter",
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
