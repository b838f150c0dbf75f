"""Who a simulated inverter is: what tells it from others, and its place among linked ones. All made up."""

from __future__ import annotations

from typing import Final

from rct_tools.simulator.battery import MODULES, PLACES, TOWERS
from rct_tools.values import Value

ADDRESS: Final = 4711  # of the inverter of seed 0
SEEDS: Final = 10_000  # that are told apart
SLAVES: Final = 99  # at most
_TOWER: Final = "battery_placeholder[0]"  # where the second tower is
_STANDALONE, _MASTER, _SLAVE = range(3)  # wifi.sockb_protocol


def identity(seed: int, slaves: int = 0, *, number: int = 0, towers: int = 1) -> dict[str, Value]:
    """Return what the objects say that are not the same in all inverters, by name.

    ``number`` is 0 for the master, or for one that is alone, 1 to ``slaves`` for those linked to it. A slave says
    nothing of other slaves.
    """
    seed %= SEEDS
    who = seed * (SLAVES + 1) + number
    addresses = [ADDRESS + who + n for n in range(1 if number else slaves + 1)]
    values: dict[str, Value] = {
        "inverter_sn": f"SIM{number:02}{seed + 1:05}",
        "net.id": addresses[0],
        "net.index": number,
        "net.slave_data": b"".join(address.to_bytes(4) for address in addresses),
        "wifi.sockb_protocol": _SLAVE if number else _MASTER if slaves else _STANDALONE,
        "power_mng.n_batteries": towers,
        **_serials("battery", who * len(TOWERS)),
    }
    if not number:
        values |= {"net.n_devices": slaves + 1, "net.n_slaves": slaves, "net.n_descendants": slaves}
    if towers > 1:
        values |= _serials(_TOWER, who * len(TOWERS) + 1)
        values |= {
            f"{_TOWER}.soh": TOWERS[1] / TOWERS[0],
            f"{_TOWER}.maximum_charge_voltage": 432.0,
            f"{_TOWER}.minimum_discharge_voltage": 336.0,
            f"{_TOWER}.bms_software_version": 5610,
            f"{_TOWER}.bms_power_version": 5610,
            **{f"{_TOWER}.stack_software_version[{n}]": 5610 for n in range(MODULES)},
        }
    return values


def _serials(battery: str, tower: int) -> dict[str, Value]:
    modules = {f"{battery}.module_sn[{n}]": f"SIMMOD{tower * PLACES + n + 1:04}" for n in range(MODULES)}
    return {f"{battery}.bms_sn": f"SIMBMS{tower + 1:04}", **modules}
