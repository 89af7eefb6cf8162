"""`dsmrctl telegram read | parse | decode` as a program: what comes out, and the exit codes."""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import termios
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO

import pytest
from brokers import until
from conftest import BELGIAN, CAPTURES, ROOT, Run, clean_environment

from dsmrctl.virtual.household import Household
from dsmrctl.virtual.meter import Meter

MANUAL = CAPTURES / "manual_emucs-1.4_no-crc.txt"
SHARED = ROOT.parent / "shared" / "captures" / "p1"
REAL = SHARED / "ndokter-dsmr_parser__example_telegrams__FLU5253769484__01.txt"

# Word for word what the manual sets beside its telegram.
REMARKS = """\
ID
Serienummer
Datum/tijd
Verbruik / afname tarief 1 (DAG)
Verbruik / afname tarief 2 (NACHT)
Injectie tarief 1 (DAG)
Injectie tarief 2 (NACHT)
Actief tarief (1/2)
Actueel vermogen afname/verbruik
Actueel vermogen injectie
Actueel vermogen afname Fase 1
Actueel vermogen afname Fase 2
Actueel vermogen afname Fase 3
Actueel vermogen injectie Fase 1
Actueel vermogen injectie Fase 2
Actueel vermogen injectie Fase 3
Spanning Fase 1
Spanning Fase 2
Spanning Fase 3
Stroom Fase 1
Stroom Fase 2
Stroom Fase 3
Stand van de schakelaar/automaat - elektriciteit
Max toegelaten vermogen per fase (ongebruikt?)
Max toegelaten stroom per fase (ongebruikt?)
Bericht
ID andere toestellen op de bus CH1 (003=gas, 007=water)
Serienummer van de aardgasmeter
Stand van de kraan van de aardgasmeter
Datum meting en waarde aardgas
CRC16""".splitlines()


def exactly(text: str) -> dict[str, object]:
    return json.loads(text, parse_float=Decimal)


def test_parse_gives_one_line_a_telegram_with_exact_numbers(dsmrctl: Run) -> None:
    ran = dsmrctl("telegram", "parse", "--json", BELGIAN)
    assert (ran.code, ran.err) == (0, "")
    (line,) = ran.out.splitlines()
    raw = BELGIAN.read_text()
    gas = next(text for text in raw.splitlines() if text.startswith("0-1:24.2."))
    value = gas.rsplit("(", 1)[1].split("*")[0].lstrip("0")
    assert f'"gas_m3": {value}' in line


if REAL.exists():  # an extra, where the real captures lie beside the project

    def test_the_real_belgian_telegram_is_read_exactly(dsmrctl: Run) -> None:
        found = exactly(dsmrctl("telegram", "parse", "--json", REAL).out)
        assert (found["import_t1_wh"], found["import_t2_wh"]) == (34, 15758)
        assert (found["quarter_w"], found["month_peak_w"]) == (2351, 2589)
        peaks: list[dict[str, object]] = found["peaks"]  # type: ignore[assignment]
        assert [peak["w"] for peak in peaks] == [4318, 5980, 3695]
        assert (found["gas_m3"], found["water_m3"]) == (Decimal("112.384"), Decimal("872.234"))


def test_decode_sets_the_manuals_own_words_beside_each_line(dsmrctl: Run) -> None:
    shown = dsmrctl("telegram", "decode", "--language", "nl", MANUAL).out
    lines = [line.rstrip() for line in shown.splitlines()]
    for remark in REMARKS:
        assert any(line.endswith(f" {remark}") for line in lines), remark
    for value in ("559.373 kWh", "477.305 kWh", "549.778 kWh", "254.235 kWh", "0.668 kW"):
        assert value in shown
    assert "453.722" in shown
    assert "m³" in shown


def test_decode_explains_in_english_unless_told_otherwise(dsmrctl: Run) -> None:
    assert "(DAY)" in dsmrctl("telegram", "decode", MANUAL).out
    assert dsmrctl("telegram", "decode", "--language", "xx", MANUAL).code == 2


def test_read_gives_the_valid_telegrams_byte_for_byte(dsmrctl: Run, tmp_path: Path) -> None:
    one = BELGIAN.read_bytes()
    spoilt = one.replace(b"kWh", b"kXh", 1)
    file = tmp_path / "line.raw"
    file.write_bytes(b"\xffnoise" + one + spoilt + one[:300] + one)
    ran = dsmrctl("telegram", "read", file)
    assert ran.code == 0
    assert ran.out.encode() == one * 2
    assert "2 telegrams, 3 rejected" in ran.err
    assert dsmrctl("telegram", "read", file, "--strict").code == 6
    assert dsmrctl("telegram", "read", file, "--count", "1").out.encode() == one


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil",
    [lambda one: one[:200], lambda one: one.replace(b"kWh", b"kXh"), lambda one: b"~" * 999],
)
def test_when_nothing_is_valid_the_exit_code_is_6_and_says_why(spoil: object, dsmrctl: Run) -> None:
    ran = dsmrctl("telegram", "parse", "-", stdin=spoil(BELGIAN.read_bytes()))  # type: ignore[operator]
    assert (ran.code, ran.out) == (6, "")
    assert "no valid telegram in" in ran.err


def test_csv_has_the_names_of_the_quantities_and_their_exact_values(dsmrctl: Run) -> None:
    ran = dsmrctl("telegram", "parse", "--csv", BELGIAN)
    (row,) = csv.DictReader(io.StringIO(ran.out))
    document = exactly(dsmrctl("telegram", "parse", "--json", BELGIAN).out)
    for name, text in row.items():
        value = document[name]
        assert text == ("" if value is None else str(value)), name


@pytest.mark.slow
def test_parquet_has_the_same_values_with_types(dsmrctl: Run, tmp_path: Path) -> None:
    import polars

    file = tmp_path / "month.parquet"
    ran = dsmrctl("telegram", "parse", "--parquet", file, BELGIAN)
    assert ran.code == 0, ran.err
    (row,) = polars.read_parquet(file).to_dicts()
    document = exactly(dsmrctl("telegram", "parse", "--json", BELGIAN).out)
    for name, value in row.items():
        if name == "time":
            assert value.isoformat() == "2026-01-15T17:00:05+00:00" or value.tzinfo
        else:
            assert value == document[name], name


@pytest.mark.slow
def test_gzip_standard_input_and_files_give_the_same(dsmrctl: Run, tmp_path: Path) -> None:
    packed = tmp_path / "month.raw.gz"
    packed.write_bytes(gzip.compress(BELGIAN.read_bytes()))
    plain = dsmrctl("telegram", "parse", BELGIAN).out
    assert dsmrctl("telegram", "parse", packed).out == plain
    assert dsmrctl("telegram", "parse", "-", stdin=BELGIAN.read_bytes()).out == plain


def test_frames_are_refused_with_a_sentence_and_household_is_a_source(dsmrctl: Run) -> None:
    ran = dsmrctl("telegram", "parse", "frames")
    assert ran.code == 2
    assert "dsmrctl listen" in ran.err
    ran = dsmrctl("telegram", "read", "household", "--count", "1")
    assert ran.out.startswith("/FLU5")


def test_json_csv_and_parquet_exclude_each_other(dsmrctl: Run) -> None:
    assert dsmrctl("telegram", "parse", "--json", "--csv", BELGIAN).code == 2


def test_hostile_text_in_a_telegram_reaches_the_screen_harmless(dsmrctl: Run) -> None:
    from crcmod.predefined import mkPredefinedCrcFun

    evil = b"/XXX5evil\r\n\r\n0-0:96.13.0(1B5D303B6F776E656407)\r\n0-0:99.1.0(\x1b[2J)\r\n!"
    raw = evil + b"%04X\r\n" % mkPredefinedCrcFun("crc-16")(evil)
    ran = dsmrctl("telegram", "decode", "-", stdin=raw)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out


def test_without_crcmods_c_extension_all_still_works_and_it_is_told(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['crcmod._crcfunext'] = None;"
        "from dsmrctl.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "telegram", "parse", BELGIAN],
        capture_output=True,
        text=True,
        env=clean_environment(tmp_path),
    )
    assert ran.returncode == 0
    assert '"crc": "valid"' in ran.stdout
    assert "no C extension" in ran.stderr


def test_several_ports_are_shown_as_a_table_and_none_is_taken(tmp_path: Path) -> None:
    # The edge of the hardware: what the system lists as serial ports.
    program = (
        "import sys; from serial.tools import list_ports, list_ports_common;"
        "ports = [list_ports_common.ListPortInfo(f'/dev/ttyUSB{n}') for n in (0, 1)];"
        "list_ports.comports = lambda: ports;"
        "from dsmrctl.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "telegram", "parse"],
        capture_output=True,
        text=True,
        env=clean_environment(tmp_path),
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "port\tdescription\tserial number" in ran.stderr
    assert "/dev/ttyUSB1" in ran.stderr
    assert "there are 2 serial ports" in ran.stderr


@pytest.fixture(scope="module")
def october_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive over the end of summer time, with noise, another shape and a cut end in it."""
    meter = Meter(Household(datetime(2026, 10, 25, 0, 55, tzinfo=UTC)))
    telegrams = b"".join(meter.telegram(second) for second in range(600))
    one = BELGIAN.read_bytes()
    file = tmp_path_factory.mktemp("archive") / "night.raw"
    file.write_bytes(telegrams[:200_000] + b"noise" + telegrams[200_000:] + one + one[:300])
    return file


@pytest.mark.slow
def test_csv_of_an_archive_is_the_same_by_the_block_and_by_the_telegram(
    october_night: Path, dsmrctl: Run
) -> None:
    by_block = dsmrctl("telegram", "parse", "--csv", october_night)
    by_telegram = dsmrctl("telegram", "parse", "--csv", october_night, "--count", "9999")
    assert by_block == by_telegram
    rows = list(csv.DictReader(io.StringIO(by_block.out)))
    assert len(rows) == 600  # one of 600 is torn by the noise, and one of another shape came
    assert {row["time"][-6:] for row in rows[:598]} == {"+02:00", "+01:00"}


@pytest.mark.slow
def test_parquet_of_an_archive_is_the_same_by_the_block_and_by_the_telegram(
    october_night: Path, dsmrctl: Run, tmp_path: Path
) -> None:
    import polars

    blocks, telegrams = tmp_path / "blocks.parquet", tmp_path / "telegrams.parquet"
    assert dsmrctl("telegram", "parse", "--parquet", blocks, october_night).code == 0
    ran = dsmrctl("telegram", "parse", "--parquet", telegrams, october_night, "--count", "9999")
    assert ran.code == 0
    assert polars.read_parquet(blocks).equals(polars.read_parquet(telegrams))


@pytest.mark.slow
def test_what_came_before_ctrl_c_is_in_the_parquet_file(tmp_path: Path) -> None:
    import polars

    fifo, file = tmp_path / "line", tmp_path / "kept.parquet"
    os.mkfifo(fifo)
    one = BELGIAN.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "dsmrctl", "telegram", "parse", "--parquet", file, fifo],
        stderr=subprocess.PIPE,
        env=clean_environment(tmp_path),
    ) as reader:
        with fifo.open("wb", buffering=0) as writer:
            writer.write(one * 3)
            until(lambda: unread(writer) == 0 and waits(reader))
            reader.send_signal(signal.SIGINT)
            assert reader.wait(20) == 130
        assert reader.stderr
        assert b"Traceback" not in reader.stderr.read()
    assert polars.read_parquet(file).height == 3


def waits(process: subprocess.Popen[bytes]) -> bool:
    """Whether all that came is dealt with: the kernel has the process asleep."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def unread(pipe: IO[bytes]) -> int:
    """Bytes in a pipe that nobody has taken yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.slow
def test_a_parquet_file_that_cannot_be_written_leaves_the_one_there_was(
    dsmrctl: Run, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    ran = dsmrctl("telegram", "parse", "--parquet", tmp_path / "folder", BELGIAN)
    assert ran.code == 1
    assert "is a directory" in ran.err
    file = tmp_path / "month.parquet"
    file.write_text("what was there")
    assert dsmrctl("telegram", "parse", "--parquet", file, "-", stdin=b"~noise~").code == 6
    assert file.read_text() == "what was there"


def test_a_port_on_the_board_that_leads_nowhere_does_not_stand_in_the_way(tmp_path: Path) -> None:
    program = (
        "from serial.tools import list_ports, list_ports_common;"
        "new = list_ports_common.ListPortInfo; board, usb = new('/dev/ttyS0'), new('/dev/ttyX');"
        "usb.vid = 0x0403; list_ports.comports = lambda: [board, usb];"
        "from dsmrctl.telegram.ports import find_port; print(find_port())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "/dev/ttyX\n"
