"""Starts tracing where the settings ask for it; imports nothing of it where they do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from service.config.settings import Settings, SettingsError
from service.domain.tracing import install

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@contextmanager
def started_tracing(settings: Settings) -> Iterator[None]:
    """Traces this process for the block, if an endpoint is set. Raises SettingsError."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        yield
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise SettingsError({VARIABLE: "needs the extra otel, which is not installed"})
    tracing = import_module("service.process.tracing")
    tracer = tracing.OtelTracer(tracing.otlp_exporter(endpoint))
    install(tracer)
    try:
        yield
    finally:
        install(None)
        tracer.close()
