"""docs/protocol.md says what the code does: names, frames, and the test vector."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from conftest import ROOT

from dsmrctl.firmware.core import frame
from dsmrctl.quantities import NAMES, QUANTITIES

TEXT = (ROOT / "docs" / "protocol.md").read_text()


def test_every_quantity_stands_in_the_table_with_its_unit() -> None:
    for quantity in QUANTITIES:
        name = re.sub(r"_l[23]_", "_l1_", quantity.name)
        rows = [line for line in TEXT.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert rows, quantity.name
        assert all(f"| {quantity.unit} |" in row or not quantity.unit for row in rows)


def test_the_table_names_no_quantity_that_there_is_not() -> None:
    table = TEXT.split("## Quantities")[1].split("## ")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z0-9_]+)`", line.split("|")[1])
    }
    assert named <= {*NAMES, "l3"}


def test_the_test_vector_is_right_by_another_implementation() -> None:
    key = re.search(r"Key: `(.+?)`", TEXT)
    vector = re.search(r"^    (\{\"v\":2.*\"m\":\"[A-Za-z0-9+/=]+\"\})$", TEXT, re.M)
    assert key
    assert vector
    head, _, rest = vector[1].partition(',"m":')
    tag = hmac.new(key[1].encode(), head.encode(), hashlib.sha256).digest()[:8]
    assert rest == f'"{base64.b64encode(tag).decode()}"}}'
    assert frame.check(vector[1].encode(), key[1].encode(), 0) == 214272000


def test_the_frames_elements_stand_in_their_order() -> None:
    assert "`" + " ".join(frame.VERSION_1) + "`" in TEXT
    assert "`" + " ".join(frame.FIELDS[7:]) + "`" in TEXT
