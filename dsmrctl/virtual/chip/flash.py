# The chip's flash as a file, by the rules of NOR: programming clears bits, erasing sets 4096 bytes.
import chip

BLOCK = 4096
_ERASE_US, _PROGRAM_US = 60_000, 1000  # for 256 bytes, as flash chips' data sheets say
_SDK = 0x3000  # from the end: where the SDK keeps the network it was told

_old = bytearray(128)
_BLANK = b"\xff" * 512

image = None
programs = erases = 0
_cut = None


def begin(path):
    global image
    image = open(path, "r+b", 0)
    chip.on_cut = _on_cut


# The next so-many-th program or erase is done in part, and then the power is gone.
def _on_cut(number):
    global _cut
    _cut = number or None


def _torn():
    global _cut
    if _cut is not None:
        _cut -= 1
        return _cut == 0
    return False


def _gone():
    chip.tell(b"C", chip.now_us())
    chip.stop()


def program(offset, data):
    global programs
    programs += 1
    torn = _torn()
    size = len(data) // 2 if torn else len(data)
    # In place and without a byte of new memory: a collection in the midst of LittleFS' work would
    # close what files lie about, and LittleFS is not made to be called by itself.
    at = 0
    while at < size:
        image.seek(offset + at)
        image.readinto(_old)
        for index in range(min(len(_old), size - at)):
            both = _old[index] & data[at + index]
            if both != data[at + index]:
                chip.fault("programming cannot set bits: 0x%x" % (offset + at + index))
            _old[index] = both
        image.seek(offset + at)
        image.write(_old)
        at += len(_old)
    if torn:
        _gone()
    chip.price(_PROGRAM_US * (1 + (size - 1) // 256))


def erase(offset):
    global erases
    erases += 1
    torn = _torn()
    image.seek(offset)
    for _ in range(BLOCK // len(_BLANK) // (2 if torn else 1)):
        image.write(_BLANK)
    if torn:
        _gone()
    chip.price(_ERASE_US)


def sdk_read():
    image.seek(chip.config["flash_size"] - _SDK)
    data = image.read(97)
    if data[0] != 1:
        return "", ""
    return [bytes(part).rstrip(b"\0").decode() for part in (data[1:33], data[33:97])]


def sdk_write(ssid, key):
    at = chip.config["flash_size"] - _SDK
    new = b"\1" + (ssid.encode() + bytes(32))[:32] + (key.encode() + bytes(64))[:64]
    image.seek(at)
    if image.read(97) != new:
        erase(at)
        program(at, new)


class Blocks:
    # MicroPython's block device over the file system's part of the flash.
    def __init__(self, offset, blocks):
        self.offset = offset
        self.blocks = blocks

    def readblocks(self, number, buffer, offset=0):
        image.seek(self.offset + number * BLOCK + offset)
        image.readinto(buffer)

    def writeblocks(self, number, buffer, offset=None):
        if offset is None:
            erase(self.offset + number * BLOCK)
            offset = 0
        program(self.offset + number * BLOCK + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK
        if operation == 6:
            erase(self.offset + argument * BLOCK)
            return 0
        return 0
