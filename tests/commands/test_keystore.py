"""Keys at rest: what a file gives away, what it refuses, and that a crash leaves a whole file."""

import json
import os
import stat
from pathlib import Path

import msgspec
import pytest

from node.failures import KeystoreError, WrongPassphrase
from node.keystore import (
    CHEAP,
    MODERATE,
    PrivateKey,
    change_passphrase,
    generate_key,
    list_keys,
    read_key_file,
    save_key,
    unlock,
)
from state.crypto import verify

PASSPHRASE = b"correct horse"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def sealed(keys: Path, name: str = "trader", **settings: str) -> tuple[PrivateKey, Path]:
    key = generate_key(settings.get("purpose", "wallet"), "ab" * 32)
    return key, save_key(keys, name, key, PASSPHRASE, limits=CHEAP)


def edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_key_comes_back_with_its_passphrase(keys: Path) -> None:
    key, path = sealed(keys)
    opened = unlock(path, PASSPHRASE)
    assert (opened.seed, opened.public, opened.name, opened.chain) == (key.seed, key.public, "trader", "ab" * 32)
    assert verify(opened.public, b"message", opened.sign(b"message"))


def test_default_cost_is_libsodiums_moderate(keys: Path) -> None:
    path = save_key(keys, "trader", generate_key(), PASSPHRASE)
    content = read_key_file(path)
    assert (content.kdf, content.opslimit, content.memlimit) == ("argon2id", *MODERATE) == ("argon2id", 3, 2**28)
    assert unlock(path, PASSPHRASE).public.hex() == content.pubkey


def test_file_and_directory_are_private_and_hold_no_seed(keys: Path) -> None:
    os.umask(0)
    key, path = sealed(keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert key.seed.hex() not in path.read_text()
    assert [entry.name for entry in keys.iterdir()] == ["trader.json"], "no draft is left behind"


def test_seed_shows_in_no_representation() -> None:
    key = generate_key()
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def test_list_needs_no_passphrase(keys: Path) -> None:
    sealed(keys, "b")
    sealed(keys, "a")
    assert [name for name, _ in list_keys(keys)] == ["a", "b"]
    assert list_keys(keys / "nowhere") == []


def test_new_passphrase_replaces_the_old_one(keys: Path) -> None:
    key, path = sealed(keys)
    change_passphrase(path, PASSPHRASE, b"another", limits=CHEAP)
    assert unlock(path, b"another").seed == key.seed
    with pytest.raises(WrongPassphrase):
        unlock(path, PASSPHRASE)


def test_test_keyring_needs_no_passphrase_and_takes_one(keys: Path) -> None:
    key = generate_key()
    assert unlock(save_key(keys, "open", key, None, "test")).seed == key.seed
    assert unlock(save_key(keys, "cheap", key, b"x", "test"), b"x").seed == key.seed


def test_escrow_key_is_of_the_other_curve_and_signs_nothing(keys: Path) -> None:
    key = generate_key("escrow", seed=bytes(32))
    assert key.public != generate_key("wallet", seed=bytes(32)).public
    with pytest.raises(KeystoreError, match="signs nothing"):
        key.sign(b"message")


def test_refuses_wrong_passphrase(keys: Path) -> None:
    _, path = sealed(keys)
    with pytest.raises(WrongPassphrase, match="passphrase"):
        unlock(path, b"wrong horse")


def test_refuses_missing_passphrase(keys: Path) -> None:
    _, path = sealed(keys)
    with pytest.raises(KeystoreError, match="no passphrase was given"):
        unlock(path)


HEADER = {
    "purpose": "governance",
    "keyring": "test",
    "chain": "cd" * 32,
    "created": 1,
    "opslimit": 2,
    "memlimit": 16_384,
    "salt": "00" * 16,
    "nonce": "00" * 24,
    "pubkey": "00" * 32,
}


@pytest.mark.parametrize("field", HEADER)
def test_refuses_edited_header(keys: Path, field: str) -> None:
    _, path = sealed(keys)
    edit(path, **{field: HEADER[field]})
    with pytest.raises(KeystoreError):
        unlock(path, PASSPHRASE)


def test_refuses_other_public_key_in_a_file_without_passphrase(keys: Path) -> None:
    path = save_key(keys, "open", generate_key(), None, "test")
    edit(path, pubkey=generate_key().public.hex())
    with pytest.raises(KeystoreError, match="another key"):
        unlock(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_refuses_file_that_others_can_read(keys: Path, mode: int) -> None:
    _, path = sealed(keys)
    path.chmod(mode)
    with pytest.raises(KeystoreError, match="chmod 600"):
        unlock(path, PASSPHRASE)


def test_refuses_directory_that_others_can_enter(keys: Path) -> None:
    _, path = sealed(keys)
    keys.chmod(0o755)
    with pytest.raises(KeystoreError, match="chmod 700"):
        unlock(path, PASSPHRASE)
    with pytest.raises(KeystoreError, match="chmod 700"):
        sealed(keys, "second")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_refuses_foreign_owner(keys: Path) -> None:
    _, path = sealed(keys)
    os.chown(path, 12_345, -1)
    with pytest.raises(KeystoreError, match="another user"):
        unlock(path, PASSPHRASE)


def test_refuses_symbolic_link(keys: Path) -> None:
    _, path = sealed(keys)
    (keys / "link.json").symlink_to(path)
    with pytest.raises(KeystoreError):
        unlock(keys / "link.json", PASSPHRASE)


@pytest.mark.parametrize(("field", "value"), [("opslimit", 10**6), ("opslimit", 0), ("memlimit", 2**40)])
def test_refuses_costs_that_would_hang_the_machine(keys: Path, field: str, value: int) -> None:
    _, path = sealed(keys)
    edit(path, **{field: value})
    with pytest.raises(KeystoreError, match="more work or memory"):
        unlock(path, PASSPHRASE)


def test_refuses_unsealed_key_in_the_file_keyring(keys: Path) -> None:
    path = save_key(keys, "open", generate_key(), None, "test")
    edit(path, keyring="file")
    with pytest.raises(KeystoreError, match="key derivation"):
        unlock(path)
    with pytest.raises(KeystoreError, match="needs a passphrase"):
        save_key(keys, "other", generate_key(), None, "file")


def test_refuses_to_overwrite_a_key(keys: Path) -> None:
    key, path = sealed(keys)
    with pytest.raises(KeystoreError, match="never overwritten"):
        sealed(keys)
    assert unlock(path, PASSPHRASE).seed == key.seed


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "x" * 65])
def test_refuses_names_that_leave_the_directory(keys: Path, name: str) -> None:
    with pytest.raises(KeystoreError, match="no name of a key"):
        save_key(keys, name, generate_key(), None, "test")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{" * 1000, '{"version":1}'])
def test_refuses_files_that_are_no_keys(keys: Path, text: str) -> None:
    _, path = sealed(keys)
    path.write_text(text)
    with pytest.raises(KeystoreError):
        read_key_file(path)


def test_crash_before_the_rename_leaves_the_old_key(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, path = sealed(keys)

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "rename", power_cut)
    with pytest.raises(OSError, match="power cut"):
        change_passphrase(path, PASSPHRASE, b"another", limits=CHEAP)
    assert unlock(path, PASSPHRASE).seed == key.seed
    assert msgspec.json.decode(path.read_bytes())
