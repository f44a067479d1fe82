"""Building a retirement: the claim, and the hash of the statement that every validator recomputes.

The wallet computes the hash by the ledger's own function from the records that the node shows. A node that shows
something else than what is on the ledger only gets the transaction refused.
"""

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from node.client import NodeClient
    from node.wallet import Chosen
    from state.records import Device, Issuance, Parameters, Scheme
    from state.transaction import Retire


def retirement(
    client: "NodeClient",
    chain: bytes,
    holder: int,
    chosen: "Chosen",
    *,
    beneficiary: str,
    beneficiary_id: str,
    location: str,
    country: str,
    purpose: str,
    note: str,
    consumption_from: int | None,
    consumption_to: int | None,
    jurisdiction: str,
) -> "Retire":
    """One action over parts of bundles; without a period of consumption it is the production's own."""
    from contracts.statement import statement_facts, statement_hash
    from node.answers import struct_of
    from state.records import Participant
    from state.transaction import Beneficiary, Retire, RetiredRange

    sources = [source_of(client, holding.number) for holding, _, _ in chosen]
    ranges = tuple(
        RetiredRange(
            outpoint=holding.outpoint,
            issuance=holding.output.issuance,
            device=holding.output.device,
            start=start,
            end=end,
            production_from=issuance.production_from,
            production_to=issuance.production_to,
        )
        for (holding, start, end), (issuance, _, _) in zip(chosen, sources, strict=True)
    )
    bare = Retire(
        holder=holder,
        ranges=ranges,
        beneficiary=Beneficiary(beneficiary, beneficiary_id, location, country),
        purpose=purpose,
        note=note,
        consumption_from=min(part.production_from for part in ranges) if consumption_from is None else consumption_from,
        consumption_to=max(part.production_to for part in ranges) if consumption_to is None else consumption_to,
        jurisdiction=jurisdiction,
        statement_hash=bytes(32),
    )
    participant = struct_of(Participant, client.participant(holder))
    facts = statement_facts(chain, parameters_of(client, chain), participant, bare, sources)
    fields = {name: getattr(bare, name) for name in bare.__struct_fields__}
    return Retire(**{**fields, "statement_hash": statement_hash(facts)})


def source_of(client: "NodeClient", number: str) -> "tuple[Issuance, Device, Scheme]":
    """The records behind a bundle, whose number is given, as the node shows them."""
    from node.answers import struct_of
    from state.records import Device, Issuance, Scheme

    issuance = struct_of(Issuance, client.get(f"/v1/certificates/{quote(number)}")["issuance"])
    device = struct_of(Device, client.get(f"/v1/devices/{issuance.device}"))
    schemes = client.get("/v1/schemes")["schemes"]
    return issuance, device, struct_of(Scheme, next(item for item in schemes if item["id"] == issuance.scheme))


def parameters_of(client: "NodeClient", chain: bytes) -> "Parameters":
    """Parameters of the network, by its genesis, whose hash is the chain id; WrongChain where it is not."""
    from contracts.genesis import chain_id, genesis_state, load_json, parse_genesis
    from state.errors import WrongChain
    from state.keyspace import PARAMETERS_KEY
    from state.records import Parameters
    from state.store import MemoryStore

    genesis = client.get("/v1/genesis")["genesis"].encode()
    if chain_id(load_json(genesis)) != chain:
        raise WrongChain(chain=chain)
    parameters = genesis_state(parse_genesis(genesis), MemoryStore()).get(PARAMETERS_KEY)
    assert isinstance(parameters, Parameters), "genesis_state writes them"
    return parameters
