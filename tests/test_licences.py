"""Licences: the page lists every package that is pinned, in its version, with a licence."""

from docs.licences import PAGE, ROOT


def test_every_pinned_package_has_a_row_with_its_version_and_a_licence():
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert [f"{name}=={version}" for name, version, _ in rows] == (ROOT / "constraints.txt").read_text().split()
    assert all(licence for _, _, licence in rows)
