"""What deploy/ holds: each file is read by the program it is for, or by the schema it is to keep to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from rct_tools.cli import rct
from rct_tools.cli.proxy import proxy
from rct_tools.config import parse_config
from rct_tools.link import PORT

from programs import ROOT
from servers import free_ports, require

DEPLOY = ROOT / "deploy"
COMPOSE_FILES = sorted(DEPLOY.glob("compose*.yaml"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
EVERY_SERVICE: Mapping[str, Mapping[str, Any]] = {
    f"{path.stem}: {name}": service
    for path in COMPOSE_FILES
    for name, service in yaml.safe_load(path.read_text("utf-8"))["services"].items()
}
PROXY = EVERY_SERVICE["compose.proxy: proxy"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FLEET = DEPLOY / "kubernetes" / "rct-fleet.yaml"
CONFIG_MAP, SERVICE, STATEFUL_SET = yaml.safe_load_all(FLEET.read_text("utf-8"))
CONTAINER: Mapping[str, Any] = STATEFUL_SET["spec"]["template"]["spec"]["containers"][0]
DATASOURCES = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/rct.yaml").read_text("utf-8"))["datasources"]
EXPOSURE = 12  # what systemd-analyze says of each unit, times ten; the documents quote it


def run(program: str, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([require(program), *args], capture_output=True, encoding="utf-8", check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


# --- systemd --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit as it is, but for the program, which is not installed here."""
    original: Path = request.param
    path = tmp_path / original.name
    path.write_text(original.read_text("utf-8").replace("/opt/rct-tools/bin/rct ", "/bin/true "))
    return path


def test_systemd_understands_all_of_the_unit(unit: Path) -> None:
    done = run("systemd-analyze", "verify", unit)
    assert (done.stdout, done.stderr) == ("", "")
    unit.write_text(unit.read_text().replace("WatchdogSec", "WatchDogSec"))
    assert "WatchDogSec" in run("systemd-analyze", "verify", unit, check=False).stderr


def test_the_unit_is_as_closed_as_is_said(unit: Path) -> None:
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", unit)
    page = {"rct-collect": "service.md", "rct-proxy": "proxy.md"}[unit.stem]
    assert f"{EXPOSURE / 10:.1f}" in (ROOT / "docs" / page).read_text("utf-8")


def test_options_of_the_unit_of_the_proxy_are_those_of_the_command() -> None:
    (unit,) = (path.read_text("utf-8") for path in UNITS if path.stem == "rct-proxy")
    (line,) = re.findall("# One line, OPTIONS=(.*)", unit)
    assert f"OPTIONS={line}" in (ROOT / "docs/proxy.md").read_text("utf-8")
    understood(line.split())


def understood(options: list[str]) -> dict[str, Any]:
    """Return what `rct proxy` understands."""
    parent = rct.make_context("rct", ["proxy"])  # a command remembers the options for help of its first context
    return proxy.make_context("proxy", options, parent=parent).params


# --- container ------------------------------------------------------------------------------------------------------


def test_hadolint_has_nothing_to_say() -> None:
    assert run("hadolint", DEPLOY / "Dockerfile").stdout == ""


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    ]
    assert {"src", "requirements.lock"} <= set(copied)
    ignored, *let_in = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] != "#"
    ]
    assert ignored == "*"
    assert {f"!{name}" for name in copied} == {line for line in let_in if line[0] == "!"}
    assert all((ROOT / name).exists() for name in copied)


def test_constraints_are_the_pins_of_the_lock() -> None:
    (command,) = re.findall(r"^RUN (sed .*) > ", DOCKERFILE, re.MULTILINE)
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert {"aiohttp", "aiomqtt", "prometheus-client", "click"} <= {
        line.partition("==")[0] for line in done.stdout.split()
    }
    assert all(re.match(r"[a-z0-9-]+==[0-9a-z.]+( ;|$)", line) for line in done.stdout.splitlines())


class _Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_health_check(status: int | None, code: int) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (.*)$", DOCKERFILE, re.MULTILINE)
    python, *args = json.loads(command)
    assert python == "python"
    with HTTPServer(("127.0.0.1", 0), type("Handler", (_Health,), {"status": status})) as server:
        if status is None:
            server.server_close()
        else:
            threading.Thread(target=server.handle_request, daemon=True).start()
        args = [arg.replace(":9832/", f":{server.server_address[1]}/") for arg in args]
        assert subprocess.run([sys.executable, *args], capture_output=True, check=False).returncode == code


# --- compose --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSE_FILES, ids=lambda path: path.name)
def test_compose_file_keeps_to_the_schema_of_the_specification(path: Path, tmp_path: Path) -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    run("check-jsonschema", *schema, path)
    broken = tmp_path / "compose.yaml"
    broken.write_text(path.read_text("utf-8").replace("read_only: true", "read_only: [maybe]"))
    assert "read_only" in run("check-jsonschema", *schema, broken, check=False).stdout


@pytest.mark.parametrize("name", EVERY_SERVICE)
def test_every_service_lasts_for_years(name: str) -> None:
    service = EVERY_SERVICE[name]
    assert service["restart"] == "unless-stopped"
    assert "max-size" in service["logging"]["options"]
    assert "healthcheck" in service or ("build" in service and "\nHEALTHCHECK " in DOCKERFILE)
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_proxy_is_the_image_and_its_health_is_asked() -> None:
    assert {key: PROXY[key] for key in ("image", "build")} == {key: SERVICES["rct"][key] for key in ("image", "build")}
    command, *options = PROXY["command"]
    assert command == "proxy"
    given = understood(options)
    assert f"{given['status']}/healthz" in DOCKERFILE
    (port,) = PROXY["ports"]
    assert port in SERVICES["rct"]["ports"]
    assert port.endswith(f":{PORT}")
    assert given["networks"]  # since without, it listens inside of its container only
    assert f"\nEXPOSE {PORT} " in DOCKERFILE


def test_proxy_of_the_collector_can_be_reached_when_it_is_let_in() -> None:
    text = (DEPLOY / "rct" / "rct.toml").read_text("utf-8")
    (roof,) = parse_config(text.replace("#[proxy]", "[proxy]").replace("#allow", "allow"), "x", {}).setup.inverters
    assert roof.proxy
    assert (roof.proxy.host, roof.proxy.port) == ("0.0.0.0", PORT)
    assert roof.proxy.access.networks == understood(PROXY["command"][1:])["networks"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_is_given_is_there(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    for volume in service.get("volumes", []):
        source, _, target = volume.partition(":")
        assert (DEPLOY / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], volume
        assert target.endswith(":ro") == source.startswith("./"), volume


def test_secrets_are_files_that_are_not_kept_here() -> None:
    folders = {Path(secret["file"]).parent for secret in COMPOSE["secrets"].values()}
    assert folders == {Path("secrets")}
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for name in SERVICES:  # and what a service looks for, it is given
        used = set(re.findall(r"/run/secrets/(\w+)", json.dumps(SERVICES[name])))
        assert used <= set(SERVICES[name].get("secrets", []))


def test_configuration_fits_the_compose_file() -> None:
    config = tomllib.loads((DEPLOY / "rct" / "rct.toml").read_text("utf-8"))
    for sink in config["sink"]:
        url = urlsplit(sink["url"])
        assert url.hostname in {*SERVICES, "0.0.0.0"}
        if "password" in sink:
            assert Path(sink["password"]["file"]).name in SERVICES["rct"]["secrets"]
    (exporter,) = (urlsplit(sink["url"]) for sink in config["sink"] if sink["url"].startswith("prometheus:"))
    prometheus = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": [f"rct:{exporter.port}"]}]
    assert config["status"]["listen"] in DOCKERFILE


def test_prometheus_and_victoriametrics_understand_their_configuration() -> None:
    run("promtool", "check", "config", DEPLOY / "prometheus.yml")
    run("victoria-metrics", f"-promscrape.config={DEPLOY / 'prometheus.yml'}", "-promscrape.config.dryRun")


def is_root() -> bool:
    return sys.platform != "win32" and os.getuid() == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the user of Mosquitto may enter and write, which pytest's own are not."""
    require("mosquitto")
    with tempfile.TemporaryDirectory() as name:
        shutil.chown(name, "mosquitto")
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(not is_root(), reason="only root may give files to the user of Mosquitto, as in the container")
def test_mosquitto_lets_in_who_has_the_password(open_folder: Path) -> None:
    program = require("mosquitto")
    (port,) = free_ports(1)
    password = "it's 100 %"
    (open_folder / "mqtt").write_text(f"{password}\n")
    places = {
        "/run/secrets": open_folder,
        "/tmp": open_folder,
        "/mosquitto/config": open_folder,
        "/mosquitto/data": open_folder,
        "listener 1883": f"listener {port} 127.0.0.1",
        "exec mosquitto ": f"exec {program} ",
        "$$": "$",
    }
    pattern = re.compile("|".join(map(re.escape, places)))

    def moved(text: str) -> str:
        return pattern.sub(lambda found: str(places[found[0]]), text)

    (open_folder / "mosquitto.conf").write_text(moved((DEPLOY / "mosquitto.conf").read_text("utf-8")))
    shell, option, script = SERVICES["mosquitto"]["command"]
    send = ("-p", str(port), "-t", "rct/test", "-m", "1", "-u", "rct", "-P")
    with subprocess.Popen([shell, option, moved(script)], stderr=subprocess.PIPE, encoding="utf-8") as broker:
        try:
            while run("mosquitto_pub", *send, password, check=False).returncode:
                assert broker.poll() is None
            assert run("mosquitto_pub", *send, "wrong", check=False).returncode
        finally:
            broker.terminate()
        assert broker.stderr
        said = broker.stderr.read()
    assert "not authorised" in said
    assert "Error" not in said
    assert password not in (open_folder / "passwords").read_text()


@pytest.mark.parametrize("text", [(DEPLOY / "rct" / "rct.toml").read_text("utf-8"), CONFIG_MAP["data"]["rct.toml"]])
def test_configurations_are_understood(text: str) -> None:
    assert parse_config(text, "rct.toml", {}).setup.inverters


# --- Grafana --------------------------------------------------------------------------------------------------------


def datasources(part: object) -> Iterator[str]:
    """Yield the uids of the data sources that a part of a dashboard names."""
    if isinstance(part, list):
        for item in part:
            yield from datasources(item)
    elif isinstance(part, dict):
        match part.get("datasource"):
            case {"uid": str(uid)}:
                yield uid
        yield from datasources(list(part.values()))


def test_dashboards_are_found_with_their_data_sources() -> None:
    assert {source["uid"] for source in DATASOURCES} == {"influxdb", "prometheus"}
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/rct.yaml").read_text("utf-8"))["providers"][0]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]
    for path in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        named = set(datasources(json.loads(path.read_text("utf-8"))))
        # Variables, Grafana's own, and annotations aside.
        own = {uid for uid in named if not uid.startswith(("$", "-- ", "grafana"))}
        assert own <= {"influxdb", "prometheus"}, path.name


def test_data_sources_are_services() -> None:
    for source in DATASOURCES:
        url = urlsplit(source["url"])
        ports = [port.rsplit(":")[-1] for port in SERVICES[str(url.hostname)]["ports"]]
        assert str(url.port) in ports
    assert DATASOURCES[0]["jsonData"]["dbName"] == SERVICES["influxdb"]["environment"]["INFLUXDB_DB"]
    assert DATASOURCES[0]["user"] == SERVICES["influxdb"]["environment"]["INFLUXDB_READ_USER"]


# --- Kubernetes -----------------------------------------------------------------------------------------------------


def test_kubernetes_takes_the_fleet(tmp_path: Path) -> None:
    run("kubernetes-validate", "--strict", FLEET)
    broken = tmp_path / "fleet.yaml"
    broken.write_text(FLEET.read_text("utf-8").replace("replicas: 2", "replicas: two"))
    assert run("kubernetes-validate", "--strict", broken, check=False).returncode != 0


def test_every_pod_is_one_shard_of_all() -> None:
    replicas = STATEFUL_SET["spec"]["replicas"]
    (shards,) = (variable["value"] for variable in CONTAINER["env"] if variable["name"] == "SHARDS")
    assert shards == str(replicas)
    (command,) = CONTAINER["args"]
    assert command.startswith("exec rct collect ")
    found = []
    for number in range(replicas):
        echo = [*CONTAINER["command"], command.replace("exec rct", "echo")]
        environment = {"POD": f"rct-fleet-{number}", "SHARDS": shards}
        done = subprocess.run(echo, env=environment, capture_output=True, encoding="utf-8", check=True)
        found.append(done.stdout.partition("--shard ")[2].strip())
    assert found == [f"{number}/{replicas}" for number in range(1, replicas + 1)]


def test_the_pod_fits_the_image_and_its_configuration() -> None:
    pod = STATEFUL_SET["spec"]["template"]["spec"]
    assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}\n" in DOCKERFILE
    config = tomllib.loads(CONFIG_MAP["data"]["rct.toml"])
    (port,) = CONTAINER["ports"]
    assert config["status"]["listen"] == f"0.0.0.0:{port['containerPort']}"
    assert {inverter["groups"][0] for inverter in config["inverter"]} == {group["name"] for group in config["group"]}
    volumes = {volume["name"] for volume in pod["volumes"]} | {
        claim["metadata"]["name"] for claim in STATEFUL_SET["spec"]["volumeClaimTemplates"]
    }
    assert volumes == {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert CONTAINER["image"] == SERVICES["rct"]["image"]
    assert SERVICE["spec"]["selector"] == STATEFUL_SET["spec"]["selector"]["matchLabels"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert fnmatch(CONTAINER["image"], f"*:{version}")
