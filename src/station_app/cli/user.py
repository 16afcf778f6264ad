"""`station user`: a password comes from a prompt or from standard input, never from the command line."""

from __future__ import annotations

from cyclopts import App

from station_app.cli.ordering import order, password, show, table
from station_app.cli.status import Json  # noqa: TC001  # cyclopts reads annotations

COLUMNS = {"email": "E-MAIL", "name": "NAME", "role": "ROLE", "createdAt": "SINCE"}

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
    show(people, as_json=as_json, words=table(people, COLUMNS))


@app.command(name="reset-password")
def reset_password(email: str, *, as_json: Json = False) -> None:
    """
    Give somebody a new password, from a prompt or the first line of standard input; all their sessions end.

    Examples: `station user reset-password anna@home.example`,
    `pwgen 20 1 | station user reset-password anna@home.example`.

    Exit codes: 0 done; 1 no such user, or no proper password; 69 the database can't answer; 75 a station is starting
    or ending.

    Parameters
    ----------
    email
        Whose.
    as_json
        For machines.

    """
    done = order("user reset-password", email=email, password=password())
    show(done, as_json=as_json, words=f"{done['email']} has a new password; all sessions have ended.")
