"""rct web: one inverter, collected, and shown in a browser."""

from __future__ import annotations

import click

from rct_tools.address import parse_address
from rct_tools.cli.collect import say_page, say_started, say_stored
from rct_tools.cli.options import host_option, log_format_option, not_empty, port_option, verbose_option
from rct_tools.cli.run import run_async
from rct_tools.config import data_folder, load_plan, sink_of
from rct_tools.errors import ConfigError
from rct_tools.loopback import is_loopback
from rct_tools.service import show
from rct_tools.settings import NO_SECRET, Secret
from rct_tools.setups import InverterSetup, Setup
from rct_tools.sinks.sqlite import path_in_url
from rct_tools.times import local_zone
from rct_tools.web.table import ADDRESS, WebTable


def _hash_password(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from rct_tools.web.password import hash_password

    click.echo(hash_password(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
    ctx.exit()


@click.command(epilog="Example: rct web --host 192.0.2.7")
@host_option
@port_option
@click.option("--name", default="", help="What the page calls the inverter.  [default: the host]")
@click.option(
    "--store", default="sqlite:", show_default=True, callback=not_empty, metavar="URL",
    help="Where readings are kept: sqlite:///PATH; sqlite: is a file in the user's data folder.",
)  # fmt: skip
@click.option(
    "--listen", default=ADDRESS, show_default=True, metavar="ADDRESS:PORT",
    help="Where the page is; others reach it only with a password.",
)  # fmt: skip
@click.option(
    "--password-file", type=click.Path(dir_okay=False), metavar="FILE",
    help="A file with the password, or its hash, without which nothing is shown.",
)  # fmt: skip
@click.option(
    "--hash-password", is_flag=True, is_eager=True, expose_value=False, callback=_hash_password,
    help="Ask for a password, print what may stand for it in a file, and end.",
)  # fmt: skip
@verbose_option
@log_format_option
def web(host: str, port: int, name: str, store: str, listen: str, password_file: str | None) -> None:
    """Show an inverter in a browser, and store what it says, until Ctrl-C or SIGTERM.

    This is `rct collect` with a page, for one inverter; a configuration has the page as [web]. The page only shows: it
    changes nothing. It is for this machine, unless --listen says otherwise, which needs a password.
    """
    try:
        path = path_in_url(store)
    except ConfigError as exc:
        raise click.UsageError(f"--store: {exc}") from exc
    if not password_file and not is_loopback(parse_address(listen, example=ADDRESS)[0]):
        raise click.UsageError(
            f"--listen: others can reach {listen}, so --password-file is needed; --hash-password helps to make it"
        )
    secret = Secret(file=password_file) if password_file else NO_SECRET
    setup = WebTable(listen=listen, password=secret).setup("web", path, folder=data_folder(""))
    inverter = InverterSetup(name or host, host, load_plan(), port, local_zone())
    run_async(show(Setup((inverter,), (sink_of(store),)), setup, say_started, say_stored, say_page))
