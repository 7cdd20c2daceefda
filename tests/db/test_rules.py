"""Rules of the schema, each broken once by hand, and its words for people."""

import pytest
from sqlalchemy.exc import IntegrityError

JOB = "INSERT INTO jobs (id) VALUES ('00000000-0000-7000-8000-000000000001')"
PAPER = (
    "INSERT INTO papers (arxiv_id, version, title, abstract, authors, categories,"
    " primary_category, published_at, updated_at) VALUES ('2301.00001', 1, 't', 'a',"
    " '{x}', '{cs.AI}', 'cs.AI', now(), now())"
)
JOB_PAPER = (
    "INSERT INTO job_papers (job_id, arxiv_id, state)"
    " VALUES ('00000000-0000-7000-8000-000000000001', '2301.00001', 'pending')"
)
SET_FILE = "UPDATE papers SET pdf_state = 'downloaded', pdf_path = 'p', pdf_bytes = 1, "
SHA = "repeat('a', 64)"
DOCUMENT = (
    "INSERT INTO documents (arxiv_id, version, source, converter, input_sha256, quality, content)"
    " SELECT arxiv_id, 1, '{}', 'c', repeat('{}', 64), '{{}}', '{{}}' FROM papers"
)
VERSION = (
    "INSERT INTO paper_versions (arxiv_id, version, submitted_at, {0}) VALUES"
    " ('2301.00001', 1, now(), {1})"
)
FILE = "pdf_state, pdf_path, pdf_sha256, pdf_bytes"
WEBHOOK = (
    "INSERT INTO webhooks (url, secret, events, labels, disabled_at)"
    " VALUES ('https://x', 's', {events}, {labels}, {disabled_at})"
)
GOOD = {"events": "ARRAY['job.failed']", "labels": "'{}'", "disabled_at": "NULL"}
DONE = "job.completed"
DELIVERY = (
    "INSERT INTO webhook_deliveries"
    " (webhook_id, job_id, url, event, attempt, status, ended_at, next_attempt_at)"
    " SELECT gen_random_uuid()::text, id, 'https://x', '{}', {}, '{}', {}, {} FROM jobs"
)
HTML_PAGE = (
    "INSERT INTO html_pages"
    " (arxiv_id, version, path, sha256, pdf_sha256, bytes, converter, quality)"
    " SELECT arxiv_id, 1, 'p', repeat('{}', 64), repeat('{}', 64), {}, 'c', '{{}}' FROM papers"
)

BROKEN = [
    ("jobs_status_known", "UPDATE jobs SET status = 'done', completed_at = now()"),
    ("jobs_priority_known", "UPDATE jobs SET priority = 'urgent'"),
    ("jobs_completed_iff_final", "UPDATE jobs SET completed_at = now()"),
    ("jobs_counters_not_negative", "UPDATE jobs SET papers_fetched = -1"),
    ("jobs_counters_not_negative", "UPDATE jobs SET pdfs_pending = -1"),
    ("jobs_counters_not_negative", "UPDATE jobs SET harvest_starts = -1"),
    ("jobs_idempotency_key_short", "UPDATE jobs SET idempotency_key = repeat('k', 256)"),
    ("papers_pdf_state_known", "UPDATE papers SET pdf_state = 'lost'"),
    ("papers_version_from_one", "UPDATE papers SET version = 0"),
    ("papers_file_iff_downloaded", "UPDATE papers SET pdf_state = 'downloaded'"),
    ("papers_file_iff_downloaded", "UPDATE papers SET pdf_path = 'p'"),
    ("papers_file_iff_downloaded", SET_FILE + "pdf_sha256 = NULL"),
    ("papers_pdf_sha256_hexadecimal", SET_FILE + "pdf_sha256 = repeat('g', 64)"),
    ("papers_pdf_sha256_hexadecimal", SET_FILE + "pdf_sha256 = repeat('a', 63)"),
    ("papers_pdf_bytes_positive", SET_FILE + f"pdf_bytes_ = 0, pdf_sha256 = {SHA}"),
    ("job_events_event_known", "UPDATE job_events SET event = 'ended'"),
    ("job_events_times_from_one", "UPDATE job_events SET times = 0"),
    ("job_events_moments_in_range", "UPDATE job_events SET at = 'infinity'"),
    (
        "job_intervals_counts_not_negative",
        "INSERT INTO job_intervals (job_id, at, pdfs) SELECT id, now(), -1 FROM jobs",
    ),
    ("job_papers_state_known", "UPDATE job_papers SET state = 'done'"),
    ("job_papers_counts_not_negative", "UPDATE job_papers SET attempts = -1"),
    (
        "job_errors_stage_known",
        "INSERT INTO job_errors (job_id, stage, error) SELECT id, 'somewhere', 'e' FROM jobs",
    ),
    (
        "schedules_name_short",
        "INSERT INTO schedules (name, cron, request) VALUES (repeat('n', 101), '@daily', '{}')",
    ),
    ("jobs_waiting_for_known", "UPDATE jobs SET waiting_for = 'tea', waiting_since = now()"),
    ("jobs_waiting_since_some_moment", "UPDATE jobs SET waiting_for = 'arxiv_paused'"),
    ("jobs_facts_by_name", "UPDATE jobs SET facts = '[]'"),
    (
        "workers_tasks_not_negative",
        "INSERT INTO workers (id, host, pid, version, lease_seconds, tasks)"
        " VALUES (gen_random_uuid(), 'h', 1, '1', 15, -1)",
    ),
    (
        "workers_lease_positive",
        "INSERT INTO workers (id, host, pid, version, lease_seconds)"
        " VALUES (gen_random_uuid(), 'h', 1, '1', 0)",
    ),
    (
        "fleet_counters_value_not_negative",
        "INSERT INTO fleet_counters (name, value) VALUES ('x', -1)",
    ),
    ("jobs_moments_in_range", "UPDATE jobs SET started_at = 'infinity'"),
    ("papers_moments_in_range", "UPDATE papers SET published_at = '-infinity'"),
    (
        "job_errors_moments_in_range",
        "INSERT INTO job_errors (job_id, stage, error, occurred_at)"
        " SELECT id, 'store', 'e', 'infinity' FROM jobs",
    ),
    ("papers_affiliations_by_author", "UPDATE papers SET affiliations = '{}'"),
    ("papers_text_state_known", "UPDATE papers SET text_state = 'half'"),
    (
        "paper_texts_text_state_known",
        "INSERT INTO paper_texts (arxiv_id, version, content, truncated, text_state)"
        " SELECT arxiv_id, 1, '', false, 'half' FROM papers",
    ),
    (
        "paper_versions_version_from_one",
        "INSERT INTO paper_versions (arxiv_id, version, submitted_at)"
        " SELECT arxiv_id, 0, now() FROM papers",
    ),
    (
        "paper_versions_size_kb_not_negative",
        "INSERT INTO paper_versions (arxiv_id, version, submitted_at, size_kb)"
        " SELECT arxiv_id, 1, now(), -1 FROM papers",
    ),
    (
        "coverage_counts_add_up",
        "INSERT INTO coverage (set, day, listed, missing, stale, checked_at)"
        " VALUES ('', now(), 1, 1, 1, now())",
    ),
    ("job_papers_html_state_known", "UPDATE job_papers SET html_state = 'done'"),
    ("job_papers_html_counts_not_negative", "UPDATE job_papers SET html_failures = 1"),
    ("html_pages_sha256_hexadecimal", HTML_PAGE.format("g", "a", 1)),
    ("html_pages_pdf_sha256_hexadecimal", HTML_PAGE.format("a", "g", 1)),
    ("html_pages_bytes_positive", HTML_PAGE.format("a", "a", 0)),
    ("documents_source_known", DOCUMENT.format("text", "a")),
    ("documents_input_sha256_hexadecimal", DOCUMENT.format("pdf", "g")),
    ("webhooks_labels_by_name", WEBHOOK.format(**{**GOOD, "labels": "'[]'"})),
    ("webhooks_disabled_for_a_reason", WEBHOOK.format(**{**GOOD, "disabled_at": "now()"})),
    ("webhooks_events_known", WEBHOOK.format(**{**GOOD, "events": "ARRAY['job.lost']"})),
    ("webhooks_events_known", WEBHOOK.format(**{**GOOD, "events": "ARRAY[]::text[]"})),
    ("webhook_deliveries_event_known", DELIVERY.format("job.lost", 1, "pending", "NULL", "now()")),
    ("webhook_deliveries_attempt_from_one", DELIVERY.format(DONE, 0, "pending", "NULL", "now()")),
    ("webhook_deliveries_status_known", DELIVERY.format(DONE, 1, "lost", "now()", "NULL")),
    ("webhook_deliveries_ended_iff_final", DELIVERY.format(DONE, 1, "failed", "NULL", "NULL")),
    ("webhook_deliveries_due_iff_pending", DELIVERY.format(DONE, 1, "pending", "NULL", "NULL")),
    ("job_papers_pinned_not_negative", "UPDATE job_papers SET pinned = -1"),
    ("paper_versions_pdf_state_known", VERSION.format("pdf_state", "'lost'")),
    ("paper_versions_text_state_known", VERSION.format("text_state", "'lost'")),
    ("paper_versions_file_iff_downloaded", VERSION.format("pdf_path", "'p'")),
    (
        "paper_versions_pdf_sha256_hexadecimal",
        VERSION.format(FILE, "'downloaded', 'p', repeat('g', 64), 1"),
    ),
    (
        "paper_versions_pdf_bytes_positive",
        VERSION.format(FILE, "'downloaded', 'p', repeat('a', 64), 0"),
    ),
    (
        "older_texts_text_state_known",
        "INSERT INTO older_texts (arxiv_id, version, content, truncated, text_state)"
        " VALUES ('2301.00001', 1, 't', false, 'lost')",
    ),
    (
        "paper_changes_kind_known",
        "INSERT INTO paper_changes (batch_id, arxiv_id, version, kind) VALUES (1, 'x', 1, 'lost')",
    ),
    ("paper_change_feed_one_row", "INSERT INTO paper_change_feed (is_only) VALUES (false)"),
    ("upstream_pace_lane_known", "INSERT INTO upstream_pace (lane) VALUES ('third')"),
    (
        "upstream_pace_held_by_someone",
        "UPDATE upstream_pace SET held_until = now(), holder = NULL",
    ),
    ("job_papers_pkey", JOB_PAPER),
    ("papers_pkey", PAPER),
    (
        "job_papers_job_id_fkey",
        "INSERT INTO job_papers (job_id, arxiv_id, state)"
        " VALUES (gen_random_uuid(), 'x', 'pending')",
    ),
    (
        "jobs_one_per_key",
        "INSERT INTO jobs (requested_by, idempotency_key) VALUES ('a', 'k'), ('a', 'k')",
    ),
]


@pytest.fixture
async def rows(sql):
    for statement in (JOB, PAPER, JOB_PAPER):
        await sql(statement)


@pytest.mark.parametrize(("rule", "statement"), BROKEN)
async def test_a_rule_cannot_be_broken_by_hand(sql, rows, rule, statement):
    statement = statement.replace("pdf_bytes = 1, pdf_bytes_ = 0", "pdf_bytes = 0")

    with pytest.raises(IntegrityError, match=f'"{rule}"'):
        await sql(statement)


async def test_every_check_is_broken_above(sql):
    checks = await sql(
        "SELECT c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
        " WHERE c.contype = 'c' AND t.relnamespace = 'public'::regnamespace"
    )

    assert {name for (name,) in checks} <= {rule for rule, _ in BROKEN}


async def test_one_key_may_be_used_by_two_callers_and_none_by_many(sql):
    await sql("INSERT INTO jobs (requested_by, idempotency_key) VALUES ('a', 'k'), ('b', 'k')")
    await sql("INSERT INTO jobs (requested_by) VALUES ('a'), ('a')")

    assert await sql("SELECT count(*) FROM jobs") == [(4,)]


async def test_all_moments_know_their_zone(sql):
    naive = await sql(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'"
    )

    assert naive == []


async def test_every_table_view_and_column_says_what_it_is(sql):
    silent = await sql(
        "SELECT c.relname, a.attname FROM pg_class c"
        " CROSS JOIN LATERAL (SELECT 0 AS attnum, '' AS attname UNION ALL"
        "  SELECT attnum, attname FROM pg_attribute"
        "  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS a"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')"
        " AND coalesce(col_description(c.oid, a.attnum),"
        "  CASE WHEN a.attnum = 0 THEN obj_description(c.oid, 'pg_class') END, '') = ''"
    )

    assert silent == []


async def test_every_function_of_ours_says_what_it_does(sql):
    silent = await sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND proname NOT LIKE 'fn_pgqueuer%' AND obj_description(oid, 'pg_proc') IS NULL"
    )

    assert silent == []


@pytest.mark.parametrize("view", ["job_overview", "job_throughput", "failing_papers"])
async def test_views_can_be_read_whatever_there_is(sql, rows, view):
    await sql("UPDATE job_papers SET state = 'failed', reason = 'corrupt'")
    await sql(
        "INSERT INTO jobs (status, started_at) VALUES ('completed', now()), ('running', now())"
    )
    await sql("INSERT INTO jobs (status) VALUES ('running'), ('cancelled')")

    assert await sql(f"SELECT * FROM {view}")


async def test_the_overview_says_how_far_a_job_is(sql):
    await sql(
        "INSERT INTO jobs (status, started_at, papers_total, papers_fetched, pdfs_pending)"
        " VALUES ('running', now() - interval '10 seconds', 100, 50, 25)"
    )

    ((percent, rate, eta),) = await sql(
        "SELECT percent, papers_per_second, extract(epoch FROM eta) FROM job_overview"
    )

    assert (float(percent), round(float(rate))) == (25.0, 5)
    assert 28 <= eta <= 33
