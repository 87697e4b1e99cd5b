"""The environment of the templates of pages: every value is escaped, a missing one is an error."""

import jinja2

from landscape.report import escapes
from landscape.report.page_tables import breakable, commands_marked, unbroken


def page_environment() -> jinja2.Environment:
    """Returns an environment that loads the templates of `report/templates`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("landscape.report"),
        autoescape=True,
        finalize=escapes.page_value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"breakable": breakable, "unbroken": unbroken, "marked": commands_marked}
    return environment
