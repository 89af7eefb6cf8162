"""Signing a frame: all that a sending board with a key holds of signatures (see `signature`)."""

import binascii
import hashlib

KEY_BYTES = (16, 64)


def sign(data: bytes, key: bytes, n: int) -> bytes:
    """The version 2 frame `data` with counter `n` and the tag by `key`; see signature.sign."""
    data = data[:-1] + b',"n":%d' % n
    return data + b',"m":"' + tag(data, key) + b'"}'


def tag(data: bytes, key: bytes) -> bytes:
    """HMAC-SHA256 of `data`, cut to 8 bytes, in base64; written out, the chip has no hmac.

    key: 16 to 64 bytes, else ValueError; never longer than a block, so it is never hashed first.
    """
    if not KEY_BYTES[0] <= len(key) <= KEY_BYTES[1]:
        raise ValueError("a frame key has 16 to 64 bytes")
    key = key + bytes(64 - len(key))
    for pad in (0x36, 0x5C):
        data = hashlib.sha256(bytes([c ^ pad for c in key]) + data).digest()
    return binascii.b2a_base64(data[:8])[:-1]
