"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import frame, sending
from dsmrctl.firmware.core.frame import FrameError
from dsmrctl.firmware.core.layout import check_layout

MANUAL = b'{"dsmr":[83125000,27689000,0,0,1,11,2]}'
OURS = b'{"v":2,"dsmr":[83125000,27689000,3210,0,1,11,2,4065,1840,2200]}'


def refusal(data, layout=None):
    try:
        frame.read(data, layout)
    except FrameError as error:
        return error.reason
    return None


def failure(function, *arguments):
    try:
        function(*arguments)
    except FrameError as error:
        return error.reason
    except ValueError as error:
        return str(error)
    return ""


def elements(text):
    return b'{"dsmr":[' + text + b"]}"


def test_the_manuals_sample_is_version_1():
    taken = frame.read(MANUAL)
    assert (taken.version, taken.values, taken.tail, taken.n) == (
        1,
        (83125000, 27689000, 0, 0, 1, 11, 2),
        (),
        None,
    )
    assert (taken.import_t1_wh, taken.tariff, taken.minute, taken.second) == (83125000, 1, 11, 2)
    assert taken.month_peak_w is None


def test_version_2_says_so_and_has_the_peaks():
    taken = frame.read(OURS)
    assert taken.version == 2
    assert (taken.import_w, taken.export_w) == (3210, 0)
    assert (taken.month_peak_w, taken.quarter_w, taken.last_quarter_w) == (4065, 1840, 2200)


def test_what_is_built_is_read():
    values = (83125000, 27689000, 3210, 0, 1, 11, 2, 4065, 1840, 2200)
    assert frame.build(values) == OURS
    assert frame.read(frame.build(values)).values == values
    assert frame.build((83125000, 27689000, 0, 0, 1, 11, 2), 1) == MANUAL


def test_unknown_is_written_as_0():
    assert frame.build((1, 2, 3, 4, 2, 5, 6, None, None, None)).endswith(b",0,0,0]}")


def test_version_1_is_written_from_ten_values_too():
    assert frame.build((1, 2, 3, 4, 2, 5, 6, 7, 8, 9), 1) == b'{"dsmr":[1,2,3,4,2,5,6]}'


def test_nothing_is_built_that_a_reader_refuses():
    assert failure(frame.build, (1, 2, 3, 4, 1, 5)) == "too-few"
    assert failure(frame.build, (1, 2, 3, 4, 1, 5, 6, 7, 8)) == "too-few"
    assert failure(frame.build, (1, 2, 3, 4, 1, 60, 6), 1) == "clock"
    assert failure(frame.build, (1, 2, 3, 4, 3, 6, 6), 1) == "tariff"
    assert failure(frame.build, (1, 2, 3, 4, None, 6, 6), 1) == "tariff"
    assert failure(frame.build, (1, 2, 3, -4, 1, 6, 6), 1) == "negative"
    assert failure(frame.build, (1, 2, 3, True, 1, 6, 6), 1) == "not-integer"
    assert failure(frame.build, (1, 2, 3, "4", 1, 6, 6), 1) == "not-integer"
    assert failure(frame.build, (1000000000, 2, 3, 4, 1, 6, 6), 1) == "not-integer"
    assert failure(frame.build, (1, 2, 100000, 4, 1, 6, 6), 1) == "looks-like-registers"
    assert failure(frame.build, (1, 2, 3, 4, 1, 5, 6, 7, 8, 9), 3) == "version"


def test_more_than_seven_without_a_version_is_foreign_and_its_tail_no_peak():
    taken = frame.read(elements(b"1,2,3,4,1,5,6,7000,8000,9000"))
    assert taken.version == 0
    assert taken.values == (1, 2, 3, 4, 1, 5, 6)
    assert taken.tail == (7000, 8000, 9000)
    assert taken.month_peak_w is None


def test_a_version_2_frame_may_grow():
    taken = frame.read(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9,10]}')
    assert (taken.version, taken.last_quarter_w, taken.tail) == (2, 9, (10,))


def test_too_few_elements():
    assert refusal(elements(b"")) == "too-few"
    assert refusal(elements(b"1,2,3,4,1,5")) == "too-few"
    assert refusal(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8]}') == "too-few"


def test_a_newer_version_is_refused():
    for version in (b"0", b"1", b"3", b"2.0", b'"2"', b"null", b"02"):
        assert refusal(b'{"v":' + version + b',"dsmr":[1,2,3,4,1,5,6,7,8,9]}') == "version"


def test_the_tariff_is_1_or_2():
    assert refusal(elements(b"1,2,3,4,2,5,6")) is None
    assert refusal(elements(b"1,2,3,4,0,5,6")) == "tariff"
    assert refusal(elements(b"1,2,3,4,3,5,6")) == "tariff"


def test_the_clock_is_a_clock():
    assert refusal(elements(b"1,2,3,4,1,59,59")) is None
    assert refusal(elements(b"1,2,3,4,1,60,0")) == "clock"
    assert refusal(elements(b"1,2,3,4,1,0,60")) == "clock"


def test_nothing_is_negative():
    assert refusal(elements(b"1,2,-3,4,1,5,6")) == "negative"
    assert refusal(elements(b"1,2,3,4,1,-1,6")) == "negative"


def test_only_whole_numbers():
    for value in (b"3.0", b"3e1", b"true", b"null", b'"3"', b"[3]", b"{}", b"0x3", b"+3", b"03"):
        assert refusal(elements(b"1,2," + value + b",4,1,5,6")) == "not-integer", value
    for value in (b"NaN", b"Infinity", b"3 4", b"1_0"):
        assert refusal(elements(b"1,2," + value + b",4,1,5,6")) == "not-integer", value


def test_nine_digits_as_a_register_has():
    assert refusal(elements(b"999999999,2,3,4,1,5,6")) is None
    assert refusal(elements(b"1000000000,2,3,4,1,5,6")) == "not-integer"
    assert refusal(elements(b"1" * 400 + b",2,3,4,1,5,6")) == "not-integer"


def test_powers_that_look_like_registers():
    assert refusal(elements(b"1,2,99999,99999,1,5,6")) is None
    assert refusal(elements(b"1,2,100000,4,1,5,6")) == "looks-like-registers"
    assert refusal(elements(b"1,2,3,100000,1,5,6")) == "looks-like-registers"
    assert refusal(elements(b"1,2,3,100000,1,5,6,7")) == "looks-like-registers"
    assert refusal(b'{"v":2,"dsmr":[1,2,100000,100000,1,5,6,7,8,9]}') is None


def test_a_layout_names_the_elements():
    layout = ("import_t1_wh", "import_t2_wh", "export_t1_wh", "export_t2_wh", "tariff", "-")
    taken = frame.read(elements(b"1,2,5000000,6000000,1,77,88"), layout)
    assert taken.version == 0
    assert taken.get("export_t2_wh") == 6000000
    assert (taken.tariff, taken.import_w, taken.minute) == (1, None, None)
    assert taken.tail == (88,)
    assert refusal(elements(b"1,2,3,4,3,77"), layout) == "tariff"
    assert refusal(elements(b"1,2,3,4,1"), layout) == "too-few"


def test_a_layout_leaves_version_2_alone():
    assert frame.read(OURS, ("tariff",)).import_w == 3210


def test_a_layout_is_checked():
    assert check_layout(["tariff", "-", "-"]) == ("tariff", "-", "-")
    assert failure(check_layout, [])
    assert "twice" in failure(check_layout, ["tariff", "tariff"])
    assert "gas" in failure(check_layout, ["gas"])


def test_a_field_that_is_not_there_is_none():
    taken = frame.read(MANUAL)
    assert taken.get("second") == 2
    assert taken.get("month_peak_w") is None
    assert taken.get("nonsense") is None


def test_blanks_and_unknown_members_are_passed_over():
    for data in (
        b' { "dsmr" : [ 1 , 2,3,4,1,5,\t6 ] } \r\n',
        b'{"x":{"dsmr":[1],"a":[{}]},"dsmr":[1,2,3,4,1,5,6]}',
        b'{"dsmr":[1,2,3,4,1,5,6],"x":"]}, \\" \\u0041"}',
        b'{"dsmr":[1,2,3,4,1,5,6],"x":true,"y":null,"z":-1.5e3}',
        b'{"dsmr":[1,2,3,4,1,5,6],"n":5}',
        '{"x":"é€","dsmr":[1,2,3,4,1,5,6]}'.encode(),
    ):
        assert frame.read(data).values == (1, 2, 3, 4, 1, 5, 6), data


def test_what_is_no_json_object():
    for data in (
        b"",
        b"hello",
        b"[1,2,3,4,1,5,6]",
        b'"dsmr"',
        b"{}}",
        b"{",
        b'{"dsmr":[1,2,3,4,1,5,6]',
        b'{"dsmr":[1,2,3,4,1,5,6}]',
        b'{"dsmr":[1,2,3,4,1,5,6]}x',
        b'{"dsmr":[1,2,3,4,1,5,6]}{}',
        b'{"dsmr":[1,2,3,4,1,5,6],}',
        b'{"dsmr":[1,2,3,4,1,5,6,]}',
        b'{"dsmr":[1,2,,4,1,5,6]}',
        b'{"dsmr" [1,2,3,4,1,5,6]}',
        b"{'dsmr':[1,2,3,4,1,5,6]}",
        b"{dsmr:[1,2,3,4,1,5,6]}",
        b'{"dsmr":[1,2,3,4,1,5,6],"x":}',
        b'{"dsmr":[1,2,3,4,1,5,6],"x":NaN}',
        b'{"dsmr":[1,2,3,4,1,5,6],"x":"\n"}',
        b'{"dsmr":[1,2,3,4,1,5,6],\x00"x":1}',
        b'\xef\xbb\xbf{"dsmr":[1,2,3,4,1,5,6]}',
    ):
        assert refusal(data) == "not-json", data


def test_a_member_twice_is_refused():
    assert refusal(b'{"dsmr":[1,2,3,4,1,5,6],"dsmr":[1,2,3,4,1,5,6]}') == "not-json"
    assert refusal(b'{"v":2,"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9]}') == "not-json"


def test_deep_nesting_is_refused_not_followed():
    for depth in (8, 100, 250):
        assert refusal(b'{"dsmr":' + b"[" * depth + b"]" * depth + b"}") == "not-json"
    assert refusal(b"[" * 512) == "not-json"
    assert refusal(b'{"a":' * 100) == "not-json"


def test_no_array():
    assert refusal(b"{}") == "no-array"
    assert refusal(b'{"v":2}') == "no-array"
    assert refusal(b'{"dsmr":5}') == "no-array"
    assert refusal(b'{"dsmr":{"0":1}}') == "no-array"
    assert refusal(b'{"x":{"dsmr":[1,2,3,4,1,5,6]}}') == "no-array"


def test_not_utf8():
    assert refusal(b"\xff") == "not-utf8"
    assert refusal(b'{"dsmr":[1,2,3,4,1,5,6],"x":"\xff"}') == "not-utf8"


def test_512_bytes_and_not_one_more():
    assert refusal(MANUAL + b" " * (512 - len(MANUAL))) is None
    assert refusal(MANUAL + b" " * (513 - len(MANUAL))) == "too-long"


def test_control_characters_never_reach_the_reason():
    assert refusal(b'{"\x1b[2J":1}') == "not-json"


def test_every_reason_is_in_the_list():
    assert len(frame.REASONS) == 13
    for data in (b"", b"\xff", b"{}", MANUAL * 20, elements(b"1")):
        assert refusal(data) in frame.REASONS


def test_it_reads_what_a_socket_gives():
    assert frame.read(bytearray(MANUAL)).version == 1
    assert frame.read(memoryview(MANUAL)).version == 1


def test_a_sending_board_builds_the_same_or_nothing():
    values = [83125000, 27689000, 3210, 0, 1, 11, 2, 4065, 1840, 2200]
    assert sending.build(values) == frame.build(values) == OURS
    assert sending.build(values[:9] + [None]) == frame.build(values[:9] + [None])
    for place, wrong in ((4, None), (4, 3), (2, -1), (0, 1000000000)):
        refused: list = values[:]
        refused[place] = wrong
        assert sending.build(refused) is None
        assert failure(frame.build, refused)
