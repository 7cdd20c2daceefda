"""Settings for a command: read, checked, logging set up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from service.config.settings import Settings

TOKEN_VARIABLE = "ARXIV_INGESTION_TOKEN"  # noqa: S105 - of the client commands, not of the service


def load_settings(*, logged: bool = False) -> Settings:
    """The settings in force; raises SettingsError. Likely typos are reported on stderr.

    `logged`: as warnings of the log, for processes that stay up. Without it the log is kept
    to warnings and a typo is a line for people.
    """
    import structlog

    from service.config.settings import Settings, unknown_names
    from service.process import logging as logs

    settings = Settings.from_environ()
    service_variables = {name: os.environ[name] for name in os.environ if name != TOKEN_VARIABLE}
    unknown = unknown_names(service_variables).items()
    if logged:
        logs.configure(settings.log_level, settings.log_format)
        _log = structlog.get_logger(__name__)
        for name, meant in unknown:
            _log.warning("unknown setting", setting=name, meant=meant)
        return settings
    for name, meant in unknown:
        hint = f"; did you mean {meant}?" if meant else ""
        click.echo(f"warning: {name} is not a setting of this service{hint}", err=True)
    logs.configure("WARNING", settings.log_format)
    return settings
