"""A frame as a board sends it: from figures known to be whole numbers, signed when there is a key.

`frame.build` also makes version 1 and says what is wrong, `signature` also checks.
"""

import binascii
import hashlib

KEY_BYTES = (16, 64)


def build(values):
    """The frame of ten whole numbers in the order of frame.FIELDS, None for unknown.

    None when a reader would refuse it: a tariff other than 1 and 2, a number below 0 or of more
    than nine digits. Minute and second are a clock's.
    """
    values = [value or 0 for value in values]
    if values[4] not in (1, 2) or min(values) < 0 or max(values) > 999999999:
        return None
    # Both interpreters write a list alike, and only its blanks must go.
    return ('{"v":2,"dsmr":' + str(values).replace(" ", "") + "}").encode()


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
