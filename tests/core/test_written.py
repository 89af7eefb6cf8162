"""Runs on CPython and, by on_micropython.py, on MicroPython."""

from dsmrctl.firmware.core import frame, sealed, sending, signature, written

MANUAL = b'{"dsmr":[83125000,27689000,0,0,1,11,2]}'
OURS = b'{"v":2,"dsmr":[83125000,27689000,3210,0,1,11,2,4065,1840,2200]}'
# The test vector of docs/protocol.md.
KEY = b"a key of 16 byte"
N = 214272000
SIGNED = (
    b'{"v":2,"dsmr":[83125000,27689000,3210,0,1,11,2,4065,1840,2200],'
    b'"n":214272000,"m":"0PaEa/uSehs="}'
)
TAG = b'"m":"0PaEa/uSehs="}'


def elements(text):
    return b'{"dsmr":[' + text + b"]}"


def with_rest(rest):
    return OURS[:-1] + rest


def as_json(data):
    """By frame's own path, which reads any JSON: a blank before it is no form of ours."""
    try:
        found = frame.read(b" " + data)
    except frame.FrameError:
        return None
    return found.version, list(found.values + found.tail), found.n


def test_the_manuals_sample():
    assert written.read(MANUAL) == (1, [83125000, 27689000, 0, 0, 1, 11, 2], None)


def test_ours_and_ours_signed():
    values = [83125000, 27689000, 3210, 0, 1, 11, 2, 4065, 1840, 2200]
    assert written.read(OURS) == (2, values, None)
    assert written.read(SIGNED) == (2, values, N)


def test_every_frame_that_is_built_is_read():
    for big in (0, 1, 9, 10, 99999, 999999999):
        for power in (0, 7, 99999):
            for tariff in (1, 2):
                for clock in (0, 9, 59):
                    values = [big, big, power, power, tariff, clock, clock, big, big, big]
                    assert written.read(frame.build(values)) == (2, values, None)
                    assert written.read(frame.build(values, 1)) == (1, values[:7], None)
                    data = sending.build(values)
                    assert data is not None
                    assert written.read(sending.sign(data, KEY, big)) == (2, values, big)


def test_of_version_2_powers_above_99999_are_powers():
    values = [1, 2, 100000, 999999999, 1, 5, 6, 7, 8, 9]
    assert written.read(frame.build(values)) == (2, values, None)


def test_more_elements_than_the_manual_shows_are_foreign():
    assert written.read(elements(b"1,2,3,4,1,5,6,7")) == (0, [1, 2, 3, 4, 1, 5, 6, 7], None)
    found = written.read(elements(b"1,2,3,4,1,5,6,7,8,9"))
    assert found is not None
    assert found[0] == 0


def test_a_version_2_frame_may_grow():
    data = b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8,9,10]}'
    assert written.read(data) == (2, [1, 2, 3, 4, 1, 5, 6, 7, 8, 9, 10], None)


def test_too_few_are_none():
    assert written.read(elements(b"1,2,3,4,1,5")) is None
    assert written.read(elements(b"")) is None
    assert written.read(b'{"v":2,"dsmr":[1,2,3,4,1,5,6,7,8]}') is None
    assert written.read(b'{"v":2,"dsmr":[1,2,3,4,1,5,6]}') is None


def test_the_tariff_is_1_or_2():
    for tariff, good in ((b"0", False), (b"1", True), (b"2", True), (b"3", False)):
        assert (written.read(elements(b"1,2,3,4," + tariff + b",5,6")) is not None) == good


def test_the_clock_is_a_clock():
    assert written.read(elements(b"1,2,3,4,1,59,59"))
    assert written.read(elements(b"1,2,3,4,1,60,0")) is None
    assert written.read(elements(b"1,2,3,4,1,0,60")) is None


def test_powers_that_look_like_registers_are_refused():
    assert written.read(elements(b"1,2,99999,99999,1,5,6"))
    assert written.read(elements(b"1,2,100000,4,1,5,6")) is None
    assert written.read(elements(b"1,2,3,100000,1,5,6")) is None
    assert written.read(elements(b"1,2,3,100000,1,5,6,7")) is None
    assert written.read(elements(b"1,2,100000,4,1,5,6,7")) is None


def test_only_whole_numbers_of_at_most_nine_digits():
    assert written.read(elements(b"999999999,2,3,4,1,5,6"))
    for wrong in (
        b"1000000000", b"0999999999", b"03", b"00", b"-3", b"+3", b"3.0", b"3e1", b"", b" 3",
        b"3 ", b"true", b"null", b'"3"', b"[3", b"0x3", b"3_0", b"\xd9\xa3", b"\xb2",
    ):  # fmt: skip
        assert written.read(elements(wrong + b",2,3,4,1,5,6")) is None, wrong
        assert written.read(elements(b"1,2," + wrong + b",4,1,5,6")) is None, wrong
        assert written.read(elements(b"1,2,3,4,1,5," + wrong)) is None, wrong
    assert written.read(elements(b"0,0,0,0,1,0,0")) == (1, [0, 0, 0, 0, 1, 0, 0], None)


def test_what_is_written_otherwise_is_left_to_frame():
    for data in (
        b"", b"{", b"hello", b'{"dsmr":[', b'{"v":2,"dsmr":[', b" " + MANUAL, MANUAL + b" ",
        MANUAL[:-1], MANUAL[:-2], MANUAL + b"}", MANUAL.replace(b":", b": "), OURS[:-1],
        OURS.replace(b"2,", b"2, "), b'{"v":1' + OURS[6:], b'{"v":3' + OURS[6:],
        b'{"V":2' + OURS[6:], b'{"dsmR"' + MANUAL[7:], b'{"dsmr":[1],"v":2}', OURS + OURS,
        b'{"dsmr":[1,2,3,4,1,5,6],"x":5}', b"\xef\xbb\xbf" + MANUAL,
    ):  # fmt: skip
        assert written.read(data) is None, data


def test_the_rest_of_a_signed_frame_is_counter_and_tag():
    assert with_rest(b',"n":214272000,' + TAG) == SIGNED
    for rest in (
        b',"n":214272000}', b"," + TAG, b',"n":,' + TAG, b',"n":-1,' + TAG, b',"n":01,' + TAG,
        b',"n":1.0,' + TAG, b',"n":"1",' + TAG, b',"N":1,' + TAG, b',"n":1,"M"' + TAG[3:],
        b',"n":1,' + TAG + b" ", b',"n":1,' + TAG[:-1], b',"n":1,' + TAG[:-2] + b"x}",
        b',"n":1, ' + TAG, b' ,"n":1,' + TAG, b',"n":1,' + TAG[:6] + TAG[5:],
        b',"n":1,' + TAG[:5] + TAG[6:],
    ):  # fmt: skip
        assert written.read(with_rest(rest)) is None, rest


def test_a_tag_has_twelve_characters_however_short_the_counter():
    for rest in (b',"n":5,"m":"}', b',"n":5,"m":""}', b',"n":","m":"}', b',"n":"}'):
        assert written.read(with_rest(rest)) is None, rest
    for size in range(30):
        data = with_rest(b',"n":5,"m":"' + b"a" * size + b'"}')
        assert (written.read(data) is not None) == (size == 12), size


def test_a_tag_that_is_no_json_text_is_refused():
    for wrong in (b'"', b"\\", b"\n", b"\0", b"\x1f", b"\x80", b"\xff"):
        for place in (0, 5, 11):
            tag = b"a" * place + wrong + b"a" * (11 - place)
            assert written.read(with_rest(b',"n":5,"m":"' + tag + b'"}')) is None, tag
    for right in (b"/", b"+", b"="):
        tag = right * 12
        assert written.read(with_rest(b',"n":5,"m":"' + tag + b'"}')), tag


def test_a_counter_is_below_2_to_the_30():
    assert written.COUNTERS == 1 << 30
    for text, n in (
        (b"0", 0), (b"1", 1), (b"214272000", N), (b"1073741823", (1 << 30) - 1),
        (b"1073741824", None), (b"9999999999", None), (b"10000000000", None), (b"00", None),
        (b"01", None), (b"", None), (b"-1", None), (b"1 ", None), (b"1.0", None), (b"x", None),
    ):  # fmt: skip
        assert written.counter(text) == n, text
        data = with_rest(b',"n":' + text + b"," + TAG)
        found = written.read(data)
        assert (found and found[2]) == n, text


def test_one_changed_byte_is_refused_or_is_what_json_says():
    for data in (MANUAL, OURS, SIGNED, elements(b"1,2,3,4,1,5,6,7")):
        for place in range(len(data)):
            for other in b'0129-.,:[]{}"\\ \n\x7f\xff':
                changed = data[:place] + bytes([other]) + data[place + 1 :]
                found = written.read(changed)
                assert found is None or found == as_json(changed), changed


def test_one_byte_less_or_more_is_refused_or_is_what_json_says():
    for data in (MANUAL, OURS, SIGNED):
        for place in range(len(data) + 1):
            for more in (b"0", b"7", b",", b'"', b"]", b"}"):
                changed = data[:place] + more + data[place:]
                found = written.read(changed)
                assert found is None or found == as_json(changed), changed
            changed = data[:place] + data[place + 1 :]
            found = written.read(changed)
            assert found is None or found == as_json(changed), changed


def test_frame_says_the_same_by_either_path():
    for data in (MANUAL, OURS, SIGNED, elements(b"1,2,3,4,1,5,6,7,8,9")):
        found = written.read(data)
        assert found is not None
        assert found == as_json(data)
        taken = frame.read(data)
        assert (taken.version, list(taken.values + taken.tail), taken.n) == found


# Who signed it


def test_a_signed_frames_counter():
    assert sealed.n_of(SIGNED, KEY) == N
    for n in (0, 1, 9, 10, (1 << 30) - 1):
        assert sealed.n_of(signature.sign(OURS, KEY, n), KEY) == n


def test_another_key_or_none():
    assert sealed.n_of(SIGNED, b"another key of 16") is None
    for data in (OURS, MANUAL, b"", SIGNED + b" ", SIGNED[:-1], b'{"v":2}', SIGNED[-20:]):
        assert sealed.n_of(data, KEY) is None, data


def test_any_changed_byte_breaks_the_seal():
    for place in range(len(SIGNED)):
        for change in (1, 2, 32, 128):
            changed = bytearray(SIGNED)
            changed[place] ^= change
            assert sealed.n_of(bytes(changed), KEY) is None, changed


def test_a_good_tag_over_no_counter_is_no_signed_frame():
    for head in (OURS[:-1], OURS[:-1] + b',"n":', OURS[:-1] + b',"n":01', OURS[:-1] + b',"x":5'):
        data = head + b',"m":"' + sending.tag(head, KEY) + b'"}'
        assert sealed.n_of(data, KEY) is None, data
    head = OURS[:-1] + b',"n":1073741824'
    assert sealed.n_of(head + b',"m":"' + sending.tag(head, KEY) + b'"}', KEY) is None
