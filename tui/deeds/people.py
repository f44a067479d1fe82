"""Deeds and questions about participants: find one as people name it, register a key."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account


def find_participant(client: "NodeClient", text: str) -> dict[str, Any]:
    """By number or by registered name. Mistake names the nearest ones when nobody or more than one is meant."""
    wanted = text.strip()
    if wanted.isascii() and wanted.isdigit():
        return client.participant(int(wanted))
    everybody = list(client.pages("/v1/participants", "participants"))
    exact = [item for item in everybody if item["name"].casefold() == wanted.casefold()]
    if len(exact) == 1:
        return exact[0]
    if exact:
        numbers = ", ".join(str(item["id"]) for item in exact)
        raise Mistake(f"{len(exact)} participants are called {wanted!r}: name one by its number ({numbers}).")
    near = get_close_matches(wanted, [item["name"] for item in everybody], n=3, cutoff=0.5)
    raise Mistake(f"There is no participant {wanted!r}." + (f" Did you mean {', '.join(near)}?" if near else ""))


def register_form(account: "Account") -> Form:
    return Form(
        "register",
        f"Register the key {account.key_name}",
        (
            Field("name", "name", hint="as everybody will read it"),
            Field("country", "country", hint="ISO 3166-1, two letters"),
        ),
        _register,
        "The name goes on the ledger for good.",
    )


def _register(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.wallet import register_key

    if given is None:
        raise Mistake("Nobody is signed in: Escape, then S.")
    action = register_key(given.public, values["name"].strip(), values["country"].strip().upper())
    return Deed("Register", (action,))
