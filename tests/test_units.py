"""Units: costs and sizes are read as people write them, and printed with both counts."""

import pytest

from search_spaces.units import COSTS, format_cost, format_macs, parse_cost, parse_macs, parse_size


@pytest.mark.parametrize(
    ("text", "macs"),
    [
        ("600M", 600_000_000),
        ("0.6G", 600_000_000),
        ("600m", 600_000_000),
        (" 600 M ", 600_000_000),
        ("600M MACs", 600_000_000),
        ("600MMACs", 600_000_000),
        ("600000000", 600_000_000),
        ("600 MACs", 600),
        ("600MACs", 600),
        ("1 MAC", 1),
        ("1.5K", 1_500),
        ("2T", 2_000_000_000_000),
    ],
)
def test_multiply_adds_are_read(text, macs):
    assert parse_macs(text) == macs


@pytest.mark.parametrize("text", ["1.2GFLOPs", "1.2 GFLOPs", "1.2gflops", "1200M FLOP"])
def test_two_flops_are_one_mac(text):
    assert parse_macs(text) == 600_000_000


@pytest.mark.parametrize("text", ["", "M", "-600M", "600X", "600 MB", "1,2G", "1e9", "600M MACs/s", "nan", "inf"])
def test_other_text_is_refused_and_repeated(text):
    with pytest.raises(ValueError, match="write multiply-adds like 600M") as caught:
        parse_macs(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["0", "0M", "0.4", "1 FLOP"])
def test_a_cost_that_is_no_whole_multiply_add_is_refused(text):
    with pytest.raises(ValueError, match="above 0"):
        parse_macs(text)


@pytest.mark.parametrize(
    ("macs", "text"),
    [
        (1_198_063_616, "1.198 GMACs (2.396 GFLOPs)"),
        (600_000_000, "600 MMACs (1200 MFLOPs)"),
        (12_345, "12.35 KMACs (24.69 KFLOPs)"),
        (7, "7 MACs (14 FLOPs)"),
    ],
)
def test_multiply_adds_are_printed_with_their_flops(macs, text):
    assert format_macs(macs) == text


@pytest.mark.parametrize("macs", [1, 999, 1_000, 98_700, 600_000_000, 1_198_000_000, 3_000_000_000_000])
def test_what_is_printed_reads_as_the_same_cost(macs):
    in_macs, in_flops = format_macs(macs).removesuffix(")").split(" (")
    assert parse_macs(in_macs) == macs
    assert parse_macs(in_flops) == macs


@pytest.mark.parametrize(
    ("text", "size"), [("256x256", (256, 256)), ("1080x1920", (1080, 1920)), (" 3 X 4 ", (3, 4)), ("1x007", (1, 7))]
)
def test_a_size_is_height_then_width(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "256", "256x", "0x256", "256x0", "-1x4", "1.5x2", "2x3x4", "256*256"])
def test_a_size_that_is_none_is_refused_and_repeated(text):
    with pytest.raises(ValueError, match="write HEIGHTxWIDTH in pixels") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("macs", "1.2GFLOPs", 600_000_000),
        ("latency", "25ms", 25.0),
        ("latency", " 0.5 S ", 500.0),
        ("memory", "8MB", 8_000_000),
        ("memory", "1.5 gb", 1_500_000_000),
        ("memory", "100b", 100),
    ],
)
def test_a_cost_is_read_in_the_units_of_its_kind(kind, text, value):
    assert parse_cost(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("macs", "25ms", "write multiply-adds like 600M"),
        ("latency", "25", "write milliseconds like 25ms"),
        ("latency", "8MB", "write milliseconds like 25ms"),
        ("latency", "0ms", "write milliseconds like 25ms"),
        ("memory", "25ms", "write bytes like 8MB"),
        ("memory", "-8MB", "write bytes like 8MB"),
    ],
)
def test_a_cost_of_another_kind_or_of_nothing_is_refused_and_repeated(kind, text, says):
    with pytest.raises(ValueError, match=says) as caught:
        parse_cost(kind, text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [("macs", 600e6, "600 MMACs (1200 MFLOPs)"), ("latency", 25.31, "25.3 ms"), ("memory", 8.388e6, "8.39 MB")],
)
def test_a_cost_is_printed_with_its_unit(kind, value, text):
    assert format_cost(kind, value) == text


def test_every_kind_of_cost_can_be_read_and_printed():
    texts = {"macs": "600M", "latency": "25ms", "memory": "8MB"}
    assert set(COSTS) == set(texts)
    for kind, text in texts.items():
        assert format_cost(kind, parse_cost(kind, text)).split(" ")[0] == str(int(text.rstrip("MBs m")))
