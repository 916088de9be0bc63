"""Bench: how long a run's network, or exported files, take beside the reference."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, table
from lpienas.fields import a_file, a_size, count, option
from lpienas.run_settings import Size
from lpienas.settings import is_path
from lpienas.shared import COMPRESSION, WHOLE

_MODELS = (".onnx", ".tflite", ".pte", ".mlpackage", ".json", ".safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What is timed, where, at which sizes."""

    models: tuple[Path, ...] = option(
        (), "run folder, network, exported file, or denoise", "RUN|MODEL", parse=a_file, positional=True, several=True
    )
    runtime: tuple[str, ...] | None = option(
        None,
        "of a run's network (all that are installed); a file runs in its own",
        choices=("pytorch", "onnx", "litert", "executorch", "openvino"),
        several=True,
    )
    size: tuple[Size, ...] | None = option(
        None,
        "256x256 720x1280 1080x1920 2160x3840 if not given; a file of one size is timed at that",
        "HxW",
        parse=a_size,
        several=True,
        accepts=lambda word: word[:1].isdigit() and not is_path(word),
    )
    data: Path | None = option(
        None,
        "measure SSIM of every file in its own runtime on these photographs; of the folder that the run was searched "
        "on, on its test photographs",
        "DIR",
        parse=a_file,
        default="the run's own figures on its test photographs",
    )
    whole: bool = WHOLE
    compression: str | None = COMPRESSION
    seconds: float = option(2.0, "of each case in each round", "S", parse=float, default="2")
    imported: tuple[Path, ...] = option(
        (),
        "what benchmark_model or benchmark_litert_model printed on a phone: its rows are put below",
        "FILE",
        parse=a_file,
        name="import",
        several=True,
        accepts=lambda word: Path(word).suffix not in _MODELS and not Path(word).is_dir(),
    )
    adb: Path | None = option(
        None,
        "Android's benchmark_model or benchmark_litert_model: the LiteRT files run on the phone that is plugged in "
        "instead, on its processor, GPU and NPU, until its temperature is steady",
        "TOOL",
        parse=a_file,
        default="here",
    )
    log: Path | None = option(None, "with --adb: keep what the phone printed", "FILE", parse=a_file)
    threads: int = option(1, "processor threads of a runtime", "N", parse=count)


def bench(asked: BenchOptions, json_only: bool) -> None:
    """Time them in turns, and print a row each."""
    from tempfile import TemporaryDirectory

    from compress.bench.bench import bench as measure
    from compress.bench.bench import beside, judge, ratio
    from compress.bench.files import SIZES, Conditions, plan
    from compress.bench.phone import Phone, on_phone
    from compress.bench.phone_log import imported
    from lpienas.included import at
    from lpienas.networks import of_compression
    from lpienas.photographs import refuse_existing
    from nas.unseen import left_out_line, unseen
    from results.files import written_whole
    from results.photo_score import JUDGED_SIDE, crops_of
    from results.table import bench_table

    if not asked.models and not asked.imported:
        raise ValueError("nothing to bench: give a run folder, an exported file, or --import FILE")
    phone = None if asked.adb is None else Phone(asked.adb)
    runtimes = asked.runtime if phone is None else ("litert",)
    if asked.log is not None:
        refuse_existing([asked.log], force=False)
    of_phone = [row for file in asked.imported for row in imported(file)]
    models = [at(model) for model in asked.models]
    judged_on = None if asked.data is None else unseen(models, asked.data, asked.whole)
    pairs = () if judged_on is None else judged_on.pairs
    with ExitStack() as stack:
        shown = stack.enter_context(bars())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lpienas-")))
        conditions = Conditions(runtimes, asked.size or SIZES, folder, pairs)
        cases = plan(of_compression(models, asked.compression), conditions, shown)
        if pairs:
            cases = judge(cases, pairs, asked.threads, shown)
        if phone is not None:
            on = on_phone(phone, [case for case in cases if case.model.suffix == ".tflite"], asked.threads, shown)
            of_phone = [*on.rows, *of_phone]
            if asked.log is not None:
                with written_whole(asked.log) as temporary:
                    temporary.write_text(on.log)
        elif cases:
            of_phone = [*measure(cases, asked.threads, asked.seconds, shown), *of_phone]
        rows = of_phone
    result = []
    for row in rows:
        other = beside(row, rows)
        result.append(row.to_json() | {"faster": None if other is None else ratio(other, row)})
    said = f"the test photographs of its run, {crops_of(JUDGED_SIDE)}"
    if judged_on is not None:
        said = f"{judged_on.says}, {judged_on.crops}"
        said += f" ({left_out_line(judged_on.left_out)})" if judged_on.left_out else ""
    if json_only:
        as_json({"rows": result, "threads": asked.threads, "ssim_of": said})
        return
    table(bench_table(result, said))


VERB = Verb(
    "bench",
    "time a run's network, or exported files, beside the reference",
    "lpienas bench runs/night --runtime litert --size 1080x1920 --threads 2",
    BenchOptions,
    bench,
    "files that were made for it stay in the run's bench/; the same command measures anew",
)
