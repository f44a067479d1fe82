"""The genesis file of a home: read once at start, its chain id computed, and mistakes said in words."""

from pathlib import Path

from contracts.genesis import Genesis, chain_id, load_json, parse_genesis
from state.errors import GenesisInvalid


def read_genesis(path: Path) -> tuple[Genesis, bytes]:
    """The genesis and its chain id (32 bytes). GenesisInvalid names the file and what to do."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GenesisInvalid(
            why=f"there is no {path}; `wattest testnet init` makes a network, or copy the network's file there"
        ) from None
    except OSError as error:
        raise GenesisInvalid(why=f"{path} cannot be read: {error.strerror}") from None
    try:
        return parse_genesis(data), chain_id(load_json(data))
    except GenesisInvalid as refusal:
        raise GenesisInvalid(why=f"{path}: {refusal.params['why']!s}") from None
