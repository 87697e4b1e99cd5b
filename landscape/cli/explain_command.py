"""The command `explain`, which prints the page of a code of the audit."""

import rich_click as click

from landscape.cli.output import console, reports_errors, table


@click.command()
@click.argument("codes", nargs=-1, metavar="[CODE...]")
@reports_errors
def explain(codes: tuple[str, ...]) -> None:
    """Explain each CODE of an audit, such as G202; without a CODE, list all.

    A page has the rule, the reason, the severity, what to do, and an example, broken and fixed.
    """
    from landscape.report.code_pages import code_page, code_pages

    if codes:
        click.echo("\n".join(page.markdown for page in map(code_page, codes)), nl=False)
        return
    rows = [[page.code, page.name, page.what] for page in code_pages().values()]
    console().print(table(["code", "name", "what is found"], rows))
