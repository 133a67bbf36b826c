"""How these pages become a site, with those beside the programs: `./dev docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "vip-speaker"
author = "The vip-speaker authors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "*.md", "tests/README.md"]
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
myst_heading_anchors = 4
nitpicky = True
man_pages = [("docs/configuration", "vip.toml", "the VIPs of a site", author, 5)]


def setup(app: Sphinx) -> None:
    """Show the source of diagrams, which say what they say as text."""
    app.add_lexer("mermaid", TextLexer)
