"""Front matter: what Hugging Face reads at the top of a model card: licence, tags, and the figures of every file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from compress.export.formats import is_int8
from compress.runtime.about import NO_LICENCE

LIBRARY = "lpienas"
_TASK = "image-to-image"
_LICENCES = (  # by their identifiers there, of those that a network is given out under
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0",
    "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0",
    "openrail", "unlicense",
)  # fmt: skip
_TAGS = {".onnx": "onnx", ".tflite": "tflite", ".pte": "executorch", ".mlpackage": "coreml"}


def front_matter(name: str, exported: Mapping[str, Any], licence: str, photographs: str, task: str) -> Iterator[str]:
    """The lines between `---`, for a network of this `name` and the figures of each file, judged on `photographs`.

    `task` is what it undoes (denoise, deblur, udc, hdr). Raises ImportError when huggingface_hub is missing.
    """
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError as error:
        raise ImportError(f"a model card needs {error.name}: pip install 'lpienas[export]'") from error

    measured = {file: figures for file, figures in sorted(exported.items()) if figures.get("ssim") is not None}
    results = [
        EvalResult(
            task_type=_TASK,
            dataset_type="photographs",
            dataset_name=photographs,
            metric_type=metric,
            metric_value=round(float(figures[metric]), digits),
            metric_name=f"{metric.upper()} of {file}",
        )
        for file, figures in measured.items()
        for metric, digits in (("ssim", 4), ("psnr", 2))
    ]
    kinds = {tag for suffix, tag in _TAGS.items() if any(file.endswith(suffix) for file in exported)}
    quantized = any(is_int8(figures["precision"]) for figures in exported.values())
    identifier, other = _licence(licence)
    data = ModelCardData(
        model_name=name if results else None,  # it names the model of the results
        library_name=LIBRARY,
        pipeline_tag=_TASK,
        tags=["lpienet", "image-restoration", task, *sorted(kinds), *(["int8"] if quantized else [])],
        eval_results=results or None,
        license=identifier,
        license_name=other,
    )
    yield from ("---", *data.to_yaml().splitlines(), "---", "")


def _licence(said: str) -> tuple[str, str | None]:
    """Its identifier; of another one also the name that was given."""
    slug = re.sub(r"[\s_]+", "-", said.strip().lower())
    if slug in _LICENCES:
        return slug, None
    if said == NO_LICENCE:
        return "unknown", None
    return "other", re.sub(r"[^a-z0-9.]+", "-", slug).strip("-.")[:64] or "other"
