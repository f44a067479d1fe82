"""Which cabinets there are: every file of `cabinets/`, by the `CABINET` that it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from textual.screen import Screen

from tui import cabinets as rooms
from tui.desk import Desk


@dataclass(frozen=True)
class Cabinet:
    """`key` is the letter that opens it; `order` its place in the bar; `fits` the roles that begin there."""

    key: str
    title: str
    order: int
    make: Callable[[Desk], Screen[None]]
    fits: frozenset[str] = frozenset()

    @property
    def mode(self) -> str:
        return self.title.casefold().replace(" ", "_")


def entrance() -> Cabinet:
    """The one that is seen first."""
    found = import_module(f"{rooms.__name__}.network").CABINET
    assert isinstance(found, Cabinet)
    return found


def cabinets() -> tuple[Cabinet, ...]:
    """All there are, in the order of the bar."""
    found = [import_module(f"{rooms.__name__}.{module.name}") for module in iter_modules(rooms.__path__)]
    return tuple(sorted((module.CABINET for module in found), key=lambda cabinet: cabinet.order))


def cabinet_for(roles: tuple[str, ...], among: tuple[Cabinet, ...]) -> Cabinet | None:
    """Where somebody with these roles begins: the last that fits, as the bar goes from the general to the special."""
    fitting = [cabinet for cabinet in among if cabinet.fits & set(roles)]
    return fitting[-1] if fitting else None
