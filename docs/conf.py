"""The site made from these pages by Sphinx: `make docs`. Every warning is an error, and nothing is loaded from elsewhere."""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "staypower"
copyright = "the authors of staypower, Apache-2.0"
html_title = "staypower"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
napoleon_google_docstring = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
root_doc = "index"
exclude_patterns = ["_build"]

myst_heading_anchors = 4  # links to headings are checked down to this depth
myst_links_external_new_tab = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "default"
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif", "font-stack--monospace": "ui-monospace, monospace"},
    "dark_css_variables": {"font-stack": "system-ui, sans-serif", "font-stack--monospace": "ui-monospace, monospace"},
}


def setup(app: Sphinx) -> None:
    """Show the drawn tables of `labels/drawn.md` as plain text."""
    app.add_lexer("labels", TextLexer)
