"""Classification of database failures: transient or not, with a safe reason.

Reasons come from the SQLSTATE (PostgreSQL's manual, appendix A) or from the class of
the error where no server answered. The server's own text may name hosts, roles and
data, so it is never part of one.
"""

import errno
import socket
import ssl
import traceback

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.domain.outages import Reason

# SQLSTATEs that time can mend: class 08 connection, 28 credentials (an operator can change
# them while we wait), 53 resources, 57 intervention,
# and serialization (40001), deadlock (40P01), lock timeout (55P03), read-only (25006),
# a database that is still to be made (3D000).
_PASSING_CLASSES = ("08", "28", "53", "57")
_PASSING_STATES = ("40001", "40P01", "55P03", "25006", "3D000")
# Undefined table, column or function, no schema: the migration has not come so far yet.
_BEHIND_STATES = ("42P01", "42703", "42883", "3F000")

# asyncpg raises the last where a connection breaks in the middle of its own work, and SQLAlchemy
# passes it on as it is.
_PASSING_ERRORS = (PoolTimeoutError, OSError, TimeoutError, asyncpg.InternalClientError)

# What `Database.fetching` lets through of asyncpg's own.
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)

# All that may come up from a connection; `is_transient` tells what of it time can mend.
FAILURES = (SQLAlchemyError, AttributeError, *_DRIVER_ERRORS, *_PASSING_ERRORS)

READ_ONLY = "25006"
CANCELED = "57014"  # a statement took too long
CONFLICTS = frozenset({"40001", "40P01"})  # serialization failure, deadlock: nothing was changed

_LOST = Reason("connection_lost", "the connection broke", is_doubtful=True)
TIMEOUT = Reason("timeout", "the server did not answer in time", is_doubtful=True)
_REFUSED = Reason("connection_refused", "no server listens at that host and port")
_UNREACHABLE = Reason("host_unreachable", "the host cannot be reached")
_BUSY = Reason("busy", "others hold what is needed", is_outage=False)
_BEHIND = Reason("schema_behind", "the schema is not the one of this version", is_outage=False)

_BY_STATE = {
    "28P01": Reason("wrong_password", "the server refused the password"),
    "28000": Reason("access_refused", "the server does not let this role in"),
    "3D000": Reason("database_missing", "the server has no database of that name"),
    "57P03": Reason("starting", "the server is starting, stopping or recovering"),
    "57P01": Reason("shutting_down", "the server ended the session", is_doubtful=True),
    "57P02": Reason("crashed", "the server ended the session after a crash", is_doubtful=True),
    CANCELED: Reason("timeout", "a statement took too long", is_doubtful=True),
    "53100": Reason("disk_full", "the server's disk is full"),
    "53200": Reason("out_of_memory", "the server has no memory left"),
    "53300": Reason("too_many_connections", "the server has no connection left"),
    READ_ONLY: Reason("read_only", "the server accepts no writes"),
    **dict.fromkeys((*CONFLICTS, "55P03"), _BUSY),
    **dict.fromkeys(_BEHIND_STATES, _BEHIND),
}
_BY_CLASS = {
    "08": _LOST,
    "28": _BY_STATE["28000"],
    "53": Reason("no_resources", "the server is short of a resource"),
    "57": _BY_STATE["57P01"],
}
# The first that fits; the special before the general.
_BY_ERROR: tuple[tuple[type[BaseException], Reason], ...] = (
    (PoolTimeoutError, Reason("pool_busy", "all our connections are in use", is_outage=False)),
    (
        asyncpg.TargetServerAttributeNotMatched,
        Reason("no_primary", "no server of DATABASE_URL accepts writes"),
    ),
    (ConnectionRefusedError, _REFUSED),
    (FileNotFoundError, Reason("connection_refused", "no server listens at that socket")),
    (socket.gaierror, Reason("host_unknown", "the host's name cannot be resolved")),
    (ssl.SSLError, Reason("tls_failed", "no trusted encrypted connection could be made")),
    (TimeoutError, TIMEOUT),
    (ConnectionError, _LOST),
    (PermissionError, Reason("access_refused", "the socket may not be opened")),
)
_UNREACHABLE_ERRNOS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


def is_transient(error: BaseException) -> bool:
    """True when the database is unavailable or busy, not when the statement is wrong."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, (DBAPIError, *_DRIVER_ERRORS)):
        state = state_of(error)
        return not state or state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES
    return isinstance(error, _PASSING_ERRORS) or is_stumble(error)


def is_stumble(error: BaseException) -> bool:
    """True when asyncpg fell over its own connection, which was gone when it looked again.

    Between two of its awaits it does not expect that, and asks None for an attribute.
    """
    if not isinstance(error, AttributeError) or error.obj is not None:
        return False
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(modules) and modules[-1].startswith("asyncpg.")


def is_behind(error: BaseException) -> bool:
    """True when `error` says that the schema is not the one that this code is written for."""
    return state_of(error) in _BEHIND_STATES


def state_of(error: BaseException) -> str:
    """The SQLSTATE of what SQLAlchemy or asyncpg raised; empty if there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def reason_of(error: BaseException) -> Reason:
    """Why the database could not be asked, for one of `FAILURES`."""
    if state := state_of(error):
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or _unknown(state)
    cause = _origin(error)
    for kind, reason in _BY_ERROR:
        if isinstance(cause, kind):
            return reason
    if isinstance(cause, OSError):
        return _of_os_error(cause)
    return _LOST


def _origin(error: BaseException) -> BaseException:
    """What the driver raised: SQLAlchemy keeps it behind one or two layers of its own."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _of_os_error(error: OSError) -> Reason:
    if error.errno in _UNREACHABLE_ERRNOS:
        return _UNREACHABLE
    # A name with several addresses: asyncio puts the errors of all into one text.
    return _REFUSED if f"Errno {errno.ECONNREFUSED}" in str(error) else _UNREACHABLE


def _unknown(state: str) -> Reason:
    return Reason("failed", f"the server answered with SQLSTATE {state}", is_doubtful=True)
