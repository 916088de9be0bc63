"""Notebook: the tutorial as a notebook, whose cells are the blocks that are run: python docs/notebook.py."""

from pathlib import Path

import jupytext
import nbformat

DOCS = Path(__file__).parent
PAGE, NOTEBOOK = DOCS / "tutorial.md", DOCS / "tutorial.ipynb"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook_of(page: str) -> str:
    """The notebook of a page in Markdown, as JSON: `python` blocks are cells, and `sh` blocks cells of %%sh."""
    made = jupytext.reads(page, fmt={"extension": ".md"}, as_version=4)
    book = nbformat.v4.new_notebook(metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    for number, cell in enumerate(made.cells):
        source = cell.source.removeprefix("%%python\n")
        if cell.cell_type == "code" and source == cell.source:
            source = f"%%sh\n{source}"
        kind = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        book.cells.append(kind(source, id=f"cell-{number}"))
    return nbformat.writes(book) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook_of(PAGE.read_text()))
