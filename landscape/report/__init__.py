"""The report of an experiment, made from its files alone: tables, figures and one page."""
