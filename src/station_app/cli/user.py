"""`station user`: a password comes from a prompt or from standard input, never from the command line."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from station_app.cli.ordering import order, password
from station_app.cli.output import Json, answer, table
from station_core.identity.model import Role

COLUMNS = {"email": "E-MAIL", "name": "NAME", "role": "ROLE", "disabled": "DISABLED", "createdAt": "SINCE"}

Email = Annotated[str, Parameter(help="The address by which they log in.")]
AsWhat = Annotated[Role, Parameter(help="owner, admin or member.")]
Name = Annotated[str | None, Parameter(help="What the household calls them; without: their address up to the @.")]

app = App(name="user", help="The people of the household.")


@app.command(name="list")
def listed(*, as_json: Json = False) -> None:
    """
    All people, by e-mail address.

    Example: `station user list`.

    Exit codes: 0 done; 69 the database can't answer; 75 a station is starting or ending.
    """
    people = order("user list")
    answer(people, table(people, COLUMNS), as_json=as_json)


@app.command
def add(email: Email, *, role: AsWhat = Role.MEMBER, name: Name = None, as_json: Json = False) -> None:
    """
    Add somebody, with a password from a prompt or the first line of standard input; the first has to be an owner.

    Example: `station user add anna@home.example --role admin --name Anna`.

    Exit codes: 0 done; 1 somebody has the address; 64 it's none, or no proper password; 69 the database can't
    answer; 75 a station is starting or ending.
    """
    _see_to(
        "user add", "is added: {role}.", as_json=as_json, email=email, password=password(), role=role.value, name=name
    )


@app.command
def role(email: Email, role: AsWhat, /, *, as_json: Json = False) -> None:
    """
    Make somebody owner, admin or member; all their sessions end, so that they log in anew as that.

    Example: `station user role anna@home.example owner`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.
    """
    _see_to("user role", "is {role} now; all sessions have ended.", as_json=as_json, email=email, role=role.value)


@app.command
def remove(email: Email, *, as_json: Json = False) -> None:
    """
    Somebody belongs to the household no more; all their sessions end at once. The last owner stays.

    Example: `station user remove anna@home.example`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.
    """
    _see_to("user remove", "is removed; all sessions have ended.", as_json=as_json, email=email)


@app.command
def disable(email: Email, *, as_json: Json = False) -> None:
    """
    Keep somebody out: no login, no refresh, and all their sessions end at once.

    Example: `station user disable anna@home.example`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.
    """
    _see_to("user disable", "is disabled; all sessions have ended.", as_json=as_json, email=email)


@app.command
def enable(email: Email, *, as_json: Json = False) -> None:
    """
    Let somebody in again who was disabled.

    Example: `station user enable anna@home.example`.

    Exit codes: 0 done; 1 no such user; 69 the database can't answer; 75 a station is starting or ending.
    """
    _see_to("user enable", "may log in again.", as_json=as_json, email=email)


@app.command(name="reset-password")
def reset_password(email: Email, *, as_json: Json = False) -> None:
    """
    Give somebody a new password, from a prompt or the first line of standard input; all their sessions end.

    Examples: `station user reset-password anna@home.example`,
    `pwgen 20 1 | station user reset-password anna@home.example`.

    Exit codes: 0 done; 1 no such user; 64 no proper password; 69 the database can't answer; 75 a station is starting
    or ending.
    """
    _see_to(
        "user reset-password",
        "has a new password; all sessions have ended.",
        as_json=as_json,
        email=email,
        password=password(),
    )


def _see_to(name: str, outcome: str, /, *, as_json: bool, email: str, **more: Any) -> None:
    """Carry out an order about a person and show what they are now; *outcome* says it in words."""
    person = order(name, email=email, **more)
    answer(person, f"{person['email']} {outcome.format(**person)}", as_json=as_json)
