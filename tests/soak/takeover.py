"""How long the work of a killed replica lies idle, from the queue's own table.

A takeover lasts from the SIGKILL of a replica to the moment at which another
(or the same, begun anew) takes the same task from the queue, on the clock that
both share. Counted is every task that the dead one held. A trigger that only
this harness installs notes who takes a task and who lets go of it; replicas
are told apart by their database role.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from tests.soak.fleet import Ended

TRIGGER = """
CREATE TABLE IF NOT EXISTS soak_moves (
    id bigserial PRIMARY KEY, task text, replica text, taken boolean, at timestamptz
);
CREATE OR REPLACE FUNCTION soak_note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE task text; taken boolean := false;
BEGIN
    task := CASE WHEN TG_OP = 'DELETE' THEN OLD.dedupe_key ELSE NEW.dedupe_key END;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.status, NEW.queue_manager_id)
            IS NOT DISTINCT FROM (OLD.status, OLD.queue_manager_id)
        THEN RETURN NULL;  -- a heartbeat
        END IF;
        taken := NEW.status = 'picked';
    END IF;
    INSERT INTO soak_moves (task, replica, taken, at)
    VALUES (task, session_user, taken, clock_timestamp());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER soak_note AFTER UPDATE OR DELETE ON pgqueuer
FOR EACH ROW EXECUTE FUNCTION soak_note();
CREATE TABLE IF NOT EXISTS soak_checkpoints (job_id uuid, done integer, at timestamptz);
CREATE OR REPLACE FUNCTION soak_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    state jsonb := coalesce(NEW.checkpoint #> '{state,then,state}', NEW.checkpoint -> 'state');
BEGIN
    IF jsonb_array_length(state -> 'left') = 0 THEN  -- else its last page is to be asked again
        INSERT INTO soak_checkpoints
        VALUES (NEW.id, (state ->> 'offset')::integer, clock_timestamp());
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER soak_checkpoint AFTER UPDATE OF checkpoint ON jobs
FOR EACH ROW WHEN (NEW.checkpoint IS DISTINCT FROM OLD.checkpoint)
EXECUTE FUNCTION soak_checkpoint();
"""


@dataclass(frozen=True, slots=True)
class Takeovers:
    """Seconds of each takeover by kind of task, and expired tasks that nobody reclaimed."""

    seconds: Mapping[str, Sequence[float]]
    never: Sequence[str]


def percentile(seconds: Sequence[float], share: float) -> float:
    """The shortest time that `share` of the takeovers did not exceed; 0 without any."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def takeovers(connection: asyncpg.Connection, ended: Sequence[Ended]) -> Takeovers:
    """What became of the tasks that killed replicas held when they died."""
    killed = {one.role: one.at for one in ended if one.was_killed}
    rows = await connection.fetch(
        "SELECT task, replica, taken, extract(epoch FROM at)::float AS at"
        " FROM soak_moves ORDER BY id"
    )
    moves = defaultdict(list)
    for row in rows:
        moves[row["task"]].append(row)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    never = []
    for task, history in moves.items():
        for move, following in zip(history, [*history[1:], None], strict=True):
            if not move["taken"] or move["replica"] not in killed:
                continue
            if following is None:
                never.append(task)
            elif following["replica"] != move["replica"] and following["taken"]:
                died_at = killed[move["replica"]]
                # whoever was stopped for longer than a lease lost its tasks before it died
                if following["at"] >= died_at:
                    kind = task.partition(":")[0]
                    seconds[kind].append(following["at"] - max(died_at, move["at"]))
    return Takeovers(seconds, never)
