"""Writes the prose of C++ files as Markdown that a linter of prose can read, line for line.

usage: extract.py OUT_FOLDER FILE...

Headers give their comments, sources their messages: string literals of four words or more. Each
sentence stays on the line where it stands in the file, so the linter's positions are those of the file.
"""

import pathlib
import re
import sys

LITERAL = re.compile(r'(?<![R\w])"((?:[^"\\\n]|\\.)*)"')
WORDS_OF_A_MESSAGE = 4


def read_comment(line: str) -> str:
    """The comment of one line of a header; empty where there is none."""
    code = line.strip()
    if code.startswith("//"):
        return code.lstrip("/").lstrip("<").strip()
    return code.split("///<", 1)[1].strip() if "///<" in code else ""


def read_message(line: str) -> str:
    """The literals of one line of a source; something stands between them, or they would be one."""
    code = line.strip()
    if code.startswith(("//", "#")):
        return ""
    literals = (text.replace('\\"', '"').replace("\\n", " ") for text in LITERAL.findall(code))
    return " X ".join(literals).strip()


def drop_names(lines: list[str]) -> list[str]:
    """Without the blocks of lines that are too short for a message: names, keys and paths."""
    kept, start = [""] * len(lines), 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end]:
            end += 1
        if len(re.findall(r"[A-Za-z]{2,}", " ".join(lines[start:end]))) >= WORDS_OF_A_MESSAGE:
            kept[start:end] = lines[start:end]
        start = end + 1
    return kept


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:]:
        lines = pathlib.Path(name).read_text(encoding="utf-8").split("\n")
        if name.endswith(".h"):
            text = [read_comment(line) for line in lines]
        else:
            text = drop_names([read_message(line) for line in lines])
        target = out / f"{name}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
