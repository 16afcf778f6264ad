"""`station user`: a password comes from a prompt or from standard input, never from the command line."""

from __future__ import annotations

from cyclopts import App

from station_app.cli.ordering import order, password
from station_app.cli.output import Json, answer, table
from station_core.identity.model import Role

COLUMNS = {"email": "E-MAIL", "name": "NAME", "role": "ROLE", "disabled": "DISABLED", "createdAt": "SINCE"}

app = App(name="user", help="The people of the household.")


@app.command(name="list")
def listed(*, as_json: Json = False) -> None:
    """
    All people, by e-mail address.

    Example: `station user list`.

    Exit codes: 0 done; 69 the database can't answer; 75 a station is starting or ending.

    Parameters
    ----------
    as_json
        For machines.

    """
    people = order("user list")
    answer(people, table(people, COLUMNS), as_json=as_json)


@app.command
def add(email: str, *, role: Role = Role.MEMBER, name: str | None = None, as_json: Json = False) -> None:
    """
    Add somebody, with a password from a prompt or the first line of standard input; the first has to be an owner.

    Example: `station user add anna@home.example --role admin --name Anna`.

    Exit codes: 0 done; 1 somebody has the address; 64 it's none, or no proper password; 69 the database can't
    answer; 75 a station is starting or ending.

    Parameters
    ----------
    email
        By which they log in.
    role
        owner, admin or member.
    name
        What the household calls them; without: their address up to the @.
    as_json
        For machines.

    """
    added = order("user add", email=email, password=password(), role=role.value, name=name)
    answer(added, f"{added['email']} is added: {added['role']}.", as_json=as_json)


@app.command
def role(email: str, role: Role, /, *, as_json: Json = False) -> None:
    """
    Make somebody owner, admin or member; all their sessions end, so that they log in anew as that.

    Example: `station user role anna@home.example owner`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.

    Parameters
    ----------
    email
        Whom.
    role
        owner, admin or member.
    as_json
        For machines.

    """
    changed = order("user role", email=email, role=role.value)
    answer(changed, f"{changed['email']} is {changed['role']} now; all sessions have ended.", as_json=as_json)


@app.command
def remove(email: str, *, as_json: Json = False) -> None:
    """
    Somebody belongs to the household no more; all their sessions end at once. The last owner stays.

    Example: `station user remove anna@home.example`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.

    Parameters
    ----------
    email
        Whom.
    as_json
        For machines.

    """
    removed = order("user remove", email=email)
    answer(removed, f"{removed['email']} is removed; all sessions have ended.", as_json=as_json)


@app.command
def disable(email: str, *, as_json: Json = False) -> None:
    """
    Keep somebody out: no login, no refresh, and all their sessions end at once.

    Example: `station user disable anna@home.example`.

    Exit codes: 0 done; 1 no such user, or the last owner; 69 the database can't answer; 75 a station is starting or
    ending.

    Parameters
    ----------
    email
        Whom.
    as_json
        For machines.

    """
    disabled = order("user disable", email=email)
    answer(disabled, f"{disabled['email']} is disabled; all sessions have ended.", as_json=as_json)


@app.command
def enable(email: str, *, as_json: Json = False) -> None:
    """
    Let somebody in again who was disabled.

    Example: `station user enable anna@home.example`.

    Exit codes: 0 done; 1 no such user; 69 the database can't answer; 75 a station is starting or ending.

    Parameters
    ----------
    email
        Whom.
    as_json
        For machines.

    """
    enabled = order("user enable", email=email)
    answer(enabled, f"{enabled['email']} may log in again.", as_json=as_json)


@app.command(name="reset-password")
def reset_password(email: str, *, as_json: Json = False) -> None:
    """
    Give somebody a new password, from a prompt or the first line of standard input; all their sessions end.

    Examples: `station user reset-password anna@home.example`,
    `pwgen 20 1 | station user reset-password anna@home.example`.

    Exit codes: 0 done; 1 no such user; 64 no proper password; 69 the database can't answer; 75 a station is starting
    or ending.

    Parameters
    ----------
    email
        Whose.
    as_json
        For machines.

    """
    done = order("user reset-password", email=email, password=password())
    answer(done, f"{done['email']} has a new password; all sessions have ended.", as_json=as_json)
