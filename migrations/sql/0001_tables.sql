-- All tables but the queue engine's, with their rules, comments and indexes.

CREATE TABLE callers (
    sub text NOT NULL,
    is_blocked boolean NOT NULL DEFAULT true,
    reason text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT callers_pkey PRIMARY KEY (sub)
);
COMMENT ON TABLE callers IS
    'Callers that an operator has blocked; a caller without a row is active.';
COMMENT ON COLUMN callers.sub IS 'Subject of the caller''s tokens.';
COMMENT ON COLUMN callers.is_blocked IS 'True: every token of this subject is answered with 401.';
COMMENT ON COLUMN callers.reason IS 'Why, for other operators.';
COMMENT ON COLUMN callers.changed_at IS 'When it was blocked or unblocked.';

CREATE TABLE jobs (
    id uuid NOT NULL DEFAULT new_job_id(),
    status text NOT NULL DEFAULT 'pending',
    request jsonb NOT NULL DEFAULT '{}',
    priority text NOT NULL DEFAULT 'normal',
    requested_by text,
    idempotency_key text,
    retry_of uuid,
    checkpoint jsonb,
    papers_total integer,
    pages_fetched integer NOT NULL DEFAULT 0,
    papers_fetched integer NOT NULL DEFAULT 0,
    papers_created integer NOT NULL DEFAULT 0,
    papers_updated integer NOT NULL DEFAULT 0,
    papers_skipped integer NOT NULL DEFAULT 0,
    pdfs_downloaded integer NOT NULL DEFAULT 0,
    pdfs_processed integer NOT NULL DEFAULT 0,
    pdfs_pending integer NOT NULL DEFAULT 0,
    pdfs_failed integer NOT NULL DEFAULT 0,
    pdfs_unavailable integer NOT NULL DEFAULT 0,
    errors_total integer NOT NULL DEFAULT 0,
    resumed integer NOT NULL DEFAULT 0,
    harvest_attempts integer NOT NULL DEFAULT 0,
    harvest_starts integer NOT NULL DEFAULT 0,
    is_harvested boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    taken_up_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    version bigint NOT NULL DEFAULT '1',
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_completed_iff_final CHECK (
        (status NOT IN ('pending', 'running')) = (completed_at IS NOT NULL)
    ),
    CONSTRAINT jobs_priority_known CHECK (priority IN ('low', 'normal', 'high')),
    CONSTRAINT jobs_status_known CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'cancelled')
    ),
    CONSTRAINT jobs_idempotency_key_short CHECK (length(idempotency_key) <= 255),
    CONSTRAINT jobs_counters_not_negative CHECK (
        pages_fetched >= 0 AND papers_fetched >= 0 AND papers_created >= 0
        AND papers_updated >= 0 AND papers_skipped >= 0 AND pdfs_downloaded >= 0
        AND pdfs_processed >= 0 AND pdfs_pending >= 0 AND pdfs_failed >= 0
        AND pdfs_unavailable >= 0 AND errors_total >= 0 AND resumed >= 0
        AND harvest_attempts >= 0 AND harvest_starts >= 0
    ),
    CONSTRAINT jobs_retry_of_fkey FOREIGN KEY (retry_of) REFERENCES jobs (id) ON DELETE SET NULL
);
COMMENT ON TABLE jobs IS 'What callers asked for, and how far each is. One row per job.';
COMMENT ON COLUMN jobs.id IS 'Job id, a UUID of version 7: sorts by creation.';
COMMENT ON COLUMN jobs.status IS 'pending, running, or final: completed, failed, cancelled.';
COMMENT ON COLUMN jobs.request IS
    'What the caller asked for, validated and with defaults filled in.';
COMMENT ON COLUMN jobs.priority IS 'low, normal or high: whose tasks run first.';
COMMENT ON COLUMN jobs.requested_by IS 'Subject of the token that submitted the job.';
COMMENT ON COLUMN jobs.idempotency_key IS
    'The caller''s Idempotency-Key: same key, same job, for it.';
COMMENT ON COLUMN jobs.retry_of IS
    'The final job whose unfinished papers this one brings in; null for others.';
COMMENT ON COLUMN jobs.checkpoint IS
    'Where the harvest goes on after a crash (opaque); null before the first page.';
COMMENT ON COLUMN jobs.papers_total IS 'Papers this job will bring in; null until known.';
COMMENT ON COLUMN jobs.pages_fetched IS 'Answers of arXiv stored completely.';
COMMENT ON COLUMN jobs.papers_fetched IS 'Papers of this job seen at arXiv, each once.';
COMMENT ON COLUMN jobs.papers_created IS 'Papers that were new to us.';
COMMENT ON COLUMN jobs.papers_updated IS
    'Papers written over an older (or, if asked for, the same) version.';
COMMENT ON COLUMN jobs.papers_skipped IS 'Papers left as they were: already held in this version.';
COMMENT ON COLUMN jobs.pdfs_downloaded IS 'PDFs of this job that are in storage.';
COMMENT ON COLUMN jobs.pdfs_processed IS 'PDFs of this job whose text is stored.';
COMMENT ON COLUMN jobs.pdfs_pending IS
    'PDFs of this job still to be brought in; 0 lets it complete.';
COMMENT ON COLUMN jobs.pdfs_failed IS 'PDFs of this job given up on; see job_errors.';
COMMENT ON COLUMN jobs.pdfs_unavailable IS 'PDFs of this job that arXiv does not have.';
COMMENT ON COLUMN jobs.errors_total IS 'Rows of this job in job_errors, ever.';
COMMENT ON COLUMN jobs.resumed IS
    'Times a task of this job was taken over from a worker that vanished.';
COMMENT ON COLUMN jobs.harvest_attempts IS
    'Failed tries of the page in work; 0 again after each page.';
COMMENT ON COLUMN jobs.harvest_starts IS
    'Starts on the page in work that have not ended in order; too many: quarantined.';
COMMENT ON COLUMN jobs.is_harvested IS
    'True once the last page is stored: no more papers will come.';
COMMENT ON COLUMN jobs.created_at IS 'When the job was submitted.';
COMMENT ON COLUMN jobs.taken_up_at IS
    'When a worker first took the job up; null for rows written by hand.';
COMMENT ON COLUMN jobs.started_at IS 'When its work began.';
COMMENT ON COLUMN jobs.completed_at IS 'When it reached a final status.';
COMMENT ON COLUMN jobs.updated_at IS 'Last visible change.';
COMMENT ON COLUMN jobs.version IS
    'Grows with every visible change (by trigger); the ETag of the status.';
CREATE INDEX jobs_active ON jobs (created_at DESC, id DESC) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_active_of_caller ON jobs (requested_by) WHERE status IN ('pending', 'running');
CREATE UNIQUE INDEX jobs_one_per_key ON jobs (requested_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_by_status ON jobs (status, created_at DESC, id DESC);
CREATE INDEX jobs_by_end ON jobs (completed_at) WHERE completed_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_one_active_retry ON jobs (retry_of) WHERE status IN ('pending', 'running');
CREATE INDEX jobs_retries ON jobs (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE papers (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    title text NOT NULL,
    abstract text NOT NULL,
    authors text[] NOT NULL,
    categories text[] NOT NULL,
    primary_category text NOT NULL,
    published_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    doi text,
    journal_ref text,
    comments text,
    license text,
    withdrawn boolean NOT NULL DEFAULT false,
    pdf_state text NOT NULL DEFAULT 'none',
    pdf_path text,
    pdf_sha256 text,
    pdf_bytes bigint,
    page_count integer,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    stored_at timestamptz NOT NULL DEFAULT now(),
    words tsvector GENERATED ALWAYS AS (paper_words(title, abstract)) STORED,
    author_words tsvector GENERATED ALWAYS AS (author_words(authors)) STORED,
    CONSTRAINT papers_pkey PRIMARY KEY (arxiv_id),
    CONSTRAINT papers_file_iff_downloaded CHECK (
        (pdf_state IN ('downloaded', 'processed')) = (pdf_path IS NOT NULL)
        AND (pdf_path IS NULL) = (pdf_sha256 IS NULL)
        AND (pdf_path IS NULL) = (pdf_bytes IS NULL)
    ),
    CONSTRAINT papers_pdf_sha256_hexadecimal CHECK (pdf_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT papers_pdf_state_known CHECK (
        pdf_state IN ('none', 'downloaded', 'processed', 'failed', 'unavailable')
    ),
    CONSTRAINT papers_pdf_bytes_positive CHECK (pdf_bytes > 0),
    CONSTRAINT papers_version_from_one CHECK (version >= 1)
);
COMMENT ON TABLE papers IS 'Metadata of every paper brought in, newest version only; CC0 (arXiv).';
COMMENT ON COLUMN papers.arxiv_id IS 'arXiv id without version: 2301.00001, hep-th/9901001.';
COMMENT ON COLUMN papers.version IS 'Newest version seen; never goes back.';
COMMENT ON COLUMN papers.title IS 'Title, single spaced.';
COMMENT ON COLUMN papers.abstract IS 'Abstract, single spaced.';
COMMENT ON COLUMN papers.authors IS 'Authors in arXiv''s order.';
COMMENT ON COLUMN papers.categories IS 'Categories, the primary one first.';
COMMENT ON COLUMN papers.primary_category IS 'Primary category, like cs.AI.';
COMMENT ON COLUMN papers.published_at IS 'When version 1 was submitted.';
COMMENT ON COLUMN papers.updated_at IS 'When this version was submitted.';
COMMENT ON COLUMN papers.doi IS 'DOI of the published article, where the authors gave one.';
COMMENT ON COLUMN papers.journal_ref IS 'Journal reference, where the authors gave one.';
COMMENT ON COLUMN papers.comments IS 'The authors'' comment; the reason of a withdrawal, too.';
COMMENT ON COLUMN papers.license IS 'Licence URL, where the interface tells it.';
COMMENT ON COLUMN papers.withdrawn IS 'True when this version withdraws the paper.';
COMMENT ON COLUMN papers.pdf_state IS
    'none, downloaded, processed, failed or unavailable: our copy of the PDF.';
COMMENT ON COLUMN papers.pdf_path IS 'Place of the file, relative to the storage root.';
COMMENT ON COLUMN papers.pdf_sha256 IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN papers.pdf_bytes IS 'Size of the file in bytes.';
COMMENT ON COLUMN papers.page_count IS 'Pages of the PDF; null until its text was extracted.';
COMMENT ON COLUMN papers.first_seen_at IS 'When we first stored the paper.';
COMMENT ON COLUMN papers.stored_at IS 'When its metadata was last written.';
COMMENT ON COLUMN papers.words IS
    'Words of title and abstract, for text search; kept by PostgreSQL.';
COMMENT ON COLUMN papers.author_words IS 'Words of the authors'' names, likewise.';
CREATE INDEX papers_by_pdf_state ON papers (pdf_state);
CREATE INDEX papers_by_storing ON papers (stored_at);
CREATE INDEX papers_by_date ON papers (published_at, arxiv_id);
CREATE INDEX papers_by_word ON papers USING gin (words);
CREATE INDEX papers_by_author ON papers USING gin (author_words);
CREATE INDEX papers_by_category ON papers USING gin (categories);

CREATE TABLE upstream_pace (
    lane text NOT NULL,
    next_at timestamptz NOT NULL DEFAULT now(),
    silent_until timestamptz,
    holder uuid,
    held_until timestamptz,
    strikes integer NOT NULL DEFAULT 0,
    turns bigint NOT NULL DEFAULT '0',
    refusals bigint NOT NULL DEFAULT '0',
    failing text[] NOT NULL DEFAULT '{}',
    failing_since timestamptz,
    CONSTRAINT upstream_pace_pkey PRIMARY KEY (lane),
    CONSTRAINT upstream_pace_lane_known CHECK (lane IN ('api', 'pdf')),
    CONSTRAINT upstream_pace_held_by_someone CHECK ((holder IS NULL) = (held_until IS NULL))
);
COMMENT ON TABLE upstream_pace IS
    'The one clock that keeps arXiv''s rules for all replicas together.';
COMMENT ON COLUMN upstream_pace.lane IS 'api (query API and OAI-PMH) or pdf.';
COMMENT ON COLUMN upstream_pace.next_at IS 'No request of the fleet may start before this moment.';
COMMENT ON COLUMN upstream_pace.silent_until IS
    'arXiv asked for silence until then, or refused us.';
COMMENT ON COLUMN upstream_pace.holder IS 'Whose request is in flight; api only.';
COMMENT ON COLUMN upstream_pace.held_until IS 'When the holder counts as dead unless it renews.';
COMMENT ON COLUMN upstream_pace.strikes IS 'Refusals in a row; each lengthens the next silence.';
COMMENT ON COLUMN upstream_pace.turns IS
    'Turns to ask that were given out, ever; one that a silence overtook counts too.';
COMMENT ON COLUMN upstream_pace.refusals IS 'Answers that asked for silence or refused us, ever.';
COMMENT ON COLUMN upstream_pace.failing IS
    'Whose requests found nobody since the last good answer; three make an outage.';
COMMENT ON COLUMN upstream_pace.failing_since IS 'The first of them; null when arXiv answers.';

CREATE TABLE job_errors (
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    job_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    stage text NOT NULL,
    error text NOT NULL,
    code text,
    arxiv_id text,
    attempt integer,
    CONSTRAINT job_errors_pkey PRIMARY KEY (id),
    CONSTRAINT job_errors_stage_known CHECK (
        stage IN ('arxiv_fetch', 'store', 'pdf_download', 'pdf_processing', 'general')
    ),
    CONSTRAINT job_errors_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
COMMENT ON TABLE job_errors IS 'What went wrong in jobs; the status shows the latest 100 of each.';
COMMENT ON COLUMN job_errors.id IS 'Order of storing.';
COMMENT ON COLUMN job_errors.job_id IS 'The job.';
COMMENT ON COLUMN job_errors.occurred_at IS 'When it happened.';
COMMENT ON COLUMN job_errors.stage IS
    'arxiv_fetch, store, pdf_download, pdf_processing or general.';
COMMENT ON COLUMN job_errors.error IS 'What happened, in words safe to show.';
COMMENT ON COLUMN job_errors.code IS 'The same as a stable word for programs.';
COMMENT ON COLUMN job_errors.arxiv_id IS 'The paper concerned, if one is.';
COMMENT ON COLUMN job_errors.attempt IS 'The attempt that failed, counted from 1.';
CREATE INDEX job_errors_latest ON job_errors (job_id, occurred_at DESC, id DESC);

CREATE TABLE job_papers (
    job_id uuid NOT NULL,
    arxiv_id text NOT NULL,
    version integer,
    state text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    unfinished_reads integer NOT NULL DEFAULT 0,
    reason text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_papers_pkey PRIMARY KEY (job_id, arxiv_id),
    CONSTRAINT job_papers_state_known CHECK (
        state IN ('pending', 'downloaded', 'processed', 'failed', 'unavailable', 'skipped')
    ),
    CONSTRAINT job_papers_counts_not_negative CHECK (
        attempts >= failures AND failures >= 0 AND unfinished_reads >= 0
    ),
    CONSTRAINT job_papers_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
COMMENT ON TABLE job_papers IS
    'One row per paper that a job touched; the counters of jobs move with its state.';
COMMENT ON COLUMN job_papers.job_id IS 'The job.';
COMMENT ON COLUMN job_papers.arxiv_id IS 'The paper; in papers too, unless arXiv does not know it.';
COMMENT ON COLUMN job_papers.version IS 'Version that this job is to bring in.';
COMMENT ON COLUMN job_papers.state IS
    'pending, downloaded, processed, failed, unavailable or skipped.';
COMMENT ON COLUMN job_papers.attempts IS
    'Times work on it was begun, counted before the work; a hand-back is taken off.';
COMMENT ON COLUMN job_papers.failures IS
    'Of these, how many ended in an error that is worth another try.';
COMMENT ON COLUMN job_papers.unfinished_reads IS
    'Times reading the PDF was begun and its worker died; three: quarantined.';
COMMENT ON COLUMN job_papers.reason IS
    'Why it failed, was skipped or is unavailable: a stable word.';
COMMENT ON COLUMN job_papers.updated_at IS 'Last change of state.';
CREATE INDEX job_papers_by_state ON job_papers (job_id, state, arxiv_id);
CREATE INDEX job_papers_failing ON job_papers (updated_at DESC) WHERE state = 'failed';
CREATE INDEX job_papers_processed ON job_papers (updated_at) WHERE state = 'processed';

CREATE TABLE paper_texts (
    arxiv_id text NOT NULL,
    version integer NOT NULL,
    content text NOT NULL,
    truncated boolean NOT NULL,
    extracted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT paper_texts_pkey PRIMARY KEY (arxiv_id),
    CONSTRAINT paper_texts_arxiv_id_fkey
        FOREIGN KEY (arxiv_id) REFERENCES papers (arxiv_id) ON DELETE CASCADE
);
COMMENT ON TABLE paper_texts IS 'Text of papers, apart so that reading metadata stays quick.';
COMMENT ON COLUMN paper_texts.arxiv_id IS 'The paper.';
COMMENT ON COLUMN paper_texts.version IS 'Version of the PDF that the text is from.';
COMMENT ON COLUMN paper_texts.content IS 'Plain text of the PDF, cleaned.';
COMMENT ON COLUMN paper_texts.truncated IS 'True when a limit cut the text short.';
COMMENT ON COLUMN paper_texts.extracted_at IS 'When the text was stored.';

CREATE TABLE schedules (
    id uuid NOT NULL DEFAULT new_job_id(),
    name text NOT NULL,
    cron text NOT NULL,
    request jsonb NOT NULL,
    is_paused boolean NOT NULL DEFAULT false,
    created_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    next_run_at timestamptz,
    last_run_at timestamptz,
    last_job_id uuid,
    CONSTRAINT schedules_pkey PRIMARY KEY (id),
    CONSTRAINT schedules_name_short CHECK (length(name) <= 100),
    CONSTRAINT schedules_last_job_id_fkey
        FOREIGN KEY (last_job_id) REFERENCES jobs (id) ON DELETE SET NULL,
    CONSTRAINT schedules_name_key UNIQUE (name)
);
COMMENT ON TABLE schedules IS 'Recurring harvests.';
COMMENT ON COLUMN schedules.id IS 'Schedule id.';
COMMENT ON COLUMN schedules.name IS 'What people call it.';
COMMENT ON COLUMN schedules.cron IS 'Cron expression of five fields, UTC.';
COMMENT ON COLUMN schedules.request IS 'The request of each job it submits.';
COMMENT ON COLUMN schedules.is_paused IS 'True: no run is due.';
COMMENT ON COLUMN schedules.created_by IS
    'Subject of the token that made it; blocked: no run is due.';
COMMENT ON COLUMN schedules.created_at IS 'When it was made.';
COMMENT ON COLUMN schedules.next_run_at IS
    'When it is due next; null while paused, or for a worker to compute.';
COMMENT ON COLUMN schedules.last_run_at IS 'When it last submitted a job.';
COMMENT ON COLUMN schedules.last_job_id IS 'The job it last submitted.';
CREATE INDEX schedules_due ON schedules (COALESCE(next_run_at, '-infinity'::timestamptz))
    WHERE NOT is_paused;
CREATE INDEX schedules_last_job ON schedules (last_job_id) WHERE last_job_id IS NOT NULL;

-- One row for each channel to arXiv.
INSERT INTO upstream_pace (lane) VALUES ('api'), ('pdf');

COMMENT ON TABLE alembic_version IS 'Revision of this schema (Alembic).';
COMMENT ON COLUMN alembic_version.version_num IS 'The revision.';
