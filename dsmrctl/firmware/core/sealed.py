"""Who signed a frame? Apart from `signature`: a board with a key keeps no more than this."""

from .sending import tag
from .written import counter


def n_of(data: bytes, key: bytes):
    """The counter of a frame signed by `key`, None when it is not."""
    head = data[:-20]
    if data[-20:-14] != b',"m":"' or data[-2:] != b'"}':
        return None
    # Every byte is compared, so that the time taken does not tell how many were right.
    wrong = 0
    for a, b in zip(data[-14:-2], tag(head, key)):
        wrong |= a ^ b
    if wrong or b',"n":' not in head:
        return None
    return counter(head[head.rfind(b",") + 5 :])
