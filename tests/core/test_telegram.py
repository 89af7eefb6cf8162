"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import history
from dsmrctl.firmware.core.crc16 import crc16
from dsmrctl.firmware.core.reader import Reader
from dsmrctl.firmware.core.telegram import LINE, MOST_BYTES, TelegramReader

# A Belgian meter on eMUCS-P1 1.7.1 with gas on channel 2 and water on 1; written for this test.
LINES: tuple[bytes, ...] = (
    b"/FLU5\\253700000_A",
    b"",
    b"0-0:96.1.4(50217)",
    b"0-0:96.1.1(3153414731313030303030303031)",
    b"0-0:1.0.0(260412133626S)",
    b"1-0:1.8.1(000301.548*kWh)",
    b"1-0:1.8.2(000270.014*kWh)",
    b"1-0:2.8.1(000000.005*kWh)",
    b"1-0:2.8.2(999999.999*kWh)",
    b"0-0:96.14.0(0001)",
    b"1-0:1.4.0(02.351*kW)",
    b"1-0:1.6.0(260405134500S)(02.589*kW)",
    b"0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)"
    b"(260401000000S)(260310073000W)(03.695*kW)"
    b"(260301000000W)(632525252525W)(00.000*kW)",
    b"1-0:1.7.0(09.258*kW)",
    b"1-0:2.7.0(00.000*kW)",
    b"1-0:21.7.0(03.100*kW)",
    b"1-0:41.7.0(03.101*kW)",
    b"1-0:61.7.0(03.057*kW)",
    b"1-0:22.7.0(00.000*kW)",
    b"1-0:42.7.0(00.001*kW)",
    b"1-0:62.7.0(00.002*kW)",
    b"1-0:32.7.0(232.9*V)",
    b"1-0:52.7.0(000.0*V)",
    b"1-0:72.7.0(231.0*V)",
    b"1-0:31.7.0(013.27*A)",
    b"1-0:51.7.0(000.01*A)",
    b"1-0:71.7.0(002*A)",
    b"0-0:96.3.10(1)",
    b"0-0:17.0.0(999.9*kW)",
    b"1-0:31.4.0(999*A)",
    b"0-0:96.13.0()",
    b"0-1:24.1.0(007)",
    b"0-1:96.1.1(3853414731323334353637383930)",
    b"0-1:24.2.1(260412133500S)(00872.234*m3)",
    b"0-2:24.1.0(003)",
    b"0-2:24.4.0(1)",
    b"0-2:24.2.3(260412133500S)(00112.384*m3)",
)


def telegram(lines=LINES, end=b"\r\n"):
    body = end.join(lines) + end + b"!"
    return body + f"{crc16(body):04X}".encode() + end


def extended(*more):
    """The telegram with lines behind its own."""
    lines = list(LINES)
    lines.extend(more)
    return telegram(lines)


def changed(code, line):
    """The telegram with the line of this code replaced (None: left out)."""
    lines = [old for old in LINES if not old.startswith(code) or line is not None]
    lines = [line if old.startswith(code) else old for old in lines]
    assert any(old.startswith(code) for old in LINES)
    return telegram(lines)


def reader(data, step=64):
    taken = TelegramReader()
    buf = bytearray(64)
    for i in range(0, len(data), step):
        part = data[i : i + step]
        buf[: len(part)] = part
        taken.feed(buf, len(part))
    return taken


def told(code, line, name):
    """What the telegram with this line instead tells; it stays good whatever the line."""
    taken = reader(changed(code, line))
    assert taken.good == 1, line
    assert taken.values["import_t2_wh"] == 270014
    return taken.objects.get(name)


def counts(taken):
    return (taken.good, taken.bad_crc, taken.cut, taken.too_long)


def test_every_value_in_whole_units():
    taken = reader(telegram())
    assert counts(taken) == (1, 0, 0, 0)
    assert taken.values == {
        "import_t1_wh": 301548,
        "import_t2_wh": 270014,
        "export_t1_wh": 5,
        "export_t2_wh": 999999999,
        "import_w": 9258,
        "export_w": 0,
        "quarter_w": 2351,
        "month_peak_w": 2589,
        "import_l1_w": 3100,
        "import_l2_w": 3101,
        "import_l3_w": 3057,
        "export_l1_w": 0,
        "export_l2_w": 1,
        "export_l3_w": 2,
        "voltage_l1_dv": 2329,
        "voltage_l2_dv": 0,
        "voltage_l3_dv": 2310,
        "current_l1_ca": 1327,
        "current_l2_ca": 1,
        "current_l3_ca": 200,
        "tariff": 1,
        "version": 50217,
        "time_s": 198164186,
        "offset_h": 2,
        "month_peak_time_s": 197559900,
        "gas_dm3": 112384,
        "water_dm3": 872234,
    }


def test_the_time_is_local_with_its_flag_and_utc():
    taken = reader(telegram())
    assert taken.objects.time == (2026, 4, 12, 13, 36, 26, True)
    assert taken.objects.utc_s == 198164186 - 7200
    winter = reader(changed(b"0-0:1.0.0", b"0-0:1.0.0(260412133626W)"))
    assert winter.objects.time == (2026, 4, 12, 13, 36, 26, False)
    assert winter.objects.utc_s == 198164186 - 3600


def test_the_serial_is_text_and_printable():
    assert reader(telegram()).objects.serial == "1SAG1100000001"
    for sent, shown in ((b"1B5B324A41", "[2JA"), (b"", ""), (b"xyz", "xyz"), (b"414", "414")):
        taken = reader(changed(b"0-0:96.1.1", b"0-0:96.1.1(" + sent + b")"))
        assert taken.objects.serial == shown


def test_the_history_is_by_month_and_sorted():
    assert reader(telegram()).objects.peaks == [
        (202602, None, 0),
        (202603, 195291000, 3695),
    ]


def thirteen_months():
    records = b"".join(
        [
            b"(%02d%02d01000000W)(%02d%02d02101500W)(%02d.500*kW)" % (25, m, 25, m, m)
            for m in range(1, 13)
        ]
    )
    records += b"(260101000000W)(251202101500W)(13.500*kW)"
    return b"0-0:98.1.0(13)(1-0:1.6.0)(1-0:1.6.0)" + records


def test_thirteen_months_are_read_in_pieces():
    line = thirteen_months()
    assert len(line) > 2 * LINE
    for around in (b"", b" \0\t"):
        data = changed(b"0-0:98.1.0", around + line + around)
        for step in range(1, 65):
            taken = reader(data, step)
            assert counts(taken) == (1, 0, 0, 0)
            peaks = taken.objects.peaks
            assert [peak[0] for peak in peaks] == [202412] + [202500 + m for m in range(1, 13)]
            assert [peak[2] for peak in peaks][::12] == [1500, 13500]


def test_a_history_captured_within_a_month_is_of_that_month():
    line = b"0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260101000001W)(251202101500W)(01.500*kW)"
    peaks = reader(changed(b"0-0:98.1.0", line)).objects.peaks
    assert [peak[0] for peak in peaks] == [202601]


def test_a_history_is_read_when_it_is_wanted():
    taken = Reader()
    data = changed(b"0-0:98.1.0", thirteen_months())
    taken.feed(data[:-9], len(data) - 9)
    assert (taken.peaks, taken.wanted) == (None, 1)
    taken.feed(data[-9:], 9)
    assert (taken.good, taken.wanted) == (1, 0)
    assert len(history.peaks(taken.peaks)) == 13
    other = telegram()
    taken.feed(other, len(other))
    assert len(history.peaks(taken.peaks)) == 13
    taken.wanted = 1
    taken.feed(other, len(other))
    assert [peak[0] for peak in history.peaks(taken.peaks)] == [202602, 202603]
    taken.wanted = 1
    none = changed(b"0-0:98.1.0", None)
    taken.feed(none, len(none))
    assert (taken.good, taken.peaks, taken.wanted) == (4, None, 0)


def test_a_telegram_cut_in_a_long_line_does_not_cost_the_next():
    for code, line in (
        (b"0-0:98.1.0", thirteen_months()),
        (b"0-0:96.13.0", b"0-0:96.13.0(" + b"3" * 600 + b")"),
    ):
        data = changed(code, line)
        start = data.index(line)
        for end in range(start, start + len(line), 7):
            taken = reader(data[:end] + data)
            assert counts(taken) == (1, 0, 1, 0), data[:end]


def test_a_long_message_may_be_wrapped():
    text = b"3" * 300 + b"\r\nzie /XXX5 " + b"3" * 300 + b"\r\n/XXX5 slot\r\n!ABCD\r\neinde"
    data = changed(b"0-0:96.13.0", b"0-0:96.13.0(" + text + b")")
    for step in (1, 7, 64):
        assert counts(reader(data * 2, step)) == (2, 0, 0, 0)


def test_odd_histories_cost_no_more_than_themselves():
    head = b"0-0:98.1.0"
    record = b"(260401000000S)(260310073000W)(03.695*kW)"
    for line, peaks in (
        (b"(12)", []),
        (b"()", []),
        (b"(0)(1-0:1.6.0)(1-0:1.6.0)()", []),
        (b"(5)(1-0:1.6.0)(1-0:1.6.0)" + record, [3695]),
        (b"(1)(1-0:1.6.0)(1-0:1.6.0)(260401000000S)(260310073000W)(04529*W)", [4529]),
        (b"(1)(1-0:1.6.0)(1-0:1.6.0)(632525252525W)(260310073000W)(04.529*kW)", []),
        (b"(1)(1-0:1.6.0)(1-0:1.6.0)(260401000000S)(260310073000W)(NaN*kW)" + record, [3695]),
        (b"(1)(1-0:1.6.0)(1-0:1.6.0)(632525252525W)(00.000*kW)" + record, [3695]),
        (b"(260401000000)(000123.456*kWh)(000234.567*kWh)", []),
        (b"(1)(1-0:1.6.0)(1-0:1.6.0)" + record[:-5], []),
        (b"(14)(1-0:1.6.0)(1-0:1.6.0)" + record * 14, [3695] * 13),
    ):
        taken = reader(changed(head, head + line))
        assert taken.good == 1
        assert [peak[2] for peak in taken.objects.peaks] == peaks, line


def test_numbers_in_any_form():
    for text, wh in (
        (b"000301.548*kWh", 301548),
        (b"301.5*kWh", 301500),
        (b"301*kWh", 301000),
        (b"000301.54849*kWh", 301548),
        (b"000301.5485*kWh", 301549),
        (b"000301548*Wh", 301548),
        (b"301547.9*Wh", 301548),
        (b"999.9999*kWh", 1000000),
        (b"000000.000", 0),
        (b"0", 0),
        (b"-000001.000*kWh", -1000),
        (b"-000001.0005*kWh", -1001),
    ):
        assert told(b"1-0:1.8.1", b"1-0:1.8.1(" + text + b")", "import_t1_wh") == wh, text


def test_what_is_no_number_is_unknown():
    for text in (
        b"",
        b"NaN*kWh",
        b"*kWh",
        b".*kWh",
        b"12.3.4*kWh",
        b"12.*kWh",
        b".5*kWh",
        b"000301.548*",
        b"000301.548*k",
        b"000301.548*kVArh",
        b"000301.548kWh",
        b"000301.548",
        b"000301.548*m3",
        b"9999999999999*kWh",
        b"(ER11)",
        b"\xff\xfe",
    ):
        assert told(b"1-0:1.8.1", b"1-0:1.8.1(" + text + b")", "import_t1_wh") is None, text


def test_a_line_without_brackets_is_passed_over():
    for line in (b"1-0:1.8.1", b"1-0:1.8.1(", b"()", b":", b")(", b"(1-0:1.8.1(000301.548*kWh)"):
        assert told(b"1-0:1.8.1", line, "import_t1_wh") is None, line


def test_a_last_bracket_that_is_lost_costs_nothing():
    for line in (b"1-0:1.8.1(000301.548*kWh", b"1-0:1.8.1(000301.548*kWh)oops"):
        assert told(b"1-0:1.8.1", line, "import_t1_wh") == 301548, line
    line = b"1-0:1.6.0(260405134500S)(02.589*kW"
    assert told(b"1-0:1.6.0", line, "month_peak_w") == 2589


def test_blanks_around_a_line():
    taken = reader(telegram([LINES[0]] + [b" \t" + line + b" \0\xff\t " for line in LINES[1:]]))
    assert counts(taken) == (1, 0, 0, 0)
    assert taken.values == reader(telegram()).values
    assert taken.objects.serial == "1SAG1100000001"
    assert len(taken.objects.peaks) == 2
    for line in (b"x 1-0:1.8.1(000301.548*kWh)", b"1-0:1.8.1 (000301.548*kWh)"):
        assert told(b"1-0:1.8.1", line, "import_t1_wh") is None, line


def test_any_b_for_electricity():
    line = b"1-1:1.8.1(000301.548*kWh)"
    assert told(b"1-0:1.8.1", line, "import_t1_wh") == 301548


def test_codes_of_another_medium_or_channel_tell_nothing_of_the_house():
    for line in (b"0-0:1.8.1(000301.548*kWh)", b"7-0:1.8.1(000301.548*kWh)"):
        assert told(b"1-0:1.8.1", line, "import_t1_wh") is None, line
    assert told(b"0-0:96.14.0", b"1-0:96.14.0(0001)", "tariff") is None
    taken = reader(changed(b"0-0:96.1.1", b"0-3:96.1.1(41)"))
    assert taken.objects.serial == ""


def test_a_version_in_hex():
    assert told(b"0-0:96.1.4", b"0-0:96.1.4(3231313130)", "version") == 21110
    assert told(b"0-0:96.1.4", b"0-0:96.1.4(323131313Z)", "version") is None


def test_the_first_of_two_counts():
    taken = reader(extended(b"1-0:1.8.1(000999.000*kWh)", b"0-0:96.14.0(0002)"))
    assert taken.objects.get("import_t1_wh") == 301548
    assert taken.objects.get("tariff") == 1


def test_bad_time_stamps_do_not_lose_the_telegram():
    for stamp in (
        b"632525252525S",
        b"700101010000W",
        b"000101000001W",
        b"000000000000",
        b"250000000000W",
        b"260431120000S",
        b"260229120000W",
        b"260412240000S",
        b"260412136000S",
        b"260412133660S",
        b"260412133626X",
        b"26041213362:S",
        b"",
    ):
        assert told(b"0-0:1.0.0", b"0-0:1.0.0(" + stamp + b")", "time_s") is None, stamp
        peak = b"1-0:1.6.0(" + stamp + b")(02.589*kW)"
        assert told(b"1-0:1.6.0", peak, "month_peak_time_s") is None
        assert told(b"1-0:1.6.0", peak, "month_peak_w") == 2589


def test_a_month_peak_without_a_time():
    assert told(b"1-0:1.6.0", b"1-0:1.6.0(02.589*kW)", "month_peak_w") == 2589


def test_a_month_peak_with_its_time_behind_it():
    line = b"1-0:1.6.0(08.796*kW)(260102010000)"
    assert told(b"1-0:1.6.0", line, "month_peak_w") == 8796
    assert told(b"1-0:1.6.0", line, "month_peak_time_s") == 189478800
    assert told(b"1-0:1.6.0", b"1-0:1.6.0(260405134500S)()", "month_peak_time_s") is None


def test_a_clock_without_its_flag_is_not_trusted():
    # The hour of October that comes twice would be one.
    assert told(b"0-0:1.0.0", b"0-0:1.0.0(260412133626)", "time_s") is None


def test_a_leap_day_is_a_date():
    stamp = b"0-0:1.0.0(280229120000W)"
    taken = reader(changed(b"0-0:1.0.0", stamp))
    assert taken.objects.time == (2028, 2, 29, 12, 0, 0, False)


def test_the_medium_is_told_by_its_own_channel():
    lines = [line for line in LINES if not line.startswith(b"0-2:24.1.0")]
    taken = reader(telegram(lines))
    assert (taken.objects.get("gas_dm3"), taken.objects.get("water_dm3")) == (None, 872234)


def test_the_medium_may_come_behind_its_reading():
    lines = list(LINES)
    lines[-3], lines[-1] = lines[-1], lines[-3]
    taken = reader(telegram(lines))
    assert taken.objects.get("gas_dm3") == 112384


def test_heat_is_neither_gas_nor_water():
    taken = reader(changed(b"0-2:24.1.0", b"0-2:24.1.0(004)"))
    assert taken.objects.get("gas_dm3") is None


def test_a_dead_channel_leaves_the_live_one_of_its_kind():
    for dead in (b"(632525252525S)(00000.000*m3)", b"(632525252525S)(00000.000)", b"()", b"()()"):
        lines = list(LINES)
        lines[-6:-3] = [b"0-1:24.1.0(003)", b"0-1:24.2.3" + dead]
        taken = reader(telegram(lines))
        assert taken.good == 1
        assert taken.objects.get("gas_dm3") == 112384, dead


def test_a_dead_channel_alone_has_no_reading():
    for dead in (
        b"(700101010000W)(00000000)",
        b"(632525252525S)(00000.000*m3)",
        b"(000000000000)(0)",
        b"(260412133500S)()",
        b"(00000.000*m3)",
    ):
        taken = reader(changed(b"0-2:24.2.3", b"0-2:24.2.3" + dead))
        assert taken.good == 1
        assert taken.objects.get("gas_dm3") is None, dead
        assert taken.objects.get("water_dm3") == 872234


def test_a_new_meter_that_has_counted_nothing_is_alive():
    for zero in (b"00000.000*m3", b"00000000"):
        line = b"0-2:24.2.3(260412133500S)(" + zero + b")"
        assert told(b"0-2:24.2.3", line, "gas_dm3") == 0


def test_of_two_gas_meters_the_newest_reading_counts():
    old, late, undated = b"240101000000W", b"260412133500S", b"632525252525W"
    for first, second, dm3 in (
        (old, late, 2000),
        (late, old, 1000),
        (late, late, 1000),
        (undated, old, 2000),
        (old, undated, 1000),
        (undated, undated, 1000),
    ):
        lines = list(LINES)
        lines[-6:-3] = [b"0-1:24.1.0(003)", b"0-1:24.2.3(" + first + b")(00001.000*m3)"]
        lines[-1] = b"0-2:24.2.3(" + second + b")(00002.000*m3)"
        taken = reader(telegram(lines))
        assert taken.objects.get("gas_dm3") == dm3, (first, second)
        assert taken.objects.get("water_dm3") is None


def test_a_reading_on_either_code_of_a_channel_and_in_either_order():
    dead = b"0-2:24.2.1(632525252525W)(00000.000*m3)"
    for line in (
        b"0-2:24.2.3(260412133500S)(00112.384*m3)",
        b"0-2:24.2.1(00112.384*m3)(260412133500S)",
    ):
        for pair in ([dead, line], [line, dead]):
            taken = reader(telegram(list(LINES[:-1]) + pair))
            assert taken.objects.get("gas_dm3") == 112384, pair


def test_a_reading_without_a_date_is_better_than_none():
    taken = reader(changed(b"0-2:24.2.3", b"0-2:24.2.3(632525252525S)(00112.384*m3)"))
    assert taken.objects.get("gas_dm3") == 112384


def test_any_slicing_gives_the_same():
    data = telegram()
    whole = reader(data).values
    for step in range(1, 65):
        taken = reader(data * 2, step)
        assert counts(taken) == (2, 0, 0, 0)
        assert taken.values == whole
    taken = TelegramReader()
    assert taken.feed(memoryview(data * 3)) == 3
    assert taken.feed(data * 3) == 3


def test_feed_says_when_a_telegram_is_complete():
    taken = TelegramReader()
    data = telegram()
    ends = [taken.feed(data[i : i + 1]) for i in range(len(data))]
    assert ends == [0] * (len(data) - 1) + [1]


def test_nothing_is_taken_over_before_the_crc_holds():
    taken = reader(telegram())
    second = changed(b"1-0:1.8.1", b"1-0:1.8.1(000302.000*kWh)")
    taken.feed(second[:-2])
    assert taken.objects.get("import_t1_wh") == 301548
    taken.feed(second[-2:])
    assert taken.objects.get("import_t1_wh") == 302000


def test_a_value_that_is_gone_is_unknown():
    taken = reader(telegram() + changed(b"1-0:1.8.1", None))
    assert taken.good == 2
    assert taken.objects.get("import_t1_wh") is None


def test_a_wrong_byte_drops_the_telegram_and_leaves_the_values():
    data = telegram()
    taken = reader(data)
    wrong = data.replace(b"301.548", b"301.549")
    taken.feed(wrong)
    assert counts(taken) == (1, 1, 0, 0)
    assert taken.bad == 1
    assert taken.objects.get("import_t1_wh") == 301548


def test_a_crc_in_small_letters_or_without_its_zeros():
    data = telegram()
    assert reader(data[:-6] + data[-6:].lower()).good == 1
    short = 0
    for n in range(64):
        data = extended(b"0-0:96.13.1(%02d)" % n)
        if data[-6:-5] == b"0":
            short += 1
            assert reader(data[:-6] + data[-5:]).good == 1
    assert short


def test_a_telegram_without_a_crc_is_not_trusted():
    assert counts(reader(telegram()[:-6] + b"\r\n")) == (0, 1, 0, 0)


def test_lines_that_lost_their_cr_on_the_way():
    data = telegram().replace(b"\r\n", b"\n")
    for step in (1, 7, 64):
        assert counts(reader(data, step)) == (1, 0, 0, 0)


def test_lines_that_never_had_one():
    assert counts(reader(telegram(LINES, b"\n"))) == (1, 0, 0, 0)


def test_no_blank_line_and_blanks_in_the_ident():
    lines = list(LINES[1:])
    lines[0] = b"/Ene5\\XS210 ESMR 5.0"
    assert reader(telegram(lines)).good == 1


def test_noise_before_and_after():
    data = telegram()
    for noise in (
        b"\xff",
        b"\x00\x00",
        b"\r\n",
        b"0-0:96.13.0()\r\n!",
        b"x/y\r\n",
        b"//",
        b"/" * 90,
    ):
        taken = reader(noise + data + noise + data)
        assert taken.good == 2, noise


def test_a_start_in_the_middle():
    data = telegram()
    for start in range(1, len(data), 37):
        taken = reader(data[start:] + data)
        assert taken.good == 1
        assert taken.bad == 0
        assert taken.garbage == len(data) - start


def test_a_cut_telegram_does_not_cost_the_next():
    data = telegram()
    for end in range(30, len(data) - 6, 11):
        taken = reader(data[:end] + data)
        assert taken.good == 1, data[:end]
        assert taken.bad == 1


def test_marks_inside_a_message_end_nothing():
    for text in (b"a/b!c", b"/ISK5x", b"31\r\n!what\r\n32", b"x\r\n/y\r\n!\x1b[2J", b"a\n!z\r\n"):
        taken = reader(changed(b"0-0:96.13.0", b"0-0:96.13.0(" + text + b")"))
        assert counts(taken) == (1, 0, 0, 0), text


def test_lines_of_a_message_that_look_like_an_end_or_a_header():
    for text in (
        b"Let op\r\n!ABCD\r\n/XXX5 einde",
        b"Let op\r\n!ABCD\r\n!EF01\r\neinde",
        b"Let op\r\n!\r\neinde",
        b"Let op\r\n/XXX5 midden\r\neinde",
        b"Let op\r\nzie /XXX5 midden\r\neinde",
    ):
        data = changed(b"0-0:96.13.0", b"0-0:96.13.0(" + text + b")")
        for step in (1, 64):
            taken = reader(data * 2, step)
            assert counts(taken) == (2, 0, 0, 0), text
            assert taken.bad == 0
        # And when it is damaged, the next one is not.
        taken = reader(data.replace(b"301.548", b"301.549") + data)
        assert taken.good == 1, text
        assert taken.bad == 1


def test_a_damaged_telegram_does_not_cost_the_next():
    data = telegram()
    for at in range(0, len(data), 3):
        wrong = bytearray(data)
        wrong[at] ^= 1
        taken = reader(bytes(wrong) + data * 2)
        # With its "/", its last bracket or its end more is gone than one byte; never two telegrams.
        assert taken.good >= 2, bytes(wrong[at - 20 : at + 20])
        assert taken.bad == 3 - taken.good or taken.garbage


def test_a_long_message_is_summed_and_passed_over():
    for length in (700, LINE - 15, LINE - 14, LINE, 2048, 4096):
        line = b"0-0:96.13.0(" + b"3" * length + b")"
        taken = reader(changed(b"0-0:96.13.0", line))
        assert counts(taken) == (1, 0, 0, 0), length
        assert taken.objects.get("gas_dm3") == 112384


def test_a_telegram_without_an_end():
    endless = LINES[0] + b"\r\n\r\n" + b"1-0:1.8.1(000301.548*kWh)\r\n" * (MOST_BYTES // 27 + 1)
    taken = reader(endless + telegram())
    assert counts(taken) == (1, 0, 0, 1)


def test_a_hundred_thousand_bytes_of_noise():
    taken = TelegramReader()
    noise = bytearray([(i * 167 + 13) & 255 for i in range(64)])
    for _ in range(1563):
        taken.feed(noise)
    taken.feed(b"\r\n" + telegram())
    assert taken.good == 1
