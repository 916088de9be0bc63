"""Lines: text from files and names as it may be shown in a terminal."""


def visible(text: str) -> str:
    """`text` with control characters written out, such as one that a file's name steers a terminal with."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else repr(letter)[1:-1] for letter in text)
