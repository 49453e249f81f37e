"""One self-contained HTML file about a result: figures, tables, and how it was made."""

from tempgen.workflow.report.write import write_report

__all__ = ["write_report"]
