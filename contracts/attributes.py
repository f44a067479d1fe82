"""What bids choose by: the attribute trees of an auction, the classes that its lots fall into, and bids' filters.

An auction names up to five dimensions, each with nodes: technology by EECS prefix (`T02` holds `T020001`), zone by
prefix (`DK` holds `DK1`), production period (`2026` holds `202604`), device, support received. A node that holds none
of the others is a leaf; a class is one leaf of each dimension, and every lot falls into exactly one or is refused.
A filter names one node of each dimension, the empty one meaning any.

How many leaves and filters there can be is bounded when the auction opens: a cap that is met while orders come in could
be filled by whoever wants to keep others out.
"""

from collections.abc import Sequence
from itertools import product
from math import prod

from contracts.clearing import MAX_CLASSES, MAX_FILTERS
from contracts.register import require_text
from state.errors import BadField, WrongClass
from state.records import AuctionTerms, Device, Dimension, Issuance, Wanted
from state.spoken import Said

DIMENSIONS = ("technology", "zone", "period", "device", "support")
DIMENSION_WORDS = {
    "technology": Said("technology"),
    "zone": Said("zone"),
    "period": Said("period"),
    "device": Said("device"),
    "support": Said("support"),
}
SUPPORTED, UNSUPPORTED = "supported", "none"


def check_dimensions(dimensions: Sequence[Dimension]) -> None:
    names = [dimension.name for dimension in dimensions]
    if names != sorted(set(names) & set(DIMENSIONS), key=DIMENSIONS.index):
        raise BadField(field="dimensions", why=f"each at most once, in this order: {', '.join(DIMENSIONS)}")
    for dimension in dimensions:
        for node in dimension.nodes:
            require_text(dimension.name, node)
            _require_node(dimension.name, node)
        if len(set(dimension.nodes)) != len(dimension.nodes):
            raise BadField(field=dimension.name, why="a node is named twice")
    classes = prod(len(leaves(dimension)) for dimension in dimensions)
    filters = prod(len(dimension.nodes) + 1 for dimension in dimensions)
    if classes > MAX_CLASSES or filters > MAX_FILTERS:
        raise BadField(
            field="dimensions",
            why=f"{classes} classes and {filters} filters; at most {MAX_CLASSES} and {MAX_FILTERS} are cleared in time",
        )


def leaves(dimension: Dimension) -> tuple[str, ...]:
    """Nodes that hold no other one, in the order of their names."""
    nodes = dimension.nodes
    return tuple(
        node
        for node in sorted(nodes)
        if not any(other != node and _holds(dimension.name, node, other) for other in nodes)
    )


def place_of(terms: AuctionTerms, auction: int, issuance: Issuance, device: Device) -> int:
    """The class of a lot; WrongClass if a dimension has no leaf for it."""
    return place_at(terms, auction, [attribute(each.name, issuance, device) for each in terms.dimensions])


def place_at(terms: AuctionTerms, auction: int, values: Sequence[str]) -> int:
    """The class of what has these attributes, counted with the last dimension running fastest."""
    place = 0
    for dimension, value in zip(terms.dimensions, values, strict=True):
        ends = leaves(dimension)
        held = [index for index, leaf in enumerate(ends) if _holds(dimension.name, leaf, value)]
        if not held:
            raise WrongClass(auction=auction, why=f"its {dimension.name} is {value}, the auction has {', '.join(ends)}")
        place = place * len(ends) + held[-1]
    return place


def mask_of(terms: AuctionTerms, wanted: Sequence[str]) -> int:
    """The classes that a filter accepts, bit k = class k. Nodes must be the auction's: `check_wanted`."""
    nodes = wanted or [""] * len(terms.dimensions)
    accepted = [
        [not node or _holds(dimension.name, node, leaf) for leaf in leaves(dimension)]
        for dimension, node in zip(terms.dimensions, nodes, strict=True)
    ]
    return sum(1 << place for place, inside in enumerate(product(*accepted)) if all(inside))


def check_wanted(terms: AuctionTerms, wanted: Sequence[str]) -> None:
    if wanted and len(wanted) != len(terms.dimensions):
        raise BadField(field="wanted", why=f"one node of each of {len(terms.dimensions)} dimensions, or none at all")
    for dimension, node in zip(terms.dimensions, wanted, strict=False):
        if node and node not in dimension.nodes:
            raise BadField(field="wanted", why=f"{dimension.name} is one of {', '.join(dimension.nodes)}, or any")


def nodes_of(terms: AuctionTerms, wanted: Sequence[str]) -> bytes:
    """A filter in five bytes, one for each dimension: 0 = any, else the place of the node from 1 on."""
    places = [
        dimension.nodes.index(node) + 1 if node else 0
        for dimension, node in zip(terms.dimensions, wanted, strict=False)
    ]
    return bytes(places).ljust(len(DIMENSIONS), b"\0")


def wanted_at(terms: AuctionTerms, nodes: bytes) -> tuple[str, ...] | None:
    """The filter that five bytes say; None where the auction has no such node."""
    sizes = [len(dimension.nodes) for dimension in terms.dimensions] + [0] * (len(nodes) - len(terms.dimensions))
    if any(place > size for place, size in zip(nodes, sizes, strict=True)):
        return None
    if not any(nodes):
        return ()
    return tuple(
        dimension.nodes[place - 1] if place else "" for dimension, place in zip(terms.dimensions, nodes, strict=False)
    )


def label_of(terms: AuctionTerms, place: int) -> str:
    """A class in words: its leaves, or `all` where there is one class only."""
    named: list[str] = []
    for dimension in reversed(terms.dimensions):
        ends = leaves(dimension)
        place, index = divmod(place, len(ends))
        named.append(word(dimension.name, ends[index]))
    return " ".join(reversed(named)) or "all"


def filter_words(terms: AuctionTerms, wanted: Sequence[str]) -> str:
    named = [word(dimension.name, node) for dimension, node in zip(terms.dimensions, wanted, strict=False) if node]
    return " ".join(named) or "any class"


def word(dimension: str, node: str) -> str:
    match dimension:
        case "device":
            return f"plant {node}"
        case "support":
            return "with support" if node == SUPPORTED else "without support"
    return node


def attribute(dimension: str, issuance: Issuance, device: Device) -> str:
    match dimension:
        case "technology":
            return device.facts.technology
        case "zone":
            return device.facts.zone
        case "period":
            return str(issuance.month)
        case "device":
            return str(device.id)
        case _:
            return SUPPORTED if device.facts.support else UNSUPPORTED


def nodes_for(auction_terms: AuctionTerms, scheme_class: dict[str, str], wanted: Sequence[Wanted]) -> list[str] | None:
    """A standing bid's attributes as nodes of this auction; None where it cannot tell what the bid asks for.

    `scheme_class` is what all lots of the auction have in common, by dimension.
    """
    asked = {each.dimension: each.node for each in wanted}
    nodes = []
    for dimension in auction_terms.dimensions:
        node = asked.pop(dimension.name, "")
        if node and node not in dimension.nodes:
            return None
        nodes.append(node)
    for name, node in asked.items():
        if not scheme_class.get(name) or not _holds(name, node, scheme_class[name]):
            return None
    return nodes


def _holds(dimension: str, node: str, value: str) -> bool:
    return node == value if dimension == "device" else value.startswith(node)


def _require_node(dimension: str, node: str) -> None:
    match dimension:
        case "period":
            good = node.isascii() and node.isdigit() and len(node) in (4, 6)
            why = "a year or a month, 2026 or 202604"
        case "device":
            good, why = node.isascii() and node.isdigit() and node[0] != "0", "the number of a plant"
        case "support":
            good, why = node in (SUPPORTED, UNSUPPORTED), f"{SUPPORTED} or {UNSUPPORTED}"
        case _:
            good, why = True, ""
    if not good:
        raise BadField(field=dimension, why=why)
