ALTER TABLE jobs ADD COLUMN html_pending integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.html_pending IS
    'HTML pages of this job that are not fetched yet; likewise.';
ALTER TABLE jobs ADD COLUMN documents_html integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.documents_html IS
    'Papers of this job, done with, whose document is made of HTML.';
ALTER TABLE jobs ADD COLUMN documents_pdf integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.documents_pdf IS
    'Papers of this job, done with, whose document is made of the PDF.';
ALTER TABLE jobs DROP CONSTRAINT jobs_counters_not_negative;
ALTER TABLE jobs ADD CONSTRAINT jobs_counters_not_negative CHECK (
    pages_fetched >= 0
    AND papers_fetched >= 0
    AND papers_created >= 0
    AND papers_updated >= 0
    AND papers_skipped >= 0
    AND pdfs_downloaded >= 0
    AND pdfs_processed >= 0
    AND pdfs_pending >= 0
    AND pdfs_failed >= 0
    AND pdfs_unavailable >= 0
    AND html_pending >= 0
    AND documents_html >= 0
    AND documents_pdf >= 0
    AND errors_total >= 0
    AND resumed >= 0
    AND harvest_attempts >= 0
    AND harvest_starts >= 0
);

ALTER TABLE job_papers ADD COLUMN html_state text;
COMMENT ON COLUMN job_papers.html_state IS
    'pending, stored, refused, unavailable, failed or skipped (held already);'
    ' null: its HTML is not wanted.';
ALTER TABLE job_papers ADD COLUMN html_reason text;
COMMENT ON COLUMN job_papers.html_reason IS
    'Why the HTML failed or was refused: a stable word.';
ALTER TABLE job_papers ADD COLUMN html_attempts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN job_papers.html_attempts IS
    'Times work on its HTML was begun, counted like attempts.';
ALTER TABLE job_papers ADD COLUMN html_failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN job_papers.html_failures IS
    'Of these, how many ended in an error worth another try.';
ALTER TABLE job_papers ADD COLUMN html_unfinished_reads integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN job_papers.html_unfinished_reads IS
    'Times reading its HTML was begun and its worker died.';
ALTER TABLE job_papers ADD CONSTRAINT job_papers_html_state_known CHECK (
    html_state IN ('pending', 'stored', 'refused', 'unavailable', 'failed', 'skipped')
);
ALTER TABLE job_papers ADD CONSTRAINT job_papers_html_counts_not_negative CHECK (
    html_attempts >= html_failures AND html_failures >= 0 AND html_unfinished_reads >= 0
);
CREATE INDEX job_papers_by_html_state ON job_papers (job_id, html_state, arxiv_id)
    WHERE html_state IN ('pending', 'failed');

CREATE TABLE html_pages (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    etag text,
    license text,
    generator text,
    converter text NOT NULL,
    pdf_sha256 text,
    refused text,
    quality json NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT html_pages_pkey PRIMARY KEY (arxiv_id, version),
    CONSTRAINT html_pages_sha256_hexadecimal CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT html_pages_pdf_sha256_hexadecimal CHECK (pdf_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT html_pages_bytes_positive CHECK (bytes > 0),
    CONSTRAINT html_pages_arxiv_id_fkey
        FOREIGN KEY (arxiv_id) REFERENCES papers (arxiv_id) ON DELETE CASCADE
);
COMMENT ON TABLE html_pages IS
    'HTML pages of papers that are in storage, and how each was judged.';
COMMENT ON COLUMN html_pages.arxiv_id IS 'The paper.';
COMMENT ON COLUMN html_pages.version IS 'Its version.';
COMMENT ON COLUMN html_pages.path IS 'Place of the file, relative to the storage root.';
COMMENT ON COLUMN html_pages.sha256 IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN html_pages.bytes IS 'Size of the file in bytes.';
COMMENT ON COLUMN html_pages.etag IS 'ETag that arXiv sent with it, if it was a strong one.';
COMMENT ON COLUMN html_pages.license IS
    'Licence as the page names it; it matters for passing it on.';
COMMENT ON COLUMN html_pages.generator IS 'What made the page, as it says.';
COMMENT ON COLUMN html_pages.converter IS 'What last judged it, with its version.';
COMMENT ON COLUMN html_pages.pdf_sha256 IS
    'SHA-256 of the PDF it was compared with; null: none.';
COMMENT ON COLUMN html_pages.refused IS
    'Why no document is made of it, a stable word; null: one is.';
COMMENT ON COLUMN html_pages.quality IS 'Figures of that judgement.';
COMMENT ON COLUMN html_pages.fetched_at IS 'When it was fetched.';

ALTER TABLE documents DROP CONSTRAINT documents_pkey;
ALTER TABLE documents ADD CONSTRAINT documents_pkey PRIMARY KEY (arxiv_id, version, source);
COMMENT ON COLUMN documents.source IS
    'html or pdf: what it was made of; of two, the one of html is the paper''s.';

ALTER TABLE upstream_pace DROP CONSTRAINT upstream_pace_lane_known;
ALTER TABLE upstream_pace ADD CONSTRAINT upstream_pace_lane_known
    CHECK (lane IN ('api', 'pdf', 'html'));
COMMENT ON COLUMN upstream_pace.lane IS 'api (query API and OAI-PMH), pdf or html.';
COMMENT ON COLUMN upstream_pace.holder IS 'Whose request is in flight; not of pdf.';
INSERT INTO upstream_pace (lane, paused_since) SELECT 'html', min(paused_since) FROM upstream_pace;

-- A paper is done with when neither its PDF nor its HTML is awaited.
CREATE OR REPLACE VIEW job_overview AS
SELECT
    j.id,
    j.status,
    j.priority,
    j.requested_by,
    CASE
        WHEN j.status = 'completed' THEN 100.0
        ELSE round(100.0 * greatest(j.papers_fetched - t.pending, 0) / nullif(j.papers_total, 0), 1)
    END AS percent,
    j.papers_fetched,
    j.papers_total,
    j.pdfs_processed,
    j.pdfs_pending,
    j.errors_total,
    round((j.papers_fetched / nullif(extract(epoch FROM t.spent), 0))::numeric, 2) AS papers_per_second,
    round((j.pdfs_processed / nullif(extract(epoch FROM t.spent), 0))::numeric, 2) AS pdfs_per_second,
    CASE
        WHEN j.status = 'running' AND j.papers_fetched > t.pending AND j.papers_total > 0
        THEN date_trunc('second', t.spent
            * (j.papers_total - j.papers_fetched + t.pending)::float8
            / (j.papers_fetched - t.pending))
    END AS eta,
    date_trunc('second', now() - j.created_at) AS age,
    greatest(
        j.updated_at,
        (SELECT max(q.heartbeat) FROM pgqueuer q WHERE q.headers ->> 'job' = j.id::text AND q.status = 'picked')
    ) AS last_sign_of_life,
    j.html_pending
FROM jobs j
CROSS JOIN LATERAL (
    SELECT
        coalesce(j.completed_at, now()) - j.started_at AS spent,
        greatest(j.pdfs_pending, j.html_pending) AS pending
) AS t;
COMMENT ON COLUMN job_overview.html_pending IS 'HTML pages still to come.';

-- A paper whose HTML alone is wanted is pending, and has no task for its PDF.
CREATE OR REPLACE VIEW stranded_work AS
SELECT j.id AS job_id, NULL::text AS arxiv_id, 'harvest' AS kind
FROM jobs j
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND NOT j.is_harvested
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.headers ->> 'job' = j.id::text AND q.entrypoint = 'harvest' AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.arxiv_id, 'pdf'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.state IN ('pending', 'downloaded')
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.pdfs_pending > 0
    AND (jp.state = 'downloaded' OR coalesce(j.request ->> 'process_pdfs', 'true') = 'true')
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'pdf:' || jp.job_id || ':' || jp.arxiv_id AND q.status IN ('queued', 'picked')
    )
UNION ALL
SELECT jp.job_id, jp.arxiv_id, 'html'
FROM jobs j
JOIN job_papers jp ON jp.job_id = j.id AND jp.html_state = 'pending'
WHERE j.status = 'running' AND j.taken_up_at IS NOT NULL AND j.html_pending > 0
    AND NOT EXISTS (
        SELECT FROM pgqueuer q
        WHERE q.dedupe_key = 'html:' || jp.job_id || ':' || jp.arxiv_id AND q.status IN ('queued', 'picked')
    );
COMMENT ON COLUMN stranded_work.arxiv_id IS 'The paper whose file is wanted; null: the harvest.';
COMMENT ON COLUMN stranded_work.kind IS 'Kind of the task that is missing: harvest, pdf or html.';
