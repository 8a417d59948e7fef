"""`python -m ui.users`: who may sign in at the officer's page.

The page reads the file again when it changes: nothing is to be restarted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from scoring import settings
from scoring.settings.setting import SettingError
from ui import accounts
from ui.accounts import Account, AccountError
from ui.people import Role

err = Console(stderr=True, highlight=False, soft_wrap=True)
app = typer.Typer(
    no_args_is_help=True,
    epilog="Example: python -m ui.users add ada --role officer",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Say who may sign in at the officer's page.",
)

UserName = Annotated[str, typer.Argument(help="User name, as it will stand in the record.")]
RoleName = Annotated[Role, typer.Option("--role", help="What the user may do.")]
UsersFile = Annotated[
    Path | None,
    typer.Option("--file", help=f"File of users; else {settings.USERS.name}.", dir_okay=False),
]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the input: one line.")
]


@app.command()
def add(name: UserName, role: RoleName = "officer", file: UsersFile = None, stdin: FromInput = False) -> None:
    """Add a user, or give one another password; asks for it without showing it.

    Example: python -m ui.users add ada --role officer --file var/users
    """
    path, found = _open(file)
    other = next((one for one in found if one.lower() == name.lower() and one != name), None)
    if other is not None:
        _stop(f"there is a user {other}, and names that differ in capitals alone would be mixed up.")
    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        found[name] = accounts.account(name, role, password)
        accounts.write(path, found)
    except (AccountError, OSError) as error:
        _stop(str(error))
    typer.echo(f"{name} may sign in as {role}.")


@app.command()
def role(
    name: UserName, role: Annotated[Role, typer.Argument(help="The new role.")], file: UsersFile = None
) -> None:
    """Give a user another role, at once.

    Example: python -m ui.users role ada supervisor
    """
    path, found = _open(file)
    one = _known(found, name)
    try:
        found[name] = Account(name, role, one.salt, one.hash, one.cost)
        accounts.write(path, found)
    except (AccountError, OSError) as error:
        _stop(str(error))
    typer.echo(f"{name} is {role} now.")


@app.command()
def remove(name: UserName, file: UsersFile = None) -> None:
    """Take a user out; sessions that are open end at once.

    Example: python -m ui.users remove ada
    """
    path, found = _open(file)
    _known(found, name)
    del found[name]
    if not found:
        _stop("this is the last user, and a page without any does not start; add another first.")
    try:
        accounts.write(path, found)
    except OSError as error:
        _stop(str(error))
    typer.echo(f"{name} is out.")


@app.command("list")
def show(file: UsersFile = None) -> None:
    """List the users and their roles.

    Example: python -m ui.users list
    """
    for one in _open(file)[1].values():
        typer.echo(f"{one.name}\t{one.role}")


def _open(file: Path | None) -> tuple[Path, dict[str, Account]]:
    try:
        path = file or settings.USERS.read(os.environ)
        if path is None:
            _stop(f"say which file: --file, or {settings.USERS.name}.")
        return path, accounts.load(path) if path.exists() else {}
    except (AccountError, SettingError) as error:
        _stop(str(error))


def _known(found: dict[str, Account], name: str) -> Account:
    if name not in found:
        _stop("there is no such user; `python -m ui.users list` names all.")
    return found[name]


def _stop(sentence: str) -> NoReturn:
    err.print(f"error: {sentence}", style="red", markup=False)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
