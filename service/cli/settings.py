"""Settings for a command: read, checked, logging set up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.config.settings import Settings

TOKEN_VARIABLE = "ARXIV_INGESTION_TOKEN"  # noqa: S105 - of the client commands, not of the service


def load_settings(*, quiet: bool = False) -> Settings:
    """The settings in force; raises SettingsError. Likely typos are pointed out on stderr.

    `quiet` keeps the log to warnings, for commands whose output is for people.
    """
    from service.config.settings import Settings, unknown_names
    from service.process import logging as logs

    settings = Settings.from_environ()
    service_variables = {name: os.environ[name] for name in os.environ if name != TOKEN_VARIABLE}
    for name, meant in unknown_names(service_variables).items():
        hint = f"; did you mean {meant}?" if meant else ""
        click.echo(f"warning: {name} is not a setting of this service{hint}", err=True)
    logs.configure("WARNING" if quiet else settings.log_level, settings.log_format)
    return settings
