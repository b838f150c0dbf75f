"""rct.toml: what is good, what the environment adds, and what is said about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from rct_tools.address import show_address
from rct_tools.config import Config, find_config, load_config, parse_config, search_path, show_config, sink_of
from rct_tools.errors import ConfigError
from rct_tools.plan import Plan
from rct_tools.proxy import Access, ProxySetup, parse_network
from rct_tools.rehearsal import rehearse
from rct_tools.settings import Secret
from rct_tools.times import SECOND, local_zone

SMALL = '[[inverter]]\nhost = "192.0.2.7"\n'
WHOLE = """
data = "/var/lib/rct-tools"

[[inverter]]
name = "roof"
host = "192.0.2.7"
time_zone = "Europe/Berlin"
groups = ["fast", "mine"]
has = ["string A", "battery", "module 0"]

[[inverter]]
name = "barn"
host = "192.0.2.8"
port = 8900

[[group]]
name = "mine"
interval = "10s"
objects = ["battery.soc"]

[[sink]]
url = "sqlite:readings.db"

[[sink]]
label = "home"
url = "influx://me@localhost/house"
objects = ["battery.*", "link.up"]
names = { "battery.soc" = "charge" }

[proxy]
inverter = "barn"
listen = "[::1]:8898"
allow = ["192.168.1.0/24", "fd00::/8"]
allow_write = ["power_mng.soc_strategy", "0x959930BF"]
broadcast = false
cache = "500ms"
max_clients = 5
max_rate = 20
capture = "barn.rctcap"

[status]
listen = "127.0.0.1:9999"
"""


def parsed(text: str, **environment: str) -> Config:
    return parse_config(text, "rct.toml", environment)


def test_whole_file() -> None:
    config = parsed(WHOLE)
    roof, barn = config.setup.inverters
    assert (roof.name, roof.host, roof.port, roof.zone) == ("roof", "192.0.2.7", 8899, "Europe/Berlin")
    assert roof.has == frozenset({"string A", "battery", "module 0"})
    assert [group.name for group in roof.plan.groups] == ["fast", "mine"]
    assert roof.plan.expects["battery.soc"].interval == 10 * SECOND
    assert (barn.port, barn.has, barn.zone) == (8900, None, local_zone())
    assert [group.name for group in barn.plan.groups] == ["fast", "slow", "rare", "daily", "mine"]
    assert "battery.soc" in barn.plan.expects
    files, home = config.setup.sinks
    assert (files.label, files.objects) == ("readings.db", ("*",))
    assert home.label == "home"
    expects = home.sources([roof])[0].expects
    assert {e.name: e.interval // SECOND for e in expects.values()} == {"charge": 10, "link.up": 60}
    assert expects["battery.soc"].field == "charge"
    assert (config.listen, config.data) == ("127.0.0.1:9999", "/var/lib/rct-tools")


def test_whole_proxy() -> None:
    roof, barn = parsed(WHOLE).setup.inverters
    assert roof.proxy is None
    assert barn.proxy == ProxySetup(
        "::1", 8898, Access((parse_network("192.168.1.0/24"), parse_network("fd00::/8"))),
        frozenset({"power_mng.soc_strategy", "battery.soc"}), 0.5, False, "barn.rctcap", 5, 20.0,
    )  # fmt: skip
    assert barn.proxy.whom == (
        "this machine and 192.168.1.0/24, fd00::/8, who may write battery.soc, power_mng.soc_strategy"
    )


PROXIES = [  # of the only inverter; address, whom it serves
    ("[proxy]", "127.0.0.1:8899", "this machine"),
    ("[[proxy]]", "127.0.0.1:8899", "this machine"),
    ("[proxy]\nallow = ['10.0.0.0/8']", "0.0.0.0:8899", "this machine and 10.0.0.0/8"),
    ("[proxy]\nallow = ['fd00::/8']", "[::]:8899", "this machine and fd00::/8"),
    ("[proxy]\nallow = ['fd00::/8', '10.1.2.3']", "[::]:8899", "this machine and fd00::/8, 10.1.2.3/32"),
    ("[proxy]\nlisten = '127.0.0.2:0'\nallow = ['10.0.0.0/8']", "127.0.0.2:0", "this machine and 10.0.0.0/8"),
]


@pytest.mark.parametrize(("text", "address", "whom"), PROXIES)
def test_small_proxy(text: str, address: str, whom: str) -> None:
    (inverter,) = parsed(SMALL + text).setup.inverters
    assert inverter.proxy
    assert (show_address(inverter.proxy.host, inverter.proxy.port), inverter.proxy.whom) == (address, whom)


def test_proxies_of_several_inverters() -> None:
    text = TWO + "[[proxy]]\ninverter = 'b'\nlisten = '127.0.0.1:0'\n[[proxy]]\ninverter = 'a'\nlisten = '127.0.0.1:0'"
    assert [inverter.proxy.port for inverter in parsed(text).setup.inverters if inverter.proxy] == [0, 0]


def test_processes_that_share_a_file_are_told_apart() -> None:
    text = SMALL + '[[sink]]\nurl = "mqtt://localhost"\n[[sink]]\nurl = "console:"'
    one, two = (parse_config(text, "rct.toml", {}, keeper).setup.sinks for keeper in ("shard-1", "shard-2"))
    assert one[0].spool
    assert two[0].spool
    assert one[0].spool.path != two[0].spool.path
    assert one[0].settings != two[0].settings
    assert one[1] == two[1]


def test_smallest_file() -> None:
    config = parsed(SMALL)
    (inverter,) = config.setup.inverters
    assert (inverter.name, len(inverter.plan.groups)) == ("192.0.2.7", 4)
    (sink,) = config.setup.sinks
    assert sink.label.endswith("readings.db")
    assert config.listen == "127.0.0.1:9832"


def test_same_file_gives_the_same_setup() -> None:
    assert parsed(WHOLE).setup == parsed(WHOLE).setup
    assert parsed(WHOLE).setup != parsed(WHOLE.replace("charge", "load")).setup


ENVIRONMENT = [  # variable, value, what it changes
    ("RCT_INVERTER__0__HOST", "roof.lan", lambda c: c.setup.inverters[0].host == "roof.lan"),
    ("RCT_INVERTER__1__PORT", "9001", lambda c: c.setup.inverters[1].port == 9001),
    ("RCT_INVERTER__2__HOST", "third", lambda c: c.setup.inverters[2].name == "third"),
    ("RCT_INVERTER__1__GROUPS", '["slow"]', lambda c: [g.name for g in c.setup.inverters[1].plan.groups] == ["slow"]),
    ("RCT_SINK__0__URL", "jsonl:-", lambda c: c.setup.sinks[0].label == "jsonl:-"),
    ("RCT_SINK__1__NAMES__BATTERY.SOC", "x", lambda c: c.setup.sinks[1].names == {"battery.soc": "x"}),
    ("RCT_STATUS__LISTEN", "", lambda c: c.listen == ""),
    ("RCT_PROXY__CACHE", '"0s"', lambda c: c.setup.inverters[1].proxy.cache == 0),
    ("RCT_DATA", "/x", lambda c: c.data == "/x"),
    ("RCT_DEFAULT_GROUPS", "false", lambda c: len(c.setup.inverters[1].plan.groups) == 1),
    ("RCT_REQUIRE_SERVERS", "1", lambda c: True),  # of something else
    ("RCT_CONFIG", "x", lambda c: True),
]


@pytest.mark.parametrize(("variable", "value", "changed"), ENVIRONMENT)
def test_environment(variable: str, value: str, changed: object) -> None:
    text = WHOLE.replace('groups = ["fast", "mine"]', "")
    assert changed(parsed(text, **{variable: value}))  # type: ignore[operator]  # a function of a Config


SINK = SMALL + "[[sink]]\n"
PROXY = SMALL + "[proxy]\n"
TWO = '[[inverter]]\nhost = "a"\n[[inverter]]\nhost = "b"\n'
MISTAKES = [  # file, what is said
    ("[[inverter]\n", "rct.toml: not TOML: "),
    ("", "rct.toml: inverter: missing"),
    ("inverter = []", "rct.toml: inverter: expected at least one"),
    ("[[inverter]]\n", "rct.toml: inverter[0].host: missing"),
    ('[[inverter]]\nhost = ""\n', "rct.toml: inverter[0].host: is empty"),
    ("[[inverter]]\nhost = 5\n", "rct.toml: inverter[0].host: expected `str`, got `int`"),
    (SMALL + "port = 70000", "rct.toml: inverter[0].port: expected `int` <= 65535"),
    (SMALL + "nmae = 'x'", "rct.toml: inverter[0].nmae: unknown key, did you mean 'name'?"),
    (SMALL + SMALL, "rct.toml: inverter[1].name: '192.0.2.7' is there already, at inverter[0]"),
    (SMALL + "time_zone = 'Europe/Berlim'", "rct.toml: inverter[0].time_zone: 'Europe/Berlim' is no time zone"),
    (SMALL + "time_zone = '/etc/passwd'", "rct.toml: inverter[0].time_zone: '/etc/passwd' is no time zone"),
    (SMALL + "groups = ['fats']", "rct.toml: inverter[0].groups: 'fats' is no group; did you mean 'fast'?"),
    (SMALL + "groups = []", "rct.toml: inverter[0].groups: expected at least one"),
    (SMALL + "has = ['string C']", "rct.toml: inverter[0].has: 'string C' is no component; did you mean 'string"),
    ("default_groups = false\n" + SMALL, "rct.toml: group: expected at least one, as default_groups is false"),
    ("invertre = 1\n" + SMALL, "rct.toml: invertre: unknown key, did you mean 'inverter'?"),
    (SINK, "rct.toml: sink[0].url: missing"),
    (SINK + "url = 'mysql://x'", "rct.toml: sink[0].url: 'mysql://x' names no destination; "),
    (SINK + "url = 'console:'\nobjekts = []", "rct.toml: sink[0].objekts: unknown key, did you mean 'objects'?"),
    (SINK + "url = 'console:'\nlabel = 5", "rct.toml: sink[0].label: expected `str`, got `int`"),
    (SINK + "url = 'console:'\nnames = 5", "rct.toml: sink[0].names: expected `object`, got `int`"),
    (SINK + "url = 'console:'\nnames = { 'battery.sox' = 'x' }", "rct.toml: sink[0].names: 'battery.sox' is no object"),
    (SINK + "url = 'console:'\nlabel = 'page'\n[web]", "rct.toml: sink[0].label: 'page' is that of the page; choose"),
    (SINK + "url = 'console:'\n[[sink]]\nurl = 'console:'", "rct.toml: sink[1].label: 'console' is there already"),
    ("[inverter]\nhost = 'a'", "rct.toml: inverter: write [[inverter]] in place of [inverter], since there may be"),
    (SMALL + "default_groups = false", "rct.toml: inverter[0].default_groups: goes to the top of the file, before the"),
    (SMALL + "[status]\ndata = '/x'", "rct.toml: status.data: goes to the top of the file, before the first table"),
    ("[[inverter]]\nhost = 'http://a'", "rct.toml: inverter[0].host: 'http://a' is no name or address; its port is a"),
    ("[[inverter]]\nhost = 'a:8899'", "rct.toml: inverter[0].host: 'a:8899' is no name or address; its port is a key"),
    (SINK + "url = 'mqtt://me:secret@a'", "rct.toml: sink[0].url: mqtt://: the password belongs in MQTT_PASS"),
    (SINK + "url = 'console:'\nspool_age = '1d'", "rct.toml: sink[0].spool_age: nothing waits on disk for such a sink"),
    (SINK + "url = 'influx://a/b'\nschema = 'x'", "rct.toml: sink[0].schema: invalid enum value 'x', expected one of"),
    (SINK + "url = 'console:'\nobjects = ['link.pu']", "rct.toml: sink[0].objects[0]: 'link.pu' fits no object that"),
    (SINK + "url = 'console:'\nobjects = ['link.up', 'x.*']", "rct.toml: sink[0].objects[1]: 'x.*' fits no object"),
    (SINK + "url = 'console:'\nnames = { 'battery.soc' = 'x', 'battery.soh' = 'x' }", "rct.toml: sink[0].names: 'x' "),
    (SINK + "url = 'console:'\nnames = { 'battery.soc' = 'power_grid' }", "rct.toml: sink[0].names: 'power_grid'"),
    (PROXY + "lisen = 'x'", "rct.toml: proxy.lisen: unknown key, did you mean 'listen'?"),
    (PROXY + "listen = '8899'", "rct.toml: proxy.listen: '8899' is no address; expected one such as 127.0.0.1:8899"),
    (PROXY + "allow = '10.0.0.0/8'", "rct.toml: proxy.allow: expected `array`, got `str`"),
    (PROXY + "allow = ['10.0.0.0/8', 'all']", "rct.toml: proxy.allow[1]: 'all' is no network; expected one such as"),
    (PROXY + "allow = ['10.0.0.1/8']", "rct.toml: proxy.allow[0]: '10.0.0.1/8' is no network; did you mean 10.0.0.0"),
    (PROXY + "allow_write = ['power_mng.soc_strategi']", "rct.toml: proxy.allow_write[0]: unknown object 'power"),
    (PROXY + "allow_write = ['com_service']", "rct.toml: proxy.allow_write[0]: com_service is never written through a"),
    (PROXY + "allow_write = ['pas.period']", "rct.toml: proxy.allow_write[0]: pas.period is never written through a"),
    (PROXY + "cache = 2", 'rct.toml: proxy.cache: expected a duration such as "5s", got 2'),
    (PROXY + "max_clients = 0", "rct.toml: proxy.max_clients: expected `int` >= 1"),
    (PROXY + "max_rate = 0", "rct.toml: proxy.max_rate: expected `float` > 0"),
    (PROXY + "broadcast = 1", "rct.toml: proxy.broadcast: expected `bool`, got `int`"),
    (PROXY + "inverter = '192.0.2.8'", "rct.toml: proxy.inverter: '192.0.2.8' is no inverter; did you mean '192.0.2"),
    (PROXY + "data = '/x'", "rct.toml: proxy.data: goes to the top of the file"),
    (TWO + "[proxy]", "rct.toml: proxy.inverter: missing; expected one of a, b"),
    (TWO + "[[proxy]]\ninverter = 'a'\n[[proxy]]\ninverter = 'a'", "rct.toml: proxy[1].inverter: 'a' has a proxy"),
    (
        TWO + "[[proxy]]\ninverter = 'a'\n[[proxy]]\ninverter = 'b'",
        "rct.toml: proxy[1].listen: 127.0.0.1:8899 is that of proxy[0] already",
    ),
    (SINK + "url = 'console:'\nspool_size = 'big'", "rct.toml: sink[0].spool_size: 'big' is not a size; expected"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_mistake_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_address_with_many_colons_is_one() -> None:
    (inverter,) = parsed('[[inverter]]\nhost = "fe80::1"\n').setup.inverters
    assert inverter.host == "fe80::1"


UNUSABLE = [  # sink, what is said when it is tried
    ('url = "influx://a"', "'influx://a': expected influx://"),
    ('label = "x"\nurl = "influx://a"', "x: 'influx://a': expected influx://"),
    ('url = "mqtt://a"\ntls = { ca = "/x" }', "'mqtt://a': tls is for mqtts://"),
    (
        'label = "x"\nurl = "mqtts://a"\ntls = { ca = "/nowhere/x" }',
        "x: tls.ca: /nowhere/x cannot be read: No such file",
    ),
    ('url = "prometheus://:9831/x"', "prometheus://:9831/x: prometheus: expected prometheus://[HOST][:9831] and"),
    ('url = "influx://me@a"\npassword = { env = "NOBODY_HAS_IT" }', "'influx://me@a': expected influx://"),
]


@pytest.mark.parametrize(("sink", "said"), UNUSABLE)
async def test_sink_is_tried_without_connecting(sink: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await rehearse(parsed(SINK + sink))
    assert str(caught.value).startswith(said)


async def test_secret_that_others_have_is_a_remark(tmp_path: Path) -> None:
    """The service may read what people may not; and files are not made."""
    text = SINK + 'label = "x"\nurl = "influx://me@a/b"\npassword = { file = "/nowhere/y" }\n'
    text += '[[sink]]\nurl = "influx2://a/c?org=o"\ntoken = { env = "NOBODY_HAS_IT" }\n'
    text += f'[[sink]]\nurl = "sqlite:{(tmp_path / "x.db").as_posix()}"\n[[sink]]\nurl = "mqtt://a"\n'
    remark, other = await rehearse(parsed(text))
    assert "NOBODY_HAS_IT" in other
    assert remark.startswith("x: influx://a: password of user me: /nowhere/y: cannot be read")
    assert not (tmp_path / "x.db").exists()


LOST = [  # variable, what is said
    ("RCT_SNIK__0__URL", "RCT_SNIK__0__URL: unknown key, did you mean 'sink'?"),
    ("RCT_SINK__9__URL", "RCT_SINK__9__URL: expected the number of a table, 0 to 2, got '9'"),
    ("RCT_SINK__0", "RCT_SINK__0: expected a key behind the number of a table"),
    ("RCT_SINK__X__URL", "RCT_SINK__X__URL: expected the number of a table, 0 to 2, got 'x'"),
    ("RCT_DATA__X", "RCT_DATA__X: expected a key behind the number of a table"),
]


@pytest.mark.parametrize(("variable", "said"), LOST)
def test_variable_that_leads_nowhere(variable: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(WHOLE, **{variable: "x"})
    assert str(caught.value).startswith(said)


def test_more_than_ten_tables_from_the_environment() -> None:
    variables = {f"RCT_SINK__{n}__URL": f"jsonl:{n}" for n in range(12)}
    assert [sink.label for sink in parsed(SMALL, **variables).setup.sinks] == [f"jsonl:{n}" for n in range(12)]


@pytest.mark.parametrize("text", ["007", "1_0", "1e5", "nan", "2026-06-21", "0x1F", "a # b", "x = 1", "", "'"])
def test_password_in_the_environment_is_taken_as_it_is(text: str) -> None:
    config = parsed(SINK + "url = 'mqtt://me@h'", RCT_SINK__0__PASSWORD=text)
    assert config.sinks[0].password == Secret(text)


def test_what_is_in_force_is_shown_without_secrets_and_defaults() -> None:
    text = SINK + "url = 'mqtt://me@h'\npassword = 's3cret'\nqos = 1\nspool_age = '5d'\nrefresh = '60s'"
    assert show_config(parsed(text)) == {
        "inverter": [{"host": "192.0.2.7"}],
        "sink": [{"url": "mqtt://me@h", "password": "…", "spool_age": "5d", "refresh": "1m"}],
    }


# --- where readings wait --------------------------------------------------------------------------------------------


def spool_path(text: str, keeper: str = "") -> Path:
    (sink,) = parse_config(SINK + text, "rct.toml", {}, keeper).setup.sinks
    assert sink.spool
    return sink.spool.path


def test_folder_of_spools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
    assert spool_path("url = 'mqtt://h'").parent == Path("/var/lib/a/spool")
    config = parsed("data = 'there'\n" + SINK + "url = 'mqtt://h'")
    assert config.setup.sinks[0].spool
    assert config.setup.sinks[0].spool.path.parent == Path("there/spool")


def test_sinks_that_read_alike_have_files_of_their_own() -> None:
    assert spool_path("url = 'mqtt://h/a-b'") != spool_path("url = 'mqtt://h/a/b'")
    assert spool_path("url = 'mqtt://h'") != spool_path("url = 'mqtt://h'", "shard-1")
    assert spool_path("url = 'mqtt://h'") == spool_path("url = 'mqtt://h'\nqos = 0")


def test_limits_of_a_spool() -> None:
    (sink,) = parsed(SINK + "url = 'mqtt://h'\nspool_size = '1MB'\nspool_age = '1d'").setup.sinks
    assert sink.spool
    assert (sink.spool.size_limit, sink.spool.age_limit) == (1_000_000, 86_400 * SECOND)


def test_sink_of_a_url_waits_on_disk_only_for_somebody() -> None:
    assert sink_of("mqtt://h", "roof").spool != sink_of("mqtt://h", "barn").spool
    assert sink_of("mqtt://h").spool is None
    assert sink_of("console:", "roof").spool is None


def test_part_that_is_given_is_kept() -> None:
    text = SINK + "url = 'mqtt://h'\npart = 'cellar'"
    assert parse_config(text, "rct.toml", {}, "shard-2").sinks[0].part == "cellar"


def test_group_of_which_nothing_is_left_is_gone() -> None:
    every = "default_groups = true\n" + SMALL + "[[group]]\nname = 'all'\ninterval = '1s'\nobjects = ["
    names = [name for group in parsed(SMALL).setup.inverters[0].plan.groups if group.name == "daily"
             for name in Plan((group,)).expects]  # fmt: skip
    (inverter,) = parsed(every + ", ".join(f"'{name}'" for name in names) + "]").setup.inverters
    assert [group.name for group in inverter.plan.groups] == ["fast", "slow", "rare", "all"]


# --- files ----------------------------------------------------------------------------------------------------------


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    here, users, machine = search_path(environment)
    assert (here, machine) == (Path("rct.toml"), Path("/etc/rct-tools/rct.toml"))
    users.parent.mkdir(parents=True)
    users.write_text(SMALL)
    assert find_config(environment) == users
    here.write_text(SMALL)
    assert find_config(environment) == here
    assert find_config(environment | {"RCT_CONFIG": "/x"}) == Path("/x")
    assert load_config(here, {}).setup == parsed(SMALL).setup


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file or directory"):
        load_config(tmp_path / "nowhere.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xe4")
    with pytest.raises(ConfigError, match=r"latin\.toml: byte 2 is not UTF-8"):
        load_config(path)
