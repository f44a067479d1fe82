"""Private keys at rest: one JSON file a key, sealed under a passphrase (`research/assurance.md` section 7).

The seed lies in a secretbox under a key that Argon2id derives from the passphrase. Everything else in the file, the
header, is hashed into the salt of that derivation: an edited header opens nothing. A file of the `test` keyring holds
its seed in the clear, or sealed with the cheapest limits where a passphrase is given; it is for networks whose
certificates are worth nothing.

    KEYS/NAME.json   0600 in a directory of 0700, both owned by who reads them; anything looser is refused
"""

import os
import re
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError as SodiumError

from node.failures import KeyFileUnusable, KeystoreError, WrongPassphrase
from state.crypto import H, public_key, sign

VERSION = 1
TAG = "wattest/keystore"
PURPOSES = ("wallet", "vote", "node", "governance", "escrow", "device", "gateway", "admin")
KEYRINGS = ("file", "test")

MODERATE = (3, 256 * 1024 * 1024)  # libsodium's moderate: about 0.7 s, what a wallet can ask of its user
CHEAP = (1, 8 * 1024)  # the least that libsodium takes, for the test keyring
MAX_OPSLIMIT = 8  # a file from elsewhere must not be able to hang or exhaust the machine that opens it
MAX_MEMLIMIT = 1024 * 1024 * 1024
MAX_FILE_BYTES = 16 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class PrivateKey:
    """An unlocked key. Its seed never shows in a log or a traceback."""

    seed: bytes = field(repr=False)
    public: bytes
    purpose: str = "wallet"
    chain: str = ""  # hex; empty = not bound to one network
    name: str = ""

    def sign(self, message: bytes) -> bytes:
        if self.purpose == "escrow":
            raise KeystoreError(why="an escrow key opens sealed orders and signs nothing")
        return sign(self.seed, message)


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written; bytes are hexadecimal. Without the passphrase it tells only the public half."""

    version: int
    keyring: str
    purpose: str
    kdf: str  # argon2id | none
    opslimit: int
    memlimit: int
    salt: str  # 16 bytes
    nonce: str  # 24 bytes
    ciphertext: str
    pubkey: str
    chain: str
    created: int  # s

    @property
    def needs_passphrase(self) -> bool:
        return self.kdf != "none"


def generate_key(purpose: str = "wallet", chain: str = "", seed: bytes | None = None, name: str = "") -> PrivateKey:
    """A new key, or the key of a given 32-byte seed, with the public half that its purpose uses."""
    if purpose not in PURPOSES:
        raise KeystoreError(why=f"{purpose!r} is no purpose of a key ({', '.join(PURPOSES)})")
    secret = secrets.token_bytes(32) if seed is None else seed
    if len(secret) != 32:
        raise KeystoreError(why=f"a seed has 32 bytes, not {len(secret)}")
    return PrivateKey(secret, _public_half(secret, purpose), purpose, chain, name)


def key_path(directory: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise KeystoreError(why=f"{name!r} is no name of a key: letters, digits, dot, dash and underscore")
    return directory / f"{name}.json"


def save_key(
    directory: Path,
    name: str,
    key: PrivateKey,
    passphrase: bytes | None,
    keyring: str = "file",
    *,
    replace: bool = False,
    limits: tuple[int, int] | None = None,
) -> Path:
    """Write `NAME.json`, whole or not at all. Never overwrites a key unless `replace`."""
    if keyring not in KEYRINGS:
        raise KeystoreError(why=f"there is no keyring {keyring!r} here ({', '.join(KEYRINGS)})")
    if keyring == "file" and not passphrase:
        raise KeystoreError(why="a key of the file keyring needs a passphrase")
    path = key_path(directory, name)
    content = _seal(key, passphrase or None, keyring, limits or (MODERATE if keyring == "file" else CHEAP))
    _make_private_directory(directory)
    _write_atomically(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n", replace)
    return path


def read_key_file(path: Path) -> KeyFile:
    """The public part of a key file; KeystoreError when the file is exposed, foreign, or not one of ours."""
    return parse_key_file(_read_private(path), path)


def parse_key_file(data: bytes, path: Path | str) -> KeyFile:
    try:
        content = msgspec.json.decode(data, type=KeyFile)
        sizes = (bytes.fromhex(content.salt), bytes.fromhex(content.nonce), bytes.fromhex(content.pubkey))
        bytes.fromhex(content.ciphertext)
    except (msgspec.MsgspecError, ValueError) as error:
        raise KeyFileUnusable(why=f"{path} is not a key file of this version: {error}") from None
    if content.version != VERSION or content.purpose not in PURPOSES or content.keyring not in KEYRINGS:
        raise KeyFileUnusable(why=f"{path} is of a version, purpose or keyring that is not known here")
    if tuple(map(len, sizes)) != (16, 24, 32):
        raise KeyFileUnusable(why=f"{path} has a salt, nonce or public key of a wrong size")
    if content.kdf not in ("argon2id", "none") or (content.kdf == "none" and content.keyring != "test"):
        raise KeyFileUnusable(why=f"{path} names no key derivation that is safe for its keyring")
    if content.kdf == "argon2id" and not (
        1 <= content.opslimit <= MAX_OPSLIMIT and CHEAP[1] <= content.memlimit <= MAX_MEMLIMIT
    ):
        raise KeyFileUnusable(why=f"{path} asks for more work or memory than any key of ours needs")
    return content


def unlock(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """The key of a file: WrongPassphrase, or KeystoreError where the file itself cannot be trusted."""
    return open_key_file(read_key_file(path), passphrase, path)


def open_key_file(content: KeyFile, passphrase: bytes | None, path: Path) -> PrivateKey:
    box = bytes.fromhex(content.ciphertext)
    if content.needs_passphrase:
        if not passphrase:
            raise KeystoreError(why=f"{path} is sealed and no passphrase was given")
        try:
            seed = bindings.crypto_secretbox_open(box, bytes.fromhex(content.nonce), _derive(content, passphrase))
        except SodiumError:
            raise WrongPassphrase(path=str(path)) from None
    else:
        seed = box
    if len(seed) != 32 or _public_half(seed, content.purpose).hex() != content.pubkey:
        raise KeyFileUnusable(why=f"{path} holds another key than the public one that it names")
    return PrivateKey(seed, bytes.fromhex(content.pubkey), content.purpose, content.chain, path.stem)


def list_keys(directory: Path) -> list[tuple[str, KeyFile]]:
    """Names and public parts, by name. A directory that does not exist holds no keys."""
    if not directory.is_dir():
        return []
    return [(path.stem, read_key_file(path)) for path in sorted(directory.glob("*.json"))]


def change_passphrase(path: Path, old: bytes | None, new: bytes | None, limits: tuple[int, int] | None = None) -> None:
    """Seal the same seed again under a new passphrase; the old file stays whole until the new one is durable."""
    content = read_key_file(path)
    key = open_key_file(content, old, path)
    save_key(path.parent, path.stem, key, new, content.keyring, replace=True, limits=limits)


# --- sealing


def _seal(key: PrivateKey, passphrase: bytes | None, keyring: str, limits: tuple[int, int]) -> KeyFile:
    opslimit, memlimit = limits if passphrase else (0, 0)
    header = KeyFile(
        version=VERSION,
        keyring=keyring,
        purpose=key.purpose,
        kdf="argon2id" if passphrase else "none",
        opslimit=opslimit,
        memlimit=memlimit,
        salt=secrets.token_bytes(16).hex(),
        nonce=secrets.token_bytes(24).hex(),
        ciphertext="",
        pubkey=key.public.hex(),
        chain=key.chain,
        created=int(time.time()),
    )
    box = key.seed
    if passphrase:
        box = bindings.crypto_secretbox(key.seed, bytes.fromhex(header.nonce), _derive(header, passphrase))
    return msgspec.structs.replace(header, ciphertext=box.hex())


def _derive(content: KeyFile, passphrase: bytes) -> bytes:
    """Argon2id over the passphrase, its salt the hash of the whole header, the random salt among it."""
    header = [value for name, value in msgspec.structs.asdict(content).items() if name != "ciphertext"]
    try:
        return bytes(
            bindings.crypto_pwhash_alg(
                32,
                passphrase,
                H(TAG, header)[:16],
                content.opslimit,
                content.memlimit,
                bindings.crypto_pwhash_ALG_ARGON2ID13,
            )
        )
    except (SodiumError, MemoryError) as error:
        raise KeystoreError(why=f"the key derivation failed ({error}); it needs {content.memlimit >> 20} MiB") from None


def _public_half(seed: bytes, purpose: str) -> bytes:
    if purpose == "escrow":
        return bytes(bindings.crypto_scalarmult_base(seed))
    return public_key(seed)


# --- files


def _make_private_directory(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_exposed(directory, directory.stat())


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise KeystoreError(why=f"{path}: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        _refuse_exposed(path, os.fstat(file.fileno()))
        _refuse_exposed(path.parent, path.parent.stat())
        return file.read(MAX_FILE_BYTES + 1)


def _refuse_exposed(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise KeystoreError(why=f"{path} is owned by another user (uid {status.st_uid})")
    if stat.S_IMODE(status.st_mode) & 0o077:
        mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise KeystoreError(why=f"group or others can reach {path}; `chmod {mode} {path}` if nobody has read it")


def _write_atomically(path: Path, data: bytes, replace: bool) -> None:
    """A crash leaves the old file or the new one, never a piece; without `replace` an existing key wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.rename(draft, path)
        else:
            os.link(draft, path)  # unlike rename, fails when the name is taken
    except FileExistsError:
        raise KeystoreError(why=f"{path} exists already; a key is never overwritten") from None
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
