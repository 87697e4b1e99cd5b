"""The page of each code of the audit, read from the docstrings of `audit/codes/`.

A docstring is the only place of these texts: pages, the table of the docs, `landscape explain` and
the rules of SARIF follow from it. The source is parsed, not imported.
"""

import ast
import functools
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from landscape.errors import UserError, nearest

_CODES = Path(__file__).parents[1] / "audit" / "codes"
_TITLE = re.compile(r"(\w+), (?:an? )?(.+?): (.+)\n")
_HEADING = re.compile(r"^## (\w+)(?: \((.*)\))?\n+", re.MULTILINE)
SECTIONS = ("Why", "Severity", "Instead", "Example", "Fixed")
TABLE = ("code", "severity", "what is found, and what it means for training", "what to do")


class CodePage(NamedTuple):
    """The sections of a page. `options` are those of `landscape audit` for the example."""

    code: str
    name: str
    what: str
    test: str
    why: str
    severity: str
    instead: str
    options: str
    example: str
    fixed: str

    @property
    def severities(self) -> tuple[str, ...]:
        """The severities that a finding can have, in the order of the page."""
        words = re.findall(r"\b(?:Error|Warning|Note)\b", self.severity)
        return tuple(dict.fromkeys(word.lower() for word in words))

    @property
    def markdown(self) -> str:
        """The page as Markdown."""
        file = f"{self.code.lower()}.py"
        command = f"    landscape audit {file} {self.options}".rstrip()
        return "\n\n".join(
            [
                f"# {self.code}: {self.name}",
                self.what,
                *filter(None, [self.test]),
                f"## Why it matters\n\n{self.why}",
                f"## Severity\n\n{self.severity}",
                f"## What to do\n\n{self.instead}",
                f"## Example\n\n{command}\n\n{_python(self.example, file)}",
                f"## Fixed\n\n{_python(self.fixed, file)}\n",
            ]
        )


@functools.cache
def code_pages() -> dict[str, CodePage]:
    """Returns the page of each code, in the order of the codes."""
    pages = map(_read, sorted(_CODES.glob("[!_]*.py")))
    return {page.code: page for page in pages}


def code_page(code: str) -> CodePage:
    """Returns the page of a code, in either case. Raises UserError if there is no such code."""
    pages = code_pages()
    if code.upper() not in pages:
        hint = nearest(code.upper(), pages, "`landscape explain` lists all codes")
        raise UserError(f"`{code}` is not a code of the audit", hint=hint)
    return pages[code.upper()]


def reference_table() -> str:
    """Returns the table of all codes as Markdown, with links to their pages."""
    rows: list[tuple[str, ...]] = [TABLE]
    for page in code_pages().values():
        link = f"[{page.code}](codes/{page.code}.md)"
        cells = (link, ", ".join(page.severities), f"{page.what} {page.why}", page.instead)
        rows.append(tuple(" ".join(cell.split()).replace("|", r"\|") for cell in cells))
    lines = [f"| {' | '.join(row)} |\n" for row in rows]
    return "".join([lines[0], f"{'|---' * len(TABLE)}|\n", *lines[1:]])


def _read(path: Path) -> CodePage:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    title = _TITLE.match(text)
    head, *parts = _HEADING.split(text)
    headings = tuple(parts[0::3])
    if title is None or headings != SECTIONS:
        raise ValueError(
            f"{path.name}: its docstring has the sections {headings}, expected a first line "
            f"`CODE, a name: what is found.` and {SECTIONS}"
        )
    sections = [textwrap.dedent(part.strip("\n")) for part in parts[2::3]]
    why, severity, instead, example, fixed = sections
    return CodePage(
        code=title[1],
        name=title[2],
        what=title[3][:1].upper() + title[3][1:],
        test=head[title.end() :].strip(),
        why=why,
        severity=severity,
        instead=instead,
        options=parts[1::3][headings.index("Example")] or "",
        example=example,
        fixed=fixed,
    )


def _python(code: str, file: str) -> str:
    return f"```python\n# {file}\n{code}\n```"
