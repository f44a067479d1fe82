"""`wattest participant`: who takes part."""

import click

from cli import show
from cli.options import Group, sending
from cli.people import Acting, acting, find_participant
from cli.sending import perform
from cli.session import Session, with_session
from cli.values import KEY


@click.group(cls=Group)
def participant() -> None:
    """Who takes part in this network."""


@participant.command()
@click.option("--name", required=True, help="Name of the company or person, as it stands in statements.")
@click.option("--person", is_flag=True, help="NAME is an individual's: only a salted hash of it goes on the ledger.")
@click.option("--public-name", is_flag=True, help="With --person: the name goes on the ledger after all.")
@click.option("--country", required=True, metavar="CC", help="ISO 3166-1, two letters.")
@click.option("--recovery-key", type=KEY, default=b"", metavar="HEX", help="Public key that may replace a lost one.")
@sending
@with_session
def register(
    session: Session,
    name: str,
    person: bool,
    public_name: bool,
    country: str,
    recovery_key: bytes,
    key_name: str | None,
    no_wait: bool,
    timeout_s: int,
) -> None:
    """Register the key --from as a participant; automatic, no approval is needed."""
    from node.personal import keep
    from node.wallet import register_key

    key = session.key_name(key_name)
    public = bytes.fromhex(session.key_file(key).pubkey)
    if person and not public_name:
        name = keep(session.home, name)
        session.say(f"On the ledger you are {name}; the name itself stays in {session.home / 'persons'}.")
    action = register_key(public, name, country.upper(), recovery_key)
    signer = Acting(key, public, 0, name, country)
    perform(session, [action], [signer], no_wait=no_wait, timeout_s=timeout_s, ask=False)


@participant.command("list")
@with_session
def list_(session: Session) -> None:
    """Everybody who is registered, and what they are accredited for."""
    found = list(session.client.pages("/v1/participants", "participants"))
    rows = [(item["id"], item["name"], item["country"], _roles(item), show.short(item["key"])) for item in found]
    text = show.table(("id", "name", "country", "roles", "key"), rows, "nobody is registered")
    session.answer("participants/1", {"participants": found}, text)


@participant.command("show")
@click.argument("who", required=False)
@click.option("--from", "key_name", metavar="KEY", help="The participant of this key of the home.")
@with_session
def show_(session: Session, who: str | None, key_name: str | None) -> None:
    """One participant, by number, name or key name; without WHO, your own. Shows what it holds."""
    number = find_participant(session, who) if who else acting(session, key_name).id
    found = session.client.participant(number)
    outputs = list(session.client.outputs(number))
    head = show.fields(
        [
            ("participant", found["id"]),
            ("name", found["name"]),
            ("country", found["country"]),
            ("key", found["key"]),
            ("registered", show.moment(found["registered_at"])),
            ("roles", _roles(found)),
        ]
    )
    rows = [(item["kind"], _holding(item)) for item in outputs]
    value = {**{k: v for k, v in found.items() if k != "schema"}, "outputs": outputs}
    session.answer("participant/1", value, f"{head}\n\n{show.table(('holds', ''), rows, 'holds nothing')}")


def _roles(item: dict[str, object]) -> str:
    roles = item.get("roles")
    assert isinstance(roles, list)
    names = [f"{role['role']} until {show.moment(role['until'])}" for role in roles if int(role["until"])]
    return ", ".join(names) or "-"


def _holding(item: dict[str, str]) -> str:
    from state.spoken import format_money

    if item["kind"] == "funds":
        return format_money(int(item["amount"]), item["currency"])
    if item["kind"] == "security":
        funds: dict[str, str] = item["funds"]  # type: ignore[assignment]
        return f"{format_money(int(funds['amount']), funds['currency'])} pledged for plant {item['device']}"
    if item["kind"] == "bid":
        return f"bid for {item['quantity']} in auction {item['auction']}, order {item['outpoint']}"
    where = f" in auction {item['auction']}, order {item['outpoint']}" if "auction" in item else ""
    return f"{item['number']} ({item['quantity']}){where}"
