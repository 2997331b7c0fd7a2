# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

"""Tests the pages of the committed notebooks: python3 pages_test.py. They must work from the file system
without network. It executes no notebook."""

import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
NOTEBOOKS = sorted((HERE.parent.parent / "notebooks").glob("*.ipynb"))

# Attributes by which a page loads something. A link's href is followed by the reader alone, unless the
# element is one of LOADED.
SOURCES = {"src", "srcset", "poster", "data", "background"}
LOADED = {"link", "image", "use", "base"}
REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
STYLE = re.compile(r"""url\(\s*['"]?([^'")]*)|@import\s+['"]([^'"]*)""")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^\s$](?:[^$]*[^\s$])?\$", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


class Page(html.parser.HTMLParser):
    """What a page loads, where its links lead, its ids, its formulas, and its text apart from code."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.images, self.formulas = [], [], set(), [], 0
        self.text, self.inside = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.loads += [value or "" for name, value in attributes if name in SOURCES]
        self.loads += [a or b for a, b in STYLE.findall(found.get("style") or "")]
        if "href" in found or "xlink:href" in found:
            target = found.get("href") or found.get("xlink:href") or ""
            (self.loads if tag in LOADED else self.links).append(target)
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "img":
            self.images.append(found)
        self.formulas += tag == "math"
        if tag in ("script", "style", "pre", "code", "math"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            del self.inside[len(self.inside) - 1 - self.inside[::-1].index(tag):]

    def handle_data(self, data):
        if self.inside and self.inside[-1] == "style":
            self.loads += [a or b for a, b in STYLE.findall(data)]
        elif self.inside and self.inside[-1] == "script":
            self.loads += re.findall(r"https?://[^\s'\"]+", data)
        elif not self.inside:
            self.text.append(data)


class TestPages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.target = pathlib.Path(cls.folder.name).resolve()
        subprocess.run([sys.executable, HERE / "pages.py", cls.target, *NOTEBOOKS], check=True)
        cls.pages = {path: Page(path.read_text(encoding="utf-8")) for path in cls.target.iterdir()}

    def test_one_page_for_each_notebook(self):
        want = {f"{path.stem}.html" for path in NOTEBOOKS}
        self.assertGreaterEqual(len(want), 9)
        self.assertEqual({path.name for path in self.pages}, want | {"index.html"})
        index = self.pages[self.target / "index.html"]
        self.assertEqual(set(index.links), want)

    def test_nothing_is_loaded_from_the_network(self):
        for path, page in self.pages.items():
            self.assertEqual([load for load in page.loads if REMOTE.match(load.strip())], [], path.name)

    def test_local_files_exist(self):
        for path, page in self.pages.items():
            for reference in page.loads + page.links:
                url = urllib.parse.urlsplit(reference)
                if url.scheme or url.netloc:
                    continue
                file = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
                self.assertTrue(file.exists(), f"{path.name}: {reference} leads to no file")
                if url.fragment and file in self.pages:
                    self.assertIn(urllib.parse.unquote(url.fragment), self.pages[file].ids,
                                  f"{path.name}: {reference} leads to no place")

    def test_formulas_are_rendered(self):
        for path, page in self.pages.items():
            self.assertEqual(FORMULA.findall("".join(page.text)), [], path.name)
        for notebook in NOTEBOOKS:
            texts = ["".join(cell["source"]) for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
                     if cell["cell_type"] == "markdown"]
            want = sum(len(FORMULA.findall(CODE.sub("", text))) for text in texts)
            self.assertEqual(self.pages[self.target / f"{notebook.stem}.html"].formulas, want, notebook.name)

    def test_pictures_have_texts(self):
        for path, page in self.pages.items():
            self.assertEqual([image for image in page.images if not image.get("alt")], [], path.name)
        self.assertGreater(sum(len(page.images) for page in self.pages.values()), 100)


if __name__ == "__main__":
    unittest.main()
