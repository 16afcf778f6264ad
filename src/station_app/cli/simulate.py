"""
`station simulate`: many virtual devices against a real broker, and a real station behind it.

Passwords and tokens come from a prompt, a file or standard input, never from the command line, where others can read
them. What is shown on the way goes to standard error, the summary to standard output.
"""

from __future__ import annotations

import asyncio
import getpass
import signal
import ssl
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
import uvloop
from cyclopts import App, Parameter
from cyclopts.validators import Number

from station_adapters.system.files import read_private, write_atomically
from station_app.cli.display import Display
from station_app.simulator.driver import VirtualDevice
from station_app.simulator.faults import Fault, FaultScript
from station_app.simulator.firmware import Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home
from station_app.simulator.owner import Owner
from station_app.simulator.park import mix_of, park
from station_app.simulator.report import Report, report_of
from station_core.errors import SettingInvalid, Unavailable

if TYPE_CHECKING:
    from station_app.simulator.make import Make

BOOTS: Final = 200  # devices that are switched on in a second: an access point lets no more in
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
TOKENS_LIMIT: Final = 4 * 1024 * 1024  # bytes
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

app = App(name="simulate")
app.command(
    "station_app.cli.stand_in:cloud",
    name="cloud",
    help="""Be a cloud that stations can be tried with, until Ctrl-C or the end of --script.

    It claims whoever asks, over TLS with a certificate of its own making, and shows what is said. Orders are typed,
    one a line.

    Exit codes: 0 all orders were carried out; 1 one of the script couldn't be; 78 an option has to be changed.

    For example:

    - `station simulate cloud --plain`
    - `station simulate cloud --port 8443 --script orders.txt --json > heard.jsonl`
    """,
)


@app.default
def simulate(
    *,
    devices: Annotated[int, Parameter(validator=Number(gte=1, lte=9999))] = 20,
    url: str = "mqtt://127.0.0.1:1883",
    station_id: str = "simulated",
    seconds: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    rate: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1000))] = None,
    types: str = "",
    seed: int = 1,
    qos: Literal[0, 1] = 1,
    newer: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.5,
    prefix: str = "sim",
    faults: str = "",
    fault_rate: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0,
    station: str | None = None,
    owner_email: str | None = None,
    password_file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    token_file: Path | None = None,
    ca_file: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """
    See `station simulate --help`.

    Parameters
    ----------
    devices
        How many.
    url
        The broker: mqtt://host:port or mqtts://host:port.
    station_id
        The station id that the devices were provisioned with: part of every topic.
    seconds
        How long; without, until Ctrl-C.
    rate
        Reports a second and device; without, each type's own pace.
    types
        The mix, as climate=3,pir,light=0.5; without, every type alike.
    seed
        The same seed gives the same devices with the same lives and faults.
    qos
        At which devices publish.
    newer
        The share of devices with newer firmware (boot counter, acknowledged commands).
    prefix
        Of the external ids: sim-0001, sim-0002, …
    faults
        Which, as drop,duplicate,late-will,rubbish or all.
    fault_rate
        Faults a minute and device.
    station
        A station's http://host:port: devices that it lacks are added there and log in with their tokens.
    owner_email
        Who adds them; the password is asked for.
    password_file
        Where the password is instead; - is standard input.
    token_file
        Device tokens as {"external id": "token"}; with --station new ones are kept there (default: the file
        simulate-tokens.json). Without both, devices log in anonymously.
    ca_file
        The authority that signed the certificates of broker and station, where the system doesn't know it.
    json
        The summary as one line of JSON.
    quiet
        Show nothing on the way.

    """
    makes = park(devices, mix=mix_of(types), seed=seed, prefix=prefix, newer=newer, rate=rate, qos=qos)
    tls = _trust(ca_file)
    home = _home(url, station_id, tls)
    kinds = _faults(faults)
    display = Display(quiet=quiet)
    try:
        tokens = _tokens(token_file)
        if station is not None:
            _register(makes, tokens, token_file, Owner(station, tls), owner_email, password_file, display)
        elif token_file is not None and (missing := [m.external_id for m in makes if m.external_id not in tokens]):
            raise SettingInvalid(f"{token_file} has no token for {missing[0]} and {len(missing) - 1} others.")
        members = [
            VirtualDevice(
                make,
                home,
                tokens.get(make.external_id),
                FaultScript(kinds, per_minute=fault_rate, seed=seed, external_id=make.external_id),
            )
            for make in makes
        ]
        report = uvloop.run(_live(members, seconds, display))
    except KeyboardInterrupt:  # before the devices lived; then it's the order to sum up
        return INTERRUPTED
    print(msgspec.json.encode(report).decode() if json else "\n".join(report.lines()), flush=True)
    return report.exit_code


async def _live(members: list[VirtualDevice], seconds: float | None, display: Display) -> Report:
    stop, fleet = asyncio.Event(), Fleet()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, stop.set)
    began, cpu = time.monotonic(), time.process_time()

    def report() -> Report:
        return report_of(
            fleet,
            devices=len(members),
            working=working if stop.is_set() else fleet.phases()[Phase.OPERATIONAL],
            seconds=time.monotonic() - began,
            cpu_seconds=time.process_time() - cpu,
        )

    working = 0
    with display:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(fleet.run()),
                group.create_task(_switch_on(fleet, members)),
                group.create_task(display.run(report)),
            ]
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            working = fleet.phases()[Phase.OPERATIONAL]
            stop.set()
            for task in tasks:
                task.cancel()
        return report()


async def _switch_on(fleet: Fleet, members: list[VirtualDevice]) -> None:
    for member in members:
        fleet.add(member)
        await asyncio.sleep(1 / BOOTS)


def _register(
    makes: list[Make],
    tokens: dict[str, str],
    token_file: Path | None,
    owner: Owner,
    email: str | None,
    password_file: Path | None,
    display: Display,
) -> None:
    if email is None:
        raise SettingInvalid("--station needs --owner-email: only an owner or admin may add devices.")
    kept = token_file or Path("simulate-tokens.json")
    if token_file is None:
        tokens |= _tokens(kept) if kept.exists() else {}
    with owner:
        owner.log_in(email, _password(email, password_file))
        try:
            for make in display.each(owner.missing(makes, tokens), "adding devices"):
                tokens[make.external_id] = owner.add(make)
                write_atomically(kept, msgspec.json.encode(tokens))  # a token is shown once
        finally:
            with suppress(Unavailable):  # then the session ends by itself
                owner.log_out()


def _password(email: str, path: Path | None) -> str:
    if path is None:
        if not sys.stdin.isatty():
            raise SettingInvalid("There is nobody to ask for the password: name --password-file (- is standard input).")
        return getpass.getpass(f"Password of {email}: ")
    return sys.stdin.readline().rstrip("\n") if str(path) == "-" else read_private(path).decode().rstrip("\n")


def _tokens(path: Path | None) -> dict[str, str]:
    if path is None or not path.exists():
        return {}
    try:
        return msgspec.json.decode(read_private(path, TOKENS_LIMIT), type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingInvalid(f'{path} has to hold {{"external id": "token", …}}.') from error


def _home(url: str, station_id: str, tls: ssl.SSLContext | None) -> Home:
    parts = urlsplit(url)
    try:
        usual = PORTS[parts.scheme]
        host, port = parts.hostname, parts.port or usual
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise SettingInvalid("--url has to be mqtt://host:port or mqtts://host:port.")
    if parts.username is not None or parts.password is not None:
        raise SettingInvalid("--url holds no user or password: devices log in with their own tokens, see --token-file.")
    context = (tls or ssl.create_default_context()) if parts.scheme == "mqtts" else None
    return Home(host=host, port=port, station_id=station_id, tls=context)


def _trust(ca_file: Path | None) -> ssl.SSLContext | None:
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingInvalid(f"--ca-file {ca_file}: {error.strerror or 'no certificate'}.") from error


def _faults(text: str) -> list[Fault]:
    names = list(Fault) if text == "all" else [part.strip() for part in text.split(",") if part.strip()]
    try:
        return [Fault(name) for name in names]
    except ValueError:
        raise SettingInvalid(f"--faults knows {', '.join(Fault)} and all, not {text}.") from None
