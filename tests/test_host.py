"""Host: a search measures all its latencies on one machine."""

import platform

import pytest

from compress.bench.host import measuring_host
from nas.task.device import processor


def test_the_machine_that_measures_is_named_and_the_same_one_goes_on(tmp_path):
    said = measuring_host(tmp_path / "latency")
    assert said == f"{platform.node()} ({processor()})"
    assert measuring_host(tmp_path / "latency") == said


@pytest.mark.parametrize("other", ["host", "processor"])
def test_another_machine_is_refused_and_both_are_named(other, tmp_path, monkeypatch):
    measuring_host(tmp_path / "latency")
    before = platform.node()
    if other == "host":
        monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    else:
        monkeypatch.setattr("compress.bench.host.processor", lambda: "another kind")
    with pytest.raises(ValueError, match=rf"measured on {before} .*(elsewhere|another kind).*search on there"):
        measuring_host(tmp_path / "latency")
