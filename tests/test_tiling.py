"""Tiling: the loops of docs/tiling, compiled where a compiler is, give what enhance gives; the rule in a file."""

import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor

from compress.bench.latency import _write_onnx_by_tracing
from compress.runtime.about import TILES_KEY, texts_of
from compress.runtime.rule import TileRule, rule_from_text, rule_of, rule_text
from compress.runtime.runtimes import Runtime, in_pytorch, load
from compress.runtime.tiles import enhance
from lpienas.networks import load as load_network
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.receptive import receptive_radius
from search_spaces.sides import on_any_size

LOOPS = Path(__file__).parent.parent / "docs" / "tiling"
# Both ask for the network over standard input and output: "T" and a tile to be enhanced, at the end "R" and the result.
CPP = """
#include "tiles.hpp"
#include <cstdio>
#include <cstdlib>

int main(int, char** words) {
    const auto number = [&](int at) { return std::atoi(words[at]); };
    const lpienas::Size size{number(1), number(2)}, tile{number(3), number(4)};
    const lpienas::Rule rule{number(5), number(6), number(7)};
    std::vector<float> image(static_cast<std::size_t>(size.height) * size.width * 3);
    if (std::fread(image.data(), 4, image.size(), stdin) != image.size()) return 1;
    const auto say = [](char what, const std::vector<float>& values) {
        std::fputc(what, stdout);
        std::fwrite(values.data(), 4, values.size(), stdout);
        std::fflush(stdout);
    };
    say('R', lpienas::enhance(image, size, tile, rule, [&](const std::vector<float>& given) {
        say('T', given);
        std::vector<float> made(given.size());
        if (std::fread(made.data(), 4, made.size(), stdin) != made.size()) std::exit(1);
        return made;
    }));
}
"""
KOTLIN = """
import java.io.DataInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import lpienas.*

val given = DataInputStream(System.`in`)

fun read(count: Int): FloatArray {
    val bytes = ByteArray(4 * count)
    given.readFully(bytes)
    return FloatArray(count).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
}

fun say(what: Char, values: FloatArray) {
    val bytes = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
    bytes.asFloatBuffer().put(values)
    System.out.write(what.code)
    System.out.write(bytes.array())
    System.out.flush()
}

fun main(words: Array<String>) {
    val numbers = words.map { it.toInt() }
    val size = Size(numbers[0], numbers[1])
    val rule = Rule(numbers[4], numbers[5], numbers[6])
    say('R', enhance(read(size.height * size.width * 3), size, Size(numbers[2], numbers[3]), rule) { tile ->
        say('T', tile)
        read(tile.size)
    })
}
"""


@pytest.fixture(scope="module")
def network() -> LPIENet:
    stages = (Stage(depth=1, width=4, attention="none"),) * 5
    return build(Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3")), seed=0).eval()


@pytest.fixture(scope="module")
def in_cpp(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    folder = tmp_path_factory.mktemp("cpp")
    (folder / "twin.cpp").write_text(CPP)
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(LOOPS)]
    subprocess.run(["g++", *flags, str(folder / "twin.cpp"), "-o", str(folder / "twin")], check=True)
    return [str(folder / "twin")]


@pytest.fixture(scope="module")
def in_kotlin(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if shutil.which("kotlinc") is None or shutil.which("java") is None:
        pytest.skip("there is no kotlinc, or no java")
    folder = tmp_path_factory.mktemp("kotlin")
    (folder / "Twin.kt").write_text(KOTLIN)
    sources = [str(LOOPS / "Tiles.kt"), str(folder / "Twin.kt")]
    subprocess.run(["kotlinc", *sources, "-include-runtime", "-d", str(folder / "twin.jar")], check=True)
    return ["java", "-jar", str(folder / "twin.jar")]


@pytest.fixture
def compiled(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = request.getfixturevalue(f"in_{request.param}")
    return command


def of_one_size(network: LPIENet, size: tuple[int, int]) -> Runtime:
    return replace(in_pytorch(network), size=size)


def through(command: list[str], runtime: Runtime, image: Tensor) -> Tensor:
    """`image` through a compiled loop, which asks for every tile here."""
    assert runtime.size is not None
    assert runtime.rule is not None
    rule = runtime.rule
    words = [*image.shape[-2:], *runtime.size, rule.radius, rule.halo, rule.stride]
    child = subprocess.Popen([*command, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(as_bytes(image))
    child.stdin.flush()
    while (what := child.stdout.read(1)) == b"T":
        tile = as_image(child.stdout.read(12 * runtime.size[0] * runtime.size[1]), runtime.size)
        child.stdin.write(as_bytes(runtime(tile)))
        child.stdin.flush()
    assert what == b"R"
    height, width = image.shape[-2:]
    result = as_image(child.stdout.read(12 * height * width), (height, width))
    child.communicate()
    return result


def as_bytes(image: Tensor) -> bytes:
    values = image[0].permute(1, 2, 0).flatten().tolist()
    return struct.pack(f"<{len(values)}f", *values)


def as_image(content: bytes, size: tuple[int, int]) -> Tensor:
    values = torch.tensor(struct.unpack(f"<{len(content) // 4}f", content))
    return values.view(*size, 3).permute(2, 0, 1)[None]


@pytest.mark.parametrize("compiled", ["cpp", pytest.param("kotlin", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.parametrize(
    ("height", "width", "tile"),
    [
        (97, 131, (104, 112)),  # several tiles, with a last one that is nearly all reflection
        (24, 1, (64, 64)),  # tiles that cannot hold the halo, around a picture that fits
        (70, 90, (256, 160)),  # one tile
    ],
)
def test_the_loops_in_other_languages_give_what_enhance_gives(
    compiled: list[str], height: int, width: int, tile: tuple[int, int], network: LPIENet
) -> None:
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    runtime = of_one_size(network, tile)
    assert torch.equal(through(compiled, runtime, image), enhance(runtime, image))


def test_a_file_without_its_blueprint_is_tiled_by_the_rule_in_it(network: LPIENet, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    _write_onnx_by_tracing(network, path)
    model = onnx.load(str(path))
    texts = texts_of(network.blueprint, None)
    onnx.helper.set_model_props(model, {TILES_KEY: texts[TILES_KEY]})
    onnx.save(model, str(path))
    runtime, halo = load(path), json.loads(texts[TILES_KEY])["halo"]
    assert (runtime.blueprint, runtime.rule) == (None, rule_of(network.blueprint))
    assert load_network(path).halo == receptive_radius(network.blueprint)
    seen: list[tuple[int, ...]] = []
    watched = replace(runtime, _run=lambda tile: seen.append(tuple(tile.shape[-2:])) or runtime(tile))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    result = enhance(watched, image)
    assert seen == [(64 + 2 * halo, 64 + 2 * halo)]  # and no more than the network sees
    with torch.no_grad():
        assert (result - on_any_size(network, image, halo)).abs().max() < 1e-5


def test_a_rule_comes_back_from_its_text_and_is_said_in_words(network: LPIENet) -> None:
    rule = rule_of(network.blueprint)
    assert rule_from_text(rule_text(rule)) == rule
    assert rule_from_text(None) is None
    assert "reflection" in json.loads(rule_text(rule))["how"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"radius": 9, "halo": 16, "stride": 16, "outside": "reflect"}', "stride = 16"),
        ('{"radius": 9, "halo": 8, "stride": 8, "outside": "reflect"}', "halo = 8"),
        ('{"radius": 9, "halo": 16, "stride": 8, "outside": "zeros"}', "outside = 'zeros'"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_a_rule_that_no_tiles_can_be_cut_by_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        rule_from_text(text)


def test_the_page_on_tiling_shows_a_rule_of_the_form_that_files_keep() -> None:
    page = (LOOPS.parent / "tiling.md").read_text()
    (shown,) = [line.strip() for line in page.splitlines() if line.strip().startswith('{"radius"')]
    assert set(json.loads(shown)) == set(json.loads(rule_text(TileRule(43, 48, 8))))
    assert rule_from_text(shown) == TileRule(43, 48, 8)
