"""What is used of libraries' insides is there as it was; each stands in one module of ours.

A new version that differs fails here first, with the name that it lacks. The statements of
PgQueuer that `worker/queries.py` changes are compared when they are made (`tests/worker`).
"""

import ast
import inspect
from pathlib import Path

import aiohttp
import pgqueuer
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from pgqueuer.core.qm import QueueManager

SERVICE = Path(__file__).parents[2] / "service"
MARSHMALLOW = "_deserialize"  # its documented way to make a field of one's own
LXML_TYPES = ("_Element",)  # its stubs name them so
OF_NAMED_TUPLES = ("_make", "_asdict", "_fields", "_replace", "_mapping")
# Module → the private names of others that it uses.
PINS = {
    "api/server.py": {"_make_server", "_kwargs"},
    "worker/engine.py": {"_dispatch"},
}


async def handler(_: web.BaseRequest) -> web.Response:
    return web.Response()


async def test_the_server_of_aiohttp_keeps_what_ours_is_made_of():
    """For `api/server.py`, which counts connections, and gives each a protocol of ours."""
    server = web.Server(handler, keepalive_timeout=7.0)
    lacks = [name for name in ("_kwargs", "_connections", "_loop") if not hasattr(server, name)]

    assert lacks == [], f"aiohttp {aiohttp.__version__}"
    assert server._kwargs == {"keepalive_timeout": 7.0}
    assert callable(server.request_handler)
    assert callable(server.request_factory)
    assert inspect.iscoroutinefunction(web.AppRunner._make_server)


async def test_the_protocol_of_aiohttp_keeps_what_ours_sets():
    made = web.Server(handler)()
    names = ("_force_close", "_manager", "_loop", "connection_made", "handle_error")
    lacks = [name for name in names if not hasattr(made, name)]

    assert lacks == [], f"aiohttp {aiohttp.__version__}"
    assert isinstance(made, RequestHandler)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_dispatch", ["self", "job", "jbuff", "hbuff", "heartbeat_timeout"]),
        ("_run_periodic_health_check", ["self", "interval"]),
    ],
)
def test_the_manager_of_pgqueuer_calls_what_ours_replaces(name, parameters):
    """For `worker/engine.py`, which renews leases twice as often."""
    method = getattr(QueueManager, name, None)

    assert method is not None, f"pgqueuer {pgqueuer.__version__}"
    assert list(inspect.signature(method).parameters) == parameters
    assert f"self.{name}(" in inspect.getsource(QueueManager)


def is_field(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def foreign_names(tree: ast.Module) -> set[str]:
    """Names with an underscore behind anything but `self` and `cls`, that are not the module's."""
    nodes = list(ast.walk(tree))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr[0] == "_"]
    own |= {node.attr for node in used if isinstance(node.ctx, ast.Store)}
    own |= {node.target.id for node in nodes if is_field(node)}
    behind_super = {node.attr for node in used if ast.unparse(node.value) == "super()"}
    names = {node.attr for node in used if ast.unparse(node.value) not in ("self", "cls")}
    return behind_super - {MARSHMALLOW} | names - own - {MARSHMALLOW, *OF_NAMED_TUPLES, *LXML_TYPES}


def test_no_other_module_uses_what_is_private_to_others():
    found = {
        str(path.relative_to(SERVICE)): names
        for path in SERVICE.rglob("*.py")
        if (names := {n for n in foreign_names(ast.parse(path.read_text())) if n[:2] != "__"})
    }

    assert found == PINS
