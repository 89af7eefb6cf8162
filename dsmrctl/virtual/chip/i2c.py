# The chip's I2C by software. config["i2c"]: the GPIOs that scl and sda are wired to, and the
# addresses that answer there; the desk may change it at any time.
import chip

_ENODEV = 19


class SoftI2C:
    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        self.pins = [scl.gpio, sda.gpio]
        self.freq = freq

    # Nine clocks a byte, the address included; interrupts come meanwhile.
    def _take(self, size):
        chip.price((size + 1) * 9_000_000 // self.freq)

    def _there(self, address):
        wired = chip.config.get("i2c") or ()
        return list(wired[:2]) == self.pins and address in wired[2:]

    def _ask(self, address):
        chip.level()
        chip.take_all()
        if not self._there(address):
            self._take(0)
            raise OSError(_ENODEV)

    def writevto(self, address, vector, stop=True):
        self._ask(address)
        data = b"".join([bytes(part) for part in vector])
        self._take(len(data))
        chip.tell(b"I", chip.now_us() * 128 + address, data)
        return len(data)

    def writeto(self, address, data, stop=True):
        return self.writevto(address, (data,), stop)

    # What it answers is not simulated: nothing of ours asks.
    def readfrom(self, address, size, stop=True):
        self._ask(address)
        self._take(size)
        return bytes(size)

    def scan(self):
        self._take(111)
        return [address for address in range(8, 120) if self._there(address)]
