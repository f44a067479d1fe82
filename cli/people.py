"""Who acts and who is meant: key names, participant numbers and registered names, all typed by people."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from cli.session import Session

if TYPE_CHECKING:
    from node.keystore import KeyFile


@dataclass(frozen=True)
class Acting:
    """A participant who signs. `key_name` is None where its key lies in another home."""

    key_name: str | None
    public: bytes
    id: int
    name: str
    country: str


def acting(session: Session, key_name: str | None) -> Acting:
    """The participant of the signing key; NotRegistered when the ledger does not know the key."""
    from state.errors import NotRegistered

    name = session.key_name(key_name)
    session.network()  # the wrong network is said before anything that it answers is taken for true
    public = bytes.fromhex(session.key_file(name).pubkey)
    found = session.client.participant_of_key(public)
    if found is None:
        session.say(f"New here? wattest participant register --from {name} --name NAME --country CC")
        session.say("Replaced by another key? Then only that one signs: wattest keys list, wattest keys history WHO")
        raise NotRegistered(key=public.hex())
    return Acting(name, public, int(found["id"]), str(found["name"]), str(found["country"]))


def other_signer(session: Session, text: str) -> Acting:
    """A participant who must sign as well, with its key if it lies in this home."""
    found = session.client.participant(find_participant(session, text))
    public = bytes.fromhex(found["key"])
    own = next((name for name, key in _keys(session) if key.pubkey == public.hex()), None)
    return Acting(own, public, int(found["id"]), str(found["name"]), str(found["country"]))


def find_participant(session: Session, text: str) -> int:
    """A participant's id by number, by the name of a key in this home, or by registered name.

    UsageError names the nearest ones when nobody or more than one is meant.
    """
    if text.isascii() and text.isdigit():
        return int(session.client.participant(int(text))["id"])
    for name, key in _keys(session):
        if name == text:
            found = session.client.participant_of_key(bytes.fromhex(key.pubkey))
            if found is None:
                raise click.UsageError(
                    f"The key {name!r} of this home is nobody's current key: never registered, or replaced."
                )
            return int(found["id"])
    return _by_name(session, text)


def name_of(session: Session, participant: int) -> str:
    return str(session.client.participant(participant)["name"])


def _by_name(session: Session, text: str) -> int:
    everybody = list(session.client.pages("/v1/participants", "participants"))
    exact = [item for item in everybody if item["name"].casefold() == text.casefold()]
    if len(exact) == 1:
        return int(exact[0]["id"])
    if exact:
        numbers = ", ".join(str(item["id"]) for item in exact)
        raise click.UsageError(f"{len(exact)} participants are called {text!r}: name one by its number ({numbers}).")
    names: dict[str, Any] = {item["name"]: item["id"] for item in everybody}
    own = [name for name, _ in _keys(session)]
    near = get_close_matches(text, {*names, *own}, n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(map(repr, near))}?" if near else " See `wattest participant list`."
    raise click.UsageError(f"There is no participant {text!r}.{hint}")


def _keys(session: Session) -> "list[tuple[str, KeyFile]]":
    from node.keystore import list_keys

    return list_keys(session.keys)
