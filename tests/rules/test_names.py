"""Names that travel in events fit their fields: an event that cannot be read back would blind every reader."""

from typing import get_args

import pytest

from contracts.events import Enacted, Event
from state.codec import decode, encode
from state.records import Record
from state.transaction import Action, ProposalContent


@pytest.mark.parametrize("content", get_args(ProposalContent))
def test_the_kind_of_a_proposal_fits_its_events(content: type) -> None:
    told = Enacted(1, content.__struct_config__.tag, 1)  # type: ignore[attr-defined]
    assert decode(Enacted, encode(told)) == told


@pytest.mark.parametrize("union", [Action, ProposalContent, Record, Event])
def test_no_two_kinds_share_a_tag(union: object) -> None:
    tags = [kind.__struct_config__.tag for kind in get_args(union)]
    assert len(tags) == len(set(tags))
