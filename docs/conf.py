"""How `make docs` makes a site of these pages. Nothing is fetched: no fonts, no inventories of other projects."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from rct_tools import errors

project = "RCT Tools"
version = release = installed_version("rct-tools")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns: list[str] = []
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!rct_tools\.).*")]  # what is not ours is documented elsewhere
smartquotes = False  # there is code without its marks in docstrings
suppress_warnings = ["misc.highlighting_failure"]  # the SQL of InfluxDB and DuckDB is not that of the highlighter

myst_heading_anchors = 4

html_theme = "furo"
html_title = "RCT Tools"
html_static_path = ["site"]
html_css_files = ["rct.css"]
html_theme_options = {"top_of_page_buttons": []}
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Value": "rct_tools.values.Value", "Answer": "rct_tools.client.Answer"}  # as in api.md
python_use_unqualified_type_names = True
maximum_signature_line_length = 72
toc_object_entries_show_parents = "hide"

_NAMES = [name for name, it in vars(errors).items() if inspect.isclass(it) and issubclass(it, errors.RctError)]
_ERRORS = re.compile(rf"(?<![`\w.])({'|'.join(_NAMES)})(?![`\w])")
_ALIAS = re.compile(r"TypeAliasForwardRef\('([\w.]+)'\)")
_CONSTANT = re.compile(r"= ([A-Z_]+)\b")
_FIELD = re.compile(r"^    (\w+): [^#]*?(?:  # (.*))?$", re.MULTILINE)


def tell_fields(_app: Sphinx, what: str, name: str, _it: object, _options: object, lines: list[str]) -> None:
    """Let the comments behind the fields of a class, where units and meanings are, stand in its page."""
    if what == "attribute" and (comment := dict(_comments(name.rpartition(".")[0])).get(name.rpartition(".")[2])):
        lines[:] = [comment]


def link_errors(_app: Sphinx, _what: str, _name: str, _it: object, _options: object, lines: list[str]) -> None:
    """Make links of the errors that a docstring names."""
    lines[:] = [_ERRORS.sub(r":exc:`~rct_tools.\1`", line) for line in lines]


def tidy_signature(
    _app: Sphinx, what: str, _name: str, it: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str, str] | None:
    """Leave out how instances are made: we make most, and the fields of the others follow in their order.

    Say what constants are.
    """
    if not signature:
        return None
    if what in ("class", "exception"):
        return ("", "")
    known = vars(inspect.getmodule(it))
    signature = _CONSTANT.sub(lambda match: f"= {known[match[1]]}", signature)
    return (_ALIAS.sub(r"\1", signature), _ALIAS.sub(r"\1", returns or ""))


def link_types(_app: Sphinx, doctree: nodes.document) -> None:
    """Look for types by their full names: not for ``object`` among all that ends in it, as ``Reading.object``."""
    for node in doctree.findall(pending_xref):
        node["reftarget"] = autodoc_type_aliases.get(node["reftarget"], node["reftarget"])
        if node.get("refspecific") is False:
            del node["refspecific"]


def link_files(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Take a link to a text outside of these pages for one to a file, as links to code are taken."""
    source[0] = re.sub(r"\]\((\.\./[\w/.-]+\.md\))", r"](path:\1", source[0])


def _comments(name: str) -> Iterator[tuple[str, str]]:
    room, _, kind = name.rpartition(".")
    source = inspect.getsource(getattr(__import__(room, fromlist=[kind]), kind))
    for field, comment in _FIELD.findall(source):
        if comment and not comment.startswith(("noqa", "type:")):
            yield field, comment[0].upper() + comment[1:] + "."


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", tell_fields)
    app.connect("autodoc-process-docstring", link_errors)
    app.connect("autodoc-process-signature", tidy_signature)
    app.connect("doctree-read", link_types)
    app.connect("source-read", link_files)
    return {"parallel_read_safe": True}
