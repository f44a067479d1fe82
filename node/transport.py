"""TLS 1.3 between nodes, pinned to the node keys that the chain's validator records name, and the signed hello.

A node's certificate is signed by its own Ed25519 node key and nothing else. What a peer needs to check it is the
public key alone: from that everybody builds the same *anchor*, a root of that name and key, and OpenSSL checks that
the shown certificate was signed by it. (OpenSSL does not check the anchor's own signature, which only the owner of the
key could make.) So the validator records are the allow-list, and no certificate has to be handed round.

A validator shows its certificate also when it dials; an observer dials without one. Either way both sides then sign
the whole handshake with their node keys: chain, both hellos with their nonces, and the hash of the listener's
certificate, so that nobody in the middle can pass a hello on.
"""

import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b

from cryptography import x509
from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from node.wire import Hello, encode_frame, node_id
from state.crypto import public_key, signed_bytes

HELLO_TAG = "wattest/hello"
# A node whose clock is wrong must still be able to talk, so certificates hold at any time.
NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, tzinfo=UTC)


class NodeKey:
    """A node's Ed25519 transport key and the certificate it shows."""

    def __init__(self, seed: bytes) -> None:
        self.public = public_key(seed)
        self.seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._certificate = _leaf(self._private, self.public)
        self.certificate_der = self._certificate.public_bytes(Encoding.DER)

    def server_context(self, validators: Iterable[bytes]) -> ssl.SSLContext:
        """Takes a client certificate of any of `validators` (node keys), or none at all, and no other."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER, validators)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def also_trust(self, context: ssl.SSLContext, validators: Iterable[bytes]) -> None:
        """Let a listener's context take these keys too. It cannot unlearn others: the handshake turns those away."""
        anchors = "".join(_anchor(key) for key in validators)
        if anchors:
            context.load_verify_locations(cadata=anchors)

    def client_context(self, validator: bytes, show_certificate: bool) -> ssl.SSLContext:
        """Takes the listener of exactly this node key."""
        context = self._context(ssl.PROTOCOL_TLS_CLIENT, (validator,), show_certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _context(self, protocol: int, trusted: Iterable[bytes], show_certificate: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        anchors = "".join(_anchor(key) for key in trusted)
        if anchors:
            context.load_verify_locations(cadata=anchors)
        if show_certificate:
            self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        """Through a file in memory: `ssl` reads keys from files only, and this one must not touch the disk."""
        descriptor = os.memfd_create("wattest-node-key", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            os.write(descriptor, self._certificate.public_bytes(Encoding.PEM))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)


def certificate_key(der: bytes) -> bytes | None:
    """The Ed25519 public key of a certificate, None where it has none."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, TypeError, x509.InvalidVersion, InvalidKey, UnsupportedAlgorithm):
        return None
    if not isinstance(key, Ed25519PublicKey):
        return None
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def transcript(chain: bytes, listener_certificate: bytes, dialer: Hello, listener: Hello, by_dialer: bool) -> bytes:
    """What each side signs with its node key: the whole handshake and which side it is."""
    certificate_hash = blake2b(listener_certificate, digest_size=32).digest()
    return signed_bytes(HELLO_TAG, chain, [certificate_hash, encode_frame(dialer), encode_frame(listener), by_dialer])


# --- certificates


def _leaf(private: Ed25519PrivateKey, public: bytes) -> x509.Certificate:
    return _certificate(private.public_key(), _name("node", public), _name("key", public), False).sign(private, None)


@cache
def _anchor(public: bytes) -> str:
    """PEM of a root named after the key and holding it; signed by a throw-away key, since nobody checks that."""
    holder = Ed25519PublicKey.from_public_bytes(public)
    builder = _certificate(holder, _name("key", public), _name("key", public), True)
    return builder.sign(Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM).decode("ascii")


def _certificate(
    holder: Ed25519PublicKey, subject: x509.Name, issuer: x509.Name, authority: bool
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(holder)
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
    )


def _name(kind: str, public: bytes) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"wattest {kind} {node_id(public).hex()}")])
