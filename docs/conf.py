"""Settings of Sphinx for the site: `make docs` writes it to dist/docs."""

import landscape

project = "landscape"
version = release = landscape.__version__
copyright = "the authors of landscape"

extensions = ["myst_nb", "sphinx.ext.autodoc"]  # myst_nb reads the pages, and notebooks
nb_execution_mode = "force"  # notebooks are stored without outputs, which this version computes
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds per cell
myst_heading_anchors = 4  # links to headings, as `page.md#a-heading`, work as on code hosts
suppress_warnings = ["myst.header"]  # pages of codes skip a level below their title
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
default_role = "code"  # in docstrings, `name` is code
smartquotes = False
autodoc_mock_imports = ["torch"]  # large, and only its names are needed

html_theme = "pydata_sphinx_theme"
html_title = "landscape"
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
