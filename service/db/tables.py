"""The tables, with their rules: what must hold is a constraint here, not code elsewhere.

Operators read these with psql, so every table and column says what it is in a
COMMENT. The queue's own tables (`pgqueuer…`) and everything that is no table
(views, functions, triggers) live in the migrations only.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from service.db.columns import (
    counter,
    job_key,
    moment,
    one_of,
    paper_key,
    text_columns,
    version_key,
    within_years,
)
from service.domain.channels import WaitReason
from service.domain.jobs import JobStatus, Priority, Stage
from service.domain.papers import DocumentSource, HtmlState, PaperState, PdfState, TextState

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


_FILE_IFF_DOWNLOADED = (
    "(pdf_state IN ('downloaded', 'processed')) = (pdf_path IS NOT NULL)"
    " AND (pdf_path IS NULL) = (pdf_sha256 IS NULL)"
    " AND (pdf_path IS NULL) = (pdf_bytes IS NULL)"
)

COUNTERS = (
    "pages_fetched",
    "papers_fetched",
    "papers_created",
    "papers_updated",
    "papers_skipped",
    "pdfs_downloaded",
    "pdfs_processed",
    "pdfs_pending",
    "pdfs_failed",
    "pdfs_unavailable",
    "html_pending",
    "documents_html",
    "documents_pdf",
    "errors_total",
    "resumed",
)

jobs = Table(
    "jobs",
    metadata,
    Column(
        "id",
        Uuid,
        primary_key=True,
        server_default=text("new_job_id()"),
        comment="Job id, a UUID of version 7: sorts by creation.",
    ),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=JobStatus.PENDING,
        comment="pending, running, or final: completed, failed, cancelled.",
    ),
    Column(
        "request",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="What the caller asked for, validated and with defaults filled in.",
    ),
    Column(
        "priority",
        Text,
        nullable=False,
        server_default=Priority.NORMAL,
        comment="low, normal or high: whose tasks run first.",
    ),
    Column("requested_by", Text, comment="Subject of the token that submitted the job."),
    Column(
        "idempotency_key", Text, comment="The caller's Idempotency-Key: same key, same job, for it."
    ),
    Column(
        "schedule_id",
        Uuid,
        comment="The schedule that it is a run of, though that may be gone; null for others.",
    ),
    Column(
        "retry_of",
        Uuid,
        ForeignKey("jobs.id", ondelete="SET NULL"),
        comment="The final job whose unfinished papers this one brings in; null for others.",
    ),
    Column(
        "checkpoint",
        JSONB(none_as_null=True),
        comment="Where the harvest goes on after a crash (opaque); null before the first page.",
    ),
    Column("papers_total", Integer, comment="Papers this job will bring in; null until known."),
    counter("pages_fetched", "Answers of arXiv stored completely."),
    counter("papers_fetched", "Papers of this job seen at arXiv, each once."),
    counter("papers_created", "Papers that were new to us."),
    counter("papers_updated", "Papers written over an older (or, if asked for, the same) version."),
    counter("papers_skipped", "Papers left as they were: already held in this version."),
    counter("pdfs_downloaded", "PDFs of this job that are in storage."),
    counter("pdfs_processed", "PDFs of this job whose text is stored."),
    counter("pdfs_pending", "PDFs of this job that are not processed yet; 0 lets it complete."),
    counter("pdfs_failed", "PDFs of this job that failed for good; see job_errors."),
    counter("pdfs_unavailable", "PDFs of this job that arXiv does not have."),
    counter("html_pending", "HTML pages of this job that are not fetched yet; likewise."),
    counter("documents_html", "Papers of this job, done with, whose document is made of HTML."),
    counter("documents_pdf", "Papers of this job, done with, whose document is made of the PDF."),
    counter("errors_total", "Rows of this job in job_errors, ever."),
    counter("resumed", "Times a task of this job was taken over from a worker that vanished."),
    Column(
        "harvest_attempts",
        Integer,
        nullable=False,
        server_default="0",
        comment="Failed tries of the page in work; 0 again after each page.",
    ),
    Column(
        "harvest_starts",
        Integer,
        nullable=False,
        server_default="0",
        comment="Starts on the page in work that have not ended in order; too many: quarantined.",
    ),
    Column(
        "is_harvested",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True once the last page is stored: no more papers will come.",
    ),
    Column(
        "facts",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="What the job's source has to say; shown in its stats under these names.",
    ),
    Column(
        "waiting_for",
        Text,
        comment="Why a running job does not move: arxiv_unavailable, arxiv_cooldown,"
        " arxiv_paused or storage_unavailable; null when it moves.",
    ),
    moment("waiting_since", "Since when it waits for that; null when it moves."),
    moment("created_at", "When the job was submitted.", now=True),
    moment("taken_up_at", "When a worker first took the job up; null for rows written by hand."),
    moment("started_at", "When its work began."),
    moment("completed_at", "When it reached a final status."),
    moment("updated_at", "Last visible change.", now=True),
    Column(
        "version",
        BigInteger,
        nullable=False,
        server_default="1",
        comment="Grows with every visible change (by trigger); the ETag of the status.",
    ),
    CheckConstraint(one_of("status", JobStatus), name="status_known"),
    CheckConstraint(one_of("priority", Priority), name="priority_known"),
    CheckConstraint(
        "(status NOT IN ('pending', 'running')) = (completed_at IS NOT NULL)",
        name="completed_iff_final",
    ),
    CheckConstraint(
        " AND ".join(f"{name} >= 0" for name in (*COUNTERS, "harvest_attempts", "harvest_starts")),
        name="counters_not_negative",
    ),
    CheckConstraint("length(idempotency_key) <= 255", name="idempotency_key_short"),
    CheckConstraint(one_of("waiting_for", WaitReason), name="waiting_for_known"),
    CheckConstraint(
        "(waiting_for IS NULL) = (waiting_since IS NULL)", name="waiting_since_some_moment"
    ),
    CheckConstraint("jsonb_typeof(facts) = 'object'", name="facts_by_name"),
    CheckConstraint(
        within_years(
            *("created_at", "taken_up_at", "started_at"),
            *("completed_at", "updated_at", "waiting_since"),
        ),
        name="moments_in_range",
    ),
    # JobStore.find_by_key: at most one job per caller and key
    Index(
        "jobs_one_per_key",
        "requested_by",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    # JobListStore.list_page of a schedule, ScheduleStore.last_success
    Index(
        "jobs_of_schedule",
        "schedule_id",
        text("created_at DESC"),
        text("id DESC"),
        postgresql_where=text("schedule_id IS NOT NULL"),
    ),
    # JobStore.list_active: newest first among the few that are not final
    Index(
        "jobs_active",
        text("created_at DESC"),
        text("id DESC"),
        postgresql_where=text("status IN ('pending', 'running')"),
    ),
    # JobStore.count_active: the few of one caller that are not final
    Index(
        "jobs_active_of_caller",
        "requested_by",
        postgresql_where=text("status IN ('pending', 'running')"),
    ),
    # JobStore.list_jobs with ?status=…, and StatsStore.count_jobs
    Index("jobs_by_status", "status", text("created_at DESC"), text("id DESC")),
    # JobListStore: ?label=key:value
    Index(
        "jobs_by_label",
        text("(request -> 'labels')"),
        postgresql_using="gin",
        postgresql_where=text("request ? 'labels'"),
    ),
    # RetentionStore.lock_old: what ended first goes first
    Index(
        "jobs_by_end",
        "completed_at",
        postgresql_where=text("completed_at IS NOT NULL"),
    ),
    # RetryStore.add: a job is retried by one job at a time
    Index(
        "jobs_one_active_retry",
        "retry_of",
        unique=True,
        postgresql_where=text("status IN ('pending', 'running')"),
    ),
    # the foreign key, when a job is deleted
    Index("jobs_retries", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
    comment="What callers asked for, and how far each is. One row per job.",
)

papers = Table(
    "papers",
    metadata,
    Column(
        "arxiv_id",
        Text,
        primary_key=True,
        comment="arXiv id without version: 2301.00001, hep-th/9901001.",
    ),
    Column("version", Integer, nullable=False, comment="Newest version seen; never goes back."),
    Column("title", Text, nullable=False, comment="Title, single spaced."),
    Column("abstract", Text, nullable=False, comment="Abstract, single spaced."),
    Column("authors", ARRAY(Text), nullable=False, comment="Authors in arXiv's order."),
    Column("categories", ARRAY(Text), nullable=False, comment="Categories, the primary one first."),
    Column("primary_category", Text, nullable=False, comment="Primary category, like cs.AI."),
    moment("published_at", "When version 1 was submitted.", required=True),
    moment("updated_at", "When this version was submitted.", required=True),
    Column("doi", Text, comment="DOI of the published article, where the authors gave one."),
    Column("journal_ref", Text, comment="Journal reference, where the authors gave one."),
    Column("comments", Text, comment="The authors' comment; the reason of a withdrawal, too."),
    Column("license", Text, comment="Licence URL, where the interface tells it."),
    Column(
        "withdrawn",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when this version withdraws the paper.",
    ),
    Column(
        "pdf_state",
        Text,
        nullable=False,
        server_default=PdfState.NONE,
        comment="none, downloaded, processed, failed or unavailable: our copy of the PDF.",
    ),
    Column("pdf_path", Text, comment="Place of the file, relative to the storage root."),
    Column("pdf_sha256", Text, comment="SHA-256 of the file, hexadecimal."),
    Column("pdf_bytes", BigInteger, comment="Size of the file in bytes."),
    Column("page_count", Integer, comment="Pages of the PDF; null until its text was extracted."),
    Column(
        "text_state",
        Text,
        comment="full, cut, empty or encrypted: the text of this version's PDF;"
        " null: none made yet.",
    ),
    moment("first_seen_at", "When we first stored the paper.", now=True),
    moment("stored_at", "When its metadata was last written.", now=True),
    Column(
        "affiliations",
        JSONB,
        nullable=False,
        server_default=text("'[]'"),
        comment="Per author, in the same order, the texts of where he works; [] when never told.",
    ),
    Column("submitter", Text, comment="Who submitted it, by name; null when no source told it."),
    Column(
        "datestamp",
        Date,
        comment="Day (UTC) that arXiv lists the record with: that of its last change;"
        " null while only searches told of the paper.",
    ),
    Column(
        "license_told",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when a source that tells licences described it: null then means none given.",
    ),
    Column("job_id", Uuid, comment="The last job that stored it; it may be gone by now."),
    Column(
        "snapshot_digest",
        Uuid,
        comment="Digest of the snapshot's line that told all this; null when another source did.",
    ),
    Column(
        "words",
        TSVECTOR,
        Computed("paper_words(title, abstract)", persisted=True),
        comment="Words of title and abstract, for text search; kept by PostgreSQL.",
    ),
    Column(
        "author_words",
        TSVECTOR,
        Computed("author_words(authors)", persisted=True),
        comment="Words of the authors' names, likewise.",
    ),
    CheckConstraint(one_of("pdf_state", PdfState), name="pdf_state_known"),
    CheckConstraint(one_of("text_state", TextState), name="text_state_known"),
    CheckConstraint("version >= 1", name="version_from_one"),
    CheckConstraint(within_years("published_at", "updated_at"), name="moments_in_range"),
    CheckConstraint("jsonb_typeof(affiliations) = 'array'", name="affiliations_by_author"),
    CheckConstraint(_FILE_IFF_DOWNLOADED, name="file_iff_downloaded"),
    CheckConstraint("pdf_sha256 ~ '^[0-9a-f]{64}$'", name="pdf_sha256_hexadecimal"),
    CheckConstraint("pdf_bytes > 0", name="pdf_bytes_positive"),
    # StatsStore.count_papers, and its throughput
    Index("papers_by_pdf_state", "pdf_state"),
    Index("papers_by_storing", "stored_at"),
    # HeldPaperStore: ?job_id= of a bulk job, whose papers have no rows in job_papers
    Index("papers_by_job", "job_id"),
    # HeldPaperStore.list_newest: the order of its pages, and its filters
    Index("papers_by_date", "published_at", "arxiv_id"),
    Index("papers_by_word", "words", postgresql_using="gin"),
    Index("papers_by_author", "author_words", postgresql_using="gin"),
    Index("papers_by_category", "categories", postgresql_using="gin"),
    comment="Metadata of every paper ingested, newest version only; CC0 (arXiv).",
)

paper_versions = Table(
    "paper_versions",
    metadata,
    paper_key(),
    Column("version", Integer, primary_key=True, comment="Its version, counted from 1."),
    moment("submitted_at", "When this version was submitted.", required=True),
    Column("size_kb", Integer, comment="Size of its source in kilobytes, where arXiv tells it."),
    Column(
        "source_type",
        Text,
        comment="arXiv's letters: I withdrawn, D pdfTeX, H HTML, P PostScript, X docx,"
        " A ancillary files, S source not public; null where not told.",
    ),
    Column(
        "withdrawn",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when this version withdraws the paper.",
    ),
    Column("license", Text, comment="Licence URI told while this was the newest version."),
    Column(
        "license_told",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when a source that tells licences described it while it was the newest.",
    ),
    Column(
        "pdf_state",
        Text,
        nullable=False,
        server_default=PdfState.NONE,
        comment="Our copy of its PDF, while it is not the newest version: see papers.pdf_state.",
    ),
    Column(
        "pdf_path",
        Text,
        comment="Place of the file, relative to the storage root; the newest version's is in"
        " papers.",
    ),
    Column("pdf_sha256", Text, comment="SHA-256 of the file, hexadecimal."),
    Column("pdf_bytes", BigInteger, comment="Size of the file in bytes."),
    Column("page_count", Integer, comment="Pages of the PDF; null until its text was extracted."),
    Column("text_state", Text, comment="full, cut, empty or encrypted: its text; null: none held."),
    Column(
        "is_kept",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when its file stays though a newer one is processed: a job asked for this"
        " very version, or KEEP_VERSIONS.",
    ),
    CheckConstraint("version >= 1", name="version_from_one"),
    CheckConstraint("size_kb >= 0", name="size_kb_not_negative"),
    CheckConstraint(one_of("pdf_state", PdfState), name="pdf_state_known"),
    CheckConstraint(one_of("text_state", TextState), name="text_state_known"),
    CheckConstraint(_FILE_IFF_DOWNLOADED, name="file_iff_downloaded"),
    CheckConstraint("pdf_sha256 ~ '^[0-9a-f]{64}$'", name="pdf_sha256_hexadecimal"),
    CheckConstraint("pdf_bytes > 0", name="pdf_bytes_positive"),
    # VersionFileStore.list_with_file, of the few versions that have one
    Index(
        "paper_versions_with_file",
        "arxiv_id",
        "version",
        postgresql_where=text("pdf_path IS NOT NULL"),
    ),
    comment="Every known version of every paper, from arXiv's history of it.",
)

coverage = Table(
    "coverage",
    metadata,
    Column("set", Text, primary_key=True, comment="OAI-PMH set (cs, cs:cs:AI); '' for all."),
    Column(
        "day", Date, primary_key=True, comment="Datestamp (UTC) that the records are listed by."
    ),
    Column("listed", Integer, nullable=False, comment="Papers that arXiv lists for this day."),
    Column("missing", Integer, nullable=False, comment="Of these, how many are not held."),
    Column(
        "stale",
        Integer,
        nullable=False,
        comment="Of these, how many are held with an older datestamp, or without one.",
    ),
    moment("checked_at", "When the last audit of this set compared this day.", required=True),
    CheckConstraint(
        "missing >= 0 AND stale >= 0 AND missing + stale <= listed", name="counts_add_up"
    ),
    comment="What the last audit of each set and day found; healing moves the counts.",
)

paper_texts = Table(
    "paper_texts",
    metadata,
    paper_key(),
    Column("version", Integer, nullable=False, comment="Version of the PDF that the text is from."),
    *text_columns(text_state="full, cut or empty; null: stored before states were told apart."),
    CheckConstraint(one_of("text_state", TextState), name="text_state_known"),
    comment="Text of papers, apart so that reading metadata stays quick.",
)

documents = Table(
    "documents",
    metadata,
    paper_key(),
    version_key("Version it was made of."),
    Column(
        "source",
        Text,
        primary_key=True,
        comment="html or pdf: what it was made of; of two, the one of html is the paper's.",
    ),
    Column("converter", Text, nullable=False, comment="What made it, with its version."),
    Column(
        "input_sha256",
        Text,
        nullable=False,
        comment="SHA-256 of the file that source names, hexadecimal.",
    ),
    Column("quality", JSON, nullable=False, comment="Figures of the conversion."),
    Column(
        "content",
        JSON,
        nullable=False,
        comment="Title, abstract, sections, equations, captions, references.",
    ),
    moment("made_at", "When it was stored.", now=True),
    CheckConstraint(one_of("source", DocumentSource), name="source_known"),
    CheckConstraint("input_sha256 ~ '^[0-9a-f]{64}$'", name="input_sha256_hexadecimal"),
    comment="Structured documents of papers: sections, captions, references.",
)

job_papers = Table(
    "job_papers",
    metadata,
    job_key(),
    Column(
        "arxiv_id",
        Text,
        nullable=False,
        comment="The paper; in papers too, unless arXiv does not know it.",
    ),
    Column("version", Integer, comment="Version that this job is to bring in."),
    Column(
        "pinned",
        Integer,
        nullable=False,
        server_default="0",
        comment="The version that the job asked for by its number; 0: the newest.",
    ),
    Column(
        "item",
        Text,
        Computed(
            "arxiv_id || CASE WHEN pinned > 0 THEN 'v' || pinned::text ELSE '' END",
            persisted=True,
        ),
        primary_key=True,
        comment="The paper as it was asked for: with its version, if one was named. The key of"
        " its task.",
    ),
    CheckConstraint("pinned >= 0", name="pinned_not_negative"),
    Column(
        "state",
        Text,
        nullable=False,
        comment="pending, downloaded, processed, failed, unavailable or skipped.",
    ),
    Column(
        "attempts",
        Integer,
        nullable=False,
        server_default="0",
        comment="Times work on it was begun, counted before the work; a hand-back is taken off.",
    ),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="Of these, how many ended in an error that is worth another try.",
    ),
    Column(
        "unfinished_reads",
        Integer,
        nullable=False,
        server_default="0",
        comment="Times reading the PDF was begun and its worker died; three: quarantined.",
    ),
    Column("reason", Text, comment="Why it failed, was skipped or is unavailable: a stable word."),
    moment("updated_at", "Last change of state.", now=True),
    Column(
        "html_state",
        Text,
        comment="pending, stored, refused, unavailable, failed or skipped (held already);"
        " null: its HTML is not wanted.",
    ),
    Column("html_reason", Text, comment="Why the HTML failed or was refused: a stable word."),
    counter("html_attempts", "Times work on its HTML was begun, counted like attempts."),
    counter("html_failures", "Of these, how many ended in an error worth another try."),
    counter("html_unfinished_reads", "Times reading its HTML was begun and its worker died."),
    CheckConstraint(one_of("state", PaperState), name="state_known"),
    CheckConstraint(one_of("html_state", HtmlState), name="html_state_known"),
    CheckConstraint(
        "attempts >= failures AND failures >= 0 AND unfinished_reads >= 0",
        name="counts_not_negative",
    ),
    CheckConstraint(
        "html_attempts >= html_failures AND html_failures >= 0 AND html_unfinished_reads >= 0",
        name="html_counts_not_negative",
    ),
    # JobPaperStore.list_of_job with ?state=…, and the view failing_papers
    Index("job_papers_by_state", "job_id", "state", "item"),
    # RetryStore.list_unfinished, and the view stranded_work
    Index(
        "job_papers_by_html_state",
        "job_id",
        "html_state",
        "arxiv_id",
        postgresql_where=text("html_state IN ('pending', 'failed')"),
    ),
    # FleetStore.list_failing, and everybody who looks at the view
    Index(
        "job_papers_failing",
        text("updated_at DESC"),
        postgresql_where=text("state = 'failed'"),
    ),
    # StatsStore: PDFs brought to text in the last minute or hour
    Index("job_papers_processed", "updated_at", postgresql_where=text("state = 'processed'")),
    comment="One row per paper that a job touched; the counters of jobs move with its state.",
)

job_errors = Table(
    "job_errors",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True, comment="Order of storing."),
    Column(
        "job_id",
        Uuid,
        ForeignKey("jobs.id", ondelete="CASCADE"),
        nullable=False,
        comment="The job.",
    ),
    moment("occurred_at", "When it happened.", now=True),
    Column(
        "stage",
        Text,
        nullable=False,
        comment="arxiv_fetch, store, pdf_download, pdf_processing or general.",
    ),
    Column("error", Text, nullable=False, comment="What happened, in words safe to show."),
    Column("code", Text, comment="The same as a stable word for programs."),
    Column("arxiv_id", Text, comment="The paper concerned, if one is."),
    Column("attempt", Integer, comment="The attempt that failed, counted from 1."),
    Column("line", Integer, comment="Line of a snapshot's file, counted from 1."),
    CheckConstraint(one_of("stage", Stage), name="stage_known"),
    CheckConstraint(within_years("occurred_at"), name="moments_in_range"),
    # JobStore.get: the latest errors of one job
    Index("job_errors_latest", "job_id", text("occurred_at DESC"), text("id DESC")),
    comment="What went wrong in jobs; the status shows the latest 100 of each.",
)

callers = Table(
    "callers",
    metadata,
    Column("sub", Text, primary_key=True, comment="Subject of the caller's tokens."),
    Column(
        "is_blocked",
        Boolean,
        nullable=False,
        server_default=text("true"),
        comment="True: every token of this subject is answered with 401.",
    ),
    Column("reason", Text, comment="Why, for other operators."),
    moment("changed_at", "When it was blocked or unblocked.", now=True),
    comment="Callers that an operator has blocked; a caller without a row is active.",
)

schedules = Table(
    "schedules",
    metadata,
    Column(
        "id", Uuid, primary_key=True, server_default=text("new_job_id()"), comment="Schedule id."
    ),
    Column("name", Text, nullable=False, unique=True, comment="What people call it."),
    Column("cron", Text, nullable=False, comment="Cron expression of five fields, in timezone."),
    Column(
        "timezone",
        Text,
        nullable=False,
        server_default="UTC",
        comment="IANA time zone that cron counts in.",
    ),
    Column("request", JSONB, nullable=False, comment="The request of each job it submits."),
    Column(
        "is_paused",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True: no run is due.",
    ),
    Column(
        "created_by", Text, comment="Subject of the token that made it; blocked: no run is due."
    ),
    moment("created_at", "When it was made.", now=True),
    moment("next_run_at", "When it is due next; null while paused, or for a worker to compute."),
    moment(
        "missed_at",
        "First moment that was left out because its last job was unfinished: made up when it ends.",
    ),
    moment("last_run_at", "When it last submitted a job."),
    Column(
        "last_job_id",
        Uuid,
        ForeignKey("jobs.id", ondelete="SET NULL"),
        comment="The job it last submitted.",
    ),
    CheckConstraint("length(name) <= 100", name="name_short"),
    # ScheduleStore.take_due
    Index(
        "schedules_due",
        text("COALESCE(next_run_at, '-infinity'::timestamptz)"),
        postgresql_where=text("NOT is_paused"),
    ),
    # ScheduleStore.take_missed
    Index("schedules_missed", "missed_at", postgresql_where=text("missed_at IS NOT NULL")),
    # the foreign key, when a job is deleted
    Index("schedules_last_job", "last_job_id", postgresql_where=text("last_job_id IS NOT NULL")),
    comment="Recurring harvests.",
)

upstream_pace = Table(
    "upstream_pace",
    metadata,
    Column(
        "lane",  # the name that operators know; in code it is the channel
        Text,
        key="channel",
        primary_key=True,
        comment="api (query API and OAI-PMH), pdf or html.",
    ),
    moment("next_at", "No request of the fleet may start before this moment.", now=True),
    moment("silent_until", "Cooldown: arXiv asked us to wait until then, or refused us."),
    Column("holder", Uuid, comment="Whose request is in flight; not of pdf."),
    moment("held_until", "When the holder counts as dead unless it renews."),
    Column(
        "strikes",
        Integer,
        nullable=False,
        server_default="0",
        comment="Cooldowns in a row; each lengthens the next.",
    ),
    Column(
        "turns",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Slots that were given out, ever; one that a cooldown overtook counts too.",
    ),
    Column(
        "refusals",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="Answers that asked for silence or refused us, ever.",
    ),
    Column(
        "failing",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="Not used any more: see failures.",
    ),
    moment("failing_since", "First request without an answer; null when arXiv answers."),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="Requests without an answer in a row; from three on all wait for a probe.",
    ),
    Column("reason", Text, comment="Why the last of them had no answer."),
    moment("retry_at", "When the next request may find out whether arXiv is back."),
    moment("cooldown_since", "When the first of the cooldowns in a row began."),
    Column(
        "is_blocked",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="True when the cooldown is because arXiv forbids us everything (403).",
    ),
    moment("answered_at", "About when arXiv last gave a proper answer."),
    moment("paused_since", "When an operator stopped all requests; null: they may go out."),
    moment("waiting_from", "When the next of the tasks that wait is to come back."),
    Column("waiter", Uuid, comment="Who gets the next slot, of those who wait for one now."),
    Column("waiter_rank", BigInteger, comment="The rank of its task; higher goes first."),
    moment("waiter_until", "When it counts as gone unless it asks again."),
    CheckConstraint("lane IN ('api', 'pdf', 'html')", name="lane_known"),
    CheckConstraint("(holder IS NULL) = (held_until IS NULL)", name="held_by_someone"),
    comment="The one clock that keeps arXiv's rules for all replicas together.",
)

workers = Table(
    "workers",
    metadata,
    Column("id", Uuid, primary_key=True, comment="Made anew by each worker process."),
    Column("host", Text, nullable=False, comment="Name of its host."),
    Column("pid", Integer, nullable=False, comment="Its process id on that host."),
    Column("version", Text, nullable=False, comment="Version of the service it runs."),
    Column(
        "lease_seconds",
        Float,
        nullable=False,
        comment="Its LEASE_SECONDS; silent for two of them it counts as gone.",
    ),
    moment("started_at", "When it started.", now=True),
    moment("heartbeat_at", "When it was last heard of, by the database clock.", now=True),
    counter("tasks", "Tasks it had in hand then."),
    CheckConstraint("tasks >= 0", name="tasks_not_negative"),
    CheckConstraint("lease_seconds > 0", name="lease_positive"),
    comment="Worker processes; each removes its row when it ends in order.",
)

fleet_counters = Table(
    "fleet_counters",
    metadata,
    Column("name", Text, primary_key=True, comment="What is counted, such as stalls."),
    Column(
        "value",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="How often it happened, ever, on any replica.",
    ),
    CheckConstraint("value >= 0", name="value_not_negative"),
    comment="What happened on any replica, counted for the metrics across restarts.",
)
