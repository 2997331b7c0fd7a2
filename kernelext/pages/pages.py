# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

"""Renders notebooks with their outputs as HTML pages that need no network: pages.py FOLDER NOTEBOOK ...

Formulas become MathML when the page is made. Links to other notebooks lead to their pages, and links to
other files of the repository lead there.
"""

import html
import os
import pathlib
import re
import sys

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^\s$](?:[^$]*[^\s$])?)\$", re.DOTALL)
LINK = re.compile(r"(\]\()([^)#:]+)(#[^)]*)?\)")
# What nbconvert's pages load: scripts for formulas and widgets, which these notebooks do not need.
REMOTE = re.compile(r'<script[^>]*src="https?://[^"]*"[^>]*>\s*</script>|'
                    r'<script[^>]*>(?:(?!</script>).)*?https?://(?:(?!</script>).)*</script>', re.DOTALL)


def mathml(text):
    """Replaces the formulas of a Markdown text, but for those in code."""
    def formula(match):
        display, inline = match.groups()
        source = " ".join((display or inline).split())
        result = convert(source, display="block" if display else "inline")
        return f"<div>{result}</div>" if display else result

    parts = CODE.split(text)
    return "".join(part if i % 2 else FORMULA.sub(formula, part) for i, part in enumerate(parts))


def links(text, source, target):
    """Makes relative links of a notebook in the folder source right for a page in the folder target."""
    def link(match):
        start, path, place = match.groups()
        if path.endswith(".ipynb"):
            return f"{start}{path.removesuffix('.ipynb')}.html)"
        return f"{start}{os.path.relpath(source / path, target)}{place or ''})"

    return LINK.sub(link, text)


def page(path, target):
    """Returns the page of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = mathml(links(cell.source, path.parent.resolve(), target.resolve()))
    body, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    return REMOTE.sub("", body)


def main(target, paths):
    target.mkdir(parents=True, exist_ok=True)
    entries = []
    for path in paths:
        (target / f"{path.stem}.html").write_text(page(path, target), encoding="utf-8")
        title = re.search(r"^# (.*)$", nbformat.read(path, as_version=4).cells[0].source, re.MULTILINE).group(1)
        entries.append(f'<li><a href="{path.stem}.html">{html.escape(title)}</a></li>')
    (target / "index.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The course</title><h1>The course</h1>'
        f'<ul>{"".join(entries)}</ul></html>\n', encoding="utf-8")


main(pathlib.Path(sys.argv[1]), [pathlib.Path(p) for p in sys.argv[2:]])
