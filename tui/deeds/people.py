"""Deeds and questions about participants: find one as people name it, register a key."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values
from tui.texts import t

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
        raise Mistake(
            t(
                "{exact} participants are called {wanted!r}: name one by its number ({numbers}).",
                exact=len(exact),
                wanted=wanted,
                numbers=numbers,
            )
        )
    near = get_close_matches(wanted, [item["name"] for item in everybody], n=3, cutoff=0.5)
    raise Mistake(
        t("There is no participant {wanted!r}.", wanted=wanted)
        + (" " + t("Did you mean {names}?", names=", ".join(near)) if near else "")
    )


def register_form(account: "Account") -> Form:
    return Form(
        "register",
        t("Register the key {key_name}", key_name=account.key_name),
        (
            Field("name", t("name"), hint=t("as everybody will read it")),
            Field("country", t("country"), hint=t("ISO 3166-1, two letters")),
        ),
        _register,
        t("The name goes on the ledger for good."),
    )


def _register(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
    from node.wallet import register_key

    if given is None:
        raise Mistake(t("Nobody is signed in: Escape, then S."))
    action = register_key(given.public, values["name"].strip(), values["country"].strip().upper())
    return Deed(t("Register"), (action,))
