"""Deeds of an authority: vote on a proposal with an organisation's governance key, answer an objection."""

from typing import TYPE_CHECKING, Any, get_args

from tui.deeds.deed import Deed, Mistake
from tui.deeds.form import Field, Form, Values, signed_in
from tui.texts import sentence, t

if TYPE_CHECKING:
    from node.client import NodeClient
    from tui.account import Account


def in_words(content: dict[str, Any]) -> str:
    """What a proposal asks for, in the ledger's own sentence, in the language."""
    from contracts.proposals import describe_content
    from node.answers import struct_of
    from state.transaction import ProposalContent, RenewContent

    if "subject" in content:  # a renewal's own field `kind` stands where others have their tag
        return sentence(describe_content(struct_of(RenewContent, content)))
    kind = next(kind for kind in get_args(ProposalContent) if kind.__struct_config__.tag == content["kind"])
    return sentence(describe_content(struct_of(kind, content)))


def vote_form(proposal: dict[str, Any], approve: bool, signers: "dict[str, Account]") -> Form:
    """`signers` by the name of their organisation."""
    done = t("Approve proposal {id}") if approve else t("Refuse proposal {id}")

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        return _vote(client, proposal, approve, signers[values["organisation"]], values["reason"].strip())

    return Form(
        "vote",
        done.format(id=proposal["id"]),
        (
            Field("organisation", t("in the name of"), choices=tuple(signers)),
            Field("reason", t("reason"), hint=t("goes on record"), required=not approve),
        ),
        make,
        t("It asks to {in_words}.", in_words=in_words(proposal["content"])),
    )


def _vote(client: "NodeClient", proposal: dict[str, Any], approve: bool, signer: "Account", reason: str) -> Deed:
    from state.transaction import Vote

    seats = client.get("/v1/validators")["validators"]
    seat = next((item for item in seats if item["governance_key"] == signer.file.pubkey), None)
    if seat is None:
        raise Mistake(t("{name} is no validator any more.", name=signer.name or signer.key_name))
    signer.id, signer.name = int(seat["participant"]), str(seat["name"])
    notes = [in_words(proposal["content"])]
    if approve and proposal["content"]["kind"] == "profile":
        notes.append(_same_profile(client, proposal))
    action = Vote(int(proposal["id"]), int(seat["index"]), approve, reason)
    return Deed(t("Approve") if approve else t("Refuse"), (action,), tuple(notes), signer)


def _same_profile(client: "NodeClient", proposal: dict[str, Any]) -> str:
    """Mistake unless the node computes the same profile from its own readings: nothing is signed unseen."""
    content = proposal["content"]
    path = f"/v1/devices/{content['device']}/profile"
    computed = str(client.get(path, from_=content["window_from"], to=content["window_to"])["profile_hash"])
    if computed != content["profile_hash"]:
        claimed = t(
            "The proposal claims profile {profile_hash}…, this node computes {computed}…",
            profile_hash=content["profile_hash"][:16],
            computed=computed[:16],
        )
        raise Mistake(
            t(
                "{claimed} from its own readings of plant {device}: nothing is signed.",
                claimed=claimed,
                device=content["device"],
            )
        )
    return t("this node computes the same profile {computed}… from its own readings", computed=computed[:16])


def answer_form(appeal: dict[str, Any], uphold: bool, plant: str) -> Form:
    done = t("Uphold an objection") if uphold else t("Dismiss an objection")
    text = "Uphold the objection to {date} of {plant}" if uphold else "Dismiss the objection to {date} of {plant}"

    def make(client: "NodeClient", given: "Account | None", values: Values) -> Deed:
        from state.transaction import AnswerAppeal

        place = (int(appeal["device"]), int(appeal["day"]), int(appeal["step"]), int(appeal["revision"]))
        action = AnswerAppeal(signed_in(given).id, *place, uphold, values["answer"].strip(), b"")
        return Deed(done, (action,))

    return Form(
        "answer",
        t(text, date=appeal["date"], plant=plant),
        (Field("answer", t("reason of the answer"), hint=t("goes on record")),),
        make,
        t("The owner says: {reason}", reason=appeal["reason"]),
    )
